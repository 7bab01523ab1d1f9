/* Boxes: round trip, every fault the same error, commitment checked before decryption (B-1 to B-4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypt/aead.h"
#include "crypt/box.h"

static cm_crypt *crypt;
static const cm_key32 key = {{7}}, other = {{8}};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 37) {
        CM_AUTO(cm_buf_free) cm_buf box = {.max = 1024};
        CM_AUTO(cm_buf_free) cm_buf out = {.max = 1024};
        uint8_t plain[300] = {1, 2, 3};

        assert_true(cm_ok(
            cm_box_seal(&box, crypt, &key, CM_LIT("p"), CM_LIT("aad"), cm_view_of(plain, n))));
        assert_int_equal(box.n, n + CM_BOX_OVERHEAD);
        assert_true(
            cm_ok(cm_box_open(&out, crypt, &key, CM_LIT("p"), CM_LIT("aad"), cm_buf_view(&box))));
        assert_true(cm_view_eq(cm_buf_view(&out), cm_view_of(plain, n)));
    }
}

static void expect_refused(const cm_key32 *k, cm_view purpose, cm_view aad, cm_view box)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 1024};

    assert_true(cm_is(cm_box_open(&out, crypt, k, purpose, aad, box), CM_CRYPT_TAG));
    assert_int_equal(out.n, 0);
}

static void test_refusals(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf box = {.max = 1024};

    (void)state;
    assert_true(cm_ok(cm_box_seal(&box, crypt, &key, CM_LIT("p"), CM_LIT("aad"), CM_LIT("plain"))));
    expect_refused(&other, CM_LIT("p"), CM_LIT("aad"), cm_buf_view(&box));
    expect_refused(&key, CM_LIT("q"), CM_LIT("aad"), cm_buf_view(&box));
    expect_refused(&key, CM_LIT("p"), CM_LIT("aae"), cm_buf_view(&box));
    for (size_t i = 0; i < box.n; i++) {
        box.p[i] ^= 0x40;
        expect_refused(&key, CM_LIT("p"), CM_LIT("aad"), cm_buf_view(&box));
        box.p[i] ^= 0x40;
        expect_refused(&key, CM_LIT("p"), CM_LIT("aad"), cm_view_of(box.p, i));
    }
    box.n = 0;
    assert_true(cm_is(cm_box_seal(&box, crypt, &key, CM_LIT("a\0b"), CM_LIT(""), CM_LIT("x")),
                      CM_BAD_ARGUMENT));
    assert_int_equal(box.n, 0);
}

/* B-2, B-3: a box as the spec says it is made, by hand; and one whose tag is right for another key
 * than the commitment's, which only the commitment gives away. */
static void test_commitment(void **state)
{
    static const char label[] = "casemate-box-v1\0p";
    uint8_t b[CM_BOX_OVERHEAD + 1] = {1}, okm[64], nonce[12] = {0}, info[18 + 24] = {0};
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 64};
    cm_key32 k;

    (void)state;
    memcpy(info, label, sizeof label);
    assert_true(cm_ok(cm_hkdf_expand(crypt, CM_SHA512, okm, 64, CM_VIEW(key.b), CM_VIEW(info))));
    memcpy(k.b, okm, 32);
    memcpy(b + 25, okm + 32, 32);
    assert_true(cm_ok(cm_gcm_new(&g, crypt, &k)));
    assert_true(cm_ok(cm_gcm_seal(g, b + 57, b + 58, nonce, (cm_view){0}, CM_LIT("x"))));
    assert_true(cm_ok(cm_box_open(&out, crypt, &key, CM_LIT("p"), (cm_view){0}, CM_VIEW(b))));
    assert_true(cm_view_eq(cm_buf_view(&out), CM_LIT("x")));
    b[25] ^= 1;
    expect_refused(&key, CM_LIT("p"), (cm_view){0}, CM_VIEW(b));
}

static int setup(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_commitment),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
