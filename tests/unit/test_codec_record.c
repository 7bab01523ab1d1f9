/* Records: a map that fits a table of fields, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "codec/text.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_view unhex(cm_buf *b, const char *hex)
{
    b->n = 0;
    OK(cm_hex_decode(b, cm_view_str(hex)));
    return cm_buf_view(b);
}

static const cm_cbor_field fields[] = {
    {1, CM_CBOR_UINT, true, 1, 9},    {2, CM_CBOR_BYTES, false, 2, 3},
    {5, CM_CBOR_TEXT, false, 0, 4},   {9, CM_CBOR_BOOL, false, 0, 0},
    {10, CM_CBOR_ARRAY, false, 1, 8}, {300, CM_CBOR_MAP, true, 0, 8},
};

static void records_read_and_write_back(void **state)
{
    static const char *const good[] = {
        "a2010119012ca0",
        "a601090242010205616109f50a810119012ca10102",
        "a50101056009f40a8019012ca0",
    };
    cm_buf b = {.max = 64}, out = {.max = 64};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        cm_cbor_value v[CM_COUNT(fields)];
        uint64_t bad = 7;
        cm_cbor c;

        OK(cm_cbor_open(&c, unhex(&b, good[i]), NULL));
        OK(cm_cbor_record(&c, fields, v, CM_COUNT(v), &bad));
        OK(cm_cbor_end(&c));
        assert_int_equal(bad, 7);
        out.n = 0;
        OK(cm_cbor_put_record(&out, fields, v, CM_COUNT(v)));
        assert_true(cm_view_eq(cm_buf_view(&out), cm_buf_view(&b)));
    }
    cm_buf_free(&b);
    cm_buf_free(&out);
}

static void bad_records_are_refused(void **state)
{
    static const struct {
        const char *hex;
        uint64_t key;
    } bad[] = {
        {"a0", 1}, /* required ones are missing */
        {"a10101", 300},
        {"a119012ca0", 1},
        {"a30000010119012ca0", 0}, /* unknown keys: below, between, above */
        {"a30101030119012ca0", 3},
        {"a3010119012ca019012df5", 301},
        {"a3010119012ca06161f5", 300}, /* a key that is no number; the last good one is named */
        {"a2010019012ca0", 1},         /* values out of bounds */
        {"a2010a19012ca0", 1},
        {"a3010102410019012ca0", 2},
        {"a3010102440000000019012ca0", 2},
        {"a301010565616263646519012ca0", 5},
        {"a2014019012ca0", 1}, /* other types */
        {"a2010119012c80", 300},
        {"a30101050019012ca0", 5},
        {"a30101090119012ca0", 9},
        {"a301010aa019012ca0", 10},
        {"a2010119012ca400010203040506f5", 300}, /* an encoding that is too long */
    };
    cm_buf b = {.max = 64};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_cbor_value v[CM_COUNT(fields)], before[CM_COUNT(fields)];
        uint64_t key = 7777, u;
        cm_cbor c;

        memset(v, 0x5a, sizeof v);
        memset(before, 0x5a, sizeof before);
        OK(cm_cbor_open(&c, unhex(&b, bad[i].hex), NULL));
        IS(cm_cbor_record(&c, fields, v, CM_COUNT(v), &key), CBOR_FIELD);
        assert_int_equal(key, bad[i].key);
        assert_memory_equal(v, before, sizeof v);
        IS(cm_cbor_uint(&c, &u), CBOR_FIELD);
    }
    cm_buf_free(&b);
}

static void records_need_a_map_and_an_ordered_table(void **state)
{
    static const cm_cbor_field unordered[] = {{2, CM_CBOR_UINT, false, 0, 9},
                                              {1, CM_CBOR_UINT, false, 0, 9}},
                               twice[] = {{2, CM_CBOR_UINT, false, 0, 9},
                                          {2, CM_CBOR_UINT, false, 0, 9}},
                               no_value[] = {{1, CM_CBOR_NULL, false, 0, 9}};
    cm_cbor_value v[2] = {{.present = true}};
    cm_buf b = {.max = 64};
    cm_cbor c;

    (void)state;
    OK(cm_cbor_open(&c, unhex(&b, "a0"), NULL));
    IS(cm_cbor_record(&c, unordered, v, 2, NULL), BAD_ARGUMENT);
    IS(cm_cbor_record(&c, twice, v, 2, NULL), BAD_ARGUMENT);
    IS(cm_cbor_record(&c, no_value, v, 1, NULL), BAD_ARGUMENT);
    OK(cm_cbor_open(&c, unhex(&b, "80"), NULL));
    IS(cm_cbor_record(&c, fields, v, 0, NULL), CBOR_TYPE);
    b.n = 0;
    IS(cm_cbor_put_record(&b, unordered, v, 2), BAD_ARGUMENT);
    assert_int_equal(b.n, 0);
    cm_buf_free(&b);
}

static void records_in_a_row(void **state)
{
    static const cm_cbor_field one[] = {{1, CM_CBOR_UINT, true, 0, 99}};
    cm_buf b = {.max = 64};
    cm_cbor_value v;
    uint64_t n;
    cm_cbor c;

    (void)state;
    OK(cm_cbor_open(&c, unhex(&b, "83a1010aa1010b07"), NULL));
    OK(cm_cbor_array(&c, &n));
    OK(cm_cbor_record(&c, one, &v, 1, NULL));
    assert_int_equal(v.u, 10);
    OK(cm_cbor_record(&c, one, &v, 1, NULL));
    assert_int_equal(v.u, 11);
    IS(cm_cbor_record(&c, one, &v, 1, NULL), CBOR_TYPE);
    assert_int_equal(v.u, 11);
    cm_buf_free(&b);
}

/* What cannot be read is not written. */
static void bad_values_are_not_written(void **state)
{
    static const cm_cbor_value good[CM_COUNT(fields)] = {
        [0] = {.present = true, .u = 3},
        [5] = {.present = true, .v = {(const uint8_t *)"\xa0", 1}}};
    static const struct {
        size_t i;
        cm_cbor_value v;
    } bad[] = {
        {0, {.present = false}},
        {0, {.present = true, .u = 10}},
        {1, {.present = true, .v = {(const uint8_t *)"x", 1}}},
        {2, {.present = true, .v = {(const uint8_t *)"\xff", 1}}},
        {2, {.present = true, .v = {(const uint8_t *)"12345", 5}}},
        {4, {.present = true, .v = {(const uint8_t *)"\xa0", 1}}},
        {4, {.present = true, .v = {(const uint8_t *)"\x81", 1}}},
        {5, {.present = true, .v = {(const uint8_t *)"\x80", 1}}},
        {5, {.present = true, .v = {(const uint8_t *)"\xa0\xa0", 2}}},
        {5, {.present = true}},
    };
    cm_buf b = {.max = 64};

    (void)state;
    OK(cm_cbor_put_record(&b, fields, good, CM_COUNT(good)));
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_cbor_value v[CM_COUNT(fields)];
        size_t before = b.n;

        memcpy(v, good, sizeof v);
        v[bad[i].i] = bad[i].v;
        IS(cm_cbor_put_record(&b, fields, v, CM_COUNT(v)), BAD_ARGUMENT);
        assert_int_equal(b.n, before);
    }
    for (size_t max = 0; max < 7; max++) {
        cm_buf small = {.max = max};

        IS(cm_cbor_put_record(&small, fields, good, CM_COUNT(good)), TOO_BIG);
        assert_int_equal(small.n, 0);
        cm_buf_free(&small);
    }
    cm_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_read_and_write_back),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(records_need_a_map_and_an_ordered_table),
        cmocka_unit_test(records_in_a_row),
        cmocka_unit_test(bad_values_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
