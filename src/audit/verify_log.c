/* A whole log, hashed again. */
#include <stdio.h>

#include "audit/log_int.h"
#include "audit/verify.h"
#include "crypt/merkle.h"

typedef struct {
    const cm_log_view *v;
    const cm_audit_watch *w;
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

/* That a tile holds what the entries hash to. */
static cm_err check_tile(checking *k, const cm_tile *t)
{
    cm_tile_path(k->at->file, (int)t->level, t->n, t->width);
    k->tile.n = 0;
    CM_TRY(k->v->tile(k->v->self, &k->tile, t->level, t->n, t->width));
    if (!cm_view_eq(cm_buf_view(&k->tile), cm_view_of(t->node, (size_t)t->width * 32))) {
        return CM_FAIL(AUDIT_TILE);
    }
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

/* The entries are handed on only now that their hashes are those of the tiles. */
static cm_err hand_on(checking *k, cm_view rest)
{
    cm_view entry;

    while (cm_log_entry_next(&rest, &entry)) {
        if (k->w && k->w->entry) {
            CM_TRY(k->w->entry(k->w->self, k->at->entries, entry));
        }
        k->at->entries++;
    }
    return CM_OKAY;
}

static cm_err check_bundle(checking *k, uint64_t n, unsigned width)
{
    cm_view rest, entry;
    unsigned count = 0;

    cm_tile_path(k->at->file, -1, n, width);
    k->bundle.n = 0;
    CM_TRY(k->v->bundle(k->v->self, &k->bundle, n, width));
    rest = cm_buf_view(&k->bundle);
    for (; cm_log_entry_next(&rest, &entry); count++) {
        CM_TRY(take_entry(k, entry));
    }
    if (count != width || rest.n != 0) {
        return CM_FAIL(AUDIT_TILE);
    }
    if (width < CM_TILE_WIDTH) {
        CM_TRY(check_tile(k, &k->tree->edge[0]));
    }
    return hand_on(k, cm_buf_view(&k->bundle));
}

static cm_err check_all(checking *k)
{
    unsigned width;

    cm_tree_init(k->tree);
    for (uint64_t n = 0; (width = cm_tile_width(0, n, k->at->size)) > 0; n++) {
        CM_TRY(check_bundle(k, n, width));
        if (k->w && k->w->progress && !k->w->progress(k->w->self, k->at->entries, k->at->size)) {
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

cm_err cm_audit_check_log(cm_audit_extent *at, const cm_audit_trust *t, const cm_log_view *v,
                          const cm_audit_watch *w)
{
    CM_AUTO(checking_done)
    checking k = {.v = v,
                  .w = w,
                  .at = at,
                  .note = {.max = CM_NOTE_MAX},
                  .bundle = {.max = CM_LOG_BUNDLE_MAX},
                  .tile = {.max = CM_LOG_TILE_MAX}};
    cm_audit_checked c;
    uint8_t root[32];

    *at = (cm_audit_extent){.file = "checkpoint"};
    CM_TRY(cm_alloc(&k.tree, sizeof *k.tree));
    CM_TRY(v->note(v->self, &k.note));
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
