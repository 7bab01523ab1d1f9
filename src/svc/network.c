/* Addresses and networks as text: strict, so that a typing error in a policy is an error. */
#include "svc/policy.h"

#include "codec/text.h"

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool octets(uint8_t out[4], cm_view t)
{
    size_t at = 0;

    for (size_t i = 0; i < 4; i++) {
        size_t n = 0;
        uint64_t v;

        while (at + n < t.n && t.p[at + n] != '.')
            n++;
        if (n == 0 || n > 3 || cm_failed(cm_dec_u64(&v, cm_view_sub(t, at, n))) || v > 255)
            return false;
        out[i] = (uint8_t)v;
        at += n;
        if (i < 3 && at++ == t.n)
            return false;
    }
    return at == t.n;
}

static bool group(uint16_t *out, cm_view t)
{
    uint32_t v = 0;

    if (t.n == 0 || t.n > 4)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;

        if (d == 16)
            return false;
        v = v << 4 | d;
    }
    *out = (uint16_t)v;
    return true;
}

/* Groups of one side of "::" into out, at most max; the number of them, or 9. */
static size_t groups(uint16_t *out, size_t max, cm_view t)
{
    size_t n = 0, at = 0;

    if (t.n == 0)
        return 0;
    for (;;) {
        size_t len = 0;

        while (at + len < t.n && t.p[at + len] != ':')
            len++;
        if (n == max || !group(&out[n++], cm_view_sub(t, at, len)))
            return 9;
        at += len;
        if (at == t.n)
            return n;
        at++;
    }
}

static bool ipv6(uint8_t out[16], cm_view t)
{
    uint16_t head[8] = {0}, tail[8] = {0};
    size_t gap = t.n, h, l = 0;

    for (size_t i = 0; i + 1 < t.n && gap == t.n; i++)
        if (t.p[i] == ':' && t.p[i + 1] == ':')
            gap = i;
    h = groups(head, 8, cm_view_sub(t, 0, gap));
    if (gap < t.n)
        l = groups(tail, 7, cm_view_sub(t, gap + 2, t.n - gap - 2));
    if (h == 9 || l == 9 || (gap == t.n ? h != 8 : h + l > 7))
        return false;
    for (size_t i = 0; i < l; i++)
        head[8 - l + i] = tail[i];
    for (size_t i = 0; i < 8; i++)
        cm_put_be16(out + 2 * i, head[i]);
    return true;
}

cm_err cm_address_parse(uint8_t out[16], cm_view text)
{
    uint8_t a[16];

    memcpy(a, MAPPED, sizeof MAPPED);
    if (!octets(a + 12, text) && !ipv6(a, text))
        return CM_FAIL(SVC_GRANT_FORM);
    memcpy(out, a, sizeof a);
    return CM_OKAY;
}

static unsigned bit(const uint8_t *a, unsigned i)
{
    return a[i / 8] >> (7 - i % 8) & 1u;
}

cm_err cm_network_parse(cm_network *out, cm_view text)
{
    cm_network n = {.bits = 128};
    size_t slash = 0;
    uint64_t bits;
    unsigned width;

    while (slash < text.n && text.p[slash] != '/')
        slash++;
    CM_TRY(cm_address_parse(n.b, cm_view_sub(text, 0, slash)));
    width = cm_view_eq(cm_view_of(n.b, sizeof MAPPED), CM_VIEW(MAPPED)) ? 32 : 128;
    if (slash < text.n) {
        if (cm_failed(cm_dec_u64(&bits, cm_view_sub(text, slash + 1, text.n - slash - 1))) ||
            bits > width)
            return CM_FAIL(SVC_GRANT_FORM);
        n.bits = (unsigned)bits + 128 - width;
    }
    for (unsigned i = n.bits; i < 128; i++)
        if (bit(n.b, i))
            return CM_FAIL(SVC_GRANT_FORM);
    *out = n;
    return CM_OKAY;
}

bool cm_network_has(const cm_network *n, const uint8_t address[16])
{
    for (unsigned i = 0; i < n->bits; i++)
        if (bit(n->b, i) != bit(address, i))
            return false;
    return true;
}
