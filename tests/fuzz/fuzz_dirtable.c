/* The table of a directory model: an error, or files within the plaintext under paths that can be
 * created, and the same bytes when written again. The input's first byte says how long the
 * plaintext is. */
#include "sealed/dir.h"
#include "tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const cm_dir *d, cm_view table)
{
    cm_buf again = {.max = CM_DIR_TABLE_MAX + 2 * CM_DIR_ALIGN};
    uint64_t end = 0;

    for (size_t i = 0; i < d->n; i++) {
        const cm_dir_entry *e = &d->v[i];

        if (!cm_dir_path_ok(cm_view_str(e->path)) || e->offset < end || e->offset > d->plain_size ||
            e->size > d->plain_size - e->offset)
            abort();
        end = e->offset + e->size;
    }
    if (cm_failed(cm_dir_encode(&again, d)))
        abort();
    table.n = CM_MIN(table.n, again.n);
    if (!cm_view_eq(cm_view_of(again.p, table.n), table))
        abort();
    cm_buf_free(&again);
}

/* Padding and files are zeros that need not be in the input. */
static cm_err read_padded(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    size_t some = 0;

    CM_TRY(t_bytes_read(self, p, n, off, &some));
    memset(p + some, 0, n - some);
    *got = n;
    return CM_OKAY;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct t_bytes b = {.v = cm_view_of(p + (n > 0), n - (n > 0))};
    cm_source s = {.read = read_padded, .self = &b};
    cm_dir d = {0};

    s.size = n > 0 ? (uint64_t)p[0] * CM_DIR_ALIGN : 0;
    if (cm_ok(cm_dir_decode(&d, &s)))
        check(&d, b.v);
    cm_dir_free(&d);
    return 0;
}
