/* The thread that commits. */
#include "audit/commit_int.h"
#include "base/os.h"
#include "crypt/merkle.h"

enum { MS = 1000000 };

/* at most this long after it was signed is a checkpoint in the store, if nothing else is
 * written meanwhile. */
static const uint64_t note_ns = UINT64_C(100) * MS;
static const uint64_t retry_first_ns = UINT64_C(50) * MS, retry_last_ns = UINT64_C(2000) * MS;
enum { CONFLICTS_MAX = 40 };

/* With the lock held. */
static void wait_until(cm_committer *c, uint64_t ns)
{
    struct timespec at = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

    (void)pthread_cond_timedwait(&c->commit_wake, &c->lock, &at);
}

/* Another node may have written a newer checkpoint than this one's. */
static cm_err reload_note(cm_committer *c)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    cm_checkpoint k;
    cm_note n;
    cm_path p;
    cm_err e;

    cm_log_note_path(&p);
    e = cm_store_get(c->o.store, cm_path_view(&p), &b, &c->note_version);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        c->note_version = c->note_stored = 0;
        return CM_OKAY;
    }
    CM_TRY(e);
    CM_TRY(cm_note_parse(&n, cm_buf_view(&b)));
    CM_TRY(cm_checkpoint_parse(&k, n.text));
    c->note_stored = k.size;
    return CM_OKAY;
}

cm_err cm_commit_reload(cm_committer *c)
{
    cm_log_head h;
    cm_err e;

    cm_batch_forget(&c->batch);
    CM_TRY(cm_log_head_read(&h, c->o.store));
    (void)pthread_mutex_lock(&c->tree_lock);
    e = cm_log_load(c->tree, c->versions, c->o.store, &h);
    (void)pthread_mutex_unlock(&c->tree_lock);
    CM_TRY(e);
    if (h.size < c->size) {
        return CM_FAIL(AUDIT_ROLLBACK);
    }
    CM_TRY(reload_note(c));
    c->head = h;
    c->stale = false;
    return CM_OKAY;
}

/* ---- the rows of one batch ---- */

typedef struct {
    cm_committer *c;
    uint64_t versions[CM_TILE_LEVELS];
    bool grown[CM_TILE_LEVELS];
    cm_err err;
} growth;

static cm_err put_tile(growth *g, const cm_tile *t)
{
    cm_path *p = cm_batch_path(&g->c->batch);

    cm_log_tile_path(p, t->level, t->n);
    return cm_batch_put(&g->c->batch, cm_path_view(p), ++g->versions[t->level],
                        cm_view_of(t->node, (size_t)t->width * 32));
}

/* a full tile is written for the last time. */
static void full_tile(void *arg, const cm_tile *t)
{
    growth *g = arg;

    if (cm_ok(g->err)) {
        g->err = put_tile(g, t);
    }
    g->versions[t->level] = 0;
    if (t->level + 1 < CM_TILE_LEVELS) {
        g->grown[t->level + 1] = true;
    }
}

/* Appends the leaves to the tree in memory, which is ahead of the store from here on. */
static cm_err grow_tree(cm_committer *c, growth *g, cm_log_head *next)
{
    cm_batch *b = &c->batch;

    c->stale = true;
    for (size_t i = 0; i < b->leaves; i++) {
        cm_merkle_leaf(b->leaf[i], cm_view_of(NULL, 0), cm_batch_entry(b, i));
    }
    (void)pthread_mutex_lock(&c->tree_lock);
    for (size_t i = 0; i < b->leaves; i++) {
        cm_tree_push(c->tree, b->leaf[i], full_tile, g);
    }
    next->size = c->tree->size;
    cm_tree_root(next->root, c->tree);
    (void)pthread_mutex_unlock(&c->tree_lock);
    return g->err;
}

static cm_err put_head(cm_batch *b, const cm_log_head *h)
{
    cm_path *p = cm_batch_path(b);

    cm_put_be64(b->head, h->size);
    memcpy(b->head + 8, h->root, 32);
    cm_put_be64(b->head + 40, h->time_ms);
    cm_log_head_path(p);
    return cm_batch_put(b, cm_path_view(p), h->version, CM_VIEW(b->head));
}

static cm_err put_leaves(cm_committer *c, growth *g, cm_log_head *next)
{
    cm_batch *b = &c->batch;

    if (b->leaves == 0) {
        return CM_OKAY;
    }
    CM_TRY(cm_batch_put_entries(b, c->head.size));
    CM_TRY(grow_tree(c, g, next));
    for (unsigned l = 1; l < CM_TILE_LEVELS; l++) {
        if (g->grown[l] && c->tree->edge[l].width > 0) {
            CM_TRY(put_tile(g, &c->tree->edge[l]));
        }
    }
    next->version++;
    next->time_ms = b->last_ms;
    return put_head(b, next);
}

/* ---- the last checkpoint's row ---- */

/* Copies what the sign thread made, if it is to be written now. */
static uint64_t fetch_note(cm_committer *c)
{
    bool due = cm_os_monotonic_ns() >= c->note_at + note_ns;
    uint64_t size;
    cm_err e = CM_OKAY;

    c->note_out.n = 0;
    (void)pthread_mutex_lock(&c->lock);
    size = c->note_size;
    c->note_dirty = c->note_dirty && size > c->note_stored; /* another node's may be newer */
    if (c->note_dirty && due) {
        e = cm_buf_append(&c->note_out, cm_buf_view(&c->note));
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (cm_failed(e)) {
        c->note_out.n = 0;
    }
    return size;
}

static cm_err put_note(cm_committer *c)
{
    cm_path *p = cm_batch_path(&c->batch);

    cm_log_note_path(p);
    return cm_batch_put(&c->batch, cm_path_view(p), c->note_version + 1, cm_buf_view(&c->note_out));
}

static void note_written(cm_committer *c, uint64_t size)
{
    c->note_version++;
    c->note_stored = size;
    c->note_at = cm_os_monotonic_ns();
    (void)pthread_mutex_lock(&c->lock);
    if (c->note_size <= c->note_stored) {
        c->note_dirty = false;
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* ---- one batch ---- */

static cm_err commit_rows(cm_committer *c, cm_txn **t)
{
    cm_txn *mine = *t;

    if (c->batch.writes == 0) {
        return CM_OKAY;
    }
    CM_TRY(cm_txn_write(mine, c->batch.write, c->batch.writes));
    *t = NULL;
    return cm_txn_commit(mine);
}

/* Nobody else writes any more: what other nodes have appended is read now. */
static cm_err catch_up(cm_committer *c)
{
    if (c->batch.known || c->batch.head_version == c->head.version) {
        return CM_OKAY;
    }
    CM_TRY(cm_commit_reload(c));
    return c->batch.head_version == c->head.version ? CM_OKAY : CM_FAIL(STORE_CONFLICT);
}

/* The head's row and the note's are written at the version after the one known here, so who was
 * overtaken by another node all the same finds a conflict. */
static cm_err try_batch(cm_committer *c, cm_unit *units)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    growth g = {.c = c};
    cm_log_head next;
    uint64_t note_size;

    CM_TRY(cm_batch_begin(&c->batch, units));
    CM_TRY(cm_txn_begin(&t, c->o.store));
    CM_TRY(cm_batch_read(&c->batch, t));
    CM_TRY(catch_up(c));
    next = c->head;
    note_size = fetch_note(c);
    memcpy(g.versions, c->versions, sizeof g.versions);
    c->batch.last_ms = c->head.time_ms;
    CM_TRY(cm_batch_judge(&c->batch, units, c->head.size, c->o.now_ms(c->o.now_arg)));
    CM_TRY(put_leaves(c, &g, &next));
    if (c->note_out.n > 0) {
        CM_TRY(put_note(c));
    }
    CM_TRY(commit_rows(c, &t));
    c->head = next;
    c->stale = false;
    memcpy(c->versions, g.versions, sizeof c->versions);
    cm_batch_committed(&c->batch);
    if (c->note_out.n > 0) {
        note_written(c, note_size);
    }
    return CM_OKAY;
}

cm_err cm_commit_flush_note(cm_committer *c)
{
    c->note_at = 0;
    return c->note_dirty ? try_batch(c, NULL) : CM_OKAY;
}

/* Nodes that share a store get out of each other's way: 1 ms, 2 ms, ... 128 ms, each more or less
 * by chance. */
static void back_off(cm_committer *c, unsigned attempt)
{
    uint64_t ns = (UINT64_C(1) * MS) << CM_MIN(attempt, 7u);
    uint64_t until = cm_os_monotonic_ns();

    c->jitter = (c->jitter + until) * UINT64_C(6364136223846793005) + 1;
    until += ns / 2 + (c->jitter >> 33) % ns;
    (void)pthread_mutex_lock(&c->lock);
    while (cm_os_monotonic_ns() < until) {
        wait_until(c, until);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static bool overtaken(cm_err e)
{
    return cm_is(e, CM_STORE_CONFLICT) || cm_is(e, CM_STORE_BUSY);
}

static cm_err run_batch(cm_committer *c, cm_unit *units)
{
    cm_err e = CM_OKAY;

    for (unsigned attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
        if (c->stale) {
            CM_TRY(cm_commit_reload(c));
        }
        e = try_batch(c, units);
        if (!overtaken(e)) {
            return e;
        }
        c->stale = true;
        back_off(c, attempt);
    }
    return e;
}

/* ---- telling ---- */

static void join(cm_unit_list *l, const cm_unit_list *more)
{
    if (more->n == 0) {
        return;
    }
    if (l->last) {
        l->last->next = more->first;
    } else {
        l->first = more->first;
    }
    l->last = more->last;
    l->n += more->n;
}

static void publish(cm_committer *c, const cm_unit_list *receipts)
{
    bool sign;

    (void)pthread_mutex_lock(&c->lock);
    if (c->size == c->signed_size) {
        c->unsigned_since = cm_os_monotonic_ns();
    }
    sign = c->size == c->signed_size || (receipts->n > 0 && c->receipts.n == 0);
    c->size = c->head.size;
    memcpy(c->root, c->head.root, 32);
    join(&c->receipts, receipts);
    if (sign || (c->linger != 0 && c->receipts.n >= c->linger)) {
        (void)pthread_cond_signal(&c->sign_wake);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static void deliver(cm_committer *c, cm_unit *units)
{
    cm_unit_list receipts = {0}, others = {0};

    for (cm_unit *u = units, *next; u; u = next) {
        next = u->next;
        cm_unit_list_add(u->want_receipt && u->entry && cm_ok(u->result) ? &receipts : &others, u);
    }
    publish(c, &receipts);
    for (cm_unit *u = others.first, *next; u; u = next) {
        next = u->next;
        u->done(u);
    }
}

static void fail_all(cm_unit *units, cm_err e)
{
    for (cm_unit *u = units, *next; u; u = next) {
        next = u->next;
        u->result = e;
        u->done(u);
    }
}

/* ---- the loop ---- */

/* At most CM_BATCH_UNITS; with the lock held. */
static cm_unit *take(cm_committer *c)
{
    cm_unit *first = c->queue.first, *last = first;

    if (!first) {
        return NULL;
    }
    c->queue.n--;
    for (unsigned n = 1; n < CM_BATCH_UNITS && last->next; n++) {
        last = last->next;
        c->queue.n--;
    }
    c->queue.first = last->next;
    if (!c->queue.first) {
        c->queue.last = NULL;
    }
    last->next = NULL;
    return first;
}

/* Waits for something to do; false: stop. With the lock held. */
static bool wait_for_work(cm_committer *c)
{
    while (!c->queue.first && !c->stop && cm_ok(c->store_err)) {
        if (c->note_dirty && cm_os_monotonic_ns() >= c->note_at + note_ns) {
            return true;
        }
        c->idle = true;
        if (c->note_dirty) {
            wait_until(c, c->note_at + note_ns);
        } else {
            (void)pthread_cond_wait(&c->commit_wake, &c->lock);
        }
        c->idle = false;
    }
    return c->queue.first != NULL || cm_failed(c->store_err);
}

/* That rows can be written: the head's, as it is. */
static cm_err probe(cm_committer *c)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_log_head next;

    CM_TRY(cm_commit_reload(c));
    next = c->head;
    next.version++;
    CM_TRY(cm_batch_begin(&c->batch, NULL));
    CM_TRY(put_head(&c->batch, &next));
    CM_TRY(cm_txn_begin(&t, c->o.store));
    CM_TRY(commit_rows(c, &t));
    c->head = next;
    return CM_OKAY;
}

/* closed. Whoever waits is refused; the store is tried until it works again. With the lock
 * held. */
static void recover(cm_committer *c)
{
    uint64_t pause = retry_first_ns;
    cm_err e;

    while (cm_failed(c->store_err) && !c->stop) {
        cm_unit *units = take(c);
        uint64_t until = cm_os_monotonic_ns() + (units ? 0 : pause);

        (void)pthread_mutex_unlock(&c->lock);
        fail_all(units, CM_FAIL(AUDIT_CLOSED));
        (void)pthread_mutex_lock(&c->lock);
        while (!c->stop && cm_os_monotonic_ns() < until) {
            wait_until(c, until);
        }
        if (units || c->stop) {
            continue;
        }
        (void)pthread_mutex_unlock(&c->lock);
        e = probe(c);
        (void)pthread_mutex_lock(&c->lock);
        c->store_err = overtaken(e) ? CM_OKAY : e;
        pause = CM_MIN(pause * 2, retry_last_ns);
    }
}

/* With the lock held, which is given up meanwhile. */
static void work(cm_committer *c)
{
    cm_unit *units = take(c);
    cm_err e;

    (void)pthread_mutex_unlock(&c->lock);
    e = run_batch(c, units);
    if (cm_ok(e)) {
        deliver(c, units);
    }
    (void)pthread_mutex_lock(&c->lock);
    if (cm_ok(e)) {
        return;
    }
    /* Closed before anyone is told, so that whoever is told finds it so. */
    c->store_err = overtaken(e) ? CM_OKAY : e;
    (void)pthread_mutex_unlock(&c->lock);
    fail_all(units, e);
    (void)pthread_mutex_lock(&c->lock);
}

void *cm_commit_run(void *arg)
{
    cm_committer *c = arg;

    (void)pthread_mutex_lock(&c->lock);
    while (wait_for_work(c) || c->queue.first || !c->stop) {
        if (cm_failed(c->store_err) && !c->stop) {
            recover(c);
        } else if (c->queue.first || !c->stop) {
            work(c);
        } else {
            break; /* closed to the end */
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}
