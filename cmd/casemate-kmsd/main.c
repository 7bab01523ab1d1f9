/* casemate-kmsd(8). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"
#include "base/pool.h"
#include "cm_config.h"
#include "codec/text.h"
#include "init.h"
#include "run/leakless.h"
#include "run/notify.h"
#include "run/sandbox.h"

struct arguments {
    const char *config;
    bool check, init, rewrap, accept_rollback, help, version;
    struct init first;
};

static const char usage[] =
    "usage: casemate-kmsd --config FILE [--check | --init ... | --rewrap ...]\n"
    "The key management server: see docs/config.md, and `casemate serve` for one on defaults.\n"
    "\n"
    "  --config FILE       what to serve, and where (YAML)\n"
    "  --check             read the configuration and its certificates, and leave\n"
    "  --init              make the root key, the first tenant and its administrator, and leave:\n"
    "                      with 3 when that has been done before\n"
    "    --tenant NAME       the tenant: default\n"
    "    --admin NAME        the administrator: admin\n"
    "    --admin-key FILE    their ML-DSA public key (PEM)\n"
    "    --admin-cert FILE   their client certificate (PEM), if they have one\n"
    "    --shares M/N        recovery shares: any M of N open the root key\n"
    "    --shares-file FILE  where the shares go instead of standard output\n"
    "  --rewrap            keep the root of a stopped server under what unseal.method and hsm say\n"
    "                      now, instead of what it was under, and leave\n"
    "    --shares-file FILE  open it with these shares, when the way it was under is lost\n"
    "  --accept-rollback   go on with a store that is older than the one last seen: once, when "
    "the\n"
    "                      newer one is lost for good\n"
    "  --version, --help\n"
    "\n"
    "SIGTERM: finish what is under way, then leave. SIGHUP: take over the configuration's marked\n"
    "keys and all certificates.\n";

/* "3/5" */
static bool shares(struct init *o, const char *text)
{
    const char *slash = strchr(text, '/');
    uint64_t need, n;

    if (!slash || cm_failed(cm_dec_u64(&need, cm_view_of(text, (size_t)(slash - text)))) ||
        cm_failed(cm_dec_u64(&n, cm_view_str(slash + 1))) || need == 0 || need > n ||
        n > CM_SHARE_MAX)
        return false;
    o->need = (uint8_t)need;
    o->shares = (uint8_t)n;
    return true;
}

static bool value(struct arguments *a, const char *name, const char *v)
{
    struct {
        const char *name, **to;
    } texts[] = {{"--config", &a->config},
                 {"--tenant", &a->first.tenant},
                 {"--admin", &a->first.admin},
                 {"--admin-key", &a->first.admin_key},
                 {"--admin-cert", &a->first.admin_cert},
                 {"--shares-file", &a->first.shares_file}};

    if (strcmp(name, "--shares") == 0)
        return shares(&a->first, v);
    for (size_t i = 0; i < CM_COUNT(texts); i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = v;
            return true;
        }
    return false;
}

static bool flag(struct arguments *a, const char *name)
{
    struct {
        const char *name;
        bool *to;
    } flags[] = {{"--check", &a->check},   {"--init", &a->init},
                 {"--rewrap", &a->rewrap}, {"--accept-rollback", &a->accept_rollback},
                 {"--help", &a->help},     {"--version", &a->version}};

    for (size_t i = 0; i < CM_COUNT(flags); i++)
        if (strcmp(name, flags[i].name) == 0)
            return *flags[i].to = true;
    return false;
}

static bool parse(struct arguments *a, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (flag(a, argv[i]))
            continue;
        if (i + 1 >= argc || !value(a, argv[i], argv[i + 1]))
            return false;
        i++;
    }
    if (a->init && !a->first.admin_key)
        return false;
    return a->config || a->help || a->version;
}

/* ---- signals ------------------------------------------------------------------------------- */

static void drain(kmsd *d)
{
    CM_LOG(d->log, INFO, "draining", cm_log_number("deadline_ms", d->v->limits.drain_time));
    cm_notify(d->notify_socket, "STOPPING=1");
    atomic_store(&d->draining, true);
    for (unsigned i = 1; i < d->reactors; i++)
        cm_kmsd_reactor_order(&d->reactor[i], ORDER_DRAIN);
}

static void got_signal(void *arg, int signo)
{
    kmsd *d = arg;

    if (signo == SIGHUP) {
        cm_kmsd_reload(d);
        return;
    }
    d->signals++;
    if (d->signals == 1)
        drain(d);
    else if (d->signals == 2)
        for (unsigned i = 0; i < d->reactors; i++)
            cm_kmsd_reactor_order(&d->reactor[i], ORDER_STOP);
    else
        _exit(128 + signo);
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* ---- starting ------------------------------------------------------------------------------ */

static void raise_file_limit(const kmsd *d)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    (void)!setrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < d->v->limits.connections + 256)
        CM_LOG(d->log, WARNING, "few_descriptors", cm_log_number("limit", r.rlim_cur),
               cm_log_str("fix", "raise LimitNOFILE= or lower limits.connections"));
}

static cm_err start_log(kmsd *d)
{
    cm_log_options o = {.fd = STDERR_FILENO,
                        .level = (cm_log_level)d->v->log.level,
                        .form = (cm_log_form)d->v->log.format,
                        .program = "casemate-kmsd",
                        .now_ms = cm_kmsd_now_ms};

    return cm_log_new(&d->log, &o);
}

static cm_err random_bytes(void *arg, void *p, size_t n)
{
    return cm_random(arg, p, n);
}

static cm_err start_trace(kmsd *d)
{
    cm_trace_options o = {.endpoint = d->v->trace.endpoint,
                          .service = "casemate-kmsd",
                          .node = d->v->node,
                          .depth = (unsigned)d->v->trace.queue,
                          .one_in = (unsigned)d->v->trace.one_in,
                          .random = random_bytes,
                          .arg = d->crypt};

    return o.endpoint ? cm_trace_new(&d->trace, &o) : CM_OKAY;
}

static cm_err start_gate(kmsd *d)
{
    const cm_gate_limits l = {.connections = (unsigned)d->v->limits.address_connections,
                              .rate = (unsigned)d->v->limits.address_rate,
                              .burst = (unsigned)d->v->limits.address_burst,
                              .addresses = (unsigned)d->v->limits.addresses};
    uint8_t seed[16];

    CM_TRY(cm_random(d->crypt, seed, sizeof seed));
    return cm_gate_new(&d->gate, &l, seed);
}

enum { PATHS = CM_CONFIG_LISTENERS * (2 * CM_CONFIG_CERTIFICATES + 1) + 32, OWN = 8, NAME = 512 };

struct paths {
    const char *read[PATHS + 1], *write[2];
    size_t n, own_n;
    char own[OWN][NAME]; /* names that nobody else keeps */
};

static void readable(void *arg, const char *path)
{
    struct paths *p = arg;

    if (path && p->n < PATHS && cm_os_exists(path))
        p->read[p->n++] = path;
}

static void readable_copy(void *arg, const char *path)
{
    struct paths *p = arg;

    if (p->own_n == OWN || strlen(path) >= NAME)
        return;
    snprintf(p->own[p->own_n], NAME, "%s", path);
    readable(p, p->own[p->own_n++]);
}

/* A connection to the database is made anew when it breaks: by name, with the files that libpq
 * looks for. */
static void database_paths(const kmsd *d, struct paths *p)
{
    static const char *const system[] = {"/etc/hosts",     "/etc/resolv.conf", "/etc/nsswitch.conf",
                                         "/etc/host.conf", "/etc/gai.conf",    "/etc/passwd",
                                         "/etc/services"};
    static const char *const own[] = {".pgpass", ".postgresql"};
    const char *home = getenv("HOME");

    if (!d->v->store.postgres)
        return;
    for (size_t i = 0; i < CM_COUNT(system); i++)
        readable(p, system[i]);
    for (size_t i = 0; home && home[0] == '/' && i < CM_COUNT(own); i++) {
        char path[NAME];
        int n = snprintf(path, sizeof path, "%s/%s", home, own[i]);

        if (n > 0 && (size_t)n < sizeof path)
            readable_copy(p, path);
    }
    cm_store_files(d->store, readable_copy, p);
}

/* Files that stay reachable: certificates and the configuration for a reload, the database. */
static void collect_paths(const kmsd *d, struct paths *p)
{
    const cm_config_values *v = d->v;

    readable(p, d->config_path);
    readable(p, v->attest.collateral);
    for (size_t i = 0; i < v->listeners_n; i++) {
        for (size_t j = 0; j < v->listeners[i].certificates_n; j++) {
            readable(p, v->listeners[i].certificates[j].certificate);
            readable(p, v->listeners[i].certificates[j].key);
        }
        readable(p, v->listeners[i].client_ca);
    }
    if (v->unseal.method == CM_CONFIG_UNSEAL_FILE)
        readable(p, v->unseal.file);
    readable(p, "/proc/self");
    database_paths(d, p);
    p->write[0] = v->data;
}

static cm_err enter_sandbox(kmsd *d)
{
    struct paths p = {.n = 0};
    cm_sandbox_options o = {.profile = CM_SANDBOX_KMSD,
                            .read = p.read,
                            .write = p.write,
                            .best_effort = !d->v->sandbox,
                            .off = !d->v->sandbox};
    cm_err e;

    collect_paths(d, &p);
    e = cm_sandbox_enter(&o, &d->sandbox);
    CM_LOG(d->log, INFO, "sandbox", cm_log_str("in_force", cm_sandbox_text(d->sandbox)));
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "sandbox_failed", cm_log_err(e));
    return e;
}

static cm_err start_reactors(kmsd *d)
{
    uint64_t n = d->v->reactors ? d->v->reactors : cm_cpu_count();

    d->reactors = (unsigned)CM_MIN(n, (uint64_t)KMSD_REACTORS - 1) + 1;
    for (unsigned i = 0; i < d->reactors; i++)
        CM_TRY(cm_kmsd_reactor_init(d, i));
    d->reactor[0].thread = pthread_self();
    for (unsigned i = 0; i < d->reactors; i++)
        CM_TRY(cm_kmsd_reactor_listen(&d->reactor[i]));
    return CM_OKAY;
}

static cm_err prepare(kmsd *d)
{
    raise_file_limit(d);
    CM_TRY(cm_crypt_new(&d->crypt, CM_PROFILE_DEFAULT));
    CM_TRY(cm_kmsd_collateral_load(d));
    CM_TRY(cm_kmsd_metrics_new(d));
    CM_TRY(cm_kmsd_grpc_table(d));
    CM_TRY(start_gate(d));
    CM_TRY(cm_kmsd_tls_load(d, d->v, false));
    CM_TRY(cm_kmsd_store_open(d, false));
    CM_TRY(start_reactors(d));
    CM_TRY(cm_kmsd_spawner_start(d));
    CM_TRY(enter_sandbox(d));
    return start_trace(d);
}

static cm_err serve(kmsd *d, const sigset_t *signals)
{
    CM_TRY(cm_loop_signals(d->reactor[0].loop, signals, got_signal, d));
    cm_kmsd_keyd_begin(d);
    cm_kmsd_collateral_watch(d);
    for (unsigned i = 1; i < d->reactors; i++)
        CM_TRY(cm_kmsd_reactor_start(&d->reactor[i]));
    CM_TRY(cm_loop_run(d->reactor[0].loop));
    return d->fatal;
}

static void stop(kmsd *d)
{
    for (unsigned i = 1; i < d->reactors; i++)
        if (d->reactor[i].thread) {
            cm_kmsd_reactor_order(&d->reactor[i], ORDER_STOP);
            (void)pthread_join(d->reactor[i].thread, NULL);
        }
    /* Calls that were cut off end here: the committer finishes what it was given. */
    cm_kmsd_service_close(d);
    for (unsigned i = 0; i < d->reactors; i++)
        cm_kmsd_reactor_done(&d->reactor[i]);
    cm_kmsd_spawner_stop(d);
    for (size_t i = 0; i < CM_CONFIG_LISTENERS; i++)
        cm_tls_free(d->tls[i]);
    cm_gate_free_ptr(&d->gate);
    cm_trace_free_ptr(&d->trace);
    cm_metrics_free_ptr(&d->metrics);
    cm_free(d->table);
    cm_free(d->op_names);
    cm_free(d->grpc_methods);
    cm_buf_free(&d->boot);
    cm_kmsd_keyd_done(d);
    CM_LOG(d->log, INFO, "stopped", cm_log_number("signals", d->signals));
    cm_svc_verifier_done(&d->verifier);
    cm_attest_cache_free(d->chains);
    cm_crypt_free(d->crypt);
    cm_log_free_ptr(&d->log);
    cm_config_free_ptr(&d->config);
}

static cm_err run(kmsd *d, const struct arguments *a)
{
    sigset_t signals;
    cm_err e;

    block_signals(&signals);
    d->config_path = a->config;
    d->accept_rollback = a->accept_rollback;
    d->notify_socket = getenv("NOTIFY_SOCKET");
    d->spawner = -1;
    atomic_store(&d->signer_fd, -1);
    atomic_store(&d->chores_fd, -1);
    CM_TRY(cm_kmsd_config_load(&d->config, a->config));
    d->v = cm_config_of(d->config);
    CM_TRY(start_log(d));
    if (a->check) {
        CM_TRY(cm_crypt_new(&d->crypt, CM_PROFILE_DEFAULT));
        return cm_kmsd_tls_load(d, d->v, false);
    }
    if (a->init) {
        CM_TRY(cm_crypt_new(&d->crypt, CM_PROFILE_DEFAULT));
        return cm_kmsd_init(d, &a->first);
    }
    if (a->rewrap) {
        CM_TRY(cm_crypt_new(&d->crypt, CM_PROFILE_DEFAULT));
        return cm_kmsd_rewrap(d, &a->first);
    }
    CM_LOG(d->log, INFO, "starting", cm_log_str("version", CM_CONFIG_VERSION));
    e = prepare(d);
    return cm_ok(e) ? serve(d, &signals) : e;
}

int main(int argc, char **argv)
{
    static kmsd d;
    struct arguments a = {.first = {.tenant = "default", .admin = "admin"}};
    cm_err e;

    if (!parse(&a, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (a.help || a.version) {
        (void)fputs(a.help ? usage : "casemate-kmsd " CM_CONFIG_VERSION "\n", stdout);
        return 0;
    }
    e = run(&d, &a);
    if (cm_failed(e))
        (void)fprintf(stderr, "casemate-kmsd: %s: %s%s%s\n", cm_err_name(e), cm_err_what(e),
                      cm_err_fix(e)[0] ? "; " : "", cm_err_fix(e));
    stop(&d);
    return cm_ok(e) ? 0 : cm_is(e, CM_KMSD_ROOT_EXISTS) ? 3 : 1;
}
