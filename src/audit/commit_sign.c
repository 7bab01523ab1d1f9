/* The thread that signs checkpoints and makes receipts. */
#include "audit/commit_int.h"
#include "audit/receipt.h"
#include "base/os.h"

enum { MS = 1000000 };

/* no leaf stays without a signed checkpoint over it longer than this. */
static const uint64_t sign_ns = UINT64_C(100) * MS;
static const uint64_t retry_first_ns = UINT64_C(50) * MS, retry_last_ns = UINT64_C(2000) * MS;

/* What is signed now. */
typedef struct {
    uint64_t size, started;
    uint8_t root[32];
    cm_unit *receipts;
    bool last; /* the committer stops */
} job;

static void wait_until(cm_committer *c, uint64_t ns)
{
    struct timespec at = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

    (void)pthread_cond_timedwait(&c->sign_wake, &c->lock, &at);
}

/* Those who got their receipts together are likely to come back together. Signing for the first of
 * them at once would let the others wait for a second signature, so a little is waited for all. */
static void linger(cm_committer *c)
{
    uint64_t until = cm_os_monotonic_ns() + CM_MIN(c->sign_cost / 8, (uint64_t)MS);

    if (c->last_receipts < 2 || c->receipts.n == 0) {
        return;
    }
    c->linger = c->last_receipts;
    while (!c->sign_stop && c->receipts.n < c->linger && cm_os_monotonic_ns() < until) {
        wait_until(c, until);
    }
    c->linger = 0;
}

static void take_job(cm_committer *c, job *j)
{
    *j = (job){.size = c->size, .started = cm_os_monotonic_ns(), .receipts = c->receipts.first};
    memcpy(j->root, c->root, 32);
    j->last = c->sign_stop;
    c->last_receipts = c->receipts.n;
    c->receipts = (cm_unit_list){0};
}

/* Waits until there is something to sign; false: stop. With the lock held. */
static bool wait_for_job(cm_committer *c, job *j)
{
    for (;;) {
        bool unsigned_tail = c->size > c->signed_size;

        if (unsigned_tail && (c->receipts.first || c->sign_stop ||
                              cm_os_monotonic_ns() >= c->unsigned_since + sign_ns)) {
            linger(c);
            take_job(c, j);
            return true;
        }
        if (c->sign_stop) {
            return false;
        }
        if (unsigned_tail) {
            wait_until(c, c->unsigned_since + sign_ns);
        } else {
            (void)pthread_cond_wait(&c->sign_wake, &c->lock);
        }
    }
}

static cm_err make_note(cm_committer *c, cm_buf *note, const job *j)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf lines = {.max = CM_NOTE_MAX};

    CM_TRY(cm_checkpoint_text(&b, cm_view_str(c->origin), j->size, j->root));
    CM_TRY(c->o.signer.sign(c->o.signer.self, &lines, cm_buf_view(&b)));
    CM_TRY(cm_buf_byte(&b, '\n'));
    CM_TRY(cm_buf_append(&b, cm_buf_view(&lines)));
    *note = cm_buf_take(&b);
    return CM_OKAY;
}

/* */
static cm_err save_anchor(cm_committer *c, const job *j)
{
    const cm_audit_anchor *a = &c->o.anchor;

    if (!a->save || (!j->last && j->started < c->anchored_at + sign_ns)) {
        return CM_OKAY;
    }
    CM_TRY(a->save(a->self, j->size, j->root));
    c->anchored_at = j->started;
    return CM_OKAY;
}

/* ---- receipts ---- */

/* From memory, or else from the store. */
static cm_err node(void *self, uint8_t out[32], unsigned height, uint64_t i)
{
    cm_committer *c = self;
    cm_tlog_source store = cm_log_source_of(&c->source);
    const uint8_t *known;

    (void)pthread_mutex_lock(&c->tree_lock);
    known = cm_tree_node(c->tree, height, i);
    if (known) {
        memcpy(out, known, 32);
    }
    (void)pthread_mutex_unlock(&c->tree_lock);
    return known ? CM_OKAY : store.node(store.self, out, height, i);
}

/* Of one receipt after the other. */
typedef struct {
    cm_buf proof, entry;
} parts;

static void parts_done(parts *p)
{
    cm_buf_free(&p->proof);
    cm_buf_free(&p->entry);
}

static cm_err make_receipt(cm_committer *c, parts *p, cm_unit *u, uint64_t size, cm_view note)
{
    cm_audit_entry logged = *u->entry;
    CM_AUTO(cm_buf_free) cm_buf r = {.max = CM_RECEIPT_MAX};
    const cm_tlog_source s = {node, c};

    p->proof.n = p->entry.n = 0;
    CM_TRY(cm_tlog_inclusion(&p->proof, &s, u->leaf, size));
    logged.time_ms = u->time_ms;
    CM_TRY(cm_audit_entry_encode(&p->entry, &logged));
    CM_TRY(cm_receipt_put(&r, u->leaf, cm_buf_view(&p->proof), cm_buf_view(&p->entry), note));
    u->receipt = cm_buf_take(&r);
    return CM_OKAY;
}

static void deliver(cm_committer *c, const job *j, cm_err e, cm_view note)
{
    CM_AUTO(parts_done)
    parts p = {.proof = {.max = 64 * 32}, .entry = {.max = CM_AUDIT_ENTRY_MAX}};

    c->source.size = j->size;
    for (cm_unit *u = j->receipts, *next; u; u = next) {
        next = u->next;
        u->result = cm_ok(e) ? make_receipt(c, &p, u, j->size, note) : e;
        u->done(u);
    }
}

/* ---- the loop ---- */

/* With the lock held. note moves into c. */
static void publish(cm_committer *c, const job *j, cm_buf *note)
{
    cm_buf old = c->note;

    c->note = *note;
    *note = old;
    c->note_size = c->signed_size = j->size;
    c->note_dirty = true;
    c->unsigned_since = j->started;
    c->sign_err = CM_OKAY;
    (void)pthread_cond_signal(&c->commit_wake);
}

/* With the lock held, which is given up meanwhile. */
static bool sign(cm_committer *c, const job *j)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf kept = {.max = CM_NOTE_MAX};
    cm_err e;

    (void)pthread_mutex_unlock(&c->lock);
    e = make_note(c, &note, j);
    if (cm_ok(e)) {
        e = save_anchor(c, j);
    }
    if (cm_ok(e)) {
        e = cm_buf_append(&kept, cm_buf_view(&note));
    }
    (void)pthread_mutex_lock(&c->lock);
    c->sign_err = e;
    c->sign_cost = cm_os_monotonic_ns() - j->started;
    if (cm_ok(e)) {
        publish(c, j, &kept);
    }
    (void)pthread_mutex_unlock(&c->lock);
    deliver(c, j, e, cm_buf_view(&note));
    (void)pthread_mutex_lock(&c->lock);
    return cm_ok(e);
}

void *cm_sign_run(void *arg)
{
    cm_committer *c = arg;
    uint64_t pause = retry_first_ns;
    job j;

    (void)pthread_mutex_lock(&c->lock);
    while (wait_for_job(c, &j)) {
        if (sign(c, &j)) {
            pause = retry_first_ns;
        } else if (c->sign_stop) {
            break;
        } else {
            uint64_t until = cm_os_monotonic_ns() + pause;

            while (!c->sign_stop && cm_os_monotonic_ns() < until) {
                wait_until(c, until);
            }
            pause = CM_MIN(pause * 2, retry_last_ns);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}
