#include <pthread.h>

#include "crypt/cpu.h"
#include "crypt/p256_field.h"

enum {
    WINDOW = 7, /* bits of a digit, whose absolute value is 64 at most */
    DIGITS = 37,
    HALF = 1 << (WINDOW - 1)
};

_Static_assert(2 * DIGITS == CM_P256_TERMS, "digits of two scalars");

typedef cm_p256_point affine;

/* x / z^2, y / z^3; z = 0 is the point at infinity. */
typedef struct {
    fe x, y, z;
} jacobian;

/* multiple[i][j] is (j + 1) 2^(7 i) times the point. */
struct cm_p256_table {
    affine multiple[DIGITS][HALF];
};

static const cm_p256_modulus p_ = {{{UINT64_MAX, P1, 0, P3}}, 0x3fffffffffffffff};
static const cm_p256_modulus n_ = {
    {{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}},
    0x332e375511ff43b1};
#define N_INVERSE 0xccd1c8aaee00bc4full /* -n^-1 mod 2^64 */
static const cm_p256_num square_n = {   /* 2^512 mod n */
                                     {0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59,
                                      0x66e12d94f3d95620}};

/* In Montgomery form: 2^256 for numbers to come into it, 1, the curve's b, the generator. */
static const fe square_p = {{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}};
static const fe one = {{1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe}};
static const fe curve_b = {
    {0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6, 0xdc30061d04874834}};
static const affine generator = {
    {{0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6}},
    {{0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85}}};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cm_p256_table base_table; /* of the generator */

/* ---- numbers ------------------------------------------------------------------------------- */

static bool below(const cm_p256_num *x, const cm_p256_num *m)
{
    for (int i = 3; i >= 0; i--)
        if (x->v[i] != m->v[i])
            return x->v[i] < m->v[i];
    return false;
}

static bool is_zero(const cm_p256_num *x)
{
    return (x->v[0] | x->v[1] | x->v[2] | x->v[3]) == 0;
}

static cm_p256_num from_bytes(const uint8_t b[32])
{
    return (cm_p256_num){
        {cm_get_be64(b + 24), cm_get_be64(b + 16), cm_get_be64(b + 8), cm_get_be64(b)}};
}

/* Returns the carry. */
static uint64_t add(cm_p256_num *out, const cm_p256_num *x, const cm_p256_num *y)
{
    cm_u128 a = 0;

    for (int i = 0; i < 4; i++) {
        a = (a >> 64) + x->v[i] + y->v[i];
        out->v[i] = (uint64_t)a;
    }
    return (uint64_t)(a >> 64);
}

static void subtract(cm_p256_num *out, const cm_p256_num *x, const cm_p256_num *y)
{
    uint64_t borrow = 0;

    for (int i = 0; i < 4; i++) {
        cm_u128 a = (cm_u128)x->v[i] - y->v[i] - borrow;

        out->v[i] = (uint64_t)a;
        borrow = (uint64_t)(a >> 64) & 1;
    }
}

/* x y / 2^256 modulo the group's order. */
static cm_p256_num order_mul(const cm_p256_num *x, const cm_p256_num *y)
{
    uint64_t t[6] = {0};
    cm_p256_num out;

    for (int i = 0; i < 4; i++) {
        cm_u128 a = 0;
        uint64_t m;

        for (int j = 0; j < 4; j++) {
            a = (a >> 64) + (cm_u128)x->v[i] * y->v[j] + t[j];
            t[j] = (uint64_t)a;
        }
        a = (a >> 64) + t[4];
        t[4] = (uint64_t)a;
        t[5] = (uint64_t)(a >> 64);
        m = t[0] * N_INVERSE;
        a = (cm_u128)m * n_.m.v[0] + t[0];
        for (int j = 1; j < 4; j++) {
            a = (a >> 64) + (cm_u128)m * n_.m.v[j] + t[j];
            t[j - 1] = (uint64_t)a;
        }
        a = (a >> 64) + t[4];
        t[3] = (uint64_t)a;
        t[4] = t[5] + (uint64_t)(a >> 64);
    }
    out = (cm_p256_num){{t[0], t[1], t[2], t[3]}};
    if (t[4] || !below(&out, &n_.m))
        subtract(&out, &out, &n_.m);
    return out;
}

/* A field element's inverse: the Montgomery form loses its factor twice and gets it back. */
static void fe_inverse(fe *x)
{
    *x = cm_p256_inverse_var(x, &p_);
    fe_mul(x, x, &square_p);
    fe_mul(x, x, &square_p);
}

/* ---- points -------------------------------------------------------------------------------- */

/* 4 p is x q; the curve's a is -3. Infinity stays. */
static void twice(jacobian *p)
{
    fe delta, gamma, beta, alpha, t;

    fe_sqr(&delta, &p->z);
    fe_sqr(&gamma, &p->y);
    fe_mul(&beta, &p->x, &gamma);
    fe_sub(&alpha, &p->x, &delta);
    fe_add(&t, &p->x, &delta);
    fe_mul(&t, &alpha, &t);
    fe_add(&alpha, &t, &t);
    fe_add(&alpha, &alpha, &t);
    fe_add(&t, &p->y, &p->z);
    fe_sqr(&t, &t);
    fe_sub(&t, &t, &gamma);
    fe_sub(&p->z, &t, &delta);
    fe_add(&beta, &beta, &beta);
    fe_add(&beta, &beta, &beta); /* 4 x y^2 */
    fe_sqr(&t, &alpha);
    fe_sub(&t, &t, &beta);
    fe_sub(&p->x, &t, &beta);
    fe_sub(&t, &beta, &p->x);
    fe_mul(&t, &alpha, &t);
    fe_sqr(&gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma); /* 8 y^4 */
    fe_sub(&p->y, &t, &gamma);
}

/* p + q for neither of them infinity and p != q; p == -q gives z = 0, and so does p == q, which is
 * wrong. Once 0, z stays so. */
static inline void add_distinct(jacobian *p, const affine *q, bool negated)
{
    fe zz, u, s, h, r, hh, hhh, v;

    fe_sqr(&zz, &p->z);
    fe_mul(&u, &q->x, &zz);
    fe_mul(&s, &p->z, &zz);
    fe_mul(&s, &s, &q->y);
    fe_sub(&h, &u, &p->x);
    if (negated)
        fe_sub(&s, &(fe){{0}}, &s);
    fe_sub(&r, &s, &p->y);
    fe_mul(&p->z, &p->z, &h);
    fe_sqr(&hh, &h);
    fe_mul(&hhh, &hh, &h);
    fe_mul(&v, &p->x, &hh);
    fe_sqr(&p->x, &r);
    fe_sub(&p->x, &p->x, &hhh);
    fe_sub(&p->x, &p->x, &v);
    fe_sub(&p->x, &p->x, &v);
    fe_mul(&hhh, &hhh, &p->y);
    fe_sub(&v, &v, &p->x);
    fe_mul(&v, &v, &r);
    fe_sub(&p->y, &v, &hhh);
}

static void set(jacobian *p, const affine *q, bool negated)
{
    *p = (jacobian){q->x, q->y, one};
    if (negated)
        fe_sub(&p->y, &(fe){{0}}, &p->y);
}

/* p + q, whatever they are. */
static void add_any(jacobian *p, const affine *q, bool negated)
{
    jacobian sum = *p, other;

    set(&other, q, negated);
    if (fe_is_zero(&p->z)) {
        *p = other;
        return;
    }
    add_distinct(&sum, q, negated);
    if (fe_is_zero(&sum.z)) {
        fe zz, y;

        fe_sqr(&zz, &p->z);
        fe_mul(&y, &zz, &p->z);
        fe_mul(&y, &y, &other.y);
        if (fe_equal(&y, &p->y)) {
            twice(p);
            return;
        }
    }
    *p = sum;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* From Jacobian to affine with one inversion for all; none is infinity. */
static void to_affine(affine *out, const jacobian *p, size_t count)
{
    fe before[HALF], inverse = one, zi, zz;

    for (size_t i = 0; i < count; i++) {
        before[i] = inverse;
        fe_mul(&inverse, &inverse, &p[i].z);
    }
    fe_inverse(&inverse);
    for (size_t i = count; i-- > 0;) {
        fe_mul(&zi, &inverse, &before[i]);
        fe_mul(&inverse, &inverse, &p[i].z);
        fe_sqr(&zz, &zi);
        fe_mul(&out[i].x, &p[i].x, &zz);
        fe_mul(&zz, &zz, &zi);
        fe_mul(&out[i].y, &p[i].y, &zz);
    }
}

/* The order is prime and above 2^255, so that none of these multiples is infinity. */
static void fill(cm_p256_table *t, const affine *point)
{
    affine base = *point;
    jacobian p[HALF];

    for (int i = 0; i < DIGITS; i++) {
        set(&p[0], &base, false);
        for (int j = 1; j < HALF; j++) {
            p[j] = p[j - 1];
            add_any(&p[j], &base, false);
        }
        to_affine(t->multiple[i], p, HALF);
        set(&p[0], &t->multiple[i][HALF - 1], false);
        twice(&p[0]);
        to_affine(&base, p, 1);
    }
}

static void fill_base(void)
{
    fill(&base_table, &generator);
}

/* y^2 = x^3 - 3 x + b, and both below p. The curve has no other point of small order, and infinity
 * has no coordinates. */
static bool decode(affine *out, const uint8_t pk[65])
{
    fe left, right, t;
    affine a;

    a.x = from_bytes(pk + 1);
    a.y = from_bytes(pk + 33);
    if (pk[0] != 4 || !below(&a.x, &p_.m) || !below(&a.y, &p_.m))
        return false;
    fe_mul(&a.x, &a.x, &square_p);
    fe_mul(&a.y, &a.y, &square_p);
    fe_sqr(&left, &a.y);
    fe_sqr(&right, &a.x);
    fe_mul(&right, &right, &a.x);
    fe_add(&t, &a.x, &a.x);
    fe_add(&t, &t, &a.x);
    fe_sub(&right, &right, &t);
    fe_add(&right, &right, &curve_b);
    *out = a;
    return fe_equal(&left, &right);
}

cm_err cm_p256_table_new(cm_p256_table **out, const uint8_t pk[65])
{
    affine point;

    if (!decode(&point, pk)) /* K-11 */
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_alloc(out, sizeof **out));
    (void)pthread_once(&once, fill_base);
    fill(*out, &point);
    return CM_OKAY;
}

void cm_p256_table_free(cm_p256_table *t)
{
    cm_free(t);
}

void cm_p256_table_free_ptr(cm_p256_table **t)
{
    cm_p256_table_free(*t);
}

/* ---- verification -------------------------------------------------------------------------- */

/* Digits of the scalar between -64 and 64, each the number that seven bits and the one below them
 * stand for: Booth's recoding. */
static void select_multiples(cm_p256_terms *s, const cm_p256_table *t, const cm_p256_num *k)
{
    unsigned below_bit = 0;

    for (unsigned i = 0; i < DIGITS; i++) {
        unsigned at = WINDOW * i, limb = at / 64, shift = at % 64;
        uint64_t bits = k->v[limb] >> shift;
        int digit;

        if (shift > 64 - WINDOW && limb < 3)
            bits |= k->v[limb + 1] << (64 - shift);
        bits &= 2 * HALF - 1;
        digit = (int)(bits + below_bit) - (bits & HALF ? 2 * HALF : 0);
        below_bit = (bits & HALF) != 0;
        if (digit == 0)
            continue;
        s->negated[s->n] = digit < 0;
        s->point[s->n++] = &t->multiple[i][(digit < 0 ? -digit : digit) - 1];
    }
}

static void sum_portable(jacobian *out, const cm_p256_terms *s)
{
    set(out, s->point[0], s->negated[0]);
    for (size_t i = 1; i < s->n; i++)
        add_distinct(out, s->point[i], s->negated[i]);
}

#if defined(__x86_64__)
/* From 16 times the form here, below 2^256, to the form. */
static void from_kernel(fe *out, const cm_p256_num *x)
{
    static const fe sixteenth = {{0, 0, 0, 1ull << 60}}; /* 2^252 */
    fe t;

    fe_once(&t, x->v, 0);
    fe_mul(out, &t, &sixteenth);
}

static void sum_vectors(jacobian *out, const cm_p256_terms *s)
{
    cm_p256_num sum[3];

    cm_p256_sum_ifma(sum, s);
    from_kernel(&out->x, &sum[0]);
    from_kernel(&out->y, &sum[1]);
    from_kernel(&out->z, &sum[2]);
    for (size_t i = s->n / CM_P256_LANES * CM_P256_LANES; i < s->n; i++)
        add_distinct(out, s->point[i], s->negated[i]);
}
#else
#define sum_vectors sum_portable
#endif

/* The sum passes through p == q or infinity for chosen numbers alone: then everything again, with
 * care. */
static void sum_up(bool vectors, jacobian *out, const cm_p256_terms *s)
{
    *out = (jacobian){.z = {{0}}};
    if (s->n == 0)
        return;
    if (vectors && s->n >= CM_P256_LANES)
        sum_vectors(out, s);
    else
        sum_portable(out, s);
    if (!fe_is_zero(&out->z))
        return;
    for (size_t i = 0; i < s->n; i++)
        add_any(out, s->point[i], s->negated[i]);
}

/* Whether x / z^2, which is below p, is r modulo n: it is r or r + n. */
static bool abscissa_is(const jacobian *p, const cm_p256_num *r)
{
    cm_p256_num candidate = *r;
    fe zz, x;

    if (fe_is_zero(&p->z))
        return false;
    fe_sqr(&zz, &p->z);
    fe_mul(&x, &candidate, &square_p);
    fe_mul(&x, &x, &zz);
    if (fe_equal(&x, &p->x))
        return true;
    if (add(&candidate, r, &n_.m) || !below(&candidate, &p_.m))
        return false;
    fe_mul(&x, &candidate, &square_p);
    fe_mul(&x, &x, &zz);
    return fe_equal(&x, &p->x);
}

static bool scalar_ok(const cm_p256_num *x)
{
    return !is_zero(x) && below(x, &n_.m);
}

bool cm_p256_verify_on(bool vectors, const cm_p256_table *t, const uint8_t digest[32],
                       const uint8_t sig[64])
{
    cm_p256_num r = from_bytes(sig), s = from_bytes(sig + 32), e = from_bytes(digest), w, u;
    cm_p256_terms list = {.n = 0};
    jacobian sum;

    if (!scalar_ok(&r) || !scalar_ok(&s))
        return false;
    if (!below(&e, &n_.m))
        subtract(&e, &e, &n_.m);
    w = cm_p256_inverse_var(&s, &n_);
    w = order_mul(&w, &square_n);
    u = order_mul(&e, &w);
    select_multiples(&list, &base_table, &u);
    u = order_mul(&r, &w);
    select_multiples(&list, t, &u);
    sum_up(vectors, &sum, &list);
    return abscissa_is(&sum, &r);
}

bool cm_p256_verify_var(const cm_p256_table *t, const uint8_t digest[32], const uint8_t sig[64])
{
    return cm_p256_verify_on(cm_cpu_has_ifma(), t, digest, sig);
}
