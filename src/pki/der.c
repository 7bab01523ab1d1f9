#include "pki/der_int.h"

enum { LENGTH_BYTES = 3, HEAD_MAX = 2 + LENGTH_BYTES };

static cm_err malformed(void)
{
    return CM_FAIL(KEY_MALFORMED);
}

/* The length behind a tag: one byte below 128, else as few bytes as hold it. K-20 */
static cm_err take_length(cm_der *d, size_t *n)
{
    size_t k, v = 0;

    if (d->p == d->end)
        return malformed();
    k = *d->p++;
    if (k < 0x80) {
        *n = k;
        return CM_OKAY;
    }
    k &= 0x7f;
    if (k == 0 || k > LENGTH_BYTES || k > (size_t)(d->end - d->p) || *d->p == 0)
        return malformed();
    while (k--)
        v = v << 8 | *d->p++;
    if (v < 0x80)
        return malformed();
    *n = v;
    return CM_OKAY;
}

static cm_err take_any(cm_der *d, uint8_t *tag, cm_view *content)
{
    cm_der t = *d;
    size_t n;

    if (t.p == t.end || (*t.p & 0x1f) == 0x1f)
        return malformed();
    *tag = *t.p++;
    CM_TRY(take_length(&t, &n));
    if (n > (size_t)(t.end - t.p))
        return malformed();
    *content = cm_view_of(t.p, n);
    d->p = t.p + n;
    return CM_OKAY;
}

cm_err cm_der_take(cm_der *d, uint8_t tag, cm_view *content)
{
    uint8_t is;

    return cm_der_at(d, tag) ? take_any(d, &is, content) : malformed();
}

cm_err cm_der_enter(cm_der *d, uint8_t tag, cm_der *inside)
{
    cm_view v;

    CM_TRY(cm_der_take(d, tag, &v));
    *inside = cm_der_of(v);
    return CM_OKAY;
}

cm_err cm_der_value(cm_der *d, cm_view *value)
{
    const uint8_t *start = d->p;
    cm_view content;
    uint8_t tag;

    CM_TRY(take_any(d, &tag, &content));
    *value = cm_view_of(start, (size_t)(d->p - start));
    return CM_OKAY;
}

cm_err cm_der_u31(cm_der *d, uint32_t *v)
{
    cm_view c;
    uint32_t x = 0;

    CM_TRY(cm_der_take(d, CM_DER_INTEGER, &c));
    if (c.n == 0 || c.n > 4 || c.p[0] & 0x80)
        return malformed();
    if (c.n > 1 && c.p[0] == 0 && !(c.p[1] & 0x80))
        return malformed();
    for (size_t i = 0; i < c.n; i++)
        x = x << 8 | c.p[i];
    *v = x;
    return CM_OKAY;
}

cm_err cm_der_bits(cm_der *d, uint8_t tag, cm_view *bytes)
{
    cm_view c;

    CM_TRY(cm_der_take(d, tag, &c));
    if (c.n == 0 || c.p[0] != 0)
        return malformed();
    *bytes = cm_view_sub(c, 1, c.n - 1);
    return CM_OKAY;
}

cm_err cm_der_end(const cm_der *d)
{
    return d->p == d->end ? CM_OKAY : malformed();
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err head(uint8_t out[HEAD_MAX], size_t *len, uint8_t tag, size_t n)
{
    size_t k = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : LENGTH_BYTES;

    if (n >> (8 * LENGTH_BYTES))
        return CM_FAIL(TOO_BIG);
    out[0] = tag;
    out[1] = (uint8_t)(k ? 0x80 | k : n);
    for (size_t i = 0; i < k; i++)
        out[2 + i] = (uint8_t)(n >> (8 * (k - 1 - i)));
    *len = 2 + k;
    return CM_OKAY;
}

cm_err cm_der_put(cm_buf *b, uint8_t tag, cm_view content)
{
    uint8_t h[HEAD_MAX];
    size_t n;

    CM_TRY(head(h, &n, tag, content.n));
    CM_TRY(cm_buf_reserve(b, n + content.n));
    CM_TRY(cm_buf_append(b, cm_view_of(h, n)));
    return cm_buf_append(b, content);
}

cm_err cm_der_wrap(cm_buf *b, size_t at, uint8_t tag)
{
    uint8_t h[HEAD_MAX];
    size_t n, body = b->n - at;

    CM_TRY(head(h, &n, tag, body));
    CM_TRY(cm_buf_reserve(b, n));
    memmove(b->p + at + n, b->p + at, body);
    memcpy(b->p + at, h, n);
    b->n += n;
    return CM_OKAY;
}

cm_err cm_der_put_u31(cm_buf *b, uint32_t v)
{
    uint8_t t[4];
    size_t at = 0;

    if (v >> 31)
        return CM_FAIL(BAD_ARGUMENT);
    cm_put_be32(t, v);
    while (at < 3 && t[at] == 0 && !(t[at + 1] & 0x80))
        at++;
    return cm_der_put(b, CM_DER_INTEGER, cm_view_of(t + at, sizeof t - at));
}

cm_err cm_der_put_bits(cm_buf *b, uint8_t tag, cm_view bytes)
{
    size_t at = b->n;

    CM_TRY(cm_buf_byte(b, 0));
    CM_TRY(cm_buf_append(b, bytes));
    return cm_der_wrap(b, at, tag);
}
