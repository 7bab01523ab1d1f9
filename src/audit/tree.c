#include "audit/tree.h"

#include <stdio.h>

#include "crypt/merkle.h"

/* Where the nodes of a height begin: 256 hashes, 128 parents, ... */
static unsigned row(unsigned height)
{
    return 2u * CM_TILE_WIDTH - (2u * CM_TILE_WIDTH >> height);
}

void cm_tile_init(cm_tile *t, unsigned level, uint64_t n)
{
    t->level = level;
    t->n = n;
    t->width = 0;
}

void cm_tile_push(cm_tile *t, const uint8_t hash[32])
{
    unsigned i = t->width++, height = 0;

    memcpy(t->node[i], hash, 32);
    for (; (i & 1) != 0; i >>= 1, height++) {
        cm_merkle_node(t->node[row(height + 1) + i / 2], t->node[row(height) + i - 1],
                       t->node[row(height) + i]);
    }
}

const uint8_t *cm_tile_node(const cm_tile *t, unsigned height, uint64_t i)
{
    return height <= 8 && i < t->width >> height ? t->node[row(height) + i] : NULL;
}

void cm_tree_init(cm_tree *t)
{
    t->size = 0;
    for (unsigned l = 0; l < CM_TILE_LEVELS; l++) {
        cm_tile_init(&t->edge[l], l, 0);
    }
    for (unsigned i = 0; i < CM_TILE_RECENT; i++) {
        t->recent[i].width = 0;
    }
    t->recent_next = 0;
}

void cm_tree_push(cm_tree *t, const uint8_t leaf[32], void (*full)(void *arg, const cm_tile *tile),
                  void *arg)
{
    uint8_t h[32];

    memcpy(h, leaf, 32);
    t->size++;
    for (unsigned l = 0; l < CM_TILE_LEVELS; l++) {
        cm_tile *tile = &t->edge[l], *kept = &t->recent[t->recent_next % CM_TILE_RECENT];

        cm_tile_push(tile, h);
        if (tile->width < CM_TILE_WIDTH) {
            return;
        }
        memcpy(kept, tile, sizeof *kept);
        t->recent_next++;
        memcpy(h, tile->node[row(8)], 32);
        cm_tile_init(tile, l, tile->n + 1);
        if (full) {
            full(arg, kept);
        }
    }
}

/* The hash of the complete subtree of 2^k leaves that size ends with, for each bit k of size: from
 * the lowest up, each joins what is to its right. */
static void fold(uint8_t h[32], bool *any, const uint8_t peak[32])
{
    if (*any) {
        cm_merkle_node(h, peak, h);
    } else {
        memcpy(h, peak, 32);
    }
    *any = true;
}

void cm_tree_root(uint8_t out[32], const cm_tree *t)
{
    uint8_t h[32];
    bool any = false;

    for (unsigned k = 0; k < 64; k++) {
        if ((t->size >> k & 1) != 0) {
            const cm_tile *tile = &t->edge[k / 8];

            fold(h, &any, tile->node[row(k % 8) + (tile->width >> k % 8) - 1]);
        }
    }
    if (!any) {
        cm_merkle_root(h, NULL, 0);
    }
    memcpy(out, h, 32);
}

const uint8_t *cm_tree_node(const cm_tree *t, unsigned height, uint64_t i)
{
    unsigned level = height / 8, up = height % 8;
    uint64_t n = i >> (8 - up), in = i & ((UINT64_C(1) << (8 - up)) - 1);

    if (level >= CM_TILE_LEVELS) {
        return NULL;
    }
    if (t->edge[level].n == n) {
        return cm_tile_node(&t->edge[level], up, in);
    }
    for (unsigned r = 0; r < CM_TILE_RECENT; r++) {
        const cm_tile *tile = &t->recent[r];

        if (tile->width > 0 && tile->level == level && tile->n == n) {
            return cm_tile_node(tile, up, in);
        }
    }
    return NULL;
}

/* ---- proofs ---- */

/* Hash of the leaves from the one that bits [0, height) of size are cut to, up to size. */
static cm_err right_edge(uint8_t out[32], const cm_tlog_source *s, uint64_t size, unsigned height)
{
    uint8_t h[32], peak[32];
    bool any = false;

    for (unsigned k = 0; k < height; k++) {
        if ((size >> k & 1) != 0) {
            CM_TRY(s->node(s->self, peak, k, (size >> k) - 1));
            fold(h, &any, peak);
        }
    }
    if (!any) {
        cm_merkle_root(h, NULL, 0);
    }
    memcpy(out, h, 32);
    return CM_OKAY;
}

cm_err cm_tlog_root(uint8_t out[32], const cm_tlog_source *s, uint64_t size)
{
    return right_edge(out, s, size, 64);
}

/* The siblings from node i of a height up to the root, as far as there are any. */
static cm_err siblings(cm_buf *proof, const cm_tlog_source *s, uint64_t i, unsigned height,
                       uint64_t size)
{
    uint8_t h[32];

    for (; height < 64 && (size - 1) >> height != 0; height++, i >>= 1) {
        uint64_t sibling = i ^ 1, whole = size >> height;

        if (sibling < whole) {
            CM_TRY(s->node(s->self, h, height, sibling));
        } else if (sibling == whole && (size & ((UINT64_C(1) << height) - 1)) != 0) {
            CM_TRY(right_edge(h, s, size, height));
        } else {
            continue;
        }
        CM_TRY(cm_buf_append(proof, CM_VIEW(h)));
    }
    return CM_OKAY;
}

cm_err cm_tlog_inclusion(cm_buf *proof, const cm_tlog_source *s, uint64_t index, uint64_t size)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64 * 32};

    if (index >= size) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(cm_buf_reserve(&b, (size_t)32 * (64 - (unsigned)__builtin_clzll(size))));
    CM_TRY(siblings(&b, s, index, 0, size));
    return cm_buf_append(proof, cm_buf_view(&b));
}

/* RFC 9162, 2.1.4.1, from below: begins at the last complete subtree of the smaller tree. */
cm_err cm_tlog_consistency(cm_buf *proof, const cm_tlog_source *s, uint64_t size1, uint64_t size2)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 65 * 32};
    uint64_t i = size1 - 1;
    unsigned height = 0;
    uint8_t h[32];

    if (size1 == 0 || size1 > size2) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    if (size1 == size2) {
        return CM_OKAY;
    }
    for (; (i & 1) != 0; i >>= 1) {
        height++;
    }
    if (i != 0) {
        CM_TRY(s->node(s->self, h, height, i));
        CM_TRY(cm_buf_append(&b, CM_VIEW(h)));
    }
    CM_TRY(siblings(&b, s, i, height, size2));
    return cm_buf_append(proof, cm_buf_view(&b));
}

/* ---- names ---- */

unsigned cm_tile_width(unsigned level, uint64_t n, uint64_t size)
{
    uint64_t hashes = level < CM_TILE_LEVELS ? size >> (8 * level) : 0;

    if (n < hashes / CM_TILE_WIDTH) {
        return CM_TILE_WIDTH;
    }
    return n == hashes / CM_TILE_WIDTH ? (unsigned)(hashes % CM_TILE_WIDTH) : 0;
}

void cm_tile_path(char out[CM_TILE_PATH], int level, uint64_t n, unsigned width)
{
    char *p = out, *end = out + CM_TILE_PATH;
    uint64_t group = 1;

    p += level < 0 ? snprintf(p, (size_t)(end - p), "tile/entries")
                   : snprintf(p, (size_t)(end - p), "tile/%d", level);
    while (n / group >= 1000) {
        group *= 1000;
    }
    for (; group > 0; group /= 1000) {
        p += snprintf(p, (size_t)(end - p), "/%s%03u", group > 1 ? "x" : "",
                      (unsigned)(n / group % 1000));
    }
    if (width < CM_TILE_WIDTH) {
        (void)snprintf(p, (size_t)(end - p), ".p/%u", width);
    }
}
