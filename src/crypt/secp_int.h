#ifndef CM_CRYPT_SECP_INT_H
#define CM_CRYPT_SECP_INT_H
/*
 * ECDSA over secp256k1, signing alone, where the processor multiplies 52 bits in eight lanes: the
 * same bytes as libsecp256k1's from the same nonce, in a third of the time. Constant time; what is
 * secret here is wiped.
 *   inverse.c     inverses modulo a 256-bit odd number
 *   secp_sign.c   scalars, the table of the generator's multiples, the signature
 *   x86_64/secp_ifma.c  the multiple of the generator
 */
#include "crypt/p256_int.h"

enum { CM_SECP_ROUNDS = 8, CM_SECP_ODD = 8, CM_SECP_LANES = 8, CM_SECP_LIMBS = 5 };

/* The generator's multiples (2 o + 1) 16^(8 r + l): x and y of round r, odd number o, by limbs of
 * 52 bits, of lanes l. */
typedef struct {
    _Alignas(64) uint64_t v[CM_SECP_ROUNDS][CM_SECP_ODD][2][CM_SECP_LIMBS][CM_SECP_LANES];
} cm_secp_table;

/** X, Y and Z with x = X / Z and y = Y / Z, each below 2^256, of the generator's multiple by the
 * sum of +2^i for bits that are set and -2^i for those that are not. blind is a number that nobody
 * knows, not 0 modulo p: by it the coordinates differ from what they were for the same bits. */
void cm_secp_multiply_ifma(cm_p256_num sum[3], const cm_secp_table *t, const cm_p256_num *bits,
                           const cm_p256_num *blind);

/* Division steps of two inversions (inverse.c): the matrices' numbers are results. */
typedef struct {
    int64_t zeta[2], f[2], g[2], u[2], v[2], q[2], r[2];
} cm_secp_steps;

/** 59 steps of each. */
void cm_secp_steps_ifma(cm_secp_steps *s);

/** x[i]^-1 modulo m[i], as cm_p256_inverse(), where the machine has the kernels of this file. */
void cm_p256_inverse_two(cm_p256_num out[2], const cm_p256_num x[2],
                         const cm_p256_modulus *const m[2]);

/** What cm_secp_multiply_ifma() takes for the scalar k < n. */
cm_p256_num cm_secp_bits(const cm_p256_num *k);

/** k times the generator, by the table; false: there is none. */
bool cm_secp_point(cm_p256_num sum[3], const cm_p256_num *k, const cm_p256_num *blind);

/* A signature from its nonce's point, as cm_secp_point() gives it. */
typedef struct {
    cm_p256_num k, key, digest; /* each below n */
    cm_p256_num sum[3];
} cm_secp_parts;

/** False where the point is none of the curve's, or r or s would be 0. */
bool cm_secp_finish(uint8_t sig[64], uint8_t *recid, cm_secp_parts *p);

/** Makes the table, if this machine can use it: once in a process, for milliseconds. Any thread. */
void cm_secp_prepare(void);

/** secp256k1_ecdsa_sign() with cm_secp_nonce and extra, and the id by which the key is recovered.
 * False: there is no table, or this nonce won't do, and the library is to be asked. */
bool cm_secp_sign(uint8_t sig[64], uint8_t *recid, const uint8_t digest[32], const uint8_t key[32],
                  uint8_t extra[32]);

#endif
