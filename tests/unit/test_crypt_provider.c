/* ML-DSA keys for libssl: our signatures, OpenSSL's verification, and nothing else leaves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "crypt/mldsa_int.h"
#include "fips.h"

static cm_crypt *crypt_;

static const cm_view msg_ = {(const uint8_t *)"a handshake so far", 18};

static const char *provider_of(const EVP_PKEY *k)
{
    return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(k));
}

static EVP_PKEY *own(cm_sig_key **key, cm_sig_id id)
{
    EVP_PKEY *k = NULL;
    cm_err e;

    assert_true(cm_ok(cm_sig_generate(key, crypt_, id)));
    e = cm_sig_evp(&k, *key);
    if (!cm_mldsa_can_sign(*key)) {
        assert_true(cm_is(e, CM_CRYPT_ALGORITHM));
        return NULL;
    }
    assert_true(cm_ok(e));
    assert_string_equal(provider_of(k), "casemate");
    return k;
}

static size_t sign(EVP_PKEY *k, uint8_t *sig, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 0;

    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, NULL, crypt_->lib, NULL, k, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, NULL, &n, msg_.p, msg_.n), 1);
    assert_true(n <= room);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, msg_.p, msg_.n), 1);
    EVP_MD_CTX_free(ctx);
    return n;
}

static void signs_what_others_verify(void **state)
{
    static const cm_sig_id ids[] = {CM_SIG_MLDSA44, CM_SIG_MLDSA65, CM_SIG_MLDSA87};
    uint8_t sig[4627];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
        EVP_PKEY *k = own(&key, ids[i]);

        if (!k)
            continue;
        assert_int_equal(sign(k, sig, sizeof sig), cm_sig_key_info(key)->sig);
        assert_true(cm_ok(cm_verify_raw(key, msg_, cm_view_of(sig, cm_sig_key_info(key)->sig))));
        assert_int_equal(EVP_PKEY_get_size(k), cm_sig_key_info(key)->sig);
        EVP_PKEY_free(k);
    }
}

/* A copy: it lives on without the key that it was made of. */
static void outlives_its_key(void **state)
{
    cm_sig_key *key = NULL;
    EVP_PKEY *k = own(&key, CM_SIG_MLDSA65);
    uint8_t sig[3309];

    (void)state;
    cm_sig_key_free(key);
    if (k)
        assert_int_equal(sign(k, sig, sizeof sig), sizeof sig);
    EVP_PKEY_free(k);
}

static void gives_its_public_half_alone(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *other = NULL;
    EVP_PKEY *k = own(&key, CM_SIG_MLDSA65);
    OSSL_PARAM *all = NULL;
    uint8_t b[4896];
    size_t n;

    (void)state;
    if (!k)
        return;
    assert_true(cm_ok(cm_sig_generate(&other, crypt_, CM_SIG_MLDSA65)));
    assert_int_equal(EVP_PKEY_eq(key->pkey, k), 1);
    assert_int_not_equal(EVP_PKEY_eq(other->pkey, k), 1);
    assert_int_equal(EVP_PKEY_todata(k, EVP_PKEY_KEYPAIR, &all), 1);
    assert_non_null(OSSL_PARAM_locate(all, OSSL_PKEY_PARAM_PUB_KEY));
    assert_null(OSSL_PARAM_locate(all, OSSL_PKEY_PARAM_PRIV_KEY));
    assert_null(OSSL_PARAM_locate(all, OSSL_PKEY_PARAM_ML_DSA_SEED));
    OSSL_PARAM_free(all);
    assert_int_not_equal(
        EVP_PKEY_get_octet_string_param(k, OSSL_PKEY_PARAM_PRIV_KEY, b, sizeof b, &n), 1);
    assert_int_not_equal(
        EVP_PKEY_get_octet_string_param(k, OSSL_PKEY_PARAM_ML_DSA_SEED, b, sizeof b, &n), 1);
    EVP_PKEY_free(k);
}

/* Whoever names no provider gets OpenSSL's own, ML-DSA included. */
static void nobody_else_meets_it(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    EVP_PKEY *k = EVP_PKEY_Q_keygen(crypt_->lib, NULL, "ML-DSA-65");

    (void)state;
    assert_non_null(k);
    assert_string_equal(provider_of(k), "default");
    EVP_PKEY_free(k);
    assert_true(cm_ok(cm_sig_generate(&key, crypt_, CM_SIG_MLDSA65)));
    assert_string_equal(provider_of(key->pkey), "default");
}

static void takes_private_mldsa_keys_alone(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pub = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *curve = NULL;
    EVP_PKEY *k = NULL;

    (void)state;
    assert_true(cm_ok(cm_sig_generate(&key, crypt_, CM_SIG_MLDSA44)));
    assert_true(cm_ok(cm_sig_from_public(&pub, crypt_, CM_SIG_MLDSA44, cm_sig_public(key))));
    assert_true(cm_ok(cm_sig_generate(&curve, crypt_, CM_SIG_P256)));
    assert_true(cm_is(cm_sig_evp(&k, pub), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_sig_evp(&k, curve), CM_CRYPT_ALGORITHM));
    assert_null(k);
}

static void the_fips_profile_has_none(void **state)
{
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *fips = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    EVP_PKEY *k = NULL;

    (void)state;
    if (!t_fips_there())
        skip();
    assert_true(cm_ok(t_fips_new(&fips, NULL)));
    assert_int_equal(OSSL_PROVIDER_available(fips->lib, "casemate"), 0);
    assert_true(cm_ok(cm_sig_generate(&key, fips, CM_SIG_MLDSA44)));
    assert_true(cm_is(cm_sig_evp(&k, key), CM_CRYPT_ALGORITHM));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_what_others_verify),
        cmocka_unit_test(outlives_its_key),
        cmocka_unit_test(gives_its_public_half_alone),
        cmocka_unit_test(nobody_else_meets_it),
        cmocka_unit_test(takes_private_mldsa_keys_alone),
        cmocka_unit_test(the_fips_profile_has_none),
    };
    int failed;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(crypt_);
    return failed;
}
