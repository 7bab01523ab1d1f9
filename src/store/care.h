#ifndef CM_STORE_CARE_H
#define CM_STORE_CARE_H
/*
 * Looking after a store: a copy of it as one stream, a new store from such a copy, and a look at
 * everything in it. Rows are copied as they lie: sealed ones stay sealed, and no key is needed.
 * The stream (spec/store.md D-50) is the same for both engines, so a copy of one fills the other.
 */
#include "crypt/crypt.h"
#include "store/store.h"

typedef struct {
    uint8_t store[16]; /* the id of the store that was copied */
    uint64_t generation;
    uint64_t rows, bytes;
} cm_backup;

/** All rows of one snapshot, in order, to put(). Memory does not grow with the store; others may
 * write meanwhile. Fails with what put() does. */
CM_MUST cm_err cm_store_backup(cm_store *s, const cm_crypt *c, cm_err (*put)(void *arg, cm_view v),
                               void *arg, cm_backup *b);
/** Fill an empty store, whole or not at all: the stream's checksum is compared before anything
 * counts. get() reads n bytes or fails with IO_SHORT. The store keeps its own id. STORE_BACKUP,
 * STORE_NOT_EMPTY. */
CM_MUST cm_err cm_store_restore(cm_store *s, const cm_crypt *c,
                                cm_err (*get)(void *arg, void *p, size_t n), void *arg,
                                cm_backup *b);

typedef struct {
    uint64_t rows, bytes;
    uint64_t opened;   /* rows that opened under their keys */
    uint64_t unopened; /* sealed rows whose keys are not at hand */
    uint64_t faults;
} cm_fsck;

/** The engine's files and every row: order, key, version, length, and that it opens. fault() is
 * told what is wrong, with a row's key or an empty one. STORE_DAMAGED when there was any. */
CM_MUST cm_err cm_store_fsck(cm_store *s, cm_fsck *r,
                             void (*fault)(void *arg, cm_view key, const char *what), void *arg);

#endif
