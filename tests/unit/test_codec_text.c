/* Hex, base64 (RFC 4648), PEM (RFC 7468), UTF-8 and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/text.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static void assert_bytes(const cm_buf *b, const char *expected)
{
    assert_int_equal(b->n, strlen(expected));
    if (b->n)
        assert_memory_equal(b->p, expected, b->n);
}

/* ---- hex --------------------------------------------------------------------------------------
 */

static void hex_both_ways(void **state)
{
    static const struct {
        const char *raw, *hex;
    } t[] = {{"", ""},
             {"f", "66"},
             {"fo", "666f"},
             {"foo", "666f6f"},
             {"foob", "666f6f62"},
             {"fooba", "666f6f6261"},
             {"foobar", "666f6f626172"}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        cm_buf a = {.max = 64}, b = {.max = 64};

        OK(cm_hex_encode(&a, cm_view_str(t[i].raw)));
        assert_bytes(&a, t[i].hex);
        OK(cm_hex_decode(&b, cm_buf_view(&a)));
        assert_bytes(&b, t[i].raw);
        cm_buf_free(&a);
        cm_buf_free(&b);
    }
}

/* Every pair of characters: a digit is a digit in either case, and nothing else is. */
static void hex_knows_every_character(void **state)
{
    cm_buf b = {.max = 8};

    (void)state;
    for (unsigned c = 0; c < 65536; c++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        uint8_t text[2] = {(uint8_t)(c >> 8), (uint8_t)c};
        const char *high = memchr(digits, text[0], 22), *low = memchr(digits, text[1], 22);
        cm_err e;

        b.n = 0;
        e = cm_hex_decode(&b, CM_VIEW(text));
        if (!high || !low) {
            IS(e, HEX_MALFORMED);
            assert_int_equal(b.n, 0);
            continue;
        }
        OK(e);
        high -= high - digits > 15 ? 6 : 0;
        low -= low - digits > 15 ? 6 : 0;
        assert_int_equal(b.p[0], (high - digits) << 4 | (low - digits));
    }
    IS(cm_hex_decode(&b, CM_LIT("abc")), HEX_MALFORMED);
    cm_buf_free(&b);
}

/* ---- base64 -----------------------------------------------------------------------------------
 */

static const struct {
    const char *raw, *std, *url;
} rfc4648[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
    {"\x14\xfb\x9c\x03\xd9\x7e", "FPucA9l+", "FPucA9l-"},
    {"\x14\xfb\x9c\x03\xd9", "FPucA9k=", "FPucA9k"},
    {"\x14\xfb\x9c\x03", "FPucAw==", "FPucAw"},
};

static void base64_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(rfc4648); i++) {
        for (int url = 0; url < 2; url++) {
            const char *text = url ? rfc4648[i].url : rfc4648[i].std;
            cm_buf a = {.max = 64}, b = {.max = 64};

            OK(cm_base64_encode(&a, cm_view_str(rfc4648[i].raw), url));
            assert_bytes(&a, text);
            OK(cm_base64_decode(&b, cm_buf_view(&a), url));
            assert_bytes(&b, rfc4648[i].raw);
            cm_buf_free(&a);
            cm_buf_free(&b);
        }
    }
}

static void base64_refuses_other_texts(void **state)
{
    static const char *const both[] = {
        "A",     "A===",  "====",   "=",        "==",       "AA=A",     "=AAA", "AAAA=", "Zm9v\n",
        " Zm9v", "Zm9v ", "Zm\n9v", "Zm9.",     "Zm9\x80",  "Zm9v====", "Zg=",  "Zg===", "AAAAA",
        "Zm=v",  "Zh==",  "Zm9=",   "Zg==Zg==", "Zm8=Zm8=", "AB==",     "AAF=",
    };
    static const char *const not_std[] = {"-_-_", "Zg", "Zm8", "Zm9vYg", "Zm9-"};
    static const char *const not_url[] = {"+/+/", "Zg==", "Zm8=", "Zm9+", "Zh", "Zm9", "AAF"};
    cm_buf b = {.max = 64};

    (void)state;
    OK(cm_buf_append(&b, CM_LIT("kept")));
    for (size_t i = 0; i < CM_COUNT(both); i++) {
        IS(cm_base64_decode(&b, cm_view_str(both[i]), false), BASE64_MALFORMED);
        IS(cm_base64_decode(&b, cm_view_str(both[i]), true), BASE64_MALFORMED);
    }
    for (size_t i = 0; i < CM_COUNT(not_std); i++)
        IS(cm_base64_decode(&b, cm_view_str(not_std[i]), false), BASE64_MALFORMED);
    for (size_t i = 0; i < CM_COUNT(not_url); i++)
        IS(cm_base64_decode(&b, cm_view_str(not_url[i]), true), BASE64_MALFORMED);
    assert_bytes(&b, "kept");
    cm_buf_free(&b);
}

/* One text per value: of all 2^16 last pairs of characters, those accepted re-encode to themselves,
 * and there are exactly 256. */
static void base64_has_one_text_per_value(void **state)
{
    for (int url = 0; url < 2; url++) {
        unsigned accepted = 0;

        (void)state;
        for (unsigned c = 0; c < 65536; c++) {
            uint8_t text[4] = {(uint8_t)(c >> 8), (uint8_t)c, '=', '='};
            cm_buf b = {.max = 8}, again = {.max = 8};

            if (cm_ok(cm_base64_decode(&b, cm_view_of(text, url ? 2 : 4), url))) {
                OK(cm_base64_encode(&again, cm_buf_view(&b), url));
                assert_true(cm_view_eq(cm_buf_view(&again), cm_view_of(text, url ? 2 : 4)));
                accepted++;
            }
            cm_buf_free(&b);
            cm_buf_free(&again);
        }
        assert_int_equal(accepted, 256);
    }
}

/* Every byte value in every position survives both alphabets at every length. */
static void base64_round_trips(void **state)
{
    uint8_t raw[259];

    (void)state;
    for (size_t n = 0; n <= sizeof raw; n++) {
        for (size_t i = 0; i < n; i++)
            raw[i] = (uint8_t)(i * 7 + n);
        for (int url = 0; url < 2; url++) {
            cm_buf a = {.max = 400}, b = {.max = sizeof raw};

            OK(cm_base64_encode(&a, cm_view_of(raw, n), url));
            OK(cm_base64_decode(&b, cm_buf_view(&a), url));
            assert_true(cm_view_eq(cm_buf_view(&b), cm_view_of(raw, n)));
            cm_buf_free(&a);
            cm_buf_free(&b);
        }
    }
}

static void a_full_buffer_stays_as_it_was(void **state)
{
    cm_buf b = {.max = 6};

    (void)state;
    OK(cm_buf_append(&b, CM_LIT("kept")));
    IS(cm_hex_encode(&b, CM_LIT("xx")), TOO_BIG);
    IS(cm_hex_decode(&b, CM_LIT("010203")), TOO_BIG);
    IS(cm_base64_encode(&b, CM_LIT("x"), false), TOO_BIG);
    IS(cm_base64_decode(&b, CM_LIT("AAAA"), false), TOO_BIG);
    IS(cm_pem_encode(&b, CM_LIT("X"), CM_LIT("x")), TOO_BIG);
    assert_bytes(&b, "kept");
    cm_buf_free(&b);
}

/* What a failed decoder wrote beyond the end may be part of a key. */
static void a_failed_decode_leaves_nothing(void **state)
{
    static const uint8_t zeros[16];
    cm_buf b = {.max = 64};

    (void)state;
    OK(cm_buf_reserve(&b, 64));
    IS(cm_hex_decode(&b, CM_LIT("aabbccddeeffaabbccddeeffaabbcc-d")), HEX_MALFORMED);
    assert_memory_equal(b.p, zeros, sizeof zeros);
    IS(cm_base64_decode(&b, CM_LIT("qqqqqqqqqqqqqqqqqqq!"), false), BASE64_MALFORMED);
    assert_memory_equal(b.p, zeros, sizeof zeros);
    cm_buf_free(&b);
}

/* ---- PEM --------------------------------------------------------------------------------------
 */

#define L64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"

static void pem_as_others_write_it(void **state)
{
    uint8_t der[50];
    cm_buf b = {.max = 256}, back = {.max = 64};
    cm_view text, label;

    (void)state;
    for (size_t i = 0; i < sizeof der; i++)
        der[i] = (uint8_t)i;
    OK(cm_pem_encode(&b, CM_LIT("PRIVATE KEY"), CM_VIEW(der)));
    assert_bytes(&b, "-----BEGIN PRIVATE KEY-----\n" L64 "\nMDE=\n-----END PRIVATE KEY-----\n");
    OK(cm_pem_encode(&b, CM_LIT("X.509 CRL"), cm_view_of(der, 48)));
    text = cm_buf_view(&b);
    OK(cm_pem_next(&back, &label, &text));
    assert_true(cm_view_eq(label, CM_LIT("PRIVATE KEY")));
    assert_true(cm_view_eq(cm_buf_view(&back), CM_VIEW(der)));
    back.n = 0;
    OK(cm_pem_next(&back, &label, &text));
    assert_true(cm_view_eq(label, CM_LIT("X.509 CRL")));
    assert_true(cm_view_eq(cm_buf_view(&back), cm_view_of(der, 48)));
    IS(cm_pem_next(&back, &label, &text), PEM_NO_BLOCK);
    assert_int_equal(text.n, 0);
    cm_buf_free(&b);
    cm_buf_free(&back);
}

static void pem_round_trips(void **state)
{
    uint8_t der[200];

    (void)state;
    for (size_t n = 1; n <= sizeof der; n++) {
        cm_buf b = {.max = 512}, back = {.max = sizeof der};
        cm_view text, label;

        memset(der, (int)n, sizeof der);
        OK(cm_pem_encode(&b, CM_LIT("A"), cm_view_of(der, n)));
        text = cm_buf_view(&b);
        OK(cm_pem_next(&back, &label, &text));
        assert_true(cm_view_eq(cm_buf_view(&back), cm_view_of(der, n)));
        cm_buf_free(&b);
        cm_buf_free(&back);
    }
}

static void pem_allows(void **state)
{
    static const char *const good[] = {
        "-----BEGIN X-----\nAQ==\n-----END X-----\n",
        "-----BEGIN X-----\nAQ==\n-----END X-----",
        "-----BEGIN X-----\r\nAQ==\r\n-----END X-----\r\n",
        "Subject: somebody\nIssuer: - ----BEGIN\n\n-----BEGIN X-----\nAQ==\n-----END X-----\nrest",
        " -----BEGIN Y-----\n-----BEGIN X-----\nAQ==\n-----END X-----\n",
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        cm_buf b = {.max = 8};
        cm_view text = cm_view_str(good[i]), label;

        OK(cm_pem_next(&b, &label, &text));
        assert_true(cm_view_eq(label, CM_LIT("X")));
        assert_bytes(&b, "\x01");
        cm_buf_free(&b);
    }
}

static void pem_refuses(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN X-----\n-----END X-----\n", /* nothing inside */
        "-----BEGIN X-----\n\n-----END X-----\n",
        "-----BEGIN X-----\nAQ==\n-----END Y-----\n", /* labels */
        "-----BEGIN X-----\nAQ==\n-----END X----\n",
        "-----BEGIN X-----\nAQ==\n-----END X----- \n",
        "-----BEGIN X----- \nAQ==\n-----END X-----\n",
        "-----BEGIN X----\nAQ==\n-----END X----\n",
        "-----BEGIN -----\nAQ==\n-----END -----\n",
        "-----BEGIN-----\nAQ==\n-----END-----\n",
        "-----BEGIN X -----\nAQ==\n-----END X -----\n",
        "-----BEGIN  X-----\nAQ==\n-----END  X-----\n",
        "-----BEGIN X  Y-----\nAQ==\n-----END X  Y-----\n",
        "-----BEGIN X\x01-----\nAQ==\n-----END X\x01-----\n",
        "-----BEGIN X-----\nAQ==\n", /* no end */
        "-----BEGIN X-----\n",
        "-----BEGIN X-----",
        "-----BEGIN X-----\nAQ==\n-----BEGIN X-----\nAQ==\n-----END X-----\n",
        "-----END X-----\nAQ==\n-----END X-----\n",
        "-----BEGIN X-----\nAQ==-----END X-----\n",
        "-----BEGIN X-----\n AQ==\n-----END X-----\n", /* white space */
        "-----BEGIN X-----\nAQ== \n-----END X-----\n",
        "-----BEGIN X-----\nAQ==\n\n-----END X-----\n",
        "-----BEGIN X-----\n\nAQ==\n-----END X-----\n",
        "-----BEGIN X-----\nAQ==\r\r\n-----END X-----\n",
        "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nAQ==\n-----END X-----\n",
        "-----BEGIN X-----\nAQ\n-----END X-----\n", /* base64 */
        "-----BEGIN X-----\nAR==\n-----END X-----\n",
        "-----BEGIN X-----\nA*==\n-----END X-----\n",
        "-----BEGIN X-----\nAAAA\nAAAA\n-----END X-----\n", /* line lengths */
        "-----BEGIN X-----\n" L64 "AAAA\n-----END X-----\n",
        "-----BEGIN X-----\n" L64 "A\nAAA\n-----END X-----\n",
        "-----BEGIN X-----\nAAAA\n" L64 "\n-----END X-----\n",
        "-----BEGIN X-----\n" L64 "\n\n-----END X-----\n",
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_buf b = {.max = 256};
        cm_view text = cm_view_str(bad[i]), label = CM_LIT("none");
        cm_err e = cm_pem_next(&b, &label, &text);

        if (!cm_is(e, CM_PEM_MALFORMED))
            fail_msg("%s: %s", bad[i], cm_err_name(e));
        assert_int_equal(b.n, 0);
        assert_true(text.n == strlen(bad[i]) && (const char *)text.p == bad[i]);
        assert_true(cm_view_eq(label, CM_LIT("none")));
        cm_buf_free(&b);
    }
}

static void pem_truncations(void **state)
{
    static const char whole[] = "-----BEGIN X Y-----\n" L64 "\nMDE=\n-----END X Y-----";

    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        cm_buf b = {.max = 256}, part = {.max = 256};
        cm_view text, label;
        cm_err e;

        OK(cm_buf_append(&part, cm_view_of(whole, n)));
        text = cm_buf_view(&part);
        e = cm_pem_next(&b, &label, &text);
        if (n < strlen("-----BEGIN"))
            IS(e, PEM_NO_BLOCK);
        else
            IS(e, PEM_MALFORMED);
        assert_int_equal(b.n, 0);
        cm_buf_free(&b);
        cm_buf_free(&part);
    }
}

/* However far it gets before the buffer is full. */
static void pem_in_a_small_buffer(void **state)
{
    uint8_t der[50] = {0};

    (void)state;
    for (size_t max = 4;; max++) {
        cm_buf b = {.max = max};
        cm_err e;

        OK(cm_buf_append(&b, CM_LIT("kept")));
        e = cm_pem_encode(&b, CM_LIT("X"), CM_VIEW(der));
        if (cm_ok(e)) {
            assert_int_equal(b.n, max);
            cm_buf_free(&b);
            break;
        }
        IS(e, TOO_BIG);
        assert_bytes(&b, "kept");
        cm_buf_free(&b);
    }
}

static void pem_arguments(void **state)
{
    static const char *const labels[] = {"", " X", "X ", "-X", "X--Y", "X\n", "\xc3\xbc"};
    cm_buf b = {.max = 256};
    cm_view text = CM_LIT("nothing here\n"), label;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(labels); i++)
        IS(cm_pem_encode(&b, cm_view_str(labels[i]), CM_LIT("x")), BAD_ARGUMENT);
    IS(cm_pem_encode(&b, CM_LIT("X"), CM_LIT("")), BAD_ARGUMENT);
    assert_int_equal(b.n, 0);
    IS(cm_pem_next(&b, &label, &text), PEM_NO_BLOCK);
    text = (cm_view){0};
    IS(cm_pem_next(&b, &label, &text), PEM_NO_BLOCK);
    text = CM_LIT("-----BEGIN X-----\nAQID\n-----END X-----\n");
    b.max = 2;
    IS(cm_pem_next(&b, &label, &text), TOO_BIG);
    cm_buf_free(&b);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------
 */

static size_t put_utf8(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        p[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    p[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* All code points, far past the last: only the 1 112 064 scalar values are text. */
static void utf8_takes_every_scalar_value(void **state)
{
    unsigned valid = 0;

    (void)state;
    for (uint32_t c = 0; c < 0x200000; c++) {
        uint8_t p[4];
        size_t n = put_utf8(p, c);
        bool scalar = c < 0x110000 && (c < 0xd800 || c > 0xdfff);

        if (cm_utf8_valid(cm_view_of(p, n)) != scalar)
            fail_msg("U+%X", c);
        valid += scalar;
        for (size_t cut = 1; cut < n; cut++)
            assert_false(cm_utf8_valid(cm_view_of(p, cut)));
    }
    assert_int_equal(valid, 1112064);
}

/* Of all sequences of three bytes, as many are text as one can count by hand: all ways to put
 * sequences of 1, 2 and 3 bytes in a row. */
static void utf8_has_no_other_forms(void **state)
{
    const unsigned one = 128, two = 1920, three = 65536 - 2048 - 2048;
    unsigned valid = 0;

    (void)state;
    for (uint32_t x = 0; x < 1u << 24; x++) {
        uint8_t p[3] = {(uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x};

        valid += cm_utf8_valid(CM_VIEW(p));
    }
    assert_int_equal(valid, one * one * one + 2 * one * two + three);
}

static void utf8_prefix_at_every_place(void **state)
{
    uint8_t p[40];

    (void)state;
    for (size_t at = 0; at < sizeof p; at++) {
        memset(p, 'x', sizeof p);
        p[at] = 0xc3;
        assert_int_equal(cm_utf8_prefix(CM_VIEW(p)), at);
        if (at + 1 < sizeof p) {
            p[at + 1] = 0xbc;
            assert_true(cm_utf8_valid(CM_VIEW(p)));
        }
    }
    assert_true(cm_utf8_valid((cm_view){0}));
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t v;
    } good[] = {{"0", 0}, {"1", 1}, {"42", 42}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "01",
                                      "00",
                                      "1e3",
                                      "1.",
                                      "0x1",
                                      "1_000",
                                      "１",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "/",
                                      ":"};
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        OK(cm_dec_u64(&v, cm_view_str(good[i].text)));
        assert_true(v == good[i].v);
    }
    v = 7;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(cm_dec_u64(&v, cm_view_str(bad[i])), NUMBER_MALFORMED);
    assert_int_equal(v, 7);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t v;
    } good[] = {{"0", 0},
                {"12", 12},
                {"64K", 65536},
                {"1M", 1 << 20},
                {"2GiB", (uint64_t)2 << 30},
                {"3TiB", (uint64_t)3 << 40},
                {"4P", (uint64_t)4 << 50},
                {"15E", (uint64_t)15 << 60},
                {"0K", 0},
                {"16777215T", (uint64_t)16777215 << 40}};
    static const char *const bad[] = {"",    "K",      "iB",  "1iB", "KiB",       "1.5T",  "64k",
                                      "2GB", "2B",     "1KB", "1 K", "-1K",       "01K",   "1KK",
                                      "1Ki", "1KiBiB", "16E", "1Z",  "16777216T", "1KiB ", "1\0"};
    uint64_t v = 7;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        OK(cm_dec_size(&v, cm_view_str(good[i].text)));
        assert_true(v == good[i].v);
    }
    v = 7;
    for (size_t i = 0; i + 1 < CM_COUNT(bad); i++)
        IS(cm_dec_size(&v, cm_view_str(bad[i])), NUMBER_MALFORMED);
    IS(cm_dec_size(&v, CM_LIT("1\0")), NUMBER_MALFORMED);
    assert_int_equal(v, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(hex_knows_every_character),
        cmocka_unit_test(base64_both_ways),
        cmocka_unit_test(base64_refuses_other_texts),
        cmocka_unit_test(base64_has_one_text_per_value),
        cmocka_unit_test(base64_round_trips),
        cmocka_unit_test(a_full_buffer_stays_as_it_was),
        cmocka_unit_test(a_failed_decode_leaves_nothing),
        cmocka_unit_test(pem_as_others_write_it),
        cmocka_unit_test(pem_round_trips),
        cmocka_unit_test(pem_allows),
        cmocka_unit_test(pem_refuses),
        cmocka_unit_test(pem_truncations),
        cmocka_unit_test(pem_arguments),
        cmocka_unit_test(pem_in_a_small_buffer),
        cmocka_unit_test(utf8_takes_every_scalar_value),
        cmocka_unit_test(utf8_has_no_other_forms),
        cmocka_unit_test(utf8_prefix_at_every_place),
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
