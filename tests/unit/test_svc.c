/* The service as a whole: tenants, principals, keys, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "codec/text.h"
#include "svc_kit.h"

static void test_first_run(void **state)
{
    t_svc *t = t_svc_new();
    t_who stranger = t_who_new(t, "acme");
    uint64_t before;

    (void)state;
    assert_string_equal(t_member(t_ok(t, &t->admin, "GET", "/v1/health", NULL), "status"),
                        "serving");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/first", "{\"type\":\"ML-DSA-65\"}");
    before = t_log_size(t);
    t_fails(t, &stranger, "GET", "/v1/tenants/~/keys/first", NULL, CM_SVC_UNAUTHENTIC);
    assert_int_equal(t_log_size(t), before + 1);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    (void)t_ok(t, &t->admin, "GET", "/v1/tenants", NULL);
    t_who_done(&stranger);
    t_svc_done(t);
}

static void test_signs(void **state)
{
    t_svc *t = t_svc_new();
    const char *json, *sig;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/s", "{\"type\":\"P-256\"}");
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/s:sign", "{\"data\":\"aGVsbG8=\"}");
    sig = t_member(json, "signature");
    assert_true(strlen(sig) > 0);
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/s:verify",
                t_f("{\"data\":\"aGVsbG8=\",\"signature\":\"%s\"}", sig));
    assert_string_equal(t_member(json, "valid"), "true");
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/s:verify",
                t_f("{\"data\":\"aGVsbG9v\",\"signature\":\"%s\"}", sig));
    assert_string_equal(t_member(json, "valid"), "false");
    t_svc_done(t);
}

static void test_encrypts(void **state)
{
    t_svc *t = t_svc_new();
    const char *json;
    char ct[256];

    (void)state;
    t_secret(t, CM_LIT("the plaintext of this test"));
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e", "{\"type\":\"AES-256\"}");
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e:encrypt",
                "{\"plaintext\":\"dGhlIHBsYWludGV4dCBvZiB0aGlzIHRlc3Q=\"}");
    (void)snprintf(ct, sizeof ct, "%s", t_member(json, "ciphertext"));
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e:decrypt",
                t_f("{\"ciphertext\":\"%s\"}", ct));
    assert_string_equal(t_member(json, "plaintext"), "dGhlIHBsYWludGV4dCBvZiB0aGlzIHRlc3Q=");
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/e:decrypt",
            t_f("{\"ciphertext\":\"%s\",\"aad\":\"eA==\"}", ct), CM_SVC_CIPHERTEXT);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e:decrypt",
               t_f("{\"ciphertext\":\"%s\"}", ct));
    t_svc_done(t);
}

/* V-6, V-12: a principal of one tenant against everything of another, the whole table. */
static void test_cross_tenant(void **state)
{
    t_svc *t = t_svc_new();
    t_who other, system = t->admin;
    uint64_t before;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    other = t_principal(t, &system, "beta", "bob");
    /* At home there is nothing they may not do, and what they ask for exists. */
    (void)snprintf(system.tenant, sizeof system.tenant, "beta");
    t_grant(t, &system, "all", "bob", "\"*\"", "");
    (void)t_ok(t, &other, "POST", "/v1/tenants/~/keys/1", "{\"type\":\"AES-256\"}");
    (void)snprintf(other.tenant, sizeof other.tenant, "acme");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/1", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/models", "{\"model\":\"1\"}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals", "{\"principal\":\"1\"}");
    t_grant(t, &t->admin, "1", "1", "\"use\"", "");
    for (size_t i = 0; i < cm_ops_n; i++) {
        char path[512], *at;
        const cm_op *op = &cm_ops[i];
        t_answer answer;

        if (op->auth == CM_AUTH_NONE)
            continue;
        (void)snprintf(path, sizeof path, "%s", op->route);
        while ((at = strstr(path, "{tenant}"))) {
            *at = '~';
            memmove(at + 1, at + 8, strlen(at + 8) + 1);
        }
        while ((at = strchr(path, '{'))) {
            char *close = strchr(at, '}');

            *at = '1';
            memmove(at + 1, close + 1, strlen(close + 1) + 1);
        }
        before = t_log_size(t);
        answer = t_ask_bare(t, &other, op, path);
        assert_true(cm_failed(answer.result));
        assert_true(cm_is(answer.result, CM_SVC_UNAUTHENTIC));
        assert_int_equal(t_log_size(t), before + 1);
        t->now_ms += 1000; /* unknown callers are logged at a bounded rate (V-13) */
        t_answer_free(&answer);
    }
    t_who_done(&other);
    t_svc_done(t);
}

/* V-3: `a:b` in `c` and `a` in `b:c` are two keys. */
static void test_names_are_typed(void **state)
{
    t_svc *t = t_svc_new();

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/b:c?keyspace=a", "{\"type\":\"AES-256\"}");
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys/c?keyspace=a:b", NULL, CM_SVC_NO_KEY);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/c?keyspace=a:b", "{\"type\":\"P-256\"}");
    assert_string_equal(
        t_member(t_ok(t, &t->admin, "GET", "/v1/tenants/~/keys/b:c?keyspace=a", NULL), "type"),
        "AES-256");
    t_svc_done(t);
}

/* V-7: a nonce serves once; V-30: verifying makes no key. */
static void test_defects(void **state)
{
    t_svc *t = t_svc_new();
    t_who again = t->admin, api = t->admin;

    (void)state;
    again.nonce = "0123456789abcdef0123";
    (void)t_ok(t, &again, "GET", "/v1/tenants/~", NULL);
    t_fails(t, &again, "GET", "/v1/tenants/~", NULL, CM_SVC_REPLAY);
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/none:verify",
            "{\"data\":\"eA==\",\"signature\":\"eA==\"}", CM_SVC_NO_KEY);
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys/none", NULL, CM_SVC_NO_KEY);
    /* V-33: no public key is never an empty one. */
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/sym", "{\"type\":\"AES-256\"}");
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys/sym/publicKey", NULL, CM_SVC_KEY_KIND);
    /* V-9, V-16: an API key works, and not where a signature is demanded; only its hash is kept. */
    {
        const char *json =
            t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/admin:createApiKey", NULL);
        char key[128];

        (void)snprintf(key, sizeof key, "%s", t_member(json, "api_key"));
        t_secret(t, cm_view_str(key));
        api.key = NULL;
        api.bearer = cm_view_str(key);
        (void)t_ok(t, &api, "GET", "/v1/tenants/~/keys/sym", NULL);
        t_fails(t, &api, "POST", "/v1/tenants/~/keys/sym:scheduleDestruction", "{}",
                CM_SVC_NEEDS_SIGNATURE);
        t_fails(t, &api, "POST", "/v1/tenants/~/keys/sym:exportWrapped", "{\"recipient\":\"eA==\"}",
                CM_SVC_NEEDS_SIGNATURE);
        key[10] = key[10] == 'a' ? 'b' : 'a';
        t_fails(t, &api, "GET", "/v1/tenants/~/keys/sym", NULL, CM_APIKEY_MALFORMED);
    }
    t_svc_done(t);
}

/* V-2: a record of another format is not read. */
static void test_formats(void **state)
{
    t_svc *t = t_svc_new();
    cm_committer *c = t->committer;
    uint64_t version;
    cm_path p;
    cm_buf b = {.max = 1 << 16};
    cm_store_write w;
    cm_unit u;
    uint8_t *last;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k", "{\"type\":\"AES-256\"}");
    cm_path_init(&p);
    cm_path_add_str(&p, "acme");
    cm_path_add_str(&p, "key");
    cm_path_add_str(&p, "default");
    cm_path_add_str(&p, "k");
    assert_true(cm_ok(cm_store_get(t->store, cm_path_view(&p), &b, &version)));
    last = b.p + b.n - 1; /* field 15 is the last one */
    assert_int_equal(*last, 1);
    *last = 2;
    w = (cm_store_write){cm_path_view(&p), version + 1, cm_buf_view(&b)};
    u = (cm_unit){.writes = &w, .writes_n = 1};
    assert_true(cm_ok(cm_committer_commit(c, &u)));
    t_svc_restart(t);
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/keys/k", NULL, CM_SVC_RECORD);
    cm_buf_free(&b);
    t_svc_done(t);
}

/* V-20, V-31, V-32, V-34, V-40: grants, states, versions, export. */
static void test_rules(void **state)
{
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob");
    char ct[4096];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k", "{\"type\":\"AES-256\"}");
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_DENIED);
    t_grant(t, &t->admin, "g", "bob", "\"Encrypt\"", "");
    (void)snprintf(
        ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
        t_member(t_ok(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}"), "ciphertext"));
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:decrypt", ct, CM_SVC_DENIED);
    t_grant(t, &t->admin, "d", "*", "\"use\"", ",\"effect\":\"deny\"");
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_DENIED); /* V-21 */
    (void)t_ok(t, &t->admin, "DELETE", "/v1/tenants/~/grants/d", NULL);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k:rotate", NULL);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k:decrypt", ct);
    (void)t_ok(t, &t->admin, "PATCH", "/v1/tenants/~/keys/k", "{\"min_decrypt_version\":2}");
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/k:decrypt", ct, CM_SVC_MIN_VERSION);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k:setState", "{\"state\":\"suspended\"}");
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_KEY_STATE);
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals/bob:disable", NULL);
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_DISABLED);
    t_who_done(&bob);
    t_svc_done(t);
}

/* V-8, V-5: a session holds on its connection; a bad proof is not replaced by a weaker one. */
static void test_sessions(void **state)
{
    static const uint8_t here[32] = {1}, elsewhere[32] = {2};
    static const char again[] = "/v1/tenants/~/sessions";
    t_svc *t = t_svc_new();
    t_who me = t->admin, bob;
    uint8_t id[CM_SESSION_ID];
    const char *json;

    (void)state;
    t_fails(t, &t->admin, "POST", again, NULL, CM_SVC_SESSION); /* no TLS */
    me.exporter = CM_VIEW(here);
    json = t_ok(t, &me, "POST", again, "{\"seconds\":60}");
    (void)snprintf(me.session, sizeof me.session, "%s", t_member(json, "session"));
    assert_true(cm_session_id_of(id, cm_view_str(me.session)));
    assert_true(
        cm_ok(cm_session_key(&me.session_key, t->crypt, me.exporter, id, cm_view_str(me.keyid))));
    me.counter = 0;
    (void)t_ok(t, &me, "POST", "/v1/tenants/~/keys/s", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &me, "POST", "/v1/tenants/~/keys/s:encrypt", "{}");
    me.counter--;
    t_fails(t, &me, "POST", "/v1/tenants/~/keys/s:encrypt", "{}", CM_SESSION_REPLAY);
    t_fails(t, &me, "DELETE", "/v1/tenants/~/keys/s", NULL, CM_SVC_NEEDS_SIGNATURE); /* V-9 */
    me.exporter = CM_VIEW(elsewhere);
    t_fails(t, &me, "POST", "/v1/tenants/~/keys/s:encrypt", "{}", CM_SVC_SESSION);
    me.exporter = CM_VIEW(here);
    t->now_ms += 61000;
    t_fails(t, &me, "POST", "/v1/tenants/~/keys/s:encrypt", "{}", CM_SVC_SESSION);
    /* A certificate alone serves; with a bad signature beside it, it does not. */
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/principals",
               "{\"principal\":\"bob\",\"credentials\":[{\"kind\":\"certificate\",\"spki_sha256\":"
               "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}");
    t_grant(t, &t->admin, "g", "bob", "\"Encrypt\"", "");
    bob = (t_who){.spki = CM_VIEW(here)};
    (void)snprintf(bob.tenant, sizeof bob.tenant, "acme");
    (void)t_ok(t, &bob, "POST", "/v1/tenants/~/keys/s:encrypt", "{}");
    bob = t_who_new(t, "acme");
    bob.spki = CM_VIEW(here);
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/s:encrypt", "{}", CM_SVC_UNAUTHENTIC);
    t_who_done(&bob);
    t_svc_done(t);
}

/* V-26, V-27, V-15, V-63: what the system may, and what is left of a person. */
static void test_system(void **state)
{
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob"), local = {.local = true};
    t_answer a;

    (void)state;
    (void)snprintf(local.tenant, sizeof local.tenant, "acme");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k", "{\"type\":\"AES-256\"}");
    t_fails(t, &local, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_DENIED);
    t_fails(t, &local, "GET", "/v1/tenants/~/keys/k", NULL, CM_SVC_DENIED);
    t_fails(t, &t->admin, "PATCH", "/v1/tenants/~", "{\"rate\":5}", CM_SVC_DENIED);
    (void)t_ok(t, &local, "PATCH", "/v1/tenants/~", "{\"suspended\":true}");
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_DISABLED);
    (void)t_ok(t, &local, "PATCH", "/v1/tenants/~", "{\"suspended\":false}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/k:encrypt", "{}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~:erasePersonalData", "{\"principal\":\"bob\"}");
    t_fails(t, &bob, "POST", "/v1/tenants/~/keys/k:encrypt", "{}", CM_SVC_UNAUTHENTIC);
    t_fails(t, &t->admin, "GET", "/v1/tenants/~/principals/bob", NULL, CM_SVC_NO_PRINCIPAL);
    a = t_ask(t, &t->admin, "GET", "/v1/tenants/~/log/entries?count=1000", NULL);
    assert_true(cm_ok(a.result));
    assert_null(memmem(a.json.p, a.json.n, "bob", 3));
    assert_null(memmem(a.json.p, a.json.n, "\"system\"", 8)); /* V-63 */
    t_answer_free(&a);
    t_who_done(&bob);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),       cmocka_unit_test(test_signs),
        cmocka_unit_test(test_encrypts),        cmocka_unit_test(test_cross_tenant),
        cmocka_unit_test(test_names_are_typed), cmocka_unit_test(test_defects),
        cmocka_unit_test(test_rules),           cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_system),          cmocka_unit_test(test_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
