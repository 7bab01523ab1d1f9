/* Every Keccak kernel of this machine against OpenSSL, published digests and the others. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "crypt/keccak_mb.h"

#define LANES   17u
#define N_MAX   300u
#define GAP     (N_MAX + 3u) /* odd: every lane has another alignment */
#define OUT_MAX 400u

static const struct {
    cm_keccak_fn fn;
    const char *name;
    size_t out_n;
} functions[] = {
    {CM_KECCAK_SHA3_256, "SHA3-256", 32},  {CM_KECCAK_SHAKE128, "SHAKE128", 167},
    {CM_KECCAK_SHAKE128, "SHAKE128", 168}, {CM_KECCAK_SHAKE128, "SHAKE128", 400},
    {CM_KECCAK_SHAKE256, "SHAKE256", 1},   {CM_KECCAK_SHAKE256, "SHAKE256", 136},
    {CM_KECCAK_SHAKE256, "SHAKE256", 273},
};
static uint8_t data[LANES * GAP];
static uint8_t want[LANES][OUT_MAX], got[LANES + 1][OUT_MAX];

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

static void reference(uint8_t *out, size_t f, const uint8_t *p, size_t n)
{
    EVP_MD *md = EVP_MD_fetch(NULL, functions[f].name, NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    assert_true(md != NULL && c != NULL);
    assert_int_equal(1, EVP_DigestInit_ex(c, md, NULL));
    assert_int_equal(1, EVP_DigestUpdate(c, p, n));
    assert_int_equal(1, functions[f].fn == CM_KECCAK_SHA3_256
                            ? EVP_DigestFinal_ex(c, out, NULL)
                            : EVP_DigestFinalXOF(c, out, functions[f].out_n));
    EVP_MD_CTX_free(c);
    EVP_MD_free(md);
}

static bool run(cm_cpu_kind kind, size_t f, const uint8_t *const *at, size_t n, size_t count)
{
    uint8_t *to[LANES];

    for (size_t l = 0; l < LANES; l++) {
        to[l] = got[l];
    }
    memset(got, 0xa5, sizeof got);
    return cm_keccak_mb_on(kind, functions[f].fn, to, functions[f].out_n, at, n, count);
}

/* count outputs as expected, and not a byte past any. */
static void check(cm_cpu_kind kind, size_t f, const uint8_t *const *at, size_t n, size_t count)
{
    if (!run(kind, f, at, n, count)) {
        assert_true(kind == CM_CPU_SHANI || !cm_cpu_has(kind));
        return;
    }
    for (size_t l = 0; l <= LANES; l++) {
        size_t written = l < count ? functions[f].out_n : 0;

        assert_memory_equal(got[l], want[l < LANES ? l : 0], written);
        for (size_t i = written; i < OUT_MAX; i++) {
            assert_int_equal(0xa5, got[l][i]);
        }
    }
}

static void check_all(size_t f, const uint8_t *const *at, size_t n, size_t count)
{
    for (size_t l = 0; l < count; l++) {
        reference(want[l], f, at[l], n);
    }
    for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
        check(k, f, at, n, count);
    }
}

static void each_length_and_count(void **state)
{
    const uint8_t *at[LANES];

    (void)state;
    for (size_t l = 0; l < LANES; l++) {
        at[l] = data + l * GAP;
    }
    for (size_t f = 0; f < CM_COUNT(functions); f++) {
        for (size_t n = 0; n <= N_MAX; n++) {
            check_all(f, at, n, n % (LANES + 1));
        }
        for (size_t count = 0; count <= LANES; count++) {
            check_all(f, at, 200, count);
        }
    }
}

static void random_long_messages(void **state)
{
    const size_t most = 70000, gap = most + 1;
    uint8_t *big = (uint8_t *)malloc(LANES * gap);
    const uint8_t *at[LANES];
    uint32_t seed = 7;

    (void)state;
    assert_non_null(big);
    fill(big, LANES * gap, 11);
    for (size_t l = 0; l < LANES; l++) {
        at[l] = big + l * gap;
    }
    for (size_t round = 0; round < 14; round++) {
        check_all(round % CM_COUNT(functions), at, next_random(&seed) % most,
                  1 + next_random(&seed) % LANES);
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

    (void)state;
    assert_ptr_not_equal(MAP_FAILED, map);
    fill(map, page, 5);
    assert_int_equal(0, mprotect(map + page, page, PROT_NONE));
    for (size_t n = 0; n <= N_MAX; n++) {
        for (size_t l = 0; l < LANES; l++) {
            at[l] = map + page - n;
        }
        check_all(n % 2, at, n, LANES);
    }
    assert_int_equal(0, munmap(map, 2 * page));
}

/* Examples published by NIST for FIPS 202. */
static void published_digests(void **state)
{
    static const struct {
        size_t f, n;
        int byte; /* n of it, or "abc" for -1 */
        const char *digest;
    } known[] = {
        {0, 0, 0,
         "\xa7\xff\xc6\xf8\xbf\x1e\xd7\x66\x51\xc1\x47\x56\xa0\x61\xd6\x62"
         "\xf5\x80\xff\x4d\xe4\x3b\x49\xfa\x82\xd8\x0a\x4b\x80\xf8\x43\x4a"},
        {0, 3, -1,
         "\x3a\x98\x5d\xa7\x4f\xe2\x25\xb2\x04\x5c\x17\x2d\x6b\xd3\x90\xbd"
         "\x85\x5f\x08\x6e\x3e\x9d\x52\x5b\x46\xbf\xe2\x45\x11\x43\x15\x32"},
        {0, 200, 0xa3,
         "\x79\xf3\x8a\xde\xc5\xc2\x03\x07\xa9\x8e\xf7\x6e\x83\x24\xaf\xbf"
         "\xd4\x6c\xfd\x81\xb2\x2e\x39\x73\xc6\x5f\xa1\xbd\x9d\xe3\x17\x87"},
        {1, 0, 0,
         "\x7f\x9c\x2b\xa4\xe8\x8f\x82\x7d\x61\x60\x45\x50\x76\x05\x85\x3e"
         "\xd7\x3b\x80\x93\xf6\xef\xbc\x88\xeb\x1a\x6e\xac\xfa\x66\xef\x26"},
        {5, 0, 0,
         "\x46\xb9\xdd\x2b\x0b\xa8\x8d\x13\x23\x3b\x3f\xeb\x74\x3e\xeb\x24"
         "\x3f\xcd\x52\xea\x62\xb8\x1b\x82\xb5\x0c\x27\x64\x6e\xd5\x76\x2f"},
    };
    uint8_t message[200];
    const uint8_t *p = message;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(known); i++) {
        memset(message, known[i].byte, sizeof message);
        if (known[i].byte < 0) {
            memcpy(message, "abc", 3);
        }
        for (cm_cpu_kind k = 0; k < CM_CPU_KINDS; k++) {
            if (run(k, known[i].f, &p, known[i].n, 1)) {
                assert_memory_equal(known[i].digest, got[0], 32);
            }
        }
    }
}

static void sha3_256_of_many(void **state)
{
    const uint8_t *at[LANES];
    uint8_t out[LANES][32];

    (void)state;
    for (size_t l = 0; l < LANES; l++) {
        at[l] = data + l * GAP;
        reference(want[l], 0, at[l], 137);
    }
    cm_sha3_256_mb(out, at, 137, LANES);
    for (size_t l = 0; l < LANES; l++) {
        assert_memory_equal(want[l], out[l], 32);
    }
    assert_false(run(CM_CPU_KINDS, 0, at, 137, 1));
    assert_int_equal(0xa5, got[0][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_and_count),  cmocka_unit_test(random_long_messages),
        cmocka_unit_test(reads_no_byte_too_many), cmocka_unit_test(published_digests),
        cmocka_unit_test(sha3_256_of_many),
    };

    fill(data, sizeof data, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
