/* The log's rows, as everyone but the committer sees them. */
#include "audit/log_int.h"

#include "audit/audit.h"
#include "crypt/merkle.h"

enum {
    HEAD_OLD = 8 + 32, /* without a time */
    HEAD = HEAD_OLD + 8,
    BUNDLE_MAX = CM_TILE_WIDTH * (2 + CM_AUDIT_ENTRY_MAX),
    NOTE_MAX = 1 << 18,
};

static void path_of(cm_path *p, const char *what)
{
    cm_path_init(p);
    cm_path_add_str(p, "");
    cm_path_add_str(p, "log");
    cm_path_add_str(p, what);
}

void cm_log_head_path(cm_path *p)
{
    path_of(p, "head");
}

void cm_log_note_path(cm_path *p)
{
    path_of(p, "note");
}

void cm_log_entry_path(cm_path *p, uint64_t index)
{
    path_of(p, "entry");
    cm_path_add_u64(p, index);
}

void cm_log_tile_path(cm_path *p, unsigned level, uint64_t n)
{
    path_of(p, "tile");
    cm_path_add_u64(p, level);
    cm_path_add_u64(p, n);
}

cm_err cm_log_head_read(cm_log_head *h, cm_store *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = HEAD};
    cm_log_head x = {0};
    cm_path p;
    cm_err e;

    cm_log_head_path(&p);
    e = cm_store_get(s, cm_path_view(&p), &b, &x.version);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        cm_merkle_root(x.root, NULL, 0);
        x.version = 0;
        *h = x;
        return CM_OKAY;
    }
    if (cm_is(e, CM_TOO_BIG)) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    CM_TRY(e);
    if (b.n != HEAD && b.n != HEAD_OLD) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    x.time_ms = b.n == HEAD ? cm_get_be64(b.p + HEAD_OLD) : 0;
    if (x.time_ms > INT64_MAX) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    x.size = cm_get_be64(b.p);
    memcpy(x.root, b.p + 8, 32);
    *h = x;
    return CM_OKAY;
}

cm_err cm_log_note_read(cm_buf *note, cm_store *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = NOTE_MAX};
    uint64_t version;
    cm_path p;

    cm_log_note_path(&p);
    CM_TRY(cm_store_get(s, cm_path_view(&p), &b, &version));
    return cm_buf_append(note, cm_buf_view(&b));
}

/* ---- bundles ---- */

bool cm_log_entry_next(cm_view *bundle, cm_view *entry)
{
    size_t n;

    if (bundle->n < 2) {
        return false;
    }
    n = cm_get_be16(bundle->p);
    if (bundle->n - 2 < n) {
        return false;
    }
    *entry = cm_view_sub(*bundle, 2, n);
    *bundle = cm_view_sub(*bundle, 2 + n, bundle->n - 2 - n);
    return true;
}

typedef struct {
    cm_buf out;
    uint64_t next; /* index of the entry that must come */
    uint64_t end;
} collect;

/* One row of entries: it begins where the one before ended. */
static cm_err add_run(void *arg, const cm_store_row *r)
{
    CM_AUTO(cm_buf_free) cm_buf index = {.max = 64};
    collect *c = arg;
    cm_view rest = r->value, entry;

    CM_TRY(cm_path_nth(&index, r->key, 3));
    if (index.n != 8 || cm_get_be64(index.p) != c->next || rest.n == 0) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    while (c->next < c->end && cm_log_entry_next(&rest, &entry)) {
        c->next++;
    }
    if (rest.n > 0 && c->next < c->end) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    return cm_buf_append(&c->out, cm_view_sub(r->value, 0, r->value.n - rest.n));
}

static void collect_done(collect *c)
{
    cm_buf_free(&c->out);
}

cm_err cm_log_bundle(cm_buf *out, cm_store *s, uint64_t n, unsigned width)
{
    CM_AUTO(collect_done) collect c = {.out = {.max = BUNDLE_MAX}};
    cm_path from, to;

    if (width == 0 || width > CM_TILE_WIDTH || n > UINT64_MAX / CM_TILE_WIDTH - 1) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    c.next = n * CM_TILE_WIDTH;
    c.end = c.next + width;
    cm_log_entry_path(&from, c.next);
    cm_log_entry_path(&to, c.end);
    CM_TRY(cm_store_scan(s, cm_path_view(&from), cm_path_view(&to), CM_TILE_WIDTH, add_run, &c));
    if (c.next != c.end) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    return cm_buf_append(out, cm_buf_view(&c.out));
}

cm_err cm_log_entry(cm_buf *out, cm_store *s, uint64_t index)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = BUNDLE_MAX};
    unsigned in = (unsigned)(index % CM_TILE_WIDTH);
    cm_view rest, entry = {0};
    cm_log_head h;

    CM_TRY(cm_log_head_read(&h, s));
    if (index >= h.size) {
        return CM_FAIL(AUDIT_NO_LEAF);
    }
    CM_TRY(cm_log_bundle(&b, s, index / CM_TILE_WIDTH, in + 1));
    rest = cm_buf_view(&b);
    for (unsigned i = 0; i <= in; i++) {
        (void)cm_log_entry_next(&rest, &entry);
    }
    return cm_buf_append(out, entry);
}

/* ---- tiles ---- */

static cm_err get_tile(cm_buf *b, uint64_t *version, cm_store *s, unsigned level, uint64_t n)
{
    cm_path p;

    cm_log_tile_path(&p, level, n);
    return cm_store_get(s, cm_path_view(&p), b, version);
}

/* A partial tile of level 0 is not kept: its entries are. */
static cm_err hash_bundle(cm_buf *out, cm_store *s, uint64_t n, unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = BUNDLE_MAX};
    cm_view rest, entry;
    uint8_t h[32];

    CM_TRY(cm_log_bundle(&b, s, n, width));
    rest = cm_buf_view(&b);
    while (cm_log_entry_next(&rest, &entry)) {
        cm_merkle_leaf(h, cm_view_of(NULL, 0), entry);
        CM_TRY(cm_buf_append(out, CM_VIEW(h)));
    }
    return CM_OKAY;
}

static cm_err read_tile(cm_buf *b, uint64_t *version, cm_store *s, unsigned level, uint64_t n,
                        unsigned width)
{
    cm_err e = get_tile(b, version, s, level, n);

    if (cm_is(e, CM_STORE_NO_ROW) && level == 0) {
        *version = 0;
        e = hash_bundle(b, s, n, width);
    }
    if (cm_is(e, CM_STORE_NO_ROW) || cm_is(e, CM_TOO_BIG) ||
        (cm_ok(e) && (b->n % 32 != 0 || b->n < (size_t)width * 32))) {
        return CM_FAIL(AUDIT_DAMAGED);
    }
    return e;
}

cm_err cm_log_tile(cm_buf *out, cm_store *s, unsigned level, uint64_t n, unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_TILE_MAX};
    uint64_t version;

    if (width == 0 || width > CM_TILE_WIDTH || level >= CM_TILE_LEVELS) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(read_tile(&b, &version, s, level, n, width));
    return cm_buf_append(out, cm_view_of(b.p, (size_t)width * 32));
}

cm_err cm_log_load(cm_tree *t, uint64_t versions[CM_TILE_LEVELS], cm_store *s, const cm_log_head *h)
{
    uint8_t root[32];

    cm_tree_init(t);
    for (unsigned l = 0; l < CM_TILE_LEVELS; l++) {
        uint64_t n = (h->size >> (8 * l)) / CM_TILE_WIDTH;
        unsigned width = cm_tile_width(l, n, h->size);

        versions[l] = 0;
        cm_tile_init(&t->edge[l], l, n);
        if (width > 0) {
            CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_LOG_TILE_MAX};

            CM_TRY(read_tile(&b, &versions[l], s, l, n, width));
            cm_log_fill(&t->edge[l], l, n, b.p, width);
        }
    }
    t->size = h->size;
    cm_tree_root(root, t);
    return cm_view_eq(CM_VIEW(root), CM_VIEW(h->root)) ? CM_OKAY : CM_FAIL(AUDIT_DAMAGED);
}
