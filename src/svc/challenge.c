/*
 * Challenges: 32 random bytes that evidence is bound to, and beside them what any node needs to
 * know them again without having kept anything: when they were made, whose TPM a credential was
 * made for, a MAC by a key that lies in the tenant's rows. Making one writes nothing, so that
 * whoever asks for many fills nothing up; using one writes a row (V-83).
 */
#include "svc/svc_int.h"

#include "base/ct.h"

enum {
    FORM = 1,
    AT_NONCE = 1,
    AT_TIME = AT_NONCE + CM_CHALLENGE_NONCE,
    AT_EK = AT_TIME + 8,
    AT_NAME = AT_EK + 32,
    MAC = 32,
    KEY = 32,
    SKEW_MS = 60000, /* nodes' clocks differ by less */
};

#define LABEL        "casemate-challenge-v1"
#define LABEL_SECRET "casemate-challenge-secret-v1"

static cm_err read_key(cm_call *c, cm_view tenant, cm_view *path, cm_view *key)
{
    const cm_svc_row *row;

    CM_TRY(CM_PATH(c, path, tenant, CM_LIT("challenge-key")));
    CM_TRY(cm_svc_read(c, &row, *path, &cm_message_ChallengeKeyRecord));
    *key = cm_msg_view(row->msg, M_ChallengeKeyRecord_key);
    return key->n == KEY ? CM_OKAY : CM_FAIL(SVC_RECORD);
}

/* The first challenge of a tenant makes its key, with the leaf of that call. */
static cm_err key_of(cm_call *c, cm_view tenant, cm_view *key)
{
    cm_view path;
    uint8_t *fresh;
    cm_msg *m;
    cm_err e = read_key(c, tenant, &path, key);

    if (!cm_is(e, CM_STORE_NO_ROW))
        return e;
    CM_TRY(cm_arena_get(c->arena, &fresh, KEY));
    CM_TRY(cm_random(c->svc->o.crypt, fresh, KEY));
    CM_TRY(cm_svc_new_msg(c, &m, &cm_message_ChallengeKeyRecord));
    *key = cm_view_of(fresh, KEY);
    cm_set_view(m, M_ChallengeKeyRecord_key, *key);
    cm_set_number(m, M_ChallengeKeyRecord_format, 1);
    return cm_svc_write(c, path, 1, m);
}

static cm_err mac_of(const cm_call *c, uint8_t out[MAC], cm_view key, cm_view label, cm_view body)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_CHALLENGE_MAX};

    CM_TRY(cm_buf_append(&b, label));
    CM_TRY(cm_buf_byte(&b, 0));
    CM_TRY(cm_buf_append(&b, body));
    return cm_hmac(c->svc->o.crypt, CM_SHA256, out, key, cm_buf_view(&b));
}

/* The secret of a credential follows from the challenge that it was made with. */
static cm_err secret_of(const cm_call *c, cm_tpm_activation *whose, cm_view key, cm_view body)
{
    return mac_of(c, whose->secret, key, CM_LIT(LABEL_SECRET), body);
}

static cm_err put_body(cm_buf *b, const uint8_t nonce[CM_CHALLENGE_NONCE], uint64_t now,
                       const cm_tpm_activation *whose)
{
    uint8_t time[8];

    cm_put_be64(time, now);
    CM_TRY(cm_buf_byte(b, FORM));
    CM_TRY(cm_buf_append(b, cm_view_of(nonce, CM_CHALLENGE_NONCE)));
    CM_TRY(cm_buf_append(b, CM_VIEW(time)));
    CM_TRY(cm_buf_append(b, CM_VIEW(whose->ek)));
    return cm_buf_append(b, cm_view_of(whose->name, whose->name_n));
}

cm_err cm_svc_challenge_make(cm_call *c, cm_view tenant, uint8_t nonce[CM_CHALLENGE_NONCE],
                             cm_buf *challenge, cm_tpm_activation *whose)
{
    static const cm_tpm_activation nobody = {.name_n = 0};
    uint8_t mac[MAC];
    cm_view key;

    CM_TRY(key_of(c, tenant, &key));
    CM_TRY(cm_random(c->svc->o.crypt, nonce, CM_CHALLENGE_NONCE));
    CM_TRY(put_body(challenge, nonce, c->state->now, whose ? whose : &nobody));
    if (whose)
        CM_TRY(secret_of(c, whose, key, cm_buf_view(challenge)));
    CM_TRY(mac_of(c, mac, key, CM_LIT(LABEL), cm_buf_view(challenge)));
    return cm_buf_append(challenge, CM_VIEW(mac));
}

/* V-82 */
cm_err cm_svc_challenge_take(cm_call *c, cm_view tenant, cm_view challenge,
                             uint8_t nonce[CM_CHALLENGE_NONCE], cm_tpm_activation *whose,
                             uint64_t *until_ms)
{
    uint64_t now = c->state->now, made;
    cm_view path, key, body;
    uint8_t mac[MAC];
    cm_err e;

    if (challenge.n < AT_NAME + MAC || challenge.n > AT_NAME + CM_TPM_NAME_MAX + MAC ||
        challenge.p[0] != FORM)
        return CM_FAIL(SVC_CHALLENGE);
    e = read_key(c, tenant, &path, &key);
    if (cm_is(e, CM_STORE_NO_ROW))
        return CM_FAIL(SVC_CHALLENGE);
    CM_TRY(e);
    body = cm_view_sub(challenge, 0, challenge.n - MAC);
    CM_TRY(mac_of(c, mac, key, CM_LIT(LABEL), body));
    made = cm_get_be64(challenge.p + AT_TIME);
    if (!cm_ct_equal(CM_VIEW(mac), cm_view_sub(challenge, body.n, MAC)) || made > now + SKEW_MS ||
        now - CM_MIN(now, made) >= CM_CHALLENGE_MS)
        return CM_FAIL(SVC_CHALLENGE);
    *whose = (cm_tpm_activation){.name_n = body.n - AT_NAME};
    memcpy(whose->ek, body.p + AT_EK, sizeof whose->ek);
    memcpy(whose->name, body.p + AT_NAME, whose->name_n);
    memcpy(nonce, body.p + AT_NONCE, CM_CHALLENGE_NONCE);
    *until_ms = made + CM_CHALLENGE_MS;
    return secret_of(c, whose, key, body);
}
