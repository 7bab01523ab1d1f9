/* Receipts nobody gave. What is read is written the same. */
#include <stdlib.h>

#include "audit/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_RECEIPT_MAX};
    CM_AUTO(cm_receipt_done) cm_receipt r = {0};

    if (cm_failed(cm_receipt_parse(&r, cm_view_of(p, n))))
        return 0;
    if (cm_failed(cm_receipt_put(&b, r.index, cm_view_of(r.proof, r.proof_n), cm_buf_view(&r.extra),
                                 r.note)))
        abort();
    /* an empty "extra" is read, and not written */
    if (r.extra.n > 0 && !cm_view_eq(cm_buf_view(&b), cm_view_of(p, n)))
        abort();
    return 0;
}
