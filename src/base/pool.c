#include "base/pool.h"

#include <pthread.h>
#include <sched.h>

struct task {
    cm_task_fn fn;
    void *arg;
};

/* lock guards everything below it; tasks run outside it. */
struct cm_pool {
    pthread_mutex_t lock;
    pthread_cond_t more, room, idle;
    struct task *queue;
    unsigned depth, head, n, running, threads;
    bool stop;
    pthread_t tid[];
};

static void *work(void *arg)
{
    cm_pool *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct task t;

        while (p->n == 0 && !p->stop)
            pthread_cond_wait(&p->more, &p->lock);
        if (p->n == 0)
            break;
        t = p->queue[p->head];
        p->head = (p->head + 1) % p->depth;
        p->n--;
        p->running++;
        pthread_cond_signal(&p->room);
        pthread_mutex_unlock(&p->lock);
        t.fn(t.arg);
        pthread_mutex_lock(&p->lock);
        if (--p->running == 0 && p->n == 0)
            pthread_cond_broadcast(&p->idle);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

cm_err cm_pool_new(cm_pool **out, unsigned threads, unsigned depth)
{
    cm_pool *p;

    if (threads < 1 || threads > 256 || depth < 1 || depth > 65536)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&p, sizeof *p + threads * sizeof p->tid[0]));
    if (cm_failed(cm_alloc_array(&p->queue, depth, sizeof *p->queue))) {
        cm_free(p);
        return CM_FAIL(NO_MEMORY);
    }
    p->depth = depth;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    pthread_cond_init(&p->room, NULL);
    pthread_cond_init(&p->idle, NULL);
    for (; p->threads < threads; p->threads++) {
        if (pthread_create(&p->tid[p->threads], NULL, work, p) != 0) {
            cm_pool_free(p);
            return CM_FAIL(NO_THREAD);
        }
    }
    *out = p;
    return CM_OKAY;
}

void cm_pool_submit(cm_pool *p, cm_task_fn fn, void *arg)
{
    pthread_mutex_lock(&p->lock);
    while (p->n == p->depth)
        pthread_cond_wait(&p->room, &p->lock);
    p->queue[(p->head + p->n++) % p->depth] = (struct task){fn, arg};
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
}

void cm_pool_wait(cm_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->n || p->running)
        pthread_cond_wait(&p->idle, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void cm_pool_free(cm_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->tid[i], NULL);
    pthread_cond_destroy(&p->idle);
    pthread_cond_destroy(&p->room);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    cm_free(p->queue);
    cm_free(p);
}

void cm_pool_free_ptr(cm_pool **p)
{
    cm_pool_free(*p);
}

unsigned cm_cpu_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (unsigned)CM_MAX(1, CPU_COUNT(&set));
}
