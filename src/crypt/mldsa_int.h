#ifndef CM_CRYPT_MLDSA_INT_H
#define CM_CRYPT_MLDSA_INT_H
/*
 * ML-DSA (FIPS 204) several times as fast as the provider: four to eight hashes and eight
 * coefficients at a time. Signing where the processor has AVX2, verification everywhere; keys and
 * their encodings are the provider's, and so is all of it in the fips profile.
 */
#include "crypt/cpu.h"
#include "crypt/sig_int.h"

enum {
    CM_MLDSA_N = 256,
    CM_MLDSA_Q = 8380417,
    CM_MLDSA_SK_MAX = 4896,
    CM_MLDSA_K_MAX = 8,
    CM_MLDSA_L_MAX = 7,
    CM_MLDSA_W1_MAX = 1024,
};

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

/** CRYPT_SIGNATURE for a signature that FIPS 204 refuses: length, form of the hint, bound of z,
 * challenge. mu NULL: over ctx and msg. Time depends on public bytes and msg's length. Any thread.
 */
CM_MUST cm_err cm_mldsa_verify(const cm_sig_key *k, const uint8_t *mu, cm_view ctx, cm_view msg,
                               cm_view sig);
/** The same on one kind of kernel, which cm_mldsa_kernel_of() has; without the key's cache if it
 * isn't the best. */
CM_MUST cm_err cm_mldsa_verify_on(cm_cpu_kind kind, const cm_sig_key *k, const uint8_t *mu,
                                  cm_view ctx, cm_view msg, cm_view sig);

/* ---- what both share (mldsa_parts.c) ---- */

const cm_mldsa_params *cm_mldsa_params_of(const cm_sig_key *k);
/** 256 numbers of so many bits, least significant first: top - number. And top + sign * number
 * back; returns where it ended. */
void cm_mldsa_unpack(cm_poly *r, const uint8_t *p, unsigned bits, int32_t top);
uint8_t *cm_mldsa_pack(uint8_t *p, const cm_poly *v, unsigned bits, int32_t top, int32_t sign);
/** Algorithm 29. The challenge of a rejected attempt says nothing about the key. */
CM_MUST cm_err cm_mldsa_ball(cm_poly *c, const cm_crypt *crypt, const cm_mldsa_params *p,
                             const uint8_t *ctilde);

/** Of a public key: its hash, -t1 2^13 and the k rows of l of the matrix, transformed. */
typedef struct {
    cm_poly t1[CM_MLDSA_K_MAX];
    uint8_t tr[CM_SIG_MU];
    cm_poly a[];
} cm_mldsa_expanded;
typedef struct {
    const cm_mldsa_expanded *x;
    cm_mldsa_expanded *own; /* not the key's */
} cm_mldsa_lent;

CM_MUST cm_err cm_mldsa_cache_new(cm_mldsa_cache **out);
void cm_mldsa_cache_free(cm_mldsa_cache *c);
/** k's, which keeps it from its second use on; NO_MEMORY. Any thread; unborrow before k goes. */
CM_MUST cm_err cm_mldsa_borrow(cm_mldsa_lent *lent, const cm_sig_key *k, cm_cpu_kind kind);
void cm_mldsa_unborrow(cm_mldsa_lent *lent);

/** What the verifier needs of a kernel; NULL if this machine or build lacks it. */
typedef struct {
    void (*ntt)(cm_poly *p);
    void (*intt)(cm_poly *p);
    void (*mul)(cm_poly *r, const cm_poly *a, const cm_poly *b);
    void (*mul_add)(cm_poly *r, const cm_poly *a, const cm_poly *b);
    void (*reduce)(cm_poly *p);
    void (*positive)(cm_poly *p);
    void (*decompose)(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2);
    bool (*below)(const cm_poly *p, int32_t bound);
} cm_mldsa_kernel;
const cm_mldsa_kernel *cm_mldsa_kernel_of(cm_cpu_kind kind);
cm_cpu_kind cm_mldsa_best(void);

/* One at a time (mldsa_portable.c), with the contracts of those below. */
void cm_mldsa_ntt_portable(cm_poly *p);
void cm_mldsa_intt_portable(cm_poly *p);
void cm_mldsa_mul_portable(cm_poly *r, const cm_poly *a, const cm_poly *b);
void cm_mldsa_mul_add_portable(cm_poly *r, const cm_poly *a, const cm_poly *b);
void cm_mldsa_reduce_portable(cm_poly *p);
void cm_mldsa_positive_portable(cm_poly *p);
bool cm_mldsa_below_portable(const cm_poly *p, int32_t bound);
void cm_mldsa_decompose_portable(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2);

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
