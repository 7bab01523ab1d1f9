/* HPKE base mode over every KEM and suite, and everything that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/kem.h"

enum { MAX = 1 << 16 };

static const cm_kem_id ids[CM_KEM_COUNT] = {CM_KEM_X25519, CM_KEM_MLKEM512, CM_KEM_MLKEM768,
                                            CM_KEM_MLKEM1024, CM_KEM_XWING};
static const uint16_t kdfs[] = {1, 2, 3, 0x10, 0x11};
static const uint8_t text[1000] = "weights";
static cm_crypt *crypt_;

static cm_kem_key *generate(cm_kem_id id)
{
    cm_kem_key *k = NULL;

    assert_true(cm_ok(cm_kem_generate(&k, crypt_, id)));
    return k;
}

static void round_trip(const cm_kem_key *k, cm_hpke_suite s, size_t n)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = n};
    const cm_kem_info *f = cm_kem_key_info(k);

    assert_true(cm_ok(cm_kem_from_public(&pub, crypt_, f->id, cm_kem_public(k))));
    assert_true(
        cm_ok(cm_hpke_seal(&sealed, pub, s, CM_LIT("info"), CM_LIT("aad"), cm_view_of(text, n))));
    assert_int_equal(sealed.n, f->ct + n + CM_HPKE_TAG);
    assert_true(
        cm_ok(cm_hpke_open(&plain, k, s, CM_LIT("info"), CM_LIT("aad"), cm_buf_view(&sealed))));
    assert_true(cm_view_eq(cm_buf_view(&plain), cm_view_of(text, n)));
}

static void opens_what_it_seals(void **state)
{
    static const size_t sizes[] = {0, 1, 32, sizeof text};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);

        for (size_t j = 0; j < CM_COUNT(kdfs); j++)
            for (uint16_t aead = 1; aead <= 3; aead++)
                round_trip(k, (cm_hpke_suite){kdfs[j], aead}, sizes[(j + aead) % 4]);
        for (size_t j = 0; j < CM_COUNT(sizes); j++)
            round_trip(k, cm_hpke_default, sizes[j]);
    }
}

/* Opens must fail with this reason and leave what the buffer held. */
static void refuses(const cm_kem_key *k, cm_hpke_suite s, cm_view info, cm_view aad, cm_view sealed,
                    cm_reason r)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MAX};

    assert_true(cm_ok(cm_buf_append(&out, CM_LIT("before"))));
    assert_true(cm_is(cm_hpke_open(&out, k, s, info, aad, sealed), r));
    assert_true(cm_view_eq(cm_buf_view(&out), CM_LIT("before")));
}

static void appends(void **state)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(CM_KEM_XWING);
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = MAX};
    cm_view none = CM_LIT("");

    (void)state;
    assert_true(cm_ok(cm_buf_append(&sealed, CM_LIT("head"))));
    assert_true(cm_ok(cm_buf_append(&plain, CM_LIT("open "))));
    assert_true(cm_ok(cm_hpke_seal(&sealed, k, cm_hpke_default, none, none, CM_LIT("sesame"))));
    assert_memory_equal(sealed.p, "head", 4);
    assert_true(cm_ok(cm_hpke_open(&plain, k, cm_hpke_default, none, none,
                                   cm_view_of(sealed.p + 4, sealed.n - 4))));
    assert_true(cm_view_eq(cm_buf_view(&plain), CM_LIT("open sesame")));
}

static void every_flip_refused(void **state)
{
    cm_view info = CM_LIT("info"), aad = CM_LIT("aad");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};

        assert_true(cm_ok(cm_hpke_seal(&b, k, cm_hpke_default, info, aad, cm_view_of(text, 32))));
        for (size_t at = 0; at < b.n; at++) {
            uint8_t flip = (uint8_t)(1u << (at * 5 + 7) % 8);

            b.p[at] ^= flip;
            refuses(k, cm_hpke_default, info, aad, cm_buf_view(&b), CM_CRYPT_TAG);
            b.p[at] ^= flip;
        }
    }
}

static void every_length_refused(void **state)
{
    static const cm_kem_id some[] = {CM_KEM_X25519, CM_KEM_MLKEM512, CM_KEM_XWING};
    cm_view none = CM_LIT("");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(some); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(some[i]);
        CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};
        size_t least = cm_kem_key_info(k)->ct + (size_t)CM_HPKE_TAG;

        assert_true(cm_ok(cm_hpke_seal(&b, k, cm_hpke_default, none, none, cm_view_of(text, 40))));
        for (size_t n = 0; n < b.n; n++)
            refuses(k, cm_hpke_default, none, none, cm_view_of(b.p, n),
                    n < least ? CM_HPKE_SHORT : CM_CRYPT_TAG);
        assert_true(cm_ok(cm_buf_byte(&b, 0)));
        refuses(k, cm_hpke_default, none, none, cm_buf_view(&b), CM_CRYPT_TAG);
    }
}

static void wrong_circumstances_refused(void **state)
{
    cm_view info = CM_LIT("info"), aad = CM_LIT("aad"), none = CM_LIT("");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *other = generate(ids[i]);
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
        CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};
        cm_view v;

        assert_true(cm_ok(cm_kem_from_public(&pub, crypt_, ids[i], cm_kem_public(k))));
        assert_true(cm_ok(cm_hpke_seal(&b, pub, cm_hpke_default, info, aad, CM_LIT("x"))));
        v = cm_buf_view(&b);
        refuses(other, cm_hpke_default, info, aad, v, CM_CRYPT_TAG);
        refuses(k, cm_hpke_default, none, aad, v, CM_CRYPT_TAG);
        refuses(k, cm_hpke_default, CM_LIT("inf0"), aad, v, CM_CRYPT_TAG);
        refuses(k, cm_hpke_default, info, none, v, CM_CRYPT_TAG);
        refuses(k, cm_hpke_default, CM_LIT("infoa"), CM_LIT("ad"), v, CM_CRYPT_TAG);
        refuses(k, (cm_hpke_suite){2, 2}, info, aad, v, CM_CRYPT_TAG);
        refuses(k, (cm_hpke_suite){1, 1}, info, aad, v, CM_CRYPT_TAG);
        refuses(k, (cm_hpke_suite){0x11, 2}, info, aad, v, CM_CRYPT_TAG);
        refuses(pub, cm_hpke_default, info, aad, v, CM_CRYPT_NO_PRIVATE);
    }
}

/* All that a sender sees of a zero secret is what it sees of a wrong tag. */
static void low_order_is_a_wrong_tag(void **state)
{
    static const cm_kem_id with_x25519[] = {CM_KEM_X25519, CM_KEM_XWING};
    cm_view none = CM_LIT("");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(with_x25519); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(with_x25519[i]);
        CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};

        assert_true(cm_ok(cm_hpke_seal(&b, k, cm_hpke_default, none, none, CM_LIT("x"))));
        memset(b.p + cm_kem_key_info(k)->ct - 32, 0, 32);
        refuses(k, cm_hpke_default, none, none, cm_buf_view(&b), CM_CRYPT_TAG);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void limits(void **state)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(CM_KEM_MLKEM768);
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 1088 + 16 + 3};
    CM_AUTO(cm_buf_free) cm_buf small = {.max = 2};
    CM_AUTO(cm_buf_free) cm_buf room = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf large = {.max = CM_HPKE_INFO_MAX + 1};
    static const cm_hpke_suite unknown[] = {{0, 2},      {4, 2}, {0x0f, 2}, {0x12, 2},
                                            {0xffff, 2}, {1, 0}, {1, 4},    {1, 0xffff}};
    cm_view none = CM_LIT(""), x = CM_LIT("abc");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(unknown); i++) {
        assert_true(cm_is(cm_hpke_seal(&out, k, unknown[i], none, none, x), CM_CRYPT_ALGORITHM));
        assert_int_equal(out.n, 0);
    }
    assert_true(
        cm_is(cm_hpke_seal(&out, k, cm_hpke_default, none, none, CM_LIT("abcd")), CM_TOO_BIG));
    assert_true(cm_ok(cm_hpke_seal(&out, k, cm_hpke_default, none, none, x)));
    for (size_t i = 0; i < CM_COUNT(unknown); i++)
        refuses(k, unknown[i], none, none, cm_buf_view(&out), CM_CRYPT_ALGORITHM);
    assert_true(
        cm_is(cm_hpke_open(&small, k, cm_hpke_default, none, none, cm_buf_view(&out)), CM_TOO_BIG));
    assert_int_equal(small.n, 0);
    refuses(k, cm_hpke_default, none, none, cm_view_of(out.p, SIZE_MAX), CM_TOO_BIG);
    refuses(k, cm_hpke_default, none, cm_view_of(out.p, SIZE_MAX), cm_buf_view(&out), CM_TOO_BIG);

    assert_true(cm_ok(cm_buf_reserve(&large, CM_HPKE_INFO_MAX + 1)));
    assert_true(cm_is(cm_hpke_seal(&room, k, cm_hpke_default,
                                   cm_view_of(large.p, CM_HPKE_INFO_MAX + 1), none, none),
                      CM_TOO_BIG));
    refuses(k, cm_hpke_default, cm_view_of(large.p, CM_HPKE_INFO_MAX + 1), none, cm_buf_view(&out),
            CM_TOO_BIG);
    refuses(k, cm_hpke_default, cm_view_of(large.p, CM_HPKE_INFO_MAX), none, cm_buf_view(&out),
            CM_CRYPT_TAG);
    refuses(k, (cm_hpke_suite){0x10, 2}, cm_view_of(large.p, CM_HPKE_INFO_MAX), none,
            cm_buf_view(&out), CM_CRYPT_TAG);
}

static void fips_profile(void **state)
{
    const char *dir = getenv("CASEMATE_FIPS_MODULES"), *conf = getenv("CASEMATE_FIPS_CONF");
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *fips = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = MAX};
    cm_view none = CM_LIT("");

    (void)state;
    if (!dir || !conf || access(conf, R_OK) != 0) {
        printf("SKIP: no fipsmodule.cnf\n");
        skip();
    }
    assert_true(cm_ok(cm_crypt_new_fips(&fips, dir, conf)));
    assert_true(cm_ok(cm_kem_generate(&k, fips, CM_KEM_MLKEM1024)));
    assert_true(cm_is(cm_hpke_seal(&out, k, (cm_hpke_suite){1, 3}, none, none, CM_LIT("x")),
                      CM_CRYPT_PROFILE));
    for (size_t i = 0; i < CM_COUNT(kdfs); i++) {
        cm_hpke_suite s = {kdfs[i], 2};

        out.n = 0;
        plain.n = 0;
        assert_true(cm_ok(cm_hpke_seal(&out, k, s, CM_LIT("i"), none, CM_LIT("x"))));
        assert_true(cm_ok(cm_hpke_open(&plain, k, s, CM_LIT("i"), none, cm_buf_view(&out))));
        assert_true(cm_view_eq(cm_buf_view(&plain), CM_LIT("x")));
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
        cmocka_unit_test(opens_what_it_seals),
        cmocka_unit_test(appends),
        cmocka_unit_test(every_flip_refused),
        cmocka_unit_test(every_length_refused),
        cmocka_unit_test(wrong_circumstances_refused),
        cmocka_unit_test(low_order_is_a_wrong_tag),
        cmocka_unit_test(limits),
        cmocka_unit_test(fips_profile),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
