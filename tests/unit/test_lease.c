/* One leader at a time, without comparing clocks (D-40). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "proc.h"
#include "store/lease.h"
#include "store_kit.h"

enum { TERM = 1000 };

static char dir[T_PATH];
static cm_store *s;
static cm_lease a, b;

static int setup(void **state)
{
    cm_store_sqlite o = {.create = true};

    (void)state;
    t_mkdir(dir);
    o.path = t_path(dir, "kms.db");
    if (cm_failed(cm_store_open_sqlite(&s, &o)))
        return -1;
    cm_store_unseal(s, &t_toy_sealer);
    cm_lease_init(&a, "scheduler", CM_LIT("node a          "), TERM);
    cm_lease_init(&b, "scheduler", CM_LIT("node b          "), TERM);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_store_close(s);
    t_rmdir(dir);
    return 0;
}

static void test_one_holds_it(void **state)
{
    (void)state;
    assert_false(cm_lease_held(&a, 0));
    assert_true(cm_ok(cm_lease_keep(&a, s, 100)));
    assert_true(cm_lease_held(&a, 1099));
    assert_false(cm_lease_held(&a, 1100));
    assert_int_equal(a.token, 1);
    /* Renewed within each term of the other's clock, which stands elsewhere: never taken. */
    for (uint64_t i = 0; i < 9; i++) {
        assert_true(cm_is(cm_lease_keep(&b, s, 77000 + 900 * i), CM_STORE_LEASED));
        assert_true(cm_ok(cm_lease_keep(&a, s, 100 + 900 * i)));
        assert_int_equal(a.token, 1);
    }
    assert_false(cm_lease_held(&b, 77000));
}

static void test_taken_over(void **state)
{
    cm_store_write w;
    uint64_t v = 0;
    cm_view key;
    cm_txn *t;

    (void)state;
    assert_true(cm_ok(cm_lease_keep(&a, s, 100)));
    assert_true(cm_is(cm_lease_keep(&b, s, 5000), CM_STORE_LEASED));
    assert_true(cm_is(cm_lease_keep(&b, s, 5999), CM_STORE_LEASED));
    assert_true(cm_ok(cm_lease_keep(&b, s, 6000)));
    assert_int_equal(b.token, 2);
    /* The sleeper's token is no longer the version of the fence. */
    key = cm_path_view(&a.fence);
    assert_true(cm_ok(cm_txn_begin(&t, s)));
    assert_true(cm_ok(cm_txn_versions(t, &key, 1, &v)));
    assert_int_equal(v, b.token);
    assert_int_not_equal(v, a.token);
    w = (cm_store_write){key, a.token + 1, CM_LIT("x")};
    assert_true(cm_is(cm_txn_write(t, &w, 1), CM_STORE_CONFLICT));
    cm_txn_abort(t);
    assert_true(cm_lease_held(&a, 600));
    assert_true(cm_is(cm_lease_keep(&a, s, 600), CM_STORE_LEASED));
    assert_false(cm_lease_held(&a, 600));
    assert_true(cm_is(cm_lease_keep(&a, s, 601), CM_STORE_LEASED));
    assert_true(cm_ok(cm_lease_keep(&b, s, 6500)));
    assert_int_equal(b.token, 2);
}

static void test_given_back(void **state)
{
    (void)state;
    assert_true(cm_ok(cm_lease_release(&a, s)));
    assert_true(cm_ok(cm_lease_keep(&a, s, 100)));
    assert_true(cm_is(cm_lease_keep(&b, s, 100), CM_STORE_LEASED));
    assert_true(cm_ok(cm_lease_release(&a, s)));
    assert_false(cm_lease_held(&a, 101));
    assert_true(cm_ok(cm_lease_keep(&b, s, 101)));
    assert_int_equal(b.token, 2);
    assert_true(cm_ok(cm_lease_release(&a, s)));
    assert_true(cm_ok(cm_lease_keep(&b, s, 102)));
    /* Another process with the same name of its own is no holder: its first look waits. */
    assert_true(cm_is(cm_lease_keep(&a, s, 103), CM_STORE_LEASED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_holds_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
