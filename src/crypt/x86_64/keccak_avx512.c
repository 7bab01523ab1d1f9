/*
 * Keccak, eight messages in the eight 64-bit lanes of AVX-512: the state is 25 of 32 registers,
 * rotates are one instruction, and theta's and chi's three-input functions one VPTERNLOGQ each.
 */
#include <immintrin.h>

#include "base/base.h"
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

INLINE long long load(const uint8_t *p)
{
    long long v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* The word at off of every message. */
INLINE word gather(const uint8_t *const *p, size_t off)
{
    return (word)_mm512_set_epi64(load(p[7] + off), load(p[6] + off), load(p[5] + off),
                                  load(p[4] + off), load(p[3] + off), load(p[2] + off),
                                  load(p[1] + off), load(p[0] + off));
}

/* Each round waits for the column sums of theta; fetching two words of the next block after every
 * two rounds costs next to nothing there, and a sixth of the time in one piece. */
INLINE void permute(word a[25], word *next, const uint8_t *const *data, size_t off, size_t words)
{
    for (size_t i = 0; i < 24; i += 2) {
        two_rounds(a, i);
        for (size_t k = i; k < i + 2 && k < words; k++) {
            next[k] = gather(data, off + 8 * k);
        }
    }
}

void cm_keccak_blocks_avx512_x8(cm_keccak_state *s, const uint8_t *const *data, size_t blocks,
                                size_t words)
{
    word a[25], next[CM_KECCAK_WORDS_MAX] = {{0}};

    for (size_t i = 0; i < 25; i++) {
        a[i] = (word)_mm512_load_si512(s->w[i]);
    }
    for (size_t i = 0; i < words && blocks > 0; i++) {
        next[i] = gather(data, 8 * i);
    }
    for (size_t b = 0; b < blocks; b++) {
        UNROLL
        for (size_t i = 0; i < CM_KECCAK_WORDS_MAX; i++) {
            a[i] ^= next[i];
        }
        /* The last one fetches itself again, and nobody looks. */
        permute(a, next, data, 8 * words * CM_MIN(b + 1, blocks - 1), words);
    }
    for (size_t i = 0; i < 25; i++) {
        _mm512_store_si512(s->w[i], (__m512i)a[i]);
    }
}
