#ifndef CM_MARKET_RECEIPT_H
#define CM_MARKET_RECEIPT_H
/*
 * Receipts for inference (PoAI) and their settlements (HMM): spec/market.md. A statement has one
 * encoding of fixed length; a record is a statement and the signatures that it names. Everything
 * here is public but the private keys. Time is a parameter. Any thread.
 */
#include "crypt/merkle.h"
#include "crypt/sig.h"
#include "market/u256.h"

enum { /* who signs; wire numbers */
       CM_MARKET_SECP = 1,
       CM_MARKET_MLDSA = 2,
       CM_MARKET_BATCH = 4 /* alone: by a batch's head */
};
enum { CM_MARKET_ATTESTED = 1, CM_MARKET_PROVEN = 2, CM_MARKET_MODEL_ROOT = 4 };
enum {
    CM_POAI_SIZE = 324,
    CM_SETTLE_SIZE = 280,
    CM_BATCH_SIZE = 164,
    CM_MARKET_SECP_SIG = 65,
    CM_MARKET_MLDSA_SIG = 3309,
    CM_POAI_TTL_MS = 3600 * 1000,
    CM_SETTLE_TTL_MS = 86400 * 1000,
    CM_MARKET_SKEW_MS = 30 * 1000, /* what verifiers allow by default */
    CM_BATCH_LEAVES_MAX = 1u << 20,
    CM_BATCH_PATH_MAX = 20,
    /* The longest record: a receipt of a batch whose head both keys signed. */
    CM_MARKET_RECORD_MAX = CM_POAI_SIZE + 9 + CM_BATCH_PATH_MAX * 32 + CM_BATCH_SIZE +
                           CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG
};

/* What all statements begin with. algs and key_id are set by signing. */
typedef struct {
    uint16_t algs;
    uint64_t issued_ms, expires_ms; /* since 1970 */
    uint8_t realm[32];              /* the chain, contract or tenant it is meant for; may be 0 */
    uint8_t key_id[32];
    uint8_t nonce[32];
} cm_market_head;

typedef struct {
    cm_market_head head;
    uint16_t claims;
    uint64_t compute_ms;
    uint8_t model[32]; /* Merkle identity with MODEL_ROOT, else Keccak-256 of the name */
    uint8_t node[32];  /* who computed */
    uint8_t input[32], output[32];      /* by the caller's hash */
    uint8_t attestation[32], proof[32]; /* digests; 0 unless claimed */
} cm_poai;

typedef struct {
    cm_market_head head;
    uint8_t job[32];
    uint8_t provider[20], consumer[20];
    uint8_t asset[20];   /* 0: the chain's own coin */
    cm_u256 amount;      /* wei */
    uint8_t receipt[32]; /* digest of the receipt it pays for */
} cm_settlement;

typedef struct {
    cm_market_head head;
    uint64_t count;
    uint8_t root[32];
} cm_batch_head;

/* secp256k1, ML-DSA-65 or both; NULL for one that is not used. Borrowed. */
typedef struct {
    const cm_sig_key *secp, *mldsa;
} cm_market_keys;

/** The name of a set of public keys (M-5). BAD_ARGUMENT for none, CRYPT_ALGORITHM for keys of
 * another kind. */
CM_MUST cm_err cm_market_key_id(const cm_crypt *c, uint8_t out[32], const cm_market_keys *k);

/* What a verifier demands. */
typedef struct {
    uint16_t need; /* algorithms that must have signed; 0: whatever the keys are */
    uint64_t now_ms, skew_ms;
    const uint8_t *realm; /* 32 bytes, or NULL: any */
    bool any_time;        /* for archives: all but the term is left out */
} cm_market_policy;

/* ---- statements. Encoding: MARKET_FIELD for one that contradicts itself. Decoding: also
 * MARKET_MALFORMED, MARKET_VERSION, MARKET_UNIT. */
CM_MUST cm_err cm_poai_encode(uint8_t out[CM_POAI_SIZE], const cm_poai *r);
CM_MUST cm_err cm_poai_decode(cm_poai *r, cm_view bytes);
CM_MUST cm_err cm_settle_encode(uint8_t out[CM_SETTLE_SIZE], const cm_settlement *s);
CM_MUST cm_err cm_settle_decode(cm_settlement *s, cm_view bytes);
CM_MUST cm_err cm_batch_encode(uint8_t out[CM_BATCH_SIZE], const cm_batch_head *b);
CM_MUST cm_err cm_batch_decode(cm_batch_head *b, cm_view bytes);
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

/** What the receipt does not prove, one sentence each, in order; NULL past the end. Static. */
const char *cm_poai_unproven(const cm_poai *r, size_t i);

#endif
