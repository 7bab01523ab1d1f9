/* Quotes for curve_python.py: lines "x y weight lambda fee risk from_y in" in; out, fee, prices and
 * slippage, or the error's name, out. Through the public header. */
#include <casemate/market.h>
#include <inttypes.h>
#include <stdio.h>

static cm_err line(cm_curve *c, char x[3][128], int from_y, cm_quote *q)
{
    cm_u256 in;
    cm_err e = cm_u256_parse(&c->x, cm_view_str(x[0]));

    if (cm_ok(e))
        e = cm_u256_parse(&c->y, cm_view_str(x[1]));
    if (cm_ok(e))
        e = cm_u256_parse(&in, cm_view_str(x[2]));
    return cm_ok(e) ? cm_curve_quote(q, c, from_y != 0, &in) : e;
}

static void number(const cm_u256 *a)
{
    char text[CM_U256_DEC_MAX + 1];

    cm_u256_format(text, a);
    printf("%s ", text);
}

int main(void)
{
    char x[3][128];
    int from_y;
    cm_curve c;

    while (scanf(" %127s %127s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %127s", x[0],
                 x[1], &c.weight, &c.lambda, &c.fee, &c.risk, &from_y, x[2]) == 8) {
        cm_quote q;
        cm_err e = line(&c, x, from_y, &q);

        if (cm_failed(e)) {
            printf("%s\n", cm_err_name(e));
            continue;
        }
        number(&q.out);
        number(&q.fee);
        number(&q.before);
        number(&q.after);
        printf("%u\n", q.slippage_bp);
    }
    return 0;
}
