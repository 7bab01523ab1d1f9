/*
 * SHA-256, eight messages in the eight 32-bit lanes of AVX2: for processors with neither the SHA
 * extensions nor AVX-512.
 */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/sha256_int.h"

INLINE __m256i ror(__m256i x, const int n)
{
    return _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - n));
}

INLINE __m256i xor3(__m256i a, __m256i b, __m256i c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

INLINE void transpose(__m256i w[8])
{
    __m256i t[8];

    UNROLL
    for (size_t i = 0; i < 8; i += 4) {
        __m256i lo0 = _mm256_unpacklo_epi32(w[i], w[i + 1]);
        __m256i hi0 = _mm256_unpackhi_epi32(w[i], w[i + 1]);
        __m256i lo1 = _mm256_unpacklo_epi32(w[i + 2], w[i + 3]);
        __m256i hi1 = _mm256_unpackhi_epi32(w[i + 2], w[i + 3]);

        t[i] = _mm256_unpacklo_epi64(lo0, lo1);
        t[i + 1] = _mm256_unpackhi_epi64(lo0, lo1);
        t[i + 2] = _mm256_unpacklo_epi64(hi0, hi1);
        t[i + 3] = _mm256_unpackhi_epi64(hi0, hi1);
    }
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        w[j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x20);
        w[4 + j] = _mm256_permute2x128_si256(t[j], t[4 + j], 0x31);
    }
}

/* Half a block of every lane. */
INLINE void load_half(__m256i w[8], const uint8_t *const *data, size_t off)
{
    const __m256i swap = _mm256_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203,
                                           0x0c0d0e0f08090a0b, 0x0405060700010203);

    UNROLL
    for (size_t l = 0; l < 8; l++) {
        w[l] = _mm256_shuffle_epi8(
            _mm256_loadu_si256((const __m256i *)(const void *)(data[l] + off)), swap);
    }
    transpose(w);
}

/* Word t + 16 takes the place of word t. */
INLINE void extend(__m256i w[16], size_t t)
{
    __m256i x = w[(t + 1) & 15], y = w[(t + 14) & 15];
    __m256i s0 = xor3(ror(x, 7), ror(x, 18), _mm256_srli_epi32(x, 3));
    __m256i s1 = xor3(ror(y, 17), ror(y, 19), _mm256_srli_epi32(y, 10));

    w[t & 15] =
        _mm256_add_epi32(_mm256_add_epi32(w[t & 15], w[(t + 9) & 15]), _mm256_add_epi32(s0, s1));
}

/* Instead of moving a to h along, round t finds them t places further back. */
INLINE void round_at(__m256i v[8], __m256i w, uint32_t k, size_t t)
{
    __m256i a = v[(0 - t) & 7], b = v[(1 - t) & 7], c = v[(2 - t) & 7];
    __m256i e = v[(4 - t) & 7], f = v[(5 - t) & 7], g = v[(6 - t) & 7];
    __m256i *d = &v[(3 - t) & 7], *h = &v[(7 - t) & 7];
    __m256i ch = _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
    __m256i maj =
        _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
    __m256i kw = _mm256_add_epi32(w, _mm256_set1_epi32((int)k));
    __m256i t1 = _mm256_add_epi32(_mm256_add_epi32(*h, kw), ch);

    t1 = _mm256_add_epi32(t1, xor3(ror(e, 6), ror(e, 11), ror(e, 25)));
    *d = _mm256_add_epi32(*d, t1);
    *h = _mm256_add_epi32(t1, _mm256_add_epi32(xor3(ror(a, 2), ror(a, 13), ror(a, 22)), maj));
}

/* Each word is extended right after its use, sixteen rounds before its successor is due. */
INLINE void compress(__m256i v[8], __m256i w[16])
{
    for (size_t r = 0; r < 48; r += 16) {
        UNROLL
        for (size_t t = 0; t < 16; t++) {
            round_at(v, w[t], cm_sha256_k[r + t], t);
            extend(w, t);
        }
    }
    UNROLL
    for (size_t t = 0; t < 16; t++) {
        round_at(v, w[t], cm_sha256_k[48 + t], t);
    }
}

void cm_sha256_blocks_avx2_x8(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    __m256i v[8], w[16];

    for (size_t i = 0; i < 8; i++) {
        v[i] = _mm256_load_si256((const __m256i *)s->w[i]);
    }
    for (size_t b = 0; b < blocks; b++) {
        load_half(w, data, 64 * b);
        load_half(w + 8, data, 64 * b + 32);
        compress(v, w);
        for (size_t i = 0; i < 8; i++) {
            v[i] = _mm256_add_epi32(v[i], _mm256_load_si256((const __m256i *)s->w[i]));
            _mm256_store_si256((__m256i *)s->w[i], v[i]);
        }
    }
}
