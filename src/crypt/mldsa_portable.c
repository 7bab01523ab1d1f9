/* Polynomials of ML-DSA in plain C: the reference that the other kernel must equal. */
#include "crypt/mldsa_int.h"

#define Q     CM_MLDSA_Q
#define Q_INV 58728449u /* q^-1 mod 2^32 */
#define SCALE 41978     /* 2^64 / 256 mod q */

/* zeta^bitrev(i) in Montgomery form (FIPS 204, appendix B). */
static const int32_t zetas[CM_MLDSA_N] = {
    -4186625, 25847,    -2608894, -518909,  237124,   -777960,  -876248,  466468,   1826347,
    2353451,  -359251,  -2091905, 3119733,  -2884855, 3111497,  2680103,  2725464,  1024112,
    -1079900, 3585928,  -549488,  -1119584, 2619752,  -2108549, -2118186, -3859737, -1399561,
    -3277672, 1757237,  -19422,   4010497,  280005,   2706023,  95776,    3077325,  3530437,
    -1661693, -3592148, -2537516, 3915439,  -3861115, -3043716, 3574422,  -2867647, 3539968,
    -300467,  2348700,  -539299,  -1699267, -1643818, 3505694,  -3821735, 3507263,  -2140649,
    -1600420, 3699596,  811944,   531354,   954230,   3881043,  3900724,  -2556880, 2071892,
    -2797779, -3930395, -1528703, -3677745, -3041255, -1452451, 3475950,  2176455,  -1585221,
    -1257611, 1939314,  -4083598, -1000202, -3190144, -3157330, -3632928, 126922,   3412210,
    -983419,  2147896,  2715295,  -2967645, -3693493, -411027,  -2477047, -671102,  -1228525,
    -22981,   -1308169, -381987,  1349076,  1852771,  -1430430, -3343383, 264944,   508951,
    3097992,  44288,    -1100098, 904516,   3958618,  -3724342, -8578,    1653064,  -3249728,
    2389356,  -210977,  759969,   -1316856, 189548,   -3553272, 3159746,  -1851402, -2409325,
    -177440,  1315589,  1341330,  1285669,  -1584928, -812732,  -1439742, -3019102, -3881060,
    -3628969, 3839961,  2091667,  3407706,  2316500,  3817976,  -3342478, 2244091,  -2446433,
    -3562462, 266997,   2434439,  -1235728, 3513181,  -3520352, -3759364, -1197226, -3193378,
    900702,   1859098,  909542,   819034,   495491,   -1613174, -43260,   -522500,  -655327,
    -3122442, 2031748,  3207046,  -3556995, -525098,  -768622,  -3595838, 342297,   286988,
    -2437823, 4108315,  3437287,  -3342277, 1735879,  203044,   2842341,  2691481,  -2590150,
    1265009,  4055324,  1247620,  2486353,  1595974,  -3767016, 1250494,  2635921,  -3548272,
    -2994039, 1869119,  1903435,  -1050970, -1333058, 1237275,  -3318210, -1430225, -451100,
    1312455,  3306115,  -1962642, -1279661, 1917081,  -2546312, -1374803, 1500165,  777191,
    2235880,  3406031,  -542412,  -2831860, -1671176, -1846953, -2584293, -3724270, 594136,
    -3776993, -2013608, 2432395,  2454455,  -164721,  1957272,  3369112,  185531,   -1207385,
    -3183426, 162844,   1616392,  3014001,  810149,   1652634,  -3694233, -1799107, -3038916,
    3523897,  3866901,  269760,   2213111,  -975884,  1717735,  472078,   -426683,  1723600,
    -1803090, 1910376,  -1667432, -1104333, -260646,  -3833893, -2939036, -2235985, -420899,
    -2286327, 183443,   -976891,  1612842,  -3545687, -554416,  3919660,  -48306,   -1362209,
    3937738,  1400424,  -846154,  1976782,
};

/* a / 2^32 mod q, below q in magnitude if |a| < 2^31 q. */
static int32_t montgomery(int64_t a)
{
    int32_t t = (int32_t)((uint32_t)a * Q_INV);

    return (int32_t)((a - (int64_t)t * Q) >> 32);
}

/* FIPS 204, algorithm 41. */
void cm_mldsa_ntt_portable(cm_poly *p)
{
    int32_t *c = p->c;
    size_t k = 1;

    for (size_t half = CM_MLDSA_N / 2; half > 0; half /= 2)
        for (size_t at = 0; at < CM_MLDSA_N; at += 2 * half, k++)
            for (size_t i = at; i < at + half; i++) {
                int32_t t = montgomery((int64_t)zetas[k] * c[i + half]);

                c[i + half] = c[i] - t;
                c[i] += t;
            }
}

/* Algorithm 42. */
void cm_mldsa_intt_portable(cm_poly *p)
{
    int32_t *c = p->c;
    size_t k = CM_MLDSA_N - 1;

    for (size_t half = 1; half < CM_MLDSA_N; half *= 2)
        for (size_t at = 0; at < CM_MLDSA_N; at += 2 * half, k--)
            for (size_t i = at; i < at + half; i++) {
                int32_t t = c[i];

                c[i] = t + c[i + half];
                c[i + half] = montgomery(-(int64_t)zetas[k] * (t - c[i + half]));
            }
    for (size_t i = 0; i < CM_MLDSA_N; i++)
        c[i] = montgomery((int64_t)SCALE * c[i]);
}

void cm_mldsa_mul_portable(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++)
        r->c[i] = montgomery((int64_t)a->c[i] * b->c[i]);
}

void cm_mldsa_mul_add_portable(cm_poly *r, const cm_poly *a, const cm_poly *b)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++)
        r->c[i] += montgomery((int64_t)a->c[i] * b->c[i]);
}

void cm_mldsa_reduce_portable(cm_poly *p)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++)
        p->c[i] -= ((p->c[i] + (1 << 22)) >> 23) * Q;
}

void cm_mldsa_positive_portable(cm_poly *p)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++)
        p->c[i] += (p->c[i] >> 31) & Q;
}

bool cm_mldsa_below_portable(const cm_poly *p, int32_t bound)
{
    bool below = true;

    for (size_t i = 0; i < CM_MLDSA_N; i++)
        below &= p->c[i] < bound && p->c[i] > -bound;
    return below;
}

/* Algorithm 36, with the division that it is written with. */
void cm_mldsa_decompose_portable(cm_poly *high, cm_poly *low, const cm_poly *w, int32_t gamma2)
{
    for (size_t i = 0; i < CM_MLDSA_N; i++) {
        int32_t r = w->c[i], l = r % (2 * gamma2);

        if (l > gamma2)
            l -= 2 * gamma2;
        high->c[i] = r - l == Q - 1 ? 0 : (r - l) / (2 * gamma2);
        low->c[i] = r - l == Q - 1 ? l - 1 : l;
    }
}
