/* Keys and certificates while memory and randomness fail at each call below them in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fault.h"
#include "pki/ca.h"
#include "pki/pki_int.h"

enum { START = 1000, END = 5000, NOW = 2000 };

static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_PROVIDER, FAULT_RANDOM};
static const char *const algorithms[] = {"X-Wing", "ML-DSA-44", "P-256", "Ed25519",
                                         "ML-DSA-65+Ed25519"};
static const cm_protect open_file = {.mode = CM_PROTECT_NONE};
static const cm_view pass = {(const uint8_t *)"correct horse", 13};
static cm_crypt *c;

static int setup(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(c);
    return 0;
}

/* Want of memory or of randomness: neither that somebody sent something bad, nor success. */
static void assert_ours(cm_err e)
{
    cm_class cls = cm_err_class(e);

    if (cls != CM_CLASS_EXHAUSTED && cls != CM_CLASS_INTERNAL)
        print_error("%s\n", cm_err_name(e));
    assert_true(cls == CM_CLASS_EXHAUSTED || cls == CM_CLASS_INTERNAL);
}

static void assert_same(const cm_pkey *a, const cm_pkey *b)
{
    uint8_t x[CM_FINGERPRINT], y[CM_FINGERPRINT];

    assert_true(cm_ok(cm_pkey_fingerprint(x, c, a)));
    assert_true(cm_ok(cm_pkey_fingerprint(y, c, b)));
    assert_memory_equal(x, y, sizeof x);
}

/* One round of reading: the whole key or none. */
static void read_once(cm_view file, const cm_pkey_reading *o, const cm_pkey *want)
{
    cm_pkey *k = NULL;
    cm_err e = cm_pkey_read(&k, c, file, o);

    fault_pause();
    if (cm_failed(e)) {
        assert_true(fault_hit());
        assert_null(k);
        assert_ours(e);
    } else {
        assert_same(want, k);
    }
    cm_pkey_free(k);
}

static void reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(algorithms); i++)
        for (size_t j = 0; j < CM_COUNT(kinds); j++) {
            CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX};
            CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_KEYFILE_MAX};
            CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

            assert_true(cm_ok(cm_pkey_generate(&k, c, cm_view_str(algorithms[i]))));
            assert_true(cm_ok(cm_pkey_write_private(&file, c, k, &open_file)));
            assert_true(cm_ok(cm_pkey_write_public(&pub, k)));
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                read_once(cm_buf_view(&file), NULL, k);
            fault_begin(kinds[j], ENOMEM);
            while (fault_next())
                read_once(cm_buf_view(&pub), NULL, k);
        }
}

/* The derivations are cheap here, below what a file may be written with. */
static void unlocking(void **state)
{
    const cm_protect low = {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {8, 1, 1}};
    const cm_protect rounds = {.mode = CM_PROTECT_PBES2, .passphrase = pass, .rounds = 10};
    const cm_pkey_reading o = {0};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

    (void)state;
    assert_true(cm_ok(cm_pkey_generate(&k, c, CM_LIT("ML-DSA-65"))));
    assert_true(cm_ok(cm_pkey_private_der(&der, k)));
    for (size_t i = 0; i < 2 * CM_COUNT(kinds); i++) {
        fault_begin(kinds[i / 2], ENOMEM);
        while (fault_next()) {
            CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
            cm_err e = i % 2 ? cm_pbes2_lock(&a, c, &rounds, cm_buf_view(&der))
                             : cm_argon2_lock(&a, c, &low, cm_buf_view(&der));

            if (cm_ok(e))
                e = i % 2 ? cm_pbes2_unlock(&b, c, pass, cm_buf_view(&a), &o)
                          : cm_argon2_unlock(&b, c, pass, cm_buf_view(&a), &o);
            fault_pause();
            if (cm_failed(e))
                assert_ours(e);
            else
                assert_true(cm_view_eq(cm_buf_view(&der), cm_buf_view(&b)));
            assert_true(fault_hit() || cm_ok(e));
        }
    }
}

static void writing(void **state)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

    (void)state;
    assert_true(cm_ok(cm_pkey_generate(&k, c, CM_LIT("ML-DSA-87+Ed25519"))));
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next()) {
        CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
        cm_err e = cm_pkey_write_private(&a, c, k, &open_file);
        cm_err f = cm_pkey_write_public(&b, k);

        fault_pause();
        assert_true(fault_hit() || (cm_ok(e) && cm_ok(f)));
        if (cm_failed(e)) {
            assert_ours(e);
            assert_int_equal(a.n, 0);
        }
        if (cm_failed(f)) {
            assert_ours(f);
            assert_int_equal(b.n, 0);
        }
    }
}

/* ---- certificates -------------------------------------------------------------------------- */

static cm_pkey *ca_key;
static cm_cert *ca;

static cm_cert_request ask(cm_cert_role role)
{
    static const cm_view dns = {(const uint8_t *)"kms.example", 11};

    return (cm_cert_request){
        .role = role,
        .common_name = role == CM_CERT_ROOT ? CM_LIT("Root") : CM_LIT("Server"),
        .dns = &dns,
        .n_dns = role == CM_CERT_SERVER,
        .not_before = START,
        .not_after = END,
    };
}

static int make_ca(void **state)
{
    cm_cert_request r = ask(CM_CERT_ROOT);

    (void)state;
    return cm_ok(cm_pkey_generate(&ca_key, c, CM_LIT("Ed25519"))) &&
                   cm_ok(cm_cert_root(&ca, c, ca_key, &r))
               ? 0
               : -1;
}

static int free_ca(void **state)
{
    (void)state;
    cm_pkey_free(ca_key);
    cm_cert_free(ca);
    return 0;
}

/* A request is written, honoured, and what is issued verifies; or one step fails for want of
 * something, and never because the certificate were untrusted. */
static cm_err life(cm_cert **cert)
{
    CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX};
    cm_cert_request r = ask(CM_CERT_SERVER);
    const cm_certs roots = {{ca}, 1};
    const cm_cert_trust t = {.roots = &roots, .now = NOW, .host = CM_LIT("kms.example")};

    CM_TRY(cm_csr_write(&csr, c, ca_key, &r));
    CM_TRY(cm_csr_issue(cert, c, ca, ca_key, cm_buf_view(&csr), &r));
    return cm_cert_verify(c, *cert, &t);
}

static void certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
            cm_err e = life(&cert);

            fault_pause();
            assert_true(fault_hit() || cm_ok(e));
            if (cm_failed(e))
                assert_ours(e);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(unlocking),
        cmocka_unit_test(writing),
        cmocka_unit_test_setup_teardown(certificates, make_ca, free_ca),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
