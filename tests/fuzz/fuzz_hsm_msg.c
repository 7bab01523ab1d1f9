/*
 * Messages between casemate-p11d and its client, from both sides: whatever decodes must encode to
 * the same bytes. The first byte picks what a packet is taken for:
 * 255 is what several devices wrapped, 254 what one wrapped by RSA.
 */
#include <stdlib.h>

#include "hsm/hsm_int.h"
#include "hsm/msg.h"
#include "hsm/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* H-15: what was let in can be walked and makes the same bytes again. */
static void list(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_DATA_MAX};
    cm_view rest = v, piece;

    while (rest.n) {
        must(cm_ok(cm_hsm_list_next(&piece, &rest, CM_HSM_DATA_MAX)));
        must(cm_ok(cm_hsm_list_put(&b, piece)));
    }
    must(cm_view_eq(cm_buf_view(&b), v));
}

static void request(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_PACKET};
    cm_hsm_request r;
    uint64_t id;

    if (cm_failed(cm_hsm_get_request(&r, &id, v)))
        return;
    must(cm_ok(cm_hsm_put_request(&b, id, &r)));
    must(cm_view_eq(cm_buf_view(&b), v));
    if (r.many)
        list(r.data);
}

static void answer(cm_hsm_op op, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_PACKET};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    cm_err result = CM_OKAY;
    uint64_t id;

    if (cm_failed(cm_hsm_get_answer(&result, &a, op, v)))
        return;
    must(cm_ok(cm_hsm_get_answer_id(&id, v)));
    must(cm_ok(cm_hsm_put_answer(&b, id, result, op, &a)));
    must(cm_view_eq(cm_buf_view(&b), v));
}

static void bundle(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_SET_BLOB_MAX};
    cm_hsm_bundle got;

    if (cm_failed(cm_hsm_bundle_get(&got, v)))
        return;
    must(cm_ok(cm_hsm_bundle_put(&b, &got)));
    must(cm_view_eq(cm_buf_view(&b), v));
}

/* Nothing is left over, and no blob is of both kinds: H-82. */
static void hybrid(cm_view v)
{
    cm_view wrapped, body;

    must(cm_failed(cm_hsm_kind_fits(true, v)) + cm_failed(cm_hsm_kind_fits(false, v)) < 2);
    if (cm_failed(cm_hsm_hybrid_split(&wrapped, &body, BLOB_CLASSICAL, v)))
        return;
    must(cm_hsm_blob_is_classical(v));
    must(cm_failed(cm_hsm_kind_fits(false, v)) && cm_ok(cm_hsm_kind_fits(true, v)));
    must(wrapped.n && body.n > BLOB_CHECK + BLOB_TAG);
    must(wrapped.p + wrapped.n == body.p && body.p + body.n == v.p + v.n);
    must(wrapped.p == v.p + BLOB_HEAD + BLOB_IV + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v;

    if (n < 1 || n > CM_HSM_PACKET)
        return 0;
    v = cm_view_of(p + 1, n - 1);
    if (p[0] == 255)
        bundle(v);
    else if (p[0] == 254)
        hybrid(v);
    else if (p[0] % 9 == 0)
        request(v);
    else
        answer((cm_hsm_op)(p[0] % 9), v);
    return 0;
}
