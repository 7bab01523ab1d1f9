/* A log read through its tiles, be it in a store or in files: proofs, receipts, exports. */
#include "audit/log_int.h"
#include "audit/receipt.h"

void cm_log_fill(cm_tile *t, unsigned level, uint64_t n, const uint8_t *hashes, size_t width)
{
    cm_tile_init(t, level, n);
    for (size_t i = 0; i < width; i++) {
        cm_tile_push(t, hashes + 32 * i);
    }
}

/* ---- a store ---- */

static cm_err store_note(void *self, cm_buf *out)
{
    return cm_log_note_read(out, self);
}

static cm_err store_tile(void *self, cm_buf *out, unsigned level, uint64_t n, unsigned width)
{
    return cm_log_tile(out, self, level, n, width);
}

static cm_err store_bundle(void *self, cm_buf *out, uint64_t n, unsigned width)
{
    return cm_log_bundle(out, self, n, width);
}

cm_log_view cm_log_view_store(cm_store *s)
{
    return (cm_log_view){store_note, store_tile, store_bundle, s};
}

/* ---- files ---- */

static const cm_log_files *files_of(void *self)
{
    return self;
}

static cm_err files_note(void *self, cm_buf *out)
{
    const cm_log_files *f = files_of(self);

    return f->read(f->self, out, "checkpoint");
}

/* Tile or bundle, *width hashes or entries of it: a partial file may have been replaced by the full
 * one since it was asked for. */
static cm_err read_run(const cm_log_files *f, cm_buf *b, int level, uint64_t n, unsigned *width)
{
    char name[CM_TILE_PATH];
    cm_err e;

    cm_tile_path(name, level, n, *width);
    e = f->read(f->self, b, name);
    if (cm_is(e, CM_NO_FILE) && *width < CM_TILE_WIDTH) {
        *width = CM_TILE_WIDTH;
        cm_tile_path(name, level, n, *width);
        e = f->read(f->self, b, name);
    }
    return cm_is(e, CM_TOO_BIG) ? CM_FAIL(AUDIT_TILE) : e;
}

static cm_err files_tile(void *self, cm_buf *out, unsigned level, uint64_t n, unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_TILE_MAX};
    unsigned there = width;

    CM_TRY(read_run(files_of(self), &b, (int)level, n, &there));
    if (b.n != (size_t)there * 32) {
        return CM_FAIL(AUDIT_TILE);
    }
    return cm_buf_append(out, cm_view_of(b.p, (size_t)width * 32));
}

static cm_err files_bundle(void *self, cm_buf *out, uint64_t n, unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_BUNDLE_MAX};
    unsigned there = width, i = 0;
    cm_view rest, entry;
    size_t end = 0;

    CM_TRY(read_run(files_of(self), &b, -1, n, &there));
    rest = cm_buf_view(&b);
    for (; i < there && cm_log_entry_next(&rest, &entry); i++) {
        end = i < width ? b.n - rest.n : end;
    }
    if (i < there || rest.n != 0) {
        return CM_FAIL(AUDIT_TILE);
    }
    return cm_buf_append(out, cm_view_of(b.p, end));
}

cm_log_view cm_log_view_files(const cm_log_files *f)
{
    cm_log_view v = {files_note, files_tile, files_bundle, NULL};

    memcpy(&v.self, &f, sizeof f); /* only read through */
    return v;
}

/* ---- hashes ---- */

void cm_log_source_init(cm_log_source *l, const cm_log_view *v, uint64_t size)
{
    l->view = *v;
    l->size = size;
    for (unsigned i = 0; i < CM_TILE_LEVELS; i++) {
        cm_tile_init(&l->tile[i], i, 0);
    }
}

static cm_err load_tile(cm_log_source *l, unsigned level, uint64_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_TILE_MAX};
    unsigned width = cm_tile_width(level, n, l->size);

    if (width == 0) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    CM_TRY(l->view.tile(l->view.self, &b, level, n, width));
    cm_log_fill(&l->tile[level], level, n, b.p, width);
    return CM_OKAY;
}

static cm_err source_node(void *self, uint8_t out[32], unsigned height, uint64_t i)
{
    cm_log_source *l = self;
    unsigned level = height / 8, up = height % 8;
    uint64_t n = i >> (8 - up), in = i & ((UINT64_C(1) << (8 - up)) - 1);
    const uint8_t *node;

    if (level >= CM_TILE_LEVELS) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    node = l->tile[level].n == n ? cm_tile_node(&l->tile[level], up, in) : NULL;
    if (!node) {
        CM_TRY(load_tile(l, level, n));
        node = cm_tile_node(&l->tile[level], up, in);
    }
    if (!node) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    memcpy(out, node, 32);
    return CM_OKAY;
}

cm_tlog_source cm_log_source_of(cm_log_source *l)
{
    return (cm_tlog_source){source_node, l};
}

/* ---- proofs ---- */

static cm_err read_checkpoint(cm_checkpoint *c, cm_buf *note, const cm_log_view *v)
{
    cm_note n;

    CM_TRY(v->note(v->self, note));
    CM_TRY(cm_note_parse(&n, cm_buf_view(note)));
    return cm_checkpoint_parse(c, n.text);
}

static cm_err read_entry(cm_buf *out, const cm_log_view *v, uint64_t index, uint64_t size)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_BUNDLE_MAX};
    unsigned in = (unsigned)(index % CM_TILE_WIDTH);
    uint64_t n = index / CM_TILE_WIDTH;
    cm_view rest, entry = {0};

    CM_TRY(v->bundle(v->self, &b, n, cm_tile_width(0, n, size)));
    rest = cm_buf_view(&b);
    for (unsigned i = 0; i <= in; i++) {
        (void)cm_log_entry_next(&rest, &entry);
    }
    return cm_buf_append(out, entry);
}

cm_err cm_log_receipt(cm_buf *out, const cm_log_view *v, uint64_t index)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf entry = {.max = CM_RECEIPT_EXTRA};
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 64 * 32};
    CM_AUTO(cm_free_ptr) cm_log_source *l = NULL;
    cm_tlog_source s;
    cm_checkpoint c;

    CM_TRY(read_checkpoint(&c, &note, v));
    if (index >= c.size) {
        return CM_FAIL(AUDIT_NO_LEAF);
    }
    CM_TRY(cm_alloc(&l, sizeof *l));
    cm_log_source_init(l, v, c.size);
    s = cm_log_source_of(l);
    CM_TRY(read_entry(&entry, v, index, c.size));
    CM_TRY(cm_tlog_inclusion(&proof, &s, index, c.size));
    return cm_receipt_put(out, index, cm_buf_view(&proof), cm_buf_view(&entry), cm_buf_view(&note));
}

cm_err cm_log_proof_since(cm_buf *proof, const cm_log_view *v, uint64_t size)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_free_ptr) cm_log_source *l = NULL;
    cm_tlog_source s;
    cm_checkpoint c;

    CM_TRY(read_checkpoint(&c, &note, v));
    if (size > c.size) {
        return CM_FAIL(AUDIT_SHRUNK);
    }
    if (size == 0) {
        return CM_OKAY;
    }
    CM_TRY(cm_alloc(&l, sizeof *l));
    cm_log_source_init(l, v, c.size);
    s = cm_log_source_of(l);
    return cm_tlog_consistency(proof, &s, size, c.size);
}

/* ---- exports ---- */

static cm_err export_run(const cm_log_sink *to, const cm_log_view *v, int level, uint64_t n,
                         unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_BUNDLE_MAX};
    char name[CM_TILE_PATH];

    cm_tile_path(name, level, n, width);
    if (width == CM_TILE_WIDTH && to->has && to->has(to->self, name)) {
        return CM_OKAY;
    }
    CM_TRY(level < 0 ? v->bundle(v->self, &b, n, width)
                     : v->tile(v->self, &b, (unsigned)level, n, width));
    return to->write(to->self, name, cm_buf_view(&b));
}

static cm_err export_level(const cm_log_sink *to, const cm_log_view *v, unsigned level,
                           uint64_t size)
{
    unsigned width;

    for (uint64_t n = 0; (width = cm_tile_width(level, n, size)) > 0; n++) {
        CM_TRY(export_run(to, v, (int)level, n, width));
        if (level > 0) {
            continue;
        }
        CM_TRY(export_run(to, v, -1, n, width));
        if (to->progress && !to->progress(to->self, n * CM_TILE_WIDTH + width, size)) {
            return CM_FAIL(CANCELLED);
        }
    }
    return CM_OKAY;
}

cm_err cm_log_export(const cm_log_sink *to, const cm_log_view *v, uint64_t *size)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    cm_checkpoint c;

    CM_TRY(read_checkpoint(&c, &note, v));
    for (unsigned l = 0; l < CM_TILE_LEVELS; l++) {
        CM_TRY(export_level(to, v, l, c.size));
    }
    CM_TRY(to->write(to->self, "checkpoint", cm_buf_view(&note)));
    if (size) {
        *size = c.size;
    }
    return CM_OKAY;
}
