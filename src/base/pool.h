#ifndef CM_BASE_POOL_H
#define CM_BASE_POOL_H
/* A fixed set of threads with a bounded queue. */
#include "base/base.h"

typedef struct cm_pool cm_pool;
typedef void (*cm_task_fn)(void *arg);

/** Start threads workers (1 to 256) over a queue of depth tasks. NO_THREAD when the system gives
 * none; whatever was started is stopped again. */
CM_MUST cm_err cm_pool_new(cm_pool **out, unsigned threads, unsigned depth);
/** Queue one task; waits while the queue is full. Not from within a task of the same pool. */
void cm_pool_submit(cm_pool *p, cm_task_fn fn, void *arg);
/** Wait until every queued task has ended. */
void cm_pool_wait(cm_pool *p);
/** Ends what is queued, joins the threads, frees. NULL is fine. */
void cm_pool_free(cm_pool *p);
void cm_pool_free_ptr(cm_pool **p);
/** Processors this process may run on, at least 1. */
unsigned cm_cpu_count(void);

#endif
