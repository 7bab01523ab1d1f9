/* Blobs whose key a device or service wrapped, and whose seed our own AES has: H-4, H-81. */
#include "crypt/aead.h"
#include "hsm/hsm_int.h"

enum { HEAD = BLOB_HEAD + BLOB_IV + 2 };

/* H-82 */
cm_err cm_hsm_other_kind(bool classical)
{
    return classical ? CM_FAIL(HSM_KEY_SYMMETRIC) : CM_FAIL(HSM_KEY_CLASSICAL);
}

bool cm_hsm_blob_is_classical(cm_view blob)
{
    return blob.n >= BLOB_HEAD && blob.p[0] == BLOB_VERSION &&
           (blob.p[1] == BLOB_CLASSICAL || blob.p[1] == BLOB_SERVICE_CLASSICAL);
}

cm_err cm_hsm_kind_fits(bool classical, cm_view blob)
{
    bool known = blob.n >= BLOB_HEAD && blob.p[0] == BLOB_VERSION && blob.p[1] >= BLOB_GCM &&
                 blob.p[1] <= BLOB_SERVICE_CLASSICAL;

    return known && cm_hsm_blob_is_classical(blob) != classical ? cm_hsm_other_kind(classical)
                                                                : CM_OKAY;
}

cm_err cm_hsm_hybrid_split(cm_view *wrapped, cm_view *body, uint8_t mechanism, cm_view blob)
{
    size_t n;

    if (blob.n < HEAD || blob.p[0] != BLOB_VERSION || blob.p[1] != mechanism)
        return CM_FAIL(HSM_BLOB);
    n = cm_get_be16(blob.p + BLOB_HEAD + BLOB_IV);
    if (n == 0 || n > BLOB_WRAPPED_MAX || blob.n - HEAD < n ||
        blob.n - HEAD - n <= BLOB_CHECK + BLOB_TAG)
        return CM_FAIL(HSM_BLOB);
    *wrapped = cm_view_sub(blob, HEAD, n);
    *body = cm_view_sub(blob, HEAD + n, blob.n - HEAD - n);
    return CM_OKAY;
}

/* H-3, and all that stands before the ciphertext. */
static cm_err bound(cm_buf *aad, const cm_hsm_request *r, cm_view head)
{
    aad->max = BLOB_AAD + HEAD + BLOB_WRAPPED_MAX;
    CM_TRY(cm_hsm_blob_aad(aad, r->id, r->aad));
    return cm_buf_append(aad, head);
}

cm_err cm_hsm_hybrid_seal(cm_hsm_answer *a, const cm_crypt *c, const cm_hsm_request *r,
                          uint8_t mechanism, const cm_key32 *key, cm_view wrapped)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 0};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = BLOB_CHECK + CM_HSM_SEED_MAX};
    size_t head = HEAD + wrapped.n, n;
    uint8_t *p;

    if (wrapped.n > BLOB_WRAPPED_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_hsm_seed_pack(&plain, c, r->data));
    CM_TRY(cm_gcm_new(&g, c, key));
    n = head + plain.n + BLOB_TAG;
    CM_TRY(cm_hsm_answer_room(a, n));
    p = a->data.p;
    p[0] = BLOB_VERSION;
    p[1] = mechanism;
    CM_TRY(cm_random(c, p + BLOB_HEAD, BLOB_IV));
    cm_put_be16(p + BLOB_HEAD + BLOB_IV, (uint16_t)wrapped.n);
    memcpy(p + HEAD, wrapped.p, wrapped.n);
    CM_TRY(bound(&aad, r, cm_view_of(p, head)));
    CM_TRY(cm_gcm_seal(g, p + head, p + n - BLOB_TAG, p + BLOB_HEAD, cm_buf_view(&aad),
                       cm_buf_view(&plain)));
    a->data.n = n;
    return CM_OKAY;
}

cm_err cm_hsm_hybrid_open(cm_hsm_answer *a, const cm_crypt *c, const cm_hsm_request *r,
                          const cm_key32 *key, cm_view body)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 0};
    cm_view in = cm_view_sub(body, 0, body.n - BLOB_TAG);

    CM_TRY(bound(&aad, r, cm_view_sub(r->data, 0, r->data.n - body.n)));
    CM_TRY(cm_gcm_new(&g, c, key));
    CM_TRY(cm_hsm_answer_room(a, body.n));
    CM_TRY(cm_gcm_open(g, a->data.p, body.p + in.n, r->data.p + BLOB_HEAD, cm_buf_view(&aad), in));
    a->data.n = in.n;
    return cm_hsm_seed_unpack(&a->data, c);
}
