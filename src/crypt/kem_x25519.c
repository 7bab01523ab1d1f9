/* X25519 (RFC 7748) and DHKEM(X25519, HKDF-SHA256) (RFC 9180, 4.1). */
#include "crypt/hpke_int.h"
#include "crypt/kem_int.h"

static const char name[] = "X25519";

static cm_err import_scalar(EVP_PKEY **out, const cm_crypt *c, const uint8_t scalar[32])
{
    *out = EVP_PKEY_new_raw_private_key_ex(cm_crypt_libctx(c), name, cm_crypt_propq(c), scalar,
                                           CM_X25519_SIZE);
    return *out ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

static cm_err import_share(EVP_PKEY **out, const cm_crypt *c, const uint8_t share[32])
{
    *out = EVP_PKEY_new_raw_public_key_ex(cm_crypt_libctx(c), name, cm_crypt_propq(c), share,
                                          CM_X25519_SIZE);
    return *out ? CM_OKAY : cm_crypt_fail(CM_CRYPT_PROVIDER);
}

static cm_err export_share(uint8_t share[32], const EVP_PKEY *p)
{
    size_t n = CM_X25519_SIZE;

    CM_TRY_SSL(EVP_PKEY_get_raw_public_key(p, share, &n));
    return CM_OKAY;
}

/* The provider fails exactly when the secret would be zero, which depends on peer alone: scalars
 * are multiples of the cofactor. RFC 9180, 7.1.4 demands the check. */
static cm_err derive_secret(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, uint8_t ss[32], cm_reason zero)
{
    size_t n = CM_X25519_SIZE;

    CM_TRY_SSL(EVP_PKEY_derive_set_peer_ex(ctx, peer, 0));
    return EVP_PKEY_derive(ctx, ss, &n) == 1 ? CM_OKAY : cm_crypt_fail(zero);
}

static cm_err new_derive(EVP_PKEY_CTX **out, const cm_crypt *c, EVP_PKEY *own)
{
    *out = EVP_PKEY_CTX_new_from_pkey(cm_crypt_libctx(c), own, cm_crypt_propq(c));
    if (!*out)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY_SSL(EVP_PKEY_derive_init(*out));
    return CM_OKAY;
}

cm_err cm_x25519_load_scalar(cm_kem_key *k, size_t at, const uint8_t scalar[32])
{
    CM_TRY(cm_kem_served(k->crypt, name));
    CM_TRY(import_scalar(&k->x25519, k->crypt, scalar));
    CM_TRY(new_derive(&k->x25519_ctx, k->crypt, k->x25519));
    return export_share(k->pk + at, k->x25519);
}

cm_err cm_x25519_load_public(cm_kem_key *k, size_t at, const uint8_t pk[32])
{
    CM_TRY(cm_kem_served(k->crypt, name));
    CM_TRY(import_share(&k->x25519, k->crypt, pk));
    memcpy(k->pk + at, pk, CM_X25519_SIZE);
    return CM_OKAY;
}

cm_err cm_x25519_encap(const cm_kem_key *k, uint8_t share[32], uint8_t ss[32],
                       const uint8_t *scalar)
{
    CM_AUTO(cm_key32_wipe) cm_key32 fresh = {{0}};
    CM_AUTO(cm_evp_pkey_done) EVP_PKEY *own = NULL;
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = NULL;

    if (!scalar)
        CM_TRY(cm_random(k->crypt, fresh.b, sizeof fresh.b));
    CM_TRY(import_scalar(&own, k->crypt, scalar ? scalar : fresh.b));
    CM_TRY(new_derive(&ctx, k->crypt, own));
    CM_TRY(export_share(share, own));
    return derive_secret(ctx, k->x25519, ss, CM_CRYPT_BAD_KEY);
}

cm_err cm_x25519_decap(const cm_kem_key *k, uint8_t ss[32], const uint8_t share[32])
{
    CM_AUTO(cm_evp_pkey_done) EVP_PKEY *peer = NULL;
    CM_AUTO(cm_evp_pkey_ctx_done) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->x25519_ctx);

    if (!ctx)
        return cm_crypt_fail(CM_CRYPT_PROVIDER);
    CM_TRY(import_share(&peer, k->crypt, share));
    return derive_secret(ctx, peer, ss, CM_KEM_LOW_ORDER);
}

/* ---- DHKEM -------------------------------------------------------------------------------- */

static cm_err extract_and_expand(const cm_kem_key *k, uint8_t *ss, const uint8_t dh[32],
                                 const uint8_t enc[32])
{
    CM_AUTO(cm_key32_wipe) cm_key32 prk = {{0}};
    cm_hpke_suite_id suite = cm_hpke_kem_suite(CM_KEM_X25519);
    uint8_t context[2 * CM_X25519_SIZE];

    memcpy(context, enc, CM_X25519_SIZE);
    memcpy(context + CM_X25519_SIZE, k->pk, CM_X25519_SIZE);
    CM_TRY(cm_hpke_extract(k->crypt, CM_SHA256, prk.b, &suite, CM_LIT(""), CM_LIT("eae_prk"),
                           cm_view_of(dh, CM_X25519_SIZE)));
    return cm_hpke_expand(k->crypt, CM_SHA256, ss, CM_X25519_SIZE, &suite, CM_VIEW(prk.b),
                          CM_LIT("shared_secret"), CM_VIEW(context));
}

static cm_err load_private(cm_kem_key *k, const uint8_t *seed)
{
    return cm_x25519_load_scalar(k, 0, seed);
}

static cm_err load_public(cm_kem_key *k, const uint8_t *pk)
{
    return cm_x25519_load_public(k, 0, pk);
}

static cm_err encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, const uint8_t *m)
{
    CM_AUTO(cm_key32_wipe) cm_key32 dh = {{0}};

    CM_TRY(cm_x25519_encap(k, ct, dh.b, m));
    return extract_and_expand(k, ss, dh.b, ct);
}

static cm_err decap(const cm_kem_key *k, uint8_t *ss, const uint8_t *ct)
{
    CM_AUTO(cm_key32_wipe) cm_key32 dh = {{0}};

    CM_TRY(cm_x25519_decap(k, dh.b, ct));
    return extract_and_expand(k, ss, dh.b, ct);
}

/* RFC 9180, 7.1.3. */
static cm_err derive(const cm_kem_info *i, const cm_crypt *c, uint8_t *seed, cm_view ikm)
{
    CM_AUTO(cm_key32_wipe) cm_key32 prk = {{0}};
    cm_hpke_suite_id suite = cm_hpke_kem_suite(i->id);

    CM_TRY(cm_hpke_extract(c, CM_SHA256, prk.b, &suite, CM_LIT(""), CM_LIT("dkp_prk"), ikm));
    return cm_hpke_expand(c, CM_SHA256, seed, i->seed, &suite, CM_VIEW(prk.b), CM_LIT("sk"),
                          CM_LIT(""));
}

const cm_kem_ops cm_x25519_ops = {CM_X25519_SIZE, load_private, load_public, encap, decap, derive};
