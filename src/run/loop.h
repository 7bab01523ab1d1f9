#ifndef CM_RUN_LOOP_H
#define CM_RUN_LOOP_H
/*
 * A reactor: one thread that waits for descriptors, timers and what other threads hand over
 * (epoll, a timer wheel, a queue with an eventfd). Nothing that it calls may block.
 *
 * Only cm_loop_post() and cm_loop_stop() may be called from other threads.
 */
#include <signal.h>

#include "run/queue.h"
#include "run/timer.h"

typedef struct cm_loop cm_loop;

/** One descriptor. Embedded in its owner, who fills in ready() and keeps it until removed. */
typedef struct cm_loop_io {
    int fd;
    /** events: EPOLLIN and so on. May remove and free any io, this one too. */
    void (*ready)(struct cm_loop_io *io, uint32_t events);
} cm_loop_io;

/** Something to run on the loop's thread; belongs to the loop until run(). */
typedef struct cm_loop_task {
    cm_queue_item item; /* first */
    void (*run)(struct cm_loop_task *t);
} cm_loop_task;

CM_MUST cm_err cm_loop_new(cm_loop **out);
/** Tasks that wait are not run. NULL is fine. */
void cm_loop_free(cm_loop *l);
void cm_loop_free_ptr(cm_loop **l);
/** Until cm_loop_stop(). RUN_LOOP when the system's calls fail. */
CM_MUST cm_err cm_loop_run(cm_loop *l);
/** Ends cm_loop_run() after the round under way. Any thread; async-signal-safe. */
void cm_loop_stop(cm_loop *l);

/** Watch io->fd for events. RUN_LOOP. */
CM_MUST cm_err cm_loop_add(cm_loop *l, cm_loop_io *io, uint32_t events);
CM_MUST cm_err cm_loop_change(cm_loop *l, cm_loop_io *io, uint32_t events);
/** Before its descriptor is closed. It is not called again, also not in this round. */
void cm_loop_remove(cm_loop *l, cm_loop_io *io);

/** From any thread: run t on the loop's own, soon. */
void cm_loop_post(cm_loop *l, cm_loop_task *t);
/** On the loop's thread: run t once all that is ready in this round has been served; what such a
 * task puts off itself waits for the next round. */
void cm_loop_later(cm_loop *l, cm_loop_task *t);
/** Runs what was put off so far, now: for the owner of such tasks, once the loop has stopped. */
void cm_loop_settle(cm_loop *l);

/** Monotonic milliseconds at the beginning of the round. */
uint64_t cm_loop_now(const cm_loop *l);
cm_wheel *cm_loop_timers(cm_loop *l);
static inline void cm_loop_after(cm_loop *l, cm_timer *t, uint64_t ms)
{
    cm_wheel_set(cm_loop_timers(l), t, cm_loop_now(l) + ms);
}

/** Take the signals of set, which every thread must have blocked, as events. Once a loop. */
CM_MUST cm_err cm_loop_signals(cm_loop *l, const sigset_t *set, void (*got)(void *arg, int signo),
                               void *arg);

#endif
