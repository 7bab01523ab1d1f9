/* Tokens: the RFCs' own, every algorithm, every claim, and the confusions that others fell for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypt/rsa.h"
#include "crypt/sig.h"
#include "wire/jwt.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { NOW = 1800000000, SIG_MAX = 5000, TOKEN_MAX = 32 << 10, KEYS = 7 };

static cm_crypt *c;
static const cm_jwt_pins pins = {.issuer = {(const uint8_t *)"https://id.example", 18},
                                 .audience = {(const uint8_t *)"casemate", 8},
                                 .now = NOW,
                                 .skew = 60};

static const struct {
    const char *alg, *kty, *crv;
    cm_sig_id id;
} kinds[KEYS] = {
    {"ES256", "EC", "P-256", CM_SIG_P256},       {"ES384", "EC", "P-384", CM_SIG_P384},
    {"EdDSA", "OKP", "Ed25519", CM_SIG_ED25519}, {"ML-DSA-44", "AKP", NULL, CM_SIG_MLDSA44},
    {"ML-DSA-65", "AKP", NULL, CM_SIG_MLDSA65},  {"ML-DSA-87", "AKP", NULL, CM_SIG_MLDSA87},
    {"RS256", "RSA", NULL, (cm_sig_id)0},
};
static cm_sig_key *keys[KEYS];
static cm_rsa *rsa;
static cm_jwks *set;
static cm_buf set_text = {.max = CM_JWKS_MAX};

/* ---- a key set ---- */

static void put_base64(cm_json_writer *w, const char *name, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    assert_good(cm_base64_encode(&b, v, true));
    cm_json_put_text(w, name, cm_buf_view(&b));
}

/* n of our RSA key: behind the heads of its SubjectPublicKeyInfo. */
static void put_rsa(cm_json_writer *w)
{
    static const uint8_t e[] = {1, 0, 1};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = 1024};

    assert_good(cm_rsa_public_der(&der, rsa));
    put_base64(w, "n", cm_view_of(der.p + der.n - 5 - 256, 256));
    put_base64(w, "e", CM_VIEW(e));
}

static void put_key(cm_json_writer *w, size_t i)
{
    cm_view pub = keys[i] ? cm_sig_public(keys[i]) : CM_LIT("");
    size_t half = (pub.n - 1) / 2;

    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "kty", cm_view_str(kinds[i].kty));
    cm_json_put_text(w, "kid", cm_view_str(kinds[i].alg));
    if (kinds[i].crv)
        cm_json_put_text(w, "crv", cm_view_str(kinds[i].crv));
    else if (keys[i])
        cm_json_put_text(w, "alg", cm_view_str(kinds[i].alg));
    if (!keys[i]) {
        put_rsa(w);
    } else if (strcmp(kinds[i].kty, "EC") == 0) {
        put_base64(w, "x", cm_view_sub(pub, 1, half));
        put_base64(w, "y", cm_view_sub(pub, 1 + half, half));
    } else {
        put_base64(w, kinds[i].crv ? "x" : "pub", pub);
    }
    cm_json_end_object(w);
}

static int setup(void **state)
{
    cm_json_writer w = {.out = &set_text};

    (void)state;
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    assert_good(cm_rsa_generate(&rsa, c, 2048));
    cm_json_begin_object(&w, NULL);
    cm_json_begin_array(&w, "keys");
    for (size_t i = 0; i < KEYS; i++) {
        if (kinds[i].id)
            assert_good(cm_sig_generate(&keys[i], c, kinds[i].id));
        put_key(&w, i);
    }
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    assert_good(cm_json_finish(&w));
    assert_good(cm_jwks_parse(&set, c, cm_buf_view(&set_text)));
    assert_int_equal(cm_jwks_size(set), KEYS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_jwks_free(set);
    cm_buf_free(&set_text);
    for (size_t i = 0; i < KEYS; i++)
        cm_sig_key_free(keys[i]);
    cm_rsa_free(rsa);
    cm_crypt_free(c);
    return 0;
}

/* ---- tokens ---- */

#define CLAIMS(iss, aud, times) \
    "{\"iss\":\"" iss "\",\"aud\":" aud ",\"sub\":\"alice\"," times ",\"role\":\"signer\"}"
#define TIMES "\"iat\":1799999990,\"exp\":1800000600"
static const char good_claims[] = CLAIMS("https://id.example", "\"casemate\"", TIMES);

static void sign(cm_buf *out, size_t key, bool pss)
{
    uint8_t sig[SIG_MAX];
    size_t n = keys[key] ? cm_sig_key_info(keys[key])->sig : 256;

    if (keys[key])
        assert_good(cm_sign_raw(keys[key], sig, cm_buf_view(out)));
    else
        assert_good(
            cm_rsa_sign(rsa, sig, pss ? CM_RSA_PSS : CM_RSA_PKCS1, false, cm_buf_view(out)));
    assert_good(cm_buf_byte(out, '.'));
    assert_good(cm_base64_encode(out, cm_view_of(sig, n), true));
}

static cm_buf token_of(size_t key, const char *header, const char *claims)
{
    cm_buf b = {.max = TOKEN_MAX};
    char usual[128];

    snprintf(usual, sizeof usual, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", kinds[key].alg,
             kinds[key].alg);
    assert_good(cm_base64_encode(&b, cm_view_str(header ? header : usual), true));
    assert_good(cm_buf_byte(&b, '.'));
    assert_good(cm_base64_encode(&b, cm_view_str(claims), true));
    sign(&b, key, header && strstr(header, "PS256"));
    return b;
}

static cm_err verify(const cm_jwks *k, cm_view token)
{
    CM_AUTO(cm_jwt_free) cm_jwt t = {0};

    return cm_jwt_verify(&t, c, k, token, &pins);
}

/* W-50: what the sender says, signed by one of the set's keys. */
static cm_err says(size_t key, const char *header, const char *claims)
{
    CM_AUTO(cm_buf_free) cm_buf b = token_of(key, header, claims);

    return verify(set, cm_buf_view(&b));
}

static void algorithms(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = token_of(i, NULL, good_claims);
        CM_AUTO(cm_jwt_free) cm_jwt t = {0};
        cm_view role;

        assert_good(cm_jwt_verify(&t, c, set, cm_buf_view(&b), &pins));
        assert_string_equal(t.alg, kinds[i].alg);
        assert_true(cm_view_eq(t.subject, CM_LIT("alice")));
        assert_int_equal(t.expires, 1800000600);
        assert_int_equal(t.post_quantum, strncmp(kinds[i].alg, "ML-DSA", 6) == 0);
        assert_good(cm_json_string(cm_json_get(cm_json_root(t.claims), "role"), &role));
        assert_true(cm_view_eq(role, CM_LIT("signer")));
    }
    assert_good(says(6, "{\"alg\":\"PS256\",\"kid\":\"RS256\"}", good_claims));
}

/* Any bit of a token changed: refused. */
static void every_character(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = token_of(2, NULL, good_claims);

    (void)state;
    for (size_t i = 0; i < b.n; i++) {
        uint8_t was = b.p[i];

        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[i] = (uint8_t)(was ^ 1u << bit);
            assert_int_equal(cm_err_class(verify(set, cm_buf_view(&b))), CM_CLASS_UNAUTHENTIC);
        }
        b.p[i] = was;
        assert_int_equal(cm_err_class(verify(set, cm_view_of(b.p, i))), CM_CLASS_UNAUTHENTIC);
    }
    assert_good(verify(set, cm_buf_view(&b)));
    assert_good(cm_buf_byte(&b, 'A'));
    assert_int_equal(cm_err_class(verify(set, cm_buf_view(&b))), CM_CLASS_UNAUTHENTIC);
}

/* W-52: `none`, a MAC with the public key as its secret, and another key's algorithm. */
static void confusion(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = TOKEN_MAX};
    uint8_t mac[32];

    (void)state;
    assert_good(cm_base64_encode(&b, CM_LIT("{\"alg\":\"none\",\"kid\":\"RS256\"}"), true));
    assert_good(cm_buf_byte(&b, '.'));
    assert_good(cm_base64_encode(&b, cm_view_str(good_claims), true));
    assert_good(cm_buf_byte(&b, '.'));
    assert_reason(verify(set, cm_buf_view(&b)), JWT_ALGORITHM);
    b.n = 0;
    assert_good(cm_base64_encode(&b, CM_LIT("{\"alg\":\"HS256\",\"kid\":\"EdDSA\"}"), true));
    assert_good(cm_buf_byte(&b, '.'));
    assert_good(cm_base64_encode(&b, cm_view_str(good_claims), true));
    assert_good(cm_hmac(c, CM_SHA256, mac, cm_sig_public(keys[2]), cm_buf_view(&b)));
    assert_good(cm_buf_byte(&b, '.'));
    assert_good(cm_base64_encode(&b, CM_VIEW(mac), true));
    assert_reason(verify(set, cm_buf_view(&b)), JWT_ALGORITHM);
    assert_reason(says(2, "{\"alg\":\"ES256\",\"kid\":\"EdDSA\"}", good_claims), JWT_ALGORITHM);
    assert_reason(says(2, "{\"alg\":\"EdDSA\",\"kid\":\"ES256\"}", good_claims), JWT_ALGORITHM);
    assert_reason(says(0, "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\"}", good_claims), JWT_SIGNATURE);
    assert_reason(says(6, "{\"alg\":\"RS512\",\"kid\":\"RS256\"}", good_claims), JWT_ALGORITHM);
    assert_reason(says(3, "{\"alg\":\"ML-DSA-65\",\"kid\":\"ML-DSA-44\"}", good_claims),
                  JWT_ALGORITHM);
}

static void headers(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"alg\":1,\"kid\":\"EdDSA\"}",
        "{\"alg\":\"EdDSA\",\"kid\":1}",
        "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\",\"b64\":false}",
        "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\",\"typ\":\"JWE\"}",
        "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"kid\":\"EdDSA\"}",
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_reason(says(2, bad[i], good_claims), JWT_MALFORMED);
    assert_reason(says(2, "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA2\"}", good_claims), JWT_KEY);
    assert_reason(says(2, "{\"alg\":\"EdDSA\"}", good_claims), JWT_KEY); /* which of seven? */
    assert_good(says(2, "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\",\"typ\":\"at+jwt\"}", good_claims));
    assert_good(says(2, "{\"alg\":\"EdDSA\",\"kid\":\"EdDSA\",\"jku\":\"https://evil\"}",
                     good_claims)); /* never looked at */
    assert_reason(verify(set, CM_LIT("")), JWT_MALFORMED);
    assert_reason(verify(set, CM_LIT("a.b")), JWT_MALFORMED);
    assert_reason(verify(set, CM_LIT("..")), JWT_MALFORMED);
    assert_reason(verify(set, CM_LIT("e30.e30.")), JWT_MALFORMED);
}

/* W-53, W-54 */
static void claims(void **state)
{
    static const struct {
        const char *claims, *want;
    } rows[] = {
        {CLAIMS("https://id.example", "[\"other\",\"casemate\"]", TIMES), "OK"},
        {CLAIMS("https://id.example/", "\"casemate\"", TIMES), "JWT_ISSUER"},
        {CLAIMS("https://ID.example", "\"casemate\"", TIMES), "JWT_ISSUER"},
        {"{\"aud\":\"casemate\",\"sub\":\"a\"," TIMES "}", "JWT_ISSUER"},
        {CLAIMS("https://id.example", "\"casemate2\"", TIMES), "JWT_AUDIENCE"},
        {CLAIMS("https://id.example", "[]", TIMES), "JWT_AUDIENCE"},
        {CLAIMS("https://id.example", "{\"a\":\"casemate\"}", TIMES), "JWT_AUDIENCE"},
        {CLAIMS("https://id.example", "1", TIMES), "JWT_AUDIENCE"},
        {"{\"iss\":\"https://id.example\",\"sub\":\"a\"," TIMES "}", "JWT_AUDIENCE"},
        {"{\"iss\":\"https://id.example\",\"aud\":\"casemate\"," TIMES "}", "JWT_MALFORMED"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1799999990"), "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"exp\":1800000600"), "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1799999000,\"exp\":1799999940"),
         "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1799999000,\"exp\":1799999941"),
         "OK"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1800000061,\"exp\":1800000600"),
         "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1800000060,\"exp\":1800000600"),
         "OK"},
        {CLAIMS("https://id.example", "\"casemate\"", TIMES ",\"nbf\":1800000061"), "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", TIMES ",\"nbf\":\"0\""), "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1799999990,\"exp\":1800086391"),
         "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1800000000,\"exp\":1800000000"),
         "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"",
                "\"iat\":1800000000,\"exp\":18446744073709551615"),
         "JWT_TIME"},
        {CLAIMS("https://id.example", "\"casemate\"", "\"iat\":1799999990,\"exp\":1.8000006e9"),
         "JWT_TIME"},
        {"[]", "JWT_MALFORMED"},
        {"{}x", "JWT_MALFORMED"},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        const char *got = cm_err_name(says(2, NULL, rows[i].claims));

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: %s, not %s", i, got, rows[i].want);
    }
}

static void pins_needed(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = token_of(2, NULL, good_claims);
    CM_AUTO(cm_jwt_free) cm_jwt t = {0};
    cm_jwt_pins p = pins;

    (void)state;
    p.issuer.n = 0;
    assert_reason(cm_jwt_verify(&t, c, set, cm_buf_view(&b), &p), BAD_ARGUMENT);
    p = pins;
    p.audience.n = 0;
    assert_reason(cm_jwt_verify(&t, c, set, cm_buf_view(&b), &p), BAD_ARGUMENT);
    p = pins;
    p.skew = 301;
    assert_reason(cm_jwt_verify(&t, c, set, cm_buf_view(&b), &p), BAD_ARGUMENT);
    assert_null(t.claims);
}

/* W-51 */
static void key_sets(void **state)
{
#define EC_KEY                                                                                \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
    static const struct {
        const char *text;
        int keys; /* -1: JWKS_MALFORMED */
    } rows[] = {
        {"{\"keys\":[]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\"}],\"more\":1}", 1},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\"},{" EC_KEY ",\"kid\":\"b\",\"use\":\"sig\"}]}", 2},
        {"{\"keys\":[{" EC_KEY "}]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"use\":\"enc\"}]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"key_ops\":[\"deriveKey\"]}]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"key_ops\":[\"verify\"]}]}", 1},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"alg\":\"ES384\"}]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"alg\":\"HS256\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"a\",\"alg\":\"HS256\"}]}", 0},
        {"{\"keys\":[{\"kty\":\"AKP\",\"alg\":\"ML-DSA-65\",\"kid\":\"a\",\"pub\":\"AAAA\"}]}", -1},
        {"{\"keys\":[{\"kty\":\"AKP\",\"kid\":\"a\",\"pub\":\"AAAA\"}]}", 0},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\",\"d\":\"AAAA\"}]}", -1},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"a\"},{" EC_KEY ",\"kid\":\"a\"}]}", -1},
        {"{\"keys\":[{" EC_KEY ",\"kid\":\"\"}]}", -1},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"AAAA\",\"y\":\"AAAA\"}"
         "]}",
         -1},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\"}]}", -1},
        {"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", -1},
        {"{\"keys\":[1]}", -1},
        {"{\"keys\":{}}", -1},
        {"{}", -1},
        {"[]", -1},
        {"", -1},
        {"{\"keys\":[]}x", -1},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        CM_AUTO(cm_jwks_free_ptr) cm_jwks *k = NULL;
        cm_err e = cm_jwks_parse(&k, c, cm_view_str(rows[i].text));

        if (rows[i].keys < 0 ? !cm_is(e, CM_JWKS_MALFORMED)
                             : cm_failed(e) || cm_jwks_size(k) != (size_t)rows[i].keys)
            fail_msg("row %zu: %s", i, cm_err_name(e));
    }
}

static void key_set_limits(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_JWKS_MAX};
    cm_jwks *k = NULL;

    (void)state;
    assert_good(cm_buf_append(&b, CM_LIT("{\"keys\":[{}")));
    for (int i = 0; i < CM_JWKS_KEYS_MAX; i++)
        assert_good(cm_buf_append(&b, CM_LIT(",{}")));
    assert_good(cm_buf_append(&b, CM_LIT("]}")));
    assert_reason(cm_jwks_parse(&k, c, cm_buf_view(&b)), JWKS_LIMIT);
    while (b.n <= CM_JWKS_MAX)
        assert_good(cm_buf_append(&b, CM_LIT("                ")));
    assert_reason(cm_jwks_parse(&k, c, cm_buf_view(&b)), JWKS_LIMIT);
    assert_null(k);
}

/* RFC 7515 A.2 and A.3, RFC 8037 A.4. What they say is no token for us: the reason shows that the
 * signature was believed. */
static void from_the_rfcs(void **state)
{
    static const struct {
        const char *key, *token, *want;
    } rows[] = {
        {"{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
         "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
         "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX"
         "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
         "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}",
         "eyJhbGciOiJSUzI1NiJ9."
         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
         "cnVlfQ."
         "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
         "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS"
         "jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
         "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
         "JWT_AUDIENCE"},
        {"{\"keys\":[{\"kid\":\"a\"," EC_KEY "}]}",
         "eyJhbGciOiJFUzI1NiJ9."
         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
         "cnVlfQ."
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
         "JWT_AUDIENCE"},
        {"{\"keys\":[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
         "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
         "JWT_MALFORMED"},
    };
    cm_jwt_pins joe = pins;

    (void)state;
    joe.issuer = CM_LIT("joe");
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
        CM_AUTO(cm_jwks_free_ptr) cm_jwks *k = NULL;
        CM_AUTO(cm_jwt_free) cm_jwt t = {0};

        assert_good(cm_jwks_parse(&k, c, cm_view_str(rows[i].key)));
        assert_good(cm_buf_append(&b, cm_view_str(rows[i].token)));
        assert_string_equal(cm_err_name(cm_jwt_verify(&t, c, k, cm_buf_view(&b), &joe)),
                            rows[i].want);
        b.p[b.n - 8] = b.p[b.n - 8] == 'A' ? 'B' : 'A';
        assert_reason(cm_jwt_verify(&t, c, k, cm_buf_view(&b), &joe), JWT_SIGNATURE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms),    cmocka_unit_test(every_character),
        cmocka_unit_test(confusion),     cmocka_unit_test(headers),
        cmocka_unit_test(claims),        cmocka_unit_test(pins_needed),
        cmocka_unit_test(key_sets),      cmocka_unit_test(key_set_limits),
        cmocka_unit_test(from_the_rfcs),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
