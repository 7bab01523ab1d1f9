/* Whatever the bytes: a CoRIM or one reason; values of sizes that measurements have. A manifest has
 * a signature over all of it. */
#include <stdlib.h>

#include "appraise/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check(cm_err e, cm_reference *r, bool is_signed)
{
    must(cm_ok(e) == (r != NULL));
    if (!r)
        return;
    must(r->is_signed == is_signed && r->n <= CM_REFERENCE_VALUES && r->name[0]);
    for (size_t i = 0; i < r->n; i++)
        must(r->v[i].n >= 20 && r->v[i].n <= 64 && r->v[i].name[0] && r->v[i].from[0]);
    cm_reference_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    cm_reference *r = NULL;
    cm_err e;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    e = cm_corim_read(&r, c, cm_view_of(p, n), n % 2 ? CM_ATTEST_TDX : CM_ATTEST_UNKNOWN, NULL, 0);
    check(e, r, false);
    r = NULL;
    e = cm_manifest_read(&r, c, cm_view_of(p, n));
    check(e, r, true);
    return 0;
}
