/* The configuration: what is taken, what is refused and where, what the table tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/json.h"
#include "run/config.h"

static const char good[] = "data: /var/lib/casemate\n"
                           "store:\n"
                           "  cache: 64MiB\n"
                           "listeners:\n"
                           "  - address: 0.0.0.0:8443\n"
                           "    certificates:\n"
                           "      - certificate: tls/pq.crt\n"
                           "        key: /etc/tls/pq.key\n"
                           "      - {certificate: p256.crt, key: p256.key}\n"
                           "  - address: unix:/run/x.sock\n"
                           "    tls: off\n"
                           "limits:\n"
                           "  idle_time: 5m\n"
                           "rotation: {model: 30d}\n"
                           "log:\n"
                           "  level: debug\n";

static cm_config *must_read(const char *text)
{
    cm_config_faults f = {.n = 0};
    cm_config *c = NULL;
    cm_err e = cm_config_read(&c, cm_view_str(text), "/etc/casemate/kmsd.yaml", &f);

    if (cm_failed(e))
        fail_msg("%s: %s %s", cm_err_name(e), f.v[0].key, f.v[0].what);
    return c;
}

static void test_reads(void **state)
{
    cm_config *c = must_read(good);
    const cm_config_values *v = cm_config_of(c);

    (void)state;
    assert_string_equal(v->data, "/var/lib/casemate");
    assert_int_equal(v->store.cache, 64 << 20);
    assert_int_equal(v->listeners_n, 2);
    assert_string_equal(v->listeners[0].address, "0.0.0.0:8443");
    assert_int_equal(v->listeners[0].certificates_n, 2);
    assert_string_equal(v->listeners[0].certificates[0].certificate, "/etc/casemate/tls/pq.crt");
    assert_string_equal(v->listeners[0].certificates[0].key, "/etc/tls/pq.key");
    assert_string_equal(v->listeners[0].certificates[1].key, "/etc/casemate/p256.key");
    assert_int_equal(v->listeners[0].tls, CM_CONFIG_TLS_HYBRID);
    assert_int_equal(v->listeners[1].tls, CM_CONFIG_TLS_OFF);
    assert_int_equal(v->limits.idle_time, 300000);
    assert_int_equal(v->limits.connections, 20000);
    assert_int_equal(v->rotation.model, 30ULL * 86400000);
    assert_int_equal(v->rotation.kek, 365ULL * 86400000);
    assert_int_equal(v->log.level, 0);
    assert_true(v->sandbox);
    assert_null(v->store.postgres);
    cm_config_free(c);
}

struct bad {
    const char *text;
    cm_reason reason;
    unsigned line, column;
    const char *says, *hint;
};

#define L "listeners: [{address: '127.0.0.1:1', tls: off}]\n"

static const struct bad bads[] = {
    {"data: /d\n" L "limits:\n  conections: 5\n", CM_CONFIG_KEY, 4, 3, "no such key",
     "did you mean `connections`?"},
    {"data: /d\n" L "idle_time: 5s\n", CM_CONFIG_KEY, 3, 1, "no such key",
     "did you mean `limits.idle_time`?"},
    {"data: /d\n" L "limits: {connections: 5}\n", CM_CONFIG_VALUE, 3, 23, "from 16 to 1000000", ""},
    {"data: /d\n" L "limits: {connections: 020}\n", CM_CONFIG_VALUE, 3, 23, "number", ""},
    {"data: /d\n" L "limits: {idle_time: 5}\n", CM_CONFIG_VALUE, 3, 21, "time from 1s", ""},
    {"data: /d\n" L "limits: {idle_time: 99999999999999999999d}\n", CM_CONFIG_VALUE, 3, 21, "time",
     ""},
    {"data: /d\n" L "log: {level: loud}\n", CM_CONFIG_VALUE, 3, 14, "debug, info, warning, error",
     ""},
    {"data: /d\n" L "sandbox: yes\n", CM_CONFIG_VALUE, 3, 10, "true or false", ""},
    {"data: /d\n" L "data: /e\n", CM_CONFIG_KEY, 3, 1, "twice", ""},
    {"data: &a /d\n" L, CM_CONFIG_SYNTAX, 1, 7, "anchors", ""},
    {"data: !!str /d\n" L, CM_CONFIG_SYNTAX, 1, 7, "tags", ""},
    {"data: *a\n" L, CM_CONFIG_SYNTAX, 1, 7, "aliases", ""},
    {"%YAML 1.1\n---\ndata: /d\n" L, CM_CONFIG_SYNTAX, 1, 1, "directives", ""},
    {"data: /d\n" L "---\ndata: /d\n", CM_CONFIG_SYNTAX, 3, 1, "second document", ""},
    {"data: [/d]\n" L, CM_CONFIG_VALUE, 1, 7, "one value", ""},
    {"data:\n" L, CM_CONFIG_VALUE, 1, 6, "no value", ""},
    {"data: /d\nlisteners: 5\n", CM_CONFIG_VALUE, 2, 12, "keys below it", ""},
    {"data: /d\nlisteners: []\n", CM_CONFIG_VALUE, 1, 1, "there is none", ""},
    {"data: /d\nlisteners: [{tls: off}]\n", CM_CONFIG_VALUE, 2, 1, "is missing", ""},
    {"data: /d\nlisteners: [{address: '0.0.0.0:1', tls: off}]\n", CM_CONFIG_VALUE, 2, 1, "loopback",
     ""},
    {"data: /d\nlisteners: [{address: '0.0.0.0:1'}]\n", CM_CONFIG_VALUE, 2, 1, "no certificate",
     ""},
    {L, CM_CONFIG_VALUE, 1, 1, "is missing", ""},
    {"data: {a: 1\n", CM_CONFIG_SYNTAX, 2, 1, "", ""},
    {"[1, 2]\n", CM_CONFIG_SYNTAX, 1, 1, "no keys", ""},
    {"", CM_CONFIG_SYNTAX, 1, 1, "no keys", ""},
    {"data: /d\n" L "? [a]\n: b\n", CM_CONFIG_SYNTAX, 3, 3, "plain text", ""},
    {"data: \"/d\\0\"\n" L, CM_CONFIG_SYNTAX, 1, 7, "NUL", ""},
    {"data: \"/d\\e\"\n" L, CM_CONFIG_VALUE, 1, 7, "characters", ""},
    {"data: /d\n" L "store: {sqlite: a, postgres: b}\n", CM_CONFIG_VALUE, 3, 1, "both", ""},
    {"data: /d\n" L "kms: {base: other}\n", CM_CONFIG_VALUE, 3, 13, "lux-kms", "*"},
    {"data: /d\n" L "kms: {lux: {provider: google-cloud-kms}}\n", CM_CONFIG_VALUE, 3, 23,
     "software", "*"},
    {"data: /d\n" L "kms: {hanzo: {model_encryption: {key_rotation_days: 9}}}\n"
     "rotation: {model: 9d}\n",
     CM_CONFIG_KEY, 4, 12, "its other name", ""},
    {"data: /d\n" L "a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n", CM_CONFIG_LIMIT, 3, 32,
     "deeper", ""},
};

static void test_refuses(void **state)
{
    bool bad = false;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bads); i++) {
        const struct bad *b = &bads[i];
        cm_config *c = (cm_config *)(uintptr_t)1;
        cm_config_faults f = {.n = 0};
        cm_err e = cm_config_read(&c, cm_view_str(b->text), "k.yaml", &f);

        if (!cm_is(e, b->reason) || f.n == 0 || f.v[0].line != b->line ||
            f.v[0].column != b->column || !strstr(f.v[0].what, b->says) ||
            (b->hint[0] != '*' && strcmp(f.v[0].hint, b->hint) != 0))
            print_message("%zu: %s at %u:%u: %s; %s\n%s", i, cm_err_name(e), f.v[0].line,
                          f.v[0].column, f.v[0].what, f.v[0].hint, b->text),
                bad = true;
        assert_ptr_equal(c, (void *)1);
    }
    assert_false(bad);
}

static void test_every_cut_ends_well(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        cm_config_faults f = {.n = 0};
        cm_config *c = NULL;

        if (cm_ok(cm_config_read(&c, cm_view_of(good, n), "k", &f)))
            cm_config_free(c);
        else
            assert_true(f.n > 0);
    }
}

static void test_shows_place(void **state)
{
    static const char text[] = "data: /d\n" L "limits:\n\tconections: 5\n";
    static const char text2[] = "data: /d\n" L "limits:\n  conections: 5\n";
    cm_buf out = {.max = 4096};
    cm_config_faults f = {.n = 0};
    cm_config *c = NULL;

    (void)state;
    assert_true(cm_failed(cm_config_read(&c, cm_view_str(text), "k.yaml", &f)));
    assert_true(cm_failed(cm_config_read(&c, cm_view_str(text2), "k.yaml", &f)));
    assert_true(cm_ok(cm_config_fault_write(&out, &f.v[0], "k.yaml", cm_view_str(text2))));
    assert_true(cm_ok(cm_buf_byte(&out, 0)));
    assert_string_equal((char *)out.p,
                        "k.yaml:4:3: limits.conections: there is no such key; did you mean "
                        "`connections`?\n"
                        "      conections: 5\n"
                        "      ^\n");
    cm_buf_free(&out);
}

static void test_warns_of_legacy(void **state)
{
    cm_config_faults f = {.n = 0};
    cm_config *c = NULL;

    (void)state;
    assert_true(cm_ok(
        cm_config_read(&c,
                       cm_view_str("data: /d\nlisteners:\n - address: 0.0.0.0:1\n   tls: legacy\n"
                                   "   certificates: [{certificate: a, key: b}]\n"),
                       "k", &f)));
    assert_int_equal(f.n, 1);
    assert_true(f.v[0].warning);
    assert_int_equal(f.v[0].line, 4);
    cm_config_free(c);
}

static void test_seed_keys(void **state)
{
    cm_config *c = must_read("data: /d\n" L "kms:\n"
                             "  base: lux-kms\n"
                             "  hanzo:\n"
                             "    model_encryption:\n"
                             "      algorithm: AES-256-GCM\n"
                             "      key_rotation_days: 45\n"
                             "    key_isolation: {per_model: true}\n");

    (void)state;
    assert_int_equal(cm_config_of(c)->rotation.model, 45ULL * 86400000);
    cm_config_free(c);
}

static void test_explains(void **state)
{
    cm_config *c = must_read(good);
    cm_buf out = {.max = 1 << 20};

    (void)state;
    assert_true(cm_ok(cm_config_explain(&out, c)));
    assert_true(cm_ok(cm_buf_byte(&out, 0)));
    assert_non_null(strstr((char *)out.p, "listeners[1].address"));
    assert_non_null(strstr((char *)out.p, "64MiB                        # line 3\n"));
    assert_non_null(strstr((char *)out.p, "20000                        # default\n"));
    cm_buf_free(&out);
    cm_config_free(c);
}

static void test_diff(void **state)
{
    cm_config *a = must_read("data: /d\n" L "log: {level: info}\n");
    cm_config *b = must_read("data: /d\n" L "log: {level: debug}\n");
    cm_config *d = must_read("data: /e\n" L);
    cm_buf out = {.max = 1 << 16};
    bool restart = true;

    (void)state;
    assert_true(cm_ok(cm_config_diff(&out, a, b, &restart)));
    assert_true(cm_ok(cm_buf_byte(&out, 0)));
    assert_string_equal((char *)out.p, "log.level: info -> debug\n");
    assert_false(restart);
    cm_buf_free(&out);
    assert_true(cm_ok(cm_config_diff(&out, a, d, &restart)));
    assert_true(cm_ok(cm_buf_byte(&out, 0)));
    assert_string_equal((char *)out.p, "data: /d -> /e (after a restart)\n");
    assert_true(restart);
    cm_buf_free(&out);
    cm_config_free(a);
    cm_config_free(b);
    cm_config_free(d);
}

static void test_schema_is_json(void **state)
{
    cm_buf out = {.max = 1 << 20};
    cm_json *j = NULL;
    const cm_json_node *n;

    (void)state;
    assert_true(cm_ok(cm_config_schema(&out)));
    assert_true(cm_ok(cm_json_parse(&j, cm_view_of(out.p, out.n - 1), NULL, NULL)));
    n = cm_json_get(cm_json_get(cm_json_root(j), "properties"), "listeners");
    n = cm_json_get(cm_json_get(cm_json_get(n, "items"), "properties"), "certificates");
    n = cm_json_get(cm_json_get(cm_json_get(n, "items"), "properties"), "key");
    assert_non_null(n);
    n = cm_json_get(cm_json_get(cm_json_root(j), "properties"), "rotation");
    assert_non_null(cm_json_get(cm_json_get(n, "properties"), "api_grace"));
    cm_json_free(j);
    cm_buf_free(&out);
    assert_true(cm_ok(cm_config_markdown(&out)));
    cm_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_shows_place),
        cmocka_unit_test(test_warns_of_legacy),
        cmocka_unit_test(test_seed_keys),
        cmocka_unit_test(test_explains),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_schema_is_json),
        cmocka_unit_test(test_every_cut_ends_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
