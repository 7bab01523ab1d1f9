/* Whatever the bytes: refused, or manifests that are written again as they were. */
#include <stdlib.h>

#include "attest/rim.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_rim all[CM_RIM_MAX];
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_RIM_FILE_MAX};
    cm_view file = cm_view_of(p, n);
    size_t count = 0, held;

    if (cm_failed(cm_rim_read(&all[0], &count, file, 0)))
        return 0;
    must(count > 0 && count <= CM_RIM_MAX && cm_rim_is(file));
    for (size_t i = 1; i < count; i++)
        must(cm_ok(cm_rim_read(&all[i], &held, file, i)) && held == count);
    must(cm_ok(cm_rim_put(&out, all, count)) && cm_view_eq(cm_buf_view(&out), file));
    return 0;
}
