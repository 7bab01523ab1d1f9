#ifndef CM_RUN_TIMER_H
#define CM_RUN_TIMER_H
/*
 * A wheel of 512 slots, 32 ms each: setting and stopping cost the same whatever the number of
 * timers, and a connection sets one at every turn. What is due later than a revolution stays in its
 * slot and is looked at once a revolution. Timers fire late by up to one slot, never early.
 * One thread.
 */
#include "base/base.h"

enum { CM_WHEEL_SLOTS = 512, CM_WHEEL_TICK_MS = 32 };

typedef struct cm_timer {
    struct cm_timer *next, *prev; /* next NULL: not set */
    uint64_t due_ms;
    void (*fire)(struct cm_timer *t); /* may set it again */
} cm_timer;

typedef struct {
    cm_timer slot[CM_WHEEL_SLOTS]; /* heads of rings */
    uint64_t used[CM_WHEEL_SLOTS / 64];
    uint64_t tick; /* the first that has not been looked at */
    size_t n;
} cm_wheel;

void cm_wheel_init(cm_wheel *w, uint64_t now_ms);
/** Fire t at due_ms or soon after; one that is set already moves. */
void cm_wheel_set(cm_wheel *w, cm_timer *t, uint64_t due_ms);
void cm_wheel_stop(cm_wheel *w, cm_timer *t);
/** Fire what is due. */
void cm_wheel_run(cm_wheel *w, uint64_t now_ms);
/** How long to sleep at most, in ms; -1: no timer is set. */
int cm_wheel_sleep_ms(const cm_wheel *w, uint64_t now_ms);

#endif
