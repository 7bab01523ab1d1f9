/* Keys that come in and go out: imported in each form, exported to a server with another root and
 * used there; and what policy, proof and state refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypt/rsa.h"
#include "keys/types.h"
#include "svc_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define KEY   "/v1/tenants/~/keys/"

static const char *base64(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};

    OK(cm_base64_encode(&b, v, false));
    return t_f("%.*s", (int)b.n, (const char *)b.p);
}

static const char *same_text(const char *text)
{
    return t_f("%s", text);
}

/* ---- what shows that two servers have one key ---- */

/* Longer than t_f() takes: SLH-DSA. */
static void signature_of(char *out, size_t n, t_svc *t, const char *path)
{
    t_answer a = t_ask(t, &t->admin, "POST", path, "{\"data\":\"bW9kZWw=\"}");
    const char *at, *end;

    OK(a.result);
    OK(cm_buf_byte(&a.json, 0));
    at = strstr((const char *)a.json.p, "\"signature\":\"");
    assert_non_null(at);
    at += strlen("\"signature\":\"");
    end = strchr(at, '"');
    (void)snprintf(out, n, "%.*s", (int)(end - at), at);
    t_answer_free(&a);
}

static const char *verify_body(const char *data, const char *sig)
{
    static char text[40000];

    (void)snprintf(text, sizeof text, "{\"data\":\"%s\",\"signature\":\"%s\"}", data, sig);
    return text;
}

static void signs_alike(t_svc *a, t_svc *b, const char *name)
{
    t_svc *from[2] = {a, b}, *to[2] = {b, a};
    char sign[64], verify[64], sig[32768];

    (void)snprintf(sign, sizeof sign, KEY "%s:sign", name);
    (void)snprintf(verify, sizeof verify, KEY "%s:verify", name);
    for (size_t i = 0; i < 2; i++) {
        signature_of(sig, sizeof sig, from[i], sign);
        assert_string_equal(
            t_member(t_ok(to[i], &to[i]->admin, "POST", verify, verify_body("bW9kZWw=", sig)),
                     "valid"),
            "true");
        assert_string_equal(
            t_member(t_ok(to[i], &to[i]->admin, "POST", verify, verify_body("bW9kZWs=", sig)),
                     "valid"),
            "false");
    }
}

static void opens_alike(t_svc *a, t_svc *b, const char *name)
{
    const char *json = t_ok(a, &a->admin, "POST", t_f(KEY "%s:encapsulate", name), "{}");
    const char *secret = same_text(t_member(json, "shared_secret"));

    json = t_ok(b, &b->admin, "POST", t_f(KEY "%s:decapsulate", name),
                t_f("{\"ciphertext\":\"%s\"}", t_member(json, "ciphertext")));
    assert_string_equal(t_member(json, "shared_secret"), secret);
}

static void decrypts_alike(t_svc *a, t_svc *b, const char *name)
{
    const char *ct = t_member(
        t_ok(a, &a->admin, "POST", t_f(KEY "%s:encrypt", name), "{\"plaintext\":\"d2VpZ2h0cw==\"}"),
        "ciphertext");
    const char *json =
        t_ok(b, &b->admin, "POST", t_f(KEY "%s:decrypt", name), t_f("{\"ciphertext\":\"%s\"}", ct));

    assert_string_equal(t_member(json, "plaintext"), "d2VpZ2h0cw==");
}

static void macs_alike(t_svc *a, t_svc *b, const char *name)
{
    const char *path = t_f(KEY "%s:mac", name);
    const char *tag = t_member(t_ok(a, &a->admin, "POST", path, "{\"data\":\"eA==\"}"), "mac");

    assert_string_equal(t_member(t_ok(b, &b->admin, "POST", path, "{\"data\":\"eA==\"}"), "mac"),
                        tag);
}

static void commits_to_its_share(t_svc *b, const char *name)
{
    const char *json = t_ok(b, &b->admin, "POST", t_f(KEY "%s:signThreshold", name), "{}");

    assert_true(strlen(t_member(json, "nonces")) > 0);
}

static void same_key(t_svc *a, t_svc *b, const cm_key_type_info *t, const char *name)
{
    const char *one, *path = t_f(KEY "%s/publicKey", name);

    if (!(t->can & (CAN_ENCRYPT | CAN_MAC))) {
        one = t_member(t_ok(a, &a->admin, "GET", path, NULL), "public_key");
        assert_string_equal(t_member(t_ok(b, &b->admin, "GET", path, NULL), "public_key"), one);
    }
    if (t->can & CAN_SIGN)
        signs_alike(a, b, name);
    if (t->can & CAN_KEM)
        opens_alike(a, b, name);
    if (t->can & CAN_ENCRYPT)
        decrypts_alike(a, b, name);
    if (t->can & CAN_MAC)
        macs_alike(a, b, name);
    if (t->can & CAN_THRESHOLD)
        commits_to_its_share(b, name);
}

/* RSA-4096 takes seconds to make, SLH-DSA-SHA2-128s a third of one for a signature. */
static bool quick(const cm_key_type_info *t)
{
    return t->type != CM_KEY_RSA_4096 && t->type != CM_KEY_SLH_DSA_128S &&
           t->type != CM_KEY_BLS12_381;
}

/* ---- from server to server ---- */

static void make(t_svc *t, const cm_key_type_info *type, const char *name)
{
    if (type->can & CAN_THRESHOLD)
        (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keyspaces/default:dealThreshold",
                   t_f("{\"type\":\"%s\",\"threshold\":2,\"participants\":%s,\"exportable\":true}",
                       type->name, name));
    else
        (void)t_ok(t, &t->admin, "POST", t_f(KEY "%s", name),
                   t_f("{\"type\":\"%s\",\"exportable\":true}", type->name));
}

static const char *wrapped_for(t_svc *from, const char *name, t_svc *to, const char *import_key)
{
    const char *pk = t_member(
        t_ok(to, &to->admin, "GET", t_f(KEY "%s/publicKey", import_key), NULL), "public_key");
    const char *json = t_ok(from, &from->admin, "POST", t_f(KEY "%s:exportWrapped", name),
                            t_f("{\"recipient\":\"%s\"}", pk));

    assert_true(strlen(t_member(json, "receipt")) > 0);
    return t_member(json, "wrapped");
}

static const char *import_body(const char *type, const char *import_key, const char *wrapped)
{
    return t_f("{\"type\":\"%s\",\"import_key\":\"%s\",\"wrapped\":\"%s\"}", type, import_key,
               wrapped);
}

/* KM-27, KM-28: out of one root's keeping into another's, each type, to each kind of recipient. */
static void test_each_type_moves(void **state)
{
    static const char *const kems[] = {"X-Wing", "ML-KEM-768", "ML-KEM-1024"};
    t_svc *a = t_svc_new(), *b = t_svc_new();

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kems); i++)
        (void)t_ok(b, &b->admin, "POST", t_f(KEY "in%zu", i), t_f("{\"type\":\"%s\"}", kems[i]));
    for (uint32_t i = 1; i < CM_KEY_TYPE_END; i++) {
        const cm_key_type_info *t = cm_key_type_of(i);
        char name[16], in[16], wrapped[16384];

        /* A share's name is its number: those of the second suite would be taken. */
        if (!quick(t) || i == CM_KEY_FROST_SECP256K1)
            continue;
        (void)snprintf(name, sizeof name, "k%u", (unsigned)i);
        if (t->can & CAN_THRESHOLD)
            (void)snprintf(name, sizeof name, "3");
        (void)snprintf(in, sizeof in, "in%zu", i % CM_COUNT(kems));
        make(a, t, name);
        (void)snprintf(wrapped, sizeof wrapped, "%s", wrapped_for(a, name, b, in));
        (void)t_ok(b, &b->admin, "POST", t_f(KEY "%s:importWrapped", name),
                   import_body(t->name, in, wrapped));
        same_key(a, b, t, name);
    }
    t_svc_restart(b);
    (void)t_ok(b, &b->admin, "POST", KEY "k18:encrypt", "{}");
    t_svc_done(a);
    t_svc_done(b);
}

/* ---- plain imports ---- */

static void raw_secret(t_svc *t, cm_buf *out, const cm_key_type_info *type)
{
    size_t n = type->family == CM_FAMILY_KEM   ? cm_kem_info_of(type->algorithm)->seed
               : type->family == CM_FAMILY_SIG ? cm_sig_info_of(type->algorithm)->seed
                                               : 32;
    cm_rsa *rsa = NULL;

    if (type->family == CM_FAMILY_RSA) {
        OK(cm_rsa_generate(&rsa, t->crypt, type->algorithm));
        OK(cm_rsa_private_der(out, rsa));
        cm_rsa_free(rsa);
        return;
    }
    OK(cm_buf_reserve(out, n));
    OK(cm_random(t->crypt, out->p, n));
    out->p[0] = 1; /* below every order, whichever end a scalar begins at */
    out->p[n - 1] = 1;
    out->n = n;
}

/* Each type from its raw form or PKCS#8, on two servers: one key. */
static void test_each_type_comes_in(void **state)
{
    t_svc *a = t_svc_new(), *b = t_svc_new();

    (void)state;
    for (uint32_t i = 1; i < CM_KEY_TYPE_END; i++) {
        const cm_key_type_info *t = cm_key_type_of(i);
        CM_AUTO(cm_buf_free) cm_buf raw = {.max = 8192};
        char name[16], path[64], body[8192];

        if (!quick(t) || t->can & CAN_THRESHOLD) /* shares: test_svc_threshold.c */
            continue;
        (void)snprintf(name, sizeof name, "k%u", (unsigned)i);
        (void)snprintf(path, sizeof path, KEY "%s:import", name);
        raw_secret(a, &raw, t);
        t_fails(a, &a->admin, "POST", path,
                t_f("{\"type\":\"%s\",\"secret\":\"%s\"}", t->name,
                    base64(cm_view_of(raw.p, raw.n - 1))),
                CM_CRYPT_BAD_KEY);
        (void)snprintf(body, sizeof body, "{\"type\":\"%s\",\"secret\":\"%s\"}", t->name,
                       base64(cm_buf_view(&raw)));
        (void)t_ok(a, &a->admin, "POST", path, body);
        (void)t_ok(b, &b->admin, "POST", path, body);
        same_key(a, b, t, name);
        t_fails(a, &a->admin, "POST", path, body, CM_SVC_EXISTS);
        /* V-34: not exportable unless it was said when it came. */
        t_fails(a, &a->admin, "POST", t_f(KEY "%s:exportWrapped", name), "{\"recipient\":\"eA==\"}",
                CM_SVC_NOT_EXPORTABLE);
    }
    t_fails(a, &a->admin, "POST", KEY "bls:import",
            t_f("{\"type\":\"BLS12-381\",\"secret\":\"%s\"}", base64(CM_VIEW(((uint8_t[32]){1})))),
            CM_KEY_UNSUPPORTED);
    t_svc_done(a);
    t_svc_done(b);
}

/* ---- refusals ---- */

/* V-73: who may make keys, but not use the import key, gets nothing opened by it. */
static void importer_without_use(t_svc *t, const char *wrapped)
{
    t_who maker = t_principal(t, &t->admin, t->admin.tenant, "maker");
    const char *body = import_body("AES-256", "in", wrapped);

    t_grant(t, &t->admin, "make", "maker", "\"ImportWrapped\"", "");
    t_fails(t, &maker, "POST", KEY "made:importWrapped", body, CM_SVC_DENIED);
    t_grant(t, &t->admin, "use-in", "maker", "\"Decapsulate\"",
            ",\"resource_keyspace\":\"default\",\"resource_key\":\"in\"");
    (void)t_ok(t, &maker, "POST", KEY "made:importWrapped", body);
    t_who_done(&maker);
}

static void test_wrapped_refused(void **state)
{
    t_svc *a = t_svc_new(), *b = t_svc_new();
    char good[4096], bad[4096];
    const char *in = KEY "moved:importWrapped";

    (void)state;
    (void)t_ok(a, &a->admin, "POST", KEY "k", "{\"type\":\"AES-256\",\"exportable\":true}");
    (void)t_ok(b, &b->admin, "POST", KEY "in", "{\"type\":\"X-Wing\"}");
    (void)t_ok(b, &b->admin, "POST", KEY "other", "{\"type\":\"X-Wing\"}");
    (void)t_ok(b, &b->admin, "POST", KEY "sig", "{\"type\":\"ML-DSA-65\"}");
    (void)snprintf(good, sizeof good, "%s", wrapped_for(a, "k", b, "in"));
    /* For another key, as another type, altered: nothing comes in. */
    t_fails(b, &b->admin, "POST", in, import_body("AES-256", "other", good), CM_CRYPT_TAG);
    t_fails(b, &b->admin, "POST", in, import_body("HMAC-SHA256", "in", good), CM_CRYPT_TAG);
    for (size_t i = 0; i + 8 < strlen(good); i += 97) {
        (void)snprintf(bad, sizeof bad, "%s", good);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        t_fails(b, &b->admin, "POST", in, import_body("AES-256", "in", bad), CM_CRYPT_TAG);
    }
    t_fails(b, &b->admin, "POST", in, import_body("AES-256", "sig", good), CM_SVC_KEY_KIND);
    t_fails(b, &b->admin, "POST", in, import_body("AES-256", "none", good), CM_SVC_NO_KEY);
    t_fails(b, &b->admin, "POST", KEY "in:importWrapped", import_body("AES-256", "in", good),
            CM_SVC_EXISTS);
    t_fails(b, &b->admin, "GET", KEY "moved", NULL, CM_SVC_NO_KEY);
    importer_without_use(b, good);
    (void)t_ok(b, &b->admin, "POST", KEY "in:setState", "{\"state\":\"suspended\"}");
    t_fails(b, &b->admin, "POST", in, import_body("AES-256", "in", good), CM_KEY_STATE);
    (void)t_ok(b, &b->admin, "POST", KEY "in:setState", "{\"state\":\"active\"}");
    (void)t_ok(b, &b->admin, "POST", in, import_body("AES-256", "in", good));
    t_svc_done(a);
    t_svc_done(b);
}

static const char *spki_of(cm_view v)
{
    return t_f("{\"principal\":\"cert\",\"credentials\":[{\"kind\":\"certificate\",\"spki_sha256\":"
               "\"%s\"}]}",
               base64(v));
}

/* V-9, V-20, V-24, V-34: who may export. */
static void test_export_policy(void **state)
{
    static const uint8_t here[32] = {9};
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob"), cert = {.spki = CM_VIEW(here)};
    t_who ann = t_principal(t, &t->admin, "acme", "ann");
    t_who eve = t_principal(t, &t->admin, "acme", "eve");
    const char *out = KEY "k:exportWrapped", *pk, *json;
    char body[4096], id[64];
    uint64_t before;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"ML-DSA-65\",\"exportable\":true}");
    (void)t_ok(t, &t->admin, "POST", KEY "stays", "{\"type\":\"ML-DSA-65\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "to", "{\"type\":\"X-Wing\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "weak", "{\"type\":\"ML-KEM-512\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "old", "{\"type\":\"P-256\"}");
    pk = t_member(t_ok(t, &t->admin, "GET", KEY "to/publicKey", NULL), "public_key");
    (void)snprintf(body, sizeof body, "{\"recipient\":\"%s\"", pk);
    /* Refused by default; leave to use is not leave to take away. */
    before = t_log_size(t);
    t_fails(t, &bob, "POST", out, t_f("%s}", body), CM_SVC_DENIED);
    assert_int_equal(t_log_size(t), before + 1);
    t_grant(t, &t->admin, "use", "bob", "\"use\",\"read\",\"manage\"", "");
    t_fails(t, &bob, "POST", out, t_f("%s}", body), CM_SVC_DENIED);
    /* Two others must have let it. */
    t_grant(t, &t->admin, "export", "bob", "\"ExportWrapped\"",
            ",\"resource_keyspace\":\"default\",\"resource_key\":\"k\",\"conditions\":{"
            "\"approvals\":2,\"approvers\":[\"ann\",\"eve\",\"bob\"]}");
    t_fails(t, &bob, "POST", out, t_f("%s}", body), CM_SVC_DENIED);
    json = t_ok(t, &bob, "POST", "/v1/tenants/~/approvals",
                "{\"action\":\"ExportWrapped\",\"key\":\"k\"}");
    (void)snprintf(id, sizeof id, "%s", t_member(json, "id"));
    (void)t_ok(t, &ann, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL);
    t_fails(t, &bob, "POST", out, t_f("%s,\"approval\":\"%s\"}", body, id), CM_SVC_DENIED);
    (void)t_ok(t, &eve, "POST", t_f("/v1/tenants/~/approvals/%s:approve", id), NULL);
    t_fails(t, &bob, "POST", KEY "stays:exportWrapped", t_f("%s,\"approval\":\"%s\"}", body, id),
            CM_SVC_APPROVAL);
    (void)t_ok(t, &bob, "POST", out, t_f("%s,\"approval\":\"%s\"}", body, id));
    t_fails(t, &bob, "POST", out, t_f("%s,\"approval\":\"%s\"}", body, id), CM_SVC_BUDGET);
    /* Whoever they are: a key that was not made for it stays, weak recipients get nothing. */
    t_fails(t, &t->admin, "POST", KEY "stays:exportWrapped", t_f("%s}", body),
            CM_SVC_NOT_EXPORTABLE);
    pk = t_member(t_ok(t, &t->admin, "GET", KEY "weak/publicKey", NULL), "public_key");
    t_fails(t, &t->admin, "POST", out, t_f("{\"recipient\":\"%s\"}", pk), CM_SVC_REQUEST);
    pk = t_member(t_ok(t, &t->admin, "GET", KEY "old/publicKey", NULL), "public_key");
    t_fails(t, &t->admin, "POST", out, t_f("{\"recipient\":\"%s\"}", pk), CM_SVC_REQUEST);
    /* A certificate alone is no signature over the request, whatever its principal may do. */
    (void)snprintf(cert.tenant, sizeof cert.tenant, "acme");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals", spki_of(CM_VIEW(here)));
    t_grant(t, &t->admin, "all", "cert", "\"*\"", "");
    (void)t_ok(t, &cert, "GET", KEY "k", NULL);
    t_fails(t, &cert, "POST", out, t_f("%s}", body), CM_SVC_NEEDS_SIGNATURE);
    t_fails(t, &cert, "POST", KEY "x:import", "{\"type\":\"AES-256\",\"secret\":\"eA==\"}",
            CM_SVC_NEEDS_SIGNATURE);
    t_who_done(&bob);
    t_who_done(&ann);
    t_who_done(&eve);
    t_svc_done(t);
}

/* ---- while the tenant's KEK rotates ---- */

static void rotate_all(t_svc *t)
{
    while (
        strcmp(t_member(t_ok(t, &t->admin, "POST", "/v1/tenants/~:rotateKek", NULL), "remaining"),
               "true") == 0)
        continue;
}

/* KM-14: what comes in behind the rotation's back is not left under the KEK that goes away. */
static void test_import_while_rotating(void **state)
{
    t_svc *t = t_svc_new();
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "x", "{\"type\":\"AES-256\",\"exportable\":true}");
    for (int i = 0; i < 20; i++)
        (void)t_ok(t, &t->admin, "POST", t_f(KEY "b%02d", i), "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "z", "{\"type\":\"X-Wing\"}");
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~:rotateKek", NULL);
    assert_string_equal(t_member(json, "remaining"), "true");
    (void)t_ok(t, &t->admin, "POST", KEY "a:importWrapped",
               import_body("AES-256", "z", wrapped_for(t, "x", t, "z")));
    rotate_all(t);
    rotate_all(t);
    rotate_all(t);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", KEY "a:encrypt", "{}");
    t_svc_done(t);
}

/* ---- what looks for keys finds them ---- */

static void test_scan_sees_keys(void **state)
{
    static const uint8_t key[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    t_svc *t = t_svc_new();
    size_t before = t_traces_count(t->traces);
    const char *text = base64(CM_VIEW(key));

    (void)state;
    assert_false(t_traces_in(t->traces, CM_VIEW(key)));
    (void)t_ok(t, &t->admin, "POST", KEY "k:import",
               t_f("{\"type\":\"AES-256\",\"secret\":\"%s\"}", text));
    assert_true(t_traces_in(t->traces, CM_VIEW(key)));
    assert_true(t_traces_in(t->traces, cm_view_of(key + 16, 16)));
    assert_true(t_traces_in(t->traces, cm_view_of(text, 17)));
    assert_true(t_traces_count(t->traces) > before);
    before = t_traces_count(t->traces);
    (void)t_ok(t, &t->admin, "POST", KEY "m", "{\"type\":\"ML-DSA-65\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "k:generateDataKey", "{}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keyspaces/f:dealThreshold",
               "{\"type\":\"FROST-Ed25519\",\"threshold\":2,\"participants\":2}");
    assert_true(t_traces_count(t->traces) >= before + 40);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_moves),       cmocka_unit_test(test_each_type_comes_in),
        cmocka_unit_test(test_wrapped_refused),       cmocka_unit_test(test_export_policy),
        cmocka_unit_test(test_import_while_rotating), cmocka_unit_test(test_scan_sees_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
