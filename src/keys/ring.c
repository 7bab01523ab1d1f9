/* Which keys an operation opens, and what it is handed to. */
#include "keys/ring.h"

#include "keys/ring_int.h"

enum { KEKS = 512, KEYS = 1024 };

cm_err cm_keyring_new(cm_keyring **out, const cm_keyring_options *o)
{
    CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = NULL;

    if (o->root->n == 0 || o->root->n > CM_ROOT_GENERATIONS)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&r, sizeof *r));
    r->o = *o;
    r->o.root = NULL;
    memcpy(r->id, o->root->id, sizeof r->id);
    CM_TRY(cm_held_cache_new(&r->keks, o->keks ? o->keks : KEKS));
    CM_TRY(cm_held_cache_new(&r->keys, o->keys ? o->keys : KEYS));
    for (; r->n < o->root->n; r->n++) {
        r->root[r->n].number = o->root->kem[r->n].number;
        CM_TRY(cm_kem_from_seed(&r->root[r->n].key, o->crypt, CM_KEM_MLKEM1024,
                                CM_VIEW(o->root->kem[r->n].seed)));
    }
    *out = r;
    r = NULL;
    return CM_OKAY;
}

void cm_keyring_free(cm_keyring *r)
{
    if (!r)
        return;
    cm_held_cache_free(r->keys);
    cm_held_cache_free(r->keks);
    for (size_t i = 0; i < CM_ROOT_GENERATIONS; i++)
        cm_kem_key_free(r->root[i].key);
    cm_free(r);
}

void cm_keyring_free_ptr(cm_keyring **r)
{
    cm_keyring_free(*r);
}

void cm_keyring_expire(cm_keyring *r)
{
    const cm_key_devices *d = r->o.devices;

    if (!d)
        return;
    cm_held_cache_expire(r->keys, d->now_ms(d->self));
    cm_held_cache_expire(r->keks, d->now_ms(d->self));
}

cm_keyring_held cm_keyring_count(cm_keyring *r)
{
    return (cm_keyring_held){cm_held_cache_count(r->keks), cm_held_cache_count(r->keys)};
}

/* ---- what each operation is ---------------------------------------------------------------- */

static cm_exec_fn *const with_key[] = {
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
    [CM_KEYOP_PUBLIC] = cm_exec_public,
    [CM_KEYOP_DROP] = cm_exec_drop,
    [CM_KEYOP_SIGN_SHARE] = cm_exec_sign_share,
    [CM_KEYOP_AGGREGATE] = cm_exec_aggregate,
};

static cm_make_fn *const with_kek[] = {
    [CM_KEYOP_CREATE] = cm_make_create,
    [CM_KEYOP_IMPORT] = cm_make_import,
    [CM_KEYOP_IMPORT_WRAPPED] = cm_make_import_wrapped,
    [CM_KEYOP_REWRAP] = cm_make_rewrap,
    [CM_KEYOP_RESEAL] = cm_make_reseal,
    [CM_KEYOP_ROW_KEY] = cm_make_row_key,
    [CM_KEYOP_DEAL] = cm_make_deal,
};

static cm_err op_random(const cm_keyring *r, cm_keyop *op)
{
    if (op->n == 0 || op->n > CM_KEYOP_DATA_MAX)
        return CM_FAIL(KEY_FORM);
    CM_TRY(cm_buf_reserve(&op->out, (size_t)op->n));
    CM_TRY(cm_random(r->o.crypt, op->out.p, (size_t)op->n));
    op->out.n = (size_t)op->n;
    return CM_OKAY;
}

static cm_err op_sign_log(const cm_keyring *r, cm_keyop *op)
{
    if (!r->o.sign_log)
        return CM_FAIL(KEY_UNSUPPORTED);
    return r->o.sign_log(r->o.arg, &op->out, op->data);
}

static cm_err with_keys(cm_keyring *r, cm_keyop *op)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *kek = NULL;
    CM_AUTO(cm_held_drop_ptr) cm_held *k = NULL;
    size_t code = (size_t)op->code;
    cm_make_fn *make = code < CM_COUNT(with_kek) ? with_kek[code] : NULL;
    cm_exec_fn *exec = code < CM_COUNT(with_key) ? with_key[code] : NULL;

    if (!make && !exec)
        return CM_FAIL(KEY_UNSUPPORTED);
    CM_TRY(cm_ring_kek(r, &kek, op, op->bind.kek_version, op->kek));
    if (make)
        return make(r, op, kek);
    CM_TRY(cm_ring_key(r, &k, kek, &op->bind, op->key));
    return exec(r, op, k);
}

cm_err cm_keyop_fits(const cm_keyop *op)
{
    bool fits = op->bind.tenant.n <= CM_KEYOP_TENANT_MAX && op->bind.path.n <= CM_KEYOP_PATH_MAX &&
                op->kek.n <= CM_KEYOP_KEK_MAX && op->key.n <= CM_KEYOP_KEY_MAX &&
                op->data.n <= CM_KEYOP_DATA_MAX && op->context.n <= CM_KEYOP_CONTEXT_MAX &&
                op->more.n <= CM_KEYOP_MORE_MAX;

    return fits ? CM_OKAY : CM_FAIL(KEYOP_SIZE);
}

static cm_err run(cm_keyring *r, cm_keyop *op)
{
    CM_TRY(cm_keyop_fits(op));
    if (op->code == CM_KEYOP_RANDOM)
        return op_random(r, op);
    if (op->code == CM_KEYOP_NEW_TENANT)
        return cm_make_tenant(r, op);
    if (op->code == CM_KEYOP_RESEAL && op->key.n == 0 && op->more.n == 0)
        return cm_make_reseal_kek(r, op);
    if (op->code == CM_KEYOP_SIGN_LOG)
        return op_sign_log(r, op);
    return with_keys(r, op);
}

/* KM-36 */
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
    cm_keyring_exec((cm_keyring *)self, op);
    op->done(op);
}

cm_keeper cm_keyring_keeper(cm_keyring *r)
{
    return (cm_keeper){submit, r};
}
