/* What signing and verifying with ML-DSA share: parameters, bits, samplers, the expanded public
 * key.
 */
#include <stdatomic.h>

#include "crypt/keccak_mb.h"
#include "crypt/mldsa_int.h"

enum {
    GROUP = 8, /* of hashes side by side */
    SEED = 32,
    T1_BITS = 10,
    T0_BITS = 13,
    /* Six blocks of SHAKE128 hold 336 candidates for 256 coefficients, of which one in a thousand
     * is no good; two of SHAKE256 hold 264 for at most 60. */
    MATRIX_BYTES = 6 * 168,
    BALL_BYTES = 2 * 136,
};

const cm_mldsa_params *cm_mldsa_params_of(const cm_sig_key *k)
{
    static const cm_mldsa_params sets[] = {
        {4, 4, 2, 39, 78, 17, 80, 32, (CM_MLDSA_Q - 1) / 88},
        {6, 5, 4, 49, 196, 19, 55, 48, (CM_MLDSA_Q - 1) / 32},
        {8, 7, 2, 60, 120, 19, 75, 64, (CM_MLDSA_Q - 1) / 32},
    };

    return &sets[k->alg->info.id - CM_SIG_MLDSA44];
}

const cm_mldsa_kernel *cm_mldsa_kernel_of(cm_cpu_kind kind)
{
    static const cm_mldsa_kernel portable = {
        cm_mldsa_ntt_portable,       cm_mldsa_intt_portable,   cm_mldsa_mul_portable,
        cm_mldsa_mul_add_portable,   cm_mldsa_reduce_portable, cm_mldsa_positive_portable,
        cm_mldsa_decompose_portable, cm_mldsa_below_portable,
    };
#if defined(__x86_64__)
    static const cm_mldsa_kernel avx2 = {
        cm_mldsa_ntt_avx2,       cm_mldsa_intt_avx2,   cm_mldsa_mul_avx2,
        cm_mldsa_mul_add_avx2,   cm_mldsa_reduce_avx2, cm_mldsa_positive_avx2,
        cm_mldsa_decompose_avx2, cm_mldsa_below_avx2,
    };

    if (kind == CM_CPU_AVX2)
        return cm_cpu_has(kind) ? &avx2 : NULL;
#endif
    return kind == CM_CPU_PORTABLE ? &portable : NULL;
}

cm_cpu_kind cm_mldsa_best(void)
{
    return cm_cpu_has(CM_CPU_AVX2) ? CM_CPU_AVX2 : CM_CPU_PORTABLE;
}

/* ---- bits ---- */

void cm_mldsa_unpack(cm_poly *r, const uint8_t *p, unsigned bits, int32_t top)
{
    uint64_t have = 0;
    unsigned n = 0;

    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        for (; n < bits; n += 8)
            have |= (uint64_t)*p++ << n;
        r->c[i] = top - (int32_t)(have & ((1u << bits) - 1));
        have >>= bits;
        n -= bits;
    }
}

uint8_t *cm_mldsa_pack(uint8_t *p, const cm_poly *v, unsigned bits, int32_t top, int32_t sign)
{
    uint64_t have = 0;
    unsigned n = 0;

    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        have |= (uint64_t)(uint32_t)(top + sign * v->c[i]) << n;
        for (n += bits; n >= 8; n -= 8, have >>= 8)
            *p++ = (uint8_t)have;
    }
    return p;
}

/* ---- samplers ---- */

/* Algorithm 30 on bytes that were squeezed before. */
static bool sample_uniform(cm_poly *r, const uint8_t *p)
{
    size_t n = 0;

    for (size_t i = 0; i < MATRIX_BYTES && n < CM_MLDSA_N; i += 3) {
        int32_t v = p[i] | p[i + 1] << 8 | (p[i + 2] & 0x7f) << 16;

        r->c[n] = v;
        n += v < CM_MLDSA_Q;
    }
    return n == CM_MLDSA_N;
}

/* Polynomials first to first + n - 1 of the matrix. */
static bool expand_some(cm_poly *a, const cm_mldsa_params *p, const uint8_t *rho, unsigned first,
                        unsigned n)
{
    uint8_t seed[GROUP][SEED + 2], bytes[GROUP][MATRIX_BYTES], *out[GROUP] = {0};
    const uint8_t *in[GROUP] = {0};
    bool good = true;

    for (unsigned i = 0; i < n; i++) {
        memcpy(seed[i], rho, SEED);
        seed[i][SEED] = (uint8_t)((first + i) % p->l);
        seed[i][SEED + 1] = (uint8_t)((first + i) / p->l);
        in[i] = seed[i];
        out[i] = bytes[i];
    }
    cm_keccak_mb(CM_KECCAK_SHAKE128, out, MATRIX_BYTES, in, sizeof seed[0], n);
    for (unsigned i = 0; i < n; i++)
        good &= sample_uniform(&a[first + i], bytes[i]);
    return good;
}

/* Algorithm 32. */
static bool expand_matrix(cm_poly *a, const cm_mldsa_params *p, const uint8_t *rho)
{
    unsigned all = p->k * p->l;
    bool good = true;

    for (unsigned i = 0; i < all; i += GROUP)
        good &= expand_some(a, p, rho, i, CM_MIN(all - i, (unsigned)GROUP));
    return good;
}

cm_err cm_mldsa_ball(cm_poly *c, const cm_crypt *crypt, const cm_mldsa_params *p,
                     const uint8_t *ctilde)
{
    uint8_t b[BALL_BYTES];
    uint64_t signs;
    size_t at = 8;

    CM_TRY(cm_shake(crypt, 256, b, sizeof b, cm_view_of(ctilde, p->ctilde)));
    signs = cm_get_le64(b);
    memset(c, 0, sizeof *c);
    for (size_t i = CM_MLDSA_N - p->tau; i < CM_MLDSA_N; i++, signs >>= 1) {
        while (at < sizeof b && b[at] > i)
            at++;
        if (at == sizeof b)
            return CM_FAIL(CRYPT_PROVIDER);
        c->c[i] = c->c[b[at]];
        c->c[b[at++]] = 1 - 2 * (int32_t)(signs & 1);
    }
    return CM_OKAY;
}

/* ---- the public key, expanded ---- */

/* Filled in when a key is used a second time: one that verifies once isn't worth the memory. */
struct cm_mldsa_cache {
    _Atomic unsigned uses;
    _Atomic(cm_mldsa_expanded *) x;
};

cm_err cm_mldsa_cache_new(cm_mldsa_cache **out)
{
    return cm_alloc(out, sizeof **out);
}

void cm_mldsa_cache_free(cm_mldsa_cache *c)
{
    if (c)
        cm_free(atomic_load(&c->x));
    cm_free(c);
}

/* Algorithm 23, and t1 2^13 with its sign turned, so that w' is one sum of products. */
static cm_err expand(cm_mldsa_expanded **out, const cm_sig_key *k, cm_cpu_kind kind)
{
    const cm_mldsa_params *p = cm_mldsa_params_of(k);
    const cm_mldsa_kernel *f = cm_mldsa_kernel_of(kind);
    cm_view pk = cm_sig_public(k);
    CM_AUTO(cm_free_ptr) cm_mldsa_expanded *x = NULL;
    const uint8_t *t1 = pk.p + SEED;

    CM_TRY(cm_alloc_page(&x, sizeof *x + p->k * p->l * sizeof(cm_poly)));
    CM_TRY(cm_shake(k->crypt, 256, x->tr, sizeof x->tr, pk));
    for (unsigned i = 0; i < p->k; i++, t1 += 32 * T1_BITS) {
        cm_mldsa_unpack(&x->t1[i], t1, T1_BITS, 0);
        for (size_t j = 0; j < CM_MLDSA_N; j++)
            x->t1[i].c[j] *= 1 << T0_BITS;
        f->ntt(&x->t1[i]);
    }
    if (!expand_matrix(x->a, p, pk.p))
        return CM_FAIL(CRYPT_PROVIDER);
    *out = x;
    x = NULL;
    return CM_OKAY;
}

cm_err cm_mldsa_borrow(cm_mldsa_lent *lent, const cm_sig_key *k, cm_cpu_kind kind)
{
    cm_mldsa_cache *c = kind == cm_mldsa_best() ? k->expanded : NULL;
    cm_mldsa_expanded *x = c ? atomic_load_explicit(&c->x, memory_order_acquire) : NULL,
                      *none = NULL;

    if (!x) {
        CM_TRY(expand(&x, k, kind));
        lent->own = x;
        if (c && atomic_fetch_add_explicit(&c->uses, 1, memory_order_relaxed) > 0 &&
            atomic_compare_exchange_strong(&c->x, &none, x))
            lent->own = NULL;
    }
    lent->x = x;
    return CM_OKAY;
}

void cm_mldsa_unborrow(cm_mldsa_lent *lent)
{
    cm_free(lent->own);
}
