#include <stdlib.h>

#include "base/base.h"

cm_err cm_alloc(void *out, size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        return CM_FAIL(NO_MEMORY);
    memcpy(out, &p, sizeof p);
    return CM_OKAY;
}

cm_err cm_alloc_page(void *out, size_t n)
{
    void *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096);

    if (!p)
        return CM_FAIL(NO_MEMORY);
    memcpy(out, &p, sizeof p);
    return CM_OKAY;
}

cm_err cm_alloc_array(void *out, size_t count, size_t size)
{
    size_t n;

    if (!cm_mul_size(&n, count, size))
        return CM_FAIL(OVERFLOW);
    return cm_alloc(out, n);
}

void cm_free(void *p)
{
    free(p);
}

void cm_free_ptr(void *pp)
{
    void *p;

    memcpy(&p, pp, sizeof p);
    free(p);
}

void cm_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

cm_err cm_strdup(char **out, cm_view v)
{
    char *s;

    CM_TRY(cm_alloc(&s, v.n + 1));
    if (v.n)
        memcpy(s, v.p, v.n);
    *out = s;
    return CM_OKAY;
}

/* Growth copies by hand: realloc would leave an unwiped copy of what may be secret. */
cm_err cm_buf_reserve(cm_buf *b, size_t n)
{
    size_t need, cap;
    uint8_t *p;

    if (!cm_add_size(&need, b->n, n))
        return CM_FAIL(OVERFLOW);
    if (need > b->max)
        return CM_FAIL(TOO_BIG);
    if (need <= b->cap)
        return CM_OKAY;
    cap = CM_MIN(b->max, CM_MAX(need, b->cap > b->max / 2 ? b->max : 2 * b->cap));
    cap = CM_MAX(cap, CM_MIN(b->max, (size_t)64));
    CM_TRY(cm_alloc(&p, cap));
    if (b->n)
        memcpy(p, b->p, b->n);
    if (b->p) {
        cm_wipe(b->p, b->n);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
    return CM_OKAY;
}

cm_err cm_buf_append(cm_buf *b, cm_view v)
{
    CM_TRY(cm_buf_reserve(b, v.n));
    if (v.n)
        memcpy(b->p + b->n, v.p, v.n);
    b->n += v.n;
    return CM_OKAY;
}

cm_err cm_buf_byte(cm_buf *b, uint8_t v)
{
    return cm_buf_append(b, cm_view_of(&v, 1));
}

cm_err cm_buf_be16(cm_buf *b, uint16_t v)
{
    uint8_t t[2];

    cm_put_be16(t, v);
    return cm_buf_append(b, CM_VIEW(t));
}

cm_err cm_buf_be32(cm_buf *b, uint32_t v)
{
    uint8_t t[4];

    cm_put_be32(t, v);
    return cm_buf_append(b, CM_VIEW(t));
}

cm_err cm_buf_be64(cm_buf *b, uint64_t v)
{
    uint8_t t[8];

    cm_put_be64(t, v);
    return cm_buf_append(b, CM_VIEW(t));
}

void cm_buf_free(cm_buf *b)
{
    size_t max = b->max;

    if (b->p) {
        cm_wipe(b->p, b->cap);
        free(b->p);
    }
    *b = (cm_buf){.max = max};
}

cm_buf cm_buf_take(cm_buf *b)
{
    cm_buf out = *b;

    *b = (cm_buf){.max = b->max};
    return out;
}
