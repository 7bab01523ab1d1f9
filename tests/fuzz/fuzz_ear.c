/* A result token, or its claims alone behind J or C: what is read, is read again from what is
 * written of it. */
#include <stdlib.h>

#include "release/ear_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void claims(const cm_ear *e)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = 2 * CM_EAR_MAX};
    CM_AUTO(cm_buf_free) cm_buf cbor = {.max = 2 * CM_EAR_MAX};
    cm_ear again;

    must(e->n <= CM_RCAR_PIECES && e->tier < CM_POLICY_TIERS);
    must(e->bound.key_n <= sizeof e->bound.key && e->bound.manifest_n <= CM_EAR_MANIFEST_MAX);
    if (cm_ok(cm_ear_json_put(&json, e)))
        (void)cm_ok(cm_ear_json_read(&again, cm_buf_view(&json)));
    if (cm_ok(cm_ear_cbor_put(&cbor, e)))
        (void)cm_ok(cm_ear_cbor_read(&again, cm_buf_view(&cbor)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v = cm_view_of(p, n);
    cm_ear_form form;
    cm_ear e;

    if (n > 1 && (p[0] == 'J' || p[0] == 'C')) {
        v = cm_view_sub(v, 1, n - 1);
        if (cm_ok(p[0] == 'J' ? cm_ear_json_read(&e, v) : cm_ear_cbor_read(&e, v)))
            claims(&e);
        return 0;
    }
    if (cm_ok(cm_ear_peek(&e, &form, v))) {
        must(e.expires - e.issued <= CM_EAR_TTL_MAX && (e.bound.key_n || e.bound.has_tls));
        claims(&e);
    }
    return 0;
}
