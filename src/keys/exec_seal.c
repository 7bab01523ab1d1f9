/* Encryption, wrapping, encapsulation and export (KM-20 to KM-28). */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { FORM_BOX = 1, FORM_HPKE = 2, WRAPPED_MAX = 8192, BINDING_MAX = 2048, DATA_KEY_MAX = 64 };

/* KM-21: [tenant, path, key version, caller's]. A ciphertext is good for the key that made it. */
static cm_err aad_of(cm_buf *out, const cm_key_binding *b, cm_view aad)
{
    CM_TRY(cm_cbor_put_array(out, 4));
    CM_TRY(cm_cbor_put_bytes(out, b->tenant));
    CM_TRY(cm_cbor_put_bytes(out, b->path));
    CM_TRY(cm_cbor_put_uint(out, b->version));
    return cm_cbor_put_bytes(out, aad);
}

static cm_err head(cm_buf *out, uint8_t form, uint64_t version)
{
    CM_TRY(cm_buf_byte(out, form));
    return cm_buf_be64(out, version);
}

cm_err cm_keyop_version_of(uint64_t *version, cm_view v)
{
    if (v.n < CM_CIPHER_HEAD || (v.p[0] != FORM_BOX && v.p[0] != FORM_HPKE))
        return CM_FAIL(CRYPT_TAG);
    *version = cm_get_be64(v.p + 1);
    return CM_OKAY;
}

static cm_err seal(const cm_keyring *r, cm_buf *out, const cm_held *k, const cm_key_binding *b,
                   cm_view purpose, cm_view aad, cm_view data)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = (1 << 20) + BINDING_MAX};

    CM_TRY(aad_of(&all, b, aad));
    if (k->kem) {
        CM_TRY(head(out, FORM_HPKE, b->version));
        return cm_hpke_seal(out, k->kem, cm_hpke_default, purpose, cm_buf_view(&all), data);
    }
    CM_TRY(head(out, FORM_BOX, b->version));
    return cm_box_seal(out, r->o.crypt, k->secret, purpose, cm_buf_view(&all), data);
}

static cm_err unseal(const cm_keyring *r, cm_buf *out, const cm_held *k, const cm_key_binding *b,
                     cm_view purpose, cm_view aad, cm_view data)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = (1 << 20) + BINDING_MAX};
    uint64_t version;

    CM_TRY(cm_keyop_version_of(&version, data));
    if (version != b->version || data.p[0] != (k->kem ? FORM_HPKE : FORM_BOX))
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(aad_of(&all, b, aad));
    data = cm_view_sub(data, CM_CIPHER_HEAD, data.n - CM_CIPHER_HEAD);
    if (k->kem) {
        cm_err e = cm_hpke_open(out, k->kem, cm_hpke_default, purpose, cm_buf_view(&all), data);

        return cm_is(e, CM_HPKE_SHORT) ? CM_FAIL(CRYPT_TAG) : e;
    }
    return cm_box_open(out, r->o.crypt, k->secret, purpose, cm_buf_view(&all), data);
}

static bool is_cipher(const cm_held *k)
{
    return k->secret && (k->info->can & CAN_ENCRYPT);
}

cm_err cm_exec_encrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (!is_cipher(k))
        return CM_FAIL(KEY_USE);
    return seal(r, &op->out, k, &op->bind, CM_LIT("encrypt"), op->context, op->data);
}

cm_err cm_exec_decrypt(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (!is_cipher(k))
        return CM_FAIL(KEY_USE);
    return unseal(r, &op->out, k, &op->bind, CM_LIT("encrypt"), op->context, op->data);
}

cm_err cm_exec_wrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k, const cm_key_binding *b,
                       cm_view aad, cm_view data)
{
    if (!is_cipher(k) && !k->kem)
        return CM_FAIL(KEY_USE);
    if (data.n == 0 || data.n > WRAPPED_MAX)
        return CM_FAIL(KEY_FORM);
    return seal(r, out, k, b, CM_LIT("wrap"), aad, data);
}

cm_err cm_exec_unwrap_as(const cm_keyring *r, cm_buf *out, const cm_held *k,
                         const cm_key_binding *b, cm_view aad, cm_view data)
{
    if (!is_cipher(k) && !k->kem)
        return CM_FAIL(KEY_USE);
    return unseal(r, out, k, b, CM_LIT("wrap"), aad, data);
}

cm_err cm_exec_wrap(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    return cm_exec_wrap_as(r, &op->out, k, &op->bind, op->context, op->data);
}

cm_err cm_exec_unwrap(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    return cm_exec_unwrap_as(r, &op->out, k, &op->bind, op->context, op->data);
}

cm_err cm_exec_data_key(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (op->n < 16 || op->n > DATA_KEY_MAX)
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

cm_err cm_exec_decapsulate(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    const cm_kem_info *i = k->kem ? cm_kem_key_info(k->kem) : NULL;

    (void)r;
    if (!i)
        return CM_FAIL(KEY_USE);
    CM_TRY(cm_buf_reserve(&op->out, i->ss));
    CM_TRY(cm_kem_decap(k->kem, op->out.p, op->data));
    op->out.n = i->ss;
    return CM_OKAY;
}

/* ---- export -------------------------------------------------------------------------------- */

cm_err cm_exec_export_info(cm_buf *out, const cm_key_type_info *t)
{
    static const char label[] = "casemate-export-v1"; /* KM-27 */

    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    return cm_buf_append(out, cm_view_str(t->name));
}

cm_err cm_exec_export(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *to = NULL;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_SECRET_RAW_MAX};
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};
    const cm_key_type_info *t = cm_key_type_of(op->type2);

    if (!t || t->family != CM_FAMILY_KEM || t->type == CM_KEY_ML_KEM_512)
        return CM_FAIL(KEY_USE);
    CM_TRY(cm_kem_from_public(&to, r->o.crypt, (cm_kem_id)t->algorithm, op->more));
    CM_TRY(cm_exec_export_info(&info, k->info));
    CM_TRY(cm_held_raw(&raw, k));
    return cm_hpke_seal(&op->out, to, cm_hpke_default, cm_buf_view(&info), (cm_view){0},
                        cm_buf_view(&raw));
}
