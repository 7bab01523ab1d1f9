#include <endian.h>

#include "codec/text.h"
#include "codec/text_int.h"

static uint8_t encode_six(uint32_t x, bool url)
{
    uint32_t c62 = url ? '-' : '+', c63 = url ? '_' : '/';

    return (uint8_t)((in_range(x, 0, 25) & (x + 'A')) | (in_range(x, 26, 51) & (x - 26 + 'a')) |
                     (in_range(x, 52, 61) & (x - 52 + '0')) | (in_range(x, 62, 62) & c62) |
                     (in_range(x, 63, 63) & c63));
}

static uint32_t decode_six(uint32_t *bad, uint32_t c, bool url)
{
    uint32_t c62 = url ? '-' : '+', c63 = url ? '_' : '/';
    uint32_t upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z'),
             digit = in_range(c, '0', '9'), is62 = in_range(c, c62, c62),
             is63 = in_range(c, c63, c63);

    *bad |= ~(upper | lower | digit | is62 | is63);
    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) |
           (is63 & 63);
}

/* The same for sixteen at once: comparisons of vectors are masks, so nothing branches either. */
typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint64_t pair __attribute__((vector_size(16)));

static inline lanes lanes_in(lanes c, uint8_t lo, uint8_t hi)
{
    return (lanes)((c >= lo) & (c <= hi));
}

static lanes encode_lanes(lanes x, bool url)
{
    uint8_t c62 = url ? '-' : '+', c63 = url ? '_' : '/';

    return (lanes_in(x, 0, 25) & (x + 'A')) | (lanes_in(x, 26, 51) & (x - 26 + 'a')) |
           (lanes_in(x, 52, 61) & (x - 52 + '0')) | (lanes_in(x, 62, 62) & c62) |
           (lanes_in(x, 63, 63) & c63);
}

static lanes decode_lanes(lanes *bad, lanes c, bool url)
{
    uint8_t c62 = url ? '-' : '+', c63 = url ? '_' : '/';
    lanes upper = lanes_in(c, 'A', 'Z'), lower = lanes_in(c, 'a', 'z'),
          digit = lanes_in(c, '0', '9'), is62 = lanes_in(c, c62, c62), is63 = lanes_in(c, c63, c63);

    *bad |= ~(upper | lower | digit | is62 | is63);
    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) |
           (is63 & 63);
}

/* The 24 low bits of t as four sextets, the first in the lowest byte. */
static inline uint64_t sextets(uint64_t t)
{
    return (t >> 18 & 63) | (t >> 12 & 63) << 8 | (t >> 6 & 63) << 16 | (t & 63) << 24;
}

/* Twelve bytes at p as sixteen characters at q. Sextets are put together in registers: sixteen
 * bytes stored one by one would be waited for when they are loaded as one vector. */
static void encode_twelve(uint8_t *q, const uint8_t *p, bool url)
{
    uint64_t a = cm_get_be64(p) >> 16, b = cm_get_be64(p + 4);
    pair six = {htole64(sextets(a >> 24) | sextets(a) << 32),
                htole64(sextets(b >> 24) | sextets(b) << 32)};
    lanes x = (lanes)six;

    x = encode_lanes(x, url);
    memcpy(q, &x, sizeof x);
}

/* Sixteen characters at p as twelve bytes at q. */
static void decode_sixteen(uint8_t *q, const uint8_t *p, lanes *bad, bool url)
{
    uint8_t six[16];
    lanes x;

    memcpy(&x, p, sizeof x);
    x = decode_lanes(bad, x, url);
    memcpy(six, &x, sizeof x);
    for (size_t i = 0; i < 4; i++) {
        uint32_t t = (uint32_t)six[4 * i] << 18 | (uint32_t)six[4 * i + 1] << 12 |
                     (uint32_t)six[4 * i + 2] << 6 | six[4 * i + 3];

        q[3 * i] = (uint8_t)(t >> 16);
        q[3 * i + 1] = (uint8_t)(t >> 8);
        q[3 * i + 2] = (uint8_t)t;
    }
}

/* The last one or two bytes: two or three characters, the spare bits zero. */
static uint8_t *encode_tail(uint8_t *q, const uint8_t *p, size_t n, bool url)
{
    uint32_t x = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);

    *q++ = encode_six(x >> 18, url);
    *q++ = encode_six(x >> 12 & 63, url);
    if (n == 2)
        *q++ = encode_six(x >> 6 & 63, url);
    for (; !url && n < 3; n++)
        *q++ = '=';
    return q;
}

cm_err cm_base64_encode(cm_buf *out, cm_view v, bool url)
{
    size_t need, i;
    uint8_t *q;

    if (!cm_mul_size(&need, v.n / 3, 4) || !cm_add_size(&need, need,
                                                        v.n % 3 == 0 ? 0
                                                        : url        ? v.n % 3 + 1
                                                                     : 4))
        return CM_FAIL(OVERFLOW);
    CM_TRY(cm_buf_reserve(out, need));
    if (need == 0)
        return CM_OKAY;
    q = out->p + out->n;
    for (i = 0; v.n - i >= 12; i += 12, q += 16)
        encode_twelve(q, v.p + i, url);
    for (; v.n - i >= 3; i += 3) {
        uint32_t x = (uint32_t)v.p[i] << 16 | (uint32_t)v.p[i + 1] << 8 | v.p[i + 2];

        *q++ = encode_six(x >> 18, url);
        *q++ = encode_six(x >> 12 & 63, url);
        *q++ = encode_six(x >> 6 & 63, url);
        *q++ = encode_six(x & 63, url);
    }
    if (i < v.n)
        encode_tail(q, v.p + i, v.n - i, url);
    out->n += need;
    return CM_OKAY;
}

/* Characters without the padding of the standard form. One that stands elsewhere is no character of
 * the alphabet and is refused there. */
static cm_err unpad(size_t *n, cm_view text, bool url)
{
    *n = text.n;
    if (!url && text.n > 0) {
        uint32_t last, before;

        if (text.n % 4)
            return CM_FAIL(BASE64_MALFORMED);
        last = in_range(text.p[text.n - 1], '=', '=');
        before = in_range(text.p[text.n - 2], '=', '=') & last;
        CM_DECLASSIFY(&last, sizeof last); /* with text.n it says how long the value is: public */
        CM_DECLASSIFY(&before, sizeof before);
        *n -= (last & 1) + (before & 1);
    }
    return *n % 4 == 1 ? CM_FAIL(BASE64_MALFORMED) : CM_OKAY;
}

static uint32_t decode_all(uint8_t *q, const uint8_t *p, size_t n, bool url)
{
    uint32_t bad = 0, x = 0;
    unsigned bits = 0;
    lanes worse = {0};
    size_t i;

    for (i = 0; n - i >= 16; i += 16, q += 12)
        decode_sixteen(q, p + i, &worse, url);
    for (size_t k = 0; k < sizeof worse; k++)
        bad |= worse[k];
    for (; i < n; i++) {
        x = x << 6 | decode_six(&bad, p[i], url);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *q++ = (uint8_t)(x >> bits);
        }
    }
    return bad | (x & ((1u << bits) - 1));
}

cm_err cm_base64_decode(cm_buf *out, cm_view text, bool url)
{
    size_t chars, n;
    uint32_t bad;

    CM_TRY(unpad(&chars, text, url));
    n = chars / 4 * 3 + (chars % 4 ? chars % 4 - 1 : 0);
    CM_TRY(cm_buf_reserve(out, n));
    if (n == 0)
        return CM_OKAY;
    bad = decode_all(out->p + out->n, text.p, chars, url);
    CM_DECLASSIFY(&bad, sizeof bad); /* the verdict is what the caller learns */
    if (bad) {
        cm_wipe(out->p + out->n, n);
        return CM_FAIL(BASE64_MALFORMED);
    }
    out->n += n;
    return CM_OKAY;
}
