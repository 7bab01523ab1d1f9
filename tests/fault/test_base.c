/* Files, buffers, threads and the arena while the calls below them fail one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "base/pool.h"
#include "base/secret.h"
#include "fault.h"

static char dir[64], path[96], part[112];

static const char old_text[] = "what was there before", new_text[] = "what is to be there";

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/casemate-fault.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(part, sizeof part, "%s/file.part", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    unlink(part);
    return rmdir(dir);
}

static void assert_holds_one_of(const char *a, const char *b)
{
    CM_AUTO(cm_buf_free) cm_buf buf = {.max = 64};

    assert_true(cm_ok(cm_os_slurp(&buf, path, 64)));
    assert_true(cm_view_eq(cm_buf_view(&buf), cm_view_str(a)) ||
                cm_view_eq(cm_buf_view(&buf), cm_view_str(b)));
}

/* Old or new, never between, and no partial file left. */
static void spit_each(enum fault_kind kind, int err, cm_class cls)
{
    fault_begin(kind, err);
    while (fault_next()) {
        cm_err e;

        fault_pause();
        assert_true(cm_ok(cm_os_spit(path, cm_view_str(old_text), 0600, true)));
        fault_resume();
        e = cm_os_spit(path, cm_view_str(new_text), 0600, true);
        fault_pause();
        if (fault_hit()) {
            assert_true(cm_failed(e));
            assert_int_equal(cm_err_class(e), cls);
            assert_holds_one_of(old_text, new_text);
        } else {
            assert_true(cm_ok(e));
            assert_holds_one_of(new_text, new_text);
        }
        assert_int_not_equal(access(part, F_OK), 0);
    }
}

static void spit_keeps_old_or_new(void **state)
{
    (void)state;
    spit_each(FAULT_ALLOC, ENOMEM, CM_CLASS_EXHAUSTED);
    spit_each(FAULT_OPEN, EACCES, CM_CLASS_DENIED);
    spit_each(FAULT_OPEN, EMFILE, CM_CLASS_IO);
    spit_each(FAULT_TRUNCATE, EIO, CM_CLASS_IO);
    spit_each(FAULT_WRITE, ENOSPC, CM_CLASS_IO);
    spit_each(FAULT_SYNC, EIO, CM_CLASS_IO);
    spit_each(FAULT_RENAME, EACCES, CM_CLASS_DENIED);
}

static void short_transfers_are_finished(void **state)
{
    (void)state;
    fault_begin(FAULT_WRITE, FAULT_SHORT);
    while (fault_next())
        assert_true(cm_ok(cm_os_spit(path, cm_view_str(new_text), 0600, true)));
    fault_begin(FAULT_READ, FAULT_SHORT);
    while (fault_next())
        assert_holds_one_of(new_text, new_text);
    fault_begin(FAULT_WRITE, EINTR);
    while (fault_next())
        assert_true(cm_ok(cm_os_spit(path, cm_view_str(old_text), 0600, true)));
    fault_begin(FAULT_READ, EINTR);
    while (fault_next())
        assert_holds_one_of(old_text, old_text);
}

static void slurp_leaves_its_output(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_OPEN, FAULT_READ};

    (void)state;
    assert_true(cm_ok(cm_os_spit(path, cm_view_str(old_text), 0600, true)));
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], EIO);
        while (fault_next()) {
            CM_AUTO(cm_buf_free) cm_buf buf = {.max = 64};
            cm_err e = cm_os_slurp(&buf, path, 64);

            assert_int_equal(cm_failed(e), fault_hit());
            assert_int_equal(buf.n, fault_hit() ? 0 : sizeof old_text - 1);
        }
    }
}

static void buffer_stays_as_it_was(void **state)
{
    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        CM_AUTO(cm_buf_free) cm_buf buf = {.max = 1 << 20};
        cm_err e = CM_OKAY;
        size_t n = 0;

        for (; n < 1 << 16 && cm_ok(e); n += cm_ok(e))
            e = cm_buf_byte(&buf, (uint8_t)n);
        assert_int_equal(cm_failed(e), fault_hit());
        assert_int_equal(buf.n, n);
        assert_true(cm_ok(e) || cm_is(e, CM_NO_MEMORY));
    }
}

static void count(void *n)
{
    __atomic_add_fetch((int *)n, 1, __ATOMIC_RELAXED);
}

static void pool_each(enum fault_kind kind, cm_reason reason)
{
    fault_begin(kind, EAGAIN);
    while (fault_next()) {
        cm_pool *p = NULL;
        int n = 0;
        cm_err e = cm_pool_new(&p, 4, 8);

        assert_int_equal(cm_failed(e), fault_hit());
        if (cm_failed(e)) {
            assert_true(cm_is(e, reason));
            assert_null(p);
            continue;
        }
        for (int i = 0; i < 100; i++)
            cm_pool_submit(p, count, &n);
        cm_pool_wait(p);
        assert_int_equal(n, 100);
        cm_pool_free(p);
    }
}

static void pool_starts_whole_or_not(void **state)
{
    (void)state;
    pool_each(FAULT_ALLOC, CM_NO_MEMORY);
    pool_each(FAULT_THREAD, CM_NO_THREAD);
}

/* The arena is made once per process, so the map fails in the first round only. */
static void arena_can_be_refused(void **state)
{
    void *p = NULL;

    (void)state;
    fault_begin(FAULT_MAP, ENOMEM);
    while (fault_next()) {
        cm_err e = cm_secret_new(&p, 32);

        if (cm_failed(e)) {
            assert_true(fault_hit());
            assert_int_equal(cm_err_class(e), CM_CLASS_EXHAUSTED);
            assert_null(p);
        }
    }
    assert_non_null(p);
    cm_secret_free(p, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_can_be_refused),
        cmocka_unit_test(buffer_stays_as_it_was),
        cmocka_unit_test(pool_starts_whole_or_not),
        cmocka_unit_test_setup_teardown(spit_keeps_old_or_new, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(short_transfers_are_finished, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(slurp_leaves_its_output, make_dir, remove_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
