/* A container from a pipe to a pipe. Its end, and so its signature, is known last: each segment
 * goes out once its own tag was checked, and the rest is checked against what went out. */
#include "base/os.h"
#include "base/secret.h"
#include "crypt/merkle.h"
#include "sealed/extract_int.h"

enum { BACK_MAX = CM_MANIFEST_MAX + CM_SIGNATURES_MAX + CM_FOOTER, TREE_CHUNK = 1 << 16 };

struct stream {
    struct cm_sealed *s;
    int in, out;
    bool read_last; /* the last segment was taken */
    cm_merkle_acc nodes;
    uint64_t size, body;
};

static cm_err read_exact(int fd, void *p, size_t n)
{
    size_t got;

    CM_TRY(cm_os_read(fd, p, n, &got));
    return got == n ? CM_OKAY : CM_FAIL(SEALED_FOOTER);
}

/* ---- front --------------------------------------------------------------------------------- */

static cm_err read_front(struct stream *t)
{
    cm_buf *b = &t->s->front;
    size_t need, slots;
    cm_err e;

    CM_TRY(cm_buf_reserve(b, CM_PRELUDE));
    CM_TRY(read_exact(t->in, b->p, CM_PRELUDE));
    b->n = CM_PRELUDE;
    e = cm_core_decode(&t->s->core, &need, t->s->crypt, cm_buf_view(b));
    if (!cm_is(e, CM_IO_SHORT))
        return cm_failed(e) ? e : CM_FAIL(SEALED_HEADER);
    CM_TRY(cm_buf_reserve(b, need - b->n));
    CM_TRY(read_exact(t->in, b->p + b->n, need - b->n));
    b->n = need;
    CM_TRY(cm_core_decode(&t->s->core, &need, t->s->crypt, cm_buf_view(b)));
    slots = 2 * (size_t)t->s->core.slot;
    CM_TRY(cm_buf_reserve(b, slots));
    CM_TRY(read_exact(t->in, b->p + b->n, slots));
    CM_TRY(cm_slots_decode(&t->s->slots, t->s->crypt, &t->s->core, cm_view_of(b->p + b->n, slots)));
    b->n += slots;
    return CM_OKAY;
}

static cm_err start_body(struct stream *t)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint8_t header[CM_FLOE_HEADER];

    CM_TRY(cm_sealed_open_envelope(t->s));
    CM_TRY(read_exact(t->in, header, sizeof header));
    CM_TRY(cm_sealed_aad(&aad, &t->s->core, "body"));
    t->body = sizeof header;
    return cm_floe_open_start(&t->s->body, header, t->s->crypt, &t->s->keys.body, cm_buf_view(&aad),
                              t->s->core.segment + CM_FLOE_OVERHEAD);
}

/* ---- body ---------------------------------------------------------------------------------- */

/* A segment's first four bytes say whether it is the last and then how long it is. */
static cm_err take(void *arg, cm_item *it)
{
    struct stream *t = arg;
    size_t full = t->s->core.segment + (size_t)CM_FLOE_OVERHEAD, n;
    uint32_t mark;

    CM_TRY(read_exact(t->in, it->buf, 4));
    mark = cm_get_be32(it->buf);
    it->last = mark != UINT32_MAX;
    n = it->last ? mark : full;
    if (n < CM_FLOE_OVERHEAD || n > full || (it->last && n == full)) /* S-5 */
        return CM_FAIL(FLOE_SEGMENT);
    CM_TRY(read_exact(t->in, it->buf + 4, n - 4));
    it->n = n - CM_FLOE_OVERHEAD;
    return CM_OKAY;
}

static cm_err work(void *arg, cm_item *it)
{
    struct cm_sealed *s = ((struct stream *)arg)->s;

    CM_TRY(cm_floe_open(&s->body, it->worker, it->buf, it->n + CM_FLOE_OVERHEAD, it->i, it->last));
    if (it->n == 0)
        return CM_OKAY;
    return cm_segment_root(it->node, cm_sealed_salt(s), it->buf + CM_FLOE_HEAD, it->n,
                           s->core.leaf);
}

static cm_err give(void *arg, cm_item *it)
{
    return cm_os_write(((struct stream *)arg)->out, it->buf + CM_FLOE_HEAD, it->n);
}

static cm_err settle(void *arg, const cm_item *it)
{
    struct stream *t = arg;
    const cm_watch *w = &t->s->o.watch;

    if (it->n)
        cm_merkle_acc_push(&t->nodes, it->node);
    t->size += it->n;
    t->body += it->n + CM_FLOE_OVERHEAD;
    if (w->fn)
        w->fn(w->arg, t->size, 0);
    return CM_OKAY;
}

static void worker_done(void *w)
{
    cm_floe_worker_done(w);
}

static cm_err run_body(struct stream *t)
{
    static const cm_line_ops ops = {take, work, give, settle, worker_done};
    cm_line line = {
        .ops = &ops,
        .arg = t,
        .total = UINT64_MAX,
        .ordered_in = true,
        .ordered_out = true,
        .threads = t->s->o.threads,
        .buf = t->s->core.segment + CM_FLOE_OVERHEAD,
        .worker = sizeof(cm_floe_worker),
        .cancel = t->s->o.watch.cancel,
    };

    cm_merkle_acc_init(&t->nodes);
    return cm_line_run(&line);
}

/* ---- back ---------------------------------------------------------------------------------- */

/* Tree and index pass by; only the last BACK_MAX bytes before the end are kept. */
static cm_err read_back(struct stream *t, cm_buf *tail, uint64_t *total)
{
    CM_AUTO(cm_buf_free) cm_buf chunk = {.max = TREE_CHUNK};
    size_t got;

    CM_TRY(cm_buf_reserve(&chunk, TREE_CHUNK));
    CM_TRY(cm_buf_reserve(tail, tail->max));
    for (;;) {
        CM_TRY(cm_os_read(t->in, chunk.p, TREE_CHUNK, &got));
        *total += got;
        if (tail->n + got > BACK_MAX) {
            size_t drop = tail->n + got - BACK_MAX;

            memmove(tail->p, tail->p + drop, tail->n - drop);
            tail->n -= drop;
        }
        CM_TRY(cm_buf_append(tail, cm_view_of(chunk.p, got)));
        if (got < TREE_CHUNK)
            return CM_OKAY;
    }
}

static cm_err check_back(struct stream *t)
{
    CM_AUTO(cm_buf_free) cm_buf tail = {.max = BACK_MAX + TREE_CHUNK};
    struct cm_sealed *s = t->s;
    uint64_t total = s->core.body_at + t->body;
    uint8_t root[32];
    size_t n;

    CM_TRY(read_back(t, &tail, &total));
    if (tail.n < CM_FOOTER)
        return CM_FAIL(SEALED_FOOTER);
    CM_TRY(cm_footer_decode(&s->footer, s->crypt, &s->core, tail.p + tail.n - CM_FOOTER, total));
    n = (size_t)s->footer.manifest + s->footer.signatures;
    if (s->footer.body != t->body || tail.n < n + CM_FOOTER)
        return CM_FAIL(SEALED_FOOTER);
    CM_TRY(cm_buf_append(&s->back, cm_view_of(tail.p + tail.n - CM_FOOTER - n, n)));
    CM_TRY(cm_sealed_load_manifest(s));
    CM_TRY(cm_sealed_trust(s));
    cm_merkle_acc_root(root, &t->nodes);
    if (s->manifest.size != t->size || !cm_view_eq(CM_VIEW(root), CM_VIEW(s->manifest.digest)))
        return CM_FAIL(SEALED_DIGEST);
    return CM_OKAY;
}

static cm_err unseal(struct stream *t)
{
    CM_TRY(read_front(t));
    CM_TRY(start_body(t));
    CM_TRY(run_body(t));
    return check_back(t);
}

cm_err cm_unseal_stream(const cm_crypt *c, const cm_open_options *o, int in_fd, int out_fd)
{
    struct stream t = {.in = in_fd, .out = out_fd};
    cm_err e;

    CM_TRY(cm_sealed_alloc(&t.s, c, -1, o));
    e = unseal(&t);
    cm_sealed_free(t.s);
    return e;
}
