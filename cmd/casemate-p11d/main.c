/*
 * casemate-p11d: loads one vendor's PKCS#11 module, or speaks with one cloud's key service or with
 * the machine's TPM, and answers requests about its keys. Vendor code runs here and nowhere else:
 * when it crashes, hangs or leaks, this process does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "cloud/cloud.h"
#include "cm_config.h"
#include "codec/text.h"
#include "hsm/msg.h"
#include "hsm/p11.h"
#include "hsm/tpm.h"
#include "run/leakless.h"
#include "run/log.h"
#include "run/sandbox.h"

enum { CONNECTIONS_MAX = 16, PATHS_MAX = 32 };

struct arguments {
    cm_p11_options o;
    const char *cloud, *tpm, *wrapping;
    int connection[CONNECTIONS_MAX];
    unsigned connections;
    const char *pin_file, *pin_credential;
    uint64_t pin_fd, new_pin_fd, sessions;
    const char *read[PATHS_MAX + 4], *write[PATHS_MAX + 2];
    unsigned reads, writes;
    bool network, no_sandbox, help, version;
};

struct p11d {
    const cm_crypt *crypt;
    cm_log *log;
    struct arguments *a;
    cm_p11 *p11;
    cm_cloud *cloud;
    cm_hsm_tpm *tpm;
    cm_hsm device;  /* call NULL: none */
    cm_err refused; /* why there is none */
    pthread_mutex_t making;
    unsigned sandbox;
    uint8_t *pin; /* locked */
};

struct worker {
    struct p11d *d;
    int fd;
    pthread_t thread;
};

static const char usage[] =
    "usage: casemate-p11d --module FILE|--cloud FILE|--tpm PCRS --connection FD [options]\n"
    "Loads a vendor's PKCS#11 module, or speaks with a cloud's key service or the machine's TPM,\n"
    "and answers requests on connected SOCK_SEQPACKET sockets.\n"
    "It is started by casemate-kmsd and by casemate hsm.\n"
    "\n"
    "  --module FILE         the vendor's module\n"
    "  --cloud FILE          the configuration of a key service\n"
    "  --tpm PCRS            pcr=7,11: the TPM, for as long as these registers stay\n"
    "  --connection FD       a connected socket; may be repeated\n"
    "  --module-sha256 HEX   what the module's file has to be\n"
    "  --token LABEL         the token; default: the only one there is\n"
    "  --pin-file FILE       the user's PIN: the first line of FILE\n"
    "  --pin-fd N            read it from descriptor N\n"
    "  --pin-credential NAME read it from a systemd credential\n"
    "  --new-pin-fd N        give the token this PIN, read from descriptor N, in its place\n"
    "  --wrapping KIND       aes, or rsa-not-post-quantum: what kind of key wraps; default: aes\n"
    "  --pin-retry           try the PIN although the token says that few tries are left\n"
    "  --init TEXT           what the module takes as its configuration (NSS)\n"
    "  --sessions N          sessions with the token at most; default: 4\n"
    "  --read PATH           a file or folder that the module reads; may be repeated\n"
    "  --write PATH          a folder that it writes to; may be repeated\n"
    "  --network             the module opens connections after its start\n"
    "  --no-sandbox          run although the kernel lacks seccomp or landlock\n"
    "  --version, --help\n"
    "\n"
    "It leaves when nobody is connected any more.\n";

/* ---- arguments ----------------------------------------------------------------------------- */

static bool number(uint64_t *out, const char *text, uint64_t max)
{
    return cm_ok(cm_dec_u64(out, cm_view_str(text))) && *out <= max;
}

static bool path_argument(const char **list, unsigned *n, const char *value)
{
    if (*n == PATHS_MAX)
        return false;
    list[(*n)++] = value;
    return true;
}

static bool connection(struct arguments *a, const char *value)
{
    uint64_t fd;

    if (a->connections == CONNECTIONS_MAX || !number(&fd, value, 65535))
        return false;
    a->connection[a->connections++] = (int)fd;
    return true;
}

static bool numbered(struct arguments *a, const char *name, const char *value)
{
    if (strcmp(name, "--connection") == 0)
        return connection(a, value);
    if (strcmp(name, "--read") == 0)
        return path_argument(a->read, &a->reads, value);
    if (strcmp(name, "--write") == 0)
        return path_argument(a->write, &a->writes, value);
    if (strcmp(name, "--pin-fd") == 0)
        return number(&a->pin_fd, value, 65535);
    if (strcmp(name, "--new-pin-fd") == 0)
        return number(&a->new_pin_fd, value, 65535);
    if (strcmp(name, "--sessions") == 0)
        return number(&a->sessions, value, CM_P11_SESSIONS) && a->sessions > 0;
    return false;
}

static bool option(struct arguments *a, const char *name, const char *value)
{
    const struct {
        const char *name, **at;
    } texts[] = {{"--module", &a->o.module},   {"--cloud", &a->cloud},
                 {"--tpm", &a->tpm},           {"--token", &a->o.token},
                 {"--init", &a->o.init},       {"--module-sha256", &a->o.sha256},
                 {"--pin-file", &a->pin_file}, {"--pin-credential", &a->pin_credential},
                 {"--wrapping", &a->wrapping}};

    for (size_t i = 0; i < CM_COUNT(texts); i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].at = value;
            return true;
        }
    return numbered(a, name, value);
}

static bool flag(struct arguments *a, const char *name)
{
    const struct {
        const char *name;
        bool *at;
    } flags[] = {{"--pin-retry", &a->o.pin_retry},
                 {"--network", &a->network},
                 {"--no-sandbox", &a->no_sandbox},
                 {"--help", &a->help},
                 {"--version", &a->version}};

    for (size_t i = 0; i < CM_COUNT(flags); i++)
        if (strcmp(name, flags[i].name) == 0)
            return *flags[i].at = true;
    return false;
}

/* H-80: of a module's keys; a service's file says it of its own. */
static bool wrapping(struct arguments *a)
{
    a->o.classical = a->wrapping && strcmp(a->wrapping, "rsa-not-post-quantum") == 0;
    return !a->wrapping || (a->o.module && (a->o.classical || strcmp(a->wrapping, "aes") == 0));
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (flag(a, argv[i]))
            continue;
        if (i + 1 >= argc || !option(a, argv[i], argv[i + 1]))
            return false;
        i++;
    }
    return a->help || a->version ||
           (wrapping(a) && (a->o.module != NULL) + (a->cloud != NULL) + (a->tpm != NULL) == 1 &&
            a->connections);
}

/* ---- the PIN: into locked memory, without a copy elsewhere ---------------------------------- */

static cm_err pin_path(char path[4096], const struct arguments *a)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    int n;

    if (a->pin_file)
        n = snprintf(path, 4096, "%s", a->pin_file);
    else if (!dir)
        return CM_FAIL(HSM_NO_PIN);
    else
        n = snprintf(path, 4096, "%s/%s", dir, a->pin_credential);
    return n > 0 && n < 4096 ? CM_OKAY : CM_FAIL(BAD_ARGUMENT);
}

static cm_err read_pin(struct p11d *d)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct arguments *a = d->a;
    char path[4096];
    size_t n = 0;

    if (a->pin_fd)
        fd = (int)a->pin_fd;
    else if (a->pin_file || a->pin_credential) {
        CM_TRY(pin_path(path, a));
        CM_TRY(cm_os_open_read(&fd, path));
    } else
        return CM_OKAY;
    CM_TRY(cm_secret_new(&d->pin, CM_P11_PIN_MAX + 1));
    CM_TRY(cm_os_read(fd, d->pin, CM_P11_PIN_MAX + 1, &n));
    for (size_t i = 0; i < n; i++)
        if (d->pin[i] == '\n' || d->pin[i] == '\r')
            n = i;
    if (n == 0 || n > CM_P11_PIN_MAX)
        return CM_FAIL(HSM_NO_PIN);
    a->o.pin = cm_view_of(d->pin, n);
    return CM_OKAY;
}

/* H-64: before anybody is served, by what is read from a pipe. */
static cm_err change_pin(struct p11d *d)
{
    CM_AUTO(cm_os_close_fd) int fd = (int)d->a->new_pin_fd;
    uint8_t *pin;
    size_t n = 0;
    cm_err e;

    CM_TRY(cm_secret_new(&pin, CM_P11_PIN_MAX + 1));
    e = cm_os_read(fd, pin, CM_P11_PIN_MAX + 1, &n);
    for (size_t i = 0; i < n; i++)
        if (pin[i] == '\n' || pin[i] == '\r')
            n = i;
    if (cm_ok(e))
        e = d->p11 ? cm_p11_set_pin(d->p11, cm_view_of(pin, n)) : CM_FAIL(HSM_MECHANISM);
    cm_secret_free(pin, CM_P11_PIN_MAX + 1);
    if (cm_ok(e))
        CM_LOG(d->log, INFO, "pin_changed", cm_log_str("module", d->a->o.module));
    return e;
}

/* ---- requests ------------------------------------------------------------------------------ */

/* The way to a TPM can't be opened from inside the sandbox: another process does, when it is asked
 * for again (H-12). */
static _Noreturn void leave(const struct p11d *d)
{
    CM_LOG(d->log, WARNING, "tpm_gone");
    _exit(1);
}

/* TP-32 */
static void say_why(const struct p11d *d)
{
    char why[CM_HSM_TPM_WHY];

    cm_hsm_tpm_why(d->tpm, why);
    if (why[0])
        CM_LOG(d->log, WARNING, "tpm_refused", cm_log_str("why", why));
}

/* H-17: whether there is a key of an id already is asked before it is made. */
static cm_err pass_on(struct p11d *d, const cm_hsm_request *r, cm_hsm_answer *a)
{
    bool makes = r->op == CM_HSM_GENERATE || r->op == CM_HSM_DESTROY;
    cm_err e;

    if (makes)
        pthread_mutex_lock(&d->making);
    e = d->device.call(d->device.self, r, a);
    if (makes)
        pthread_mutex_unlock(&d->making);
    return e;
}

static cm_err perform(struct p11d *d, const cm_hsm_request *r, cm_hsm_answer *a)
{
    cm_err e;

    if (!d->device.call)
        return d->refused;
    e = pass_on(d, r, a);
    a->status.sandbox = d->sandbox;
    if (d->tpm && cm_is(e, CM_HSM_GONE))
        leave(d);
    if (d->tpm && (cm_is(e, CM_TPM_CHANGED) || cm_is(e, CM_HSM_BLOB)))
        say_why(d);
    if (cm_is(e, CM_HSM_WRONG))
        CM_LOG(d->log, ERROR, "quarantined", cm_log_err(e));
    else if (cm_failed(e) && cm_err_class(e) == CM_CLASS_IO)
        CM_LOG(d->log, WARNING, "failed", cm_log_number("op", r->op), cm_log_err(e));
    return e;
}

/* H-11: a message that can't be read costs its connection. */
static cm_err serve_one(struct p11d *d, cm_buf *in, cm_buf *out)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    cm_hsm_request r = {.op = CM_HSM_STATUS};
    uint64_t id;
    cm_err e = cm_hsm_get_request(&r, &id, cm_buf_view(in));

    if (cm_failed(e) && !cm_is(e, CM_HSM_REQUEST))
        return e;
    if (cm_ok(e))
        e = perform(d, &r, &a);
    return cm_hsm_put_answer(out, id, e, r.op, &a);
}

static bool take(int fd, cm_buf *in)
{
    ssize_t n;

    do
        n = recv(fd, in->p, in->cap, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n <= 0 || (size_t)n > in->cap)
        return false;
    in->n = (size_t)n;
    return true;
}

static bool give(int fd, const cm_buf *out)
{
    ssize_t n;

    do
        n = send(fd, out->p, out->n, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)out->n;
}

static void *serve(void *arg)
{
    struct worker *w = arg;
    CM_AUTO(cm_buf_free) cm_buf in = {.max = CM_HSM_PACKET};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_HSM_PACKET};
    bool go =
        cm_ok(cm_buf_reserve(&in, CM_HSM_PACKET)) && cm_ok(cm_buf_reserve(&out, CM_HSM_PACKET));

    while (go && take(w->fd, &in)) {
        cm_err e = serve_one(w->d, &in, &out);

        if (cm_failed(e))
            CM_LOG(w->d->log, WARNING, "bad_message", cm_log_err(e));
        go = cm_ok(e) && give(w->fd, &out);
        cm_wipe(in.p, in.n);
        cm_wipe(out.p, out.n);
        in.n = out.n = 0;
    }
    (void)shutdown(w->fd, SHUT_RDWR);
    return NULL;
}

/* ---- start --------------------------------------------------------------------------------- */

/* Where modules keep things, as Debian has them; which of them talk with a process of this machine
 * again and again. */
static const struct {
    const char *module, *path;
    bool write, local;
} known[] = {
    {"libsofthsm2", "/var/lib/softhsm", true, false},
    {"libopencryptoki", "/var/lib/opencryptoki", true, false},
    {"libopencryptoki", "/var/lock/opencryptoki", true, false},
    {"libopencryptoki", "/var/log/opencryptoki", true, false},
    {"libopencryptoki", "/dev/shm", true, false},
    {"libopencryptoki", "/etc/group", false, false}, /* it gives what it writes to a group */
    {"libopencryptoki", "/etc/nsswitch.conf", false, false},
    {"opensc-pkcs11", "/usr/share/opensc", false, true}, /* pcscd */
    {"opensc-pkcs11", "/etc/opensc", false, true},
};

static void known_paths(struct arguments *a, bool *local)
{
    for (size_t i = 0; i < CM_COUNT(known) && a->o.module; i++) {
        if (!strstr(a->o.module, known[i].module) || !cm_os_exists(known[i].path))
            continue;
        *local |= known[i].local;
        (void)(known[i].write ? path_argument(a->write, &a->writes, known[i].path)
                              : path_argument(a->read, &a->reads, known[i].path));
    }
}

/* What the system needs to find a name's address. */
static void resolver_files(struct arguments *a)
{
    static const char *const files[] = {"/etc/hosts",     "/etc/resolv.conf", "/etc/nsswitch.conf",
                                        "/etc/host.conf", "/etc/gai.conf",    "/etc/services"};

    for (size_t i = 0; i < CM_COUNT(files); i++)
        if (cm_os_exists(files[i]))
            (void)path_argument(a->read, &a->reads, files[i]);
}

/* A TPM in software is connected to for each command; the kernel's device stays open. */
static bool tpm_by_socket(void)
{
    const char *tcti = getenv("CASEMATE_TPM");

    return tcti && tcti[0] && strncmp(tcti, "device", 6) != 0;
}

static cm_err enter_sandbox(struct p11d *d)
{
    struct arguments *a = d->a;
    cm_sandbox_options o = {.profile = CM_SANDBOX_P11D,
                            .read = a->read,
                            .write = a->write,
                            .network = a->network,
                            .best_effort = a->no_sandbox};

    known_paths(a, &o.local);
    if (a->cloud) {
        resolver_files(a);
        o.network = true;
    }
    o.network |= a->tpm && tpm_by_socket();
    a->read[a->reads++] = "/proc/self";
    a->read[a->reads++] = "/dev/urandom";
    a->read[a->reads] = NULL;
    a->write[a->writes] = NULL;
    CM_TRY(cm_sandbox_enter(&o, &d->sandbox));
    return d->sandbox == CM_SANDBOX_ALL ? cm_sandbox_check(CM_SANDBOX_P11D) : CM_OKAY;
}

/* A PIN and its like are a module's; a TPM by its TCTI, as for casemate. */
static cm_err open_device(struct p11d *d)
{
    if (d->a->cloud)
        return cm_cloud_new(&d->cloud, d->crypt, d->a->cloud);
    if (!d->a->tpm)
        return cm_p11_new(&d->p11, d->crypt, &d->a->o);
    (void)setenv("TSS2_LOG", "all+none", 0);
    return cm_hsm_tpm_new(&d->tpm, d->crypt, d->a->tpm, getenv("CASEMATE_TPM"));
}

/* The module is loaded and logged in before the sandbox closes: that is when modules look for their
 * configuration, their daemons and their plugins. A refused PIN is no reason to leave: whoever
 * starts this process again would try it again. */
static cm_err start(struct p11d *d)
{
    cm_hsm_status s;

    d->refused = read_pin(d);
    d->a->o.sessions = (unsigned)d->a->sessions;
    if (cm_ok(d->refused))
        d->refused = open_device(d);
    if (cm_ok(d->refused) && d->a->new_pin_fd)
        d->refused = change_pin(d);
    if (cm_ok(d->refused))
        d->device = d->tpm     ? cm_hsm_tpm_of(d->tpm)
                    : d->cloud ? cm_cloud_of(d->cloud)
                               : cm_p11_of(d->p11);
    if (d->pin)
        cm_secret_free(d->pin, CM_P11_PIN_MAX + 1);
    if (cm_failed(d->refused)) {
        CM_LOG(d->log, ERROR, "no_token",
               cm_log_str("module", d->a->tpm     ? d->a->tpm
                                    : d->a->cloud ? d->a->cloud
                                                  : d->a->o.module),
               cm_log_err(d->refused));
    } else {
        CM_TRY(cm_hsm_status_of(&d->device, &s));
        CM_LOG(d->log, INFO, "token", cm_log_str("provider", s.provider),
               cm_log_str("label", s.label), cm_log_str("serial", s.serial),
               cm_log_str("module", s.module));
    }
    return enter_sandbox(d);
}

static void serve_all(struct p11d *d)
{
    struct worker w[CONNECTIONS_MAX];
    unsigned n = 0;

    for (; n < d->a->connections; n++) {
        w[n] = (struct worker){.d = d, .fd = d->a->connection[n]};
        if (pthread_create(&w[n].thread, NULL, serve, &w[n]) != 0)
            break;
    }
    for (unsigned i = 0; i < n; i++)
        (void)pthread_join(w[i].thread, NULL);
}

static uint64_t now_ms(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int run(struct arguments *a)
{
    CM_AUTO(cm_log_free_ptr) cm_log *log = NULL;
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *crypt = NULL;
    struct p11d d = {.a = a, .making = PTHREAD_MUTEX_INITIALIZER};
    cm_log_options o = {.fd = STDERR_FILENO,
                        .level = CM_LOG_INFO,
                        .form = CM_LOG_JSON,
                        .program = "casemate-p11d",
                        .now_ms = now_ms};
    cm_err e;

    (void)signal(SIGPIPE, SIG_IGN);
    if (cm_failed(cm_log_new(&log, &o)) || cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)))
        return 1;
    d.crypt = crypt;
    d.log = log;
    e = start(&d);
    if (cm_failed(e))
        CM_LOG(log, ERROR, "not_started", cm_log_err(e));
    else {
        CM_LOG(log, INFO, "started", cm_log_str("sandbox", cm_sandbox_text(d.sandbox)));
        serve_all(&d);
    }
    cm_p11_free(d.p11);
    cm_cloud_free(d.cloud);
    cm_hsm_tpm_free(d.tpm);
    return cm_failed(e) ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct arguments a;

    if (!parse(&a, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (a.help || a.version) {
        (void)fputs(a.help ? usage : "casemate-p11d " CM_CONFIG_VERSION "\n", stdout);
        return 0;
    }
    return run(&a);
}
