/* Polynomials of ML-KEM (FIPS 203, 4.3), sixteen coefficients in a vector. In the transform's
 * domain vector j holds the coefficients 16 i + j: the last layers and products need no shuffles.
 */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/mlkem_int.h"

enum { LANES = 16, VECTORS = CM_MLKEM_N / LANES };

#define Q     CM_MLKEM_Q
#define Q_INV -3327 /* q^-1 mod 2^16 */
#define SCALE 1441  /* 2^32 / 128 mod q */
#define MONT2 1353  /* 2^32 mod q */

/* Powers of 17 in Montgomery form (FIPS 203, appendix A): at number-of-blocks + block for blocks of
 * at least 32; lane by lane for those of 16, 8 and 4; and those of the products. */
static const int16_t far[16] = {
    -1044, -758, -359, -1517, 1493, 1422, 287, 202, -171, 622, 1577, 182, 962, -1202, -1474, 1468,
};
static const int16_t near8[16] __attribute__((aligned(32))) = {
    573, -1325, 264, 383, -829, 1458, -1602, -130, -681, 1017, 732, 608, -1542, 411, -205, -1571,
};
static const int16_t near4[32] __attribute__((aligned(32))) = {
    1223,  -552, -1293, -282, 516,   -320, -1618, 126,  -853,  -271,  107,
    -247,  -398, -1508, 448,  677,   652,  1015,  1491, -1544, -8,    -666,
    -1162, 1469, -90,   830,  -1421, -951, 961,   -725, -1065, -1275,
};
static const int16_t near2[64] __attribute__((aligned(32))) = {
    -1103, -1251, 422,   -291, -246,  -777,  -1590, 418,   817,  1322, -1215, -874, -1185,
    -1510, -108,  958,   430,  871,   587,   -460,  778,   1483, 644,  329,   1097, -1285,
    -136,  220,   -1530, -854, -308,  -1460, 555,   1550,  177,  1574, 1159,  -602, -872,
    -156,  603,   -1465, 1218, -1187, -1278, -870,  996,   1522, 843,  105,   -235, 1653,
    -147,  1119,  349,   -75,  610,   384,   -1335, -1659, 794,  478,  991,   1628,
};
/* The other way each layer has them backwards. */
static const int16_t back8[16] __attribute__((aligned(32))) = {
    -1571, -205, 411, -1542, 608, 732, 1017, -681, -130, -1602, 1458, -829, 383, 264, -1325, 573,
};
static const int16_t back4[32] __attribute__((aligned(32))) = {
    -1275, -1065, -725, 961,   -951, -1421, 830,  -90,   1469, -1162, -666,
    -8,    -1544, 1491, 1015,  652,  677,   448,  -1508, -398, -247,  107,
    -271,  -853,  126,  -1618, -320, 516,   -282, -1293, -552, 1223,
};
static const int16_t back2[64] __attribute__((aligned(32))) = {
    1628, 991,   478,  794,  -1659, -1335, 384,   610,   -75,  349,   1119,  -147,  1653,
    -235, 105,   843,  1522, 996,   -870,  -1278, -1187, 1218, -1465, 603,   -156,  -872,
    -602, 1159,  1574, 177,  1550,  555,   -1460, -308,  -854, -1530, 220,   -136,  -1285,
    1097, 329,   644,  1483, 778,   -460,  587,   871,   430,  958,   -108,  -1510, -1185,
    -874, -1215, 1322, 817,  418,   -1590, -777,  -246,  -291, 422,   -1251, -1103,
};

static const int16_t gammas[128] __attribute__((aligned(32))) = {
    -1103, -1251, 422,   -291,  -246,  -777,  -1590, 418,  817,   1322, -1215, -874,  -1185,
    -1510, -108,  958,   1103,  1251,  -422,  291,   246,  777,   1590, -418,  -817,  -1322,
    1215,  874,   1185,  1510,  108,   -958,  430,   871,  587,   -460, 778,   1483,  644,
    329,   1097,  -1285, -136,  220,   -1530, -854,  -308, -1460, -430, -871,  -587,  460,
    -778,  -1483, -644,  -329,  -1097, 1285,  136,   -220, 1530,  854,  308,   1460,  555,
    1550,  177,   1574,  1159,  -602,  -872,  -156,  603,  -1465, 1218, -1187, -1278, -870,
    996,   1522,  -555,  -1550, -177,  -1574, -1159, 602,  872,   156,  -603,  1465,  -1218,
    1187,  1278,  870,   -996,  -1522, 843,   105,   -235, 1653,  -147, 1119,  349,   -75,
    610,   384,   -1335, -1659, 794,   478,   991,   1628, -843,  -105, 235,   -1653, 147,
    -1119, -349,  75,    -610,  -384,  1335,  1659,  -794, -478,  -991, -1628,
};

typedef __m256i vec;

INLINE vec load(const int16_t *p)
{
    return _mm256_load_si256((const vec *)(const void *)p);
}

INLINE void store(int16_t *p, vec v)
{
    _mm256_store_si256((vec *)(void *)p, v);
}

/* a b / 2^16 mod q, below q in magnitude if |a b| < 2^15 q. */
INLINE vec montgomery(vec a, vec b)
{
    vec t = _mm256_mullo_epi16(_mm256_mullo_epi16(a, b), _mm256_set1_epi16(Q_INV));

    return _mm256_sub_epi16(_mm256_mulhi_epi16(a, b), _mm256_mulhi_epi16(t, _mm256_set1_epi16(Q)));
}

/* The middle representative, but for the rounding. */
INLINE vec middle(vec a)
{
    vec t = _mm256_mulhi_epi16(a, _mm256_set1_epi16(20159));

    t = _mm256_srai_epi16(_mm256_add_epi16(t, _mm256_set1_epi16(512)), 10);
    return _mm256_sub_epi16(a, _mm256_mullo_epi16(t, _mm256_set1_epi16(Q)));
}

INLINE void forth_step(vec *a, vec *b, vec zeta)
{
    vec t = montgomery(*b, zeta);

    *b = _mm256_sub_epi16(*a, t);
    *a = _mm256_add_epi16(*a, t);
}

INLINE void back_step(vec *a, vec *b, vec zeta)
{
    vec t = *a;

    *a = middle(_mm256_add_epi16(t, *b));
    *b = montgomery(_mm256_sub_epi16(*b, t), zeta);
}

/* Rows become columns, in eight-by-eight quarters. */
INLINE void quarter(vec r[8])
{
    vec t[8], u[8];

    UNROLL
    for (size_t i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
    }
    UNROLL
    for (size_t i = 0; i < 2; i++) {
        u[4 * i] = _mm256_unpacklo_epi32(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi32(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi32(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi32(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        r[2 * i] = _mm256_unpacklo_epi64(u[i], u[i + 4]);
        r[2 * i + 1] = _mm256_unpackhi_epi64(u[i], u[i + 4]);
    }
}

INLINE void transpose(vec r[LANES])
{
    quarter(r);
    quarter(r + 8);
    UNROLL
    for (size_t i = 0; i < 8; i++) {
        vec a = r[i], b = r[i + 8];

        r[i] = _mm256_permute2x128_si256(a, b, 0x20);
        r[i + 8] = _mm256_permute2x128_si256(a, b, 0x31);
    }
}

void cm_mlkem_ntt_avx2(cm_kpoly *p)
{
    vec r[VECTORS];

    UNROLL
    for (size_t i = 0; i < VECTORS; i++)
        r[i] = load(p->c + LANES * i);
    for (size_t n = 1, half = 8; n <= 8; n *= 2, half /= 2)
        for (size_t b = 0; b < n; b++)
            for (size_t i = 2 * half * b; i < 2 * half * b + half; i++)
                forth_step(&r[i], &r[i + half], _mm256_set1_epi16(far[n + b]));
    transpose(r);
    UNROLL
    for (size_t i = 0; i < 8; i++)
        forth_step(&r[i], &r[i + 8], load(near8));
    UNROLL
    for (size_t i = 0; i < 8; i++)
        forth_step(&r[i + i / 4 * 4], &r[i + i / 4 * 4 + 4], load(near4 + i / 4 * LANES));
    UNROLL
    for (size_t i = 0; i < 8; i++)
        forth_step(&r[i + i / 2 * 2], &r[i + i / 2 * 2 + 2], load(near2 + i / 2 * LANES));
    UNROLL
    for (size_t i = 0; i < VECTORS; i++)
        store(p->c + LANES * i, middle(r[i]));
}

void cm_mlkem_intt_avx2(cm_kpoly *p)
{
    vec r[VECTORS];

    UNROLL
    for (size_t i = 0; i < VECTORS; i++)
        r[i] = load(p->c + LANES * i);
    UNROLL
    for (size_t i = 0; i < 8; i++)
        back_step(&r[i + i / 2 * 2], &r[i + i / 2 * 2 + 2], load(back2 + i / 2 * LANES));
    UNROLL
    for (size_t i = 0; i < 8; i++)
        back_step(&r[i + i / 4 * 4], &r[i + i / 4 * 4 + 4], load(back4 + i / 4 * LANES));
    UNROLL
    for (size_t i = 0; i < 8; i++)
        back_step(&r[i], &r[i + 8], load(back8));
    transpose(r);
    for (size_t n = 8, half = 1; n >= 1; n /= 2, half *= 2)
        for (size_t b = 0; b < n; b++)
            for (size_t i = 2 * half * b; i < 2 * half * b + half; i++)
                back_step(&r[i], &r[i + half], _mm256_set1_epi16(far[2 * n - 1 - b]));
    UNROLL
    for (size_t i = 0; i < VECTORS; i++)
        store(p->c + LANES * i, montgomery(r[i], _mm256_set1_epi16(SCALE)));
}

void cm_mlkem_dot_avx2(cm_kpoly *r, const cm_kpoly *a, size_t step, const cm_kpoly *b, unsigned k)
{
    for (size_t m = 0; m < CM_MLKEM_N; m += 2 * LANES) {
        vec even = _mm256_setzero_si256(), odd = even, crossed = even;

        for (unsigned j = 0; j < k; j++) {
            const int16_t *x = a[j * step].c + m, *y = b[j].c + m;
            vec x0 = load(x), x1 = load(x + LANES), y0 = load(y), y1 = load(y + LANES);

            even = _mm256_add_epi16(even, montgomery(x0, y0));
            crossed = _mm256_add_epi16(crossed, montgomery(x1, y1));
            odd = _mm256_add_epi16(odd, _mm256_add_epi16(montgomery(x0, y1), montgomery(x1, y0)));
        }
        crossed = montgomery(crossed, load(gammas + m / 2));
        store(r->c + m, middle(_mm256_add_epi16(even, crossed)));
        store(r->c + m + LANES, middle(odd));
    }
}

void cm_mlkem_lift_avx2(cm_kpoly *p)
{
    for (size_t i = 0; i < CM_MLKEM_N; i += LANES)
        store(p->c + i, montgomery(load(p->c + i), _mm256_set1_epi16(MONT2)));
}

void cm_mlkem_reduce_avx2(cm_kpoly *p)
{
    for (size_t i = 0; i < CM_MLKEM_N; i += LANES)
        store(p->c + i, middle(load(p->c + i)));
}

void cm_mlkem_add_avx2(cm_kpoly *r, const cm_kpoly *a)
{
    for (size_t i = 0; i < CM_MLKEM_N; i += LANES)
        store(r->c + i, _mm256_add_epi16(load(r->c + i), load(a->c + i)));
}
