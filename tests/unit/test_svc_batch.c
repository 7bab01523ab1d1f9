/* Batches: each item its own result, one decision, one leaf, every item charged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "codec/text.h"
#include "svc_kit.h"

#define KEY   "/v1/tenants/~/keys/"
#define DATA  "aGVsbG8="
#define OTHER "aGVsbG9v"

enum { BODY = 1 << 20 };

/* {"operation":..,"items":[item n times]} in a buffer of the caller's. */
static const char *batch(char *body, const char *operation, const char *item, unsigned n)
{
    size_t at = (size_t)snprintf(body, BODY, "{\"operation\":\"%s\",\"items\":[", operation);

    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(body + at, BODY - at, "%s{%s}", i ? "," : "", item);
    (void)snprintf(body + at, BODY - at, "]}");
    return body;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

/* The text of a member of number i in a list. */
static const char *listed(const char *json, const char *list, unsigned i, const char *name)
{
    static char part[8192];
    const char *p = strchr(strstr(json, list), '{'), *end;

    for (; i > 0; i--)
        p = strchr(p + 1, '{');
    end = strchr(p, '}');
    (void)snprintf(part, sizeof part, "%.*s", (int)(end + 1 - p), p);
    return t_member(part, name);
}

static const char *result(const char *json, unsigned i, const char *name)
{
    return listed(json, "\"results\"", i, name);
}

/* What the log says of the newest leaf. */
static const char *newest_entry(t_svc *t)
{
    return t_ok(t, &t->admin, "GET",
                t_f("/v1/tenants/~/log/entries?from=%llu", (unsigned long long)(t_log_size(t) - 1)),
                NULL);
}

static void test_each_operation(void **state)
{
    t_svc *t = t_svc_new();
    char *body = malloc(BODY), one[4096], other[4096];
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "s", "{\"type\":\"ML-DSA-44\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "e", "{\"type\":\"AES-256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "m", "{\"type\":\"HMAC-SHA256\"}");
    (void)t_ok(t, &t->admin, "POST", KEY "k", "{\"type\":\"ML-KEM-768\"}");

    json =
        t_ok(t, &t->admin, "POST", KEY "s:batch", batch(body, "sign", "\"data\":\"" DATA "\"", 2));
    (void)snprintf(one, sizeof one, "%s", result(json, 0, "data"));
    (void)snprintf(other, sizeof other, "%s", result(json, 1, "data"));
    assert_true(strlen(one) > 3000 && strlen(other) > 3000);
    assert_string_not_equal(one, other);
    (void)snprintf(body, BODY,
                   "{\"operation\":\"verify\",\"items\":[{\"data\":\"" DATA
                   "\",\"signature\":\"%s\"},{\"data\":\"" OTHER
                   "\",\"signature\":\"%s\"},{\"data\":\"" DATA "\",\"signature\":\"%s\"}]}",
                   one, one, other);
    json = t_ok(t, &t->admin, "POST", KEY "s:batch", body);
    assert_string_equal(result(json, 0, "valid"), "true");
    assert_string_equal(result(json, 1, "valid"), "false");
    assert_string_equal(result(json, 2, "valid"), "true");

    json = t_ok(t, &t->admin, "POST", KEY "e:batch",
                batch(body, "encrypt", "\"data\":\"" DATA "\",\"context\":\"eA==\"", 3));
    (void)snprintf(one, sizeof one, "%s", result(json, 1, "data"));
    json = t_ok(t, &t->admin, "POST", KEY "e:decrypt",
                t_f("{\"ciphertext\":\"%s\",\"aad\":\"eA==\"}", one));
    assert_string_equal(t_member(json, "plaintext"), DATA);

    json = t_ok(t, &t->admin, "POST", KEY "m:mac", "{\"data\":\"" DATA "\"}");
    (void)snprintf(one, sizeof one, "%s", t_member(json, "mac"));
    json =
        t_ok(t, &t->admin, "POST", KEY "m:batch", batch(body, "mac", "\"data\":\"" DATA "\"", 2));
    assert_string_equal(result(json, 1, "data"), one);

    json = t_ok(t, &t->admin, "POST", KEY "k:encapsulate", "{}");
    (void)snprintf(one, sizeof one, "\"data\":\"%s\"", t_member(json, "ciphertext"));
    (void)snprintf(other, sizeof other, "%s", t_member(json, "shared_secret"));
    json = t_ok(t, &t->admin, "POST", KEY "k:batch", batch(body, "decapsulate", one, 128));
    assert_int_equal(count(json, other), 128);
    free(body);
    t_svc_done(t);
}

/* V-72 */
static void test_one_bad_item(void **state)
{
    t_svc *t = t_svc_new();
    char *body = malloc(BODY), first[512], second[512];
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "e", "{\"type\":\"AES-256\"}");
    json = t_ok(t, &t->admin, "POST", KEY "e:encrypt", "{\"plaintext\":\"" DATA "\"}");
    (void)snprintf(first, sizeof first, "%s", t_member(json, "ciphertext"));
    (void)t_ok(t, &t->admin, "POST", KEY "e:rotate", "{}");
    json = t_ok(t, &t->admin, "POST", KEY "e:encrypt", "{\"plaintext\":\"" OTHER "\"}");
    (void)snprintf(second, sizeof second, "%s", t_member(json, "ciphertext"));
    (void)snprintf(body, BODY,
                   "{\"operation\":\"decrypt\",\"items\":[{\"data\":\"%s\"},{\"data\":\"AAAA\"},"
                   "{\"data\":\"%s\",\"context\":\"eA==\"},{\"data\":\"%s\"}]}",
                   first, first, second);
    json = t_ok(t, &t->admin, "POST", KEY "e:batch", body);
    assert_string_equal(result(json, 0, "data"), DATA);
    assert_string_equal(result(json, 0, "version"), "1");
    assert_string_equal(result(json, 1, "error"), "SVC_CIPHERTEXT");
    assert_string_equal(result(json, 1, "data"), "");
    assert_string_equal(result(json, 2, "error"), "SVC_CIPHERTEXT");
    assert_string_equal(result(json, 3, "data"), OTHER);
    assert_string_equal(result(json, 3, "version"), "2");

    /* A version that may not decrypt any more is the item's own misfortune, too. */
    (void)t_ok(t, &t->admin, "PATCH", KEY "e", "{\"min_decrypt_version\":2}");
    json = t_ok(t, &t->admin, "POST", KEY "e:batch", body);
    assert_string_equal(result(json, 0, "error"), "SVC_MIN_VERSION");
    assert_string_equal(result(json, 3, "data"), OTHER);

    /* What is the server's fault is nobody's item. */
    t->hollow = true;
    t_fails(t, &t->admin, "POST", KEY "e:batch", batch(body, "encrypt", "\"data\":\"" DATA "\"", 2),
            CM_CRYPT_PROVIDER);
    t->hollow = false;
    free(body);
    t_svc_done(t);
}

static void test_forms(void **state)
{
    static const char *const bad[] = {
        "{\"operation\":\"encrypt\",\"items\":[]}",
        "{\"operation\":\"encrypt\"}",
        "{\"items\":[{\"data\":\"" DATA "\"}]}",
        "{\"operation\":\"no_operation\",\"items\":[{\"data\":\"" DATA "\"}]}",
        "{\"operation\":\"encrypt\",\"items\":[{\"data\":\"" DATA "\",\"form\":\"mu\"}]}",
        "{\"operation\":\"encrypt\",\"items\":[{\"data\":\"" DATA "\",\"signature\":\"AA==\"}]}",
        "{\"operation\":\"mac\",\"items\":[{\"data\":\"" DATA "\",\"context\":\"AA==\"}]}",
        "{\"operation\":\"verify\",\"items\":[{\"data\":\"" DATA "\"}]}",
        "{\"operation\":\"decrypt\",\"items\":[{}]}",
        "{\"operation\":\"decrypt\",\"version\":1,\"items\":[{\"data\":\"" DATA "\"}]}",
    };
    t_svc *t = t_svc_new();
    char *body = malloc(BODY);

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "e", "{\"type\":\"AES-256\"}");
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        t_fails(t, &t->admin, "POST", KEY "e:batch", bad[i], CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "e:batch",
            batch(body, "encrypt", "\"data\":\"" DATA "\"", 129), CM_SVC_REQUEST);
    t_fails(t, &t->admin, "POST", KEY "e:batch", batch(body, "sign", "\"data\":\"" DATA "\"", 2),
            CM_SVC_KEY_KIND);
    t_fails(t, &t->admin, "POST", KEY "none:batch",
            batch(body, "encrypt", "\"data\":\"" DATA "\"", 2), CM_SVC_NO_KEY);
    free(body);
    t_svc_done(t);
}

/* V-70 */
static void test_decided_as_the_operation(void **state)
{
    t_svc *t = t_svc_new();
    t_who app = t_principal(t, &t->admin, "acme", "app");
    char *body = malloc(BODY);
    const char *three, *two;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "e", "{\"type\":\"AES-256\",\"daily_budget\":5}");
    (void)batch(body, "encrypt", "\"data\":\"" DATA "\"", 2);
    t_fails(t, &app, "POST", KEY "e:batch", body, CM_SVC_DENIED);
    t_grant(t, &t->admin, "name", "app", "\"Batch\"", "");
    t_fails(t, &app, "POST", KEY "e:batch", body, CM_SVC_DENIED);
    t_grant(t, &t->admin, "dec", "app", "\"Decrypt\"", "");
    t_fails(t, &app, "POST", KEY "e:batch", body, CM_SVC_DENIED);
    t_grant(t, &t->admin, "enc", "app", "\"Encrypt\"", "");
    (void)t_ok(t, &app, "POST", KEY "e:batch", body);

    /* Another tenant's key, and another tenant's principal. */
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants", "{\"name\":\"beta\"}");
    t_fails(t, &app, "POST", "/v1/tenants/beta/keys/e:batch", body, CM_SVC_UNAUTHENTIC);

    /* Five decryptions a day: a batch of three, not another of three, and two. */
    three = t_f("\"data\":\"%s\"",
                t_member(t_ok(t, &app, "POST", KEY "e:encrypt", "{}"), "ciphertext"));
    two = t_f("%s", three);
    (void)t_ok(t, &app, "POST", KEY "e:batch", batch(body, "decrypt", three, 3));
    t_fails(t, &app, "POST", KEY "e:batch", batch(body, "decrypt", three, 3), CM_SVC_BUDGET);
    (void)t_ok(t, &app, "POST", KEY "e:batch", batch(body, "decrypt", two, 2));
    t_fails(t, &app, "POST", KEY "e:batch", batch(body, "decrypt", two, 1), CM_SVC_BUDGET);
    t_who_done(&app);
    free(body);
    t_svc_done(t);
}

/* V-70: rates. A key that lets 64 a second through. */
static void test_rates_count_items(void **state)
{
    t_svc *t = t_svc_new();
    char *body = malloc(BODY);

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "e", "{\"type\":\"AES-256\",\"rate\":64}");
    t_fails(t, &t->admin, "POST", KEY "e:batch",
            batch(body, "encrypt", "\"data\":\"" DATA "\"", 65), CM_SVC_BATCH);
    (void)batch(body, "encrypt", "\"data\":\"" DATA "\"", 40);
    (void)t_ok(t, &t->admin, "POST", KEY "e:batch", body);
    t_fails(t, &t->admin, "POST", KEY "e:batch", body, CM_SVC_RATE);
    t->now_ms += 1000;
    (void)t_ok(t, &t->admin, "POST", KEY "e:batch", body);
    free(body);
    t_svc_done(t);
}

/* V-71 */
static void test_one_leaf_binds_all(void **state)
{
    static const char label[] = "casemate/batch/v1";
    t_svc *t = t_svc_new();
    CM_AUTO(cm_buf_free) cm_buf all = {.max = 1024};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 1024};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    char *body = malloc(BODY);
    uint8_t part[36] = {0}, hash[32];
    uint64_t before;
    const char *json;

    (void)state;
    (void)t_ok(t, &t->admin, "POST", KEY "m", "{\"type\":\"HMAC-SHA256\"}");
    before = t_log_size(t);
    json =
        t_ok(t, &t->admin, "POST", KEY "m:batch", batch(body, "mac", "\"data\":\"" DATA "\"", 2));
    assert_int_equal(t_log_size(t), before + 1);
    assert_true(cm_ok(cm_buf_append(&all, CM_VIEW(label))));
    assert_true(cm_ok(cm_buf_append(&all, cm_view_of("\0\0\0\2", 4))));
    for (unsigned i = 0; i < 2; i++) {
        cm_buf_free(&raw);
        raw.max = 1024;
        assert_true(cm_ok(cm_base64_decode(&raw, cm_view_str(result(json, i, "data")), false)));
        assert_true(cm_ok(cm_hash_once(t->crypt, CM_SHA256, part + 4, cm_buf_view(&raw))));
        assert_true(cm_ok(cm_buf_append(&all, CM_VIEW(part))));
    }
    assert_true(cm_ok(cm_hash_once(t->crypt, CM_SHA256, hash, cm_buf_view(&all))));
    json = newest_entry(t);
    assert_string_equal(listed(json, "\"entries\"", 0, "operation"), "Mac/2");
    assert_true(cm_ok(
        cm_base64_decode(&text, cm_view_str(listed(json, "\"entries\"", 0, "entry")), false)));
    assert_non_null(memmem(text.p, text.n, hash, sizeof hash));
    free(body);
    t_svc_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_operation),
        cmocka_unit_test(test_one_bad_item),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_decided_as_the_operation),
        cmocka_unit_test(test_rates_count_items),
        cmocka_unit_test(test_one_leaf_binds_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
