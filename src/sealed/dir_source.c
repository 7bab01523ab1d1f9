/* The plaintext of a folder that is being sealed: table, files and padding at any offset. */
#include <pthread.h>

#include "base/os.h"
#include "sealed/dir_int.h"

enum { SLOTS = 16 };

struct slot {
    int fd;
    size_t entry;
    unsigned users;
    uint64_t last; /* use, by the source's count */
};

struct cm_dir_source {
    const cm_dir *d;
    int dirfd;
    cm_buf table;
    pthread_mutex_t lock; /* slots and uses */
    struct slot slots[SLOTS];
    uint64_t uses;
};

/* ---- open files ---------------------------------------------------------------------------- */

/* A file that is gone or has become something else has changed. */
static cm_err open_seen(int *fd, int dirfd, const cm_dir_entry *e)
{
    CM_AUTO(cm_os_close_fd) int f = -1;
    struct stat st;
    cm_err err = cm_dir_open_entry(&f, dirfd, e, false);

    if (cm_is(err, CM_NO_FILE) || cm_is(err, CM_DIR_LINK) || cm_is(err, CM_DIR_SPECIAL))
        return CM_FAIL(DIR_CHANGED);
    CM_TRY(err);
    if (fstat(f, &st) != 0 || !cm_dir_seen_same(e, &st))
        return CM_FAIL(DIR_CHANGED);
    *fd = f;
    f = -1;
    return CM_OKAY;
}

/* Under the lock: the slot of the entry, else the one that was not used for longest; NULL when all
 * are busy. */
static struct slot *choose(cm_dir_source *s, size_t entry)
{
    struct slot *best = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *x = &s->slots[i];

        if (x->fd >= 0 && x->entry == entry)
            return x;
        if (x->users == 0 && (!best || x->last < best->last))
            best = x;
    }
    return best;
}

static cm_err take_locked(cm_dir_source *s, size_t entry, struct slot **out)
{
    struct slot *x = choose(s, entry);

    *out = x;
    if (!x)
        return CM_OKAY;
    if (x->fd < 0 || x->entry != entry) {
        cm_os_close_fd(&x->fd);
        x->fd = -1;
        CM_TRY(open_seen(&x->fd, s->dirfd, &s->d->v[entry]));
        x->entry = entry;
    }
    x->users++;
    x->last = ++s->uses;
    return CM_OKAY;
}

static cm_err read_fd(int fd, uint8_t *p, size_t n, uint64_t at)
{
    size_t got = 0;

    CM_TRY(cm_os_pread(fd, p, n, at, &got));
    return got == n ? CM_OKAY : CM_FAIL(DIR_CHANGED);
}

static cm_err read_file(cm_dir_source *s, size_t entry, uint8_t *p, size_t n, uint64_t at)
{
    CM_AUTO(cm_os_close_fd) int own = -1;
    struct slot *x;
    cm_err err;

    pthread_mutex_lock(&s->lock);
    err = take_locked(s, entry, &x);
    pthread_mutex_unlock(&s->lock);
    CM_TRY(err);
    if (!x) {
        CM_TRY(open_seen(&own, s->dirfd, &s->d->v[entry]));
        return read_fd(own, p, n, at);
    }
    err = read_fd(x->fd, p, n, at);
    pthread_mutex_lock(&s->lock);
    x->users--;
    pthread_mutex_unlock(&s->lock);
    return err;
}

/* ---- the plaintext ------------------------------------------------------------------------- */

/* The last entry that begins at or before off: of those that begin together, the one with bytes. */
static size_t entry_at(const cm_dir *d, uint64_t off)
{
    size_t lo = 0, hi = d->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (d->v[mid].offset <= off)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* One run of table, file or padding, of at most n bytes; *got says how many. */
static cm_err read_run(cm_dir_source *s, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    const cm_dir *d = s->d;
    const cm_dir_entry *e;
    uint64_t end;
    size_t i;

    if (off < s->table.n) {
        *got = CM_MIN(n, s->table.n - (size_t)off);
        memcpy(p, s->table.p + off, *got);
        return CM_OKAY;
    }
    i = entry_at(d, off);
    e = &d->v[i];
    if (off - e->offset < e->size) {
        *got = (size_t)CM_MIN((uint64_t)n, e->size - (off - e->offset));
        return read_file(s, i, p, *got, off - e->offset);
    }
    end = i + 1 < d->n ? d->v[i + 1].offset : d->plain_size;
    *got = (size_t)CM_MIN((uint64_t)n, end - off);
    memset(p, 0, *got);
    return CM_OKAY;
}

static cm_err read_plain(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    cm_dir_source *s = self;
    uint64_t size = s->d->plain_size;
    size_t sum = 0;

    n = off < size ? (size_t)CM_MIN((uint64_t)n, size - off) : 0;
    while (sum < n) {
        size_t run;

        CM_TRY(read_run(s, p + sum, n - sum, off + sum, &run));
        sum += run;
    }
    *got = n;
    return CM_OKAY;
}

cm_err cm_dir_source_new(cm_dir_source **out, cm_source *src, int dirfd, const cm_dir *d)
{
    cm_dir_source *s;
    cm_err e;

    CM_TRY(cm_alloc(&s, sizeof *s));
    s->d = d;
    s->table.max = CM_DIR_TABLE_MAX + 2 * CM_DIR_ALIGN;
    pthread_mutex_init(&s->lock, NULL);
    for (size_t i = 0; i < SLOTS; i++)
        s->slots[i].fd = -1;
    s->dirfd = -1;
    e = cm_dir_open_folder(&s->dirfd, dirfd, "");
    if (cm_ok(e))
        e = cm_dir_encode(&s->table, d);
    if (cm_failed(e)) {
        cm_dir_source_free(s);
        return e;
    }
    *out = s;
    *src = (cm_source){.read = read_plain, .self = s, .size = d->plain_size};
    return CM_OKAY;
}

cm_err cm_dir_source_check(cm_dir_source *s)
{
    for (size_t i = 0; i < s->d->n; i++) {
        CM_AUTO(cm_os_close_fd) int fd = -1;

        CM_TRY(open_seen(&fd, s->dirfd, &s->d->v[i]));
    }
    return CM_OKAY;
}

void cm_dir_source_free(cm_dir_source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        cm_os_close_fd(&s->slots[i].fd);
    cm_os_close_fd(&s->dirfd);
    cm_buf_free(&s->table);
    pthread_mutex_destroy(&s->lock);
    cm_free(s);
}
