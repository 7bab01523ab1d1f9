#include "crypt/aead.h"

#include "crypt/crypt_int.h"

enum {
    AES256_GCM = 1, /* index in cm_crypt.aead */
    STEP = 1 << 30, /* OpenSSL counts in int */
    AAD_MAX = 1 << 30,
    KWP_KEY_MAX = 1 << 16, /* PKCS#11 keys are far smaller */
    KWP_BLOCK = 8,
};
/* SP 800-38D: 2^39 - 256 bits under one nonce. */
#define GCM_MAX (((uint64_t)1 << 36) - 32)

struct cm_gcm {
    EVP_CIPHER_CTX *ctx;
};

cm_err cm_gcm_new(cm_gcm **out, const cm_crypt *c, const cm_key32 *key)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;

    if (!c->aead[AES256_GCM])
        return CM_FAIL(CRYPT_PROFILE);
    CM_TRY(cm_alloc(&g, sizeof *g));
    g->ctx = EVP_CIPHER_CTX_new();
    if (!g->ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    CM_TRY_SSL(EVP_EncryptInit_ex2(g->ctx, c->aead[AES256_GCM], key->b, NULL, NULL));
    *out = g;
    g = NULL;
    return CM_OKAY;
}

cm_err cm_gcm_rekey(cm_gcm *g, const cm_key32 *key)
{
    CM_TRY_SSL(EVP_EncryptInit_ex2(g->ctx, NULL, key->b, NULL, NULL));
    return CM_OKAY;
}

void cm_gcm_free(cm_gcm *g)
{
    if (!g)
        return;
    EVP_CIPHER_CTX_free(g->ctx);
    cm_free(g);
}

void cm_gcm_free_ptr(cm_gcm **g)
{
    cm_gcm_free(*g);
}

/* Nonce, then aad, in one direction. */
static cm_err start(cm_gcm *g, const uint8_t *nonce, cm_view aad, int encrypt)
{
    int n = 0;

    CM_TRY_SSL(EVP_CipherInit_ex2(g->ctx, NULL, NULL, nonce, encrypt, NULL));
    if (aad.n)
        CM_TRY_SSL(EVP_CipherUpdate(g->ctx, NULL, &n, aad.p, (int)aad.n));
    return CM_OKAY;
}

static cm_err run(cm_gcm *g, uint8_t *out, cm_view in)
{
    for (size_t at = 0, step; at < in.n; at += step) {
        int n = 0;

        step = CM_MIN(in.n - at, (size_t)STEP);
        CM_TRY_SSL(EVP_CipherUpdate(g->ctx, out + at, &n, in.p + at, (int)step));
    }
    return CM_OKAY;
}

static cm_err seal(cm_gcm *g, uint8_t *out, uint8_t *tag, const uint8_t *nonce, cm_view aad,
                   cm_view in)
{
    int n = 0;

    CM_TRY(start(g, nonce, aad, 1));
    CM_TRY(run(g, out, in));
    CM_TRY_SSL(EVP_CipherFinal_ex(g->ctx, tag, &n));
    CM_TRY_SSL(EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_GET_TAG, CM_GCM_TAG, tag));
    return CM_OKAY;
}

static cm_err open_(cm_gcm *g, uint8_t *out, const uint8_t *tag, const uint8_t *nonce, cm_view aad,
                    cm_view in)
{
    uint8_t expect[CM_GCM_TAG];
    int n = 0;

    memcpy(expect, tag, sizeof expect);
    CM_TRY(start(g, nonce, aad, 0));
    CM_TRY(run(g, out, in));
    CM_TRY_SSL(EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_SET_TAG, CM_GCM_TAG, expect));
    if (EVP_CipherFinal_ex(g->ctx, expect, &n) == 1)
        return CM_OKAY;
    return cm_crypt_fail(CM_CRYPT_TAG);
}

static bool fits(cm_view aad, cm_view in)
{
    return aad.n <= AAD_MAX && in.n <= GCM_MAX;
}

cm_err cm_gcm_seal(cm_gcm *g, uint8_t *out, uint8_t tag[CM_GCM_TAG],
                   const uint8_t nonce[CM_GCM_NONCE], cm_view aad, cm_view in)
{
    cm_err e;

    if (!fits(aad, in))
        return CM_FAIL(TOO_BIG);
    e = seal(g, out, tag, nonce, aad, in);
    if (cm_failed(e)) /* half a ciphertext must not be taken for a whole one */
        cm_wipe(out, in.n);
    return e;
}

cm_err cm_gcm_open(cm_gcm *g, uint8_t *out, const uint8_t tag[CM_GCM_TAG],
                   const uint8_t nonce[CM_GCM_NONCE], cm_view aad, cm_view in)
{
    cm_err e;

    if (!fits(aad, in))
        return CM_FAIL(TOO_BIG);
    e = open_(g, out, tag, nonce, aad, in);
    if (cm_failed(e))
        cm_wipe(out, in.n);
    return e;
}

/* Wraps or unwraps into room the caller has reserved; *n is what was written. */
static cm_err key_wrap(EVP_CIPHER *method, uint8_t *out, int *n, const uint8_t *kek, cm_view in,
                       int encrypt)
{
    CM_AUTO(cm_evp_cipher_ctx_done) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int tail = 0;

    if (!ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    CM_TRY_SSL(EVP_CipherInit_ex2(ctx, method, kek, NULL, encrypt, NULL));
    if (EVP_CipherUpdate(ctx, out, n, in.p, (int)in.n) != 1 || *n <= 0)
        return cm_crypt_fail(encrypt ? CM_CRYPT_PROVIDER : CM_CRYPT_TAG);
    CM_TRY_SSL(EVP_CipherFinal_ex(ctx, out + *n, &tail));
    return CM_OKAY;
}

static cm_err wrap_into(EVP_CIPHER *method, cm_buf *out, const uint8_t *kek, cm_view in,
                        size_t room, int encrypt)
{
    int n = 0;
    cm_err e;

    if (!method)
        return CM_FAIL(CRYPT_PROFILE);
    CM_TRY(cm_buf_reserve(out, room));
    e = key_wrap(method, out->p + out->n, &n, kek, in, encrypt);
    if (cm_failed(e)) {
        cm_wipe(out->p + out->n, room);
        return e;
    }
    out->n += (size_t)n;
    return CM_OKAY;
}

cm_err cm_kwp_wrap(const cm_crypt *c, cm_buf *out, const cm_key32 *kek, cm_view key)
{
    if (key.n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    if (key.n > KWP_KEY_MAX)
        return CM_FAIL(TOO_BIG);
    return wrap_into(c->kwp, out, kek->b, key,
                     (key.n + KWP_BLOCK - 1) / KWP_BLOCK * KWP_BLOCK + KWP_BLOCK, 1);
}

/* Length is public, so a wrong one and a wrong key need not look alike; they do all the same. */
cm_err cm_kwp_unwrap(const cm_crypt *c, cm_buf *out, const cm_key32 *kek, cm_view wrapped)
{
    if (wrapped.n > KWP_KEY_MAX + 2 * KWP_BLOCK)
        return CM_FAIL(TOO_BIG);
    if (wrapped.n < 2 * KWP_BLOCK || wrapped.n % KWP_BLOCK)
        return CM_FAIL(CRYPT_TAG);
    return wrap_into(c->kwp, out, kek->b, wrapped, wrapped.n, 0);
}

cm_err cm_kw192_wrap(const cm_crypt *c, cm_buf *out, const uint8_t kek[CM_KW192_KEK], cm_view key)
{
    if (key.n < 2 * KWP_BLOCK || key.n % KWP_BLOCK)
        return CM_FAIL(BAD_ARGUMENT);
    if (key.n > KWP_KEY_MAX)
        return CM_FAIL(TOO_BIG);
    return wrap_into(c->kw192, out, kek, key, key.n + CM_KW192_ADDED, 1);
}

cm_err cm_kw192_unwrap(const cm_crypt *c, cm_buf *out, const uint8_t kek[CM_KW192_KEK],
                       cm_view wrapped)
{
    if (wrapped.n < 3 * KWP_BLOCK || wrapped.n % KWP_BLOCK ||
        wrapped.n > KWP_KEY_MAX + CM_KW192_ADDED)
        return CM_FAIL(CRYPT_TAG);
    return wrap_into(c->kw192, out, kek, wrapped, wrapped.n, 0);
}
