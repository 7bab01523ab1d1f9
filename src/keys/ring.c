/* Which keys an operation opens, and what it is handed to. */
#include "keys/ring_int.h"

enum { HELD = 4096, RANDOM_MAX = 1 << 16 };

cm_err cm_keyring_new(cm_keyring **out, const cm_keyring_options *o)
{
    CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = NULL;

    CM_TRY(cm_alloc(&r, sizeof *r));
    *r = (cm_keyring){.o = *o};
    CM_TRY(cm_held_cache_new(&r->cache, o->held ? o->held : HELD));
    for (; r->n < o->root->n; r->n++) {
        r->root[r->n].number = o->root->kem[r->n].number;
        CM_TRY(cm_kem_from_seed(&r->root[r->n].key, o->crypt, CM_KEM_MLKEM1024,
                                CM_VIEW(o->root->kem[r->n].seed)));
    }
    if (r->n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    *out = r;
    r = NULL;
    return CM_OKAY;
}

void cm_keyring_free(cm_keyring *r)
{
    if (!r)
        return;
    cm_held_cache_free(r->cache);
    for (size_t i = 0; i < CM_ROOT_GENERATIONS; i++)
        cm_kem_key_free(r->root[i].key);
    cm_free(r);
}

void cm_keyring_free_ptr(cm_keyring **r)
{
    cm_keyring_free(*r);
    *r = NULL;
}

/* ---- operations on an open key ------------------------------------------------------------- */

static cm_err op_public(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    (void)r;
    return cm_held_public(&op->out2, k);
}

typedef cm_err exec_fn(const cm_keyring *r, cm_keyop *op, const cm_held *k);

static exec_fn *const with_key[] = {
    [CM_KEYOP_SIGN] = cm_exec_sign,
    [CM_KEYOP_VERIFY] = cm_exec_verify,
    [CM_KEYOP_ENCRYPT] = cm_exec_encrypt,
    [CM_KEYOP_DECRYPT] = cm_exec_decrypt,
    [CM_KEYOP_ENCAPSULATE] = cm_exec_encapsulate,
    [CM_KEYOP_DECAPSULATE] = cm_exec_decapsulate,
    [CM_KEYOP_DATA_KEY] = cm_exec_data_key,
    [CM_KEYOP_WRAP] = cm_exec_wrap,
    [CM_KEYOP_UNWRAP] = cm_exec_unwrap,
    [CM_KEYOP_MAC] = cm_exec_mac,
    [CM_KEYOP_VERIFY_MAC] = cm_exec_verify_mac,
    [CM_KEYOP_EXPORT] = cm_exec_export,
    [CM_KEYOP_PUBLIC] = op_public,
};

/* ---- operations that make or move keys: kek is open ---------------------------------------- */

static cm_err put_new(const cm_keyring *r, cm_keyop *op, const cm_held *kek,
                      const cm_key_binding *b, const cm_held *h)
{
    CM_TRY(cm_ring_seal_key(r, &op->out, kek, b, h));
    return cm_held_public(&op->out2, h);
}

static cm_err op_create(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    const cm_key_type_info *t = cm_key_type_of(op->bind.type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (op->code == CM_KEYOP_CREATE)
        CM_TRY(cm_held_generate(&h, r->o.crypt, t));
    else
        CM_TRY(cm_held_from_raw(&h, r->o.crypt, t, op->data));
    return put_new(r, op, kek, &op->bind, h);
}

/* The import key is the one that bind names; the new key has its path in more, its version in n. */
static cm_err op_import_wrapped(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *import = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_SECRET_RAW_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};
    const cm_key_type_info *t = cm_key_type_of(op->type2);
    cm_key_binding b = op->bind;
    cm_err e;

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    b.path = op->more;
    b.version = op->n;
    b.type = op->type2;
    CM_TRY(cm_ring_key(r, &import, kek, &op->bind, op->key));
    if (!import->kem)
        return CM_FAIL(KEY_USE);
    CM_TRY(cm_exec_export_info(&info, t));
    e = cm_hpke_open(&raw, import->kem, cm_hpke_default, cm_buf_view(&info), (cm_view){0},
                     op->data);
    if (cm_failed(e))
        return cm_is(e, CM_HPKE_SHORT) ? CM_FAIL(CRYPT_TAG) : e;
    CM_TRY(cm_held_from_raw(&h, r->o.crypt, t, cm_buf_view(&raw)));
    return put_new(r, op, kek, &b, h);
}

/* KM-25: n is the newer version of the same key, sealed in more. */
static cm_err op_rewrap(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *from = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *to = NULL;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_KEYOP_DATA_MAX};
    cm_key_binding newer = op->bind;

    newer.version = op->n;
    CM_TRY(cm_ring_key(r, &from, kek, &op->bind, op->key));
    CM_TRY(cm_ring_key(r, &to, kek, &newer, op->more));
    CM_TRY(cm_exec_unwrap_as(r, &plain, from, &op->bind, op->context, op->data));
    return cm_exec_wrap_as(r, &op->out, to, &newer, op->context, cm_buf_view(&plain));
}

/* KM-14: more is the newer KEK of the tenant, n its version. */
static cm_err op_reseal(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *newer = NULL;
    cm_key_binding b = op->bind;

    b.kek_version = op->n;
    CM_TRY(cm_ring_key(r, &h, kek, &op->bind, op->key));
    CM_TRY(cm_ring_kek(r, &newer, &b, op->more));
    return cm_ring_seal_key(r, &op->out, newer, &b, h);
}

static cm_err op_row_key(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_TRY(cm_buf_reserve(&op->out, 32));
    CM_TRY(cm_hkdf_expand(r->o.crypt, CM_SHA512, op->out.p, 32, CM_VIEW(kek->secret->b),
                          CM_LIT("casemate-row-key-v1"))); /* KM-15 */
    op->out.n = 32;
    return CM_OKAY;
}

static cm_err with_kek(cm_keyring *r, cm_keyop *op, const cm_held *kek)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *k = NULL;

    switch (op->code) {
    case CM_KEYOP_CREATE:
    case CM_KEYOP_IMPORT:
        return op_create(r, op, kek);
    case CM_KEYOP_IMPORT_WRAPPED:
        return op_import_wrapped(r, op, kek);
    case CM_KEYOP_REWRAP:
        return op_rewrap(r, op, kek);
    case CM_KEYOP_RESEAL:
        return op_reseal(r, op, kek);
    case CM_KEYOP_ROW_KEY:
        return op_row_key(r, op, kek);
    default:
        break;
    }
    if ((size_t)op->code >= CM_COUNT(with_key) || !with_key[op->code])
        return CM_FAIL(KEY_UNSUPPORTED);
    CM_TRY(cm_ring_key(r, &k, kek, &op->bind, op->key));
    return with_key[op->code](r, op, k);
}

/* ---- all of them --------------------------------------------------------------------------- */

static cm_err op_random(const cm_keyring *r, cm_keyop *op)
{
    if (op->n == 0 || op->n > RANDOM_MAX)
        return CM_FAIL(KEY_FORM);
    CM_TRY(cm_buf_reserve(&op->out, (size_t)op->n));
    CM_TRY(cm_random(r->o.crypt, op->out.p, (size_t)op->n));
    op->out.n = (size_t)op->n;
    return CM_OKAY;
}

static cm_err run(cm_keyring *r, cm_keyop *op)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *kek = NULL;

    if (op->data.n > CM_KEYOP_OUT_MAX || op->context.n > CM_KEYOP_DATA_MAX)
        return CM_FAIL(TOO_BIG);
    switch (op->code) {
    case CM_KEYOP_RANDOM:
        return op_random(r, op);
    case CM_KEYOP_NEW_TENANT:
        return cm_ring_new_kek(r, &op->out, &op->bind);
    case CM_KEYOP_SIGN_LOG:
        return r->o.sign_log ? r->o.sign_log(r->o.arg, &op->out, op->data)
                             : CM_FAIL(KEY_UNSUPPORTED);
    default:
        CM_TRY(cm_ring_kek(r, &kek, &op->bind, op->kek));
        return with_kek(r, op, kek);
    }
}

void cm_keyring_exec(cm_keyring *r, cm_keyop *op)
{
    op->out = (cm_buf){.max = CM_KEYOP_OUT_MAX};
    op->out2 = (cm_buf){.max = CM_KEYOP_OUT_MAX};
    op->result = run(r, op);
    if (cm_failed(op->result))
        cm_keyop_done_with(op);
}

static void submit(void *self, cm_keyop *op)
{
    cm_keyring_exec(self, op);
    op->done(op);
}

cm_keeper cm_keyring_keeper(cm_keyring *r)
{
    return (cm_keeper){submit, r};
}
