/* A day verified while memory or threads fail, one call after the other: it says so, and never that
 * the day holds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "day_kit.h"
#include "fault.h"

static void nth_fails(enum fault_kind kind, cm_reason why)
{
    t_day *day = t_day_new();

    for (size_t i = 0; i < 4; i++)
        t_day_receipt(day, i % T_DAY_KEYS);
    t_day_end(day);
    fault_begin(kind, ENOMEM);
    while (fault_next()) {
        cm_day_options o = t_day_options(day, 1);
        cm_day_counts counts;
        cm_day_place bad;
        cm_err e = cm_day_verify(&counts, &bad, &o);

        assert_true(fault_hit() ? cm_is(e, why) : cm_ok(e));
        assert_int_equal(counts.records == 4, cm_ok(e));
    }
    t_day_free(day);
}

static void memory(void **state)
{
    (void)state;
    nth_fails(FAULT_ALLOC, CM_NO_MEMORY);
}

static void threads(void **state)
{
    (void)state;
    nth_fails(FAULT_THREAD, CM_NO_THREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(threads),
    };

    return cmocka_run_group_tests_name("market_day", tests, NULL, NULL);
}
