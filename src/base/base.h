#ifndef CM_BASE_BASE_H
#define CM_BASE_BASE_H
/* What every module stands on: error flow, scope cleanup, checked integers, byte order. */
#include <casemate/bytes.h>
#include <casemate/err.h>

/** Leave the function with the error of x, if it has one. */
#define CM_TRY(x)            \
    do {                     \
        cm_err try_ = (x);   \
        if (cm_failed(try_)) \
            return try_;     \
    } while (0)

/** Run fn(&variable) when the scope ends, however it ends. */
#define CM_AUTO(fn) __attribute__((cleanup(fn)))

#define CM_COUNT(a)  (sizeof(a) / sizeof *(a))
#define CM_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CM_MAX(a, b) ((a) > (b) ? (a) : (b))

/** A view of a whole array or of a string literal without its NUL. */
#define CM_VIEW(array) cm_view_of((array), sizeof(array))
#define CM_LIT(text)   cm_view_of("" text, sizeof(text) - 1)

/* ---- memory ------------------------------------------------------------------------------- */

/** n zeroed bytes; free with cm_free(). EXHAUSTED without memory. */
CM_MUST cm_err cm_alloc(void *out, size_t n);
/** count * size zeroed bytes, the product checked. */
CM_MUST cm_err cm_alloc_array(void *out, size_t count, size_t size);
void cm_free(void *p);
/** n bytes that begin a page of 4096, not zeroed; free with cm_free(). */
CM_MUST cm_err cm_alloc_page(void *out, size_t n);
/** A NUL-terminated copy of v; free with cm_free(). */
CM_MUST cm_err cm_strdup(char **out, cm_view v);
/** free() for a pointer variable, for CM_AUTO. */
void cm_free_ptr(void *pp);
/** Overwrite, never optimised away. */
void cm_wipe(void *p, size_t n);

/** Owned buffer helpers for CM_AUTO users that need other integers. */
CM_MUST cm_err cm_buf_be16(cm_buf *b, uint16_t v);
CM_MUST cm_err cm_buf_be32(cm_buf *b, uint32_t v);
CM_MUST cm_err cm_buf_be64(cm_buf *b, uint64_t v);

/* ---- a 256-bit secret --------------------------------------------------------------------- */

typedef struct {
    uint8_t b[32];
} cm_key32;

static inline void cm_key32_wipe(cm_key32 *k)
{
    cm_wipe(k, sizeof *k);
}

/* ---- views -------------------------------------------------------------------------------- */

static inline cm_view cm_view_sub(cm_view v, size_t at, size_t n)
{
    return cm_view_of(v.p + at, n);
}

/** Equality of public bytes: time depends on them. Secrets go through cm_ct_equal(). */
static inline bool cm_view_eq(cm_view a, cm_view b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** Order of public bytes, as memcmp() has it; of two that begin alike the shorter comes first. */
static inline int cm_view_compare(cm_view a, cm_view b)
{
    size_t n = CM_MIN(a.n, b.n);
    int d = n ? memcmp(a.p, b.p, n) : 0;

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

/* ---- checked integers --------------------------------------------------------------------- */

static inline bool cm_add_u64(uint64_t *out, uint64_t a, uint64_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool cm_mul_u64(uint64_t *out, uint64_t a, uint64_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool cm_add_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool cm_mul_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* ---- byte order --------------------------------------------------------------------------- */

static inline void cm_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void cm_put_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline void cm_put_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

static inline uint16_t cm_get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t cm_get_be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline uint64_t cm_get_be64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline uint32_t cm_get_le32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t cm_get_le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline void cm_put_le64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little-endian machines");

#endif
