/*
 * The field of 2^255 - 19, the curve of RFC 8032 over it, and scalars modulo its order. Written for
 * being easy to check: one complete addition formula, a ladder without branches, reduction bit by
 * bit. FROST needs tens of these operations, not thousands.
 */
#include "base/ct.h"
#include "keys/frost_int.h"

__extension__ typedef unsigned __int128 u128;

enum { LIMB = 51 };
static const uint64_t mask51 = ((uint64_t)1 << LIMB) - 1;

/* ---- field ---------------------------------------------------------------------------------- */

static const cm_fe fe_one = {{1}};
static const cm_fe fe_d = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
static const cm_fe fe_2d = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
static const cm_fe fe_sqrt_m1 = {
    {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};

/* Limbs below 2^52 afterwards, for inputs whose limbs are below 2^54. */
static void carry(cm_fe *a)
{
    uint64_t c = 0;

    for (int i = 0; i < 5; i++) {
        a->v[i] += c;
        c = a->v[i] >> LIMB;
        a->v[i] &= mask51;
    }
    a->v[0] += 19 * c;
}

static void fe_add(cm_fe *out, const cm_fe *a, const cm_fe *b)
{
    for (int i = 0; i < 5; i++)
        out->v[i] = a->v[i] + b->v[i];
    carry(out);
}

/* With 4p added, so that no limb goes below 0. */
static void fe_sub(cm_fe *out, const cm_fe *a, const cm_fe *b)
{
    for (int i = 0; i < 5; i++)
        out->v[i] = a->v[i] + 4 * (mask51 - (i == 0 ? 18 : 0)) - b->v[i];
    carry(out);
}

/* Limbs below 2^53 come in, so each column stays below 2^115. */
static void fe_mul(cm_fe *out, const cm_fe *a, const cm_fe *b)
{
    u128 t[5] = {0}, c = 0;

    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            t[(i + j) % 5] += (u128)a->v[i] * b->v[j] * (i + j >= 5 ? 19 : 1);
    for (int i = 0; i < 5; i++) {
        t[i] += c;
        out->v[i] = (uint64_t)t[i] & mask51;
        c = t[i] >> LIMB;
    }
    c = out->v[0] + 19 * c;
    out->v[0] = (uint64_t)c & mask51;
    out->v[1] += (uint64_t)(c >> LIMB);
}

static void fe_square_times(cm_fe *out, const cm_fe *a, int n)
{
    *out = *a;
    while (n-- > 0)
        fe_mul(out, out, out);
}

/* a^(2^250 - 1), and a^11 beside it. */
static void fe_chain(cm_fe *out, cm_fe *a11, const cm_fe *a)
{
    cm_fe a2, a9, x, y, z;

    fe_mul(&a2, a, a);
    fe_square_times(&x, &a2, 2);
    fe_mul(&a9, &x, a);
    fe_mul(a11, &a9, &a2);
    fe_mul(&x, a11, a11);
    fe_mul(&x, &x, &a9); /* 2^5 - 1 */
    fe_square_times(&y, &x, 5);
    fe_mul(&x, &y, &x); /* 2^10 - 1 */
    fe_square_times(&y, &x, 10);
    fe_mul(&y, &y, &x); /* 2^20 - 1 */
    fe_square_times(&z, &y, 20);
    fe_mul(&y, &z, &y); /* 2^40 - 1 */
    fe_square_times(&y, &y, 10);
    fe_mul(&x, &y, &x); /* 2^50 - 1 */
    fe_square_times(&y, &x, 50);
    fe_mul(&y, &y, &x); /* 2^100 - 1 */
    fe_square_times(&z, &y, 100);
    fe_mul(&y, &z, &y); /* 2^200 - 1 */
    fe_square_times(&y, &y, 50);
    fe_mul(out, &y, &x); /* 2^250 - 1 */
}

static void fe_invert(cm_fe *out, const cm_fe *a)
{
    cm_fe t, a11;

    fe_chain(&t, &a11, a);
    fe_square_times(&t, &t, 5);
    fe_mul(out, &t, &a11); /* p - 2 */
}

/* a^((p - 5) / 8) */
static void fe_root_power(cm_fe *out, const cm_fe *a)
{
    cm_fe t, a11;

    fe_chain(&t, &a11, a);
    fe_square_times(&t, &t, 2);
    fe_mul(out, &t, a);
}

static void fe_encode(uint8_t out[32], const cm_fe *a)
{
    cm_fe t = *a;
    uint64_t q = 19;

    carry(&t);
    carry(&t);
    for (int i = 0; i < 5; i++) /* 1 when t >= p */
        q = (t.v[i] + q) >> LIMB;
    t.v[0] += 19 * q;
    for (int i = 0; i < 4; i++) {
        t.v[i + 1] += t.v[i] >> LIMB;
        t.v[i] &= mask51;
    }
    t.v[4] &= mask51;
    cm_put_le64(out, t.v[0] | t.v[1] << 51);
    cm_put_le64(out + 8, t.v[1] >> 13 | t.v[2] << 38);
    cm_put_le64(out + 16, t.v[2] >> 26 | t.v[3] << 25);
    cm_put_le64(out + 24, t.v[3] >> 39 | t.v[4] << 12);
}

static void fe_decode(cm_fe *out, const uint8_t in[32])
{
    uint64_t a = cm_get_le64(in), b = cm_get_le64(in + 8), c = cm_get_le64(in + 16),
             d = cm_get_le64(in + 24);

    out->v[0] = a & mask51;
    out->v[1] = (a >> 51 | b << 13) & mask51;
    out->v[2] = (b >> 38 | c << 26) & mask51;
    out->v[3] = (c >> 25 | d << 39) & mask51;
    out->v[4] = d >> 12 & mask51;
}

static bool fe_equal(const cm_fe *a, const cm_fe *b)
{
    uint8_t x[32], y[32];

    fe_encode(x, a);
    fe_encode(y, b);
    return cm_ct_equal(CM_VIEW(x), CM_VIEW(y));
}

/* ---- points --------------------------------------------------------------------------------- */

static const cm_ed_point base_point = {
    {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}},
    {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}},
    {{1}},
    {{0x68ab3a5b7dda3, 0xeea2a5eadbb, 0x2af8df483c27e, 0x332b375274732, 0x67875f0fd78b7}},
};

const cm_ed_point *cm_ed_base(void)
{
    return &base_point;
}

void cm_ed_identity(cm_ed_point *out)
{
    *out = (cm_ed_point){.y = {{1}}, .z = {{1}}};
}

/* RFC 8032, section 5.1.4: complete, since d is no square. */
void cm_ed_add(cm_ed_point *out, const cm_ed_point *p, const cm_ed_point *q)
{
    cm_fe a, b, c, d, e, f, g, h;

    fe_sub(&a, &p->y, &p->x);
    fe_sub(&b, &q->y, &q->x);
    fe_mul(&a, &a, &b);
    fe_add(&b, &p->y, &p->x);
    fe_add(&c, &q->y, &q->x);
    fe_mul(&b, &b, &c);
    fe_mul(&c, &p->t, &q->t);
    fe_mul(&c, &c, &fe_2d);
    fe_mul(&d, &p->z, &q->z);
    fe_add(&d, &d, &d);
    fe_sub(&e, &b, &a);
    fe_sub(&f, &d, &c);
    fe_add(&g, &d, &c);
    fe_add(&h, &b, &a);
    fe_mul(&out->x, &e, &f);
    fe_mul(&out->y, &g, &h);
    fe_mul(&out->t, &e, &h);
    fe_mul(&out->z, &f, &g);
}

static void select_fe(cm_fe *out, uint64_t mask, const cm_fe *a)
{
    for (int i = 0; i < 5; i++)
        out->v[i] ^= mask & (out->v[i] ^ a->v[i]);
}

void cm_ed_mul(cm_ed_point *out, const uint8_t scalar[32], const cm_ed_point *p)
{
    cm_ed_point r, sum, base = *p;

    cm_ed_identity(&r);
    for (int i = 255; i >= 0; i--) {
        uint32_t bit = scalar[i / 8] >> (i % 8) & 1u;
        uint64_t mask = (uint64_t)(int64_t)(int32_t)cm_ct_mask(bit);

        cm_ed_add(&r, &r, &r);
        cm_ed_add(&sum, &r, &base);
        select_fe(&r.x, mask, &sum.x);
        select_fe(&r.y, mask, &sum.y);
        select_fe(&r.z, mask, &sum.z);
        select_fe(&r.t, mask, &sum.t);
    }
    *out = r;
    cm_wipe(&r, sizeof r);
    cm_wipe(&sum, sizeof sum);
}

void cm_ed_encode(uint8_t out[32], const cm_ed_point *p)
{
    cm_fe zi, x, y;
    uint8_t xb[32];

    fe_invert(&zi, &p->z);
    fe_mul(&x, &p->x, &zi);
    fe_mul(&y, &p->y, &zi);
    fe_encode(xb, &x);
    fe_encode(out, &y);
    out[31] |= (uint8_t)((xb[0] & 1) << 7);
}

/* RFC 8032, section 5.1.3, with what it leaves open refused: y not below p, and -0. */
bool cm_ed_decode(cm_ed_point *out, const uint8_t in[32])
{
    cm_fe y, yy, u, v, v3, x, xx, minus;
    uint8_t again[32], sign = in[31] >> 7, xb[32];

    fe_decode(&y, in);
    fe_encode(again, &y);
    again[31] |= (uint8_t)(sign << 7);
    if (!cm_view_eq(CM_VIEW(again), cm_view_of(in, 32)))
        return false;
    fe_mul(&yy, &y, &y);
    fe_sub(&u, &yy, &fe_one);
    fe_mul(&v, &yy, &fe_d);
    fe_add(&v, &v, &fe_one);
    fe_mul(&v3, &v, &v);
    fe_mul(&v3, &v3, &v);
    fe_mul(&x, &v3, &v3); /* u v^3 (u v^7)^((p-5)/8) */
    fe_mul(&x, &x, &v);
    fe_mul(&x, &x, &u);
    fe_root_power(&x, &x);
    fe_mul(&x, &x, &v3);
    fe_mul(&x, &x, &u);
    fe_mul(&xx, &x, &x);
    fe_mul(&xx, &xx, &v);
    fe_sub(&minus, &(cm_fe){{0}}, &u);
    if (fe_equal(&xx, &minus))
        fe_mul(&x, &x, &fe_sqrt_m1);
    else if (!fe_equal(&xx, &u))
        return false;
    fe_encode(xb, &x);
    if (sign && fe_equal(&x, &(cm_fe){{0}}))
        return false;
    if ((xb[0] & 1) != sign)
        fe_sub(&x, &(cm_fe){{0}}, &x);
    out->x = x;
    out->y = y;
    out->z = fe_one;
    fe_mul(&out->t, &x, &y);
    return true;
}

bool cm_ed_is_identity(const cm_ed_point *p)
{
    return fe_equal(&p->x, &(cm_fe){{0}}) && fe_equal(&p->y, &p->z);
}

/* ---- scalars -------------------------------------------------------------------------------- */

static const uint64_t order[4] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};

/* r -= order if r >= order, for r below twice that. */
static void subtract_once(uint64_t r[4])
{
    uint64_t d[4], borrow = 0, keep;

    for (int i = 0; i < 4; i++) {
        u128 t = (u128)r[i] - order[i] - borrow;

        d[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    keep = 0 - borrow;
    __asm__("" : "+r"(keep));
    for (int i = 0; i < 4; i++)
        r[i] = (r[i] & keep) | (d[i] & ~keep);
}

/* Bit by bit from the top: r < order before and after. */
static void reduce(uint64_t r[4], const uint64_t in[8])
{
    memset(r, 0, 4 * sizeof *r);
    for (int i = 511; i >= 0; i--) {
        uint64_t bit = in[i / 64] >> (i % 64) & 1;

        for (int j = 3; j > 0; j--)
            r[j] = r[j] << 1 | r[j - 1] >> 63;
        r[0] = r[0] << 1 | bit;
        subtract_once(r);
    }
}

static void load(uint64_t *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = cm_get_le64(in + 8 * i);
}

static void store(uint8_t out[32], uint64_t r[4])
{
    for (size_t i = 0; i < 4; i++)
        cm_put_le64(out + 8 * i, r[i]);
    cm_wipe(r, 4 * sizeof *r);
}

void cm_ed_scalar_reduce(uint8_t out[32], const uint8_t in[64])
{
    uint64_t t[8], r[4];

    load(t, in, 8);
    reduce(r, t);
    store(out, r);
    cm_wipe(t, sizeof t);
}

void cm_ed_scalar_mul(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    uint64_t x[4], y[4], r[4], t[8] = {0};

    load(x, a, 4);
    load(y, b, 4);
    for (size_t i = 0; i < 4; i++) {
        u128 c = 0;

        for (size_t j = 0; j < 4; j++) {
            c += (u128)x[i] * y[j] + t[i + j];
            t[i + j] = (uint64_t)c;
            c >>= 64;
        }
        t[i + 4] = (uint64_t)c;
    }
    reduce(r, t);
    store(out, r);
    cm_wipe(t, sizeof t);
    cm_wipe(x, sizeof x);
    cm_wipe(y, sizeof y);
}

void cm_ed_scalar_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    uint64_t x[4], y[4], c = 0;

    load(x, a, 4);
    load(y, b, 4);
    for (size_t i = 0; i < 4; i++) {
        u128 t = (u128)x[i] + y[i] + c;

        x[i] = (uint64_t)t;
        c = (uint64_t)(t >> 64);
    }
    subtract_once(x);
    store(out, x);
    cm_wipe(y, sizeof y);
}

bool cm_ed_in_subgroup(const cm_ed_point *p)
{
    cm_ed_point r;
    uint8_t l[32];

    for (size_t i = 0; i < 4; i++)
        cm_put_le64(l + 8 * i, order[i]);
    cm_ed_mul(&r, l, p);
    return cm_ed_is_identity(&r);
}
