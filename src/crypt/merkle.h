#ifndef CM_CRYPT_MERKLE_H
#define CM_CRYPT_MERKLE_H
/*
 * Merkle trees over SHA-256 as in RFC 6962 and RFC 9162, 2.1: a leaf is H(0x00 || salt || data), a
 * node H(0x01 || left || right), a tree of n leaves splits at the largest power of two below n, and
 * the empty tree is H(""). With an empty salt these are the RFCs' trees exactly.
 *
 * Nothing here is secret except, at a caller's choice, salt and data: time depends on lengths,
 * counts, indices and proofs only. Everything may be called from any thread.
 */
#include <casemate/bytes.h>
#include <casemate/err.h>

#define CM_MERKLE_HASH      32u
#define CM_MERKLE_SALT_MAX  32u
/* Hashes of the longest inclusion proof. */
#define CM_MERKLE_PROOF_MAX 64u

/** out = one leaf. salt is at most 32 bytes, here and below; a longer one is a bug of the caller's
 * and traps. */
void cm_merkle_leaf(uint8_t out[32], cm_view salt, cm_view data);

/** out = one node. out may be left or right. */
void cm_merkle_node(uint8_t out[32], const uint8_t left[32], const uint8_t right[32]);

/** All leaves of a contiguous span: every leaf_size bytes (> 0) one, the last may be shorter, none
 * if n is 0.
 * out       Room for cm_merkle_leaf_count(n, leaf_size) hashes; must not overlap data.
 * count     How many were written; may be NULL. */
void cm_merkle_leaves(uint8_t (*out)[32], cm_view salt, const uint8_t *data, size_t n,
                      size_t leaf_size, size_t *count);

/** Leaves of n bytes at leaf_size (> 0) each; 0 if n is 0. */
static inline uint64_t cm_merkle_leaf_count(uint64_t n, uint64_t leaf_size)
{
    return n / leaf_size + (n % leaf_size != 0);
}

/** Root over nodes, which is used up. They are leaves, or roots of subtrees over equal power-of-two
 * numbers of leaves in order, of which only the last may be smaller. */
void cm_merkle_root(uint8_t out[32], uint8_t (*nodes)[32], size_t count);

/** A root built one node at a time in constant memory (2 KiB). Nodes as for cm_merkle_root().
 * Plain memory, nothing to free; may be copied, saved and restored as bytes of the same machine. */
typedef struct {
    uint64_t count;
    uint8_t node[64][32];
} cm_merkle_acc;

void cm_merkle_acc_init(cm_merkle_acc *a);
void cm_merkle_acc_push(cm_merkle_acc *a, const uint8_t node[32]);
/** Root over what was pushed so far; a is unchanged, so more may follow. */
void cm_merkle_acc_root(uint8_t out[32], const cm_merkle_acc *a);

/** That leaf is number index of the tree of size leaves with that root.
 * proof     Hashes of 32 bytes one after another, lowest first (RFC 9162, 2.1.3).
 * MERKLE_PROOF: it is not, or the proof has another length than index and size give it. */
CM_MUST cm_err cm_merkle_check_inclusion(const uint8_t root[32], uint64_t index, uint64_t size,
                                         const uint8_t leaf[32], cm_view proof);

/** That the tree of size2 leaves with root2 begins with the tree of size1 with root1 (RFC 9162,
 * 2.1.4). An empty first tree proves nothing and is refused.
 * MERKLE_PROOF: it does not, sizes are out of order, or the proof has another length. */
CM_MUST cm_err cm_merkle_check_consistency(const uint8_t root1[32], uint64_t size1,
                                           const uint8_t root2[32], uint64_t size2, cm_view proof);

/** That leaf number index is in the subtree [start, end), whose root is given. A subtree is valid
 * if start is a multiple of the smallest power of two not below end - start.
 * MERKLE_PROOF as above, and if [start, end) is no valid subtree or index is outside it. */
CM_MUST cm_err cm_merkle_check_subtree_inclusion(const uint8_t root[32], uint64_t start,
                                                 uint64_t end, uint64_t index,
                                                 const uint8_t leaf[32], cm_view proof);

/** That the subtree [start, end) with root sub is part of the tree of size leaves with that root.
 * An empty one, with the empty tree's root and no proof, is part of every tree. MERKLE_PROOF as
 * above, and if [start, end) is no valid subtree of that tree. */
CM_MUST cm_err cm_merkle_check_subtree(const uint8_t sub[32], uint64_t start, uint64_t end,
                                       const uint8_t root[32], uint64_t size, cm_view proof);

/** Proof that leaf index (< count) is in the tree over nodes, which are used up.
 * proof     Hashes to hand to cm_merkle_check_inclusion(). Returns their number. */
size_t cm_merkle_prove_inclusion(uint8_t proof[CM_MERKLE_PROOF_MAX][32], size_t index,
                                 uint8_t (*nodes)[32], size_t count);

/** Proof that the tree over nodes, which are used up, begins with that of its first size (1 to
 * count) nodes. Returns the number of hashes, at most CM_MERKLE_PROOF_MAX + 1. */
size_t cm_merkle_prove_consistency(uint8_t proof[CM_MERKLE_PROOF_MAX + 1][32], size_t size,
                                   uint8_t (*nodes)[32], size_t count);

#endif
