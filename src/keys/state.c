#include "keys/state.h"

#define DAY_MS ((uint64_t)86400000)

static bool passed(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms != 0 && now_ms >= at_ms;
}

/* KM-43 */
cm_key_state cm_key_state_at(const cm_key_life *l, uint64_t now_ms)
{
    cm_key_state s = l->state;

    if (s == CM_STATE_PRE_ACTIVE && passed(l->activate_ms, now_ms))
        s = CM_STATE_ACTIVE;
    if (s == CM_STATE_ACTIVE && passed(l->deactivate_ms, now_ms))
        s = CM_STATE_DEACTIVATED;
    return s;
}

bool cm_key_destruction_due(const cm_key_life *l, uint64_t now_ms)
{
    return l->state == CM_STATE_PENDING_DESTRUCTION && passed(l->destroy_ms, now_ms);
}

cm_err cm_key_move(cm_key_life *l, cm_key_state to, uint64_t now_ms)
{
    if (to == CM_STATE_PENDING_DESTRUCTION)
        return CM_FAIL(KEY_TRANSITION);
    CM_TRY(cm_key_state_move(cm_key_state_at(l, now_ms), to));
    if (to == CM_STATE_DESTROYED && !cm_key_destruction_due(l, now_ms)) /* KM-42 */
        return CM_FAIL(KEY_STATE);
    *l = (cm_key_life){.state = to};
    return CM_OKAY;
}

/* KM-42 */
cm_err cm_key_destroy(cm_key_life *l, uint64_t days, uint64_t now_ms)
{
    uint64_t at;

    if (days < CM_DESTROY_DAYS_MIN || days > CM_DESTROY_DAYS_MAX)
        return CM_FAIL(KEY_DELAY);
    CM_TRY(cm_key_state_move(cm_key_state_at(l, now_ms), CM_STATE_PENDING_DESTRUCTION));
    if (!cm_add_u64(&at, now_ms, days * DAY_MS))
        return CM_FAIL(OVERFLOW);
    *l = (cm_key_life){.state = CM_STATE_PENDING_DESTRUCTION, .destroy_ms = at};
    return CM_OKAY;
}
