/* One holder's part of threshold signatures: RFC 9591 through SIGN_SHARE. */
#include "base/secret.h"
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { SHARE_HEAD = 1 + CM_FROST_SCALAR };
#define NONCES CM_LIT("casemate-frost-nonces-v1")

/* id, secret, group (F-9): what a holder imports, and what is sealed. */
cm_err cm_held_frost_fill(struct cm_held_frost **out, const cm_key_type_info *t, cm_view raw)
{
    struct cm_held_frost *f;
    cm_err e;

    if (raw.n < SHARE_HEAD)
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_secret_new(&f, sizeof *f));
    f->share.id = raw.p[0];
    memcpy(f->share.secret, raw.p + 1, sizeof f->share.secret);
    e = cm_frost_get_group(&f->group, cm_view_sub(raw, SHARE_HEAD, raw.n - SHARE_HEAD));
    if (cm_ok(e) && (f->group.suite != (cm_frost_suite)t->algorithm ||
                     cm_failed(cm_frost_check(&f->group, &f->share)))) /* F-3 */
        e = CM_FAIL(CRYPT_BAD_KEY);
    if (cm_failed(e))
        cm_secret_free(f, sizeof *f);
    else
        *out = f;
    return cm_is(e, CM_FROST_ENCODING) ? CM_FAIL(CRYPT_BAD_KEY) : e;
}

cm_err cm_held_frost_raw(cm_buf *out, const struct cm_held_frost *f)
{
    CM_TRY(cm_buf_byte(out, f->share.id));
    CM_TRY(cm_buf_append(out, CM_VIEW(f->share.secret)));
    return cm_frost_put_group(out, &f->group);
}

/* Nonces between the rounds are sealed to this key and its binding. */
static cm_err nonce_box(const cm_keyring *r, cm_key32 *key, cm_buf *aad, const cm_keyop *op,
                        const struct cm_held_frost *f)
{
    CM_TRY(cm_cbor_put_bytes(aad, op->bind.tenant));
    CM_TRY(cm_cbor_put_bytes(aad, op->bind.path));
    CM_TRY(cm_cbor_put_uint(aad, op->bind.version));
    return cm_hkdf_expand(r->o.crypt, CM_SHA256, key->b, sizeof key->b, CM_VIEW(f->share.secret),
                          NONCES);
}

static cm_err round_one(const cm_keyring *r, cm_keyop *op, const struct cm_held_frost *f,
                        const cm_key32 *key, cm_view aad)
{
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_FROST_NONCES};
    cm_frost_nonces x;
    cm_err e = cm_frost_commit(&x, r->o.crypt, &f->group, &f->share);

    if (cm_ok(e))
        e = cm_frost_put_nonces(&plain, &x);
    if (cm_ok(e))
        e = cm_frost_put_commitment(&op->out, &x.commitment);
    if (cm_ok(e))
        e = cm_box_seal(&op->out2, r->o.crypt, key, NONCES, aad, cm_buf_view(&plain));
    cm_wipe(&x, sizeof x);
    return e;
}

static cm_err read_list(cm_frost_commitment *list, size_t *n, cm_view v)
{
    if (v.n % CM_FROST_COMMITMENT != 0 || v.n / CM_FROST_COMMITMENT > CM_FROST_MAX)
        return CM_FAIL(FROST_LIST);
    for (*n = 0; *n < v.n / CM_FROST_COMMITMENT; (*n)++)
        CM_TRY(cm_frost_get_commitment(
            &list[*n], cm_view_sub(v, *n * CM_FROST_COMMITMENT, CM_FROST_COMMITMENT)));
    return CM_OKAY;
}

static cm_err round_two(const cm_keyring *r, cm_keyop *op, const struct cm_held_frost *f,
                        const cm_key32 *key, cm_view aad)
{
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_FROST_NONCES};
    cm_frost_commitment list[CM_FROST_MAX];
    cm_frost_nonces x;
    cm_frost_part part;
    size_t n;
    cm_err e;

    CM_TRY(read_list(list, &n, op->more));
    CM_TRY(cm_box_open(&plain, r->o.crypt, key, NONCES, aad, op->context));
    e = cm_frost_get_nonces(&x, cm_buf_view(&plain));
    if (cm_ok(e))
        e = cm_frost_sign(&part, r->o.crypt, &f->group, &f->share, &x, list, n, op->data);
    cm_wipe(&x, sizeof x);
    CM_TRY(e);
    CM_TRY(cm_buf_byte(&op->out, part.id));
    return cm_buf_append(&op->out, CM_VIEW(part.z));
}

/* Without nonces it is round one. That sealed nonces come here once is the asker's to see to,
 * before it gives the answer away: nothing is kept here between operations (F-5). */
cm_err cm_exec_sign_share(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = CM_BOUND_MAX};

    if (!k->frost)
        return CM_FAIL(KEY_USE);
    CM_TRY(nonce_box(r, &key, &aad, op, k->frost));
    return op->context.n ? round_two(r, op, k->frost, &key, cm_buf_view(&aad))
                         : round_one(r, op, k->frost, &key, cm_buf_view(&aad));
}

/* ---- all parts together ---- */

static cm_err read_parts(cm_frost_part *parts, size_t n, cm_view v)
{
    if (v.n != n * SHARE_HEAD)
        return CM_FAIL(FROST_LIST);
    for (size_t i = 0; i < n; i++) {
        parts[i].id = v.p[i * SHARE_HEAD];
        memcpy(parts[i].z, v.p + i * SHARE_HEAD + 1, sizeof parts[i].z);
    }
    return CM_OKAY;
}

/* F-10: what does not verify never leaves; whose part it was does. */
cm_err cm_exec_aggregate(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    cm_frost_commitment list[CM_FROST_MAX];
    cm_frost_part parts[CM_FROST_MAX];
    uint8_t sig[CM_FROST_SIG_MAX];
    unsigned bad = 0;
    size_t n;
    cm_err e;

    if (!k->frost)
        return CM_FAIL(KEY_USE);
    CM_TRY(read_list(list, &n, op->more));
    CM_TRY(read_parts(parts, n, op->context));
    e = cm_frost_aggregate(sig, &bad, r->o.crypt, &k->frost->group, list, parts, n, op->data);
    if (cm_is(e, CM_FROST_SHARE) && bad)
        return cm_buf_byte(&op->out2, (uint8_t)bad);
    CM_TRY(e);
    return cm_buf_append(&op->out, cm_view_of(sig, cm_frost_sig_size(k->frost->group.suite)));
}

cm_err cm_exec_verify_threshold(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    const cm_frost_group *g = &k->frost->group;

    if ((op->form != CM_FORM_MESSAGE && op->form != CM_FORM_RAW) || op->context.n)
        return CM_FAIL(KEY_FORM);
    return cm_frost_verify(r->o.crypt, g->suite, cm_frost_public(g), op->data, op->more);
}

/* ---- dealing ---- */

struct dealt {
    cm_frost_group group;
    cm_frost_share share[CM_FROST_MAX];
};

static void free_dealt(struct dealt **d)
{
    cm_secret_free(*d, sizeof **d);
}

/* The share of one holder, sealed for a path of its own, behind its length. */
static cm_err put_share(const cm_keyring *r, cm_buf *out, const cm_held *kek,
                        const cm_key_binding *b, const struct dealt *d, size_t i)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX};
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;
    size_t at = out->n;

    CM_TRY(cm_buf_byte(&raw, d->share[i].id));
    CM_TRY(cm_buf_append(&raw, CM_VIEW(d->share[i].secret)));
    CM_TRY(cm_frost_put_group(&raw, &d->group));
    CM_TRY(cm_held_from_raw(&h, r->o.crypt, cm_key_type_of(b->type), cm_buf_view(&raw)));
    CM_TRY(cm_buf_be32(out, 0));
    CM_TRY(cm_ring_seal_key(r, out, kek, b, h));
    cm_put_be32(out->p + at, (uint32_t)(out->n - at - 4));
    return CM_OKAY;
}

static cm_err next_path(cm_view *path, cm_view *rest)
{
    size_t n;

    if (rest->n < 2)
        return CM_FAIL(KEY_FORM);
    n = cm_get_be16(rest->p);
    if (n == 0 || n > CM_KEYOP_PATH_MAX || n > rest->n - 2)
        return CM_FAIL(KEY_FORM);
    *path = cm_view_sub(*rest, 2, n);
    *rest = cm_view_sub(*rest, 2 + n, rest->n - 2 - n);
    return CM_OKAY;
}

/* F-11: shares are sealed here, each to its own place, and the key is never whole again. */
cm_err cm_make_deal(cm_keyring *r, cm_keyop *op, cm_held *kek)
{
    const cm_key_type_info *t = cm_key_type_of(op->bind.type);
    unsigned need = (unsigned)(op->n >> 8 & 0xff), n = (unsigned)(op->n & 0xff);
    CM_AUTO(free_dealt) struct dealt *d = NULL;
    cm_key_binding b = op->bind;
    cm_view rest = op->more;

    if (!t || t->family != CM_FAMILY_FROST)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (op->n >> 16)
        return CM_FAIL(FROST_PARAMS);
    CM_TRY(cm_secret_new(&d, sizeof *d));
    CM_TRY(cm_frost_deal(&d->group, d->share, r->o.crypt, (cm_frost_suite)t->algorithm, need, n,
                         NULL));
    for (size_t i = 0; i < n; i++) {
        CM_TRY(next_path(&b.path, &rest));
        CM_TRY(put_share(r, &op->out, kek, &b, d, i));
    }
    return rest.n ? CM_FAIL(KEY_FORM) : cm_frost_put_group(&op->out2, &d->group);
}
