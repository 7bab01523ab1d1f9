/* safetensors headers: what the reference reads, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "sealed/format.h"
#include "tensors.h"

enum { FILE_MAX = 4096 };

struct file {
    uint8_t b[FILE_MAX];
    size_t n;
};

static void make(struct file *f, const char *header, size_t data)
{
    size_t n = strlen(header);

    assert_true(8 + n + data <= FILE_MAX);
    cm_put_le64(f->b, n);
    memcpy(f->b + 8, header, n);
    memset(f->b + 8 + n, 0xee, data);
    f->n = 8 + n + data;
}

static cm_err parse(cm_tensors *t, const struct file *f, uint64_t base, uint64_t *at)
{
    struct t_bytes b = {.v = cm_view_of(f->b, f->n)};
    cm_source s = t_source(&b);

    return cm_safetensors_parse(t, &s, base, at);
}

static const char two[] = "{\"__metadata__\":{\"format\":\"pt\",\"n\":\"\\u00e9\"},"
                          "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                          "\"a\":{\"data_offsets\":[0,4],\"shape\":[],\"dtype\":\"F32\"}}   ";

static void reads_tensors_in_the_order_of_their_offsets(void **state)
{
    cm_tensors t = {0};
    struct file f;
    uint64_t start = 8 + strlen(two);

    (void)state;
    make(&f, two, 16);
    assert_true(cm_ok(parse(&t, &f, 1000, NULL)));
    assert_int_equal(t.n, 2);
    assert_true(cm_view_eq(t.v[0].name, CM_LIT("a")));
    assert_string_equal(t.v[0].dtype, "F32");
    assert_int_equal(t.v[0].dims, 0);
    assert_int_equal(t.v[0].offset, 1000 + start);
    assert_int_equal(t.v[0].size, 4);
    assert_string_equal(t.v[1].dtype, "BF16");
    assert_int_equal(t.v[1].dims, 2);
    assert_int_equal(t.v[1].shape[0], 2);
    assert_int_equal(t.v[1].shape[1], 3);
    assert_int_equal(t.v[1].offset, 1000 + start + 4);
    assert_int_equal(t.v[1].size, 12);
    assert_ptr_equal(cm_tensors_find(&t, CM_LIT("b")), &t.v[1]);
    assert_null(cm_tensors_find(&t, CM_LIT("c")));
    assert_null(cm_tensors_find(&t, CM_LIT("")));
    t_check_tensors(&t, 1000, f.n);
    cm_tensors_free(&t);
    cm_tensors_free(&t);
}

static void never_reads_weights(void **state)
{
    struct file f;
    struct t_bytes b;
    cm_tensors t = {0};
    cm_source s;

    (void)state;
    make(&f, two, 16);
    for (size_t piece = 0; piece < 9; piece++) {
        b = (struct t_bytes){.v = cm_view_of(f.b, f.n), .piece = piece};
        s = t_source(&b);
        assert_true(cm_ok(cm_safetensors_parse(&t, &s, 0, NULL)));
        assert_int_equal(b.highest, 8 + strlen(two));
        cm_tensors_free(&t);
    }
}

static void knows_every_dtype(void **state)
{
    static const struct {
        const char *name;
        unsigned bits;
    } all[] = {
        {"BOOL", 8},        {"U8", 8},          {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
        {"F8_E8M0", 8},     {"F8_E4M3FNUZ", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
        {"F8_E5M2FNUZ", 8}, {"I16", 16},        {"U16", 16}, {"F16", 16},    {"BF16", 16},
        {"I32", 32},        {"U32", 32},        {"F32", 32}, {"F64", 64},    {"I64", 64},
        {"U64", 64},        {"C64", 64},
    };
    char header[128];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++) {
        unsigned size = 8 * all[i].bits / 8;

        for (int off = -1; off <= 1; off++) {
            cm_tensors t = {0};
            struct file f;
            cm_err e;

            snprintf(header, sizeof header,
                     "{\"t\":{\"dtype\":\"%s\",\"shape\":[4,2],\"data_offsets\":[0,%u]}}",
                     all[i].name, size + (unsigned)off);
            make(&f, header, size + (unsigned)off);
            e = parse(&t, &f, 0, NULL);
            assert_true(off == 0 ? cm_ok(e) : cm_is(e, CM_FORMAT_TENSOR));
            if (off == 0)
                assert_string_equal(t.v[0].dtype, all[i].name);
            cm_tensors_free(&t);
        }
    }
}

struct row {
    const char *header;
    size_t data;
    cm_reason want; /* 0: fine */
};

#define T(name, shape, from, to) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"
#define OK    CM_OK_REASON
#define BAD   CM_FORMAT_MALFORMED
#define PLACE CM_FORMAT_TENSOR

static const struct row rows[] = {
    {"{}", 0, OK},
    {"{ }  \n\t\r", 0, OK},
    {"{\"__metadata__\":{}}", 0, OK},
    {"{" T("", "1", 0, 1) "}", 1, OK},
    {"{" T("a", "0", 0, 0) "," T("b", "0,9", 0, 0) "," T("c", "2", 0, 2) "," T("d", "0", 2, 2) "}",
     2, OK},
    {"{" T("\\u0041\\ud83d\\ude00\\n\\/", "1", 0, 1) "}", 1, OK},
    {"{" T("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "1", 0, 1) "}", 1, OK},
    {"{" T("a", "1,1,1,1,1,1,1,1", 0, 1) "}", 1, OK},
    /* offsets cover the data without gap and overlap */
    {"{}", 1, PLACE},
    {"{" T("a", "1", 0, 1) "}", 2, PLACE},
    {"{" T("a", "1", 1, 2) "}", 2, PLACE},
    {"{" T("a", "2", 0, 2) "}", 1, PLACE},
    {"{" T("a", "1", 0, 1) "," T("b", "1", 2, 3) "}", 3, PLACE},
    {"{" T("a", "2", 0, 2) "," T("b", "2", 1, 3) "}", 3, PLACE},
    {"{" T("a", "2", 0, 2) "," T("b", "2", 0, 2) "}", 2, PLACE},
    {"{" T("a", "1", 1, 0) "}", 1, PLACE},
    {"{" T("a", "3", 0, 2) "}", 2, PLACE},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, PLACE},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, PLACE},
    /* sizes that wrap around */
    {"{" T("a", "4294967296,4294967296", 0, 0) "}", 0, PLACE},
    {"{" T("a", "2305843009213693952,8", 0, 0) "}", 0, PLACE},
    {"{" T("a", "9223372036854775808", 0, 9223372036854775808) "}", 1, PLACE},
    {"{" T("a", "18446744073709551615", 1, 0) "}", 1, PLACE},
    {"{" T("a", "18446744073709551616", 0, 1) "}", 1, BAD},
    /* names */
    {"{" T("a", "1", 0, 1) "," T("a", "1", 1, 2) "}", 2, CM_FORMAT_DUPLICATE},
    {"{" T("a", "1", 0, 1) "," T("\\u0061", "1", 1, 2) "}", 2, CM_FORMAT_DUPLICATE},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, CM_FORMAT_DUPLICATE},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0, CM_FORMAT_DUPLICATE},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, BAD},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":1}}", 1, BAD},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0, BAD},
    {"{\"a\":{}}", 0, BAD},
    {"{\"a\":{\"dtype\":\"U9\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, CM_FORMAT_TYPE},
    {"{" T("a", "1,1,1,1,1,1,1,1,1", 0, 1) "}", 1, CM_FORMAT_LIMIT},
    /* JSON */
    {"", 0, BAD},
    {"[]", 0, BAD},
    {" {}", 0, BAD},
    {"{", 0, BAD},
    {"{}x", 0, BAD},
    {"{},", 0, BAD},
    {"{,}", 0, BAD},
    {"{" T("a", "1", 0, 1) ",}", 1, BAD},
    {"{" T("a", "1", 0, 1) " " T("b", "1", 1, 2) "}", 2, BAD},
    {"{" T("a", "1,", 0, 1) "}", 1, BAD},
    {"{" T("a", "01", 0, 1) "}", 1, BAD},
    {"{" T("a", "+1", 0, 1) "}", 1, BAD},
    {"{" T("a", "-1", 0, 1) "}", 1, BAD},
    {"{" T("a", "1.0", 0, 1) "}", 1, BAD},
    {"{" T("a", "1e0", 0, 1) "}", 1, BAD},
    {"{" T("a", "[1]", 0, 1) "}", 1, BAD},
    {"{" T("a", "\\\"1\\\"", 0, 1) "}", 1, BAD},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 0, BAD},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, CM_FORMAT_LIMIT},
    {"{\"a\":null}", 0, BAD},
    {"{\"__metadata__\":null}", 0, BAD},
    {"{\"__metadata__\":{\"a\":1}}", 0, BAD},
    {"{'a':{}}", 0, BAD},
    {"{" T("\n", "1", 0, 1) "}", 1, BAD},
    {"{" T("\\x", "1", 0, 1) "}", 1, BAD},
    {"{" T("\\u12g4", "1", 0, 1) "}", 1, BAD},
    {"{" T("\\ud800", "1", 0, 1) "}", 1, BAD},
    {"{" T("\\ud800\\u0041", "1", 0, 1) "}", 1, BAD},
    {"{" T("\\udc00", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xff", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xc0\xaf", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xe0\x80\xaf", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xed\xa0\x80", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xf4\x90\x80\x80", "1", 0, 1) "}", 1, BAD},
    {"{" T("\xc3", "1", 0, 1) "}", 1, BAD},
};

static void accepts_what_the_reference_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        cm_tensors t = {.n = 77};
        uint64_t at = UINT64_MAX;
        struct file f;
        cm_err e;

        make(&f, rows[i].header, rows[i].data);
        e = parse(&t, &f, 0, &at);
        if (e.v != (uint32_t)rows[i].want)
            print_error("%s: %s\n", rows[i].header, cm_err_name(e));
        assert_int_equal(e.v, rows[i].want);
        if (cm_ok(e)) {
            t_check_tensors(&t, 0, f.n);
            cm_tensors_free(&t);
        } else {
            assert_int_equal(t.n, 77);
            assert_true(at <= f.n);
        }
    }
}

static void says_where_it_went_wrong(void **state)
{
    struct file f;
    cm_tensors t = {0};
    uint64_t at;

    (void)state;
    make(&f, "{\"a\":?}", 0);
    assert_true(cm_is(parse(&t, &f, 0, &at), CM_FORMAT_MALFORMED));
    assert_int_equal(at, 8 + 5);
    make(&f, "{" T("a", "1", 0, 1) "," T("b", "1", 3, 4) "}", 4);
    assert_true(cm_is(parse(&t, &f, 99, &at), CM_FORMAT_TENSOR));
    assert_int_equal(at, f.n - 1);
}

static void long_names_and_absurd_lengths(void **state)
{
    static const uint64_t lengths[] = {
        100000001, UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX,
    };
    char header[2 * CM_TENSOR_NAME_MAX];
    struct file f;
    cm_tensors t = {0};

    (void)state;
    for (int over = 0; over < 2; over++) {
        int n = CM_TENSOR_NAME_MAX + over;

        snprintf(header, sizeof header,
                 "{\"%0*d\":{\"dtype\":\"U8\",\"shape\":[],"
                 "\"data_offsets\":[0,1]}}",
                 n, 0);
        make(&f, header, 1);
        if (over)
            assert_true(cm_is(parse(&t, &f, 0, NULL), CM_FORMAT_LIMIT));
        else
            assert_true(cm_ok(parse(&t, &f, 0, NULL)));
        cm_tensors_free(&t);
    }
    make(&f, "{}", 0);
    for (size_t i = 0; i < CM_COUNT(lengths); i++) {
        cm_put_le64(f.b, lengths[i]);
        assert_true(cm_is(parse(&t, &f, 0, NULL), CM_FORMAT_LIMIT));
    }
    cm_put_le64(f.b, 3);
    assert_true(cm_is(parse(&t, &f, 0, NULL), CM_FORMAT_TRUNCATED));
    cm_put_le64(f.b, 100000000);
    assert_true(cm_is(parse(&t, &f, 0, NULL), CM_FORMAT_TRUNCATED));
}

static void a_file_that_shrinks_is_no_crash(void **state)
{
    struct file f;
    cm_tensors t = {0};

    (void)state;
    make(&f, two, 16);
    for (size_t n = 0; n < 8 + strlen(two); n++) {
        struct t_bytes b = {.v = cm_view_of(f.b, n), .size = f.n};
        cm_source s = t_source(&b);

        assert_true(cm_is(cm_safetensors_parse(&t, &s, 0, NULL), CM_IO_SHORT));
    }
}

static void every_truncation_and_every_changed_byte(void **state)
{
    struct file f;
    size_t fine = 0;

    (void)state;
    make(&f, two, 16);
    for (size_t n = 0; n < f.n; n++) {
        struct file g = f;
        cm_tensors t = {0};

        g.n = n;
        assert_true(cm_failed(parse(&t, &g, 0, NULL)));
    }
    for (size_t i = 0; i < 8 + strlen(two); i++) {
        for (unsigned x = 1; x < 256; x++) {
            struct file g = f;
            cm_tensors t = {0};

            g.b[i] ^= (uint8_t)x;
            if (cm_ok(parse(&t, &g, 7, NULL))) {
                t_check_tensors(&t, 7, g.n);
                fine++;
            }
            cm_tensors_free(&t);
        }
    }
    assert_true(fine > 0); /* other names, other white space */
}

/* Slow machines and sanitizers get ten times what a quiet machine needs. */
static void a_million_tensors(void **state)
{
    size_t n = CM_TENSORS_MAX, cap = 100 * n, used = 8;
    char *p = malloc(cap);
    cm_tensors t = {0};
    struct t_bytes b;
    clock_t start;
    cm_source s;

    (void)state;
    assert_non_null(p);
    p[used++] = '{';
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(p + used, cap - used,
                                 "%s\"l.%zu.w\":{\"dtype\":\"U8\",\"shape\":[1],"
                                 "\"data_offsets\":[%zu,%zu]}",
                                 i ? "," : "", i * 7919 % n, i, i + 1);
    p[used++] = '}';
    cm_put_le64((uint8_t *)p, used - 8);
    b = (struct t_bytes){.v = cm_view_of(p, used), .size = used + n};
    s = t_source(&b);
    start = clock();
    assert_true(cm_ok(cm_safetensors_parse(&t, &s, 0, NULL)));
    print_message("%zu tensors, %zu bytes: %.2f s\n", n, used,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
    assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
    assert_int_equal(t.n, n);
    assert_ptr_equal(cm_tensors_find(&t, CM_LIT("l.7919.w")), &t.v[1]);
    cm_tensors_free(&t);
    free(p);
}

static void guesses_by_the_first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        cm_format want;
    } all[] = {
        {"", 0, CM_FORMAT_RAW},
        {"GGUF", 4, CM_FORMAT_GGUF},
        {"GGUE", 4, CM_FORMAT_RAW},
        {"\2\0\0\0\0\0\0\0{}", 10, CM_FORMAT_SAFETENSORS},
        {"\2\0\0\0\0\0\0\0[]", 10, CM_FORMAT_RAW},
        {"\3\0\0\0\0\0\0\0{}", 10, CM_FORMAT_RAW},
        {"\2\0\0\0\0\0\0\x80{}", 10, CM_FORMAT_RAW},
        {"\2\0\0\0\0\0\0\0", 8, CM_FORMAT_RAW},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++) {
        struct t_bytes b = {.v = cm_view_of(all[i].bytes, all[i].n)};
        cm_source s = t_source(&b);
        cm_format f, g;

        assert_true(cm_ok(cm_format_guess(&f, &s)));
        assert_int_equal(f, all[i].want);
        assert_true(cm_ok(cm_format_by_name(&g, cm_view_str(cm_format_name(f)))));
        assert_int_equal(f, g);
    }
    assert_true(cm_is(cm_format_by_name(&(cm_format){0}, CM_LIT("pickle")), CM_FORMAT_UNKNOWN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors_in_the_order_of_their_offsets),
        cmocka_unit_test(never_reads_weights),
        cmocka_unit_test(knows_every_dtype),
        cmocka_unit_test(accepts_what_the_reference_does),
        cmocka_unit_test(says_where_it_went_wrong),
        cmocka_unit_test(long_names_and_absurd_lengths),
        cmocka_unit_test(a_file_that_shrinks_is_no_crash),
        cmocka_unit_test(every_truncation_and_every_changed_byte),
        cmocka_unit_test(a_million_tensors),
        cmocka_unit_test(guesses_by_the_first_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
