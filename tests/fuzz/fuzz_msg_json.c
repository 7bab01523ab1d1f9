/* What is read from JSON is checked, written, read again the same; and so it is through protobuf.
 */
#include <stdlib.h>

#include "wire_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf json = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf proto = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf again = {.max = 1 << 20};
    cm_msg_fault fault = {.why = NULL};
    cm_msg *m = NULL;
    cm_err e;

    must(cm_ok(cm_arena_new(&a, 1 << 22)));
    e = cm_msg_from_json(&m, a, &sample, cm_view_of(p, n), &fault);
    if (cm_failed(e)) {
        must(!m && (fault.why || cm_is(e, CM_MSG_LIMIT)));
        return 0;
    }
    must(cm_ok(cm_msg_check(m, NULL)));
    must(cm_ok(cm_msg_to_json(&json, m)) && cm_ok(cm_msg_to_proto(&proto, m)));
    must(cm_ok(cm_msg_from_json(&m, a, &sample, cm_buf_view(&json), NULL)));
    must(cm_ok(cm_msg_to_proto(&again, m)));
    must(cm_view_eq(cm_buf_view(&proto), cm_buf_view(&again)));
    must(cm_ok(cm_msg_from_proto(&m, a, &sample, cm_buf_view(&proto), NULL)));
    again.n = 0;
    must(cm_ok(cm_msg_to_json(&again, m)));
    must(cm_view_eq(cm_buf_view(&json), cm_buf_view(&again)));
    return 0;
}
