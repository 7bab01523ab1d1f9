/* A directory model back into a folder. Every file is written below a descriptor of the partial
 * folder, which takes its final name when all of it is there and durable. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/extract_int.h"

/* The files that are open now: segments arrive in order, so the current one and no other. */
struct folder {
    struct cm_sealed *s;
    const cm_dir *d;
    int dirfd, fd;
    size_t i; /* entry of fd */
};

static cm_err close_entry(struct folder *f)
{
    cm_err e = CM_OKAY;

    if (f->fd >= 0)
        e = cm_os_sync(f->fd);
    cm_os_close_fd(&f->fd);
    return e;
}

static cm_err want_entry(struct folder *f, size_t i)
{
    if (f->fd >= 0 && f->i == i)
        return CM_OKAY;
    CM_TRY(close_entry(f));
    f->i = i;
    return cm_dir_open_entry(&f->fd, f->dirfd, &f->d->v[i], true);
}

/* The first entry that ends behind off. */
static size_t entry_at(const cm_dir *d, uint64_t off)
{
    size_t lo = 0, hi = d->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (d->v[mid].offset + d->v[mid].size > off)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* What stands between a file's end and the next multiple of 4096: in the same segment. S-17 */
static bool padded(const cm_dir_entry *e, uint64_t off, const uint8_t *p, size_t n)
{
    uint64_t a = e->offset + e->size, b = (a + CM_DIR_ALIGN - 1) / CM_DIR_ALIGN * CM_DIR_ALIGN;

    return b > off + n || cm_sealed_zeros(cm_view_of(p + (a - off), (size_t)(b - a)));
}

static cm_err put(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    struct folder *f = arg;
    uint64_t end = off + n;

    for (size_t i = entry_at(f->d, off); i < f->d->n && f->d->v[i].offset < end; i++) {
        const cm_dir_entry *e = &f->d->v[i];
        uint64_t a = CM_MAX(off, e->offset), b = CM_MIN(end, e->offset + e->size);

        if (a >= b)
            continue;
        if (!padded(e, off, p, n))
            return CM_FAIL(DIR_TABLE);
        CM_TRY(want_entry(f, i));
        CM_TRY(cm_os_pwrite(f->fd, p + (a - off), (size_t)(b - a), a - e->offset));
    }
    return CM_OKAY;
}

static cm_err fill(struct cm_sealed *s, int dirfd)
{
    struct folder f = {.s = s, .dirfd = dirfd, .fd = -1};
    cm_err e;

    CM_TRY(cm_sealed_dir(s, &f.d));
    CM_TRY(cm_dir_create(dirfd, f.d));
    e = cm_sealed_each(s, 0, s->manifest.size, true, put, &f);
    if (cm_ok(e))
        e = close_entry(&f);
    cm_os_close_fd(&f.fd);
    return e;
}

static cm_err part_name(char **part, const char *out)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};
    size_t n = strlen(out);

    while (n > 1 && out[n - 1] == '/')
        n--;
    CM_TRY(cm_buf_append(&b, cm_view_of(out, n)));
    CM_TRY(cm_buf_append(&b, CM_LIT(".part")));
    return cm_strdup(part, cm_buf_view(&b));
}

/* A folder can't be replaced in one step, so an existing one is refused even with replace, unless
 * it is empty: rename() takes its place then. */
cm_err cm_sealed_extract_dir(struct cm_sealed *s, const char *out, bool replace)
{
    CM_AUTO(cm_free_ptr) char *part = NULL;
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct stat st;
    cm_err e;

    if (stat(out, &st) == 0 && !(replace && S_ISDIR(st.st_mode)))
        return CM_FAIL(FILE_EXISTS);
    CM_TRY(part_name(&part, out));
    if (mkdir(part, 0700) != 0)
        return cm_os_err(errno, CM_IO_WRITE);
    fd = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    e = fd < 0 ? CM_FAIL(IO_OPEN) : fill(s, fd);
    if (cm_ok(e))
        e = cm_os_sync(fd);
    if (cm_ok(e) && rename(part, out) != 0)
        e = cm_os_err(errno, CM_IO_RENAME);
    if (cm_ok(e))
        return cm_os_sync_dir_of(out);
    cm_dir_remove(part);
    return e;
}
