/* The recipients that need nothing but this process: KEM keys and passphrases. */
#include "crypt/aead.h"
#include "envelope/envelope.h"

enum { SALT = 16, INFO_MAX = 64, WRAPPED = CM_GCM_NONCE + 32 + CM_GCM_TAG };

static const cm_argon2 default_cost = {256u << 10, 3, 4};

/* ---- KEM keys: E-4 ------------------------------------------------------------------------- */

cm_err cm_envelope_kem_id(const cm_crypt *c, uint8_t id[16], const cm_kem_key *key)
{
    CM_AUTO(cm_buf_free) cm_buf msg = {.max = 2 + CM_KEM_PK_MAX};
    uint8_t h[32];

    CM_TRY(cm_buf_be16(&msg, (uint16_t)cm_kem_key_info(key)->id));
    CM_TRY(cm_buf_append(&msg, cm_kem_public(key)));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&msg)));
    memcpy(id, h, 16);
    return CM_OKAY;
}

static cm_err kem_wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                       const cm_key32 *key, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    const cm_kem_key *to = self;
    uint8_t hash[16];

    st->kind = CM_STANZA_KEM;
    st->number = cm_kem_key_info(to)->id;
    CM_TRY(cm_envelope_kem_id(c, hash, to));
    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_KEM, context));
    CM_TRY(cm_buf_append(id, CM_VIEW(hash)));
    return cm_hpke_seal(body, to, cm_hpke_default, cm_buf_view(&info), (cm_view){0},
                        CM_VIEW(key->b));
}

static cm_err kem_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    const cm_kem_key *me = self;
    uint8_t id[16];

    *yes = false;
    if (st->kind != CM_STANZA_KEM || st->number != (uint32_t)cm_kem_key_info(me)->id)
        return CM_OKAY;
    CM_TRY(cm_envelope_kem_id(c, id, me));
    *yes = cm_view_eq(st->id, CM_VIEW(id));
    return CM_OKAY;
}

static cm_err kem_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                         cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 64};

    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_KEM, context));
    CM_TRY(cm_hpke_open(&plain, self, cm_hpke_default, cm_buf_view(&info), (cm_view){0}, st->body));
    if (plain.n != sizeof key->b)
        return CM_FAIL(ENVELOPE_MALFORMED);
    memcpy(key->b, plain.p, sizeof key->b);
    return CM_OKAY;
}

/* The vtable's self is not const because a device's would not be; a key is only read. */
static void *borrow(const void *p)
{
    void *q;

    memcpy(&q, &p, sizeof q);
    return q;
}

cm_recipient cm_recipient_kem(const cm_kem_key *key)
{
    const cm_kem_info *i = cm_kem_key_info(key);

    return (cm_recipient){
        .strength = i->post_quantum ? CM_STRENGTH_PQ : CM_STRENGTH_CLASSICAL,
        .level = i->nist_level,
        .wrap = kem_wrap,
        .self = borrow(key),
    };
}

cm_opener cm_opener_kem(const cm_kem_key *key)
{
    return (cm_opener){.claims = kem_claims, .unwrap = kem_unwrap, .self = borrow(key)};
}

/* ---- passphrases: E-5 ---------------------------------------------------------------------- */

static cm_err phrase_cipher(cm_gcm **g, cm_buf *info, const cm_crypt *c, cm_view text, cm_view salt,
                            const cm_argon2 *cost, cm_view context)
{
    CM_AUTO(cm_key32_wipe) cm_key32 kek = {{0}};

    CM_TRY(cm_argon2id(c, kek.b, sizeof kek.b, text, salt, cost));
    CM_TRY(cm_envelope_info(c, info, CM_STANZA_PASSPHRASE, context));
    return cm_gcm_new(g, c, &kek);
}

static cm_err phrase_wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                          const cm_key32 *key, cm_view context)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    const cm_envelope_passphrase *p = self;
    uint8_t salt[SALT], out[WRAPPED];

    if (p->text.n == 0)
        return CM_FAIL(ENVELOPE_EMPTY_PASSPHRASE);
    st->kind = CM_STANZA_PASSPHRASE;
    st->cost = p->cost.memory_kib ? p->cost : default_cost;
    CM_TRY(cm_random(c, salt, sizeof salt));
    CM_TRY(cm_random(c, out, CM_GCM_NONCE));
    CM_TRY(phrase_cipher(&g, &info, c, p->text, CM_VIEW(salt), &st->cost, context));
    CM_TRY(cm_gcm_seal(g, out + CM_GCM_NONCE, out + CM_GCM_NONCE + 32, out, cm_buf_view(&info),
                       CM_VIEW(key->b)));
    CM_TRY(cm_buf_append(id, CM_VIEW(salt)));
    return cm_buf_append(body, CM_VIEW(out));
}

static cm_err phrase_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    (void)self;
    (void)c;
    *yes = st->kind == CM_STANZA_PASSPHRASE;
    return CM_OKAY;
}

static cm_err phrase_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                            cm_view context)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    const cm_envelope_passphrase *p = self;
    const uint8_t *b = st->body.p;
    cm_err e;

    CM_TRY(phrase_cipher(&g, &info, c, p->text, st->id, &st->cost, context));
    e = cm_gcm_open(g, got.b, b + CM_GCM_NONCE + 32, b, cm_buf_view(&info),
                    cm_view_of(b + CM_GCM_NONCE, 32));
    if (cm_is(e, CM_CRYPT_TAG))
        return CM_FAIL(ENVELOPE_WRONG_PASSPHRASE);
    CM_TRY(e);
    *key = got;
    return CM_OKAY;
}

cm_recipient cm_recipient_passphrase(cm_envelope_passphrase *p)
{
    return (cm_recipient){
        .strength = CM_STRENGTH_SYMMETRIC, .level = 5, .wrap = phrase_wrap, .self = p};
}

cm_opener cm_opener_passphrase(cm_envelope_passphrase *p)
{
    return (cm_opener){.claims = phrase_claims, .unwrap = phrase_unwrap, .self = p};
}
