#ifndef CM_AUDIT_COUNTER_H
#define CM_AUDIT_COUNTER_H
/* The rows that cm_unit_bump counts in (audit/commit.h). */
#include "base/base.h"

enum { CM_COUNTER_ROW = 16 };

typedef struct {
    uint64_t value, until; /* ms; 0: never over */
} cm_counter;

static inline void cm_counter_put(uint8_t row[CM_COUNTER_ROW], const cm_counter *c)
{
    cm_put_be64(row, c->value);
    cm_put_be64(row + 8, c->until);
}

/** COMMIT_COUNTER when row is none. */
CM_MUST static inline cm_err cm_counter_get(cm_counter *c, cm_view row)
{
    if (row.n != CM_COUNTER_ROW) {
        return CM_FAIL(COMMIT_COUNTER);
    }
    c->value = cm_get_be64(row.p);
    c->until = cm_get_be64(row.p + 8);
    return CM_OKAY;
}

/** Whether its time is over: it counts from 0 then, and its row may be removed. */
static inline bool cm_counter_over(const cm_counter *c, uint64_t now_ms)
{
    return c->until != 0 && c->until <= now_ms;
}

#endif
