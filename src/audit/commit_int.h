#ifndef CM_AUDIT_COMMIT_INT_H
#define CM_AUDIT_COMMIT_INT_H
/* The committer's two threads: one commits, one signs. */
#include <pthread.h>

#include "audit/batch_int.h"
#include "audit/log.h"

typedef struct {
    cm_unit *first, *last;
    unsigned n;
} cm_unit_list;

struct cm_committer {
    cm_committer_options o;
    char *origin;
    pthread_t commit_thread, sign_thread;
    bool committing, signing; /* threads that were started */

    /* The lock guards what follows up to the next comment. */
    pthread_mutex_t lock;
    pthread_cond_t commit_wake, sign_wake;
    cm_unit_list queue;
    bool idle; /* the commit thread sleeps */
    bool stop, sign_stop;
    cm_err store_err, sign_err; /* closed while either is set */
    uint64_t size;              /* committed, and its root */
    uint8_t root[32];
    uint64_t signed_size, unsigned_since; /* ns, monotonic */
    cm_unit_list receipts;                /* committed, in order of leaves */
    unsigned linger; /* the sign thread waits for as many receipts; 0: it does not */
    cm_buf note;
    uint64_t note_size; /* tree size of note */
    bool note_dirty;    /* not in the store yet */

    /* tree_lock: the commit thread appends, the sign thread reads nodes. */
    pthread_mutex_t tree_lock;
    cm_tree *tree;

    /* the commit thread's own */
    cm_batch batch;
    cm_log_head head;
    bool stale;                        /* tree and head have to be read again */
    uint64_t versions[CM_TILE_LEVELS]; /* of the rows of partial tiles */
    uint64_t note_version;             /* of the note's row */
    uint64_t note_stored, note_at;     /* tree size in it; when it was last written, ns */
    cm_buf note_out;
    uint64_t jitter;

    /* the sign thread's own */
    uint64_t sign_cost; /* ns, of the last signature */
    unsigned last_receipts;
    uint64_t anchored_at; /* ns */
    cm_log_source source;
};

void cm_unit_list_add(cm_unit_list *l, cm_unit *u);
/* The threads' functions. */
void *cm_commit_run(void *arg);
void *cm_sign_run(void *arg);
/* Read head and edge anew. */
cm_err cm_commit_reload(cm_committer *c);
/* Write the note's row, if it is not there yet, in a transaction of its own. */
cm_err cm_commit_flush_note(cm_committer *c);

#endif
