/* The committer: starting, handing in units, stopping. */
#include "audit/commit.h"

#include "audit/commit_int.h"

void cm_unit_list_add(cm_unit_list *l, cm_unit *u)
{
    u->next = NULL;
    if (l->last) {
        l->last->next = u;
    } else {
        l->first = u;
    }
    l->last = u;
    l->n++;
}

/* ---- starting ---- */

static cm_err check_signatures(const cm_committer_options *o, const cm_note *n)
{
    uint64_t by = 0, all = o->vkeys_n >= 64 ? UINT64_MAX : (UINT64_C(1) << o->vkeys_n) - 1;

    if (!o->vkeys) {
        return CM_OKAY;
    }
    CM_TRY(cm_note_check(n, o->vkeys, o->vkeys_n, &by, NULL));
    return by == all ? CM_OKAY : CM_FAIL(AUDIT_UNSIGNED);
}

/* what was signed last is a beginning of what is there. */
static cm_err check_note(cm_committer *c, const cm_checkpoint *k)
{
    cm_tlog_source s = cm_log_source_of(&c->source);
    uint8_t root[32];

    if (!cm_view_eq(k->origin, cm_view_str(c->origin))) {
        return CM_FAIL(AUDIT_ORIGIN);
    }
    if (k->size > c->head.size) {
        return CM_FAIL(AUDIT_ROLLBACK);
    }
    CM_TRY(cm_tlog_root(root, &s, k->size));
    return cm_view_eq(CM_VIEW(root), CM_VIEW(k->root)) ? CM_OKAY : CM_FAIL(AUDIT_DAMAGED);
}

static cm_err read_note(cm_committer *c)
{
    uint64_t version;
    cm_path p;
    cm_err e;

    cm_log_note_path(&p);
    e = cm_store_get(c->o.store, cm_path_view(&p), &c->note, &version);
    return cm_is(e, CM_STORE_NO_ROW) ? CM_OKAY : e;
}

static cm_err accept_note(cm_committer *c)
{
    cm_checkpoint k;
    cm_note n;

    if (c->note.n == 0) {
        return CM_OKAY;
    }
    CM_TRY(cm_note_parse(&n, cm_buf_view(&c->note)));
    CM_TRY(cm_checkpoint_parse(&k, n.text));
    CM_TRY(check_signatures(&c->o, &n));
    CM_TRY(check_note(c, &k));
    c->note_size = c->signed_size = k.size;
    return CM_OKAY;
}

/* the tree that was signed last, by this or another database, is the beginning of this one.
 */
static cm_err check_anchor(cm_committer *c)
{
    cm_tlog_source s = cm_log_source_of(&c->source);
    uint8_t kept[32], root[32];
    uint64_t size = 0;

    if (!c->o.anchor.load) {
        return CM_OKAY;
    }
    CM_TRY(c->o.anchor.load(c->o.anchor.self, &size, kept));
    if (size > c->head.size) {
        return CM_FAIL(AUDIT_ROLLBACK);
    }
    if (size == 0) {
        return CM_OKAY;
    }
    CM_TRY(cm_tlog_root(root, &s, size));
    return cm_view_eq(CM_VIEW(root), CM_VIEW(kept)) ? CM_OKAY : CM_FAIL(AUDIT_ROLLBACK);
}

/* The checkpoint before the head: other nodes go on meanwhile, and what they have signed is never
 * ahead of the head that is read after it. */
static cm_err read_log(cm_committer *c)
{
    cm_log_view view;

    CM_TRY(read_note(c));
    CM_TRY(cm_commit_reload(c));
    view = cm_log_view_store(c->o.store);
    cm_log_source_init(&c->source, &view, c->head.size);
    CM_TRY(accept_note(c));
    CM_TRY(check_anchor(c));
    c->size = c->head.size;
    memcpy(c->root, c->head.root, 32);
    return CM_OKAY;
}

static cm_err init_threads(cm_committer *c)
{
    pthread_condattr_t monotonic;
    int bad = pthread_condattr_init(&monotonic);

    if (bad) {
        return CM_FAIL(NO_THREAD);
    }
    bad |= pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bad |= pthread_mutex_init(&c->lock, NULL);
    bad |= pthread_mutex_init(&c->tree_lock, NULL);
    bad |= pthread_cond_init(&c->commit_wake, &monotonic);
    bad |= pthread_cond_init(&c->sign_wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return bad ? CM_FAIL(NO_THREAD) : CM_OKAY;
}

static cm_err start(cm_committer *c)
{
    if (pthread_create(&c->sign_thread, NULL, cm_sign_run, c) != 0) {
        return CM_FAIL(NO_THREAD);
    }
    c->signing = true;
    if (pthread_create(&c->commit_thread, NULL, cm_commit_run, c) != 0) {
        return CM_FAIL(NO_THREAD);
    }
    c->committing = true;
    return CM_OKAY;
}

cm_err cm_committer_new(cm_committer **out, const cm_committer_options *o)
{
    CM_AUTO(cm_committer_free_ptr) cm_committer *c = NULL;

    if (!cm_note_name_ok(cm_view_str(o->origin)) || o->depth == 0 || !o->now_ms) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(cm_alloc(&c, sizeof *c));
    c->o = *o;
    c->note.max = c->note_out.max = CM_NOTE_MAX;
    CM_TRY(init_threads(c));
    CM_TRY(cm_alloc(&c->tree, sizeof *c->tree));
    CM_TRY(cm_strdup(&c->origin, cm_view_str(o->origin)));
    CM_TRY(cm_batch_init(&c->batch, o->crypt, cm_store_shared(o->store)));
    CM_TRY(read_log(c));
    CM_TRY(start(c));
    *out = c;
    c = NULL;
    return CM_OKAY;
}

/* ---- stopping ---- */

static void stop_commit(cm_committer *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->stop = true;
    (void)pthread_cond_signal(&c->commit_wake);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->commit_thread, NULL);
}

static void stop_sign(cm_committer *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->sign_stop = true;
    (void)pthread_cond_signal(&c->sign_wake);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->sign_thread, NULL);
}

void cm_committer_free(cm_committer *c)
{
    if (!c) {
        return;
    }
    if (c->committing) {
        stop_commit(c);
    }
    if (c->signing) {
        stop_sign(c);
    }
    if (c->committing && cm_ok(c->store_err)) {
        /* Not needed for anything: who starts next signs anew. */
        cm_err lost = cm_commit_flush_note(c);

        (void)lost;
    }
    (void)pthread_cond_destroy(&c->sign_wake);
    (void)pthread_cond_destroy(&c->commit_wake);
    (void)pthread_mutex_destroy(&c->tree_lock);
    (void)pthread_mutex_destroy(&c->lock);
    cm_batch_done(&c->batch);
    cm_buf_free(&c->note);
    cm_buf_free(&c->note_out);
    cm_free(c->tree);
    cm_free(c->origin);
    cm_free(c);
}

void cm_committer_free_ptr(cm_committer **c)
{
    cm_committer_free(*c);
}

/* ---- units ---- */

/* A path that did not fit is an empty key. */
static bool keys_ok(const cm_unit *u)
{
    for (size_t i = 0; i < u->expects_n; i++) {
        if (u->expects[i].key.n == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < u->writes_n; i++) {
        if (u->writes[i].key.n == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < u->bumps_n; i++) {
        if (u->bumps[i].key.n == 0) {
            return false;
        }
    }
    return true;
}

cm_err cm_committer_submit(cm_committer *c, cm_unit *u)
{
    cm_err e = CM_OKAY;

    if (!keys_ok(u)) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    u->receipt = (cm_buf){0};
    (void)pthread_mutex_lock(&c->lock);
    if (c->stop || cm_failed(c->store_err) || cm_failed(c->sign_err)) {
        e = CM_FAIL(AUDIT_CLOSED);
    } else if (c->queue.n >= c->o.depth) {
        e = CM_FAIL(COMMIT_FULL);
    } else {
        cm_unit_list_add(&c->queue, u);
        if (c->idle) {
            c->idle = false;
            (void)pthread_cond_signal(&c->commit_wake);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return e;
}

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
} waiter;

static void wake(cm_unit *u)
{
    waiter *w = u->arg;

    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

cm_err cm_committer_commit(cm_committer *c, cm_unit *u)
{
    waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

    u->done = wake;
    u->arg = &w;
    CM_TRY(cm_committer_submit(c, u));
    (void)pthread_mutex_lock(&w.lock);
    while (!w.done) {
        (void)pthread_cond_wait(&w.wake, &w.lock);
    }
    (void)pthread_mutex_unlock(&w.lock);
    return u->result;
}

void cm_committer_suspect(cm_committer *c, cm_err e)
{
    (void)pthread_mutex_lock(&c->lock);
    if (cm_ok(c->store_err)) {
        c->store_err = e;
        (void)pthread_cond_signal(&c->commit_wake);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

cm_err cm_committer_health(cm_committer *c)
{
    cm_err e;

    (void)pthread_mutex_lock(&c->lock);
    e = cm_failed(c->store_err) ? c->store_err : c->sign_err;
    (void)pthread_mutex_unlock(&c->lock);
    return e;
}

cm_err cm_committer_checkpoint(cm_committer *c, cm_buf *note)
{
    cm_err e;

    (void)pthread_mutex_lock(&c->lock);
    e = c->note.n > 0 ? cm_buf_append(note, cm_buf_view(&c->note)) : CM_FAIL(STORE_NO_ROW);
    (void)pthread_mutex_unlock(&c->lock);
    return e;
}
