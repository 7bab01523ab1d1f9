/* Result tokens: made, signed, verified. */
#include "release/ear.h"

#include <stdio.h>

#include "codec/cbor.h"
#include "codec/text.h"
#include "release/ear_int.h"

enum {
    SIG = 3309,
    TAG_SIGN1 = 0xd2,
    HEADER_MAX = 256,
    COSE_ALG = 1,
    COSE_KID = 4,
    COSE_TYP = 16,
    MLDSA65 = -49, /* RL-22 */
};

#define CONTEXT  "Signature1"
#define CWT_TYPE "application/eat+cwt"

static const struct {
    cm_kem_id id;
    const char *name;
} kems[] = {{CM_KEM_MLKEM768, "ML-KEM-768+A192KW"}, {CM_KEM_XWING, "X-Wing"}};

const char *cm_ear_kem_name(cm_kem_id id)
{
    for (size_t i = 0; i < CM_COUNT(kems); i++)
        if (kems[i].id == id)
            return kems[i].name;
    return NULL;
}

cm_kem_id cm_ear_kem_of(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(kems); i++)
        if (cm_view_eq(name, cm_view_str(kems[i].name)))
            return kems[i].id;
    return (cm_kem_id)0;
}

bool cm_ear_text(char *out, size_t max, cm_view v)
{
    if (v.n == 0 || v.n > max || memchr(v.p, 0, v.n))
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

bool cm_ear_bytes(uint8_t *out, size_t n, cm_view v)
{
    if (v.n != n)
        return false;
    memcpy(out, v.p, n);
    return true;
}

cm_err cm_ear_policy_id(cm_buf *out, const cm_ear_bound *b)
{
    CM_TRY(cm_buf_append(out, CM_LIT(CM_EAR_POLICY_ID)));
    return cm_hex_encode(out, CM_VIEW(b->digest));
}

const char *cm_ear_why(unsigned bit)
{
    switch (bit) {
    case CM_STALE_EXPIRED:
        return "expired";
    case CM_STALE_RECONNECT:
        return "reconnect";
    case CM_STALE_RESTART:
        return "restart";
    case CM_STALE_MODEL:
        return "model change";
    case CM_STALE_POLICY:
        return "policy change";
    default:
        return NULL;
    }
}

/* ---- what it is keyed to ------------------------------------------------------------------- */

cm_err cm_ear_hold(cm_ear_bound *b, const cm_crypt *c, cm_kem_id kem, cm_view key, cm_view tls_spki)
{
    const cm_kem_info *info = cm_kem_info_of(kem);

    if ((key.n == 0 && tls_spki.n == 0) ||
        (key.n && (!cm_ear_kem_name(kem) || !info || key.n != info->pk)))
        return CM_FAIL(BAD_ARGUMENT);
    if (tls_spki.n) {
        CM_TRY(cm_hash_once(c, CM_SHA256, b->tls, tls_spki));
        b->has_tls = true;
    }
    if (key.n) {
        memcpy(b->key, key.p, key.n);
        b->kem = kem;
        b->key_n = key.n;
    }
    return CM_OKAY;
}

cm_err cm_ear_under(cm_ear_bound *b, const cm_crypt *c, const cm_policy *p, cm_view file)
{
    if (!cm_ear_text(b->policy, CM_EAR_TEXT, cm_view_str(p->name)))
        return CM_FAIL(TOO_BIG);
    b->version = p->version;
    return cm_hash_once(c, CM_SHA256, b->digest, file);
}

static bool same_holder(const cm_ear_bound *a, const cm_ear_bound *b)
{
    return a->has_tls == b->has_tls &&
           (!a->has_tls || cm_view_eq(CM_VIEW(a->tls), CM_VIEW(b->tls))) &&
           (a->key_n == 0 || a->kem == b->kem) &&
           cm_view_eq(cm_view_of(a->key, a->key_n), cm_view_of(b->key, b->key_n));
}

unsigned cm_ear_stale(const cm_ear *e, uint64_t now, const cm_ear_bound *bound)
{
    const cm_ear_bound *b = &e->bound;
    unsigned why = 0;

    /* RL-23, RL-24 */
    if (!cm_ear_live(e, now))
        why |= CM_STALE_EXPIRED;
    if (!same_holder(b, bound))
        why |= CM_STALE_RECONNECT;
    if (!cm_view_eq(CM_VIEW(b->boot), CM_VIEW(bound->boot)))
        why |= CM_STALE_RESTART;
    if (!cm_view_eq(cm_view_of(b->manifest, b->manifest_n),
                    cm_view_of(bound->manifest, bound->manifest_n)))
        why |= CM_STALE_MODEL;
    if (strcmp(b->policy, bound->policy) != 0 || b->version != bound->version ||
        !cm_view_eq(CM_VIEW(b->digest), CM_VIEW(bound->digest)))
        why |= CM_STALE_POLICY;
    return why;
}

/* ---- making -------------------------------------------------------------------------------- */

static bool before(const cm_ear_sub *a, const cm_ear_sub *b)
{
    size_t n = strlen(a->name), m = strlen(b->name);

    return n != m ? n < m : strcmp(a->name, b->name) < 0;
}

/* In the order that deterministic CBOR has for their names. */
static void add_sub(cm_ear *e, const cm_ear_sub *s)
{
    size_t at = e->n++;

    for (; at > 0 && before(s, &e->sub[at - 1]); at--)
        e->sub[at] = e->sub[at - 1];
    e->sub[at] = *s;
}

static void add_subs(cm_ear *e, const cm_decision *d)
{
    for (size_t i = 0; i < d->n; i++) {
        cm_ear_sub s = {.trust = d->trust[i]};
        const char *kind = cm_attest_kind_name(d->piece[i].r.kind);

        if (i == 0)
            (void)snprintf(s.name, sizeof s.name, "%s", kind);
        else
            (void)snprintf(s.name, sizeof s.name, "%s-%zu", kind, i - 1);
        add_sub(e, &s);
    }
}

static bool sound(const cm_ear_bound *b)
{
    return (b->key_n || b->has_tls) && b->policy[0] && b->manifest_n <= CM_EAR_MANIFEST_MAX;
}

cm_err cm_ear_make(cm_ear *out, const cm_crypt *c, const cm_decision *d, const cm_challenge *ch,
                   const cm_ear_bound *bound, const cm_ear_authority *by, uint64_t now,
                   uint32_t ttl)
{
    cm_ear e = {.issued = now, .tier = d->answer.tier, .bound = *bound};

    if (!d->answer.accepted) /* RL-19 */
        return CM_FAIL(POLICY_REFUSED);
    if (ttl == 0)
        ttl = CM_EAR_TTL;
    if (ttl < CM_EAR_TTL_MIN || ttl > CM_EAR_TTL_MAX || !sound(bound) || now > UINT32_MAX ||
        !cm_ear_text(e.issuer, CM_EAR_TEXT, by->issuer) ||
        !cm_ear_text(e.build, CM_EAR_TEXT, by->build) || d->n == 0 || d->n > CM_RCAR_PIECES)
        return CM_FAIL(BAD_ARGUMENT);
    e.expires = now + ttl;
    memcpy(e.nonce, ch->nonce, sizeof e.nonce);
    memcpy(e.bound.boot, d->boot, sizeof e.bound.boot);
    add_subs(&e, d);
    CM_TRY(cm_random(c, e.id, sizeof e.id));
    *out = e;
    return CM_OKAY;
}

/* ---- signing ------------------------------------------------------------------------------- */

static cm_err jose_header(cm_buf *out, const uint8_t kid[32])
{
    char hex[2 * 32 + 1] = "", text[HEADER_MAX];
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};

    CM_TRY(cm_hex_encode(&b, cm_view_of(kid, 32)));
    memcpy(hex, b.p, b.n);
    (void)snprintf(text, sizeof text, "{\"alg\":\"ML-DSA-65\",\"kid\":\"%s\",\"typ\":\"eat+jwt\"}",
                   hex);
    return cm_base64_encode(out, cm_view_str(text), true);
}

static cm_err cose_header(cm_buf *out, const uint8_t kid[32])
{
    CM_TRY(cm_cbor_put_map(out, 3));
    CM_TRY(cm_cbor_put_uint(out, COSE_ALG));
    CM_TRY(cm_cbor_put_int(out, MLDSA65));
    CM_TRY(cm_cbor_put_uint(out, COSE_KID));
    CM_TRY(cm_cbor_put_bytes(out, cm_view_of(kid, 32)));
    CM_TRY(cm_cbor_put_uint(out, COSE_TYP));
    return cm_cbor_put_text(out, CM_LIT(CWT_TYPE));
}

static cm_err header_for(cm_buf *out, cm_ear_form form, const uint8_t kid[32])
{
    return form == CM_EAR_JWT ? jose_header(out, kid) : cose_header(out, kid);
}

/* RL-22: Sig_structure of COSE, or the signing input of JWS. */
static cm_err to_sign(cm_buf *out, cm_ear_form form, cm_view header, cm_view payload)
{
    if (form == CM_EAR_JWT) {
        CM_TRY(cm_buf_append(out, header));
        CM_TRY(cm_buf_byte(out, '.'));
        return cm_buf_append(out, payload);
    }
    CM_TRY(cm_cbor_put_array(out, 4));
    CM_TRY(cm_cbor_put_text(out, CM_LIT(CONTEXT)));
    CM_TRY(cm_cbor_put_bytes(out, header));
    CM_TRY(cm_cbor_put_bytes(out, CM_LIT("")));
    return cm_cbor_put_bytes(out, payload);
}

cm_err cm_ear_tbs(cm_buf *out, cm_ear_form form, const cm_ear *e, const uint8_t kid[32])
{
    CM_AUTO(cm_buf_free) cm_buf header = {.max = HEADER_MAX};
    CM_AUTO(cm_buf_free) cm_buf claims = {.max = CM_EAR_MAX};
    CM_AUTO(cm_buf_free) cm_buf payload = {.max = CM_EAR_MAX};

    CM_TRY(header_for(&header, form, kid));
    if (form == CM_EAR_CWT) {
        CM_TRY(cm_ear_cbor_put(&payload, e));
    } else {
        CM_TRY(cm_ear_json_put(&claims, e));
        CM_TRY(cm_base64_encode(&payload, cm_buf_view(&claims), true));
    }
    return to_sign(out, form, cm_buf_view(&header), cm_buf_view(&payload));
}

static cm_err join_cose(cm_buf *out, cm_view tbs, cm_view sig)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_EAR_MAX};
    cm_view context, header, aad, payload;
    uint64_t n;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, tbs, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    CM_TRY(cm_cbor_text(&c, &context));
    CM_TRY(cm_cbor_bytes(&c, &header));
    CM_TRY(cm_cbor_bytes(&c, &aad));
    CM_TRY(cm_cbor_bytes(&c, &payload));
    CM_TRY(cm_buf_byte(&b, TAG_SIGN1));
    CM_TRY(cm_cbor_put_array(&b, 4));
    CM_TRY(cm_cbor_put_bytes(&b, header));
    CM_TRY(cm_cbor_put_map(&b, 0));
    CM_TRY(cm_cbor_put_bytes(&b, payload));
    CM_TRY(cm_cbor_put_bytes(&b, sig));
    return cm_buf_append(out, cm_buf_view(&b));
}

cm_err cm_ear_join(cm_buf *out, cm_ear_form form, cm_view tbs, cm_view sig)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_EAR_MAX};

    if (sig.n != SIG)
        return CM_FAIL(BAD_ARGUMENT);
    if (form == CM_EAR_CWT)
        return join_cose(out, tbs, sig);
    CM_TRY(cm_buf_append(&b, tbs));
    CM_TRY(cm_buf_byte(&b, '.'));
    CM_TRY(cm_base64_encode(&b, sig, true));
    return cm_buf_append(out, cm_buf_view(&b));
}

static const cm_sig_key *mldsa65(const cm_pkey *key)
{
    const cm_sig_key *k = cm_pkey_sig(key);

    return k && cm_sig_key_info(k)->id == CM_SIG_MLDSA65 ? k : NULL;
}

cm_err cm_ear_sign(cm_buf *out, const cm_crypt *c, cm_ear_form form, const cm_ear *e,
                   const cm_pkey *key)
{
    CM_AUTO(cm_buf_free) cm_buf tbs = {.max = CM_EAR_MAX};
    const cm_sig_key *k = mldsa65(key);
    uint8_t kid[CM_FINGERPRINT], sig[SIG];

    if (!k || !cm_sig_has_private(k))
        return CM_FAIL(TOKEN_KEY);
    CM_TRY(cm_pkey_fingerprint(kid, c, key));
    CM_TRY(cm_ear_tbs(&tbs, form, e, kid));
    CM_TRY(cm_sign_raw(k, sig, cm_buf_view(&tbs)));
    return cm_ear_join(out, form, cm_buf_view(&tbs), CM_VIEW(sig));
}

/* ---- taking -------------------------------------------------------------------------------- */

/* A token taken apart: header and payload as they are signed, the claims' text, the signature. */
typedef struct {
    cm_ear_form form;
    cm_view header, payload;
    cm_buf claims, sig;
} parts;

static void parts_done(parts *p)
{
    cm_buf_free(&p->claims);
    cm_buf_free(&p->sig);
}

static bool split_jws(parts *p, cm_view token)
{
    const uint8_t *a = memchr(token.p, '.', token.n), *b;
    size_t first, second;

    if (!a)
        return false;
    first = (size_t)(a - token.p);
    b = memchr(a + 1, '.', token.n - first - 1);
    if (!b)
        return false;
    second = (size_t)(b - token.p);
    p->header = cm_view_sub(token, 0, first);
    p->payload = cm_view_sub(token, first + 1, second - first - 1);
    return cm_ok(cm_base64_decode(&p->claims, p->payload, true)) &&
           cm_ok(cm_base64_decode(&p->sig, cm_view_sub(token, second + 1, token.n - second - 1),
                                  true));
}

static bool split_cose(parts *p, cm_view token)
{
    uint64_t n = 0, unprotected = 1;
    cm_view sig;
    cm_cbor c;

    return cm_ok(cm_cbor_open(&c, cm_view_sub(token, 1, token.n - 1), NULL)) &&
           cm_ok(cm_cbor_array(&c, &n)) && n == 4 && cm_ok(cm_cbor_bytes(&c, &p->header)) &&
           cm_ok(cm_cbor_map(&c, &unprotected)) && unprotected == 0 &&
           cm_ok(cm_cbor_bytes(&c, &p->payload)) && cm_ok(cm_cbor_bytes(&c, &sig)) &&
           cm_ok(cm_cbor_end(&c)) && cm_ok(cm_buf_append(&p->claims, p->payload)) &&
           cm_ok(cm_buf_append(&p->sig, sig));
}

static bool split(parts *p, cm_view token)
{
    if (token.n < 2 || token.n > CM_EAR_MAX)
        return false;
    p->form = token.p[0] == TAG_SIGN1 ? CM_EAR_CWT : CM_EAR_JWT;
    return (p->form == CM_EAR_CWT ? split_cose(p, token) : split_jws(p, token)) && p->sig.n == SIG;
}

/* RL-21: a payload is what an issuer writes for its values, to the byte. */
static cm_err read_claims(cm_ear *out, const parts *p)
{
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_EAR_MAX};
    cm_view text = cm_buf_view(&p->claims);
    cm_ear e = {.n = 0};

    if (p->form == CM_EAR_JWT) {
        CM_TRY(cm_ear_json_read(&e, text));
        CM_TRY(cm_ear_json_put(&again, &e));
    } else {
        CM_TRY(cm_ear_cbor_read(&e, text));
        CM_TRY(cm_ear_cbor_put(&again, &e));
    }
    if (!cm_view_eq(text, cm_buf_view(&again)) || !sound(&e.bound) || e.expires <= e.issued ||
        e.expires - e.issued < CM_EAR_TTL_MIN || e.expires - e.issued > CM_EAR_TTL_MAX)
        return CM_FAIL(TOKEN_FORM);
    *out = e;
    return CM_OKAY;
}

static cm_err check_signature(const cm_crypt *c, const parts *p, const cm_pkey *key)
{
    CM_AUTO(cm_buf_free) cm_buf header = {.max = HEADER_MAX};
    CM_AUTO(cm_buf_free) cm_buf tbs = {.max = CM_EAR_MAX};
    const cm_sig_key *k = mldsa65(key);
    uint8_t kid[CM_FINGERPRINT];

    if (!k)
        return CM_FAIL(TOKEN_KEY);
    CM_TRY(cm_pkey_fingerprint(kid, c, key));
    CM_TRY(header_for(&header, p->form, kid));
    if (!cm_view_eq(p->header, cm_buf_view(&header))) /* RL-22 */
        return CM_FAIL(TOKEN_KEY);
    CM_TRY(to_sign(&tbs, p->form, p->header, p->payload));
    return cm_verify_raw(k, cm_buf_view(&tbs), cm_buf_view(&p->sig));
}

static cm_err first_of(unsigned why)
{
    if (why & CM_STALE_EXPIRED)
        return CM_FAIL(REATTEST_EXPIRED);
    if (why & CM_STALE_RECONNECT)
        return CM_FAIL(REATTEST_RECONNECT);
    if (why & CM_STALE_RESTART)
        return CM_FAIL(REATTEST_RESTART);
    if (why & CM_STALE_MODEL)
        return CM_FAIL(REATTEST_MODEL);
    return why & CM_STALE_POLICY ? CM_FAIL(REATTEST_POLICY) : CM_OKAY;
}

cm_err cm_ear_verify(cm_ear *out, unsigned *why, const cm_crypt *c, cm_view token,
                     const cm_ear_demand *d)
{
    CM_AUTO(parts_done) parts p = {.claims = {.max = CM_EAR_MAX}, .sig = {.max = SIG}};
    unsigned bits;
    cm_ear e;

    if (why)
        *why = 0;
    if (d->skew > CM_EAR_SKEW_MAX || !sound(d->bound) || d->issuer.n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    if (!split(&p, token))
        return CM_FAIL(TOKEN_FORM);
    CM_TRY(check_signature(c, &p, d->key));
    CM_TRY(read_claims(&e, &p)); /* not before it is known whose they are */
    if (!cm_view_eq(cm_view_str(e.issuer), d->issuer))
        return CM_FAIL(TOKEN_ISSUER);
    if (e.issued > d->now + d->skew)
        return CM_FAIL(TOKEN_TIME);
    bits = cm_ear_stale(&e, d->now, d->bound);
    if (why)
        *why = bits;
    CM_TRY(first_of(bits));
    *out = e;
    return CM_OKAY;
}

cm_err cm_ear_peek(cm_ear *out, cm_ear_form *form, cm_view token)
{
    CM_AUTO(parts_done) parts p = {.claims = {.max = CM_EAR_MAX}, .sig = {.max = SIG}};

    if (!split(&p, token))
        return CM_FAIL(TOKEN_FORM);
    CM_TRY(read_claims(out, &p));
    *form = p.form;
    return CM_OKAY;
}
