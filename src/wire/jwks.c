#include "codec/text.h"
#include "wire/jwt_int.h"

enum { COORDINATE_MAX = 48, RSA_N_MAX = 512, RSA_E_MAX = 4, SPKI_MAX = 1024, PUB_MAX = 4096 };

static const struct {
    const char *name;
    cm_sig_id sig; /* 0: RSA */
    const char *kty, *crv;
} algs[CM_JWT_ALGS] = {
    [CM_JWT_ES256] = {"ES256", CM_SIG_P256, "EC", "P-256"},
    [CM_JWT_ES384] = {"ES384", CM_SIG_P384, "EC", "P-384"},
    [CM_JWT_EDDSA] = {"EdDSA", CM_SIG_ED25519, "OKP", "Ed25519"},
    [CM_JWT_RS256] = {"RS256", (cm_sig_id)0, "RSA", NULL},
    [CM_JWT_PS256] = {"PS256", (cm_sig_id)0, "RSA", NULL},
    [CM_JWT_MLDSA44] = {"ML-DSA-44", CM_SIG_MLDSA44, "AKP", NULL},
    [CM_JWT_MLDSA65] = {"ML-DSA-65", CM_SIG_MLDSA65, "AKP", NULL},
    [CM_JWT_MLDSA87] = {"ML-DSA-87", CM_SIG_MLDSA87, "AKP", NULL},
};

const char *cm_jwt_alg_name(cm_jwt_alg a)
{
    return algs[a].name;
}

bool cm_jwt_alg_by_name(cm_jwt_alg *out, cm_view name)
{
    for (size_t i = 0; i < CM_JWT_ALGS; i++)
        if (cm_view_eq(name, cm_view_str(algs[i].name))) {
            *out = (cm_jwt_alg)i;
            return true;
        }
    return false;
}

static void jwk_done(cm_jwk *k)
{
    cm_buf_free(&k->kid);
    cm_sig_key_free(k->sig);
    cm_rsa_free(k->rsa);
    *k = (cm_jwk){0};
}

void cm_jwks_free(cm_jwks *k)
{
    for (size_t i = 0; k && i < k->n; i++)
        jwk_done(&k->v[i]);
    cm_free(k);
}

void cm_jwks_free_ptr(cm_jwks **k)
{
    cm_jwks_free(*k);
}

size_t cm_jwks_size(const cm_jwks *k)
{
    return k->n;
}

const cm_jwk *cm_jwks_find(const cm_jwks *k, cm_view kid)
{
    if (kid.n == 0)
        return k->n == 1 ? &k->v[0] : NULL;
    for (size_t i = 0; i < k->n; i++)
        if (cm_view_eq(cm_buf_view(&k->v[i].kid), kid))
            return &k->v[i];
    return NULL;
}

/* ---- members ---- */

static bool text_of(cm_view *out, const cm_json_node *key, const char *name)
{
    return cm_ok(cm_json_string(cm_json_get(key, name), out));
}

static bool is(const cm_json_node *key, const char *name, const char *text)
{
    cm_view v;

    return text_of(&v, key, name) && cm_view_eq(v, cm_view_str(text));
}

/* Bytes in base64url; an empty value is none. */
static cm_err bytes_of(cm_buf *out, const cm_json_node *key, const char *name)
{
    cm_view v;

    if (!text_of(&v, key, name) || v.n == 0 || cm_failed(cm_base64_decode(out, v, true)))
        return CM_FAIL(JWKS_MALFORMED);
    return CM_OKAY;
}

/* ---- public keys ---- */

static cm_err bad_key(cm_err e)
{
    return cm_is(e, CM_CRYPT_BAD_KEY) ? CM_FAIL(JWKS_MALFORMED) : e;
}

static cm_err read_ec(cm_jwk *out, const cm_crypt *c, const cm_json_node *key, cm_jwt_alg a)
{
    CM_AUTO(cm_buf_free) cm_buf x = {.max = COORDINATE_MAX}, y = {.max = COORDINATE_MAX};
    CM_AUTO(cm_buf_free) cm_buf point = {.max = 1 + 2 * COORDINATE_MAX};
    size_t n = a == CM_JWT_ES256 ? 32 : 48;

    CM_TRY(bytes_of(&x, key, "x"));
    CM_TRY(bytes_of(&y, key, "y"));
    if (x.n != n || y.n != n)
        return CM_FAIL(JWKS_MALFORMED);
    CM_TRY(cm_buf_byte(&point, 4));
    CM_TRY(cm_buf_append(&point, cm_buf_view(&x)));
    CM_TRY(cm_buf_append(&point, cm_buf_view(&y)));
    return bad_key(cm_sig_from_public(&out->sig, c, algs[a].sig, cm_buf_view(&point)));
}

static cm_err read_pub(cm_jwk *out, const cm_crypt *c, const cm_json_node *key, cm_jwt_alg a,
                       const char *member)
{
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = PUB_MAX};

    CM_TRY(bytes_of(&pub, key, member));
    return bad_key(cm_sig_from_public(&out->sig, c, algs[a].sig, cm_buf_view(&pub)));
}

/* ---- RSA: n and e as the SubjectPublicKeyInfo that readers of keys take ---- */

static cm_err der(cm_buf *out, uint8_t tag, cm_view v)
{
    CM_TRY(cm_buf_byte(out, tag));
    if (v.n > 0xff)
        CM_TRY(cm_buf_byte(out, 0x82));
    else if (v.n > 0x7f)
        CM_TRY(cm_buf_byte(out, 0x81));
    if (v.n > 0xff)
        CM_TRY(cm_buf_byte(out, (uint8_t)(v.n >> 8)));
    CM_TRY(cm_buf_byte(out, (uint8_t)v.n));
    return cm_buf_append(out, v);
}

static cm_err der_integer(cm_buf *out, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = RSA_N_MAX + 1};

    if (v.p[0] == 0) /* RFC 7518: as few bytes as it takes */
        return CM_FAIL(JWKS_MALFORMED);
    if (v.p[0] & 0x80)
        CM_TRY(cm_buf_byte(&b, 0));
    CM_TRY(cm_buf_append(&b, v));
    return der(out, 0x02, cm_buf_view(&b));
}

static cm_err rsa_spki(cm_buf *out, cm_view n, cm_view e)
{
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                        0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    CM_AUTO(cm_buf_free) cm_buf pair = {.max = SPKI_MAX}, bits = {.max = SPKI_MAX};
    CM_AUTO(cm_buf_free) cm_buf whole = {.max = SPKI_MAX};

    CM_TRY(der_integer(&pair, n));
    CM_TRY(der_integer(&pair, e));
    CM_TRY(cm_buf_byte(&bits, 0));
    CM_TRY(der(&bits, 0x30, cm_buf_view(&pair)));
    CM_TRY(cm_buf_append(&whole, CM_VIEW(algorithm)));
    CM_TRY(der(&whole, 0x03, cm_buf_view(&bits)));
    return der(out, 0x30, cm_buf_view(&whole));
}

static cm_err read_rsa(cm_jwk *out, const cm_crypt *c, const cm_json_node *key)
{
    CM_AUTO(cm_buf_free) cm_buf n = {.max = RSA_N_MAX}, e = {.max = RSA_E_MAX};
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = SPKI_MAX};

    CM_TRY(bytes_of(&n, key, "n"));
    CM_TRY(bytes_of(&e, key, "e"));
    CM_TRY(rsa_spki(&spki, cm_buf_view(&n), cm_buf_view(&e)));
    return bad_key(cm_rsa_from_public(&out->rsa, c, cm_buf_view(&spki)));
}

/* ---- one key ---- */

/* Which algorithms a key is for, by its type, curve and, where it has one, `alg`. 0: none that is
 * used here. */
static unsigned algs_of(const cm_json_node *key)
{
    bool named = cm_json_get(key, "alg");
    unsigned bits = 0;

    for (size_t i = 0; i < CM_JWT_ALGS; i++) {
        bool chosen = named ? is(key, "alg", algs[i].name) : strcmp(algs[i].kty, "AKP") != 0;

        if (chosen && is(key, "kty", algs[i].kty) && (!algs[i].crv || is(key, "crv", algs[i].crv)))
            bits |= 1u << i;
    }
    return bits;
}

static bool for_verifying(const cm_json_node *key)
{
    const cm_json_node *ops = cm_json_get(key, "key_ops");
    bool found = false;

    if (cm_json_get(key, "use") && !is(key, "use", "sig"))
        return false;
    if (!ops)
        return true;
    for (const cm_json_node *o = cm_json_first(ops); o; o = cm_json_next(o)) {
        cm_view v;

        found = found || (cm_ok(cm_json_string(o, &v)) && cm_view_eq(v, CM_LIT("verify")));
    }
    return found;
}

static cm_err read_public(cm_jwk *out, const cm_crypt *c, const cm_json_node *key)
{
    cm_jwt_alg first = (cm_jwt_alg)__builtin_ctz(out->algs);

    switch (first) {
    case CM_JWT_ES256:
    case CM_JWT_ES384:
        return read_ec(out, c, key, first);
    case CM_JWT_EDDSA:
        return read_pub(out, c, key, first, "x");
    case CM_JWT_RS256:
    case CM_JWT_PS256:
        return read_rsa(out, c, key);
    default:
        return read_pub(out, c, key, first, "pub");
    }
}

/* W-51. *taken: it is one that tokens can be verified with. */
static cm_err read_key(cm_jwk *out, bool *taken, const cm_crypt *c, const cm_json_node *key)
{
    CM_AUTO(jwk_done) cm_jwk k = {.kid = {.max = CM_JWT_KID_MAX}};
    cm_view kid;

    *taken = false;
    if (cm_json_type_of(key) != CM_JSON_OBJECT)
        return CM_FAIL(JWKS_MALFORMED);
    /* A private key in a public set: whoever published it has lost it. */
    if (cm_json_get(key, "d") || cm_json_get(key, "priv"))
        return CM_FAIL(JWKS_MALFORMED);
    k.algs = algs_of(key);
    if (k.algs == 0 || !for_verifying(key) || !text_of(&kid, key, "kid"))
        return CM_OKAY;
    if (kid.n == 0 || kid.n > CM_JWT_KID_MAX)
        return CM_FAIL(JWKS_MALFORMED);
    CM_TRY(cm_buf_append(&k.kid, kid));
    CM_TRY(read_public(&k, c, key));
    *taken = true;
    *out = k;
    k = (cm_jwk){0};
    return CM_OKAY;
}

static cm_err read_all(cm_jwks *set, const cm_crypt *c, const cm_json_node *keys)
{
    if (cm_json_type_of(keys) != CM_JSON_ARRAY)
        return CM_FAIL(JWKS_MALFORMED);
    if (cm_json_size(keys) > CM_JWKS_KEYS_MAX)
        return CM_FAIL(JWKS_LIMIT);
    for (const cm_json_node *key = cm_json_first(keys); key; key = cm_json_next(key)) {
        cm_jwk k = {0};
        bool taken;

        CM_TRY(read_key(&k, &taken, c, key));
        if (!taken)
            continue;
        if (cm_jwks_find(set, cm_buf_view(&k.kid))) {
            jwk_done(&k);
            return CM_FAIL(JWKS_MALFORMED);
        }
        set->v[set->n++] = k;
    }
    return CM_OKAY;
}

cm_err cm_jwks_parse(cm_jwks **out, const cm_crypt *c, cm_view json)
{
    static const cm_json_limits limits = {CM_JWKS_MAX, 8192, 8, 16 << 10};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_jwks_free_ptr) cm_jwks *set = NULL;
    const cm_json_node *keys;
    cm_err e;

    if (json.n > CM_JWKS_MAX)
        return CM_FAIL(JWKS_LIMIT);
    e = cm_json_parse(&j, json, &limits, NULL);
    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY)    ? e
               : cm_is(e, CM_JSON_LIMIT) ? CM_FAIL(JWKS_LIMIT)
                                         : CM_FAIL(JWKS_MALFORMED);
    keys = cm_json_get(cm_json_root(j), "keys");
    if (!keys)
        return CM_FAIL(JWKS_MALFORMED);
    CM_TRY(cm_alloc(&set, sizeof *set));
    CM_TRY(read_all(set, c, keys));
    *out = set;
    set = NULL;
    return CM_OKAY;
}
