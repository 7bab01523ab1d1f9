/*
 * Folders on disk. A path is walked one component at a time, each opened without following a link
 * and relative to the descriptor of the one before: whatever happens to names meanwhile, what is
 * reached lies below where the walk began. No component is "..", which cm_dir_path_ok() sees to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/dir_int.h"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, NAME = 256 };

cm_err cm_dir_stat(struct stat *st, int fd, const char *name)
{
    if (fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW) != 0)
        return cm_os_err(errno, CM_IO_READ);
    return CM_OKAY;
}

/* Why a name could not be opened: a link shows as one of two errors. */
static cm_err why(int err, int at, const char *name)
{
    struct stat st;

    if (err != ELOOP && err != ENOTDIR)
        return cm_os_err(err, CM_IO_OPEN);
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISLNK(st.st_mode))
        return CM_FAIL(DIR_LINK);
    return CM_FAIL(DIR_SPECIAL);
}

/* Replaces *fd by one of its entries. */
static cm_err enter(int *fd, const char *name, bool make)
{
    int next;

    if (make && mkdirat(*fd, name, 0755) != 0 && errno != EEXIST)
        return cm_os_err(errno, CM_IO_WRITE);
    next = openat(*fd, name, FOLDER);
    if (next < 0)
        return why(errno, *fd, name);
    cm_os_close_fd(fd);
    *fd = next;
    return CM_OKAY;
}

static cm_err component(char name[NAME], const char *from, const char *to)
{
    size_t n = (size_t)(to - from);

    if (n == 0 || n >= NAME)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(name, from, n);
    name[n] = 0;
    return CM_OKAY;
}

/* The folder that holds path's last component, which *leaf then points at. */
static cm_err open_parent(int *fd, int dirfd, const char *path, bool make, const char **leaf)
{
    CM_AUTO(cm_os_close_fd) int at = openat(dirfd, ".", FOLDER);
    char name[NAME];

    if (at < 0)
        return cm_os_err(errno, CM_IO_OPEN);
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(path, '/')) {
        CM_TRY(component(name, path, slash));
        CM_TRY(enter(&at, name, make));
        path = slash + 1;
    }
    *leaf = path;
    *fd = at;
    at = -1;
    return CM_OKAY;
}

cm_err cm_dir_open_folder(int *fd, int dirfd, const char *path)
{
    CM_AUTO(cm_os_close_fd) int at = -1;
    const char *leaf;

    CM_TRY(open_parent(&at, dirfd, path, false, &leaf));
    if (*leaf)
        CM_TRY(enter(&at, leaf, false));
    *fd = at;
    at = -1;
    return CM_OKAY;
}

/* O_NONBLOCK: opening a pipe that took the file's place must not wait for its other end. */
cm_err cm_dir_open_entry(int *fd, int dirfd, const cm_dir_entry *e, bool write)
{
    CM_AUTO(cm_os_close_fd) int at = -1;
    CM_AUTO(cm_os_close_fd) int file = -1;
    const char *leaf;
    struct stat st;

    if (!cm_dir_path_ok(cm_view_str(e->path)))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(open_parent(&at, dirfd, e->path, false, &leaf));
    file = openat(at, leaf, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return why(errno, at, leaf);
    if (fstat(file, &st) != 0)
        return cm_os_err(errno, CM_IO_OPEN);
    if (!S_ISREG(st.st_mode))
        return CM_FAIL(DIR_SPECIAL);
    *fd = file;
    file = -1;
    return CM_OKAY;
}

/* ---- creating ------------------------------------------------------------------------------ */

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* A stream of its own, so that dirfd's position does not move. */
static cm_err list(DIR **out, int dirfd, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;

    CM_TRY(cm_dir_open_folder(&fd, dirfd, path));
    *out = fdopendir(fd);
    if (!*out)
        return cm_os_err(errno, CM_IO_OPEN);
    fd = -1;
    return CM_OKAY;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static cm_err check_empty(int dirfd)
{
    CM_AUTO(close_dir) DIR *d = NULL;
    const struct dirent *e;

    CM_TRY(list(&d, dirfd, ""));
    do
        e = readdir(d);
    while (e && is_dots(e->d_name));
    return e ? CM_FAIL(DIR_NOT_EMPTY) : CM_OKAY;
}

static cm_err create_entry(int dirfd, const cm_dir_entry *e)
{
    CM_AUTO(cm_os_close_fd) int at = -1;
    CM_AUTO(cm_os_close_fd) int file = -1;
    const char *leaf;

    if (!cm_dir_path_ok(cm_view_str(e->path)) || e->size > INT64_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(open_parent(&at, dirfd, e->path, true, &leaf));
    file = openat(at, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  e->executable ? 0755 : 0644);
    if (file < 0)
        return cm_os_err(errno, CM_IO_WRITE);
    if (ftruncate(file, (off_t)e->size) != 0)
        return cm_os_err(errno, CM_IO_WRITE);
    return CM_OKAY;
}

cm_err cm_dir_create(int dirfd, const cm_dir *d)
{
    if (!cm_dir_in_order(d))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(check_empty(dirfd));
    for (size_t i = 0; i < d->n; i++)
        CM_TRY(create_entry(dirfd, &d->v[i]));
    return CM_OKAY;
}

/* ---- removing ------------------------------------------------------------------------------ */

enum { LEVELS = CM_DIR_DEPTH_MAX + 2 };

struct level {
    DIR *d;
    char name[NAME];
};

/* Empty the folder on top of the stack, or go down into one that must be emptied first. False when
 * there was nothing left to do on this level. */
static bool descend(struct level *l, int depth)
{
    const struct dirent *e;

    while ((e = readdir(l->d)) != NULL) {
        size_t n = strlen(e->d_name);
        int fd;

        if (is_dots(e->d_name) || unlinkat(dirfd(l->d), e->d_name, 0) == 0)
            continue;
        if (depth + 1 == LEVELS || n >= NAME)
            continue;
        fd = openat(dirfd(l->d), e->d_name, FOLDER);
        if (fd < 0)
            continue;
        memcpy(l[1].name, e->d_name, n + 1);
        l[1].d = fdopendir(fd);
        if (l[1].d)
            return true;
        cm_os_close_fd(&fd);
    }
    return false;
}

void cm_dir_remove(const char *path)
{
    struct level level[LEVELS];
    int depth = 0, fd = open(path, FOLDER);

    level[0].d = fd < 0 ? NULL : fdopendir(fd);
    if (!level[0].d) {
        cm_os_close_fd(&fd);
        return;
    }
    while (depth >= 0) {
        if (descend(&level[depth], depth)) {
            depth++;
            continue;
        }
        closedir(level[depth].d);
        if (depth > 0)
            unlinkat(dirfd(level[depth - 1].d), level[depth].name, AT_REMOVEDIR);
        depth--;
    }
    rmdir(path);
}
