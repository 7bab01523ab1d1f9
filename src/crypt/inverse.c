/* Inverses modulo a prime by the division steps of Bernstein and Yang ("Fast constant-time gcd
 * computation and modular inversion", 2019), in variable time and in constant time: 62 or 59 steps
 * at a time are a matrix of small numbers, computed from the lowest limbs alone and then applied to
 * the whole numbers. */
#include "crypt/secp_int.h"

__extension__ typedef __int128 wide;

enum { LIMBS = 5, BITS = 62, ROUNDS = 10 }; /* 590 steps are enough for 256 bits */
#define LOW (((uint64_t)1 << BITS) - 1)

/* Two's complement in limbs of 62 bits; the top one has the sign. */
typedef struct {
    int64_t v[LIMBS];
} num62;

/* 2^62 times what the steps did: (f, g) becomes (u f + v g, q f + r g) / 2^62. */
typedef struct {
    int64_t u, v, q, r;
} steps;

static num62 unpack(const cm_p256_num *x)
{
    const uint64_t *v = x->v;

    return (num62){{(int64_t)(v[0] & LOW), (int64_t)((v[0] >> 62 | v[1] << 2) & LOW),
                    (int64_t)((v[1] >> 60 | v[2] << 4) & LOW),
                    (int64_t)((v[2] >> 58 | v[3] << 6) & LOW), (int64_t)(v[3] >> 56)}};
}

static cm_p256_num pack(const num62 *x)
{
    const int64_t *v = x->v;

    return (cm_p256_num){
        {(uint64_t)v[0] | (uint64_t)v[1] << 62, (uint64_t)v[1] >> 2 | (uint64_t)v[2] << 60,
         (uint64_t)v[2] >> 4 | (uint64_t)v[3] << 58, (uint64_t)v[3] >> 6 | (uint64_t)v[4] << 56}};
}

/* eta is minus the paper's delta. Where it is not negative, its f may be added to g so often as to
 * clear several low bits at once: the multiple of f that clears k <= 6 of them is -g/f mod 2^k, and
 * f (f^2 - 2) is -1/f mod 64 for odd f. */
static int64_t step62(steps *t, int64_t eta, uint64_t f, uint64_t g)
{
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = BITS;

    for (;;) {
        int zeros = __builtin_ctzll(g | UINT64_MAX << left), most;
        uint64_t w;

        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (eta < 0) {
            uint64_t was = f, was_u = u, was_v = v;

            eta = -eta;
            f = g, g = 0 - was;
            u = q, q = 0 - was_u;
            v = r, r = 0 - was_v;
        }
        most = (int)CM_MIN(CM_MIN(eta + 1, (int64_t)left), (int64_t)6);
        w = f * (f * f - 2) * g & (((uint64_t)1 << most) - 1);
        g += f * w;
        q += u * w;
        r += v * w;
    }
    *t = (steps){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return eta;
}

/* Exact: the low 62 bits of both sums are 0. */
static void apply(num62 *f, num62 *g, const steps *t)
{
    wide a = (wide)t->u * f->v[0] + (wide)t->v * g->v[0];
    wide b = (wide)t->q * f->v[0] + (wide)t->r * g->v[0];

    for (int i = 1; i < LIMBS; i++) {
        a = (a >> BITS) + (wide)t->u * f->v[i] + (wide)t->v * g->v[i];
        b = (b >> BITS) + (wide)t->q * f->v[i] + (wide)t->r * g->v[i];
        f->v[i - 1] = (int64_t)((uint64_t)a & LOW);
        g->v[i - 1] = (int64_t)((uint64_t)b & LOW);
    }
    f->v[LIMBS - 1] = (int64_t)(a >> BITS);
    g->v[LIMBS - 1] = (int64_t)(b >> BITS);
}

/* (x d + y e + k m) / 2^62 with the k that makes it exact and keeps it in (-2m, m), where d and e
 * are: those below 0 get m added, after which |x| + |y| <= 2^62 does it. */
static num62 apply_mod(int64_t x, int64_t y, const num62 *d, const num62 *e, const num62 *m,
                       uint64_t inverse)
{
    int64_t k = (d->v[LIMBS - 1] >> 63 & x) + (e->v[LIMBS - 1] >> 63 & y);
    wide a = (wide)x * d->v[0] + (wide)y * e->v[0];
    num62 out;

    k -= (int64_t)((inverse * (uint64_t)a + (uint64_t)k) & LOW);
    a += (wide)k * m->v[0];
    for (int i = 1; i < LIMBS; i++) {
        a = (a >> BITS) + (wide)x * d->v[i] + (wide)y * e->v[i] + (wide)k * m->v[i];
        out.v[i - 1] = (int64_t)((uint64_t)a & LOW);
    }
    out.v[LIMBS - 1] = (int64_t)(a >> BITS);
    return out;
}

/* x * sign + k * m */
static void adjust(num62 *x, int64_t sign, int64_t k, const num62 *m)
{
    int64_t carry = 0;

    for (int i = 0; i < LIMBS; i++) {
        carry += x->v[i] * sign + m->v[i] * k;
        x->v[i] = i + 1 < LIMBS ? (int64_t)((uint64_t)carry & LOW) : carry;
        carry >>= BITS;
    }
}

static bool is_zero(const num62 *x)
{
    return (x->v[0] | x->v[1] | x->v[2] | x->v[3] | x->v[4]) == 0;
}

/* The same with every step alike: the form of the paper's section 8 that starts from 1/2, where
 * zeta is -(delta + 1/2). 59 steps, and 8 for 1, make the matrix one of 62. */
static int64_t step59(steps *t, int64_t zeta, uint64_t f, uint64_t g)
{
    uint64_t u = 8, v = 0, q = 0, r = 8;

    for (int i = 3; i < BITS; i++) {
        uint64_t swaps = (uint64_t)(zeta >> 63), odd = 0 - (g & 1);

        g += ((f ^ swaps) - swaps) & odd;
        q += ((u ^ swaps) - swaps) & odd;
        r += ((v ^ swaps) - swaps) & odd;
        swaps &= odd;
        zeta = (int64_t)((uint64_t)zeta ^ swaps) - 1;
        f += g & swaps;
        u += q & swaps;
        v += r & swaps;
        g >>= 1;
        u <<= 1;
        v <<= 1;
    }
    *t = (steps){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return zeta;
}

/* One inversion under way. */
typedef struct {
    const cm_p256_modulus *m;
    num62 mod, f, g, d, e;
    int64_t zeta;
} inversion;

static void begin(inversion *i, const cm_p256_num *x, const cm_p256_modulus *m)
{
    num62 mod = unpack(&m->m);

    *i = (inversion){.m = m, .mod = mod, .f = mod, .g = unpack(x), .e = {{1}}, .zeta = -1};
}

static void advance(inversion *i, const steps *t)
{
    num62 d = i->d;

    i->d = apply_mod(t->u, t->v, &d, &i->e, &i->mod, i->m->inverse62);
    i->e = apply_mod(t->q, t->r, &d, &i->e, &i->mod, i->m->inverse62);
    apply(&i->f, &i->g, t);
    cm_wipe(&d, sizeof d);
}

/* f is 1 or -1 by now, or m for x = 0; and d between -2m and m. */
static cm_p256_num end(inversion *i)
{
    cm_p256_num out;

    adjust(&i->d, 1, i->d.v[LIMBS - 1] >> 63 & 1, &i->mod);
    adjust(&i->d, i->f.v[LIMBS - 1] >> 63 | 1, 0, &i->mod);
    adjust(&i->d, 1, i->d.v[LIMBS - 1] >> 63 & 1, &i->mod);
    out = pack(&i->d);
    cm_wipe(i, sizeof *i);
    return out;
}

cm_p256_num cm_p256_inverse(const cm_p256_num *x, const cm_p256_modulus *m)
{
    inversion i;
    steps t;

    begin(&i, x, m);
    for (int n = 0; n < ROUNDS; n++) {
        i.zeta = step59(&t, i.zeta, (uint64_t)i.f.v[0], (uint64_t)i.g.v[0]);
        advance(&i, &t);
    }
    cm_wipe(&t, sizeof t);
    return end(&i);
}

#if defined(__x86_64__)
/* The steps of one are a chain in which each waits for the one before, so those of two take hardly
 * longer. */
void cm_p256_inverse_two(cm_p256_num out[2], const cm_p256_num x[2],
                         const cm_p256_modulus *const m[2])
{
    inversion a, b;
    cm_secp_steps s;

    begin(&a, &x[0], m[0]);
    begin(&b, &x[1], m[1]);
    for (int n = 0; n < ROUNDS; n++) {
        s = (cm_secp_steps){
            .zeta = {a.zeta, b.zeta}, .f = {a.f.v[0], b.f.v[0]}, .g = {a.g.v[0], b.g.v[0]}};
        cm_secp_steps_ifma(&s);
        a.zeta = s.zeta[0];
        b.zeta = s.zeta[1];
        advance(&a, &(steps){s.u[0], s.v[0], s.q[0], s.r[0]});
        advance(&b, &(steps){s.u[1], s.v[1], s.q[1], s.r[1]});
    }
    cm_wipe(&s, sizeof s);
    out[0] = end(&a);
    out[1] = end(&b);
}
#endif

/* When g is 0, f is 1 or -1 (or m, for x = 0) and d * f the inverse. */
cm_p256_num cm_p256_inverse_var(const cm_p256_num *x, const cm_p256_modulus *m)
{
    num62 mod = unpack(&m->m), f = mod, g = unpack(x), d = {{0}}, e = {{1}}, was;
    int64_t eta = -1;

    while (!is_zero(&g)) {
        steps t;

        eta = step62(&t, eta, (uint64_t)f.v[0], (uint64_t)g.v[0]);
        was = d;
        d = apply_mod(t.u, t.v, &was, &e, &mod, m->inverse62);
        e = apply_mod(t.q, t.r, &was, &e, &mod, m->inverse62);
        apply(&f, &g, &t);
    }
    if (d.v[LIMBS - 1] < 0)
        adjust(&d, 1, 1, &mod); /* (-m, m) */
    if (f.v[LIMBS - 1] < 0)
        adjust(&d, -1, 0, &mod);
    if (d.v[LIMBS - 1] < 0)
        adjust(&d, 1, 1, &mod);
    return pack(&d);
}
