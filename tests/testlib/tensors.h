#ifndef CM_TESTLIB_TENSORS_H
#define CM_TESTLIB_TENSORS_H
/* Bytes as a source, and what every list of tensors must hold. Shared with the fuzzers, which link
 * nothing of testlib: all of it is here. */
#include <stdlib.h>

#include "sealed/format.h"

struct t_bytes {
    cm_view v;
    uint64_t size;    /* what the file claims to be; 0: v.n */
    uint64_t highest; /* end of what was read */
    size_t piece;     /* at most so many bytes at once; 0: any */
};

static inline cm_err t_bytes_read(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    struct t_bytes *b = self;
    size_t left = off < b->v.n ? b->v.n - (size_t)off : 0;

    n = CM_MIN(n, left);
    if (b->piece)
        n = CM_MIN(n, b->piece);
    if (n)
        memcpy(p, b->v.p + off, n);
    b->highest = CM_MAX(b->highest, off + n);
    *got = n;
    return CM_OKAY;
}

static inline cm_source t_source(struct t_bytes *b)
{
    return (cm_source){.read = t_bytes_read, .self = b, .size = b->size ? b->size : b->v.n};
}

/* Ends the process when a list is not what format.h says, or leaves [base, base + size). */
static inline void t_check_tensors(const cm_tensors *t, uint64_t base, uint64_t size)
{
    uint64_t end = base;

    for (size_t i = 0; i < t->n; i++) {
        const cm_tensor *x = &t->v[i];

        if (x->offset < end || x->offset > base + size || x->size > base + size - x->offset)
            abort();
        if (!x->dtype || strlen(x->dtype) > CM_TENSOR_DTYPE_MAX || x->dims > CM_TENSOR_DIMS)
            abort();
        if (cm_tensors_find(t, x->name) != x)
            abort();
        end = x->offset + x->size;
    }
}

#endif
