/* The state machine, all of it, and schedules under clocks of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/schedule.h"
#include "keys/state.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { STATES = 8, LAST = CM_STATE_DESTROYED };
#define DAY ((uint64_t)86400000)

/* KM-40: rows from, columns to, both from 0 (no state) to 7. */
static const char *const moves[STATES] = {
    ".......", /* none */
    ".x...x.", /* pre-active: activate, destroy (compromise below) */
    "..xxx..", /* active */
    ".x.xx..", /* suspended */
    "....xx.", /* deactivated */
    ".....x.", /* compromised */
    "...x..x", /* pending destruction: cancel, destroy */
    ".......", /* destroyed */
};

static bool may(unsigned from, unsigned to)
{
    if (from == CM_STATE_PRE_ACTIVE && to == CM_STATE_COMPROMISED)
        return true;
    return from < STATES && to >= 1 && to < STATES && moves[from][to - 1] == 'x';
}

static void test_every_transition(void **state)
{
    (void)state;
    for (unsigned from = 0; from < STATES + 2; from++)
        for (unsigned to = 0; to < STATES + 2; to++) {
            cm_err e = cm_key_state_move((cm_key_state)from, (cm_key_state)to);

            assert_int_equal(cm_ok(e), may(from, to));
            if (!may(from, to))
                IS(e, KEY_TRANSITION);
        }
}

/* KM-41 */
static void test_every_use(void **state)
{
    static const unsigned uses[STATES] = {
        0, 0, CM_USE_PROTECT | CM_USE_PROCESS, 0, CM_USE_PROCESS, CM_USE_PROCESS, 0, 0};

    (void)state;
    for (unsigned s = 0; s < STATES + 2; s++)
        for (unsigned use = 0; use < 8; use++) {
            bool fine = s < STATES && use != 0 && (use & ~uses[s]) == 0;
            cm_err e = cm_key_state_allows((cm_key_state)s, use);

            assert_int_equal(cm_ok(e), fine);
            if (!fine)
                IS(e, KEY_STATE);
        }
}

static void test_names_differ(void **state)
{
    (void)state;
    for (unsigned a = 1; a <= LAST; a++)
        for (unsigned b = 1; b < a; b++)
            assert_string_not_equal(cm_key_state_name((cm_key_state)a),
                                    cm_key_state_name((cm_key_state)b));
    assert_string_equal(cm_key_state_name((cm_key_state)0), "unknown");
    assert_string_equal(cm_key_state_name((cm_key_state)99), "unknown");
}

/* KM-43 */
static void test_time_activates_and_deactivates(void **state)
{
    cm_key_life l = {CM_STATE_PRE_ACTIVE, 100, 200, 0};

    (void)state;
    assert_int_equal(cm_key_state_at(&l, 99), CM_STATE_PRE_ACTIVE);
    assert_int_equal(cm_key_state_at(&l, 100), CM_STATE_ACTIVE);
    assert_int_equal(cm_key_state_at(&l, 199), CM_STATE_ACTIVE);
    assert_int_equal(cm_key_state_at(&l, 200), CM_STATE_DEACTIVATED);
    l.activate_ms = 0;
    assert_int_equal(cm_key_state_at(&l, UINT64_MAX), CM_STATE_PRE_ACTIVE);
    for (unsigned s = CM_STATE_SUSPENDED; s <= LAST; s++) {
        l = (cm_key_life){(cm_key_state)s, 1, 1, 1};
        assert_int_equal(cm_key_state_at(&l, UINT64_MAX), s);
    }
}

/* KM-42: from every state, on every day. */
static void test_destruction_waits(void **state)
{
    (void)state;
    for (unsigned s = 0; s < STATES; s++)
        for (uint64_t days = 0; days < 40; days++) {
            cm_key_life l = {.state = (cm_key_state)s}, was = l;
            cm_err e = cm_key_destroy(&l, days, 1000);

            if (days < 7 || days > 30)
                IS(e, KEY_DELAY);
            else if (!may(s, CM_STATE_PENDING_DESTRUCTION))
                IS(e, KEY_TRANSITION);
            if (cm_failed(e)) {
                assert_memory_equal(&l, &was, sizeof l);
                continue;
            }
            assert_int_equal(l.state, CM_STATE_PENDING_DESTRUCTION);
            assert_false(cm_key_destruction_due(&l, 999 + days * DAY));
            IS(cm_key_move(&l, CM_STATE_DESTROYED, 999 + days * DAY), KEY_STATE);
            assert_true(cm_key_destruction_due(&l, 1000 + days * DAY));
            was = l;
            OK(cm_key_move(&was, CM_STATE_DEACTIVATED, 5000));
            assert_int_equal(was.destroy_ms, 0);
            OK(cm_key_move(&l, CM_STATE_DESTROYED, 1000 + days * DAY));
            assert_false(cm_key_destruction_due(&l, UINT64_MAX));
        }
}

static void test_moves_follow_the_state_of_now(void **state)
{
    cm_key_life l = {.state = CM_STATE_PRE_ACTIVE, .activate_ms = 100}, far = l;

    (void)state;
    IS(cm_key_move(&l, CM_STATE_SUSPENDED, 99), KEY_TRANSITION);
    assert_int_equal(l.state, CM_STATE_PRE_ACTIVE);
    OK(cm_key_move(&l, CM_STATE_SUSPENDED, 100));
    OK(cm_key_move(&l, CM_STATE_ACTIVE, 100));
    IS(cm_key_move(&l, CM_STATE_PENDING_DESTRUCTION, 100), KEY_TRANSITION);
    IS(cm_key_destroy(&far, 7, UINT64_MAX - 1), KEY_TRANSITION); /* active by then */
    far = (cm_key_life){.state = CM_STATE_DEACTIVATED};
    IS(cm_key_destroy(&far, 7, UINT64_MAX - 1), OVERFLOW);
}

/* ---- schedules ----------------------------------------------------------------------------- */

/* KM-50 */
static void test_defaults_of_the_seeds(void **state)
{
    (void)state;
    assert_int_equal(cm_schedule_default(CM_PURPOSE_ROOT).period_ms, 365 * DAY);
    assert_int_equal(cm_schedule_default(CM_PURPOSE_MODEL).period_ms, 90 * DAY);
    assert_int_equal(cm_schedule_default(CM_PURPOSE_API).period_ms, 30 * DAY);
    assert_int_equal(cm_schedule_default(CM_PURPOSE_API).grace_ms, 7 * DAY);
    assert_int_equal(cm_schedule_default(CM_PURPOSE_SESSION).period_ms, 0);
    assert_int_equal(cm_schedule_default(CM_PURPOSE_DATA).period_ms, 0);
    assert_int_equal(cm_schedule_default((cm_key_purpose)77).period_ms, 0);
}

/* KM-51 */
static void test_next_rotation(void **state)
{
    cm_schedule s = {10, 0}, never = {0, 0};

    (void)state;
    assert_int_equal(cm_schedule_first(&s, 5), 15);
    assert_int_equal(cm_schedule_first(&never, 5), 0);
    assert_int_equal(cm_schedule_first(&s, UINT64_MAX - 3), UINT64_MAX);
    assert_false(cm_schedule_due(0, UINT64_MAX));
    assert_false(cm_schedule_due(15, 14));
    assert_true(cm_schedule_due(15, 15));
    assert_int_equal(cm_schedule_next(&never, 15, 16), 0);
    assert_int_equal(cm_schedule_next(&s, 0, 16), 26);
    assert_int_equal(cm_schedule_next(&s, 15, 3), 15); /* the clock went back */
    for (uint64_t now = 15; now < 400; now++) {
        uint64_t next = cm_schedule_next(&s, 15, now);

        assert_true(next > now && next <= now + 10 && next % 10 == 5);
    }
    assert_int_equal(cm_schedule_next(&s, 15, UINT64_MAX), UINT64_MAX);
}

/* KM-52 */
static void test_grace(void **state)
{
    cm_schedule api = cm_schedule_default(CM_PURPOSE_API), none = {10, 0};

    (void)state;
    assert_int_equal(cm_schedule_grace_end(&api, 1000), 1000 + 7 * DAY);
    assert_int_equal(cm_schedule_grace_end(&none, 1000), 1000);
    assert_int_equal(cm_schedule_grace_end(&api, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_transition),
        cmocka_unit_test(test_every_use),
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_time_activates_and_deactivates),
        cmocka_unit_test(test_destruction_waits),
        cmocka_unit_test(test_moves_follow_the_state_of_now),
        cmocka_unit_test(test_defaults_of_the_seeds),
        cmocka_unit_test(test_next_rotation),
        cmocka_unit_test(test_grace),
    };

    return cmocka_run_group_tests_name("key states", tests, NULL, NULL);
}
