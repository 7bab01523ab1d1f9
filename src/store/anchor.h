#ifndef CM_STORE_ANCHOR_H
#define CM_STORE_ANCHOR_H
/*
 * A note outside the database of how far it had come (spec/store.md D-30): an older copy of it, or
 * another one, put in its place is refused. Who can also put back the older note, on the same disk,
 * is not stopped by this but by witnesses of the log.
 *
 * At the start: cm_anchor_new(), cm_anchor_last() to hold the log against it, cm_anchor_check().
 * Then cm_anchor_note() after every commit, and cm_anchor_flush() before the end.
 */
#include "crypt/crypt.h"
#include "store/store.h"

typedef struct {
    uint8_t store[16];   /* cm_store_info.id */
    uint64_t generation; /* cm_store_info.generation */
    uint64_t size;       /* of the log */
    uint8_t root[32];    /* of the log at that size */
} cm_anchor_point;

typedef struct cm_anchor cm_anchor;

/** c is borrowed, the key copied into locked memory. every_ms: the file is written at most as often
 * (0: after every commit). An absent file is no failure yet. STORE_ANCHOR for one that this key has
 * not written, unless accept: it counts as absent then. */
CM_MUST cm_err cm_anchor_new(cm_anchor **out, const cm_crypt *c, const char *path,
                             const cm_key32 *key, unsigned every_ms, bool accept);
/** What the file said. False: there was none. */
bool cm_anchor_last(const cm_anchor *a, cm_anchor_point *p);
/** Whether a store that stands at now may follow the note, and write now down if it may.
 * STORE_ROLLBACK: it is another store, older in generation or size, or as long with another root.
 * STORE_ANCHOR: no note, though the store was written to before. accept: the operator has decided
 * to go on with this store. */
CM_MUST cm_err cm_anchor_check(cm_anchor *a, const cm_anchor_point *now, bool accept);
/** After a commit, by one thread at a time; writes when it is time to. */
CM_MUST cm_err cm_anchor_note(cm_anchor *a, const cm_anchor_point *now);
/** Write what was noted last, if it was not yet. */
CM_MUST cm_err cm_anchor_flush(cm_anchor *a);
void cm_anchor_free(cm_anchor *a);
void cm_anchor_free_ptr(cm_anchor **a);

#endif
