#ifndef CM_AUDIT_BATCH_INT_H
#define CM_AUDIT_BATCH_INT_H
/* What many units together do to the store and the log: worked out before anything is written. */
#include "audit/commit.h"
#include "audit/counter.h"

enum {
    CM_BATCH_UNITS = 1024,
    /* Runs of entries and tiles that CM_BATCH_UNITS leaves can touch, head and note. */
    CM_BATCH_LOG_ROWS = 40,
};

/* One row that the batch looks at. */
typedef struct {
    cm_view key;
    uint64_t hash;
    uint64_t version; /* in the store */
    uint64_t now;     /* after the units so far */
    uint64_t written; /* by the unit of this number; 0: by none */
    uint64_t writing; /* the unit that is being checked and would write it */
    uint64_t trial;   /* the unit that next belongs to */
    bool known;       /* from the batches before */
    bool counter;     /* some unit counts in it */
    bool bumped;      /* and one did */
    cm_err bad;       /* what its row could not be read for */
    cm_counter at, next;
    uint8_t row[CM_COUNTER_ROW];
} cm_batch_slot;

enum { CM_BATCH_KNOWN = 1024, CM_BATCH_KNOWN_KEY = 104 };

/* What a counter's row held when this committer last wrote it. */
typedef struct {
    uint64_t version; /* 0: nothing known */
    cm_counter at;
    uint8_t key[CM_BATCH_KNOWN_KEY];
    size_t key_n;
} cm_batch_known;

typedef struct {
    cm_batch_known *known; /* by hash; NULL: other processes write to the store, too */
    cm_path head_path;     /* looked at beside the units' rows then */
    uint64_t head_version;
    cm_batch_slot *slot;
    size_t slots, slots_cap;
    uint32_t *table; /* slot number + 1 by hash */
    size_t table_n;  /* a power of two */
    uint32_t *ref;   /* the slots of all units, in order: expects, writes, bumps */
    size_t refs, refs_cap;
    cm_view *key; /* of each slot, for one call to the store */
    uint64_t *version;
    size_t keys_cap;

    cm_buf entries;                  /* as bundles hold them */
    uint32_t at[CM_BATCH_UNITS + 1]; /* where each begins */
    uint8_t leaf[CM_BATCH_UNITS][32];
    size_t leaves;
    uint64_t last_ms; /* of the last entry: set before judging */

    cm_store_write *write;
    size_t writes, writes_cap;
    cm_path path[CM_BATCH_LOG_ROWS];
    size_t paths;
    uint8_t head[48];
    uint64_t seed; /* of the hashes */
} cm_batch;

cm_err cm_batch_init(cm_batch *b, const cm_crypt *c, bool shared);
void cm_batch_done(cm_batch *b);
/* Forget the units before, and list the rows of these. */
cm_err cm_batch_begin(cm_batch *b, const cm_unit *units);
/* Versions of all rows and values of the counters. */
cm_err cm_batch_read(cm_batch *b, cm_txn *t);
/* Decide on each unit, one after another: sets result, and leaf relative to first. Fails only for
 * what is wrong with none of them. */
cm_err cm_batch_judge(cm_batch *b, cm_unit *units, uint64_t first, uint64_t now_ms);
/* The entry number i of the batch, without its length. */
cm_view cm_batch_entry(const cm_batch *b, size_t i);
/* Append to the rows to write. */
cm_err cm_batch_put(cm_batch *b, cm_view key, uint64_t version, cm_view value);
/* A path for such a row, good until the next cm_batch_begin(). */
cm_path *cm_batch_path(cm_batch *b);
/* The rows of entries, from leaf number first on. */
cm_err cm_batch_put_entries(cm_batch *b, uint64_t first);
/* All of it is durable: remember the counters. */
void cm_batch_committed(cm_batch *b);
/* Somebody else has written after all. */
void cm_batch_forget(cm_batch *b);

#endif
