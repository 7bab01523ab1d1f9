#include "base/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"

/* Sources lie from HIGH_FD on: no target is one. */
enum { FIRST_FD = 3, HIGH_FD = FIRST_FD + CM_CHILD_FDS + 1 };

struct start {
    const cm_child *c;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char text[CM_CHILD_FDS][12];
    char *argv[2 * CM_CHILD_FDS + CM_CHILD_ARGS + 2];
    int source[CM_CHILD_FDS];
    size_t argv_n, source_n;
};

/* posix_spawn() takes pointers to non-const text and does not write through them. */
static char *text(const char *s)
{
    char *p;

    memcpy(&p, &s, sizeof p);
    return p;
}

/* The child has fd as the next of its own, said by option. */
static bool give(struct start *t, const char *option, int fd)
{
    size_t i = t->source_n;
    int target = FIRST_FD + (int)i, up;

    up = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (up < 0)
        return false;
    t->source[t->source_n++] = up;
    (void)snprintf(t->text[i], sizeof t->text[i], "%d", target);
    t->argv[t->argv_n++] = text(option);
    t->argv[t->argv_n++] = t->text[i];
    return posix_spawn_file_actions_adddup2(&t->files, up, target) == 0;
}

static bool connect_one(struct start *t, int *mine)
{
    int pair[2];
    bool ok;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    ok = give(t, "--connection", pair[1]);
    close(pair[1]);
    if (ok)
        *mine = pair[0];
    else
        close(pair[0]);
    return ok;
}

static bool spawn(pid_t *pid, struct start *t)
{
    const cm_child *c = t->c;
    sigset_t none, all;
    bool ok = true;

    sigemptyset(&none);
    sigfillset(&all);
    for (size_t i = 0; ok && i < c->pass_n; i++)
        ok = c->pass[i].fd < 0 || give(t, c->pass[i].option, c->pass[i].fd);
    for (size_t i = 0; c->args && c->args[i]; i++)
        t->argv[t->argv_n++] = text(c->args[i]);
    if (ok && c->stderr_fd >= 0)
        ok = posix_spawn_file_actions_adddup2(&t->files, c->stderr_fd, STDERR_FILENO) == 0;
    return ok && posix_spawnattr_setsigmask(&t->attr, &none) == 0 &&
           posix_spawnattr_setsigdefault(&t->attr, &all) == 0 &&
           posix_spawnattr_setflags(&t->attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) ==
               0 &&
           posix_spawn(pid, c->program, &t->files, &t->attr, t->argv, c->env) == 0;
}

static bool start(pid_t *pid, int *fds, struct start *t)
{
    unsigned made = 0;
    pid_t child = 0;
    bool ok = true;

    t->argv[t->argv_n++] = text(t->c->program);
    while (ok && made < t->c->connections) {
        ok = connect_one(t, &fds[made]);
        made += ok;
    }
    ok = ok && spawn(&child, t);
    for (size_t i = 0; i < t->source_n; i++)
        close(t->source[i]);
    for (unsigned i = 0; !ok && i < made; i++)
        cm_os_close_fd(&fds[i]);
    if (ok)
        *pid = child;
    return ok;
}

static bool fits(const cm_child *c)
{
    size_t n = 0;

    while (c->args && n <= CM_CHILD_ARGS && c->args[n])
        n++;
    return n <= CM_CHILD_ARGS && c->connections > 0 && c->pass_n < CM_CHILD_FDS &&
           c->connections <= CM_CHILD_FDS - c->pass_n;
}

cm_err cm_child_start(pid_t *pid, int *fds, const cm_child *c, cm_reason reason)
{
    struct start t = {.c = c};
    bool ok = false;

    if (!fits(c))
        return CM_FAIL(BAD_ARGUMENT);
    if (posix_spawn_file_actions_init(&t.files) == 0) {
        if (posix_spawnattr_init(&t.attr) == 0) {
            ok = start(pid, fds, &t);
            posix_spawnattr_destroy(&t.attr);
        }
        posix_spawn_file_actions_destroy(&t.files);
    }
    return ok ? CM_OKAY : (cm_err){(uint32_t)reason};
}

cm_err cm_child_find(char *path, size_t size, const char *name)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    size_t folder;

    if (n <= 0)
        return CM_FAIL(NO_FILE);
    path[n] = 0;
    folder = (size_t)(strrchr(path, '/') - path);
    for (int built = 0; built < 2; built++) {
        const char *up = built ? "/../" : "/", *slash = built ? "/" : "";
        int m =
            snprintf(path + folder, size - folder, "%s%s%s%s", up, built ? name : "", slash, name);

        if (m < 0 || (size_t)m >= size - folder)
            return CM_FAIL(TOO_BIG);
        if (cm_os_exists(path))
            return CM_OKAY;
    }
    return CM_FAIL(NO_FILE);
}
