/* The JSON reader: what it takes, what it refuses and where, limits, lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/json.h"
#include "json_copy.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Parse an exact heap copy, freed before anything is read: nodes must not point into the text. */
static cm_err parse(cm_json **j, cm_view text, const cm_json_limits *limits, size_t *at)
{
    cm_buf copy = {.max = SIZE_MAX};
    cm_err e;

    OK(cm_buf_append(&copy, text));
    e = cm_json_parse(j, cm_buf_view(&copy), limits, at);
    cm_buf_free(&copy);
    return e;
}

static void write_back(cm_buf *out, const cm_json *j)
{
    cm_json_writer w = {.out = out};

    json_copy(&w, cm_json_root(j));
    OK(cm_json_finish(&w));
}

/* Every byte at every place of strings of every length up to a few words. */
static void strings_end_where_they_do(void **state)
{
    enum { LONGEST = 26 };

    (void)state;
    for (size_t n = 1; n <= LONGEST; n++)
        for (size_t at = 0; at < n; at++)
            for (unsigned c = 0; c < 256; c++) {
                uint8_t text[LONGEST + 2];
                cm_json *j = NULL;
                bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                cm_err e;

                memset(text, 'a' + (int)(n % 2) * ('~' - 'a'), sizeof text);
                text[0] = text[n + 1] = '"';
                text[at + 1] = (uint8_t)c;
                e = cm_json_parse(&j, cm_view_of(text, n + 2), NULL, NULL);
                assert_int_equal(cm_ok(e), good);
                if (good) {
                    cm_view got;

                    OK(cm_json_string(cm_json_root(j), &got));
                    assert_int_equal(got.n, n);
                    assert_memory_equal(got.p, text + 1, n);
                } else
                    IS(e, JSON_MALFORMED);
                cm_json_free(j);
            }
}

static void reads_and_writes_back(void **state)
{
    static const char *const t[][2] = {
        {"null", "null"},
        {" true\r\n", "true"},
        {"\tfalse ", "false"},
        {"0", "0"},
        {"-0", "-0"},
        {"-12.50e+3", "-12.50e+3"},
        {"1E400", "1E400"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"\"\"", "\"\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"{ }", "{}"},
        {"[1,2,[3,[],{}],\"x\"]", "[1,2,[3,[],{}],\"x\"]"},
        {"[[[[1],2],3],4]", "[[[[1],2],3],4]"},
        {"{\"a\" : {\"b\":[ {} ,{\"c\":null}]}, \"d\":1 }",
         "{\"a\":{\"b\":[{},{\"c\":null}]},\"d\":1}"},
        {"{\"\":1}", "{\"\":1}"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\\u0000\\u001F\\u007f\"", "\"\\u0000\\u001f\\u007f\""},
        {"\"\\ud800\\udc00\\udbff\\udfff\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\"",
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\""},
        {"{\"a\\n\":\"b\",\"\\u0061\\u0000\":1}", "{\"a\\n\":\"b\",\"a\\u0000\":1}"},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_buf out = {.max = 256};
        cm_json *j = NULL, *again = NULL;

        OK(parse(&j, cm_view_str(t[i][0]), NULL, NULL));
        write_back(&out, j);
        assert_int_equal(out.n, strlen(t[i][1]));
        assert_memory_equal(out.p, t[i][1], out.n);
        OK(parse(&again, cm_buf_view(&out), NULL, NULL));
        cm_json_free(j);
        cm_json_free(again);
        cm_buf_free(&out);
    }
    cm_json_free(NULL);
}

static void refuses_and_says_where(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } t[] = {
        {"", 0},
        {"  ", 2},
        {"nul", 0},
        {"nulL", 0},
        {"True", 0},
        {"NaN", 0},
        {"Infinity", 0},
        {"-Infinity", 0},
        {"\xef\xbb\xbfnull", 0},
        {"1 2", 2},
        {"1,", 1},
        {"[]]", 2},
        {"{}}", 2},
        {"null\x0c", 4},
        /* numbers */
        {"01", 1},
        {"-", 0},
        {"-a", 0},
        {"+1", 0},
        {".5", 0},
        {"1.", 0},
        {"1.e5", 0},
        {"1e", 0},
        {"1e+", 0},
        {"[1.5.5]", 4},
        {"0x10", 1},
        {"1_0", 1},
        {"- 1", 0},
        /* structure */
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"{]", 1},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{\"a\":1 \"b\":2}", 7},
        {"{\"a\" 1}", 5},
        {"{1:2}", 1},
        {"{a:2}", 1},
        {"{,}", 1},
        {"{\"a\":1]", 6},
        {"[1]/**/", 3},
        {"'a'", 0},
        {"\"a\" // x", 4},
        /* strings */
        {"\"", 1},
        {"\"abc", 4},
        {"\"a\nb\"", 2},
        {"\"a\tb\"", 2},
        {"\"a\x01\"", 2},
        {"\"\\x41\"", 1},
        {"\"\\'\"", 1},
        {"\"\\", 1},
        {"\"\\u12\"", 1},
        {"\"\\u12g4\"", 1},
        {"\"\\u 123\"", 1},
        {"\"\\U0041\"", 1},
        {"\"ab\\ud800\"", 3},
        {"\"\\udc00\"", 1},
        {"\"\\ud800x\"", 1},
        {"\"\\ud800\\n\"", 1},
        {"\"\\ud800\\ud800\"", 1},
        {"\"\\ud800\\u0041\"", 1},
        {"\"\\ud800\\udc0\"", 1},
        {"\"abc\xff\"", 4},
        {"\"\xc3\"", 1},
        {"\"\xc0\xaf\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xf4\x90\x80\x80\"", 1},
        {"{\"\xff\":1}", 2},
        {"\xff", 0},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_json *j = NULL;
        size_t at = 999;
        cm_err e = parse(&j, cm_view_str(t[i].text), NULL, &at);

        if (!cm_is(e, CM_JSON_MALFORMED) || at != t[i].at)
            fail_msg("%s: %s at %zu", t[i].text, cm_err_name(e), at);
        assert_null(j);
    }
}

static void a_nul_is_no_end(void **state)
{
    cm_json *j = NULL;
    size_t at = 99;

    (void)state;
    IS(parse(&j, CM_LIT("1\0"), NULL, &at), JSON_MALFORMED);
    assert_int_equal(at, 1);
    IS(parse(&j, CM_LIT("\"a\0b\""), NULL, &at), JSON_MALFORMED);
    assert_int_equal(at, 2);
    assert_null(j);
}

static const char rich[] =
    "{\"weight\":{\"dtype\":\"F16\",\"shape\":[4096,11008],\"data_offsets\":[0,90177536]},"
    "\"__metadata__\":{\"format\":\"pt\",\"\\u00fc\\ud83d\\ude00\":\"\xc3\xbc\\n\"},"
    "\"a\":[true,false,null,-1.5e-7],\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":[[]]}";

static void every_truncation_is_refused(void **state)
{
    cm_json *j = NULL;

    (void)state;
    for (size_t n = 0; n < sizeof rich - 1; n++) {
        size_t at = 9999;

        IS(parse(&j, cm_view_of(rich, n), NULL, &at), JSON_MALFORMED);
        assert_true(at <= n);
        assert_null(j);
    }
    OK(parse(&j, cm_view_str(rich), NULL, NULL));
    cm_json_free(j);
}

/* Damage of any byte either is refused or gives a text that survives a round trip. */
static void every_byte_changed(void **state)
{
    char text[sizeof rich - 1];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        for (int x = 0; x < 256; x++) {
            cm_json *j = NULL;

            memcpy(text, rich, sizeof text);
            text[i] = (char)x;
            if (cm_ok(parse(&j, CM_VIEW(text), NULL, NULL))) {
                cm_buf out = {.max = 1024};

                write_back(&out, j);
                cm_buf_free(&out);
            }
            cm_json_free(j);
        }
    }
}

/* ---- duplicates ------------------------------------------------------------------------------ */

static void duplicates_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } t[] = {
        {"{\"a\":1,\"a\":2}", 7},
        {"{\"\":1,\"\":2}", 6},
        {"{\"a\":1,\"\\u0061\":2}", 7},
        {"{\"\\u0061\":1,\"a\":2}", 12},
        {"[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]", 19},
        {"{\"a\":1,\"b\":2,\"b\":3,\"a\":4}", 13},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"a\":1}", 55},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"h\":9,\"a\":1}", 49},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_json *j = NULL;
        size_t at = 999;
        cm_err e = parse(&j, cm_view_str(t[i].text), NULL, &at);

        if (!cm_is(e, CM_JSON_DUPLICATE) || at != t[i].at)
            fail_msg("%s: %s at %zu", t[i].text, cm_err_name(e), at);
        assert_null(j);
    }
}

static void same_key_in_different_objects(void **state)
{
    cm_json *j;

    (void)state;
    OK(parse(&j, CM_LIT("{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"A\":1,\"a\\u0000\":2}"), NULL,
             NULL));
    cm_json_free(j);
}

/* A header with n tensors named as models name them. Enough of them make hashes collide. */
static void put_header(cm_buf *b, size_t n)
{
    cm_json_writer w = {.out = b};
    char name[80];

    cm_json_begin_object(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "model.layers.%zu.mlp.experts.%zu.down_proj.weight", i / 100,
                 i % 100);
        cm_json_begin_object(&w, name);
        cm_json_put_text(&w, "dtype", CM_LIT("BF16"));
        cm_json_begin_array(&w, "shape");
        cm_json_put_u64(&w, NULL, i);
        cm_json_end_array(&w);
        cm_json_end_object(&w);
    }
    cm_json_end_object(&w);
    OK(cm_json_finish(&w));
}

static void a_huge_header(void **state)
{
    enum { TENSORS = 200000 };
    const cm_json_limits limits = {.bytes = 100 << 20, .nodes = 1 << 20};
    cm_buf b = {.max = 100 << 20};
    const cm_json_node *root, *n;
    char name[80];
    cm_json *j = NULL;
    uint64_t v;

    (void)state;
    put_header(&b, TENSORS);
    OK(parse(&j, cm_buf_view(&b), &limits, NULL));
    root = cm_json_root(j);
    assert_int_equal(cm_json_size(root), TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        snprintf(name, sizeof name, "model.layers.%zu.mlp.experts.%zu.down_proj.weight", i / 100,
                 i % 100);
        n = cm_json_get(root, name);
        assert_non_null(n);
        assert_true(cm_view_eq(cm_json_key(n), cm_view_str(name)));
        OK(cm_json_u64(cm_json_first(cm_json_get(n, "shape")), &v));
        assert_int_equal(v, i);
        name[6]++;
        assert_null(cm_json_get(root, name));
        /* What is absent has nothing inside: evidence without a member must not end a process. */
        assert_null(cm_json_first(cm_json_get(root, name)));
        assert_int_equal(cm_json_size(cm_json_get(root, name)), 0);
        assert_int_equal(cm_json_type_of(cm_json_get(root, name)), CM_JSON_NULL);
    }
    cm_json_free(j);

    /* The last member once more. */
    j = NULL;
    {
        size_t at = 0, end = --b.n;

        OK(cm_buf_append(&b, CM_LIT(",\"model.layers.7.mlp.experts.77.down_proj.weight\":0}")));
        IS(parse(&j, cm_buf_view(&b), &limits, &at), JSON_DUPLICATE);
        assert_int_equal(at, end + 1);
    }
    cm_buf_free(&b);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void limits_hold(void **state)
{
    static const struct {
        const char *text;
        cm_json_limits fits, short_of;
        size_t at;
    } t[] = {
        {"[1,2]", {.bytes = 5}, {.bytes = 4}, 4},
        {"[1,2]", {.nodes = 3}, {.nodes = 2}, 3},
        {"[[1],{\"a\":{}}]", {.depth = 3}, {.depth = 2}, 10},
        {"[\"abc\",\"a\"]", {.string = 3}, {.string = 2}, 1},
        {"[\"a\",\"\\u00fc\"]", {.string = 2}, {.string = 1}, 5},
        {"{\"abc\":1}", {.string = 3}, {.string = 2}, 1},
        {"[1,234]", {.string = 3}, {.string = 2}, 3},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_json *j = NULL;
        size_t at = 999;

        OK(parse(&j, cm_view_str(t[i].text), &t[i].fits, NULL));
        cm_json_free(j);
        j = NULL;
        IS(parse(&j, cm_view_str(t[i].text), &t[i].short_of, &at), JSON_LIMIT);
        assert_int_equal(at, t[i].at);
        assert_null(j);
    }
}

static void the_defaults(void **state)
{
    cm_buf b = {.max = 2 << 20};
    cm_json *j = NULL;

    (void)state;
    for (int i = 0; i < 32; i++)
        OK(cm_buf_byte(&b, '['));
    for (int i = 0; i < 32; i++)
        OK(cm_buf_byte(&b, ']'));
    OK(parse(&j, cm_buf_view(&b), NULL, NULL));
    cm_json_free(j);
    j = NULL;
    memset(b.p, '[', 33);
    IS(parse(&j, cm_buf_view(&b), NULL, NULL), JSON_LIMIT);

    b.n = 0;
    OK(cm_buf_reserve(&b, b.max));
    memset(b.p, ' ', b.max);
    b.p[0] = '1';
    b.n = 1 << 20;
    OK(parse(&j, cm_buf_view(&b), NULL, NULL));
    cm_json_free(j);
    j = NULL;
    b.n++;
    IS(parse(&j, cm_buf_view(&b), NULL, NULL), JSON_LIMIT);

    memset(b.p, 'x', b.max);
    b.p[0] = b.p[65537] = '"';
    b.n = 65538;
    OK(parse(&j, cm_buf_view(&b), NULL, NULL));
    cm_json_free(j);
    j = NULL;
    b.p[65537] = 'x';
    b.p[65538] = '"';
    b.n++;
    IS(parse(&j, cm_buf_view(&b), NULL, NULL), JSON_LIMIT);

    b.n = 0;
    OK(cm_buf_byte(&b, '['));
    for (int i = 0; i < 65534; i++)
        OK(cm_buf_append(&b, CM_LIT("0,")));
    OK(cm_buf_append(&b, CM_LIT("0]")));
    OK(parse(&j, cm_buf_view(&b), NULL, NULL));
    assert_int_equal(cm_json_size(cm_json_root(j)), 65535);
    cm_json_free(j);
    j = NULL;
    b.n--;
    OK(cm_buf_append(&b, CM_LIT(",0]")));
    IS(parse(&j, cm_buf_view(&b), NULL, NULL), JSON_LIMIT);
    cm_buf_free(&b);
}

/* A million brackets cost no stack. */
static void a_deep_bomb(void **state)
{
    const cm_json_limits limits = {.nodes = 1 << 21, .depth = 1 << 21, .bytes = 1 << 21};
    cm_buf b = {.max = 1 << 21};
    cm_json *j = NULL;
    size_t at;

    (void)state;
    OK(cm_buf_reserve(&b, b.max));
    b.n = b.max;
    memset(b.p, '[', b.n);
    IS(parse(&j, cm_buf_view(&b), NULL, &at), JSON_LIMIT);
    assert_int_equal(at, 0 + (1 << 20));
    IS(parse(&j, cm_buf_view(&b), &limits, &at), JSON_MALFORMED);
    memset(b.p + b.n / 2, ']', b.n / 2);
    OK(parse(&j, cm_buf_view(&b), &limits, &at));
    cm_json_free(j);
    cm_buf_free(&b);
}

/* ---- access ---------------------------------------------------------------------------------- */

static void walking(void **state)
{
    cm_json *j;
    const cm_json_node *root, *n;

    (void)state;
    OK(parse(&j, CM_LIT("{\"a\":[1,[2,3],4], \"b\" : {}, \"\":\"x\"}"), NULL, NULL));
    root = cm_json_root(j);
    assert_int_equal(cm_json_type_of(root), CM_JSON_OBJECT);
    assert_int_equal(cm_json_size(root), 3);
    assert_int_equal(cm_json_offset(root), 0);
    assert_null(cm_json_next(root));
    assert_int_equal(cm_json_key(root).n, 0);
    n = cm_json_first(root);
    assert_ptr_equal(n, cm_json_get(root, "a"));
    assert_int_equal(cm_json_size(n), 3);
    assert_int_equal(cm_json_offset(n), 5);
    n = cm_json_next(cm_json_first(n));
    assert_int_equal(cm_json_size(n), 2);
    assert_int_equal(cm_json_offset(n), 8);
    n = cm_json_next(n);
    assert_int_equal(cm_json_offset(n), 14);
    assert_null(cm_json_next(n));
    assert_null(cm_json_first(n));
    assert_int_equal(cm_json_size(n), 0);
    n = cm_json_next(cm_json_first(root));
    assert_true(cm_view_eq(cm_json_key(n), CM_LIT("b")));
    assert_null(cm_json_first(n));
    assert_null(cm_json_get(n, "a"));
    n = cm_json_next(n);
    assert_ptr_equal(n, cm_json_get(root, ""));
    assert_int_equal(cm_json_size(n), 0);
    assert_null(cm_json_next(n));
    assert_null(cm_json_get(n, "a"));
    assert_null(cm_json_get(NULL, "a"));
    assert_null(cm_json_get(root, "A"));
    cm_json_free(j);
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        bool is_u, is_i;
        uint64_t u;
        int64_t i;
    } t[] = {
        {"0", true, true, 0, 0},
        {"-0", false, true, 0, 0},
        {"7", true, true, 7, 7},
        {"-1", false, true, 0, -1},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, (uint64_t)1 << 63, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"1.0", false, false, 0, 0},
        {"1e3", false, false, 0, 0},
        {"-1.5", false, false, 0, 0},
        {"\"1\"", false, false, 0, 0},
        {"true", false, false, 0, 0},
        {"[1]", false, false, 0, 0},
    };

    (void)state;
    for (size_t k = 0; k < CM_COUNT(t); k++) {
        uint64_t u = 77;
        int64_t i = 88;
        cm_json *j;

        OK(parse(&j, cm_view_str(t[k].text), NULL, NULL));
        if (t[k].is_u)
            OK(cm_json_u64(cm_json_root(j), &u));
        else
            IS(cm_json_u64(cm_json_root(j), &u), JSON_TYPE);
        assert_true(u == (t[k].is_u ? t[k].u : 77));
        if (t[k].is_i)
            OK(cm_json_i64(cm_json_root(j), &i));
        else
            IS(cm_json_i64(cm_json_root(j), &i), JSON_TYPE);
        assert_true(i == (t[k].is_i ? t[k].i : 88));
        cm_json_free(j);
    }
}

static void wrong_types(void **state)
{
    static const char *const t[] = {"null", "true", "1", "\"x\"", "[]", "{}"};

    (void)state;
    for (unsigned k = 0; k <= CM_COUNT(t); k++) {
        const cm_json_node *n = NULL;
        cm_json *j = NULL;
        cm_view v = {NULL, 5};
        uint64_t u = 6;
        bool b = false;

        if (k < CM_COUNT(t)) {
            OK(parse(&j, cm_view_str(t[k]), NULL, NULL));
            n = cm_json_root(j);
            assert_int_equal(cm_json_type_of(n), k);
        }
        if (k != CM_JSON_BOOL)
            IS(cm_json_bool(n, &b), JSON_TYPE);
        if (k != CM_JSON_NUMBER)
            IS(cm_json_u64(n, &u), JSON_TYPE);
        if (k != CM_JSON_NUMBER)
            IS(cm_json_number(n, &v), JSON_TYPE);
        if (k != CM_JSON_STRING)
            IS(cm_json_string(n, &v), JSON_TYPE);
        assert_true(v.n == 5 && u == 6 && !b);
        cm_json_free(j);
    }
}

/* ---- random values --------------------------------------------------------------------------- */

static void put_random(cm_json_writer *w, uint64_t *seed, unsigned depth)
{
    uint64_t r = next_random(seed), n = r >> 8 & 15;
    uint8_t text[16];
    char key[8];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(next_random(seed) >> (r & 1 ? 32 : 57));
    switch ((r >> 4) % (depth ? 7 : 5)) {
    case 0:
        cm_json_put_null(w, NULL);
        break;
    case 1:
        cm_json_put_bool(w, NULL, n & 1);
        break;
    case 2:
        cm_json_put_i64(w, NULL, (int64_t)next_random(seed) >> (r >> 16 & 63));
        break;
    case 3:
        cm_json_put_fixed(w, NULL, (double)(int64_t)next_random(seed) / 65536);
        break;
    case 4:
        cm_json_put_text(w, NULL, cm_view_of(text, n));
        break;
    case 5:
        cm_json_begin_array(w, NULL);
        for (uint64_t i = 0; i < n; i++)
            put_random(w, seed, depth - 1);
        cm_json_end_array(w);
        break;
    default:
        cm_json_begin_object(w, NULL);
        for (uint64_t i = 0; i < n; i++) {
            snprintf(key, sizeof key, "\n%u", (unsigned)i);
            cm_json_put_key(w, cm_view_str(key));
            put_random(w, seed, depth - 1);
        }
        cm_json_end_object(w);
    }
}

static void random_round_trips(void **state)
{
    uint64_t seed = 20250102;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        cm_buf b = {.max = 1 << 20}, again = {.max = 1 << 20};
        cm_json_writer w = {.out = &b};
        cm_json *j;

        put_random(&w, &seed, 4);
        OK(cm_json_finish(&w));
        OK(parse(&j, cm_buf_view(&b), NULL, NULL));
        write_back(&again, j);
        assert_true(cm_view_eq(cm_buf_view(&again), cm_buf_view(&b)));
        cm_json_free(j);
        cm_buf_free(&b);
        cm_buf_free(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_end_where_they_do),
        cmocka_unit_test(reads_and_writes_back),
        cmocka_unit_test(refuses_and_says_where),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(duplicates_are_refused),
        cmocka_unit_test(same_key_in_different_objects),
        cmocka_unit_test(a_huge_header),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(the_defaults),
        cmocka_unit_test(a_deep_bomb),
        cmocka_unit_test(walking),
        cmocka_unit_test(integers),
        cmocka_unit_test(wrong_types),
        cmocka_unit_test(random_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
