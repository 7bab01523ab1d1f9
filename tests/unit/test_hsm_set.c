/* Several devices as one: what one loses another does; wrong ones are found out; two real tokens,
 * one of whose processes is killed again and again under load (CASEMATE_KILLS). */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/text.h"
#include "hsm/remote.h"
#include "hsm/set.h"
#include "hsm_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { N = 3, LOAD_THREADS = 4 };

extern char **environ;

static cm_crypt *crypt_;
static const char seed[] = "a seed of thirty-two bytes, fine";
static const uint8_t kek[] = "kek";

/* ---- devices that can be broken ------------------------------------------------------------- */

struct device {
    cm_hsm_soft *soft;
    cm_hsm h;
    cm_err fails; /* instead of doing it */
    bool lies;    /* does it, and changes a bit of what it says */
    const char *serial;
    unsigned calls;
};

struct rig {
    struct device d[N];
    cm_hsm_set *s;
    cm_hsm h;
    uint64_t us, chance;
};

static cm_err device_call(void *self, const cm_hsm_request *r, cm_hsm_answer *a)
{
    struct device *d = self;

    d->calls++;
    CM_TRY(d->fails);
    CM_TRY(d->h.call(d->h.self, r, a));
    if (r->op == CM_HSM_STATUS)
        (void)snprintf(a->status.serial, sizeof a->status.serial, "%s", d->serial);
    else if (d->lies && a->data.n)
        a->data.p[a->data.n - 1] ^= 1;
    return CM_OKAY;
}

static uint64_t rig_us(void *arg)
{
    return ((const struct rig *)arg)->us;
}

static uint64_t rig_chance(void *arg)
{
    return ((struct rig *)arg)->chance++;
}

/* Weight 1 each, so that they take turns: chance counts up. */
static void rig_up(struct rig *g)
{
    static const char *const serials[N] = {"one", "two", "three"};
    cm_hsm_set_options o = {.crypt = crypt_,
                            .fleet = {.mode = CM_FLEET_TURNS},
                            .probe = CM_VIEW(kek),
                            .now_us = rig_us,
                            .random = rig_chance,
                            .arg = g};
    cm_hsm_set_member m[N];
    cm_hsm_key k;

    *g = (struct rig){.us = 1000000};
    for (size_t i = 0; i < N; i++) {
        struct device *d = &g->d[i];

        OK(cm_hsm_soft_new(&d->soft, crypt_));
        d->h = cm_hsm_soft_of(d->soft);
        d->serial = serials[i];
        m[i] = (cm_hsm_set_member){
            .name = serials[i], .weight = 1, .hsm = {.call = device_call, .self = d}};
    }
    OK(cm_hsm_set_new(&g->s, &o, m, N));
    g->h = cm_hsm_set_of(g->s);
    OK(cm_hsm_generate(&g->h, &k, CM_HSM_AES256, CM_VIEW(kek), CM_LIT("k"), false)); /* H-37 */
}

static void rig_down(struct rig *g)
{
    cm_hsm_set_free(g->s);
    for (size_t i = 0; i < N; i++)
        cm_hsm_soft_free(g->d[i].soft);
}

static cm_err rig_wrap(struct rig *g, cm_buf *blob)
{
    return cm_hsm_wrap(&g->h, CM_VIEW(kek), cm_view_str(seed), CM_LIT("a"), blob);
}

static cm_err opens(const cm_hsm *h, cm_view blob)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 64};

    CM_TRY(cm_hsm_unwrap(h, CM_VIEW(kek), blob, CM_LIT("a"), &got));
    assert_true(cm_view_eq(cm_buf_view(&got), cm_view_str(seed)));
    return CM_OKAY;
}

static cm_fleet_state state_of(struct rig *g, size_t i)
{
    cm_fleet f;

    cm_hsm_set_fleet(g->s, &f);
    return f.m[i].state;
}

/* H-36, H-35 */
static void any_one_opens_what_all_wrapped(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    struct rig g;

    (void)state;
    rig_up(&g);
    OK(rig_wrap(&g, &blob));
    for (unsigned alive = 0; alive < N; alive++) {
        for (unsigned i = 0; i < N; i++)
            g.d[i].fails = i == alive ? CM_OKAY : CM_FAIL(HSM_LOST);
        for (unsigned i = 0; i < 2 * N; i++)
            OK(opens(&g.h, cm_buf_view(&blob)));
    }
    for (unsigned i = 0; i < N; i++)
        g.d[i].fails = CM_FAIL(HSM_LOST);
    IS(opens(&g.h, cm_buf_view(&blob)), HSM_LOST);
    rig_down(&g);
}

/* H-35: one that is out of order might have opened it: not "never wrapped by this". */
static void a_loss_is_not_a_refusal(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    struct rig g;

    (void)state;
    rig_up(&g);
    g.d[1].fails = g.d[2].fails = CM_FAIL(HSM_DOWN);
    OK(rig_wrap(&g, &blob)); /* by the first alone */
    g.d[1].fails = g.d[2].fails = CM_OKAY;
    OK(opens(&g.h, cm_buf_view(&blob)));
    g.d[0].fails = CM_FAIL(HSM_TIMEOUT);
    IS(opens(&g.h, cm_buf_view(&blob)), HSM_TIMEOUT);
    rig_down(&g);
}

static void what_one_device_wrapped_opens(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    struct rig g;

    (void)state;
    rig_up(&g);
    OK(cm_hsm_wrap(&g.d[1].h, CM_VIEW(kek), cm_view_str(seed), CM_LIT("a"), &blob));
    for (unsigned i = 0; i < N; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    blob.p[blob.n - 1] ^= 1;
    IS(opens(&g.h, cm_buf_view(&blob)), HSM_BLOB);
    rig_down(&g);
}

/* H-34 */
static void a_liar_is_found_out(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    struct rig g;
    unsigned calls;

    (void)state;
    rig_up(&g);
    OK(rig_wrap(&g, &blob));
    g.d[0].lies = true;
    for (unsigned i = 0; i < N; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    assert_int_equal(state_of(&g, 0), CM_FLEET_QUARANTINED);
    calls = g.d[0].calls;
    for (unsigned i = 0; i < 2 * N; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    g.us += 3600000000u;
    cm_hsm_set_check(g.s);
    assert_int_equal(g.d[0].calls, calls);
    IS(cm_hsm_set_all(g.s), HSM_QUARANTINED);
    rig_down(&g);
}

static void a_wrong_signature_does_not_leave(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};
    struct rig g;
    cm_hsm_key k;

    (void)state;
    rig_up(&g);
    IS(cm_hsm_generate(&g.h, &k, CM_HSM_ED25519, CM_LIT("s"), CM_LIT("s"), false), HSM_MECHANISM);
    OK(cm_hsm_generate(&g.d[1].h, &k, CM_HSM_ED25519, CM_LIT("s"), CM_LIT("s"), false));
    for (unsigned i = 0; i < N; i++) { /* by the one that has it */
        sig.n = 0;
        OK(cm_hsm_sign(&g.h, &k, CM_LIT("message"), &sig));
    }
    g.d[1].lies = true;
    sig.n = 0;
    IS(cm_hsm_sign(&g.h, &k, CM_LIT("message"), &sig), HSM_WRONG);
    assert_int_equal(sig.n, 0);
    assert_int_equal(state_of(&g, 1), CM_FLEET_QUARANTINED);
    rig_down(&g);
}

/* H-34: each signature of a list, by whichever public key there is to check it. */
static void a_wrong_signature_of_a_list_does_not_leave(void **state)
{
    const cm_view msg[] = {CM_LIT("one"), CM_LIT("two")};
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pub = NULL;
    struct rig g;
    cm_hsm_key k;

    (void)state;
    for (unsigned given = 0; given < 2; given++) {
        cm_buf sig[] = {{.max = 256}, {.max = 256}};

        rig_up(&g);
        OK(cm_hsm_generate(&g.d[1].h, &k, CM_HSM_ED25519, CM_LIT("s"), CM_LIT("s"), false));
        if (given)
            OK(cm_sig_from_public(&pub, crypt_, CM_SIG_ED25519, cm_view_of(k.pub, k.pub_n)));
        OK(cm_hsm_sign_many(&g.h, &k, pub, msg, CM_COUNT(msg), sig));
        g.d[1].lies = true;
        sig[0].n = sig[1].n = 0;
        IS(cm_hsm_sign_many(&g.h, &k, pub, msg, CM_COUNT(msg), sig), HSM_WRONG);
        assert_int_equal(sig[0].n + sig[1].n, 0);
        assert_int_equal(state_of(&g, 1), CM_FLEET_QUARANTINED);
        for (size_t i = 0; i < CM_COUNT(sig); i++)
            cm_buf_free(&sig[i]);
        rig_down(&g);
    }
}

/* H-32, H-33: out after three, asked by checks alone, and back a little at a time. */
static void checks_bring_it_back(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    struct rig g;
    unsigned calls;

    (void)state;
    rig_up(&g);
    OK(rig_wrap(&g, &blob));
    g.d[0].fails = CM_FAIL(HSM_LOST);
    while (state_of(&g, 0) == CM_FLEET_SERVES)
        OK(opens(&g.h, cm_buf_view(&blob)));
    calls = g.d[0].calls;
    for (unsigned i = 0; i < 10 * N; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    assert_int_equal(g.d[0].calls, calls);
    g.us += 30000000;
    cm_hsm_set_check(g.s);
    assert_int_equal(g.d[0].calls, calls + 1);
    assert_int_equal(state_of(&g, 0), CM_FLEET_BROKEN);
    g.d[0].fails = CM_OKAY;
    cm_hsm_set_check(g.s); /* not due */
    assert_int_equal(g.d[0].calls, calls + 1);
    g.us += 30000000;
    cm_hsm_set_check(g.s); /* status, wrap, unwrap */
    assert_int_equal(g.d[0].calls, calls + 4);
    assert_int_equal(state_of(&g, 0), CM_FLEET_RAMPS);
    calls = g.d[0].calls;
    for (unsigned i = 0; i < 210; i++) /* 100 of 2100 thousandths */
        OK(opens(&g.h, cm_buf_view(&blob)));
    assert_int_equal(g.d[0].calls - calls, 10);
    rig_down(&g);
}

/* H-7, over restarts of its process too. */
static void another_token_in_its_place_is_refused(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    cm_hsm_bundle b;
    struct rig g;

    (void)state;
    rig_up(&g);
    OK(cm_hsm_set_all(g.s));
    g.d[2].serial = "four";
    IS(cm_hsm_set_all(g.s), HSM_OTHER_TOKEN);
    OK(rig_wrap(&g, &blob));
    OK(cm_hsm_bundle_get(&b, cm_buf_view(&blob)));
    assert_int_equal(b.n, 2);
    rig_down(&g);
}

static void a_check_without_its_key_fails(void **state)
{
    struct rig g;

    (void)state;
    rig_up(&g);
    OK(cm_hsm_destroy(&g.d[1].h, CM_HSM_AES256, CM_VIEW(kek)));
    IS(cm_hsm_set_all(g.s), HSM_NO_KEY);
    for (unsigned i = 0; i < 2; i++)
        IS(cm_hsm_set_all(g.s), HSM_NO_KEY);
    assert_int_equal(state_of(&g, 1), CM_FLEET_BROKEN);
    OK(cm_hsm_destroy(&g.h, CM_HSM_AES256, CM_VIEW(kek)));
    rig_down(&g);
}

/* H-36: every byte counts, and nothing may follow or be missing. */
static void bundles_are_strict(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_HSM_SET_BLOB_MAX};
    cm_hsm_bundle b;
    struct rig g;

    (void)state;
    rig_up(&g);
    IS(cm_hsm_wrap(&g.h, CM_VIEW(kek), CM_LIT("short"), CM_LIT("a"), &blob), HSM_REQUEST);
    OK(rig_wrap(&g, &blob));
    OK(cm_hsm_bundle_get(&b, cm_buf_view(&blob)));
    assert_int_equal(b.n, N);
    OK(cm_hsm_bundle_put(&again, &b));
    assert_true(cm_view_eq(cm_buf_view(&again), cm_buf_view(&blob)));
    for (size_t n = 0; n < blob.n; n++)
        IS(cm_hsm_bundle_get(&b, cm_view_of(blob.p, n)), HSM_BLOB);
    OK(cm_buf_byte(&again, 0));
    IS(cm_hsm_bundle_get(&b, cm_buf_view(&again)), HSM_BLOB);
    blob.p[1] ^= 1; /* another check: no device gives a seed that has it */
    IS(opens(&g.h, cm_buf_view(&blob)), HSM_WRONG);
    rig_down(&g);
}

/* SplitMix64 in place of chance: the same numbers every time. */
static uint64_t mixed(void *arg)
{
    uint64_t z = ((struct rig *)arg)->chance += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Chi-square of what the devices were asked in so many unwraps, against weights. */
static double chi_square(struct rig *g, const cm_hsm *h, cm_view blob, const double weight[N],
                         unsigned rounds)
{
    unsigned before[N];
    double total = 0, sum = 0;

    for (size_t i = 0; i < N; i++) {
        before[i] = g->d[i].calls;
        total += weight[i];
    }
    for (unsigned i = 0; i < rounds; i++)
        OK(opens(h, blob));
    for (size_t i = 0; i < N; i++) {
        double expected = rounds * weight[i] / total;
        double d = (double)(g->d[i].calls - before[i]) - expected;

        if (expected > 0)
            sum += d * d / expected;
        else
            assert_int_equal(g->d[i].calls, before[i]);
    }
    return sum;
}

/* H-30, through calls: and a changed weight counts from the next one on. */
static void requests_follow_the_weights(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    static const uint64_t steps[][2] = {{90, 10}, {50, 50}, {0, 100}};
    cm_hsm_set_options o = {
        .crypt = crypt_, .probe = CM_VIEW(kek), .now_us = rig_us, .random = mixed};
    cm_hsm_set_member m[N];
    cm_hsm_set *s;
    struct rig g;
    cm_hsm h;

    (void)state;
    rig_up(&g);
    OK(rig_wrap(&g, &blob));
    o.arg = &g;
    for (size_t i = 0; i < N; i++)
        m[i] = (cm_hsm_set_member){.name = g.d[i].serial,
                                   .weight = (uint64_t[]){70, 20, 10}[i],
                                   .hsm = {.call = device_call, .self = &g.d[i]}};
    OK(cm_hsm_set_new(&s, &o, m, N));
    h = cm_hsm_set_of(s);
    for (unsigned i = 0; i < N; i++) /* all have said who they are */
        OK(cm_hsm_set_all(s));
    assert_true(chi_square(&g, &h, cm_buf_view(&blob), (double[]){70, 20, 10}, 3000) < 13.82);
    for (size_t i = 0; i < CM_COUNT(steps); i++) { /* H-62; 1 degree of freedom, p = 0.001 */
        OK(cm_hsm_set_weight(s, "one", steps[i][0]));
        OK(cm_hsm_set_weight(s, "two", steps[i][1]));
        OK(cm_hsm_set_weight(s, "three", 0));
        assert_true(chi_square(&g, &h, cm_buf_view(&blob),
                               (double[]){(double)steps[i][0], (double)steps[i][1], 0},
                               2000) < 10.83);
    }
    IS(cm_hsm_set_weight(s, "four", 1), BAD_ARGUMENT);
    cm_hsm_set_free(s);
    rig_down(&g);
}

/* H-60 */
static void the_retired_are_left_alone(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    CM_AUTO(cm_buf_free) cm_buf old = {.max = CM_HSM_SET_BLOB_MAX};
    cm_hsm_bundle b;
    struct rig g;
    unsigned calls;

    (void)state;
    rig_up(&g);
    OK(cm_hsm_wrap(&g.d[0].h, CM_VIEW(kek), cm_view_str(seed), CM_LIT("a"), &old));
    OK(cm_hsm_set_retire(g.s, "one", true));
    IS(cm_hsm_set_retire(g.s, "four", true), BAD_ARGUMENT);
    g.d[0].fails = CM_FAIL(HSM_LOST);
    calls = g.d[0].calls;
    OK(rig_wrap(&g, &blob));
    OK(cm_hsm_bundle_get(&b, cm_buf_view(&blob)));
    assert_int_equal(b.n, 2);
    OK(cm_hsm_set_all(g.s));
    g.us += 3600000000u;
    cm_hsm_set_check(g.s);
    for (unsigned i = 0; i < 2 * N; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    g.d[0].fails = CM_OKAY;
    IS(opens(&g.h, cm_buf_view(&old)), HSM_BLOB);
    assert_int_equal(g.d[0].calls, calls);
    OK(cm_hsm_set_retire(g.s, "one", false));
    assert_int_equal(state_of(&g, 0), CM_FLEET_RAMPS);
    OK(opens(&g.h, cm_buf_view(&old)));
    g.d[0].lies = true; /* quarantine is for good */
    for (unsigned i = 0; i < 40; i++)
        OK(opens(&g.h, cm_buf_view(&blob)));
    OK(cm_hsm_set_retire(g.s, "one", false));
    rig_down(&g);
}

/* H-61: a key for one that has none, and for no other. */
static void a_key_is_made_once(void **state)
{
    struct rig g;
    unsigned calls;

    (void)state;
    rig_up(&g);
    OK(cm_hsm_destroy(&g.d[1].h, CM_HSM_AES256, CM_VIEW(kek)));
    IS(cm_hsm_set_all(g.s), HSM_NO_KEY);
    OK(cm_hsm_set_make_key(g.s, "two"));
    OK(cm_hsm_set_all(g.s));
    calls = g.d[1].calls;
    OK(cm_hsm_set_make_key(g.s, "two"));
    assert_int_equal(g.d[1].calls, calls + 1);
    IS(cm_hsm_set_make_key(g.s, "four"), BAD_ARGUMENT);
    rig_down(&g);
}

/* ---- two tokens, two processes -------------------------------------------------------------- */

struct real {
    char dir[2][T_PATH];
    char env_conf[2][T_PATH + 16];
    char *env[2][2];
    const char *args[2][8];
    cm_p11d p[2];
    atomic_int pid; /* of the first; 0: between two */
    cm_hsm_remote *r[2];
    cm_hsm_set *s;
    cm_hsm h;
};

static cm_err primary_connect(void *arg, int *fd)
{
    struct real *x = arg;
    cm_err e;

    atomic_store(&x->pid, 0);
    e = cm_p11d_connect(&x->p[0], fd);
    atomic_store(&x->pid, (int)x->p[0].pid);
    return e;
}

static bool real_up(struct real *x)
{
    cm_hsm_set_options o = {.crypt = crypt_,
                            .fleet = {.mode = CM_FLEET_WEIGHTED, .check_ms = 50, .ramp_ms = 500},
                            .probe = CM_VIEW(kek)};
    cm_hsm_set_member m[2];

    *x = (struct real){.s = NULL};
    for (size_t i = 0; i < 2; i++) {
        cm_hsm_remote_options ro = {.connect = i ? cm_p11d_connect : primary_connect,
                                    .arg = i ? (void *)&x->p[i] : x,
                                    .fd = -1,
                                    .timeout_ms = 60000};

        t_mkdir(x->dir[i]);
        if (!t_softhsm(x->dir[i]) || !getenv("CASEMATE_P11D"))
            return false;
        (void)snprintf(x->env_conf[i], sizeof x->env_conf[i], "SOFTHSM2_CONF=%s",
                       t_path(x->dir[i], "softhsm2.conf"));
        x->env[i][0] = x->env_conf[i];
        const char *const args[] = {"--module", t_softhsm_module(), "--token", T_TOKEN,
                                    "--write",  x->dir[i],          NULL};

        memcpy(x->args[i], args, sizeof args);
        x->p[i] = (cm_p11d){.program = getenv("CASEMATE_P11D"),
                            .args = x->args[i],
                            .env = x->env[i],
                            .connections = T_RACES ? 1 : 4,
                            .pin = CM_LIT(T_PIN)};
        OK(cm_hsm_remote_new(&x->r[i], &ro));
        m[i] = (cm_hsm_set_member){.name = i ? "backup" : "primary",
                                   .weight = i ? 30 : 70,
                                   .hsm = cm_hsm_remote_of(x->r[i])};
    }
    OK(cm_hsm_set_new(&x->s, &o, m, 2));
    x->h = cm_hsm_set_of(x->s);
    return true;
}

static void real_down(struct real *x)
{
    cm_hsm_set_free(x->s);
    for (size_t i = 0; i < 2; i++) {
        cm_hsm_remote_free(x->r[i]);
        cm_p11d_stop(&x->p[i]);
        if (x->dir[i][0])
            t_rmdir(x->dir[i]);
    }
}

struct load {
    struct real *x;
    cm_view blob;
    atomic_bool stop;
    atomic_ulong done, lost;
};

static void *client(void *arg)
{
    struct load *l = arg;

    while (!atomic_load(&l->stop)) {
        CM_AUTO(cm_buf_free) cm_buf got = {.max = 64};
        cm_err e = cm_hsm_unwrap(&l->x->h, CM_VIEW(kek), l->blob, CM_LIT("a"), &got);

        if (cm_ok(e) && cm_view_eq(cm_buf_view(&got), cm_view_str(seed)))
            atomic_fetch_add(&l->done, 1);
        else
            atomic_fetch_add(&l->lost, 1);
    }
    return NULL;
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Until the condition, or for two minutes. */
#define UNTIL(condition)                                        \
    do {                                                        \
        for (unsigned i_ = 0; i_ < 12000 && !(condition); i_++) \
            pause_ms(10);                                       \
        assert_true(condition);                                 \
    } while (0)

static uint64_t failures(struct real *x)
{
    cm_fleet f;

    cm_hsm_set_fleet(x->s, &f);
    return f.m[0].failures;
}

static bool is_back(struct real *x)
{
    cm_fleet f;

    cm_hsm_set_fleet(x->s, &f);
    return f.m[0].state == CM_FLEET_SERVES && f.m[0].failed == 0;
}

/* Each process once, and one that has served. */
static int next_victim(struct real *x, int last)
{
    int pid = 0;

    UNTIL(is_back(x) && (pid = atomic_load(&x->pid)) > 0 && pid != last);
    return pid;
}

static int kill_primary(struct load *l, int last)
{
    int pid = next_victim(l->x, last);
    unsigned long done = atomic_load(&l->done);
    uint64_t before = failures(l->x);

    assert_int_equal(kill(pid, SIGKILL), 0);
    UNTIL(failures(l->x) > before);
    UNTIL(atomic_load(&l->done) > done + 20);
    return pid;
}

/* H-35, H-12: no request is lost, however often the primary's process is killed. */
static void killed_under_load_nothing_is_lost(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = CM_HSM_SET_BLOB_MAX};
    const char *kills = getenv("CASEMATE_KILLS");
    struct load l = {.lost = 0};
    pthread_t id[LOAD_THREADS];
    uint64_t n = 3;
    struct real x;
    cm_hsm_key k;
    int last = 0;

    (void)state;
    if (!real_up(&x)) {
        real_down(&x);
        skip();
    }
    if (kills)
        OK(cm_dec_u64(&n, cm_view_str(kills)));
    OK(cm_hsm_generate(&x.h, &k, CM_HSM_AES256, CM_VIEW(kek), CM_LIT("k"), false));
    OK(cm_hsm_wrap(&x.h, CM_VIEW(kek), cm_view_str(seed), CM_LIT("a"), &blob));
    OK(cm_hsm_set_watch(x.s));
    l.x = &x;
    l.blob = cm_buf_view(&blob);
    for (size_t i = 0; i < LOAD_THREADS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, client, &l), 0);
    for (uint64_t i = 0; i < n; i++)
        last = kill_primary(&l, last);
    UNTIL(is_back(&x));
    atomic_store(&l.stop, true);
    for (size_t i = 0; i < LOAD_THREADS; i++)
        pthread_join(id[i], NULL);
    print_message("%lu kills, %lu unwraps, %lu lost\n", (unsigned long)n, atomic_load(&l.done),
                  atomic_load(&l.lost));
    assert_int_equal(atomic_load(&l.lost), 0);
    real_down(&x);
}

static int set_up(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int tear_down(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_one_opens_what_all_wrapped),
        cmocka_unit_test(a_loss_is_not_a_refusal),
        cmocka_unit_test(what_one_device_wrapped_opens),
        cmocka_unit_test(a_liar_is_found_out),
        cmocka_unit_test(a_wrong_signature_does_not_leave),
        cmocka_unit_test(a_wrong_signature_of_a_list_does_not_leave),
        cmocka_unit_test(checks_bring_it_back),
        cmocka_unit_test(another_token_in_its_place_is_refused),
        cmocka_unit_test(a_check_without_its_key_fails),
        cmocka_unit_test(bundles_are_strict),
        cmocka_unit_test(requests_follow_the_weights),
        cmocka_unit_test(the_retired_are_left_alone),
        cmocka_unit_test(a_key_is_made_once),
        cmocka_unit_test(killed_under_load_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
