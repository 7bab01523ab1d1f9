#ifndef CM_MARKET_CLAIM_H
#define CM_MARKET_CLAIM_H
/*
 * What is already agreed byte for byte between providers and chains (spec/market.md, section 4):
 * the challenge, the report data of an attestation, the key of a compute claim, and the bridge's
 * settlement receipt. Public bytes; any thread. Errors: those of cm_keccak_parts().
 */
#include "market/keccak.h"
#include "market/u256.h"

CM_MUST cm_err cm_claim_challenge(const cm_crypt *c, uint8_t out[32], const cm_claim *m);
/** What an attestation has to carry as report data: bound to the challenge, the output and the
 * measurement of the runtime. */
CM_MUST cm_err cm_claim_report(const cm_crypt *c, uint8_t out[32], const cm_claim *m,
                               const uint8_t output[32], const uint8_t runtime[32]);
/** One computation has one key: the first claim of it wins. */
CM_MUST cm_err cm_claim_key(const cm_crypt *c, uint8_t out[32], const uint8_t model[32],
                            const uint8_t prompt[32], const uint8_t output[32]);

CM_MUST cm_err cm_bridge_hash(const cm_crypt *c, uint8_t out[32], const cm_bridge_receipt *r);

#endif
