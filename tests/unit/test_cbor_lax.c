/* CBOR as others write it: what is read, what is refused, and that a wrong read gives nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor_lax.h"

static cm_lax open_of(cm_view v)
{
    cm_lax c;

    assert_true(cm_ok(cm_lax_open(&c, v)));
    return c;
}

static void numbers(void **state)
{
    cm_lax c;

    (void)state;
    c = open_of(CM_LIT("\x17"));
    assert_int_equal(cm_lax_uint(&c), 23);
    assert_true(cm_lax_done(&c));
    c = open_of(CM_LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_true(cm_lax_uint(&c) == UINT64_MAX);
    c = open_of(CM_LIT("\x38\x22"));
    assert_int_equal(cm_lax_int(&c), -35);
    c = open_of(CM_LIT("\x3b\xff\xff\xff\xff\xff\xff\xff\xff"));
    (void)cm_lax_int(&c); /* fits no int64 */
    assert_true(c.bad);
    c = open_of(CM_LIT("\x20"));
    assert_int_equal(cm_lax_uint(&c), 0);
    assert_true(c.bad);
}

static void containers(void **state)
{
    static const char *const same[] = {"\x83\x01\x02\x03", "\x9f\x01\x02\x03\xff"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(same); i++) {
        cm_lax c = open_of(cm_view_str(same[i])), in = cm_lax_array(&c);

        for (uint64_t n = 1; n <= 3; n++)
            assert_int_equal(cm_lax_uint(&in), n);
        assert_true(cm_lax_done(&in) && cm_lax_done(&c) && !cm_lax_more(&in));
        (void)cm_lax_uint(&in); /* past the end */
        assert_true(in.bad);
    }
}

static void fields(void **state)
{
    cm_lax_field f[] = {{.key = "a"}, {.key = "b"}};
    cm_lax_field less[] = {{.key = "a"}};
    cm_view map = CM_LIT("\xbf\x61"
                         "b\x02\x61"
                         "a\x01\xff");
    cm_lax c = open_of(map), d = open_of(map);

    (void)state;
    assert_true(cm_lax_fields(&c, f, 2) && f[0].present && f[1].present);
    assert_int_equal(cm_lax_uint(&f[0].value), 1);
    assert_int_equal(cm_lax_uint(&f[1].value), 2);
    assert_false(cm_lax_fields(&d, less, 1)); /* a key that is not known */
    d = open_of(CM_LIT("\xa2\x61"
                       "a\x01\x61"
                       "a\x02"));
    less[0].present = false;
    assert_false(cm_lax_fields(&d, less, 1)); /* the same twice */
}

static void refused(void **state)
{
    static const cm_view bad[] = {
        {NULL, 0},
        {(const uint8_t *)"\x18\x17", 2},                             /* longer than need be */
        {(const uint8_t *)"\x19\x00\xff", 3},                         /* likewise */
        {(const uint8_t *)"\x41", 1},                                 /* cut */
        {(const uint8_t *)"\x5f\x41\x00\xff", 4},                     /* in chunks */
        {(const uint8_t *)"\x82\x01", 2},                             /* an item is missing */
        {(const uint8_t *)"\x9f\x01", 2},                             /* no end */
        {(const uint8_t *)"\xff", 1},                                 /* an end of nothing */
        {(const uint8_t *)"\xbf\x01\xff", 3},                         /* a key without a value */
        {(const uint8_t *)"\xfb\0\0\0\0\0\0\0\0", 9},                 /* a float */
        {(const uint8_t *)"\xe0", 1},                                 /* a simple value */
        {(const uint8_t *)"\x1c", 1},                                 /* reserved */
        {(const uint8_t *)"\x61\xff", 2},                             /* no UTF-8 */
        {(const uint8_t *)"\x01\x01", 2},                             /* something behind */
        {(const uint8_t *)"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* more than can be */
        {(const uint8_t *)"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9},
        {(const uint8_t *)"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81"
                          "\x01",
         18}, /* too deep */
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_lax c;

        if (cm_ok(cm_lax_open(&c, bad[i])))
            fail_msg("case %zu was read", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(containers),
        cmocka_unit_test(fields),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
