/* Shares of a secret: the field by exhaustion, every threshold, forgeries, and slips of the pen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/shamir.h"
#include "keys/shamir_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;
static const cm_key32 secret = {"thirty-two bytes that are secret"};

/* By tables of logarithms to the base 3, as the textbooks have it. */
static void field_is_the_textbook_one(void **state)
{
    uint8_t exp[510], log[256] = {0};
    unsigned x = 1;

    (void)state;
    for (unsigned i = 0; i < 255; i++) {
        exp[i] = exp[i + 255] = (uint8_t)x;
        log[x] = (uint8_t)i;
        x ^= x << 1;
        if (x > 255)
            x ^= 0x11b;
    }
    assert_int_equal(x, 1);
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t want = a && b ? exp[log[a] + log[b]] : 0;

            if (cm_gf256_mul((uint8_t)a, (uint8_t)b) != want)
                fail_msg("%u * %u", a, b);
        }
        assert_int_equal(cm_gf256_mul((uint8_t)a, cm_gf256_inv((uint8_t)a)), a ? 1 : 0);
    }
}

static void every_threshold_and_every_subset_of_five(void **state)
{
    cm_share list[CM_SHARE_MAX], some[CM_SHARE_MAX];
    cm_key32 got;

    (void)state;
    for (unsigned n = 1; n <= 5; n++) {
        for (unsigned need = 1; need <= n; need++) {
            OK(cm_shamir_split(list, crypt_, &secret, need, n));
            for (unsigned set = 0; set < 1u << n; set++) {
                size_t count = 0;

                for (unsigned i = 0; i < n; i++)
                    if (set >> i & 1)
                        some[count++] = list[i];
                if (count < need) {
                    IS(cm_shamir_join(&got, crypt_, some, count, NULL), SHARES_FEW);
                    continue;
                }
                OK(cm_shamir_join(&got, crypt_, some, count, NULL));
                assert_memory_equal(&got, &secret, sizeof got);
            }
        }
    }
}

static void largest_sets(void **state)
{
    cm_share list[CM_SHARE_MAX];
    cm_key32 got;

    (void)state;
    OK(cm_shamir_split(list, crypt_, &secret, CM_SHARE_MAX, CM_SHARE_MAX));
    OK(cm_shamir_join(&got, crypt_, list, CM_SHARE_MAX, NULL));
    assert_memory_equal(&got, &secret, sizeof got);
    OK(cm_shamir_split(list, crypt_, &secret, 1, CM_SHARE_MAX));
    OK(cm_shamir_join(&got, crypt_, list + 31, 1, NULL));
    assert_memory_equal(&got, &secret, sizeof got);
}

static void limits(void **state) /* U-5 */
{
    static const unsigned bad[][2] = {{0, 0}, {0, 1}, {2, 1}, {1, 33}, {33, 33}};
    cm_share list[CM_SHARE_MAX + 1] = {{.index = 77}};
    cm_key32 got = {"untouched"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(cm_shamir_split(list, crypt_, &secret, bad[i][0], bad[i][1]), SHARES_COUNT);
    assert_int_equal(list[0].index, 77);
    IS(cm_shamir_join(&got, crypt_, list, 0, NULL), SHARES_FEW);
    OK(cm_shamir_split(list, crypt_, &secret, 2, 3));
    list[0].need = 0;
    IS(cm_shamir_join(&got, crypt_, list, 2, NULL), SHARES_COUNT);
    list[0].need = 2;
    list[1].index = 0;
    IS(cm_shamir_join(&got, crypt_, list, 2, NULL), SHARES_COUNT);
    assert_string_equal((const char *)got.b, "untouched");
}

static void foreign_and_forged_shares_are_named(void **state) /* U-6 */
{
    cm_share list[5], other[5], saved;
    cm_key32 got = {"untouched"};
    unsigned bad;

    (void)state;
    OK(cm_shamir_split(list, crypt_, &secret, 3, 5));
    OK(cm_shamir_split(other, crypt_, &secret, 3, 5));
    saved = list[3];
    list[3] = other[3];
    IS(cm_shamir_join(&got, crypt_, list, 5, &bad), SHARES_MIXED);
    assert_int_equal(bad, 4);
    memcpy(list[3].set, list[0].set, sizeof list[0].set);
    IS(cm_shamir_join(&got, crypt_, list, 5, &bad), SHARES_FORGED);
    assert_int_equal(bad, 4);
    list[3] = list[2];
    IS(cm_shamir_join(&got, crypt_, list, 5, &bad), SHARES_TWICE);
    assert_int_equal(bad, 3);
    list[3] = saved;
    for (unsigned forged = 0; forged < 4; forged++) {
        for (unsigned bit = 0; bit < 32; bit += 7) {
            list[forged].y[bit] ^= 1;
            IS(cm_shamir_join(&got, crypt_, list, 4, &bad), SHARES_FORGED);
            assert_int_equal(bad, forged + 1); /* one more than needed: it can be told */
            list[forged].y[bit] ^= 1;
        }
        list[forged].mac[0] ^= 1;
        IS(cm_shamir_join(&got, crypt_, list, 4, &bad), SHARES_FORGED);
        assert_int_equal(bad, forged + 1);
        list[forged].mac[0] ^= 1;
    }
    list[1].y[0] ^= 1;
    IS(cm_shamir_join(&got, crypt_, list, 3, &bad), SHARES_FORGED);
    assert_int_equal(bad, 0); /* exactly as many as needed: it can't */
    assert_string_equal((const char *)got.b, "untouched");
}

/* A threshold that was lowered on the paper does not join, and is found out. */
static void thresholds_are_authentic(void **state)
{
    cm_share list[3];
    cm_key32 got;

    (void)state;
    OK(cm_shamir_split(list, crypt_, &secret, 3, 3));
    list[0].need = list[1].need = 2;
    IS(cm_shamir_join(&got, crypt_, list, 2, NULL), SHARES_FORGED);
}

/* Bytes of need - 1 shares are spread alike whatever the secret: chi-square over 255 degrees of
 * freedom, for two secrets that differ in all bits, both shares at once. 400 is 6 sigma. */
static void fewer_shares_tell_nothing(void **state)
{
    enum { ROUNDS = 4000, BYTES = 32 };
    cm_key32 s[2];
    cm_share list[3];

    (void)state;
    memset(s[0].b, 0, sizeof s[0].b);
    memset(s[1].b, 0xff, sizeof s[1].b);
    for (int which = 0; which < 2; which++) {
        unsigned count[256] = {0};
        double chi = 0, want = ROUNDS * BYTES / 256.0;

        for (int i = 0; i < ROUNDS; i++) {
            OK(cm_shamir_split(list, crypt_, &s[which], 3, 3));
            for (int b = 0; b < BYTES; b++)
                count[(uint8_t)(list[0].y[b] ^ cm_gf256_mul(list[1].y[b], 0x53))]++;
        }
        for (int i = 0; i < 256; i++)
            chi += (count[i] - want) * (count[i] - want) / want;
        assert_true(chi < 400 && chi > 130);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void text_and_back(void **state)
{
    cm_share list[3], back;
    cm_buf t = {.max = 256}, slack = {.max = 512};

    (void)state;
    OK(cm_shamir_split(list, crypt_, &secret, 2, 3));
    for (int i = 0; i < 3; i++) {
        t.n = slack.n = 0;
        OK(cm_share_print(&t, crypt_, &list[i]));
        assert_int_equal(t.n, CM_SHARE_CHARS);
        OK(cm_share_parse(&back, crypt_, cm_buf_view(&t)));
        assert_memory_equal(&back, &list[i], sizeof back);
        for (size_t j = 0; j < t.n; j++) { /* as people type */
            uint8_t ch = t.p[j];

            ch = ch == '-' ? ' ' : ch == '0' ? 'o' : ch == '1' ? (j % 2 ? 'I' : 'l') : ch;
            ch = ch >= 'A' && ch <= 'Z' && j % 3 ? (uint8_t)(ch + 32) : ch;
            OK(cm_buf_byte(&slack, ch));
        }
        OK(cm_buf_byte(&slack, '\n'));
        OK(cm_share_parse(&back, crypt_, cm_buf_view(&slack)));
        assert_memory_equal(&back, &list[i], sizeof back);
    }
    cm_buf_free(&t);
    cm_buf_free(&slack);
}

/* Every single wrong letter, every swap of neighbours, every letter lost. */
static void slips_are_found(void **state)
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t text[CM_SHARE_CHARS];
    cm_share s, out = {.index = 77};
    cm_buf t = {.max = 256};

    (void)state;
    OK(cm_shamir_split(&s, crypt_, &secret, 1, 1));
    OK(cm_share_print(&t, crypt_, &s));
    for (size_t i = 0; i < t.n; i++) {
        memcpy(text, t.p, t.n);
        if (text[i] == '-')
            continue;
        text[i] = (uint8_t)letters[(i * 7) % 32];
        if (text[i] != t.p[i])
            IS(cm_share_parse(&out, crypt_, CM_VIEW(text)), SHARE_CHECKSUM);
        memcpy(text, t.p, t.n);
        if (i + 1 < t.n && text[i + 1] != '-' && text[i] != text[i + 1]) {
            text[i] = t.p[i + 1];
            text[i + 1] = t.p[i];
            IS(cm_share_parse(&out, crypt_, CM_VIEW(text)), SHARE_CHECKSUM);
        }
        memcpy(text, t.p, t.n);
        text[i] = ' ';
        IS(cm_share_parse(&out, crypt_, CM_VIEW(text)), SHARE_TEXT);
        text[i] = 'U';
        IS(cm_share_parse(&out, crypt_, CM_VIEW(text)), SHARE_TEXT);
    }
    OK(cm_buf_byte(&t, '0'));
    IS(cm_share_parse(&out, crypt_, cm_buf_view(&t)), SHARE_TEXT);
    IS(cm_share_parse(&out, crypt_, (cm_view){0}), SHARE_TEXT);
    assert_int_equal(out.index, 77);
    cm_buf_free(&t);
}

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(field_is_the_textbook_one),
        cmocka_unit_test(every_threshold_and_every_subset_of_five),
        cmocka_unit_test(largest_sets),
        cmocka_unit_test(limits),
        cmocka_unit_test(foreign_and_forged_shares_are_named),
        cmocka_unit_test(thresholds_are_authentic),
        cmocka_unit_test(fewer_shares_tell_nothing),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(slips_are_found),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
