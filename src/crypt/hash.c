#include "crypt/crypt.h"
#include "crypt/crypt_int.h"

/* The method carries its own reference to the provider; the hasher outlives nothing but itself. */
struct cm_hasher {
    EVP_MD_CTX *ctx;
    size_t size;
};

size_t cm_hash_size(cm_hash h)
{
    static const uint8_t sizes[CM_HASH_COUNT] = {
        [CM_SHA256] = 32,   [CM_SHA384] = 48,   [CM_SHA512] = 64,    [CM_SHA3_256] = 32,
        [CM_SHA3_384] = 48, [CM_SHA3_512] = 64, [CM_KECCAK256] = 32,
    };

    return (size_t)h < CM_HASH_COUNT ? sizes[h] : 0;
}

cm_err cm_crypt_md(const EVP_MD **out, const cm_crypt *c, cm_hash h)
{
    if ((size_t)h >= CM_HASH_COUNT)
        return CM_FAIL(CRYPT_ALGORITHM);
    if (!c->md[h])
        return CM_FAIL(CRYPT_PROFILE);
    *out = c->md[h];
    return CM_OKAY;
}

cm_err cm_hash_once(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view v)
{
    CM_AUTO(cm_evp_md_ctx_done) EVP_MD_CTX *ctx = NULL;
    uint8_t digest[CM_HASH_MAX];
    const EVP_MD *md;

    CM_TRY(cm_crypt_md(&md, c, h));
    ctx = EVP_MD_CTX_new();
    if (!ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    CM_TRY_SSL(EVP_DigestInit_ex2(ctx, md, NULL));
    CM_TRY_SSL(EVP_DigestUpdate(ctx, v.p, v.n));
    CM_TRY_SSL(EVP_DigestFinal_ex(ctx, digest, NULL));
    memcpy(out, digest, cm_hash_size(h));
    cm_wipe(digest, sizeof digest);
    return CM_OKAY;
}

cm_err cm_hasher_new(cm_hasher **out, const cm_crypt *c, cm_hash h)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *s = NULL;
    const EVP_MD *md;

    CM_TRY(cm_crypt_md(&md, c, h));
    CM_TRY(cm_alloc(&s, sizeof *s));
    s->size = cm_hash_size(h);
    s->ctx = EVP_MD_CTX_new();
    if (!s->ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    CM_TRY_SSL(EVP_DigestInit_ex2(s->ctx, md, NULL));
    *out = s;
    s = NULL;
    return CM_OKAY;
}

cm_err cm_hasher_update(cm_hasher *h, cm_view v)
{
    CM_TRY_SSL(EVP_DigestUpdate(h->ctx, v.p, v.n));
    return CM_OKAY;
}

cm_err cm_hasher_final(cm_hasher *h, uint8_t *out)
{
    uint8_t digest[CM_HASH_MAX];

    CM_TRY_SSL(EVP_DigestFinal_ex(h->ctx, digest, NULL));
    CM_TRY_SSL(EVP_DigestInit_ex2(h->ctx, NULL, NULL));
    memcpy(out, digest, h->size);
    cm_wipe(digest, sizeof digest);
    return CM_OKAY;
}

void cm_hasher_free(cm_hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    cm_free(h);
}

void cm_hasher_free_ptr(cm_hasher **h)
{
    cm_hasher_free(*h);
}

cm_err cm_shake(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n, cm_view v)
{
    return cm_shake_parts(c, bits, out, n, &v, 1);
}

cm_err cm_shake_parts(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n,
                      const cm_view *parts, size_t count)
{
    CM_AUTO(cm_evp_md_ctx_done) EVP_MD_CTX *ctx = NULL;
    const EVP_MD *md;

    if (bits != 128 && bits != 256)
        return CM_FAIL(CRYPT_ALGORITHM);
    md = c->shake[bits == 256];
    if (!md)
        return CM_FAIL(CRYPT_PROFILE);
    if (n == 0)
        return CM_OKAY;
    ctx = EVP_MD_CTX_new();
    if (!ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    CM_TRY_SSL(EVP_DigestInit_ex2(ctx, md, NULL));
    for (size_t i = 0; i < count; i++)
        CM_TRY_SSL(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n));
    if (EVP_DigestFinalXOF(ctx, out, n) != 1) {
        cm_wipe(out, n);
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    }
    return CM_OKAY;
}
