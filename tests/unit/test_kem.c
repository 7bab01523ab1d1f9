/* The KEMs by themselves: agreement, input checks, implicit rejection, the fips profile. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/kem.h"

enum { SS = 32, THREADS = 4, ROUNDS = 200 };

static const cm_kem_id ids[CM_KEM_COUNT] = {CM_KEM_X25519, CM_KEM_MLKEM512, CM_KEM_MLKEM768,
                                            CM_KEM_MLKEM1024, CM_KEM_XWING};
static cm_crypt *crypt_;

/* RFC 7748's points of order 1, 2, 4 and 8 on curve and twist, also unreduced. */
static const uint8_t low_order[][SS] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static cm_kem_key *generate(cm_kem_id id)
{
    cm_kem_key *k = NULL;

    assert_true(cm_ok(cm_kem_generate(&k, crypt_, id)));
    return k;
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        const cm_kem_info *f = cm_kem_info_of((uint32_t)ids[i]);

        assert_non_null(f);
        assert_int_equal(f->id, ids[i]);
        assert_ptr_equal(cm_kem_info_by_name(cm_view_str(f->name)), f);
        assert_true(f->seed <= CM_KEM_SEED_MAX && f->pk <= CM_KEM_PK_MAX && f->ct <= CM_KEM_CT_MAX);
        assert_int_equal(f->ss, SS);
        assert_int_equal(f->post_quantum, ids[i] != CM_KEM_X25519);
    }
    assert_null(cm_kem_info_of(0));
    assert_null(cm_kem_info_of(0x10041));
    assert_null(cm_kem_info_by_name(CM_LIT("ML-KEM-76")));
    assert_null(cm_kem_info_by_name(CM_LIT("")));
}

static void agrees(void **state)
{
    uint8_t ct[CM_KEM_CT_MAX], ct2[CM_KEM_CT_MAX], a[SS], b[SS];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *again = NULL;
        const cm_kem_info *f = cm_kem_key_info(k);

        assert_true(cm_kem_has_private(k));
        assert_int_equal(cm_kem_seed(k).n, f->seed);
        assert_int_equal(cm_kem_public(k).n, f->pk);
        assert_true(cm_ok(cm_kem_from_public(&pub, crypt_, ids[i], cm_kem_public(k))));
        assert_false(cm_kem_has_private(pub));
        assert_int_equal(cm_kem_seed(pub).n, 0);
        assert_true(cm_view_eq(cm_kem_public(pub), cm_kem_public(k)));
        assert_true(cm_ok(cm_kem_from_seed(&again, crypt_, ids[i], cm_kem_seed(k))));
        assert_true(cm_view_eq(cm_kem_public(again), cm_kem_public(k)));
        assert_true(cm_view_eq(cm_kem_seed(again), cm_kem_seed(k)));

        assert_true(cm_ok(cm_kem_encap(pub, ct, a)));
        assert_true(cm_ok(cm_kem_decap(again, b, cm_view_of(ct, f->ct))));
        assert_memory_equal(a, b, SS);
        assert_true(cm_ok(cm_kem_encap(k, ct2, b)));
        assert_memory_not_equal(ct, ct2, f->ct);
        assert_memory_not_equal(a, b, SS);
    }
}

static void wrong_key_another_secret(void **state)
{
    uint8_t ct[CM_KEM_CT_MAX], a[SS], b[SS];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *other = generate(ids[i]);

        assert_true(cm_ok(cm_kem_encap(k, ct, a)));
        assert_true(cm_ok(cm_kem_decap(other, b, cm_view_of(ct, cm_kem_key_info(k)->ct))));
        assert_memory_not_equal(a, b, SS);
    }
}

/* FIPS 203, algorithm 18, line 7: the rejection secret is J(z || c). */
static void is_rejection_secret(const cm_kem_key *k, const uint8_t *ss, cm_view ct)
{
    CM_AUTO(cm_buf_free) cm_buf in = {.max = 32 + CM_KEM_CT_MAX};
    uint8_t want[SS];

    assert_true(cm_ok(cm_buf_append(&in, cm_view_sub(cm_kem_seed(k), 32, 32))));
    assert_true(cm_ok(cm_buf_append(&in, ct)));
    assert_true(cm_ok(cm_shake(crypt_, 256, want, sizeof want, cm_buf_view(&in))));
    assert_memory_equal(ss, want, SS);
}

static void every_flip_another_secret(void **state)
{
    uint8_t ct[CM_KEM_CT_MAX], a[SS], b[SS];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        size_t n = cm_kem_key_info(k)->ct;

        assert_true(cm_ok(cm_kem_encap(k, ct, a)));
        for (size_t at = 0; at < n; at++) {
            uint8_t flip = (uint8_t)(1u << at % 8);

            ct[at] ^= flip;
            assert_true(cm_ok(cm_kem_decap(k, b, cm_view_of(ct, n))));
            assert_memory_not_equal(a, b, SS);
            if (ids[i] != CM_KEM_X25519 && ids[i] != CM_KEM_XWING)
                is_rejection_secret(k, b, cm_view_of(ct, n));
            ct[at] ^= flip;
        }
        ct[n - 1] ^= 0x80; /* the bit that X25519 itself ignores */
        assert_true(cm_ok(cm_kem_decap(k, b, cm_view_of(ct, n))));
        assert_memory_not_equal(a, b, SS);
    }
}

static void lengths(void **state)
{
    static const uint8_t bytes[CM_KEM_CT_MAX + 1];
    uint8_t ss[SS], untouched[SS];

    (void)state;
    memset(ss, 0xa5, sizeof ss);
    memcpy(untouched, ss, sizeof ss);
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        const cm_kem_info *f = cm_kem_key_info(k);
        const size_t off[] = {1, (size_t)-1, (size_t)-16};
        cm_kem_key *none = NULL;

        for (size_t j = 0; j < CM_COUNT(off); j++) {
            assert_true(
                cm_is(cm_kem_decap(k, ss, cm_view_of(bytes, f->ct + off[j])), CM_KEM_LENGTH));
            assert_true(
                cm_is(cm_kem_from_public(&none, crypt_, ids[i], cm_view_of(bytes, f->pk + off[j])),
                      CM_CRYPT_BAD_KEY));
            assert_true(
                cm_is(cm_kem_from_seed(&none, crypt_, ids[i], cm_view_of(bytes, f->seed + off[j])),
                      CM_CRYPT_BAD_KEY));
            assert_true(cm_is(cm_kem_encap_derand(k, ss, ss, cm_view_of(bytes, 31 + 2 * j)),
                              CM_BAD_ARGUMENT));
        }
        assert_true(cm_is(cm_kem_decap(k, ss, CM_LIT("")), CM_KEM_LENGTH));
        assert_true(cm_is(cm_kem_derive(&none, crypt_, ids[i], cm_view_of(bytes, f->seed - 1u)),
                          CM_BAD_ARGUMENT));
        assert_null(none);
        assert_memory_equal(ss, untouched, sizeof ss);
    }
}

static void unknown_kind(void **state)
{
    static const uint8_t bytes[64];
    cm_kem_key *none = NULL;

    (void)state;
    assert_true(cm_is(cm_kem_generate(&none, crypt_, (cm_kem_id)0x50), CM_CRYPT_ALGORITHM));
    assert_true(
        cm_is(cm_kem_from_seed(&none, crypt_, (cm_kem_id)0, CM_VIEW(bytes)), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_kem_from_public(&none, crypt_, (cm_kem_id)-1, CM_VIEW(bytes)),
                      CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_kem_from_expanded(&none, crypt_, CM_KEM_XWING, CM_VIEW(bytes)),
                      CM_CRYPT_ALGORITHM));
    assert_null(none);
}

/* FIPS 203, 7.2: a coefficient of q or more in the encapsulation key. */
static void modulus_checked(void **state)
{
    uint8_t pk[CM_KEM_PK_MAX];

    (void)state;
    for (size_t i = 1; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        cm_kem_key *none = NULL;

        memcpy(pk, cm_kem_public(k).p, cm_kem_public(k).n);
        pk[0] = 0x01; /* 3329 = 0xd01, little-endian in 12 bits */
        pk[1] = (uint8_t)((pk[1] & 0xf0) | 0x0d);
        assert_true(
            cm_is(cm_kem_from_public(&none, crypt_, ids[i], cm_view_of(pk, cm_kem_public(k).n)),
                  CM_CRYPT_BAD_KEY));
        assert_null(none);
        pk[0] = 0x00; /* and 3328 is fine */
        assert_true(
            cm_ok(cm_kem_from_public(&none, crypt_, ids[i], cm_view_of(pk, cm_kem_public(k).n))));
        cm_kem_key_free(none);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void low_order_one(const cm_kem_key *k, const uint8_t point[SS])
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *bad = NULL;
    const cm_kem_info *f = cm_kem_key_info(k);
    uint8_t pk[CM_KEM_PK_MAX], ct[CM_KEM_CT_MAX], before[CM_KEM_CT_MAX], ss[SS], ss_before[SS];

    assert_true(cm_ok(cm_kem_encap(k, ct, ss)));
    memcpy(ct + f->ct - SS, point, SS);
    memcpy(before, ct, f->ct);
    memcpy(ss_before, ss, SS);
    assert_true(cm_is(cm_kem_decap(k, ss, cm_view_of(ct, f->ct)), CM_KEM_LOW_ORDER));

    memcpy(pk, cm_kem_public(k).p, f->pk);
    memcpy(pk + f->pk - SS, point, SS);
    assert_true(cm_ok(cm_kem_from_public(&bad, crypt_, f->id, cm_view_of(pk, f->pk))));
    assert_true(cm_is(cm_kem_encap(bad, ct, ss), CM_CRYPT_BAD_KEY));
    assert_memory_equal(ct, before, f->ct);
    assert_memory_equal(ss, ss_before, SS);
    assert_int_equal(ERR_peek_error(), 0);
}

static void low_order_refused(void **state)
{
    static const cm_kem_id with_x25519[] = {CM_KEM_X25519, CM_KEM_XWING};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(with_x25519); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(with_x25519[i]);

        for (size_t j = 0; j < CM_COUNT(low_order); j++) {
            uint8_t high[SS];

            low_order_one(k, low_order[j]);
            memcpy(high, low_order[j], SS);
            high[SS - 1] |= 0x80;
            low_order_one(k, high);
        }
    }
}

static void public_key_opens_nothing(void **state)
{
    uint8_t ct[CM_KEM_CT_MAX], ss[SS];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(ids[i]);
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;

        assert_true(cm_ok(cm_kem_from_public(&pub, crypt_, ids[i], cm_kem_public(k))));
        assert_true(cm_ok(cm_kem_encap(pub, ct, ss)));
        assert_true(cm_is(cm_kem_decap(pub, ss, cm_view_of(ct, cm_kem_key_info(k)->ct)),
                          CM_CRYPT_NO_PRIVATE));
    }
    cm_kem_key_free(NULL);
}

static void *hammer(void *arg)
{
    const cm_kem_key *k = (const cm_kem_key *)arg;
    size_t n = cm_kem_key_info(k)->ct;
    uint8_t ct[CM_KEM_CT_MAX], a[SS], b[SS];

    for (int i = 0; i < ROUNDS; i++)
        if (cm_failed(cm_kem_encap(k, ct, a)) || cm_failed(cm_kem_decap(k, b, cm_view_of(ct, n))) ||
            memcmp(a, b, SS) != 0)
            return arg;
    return NULL;
}

static void threads_share_a_key(void **state)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = generate(CM_KEM_XWING);
    pthread_t t[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, k), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *bad = k;

        assert_int_equal(pthread_join(t[i], &bad), 0);
        assert_null(bad);
    }
}

static void fips_profile(void **state)
{
    const char *dir = getenv("CASEMATE_FIPS_MODULES"), *conf = getenv("CASEMATE_FIPS_CONF");
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *fips = NULL;
    uint8_t ct[CM_KEM_CT_MAX], a[SS], b[SS];

    (void)state;
    if (!dir || !conf || access(conf, R_OK) != 0) {
        printf("SKIP: no fipsmodule.cnf\n");
        skip();
    }
    assert_true(cm_ok(cm_crypt_new_fips(&fips, dir, conf)));
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
        CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *other = generate(ids[i]);
        cm_err e = cm_kem_generate(&k, fips, ids[i]);

        if (ids[i] == CM_KEM_X25519 || ids[i] == CM_KEM_XWING) {
            assert_true(cm_is(e, CM_CRYPT_PROFILE));
            e = cm_kem_from_public(&k, fips, ids[i], cm_kem_public(other));
            assert_true(cm_is(e, CM_CRYPT_PROFILE));
            assert_null(k);
            continue;
        }
        assert_true(cm_ok(e));
        assert_true(cm_ok(cm_kem_encap(k, ct, a)));
        assert_true(cm_ok(cm_kem_decap(k, b, cm_view_of(ct, cm_kem_key_info(k)->ct))));
        assert_memory_equal(a, b, SS);
    }
    assert_int_equal(ERR_peek_error(), 0);
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
        cmocka_unit_test(table),
        cmocka_unit_test(agrees),
        cmocka_unit_test(wrong_key_another_secret),
        cmocka_unit_test(every_flip_another_secret),
        cmocka_unit_test(lengths),
        cmocka_unit_test(unknown_kind),
        cmocka_unit_test(modulus_checked),
        cmocka_unit_test(low_order_refused),
        cmocka_unit_test(public_key_opens_nothing),
        cmocka_unit_test(threads_share_a_key),
        cmocka_unit_test(fips_profile),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
