#include "attest/der.h"

enum { CONSTRUCTED = 0x20, LONG_TAG = 0x1f, MORE = 0x80, NUMBER_MAX = 0x1fff };

static uint32_t take_tag(cm_cut *c)
{
    uint8_t first = cm_cut_u8(c), b;
    uint32_t number = first & LONG_TAG;

    if (number == LONG_TAG) {
        b = cm_cut_u8(c);
        number = b & 0x7f;
        c->bad |= number == 0; /* not the shortest form */
        while (!c->bad && (b & MORE)) {
            b = cm_cut_u8(c);
            number = number << 7 | (b & 0x7f);
            c->bad |= number > NUMBER_MAX;
        }
        c->bad |= number < LONG_TAG;
    }
    return (uint32_t)(first & 0xe0) << 8 | number;
}

static size_t take_length(cm_cut *c)
{
    size_t n = cm_cut_u8(c);
    unsigned bytes = n & 0x7f;

    if (n < 0x80)
        return n;
    if (bytes == 0 || bytes > 3)
        c->bad = true;
    n = 0;
    for (unsigned i = 0; i < bytes && !c->bad; i++) {
        n = n << 8 | cm_cut_u8(c);
        c->bad |= n == 0;
    }
    c->bad |= n < 0x80;
    return n;
}

cm_view cm_asn1_next(cm_cut *c, uint32_t *tag)
{
    *tag = take_tag(c);
    return cm_cut_bytes(c, take_length(c));
}

cm_view cm_asn1_take(cm_cut *c, uint32_t tag)
{
    uint32_t have;
    cm_view v = cm_asn1_next(c, &have);

    if (have == tag && !c->bad)
        return v;
    c->bad = true;
    return cm_view_of(NULL, 0);
}

uint64_t cm_asn1_uint(cm_cut *c, uint32_t tag)
{
    cm_view v = cm_asn1_take(c, tag);
    uint64_t u = 0;

    if (v.n == 0 || v.n > 9 || v.p[0] & 0x80 || (v.n > 1 && v.p[0] == 0 && !(v.p[1] & 0x80)) ||
        (v.n == 9 && v.p[0] != 0)) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < v.n; i++)
        u = u << 8 | v.p[i];
    return u;
}
