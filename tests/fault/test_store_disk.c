/*
 * The store over disks that fail, fill up, tear writes and lose power (D-10, D-14): what was
 * acknowledged is there, no transaction is there by half, and after a failed commit nothing more is
 * written. And kill -9, forty times over.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "badfs.h"
#include "proc.h"
#include "store/care.h"
#include "store_kit.h"

enum { ROWS = 6, KILLS = 40, CUTS = 40 };

static char dir[T_PATH];

static int setup(void **state)
{
    (void)state;
    t_mkdir(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    badfs_fail(BADFS_WRITE, 0, false, false);
    t_rmdir(dir);
    return 0;
}

static cm_err open_at(cm_store **s, const char *name)
{
    cm_store_sqlite o = {.path = t_path(dir, name), .create = true, .cache_kib = 256};

    CM_TRY(cm_store_open_sqlite(s, &o));
    cm_store_unseal(*s, &t_toy_sealer);
    return CM_OKAY;
}

/* Transaction n writes ROWS rows, of 3 kB so that several pages change. */
static cm_err write_txn(cm_store *s, uint64_t n)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    static const char value[3000] = "x";
    cm_store_write w[ROWS];
    cm_path p[ROWS];
    cm_txn *mine;

    for (size_t i = 0; i < ROWS; i++) {
        p[i] = t_row("acme", "row", n * ROWS + i);
        w[i] = (cm_store_write){cm_path_view(&p[i]), 1, CM_VIEW(value)};
    }
    CM_TRY(cm_txn_begin(&t, s));
    CM_TRY(cm_txn_write(t, w, ROWS));
    mine = t;
    t = NULL;
    return cm_txn_commit(mine);
}

static bool row_there(cm_store *s, uint64_t row)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    cm_path p = t_row("acme", "row", row);
    uint64_t v;
    cm_err e = cm_store_get(s, cm_path_view(&p), &b, &v);

    assert_true(cm_ok(e) || cm_is(e, CM_STORE_NO_ROW));
    return cm_ok(e);
}

/* All of a transaction or nothing. */
static bool txn_there(cm_store *s, uint64_t n)
{
    bool first = row_there(s, n * ROWS);

    for (size_t i = 1; i < ROWS; i++)
        assert_true(row_there(s, n * ROWS + i) == first);
    return first;
}

static void no_fault(void *arg, cm_view key, const char *what)
{
    (void)arg;
    (void)key;
    fail_msg("%s", what);
}

/* Opens anew and holds what is there against what was acknowledged: bit n of acked. */
static void expect_whole(const char *name, uint64_t acked, uint64_t tried)
{
    cm_store *s = NULL;
    cm_fsck f;

    assert_true(cm_ok(open_at(&s, name)));
    for (uint64_t n = 0; n < tried; n++) {
        bool there = txn_there(s, n);

        if (acked >> n & 1)
            assert_true(there);
    }
    assert_true(cm_ok(cm_store_fsck(s, &f, no_fault, NULL)));
    assert_true(cm_ok(write_txn(s, tried)));
    cm_store_close(s);
}

/* The nth call of a kind fails while ten transactions are written; then the store is opened anew.
 */
static void each_call(enum badfs_call call, bool lasting, bool full)
{
    char name[32];
    bool hit = true;

    for (unsigned nth = 1; hit; nth += nth < 8 ? 1 : 17) {
        uint64_t acked = 0;
        cm_store *s = NULL;

        snprintf(name, sizeof name, "%d-%d%d-%u.db", (int)call, lasting, full, nth);
        assert_true(cm_ok(open_at(&s, name)));
        badfs_fail(call, nth, lasting, full);
        for (uint64_t n = 0; n < 10; n++) {
            cm_err e = write_txn(s, n);

            if (cm_ok(e)) {
                acked |= UINT64_C(1) << n;
            } else {
                assert_true(badfs_hit());
                assert_int_equal(cm_err_class(e), CM_CLASS_IO);
            }
        }
        hit = badfs_hit();
        badfs_fail(call, 0, false, false);
        for (uint64_t n = 0; n < 10; n++)
            if (acked >> n & 1)
                assert_true(txn_there(s, n));
        cm_store_close(s);
        expect_whole(name, acked, 10);
    }
}

static void test_writes_fail(void **state)
{
    (void)state;
    each_call(BADFS_WRITE, false, false);
    each_call(BADFS_WRITE, true, false);
}

static void test_disk_is_full(void **state)
{
    (void)state;
    each_call(BADFS_WRITE, false, true);
    each_call(BADFS_WRITE, true, true);
}

static void test_flushes_fail(void **state)
{
    (void)state;
    each_call(BADFS_SYNC, false, false);
    each_call(BADFS_SYNC, true, false);
}

/* D-14: one failed flush, and nothing is written before the store is opened anew. */
static void test_nothing_after_a_failed_flush(void **state)
{
    cm_store *s = NULL;

    (void)state;
    assert_true(cm_ok(open_at(&s, "a.db")));
    assert_true(cm_ok(write_txn(s, 0)));
    badfs_fail(BADFS_SYNC, 1, false, false);
    assert_int_equal(cm_err_class(write_txn(s, 1)), CM_CLASS_IO);
    assert_true(badfs_hit());
    assert_true(cm_is(write_txn(s, 2), CM_STORE_BROKEN));
    assert_true(cm_is(write_txn(s, 2), CM_STORE_BROKEN));
    assert_true(txn_there(s, 0)); /* reading goes on */
    cm_store_close(s);
    expect_whole("a.db", 1, 3);
}

/* The same for a flush while the log is carried over into the database, which the commit itself
 * does not see. */
static void test_failed_checkpoint(void **state)
{
    cm_store *s = NULL;
    bool broken = false;
    uint64_t n = 1;

    (void)state;
    assert_true(cm_ok(open_at(&s, "a.db")));
    assert_true(cm_ok(write_txn(s, 0))); /* flushes twice: the log's head too */
    for (; n < 200 && !broken; n++) {
        cm_err e;

        badfs_fail(BADFS_SYNC, 2, true, false); /* the first is the commit's own */
        e = write_txn(s, n);
        assert_true(cm_ok(e));
        broken = badfs_hit();
        badfs_fail(BADFS_SYNC, 0, false, false);
    }
    assert_true(broken);
    assert_true(cm_is(write_txn(s, n), CM_STORE_BROKEN));
    cm_store_close(s);
    assert_true(cm_ok(open_at(&s, "a.db")));
    for (uint64_t i = 0; i < n; i++)
        assert_true(txn_there(s, i));
    cm_store_close(s);
}

/* D-10: power fails at any moment, with any part of what was not flushed on the disk. */
static void test_power_fails(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= CUTS; seed++) {
        uint64_t acked = 0;
        cm_store *s = NULL;
        char name[32];

        snprintf(name, sizeof name, "power-%u.db", seed);
        badfs_remember();
        assert_true(cm_ok(open_at(&s, name)));
        for (uint64_t n = 0; n < seed % 7; n++)
            acked |= (uint64_t)cm_ok(write_txn(s, n)) << n;
        /* The last one breaks off in its writes or before its flush. */
        if (seed % 3)
            badfs_fail(BADFS_WRITE, 1 + seed % 20, true, false);
        else
            badfs_fail(BADFS_SYNC, 1, true, false);
        acked |= (uint64_t)cm_ok(write_txn(s, seed % 7)) << seed % 7;
        badfs_fail(BADFS_WRITE, 0, false, false);
        badfs_freeze();
        cm_store_close(s);
        badfs_cut_power(seed);
        expect_whole(name, acked, seed % 7 + 1);
    }
}

/* ---- kill -9 ------------------------------------------------------------------------------- */

/* Writes transactions from first on, telling each that was acknowledged. */
static void child(uint64_t first, const char *name, int to)
{
    cm_store *s = NULL;

    if (cm_failed(open_at(&s, name)))
        _exit(1);
    for (uint64_t n = first;; n++) {
        if (cm_failed(write_txn(s, n)))
            _exit(2);
        if (write(to, &n, sizeof n) != sizeof n)
            _exit(3);
    }
}

/* With begun, not before the first transaction was acknowledged: however busy the machine is. */
static uint64_t run_and_kill(uint64_t first, const char *name, unsigned after_us, bool begun)
{
    uint64_t n, acked = first;
    int p[2];
    pid_t pid;

    assert_int_equal(pipe(p), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(p[0]);
        child(first, name, p[1]);
    }
    close(p[1]);
    if (begun && read(p[0], &n, sizeof n) == sizeof n)
        acked = n + 1;
    usleep(after_us);
    kill(pid, SIGKILL);
    while (read(p[0], &n, sizeof n) == sizeof n)
        acked = n + 1;
    close(p[0]);
    waitpid(pid, NULL, 0);
    return acked;
}

static void test_kills(void **state)
{
    uint64_t next = 0;
    cm_store *s = NULL;

    (void)state;
    for (unsigned i = 0; i < KILLS; i++) {
        uint64_t acked = run_and_kill(next, "kill.db", i * 7919 % 30000, true);

        assert_true(cm_ok(open_at(&s, "kill.db")));
        for (uint64_t n = next; n < acked; n++)
            assert_true(txn_there(s, n));
        next = acked + (txn_there(s, acked) ? 1 : 0); /* done, and not yet told */
        assert_false(txn_there(s, next));
        cm_store_close(s);
    }
    assert_true(next >= KILLS);
    assert_true(cm_ok(open_at(&s, "kill.db")));
    assert_int_equal(t_store_count(s, "acme"), next * ROWS);
    cm_store_close(s);
}

/* D-13. Killed at any moment of the first opening: the next one makes a store that works. */
static void test_kills_at_creation(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KILLS; i++) {
        char name[24];
        cm_store *s = NULL;
        uint64_t acked;

        snprintf(name, sizeof name, "new-%u.db", i);
        acked = run_and_kill(0, name, i * 250, false);
        assert_true(cm_ok(open_at(&s, name)));
        for (uint64_t n = 0; n < acked; n++)
            assert_true(txn_there(s, n));
        cm_store_close(s);
    }
}

#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(test_writes_fail),       DISK_TEST(test_disk_is_full),
        DISK_TEST(test_flushes_fail),      DISK_TEST(test_nothing_after_a_failed_flush),
        DISK_TEST(test_failed_checkpoint), DISK_TEST(test_power_fails),
        DISK_TEST(test_kills_at_creation), DISK_TEST(test_kills),
    };

    badfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
