/* The attestor of a server: evidence judged with the verifiers and what the operator has. */
#include "svc/attestor.h"
#include "svc/collateral_int.h"

#include <stdio.h>

#include "attest/trustee.h"

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

/* One call's view of it all: the set does not change while it judges. */
typedef struct {
    const cm_svc_verifier *v;
    const cm_svc_collateral *set; /* NULL: there is none */
    const cm_policy *p;
    const cm_shown *shown;
    uint64_t now;
} judging;

static cm_err one(pieces *out, const judging *j, cm_attest_input in, cm_view fresh)
{
    in.cache = j->v->cache;
    if (j->set)
        cm_attest_bundle_input(j->set->bundle, &in); /* V-123 */
    CM_TRY(cm_policy_appraise_opened(&out->v[out->n], j->v->crypt, j->p, &in, j->now, fresh,
                                     j->shown->activation));
    out->n++;
    return CM_OKAY;
}

static cm_err machine(pieces *all, const judging *j)
{
    const cm_shown *shown = j->shown;
    const cm_attest_input in = {.evidence = shown->evidence, .event_log = shown->event_log};
    cm_attest_kind kind = cm_attest_detect(shown->evidence);
    uint8_t fresh[CM_BIND_SIZE];
    size_t n;

    if (kind == CM_ATTEST_UNKNOWN || kind == CM_ATTEST_NVIDIA)
        return CM_FAIL(ATTEST_KIND);
    if (!shown->bound)
        return one(all, j, in, shown->fresh);
    CM_TRY(cm_bound_for(fresh, &n, j->v->crypt, shown->bound, kind));
    return one(all, j, in, cm_view_of(fresh, n));
}

static cm_err device(pieces *all, const judging *j, size_t i)
{
    const cm_attest_input in = {.evidence = j->shown->devices[i]};
    uint8_t fresh[CM_BIND_SHORT];

    if (cm_attest_detect(j->shown->devices[i]) != CM_ATTEST_NVIDIA)
        return CM_FAIL(ATTEST_KIND);
    if (!j->shown->bound)
        return one(all, j, in, j->shown->device_fresh);
    CM_TRY(cm_bound_gpu(fresh, j->v->crypt, j->shown->bound, (uint32_t)i));
    return one(all, j, in, CM_VIEW(fresh));
}

/* RL-81 */
static cm_err started_with(cm_appraisal *out, const judging *j, const pieces *all)
{
    bool bound = false;

    if (j->shown->init_data.n == 0 || !out->accepted)
        return CM_OKAY;
    CM_TRY(cm_trustee_init_data(&bound, j->v->crypt, &all->v[0].r, j->shown->init_data));
    if (bound)
        return CM_OKAY;
    *out = (cm_appraisal){.accepted = false};
    (void)snprintf(out->sentence, sizeof out->sentence,
                   "The evidence is not bound to the init-data that came with it.");
    return CM_OKAY;
}

static cm_err pieces_of(pieces *all, const judging *j)
{
    cm_err e;

    if (j->shown->devices_n > DEVICES)
        return CM_FAIL(SVC_LIMIT);
    e = machine(all, j);
    for (size_t i = 0; i < j->shown->devices_n && cm_ok(e); i++)
        e = device(all, j, i);
    return e;
}

static cm_err judge_with(const judging *j, cm_appraisal *out, uint8_t measured[64],
                         size_t *measured_n)
{
    CM_AUTO(pieces_done) pieces all = {.n = 0};
    cm_err e = pieces_of(&all, j);

    if (cm_is(e, CM_ATTEST_KIND) || cm_is(e, CM_TOO_BIG)) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "The evidence is of no kind that is taken here.");
        return CM_OKAY;
    }
    CM_TRY(e);
    cm_policy_judge(out, j->p, all.v, all.n, j->now);
    CM_TRY(started_with(out, j, &all));
    *measured_n = all.v[0].r.measured.n;
    memcpy(measured, all.v[0].r.measured.v, *measured_n);
    return CM_OKAY;
}

static cm_svc_collateral *in_use(cm_svc_verifier *v)
{
    cm_svc_collateral *s;

    pthread_mutex_lock(&v->lock);
    s = cm_svc_collateral_hold(v->collateral);
    pthread_mutex_unlock(&v->lock);
    return s;
}

static cm_err judge(void *self, cm_appraisal *out, uint8_t measured[64], size_t *measured_n,
                    const cm_policy *p, const cm_shown *shown, uint64_t now)
{
    cm_svc_verifier *v = self;
    CM_AUTO(cm_svc_collateral_free_ptr) cm_svc_collateral *set = in_use(v);
    CM_AUTO(cm_policy_free_ptr) cm_policy *referred = NULL;
    judging j = {.v = v, .set = set, .p = p, .shown = shown, .now = now};
    cm_err e = CM_OKAY;

    *out = (cm_appraisal){.accepted = false};
    *measured_n = 0;
    if (p->n_references && set)
        e = cm_policy_referred(&referred, p, set->manifest, set->n_manifests, now);
    if (cm_is(e, CM_TOO_BIG)) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "Policy \"%.60s\" refers to more measurements than it may.", p->name);
        return CM_OKAY;
    }
    CM_TRY(e);
    if (referred)
        j.p = referred;
    return judge_with(&j, out, measured, measured_n);
}

void cm_svc_verifier_init(cm_svc_verifier *v, const cm_crypt *c, cm_attest_cache *cache)
{
    *v = (cm_svc_verifier){.crypt = c, .cache = cache};
    (void)pthread_mutex_init(&v->lock, NULL);
}

void cm_svc_verifier_done(cm_svc_verifier *v)
{
    if (!v->crypt)
        return;
    cm_svc_collateral_free(v->collateral);
    (void)pthread_mutex_destroy(&v->lock);
    *v = (cm_svc_verifier){.crypt = NULL};
}

/* V-120 */
void cm_svc_verifier_use(cm_svc_verifier *v, cm_svc_collateral **set)
{
    cm_svc_collateral *before;

    pthread_mutex_lock(&v->lock);
    before = v->collateral;
    v->collateral = *set;
    pthread_mutex_unlock(&v->lock);
    *set = NULL;
    cm_svc_collateral_free(before);
}

cm_attestor cm_svc_attestor(cm_svc_verifier *v)
{
    return (cm_attestor){.judge = judge, .self = v};
}
