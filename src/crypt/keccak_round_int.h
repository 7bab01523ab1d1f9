/*
 * Keccak-f[1600] (FIPS 202, 3) over any number of lanes. No guard: a kernel includes it once after
 * it has defined
 *   word                   one 64-bit word of every lane, with the C operators << and >>
 *   xor3(a, b, c)          a ^ b ^ c
 *   and_not_xor(a, b, c)   a ^ (~b & c)
 *   splat(v)               v in every lane
 */
#include "crypt/keccak_int.h"
#include "crypt/kernel_int.h"

/* Table of rho, at x + 5y. */
static const unsigned char rho[25] = {0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                      25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14};

INLINE word rol(word v, unsigned n)
{
    return n == 0 ? v : (v << n | v >> (64 - n));
}

INLINE void round_of(word a[25], uint64_t rc)
{
    word b[25], c[5], r[5];

    UNROLL
    for (size_t x = 0; x < 5; x++) {
        c[x] = xor3(xor3(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20]);
        r[x] = rol(c[x], 1);
    }
    /* theta, rho and pi: the word at x, y goes to y, 2x + 3y. */
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        size_t x = i % 5, y = i / 5;

        b[y + 5 * ((2 * x + 3 * y) % 5)] = rol(xor3(a[i], c[(x + 4) % 5], r[(x + 1) % 5]), rho[i]);
    }
    UNROLL
    for (size_t i = 0; i < 25; i++) {
        size_t x = i % 5, row = i - x;

        a[i] = and_not_xor(b[i], b[row + (x + 1) % 5], b[row + (x + 2) % 5]);
    }
    a[0] ^= splat(rc);
}

INLINE void permute(word a[25])
{
    for (size_t i = 0; i < 24; i++) {
        round_of(a, cm_keccak_rc[i]);
    }
}
