/*
 * Keccak, eight messages in the eight 64-bit lanes of AVX-512: the state is 25 of 32 registers,
 * rotates are one instruction, and theta's and chi's three-input functions one VPTERNLOGQ each.
 */
#include <immintrin.h>

#include "crypt/keccak_int.h"
#include "crypt/kernel_int.h"

typedef uint64_t word __attribute__((vector_size(64)));

INLINE word xor3(word a, word b, word c)
{
    return (word)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
}

INLINE word and_not_xor(word a, word b, word c)
{
    return (word)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xd2);
}

INLINE word splat(uint64_t v)
{
    return (word)_mm512_set1_epi64((long long)v);
}

#include "crypt/keccak_round_int.h"

/* Rows of 8 messages become words of 8 lanes. */
INLINE void transpose(__m512i r[8])
{
    __m512i t[8], u[8];

    UNROLL
    for (size_t i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    UNROLL
    for (size_t i = 0; i < 2; i++) {
        u[i] = _mm512_shuffle_i64x2(t[i], t[2 + i], 0x88);
        u[2 + i] = _mm512_shuffle_i64x2(t[i], t[2 + i], 0xdd);
        u[4 + i] = _mm512_shuffle_i64x2(t[4 + i], t[6 + i], 0x88);
        u[6 + i] = _mm512_shuffle_i64x2(t[4 + i], t[6 + i], 0xdd);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i64x2(u[i], u[4 + i], 0x88);
        r[4 + i] = _mm512_shuffle_i64x2(u[i], u[4 + i], 0xdd);
    }
}

/* Eight words from each message at off, or as many as the mask says and zeros. */
INLINE void absorb(word a[8], const uint8_t *const *data, size_t off, __mmask8 mask)
{
    __m512i r[8];

    UNROLL
    for (size_t l = 0; l < 8; l++) {
        r[l] = _mm512_maskz_loadu_epi64(mask, data[l] + off);
    }
    transpose(r);
    UNROLL
    for (size_t i = 0; i < 8; i++) {
        a[i] ^= (word)r[i];
    }
}

void cm_keccak_blocks_avx512_x8(cm_keccak_state *s, const uint8_t *const *data, size_t blocks,
                                size_t words)
{
    word a[25];

    for (size_t i = 0; i < 25; i++) {
        a[i] = (word)_mm512_load_si512(s->w[i]);
    }
    for (size_t b = 0; b < blocks; b++) {
        UNROLL
        for (size_t at = 0; at < 24; at += 8) {
            if (at < words) {
                size_t left = words - at;

                absorb(a + at, data, 8 * (words * b + at),
                       left < 8 ? (__mmask8)((1u << left) - 1) : (__mmask8)0xff);
            }
        }
        permute(a);
    }
    for (size_t i = 0; i < 25; i++) {
        _mm512_store_si512(s->w[i], (__m512i)a[i]);
    }
}
