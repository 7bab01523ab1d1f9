#include "market/u256.h"

__extension__ typedef unsigned __int128 wide;

enum { WORDS = 4 };

cm_u256 cm_u256_from_be(const uint8_t p[32])
{
    cm_u256 a;

    for (size_t i = 0; i < WORDS; i++)
        a.w[i] = cm_get_be64(p + 8 * (WORDS - 1 - i));
    return a;
}

void cm_u256_to_be(uint8_t p[32], const cm_u256 *a)
{
    for (size_t i = 0; i < WORDS; i++)
        cm_put_be64(p + 8 * (WORDS - 1 - i), a->w[i]);
}

bool cm_u256_is_zero(const cm_u256 *a)
{
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

int cm_u256_compare(const cm_u256 *a, const cm_u256 *b)
{
    for (size_t i = WORDS; i-- > 0;) {
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    }
    return 0;
}

cm_err cm_u256_add(cm_u256 *out, const cm_u256 *a, const cm_u256 *b)
{
    cm_u256 r;
    wide carry = 0;

    for (size_t i = 0; i < WORDS; i++) {
        carry += (wide)a->w[i] + b->w[i];
        r.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry != 0)
        return CM_FAIL(AMOUNT_OVERFLOW);
    *out = r;
    return CM_OKAY;
}

/* a - b mod 2^256. */
static cm_u256 wrap_sub(const cm_u256 *a, const cm_u256 *b)
{
    cm_u256 r;
    uint64_t borrow = 0;

    for (size_t i = 0; i < WORDS; i++) {
        wide d = (wide)a->w[i] - b->w[i] - borrow;

        r.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return r;
}

cm_err cm_u256_sub(cm_u256 *out, const cm_u256 *a, const cm_u256 *b)
{
    if (cm_u256_compare(a, b) < 0)
        return CM_FAIL(AMOUNT_UNDERFLOW);
    *out = wrap_sub(a, b);
    return CM_OKAY;
}

static void product(uint64_t out[2 * WORDS], const cm_u256 *a, const cm_u256 *b)
{
    memset(out, 0, 2 * WORDS * sizeof *out);
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t carry = 0;

        for (size_t j = 0; j < WORDS; j++) {
            wide t = (wide)a->w[i] * b->w[j] + out[i + j] + carry;

            out[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        out[i + WORDS] = carry;
    }
}

static bool fits(const uint64_t p[2 * WORDS])
{
    return (p[4] | p[5] | p[6] | p[7]) == 0;
}

cm_err cm_u256_mul(cm_u256 *out, const cm_u256 *a, const cm_u256 *b)
{
    uint64_t p[2 * WORDS];

    product(p, a, b);
    if (!fits(p))
        return CM_FAIL(AMOUNT_OVERFLOW);
    memcpy(out->w, p, sizeof out->w);
    return CM_OKAY;
}

/* The remainder twice, plus the next bit of the numerator; true when it reached the divisor, which
 * is then taken off. The bit that leaves the 256 counts too: r < d, so 2r + 1 < 2d. */
static bool step(cm_u256 *r, const cm_u256 *d, uint64_t bit)
{
    uint64_t out = r->w[3] >> 63;

    for (size_t i = WORDS - 1; i > 0; i--)
        r->w[i] = r->w[i] << 1 | r->w[i - 1] >> 63;
    r->w[0] = r->w[0] << 1 | bit;
    if (out == 0 && cm_u256_compare(r, d) < 0)
        return false;
    *r = wrap_sub(r, d);
    return true;
}

/* p in place becomes p / d; returns the remainder. d is not zero. */
static cm_u256 long_division(uint64_t p[2 * WORDS], const cm_u256 *d)
{
    cm_u256 r = {{0}};

    for (size_t bit = 2 * WORDS * 64; bit-- > 0;) {
        uint64_t mask = (uint64_t)1 << bit % 64, *word = &p[bit / 64];

        if (step(&r, d, (*word & mask) != 0))
            *word |= mask;
        else
            *word &= ~mask;
    }
    return r;
}

cm_err cm_u256_div(cm_u256 *quotient, cm_u256 *remainder, const cm_u256 *a, const cm_u256 *b)
{
    uint64_t p[2 * WORDS] = {a->w[0], a->w[1], a->w[2], a->w[3]};
    cm_u256 r;

    if (cm_u256_is_zero(b))
        return CM_FAIL(AMOUNT_DIVISION);
    r = long_division(p, b);
    if (quotient)
        memcpy(quotient->w, p, sizeof quotient->w);
    if (remainder)
        *remainder = r;
    return CM_OKAY;
}

cm_err cm_u256_mul_div(cm_u256 *out, const cm_u256 *a, const cm_u256 *b, const cm_u256 *d)
{
    uint64_t p[2 * WORDS];

    if (cm_u256_is_zero(d))
        return CM_FAIL(AMOUNT_DIVISION);
    product(p, a, b);
    (void)long_division(p, d);
    if (!fits(p))
        return CM_FAIL(AMOUNT_OVERFLOW);
    memcpy(out->w, p, sizeof out->w);
    return CM_OKAY;
}

cm_err cm_u256_parse(cm_u256 *out, cm_view text)
{
    const cm_u256 ten = cm_u256_of(10);
    cm_u256 r = {{0}};

    if (text.n == 0 || (text.n > 1 && text.p[0] == '0'))
        return CM_FAIL(AMOUNT_FORM);
    for (size_t i = 0; i < text.n; i++) {
        cm_u256 digit = cm_u256_of((uint64_t)text.p[i] - '0');

        if (text.p[i] < '0' || text.p[i] > '9')
            return CM_FAIL(AMOUNT_FORM);
        CM_TRY(cm_u256_mul(&r, &r, &ten));
        CM_TRY(cm_u256_add(&r, &r, &digit));
    }
    *out = r;
    return CM_OKAY;
}

/* One digit off the end of r. */
static char last_digit(cm_u256 *r)
{
    uint64_t rest = 0;

    for (size_t i = WORDS; i-- > 0;) {
        wide t = (wide)rest << 64 | r->w[i];

        r->w[i] = (uint64_t)(t / 10);
        rest = (uint64_t)(t % 10);
    }
    return (char)('0' + rest);
}

void cm_u256_format(char out[CM_U256_DEC_MAX + 1], const cm_u256 *a)
{
    char digits[CM_U256_DEC_MAX];
    cm_u256 r = *a;
    size_t n = 0;

    do
        digits[n++] = last_digit(&r);
    while (!cm_u256_is_zero(&r));
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = 0;
}
