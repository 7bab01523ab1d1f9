/* The interface for other programs: one object that holds a result. */
#include <casemate/attest.h>

#include "attest/attest.h"
#include "attest/bundle.h"

struct cm_attestation {
    cm_attest_result r;
    cm_err answer;
};

void cm_attestation_free(cm_attestation *a)
{
    if (a)
        cm_attest_result_done(&a->r);
    cm_free(a);
}

static void attestation_free_ptr(cm_attestation **a)
{
    cm_attestation_free(*a);
}

static void crypt_free_ptr(cm_crypt **c)
{
    cm_crypt_free(*c);
}

static cm_err policy_of(cm_attest_policy *p, const cm_attestation_options *o)
{
    *p = (cm_attest_policy){.now = o->at,
                            .measurements = o->measurements,
                            .n_measurements = o->measurement_count,
                            .fresh = o->bound};
    if (o->abi != CM_ABI_VERSION ||
        (o->flags & ~(unsigned)(CM_ATTESTATION_DEBUG | CM_ATTESTATION_MIGRATE)))
        return CM_FAIL(BAD_ARGUMENT);
    p->flags = (o->flags & CM_ATTESTATION_DEBUG ? CM_ATTEST_ALLOW_DEBUG : 0) |
               (o->flags & CM_ATTESTATION_MIGRATE ? CM_ATTEST_ALLOW_MIGRATE : 0);
    for (size_t i = 0; i < o->may_skip_count; i++) {
        cm_attest_check id = cm_attest_check_of(cm_view_str(o->may_skip[i]));

        if (id == CM_CHECK_COUNT)
            return CM_FAIL(BAD_ARGUMENT);
        p->may_skip |= 1u << id;
    }
    return CM_OKAY;
}

static cm_err run(cm_attestation *a, cm_view evidence, const cm_attestation_options *o)
{
    CM_AUTO(crypt_free_ptr) cm_crypt *c = NULL;
    CM_AUTO(cm_attest_bundle_free_ptr) cm_attest_bundle *b = NULL;
    cm_attest_input in = {.evidence = evidence};
    cm_attest_policy p;
    const char *as;

    CM_TRY(policy_of(&p, o));
    CM_TRY(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    CM_TRY(cm_attest_bundle_new(&b, c));
    for (size_t i = 0; i < o->file_count; i++)
        CM_TRY(cm_attest_bundle_add(b, cm_view_str(o->files[i].name ? o->files[i].name : ""),
                                    o->files[i].bytes, &as));
    cm_attest_bundle_input(b, &in);
    CM_TRY(cm_attest_verify(&a->r, c, &in, &p));
    a->answer = cm_attest_decide(&a->r, p.may_skip);
    return CM_OKAY;
}

cm_err cm_attestation_new(cm_attestation **out, cm_view evidence, const cm_attestation_options *o)
{
    CM_AUTO(attestation_free_ptr) cm_attestation *a = NULL;

    CM_TRY(cm_alloc(&a, sizeof *a));
    CM_TRY(run(a, evidence, o));
    *out = a;
    a = NULL;
    return CM_OKAY;
}

cm_err cm_attestation_accepted(const cm_attestation *a)
{
    return a->answer;
}

const char *cm_attestation_kind(const cm_attestation *a)
{
    return cm_attest_kind_name(a->r.kind);
}

const char *cm_attestation_tcb(const cm_attestation *a)
{
    return cm_tcb_name(a->r.tcb);
}

bool cm_attestation_check_at(const cm_attestation *a, size_t i, cm_attestation_check *out)
{
    for (unsigned id = 0; id < CM_CHECK_COUNT; id++) {
        if (a->r.check[id].verdict == CM_VERDICT_ABSENT || i-- != 0)
            continue;
        *out = (cm_attestation_check){cm_attest_check_name((cm_attest_check)id),
                                      cm_verdict_name(a->r.check[id].verdict), a->r.check[id].why};
        return true;
    }
    return false;
}

bool cm_attestation_claim_at(const cm_attestation *a, size_t i, cm_attestation_claim *out)
{
    const cm_attest_claim *c;

    if (i >= a->r.n_claims)
        return false;
    c = &a->r.claim[i];
    *out = (cm_attestation_claim){.name = c->name,
                                  .index = c->index,
                                  .is_number = c->type == CM_CLAIM_U64,
                                  .is_text = c->type == CM_CLAIM_TEXT,
                                  .number = c->u,
                                  .bytes = cm_attest_claim_view(&a->r, c)};
    return true;
}
