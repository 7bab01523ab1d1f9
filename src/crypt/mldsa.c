/* Signing with ML-DSA: FIPS 204, algorithm 7. */
#include "crypt/mldsa_int.h"

#include <openssl/core_names.h>

#include "crypt/keccak_mb.h"

#if defined(__x86_64__)

enum {
    K_MAX = CM_MLDSA_K_MAX,
    L_MAX = CM_MLDSA_L_MAX,
    SEED = 32,
    RHO2 = 64,
    T0_BITS = 13,
    MASK_MAX = 640,
    ATTEMPTS = 1 << 12, /* fewer than one key in 2^1000 needs them */
};

/* All that one signature takes; wiped but for what is public. */
typedef struct {
    const cm_mldsa_params *p;
    const cm_crypt *crypt;
    cm_poly s1[L_MAX], s2[K_MAX], t0[K_MAX];
    cm_poly y[L_MAX], z[L_MAX], w[K_MAX], w1[K_MAX], hint[K_MAX], c, t;
    uint8_t sk[CM_MLDSA_SK_MAX], mu[CM_SIG_MU], rho2[RHO2];
    uint8_t w1_bytes[CM_MLDSA_W1_MAX], ctilde[64], mask[L_MAX][MASK_MAX];
    const cm_poly *a; /* k rows of l */
} signing;

static void done_signing(signing **s)
{
    if (*s)
        cm_wipe(*s, sizeof **s);
    cm_free(*s);
}

/* ---- the key ---- */

/* Algorithm 25, and into the transform's domain. The provider's own encoding: it is well-formed. */
static void read_secret(signing *s)
{
    const cm_mldsa_params *p = s->p;
    unsigned bits = p->eta == 2 ? 3 : 4;
    const uint8_t *at = s->sk + (size_t)2 * SEED + CM_SIG_MU;

    for (unsigned i = 0; i < p->l; i++, at += 32 * bits) {
        cm_mldsa_unpack(&s->s1[i], at, bits, (int32_t)p->eta);
        cm_mldsa_ntt_avx2(&s->s1[i]);
    }
    for (unsigned i = 0; i < p->k; i++, at += 32 * bits) {
        cm_mldsa_unpack(&s->s2[i], at, bits, (int32_t)p->eta);
        cm_mldsa_ntt_avx2(&s->s2[i]);
    }
    for (unsigned i = 0; i < p->k; i++, at += (size_t)32 * T0_BITS) {
        cm_mldsa_unpack(&s->t0[i], at, T0_BITS, 1 << (T0_BITS - 1));
        cm_mldsa_ntt_avx2(&s->t0[i]);
    }
}

/* ---- one attempt ---- */

/* Algorithm 34. */
static void expand_mask(signing *s, unsigned kappa)
{
    uint8_t seed[L_MAX][RHO2 + 2], *out[L_MAX] = {0};
    const uint8_t *in[L_MAX] = {0};
    unsigned bits = s->p->gamma1_bits + 1;

    for (unsigned i = 0; i < s->p->l; i++) {
        memcpy(seed[i], s->rho2, RHO2);
        seed[i][RHO2] = (uint8_t)(kappa + i);
        seed[i][RHO2 + 1] = (uint8_t)((kappa + i) >> 8);
        in[i] = seed[i];
        out[i] = s->mask[i];
    }
    cm_keccak_mb(CM_KECCAK_SHAKE256, out, (size_t)32 * bits, in, sizeof seed[0], s->p->l);
    for (unsigned i = 0; i < s->p->l; i++)
        cm_mldsa_unpack(&s->y[i], s->mask[i], bits, 1 << s->p->gamma1_bits);
    cm_wipe(seed, sizeof seed);
}

/* w = A y; low bits stay in w, high bits go to w1 and, encoded, under the commitment's hash. */
static cm_err commit(signing *s)
{
    const cm_mldsa_params *p = s->p;
    cm_view parts[] = {CM_VIEW(s->mu), cm_view_of(s->w1_bytes, 0)};
    uint8_t *at = s->w1_bytes;

    for (unsigned i = 0; i < p->l; i++) {
        s->z[i] = s->y[i];
        cm_mldsa_ntt_avx2(&s->z[i]);
    }
    for (unsigned i = 0; i < p->k; i++) {
        cm_mldsa_mul_avx2(&s->t, &s->a[i * p->l], &s->z[0]);
        for (unsigned j = 1; j < p->l; j++)
            cm_mldsa_mul_add_avx2(&s->t, &s->a[i * p->l + j], &s->z[j]);
        cm_mldsa_reduce_avx2(&s->t);
        cm_mldsa_intt_avx2(&s->t);
        cm_mldsa_positive_avx2(&s->t);
        cm_mldsa_decompose_avx2(&s->w1[i], &s->w[i], &s->t, p->gamma2);
        at = cm_mldsa_pack(at, &s->w1[i], p->gamma2 == (CM_MLDSA_Q - 1) / 32 ? 4 : 6, 0, 1);
    }
    parts[1].n = (size_t)(at - s->w1_bytes);
    return cm_shake_parts(s->crypt, 256, s->ctilde, p->ctilde, parts, CM_COUNT(parts));
}

/* s->t = c times v. */
static void times_c(signing *s, const cm_poly *v)
{
    cm_mldsa_mul_avx2(&s->t, &s->c, v);
    cm_mldsa_intt_avx2(&s->t);
}

static bool respond(signing *s)
{
    for (unsigned i = 0; i < s->p->l; i++) {
        times_c(s, &s->s1[i]);
        cm_mldsa_add_avx2(&s->z[i], &s->y[i], &s->t);
        cm_mldsa_reduce_avx2(&s->z[i]);
        if (!cm_mldsa_below_avx2(&s->z[i], (1 << s->p->gamma1_bits) - (int32_t)s->p->beta))
            return false;
    }
    for (unsigned i = 0; i < s->p->k; i++) {
        times_c(s, &s->s2[i]);
        cm_mldsa_sub_avx2(&s->w[i], &s->w[i], &s->t);
        cm_mldsa_reduce_avx2(&s->w[i]);
        if (!cm_mldsa_below_avx2(&s->w[i], s->p->gamma2 - (int32_t)s->p->beta))
            return false;
    }
    return true;
}

static bool hint(signing *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->p->k; i++) {
        times_c(s, &s->t0[i]);
        cm_mldsa_reduce_avx2(&s->t);
        if (!cm_mldsa_below_avx2(&s->t, s->p->gamma2))
            return false;
        cm_mldsa_add_avx2(&s->w[i], &s->w[i], &s->t);
        n += cm_mldsa_hint_avx2(&s->hint[i], &s->w1[i], &s->w[i], s->p->gamma2);
    }
    return n <= s->p->omega;
}

/* Algorithms 26 and 20. */
static void encode(const signing *s, uint8_t *sig)
{
    const cm_mldsa_params *p = s->p;
    size_t n = 0;

    memcpy(sig, s->ctilde, p->ctilde);
    sig += p->ctilde;
    for (unsigned i = 0; i < p->l; i++)
        sig = cm_mldsa_pack(sig, &s->z[i], p->gamma1_bits + 1, 1 << p->gamma1_bits, -1);
    memset(sig, 0, p->omega + p->k);
    for (unsigned i = 0; i < p->k; i++) {
        for (size_t j = 0; j < CM_MLDSA_N; j++)
            if (s->hint[i].c[j])
                sig[n++] = (uint8_t)j;
        sig[p->omega + i] = (uint8_t)n;
    }
}

static cm_err attempt_all(signing *s, uint8_t *sig)
{
    const cm_mldsa_params *p = s->p;

    for (unsigned i = 0; i < ATTEMPTS; i++) {
        expand_mask(s, i * p->l);
        CM_TRY(commit(s));
        CM_TRY(cm_mldsa_ball(&s->c, s->crypt, p, s->ctilde));
        cm_mldsa_ntt_avx2(&s->c);
        if (respond(s) && hint(s)) {
            encode(s, sig);
            return CM_OKAY;
        }
    }
    return CM_FAIL(CRYPT_PROVIDER);
}

/* ---- whole ---- */

bool cm_mldsa_can_sign(const cm_sig_key *k)
{
    return k->crypt->profile != CM_PROFILE_FIPS && cm_cpu_has(CM_CPU_AVX2);
}

static cm_err make_mu(signing *s, const uint8_t *mu, cm_view ctx, cm_view msg)
{
    const uint8_t head[2] = {0, (uint8_t)ctx.n};
    cm_view parts[] = {cm_view_of(s->sk + (size_t)2 * SEED, CM_SIG_MU), CM_VIEW(head), ctx, msg};

    if (mu)
        memcpy(s->mu, mu, CM_SIG_MU);
    else
        CM_TRY(cm_shake_parts(s->crypt, 256, s->mu, CM_SIG_MU, parts, CM_COUNT(parts)));
    return CM_OKAY;
}

cm_err cm_mldsa_sign(const cm_sig_key *k, uint8_t *sig, const uint8_t *mu, cm_view ctx, cm_view msg,
                     const uint8_t rnd[32])
{
    CM_AUTO(cm_mldsa_unborrow) cm_mldsa_lent lent = {0};
    CM_AUTO(done_signing) signing *s = NULL;
    cm_view parts[3];
    size_t n = 0;

    CM_TRY(cm_mldsa_borrow(&lent, k, CM_CPU_AVX2));
    CM_TRY(cm_alloc_page(&s, sizeof *s));
    s->p = cm_mldsa_params_of(k);
    s->a = lent.x->a;
    s->crypt = k->crypt;
    CM_TRY_SSL(EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, s->sk,
                                               sizeof s->sk, &n));
    CM_TRY(make_mu(s, mu, ctx, msg));
    parts[0] = cm_view_of(s->sk + SEED, SEED);
    parts[1] = cm_view_of(rnd, 32);
    parts[2] = CM_VIEW(s->mu);
    CM_TRY(cm_shake_parts(k->crypt, 256, s->rho2, sizeof s->rho2, parts, CM_COUNT(parts)));
    read_secret(s);
    return attempt_all(s, sig);
}

#else

bool cm_mldsa_can_sign(const cm_sig_key *k)
{
    (void)k;
    return false;
}

cm_err cm_mldsa_sign(const cm_sig_key *k, uint8_t *sig, const uint8_t *mu, cm_view ctx, cm_view msg,
                     const uint8_t rnd[32])
{
    (void)k, (void)sig, (void)mu, (void)ctx, (void)msg, (void)rnd;
    return CM_FAIL(CRYPT_PROVIDER);
}

#endif
