#ifndef CM_MARKET_CLAIM_H
#define CM_MARKET_CLAIM_H
/*
 * What is already agreed byte for byte between providers and chains (spec/market.md, section 4):
 * the challenge, the report data of an attestation, the key of a compute claim, and the bridge's
 * settlement receipt. Public bytes; any thread. Errors: those of cm_keccak_parts().
 */
#include "market/keccak.h"
#include "market/u256.h"

typedef struct {
    cm_u256 task;
    uint8_t intent[32], model[32], prompt[32], block[32];
    uint8_t operator_address[20];
} cm_claim;

CM_MUST cm_err cm_claim_challenge(const cm_crypt *c, uint8_t out[32], const cm_claim *m);
/** What an attestation has to carry as report data: bound to the challenge, the output and the
 * measurement of the runtime. */
CM_MUST cm_err cm_claim_report(const cm_crypt *c, uint8_t out[32], const cm_claim *m,
                               const uint8_t output[32], const uint8_t runtime[32]);
/** One computation has one key: the first claim of it wins. */
CM_MUST cm_err cm_claim_key(const cm_crypt *c, uint8_t out[32], const uint8_t model[32],
                            const uint8_t prompt[32], const uint8_t output[32]);

enum { CM_BRIDGE_RECEIPT = 355, CM_BRIDGE_COMPLETED = 2 };

typedef struct {
    uint8_t intent[32], task[32], c_chain[32], a_chain[32];
    uint8_t requester[20];
    uint8_t model[32], prompt[32], output[32];
    uint8_t status;
    uint16_t operators, threshold;
    uint8_t winners_root[32], operators_root[32];
    cm_u256 fee; /* wei */
    uint64_t height;
} cm_bridge_receipt;

void cm_bridge_encode(uint8_t out[CM_BRIDGE_RECEIPT], const cm_bridge_receipt *r);
/** MARKET_MALFORMED for another length, MARKET_VERSION for another version. Status and numbers are
 * as they stand. */
CM_MUST cm_err cm_bridge_decode(cm_bridge_receipt *r, cm_view bytes);
CM_MUST cm_err cm_bridge_hash(const cm_crypt *c, uint8_t out[32], const cm_bridge_receipt *r);

#endif
