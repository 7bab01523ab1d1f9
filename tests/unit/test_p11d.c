/* casemate-p11d as a process, in its sandbox: the same suite through it; crashes, hangs, nonsense;
 * PINs that are refused; two hundred kills (CASEMATE_KILLS). */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/text.h"
#include "hsm/conform.h"
#include "hsm/msg.h"
#include "hsm/remote.h"
#include "hsm_kit.h"
#include "run/sandbox.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

extern char **environ;

static cm_crypt *crypt_;
static char dir[T_PATH];
static bool have_token;
static const char seed[] = "a seed of thirty-two bytes, fine";
static const uint8_t kek[] = "kek";

struct up {
    const char *args[16];
    cm_p11d p;
    cm_hsm_remote *r;
    cm_hsm h;
};

static int set_up(void **state)
{
    (void)state;
    t_mkdir(dir);
    have_token = t_softhsm(dir) && getenv("CASEMATE_P11D") != NULL;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int tear_down(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    t_rmdir(dir);
    return 0;
}

static void start(struct up *u, const char *module, int timeout_ms)
{
    cm_hsm_remote_options o = {
        .connect = cm_p11d_connect, .arg = &u->p, .fd = -1, .timeout_ms = timeout_ms};
    const char *const args[] = {"--module", module,   "--token", T_TOKEN, "--write",
                                dir,        "--read", dir,       NULL};

    memcpy(u->args, args, sizeof args);
    u->p = (cm_p11d){
        .program = getenv("CASEMATE_P11D"), .args = u->args, .env = environ, .pin = CM_LIT(T_PIN)};
    OK(cm_hsm_remote_new(&u->r, &o));
    u->h = cm_hsm_remote_of(u->r);
}

static void stop(struct up *u)
{
    cm_hsm_remote_free(u->r);
    cm_p11d_stop(&u->p);
}

static void need(const void *module)
{
    if (!have_token || !module)
        skip();
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static cm_err unwrap(struct up *u, cm_view blob)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 64};

    CM_TRY(cm_hsm_unwrap(&u->h, CM_VIEW(kek), blob, CM_LIT("a"), &got));
    assert_true(cm_view_eq(cm_buf_view(&got), cm_view_str(seed)));
    return CM_OKAY;
}

/* Until the pause after a failure is over. */
static cm_err soon(struct up *u, cm_view blob)
{
    cm_err e = unwrap(u, blob);

    for (unsigned i = 0; i < 12000 && cm_is(e, CM_HSM_DOWN); i++) {
        pause_ms(10);
        e = unwrap(u, blob);
    }
    return e;
}

static void make(struct up *u, cm_buf *blob)
{
    cm_hsm_key k;

    (void)cm_failed(cm_hsm_destroy(&u->h, CM_HSM_AES256, CM_VIEW(kek)));
    OK(cm_hsm_generate(&u->h, &k, CM_HSM_AES256, CM_VIEW(kek), CM_LIT("k"), false));
    OK(cm_hsm_wrap(&u->h, CM_VIEW(kek), cm_view_str(seed), CM_LIT("a"), blob));
}

/* ---- all goes well -------------------------------------------------------------------------- */

static void conforms_from_its_sandbox(void **state)
{
    struct up u;
    cm_hsm_status s;
    cm_conform c;

    (void)state;
    need(t_softhsm_module());
    start(&u, t_softhsm_module(), 60000);
    cm_conform_run(&c, crypt_, &u.h, false);
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++)
        if (c.result[t] == CM_CONFORM_FAIL)
            print_message("%s: %s\n", cm_conform_name((cm_conform_test)t), cm_err_name(c.why[t]));
    assert_int_equal(c.failed, 0);
    OK(cm_hsm_status_of(&u.h, &s));
    print_message("sandbox: %s\n", cm_sandbox_text((unsigned)s.sandbox));
    assert_string_equal(s.module, t_softhsm_module());
    stop(&u);
}

/* H-73: P-256 signs a digest as the message's, one or several; nothing else does. */
static void digests_too(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    cm_buf sig[2] = {{.max = 256}, {.max = 256}};
    uint8_t digest[32];
    cm_view msg[2] = {CM_VIEW(digest), CM_VIEW(digest)};
    cm_hsm_key key;
    struct up u;

    (void)state;
    need(t_softhsm_module());
    start(&u, t_softhsm_module(), 60000);
    OK(cm_hash_once(crypt_, CM_SHA256, digest, CM_LIT("message")));
    OK(cm_hsm_generate(&u.h, &key, CM_HSM_P256, CM_LIT("d"), CM_LIT("d"), false));
    OK(cm_sig_from_public(&k, crypt_, CM_SIG_P256, cm_view_of(key.pub, key.pub_n)));
    for (size_t n = 1; n <= 2; n++) {
        OK(cm_hsm_sign_digests(&u.h, &key, k, msg, n, sig));
        for (size_t i = 0; i < n; i++) {
            OK(cm_verify_raw(k, CM_LIT("message"), cm_buf_view(&sig[i])));
            cm_buf_free(&sig[i]);
        }
    }
    msg[1].n = 31;
    IS(cm_hsm_sign_digests(&u.h, &key, k, msg, 2, sig), HSM_REQUEST);
    key.alg = CM_HSM_ED25519;
    IS(cm_hsm_sign_digests(&u.h, &key, NULL, msg, 1, sig), HSM_REQUEST);
    OK(cm_hsm_destroy(&u.h, CM_HSM_P256, CM_LIT("d")));
    stop(&u);
}

/* ---- several at once: H-16, H-17 ------------------------------------------------------------- */

enum { LANES = 4 };

struct lane {
    const struct up *u;
    const cm_hsm_key *key; /* NULL: one is made */
    cm_err e;
    pthread_t thread;
};

static void *go(void *arg)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};
    struct lane *l = arg;
    cm_hsm_key made;

    l->e = l->key ? cm_hsm_sign(&l->u->h, l->key, CM_LIT("message"), &sig)
                  : cm_hsm_generate(&l->u->h, &made, CM_HSM_AES256, CM_LIT("first"),
                                    CM_LIT("first"), true);
    return NULL;
}

/* How many of LANES end with e. */
static unsigned at_once(const struct up *u, const cm_hsm_key *key, cm_err e)
{
    struct lane l[LANES];
    unsigned n = 0;

    for (unsigned i = 0; i < LANES; i++) {
        l[i] = (struct lane){.u = u, .key = key};
        assert_int_equal(pthread_create(&l[i].thread, NULL, go, &l[i]), 0);
    }
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(l[i].thread, NULL), 0);
        n += l[i].e.v == e.v;
    }
    return n;
}

static void start_lanes(struct up *u, cm_hsm_key *k)
{
    const char *module = t_shim(dir);

    need(T_RACES ? NULL : module);
    start(u, module, 60000);
    u->p.connections = LANES;
    OK(cm_hsm_generate(&u->h, k, CM_HSM_P256, CM_LIT("lanes"), CM_LIT("l"), true));
}

/* The token goes on only when all are in it. */
static void requests_meet_in_the_token(void **state)
{
    cm_hsm_key k;
    struct up u;

    (void)state;
    start_lanes(&u, &k);
    assert_int_equal(cm_hsm_remote_at_once(u.r), LANES);
    t_shim_fault(dir, "C_Sign meet 0 4");
    assert_int_equal(at_once(&u, &k, CM_OKAY), LANES);
    t_shim_fault(dir, "");
    stop(&u);
}

static void a_crash_costs_all_that_is_under_way(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
    cm_hsm_key k;
    struct up u;
    pid_t first;

    (void)state;
    start_lanes(&u, &k);
    make(&u, &blob);
    first = u.p.pid;
    t_shim_fault(dir, "C_Sign fall 0 4");
    assert_int_equal(at_once(&u, &k, CM_FAIL(HSM_LOST)), LANES);
    t_shim_fault(dir, "");
    OK(soon(&u, cm_buf_view(&blob)));
    assert_int_not_equal(u.p.pid, first);
    assert_int_equal(cm_hsm_remote_at_once(u.r), LANES);
    stop(&u);
}

static void what_cannot_lock_is_asked_one_by_one(void **state)
{
    cm_hsm_key k;
    struct up u;

    (void)state;
    need(T_RACES ? NULL : t_shim(dir));
    (void)setenv("CASEMATE_SHIM_PERSONA", "Zymbit,unlocked", 1);
    start_lanes(&u, &k);
    assert_int_equal(cm_hsm_remote_at_once(u.r), 1);
    assert_int_equal(at_once(&u, &k, CM_OKAY), LANES);
    stop(&u);
    (void)unsetenv("CASEMATE_SHIM_PERSONA");
}

/* One is late, so that all others would have looked before it is there. */
static void one_id_is_one_key(void **state)
{
    cm_hsm_key k;
    struct up u;

    (void)state;
    start_lanes(&u, &k);
    t_shim_fault(dir, "C_GenerateKey delay 0 1");
    assert_int_equal(at_once(&u, NULL, CM_FAIL(HSM_KEYS)), LANES - 1);
    t_shim_fault(dir, "");
    OK(cm_hsm_find(&u.h, &k, CM_HSM_AES256, CM_LIT("first"), CM_LIT("")));
    stop(&u);
}

/* ---- it does not: H-12 ---------------------------------------------------------------------- */

static void a_crash_costs_one_request(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
    const char *module = t_shim(dir);
    struct up u;
    pid_t first;

    (void)state;
    need(module);
    start(&u, module, 60000);
    make(&u, &blob);
    first = u.p.pid;
    t_shim_fault(dir, "C_Decrypt crash 0 1");
    IS(unwrap(&u, cm_buf_view(&blob)), HSM_LOST);
    t_shim_fault(dir, "");
    OK(soon(&u, cm_buf_view(&blob)));
    assert_int_not_equal(u.p.pid, first);
    stop(&u);
}

static void a_hang_costs_one_request(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
    const char *module = t_shim(dir);
    struct up u, quick;

    (void)state;
    need(module);
    start(&u, module, 60000);
    make(&u, &blob);
    stop(&u);
    start(&quick, module, 2000);
    t_shim_fault(dir, "C_Decrypt hang 0 1");
    IS(unwrap(&quick, cm_buf_view(&blob)), HSM_TIMEOUT);
    t_shim_fault(dir, "");
    stop(&quick);
    start(&u, module, 60000);
    OK(soon(&u, cm_buf_view(&blob)));
    stop(&u);
}

/* H-6: not even a process that was started anew is asked again. */
static void quarantine_outlives_the_process(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};
    const char *module = t_shim(dir);
    static const uint8_t id[] = "signer";
    cm_hsm_status s;
    cm_hsm_key k;
    struct up u;

    (void)state;
    need(module);
    start(&u, module, 60000);
    OK(cm_hsm_generate(&u.h, &k, CM_HSM_P256, CM_VIEW(id), CM_LIT("s"), true));
    t_shim_fault(dir, "C_Sign wrong 0 9");
    IS(cm_hsm_sign(&u.h, &k, CM_LIT("message"), &sig), HSM_WRONG);
    t_shim_fault(dir, "");
    assert_int_equal(kill(u.p.pid, SIGKILL), 0);
    IS(cm_hsm_sign(&u.h, &k, CM_LIT("message"), &sig), HSM_QUARANTINED);
    (void)cm_failed(cm_hsm_status_of(&u.h, &s));
    IS(cm_hsm_sign(&u.h, &k, CM_LIT("message"), &sig), HSM_QUARANTINED);
    stop(&u);
}

static void killed_again_and_again(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
    const char *kills = getenv("CASEMATE_KILLS");
    uint64_t n = 3;
    struct up u;

    (void)state;
    need(t_softhsm_module());
    if (kills)
        OK(cm_dec_u64(&n, cm_view_str(kills)));
    start(&u, t_softhsm_module(), 60000);
    make(&u, &blob);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(kill(u.p.pid, SIGKILL), 0);
        IS(unwrap(&u, cm_buf_view(&blob)), HSM_LOST);
        OK(soon(&u, cm_buf_view(&blob)));
    }
    stop(&u);
}

/* H-10: the process stays, so that nobody starts another which would try the PIN again. */
static void a_refused_pin_stays_refused(void **state)
{
    char own[T_PATH];
    cm_hsm_status s;
    struct up u;
    pid_t first;

    (void)state;
    need(t_softhsm_module());
    t_mkdir(own);
    assert_true(t_softhsm(own));
    start(&u, t_softhsm_module(), 60000);
    u.p.pin = CM_LIT("000000");
    IS(cm_hsm_status_of(&u.h, &s), HSM_PIN_WRONG);
    first = u.p.pid;
    IS(cm_hsm_status_of(&u.h, &s), HSM_PIN_WRONG);
    assert_int_equal(u.p.pid, first);
    stop(&u);
    start(&u, t_softhsm_module(), 60000);
    IS(cm_hsm_status_of(&u.h, &s), HSM_PIN_LOW);
    stop(&u);
    t_rmdir(own);
    (void)setenv("SOFTHSM2_CONF", t_path(dir, "softhsm2.conf"), 1);
}

/* ---- bytes: H-11 ---------------------------------------------------------------------------- */

static void nonsense_costs_the_connection(void **state)
{
    static const char junk[] = "nonsense that is no request";
    uint8_t byte;
    struct up u;
    int fd;

    (void)state;
    need(t_softhsm_module());
    start(&u, t_softhsm_module(), 60000);
    OK(cm_p11d_connect(&u.p, &fd));
    assert_int_equal(send(fd, junk, sizeof junk, MSG_NOSIGNAL), sizeof junk);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    stop(&u);
}

/* A peer of ours that answers with what is no answer to the request. */
static void a_strange_answer_is_refused(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf packet = {.max = CM_HSM_PACKET};
    const cm_hsm_answer empty = {.data = {.max = 0}};
    cm_hsm_remote_options o = {.timeout_ms = 60000};
    cm_hsm_remote *r;
    uint8_t out[16];
    int pair[2];
    cm_hsm h;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        o.fd = pair[0];
        OK(cm_hsm_remote_new(&r, &o));
        h = cm_hsm_remote_of(r);
        packet.n = 0;
        if (i == 0) /* of another request */
            OK(cm_hsm_put_answer(&packet, 7, CM_FAIL(HSM_DEVICE), CM_HSM_RANDOM, &empty));
        else if (i == 1) /* of another kind */
            OK(cm_hsm_put_answer(&packet, 1, CM_OKAY, CM_HSM_DESTROY, &empty));
        else /* too short */
            OK(cm_buf_be32(&packet, 1));
        assert_int_equal(send(pair[1], packet.p, packet.n, MSG_NOSIGNAL), packet.n);
        IS(cm_hsm_random(&h, out, sizeof out), HSM_MESSAGE);
        IS(cm_hsm_random(&h, out, sizeof out), HSM_DOWN);
        cm_hsm_remote_free(r);
        close(pair[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conforms_from_its_sandbox),
        cmocka_unit_test(digests_too),
        cmocka_unit_test(requests_meet_in_the_token),
        cmocka_unit_test(a_crash_costs_all_that_is_under_way),
        cmocka_unit_test(what_cannot_lock_is_asked_one_by_one),
        cmocka_unit_test(one_id_is_one_key),
        cmocka_unit_test(a_crash_costs_one_request),
        cmocka_unit_test(a_hang_costs_one_request),
        cmocka_unit_test(quarantine_outlives_the_process),
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(a_refused_pin_stays_refused),
        cmocka_unit_test(nonsense_costs_the_connection),
        cmocka_unit_test(a_strange_answer_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
