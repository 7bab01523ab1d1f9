#include "keys_tpm/recipient.h"

#include "codec/cbor.h"
#include "crypt/aead.h"

enum { INFO_MAX = 64, WRAPPED = CM_GCM_NONCE + 32 + CM_GCM_TAG };

/* TP-10 */
static const cm_cbor_field fields[] = {
    {1, CM_CBOR_BYTES, true, 1, CM_TPM_SEALED_MAX}, /* what the TPM sealed */
    {2, CM_CBOR_BYTES, true, WRAPPED, WRAPPED},     /* nonce, content key, tag */
};

static cm_err stanza_id(uint8_t id[16], const cm_crypt *c, cm_view blob)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_TPM_SEALED_MAX + 64};
    uint8_t h[32];

    CM_TRY(cm_buf_append(&b, CM_LIT("casemate-tpm-v1")));
    CM_TRY(cm_buf_append(&b, blob));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&b)));
    memcpy(id, h, 16);
    return CM_OKAY;
}

static cm_err opened(cm_tpm_key *k)
{
    return k->tpm ? CM_OKAY : cm_tpm_open(&k->tpm, k->crypt, k->tcti);
}

/* TP-11: from what the TPM sealed, for this envelope alone. */
static cm_err cipher(cm_gcm **g, const cm_crypt *c, const cm_key32 *secret, cm_view info)
{
    CM_AUTO(cm_key32_wipe) cm_key32 prk = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 kek = {{0}};

    CM_TRY(
        cm_hkdf_extract(c, CM_SHA256, prk.b, CM_LIT("casemate-tpm-v1 wrap"), CM_VIEW(secret->b)));
    CM_TRY(cm_hkdf_expand(c, CM_SHA256, kek.b, sizeof kek.b, CM_VIEW(prk.b), info));
    return cm_gcm_new(g, c, &kek);
}

static cm_err wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                   const cm_key32 *key, cm_view context)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_key *k = self;
    uint8_t out[WRAPPED], hash[16];
    cm_cbor_value v[CM_COUNT(fields)] = {{.present = true}, {.present = true, .v = CM_VIEW(out)}};

    st->kind = CM_STANZA_EXTERNAL;
    st->number = CM_RECIPIENT_TPM;
    CM_TRY(opened(k));
    CM_TRY(cm_random(c, secret.b, sizeof secret.b));
    CM_TRY(cm_random(c, out, CM_GCM_NONCE));
    CM_TRY(cm_tpm_seal(k->tpm, &blob, &secret, &k->policy));
    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(cipher(&g, c, &secret, cm_buf_view(&info)));
    CM_TRY(cm_gcm_seal(g, out + CM_GCM_NONCE, out + CM_GCM_NONCE + 32, out, cm_buf_view(&info),
                       CM_VIEW(key->b)));
    CM_TRY(stanza_id(hash, c, cm_buf_view(&blob)));
    v[0].v = cm_buf_view(&blob);
    CM_TRY(cm_cbor_put_record(body, fields, v, CM_COUNT(v)));
    return cm_buf_append(id, CM_VIEW(hash));
}

/* TP-10 */
static cm_err take(cm_view *blob, cm_view *wrapped, const cm_crypt *c, const cm_stanza *st)
{
    cm_cbor_value v[CM_COUNT(fields)] = {0};
    uint8_t id[16];

    if (st->kind != CM_STANZA_EXTERNAL || st->number != CM_RECIPIENT_TPM ||
        cm_failed(cm_cbor_whole(st->body, fields, v, CM_COUNT(v))))
        return CM_FAIL(ENVELOPE_MALFORMED);
    CM_TRY(stanza_id(id, c, v[0].v));
    if (!cm_view_eq(st->id, CM_VIEW(id)))
        return CM_FAIL(ENVELOPE_MALFORMED);
    *blob = v[0].v;
    *wrapped = v[1].v;
    return CM_OKAY;
}

cm_err cm_tpm_stanza_read(cm_tpm_sealed *out, const cm_crypt *c, const cm_stanza *st)
{
    cm_view blob, wrapped;

    CM_TRY(take(&blob, &wrapped, c, st));
    return cm_ok(cm_tpm_sealed_read(out, blob)) ? CM_OKAY : CM_FAIL(ENVELOPE_MALFORMED);
}

/* Of several stanzas, what can be mended is told: registers. */
static void note(cm_tpm_key *k, cm_err e, const cm_tpm_selection *differ)
{
    if (cm_is(k->why, CM_TPM_CHANGED))
        return;
    k->why = e;
    if (differ)
        k->differ = *differ;
}

/* TP-12 */
static cm_err claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    cm_tpm_key *k = self;
    cm_tpm_sealed s;
    cm_tpm_selection differ = {0};
    bool ours = false;
    cm_err e;

    *yes = false;
    if (st->kind != CM_STANZA_EXTERNAL || st->number != CM_RECIPIENT_TPM)
        return CM_OKAY;
    CM_TRY(cm_tpm_stanza_read(&s, c, st));
    e = opened(k);
    if (cm_ok(e))
        e = cm_tpm_sealed_check(k->tpm, &s, &ours, &differ.registers);
    differ.bank = s.pcrs.bank;
    if (cm_failed(e))
        note(k, e, NULL);
    else if (!ours)
        note(k, CM_FAIL(TPM_OTHER), NULL);
    else if (differ.registers)
        note(k, CM_FAIL(TPM_CHANGED), &differ);
    else
        *yes = true;
    return cm_is(e, CM_NO_MEMORY) ? e : CM_OKAY;
}

static cm_err unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                     cm_view context)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    cm_tpm_key *k = self;
    cm_view blob, wrapped;

    CM_TRY(take(&blob, &wrapped, c, st));
    CM_TRY(opened(k));
    CM_TRY(cm_tpm_unseal(k->tpm, &secret, blob, k->policy.auth, NULL));
    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(cipher(&g, c, &secret, cm_buf_view(&info)));
    CM_TRY(cm_gcm_open(g, got.b, wrapped.p + CM_GCM_NONCE + 32, wrapped.p, cm_buf_view(&info),
                       cm_view_sub(wrapped, CM_GCM_NONCE, 32)));
    *key = got;
    return CM_OKAY;
}

void cm_tpm_key_done(cm_tpm_key *k)
{
    cm_tpm_close(k->tpm);
    k->tpm = NULL;
}

cm_recipient cm_recipient_tpm(cm_tpm_key *k)
{
    return (cm_recipient){.strength = CM_STRENGTH_SYMMETRIC, .level = 5, .wrap = wrap, .self = k};
}

cm_opener cm_opener_tpm(cm_tpm_key *k)
{
    return (cm_opener){.claims = claims, .unwrap = unwrap, .self = k};
}
