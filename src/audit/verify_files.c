/* A whole log in the layout of C2SP tlog-tiles, hashed again. */
#include <stdio.h>

#include "audit/log.h"
#include "audit/verify.h"
#include "crypt/merkle.h"

enum {
    BUNDLE_MAX = CM_TILE_WIDTH * (2 + 65535),
    TILE = CM_TILE_WIDTH * 32,
};

typedef struct {
    const cm_audit_files *f;
    cm_audit_extent *at;
    cm_buf note, bundle, tile;
    cm_tree *tree;
    cm_err err; /* of a full tile that does not fit */
} checking;

static void checking_done(checking *k)
{
    cm_buf_free(&k->note);
    cm_buf_free(&k->bundle);
    cm_buf_free(&k->tile);
    cm_free(k->tree);
}

/* A partial file may have been replaced by the full one since. */
static cm_err read_file(checking *k, cm_buf *b, int level, uint64_t n, unsigned width)
{
    char full[CM_TILE_PATH];
    cm_err e;

    b->n = 0;
    cm_tile_path(k->at->file, level, n, width);
    e = k->f->read(k->f->self, b, k->at->file);
    if (cm_is(e, CM_NO_FILE) && width < CM_TILE_WIDTH) {
        cm_tile_path(full, level, n, CM_TILE_WIDTH);
        e = k->f->read(k->f->self, b, full);
    }
    return e;
}

/* That the file of a tile holds what the entries hash to. */
static cm_err check_tile(checking *k, const cm_tile *t)
{
    size_t n = (size_t)t->width * 32;

    CM_TRY(read_file(k, &k->tile, (int)t->level, t->n, t->width));
    if ((k->tile.n != n && k->tile.n != TILE) ||
        !cm_view_eq(cm_view_of(k->tile.p, n), cm_view_of(t->node, n))) {
        return CM_FAIL(AUDIT_TILE);
    }
    k->at->file[0] = 0;
    return CM_OKAY;
}

static void full_tile(void *arg, const cm_tile *t)
{
    checking *k = arg;

    if (cm_ok(k->err)) {
        k->err = check_tile(k, t);
    }
}

static cm_err take_entry(checking *k, cm_view entry)
{
    cm_audit_entry x;
    uint8_t h[32];

    CM_TRY(cm_audit_entry_decode(&x, entry));
    cm_merkle_leaf(h, cm_view_of(NULL, 0), entry);
    cm_tree_push(k->tree, h, full_tile, k);
    return k->err;
}

/* The entries are handed on only now, when their hashes are those of the tiles. */
static cm_err hand_on(checking *k, cm_view rest, unsigned width)
{
    cm_view entry;

    for (unsigned i = 0; i < width && cm_log_entry_next(&rest, &entry); i++) {
        if (k->f->entry) {
            CM_TRY(k->f->entry(k->f->self, k->at->entries, entry));
        }
        k->at->entries++;
    }
    return CM_OKAY;
}

static cm_err check_bundle(checking *k, uint64_t n, unsigned width)
{
    cm_view rest, entry;
    size_t got;

    CM_TRY(read_file(k, &k->bundle, -1, n, width));
    rest = cm_buf_view(&k->bundle);
    for (unsigned i = 0; i < width; i++) {
        if (!cm_log_entry_next(&rest, &entry)) {
            return CM_FAIL(AUDIT_TILE);
        }
        CM_TRY(take_entry(k, entry));
    }
    got = CM_TILE_WIDTH - width; /* that a full bundle may hold besides */
    while (got-- > 0 && cm_log_entry_next(&rest, &entry)) {
    }
    if (rest.n != 0) {
        return CM_FAIL(AUDIT_TILE);
    }
    if (width < CM_TILE_WIDTH) {
        CM_TRY(check_tile(k, &k->tree->edge[0]));
    }
    k->at->file[0] = 0;
    return hand_on(k, cm_buf_view(&k->bundle), width);
}

static cm_err check_all(checking *k)
{
    uint64_t bundles = k->at->size / CM_TILE_WIDTH + (k->at->size % CM_TILE_WIDTH != 0);

    cm_tree_init(k->tree);
    for (uint64_t n = 0; n < bundles; n++) {
        CM_TRY(check_bundle(k, n, cm_tile_width(0, n, k->at->size)));
        if (k->f->progress && !k->f->progress(k->f->self, k->at->entries, k->at->size)) {
            return CM_FAIL(CANCELLED);
        }
    }
    for (unsigned l = 1; l < CM_TILE_LEVELS; l++) {
        if (k->tree->edge[l].width > 0) {
            CM_TRY(check_tile(k, &k->tree->edge[l]));
        }
    }
    return CM_OKAY;
}

cm_err cm_audit_check_files(cm_audit_extent *at, const cm_audit_trust *t, const cm_audit_files *f)
{
    CM_AUTO(checking_done)
    checking k = {.f = f,
                  .at = at,
                  .note = {.max = CM_NOTE_MAX},
                  .bundle = {.max = BUNDLE_MAX},
                  .tile = {.max = TILE}};
    cm_audit_checked c;
    uint8_t root[32];

    *at = (cm_audit_extent){.file = "checkpoint"};
    CM_TRY(cm_alloc(&k.tree, sizeof *k.tree));
    CM_TRY(f->read(f->self, &k.note, at->file));
    CM_TRY(cm_audit_check_note(&c, t, cm_buf_view(&k.note)));
    at->size = c.checkpoint.size;
    CM_TRY(check_all(&k));
    cm_tree_root(root, k.tree);
    (void)snprintf(at->file, sizeof at->file, "checkpoint");
    if (!cm_view_eq(CM_VIEW(root), CM_VIEW(c.checkpoint.root))) {
        return CM_FAIL(AUDIT_TILE);
    }
    at->file[0] = 0;
    return CM_OKAY;
}
