#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypt/hpke_int.h"
#include "crypt/mlkem_int.h"

static OSSL_PARAM bytes_param(const char *name, cm_view v)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)v.p, v.n);
}

/* What the provider makes of one parameter of a key: bad when it refuses. It checks moduli and
 * hashes, and tries a private key on a message of its own. */
static cm_err import(cm_kem_key *k, const char *name, int selection, const char *param, cm_view v,
                     cm_reason bad)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;
    OSSL_PARAM params[] = {bytes_param(param, v), OSSL_PARAM_construct_end()};
    OSSL_LIB_CTX *lib = cm_crypt_libctx(k->crypt);

    CM_TRY(cm_kem_served(k->crypt, name));
    ctx = EVP_PKEY_CTX_new_from_name(lib, name, cm_crypt_propq(k->crypt));
    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_fromdata_init(ctx));
    if (EVP_PKEY_fromdata(ctx, &k->mlkem, selection, params) != 1)
        return cm_crypt_fail(bad);
    k->mlkem_ctx = EVP_PKEY_CTX_new_from_pkey(lib, k->mlkem, cm_crypt_propq(k->crypt));
    return k->mlkem_ctx ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

static cm_err export_public(cm_kem_key *k)
{
    size_t n = 0;

    CM_TRY_SSL(EVP_PKEY_get_octet_string_param(k->mlkem, OSSL_PKEY_PARAM_PUB_KEY, k->pk,
                                               sizeof k->pk, &n));
    return CM_OKAY;
}

/* Ours but in the fips profile. */
static bool ours(const cm_kem_key *k)
{
    return cm_crypt_profile(k->crypt) != CM_PROFILE_FIPS;
}

/* ML-KEM-512, -768 or -1024. */
static unsigned rank_of(const char *name)
{
    return name[7] == '5' ? 2 : name[7] == '7' ? 3 : 4;
}

cm_err cm_mlkem_load_seed(cm_kem_key *k, const char *name, const uint8_t seed[64])
{
    if (ours(k))
        return cm_mlkem_own_seed(&k->own, cm_mlkem_best(), k->crypt, rank_of(name), seed, k->pk);
    /* Every seed is a good one. */
    CM_TRY(import(k, name, EVP_PKEY_KEYPAIR, OSSL_PKEY_PARAM_ML_KEM_SEED,
                  cm_view_of(seed, CM_MLKEM_SEED), CM_CRYPT_PROVIDER));
    return export_public(k);
}

cm_err cm_mlkem_load_expanded(cm_kem_key *k, const char *name, cm_view dk)
{
    if (ours(k))
        return cm_mlkem_own_expanded(&k->own, cm_mlkem_best(), k->crypt, rank_of(name), dk, k->pk);
    CM_TRY(import(k, name, EVP_PKEY_KEYPAIR, OSSL_PKEY_PARAM_PRIV_KEY, dk, CM_CRYPT_BAD_KEY));
    return export_public(k);
}

cm_err cm_mlkem_load_public(cm_kem_key *k, const char *name, cm_view pk)
{
    if (ours(k))
        CM_TRY(cm_mlkem_own_public(&k->own, cm_mlkem_best(), k->crypt, rank_of(name), pk.p));
    else
        CM_TRY(import(k, name, EVP_PKEY_PUBLIC_KEY, OSSL_PKEY_PARAM_PUB_KEY, pk, CM_CRYPT_BAD_KEY));
    memcpy(k->pk, pk.p, pk.n);
    return CM_OKAY;
}

static cm_err provider_encap(const cm_kem_key *k, uint8_t *ct, size_t ct_n, uint8_t ss[32],
                             const uint8_t *m)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->mlkem_ctx);
    OSSL_PARAM params[] = {bytes_param(OSSL_KEM_PARAM_IKME, cm_view_of(m, CM_MLKEM_M)),
                           OSSL_PARAM_construct_end()};
    size_t ss_n = sizeof(cm_key32);

    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_encapsulate_init(ctx, m ? params : NULL));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_encapsulate(ctx, ct, &ct_n, ss, &ss_n));
    return cm_crypt_watched();
}

cm_err cm_mlkem_encap(const cm_kem_key *k, uint8_t *ct, size_t ct_n, uint8_t ss[32],
                      const uint8_t *m)
{
    CM_AUTO(cm_key32_wipe) cm_key32 fresh = {{0}};

    if (!k->own)
        return provider_encap(k, ct, ct_n, ss, m);
    if (!m)
        CM_TRY(cm_random(k->crypt, fresh.b, sizeof fresh.b));
    return cm_mlkem_own_encap(k->own, k->crypt, ct, ss, m ? m : fresh.b);
}

/* FIPS 203, 6.3: the provider's answer to a wrong ct is a secret too, and nothing here looks at it.
 * So is its answer when memory fails half-way; that, the queue tells. */
static cm_err provider_decap(const cm_kem_key *k, uint8_t ss[32], cm_view ct)
{
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->mlkem_ctx);
    size_t n = sizeof(cm_key32);

    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_decapsulate_init(ctx, NULL));
    CM_TRY(cm_crypt_watch());
    CM_TRY_SSL(EVP_PKEY_decapsulate(ctx, ss, &n, ct.p, ct.n));
    return cm_crypt_watched();
}

cm_err cm_mlkem_decap(const cm_kem_key *k, uint8_t ss[32], cm_view ct)
{
    return k->own ? cm_mlkem_own_decap(k->own, k->crypt, ss, ct.p) : provider_decap(k, ss, ct);
}

/* ---- as a KEM of its own ------------------------------------------------------------------ */

static cm_err load_private(cm_kem_key *k, const uint8_t *seed)
{
    return cm_mlkem_load_seed(k, k->info->name, seed);
}

static cm_err load_public(cm_kem_key *k, const uint8_t *pk)
{
    return cm_mlkem_load_public(k, k->info->name, cm_view_of(pk, k->info->pk));
}

static cm_err encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, const uint8_t *m)
{
    return cm_mlkem_encap(k, ct, k->info->ct, ss, m);
}

static cm_err decap(const cm_kem_key *k, uint8_t *ss, const uint8_t *ct)
{
    return cm_mlkem_decap(k, ss, cm_view_of(ct, k->info->ct));
}

static cm_err derive(const cm_kem_info *i, const cm_crypt *c, uint8_t *seed, cm_view ikm)
{
    cm_hpke_suite_id suite = cm_hpke_kem_suite(i->id);

    return cm_hpke_derive(c, 256, seed, i->seed, &suite, CM_LIT("DeriveKeyPair"), ikm, CM_LIT(""));
}

const cm_kem_ops cm_mlkem_ops = {CM_MLKEM_M, load_private, load_public, encap, decap, derive};
