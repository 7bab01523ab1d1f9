/* Multiples of secp256k1's generator, in the eight lanes of AVX-512 with its products of 52 bits.
 * Numbers are five limbs of 52 bits, below a small multiple of p = 2^256 - 2^32 - 977 that the
 * comments give as bounds. Points are projective, and their addition by Renes, Costello and Batina
 * ("Complete addition formulas for prime order elliptic curves", 2016, algorithms 7 and 8) has no
 * exceptions: nothing here branches, and every entry of the table is read. */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/secp_int.h"

enum { LANES = CM_SECP_LANES, LIMBS = CM_SECP_LIMBS, B3 = 21 };

typedef struct {
    __m512i v[LIMBS];
} fe8;

typedef struct {
    fe8 x, y, z; /* below 3, 2 and 2 p */
} sum8;

/* All that depends on the scalar, to be wiped. */
typedef struct {
    sum8 s, o;
    fe8 x, y, t0, t1, t2, t3, t4, x3, y3;
} work;

#define LOW52       _mm512_set1_epi64((1ll << 52) - 1)
#define ABOVE_256   _mm512_set1_epi64(0x1000003d1ll)  /* 2^256 mod p */
#define ABOVE_260   _mm512_set1_epi64(0x1000003d10ll) /* 2^260 mod p */
#define TOP_LIMB    _mm512_set1_epi64((1ll << 48) - 1)
#define LOWEST_OF_P 0xffffefffffc2fll

INLINE __m512i lo(__m512i acc, __m512i x, __m512i y)
{
    return _mm512_madd52lo_epu64(acc, x, y);
}

INLINE __m512i hi(__m512i acc, __m512i x, __m512i y)
{
    return _mm512_madd52hi_epu64(acc, x, y);
}

/* Limbs of 52 bits again, from limbs with a sign of a number that has none. */
INLINE void carry(__m512i v[LIMBS])
{
    UNROLL
    for (int i = 0; i + 1 < LIMBS; i++) {
        v[i + 1] = _mm512_add_epi64(v[i + 1], _mm512_srai_epi64(v[i], 52));
        v[i] = _mm512_and_si512(v[i], LOW52);
    }
}

/* above 2^256, below 2^52, comes back: below 1.01 p then. */
INLINE void fold(__m512i v[LIMBS], __m512i above)
{
    v[0] = lo(v[0], above, ABOVE_256);
    v[1] = hi(v[1], above, ABOVE_256);
    carry(v);
}

/* Both below 2^260; the product is below 1.01 p. */
static __attribute__((noinline)) void mul(fe8 *out, const fe8 *x, const fe8 *y)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i l[2 * LIMBS], h[2 * LIMBS], top = zero, above;

    UNROLL
    for (int i = 0; i < 2 * LIMBS; i++)
        l[i] = h[i] = zero;
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        UNROLL
    for (int j = 0; j < LIMBS; j++) {
        l[i + j] = lo(l[i + j], x->v[j], y->v[i]);
        h[i + j + 1] = hi(h[i + j + 1], x->v[j], y->v[i]);
    }
    UNROLL
    for (int i = 0; i < 2 * LIMBS; i++)
        l[i] = _mm512_add_epi64(l[i], h[i]);
    carry(l + LIMBS);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        l[i] = lo(l[i], l[LIMBS + i], ABOVE_260);
    UNROLL
    for (int i = 0; i + 1 < LIMBS; i++)
        l[i + 1] = hi(l[i + 1], l[LIMBS + i], ABOVE_260);
    top = hi(top, l[2 * LIMBS - 1], ABOVE_260);
    above = _mm512_add_epi64(_mm512_srli_epi64(l[LIMBS - 1], 48), _mm512_slli_epi64(top, 4));
    l[LIMBS - 1] = _mm512_and_si512(l[LIMBS - 1], TOP_LIMB);
    fold(l, above);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = l[i];
}

INLINE void add(fe8 *out, const fe8 *x, const fe8 *y)
{
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_add_epi64(x->v[i], y->v[i]);
    carry(out->v);
}

/* x - y + count p */
INLINE void sub(fe8 *out, const fe8 *x, const fe8 *y, long long count)
{
    const __m512i low = _mm512_set1_epi64(count * LOWEST_OF_P);
    const __m512i mid = _mm512_set1_epi64(count * ((1ll << 52) - 1));
    const __m512i top = _mm512_set1_epi64(count * ((1ll << 48) - 1));

    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_add_epi64(_mm512_sub_epi64(x->v[i], y->v[i]), i == 0           ? low
                                                                         : i == LIMBS - 1 ? top
                                                                                          : mid);
    carry(out->v);
}

/* A small multiple of a number below 4 p, below 1.01 p. */
INLINE void times(fe8 *out, const fe8 *x, long long n)
{
    __m512i above;

    UNROLL
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = _mm512_mullo_epi64(x->v[i], _mm512_set1_epi64(n));
    above = _mm512_srli_epi64(out->v[LIMBS - 1], 48);
    out->v[LIMBS - 1] = _mm512_and_si512(out->v[LIMBS - 1], TOP_LIMB);
    fold(out->v, above);
}

/* What both additions end with: of t0 = x x', t1 = y y', t2 = b3 z z', t3 = x y' + x' y,
 * t4 = y z' + y' z and y3 = x z' + x' z. */
INLINE void add_up(work *w)
{
    times(&w->t0, &w->t0, 3);
    times(&w->y3, &w->y3, B3);
    add(&w->s.z, &w->t1, &w->t2);   /* 2.1 */
    sub(&w->t1, &w->t1, &w->t2, 2); /* 3.1 */
    mul(&w->x3, &w->t4, &w->y3);
    mul(&w->t2, &w->t3, &w->t1);
    sub(&w->s.x, &w->t2, &w->x3, 2); /* 3.1 */
    mul(&w->y3, &w->y3, &w->t0);
    mul(&w->t1, &w->t1, &w->s.z);
    add(&w->s.y, &w->t1, &w->y3); /* 2.1 */
    mul(&w->t0, &w->t0, &w->t3);
    mul(&w->t4, &w->s.z, &w->t4);
    add(&w->s.z, &w->t4, &w->t0); /* 2.1 */
}

/* s + (x, y) */
static __attribute__((noinline)) void add_affine(work *w)
{
    mul(&w->t0, &w->s.x, &w->x);
    mul(&w->t1, &w->s.y, &w->y);
    add(&w->t3, &w->x, &w->y);
    add(&w->t4, &w->s.x, &w->s.y);
    mul(&w->t3, &w->t3, &w->t4);
    add(&w->t4, &w->t0, &w->t1);
    sub(&w->t3, &w->t3, &w->t4, 3); /* 4.1 */
    mul(&w->t4, &w->y, &w->s.z);
    add(&w->t4, &w->t4, &w->s.y); /* 3.2 */
    mul(&w->y3, &w->x, &w->s.z);
    add(&w->y3, &w->y3, &w->s.x); /* 4.2 */
    times(&w->t2, &w->s.z, B3);
    add_up(w);
}

/* Each lane's sum and that of the lane so many further. */
static __attribute__((noinline)) void join(work *w, long long further)
{
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i from = _mm512_add_epi64(lane, _mm512_set1_epi64(further)); /* modulo 8 */

    UNROLL
    for (int i = 0; i < LIMBS; i++) {
        w->o.x.v[i] = _mm512_permutexvar_epi64(from, w->s.x.v[i]);
        w->o.y.v[i] = _mm512_permutexvar_epi64(from, w->s.y.v[i]);
        w->o.z.v[i] = _mm512_permutexvar_epi64(from, w->s.z.v[i]);
    }
    mul(&w->t0, &w->s.x, &w->o.x);
    mul(&w->t1, &w->s.y, &w->o.y);
    mul(&w->t2, &w->s.z, &w->o.z);
    add(&w->t3, &w->s.x, &w->s.y);
    add(&w->t4, &w->o.x, &w->o.y);
    mul(&w->t3, &w->t3, &w->t4);
    add(&w->t4, &w->t0, &w->t1);
    sub(&w->t3, &w->t3, &w->t4, 3); /* 4.1 */
    add(&w->t4, &w->s.y, &w->s.z);
    add(&w->x3, &w->o.y, &w->o.z);
    mul(&w->t4, &w->t4, &w->x3);
    add(&w->x3, &w->t1, &w->t2);
    sub(&w->t4, &w->t4, &w->x3, 3); /* 4.1 */
    add(&w->x3, &w->s.x, &w->s.z);
    add(&w->y3, &w->o.x, &w->o.z);
    mul(&w->y3, &w->x3, &w->y3);
    add(&w->x3, &w->t0, &w->t2);
    sub(&w->y3, &w->y3, &w->x3, 3); /* 4.1 */
    times(&w->t2, &w->t2, B3);
    add_up(w);
}

/* x and y become the round's eight points: four bits each, whose highest has the sign and the
 * others, or what they lack of 7 where it is not set, the odd number. */
static __attribute__((noinline)) void look_up(work *w, const cm_secp_table *t, size_t round,
                                              uint32_t bits)
{
    const __m512i shift = _mm512_set_epi64(28, 24, 20, 16, 12, 8, 4, 0);
    const __m512i seven = _mm512_set1_epi64(7);
    __m512i digit = _mm512_srlv_epi64(_mm512_set1_epi64((long long)bits), shift);
    __mmask8 negated = _mm512_testn_epi64_mask(digit, _mm512_set1_epi64(8));
    __m512i at = _mm512_and_si512(_mm512_mask_xor_epi64(digit, negated, digit, seven), seven);
    fe8 found[2] = {{{_mm512_setzero_si512()}}, {{_mm512_setzero_si512()}}};

    for (int o = 0; o < CM_SECP_ODD; o++) {
        __m512i all = _mm512_movm_epi64(_mm512_cmpeq_epi64_mask(at, _mm512_set1_epi64(o)));

        UNROLL
        for (int c = 0; c < 2; c++)
            UNROLL
        for (int i = 0; i < LIMBS; i++)
            found[c].v[i] = _mm512_or_si512(
                found[c].v[i], _mm512_and_si512(all, _mm512_load_si512(t->v[round][o][c][i])));
    }
    w->x = found[0];
    w->y = found[1];
    w->t0 = (fe8){{_mm512_setzero_si512()}};
    sub(&w->t1, &w->t0, &w->y, 1);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        w->y.v[i] = _mm512_mask_mov_epi64(w->y.v[i], negated, w->t1.v[i]);
}

/* The first points, all their coordinates times the same number. */
static void begin(work *w, const cm_p256_num *blind)
{
    const uint64_t *b = blind->v;
    const uint64_t limbs[LIMBS] = {b[0], b[0] >> 52 | b[1] << 12, b[1] >> 40 | b[2] << 24,
                                   b[2] >> 28 | b[3] << 36, b[3] >> 16};

    UNROLL
    for (int i = 0; i < LIMBS; i++)
        w->s.z.v[i] = _mm512_and_si512(_mm512_set1_epi64((long long)limbs[i]), LOW52);
    mul(&w->s.x, &w->x, &w->s.z);
    mul(&w->s.y, &w->y, &w->s.z);
}

static uint64_t first_lane(__m512i v)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(v));
}

/* The first lane to four limbs of 64 bits, below 2^256: what one fold leaves above, the second
 * takes. */
INLINE void store(cm_p256_num *out, fe8 *x)
{
    uint64_t v[LIMBS];

    times(x, x, 1);
    times(x, x, 1);
    UNROLL
    for (int i = 0; i < LIMBS; i++)
        v[i] = first_lane(x->v[i]);
    *out = (cm_p256_num){{v[0] | v[1] << 52, v[1] >> 12 | v[2] << 40, v[2] >> 24 | v[3] << 28,
                          v[3] >> 36 | v[4] << 16}};
}

void cm_secp_multiply_ifma(cm_p256_num sum[3], const cm_secp_table *t, const cm_p256_num *bits,
                           const cm_p256_num *blind)
{
    work w;

    look_up(&w, t, 0, (uint32_t)bits->v[0]);
    begin(&w, blind);
    for (size_t round = 1; round < CM_SECP_ROUNDS; round++) {
        look_up(&w, t, round, (uint32_t)(bits->v[round / 2] >> (round % 2 * 32)));
        add_affine(&w);
    }
    for (long long further = LANES / 2; further > 0; further /= 2)
        join(&w, further);
    store(&sum[0], &w.s.x);
    store(&sum[1], &w.s.y);
    store(&sum[2], &w.s.z);
    cm_wipe(&w, sizeof w);
}

/* step59() of inverse.c in two lanes. */
void cm_secp_steps_ifma(cm_secp_steps *s)
{
    const __m128i one = _mm_set1_epi64x(1), eight = _mm_set1_epi64x(8);
    __m128i zeta = _mm_loadu_si128((const __m128i *)s->zeta);
    __m128i f = _mm_loadu_si128((const __m128i *)s->f);
    __m128i g = _mm_loadu_si128((const __m128i *)s->g);
    __m128i u = eight, v = _mm_setzero_si128(), q = v, r = eight;

    for (int i = 3; i < 62; i++) {
        __m128i swaps = _mm_srai_epi64(zeta, 63);
        __m128i odd = _mm_sub_epi64(_mm_setzero_si128(), _mm_and_si128(g, one));

#define ADD_SIGNED(to, x) \
    to = _mm_add_epi64(to, _mm_and_si128(_mm_sub_epi64(_mm_xor_si128(x, swaps), swaps), odd))
        ADD_SIGNED(g, f);
        ADD_SIGNED(q, u);
        ADD_SIGNED(r, v);
#undef ADD_SIGNED
        swaps = _mm_and_si128(swaps, odd);
        zeta = _mm_sub_epi64(_mm_xor_si128(zeta, swaps), one);
        f = _mm_add_epi64(f, _mm_and_si128(g, swaps));
        u = _mm_add_epi64(u, _mm_and_si128(q, swaps));
        v = _mm_add_epi64(v, _mm_and_si128(r, swaps));
        g = _mm_srli_epi64(g, 1);
        u = _mm_slli_epi64(u, 1);
        v = _mm_slli_epi64(v, 1);
    }
    _mm_storeu_si128((__m128i *)s->zeta, zeta);
    _mm_storeu_si128((__m128i *)s->u, u);
    _mm_storeu_si128((__m128i *)s->v, v);
    _mm_storeu_si128((__m128i *)s->q, q);
    _mm_storeu_si128((__m128i *)s->r, r);
}
