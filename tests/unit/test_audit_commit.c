/* The committer over a real store: what happens whole, what is refused, what is counted. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/counter.h"
#include "audit/log.h"
#include "log_kit.h"

#define assert_reason(reason, e) assert_string_equal(cm_err_name(CM_FAIL(reason)), cm_err_name(e))
#define assert_okay(e)           assert_string_equal("OK", cm_err_name(e))

static int start(void **state)
{
    *state = t_log_new(1);
    return 0;
}

static int stop(void **state)
{
    t_log_done(*state);
    return 0;
}

static uint64_t version_of(t_log *l, const char *tenant, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    uint64_t version = 0;
    cm_path p;

    if (cm_failed(cm_store_get(l->store, t_log_key(&p, tenant, name), &b, &version))) {
        return 0;
    }
    return version;
}

static cm_counter counter_of(t_log *l, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    cm_counter c = {0};
    uint64_t version;
    cm_path p;

    assert_okay(cm_store_get(l->store, t_log_key(&p, "acme", name), &b, &version));
    assert_okay(cm_counter_get(&c, cm_buf_view(&b)));
    return c;
}

static uint64_t log_size(t_log *l)
{
    cm_log_head h;

    assert_okay(cm_log_head_read(&h, l->store));
    return h.size;
}

static void a_unit_with_a_receipt(void **state)
{
    t_log *l = *state;
    cm_audit_trust trust = t_log_trust(l);
    cm_path p;
    cm_store_write w = {t_log_key(&p, "acme", "key"), 1, CM_LIT("value")};
    cm_audit_entry e = t_log_entry(1), got;
    cm_unit u = {.writes = &w, .writes_n = 1, .entry = &e, .want_receipt = true};
    cm_audit_checked c;
    cm_receipt r;

    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(0, u.leaf);
    assert_int_equal(1, version_of(l, "acme", "key"));
    assert_okay(cm_audit_check_receipt(&c, &r, &trust, cm_buf_view(&u.receipt), cm_view_of("", 0)));
    assert_int_equal(1, c.checkpoint.size);
    assert_okay(cm_audit_entry_decode(&got, cm_buf_view(&r.extra)));
    assert_int_equal(e.time_ms, got.time_ms);
    cm_receipt_done(&r);
    cm_buf_free(&u.receipt);
}

static void what_a_decision_stood_on_must_still_hold(void **state)
{
    t_log *l = *state;
    cm_path p, q;
    cm_audit_entry e = t_log_entry(1);
    cm_unit_expect x = {t_log_key(&q, "acme", "policy"), 0};
    cm_store_write w = {t_log_key(&p, "acme", "key"), 1, CM_LIT("value")};
    cm_unit u = {.expects = &x, .expects_n = 1, .writes = &w, .writes_n = 1, .entry = &e};

    assert_okay(cm_committer_commit(l->committer, &u));
    x.version = 1;
    w.version = 2;
    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u));
    x.version = 0;
    w.version = 3;
    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u));
    w.version = 1;
    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u));
    assert_int_equal(1, version_of(l, "acme", "key"));
    assert_int_equal(1, log_size(l)); /* conflicts leave nothing */
    w.version = 0;
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(0, version_of(l, "acme", "key"));
    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u)); /* gone already */
}

/* */
static void a_budget_runs_out(void **state)
{
    t_log *l = *state;
    cm_path p, q;
    cm_audit_entry e = t_log_entry(1), no = t_log_entry(0);
    cm_unit_bump b[2] = {{t_log_key(&p, "acme", "day"), 3, 7, l->now_ms + 1000},
                         {t_log_key(&q, "acme", "nonce"), 0, 1, 0}};
    cm_unit u = {.bumps = b, .bumps_n = 2, .entry = &e, .refused = &no};

    assert_okay(cm_committer_commit(l->committer, &u));
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(6, counter_of(l, "day").value);
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u));
    assert_int_equal(6, counter_of(l, "day").value);
    assert_int_equal(2, u.leaf);
    assert_int_equal(3, log_size(l)); /* the refusal is in the log */
    b[0].by = 1;
    b[1].by = 1;
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u)); /* the nonce */
    assert_int_equal(7, counter_of(l, "day").value);
    b[1].by = 0;
    u.refused = NULL;
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u));
    assert_int_equal(5, log_size(l));
    l->now_ms += 1000; /* over: a new day */
    b[0].until = l->now_ms + 1000;
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(1, counter_of(l, "day").value);
    assert_int_equal(l->now_ms + 1000, counter_of(l, "day").until);
    b[0].by = UINT64_MAX;
    b[0].max = UINT64_MAX;
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u)); /* would overflow */
}

static void a_unit_that_contradicts_itself(void **state)
{
    t_log *l = *state;
    cm_path p;
    cm_audit_entry e = t_log_entry(1), bad = t_log_entry(1);
    cm_view key = t_log_key(&p, "acme", "key");
    cm_store_write w[2] = {{key, 1, CM_LIT("a")}, {key, 1, CM_LIT("b")}};
    cm_unit_bump b[2] = {{key, 1, 1, 0}, {key, 1, 1, 0}};
    cm_unit_expect none = {{NULL, 0}, 0};
    cm_unit u = {.writes = w, .writes_n = 2, .entry = &e};

    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u));
    u.writes_n = 1;
    u.bumps = b;
    u.bumps_n = 1;
    assert_reason(STORE_CONFLICT, cm_committer_commit(l->committer, &u));
    u.writes_n = 0;
    u.bumps_n = 2;
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u)); /* twice in one */
    u.bumps_n = 0;
    u.writes_n = 1;
    bad.id.n = 15;
    u.entry = &bad;
    assert_reason(BAD_ARGUMENT, cm_committer_commit(l->committer, &u));
    u.entry = &e;
    u.expects = &none;
    u.expects_n = 1;
    assert_reason(BAD_ARGUMENT, cm_committer_commit(l->committer, &u));
    assert_int_equal(0, version_of(l, "acme", "key"));
    assert_int_equal(0, log_size(l));
}

static void a_row_that_is_no_counter(void **state)
{
    t_log *l = *state;
    cm_path p, q;
    cm_audit_entry e = t_log_entry(1);
    cm_store_write w = {t_log_key(&p, "acme", "text"), 1, CM_LIT("not a counter")};
    cm_unit_bump b = {w.key, 1, 1, 0};
    cm_unit_bump good = {t_log_key(&q, "acme", "good"), 1, 1, 0};
    cm_unit u = {.writes = &w, .writes_n = 1, .entry = &e};

    assert_okay(cm_committer_commit(l->committer, &u));
    u = (cm_unit){.bumps = &b, .bumps_n = 1, .entry = &e};
    assert_reason(COMMIT_COUNTER, cm_committer_commit(l->committer, &u));
    u.bumps = &good;
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_okay(cm_committer_health(l->committer));
}

/* ---- many at once ---- */

enum { THREADS = 8, UNITS = 500 };

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned left, ok, budget, conflict, other;
} tally;

static void count(cm_unit *u)
{
    tally *t = u->arg;

    (void)pthread_mutex_lock(&t->lock);
    t->ok += cm_ok(u->result);
    t->budget += cm_is(u->result, CM_COMMIT_BUDGET);
    t->conflict += cm_is(u->result, CM_STORE_CONFLICT);
    t->left--;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
}

static void wait_for(tally *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->left > 0) {
        (void)pthread_cond_wait(&t->wake, &t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

/* Everything is handed in at once, so that winners and losers share batches. */
static void winners_and_losers_of_a_batch(void **state)
{
    enum { N = 600, MAX = 100 };
    static cm_unit u[N];
    static cm_store_write w[N];
    static cm_path p[N];
    t_log *l = *state;
    tally t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .left = N};
    cm_path budget;
    cm_unit_bump b = {t_log_key(&budget, "acme", "budget"), 1, MAX, 0};
    cm_audit_entry e = t_log_entry(1), no = e;

    no.decision = CM_AUDIT_DENY;
    no.reason = CM_COMMIT_BUDGET;
    for (unsigned i = 0; i < N; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "row%u", i / 2); /* two want each row */
        w[i] = (cm_store_write){t_log_key(&p[i], "acme", name), 1, CM_LIT("x")};
        u[i] = (cm_unit){.writes = &w[i],
                         .writes_n = 1,
                         .bumps = &b,
                         .bumps_n = 1,
                         .entry = &e,
                         .refused = &no,
                         .done = count,
                         .arg = &t};
        assert_okay(cm_committer_submit(l->committer, &u[i]));
    }
    wait_for(&t);
    assert_int_equal(MAX, t.ok); /* the first hundred rows, once each */
    assert_int_equal(MAX, t.conflict);
    assert_int_equal(N - 2 * MAX, t.budget);
    assert_int_equal(MAX, counter_of(l, "budget").value);
    assert_int_equal(N - MAX, log_size(l));
    for (unsigned i = 0; i < N; i++) {
        assert_true(cm_is(u[i].result, CM_STORE_CONFLICT) == (i < 2 * MAX && i % 2 == 1));
    }
}

static void *hammer(void *arg)
{
    t_log *l = arg;
    cm_path p;
    cm_unit_bump b = {t_log_key(&p, "acme", "hits"), 1, UINT64_MAX, 0};

    for (unsigned i = 0; i < UNITS; i++) {
        cm_audit_entry e = t_log_entry(i);
        cm_unit u = {.bumps = &b, .bumps_n = 1, .entry = &e, .want_receipt = i % 100 == 0};

        if (cm_failed(cm_committer_commit(l->committer, &u))) {
            return l;
        }
        cm_buf_free(&u.receipt);
    }
    return NULL;
}

static void threads_on_one_counter(void **state)
{
    t_log *l = *state;
    pthread_t t[THREADS];
    void *bad;

    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_create(&t[i], NULL, hammer, l));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_join(t[i], &bad));
        assert_null(bad);
    }
    assert_int_equal(THREADS * UNITS, counter_of(l, "hits").value);
    assert_int_equal(THREADS * UNITS, log_size(l));
}

static void a_full_queue(void **state)
{
    enum { N = 8192 };
    static cm_unit u[N];
    t_log *l = *state;
    tally t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    cm_audit_entry e = t_log_entry(1);
    unsigned full = 0;

    for (unsigned i = 0; i < N; i++) {
        cm_err r;

        u[i] = (cm_unit){.entry = &e, .done = count, .arg = &t};
        (void)pthread_mutex_lock(&t.lock);
        t.left++;
        (void)pthread_mutex_unlock(&t.lock);
        r = cm_committer_submit(l->committer, &u[i]);
        if (cm_failed(r)) {
            assert_reason(COMMIT_FULL, r);
            full++;
            (void)pthread_mutex_lock(&t.lock);
            t.left--;
            (void)pthread_mutex_unlock(&t.lock);
        }
    }
    wait_for(&t);
    assert_int_equal(N - full, t.ok);
    assert_int_equal(N - full, log_size(l));
}

/* ---- starting again ---- */

static void a_log_goes_on_after_a_restart(void **state)
{
    t_log *l = *state;
    cm_audit_trust trust = t_log_trust(l);
    cm_audit_entry e = t_log_entry(1);
    cm_audit_checked c;
    cm_receipt r;

    for (unsigned round = 0; round < 6; round++) {
        cm_unit u = {.entry = &e, .want_receipt = true};

        t_log_add(l, round * 300, 100 + round);
        assert_okay(cm_committer_commit(l->committer, &u));
        assert_okay(
            cm_audit_check_receipt(&c, &r, &trust, cm_buf_view(&u.receipt), cm_view_of("", 0)));
        assert_int_equal(log_size(l), c.checkpoint.size);
        cm_receipt_done(&r);
        cm_buf_free(&u.receipt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unit_with_a_receipt, start, stop),
        cmocka_unit_test_setup_teardown(what_a_decision_stood_on_must_still_hold, start, stop),
        cmocka_unit_test_setup_teardown(a_budget_runs_out, start, stop),
        cmocka_unit_test_setup_teardown(a_unit_that_contradicts_itself, start, stop),
        cmocka_unit_test_setup_teardown(a_row_that_is_no_counter, start, stop),
        cmocka_unit_test_setup_teardown(winners_and_losers_of_a_batch, start, stop),
        cmocka_unit_test_setup_teardown(threads_on_one_counter, start, stop),
        cmocka_unit_test_setup_teardown(a_full_queue, start, stop),
        cmocka_unit_test_setup_teardown(a_log_goes_on_after_a_restart, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
