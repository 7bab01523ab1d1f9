#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

cm_err cm_os_err(int err, cm_reason fallback)
{
    switch (err) {
    case ENOSPC:
    case EDQUOT:
        return CM_FAIL(NO_SPACE);
    case ENOENT:
        return CM_FAIL(NO_FILE);
    case EACCES:
    case EPERM:
    case EROFS:
        return CM_FAIL(NO_PERMISSION);
    case EPIPE:
        return CM_FAIL(IO_PIPE_CLOSED);
    case EEXIST:
        return CM_FAIL(FILE_EXISTS);
    case ENOMEM:
        return CM_FAIL(NO_MEMORY);
    default:
        return (cm_err){(uint32_t)fallback};
    }
}

void cm_os_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

cm_err cm_os_read(int fd, void *p, size_t n, size_t *got)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = read(fd, (uint8_t *)p + done, n - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return cm_os_err(errno, CM_IO_READ);
        if (r == 0)
            break;
        done += (size_t)r;
    }
    *got = done;
    return CM_OKAY;
}

cm_err cm_os_pread(int fd, void *p, size_t n, uint64_t at, size_t *got)
{
    size_t done = 0;

    if (at > INT64_MAX - n)
        return CM_FAIL(OVERFLOW);
    while (done < n) {
        ssize_t r = pread(fd, (uint8_t *)p + done, n - done, (off_t)(at + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return cm_os_err(errno, CM_IO_READ);
        if (r == 0)
            break;
        done += (size_t)r;
    }
    *got = done;
    return CM_OKAY;
}

cm_err cm_os_pread_all(int fd, void *p, size_t n, uint64_t at)
{
    size_t got;

    CM_TRY(cm_os_pread(fd, p, n, at, &got));
    return got == n ? CM_OKAY : CM_FAIL(IO_SHORT);
}

void cm_os_will_read(int fd, uint64_t at, uint64_t n)
{
    if (at <= INT64_MAX && n <= INT64_MAX - at)
        (void)posix_fadvise(fd, (off_t)at, (off_t)n, POSIX_FADV_WILLNEED);
}

cm_err cm_os_write(int fd, const void *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = write(fd, (const uint8_t *)p + done, n - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return cm_os_err(errno, CM_IO_WRITE);
        done += (size_t)r;
    }
    return CM_OKAY;
}

cm_err cm_os_pwrite(int fd, const void *p, size_t n, uint64_t at)
{
    size_t done = 0;

    if (at > INT64_MAX - n)
        return CM_FAIL(OVERFLOW);
    while (done < n) {
        ssize_t r = pwrite(fd, (const uint8_t *)p + done, n - done, (off_t)(at + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return cm_os_err(errno, CM_IO_WRITE);
        done += (size_t)r;
    }
    return CM_OKAY;
}

cm_err cm_os_sync(int fd)
{
    return fsync(fd) == 0 ? CM_OKAY : cm_os_err(errno, CM_IO_SYNC);
}

cm_err cm_os_open_read(int *fd, const char *path)
{
    int f = open(path, O_RDONLY | O_CLOEXEC);

    if (f < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    *fd = f;
    return CM_OKAY;
}

cm_err cm_os_is_shared(int fd, bool *shared)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return cm_os_err(errno, CM_IO_READ);
    *shared = S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    return CM_OKAY;
}

cm_err cm_os_open_update(int *fd, const char *path, bool create)
{
    int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC | O_NOFOLLOW : 0);
    int f = open(path, flags, 0600);

    if (f < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    *fd = f;
    return CM_OKAY;
}

cm_err cm_os_memfd(int *fd, const char *label, bool sealable)
{
    int f = memfd_create(label, MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0));

    if (f < 0)
        return CM_FAIL(NO_MEMORY);
    *fd = f;
    return CM_OKAY;
}

cm_err cm_os_freeze(int fd)
{
    if (fchmod(fd, 0400) != 0)
        return cm_os_err(errno, CM_IO_WRITE);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return cm_os_err(errno, CM_IO_WRITE);
    return CM_OKAY;
}

bool cm_os_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void cm_os_remove(const char *path)
{
    (void)unlink(path);
}

cm_err cm_os_slurp(cm_buf *out, const char *path, size_t max)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = max + 1};

    CM_TRY(cm_os_open_read(&fd, path));
    for (;;) {
        size_t want = CM_MIN(b.max - b.n, (size_t)1 << 16), got;

        CM_TRY(cm_buf_reserve(&b, want));
        CM_TRY(cm_os_read(fd, b.p + b.n, want, &got));
        b.n += got;
        if (b.n > max)
            return CM_FAIL(TOO_BIG);
        if (got < want)
            return cm_buf_append(out, cm_buf_view(&b));
    }
}

cm_err cm_os_sync_dir_of(const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_free_ptr) char *dir = NULL;
    const char *slash = strrchr(path, '/');

    if (!slash)
        CM_TRY(cm_strdup(&dir, CM_LIT(".")));
    else
        CM_TRY(cm_strdup(&dir, cm_view_of(path, CM_MAX((size_t)(slash - path), (size_t)1))));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    return cm_os_sync(fd);
}

static cm_err part_name(char **out, const char *path)
{
    size_t n = strlen(path);
    char *s;

    CM_TRY(cm_alloc(&s, n + sizeof ".part"));
    memcpy(s, path, n);
    memcpy(s + n, ".part", sizeof ".part");
    *out = s;
    return CM_OKAY;
}

/* The lock is on the file, so after locking make sure the name still leads to the same file: a
 * writer that just committed has moved it away. */
cm_err cm_os_lock(int fd, const char *path)
{
    struct stat a, b;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return CM_FAIL(FILE_BUSY);
    if (fstat(fd, &a) != 0 || stat(path, &b) != 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
        return CM_FAIL(FILE_BUSY);
    return CM_OKAY;
}

cm_err cm_os_out_open(cm_os_out *o, const char *path, mode_t mode, bool keep)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_free_ptr) char *name = NULL, *part = NULL;

    CM_TRY(cm_strdup(&name, cm_view_str(path)));
    CM_TRY(part_name(&part, path));
    fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    CM_TRY(cm_os_lock(fd, part));
    if (!keep && ftruncate(fd, 0) != 0) {
        cm_err e = cm_os_err(errno, CM_IO_WRITE);

        (void)unlink(part);
        return e;
    }
    *o = (cm_os_out){.fd = fd, .path = name, .part = part};
    fd = -1;
    name = part = NULL;
    return CM_OKAY;
}

static int move(const char *from, const char *to, bool replace)
{
    return replace ? rename(from, to) : renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

cm_err cm_os_out_commit(cm_os_out *o, bool replace)
{
    CM_TRY(cm_os_sync(o->fd));
    if (move(o->part, o->path, replace) != 0)
        return cm_os_err(errno, CM_IO_RENAME);
    CM_TRY(cm_os_sync_dir_of(o->path));
    cm_os_out_close(o);
    return CM_OKAY;
}

void cm_os_out_drop(cm_os_out *o)
{
    if (o->part)
        (void)unlink(o->part);
    cm_os_out_close(o);
}

void cm_os_out_close(cm_os_out *o)
{
    if (o->part)
        close(o->fd);
    cm_free(o->path);
    cm_free(o->part);
    *o = (cm_os_out){.fd = -1};
}

cm_err cm_os_spit(const char *path, cm_view v, mode_t mode, bool replace)
{
    CM_AUTO(cm_os_out_close) cm_os_out o = {.fd = -1};
    cm_err e;

    CM_TRY(cm_os_out_open(&o, path, mode, false));
    e = cm_os_write(o.fd, v.p, v.n);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, replace);
    if (cm_failed(e))
        cm_os_out_drop(&o);
    return e;
}

uint64_t cm_os_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec;
}

uint64_t cm_os_monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- pages ---- */

cm_err cm_os_pages(void *out, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return CM_FAIL(NO_MEMORY);
    memcpy(out, &p, sizeof p);
    return CM_OKAY;
}

void cm_os_pages_free(void *p, size_t n)
{
    if (p)
        (void)munmap(p, n);
}
