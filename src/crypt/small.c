/*
 * What libcasemate-verify has in place of the provider: Keccak from our own kernel, public keys of
 * secp256k1 and ML-DSA-65 as bytes. The same functions as crypt.h and sig.h declare, with the same
 * contracts, for public data alone; there are no private keys here. Not part of libcasemate.
 */
#include <secp256k1_recovery.h>

#include "crypt/keccak_int.h"
#include "crypt/mldsa_int.h"

enum { RATE_MAX = 168, KECCAK_RATE = 136, POINT = 65, MLDSA65_PK = 1952 };

/* ---- the context ---- */

cm_err cm_crypt_new(cm_crypt **out, cm_profile profile)
{
    cm_crypt *c;

    if (profile != CM_PROFILE_DEFAULT)
        return CM_FAIL(CRYPT_NO_FIPS);
    CM_TRY(cm_alloc(&c, sizeof *c));
    c->secp = secp256k1_context_create(SECP256K1_CONTEXT_VERIFY);
    if (!c->secp) {
        cm_free(c);
        return CM_FAIL(NO_MEMORY);
    }
    *out = c;
    return CM_OKAY;
}

void cm_crypt_free(cm_crypt *c)
{
    if (c)
        secp256k1_context_destroy(c->secp);
    cm_free(c);
}

void cm_crypt_free_ptr(cm_crypt **c)
{
    cm_crypt_free(*c);
}

/* ---- Keccak ---- */

typedef struct {
    cm_keccak_state s;
    uint8_t block[RATE_MAX];
    size_t have, rate;
} sponge;

static void take_block(sponge *k)
{
    const uint8_t *block = k->block;

    cm_keccak_blocks_portable(&k->s, &block, 1, k->rate / 8);
    k->have = 0;
}

static void absorb(sponge *k, cm_view v)
{
    while (v.n > 0) {
        size_t n = CM_MIN(v.n, k->rate - k->have);

        memcpy(k->block + k->have, v.p, n);
        k->have += n;
        v = cm_view_sub(v, n, v.n - n);
        if (k->have == k->rate)
            take_block(k);
    }
}

static void squeeze(sponge *k, uint8_t domain, uint8_t *out, size_t n)
{
    memset(k->block + k->have, 0, k->rate - k->have);
    k->block[k->have] = domain;
    k->block[k->rate - 1] |= 0x80;
    take_block(k);
    for (size_t i = 0; i < n; i++) {
        size_t at = i % k->rate;

        if (i > 0 && at == 0)
            cm_keccak_blocks_portable(&k->s, NULL, 1, 0);
        out[i] = (uint8_t)(k->s.w[at / 8][0] >> 8 * (at % 8));
    }
}

struct cm_hasher {
    sponge k;
};

cm_err cm_hasher_new(cm_hasher **out, const cm_crypt *c, cm_hash h)
{
    (void)c;
    if (h != CM_KECCAK256)
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_alloc_page(out, sizeof **out)); /* aligned for the kernel */
    memset(*out, 0, sizeof **out);
    (*out)->k.rate = KECCAK_RATE;
    return CM_OKAY;
}

cm_err cm_hasher_update(cm_hasher *h, cm_view v)
{
    absorb(&h->k, v);
    return CM_OKAY;
}

cm_err cm_hasher_final(cm_hasher *h, uint8_t *out)
{
    squeeze(&h->k, 0x01, out, 32);
    memset(&h->k, 0, sizeof h->k);
    h->k.rate = KECCAK_RATE;
    return CM_OKAY;
}

void cm_hasher_free_ptr(cm_hasher **h)
{
    cm_free(*h);
}

cm_err cm_shake_parts(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n,
                      const cm_view *parts, size_t count)
{
    sponge k = {.rate = bits == 128 ? RATE_MAX : KECCAK_RATE};

    (void)c;
    for (size_t i = 0; i < count; i++)
        absorb(&k, parts[i]);
    squeeze(&k, 0x1f, out, n);
    return CM_OKAY;
}

cm_err cm_shake(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n, cm_view v)
{
    return cm_shake_parts(c, bits, out, n, &v, 1);
}

/* ---- keys ---- */

static const cm_sig_alg algs[] = {
    {.info = {.id = CM_SIG_SECP256K1, .name = "secp256k1", .pk = POINT, .sig = 64}},
    {.info = {.id = CM_SIG_MLDSA65,
              .name = "ML-DSA-65",
              .pk = MLDSA65_PK,
              .sig = 3309,
              .post_quantum = true}},
};

static bool put_point(uint8_t pk[POINT], const cm_crypt *c, const secp256k1_pubkey *p)
{
    size_t n = POINT;

    return secp256k1_ec_pubkey_serialize(c->secp, pk, &n, p, SECP256K1_EC_UNCOMPRESSED) == 1;
}

/* K-11: the library would also take the hybrid forms 06 and 07. */
static bool load_point(cm_sig_key *k, cm_view pk)
{
    return (pk.n != POINT || pk.p[0] == 4) &&
           secp256k1_ec_pubkey_parse(k->crypt->secp, &k->point, pk.p, pk.n) == 1 &&
           put_point(k->pk, k->crypt, &k->point);
}

static bool load_mldsa(cm_sig_key *k, cm_view pk)
{
    if (pk.n != MLDSA65_PK)
        return false;
    memcpy(k->pk, pk.p, pk.n);
    return true;
}

cm_err cm_sig_from_public(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view pk)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    if (id != CM_SIG_SECP256K1 && id != CM_SIG_MLDSA65)
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_alloc(&k, sizeof *k));
    k->crypt = c;
    k->alg = &algs[id == CM_SIG_MLDSA65];
    if (!(id == CM_SIG_MLDSA65 ? load_mldsa(k, pk) : load_point(k, pk)))
        return CM_FAIL(CRYPT_BAD_KEY);
    if (id == CM_SIG_MLDSA65)
        CM_TRY(cm_mldsa_cache_new(&k->expanded));
    *out = k;
    k = NULL;
    return CM_OKAY;
}

void cm_sig_key_free(cm_sig_key *k)
{
    if (k && k->expanded)
        cm_mldsa_cache_free(k->expanded);
    cm_free(k);
}

void cm_sig_key_free_ptr(cm_sig_key **k)
{
    cm_sig_key_free(*k);
}

const cm_sig_info *cm_sig_key_info(const cm_sig_key *k)
{
    return &k->alg->info;
}

cm_view cm_sig_public(const cm_sig_key *k)
{
    return cm_view_of(k->pk, k->alg->info.pk);
}

/* ---- signatures ---- */

cm_err cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig)
{
    if (k->alg->info.id != CM_SIG_MLDSA65)
        return CM_FAIL(CRYPT_ALGORITHM);
    return cm_mldsa_verify(k, NULL, ctx, msg, sig);
}

/* M-9: the library recovers from high s as well. */
cm_err cm_recover(const cm_crypt *c, uint8_t pk[65], const uint8_t sig[64], uint8_t recid,
                  const uint8_t digest[32])
{
    secp256k1_ecdsa_recoverable_signature r;
    secp256k1_ecdsa_signature s;
    secp256k1_pubkey point;

    if (recid > 3)
        return CM_FAIL(BAD_ARGUMENT);
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(c->secp, &r, sig, recid) != 1)
        return CM_FAIL(CRYPT_SIGNATURE);
    (void)secp256k1_ecdsa_recoverable_signature_convert(c->secp, &s, &r);
    if (secp256k1_ecdsa_signature_normalize(c->secp, NULL, &s) != 0 ||
        secp256k1_ecdsa_recover(c->secp, &point, &r, digest) != 1 || !put_point(pk, c, &point))
        return CM_FAIL(CRYPT_SIGNATURE);
    return CM_OKAY;
}

/* What signing receipts would call: no key here has a private half. */
cm_err cm_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg)
{
    (void)k, (void)sig, (void)ctx, (void)msg;
    return CM_FAIL(CRYPT_NO_PRIVATE);
}

cm_err cm_sign_recoverable(const cm_sig_key *k, uint8_t sig[64], uint8_t *recid,
                           const uint8_t digest[32])
{
    (void)k, (void)sig, (void)recid, (void)digest;
    return CM_FAIL(CRYPT_NO_PRIVATE);
}
