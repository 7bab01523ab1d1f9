#ifndef CM_KEYS_STATE_H
#define CM_KEYS_STATE_H
/*
 * Where a version of a key stands at a given time, and how it is destroyed: spec/kms-keys.md, 5.
 * Which uses and moves a state allows is in keys/types.h. Pure functions; times are milliseconds
 * since 1970, 0 stands for never.
 */
#include "keys/types.h"

enum { CM_DESTROY_DAYS_MIN = 7, CM_DESTROY_DAYS_MAX = 30 };

/** What is stored of a version's life. */
typedef struct {
    cm_key_state state;
    uint64_t activate_ms;   /* PRE_ACTIVE: from then on active by itself */
    uint64_t deactivate_ms; /* ACTIVE: from then on deactivated by itself */
    uint64_t destroy_ms;    /* PENDING_DESTRUCTION: not before */
} cm_key_life;

/** Time alone activates and deactivates. It never destroys: that is an act, logged (KM-43). */
cm_key_state cm_key_state_at(const cm_key_life *l, uint64_t now_ms);
/** CM_STATE_DESTROYED, the secret erased, is due. */
bool cm_key_destruction_due(const cm_key_life *l, uint64_t now_ms);
/** Move to another state, now: KEY_TRANSITION; l is untouched then. For PENDING_DESTRUCTION use
 * cm_key_destroy(); DESTROYED is refused before it is due (KEY_STATE). */
CM_MUST cm_err cm_key_move(cm_key_life *l, cm_key_state to, uint64_t now_ms);
/** Pending destruction in so many days: KEY_DELAY outside 7 to 30, KEY_TRANSITION. */
CM_MUST cm_err cm_key_destroy(cm_key_life *l, uint64_t days, uint64_t now_ms);

#endif
