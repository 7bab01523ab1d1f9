#ifndef CM_MARKET_U256_H
#define CM_MARKET_U256_H
/*
 * Amounts: unsigned integers of 256 bits, as a chain counts them. Nothing wraps: what does not fit
 * is an error and leaves the output alone. Outputs may be inputs. Amounts are public: time depends
 * on them. Any thread.
 */
#include "base/base.h"

typedef struct {
    uint64_t w[4]; /* least significant first */
} cm_u256;

enum { CM_U256_DEC_MAX = 78 }; /* digits of 2^256 - 1 */

static inline cm_u256 cm_u256_of(uint64_t v)
{
    return (cm_u256){{v, 0, 0, 0}};
}

cm_u256 cm_u256_from_be(const uint8_t p[32]);
void cm_u256_to_be(uint8_t p[32], const cm_u256 *a);
bool cm_u256_is_zero(const cm_u256 *a);
/** -1, 0, 1. */
int cm_u256_compare(const cm_u256 *a, const cm_u256 *b);

/** AMOUNT_OVERFLOW past 2^256 - 1. */
CM_MUST cm_err cm_u256_add(cm_u256 *out, const cm_u256 *a, const cm_u256 *b);
/** AMOUNT_UNDERFLOW when b > a. */
CM_MUST cm_err cm_u256_sub(cm_u256 *out, const cm_u256 *a, const cm_u256 *b);
CM_MUST cm_err cm_u256_mul(cm_u256 *out, const cm_u256 *a, const cm_u256 *b);
/** quotient and remainder, rounded down; either may be NULL. AMOUNT_DIVISION by zero. */
CM_MUST cm_err cm_u256_div(cm_u256 *quotient, cm_u256 *remainder, const cm_u256 *a,
                           const cm_u256 *b);
/** a * b / d, rounded down, the product kept whole in 512 bits. AMOUNT_DIVISION, and
 * AMOUNT_OVERFLOW when the quotient does not fit. */
CM_MUST cm_err cm_u256_mul_div(cm_u256 *out, const cm_u256 *a, const cm_u256 *b, const cm_u256 *d);

/** Decimal digits, no sign, no leading zero. AMOUNT_FORM, AMOUNT_OVERFLOW. */
CM_MUST cm_err cm_u256_parse(cm_u256 *out, cm_view text);
/** NUL-terminated decimal digits. */
void cm_u256_format(char out[CM_U256_DEC_MAX + 1], const cm_u256 *a);

#endif
