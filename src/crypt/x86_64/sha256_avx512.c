/*
 * SHA-256, sixteen messages in the sixteen 32-bit lanes of AVX-512: word t of all messages is one
 * register, rotates are one instruction and every three-input function is one VPTERNLOGD.
 */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/sha256_int.h"

/* VPTERNLOGD truth tables. */
#define XOR3 0x96
#define CH   0xca
#define MAJ  0xe8

/* Rows i of 16 blocks become words i of 16 lanes: interleave 32-bit, then 64-bit, then 128-bit
 * quarters twice. */
INLINE void transpose(__m512i w[16])
{
    __m512i t[16];

    UNROLL
    for (size_t i = 0; i < 16; i += 4) {
        __m512i lo0 = _mm512_unpacklo_epi32(w[i], w[i + 1]);
        __m512i hi0 = _mm512_unpackhi_epi32(w[i], w[i + 1]);
        __m512i lo1 = _mm512_unpacklo_epi32(w[i + 2], w[i + 3]);
        __m512i hi1 = _mm512_unpackhi_epi32(w[i + 2], w[i + 3]);

        t[i] = _mm512_unpacklo_epi64(lo0, lo1);
        t[i + 1] = _mm512_unpackhi_epi64(lo0, lo1);
        t[i + 2] = _mm512_unpacklo_epi64(hi0, hi1);
        t[i + 3] = _mm512_unpackhi_epi64(hi0, hi1);
    }
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        __m512i a = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x88);
        __m512i b = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x88);
        __m512i d = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xdd);

        w[j] = _mm512_shuffle_i32x4(a, c, 0x88);
        w[4 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
        w[8 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
        w[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

INLINE void load_blocks(__m512i w[16], const uint8_t *const *data, size_t off)
{
    const __m512i swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);

    UNROLL
    for (size_t l = 0; l < 16; l++) {
        w[l] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[l] + off), swap);
    }
    transpose(w);
}

/* Word t + 16 takes the place of word t. */
INLINE void extend(__m512i w[16], size_t t)
{
    __m512i x = w[(t + 1) & 15], y = w[(t + 14) & 15];
    __m512i s0 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, 7), _mm512_ror_epi32(x, 18),
                                           _mm512_srli_epi32(x, 3), XOR3);
    __m512i s1 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(y, 17), _mm512_ror_epi32(y, 19),
                                           _mm512_srli_epi32(y, 10), XOR3);

    w[t & 15] =
        _mm512_add_epi32(_mm512_add_epi32(w[t & 15], w[(t + 9) & 15]), _mm512_add_epi32(s0, s1));
}

/* Instead of moving a to h along, round t finds them t places further back. */
INLINE void round_at(__m512i v[8], __m512i w, uint32_t k, size_t t)
{
    __m512i a = v[(0 - t) & 7], b = v[(1 - t) & 7], c = v[(2 - t) & 7];
    __m512i e = v[(4 - t) & 7], f = v[(5 - t) & 7], g = v[(6 - t) & 7];
    __m512i *d = &v[(3 - t) & 7], *h = &v[(7 - t) & 7];
    __m512i s1 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11),
                                           _mm512_ror_epi32(e, 25), XOR3);
    __m512i s0 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13),
                                           _mm512_ror_epi32(a, 22), XOR3);
    __m512i kw = _mm512_add_epi32(w, _mm512_set1_epi32((int)k));
    __m512i t1 = _mm512_add_epi32(_mm512_add_epi32(*h, kw), _mm512_ternarylogic_epi32(e, f, g, CH));

    t1 = _mm512_add_epi32(t1, s1);
    *d = _mm512_add_epi32(*d, t1);
    *h = _mm512_add_epi32(t1, _mm512_add_epi32(s0, _mm512_ternarylogic_epi32(a, b, c, MAJ)));
}

/* Each word is extended right after its use, sixteen rounds before its successor is due. */
INLINE void compress(__m512i v[8], __m512i w[16])
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

void cm_sha256_blocks_avx512_x16(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    __m512i v[8], w[16];

    for (size_t i = 0; i < 8; i++) {
        v[i] = _mm512_load_si512(s->w[i]);
    }
    for (size_t b = 0; b < blocks; b++) {
        load_blocks(w, data, 64 * b);
        compress(v, w);
        UNROLL
        for (size_t i = 0; i < 8; i++) {
            v[i] = _mm512_add_epi32(v[i], _mm512_load_si512(s->w[i]));
            _mm512_store_si512(s->w[i], v[i]);
        }
    }
}
