/* Every SHA-256 kernel of this machine against OpenSSL, published digests and the others. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "crypt/sha256_mb.h"

#define LANES 17u
#define N_MAX 300u
#define GAP   (N_MAX + 3u) /* odd: every lane has another alignment */

static const size_t prefixes[] = {0, 1, 33, 63, 64};
static uint8_t data[LANES * GAP], prefix[CM_SHA256_MB_PREFIX_MAX];

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)next_random(&seed);
    }
}

static void reference(uint8_t out[32], const uint8_t *pre, size_t pre_n, const uint8_t *p, size_t n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    assert_non_null(c);
    assert_int_equal(1, EVP_DigestInit_ex(c, EVP_sha256(), NULL));
    assert_int_equal(1, EVP_DigestUpdate(c, pre, pre_n));
    assert_int_equal(1, EVP_DigestUpdate(c, p, n));
    assert_int_equal(1, EVP_DigestFinal_ex(c, out, NULL));
    EVP_MD_CTX_free(c);
}

/* count digests as expected, and not a byte past them. */
static void check(cm_cpu_kind kind, uint8_t (*want)[32], size_t pre_n, const uint8_t *const *at,
                  size_t n, size_t count)
{
    uint8_t got[LANES + 1][32];

    memset(got, 0xa5, sizeof got);
    assert_true(cm_sha256_mb_on(kind, got, prefix, pre_n, at, n, count));
    assert_memory_equal(got, want, 32 * count);
    for (size_t i = 0; i < sizeof got - 32 * count; i++) {
        assert_int_equal(0xa5, ((const uint8_t *)got)[32 * count + i]);
    }
}

static void short_lengths(cm_cpu_kind kind, size_t pre_n)
{
    const uint8_t *at[LANES];
    uint8_t want[LANES][32];

    for (size_t l = 0; l < LANES; l++) {
        at[l] = data + l * GAP;
    }
    for (size_t n = 0; n <= N_MAX; n++) {
        for (size_t l = 0; l < LANES; l++) {
            reference(want[l], prefix, pre_n, at[l], n);
        }
        for (size_t count = 0; count <= LANES; count++) {
            check(kind, want, pre_n, at, n, count);
        }
    }
}

static void each_length_and_count(void **state)
{
    (void)state;
    for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
        if (!cm_cpu_has(k)) {
            print_message("SKIP: no %s on this machine\n", cm_cpu_kind_name(k));
            continue;
        }
        for (size_t i = 0; i < CM_COUNT(prefixes); i++) {
            short_lengths(k, prefixes[i]);
        }
    }
}

static void random_long_messages(void **state)
{
    const size_t most = 70000, gap = most + 1;
    uint8_t *big = (uint8_t *)malloc(LANES * gap);
    const uint8_t *at[LANES];
    uint8_t want[LANES][32];
    uint32_t seed = 7;

    (void)state;
    assert_non_null(big);
    fill(big, LANES * gap, 11);
    for (unsigned round = 0; round < 12; round++) {
        size_t n = next_random(&seed) % most, pre_n = next_random(&seed) % 65;
        size_t count = 1 + next_random(&seed) % LANES;

        for (size_t l = 0; l < count; l++) {
            at[l] = big + l * gap;
            reference(want[l], prefix, pre_n, at[l], n);
        }
        for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
            if (cm_cpu_has(k)) {
                check(k, want, pre_n, at, n, count);
            }
        }
    }
    free(big);
}

/* All lanes end where a page does that must not be touched. */
static void reads_no_byte_too_many(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map =
        (uint8_t *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uint8_t *at[LANES];
    uint8_t want[LANES][32];

    (void)state;
    assert_ptr_not_equal(MAP_FAILED, map);
    fill(map, page, 5);
    assert_int_equal(0, mprotect(map + page, page, PROT_NONE));
    for (size_t n = 0; n <= N_MAX; n++) {
        for (size_t l = 0; l < LANES; l++) {
            at[l] = map + page - n;
            reference(want[l], prefix, 1, at[l], n);
        }
        for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
            if (cm_cpu_has(k)) {
                check(k, want, 1, at, n, LANES);
            }
        }
    }
    assert_int_equal(0, munmap(map, 2 * page));
}

/* FIPS 180-4's examples as published by NIST, and the million times "a" of its predecessor. */
static void published_digests(void **state)
{
    static const struct {
        const char *message, *digest;
    } known[] = {
        {"", "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
             "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"},
        {"abc", "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "\x24\x8d\x6a\x61\xd2\x06\x38\xb8\xe5\xc0\x26\x93\x0c\x3e\x60\x39"
         "\xa3\x3c\xe4\x59\x64\xff\x21\x67\xf6\xec\xed\xd4\x19\xdb\x06\xc1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "\xcf\x5b\x16\xa7\x78\xaf\x83\x80\x03\x6c\xe5\x9e\x7b\x04\x92\x37"
         "\x0b\x24\x9b\x11\xe8\xf0\x7a\x51\xaf\xac\x45\x03\x7a\xfe\xe9\xd1"},
    };

    (void)state;
    for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
        for (size_t i = 0; cm_cpu_has(k) && i < CM_COUNT(known); i++) {
            const uint8_t *p = (const uint8_t *)known[i].message;
            uint8_t want[32];

            memcpy(want, known[i].digest, 32);
            check(k, &want, 0, &p, strlen(known[i].message), 1);
        }
    }
}

static void million_a(void **state)
{
    static const char digest[] = "\xcd\xc7\x6e\x5c\x99\x14\xfb\x92\x81\xa1\xc7\xe2\x84\xd7\x3e\x67"
                                 "\xf1\x80\x9a\x48\xa4\x97\x20\x0e\x04\x6d\x39\xcc\xc7\x11\x2c\xd0";
    static uint8_t a[1000000];
    const uint8_t *at[LANES];
    uint8_t got[LANES][32];

    (void)state;
    memset(a, 'a', sizeof a);
    for (size_t l = 0; l < LANES; l++) {
        at[l] = a;
    }
    cm_sha256_mb(got, NULL, 0, at, sizeof a, LANES);
    for (size_t l = 0; l < LANES; l++) {
        assert_memory_equal(digest, got[l], 32);
    }
}

static void refuses_what_is_not_there(void **state)
{
    const uint8_t *at = data;
    uint8_t out[32] = {9};

    (void)state;
    assert_false(cm_cpu_has(CM_CPU_KINDS));
    assert_false(cm_sha256_mb_on(CM_CPU_KINDS, &out, NULL, 0, &at, 3, 1));
    assert_int_equal(9, out[0]);
    assert_string_equal("unknown", cm_cpu_kind_name(CM_CPU_KINDS));
    assert_true(cm_cpu_has(CM_CPU_PORTABLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_and_count),
        cmocka_unit_test(random_long_messages),
        cmocka_unit_test(reads_no_byte_too_many),
        cmocka_unit_test(published_digests),
        cmocka_unit_test(million_a),
        cmocka_unit_test(refuses_what_is_not_there),
    };

    fill(data, sizeof data, 1);
    fill(prefix, sizeof prefix, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
