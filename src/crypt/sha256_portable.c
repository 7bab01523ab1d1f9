/* SHA-256 compression in plain C: the reference the other kernels must equal. */
#include "base/base.h"
#include "crypt/kernel_int.h"
#include "crypt/sha256_int.h"

/* FIPS 180-4, 4.2.2. */
const uint32_t cm_sha256_k[64] __attribute__((aligned(64))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

INLINE uint32_t ror(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* Word t + 16 takes the place of word t. */
INLINE void extend(uint32_t w[16], size_t t)
{
    uint32_t x = w[(t + 1) & 15], y = w[(t + 14) & 15];

    w[t] +=
        w[(t + 9) & 15] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
}

/* Instead of moving a to h along, round t finds them t places further back. */
INLINE void round_at(uint32_t v[8], uint32_t kw, size_t t)
{
    uint32_t a = v[(0 - t) & 7], b = v[(1 - t) & 7], c = v[(2 - t) & 7];
    uint32_t e = v[(4 - t) & 7], f = v[(5 - t) & 7], g = v[(6 - t) & 7];
    uint32_t *d = &v[(3 - t) & 7], *h = &v[(7 - t) & 7];

    *h += (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + kw;
    *d += *h;
    *h += (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));
}

static void compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[16], v[8];

    memcpy(v, h, sizeof v);
    for (size_t t = 0; t < 16; t++) {
        w[t] = cm_get_be32(block + 4 * t);
    }
    for (size_t r = 0; r < 48; r += 16) {
        UNROLL
        for (size_t t = 0; t < 16; t++) {
            round_at(v, cm_sha256_k[r + t] + w[t], t);
            extend(w, t);
        }
    }
    UNROLL
    for (size_t t = 0; t < 16; t++) {
        round_at(v, cm_sha256_k[48 + t] + w[t], t);
    }
    for (size_t i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

void cm_sha256_blocks_portable(cm_sha256_state *s, const uint8_t *const *data, size_t blocks)
{
    uint32_t h[8];

    for (size_t i = 0; i < 8; i++) {
        h[i] = s->w[i][0];
    }
    for (size_t b = 0; b < blocks; b++) {
        compress(h, data[0] + 64 * b);
    }
    for (size_t i = 0; i < 8; i++) {
        s->w[i][0] = h[i];
    }
}
