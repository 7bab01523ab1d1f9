/* Entries and bundles nobody wrote. An entry that is read is written the same. */
#include <stdlib.h>

#include "audit/audit.h"
#include "audit/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void entry(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_AUDIT_ENTRY_MAX};
    cm_audit_entry e;

    if (cm_failed(cm_audit_entry_decode(&e, v)))
        return;
    if (cm_failed(cm_audit_entry_encode(&b, &e)) || !cm_view_eq(cm_buf_view(&b), v))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view rest = cm_view_of(p, n), one;

    entry(rest);
    while (cm_log_entry_next(&rest, &one))
        entry(one);
    return 0;
}
