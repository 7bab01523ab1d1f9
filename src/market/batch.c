#include "market/batch.h"

#include "crypt/sha256_mb.h"
#include "market/statement_int.h"

enum { LEVELS = 21, PIECE = 512 /* statements read at a time */ };

_Static_assert(CM_BATCH_LEAVES_MAX == 1u << (LEVELS - 1), "a level for each power");

struct cm_batch_tree {
    size_t levels, size[LEVELS];
    uint8_t (*level[LEVELS])[32]; /* into nodes */
    uint8_t (*nodes)[32];
};

cm_err cm_batch_leaf(uint8_t leaf[32], cm_poai *r, const uint8_t key_id[32])
{
    uint8_t bytes[CM_POAI_SIZE];

    if (!cm_statement_term_ok(&cm_statement_poai, &r->head))
        return CM_FAIL(MARKET_TERM);
    r->head.algs = CM_MARKET_BATCH;
    memmove(r->head.key_id, key_id, sizeof r->head.key_id);
    CM_TRY(cm_poai_encode(bytes, r));
    cm_merkle_leaf(leaf, (cm_view){0}, CM_VIEW(bytes)); /* M-30 */
    return CM_OKAY;
}

/* How large each level is; a last node without a sibling moves up unchanged (RFC 9162). Returns the
 * sum. */
static size_t measure(cm_batch_tree *t, size_t count)
{
    size_t all = count;

    t->size[0] = count;
    t->levels = 1;
    while (count > 1) {
        count = count / 2 + count % 2;
        t->size[t->levels++] = count;
        all += count;
    }
    return all;
}

static void fill(cm_batch_tree *t)
{
    for (size_t l = 1; l < t->levels; l++) {
        size_t below = t->size[l - 1];

        t->level[l] = t->level[l - 1] + below;
        for (size_t i = 0; i < below / 2; i++)
            cm_merkle_node(t->level[l][i], t->level[l - 1][2 * i], t->level[l - 1][2 * i + 1]);
        if (below % 2)
            memcpy(t->level[l][below / 2], t->level[l - 1][below - 1], 32);
    }
}

cm_err cm_batch_tree_new(cm_batch_tree **out, const uint8_t (*leaves)[32], size_t count)
{
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *t = NULL;

    if (count == 0 || count > CM_BATCH_LEAVES_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&t, sizeof *t));
    CM_TRY(cm_alloc_array(&t->nodes, measure(t, count), 32));
    t->level[0] = t->nodes;
    memcpy(t->nodes, leaves, count * 32);
    fill(t);
    *out = t;
    t = NULL;
    return CM_OKAY;
}

void cm_batch_tree_free(cm_batch_tree *t)
{
    if (!t)
        return;
    cm_free(t->nodes);
    cm_free(t);
}

void cm_batch_tree_free_ptr(cm_batch_tree **t)
{
    cm_batch_tree_free(*t);
}

const uint8_t *cm_batch_tree_root(const cm_batch_tree *t)
{
    return t->level[t->levels - 1][0];
}

cm_err cm_batch_seal(cm_buf *head, const cm_crypt *c, const cm_market_keys *k, cm_batch_head *b,
                     const cm_batch_tree *t)
{
    b->count = t->size[0];
    memcpy(b->root, cm_batch_tree_root(t), 32);
    return cm_batch_sign(head, c, k, b);
}

/* M-33 */
cm_err cm_batch_branch(cm_buf *out, const cm_batch_tree *t, size_t index)
{
    uint8_t path[LEVELS - 1][32];
    uint8_t n = 0;

    if (index >= t->size[0])
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_be64(out, index));
    for (size_t l = 0; l + 1 < t->levels; l++, index /= 2) {
        size_t sibling = index ^ 1;

        if (sibling < t->size[l])
            memcpy(path[n++], t->level[l][sibling], 32);
    }
    CM_TRY(cm_buf_byte(out, n));
    return cm_buf_append(out, cm_view_of(path, (size_t)n * 32));
}

cm_err cm_batch_record(cm_buf *out, const cm_batch_tree *t, size_t index, const cm_poai *r,
                       cm_view head)
{
    uint8_t bytes[CM_POAI_SIZE], leaf[32];

    CM_TRY(cm_poai_encode(bytes, r));
    cm_merkle_leaf(leaf, (cm_view){0}, CM_VIEW(bytes));
    if (index >= t->size[0] || !cm_view_eq(CM_VIEW(leaf), cm_view_of(t->level[0][index], 32)))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(out, CM_VIEW(bytes)));
    CM_TRY(cm_batch_branch(out, t, index));
    return cm_buf_append(out, head);
}

/* ---- a stored day ---- */

typedef struct {
    const cm_crypt *crypt;
    const cm_market_keys *keys;
    const cm_market_policy *policy;
    const cm_batch_source *source;
    cm_batch_counts *counts;
    uint8_t (*bytes)[CM_POAI_SIZE]; /* PIECE of them */
} day;

/* All of n bytes. */
static cm_err read_all(const day *d, uint8_t *p, size_t n)
{
    size_t got = 0;

    CM_TRY(d->source->read(d->source->arg, p, n, &got));
    return got == n ? CM_OKAY : CM_FAIL(MARKET_MALFORMED);
}

/* *end: nothing was left to read. */
static cm_err read_head(const day *d, cm_batch_head *h, bool *end)
{
    size_t got = 0, sigs = (d->keys->secp ? (size_t)CM_MARKET_SECP_SIG : 0) +
                           (d->keys->mldsa ? (size_t)CM_MARKET_MLDSA_SIG : 0);
    uint8_t record[CM_BATCH_SIZE + CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG];
    cm_market_policy p = *d->policy;

    CM_TRY(d->source->read(d->source->arg, record, CM_BATCH_SIZE, &got));
    *end = got == 0;
    if (*end)
        return CM_OKAY;
    if (got != CM_BATCH_SIZE)
        return CM_FAIL(MARKET_MALFORMED);
    CM_TRY(read_all(d, record + CM_BATCH_SIZE, sigs));
    return cm_batch_verify(h, d->crypt, d->keys, &p, cm_view_of(record, CM_BATCH_SIZE + sigs));
}

/* M-32: every statement of a batch is one that could be verified alone. */
static cm_err check_statements(const day *d, const cm_batch_head *h, size_t n)
{
    cm_poai r;

    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_poai_decode(&r, CM_VIEW(d->bytes[i])));
        CM_TRY(cm_statement_in_batch(&r, h, d->policy));
    }
    return CM_OKAY;
}

static void push(cm_merkle_acc *acc, const day *d, size_t n)
{
    const uint8_t zero = 0, *data[PIECE];
    uint8_t leaves[PIECE][32];

    for (size_t i = 0; i < n; i++)
        data[i] = d->bytes[i];
    cm_sha256_mb(leaves, &zero, 1, data, CM_POAI_SIZE, n);
    for (size_t i = 0; i < n; i++)
        cm_merkle_acc_push(acc, leaves[i]);
}

static cm_err one_batch(const day *d, const cm_batch_head *h)
{
    uint8_t root[32];
    cm_merkle_acc acc;

    cm_merkle_acc_init(&acc);
    for (uint64_t left = h->count; left > 0;) {
        size_t n = (size_t)CM_MIN(left, PIECE);

        CM_TRY(read_all(d, d->bytes[0], n * CM_POAI_SIZE));
        CM_TRY(check_statements(d, h, n));
        push(&acc, d, n);
        left -= n;
        if (d->source->step)
            CM_TRY(d->source->step(d->source->arg, d->counts));
    }
    cm_merkle_acc_root(root, &acc);
    if (!cm_view_eq(CM_VIEW(root), CM_VIEW(h->root)))
        return CM_FAIL(MERKLE_PROOF);
    d->counts->batches++;
    d->counts->receipts += h->count;
    return CM_OKAY;
}

cm_err cm_batch_verify_stored(cm_batch_counts *counts, const cm_crypt *c, const cm_market_keys *k,
                              const cm_market_policy *p, const cm_batch_source *s)
{
    CM_AUTO(cm_free_ptr) uint8_t(*bytes)[CM_POAI_SIZE] = NULL;
    day d = {.crypt = c, .keys = k, .policy = p, .source = s, .counts = counts};

    *counts = (cm_batch_counts){0};
    CM_TRY(cm_alloc_array(&bytes, PIECE, CM_POAI_SIZE));
    d.bytes = bytes;
    for (;;) {
        bool end = false;
        cm_batch_head h;

        CM_TRY(read_head(&d, &h, &end));
        if (end)
            return CM_OKAY;
        CM_TRY(one_batch(&d, &h));
    }
}
