#include "crypt/hpke_int.h"
#include "crypt/kem_int.h"

enum { TEXT_MAX = 1 << 30 }; /* OpenSSL counts in int */

const cm_hpke_suite cm_hpke_default = {1, 2};

/* ---- one message -------------------------------------------------------------------------- */

static cm_err start(EVP_CIPHER_CTX **out, const cm_hpke_keys *k, cm_view aad, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    *out = ctx;
    if (!ctx)
        return cm_crypt_fail(CM_NO_MEMORY);
    CM_TRY_SSL(EVP_CipherInit_ex2(ctx, k->aead, k->key, k->nonce, encrypt, NULL));
    if (aad.n)
        CM_TRY_SSL(EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n));
    return CM_OKAY;
}

static cm_err update(EVP_CIPHER_CTX *ctx, uint8_t *out, cm_view in)
{
    int n = 0;

    if (in.n)
        CM_TRY_SSL(EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n));
    return CM_OKAY;
}

cm_err cm_hpke_aead_seal(const cm_hpke_keys *k, uint8_t *out, cm_view aad, cm_view in)
{
    CM_AUTO(cm_evp_cipher_ctx_done) EVP_CIPHER_CTX *ctx = NULL;
    int n = 0;

    CM_TRY(start(&ctx, k, aad, 1));
    CM_TRY(update(ctx, out, in));
    CM_TRY_SSL(EVP_CipherFinal_ex(ctx, out + in.n, &n));
    CM_TRY_SSL(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CM_HPKE_TAG, out + in.n));
    return CM_OKAY;
}

static cm_err open_text(const cm_hpke_keys *k, uint8_t *out, cm_view aad, cm_view text,
                        const uint8_t *tag)
{
    CM_AUTO(cm_evp_cipher_ctx_done) EVP_CIPHER_CTX *ctx = NULL;
    uint8_t expect[CM_HPKE_TAG];
    int n = 0;

    memcpy(expect, tag, sizeof expect);
    CM_TRY(start(&ctx, k, aad, 0));
    CM_TRY(update(ctx, out, text));
    CM_TRY_SSL(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CM_HPKE_TAG, expect));
    return EVP_CipherFinal_ex(ctx, expect, &n) == 1 ? CM_OKAY : cm_crypt_fail(CM_CRYPT_TAG);
}

cm_err cm_hpke_aead_open(const cm_hpke_keys *k, uint8_t *out, cm_view aad, cm_view in)
{
    size_t n = in.n - CM_HPKE_TAG;
    cm_err e = open_text(k, out, aad, cm_view_of(in.p, n), in.p + n);

    if (cm_failed(e))
        cm_wipe(out, n);
    return e;
}

/* ---- base mode, single shot --------------------------------------------------------------- */

static cm_err seal(uint8_t *out, const cm_kem_key *to, cm_hpke_keys *keys, cm_hpke_suite s,
                   cm_view info, cm_view aad, cm_view plain)
{
    CM_AUTO(cm_key32_wipe) cm_key32 ss = {{0}};
    const cm_kem_info *i = to->info;

    CM_TRY(cm_kem_encap(to, out, ss.b));
    CM_TRY(cm_hpke_schedule(keys, to->crypt, i->id, s, ss.b, info));
    return cm_hpke_aead_seal(keys, out + i->ct, aad, plain);
}

cm_err cm_hpke_seal(cm_buf *out, const cm_kem_key *to, cm_hpke_suite s, cm_view info, cm_view aad,
                    cm_view plain)
{
    CM_AUTO(cm_hpke_keys_wipe) cm_hpke_keys keys = {0};
    size_t n = to->info->ct + plain.n + CM_HPKE_TAG;
    cm_err e;

    if (plain.n > TEXT_MAX || aad.n > TEXT_MAX || info.n > CM_HPKE_INFO_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_hpke_suite_check(&keys, to->crypt, s));
    CM_TRY(cm_buf_reserve(out, n));
    e = seal(out->p + out->n, to, &keys, s, info, aad, plain);
    if (cm_failed(e))
        cm_wipe(out->p + out->n, n);
    else
        out->n += n;
    return e;
}

static cm_err open_at(uint8_t *out, const cm_kem_key *me, cm_hpke_keys *keys, cm_hpke_suite s,
                      cm_view info, cm_view aad, cm_view sealed)
{
    CM_AUTO(cm_key32_wipe) cm_key32 ss = {{0}};
    const cm_kem_info *i = me->info;
    cm_err e = cm_kem_decap(me, ss.b, cm_view_sub(sealed, 0, i->ct));

    if (cm_is(e, CM_KEM_LOW_ORDER)) /* a sender learns no more than from a wrong tag */
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(e);
    CM_TRY(cm_hpke_schedule(keys, me->crypt, i->id, s, ss.b, info));
    return cm_hpke_aead_open(keys, out, aad, cm_view_sub(sealed, i->ct, sealed.n - i->ct));
}

cm_err cm_hpke_open(cm_buf *out, const cm_kem_key *me, cm_hpke_suite s, cm_view info, cm_view aad,
                    cm_view sealed)
{
    CM_AUTO(cm_hpke_keys_wipe) cm_hpke_keys keys = {0};
    size_t head = me->info->ct + (size_t)CM_HPKE_TAG, n = sealed.n - head;
    uint8_t none; /* stands for the room of an empty plaintext, which a buffer need not have */

    if (!cm_kem_has_private(me))
        return CM_FAIL(CRYPT_NO_PRIVATE);
    if (sealed.n < head)
        return CM_FAIL(HPKE_SHORT);
    if (n > TEXT_MAX || aad.n > TEXT_MAX || info.n > CM_HPKE_INFO_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_hpke_suite_check(&keys, me->crypt, s));
    CM_TRY(cm_buf_reserve(out, n));
    CM_TRY(open_at(n ? out->p + out->n : &none, me, &keys, s, info, aad, sealed));
    out->n += n;
    return CM_OKAY;
}
