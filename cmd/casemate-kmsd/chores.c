/* What falls due as time goes by (svc/scheduler.h), on a thread of its own: it may make keys for
 * seconds, over a connection to keyd that nobody waits for. */
#include <pthread.h>
#include <time.h>

#include "base/os.h"
#include "kmsd.h"
#include "svc/scheduler.h"

enum { ROUND_S = CM_SCHEDULER_TERM_S / 3, KEY_MS = 60000, ME = 16, HOLD_S = 3600 };

#define DAY_NS UINT64_C(86400000000000)

struct chores {
    kmsd *d;
    cm_svc *svc;
    pthread_t thread;
    pthread_mutex_t lock; /* of stop */
    pthread_cond_t wake;
    bool stop;
    cm_keeper_client *keys;
    cm_scheduler scheduler;
    uint8_t me[ME];
    uint64_t warn_at_ns; /* when the root is next said to be due */
};

static cm_err run_key(void *self, cm_keyop *op)
{
    struct chores *h = self;

    (void)cm_keeper_tick(h->keys, cm_os_monotonic_ns() / 1000000);
    return cm_keeper_run(h->keys, op, KEY_MS);
}

static void log_refusals(struct chores *h, bool all)
{
    cm_err e = cm_svc_log_refusals(h->svc, all);

    if (cm_failed(e))
        CM_LOG(h->d->log, WARNING, "chores_failed", cm_log_err(e));
}

/* Whether there is more to do at once. */
static bool round_once(struct chores *h)
{
    cm_scheduler_round_of r = {.leader = false};
    cm_err e;

    if (atomic_load(&h->d->keyd) != KEYD_OPEN)
        return false;
    log_refusals(h, false);
    h->scheduler.root_generation = atomic_load(&h->d->root_generation);
    e = cm_scheduler_round(&h->scheduler, cm_os_monotonic_ns(), &r);

    if (atomic_exchange(&h->d->leads, r.leader) != r.leader)
        CM_LOG(h->d->log, INFO, "leader", cm_log_number("leads", r.leader));
    if (r.root_due && cm_os_monotonic_ns() >= h->warn_at_ns) {
        h->warn_at_ns = cm_os_monotonic_ns() + DAY_NS;
        CM_LOG(h->d->log, WARNING, "root_is_due", cm_log_str("fix", "casemate rotate-root"));
    }
    if (r.ahead || r.back)
        CM_LOG(h->d->log, WARNING, "clock_jumped", cm_log_str("way", r.ahead ? "ahead" : "back"));
    if (cm_failed(e)) {
        CM_LOG(h->d->log, WARNING, "chores_failed", cm_log_err(e));
        return false;
    }
    if (r.activated + r.rotated + r.destroyed + r.rewrapped + r.failed)
        CM_LOG(h->d->log, INFO, "chores", cm_log_number("activated", r.activated),
               cm_log_number("rotated", r.rotated), cm_log_number("destroyed", r.destroyed),
               cm_log_number("rewrapped", r.rewrapped), cm_log_number("failed", r.failed));
    return r.more && r.failed == 0;
}

/* Until the next round, which comes at once where there is more to do; false: it is time to stop.
 */
static bool pause_for(struct chores *h, bool more)
{
    struct timespec until;
    bool stop;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ROUND_S;
    pthread_mutex_lock(&h->lock);
    while (!more && !h->stop && pthread_cond_timedwait(&h->wake, &h->lock, &until) == 0)
        continue;
    stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    return !stop;
}

static void *work(void *arg)
{
    struct chores *h = arg;

    while (pause_for(h, round_once(h)))
        continue;
    if (atomic_load(&h->d->keyd) == KEYD_OPEN)
        log_refusals(h, true);
    cm_scheduler_done(&h->scheduler);
    return NULL;
}

static void chores_free(struct chores *h)
{
    cm_keeper_free_ptr(&h->keys);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    cm_free(h);
}

static cm_err prepare(struct chores *h, cm_svc *svc)
{
    cm_keeper_options o = {.connect = cm_kmsd_next_socket, .arg = &h->d->chores_fd, .fd = -1};

    CM_TRY(cm_random(h->d->crypt, h->me, sizeof h->me));
    CM_TRY(cm_keeper_new(&h->keys, &o));
    cm_scheduler_init(&h->scheduler, svc, (cm_key_runner){.run = run_key, .self = h},
                      CM_VIEW(h->me));
    h->svc = svc;
    h->scheduler.hold_s = HOLD_S;
    h->scheduler.kek_ms = h->d->v->rotation.kek;
    return pthread_create(&h->thread, NULL, work, h) == 0 ? CM_OKAY : CM_FAIL(NO_THREAD);
}

cm_err cm_kmsd_chores_start(kmsd *d, cm_svc *svc)
{
    pthread_condattr_t monotonic;
    struct chores *h;
    cm_err e;

    CM_TRY(cm_alloc(&h, sizeof *h));
    *h = (struct chores){.d = d};
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    e = prepare(h, svc);
    if (cm_failed(e))
        chores_free(h);
    else
        d->chores = h;
    return e;
}

void cm_kmsd_chores_stop(kmsd *d)
{
    struct chores *h = d->chores;
    int fd;

    if (h) {
        pthread_mutex_lock(&h->lock);
        h->stop = true;
        pthread_cond_signal(&h->wake);
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->thread, NULL);
        chores_free(h);
        d->chores = NULL;
    }
    fd = atomic_exchange(&d->chores_fd, -1);
    cm_os_close_fd(&fd);
}
