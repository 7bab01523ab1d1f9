/* Public keys out of numbers, and signatures under keys of any kind. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "attest/attest_int.h"
#include "crypt/ossl.h"

enum { RSA_BYTES_MIN = 256, RSA_BYTES_MAX = 512, POINT_MAX = 1 + 2 * 66 };

CM_ATTEST_SCOPED(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
CM_ATTEST_SCOPED(EVP_MD_CTX, md, EVP_MD_CTX_free)
CM_ATTEST_SCOPED(OSSL_PARAM_BLD, build, OSSL_PARAM_BLD_free)
CM_ATTEST_SCOPED(OSSL_PARAM, params, OSSL_PARAM_free)
CM_ATTEST_SCOPED(BIGNUM, bn, BN_free)

static cm_err from_params(EVP_PKEY **out, const cm_crypt *c, const char *type, OSSL_PARAM *params)
{
    CM_AUTO(cm_attest_pkey_ctx_done)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(cm_crypt_libctx(c), type, cm_crypt_propq(c));

    if (!ctx)
        return CM_FAIL(NO_MEMORY);
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) != 1)
        *out = NULL;
    ERR_clear_error();
    return CM_OKAY;
}

cm_err cm_rsa_numbers(EVP_PKEY **out, const cm_crypt *c, cm_view n, cm_view e)
{
    CM_AUTO(cm_attest_build_done) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    CM_AUTO(cm_attest_bn_done) BIGNUM *bn_n = BN_bin2bn(n.p, (int)n.n, NULL);
    CM_AUTO(cm_attest_bn_done) BIGNUM *bn_e = BN_bin2bn(e.p, (int)e.n, NULL);
    CM_AUTO(cm_attest_params_done) OSSL_PARAM *params = NULL;

    *out = NULL;
    if (n.n < RSA_BYTES_MIN || n.n > RSA_BYTES_MAX || e.n == 0 || e.n > 4 || !(n.p[0] & 0x80))
        return CM_OKAY;
    if (!b || !bn_n || !bn_e || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1 ||
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1)
        return CM_FAIL(NO_MEMORY);
    params = OSSL_PARAM_BLD_to_param(b);
    return params ? from_params(out, c, "RSA", params) : CM_FAIL(NO_MEMORY);
}

static size_t group_bytes(cm_view group)
{
    if (cm_view_eq(group, CM_LIT("prime256v1")))
        return 32;
    if (cm_view_eq(group, CM_LIT("secp384r1")))
        return 48;
    return cm_view_eq(group, CM_LIT("secp521r1")) ? 66 : 0;
}

/* A TPM leaves zeros in front away. */
static void put_padded(uint8_t *to, size_t n, cm_view v)
{
    memcpy(to + n - v.n, v.p, v.n);
}

cm_err cm_ec_numbers(EVP_PKEY **out, const cm_crypt *c, const char *group, cm_view x, cm_view y)
{
    size_t n = group_bytes(cm_view_str(group));
    char name[16] = {0};
    uint8_t point[POINT_MAX] = {4};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("group", name, 0),
        OSSL_PARAM_construct_octet_string("pub", point, 1 + 2 * n),
        OSSL_PARAM_construct_end(),
    };

    *out = NULL;
    if (n == 0 || x.n == 0 || y.n == 0 || x.n > n || y.n > n)
        return CM_OKAY;
    memcpy(name, group, cm_view_str(group).n);
    put_padded(point + 1, n, x);
    put_padded(point + 1 + n, n, y);
    return from_params(out, c, "EC", params);
}

static const char *hash_name(cm_hash h)
{
    return h == CM_SHA512 ? "SHA512" : h == CM_SHA384 ? "SHA384" : "SHA256";
}

cm_err cm_verify_der(bool *good, const cm_crypt *c, EVP_PKEY *key, cm_hash hash, bool pss,
                     cm_view sig, cm_view message)
{
    CM_AUTO(cm_attest_md_done) EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;

    *good = false;
    if (!md)
        return CM_FAIL(NO_MEMORY);
    if (EVP_DigestVerifyInit_ex(md, &ctx, hash_name(hash), cm_crypt_libctx(c), cm_crypt_propq(c),
                                key, NULL) == 1 &&
        (!pss || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) == 1)))
        *good = EVP_DigestVerify(md, sig.p, sig.n, message.p, message.n) == 1;
    ERR_clear_error();
    return CM_OKAY;
}

cm_err cm_x509_key_digest(uint8_t out[32], const cm_crypt *c, const X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    cm_err e =
        n > 0 ? cm_hash_once(c, CM_SHA256, out, cm_view_of(der, (size_t)n)) : CM_FAIL(NO_MEMORY);

    OPENSSL_free(der);
    return e;
}
