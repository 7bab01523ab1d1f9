#include "keys/shamir.h"

#include "base/ct.h"
#include "keys/shamir_int.h"

enum {
    VERSION = 1,
    HEAD = 1 + CM_SHARE_SET + 2,
    BODY = HEAD + 32, /* what the authenticator covers */
    BYTES = BODY + CM_SHARE_MAC,
    SUM = 3,
    CHARS = (BYTES + SUM) * 8 / 5,
    GROUP = 4
};

_Static_assert((BYTES + SUM) % 5 == 0, "base32 without padding");
_Static_assert(CHARS + CHARS / GROUP - 1 == CM_SHARE_CHARS, "text form");

/* ---- the field ------------------------------------------------------------------------------ */

uint8_t cm_gf256_mul(uint8_t a, uint8_t b)
{
    uint32_t x = a, y = b, sum = 0;

    for (int i = 0; i < 8; i++) {
        sum ^= x & cm_ct_hide(0u - (y & 1));
        x = (x << 1) ^ (0x11bu & cm_ct_hide(0u - (x >> 7)));
        y >>= 1;
    }
    return (uint8_t)sum;
}

uint8_t cm_gf256_inv(uint8_t a)
{
    uint8_t r = 1, p = a;

    for (int i = 1; i < 8; i++) { /* a^254 */
        p = cm_gf256_mul(p, p);
        r = cm_gf256_mul(r, p);
    }
    return r;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void encode(uint8_t out[BYTES], const cm_share *s)
{
    out[0] = VERSION;
    memcpy(out + 1, s->set, CM_SHARE_SET);
    out[1 + CM_SHARE_SET] = s->need;
    out[2 + CM_SHARE_SET] = s->index;
    memcpy(out + HEAD, s->y, sizeof s->y);
    memcpy(out + BODY, s->mac, CM_SHARE_MAC);
}

void cm_share_wipe(cm_share *s)
{
    cm_wipe(s, sizeof *s);
}

/* U-6 */
static cm_err authenticate(uint8_t mac[CM_SHARE_MAC], const cm_crypt *c, const cm_key32 *secret,
                           const cm_share *s)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};
    uint8_t bytes[BYTES], full[32];
    cm_err e;

    encode(bytes, s);
    e = cm_hkdf_expand(c, CM_SHA256, key.b, sizeof key.b, CM_VIEW(secret->b),
                       CM_LIT("casemate-share-v1 authenticator"));
    if (cm_ok(e))
        e = cm_hmac(c, CM_SHA256, full, CM_VIEW(key.b), cm_view_of(bytes, BODY));
    if (cm_ok(e))
        memcpy(mac, full, CM_SHARE_MAC);
    cm_wipe(bytes, sizeof bytes);
    return e;
}

static cm_err labelled_hash(uint8_t h[32], const cm_crypt *c, cm_view label, const uint8_t *bytes)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 128};

    CM_TRY(cm_buf_append(&b, label));
    CM_TRY(cm_buf_append(&b, cm_view_of(bytes, BYTES)));
    return cm_hash_once(c, CM_SHA256, h, cm_buf_view(&b));
}

cm_err cm_share_check(uint8_t check[CM_SHARE_CHECK], const cm_crypt *c, const cm_share *s)
{
    uint8_t bytes[BYTES], h[32];
    cm_err e;

    encode(bytes, s);
    e = labelled_hash(h, c, CM_LIT("casemate-share-v1 check"), bytes);
    cm_wipe(bytes, sizeof bytes);
    if (cm_ok(e))
        memcpy(check, h, CM_SHARE_CHECK);
    return e;
}

/* ---- splitting ------------------------------------------------------------------------------ */

/* The polynomials' values at x; coefficient 0 is the secret. */
static void evaluate(uint8_t y[32], uint8_t coefficient[][32], unsigned need, uint8_t x)
{
    memcpy(y, coefficient[need - 1], 32);
    for (unsigned k = need - 1; k-- > 0;)
        for (size_t b = 0; b < 32; b++)
            y[b] = (uint8_t)(cm_gf256_mul(y[b], x) ^ coefficient[k][b]);
}

cm_err cm_shamir_split(cm_share *list, const cm_crypt *c, const cm_key32 *secret, unsigned need,
                       unsigned n)
{
    uint8_t coefficient[CM_SHARE_MAX][32], set[CM_SHARE_SET];
    cm_share made[CM_SHARE_MAX] = {0};
    cm_err e;

    if (need < 1 || need > n || n > CM_SHARE_MAX) /* U-5 */
        return CM_FAIL(SHARES_COUNT);
    e = cm_random(c, set, sizeof set);
    if (cm_ok(e))
        e = cm_random(c, coefficient, sizeof coefficient);
    memcpy(coefficient[0], secret->b, 32);
    for (unsigned i = 0; cm_ok(e) && i < n; i++) {
        memcpy(made[i].set, set, sizeof set);
        made[i].need = (uint8_t)need;
        made[i].index = (uint8_t)(i + 1);
        evaluate(made[i].y, coefficient, need, made[i].index);
        e = authenticate(made[i].mac, c, secret, &made[i]);
    }
    if (cm_ok(e))
        memcpy(list, made, n * sizeof *list);
    cm_wipe(coefficient, sizeof coefficient);
    cm_wipe(made, sizeof made);
    return e;
}

/* ---- joining -------------------------------------------------------------------------------- */

/* The value at 0 of the polynomials through `need` shares, share `leave` not among them. Indices
 * are public. */
static void interpolate(cm_key32 *out, const cm_share *list, unsigned need, size_t leave)
{
    const cm_share *use[CM_SHARE_MAX];
    unsigned n = 0;

    for (size_t i = 0; n < need; i++)
        if (i != leave)
            use[n++] = &list[i];
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < n; i++) {
        uint8_t factor = 1;

        for (unsigned j = 0; j < n; j++) {
            uint8_t d = use[j]->index ^ use[i]->index;

            if (j != i)
                factor = cm_gf256_mul(factor, cm_gf256_mul(use[j]->index, cm_gf256_inv(d)));
        }
        for (size_t b = 0; b < 32; b++)
            out->b[b] ^= cm_gf256_mul(use[i]->y[b], factor);
    }
}

/* How many authenticators fit the secret; *odd: the index of one that does not. */
static cm_err count_true(size_t *fit, unsigned *odd, const cm_crypt *c, const cm_key32 *secret,
                         const cm_share *list, size_t n)
{
    uint8_t mac[CM_SHARE_MAC];

    *fit = 0;
    *odd = 0;
    for (size_t i = 0; i < n; i++) {
        CM_TRY(authenticate(mac, c, secret, &list[i]));
        if (cm_ct_equal(CM_VIEW(mac), CM_VIEW(list[i].mac))) /* U-6 */
            (*fit)++;
        else
            *odd = list[i].index;
    }
    return CM_OKAY;
}

/* One of them is forged: without which one do the others agree? */
static cm_err find_forged(unsigned *bad, const cm_crypt *c, const cm_share *list, size_t n)
{
    CM_AUTO(cm_key32_wipe) cm_key32 s = {{0}};
    unsigned odd;
    size_t fit;

    for (size_t i = 0; n > list[0].need && i < n; i++) {
        interpolate(&s, list, list[0].need, i);
        CM_TRY(count_true(&fit, &odd, c, &s, list, n));
        if (fit + 1 == n) {
            *bad = odd;
            break;
        }
    }
    return CM_FAIL(SHARES_FORGED);
}

static cm_err check_list(unsigned *bad, const cm_share *list, size_t n)
{
    if (n == 0)
        return CM_FAIL(SHARES_FEW);
    if (n > CM_SHARE_MAX)
        return CM_FAIL(SHARES_COUNT);
    for (size_t i = 0; i < n; i++) {
        *bad = list[i].index;
        if (list[i].index < 1 || list[i].index > CM_SHARE_MAX || list[i].need < 1 ||
            list[i].need > CM_SHARE_MAX)
            return CM_FAIL(SHARES_COUNT);
        if (!cm_view_eq(CM_VIEW(list[i].set), CM_VIEW(list[0].set)) || list[i].need != list[0].need)
            return CM_FAIL(SHARES_MIXED);
        for (size_t j = 0; j < i; j++)
            if (list[i].index == list[j].index)
                return CM_FAIL(SHARES_TWICE);
    }
    *bad = 0;
    return n < list[0].need ? CM_FAIL(SHARES_FEW) : CM_OKAY;
}

cm_err cm_shamir_join(cm_key32 *secret, const cm_crypt *c, const cm_share *list, size_t n,
                      unsigned *bad)
{
    CM_AUTO(cm_key32_wipe) cm_key32 s = {{0}};
    unsigned blame = 0, odd;
    size_t fit;
    cm_err e = check_list(&blame, list, n);

    if (cm_ok(e)) {
        interpolate(&s, list, list[0].need, SIZE_MAX);
        e = count_true(&fit, &odd, c, &s, list, n);
        if (cm_ok(e) && fit != n)
            e = fit + 1 == n ? (blame = odd, CM_FAIL(SHARES_FORGED))
                             : find_forged(&blame, c, list, n);
    }
    if (bad)
        *bad = blame;
    CM_TRY(e);
    *secret = s;
    return CM_OKAY;
}

/* ---- text ----------------------------------------------------------------------------------- */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* All ones when a == b. */
static uint32_t same(uint32_t a, uint32_t b)
{
    return ~cm_ct_mask(a ^ b);
}

/* Every letter is looked at, so no address tells which one it is. */
static uint8_t letter(uint32_t v)
{
    uint32_t c = 0;

    for (uint32_t i = 0; i < 32; i++)
        c |= same(i, v) & (uint8_t)alphabet[i];
    return (uint8_t)c;
}

/* 32 and more for a character that is none. */
static uint32_t value(uint8_t ch)
{
    uint32_t lower = (uint32_t)((ch >= 'a') & (ch <= 'z')), c = ch - lower * ('a' - 'A'), v = 0xff;

    c ^= same(c, 'O') & ('O' ^ '0');
    c ^= same(c, 'I') & ('I' ^ '1');
    c ^= same(c, 'L') & ('L' ^ '1');
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t m = same(c, (uint8_t)alphabet[i]);

        v = (v & ~m) | (i & m);
    }
    return v;
}

static cm_err checksum(uint8_t sum[SUM], const cm_crypt *c, const uint8_t bytes[BYTES])
{
    uint8_t h[32];

    CM_TRY(labelled_hash(h, c, CM_LIT("casemate-share-v1 text"), bytes));
    memcpy(sum, h, SUM);
    return CM_OKAY;
}

cm_err cm_share_print(cm_buf *out, const cm_crypt *c, const cm_share *s)
{
    uint8_t bytes[BYTES + SUM], text[CM_SHARE_CHARS];
    size_t at = 0;
    cm_err e;

    encode(bytes, s);
    e = checksum(bytes + BYTES, c, bytes);
    for (size_t i = 0; i < CHARS; i++) {
        size_t bit = i * 5;
        uint32_t two = (uint32_t)bytes[bit / 8] << 8;

        if (bit / 8 + 1 < sizeof bytes)
            two |= bytes[bit / 8 + 1];
        if (i > 0 && i % GROUP == 0)
            text[at++] = '-';
        text[at++] = letter(two >> (11 - bit % 8) & 31);
    }
    if (cm_ok(e))
        e = cm_buf_append(out, CM_VIEW(text));
    cm_wipe(bytes, sizeof bytes);
    cm_wipe(text, sizeof text);
    return e;
}

/* Where separators stand is no secret; what the letters are is. */
static cm_err decode(uint8_t bytes[BYTES + SUM], cm_view text)
{
    uint32_t bad = 0, held = 0, bits = 0;
    size_t chars = 0, at = 0;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t ch = text.p[i];
        uint32_t space =
            same(ch, '-') | same(ch, ' ') | same(ch, '\t') | same(ch, '\n') | same(ch, '\r');
        uint32_t v;

        CM_DECLASSIFY(&space, sizeof space);
        if (space)
            continue;
        if (++chars > CHARS)
            return CM_FAIL(SHARE_TEXT);
        v = value(ch);
        bad |= v & ~31u;
        held = held << 5 | (v & 31);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            bytes[at++] = (uint8_t)(held >> bits);
        }
    }
    CM_DECLASSIFY(&bad, sizeof bad); /* that it is no share, the caller says aloud */
    return bad || chars != CHARS ? CM_FAIL(SHARE_TEXT) : CM_OKAY;
}

cm_err cm_share_parse(cm_share *out, const cm_crypt *c, cm_view text)
{
    uint8_t bytes[BYTES + SUM] = {0}, sum[SUM];
    cm_share s;
    cm_err e = decode(bytes, text);

    if (cm_ok(e))
        e = checksum(sum, c, bytes);
    if (cm_ok(e) && !cm_ct_equal(CM_VIEW(sum), cm_view_of(bytes + BYTES, SUM)))
        e = CM_FAIL(SHARE_CHECKSUM);
    CM_DECLASSIFY(bytes, HEAD); /* version, set, threshold and index are public */
    if (cm_ok(e) && bytes[0] != VERSION)
        e = CM_FAIL(SHARE_VERSION);
    if (cm_ok(e)) {
        memcpy(s.set, bytes + 1, CM_SHARE_SET);
        s.need = bytes[1 + CM_SHARE_SET];
        s.index = bytes[2 + CM_SHARE_SET];
        memcpy(s.y, bytes + HEAD, sizeof s.y);
        memcpy(s.mac, bytes + BODY, CM_SHARE_MAC);
        if (s.need < 1 || s.need > CM_SHARE_MAX || s.index < 1 || s.index > CM_SHARE_MAX)
            e = CM_FAIL(SHARE_TEXT);
        else
            *out = s;
    }
    cm_wipe(&s, sizeof s);
    cm_wipe(bytes, sizeof bytes);
    return e;
}
