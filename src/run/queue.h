#ifndef CM_RUN_QUEUE_H
#define CM_RUN_QUEUE_H
/*
 * Many threads push, one takes all: an intrusive list without locks. Order is kept among the
 * pushes of one thread, and among all that come before one cm_queue_take().
 */
#include <stdatomic.h>

#include "base/base.h"

typedef struct cm_queue_item {
    struct cm_queue_item *next;
} cm_queue_item;

typedef struct {
    _Atomic(cm_queue_item *) top; /* newest first */
} cm_queue;

/** Whether the queue was empty: the taker has to be woken then. i belongs to the queue until it is
 * taken. Any thread. */
static inline bool cm_queue_push(cm_queue *q, cm_queue_item *i)
{
    cm_queue_item *top = atomic_load_explicit(&q->top, memory_order_relaxed);

    do {
        i->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&q->top, &top, i, memory_order_release,
                                                    memory_order_relaxed));
    return top == NULL;
}

/** All that is there, oldest first; NULL when nothing is. One thread alone. */
static inline cm_queue_item *cm_queue_take(cm_queue *q)
{
    cm_queue_item *top = atomic_exchange_explicit(&q->top, NULL, memory_order_acquire);
    cm_queue_item *list = NULL;

    while (top) {
        cm_queue_item *next = top->next;

        top->next = list;
        list = top;
        top = next;
    }
    return list;
}

#endif
