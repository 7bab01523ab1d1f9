#ifndef CM_KEYS_SCHEDULE_H
#define CM_KEYS_SCHEDULE_H
/*
 * When keys are due to be replaced: spec/kms-keys.md, 6. Pure functions of times in milliseconds
 * since 1970; 0 stands for never. Who acts on it is the server's scheduler.
 */
#include "base/base.h"

typedef enum {
    CM_PURPOSE_ROOT,    /* every 365 days */
    CM_PURPOSE_MODEL,   /* with every version of a model, and every 90 days */
    CM_PURPOSE_API,     /* every 30 days; the one before works for another 7 */
    CM_PURPOSE_SESSION, /* one a connection: nothing to schedule */
    CM_PURPOSE_DATA,    /* when asked */
} cm_key_purpose;

typedef struct {
    uint64_t period_ms; /* 0: never by itself */
    uint64_t grace_ms;  /* how long the version before stays good */
} cm_schedule;

/** Never by itself, for an unknown purpose. */
cm_schedule cm_schedule_default(cm_key_purpose p);
/** When a key that is made now is first due. Saturates. */
uint64_t cm_schedule_first(const cm_schedule *s, uint64_t made_ms);
bool cm_schedule_due(uint64_t next_ms, uint64_t now_ms);
/** When it is due after a rotation at now_ms that was due at next_ms: a whole number of periods
 * later, past now. Periods that were missed are not made up for, and a clock that jumped back
 * brings nothing forward (KM-51). 0 when s never rotates. */
uint64_t cm_schedule_next(const cm_schedule *s, uint64_t next_ms, uint64_t now_ms);
/** Until when the version that was replaced at now_ms is good. */
uint64_t cm_schedule_grace_end(const cm_schedule *s, uint64_t now_ms);

#endif
