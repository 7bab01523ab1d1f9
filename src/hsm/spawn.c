/* casemate-p11d as a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "hsm/remote.h"

enum { FIRST_FD = 3, PIN_FD = FIRST_FD + CM_P11D_FDS, HIGH_FD = 64, PIN_MAX = 256 };

struct start {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char text[CM_P11D_FDS + 1][12];
    char *argv[CM_P11D_ARGS + 2 * CM_P11D_FDS + 4];
    int theirs[CM_P11D_FDS], pin[2];
    unsigned pairs;
};

/* posix_spawn() takes pointers to non-const text and does not write through them. */
static char *text(const char *s)
{
    char *p;

    memcpy(&p, &s, sizeof p);
    return p;
}

static cm_err arguments(struct start *t, const cm_p11d *p)
{
    size_t n = 0;

    t->argv[n++] = text(p->program);
    for (unsigned i = 0; i < p->connections; i++) {
        (void)snprintf(t->text[i], sizeof t->text[i], "%u", FIRST_FD + i);
        t->argv[n++] = text("--connection");
        t->argv[n++] = t->text[i];
    }
    if (p->pin.n) {
        (void)snprintf(t->text[CM_P11D_FDS], sizeof t->text[0], "%d", PIN_FD);
        t->argv[n++] = text("--pin-fd");
        t->argv[n++] = t->text[CM_P11D_FDS];
    }
    for (size_t i = 0; p->args && p->args[i]; i++) {
        if (i == CM_P11D_ARGS)
            return CM_FAIL(BAD_ARGUMENT);
        t->argv[n++] = text(p->args[i]);
    }
    return CM_OKAY;
}

/* Sources lie above all targets. */
static int high(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

    close(fd);
    return up;
}

static cm_err sockets(struct start *t, const cm_p11d *p, int *fds)
{
    int pair[2];

    for (; t->pairs < p->connections; t->pairs++) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            return CM_FAIL(HSM_SPAWN);
        fds[t->pairs] = pair[0];
        t->theirs[t->pairs] = high(pair[1]);
    }
    return CM_OKAY;
}

/* A pipe holds more than a PIN. */
static cm_err put_pin(struct start *t, const cm_p11d *p)
{
    if (!p->pin.n)
        return CM_OKAY;
    if (p->pin.n > PIN_MAX || pipe2(t->pin, O_CLOEXEC) != 0)
        return CM_FAIL(HSM_SPAWN);
    t->pin[0] = high(t->pin[0]);
    return cm_os_write(t->pin[1], p->pin.p, p->pin.n);
}

static int spawn(pid_t *pid, struct start *t, const cm_p11d *p)
{
    sigset_t none, all;
    int bad;

    sigemptyset(&none);
    sigfillset(&all);
    bad = posix_spawnattr_setsigmask(&t->attr, &none) ||
          posix_spawnattr_setsigdefault(&t->attr, &all) ||
          posix_spawnattr_setflags(&t->attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (unsigned i = 0; !bad && i < t->pairs; i++)
        bad = posix_spawn_file_actions_adddup2(&t->files, t->theirs[i], FIRST_FD + (int)i);
    if (!bad && t->pin[0] >= 0)
        bad = posix_spawn_file_actions_adddup2(&t->files, t->pin[0], PIN_FD);
    return bad ? bad : posix_spawn(pid, p->program, &t->files, &t->attr, t->argv, p->env);
}

static cm_err start(cm_p11d *p, struct start *t, int *fds)
{
    cm_err e = arguments(t, p);
    pid_t pid;

    if (cm_ok(e))
        e = sockets(t, p, fds);
    if (cm_ok(e))
        e = put_pin(t, p);
    if (cm_ok(e) && spawn(&pid, t, p) != 0)
        e = CM_FAIL(HSM_SPAWN);
    for (unsigned i = 0; i < t->pairs; i++) {
        close(t->theirs[i]);
        if (cm_failed(e))
            close(fds[i]);
    }
    cm_os_close_fd(&t->pin[0]);
    cm_os_close_fd(&t->pin[1]);
    if (cm_ok(e))
        p->pid = pid;
    return e;
}

cm_err cm_p11d_start(cm_p11d *p, int *fds)
{
    struct start t = {.pin = {-1, -1}, .pairs = 0};
    cm_err e = CM_FAIL(HSM_SPAWN);

    if (p->connections == 0)
        p->connections = 1;
    if (p->connections > CM_P11D_FDS)
        return CM_FAIL(BAD_ARGUMENT);
    if (posix_spawn_file_actions_init(&t.files) != 0)
        return e;
    if (posix_spawnattr_init(&t.attr) == 0) {
        e = start(p, &t, fds);
        posix_spawnattr_destroy(&t.attr);
    }
    posix_spawn_file_actions_destroy(&t.files);
    return e;
}

void cm_p11d_stop(cm_p11d *p)
{
    if (p->pid <= 0)
        return;
    (void)kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    p->pid = 0;
}

cm_err cm_p11d_connect(void *arg, int *fd)
{
    cm_p11d *p = arg;

    cm_p11d_stop(p);
    return cm_p11d_start(p, fd);
}
