#ifndef CM_AUDIT_VERIFY_H
#define CM_AUDIT_VERIFY_H
/*
 * Checking a log from outside, with public keys alone: checkpoints, receipts, one checkpoint
 * against another, a whole exported log. Nothing here trusts the store or its operator. Any thread.
 */
#include "audit/audit.h"
#include "audit/log.h"
#include "audit/receipt.h"

/** Whose word is taken. At most 64 keys of each kind. */
typedef struct {
    const char *origin; /* the log's; NULL: the name of its first key */
    const cm_vkey *log; /* every one of them must have signed */
    size_t log_n;       /* at least 1 */
    const cm_vkey *witness;
    size_t witness_n;
    size_t quorum; /* of witnesses that must have cosigned */
} cm_audit_trust;

typedef struct {
    cm_checkpoint checkpoint; /* views borrow from the note */
    uint64_t witnesses;       /* bit i: witness i has cosigned */
    uint64_t time;            /* of the oldest cosignature in the quorum; 0: none */
} cm_audit_checked;

/** AUDIT_NOTE, AUDIT_CHECKPOINT: malformed. AUDIT_ORIGIN: another log. AUDIT_SIGNATURE: a line of a
 * known key is wrong. AUDIT_UNSIGNED: a log key has not signed. AUDIT_QUORUM. */
CM_MUST cm_err cm_audit_check_note(cm_audit_checked *out, const cm_audit_trust *t, cm_view note);

/** That entry is leaf r->index of the log. entry empty: what the receipt brings along.
 * AUDIT_RECEIPT and the above; MERKLE_PROOF: not in the tree. out borrows from text; r->note too.
 */
CM_MUST cm_err cm_audit_check_receipt(cm_audit_checked *out, cm_receipt *r, const cm_audit_trust *t,
                                      cm_view text, cm_view entry);

/** That newer goes on where older was, by the hashes of proof (empty when the sizes are equal or
 * older is empty). Both notes are checked themselves; quorum holds for newer alone.
 * AUDIT_SHRUNK: newer is smaller. AUDIT_FORK: it does not begin with older's tree. */
CM_MUST cm_err cm_audit_check_consistency(const cm_audit_trust *t, cm_view older, cm_view newer,
                                          cm_view proof);

/* ---- a whole log ---- */

typedef struct {
    /** Each entry once its bundle fits the tile; may be NULL. A failure ends the check. */
    cm_err (*entry)(void *self, uint64_t index, cm_view entry);
    /** Now and then; may be NULL. false: stop, CANCELLED. */
    bool (*progress)(void *self, uint64_t done, uint64_t of);
    void *self;
} cm_audit_watch;

/** Where a check of a log ended. */
typedef struct {
    uint64_t size;           /* the checkpoint's */
    uint64_t entries;        /* that were checked and fit */
    char file[CM_TILE_PATH]; /* the one that does not fit, by its name in an export; "" */
} cm_audit_extent;

/** Hash everything again: entries against tiles, tiles against each other and the checkpoint. Every
 * entry must decode. Memory: a bundle and the tree's edge. w may be NULL.
 * What cm_audit_check_note() fails with; AUDIT_TILE, AUDIT_ENTRY, NO_FILE with *at naming the file;
 * what the view fails with. *at is filled in any case. */
CM_MUST cm_err cm_audit_check_log(cm_audit_extent *at, const cm_audit_trust *t,
                                  const cm_log_view *v, const cm_audit_watch *w);

#endif
