/* Keys and certificates on OpenSSL's FIPS provider: what it serves works, the rest says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki/ca.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)

enum { SKIPPED = 77 };

static cm_crypt *c;
static const cm_view pass = {(const uint8_t *)"a passphrase", 12};

static void key_files(void **state)
{
    static const char *const names[] = {"ML-KEM-768", "ML-DSA-65", "ML-DSA-65+Ed25519", "Ed25519",
                                        "P-256",      "P-384",     "SLH-DSA-SHA2-128f"};
    const cm_protect pbes2 = {.mode = CM_PROTECT_PBES2, .passphrase = pass};
    const cm_protect argon2 = {.mode = CM_PROTECT_ARGON2, .passphrase = pass};
    const cm_pkey_reading o = {.pass = cm_passphrase_of(&pass)};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *again = NULL, *pub = NULL;
        CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};

        assert_reason(cm_pkey_generate(&k, c, cm_view_str(names[i])), OK);
        assert_reason(cm_pkey_write_private(&a, c, k, &pbes2), OK);
        assert_reason(cm_pkey_read(&again, c, cm_buf_view(&a), &o), OK);
        assert_string_equal(cm_pkey_algorithm(again), names[i]);
        assert_reason(cm_pkey_write_public(&b, k), OK);
        assert_reason(cm_pkey_read(&pub, c, cm_buf_view(&b), NULL), OK);
        b.n = 0;
        assert_reason(cm_pkey_write_private(&b, c, k, &argon2), CRYPT_PROFILE);
        assert_int_equal(b.n, 0);
    }
}

static void refused_keys(void **state)
{
    static const char *const names[] = {"X-Wing", "X25519", "secp256k1"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        cm_pkey *none = NULL;

        assert_reason(cm_pkey_generate(&none, c, cm_view_str(names[i])), CRYPT_PROFILE);
        assert_null(none);
    }
}

static void certificates(void **state)
{
    static const char *const names[] = {"ML-DSA-87", "SLH-DSA-SHA2-128f", "P-384", "Ed25519"};
    cm_cert_request top = {
        .role = CM_CERT_ROOT, .common_name = CM_LIT("Root"), .not_before = 1000, .not_after = 3000};
    cm_cert_request leaf = {.role = CM_CERT_CLIENT,
                            .common_name = CM_LIT("Leaf"),
                            .not_before = 1000,
                            .not_after = 3000};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *l = NULL;
        CM_AUTO(cm_cert_free_ptr) cm_cert *root = NULL, *cert = NULL;
        CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX};
        cm_certs roots = {.n = 1};
        cm_cert_trust t = {.roots = &roots, .now = 2000, .use = CM_CERT_FOR_CLIENT};

        assert_reason(cm_pkey_generate(&k, c, cm_view_str(names[i])), OK);
        assert_reason(cm_pkey_generate(&l, c, CM_LIT("ML-DSA-44")), OK);
        assert_reason(cm_cert_root(&root, c, k, &top), OK);
        assert_reason(cm_csr_write(&csr, c, l, &leaf), OK);
        assert_reason(cm_csr_issue(&cert, c, root, k, cm_buf_view(&csr), &leaf), OK);
        roots.v[0] = root;
        assert_reason(cm_cert_verify(c, cert, &t), OK);
        t.now = 3001;
        assert_reason(cm_cert_verify(c, cert, &t), CERT_EXPIRED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_files),
        cmocka_unit_test(refused_keys),
        cmocka_unit_test(certificates),
    };
    const char *dir = getenv("CASEMATE_FIPS_MODULES"), *conf = getenv("CASEMATE_FIPS_CONF");
    int failed;

    if (!dir || !conf || access(conf, R_OK) != 0) {
        puts("SKIP: no FIPS provider (CASEMATE_FIPS_MODULES, CASEMATE_FIPS_CONF)");
        return SKIPPED;
    }
    if (cm_failed(cm_crypt_new_fips(&c, dir, conf)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(c);
    return failed;
}
