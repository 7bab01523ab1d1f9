/* A seed as several devices wrapped it: the form, and what it is checked by. */
#include "hsm/hsm_int.h"
#include "hsm/set.h"

enum { BUNDLE_VERSION = 2, BUNDLE_HEAD = 2 + CM_HSM_SET_CHECK };

cm_err cm_hsm_bundle_put(cm_buf *out, const cm_hsm_bundle *b)
{
    CM_TRY(cm_buf_byte(out, BUNDLE_VERSION));
    CM_TRY(cm_buf_append(out, b->check));
    CM_TRY(cm_buf_byte(out, (uint8_t)b->n));
    for (size_t i = 0; i < b->n; i++) {
        CM_TRY(cm_buf_append(out, b->of[i].token));
        CM_TRY(cm_buf_be16(out, (uint16_t)b->of[i].blob.n));
        CM_TRY(cm_buf_append(out, b->of[i].blob));
    }
    return CM_OKAY;
}

/* The next n bytes of v, which moves on. */
static cm_err take(cm_view *out, cm_view *v, size_t n)
{
    if (n > v->n)
        return CM_FAIL(HSM_BLOB);
    *out = cm_view_sub(*v, 0, n);
    *v = cm_view_sub(*v, n, v->n - n);
    return CM_OKAY;
}

static bool known(const cm_hsm_bundle *b, cm_view token)
{
    for (size_t i = 0; i < b->n; i++)
        if (cm_view_eq(b->of[i].token, token))
            return true;
    return false;
}

static cm_err take_one(cm_hsm_bundle *b, cm_view *v)
{
    cm_view token, size, blob;

    CM_TRY(take(&token, v, CM_HSM_SET_TOKEN));
    CM_TRY(take(&size, v, 2));
    CM_TRY(take(&blob, v, cm_get_be16(size.p)));
    if (known(b, token) || blob.n <= BLOB_MORE || blob.n > CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE)
        return CM_FAIL(HSM_BLOB);
    b->of[b->n].token = token;
    b->of[b->n++].blob = blob;
    return CM_OKAY;
}

/* H-36 */
cm_err cm_hsm_bundle_get(cm_hsm_bundle *b, cm_view v)
{
    cm_hsm_bundle got = {.n = 0};
    size_t n;

    if (v.n <= BUNDLE_HEAD || v.p[0] != BUNDLE_VERSION)
        return CM_FAIL(HSM_BLOB);
    got.check = cm_view_sub(v, 1, CM_HSM_SET_CHECK);
    n = v.p[BUNDLE_HEAD - 1];
    v = cm_view_sub(v, BUNDLE_HEAD, v.n - BUNDLE_HEAD);
    if (n < 1 || n > CM_FLEET_MAX)
        return CM_FAIL(HSM_BLOB);
    while (got.n < n)
        CM_TRY(take_one(&got, &v));
    if (v.n)
        return CM_FAIL(HSM_BLOB);
    *b = got;
    return CM_OKAY;
}

cm_err cm_hsm_token_id(uint8_t out[CM_HSM_SET_TOKEN], const cm_crypt *c, const cm_hsm_status *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};
    uint8_t hash[32];

    CM_TRY(cm_buf_append(&b, CM_LIT("casemate-hsm-token-v1")));
    CM_TRY(cm_buf_byte(&b, 0));
    CM_TRY(cm_buf_append(&b, cm_view_str(s->provider)));
    CM_TRY(cm_buf_byte(&b, 0));
    CM_TRY(cm_buf_append(&b, cm_view_str(s->serial)));
    CM_TRY(cm_hash_once(c, CM_SHA256, hash, cm_buf_view(&b)));
    memcpy(out, hash, CM_HSM_SET_TOKEN);
    return CM_OKAY;
}
