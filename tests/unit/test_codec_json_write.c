/* The JSON writer: bytes, escapes, misuse, a buffer that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/json.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static void assert_bytes(const cm_buf *b, const char *expected)
{
    assert_int_equal(b->n, strlen(expected));
    assert_memory_equal(b->p, expected, b->n);
}

static void write_everything(cm_json_writer *w)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "text", CM_LIT("x\"y"));
    cm_json_put_u64(w, "most", UINT64_MAX);
    cm_json_put_i64(w, "least", INT64_MIN);
    cm_json_begin_array(w, "list");
    cm_json_put_bool(w, NULL, true);
    cm_json_put_bool(w, NULL, false);
    cm_json_begin_object(w, NULL);
    cm_json_end_object(w);
    cm_json_begin_array(w, NULL);
    cm_json_end_array(w);
    cm_json_put_null(w, NULL);
    cm_json_end_array(w);
    cm_json_begin_object(w, "inner");
    cm_json_put_hex(w, "hex", CM_LIT("\x00\xff"));
    cm_json_end_object(w);
    cm_json_put_key(w, CM_LIT("n\0ul"));
    cm_json_put_fixed(w, NULL, 0.25);
    cm_json_put_number(w, "digits", CM_LIT("1.50E+9"));
    cm_json_end_object(w);
}

#define EVERYTHING                                                                        \
    "{\"text\":\"x\\\"y\",\"most\":18446744073709551615,\"least\":-9223372036854775808,"  \
    "\"list\":[true,false,{},[],null],\"inner\":{\"hex\":\"00ff\"},\"n\\u0000ul\":0.250," \
    "\"digits\":1.50E+9}"

static void everything_once(void **state)
{
    cm_buf b = {.max = 1024};
    cm_json_writer w = {.out = &b};

    (void)state;
    write_everything(&w);
    OK(cm_json_finish(&w));
    assert_bytes(&b, EVERYTHING);
    cm_buf_free(&b);
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    for (size_t max = 0; max < sizeof EVERYTHING - 1; max++) {
        cm_buf b = {.max = max};
        cm_json_writer w = {.out = &b};

        write_everything(&w);
        IS(cm_json_finish(&w), TOO_BIG);
        assert_memory_equal(b.n ? (const void *)b.p : "", EVERYTHING, b.n);
        cm_buf_free(&b);
    }
}

static void lines_of_json(void **state)
{
    cm_buf b = {.max = 64};
    cm_json_writer w = {.out = &b};

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        cm_json_begin_array(&w, NULL);
        cm_json_put_u64(&w, NULL, i);
        cm_json_end_array(&w);
        OK(cm_json_finish(&w));
        OK(cm_buf_byte(&b, '\n'));
    }
    assert_bytes(&b, "[0]\n[1]\n[2]\n");
    cm_buf_free(&b);
}

static void strings(void **state)
{
    static const struct {
        const char *raw, *json;
    } t[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"\\/\b\f\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f\x1b[0m", "\"\\u0001\\u001f\\u007f\\u001b[0m\""},
        {"\xc3\xbc\xf0\x9f\x98\x80", "\"\xc3\xbc\xf0\x9f\x98\x80\""},
        {"a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_buf b = {.max = 64};
        cm_json_writer w = {.out = &b};

        cm_json_put_text(&w, NULL, cm_view_str(t[i].raw));
        OK(cm_json_finish(&w));
        assert_bytes(&b, t[i].json);
        cm_buf_free(&b);
    }
}

static void fixed_numbers(void **state)
{
    static const struct {
        double v;
        const char *json;
    } t[] = {
        {0, "0.000"},
        {-0.0, "0.000"},
        {1, "1.000"},
        {-1.5, "-1.500"},
        {0.0004, "0.000"},
        {-0.0004, "0.000"},
        {0.0006, "0.001"},
        {-0.0006, "-0.001"},
        {0.9996, "1.000"},
        {1234567.891, "1234567.891"},
        {8e15, "8000000000000000.000"},
        {9e15, "null"},
        {-9e15, "null"},
        {1e300, "null"},
        {__builtin_inf(), "null"},
        {-__builtin_inf(), "null"},
        {__builtin_nan(""), "null"},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_buf b = {.max = 64};
        cm_json_writer w = {.out = &b};

        cm_json_put_fixed(&w, NULL, t[i].v);
        OK(cm_json_finish(&w));
        assert_bytes(&b, t[i].json);
        cm_buf_free(&b);
    }
}

static void numbers_are_checked(void **state)
{
    static const char *const bad[] = {"", "01", "1.", "-", "1e", "NaN", "1 ", " 1", "1,2", "+1"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_buf b = {.max = 64};
        cm_json_writer w = {.out = &b};

        cm_json_put_number(&w, NULL, cm_view_str(bad[i]));
        IS(cm_json_finish(&w), BAD_ARGUMENT);
        assert_int_equal(b.n, 0);
        cm_buf_free(&b);
    }
}

/* ---- misuse: each of these would not be JSON ---------------------------------------------------
 */

static void nothing(cm_json_writer *w)
{
    (void)w;
}

static void key_at_the_top(cm_json_writer *w)
{
    cm_json_put_u64(w, "k", 1);
}

static void two_at_the_top(cm_json_writer *w)
{
    cm_json_put_u64(w, NULL, 1);
    cm_json_put_u64(w, NULL, 2);
}

static void left_open(cm_json_writer *w)
{
    cm_json_begin_array(w, NULL);
}

static void key_in_an_array(cm_json_writer *w)
{
    cm_json_begin_array(w, NULL);
    cm_json_put_null(w, "k");
    cm_json_end_array(w);
}

static void no_key_in_an_object(cm_json_writer *w)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_null(w, NULL);
    cm_json_end_object(w);
}

static void key_without_value(cm_json_writer *w)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_key(w, CM_LIT("k"));
    cm_json_end_object(w);
}

static void two_keys(cm_json_writer *w)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_key(w, CM_LIT("k"));
    cm_json_put_null(w, "l");
    cm_json_end_object(w);
}

static void wrong_end(cm_json_writer *w)
{
    cm_json_begin_object(w, NULL);
    cm_json_end_array(w);
}

static void end_too_much(cm_json_writer *w)
{
    cm_json_begin_array(w, NULL);
    cm_json_end_array(w);
    cm_json_end_array(w);
}

static void an_object_after_an_array(cm_json_writer *w)
{
    cm_json_begin_array(w, NULL);
    cm_json_begin_object(w, NULL);
    cm_json_end_object(w);
    cm_json_put_null(w, "k");
    cm_json_end_array(w);
}

static void too_deep(cm_json_writer *w)
{
    for (int i = 0; i <= CM_JSON_WRITE_DEPTH; i++)
        cm_json_begin_array(w, NULL);
    for (int i = 0; i <= CM_JSON_WRITE_DEPTH; i++)
        cm_json_end_array(w);
}

static void misuse_is_told(void **state)
{
    static void (*const t[])(cm_json_writer *) = {
        nothing,           key_at_the_top,
        two_at_the_top,    left_open,
        key_in_an_array,   two_keys,
        wrong_end,         end_too_much,
        too_deep,          no_key_in_an_object,
        key_without_value, an_object_after_an_array,
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_buf b = {.max = 256};
        cm_json_writer w = {.out = &b};

        t[i](&w);
        IS(cm_json_finish(&w), BAD_ARGUMENT);
        IS(cm_json_finish(&w), BAD_ARGUMENT);
        cm_buf_free(&b);
    }
}

static void deep_enough(void **state)
{
    cm_buf b = {.max = 1024};
    cm_json_writer w = {.out = &b};

    (void)state;
    for (int i = 0; i < CM_JSON_WRITE_DEPTH; i++)
        cm_json_begin_object(&w, i ? "" : NULL);
    for (int i = 0; i < CM_JSON_WRITE_DEPTH; i++)
        cm_json_end_object(&w);
    OK(cm_json_finish(&w));
    cm_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_once), cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(lines_of_json),   cmocka_unit_test(strings),
        cmocka_unit_test(fixed_numbers),   cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(misuse_is_told),  cmocka_unit_test(deep_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
