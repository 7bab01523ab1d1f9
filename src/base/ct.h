#ifndef CM_BASE_CT_H
#define CM_BASE_CT_H
/* Constant-time helpers. Masks are all ones or all zeros. */
#include "base/base.h"

/** Tell a constant-time checker that these bytes are public from here on. Each use says why. */
#ifdef CM_CT_CHECK
#include <valgrind/memcheck.h>
#define CM_SECRET(p, n)     VALGRIND_MAKE_MEM_UNDEFINED((p), (n))
#define CM_DECLASSIFY(p, n) VALGRIND_MAKE_MEM_DEFINED((p), (n))
#else
#define CM_SECRET(p, n)     ((void)(p), (void)(n))
#define CM_DECLASSIFY(p, n) ((void)(p), (void)(n))
#endif

/* Keeps a compiler from turning mask arithmetic back into a branch. */
static inline uint32_t cm_ct_hide(uint32_t x)
{
    __asm__("" : "+r"(x));
    return x;
}

/** 0 when n bytes are equal, otherwise non-zero; time depends on n alone. */
static inline uint32_t cm_ct_diff(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = (const volatile uint8_t *)a, *y = (const volatile uint8_t *)b;
    uint32_t d = 0;

    for (size_t i = 0; i < n; i++)
        d |= (uint32_t)(x[i] ^ y[i]);
    return cm_ct_hide(d);
}

/** All ones when x is not 0. */
static inline uint32_t cm_ct_mask(uint32_t x)
{
    x = cm_ct_hide(x);
    return cm_ct_hide((uint32_t) - (int32_t)((x | (0u - x)) >> 31));
}

/** mask ? a : b for each byte, where mask comes from cm_ct_mask(). */
static inline void cm_ct_select(uint8_t *out, uint32_t mask, const uint8_t *a, const uint8_t *b,
                                size_t n)
{
    uint8_t m = (uint8_t)cm_ct_hide(mask);

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((a[i] & m) | (b[i] & (uint8_t)~m));
}

/** Whether secrets of public length are equal. The answer itself is public. */
static inline bool cm_ct_equal(cm_view a, cm_view b)
{
    uint32_t d;

    if (a.n != b.n)
        return false;
    d = cm_ct_diff(a.p, b.p, a.n);
    CM_DECLASSIFY(&d, sizeof d); /* accept or reject is what the caller makes public */
    return d == 0;
}

#endif
