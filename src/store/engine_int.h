#ifndef CM_STORE_ENGINE_INT_H
#define CM_STORE_ENGINE_INT_H
/* What an engine does: rows as they are on the disk, sealed or not. */
#include "store/store.h"

typedef struct {
    cm_err (*get)(void *self, cm_view key, cm_buf *value, uint64_t *version);
    cm_err (*scan)(void *self, cm_view from, cm_view to, size_t max,
                   cm_err (*row)(void *arg, const cm_store_row *r), void *arg);
    cm_err (*begin)(void *self); /* waits for the one before */
    cm_err (*versions)(void *self, const cm_view *keys, size_t n, uint64_t *versions);
    cm_err (*txn_get)(void *self, cm_view key, cm_buf *value, uint64_t *version);
    cm_err (*write)(void *self, const cm_store_write *w, size_t n);
    cm_err (*commit)(void *self);
    void (*abort)(void *self);
    void (*close)(void *self);
    void (*files)(void *self, void (*each)(void *arg, const char *path),
                  void *arg); /* NULL: none */
    cm_err (*info)(void *self, cm_store_info *i);
    /* Within a transaction: rows as they lay in another store, none of which is here. */
    cm_err (*restore)(void *self, const cm_store_row *r, size_t n);
    /* What the engine itself finds wrong with its files, a line each; the rows may be whole. */
    cm_err (*check)(void *self, void (*fault)(void *arg, const char *what), void *arg);
    bool shared;
} cm_engine_ops;

/* Schemas: 1 had rows alone; 2 has the store's id and generation. */
enum { CM_STORE_SCHEMA = 2, CM_STORE_VALUE_MAX = 16 << 20 };

/** Takes self, which is closed on failure too. */
CM_MUST cm_err cm_store_of(cm_store **out, const cm_engine_ops *ops, void *self);
/** The engine below: rows as they lie. */
const cm_engine_ops *cm_store_engine(const cm_store *s, void **self);
/** What a row holds, opened as its key wants. STORE_LOCKED, CRYPT_TAG. */
CM_MUST cm_err cm_store_open_row(cm_store *s, cm_buf *out, const cm_store_row *r);

/** What comes behind every key there can be, in room: each has a 00 somewhere. */
static inline cm_view cm_store_end(uint8_t room[CM_PATH_MAX])
{
    memset(room, 0xff, CM_PATH_MAX);
    return cm_view_of(room, CM_PATH_MAX);
}

#endif
