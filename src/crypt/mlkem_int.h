#ifndef CM_CRYPT_MLKEM_INT_H
#define CM_CRYPT_MLKEM_INT_H
/*
 * ML-KEM (FIPS 203) several times as fast as the provider: up to eight hashes and sixteen
 * coefficients at a time, and the expanded key at hand. The fips profile stays with the provider.
 */
#include "crypt/cpu.h"
#include "crypt/kem_int.h"

enum {
    CM_MLKEM_N = 256,
    CM_MLKEM_Q = 3329,
    CM_MLKEM_K_MAX = 4,
    CM_MLKEM_POLY = 384, /* a polynomial's bytes in keys */
    CM_MLKEM_HASH = 32,
};

typedef struct {
    int16_t c[CM_MLKEM_N];
} __attribute__((aligned(32))) cm_kpoly;

/* Where coefficient i of a transformed polynomial is. */
static inline size_t cm_mlkem_at(size_t i)
{
    return i % 16 * 16 + i / 16;
}

typedef struct {
    /* From |in| < q in order to the transform's domain, the middle representatives. */
    void (*ntt)(cm_kpoly *p);
    /* Back in order, times 2^16: |in| <= q, |out| < q. */
    void (*intt)(cm_kpoly *p);
    /* r = the sum over k of a[i step] b[i] / 2^16: |a| < q, b in the middle. */
    void (*dot)(cm_kpoly *r, const cm_kpoly *a, size_t step, const cm_kpoly *b, unsigned k);
    /* Times 2^16. */
    void (*lift)(cm_kpoly *p);
    void (*reduce)(cm_kpoly *p);
    void (*add)(cm_kpoly *r, const cm_kpoly *a);
} cm_mlkem_kernel;

/** NULL if this machine or build lacks it. */
const cm_mlkem_kernel *cm_mlkem_kernel_of(cm_cpu_kind kind);
cm_cpu_kind cm_mlkem_best(void);

/* Constant time, all of them. */
void cm_mlkem_ntt_portable(cm_kpoly *p);
void cm_mlkem_intt_portable(cm_kpoly *p);
void cm_mlkem_dot_portable(cm_kpoly *r, const cm_kpoly *a, size_t step, const cm_kpoly *b,
                           unsigned k);
void cm_mlkem_lift_portable(cm_kpoly *p);
void cm_mlkem_reduce_portable(cm_kpoly *p);
void cm_mlkem_add_portable(cm_kpoly *r, const cm_kpoly *a);
void cm_mlkem_ntt_avx2(cm_kpoly *p);
void cm_mlkem_intt_avx2(cm_kpoly *p);
void cm_mlkem_dot_avx2(cm_kpoly *r, const cm_kpoly *a, size_t step, const cm_kpoly *b, unsigned k);
void cm_mlkem_lift_avx2(cm_kpoly *p);
void cm_mlkem_reduce_avx2(cm_kpoly *p);
void cm_mlkem_add_avx2(cm_kpoly *r, const cm_kpoly *a);

typedef struct {
    unsigned k, eta1, du, dv;
} cm_mlkem_params;

/* A key, expanded; wiped when freed. */
struct cm_mlkem_own {
    const cm_mlkem_params *p;
    const cm_mlkem_kernel *f;
    uint8_t h[CM_MLKEM_HASH]; /* of the public key */
    uint8_t z[CM_MLKEM_HASH]; /* of a private one: of the rejection secret */
    cm_kpoly *t, *s, *a;      /* k; k, zero in a public key; k rows of k */
    cm_kpoly poly[];
};

/** k: 2, 3, 4. pk: where the public key goes. NO_MEMORY, and what hashing says. Constant time in
 * seed. */
CM_MUST cm_err cm_mlkem_own_seed(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c,
                                 unsigned k, const uint8_t seed[64], uint8_t *pk);
/** CRYPT_BAD_KEY unless every coefficient is below q (FIPS 203, 7.2). */
CM_MUST cm_err cm_mlkem_own_public(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c,
                                   unsigned k, const uint8_t *pk);
/** CRYPT_BAD_KEY for another length, a hash that is not the public key's (7.3), or coefficients
 * past q. */
CM_MUST cm_err cm_mlkem_own_expanded(cm_mlkem_own **out, cm_cpu_kind kind, const cm_crypt *c,
                                     unsigned k, cm_view dk, uint8_t *pk);
void cm_mlkem_own_free(cm_mlkem_own *o);
/** Algorithms 17 and 18. Constant time in m and ss; in the private key, ss and whether ct is
 * rejected. */
CM_MUST cm_err cm_mlkem_own_encap(const cm_mlkem_own *o, const cm_crypt *c, uint8_t *ct,
                                  uint8_t ss[32], const uint8_t m[32]);
CM_MUST cm_err cm_mlkem_own_decap(const cm_mlkem_own *o, const cm_crypt *c, uint8_t ss[32],
                                  const uint8_t *ct);

#endif
