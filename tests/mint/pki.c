/* Keys of their names, certificates, lists, signatures. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "mint_int.h"
#include "rsa_keys.h"

enum { KEY_DER_MAX = 4096, POINT_MAX = 160, SIG_MAX = 1024, TIME_TEXT = 32 };

/* ---- keys ---------------------------------------------------------------------------------- */

static EVP_PKEY *rsa_of(const char *base64)
{
    uint8_t der[KEY_DER_MAX];
    const uint8_t *p = der;
    size_t n = strlen(base64);
    EVP_PKEY *key;

    mint_must(n / 4 * 3 <= sizeof der && EVP_DecodeBlock(der, (const uint8_t *)base64, (int)n) > 0,
              "base64");
    key = d2i_AutoPrivateKey(NULL, &p, (long)(n / 4 * 3));
    mint_must(key != NULL, "RSA key");
    return key;
}

/* The private number is a hash of the name, of one byte less than the group's order. */
static EVP_PKEY *ec_of(const char *group, size_t size, const char *name)
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(OBJ_txt2nid(group));
    EC_POINT *point = g ? EC_POINT_new(g) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = MINT_MAX};
    uint8_t pub[POINT_MAX];
    OSSL_PARAM *params;
    EVP_PKEY *key = NULL;
    BIGNUM *d;
    size_t n;

    mint_label(&seed, name, 0, size - 1);
    d = BN_bin2bn(seed.p, (int)seed.n, NULL);
    mint_must(point && ctx && bld && d && EC_POINT_mul(g, point, d, NULL, NULL, NULL) == 1, name);
    n = EC_POINT_point2oct(g, point, POINT_CONVERSION_UNCOMPRESSED, pub, sizeof pub, NULL);
    mint_must(OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
                  OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1 &&
                  OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, pub, n) == 1,
              name);
    params = OSSL_PARAM_BLD_to_param(bld);
    mint_must(params && EVP_PKEY_fromdata_init(ctx) == 1 &&
                  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1,
              name);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(g);
    return key;
}

EVP_PKEY *mint_key(const char *name)
{
    const char *rsa = mint_rsa_key(name);

    if (rsa)
        return rsa_of(rsa);
    if (strncmp(name, "p256:", 5) == 0)
        return ec_of("prime256v1", 32, name);
    if (strncmp(name, "p521:", 5) == 0)
        return ec_of("secp521r1", 65, name);
    mint_must(strncmp(name, "p384:", 5) == 0, name);
    return ec_of("secp384r1", 48, name);
}

EVP_PKEY *mint_root_key(const mint *m, const char *name)
{
    if (!mint_bad(m, "wrong-root"))
        return mint_key(name);
    if (mint_rsa_key(name))
        return mint_key("ask"); /* which is no root */
    return mint_key(name[1] == '2' ? "p256:stranger" : "p384:stranger");
}

void mint_point(cm_buf *b, EVP_PKEY *key)
{
    uint8_t pub[POINT_MAX];
    size_t n = 0;

    mint_must(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof pub, &n) ==
                  1,
              "point");
    mint_put(b, cm_view_of(pub + 1, n - 1));
}

void mint_spki(cm_buf *b, EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);

    mint_must(n > 0, "public key");
    mint_put(b, cm_view_of(der, (size_t)n));
    OPENSSL_free(der);
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* The same evidence each time: ECDSA by RFC 6979. */
static void deterministic(EVP_PKEY_CTX *ctx, const EVP_PKEY *key)
{
    unsigned kind = 1;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &kind),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        mint_must(EVP_PKEY_CTX_set_params(ctx, params) == 1, "RFC 6979");
}

void mint_ecdsa_der(cm_buf *b, EVP_PKEY *key, const char *hash, cm_view v)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t sig[SIG_MAX];
    size_t n = sizeof sig;

    mint_must(md && EVP_DigestSignInit_ex(md, &ctx, hash, NULL, NULL, key, NULL) == 1, "signature");
    deterministic(ctx, key);
    mint_must(EVP_DigestSign(md, sig, &n, v.p, v.n) == 1, "signature");
    EVP_MD_CTX_free(md);
    mint_put(b, cm_view_of(sig, n));
}

static void put_number(cm_buf *b, const BIGNUM *v, size_t n, bool little)
{
    uint8_t bytes[SIG_MAX];

    mint_must((little ? BN_bn2lebinpad(v, bytes, (int)n) : BN_bn2binpad(v, bytes, (int)n)) > 0,
              "number");
    mint_put(b, cm_view_of(bytes, n));
}

void mint_ecdsa(cm_buf *b, EVP_PKEY *key, const char *hash, cm_view v, size_t half, bool little)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};
    const uint8_t *p;
    ECDSA_SIG *sig;

    mint_ecdsa_der(&der, key, hash, v);
    p = der.p;
    sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    mint_must(sig != NULL, "signature");
    put_number(b, ECDSA_SIG_get0_r(sig), half, little);
    put_number(b, ECDSA_SIG_get0_s(sig), half, little);
    ECDSA_SIG_free(sig);
}

/* How a certificate or list is signed: on curves with the hash of their size. */
static EVP_MD_CTX *signer_of(EVP_PKEY *key, bool pss)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const char *hash = EVP_PKEY_get_bits(key) == 256 ? "SHA256" : "SHA384";
    EVP_PKEY_CTX *ctx = NULL;

    mint_must(md && EVP_DigestSignInit_ex(md, &ctx, hash, NULL, NULL, key, NULL) == 1, "signer");
    deterministic(ctx, key);
    if (pss)
        mint_must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                      EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 48) == 1,
                  "signer");
    return md;
}

/* ---- certificates -------------------------------------------------------------------------- */

static ASN1_TIME *time_of(uint64_t t)
{
    ASN1_TIME *v = ASN1_TIME_set(NULL, (time_t)t);

    mint_must(v != NULL, "time");
    return v;
}

static void add_raw(X509 *x, const char *oid, bool critical, cm_view der)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    X509_EXTENSION *e;

    mint_must(o && data && ASN1_OCTET_STRING_set(data, der.p, (int)der.n) == 1, oid);
    e = X509_EXTENSION_create_by_OBJ(NULL, o, critical, data);
    mint_must(e && X509_add_ext(x, e, -1) == 1, oid);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(data);
    ASN1_OBJECT_free(o);
}

static void set_name(X509_NAME *name, const char *cn)
{
    mint_must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                         (const uint8_t *)"Casemate test evidence", -1, -1,
                                         0) == 1 &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1,
                                             0) == 1,
              cn);
}

static void set_dates(X509 *x, uint64_t from, uint64_t to)
{
    ASN1_TIME *a = time_of(from), *b = time_of(to);

    mint_must(X509_set1_notBefore(x, a) == 1 && X509_set1_notAfter(x, b) == 1, "dates");
    ASN1_TIME_free(a);
    ASN1_TIME_free(b);
}

X509 *mint_cert_new(const mint_cert *s)
{
    static const uint8_t is_ca[] = {0x30, 0x03, 0x01, 0x01, 0xff};
    EVP_PKEY *signer = s->signer ? s->signer : s->key;
    X509 *x = X509_new();
    EVP_MD_CTX *md = signer_of(signer, s->pss);

    mint_must(x && X509_set_version(x, X509_VERSION_3) == 1 &&
                  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), s->serial) == 1 &&
                  X509_set_pubkey(x, s->key) == 1,
              s->cn);
    set_name(X509_get_subject_name(x), s->cn);
    mint_must(X509_set_issuer_name(x, X509_get_subject_name(s->issuer ? s->issuer : x)) == 1,
              s->cn);
    set_dates(x, s->from, s->to);
    if (s->ca)
        add_raw(x, "2.5.29.19", true, CM_VIEW(is_ca));
    for (size_t i = 0; i < s->n_ext; i++)
        add_raw(x, s->ext[i].oid, false, s->ext[i].der);
    mint_must(X509_sign_ctx(x, md) > 0, s->cn);
    EVP_MD_CTX_free(md);
    return x;
}

static void revoke(X509_CRL *crl, uint64_t serial, uint64_t at, bool held)
{
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    X509_REVOKED *row = X509_REVOKED_new();
    ASN1_TIME *t = time_of(at);

    mint_must(n && row && ASN1_INTEGER_set_uint64(n, serial) == 1 &&
                  X509_REVOKED_set_serialNumber(row, n) == 1 &&
                  X509_REVOKED_set_revocationDate(row, t) == 1,
              "revoked");
    mint_must(reason && ASN1_ENUMERATED_set(reason, CRL_REASON_CERTIFICATE_HOLD) == 1 &&
                  (!held || X509_REVOKED_add1_ext_i2d(row, NID_crl_reason, reason, 0, 0) == 1) &&
                  X509_CRL_add0_revoked(crl, row),
              "revoked");
    ASN1_ENUMERATED_free(reason);
    ASN1_INTEGER_free(n);
    ASN1_TIME_free(t);
}

X509_CRL *mint_crl_new(const X509 *issuer, EVP_PKEY *signer, uint64_t at, uint64_t revoked,
                       unsigned how)
{
    bool pss = (how & MINT_PSS) != 0, held = (how & MINT_HELD) != 0;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = time_of(at - MINT_DAY), *to = time_of(at + 30 * MINT_DAY);
    EVP_MD_CTX *md = signer_of(signer, pss);

    mint_must(crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                  X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                  X509_CRL_set1_lastUpdate(crl, from) == 1 &&
                  X509_CRL_set1_nextUpdate(crl, to) == 1,
              "list");
    if (revoked)
        revoke(crl, revoked, at - MINT_DAY, held);
    mint_must(X509_CRL_sort(crl) == 1 && X509_CRL_sign_ctx(crl, md) > 0, "list");
    EVP_MD_CTX_free(md);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return crl;
}

void mint_dates(const mint *m, mint_cert *s)
{
    s->from = m->spec.at - 30 * MINT_DAY;
    s->to = m->spec.at + MINT_YEAR;
    if (mint_bad(m, "expired"))
        s->to = m->spec.at - 1;
    if (mint_bad(m, "not-yet"))
        s->from = m->spec.at + MINT_DAY;
}

void mint_der(cm_buf *b, const X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);

    mint_must(n > 0, "certificate");
    mint_put(b, cm_view_of(der, (size_t)n));
    OPENSSL_free(der);
}

void mint_pem(cm_buf *b, const X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    long n;

    mint_must(bio && PEM_write_bio_X509(bio, x) == 1, "certificate");
    n = BIO_get_mem_data(bio, &p);
    mint_put(b, cm_view_of(p, (size_t)n));
    BIO_free(bio);
}

void mint_add_cert(mint *m, const char *name, X509 *x)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};

    mint_der(&der, x);
    m->cert[m->in.n_certs++] = mint_keep(m, name, &der);
    m->in.certs = m->cert;
}

void mint_add_crl(mint *m, const char *name, X509_CRL *x)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(x, &der);

    mint_must(n > 0, "list");
    mint_put(&b, cm_view_of(der, (size_t)n));
    OPENSSL_free(der);
    m->crl[m->in.n_crls++] = mint_keep(m, name, &b);
    m->in.crls = m->crl;
}
