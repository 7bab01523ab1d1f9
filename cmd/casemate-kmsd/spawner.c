/*
 * The process that starts keyd. It was forked before threads, sandbox and the first byte from the
 * network, and knows one order: end the keyd before, start another, hand over its sockets. It
 * leaves, and keyd with it, when the server does.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"
#include "hsm/fleet.h"
#include "hsm/remote.h"
#include "kmsd.h"

enum { FDS_MAX = KMSD_REACTORS + 2 };

/* What is started, as it was when the server began. */
struct plan {
    char keyd[4200], p11d[4200], threads[32], fleet[128], provider[CM_CONFIG_PROVIDERS + 1][128];
    char hold[32];
    const char *keyd_args[16 + 2 * CM_CONFIG_PROVIDERS];
    size_t keyd_n;
    struct planned {
        const char *args[CM_P11D_ARGS + 1];
        size_t n;
        char sessions[8];
        cm_p11d p;
    } device[CM_CONFIG_PROVIDERS + 1];
    size_t devices;
    bool several;
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

static bool send_fds(int sock, struct iovec *iov, const int *fds, unsigned n)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {.room = {0}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 1};
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
    return sendmsg(sock, &m, MSG_NOSIGNAL) == (ssize_t)iov->iov_len;
}

static bool send_answer(int sock, const struct answer *a, const int *fds, unsigned n)
{
    struct answer copy = *a;
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof copy};

    return send_fds(sock, &iov, fds, n);
}

/* keyd is started without it when there is none: it says so when it is asked to unseal. Of several
 * it gets a socket to ask for them, and *broker is our end. */
static int start_device(struct plan *p, int *broker)
{
    int fd = 0, pair[2];

    if (p->several) {
        cm_os_close_fd(broker);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            return 0;
        *broker = pair[0];
        return pair[1];
    }
    if (!p->devices)
        return 0;
    return cm_ok(cm_p11d_connect(&p->device[0].p, &fd)) ? fd : 0;
}

/* H-12: a device's process, ended and started again. Nothing else can be asked for here. False:
 * keyd is gone, or talks nonsense. */
static bool serve_device(int broker, struct plan *p)
{
    uint8_t place, fine = 0;
    struct iovec iov = {.iov_base = &fine, .iov_len = 1};
    int fd[CM_HSM_LANES];
    cm_p11d *d;
    ssize_t n;
    bool ok;

    do
        n = recv(broker, &place, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != 1 || place >= p->devices)
        return false;
    d = &p->device[place].p;
    if (cm_failed(cm_p11d_connect(d, fd))) {
        fine = 1;
        return send_fds(broker, &iov, NULL, 0);
    }
    ok = send_fds(broker, &iov, fd, d->connections);
    for (unsigned i = 0; i < d->connections; i++)
        (void)close(fd[i]);
    return ok;
}

static bool serve_one(int sock, struct plan *p, pid_t *keyd, int *broker)
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
    s.device_fd = start_device(p, broker);
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

/* Until the server, or what it waits for, is gone. */
static void serve(int sock, struct plan *p, pid_t *keyd)
{
    CM_AUTO(cm_os_close_fd) int broker = -1;

    for (;;) {
        struct pollfd f[2] = {{.fd = sock, .events = POLLIN}, {.fd = broker, .events = POLLIN}};

        if (poll(f, 2, -1) < 0 && errno != EINTR)
            return;
        if (f[0].revents && !serve_one(sock, p, keyd, &broker))
            return;
        if (!f[0].revents && f[1].revents && !serve_device(broker, p)) {
            cm_os_close_fd(&broker);
            broker = -1;
        }
    }
}

/* keyd is gone, so they leave by themselves, and first end what they have begun: a token in files
 * whose process is killed while it writes them is lost. One that hangs is killed. */
static void end_devices(struct plan *p)
{
    enum { TICK_MS = 20, PATIENCE_MS = 5000 };
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
    size_t left = p->devices;

    for (unsigned i = 0; i < PATIENCE_MS / TICK_MS && left > 0; i++) {
        left = 0;
        for (size_t j = 0; j < p->devices; j++) {
            pid_t *pid = &p->device[j].p.pid;

            if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) == *pid)
                *pid = 0;
            left += *pid > 0;
        }
        if (left > 0)
            (void)nanosleep(&tick, NULL);
    }
    for (size_t i = 0; i < p->devices; i++)
        cm_p11d_stop(&p->device[i].p);
}

static void helper(int sock, struct plan *p)
{
    pid_t keyd = -1;

    keep_only(sock);
    /* A session of its own: the terminal's Ctrl-C ends the server first, and keyd after it. */
    (void)setsid();
    (void)prctl(PR_SET_NAME, "kmsd-spawner");
    serve(sock, p, &keyd);
    end_keyd(&keyd);
    end_devices(p);
    _exit(0);
}

/* ---- in the server ---- */

static cm_err find_program(const char *given, const char *name, char path[4200])
{
    if (!given)
        return cm_child_find(path, 4200, name);
    snprintf(path, 4200, "%s", given);
    return cm_os_exists(path) ? CM_OKAY : CM_FAIL(NO_FILE);
}

static void add(struct planned *p, const char *name, const char *value)
{
    if (!value)
        return;
    p->args[p->n++] = name;
    p->args[p->n++] = value;
}

static void plan_device(struct plan *p, const cm_config_provider *c)
{
    struct planned *x = &p->device[p->devices++];

    add(x, "--module", c->module);
    add(x, "--module-sha256", c->module_sha256);
    add(x, "--cloud", c->cloud);
    add(x, "--tpm", c->tpm);
    add(x, "--token", c->token);
    if (c->wrapping == CM_CONFIG_WRAPPING_CLASSICAL)
        add(x, "--wrapping", "rsa-not-post-quantum");
    add(x, "--pin-file", c->pin_file);
    if (!c->pin_file)
        add(x, "--pin-credential", c->pin_credential);
    add(x, "--init", c->init);
    add(x, "--write", c->files);
    if (c->network)
        x->args[x->n++] = "--network";
    x->p = (cm_p11d){.program = p->p11d, .args = x->args, .env = environ};
    if (!c->module || !c->sessions)
        return;
    x->p.connections = (unsigned)c->sessions; /* H-16 */
    snprintf(x->sessions, sizeof x->sessions, "%u", x->p.connections);
    add(x, "--sessions", x->sessions);
}

static void tell(struct plan *p, const char *name, const char *value)
{
    p->keyd_args[p->keyd_n++] = name;
    p->keyd_args[p->keyd_n++] = value;
}

static cm_err plan_root(struct plan *p, const cm_config_provider *c)
{
    char *text = p->provider[p->devices];

    if (p->devices == CM_FLEET_MAX || (c->region && strchr(c->region, ',')))
        return CM_FAIL(CONFIG_VALUE);
    snprintf(text, sizeof p->provider[0], "%llu,%s,%s", (unsigned long long)c->weight,
             c->region ? c->region : "", c->name);
    tell(p, "--provider", text);
    plan_device(p, c);
    return CM_OKAY;
}

/* Those of the root come first: that is how keyd counts them. */
static cm_err plan_several(const kmsd *d, struct plan *p, const cm_config_provider *one)
{
    bool any = false;

    p->several = true;
    snprintf(p->fleet, sizeof p->fleet, "%llu,%llu,%llu,%llu,%s",
             (unsigned long long)d->v->hsm.mode, (unsigned long long)d->v->hsm.check,
             (unsigned long long)d->v->hsm.threshold, (unsigned long long)d->v->hsm.ramp,
             d->v->hsm.region ? d->v->hsm.region : "");
    snprintf(p->hold, sizeof p->hold, "%llu", (unsigned long long)d->v->hsm.hold);
    tell(p, "--providers", p->fleet);
    tell(p, "--hold", p->hold);
    for (size_t i = 0; i < d->v->hsm.providers_n; i++)
        any |= d->v->hsm.providers[i].use == CM_CONFIG_HSM_ROOT;
    if (!any && (one->module || one->cloud || one->tpm))
        CM_TRY(plan_root(p, one));
    for (size_t i = 0; i < d->v->hsm.providers_n; i++)
        if (d->v->hsm.providers[i].use == CM_CONFIG_HSM_ROOT)
            CM_TRY(plan_root(p, &d->v->hsm.providers[i]));
    for (size_t i = 0; i < d->v->hsm.providers_n; i++)
        if (d->v->hsm.providers[i].use == CM_CONFIG_HSM_TENANTS) {
            tell(p, "--tenant-provider", d->v->hsm.providers[i].name);
            plan_device(p, &d->v->hsm.providers[i]);
        }
    return CM_OKAY;
}

static cm_err plan_devices(const kmsd *d, struct plan *p)
{
    const cm_config_provider one = {.name = "hsm",
                                    .weight = 100,
                                    .module = d->v->hsm.module,
                                    .module_sha256 = d->v->hsm.module_sha256,
                                    .cloud = d->v->hsm.cloud,
                                    .tpm = d->v->hsm.tpm,
                                    .token = d->v->hsm.token,
                                    .pin_file = d->v->hsm.pin_file,
                                    .pin_credential = d->v->hsm.pin_credential,
                                    .init = d->v->hsm.init,
                                    .files = d->v->hsm.files,
                                    .network = d->v->hsm.network,
                                    .wrapping = d->v->hsm.wrapping};

    if (!d->v->hsm.providers_n && !one.module && !one.cloud && !one.tpm)
        return CM_OKAY;
    CM_TRY(find_program(d->v->hsm.program, "casemate-p11d", p->p11d));
    if (d->v->hsm.providers_n)
        return plan_several(d, p, &one);
    plan_device(p, &one);
    return CM_OKAY;
}

static cm_err plan(const kmsd *d, struct plan *p)
{
    CM_TRY(find_program(d->v->keyd.program, "casemate-keyd", p->keyd));
    tell(p, "--log-format", (cm_log_form)d->v->log.format == CM_LOG_TEXT ? "text" : "json");
    if (d->v->keyd.threads) {
        snprintf(p->threads, sizeof p->threads, "%llu", (unsigned long long)d->v->keyd.threads);
        tell(p, "--workers", p->threads);
    }
    if (d->v->unseal.method == CM_CONFIG_UNSEAL_CREDENTIAL)
        tell(p, "--credential", d->v->unseal.credential);
    return plan_devices(d, p);
}

cm_err cm_kmsd_spawner_start(kmsd *d)
{
    struct plan p = {.devices = 0};
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
