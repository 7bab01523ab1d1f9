/* Operations that make keys, move them to another KEK, and derive from KEKs. */
#include "keys/ring_int.h"

static cm_err put_new(const cm_keyring *r, cm_keyop *op, const cm_held *kek,
                      const cm_key_binding *b, const cm_held *h)
{
    CM_TRY(cm_ring_seal_key(r, &op->out, kek, b, h));
    return cm_held_public(&op->out2, h);
}

cm_err cm_make_create(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    const cm_key_type_info *t = cm_key_type_of(op->bind.type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (op->context.n) {
        CM_TRY(cm_native_make(r, op, &h));
        return put_new(r, op, kek, &op->bind, h);
    }
    CM_TRY(cm_held_generate(&h, r->o.crypt, t));
    return put_new(r, op, kek, &op->bind, h);
}

cm_err cm_make_import(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    const cm_key_type_info *t = cm_key_type_of(op->bind.type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    CM_TRY(cm_held_import(&h, r->o.crypt, t, op->data));
    return put_new(r, op, kek, &op->bind, h);
}

/* KM-28: bind is the import key's; the new key's path comes in more, its version in n. */
cm_err cm_make_import_wrapped(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *import = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX};
    const cm_key_type_info *t = cm_key_type_of(op->type2);
    cm_key_binding b = op->bind;

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (op->more.n > CM_KEYOP_PATH_MAX)
        return CM_FAIL(KEYOP_SIZE);
    b.path = op->more;
    b.version = op->n ? op->n : 1;
    b.type = op->type2;
    CM_TRY(cm_ring_key(r, &import, kek, &op->bind, op->key));
    if (!import->kem)
        return CM_FAIL(KEY_USE);
    if (import->native)
        return CM_FAIL(KEY_IN_DEVICE);
    CM_TRY(cm_export_open(&raw, import->kem, op->type2, op->data));
    CM_TRY(cm_held_import(&h, r->o.crypt, t, cm_buf_view(&raw)));
    return put_new(r, op, kek, &b, h);
}

/* KM-25: n is the newer version of the same key, sealed in more under the same KEK. */
cm_err cm_make_rewrap(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *from = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *to = NULL;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_KEYOP_DATA_MAX};
    cm_key_binding newer = op->bind;

    newer.version = op->n;
    CM_TRY(cm_ring_key(r, &from, kek, &op->bind, op->key));
    CM_TRY(cm_ring_key(r, &to, kek, &newer, op->more));
    CM_TRY(cm_exec_unwrap_to(r, op, &plain, from));
    return cm_exec_wrap_as(r, &op->out, to, &newer, op->context, cm_buf_view(&plain));
}

/* KM-14: more is the newer KEK of the tenant, n its version. */
cm_err cm_make_reseal(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *newer = NULL;
    cm_key_binding b = op->bind;

    b.kek_version = op->n;
    CM_TRY(cm_ring_key(r, &h, kek, &op->bind, op->key));
    CM_TRY(cm_ring_kek(r, &newer, op, op->n, op->more));
    return cm_ring_seal_key(r, &op->out, newer, &b, h);
}

/* KM-15 */
cm_err cm_make_row_key(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    enum { N = 32 };

    CM_TRY(cm_buf_reserve(&op->out, N));
    CM_TRY(cm_hkdf_expand(r->o.crypt, CM_SHA512, op->out.p, N, CM_VIEW(kek->secret->b),
                          CM_LIT("casemate-row-key-v1")));
    op->out.n = N;
    return CM_OKAY;
}

/* The KEK itself, to the root's generation in force: what a device made of it stays as it is, and
 * the device is not asked. Or to another device, or none. */
cm_err cm_make_reseal_kek(cm_keyring *r, cm_keyop *op)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *kek = NULL;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_KEK_INNER_MAX};
    cm_kek_form form;

    if (op->n > 1)
        return CM_FAIL(KEY_FORM);
    if (op->n == 1) {
        CM_TRY(cm_ring_kek(r, &kek, op, op->bind.kek_version, op->kek));
        return cm_ring_seal_kek(r, op, &op->bind, CM_VIEW(kek->secret->b));
    }
    CM_TRY(cm_ring_open_root(r, &plain, &form, &op->bind, op->kek));
    return cm_ring_seal_root(r, &op->out, &op->bind, form, cm_buf_view(&plain));
}

cm_err cm_make_tenant(cm_keyring *r, cm_keyop *op)
{
    CM_AUTO(cm_key32_wipe) cm_key32 kek;

    CM_TRY(cm_random(r->o.crypt, kek.b, sizeof kek.b));
    return cm_ring_seal_kek(r, op, &op->bind, CM_VIEW(kek.b));
}
