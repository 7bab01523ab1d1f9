#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "attest/attest_int.h"
#include "attest/der.h"
#include "codec/text.h"
#include "crypt/ossl.h"

enum { LEVEL_112_BITS = 2, OID_TEXT = 80, SCALAR_BYTES = 66, ECDSA_DER_MAX = 160 };

CM_ATTEST_SCOPED(X509_STORE, store, X509_STORE_free)
CM_ATTEST_SCOPED(X509_STORE_CTX, store_ctx, X509_STORE_CTX_free)
CM_ATTEST_SCOPED(STACK_OF(X509), stack, sk_X509_free)
CM_ATTEST_SCOPED(ECDSA_SIG, ecdsa, ECDSA_SIG_free)
CM_ATTEST_SCOPED(BIGNUM, bn, BN_free)
CM_ATTEST_SCOPED(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
CM_ATTEST_SCOPED(EVP_MD_CTX, md, EVP_MD_CTX_free)
CM_ATTEST_SCOPED(ASN1_OBJECT, object, ASN1_OBJECT_free)

/* ---- pool ---------------------------------------------------------------------------------- */

void cm_pool_done(cm_pool *pool)
{
    for (size_t i = 0; i < pool->n; i++)
        X509_free(pool->v[i]);
    pool->n = 0;
}

cm_err cm_pool_add_der(cm_pool *pool, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_attest_x509_done)
    X509 *x = X509_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    const uint8_t *p = der.p;

    if (!x)
        return CM_FAIL(NO_MEMORY);
    if (pool->n == CM_POOL_MAX || der.n == 0 || der.n > CM_DER_MAX ||
        !d2i_X509(&x, &p, (long)der.n) || p != der.p + der.n) {
        ERR_clear_error();
        return CM_FAIL(ATTEST_CERTIFICATE);
    }
    CM_TRY(cm_hash_once(c, CM_SHA256, pool->name[pool->n].cert, der));
    CM_TRY(cm_x509_key_digest(pool->name[pool->n].spki, c, x));
    pool->v[pool->n++] = x;
    x = NULL;
    return CM_OKAY;
}

static cm_err add_pem(cm_pool *pool, const cm_crypt *c, cm_view text)
{
    for (;;) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_DER_MAX};
        cm_view label;
        cm_err e = cm_pem_next(&der, &label, &text);

        if (cm_is(e, CM_PEM_NO_BLOCK))
            return CM_OKAY;
        if (cm_failed(e))
            return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(ATTEST_CERTIFICATE);
        if (!cm_view_eq(label, CM_LIT("CERTIFICATE")))
            return CM_FAIL(ATTEST_CERTIFICATE);
        CM_TRY(cm_pool_add_der(pool, c, cm_buf_view(&der)));
    }
}

cm_err cm_pool_add(cm_pool *pool, const cm_crypt *c, cm_view file)
{
    if (file.n && file.p[0] == 0x30)
        return cm_pool_add_der(pool, c, file);
    return add_pem(pool, c, file);
}

cm_err cm_pool_load(cm_pool *pool, const cm_run *run)
{
    for (size_t i = 0; i < run->in->n_certs; i++)
        CM_TRY(cm_pool_add(pool, run->c, run->in->certs[i]));
    return CM_OKAY;
}

/* ---- path ---------------------------------------------------------------------------------- */

void cm_path_done(cm_path *path)
{
    EVP_PKEY_free(path->root_key);
    path->root_key = NULL;
    path->n = 0;
}

static cm_err root_key(EVP_PKEY **out, const cm_crypt *c, const cm_root *root)
{
    const uint8_t *p = root->spki.p;

    *out = d2i_PUBKEY_ex(NULL, &p, (long)root->spki.n, cm_crypt_libctx(c), cm_crypt_propq(c));
    return *out ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);
}

/* AT-12. cert and spki: digests of x and of the key. key: NULL when what is known will do. */
static bool signed_by(const cm_run *run, X509 *x, const uint8_t cert[32], EVP_PKEY *key,
                      const uint8_t spki[32])
{
    cm_attest_cache *cache = run->in->cache;
    cm_fact f;
    bool named = cache && cm_ok(cm_fact_of(&f, run->c, cert, spki)), good;

    if (named && cm_fact_known(cache, &f))
        return true;
    if (run->known || !key)
        return false;
    good = X509_verify(x, key) == 1;
    ERR_clear_error();
    if (good && named)
        cm_fact_learn(cache, &f);
    return good;
}

static const cm_cert_name *name_of(const cm_pool *pool, const X509 *x)
{
    for (size_t i = 0; i < pool->n; i++)
        if (pool->v[i] == x)
            return &pool->name[i];
    return NULL;
}

/* ---- links --------------------------------------------------------------------------------- */

static int date_error(const X509 *x, time_t now)
{
    int from = X509_cmp_time(X509_get0_notBefore(x), &now);
    int to = X509_cmp_time(X509_get0_notAfter(x), &now);

    if (from == 0)
        return X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD;
    if (from > 0)
        return X509_V_ERR_CERT_NOT_YET_VALID;
    if (to == 0)
        return X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
    return to < 0 ? X509_V_ERR_CERT_HAS_EXPIRED : X509_V_OK;
}

typedef struct {
    const cm_run *run;
    const cm_pool *pool;
} links;

static int link_error(const links *l, X509 *x, X509 *issuer)
{
    const cm_cert_name *name = name_of(l->pool, x), *by = issuer ? name_of(l->pool, issuer) : NULL;

    if (issuer && !(X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN))
        return X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
    if (issuer &&
        (!name || !by || !signed_by(l->run, x, name->cert, X509_get0_pubkey(issuer), by->spki)))
        return X509_V_ERR_CERT_SIGNATURE_FAILURE;
    return l->run->any_time ? X509_V_OK : date_error(x, (time_t)l->run->p->now);
}

/* In the place of the library's own last step, which verifies every signature: signatures and
 * dates, from the anchor down. The anchor's own signature was verified by anchors(). */
static int check_links(X509_STORE_CTX *ctx)
{
    const links *l = X509_STORE_CTX_get_app_data(ctx);
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    int n = sk_X509_num(chain);

    for (int i = n - 1; i >= 0; i--) {
        X509 *issuer = i + 1 < n ? sk_X509_value(chain, i + 1) : NULL;
        int e = link_error(l, sk_X509_value(chain, i), issuer);

        if (e != X509_V_OK) {
            X509_STORE_CTX_set_error(ctx, e);
            return 0;
        }
    }
    return 1;
}

/* AT-5: certificates that the pinned key signed, the root's own among them, end a path. */
static cm_err anchors(X509_STORE *store, size_t *n, const cm_run *run, const cm_pool *pool,
                      EVP_PKEY *key, cm_view root)
{
    uint8_t spki[32];

    *n = 0;
    CM_TRY(cm_hash_once(run->c, CM_SHA256, spki, root));
    for (size_t i = 0; i < pool->n; i++) {
        if (X509_check_ca(pool->v[i]) != 1 ||
            !signed_by(run, pool->v[i], pool->name[i].cert, key, spki))
            continue;
        if (X509_STORE_add_cert(store, pool->v[i]) != 1)
            return CM_FAIL(NO_MEMORY);
        ++*n;
    }
    return CM_OKAY;
}

/* AT-6 */
static cm_err walk(int *why, cm_path *path, const cm_run *run, X509 *leaf, const cm_pool *pool,
                   X509_STORE *store)
{
    CM_AUTO(cm_attest_stack_done) STACK_OF(X509) *extra = sk_X509_new_null();
    CM_AUTO(cm_attest_store_ctx_done)
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(cm_crypt_libctx(run->c), cm_crypt_propq(run->c));
    const STACK_OF(X509) * chain;
    links l = {run, pool};
    X509_VERIFY_PARAM *param;
    int ok;

    if (!extra || !ctx)
        return CM_FAIL(NO_MEMORY);
    for (size_t i = 0; i < pool->n; i++)
        if (sk_X509_push(extra, pool->v[i]) <= 0)
            return CM_FAIL(NO_MEMORY);
    if (X509_STORE_CTX_init(ctx, store, leaf, extra) != 1)
        return CM_FAIL(NO_MEMORY);
    if (run->in->cache) {
        X509_STORE_CTX_set_app_data(ctx, &l);
        X509_STORE_CTX_set_verify(ctx, check_links);
    }
    param = X509_STORE_CTX_get0_param(ctx);
    if (!run->any_time)
        X509_VERIFY_PARAM_set_time(param, (time_t)run->p->now); /* overrides NO_CHECK_TIME */
    X509_VERIFY_PARAM_set_depth(param, CM_POOL_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL_112_BITS);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN |
                                           (run->any_time ? X509_V_FLAG_NO_CHECK_TIME : 0));
    ok = X509_verify_cert(ctx);
    ERR_clear_error();
    *why = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    if (ok != 1)
        return *why == X509_V_ERR_OUT_OF_MEM ? CM_FAIL(NO_MEMORY) : CM_OKAY;
    chain = X509_STORE_CTX_get0_chain(ctx);
    path->n = 0;
    for (int i = 0; i < sk_X509_num(chain) && path->n < CM_POOL_MAX; i++)
        path->v[path->n++] = sk_X509_value(chain, i);
    return CM_OKAY;
}

static cm_err try_root(int *why, cm_path *path, const cm_run *run, X509 *leaf, const cm_pool *pool,
                       const cm_root *root)
{
    CM_AUTO(cm_attest_store_done) X509_STORE *store = X509_STORE_new();
    CM_AUTO(cm_attest_pkey_done) EVP_PKEY *key = NULL;
    size_t n = 0;

    if (!store)
        return CM_FAIL(NO_MEMORY);
    *why = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
    if (!run->known)
        CM_TRY(root_key(&key, run->c, root));
    CM_TRY(anchors(store, &n, run, pool, key, root->spki));
    if (n == 0)
        return CM_OKAY;
    CM_TRY(walk(why, path, run, leaf, pool, store));
    if (*why == X509_V_OK) {
        path->root = root;
        path->root_key = key;
        key = NULL;
    }
    return CM_OKAY;
}

static const char *path_why(int e)
{
    switch (e) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "a certificate is over at that time";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "a certificate is not yet valid at that time";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "a certificate's signature is wrong";
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return "a certificate has a critical extension that is not known";
    default:
        return "the certificates given lead to no pinned root";
    }
}

/* *worst: X509_V_OK when a root was found. */
static cm_err try_roots(int *worst, cm_path *path, const cm_run *run, X509 *leaf,
                        const cm_pool *pool, cm_vendor vendor)
{
    *worst = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
    for (size_t i = 0; i < run->roots.n && *worst != X509_V_OK; i++) {
        int why;

        if (run->roots.v[i].vendor != vendor)
            continue;
        CM_TRY(try_root(&why, path, run, leaf, pool, &run->roots.v[i]));
        if (why != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT &&
            why != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
            *worst = why;
    }
    return CM_OKAY;
}

/* By what is known first; where that does not do, as if nothing were. */
cm_err cm_path_find(cm_path *path, cm_run *run, X509 *leaf, const cm_pool *pool, cm_vendor vendor,
                    cm_attest_check id)
{
    int worst = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
    cm_run known = *run;

    known.known = true;
    if (run->in->cache)
        CM_TRY(try_roots(&worst, path, &known, leaf, pool, vendor));
    if (worst != X509_V_OK)
        CM_TRY(try_roots(&worst, path, run, leaf, pool, vendor));
    if (worst == X509_V_OK)
        cm_note(run, id, path->n > 1, "the signing key's certificate is its own CA");
    else
        cm_note_fail(run, id, path_why(worst));
    return CM_OKAY;
}

/* ---- revocation ---------------------------------------------------------------------------- */

typedef struct {
    X509_CRL *v[CM_CRLS_MAX];
    size_t n;
} crls;

static void crls_done(crls *l)
{
    for (size_t i = 0; i < l->n; i++)
        X509_CRL_free(l->v[i]);
}

/* AT-9, RFC 5280 section 5.1.1.2: the algorithm beside the signature, which is not signed, is the
 * one inside; the library compares them for certificates alone. */
static bool same_algorithm(cm_view der)
{
    cm_cut c = cm_cut_of(der), tbs;
    cm_view inside, beside;
    uint32_t tag;

    c = cm_cut_of(cm_asn1_take(&c, CM_DER_SEQ));
    tbs = cm_cut_of(cm_asn1_take(&c, CM_DER_SEQ));
    beside = cm_asn1_take(&c, CM_DER_SEQ);
    inside = cm_asn1_next(&tbs, &tag);
    if (tag == CM_DER_INT)
        inside = cm_asn1_take(&tbs, CM_DER_SEQ);
    return !c.bad && !tbs.bad && cm_view_eq(inside, beside);
}

static bool add_crl(crls *l, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_attest_crl_done)
    X509_CRL *x = X509_CRL_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    const uint8_t *p = der.p;
    bool good = x && l->n < CM_CRLS_MAX && der.n && der.n <= CM_DER_MAX * 16 &&
                same_algorithm(der) && d2i_X509_CRL(&x, &p, (long)der.n) && p == der.p + der.n;

    ERR_clear_error();
    if (good) {
        l->v[l->n++] = x;
        x = NULL;
    }
    return good;
}

static bool load_crls(crls *l, const cm_run *run)
{
    for (size_t i = 0; i < run->in->n_crls; i++) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_DER_MAX * 16};
        cm_view v = run->in->crls[i], label;

        if (v.n && v.p[0] != 0x30) {
            if (cm_failed(cm_pem_next(&der, &label, &v)) || !cm_view_eq(label, CM_LIT("X509 CRL")))
                return false;
            v = cm_buf_view(&der);
        }
        if (!add_crl(l, run->c, v))
            return false;
    }
    return true;
}

static bool crl_now(const X509_CRL *crl, time_t now)
{
    const ASN1_TIME *from = X509_CRL_get0_lastUpdate(crl), *to = X509_CRL_get0_nextUpdate(crl);

    return from && to && X509_cmp_time(from, &now) < 0 && X509_cmp_time(to, &now) > 0;
}

/* Whether crl is one that tells of x: of its issuer, and signed by its issuer's key. */
static bool crl_of(X509_CRL *crl, X509 *x, EVP_PKEY *issuer)
{
    bool good = X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(x)) == 0 &&
                X509_CRL_verify(crl, issuer) == 1;

    ERR_clear_error();
    return good;
}

/* AT-9: of several lists of one issuer, any that is current may revoke. */
static void revoked_one(cm_run *run, const crls *l, X509 *x, EVP_PKEY *issuer)
{
    const char *why = "no list of a certificate's issuer was given";
    bool stale = false, current = false;

    for (size_t i = 0; i < l->n; i++) {
        X509_REVOKED *row = NULL;

        if (!crl_of(l->v[i], x, issuer))
            continue;
        if (!crl_now(l->v[i], (time_t)run->p->now)) {
            stale = true;
            continue;
        }
        if (X509_CRL_get0_by_serial(l->v[i], &row, X509_get0_serialNumber(x)))
            cm_note_fail(run, CM_CHECK_REVOCATION, "a certificate is revoked");
        current = true;
    }
    if (current)
        cm_note_pass(run, CM_CHECK_REVOCATION); /* a failure that was noted stays */
    else if (stale)
        cm_note_fail(run, CM_CHECK_REVOCATION, "the revocation list is not of that time");
    else
        cm_note_skip(run, CM_CHECK_REVOCATION, why);
}

EVP_PKEY *cm_path_issuer(cm_path *path, const cm_run *run, size_t i)
{
    if (i + 1 < path->n)
        return X509_get0_pubkey(path->v[i + 1]);
    if (!path->root_key && cm_failed(root_key(&path->root_key, run->c, path->root)))
        path->root_key = NULL;
    return path->root_key;
}

cm_err cm_path_revocation(cm_path *path, cm_run *run, size_t from)
{
    CM_AUTO(crls_done) crls l = {0};

    if (!load_crls(&l, run)) {
        cm_note_fail(run, CM_CHECK_REVOCATION, "a revocation list can't be read");
        return CM_OKAY;
    }
    for (size_t i = from; i < path->n; i++) {
        /* The root's own certificate ends with its key, not with a list. */
        if (i + 1 == path->n &&
            X509_NAME_cmp(X509_get_issuer_name(path->v[i]), X509_get_subject_name(path->v[i])) == 0)
            break;
        revoked_one(run, &l, path->v[i], l.n ? cm_path_issuer(path, run, i) : NULL);
    }
    return CM_OKAY;
}

/* ---- parts --------------------------------------------------------------------------------- */

static bool on_group(EVP_PKEY *key, const char *group)
{
    char name[32] = {0};
    size_t n = 0;

    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, name, sizeof name, &n) == 1 &&
           cm_view_eq(cm_view_str(name), cm_view_str(group));
}

static cm_err ecdsa_der(uint8_t der[ECDSA_DER_MAX], size_t *n, cm_view r, cm_view s)
{
    CM_AUTO(cm_attest_ecdsa_done) ECDSA_SIG *sig = ECDSA_SIG_new();
    CM_AUTO(cm_attest_bn_done) BIGNUM *a = BN_bin2bn(r.p, (int)r.n, NULL);
    CM_AUTO(cm_attest_bn_done) BIGNUM *b = BN_bin2bn(s.p, (int)s.n, NULL);
    uint8_t *p = der;
    int len;

    if (!sig || !a || !b || ECDSA_SIG_set0(sig, a, b) != 1)
        return CM_FAIL(NO_MEMORY);
    a = b = NULL;
    len = i2d_ECDSA_SIG(sig, &p);
    if (len <= 0)
        return CM_FAIL(NO_MEMORY);
    *n = (size_t)len;
    return CM_OKAY;
}

cm_err cm_ecdsa_raw(bool *good, const cm_crypt *c, EVP_PKEY *key, const char *group, cm_hash hash,
                    cm_view r, cm_view s, cm_view message)
{
    CM_AUTO(cm_attest_md_done) EVP_MD_CTX *md = EVP_MD_CTX_new();
    const char *name = hash == CM_SHA384 ? "SHA384" : "SHA256";
    uint8_t der[ECDSA_DER_MAX];
    size_t n = 0;

    *good = false;
    if (!md)
        return CM_FAIL(NO_MEMORY);
    if (!on_group(key, group) || r.n == 0 || s.n == 0 || r.n > SCALAR_BYTES || s.n > SCALAR_BYTES)
        return CM_OKAY;
    CM_TRY(ecdsa_der(der, &n, r, s));
    if (EVP_DigestVerifyInit_ex(md, NULL, name, cm_crypt_libctx(c), cm_crypt_propq(c), key, NULL) !=
        1) {
        ERR_clear_error();
        return CM_FAIL(CRYPT_PROVIDER);
    }
    *good = EVP_DigestVerify(md, der, n, message.p, message.n) == 1;
    ERR_clear_error();
    return CM_OKAY;
}

cm_err cm_p256_point(EVP_PKEY **out, const cm_crypt *c, cm_view xy)
{
    CM_AUTO(cm_attest_pkey_ctx_done)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(cm_crypt_libctx(c), "EC", cm_crypt_propq(c));
    char group[] = "prime256v1";
    uint8_t point[1 + 64] = {4};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("group", group, 0),
        OSSL_PARAM_construct_octet_string("pub", point, sizeof point),
        OSSL_PARAM_construct_end(),
    };

    if (!ctx)
        return CM_FAIL(NO_MEMORY);
    if (xy.n != sizeof point - 1)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(point + 1, xy.p, xy.n);
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) != 1)
        *out = NULL;
    ERR_clear_error();
    return CM_OKAY;
}

bool cm_x509_extension(cm_view *value, const X509 *x, const char *oid)
{
    CM_AUTO(cm_attest_object_done) ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    const ASN1_OCTET_STRING *data;
    int at = o ? X509_get_ext_by_OBJ(x, o, -1) : -1;

    if (at < 0 || X509_get_ext_by_OBJ(x, o, at) >= 0)
        return false;
    data = X509_EXTENSION_get_data(X509_get_ext(x, at));
    *value = cm_view_of(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
    return true;
}

cm_view cm_x509_cn(const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *s;

    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return cm_view_of(NULL, 0);
    s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return cm_view_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

X509 *cm_pool_named(const cm_pool *pool, cm_view cn)
{
    X509 *found = NULL;

    for (size_t i = 0; i < pool->n; i++) {
        if (!cm_view_eq(cm_x509_cn(X509_get_subject_name(pool->v[i])), cn))
            continue;
        if (found && X509_cmp(found, pool->v[i]) != 0)
            return NULL;
        found = pool->v[i];
    }
    return found;
}
