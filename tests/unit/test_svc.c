/* The service as a whole: tenants, principals, keys, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
    assert_string_equal(t_member(json, "valid"), "");
    t_svc_done(t);
}

static void test_encrypts(void **state)
{
    t_svc *t = t_svc_new();
    const char *json, *ct;

    (void)state;
    t_secret(t, CM_LIT("the plaintext of this test"));
    (void)t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e", "{\"type\":\"AES-256\"}");
    json = t_ok(t, &t->admin, "POST", "/v1/tenants/~/keys/e:encrypt",
                "{\"plaintext\":\"dGhlIHBsYWludGV4dCBvZiB0aGlzIHRlc3Q=\"}");
    ct = t_member(json, "ciphertext");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_encrypts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
