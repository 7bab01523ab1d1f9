/* The entries of configfs-tsm as files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "gather/gather.h"

enum { PATH_SIZE = 80, PIECE = 4096, PAUSE_MS = 20 };

static int root_of(const void *arg)
{
    return ((const cm_tsm_dir *)arg)->root;
}

static int open_attribute(const void *arg, const char *entry, const char *attribute, int flags)
{
    char path[PATH_SIZE];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", entry, attribute) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return openat(root_of(arg), path, flags | O_CLOEXEC | O_NOFOLLOW);
}

static int fs_make(void *arg, const char *entry)
{
    return mkdirat(root_of(arg), entry, 0700) == 0 ? 0 : errno;
}

static int fs_drop(void *arg, const char *entry)
{
    return unlinkat(root_of(arg), entry, AT_REMOVEDIR) == 0 ? 0 : errno;
}

/* In one write: the kernel takes what a file got until it is closed as one blob. */
static int fs_put(void *arg, const char *entry, const char *attribute, cm_view v)
{
    int fd = open_attribute(arg, entry, attribute, O_WRONLY);
    ssize_t n;
    int err = 0;

    if (fd < 0)
        return errno;
    n = write(fd, v.p, v.n);
    if (n < 0)
        err = errno;
    else if ((size_t)n != v.n)
        err = EIO;
    if (close(fd) != 0 && err == 0)
        err = errno;
    return err;
}

/* Sizes are not known before: an attribute is read to its end. EINTR is the caller's to judge: the
 * kernel gives it when a quote took too long. */
static int fs_get(void *arg, const char *entry, const char *attribute, cm_buf *out)
{
    CM_AUTO(cm_os_close_fd) int fd = open_attribute(arg, entry, attribute, O_RDONLY);

    if (fd < 0)
        return errno;
    for (;;) {
        uint8_t piece[PIECE];
        ssize_t n = read(fd, piece, sizeof piece);
        cm_err e;

        if (n <= 0)
            return n < 0 ? errno : 0;
        e = cm_buf_append(out, cm_view_of(piece, (size_t)n));
        if (cm_failed(e))
            return cm_is(e, CM_TOO_BIG) ? EFBIG : ENOMEM;
    }
}

static void fs_pause(void *arg, unsigned nth)
{
    const struct timespec t = {.tv_nsec = (long)nth * PAUSE_MS * 1000000};

    (void)arg;
    (void)nanosleep(&t, NULL);
}

cm_err cm_tsm_dir_open(cm_tsm_dir *dir, cm_tsm_fs *fs, const char *root)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES || errno == EPERM ? CM_FAIL(NO_PERMISSION)
                                                 : CM_FAIL(GATHER_TSM_ABSENT);
    dir->root = fd;
    *fs = (cm_tsm_fs){dir, fs_make, fs_put, fs_get, fs_drop, fs_pause};
    return CM_OKAY;
}

void cm_tsm_dir_done(cm_tsm_dir *dir)
{
    if (dir->root > 0)
        close(dir->root);
    dir->root = 0;
}
