#ifndef CM_MARKET_U256_H
#define CM_MARKET_U256_H
/*
 * Amounts: unsigned integers of 256 bits, as a chain counts them. Nothing wraps: what does not fit
 * is an error and leaves the output alone. Outputs may be inputs. Amounts are public: time depends
 * on them. Any thread.
 */
#include <casemate/market.h>

#include "base/base.h"

static inline cm_u256 cm_u256_of(uint64_t v)
{
    return (cm_u256){{v, 0, 0, 0}};
}

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

#endif
