#ifndef CM_MARKET_BATCH_H
#define CM_MARKET_BATCH_H
/*
 * Many receipts under one signature: the leaves of a Merkle tree whose head is signed. Each receipt
 * then carries its path and the head and is verified alone by cm_poai_verify() (spec/market.md,
 * section 6).
 */
#include "market/receipt.h"

/** A receipt as a leaf: sets its algorithms and the key id, which is that of the keys that will
 * sign the head. MARKET_FIELD, MARKET_TERM. */
CM_MUST cm_err cm_batch_leaf(uint8_t leaf[32], cm_poai *r, const uint8_t key_id[32]);
/** Copies the leaves. BAD_ARGUMENT for none or more than CM_BATCH_LEAVES_MAX; NO_MEMORY. */
CM_MUST cm_err cm_batch_tree_new(cm_batch_tree **out, const uint8_t (*leaves)[32], size_t count);
void cm_batch_tree_free_ptr(cm_batch_tree **t);
/** Borrowed from t. */
const uint8_t *cm_batch_tree_root(const cm_batch_tree *t);
/** The signed head over the tree: sets count and root. Errors of cm_batch_sign(). */
CM_MUST cm_err cm_batch_seal(cm_buf *head, const cm_crypt *c, const cm_market_keys *k,
                             cm_batch_head *b, const cm_batch_tree *t);
/** Appends what stands between statement and head in the record of leaf number index (< count):
 * index, number of hashes, path. */
CM_MUST cm_err cm_batch_branch(cm_buf *out, const cm_batch_tree *t, size_t index);
/* A stored batch is its head's record followed by the statements of all its leaves, and a day is
 * stored batches one behind the other. */
typedef struct {
    uint64_t batches, receipts; /* that verified */
} cm_batch_counts;
typedef struct {
    /** Fills p with n bytes; *got is less at the end alone. */
    cm_err (*read)(void *arg, uint8_t *p, size_t n, size_t *got);
    /** After each piece; may be NULL. An error ends the work with it. */
    cm_err (*step)(void *arg, const cm_batch_counts *so_far);
    void *arg;
} cm_batch_source;
/** Verify stored batches to the end of the source in constant memory. The first that does not hold
 * ends it with its error; counts then say how many did. MARKET_MALFORMED when the source ends
 * within a batch, MERKLE_PROOF when the statements are not those of the head. */
CM_MUST cm_err cm_batch_verify_stored(cm_batch_counts *counts, const cm_crypt *c,
                                      const cm_market_keys *k, const cm_market_policy *p,
                                      const cm_batch_source *s);

#endif
