#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "cm_config.h"
#include "codec/text.h"
#include "keyd.h"
#include "run/leakless.h"
#include "run/sandbox.h"

enum { SOCKETS_MAX = 64, SLOW_THREADS = 2, LISTEN_FDS_START = 3, WORKERS_MAX = 60 };

struct given {
    int fd;
    unsigned rights;
    bool listens;
};

struct arguments {
    struct given socket[SOCKETS_MAX];
    size_t sockets;
    uint64_t workers, uid, device;
    const char *credential;
    cm_log_form form;
    struct device_plan devices;
    bool no_sandbox, help, version;
};

static const char usage[] =
    "usage: casemate-keyd [options]\n"
    "Holds the root of a KMS and executes key operations for casemate-kmsd. It opens no socket "
    "and\n"
    "no file of its own: it is given connected or listening SOCK_SEQPACKET Unix sockets.\n"
    "\n"
    "  --connection FD[,RIGHTS]  a connected socket\n"
    "  --listen FD[,RIGHTS]      a listening socket (those of LISTEN_FDS are found by themselves)\n"
    "                            RIGHTS: ops, control or all (the default)\n"
    "  --workers N               threads for operations; default: one for each processor\n"
    "  --peer-uid N              the user that may connect besides root; default: its own\n"
    "  --credential NAME         a key file below $CREDENTIALS_DIRECTORY, or a path: unseals\n"
    "                            without anyone typing\n"
    "  --device FD               a connected socket to casemate-p11d: the token that the root is\n"
    "                            kept under\n"
    "  --log-format FORM         json (the default) or text\n"
    "  --provider WEIGHT,REGION,NAME, once for each of several tokens; --device is then a socket\n"
    "                            to who starts their casemate-p11d\n"
    "  --providers MODE,CHECK,THRESHOLD,RAMP,REGION   how they are chosen: 0 by weight, 1 in "
    "turn,\n"
    "                            2 the fastest; milliseconds; failures; milliseconds\n"
    "  --tenant-provider NAME    a token that tenants' keys may be kept under; behind --provider\n"
    "  --hold MS                 how long what such a token opened is kept; default: 300000\n"
    "  --no-sandbox              run although the kernel lacks seccomp or landlock\n"
    "  --version, --help\n"
    "\n"
    "It leaves when nobody is connected any more and nothing listens, and upon SIGTERM.\n";

/* ---- arguments ------------------------------------------------------------------------------ */

static bool number(uint64_t *out, cm_view text, uint64_t max)
{
    uint64_t n;

    if (cm_failed(cm_dec_u64(&n, text)) || n > max)
        return false;
    *out = n;
    return true;
}

static bool rights_of(unsigned *out, cm_view text)
{
    static const struct {
        const char *name;
        unsigned rights;
    } known[] = {
        {"", RIGHT_ALL}, {",all", RIGHT_ALL}, {",ops", RIGHT_OPS}, {",control", RIGHT_CONTROL}};

    for (size_t i = 0; i < CM_COUNT(known); i++) {
        if (cm_view_eq(text, cm_view_str(known[i].name))) {
            *out = known[i].rights;
            return true;
        }
    }
    return false;
}

static bool socket_argument(struct arguments *a, const char *value, bool listens)
{
    size_t n = strcspn(value, ",");
    struct given *g = &a->socket[a->sockets];
    uint64_t fd;

    if (a->sockets == SOCKETS_MAX || !number(&fd, cm_view_of(value, n), 65535) ||
        !rights_of(&g->rights, cm_view_str(value + n)))
        return false;
    g->fd = (int)fd;
    g->listens = listens;
    a->sockets++;
    return true;
}

static bool option(struct arguments *a, const char *name, const char *value)
{
    if (strcmp(name, "--connection") == 0)
        return socket_argument(a, value, false);
    if (strcmp(name, "--listen") == 0)
        return socket_argument(a, value, true);
    if (strcmp(name, "--workers") == 0)
        return number(&a->workers, cm_view_str(value), WORKERS_MAX) && a->workers > 0;
    if (strcmp(name, "--peer-uid") == 0)
        return number(&a->uid, cm_view_str(value), UINT32_MAX - 1);
    if (strcmp(name, "--device") == 0)
        return number(&a->device, cm_view_str(value), 65535);
    if (strcmp(name, "--log-format") == 0) {
        a->form = strcmp(value, "text") == 0 ? CM_LOG_TEXT : CM_LOG_JSON;
        return a->form == CM_LOG_TEXT || strcmp(value, "json") == 0;
    }
    if (strcmp(name, "--provider") == 0)
        return cm_kd_plan_provider(&a->devices, value);
    if (strcmp(name, "--providers") == 0)
        return cm_kd_plan_fleet(&a->devices, value);
    if (strcmp(name, "--tenant-provider") == 0)
        return cm_kd_plan_tenant(&a->devices, value);
    if (strcmp(name, "--hold") == 0)
        return number(&a->devices.hold_ms, cm_view_str(value), UINT32_MAX);
    if (strcmp(name, "--credential") == 0) {
        a->credential = value;
        return true;
    }
    return false;
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-sandbox") == 0)
            a->no_sandbox = true;
        else if (strcmp(argv[i], "--help") == 0)
            a->help = true;
        else if (strcmp(argv[i], "--version") == 0)
            a->version = true;
        else if (i + 1 >= argc || !option(a, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

/* sd_listen_fds(3), without its library. */
static void sockets_of_systemd(struct arguments *a)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t p, n;

    if (!pid || !fds || !number(&p, cm_view_str(pid), INT32_MAX) || p != (uint64_t)getpid() ||
        !number(&n, cm_view_str(fds), SOCKETS_MAX))
        return;
    for (uint64_t i = 0; i < n && a->sockets < SOCKETS_MAX; i++)
        a->socket[a->sockets++] =
            (struct given){LISTEN_FDS_START + (int)i, RIGHT_ALL, .listens = true};
}

/* ---- start ---------------------------------------------------------------------------------- */

static uint64_t now_ms(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static cm_err credential_path(char *path, size_t room, const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int n;

    if (strchr(name, '/'))
        n = snprintf(path, room, "%s", name);
    else if (!dir)
        return CM_FAIL(KEYD_NO_CREDENTIAL);
    else
        n = snprintf(path, room, "%s/%s", dir, name);
    return n > 0 && (size_t)n < room ? CM_OKAY : CM_FAIL(BAD_ARGUMENT);
}

/* Into locked memory, without a copy elsewhere. */
static cm_err read_credential(struct keyd *k, const char *name)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    char path[4096];
    size_t n;

    CM_TRY(credential_path(path, sizeof path, name));
    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_os_read(fd, k->credential, CM_UNSEAL_SECRET_MAX, &n));
    if (n < CM_UNSEAL_KEYFILE_MIN || n == CM_UNSEAL_SECRET_MAX)
        return CM_FAIL(UNSEAL_METHOD);
    k->credential_n = n;
    return CM_OKAY;
}

static cm_err connect_devices(struct keyd *k, const struct arguments *a)
{
    CM_TRY(cm_kd_devices_new(&k->devices, k->crypt, &a->devices, (int)a->device));
    if (cm_kd_devices_set(k->devices)) {
        k->hsm = cm_hsm_set_of(cm_kd_devices_set(k->devices));
        cm_hsm_unseal_init(&k->unseal, &k->hsm);
    }
    return CM_OKAY;
}

static cm_err connect_device(struct keyd *k, const struct arguments *a)
{
    cm_hsm_remote_options o = {.fd = (int)a->device};

    if (a->devices.n || a->devices.tenants)
        return connect_devices(k, a);
    CM_TRY(cm_hsm_remote_new(&k->device, &o));
    k->hsm = cm_hsm_remote_of(k->device);
    cm_hsm_unseal_init(&k->unseal, &k->hsm);
    return CM_OKAY;
}

static cm_err prepare(struct keyd *k, const struct arguments *a)
{
    CM_TRY(cm_secret_new(&k->credential, CM_UNSEAL_SECRET_MAX));
    CM_TRY(cm_secret_new(&k->shares, CM_SHARE_MAX * sizeof *k->shares));
    pthread_mutex_init(&k->control, NULL);
    k->workers = (unsigned)a->workers;
    if (a->device)
        CM_TRY(connect_device(k, a));
    return cm_kd_vault_new(&k->vault, k->crypt,
                           k->devices ? cm_kd_devices_tenants(k->devices) : NULL);
}

/* Without its credential it comes up sealed: there are shares, and people. */
static cm_err own_credential(struct keyd *k, const struct arguments *a)
{
    cm_err e = a->credential ? read_credential(k, a->credential) : CM_OKAY;

    if (!cm_is(e, CM_NO_FILE) && !cm_is(e, CM_KEYD_NO_CREDENTIAL))
        return e;
    CM_LOG(k->log, WARNING, "no_credential", cm_log_str("name", a->credential));
    return CM_OKAY;
}

/* KD-6: before a thread runs and a byte is read. */
static cm_err enter_sandbox(struct keyd *k, bool best_effort)
{
    cm_sandbox_options o = {.profile = CM_SANDBOX_KEYD, .best_effort = best_effort};

    CM_TRY(cm_sandbox_enter(&o, &k->sandbox));
    if (k->sandbox == CM_SANDBOX_ALL)
        CM_TRY(cm_sandbox_check(CM_SANDBOX_KEYD));
    return CM_OKAY;
}

static cm_err start(struct keyd *k, const struct arguments *a)
{
    CM_TRY(prepare(k, a));
    CM_TRY(own_credential(k, a));
    CM_TRY(cm_kd_serve_new(&k->serve, k, k->workers, (int)a->uid));
    for (size_t i = 0; i < a->sockets; i++) {
        const struct given *g = &a->socket[i];

        CM_TRY(g->listens ? cm_kd_serve_listen(k->serve, g->fd, g->rights)
                          : cm_kd_serve_adopt(k->serve, g->fd, g->rights));
    }
    CM_TRY(enter_sandbox(k, a->no_sandbox));
    CM_TRY(cm_kd_slow_new(&k->slow, k, SLOW_THREADS, NULL));
    if (k->devices)
        CM_TRY(cm_kd_devices_start(k->devices, k));
    return cm_kd_serve_start(k->serve);
}

/* Until a signal, or nothing is left to serve. */
static void wait_for_end(struct keyd *k, int signals)
{
    struct pollfd p[2] = {{.fd = signals, .events = POLLIN},
                          {.fd = cm_kd_serve_idle_fd(k->serve), .events = POLLIN}};
    struct signalfd_siginfo info;

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    if (p[0].revents && read(signals, &info, sizeof info) == sizeof info)
        CM_LOG(k->log, INFO, "stopping", cm_log_number("signal", info.ssi_signo));
    else
        CM_LOG(k->log, INFO, "stopping", cm_log_str("because", "nobody is connected"));
}

static void finish(struct keyd *k)
{
    if (k->serve)
        cm_kd_serve_stop(k->serve);
    cm_kd_slow_free(k->slow);
    if (k->devices)
        cm_kd_devices_stop(k->devices);
    cm_kd_vault_free(k->vault);
    cm_kd_serve_free(k->serve);
    cm_hsm_remote_free(k->device);
    cm_kd_devices_free(k->devices);
    cm_secret_free(k->shares, CM_SHARE_MAX * sizeof *k->shares);
    cm_secret_free(k->credential, CM_UNSEAL_SECRET_MAX);
}

static int block_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(struct keyd *k, const struct arguments *a, int signals)
{
    cm_err e = start(k, a);

    if (cm_failed(e)) {
        CM_LOG(k->log, ERROR, "not_started", cm_log_err(e));
    } else {
        CM_LOG(k->log, INFO, "started", cm_log_number("workers", k->workers),
               cm_log_str("sandbox", cm_sandbox_text(k->sandbox)),
               cm_log_number("sockets", a->sockets));
        wait_for_end(k, signals);
    }
    finish(k);
    return cm_failed(e) ? 1 : 0;
}

static int with_log(const struct arguments *a)
{
    CM_AUTO(cm_log_free_ptr) cm_log *log = NULL;
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *crypt = NULL;
    CM_AUTO(cm_free_ptr) struct keyd *k = NULL;
    cm_log_options o = {.fd = STDERR_FILENO,
                        .level = CM_LOG_INFO,
                        .form = a->form,
                        .program = "casemate-keyd",
                        .now_ms = now_ms};
    int signals = block_signals();

    if (signals < 0 || cm_failed(cm_log_new(&log, &o)) || cm_failed(cm_alloc(&k, sizeof *k)) ||
        cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)))
        return 1;
    k->crypt = crypt;
    k->log = log;
    return run(k, a, signals);
}

int main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments a = {.workers = (uint64_t)CM_MIN(CM_MAX(cpus, 1L), (long)WORKERS_MAX),
                          .uid = geteuid(),
                          .form = CM_LOG_JSON};

    if (!parse(&a, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (a.help || a.version) {
        (void)fputs(a.help ? usage : "casemate-keyd " CM_CONFIG_VERSION "\n", stdout);
        return 0;
    }
    sockets_of_systemd(&a);
    if (a.sockets == 0) {
        (void)fputs("casemate-keyd: no socket was given (--connection, --listen)\n", stderr);
        return 2;
    }
    return with_log(&a);
}
