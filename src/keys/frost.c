#include "keys/frost.h"

#include "base/ct.h"
#include "keys/frost_int.h"

static bool known(cm_frost_suite s)
{
    return s == CM_FROST_ED25519 || s == CM_FROST_SECP256K1;
}

/* Of a known one. */
static const cm_frost_ops *ops_of(cm_frost_suite s)
{
    return s == CM_FROST_SECP256K1 ? &cm_frost_secp256k1 : &cm_frost_ed25519;
}

size_t cm_frost_element_size(cm_frost_suite s)
{
    return known(s) ? ops_of(s)->element : 0;
}

size_t cm_frost_sig_size(cm_frost_suite s)
{
    return cm_frost_element_size(s) + CM_FROST_SCALAR;
}

cm_view cm_frost_public(const cm_frost_group *g)
{
    return cm_view_of(g->vss[0], cm_frost_element_size(g->suite));
}

static bool group_ok(const cm_frost_group *g)
{
    return known(g->suite) && g->need >= 2 && g->need <= g->n && g->n <= CM_FROST_MAX;
}

/* ---- the dealer: RFC 9591, appendix C ------------------------------------------------------- */

static cm_err random_scalar(const cm_crypt *c, const cm_frost_ops *o, uint8_t out[32])
{
    uint8_t seed[64];
    cm_view v = CM_VIEW(seed);
    cm_err e = cm_random(c, seed, sizeof seed);

    if (cm_ok(e))
        e = o->to_scalar(c, out, "coefficient", &v, 1);
    cm_wipe(seed, sizeof seed);
    return e;
}

static void evaluate(const cm_frost_ops *o, uint8_t out[32], uint8_t coefficient[][32],
                     unsigned need, unsigned x)
{
    uint8_t at[32];

    o->small(at, x);
    memcpy(out, coefficient[need - 1], 32);
    for (unsigned k = need - 1; k-- > 0;) {
        o->mul(out, out, at);
        o->add(out, out, coefficient[k]);
    }
}

static cm_err coefficients(uint8_t coefficient[][32], const cm_crypt *c, const cm_frost_ops *o,
                           unsigned need, const uint8_t *secret)
{
    for (unsigned k = 0; k < need; k++) {
        if (k == 0 && secret)
            memcpy(coefficient[0], secret, 32);
        else
            CM_TRY(random_scalar(c, o, coefficient[k]));
        if (!o->valid(coefficient[k]))
            return CM_FAIL(FROST_PARAMS);
    }
    return CM_OKAY;
}

cm_err cm_frost_deal(cm_frost_group *g, cm_frost_share *shares, const cm_crypt *c,
                     cm_frost_suite suite, unsigned need, unsigned n, const uint8_t *secret)
{
    const cm_frost_ops *o = ops_of(suite);
    uint8_t coefficient[CM_FROST_MAX][32];
    cm_frost_group made = {.suite = suite, .need = (uint8_t)need, .n = (uint8_t)n};
    cm_err e;

    if (!known(suite) || need < 2 || need > n || n > CM_FROST_MAX) /* F-1 */
        return CM_FAIL(FROST_PARAMS);
    e = coefficients(coefficient, c, o, need, secret);
    for (unsigned k = 0; cm_ok(e) && k < need; k++)
        e = o->base(made.vss[k], coefficient[k]);
    for (unsigned i = 0; cm_ok(e) && i < n; i++) {
        shares[i].id = (uint8_t)(i + 1);
        evaluate(o, shares[i].secret, coefficient, need, i + 1);
    }
    cm_wipe(coefficient, sizeof coefficient);
    CM_TRY(e);
    *g = made;
    return CM_OKAY;
}

/* What a holder's share times the base must be: the dealer's commitments at their place. */
static cm_err public_share(uint8_t out[CM_FROST_ELEMENT], const cm_frost_group *g, unsigned id)
{
    const cm_frost_ops *o = ops_of(g->suite);
    uint8_t power[CM_FROST_MAX][32], at[32];
    const uint8_t *e[CM_FROST_MAX];

    o->small(at, id);
    o->small(power[0], 1);
    for (unsigned k = 0; k < g->need; k++) {
        e[k] = g->vss[k];
        if (k > 0)
            o->mul(power[k], power[k - 1], at);
    }
    return o->combine(out, (const uint8_t(*)[32])power, e, g->need);
}

cm_err cm_frost_check(const cm_frost_group *g, const cm_frost_share *s)
{
    uint8_t want[CM_FROST_ELEMENT] = {0}, is[CM_FROST_ELEMENT] = {0};

    if (!group_ok(g) || s->id < 1 || s->id > g->n)
        return CM_FAIL(FROST_SHARE);
    CM_TRY(public_share(want, g, s->id));
    if (cm_failed(ops_of(g->suite)->base(is, s->secret)) ||
        !cm_view_eq(CM_VIEW(want), CM_VIEW(is))) /* F-3 */
        return CM_FAIL(FROST_SHARE);
    return CM_OKAY;
}

/* ---- round one: RFC 9591, section 5.1 -------------------------------------------------------- */

static cm_err nonce(const cm_crypt *c, const cm_frost_ops *o, uint8_t out[32], uint8_t *commitment,
                    const uint8_t secret[32])
{
    uint8_t fresh[32];
    cm_view parts[2] = {CM_VIEW(fresh), cm_view_of(secret, 32)};
    cm_err e = cm_random(c, fresh, sizeof fresh);

    if (cm_ok(e)) /* F-4 */
        e = o->to_scalar(c, out, "nonce", parts, 2);
    if (cm_ok(e))
        e = o->base(commitment, out);
    cm_wipe(fresh, sizeof fresh);
    return e;
}

cm_err cm_frost_commit(cm_frost_nonces *out, const cm_crypt *c, const cm_frost_group *g,
                       const cm_frost_share *s)
{
    const cm_frost_ops *o = ops_of(g->suite);
    cm_frost_nonces made = {.commitment.id = s->id};
    cm_err e;

    if (!group_ok(g) || s->id < 1 || s->id > g->n)
        return CM_FAIL(FROST_PARAMS);
    e = nonce(c, o, made.hiding, made.commitment.hiding, s->secret);
    if (cm_ok(e))
        e = nonce(c, o, made.binding, made.commitment.binding, s->secret);
    if (cm_ok(e))
        *out = made;
    cm_wipe(&made, sizeof made);
    return e;
}

/* ---- what both sides compute: section 4 ------------------------------------------------------ */

struct session {
    const cm_frost_ops *o;
    const cm_frost_group *g;
    const cm_frost_commitment *list;
    size_t n;
    uint8_t factor[CM_FROST_MAX][32]; /* binding factors, as in list */
    uint8_t commitment[CM_FROST_ELEMENT], challenge[32];
};

static cm_err check_list(const cm_frost_group *g, const cm_frost_commitment *list, size_t n)
{
    if (!group_ok(g))
        return CM_FAIL(FROST_PARAMS);
    if (n < g->need || n > g->n)
        return CM_FAIL(FROST_LIST);
    for (size_t i = 0; i < n; i++)
        if (list[i].id < 1 || list[i].id > g->n || (i > 0 && list[i].id <= list[i - 1].id))
            return CM_FAIL(FROST_LIST);
    return CM_OKAY;
}

static cm_err check_elements(const struct session *s)
{
    for (size_t i = 0; i < s->n; i++) {
        CM_TRY(s->o->check(s->list[i].hiding));
        CM_TRY(s->o->check(s->list[i].binding));
    }
    return CM_OKAY;
}

/* H4, H5 */
static cm_err hash(const cm_crypt *c, const cm_frost_ops *o, uint8_t out[CM_HASH_MAX],
                   const char *tag, cm_view v)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;

    CM_TRY(cm_hasher_new(&h, c, o->hash));
    CM_TRY(cm_hasher_update(h, cm_view_str(o->context)));
    CM_TRY(cm_hasher_update(h, cm_view_str(tag)));
    CM_TRY(cm_hasher_update(h, v));
    return cm_hasher_final(h, out);
}

static cm_err encode_list(cm_buf *out, const struct session *s)
{
    uint8_t id[32];

    for (size_t i = 0; i < s->n; i++) {
        s->o->small(id, s->list[i].id);
        CM_TRY(cm_buf_append(out, CM_VIEW(id)));
        CM_TRY(cm_buf_append(out, cm_view_of(s->list[i].hiding, s->o->element)));
        CM_TRY(cm_buf_append(out, cm_view_of(s->list[i].binding, s->o->element)));
    }
    return CM_OKAY;
}

static cm_err binding_factors(const cm_crypt *c, struct session *s, cm_view msg)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = CM_FROST_MAX * (32 + 2 * CM_FROST_ELEMENT)};
    uint8_t h4[CM_HASH_MAX], h5[CM_HASH_MAX], id[32];
    size_t n = cm_hash_size(s->o->hash);
    cm_view parts[4] = {cm_frost_public(s->g), cm_view_of(h4, n), cm_view_of(h5, n), CM_VIEW(id)};

    CM_TRY(encode_list(&list, s));
    CM_TRY(hash(c, s->o, h4, "msg", msg));
    CM_TRY(hash(c, s->o, h5, "com", cm_buf_view(&list)));
    for (size_t i = 0; i < s->n; i++) {
        s->o->small(id, s->list[i].id);
        CM_TRY(s->o->to_scalar(c, s->factor[i], "rho", parts, 4));
    }
    return CM_OKAY;
}

static cm_err group_commitment(struct session *s)
{
    uint8_t a[2 * CM_FROST_MAX][32];
    const uint8_t *e[2 * CM_FROST_MAX];

    for (size_t i = 0; i < s->n; i++) {
        s->o->small(a[2 * i], 1);
        e[2 * i] = s->list[i].hiding;
        memcpy(a[2 * i + 1], s->factor[i], 32);
        e[2 * i + 1] = s->list[i].binding;
    }
    return s->o->combine(s->commitment, (const uint8_t(*)[32])a, e, 2 * s->n);
}

static cm_err challenge_of(const cm_crypt *c, const cm_frost_ops *o, uint8_t out[32],
                           const uint8_t *r, cm_view public, cm_view msg)
{
    cm_view parts[3] = {cm_view_of(r, o->element), public, msg};

    return o->to_scalar(c, out, "chal", parts, 3);
}

static cm_err begin(struct session *s, const cm_crypt *c, const cm_frost_group *g,
                    const cm_frost_commitment *list, size_t n, cm_view msg)
{
    *s = (struct session){.o = ops_of(g->suite), .g = g, .list = list, .n = n};
    CM_TRY(check_elements(s)); /* F-2 */
    CM_TRY(binding_factors(c, s, msg));
    CM_TRY(group_commitment(s));
    return challenge_of(c, s->o, s->challenge, s->commitment, cm_frost_public(g), msg);
}

/* The coefficient of holder i of the list at 0: all public. */
static void lagrange(uint8_t out[32], const struct session *s, size_t i)
{
    uint8_t num[32], den[32], x[32], mine[32], d[32];

    s->o->small(num, 1);
    s->o->small(den, 1);
    s->o->small(mine, s->list[i].id);
    s->o->negate(mine, mine);
    for (size_t j = 0; j < s->n; j++) {
        if (j == i)
            continue;
        s->o->small(x, s->list[j].id);
        s->o->mul(num, num, x);
        s->o->add(d, x, mine);
        s->o->mul(den, den, d);
    }
    s->o->invert(den, den);
    s->o->mul(out, num, den);
}

static size_t place_of(const cm_frost_commitment *list, size_t n, unsigned id)
{
    size_t i = 0;

    while (i < n && list[i].id != id)
        i++;
    return i;
}

/* ---- round two: section 5.2 ------------------------------------------------------------------ */

static bool same_commitment(const cm_frost_commitment *a, const cm_frost_commitment *b)
{
    return cm_view_eq(CM_VIEW(a->hiding), CM_VIEW(b->hiding)) &&
           cm_view_eq(CM_VIEW(a->binding), CM_VIEW(b->binding));
}

static bool wiped(const cm_frost_nonces *x)
{
    static const uint8_t zero[32];
    uint32_t d = cm_ct_diff(x->hiding, zero, 32);

    CM_DECLASSIFY(&d, sizeof d); /* whether they are gone is no secret */
    return d == 0;
}

/* z = d + e rho + lambda s c */
static cm_err respond(cm_frost_part *out, const cm_crypt *c, const cm_frost_group *g,
                      const cm_frost_share *share, const cm_frost_nonces *x,
                      const cm_frost_commitment *list, size_t n, cm_view msg)
{
    struct session s;
    size_t i = place_of(list, n, share->id);
    uint8_t t[32], lambda[32];

    CM_TRY(begin(&s, c, g, list, n, msg));
    lagrange(lambda, &s, i);
    s.o->mul(lambda, lambda, s.challenge);
    s.o->mul(t, share->secret, lambda);
    out->id = share->id;
    s.o->mul(out->z, x->binding, s.factor[i]);
    s.o->add(out->z, out->z, x->hiding);
    s.o->add(out->z, out->z, t);
    cm_wipe(t, sizeof t);
    return CM_OKAY;
}

cm_err cm_frost_sign(cm_frost_part *out, const cm_crypt *c, const cm_frost_group *g,
                     const cm_frost_share *share, cm_frost_nonces *nonces,
                     const cm_frost_commitment *list, size_t n, cm_view msg)
{
    cm_frost_part made;
    size_t i;
    cm_err e;

    CM_TRY(check_list(g, list, n));
    i = place_of(list, n, share->id);
    if (wiped(nonces)) /* F-5 */
        return CM_FAIL(FROST_NONCE_USED);
    if (i == n || !same_commitment(&list[i], &nonces->commitment)) /* F-6 */
        return CM_FAIL(FROST_NOT_OURS);
    e = respond(&made, c, g, share, nonces, list, n, msg);
    cm_wipe(nonces, sizeof *nonces); /* F-5 */
    if (cm_ok(e))
        *out = made;
    cm_wipe(&made, sizeof made);
    return e;
}

/* ---- the end: section 5.3 -------------------------------------------------------------------- */

/* z G == R + c PK */
static cm_err check_signature(const cm_frost_ops *o, const uint8_t *r, const uint8_t z[32],
                              const uint8_t challenge[32], const uint8_t *public)
{
    uint8_t a[2][32], left[CM_FROST_ELEMENT] = {0}, right[CM_FROST_ELEMENT] = {0};
    const uint8_t *e[2] = {r, public};

    o->small(a[0], 1);
    memcpy(a[1], challenge, 32);
    if (!o->valid(z) || cm_failed(o->base(left, z)) ||
        cm_failed(o->combine(right, (const uint8_t(*)[32])a, e, 2)) ||
        !cm_view_eq(CM_VIEW(left), CM_VIEW(right)))
        return CM_FAIL(CRYPT_SIGNATURE);
    return CM_OKAY;
}

/* z_i G == D_i + rho_i E_i + c lambda_i PK_i: section 5.4 */
static bool part_ok(const struct session *s, size_t i, const cm_frost_part *part)
{
    uint8_t a[3][32], pk[CM_FROST_ELEMENT] = {0}, left[CM_FROST_ELEMENT] = {0},
                      right[CM_FROST_ELEMENT] = {0};
    const uint8_t *e[3] = {s->list[i].hiding, s->list[i].binding, pk};

    if (part->id != s->list[i].id || !s->o->valid(part->z) ||
        cm_failed(public_share(pk, s->g, part->id)))
        return false;
    s->o->small(a[0], 1);
    memcpy(a[1], s->factor[i], 32);
    lagrange(a[2], s, i);
    s->o->mul(a[2], a[2], s->challenge);
    return cm_ok(s->o->base(left, part->z)) &&
           cm_ok(s->o->combine(right, (const uint8_t(*)[32])a, e, 3)) &&
           cm_view_eq(CM_VIEW(left), CM_VIEW(right));
}

static unsigned find_bad(const struct session *s, const cm_frost_part *parts)
{
    for (size_t i = 0; i < s->n; i++)
        if (!part_ok(s, i, &parts[i])) /* F-7 */
            return s->list[i].id;
    return 0;
}

static bool add_parts(uint8_t z[32], const struct session *s, const cm_frost_part *parts)
{
    memset(z, 0, 32);
    for (size_t i = 0; i < s->n; i++) {
        if (parts[i].id != s->list[i].id || !s->o->valid(parts[i].z))
            return false;
        s->o->add(z, z, parts[i].z);
    }
    return true;
}

cm_err cm_frost_aggregate(uint8_t *sig, unsigned *bad, const cm_crypt *c, const cm_frost_group *g,
                          const cm_frost_commitment *list, const cm_frost_part *parts, size_t n,
                          cm_view msg)
{
    struct session s;
    uint8_t z[32];

    CM_TRY(check_list(g, list, n));
    CM_TRY(begin(&s, c, g, list, n, msg));
    if (!add_parts(z, &s, parts) ||
        cm_failed(check_signature(s.o, s.commitment, z, s.challenge, g->vss[0]))) { /* F-7 */
        if (bad)
            *bad = find_bad(&s, parts);
        return CM_FAIL(FROST_SHARE);
    }
    memcpy(sig, s.commitment, s.o->element);
    memcpy(sig + s.o->element, z, 32);
    return CM_OKAY;
}

cm_err cm_frost_verify(const cm_crypt *c, cm_frost_suite suite, cm_view public, cm_view msg,
                       cm_view sig)
{
    const cm_frost_ops *o = ops_of(suite);
    uint8_t challenge[32];

    if (!known(suite) || public.n != o->element || sig.n != o->element + 32 ||
        cm_failed(o->check(public.p)) || cm_failed(o->check(sig.p)))
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(challenge_of(c, o, challenge, sig.p, public, msg));
    return check_signature(o, sig.p, sig.p + o->element, challenge, public.p);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum { VERSION = 1, HEAD = 4 };

cm_err cm_frost_put_group(cm_buf *out, const cm_frost_group *g)
{
    const uint8_t head[HEAD] = {VERSION, (uint8_t)g->suite, g->need, g->n};
    size_t was = out->n;
    cm_err e = cm_buf_append(out, CM_VIEW(head));

    if (!group_ok(g))
        e = CM_FAIL(FROST_PARAMS);
    for (size_t k = 0; cm_ok(e) && k < g->need; k++)
        e = cm_buf_append(out, cm_view_of(g->vss[k], cm_frost_element_size(g->suite)));
    if (cm_failed(e))
        out->n = was;
    return e;
}

cm_err cm_frost_get_group(cm_frost_group *g, cm_view v)
{
    cm_frost_group got = {0};
    size_t size;

    if (v.n < HEAD || v.p[0] != VERSION)
        return CM_FAIL(FROST_ENCODING);
    got.suite = (cm_frost_suite)v.p[1];
    got.need = v.p[2];
    got.n = v.p[3];
    size = cm_frost_element_size(got.suite);
    if (!group_ok(&got) || v.n != HEAD + got.need * size) /* F-8 */
        return CM_FAIL(FROST_ENCODING);
    for (size_t k = 0; k < got.need; k++) {
        memcpy(got.vss[k], v.p + HEAD + k * size, size);
        if (cm_failed(ops_of(got.suite)->check(got.vss[k])))
            return CM_FAIL(FROST_ENCODING);
    }
    *g = got;
    return CM_OKAY;
}

cm_err cm_frost_put_commitment(cm_buf *out, const cm_frost_commitment *x)
{
    CM_TRY(cm_buf_reserve(out, CM_FROST_COMMITMENT));
    CM_TRY(cm_buf_byte(out, x->id));
    CM_TRY(cm_buf_append(out, CM_VIEW(x->hiding)));
    return cm_buf_append(out, CM_VIEW(x->binding));
}

cm_err cm_frost_get_commitment(cm_frost_commitment *x, cm_view v)
{
    if (v.n != CM_FROST_COMMITMENT || v.p[0] < 1 || v.p[0] > CM_FROST_MAX)
        return CM_FAIL(FROST_ENCODING);
    x->id = v.p[0];
    memcpy(x->hiding, v.p + 1, CM_FROST_ELEMENT);
    memcpy(x->binding, v.p + 1 + CM_FROST_ELEMENT, CM_FROST_ELEMENT);
    return CM_OKAY;
}

cm_err cm_frost_put_nonces(cm_buf *out, const cm_frost_nonces *x)
{
    CM_TRY(cm_buf_reserve(out, CM_FROST_NONCES));
    CM_TRY(cm_frost_put_commitment(out, &x->commitment));
    CM_TRY(cm_buf_append(out, CM_VIEW(x->hiding)));
    return cm_buf_append(out, CM_VIEW(x->binding));
}

cm_err cm_frost_get_nonces(cm_frost_nonces *x, cm_view v)
{
    cm_frost_commitment at;

    if (v.n != CM_FROST_NONCES)
        return CM_FAIL(FROST_ENCODING);
    CM_TRY(cm_frost_get_commitment(&at, cm_view_sub(v, 0, CM_FROST_COMMITMENT)));
    x->commitment = at;
    memcpy(x->hiding, v.p + CM_FROST_COMMITMENT, 32);
    memcpy(x->binding, v.p + CM_FROST_COMMITMENT + 32, 32);
    return CM_OKAY;
}
