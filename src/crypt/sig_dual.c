/* ML-DSA and Ed25519 over one statement, both required (K-5, K-6). */
#include "crypt/sig_int.h"

static uint16_t first_pk(const cm_sig_key *k)
{
    return k->part[0]->alg->info.pk;
}

static cm_err dual_from_seed(cm_sig_key *k, cm_view seed)
{
    const uint8_t *id = k->alg->part;
    size_t n = cm_sig_alg_of(id[0])->info.seed;

    CM_TRY(cm_sig_from_seed(&k->part[0], k->crypt, id[0], cm_view_sub(seed, 0, n)));
    CM_TRY(cm_sig_from_seed(&k->part[1], k->crypt, id[1], cm_view_sub(seed, n, seed.n - n)));
    memcpy(k->pk, k->part[0]->pk, first_pk(k));
    memcpy(k->pk + first_pk(k), k->part[1]->pk, k->part[1]->alg->info.pk);
    return CM_OKAY;
}

static cm_err dual_from_public(cm_sig_key *k, cm_view pk)
{
    const uint8_t *id = k->alg->part;
    size_t n = cm_sig_alg_of(id[0])->info.pk;

    CM_TRY(cm_sig_from_public(&k->part[0], k->crypt, id[0], cm_view_sub(pk, 0, n)));
    CM_TRY(cm_sig_from_public(&k->part[1], k->crypt, id[1], cm_view_sub(pk, n, pk.n - n)));
    memcpy(k->pk, pk.p, pk.n);
    return CM_OKAY;
}

/* msg is the statement, made with the dual key's number and public key. The first part signs it
 * under the reserved context, so that neither part is a signature that its algorithm alone would
 * accept for any purpose. */
static cm_err dual_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags)
{
    const cm_sig_key *a = k->part[0], *b = k->part[1];

    (void)ctx;
    CM_TRY(a->alg->family->sign(a, sig, CM_LIT(CM_SIG_DUAL_CTX), msg, flags));
    return b->alg->family->sign(b, sig + a->alg->info.sig, CM_LIT(""), msg, flags);
}

/* K-6 */
static cm_err dual_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig,
                          unsigned flags)
{
    const cm_sig_key *a = k->part[0], *b = k->part[1];
    size_t n = a->alg->info.sig;

    (void)ctx;
    CM_TRY(a->alg->family->verify(a, CM_LIT(CM_SIG_DUAL_CTX), msg, cm_view_sub(sig, 0, n), flags));
    return b->alg->family->verify(b, CM_LIT(""), msg, cm_view_sub(sig, n, sig.n - n), flags);
}

const cm_sig_family cm_sig_dual = {dual_from_seed, dual_from_public, dual_sign, dual_verify};
