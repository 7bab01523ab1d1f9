/* Who asks, by what others vouch for: tokens of an issuer that a tenant pinned, API keys, evidence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "codec/text.h"
#include "svc_kit.h"

#define OK(e)   assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define KEY     "/v1/tenants/~/keys/"
#define ENCRYPT KEY "k:encrypt"
#define ISSUER  "https://id.example"
#define DAY_MS  86400000u

/* ---- an issuer ---- */

typedef struct {
    cm_sig_key *ed, *pq;
} issuer;

static void put_base64(cm_json_writer *w, const char *name, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    OK(cm_base64_encode(&b, v, true));
    cm_json_put_text(w, name, cm_buf_view(&b));
}

static void put_jwk(cm_json_writer *w, const char *kty, const char *kid, const cm_sig_key *k)
{
    cm_json_begin_object(w, NULL);
    cm_json_put_text(w, "kty", cm_view_str(kty));
    cm_json_put_text(w, "kid", cm_view_str(kid));
    if (strcmp(kty, "OKP") == 0) {
        cm_json_put_text(w, "crv", CM_LIT("Ed25519"));
        put_base64(w, "x", cm_sig_public(k));
    } else {
        cm_json_put_text(w, "alg", CM_LIT("ML-DSA-65"));
        put_base64(w, "pub", cm_sig_public(k));
    }
    cm_json_end_object(w);
}

/* The body of PutIssuer: the key set is a text in it. */
static void pin(t_svc *t, t_who *admin, const issuer *i, const char *audience)
{
    CM_AUTO(cm_buf_free) cm_buf set = {.max = 65536};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 65536};
    cm_json_writer w = {.out = &set}, b = {.out = &body};

    cm_json_begin_object(&w, NULL);
    cm_json_begin_array(&w, "keys");
    put_jwk(&w, "OKP", "ed", i->ed);
    put_jwk(&w, "AKP", "pq", i->pq);
    cm_json_end_array(&w);
    cm_json_end_object(&w);
    OK(cm_json_finish(&w));
    cm_json_begin_object(&b, NULL);
    cm_json_put_text(&b, "issuer", CM_LIT(ISSUER));
    cm_json_put_text(&b, "audience", cm_view_str(audience));
    cm_json_put_text(&b, "jwks", cm_buf_view(&set));
    cm_json_end_object(&b);
    OK(cm_json_finish(&b));
    OK(cm_buf_byte(&body, 0));
    (void)t_ok(t, admin, "POST", "/v1/tenants/~/issuers", (const char *)body.p);
}

static issuer issuer_new(t_svc *t)
{
    issuer i = {NULL, NULL};

    OK(cm_sig_generate(&i.ed, t->crypt, CM_SIG_ED25519));
    OK(cm_sig_generate(&i.pq, t->crypt, CM_SIG_MLDSA65));
    return i;
}

static void issuer_done(issuer *i)
{
    cm_sig_key_free(i->ed);
    cm_sig_key_free(i->pq);
}

/* In a buffer of the caller's; k NULL: no signature at all. */
static cm_view token(char out[8192], const cm_sig_key *k, const char *header, const char *claims)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};
    uint8_t sig[4700];

    OK(cm_base64_encode(&b, cm_view_str(header), true));
    OK(cm_buf_byte(&b, '.'));
    OK(cm_base64_encode(&b, cm_view_str(claims), true));
    if (k)
        OK(cm_sign_raw(k, sig, cm_buf_view(&b)));
    OK(cm_buf_byte(&b, '.'));
    if (k)
        OK(cm_base64_encode(&b, cm_view_of(sig, cm_sig_key_info(k)->sig), true));
    (void)snprintf(out, 8192, "%.*s", (int)b.n, (const char *)b.p);
    return cm_view_str(out);
}

#define CLAIMS(iss, aud, sub, times) \
    "{\"iss\":\"" iss "\",\"aud\":\"" aud "\",\"sub\":\"" sub "\"," times "}"
#define TIMES   "\"iat\":1799999990,\"exp\":1800000600"
#define GOOD    CLAIMS(ISSUER, "casemate", "carol", TIMES)
#define ED_HEAD "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"JWT\"}"
#define PQ_HEAD "{\"alg\":\"ML-DSA-65\",\"kid\":\"pq\",\"typ\":\"JWT\"}"

static t_who bearer(const char *tenant, cm_view text)
{
    t_who w = {.bearer = text};

    (void)snprintf(w.tenant, sizeof w.tenant, "%s", tenant);
    return w;
}

static void carol(t_svc *t, t_who *admin)
{
    (void)t_ok(t, admin, "POST", "/v1/tenants/~/principals",
               "{\"principal\":\"carol\",\"credentials\":[{\"kind\":\"oidc\",\"issuer\":\"" ISSUER
               "\",\"subject\":\"carol\"}]}");
    t_grant(t, admin, "carol", "carol", "\"*\"", "");
}

/* V-6, V-9: what a token must be, to whom it belongs, and what it is not enough for. */
static void test_tokens(void **state)
{
    static const struct {
        bool pq;
        const char *header, *claims;
        cm_reason why;
    } bad[] = {
        {false, ED_HEAD, CLAIMS(ISSUER, "elsewhere", "carol", TIMES), CM_JWT_AUDIENCE},
        {false, ED_HEAD, CLAIMS("https://id.example/", "casemate", "carol", TIMES),
         CM_SVC_UNAUTHENTIC},
        {false, ED_HEAD, CLAIMS(ISSUER, "casemate", "dave", TIMES), CM_SVC_UNAUTHENTIC},
        {false, ED_HEAD,
         CLAIMS(ISSUER, "casemate", "carol", "\"iat\":1799990000,\"exp\":1799999000"), CM_JWT_TIME},
        {false, ED_HEAD, CLAIMS(ISSUER, "casemate", "carol", TIMES ",\"nbf\":1800000500"),
         CM_JWT_TIME},
        {false, ED_HEAD, CLAIMS(ISSUER, "casemate", "carol", "\"iat\":1799999990"), CM_JWT_TIME},
        {true, ED_HEAD, GOOD, CM_JWT_SIGNATURE},
        {false, "{\"alg\":\"EdDSA\",\"kid\":\"pq\"}", GOOD, CM_JWT_ALGORITHM},
        {true, "{\"alg\":\"EdDSA\",\"kid\":\"pq\"}", GOOD, CM_JWT_ALGORITHM},
        {false, "{\"alg\":\"HS256\",\"kid\":\"ed\"}", GOOD, CM_JWT_ALGORITHM},
        {false, "{\"alg\":\"EdDSA\",\"kid\":\"other\"}", GOOD, CM_JWT_KEY},
    };
    t_svc *t = t_svc_new();
    issuer i = issuer_new(t);
    char text[8192];
    t_who w;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\",\"exportable\":true}");
    carol(t, &t->admin);
    w = bearer("acme", token(text, i.ed, ED_HEAD, GOOD));
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_SVC_UNAUTHENTIC); /* nobody is pinned */
    pin(t, &t->admin, &i, "casemate");
    (void)t_ok(t, &w, "POST", ENCRYPT, "{}");
    w = bearer("acme", token(text, i.pq, PQ_HEAD, GOOD));
    (void)t_ok(t, &w, "POST", ENCRYPT, "{}");
    for (size_t n = 0; n < CM_COUNT(bad); n++) {
        w = bearer("acme", token(text, bad[n].pq ? i.pq : i.ed, bad[n].header, bad[n].claims));
        t_fails(t, &w, "POST", ENCRYPT, "{}", bad[n].why);
    }
    w = bearer("acme", token(text, NULL, "{\"alg\":\"none\"}", GOOD));
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_JWT_ALGORITHM);
    w = bearer("acme", token(text, i.ed, "{\"alg\":\"none\",\"kid\":\"ed\"}", GOOD));
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_JWT_ALGORITHM);
    /* Whatever its principal may do: admin and export take a signature over the request. */
    w = bearer("acme", token(text, i.pq, PQ_HEAD, GOOD));
    t_fails(t, &w, "POST", KEY "k:exportWrapped", "{\"recipient\":\"eA==\"}",
            CM_SVC_NEEDS_SIGNATURE);
    t_fails(t, &w, "POST", "/v1/tenants/~:rotateKek", NULL, CM_SVC_NEEDS_SIGNATURE);
    /* It ends by itself. */
    t->now_ms += 700000;
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_JWT_TIME);
    issuer_done(&i);
    t_svc_done(t);
}

/* An issuer speaks for the tenant that pinned it, and for as long as it is pinned like that. */
static void test_issuers(void **state)
{
    t_svc *t = t_svc_new();
    issuer i = issuer_new(t), later = issuer_new(t);
    t_who beta = t->admin, w;
    char text[8192];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    (void)snprintf(beta.tenant, sizeof beta.tenant, "beta");
    carol(t, &t->admin);
    pin(t, &t->admin, &i, "casemate");
    w = bearer("beta", token(text, i.ed, ED_HEAD, GOOD));
    t_fails(t, &w, "GET", "/v1/tenants/~", NULL, CM_SVC_UNAUTHENTIC);
    pin(t, &beta, &i, "casemate"); /* pinned there too: but carol is nobody there */
    t_fails(t, &w, "GET", "/v1/tenants/~", NULL, CM_SVC_UNAUTHENTIC);
    /* An issuer of the system's vouches for nobody in tenants. */
    w = bearer("acme", token(text, i.ed, ED_HEAD, GOOD));
    (void)t_ok(t, &w, "POST", ENCRYPT, "{}");
    pin(t, &t->admin, &later, "casemate"); /* other keys, at once */
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_JWT_SIGNATURE);
    w = bearer("acme", token(text, later.ed, ED_HEAD, GOOD));
    (void)t_ok(t, &w, "POST", ENCRYPT, "{}");
    pin(t, &t->admin, &later, "another");
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_JWT_AUDIENCE);
    pin(t, &t->admin, &later, "casemate");
    (void)t_ok(t, &w, "POST", ENCRYPT, "{}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/carol:disable", NULL);
    t_fails(t, &w, "POST", ENCRYPT, "{}", CM_SVC_DISABLED);
    issuer_done(&i);
    issuer_done(&later);
    t_svc_done(t);
}

/* ---- API keys ---- */

static void new_api_key(t_svc *t, char out[128], char id[64])
{
    const char *json =
        t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/admin:createApiKey", NULL);

    (void)snprintf(out, 128, "%s", t_member(json, "api_key"));
    (void)snprintf(id, 64, "%s", t_member(json, "id"));
    t_secret(t, cm_view_str(out)); /* V-16 */
}

/* V-16, V-17: `rotation.api` and its grace: two are good at a time, none for ever. */
static void test_api_keys(void **state)
{
    t_svc *t = t_svc_new();
    char first[128], second[128], id[64], other[64];
    t_who one, two;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    t->api_key_ms = 37 * (uint64_t)DAY_MS;
    t_svc_restart(t);
    new_api_key(t, first, id);
    one = bearer("acme", cm_view_str(first));
    (void)t_ok(t, &one, "POST", ENCRYPT, "{}");
    t->now_ms += 31 * (uint64_t)DAY_MS;
    new_api_key(t, second, other);
    two = bearer("acme", cm_view_str(second));
    (void)t_ok(t, &one, "POST", ENCRYPT, "{}");
    (void)t_ok(t, &two, "POST", ENCRYPT, "{}");
    t->now_ms += 6 * (uint64_t)DAY_MS;
    t_fails(t, &one, "POST", ENCRYPT, "{}", CM_SVC_API_KEY_OVER);
    (void)t_ok(t, &two, "POST", ENCRYPT, "{}");
    t_svc_restart(t);
    t_fails(t, &one, "POST", ENCRYPT, "{}", CM_SVC_API_KEY_OVER);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/admin:removeCredential",
               t_f("{\"id\":\"%s\"}", other));
    t_fails(t, &two, "POST", ENCRYPT, "{}", CM_SVC_UNAUTHENTIC);
    /* Of another tenant it opens nothing. */
    new_api_key(t, first, id);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    t_svc_done(t);
}

/* V-130: to the millisecond; who signed has no end. */
static void test_stream_ends(void **state)
{
    static const char tail[] = "/v1/tenants/~/log/tail";
    t_svc *t = t_svc_new();
    char text[128], id[64];
    t_who one;

    (void)state;
    t->api_key_ms = 1000 * (uint64_t)100;
    t_svc_restart(t);
    new_api_key(t, text, id);
    one = bearer("acme", cm_view_str(text));
    t->stream_ms = t->api_key_ms - 1;
    (void)t_ok(t, &one, "GET", tail, NULL);
    t->stream_ms = 1;
    t_fails(t, &one, "GET", tail, NULL, CM_SVC_API_KEY_OVER);
    t->stream_ms = 100 * (uint64_t)DAY_MS;
    (void)t_ok(t, &t->admin, "GET", tail, NULL);
    t_svc_done(t);
}

/* ---- evidence, statements ---- */

static void test_evidence(void **state)
{
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob");
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    t_grant(
        t, &t->admin, "measured", "bob", "\"Encrypt\"",
        ",\"conditions\":{\"measurements\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}");
    t_fails(t, &bob, "POST", ENCRYPT, "{}", CM_SVC_DENIED); /* V-22 */
    t_fails(t, &bob, "POST", ENCRYPT, "{\"evidence\":\"eHl6\"}", CM_SVC_CHALLENGE);
    json = t_ok(t, &bob, "POST", "/v1/tenants/~:challenge", "{}");
    t_fails(t, &bob, "POST", ENCRYPT,
            t_f("{\"evidence\":\"eHl6\",\"challenge\":\"%s\"}", t_member(json, "challenge")),
            CM_SVC_EVIDENCE);
    t->no_attestor = true;
    t_svc_restart(t);
    t_fails(t, &bob, "POST", ENCRYPT, "{\"evidence\":\"eHl6\"}", CM_SVC_NO_VERIFIER); /* V-28 */
    assert_int_equal(cm_err_class(CM_FAIL(SVC_NO_VERIFIER)), CM_CLASS_UNSUPPORTED);
    t_fails(t, &t->admin, "POST", ENCRYPT, "{\"evidence\":\"eHl6\"}", CM_SVC_NO_VERIFIER);
    t_fails(t, &bob, "POST", ENCRYPT, "{}", CM_SVC_DENIED);
    json = t_ok(t, &t->admin, "POST", KEY "k:attest", "{}");
    assert_true(strlen(t_member(json, "statement")) > 0 && strlen(t_member(json, "receipt")) > 0);
    t_who_done(&bob);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),   cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_api_keys), cmocka_unit_test(test_stream_ends),
        cmocka_unit_test(test_evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
