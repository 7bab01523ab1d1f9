/* Whatever the text: a policy, or one fault with its place; a policy's rules stand by themselves.
 */
#include <stdlib.h>

#include "appraise/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_policy_fault f;
    cm_policy *policy = NULL;
    cm_err e = cm_policy_read(&policy, cm_view_of(p, n), &f);
    cm_appraisal a;

    must(cm_ok(e) == (policy != NULL));
    must(cm_ok(e) || (f.line && f.column && f.what[0]) || cm_err_class(e) == CM_CLASS_EXHAUSTED);
    if (policy) {
        must(policy->n_rules && policy->n_rules <= CM_POLICY_KINDS && policy->version);
        for (size_t i = 0; i < policy->n_rules; i++) {
            must(policy->rule[i].any_measurement || policy->rule[i].n_measurements);
            must(!(policy->rule[i].demand.may_skip & CM_CHECK_BIT(SIGNATURE)));
        }
        cm_policy_judge(&a, policy, NULL, 0, 0);
        must(!a.accepted);
    }
    cm_policy_free(policy);
    return 0;
}
