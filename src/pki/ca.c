#include <openssl/err.h>

#include "codec/text.h"
#include "crypt/ossl.h"
#include "pki/cert_int.h"

enum { SERIAL = 20, KEY_IDENTIFIER = 20 };

static const uint64_t year_9999_end = 253402300799;

CM_PKI_SCOPED(BASIC_CONSTRAINTS, basic, BASIC_CONSTRAINTS_free)
CM_PKI_SCOPED(ASN1_BIT_STRING, bits, ASN1_BIT_STRING_free)
CM_PKI_SCOPED(ASN1_OCTET_STRING, octets, ASN1_OCTET_STRING_free)
CM_PKI_SCOPED(AUTHORITY_KEYID, akid, AUTHORITY_KEYID_free)
CM_PKI_SCOPED(EXTENDED_KEY_USAGE, eku, EXTENDED_KEY_USAGE_free)
CM_PKI_SCOPED(ASN1_INTEGER, integer, ASN1_INTEGER_free)
CM_PKI_SCOPED(ASN1_TIME, time, ASN1_TIME_free)

/* ---- what is asked for --------------------------------------------------------------------- */

/* A certificate before it is signed. Nothing here is owned but by whoever fills it in. */
struct plan {
    const cm_crypt *c;
    const X509_NAME *subject;
    const GENERAL_NAMES *names; /* or NULL */
    const cm_pkey *key;         /* the subject's */
    const X509 *issuer;         /* NULL: self-signed */
    const cm_cert_request *r;   /* role, times and path length; not its names */
};

static bool is_ca(cm_cert_role role)
{
    return role == CM_CERT_ROOT || role == CM_CERT_INTERMEDIATE;
}

/* K-60: the one part of a key that can be certified and sign. */
static cm_err usable(cm_key_part *part, const cm_pkey *k)
{
    cm_key_part p[CM_PARTS];

    if (cm_pkey_parts(p, k) != 1 || p->alg->kem || p->alg->id == CM_SIG_SECP256K1)
        return CM_FAIL(CERT_ALGORITHM);
    *part = *p;
    return CM_OKAY;
}

/* K-63 */
static cm_err check_request(const cm_cert_request *r, bool named)
{
    if ((unsigned)r->role > CM_CERT_CLIENT || r->not_before >= r->not_after ||
        r->not_after > year_9999_end)
        return CM_FAIL(CERT_REQUEST);
    return r->role == CM_CERT_SERVER && !named ? CM_FAIL(CERT_REQUEST) : CM_OKAY;
}

/* K-64, K-65 */
static cm_err check_issuer(X509 *issuer, const cm_pkey *key, const cm_cert_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf theirs = {.max = CM_KEYFILE_MAX}, ours = {.max = CM_KEYFILE_MAX};
    long pathlen;

    CM_TRY(cm_cert_spki(&theirs, X509_get_X509_PUBKEY(issuer)));
    CM_TRY(cm_pkey_public_der(&ours, key));
    if (X509_check_ca(issuer) != 1 || !(X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) ||
        !cm_view_eq(cm_buf_view(&theirs), cm_buf_view(&ours)))
        return CM_FAIL(CERT_ISSUER);
    pathlen = X509_get_pathlen(issuer);
    if (r->role == CM_CERT_INTERMEDIATE && pathlen >= 0 && r->pathlen >= pathlen)
        return CM_FAIL(CERT_ISSUER);
    if (ASN1_TIME_cmp_time_t(X509_get0_notBefore(issuer), (time_t)r->not_before) > 0 ||
        ASN1_TIME_cmp_time_t(X509_get0_notAfter(issuer), (time_t)r->not_after) < 0)
        return CM_FAIL(CERT_OUTLIVES_ISSUER);
    return CM_OKAY;
}

/* ---- parts of a certificate ---------------------------------------------------------------- */

/* K-61 */
static cm_err set_serial(X509 *x, const cm_crypt *c)
{
    CM_AUTO(cm_pki_integer_done) ASN1_INTEGER *n = ASN1_INTEGER_new();
    uint8_t b[SERIAL];

    CM_TRY(cm_random(c, b, sizeof b));
    b[0] = (uint8_t)((b[0] & 0x7f) | 0x40);
    if (!n || ASN1_STRING_set(n, b, sizeof b) != 1 || X509_set_serialNumber(x, n) != 1)
        return CM_FAIL(NO_MEMORY);
    return CM_OKAY;
}

static cm_err set_times(X509 *x, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_time_done) ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)r->not_before);
    CM_AUTO(cm_pki_time_done) ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)r->not_after);

    if (!from || !to)
        return cm_pki_fail(CM_CERT_REQUEST);
    CM_TRY_PKI(X509_set1_notBefore(x, from));
    CM_TRY_PKI(X509_set1_notAfter(x, to));
    return CM_OKAY;
}

static cm_err add(X509 *x, int nid, void *value, bool critical)
{
    CM_TRY_PKI(X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT));
    return CM_OKAY;
}

static cm_err add_basic(X509 *x, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_basic_done) BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();

    if (!b)
        return CM_FAIL(NO_MEMORY);
    if (is_ca(r->role)) {
        b->ca = 0xff;
        b->pathlen = ASN1_INTEGER_new();
        if (!b->pathlen || ASN1_INTEGER_set(b->pathlen, r->pathlen) != 1)
            return CM_FAIL(NO_MEMORY);
    }
    return add(x, NID_basic_constraints, b, true);
}

static cm_err add_usage(X509 *x, cm_cert_role role)
{
    enum { DIGITAL_SIGNATURE = 0, KEY_CERT_SIGN = 5, CRL_SIGN = 6 };
    CM_AUTO(cm_pki_bits_done) ASN1_BIT_STRING *b = ASN1_BIT_STRING_new();
    bool ca = is_ca(role);

    if (!b || ASN1_BIT_STRING_set_bit(b, ca ? KEY_CERT_SIGN : DIGITAL_SIGNATURE, 1) != 1 ||
        (ca && ASN1_BIT_STRING_set_bit(b, CRL_SIGN, 1) != 1))
        return CM_FAIL(NO_MEMORY);
    return add(x, NID_key_usage, b, true);
}

static cm_err add_extended_usage(X509 *x, cm_cert_role role)
{
    CM_AUTO(cm_pki_eku_done) EXTENDED_KEY_USAGE *e = EXTENDED_KEY_USAGE_new();
    ASN1_OBJECT *use = OBJ_nid2obj(role == CM_CERT_SERVER ? NID_server_auth : NID_client_auth);

    if (!e || sk_ASN1_OBJECT_push(e, use) <= 0) /* the object is a constant */
        return CM_FAIL(NO_MEMORY);
    return add(x, NID_ext_key_usage, e, false);
}

static cm_err key_identifier(ASN1_OCTET_STRING **out, const cm_crypt *c, const cm_pkey *k)
{
    CM_AUTO(cm_pki_octets_done) ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    uint8_t fp[CM_FINGERPRINT];

    CM_TRY(cm_pkey_fingerprint(fp, c, k));
    if (!s || ASN1_OCTET_STRING_set(s, fp, KEY_IDENTIFIER) != 1)
        return CM_FAIL(NO_MEMORY);
    *out = s;
    s = NULL;
    return CM_OKAY;
}

static cm_err add_authority(X509 *x, const X509 *issuer)
{
    CM_AUTO(cm_pki_akid_done) AUTHORITY_KEYID *a = AUTHORITY_KEYID_new();
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id((X509 *)(uintptr_t)issuer);

    if (!id)
        return CM_FAIL(CERT_ISSUER);
    if (!a || !(a->keyid = ASN1_OCTET_STRING_dup(id)))
        return CM_FAIL(NO_MEMORY);
    return add(x, NID_authority_key_identifier, a, false);
}

/* K-62 */
static cm_err add_extensions(X509 *x, const struct plan *p)
{
    CM_AUTO(cm_pki_octets_done) ASN1_OCTET_STRING *id = NULL;

    CM_TRY(add_basic(x, p->r));
    CM_TRY(add_usage(x, p->r->role));
    CM_TRY(key_identifier(&id, p->c, p->key));
    CM_TRY(add(x, NID_subject_key_identifier, id, false));
    if (p->issuer)
        CM_TRY(add_authority(x, p->issuer));
    if (!is_ca(p->r->role))
        CM_TRY(add_extended_usage(x, p->r->role));
    if (p->names)
        CM_TRY(add(x, NID_subject_alt_name, (void *)(uintptr_t)p->names, false));
    return CM_OKAY;
}

/* ---- signing ------------------------------------------------------------------------------- */

/* K-60: a context that signs with the key as its algorithm wants it. */
static cm_err signer(EVP_MD_CTX **out, const cm_crypt *c, const cm_pkey *key)
{
    CM_AUTO(cm_pki_md_done) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CM_AUTO(cm_pki_pkey_done) EVP_PKEY *k = NULL;
    const char *md = NULL;
    cm_key_part part;

    CM_TRY(usable(&part, key));
    if (part.alg->id == CM_SIG_P256)
        md = "SHA256";
    if (part.alg->id == CM_SIG_P384)
        md = "SHA384";
    CM_TRY(cm_part_evp(&k, c, &part, true));
    if (!ctx)
        return CM_FAIL(NO_MEMORY);
    CM_TRY_PKI(
        EVP_DigestSignInit_ex(ctx, NULL, md, cm_crypt_libctx(c), cm_crypt_propq(c), k, NULL));
    *out = ctx;
    ctx = NULL;
    return CM_OKAY;
}

static cm_err set_key(X509 *x, const struct plan *p)
{
    CM_AUTO(cm_pki_pkey_done) EVP_PKEY *k = NULL;
    cm_key_part part;

    CM_TRY(usable(&part, p->key));
    CM_TRY(cm_part_evp(&k, p->c, &part, false));
    CM_TRY_PKI(X509_set_pubkey(x, k));
    return CM_OKAY;
}

static cm_err make(cm_cert **out, const struct plan *p, const cm_pkey *with)
{
    CM_AUTO(cm_pki_x509_done) X509 *x = X509_new_ex(cm_crypt_libctx(p->c), cm_crypt_propq(p->c));
    CM_AUTO(cm_pki_md_done) EVP_MD_CTX *ctx = NULL;

    if (p->issuer && X509_NAME_cmp(p->subject, X509_get_subject_name(p->issuer)) == 0)
        return CM_FAIL(CERT_REQUEST); /* K-63: it would pass for self-signed */
    if (!x)
        return CM_FAIL(NO_MEMORY);
    CM_TRY_PKI(X509_set_version(x, X509_VERSION_3));
    CM_TRY(set_serial(x, p->c));
    CM_TRY(set_times(x, p->r));
    CM_TRY_PKI(X509_set_subject_name(x, p->subject));
    CM_TRY_PKI(X509_set_issuer_name(x, p->issuer ? X509_get_subject_name(p->issuer) : p->subject));
    CM_TRY(set_key(x, p));
    CM_TRY(add_extensions(x, p));
    CM_TRY(signer(&ctx, p->c, with));
    if (X509_sign_ctx(x, ctx) <= 0)
        return cm_pki_fail(CM_PKI_PROVIDER);
    return cm_cert_wrap(out, &x, CM_PKI_PROVIDER);
}

cm_err cm_cert_root(cm_cert **out, const cm_crypt *c, const cm_pkey *key, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_name_done) X509_NAME *subject = NULL;
    struct plan p = {.c = c, .key = key, .r = r};

    if (r->role != CM_CERT_ROOT || r->n_dns || r->n_ip)
        return CM_FAIL(CERT_REQUEST);
    CM_TRY(check_request(r, false));
    CM_TRY(cm_cert_subject(&subject, r));
    p.subject = subject;
    return make(out, &p, key);
}

cm_err cm_cert_issue(cm_cert **out, const cm_crypt *c, const cm_cert *issuer,
                     const cm_pkey *issuer_key, const cm_pkey *subject, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_name_done) X509_NAME *name = NULL;
    CM_AUTO(cm_pki_names_done) GENERAL_NAMES *names = NULL;
    struct plan p = {.c = c, .key = subject, .issuer = issuer->x, .r = r};

    if (r->role == CM_CERT_ROOT)
        return CM_FAIL(CERT_REQUEST);
    CM_TRY(cm_cert_subject(&name, r));
    CM_TRY(cm_cert_names(&names, r));
    CM_TRY(check_request(r, names != NULL));
    CM_TRY(check_issuer(issuer->x, issuer_key, r));
    p.subject = name;
    p.names = names;
    return make(out, &p, issuer_key);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void extensions_done(STACK_OF(X509_EXTENSION) * *e)
{
    sk_X509_EXTENSION_pop_free(*e, X509_EXTENSION_free);
}

static cm_err set_names(X509_REQ *q, const cm_cert_request *r)
{
    CM_AUTO(extensions_done) STACK_OF(X509_EXTENSION) *e = NULL;
    CM_AUTO(cm_pki_names_done) GENERAL_NAMES *names = NULL;

    CM_TRY(cm_cert_names(&names, r));
    if (!names)
        return CM_OKAY;
    CM_TRY_PKI(X509V3_add1_i2d(&e, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT));
    CM_TRY_PKI(X509_REQ_add_extensions(q, e));
    return CM_OKAY;
}

static cm_err put_request(cm_buf *out, X509_REQ *q)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};
    int n = i2d_X509_REQ(q, NULL);
    uint8_t *w;

    if (n <= 0)
        return cm_pki_fail(CM_PKI_PROVIDER);
    CM_TRY(cm_buf_reserve(&der, (size_t)n));
    w = der.p;
    der.n = (size_t)i2d_X509_REQ(q, &w);
    return cm_pem_encode(out, CM_LIT("CERTIFICATE REQUEST"), cm_buf_view(&der));
}

cm_err cm_csr_write(cm_buf *out, const cm_crypt *c, const cm_pkey *key, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_req_done) X509_REQ *q = X509_REQ_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    CM_AUTO(cm_pki_name_done) X509_NAME *subject = NULL;
    CM_AUTO(cm_pki_pkey_done) EVP_PKEY *pub = NULL;
    CM_AUTO(cm_pki_md_done) EVP_MD_CTX *ctx = NULL;
    cm_key_part part;

    if (!q)
        return CM_FAIL(NO_MEMORY);
    CM_TRY(usable(&part, key));
    CM_TRY(cm_cert_subject(&subject, r));
    CM_TRY(cm_part_evp(&pub, c, &part, false));
    CM_TRY_PKI(X509_REQ_set_version(q, X509_REQ_VERSION_1));
    CM_TRY_PKI(X509_REQ_set_subject_name(q, subject));
    CM_TRY_PKI(X509_REQ_set_pubkey(q, pub));
    CM_TRY(set_names(q, r));
    CM_TRY(signer(&ctx, c, key));
    if (X509_REQ_sign_ctx(q, ctx) <= 0)
        return cm_pki_fail(CM_PKI_PROVIDER);
    return put_request(out, q);
}

static cm_err parse_request(X509_REQ **q, cm_view file)
{
    CM_AUTO(cm_buf_free) cm_buf own = {.max = CM_CERT_FILE_MAX};
    const unsigned char *p;
    cm_view der;

    CM_TRY(cm_cert_der(&der, &own, file, CM_LIT("CERTIFICATE REQUEST")));
    p = der.p;
    if (!d2i_X509_REQ(q, &p, (long)der.n))
        return cm_pki_fail(CM_CERT_MALFORMED);
    return p == der.p + der.n ? CM_OKAY : CM_FAIL(KEY_TRAILING);
}

/* K-66: whoever asks must hold the key. */
static cm_err check_possession(cm_pkey **key, const cm_crypt *c, X509_REQ *q)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_pki_pkey_done) EVP_PKEY *pub = NULL;
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};
    cm_key_part part;

    CM_TRY(cm_cert_spki(&der, X509_REQ_get_X509_PUBKEY(q)));
    CM_TRY(cm_spki_read(&k, c, cm_buf_view(&der)));
    CM_TRY(usable(&part, k));
    CM_TRY(cm_part_evp(&pub, c, &part, false));
    if (X509_REQ_verify_ex(q, pub, cm_crypt_libctx(c), cm_crypt_propq(c)) != 1)
        return cm_pki_fail(CM_CERT_SIGNATURE);
    *key = k;
    k = NULL;
    return CM_OKAY;
}

/* No extensions, and extensions that could not be read, both come back as none; the error queue
 * tells them apart. */
static cm_err take_names(GENERAL_NAMES **names, const X509_REQ *q)
{
    CM_AUTO(extensions_done) STACK_OF(X509_EXTENSION) *e = NULL;
    int critical;

    ERR_clear_error();
    e = X509_REQ_get_extensions((X509_REQ *)(uintptr_t)q);
    *names = X509V3_get_d2i(e, NID_subject_alt_name, &critical, NULL);
    if (ERR_peek_error() != 0 || (!*names && critical != -1))
        return cm_pki_fail(CM_CERT_MALFORMED);
    return cm_cert_names_check(*names);
}

cm_err cm_csr_issue(cm_cert **out, const cm_crypt *c, const cm_cert *issuer,
                    const cm_pkey *issuer_key, cm_view csr, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_req_done) X509_REQ *q = X509_REQ_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    CM_AUTO(cm_pki_names_done) GENERAL_NAMES *names = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    struct plan p = {.c = c, .issuer = issuer->x, .r = r};

    if (!q)
        return CM_FAIL(NO_MEMORY);
    if (r->role == CM_CERT_ROOT)
        return CM_FAIL(CERT_REQUEST);
    CM_TRY(parse_request(&q, csr));
    CM_TRY(check_possession(&key, c, q));
    CM_TRY(take_names(&names, q));
    CM_TRY(check_request(r, names && sk_GENERAL_NAME_num(names) > 0));
    CM_TRY(check_issuer(issuer->x, issuer_key, r));
    p.key = key;
    p.subject = X509_REQ_get_subject_name(q);
    p.names = names;
    if (X509_NAME_entry_count(p.subject) == 0)
        return CM_FAIL(CERT_REQUEST);
    return make(out, &p, issuer_key);
}
