/* The DER cursor of the key formats: what is not DER is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "hex.h"
#include "pki/der_int.h"

/* K-20 */
static void refuses(void **state)
{
    static const char *const bad[] = {
        "",             /* nothing */
        "04",           /* no length */
        "0401",         /* no content */
        "040200",       /* short content */
        "0480",         /* indefinite */
        "048100",       /* a length byte too many */
        "04817f",       /* the same */
        "0482007f00",   /* the same, with a leading zero */
        "04820001ff",   /* leading zero */
        "0483000001ff", /* leading zeros */
        "0484ffffffff", /* four length bytes: no key is so long */
        "04ff",         /* reserved */
        "0500",         /* another tag */
        "1f0100",       /* a tag of more bytes */
    };
    cm_view v = {NULL, 77};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cm_der d = cm_der_of(t_hex(bad[i]));
        const uint8_t *at = d.p;

        assert_true(cm_is(cm_der_take(&d, CM_DER_OCTETS, &v), CM_KEY_MALFORMED));
        assert_ptr_equal(d.p, at);
        assert_int_equal(v.n, 77);
    }
}

/* A leading zero in a length that would otherwise fit its content. */
static void padded_length(void **state)
{
    uint8_t v[4 + 0x80] = {CM_DER_OCTETS, 0x82, 0x00, 0x80},
                  w[3 + 0x80] = {CM_DER_OCTETS, 0x81, 0x80};
    cm_der d = cm_der_of(CM_VIEW(v));
    cm_view content;

    (void)state;
    assert_true(cm_is(cm_der_take(&d, CM_DER_OCTETS, &content), CM_KEY_MALFORMED));
    d = cm_der_of(CM_VIEW(w));
    assert_true(cm_ok(cm_der_take(&d, CM_DER_OCTETS, &content)));
    assert_int_equal(content.n, 0x80);
}

static void integers(void **state)
{
    static const struct {
        const char *hex;
        int64_t value; /* -1: refused */
    } cases[] = {
        {"020100", 0},
        {"02017f", 127},
        {"02020080", 128},
        {"02020100", 256},
        {"02047fffffff", 0x7fffffff},
        {"0200", -1},
        {"020180", -1},
        {"02020001", -1},
        {"0202ff00", -1},
        {"02050080000000", -1},
        {"020480000000", -1},
        {"0203000080", -1},
        {"030100", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cm_der d = cm_der_of(t_hex(cases[i].hex));
        uint32_t v = 99;
        cm_err e = cm_der_u31(&d, &v);

        assert_int_equal(cm_ok(e), cases[i].value >= 0);
        assert_int_equal(v, cases[i].value >= 0 ? cases[i].value : 99);
    }
}

static void bit_strings(void **state)
{
    cm_view v;
    cm_der d = cm_der_of(t_hex("030200aa"));

    (void)state;
    assert_true(cm_ok(cm_der_bits(&d, CM_DER_BITS, &v)));
    assert_int_equal(v.n, 1);
    assert_int_equal(v.p[0], 0xaa);
    assert_true(cm_ok(cm_der_end(&d)));
    d = cm_der_of(t_hex("030204a0")); /* K-30: unused bits */
    assert_true(cm_failed(cm_der_bits(&d, CM_DER_BITS, &v)));
    d = cm_der_of(t_hex("0300"));
    assert_true(cm_failed(cm_der_bits(&d, CM_DER_BITS, &v)));
}

/* Every length around the steps of the encoding survives a round trip inside a wrapped value. */
static void round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000};
    static uint8_t bytes[70000];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 80000};
        cm_der d, in;
        cm_view v;
        uint32_t n;

        assert_true(cm_ok(cm_der_put(&b, CM_DER_OCTETS, cm_view_of(bytes, sizes[i]))));
        assert_true(cm_ok(cm_der_put_u31(&b, (uint32_t)sizes[i])));
        assert_true(cm_ok(cm_der_wrap(&b, 0, CM_DER_SEQUENCE)));
        d = cm_der_of(cm_buf_view(&b));
        assert_true(cm_ok(cm_der_enter(&d, CM_DER_SEQUENCE, &in)));
        assert_true(cm_ok(cm_der_end(&d)));
        assert_true(cm_ok(cm_der_take(&in, CM_DER_OCTETS, &v)));
        assert_int_equal(v.n, sizes[i]);
        assert_true(cm_ok(cm_der_u31(&in, &n)));
        assert_int_equal(n, sizes[i]);
        assert_true(cm_ok(cm_der_end(&in)));
    }
}

/* A full buffer is an error, not a cut value. */
static void no_room(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4};

    (void)state;
    assert_true(cm_is(cm_der_put(&b, CM_DER_OCTETS, cm_view_str("abc")), CM_TOO_BIG));
    assert_int_equal(b.n, 0);
    assert_true(cm_ok(cm_der_put(&b, CM_DER_OCTETS, cm_view_str("ab"))));
    assert_true(cm_is(cm_der_wrap(&b, 0, CM_DER_SEQUENCE), CM_TOO_BIG));
    assert_int_equal(b.n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),     cmocka_unit_test(padded_length), cmocka_unit_test(integers),
        cmocka_unit_test(bit_strings), cmocka_unit_test(round_trip),    cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
