/*
 * Merkle trees and proofs. Even first byte: a tree over the rest must prove its leaves and its
 * prefixes, and no proof may survive a flipped bit. Odd: the rest is a proof nobody made.
 */
#include <stdlib.h>

#include "base/base.h"
#include "crypt/merkle.h"

#define COUNT_MAX 300u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void flip(uint8_t (*proof)[32], size_t hashes, uint8_t where)
{
    if (hashes > 0) {
        proof[where % hashes][where % 32] ^= (uint8_t)(1u << where % 8);
    }
}

static void proofs(const uint8_t root[32], uint8_t (*leaves)[32], size_t count, size_t index,
                   uint8_t where)
{
    uint8_t nodes[COUNT_MAX][32], proof[CM_MERKLE_PROOF_MAX + 1][32], first[32];
    size_t k;

    memcpy(nodes, leaves, 32 * count);
    k = cm_merkle_prove_inclusion(proof, index, nodes, count);
    must(cm_ok(
        cm_merkle_check_inclusion(root, index, count, leaves[index], cm_view_of(proof, 32 * k))));
    flip(proof, k, where);
    must(k == 0 || cm_failed(cm_merkle_check_inclusion(root, index, count, leaves[index],
                                                       cm_view_of(proof, 32 * k))));
    memcpy(nodes, leaves, 32 * count);
    cm_merkle_root(first, nodes, index + 1);
    memcpy(nodes, leaves, 32 * count);
    k = cm_merkle_prove_consistency(proof, index + 1, nodes, count);
    must(cm_ok(
        cm_merkle_check_consistency(first, index + 1, root, count, cm_view_of(proof, 32 * k))));
    flip(proof, k, where);
    must(k == 0 || cm_failed(cm_merkle_check_consistency(first, index + 1, root, count,
                                                         cm_view_of(proof, 32 * k))));
}

static void tree(const uint8_t *p, size_t n, size_t leaf_size, uint8_t at, uint8_t where)
{
    uint8_t leaves[COUNT_MAX][32], nodes[COUNT_MAX][32], root[32], again[32];
    cm_merkle_acc acc;
    size_t count;

    n = CM_MIN(n, COUNT_MAX * leaf_size);
    cm_merkle_leaves(leaves, cm_view_of(p, CM_MIN(n, CM_MERKLE_SALT_MAX)), p, n, leaf_size, &count);
    must(count == cm_merkle_leaf_count(n, leaf_size));
    cm_merkle_acc_init(&acc);
    for (size_t i = 0; i < count; i++) {
        cm_merkle_acc_push(&acc, leaves[i]);
    }
    cm_merkle_acc_root(again, &acc);
    memcpy(nodes, leaves, 32 * count);
    cm_merkle_root(root, nodes, count);
    must(cm_view_eq(CM_VIEW(root), CM_VIEW(again)));
    if (count > 0) {
        proofs(root, leaves, count, at % count, where);
    }
}

/* Right only where nothing is hashed: one leaf, or a tree compared with itself. */
static void forged(const uint8_t *p, size_t n)
{
    uint64_t a = cm_get_be64(p), b = cm_get_be64(p + 8), c = cm_get_be64(p + 16);
    const uint8_t *root = p + 24, *leaf = p + 56;
    cm_view proof = cm_view_of(p + 88, n - 88);

    must(cm_failed(cm_merkle_check_inclusion(root, a, b, leaf, proof)) || proof.n == 0);
    must(cm_failed(cm_merkle_check_subtree_inclusion(root, a, b, c, leaf, proof)) || proof.n == 0);
    must(cm_failed(cm_merkle_check_consistency(root, a, leaf, b, proof)) || proof.n == 0);
    must(cm_failed(cm_merkle_check_subtree(root, a, b, leaf, c, proof)) || proof.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n >= 4 && p[0] % 2 == 0) {
        tree(p + 4, n - 4, 1 + (size_t)p[1], p[2], p[3]);
    } else if (n >= 89) {
        forged(p + 1, n - 1);
    }
    return 0;
}
