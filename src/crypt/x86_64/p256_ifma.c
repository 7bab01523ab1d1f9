/* Sums of points of P-256, eight at a time in the lanes of AVX-512 with its products of 52 bits.
 * Numbers are five limbs of 52 bits in Montgomery form with R = 2^260, below a small multiple of p
 * that the comments give as bounds; x y / R is below (x y / 16 p^2 + 1) p. */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/p256_int.h"

enum { LANES = 8, LIMBS = 5 };

typedef struct {
    __m512i v[LIMBS];
} fe8;

#define LOW52 _mm512_set1_epi64((1ll << 52) - 1)

/* p times 2, 4 and 16 by limbs. */
static const uint64_t p2[LIMBS] = {0xffffffffffffe, 0x01fffffffffff, 0, 0x2000000000,
                                   0x1fffffffe0000};
static const uint64_t p4[LIMBS] = {0xffffffffffffc, 0x03fffffffffff, 0, 0x4000000000,
                                   0x3fffffffc0000};
static const uint64_t p16[LIMBS] = {0xffffffffffff0, 0x0ffffffffffff, 0, 0x10000000000,
                                    0xffffffff00000};

/* 2^260 mod p */
static const uint64_t one[LIMBS] = {0x0000000000010, 0xf000000000000, 0xfffffffffffff,
                                    0xffeffffffffff, 0x00000000fffff};

INLINE __m512i lo(__m512i acc, __m512i x, __m512i y)
{
    return _mm512_madd52lo_epu64(acc, x, y);
}

INLINE __m512i hi(__m512i acc, __m512i x, __m512i y)
{
    return _mm512_madd52hi_epu64(acc, x, y);
}

/* Limbs of 52 bits again, from limbs with a sign of a number that has none. */
INLINE void carry(fe8 *x)
{
    UNROLL
    for (int i = 0; i + 1 < LIMBS; i++) {
        x->v[i + 1] = _mm512_add_epi64(x->v[i + 1], _mm512_srai_epi64(x->v[i], 52));
        x->v[i] = _mm512_and_si512(x->v[i], LOW52);
    }
}

/* p is 2^96 - 1 + 2^192 + (2^256 - 2^224), and -1 modulo 2^52: each step adds the multiple of p
 * that clears the lowest limb, which is that limb times p. */
static __attribute__((noinline)) void mul(fe8 *out, const fe8 *x, const fe8 *y)
{
    const __m512i top = _mm512_set1_epi64(0xffffffff0000ll), p3 = _mm512_set1_epi64(1ll << 36);
    __m512i t[LIMBS + 1];

    UNROLL
    for (int i = 0; i <= LIMBS; i++)
        t[i] = _mm512_setzero_si512();
    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        __m512i m;

        UNROLL
        for (int j = 0; j < LIMBS; j++)
            t[j] = lo(t[j], x->v[j], y->v[i]);
        m = _mm512_and_si512(t[0], LOW52);
        UNROLL
        for (int j = 0; j < LIMBS; j++)
            t[j + 1] = hi(t[j + 1], x->v[j], y->v[i]);
        t[1] = _mm512_add_epi64(t[1], _mm512_srli_epi64(t[0], 52));
        t[1] = _mm512_add_epi64(t[1], _mm512_and_si512(_mm512_slli_epi64(m, 44), LOW52));
        t[2] = _mm512_add_epi64(t[2], _mm512_srli_epi64(m, 8));
        t[3] = lo(t[3], m, p3);
        t[4] = hi(t[4], m, p3);
        t[4] = lo(t[4], m, top);
        t[5] = hi(t[5], m, top);
        UNROLL
        for (int j = 0; j < LIMBS; j++)
            t[j] = t[j + 1];
        t[LIMBS] = _mm512_setzero_si512();
    }
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = t[i];
    carry(out);
}

/* x - y + multiple, limb by limb: to be carried. */
INLINE void sub(fe8 *out, const fe8 *x, const fe8 *y, const uint64_t multiple[LIMBS])
{
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_add_epi64(_mm512_sub_epi64(x->v[i], y->v[i]),
                                     _mm512_set1_epi64((long long)multiple[i]));
}

/* What is above 2^256 comes back by 2^256 = 2^224 - 2^192 - 2^96 + 1: below 1.01 p then. */
static __attribute__((noinline)) void fold(fe8 *x)
{
    __m512i above;

    carry(x);
    above = _mm512_srli_epi64(x->v[4], 48);
    x->v[4] = _mm512_and_si512(x->v[4], _mm512_set1_epi64((1ll << 48) - 1));
    x->v[0] = _mm512_add_epi64(x->v[0], above);
    x->v[1] = _mm512_sub_epi64(x->v[1], _mm512_slli_epi64(above, 44));
    x->v[3] = _mm512_sub_epi64(x->v[3], _mm512_slli_epi64(above, 36));
    x->v[4] = _mm512_add_epi64(x->v[4], _mm512_slli_epi64(above, 16));
    carry(x);
}

/* Coordinate number at of eight points, from 2^256 to 2^260: below 16 p. */
INLINE void load(fe8 *out, __m512i points, int at)
{
    __m512i w[4];

    UNROLL
    for (int i = 0; i < 4; i++)
        w[i] = _mm512_i64gather_epi64(_mm512_add_epi64(points, _mm512_set1_epi64(32 * at + 8 * i)),
                                      NULL, 1);
    out->v[0] = _mm512_and_si512(_mm512_slli_epi64(w[0], 4), LOW52);
    UNROLL
    for (unsigned i = 1; i < 4; i++)
        out->v[i] = _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[i - 1], 60 - 12 * i),
                                                     _mm512_slli_epi64(w[i], 4 + 12 * i)),
                                     LOW52);
    out->v[4] = _mm512_srli_epi64(w[3], 12);
}

typedef struct {
    fe8 x, y, z; /* below 1.01, 1.01 and 1.4 p */
} sum8;

/* The next eight points, those negated whose bits are set. */
INLINE void next(fe8 *x, fe8 *y, const cm_p256_terms *s, size_t at)
{
    const fe8 zero = {{_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                       _mm512_setzero_si512(), _mm512_setzero_si512()}};
    __m512i points = _mm512_loadu_si512(&s->point[at]);
    __mmask8 negated = 0;
    fe8 minus;

    for (unsigned i = 0; i < LANES; i++)
        negated = (__mmask8)(negated | (unsigned)s->negated[at + i] << i);
    load(x, points, 0);
    load(y, points, 1);
    sub(&minus, &zero, y, p16);
    carry(&minus);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        y->v[i] = _mm512_mask_mov_epi64(y->v[i], negated, minus.v[i]);
}

/* Mixed addition of distinct points; z becomes 0 where they are not, and stays so. */
INLINE void add(sum8 *s, const fe8 *x, const fe8 *y)
{
    fe8 zz, h, r, hh, hhh, v, t;

    mul(&zz, &s->z, &s->z); /* 1.13 */
    mul(&h, x, &zz);        /* 2.13 */
    mul(&t, &s->z, &zz);    /* 1.1 */
    mul(&r, y, &t);         /* 2.1 */
    sub(&h, &h, &s->x, p2); /* 4.13 */
    carry(&h);
    sub(&r, &r, &s->y, p2); /* 4.1 */
    carry(&r);
    mul(&s->z, &s->z, &h); /* 1.37 */
    mul(&hh, &h, &h);      /* 2.07 */
    mul(&hhh, &hh, &h);    /* 1.54 */
    mul(&v, &s->x, &hh);   /* 1.14 */
    mul(&t, &r, &r);       /* 2.06 */
    sub(&t, &t, &hhh, p4); /* less 1.54 and 2.28: above 0 */
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        s->x.v[i] = _mm512_sub_epi64(t.v[i], _mm512_slli_epi64(v.v[i], 1));
    fold(&s->x);
    sub(&v, &v, &s->x, p2); /* 3.14 */
    carry(&v);
    mul(&t, &v, &r);        /* 1.81 */
    mul(&hhh, &hhh, &s->y); /* 1.1 */
    sub(&s->y, &t, &hhh, p2);
    fold(&s->y);
}

/* Each lane's sum and that of the lane so many further: Jacobian addition of distinct points, with
 * z as in add(). */
static __attribute__((noinline)) void join(sum8 *s, long long further)
{
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i from = _mm512_add_epi64(lane, _mm512_set1_epi64(further)); /* modulo 8 */
    fe8 zz, t, h, r, hh, hhh, v, one_u, one_s;
    sum8 o;

    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        o.x.v[i] = _mm512_permutexvar_epi64(from, s->x.v[i]);
        o.y.v[i] = _mm512_permutexvar_epi64(from, s->y.v[i]);
        o.z.v[i] = _mm512_permutexvar_epi64(from, s->z.v[i]);
    }
    mul(&zz, &o.z, &o.z);    /* 1.13 */
    mul(&one_u, &s->x, &zz); /* 1.08 */
    mul(&t, &zz, &o.z);      /* 1.1 */
    mul(&one_s, &s->y, &t);  /* 1.07 */
    mul(&zz, &s->z, &s->z);  /* 1.13 */
    mul(&h, &o.x, &zz);      /* 1.08 */
    mul(&t, &zz, &s->z);     /* 1.1 */
    mul(&r, &o.y, &t);       /* 1.07 */
    sub(&h, &h, &one_u, p2); /* 3.08 */
    carry(&h);
    sub(&r, &r, &one_s, p2); /* 3.07 */
    carry(&r);
    mul(&t, &s->z, &o.z);  /* 1.13 */
    mul(&s->z, &t, &h);    /* 1.22 */
    mul(&hh, &h, &h);      /* 1.6 */
    mul(&hhh, &hh, &h);    /* 1.31 */
    mul(&v, &one_u, &hh);  /* 1.11 */
    mul(&t, &r, &r);       /* 1.59 */
    sub(&t, &t, &hhh, p4); /* less 1.31 and 2.22: above 0 */
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        s->x.v[i] = _mm512_sub_epi64(t.v[i], _mm512_slli_epi64(v.v[i], 1));
    fold(&s->x);
    sub(&v, &v, &s->x, p2); /* 3.11 */
    carry(&v);
    mul(&t, &v, &r);          /* 1.6 */
    mul(&hhh, &hhh, &one_s);  /* 1.09 */
    sub(&s->y, &t, &hhh, p2); /* 3.6 */
    fold(&s->y);
}

static uint64_t first_lane(__m512i v)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(v));
}

/* The first lane to four limbs of 64 bits, below 2^256: what one fold leaves above, the second
 * takes. */
INLINE void store(cm_p256_num *out, fe8 *x)
{
    uint64_t limbs[LIMBS];

    fold(x);
    fold(x);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        limbs[i] = first_lane(x->v[i]);
    *out = (cm_p256_num){{limbs[0] | limbs[1] << 52, limbs[1] >> 12 | limbs[2] << 40,
                          limbs[2] >> 24 | limbs[3] << 28, limbs[3] >> 36 | limbs[4] << 16}};
}

void cm_p256_sum_ifma(cm_p256_num sum[3], const cm_p256_terms *s)
{
    fe8 x, y;
    sum8 acc;

    next(&acc.x, &acc.y, s, 0);
    fold(&acc.x);
    fold(&acc.y);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        acc.z.v[i] = _mm512_set1_epi64((long long)one[i]);
    for (size_t at = LANES; at + LANES <= s->n; at += LANES) {
        next(&x, &y, s, at);
        add(&acc, &x, &y);
    }
    for (long long further = LANES / 2; further > 0; further /= 2)
        join(&acc, further);
    store(&sum[0], &acc.x);
    store(&sum[1], &acc.y);
    store(&sum[2], &acc.z);
}
