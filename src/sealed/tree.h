#ifndef CM_SEALED_TREE_H
#define CM_SEALED_TREE_H
/*
 * The tree of a container: one node per segment, in levels of runs of 1024, so that a reader checks
 * one run per level for a place it has not been to (spec/sealed.md, Tree).
 */
#include "sealed/keys.h"

enum { CM_TREE_LEVELS = 4 };

/** Where each level's runs begin, counted in FLOE segments. */
typedef struct {
    unsigned levels; /* 0 for an empty model */
    uint64_t nodes[CM_TREE_LEVELS];
    uint64_t base[CM_TREE_LEVELS];
    uint64_t plain_size;
} cm_tree_shape;
/** SEALED_TOO_LARGE past what CM_TREE_LEVELS hold. */
CM_MUST cm_err cm_tree_shape_of(cm_tree_shape *out, uint64_t segments);
/** Bytes of the FLOE message that holds it. */
uint64_t cm_tree_sealed_size(const cm_tree_shape *s);

/* ---- writing ---- */

/** Nodes go in, in order; sealed bytes come out through a sink, from its start to its end. */
typedef struct {
    const cm_floe *floe;
    cm_floe_worker worker;
    cm_err (*sink)(void *arg, cm_view bytes);
    void *sink_arg;
    uint64_t count, position;
    uint8_t *seg; /* one FLOE segment; the run in progress is its plaintext */
    cm_buf upper; /* level 1: roots of the runs that went out */
} cm_tree_writer;
CM_MUST cm_err cm_tree_writer_init(cm_tree_writer *w, const cm_floe *floe,
                                   cm_err (*sink)(void *arg, cm_view bytes), void *arg);
/** *run, if not NULL, is set when this node completed a run. */
CM_MUST cm_err cm_tree_writer_push(cm_tree_writer *w, const uint8_t node[32], bool *run);
/** A whole run that an earlier process sealed: its nodes count, nothing goes out. */
CM_MUST cm_err cm_tree_writer_skip_run(cm_tree_writer *w, uint8_t (*nodes)[32]);
/** Send the rest; the digest is the root of everything pushed. */
CM_MUST cm_err cm_tree_writer_finish(cm_tree_writer *w, uint8_t digest[32]);
void cm_tree_writer_done(cm_tree_writer *w);

/* ---- reading ---- */

/** Reads the sealed tree at an offset of the container. Runs are checked against their parents and
 * the last ones kept. Any thread. */
typedef struct cm_tree_reader cm_tree_reader;
/** The top level is read and checked against digest now. SEALED_TREE, FLOE_SEGMENT. size is that of
 * the sealed message. */
CM_MUST cm_err cm_tree_reader_new(cm_tree_reader **out, const cm_crypt *c, const cm_key32 *key,
                                  cm_view aad, int fd, uint64_t at, uint64_t size,
                                  uint64_t segments, const uint8_t digest[32]);
void cm_tree_reader_free(cm_tree_reader *r);
void cm_tree_reader_free_ptr(cm_tree_reader **r);
/** The checked node of one segment. */
CM_MUST cm_err cm_tree_reader_node(cm_tree_reader *r, uint8_t node[32], uint64_t segment);

#endif
