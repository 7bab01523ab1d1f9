#ifndef CM_AUDIT_COMMIT_H
#define CM_AUDIT_COMMIT_H
/*
 * The one way to change anything: a unit holds the rows a decision stood on, the rows it changes,
 * the counters it uses up, and its audit entry. Units of many callers are committed together; each
 * either happens whole, with its leaf in the log, or not at all. Nothing is released before.
 */
#include "audit/audit.h"
#include "store/store.h"

typedef struct {
    cm_view key;
    uint64_t version; /* 0: must be absent */
} cm_unit_expect;

/** A counter row: grows by `by`, COMMIT_BUDGET past max. It starts at 0 again once `until` (ms) is
 * over, and may be pruned then. A nonce is a counter with max 1. */
typedef struct {
    cm_view key;
    uint64_t by, max, until;
} cm_unit_bump;

typedef struct cm_unit {
    const cm_unit_expect *expects;
    size_t expects_n;
    const cm_store_write *writes;
    size_t writes_n;
    const cm_unit_bump *bumps;
    size_t bumps_n;
    const cm_audit_entry *entry; /* NULL: the entry-less housekeeping of the log itself */
    /* What bumps run out of still leaves this entry alone in the log; NULL: nothing. */
    const cm_audit_entry *refused;
    bool want_receipt;

    /* results, set before done() */
    cm_err result;
    uint64_t leaf;  /* index in the log */
    cm_buf receipt; /* of want_receipt: spec/audit.md; the caller frees it */

    /** On the committer's thread, once durable or failed. Must be quick. */
    void (*done)(struct cm_unit *u);
    void *arg;
    struct cm_unit *next; /* the committer's */
} cm_unit;

typedef struct cm_committer cm_committer;

typedef struct {
    cm_store *store;
    const cm_crypt *crypt;
    cm_audit_signer signer;
    const char *origin;            /* the log's name in its checkpoints */
    uint64_t (*now_ms)(void *arg); /* wall clock */
    void *now_arg;
    unsigned depth; /* units waiting at most */
} cm_committer_options;

/** Starts the committer's thread. Reads the log's head: AUDIT_ROLLBACK when the store is older than
 * what the anchor says. */
CM_MUST cm_err cm_committer_new(cm_committer **out, const cm_committer_options *o);
/** Any thread. COMMIT_FULL at once when too much waits; done() is not called then. u and all it
 * points to stay until done(). */
CM_MUST cm_err cm_committer_submit(cm_committer *c, cm_unit *u);
/** The same, waiting; returns u->result. */
CM_MUST cm_err cm_committer_commit(cm_committer *c, cm_unit *u);
/** Finishes what waits, then stops. */
void cm_committer_free(cm_committer *c);
void cm_committer_free_ptr(cm_committer **c);

#endif
