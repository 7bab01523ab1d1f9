/* A root of the payload's own: a file system in memory that holds the measured copies and nothing
 * else, read-only. Nobody outside has a way into it but root. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "enclave/child.h"

enum { PATH_LEN = CM_ENCLAVE_TEXT + 64, STEP = 1 << 24 };

bool cm_enclave_place(char *out, size_t n, const cm_pin *p)
{
    const char *name = p->name;
    int w;

    while (*name == '/')
        name++;
    w = snprintf(out, n, "%s%s", p->role == CM_ENCLAVE_LIBRARY ? "enclave/lib/" : "", name);
    return w > 0 && (size_t)w < n;
}

static bool folders_of(char *path)
{
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    return true;
}

static bool put(const cm_pin *p)
{
    char path[PATH_LEN];
    CM_AUTO(cm_os_close_fd) int fd = -1;
    off_t at = 0;

    if (!cm_enclave_place(path, sizeof path, p) || !folders_of(path))
        return false;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
              p->role == CM_ENCLAVE_LOADER ? 0555 : 0444);
    if (fd < 0)
        return false;
    while ((uint64_t)at < p->size)
        if (sendfile(fd, p->fd, &at, STEP) <= 0)
            return false;
    return true;
}

static bool mount_somewhere(void)
{
    static const char *const places[] = {"/tmp", "/mnt", "/run", "/var"};

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    for (size_t i = 0; i < CM_COUNT(places); i++)
        if (mount("enclave", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0)
            return chdir(places[i]) == 0;
    return false;
}

bool cm_enclave_root(const cm_closure *c)
{
    const unsigned long closed = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;

    if (!mount_somewhere())
        return false;
    (void)umask(0);
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].role != CM_ENCLAVE_PROGRAM && !put(&c->v[i]))
            return false;
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0)
        return false;
    return chdir("/") == 0 && mount(NULL, "/", NULL, closed, NULL) == 0;
}
