#include "crypt/merkle.h"

#include <string.h>

#include "base/base.h"
#include "crypt/sha256_mb.h"

/* Messages handed to the kernels at a time; the widest has 16 lanes. */
#define BATCH 16u

static const uint8_t node_tag[1] = {0x01};

/* 0x00 || salt. */
typedef struct {
    uint8_t p[1 + CM_MERKLE_SALT_MAX];
    size_t n;
} leaf_prefix;

static leaf_prefix prefix_of(cm_view salt)
{
    leaf_prefix x = {.n = 1 + salt.n};

    if (salt.n > CM_MERKLE_SALT_MAX) {
        __builtin_trap();
    }
    if (salt.n > 0) {
        memcpy(x.p + 1, salt.p, salt.n);
    }
    return x;
}

void cm_merkle_leaf(uint8_t out[32], cm_view salt, cm_view data)
{
    leaf_prefix x = prefix_of(salt);

    cm_sha256_mb((uint8_t(*)[32])out, x.p, x.n, &data.p, data.n, 1);
}

void cm_merkle_node(uint8_t out[32], const uint8_t left[32], const uint8_t right[32])
{
    uint8_t pair[64], h[1][32];
    const uint8_t *p = pair;

    memcpy(pair, left, 32);
    memcpy(pair + 32, right, 32);
    cm_sha256_mb(h, node_tag, sizeof node_tag, &p, sizeof pair, 1);
    memcpy(out, h, 32);
}

void cm_merkle_leaves(uint8_t (*out)[32], cm_view salt, const uint8_t *data, size_t n,
                      size_t leaf_size, size_t *count)
{
    leaf_prefix x = prefix_of(salt);
    size_t whole = n / leaf_size, rest = n % leaf_size;
    const uint8_t *at[BATCH];

    for (size_t i = 0; i < whole; i += BATCH) {
        size_t group = CM_MIN(whole - i, BATCH);

        for (size_t l = 0; l < group; l++) {
            at[l] = data + (i + l) * leaf_size;
        }
        cm_sha256_mb(out + i, x.p, x.n, at, leaf_size, group);
    }
    if (rest > 0) {
        cm_merkle_leaf(out[whole], salt, cm_view_of(data + whole * leaf_size, rest));
    }
    if (count != NULL) {
        *count = whole + (rest > 0);
    }
}

/* Next level in place: each pair becomes its node, an odd last node stays. Returns how many. */
static size_t reduce(uint8_t (*nodes)[32], size_t count)
{
    uint8_t out[BATCH][32];
    const uint8_t *at[BATCH];
    size_t pairs = count / 2;

    for (size_t i = 0; i < pairs; i += BATCH) {
        size_t group = CM_MIN(pairs - i, BATCH);

        for (size_t l = 0; l < group; l++) {
            at[l] = nodes[2 * (i + l)];
        }
        cm_sha256_mb(out, node_tag, sizeof node_tag, at, 64, group);
        memcpy(nodes[i], out, 32 * group);
    }
    if (count % 2 != 0) {
        memmove(nodes[pairs], nodes[count - 1], 32);
    }
    return pairs + count % 2;
}

static void empty_root(uint8_t out[32])
{
    const uint8_t *none = NULL;

    cm_sha256_mb((uint8_t(*)[32])out, NULL, 0, &none, 0, 1);
}

/* Promoting the odd node at each level is the RFC's split: a tree of n leaves is complete subtrees
 * of decreasing size, and the smallest joins its left neighbour first. */
void cm_merkle_root(uint8_t out[32], uint8_t (*nodes)[32], size_t count)
{
    if (count == 0) {
        empty_root(out);
        return;
    }
    while (count > 1) {
        count = reduce(nodes, count);
    }
    memcpy(out, nodes[0], 32);
}

void cm_merkle_acc_init(cm_merkle_acc *a)
{
    memset(a, 0, sizeof *a);
}

/* node[k] is live if bit k of count is set: a complete subtree of 2^k nodes. */
void cm_merkle_acc_push(cm_merkle_acc *a, const uint8_t node[32])
{
    uint8_t h[32];
    unsigned k = 0;

    memcpy(h, node, 32);
    for (; (a->count >> k & 1) != 0; k++) {
        cm_merkle_node(h, a->node[k], h);
    }
    memcpy(a->node[k], h, 32);
    a->count++;
}

void cm_merkle_acc_root(uint8_t out[32], const cm_merkle_acc *a)
{
    uint8_t h[32];
    bool any = false;

    for (unsigned k = 0; k < 64; k++) {
        if ((a->count >> k & 1) == 0) {
            continue;
        }
        if (any) {
            cm_merkle_node(h, a->node[k], h);
        } else {
            memcpy(h, a->node[k], 32);
        }
        any = true;
    }
    if (!any) {
        empty_root(h);
    }
    memcpy(out, h, 32);
}

size_t cm_merkle_prove_inclusion(uint8_t proof[CM_MERKLE_PROOF_MAX][32], size_t index,
                                 uint8_t (*nodes)[32], size_t count)
{
    size_t n = 0;

    for (; count > 1; index >>= 1) {
        if ((index ^ 1) < count) {
            memcpy(proof[n++], nodes[index ^ 1], 32);
        }
        count = reduce(nodes, count);
    }
    return n;
}

/* RFC 9162, 2.1.4.1, from the leaves up: at is the node that ends where the smaller tree does. */
size_t cm_merkle_prove_consistency(uint8_t proof[CM_MERKLE_PROOF_MAX + 1][32], size_t size,
                                   uint8_t (*nodes)[32], size_t count)
{
    size_t at = size - 1, n = 0;

    if (size == count) {
        return 0;
    }
    for (; at % 2 != 0; at >>= 1) {
        count = reduce(nodes, count);
    }
    if (at != 0) {
        memcpy(proof[n++], nodes[at], 32);
    }
    for (; count > 1; at >>= 1) {
        if ((at ^ 1) < count) {
            memcpy(proof[n++], nodes[at ^ 1], 32);
        }
        count = reduce(nodes, count);
    }
    return n;
}
