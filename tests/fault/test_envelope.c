/* Envelopes while memory and randomness fail one call after the other: the right class, nothing
 * written, no key given out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "envelope/envelope.h"
#include "fault.h"

static const cm_key32 content = {"the content key of 32 bytes....."};
static const cm_envelope_policy policy = {.allow_passphrase = true, .min_level = 3};

static cm_crypt *crypt_;
static cm_kem_key *mine, *other;
static cm_envelope_passphrase phrase = {{(const uint8_t *)"correct horse", 13}, {8 << 10, 1, 1}};

static int setup(void **state)
{
    uint8_t seed[32] = {1};

    (void)state;
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)) ||
        cm_failed(cm_kem_from_seed(&mine, crypt_, CM_KEM_XWING, CM_VIEW(seed))))
        return 1;
    seed[0] = 2;
    return cm_failed(cm_kem_from_seed(&other, crypt_, CM_KEM_XWING, CM_VIEW(seed)));
}

static int teardown(void **state)
{
    (void)state;
    cm_kem_key_free(mine);
    cm_kem_key_free(other);
    cm_crypt_free(crypt_);
    return 0;
}

static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return true;
}

static cm_err seal(cm_buf *env)
{
    cm_recipient to[2] = {cm_recipient_kem(mine), cm_recipient_passphrase(&phrase)};

    return cm_envelope_seal(env, crypt_, &content, to, 2, &policy, CM_LIT("context"));
}

static cm_err open_by(cm_key32 *key, const cm_buf *env, cm_opener o)
{
    return cm_envelope_open(key, crypt_, cm_buf_view(env), &o, 1, &policy, CM_LIT("context"));
}

/* Lack of memory is that, whoever notices; a generator that fails is a broken machine. */
static void assert_class(cm_err e, enum fault_kind kind)
{
    if (!fault_hit()) {
        assert_true(cm_ok(e));
        return;
    }
    if (kind == FAULT_ALLOC)
        assert_string_equal(cm_err_name(e), "NO_MEMORY");
    else if (kind == FAULT_RANDOM)
        assert_int_equal(cm_err_class(e), CM_CLASS_INTERNAL);
    else if (cm_failed(e)) /* the provider may do without what it could not have */
        assert_int_equal(cm_err_class(e), CM_CLASS_EXHAUSTED);
}

static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_PROVIDER, FAULT_RANDOM};

static void sealing(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        unsigned hits = 0;

        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_buf env = {.max = CM_ENVELOPE_MAX};
            cm_err e = seal(&env);

            fault_pause();
            hits += fault_hit();
            assert_class(e, kinds[i]);
            assert_int_equal(env.n > 0, cm_ok(e));
            cm_buf_free(&env);
        }
        assert_true(hits > 1 || kinds[i] == FAULT_PROVIDER); /* a shared one is out of reach */
    }
}

static void changing(void **state)
{
    cm_recipient to = cm_recipient_kem(other);
    cm_buf old = {.max = CM_ENVELOPE_MAX};

    (void)state;
    assert_true(cm_ok(seal(&old)));
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_buf env = {.max = CM_ENVELOPE_MAX};
            cm_err e = cm_envelope_reseal(&env, crypt_, &content, cm_buf_view(&old), keep_all, NULL,
                                          &to, 1, &policy, CM_LIT("context"));

            fault_pause();
            assert_class(e, kinds[i]);
            assert_int_equal(env.n > 0, cm_ok(e));
            cm_buf_free(&env);
        }
    }
    cm_buf_free(&old);
}

/* In particular: never "not for you" or "wrong passphrase". */
static void opening(void **state)
{
    cm_opener openers[] = {cm_opener_kem(mine), cm_opener_passphrase(&phrase)};
    cm_buf env = {.max = CM_ENVELOPE_MAX};
    uint8_t none[32] = {0};

    (void)state;
    assert_true(cm_ok(seal(&env)));
    for (size_t k = 0; k < CM_COUNT(openers); k++)
        for (size_t i = 0; i < 2; i++) {
            unsigned hits = 0;

            fault_begin(kinds[i], ENOMEM);
            while (fault_next()) {
                cm_key32 key = {{0}};
                cm_err e = open_by(&key, &env, openers[k]);

                fault_pause();
                hits += fault_hit();
                assert_class(e, kinds[i]);
                assert_memory_equal(key.b, cm_ok(e) ? content.b : none, 32);
            }
            assert_true(hits > 1 || kinds[i] == FAULT_PROVIDER);
        }
    cm_buf_free(&env);
}

static void listing(void **state)
{
    cm_buf env = {.max = CM_ENVELOPE_MAX};

    (void)state;
    assert_true(cm_ok(seal(&env)));
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        cm_stanza list[2];
        size_t n = 0;
        cm_err e = cm_envelope_list(list, 2, &n, cm_buf_view(&env));

        assert_class(e, FAULT_ALLOC);
        assert_int_equal(n, cm_ok(e) ? 2 : 0);
    }
    cm_buf_free(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing),
        cmocka_unit_test(changing),
        cmocka_unit_test(opening),
        cmocka_unit_test(listing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
