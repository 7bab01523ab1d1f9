#include "sealed/tree.h"

#include <pthread.h>

#include "base/os.h"
#include "crypt/merkle.h"
#include "sealed/layout.h"

enum { SEG = CM_TREE_SEGMENT + CM_FLOE_OVERHEAD, UPPER_MAX = 256 << 20 };

cm_err cm_tree_shape_of(cm_tree_shape *out, uint64_t segments)
{
    cm_tree_shape s = {0};
    uint64_t n = segments, at = 0;

    while (n > 0) {
        if (s.levels == CM_TREE_LEVELS)
            return CM_FAIL(SEALED_TOO_LARGE);
        s.nodes[s.levels] = n;
        s.base[s.levels++] = at;
        if (n <= CM_TREE_RUN)
            break;
        n = (n + CM_TREE_RUN - 1) / CM_TREE_RUN;
        at += n;
    }
    s.plain_size = at * CM_TREE_SEGMENT + n * 32;
    *out = s;
    return CM_OKAY;
}

uint64_t cm_tree_sealed_size(const cm_tree_shape *s)
{
    return CM_FLOE_HEADER + s->plain_size +
           (s->plain_size / CM_TREE_SEGMENT + 1) * CM_FLOE_OVERHEAD;
}

/* ---- writing ------------------------------------------------------------------------------- */

static uint8_t *run_of(cm_tree_writer *w)
{
    return w->seg + CM_FLOE_HEAD;
}

cm_err cm_tree_writer_init(cm_tree_writer *w, const cm_floe *floe, cm_err (*sink)(void *, cm_view),
                           void *arg)
{
    *w = (cm_tree_writer){.floe = floe, .sink = sink, .sink_arg = arg, .upper = {.max = UPPER_MAX}};
    return cm_alloc(&w->seg, SEG);
}

void cm_tree_writer_done(cm_tree_writer *w)
{
    cm_floe_worker_done(&w->worker);
    cm_buf_free(&w->upper);
    cm_free(w->seg);
    *w = (cm_tree_writer){0};
}

/* The root is taken from a copy, since hashing uses its nodes up. */
static cm_err push_root(cm_buf *level, const uint8_t *nodes, size_t n)
{
    CM_AUTO(cm_free_ptr) uint8_t(*copy)[32] = NULL;
    uint8_t root[32];

    CM_TRY(cm_alloc_array(&copy, n, sizeof *copy));
    if (n)
        memcpy(copy, nodes, n * sizeof *copy);
    cm_merkle_root(root, copy, n);
    return cm_buf_append(level, CM_VIEW(root));
}

static cm_err send(cm_tree_writer *w, size_t n, bool last)
{
    CM_TRY(cm_floe_seal(w->floe, &w->worker, w->seg, n, w->position, last));
    CM_TRY(w->sink(w->sink_arg, cm_view_of(w->seg, n + CM_FLOE_OVERHEAD)));
    w->position++;
    return CM_OKAY;
}

/* Send the run in progress as n nodes, padded to a full one. */
static cm_err send_run(cm_tree_writer *w, size_t n)
{
    memset(run_of(w) + n * 32, 0, CM_TREE_SEGMENT - n * 32);
    CM_TRY(push_root(&w->upper, run_of(w), n));
    return send(w, CM_TREE_SEGMENT, false);
}

cm_err cm_tree_writer_push(cm_tree_writer *w, const uint8_t node[32], bool *run)
{
    size_t at = w->count % CM_TREE_RUN;
    bool full = at == CM_TREE_RUN - 1;

    memcpy(run_of(w) + at * 32, node, 32);
    if (full)
        CM_TRY(send_run(w, CM_TREE_RUN));
    w->count++;
    if (run)
        *run = full;
    return CM_OKAY;
}

cm_err cm_tree_writer_skip_run(cm_tree_writer *w, uint8_t (*nodes)[32])
{
    CM_TRY(push_root(&w->upper, nodes[0], CM_TREE_RUN));
    w->count += CM_TREE_RUN;
    w->position++;
    return CM_OKAY;
}

/* Send one upper level: full runs, then what is left of it, padded unless the level is the top.
 * next collects the roots. */
static cm_err send_level(cm_tree_writer *w, const cm_buf *level, cm_buf *next, bool top)
{
    for (size_t at = 0; at < level->n; at += CM_TREE_SEGMENT) {
        size_t n = CM_MIN(level->n - at, (size_t)CM_TREE_SEGMENT);

        memcpy(run_of(w), level->p + at, n);
        if (top && n < CM_TREE_SEGMENT)
            return send(w, n, true);
        memset(run_of(w) + n, 0, CM_TREE_SEGMENT - n);
        CM_TRY(push_root(next, level->p + at, n / 32));
        CM_TRY(send(w, CM_TREE_SEGMENT, false));
    }
    return top ? send(w, 0, true) : CM_OKAY;
}

static cm_err root_of(uint8_t digest[32], const uint8_t *nodes, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf root = {.max = 32};

    CM_TRY(push_root(&root, nodes, n));
    memcpy(digest, root.p, 32);
    return CM_OKAY;
}

/* At most one run: level 0 is the top. A full run has gone out already. */
static cm_err finish_small(cm_tree_writer *w, uint8_t digest[32])
{
    size_t n = (size_t)w->count;

    if (n == CM_TREE_RUN) {
        memcpy(digest, w->upper.p, 32);
        return send(w, 0, true);
    }
    CM_TRY(root_of(digest, run_of(w), n));
    return send(w, n * 32, true);
}

cm_err cm_tree_writer_finish(cm_tree_writer *w, uint8_t digest[32])
{
    CM_AUTO(cm_buf_free) cm_buf level = {.max = UPPER_MAX};

    if (w->count <= CM_TREE_RUN)
        return finish_small(w, digest);
    if (w->count % CM_TREE_RUN)
        CM_TRY(send_run(w, w->count % CM_TREE_RUN));
    level = cm_buf_take(&w->upper);
    for (;;) {
        bool top = level.n <= CM_TREE_SEGMENT;
        cm_buf next = {.max = UPPER_MAX};
        cm_err e = send_level(w, &level, &next, top);

        if (cm_failed(e) || top) {
            cm_buf_free(&next);
            return cm_failed(e) ? e : root_of(digest, level.p, level.n / 32);
        }
        cm_buf_free(&level);
        level = next;
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

struct cached {
    uint64_t run;   /* which run of its level, or UINT64_MAX */
    uint8_t *nodes; /* 1024 * 32 */
    uint8_t *seg;
};

/* lock guards worker and cache. */
struct cm_tree_reader {
    pthread_mutex_t lock;
    cm_floe floe;
    cm_floe_worker worker;
    int fd;
    uint64_t at, size;
    cm_tree_shape shape;
    struct cached cache[CM_TREE_LEVELS];
};

void cm_tree_reader_free(cm_tree_reader *r)
{
    if (!r)
        return;
    cm_floe_worker_done(&r->worker);
    cm_floe_done(&r->floe);
    for (unsigned i = 0; i < CM_TREE_LEVELS; i++)
        cm_free(r->cache[i].seg);
    pthread_mutex_destroy(&r->lock);
    cm_free(r);
}

void cm_tree_reader_free_ptr(cm_tree_reader **r)
{
    cm_tree_reader_free(*r);
}

static size_t run_nodes(const cm_tree_shape *s, unsigned level, uint64_t run)
{
    return (size_t)CM_MIN((uint64_t)CM_TREE_RUN, s->nodes[level] - run * CM_TREE_RUN);
}

/* Decrypt one run into its level's cache and compute its root; the caller compares. */
static cm_err load_run(cm_tree_reader *r, unsigned level, uint64_t run, uint8_t root[32])
{
    struct cached *k = &r->cache[level];
    uint64_t position = r->shape.base[level] + run;
    uint64_t off = CM_FLOE_HEADER + position * SEG;
    size_t n = (size_t)CM_MIN((uint64_t)SEG, r->size - off), count;
    bool last = off + n == r->size;

    k->run = UINT64_MAX;
    CM_TRY(cm_os_pread_all(r->fd, k->seg, n, r->at + off));
    CM_TRY(cm_floe_open(&r->floe, &r->worker, k->seg, n, position, last));
    k->nodes = k->seg + CM_FLOE_HEAD;
    count = run_nodes(&r->shape, level, run);
    if (!cm_sealed_zeros(cm_view_of(k->nodes + count * 32, n - CM_FLOE_OVERHEAD - count * 32)))
        return CM_FAIL(SEALED_TREE); /* S-17 */
    return root_of(root, k->nodes, count);
}

/* S-10: from the top down, each run against its parent's node. */
static cm_err walk(cm_tree_reader *r, uint8_t node[32], uint64_t segment)
{
    unsigned level = r->shape.levels - 1;
    uint64_t index[CM_TREE_LEVELS];
    uint8_t want[32], root[32];

    index[0] = segment;
    for (unsigned i = 1; i <= level; i++)
        index[i] = index[i - 1] / CM_TREE_RUN;
    for (;;) {
        struct cached *k = &r->cache[level];
        uint64_t run = index[level] / CM_TREE_RUN;

        if (k->run != run) {
            CM_TRY(load_run(r, level, run, root));
            if (!cm_view_eq(CM_VIEW(root), CM_VIEW(want)))
                return CM_FAIL(SEALED_TREE);
            k->run = run;
        }
        memcpy(want, k->nodes + index[level] % CM_TREE_RUN * 32, 32);
        if (level-- == 0)
            break;
    }
    memcpy(node, want, 32);
    return CM_OKAY;
}

cm_err cm_tree_reader_node(cm_tree_reader *r, uint8_t node[32], uint64_t segment)
{
    cm_err e;

    if (!r->shape.levels || segment >= r->shape.nodes[0])
        return CM_FAIL(BAD_ARGUMENT);
    pthread_mutex_lock(&r->lock);
    e = walk(r, node, segment);
    pthread_mutex_unlock(&r->lock);
    return e;
}

static cm_err load_top(cm_tree_reader *r, const uint8_t digest[32])
{
    uint8_t root[32], tail[CM_FLOE_OVERHEAD];
    unsigned top = r->shape.levels ? r->shape.levels - 1 : 0;

    if (!r->shape.levels)
        CM_TRY(root_of(root, NULL, 0));
    else
        CM_TRY(load_run(r, top, 0, root));
    if (!cm_view_eq(CM_VIEW(root), cm_view_of(digest, sizeof root))) /* S-10 */
        return CM_FAIL(SEALED_TREE);
    r->cache[top].run = r->shape.levels ? 0 : UINT64_MAX;
    if (r->shape.plain_size % CM_TREE_SEGMENT == 0) {
        CM_TRY(cm_os_pread_all(r->fd, tail, sizeof tail, r->at + r->size - sizeof tail)); /* S-16 */
        CM_TRY(cm_floe_open(&r->floe, &r->worker, tail, sizeof tail,
                            r->shape.plain_size / CM_TREE_SEGMENT, true));
    }
    return CM_OKAY;
}

static cm_err init(cm_tree_reader *r, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                   uint64_t segments, const uint8_t digest[32])
{
    uint8_t header[CM_FLOE_HEADER];

    CM_TRY(cm_tree_shape_of(&r->shape, segments));
    if (cm_tree_sealed_size(&r->shape) != r->size)
        return CM_FAIL(SEALED_TREE);
    for (unsigned i = 0; i < CM_MAX(r->shape.levels, 1u); i++) {
        CM_TRY(cm_alloc(&r->cache[i].seg, SEG));
        r->cache[i].run = UINT64_MAX;
    }
    CM_TRY(cm_os_pread_all(r->fd, header, sizeof header, r->at));
    CM_TRY(cm_floe_open_start(&r->floe, header, c, key, aad, SEG));
    return load_top(r, digest);
}

cm_err cm_tree_reader_new(cm_tree_reader **out, const cm_crypt *c, const cm_key32 *key, cm_view aad,
                          int fd, uint64_t at, uint64_t size, uint64_t segments,
                          const uint8_t digest[32])
{
    cm_tree_reader *r;
    cm_err e;

    CM_TRY(cm_alloc(&r, sizeof *r));
    pthread_mutex_init(&r->lock, NULL);
    r->fd = fd;
    r->at = at;
    r->size = size;
    e = init(r, c, key, aad, segments, digest);
    if (cm_failed(e)) {
        cm_tree_reader_free(r);
        return e;
    }
    *out = r;
    return CM_OKAY;
}
