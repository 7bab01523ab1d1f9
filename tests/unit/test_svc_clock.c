/* A wall clock that goes ahead and back under the service: what serves once serves once, what has
 * an end ends, what was put off comes when it should, and the log's times never fall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/log.h"
#include "svc/nonce_int.h"
#include "svc/scheduler.h"
#include "svc_kit.h"

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define SECOND  UINT64_C(1000000000)
#define KEY     "/v1/tenants/~/keys/"

static size_t round_of(t_svc *t, cm_scheduler *s, uint64_t mono_s)
{
    cm_scheduler_round_of r;

    assert_true(cm_ok(cm_scheduler_round(s, mono_s * SECOND, &r)));
    assert_true(r.leader && r.failed == 0);
    (void)t;
    return r.pruned;
}

/* V-7, V-55: ahead, where its nonce is forgotten, and back, where its time would be good again. */
static void test_replay(void **state)
{
    static const uint8_t me[16] = {1};
    static const char path[] = KEY "k:encrypt";
    t_svc *t = t_svc_new();
    t_who again = t->admin, late = t->admin;
    uint64_t then = t->now_ms;
    cm_scheduler s;

    (void)state;
    cm_scheduler_init(&s, t->svc, t_runner(t), CM_VIEW(me));
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    again.nonce = "0123456789abcdef0123";
    again.created = then / 1000;
    (void)t_ok(t, &again, "POST", path, "{}");
    t_fails(t, &again, "POST", path, "{}", CM_SVC_REPLAY);
    t->now_ms = then + 3 * HOUR_MS;
    t_fails(t, &again, "POST", path, "{}", CM_SIGN_WINDOW);
    assert_true(round_of(t, &s, 1) >= 2);
    late.nonce = "89abcdef0123456789ab";
    late.created = t->now_ms / 1000;
    (void)t_ok(t, &late, "POST", path, "{}"); /* by a clock that is as wrong */
    t->now_ms += HOUR_MS;
    assert_true(round_of(t, &s, 2) >= 1);
    t->now_ms = then + 1000;
    t_fails(t, &again, "POST", path, "{}", CM_SVC_FORGOTTEN);
    t_svc_restart(t);
    t_fails(t, &again, "POST", path, "{}", CM_SVC_FORGOTTEN);
    (void)t_ok(t, &t->admin, "POST", path, "{}"); /* nobody else is barred */
    t->now_ms = then + 2 * HOUR_MS;
    (void)t_ok(t, &t->admin, "POST", path, "{}");
    /* When the time that was too early has come, what was signed for it is no good either. */
    t->now_ms = then + 3 * HOUR_MS + 1000;
    t_fails(t, &late, "POST", path, "{}", CM_SVC_FORGOTTEN);
    (void)t_ok(t, &t->admin, "POST", path, "{}");
    /* Back alone: yesterday's requests. */
    t->now_ms = then - DAY_MS;
    (void)t_ok(t, &t->admin, "POST", path, "{}");
    t_svc_done(t);
}

/* A nonce that is not removed is used up, whatever the time. */
static void test_kept(void **state)
{
    t_svc *t = t_svc_new();
    t_who again = t->admin;
    uint64_t then = t->now_ms;

    (void)state;
    again.nonce = "0123456789abcdef0123";
    again.created = then / 1000;
    (void)t_ok(t, &again, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then + 30 * DAY_MS;
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then;
    t_fails(t, &again, "GET", "/v1/tenants/~", NULL, CM_SVC_REPLAY);
    t_svc_done(t);
}

/* V-55: every second that was added is in there, whatever was added after it. */
static void test_ranges(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SVC_SPENT_MAX + 16};
    uint64_t added[400], x = 88172645463325252u;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(added); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        added[i] = i < 20 ? x % 5000 : i % 3 ? 1000000 + x % 200000 : x % 4000000000u;
        assert_true(cm_ok(cm_svc_spent_add(&b, added[i])));
        assert_true(b.n <= CM_SVC_SPENT_MAX && b.n % 16 == 0);
        for (size_t k = 0; k <= i; k++)
            assert_true(cm_svc_spent_has(cm_buf_view(&b), added[k]));
        for (size_t at = 16; at < b.n; at += 16)
            assert_true(cm_get_be64(b.p + at) > cm_get_be64(b.p + at - 8) + CM_SVC_SPENT_NEAR);
    }
    b.n = 0;
    assert_true(cm_ok(cm_svc_spent_add(&b, 1000)));
    assert_true(cm_ok(cm_svc_spent_add(&b, 5000)));
    assert_true(cm_svc_spent_has(cm_buf_view(&b), 1000));
    assert_false(cm_svc_spent_has(cm_buf_view(&b), 999));
    assert_false(cm_svc_spent_has(cm_buf_view(&b), 3000));
    assert_false(cm_svc_spent_has(cm_buf_view(&b), 5001));
    b.n = 15;
    assert_true(cm_is(cm_svc_spent_add(&b, 1), CM_SVC_RECORD));
}

/* budgets and rates that the wrong time began do not last until it comes. */
static void test_budgets(void **state)
{
    t_svc *t = t_svc_new();
    uint64_t then = t->now_ms;
    char body[512];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "b",
               "{\"type\":\"AES-256\",\"daily_budget\":3,\"rate\":100}");
    (void)snprintf(body, sizeof body, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "b:encrypt", "{}"), "ciphertext"));
    (void)t_ok(t, &t->admin, "POST", KEY "b:decrypt", body);
    t->now_ms = then + 40 * DAY_MS;
    (void)t_ok(t, &t->admin, "POST", KEY "b:decrypt", body);
    t->now_ms = then;
    for (int i = 0; i < 2; i++)
        (void)t_ok(t, &t->admin, "POST", KEY "b:decrypt", body);
    t_fails(t, &t->admin, "POST", KEY "b:decrypt", body, CM_SVC_BUDGET);
    t->now_ms = then + DAY_MS;
    (void)t_ok(t, &t->admin, "POST", KEY "b:decrypt", body);
    for (uint64_t i = 1; i <= 12; i++) {
        t->now_ms = then + DAY_MS + i * 1000;
        (void)t_ok(t, &t->admin, "POST", KEY "b:encrypt", "{}");
    }
    t_svc_done(t);
}

/* V-56 */
static void test_session(void **state)
{
    static const uint8_t exporter[32] = {9};
    t_svc *t = t_svc_new();
    t_who me = t->admin;
    uint64_t then = t->now_ms;
    uint8_t id[CM_SESSION_ID];

    (void)state;
    me.exporter = CM_VIEW(exporter);
    (void)snprintf(me.session, sizeof me.session, "%s",
                   t_member(t_ok(t, &me, "POST", "/v1/tenants/~/sessions", NULL), "session"));
    assert_true(cm_session_id_of(id, cm_view_str(me.session)));
    assert_true(
        cm_ok(cm_session_key(&me.session_key, t->crypt, me.exporter, id, cm_view_str(me.keyid))));
    (void)t_ok(t, &me, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then - 200000;
    (void)t_ok(t, &me, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then - HOUR_MS;
    t_fails(t, &me, "GET", "/v1/tenants/~", NULL, CM_SVC_SESSION);
    t->now_ms = then;
    t_fails(t, &me, "GET", "/v1/tenants/~", NULL, CM_SVC_SESSION);
    t_svc_done(t);
}

/* V-57: a key that would be destroyed in a week, and a clock that says it is over. */
static void test_destruction(void **state)
{
    static const uint8_t me[16] = {2};
    t_svc *t = t_svc_new();
    uint64_t then = t->now_ms;
    cm_scheduler s;
    cm_scheduler_round_of r;

    (void)state;
    cm_scheduler_init(&s, t->svc, t_runner(t), CM_VIEW(me));
    s.hold_s = 3600;
    (void)t_ok(t, &t->admin, "POST", KEY "d", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "d:scheduleDestruction", "{\"delay_days\":7}");
    (void)round_of(t, &s, 1);
    t->now_ms = then + 40 * DAY_MS;
    assert_true(cm_ok(cm_scheduler_round(&s, 2 * SECOND, &r)));
    assert_true(r.ahead && !r.back && r.destroyed == 0);
    t->now_ms = then + 2000;
    assert_true(cm_ok(cm_scheduler_round(&s, 3 * SECOND, &r)));
    assert_true(r.back && r.destroyed == 0);
    assert_string_equal(t_member(t_ok(t, &t->admin, "GET", KEY "d", NULL), "state"),
                        "pending_destruction");
    t->now_ms = then + 8 * DAY_MS; /* and this time it stays */
    for (uint64_t mono = 4; mono < 3600; mono += 5) {
        assert_true(cm_ok(cm_scheduler_round(&s, mono * SECOND, &r)));
        assert_int_equal(r.destroyed, 0);
        t->now_ms += 5000;
    }
    assert_true(cm_ok(cm_scheduler_round(&s, 3605 * SECOND, &r)));
    assert_int_equal(r.destroyed, 1);
    cm_scheduler_done(&s);
    t_svc_done(t);
}

static uint64_t time_of(t_svc *t, uint64_t index)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    cm_audit_entry e;

    assert_true(cm_ok(cm_log_entry(&b, t->store, index)));
    assert_true(cm_ok(cm_audit_entry_decode(&e, cm_buf_view(&b))));
    return e.time_ms;
}

/* A-36, over a restart too. */
static void test_log(void **state)
{
    t_svc *t = t_svc_new();
    uint64_t then = t->now_ms, n, last = 0;

    (void)state;
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then + 2 * HOUR_MS;
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    t->now_ms = then - 2 * HOUR_MS;
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    n = t_log_size(t);
    assert_true(n >= 4);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = time_of(t, i);

        assert_true(at >= last);
        last = at;
    }
    assert_int_equal(last, then + 2 * HOUR_MS);
    t->now_ms = then + 3 * HOUR_MS;
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants/~", NULL);
    assert_int_equal(time_of(t, n), then + 3 * HOUR_MS);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),  cmocka_unit_test(test_kept),
        cmocka_unit_test(test_ranges),  cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_session), cmocka_unit_test(test_destruction),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
