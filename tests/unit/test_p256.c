/* P-256 signatures verified by tables: held against the provider, with the cases that make sums of
 * points go through themselves or infinity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

#include "crypt/cpu.h"
#include "crypt/p256_int.h"
#include "crypt/sig.h"

static cm_crypt *crypt_;
static EC_GROUP *group;
static BN_CTX *bn;
static BIGNUM *order, *field;

static void must(bool ok)
{
    assert_true(ok);
}

static BIGNUM *number(long v)
{
    BIGNUM *b = BN_new();

    must(b && BN_set_word(b, (BN_ULONG)labs(v)) == 1);
    if (v < 0)
        must(BN_sub(b, order, b) == 1);
    return b;
}

/* The key d G. */
static void public_of(uint8_t pk[65], const EC_POINT *q)
{
    must(EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, pk, 65, bn) == 65);
}

/* By tables, with vectors and without: which is one thing again. */
static bool holds(const cm_p256_table *t, const uint8_t digest[32], const uint8_t sig[64])
{
    bool plain = cm_p256_verify_on(false, t, digest, sig);

    if (cm_cpu_has_ifma())
        assert_int_equal(cm_p256_verify_on(true, t, digest, sig), plain);
    return plain;
}

/* What all ways of verifying say, which is one thing. */
static bool verified(const uint8_t pk[65], const uint8_t digest[32], const uint8_t sig[64])
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *plain = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *often = NULL;
    CM_AUTO(cm_p256_table_free_ptr) cm_p256_table *t = NULL;
    cm_err a, b;

    must(cm_ok(cm_sig_from_public(&plain, crypt_, CM_SIG_P256, cm_view_of(pk, 65))));
    must(cm_ok(cm_sig_from_public(&often, crypt_, CM_SIG_P256, cm_view_of(pk, 65))));
    must(cm_ok(cm_sig_prepare(often)));
    a = cm_verify_digest(plain, cm_view_of(digest, 32), cm_view_of(sig, 64));
    b = cm_verify_digest(often, cm_view_of(digest, 32), cm_view_of(sig, 64));
    must(cm_ok(cm_p256_table_new(&t, pk)));
    assert_int_equal(cm_ok(a), cm_ok(b));
    assert_int_equal(cm_ok(a), holds(t, digest, sig));
    must(cm_ok(b) || cm_is(b, CM_CRYPT_SIGNATURE));
    return cm_ok(b);
}

/* The digest and signature for which the verifier's numbers are u1 and u2, its point R: r is x(R),
 * s is r / u2, e is u1 s. */
static void craft(uint8_t digest[32], uint8_t sig[64], const BIGNUM *u1, const BIGNUM *u2,
                  const BIGNUM *x)
{
    BIGNUM *r = BN_new(), *s = BN_new(), *e = BN_new();

    must(BN_mod(r, x, order, bn) == 1 && BN_mod_inverse(s, u2, order, bn) &&
         BN_mod_mul(s, s, r, order, bn) == 1 && BN_mod_mul(e, u1, s, order, bn) == 1);
    must(BN_bn2binpad(r, sig, 32) == 32 && BN_bn2binpad(s, sig + 32, 32) == 32 &&
         BN_bn2binpad(e, digest, 32) == 32);
    BN_free(r);
    BN_free(s);
    BN_free(e);
}

/* A signature by key d with these numbers; u1 + u2 d = 0 has none, and x = 1 is tried then. */
static void one_sum(BIGNUM *d, BIGNUM *u1, BIGNUM *u2)
{
    EC_POINT *q = EC_POINT_new(group), *sum = EC_POINT_new(group);
    uint8_t pk[65], digest[32], sig[64];
    BIGNUM *x = number(1);
    bool exists;

    must(EC_POINT_mul(group, q, d, NULL, NULL, bn) == 1 &&
         EC_POINT_mul(group, sum, u1, q, u2, bn) == 1);
    exists = !EC_POINT_is_at_infinity(group, sum);
    if (exists)
        must(EC_POINT_get_affine_coordinates(group, sum, x, NULL, bn) == 1);
    public_of(pk, q);
    craft(digest, sig, u1, u2, x);
    assert_int_equal(verified(pk, digest, sig), exists);
    sig[63] ^= 1;
    assert_false(verified(pk, digest, sig));
    BN_free(x);
    EC_POINT_free(q);
    EC_POINT_free(sum);
    BN_free(d);
    BN_free(u1);
    BN_free(u2);
}

/* Keys 1, -1, 2 and a few: the sums pass through equal and opposite points and infinity, at their
 * end and on the way. */
static void small_sums(void **state)
{
    static const long keys[] = {1, -1, 2, 64, -128}, u1[] = {0, 1, -1, 64, 128},
                      u2[] = {1, -1, 63, 129};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(keys); i++)
        for (size_t j = 0; j < CM_COUNT(u1); j++)
            for (size_t k = 0; k < CM_COUNT(u2); k++)
                one_sum(number(keys[i]), number(u1[j]), number(u2[k]));
}

/* u1 = a 2^k + b, u2 = a 2^k - b and their like: opposite points meet in the middle of a sum. */
static void sums_with_holes(void **state)
{
    (void)state;
    for (int k = 6; k < 250; k += 27) {
        BIGNUM *u1 = number(5), *u2 = number(-3), *top = number(1);

        must(BN_lshift(top, top, k) == 1 && BN_mod_add(u1, u1, top, order, bn) == 1 &&
             BN_mod_sub(u2, u2, top, order, bn) == 1);
        BN_free(top);
        one_sum(number(1), u1, u2);
    }
}

/* Eight points of digits 1 and -1, four of each scalar, by keys for which the sums that vectors
 * make of lanes four, two and one apart are of equal or opposite points. */
static void equal_lanes(void **state)
{
    enum { A = 1 + (1 << 7) + (1 << 14) + (1 << 21), B = A - 2 * (1 << 14) };
    static const struct {
        long key, over, u2;
    } t[] = {{1, 1, A},         {-1, 1, A},        {16383, 16385, B},
             {16385, 16383, B}, {B - 2, 2 - A, B}, {-A, B, B}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        BIGNUM *key = number(t[i].key), *over = number(t[i].over);

        must(BN_mod_inverse(over, over, order, bn) && BN_mod_mul(key, key, over, order, bn) == 1);
        BN_free(over);
        one_sum(key, number(A), number(t[i].u2));
    }
}

/* R = (n + k, y) for the first such point: r is k, and only the second candidate finds it. */
static void abscissa_above_order(void **state)
{
    EC_POINT *q = EC_POINT_new(group), *sum = EC_POINT_new(group), *t = EC_POINT_new(group);
    BIGNUM *x = BN_dup(order), *u1 = number(12345), *u2 = number(-777), *back = BN_new();
    uint8_t pk[65], digest[32], sig[64];

    (void)state;
    do
        must(BN_add_word(x, 1) == 1);
    while (EC_POINT_set_compressed_coordinates(group, sum, x, 0, bn) != 1);
    must(BN_cmp(x, field) < 0);
    must(EC_POINT_mul(group, t, u1, NULL, NULL, bn) == 1 && EC_POINT_invert(group, t, bn) == 1 &&
         EC_POINT_add(group, q, sum, t, bn) == 1 && BN_mod_inverse(back, u2, order, bn) &&
         EC_POINT_mul(group, q, NULL, q, back, bn) == 1);
    public_of(pk, q);
    craft(digest, sig, u1, u2, x);
    assert_true(verified(pk, digest, sig));
    sig[31] ^= 4;
    assert_false(verified(pk, digest, sig));
    BN_free(x);
    BN_free(u1);
    BN_free(u2);
    BN_free(back);
    EC_POINT_free(q);
    EC_POINT_free(sum);
    EC_POINT_free(t);
}

/* r and s of 0, n, n + 1 and all ones; digests of all ones and 0. */
static void out_of_range(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t good[64], digest[32], sig[64], bad[4][32] = {{0}};

    (void)state;
    must(BN_bn2binpad(order, bad[1], 32) == 32);
    must(BN_bn2binpad(order, bad[2], 32) == 32);
    bad[2][31]++;
    memset(bad[3], 0xff, 32);
    must(cm_ok(cm_sig_generate(&k, crypt_, CM_SIG_P256)));
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        memcpy(digest, bad[i], 32);
        must(cm_ok(cm_sign_digest(k, good, CM_VIEW(digest))));
        assert_true(verified(cm_sig_public(k).p, digest, good));
        for (size_t half = 0; half < 64; half += 32)
            for (size_t j = 0; j < CM_COUNT(bad); j++) {
                memcpy(sig, good, sizeof sig);
                memcpy(sig + half, bad[j], 32);
                assert_false(verified(cm_sig_public(k).p, digest, sig));
            }
    }
}

/* Random signatures, each good, with every third bit changed or in random places. */
static void random_and_mutated(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    CM_AUTO(cm_p256_table_free_ptr) cm_p256_table *t = NULL;
    uint8_t digest[32], sig[64], pick[2];

    (void)state;
    must(cm_ok(cm_sig_generate(&k, crypt_, CM_SIG_P256)));
    must(cm_ok(cm_p256_table_new(&t, cm_sig_public(k).p)));
    for (int i = 0; i < 200; i++) {
        must(cm_ok(cm_random(crypt_, digest, sizeof digest)) &&
             cm_ok(cm_random(crypt_, pick, sizeof pick)) &&
             cm_ok(cm_sign_digest(k, sig, CM_VIEW(digest))));
        assert_true(holds(t, digest, sig));
        digest[pick[0] % 32] ^= (uint8_t)(1 << pick[1] % 8);
        assert_false(holds(t, digest, sig));
        digest[pick[0] % 32] ^= (uint8_t)(1 << pick[1] % 8);
        sig[pick[0] % 64] ^= (uint8_t)(1 << pick[1] % 8);
        assert_int_equal(holds(t, digest, sig),
                         cm_ok(cm_verify_digest(k, CM_VIEW(digest), CM_VIEW(sig))));
    }
    must(cm_ok(cm_sign_digest(k, sig, CM_VIEW(digest))));
    for (size_t bit = 0; bit < 512; bit += 3) {
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(holds(t, digest, sig));
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static bool refused(const uint8_t pk[65])
{
    cm_p256_table *t = NULL;
    cm_err e = cm_p256_table_new(&t, pk);

    cm_p256_table_free(t);
    return cm_is(e, CM_CRYPT_BAD_KEY) && !t;
}

/* K-11: no tables of what is not a point of the curve. */
static void hostile_keys(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t pk[65] = {4}, again[65];

    (void)state;
    assert_true(refused(pk)); /* (0, 0) */
    must(cm_ok(cm_sig_generate(&k, crypt_, CM_SIG_P256)));
    memcpy(pk, cm_sig_public(k).p, 65);
    for (size_t bit = 0; bit < 520; bit++) {
        memcpy(again, pk, sizeof again);
        again[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(refused(again));
    }
    must(BN_bn2binpad(field, again + 1, 32) == 32); /* 0, and written as p */
    assert_true(refused(again));
    memset(pk + 1, 0xff, 64);
    assert_true(refused(pk));
}

/* y = sqrt(b) is on the curve with x = 0; as x = p it is another form of the same. */
static void one_form(void **state)
{
    EC_POINT *q = EC_POINT_new(group);
    BIGNUM *zero = BN_new();
    cm_p256_table *t = NULL;
    uint8_t pk[65];

    (void)state;
    must(EC_POINT_set_compressed_coordinates(group, q, zero, 1, bn) == 1);
    public_of(pk, q);
    assert_true(cm_ok(cm_p256_table_new(&t, pk)));
    cm_p256_table_free(t);
    must(BN_bn2binpad(field, pk + 1, 32) == 32);
    assert_true(refused(pk));
    BN_free(zero);
    EC_POINT_free(q);
}

/* Preparing changes nothing else, twice is once, and other keys take it. */
static void prepared_keys(void **state)
{
    static const cm_view msg = {(const uint8_t *)"a message", 9};
    static const cm_sig_id ids[] = {CM_SIG_P256, CM_SIG_P384, CM_SIG_SECP256K1, CM_SIG_MLDSA44};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
        uint8_t sig[CM_SIG_MAX];
        cm_view v;

        must(cm_ok(cm_sig_generate(&k, crypt_, ids[i])));
        must(cm_ok(cm_sig_prepare(k)) && cm_ok(cm_sig_prepare(k)));
        v = cm_view_of(sig, cm_sig_key_info(k)->sig);
        must(cm_ok(cm_sign(k, sig, CM_LIT("casemate/test/v1"), msg)));
        assert_true(cm_ok(cm_verify(k, CM_LIT("casemate/test/v1"), msg, v)));
        assert_true(cm_is(cm_verify(k, CM_LIT("casemate/test/v2"), msg, v), CM_CRYPT_SIGNATURE));
    }
}

/* Inverses of small, large and random numbers by the provider's, to both moduli. */
static void inverses(void **state)
{
    BIGNUM *const moduli[] = {order, field};
    BIGNUM *x = BN_new(), *y = BN_new();
    uint8_t bytes[32];

    (void)state;
    for (size_t i = 0; i < 400; i++) {
        BIGNUM *m = moduli[i % 2];
        cm_p256_modulus mod = {.inverse62 = i % 2 ? 0x3fffffffffffffff : 0x332e375511ff43b1};
        cm_p256_num v, got, want;

        if (i < 40)
            must(BN_set_word(x, i / 4 + 1) == 1 && (i % 4 < 2 || BN_sub(x, m, x) == 1));
        else
            must(BN_rand_range(x, m) == 1);
        if (BN_is_zero(x))
            continue;
        must(BN_mod_inverse(y, x, m, bn) != NULL);
        must(BN_bn2lebinpad(x, bytes, 32) == 32);
        memcpy(v.v, bytes, 32); /* limbs of little-endian machines */
        must(BN_bn2lebinpad(m, bytes, 32) == 32);
        memcpy(mod.m.v, bytes, 32);
        must(BN_bn2lebinpad(y, bytes, 32) == 32);
        memcpy(want.v, bytes, 32);
        got = cm_p256_inverse_var(&v, &mod);
        assert_memory_equal(got.v, want.v, 32);
    }
    BN_free(x);
    BN_free(y);
}

static int setup(void **state)
{
    (void)state;
    bn = BN_CTX_new();
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    order = BN_new();
    field = BN_new();
    return !bn || !group || EC_GROUP_get_order(group, order, bn) != 1 ||
           EC_GROUP_get_curve(group, field, NULL, NULL, bn) != 1 ||
           cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    BN_free(order);
    BN_free(field);
    EC_GROUP_free(group);
    BN_CTX_free(bn);
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inverses),
        cmocka_unit_test(small_sums),
        cmocka_unit_test(sums_with_holes),
        cmocka_unit_test(equal_lanes),
        cmocka_unit_test(abscissa_above_order),
        cmocka_unit_test(out_of_range),
        cmocka_unit_test(random_and_mutated),
        cmocka_unit_test(hostile_keys),
        cmocka_unit_test(one_form),
        cmocka_unit_test(prepared_keys),
    };

    return cmocka_run_group_tests_name("p256", tests, setup, teardown);
}
