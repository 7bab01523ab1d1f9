/* Evidence in JSON: what comes out is packs, each judged as of the kind that it says. */
#include <stdlib.h>

#include "attest/trustee.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void judge(const cm_crypt *c, cm_view pack)
{
    const cm_attest_policy policy = {.now = 1785542400};
    const cm_attest_input in = {.evidence = pack};
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {.n_claims = 0};

    must(cm_attest_detect(pack) != CM_ATTEST_UNKNOWN);
    if (cm_ok(cm_attest_verify(&r, c, &in, &policy)))
        must(r.kind == cm_attest_detect(pack));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 4 << 20};
    cm_view piece[CM_ATTEST_SET_MAX];
    size_t pieces = 0;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (n == 0 || p[0] != '{' || cm_failed(cm_trustee_file(&out, cm_view_of(p, n))))
        return 0;
    must(cm_ok(cm_attest_set_read(piece, &pieces, cm_buf_view(&out))) && pieces >= 1);
    for (size_t i = 0; i < pieces; i++)
        judge(c, piece[i]);
    return 0;
}
