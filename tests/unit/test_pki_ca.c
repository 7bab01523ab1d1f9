/* The small CA: chains it makes verify, and everything that must not does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "codec/text.h"
#include "pki/ca.h"
#include "pki/pki_int.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { DAY = 86400 };
static const uint64_t t0 = 1800000000; /* 2027-01-15 */

static cm_crypt *c;
static cm_pkey *root_key, *mid_key, *leaf_key, *other_key, *classical_key;
static cm_cert *root, *mid, *server, *client;

static cm_cert_request ask(cm_cert_role role, const char *name)
{
    static const cm_view dns[] = {{(const uint8_t *)"kms.example", 11},
                                  {(const uint8_t *)"*.kms.example", 13}};
    static const cm_view ip[] = {{(const uint8_t *)"127.0.0.1", 9}, {(const uint8_t *)"::1", 3}};
    bool server_role = role == CM_CERT_SERVER;

    return (cm_cert_request){
        .role = role,
        .common_name = cm_view_str(name),
        .organization = CM_LIT("Casemate"),
        .dns = dns,
        .ip = ip,
        .n_dns = server_role ? 2 : 0,
        .n_ip = server_role ? 2 : 0,
        .not_before = t0,
        .not_after = t0 + (role == CM_CERT_ROOT           ? 3650
                           : role == CM_CERT_INTERMEDIATE ? 1825
                                                          : 90) *
                              (uint64_t)DAY,
        .pathlen = role == CM_CERT_ROOT ? 1 : 0,
    };
}

static cm_pkey *make_key(const char *name)
{
    cm_pkey *k = NULL;

    assert_good(cm_pkey_generate(&k, c, cm_view_str(name)));
    return k;
}

static cm_err issue(cm_cert **out, const cm_cert *by, const cm_pkey *by_key, const cm_pkey *of,
                    cm_cert_request r)
{
    return cm_cert_issue(out, c, by, by_key, of, &r);
}

static int setup(void **state)
{
    cm_cert_request r = ask(CM_CERT_ROOT, "Root");

    (void)state;
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    root_key = make_key("ML-DSA-87");
    mid_key = make_key("ML-DSA-65");
    leaf_key = make_key("ML-DSA-44");
    other_key = make_key("ML-DSA-44");
    classical_key = make_key("P-256");
    assert_good(cm_cert_root(&root, c, root_key, &r));
    assert_good(issue(&mid, root, root_key, mid_key, ask(CM_CERT_INTERMEDIATE, "Mid")));
    assert_good(issue(&server, mid, mid_key, leaf_key, ask(CM_CERT_SERVER, "Server")));
    assert_good(issue(&client, mid, mid_key, other_key, ask(CM_CERT_CLIENT, "Client")));
    return 0;
}

static int teardown(void **state)
{
    cm_pkey *const keys[] = {root_key, mid_key, leaf_key, other_key, classical_key};
    cm_cert *const certs[] = {root, mid, server, client};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(keys); i++)
        cm_pkey_free(keys[i]);
    for (size_t i = 0; i < CM_COUNT(certs); i++)
        cm_cert_free(certs[i]);
    cm_crypt_free(c);
    return 0;
}

/* The chain of this file with one certificate at each place. */
static cm_err verify(const cm_cert *leaf, const cm_cert *by, const cm_cert *top, cm_cert_trust t)
{
    cm_certs roots = {{(cm_cert *)(uintptr_t)top}, top != NULL};
    cm_certs extra = {{(cm_cert *)(uintptr_t)by}, by != NULL};

    t.roots = &roots;
    t.extra = &extra;
    t.now = t.now ? t.now : t0 + DAY;
    return cm_cert_verify(c, leaf, &t);
}

/* K-67 */
static void chains(void **state)
{
    const cm_cert_trust any = {0}, pq = {.post_quantum_only = true};
    const cm_cert_trust as_server = {.use = CM_CERT_FOR_SERVER};
    const cm_cert_trust as_client = {.use = CM_CERT_FOR_CLIENT};
    cm_cert_request r = ask(CM_CERT_ROOT, "Root");
    CM_AUTO(cm_cert_free_ptr) cm_cert *stranger = NULL;

    (void)state;
    assert_good(verify(root, NULL, root, pq));
    assert_good(verify(mid, NULL, root, pq));
    assert_good(verify(server, mid, root, pq));
    assert_good(verify(server, mid, root, as_server));
    assert_good(verify(client, mid, root, as_client));
    assert_reason(verify(client, mid, root, as_server), CERT_PURPOSE);
    assert_reason(verify(server, mid, root, as_client), CERT_PURPOSE);
    assert_reason(verify(server, NULL, root, any), CERT_UNTRUSTED);
    assert_reason(verify(server, mid, NULL, any), CERT_UNTRUSTED);
    assert_reason(verify(server, NULL, mid, any), CERT_UNTRUSTED); /* no root at its end */
    assert_good(cm_cert_root(&stranger, c, other_key, &r));
    assert_reason(verify(server, mid, stranger, any), CERT_UNTRUSTED);
    assert_int_equal(cm_err_class(CM_FAIL(CERT_UNTRUSTED)), CM_CLASS_UNAUTHENTIC);
}

static void times(void **state)
{
    const uint64_t ends = t0 + 90 * (uint64_t)DAY;
    const struct {
        uint64_t now;
        bool good;
    } cases[] = {{t0, true},    {t0 - 1, false},          {ends - 1, true},
                 {ends, false}, {t0 + 4000 * DAY, false}, {1, false}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_err e = verify(server, mid, root, (cm_cert_trust){.now = cases[i].now});

        assert_string_equal(cm_err_name(e), cases[i].good ? "OK" : "CERT_EXPIRED");
    }
}

static void host_names(void **state)
{
    static const struct {
        const char *host;
        bool good;
    } cases[] = {
        {"kms.example", true},
        {"KMS.example", true},
        {"a.kms.example", true},
        {"127.0.0.1", true},
        {"::1", true},
        {"0:0:0:0:0:0:0:1", true},
        {"127.0.0.2", false},
        {"example", false},
        {"a.b.kms.example", false},
        {"Server", false},
        {"xkms.example", false},
        {"kms.example.org", false},
        {".kms.example", false},
        {"*.kms.example", false},
        {"kms.example.", false},
    };
    uint8_t nul[] = "kms.example\0.evil";

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_err e = verify(server, mid, root, (cm_cert_trust){.host = cm_view_str(cases[i].host)});

        if (cm_ok(e) != cases[i].good)
            print_message("%s: %s\n", cases[i].host, cm_err_name(e));
        assert_string_equal(cm_err_name(e), cases[i].good ? "OK" : "CERT_NAME");
    }
    assert_reason(verify(server, mid, root, (cm_cert_trust){.host = CM_VIEW(nul)}), CERT_NAME);
    assert_reason(verify(client, mid, root, (cm_cert_trust){.host = CM_LIT("kms.example")}),
                  CERT_NAME);
}

/* K-60: every algorithm that may sign, and those that may not. */
static void algorithms(void **state)
{
    static const struct {
        const char *name, *shown;
        bool pq;
    } good[] = {
        {"ML-DSA-44", "ML-DSA-44", true},
        {"ML-DSA-65", "ML-DSA-65", true},
        {"ML-DSA-87", "ML-DSA-87", true},
        {"SLH-DSA-SHA2-128s", "SLH-DSA-SHA2-128s", true},
        {"SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-128f", true},
        {"Ed25519", "Ed25519", false},
        {"P-256", "ECDSA-SHA256", false},
        {"P-384", "ECDSA-SHA384", false},
    };
    static const char *const bad[] = {"secp256k1", "ML-DSA-65+Ed25519", "ML-KEM-768", "X-Wing"};
    cm_cert_request r = ask(CM_CERT_ROOT, "Root");

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = make_key(good[i].name);
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *again = NULL;
        CM_AUTO(cm_cert_free_ptr) cm_cert *top = NULL, *leaf = NULL;
        uint8_t a[CM_FINGERPRINT], b[CM_FINGERPRINT];
        cm_cert_info info;
        cm_err e;

        assert_good(cm_cert_root(&top, c, k, &r));
        assert_good(issue(&leaf, top, k, leaf_key, ask(CM_CERT_CLIENT, "Client")));
        assert_good(cm_cert_describe(&info, c, leaf));
        assert_string_equal(info.algorithm, good[i].shown);
        assert_int_equal(info.post_quantum, good[i].pq);
        assert_good(verify(leaf, NULL, top, (cm_cert_trust){0}));
        e = verify(leaf, NULL, top, (cm_cert_trust){.post_quantum_only = true});
        assert_string_equal(cm_err_name(e), good[i].pq ? "OK" : "CERT_CLASSICAL");
        assert_good(cm_cert_key(&again, c, top));
        assert_good(cm_pkey_fingerprint(a, c, k));
        assert_good(cm_pkey_fingerprint(b, c, again));
        assert_memory_equal(a, b, sizeof a);
    }
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = make_key(bad[i]);
        cm_cert *none = NULL;

        assert_reason(cm_cert_root(&none, c, k, &r), CERT_ALGORITHM);
        assert_reason(issue(&none, mid, mid_key, k, ask(CM_CERT_CLIENT, "C")), CERT_ALGORITHM);
        assert_null(none);
    }
}

/* A classical key hidden anywhere in the chain: K-67. */
static void classical_leaf(void **state)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *leaf = NULL;

    (void)state;
    assert_good(issue(&leaf, mid, mid_key, classical_key, ask(CM_CERT_CLIENT, "C")));
    assert_good(verify(leaf, mid, root, (cm_cert_trust){0}));
    assert_reason(verify(leaf, mid, root, (cm_cert_trust){.post_quantum_only = true}),
                  CERT_CLASSICAL);
}

/* K-61 */
static void serials(void **state)
{
    enum { MANY = 32 };
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = make_key("Ed25519");
    cm_cert_request r = ask(CM_CERT_ROOT, "Root");
    char last[48] = "";

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
        cm_cert_info info;

        assert_good(cm_cert_root(&cert, c, k, &r));
        assert_good(cm_cert_describe(&info, c, cert));
        assert_int_equal(strlen(info.serial), 40);
        assert_in_range(info.serial[0], '4', '7');
        assert_string_not_equal(info.serial, last);
        memcpy(last, info.serial, sizeof info.serial);
    }
}

static X509 *as_openssl(const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};
    const unsigned char *p;
    X509 *x;

    assert_good(cm_cert_write_der(&der, cert));
    p = der.p;
    x = d2i_X509(NULL, &p, (long)der.n);
    assert_non_null(x);
    return x;
}

static void assert_extension(const X509 *x, int nid, bool present, bool critical)
{
    int at = X509_get_ext_by_NID(x, nid, -1);

    assert_int_equal(at >= 0, present);
    if (present) {
        assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(x, at)), critical);
        assert_int_equal(X509_get_ext_by_NID(x, nid, at), -1);
    }
}

/* K-62 */
static void extensions(void **state)
{
    const struct {
        const cm_cert *cert;
        const cm_pkey *key, *by;
        bool ca, names;
        uint32_t usage, extended;
    } cases[] = {
        {root, root_key, NULL, true, false, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX},
        {mid, mid_key, root_key, true, false, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX},
        {server, leaf_key, mid_key, false, true, KU_DIGITAL_SIGNATURE, XKU_SSL_SERVER},
        {client, other_key, mid_key, false, false, KU_DIGITAL_SIGNATURE, XKU_SSL_CLIENT},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        X509 *x = as_openssl(cases[i].cert);
        uint8_t fp[CM_FINGERPRINT];

        assert_int_equal(X509_get_version(x), X509_VERSION_3);
        assert_extension(x, NID_basic_constraints, true, true);
        assert_extension(x, NID_key_usage, true, true);
        assert_extension(x, NID_subject_key_identifier, true, false);
        assert_extension(x, NID_authority_key_identifier, cases[i].by != NULL, false);
        assert_extension(x, NID_ext_key_usage, !cases[i].ca, false);
        assert_extension(x, NID_subject_alt_name, cases[i].names, false);
        assert_int_equal(X509_check_ca(x), cases[i].ca);
        assert_int_equal(X509_get_key_usage(x), cases[i].usage);
        assert_int_equal(X509_get_extended_key_usage(x), cases[i].extended);
        assert_good(cm_pkey_fingerprint(fp, c, cases[i].key));
        assert_int_equal(ASN1_STRING_length(X509_get0_subject_key_id(x)), 20);
        assert_memory_equal(ASN1_STRING_get0_data(X509_get0_subject_key_id(x)), fp, 20);
        if (cases[i].by) {
            assert_good(cm_pkey_fingerprint(fp, c, cases[i].by));
            assert_memory_equal(ASN1_STRING_get0_data(X509_get0_authority_key_id(x)), fp, 20);
        }
        X509_free(x);
    }
}

static void refused(const char *reason, cm_cert_request r)
{
    cm_cert *none = NULL;
    cm_err e = issue(&none, mid, mid_key, leaf_key, r);

    assert_string_equal(cm_err_name(e), reason);
    assert_null(none);
}

/* K-63 */
static void requests(void **state)
{
    static const char *const bad_dns[] = {
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "a_b.example",
        "*",
        "*.",
        "*.com",
        "a.*.com",
        "*a.example.com",
        "exa mple.com",
        "a.example.",
        "kms.ex\xc3\xa4mple",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
    };
    static const char *const bad_ip[] = {"", "1.2.3", "1.2.3.256", "::g", "1.2.3.4/8", "a.example"};
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123x";
    cm_cert_request r = ask(CM_CERT_SERVER, "Server");
    cm_cert *none = NULL;
    cm_view one;

    (void)state;
    r.dns = &one;
    r.n_dns = 1;
    r.n_ip = 0;
    for (size_t i = 0; i < CM_COUNT(bad_dns); i++) {
        one = cm_view_str(bad_dns[i]);
        refused("CERT_REQUEST", r);
    }
    r.n_dns = 0;
    r.ip = &one;
    r.n_ip = 1;
    for (size_t i = 0; i < CM_COUNT(bad_ip); i++) {
        one = cm_view_str(bad_ip[i]);
        refused("CERT_REQUEST", r);
    }
    r.n_ip = 0;
    refused("CERT_REQUEST", r); /* a server without names */
    r = ask(CM_CERT_SERVER, "Server");
    r.n_dns = CM_CERT_SANS_MAX + 1;
    refused("CERT_REQUEST", r);
    refused("CERT_REQUEST", ask(CM_CERT_CLIENT, "Mid")); /* the issuer's own name */
    refused("CERT_REQUEST", ask(CM_CERT_CLIENT, ""));
    refused("CERT_REQUEST", ask(CM_CERT_CLIENT, long_name));
    refused("CERT_REQUEST", ask(CM_CERT_CLIENT, "a\nb"));
    refused("CERT_REQUEST", ask(CM_CERT_CLIENT, "\xc3"));
    refused("CERT_REQUEST", ask(CM_CERT_ROOT, "Root"));
    refused("CERT_REQUEST", ask((cm_cert_role)9, "Root"));
    r = ask(CM_CERT_CLIENT, "Client");
    r.not_after = r.not_before;
    refused("CERT_REQUEST", r);
    r.not_after = 253402300800;
    refused("CERT_REQUEST", r);
    r.not_after = UINT64_MAX;
    refused("CERT_REQUEST", r);
    r = ask(CM_CERT_CLIENT, "Client");
    assert_reason(cm_cert_root(&none, c, root_key, &r), CERT_REQUEST);
}

/* K-64 */
static void issuers(void **state)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *deep = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *public = NULL;
    cm_cert_request r = ask(CM_CERT_INTERMEDIATE, "Deep");
    cm_cert *none = NULL;

    (void)state;
    assert_reason(issue(&none, mid, mid_key, other_key, r), CERT_ISSUER); /* path length spent */
    r.pathlen = 1;
    assert_reason(issue(&none, root, root_key, other_key, r), CERT_ISSUER);
    r.pathlen = 0;
    assert_good(issue(&deep, root, root_key, other_key, r));
    assert_reason(issue(&none, mid, root_key, other_key, ask(CM_CERT_CLIENT, "C")), CERT_ISSUER);
    assert_reason(issue(&none, server, leaf_key, other_key, ask(CM_CERT_CLIENT, "C")), CERT_ISSUER);
    assert_good(cm_pkey_public_of(&public, c, mid_key));
    assert_reason(issue(&none, mid, public, other_key, ask(CM_CERT_CLIENT, "C")), KEY_NOT_PRIVATE);
    assert_null(none);
}

/* K-65 */
static void outlives(void **state)
{
    cm_cert_request r = ask(CM_CERT_CLIENT, "Client");
    CM_AUTO(cm_cert_free_ptr) cm_cert *edge = NULL;

    (void)state;
    r.not_after = t0 + 1825 * (uint64_t)DAY;
    assert_good(issue(&edge, mid, mid_key, leaf_key, r));
    r.not_after++;
    refused("CERT_OUTLIVES_ISSUER", r);
    r = ask(CM_CERT_CLIENT, "Client");
    r.not_before = t0 - 1;
    refused("CERT_OUTLIVES_ISSUER", r);
}

/* K-66 */
static void signing_requests(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX}, der = {.max = CM_CERT_FILE_MAX};
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    cm_cert_request wants = ask(CM_CERT_SERVER, "Wants"), gets = ask(CM_CERT_CLIENT, "Ignored");
    const cm_cert_trust as_client = {.use = CM_CERT_FOR_CLIENT, .host = CM_LIT("kms.example")};
    cm_cert *none = NULL;
    cm_view label, text;
    cm_cert_info info;

    (void)state;
    assert_good(cm_csr_write(&csr, c, leaf_key, &wants));
    assert_good(cm_csr_issue(&cert, c, mid, mid_key, cm_buf_view(&csr), &gets));
    assert_good(cm_cert_describe(&info, c, cert));
    assert_string_equal(info.subject, "CN=Wants,O=Casemate");
    assert_false(info.ca);
    assert_good(verify(cert, mid, root, as_client)); /* the issuer's role, the request's names */
    text = cm_buf_view(&csr);
    assert_good(cm_pem_next(&der, &label, &text));
    for (size_t i = 0; i < der.n; i += der.n < 4000 ? 1 : 37) {
        cm_err e;

        der.p[i] ^= 1;
        e = cm_csr_issue(&none, c, mid, mid_key, cm_buf_view(&der), &gets);
        assert_true(cm_failed(e));
        assert_null(none);
        der.p[i] ^= 1;
    }
    der.p[der.n - 1] ^= 1;
    assert_reason(cm_csr_issue(&none, c, mid, mid_key, cm_buf_view(&der), &gets), CERT_SIGNATURE);
    der.p[der.n - 1] ^= 1;
    assert_good(cm_buf_byte(&der, 0));
    assert_reason(cm_csr_issue(&none, c, mid, mid_key, cm_buf_view(&der), &gets), KEY_TRAILING);
    gets.role = CM_CERT_ROOT;
    der.n--;
    assert_reason(cm_csr_issue(&none, c, mid, mid_key, cm_buf_view(&der), &gets), CERT_REQUEST);
}

/* No changed certificate verifies, and no cut one is read. */
static void altered(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};

    (void)state;
    assert_good(cm_cert_write_der(&der, server));
    for (size_t i = 0; i < der.n; i += 3) {
        CM_AUTO(cm_cert_free_ptr) cm_cert *x = NULL;

        der.p[i] ^= 0x20;
        if (cm_ok(cm_cert_read(&x, c, cm_buf_view(&der))))
            assert_true(cm_failed(verify(x, mid, root, (cm_cert_trust){0})));
        der.p[i] ^= 0x20;
    }
    for (size_t n = 0; n < der.n; n += 7) {
        cm_cert *none = NULL;

        assert_true(cm_failed(cm_cert_read(&none, c, cm_view_of(der.p, n))));
        assert_null(none);
    }
}

static void certificate_files(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_CERT_FILE_MAX}, der = {.max = CM_CERT_FILE_MAX};
    CM_AUTO(cm_certs_free) cm_certs l = {0};
    CM_AUTO(cm_cert_free_ptr) cm_cert *one = NULL;
    cm_certs none = {0};

    (void)state;
    assert_good(cm_cert_write(&file, server));
    assert_good(cm_cert_read(&one, c, cm_buf_view(&file)));
    assert_good(cm_cert_write(&file, mid));
    assert_reason(cm_cert_read(&one, c, cm_buf_view(&file)), KEY_TRAILING);
    assert_good(cm_cert_write(&file, root));
    assert_good(cm_certs_read(&l, c, cm_buf_view(&file)));
    assert_int_equal(l.n, 3);
    assert_good(verify(l.v[0], l.v[1], l.v[2], (cm_cert_trust){0}));
    for (size_t i = l.n; i <= CM_CERT_CHAIN_MAX; i++)
        assert_good(cm_cert_write(&file, root));
    assert_reason(cm_certs_read(&none, c, cm_buf_view(&file)), TOO_BIG);
    assert_reason(cm_certs_read(&none, c, CM_LIT("")), CERT_MALFORMED);
    assert_reason(cm_certs_read(&none, c, CM_LIT("text")), CERT_MALFORMED);
    assert_int_equal(none.n, 0);
    assert_good(cm_cert_write_der(&der, root));
    assert_good(cm_buf_byte(&der, 0));
    assert_reason(cm_cert_read(&one, c, cm_buf_view(&der)), KEY_TRAILING);
    cm_cert_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains),
        cmocka_unit_test(times),
        cmocka_unit_test(host_names),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(classical_leaf),
        cmocka_unit_test(serials),
        cmocka_unit_test(extensions),
        cmocka_unit_test(requests),
        cmocka_unit_test(issuers),
        cmocka_unit_test(outlives),
        cmocka_unit_test(signing_requests),
        cmocka_unit_test(altered),
        cmocka_unit_test(certificate_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
