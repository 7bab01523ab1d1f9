#ifndef CM_AUDIT_COMMIT_H
#define CM_AUDIT_COMMIT_H
/*
 * The one way to change anything: a unit holds the rows a decision stood on, the rows it changes,
 * the counters it uses up, and its audit entry. Units of many callers are committed together; each
 * either happens whole, with its leaf in the log, or not at all. Nothing is released before.
 *
 * A checkpoint is signed over leaves that are durable already, never before: the signature of a
 * tree that the disk then lost would be a fork. So a second thread signs while the next units are
 * committed, and only units that want a receipt wait for it.
 */
#include "audit/audit.h"
#include "audit/note.h"
#include "store/store.h"

typedef struct {
    cm_view key;
    uint64_t version; /* 0: must be absent */
} cm_unit_expect;

/** A counter row (audit/counter.h): grows by `by`, COMMIT_BUDGET past max. It starts at 0 again
 * once `until` (ms) of the bump that began it is over, and may be pruned then; until 0: never. A
 * nonce is a counter with max 1. Any number of units of a batch may bump the same counter. */
typedef struct {
    cm_view key;
    uint64_t by, max, until;
} cm_unit_bump;

typedef struct cm_unit {
    const cm_unit_expect *expects;
    size_t expects_n;
    /* STORE_CONFLICT unless every row stands at the version before; a removal (version 0) unless
     * it is there. */
    const cm_store_write *writes;
    size_t writes_n;
    const cm_unit_bump *bumps;
    size_t bumps_n;
    const cm_audit_entry *entry; /* NULL: the entry-less housekeeping of the log itself */
    /* What bumps run out of still leaves this entry alone in the log; NULL: nothing. */
    const cm_audit_entry *refused;
    bool want_receipt; /* of entry; done() waits for a signed checkpoint then */

    /* results, set before done() */
    cm_err result;
    uint64_t leaf;    /* index in the log, of the unit's entry or refused one */
    uint64_t time_ms; /* of that, as it stands in the log */
    cm_buf receipt;   /* of want_receipt: spec/audit.md; the caller frees it */

    /** On a thread of the committer's, once durable or failed. Must be quick. */
    void (*done)(struct cm_unit *u);
    void *arg;
    struct cm_unit *next; /* the committer's */
} cm_unit;

typedef struct cm_committer cm_committer;

/** The size and root last signed, kept somewhere that a restored database does not bring back.
 * Called on one thread at a time; may take milliseconds. */
typedef struct {
    cm_err (*load)(void *self, uint64_t *size, uint8_t root[32]); /* size 0: nothing kept yet */
    cm_err (*save)(void *self, uint64_t size, const uint8_t root[32]);
    void *self;
} cm_audit_anchor;

typedef struct {
    cm_store *store;
    const cm_crypt *crypt;
    cm_audit_signer signer;
    const char *origin;            /* the log's name in its checkpoints */
    uint64_t (*now_ms)(void *arg); /* wall clock */
    void *now_arg;
    unsigned depth; /* units waiting at most */

    /* The log's public keys: the last checkpoint in the store must be signed by all of them
     * before another is signed. NULL: taken as it is. */
    const cm_vkey *vkeys;
    size_t vkeys_n;
    /* Zeroed: none. Saved to at most ten times a second. */
    cm_audit_anchor anchor;
} cm_committer_options;

/** Starts the committer's threads. Reads the log's head.
 * AUDIT_ROLLBACK   the store is older than what was signed
 * AUDIT_DAMAGED    head, tiles and entries contradict one another or the last checkpoint
 * AUDIT_ORIGIN     the store holds another log
 * AUDIT_SIGNATURE, AUDIT_UNSIGNED   its last checkpoint is not by vkeys */
CM_MUST cm_err cm_committer_new(cm_committer **out, const cm_committer_options *o);
/** Any thread. COMMIT_FULL at once when too much waits, AUDIT_CLOSED while the store or the signer
 * fails, BAD_ARGUMENT for an empty key; done() is not called then. u and all it points to stay
 * until done(). */
CM_MUST cm_err cm_committer_submit(cm_committer *c, cm_unit *u);
/** The same, waiting; returns u->result. done and arg of u are overwritten. */
CM_MUST cm_err cm_committer_commit(cm_committer *c, cm_unit *u);
/** OK, or what the store or the signer last failed with: nothing is committed until they recover,
 * which is tried at growing intervals up to 2 s. Any thread. */
CM_MUST cm_err cm_committer_health(cm_committer *c);
/** A read of somebody's did not reach the store, with e: nothing is taken in before a write has
 * succeeded, so that nobody else waits for it. Any thread. */
void cm_committer_suspect(cm_committer *c, cm_err e);
/** Append the newest signed checkpoint; STORE_NO_ROW before the first. Any thread. */
CM_MUST cm_err cm_committer_checkpoint(cm_committer *c, cm_buf *note);
/** Finishes what waits and signs it, then stops. */
void cm_committer_free(cm_committer *c);
void cm_committer_free_ptr(cm_committer **c);

#endif
