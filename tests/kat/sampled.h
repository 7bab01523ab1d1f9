#ifndef CM_KAT_SAMPLED_H
#define CM_KAT_SAMPLED_H
/* Under a sanitizer one case in eight of the large sets is enough: the unsanitised run takes all.
 */
#include "vectors.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CM_KAT_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define CM_KAT_SLOW 1
#endif
#endif
#ifndef CM_KAT_SLOW
#define CM_KAT_SLOW 0
#endif

/* Whether to run case n; a case left out is counted. */
static inline bool t_sampled(uint64_t n)
{
    if (!CM_KAT_SLOW || n % 8 == 1)
        return true;
    t_skip("sampled under a sanitizer");
    return false;
}

#endif
