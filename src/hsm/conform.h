#ifndef CM_HSM_CONFORM_H
#define CM_HSM_CONFORM_H
/*
 * What every provider must do, done for real: keys are made, used, checked and destroyed. Nothing
 * is believed because a list says so. It leaves the provider as it found it but for spent
 * randomness.
 */
#include "hsm/hsm.h"

typedef enum {
    CM_CONFORM_STATUS,
    CM_CONFORM_RANDOM,
    CM_CONFORM_AES256, /* one for each algorithm, in order of cm_hsm_alg */
    CM_CONFORM_AAD = CM_CONFORM_AES256 + CM_HSM_ALGS, /* a wrapped seed is bound to its purpose */
    CM_CONFORM_OTHER_KEY,                             /* and to its key */
    CM_CONFORM_REFIND,                                /* keys are found by id and hash, or not */
    CM_CONFORM_TWICE,                                 /* one id, one key */
    CM_CONFORM_LIMITS,
    CM_CONFORM_COUNT
} cm_conform_test;

typedef enum { CM_CONFORM_PASS = 1, CM_CONFORM_ABSENT, CM_CONFORM_FAIL } cm_conform_result;

typedef struct {
    cm_conform_result result[CM_CONFORM_COUNT];
    cm_err why[CM_CONFORM_COUNT]; /* what the provider said, where it did not pass */
    unsigned passed, absent, failed;
} cm_conform;

/** "ML-DSA-65", "bound to its purpose": static. */
const char *cm_conform_name(cm_conform_test t);
/** Never fails itself: what went wrong stands in out. ABSENT: the provider says it can't, which an
 * algorithm may; FAIL: it does it wrongly. temporary: session keys, so that a crash leaves nothing
 * on the token. */
void cm_conform_run(cm_conform *out, const cm_crypt *c, const cm_hsm *h, bool temporary);

#endif
