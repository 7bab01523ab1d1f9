#include "keys/schedule.h"

#define DAY_MS ((uint64_t)86400000)

/* KM-50 */
cm_schedule cm_schedule_default(cm_key_purpose p)
{
    switch (p) {
    case CM_PURPOSE_ROOT:
        return (cm_schedule){365 * DAY_MS, 0};
    case CM_PURPOSE_MODEL:
        return (cm_schedule){90 * DAY_MS, 0};
    case CM_PURPOSE_API:
        return (cm_schedule){30 * DAY_MS, 7 * DAY_MS};
    case CM_PURPOSE_SESSION:
    case CM_PURPOSE_DATA:
        break;
    }
    return (cm_schedule){0, 0};
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return cm_add_u64(&sum, a, b) ? sum : UINT64_MAX;
}

uint64_t cm_schedule_first(const cm_schedule *s, uint64_t made_ms)
{
    return s->period_ms ? add(made_ms, s->period_ms) : 0;
}

bool cm_schedule_due(uint64_t next_ms, uint64_t now_ms)
{
    return next_ms != 0 && now_ms >= next_ms;
}

/* KM-51 */
uint64_t cm_schedule_next(const cm_schedule *s, uint64_t next_ms, uint64_t now_ms)
{
    uint64_t missed;

    if (s->period_ms == 0)
        return 0;
    if (next_ms == 0)
        return cm_schedule_first(s, now_ms);
    if (now_ms < next_ms)
        return next_ms;
    missed = (now_ms - next_ms) / s->period_ms;
    return add(next_ms + missed * s->period_ms, s->period_ms);
}

/* KM-52 */
uint64_t cm_schedule_grace_end(const cm_schedule *s, uint64_t now_ms)
{
    return add(now_ms, s->grace_ms);
}
