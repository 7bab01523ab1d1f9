/* ECDSA over P-256 and P-384. The provider speaks DER; we speak r || s of fixed size. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/params.h>

#include "crypt/sig_int.h"

enum { SCALAR_MAX = 48, POINT_MAX = 97, DER_MAX = 110 };

CM_CRYPT_SCOPED(ECDSA_SIG, ecdsa_sig)

static void bn_clear_done(BIGNUM **b)
{
    BN_clear_free(*b);
}

typedef struct {
    EC_GROUP *group;
    EC_POINT *point;
    BN_CTX *bn;
} curve;

static void curve_done(curve *c)
{
    EC_POINT_free(c->point);
    EC_GROUP_free(c->group);
    BN_CTX_free(c->bn);
}

static cm_err curve_init(curve *c, const cm_sig_key *k)
{
    int nid = k->alg->info.id == CM_SIG_P256 ? NID_X9_62_prime256v1 : NID_secp384r1;

    c->group = EC_GROUP_new_by_curve_name_ex(k->crypt->lib, cm_crypt_propq(k->crypt), nid);
    c->bn = BN_CTX_secure_new_ex(k->crypt->lib);
    c->point = c->group ? EC_POINT_new(c->group) : NULL;
    return c->point && c->bn ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

/* The uncompressed point into the key's public bytes. */
static cm_err put_point(cm_sig_key *k, const curve *c)
{
    size_t n = EC_POINT_point2oct(c->group, c->point, POINT_CONVERSION_UNCOMPRESSED, k->pk,
                                  sizeof k->pk, c->bn);

    return n == k->alg->info.pk ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

static cm_err import(cm_sig_key *k, const OSSL_PARAM *secret)
{
    OSSL_PARAM params[4] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)k->alg->key,
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, k->pk, k->alg->info.pk),
        secret ? *secret : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    return cm_sig_import(k, "EC", secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
}

static cm_err nist_from_seed(cm_sig_key *k, cm_view seed)
{
    CM_AUTO(curve_done) curve c = {0};
    CM_AUTO(bn_clear_done) BIGNUM *d = NULL;
    uint8_t native[SCALAR_MAX];
    OSSL_PARAM secret;
    cm_err e;

    if (!cm_sig_scalar_ok(seed.p, k->alg->order, seed.n)) /* K-12 */
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(curve_init(&c, k));
    d = BN_secure_new();
    if (!d || !BN_bin2bn(seed.p, (int)seed.n, d))
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    BN_set_flags(d, BN_FLG_CONSTTIME);
    CM_TRY_SSL(EC_POINT_mul(c.group, c.point, d, NULL, NULL, c.bn));
    CM_TRY(put_point(k, &c));
    for (size_t i = 0; i < seed.n; i++) /* OSSL_PARAM integers are little-endian here */
        native[i] = seed.p[seed.n - 1 - i];
    secret = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, seed.n);
    e = import(k, &secret);
    cm_wipe(native, sizeof native);
    return e;
}

/* K-11: 04 with both coordinates, or 02 and 03 with one; the decoder checks the curve. */
static cm_err nist_from_public(cm_sig_key *k, cm_view pk)
{
    CM_AUTO(curve_done) curve c = {0};
    bool whole = pk.n == k->alg->info.pk;

    if (whole ? pk.p[0] != 4 : pk.p[0] != 2 && pk.p[0] != 3)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(curve_init(&c, k));
    if (EC_POINT_oct2point(c.group, c.point, pk.p, pk.n, c.bn) != 1)
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    CM_TRY(put_point(k, &c));
    return import(k, NULL);
}

/* Without a method the provider takes msg for the digest. */
static cm_err sign_der(const cm_sig_key *k, uint8_t *der, size_t *n, cm_view msg, unsigned flags)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;

    if (!(flags & CM_SIG_IS_DIGEST))
        return cm_sig_evp_sign(k, der, n, msg, NULL);
    ctx = EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->pkey, cm_crypt_propq(k->crypt));
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_sign_init(ctx));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_sign(ctx, der, n, msg.p, msg.n));
    return cm_crypt_watched();
}

static cm_err verify_der(const cm_sig_key *k, cm_view msg, cm_view der, unsigned flags)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;

    if (!(flags & CM_SIG_IS_DIGEST))
        return cm_sig_evp_verify(k, msg, der, NULL);
    ctx = EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->pkey, cm_crypt_propq(k->crypt));
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_verify_init(ctx));
    CM_TRY(cm_crypt_watch());
    if (EVP_PKEY_verify(ctx, der.p, der.n, msg.p, msg.n) == 1)
        return cm_crypt_watched();
    return cm_crypt_fail(CM_CRYPT_SIGNATURE);
}

/* K-9, K-10: the provider's nonce takes the key, the digest and fresh randomness. */
static cm_err nist_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags)
{
    CM_AUTO(cm_ecdsa_sig_done) ECDSA_SIG *s = NULL;
    int half = (int)k->alg->info.sig / 2;
    uint8_t der[DER_MAX];
    const uint8_t *p = der;
    size_t n = sizeof der;

    (void)ctx;
    CM_TRY(sign_der(k, der, &n, msg, flags));
    s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    if (!s || BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, half) != half ||
        BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + half, half) != half)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    return CM_OKAY;
}

static cm_err to_der(uint8_t der[DER_MAX], size_t *n, cm_view sig)
{
    CM_AUTO(cm_ecdsa_sig_done) ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig.p, (int)(sig.n / 2), NULL);
    BIGNUM *t = BN_bin2bn(sig.p + sig.n / 2, (int)(sig.n / 2), NULL);
    int len;

    if (!s || !r || !t || ECDSA_SIG_set0(s, r, t) != 1) {
        BN_free(r);
        BN_free(t);
        return cm_crypt_fail(CM_NO_MEMORY);
    }
    len = i2d_ECDSA_SIG(s, NULL);
    if (len <= 0 || len > DER_MAX)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    *n = (size_t)i2d_ECDSA_SIG(s, &der);
    return CM_OKAY;
}

static cm_err table_verify(const cm_sig_key *k, cm_view msg, cm_view sig, unsigned flags)
{
    uint8_t digest[CM_SIG_DIGEST];

    if (!(flags & CM_SIG_IS_DIGEST)) {
        CM_TRY(cm_hash_once(k->crypt, CM_SHA256, digest, msg));
        msg = CM_VIEW(digest);
    }
    return cm_p256_verify_var(k->table, msg.p, sig.p) ? CM_OKAY : CM_FAIL(CRYPT_SIGNATURE);
}

static cm_err nist_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig,
                          unsigned flags)
{
    uint8_t der[DER_MAX];
    size_t n = 0;

    (void)ctx;
    if (k->table)
        return table_verify(k, msg, sig, flags);
    CM_TRY(to_der(der, &n, sig));
    return verify_der(k, msg, cm_view_of(der, n), flags);
}

const cm_sig_family cm_sig_nist = {nist_from_seed, nist_from_public, nist_sign, nist_verify};
