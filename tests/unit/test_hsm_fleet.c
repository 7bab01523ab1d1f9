/* Which device is asked next: shares by chi-square, turns, the breaker, the ramp, regions. The
 * clock and the chance are the tests'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/fleet.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static uint64_t seed;

/* SplitMix64: the same numbers every time. */
static uint64_t chance(void)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void make(cm_fleet *f, cm_fleet_mode mode, const uint64_t *weights, size_t n)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    const cm_fleet_options o = {.mode = mode, .check_ms = 30000, .threshold = 3, .ramp_ms = 60000};

    seed = 1;
    cm_fleet_init(f, &o);
    for (size_t i = 0; i < n; i++)
        OK(cm_fleet_add(f, names[i], "", weights[i], 0));
}

/* Chi-square of `rounds` picks against the shares; a member without a share must not be picked. */
static double chi_square(cm_fleet *f, uint64_t now, unsigned rounds)
{
    uint64_t seen[CM_FLEET_MAX] = {0}, total = 0;
    double sum = 0;

    for (unsigned i = 0; i < rounds; i++)
        seen[cm_fleet_pick(f, now, chance(), 0)]++;
    for (size_t i = 0; i < f->n; i++)
        total += cm_fleet_share(f, i, now);
    for (size_t i = 0; i < f->n; i++) {
        double expected = (double)rounds * (double)cm_fleet_share(f, i, now) / (double)total;
        double d = (double)seen[i] - expected;

        if (expected > 0)
            sum += d * d / expected;
        else
            assert_int_equal(seen[i], 0);
    }
    return sum;
}

/* ---- H-30 ---------------------------------------------------------------------------------- */

static void weights_are_what_is_served(void **state)
{
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_WEIGHTED, (const uint64_t[]){70, 30}, 2);
    assert_true(chi_square(&f, 0, 20000) < 10.83); /* 1 degree of freedom, p = 0.001 */
    make(&f, CM_FLEET_WEIGHTED, (const uint64_t[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    assert_true(chi_square(&f, 0, 40000) < 24.32); /* 7 */
    make(&f, CM_FLEET_WEIGHTED, (const uint64_t[]){100, 0, 50}, 3);
    assert_true(chi_square(&f, 0, 20000) < 10.83);
}

static void turns_are_exact_and_even(void **state)
{
    static const char order[] = "aabacaa"; /* 5, 1, 1: as smooth as it can be */
    uint64_t seen[2] = {0};
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_TURNS, (const uint64_t[]){5, 1, 1}, 3);
    for (unsigned i = 0; i < 21; i++)
        assert_int_equal(cm_fleet_pick(&f, 0, chance(), 0), (size_t)(order[i % 7] - 'a'));
    make(&f, CM_FLEET_TURNS, (const uint64_t[]){70, 30}, 2);
    for (unsigned i = 0; i < 1000; i++)
        seen[cm_fleet_pick(&f, 0, chance(), 0)]++;
    assert_int_equal(seen[0], 700);
    assert_int_equal(seen[1], 300);
}

static void the_fastest_serves(void **state)
{
    uint64_t seen[4] = {0};
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_LATENCY, (const uint64_t[]){100, 100, 100}, 3);
    cm_fleet_answered(&f, 0, 0, 900);
    cm_fleet_answered(&f, 1, 0, 100);
    for (unsigned i = 0; i < 4; i++) /* one that was never measured has to be asked */
        seen[cm_fleet_pick(&f, 0, 0, 0)]++;
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 2);
    cm_fleet_answered(&f, 2, 0, 120);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(cm_fleet_pick(&f, 0, 0, 0), 0);
    for (unsigned i = 0; i < 40; i++) /* slow from now on: an average of what is new */
        cm_fleet_answered(&f, 1, 0, 5000);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(cm_fleet_pick(&f, 0, 0, 0), 2);
}

/* ---- H-31 ---------------------------------------------------------------------------------- */

static void our_own_region_first(void **state)
{
    const cm_fleet_options o = {.mode = CM_FLEET_WEIGHTED, .region = "eu"};
    cm_fleet f;

    (void)state;
    cm_fleet_init(&f, &o);
    OK(cm_fleet_add(&f, "far", "us", 1000, 0));
    OK(cm_fleet_add(&f, "near", "eu", 1, 0));
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(cm_fleet_pick(&f, 0, chance(), 0), 1);
    assert_int_equal(cm_fleet_pick(&f, 0, 0, 1u << 1), 0);
    for (unsigned i = 0; i < 3; i++)
        cm_fleet_failed(&f, 1, 0);
    assert_int_equal(cm_fleet_pick(&f, 0, 0, 0), 0);
    assert_int_equal(cm_fleet_pick(&f, 0, 0, 1u << 0), 1); /* broken, rather than nobody */
    assert_int_equal(cm_fleet_pick(&f, 0, 0, 3), CM_FLEET_NONE);
    cm_fleet_answered(&f, 1, 0, 1);
    assert_int_equal(cm_fleet_pick(&f, 0, 0, 0), 1);
}

/* ---- H-32 to H-34 -------------------------------------------------------------------------- */

static void three_failures_break(void **state)
{
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_WEIGHTED, (const uint64_t[]){70, 30}, 2);
    cm_fleet_failed(&f, 0, 10);
    cm_fleet_failed(&f, 0, 11);
    cm_fleet_answered(&f, 0, 12, 5); /* in a row: it starts again */
    cm_fleet_failed(&f, 0, 13);
    cm_fleet_failed(&f, 0, 14);
    assert_int_equal(f.m[0].state, CM_FLEET_SERVES);
    cm_fleet_failed(&f, 0, 15);
    assert_int_equal(f.m[0].state, CM_FLEET_BROKEN);
    assert_int_equal(f.m[0].failures, 5);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(cm_fleet_pick(&f, 20, chance(), 0), 1);
    cm_fleet_failed(&f, 0, 16); /* a check that fails changes nothing */
    assert_int_equal(f.m[0].since, 15);
    cm_fleet_answered(&f, 0, 100, 5);
    assert_int_equal(f.m[0].state, CM_FLEET_RAMPS);
    cm_fleet_failed(&f, 0, 200); /* one is enough while it ramps */
    assert_int_equal(f.m[0].state, CM_FLEET_BROKEN);
}

static void it_comes_back_slowly(void **state)
{
    static const struct {
        uint64_t at, share;
    } curve[] = {{0, 100},     {6000, 190},  {15000, 325}, {30000, 550},
                 {45000, 775}, {59999, 999}, {60000, 1000}};
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_WEIGHTED, (const uint64_t[]){1, 1}, 2);
    for (unsigned i = 0; i < 3; i++)
        cm_fleet_failed(&f, 0, 0);
    cm_fleet_answered(&f, 0, 1000, 5);
    for (size_t i = 0; i < CM_COUNT(curve); i++) {
        assert_int_equal(cm_fleet_share(&f, 0, 1000 + curve[i].at), curve[i].share);
        assert_true(chi_square(&f, 1000 + curve[i].at, 5000) < 10.83);
        assert_int_equal(f.m[0].state, CM_FLEET_RAMPS);
    }
    cm_fleet_answered(&f, 0, 61000, 5);
    assert_int_equal(f.m[0].state, CM_FLEET_SERVES);
}

static void quarantine_is_for_good(void **state)
{
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_TURNS, (const uint64_t[]){1, 1}, 2);
    cm_fleet_quarantine(&f, 0, 5);
    cm_fleet_answered(&f, 0, 6, 1);
    cm_fleet_failed(&f, 0, 7);
    assert_int_equal(f.m[0].state, CM_FLEET_QUARANTINED);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(cm_fleet_pick(&f, 10, 0, 0), 1);
    assert_int_equal(cm_fleet_pick(&f, 10, 0, 2), CM_FLEET_NONE);
    assert_int_equal(cm_fleet_check(&f, 1u << 30), 1);
    assert_int_equal(cm_fleet_check(&f, 1u << 30), CM_FLEET_NONE);
}

static void checks_are_due_each_thirty_seconds(void **state)
{
    cm_fleet f;

    (void)state;
    make(&f, CM_FLEET_TURNS, (const uint64_t[]){1, 1}, 2);
    assert_int_equal(cm_fleet_next_check(&f), 30000);
    assert_int_equal(cm_fleet_check(&f, 29999), CM_FLEET_NONE);
    assert_int_equal(cm_fleet_check(&f, 30000), 0);
    assert_int_equal(cm_fleet_check(&f, 30000), 1);
    assert_int_equal(cm_fleet_check(&f, 30000), CM_FLEET_NONE);
    assert_int_equal(cm_fleet_next_check(&f), 60000);
}

static void limits(void **state)
{
    static const char long_name[] = "a name of more than thirty-two ch";
    const cm_fleet_options none = {.mode = CM_FLEET_WEIGHTED};
    cm_fleet f;

    (void)state;
    cm_fleet_init(&f, &none);
    assert_int_equal(cm_fleet_pick(&f, 0, 7, 0), CM_FLEET_NONE);
    assert_int_equal(f.o.check_ms, 30000);
    assert_int_equal(f.o.threshold, 3);
    assert_true(cm_failed(cm_fleet_add(&f, "", "", 1, 0)));
    assert_true(cm_failed(cm_fleet_add(&f, long_name, "", 1, 0)));
    assert_true(cm_failed(cm_fleet_add(&f, "a", long_name, 1, 0)));
    assert_true(cm_failed(cm_fleet_add(&f, "a", "", CM_FLEET_WEIGHT_MAX + 1, 0)));
    OK(cm_fleet_add(&f, "a", "", 10, 0));
    assert_true(cm_failed(cm_fleet_add(&f, "a", "", 10, 0)));
    assert_true(cm_failed(cm_fleet_set_weight(&f, "b", 1)));
    assert_true(cm_failed(cm_fleet_set_weight(&f, "a", CM_FLEET_WEIGHT_MAX + 1)));
    OK(cm_fleet_set_weight(&f, "a", 0));
    assert_int_equal(cm_fleet_pick(&f, 0, 7, 0), 0); /* a spare */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_what_is_served),
        cmocka_unit_test(turns_are_exact_and_even),
        cmocka_unit_test(the_fastest_serves),
        cmocka_unit_test(our_own_region_first),
        cmocka_unit_test(three_failures_break),
        cmocka_unit_test(it_comes_back_slowly),
        cmocka_unit_test(quarantine_is_for_good),
        cmocka_unit_test(checks_are_due_each_thirty_seconds),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
