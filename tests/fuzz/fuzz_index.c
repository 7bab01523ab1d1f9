/* An index record: an error, or tensors within the model, and the same bytes when written again. */
#include "sealed/index.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MODEL = 1 << 20, NONCE_AT = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_buf again = {.max = CM_INDEX_MAX};
    cm_index x = {0};

    if (cm_ok(cm_index_decode(&x, cm_view_of(p, n), MODEL))) {
        t_check_tensors(&x.tensors, 0, MODEL);
        if (cm_failed(cm_index_encode(&again, &x, p + NONCE_AT)) ||
            !cm_view_eq(cm_buf_view(&again), cm_view_of(p, n)))
            abort();
        cm_buf_free(&again);
    }
    cm_index_free(&x);
    return 0;
}
