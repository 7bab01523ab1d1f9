/* The public face of verification: include/casemate/market.h over receipts and claims. */
#include "market/verifier_int.h"

#include "market/claim.h"

static cm_err load(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view pk)
{
    return pk.n ? cm_sig_from_public(out, c, id, pk) : CM_OKAY;
}

cm_err cm_verifier_of(cm_verifier **out, cm_crypt **crypt, cm_view secp256k1, cm_view mldsa65)
{
    CM_AUTO(cm_verifier_free_ptr) cm_verifier *v = NULL;

    CM_TRY(cm_alloc(&v, sizeof *v));
    v->crypt = *crypt;
    *crypt = NULL;
    CM_TRY(load(&v->secp, v->crypt, CM_SIG_SECP256K1, secp256k1));
    CM_TRY(load(&v->mldsa, v->crypt, CM_SIG_MLDSA65, mldsa65));
    v->keys = (cm_market_keys){v->secp, v->mldsa};
    CM_TRY(cm_market_key_id(v->crypt, v->key_id, &v->keys));
    *out = v;
    v = NULL;
    return CM_OKAY;
}

cm_err cm_verifier_new(cm_verifier **out, cm_view secp256k1, cm_view mldsa65)
{
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;

    CM_TRY(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    return cm_verifier_of(out, &c, secp256k1, mldsa65);
}

void cm_verifier_free(cm_verifier *v)
{
    if (!v)
        return;
    cm_sig_key_free(v->secp);
    cm_sig_key_free(v->mldsa);
    cm_crypt_free(v->crypt);
    cm_free(v);
}

void cm_verifier_free_ptr(cm_verifier **v)
{
    cm_verifier_free(*v);
}

void cm_verifier_key_id(uint8_t out[32], const cm_verifier *v)
{
    memcpy(out, v->key_id, 32);
}

cm_err cm_verifier_poai(cm_poai *out, const cm_verifier *v, const cm_market_policy *p,
                        cm_view record)
{
    return cm_poai_verify(out, v->crypt, &v->keys, p, record);
}

cm_err cm_verifier_settlement(cm_settlement *out, const cm_verifier *v, const cm_market_policy *p,
                              cm_view record)
{
    return cm_settle_verify(out, v->crypt, &v->keys, p, record);
}

cm_err cm_verifier_batch(cm_batch_head *out, const cm_verifier *v, const cm_market_policy *p,
                         cm_view record)
{
    return cm_batch_verify(out, v->crypt, &v->keys, p, record);
}

cm_err cm_verifier_binds(const cm_verifier *v, const cm_settlement *s, const cm_poai *r,
                         uint64_t skew_ms)
{
    return cm_settle_binds(v->crypt, s, r, skew_ms);
}

cm_err cm_verifier_poai_digest(uint8_t out[32], const cm_verifier *v, const cm_poai *r)
{
    return cm_poai_digest(v->crypt, out, r);
}

cm_err cm_verifier_settlement_digest(uint8_t out[32], const cm_verifier *v, const cm_settlement *s)
{
    return cm_settle_digest(v->crypt, out, s);
}

cm_err cm_verifier_bridge_hash(uint8_t out[32], const cm_verifier *v, const cm_bridge_receipt *r)
{
    return cm_bridge_hash(v->crypt, out, r);
}

cm_err cm_verifier_challenge(uint8_t out[32], const cm_verifier *v, const cm_claim *m)
{
    return cm_claim_challenge(v->crypt, out, m);
}

cm_err cm_verifier_report_data(uint8_t out[32], const cm_verifier *v, const cm_claim *m,
                               const uint8_t output[32], const uint8_t runtime[32])
{
    return cm_claim_report(v->crypt, out, m, output, runtime);
}

cm_err cm_verifier_claim_key(uint8_t out[32], const cm_verifier *v, const uint8_t model[32],
                             const uint8_t prompt[32], const uint8_t output[32])
{
    return cm_claim_key(v->crypt, out, model, prompt, output);
}
