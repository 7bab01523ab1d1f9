#include "sealed/cursor_int.h"

void cm_cursor_init(cm_cursor *c, const cm_source *s, uint64_t end)
{
    c->s = s;
    c->at = 0;
    c->end = CM_MIN(end, s->size);
    c->i = c->n = 0;
}

static cm_err past_end(const cm_cursor *c)
{
    return c->end == c->s->size ? CM_FAIL(FORMAT_TRUNCATED) : CM_FAIL(FORMAT_LIMIT);
}

cm_err cm_cursor_fill(cm_cursor *c)
{
    size_t want = (size_t)CM_MIN(c->end - c->at, (uint64_t)CM_CURSOR_PIECE), got = 0;

    if (want == 0)
        return past_end(c);
    c->i = c->n = 0;
    CM_TRY(c->s->read(c->s->self, c->buf, want, c->at, &got));
    if (got == 0)
        return CM_FAIL(IO_SHORT);
    c->n = CM_MIN(got, want);
    return CM_OKAY;
}

cm_err cm_cursor_bytes(cm_cursor *c, void *p, size_t n)
{
    uint8_t *to = p;

    while (n > 0) {
        size_t part;

        if (c->i == c->n)
            CM_TRY(cm_cursor_fill(c));
        part = CM_MIN(n, c->n - c->i);
        memcpy(to, c->buf + c->i, part);
        c->i += part;
        c->at += part;
        to += part;
        n -= part;
    }
    return CM_OKAY;
}

cm_err cm_cursor_skip(cm_cursor *c, uint64_t n)
{
    if (n > c->end - c->at)
        return past_end(c);
    c->at += n;
    if (n < c->n - c->i)
        c->i += (size_t)n;
    else
        c->i = c->n = 0;
    return CM_OKAY;
}

cm_err cm_cursor_u32(cm_cursor *c, uint32_t *v)
{
    uint8_t b[4];

    CM_TRY(cm_cursor_bytes(c, b, sizeof b));
    *v = cm_get_le32(b);
    return CM_OKAY;
}

cm_err cm_cursor_u64(cm_cursor *c, uint64_t *v)
{
    uint8_t b[8];

    CM_TRY(cm_cursor_bytes(c, b, sizeof b));
    *v = cm_get_le64(b);
    return CM_OKAY;
}
