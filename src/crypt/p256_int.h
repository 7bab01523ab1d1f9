#ifndef CM_CRYPT_P256_INT_H
#define CM_CRYPT_P256_INT_H
/*
 * ECDSA over P-256, verifying alone: everything here is public and takes variable time, but for
 * cm_p256_inverse(). Nothing else of it may be given a secret scalar.
 *   inverse.c     inverses modulo a 256-bit odd number
 *   p256_field.h  the field, in Montgomery form
 *   p256.c        points, tables of multiples, the verification
 *   x86_64/p256_ifma.c  sums of points, eight at a time
 */
#include "base/base.h"

/* Numbers below 2^256, least limb first. */
typedef struct {
    uint64_t v[4];
} cm_p256_num;

typedef struct {
    cm_p256_num m;
    uint64_t inverse62; /* of m modulo 2^62 */
} cm_p256_modulus;

/** x^-1 modulo m, 0 for 0; x is below m, which is an odd prime. */
cm_p256_num cm_p256_inverse_var(const cm_p256_num *x, const cm_p256_modulus *m);
/** The same in constant time. */
cm_p256_num cm_p256_inverse(const cm_p256_num *x, const cm_p256_modulus *m);

/* Multiples of one point: a verification by them is a sum of 74 points at most, without a doubling.
 * 148 KiB. Immutable: threads may share it. */
typedef struct cm_p256_table cm_p256_table;

/** Of a public key, 04 with both coordinates. CRYPT_BAD_KEY: another form, or not on the curve;
 * NO_MEMORY. Takes about a millisecond. */
CM_MUST cm_err cm_p256_table_new(cm_p256_table **out, const uint8_t pk[65]);
void cm_p256_table_free(cm_p256_table *t);
void cm_p256_table_free_ptr(cm_p256_table **t);
/** Whether sig is one over digest: r || s, big-endian (FIPS 186-5, 6.4.2). */
bool cm_p256_verify_var(const cm_p256_table *t, const uint8_t digest[32], const uint8_t sig[64]);
/** The same with the sums in vectors, which the machine must have, or without. */
bool cm_p256_verify_on(bool vectors, const cm_p256_table *t, const uint8_t digest[32],
                       const uint8_t sig[64]);

enum { CM_P256_TERMS = 74, CM_P256_LANES = 8 };

/* In Montgomery form, R = 2^256. */
typedef struct {
    cm_p256_num x, y;
} cm_p256_point;

/* Points to be summed. */
typedef struct {
    const cm_p256_point *point[CM_P256_TERMS];
    bool negated[CM_P256_TERMS];
    size_t n;
} cm_p256_terms;

/** The sum of the first 8 floor(n / 8) >= 8 terms, as X, Y and Z with x = X / Z^2 and y = Y / Z^3,
 * each 16 times what it is in the form above and below 2^256. Where two equal or opposite points
 * met, Z is 0 modulo p. */
void cm_p256_sum_ifma(cm_p256_num sum[3], const cm_p256_terms *s);

#endif
