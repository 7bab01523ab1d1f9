/* Attestation policies, challenges and the release of keys to evidence. The verifiers have tests of
 * their own: here evidence is a text that says under which policy it is good, and what it is bound
 * to is compared as they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypt/kem.h"
#include "pki/keyfile.h"
#include "release/jwe.h"
#include "release/rcar.h"
#include "svc_kit.h"

#define OK(e)     assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define KEY       "/v1/tenants/~/keys/"
#define POLICY    "/v1/tenants/~/attestPolicies/"
#define CHALLENGE "/v1/tenants/~:challenge"

enum { PEOPLE = 3, MEASURED = 32 };

typedef struct {
    t_svc *t;
    cm_pkey *person[PEOPLE];
    char public_key[PEOPLE][16384], fingerprint[PEOPLE][65];
    cm_kem_key *machine;
    char machine_pub[4096];
    cm_bound want; /* what the evidence is bound to */
    uint8_t fresh[CM_HASH_MAX];
    bool gpu, pack;
} world;

/* ---- evidence that is a text: "good P" is good under the policy of that name ---- */

static cm_err judge(void *self, cm_appraisal *out, uint8_t measured[64], size_t *n,
                    const cm_policy *p, const cm_shown *s, uint64_t now_s)
{
    const world *w = self;
    char text[80];
    bool bound, good;

    (void)now_s;
    *out = (cm_appraisal){.accepted = false};
    (void)snprintf(text, sizeof text, "good %s", p->name);
    bound = s->bound ? cm_view_eq(CM_VIEW(s->bound->e), CM_VIEW(w->want.e))
                     : cm_view_eq(s->fresh, cm_view_of(w->fresh, 48));
    good = w->pack && s->evidence.n
               ? memmem(s->evidence.p, s->evidence.n, text, strlen(text)) != NULL
               : cm_view_eq(s->evidence, cm_view_str(text));
    out->accepted = bound && (strcmp(p->name, "genuine") == 0 || good);
    out->tier = s->devices_n ? 3 : 2;
    (void)snprintf(out->sentence, sizeof out->sentence, "Policy \"%s\" %s it.", p->name,
                   out->accepted ? "accepts" : "refuses");
    memset(measured, 7, MEASURED);
    *n = MEASURED;
    return CM_OKAY;
}

static const char *base64(cm_view v)
{
    static _Thread_local char text[8][24576];
    static _Thread_local unsigned at;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = sizeof text[0] - 1};

    OK(cm_base64_encode(&b, v, false));
    at = (at + 1) % 8;
    (void)snprintf(text[at], sizeof text[at], "%.*s", (int)b.n, (const char *)b.p);
    return text[at];
}

static const char *base64_text(const char *s)
{
    return base64(cm_view_str(s));
}

/* ---- the world ---- */

static world *world_new(void)
{
    static world w;

    w = (world){.t = t_svc_new()};
    w.t->attestor = (cm_attestor){judge, &w};
    t_svc_restart(w.t);
    for (size_t i = 0; i < PEOPLE; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 16384};
        uint8_t fp[CM_FINGERPRINT];

        OK(cm_pkey_generate(&w.person[i], w.t->crypt, CM_LIT("ML-DSA-65")));
        OK(cm_pkey_write_public(&b, w.person[i]));
        (void)snprintf(w.public_key[i], sizeof w.public_key[i], "%s", base64(cm_buf_view(&b)));
        OK(cm_pkey_fingerprint(fp, w.t->crypt, w.person[i]));
        for (size_t k = 0; k < sizeof fp; k++)
            (void)snprintf(w.fingerprint[i] + 2 * k, 3, "%02x", fp[k]);
    }
    OK(cm_kem_generate(&w.machine, w.t->crypt, CM_KEM_MLKEM768));
    (void)snprintf(w.machine_pub, sizeof w.machine_pub, "%s", base64(cm_kem_public(w.machine)));
    return &w;
}

static void world_done(world *w)
{
    for (size_t i = 0; i < PEOPLE; i++)
        cm_pkey_free(w->person[i]);
    cm_kem_key_free(w->machine);
    t_svc_done(w->t);
}

/* A PutAttestPolicy of that version, agreed to by persons a and b. */
static const char *policy_body(const world *w, const char *name, unsigned version, size_t a,
                               size_t b)
{
    static char body[65536];
    CM_AUTO(cm_buf_free) cm_buf one = {.max = 8192};
    CM_AUTO(cm_buf_free) cm_buf two = {.max = 8192};
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: %s\nversion: %u\nsigners: [{name: x, key: \"%s\"}, "
                   "{name: y, key: \"%s\"}]\nevidence: {snp: {measurements: any}}\n",
                   name, version, w->fingerprint[0], w->fingerprint[1]);
    OK(cm_policy_sign(&one, w->t->crypt, w->person[a], cm_view_str(text)));
    OK(cm_policy_sign(&two, w->t->crypt, w->person[b], cm_view_str(text)));
    (void)snprintf(body, sizeof body,
                   "{\"file\":\"%s\",\"signatures\":[\"%s\",\"%s\"],\"keys\":[\"%s\",\"%s\"]}",
                   base64_text(text), base64(cm_buf_view(&one)), base64(cm_buf_view(&two)),
                   w->public_key[a], w->public_key[b]);
    return body;
}

/* A challenge of whoever asks, and evidence for the machine's key bound to it; the members of a
 * request, challenge first. */
static const char *shown(world *w, t_who *who, const char *evidence, bool key)
{
    const char *json = t_ok(w->t, who, "POST", CHALLENGE, "{}");
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = 64};
    cm_binding b = {.role = CM_LIT("client")};
    const char *challenge;

    OK(cm_base64_decode(&nonce, cm_view_str(t_member(json, "nonce")), false));
    b.nonce = cm_buf_view(&nonce);
    if (key) {
        b.suite = CM_LIT("ML-KEM-768");
        b.hpke_key = cm_kem_public(w->machine);
    }
    OK(cm_bind(&w->want, w->t->crypt, &b));
    challenge = t_f("%s", t_member(json, "challenge"));
    return t_f("\"challenge\":\"%s\",\"evidence\":\"%s\"%s", challenge, base64_text(evidence),
               w->gpu ? ",\"device_evidence\":[\"eHl6\"]" : "");
}

static const char *release(const world *w, const char *claims, const char *more)
{
    static char body[16384];

    (void)snprintf(body, sizeof body, "{\"attested_key\":\"%s\",%s%s}", w->machine_pub, claims,
                   more);
    return body;
}

/* ---- policies ---- */

/* V-85 */
static void test_policies(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    const char *json;

    (void)state;
    t_fails(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 2),
            CM_POLICY_SIGNER);
    t_fails(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 0),
            CM_POLICY_SIGNATURES);
    t_fails(t, &t->admin, "PUT", POLICY "fleet", "{\"file\":\"eA==\"}", CM_SVC_REQUEST);
    t_fails(t, &t->admin, "GET", POLICY "fleet", NULL, CM_SVC_NO_POLICY);
    json = t_ok(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 1));
    assert_int_equal(t_number(json, "version"), 1);
    t_fails(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 1),
            CM_POLICY_VERSION);
    json = t_ok(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 3, 1, 0));
    json = t_ok(t, &t->admin, "GET", POLICY "fleet", NULL);
    assert_int_equal(t_number(json, "version"), 3);
    json = t_ok(t, &t->admin, "GET", POLICY "fleet?version=1", NULL);
    assert_int_equal(t_number(json, "version"), 1);
    assert_true(strlen(t_member(json, "file")) > 100);
    t_fails(t, &t->admin, "GET", POLICY "fleet?version=2", NULL, CM_SVC_NO_POLICY);
    json = t_ok(t, &t->admin, "GET", "/v1/tenants/~/attestPolicies", NULL);
    assert_non_null(strstr(json, "\"policy\":\"fleet\""));
    world_done(w);
}

/* ---- grants ---- */

/* V-81, V-84 */
static void test_grants(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    t_who bob = t_principal(t, &t->admin, "acme", "bob");

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 1));
    t_grant(t, &t->admin, "g", "bob", "\"Encrypt\"",
            ",\"conditions\":{\"attested\":[\"nosuch\",\"fleet\"]}");
    t_fails(t, &bob, "POST", KEY "k:encrypt", "{}", CM_SVC_DENIED);
    t_fails(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "bad", false)),
            CM_SVC_EVIDENCE);
    (void)t_ok(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "good fleet", false)));
    /* The measurement alone, and a tier. */
    t_grant(
        t, &t->admin, "g", "bob", "\"Encrypt\"",
        ",\"conditions\":{\"measurements\":[\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"]}");
    (void)t_ok(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "any", false)));
    t_grant(
        t, &t->admin, "g", "bob", "\"Encrypt\"",
        ",\"conditions\":{\"measurements\":[\"AAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"]}");
    t_fails(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "any", false)),
            CM_SVC_DENIED);
    t_grant(t, &t->admin, "g", "bob", "\"Encrypt\"", ",\"conditions\":{\"min_tier\":3}");
    t_fails(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "any", false)),
            CM_SVC_DENIED);
    w->gpu = true;
    (void)t_ok(t, &bob, "POST", KEY "k:encrypt", t_f("{%s}", shown(w, &bob, "any", false)));
    t_who_done(&bob);
    world_done(w);
}

/* ---- release ---- */

static void opens(const world *w, const char *json, cm_key_type type, cm_view want)
{
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = 8192};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 8192};

    OK(cm_base64_decode(&sealed, cm_view_str(t_member(json, "sealed")), false));
    OK(cm_export_open(&raw, w->machine, type, cm_buf_view(&sealed)));
    assert_int_equal(raw.n, 32);
    if (want.n)
        assert_true(cm_view_eq(cm_buf_view(&raw), want));
}

static void a_key(world *w)
{
    t_svc *t = w->t;

    t_fails(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\",\"release_policy\":\"fleet\"}",
            CM_SVC_NO_POLICY);
    (void)t_ok(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 1));
    t_fails(t, &t->admin, "POST", KEY "k",
            "{\"type\":\"AES-256\",\"release_policy\":\"fleet\",\"exportable\":true}",
            CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "k", "{\"type\":\"ML-DSA-65\",\"release_policy\":\"fleet\"}",
            CM_SVC_KEY_KIND);
    (void)t_ok(t, &t->admin, "POST", KEY "k",
               "{\"type\":\"AES-256\",\"release_policy\":\"fleet\"}");
}

/* V-80, V-86, V-87 */
static void test_release(void **state)
{
    static const char dek[] = "0123456789abcdef0123456789abcdef";
    world *w = world_new();
    t_svc *t = w->t;
    char wrapped[2048], sealed[4096];
    uint64_t leaves;
    const char *json;

    (void)state;
    a_key(w);
    json = t_ok(t, &t->admin, "POST", KEY "k:wrap", t_f("{\"plain\":\"%s\"}", base64_text(dek)));
    (void)snprintf(wrapped, sizeof wrapped, "%s", t_member(json, "wrapped"));
    /* Nothing else opens it. */
    t_fails(t, &t->admin, "POST", KEY "k:unwrap", t_f("{\"wrapped\":\"%s\"}", wrapped),
            CM_SVC_RELEASE_ONLY);
    t_fails(t, &t->admin, "POST", KEY "k:decrypt", t_f("{\"ciphertext\":\"%s\"}", wrapped),
            CM_SVC_RELEASE_ONLY);
    (void)t_ok(t, &t->admin, "POST", KEY "k:rewrap", t_f("{\"wrapped\":\"%s\"}", wrapped));
    /* What it wrapped, and itself. */
    json = t_ok(
        t, &t->admin, "POST", KEY "k:release",
        release(w, shown(w, &t->admin, "good fleet", true), t_f(",\"wrapped\":\"%s\"", wrapped)));
    assert_string_equal(t_member(json, "policy"), "fleet");
    assert_true(strlen(t_member(json, "receipt")) > 0);
    opens(w, json, CM_KEY_AES_256, cm_view_str(dek));
    json = t_ok(t, &t->admin, "POST", KEY "k:release",
                release(w, shown(w, &t->admin, "good fleet", true), ""));
    opens(w, json, CM_KEY_AES_256, (cm_view){NULL, 0});
    (void)snprintf(sealed, sizeof sealed, "%s", t_member(json, "sealed"));
    assert_true(strlen(sealed) > 1000);
    /* Refusals: no evidence, bad evidence, bound to no key. Each leaves a leaf. */
    leaves = t_log_size(t);
    t_fails(t, &t->admin, "POST", KEY "k:release", t_f("{\"attested_key\":\"%s\"}", w->machine_pub),
            CM_SVC_RELEASE_REFUSED);
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, shown(w, &t->admin, "bad", true), ""),
            CM_SVC_RELEASE_REFUSED);
    t_fails(t, &t->admin, "POST", KEY "k:release",
            release(w, shown(w, &t->admin, "good fleet", false), ""), CM_SVC_RELEASE_REFUSED);
    assert_int_equal(t_log_size(t), leaves + 5);
    /* Another key in the same request: the evidence is bound to the machine's. */
    t_fails(t, &t->admin, "POST", KEY "k:release", "{\"attested_key\":\"eHl6\"}", CM_SVC_REQUEST);
    (void)t_ok(t, &t->admin, "POST", KEY "plain", "{\"type\":\"AES-256\"}");
    t_fails(t, &t->admin, "POST", KEY "plain:release",
            release(w, shown(w, &t->admin, "good fleet", true), ""), CM_SVC_NOT_RELEASABLE);
    world_done(w);
}

#define MODELS "/v1/tenants/~/models"
#define LLAMA  MODELS "/llama/versions/"

static const char *of_model(const world *w, const char *claims, const char *wrapped,
                            const char *digest)
{
    return release(w, claims,
                   t_f(",\"keyspace\":\"llama\",\"wrapped\":\"%s\",\"digest\":\"%s\"", wrapped,
                       base64_text(digest)));
}

/* V-124, V-86 */
static void test_models(void **state)
{
    static const char dek[] = "0123456789abcdef0123456789abcdef";
    static const char digest[] = "the digest of llama, version one";
    world *w = world_new();
    t_svc *t = w->t;
    char wrapped[2048];
    const char *json;

    (void)state;
    t_fails(t, &t->admin, "POST", MODELS, "{\"model\":\"llama\",\"release_policy\":\"fleet\"}",
            CM_SVC_NO_POLICY);
    (void)t_ok(t, &t->admin, "PUT", POLICY "fleet", policy_body(w, "fleet", 1, 0, 1));
    json = t_ok(t, &t->admin, "POST", MODELS, "{\"model\":\"llama\",\"release_policy\":\"fleet\"}");
    assert_string_equal(t_member(json, "release_policy"), "fleet");
    json = t_ok(
        t, &t->admin, "POST", LLAMA "1:encryptWeights",
        t_f("{\"digest\":\"%s\",\"content_key\":\"%s\"}", base64_text(digest), base64_text(dek)));
    (void)snprintf(wrapped, sizeof wrapped, "%s", t_member(json, "wrapped"));
    /* Nothing else opens it. */
    t_fails(t, &t->admin, "POST", LLAMA "1:decryptWeights",
            t_f("{\"digest\":\"%s\",\"wrapped\":\"%s\"}", base64_text(digest), wrapped),
            CM_SVC_RELEASE_ONLY);
    json = t_ok(t, &t->admin, "POST", KEY "1:release",
                of_model(w, shown(w, &t->admin, "good fleet", true), wrapped, digest));
    opens(w, json, CM_KEY_AES_256, cm_view_str(dek));
    t_fails(t, &t->admin, "POST", KEY "1:release",
            of_model(w, shown(w, &t->admin, "bad", true), wrapped, digest), CM_SVC_RELEASE_REFUSED);
    /* Another digest, another version, no digest, additional data; the model's key itself. */
    t_fails(t, &t->admin, "POST", KEY "1:release",
            of_model(w, shown(w, &t->admin, "good fleet", true), wrapped,
                     "the digest of llama, version two"),
            CM_SVC_CIPHERTEXT);
    (void)t_ok(t, &t->admin, "POST", LLAMA "2:encryptWeights",
               t_f("{\"digest\":\"%s\"}", base64_text(digest)));
    t_fails(t, &t->admin, "POST", KEY "2:release",
            of_model(w, shown(w, &t->admin, "good fleet", true), wrapped, digest),
            CM_SVC_CIPHERTEXT);
    t_fails(t, &t->admin, "POST", KEY "1:release",
            of_model(w, shown(w, &t->admin, "good fleet", true), wrapped, "short"), CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "1:release",
            release(w, shown(w, &t->admin, "good fleet", true),
                    t_f(",\"keyspace\":\"llama\",\"wrapped\":\"%s\",\"aad\":\"eA==\"", wrapped)),
            CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "1:release",
            release(w, shown(w, &t->admin, "good fleet", true), ",\"keyspace\":\"llama\""),
            CM_SVC_REQUEST);
    /* A model without a policy, and a digest where there is no model. */
    (void)t_ok(t, &t->admin, "POST", MODELS, "{\"model\":\"open\"}");
    (void)t_ok(t, &t->admin, "POST", MODELS "/open/versions/1:encryptWeights",
               t_f("{\"digest\":\"%s\"}", base64_text(digest)));
    t_fails(t, &t->admin, "POST", KEY "1:release",
            release(w, shown(w, &t->admin, "good fleet", true),
                    t_f(",\"keyspace\":\"open\",\"wrapped\":\"%s\"", wrapped)),
            CM_SVC_NOT_RELEASABLE);
    world_done(w);
}

/* ---- challenges ---- */

/* V-82, V-83 */
static void test_challenges(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    char claims[2048], other[2048];
    uint64_t leaves;

    (void)state;
    a_key(w);
    (void)snprintf(claims, sizeof claims, "%s", shown(w, &t->admin, "good fleet", true));
    (void)t_ok(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""));
    leaves = t_log_size(t);
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""), CM_SVC_CHALLENGE_USED);
    assert_int_equal(t_log_size(t), leaves + 1);
    /* A restart, which is another node as far as memory goes, forgets nothing. */
    t_svc_restart(t);
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""), CM_SVC_CHALLENGE_USED);
    (void)snprintf(claims, sizeof claims, "%s", shown(w, &t->admin, "good fleet", true));
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""));
    /* One try: what was refused can't be tried again, and that leaves its leaf, too. */
    (void)snprintf(claims, sizeof claims, "%s", shown(w, &t->admin, "bad", true));
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""), CM_SVC_RELEASE_REFUSED);
    leaves = t_log_size(t);
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""), CM_SVC_CHALLENGE_USED);
    assert_int_equal(t_log_size(t), leaves + 1);
    /* Its time; a changed one; another tenant's. */
    (void)snprintf(claims, sizeof claims, "%s", shown(w, &t->admin, "good fleet", true));
    t->now_ms += 299999;
    (void)t_ok(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""));
    (void)snprintf(claims, sizeof claims, "%s", shown(w, &t->admin, "good fleet", true));
    t->now_ms += 300000;
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, claims, ""), CM_SVC_CHALLENGE);
    (void)snprintf(other, sizeof other, "%s", shown(w, &t->admin, "good fleet", true));
    other[20] = other[20] == 'A' ? 'B' : 'A';
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, other, ""), CM_SVC_CHALLENGE);
    t_fails(t, &t->admin, "POST", KEY "k:release", release(w, "\"evidence\":\"eHl6\"", ""),
            CM_SVC_CHALLENGE);
    world_done(w);
}

/* ---- the key broker protocol ---- */

static const char *rcar_ask(world *w, const char *path, const char *session, cm_view body,
                            cm_reason fails)
{
    static t_who nobody;
    const char *json = t_f("{\"session\":\"%s\",\"body\":\"%s\"}", session, base64(body));

    if (fails) {
        t_fails(w->t, &nobody, "POST", path, json, fails);
        return "";
    }
    return t_ok(w->t, &nobody, "POST", path, json);
}

static void set_machine(const world *w, cm_rcar_attestation *a)
{
    memcpy(a->key, cm_kem_public(w->machine).p, CM_RCAR_KEY);
}

/* Auth, then attest with that evidence; the session, or the failure. */
static const char *rcar_attest(world *w, const char *selector, const char *evidence, bool other,
                               cm_reason fails)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 1 << 16};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 1 << 16};
    cm_rcar_request q = {.tee = CM_ATTEST_SNP, .hash = CM_SHA384, .selector = {.max = 128}};
    cm_rcar_attestation a = {.n = 1};
    cm_rcar_challenge ch = {.hash = CM_SHA384};
    cm_attest_input in = {.kind = CM_ATTEST_SNP, .evidence = cm_view_str(evidence)};
    const char *json, *session;

    OK(cm_buf_append(&q.selector, cm_view_str(selector)));
    OK(cm_rcar_request_put(&body, &q));
    json = rcar_ask(w, "/kbs/v0/auth", "", cm_buf_view(&body), 0);
    session = t_f("%s", t_member(json, "session"));
    OK(cm_base64_decode(&got, cm_view_str(t_member(json, "body")), false));
    OK(cm_rcar_challenge_read(&ch, cm_buf_view(&got)));
    memcpy(a.nonce, ch.nonce, sizeof a.nonce);
    a.nonce[0] ^= other;
    set_machine(w, &a);
    a.piece[0] = (cm_rcar_piece){.kind = CM_ATTEST_SNP, .evidence = {.max = 4096}};
    OK(cm_attest_pack_put(&a.piece[0].evidence, &in));
    OK(cm_rcar_report_data(w->fresh, w->t->crypt, CM_SHA384, a.nonce, a.key, CM_LIT("")));
    body.n = 0;
    OK(cm_rcar_attestation_put(&body, &a));
    json = rcar_ask(w, "/kbs/v0/attest", session, cm_buf_view(&body), fails);
    if (fails) { /* V-90: it was not used up by the entry, nor is it by the next (V-91) */
        w->t->now_ms += 60000;
        (void)rcar_ask(w, "/kbs/v0/attest", session, cm_buf_view(&body), fails);
    }
    if (!fails) { /* once */
        (void)rcar_ask(w, "/kbs/v0/attest", session, cm_buf_view(&body), CM_SVC_CHALLENGE_USED);
        session = t_f("%s", t_member(json, "session"));
    }
    cm_rcar_request_done(&q);
    cm_rcar_attestation_done(&a);
    cm_rcar_challenge_done(&ch);
    return session;
}

static const char *resource(const char *session)
{
    return t_f("/kbs/v0/resource/~/default/k?session=%s", session);
}

/* V-88, V-89, V-90 */
static void test_broker(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    t_who nobody = {.key = NULL};
    CM_AUTO(cm_buf_free) cm_buf jwe = {.max = 1 << 17};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 4096};
    const char *session, *json;
    uint64_t leaves;

    (void)state;
    (void)snprintf(nobody.tenant, sizeof nobody.tenant, "acme");
    w->pack = true;
    a_key(w);
    session = rcar_attest(w, "", "good fleet", false, 0);
    /* The tenant has no principal for it yet; then that has no grant. */
    t_fails(t, &nobody, "GET", resource(session), NULL, CM_SVC_UNAUTHENTIC);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals", "{\"principal\":\"rcar\"}");
    t_fails(t, &nobody, "GET", resource(session), NULL, CM_SVC_DENIED);
    t_grant(t, &t->admin, "broker", "rcar", "\"ReleaseKey\"", "");
    leaves = t_log_size(t);
    t_svc_restart(t); /* another node, as far as memory goes */
    json = t_ok(t, &nobody, "GET", resource(session), NULL);
    assert_int_equal(t_log_size(t), leaves + 1);
    OK(cm_base64_decode(&jwe, cm_view_str(t_member(json, "body")), false));
    OK(cm_jwe_open(&raw, t->crypt, w->machine, cm_buf_view(&jwe)));
    assert_int_equal(raw.n, 32);
    /* Without a session, with another's, and when its time is over. */
    t_fails(t, &nobody, "GET", "/kbs/v0/resource/~/default/k", NULL, CM_SVC_UNAUTHENTIC);
    t_fails(t, &nobody, "GET", resource("AgAAAAAA"), NULL, CM_SVC_SESSION);
    (void)t_ok(t, &nobody, "GET", resource(t_f("x.y.%s", session)), NULL); /* RL-7 */
    t_fails(t, &nobody, "GET", resource(t_f("%s.y", session)), NULL, CM_SVC_UNAUTHENTIC);
    t->now_ms += 299999;
    (void)t_ok(t, &nobody, "GET", resource(session), NULL);
    t->now_ms += 1;
    t_fails(t, &nobody, "GET", resource(session), NULL, CM_SVC_SESSION);
    /* Evidence that the key's policy does not accept, though it is genuine; by name of a policy. */
    session = rcar_attest(w, "", "good other", false, 0);
    leaves = t_log_size(t);
    t_fails(t, &nobody, "GET", resource(session), NULL, CM_SVC_RELEASE_REFUSED);
    assert_int_equal(t_log_size(t), leaves + 1);
    session = rcar_attest(w, "acme/fleet", "good fleet", false, 0);
    (void)t_ok(t, &nobody, "GET", resource(session), NULL);
    (void)rcar_attest(w, "acme/fleet", "bad", false, CM_SVC_EVIDENCE);
    (void)rcar_attest(w, "acme/nosuch", "good fleet", false, CM_SVC_EVIDENCE);
    (void)rcar_attest(w, "nobody/fleet", "good fleet", false, CM_SVC_EVIDENCE);
    (void)rcar_attest(w, "", "good fleet", true, CM_SVC_CHALLENGE); /* another nonce */
    world_done(w);
}

/* V-88 */
static void test_addresses(void **state)
{
    world *w = world_new();
    t_who one = {.address = "192.0.2.1"}, two = {.address = "192.0.2.2"};

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        t_fails(w->t, &one, "POST", "/kbs/v0/auth", "{\"body\":\"e30=\"}", CM_RELEASE_MESSAGE);
    t_fails(w->t, &one, "POST", "/kbs/v0/auth", "{\"body\":\"e30=\"}", CM_SVC_RATE);
    t_fails(w->t, &two, "POST", "/kbs/v0/auth", "{\"body\":\"e30=\"}", CM_RELEASE_MESSAGE);
    world_done(w);
}

/* The last entry of the log, as an auditor of the system sees it. */
static const char *last_entry(t_svc *t)
{
    return t_ok(
        t, &t->admin, "GET",
        t_f("/v1/tenants/system/log/entries?from=%llu", (unsigned long long)(t_log_size(t) - 1)),
        NULL);
}

/* So many more than n, of which the last is this; looking makes one more. */
static void expect_entry(t_svc *t, uint64_t *n, unsigned more, const char *what, const char *reason)
{
    const char *json;

    assert_int_equal(t_log_size(t), *n + more);
    json = last_entry(t);
    if (!strstr(json, what) || !strstr(json, reason))
        print_message("not %s %s: %s\n", what, reason, json);
    assert_non_null(strstr(json, what));
    assert_non_null(strstr(json, reason));
    *n = t_log_size(t);
}

/* field 9 of the entry at that place is 32 bytes. */
static bool names_evidence(t_svc *t, uint64_t leaf)
{
    const char *json = t_ok(
        t, &t->admin, "GET",
        t_f("/v1/tenants/system/log/entries?from=%llu&count=1", (unsigned long long)leaf), NULL);
    const char *at = strstr(json, "\"entry\":\"");
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 4096};

    assert_non_null(at);
    at += strlen("\"entry\":\"");
    OK(cm_base64_decode(&raw, cm_view_of(at, strcspn(at, "\"")), false));
    return memmem(raw.p, raw.n, "\x09\x58\x20", 3) != NULL;
}

static void refused_from(world *w, const char *address)
{
    t_who who = {.address = address};

    t_fails(w->t, &who, "POST", "/kbs/v0/attest", "{\"session\":\"AQ\",\"body\":\"e30=\"}",
            CM_SVC_SESSION);
}

/* V-91: one entry a minute and class of addresses; it stands for all since the last. */
static void test_refusals(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    uint64_t n;

    (void)state;
    w->pack = true;
    a_key(w);
    (void)rcar_attest(w, "", "good fleet", false, 0); /* and a replay: an entry for each */
    n = t_log_size(t);
    expect_entry(t, &n, 0, "\"operation\":\"RcarAttest\"", "SVC_CHALLENGE_USED");
    t_svc_restart(t);
    (void)rcar_attest(w, "acme/fleet", "bad", false, CM_SVC_EVIDENCE); /* twice */
    expect_entry(t, &n, 2, "\"operation\":\"RcarAttest\"", "SVC_EVIDENCE");
    assert_true(names_evidence(t, n - 2));
    n = t_log_size(t);
    refused_from(w, "192.0.2.77");
    refused_from(w, "192.0.2.78");
    OK(cm_svc_log_refusals(t->svc, false));
    assert_int_equal(t_log_size(t), n);
    refused_from(w, "198.51.100.1");
    expect_entry(t, &n, 1, "\"operation\":\"RcarAttest\"", "SVC_SESSION");
    t->now_ms += 59999;
    OK(cm_svc_log_refusals(t->svc, false));
    assert_int_equal(t_log_size(t), n);
    t->now_ms += 1;
    OK(cm_svc_log_refusals(t->svc, false));
    expect_entry(t, &n, 1, "\"operation\":\"RcarAttest/2\"", "SVC_SESSION");
    OK(cm_svc_log_refusals(t->svc, true));
    assert_int_equal(t_log_size(t), n);
    /* A minute later the next one takes along what was counted; a clock that went back waits not.
     */
    for (unsigned i = 0; i < 3; i++)
        refused_from(w, "192.0.2.1");
    assert_int_equal(t_log_size(t), n);
    t->now_ms -= 3600000;
    refused_from(w, "192.0.2.2");
    expect_entry(t, &n, 1, "\"operation\":\"RcarAttest/4\"", "SVC_SESSION");
    refused_from(w, "192.0.2.2");
    OK(cm_svc_log_refusals(t->svc, true));
    expect_entry(t, &n, 1, "\"operation\":\"RcarAttest\"", "SVC_SESSION");
    world_done(w);
}

/* Whatever addresses there are: so many entries, and none is forgotten. */
static void test_many_addresses(void **state)
{
    world *w = world_new();
    t_svc *t = w->t;
    uint64_t n;

    (void)state;
    refused_from(w, "2001:db8::1");
    n = t_log_size(t);
    refused_from(w, "2001:db8:0:ff::1"); /* of the same /56 */
    assert_int_equal(t_log_size(t), n);
    for (unsigned i = 0; i < 100; i++)
        refused_from(w, t_f("10.%u.0.1", i));
    assert_int_equal(t_log_size(t), n + 63 + 1); /* and one of the rest, which has no address */
    t->now_ms += 60000;
    OK(cm_svc_log_refusals(t->svc, false));
    expect_entry(t, &n, 64 + 2, "\"operation\":\"RcarAttest\"", "SVC_SESSION");
    refused_from(w, "10.99.0.1"); /* there is room again */
    expect_entry(t, &n, 1, "\"operation\":\"RcarAttest\"", "SVC_SESSION");
    world_done(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),       cmocka_unit_test(test_grants),
        cmocka_unit_test(test_release),        cmocka_unit_test(test_models),
        cmocka_unit_test(test_challenges),     cmocka_unit_test(test_broker),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
