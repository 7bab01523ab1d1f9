/* Signatures over secp256k1 (SEC 1, 4.1.3), all of them in constant time. */
#include "crypt/secp_int.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/ct.h"
#include "crypt/cpu.h"
#include "crypt/sig_int.h"

__extension__ typedef unsigned __int128 wide;
typedef cm_p256_num num;

typedef struct {
    cm_p256_modulus m;
    num square;       /* 2^512 modulo m */
    uint64_t inverse; /* -m^-1 modulo 2^64 */
} modulus;

static const modulus p_ = {
    {{{0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, 0x27c7f6e22ddacacf},
    {{0x000007a2000e90a1, 1, 0, 0}},
    0xd838091dd2253531};
static const modulus n_ = {
    {{{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, UINT64_MAX}},
     0x34f20099aa774ec1},
    {{0x896cf21467d7d140, 0x741496c20e7cf878, 0xe697f5e45bcd07c6, 0x9d671cd581c69bc5}},
    0x4b0dff665588b13f};
static const num half_n = {
    {0xdfe92f46681b20a0, 0x5d576e7357a4501d, UINT64_MAX, 0x7fffffffffffffff}};
static const num ones = {{0x402da1732fc9bebe, 0x4551231950b75fc4, 1, 0}}; /* 2^256 - 1 modulo n */
static const num seven = {{0x700001ab7, 0, 0, 0}};                        /* 7 2^256 modulo p */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const uint8_t generator[33] = {2,    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac,
                                      0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02,
                                      0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2,
                                      0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98};
static cm_secp_table table;
static atomic_bool table_made;

/* ---- numbers ------------------------------------------------------------------------------- */

static num from_bytes(const uint8_t b[32])
{
    return (num){{cm_get_be64(b + 24), cm_get_be64(b + 16), cm_get_be64(b + 8), cm_get_be64(b)}};
}

static void to_bytes(uint8_t b[32], const num *x)
{
    for (size_t i = 0; i < 4; i++)
        cm_put_be64(b + 24 - 8 * i, x->v[i]);
}

/* All ones where the bit is set. */
static uint64_t mask_of(uint64_t bit)
{
    return 0 - bit;
}

static uint64_t is_zero(const num *x)
{
    uint64_t any = x->v[0] | x->v[1] | x->v[2] | x->v[3];

    return 1 ^ (any | (0 - any)) >> 63;
}

/* Returns the borrow. */
static uint64_t subtract(num *out, const num *x, const num *y)
{
    uint64_t borrow = 0;

    for (int i = 0; i < 4; i++) {
        wide a = (wide)x->v[i] - y->v[i] - borrow;

        out->v[i] = (uint64_t)a;
        borrow = (uint64_t)(a >> 64) & 1;
    }
    return borrow;
}

/* Returns the carry. */
static uint64_t plus(num *out, const num *x, const num *y)
{
    wide a = 0;

    for (int i = 0; i < 4; i++) {
        a = (a >> 64) + x->v[i] + y->v[i];
        out->v[i] = (uint64_t)a;
    }
    return (uint64_t)(a >> 64);
}

static void choose(num *out, uint64_t mask, const num *set, const num *clear)
{
    for (int i = 0; i < 4; i++)
        out->v[i] = (set->v[i] & mask) | (clear->v[i] & ~mask);
}

/* x, with a carry above it, less m once if it is not below; whether it was not. */
static uint64_t once_less(num *x, uint64_t carry, const modulus *m)
{
    num less;
    uint64_t over = carry | (1 ^ subtract(&less, x, &m->m.m));

    choose(x, mask_of(over), &less, x);
    return over;
}

static num add(const num *x, const num *y, const modulus *m)
{
    num out;

    (void)once_less(&out, plus(&out, x, y), m);
    return out;
}

/* x y / 2^256, both below m. */
static num mul(const num *x, const num *y, const modulus *m)
{
    uint64_t t[6] = {0};
    num out;

    for (int i = 0; i < 4; i++) {
        uint64_t k;
        wide a = 0;

        for (int j = 0; j < 4; j++) {
            a = (a >> 64) + (wide)x->v[i] * y->v[j] + t[j];
            t[j] = (uint64_t)a;
        }
        a = (a >> 64) + t[4];
        t[4] = (uint64_t)a;
        t[5] = (uint64_t)(a >> 64);
        k = t[0] * m->inverse;
        a = (wide)k * m->m.m.v[0] + t[0];
        for (int j = 1; j < 4; j++) {
            a = (a >> 64) + (wide)k * m->m.m.v[j] + t[j];
            t[j - 1] = (uint64_t)a;
        }
        a = (a >> 64) + t[4];
        t[3] = (uint64_t)a;
        t[4] = t[5] + (uint64_t)(a >> 64);
    }
    out = (num){{t[0], t[1], t[2], t[3]}};
    (void)once_less(&out, t[4], m);
    cm_wipe(t, sizeof t);
    return out;
}

/* Of Z modulo p and of k modulo n, or 0 for 0. */
static void invert(num out[2], const cm_secp_parts *p)
{
    const cm_p256_modulus *const m[2] = {&p_.m, &n_.m};
    const num x[2] = {p->sum[2], p->k};

#if defined(__x86_64__)
    if (cm_cpu_has_ifma()) {
        cm_p256_inverse_two(out, x, m);
        return;
    }
#endif
    for (int i = 0; i < 2; i++)
        out[i] = cm_p256_inverse(&x[i], m[i]);
}

/* ---- the table ----------------------------------------------------------------------------- */

static void put_limbs(uint64_t to[CM_SECP_LIMBS][CM_SECP_LANES], size_t lane, const uint8_t b[32])
{
    const uint64_t low = ((uint64_t)1 << 52) - 1;
    num x = from_bytes(b);

    to[0][lane] = x.v[0] & low;
    to[1][lane] = (x.v[0] >> 52 | x.v[1] << 12) & low;
    to[2][lane] = (x.v[1] >> 40 | x.v[2] << 24) & low;
    to[3][lane] = (x.v[2] >> 28 | x.v[3] << 36) & low;
    to[4][lane] = x.v[3] >> 16;
}

static bool sum_of(secp256k1_pubkey *out, const secp256k1_pubkey *x, const secp256k1_pubkey *y)
{
    const secp256k1_pubkey *both[2] = {x, y};

    return secp256k1_ec_pubkey_combine(secp256k1_context_static, out, both, 2) == 1;
}

static bool put_point(size_t at, size_t o, const secp256k1_pubkey *point)
{
    size_t round = at / CM_SECP_LANES, lane = at % CM_SECP_LANES, n = 65;
    uint8_t out[65];

    if (secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &n, point,
                                      SECP256K1_EC_UNCOMPRESSED) != 1)
        return false;
    put_limbs(table.v[round][o][0], lane, out + 1);
    put_limbs(table.v[round][o][1], lane, out + 33);
    return true;
}

/* The odd multiples of a point, which becomes 16 times what it was. */
static bool fill(size_t at, secp256k1_pubkey *point)
{
    secp256k1_pubkey twice, next;
    bool ok = sum_of(&twice, point, point);

    for (size_t o = 0; ok && o < CM_SECP_ODD; o++) {
        ok = put_point(at, o, point) && sum_of(&next, point, &twice);
        *point = next; /* 17 times, in the end */
    }
    for (size_t i = 0; ok && i < 3; i++) {
        ok = sum_of(&next, &twice, &twice);
        twice = next;
    }
    *point = twice;
    return ok;
}

static void fill_table(void)
{
    secp256k1_pubkey point;
    bool ok = secp256k1_ec_pubkey_parse(secp256k1_context_static, &point, generator,
                                        sizeof generator) == 1;

    for (size_t at = 0; ok && at < (size_t)CM_SECP_ROUNDS * CM_SECP_LANES; at++)
        ok = fill(at, &point);
    atomic_store_explicit(&table_made, ok, memory_order_release);
}

/* ---- the signature ------------------------------------------------------------------------- */

/* b with k = 2 b - (2^256 - 1) modulo n: the sum that the bits of b stand for. */
num cm_secp_bits(const num *k)
{
    num even = add(k, &ones, &n_), with_n, out;
    uint64_t odd = even.v[0] & 1, carry = plus(&with_n, &even, &n_.m.m) & odd;

    choose(&even, mask_of(odd), &with_n, &even);
    for (int i = 0; i < 4; i++)
        out.v[i] = even.v[i] >> 1 | (i < 3 ? even.v[i + 1] : carry) << 63;
    cm_wipe(&even, sizeof even);
    cm_wipe(&with_n, sizeof with_n);
    return out;
}

/* y^2 = x^3 + 7, in Montgomery form. */
static uint64_t on_curve(const num *x, const num *y)
{
    num a = mul(x, &p_.square, &p_), b = mul(y, &p_.square, &p_), left = mul(&b, &b, &p_), right;

    right = mul(&a, &a, &p_);
    right = mul(&right, &a, &p_);
    right = add(&right, &seven, &p_);
    (void)subtract(&left, &left, &right);
    return is_zero(&left);
}

bool cm_secp_finish(uint8_t sig[64], uint8_t *recid, cm_secp_parts *p)
{
    num x, y, r, s, t, inverse[2];
    uint64_t over, high, bad;

    for (int i = 0; i < 3; i++)
        (void)once_less(&p->sum[i], 0, &p_);
    invert(inverse, p);
    t = mul(&inverse[0], &p_.square, &p_); /* X / Z without the form's factor */
    x = mul(&p->sum[0], &t, &p_);
    y = mul(&p->sum[1], &t, &p_);
    bad = 1 ^ on_curve(&x, &y);
    r = x;
    over = once_less(&r, 0, &n_);
    t = mul(&r, &n_.square, &n_);
    t = mul(&t, &p->key, &n_);
    t = add(&t, &p->digest, &n_);
    inverse[1] = mul(&inverse[1], &n_.square, &n_);
    s = mul(&t, &inverse[1], &n_);
    high = subtract(&t, &half_n, &s);
    (void)subtract(&t, &n_.m.m, &s);
    choose(&s, mask_of(high), &t, &s); /* K-9 */
    bad |= is_zero(&r) | is_zero(&s);
    to_bytes(sig, &r);
    to_bytes(sig + 32, &s);
    *recid = (uint8_t)(over << 1 | ((y.v[0] & 1) ^ high));
    cm_wipe(&t, sizeof t);
    cm_wipe(inverse, sizeof inverse);
    CM_DECLASSIFY(&bad, sizeof bad);
    return bad == 0;
}

#if defined(__x86_64__)
static void parts_wipe(cm_secp_parts *p)
{
    cm_wipe(p, sizeof *p);
}

void cm_secp_prepare(void)
{
    if (cm_cpu_has_ifma())
        (void)pthread_once(&once, fill_table);
}

bool cm_secp_point(cm_p256_num sum[3], const num *k, const num *blind)
{
    num bits;

    if (!atomic_load_explicit(&table_made, memory_order_acquire))
        return false;
    bits = cm_secp_bits(k);
    cm_secp_multiply_ifma(sum, &table, &bits, blind);
    cm_wipe(&bits, sizeof bits);
    return true;
}

bool cm_secp_sign(uint8_t sig[64], uint8_t *recid, const uint8_t digest[32], const uint8_t key[32],
                  uint8_t extra[32])
{
    CM_AUTO(parts_wipe) cm_secp_parts p;
    CM_AUTO(cm_key32_wipe) cm_key32 b;
    num blind;
    uint64_t bad;
    bool ok;

    if (!atomic_load_explicit(&table_made, memory_order_acquire))
        return false;
    cm_secp_blind(b.b, extra);
    blind = from_bytes(b.b);
    (void)cm_secp_nonce(b.b, digest, key, NULL, extra, 0);
    p.k = from_bytes(b.b);
    bad = is_zero(&p.k) | once_less(&p.k, 0, &n_);
    CM_DECLASSIFY(&bad, sizeof bad);
    if (bad)
        return false;
    p.key = from_bytes(key);
    p.digest = from_bytes(digest);
    (void)once_less(&p.digest, 0, &n_);
    ok = cm_secp_point(p.sum, &p.k, &blind) && cm_secp_finish(sig, recid, &p);
    cm_wipe(&blind, sizeof blind);
    return ok;
}
#else
void cm_secp_prepare(void)
{
}

bool cm_secp_point(cm_p256_num sum[3], const num *k, const num *blind)
{
    (void)sum, (void)k, (void)blind;
    return false;
}

bool cm_secp_sign(uint8_t sig[64], uint8_t *recid, const uint8_t digest[32], const uint8_t key[32],
                  uint8_t extra[32])
{
    (void)sig, (void)recid, (void)digest, (void)key, (void)extra;
    return false;
}
#endif
