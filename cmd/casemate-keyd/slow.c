#include <errno.h>

#include "keyd.h"

enum { JOBS_MAX = 1024, MANY = CM_KEYOPS_MANY };

struct job {
    struct job *next;
    struct conn *conn;
    unsigned kind;
    uint64_t id;
    size_t n;
    uint8_t body[];
};

struct slow {
    struct keyd *k;
    pthread_mutex_t lock; /* guards all below but for device */
    pthread_cond_t more;
    struct job *first, *last;
    size_t waiting;
    bool stop;
    unsigned busy; /* threads with a device's work */
    const cm_hsm_remote *device;
    unsigned threads;
    pthread_t id[CM_HSM_LANES];
};

static cm_err start_thread(struct slow *s);

static void free_job(struct slow *s, struct job *j)
{
    cm_kd_conn_unref(s->k->serve, j->conn);
    cm_wipe(j->body, j->n);
    cm_free(j);
}

static struct job *take_first(struct slow *s)
{
    struct job *j = s->first;

    s->first = j->next;
    if (!s->first)
        s->last = NULL;
    s->waiting--;
    return j;
}

/* How many more threads have work to do; a device has as many as it serves requests at once. */
static size_t room(const struct slow *s)
{
    size_t n = s->device ? cm_hsm_remote_at_once(s->device) : CM_COUNT(s->id);

    return s->first && n > s->busy ? n - s->busy : 0;
}

/* For what is left. Without a thread more, it waits for those there are. */
static void call_another(struct slow *s)
{
    if (s->device && s->busy == s->threads && s->threads < CM_COUNT(s->id))
        (void)cm_failed(start_thread(s));
    else
        pthread_cond_signal(&s->more);
}

/* One job; of a device's, and as long as they are operations, this thread's part of those that
 * wait, up to MANY: signatures by one key are then asked for by one request. */
static size_t take(struct slow *s, struct job *j[MANY])
{
    size_t threads = room(s), n = 0, part;

    part = s->device ? CM_MIN((s->waiting + threads - 1) / threads, (size_t)MANY) : 1;
    do
        j[n++] = take_first(s);
    while (n < part && s->first && s->first->kind == CM_KEYMSG_OP);
    s->busy++;
    if (room(s))
        call_another(s);
    return n;
}

/* did: how many it had before. 0: the end. */
static size_t next_jobs(struct slow *s, struct job *j[MANY], size_t did)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    if (did)
        s->busy--;
    while (!room(s) && !s->stop)
        pthread_cond_wait(&s->more, &s->lock);
    if (!s->stop)
        n = take(s, j);
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* What only now turns out to have to wait for a device goes on there. */
static cm_err hand_over(struct slow *s, const struct job *j, unsigned device)
{
    const cm_keymsg m = {.kind = j->kind, .id = j->id, .body = cm_view_of(j->body, j->n)};

    return cm_kd_slow_add(cm_kd_devices_queue(s->k->devices, device), j->conn, &m);
}

/* packet stays empty when somebody else will answer. */
static cm_err answer_op(struct slow *s, const struct job *j, cm_keyop *op, cm_buf *packet)
{
    atomic_fetch_add_explicit(&s->k->served, 1, memory_order_relaxed);
    if (cm_is(op->result, CM_KEY_DEVICE_WAIT))
        return hand_over(s, j, op->device);
    return cm_keymsg_put_op_answer(packet, j->id, op);
}

static void answer(struct slow *s, const struct job *j, cm_err e, cm_buf *packet)
{
    if (cm_failed(e)) {
        packet->n = 0;
        e = cm_keymsg_put_answer(packet, j->id, (cm_keymsg_kind)j->kind, e, (cm_view){0});
    }
    if (cm_ok(e))
        cm_kd_conn_send(s->k, j->conn, packet);
}

static void run_control(struct slow *s, struct job *j)
{
    CM_AUTO(cm_buf_free) cm_buf packet = {.max = CM_KEYMSG_PACKET};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET - 64};
    cm_err result = cm_kd_control(s->k, j->kind, cm_view_of(j->body, j->n), &body);

    answer(
        s, j,
        cm_keymsg_put_answer(&packet, j->id, (cm_keymsg_kind)j->kind, result, cm_buf_view(&body)),
        &packet);
}

static void run_ops(struct slow *s, struct job *const *j, size_t n)
{
    cm_keyop op[MANY] = {{0}}, *good[MANY] = {NULL};
    size_t goods = 0;
    cm_err e[MANY];

    for (size_t i = 0; i < n; i++) {
        e[i] = cm_keymsg_get_op(&op[i], cm_view_of(j[i]->body, j[i]->n));
        op[i].patient = s->device != NULL;
        if (cm_ok(e[i]))
            good[goods++] = &op[i];
    }
    cm_kd_vault_run_many(s->k->vault, good, goods);
    for (size_t i = 0; i < n; i++) {
        CM_AUTO(cm_buf_free) cm_buf packet = {.max = CM_KEYMSG_PACKET};

        if (cm_ok(e[i]))
            e[i] = answer_op(s, j[i], &op[i], &packet);
        answer(s, j[i], e[i], &packet);
        cm_keyop_done_with(&op[i]);
    }
}

static void *loop(void *arg)
{
    struct slow *s = arg;
    struct job *j[MANY];
    size_t n = 0;

    while ((n = next_jobs(s, j, n)) > 0) {
        if (j[0]->kind == CM_KEYMSG_OP)
            run_ops(s, j, n);
        else
            run_control(s, j[0]);
        for (size_t i = 0; i < n; i++)
            free_job(s, j[i]);
    }
    return NULL;
}

static cm_err start_thread(struct slow *s)
{
    if (pthread_create(&s->id[s->threads], NULL, loop, s) != 0)
        return CM_FAIL(NO_THREAD);
    s->threads++;
    return CM_OKAY;
}

cm_err cm_kd_slow_new(struct slow **out, struct keyd *k, unsigned threads,
                      const cm_hsm_remote *device)
{
    struct slow *s;
    cm_err e = CM_OKAY;

    if (threads == 0 || threads > CM_COUNT(s->id))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&s, sizeof *s));
    s->k = k;
    s->device = device;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    pthread_mutex_lock(&s->lock);
    while (cm_ok(e) && s->threads < threads)
        e = start_thread(s);
    pthread_mutex_unlock(&s->lock);
    if (cm_failed(e)) {
        cm_kd_slow_free(s);
        return e;
    }
    *out = s;
    return CM_OKAY;
}

cm_err cm_kd_slow_add(struct slow *s, struct conn *c, const cm_keymsg *m)
{
    struct job *j;
    bool full;

    CM_TRY(cm_alloc(&j, sizeof *j + m->body.n));
    j->conn = c;
    j->kind = m->kind;
    j->id = m->id;
    j->n = m->body.n;
    if (j->n)
        memcpy(j->body, m->body.p, j->n);
    atomic_fetch_add(&c->refs, 1);
    pthread_mutex_lock(&s->lock);
    full = s->waiting >= JOBS_MAX || s->stop;
    if (!full) {
        if (s->last)
            s->last->next = j;
        else
            s->first = j;
        s->last = j;
        s->waiting++;
        if (room(s))
            call_another(s);
    }
    pthread_mutex_unlock(&s->lock);
    if (full) {
        free_job(s, j);
        return CM_FAIL(KEEPER_FULL);
    }
    return CM_OKAY;
}

void cm_kd_slow_free(struct slow *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->threads; i++)
        pthread_join(s->id[i], NULL);
    while (s->first) {
        struct job *j = s->first;

        s->first = j->next;
        free_job(s, j);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->more);
    cm_free(s);
}
