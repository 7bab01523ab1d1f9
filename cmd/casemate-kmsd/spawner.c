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
#include "hsm/remote.h"
#include "kmsd.h"

enum { FDS_MAX = KMSD_REACTORS + 2 };

/* What is started, as it was when the server began. */
struct plan {
    char keyd[4200], p11d[4200], threads[32];
    const char *keyd_args[8], *p11d_args[CM_P11D_ARGS + 1];
    size_t n;
    cm_p11d device;
};

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

/* keyd is started without it when there is none: it says so when it is asked to unseal. */
static int start_device(struct plan *p)
{
    int fd = 0;

    if (!p->device.program)
        return 0;
    return cm_ok(cm_p11d_connect(&p->device, &fd)) ? fd : 0;
}

static bool serve_one(int sock, struct plan *p, pid_t *keyd)
{
    int fds[FDS_MAX];
    struct order o;
    struct answer a = {.pid = -1};
    cm_keyd_spawn s = {.program = p->keyd, .args = p->keyd_args, .stderr_fd = -1};
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
    s.device_fd = start_device(p);
    a.err = cm_keyd_start(keyd, fds, &s).v;
    a.pid = (int32_t)*keyd;
    if (s.device_fd)
        (void)close(s.device_fd);
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

static void helper(int sock, struct plan *p)
{
    pid_t keyd = -1;

    keep_only(sock);
    /* A session of its own: the terminal's Ctrl-C ends the server first, and keyd after it. */
    (void)setsid();
    (void)prctl(PR_SET_NAME, "kmsd-spawner");
    while (serve_one(sock, p, &keyd))
        continue;
    end_keyd(&keyd);
    cm_p11d_stop(&p->device);
    _exit(0);
}

/* ---- in the server ---- */

/* Beside this program, or as a build has them: each in a folder of its own. */
static cm_err find_program(const char *given, const char *name, char path[4200])
{
    ssize_t n;
    char *slash;

    if (given) {
        snprintf(path, 4200, "%s", given);
        return cm_os_exists(path) ? CM_OKAY : CM_FAIL(NO_FILE);
    }
    n = readlink("/proc/self/exe", path, 4000);
    if (n <= 0)
        return CM_FAIL(NO_FILE);
    path[n] = 0;
    slash = strrchr(path, '/');
    snprintf(slash, 64, "/%s", name);
    if (cm_os_exists(path))
        return CM_OKAY;
    snprintf(slash, 64, "/../%s/%s", name, name);
    return cm_os_exists(path) ? CM_OKAY : CM_FAIL(NO_FILE);
}

static void add(struct plan *p, const char *name, const char *value)
{
    if (!value)
        return;
    p->p11d_args[p->n++] = name;
    p->p11d_args[p->n++] = value;
}

static cm_err plan_device(const kmsd *d, struct plan *p)
{
    if (d->v->unseal.method != CM_CONFIG_UNSEAL_HSM || !d->v->hsm.module)
        return CM_OKAY;
    CM_TRY(find_program(d->v->hsm.program, "casemate-p11d", p->p11d));
    add(p, "--module", d->v->hsm.module);
    add(p, "--token", d->v->hsm.token);
    add(p, "--pin-file", d->v->hsm.pin_file);
    if (!d->v->hsm.pin_file)
        add(p, "--pin-credential", d->v->hsm.pin_credential);
    add(p, "--init", d->v->hsm.init);
    add(p, "--write", d->v->hsm.files);
    if (d->v->hsm.network)
        p->p11d_args[p->n++] = "--network";
    p->device = (cm_p11d){.program = p->p11d, .args = p->p11d_args, .env = environ};
    return CM_OKAY;
}

static cm_err plan(const kmsd *d, struct plan *p)
{
    size_t k = 0;

    CM_TRY(find_program(d->v->keyd.program, "casemate-keyd", p->keyd));
    p->keyd_args[k++] = "--log-format";
    p->keyd_args[k++] = (cm_log_form)d->v->log.format == CM_LOG_TEXT ? "text" : "json";
    if (d->v->keyd.threads) {
        snprintf(p->threads, sizeof p->threads, "%llu", (unsigned long long)d->v->keyd.threads);
        p->keyd_args[k++] = "--workers";
        p->keyd_args[k++] = p->threads;
    }
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_CREDENTIAL) {
        p->keyd_args[k++] = "--credential";
        p->keyd_args[k++] = d->v->unseal.credential;
    }
    return plan_device(d, p);
}

cm_err cm_kmsd_spawner_start(kmsd *d)
{
    struct plan p = {.n = 0};
    int pair[2];
    cm_err e = plan(d, &p);

    if (cm_failed(e)) {
        CM_LOG(d->log, ERROR, "keyd_not_found", cm_log_err(e));
        return e;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return CM_FAIL(KEYD_SPAWN);
    d->spawner_pid = fork();
    if (d->spawner_pid == 0) {
        helper(pair[1], &p);
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
