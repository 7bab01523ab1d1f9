/* FROST(Ed25519, SHA-512): RFC 9591, section 6.1. */
#include "base/ct.h"
#include "keys/frost_int.h"

static const uint8_t order_minus_2[32] = {
    0xeb, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
static const uint8_t order_minus_1[32] = {
    0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static void small(uint8_t out[32], unsigned v)
{
    memset(out, 0, 32);
    out[0] = (uint8_t)v;
    out[1] = (uint8_t)(v >> 8);
}

static void negate(uint8_t out[32], const uint8_t a[32])
{
    cm_ed_scalar_mul(out, a, order_minus_1);
}

static void invert(uint8_t out[32], const uint8_t a[32])
{
    uint8_t r[32], base[32];

    small(r, 1);
    memcpy(base, a, 32);
    for (size_t i = 0; i < 256; i++) {
        if (order_minus_2[i / 8] >> (i % 8) & 1)
            cm_ed_scalar_mul(r, r, base);
        cm_ed_scalar_mul(base, base, base);
    }
    memcpy(out, r, 32);
}

/* Reduction leaves what is below the order alone. */
static bool valid(const uint8_t a[32])
{
    uint8_t wide[64] = {0}, r[32], zero[32] = {0};
    uint32_t changed, is_zero;

    memcpy(wide, a, 32);
    cm_ed_scalar_reduce(r, wide);
    changed = cm_ct_diff(r, a, 32);
    is_zero = ~cm_ct_mask(cm_ct_diff(a, zero, 32));
    CM_DECLASSIFY(&changed, sizeof changed);
    CM_DECLASSIFY(&is_zero, sizeof is_zero); /* whether it is a scalar is said aloud */
    cm_wipe(wide, sizeof wide);
    cm_wipe(r, sizeof r);
    return changed == 0 && is_zero == 0;
}

static cm_err base(uint8_t *out, const uint8_t a[32])
{
    cm_ed_point p;

    if (!valid(a))
        return CM_FAIL(FROST_POINT);
    cm_ed_mul(&p, a, cm_ed_base());
    cm_ed_encode(out, &p);
    CM_DECLASSIFY(out, 32); /* what is sent */
    cm_wipe(&p, sizeof p);
    return CM_OKAY;
}

static cm_err check(const uint8_t *e)
{
    cm_ed_point p;

    return cm_ed_decode(&p, e) && !cm_ed_is_identity(&p) && cm_ed_in_subgroup(&p)
               ? CM_OKAY
               : CM_FAIL(FROST_POINT); /* F-2 */
}

static cm_err combine(uint8_t *out, const uint8_t (*a)[32], const uint8_t *const *e, size_t n)
{
    cm_ed_point sum, p;

    cm_ed_identity(&sum);
    for (size_t i = 0; i < n; i++) {
        if (!cm_ed_decode(&p, e[i]))
            return CM_FAIL(FROST_POINT);
        cm_ed_mul(&p, a[i], &p);
        cm_ed_add(&sum, &sum, &p);
    }
    if (cm_ed_is_identity(&sum))
        return CM_FAIL(FROST_POINT);
    cm_ed_encode(out, &sum);
    return CM_OKAY;
}

/* H2 has neither context nor tag: that makes it Ed25519's own. */
static cm_err to_scalar(const cm_crypt *c, uint8_t out[32], const char *tag, const cm_view *parts,
                        size_t n)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    uint8_t wide[64];

    CM_TRY(cm_hasher_new(&h, c, CM_SHA512));
    if (strcmp(tag, "chal") != 0) {
        CM_TRY(cm_hasher_update(h, cm_view_str(cm_frost_ed25519.context)));
        CM_TRY(cm_hasher_update(h, cm_view_str(tag)));
    }
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_hasher_update(h, parts[i]));
    CM_TRY(cm_hasher_final(h, wide));
    cm_ed_scalar_reduce(out, wide);
    cm_wipe(wide, sizeof wide);
    return CM_OKAY;
}

const cm_frost_ops cm_frost_ed25519 = {
    .element = 32,
    .context = "FROST-ED25519-SHA512-v1",
    .add = cm_ed_scalar_add,
    .mul = cm_ed_scalar_mul,
    .small = small,
    .negate = negate,
    .invert = invert,
    .valid = valid,
    .base = base,
    .combine = combine,
    .check = check,
    .to_scalar = to_scalar,
    .hash = CM_SHA512,
};
