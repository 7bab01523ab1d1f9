/* Amounts for market_python.py: lines "OP a b d" of decimal numbers in; the result, or the error's
 * name, out. */
#include <stdio.h>

#include "market/u256.h"

typedef struct {
    cm_u256 a, b, d;
} numbers;

static cm_err apply(cm_u256 *out, cm_u256 *second, char op, const numbers *x)
{
    switch (op) {
    case '+':
        return cm_u256_add(out, &x->a, &x->b);
    case '-':
        return cm_u256_sub(out, &x->a, &x->b);
    case '*':
        return cm_u256_mul(out, &x->a, &x->b);
    case '/':
        return cm_u256_div(out, second, &x->a, &x->b);
    case 'm':
        return cm_u256_mul_div(out, &x->a, &x->b, &x->d);
    default:
        return CM_FAIL(BAD_ARGUMENT);
    }
}

static cm_err line(char op, char *const text[3])
{
    char digits[CM_U256_DEC_MAX + 1], rest[CM_U256_DEC_MAX + 1];
    cm_u256 out, second = {{0}};
    numbers x;

    CM_TRY(cm_u256_parse(&x.a, cm_view_str(text[0])));
    CM_TRY(cm_u256_parse(&x.b, cm_view_str(text[1])));
    CM_TRY(cm_u256_parse(&x.d, cm_view_str(text[2])));
    CM_TRY(apply(&out, &second, op, &x));
    cm_u256_format(digits, &out);
    cm_u256_format(rest, &second);
    printf("%s %s\n", digits, rest);
    return CM_OKAY;
}

int main(void)
{
    char op, a[128], b[128], d[128];

    while (scanf(" %c %127s %127s %127s", &op, a, b, d) == 4) {
        cm_err e = line(op, (char *const[]){a, b, d});

        if (cm_failed(e))
            printf("%s\n", cm_err_name(e));
    }
    return 0;
}
