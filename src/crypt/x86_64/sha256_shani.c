/*
 * SHA-256 with the SHA extensions. Each SHA256RNDS2 of a message waits for the one before it, four
 * cycles on the processors of today, while the unit could start one every cycle or two: a single
 * message leaves most of it idle. Two in turn double the speed; with four the adds, shuffles and
 * SHA256MSG2 around it are the limit, and more than four would only spill more registers.
 */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/sha256_int.h"

#define MOST 4

/* The instructions want the chaining words as A B E F and C D G H, most significant first. */
typedef struct {
    __m128i abef, cdgh;
} hash;

INLINE void load_state(hash *h, const cm_sha256_state *s, size_t l)
{
    h->abef = _mm_set_epi32((int)s->w[0][l], (int)s->w[1][l], (int)s->w[4][l], (int)s->w[5][l]);
    h->cdgh = _mm_set_epi32((int)s->w[2][l], (int)s->w[3][l], (int)s->w[6][l], (int)s->w[7][l]);
}

INLINE void save_state(cm_sha256_state *s, const hash *h, size_t l)
{
    s->w[0][l] = (uint32_t)_mm_extract_epi32(h->abef, 3);
    s->w[1][l] = (uint32_t)_mm_extract_epi32(h->abef, 2);
    s->w[2][l] = (uint32_t)_mm_extract_epi32(h->cdgh, 3);
    s->w[3][l] = (uint32_t)_mm_extract_epi32(h->cdgh, 2);
    s->w[4][l] = (uint32_t)_mm_extract_epi32(h->abef, 1);
    s->w[5][l] = (uint32_t)_mm_extract_epi32(h->abef, 0);
    s->w[6][l] = (uint32_t)_mm_extract_epi32(h->cdgh, 1);
    s->w[7][l] = (uint32_t)_mm_extract_epi32(h->cdgh, 0);
}

INLINE void load_block(__m128i m[4], const uint8_t *p)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    for (size_t i = 0; i < 4; i++) {
        m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
    }
}

/* Words 4g + 16 to 4g + 19 take the place of words 4g to 4g + 3. */
INLINE void extend(__m128i m[4], size_t g)
{
    __m128i last = m[(g + 3) & 3];
    __m128i x = _mm_sha256msg1_epu32(m[g & 3], m[(g + 1) & 3]);

    x = _mm_add_epi32(x, _mm_alignr_epi8(last, m[(g + 2) & 3], 4));
    m[g & 3] = _mm_sha256msg2_epu32(x, last);
}

INLINE void four_rounds(hash *h, __m128i m, size_t g)
{
    __m128i k = _mm_add_epi32(m, _mm_load_si128((const __m128i *)(cm_sha256_k + 4 * g)));

    h->cdgh = _mm_sha256rnds2_epu32(h->cdgh, h->abef, k);
    h->abef = _mm_sha256rnds2_epu32(h->abef, h->cdgh, _mm_shuffle_epi32(k, 0x0e));
}

/* Keeps the compiler from running one message to its end before the others. */
INLINE void in_turn(hash *h)
{
    __asm__ volatile("" : "+x"(h->abef));
}

INLINE void run(cm_sha256_state *s, const uint8_t *const *data, size_t blocks, const size_t lanes)
{
    hash h[MOST], was[MOST];
    __m128i m[MOST][4];

    for (size_t l = 0; l < lanes; l++) {
        load_state(&h[l], s, l);
    }
    for (size_t b = 0; b < blocks; b++) {
        for (size_t l = 0; l < lanes; l++) {
            was[l] = h[l];
            load_block(m[l], data[l] + 64 * b);
        }
        UNROLL
        for (size_t g = 0; g < 16; g++) {
            UNROLL
            for (size_t l = 0; l < lanes; l++) {
                four_rounds(&h[l], m[l][g & 3], g);
                if (g < 12) {
                    extend(m[l], g);
                }
                in_turn(&h[l]);
            }
        }
        for (size_t l = 0; l < lanes; l++) {
            h[l].abef = _mm_add_epi32(h[l].abef, was[l].abef);
            h[l].cdgh = _mm_add_epi32(h[l].cdgh, was[l].cdgh);
        }
    }
    for (size_t l = 0; l < lanes; l++) {
        save_state(s, &h[l], l);
    }
}

void cm_sha256_blocks_shani_x1(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    run(s, data, blocks, 1);
}

void cm_sha256_blocks_shani_x2(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    run(s, data, blocks, 2);
}

void cm_sha256_blocks_shani_x4(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    run(s, data, blocks, 4);
}
