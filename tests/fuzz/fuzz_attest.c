/* Evidence of every kind: whatever the bytes, a verdict and no claim past its buffer. The first
 * byte chooses the kind; what stands behind a line of PEM goes to the certificates too. */
#include <stdlib.h>

#include "attest/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *c;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void look(const cm_attest_result *r)
{
    for (size_t i = 0; i < r->n_claims; i++)
        must(r->claim[i].at + r->claim[i].n <= r->data.n);
    for (unsigned i = 0; i < CM_CHECK_COUNT; i++)
        must(r->check[i].verdict < CM_VERDICT_SKIP || r->check[i].why);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {0};
    cm_view v = cm_view_of(p, n);
    cm_attest_input in = {.certs = &v, .n_certs = 1, .crls = &v, .n_crls = 1};
    cm_attest_policy policy = {.now = 1770000000, .max_age = 60};

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (n < 2)
        return 0;
    in.kind = (cm_attest_kind)(p[0] & 15);
    in.evidence = in.tcb_info = in.qe_identity = in.event_log = v = cm_view_sub(v, 1, n - 1);
    if (cm_ok(cm_attest_verify(&r, c, &in, &policy)))
        look(&r);
    return 0;
}
