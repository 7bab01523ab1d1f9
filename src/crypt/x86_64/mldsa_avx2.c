/* Polynomials of ML-DSA (FIPS 204, 7.5 and 7.6), eight coefficients in a vector. What has no
 * shuffles is plain C that the compiler turns into vectors. */
#include <immintrin.h>

#include "crypt/kernel_int.h"
#include "crypt/mldsa_int.h"

enum { LANES = 8, VECTORS = CM_MLDSA_N / LANES };

#define Q     CM_MLDSA_Q
#define Q_INV 58728449 /* q^-1 mod 2^32 */
#define SCALE 41978    /* 2^64 / 256 mod q */

/* Powers of zeta in Montgomery form (FIPS 204, appendix B), in the order of their use: one for each
 * block of 16 coefficients and more, at number-of-blocks + block; for blocks of 8, 4 and 2, lane by
 * lane. The same negated and backwards. */
static const int32_t forth[32] __attribute__((aligned(32))) = {
    -4186625, 25847,    -2608894, -518909,  237124,  -777960,  -876248, 466468,
    1826347,  2353451,  -359251,  -2091905, 3119733, -2884855, 3111497, 2680103,
    2725464,  1024112,  -1079900, 3585928,  -549488, -1119584, 2619752, -2108549,
    -2118186, -3859737, -1399561, -3277672, 1757237, -19422,   4010497, 280005,
};

static const int32_t forth4[32] __attribute__((aligned(32))) = {
    2706023,  95776,    3077325, 3530437,  -1661693, -3592148, -2537516, 3915439,
    -3861115, -3043716, 3574422, -2867647, 3539968,  -300467,  2348700,  -539299,
    -1699267, -1643818, 3505694, -3821735, 3507263,  -2140649, -1600420, 3699596,
    811944,   531354,   954230,  3881043,  3900724,  -2556880, 2071892,  -2797779,
};

static const int32_t forth2[64] __attribute__((aligned(32))) = {
    -3930395, -3677745, -1452451, 2176455,  -1257611, -4083598, -3190144, -3632928,
    3412210,  2147896,  -2967645, -411027,  -671102,  -22981,   -381987,  1852771,
    -3343383, 508951,   44288,    904516,   -3724342, 1653064,  2389356,  759969,
    189548,   3159746,  -2409325, 1315589,  1285669,  -812732,  -3019102, -3628969,
    -1528703, -3041255, 3475950,  -1585221, 1939314,  -1000202, -3157330, 126922,
    -983419,  2715295,  -3693493, -2477047, -1228525, -1308169, 1349076,  -1430430,
    264944,   3097992,  -1100098, 3958618,  -8578,    -3249728, -210977,  -1316856,
    -3553272, -1851402, -177440,  1341330,  -1584928, -1439742, -3881060, 3839961,
};

static const int32_t forth1[128] __attribute__((aligned(32))) = {
    2091667,  -3342478, 266997,   -3520352, 900702,   495491,   -655327,  -3556995, 342297,
    3437287,  2842341,  4055324,  -3767016, -2994039, -1333058, -451100,  -1279661, 1500165,
    -542412,  -2584293, -2013608, 1957272,  -3183426, 810149,   -3038916, 2213111,  -426683,
    -1667432, -2939036, 183443,   -554416,  3937738,  3407706,  2244091,  2434439,  -3759364,
    1859098,  -1613174, -3122442, -525098,  286988,   -3342277, 2691481,  1247620,  1250494,
    1869119,  1237275,  1312455,  1917081,  777191,   -2831860, -3724270, 2432395,  3369112,
    162844,   1652634,  3523897,  -975884,  1723600,  -1104333, -2235985, -976891,  3919660,
    1400424,  2316500,  -2446433, -1235728, -1197226, 909542,   -43260,   2031748,  -768622,
    -2437823, 1735879,  -2590150, 2486353,  2635921,  1903435,  -3318210, 3306115,  -2546312,
    2235880,  -1671176, 594136,   2454455,  185531,   1616392,  -3694233, 3866901,  1717735,
    -1803090, -260646,  -420899,  1612842,  -48306,   -846154,  3817976,  -3562462, 3513181,
    -3193378, 819034,   -522500,  3207046,  -3595838, 4108315,  203044,   1265009,  1595974,
    -3548272, -1050970, -1430225, -1962642, -1374803, 3406031,  -1846953, -3776993, -164721,
    -1207385, 3014001,  -1799107, 269760,   472078,   1910376,  -3833893, -2286327, -3545687,
    -1362209, 1976782,
};

static const int32_t back[32] __attribute__((aligned(32))) = {
    0,        -25847,   518909,  2608894,  -466468,  876248,  777960,   -237124,
    -2680103, -3111497, 2884855, -3119733, 2091905,  359251,  -2353451, -1826347,
    -280005,  -4010497, 19422,   -1757237, 3277672,  1399561, 3859737,  2118186,
    2108549,  -2619752, 1119584, 549488,   -3585928, 1079900, -1024112, -2725464,
};

static const int32_t back4[32] __attribute__((aligned(32))) = {
    2797779,  -2071892, 2556880, -3900724, -3881043, -954230,  -531354, -811944,
    -3699596, 1600420,  2140649, -3507263, 3821735,  -3505694, 1643818, 1699267,
    539299,   -2348700, 300467,  -3539968, 2867647,  -3574422, 3043716, 3861115,
    -3915439, 2537516,  3592148, 1661693,  -3530437, -3077325, -95776,  -2706023,
};

static const int32_t back2[64] __attribute__((aligned(32))) = {
    -3839961, 3881060,  1439742,  1584928,  -1341330, 177440,   1851402,  3553272,
    1316856,  210977,   3249728,  8578,     -3958618, 1100098,  -3097992, -264944,
    1430430,  -1349076, 1308169,  1228525,  2477047,  3693493,  -2715295, 983419,
    -126922,  3157330,  1000202,  -1939314, 1585221,  -3475950, 3041255,  1528703,
    3628969,  3019102,  812732,   -1285669, -1315589, 2409325,  -3159746, -189548,
    -759969,  -2389356, -1653064, 3724342,  -904516,  -44288,   -508951,  3343383,
    -1852771, 381987,   22981,    671102,   411027,   2967645,  -2147896, -3412210,
    3632928,  3190144,  4083598,  1257611,  -2176455, 1452451,  3677745,  3930395,
};

static const int32_t back1[128] __attribute__((aligned(32))) = {
    -1976782, 1362209,  3545687,  2286327,  3833893,  -1910376, -472078,  -269760,  1799107,
    -3014001, 1207385,  164721,   3776993,  1846953,  -3406031, 1374803,  1962642,  1430225,
    1050970,  3548272,  -1595974, -1265009, -203044,  -4108315, 3595838,  -3207046, 522500,
    -819034,  3193378,  -3513181, 3562462,  -3817976, 846154,   48306,    -1612842, 420899,
    260646,   1803090,  -1717735, -3866901, 3694233,  -1616392, -185531,  -2454455, -594136,
    1671176,  -2235880, 2546312,  -3306115, 3318210,  -1903435, -2635921, -2486353, 2590150,
    -1735879, 2437823,  768622,   -2031748, 43260,    -909542,  1197226,  1235728,  2446433,
    -2316500, -1400424, -3919660, 976891,   2235985,  1104333,  -1723600, 975884,   -3523897,
    -1652634, -162844,  -3369112, -2432395, 3724270,  2831860,  -777191,  -1917081, -1312455,
    -1237275, -1869119, -1250494, -1247620, -2691481, 3342277,  -286988,  525098,   3122442,
    1613174,  -1859098, 3759364,  -2434439, -2244091, -3407706, -3937738, 554416,   -183443,
    2939036,  1667432,  426683,   -2213111, 3038916,  -810149,  3183426,  -1957272, 2013608,
    2584293,  542412,   -1500165, 1279661,  451100,   1333058,  2994039,  3767016,  -4055324,
    -2842341, -3437287, -342297,  3556995,  655327,   -495491,  -900702,  3520352,  -266997,
    3342478,  -2091667,
};

typedef __m256i vec;

INLINE vec load(const int32_t *p)
{
    return _mm256_load_si256((const vec *)(const void *)p);
}

INLINE void store(int32_t *p, vec v)
{
    _mm256_store_si256((vec *)(void *)p, v);
}

/* a b / 2^32 mod q, below q in magnitude if |a b| < 2^31 q: even lanes, then odd ones. */
INLINE vec montgomery(vec a, vec b)
{
    const vec q = _mm256_set1_epi32(Q), q_inv = _mm256_set1_epi32(Q_INV);
    vec even = _mm256_mul_epi32(a, b),
        odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    vec te = _mm256_mul_epi32(_mm256_mul_epi32(even, q_inv), q),
        to = _mm256_mul_epi32(_mm256_mul_epi32(odd, q_inv), q);

    even = _mm256_sub_epi64(even, te);
    odd = _mm256_sub_epi64(odd, to);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

INLINE void forth_step(vec *a, vec *b, vec zeta)
{
    vec t = montgomery(*b, zeta);

    *b = _mm256_sub_epi32(*a, t);
    *a = _mm256_add_epi32(*a, t);
}

INLINE void back_step(vec *a, vec *b, vec zeta)
{
    vec t = *a;

    *a = _mm256_add_epi32(t, *b);
    *b = montgomery(_mm256_sub_epi32(t, *b), zeta);
}

/* Rows become columns. */
INLINE void transpose(vec r[LANES])
{
    vec t[LANES], u[LANES];

    UNROLL
    for (size_t i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    UNROLL
    for (size_t i = 0; i < 2; i++) {
        u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

/* The layers whose blocks are at least a vector: butterflies between vectors. */
static void forth_far(int32_t *p)
{
    for (size_t n = 1; n <= 16; n *= 2) {
        size_t half = CM_MLDSA_N / n / 2;

        for (size_t b = 0; b < n; b++) {
            const vec zeta = _mm256_set1_epi32(forth[n + b]);

            for (size_t i = 2 * half * b; i < 2 * half * b + half; i += LANES) {
                vec x = load(p + i), y = load(p + i + half);

                forth_step(&x, &y, zeta);
                store(p + i, x);
                store(p + i + half, y);
            }
        }
    }
}

static void back_far(int32_t *p)
{
    for (size_t n = 16; n >= 1; n /= 2) {
        size_t half = CM_MLDSA_N / n / 2;

        for (size_t b = 0; b < n; b++) {
            const vec zeta = _mm256_set1_epi32(back[n + b]);

            for (size_t i = 2 * half * b; i < 2 * half * b + half; i += LANES) {
                vec x = load(p + i), y = load(p + i + half);

                back_step(&x, &y, zeta);
                store(p + i, x);
                store(p + i + half, y);
            }
        }
    }
}

/* The last three layers of eight blocks of eight, g of four: lane l is block l's. */
static void forth_near(int32_t *p, size_t g)
{
    vec r[LANES];

    UNROLL
    for (size_t i = 0; i < LANES; i++) {
        r[i] = load(p + LANES * i);
    }
    transpose(r);
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        forth_step(&r[i], &r[i + 4], load(forth4 + LANES * g));
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        size_t h = i / 2, at = 4 * h + i % 2;

        forth_step(&r[at], &r[at + 2], load(forth2 + 32 * h + LANES * g));
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        forth_step(&r[2 * i], &r[2 * i + 1], load(forth1 + 32 * i + LANES * g));
    }
    transpose(r);
    UNROLL
    for (size_t i = 0; i < LANES; i++) {
        store(p + LANES * i, r[i]);
    }
}

static void back_near(int32_t *p, size_t g)
{
    vec r[LANES];

    UNROLL
    for (size_t i = 0; i < LANES; i++) {
        r[i] = load(p + LANES * i);
    }
    transpose(r);
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        back_step(&r[2 * i], &r[2 * i + 1], load(back1 + 32 * i + LANES * g));
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        size_t h = i / 2, at = 4 * h + i % 2;

        back_step(&r[at], &r[at + 2], load(back2 + 32 * h + LANES * g));
    }
    UNROLL
    for (size_t i = 0; i < 4; i++) {
        back_step(&r[i], &r[i + 4], load(back4 + LANES * g));
    }
    transpose(r);
    UNROLL
    for (size_t i = 0; i < LANES; i++) {
        store(p + LANES * i, r[i]);
    }
}

void cm_mldsa_ntt_avx2(cm_poly *p)
{
    forth_far(p->c);
    for (size_t g = 0; g < 4; g++) {
        forth_near(p->c + 64 * g, g);
    }
}

void cm_mldsa_intt_avx2(cm_poly *p)
{
    const vec scale = _mm256_set1_epi32(SCALE);

    for (size_t g = 0; g < 4; g++) {
        back_near(p->c + 64 * g, g);
    }
    back_far(p->c);
    for (size_t i = 0; i < CM_MLDSA_N; i += LANES) {
        store(p->c + i, montgomery(load(p->c + i), scale));
    }
}

void cm_mldsa_mul_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i += LANES) {
        store(r->c + i, montgomery(load(a->c + i), load(b->c + i)));
    }
}

void cm_mldsa_mul_add_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i += LANES) {
        store(r->c + i,
              _mm256_add_epi32(load(r->c + i), montgomery(load(a->c + i), load(b->c + i))));
    }
}

/* ---- without shuffles ---- */

void cm_mldsa_reduce_avx2(cm_poly *p)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        p->c[i] -= ((p->c[i] + (1 << 22)) >> 23) * Q;
    }
}

void cm_mldsa_positive_avx2(cm_poly *p)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        p->c[i] += (p->c[i] >> 31) & Q;
    }
}

void cm_mldsa_add_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        r->c[i] = a->c[i] + b->c[i];
    }
}

void cm_mldsa_sub_avx2(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        r->c[i] = a->c[i] - b->c[i];
    }
}

bool cm_mldsa_below_avx2(const cm_poly *p, int32_t bound)
{
    int32_t over = 0;

    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        int32_t sign = p->c[i] >> 31;

        over |= bound - 1 - ((p->c[i] ^ sign) - sign); /* negative when it is not below */
    }
    return over >= 0;
}

/* Division by 2 gamma2 as a multiplication; the last class wraps to 0. */
static void decompose(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2, int32_t factor,
                      int shift, int32_t classes)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        int32_t a = w->c[i], h = (((a + 127) >> 7) * factor + (1 << (shift - 1))) >> shift, l;

        h &= (h - classes) >> 31;
        l = a - h * 2 * gamma2;
        l -= (((Q - 1) / 2 - l) >> 31) & Q;
        high->c[i] = h;
        low->c[i] = l;
    }
}

void cm_mldsa_decompose_avx2(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2)
{
    if (gamma2 == (Q - 1) / 32) {
        decompose(high, low, w, (Q - 1) / 32, 1025, 22, 16);
    } else {
        decompose(high, low, w, (Q - 1) / 88, 11275, 24, 44);
    }
}

unsigned cm_mldsa_hint_avx2(cm_poly *h, const cm_poly *high, const cm_poly *low, int32_t gamma2)
{
    int32_t n = 0;

    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        int32_t l = low->c[i], edge = (l == -gamma2) & (high->c[i] != 0);

        h->c[i] = (l > gamma2) | (l < -gamma2) | edge;
        n += h->c[i];
    }
    return (unsigned)n;
}
