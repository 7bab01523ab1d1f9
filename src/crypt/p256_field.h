#ifndef CM_CRYPT_P256_FIELD_H
#define CM_CRYPT_P256_FIELD_H
/* The field of P-256: numbers below p = 2^256 - 2^224 + 2^192 + 2^96 - 1 in Montgomery form, R =
 * 2^256. Reduced whenever they are stored, so that equal numbers have equal limbs. */
#include "crypt/kernel_int.h"
#include "crypt/p256_int.h"

__extension__ typedef unsigned __int128 cm_u128;
typedef cm_p256_num fe;

#define P1 0x00000000ffffffffull
#define P3 0xffffffff00000001ull

/* x, with a carry above it, less p once if it is not below. */
INLINE void fe_once(fe *out, const uint64_t x[4], uint64_t carry)
{
    const uint64_t p[4] = {UINT64_MAX, P1, 0, P3};
    uint64_t d[4], borrow = 0, keep;

    UNROLL
    for (int i = 0; i < 4; i++) {
        cm_u128 t = (cm_u128)x[i] - p[i] - borrow;

        d[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    keep = 0 - (uint64_t)(carry < borrow);
    UNROLL
    for (int i = 0; i < 4; i++)
        out->v[i] = (x[i] & keep) | (d[i] & ~keep);
}

/* t / 2^256 mod p for t < p 2^256. p is -1 modulo 2^64, so that each step's multiple of p is the
 * lowest limb itself, and adding limb * p clears it: limb * 2^96 and limb * P3 * 2^192 remain. */
INLINE void fe_reduce(fe *out, uint64_t t[8])
{
    uint64_t top = 0;

    UNROLL
    for (int i = 0; i < 4; i++) {
        uint64_t m = t[i];
        cm_u128 a = (cm_u128)m << 32;

        a += t[i + 1];
        t[i + 1] = (uint64_t)a;
        a = (a >> 64) + t[i + 2];
        t[i + 2] = (uint64_t)a;
        a = (a >> 64) + (cm_u128)m * P3 + t[i + 3];
        t[i + 3] = (uint64_t)a;
        a = (a >> 64) + t[i + 4] + top;
        t[i + 4] = (uint64_t)a;
        top = (uint64_t)(a >> 64);
    }
    fe_once(out, t + 4, top);
}

INLINE void fe_mul(fe *out, const fe *x, const fe *y)
{
    uint64_t t[8] = {0};

    UNROLL
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;

        UNROLL
        for (int j = 0; j < 4; j++) {
            cm_u128 a = (cm_u128)x->v[i] * y->v[j] + t[i + j] + carry;

            t[i + j] = (uint64_t)a;
            carry = (uint64_t)(a >> 64);
        }
        t[i + 4] = carry;
    }
    fe_reduce(out, t);
}

INLINE void fe_sqr(fe *out, const fe *x)
{
    const uint64_t *v = x->v;
    uint64_t t[8], carry = 0;
    cm_u128 a = (cm_u128)v[0] * v[1], b, c;

    t[1] = (uint64_t)a;
    a = (a >> 64) + (cm_u128)v[0] * v[2];
    t[2] = (uint64_t)a;
    a = (a >> 64) + (cm_u128)v[0] * v[3];
    b = (cm_u128)v[1] * v[2] + (uint64_t)a;
    t[3] = (uint64_t)b;
    c = (cm_u128)v[1] * v[3] + (uint64_t)(a >> 64);
    c += (uint64_t)(b >> 64);
    t[4] = (uint64_t)c;
    c = (c >> 64) + (cm_u128)v[2] * v[3];
    t[5] = (uint64_t)c;
    t[6] = (uint64_t)(c >> 64);
    t[7] = t[6] >> 63;
    UNROLL
    for (int i = 6; i > 1; i--)
        t[i] = t[i] << 1 | t[i - 1] >> 63;
    t[1] <<= 1;
    t[0] = 0;
    UNROLL
    for (int i = 0; i < 4; i++) {
        cm_u128 s = (cm_u128)v[i] * v[i];
        cm_u128 d = (cm_u128)t[2 * i] + (uint64_t)s + carry;

        t[2 * i] = (uint64_t)d;
        d = (cm_u128)t[2 * i + 1] + (uint64_t)(s >> 64) + (uint64_t)(d >> 64);
        t[2 * i + 1] = (uint64_t)d;
        carry = (uint64_t)(d >> 64);
    }
    fe_reduce(out, t);
}

INLINE void fe_add(fe *out, const fe *x, const fe *y)
{
    uint64_t t[4], carry = 0;

    UNROLL
    for (int i = 0; i < 4; i++) {
        cm_u128 a = (cm_u128)x->v[i] + y->v[i] + carry;

        t[i] = (uint64_t)a;
        carry = (uint64_t)(a >> 64);
    }
    fe_once(out, t, carry);
}

INLINE void fe_sub(fe *out, const fe *x, const fe *y)
{
    uint64_t t[4], borrow = 0, mask, carry = 0;

    UNROLL
    for (int i = 0; i < 4; i++) {
        cm_u128 a = (cm_u128)x->v[i] - y->v[i] - borrow;

        t[i] = (uint64_t)a;
        borrow = (uint64_t)(a >> 64) & 1;
    }
    mask = 0 - borrow;
    const uint64_t p[4] = {mask, mask & P1, 0, mask & P3};

    UNROLL
    for (int i = 0; i < 4; i++) {
        cm_u128 a = (cm_u128)t[i] + p[i] + carry;

        out->v[i] = (uint64_t)a;
        carry = (uint64_t)(a >> 64);
    }
}

INLINE bool fe_is_zero(const fe *x)
{
    return (x->v[0] | x->v[1] | x->v[2] | x->v[3]) == 0;
}

INLINE bool fe_equal(const fe *x, const fe *y)
{
    return ((x->v[0] ^ y->v[0]) | (x->v[1] ^ y->v[1]) | (x->v[2] ^ y->v[2]) |
            (x->v[3] ^ y->v[3])) == 0;
}

#endif
