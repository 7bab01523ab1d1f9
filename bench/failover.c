/* failover P11D MODULE PIN-FILE FIRST SECOND [control]: two PKCS#11 tokens "bench" as one provider,
 * each in a folder with softhsm2.conf, under 100 clients that unwrap a seed every 20 ms; the
 * first's process is killed and stays away, then comes back; as a control, nobody is killed. A line
 * of JSON for each quarter of a second: when, how many were answered and by whom, how long they
 * took, how many were lost; at the end, p99 of each whole health period, and of all calls from each
 * period after the kill on until the device may come back. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "hsm/remote.h"
#include "hsm/set.h"

enum {
    CLIENTS = 100,
    EVERY_US = 20000,
    PERIOD_MS = 1000,
    RAMP_MS = 5000,
    SLICE_MS = 250,
    KILL_AT = 12, /* slices */
    BACK_AT = 36,
    SLICES = 80,
    CONTROL_SLICES = 40,
    PERIOD = PERIOD_MS / SLICE_MS,
    KEPT = 8192, /* latencies of a slice */
    SEED = 32,
    PATH_LEN = 4096
};

struct device {
    char conf[PATH_LEN + 32];
    char *env[2];
    const char *args[12];
    cm_p11d p;
    cm_hsm_remote *r;
    atomic_bool away;
};

struct slice {
    atomic_uint n, lost;
    atomic_uint us[KEPT];
};

struct run {
    struct device d[2];
    atomic_uint started;
    cm_hsm_set *set;
    cm_hsm h;
    cm_buf blob;
    uint64_t start;
    bool control;
    unsigned slices;
    atomic_bool stop;
    struct slice slice[SLICES];
};

static const cm_view key_id = {(const uint8_t *)"bench-failover", 14};
static const cm_view aad = {(const uint8_t *)"bench", 5};

static void fine(cm_err e, const char *what)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "failover: %s: %s\n", what, cm_err_name(e));
    exit(1);
}

static cm_err connect_one(void *arg, int *fd)
{
    struct device *d = arg;

    return atomic_load(&d->away) ? CM_FAIL(HSM_SPAWN) : cm_p11d_connect(&d->p, fd);
}

static void device(struct device *d, char **argv, char *folder)
{
    cm_hsm_remote_options o = {.connect = connect_one, .arg = d, .fd = -1};
    const char *const args[] = {"--module", argv[2], "--token", "bench",      "--pin-file", argv[3],
                                "--write",  folder,  "--read",  d->conf + 14, NULL};

    (void)snprintf(d->conf, sizeof d->conf, "SOFTHSM2_CONF=%s/softhsm2.conf", folder);
    memcpy(d->args, args, sizeof args);
    d->env[0] = d->conf;
    d->p = (cm_p11d){.program = argv[1], .args = d->args, .env = d->env};
    fine(cm_hsm_remote_new(&d->r, &o), "connection");
}

static struct slice *now(struct run *x)
{
    uint64_t i = (cm_os_monotonic_ns() - x->start) / (1000000ull * SLICE_MS);

    return i < x->slices ? &x->slice[i] : NULL;
}

/* A call counts where it ends. */
static void unwrap(struct run *x)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = SEED};
    uint64_t from = cm_os_monotonic_ns();
    cm_err e = cm_hsm_unwrap(&x->h, key_id, cm_buf_view(&x->blob), aad, &got);
    struct slice *s = now(x);
    unsigned i;

    if (!s)
        return;
    if (cm_failed(e) || got.n != SEED || got.p[0] != 7) {
        atomic_fetch_add(&s->lost, 1);
        return;
    }
    i = atomic_fetch_add(&s->n, 1);
    if (i < KEPT)
        atomic_store(&s->us[i], (unsigned)((cm_os_monotonic_ns() - from) / 1000));
}

static void *client(void *arg)
{
    struct run *x = arg;

    /* Spread over the time between two calls: clients are not in step. */
    (void)usleep(atomic_fetch_add(&x->started, 1) * (EVERY_US / CLIENTS));
    while (!atomic_load(&x->stop)) {
        uint64_t due = cm_os_monotonic_ns() + 1000ull * EVERY_US, t;

        unwrap(x);
        t = cm_os_monotonic_ns();
        if (t < due)
            (void)usleep((useconds_t)((due - t) / 1000));
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

/* Over all calls of these slices. */
static unsigned p99(const struct run *x, unsigned from, unsigned to)
{
    static unsigned us[SLICES * KEPT];
    size_t n = 0;

    for (unsigned i = from; i < to; i++)
        for (unsigned k = 0; k < CM_MIN(atomic_load(&x->slice[i].n), (unsigned)KEPT); k++)
            us[n++] = atomic_load(&x->slice[i].us[k]);
    qsort(us, n, sizeof us[0], by_size);
    return n ? us[n * 99 / 100] : 0;
}

static void p99_list(const struct run *x, const char *name, unsigned from, unsigned to, bool rest)
{
    (void)printf("\"%s\":[", name);
    for (unsigned i = from; i < to; i += PERIOD)
        (void)printf("%s%u", i == from ? "" : ",", p99(x, i, rest ? to : i + PERIOD));
    (void)printf("],");
}

static void report(const struct run *x, unsigned i, const uint64_t calls[2], const char *state)
{
    static unsigned us[KEPT];
    const struct slice *s = &x->slice[i];
    unsigned n = CM_MIN(atomic_load(&s->n), (unsigned)KEPT);

    for (unsigned k = 0; k < n; k++)
        us[k] = atomic_load(&s->us[k]);
    qsort(us, n, sizeof us[0], by_size);
    (void)printf("{\"ms\":%u,\"answered\":%u,\"lost\":%u,\"p50_us\":%u,\"p99_us\":%u,"
                 "\"first\":%lu,\"second\":%lu,\"state\":\"%s\"}\n",
                 i * SLICE_MS, atomic_load(&s->n), atomic_load(&s->lost), n ? us[n / 2] : 0,
                 n ? us[n * 99 / 100] : 0, (unsigned long)calls[0], (unsigned long)calls[1], state);
}

static void watch(struct run *x)
{
    uint64_t before[2] = {0};
    cm_fleet f;

    for (unsigned i = 0; i < x->slices; i++) {
        uint64_t end = x->start + 1000000ull * SLICE_MS * (i + 1), t = cm_os_monotonic_ns();
        uint64_t calls[2];

        if (i == KILL_AT && !x->control) {
            atomic_store(&x->d[0].away, true);
            (void)kill(x->d[0].p.pid, SIGKILL);
        }
        if (i == BACK_AT)
            atomic_store(&x->d[0].away, false);
        if (t < end)
            (void)usleep((useconds_t)((end - t) / 1000));
        cm_hsm_set_fleet(x->set, &f);
        for (size_t k = 0; k < 2; k++) {
            uint64_t good = f.m[k].calls - f.m[k].failures;

            calls[k] = good - before[k];
            before[k] = good;
        }
        report(x, i, calls, cm_fleet_state_name(f.m[0].state));
    }
}

static void run(struct run *x)
{
    cm_fleet f;
    pthread_t id[CLIENTS];

    x->start = cm_os_monotonic_ns();
    for (size_t i = 0; i < CLIENTS; i++)
        if (pthread_create(&id[i], NULL, client, x) != 0)
            fine(CM_FAIL(NO_THREAD), "clients");
    watch(x);
    atomic_store(&x->stop, true);
    for (size_t i = 0; i < CLIENTS; i++)
        (void)pthread_join(id[i], NULL);
    cm_hsm_set_fleet(x->set, &f);
    (void)printf("{");
    p99_list(x, "periods_us", 0, x->slices, false);
    p99_list(x, "rest_us", KILL_AT, BACK_AT, true);
    (void)printf("\"period_ms\":%d,\"ramp_ms\":%d,\"kill_ms\":%d,\"back_ms\":%d}\n", PERIOD_MS,
                 RAMP_MS, KILL_AT * SLICE_MS, BACK_AT * SLICE_MS);
}

static void make_seed(struct run *x)
{
    uint8_t seed[SEED] = {7};
    cm_hsm_key k;

    x->blob.max = CM_HSM_SET_BLOB_MAX;
    fine(cm_hsm_generate(&x->h, &k, CM_HSM_AES256, key_id, key_id, false), "key");
    fine(cm_hsm_wrap(&x->h, key_id, CM_VIEW(seed), aad, &x->blob), "wrap");
}

int main(int argc, char **argv)
{
    static struct run x;
    cm_crypt *crypt = NULL;
    cm_hsm_set_member m[2];
    cm_hsm_set_options o = {
        .fleet = {.mode = CM_FLEET_WEIGHTED, .check_ms = PERIOD_MS, .ramp_ms = RAMP_MS},
        .probe = key_id};

    if (argc != 6 && !(argc == 7 && strcmp(argv[6], "control") == 0)) {
        (void)fputs("usage: failover P11D MODULE PIN-FILE FIRST SECOND [control]\n", stderr);
        return 2;
    }
    x.control = argc == 7;
    x.slices = x.control ? CONTROL_SLICES : SLICES;
    fine(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT), "crypt");
    o.crypt = crypt;
    for (size_t i = 0; i < 2; i++) {
        device(&x.d[i], argv, argv[4 + i]);
        m[i] = (cm_hsm_set_member){
            .name = i ? "second" : "first", .weight = 100, .hsm = cm_hsm_remote_of(x.d[i].r)};
    }
    fine(cm_hsm_set_new(&x.set, &o, m, 2), "set");
    x.h = cm_hsm_set_of(x.set);
    make_seed(&x);
    fine(cm_hsm_set_watch(x.set), "watch");
    run(&x);
    cm_hsm_set_free(x.set);
    for (size_t i = 0; i < 2; i++) {
        cm_hsm_remote_free(x.d[i].r);
        cm_p11d_stop(&x.d[i].p);
    }
    cm_buf_free(&x.blob);
    cm_crypt_free(crypt);
    return 0;
}
