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
