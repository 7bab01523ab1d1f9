#include "sealed/line.h"

#include <pthread.h>

#include "base/pool.h"
#include "sealed/floe.h"

enum { WINDOW = 256 };

/* lock guards everything here; take() in order runs under in, give() in order by turn. */
struct state {
    const cm_line *line;
    pthread_mutex_t lock, in;
    pthread_cond_t moved;
    uint64_t next, settled, given;
    bool ended;
    cm_err err;
    struct {
        bool ready;
        cm_item item;
    } ring[WINDOW];
};

static void fail(struct state *s, cm_err e)
{
    pthread_mutex_lock(&s->lock);
    if (cm_ok(s->err))
        s->err = e;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

/* The number of the next segment, once it is close enough to the ones that have settled. */
static bool claim(struct state *s, uint64_t *i)
{
    bool go;

    pthread_mutex_lock(&s->lock);
    while (cm_ok(s->err) && !s->ended && s->next >= s->settled + WINDOW)
        pthread_cond_wait(&s->moved, &s->lock);
    if (cm_ok(s->err) && s->line->cancel && atomic_load(s->line->cancel))
        s->err = CM_FAIL(CANCELLED);
    go = cm_ok(s->err) && !s->ended && s->next < s->line->total;
    if (go)
        *i = s->next++;
    pthread_mutex_unlock(&s->lock);
    return go;
}

static void end_input(struct state *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_mutex_unlock(&s->lock);
}

static cm_err take_one(struct state *s, cm_item *it, bool *go)
{
    bool ordered = s->line->ordered_in;
    cm_err e = CM_OKAY;

    if (ordered)
        pthread_mutex_lock(&s->in);
    *go = claim(s, &it->i);
    if (*go) {
        it->last = it->i == s->line->total - 1;
        e = s->line->ops->take(s->line->arg, it);
        if (cm_ok(e) && it->last)
            end_input(s);
    }
    if (ordered)
        pthread_mutex_unlock(&s->in);
    return e;
}

static cm_err give_one(struct state *s, cm_item *it)
{
    bool mine;
    cm_err e;

    if (!s->line->ordered_out)
        return it->skip || !s->line->ops->give ? CM_OKAY : s->line->ops->give(s->line->arg, it);
    pthread_mutex_lock(&s->lock);
    while (cm_ok(s->err) && s->given != it->i)
        pthread_cond_wait(&s->moved, &s->lock);
    mine = cm_ok(s->err);
    pthread_mutex_unlock(&s->lock);
    if (!mine)
        return CM_OKAY; /* somebody else's error ends the line */
    e = it->skip ? CM_OKAY : s->line->ops->give(s->line->arg, it);
    pthread_mutex_lock(&s->lock);
    s->given++;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return e;
}

static cm_err settle_ready(struct state *s)
{
    while (s->ring[s->settled % WINDOW].ready) {
        cm_item *it = &s->ring[s->settled % WINDOW].item;

        s->ring[s->settled % WINDOW].ready = false;
        if (s->line->ops->settle)
            CM_TRY(s->line->ops->settle(s->line->arg, it));
        s->settled++;
    }
    return CM_OKAY;
}

static void settle(struct state *s, const cm_item *it)
{
    pthread_mutex_lock(&s->lock);
    s->ring[it->i % WINDOW].item = *it;
    s->ring[it->i % WINDOW].ready = true;
    if (cm_ok(s->err))
        s->err = settle_ready(s);
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static cm_err one(struct state *s, cm_item *it, bool *go)
{
    it->n = 0;
    it->buf = it->mem + CM_LINE_LEAD - CM_FLOE_HEAD;
    it->last = it->skip = false;
    CM_TRY(take_one(s, it, go));
    if (!*go)
        return CM_OKAY;
    if (!it->skip)
        CM_TRY(s->line->ops->work(s->line->arg, it));
    CM_TRY(give_one(s, it));
    settle(s, it);
    return CM_OKAY;
}

static void loop(struct state *s, cm_item *it)
{
    bool go = true;

    while (go) {
        cm_err e = one(s, it, &go);

        if (cm_failed(e)) {
            fail(s, e);
            return;
        }
    }
}

/* One thread's part: its buffer and state live as long as it. Buffers hold plaintext: wiped. */
static void work(void *arg)
{
    struct state *s = arg;
    size_t size = s->line->buf + CM_LINE_LEAD;
    CM_AUTO(cm_free_ptr) uint8_t *mem = NULL;
    CM_AUTO(cm_free_ptr) void *worker = NULL;
    cm_item it = {0};

    if (cm_failed(cm_alloc_page(&mem, size)) || cm_failed(cm_alloc(&worker, s->line->worker))) {
        fail(s, CM_FAIL(NO_MEMORY));
        return;
    }
    it.mem = mem;
    it.worker = worker;
    loop(s, &it);
    if (s->line->ops->worker_done)
        s->line->ops->worker_done(worker);
    cm_wipe(mem, size);
}

static cm_err run_threads(struct state *s, unsigned threads)
{
    CM_AUTO(cm_pool_free_ptr) cm_pool *pool = NULL;

    CM_TRY(cm_pool_new(&pool, threads, threads));
    for (unsigned i = 0; i < threads; i++)
        cm_pool_submit(pool, work, s);
    cm_pool_wait(pool);
    return s->err;
}

cm_err cm_line_run(const cm_line *line)
{
    unsigned threads = line->threads ? line->threads : cm_cpu_count();
    struct state *s;
    cm_err e;

    CM_TRY(cm_alloc(&s, sizeof *s));
    *s = (struct state){
        .line = line, .next = line->first, .settled = line->first, .given = line->first};
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->in, NULL);
    pthread_cond_init(&s->moved, NULL);
    threads = CM_MIN(threads, (unsigned)CM_LINE_THREADS_MAX);
    e = run_threads(s, threads);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->in);
    pthread_mutex_destroy(&s->lock);
    cm_free(s);
    return e;
}
