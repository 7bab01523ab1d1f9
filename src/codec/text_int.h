#ifndef CM_CODEC_TEXT_INT_H
#define CM_CODEC_TEXT_INT_H
/* Arithmetic instead of tables and branches: a key in hex or base64 leaves no trace in the cache.
 */
#include "base/ct.h"

/* All ones when lo <= c <= hi, for numbers below 2^31. */
static inline uint32_t in_range(uint32_t c, uint32_t lo, uint32_t hi)
{
    return cm_ct_hide(0u - (((lo - 1 - c) & (c - hi - 1)) >> 31));
}

#endif
