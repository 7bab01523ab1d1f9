/* Key operations while memory and randomness fail one call after the other: the right class, no
 * result, no bad signature that verifies. Caches empty, so each goes down to the root. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fault.h"
#include "ring_kit.h"

static t_ring *ring;
static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_PROVIDER, FAULT_RANDOM};

static int setup(void **state)
{
    (void)state;
    ring = t_ring_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_ring_done(ring);
    return 0;
}

/* Lack of memory is that, but for where the provider does not say so; a generator that fails is a
 * broken machine. A cache that could not grow is no failure. */
static void assert_class(cm_err e, enum fault_kind kind)
{
    bool exhausted = cm_err_class(e) == CM_CLASS_EXHAUSTED;

    if (!fault_hit())
        assert_true(cm_ok(e));
    else if (kind == FAULT_ALLOC)
        assert_true(cm_ok(e) || exhausted);
    else if (cm_failed(e))
        assert_true(exhausted || cm_err_class(e) == CM_CLASS_INTERNAL);
}

static void check(const cm_keyop *op, enum fault_kind kind)
{
    assert_class(op->result, kind);
    if (cm_failed(op->result)) { /* KM-36 */
        assert_null(op->out.p);
        assert_null(op->out2.p);
    }
}

static void attempt(cm_keyop op)
{
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        t_ring_restart(ring);
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_keyring_exec(ring->ring, &op);
            fault_pause();
            check(&op, kinds[i]);
            cm_keyop_done_with(&op);
            t_ring_restart(ring);
            fault_resume();
        }
    }
}

static void signing_and_verifying(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_DSA_44, CM_KEY_P256, CM_KEY_SECP256K1,
                                        CM_KEY_ED25519};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_op(&k, CM_KEYOP_SIGN), sig;

        op.data = CM_LIT("message");
        attempt(op);
        sig = op;
        cm_keyring_exec(ring->ring, &sig);
        assert_true(cm_ok(sig.result));
        op.code = CM_KEYOP_VERIFY;
        op.more = cm_buf_view(&sig.out);
        attempt(op);
        cm_keyop_done_with(&sig);
        t_held_done(&k);
    }
}

static void bad_signatures_never_verify(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_DSA_44, CM_KEY_P256, CM_KEY_SECP256K1};
    static const uint8_t bad[2420] = {1, 2, 3, 4, 5};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_op(&k, CM_KEYOP_VERIFY);

        op.data = CM_LIT("message");
        op.more = cm_view_of(bad, i == 0 ? sizeof bad : 64);
        fault_begin(FAULT_PROVIDER, ENOMEM);
        while (fault_next()) {
            cm_keyring_exec(ring->ring, &op);
            fault_pause();
            assert_true(cm_failed(op.result));
            fault_resume();
        }
        t_held_done(&k);
    }
}

static void sealing_and_opening(void **state)
{
    static const cm_key_type types[] = {CM_KEY_AES_256, CM_KEY_X_WING};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_op(&k, CM_KEYOP_WRAP), open;

        op.data = CM_LIT("a key to be wrapped");
        op.context = CM_LIT("aad");
        attempt(op);
        open = op;
        cm_keyring_exec(ring->ring, &op);
        assert_true(cm_ok(op.result));
        open.code = CM_KEYOP_UNWRAP;
        open.data = cm_buf_view(&op.out);
        attempt(open);
        open.code = CM_KEYOP_REWRAP;
        open.more = cm_buf_view(&k.sealed);
        open.n = 1;
        attempt(open);
        cm_keyop_done_with(&op);
        op.code = CM_KEYOP_DATA_KEY;
        op.n = 32;
        attempt(op);
        t_held_done(&k);
    }
}

static void making_and_moving(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_DSA_44, CM_KEY_X_WING, CM_KEY_HMAC_SHA256};
    t_held inbox = t_ring_create(ring, CM_KEY_X_WING);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_op(&k, CM_KEYOP_CREATE);

        attempt(op);
        op.code = CM_KEYOP_EXPORT;
        op.more = cm_buf_view(&inbox.public_key);
        attempt(op);
        op.code = CM_KEYOP_RESEAL;
        op.more = cm_buf_view(&k.kek);
        op.n = 1;
        attempt(op);
        op.code = CM_KEYOP_ROW_KEY;
        attempt(op);
        op.code = CM_KEYOP_NEW_TENANT;
        attempt(op);
        t_held_done(&k);
    }
    t_held_done(&inbox);
}

static void a_ring(void **state)
{
    cm_keyring_options o = {.crypt = ring->crypt, .root = &ring->root};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            cm_keyring *r = NULL;
            cm_err e = cm_keyring_new(&r, &o);

            fault_pause();
            assert_class(e, kinds[i]);
            assert_int_equal(r != NULL, cm_ok(e));
            cm_keyring_free(r);
            fault_resume();
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(signing_and_verifying),
        cmocka_unit_test(bad_signatures_never_verify),
        cmocka_unit_test(sealing_and_opening),
        cmocka_unit_test(making_and_moving),
        cmocka_unit_test(a_ring),
    };

    return cmocka_run_group_tests_name("keyring", tests, setup, teardown);
}
