#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "crypt/crypt.h"
#include "crypt/crypt_int.h"

enum {
    KMAC_KEY_MIN = 4, /* of the provider */
    KMAC_KEY_MAX = 512,
    KMAC_CUSTOM_MAX = 512,
    ARGON2_MEMORY_MAX = 4 << 20, /* KiB */
    ARGON2_PASSES_MAX = 64,
    ARGON2_LANES_MAX = 64,
    ARGON2_SALT_MIN = 16,
    KDF_OUT_MIN = 4,
    KDF_OUT_MAX = 1 << 20,
};

static OSSL_PARAM bytes_param(const char *name, cm_view v)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)cm_crypt_bytes(v), v.n);
}

/* HMAC and HKDF exist for every hash here but Keccak-256. */
static cm_err check_hash(const cm_crypt *c, cm_hash h, bool served)
{
    const EVP_MD *md;

    CM_TRY(cm_crypt_md(&md, c, h));
    if (h == CM_KECCAK256)
        return CM_FAIL(CRYPT_ALGORITHM);
    return served ? CM_OKAY : CM_FAIL(CRYPT_PROFILE);
}

cm_err cm_hmac(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view key, cm_view v)
{
    CM_AUTO(cm_evp_mac_ctx_done) EVP_MAC_CTX *ctx = NULL;
    uint8_t tag[CM_HASH_MAX];
    size_t n = 0;

    CM_TRY(check_hash(c, h, c->mac_hmac != NULL));
    ctx = EVP_MAC_CTX_dup(c->hmac[h]);
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_MAC_init(ctx, cm_crypt_bytes(key), key.n, NULL));
    CM_TRY_SSL(EVP_MAC_update(ctx, v.p, v.n));
    CM_TRY_SSL(EVP_MAC_final(ctx, tag, &n, sizeof tag));
    memcpy(out, tag, n);
    cm_wipe(tag, sizeof tag);
    return CM_OKAY;
}

cm_err cm_kmac256(const cm_crypt *c, uint8_t *out, size_t n, cm_view key, cm_view custom, cm_view v)
{
    CM_AUTO(cm_evp_mac_ctx_done) EVP_MAC_CTX *ctx = NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &n),
        bytes_param(OSSL_MAC_PARAM_CUSTOM, custom),
        OSSL_PARAM_construct_end(),
    };
    size_t got = 0;

    if (!c->mac_kmac256)
        return CM_FAIL(CRYPT_PROFILE);
    if (key.n < KMAC_KEY_MIN || key.n > KMAC_KEY_MAX || custom.n > KMAC_CUSTOM_MAX || n == 0 ||
        n > KDF_OUT_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    ctx = EVP_MAC_CTX_new(c->mac_kmac256);
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_MAC_init(ctx, key.p, key.n, params));
    CM_TRY_SSL(EVP_MAC_update(ctx, v.p, v.n));
    if (EVP_MAC_final(ctx, out, &got, n) != 1 || got != n) {
        cm_wipe(out, n);
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    }
    return CM_OKAY;
}

/* Derive with a context of the caller's; out is wiped when that fails half-way. OpenSSL's Argon2
 * goes on when an allocation within fails, and says that a wrong key is the right one: a file
 * sealed with that key would never open again. Only the error queue tells. */
static cm_err derive(EVP_KDF_CTX *ctx, uint8_t *out, size_t n, const OSSL_PARAM *params)
{
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    ERR_clear_error();
    if (EVP_KDF_derive(ctx, out, n, params) == 1 && ERR_peek_error() == 0)
        return CM_OKAY;
    cm_wipe(out, n);
    return cm_crypt_fail(CM_CRYPT_PROVIDER);
}

/* The extract step is HMAC(salt, ikm) and no more; the provider's refuses an empty ikm. */
cm_err cm_hkdf_extract(const cm_crypt *c, cm_hash h, uint8_t *prk, cm_view salt, cm_view ikm)
{
    CM_AUTO(cm_evp_kdf_ctx_done) EVP_KDF_CTX *ctx = NULL;
    const OSSL_PARAM params[] = {
        bytes_param(OSSL_KDF_PARAM_SALT, salt),
        bytes_param(OSSL_KDF_PARAM_KEY, ikm),
        OSSL_PARAM_construct_end(),
    };

    CM_TRY(check_hash(c, h, c->kdf_hkdf != NULL));
    if (ikm.n == 0)
        return cm_hmac(c, h, prk, salt, ikm);
    ctx = EVP_KDF_CTX_dup(c->hkdf[0][h]);
    return derive(ctx, prk, cm_hash_size(h), params);
}

cm_err cm_hkdf_expand(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view prk,
                      cm_view info)
{
    CM_AUTO(cm_evp_kdf_ctx_done) EVP_KDF_CTX *ctx = NULL;
    const OSSL_PARAM params[] = {
        bytes_param(OSSL_KDF_PARAM_KEY, prk),
        bytes_param(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
    };

    CM_TRY(check_hash(c, h, c->kdf_hkdf != NULL));
    if (prk.n == 0 || n == 0 || n > 255 * cm_hash_size(h))
        return CM_FAIL(BAD_ARGUMENT);
    ctx = EVP_KDF_CTX_dup(c->hkdf[1][h]);
    return derive(ctx, out, n, params);
}

static bool argon2_cost_ok(const cm_argon2 *a)
{
    return a->passes >= 1 && a->passes <= ARGON2_PASSES_MAX && a->lanes >= 1 &&
           a->lanes <= ARGON2_LANES_MAX && a->memory_kib >= 8 * a->lanes &&
           a->memory_kib <= ARGON2_MEMORY_MAX;
}

/* Lanes run one after another: they change the result, not the number of threads. */
cm_err cm_argon2id(const cm_crypt *c, uint8_t *out, size_t n, cm_view pass, cm_view salt,
                   const cm_argon2 *cost)
{
    CM_AUTO(cm_evp_kdf_ctx_done) EVP_KDF_CTX *ctx = NULL;
    cm_argon2 a = *cost;
    const OSSL_PARAM params[] = {
        bytes_param(OSSL_KDF_PARAM_PASSWORD, pass),
        bytes_param(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &a.passes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &a.lanes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &a.memory_kib),
        OSSL_PARAM_construct_end(),
    };

    if (!c->kdf_argon2id)
        return CM_FAIL(CRYPT_PROFILE);
    if (!argon2_cost_ok(cost))
        return CM_FAIL(CRYPT_COST);
    if (salt.n < ARGON2_SALT_MIN || n < KDF_OUT_MIN || n > KDF_OUT_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    ctx = EVP_KDF_CTX_new(c->kdf_argon2id);
    return derive(ctx, out, n, params);
}

cm_err cm_pbkdf2(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view pass, cm_view salt,
                 uint32_t rounds)
{
    CM_AUTO(cm_evp_kdf_ctx_done) EVP_KDF_CTX *ctx = NULL;
    const EVP_MD *md;

    CM_TRY(check_hash(c, h, c->kdf_pbkdf2 != NULL));
    CM_TRY(cm_crypt_md(&md, c, h));
    if (rounds == 0 || n == 0 || n > KDF_OUT_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    ctx = EVP_KDF_CTX_new(c->kdf_pbkdf2);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         (char *)(uintptr_t)EVP_MD_get0_name(md), 0),
        bytes_param(OSSL_KDF_PARAM_PASSWORD, pass),
        bytes_param(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &rounds),
        OSSL_PARAM_construct_end(),
    };
    return derive(ctx, out, n, params);
}
