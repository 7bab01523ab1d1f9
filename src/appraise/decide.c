/* Evidence under a policy, and the sentence. */
#include <stdio.h>

#include "appraise/policy.h"

enum { MEASUREMENTS = 256 };

void cm_appraised_done(cm_appraised *a)
{
    cm_attest_result_done(&a->r);
}

/* AP-7: what was accepted until some time is accepted before it and not at it. */
static size_t current(const cm_policy_rule *rule, uint64_t now, cm_view *list)
{
    size_t n = 0;

    for (size_t i = 0; i < rule->n_measurements && n < MEASUREMENTS; i++)
        if (rule->measurement[i].until == 0 || now < rule->measurement[i].until)
            list[n++] = rule->measurement[i].value;
    return n;
}

/* No list means "not asked" to the verifier: where all are over, none may pass. */
static size_t accepted(const cm_policy_rule *rule, uint64_t now, cm_view *list)
{
    size_t n = current(rule, now, list);

    if (n == 0 && (rule->n_measurements || rule->by_reference))
        list[n++] = CM_LIT("");
    return n;
}

static bool has_value(const cm_attest_result *r, cm_view value)
{
    for (size_t i = 0; i < r->n_claims; i++)
        if (r->claim[i].type == CM_CLAIM_BYTES &&
            cm_view_eq(cm_attest_claim_view(r, &r->claim[i]), value))
            return true;
    return false;
}

static const cm_policy_measurement *which(const cm_policy_rule *rule, const cm_attest_result *r)
{
    for (size_t i = 0; i < rule->n_measurements; i++)
        if (has_value(r, rule->measurement[i].value))
            return &rule->measurement[i];
    return NULL;
}

cm_err cm_policy_appraise(cm_appraised *out, const cm_crypt *c, const cm_policy *p,
                          const cm_attest_input *in, uint64_t now, cm_view fresh)
{
    return cm_policy_appraise_opened(out, c, p, in, now, fresh, NULL);
}

cm_err cm_policy_appraise_opened(cm_appraised *out, const cm_crypt *c, const cm_policy *p,
                                 const cm_attest_input *in, uint64_t now, cm_view fresh,
                                 const cm_tpm_activation *activation)
{
    cm_attest_kind kind = in->kind ? in->kind : cm_attest_detect(in->evidence);
    const cm_policy_rule *rule = cm_policy_rule_of(p, kind);
    cm_attest_policy demand = rule ? rule->demand : (cm_attest_policy){0};
    cm_view list[MEASUREMENTS];
    cm_appraised a = {.answer = CM_FAIL(ATTEST_REFUSED)};

    demand.now = now;
    demand.fresh = fresh;
    if (activation)
        demand.tpm.activation = activation;
    if (rule) {
        demand.measurements = list;
        demand.n_measurements = accepted(rule, now, list);
        demand.chips = rule->chip;
        demand.n_chips = rule->n_chips;
        if (rule->any_measurement)
            demand.may_skip |= CM_CHECK_BIT(MEASUREMENT);
    }
    CM_TRY(cm_attest_verify(&a.r, c, in, &demand));
    if (rule) {
        a.answer = cm_attest_decide(&a.r, demand.may_skip);
        a.measurement = which(rule, &a.r);
    }
    cm_appraised_done(out);
    *out = a;
    return CM_OKAY;
}

/* ---- sentences ----------------------------------------------------------------------------- */

static void say_failed(cm_appraisal *out, const cm_policy *p, const cm_policy_rule *rule,
                       const cm_appraised *a)
{
    cm_verdict bad = cm_is(a->answer, CM_ATTEST_INCOMPLETE) ? CM_VERDICT_SKIP : CM_VERDICT_FAIL;
    uint32_t may = rule->demand.may_skip;

    if (rule->any_measurement)
        may |= CM_CHECK_BIT(MEASUREMENT);
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++) {
        if (a->r.check[i].verdict != bad || (bad == CM_VERDICT_SKIP && (may & 1u << i)))
            continue;
        if (i == CM_CHECK_MEASUREMENT && rule->by_reference && rule->n_measurements == 0)
            (void)snprintf(out->sentence, sizeof out->sentence,
                           "Policy \"%.60s\" version %llu refuses the %s: no manifest of reference "
                           "values that it refers to is here, and valid at this time.",
                           p->name, (unsigned long long)p->version, cm_attest_kind_what(a->r.kind));
        else if (i == CM_CHECK_MEASUREMENT && a->measurement)
            (void)snprintf(out->sentence, sizeof out->sentence,
                           "Policy \"%.60s\" version %llu refuses the %s: measurement \"%.60s\" "
                           "was accepted until a time that has come.",
                           p->name, (unsigned long long)p->version, cm_attest_kind_what(a->r.kind),
                           a->measurement->name);
        else
            (void)snprintf(out->sentence, sizeof out->sentence,
                           "Policy \"%.60s\" version %llu refuses the %s: the check %s %s: %s.",
                           p->name, (unsigned long long)p->version, cm_attest_kind_what(a->r.kind),
                           cm_attest_check_name((cm_attest_check)i),
                           bad == CM_VERDICT_FAIL ? "failed" : "could not be made",
                           a->r.check[i].why ? a->r.check[i].why : "it did not pass");
        return;
    }
    (void)snprintf(out->sentence, sizeof out->sentence,
                   "Policy \"%.60s\" version %llu refuses the %s: form, chain or signature did "
                   "not pass.",
                   p->name, (unsigned long long)p->version, cm_attest_kind_what(a->r.kind));
}

static bool is_gpu(cm_attest_kind k)
{
    return k != CM_ATTEST_UNKNOWN && k == cm_attest_kind_of(CM_LIT("nvidia"));
}

/* Whether all that was brought is accepted; every piece has to be (AP-8). */
static bool all_accepted(cm_appraisal *out, const cm_policy *p, const cm_appraised *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const cm_policy_rule *rule = cm_policy_rule_of(p, v[i].r.kind);

        if (!rule) {
            (void)snprintf(out->sentence, sizeof out->sentence,
                           "Policy \"%.60s\" version %llu has no rule for %s evidence.", p->name,
                           (unsigned long long)p->version, cm_attest_kind_name(v[i].r.kind));
            return false;
        }
        if (cm_failed(v[i].answer)) {
            say_failed(out, p, rule, &v[i]);
            return false;
        }
    }
    return true;
}

static bool tier_holds(const cm_policy_tier *t, const cm_appraised *v, size_t n)
{
    bool gpu = false, machine = false;

    for (size_t i = 0; i < n; i++) {
        if (is_gpu(v[i].r.kind))
            gpu = true;
        else if (t->kinds == 0 || (t->kinds & 1u << v[i].r.kind))
            machine = true;
    }
    return !t->never && (!t->evidence || machine) && (!t->gpu || gpu);
}

/* Tiers build on one another: one that fails ends the row (AP-9). */
static unsigned tier_of(const cm_policy *p, const cm_appraised *v, size_t n)
{
    unsigned best = 0;

    for (unsigned t = 0; t < CM_POLICY_TIERS && tier_holds(&p->tier[t], v, n); t++)
        best = t;
    return best;
}

void cm_policy_judge(cm_appraisal *out, const cm_policy *p, const cm_appraised *v, size_t n,
                     uint64_t now)
{
    bool gpu = false, machine = false;

    *out = (cm_appraisal){0};
    for (size_t i = 0; i < n; i++) {
        gpu = gpu || is_gpu(v[i].r.kind);
        machine = machine || !is_gpu(v[i].r.kind);
    }
    if (p->expires && now >= p->expires) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "Policy \"%.60s\" version %llu is over: it accepts nothing any more.",
                       p->name, (unsigned long long)p->version);
        return;
    }
    if (!all_accepted(out, p, v, n))
        return;
    if (!machine || (p->gpu && !gpu)) {
        (void)snprintf(out->sentence, sizeof out->sentence,
                       "Policy \"%.60s\" version %llu asks for evidence of %s, which is missing.",
                       p->name, (unsigned long long)p->version, machine ? "a GPU" : "a machine");
        return;
    }
    out->accepted = true;
    out->tier = tier_of(p, v, n);
    (void)snprintf(out->sentence, sizeof out->sentence,
                   "Policy \"%.60s\" version %llu accepts the %s%s%.60s%s for tier %u.", p->name,
                   (unsigned long long)p->version, cm_attest_kind_what(v[0].r.kind),
                   v[0].measurement ? " of \"" : "", v[0].measurement ? v[0].measurement->name : "",
                   v[0].measurement ? "\"" : "", out->tier);
}
