/* failover P11D MODULE PIN-FILE FIRST SECOND [both|alone]: two PKCS#11 tokens "bench" as one
 * provider, each in a folder with softhsm2.conf, under 100 clients that unwrap a seed every 20 ms.
 * The first's process is killed and stays away, then comes back and takes its share again, several
 * times; as controls, nobody is killed, or the second is the only one from the start. Clients keep
 * to their own times, and leave out those that they missed: a hiccup must not bring them into step
 * for good. What fell due while a client waited for an answer counts as a call that took until
 * then, so that a device that hangs is seen in all of that time. A line of JSON for each quarter of
 * a second: when, how many were answered and by whom, how long they took, how many were lost; at
 * the end, p99 of whole health periods: of those without a kill, and of those after each. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/os.h"
#include "hsm/remote.h"
#include "hsm/set.h"

enum {
    CLIENTS = 100,
    EVERY_NS = 20000000,
    PERIOD_MS = 1000,
    RAMP_MS = 1000,
    SLICE_MS = 250,
    PERIOD = PERIOD_MS / SLICE_MS, /* slices */
    KILLS = 5,
    AWAY_PERIODS = 4,
    LEAD_PERIODS = 2, /* both serve, before a kill */
    BOTH_PERIODS = 6, /* of a control */
    ALONE_PERIODS = 9,
    SLICES = 100 * PERIOD, /* at most */
    KEPT = 8192,           /* latencies of a slice */
    SEED = 32,
    SESSIONS = 4, /* of p11d, by default */
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

/* Of calls that were due in it. */
struct slice {
    atomic_uint n, answered, lost; /* n: with those that were left out */
    atomic_uint us[KEPT];
    uint64_t calls[2];
    const char *state; /* of the first device, at its end */
};

struct run {
    struct device d[2];
    atomic_uint started;
    cm_hsm_set *set;
    cm_hsm h;
    cm_buf blob;
    uint64_t start;
    bool alone;
    unsigned control; /* periods without a kill; 0: kills */
    atomic_bool stop;
    struct slice slice[SLICES + 1];                /* the last: what comes too late */
    unsigned slices, steady, kills, killed[KILLS]; /* so far; of both serving; where */
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
    d->p = (cm_p11d){.program = argv[1], .args = d->args, .env = d->env, .connections = SESSIONS};
    fine(cm_hsm_remote_new(&d->r, &o), "connection");
}

static struct slice *at(struct run *x, uint64_t ns)
{
    uint64_t i = (ns - x->start) / (1000000ull * SLICE_MS);

    return &x->slice[CM_MIN(i, (uint64_t)SLICES)];
}

static void took(struct slice *s, uint64_t ns)
{
    unsigned i = atomic_fetch_add(&s->n, 1);

    if (i < KEPT)
        atomic_store(&s->us[i], (unsigned)(ns / 1000));
}

/* Gives when the next is due. */
static uint64_t unwrap(struct run *x, uint64_t due)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = SEED};
    uint64_t from = cm_os_monotonic_ns(), end;
    cm_err e = cm_hsm_unwrap(&x->h, key_id, cm_buf_view(&x->blob), aad, &got);
    struct slice *s = at(x, from);
    bool good = cm_ok(e) && got.n == SEED && got.p[0] == 7;

    end = cm_os_monotonic_ns();
    atomic_fetch_add(good ? &s->answered : &s->lost, 1);
    took(s, end - from);
    for (due += EVERY_NS; due <= end; due += EVERY_NS)
        if (due > from)
            took(at(x, due), end - due);
    return due;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
                               .tv_nsec = (long)(ns % 1000000000u)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void *client(void *arg)
{
    struct run *x = arg;
    uint64_t due =
        x->start + EVERY_NS + atomic_fetch_add(&x->started, 1) * (EVERY_NS / (uint64_t)CLIENTS);

    while (!atomic_load(&x->stop)) {
        sleep_until(due);
        due = unwrap(x, due);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

/* Over all calls of a period that begins with this slice. */
static unsigned p99(const struct run *x, unsigned from)
{
    static unsigned us[PERIOD * KEPT];
    size_t n = 0;

    for (unsigned i = from; i < from + PERIOD; i++)
        for (unsigned k = 0; k < CM_MIN(atomic_load(&x->slice[i].n), (unsigned)KEPT); k++)
            us[n++] = atomic_load(&x->slice[i].us[k]);
    qsort(us, n, sizeof us[0], by_size);
    return n ? us[n * 99 / 100] : 0;
}

static void p99_list(const struct run *x, unsigned from, unsigned periods)
{
    for (unsigned i = 0; i < periods; i++)
        (void)printf("%s%u", i ? "," : "", p99(x, from + i * PERIOD));
}

/* The first period of a run is the threads' start. */
static void plan(const struct run *x)
{
    (void)printf("{\"period_ms\":%d,\"ramp_ms\":%d,\"normal_us\":[", PERIOD_MS, RAMP_MS);
    if (x->control)
        p99_list(x, PERIOD, x->control - 1);
    for (unsigned i = 0; i < x->kills; i++) {
        (void)printf(i ? "," : "");
        p99_list(x, x->killed[i] - LEAD_PERIODS * PERIOD, LEAD_PERIODS);
    }
    (void)printf("],\"kills\":[");
    for (unsigned i = 0; i < x->kills; i++) {
        (void)printf("%s{\"ms\":%u,\"back_ms\":%u,\"after_us\":[", i ? "," : "",
                     x->killed[i] * SLICE_MS, (x->killed[i] + AWAY_PERIODS * PERIOD) * SLICE_MS);
        p99_list(x, x->killed[i], AWAY_PERIODS);
        (void)printf("]}");
    }
    (void)printf("]}\n");
}

static void report(const struct run *x, unsigned i)
{
    static unsigned us[KEPT];
    const struct slice *s = &x->slice[i];
    unsigned n = CM_MIN(atomic_load(&s->n), (unsigned)KEPT);

    for (unsigned k = 0; k < n; k++)
        us[k] = atomic_load(&s->us[k]);
    qsort(us, n, sizeof us[0], by_size);
    (void)printf("{\"ms\":%u,\"answered\":%u,\"lost\":%u,\"p50_us\":%u,\"p99_us\":%u,"
                 "\"first\":%lu,\"second\":%lu,\"state\":\"%s\"}\n",
                 i * SLICE_MS, atomic_load(&s->answered), atomic_load(&s->lost), n ? us[n / 2] : 0,
                 n ? us[n * 99 / 100] : 0, (unsigned long)s->calls[0], (unsigned long)s->calls[1],
                 s->state);
}

/* What happens at the start of a slice. False: all did. */
static bool act(struct run *x, unsigned i)
{
    unsigned gone = x->kills ? i - x->killed[x->kills - 1] : SLICES;

    if (x->control)
        return i < x->control * PERIOD;
    if (gone == AWAY_PERIODS * PERIOD)
        atomic_store(&x->d[0].away, false);
    if (x->kills == KILLS)
        return x->steady < PERIOD;
    if (x->steady >= LEAD_PERIODS * PERIOD && i >= (1 + LEAD_PERIODS) * PERIOD) {
        x->killed[x->kills++] = i;
        x->steady = 0;
        atomic_store(&x->d[0].away, true);
        (void)kill(x->d[0].p.pid, SIGKILL);
    }
    return true;
}

static void observe(struct run *x, unsigned i, uint64_t before[2])
{
    struct slice *s = &x->slice[i];
    cm_fleet f;

    cm_hsm_set_fleet(x->set, &f);
    for (size_t k = 0; k < f.n; k++) {
        uint64_t good = f.m[k].calls - f.m[k].failures;

        s->calls[x->alone ? 1 : k] = good - before[k];
        before[k] = good;
    }
    if (f.m[0].state == CM_FLEET_SERVES && !atomic_load(&x->d[0].away))
        x->steady++;
    else
        x->steady = 0;
    s->state = cm_fleet_state_name(f.m[0].state);
}

static void watch(struct run *x)
{
    uint64_t before[2] = {0};

    for (; act(x, x->slices); x->slices++) {
        if (x->slices == SLICES)
            fine(CM_FAIL(HSM_DOWN), "the first device did not come back");
        sleep_until(x->start + 1000000ull * SLICE_MS * (x->slices + 1));
        observe(x, x->slices, before);
    }
}

static void run(struct run *x)
{
    pthread_t id[CLIENTS];

    x->start = cm_os_monotonic_ns();
    for (size_t i = 0; i < CLIENTS; i++)
        if (pthread_create(&id[i], NULL, client, x) != 0)
            fine(CM_FAIL(NO_THREAD), "clients");
    watch(x);
    atomic_store(&x->stop, true);
    for (size_t i = 0; i < CLIENTS; i++)
        (void)pthread_join(id[i], NULL);
    for (unsigned i = 0; i < x->slices; i++)
        report(x, i);
    plan(x);
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

    if (argc != 6 &&
        (argc != 7 || (strcmp(argv[6], "both") != 0 && strcmp(argv[6], "alone") != 0))) {
        (void)fputs("usage: failover P11D MODULE PIN-FILE FIRST SECOND [both|alone]\n", stderr);
        return 2;
    }
    x.alone = argc == 7 && strcmp(argv[6], "alone") == 0;
    if (argc == 7)
        x.control = x.alone ? ALONE_PERIODS : BOTH_PERIODS;
    fine(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT), "crypt");
    o.crypt = crypt;
    for (size_t i = 0; i < 2; i++) {
        device(&x.d[i], argv, argv[4 + i]);
        m[i] = (cm_hsm_set_member){
            .name = i ? "second" : "first", .weight = 100, .hsm = cm_hsm_remote_of(x.d[i].r)};
    }
    fine(cm_hsm_set_new(&x.set, &o, x.alone ? &m[1] : m, x.alone ? 1 : 2), "set");
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
