#ifndef CM_AUDIT_TREE_H
#define CM_AUDIT_TREE_H
/*
 * The log's tree in tiles (C2SP tlog-tiles): hashes in runs of 256, each run with the 255 nodes
 * above it. Of a tree only the right edge is kept, one tile a level, and the last few that filled
 * up. All of it is public. Plain memory, one thread at a time.
 */
#include "base/base.h"

enum {
    CM_TILE_WIDTH = 256,
    CM_TILE_LEVELS = 8,  /* 2^64 leaves */
    CM_TILE_RECENT = 16, /* full tiles that a tree remembers */
};

/** One tile: hashes at node[0..255], then their 128 parents, and so on up to its root. */
typedef struct {
    unsigned level;
    uint64_t n; /* its number within the level */
    unsigned width;
    uint8_t node[2 * CM_TILE_WIDTH - 1][32];
} cm_tile;

void cm_tile_init(cm_tile *t, unsigned level, uint64_t n);
/** Append a hash and what it completes. width is below 256. */
void cm_tile_push(cm_tile *t, const uint8_t hash[32]);
/** The node over hashes [i << height, (i + 1) << height), height 0 to 8; NULL while they are not
 * all there. */
const uint8_t *cm_tile_node(const cm_tile *t, unsigned height, uint64_t i);

typedef struct {
    uint64_t size;
    cm_tile edge[CM_TILE_LEVELS];
    cm_tile recent[CM_TILE_RECENT]; /* a ring of full ones; width 0: none yet */
    unsigned recent_next;
} cm_tree;

void cm_tree_init(cm_tree *t);
/** Append a leaf's hash. full(arg, tile) is called for each tile that it fills, lowest first; the
 * tile stays until CM_TILE_RECENT more are full. full may be NULL. */
void cm_tree_push(cm_tree *t, const uint8_t leaf[32], void (*full)(void *arg, const cm_tile *tile),
                  void *arg);
void cm_tree_root(uint8_t out[32], const cm_tree *t);
/** What the tree remembers of the complete subtree [i << height, (i + 1) << height), or NULL. */
const uint8_t *cm_tree_node(const cm_tree *t, unsigned height, uint64_t i);

/* ---- proofs ---- */

/** Where the hashes of complete subtrees come from. */
typedef struct {
    cm_err (*node)(void *self, uint8_t out[32], unsigned height, uint64_t i);
    void *self;
} cm_tlog_source;

/** Root of the first size leaves. */
CM_MUST cm_err cm_tlog_root(uint8_t out[32], const cm_tlog_source *s, uint64_t size);
/** Append the hashes that cm_merkle_check_inclusion() takes. BAD_ARGUMENT unless index < size. */
CM_MUST cm_err cm_tlog_inclusion(cm_buf *proof, const cm_tlog_source *s, uint64_t index,
                                 uint64_t size);
/** Append the hashes that cm_merkle_check_consistency() takes. BAD_ARGUMENT unless
 * 0 < size1 <= size2. */
CM_MUST cm_err cm_tlog_consistency(cm_buf *proof, const cm_tlog_source *s, uint64_t size1,
                                   uint64_t size2);

/* ---- tiles as C2SP names them ---- */

/** Hashes in tile n of a level for a tree of size leaves: 256, fewer at the edge, 0: no such tile.
 * Level 0 also for bundles of entries. */
unsigned cm_tile_width(unsigned level, uint64_t n, uint64_t size);
enum { CM_TILE_PATH = 96 };
/** "tile/0/x001/234.p/17"; level below 0 is "entries". width 256: no suffix. */
void cm_tile_path(char out[CM_TILE_PATH], int level, uint64_t n, unsigned width);

#endif
