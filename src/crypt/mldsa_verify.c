/* Verifying with ML-DSA: FIPS 204, algorithm 8. All of it is public but the message. */
#include "crypt/mldsa_int.h"

typedef struct {
    const cm_mldsa_params *p;
    const cm_mldsa_kernel *f;
    const cm_mldsa_expanded *x;
    const uint8_t *hints; /* omega positions, then where each row's end */
    cm_poly z[CM_MLDSA_L_MAX], c, t, high, low;
    uint8_t mu[CM_SIG_MU], ctilde[CM_SIG_MU], w1[CM_MLDSA_W1_MAX];
} verifying;

/* Algorithm 21: positions of a row ascend and the rest is zero, so that one hint has one form. */
static bool hints_are_formed(const uint8_t *y, const cm_mldsa_params *p)
{
    size_t at = 0;

    for (size_t i = 0; i < p->k; i++) {
        size_t first = at, end = y[p->omega + i];

        if (end < at || end > p->omega)
            return false;
        for (; at < end; at++)
            if (at > first && y[at - 1] >= y[at])
                return false;
    }
    for (; at < p->omega; at++)
        if (y[at] != 0)
            return false;
    return true;
}

/* Algorithm 27, and the bound on z. */
static bool decode(verifying *v, const uint8_t *sig)
{
    const cm_mldsa_params *p = v->p;
    unsigned bits = p->gamma1_bits + 1;
    int32_t bound = (1 << p->gamma1_bits) - (int32_t)p->beta;
    const uint8_t *at = sig + p->ctilde;

    v->hints = at + (size_t)p->l * 32 * bits;
    if (!hints_are_formed(v->hints, p))
        return false;
    for (unsigned i = 0; i < p->l; i++, at += (size_t)32 * bits) {
        cm_mldsa_unpack(&v->z[i], at, bits, 1 << p->gamma1_bits);
        if (!v->f->below(&v->z[i], bound))
            return false;
        v->f->ntt(&v->z[i]);
    }
    return true;
}

/* Algorithm 40: where row i has a hint, the next class on the side that the low bits are on. */
static void use_hints(verifying *v, unsigned i)
{
    const cm_mldsa_params *p = v->p;
    const uint8_t *end = v->hints + p->omega;
    int32_t classes = (CM_MLDSA_Q - 1) / (2 * p->gamma2);

    for (size_t j = i > 0 ? end[i - 1] : 0; j < end[i]; j++) {
        int32_t *h = &v->high.c[v->hints[j]];

        *h += v->low.c[v->hints[j]] > 0 ? 1 : -1;
        if (*h == classes)
            *h = 0;
        if (*h < 0)
            *h = classes - 1;
    }
}

/* Row i of A z - c t1 2^13, as the commitment that it must be. */
static uint8_t *commit_row(verifying *v, uint8_t *at, unsigned i)
{
    const cm_mldsa_params *p = v->p;
    const cm_poly *row = v->x->a + (size_t)i * p->l;

    v->f->mul(&v->t, &v->c, &v->x->t1[i]);
    for (unsigned j = 0; j < p->l; j++)
        v->f->mul_add(&v->t, &row[j], &v->z[j]);
    v->f->reduce(&v->t);
    v->f->intt(&v->t);
    v->f->positive(&v->t);
    v->f->decompose(&v->high, &v->low, &v->t, p->gamma2);
    use_hints(v, i);
    return cm_mldsa_pack(at, &v->high, p->gamma2 == (CM_MLDSA_Q - 1) / 32 ? 4 : 6, 0, 1);
}

static cm_err make_mu(verifying *v, const cm_crypt *c, const uint8_t *mu, cm_view ctx, cm_view msg)
{
    const uint8_t head[2] = {0, (uint8_t)ctx.n};
    cm_view parts[] = {CM_VIEW(v->x->tr), CM_VIEW(head), ctx, msg};

    if (ctx.n > CM_SIG_CTX_MAX)
        return CM_FAIL(CRYPT_CONTEXT_LONG);
    if (!mu)
        return cm_shake_parts(c, 256, v->mu, sizeof v->mu, parts, CM_COUNT(parts));
    memcpy(v->mu, mu, sizeof v->mu);
    return CM_OKAY;
}

static cm_err verify(verifying *v, const cm_crypt *c, cm_view sig)
{
    const cm_mldsa_params *p = v->p;
    cm_view parts[] = {CM_VIEW(v->mu), cm_view_of(v->w1, 0)};
    uint8_t *at = v->w1;

    if (!decode(v, sig.p))
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(cm_mldsa_ball(&v->c, c, p, sig.p));
    v->f->ntt(&v->c);
    for (unsigned i = 0; i < p->k; i++)
        at = commit_row(v, at, i);
    parts[1].n = (size_t)(at - v->w1);
    CM_TRY(cm_shake_parts(c, 256, v->ctilde, p->ctilde, parts, CM_COUNT(parts)));
    if (!cm_view_eq(cm_view_of(v->ctilde, p->ctilde), cm_view_sub(sig, 0, p->ctilde)))
        return CM_FAIL(CRYPT_SIGNATURE);
    return CM_OKAY;
}

cm_err cm_mldsa_verify_on(cm_cpu_kind kind, const cm_sig_key *k, const uint8_t *mu, cm_view ctx,
                          cm_view msg, cm_view sig)
{
    CM_AUTO(cm_mldsa_unborrow) cm_mldsa_lent lent = {0};
    CM_AUTO(cm_free_ptr) verifying *v = NULL;

    if (sig.n != k->alg->info.sig)
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(cm_mldsa_borrow(&lent, k, kind));
    CM_TRY(cm_alloc_page(&v, sizeof *v));
    v->p = cm_mldsa_params_of(k);
    v->f = cm_mldsa_kernel_of(kind);
    v->x = lent.x;
    CM_TRY(make_mu(v, k->crypt, mu, ctx, msg));
    return verify(v, k->crypt, sig);
}

cm_err cm_mldsa_verify(const cm_sig_key *k, const uint8_t *mu, cm_view ctx, cm_view msg,
                       cm_view sig)
{
    return cm_mldsa_verify_on(cm_mldsa_best(), k, mu, ctx, msg, sig);
}
