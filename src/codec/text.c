#include "codec/text.h"

#include "codec/text_int.h"

/* ---- hex ---------------------------------------------------------------------------------- */

static uint8_t hex_digit(uint32_t x)
{
    return (uint8_t)('0' + x + (in_range(x, 10, 15) & ('a' - '0' - 10)));
}

cm_err cm_hex_encode(cm_buf *out, cm_view v)
{
    size_t n;
    uint8_t *q;

    if (!cm_mul_size(&n, v.n, 2))
        return CM_FAIL(OVERFLOW);
    CM_TRY(cm_buf_reserve(out, n));
    if (n == 0)
        return CM_OKAY;
    q = out->p + out->n;
    for (size_t i = 0; i < v.n; i++) {
        *q++ = hex_digit(v.p[i] >> 4);
        *q++ = hex_digit(v.p[i] & 15);
    }
    out->n += n;
    return CM_OKAY;
}

static uint32_t hex_value(uint32_t *bad, uint32_t c)
{
    uint32_t digit = in_range(c, '0', '9'), lower = in_range(c, 'a', 'f'),
             upper = in_range(c, 'A', 'F');

    *bad |= ~(digit | lower | upper);
    return (digit & (c - '0')) | (lower & (c - 'a' + 10)) | (upper & (c - 'A' + 10));
}

cm_err cm_hex_decode(cm_buf *out, cm_view text)
{
    size_t n = text.n / 2;
    uint32_t bad = 0;
    uint8_t *q;

    if (text.n % 2)
        return CM_FAIL(HEX_MALFORMED);
    CM_TRY(cm_buf_reserve(out, n));
    if (n == 0)
        return CM_OKAY;
    q = out->p + out->n;
    for (size_t i = 0; i < n; i++) {
        uint32_t high = hex_value(&bad, text.p[2 * i]);

        q[i] = (uint8_t)(high << 4 | hex_value(&bad, text.p[2 * i + 1]));
    }
    CM_DECLASSIFY(&bad, sizeof bad); /* the verdict is what the caller learns */
    if (bad) {
        cm_wipe(q, n);
        return CM_FAIL(HEX_MALFORMED);
    }
    out->n += n;
    return CM_OKAY;
}

/* ---- UTF-8 -------------------------------------------------------------------------------- */

static size_t ascii_prefix(const uint8_t *p, size_t n)
{
    size_t i = 0;

    while (n - i >= 8 && (cm_get_le64(p + i) & 0x8080808080808080u) == 0)
        i += 8;
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

/* The length of the well-formed sequence at p, which does not begin with ASCII; 0 for none. The
 * bounds of the second byte are those of table 3-7 of the Unicode standard. */
static size_t sequence(const uint8_t *p, size_t left)
{
    uint8_t c = p[0], lo = 0x80, hi = 0xbf;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c < 0xc2 || c > 0xf4 || left < n)
        return 0;
    if (c == 0xe0)
        lo = 0xa0;
    else if (c == 0xed)
        hi = 0x9f;
    else if (c == 0xf0)
        lo = 0x90;
    else if (c == 0xf4)
        hi = 0x8f;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t cm_utf8_prefix(cm_view v)
{
    size_t i = 0;

    while (i < v.n) {
        size_t n = ascii_prefix(v.p + i, v.n - i);

        i += n;
        if (i == v.n)
            break;
        n = sequence(v.p + i, v.n - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

bool cm_utf8_valid(cm_view v)
{
    return cm_utf8_prefix(v) == v.n;
}

/* ---- numbers ------------------------------------------------------------------------------ */

cm_err cm_dec_u64(uint64_t *out, cm_view text)
{
    uint64_t x = 0;

    if (text.n == 0 || (text.n > 1 && text.p[0] == '0'))
        return CM_FAIL(NUMBER_MALFORMED);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];

        if (c < '0' || c > '9')
            return CM_FAIL(NUMBER_MALFORMED);
        if (!cm_mul_u64(&x, x, 10) || !cm_add_u64(&x, x, c - (uint8_t)'0'))
            return CM_FAIL(NUMBER_MALFORMED);
    }
    *out = x;
    return CM_OKAY;
}

cm_err cm_dec_size(uint64_t *out, cm_view text)
{
    static const char units[] = "KMGTPE";
    uint64_t x, unit = 1;
    const char *u;

    if (text.n > 2 && text.p[text.n - 2] == 'i' && text.p[text.n - 1] == 'B') {
        text.n -= 2;
        if (text.p[text.n - 1] <= '9')
            return CM_FAIL(NUMBER_MALFORMED);
    }
    u = text.n ? memchr(units, text.p[text.n - 1], sizeof units - 1) : NULL;
    if (u) {
        text.n--;
        unit = (uint64_t)1 << 10 * (u - units + 1);
    }
    CM_TRY(cm_dec_u64(&x, text));
    if (!cm_mul_u64(&x, x, unit))
        return CM_FAIL(NUMBER_MALFORMED);
    *out = x;
    return CM_OKAY;
}
