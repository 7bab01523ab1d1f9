/* Keys of signed notes: C2SP verifier keys, signatures and cosignatures. */
#include "audit/note_int.h"
#include "codec/text.h"

/* What a type of signature is made of. */
typedef struct {
    cm_vkey_type type;
    const char *more; /* behind the type byte 0xff: which one */
    cm_sig_id algorithm;
} form;

static const form forms[] = {
    {CM_VKEY_ED25519, "", CM_SIG_ED25519},
    {CM_VKEY_COSIGN_ED25519, "", CM_SIG_ED25519},
    {CM_VKEY_COSIGN_MLDSA44, "", CM_SIG_MLDSA44},
    {CM_VKEY_MLDSA65, "casemate/ml-dsa-65/v1", CM_SIG_MLDSA65},
};

/* what our own type signs with. */
#define CONTEXT "casemate/checkpoint/v1"

enum { MESSAGE_MAX = CM_NOTE_MAX + 64 };

static const form *form_of(cm_vkey_type type)
{
    for (size_t i = 0; i < CM_COUNT(forms); i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    return NULL;
}

static bool is_timed(const cm_vkey *k)
{
    return k->type == CM_VKEY_COSIGN_ED25519 || k->type == CM_VKEY_COSIGN_MLDSA44;
}

/* type || public key, as it stands in a vkey and in the hash that makes an ID. */
static cm_err put_material(cm_buf *out, const form *f, const cm_sig_key *key)
{
    CM_TRY(cm_buf_byte(out, (uint8_t)f->type));
    CM_TRY(cm_buf_append(out, cm_view_str(f->more)));
    return cm_buf_append(out, cm_sig_public(key));
}

/* */
static cm_err id_of(uint32_t *id, const cm_crypt *c, cm_view name, cm_view material)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SIG_PK_MAX + 2 * CM_NOTE_NAME};
    uint8_t h[32];

    CM_TRY(cm_buf_append(&b, name));
    CM_TRY(cm_buf_byte(&b, '\n'));
    CM_TRY(cm_buf_append(&b, material));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&b)));
    *id = cm_get_be32(h);
    return CM_OKAY;
}

cm_err cm_vkey_init(cm_vkey *k, const cm_crypt *c, const char *name, cm_vkey_type type,
                    const cm_sig_key *key)
{
    CM_AUTO(cm_buf_free) cm_buf material = {.max = CM_SIG_PK_MAX + CM_NOTE_NAME};
    const form *f = form_of(type);
    cm_vkey x = {.type = type, .key = key};

    if (!f || cm_sig_key_info(key)->id != f->algorithm) {
        return CM_FAIL(AUDIT_KEY);
    }
    if (!cm_note_name_ok(cm_view_str(name))) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(put_material(&material, f, key));
    CM_TRY(id_of(&x.id, c, cm_view_str(name), cm_buf_view(&material)));
    memcpy(x.name, name, strlen(name));
    *k = x;
    return CM_OKAY;
}

void cm_vkey_done(cm_vkey *k)
{
    cm_sig_key_free(k->own);
    *k = (cm_vkey){0};
}

/* The type of key material, with what follows it cut off. */
static const form *form_of_material(cm_view *material)
{
    for (size_t i = 0; i < CM_COUNT(forms); i++) {
        size_t more = strlen(forms[i].more);

        if (material->n > 1 + more && material->p[0] == (uint8_t)forms[i].type &&
            cm_view_eq(cm_view_sub(*material, 1, more), cm_view_str(forms[i].more))) {
            *material = cm_view_sub(*material, 1 + more, material->n - 1 - more);
            return &forms[i];
        }
    }
    return NULL;
}

static cm_err parse_hex_id(uint32_t *id, cm_view hex)
{
    *id = 0;
    if (hex.n != 8) {
        return CM_FAIL(AUDIT_KEY);
    }
    for (size_t i = 0; i < 8; i++) {
        uint8_t d = hex.p[i];

        if (d >= '0' && d <= '9') {
            *id = *id << 4 | (uint32_t)(d - '0');
        } else if (d >= 'a' && d <= 'f') {
            *id = *id << 4 | (uint32_t)(d - 'a' + 10);
        } else {
            return CM_FAIL(AUDIT_KEY);
        }
    }
    return CM_OKAY;
}

/* name+id+base64 into its parts; base64 may hold a plus itself. */
static cm_err split(cm_view *name, uint32_t *id, cm_view *base64, cm_view text)
{
    const uint8_t *plus = text.n ? memchr(text.p, '+', text.n) : NULL;

    if (!plus) {
        return CM_FAIL(AUDIT_KEY);
    }
    *name = cm_view_sub(text, 0, (size_t)(plus - text.p));
    text = cm_view_sub(text, name->n + 1, text.n - name->n - 1);
    if (!cm_note_name_ok(*name) || text.n < 10 || text.p[8] != '+') {
        return CM_FAIL(AUDIT_KEY);
    }
    *base64 = cm_view_sub(text, 9, text.n - 9);
    return parse_hex_id(id, cm_view_sub(text, 0, 8));
}

cm_err cm_vkey_parse(cm_vkey *k, const cm_crypt *c, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SIG_PK_MAX + CM_NOTE_NAME};
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    cm_view name, base64, pk;
    uint32_t said, id;
    const form *f;

    CM_TRY(split(&name, &said, &base64, text));
    if (cm_failed(cm_base64_decode(&b, base64, false))) {
        return CM_FAIL(AUDIT_KEY);
    }
    CM_TRY(id_of(&id, c, name, cm_buf_view(&b)));
    pk = cm_buf_view(&b);
    f = form_of_material(&pk);
    if (!f || id != said || cm_failed(cm_sig_from_public(&key, c, f->algorithm, pk))) {
        return CM_FAIL(AUDIT_KEY);
    }
    *k = (cm_vkey){.id = id, .type = f->type, .key = key, .own = key};
    memcpy(k->name, name.p, name.n);
    key = NULL;
    return CM_OKAY;
}

cm_err cm_vkey_text(cm_buf *out, const cm_vkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SIG_PK_MAX + CM_NOTE_NAME};
    CM_AUTO(cm_buf_free) cm_buf t = {.max = CM_NOTE_MAX};
    const form *f = form_of(k->type);
    uint8_t id[4];

    if (!f) {
        return CM_FAIL(AUDIT_KEY);
    }
    cm_put_be32(id, k->id);
    CM_TRY(put_material(&b, f, k->key));
    CM_TRY(cm_buf_append(&t, cm_view_str(k->name)));
    CM_TRY(cm_buf_byte(&t, '+'));
    CM_TRY(cm_hex_encode(&t, CM_VIEW(id)));
    CM_TRY(cm_buf_byte(&t, '+'));
    CM_TRY(cm_base64_encode(&t, cm_buf_view(&b), false));
    return cm_buf_append(out, cm_buf_view(&t));
}

/* ---- signed messages ---- */

static cm_err short_string(cm_buf *m, cm_view v)
{
    CM_TRY(cm_buf_byte(m, (uint8_t)v.n));
    return cm_buf_append(m, v);
}

/* struct cosigned_message of tlog-cosignature, for a whole checkpoint. */
static cm_err subtree_message(cm_buf *m, const cm_vkey *k, cm_view text, uint64_t time)
{
    cm_checkpoint c;

    CM_TRY(cm_checkpoint_parse(&c, text));
    CM_TRY(cm_buf_append(m, CM_LIT("subtree/v1\n\0")));
    CM_TRY(short_string(m, cm_view_str(k->name)));
    CM_TRY(cm_buf_be64(m, time));
    CM_TRY(short_string(m, c.origin));
    CM_TRY(cm_buf_be64(m, 0));
    CM_TRY(cm_buf_be64(m, c.size));
    return cm_buf_append(m, CM_VIEW(c.root));
}

static cm_err message(cm_buf *m, const cm_vkey *k, cm_view text, uint64_t time)
{
    cm_checkpoint c;

    switch (k->type) {
    case CM_VKEY_COSIGN_MLDSA44:
        return subtree_message(m, k, text, time);
    case CM_VKEY_COSIGN_ED25519:
        CM_TRY(cm_checkpoint_parse(&c, text));
        CM_TRY(cm_buf_append(m, CM_LIT("cosignature/v1\ntime ")));
        CM_TRY(cm_note_put_dec(m, time));
        CM_TRY(cm_buf_byte(m, '\n'));
        return cm_buf_append(m, text);
    case CM_VKEY_ED25519:
    case CM_VKEY_MLDSA65:
        break;
    }
    return cm_buf_append(m, text);
}

/* key ID, time if any, signature */
static cm_err put_signature(cm_buf *b, const cm_vkey *k, cm_view text, uint64_t time)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MESSAGE_MAX};
    size_t n = cm_sig_key_info(k->key)->sig;

    CM_TRY(message(&m, k, text, time));
    CM_TRY(cm_buf_be32(b, k->id));
    if (is_timed(k)) { /* struct timestamped_signature */
        CM_TRY(cm_buf_be64(b, time));
    }
    CM_TRY(cm_buf_reserve(b, n));
    if (k->type == CM_VKEY_MLDSA65) {
        CM_TRY(cm_sign(k->key, b->p + b->n, CM_LIT(CONTEXT), cm_buf_view(&m)));
    } else {
        CM_TRY(cm_sign_raw(k->key, b->p + b->n, cm_buf_view(&m)));
    }
    b->n += n;
    return CM_OKAY;
}

cm_err cm_vkey_sign(cm_buf *lines, const cm_vkey *k, cm_view text, uint64_t time)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SIG_MAX + 16};
    CM_AUTO(cm_buf_free) cm_buf line = {.max = CM_NOTE_MAX};

    if (time > INT64_MAX) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(put_signature(&b, k, text, time));
    CM_TRY(cm_buf_append(&line, CM_LIT("\xe2\x80\x94 ")));
    CM_TRY(cm_buf_append(&line, cm_view_str(k->name)));
    CM_TRY(cm_buf_byte(&line, ' '));
    CM_TRY(cm_base64_encode(&line, cm_buf_view(&b), false));
    CM_TRY(cm_buf_byte(&line, '\n'));
    return cm_buf_append(lines, cm_buf_view(&line));
}

cm_err cm_vkey_verify(const cm_vkey *k, cm_view text, cm_view signature, uint64_t *time)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MESSAGE_MAX};
    uint64_t at = 0;
    cm_err e;

    if (is_timed(k)) {
        if (signature.n < 8) {
            return CM_FAIL(AUDIT_SIGNATURE);
        }
        at = cm_get_be64(signature.p);
        signature = cm_view_sub(signature, 8, signature.n - 8);
        if (at > INT64_MAX) {
            return CM_FAIL(AUDIT_SIGNATURE);
        }
    }
    CM_TRY(message(&m, k, text, at));
    e = k->type == CM_VKEY_MLDSA65 ? cm_verify(k->key, CM_LIT(CONTEXT), cm_buf_view(&m), signature)
                                   : cm_verify_raw(k->key, cm_buf_view(&m), signature);
    if (cm_is(e, CM_CRYPT_SIGNATURE)) {
        return CM_FAIL(AUDIT_SIGNATURE);
    }
    CM_TRY(e);
    if (time) {
        *time = at;
    }
    return CM_OKAY;
}

static bool fits(const cm_vkey *k, const cm_note_line *l)
{
    return k->id == l->id && cm_view_eq(cm_view_str(k->name), l->name);
}

static cm_err check_line(const cm_note *n, const cm_note_line *l, const cm_vkey *k, uint64_t *time)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};

    CM_TRY(cm_base64_decode(&b, l->base64, false));
    return cm_vkey_verify(k, n->text, cm_view_of(b.p + 4, b.n - 4), time);
}

cm_err cm_note_check(const cm_note *n, const cm_vkey *keys, size_t count, uint64_t *by,
                     uint64_t *time)
{
    uint64_t times[64] = {0}, who = 0;
    cm_view lines = n->lines;
    cm_note_line l;

    if (count > CM_COUNT(times)) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    while (cm_note_next(&lines, &l)) {
        for (size_t i = 0; i < count; i++) {
            if (fits(&keys[i], &l)) {
                CM_TRY(check_line(n, &l, &keys[i], &times[i]));
                who |= UINT64_C(1) << i;
            }
        }
    }
    if (time) {
        memcpy(time, times, count * sizeof *time);
    }
    *by = who;
    return CM_OKAY;
}
