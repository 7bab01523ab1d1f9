#include "run/timer.h"

#include <limits.h>

static void ring_init(cm_timer *head)
{
    head->next = head->prev = head;
}

static bool ring_empty(const cm_timer *head)
{
    return head->next == head;
}

static void ring_add(cm_timer *head, cm_timer *t)
{
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

static void ring_remove(cm_timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

void cm_wheel_init(cm_wheel *w, uint64_t now_ms)
{
    *w = (cm_wheel){.tick = now_ms / CM_WHEEL_TICK_MS};
    for (size_t i = 0; i < CM_WHEEL_SLOTS; i++)
        ring_init(&w->slot[i]);
}

void cm_wheel_set(cm_wheel *w, cm_timer *t, uint64_t due_ms)
{
    uint64_t tick = CM_MAX(due_ms / CM_WHEEL_TICK_MS, w->tick);
    size_t slot = tick % CM_WHEEL_SLOTS;

    cm_wheel_stop(w, t);
    t->due_ms = due_ms;
    ring_add(&w->slot[slot], t);
    w->used[slot / 64] |= 1ULL << slot % 64;
    w->n++;
}

void cm_wheel_stop(cm_wheel *w, cm_timer *t)
{
    if (!t->next)
        return;
    ring_remove(t);
    w->n--;
}

/* Timers of one slot whose time has come. They are moved out first: fire() may set any timer, this
 * one or its neighbours, in this very slot. */
static void run_slot(cm_wheel *w, size_t slot, uint64_t now_ms)
{
    cm_timer *head = &w->slot[slot], due, *t, *next;

    ring_init(&due);
    for (t = head->next; t != head; t = next) {
        next = t->next;
        if (t->due_ms <= now_ms) {
            ring_remove(t);
            ring_add(&due, t);
        }
    }
    if (ring_empty(head))
        w->used[slot / 64] &= ~(1ULL << slot % 64);
    while (!ring_empty(&due)) {
        t = due.next;
        ring_remove(t);
        w->n--;
        t->fire(t);
    }
}

void cm_wheel_run(cm_wheel *w, uint64_t now_ms)
{
    uint64_t last = now_ms / CM_WHEEL_TICK_MS, from = w->tick;

    if (last < from)
        return;
    if (last - from >= CM_WHEEL_SLOTS)
        from = last - CM_WHEEL_SLOTS + 1;
    /* The slot of `last` is looked at again next time: what is due later in it waits there. */
    w->tick = last;
    for (; from <= last; from++)
        if (w->used[from % CM_WHEEL_SLOTS / 64] >> from % 64 & 1)
            run_slot(w, from % CM_WHEEL_SLOTS, now_ms);
}

int cm_wheel_sleep_ms(const cm_wheel *w, uint64_t now_ms)
{
    if (w->n == 0)
        return -1;
    for (uint64_t i = 0; i < CM_WHEEL_SLOTS; i++) {
        uint64_t tick = w->tick + i, end = (tick + 1) * CM_WHEEL_TICK_MS;

        if (w->used[tick % CM_WHEEL_SLOTS / 64] >> tick % 64 & 1)
            return end > now_ms ? (int)CM_MIN(end - now_ms, (uint64_t)INT_MAX) : 0;
    }
    return CM_WHEEL_TICK_MS;
}
