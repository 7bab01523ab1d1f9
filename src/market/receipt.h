#ifndef CM_MARKET_RECEIPT_H
#define CM_MARKET_RECEIPT_H
/*
 * Receipts for inference (PoAI) and their settlements (HMM): spec/market.md. A statement has one
 * encoding of fixed length; a record is a statement and the signatures that it names. Everything
 * here is public but the private keys. Time is a parameter. Any thread.
 */
#include <casemate/market.h>

#include "crypt/merkle.h"
#include "crypt/sig.h"
#include "market/u256.h"

/* secp256k1, ML-DSA-65 or both; NULL for one that is not used. Borrowed. */
typedef struct {
    const cm_sig_key *secp, *mldsa;
} cm_market_keys;

/** The name of a set of public keys (M-5). BAD_ARGUMENT for none, CRYPT_ALGORITHM for keys of
 * another kind. */
CM_MUST cm_err cm_market_key_id(const cm_crypt *c, uint8_t out[32], const cm_market_keys *k);

/** What secp256k1 signs and a settlement names: Keccak-256 under the statement's domain (M-6). */
CM_MUST cm_err cm_poai_digest(const cm_crypt *c, uint8_t out[32], const cm_poai *r);
CM_MUST cm_err cm_settle_digest(const cm_crypt *c, uint8_t out[32], const cm_settlement *s);
CM_MUST cm_err cm_batch_digest(const cm_crypt *c, uint8_t out[32], const cm_batch_head *b);

/* ---- signing: sets head.algs and head.key_id, appends the record. CRYPT_NO_PRIVATE,
 * MARKET_FIELD. Time is not looked at but for the term (MARKET_TERM). */
CM_MUST cm_err cm_poai_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k, cm_poai *r);
CM_MUST cm_err cm_settle_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k,
                              cm_settlement *s);
CM_MUST cm_err cm_batch_sign(cm_buf *out, const cm_crypt *c, const cm_market_keys *k,
                             cm_batch_head *b);

/* ---- verifying a whole record. MARKET_KEY: of other keys. MARKET_POLICY: not signed by what is
 * needed. MARKET_REALM, MARKET_EXPIRED, MARKET_FUTURE, MARKET_TERM. CRYPT_SIGNATURE, MERKLE_PROOF.
 * The statement is written only when all holds. A nonce is the caller's to remember. */
CM_MUST cm_err cm_poai_verify(cm_poai *out, const cm_crypt *c, const cm_market_keys *k,
                              const cm_market_policy *p, cm_view record);
CM_MUST cm_err cm_settle_verify(cm_settlement *out, const cm_crypt *c, const cm_market_keys *k,
                                const cm_market_policy *p, cm_view record);
CM_MUST cm_err cm_batch_verify(cm_batch_head *out, const cm_crypt *c, const cm_market_keys *k,
                               const cm_market_policy *p, cm_view record);

/** That the settlement pays for this receipt and was issued in its time. MARKET_BINDING. */
CM_MUST cm_err cm_settle_binds(const cm_crypt *c, const cm_settlement *s, const cm_poai *r,
                               uint64_t skew_ms);

#endif
