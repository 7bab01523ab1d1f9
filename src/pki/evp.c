#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/ct.h"
#include "base/secret.h"
#include "crypt/ossl.h"
#include "pki/pki_int.h"

enum { SECRET_MAX = 96, PARAMS_MAX = 4, EXPANDED_MAX = 4896 };

cm_err cm_pki_fail(cm_reason otherwise)
{
    bool memory = false;
    unsigned long e;

    while ((e = ERR_get_error()) != 0)
        memory = memory || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return memory ? CM_FAIL(NO_MEMORY) : (cm_err){(uint32_t)otherwise};
}

static void pctx_done(EVP_PKEY_CTX **p)
{
    EVP_PKEY_CTX_free(*p);
}

static void pkey_done(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

/* A secret on its way into a provider, which copies it. */
typedef struct {
    uint8_t b[SECRET_MAX];
} scratch;

static void scratch_wipe(scratch *s)
{
    cm_wipe(s, sizeof *s);
}

static OSSL_PARAM octets(const char *name, cm_view v)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)v.p, v.n);
}

/* Each form's private half under the name its provider gives it. */
static OSSL_PARAM secret_param(scratch *s, const cm_key_part *k)
{
    cm_view seed = k->seed;
    size_t root = k->pub.n / 2;

    if (k->alg->form == CM_FORM_CHOICE)
        return octets(OSSL_PKEY_PARAM_ML_DSA_SEED, seed); /* the same name for ML-KEM */
    if (k->alg->form == CM_FORM_SLH) {
        memcpy(s->b, seed.p, seed.n);
        memcpy(s->b + seed.n, k->pub.p + k->pub.n - root, root);
        return octets(OSSL_PKEY_PARAM_PRIV_KEY, cm_view_of(s->b, seed.n + root));
    }
    if (k->alg->form == CM_FORM_EC) {
        for (size_t i = 0; i < seed.n; i++) /* parameters hold integers in machine order */
            s->b[i] = seed.p[seed.n - 1 - i];
        return OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, s->b, seed.n);
    }
    return octets(OSSL_PKEY_PARAM_PRIV_KEY, seed);
}

static cm_err from_params(EVP_PKEY **out, const cm_crypt *c, const cm_pki_alg *a, int selection,
                          OSSL_PARAM *params)
{
    CM_AUTO(pctx_done)
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(cm_crypt_libctx(c), a->provider, cm_crypt_propq(c));
    EVP_PKEY *k = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        return cm_pki_fail(CM_KEY_ALGORITHM);
    CM_TRY_PKI(EVP_PKEY_fromdata(ctx, &k, selection, params));
    *out = k;
    return CM_OKAY;
}

cm_err cm_part_evp(EVP_PKEY **out, const cm_crypt *c, const cm_key_part *k, bool whole)
{
    CM_AUTO(scratch_wipe) scratch s;
    OSSL_PARAM p[PARAMS_MAX];
    size_t n = 0;

    if (!k->alg->provider)
        return CM_FAIL(KEY_ALGORITHM);
    if (whole && !k->has_private)
        return CM_FAIL(KEY_NOT_PRIVATE);
    if (whole && k->seed.n == 0)
        return CM_FAIL(KEY_NO_SEED);
    if (k->alg->group)
        p[n++] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                  (char *)(uintptr_t)k->alg->group, 0);
    if (!whole || k->alg->form == CM_FORM_EC)
        p[n++] = octets(OSSL_PKEY_PARAM_PUB_KEY, k->pub);
    if (whole)
        p[n++] = secret_param(&s, k);
    p[n] = OSSL_PARAM_construct_end();
    return from_params(out, c, k->alg, whole ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, p);
}

typedef struct {
    uint8_t *p;
} locked;

static void locked_free(locked *l)
{
    cm_secret_free(l->p, EXPANDED_MAX);
}

cm_err cm_part_expands_to(const cm_crypt *c, const cm_key_part *k, cm_view expanded)
{
    CM_AUTO(pkey_done) EVP_PKEY *key = NULL;
    CM_AUTO(locked_free) locked ours = {NULL};
    size_t n = 0;

    CM_TRY(cm_part_evp(&key, c, k, true));
    CM_TRY(cm_secret_new(&ours.p, EXPANDED_MAX));
    CM_TRY_PKI(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PRIV_KEY, ours.p, EXPANDED_MAX, &n));
    return cm_ct_equal(cm_view_of(ours.p, n), expanded) ? CM_OKAY : CM_FAIL(KEY_INCONSISTENT);
}
