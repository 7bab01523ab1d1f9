#include "hsm/unseal.h"

#include "codec/cbor.h"
#include "hsm/hsm_int.h"
#include "hsm/set.h"

/* By one device, or by each of several. */
enum {
    ROOT_BLOB_MAX = 8000 /* of the 8192 bytes that a slot has for it */
};

/* H-13: what a slot keeps: which key of which token, and what it made of the secret. */
static const cm_cbor_field fields[] = {
    {1, CM_CBOR_BYTES, true, 1, CM_HSM_ID_MAX},
    {2, CM_CBOR_TEXT, false, 1, 19}, /* the token's serial, for people */
    {3, CM_CBOR_BYTES, true, 1, ROOT_BLOB_MAX},
};

static cm_err wrap(void *self, const cm_crypt *c, cm_buf *blob, const cm_key32 *key,
                   cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = CM_HSM_SET_BLOB_MAX};
    cm_hsm_unseal *u = self;
    cm_view id = CM_LIT(CM_HSM_ROOT_ID);

    (void)c;
    CM_TRY(cm_hsm_status_of(u->hsm, &u->last));
    CM_TRY(cm_hsm_wrap(u->hsm, id, CM_VIEW(key->b), context, &wrapped));
    cm_cbor_value v[] = {
        {.present = true, .v = id},
        {.present = u->last.serial[0] != 0, .v = cm_view_str(u->last.serial)},
        {.present = true, .v = cm_buf_view(&wrapped)},
    };

    return cm_cbor_put_record(blob, fields, v, CM_COUNT(v));
}

static cm_err read_blob(cm_cbor_value v[CM_COUNT(fields)], cm_view blob)
{
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, blob, NULL));
    CM_TRY(cm_cbor_record(&c, fields, v, CM_COUNT(fields), NULL));
    return cm_cbor_end(&c);
}

static cm_err unwrap(void *self, const cm_crypt *c, cm_key32 *key, cm_view blob, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 32};
    cm_cbor_value v[CM_COUNT(fields)] = {0};
    cm_hsm_unseal *u = self;
    cm_err e;

    (void)c;
    if (cm_failed(read_blob(v, blob)))
        return CM_FAIL(BOOT_MALFORMED);
    CM_TRY(cm_hsm_status_of(u->hsm, &u->last));
    e = cm_hsm_unwrap(u->hsm, v[0].v, v[2].v, context, &got);
    if (cm_is(e, CM_HSM_BLOB))
        return CM_FAIL(UNSEAL_WRONG);
    CM_TRY(e);
    if (got.n != sizeof key->b)
        return CM_FAIL(BOOT_MALFORMED);
    memcpy(key->b, got.p, sizeof key->b);
    return CM_OKAY;
}

bool cm_hsm_unseal_is_classical(cm_view slot)
{
    cm_cbor_value v[CM_COUNT(fields)] = {0};
    bool classical = false;
    cm_hsm_bundle b;

    if (cm_failed(read_blob(v, slot)))
        return true;
    if (cm_failed(cm_hsm_bundle_get(&b, v[2].v)))
        return cm_hsm_blob_is_classical(v[2].v);
    for (size_t i = 0; i < b.n; i++)
        classical |= cm_hsm_blob_is_classical(b.of[i].blob);
    return classical;
}

void cm_hsm_unseal_init(cm_hsm_unseal *u, const cm_hsm *hsm)
{
    *u = (cm_hsm_unseal){
        .hsm = hsm,
        .backend = {.number = CM_HSM_DEVICE_PKCS11, .wrap = wrap, .unwrap = unwrap, .self = u}};
}
