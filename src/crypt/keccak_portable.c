/* Keccak in plain C: the reference the other kernels must equal. */
#include "base/base.h"
#include "crypt/keccak_int.h"
#include "crypt/kernel_int.h"

typedef uint64_t word;

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
    return v;
}

#include "crypt/keccak_round_int.h"

/* FIPS 202, 3.2.5. */
const uint64_t cm_keccak_rc[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

void cm_keccak_blocks_portable(cm_keccak_state *s, const uint8_t *const *data, size_t blocks,
                               size_t words)
{
    word a[25];

    for (size_t i = 0; i < 25; i++) {
        a[i] = s->w[i][0];
    }
    for (size_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < words; i++) {
            a[i] ^= cm_get_le64(data[0] + 8 * (words * b + i));
        }
        for (size_t i = 0; i < 24; i += 2) {
            two_rounds(a, i);
        }
    }
    for (size_t i = 0; i < 25; i++) {
        s->w[i][0] = a[i];
    }
}
