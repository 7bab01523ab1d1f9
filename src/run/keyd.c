/* keyd as a process of its own: connecting to one that listens, starting one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"
#include "run/keeper.h"

enum {
    FIRST_FD = 3,
    CONNECTIONS_MAX = 48,
    HIGH_FD = FIRST_FD + CONNECTIONS_MAX + 1, /* sources lie here: no target is one */
    ARGS_MAX = 32,
};

cm_err cm_keyd_connect(void *path, int *fd)
{
    CM_AUTO(cm_os_close_fd) int s = -1;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof at.sun_path)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(at.sun_path, path, n);
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (const struct sockaddr *)&at, sizeof at) != 0)
        return CM_FAIL(KEEPER_DOWN);
    *fd = s;
    s = -1;
    return CM_OKAY;
}

struct start {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char argv_text[CONNECTIONS_MAX][16], device_text[16];
    int device;
    char credentials[4096 + 32];
    char *argv[2 * CONNECTIONS_MAX + ARGS_MAX + 4];
    char *env[2];
    int theirs[CONNECTIONS_MAX];
};

/* posix_spawn() takes pointers to non-const text and does not write through them. */
static char *text(const char *s)
{
    char *p;

    memcpy(&p, &s, sizeof p);
    return p;
}

static cm_err one_pair(int *mine, int *theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return CM_FAIL(KEYD_SPAWN);
    *theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, HIGH_FD);
    close(pair[1]);
    if (*theirs < 0) {
        close(pair[0]);
        return CM_FAIL(KEYD_SPAWN);
    }
    *mine = pair[0];
    return CM_OKAY;
}

static cm_err arguments(struct start *t, const cm_keyd_spawn *s)
{
    size_t n = 0;

    t->argv[n++] = text(s->program);
    for (unsigned i = 0; i < s->connections; i++) {
        (void)snprintf(t->argv_text[i], sizeof t->argv_text[i], "%u", FIRST_FD + i);
        t->argv[n++] = text("--connection");
        t->argv[n++] = t->argv_text[i];
    }
    if (t->device > 0) {
        (void)snprintf(t->device_text, sizeof t->device_text, "%u", FIRST_FD + s->connections);
        t->argv[n++] = text("--device");
        t->argv[n++] = t->device_text;
    }
    for (size_t i = 0; s->args && s->args[i]; i++) {
        if (i >= ARGS_MAX)
            return CM_FAIL(BAD_ARGUMENT);
        t->argv[n++] = text(s->args[i]);
    }
    if (s->credentials_dir) {
        int len = snprintf(t->credentials, sizeof t->credentials, "CREDENTIALS_DIRECTORY=%s",
                           s->credentials_dir);

        if (len < 0 || (size_t)len >= sizeof t->credentials)
            return CM_FAIL(BAD_ARGUMENT);
        t->env[0] = t->credentials;
    }
    return CM_OKAY;
}

static int spawn(pid_t *pid, struct start *t, const cm_keyd_spawn *s)
{
    sigset_t none, all;
    int bad;

    sigemptyset(&none);
    sigfillset(&all);
    bad = posix_spawnattr_setsigmask(&t->attr, &none) ||
          posix_spawnattr_setsigdefault(&t->attr, &all) ||
          posix_spawnattr_setflags(&t->attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (unsigned i = 0; !bad && i < s->connections; i++)
        bad = posix_spawn_file_actions_adddup2(&t->files, t->theirs[i], FIRST_FD + (int)i);
    if (!bad && t->device > 0)
        bad =
            posix_spawn_file_actions_adddup2(&t->files, t->device, FIRST_FD + (int)s->connections);
    if (!bad && s->stderr_fd >= 0)
        bad = posix_spawn_file_actions_adddup2(&t->files, s->stderr_fd, STDERR_FILENO);
    return bad ? bad : posix_spawn(pid, s->program, &t->files, &t->attr, t->argv, t->env);
}

static cm_err start(pid_t *pid, int *fds, struct start *t, const cm_keyd_spawn *s)
{
    unsigned pairs = 0;
    cm_err e;

    if (s->device_fd > 0)
        t->device = fcntl(s->device_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (t->device < 0)
        return CM_FAIL(KEYD_SPAWN);
    e = arguments(t, s);

    while (cm_ok(e) && pairs < s->connections) {
        e = one_pair(&fds[pairs], &t->theirs[pairs]);
        pairs += cm_ok(e);
    }
    if (cm_ok(e) && spawn(pid, t, s) != 0)
        e = CM_FAIL(KEYD_SPAWN);
    if (t->device > 0)
        close(t->device);
    for (unsigned i = 0; i < pairs; i++) {
        close(t->theirs[i]);
        if (cm_failed(e))
            close(fds[i]);
    }
    return e;
}

cm_err cm_keyd_start(pid_t *pid, int *fds, const cm_keyd_spawn *s)
{
    CM_AUTO(cm_free_ptr) struct start *t = NULL;
    cm_err e = CM_FAIL(NO_MEMORY);

    if (s->connections == 0 || s->connections > CONNECTIONS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&t, sizeof *t));
    if (posix_spawn_file_actions_init(&t->files) != 0)
        return e;
    if (posix_spawnattr_init(&t->attr) == 0) {
        e = start(pid, fds, t, s);
        posix_spawnattr_destroy(&t->attr);
    }
    posix_spawn_file_actions_destroy(&t->files);
    return e;
}
