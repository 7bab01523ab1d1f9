/* Quotes on the HMM curve: spec/market.md, section 8. Whatever is rounded is rounded against the
 * trader. Under the bounds of M-50 nothing here leaves 256 bits; errors of the arithmetic are
 * passed on all the same. */
#include "market/u256.h"

#define ONE UINT64_C(1000000000000000000)

static const cm_u256 limit = {{0, UINT64_C(1) << 32, 0, 0}}; /* 2^96 */

/* The pool as the trader sees it: pays into a, takes from b. */
typedef struct {
    cm_u256 a, b, w, l;
} side;

static bool reserve_ok(const cm_u256 *r)
{
    return !cm_u256_is_zero(r) && cm_u256_compare(r, &limit) < 0;
}

/* M-50 */
static cm_err check(const cm_curve *c)
{
    bool good = reserve_ok(&c->x) && reserve_ok(&c->y) && c->weight <= ONE && c->lambda <= ONE &&
                (c->weight | c->lambda) != 0 && c->fee <= ONE && c->risk <= ONE;

    return good ? CM_OKAY : CM_FAIL(CURVE_PARAMETERS);
}

static side side_of(const cm_curve *c, bool from_y)
{
    return (side){from_y ? c->y : c->x, from_y ? c->x : c->y, cm_u256_of(c->weight),
                  cm_u256_of(c->lambda)};
}

/* p q + r s */
static cm_err products(cm_u256 *out, const cm_u256 *p, const cm_u256 *q, const cm_u256 *r,
                       const cm_u256 *s)
{
    cm_u256 first, second;

    CM_TRY(cm_u256_mul(&first, p, q));
    CM_TRY(cm_u256_mul(&second, r, s));
    return cm_u256_add(out, &first, &second);
}

/* M-50: 2 w a b + l (a^2 + b^2) */
static cm_err invariant(cm_u256 *out, const side *s)
{
    cm_u256 ab, squares;

    CM_TRY(cm_u256_mul(&ab, &s->a, &s->b));
    CM_TRY(cm_u256_add(&ab, &ab, &ab));
    CM_TRY(products(&squares, &s->a, &s->a, &s->b, &s->b));
    return products(out, &s->w, &ab, &s->l, &squares);
}

cm_err cm_curve_invariant(cm_u256 *out, const cm_curve *c)
{
    side s = side_of(c, false);

    CM_TRY(check(c));
    return invariant(out, &s);
}

/* a b / d, rounded up. */
static cm_err mul_div_up(cm_u256 *out, const cm_u256 *a, const cm_u256 *b, const cm_u256 *d)
{
    cm_u256 p, q, r, one = cm_u256_of(1);

    CM_TRY(cm_u256_mul(&p, a, b));
    CM_TRY(cm_u256_div(&q, &r, &p, d));
    if (!cm_u256_is_zero(&r))
        CM_TRY(cm_u256_add(&q, &q, &one));
    *out = q;
    return CM_OKAY;
}

/* M-51 */
static cm_err fee_of(cm_u256 *fee, const cm_curve *c, const side *s, const cm_u256 *in)
{
    const cm_u256 one = cm_u256_of(ONE), base = cm_u256_of(c->fee), risk = cm_u256_of(c->risk);
    cm_u256 rate, taken;

    CM_TRY(mul_div_up(&rate, &risk, in, &s->a));
    CM_TRY(cm_u256_add(&rate, &rate, &base));
    if (cm_u256_compare(&rate, &one) >= 0)
        return CM_FAIL(CURVE_FEE);
    CM_TRY(mul_div_up(&taken, in, &rate, &one));
    if (cm_u256_compare(&taken, in) >= 0)
        return CM_FAIL(CURVE_FEE);
    *fee = taken;
    return CM_OKAY;
}

/* M-52: the least b at which the invariant is not below what it was. It grows with b. */
static cm_err least_b(cm_u256 *out, const side *after, const cm_u256 *kept)
{
    cm_u256 low = {{0}}, high = after->b, one = cm_u256_of(1), two = cm_u256_of(2), now;
    side s = *after;

    while (cm_u256_compare(&low, &high) < 0) {
        CM_TRY(cm_u256_add(&s.b, &low, &high));
        CM_TRY(cm_u256_div(&s.b, NULL, &s.b, &two));
        CM_TRY(invariant(&now, &s));
        if (cm_u256_compare(&now, kept) >= 0)
            high = s.b;
        else
            CM_TRY(cm_u256_add(&low, &s.b, &one));
    }
    *out = low;
    return CM_OKAY;
}

/* M-53: what n units of a are worth in b at the margin, rounded down. */
static cm_err at_price(cm_u256 *out, const side *s, const cm_u256 *n)
{
    cm_u256 over, under;

    CM_TRY(products(&over, &s->w, &s->b, &s->l, &s->a));
    CM_TRY(products(&under, &s->w, &s->a, &s->l, &s->b));
    return cm_u256_mul_div(out, &over, n, &under);
}

static cm_err slippage(uint32_t *bp, const cm_u256 *expected, const cm_u256 *out)
{
    const cm_u256 whole = cm_u256_of(10000);
    cm_u256 lacking, part;

    *bp = 0;
    if (cm_u256_compare(out, expected) >= 0)
        return CM_OKAY;
    CM_TRY(cm_u256_sub(&lacking, expected, out));
    CM_TRY(mul_div_up(&part, &lacking, &whole, expected));
    *bp = (uint32_t)part.w[0];
    return CM_OKAY;
}

/* *after: the reserves that it leads to. */
static cm_err quote(cm_quote *q, side *after, const cm_curve *c, bool from_y, const cm_u256 *in)
{
    const cm_u256 one = cm_u256_of(ONE);
    side s = side_of(c, from_y), t = s;
    cm_u256 kept, expected, rest;
    cm_quote r;

    CM_TRY(check(c));
    if (cm_u256_is_zero(in))
        return CM_FAIL(CURVE_FEE);
    if (cm_u256_compare(in, &limit) >= 0)
        return CM_FAIL(AMOUNT_OVERFLOW);
    CM_TRY(fee_of(&r.fee, c, &s, in));
    CM_TRY(cm_u256_sub(&rest, in, &r.fee));
    CM_TRY(cm_u256_add(&t.a, &s.a, &rest));
    if (cm_u256_compare(&t.a, &limit) >= 0)
        return CM_FAIL(AMOUNT_OVERFLOW);
    CM_TRY(invariant(&kept, &s));
    CM_TRY(least_b(&t.b, &t, &kept));
    if (cm_u256_is_zero(&t.b))
        return CM_FAIL(CURVE_EMPTY);
    CM_TRY(cm_u256_sub(&r.out, &s.b, &t.b));
    CM_TRY(at_price(&r.before, &s, &one));
    CM_TRY(at_price(&r.after, &t, &one));
    CM_TRY(at_price(&expected, &s, in));
    CM_TRY(slippage(&r.slippage_bp, &expected, &r.out));
    *q = r;
    *after = t;
    return CM_OKAY;
}

cm_err cm_curve_quote(cm_quote *q, const cm_curve *c, bool from_y, const cm_u256 *in)
{
    side after;

    return quote(q, &after, c, from_y, in);
}

cm_err cm_curve_swap(cm_curve *c, cm_quote *q, bool from_y, const cm_u256 *in, const cm_u256 *least)
{
    side after;
    cm_quote r;

    CM_TRY(quote(&r, &after, c, from_y, in));
    if (cm_u256_compare(&r.out, least) < 0)
        return CM_FAIL(CURVE_SLIPPAGE);
    c->x = from_y ? after.b : after.a;
    c->y = from_y ? after.a : after.b;
    if (q)
        *q = r;
    return CM_OKAY;
}
