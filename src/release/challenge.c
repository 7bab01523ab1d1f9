/* Challenges: made, kept as records, read again. */
#include "codec/cbor.h"
#include "release/decide.h"

enum {
    K_FORM,
    K_NONCE,
    K_MADE,
    K_EXPIRES,
    K_KIND,
    K_HASH,
    K_EK,
    K_NAME,
    K_SECRET,
    FIELDS,
    FORM = 1,
};

/* RL-11 */
static const cm_cbor_field fields[FIELDS] = {
    {K_FORM, CM_CBOR_UINT, true, FORM, FORM},
    {K_NONCE, CM_CBOR_BYTES, true, CM_RCAR_NONCE, CM_RCAR_NONCE},
    {K_MADE, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {K_EXPIRES, CM_CBOR_UINT, true, 0, UINT32_MAX + (uint64_t)CM_CHALLENGE_TTL_MAX},
    {K_KIND, CM_CBOR_TEXT, true, 1, 32},
    {K_HASH, CM_CBOR_UINT, true, CM_SHA256, CM_SHA512},
    {K_EK, CM_CBOR_BYTES, false, 32, 32},
    {K_NAME, CM_CBOR_BYTES, false, 1, CM_TPM_NAME_MAX},
    {K_SECRET, CM_CBOR_BYTES, false, CM_TPM_SECRET, CM_TPM_SECRET},
};

void cm_challenge_done(cm_challenge *c)
{
    cm_wipe(c, sizeof *c);
}

cm_err cm_challenge_make(cm_challenge *out, cm_rcar_challenge *message, const cm_crypt *c,
                         const cm_rcar_request *r, uint64_t now, uint32_t ttl)
{
    CM_AUTO(cm_challenge_done) cm_challenge made = {.made = now, .kind = r->tee, .hash = r->hash};
    CM_AUTO(cm_rcar_challenge_done)
    cm_rcar_challenge m = {.hash = r->hash, .credential = {.max = CM_RCAR_CREDENTIAL_MAX}};

    if (ttl > CM_CHALLENGE_TTL_MAX || now > UINT32_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    made.expires = now + (ttl ? ttl : CM_CHALLENGE_TTL);
    CM_TRY(cm_random(c, made.nonce, sizeof made.nonce));
    if (r->ak.n) {
        CM_TRY(cm_tpm_credential_make(&m.credential, &made.activation, c, cm_buf_view(&r->ek),
                                      cm_buf_view(&r->ak)));
        made.has_activation = true;
    }
    memcpy(m.nonce, made.nonce, sizeof m.nonce);
    *out = made;
    *message = m;
    m = (cm_rcar_challenge){0};
    return CM_OKAY;
}

cm_err cm_challenge_put(cm_buf *out, const cm_challenge *c)
{
    const cm_tpm_activation *a = &c->activation;
    const cm_cbor_value v[FIELDS] = {
        [K_FORM] = {.present = true, .u = FORM},
        [K_NONCE] = {.present = true, .v = CM_VIEW(c->nonce)},
        [K_MADE] = {.present = true, .u = c->made},
        [K_EXPIRES] = {.present = true, .u = c->expires},
        [K_KIND] = {.present = true, .v = cm_view_str(cm_attest_kind_name(c->kind))},
        [K_HASH] = {.present = true, .u = c->hash},
        [K_EK] = {.present = c->has_activation, .v = CM_VIEW(a->ek)},
        [K_NAME] = {.present = c->has_activation, .v = cm_view_of(a->name, a->name_n)},
        [K_SECRET] = {.present = c->has_activation, .v = CM_VIEW(a->secret)},
    };

    return cm_cbor_put_record(out, fields, v, FIELDS);
}

static void read_activation(cm_challenge *c, const cm_cbor_value v[FIELDS])
{
    c->has_activation = true;
    memcpy(c->activation.ek, v[K_EK].v.p, v[K_EK].v.n);
    memcpy(c->activation.name, v[K_NAME].v.p, v[K_NAME].v.n);
    c->activation.name_n = v[K_NAME].v.n;
    memcpy(c->activation.secret, v[K_SECRET].v.p, v[K_SECRET].v.n);
}

cm_err cm_challenge_read(cm_challenge *out, cm_view record)
{
    cm_cbor_value v[FIELDS];
    cm_challenge c = {0};

    if (record.n > CM_CHALLENGE_RECORD_MAX || cm_failed(cm_cbor_whole(record, fields, v, FIELDS)) ||
        v[K_EK].present != v[K_NAME].present || v[K_EK].present != v[K_SECRET].present ||
        v[K_EXPIRES].u <= v[K_MADE].u || v[K_EXPIRES].u - v[K_MADE].u > CM_CHALLENGE_TTL_MAX)
        return CM_FAIL(RELEASE_CHALLENGE);
    c.kind = cm_attest_kind_of(v[K_KIND].v);
    if (c.kind == CM_ATTEST_UNKNOWN)
        return CM_FAIL(RELEASE_CHALLENGE);
    memcpy(c.nonce, v[K_NONCE].v.p, sizeof c.nonce);
    c.made = v[K_MADE].u;
    c.expires = v[K_EXPIRES].u;
    c.hash = (cm_hash)v[K_HASH].u;
    if (v[K_EK].present)
        read_activation(&c, v);
    *out = c;
    cm_wipe(&c, sizeof c);
    return CM_OKAY;
}
