/* The families whose keys are the provider's: ML-DSA, SLH-DSA and Ed25519. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypt/mldsa_int.h"

enum { SIGN_PARAMS = 4 };

static OSSL_PARAM octets(const char *name, cm_view v)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)cm_crypt_bytes(v), v.n);
}

/* Whoever asked for the fips profile learns that it is the profile that refuses. */
static cm_err not_served(const cm_sig_key *k)
{
    bool fips = k->crypt->profile == CM_PROFILE_FIPS;

    return cm_crypt_fail(fips ? CM_CRYPT_PROFILE : CM_CRYPT_PROVIDER);
}

cm_err cm_sig_fetch(cm_sig_key *k)
{
    k->method = EVP_SIGNATURE_fetch(k->crypt->lib, k->alg->method, cm_crypt_propq(k->crypt));
    return k->method ? CM_OKAY : not_served(k);
}

static cm_err key_context(EVP_PKEY_CTX **out, const cm_sig_key *k, const char *type)
{
    *out = EVP_PKEY_CTX_new_from_name(k->crypt->lib, type, cm_crypt_propq(k->crypt));
    return *out ? CM_OKAY : not_served(k);
}

cm_err cm_sig_import(cm_sig_key *k, const char *type, int selection, OSSL_PARAM *params)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;

    CM_TRY(key_context(&ctx, k, type));
    if (EVP_PKEY_fromdata_init(ctx) != 1)
        return not_served(k);
    if (EVP_PKEY_fromdata(ctx, &k->pkey, selection, params) != 1)
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    return cm_sig_fetch(k);
}

static cm_err read_public(cm_sig_key *k)
{
    size_t n = 0;

    CM_TRY_SSL(
        EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY, k->pk, sizeof k->pk, &n));
    return n == k->alg->info.pk ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);
}

static cm_err import_public(cm_sig_key *k, cm_view pk)
{
    OSSL_PARAM params[] = {octets(OSSL_PKEY_PARAM_PUB_KEY, pk), OSSL_PARAM_construct_end()};

    CM_TRY(cm_sig_import(k, k->alg->key, EVP_PKEY_PUBLIC_KEY, params));
    memcpy(k->pk, pk.p, pk.n);
    return CM_OKAY;
}

cm_err cm_sig_evp_sign(const cm_sig_key *k, uint8_t *sig, size_t *n, cm_view msg,
                       const OSSL_PARAM *params)
{
    CM_AUTO(cm_evp_pkey_ctx_done)
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->pkey, cm_crypt_propq(k->crypt));

    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_sign_message_init(ctx, k->method, params));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_sign(ctx, sig, n, cm_crypt_bytes(msg), msg.n));
    return cm_crypt_watched();
}

cm_err cm_sig_evp_verify(const cm_sig_key *k, cm_view msg, cm_view sig, const OSSL_PARAM *params)
{
    CM_AUTO(cm_evp_pkey_ctx_done)
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->pkey, cm_crypt_propq(k->crypt));

    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_verify_message_init(ctx, k->method, params));
    CM_TRY(cm_crypt_watch());
    if (EVP_PKEY_verify(ctx, sig.p, sig.n, cm_crypt_bytes(msg), msg.n) == 1)
        return cm_crypt_watched();
    return cm_crypt_fail(CM_CRYPT_SIGNATURE);
}

/* ---- ML-DSA and SLH-DSA -------------------------------------------------------------------- */

static cm_err mldsa_from_seed(cm_sig_key *k, cm_view seed)
{
    OSSL_PARAM params[] = {octets(OSSL_PKEY_PARAM_ML_DSA_SEED, seed), OSSL_PARAM_construct_end()};

    CM_TRY(cm_sig_import(k, k->alg->key, EVP_PKEY_KEYPAIR, params));
    return read_public(k);
}

cm_err cm_sig_mldsa_expanded(cm_sig_key *k, cm_view sk)
{
    OSSL_PARAM params[] = {octets(OSSL_PKEY_PARAM_PRIV_KEY, sk), OSSL_PARAM_construct_end()};

    CM_TRY(cm_sig_import(k, k->alg->key, EVP_PKEY_KEYPAIR, params));
    return read_public(k);
}

/* Its import wants the root of the tree; generation from the three seeds computes it. */
static cm_err slhdsa_from_seed(cm_sig_key *k, cm_view seed)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;
    OSSL_PARAM params[] = {octets(OSSL_PKEY_PARAM_SLH_DSA_SEED, seed), OSSL_PARAM_construct_end()};

    CM_TRY(key_context(&ctx, k, k->alg->key));
    if (EVP_PKEY_keygen_init(ctx) != 1)
        return not_served(k);
    CM_TRY_SSL(EVP_PKEY_CTX_set_params(ctx, params));
    CM_TRY_SSL(EVP_PKEY_generate(ctx, &k->pkey));
    CM_TRY(cm_sig_fetch(k));
    return read_public(k);
}

/* Pure forms only, and hedged unless a known answer is asked for: the provider's default takes
 * fresh randomness. */
static void sign_params(OSSL_PARAM params[SIGN_PARAMS], cm_view ctx, unsigned flags, int *one)
{
    size_t n = 0;

    *one = 1;
    if (!(flags & CM_SIG_IS_MU))
        params[n++] = octets(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, ctx);
    if (flags & CM_SIG_IS_MU)
        params[n++] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MU, one);
    if (flags & CM_SIG_DETERMINISTIC) /* K-8 */
        params[n++] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, one);
    params[n] = OSSL_PARAM_construct_end();
}

static cm_err pq_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags)
{
    OSSL_PARAM params[SIGN_PARAMS];
    size_t n = k->alg->info.sig;
    int one;

    sign_params(params, ctx, flags, &one);
    CM_TRY(cm_sig_evp_sign(k, sig, &n, msg, params));
    return n == k->alg->info.sig ? CM_OKAY : CM_FAIL(CRYPT_PROVIDER);
}

/* K-8: our own where it can, for it is several times as fast. */
static cm_err mldsa_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg,
                         unsigned flags)
{
    CM_AUTO(cm_key32_wipe) cm_key32 rnd = {{0}};

    if (!cm_mldsa_can_sign(k))
        return pq_sign(k, sig, ctx, msg, flags);
    if (!(flags & CM_SIG_DETERMINISTIC))
        CM_TRY(cm_random(k->crypt, rnd.b, sizeof rnd.b));
    return cm_mldsa_sign(k, sig, flags & CM_SIG_IS_MU ? msg.p : NULL, ctx, msg, rnd.b);
}

static cm_err pq_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig, unsigned flags)
{
    OSSL_PARAM params[SIGN_PARAMS];
    int one;

    sign_params(params, ctx, flags, &one);
    return cm_sig_evp_verify(k, msg, sig, params);
}

static cm_err mldsa_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig,
                           unsigned flags)
{
    if (k->crypt->profile == CM_PROFILE_FIPS)
        return pq_verify(k, ctx, msg, sig, flags);
    return cm_mldsa_verify(k, flags & CM_SIG_IS_MU ? msg.p : NULL, ctx, msg, sig);
}

const cm_sig_family cm_sig_mldsa = {mldsa_from_seed, import_public, mldsa_sign, mldsa_verify};
const cm_sig_family cm_sig_slhdsa = {slhdsa_from_seed, import_public, pq_sign, pq_verify};

/* ---- Ed25519 ------------------------------------------------------------------------------- */

/* y of the points whose order divides 8, little-endian, without the sign bit. */
static const uint8_t small_order_y[][32] = {
    {0},
    {1},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};
/* The field's prime and the curve's d, big-endian. */
static const uint8_t ed_p[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xed};
static const uint8_t ed_d[32] = {0x52, 0x03, 0x6c, 0xee, 0x2b, 0x6f, 0xfe, 0x73, 0x8c, 0xc7, 0x40,
                                 0x79, 0x77, 0x79, 0xe8, 0x98, 0x00, 0x70, 0x0a, 0x4d, 0x41, 0x41,
                                 0xd8, 0xab, 0x75, 0xeb, 0x4d, 0xca, 0x13, 0x59, 0x78, 0xa3};

/* Whether x exists for y: (y^2 - 1) (d y^2 + 1) is a square or 0, and y is below p. */
static bool has_point(BN_CTX *ctx, const uint8_t y_le[32])
{
    BIGNUM *p = BN_CTX_get(ctx), *y = BN_CTX_get(ctx), *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx);

    return v && BN_bin2bn(ed_p, sizeof ed_p, p) && BN_lebin2bn(y_le, 32, y) && BN_cmp(y, p) < 0 &&
           BN_mod_sqr(u, y, p, ctx) && BN_bin2bn(ed_d, sizeof ed_d, v) &&
           BN_mod_mul(v, v, u, p, ctx) && BN_add_word(v, 1) && BN_sub_word(u, 1) &&
           BN_mod_mul(u, u, v, p, ctx) && BN_kronecker(u, p, ctx) >= 0;
}

/* K-11. The provider takes any 32 bytes. With a key of small order anyone's signature verifies over
 * many messages, so that is no key. */
static cm_err check_ed25519(const cm_sig_key *k, cm_view pk)
{
    BN_CTX *ctx = BN_CTX_new_ex(k->crypt->lib);
    uint8_t y[32];
    bool ok;

    memcpy(y, pk.p, sizeof y);
    y[31] &= 0x7f;
    if (!ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    BN_CTX_start(ctx);
    ok = has_point(ctx, y);
    BN_CTX_end(ctx);
    BN_CTX_free(ctx);
    for (size_t i = 0; i < CM_COUNT(small_order_y); i++)
        ok = ok && !cm_view_eq(CM_VIEW(y), CM_VIEW(small_order_y[i]));
    return ok ? CM_OKAY : cm_crypt_fail(CM_CRYPT_BAD_KEY);
}

static cm_err ed25519_from_seed(cm_sig_key *k, cm_view seed)
{
    OSSL_PARAM params[] = {octets(OSSL_PKEY_PARAM_PRIV_KEY, seed), OSSL_PARAM_construct_end()};

    CM_TRY(cm_sig_import(k, k->alg->key, EVP_PKEY_KEYPAIR, params));
    return read_public(k);
}

static cm_err ed25519_from_public(cm_sig_key *k, cm_view pk)
{
    CM_TRY(check_ed25519(k, pk));
    return import_public(k, pk);
}

static cm_err ed25519_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig,
                             unsigned flags)
{
    (void)ctx, (void)flags;
    return cm_sig_evp_verify(k, msg, sig, NULL);
}

/* K-10: the one algorithm here without randomness. Two signatures over one message of which a
 * fault changed one give the key away, so none leaves unchecked. */
static cm_err ed25519_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg,
                           unsigned flags)
{
    size_t n = k->alg->info.sig;

    CM_TRY(cm_sig_evp_sign(k, sig, &n, msg, NULL));
    if (n == k->alg->info.sig && cm_ok(ed25519_verify(k, ctx, msg, cm_view_of(sig, n), flags)))
        return CM_OKAY;
    cm_wipe(sig, n);
    return CM_FAIL(CRYPT_PROVIDER);
}

const cm_sig_family cm_sig_ed25519 = {ed25519_from_seed, ed25519_from_public, ed25519_sign,
                                      ed25519_verify};
