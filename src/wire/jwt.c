#include "wire/jwt.h"

#include "codec/text.h"
#include "wire/jwt_int.h"

enum { SIG_MAX = 4640, SUBJECT_MAX = 256, DAY = 86400 };

void cm_jwt_free(cm_jwt *t)
{
    cm_json_free(t->claims);
    *t = (cm_jwt){0};
}

/* The three parts: what is signed, and the signature. */
typedef struct {
    cm_view header, payload, signature, signed_text;
} parts;

static bool split(parts *p, cm_view token)
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
    p->signature = cm_view_sub(token, second + 1, token.n - second - 1);
    p->signed_text = cm_view_sub(token, 0, second);
    return true;
}

static cm_err read_json(cm_json **out, cm_view base64)
{
    static const cm_json_limits limits = {CM_JWT_MAX, 1024, 8, CM_JWT_MAX};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_JWT_MAX};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_err e;

    if (base64.n == 0 || cm_failed(cm_base64_decode(&text, base64, true)))
        return CM_FAIL(JWT_MALFORMED);
    e = cm_json_parse(&j, cm_buf_view(&text), &limits, NULL);
    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(JWT_MALFORMED);
    if (cm_json_type_of(cm_json_root(j)) != CM_JSON_OBJECT)
        return CM_FAIL(JWT_MALFORMED);
    *out = j;
    j = NULL;
    return CM_OKAY;
}

static bool optional_text(cm_view *out, const cm_json_node *obj, const char *name)
{
    const cm_json_node *n = cm_json_get(obj, name);

    return !n || cm_ok(cm_json_string(n, out));
}

static bool same_letters(cm_view v, const char *upper)
{
    if (v.n != strlen(upper))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if ((v.p[i] >= 'a' && v.p[i] <= 'z' ? v.p[i] - 32 : v.p[i]) != (uint8_t)upper[i])
            return false;
    return true;
}

/* W-50, W-52: the key that kid names, and an algorithm that this key is for. Keys and addresses of
 * keys inside the header are never looked at; what is marked critical would have to be understood.
 */
static cm_err read_header(const cm_jwk **key, cm_jwt_alg *alg, const cm_jwks *keys,
                          const cm_json_node *h)
{
    cm_view name, kid = {NULL, 0}, typ = {NULL, 0};

    if (cm_failed(cm_json_string(cm_json_get(h, "alg"), &name)) || !optional_text(&kid, h, "kid") ||
        !optional_text(&typ, h, "typ") || cm_json_get(h, "crit") || cm_json_get(h, "b64"))
        return CM_FAIL(JWT_MALFORMED);
    if (typ.n && !same_letters(typ, "JWT") && !same_letters(typ, "AT+JWT"))
        return CM_FAIL(JWT_MALFORMED);
    if (!cm_jwt_alg_by_name(alg, name))
        return CM_FAIL(JWT_ALGORITHM);
    *key = cm_jwks_find(keys, kid);
    if (!*key)
        return CM_FAIL(JWT_KEY);
    return (*key)->algs >> *alg & 1 ? CM_OKAY : CM_FAIL(JWT_ALGORITHM);
}

static cm_err check_signature(const cm_jwk *key, cm_jwt_alg alg, const parts *p)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = SIG_MAX};
    cm_err e;

    if (p->signature.n == 0 || cm_failed(cm_base64_decode(&sig, p->signature, true)))
        return CM_FAIL(JWT_MALFORMED);
    if (key->sig)
        e = cm_verify_raw(key->sig, p->signed_text, cm_buf_view(&sig));
    else
        e = cm_rsa_verify(key->rsa, alg == CM_JWT_PS256 ? CM_RSA_PSS : CM_RSA_PKCS1, false,
                          p->signed_text, cm_buf_view(&sig));
    return cm_is(e, CM_CRYPT_SIGNATURE) ? CM_FAIL(JWT_SIGNATURE) : e;
}

/* ---- claims ---- */

static bool audience_of(const cm_json_node *aud, cm_view want)
{
    cm_view v;

    if (aud && cm_json_type_of(aud) == CM_JSON_STRING)
        return cm_ok(cm_json_string(aud, &v)) && cm_view_eq(v, want);
    if (!aud || cm_json_type_of(aud) != CM_JSON_ARRAY)
        return false;
    for (const cm_json_node *a = cm_json_first(aud); a; a = cm_json_next(a))
        if (cm_ok(cm_json_string(a, &v)) && cm_view_eq(v, want))
            return true;
    return false;
}

static bool seconds_of(uint64_t *out, const cm_json_node *obj, const char *name)
{
    return cm_ok(cm_json_u64(cm_json_get(obj, name), out)) && *out <= INT64_MAX;
}

/* W-54 */
static cm_err check_times(cm_jwt *t, const cm_json_node *claims, const cm_jwt_pins *p)
{
    uint32_t max_age = p->max_age ? p->max_age : DAY;
    uint64_t not_before = 0;

    if (!seconds_of(&t->expires, claims, "exp") || !seconds_of(&t->issued, claims, "iat") ||
        (cm_json_get(claims, "nbf") && !seconds_of(&not_before, claims, "nbf")))
        return CM_FAIL(JWT_TIME);
    if (t->expires <= t->issued || t->expires - t->issued > max_age ||
        p->now >= t->expires + p->skew || t->issued > p->now + p->skew ||
        not_before > p->now + p->skew)
        return CM_FAIL(JWT_TIME);
    return CM_OKAY;
}

static cm_err check_claims(cm_jwt *t, const cm_jwt_pins *p)
{
    const cm_json_node *claims = cm_json_root(t->claims);
    cm_view issuer = {NULL, 0};

    if (cm_failed(cm_json_string(cm_json_get(claims, "iss"), &issuer)) ||
        !cm_view_eq(issuer, p->issuer)) /* W-53 */
        return CM_FAIL(JWT_ISSUER);
    if (!audience_of(cm_json_get(claims, "aud"), p->audience))
        return CM_FAIL(JWT_AUDIENCE);
    CM_TRY(check_times(t, claims, p));
    if (cm_failed(cm_json_string(cm_json_get(claims, "sub"), &t->subject)) || t->subject.n == 0 ||
        t->subject.n > SUBJECT_MAX)
        return CM_FAIL(JWT_MALFORMED);
    return CM_OKAY;
}

cm_err cm_jwt_verify(cm_jwt *out, const cm_crypt *c, const cm_jwks *keys, cm_view token,
                     const cm_jwt_pins *pins)
{
    CM_AUTO(cm_json_free_ptr) cm_json *header = NULL;
    CM_AUTO(cm_jwt_free) cm_jwt t = {0};
    const cm_jwk *key;
    cm_jwt_alg alg;
    parts p;

    (void)c;
    if (pins->issuer.n == 0 || pins->audience.n == 0 || pins->skew > CM_JWT_SKEW_MAX ||
        pins->now > INT64_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    if (token.n == 0 || token.n > CM_JWT_MAX || !split(&p, token))
        return CM_FAIL(JWT_MALFORMED);
    CM_TRY(read_json(&header, p.header));
    CM_TRY(read_header(&key, &alg, keys, cm_json_root(header)));
    CM_TRY(check_signature(key, alg, &p));
    CM_TRY(read_json(&t.claims, p.payload)); /* not before it is known whose they are */
    CM_TRY(check_claims(&t, pins));
    t.alg = cm_jwt_alg_name(alg);
    t.post_quantum = alg >= CM_JWT_MLDSA44;
    *out = t;
    t = (cm_jwt){0};
    return CM_OKAY;
}
