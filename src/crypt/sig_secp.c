/* ECDSA over secp256k1 by libsecp256k1, over digests. */
#include <secp256k1_recovery.h>
#include <stdatomic.h>

#include "base/secret.h"
#include "crypt/secp_int.h"
#include "crypt/sig_int.h"

enum { UNCOMPRESSED = 65, FEW = 64 };

static cm_err served(const cm_crypt *c)
{
    return c->secp ? CM_OKAY : CM_FAIL(CRYPT_PROFILE);
}

static void put_point(uint8_t pk[UNCOMPRESSED], const cm_crypt *c, const secp256k1_pubkey *point)
{
    size_t n = UNCOMPRESSED;

    (void)secp256k1_ec_pubkey_serialize(c->secp, pk, &n, point, SECP256K1_EC_UNCOMPRESSED);
}

static cm_err secp_from_seed(cm_sig_key *k, cm_view seed)
{
    CM_TRY(served(k->crypt));
    if (secp256k1_ec_pubkey_create(k->crypt->secp, &k->point, seed.p) != 1) /* K-12 */
        return CM_FAIL(CRYPT_BAD_KEY);
    put_point(k->pk, k->crypt, &k->point);
    CM_TRY(cm_secret_new(&k->hedge, sizeof *k->hedge));
    return cm_random(k->crypt, k->hedge->start, sizeof k->hedge->start);
}

/* K-11: the library would also take the hybrid forms 06 and 07. */
static cm_err secp_from_public(cm_sig_key *k, cm_view pk)
{
    CM_TRY(served(k->crypt));
    if ((pk.n == UNCOMPRESSED && pk.p[0] != 4) ||
        secp256k1_ec_pubkey_parse(k->crypt->secp, &k->point, pk.p, pk.n) != 1)
        return CM_FAIL(CRYPT_BAD_KEY);
    put_point(k->pk, k->crypt, &k->point);
    return CM_OKAY;
}

/* K-10: what RFC 6979 takes beside key and digest, so that a fault in one of two signatures over
 * one digest does not meet the same nonce twice. A forked child has no arena, hence no copy of
 * this. */
static uint64_t hedge(uint8_t extra[32], const cm_sig_key *k)
{
    uint64_t n = atomic_fetch_add_explicit(&k->hedge->uses, 1, memory_order_relaxed);

    memcpy(extra, k->hedge->start, 32);
    cm_put_le64(extra, cm_get_le64(extra) ^ n);
    return n;
}

/* Who signs often has a table for it; the library signs for the others. */
static bool by_table(const cm_sig_key *k, uint8_t sig[64], uint8_t *recid, const uint8_t digest[32],
                     uint8_t extra[32])
{
    if (hedge(extra, k) >= FEW)
        cm_secp_prepare();
    return cm_secp_sign(sig, recid, digest, k->seed, extra);
}

static cm_err secp_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags)
{
    CM_AUTO(cm_key32_wipe) cm_key32 extra;
    secp256k1_ecdsa_signature s;
    uint8_t recid;

    (void)ctx, (void)flags;
    if (by_table(k, sig, &recid, msg.p, extra.b))
        return CM_OKAY;
    if (secp256k1_ecdsa_sign(k->crypt->secp, &s, msg.p, k->seed, cm_secp_nonce, extra.b) != 1)
        return CM_FAIL(CRYPT_PROVIDER);
    (void)secp256k1_ecdsa_signature_serialize_compact(k->crypt->secp, sig, &s);
    return CM_OKAY;
}

/* K-9: the library verifies only the lower of s and n - s. */
static cm_err secp_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig,
                          unsigned flags)
{
    secp256k1_ecdsa_signature s;

    (void)ctx, (void)flags;
    if (secp256k1_ecdsa_signature_parse_compact(k->crypt->secp, &s, sig.p) == 1 &&
        secp256k1_ecdsa_verify(k->crypt->secp, &s, msg.p, &k->point) == 1)
        return CM_OKAY;
    return CM_FAIL(CRYPT_SIGNATURE);
}

const cm_sig_family cm_sig_secp = {secp_from_seed, secp_from_public, secp_sign, secp_verify};

cm_err cm_sign_recoverable(const cm_sig_key *k, uint8_t sig[64], uint8_t *recid,
                           const uint8_t digest[32])
{
    CM_AUTO(cm_key32_wipe) cm_key32 extra;
    secp256k1_ecdsa_recoverable_signature s;
    int id = 0;

    if (k->alg->family != &cm_sig_secp)
        return CM_FAIL(CRYPT_ALGORITHM);
    if (!k->seed)
        return CM_FAIL(CRYPT_NO_PRIVATE);
    if (by_table(k, sig, recid, digest, extra.b))
        return CM_OKAY;
    if (secp256k1_ecdsa_sign_recoverable(k->crypt->secp, &s, digest, k->seed, cm_secp_nonce,
                                         extra.b) != 1)
        return CM_FAIL(CRYPT_PROVIDER);
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(k->crypt->secp, sig, &id, &s);
    *recid = (uint8_t)id;
    return CM_OKAY;
}

/* The library recovers from high s as well; K-9 does not. */
static bool low_s(const cm_crypt *c, const secp256k1_ecdsa_recoverable_signature *r)
{
    secp256k1_ecdsa_signature s;

    (void)secp256k1_ecdsa_recoverable_signature_convert(c->secp, &s, r);
    return secp256k1_ecdsa_signature_normalize(c->secp, NULL, &s) == 0;
}

cm_err cm_recover(const cm_crypt *c, uint8_t pk[65], const uint8_t sig[64], uint8_t recid,
                  const uint8_t digest[32])
{
    secp256k1_ecdsa_recoverable_signature s;
    secp256k1_pubkey point;

    CM_TRY(served(c));
    if (recid > 3)
        return CM_FAIL(BAD_ARGUMENT);
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(c->secp, &s, sig, recid) != 1 ||
        !low_s(c, &s) || secp256k1_ecdsa_recover(c->secp, &point, &s, digest) != 1)
        return CM_FAIL(CRYPT_SIGNATURE);
    put_point(pk, c, &point);
    return CM_OKAY;
}
