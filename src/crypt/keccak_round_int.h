/*
 * Keccak-f[1600] (FIPS 202, 3) over any number of lanes. No guard: a kernel includes it once after
 * it has defined
 *   word                   one 64-bit word of every lane, with C's operators ^ << >>
 *   xor3(a, b, c)          a ^ b ^ c
 *   and_not_xor(a, b, c)   a ^ (~b & c)
 *   splat(v)               v in every lane
 */
#include <string.h>

#include "crypt/keccak_int.h"
#include "crypt/kernel_int.h"

/* Table of rho, at x + 5y. */
static const unsigned char rho[25] = {0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                      25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14};

INLINE word rol(word v, unsigned n)
{
    return n == 0 ? v : (v << n | v >> (64 - n));
}

/* In an order that keeps at most 32 words alive. */
INLINE void round_of(word a[25], uint64_t rc)
{
    word e[25], c[5];

    UNROLL
    for (size_t x = 0; x < 5; x++) {
        c[x] = xor3(xor3(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20]);
    }
    UNROLL
    for (size_t x = 0; x < 5; x++) {
        word d = c[(x + 4) % 5] ^ rol(c[(x + 1) % 5], 1);

        UNROLL
        for (size_t i = x; i < 25; i += 5) {
            a[i] ^= d;
        }
    }
    /* Row y of the next state: rho and pi bring it the words at x + 3y, x; chi mixes them. */
    UNROLL
    for (size_t y = 0; y < 5; y++) {
        word b[5];

        UNROLL
        for (size_t x = 0; x < 5; x++) {
            size_t from = (x + 3 * y) % 5 + 5 * x;

            b[x] = rol(a[from], rho[from]);
        }
        UNROLL
        for (size_t x = 0; x < 5; x++) {
            e[5 * y + x] = and_not_xor(b[x], b[(x + 1) % 5], b[(x + 2) % 5]);
        }
    }
    e[0] ^= splat(rc);
    memcpy(a, e, sizeof e);
}

INLINE void two_rounds(word a[25], size_t i)
{
    round_of(a, cm_keccak_rc[i]);
    round_of(a, cm_keccak_rc[i + 1]);
}
