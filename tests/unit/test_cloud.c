/* Cloud key services without a network: signatures of requests against AWS's own test suite, the
 * checksum, configurations, answers that must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cloud/cloud_int.h"
#include "hsm/provider.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;

static int set_up(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int tear_down(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

/* ---- SigV4: get-vanilla, post-vanilla, get-vanilla-query-order-key-case, post-x-www-form-... --
 */

static void sigv4(void **state)
{
    const cm_http_header plain[] = {
        {CM_LIT("host"), CM_LIT("example.amazonaws.com")},
        {CM_LIT("x-amz-date"), CM_LIT("20150830T123600Z")},
    };
    const cm_http_header form[] = {
        {CM_LIT("content-type"), CM_LIT("application/x-www-form-urlencoded")},
        {CM_LIT("host"), CM_LIT("example.amazonaws.com")},
        {CM_LIT("x-amz-date"), CM_LIT("20150830T123600Z")},
    };
    const struct {
        const char *method, *query, *body, *names, *signature;
        const cm_http_header *headers;
        size_t n;
    } cases[] = {
        {"GET", "", "", "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", plain, 2},
        {"POST", "", "", "host;x-amz-date",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", plain, 2},
        {"GET", "Param1=value1&Param2=value2", "", "host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", plain, 2},
        {"POST", "", "Param1=value1", "content-type;host;x-amz-date",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", form, 3},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_SIGV4_MAX};
        const cm_sigv4 s = {.method = cases[i].method,
                            .path = "/",
                            .query = cases[i].query,
                            .headers = cases[i].headers,
                            .headers_n = cases[i].n,
                            .body = cm_view_str(cases[i].body),
                            .key_id = CM_LIT("AKIDEXAMPLE"),
                            .secret = CM_LIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                            .region = "us-east-1",
                            .service = "service",
                            .date = "20150830T123600Z"};
        char want[512];

        OK(cm_sigv4_make(&out, crypt_, &s));
        OK(cm_buf_byte(&out, 0));
        (void)snprintf(want, sizeof want,
                       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                       "aws4_request, SignedHeaders=%s, Signature=%s",
                       cases[i].names, cases[i].signature);
        assert_string_equal((const char *)out.p, want);
    }
}

static void checksum(void **state)
{
    static const uint8_t zeros[32];

    (void)state;
    assert_int_equal(cm_crc32c(CM_LIT("123456789")), 0xe3069283);
    assert_int_equal(cm_crc32c(CM_VIEW(zeros)), 0x8a9136aa); /* RFC 3720 */
}

/* ---- answers ------------------------------------------------------------------------------- */

static void ecdsa(void **state)
{
    static const struct {
        const char *der;
        size_t n;
        bool ok;
    } cases[] = {
        {"\x30\x06\x02\x01\x01\x02\x01\x02", 8, true},
        {"\x30\x07\x02\x02\x00\x80\x02\x01\x02", 9, true},
        {"\x30\x07\x02\x02\x00\x01\x02\x01\x02", 9, false}, /* not minimal */
        {"\x30\x06\x02\x01\x81\x02\x01\x02", 8, false},     /* negative */
        {"\x30\x06\x02\x01\x01\x02\x01\x02\x00", 9, false}, /* more behind it */
        {"\x30\x05\x02\x01\x01\x02\x01", 7, false},
        {"\x30\x06\x02\x01\x01\x04\x01\x02", 8, false},
        {"\x30\x03\x02\x01\x01", 5, false},
        {"\x30\x00", 2, false},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        CM_AUTO(cm_buf_free) cm_buf out = {.max = 64};
        cm_err e = cm_cloud_ecdsa(&out, cm_view_of(cases[i].der, cases[i].n));

        if (!cases[i].ok) {
            IS(e, HSM_WRONG);
            continue;
        }
        OK(e);
        assert_int_equal(out.n, 64);
        assert_int_equal(out.p[63], 2);
    }
}

static void low_s(void **state)
{
    uint8_t one[32] = {[31] = 1}, s[32] = {[31] = 1};

    (void)state;
    cm_hsm_low_s(s);
    assert_memory_equal(s, one, 32);
    memset(s, 0xff, 16);
    memcpy(s,
           "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"
           "\xba\xae\xdc\xe6\xaf\x48\xa0\x3b\xbf\xd2\x5e\x8c\xd0\x36\x41\x40",
           32);
    cm_hsm_low_s(s);
    assert_memory_equal(s, one, 32);
}

static void names(void **state)
{
    char out[NAME_MAX_];

    (void)state;
    OK(cm_cloud_name(out, CM_LIT("arn:aws:kms:r:1:key/a-b_c.d")));
    IS(cm_cloud_name(out, CM_LIT("")), CLOUD_ANSWER);
    IS(cm_cloud_name(out, CM_LIT("a b")), CLOUD_ANSWER);
    IS(cm_cloud_name(out, CM_LIT("a\r\nb")), CLOUD_ANSWER);
    IS(cm_cloud_name(out, CM_LIT("a?b")), CLOUD_ANSWER);
    IS(cm_cloud_name(out, CM_LIT("a%2fb")), CLOUD_ANSWER);
}

/* ---- configurations ------------------------------------------------------------------------ */

#define AWS(endpoint, more)                                                                       \
    "{\"provider\":\"aws\",\"endpoint\":\"" endpoint "\",\"region\":\"r\",\"secrets\":\"s\"" more \
    "}"

static cm_err reads(const char *text)
{
    const struct cloud_service *service;
    struct cloud_config o;

    return cm_cloud_read_config(&o, &service, cm_view_str(text));
}

static void configurations(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"provider\":\"other\"}",
        AWS("http://kms.example", ""), /* not to this machine */
        AWS("ftp://kms.example", ""),
        AWS("https://kms.example/path", ""),
        AWS("https://kms.example", ",\"key_exchange\":\"classical\""),
        AWS("https://kms.example", ",\"wrapping\":\"rsa-not-post-quantum\""),
        AWS("https://kms.example", ",\"key_exchnage\":\"legacy\""),
        AWS("https://kms.example", ",\"timeout_ms\":0"),
        "{\"provider\":\"aws\",\"endpoint\":\"https://kms.example\",\"secrets\":\"s\"}",
        "{\"provider\":\"aws\",\"endpoint\":\"https://kms.example\",\"region\":\"a b\","
        "\"secrets\":\"s\"}",
        "{\"provider\":\"azure\",\"endpoint\":\"https://v.example\",\"tokens\":"
        "\"http://metadata.google.internal\",\"secrets\":\"s\"}",
    };

    (void)state;
    OK(reads(AWS("https://kms.example", "")));
    OK(reads(AWS("http://127.0.0.1:1", ",\"key_exchange\":\"legacy\",\"timeout_ms\":5")));
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(reads(bad[i]), CLOUD_CONFIG);
}

/* ---- patience ------------------------------------------------------------------------------ */

struct world {
    unsigned asked, pauses, longest;
    cm_err transport;
    int status;
    const char *body;
};

static cm_err ask(void *self, cm_cloud_where where, const cm_client_request *r,
                  cm_client_answer *out)
{
    struct world *w = self;

    (void)where;
    (void)r;
    w->asked++;
    CM_TRY(w->transport);
    out->status = w->status;
    out->body.max = 4096;
    return cm_buf_append(&out->body, cm_view_str(w->body));
}

static void wait_ms(void *self, uint32_t ms)
{
    struct world *w = self;

    w->pauses++;
    w->longest = CM_MAX(w->longest, ms);
}

static uint64_t now(void *self)
{
    (void)self;
    return 1440938160;
}

static cm_err try_it(struct world *w, const cm_hsm_request *r)
{
    CM_AUTO(cm_cloud_free_ptr) cm_cloud *k = NULL;
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    const cm_cloud_transport t = {.ask = ask, .pause = wait_ms, .now = now, .self = w};
    cm_hsm h;

    OK(cm_cloud_with(&k, crypt_, CM_LIT(AWS("https://kms.example", "")),
                     CM_LIT("{\"access_key_id\":\"a\",\"secret_access_key\":\"b\"}"), &t));
    h = cm_cloud_of(k);
    return h.call(h.self, r, &a);
}

static void patience(void **state)
{
    const cm_hsm_request r = {.op = CM_HSM_RANDOM, .n = 8};
    struct world w = {
        .transport = CM_OKAY, .status = 400, .body = "{\"__type\":\"ThrottlingException\"}"};

    (void)state;
    IS(try_it(&w, &r), CLOUD_BUSY);
    assert_int_equal(w.asked, CM_CLOUD_ATTEMPTS);
    assert_int_equal(w.pauses, CM_CLOUD_ATTEMPTS - 1);
    assert_true(w.longest <= 2500);

    w = (struct world){.transport = CM_FAIL(CLIENT_CLOSED)};
    IS(try_it(&w, &r), HSM_LOST);
    assert_int_equal(w.asked, CM_CLOUD_ATTEMPTS);

    w = (struct world){.transport = CM_FAIL(TLS_NO_PQ_GROUP)}; /* H-42: no other way is tried */
    IS(try_it(&w, &r), TLS_NO_PQ_GROUP);
    assert_int_equal(w.asked, 1);

    w = (struct world){.transport = CM_OKAY, .status = 403, .body = "{}"};
    IS(try_it(&w, &r), CLOUD_DENIED);
    assert_int_equal(w.asked, 1);

    w = (struct world){.transport = CM_OKAY, .status = 200, .body = "{\"Plaintext\":\"AAA=\"}"};
    IS(try_it(&w, &r), HSM_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigv4),    cmocka_unit_test(checksum), cmocka_unit_test(ecdsa),
        cmocka_unit_test(low_s),    cmocka_unit_test(names),    cmocka_unit_test(configurations),
        cmocka_unit_test(patience),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
