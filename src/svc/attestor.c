/* The attestor of a server: evidence judged with the verifiers and what the operator has. */
#include "svc/svc_int.h"

#include <stdio.h>

enum { DEVICES = 16 };

typedef struct {
    cm_appraised v[DEVICES + 1];
    size_t n;
} pieces;

static void pieces_done(pieces *p)
{
    for (size_t i = 0; i < p->n; i++)
        cm_appraised_done(&p->v[i]);
}

static cm_err one(pieces *out, const cm_svc_verifier *v, const cm_policy *p, cm_attest_input in,
                  const cm_shown *shown, cm_view fresh, uint64_t now)
{
    in.cache = v->cache;
    if (v->collateral)
        cm_attest_bundle_input(v->collateral, &in);
    CM_TRY(cm_policy_appraise_opened(&out->v[out->n], v->crypt, p, &in, now, fresh,
                                     shown->activation));
    out->n++;
    return CM_OKAY;
}

static cm_err machine(pieces *all, const cm_svc_verifier *v, const cm_policy *p,
                      const cm_shown *shown, uint64_t now)
{
    const cm_attest_input in = {.evidence = shown->evidence, .event_log = shown->event_log};
    cm_attest_kind kind = cm_attest_detect(shown->evidence);
    uint8_t fresh[CM_BIND_SIZE];
    size_t n;

    if (kind == CM_ATTEST_UNKNOWN || kind == CM_ATTEST_NVIDIA)
        return CM_FAIL(ATTEST_KIND);
    if (!shown->bound)
        return one(all, v, p, in, shown, shown->fresh, now);
    CM_TRY(cm_bound_for(fresh, &n, v->crypt, shown->bound, kind));
    return one(all, v, p, in, shown, cm_view_of(fresh, n), now);
}

static cm_err device(pieces *all, const cm_svc_verifier *v, const cm_policy *p,
                     const cm_shown *shown, size_t i, uint64_t now)
{
    const cm_attest_input in = {.evidence = shown->devices[i]};
    uint8_t fresh[CM_BIND_SHORT];

    if (cm_attest_detect(shown->devices[i]) != CM_ATTEST_NVIDIA)
        return CM_FAIL(ATTEST_KIND);
    if (!shown->bound)
        return one(all, v, p, in, shown, shown->device_fresh, now);
    CM_TRY(cm_bound_gpu(fresh, v->crypt, shown->bound, (uint32_t)i));
    return one(all, v, p, in, shown, CM_VIEW(fresh), now);
}

static cm_err judge(void *self, cm_appraisal *out, uint8_t measured[64], size_t *measured_n,
                    const cm_policy *p, const cm_shown *shown, uint64_t now)
{
    CM_AUTO(pieces_done) pieces all = {.n = 0};
    const cm_svc_verifier *v = self;
    cm_err e = machine(&all, v, p, shown, now);

    *out = (cm_appraisal){.accepted = false};
    *measured_n = 0;
    if (shown->devices_n > DEVICES)
        return CM_FAIL(SVC_LIMIT);
    for (size_t i = 0; i < shown->devices_n && cm_ok(e); i++)
        e = device(&all, v, p, shown, i, now);
    if (cm_is(e, CM_ATTEST_KIND) || cm_is(e, CM_TOO_BIG)) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "The evidence is of no kind that is taken here.");
        return CM_OKAY;
    }
    CM_TRY(e);
    cm_policy_judge(out, p, all.v, all.n, now);
    *measured_n = all.v[0].r.measured.n;
    memcpy(measured, all.v[0].r.measured.v, *measured_n);
    return CM_OKAY;
}

cm_attestor cm_svc_attestor(cm_svc_verifier *v)
{
    return (cm_attestor){.judge = judge, .self = v};
}
