/* Whatever the bytes: collateral with a slot and dates in order, or one reason; a bundle's files
 * are all seen or none. */
#include <stdlib.h>

#include "attest/collateral.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static cm_err count(void *arg, cm_view file)
{
    must(file.n > 0 && file.n <= CM_COLLATERAL_MAX);
    (*(size_t *)arg)++;
    return CM_OKAY;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    cm_collateral what;
    size_t seen = 0;
    cm_err e;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    e = cm_collateral_describe(&what, c, cm_view_of(p, n), 1);
    must(cm_failed(e) || (what.slot[0] && (what.next == 0 || what.next > what.issued)));
    e = cm_collateral_bundle_each(cm_view_of(p, n), count, &seen);
    must(cm_ok(e) || (cm_is(e, CM_COLLATERAL_BUNDLE) && seen == 0));
    return 0;
}
