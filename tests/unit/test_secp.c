/* Signatures over secp256k1 by the table of the generator's multiples: held against the library,
 * byte for byte, for nonces of every shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <secp256k1_recovery.h>

#include "crypt/cpu.h"
#include "crypt/secp_int.h"
#include "crypt/sig.h"
#include "crypt/sig_int.h"

static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                  0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
static const cm_p256_modulus primes[2] = {
    {{{0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, 0x27c7f6e22ddacacf},
    {{{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, UINT64_MAX}},
     0x34f20099aa774ec1}};

static cm_crypt *crypt_;
static secp256k1_context *lib;

static void must(bool ok)
{
    assert_true(ok);
}

static cm_p256_num number(const uint8_t b[32])
{
    return (cm_p256_num){
        {cm_get_be64(b + 24), cm_get_be64(b + 16), cm_get_be64(b + 8), cm_get_be64(b)}};
}

static void draw(uint8_t b[32])
{
    must(cm_ok(cm_random(crypt_, b, 32)));
}

/* A library's nonce function that has no choice. */
static int chosen(unsigned char *nonce, const unsigned char *msg, const unsigned char *key,
                  const unsigned char *algo, void *data, unsigned int attempt)
{
    (void)msg, (void)key, (void)algo;
    memcpy(nonce, data, 32);
    return attempt == 0;
}

static bool by_library(uint8_t sig[65], const uint8_t digest[32], const uint8_t key[32],
                       secp256k1_nonce_function nonce, uint8_t data[32])
{
    secp256k1_ecdsa_recoverable_signature s;
    int id = 0;

    if (secp256k1_ecdsa_sign_recoverable(lib, &s, digest, key, nonce, data) != 1)
        return false;
    must(secp256k1_ecdsa_recoverable_signature_serialize_compact(lib, sig, &id, &s) == 1);
    sig[64] = (uint8_t)id;
    return true;
}

static bool finished(uint8_t sig[65], const uint8_t digest[32], const uint8_t key[32],
                     const uint8_t nonce[32], const uint8_t blind[32])
{
    cm_p256_num k = number(nonce), b = number(blind);
    cm_secp_parts p = {.k = k, .key = number(key), .digest = number(digest)};

    must(cm_secp_point(p.sum, &k, &b));
    return cm_secp_finish(sig, &sig[64], &p);
}

/* Two signatures by one nonce, with coordinates that differ. */
static void same(const uint8_t nonce[32])
{
    uint8_t ours[65] = {0}, again[65] = {0}, theirs[65], key[32], digest[32], given[32], blind[32];

    draw(key);
    draw(digest);
    draw(blind);
    key[0] = digest[0] = 0x7f;
    memcpy(given, nonce, 32);
    must(by_library(theirs, digest, key, chosen, given));
    must(finished(ours, digest, key, nonce, blind));
    assert_memory_equal(ours, theirs, 65);
    draw(blind);
    must(finished(again, digest, key, nonce, blind));
    assert_memory_equal(again, theirs, 65);
}

/* 1, 2, ... and the same below the order; powers of two and their neighbours; one digit repeated;
 * half the order, where halving carries. */
static void shaped_nonces(void **state)
{
    uint8_t k[32];

    (void)state;
    for (unsigned i = 1; i < 40; i++) {
        memset(k, 0, sizeof k);
        k[31] = (uint8_t)i;
        same(k);
        memcpy(k, order, 32);
        k[31] = (uint8_t)(k[31] - i);
        same(k);
    }
    for (unsigned bit = 1; bit < 256; bit++) {
        memset(k, 0, sizeof k);
        k[31 - bit / 8] = (uint8_t)(1u << bit % 8);
        same(k);
        k[31] |= 1;
        same(k);
    }
    for (unsigned digit = 1; digit < 15; digit++) {
        memset(k, (int)(digit * 0x11), sizeof k);
        same(k);
    }
    for (unsigned i = 0; i < 32; i++)
        k[i] = (uint8_t)(order[i] >> 1 | (i ? order[i - 1] << 7 : 0));
    same(k);
    k[31]++;
    same(k);
}

static void any_nonces(void **state)
{
    uint8_t ours[65], theirs[65], key[32], digest[32], extra[32];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        draw(key);
        draw(digest);
        draw(extra);
        key[0] &= 0x7f;
        must(cm_secp_sign(ours, &ours[64], digest, key, extra));
        must(by_library(theirs, digest, key, cm_secp_nonce, extra));
        assert_memory_equal(ours, theirs, 65);
    }
}

/* Digests that are not below the order, and keys at both ends. */
static void edges(void **state)
{
    static const uint8_t one[32] = {[31] = 1}, zero[32] = {0};
    uint8_t ours[65], theirs[65], last[32], above[32], all[32], extra[32];
    const uint8_t *keys[2] = {one, last}, *digests[5] = {zero, order, last, above, all};

    (void)state;
    memcpy(last, order, 32);
    last[31]--;
    memcpy(above, order, 32);
    above[31]++;
    memset(all, 0xff, sizeof all);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 5; j++) {
            draw(extra);
            must(cm_secp_sign(ours, &ours[64], digests[j], keys[i], extra));
            must(by_library(theirs, digests[j], keys[i], cm_secp_nonce, extra));
            assert_memory_equal(ours, theirs, 65);
        }
}

/* What is not the curve's, and what makes s 0, is no signature. */
static void refused(void **state)
{
    uint8_t sig[65], key[32] = {1, 2, 3}, digest[32] = {4}, nonce[32] = {5, 6}, blind[32] = {7};
    cm_p256_num k = number(nonce), b = number(blind), good[3];
    cm_secp_parts p = {.k = k, .key = number(key), .digest = number(digest)};

    (void)state;
    must(cm_secp_point(good, &k, &b));
    for (unsigned i = 0; i < 3; i++) {
        memcpy(p.sum, good, sizeof good);
        p.sum[i].v[1] ^= 4;
        assert_false(cm_secp_finish(sig, &sig[64], &p));
    }
    memcpy(p.sum, good, sizeof good);
    p.sum[2] = (cm_p256_num){{0}};
    assert_false(cm_secp_finish(sig, &sig[64], &p));
    must(finished(sig, digest, key, nonce, blind));
    memcpy(digest, key, 32); /* -r key */
    must(secp256k1_ec_seckey_tweak_mul(lib, digest, sig) == 1 &&
         secp256k1_ec_seckey_negate(lib, digest) == 1);
    assert_false(finished(sig, digest, key, nonce, blind));
}

/* The blind shows in the coordinates, and in nothing else. */
static void blinded(void **state)
{
    uint8_t nonce[32] = {9}, a[32] = {1}, b[32] = {2};
    cm_p256_num k = number(nonce), x = number(a), y = number(b), one[3], other[3];

    (void)state;
    must(cm_secp_point(one, &k, &x) && cm_secp_point(other, &k, &y));
    for (unsigned i = 0; i < 3; i++)
        assert_memory_not_equal(&one[i], &other[i], 32);
    cm_secp_blind(a, nonce);
    cm_secp_blind(b, b);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a, nonce, 32);
}

static void inverses(void **state)
{
    (void)state;
    for (unsigned m = 0; m < 2; m++)
        for (unsigned i = 0; i < 2000; i++) {
            cm_p256_num x = {{i}}, a, b;
            uint8_t bytes[32];

            if (i >= 64 && i < 128) {
                x = primes[m].m;
                x.v[0] -= i - 63;
            } else if (i >= 128) {
                draw(bytes);
                x = number(bytes);
                x.v[3] >>= 1 + i % 60;
            }
            a = cm_p256_inverse(&x, &primes[m]);
            b = cm_p256_inverse_var(&x, &primes[m]);
            assert_memory_equal(&a, &b, sizeof a);
        }
}

static void inverses_by_two(void **state)
{
    const cm_p256_modulus *const m[2] = {&primes[0], &primes[1]};
    uint8_t bytes[32];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        cm_p256_num x[2] = {{{i}}, {{i / 2}}}, two[2], one;

        for (unsigned j = 0; i >= 64 && j < 2; j++) {
            draw(bytes);
            x[j] = number(bytes);
            x[j].v[3] >>= 1 + (i >> j) % 60;
        }
        cm_p256_inverse_two(two, x, m);
        for (unsigned j = 0; j < 2; j++) {
            one = cm_p256_inverse_var(&x[j], m[j]);
            assert_memory_equal(&one, &two[j], sizeof one);
        }
    }
}

/* A key's signatures, the first by the library and the others by the table where there is one. */
static void many_by_a_key(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    uint8_t sig[65], before[64] = {0}, pk[65], digest[32] = {3};

    (void)state;
    must(cm_ok(cm_sig_generate(&k, crypt_, CM_SIG_SECP256K1)));
    for (unsigned i = 0; i < 200; i++) {
        must(cm_ok(cm_sign_raw(k, sig, CM_VIEW(digest))));
        must(cm_ok(cm_verify_raw(k, CM_VIEW(digest), cm_view_of(sig, 64))));
        assert_memory_not_equal(sig, before, 64); /* K-10 */
        memcpy(before, sig, 64);
        must(cm_ok(cm_sign_recoverable(k, sig, &sig[64], digest)));
        must(cm_ok(cm_recover(crypt_, pk, sig, sig[64], digest)));
        must(cm_view_eq(CM_VIEW(pk), cm_sig_public(k)));
    }
}

int main(void)
{
    const struct CMUnitTest by_table[] = {
        cmocka_unit_test(shaped_nonces), cmocka_unit_test(any_nonces),
        cmocka_unit_test(edges),         cmocka_unit_test(refused),
        cmocka_unit_test(blinded),       cmocka_unit_test(inverses_by_two),
    };
    const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(inverses),
        cmocka_unit_test(many_by_a_key),
    };
    int failed = 0;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    lib = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    failed += cmocka_run_group_tests(everywhere, NULL, NULL);
    cm_secp_prepare();
    if (cm_cpu_has_ifma())
        failed += cmocka_run_group_tests(by_table, NULL, NULL);
    secp256k1_context_destroy(lib);
    cm_crypt_free(crypt_);
    return failed;
}
