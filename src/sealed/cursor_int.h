#ifndef CM_SEALED_CURSOR_INT_H
#define CM_SEALED_CURSOR_INT_H
/* A forward cursor over a source: reads it in pieces, and never past the end it is given. */
#include "sealed/format.h"

enum { CM_CURSOR_PIECE = 16384 };

typedef struct {
    const cm_source *s;
    uint64_t at, end; /* of the next byte; of what may be read */
    size_t i, n;      /* of buf: the next byte, what is there */
    uint8_t buf[CM_CURSOR_PIECE];
} cm_cursor;

/** end is cut to the source's size. */
void cm_cursor_init(cm_cursor *c, const cm_source *s, uint64_t end);
/** Fill an empty buffer. FORMAT_TRUNCATED at the source's end, FORMAT_LIMIT at an earlier one. */
CM_MUST cm_err cm_cursor_fill(cm_cursor *c);
CM_MUST cm_err cm_cursor_bytes(cm_cursor *c, void *p, size_t n);
CM_MUST cm_err cm_cursor_skip(cm_cursor *c, uint64_t n);
CM_MUST cm_err cm_cursor_u32(cm_cursor *c, uint32_t *v);
CM_MUST cm_err cm_cursor_u64(cm_cursor *c, uint64_t *v);

/** The next byte, which stays. */
static inline cm_err cm_cursor_peek(cm_cursor *c, uint8_t *b)
{
    if (c->i == c->n)
        CM_TRY(cm_cursor_fill(c));
    *b = c->buf[c->i];
    return CM_OKAY;
}

/** Behind a peek that went well. */
static inline void cm_cursor_next(cm_cursor *c)
{
    c->i++;
    c->at++;
}

#endif
