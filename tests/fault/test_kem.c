/* KEMs and HPKE while memory and randomness fail at each call below them in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypt/kem.h"
#include "fault.h"

enum { SS = 32, MAX = 4096 };

static const cm_kem_id ids[CM_KEM_COUNT] = {CM_KEM_X25519, CM_KEM_MLKEM512, CM_KEM_MLKEM768,
                                            CM_KEM_MLKEM1024, CM_KEM_XWING};
static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_PROVIDER, FAULT_RANDOM};
static cm_crypt *crypt_;

/* Want of memory or of randomness, and not that somebody sent something bad. */
static void assert_ours(cm_err e)
{
    cm_class c = cm_err_class(e);

    if (c != CM_CLASS_EXHAUSTED && c != CM_CLASS_INTERNAL)
        print_error("%s\n", cm_err_name(e));
    assert_true(c == CM_CLASS_EXHAUSTED || c == CM_CLASS_INTERNAL);
}

static void make_keys(cm_kem_id id)
{
    cm_kem_key *k = NULL;
    cm_err e = cm_kem_generate(&k, crypt_, id);

    fault_pause();
    if (cm_failed(e)) {
        assert_true(fault_hit());
        assert_null(k);
        assert_ours(e);
    }
    cm_kem_key_free(k);
}

/* The provider's ML-KEM rejects a ciphertext when its own memory fails, instead of saying so: that
 * is a wrong secret, never a wrong success. */
static bool may_reject(const cm_kem_key *k, enum fault_kind kind)
{
    return kind == FAULT_PROVIDER && cm_kem_key_info(k)->id != CM_KEM_X25519;
}

static void decapped(const cm_kem_key *k, enum fault_kind kind, cm_view ct, const uint8_t *a,
                     const uint8_t *b)
{
    uint8_t c[SS];

    assert_true(cm_ok(cm_kem_decap(k, c, ct)));
    assert_memory_equal(a, c, SS);
    if (!fault_hit() || !may_reject(k, kind))
        assert_memory_equal(a, b, SS);
}

static void encap_decap(const cm_kem_key *k, enum fault_kind kind)
{
    uint8_t ct[CM_KEM_CT_MAX] = {0}, a[SS] = {0}, b[SS] = {0}, zero[CM_KEM_CT_MAX] = {0};
    size_t n = cm_kem_key_info(k)->ct;
    cm_err e = cm_kem_encap(k, ct, a), d = CM_OKAY;

    if (cm_ok(e))
        d = cm_kem_decap(k, b, cm_view_of(ct, n));
    fault_pause();
    if (cm_failed(e)) {
        assert_ours(e);
        assert_memory_equal(ct, zero, n);
        assert_memory_equal(a, zero, SS);
    } else if (cm_failed(d)) {
        assert_ours(d);
        assert_memory_equal(b, zero, SS);
    } else {
        decapped(k, kind, cm_view_of(ct, n), a, b);
    }
    assert_true(fault_hit() || (cm_ok(e) && cm_ok(d)));
}

static void assert_opens(const cm_kem_key *k, cm_hpke_suite s, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = MAX};

    assert_true(cm_ok(cm_hpke_open(&plain, k, s, CM_LIT("info"), CM_LIT("aad"), sealed)));
    assert_true(cm_view_eq(cm_buf_view(&plain), CM_LIT("weights")));
}

static void seal_open(const cm_kem_key *k, enum fault_kind kind, cm_hpke_suite s)
{
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = MAX};
    cm_view info = CM_LIT("info"), aad = CM_LIT("aad");
    cm_err e = cm_hpke_seal(&sealed, k, s, info, aad, CM_LIT("weights")), d = CM_OKAY;

    if (cm_ok(e))
        d = cm_hpke_open(&plain, k, s, info, aad, cm_buf_view(&sealed));
    fault_pause();
    assert_true(fault_hit() || (cm_ok(e) && cm_ok(d)));
    if (cm_failed(e)) {
        assert_ours(e);
        assert_int_equal(sealed.n, 0);
        return;
    }
    assert_opens(k, s, cm_buf_view(&sealed));
    if (cm_failed(d) && !(may_reject(k, kind) && cm_is(d, CM_CRYPT_TAG)))
        assert_ours(d);
    assert_true(cm_view_eq(cm_buf_view(&plain), cm_ok(d) ? CM_LIT("weights") : CM_LIT("")));
}

static void generate_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++)
        for (size_t j = 0; j < CM_COUNT(kinds); j++) {
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                make_keys(ids[i]);
        }
}

static void use_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

        assert_true(cm_ok(cm_kem_generate(&k, crypt_, ids[i])));
        for (size_t j = 0; j < CM_COUNT(kinds); j++) {
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                encap_decap(k, kinds[j]);
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                seal_open(k, kinds[j], cm_hpke_default);
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                seal_open(k, kinds[j], (cm_hpke_suite){0x11, 1});
        }
    }
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generate_each),
        cmocka_unit_test(use_each),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
