/* Hash kernels: no branch and no address may depend on a byte that is hashed. */
#include <stdio.h>

#include "base/base.h"
#include "base/ct.h"
#include "crypt/keccak_mb.h"
#include "crypt/merkle.h"
#include "crypt/mldsa_int.h"
#include "crypt/sha256_mb.h"

#define LANES 17u
#define N     400u

static uint8_t data[LANES][N], prefix[33];
static const uint8_t *at[LANES];

static void sha256(cm_cpu_kind kind)
{
    uint8_t out[LANES][32];

    for (size_t n = 0; n < N; n += 57) {
        for (size_t count = 1; count <= LANES; count += 4) {
            (void)cm_sha256_mb_on(kind, out, prefix, sizeof prefix, at, n, count);
        }
    }
}

static void keccak(cm_cpu_kind kind)
{
    uint8_t out[LANES][200];
    uint8_t *to[LANES];

    for (size_t l = 0; l < LANES; l++) {
        to[l] = out[l];
    }
    for (cm_keccak_fn f = CM_KECCAK_SHA3_256; f <= CM_KECCAK_SHAKE256; f++) {
        for (size_t n = 0; n < N; n += 57) {
            (void)cm_keccak_mb_on(kind, f, to, f == CM_KECCAK_SHA3_256 ? 32 : 200, at, n, LANES);
        }
    }
}

#if defined(__x86_64__)
/* Signing with ML-DSA, but for which candidates it rejects: that, FIPS 204 lets be seen. */
static void mldsa(void)
{
    static cm_poly a, b, high, low;
    const int32_t gamma2 = (CM_MLDSA_Q - 1) / 32;
    volatile bool below;
    volatile unsigned ones;

    for (size_t i = 0; i < CM_MLDSA_N; i++)
        a.c[i] = b.c[i] = (int32_t)(i * 31337 % CM_MLDSA_Q);
    CM_SECRET(&a, sizeof a);
    CM_SECRET(&b, sizeof b);
    cm_mldsa_ntt_avx2(&a);
    cm_mldsa_mul_avx2(&b, &a, &a);
    cm_mldsa_mul_add_avx2(&b, &a, &a);
    cm_mldsa_reduce_avx2(&b);
    cm_mldsa_intt_avx2(&b);
    cm_mldsa_add_avx2(&a, &a, &b);
    cm_mldsa_sub_avx2(&a, &a, &b);
    cm_mldsa_positive_avx2(&b);
    below = cm_mldsa_below_avx2(&b, gamma2);
    cm_mldsa_decompose_avx2(&high, &low, &b, gamma2);
    ones = cm_mldsa_hint_avx2(&a, &high, &low, gamma2);
    (void)below, (void)ones;
}
#endif

/* Valgrind shows a processor without the SHA extensions and AVX-512, so their kernels are not run
 * here: those are straight lines of vector instructions between two counted loops. */
int main(void)
{
    uint8_t leaves[LANES][32], root[32];

    CM_SECRET(data, sizeof data);
    CM_SECRET(prefix, sizeof prefix);
    for (size_t l = 0; l < LANES; l++) {
        at[l] = data[l];
    }
    for (cm_cpu_kind k = CM_CPU_PORTABLE; k < CM_CPU_KINDS; k++) {
        (void)printf("%s: %s\n", cm_cpu_kind_name(k), cm_cpu_has(k) ? "checked" : "not here");
        if (cm_cpu_has(k)) {
            sha256(k);
            keccak(k);
        }
    }
#if defined(__x86_64__)
    if (cm_cpu_has(CM_CPU_AVX2))
        mldsa();
#endif
    cm_merkle_leaves(leaves, cm_view_of(prefix, 32), data[0], sizeof data - 7, N, NULL);
    cm_merkle_root(root, leaves, LANES);
    return 0;
}
