/* A safetensors file: an error, or tensors that lie within it. */
#include "sealed/format.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    for (size_t piece = 0; piece < 4; piece += 3) {
        struct t_bytes b = {.v = cm_view_of(p, n), .piece = piece};
        cm_source s = t_source(&b);
        cm_tensors t = {0};
        cm_format f;
        uint64_t at = 0;

        if (cm_failed(cm_format_guess(&f, &s)))
            abort();
        if (cm_ok(cm_safetensors_parse(&t, &s, 100, &at)))
            t_check_tensors(&t, 100, n);
        else if (at > n || t.n != 0)
            abort();
        cm_tensors_free(&t);
    }
    return 0;
}
