#ifndef CM_CRYPT_MLDSA_INT_H
#define CM_CRYPT_MLDSA_INT_H
/*
 * Signing with ML-DSA (FIPS 204) several times as fast as the provider: four to eight hashes and
 * eight coefficients at a time. Only signing, and only where the processor has AVX2; keys, their
 * encodings and verification are the provider's.
 */
#include "crypt/sig_int.h"

enum { CM_MLDSA_N = 256, CM_MLDSA_Q = 8380417, CM_MLDSA_SK_MAX = 4896 };

typedef struct {
    int32_t c[CM_MLDSA_N];
} __attribute__((aligned(32))) cm_poly;

typedef struct {
    unsigned k, l, eta, tau, beta, gamma1_bits, omega, ctilde;
    int32_t gamma2;
} cm_mldsa_params;

/** Whether this machine, build and profile can. */
bool cm_mldsa_can_sign(const cm_sig_key *k);
/** The signature over mu. rnd: fresh randomness, or zeroes for the deterministic form. sig has room
 * for the algorithm's signature. CRYPT_PROVIDER if the key has no private half, NO_MEMORY. Time
 * depends on how many candidates were rejected, as FIPS 204 has it, and on nothing else secret. */
CM_MUST cm_err cm_mldsa_sign(const cm_sig_key *k, uint8_t *sig, const uint8_t *mu, cm_view ctx,
                             cm_view msg, const uint8_t rnd[32]);

/* ---- eight coefficients at a time (x86_64/mldsa_avx2.c) ---- */

/** Into the transform's domain: |out| < 9q for |in| < q. And back, times 2^32: |in| < q, |out| < q.
 */
void cm_mldsa_ntt_avx2(cm_poly *p);
void cm_mldsa_intt_avx2(cm_poly *p);
/** r = a b / 2^32, or r += a b / 2^32; each product below q. */
void cm_mldsa_mul_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b);
void cm_mldsa_mul_add_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b);
/** Into (-q, q), the middle representative but for a little; into [0, q). */
void cm_mldsa_reduce_avx2(cm_poly *p);
void cm_mldsa_positive_avx2(cm_poly *p);
void cm_mldsa_add_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b);
void cm_mldsa_sub_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b);
/** Whether all |p| are below bound. Constant time. */
bool cm_mldsa_below_avx2(const cm_poly *p, int32_t bound);
/** Algorithm 36: w in [0, q) into high and low bits. */
void cm_mldsa_decompose_avx2(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2);
/** Algorithm 39 on what low has become: h = 0 or 1. The number of ones. */
unsigned cm_mldsa_hint_avx2(cm_poly *h, const cm_poly *high, const cm_poly *low, int32_t gamma2);

#endif
