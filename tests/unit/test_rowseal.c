/* Rows open under their own tenant, key and version, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/rowseal.h"

static cm_crypt *crypt_of(void)
{
    cm_crypt *c = NULL;

    assert_true(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    return c;
}

static const uint8_t key_a[32] = {1}, key_b[32] = {2};

static void test_bound(void **state)
{
    cm_crypt *c = crypt_of();
    CM_AUTO(cm_rowseal_free_ptr) cm_rowseal *r = NULL;
    CM_AUTO(cm_buf_free) cm_buf box = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 4096};
    cm_store_sealer s;

    (void)state;
    assert_true(cm_ok(cm_rowseal_new(&r, c)));
    s = cm_rowseal_sealer(r);
    assert_true(cm_is(s.seal(s.self, &box, CM_LIT("a"), CM_LIT("k"), 1, CM_LIT("secret")),
                      CM_STORE_LOCKED));
    assert_false(cm_rowseal_known(r, CM_LIT("a")));
    assert_true(cm_ok(cm_rowseal_add(r, CM_LIT("a"), CM_VIEW(key_a))));
    assert_true(cm_ok(cm_rowseal_add(r, CM_LIT("b"), CM_VIEW(key_a))));
    assert_true(cm_ok(cm_rowseal_add(r, CM_LIT("a"), CM_VIEW(key_a))));
    assert_true(cm_is(cm_rowseal_add(r, CM_LIT("a"), CM_VIEW(key_b)), CM_CRYPT_BAD_KEY));
    assert_true(cm_is(cm_rowseal_add(r, CM_LIT("c"), CM_LIT("short")), CM_CRYPT_BAD_KEY));
    assert_true(cm_ok(s.seal(s.self, &box, CM_LIT("a"), CM_LIT("k"), 1, CM_LIT("secret"))));
    assert_true(cm_ok(s.open(s.self, &out, CM_LIT("a"), CM_LIT("k"), 1, cm_buf_view(&box))));
    assert_true(cm_view_eq(cm_buf_view(&out), CM_LIT("secret")));
    out.n = 0;
    /* D-6, D-7: same key bytes, another tenant, key or version. */
    assert_true(
        cm_is(s.open(s.self, &out, CM_LIT("b"), CM_LIT("k"), 1, cm_buf_view(&box)), CM_CRYPT_TAG));
    assert_true(
        cm_is(s.open(s.self, &out, CM_LIT("a"), CM_LIT("l"), 1, cm_buf_view(&box)), CM_CRYPT_TAG));
    assert_true(
        cm_is(s.open(s.self, &out, CM_LIT("a"), CM_LIT("k"), 2, cm_buf_view(&box)), CM_CRYPT_TAG));
    for (size_t i = 0; i < box.n; i++) {
        box.p[i] ^= 1;
        assert_true(cm_is(s.open(s.self, &out, CM_LIT("a"), CM_LIT("k"), 1, cm_buf_view(&box)),
                          CM_CRYPT_TAG));
        box.p[i] ^= 1;
    }
    for (size_t n = 0; n < box.n; n++)
        assert_true(cm_is(s.open(s.self, &out, CM_LIT("a"), CM_LIT("k"), 1, cm_view_of(box.p, n)),
                          CM_CRYPT_TAG));
    assert_int_equal(out.n, 0);
    cm_rowseal_forget(r);
    assert_true(cm_is(s.open(s.self, &out, CM_LIT("a"), CM_LIT("k"), 1, cm_buf_view(&box)),
                      CM_STORE_LOCKED));
    cm_crypt_free(c);
}

static void test_many_tenants(void **state)
{
    cm_crypt *c = crypt_of();
    CM_AUTO(cm_rowseal_free_ptr) cm_rowseal *r = NULL;
    char name[16];
    uint8_t key[32] = {0};

    (void)state;
    assert_true(cm_ok(cm_rowseal_new(&r, c)));
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "t%u", i);
        memcpy(key, &i, sizeof i);
        assert_true(cm_ok(cm_rowseal_add(r, cm_view_str(name), CM_VIEW(key))));
    }
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "t%u", i);
        memcpy(key, &i, sizeof i);
        assert_true(cm_ok(cm_rowseal_add(r, cm_view_str(name), CM_VIEW(key))));
        assert_true(cm_rowseal_known(r, cm_view_str(name)));
    }
    assert_false(cm_rowseal_known(r, CM_LIT("t3000")));
    cm_crypt_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_many_tenants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
