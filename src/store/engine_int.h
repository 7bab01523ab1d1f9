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
    bool shared;
} cm_engine_ops;

/** Takes self, which is closed on failure too. */
CM_MUST cm_err cm_store_of(cm_store **out, const cm_engine_ops *ops, void *self);

#endif
