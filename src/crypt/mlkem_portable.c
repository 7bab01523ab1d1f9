/* Polynomials of ML-KEM in plain C: the reference that the other kernel must equal. */
#include "crypt/mlkem_int.h"

#define Q     CM_MLKEM_Q
#define Q_INV -3327 /* q^-1 mod 2^16 */
#define SCALE 1441  /* 2^32 / 128 mod q */
#define MONT2 1353  /* 2^32 mod q */

/* 17^bitrev(i) in Montgomery form (FIPS 203, appendix A). */
static const int16_t zetas[128] = {
    -1044, -758,  -359,  -1517, 1493,  1422,  287,   202,   -171,  622,   1577,  182,   962,
    -1202, -1474, 1468,  573,   -1325, 264,   383,   -829,  1458,  -1602, -130,  -681,  1017,
    732,   608,   -1542, 411,   -205,  -1571, 1223,  652,   -552,  1015,  -1293, 1491,  -282,
    -1544, 516,   -8,    -320,  -666,  -1618, -1162, 126,   1469,  -853,  -90,   -271,  830,
    107,   -1421, -247,  -951,  -398,  961,   -1508, -725,  448,   -1065, 677,   -1275, -1103,
    430,   555,   843,   -1251, 871,   1550,  105,   422,   587,   177,   -235,  -291,  -460,
    1574,  1653,  -246,  778,   1159,  -147,  -777,  1483,  -602,  1119,  -1590, 644,   -872,
    349,   418,   329,   -156,  -75,   817,   1097,  603,   610,   1322,  -1285, -1465, 384,
    -1215, -136,  1218,  -1335, -874,  220,   -1187, -1659, -1185, -1530, -1278, 794,   -1510,
    -854,  -870,  478,   -108,  -308,  996,   991,   958,   -1460, 1522,  1628,
};

/* a b / 2^16 mod q, below q in magnitude if |a b| < 2^15 q. */
static int16_t montgomery(int16_t a, int16_t b)
{
    int32_t p = a * b;
    int16_t t = (int16_t)((uint16_t)p * (uint32_t)(uint16_t)Q_INV);

    return (int16_t)((p - t * Q) >> 16);
}

/* The middle representative, but for the rounding. */
static int16_t middle(int16_t a)
{
    return (int16_t)(a - ((((a * 20159) >> 16) + 512) >> 10) * Q);
}

void cm_mlkem_reduce_portable(cm_kpoly *p)
{
    for (size_t i = 0; i < CM_MLKEM_N; i++)
        p->c[i] = middle(p->c[i]);
}

/* FIPS 203, algorithm 9. */
void cm_mlkem_ntt_portable(cm_kpoly *p)
{
    cm_kpoly r = *p;
    size_t k = 1;

    for (size_t half = 128; half >= 2; half /= 2)
        for (size_t at = 0; at < CM_MLKEM_N; at += 2 * half, k++)
            for (size_t i = at; i < at + half; i++) {
                int16_t t = montgomery(zetas[k], r.c[i + half]);

                r.c[i + half] = (int16_t)(r.c[i] - t);
                r.c[i] = (int16_t)(r.c[i] + t);
            }
    for (size_t i = 0; i < CM_MLKEM_N; i++)
        p->c[cm_mlkem_at(i)] = middle(r.c[i]);
}

/* Algorithm 10. */
void cm_mlkem_intt_portable(cm_kpoly *p)
{
    cm_kpoly r;
    size_t k = 127;

    for (size_t i = 0; i < CM_MLKEM_N; i++)
        r.c[i] = p->c[cm_mlkem_at(i)];
    for (size_t half = 2; half <= 128; half *= 2)
        for (size_t at = 0; at < CM_MLKEM_N; at += 2 * half, k--)
            for (size_t i = at; i < at + half; i++) {
                int16_t t = r.c[i];

                r.c[i] = middle((int16_t)(t + r.c[i + half]));
                r.c[i + half] = montgomery(zetas[k], (int16_t)(r.c[i + half] - t));
            }
    for (size_t i = 0; i < CM_MLKEM_N; i++)
        p->c[i] = montgomery(r.c[i], SCALE);
}

/* Algorithms 11 and 12. */
void cm_mlkem_dot_portable(cm_kpoly *r, const cm_kpoly *a, size_t step, const cm_kpoly *b,
                           unsigned k)
{
    for (size_t i = 0; i < CM_MLKEM_N; i += 2) {
        size_t e = cm_mlkem_at(i), o = cm_mlkem_at(i + 1);
        int16_t zeta = zetas[64 + i / 4], even = 0, odd = 0;

        if (i % 4 != 0)
            zeta = (int16_t)-zeta;
        for (unsigned j = 0; j < k; j++) {
            const int16_t *x = a[j * step].c, *y = b[j].c;

            even =
                (int16_t)(even + montgomery(x[e], y[e]) + montgomery(montgomery(x[o], y[o]), zeta));
            odd = (int16_t)(odd + montgomery(x[e], y[o]) + montgomery(x[o], y[e]));
        }
        r->c[e] = middle(even);
        r->c[o] = middle(odd);
    }
}

void cm_mlkem_lift_portable(cm_kpoly *p)
{
    for (size_t i = 0; i < CM_MLKEM_N; i++)
        p->c[i] = montgomery(p->c[i], MONT2);
}

void cm_mlkem_add_portable(cm_kpoly *r, const cm_kpoly *a)
{
    for (size_t i = 0; i < CM_MLKEM_N; i++)
        r->c[i] = (int16_t)(r->c[i] + a->c[i]);
}
