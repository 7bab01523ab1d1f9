/* FROST(secp256k1, SHA-256): RFC 9591, section 6.5. Scalars are big-endian. */
#include <secp256k1.h>
#include <secp256k1_preallocated.h>

#include "base/ct.h"
#include "keys/frost_int.h"

enum { WIDE = 48 };

/* n - 2 */
static const uint8_t order_minus_2[32] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x3f};
static const uint8_t two_192[32] = {[7] = 1};

static bool is_zero(const uint8_t a[32])
{
    static const uint8_t zero[32];
    uint32_t d = cm_ct_diff(a, zero, 32);

    CM_DECLASSIFY(&d, sizeof d); /* a secret is 0 with probability 2^-256 */
    return d == 0;
}

/* The library's operations take no zero, and leave none; ours do. */
static void add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    uint8_t r[32];
    int ok;

    if (is_zero(a)) {
        memmove(out, b, 32);
        return;
    }
    memcpy(r, a, 32);
    ok = secp256k1_ec_seckey_tweak_add(secp256k1_context_static, r, b);
    CM_DECLASSIFY(&ok, sizeof ok); /* a sum of secrets is 0 with probability 2^-256 */
    if (ok != 1)
        memset(r, 0, sizeof r);
    memcpy(out, r, 32);
    cm_wipe(r, sizeof r);
}

static void mul(uint8_t out[32], const uint8_t a[32], const uint8_t b[32])
{
    uint8_t r[32];
    int ok;

    memcpy(r, a, 32);
    ok = secp256k1_ec_seckey_tweak_mul(secp256k1_context_static, r, b);
    CM_DECLASSIFY(&ok, sizeof ok); /* as above */
    if (ok != 1)
        memset(r, 0, sizeof r);
    memcpy(out, r, 32);
    cm_wipe(r, sizeof r);
}

static void small(uint8_t out[32], unsigned v)
{
    memset(out, 0, 32);
    out[30] = (uint8_t)(v >> 8);
    out[31] = (uint8_t)v;
}

static void negate(uint8_t out[32], const uint8_t a[32])
{
    uint8_t r[32];

    memcpy(r, a, 32);
    if (secp256k1_ec_seckey_negate(secp256k1_context_static, r) != 1)
        memset(r, 0, sizeof r);
    memcpy(out, r, 32);
}

static void invert(uint8_t out[32], const uint8_t a[32])
{
    uint8_t r[32], b[32];

    small(r, 1);
    memcpy(b, a, 32);
    for (size_t i = 0; i < 256; i++) {
        if (order_minus_2[31 - i / 8] >> (i % 8) & 1)
            mul(r, r, b);
        mul(b, b, b);
    }
    memcpy(out, r, 32);
}

static bool valid(const uint8_t a[32])
{
    return secp256k1_ec_seckey_verify(secp256k1_context_static, a) == 1;
}

static cm_err encode(uint8_t *out, const secp256k1_pubkey *p)
{
    size_t n = CM_FROST_ELEMENT;

    return secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &n, p,
                                         SECP256K1_EC_COMPRESSED) == 1
               ? CM_OKAY
               : CM_FAIL(FROST_POINT);
}

static cm_err decode(secp256k1_pubkey *out, const uint8_t *e)
{
    return secp256k1_ec_pubkey_parse(secp256k1_context_static, out, e, CM_FROST_ELEMENT) == 1
               ? CM_OKAY
               : CM_FAIL(FROST_POINT); /* F-2 */
}

static cm_err base(uint8_t *out, const uint8_t a[32])
{
    CM_AUTO(cm_free_ptr) void *room = NULL;
    secp256k1_context *ctx;
    secp256k1_pubkey p;
    int ok;

    CM_TRY(cm_alloc(&room, secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE)));
    ctx = secp256k1_context_preallocated_create(room, SECP256K1_CONTEXT_NONE);
    ok = secp256k1_ec_pubkey_create(ctx, &p, a);
    secp256k1_context_preallocated_destroy(ctx);
    CM_DECLASSIFY(&ok, sizeof ok);
    CM_DECLASSIFY(&p, sizeof p); /* what is sent */
    return ok == 1 ? encode(out, &p) : CM_FAIL(FROST_POINT);
}

static cm_err check(const uint8_t *e)
{
    secp256k1_pubkey p;

    return decode(&p, e);
}

static cm_err combine(uint8_t *out, const uint8_t (*a)[32], const uint8_t *const *e, size_t n)
{
    secp256k1_pubkey p[CM_FROST_TERMS], sum;
    const secp256k1_pubkey *terms[CM_FROST_TERMS];
    size_t count = 0;

    for (size_t i = 0; i < n && count < CM_FROST_TERMS; i++) {
        CM_TRY(decode(&p[count], e[i]));
        if (is_zero(a[i]))
            continue;
        if (secp256k1_ec_pubkey_tweak_mul(secp256k1_context_static, &p[count], a[i]) != 1)
            return CM_FAIL(FROST_POINT);
        terms[count] = &p[count];
        count++;
    }
    if (count == 0 ||
        secp256k1_ec_pubkey_combine(secp256k1_context_static, &sum, terms, count) != 1)
        return CM_FAIL(FROST_POINT);
    return encode(out, &sum);
}

/* expand_message_xmd of RFC 9380, section 5.3.1, for 48 bytes: two blocks of SHA-256. */
static cm_err expand(const cm_crypt *c, uint8_t out[64], cm_view dst, const cm_view *parts,
                     size_t n)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    static const uint8_t pad[64];
    const uint8_t length[3] = {0, WIDE, 0};
    const uint8_t dst_n = (uint8_t)dst.n;
    uint8_t b0[32], x[32] = {0};
    cm_err e;

    CM_TRY(cm_hasher_new(&h, c, CM_SHA256));
    CM_TRY(cm_hasher_update(h, CM_VIEW(pad)));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_hasher_update(h, parts[i]));
    CM_TRY(cm_hasher_update(h, CM_VIEW(length)));
    CM_TRY(cm_hasher_update(h, dst));
    CM_TRY(cm_hasher_update(h, cm_view_of(&dst_n, 1)));
    e = cm_hasher_final(h, b0);
    for (uint8_t i = 1; cm_ok(e) && i <= 2; i++) {
        for (size_t j = 0; j < 32; j++)
            x[j] = b0[j] ^ (i == 1 ? 0 : out[j]);
        e = cm_hasher_update(h, CM_VIEW(x));
        if (cm_ok(e))
            e = cm_hasher_update(h, cm_view_of(&i, 1));
        if (cm_ok(e))
            e = cm_hasher_update(h, dst);
        if (cm_ok(e))
            e = cm_hasher_update(h, cm_view_of(&dst_n, 1));
        if (cm_ok(e))
            e = cm_hasher_final(h, out + (i - 1) * 32);
    }
    cm_wipe(b0, sizeof b0);
    cm_wipe(x, sizeof x);
    return e;
}

/* 48 bytes modulo n, as high * 2^192 + low: both halves are below n. */
static cm_err to_scalar(const cm_crypt *c, uint8_t out[32], const char *tag, const cm_view *parts,
                        size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf dst = {.max = 64};
    uint8_t wide[64], high[32] = {0}, low[32] = {0};
    cm_err e;

    CM_TRY(cm_buf_append(&dst, cm_view_str(cm_frost_secp256k1.context)));
    CM_TRY(cm_buf_append(&dst, cm_view_str(tag)));
    e = expand(c, wide, cm_buf_view(&dst), parts, n);
    if (cm_ok(e)) {
        memcpy(high + 8, wide, WIDE / 2);
        memcpy(low + 8, wide + WIDE / 2, WIDE / 2);
        mul(high, high, two_192);
        add(out, high, low);
    }
    cm_wipe(wide, sizeof wide);
    cm_wipe(high, sizeof high);
    cm_wipe(low, sizeof low);
    return e;
}

const cm_frost_ops cm_frost_secp256k1 = {
    .element = 33,
    .context = "FROST-secp256k1-SHA256-v1",
    .add = add,
    .mul = mul,
    .small = small,
    .negate = negate,
    .invert = invert,
    .valid = valid,
    .base = base,
    .combine = combine,
    .check = check,
    .to_scalar = to_scalar,
    .hash = CM_SHA256,
};
