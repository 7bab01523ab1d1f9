/* What went wrong in other key servers, each as a test by its name: empty signatures, 32 zero bytes
 * for a key, decrypting across tenants, verifying that makes keys, plaintext keys written back,
 * wildcards that match too much. A chain that can be rebuilt: test_audit_tamper.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svc_kit.h"

#define KEY "/v1/tenants/~/keys/"
#define CT  "AQAAAAAAAAABAAAA"

/* V-33: a holder of keys that says "done" and gives nothing. */
static void test_empty_is_no_success(void **state)
{
    static const struct {
        const char *path, *body;
    } asks[] = {
        {"s:sign", "{\"data\":\"eA==\"}"},
        {"a:encrypt", "{}"},
        {"a:wrap", "{\"plain\":\"c2VjcmV0c2VjcmV0c2VjcmV0\"}"},
        {"a:generateDataKey", "{}"},
        {"h:mac", "{\"data\":\"eA==\"}"},
        {"x:encapsulate", "{}"},
        {"1:signThreshold", "{}"},
        {"1:aggregateThreshold", "{\"commitments\":\"eA==\",\"shares\":\"eA==\"}"},
        {"new", "{\"type\":\"ML-DSA-65\"}"},
        {"s:rotate", NULL},
        {"in:import", "{\"type\":\"AES-256\",\"secret\":\"eA==\"}"},
    };
    t_svc *t = t_svc_new();
    const char *wrapped;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "s", "{\"type\":\"ML-DSA-65\",\"exportable\":true}");
    (void)t_ok(t, &t->admin, "POST", KEY "a", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "h", "{\"type\":\"HMAC-SHA256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "x", "{\"type\":\"X-Wing\"}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keyspaces/default:dealThreshold",
               "{\"type\":\"FROST-Ed25519\",\"threshold\":2,\"participants\":2}");
    wrapped = t_f("{\"wrapped\":\"%s\"}",
                  t_member(t_ok(t, &t->admin, "POST", KEY "a:generateDataKey", "{}"), "wrapped"));
    t->hollow = true;
    for (size_t i = 0; i < CM_COUNT(asks); i++) {
        t_answer a = t_ask(t, &t->admin, "POST", t_f(KEY "%s", asks[i].path), asks[i].body);

        if (!cm_failed(a.result))
            fail_msg("%s was answered as success", asks[i].path);
        t_answer_free(&a);
    }
    t_fails(t, &t->admin, "POST", KEY "a:unwrap", wrapped, CM_CRYPT_PROVIDER);
    t_fails(t, &t->admin, "POST", "/v1/tenants/~:random", "{}", CM_CRYPT_PROVIDER);
    t->hollow = false;
    t_fails(t, &t->admin, "GET", KEY "new", NULL, CM_SVC_NO_KEY);
    assert_int_equal(t_number(t_ok(t, &t->admin, "GET", KEY "s", NULL), "version"), 1);
    (void)t_ok(t, &t->admin, "POST", KEY "a:unwrap", wrapped);
    t_svc_done(t);
}

static void test_no_zero_keys(void **state)
{
    static const char zeros[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    t_svc *t = t_svc_new();
    char before[64] = "";

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "a", "{\"type\":\"AES-256\"}");
    for (int i = 0; i < 8; i++) {
        const char *json = t_ok(t, &t->admin, "POST", KEY "a:generateDataKey", "{}");
        const char *plain = t_member(json, "plain");

        assert_string_not_equal(plain, zeros);
        assert_string_not_equal(plain, before);
        assert_true(strlen(t_member(json, "wrapped")) > strlen(plain) + 60);
        (void)snprintf(before, sizeof before, "%s", plain);
        json = t_ok(t, &t->admin, "POST", KEY "a:unwrap",
                    t_f("{\"wrapped\":\"%s\"}", t_member(json, "wrapped")));
        assert_string_equal(t_member(json, "plain"), before);
    }
    t_svc_done(t);
}

/* V-6: neither with the other's principal nor with a key of one's own of the same name. */
static void test_no_cross_tenant_decrypt(void **state)
{
    t_svc *t = t_svc_new();
    t_who beta = t->admin, bob;
    char ct[512], wrapped[1024];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    (void)snprintf(beta.tenant, sizeof beta.tenant, "beta");
    bob = t_principal(t, &beta, "beta", "bob");
    t_grant(t, &beta, "all", "bob", "\"*\"", "");
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &bob, "POST", KEY "k", "{\"type\":\"AES-256\"}");
    (void)snprintf(ct, sizeof ct, "{\"ciphertext\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k:encrypt", "{}"), "ciphertext"));
    (void)snprintf(wrapped, sizeof wrapped, "{\"wrapped\":\"%s\"}",
                   t_member(t_ok(t, &t->admin, "POST", KEY "k:generateDataKey", "{}"), "wrapped"));
    t_fails(t, &bob, "POST", KEY "k:decrypt", ct, CM_SVC_CIPHERTEXT);
    t_fails(t, &bob, "POST", KEY "k:unwrap", wrapped, CM_SVC_CIPHERTEXT);
    (void)snprintf(bob.tenant, sizeof bob.tenant, "acme");
    t_fails(t, &bob, "POST", KEY "k:decrypt", ct, CM_SVC_UNAUTHENTIC);
    t_fails(t, &bob, "POST", KEY "k:unwrap", wrapped, CM_SVC_UNAUTHENTIC);
    (void)t_ok(t, &t->admin, "POST", KEY "k:decrypt", ct);
    t_who_done(&bob);
    t_svc_done(t);
}

/* V-30: whatever uses a key of a name that is none fails, asks the key holder nothing, and leaves
 * no key behind. */
static void test_use_makes_no_keys(void **state)
{
    static const struct {
        const char *path, *body;
    } uses[] = {
        {"n:verify", "{\"data\":\"eA==\",\"signature\":\"eA==\"}"},
        {"n:sign", "{\"data\":\"eA==\"}"},
        {"n:encrypt", "{}"},
        {"n:decrypt", "{\"ciphertext\":\"" CT "\"}"},
        {"n:encapsulate", "{}"},
        {"n:decapsulate", "{\"ciphertext\":\"" CT "\"}"},
        {"n:generateDataKey", "{}"},
        {"n:wrap", "{\"plain\":\"eA==\"}"},
        {"n:unwrap", "{\"wrapped\":\"" CT "\"}"},
        {"n:rewrap", "{\"wrapped\":\"" CT "\"}"},
        {"n:mac", "{\"data\":\"eA==\"}"},
        {"n:verifyMac", "{\"data\":\"eA==\",\"mac\":\"eA==\"}"},
        {"n:signThreshold", "{}"},
        {"n:aggregateThreshold", "{\"commitments\":\"eA==\",\"shares\":\"eA==\"}"},
        {"n:exportWrapped", "{\"recipient\":\"eA==\"}"},
        {"n:rotate", NULL},
        {"n:attest", NULL},
    };
    t_svc *t = t_svc_new();
    size_t before = t->keyops;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(uses); i++)
        t_fails(t, &t->admin, "POST", t_f(KEY "%s", uses[i].path), uses[i].body, CM_SVC_NO_KEY);
    assert_int_equal(t->keyops, before);
    t_fails(t, &t->admin, "GET", KEY "n", NULL, CM_SVC_NO_KEY);
    t_svc_done(t);
}

/* Every change of a record whose key is known: t_ok() searches the database after each. */
static void test_nothing_is_written_back(void **state)
{
    static const char secret[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    t_svc *t = t_svc_new();

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k:import",
               t_f("{\"type\":\"AES-256\",\"secret\":\"%s\"}", secret));
    (void)t_ok(t, &t->admin, "POST", KEY "k:encrypt", "{}");
    (void)t_ok(t, &t->admin, "PATCH", KEY "k", "{\"tags\":[\"t\"],\"rotation_days\":9}");
    (void)t_ok(t, &t->admin, "POST", KEY "k:wrap", t_f("{\"plain\":\"%s\"}", secret));
    (void)t_ok(t, &t->admin, "POST", KEY "k:rotate", NULL);
    (void)t_ok(t, &t->admin, "POST", KEY "k:setState", "{\"state\":\"suspended\",\"version\":2}");
    (void)t_ok(t, &t->admin, "POST", KEY "k:setState", "{\"state\":\"active\",\"version\":2}");
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~:rotateKek", NULL);
    (void)t_ok(t, &t->admin, "POST", "/v1/system:rotateRoot", NULL);
    (void)t_ok(t, &t->admin, "POST", KEY "k:scheduleDestruction", "{}");
    (void)t_ok(t, &t->admin, "POST", KEY "k:cancelDestruction", NULL);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "GET", KEY "k", NULL);
    t_svc_done(t);
}

/* V-23 through the interface: a star within a name is a star. */
static void test_wildcards_match_no_more(void **state)
{
    t_svc *t = t_svc_new();
    t_who bob = t_principal(t, &t->admin, "acme", "bob");

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "k?keyspace=prod-eu", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "k?keyspace=prod*", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "k?keyspace=*", "{\"type\":\"AES-256\"}");
    t_grant(t, &t->admin, "a", "bob", "\"Encrypt\"", ",\"resource_keyspace\":\"prod*\"");
    t_grant(t, &t->admin, "b", "b*", "\"Decrypt\"", "");
    t_fails(t, &t->admin, "PUT", "/v1/tenants/~/grants/c",
            "{\"principals\":[\"bob\"],\"actions\":[\"Enc*\"]}", CM_SVC_GRANT_FORM);
    t_grant(t, &t->admin, "d", "bob", "\"Mac\"", ",\"resource_keyspace\":\"*\"");
    (void)t_ok(t, &bob, "POST", KEY "k:encrypt?keyspace=prod*", "{}");
    t_fails(t, &bob, "POST", KEY "k:encrypt?keyspace=prod-eu", "{}", CM_SVC_DENIED);
    t_fails(t, &bob, "POST", KEY "k:encrypt?keyspace=*", "{}", CM_SVC_DENIED);
    t_fails(t, &bob, "POST", KEY "k:decrypt?keyspace=prod*", "{\"ciphertext\":\"" CT "\"}",
            CM_SVC_DENIED);
    t_fails(t, &bob, "POST", KEY "k:mac?keyspace=prod-eu", "{\"data\":\"eA==\"}", CM_SVC_DENIED);
    t_fails(t, &t->admin, "POST", "/v1/tenants/~/principals", "{\"principal\":\"*\"}", CM_SVC_NAME);
    t_who_done(&bob);
    t_svc_done(t);
}

/* V-41: a model's releases of a day are counted over a restart. */
static void test_release_budget_lasts(void **state)
{
    static const char digest[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char path[] = "/v1/tenants/~/models/m/versions/1:%sWeights";
    t_svc *t = t_svc_new();
    char body[1024];

    (void)state;
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/models",
               "{\"model\":\"m\",\"daily_budget\":3}");
    (void)snprintf(body, sizeof body, "{\"digest\":\"%s\",\"wrapped\":\"%s\"}", digest,
                   t_member(t_ok(t, &t->admin, "POST", t_f(path, "encrypt"),
                                 t_f("{\"digest\":\"%s\"}", digest)),
                            "wrapped"));
    (void)t_ok(t, &t->admin, "POST", t_f(path, "decrypt"), body);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", t_f(path, "decrypt"), body);
    t_svc_restart(t);
    (void)t_ok(t, &t->admin, "POST", t_f(path, "decrypt"), body);
    t_fails(t, &t->admin, "POST", t_f(path, "decrypt"), body, CM_SVC_BUDGET);
    t_svc_restart(t);
    t_fails(t, &t->admin, "POST", t_f(path, "decrypt"), body, CM_SVC_BUDGET);
    t->now_ms += 86400000;
    (void)t_ok(t, &t->admin, "POST", t_f(path, "decrypt"), body);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_is_no_success),
        cmocka_unit_test(test_no_zero_keys),
        cmocka_unit_test(test_no_cross_tenant_decrypt),
        cmocka_unit_test(test_use_makes_no_keys),
        cmocka_unit_test(test_nothing_is_written_back),
        cmocka_unit_test(test_wildcards_match_no_more),
        cmocka_unit_test(test_release_budget_lasts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
