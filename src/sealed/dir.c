/* The table of files: paths, order, places in the plaintext, and its bytes. */
#include "sealed/dir.h"

#include "codec/cbor.h"
#include "codec/text.h"
#include "sealed/dir_int.h"
#include "sealed/layout.h"

enum { HEAD = 12, COMPONENT_MAX = 255 };

static const uint64_t plain_max = UINT64_C(1) << 60;

void cm_dir_free(cm_dir *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        cm_free(d->v[i].path);
    cm_free(d->v);
    *d = (cm_dir){0};
}

cm_err cm_dir_add(cm_dir *d, cm_view path, uint64_t size, bool executable)
{
    cm_dir_entry *e;

    if (d->n == CM_DIR_FILES_MAX)
        return CM_FAIL(DIR_LIMIT);
    if (d->n == d->cap) {
        size_t cap = CM_MIN(2 * d->cap + 16, (size_t)CM_DIR_FILES_MAX);

        CM_TRY(cm_alloc_array(&e, cap, sizeof *e));
        if (d->n)
            memcpy(e, d->v, d->n * sizeof *e);
        cm_free(d->v);
        d->v = e;
        d->cap = cap;
    }
    e = &d->v[d->n];
    *e = (cm_dir_entry){.size = size, .executable = executable};
    CM_TRY(cm_strdup(&e->path, path));
    d->n++;
    return CM_OKAY;
}

/* ---- paths --------------------------------------------------------------------------------- */

static bool component_ok(cm_view c)
{
    return c.n > 0 && c.n <= COMPONENT_MAX && !cm_view_eq(c, CM_LIT(".")) &&
           !cm_view_eq(c, CM_LIT(".."));
}

/* Of valid UTF-8: C0, DEL, C1 and the other systems' separator. */
static bool plain_text(cm_view v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 || v.p[i] == 0x7f || v.p[i] == '\\')
            return false;
        if (v.p[i] == 0xc2 && v.p[i + 1] < 0xa0)
            return false;
    }
    return true;
}

/* S-7 */
bool cm_dir_path_ok(cm_view path)
{
    size_t start = 0, folders = 0;

    if (path.n == 0 || path.n > CM_DIR_PATH_MAX || !cm_utf8_valid(path) || !plain_text(path))
        return false;
    for (size_t i = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        if (!component_ok(cm_view_sub(path, start, i - start)))
            return false;
        folders += i < path.n;
        start = i + 1;
    }
    return folders <= CM_DIR_DEPTH_MAX;
}

static bool has_path(const cm_dir *d, cm_view path)
{
    size_t lo = 0, hi = d->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = cm_view_compare(path, cm_view_str(d->v[mid].path));

        if (c == 0)
            return true;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return false;
}

/* A file can't be the folder of another. It need not stand next to it: "a", "a-b", "a/b". */
static bool prefix_of_none(const cm_dir *d, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        if (has_path(d, cm_view_of(path, (size_t)(slash - path))))
            return false;
    return true;
}

bool cm_dir_in_order(const cm_dir *d)
{
    for (size_t i = 1; i < d->n; i++)
        if (cm_view_compare(cm_view_str(d->v[i - 1].path), cm_view_str(d->v[i].path)) >= 0)
            return false;
    for (size_t i = 0; i < d->n; i++)
        if (!prefix_of_none(d, d->v[i].path))
            return false;
    return true;
}

/* ---- places -------------------------------------------------------------------------------- */

static size_t cbor_head(uint64_t v)
{
    return v < 24 ? 1 : v < 0x100 ? 2 : v < 0x10000 ? 3 : v < UINT64_C(1) << 32 ? 5 : 9;
}

static uint64_t table_size(const cm_dir *d)
{
    uint64_t n = cbor_head(d->n);

    for (size_t i = 0; i < d->n; i++) {
        size_t path = strlen(d->v[i].path);

        n += 1 + cbor_head(path) + path + cbor_head(d->v[i].size) + 1;
    }
    return n;
}

static uint64_t padded(uint64_t n)
{
    return (n + CM_DIR_ALIGN - 1) & ~(uint64_t)(CM_DIR_ALIGN - 1);
}

cm_err cm_dir_layout(cm_dir *d)
{
    uint64_t table = table_size(d), at = padded(HEAD + table);

    if (table > CM_DIR_TABLE_MAX)
        return CM_FAIL(DIR_LIMIT);
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i].size > plain_max - at)
            return CM_FAIL(DIR_LIMIT);
        d->v[i].offset = at;
        at = padded(at + d->v[i].size);
    }
    d->plain_size = at;
    return at <= plain_max ? CM_OKAY : CM_FAIL(DIR_LIMIT);
}

/* ---- bytes --------------------------------------------------------------------------------- */

static const char magic[] = "CSMDIR01";

static cm_err put_table(cm_buf *b, const cm_dir *d)
{
    size_t start = b->n;

    CM_TRY(cm_buf_append(b, CM_LIT("CSMDIR01")));
    CM_TRY(cm_buf_be32(b, (uint32_t)table_size(d)));
    CM_TRY(cm_cbor_put_array(b, d->n));
    for (size_t i = 0; i < d->n; i++) {
        CM_TRY(cm_cbor_put_array(b, 3));
        CM_TRY(cm_cbor_put_text(b, cm_view_str(d->v[i].path)));
        CM_TRY(cm_cbor_put_uint(b, d->v[i].size));
        CM_TRY(cm_cbor_put_bool(b, d->v[i].executable));
    }
    while ((b->n - start) % CM_DIR_ALIGN)
        CM_TRY(cm_buf_byte(b, 0));
    return CM_OKAY;
}

cm_err cm_dir_encode(cm_buf *out, const cm_dir *d)
{
    size_t before = out->n;
    cm_err e;

    if (table_size(d) > CM_DIR_TABLE_MAX || !cm_dir_in_order(d))
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < d->n; i++)
        if (!cm_dir_path_ok(cm_view_str(d->v[i].path)))
            return CM_FAIL(BAD_ARGUMENT);
    e = put_table(out, d);
    if (cm_failed(e))
        out->n = before;
    return e;
}

static cm_err read_entry(cm_dir *d, cm_cbor *c)
{
    uint64_t fields, size;
    cm_view path;
    bool executable;

    CM_TRY(cm_cbor_array(c, &fields));
    CM_TRY(cm_cbor_text(c, &path));
    CM_TRY(cm_cbor_uint(c, &size));
    CM_TRY(cm_cbor_bool(c, &executable));
    if (fields != 3 || !cm_dir_path_ok(path))
        return CM_FAIL(DIR_TABLE);
    return cm_dir_add(d, path, size, executable);
}

static cm_err read_entries(cm_dir *d, cm_view table)
{
    uint64_t n;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, table, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    for (uint64_t i = 0; i < n; i++)
        CM_TRY(read_entry(d, &c));
    CM_TRY(cm_cbor_end(&c));
    CM_TRY(cm_dir_layout(d));
    return cm_dir_in_order(d) ? CM_OKAY : CM_FAIL(DIR_TABLE); /* S-7 */
}

static cm_err read_all(const cm_source *s, uint8_t *p, size_t n, uint64_t off)
{
    while (n > 0) {
        size_t got = 0;

        CM_TRY(s->read(s->self, p, n, off, &got));
        if (got == 0 || got > n)
            return CM_FAIL(IO_SHORT);
        p += got;
        off += got;
        n -= got;
    }
    return CM_OKAY;
}

/* The table with its padding. */
static cm_err read_table(cm_buf *b, size_t *n, const cm_source *s)
{
    uint8_t head[HEAD];
    uint32_t table;

    if (s->size < CM_DIR_ALIGN)
        return CM_FAIL(DIR_TABLE);
    CM_TRY(read_all(s, head, sizeof head, 0));
    table = cm_get_be32(head + 8);
    if (!cm_view_eq(cm_view_of(head, 8), cm_view_str(magic)) || table > CM_DIR_TABLE_MAX ||
        padded(HEAD + table) > s->size)
        return CM_FAIL(DIR_TABLE);
    CM_TRY(cm_buf_reserve(b, (size_t)padded(HEAD + table) - HEAD));
    b->n = (size_t)padded(HEAD + table) - HEAD;
    *n = table;
    return read_all(s, b->p, b->n, HEAD);
}

static cm_err decode(cm_dir *d, const cm_source *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_DIR_TABLE_MAX + CM_DIR_ALIGN};
    cm_err e;
    size_t n;

    CM_TRY(read_table(&b, &n, s));
    e = read_entries(d, cm_view_of(b.p, n));
    if (cm_failed(e))
        return cm_err_class(e) == CM_CLASS_EXHAUSTED ? e : CM_FAIL(DIR_TABLE);
    if (d->plain_size != s->size || !cm_sealed_zeros(cm_view_of(b.p + n, b.n - n)))
        return CM_FAIL(DIR_TABLE);
    return CM_OKAY;
}

cm_err cm_dir_decode(cm_dir *out, const cm_source *s)
{
    cm_dir d = {0};
    cm_err e = decode(&d, s);

    if (cm_failed(e))
        cm_dir_free(&d);
    else
        *out = d;
    return e;
}

static cm_err hash_seen(cm_hasher *h, const cm_dir_entry *e)
{
    uint8_t b[32];

    cm_put_be64(b, e->seen.dev);
    cm_put_be64(b + 8, e->seen.ino);
    cm_put_be64(b + 16, (uint64_t)e->seen.sec);
    cm_put_be64(b + 24, (uint64_t)e->seen.nsec);
    return cm_hasher_update(h, CM_VIEW(b));
}

cm_err cm_dir_identity(const cm_dir *d, const cm_crypt *c, uint8_t id[32])
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_DIR_TABLE_MAX + 2 * CM_DIR_ALIGN};
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;

    CM_TRY(cm_dir_encode(&b, d));
    CM_TRY(cm_hasher_new(&h, c, CM_SHA256));
    CM_TRY(cm_hasher_update(h, cm_buf_view(&b)));
    for (size_t i = 0; i < d->n; i++)
        CM_TRY(hash_seen(h, &d->v[i]));
    return cm_hasher_final(h, id);
}
