/* The digest of a plaintext, without sealing it. */
#include "crypt/merkle.h"
#include "sealed/input.h"
#include "sealed/line.h"
#include "sealed/open_int.h"

enum { SEGMENT = 1 << 20, LEAF = 64 << 10 };

struct digest {
    cm_input *in;
    cm_watch watch;
    uint32_t leaf;
    cm_merkle_acc nodes;
    uint64_t done;
};

static cm_err take(void *arg, cm_item *it)
{
    struct digest *d = arg;
    uint64_t off = it->i * SEGMENT;
    size_t want = SEGMENT;

    if (!d->in->stream)
        want = (size_t)CM_MIN((uint64_t)want, d->in->src.size - off);
    CM_TRY(cm_input_take(d->in, it->buf, want, off, &it->n));
    if (d->in->stream)
        it->last = it->n < want;
    else if (it->n < want)
        return CM_FAIL(SEALED_CHANGED);
    return CM_OKAY;
}

static cm_err work(void *arg, cm_item *it)
{
    struct digest *d = arg;

    return it->n ? cm_segment_root(it->node, (cm_view){0}, it->buf, it->n, d->leaf) : CM_OKAY;
}

static cm_err settle(void *arg, const cm_item *it)
{
    struct digest *d = arg;

    if (it->n)
        cm_merkle_acc_push(&d->nodes, it->node);
    d->done += it->n;
    if (d->watch.fn)
        d->watch.fn(d->watch.arg, d->done, d->in->stream ? 0 : d->in->src.size);
    return CM_OKAY;
}

static cm_err run(struct digest *d, unsigned threads)
{
    static const cm_line_ops ops = {take, work, NULL, settle, NULL};
    cm_line line = {
        .ops = &ops,
        .arg = d,
        .total = d->in->stream ? UINT64_MAX : d->in->src.size / SEGMENT + 1,
        .ordered_in = d->in->stream,
        .threads = threads,
        .buf = SEGMENT,
        .cancel = d->watch.cancel,
    };

    cm_merkle_acc_init(&d->nodes);
    CM_TRY(cm_line_run(&line));
    return cm_input_unchanged(d->in);
}

cm_err cm_seal_digest(cm_seal_result *r, const char *in, int in_fd, uint32_t leaf, unsigned threads,
                      cm_watch w)
{
    struct digest d = {.leaf = leaf ? leaf : LEAF, .watch = w};
    cm_input input;
    cm_err e;

    if (d.leaf > SEGMENT || (d.leaf & (d.leaf - 1)) || d.leaf < CM_LEAF_MIN)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_input_open(&input, in, in_fd, NULL));
    d.in = &input;
    e = run(&d, threads);
    cm_input_done(&input);
    CM_TRY(e);
    *r = (cm_seal_result){.size = d.done, .leaves = cm_merkle_leaf_count(d.done, d.leaf)};
    cm_merkle_acc_root(r->digest, &d.nodes);
    return CM_OKAY;
}
