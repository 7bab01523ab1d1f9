#ifndef CASEMATE_BYTES_H
#define CASEMATE_BYTES_H
/* Borrowed and owned bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <casemate/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Borrowed bytes: valid as long as whoever lent them says. */
typedef struct {
    const uint8_t *p;
    size_t n;
} cm_view;

/** Owned bytes that never grow past max. Zeroed is valid and empty, but max 0 holds nothing. */
typedef struct {
    uint8_t *p;
    size_t n, cap, max;
} cm_buf;

static inline cm_view cm_view_of(const void *p, size_t n)
{
    cm_view v = {(const uint8_t *)p, n};
    return v;
}

static inline cm_view cm_view_str(const char *s)
{
    return cm_view_of(s, strlen(s));
}

static inline cm_view cm_buf_view(const cm_buf *b)
{
    return cm_view_of(b->p, b->n);
}

/** Room for n more bytes at p + n. LIMIT past max, EXHAUSTED without memory; b unchanged then. */
CM_API CM_MUST cm_err cm_buf_reserve(cm_buf *b, size_t n);
CM_API CM_MUST cm_err cm_buf_append(cm_buf *b, cm_view v);
CM_API CM_MUST cm_err cm_buf_byte(cm_buf *b, uint8_t v);
/** Wipes what was held, frees it, and leaves an empty buffer with the same max. */
CM_API void cm_buf_free(cm_buf *b);
/** Moves the bytes out and leaves b empty. */
CM_API cm_buf cm_buf_take(cm_buf *b);

#ifdef __cplusplus
}
#endif
#endif
