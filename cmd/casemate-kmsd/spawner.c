/*
 * The process that starts keyd. It was forked before threads, sandbox and the first byte from the
 * network, and knows one order: end the keyd before, start another, hand over its sockets. It
 * leaves, and keyd with it, when the server does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "kmsd.h"

enum { FDS_MAX = KMSD_REACTORS + 2 };

struct order {
    uint32_t sockets;
};

struct answer {
    uint32_t err;
    int32_t pid;
};

/* ---- in the helper ---- */

static void end_keyd(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *pid = -1;
}

static bool send_answer(int sock, const struct answer *a, const int *fds, unsigned n)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {.room = {0}};
    struct answer copy = *a;
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof copy};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *c;

    if (n) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL) == (ssize_t)sizeof copy;
}

static bool serve_one(int sock, const char *program, const char *const *args, pid_t *keyd)
{
    int fds[FDS_MAX];
    struct order o;
    struct answer a = {.pid = -1};
    cm_keyd_spawn s = {.program = program, .args = args, .stderr_fd = -1};
    ssize_t n;
    bool ok;

    do
        n = recv(sock, &o, sizeof o, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof o || o.sockets > FDS_MAX)
        return false;
    end_keyd(keyd);
    s.connections = o.sockets;
    s.credentials_dir = getenv("CREDENTIALS_DIRECTORY");
    a.err = cm_keyd_start(keyd, fds, &s).v;
    a.pid = (int32_t)*keyd;
    ok = send_answer(sock, &a, fds, a.err ? 0 : o.sockets);
    for (unsigned i = 0; a.err == 0 && i < o.sockets; i++)
        cm_os_close_fd(&fds[i]);
    return ok;
}

/* What it inherited would outlive a killed server: the lock of its database, its listening sockets,
 * which would take connections that nobody serves. */
static void keep_only(int sock)
{
    enum { FIRST = STDERR_FILENO + 1 };

    if (sock > FIRST)
        (void)close_range(FIRST, (unsigned)sock - 1, 0);
    (void)close_range((unsigned)sock + 1, ~0u, 0);
}

static void helper(int sock, const char *program, const char *const *args)
{
    pid_t keyd = -1;

    keep_only(sock);
    /* A session of its own: the terminal's Ctrl-C ends the server first, and keyd after it. */
    (void)setsid();
    (void)prctl(PR_SET_NAME, "kmsd-spawner");
    while (serve_one(sock, program, args, &keyd))
        continue;
    end_keyd(&keyd);
    _exit(0);
}

/* ---- in the server ---- */

static cm_err find_program(const kmsd *d, char path[4200])
{
    ssize_t n;
    char *slash;

    if (d->v->keyd.program) {
        snprintf(path, 4200, "%s", d->v->keyd.program);
        return cm_os_exists(path) ? CM_OKAY : CM_FAIL(NO_FILE);
    }
    n = readlink("/proc/self/exe", path, 4000);
    if (n <= 0)
        return CM_FAIL(NO_FILE);
    path[n] = 0;
    slash = strrchr(path, '/');
    snprintf(slash, 64, "/casemate-keyd");
    if (cm_os_exists(path))
        return CM_OKAY;
    /* As a build has them: each program in a folder of its own. */
    snprintf(slash, 64, "/../casemate-keyd/casemate-keyd");
    if (cm_os_exists(path))
        return CM_OKAY;
    return CM_FAIL(NO_FILE);
}

cm_err cm_kmsd_spawner_start(kmsd *d)
{
    char path[4200], threads[32];
    const char *args[6] = {NULL};
    size_t n = 0;
    int pair[2];
    cm_err e = find_program(d, path);

    if (cm_failed(e)) {
        CM_LOG(d->log, ERROR, "keyd_not_found", cm_log_err(e));
        return e;
    }
    if (d->v->keyd.threads) {
        snprintf(threads, sizeof threads, "%llu", (unsigned long long)d->v->keyd.threads);
        args[n++] = "--workers";
        args[n++] = threads;
    }
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_CREDENTIAL) {
        args[n++] = "--credential";
        args[n++] = d->v->unseal.credential;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return CM_FAIL(KEYD_SPAWN);
    d->spawner_pid = fork();
    if (d->spawner_pid == 0) {
        helper(pair[1], path, args);
    }
    (void)close(pair[1]);
    d->spawner = pair[0];
    return d->spawner_pid > 0 ? CM_OKAY : CM_FAIL(KEYD_SPAWN);
}

static cm_err receive(int sock, struct answer *a, int *fds, unsigned n)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = a, .iov_len = sizeof *a};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct cmsghdr *c;
    ssize_t got;

    do
        got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof *a)
        return CM_FAIL(KEYD_SPAWN);
    if (a->err)
        return (cm_err){a->err};
    c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(n * sizeof(int)))
        return CM_FAIL(KEYD_SPAWN);
    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    return CM_OKAY;
}

cm_err cm_kmsd_spawner_keyd(kmsd *d, int *fds, unsigned n, pid_t *pid)
{
    struct order o = {.sockets = n};
    struct answer a = {.pid = -1};

    if (send(d->spawner, &o, sizeof o, MSG_NOSIGNAL) != (ssize_t)sizeof o)
        return CM_FAIL(KEYD_SPAWN);
    CM_TRY(receive(d->spawner, &a, fds, n));
    *pid = a.pid;
    return CM_OKAY;
}

void cm_kmsd_spawner_stop(kmsd *d)
{
    if (d->spawner_pid <= 0)
        return;
    cm_os_close_fd(&d->spawner);
    while (waitpid(d->spawner_pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    d->spawner_pid = 0;
}
