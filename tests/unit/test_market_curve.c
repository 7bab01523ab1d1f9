/* The HMM curve: what no sequence of trades may do, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "market/u256.h"

#define ONE UINT64_C(1000000000000000000)

static uint64_t seed = 88172645463325252u;

static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* 1 to below 2^bits, of any size. */
static cm_u256 amount(unsigned bits)
{
    cm_u256 a = {{any(), any() & 0xffffffff, 0, 0}};
    cm_u256 size = {{0}}, r, one = cm_u256_of(1);
    unsigned n = (unsigned)(any() % bits);

    size.w[n / 64] = (uint64_t)1 << n % 64;
    assert_true(cm_ok(cm_u256_div(NULL, &r, &a, &size)));
    assert_true(cm_ok(cm_u256_add(&r, &r, &one)));
    return r;
}

static cm_curve curve(void)
{
    cm_curve c = {.x = amount(95), .y = amount(95), .weight = any() % (ONE + 1)};

    c.lambda = any() % 3 ? any() % (ONE / (1 + any() % 1000)) : 0;
    c.fee = any() % 2 ? any() % (ONE / 50) : 0;
    c.risk = any() % 2 ? any() % (ONE / 10) : 0;
    c.weight += (c.weight | c.lambda) == 0;
    return c;
}

static int compare(const cm_u256 *a, const cm_u256 *b)
{
    return cm_u256_compare(a, b);
}

/* M-52, M-53: the invariant never falls, a trade comes out as quoted, and after any number of them
 * the pool is not poorer. */
static void test_sequences(void **state)
{
    unsigned done = 0;

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        const cm_curve first = curve();
        cm_curve c = first;

        for (unsigned j = 0; j < 12; j++) {
            bool from_y = any() & 1;
            cm_u256 in = amount(95), was, is, none = {{0}};
            cm_quote q, s;
            cm_curve before = c;

            assert_true(cm_ok(cm_curve_invariant(&was, &c)));
            if (cm_failed(cm_curve_quote(&q, &c, from_y, &in))) {
                assert_true(cm_failed(cm_curve_swap(&c, NULL, from_y, &in, &none)));
                assert_memory_equal(&c, &before, sizeof c);
                continue;
            }
            assert_true(cm_ok(cm_curve_swap(&c, &s, from_y, &in, &q.out)));
            assert_memory_equal(&s.out, &q.out, sizeof s.out);
            assert_memory_equal(&s.fee, &q.fee, sizeof s.fee);
            assert_true(cm_ok(cm_curve_invariant(&is, &c)));
            assert_true(compare(&is, &was) >= 0);
            done++;
        }
        assert_false(compare(&c.x, &first.x) <= 0 && compare(&c.y, &first.y) <= 0 &&
                     (compare(&c.x, &first.x) < 0 || compare(&c.y, &first.y) < 0));
    }
    assert_true(done > 400);
}

/* There and back brings no more than went in, with and without a fee. */
static void test_round_trip(void **state)
{
    unsigned done = 0;

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        cm_curve c = curve();
        cm_u256 in = amount(90), none = {{0}};
        cm_quote there, back;

        if (cm_failed(cm_curve_swap(&c, &there, false, &in, &none)) ||
            cm_failed(cm_curve_swap(&c, &back, true, &there.out, &none)))
            continue;
        assert_true(compare(&back.out, &in) <= 0);
        done++;
    }
    assert_true(done > 50);
}

static cm_curve plain(void)
{
    return (cm_curve){
        .x = cm_u256_of(1000000), .y = cm_u256_of(4000000), .weight = ONE, .fee = ONE / 100};
}

/* M-50 */
static void test_bounds(void **state)
{
    const cm_u256 limit = {{0, UINT64_C(1) << 32, 0, 0}}, top = {{~(uint64_t)0, 0xffffffff, 0, 0}};
    cm_u256 in = cm_u256_of(10), most = {{~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0}};
    cm_curve c = plain();
    cm_quote q;

    (void)state;
    assert_true(cm_ok(cm_curve_quote(&q, &c, false, &in)));
    c.x = limit;
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &in), CM_CURVE_PARAMETERS));
    c.x = (cm_u256){{0}};
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &in), CM_CURVE_PARAMETERS));
    c = plain();
    c.weight = ONE + 1;
    assert_true(cm_is(cm_curve_invariant(&in, &c), CM_CURVE_PARAMETERS));
    c.weight = 0;
    assert_true(cm_is(cm_curve_invariant(&in, &c), CM_CURVE_PARAMETERS));
    c = (cm_curve){.x = top, .y = top, .weight = ONE, .lambda = ONE};
    assert_true(cm_ok(cm_curve_invariant(&in, &c)));
    in = cm_u256_of(10);
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &in), CM_AMOUNT_OVERFLOW));
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &most), CM_AMOUNT_OVERFLOW));
}

/* M-51 and what a trader demands. */
static void test_refused(void **state)
{
    cm_u256 in = cm_u256_of(1000), none = {{0}}, one = cm_u256_of(1), least;
    cm_curve c = plain();
    cm_quote q;

    (void)state;
    assert_true(cm_ok(cm_curve_quote(&q, &c, false, &in)));
    assert_int_equal(q.fee.w[0], 10);
    assert_int_equal(q.before.w[0], 4 * ONE);
    assert_int_equal(q.out.w[0], 3956); /* 4000000 - ceil(4e12 / 1000990) */
    assert_int_equal(q.slippage_bp, 110);
    assert_true(cm_ok(cm_u256_add(&least, &q.out, &one)));
    assert_true(cm_is(cm_curve_swap(&c, &q, false, &in, &least), CM_CURVE_SLIPPAGE));
    assert_int_equal(c.x.w[0], 1000000);
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &none), CM_CURVE_FEE));
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &one), CM_CURVE_FEE)); /* rounded up: all */
    c.risk = ONE;
    in = cm_u256_of(1000000);
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &in), CM_CURVE_FEE));
    c = plain();
    c.lambda = ONE;
    in = cm_u256_of(100000000);
    assert_true(cm_is(cm_curve_quote(&q, &c, false, &in), CM_CURVE_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
