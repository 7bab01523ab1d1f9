/* Our own ML-KEM against the provider's, on each kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/core_names.h>

#include "crypt/mlkem_int.h"

enum { ROUNDS = 20, SS = 32, DK_MAX = 3168 };

static cm_crypt *crypt_;
static const char *const names[] = {"", "", "ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"};
static const size_t pk_size[] = {0, 0, 800, 1184, 1568}, ct_size[] = {0, 0, 768, 1088, 1568};

static EVP_PKEY *provider_key(unsigned k, uint8_t seed[64])
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, seed, 64),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, names[k], NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
    assert_int_equal(EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(c);
    return key;
}

static size_t provider_bytes(const EVP_PKEY *key, const char *what, uint8_t *out, size_t max)
{
    size_t n = 0;

    assert_int_equal(EVP_PKEY_get_octet_string_param(key, what, out, max, &n), 1);
    return n;
}

static void provider_encap(EVP_PKEY *key, uint8_t *ct, uint8_t *ss, uint8_t m[32])
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, m, 32),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    size_t ct_n = CM_KEM_CT_MAX, ss_n = SS;

    assert_int_equal(EVP_PKEY_encapsulate_init(c, params), 1);
    assert_int_equal(EVP_PKEY_encapsulate(c, ct, &ct_n, ss, &ss_n), 1);
    EVP_PKEY_CTX_free(c);
}

static void provider_decap(EVP_PKEY *key, uint8_t *ss, const uint8_t *ct, size_t n)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    size_t ss_n = SS;

    assert_int_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
    assert_int_equal(EVP_PKEY_decapsulate(c, ss, &ss_n, ct, n), 1);
    EVP_PKEY_CTX_free(c);
}

/* Keys, ciphertexts and secrets of random seeds, right and mutated. */
static void one_round(cm_cpu_kind kind, unsigned k, unsigned round)
{
    uint8_t seed[64], m[32], pk[CM_KEM_PK_MAX], want_pk[CM_KEM_PK_MAX], ct[CM_KEM_CT_MAX],
        want_ct[CM_KEM_CT_MAX], ss[SS], want_ss[SS], dk[DK_MAX];
    cm_mlkem_own *o = NULL, *again = NULL;
    EVP_PKEY *key;
    size_t n;

    assert_true(cm_ok(cm_random(crypt_, seed, sizeof seed)));
    assert_true(cm_ok(cm_random(crypt_, m, sizeof m)));
    key = provider_key(k, seed);
    assert_true(cm_ok(cm_mlkem_own_seed(&o, kind, crypt_, k, seed, pk)));
    assert_int_equal(provider_bytes(key, OSSL_PKEY_PARAM_PUB_KEY, want_pk, sizeof want_pk),
                     pk_size[k]);
    assert_memory_equal(pk, want_pk, pk_size[k]);
    provider_encap(key, want_ct, want_ss, m);
    assert_true(cm_ok(cm_mlkem_own_encap(o, crypt_, ct, ss, m)));
    assert_memory_equal(ct, want_ct, ct_size[k]);
    assert_memory_equal(ss, want_ss, SS);
    n = provider_bytes(key, OSSL_PKEY_PARAM_PRIV_KEY, dk, sizeof dk);
    assert_true(cm_ok(cm_mlkem_own_expanded(&again, kind, crypt_, k, cm_view_of(dk, n), pk)));
    assert_memory_equal(pk, want_pk, pk_size[k]);
    for (unsigned i = 0; i < 4; i++) {
        ct[(31 * round + 7 * i) % ct_size[k]] ^= (uint8_t)(i ? 1u << round % 8 : 0);
        provider_decap(key, want_ss, ct, ct_size[k]);
        assert_true(cm_ok(cm_mlkem_own_decap(i % 2 ? o : again, crypt_, ss, ct)));
        assert_memory_equal(ss, want_ss, SS);
    }
    cm_mlkem_own_free(o);
    cm_mlkem_own_free(again);
    EVP_PKEY_free(key);
}

static void agrees_with_the_provider(void **state)
{
    (void)state;
    for (cm_cpu_kind kind = CM_CPU_PORTABLE; kind < CM_CPU_KINDS; kind++)
        for (unsigned k = 2; k <= 4 && cm_mlkem_kernel_of(kind); k++)
            for (unsigned i = 0; i < ROUNDS; i++)
                one_round(kind, k, i);
}

/* FIPS 203, 7.2 and 7.3: each coefficient at and past q, each byte of the hash. */
static void bad_keys_are_refused(void **state)
{
    uint8_t seed[64] = {1}, pk[CM_KEM_PK_MAX], dk[DK_MAX], out[CM_KEM_PK_MAX];
    EVP_PKEY *key = provider_key(2, seed);
    cm_mlkem_own *o = NULL;
    size_t n = provider_bytes(key, OSSL_PKEY_PARAM_PRIV_KEY, dk, sizeof dk);

    (void)state;
    (void)provider_bytes(key, OSSL_PKEY_PARAM_PUB_KEY, pk, sizeof pk);
    for (size_t i = 0; i < 768; i += 3) {
        uint8_t was[3] = {pk[i], pk[i + 1], pk[i + 2]};

        pk[i] = 0x01; /* 3329 */
        pk[i + 1] = (uint8_t)((was[1] & 0xf0) | 0xd);
        assert_true(
            cm_is(cm_mlkem_own_public(&o, cm_mlkem_best(), crypt_, 2, pk), CM_CRYPT_BAD_KEY));
        pk[i] = was[0];
        pk[i + 1] = (uint8_t)((was[1] & 0xf) | 0xf0); /* 4095 */
        pk[i + 2] = 0xff;
        assert_true(
            cm_is(cm_mlkem_own_public(&o, cm_mlkem_best(), crypt_, 2, pk), CM_CRYPT_BAD_KEY));
        memcpy(pk + i, was, sizeof was);
    }
    /* The hash of the public key, and a secret that is another public key's. */
    for (size_t i = 0; i < n - 32; i += i < 704 ? 64 : i < n - 64 ? n - 64 - i : 1) {
        dk[i] ^= 1;
        assert_true(
            cm_is(cm_mlkem_own_expanded(&o, cm_mlkem_best(), crypt_, 2, cm_view_of(dk, n), out),
                  CM_CRYPT_BAD_KEY));
        dk[i] ^= 1;
    }
    assert_true(
        cm_is(cm_mlkem_own_expanded(&o, cm_mlkem_best(), crypt_, 2, cm_view_of(dk, n - 1), out),
              CM_CRYPT_BAD_KEY));
    assert_null(o);
    EVP_PKEY_free(key);
}

/* Products in the ring, canonical, by both kernels, of greatest and random operands. */
static void kernels_agree(void **state)
{
    const cm_mlkem_kernel *f[] = {cm_mlkem_kernel_of(CM_CPU_PORTABLE),
                                  cm_mlkem_kernel_of(cm_mlkem_best())};

    (void)state;
    for (int round = 0; round < 200; round++) {
        uint16_t x[2][CM_MLKEM_K_MAX][CM_MLKEM_N];
        cm_kpoly got[2];

        assert_true(cm_ok(cm_random(crypt_, x, sizeof x)));
        for (int side = 0; side < 2; side++) {
            cm_kpoly a[CM_MLKEM_K_MAX], b[CM_MLKEM_K_MAX];

            for (size_t j = 0; j < CM_MLKEM_K_MAX; j++) {
                for (size_t i = 0; i < CM_MLKEM_N; i++) {
                    a[j].c[i] = (int16_t)(round < 2 ? 3328 : x[0][j][i] % 3329);
                    b[j].c[i] = (int16_t)(round % 2 ? -3328 : x[1][j][i] % 3329);
                }
                f[side]->ntt(&a[j]);
                f[side]->ntt(&b[j]);
            }
            f[side]->dot(&got[side], a, 1, b, CM_MLKEM_K_MAX);
            f[side]->intt(&got[side]);
            for (size_t i = 0; i < CM_MLKEM_N; i++)
                got[side].c[i] = (int16_t)((got[side].c[i] + 3329) % 3329);
        }
        assert_memory_equal(&got[0], &got[1], sizeof got[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_provider),
        cmocka_unit_test(bad_keys_are_refused),
        cmocka_unit_test(kernels_agree),
    };
    int rc;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(crypt_);
    return rc;
}
