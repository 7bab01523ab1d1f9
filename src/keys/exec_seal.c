/* Encryption, wrapping, encapsulation and export. */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"
#include "pki/keyfile.h"

enum {
    FORM_BOX = 1,
    FORM_KEM = 2,
    HEAD = 9,
    WRAPPED_MAX = 8192,
    DATA_KEY_MIN = 16,
    DATA_KEY_MAX = 64,
    EXPORT_FORM = 1,
    EXPORT_HEAD = 3,
};

#define ENCRYPT CM_LIT("encrypt") /* KM-22 */
#define WRAP    CM_LIT("wrap")

/* KM-21: [tenant, path, key version, caller's]. A ciphertext is good for the key that made it. */
static cm_err put_aad(cm_buf *out, const cm_key_binding *b, cm_view aad)
{
    CM_TRY(cm_cbor_put_array(out, 4));
    CM_TRY(cm_cbor_put_bytes(out, b->tenant));
    CM_TRY(cm_cbor_put_bytes(out, b->path));
    CM_TRY(cm_cbor_put_uint(out, b->version));
    return cm_cbor_put_bytes(out, aad);
}

/* KM-20 */
static cm_err put_head(cm_buf *out, uint8_t form, uint64_t version)
{
    CM_TRY(cm_buf_byte(out, form));
    return cm_buf_be64(out, version);
}

cm_err cm_keyop_version_of(uint64_t *version, cm_view v)
{
    if (v.n < HEAD || (v.p[0] != FORM_BOX && v.p[0] != FORM_KEM))
        return CM_FAIL(CRYPT_TAG);
    *version = cm_get_be64(v.p + 1);
    return CM_OKAY;
}

/* KM-23: the box's key is the encapsulated secret. */
static cm_err seal_to_kem(const cm_keyring *r, cm_buf *out, const cm_kem_key *k, cm_view purpose,
                          cm_view aad, cm_view data)
{
    CM_AUTO(cm_key32_wipe) cm_key32 ss;
    size_t ct = cm_kem_key_info(k)->ct;

    CM_TRY(cm_buf_reserve(out, ct));
    CM_TRY(cm_kem_encap(k, out->p + out->n, ss.b));
    out->n += ct;
    return cm_box_seal(out, r->o.crypt, &ss, purpose, aad, data);
}

static cm_err decap(const cm_keyring *r, cm_keyop *op, const cm_held *k, uint8_t ss[32], cm_view ct)
{
    return k->native ? cm_native_decap(r, op, k, ss, ct) : cm_kem_decap(k->kem, ss, ct);
}

static cm_err open_from_kem(const cm_keyring *r, cm_keyop *op, cm_buf *out, const cm_held *k,
                            cm_view purpose, cm_view aad, cm_view v)
{
    CM_AUTO(cm_key32_wipe) cm_key32 ss;
    size_t ct = cm_kem_key_info(k->kem)->ct;
    cm_err e;

    if (v.n < ct)
        return CM_FAIL(CRYPT_TAG);
    e = decap(r, op, k, ss.b, cm_view_sub(v, 0, ct));
    if (cm_is(e, CM_KEM_LOW_ORDER))
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(e);
    return cm_box_open(out, r->o.crypt, &ss, purpose, aad, cm_view_sub(v, ct, v.n - ct));
}

static cm_err seal(const cm_keyring *r, cm_buf *out, const cm_held *k, const cm_key_binding *b,
                   cm_view purpose, cm_view aad, cm_view data)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = CM_KEYOP_CONTEXT_MAX + CM_BOUND_MAX};

    CM_TRY(put_aad(&all, b, aad));
    CM_TRY(put_head(out, k->kem ? FORM_KEM : FORM_BOX, b->version));
    if (k->kem)
        return seal_to_kem(r, out, k->kem, purpose, cm_buf_view(&all), data);
    return cm_box_seal(out, r->o.crypt, k->secret, purpose, cm_buf_view(&all), data);
}

static cm_err unseal(const cm_keyring *r, cm_keyop *op, cm_buf *out, const cm_held *k,
                     cm_view purpose)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = CM_KEYOP_CONTEXT_MAX + CM_BOUND_MAX};
    cm_view data = op->data;
    uint64_t version;

    CM_TRY(cm_keyop_version_of(&version, data));
    if (version != op->bind.version || data.p[0] != (k->kem ? FORM_KEM : FORM_BOX))
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(put_aad(&all, &op->bind, op->context));
    data = cm_view_sub(data, HEAD, data.n - HEAD);
    if (k->kem)
        return open_from_kem(r, op, out, k, purpose, cm_buf_view(&all), data);
    return cm_box_open(out, r->o.crypt, k->secret, purpose, cm_buf_view(&all), data);
}

static bool is_cipher(const cm_held *k)
{
    return (k->info->can & CAN_ENCRYPT) != 0;
}

cm_err cm_exec_encrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (!is_cipher(k))
        return CM_FAIL(KEY_USE);
    return seal(r, &op->out, k, &op->bind, ENCRYPT, op->context, op->data);
}

cm_err cm_exec_decrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (!is_cipher(k))
        return CM_FAIL(KEY_USE);
    return unseal(r, op, &op->out, k, ENCRYPT);
}

cm_err cm_exec_wrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k, const cm_key_binding *b,
                       cm_view aad, cm_view data)
{
    if (!is_cipher(k) && !k->kem)
        return CM_FAIL(KEY_USE);
    if (data.n == 0 || data.n > WRAPPED_MAX)
        return CM_FAIL(KEY_FORM);
    return seal(r, out, k, b, WRAP, aad, data);
}

cm_err cm_exec_unwrap_to(const cm_keyring *r, cm_keyop *op, cm_buf *out, const cm_held *k)
{
    if (!is_cipher(k) && !k->kem)
        return CM_FAIL(KEY_USE);
    return unseal(r, op, out, k, WRAP);
}

cm_err cm_exec_wrap(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    return cm_exec_wrap_as(r, &op->out, k, &op->bind, op->context, op->data);
}

cm_err cm_exec_unwrap(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    return cm_exec_unwrap_to(r, op, &op->out, k);
}

/* KM-24 */
cm_err cm_exec_data_key(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (op->n < DATA_KEY_MIN || op->n > DATA_KEY_MAX ||
        (op->form != CM_FORM_MESSAGE && op->form != CM_FORM_SEALED_ONLY))
        return CM_FAIL(KEY_FORM);
    CM_TRY(cm_buf_reserve(&op->out2, (size_t)op->n));
    CM_TRY(cm_random(r->o.crypt, op->out2.p, (size_t)op->n));
    op->out2.n = (size_t)op->n;
    CM_TRY(cm_exec_wrap_as(r, &op->out, k, &op->bind, op->context, cm_buf_view(&op->out2)));
    if (op->form == CM_FORM_SEALED_ONLY)
        cm_buf_free(&op->out2);
    return CM_OKAY;
}

/* ---- encapsulation ------------------------------------------------------------------------- */

cm_err cm_exec_encapsulate(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    const cm_kem_info *i = k->kem ? cm_kem_key_info(k->kem) : NULL;

    (void)r;
    if (!i)
        return CM_FAIL(KEY_USE);
    CM_TRY(cm_buf_reserve(&op->out, i->ct));
    CM_TRY(cm_buf_reserve(&op->out2, i->ss));
    CM_TRY(cm_kem_encap(k->kem, op->out.p, op->out2.p));
    op->out.n = i->ct;
    op->out2.n = i->ss;
    return CM_OKAY;
}

/* Another ciphertext of the right length yields another secret, not an error (FIPS 203). */
cm_err cm_exec_decapsulate(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    const cm_kem_info *i = k->kem ? cm_kem_key_info(k->kem) : NULL;

    (void)r;
    if (!i)
        return CM_FAIL(KEY_USE);
    CM_TRY(cm_buf_reserve(&op->out, i->ss));
    CM_TRY(decap(r, op, k, op->out.p, op->data));
    op->out.n = i->ss;
    return CM_OKAY;
}

cm_err cm_exec_public(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    (void)r;
    if (!k->kem && !k->sig && !k->rsa)
        return CM_FAIL(KEY_USE);
    return cm_held_public(&op->out2, k);
}

/* ---- export -------------------------------------------------------------------------------- */

/* KM-27 */
static cm_err export_info(cm_buf *out, cm_key_type type)
{
    static const char label[] = "casemate-export-v1";
    const cm_key_type_info *t = cm_key_type_of(type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    return cm_buf_append(out, cm_view_str(t->name));
}

cm_err cm_export_seal(cm_buf *out, const cm_kem_key *to, cm_key_type type, cm_view raw)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};
    uint8_t head[EXPORT_HEAD] = {EXPORT_FORM};

    if (!cm_kem_key_info(to)->post_quantum || cm_kem_key_info(to)->nist_level < 3)
        return CM_FAIL(KEY_USE);
    cm_put_be16(head + 1, (uint16_t)cm_kem_key_info(to)->id);
    CM_TRY(export_info(&info, type));
    CM_TRY(cm_buf_append(out, CM_VIEW(head)));
    return cm_hpke_seal(out, to, cm_hpke_default, cm_buf_view(&info), CM_VIEW(head), raw);
}

cm_err cm_export_open(cm_buf *raw, const cm_kem_key *me, cm_key_type type, cm_view wrapped)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};
    cm_err e;

    if (wrapped.n < EXPORT_HEAD || wrapped.p[0] != EXPORT_FORM ||
        cm_get_be16(wrapped.p + 1) != (uint16_t)cm_kem_key_info(me)->id)
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(export_info(&info, type));
    e = cm_hpke_open(raw, me, cm_hpke_default, cm_buf_view(&info),
                     cm_view_sub(wrapped, 0, EXPORT_HEAD),
                     cm_view_sub(wrapped, EXPORT_HEAD, wrapped.n - EXPORT_HEAD));
    if (cm_is(e, CM_HPKE_SHORT) || cm_is(e, CM_TOO_BIG) || cm_is(e, CM_KEM_LOW_ORDER))
        return CM_FAIL(CRYPT_TAG);
    return e;
}

/* The recipient's public key as its bytes alone, whose lengths differ, or as
 * SubjectPublicKeyInfo. */
cm_err cm_export_to(cm_buf *out, const cm_crypt *c, cm_key_type type, cm_view raw,
                    cm_view recipient)
{
    static const cm_kem_id ids[] = {CM_KEM_MLKEM768, CM_KEM_XWING, CM_KEM_MLKEM1024};
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *to = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *spki = NULL;

    for (size_t i = 0; i < CM_COUNT(ids); i++)
        if (recipient.n == cm_kem_info_of(ids[i])->pk)
            CM_TRY(cm_kem_from_public(&to, c, ids[i], recipient));
    if (!to)
        CM_TRY(cm_pkey_from_spki(&spki, c, recipient));
    if (!to && !cm_pkey_kem(spki))
        return CM_FAIL(KEY_USE);
    return cm_export_seal(out, to ? to : cm_pkey_kem(spki), type, raw);
}

cm_err cm_exec_export(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX};

    CM_TRY(cm_held_raw(&raw, k));
    return cm_export_to(&op->out, r->o.crypt, k->info->type, cm_buf_view(&raw), op->more);
}
