/* Whole plaintexts and large reads: the reading side of the line. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/extract_int.h"

/* How far ahead of the segment at hand the disk reads: opening a container that is not in the page
 * cache takes two thirds of the time with it. Sealing does not gain: plain files read ahead well.
 */
enum { AHEAD = 8 << 20 };

/* ---- the line ------------------------------------------------------------------------------ */

/* Plaintext [from, to) goes to give, segment by segment. */
struct job {
    struct cm_sealed *s;
    uint64_t from, to;
    cm_err (*have)(void *arg, uint64_t off, uint8_t *p, size_t n, bool *is);
    cm_err (*put)(void *arg, uint64_t off, const uint8_t *p, size_t n);
    void *arg;
    uint64_t done, kept;
};

static uint8_t *plain_of(const cm_item *it)
{
    return it->buf + CM_FLOE_HEAD;
}

/* What an earlier run wrote counts only if it hashes to the signed node: S-9. */
static cm_err already(struct job *j, cm_item *it)
{
    struct cm_sealed *s = j->s;
    uint8_t want[32], root[32];
    bool is = false;

    if (!j->have || it->n == 0)
        return CM_OKAY;
    CM_TRY(j->have(j->arg, it->i * s->core.segment, plain_of(it), it->n, &is));
    if (!is)
        return CM_OKAY;
    CM_TRY(cm_segment_root(root, cm_sealed_salt(s), plain_of(it), it->n, s->core.leaf));
    CM_TRY(cm_tree_reader_node(s->tree, want, it->i));
    it->skip = cm_view_eq(CM_VIEW(root), CM_VIEW(want));
    return CM_OKAY;
}

static cm_err take(void *arg, cm_item *it)
{
    struct job *j = arg;

    it->n = cm_sealed_plain(j->s, it->i);
    cm_os_will_read(j->s->fd, cm_sealed_at(j->s, it->i) + AHEAD, it->n);
    return already(j, it);
}

static cm_err work(void *arg, cm_item *it)
{
    return cm_sealed_fetch(((struct job *)arg)->s, it->worker, it->buf, it->i);
}

static cm_err give(void *arg, cm_item *it)
{
    struct job *j = arg;
    uint64_t at = it->i * j->s->core.segment;
    uint64_t a = CM_MAX(at, j->from), b = CM_MIN(at + it->n, j->to);

    return a < b ? j->put(j->arg, a, plain_of(it) + (a - at), (size_t)(b - a)) : CM_OKAY;
}

static cm_err settle(void *arg, const cm_item *it)
{
    struct job *j = arg;
    const cm_watch *w = &j->s->o.watch;

    j->done += it->n;
    j->kept += it->skip ? it->n : 0;
    if (w->fn)
        w->fn(w->arg, j->done, j->to - j->from);
    return CM_OKAY;
}

static void worker_done(void *w)
{
    cm_floe_worker_done(w);
}

static cm_err run(struct job *j, bool ordered)
{
    static const cm_line_ops ops = {take, work, give, settle, worker_done};
    uint64_t segment = j->s->core.segment;
    cm_line line = {
        .ops = &ops,
        .arg = j,
        .first = j->from / segment,
        .total = j->to == j->s->manifest.size ? cm_sealed_last(j->s) + 1
                                              : (j->to + segment - 1) / segment,
        .ordered_out = ordered,
        .threads = j->s->o.threads,
        .buf = segment + CM_FLOE_OVERHEAD,
        .worker = sizeof(cm_floe_worker),
        .cancel = j->s->o.watch.cancel,
    };

    if (!j->s->unlocked)
        return CM_FAIL(SEALED_LOCKED);
    return cm_line_run(&line);
}

cm_err cm_sealed_each(struct cm_sealed *s, uint64_t from, uint64_t to, bool ordered,
                      cm_err (*put)(void *, uint64_t, const uint8_t *, size_t), void *arg)
{
    struct job j = {.s = s, .from = from, .to = to, .put = put, .arg = arg};

    return run(&j, ordered);
}

/* ---- descriptors --------------------------------------------------------------------------- */

struct target {
    int fd;
    uint64_t size; /* what an earlier run left */
    cm_direct direct;
};

static cm_err put_at(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    return cm_os_pwrite(((struct target *)arg)->fd, p, n, off);
}

static cm_err put_direct(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    return cm_direct_write(&((struct target *)arg)->direct, p, n, off);
}

static cm_err put_next(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    (void)off;
    return cm_os_write(((struct target *)arg)->fd, p, n);
}

static cm_err have_at(void *arg, uint64_t off, uint8_t *p, size_t n, bool *is)
{
    struct target *t = arg;
    size_t got;

    if (off >= t->size || n > t->size - off)
        return CM_OKAY;
    CM_TRY(cm_os_pread(t->fd, p, n, off, &got));
    *is = got == n;
    return CM_OKAY;
}

/* Nobody reads the index on the way, but a container with a damaged one is not the publisher's. */
static cm_err check_index(cm_sealed *s)
{
    const cm_index *x;

    return cm_sealed_index(s, &x);
}

cm_err cm_sealed_write_to(cm_sealed *s, int fd)
{
    struct target t = {.fd = fd};
    struct stat st;
    bool seekable = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                    !(fcntl(fd, F_GETFL) & O_APPEND) && lseek(fd, 0, SEEK_CUR) == 0;

    CM_TRY(check_index(s));
    return cm_sealed_each(s, 0, s->manifest.size, !seekable, seekable ? put_at : put_next, &t);
}

cm_err cm_sealed_memfd(cm_sealed *s, int *fd)
{
    CM_AUTO(cm_os_close_fd) int m = -1;
    struct target t;

    CM_TRY(check_index(s));
    CM_TRY(cm_os_memfd(&m, "weights", true));
    t = (struct target){.fd = m};
    if (ftruncate(m, (off_t)s->manifest.size) != 0)
        return CM_FAIL(NO_MEMORY);
    CM_TRY(cm_sealed_each(s, 0, s->manifest.size, false, put_at, &t));
    CM_TRY(cm_os_freeze(m));
    *fd = m;
    m = -1;
    return CM_OKAY;
}

/* ---- files and folders under their names --------------------------------------------------- */

static cm_err extract_file(struct cm_sealed *s, const char *out, bool replace, uint64_t *kept)
{
    CM_AUTO(cm_os_out_close) cm_os_out o = {.fd = -1};
    struct target t;
    struct job j = {.s = s, .to = s->manifest.size, .have = have_at, .put = put_direct, .arg = &t};
    struct stat st;
    cm_err e;

    if (!replace && cm_os_exists(out))
        return CM_FAIL(FILE_EXISTS);
    CM_TRY(cm_os_out_open(&o, out, 0600, true));
    if (fstat(o.fd, &st) != 0)
        return CM_FAIL(IO_READ);
    t = (struct target){.fd = o.fd, .size = (uint64_t)st.st_size};
    cm_direct_start(&t.direct, o.fd, s->manifest.size);
    e = run(&j, false);
    cm_direct_done(&t.direct);
    if (cm_ok(e) && ftruncate(o.fd, (off_t)s->manifest.size) != 0)
        e = CM_FAIL(IO_WRITE);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, replace);
    if (cm_failed(e) && j.done == 0)
        cm_os_out_drop(&o);
    if (cm_ok(e) && kept)
        *kept = j.kept;
    return e;
}

cm_err cm_sealed_extract(cm_sealed *s, const char *out, bool replace, uint64_t *resumed)
{
    uint64_t kept = 0;

    CM_TRY(check_index(s));
    if (s->core.directory)
        CM_TRY(cm_sealed_extract_dir(s, out, replace));
    else
        CM_TRY(extract_file(s, out, replace, &kept));
    if (resumed)
        *resumed = kept;
    return CM_OKAY;
}
