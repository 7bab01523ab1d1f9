/* Whatever files beside evidence hold: each is known for what it is or for nothing, and what they
 * are together can be given to a verifier. The first byte chooses a name and where to cut. */
#include <stdlib.h>

#include "attest/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *c;

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_attest_bundle_free_ptr) cm_attest_bundle *b = NULL;
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {.n_claims = 0};
    static const char *const names[] = {"a.json", "a.sig", "b", "b.pem"};
    cm_attest_input in = {.evidence = CM_LIT("\xd2\x84\x44\xa1\x01\x38\x22\x00")};
    cm_attest_policy policy = {.now = 1770000000};
    const char *as;
    size_t at;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (n < 2)
        return 0;
    at = 1 + p[0] % (n - 1);
    must(cm_ok(cm_attest_bundle_new(&b, c)));
    must(cm_ok(
        cm_attest_bundle_add(b, cm_view_str(names[p[0] & 3]), cm_view_of(p + 1, n - 1), &as)));
    must(cm_ok(cm_attest_bundle_add(b, CM_LIT("a.sig"), cm_view_of(p + at, n - at), &as)));
    cm_attest_bundle_input(b, &in);
    must(cm_ok(cm_attest_verify(&r, c, &in, &policy)));
    must(cm_failed(cm_attest_decide(&r, UINT32_MAX)));
    return 0;
}
