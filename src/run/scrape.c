/* Reading metrics. */
#include "run/scrape.h"

#include <math.h>

enum { DIGITS = 30, EXPONENT = 300 };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool take(cm_view *v, uint8_t c)
{
    if (v->n == 0 || v->p[0] != c)
        return false;
    *v = cm_view_sub(*v, 1, v->n - 1);
    return true;
}

static cm_view take_while(cm_view *v, bool (*is)(uint8_t))
{
    size_t n = 0;
    cm_view got;

    while (n < v->n && is(v->p[n]))
        n++;
    got = cm_view_sub(*v, 0, n);
    *v = cm_view_sub(*v, n, v->n - n);
    return got;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static double whole(cm_view digits)
{
    double d = 0;

    for (size_t i = 0; i < digits.n; i++)
        d = d * 10 + (digits.p[i] - '0');
    return d;
}

static double times_ten(double d, int n)
{
    for (; n > 0; n--)
        d *= 10;
    for (; n < 0; n++)
        d /= 10;
    return d;
}

static cm_err exponent(cm_view *v, int *e)
{
    bool minus;
    cm_view digits;

    if (!take(v, 'e') && !take(v, 'E'))
        return CM_OKAY;
    minus = take(v, '-');
    if (!minus)
        (void)take(v, '+');
    digits = take_while(v, is_digit);
    if (digits.n == 0 || digits.n > 3 || whole(digits) > EXPONENT)
        return CM_FAIL(METRICS_TEXT);
    *e = minus ? -(int)whole(digits) : (int)whole(digits);
    return CM_OKAY;
}

cm_err cm_scrape_number(double *out, cm_view v)
{
    bool minus = take(&v, '-');
    cm_view before, behind = {0};
    double d;
    int e = 0;

    if (v.n == 0)
        return CM_FAIL(METRICS_TEXT);
    if (!minus && cm_view_eq(v, CM_LIT("+Inf"))) {
        *out = (double)INFINITY;
        return CM_OKAY;
    }
    before = take_while(&v, is_digit);
    if (take(&v, '.'))
        behind = take_while(&v, is_digit);
    CM_TRY(exponent(&v, &e));
    if (before.n + behind.n == 0 || before.n > DIGITS || behind.n > DIGITS || v.n)
        return CM_FAIL(METRICS_TEXT);
    d = times_ten(whole(before) + times_ten(whole(behind), -(int)behind.n), e);
    *out = minus ? -d : d;
    return CM_OKAY;
}

/* ---- lines --------------------------------------------------------------------------------- */

static bool in_quotes(uint8_t c)
{
    return c >= ' ' && c != '"' && c != '\\';
}

static cm_err labels(cm_view *line, cm_sample *s)
{
    if (!take(line, '{'))
        return CM_OKAY;
    do {
        if (s->labels_n == CM_SCRAPE_LABELS)
            return CM_FAIL(METRICS_TEXT);
        s->label[s->labels_n].name = take_while(line, is_name);
        if (!take(line, '=') || !take(line, '"'))
            return CM_FAIL(METRICS_TEXT);
        s->label[s->labels_n++].value = take_while(line, in_quotes);
        if (!take(line, '"'))
            return CM_FAIL(METRICS_TEXT);
    } while (take(line, ','));
    return take(line, '}') ? CM_OKAY : CM_FAIL(METRICS_TEXT);
}

static cm_err sample(cm_view line, cm_sample *out)
{
    cm_sample s = {.labels_n = 0};

    s.name = take_while(&line, is_name);
    CM_TRY(labels(&line, &s));
    if (s.name.n == 0 || !take(&line, ' '))
        return CM_FAIL(METRICS_TEXT);
    CM_TRY(cm_scrape_number(&s.value, line));
    *out = s;
    return CM_OKAY;
}

cm_err cm_scrape_next(cm_view *text, cm_sample *out, bool *got)
{
    cm_view rest = *text;

    *got = false;
    while (rest.n) {
        const uint8_t *nl = memchr(rest.p, '\n', rest.n);
        size_t n = nl ? (size_t)(nl - rest.p) : rest.n;
        cm_view line = cm_view_sub(rest, 0, n);

        rest = cm_view_sub(rest, nl ? n + 1 : n, rest.n - n - (nl ? 1 : 0));
        if (line.n == 0 || line.p[0] == '#')
            continue;
        CM_TRY(sample(line, out));
        *text = rest;
        *got = true;
        return CM_OKAY;
    }
    *text = rest;
    return CM_OKAY;
}

cm_view cm_sample_label(const cm_sample *s, const char *name)
{
    for (size_t i = 0; i < s->labels_n; i++)
        if (cm_view_eq(s->label[i].name, cm_view_str(name)))
            return s->label[i].value;
    return (cm_view){0};
}
