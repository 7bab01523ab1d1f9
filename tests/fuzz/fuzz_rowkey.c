/* Row keys: what is taken is what its components make again, and nothing else is. */
#include <stdlib.h>

#include "store/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view key = cm_view_of(p, CM_MIN(n, (size_t)2 * CM_PATH_MAX));
    uint8_t room[CM_PATH_MAX];
    cm_buf part = {.p = room, .cap = sizeof room, .max = sizeof room};
    size_t count = 0, i = 0;
    cm_path again;
    bool whole = cm_ok(cm_path_count(key, &count));

    cm_path_init(&again);
    while (cm_ok(cm_path_nth(&part, key, i))) {
        cm_path_add(&again, cm_buf_view(&part));
        part.n = 0;
        i++;
    }
    must(part.n == 0);
    if (whole) {
        must(i == count && count > 0);
        must(cm_view_eq(cm_path_view(&again), key));
    } else if (!again.over && i > 0) {
        must(again.n <= key.n && !cm_view_eq(cm_path_view(&again), key));
    }
    return 0;
}
