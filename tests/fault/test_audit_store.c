/*
 * The committer over a store that fails, conflicts or does not say what it did, and with a signer
 * that fails. Linked so that cm_txn_commit() passes through here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "audit/counter.h"
#include "audit/log.h"
#include "log_kit.h"

#define assert_reason(reason, e) assert_string_equal(cm_err_name(CM_FAIL(reason)), cm_err_name(e))
#define assert_okay(e)           assert_string_equal("OK", cm_err_name(e))

enum mode { WORK, FAIL, CONFLICT, LOSE_ANSWER };

static atomic_int mode, left; /* how many commits are treated so */

cm_err __real_cm_txn_commit(cm_txn *t);
cm_err __wrap_cm_txn_commit(cm_txn *t);

cm_err __wrap_cm_txn_commit(cm_txn *t)
{
    cm_err e;

    if (atomic_load(&left) == 0) {
        return __real_cm_txn_commit(t);
    }
    atomic_fetch_sub(&left, 1);
    switch ((enum mode)atomic_load(&mode)) {
    case FAIL:
        cm_txn_abort(t);
        return CM_FAIL(IO_WRITE);
    case CONFLICT:
        cm_txn_abort(t);
        return CM_FAIL(STORE_CONFLICT);
    case LOSE_ANSWER:
        e = __real_cm_txn_commit(t);
        return cm_ok(e) ? CM_FAIL(IO_WRITE) : e;
    case WORK:
        break;
    }
    return __real_cm_txn_commit(t);
}

static void treat(enum mode m, int n)
{
    atomic_store(&mode, (int)m);
    atomic_store(&left, n);
}

static int start(void **state)
{
    *state = t_log_new(3);
    t_log_add(*state, 0, 10);
    t_log_settle(*state);
    return 0;
}

static int stop(void **state)
{
    treat(WORK, 0);
    t_log_done(*state);
    return 0;
}

static uint64_t log_size(t_log *l)
{
    cm_log_head h;

    assert_okay(cm_log_head_read(&h, l->store));
    return h.size;
}

static void wait_healthy(t_log *l)
{
    for (unsigned i = 0; cm_failed(cm_committer_health(l->committer)); i++) {
        const struct timespec ms = {.tv_nsec = 2000000};

        assert_true(i < 60000);
        (void)nanosleep(&ms, NULL);
    }
}

static void expect_good_log(t_log *l, uint64_t size)
{
    cm_audit_trust t = t_log_trust(l);
    cm_log_view v = cm_log_view_store(l->store);
    cm_audit_extent at;

    t_log_settle(l);
    assert_okay(cm_audit_check_log(&at, &t, &v, NULL));
    assert_int_equal(size, at.entries);
}

/* */
static void a_store_that_fails(void **state)
{
    t_log *l = *state;
    cm_path p;
    cm_audit_entry e = t_log_entry(1);
    cm_store_write w = {t_log_key(&p, "acme", "key"), 1, CM_LIT("value")};
    cm_unit u = {.writes = &w, .writes_n = 1, .entry = &e, .want_receipt = true};
    cm_buf b = {.max = 64};
    uint64_t version;

    treat(FAIL, 3); /* the batch, then two attempts to go on */
    assert_reason(IO_WRITE, cm_committer_commit(l->committer, &u));
    assert_int_equal(0, u.receipt.n);
    assert_reason(AUDIT_CLOSED, cm_committer_commit(l->committer, &u));
    assert_reason(IO_WRITE, cm_committer_health(l->committer));
    assert_reason(STORE_NO_ROW, cm_store_get(l->store, w.key, &b, &version));
    assert_int_equal(10, log_size(l));
    wait_healthy(l);
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(10, u.leaf);
    cm_buf_free(&u.receipt);
    cm_buf_free(&b);
    expect_good_log(l, 11);
}

/* The connection broke between COMMIT and its answer: those who asked are told that it failed, but
 * the log goes on from what is there. */
static void a_store_that_loses_its_answer(void **state)
{
    t_log *l = *state;
    cm_audit_entry e = t_log_entry(1);
    cm_unit u = {.entry = &e};

    treat(LOSE_ANSWER, 1);
    assert_reason(IO_WRITE, cm_committer_commit(l->committer, &u));
    wait_healthy(l);
    assert_int_equal(11, log_size(l));
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(11, u.leaf);
    t_log_add(l, 50, 400);
    expect_good_log(l, 412);
}

/* Another node was faster, several times over. */
static void a_store_that_conflicts(void **state)
{
    t_log *l = *state;
    cm_path p;
    cm_audit_entry e = t_log_entry(1);
    cm_unit_bump b = {t_log_key(&p, "acme", "hits"), 1, 5, 0};
    cm_unit u = {.bumps = &b, .bumps_n = 1, .entry = &e};
    cm_buf v = {.max = 64};
    cm_counter c;
    uint64_t version;

    for (unsigned i = 0; i < 5; i++) {
        treat(CONFLICT, (int)i);
        assert_okay(cm_committer_commit(l->committer, &u));
        assert_int_equal(10 + i, u.leaf);
    }
    assert_reason(COMMIT_BUDGET, cm_committer_commit(l->committer, &u));
    assert_okay(cm_store_get(l->store, b.key, &v, &version));
    assert_okay(cm_counter_get(&c, cm_buf_view(&v)));
    assert_int_equal(5, c.value);
    cm_buf_free(&v);
    assert_okay(cm_committer_health(l->committer));
    expect_good_log(l, 15);
}

/* ---- the signer ---- */

static atomic_bool mute;
static cm_audit_signer real_signer;

static cm_err sign(void *self, cm_buf *lines, cm_view text)
{
    (void)self;
    return atomic_load(&mute) ? CM_FAIL(IO_READ) : real_signer.sign(real_signer.self, lines, text);
}

static uint64_t now_ms(void *arg)
{
    return *(uint64_t *)arg;
}

/* what is durable and can't be signed gives no receipt, and nothing more happens. */
static void a_signer_that_fails(void **state)
{
    t_log *l = *state;
    cm_committer_options o = {.store = l->store,
                              .crypt = l->crypt,
                              .signer = {sign, NULL},
                              .origin = T_LOG_ORIGIN,
                              .now_ms = now_ms,
                              .now_arg = &l->now_ms,
                              .depth = 16};
    cm_audit_entry e = t_log_entry(1);
    cm_unit u = {.entry = &e, .want_receipt = true};

    cm_committer_free(l->committer);
    l->committer = NULL;
    real_signer = cm_audit_local_signer(l->signer);
    assert_okay(cm_committer_new(&l->committer, &o));
    atomic_store(&mute, true);
    assert_reason(IO_READ, cm_committer_commit(l->committer, &u));
    assert_int_equal(0, u.receipt.n);
    assert_reason(AUDIT_CLOSED, cm_committer_commit(l->committer, &u));
    assert_reason(IO_READ, cm_committer_health(l->committer));
    atomic_store(&mute, false);
    wait_healthy(l);
    assert_okay(cm_committer_commit(l->committer, &u));
    assert_int_equal(11, u.leaf);
    assert_true(u.receipt.n > 0);
    cm_buf_free(&u.receipt);
    expect_good_log(l, 12);
}

/* Without anyone asking for it, a checkpoint comes within the time that the spec gives (A-30,
 * A-33); a busy machine gets ten times as long. */
static void checkpoints_come_by_themselves(void **state)
{
    t_log *l = *state;
    struct timespec a, b;

    t_log_add(l, 20, 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    t_log_settle(l);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 2000);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_store_that_fails),
        CASE(a_store_that_loses_its_answer),
        CASE(a_store_that_conflicts),
        CASE(a_signer_that_fails),
        CASE(checkpoints_come_by_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
