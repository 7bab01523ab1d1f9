/* Signed requests: both sides agree, everything covered is bound, nothing loose is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/text.h"
#include "wire/apikey.h"
#include "wire/digest.h"
#include "wire/session.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { NOW = 1800000000, HEADERS = 8, MALFORMED_MIN = 1000 };

#define NONCE "0123456789abcdef"

static cm_crypt *c;
static cm_sig_key *keys[4]; /* by cm_httpsig_alg */

static int setup(void **state)
{
    static const cm_sig_id ids[] = {CM_SIG_MLDSA44, CM_SIG_MLDSA65, CM_SIG_MLDSA87, CM_SIG_ED25519};

    (void)state;
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    for (size_t i = 0; i < CM_COUNT(ids); i++)
        assert_good(cm_sig_generate(&keys[i], c, ids[i]));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(keys); i++)
        cm_sig_key_free(keys[i]);
    cm_crypt_free(c);
    return 0;
}

/* A request with room for the three headers. */
typedef struct {
    cm_http_header h[HEADERS];
    cm_httpsig_message m;
    cm_httpsig_headers made;
} request;

static void request_done(request *r)
{
    cm_httpsig_headers_free(&r->made);
}

static request post(void)
{
    request r = {
        .h = {{CM_LIT("content-type"), CM_LIT("application/json")},
              {CM_LIT("x-extra"), CM_LIT("one")},
              {CM_LIT("x-extra"), CM_LIT(" two ")}},
        .m = {.method = CM_LIT("POST"),
              .scheme = CM_LIT("https"),
              .authority = CM_LIT("KMS.example:443"),
              .path = CM_LIT("/v1/tenants/a/keys/b:sign"),
              .query = CM_LIT("x=1&y=2"),
              .headers_n = 3,
              .body = CM_LIT("{\"message\":\"aGVsbG8=\"}")},
    };

    return r;
}

/* Views into r itself: after it stands where it stays. */
static void place(request *r)
{
    r->m.headers = r->h;
}

static void attach(request *r)
{
    if (r->made.content_digest.n)
        r->h[r->m.headers_n++] =
            (cm_http_header){CM_LIT("content-digest"), cm_buf_view(&r->made.content_digest)};
    r->h[r->m.headers_n++] =
        (cm_http_header){CM_LIT("signature-input"), cm_buf_view(&r->made.input)};
    r->h[r->m.headers_n++] = (cm_http_header){CM_LIT("signature"), cm_buf_view(&r->made.signature)};
}

static cm_httpsig_with with(const cm_sig_key *k)
{
    static const char *const also[] = {"x-extra", NULL};

    return (cm_httpsig_with){.key = k,
                             .hmac = CM_LIT("a shared secret of 32 bytes....."),
                             .keyid = CM_LIT("acme/alice"),
                             .nonce = CM_LIT(NONCE),
                             .created = NOW,
                             .also = also};
}

static void sign_post(request *r, const cm_sig_key *k)
{
    cm_httpsig_with w = with(k);

    *r = post();
    place(r);
    assert_good(cm_httpsig_make(&r->made, c, &r->m, &w));
    attach(r);
}

/* What a server does, whole. */
static cm_err check(const cm_httpsig_message *m, const cm_sig_key *k, uint64_t now)
{
    cm_httpsig s;

    CM_TRY(cm_httpsig_parse(&s, m, now));
    return k ? cm_httpsig_verify(&s, c, m, k)
             : cm_httpsig_verify_hmac(&s, c, m, CM_LIT("a shared secret of 32 bytes....."));
}

/* ---- both sides ---- W-1; W-9: who claims it is told before anything is verified */

static void agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i <= CM_COUNT(keys); i++) {
        const cm_sig_key *k = i < CM_COUNT(keys) ? keys[i] : NULL;
        CM_AUTO(request_done) request r;
        cm_httpsig s;

        sign_post(&r, k);
        assert_good(check(&r.m, k, NOW));
        assert_good(cm_httpsig_parse(&s, &r.m, NOW));
        assert_int_equal(s.alg, i);
        assert_true(cm_view_eq(s.keyid, CM_LIT("acme/alice")));
        assert_true(cm_view_eq(s.nonce, CM_LIT(NONCE)));
        assert_int_equal(s.created, NOW);
        assert_true(cm_httpsig_covers(&s, "@query") && cm_httpsig_covers(&s, "content-type"));
        assert_false(cm_httpsig_covers(&s, "@scheme"));
    }
}

/* W-4, W-6: the text, letter by letter. */
static void text(void **state)
{
    static const char want[] =
        "\"@method\": POST\n"
        "\"@authority\": kms.example\n"
        "\"@path\": /v1/tenants/a/keys/b:sign\n"
        "\"@query\": ?x=1&y=2\n"
        "\"content-digest\": sha-256=:JGWxW7bOE07vmN0fdwScNnwPQc697zbd1fi0F6yBZ28=:\n"
        "\"content-type\": application/json\n"
        "\"x-extra\": one, two\n"
        "\"@signature-params\": (\"@method\" \"@authority\" \"@path\" \"@query\" "
        "\"content-digest\" "
        "\"content-type\" \"x-extra\");created=1800000000;nonce=\"" NONCE
        "\";keyid=\"acme/alice\";alg=\"ed25519\"";
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    CM_AUTO(request_done) request r;
    cm_httpsig s;

    (void)state;
    sign_post(&r, keys[3]);
    assert_good(cm_httpsig_parse(&s, &r.m, NOW));
    assert_good(cm_httpsig_base(&b, &s, &r.m));
    assert_good(cm_buf_byte(&b, 0));
    assert_string_equal((const char *)b.p, want);
}

/* W-6: a change of anything covered is found. */
static void everything_is_bound(void **state)
{
    for (unsigned i = 0; i < 11; i++) {
        CM_AUTO(request_done) request r;
        cm_err e;

        (void)state;
        sign_post(&r, keys[3]);
        switch (i) {
        case 0:
            r.m.method = CM_LIT("PUT");
            break;
        case 1:
            r.m.authority = CM_LIT("other.example");
            break;
        case 2:
            r.m.authority = CM_LIT("kms.example:8443");
            break;
        case 3:
            r.m.path = CM_LIT("/v1/tenants/a/keys/c:sign");
            break;
        case 4:
            r.m.query = CM_LIT("x=1&y=3");
            break;
        case 5:
            r.m.query = CM_LIT("");
            break;
        case 6:
            r.m.body = CM_LIT("{\"message\":\"aGVsbG9=\"}");
            break;
        case 7:
            r.m.body = CM_LIT("");
            break;
        case 8:
            r.h[0].value = CM_LIT("text/plain");
            break;
        case 9:
            r.h[1].value = CM_LIT("one, two");
            break;
        default:
            r.h[2].name = CM_LIT("x-other");
        }
        e = check(&r.m, keys[3], NOW);
        if (i == 6 || i == 7)
            assert_reason(e, SIGN_DIGEST);
        else
            assert_reason(e, SIGN_INVALID);
    }
}

/* What is not covered but must be: a signer that leaves it out is refused. */
static void coverage(void **state)
{
    static const char tail[] =
        ";created=1800000000;nonce=\"" NONCE "\";keyid=\"k\";alg=\"ed25519\"";
    static const char *const lists[] = {
        "()",
        "(\"@authority\" \"@path\" \"@query\" \"content-digest\")",
        "(\"@method\" \"@path\" \"@query\" \"content-digest\")",
        "(\"@method\" \"@authority\" \"@query\" \"content-digest\")",
        "(\"@method\" \"@authority\" \"@path\" \"content-digest\")",
        "(\"@method\" \"@authority\" \"@path\" \"@query\")",
    };
    char input[512];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(lists); i++) {
        CM_AUTO(request_done) request r;

        sign_post(&r, keys[3]);
        snprintf(input, sizeof input, "sig1=%s%s", lists[i], tail);
        r.h[4].value = cm_view_str(input);
        assert_reason(check(&r.m, keys[3], NOW), SIGN_COVERAGE);
    }
}

/* W-5, W-7 */
static void parameters(void **state)
{
    static const struct {
        const char *params, *want;
    } rows[] = {
        {";nonce=\"" NONCE "\";keyid=\"k\";alg=\"ed25519\"", "SIGN_COVERAGE"},
        {";created=1800000000;keyid=\"k\";alg=\"ed25519\"", "SIGN_COVERAGE"},
        {";created=1800000000;nonce=\"" NONCE "\";alg=\"ed25519\"", "SIGN_COVERAGE"},
        {";created=1800000000;nonce=\"" NONCE "\";keyid=\"\";alg=\"ed25519\"", "SIGN_COVERAGE"},
        {";created=1800000000;nonce=\"" NONCE "\";keyid=\"k\"", "SIGN_COVERAGE"},
        {";created=1800000000;nonce=\"short\";keyid=\"k\";alg=\"ed25519\"", "SIGN_COVERAGE"},
        {";created=1800000000;nonce=\"" NONCE "\";keyid=\"k\";alg=\"rsa-pss-sha512\"",
         "SIGN_ALGORITHM"},
        {";created=1800000000;nonce=\"" NONCE "\";keyid=\"k\";alg=\"none\"", "SIGN_ALGORITHM"},
        {";created=1800000000;expires=1799999999;nonce=\"" NONCE "\";keyid=\"k\";alg=\"ed25519\"",
         "SIGN_WINDOW"},
        {";created=1800000000;expires=1800000001;nonce=\"" NONCE "\";keyid=\"k\";alg=\"ed25519\"",
         "SIGN_INVALID"},
        {";created=1800000000;nonce=\"" NONCE "\";keyid=\"k\";alg=\"ed25519\";tag=\"t\"",
         "SIGN_INVALID"},
    };
    char input[512];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        CM_AUTO(request_done) request r;

        sign_post(&r, keys[3]);
        snprintf(input, sizeof input,
                 "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")%s",
                 rows[i].params);
        r.h[4].value = cm_view_str(input);
        assert_string_equal(cm_err_name(check(&r.m, keys[3], NOW)), rows[i].want);
    }
}

/* W-8 */
static void window(void **state)
{
    CM_AUTO(request_done) request r;

    (void)state;
    sign_post(&r, keys[3]);
    assert_good(check(&r.m, keys[3], NOW + 300));
    assert_good(check(&r.m, keys[3], NOW - 300));
    assert_reason(check(&r.m, keys[3], NOW + 301), SIGN_WINDOW);
    assert_reason(check(&r.m, keys[3], NOW - 301), SIGN_WINDOW);
    assert_reason(check(&r.m, keys[3], 0), SIGN_WINDOW);
    assert_reason(check(&r.m, keys[3], UINT64_MAX), SIGN_WINDOW);
}

/* W-11: the key decides; another algorithm's name, or another's key, verifies nothing. An empty
 * signature is none (the defect of a predecessor). */
static void wrong_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(keys); i++)
        for (size_t j = 0; j < CM_COUNT(keys); j++) {
            CM_AUTO(request_done) request r;
            cm_httpsig s;

            sign_post(&r, keys[i]);
            if (i == j)
                continue;
            assert_reason(check(&r.m, keys[j], NOW), SIGN_INVALID);
            assert_good(cm_httpsig_parse(&s, &r.m, NOW));
            assert_reason(cm_httpsig_verify_hmac(&s, c, &r.m, cm_sig_public(keys[i])),
                          SIGN_INVALID);
        }
    {
        CM_AUTO(request_done) request r;

        sign_post(&r, keys[1]);
        r.h[5].value = CM_LIT("sig1=::");
        assert_reason(check(&r.m, keys[1], NOW), SIGN_INVALID);
        r.h[5].value = CM_LIT("sig1=:AA==:");
        assert_reason(check(&r.m, keys[1], NOW), SIGN_INVALID);
    }
    {
        CM_AUTO(request_done) request r;

        sign_post(&r, NULL);
        assert_good(check(&r.m, NULL, NOW));
        assert_reason(check(&r.m, keys[1], NOW), SIGN_INVALID);
    }
}

/* W-2 */
static void one_signature(void **state)
{
    CM_AUTO(request_done) request r;

    (void)state;
    r = post();
    place(&r);
    assert_false(cm_httpsig_present(&r.m));
    assert_reason(check(&r.m, keys[3], NOW), SIGN_ABSENT);
    sign_post(&r, keys[3]);
    assert_true(cm_httpsig_present(&r.m));
    r.h[r.m.headers_n] = r.h[5]; /* Signature twice */
    r.m.headers_n++;
    assert_reason(check(&r.m, keys[3], NOW), SIGN_MALFORMED);
    r.m.headers_n -= 2;
    assert_reason(check(&r.m, keys[3], NOW), SIGN_MALFORMED); /* not at all */
}

/* W-10 */
static void digests(void **state)
{
    static const char good256[] =
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"; /* RFC 9530, {"hello": "world"} */
    static const char *const bad[] = {
        "",
        "sha-256",
        "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:,",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:;a",
        "SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBP=:",
    };
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1024};
    cm_view body = CM_LIT("{\"hello\": \"world\"}");
    char both[512];

    (void)state;
    assert_good(cm_digest_write(&b, c, CM_SHA256, body));
    assert_true(cm_view_eq(cm_buf_view(&b), cm_view_str(good256)));
    assert_good(cm_digest_check(c, cm_buf_view(&b), body));
    assert_reason(cm_digest_check(c, cm_buf_view(&b), CM_LIT("{\"hello\": \"World\"}")),
                  SIGN_DIGEST);
    assert_good(cm_buf_append(&b, CM_LIT(", ")));
    assert_good(cm_digest_write(&b, c, CM_SHA512, body));
    assert_good(cm_digest_check(c, cm_buf_view(&b), body));
    assert_reason(cm_digest_write(&b, c, CM_SHA384, body), CRYPT_ALGORITHM);
    snprintf(both, sizeof both, "%s, sha-512=:AAAA:", good256); /* one of two is wrong */
    assert_reason(cm_digest_check(c, cm_view_str(both), body), SIGN_DIGEST);
    snprintf(both, sizeof both, "md5=:AAAA:, %s", good256);
    assert_good(cm_digest_check(c, cm_view_str(both), body));
    assert_reason(cm_digest_check(c, CM_LIT("md5=:AAAA:"), body), SIGN_ALGORITHM);
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_reason(cm_digest_check(c, cm_view_str(bad[i]), body), SIGN_MALFORMED);
}

/* ---- what is not of the strict form (W-3) ---- */

static void malformed_table(void **state)
{
    static const char *const inputs[] = {
        "",
        "sig1",
        "sig1=",
        "sig1=(",
        "sig1=)",
        "=()",
        "sig1=();",
        "sig1=() ;created=1",
        "SIG1=();created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=( \"@method\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@method\" );created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@method\"  \"@path\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@method\"\"@path\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@method\" \"@method\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@METHOD\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"@query-param\";name=\"x\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"host\";sf);created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(\"\");created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=(@method);created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=01;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=-1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=1.0;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=1000000000000000;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=\"1\";keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=1;created=1;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created;keyid=\"k\";alg=\"ed25519\"",
        "sig1=();created=1;keyid=k;alg=\"ed25519\"",
        "sig1=();created=1;keyid=\"k\\\"\";alg=\"ed25519\"",
        "sig1=();created=1;keyid=\"k\";alg=ed25519",
        "sig1=();created=1;keyid=\"k\";alg=\"ed25519",
        "sig1=();created=1;keyid=\"k\";alg=\"ed25519\" ",
        "sig1=();created=1;keyid=\"k\";alg=\"ed25519\",sig2=();created=1",
        "sig1=();created=1;keyid=\"k\";alg=\"ed25519\";unknown=1",
        "sig1=();created=1;keyid=\"\xc3\xa9\";alg=\"ed25519\"",
        "sig1=();created=1;keyid=\"\t\";alg=\"ed25519\"",
    };
    static const char *const signatures[] = {
        "",
        "sig1",
        "sig1=",
        "sig1=:",
        "sig2=:AAAA:",
        "sig1=AAAA",
        "sig1=:AAAA",
        "sig1=AAAA:",
        "sig1=:AA AA:",
        "sig1=:AAAA:;a",
        "sig1=:AAAA:, sig2=:AAAA:",
        "sig1=:AA\"A:",
        "sig1=:A_-A:",
    };
    static const char good[] = "sig1=();created=1;keyid=\"k\";alg=\"ed25519\"";
    cm_httpsig s;

    (void)state;
    assert_good(cm_httpsig_read(&s, cm_view_str(good), CM_LIT("sig1=:AAAA:")));
    for (size_t i = 0; i < CM_COUNT(inputs); i++)
        assert_reason(cm_httpsig_read(&s, cm_view_str(inputs[i]), CM_LIT("sig1=:AAAA:")),
                      SIGN_MALFORMED);
    for (size_t i = 0; i < CM_COUNT(signatures); i++)
        assert_reason(cm_httpsig_read(&s, cm_view_str(good), cm_view_str(signatures[i])),
                      SIGN_MALFORMED);
}

/* Each byte of both headers replaced, removed, doubled: never accepted, never anything but a
 * refusal for its form, its rules or its signature. */
static void malformed_generated(void **state)
{
    static const char bytes[] = "\"();=, :\\\x01\x7f\xff"
                                "A";
    size_t tried = 0;

    (void)state;
    for (int which = 4; which <= 5; which++) {
        CM_AUTO(request_done) request r;
        cm_view was;

        sign_post(&r, keys[3]);
        was = r.h[which].value;
        for (size_t at = 0; at < was.n; at++)
            for (size_t b = 0; b < sizeof bytes + 2; b++) {
                char v[1024];
                size_t n = was.n;

                memcpy(v, was.p, n);
                if (b < sizeof bytes) {
                    v[at] = bytes[b];
                } else if (b == sizeof bytes) {
                    memmove(v + at, v + at + 1, --n - at);
                } else {
                    memmove(v + at + 1, v + at, n++ - at);
                }
                if (n == was.n && memcmp(v, was.p, n) == 0)
                    continue;
                r.h[which].value = cm_view_of(v, n);
                assert_int_equal(cm_err_class(check(&r.m, keys[3], NOW)), CM_CLASS_UNAUTHENTIC);
                tried++;
            }
        r.h[which].value = was;
    }
    assert_true(tried > MALFORMED_MIN);
}

/* What can't be signed is not sent. */
static void refuses_to_make(void **state)
{
    static const char *const absent[] = {"x-absent", NULL};
    CM_AUTO(request_done) request r;
    cm_httpsig_with w;

    (void)state;
    r = post();
    place(&r);
    w = with(keys[3]);
    w.keyid = CM_LIT("a\"b");
    assert_reason(cm_httpsig_make(&r.made, c, &r.m, &w), BAD_ARGUMENT);
    w = with(keys[3]);
    w.keyid = CM_LIT("");
    assert_reason(cm_httpsig_make(&r.made, c, &r.m, &w), BAD_ARGUMENT);
    w = with(keys[3]);
    w.nonce = CM_LIT("short");
    assert_reason(cm_httpsig_make(&r.made, c, &r.m, &w), BAD_ARGUMENT);
    w = with(keys[3]);
    w.also = absent;
    assert_reason(cm_httpsig_make(&r.made, c, &r.m, &w), SIGN_COVERAGE);
    w = with(keys[3]);
    r.m.path = CM_LIT("/a\n\"@path\": /b");
    assert_reason(cm_httpsig_make(&r.made, c, &r.m, &w), SIGN_COVERAGE);
    assert_int_equal(r.made.input.n, 0);
}

/* ---- HIP-5 (W-12) ---- */

static void hip5(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":\"n\"}",
        "{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":\"n\",\"signature\":{}}",
        "{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":\"n\",\"other\":{}}",
        "{\"api_key_id\":\"k\",\"timestamp\":\"1\",\"nonce\":\"n\",\"signature\":"
        "{\"algorithm\":\"ML-DSA-65\",\"value\":\"AAAA\"}}",
        "{\"api_key_id\":\"k\\\"\",\"timestamp\":1,\"nonce\":\"n\",\"signature\":"
        "{\"algorithm\":\"ML-DSA-65\",\"value\":\"AAAA\"}}",
        "{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":\"n\",\"signature\":"
        "{\"algorithm\":\"ML-DSA-65\",\"value\":\"A:;a\"}}",
        "{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":\"n\",\"more\":1,\"signature\":"
        "{\"algorithm\":\"ML-DSA-65\",\"value\":\"AAAA\"}}",
    };
    CM_AUTO(cm_buf_free) cm_buf json = {.max = CM_HTTPSIG_HIP5_MAX};
    CM_AUTO(request_done) request r;
    cm_httpsig_headers back = {0};
    cm_httpsig_with w = with(keys[1]);
    cm_httpsig s;

    (void)state;
    r = post();
    place(&r);
    r.m.headers_n = 0;
    w.also = NULL;
    assert_good(cm_httpsig_make(&r.made, c, &r.m, &w));
    attach(&r);
    assert_good(cm_httpsig_parse(&s, &r.m, NOW));
    assert_good(cm_httpsig_to_hip5(&json, &s, &r.m));
    assert_memory_equal(json.p,
                        "{\"api_key_id\":\"acme/alice\",\"timestamp\":1800000000,\"nonce\":", 57);
    assert_good(cm_httpsig_from_hip5(&back, cm_buf_view(&json), &r.m));
    r.h[1].value = cm_buf_view(&back.input);
    r.h[2].value = cm_buf_view(&back.signature);
    assert_good(check(&r.m, keys[1], NOW));
    r.m.path = CM_LIT("/v1/elsewhere"); /* HIP-5 itself does not bind it; this does */
    assert_reason(check(&r.m, keys[1], NOW), SIGN_INVALID);
    cm_httpsig_headers_free(&back);
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_reason(cm_httpsig_from_hip5(&back, cm_view_str(bad[i]), &r.m), SIGN_MALFORMED);
    assert_reason(cm_httpsig_from_hip5(&back,
                                       CM_LIT("{\"api_key_id\":\"k\",\"timestamp\":1,\"nonce\":"
                                              "\"n\",\"signature\":{\"algorithm\":\"Dilithium3\","
                                              "\"value\":\"AAAA\"}}"),
                                       &r.m),
                  SIGN_ALGORITHM);
    assert_int_equal(back.input.n, 0);
}

/* What covers more than HIP-5 can say has no such form. */
static void hip5_exact(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = CM_HTTPSIG_HIP5_MAX};
    CM_AUTO(request_done) request r;
    cm_httpsig s;

    (void)state;
    sign_post(&r, keys[1]);
    assert_good(cm_httpsig_parse(&s, &r.m, NOW));
    assert_reason(cm_httpsig_to_hip5(&json, &s, &r.m), SIGN_COVERAGE);
    assert_int_equal(json.n, 0);
}

/* ---- sessions ---- */

static const uint8_t exporter[32] = {1, 2, 3}, other_exporter[32] = {1, 2, 4};
static const uint8_t id[CM_SESSION_ID] = {0xab, 0xcd, 9};

/* W-21 */
static void channel(void **state)
{
    static const char *const also[] = {CM_SESSION_CHANNEL_HEADER, NULL};
    CM_AUTO(cm_buf_free) cm_buf value = {.max = 64};
    CM_AUTO(request_done) request r;
    cm_httpsig_with w = with(keys[1]);
    cm_httpsig s;

    (void)state;
    assert_good(cm_session_channel(&value, c, CM_VIEW(exporter)));
    r = post();
    place(&r);
    r.h[1] = (cm_http_header){CM_LIT(CM_SESSION_CHANNEL_HEADER), cm_buf_view(&value)};
    r.m.headers_n = 2;
    w.also = also;
    assert_good(cm_httpsig_make(&r.made, c, &r.m, &w));
    attach(&r);
    assert_good(cm_httpsig_parse(&s, &r.m, NOW));
    assert_good(cm_httpsig_verify(&s, c, &r.m, keys[1]));
    assert_good(cm_session_check_channel(&s, c, &r.m, CM_VIEW(exporter)));
    assert_reason(cm_session_check_channel(&s, c, &r.m, CM_VIEW(other_exporter)), SESSION_CHANNEL);
    cm_httpsig_headers_free(&r.made);
    r.m.headers_n = 2;
    w.also = NULL; /* there, but not covered */
    assert_good(cm_httpsig_make(&r.made, c, &r.m, &w));
    attach(&r);
    assert_good(cm_httpsig_parse(&s, &r.m, NOW));
    assert_reason(cm_session_check_channel(&s, c, &r.m, CM_VIEW(exporter)), SESSION_CHANNEL);
}

/* W-22 */
static void session_keys(void **state)
{
    uint8_t other_id[CM_SESSION_ID] = {0xab, 0xcd, 8}, back[CM_SESSION_ID];
    char text_id[CM_SESSION_KEYID + 1];
    cm_key32 a, b;

    (void)state;
    assert_good(cm_session_key(&a, c, CM_VIEW(exporter), id, CM_LIT("alice")));
    assert_good(cm_session_key(&b, c, CM_VIEW(exporter), id, CM_LIT("alice")));
    assert_memory_equal(&a, &b, sizeof a);
    assert_good(cm_session_key(&b, c, CM_VIEW(exporter), id, CM_LIT("bob")));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_good(cm_session_key(&b, c, CM_VIEW(exporter), other_id, CM_LIT("alice")));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_good(cm_session_key(&b, c, CM_VIEW(other_exporter), id, CM_LIT("alice")));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_reason(cm_session_key(&b, c, CM_LIT("short"), id, CM_LIT("alice")), BAD_ARGUMENT);
    cm_session_keyid(text_id, id);
    assert_string_equal(text_id, "session:abcd0900000000000000000000000000");
    assert_true(cm_session_id_of(back, cm_view_str(text_id)));
    assert_memory_equal(back, id, sizeof back);
    assert_false(cm_session_id_of(back, CM_LIT("session:ABCD0900000000000000000000000000")));
    assert_false(cm_session_id_of(back, CM_LIT("sessiom:abcd0900000000000000000000000000")));
    assert_false(cm_session_id_of(back, CM_LIT("session:abcd09000000000000000000000000")));
    assert_false(cm_session_id_of(back, CM_LIT("session:abcd090000000000000000000000000g")));
}

static cm_err in_session(cm_session_window *w, const request *r, const cm_key32 *key)
{
    cm_httpsig s;

    CM_TRY(cm_httpsig_parse(&s, &r->m, NOW));
    return cm_session_verify(w, &s, c, &r->m, key);
}

/* W-23, W-24 */
static void session_requests(void **state)
{
    cm_session_window w = {0};
    uint64_t counter = 0;
    cm_key32 key, other;

    (void)state;
    assert_good(cm_session_key(&key, c, CM_VIEW(exporter), id, CM_LIT("alice")));
    assert_good(cm_session_key(&other, c, CM_VIEW(other_exporter), id, CM_LIT("alice")));
    for (int i = 1; i < 5; i++) {
        CM_AUTO(request_done) request r;

        r = post();
        place(&r);
        assert_good(cm_session_sign(&r.made, c, &r.m, &key, id, &counter, NOW));
        assert_int_equal(counter, i);
        attach(&r);
        assert_reason(in_session(&w, &r, &other), SIGN_INVALID); /* another connection's */
        assert_good(in_session(&w, &r, &key));                   /* the failure used nothing up */
        assert_reason(in_session(&w, &r, &key), SESSION_REPLAY);
        r.m.body = CM_LIT("{}");
        assert_reason(in_session(&w, &r, &key), SESSION_REPLAY);
    }
    {
        CM_AUTO(request_done) request r; /* a full signature is no session's */

        sign_post(&r, keys[1]);
        assert_reason(in_session(&w, &r, &key), SIGN_ALGORITHM);
    }
}

/* The window against a list of all that was ever used. */
static void counters(void **state)
{
    enum { MOST = 6000, STEPS = 40000 };
    static bool used[MOST + 1];
    cm_session_window w = {0};
    uint64_t highest = 0, x = 88172645463325252u;

    (void)state;
    assert_false(cm_session_fresh(&w, 0));
    for (int i = 0; i < STEPS; i++) {
        uint64_t n;
        bool fresh;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        n = x % 8 ? highest + 64 - x % 1200 % (highest + 64) : x % MOST;
        n = CM_MIN(n, (uint64_t)MOST);
        fresh = n && !used[n] && n + CM_SESSION_WINDOW_BITS > highest;
        assert_int_equal(cm_session_fresh(&w, n), fresh);
        if (fresh) {
            assert_good(cm_session_use(&w, n));
            used[n] = true;
            highest = CM_MAX(highest, n);
        } else {
            assert_reason(cm_session_use(&w, n), SESSION_REPLAY);
        }
    }
    assert_good(cm_session_use(&w, UINT64_MAX));
    assert_false(cm_session_fresh(&w, UINT64_MAX));
    assert_true(cm_session_fresh(&w, UINT64_MAX - 1));
}

/* ---- API keys (W-70, W-71) ---- */

static void api_keys(void **state)
{
    uint8_t h[CM_APIKEY_HASH], h2[CM_APIKEY_HASH];
    char k[CM_APIKEY_TEXT + 1], other[CM_APIKEY_TEXT + 1];

    (void)state;
    assert_good(cm_apikey_new(k, c));
    assert_good(cm_apikey_new(other, c));
    assert_string_not_equal(k, other);
    assert_memory_equal(k, "cmk_", 4);
    assert_int_equal(strlen(k), CM_APIKEY_TEXT);
    assert_good(cm_apikey_hash(h, c, cm_view_str(k)));
    assert_good(cm_apikey_check(c, cm_view_str(k), CM_VIEW(h)));
    assert_reason(cm_apikey_check(c, cm_view_str(other), CM_VIEW(h)), APIKEY_WRONG);
    for (size_t i = 0; i < CM_APIKEY_TEXT; i++) {
        char was = k[i];

        k[i] = was == 'A' ? 'B' : 'A';
        assert_reason(cm_apikey_hash(h2, c, cm_view_str(k)), APIKEY_MALFORMED);
        k[i] = was;
    }
    assert_reason(cm_apikey_hash(h2, c, cm_view_of(k, CM_APIKEY_TEXT - 1)), APIKEY_MALFORMED);
    assert_reason(cm_apikey_hash(h2, c, cm_view_of(k, CM_APIKEY_TEXT + 1)), APIKEY_MALFORMED);
    assert_reason(cm_apikey_check(c, cm_view_str(k), CM_LIT("")), APIKEY_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees),
        cmocka_unit_test(text),
        cmocka_unit_test(everything_is_bound),
        cmocka_unit_test(coverage),
        cmocka_unit_test(parameters),
        cmocka_unit_test(window),
        cmocka_unit_test(wrong_keys),
        cmocka_unit_test(one_signature),
        cmocka_unit_test(digests),
        cmocka_unit_test(malformed_table),
        cmocka_unit_test(malformed_generated),
        cmocka_unit_test(refuses_to_make),
        cmocka_unit_test(hip5),
        cmocka_unit_test(hip5_exact),
        cmocka_unit_test(channel),
        cmocka_unit_test(session_keys),
        cmocka_unit_test(session_requests),
        cmocka_unit_test(counters),
        cmocka_unit_test(api_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
