/* Deterministic CBOR: RFC 8949 appendix A in and out of the subset, every other form refused. */
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

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- copy an encoding item by item: reader and writer must agree on every byte --------------- */

static void copy_item(cm_buf *out, cm_cbor *c, uint64_t *more)
{
    cm_cbor_type t;
    uint64_t n = 0;
    int64_t i;
    cm_view v;
    bool b;

    OK(cm_cbor_peek(c, &t));
    switch (t) {
    case CM_CBOR_UINT:
        OK(cm_cbor_uint(c, &n));
        OK(cm_cbor_put_uint(out, n));
        n = 0;
        break;
    case CM_CBOR_NINT:
        OK(cm_cbor_int(c, &i));
        OK(cm_cbor_put_int(out, i));
        break;
    case CM_CBOR_BYTES:
        OK(cm_cbor_bytes(c, &v));
        OK(cm_cbor_put_bytes(out, v));
        break;
    case CM_CBOR_TEXT:
        OK(cm_cbor_text(c, &v));
        OK(cm_cbor_put_text(out, v));
        break;
    case CM_CBOR_ARRAY:
        OK(cm_cbor_array(c, &n));
        OK(cm_cbor_put_array(out, n));
        break;
    case CM_CBOR_MAP:
        OK(cm_cbor_map(c, &n));
        OK(cm_cbor_put_map(out, n));
        n *= 2;
        break;
    case CM_CBOR_BOOL:
        OK(cm_cbor_bool(c, &b));
        OK(cm_cbor_put_bool(out, b));
        break;
    case CM_CBOR_NULL:
        OK(cm_cbor_null(c));
        OK(cm_cbor_put_null(out));
        break;
    }
    *more += n - 1;
}

static void assert_copies(cm_view v)
{
    cm_buf out = {.max = v.n};
    uint64_t more = 1;
    cm_view whole;
    cm_cbor c;

    OK(cm_cbor_open(&c, v, NULL));
    while (more > 0)
        copy_item(&out, &c, &more);
    OK(cm_cbor_end(&c));
    assert_int_equal(out.n, v.n);
    assert_memory_equal(out.p, v.p, v.n);
    cm_buf_free(&out);

    OK(cm_cbor_open(&c, v, NULL));
    OK(cm_cbor_skip(&c, &whole));
    assert_true(cm_view_eq(whole, v));
    OK(cm_cbor_end(&c));
}

/* No proper prefix of one item is one item. The copy puts the end where a sanitizer watches it. */
static void assert_no_prefix(cm_view v)
{
    for (size_t n = 0; n < v.n; n++) {
        cm_buf part = {.max = v.n};
        cm_cbor c = {.err = CM_FAIL(CANCELLED)};
        size_t at = 99;

        OK(cm_buf_append(&part, cm_view_of(v.p, n)));
        IS(cm_cbor_open(&c, cm_buf_view(&part), &at), CBOR_MALFORMED);
        assert_true(at <= n);
        IS(c.err, CANCELLED);
        cm_buf_free(&part);
    }
}

/* ---- RFC 8949 appendix A --------------------------------------------------------------------- */

static const char *const inside_subset[] = {
    "00",
    "01",
    "0a",
    "17",
    "1818",
    "1819",
    "1864",
    "1903e8",
    "1a000f4240",
    "1b000000e8d4a51000",
    "1bffffffffffffffff",
    "20",
    "29",
    "3863",
    "3903e7",
    "f4",
    "f5",
    "f6",
    "40",
    "4401020304",
    "60",
    "6161",
    "6449455446",
    "62225c",
    "62c3bc",
    "63e6b0b4",
    "64f0908591",
    "80",
    "83010203",
    "8301820203820405",
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    "a0",
    "a201020304",
    "a26161016162820203",
    "826161a161626163",
    "a56161614161626142616361436164614461656145",
};

/* Tags, bignums, floats, undefined and simple values are kinds that we don't use. */
static const char *const of_other_kind[] = {
    "c249010000000000000000",
    "c349010000000000000000",
    "f90000",
    "f98000",
    "f93c00",
    "fb3ff199999999999a",
    "f93e00",
    "f97bff",
    "fa47c35000",
    "fa7f7fffff",
    "fb7e37e43c8800759c",
    "f90001",
    "f90400",
    "f9c400",
    "fbc010666666666666",
    "f97c00",
    "f97e00",
    "f9fc00",
    "fa7f800000",
    "fa7fc00000",
    "faff800000",
    "fb7ff0000000000000",
    "fb7ff8000000000000",
    "fbfff0000000000000",
    "f7",
    "f0",
    "f8ff",
    "f818",
    "c074323031332d30332d32315432303a30343a30305a",
    "c11a514b67b0",
    "c1fb41d452d9e8200000",
    "d74401020304",
    "d818456449455446",
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
    /* keys that are no integer and no string */
    "a1f401",
    "a1f601",
    "a18001",
    "a1a001",
    "a1f90000f4",
};

static const char *const not_canonical[] = {
    /* appendix A's indefinite forms */
    "5f42010243030405ff",
    "7f657374726561646d696e67ff",
    "9fff",
    "9f018202039f0405ffff",
    "9f01820203820405ff",
    "83018202039f0405ff",
    "83019f0203ff820405",
    "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
    "bf61610161629f0203ffff",
    "826161bf61626163ff",
    "bf6346756ef563416d7421ff",
    /* longer heads than needed: every width of every major type, at its bounds */
    "1800",
    "1817",
    "190000",
    "1900ff",
    "1a00000000",
    "1a0000ffff",
    "1b0000000000000000",
    "1b00000000ffffffff",
    "3800",
    "3817",
    "3900ff",
    "3a0000ffff",
    "3b00000000ffffffff",
    "5800",
    "580100",
    "590000",
    "59000100",
    "5a00000000",
    "5b0000000000000000",
    "7800",
    "780161",
    "790000",
    "7a00000000",
    "7b0000000000000000",
    "9800",
    "980100",
    "990000",
    "9a00000000",
    "9b0000000000000000",
    "b800",
    "b9000100",
    "ba00000000",
    "bb0000000000000000",
    /* maps: not sorted, or a key twice */
    "a203040102",
    "a201020102",
    "a2616201616101",
    "a2616101616102",
    "a2181800170100",
    "a220000000",
    "a262000000616100",
    "a261610041610040",
    "a340004000f400",
    "a101a201000100",
    "a201a2020001000200",
};

static const char *const damaged[] = {
    "",
    "1c",
    "1d",
    "1e",
    "1f",
    "3c",
    "3f",
    "5c",
    "7c",
    "9c",
    "bc",
    "bd",
    "be",
    "ff",
    "81ff",
    "a1ff",
    "a101ff",
    "41",
    "42ff",
    "61",
    "81",
    "8200",
    "a1",
    "a100",
    "a2000102",
    "18",
    "19ff",
    "1affffff",
    "1bffffffffffffff",
    /* counts and lengths that no memory holds */
    "5bffffffffffffffff",
    "7b7fffffffffffffff",
    "9bffffffffffffffff",
    "bbffffffffffffffff",
    "bb800000000000000000",
    "bb80000000000000010000",
    "9affffffff00",
    "baffffffff0000",
    "9b8000000000000000",
    /* text that is not UTF-8 */
    "61ff",
    "6180",
    "62c080",
    "63eda080",
    "64f4908080",
    "61c3",
    "a161ff00",
    "82616161fe",
};

static void appendix_a_reads_and_writes_back(void **state)
{
    cm_buf b = {.max = 256};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(inside_subset); i++) {
        assert_copies(unhex(&b, inside_subset[i]));
        assert_no_prefix(cm_buf_view(&b));
        OK(cm_buf_byte(&b, 0));
        {
            cm_cbor c;

            IS(cm_cbor_open(&c, cm_buf_view(&b), NULL), CBOR_TRAILING);
        }
    }
    cm_buf_free(&b);
}

static void assert_all(const char *const *list, size_t n, cm_err expected)
{
    cm_buf b = {.max = 256};

    for (size_t i = 0; i < n; i++) {
        cm_cbor c = {.err = CM_FAIL(CANCELLED)};
        cm_err e = cm_cbor_open(&c, unhex(&b, list[i]), NULL);

        if (e.v != expected.v)
            fail_msg("%s: %s", list[i], cm_err_name(e));
        IS(c.err, CANCELLED);
    }
    cm_buf_free(&b);
}

static void all_else_is_refused(void **state)
{
    (void)state;
    assert_all(of_other_kind, CM_COUNT(of_other_kind), CM_FAIL(CBOR_KIND));
    assert_all(damaged, CM_COUNT(damaged), CM_FAIL(CBOR_MALFORMED));
}

/* The first two bytes decide most of what can be wrong: try them all, with zeros behind. What is
 * accepted must be what the writer writes. */
static void every_short_input(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (unsigned x = 0; x < 1u << 24; x += x < 1u << 16 ? 1 : 17) {
        uint8_t p[3] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16)};

        for (size_t n = 1; n <= 3; n++) {
            cm_cbor c;

            if (cm_failed(cm_cbor_open(&c, cm_view_of(p, n), NULL)))
                continue;
            assert_copies(cm_view_of(p, n));
            accepted++;
        }
    }
    assert_true(accepted > 10000);
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    assert_all(not_canonical, CM_COUNT(not_canonical), CM_FAIL(CBOR_NOT_CANONICAL));
}

/* ---- offsets, depth, types ------------------------------------------------------------------- */

static void offset_of_the_offender(void **state)
{
    static const struct {
        const char *hex;
        size_t at;
    } t[] = {{"8301f903e8f4", 2}, {"a2010201f4", 3}, {"820001f4", 3}, {"83010261ff", 3},
             {"8200", 0},         {"a2010101", 0},   {"", 0},         {"82811800", 2}};
    cm_buf b = {.max = 64};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        size_t at = 99;
        cm_cbor c;

        assert_true(cm_failed(cm_cbor_open(&c, unhex(&b, t[i].hex), &at)));
        assert_int_equal(at, t[i].at);
    }
    cm_buf_free(&b);
}

static void depth_ends_at_sixteen(void **state)
{
    static const uint8_t openers[] = {0x81, 0xa1};

    (void)state;
    for (size_t o = 0; o < CM_COUNT(openers); o++) {
        for (size_t depth = 1; depth < 40; depth++) {
            cm_buf b = {.max = 256};
            cm_cbor c;
            cm_err e;

            for (size_t i = 0; i < depth; i++) {
                OK(cm_buf_byte(&b, openers[o]));
                if (openers[o] == 0xa1)
                    OK(cm_buf_byte(&b, 0));
            }
            OK(cm_buf_byte(&b, 0xf6));
            e = cm_cbor_open(&c, cm_buf_view(&b), NULL);
            if (depth <= CM_CBOR_DEPTH) {
                OK(e);
                assert_copies(cm_buf_view(&b));
            } else {
                IS(e, CBOR_TOO_DEEP);
            }
            cm_buf_free(&b);
        }
    }
}

/* A million levels cost no stack. */
static void a_deep_bomb(void **state)
{
    cm_buf b = {.max = 1 << 20};
    cm_cbor c;

    (void)state;
    OK(cm_buf_reserve(&b, b.max));
    memset(b.p, 0x81, b.max);
    b.n = b.max;
    IS(cm_cbor_open(&c, cm_buf_view(&b), NULL), CBOR_TOO_DEEP);
    cm_buf_free(&b);
}

static void integers_at_their_bounds(void **state)
{
    static const int64_t t[] = {
        0,         1,  23,  24,  255,  256,  65535,     65536,  4294967295, 4294967296,
        INT64_MAX, -1, -24, -25, -256, -257, INT64_MIN, -65537, -65536,     INT64_MIN + 1};
    cm_buf b = {.max = 16};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        int64_t v = 7;
        cm_cbor c;

        b.n = 0;
        OK(cm_cbor_put_int(&b, t[i]));
        OK(cm_cbor_open(&c, cm_buf_view(&b), NULL));
        OK(cm_cbor_int(&c, &v));
        assert_true(v == t[i]);
        OK(cm_cbor_end(&c));
    }
    cm_buf_free(&b);
}

static void an_integer_that_does_not_fit(void **state)
{
    static const char *const t[] = {"1b8000000000000000", "3b8000000000000000",
                                    "3bffffffffffffffff", "f4", "40"};
    cm_buf b = {.max = 16};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        int64_t v = 7;
        cm_cbor c;

        OK(cm_cbor_open(&c, unhex(&b, t[i]), NULL));
        IS(cm_cbor_int(&c, &v), CBOR_TYPE);
        assert_int_equal(v, 7);
    }
    cm_buf_free(&b);
}

/* Each reader against each type: its own is taken, another is an error that sticks. */
static void wrong_types_stick(void **state)
{
    static const char *const of_type[] = {"01", "20", "4101", "6161", "8101", "a10102", "f5", "f6"};
    cm_buf b = {.max = 16};

    (void)state;
    for (unsigned t = 0; t < CM_COUNT(of_type); t++) {
        for (unsigned reader = 0; reader < CM_COUNT(of_type); reader++) {
            uint64_t u = 77;
            cm_view v = {NULL, 88};
            bool flag = false;
            int64_t i = 0;
            cm_cbor c;
            cm_err e;

            OK(cm_cbor_open(&c, unhex(&b, of_type[t]), NULL));
            e = reader == 0   ? cm_cbor_uint(&c, &u)
                : reader == 1 ? cm_cbor_int(&c, &i)
                : reader == 2 ? cm_cbor_bytes(&c, &v)
                : reader == 3 ? cm_cbor_text(&c, &v)
                : reader == 4 ? cm_cbor_array(&c, &u)
                : reader == 5 ? cm_cbor_map(&c, &u)
                : reader == 6 ? cm_cbor_bool(&c, &flag)
                              : cm_cbor_null(&c);
            if (t == reader || (t == 0 && reader == 1)) {
                OK(e);
                continue;
            }
            IS(e, CBOR_TYPE);
            assert_true(u == 77 && v.n == 88 && !flag && i == 0);
            IS(cm_cbor_skip(&c, NULL), CBOR_TYPE);
            IS(cm_cbor_uint(&c, &u), CBOR_TYPE);
            IS(cm_cbor_end(&c), CBOR_TYPE);
        }
    }
    cm_buf_free(&b);
}

static void the_end_is_checked(void **state)
{
    cm_buf b = {.max = 16};
    cm_cbor c, zeroed = {0};
    uint64_t u = 5;

    (void)state;
    OK(cm_cbor_open(&c, unhex(&b, "820102"), NULL));
    IS(cm_cbor_end(&c), CBOR_TRAILING);
    OK(cm_cbor_array(&c, &u));
    OK(cm_cbor_uint(&c, &u));
    IS(cm_cbor_end(&c), CBOR_TRAILING);
    OK(cm_cbor_uint(&c, &u));
    OK(cm_cbor_end(&c));
    IS(cm_cbor_uint(&c, &u), CBOR_MALFORMED);
    assert_int_equal(u, 2);
    IS(cm_cbor_end(&c), CBOR_MALFORMED);
    OK(cm_cbor_end(&zeroed));
    IS(cm_cbor_uint(&zeroed, &u), CBOR_MALFORMED);
    cm_buf_free(&b);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void a_full_buffer_stays_as_it_was(void **state)
{
    (void)state;
    for (size_t max = 1; max < 12; max++) {
        cm_buf b = {.max = max};
        uint8_t before[12] = {0};

        OK(cm_cbor_put_uint(&b, 1));
        memcpy(before, b.p, b.n);
        if (max < 10)
            IS(cm_cbor_put_uint(&b, UINT64_MAX), TOO_BIG);
        else
            OK(cm_cbor_put_uint(&b, UINT64_MAX));
        if (max < 10) {
            assert_int_equal(b.n, 1);
            IS(cm_cbor_put_bytes(&b, CM_LIT("123456789012")), TOO_BIG);
            assert_int_equal(b.n, 1);
            assert_memory_equal(b.p, before, 1);
        }
        cm_buf_free(&b);
    }
}

static void text_is_checked_when_written(void **state)
{
    cm_buf b = {.max = 16};

    (void)state;
    IS(cm_cbor_put_text(&b, CM_LIT("\xc3")), BAD_ARGUMENT);
    assert_int_equal(b.n, 0);
    OK(cm_cbor_put_text(&b, CM_LIT("\xc3\xbc")));
    assert_int_equal(b.n, 3);
    cm_buf_free(&b);
}

/* ---- random values, random damage ------------------------------------------------------------ */

static void put_random(cm_buf *b, uint64_t *seed, unsigned depth)
{
    static const uint8_t filler[300] = {1, 2, 3};
    uint64_t r = next_random(seed), n = r >> 8 & 3, key = 0;
    unsigned kind = r & 7;

    if (depth == 0 && kind >= 4 && kind <= 5)
        kind = 0;
    switch (kind) {
    case 0:
        OK(cm_cbor_put_uint(b, next_random(seed) >> (r >> 16 & 63)));
        break;
    case 1:
        OK(cm_cbor_put_int(b, -1 - (int64_t)(next_random(seed) >> (1 + (r >> 16) % 63))));
        break;
    case 2:
        OK(cm_cbor_put_bytes(b, cm_view_of(filler, (r >> 16) % sizeof filler)));
        break;
    case 3:
        OK(cm_cbor_put_text(b, cm_view_of("h\xc3\xa9llo w\xc3\xb6rld", 3 + (n & 1) * 10)));
        break;
    case 4:
        OK(cm_cbor_put_array(b, n));
        for (uint64_t i = 0; i < n; i++)
            put_random(b, seed, depth - 1);
        break;
    case 5:
        OK(cm_cbor_put_map(b, n));
        for (uint64_t i = 0; i < n; i++) {
            key += 1 + next_random(seed) % 1000;
            OK(cm_cbor_put_uint(b, key));
            put_random(b, seed, depth - 1);
        }
        break;
    case 6:
        OK(cm_cbor_put_bool(b, n & 1));
        break;
    default:
        OK(cm_cbor_put_null(b));
    }
}

static void random_round_trips(void **state)
{
    uint64_t seed = 20250101;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        cm_buf b = {.max = 1 << 20};

        put_random(&b, &seed, 5);
        assert_copies(cm_buf_view(&b));
        if (b.n < 300)
            assert_no_prefix(cm_buf_view(&b));
        for (int k = 0; k < 20; k++) {
            size_t at = next_random(&seed) % b.n;
            uint8_t old = b.p[at];
            cm_cbor c;

            b.p[at] ^= (uint8_t)(1u << (next_random(&seed) & 7));
            if (cm_ok(cm_cbor_open(&c, cm_buf_view(&b), NULL))) {
                OK(cm_cbor_skip(&c, NULL));
                OK(cm_cbor_end(&c));
            }
            b.p[at] = old;
        }
        cm_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix_a_reads_and_writes_back),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(every_short_input),
        cmocka_unit_test(offset_of_the_offender),
        cmocka_unit_test(depth_ends_at_sixteen),
        cmocka_unit_test(a_deep_bomb),
        cmocka_unit_test(integers_at_their_bounds),
        cmocka_unit_test(an_integer_that_does_not_fit),
        cmocka_unit_test(wrong_types_stick),
        cmocka_unit_test(the_end_is_checked),
        cmocka_unit_test(a_full_buffer_stays_as_it_was),
        cmocka_unit_test(text_is_checked_when_written),
        cmocka_unit_test(random_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
