/* Keccak, four messages in the four 64-bit lanes of AVX2. */
#include <immintrin.h>

#include "crypt/keccak_int.h"
#include "crypt/kernel_int.h"

typedef uint64_t word __attribute__((vector_size(32)));

INLINE word xor3(word a, word b, word c)
{
    return a ^ (b ^ c);
}

INLINE word and_not_xor(word a, word b, word c)
{
    return a ^ (~b & c);
}

INLINE word splat(uint64_t v)
{
    return (word)_mm256_set1_epi64x((long long)v);
}

#include "crypt/keccak_round_int.h"

/* Four words from each message at off, or as many as the mask says and zeros. */
INLINE void absorb(word a[4], const uint8_t *const *data, size_t off, __m256i mask)
{
    __m256i r[4], t[4];

    UNROLL
    for (size_t l = 0; l < 4; l++) {
        r[l] = _mm256_maskload_epi64((const long long *)(const void *)(data[l] + off), mask);
    }
    UNROLL
    for (size_t i = 0; i < 4; i += 2) {
        t[i] = _mm256_unpacklo_epi64(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi64(r[i], r[i + 1]);
    }
    UNROLL
    for (size_t i = 0; i < 2; i++) {
        a[i] ^= (word)_mm256_permute2x128_si256(t[i], t[2 + i], 0x20);
        a[2 + i] ^= (word)_mm256_permute2x128_si256(t[i], t[2 + i], 0x31);
    }
}

void cm_keccak_blocks_avx2_x4(cm_keccak_state *s, const uint8_t *const *data, size_t blocks,
                              size_t words)
{
    const __m256i index = _mm256_set_epi64x(3, 2, 1, 0);
    word a[25];

    for (size_t i = 0; i < 25; i++) {
        a[i] = (word)_mm256_load_si256((const __m256i *)s->w[i]);
    }
    for (size_t b = 0; b < blocks; b++) {
        for (size_t at = 0; at < words; at += 4) {
            absorb(a + at, data, 8 * (words * b + at),
                   _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)(words - at)), index));
        }
        for (size_t i = 0; i < 24; i += 2) {
            two_rounds(a, i);
        }
    }
    for (size_t i = 0; i < 25; i++) {
        _mm256_store_si256((__m256i *)s->w[i], (__m256i)a[i]);
    }
}
