/* What takes time or many: the schedule with two who would lead, rotation, budgets, pages, models.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svc/scheduler.h"
#include "svc_kit.h"

#define DAY_MS 86400000u
#define SECOND UINT64_C(1000000000)
#define KEY    "/v1/tenants/~/keys/"

typedef struct {
    t_svc *t;
    cm_lease *lease;
} robbery;

/* While the leader waits for a new key, another finds its lease expired and takes it. */
static cm_err run_robbed(void *self, cm_keyop *op)
{
    robbery *r = self;

    (void)cm_is(cm_lease_keep(r->lease, r->t->store, 10 * SECOND), CM_STORE_LEASED);
    (void)cm_is(cm_lease_keep(r->lease, r->t->store, 60 * SECOND), CM_STORE_LEASED);
    return t_runner(r->t).run(r->t, op);
}

/* V-50, V-51, V-52: one leader; what is due is done once, by whoever leads; the log says so. */
static void test_schedule(void **state)
{
    static const uint8_t a[16] = {1}, b[16] = {2};
    t_svc *t = t_svc_new();
    cm_scheduler one, two;
    cm_scheduler_round_of r, s;
    robbery thief;
    uint64_t before;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "r", "{\"type\":\"AES-256\",\"rotation_days\":1}");
    (void)t_ok(t, &t->admin, "POST", KEY "d", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "p",
               t_f("{\"type\":\"AES-256\",\"activate_at_ms\":%llu}",
                   (unsigned long long)(t->now_ms + 1000)));
    t_fails(t, &t->admin, "POST", KEY "p:encrypt", "{}", CM_KEY_STATE);
    t_fails(t, &t->admin, "POST", KEY "d:scheduleDestruction", "{\"delay_days\":6}", CM_SVC_SHORT);
    (void)t_ok(t, &t->admin, "POST", KEY "d:scheduleDestruction", "{\"delay_days\":7}");
    t_fails(t, &t->admin, "POST", KEY "d:encrypt", "{}", CM_KEY_STATE); /* V-31 */
    cm_scheduler_init(&one, t->svc, t_runner(t), CM_VIEW(a));
    cm_scheduler_init(&two, t->svc, t_runner(t), CM_VIEW(b));
    assert_true(cm_ok(cm_scheduler_round(&one, SECOND, &r)));
    assert_true(r.leader && r.rotated + r.activated + r.destroyed == 0);
    assert_true(cm_ok(cm_scheduler_round(&two, SECOND, &s)));
    assert_false(s.leader);
    t->now_ms += 8 * (uint64_t)DAY_MS;
    before = t_log_size(t);
    assert_true(cm_ok(cm_scheduler_round(&one, 2 * SECOND, &r)));
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.rotated, 1);
    assert_int_equal(r.activated, 1);
    assert_int_equal(r.destroyed, 1);
    assert_true(r.pruned > 0);
    assert_int_equal(t_log_size(t), before + 3);
    assert_true(cm_ok(cm_scheduler_round(&one, 3 * SECOND, &r)));
    assert_int_equal(r.rotated + r.activated + r.destroyed + r.failed, 0);
    assert_int_equal(t_number(t_ok(t, &t->admin, "GET", KEY "r", NULL), "version"), 2);
    assert_string_equal(t_member(t_ok(t, &t->admin, "GET", KEY "d", NULL), "state"), "destroyed");
    (void)t_ok(t, &t->admin, "POST", KEY "p:encrypt", "{}");
    (void)t_ok(t, &t->admin, "DELETE", KEY "d", NULL);
    /* V-51: a leader that slept through a takeover changes nothing: its fence is old. */
    (void)t_ok(t, &t->admin, "POST", KEY "late", "{\"type\":\"AES-256\",\"rotation_days\":1}");
    t->now_ms += 2 * (uint64_t)DAY_MS;
    thief = (robbery){t, &two.lease};
    one.runner = (cm_key_runner){run_robbed, &thief};
    assert_true(cm_ok(cm_scheduler_round(&one, 4 * SECOND, &r)));
    assert_true(r.failed > 0 && r.rotated == 0);
    assert_int_equal(t_number(t_ok(t, &t->admin, "GET", KEY "late", NULL), "version"), 1);
    assert_true(cm_ok(cm_scheduler_round(&two, 61 * SECOND, &s)));
    assert_true(s.leader && s.rotated > 0);
    assert_int_equal(t_number(t_ok(t, &t->admin, "GET", KEY "late", NULL), "version"), 2);
    cm_scheduler_done(&two);
    t_svc_done(t);
}

static void test_rotations(void **state)
{
    t_svc *t = t_svc_new();
    char ct[512];
    const char *json;
    uint64_t total = 0;

    (void)state;
    for (int i = 0; i < 40; i++)
        (void)t_ok(t, &t->admin, "POST", t_f(KEY "k%02d", i), "{\"type\":\"AES-256\"}");
    (void)snprintf(ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k07:encrypt", "{}"), "ciphertext"));
    do {
        json = t_ok(t, &t->admin, "POST", "/v1/tenants/~:rotateKek", NULL);
        total += t_number(json, "rewrapped");
        assert_int_equal(t_number(json, "version"), 2);
    } while (strcmp(t_member(json, "remaining"), "true") == 0);
    assert_int_equal(total, 40);
    (void)t_ok(t, &t->admin, "POST", KEY "k07:decrypt", ct);
    (void)t_ok(t, &t->admin, "POST", "/v1/system:rotateRoot", NULL);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", KEY "k07:decrypt", ct);
    t_svc_done(t);
}

static void begin_rotation(t_svc *t, const char *path)
{
    assert_string_equal(t_member(t_ok(t, &t->admin, "POST", path, NULL), "remaining"), "true");
}

/* V-53: begun by a call, carried to its end by the scheduler of a server that was started since. */
static void test_rotation_is_carried_on(void **state)
{
    static const uint8_t me[16] = {3}, other[16] = {4};
    t_svc *t = t_svc_new();
    cm_scheduler one, two;
    cm_scheduler_round_of r;
    robbery thief;
    char ct[512];
    uint64_t before;

    (void)state;
    for (int i = 0; i < 60; i++)
        (void)t_ok(t, &t->admin, "POST", t_f(KEY "k%02d", i), "{\"type\":\"AES-256\"}");
    (void)snprintf(ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k50:encrypt", "{}"), "ciphertext"));
    begin_rotation(t, "/v1/tenants/~:rotateKek");
    (void)t_ok(t, &t->admin, "POST", KEY "late", "{\"type\":\"AES-256\"}");
    t_svc_restart(t);
    before = t_log_size(t);
    cm_scheduler_init(&one, t->svc, t_runner(t), CM_VIEW(me));
    cm_scheduler_init(&two, t->svc, t_runner(t), CM_VIEW(other));
    one.most = 2;
    assert_true(cm_ok(cm_scheduler_round(&one, SECOND, &r)));
    assert_int_equal(r.rewrapped, 32);
    assert_true(r.more && r.failed == 0);
    assert_int_equal(t_log_size(t), before + 2); /* an entry for each batch */
    thief = (robbery){t, &two.lease};
    one.runner = (cm_key_runner){run_robbed, &thief};
    assert_true(cm_ok(cm_scheduler_round(&one, 4 * SECOND, &r)));
    assert_true(r.failed > 0 && r.rewrapped == 0); /* V-51 */
    assert_int_equal(t_log_size(t), before + 2);
    assert_true(cm_ok(cm_scheduler_round(&two, 61 * SECOND, &r)));
    assert_int_equal(r.rewrapped, 60 - 16 - 32); /* `late` had the newest KEK already */
    assert_true(!r.more && r.failed == 0);
    before = t_log_size(t);
    assert_true(cm_ok(cm_scheduler_round(&two, 62 * SECOND, &r)));
    assert_int_equal(r.rewrapped, 0); /* V-52 */
    assert_int_equal(t_log_size(t), before);
    (void)t_ok(t, &t->admin, "POST", KEY "k50:decrypt", ct);
    (void)t_ok(t, &t->admin, "POST", KEY "late:encrypt", "{}");
    assert_int_equal(
        t_number(t_ok(t, &t->admin, "POST", "/v1/tenants/~:rotateKek", NULL), "version"), 3);
    cm_scheduler_done(&two);
    t_svc_done(t);
}

/* The same for the root: every tenant's KEKs. */
static void test_root_is_carried_on(void **state)
{
    static const uint8_t me[16] = {5};
    t_svc *t = t_svc_new();
    cm_scheduler s;
    cm_scheduler_round_of r;
    char ct[512];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)snprintf(ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k:encrypt", "{}"), "ciphertext"));
    for (int i = 0; i < 20; i++)
        (void)t_ok(t, &t->admin, "POST", "/v1/tenants", t_f("{\"name\":\"t%02d\"}", i));
    begin_rotation(t, "/v1/system:rotateRoot");
    t_svc_restart(t);
    cm_scheduler_init(&s, t->svc, t_runner(t), CM_VIEW(me));
    assert_true(cm_ok(cm_scheduler_round(&s, SECOND, &r)));
    assert_int_equal(r.rewrapped, 22 - 16); /* acme, the system, and 20 */
    assert_false(r.root_due);
    assert_int_equal(r.failed, 0);
    assert_true(cm_ok(cm_scheduler_round(&s, 2 * SECOND, &r)));
    assert_int_equal(r.rewrapped, 0);
    t->now_ms += 366 * (uint64_t)DAY_MS;
    assert_true(cm_ok(cm_scheduler_round(&s, 3 * SECOND, &r)));
    assert_true(r.root_due && r.rewrapped == 0);
    /* V-58: keyd says that it has a newer one than they are wrapped by. */
    s.root_generation = 2;
    assert_true(cm_ok(cm_scheduler_round(&s, 4 * SECOND, &r)));
    assert_int_equal(r.rewrapped, 22);
    assert_int_equal(r.failed, 0);
    (void)t_ok(t, &t->admin, "POST", KEY "k:decrypt", ct);
    cm_scheduler_done(&s);
    t_svc_done(t);
}

/* `rotation.kek`: KEKs that had their time get a new version by themselves. */
static void test_old_keks_rotate(void **state)
{
    static const uint8_t me[16] = {6};
    t_svc *t = t_svc_new();
    cm_scheduler s;
    cm_scheduler_round_of r;
    char ct[512];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)snprintf(ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k:encrypt", "{}"), "ciphertext"));
    cm_scheduler_init(&s, t->svc, t_runner(t), CM_VIEW(me));
    s.kek_ms = 365 * (uint64_t)DAY_MS;
    assert_true(cm_ok(cm_scheduler_round(&s, SECOND, &r)));
    assert_int_equal(r.rewrapped, 0);
    assert_int_equal(t_number(t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL), "kek_version"), 1);
    for (uint64_t year = 1; year <= 3; year++) {
        t->now_ms += 365 * (uint64_t)DAY_MS;
        assert_true(cm_ok(cm_scheduler_round(&s, 2 * year * SECOND, &r)));
        assert_int_equal(r.failed, 0);
        assert_int_equal(r.rewrapped, 1);
        assert_true(cm_ok(cm_scheduler_round(&s, (2 * year + 1) * SECOND, &r)));
        assert_int_equal(r.rewrapped, 0);
        assert_int_equal(t_number(t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL), "kek_version"),
                         1 + year);
    }
    cm_scheduler_done(&s);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", KEY "k:decrypt", ct);
    t_svc_done(t);
}

/* V-60, V-61 */
static void test_pages(void **state)
{
    t_svc *t = t_svc_new();
    t_answer a;
    char token[2048] = "";
    size_t pages = 0, keys = 0;

    (void)state;
    for (int i = 0; i < 25; i++)
        (void)t_ok(t, &t->admin, "POST", t_f(KEY "k%02d?keyspace=s%d", i, i % 3),
                   "{\"type\":\"AES-256\"}");
    do {
        a = t_ask(t, &t->admin, "GET",
                  t_f("/v1/tenants/~/keys?page_size=10%s%s", token[0] ? "&page_token=" : "", token),
                  NULL);
        assert_true(cm_ok(a.result));
        for (const char *p = (const char *)a.json.p; (p = strstr(p, "\"keyspace\"")); p++)
            keys++;
        assert_true(cm_ok(cm_buf_byte(&a.json, 0)));
        (void)snprintf(token, sizeof token, "%s",
                       t_member((const char *)a.json.p, "next_page_token"));
        t_answer_free(&a);
        pages++;
    } while (token[0]);
    assert_int_equal(keys, 25);
    assert_int_equal(pages, 3);
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys?page_token=AAAA", NULL, CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "x", "{\"key\":\"y\",\"type\":\"AES-256\"}",
            CM_SVC_REQUEST); /* V-62 */
    t_svc_done(t);
}

/* ---- many at one budget ---- */

typedef struct {
    t_svc *t;
    const char *body;
    int *granted, *refused;
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    t_who me = r->t->admin;

    for (int i = 0; i < 2; i++) {
        t_answer a = t_ask(r->t, &me, "POST", KEY "b:decrypt", r->body);

        if (cm_ok(a.result))
            __atomic_add_fetch(r->granted, 1, __ATOMIC_RELAXED);
        else if (cm_is(a.result, CM_SVC_BUDGET) && a.retry_after_ms)
            __atomic_add_fetch(r->refused, 1, __ATOMIC_RELAXED);
        t_answer_free(&a);
    }
    return NULL;
}

/* V-41: 128 calls of 64 threads, 50 of them may. */
static void test_budget_race(void **state)
{
    t_svc *t = t_svc_new();
    pthread_t id[64];
    int granted = 0, refused = 0;
    char body[512];
    racer r = {t, body, &granted, &refused};

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "b", "{\"type\":\"AES-256\",\"daily_budget\":50}");
    (void)snprintf(body, sizeof body, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "b:encrypt", "{}"), "ciphertext"));
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(pthread_create(&id[i], NULL, race, &r), 0);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(granted, 50);
    assert_int_equal(refused, 78);
    t_svc_restart(t); /* the budget stays used up */
    t_fails(t, &t->admin, "POST", KEY "b:decrypt", body, CM_SVC_BUDGET);
    t->now_ms += DAY_MS;
    (void)t_ok(t, &t->admin, "POST", KEY "b:decrypt", body);
    t_svc_done(t);
}

/* V-40 */
static void test_rate(void **state)
{
    t_svc *t = t_svc_new();
    t_answer a;
    int granted = 0;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "q", "{\"type\":\"AES-256\",\"rate\":100}");
    for (int i = 0; i < 140; i++) {
        a = t_ask(t, &t->admin, "POST", KEY "q:encrypt", "{}");
        granted += cm_ok(a.result);
        assert_true(cm_ok(a.result) || (cm_is(a.result, CM_SVC_RATE) && a.retry_after_ms));
        t_answer_free(&a);
    }
    assert_true(granted <= 100 && granted >= 80);
    t->now_ms += 1000;
    (void)t_ok(t, &t->admin, "POST", KEY "q:encrypt", "{}");
    t_svc_done(t);
}

/* V-24, V-25, V-35: a model's key is released to whom two others let it. */
static void test_model_release(void **state)
{
    static const char digest[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char path[] = "/v1/tenants/~/models/llama/versions/1:%sWeights";
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob");
    t_who eve = t_principal(t, &t->admin, "acme", "eve");
    t_who ann = t_principal(t, &t->admin, "acme", "ann");
    char body[2048], id[64];
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/models", "{\"model\":\"llama\"}");
    json = t_ok(t, &t->admin, "POST", t_f(path, "encrypt"), t_f("{\"digest\":\"%s\"}", digest));
    t_secret(t, cm_view_str(t_member(json, "content_key")));
    (void)snprintf(body, sizeof body, "{\"digest\":\"%s\",\"wrapped\":\"%s\"", digest,
                   t_member(json, "wrapped"));
    (void)t_ok(t, &t->admin, "POST", t_f(path, "decrypt"), t_f("%s}", body));
    t_fails(t, &bob, "POST", t_f(path, "decrypt"), t_f("%s}", body), CM_SVC_DENIED);
    t_grant(t, &t->admin, "release", "bob", "\"DecryptModelWeights\"",
            ",\"resource_keyspace\":\"llama\",\"conditions\":{\"approvals\":2,\"approvers\":"
            "[\"ann\",\"eve\",\"bob\"]}");
    t_fails(t, &bob, "POST", t_f(path, "decrypt"), t_f("%s}", body), CM_SVC_DENIED);
    json = t_ok(t, &bob, "POST", "/v1/tenants/~/approvals",
                "{\"action\":\"DecryptModelWeights\",\"keyspace\":\"llama\",\"key\":\"1\"}");
    (void)snprintf(id, sizeof id, "%s", t_member(json, "id"));
    t_fails(t, &bob, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL, CM_SVC_DENIED);
    (void)t_ok(t, &ann, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL);
    t_fails(t, &ann, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL, CM_SVC_EXISTS);
    t_fails(t, &bob, "POST", t_f(path, "decrypt"), t_f("%s,\"approval\":\"%s\"}", body, id),
            CM_SVC_DENIED);
    (void)t_ok(t, &eve, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL);
    t_fails(t, &eve, "POST", t_f(path, "decrypt"), t_f("%s,\"approval\":\"%s\"}", body, id),
            CM_SVC_APPROVAL);
    (void)t_ok(t, &bob, "POST", t_f(path, "decrypt"), t_f("%s,\"approval\":\"%s\"}", body, id));
    t_fails(t, &bob, "POST", t_f(path, "decrypt"), t_f("%s,\"approval\":\"%s\"}", body, id),
            CM_SVC_BUDGET);
    /* Another version has another key; model keys serve nothing else. */
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/models/llama/versions/2:decryptWeights",
            t_f("%s}", body), CM_SVC_NO_KEY);
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/1:encrypt?keyspace=llama", "{}",
            CM_SVC_KEYSPACE_KIND);
    t_who_done(&bob);
    t_who_done(&eve);
    t_who_done(&ann);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_rotations),
        cmocka_unit_test(test_rotation_is_carried_on),
        cmocka_unit_test(test_root_is_carried_on),
        cmocka_unit_test(test_old_keks_rotate),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_budget_race),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_model_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
