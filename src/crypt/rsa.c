/* RSA over the provider's EVP_PKEY. */
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/ct.h"
#include "crypt/crypt_int.h"
#include "crypt/rsa.h"

struct cm_rsa {
    const cm_crypt *crypt;
    EVP_PKEY *key;
    unsigned bits;
    bool secret;
};

CM_CRYPT_SCOPED(PKCS8_PRIV_KEY_INFO, pkcs8)

static void bn_done(BIGNUM **b)
{
    BN_free(*b);
}

static void bn_clear_done(BIGNUM **b)
{
    BN_clear_free(*b);
}

static bool is_one_of(unsigned bits)
{
    return bits == 2048 || bits == 4096;
}

static bool has_exponent(const EVP_PKEY *key)
{
    CM_AUTO(bn_done) BIGNUM *e = NULL;

    return EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, 65537);
}

static bool two_primes(const EVP_PKEY *key)
{
    CM_AUTO(bn_clear_done) BIGNUM *third = NULL;

    return EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) != 1;
}

/* What every key must be; *key is moved. */
static cm_err made(cm_rsa **out, const cm_crypt *c, EVP_PKEY **key, bool secret)
{
    int bits = *key && EVP_PKEY_is_a(*key, "RSA") ? EVP_PKEY_get_bits(*key) : 0;

    if (bits <= 0 || !is_one_of((unsigned)bits) || !has_exponent(*key) ||
        (secret && !two_primes(*key)))
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    (void)cm_crypt_fail(CM_CRYPT_BAD_KEY); /* asking for a third prime left an error */
    CM_TRY(cm_alloc(out, sizeof **out));
    **out = (cm_rsa){c, *key, (unsigned)bits, secret};
    *key = NULL;
    return CM_OKAY;
}

cm_err cm_rsa_generate(cm_rsa **out, const cm_crypt *c, unsigned bits)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *x = NULL;
    CM_AUTO(cm_evp_pkey_done) EVP_PKEY *key = NULL;

    if (!is_one_of(bits))
        return CM_FAIL(BAD_ARGUMENT);
    x = EVP_PKEY_CTX_new_from_name(c->lib, "RSA", cm_crypt_propq(c));
    if (!x)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_keygen_init(x));
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_keygen_bits(x, (int)bits));
    CM_TRY_SSL(EVP_PKEY_generate(x, &key));
    return made(out, c, &key, true);
}

static cm_err read_private(cm_rsa **out, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_pkcs8_done) PKCS8_PRIV_KEY_INFO *info = NULL;
    CM_AUTO(cm_evp_pkey_done) EVP_PKEY *key = NULL;
    const uint8_t *p = der.p;

    if (der.n == 0 || der.n > CM_RSA_DER_MAX)
        return CM_FAIL(CRYPT_BAD_KEY);
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
    if (!info || p != der.p + der.n)
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    key = EVP_PKCS82PKEY_ex(info, c->lib, cm_crypt_propq(c));
    return key ? made(out, c, &key, true) : cm_crypt_fail(CM_CRYPT_BAD_KEY);
}

static cm_err check_private(const cm_rsa *k, cm_view der)
{
    CM_AUTO(cm_evp_pkey_ctx_done)
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->key, cm_crypt_propq(k->crypt));
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_RSA_DER_MAX};

    if (!x)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    if (EVP_PKEY_check(x) != 1)
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    CM_TRY(cm_rsa_private_der(&again, k));
    return cm_ct_equal(cm_buf_view(&again), der) ? CM_OKAY : CM_FAIL(CRYPT_BAD_KEY);
}

cm_err cm_rsa_from_private(cm_rsa **out, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *k = NULL;

    CM_TRY(read_private(&k, c, der));
    CM_TRY(check_private(k, der));
    *out = k;
    k = NULL;
    return CM_OKAY;
}

cm_err cm_rsa_from_own(cm_rsa **out, const cm_crypt *c, cm_view der)
{
    return read_private(out, c, der);
}

cm_err cm_rsa_from_public(cm_rsa **out, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_evp_pkey_done) EVP_PKEY *key = NULL;
    const uint8_t *p = der.p;

    if (der.n == 0 || der.n > CM_RSA_DER_MAX)
        return CM_FAIL(CRYPT_BAD_KEY);
    key = d2i_PUBKEY_ex(NULL, &p, (long)der.n, c->lib, cm_crypt_propq(c));
    if (!key || p != der.p + der.n)
        return cm_crypt_fail(CM_CRYPT_BAD_KEY);
    return made(out, c, &key, false);
}

void cm_rsa_free(cm_rsa *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    cm_free(k);
}

void cm_rsa_free_ptr(cm_rsa **k)
{
    cm_rsa_free(*k);
}

unsigned cm_rsa_bits(const cm_rsa *k)
{
    return k->bits;
}

static cm_err put_der(cm_buf *out, uint8_t *der, int n)
{
    cm_err e = der && n > 0 ? cm_buf_append(out, cm_view_of(der, (size_t)n))
                            : cm_crypt_fail(CM_CRYPT_PROVIDER);

    if (der && n > 0)
        OPENSSL_clear_free(der, (size_t)n);
    return e;
}

cm_err cm_rsa_private_der(cm_buf *out, const cm_rsa *k)
{
    CM_AUTO(cm_pkcs8_done) PKCS8_PRIV_KEY_INFO *info = NULL;
    uint8_t *der = NULL;
    int n;

    if (!k->secret)
        return CM_FAIL(CRYPT_NO_PRIVATE);
    info = EVP_PKEY2PKCS8(k->key);
    n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;
    return put_der(out, der, n);
}

cm_err cm_rsa_public_der(cm_buf *out, const cm_rsa *k)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(k->key, &der);

    return put_der(out, der, n);
}

static cm_err padding(EVP_PKEY_CTX *x, cm_rsa_padding p)
{
    if (p == CM_RSA_PKCS1) {
        CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_PADDING));
        return CM_OKAY;
    }
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_PSS_PADDING));
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_pss_saltlen(x, RSA_PSS_SALTLEN_DIGEST));
    return CM_OKAY;
}

static cm_err digest_of(uint8_t out[32], const cm_rsa *k, bool digested, cm_view v)
{
    if (!digested)
        return cm_hash_once(k->crypt, CM_SHA256, out, v);
    if (v.n != 32)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(out, v.p, 32);
    return CM_OKAY;
}

static cm_err ready(EVP_PKEY_CTX **x, const cm_rsa *k)
{
    *x = EVP_PKEY_CTX_new_from_pkey(k->crypt->lib, k->key, cm_crypt_propq(k->crypt));
    return *x ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

cm_err cm_rsa_sign(const cm_rsa *k, uint8_t *sig, cm_rsa_padding p, bool digested, cm_view v)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *x = NULL;
    uint8_t digest[32], made_sig[CM_RSA_SIG_MAX];
    size_t n = sizeof made_sig;

    if (!k->secret)
        return CM_FAIL(CRYPT_NO_PRIVATE);
    CM_TRY(digest_of(digest, k, digested, v));
    CM_TRY(ready(&x, k));
    CM_TRY_SSL(EVP_PKEY_sign_init(x));
    CM_TRY(padding(x, p));
    CM_TRY_SSL(EVP_PKEY_CTX_set_signature_md(x, k->crypt->md[CM_SHA256]));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_sign(x, made_sig, &n, digest, sizeof digest));
    CM_TRY(cm_crypt_watched());
    if (n != k->bits / 8)
        return CM_FAIL(CRYPT_PROVIDER);
    memcpy(sig, made_sig, n);
    return CM_OKAY;
}

cm_err cm_rsa_verify(const cm_rsa *k, cm_rsa_padding p, bool digested, cm_view v, cm_view sig)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *x = NULL;
    uint8_t digest[32];

    CM_TRY(digest_of(digest, k, digested, v));
    if (sig.n != k->bits / 8)
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(ready(&x, k));
    CM_TRY_SSL(EVP_PKEY_verify_init(x));
    CM_TRY(padding(x, p));
    CM_TRY_SSL(EVP_PKEY_CTX_set_signature_md(x, k->crypt->md[CM_SHA256]));
    if (EVP_PKEY_verify(x, sig.p, sig.n, digest, sizeof digest) != 1)
        return cm_crypt_fail(CM_CRYPT_SIGNATURE);
    return CM_OKAY;
}

cm_err cm_rsa_oaep_seal(const cm_rsa *k, uint8_t *out, const cm_key32 *key)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *x = NULL;
    uint8_t made_block[CM_RSA_SIG_MAX];
    size_t n = sizeof made_block;

    CM_TRY(ready(&x, k));
    CM_TRY_SSL(EVP_PKEY_encrypt_init(x));
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_OAEP_PADDING));
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_oaep_md(x, k->crypt->md[CM_SHA256]));
    CM_TRY_SSL(EVP_PKEY_CTX_set_rsa_mgf1_md(x, k->crypt->md[CM_SHA256]));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_encrypt(x, made_block, &n, key->b, sizeof key->b));
    CM_TRY(cm_crypt_watched());
    if (n != k->bits / 8)
        return CM_FAIL(CRYPT_PROVIDER);
    memcpy(out, made_block, n);
    return CM_OKAY;
}
