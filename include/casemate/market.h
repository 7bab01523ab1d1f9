#ifndef CASEMATE_MARKET_H
#define CASEMATE_MARKET_H
/*
 * Receipts for inference (PoAI) and their settlements (HMM): spec/market.md. A statement has one
 * encoding of fixed length; a record is a statement and the signatures that it names.
 *
 * What verifies is in libcasemate and, alone, in libcasemate-verify: link one of them. What signs,
 * and what reads key files, is in libcasemate. Times are milliseconds since 1970, amounts wei.
 *
 * Threads: a verifier or signer may be used from many at once. Everything here but private keys is
 * public. Errors: every cm_err has a name, a sentence and a remedy (err.h). Outputs change only on
 * success.
 */
#include <casemate/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- amounts: nothing wraps, what does not fit is an error -------------------------------- */

typedef struct {
    uint64_t w[4]; /* least significant first */
} cm_u256;

enum { CM_U256_DEC_MAX = 78 }; /* digits of 2^256 - 1 */

CM_API cm_u256 cm_u256_from_be(const uint8_t p[32]);
CM_API void cm_u256_to_be(uint8_t p[32], const cm_u256 *a);
/** Decimal digits, no sign, no leading zero. AMOUNT_FORM, AMOUNT_OVERFLOW. */
CM_API CM_MUST cm_err cm_u256_parse(cm_u256 *out, cm_view text);
/** NUL-terminated decimal digits. */
CM_API void cm_u256_format(char out[CM_U256_DEC_MAX + 1], const cm_u256 *a);

/* ---- statements ---------------------------------------------------------------------------- */

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
    CM_BATCH_LEAVES_MAX = 1 << 20,
    CM_BATCH_PATH_MAX = 20,
    /* The longest record: a receipt of a batch whose head both keys signed. */
    CM_MARKET_RECORD_MAX = CM_POAI_SIZE + 9 + CM_BATCH_PATH_MAX * 32 + CM_BATCH_SIZE +
                           CM_MARKET_SECP_SIG + CM_MARKET_MLDSA_SIG
};

/** What all statements begin with. algs and key_id are set by signing. */
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

/** What a verifier demands. Zeroed: any algorithms of the keys, any realm, the time 0. */
typedef struct {
    uint16_t need; /* algorithms that must have signed; 0: whatever the keys are */
    uint64_t now_ms, skew_ms;
    const uint8_t *realm; /* 32 bytes, or NULL: any */
    bool any_time;        /* for archives: all but the term is left out */
} cm_market_policy;

/* Encoding: MARKET_FIELD for a statement that contradicts itself. Decoding: also MARKET_MALFORMED,
 * MARKET_VERSION, MARKET_UNIT. */
CM_API CM_MUST cm_err cm_poai_encode(uint8_t out[CM_POAI_SIZE], const cm_poai *r);
CM_API CM_MUST cm_err cm_poai_decode(cm_poai *r, cm_view bytes);
CM_API CM_MUST cm_err cm_settle_encode(uint8_t out[CM_SETTLE_SIZE], const cm_settlement *s);
CM_API CM_MUST cm_err cm_settle_decode(cm_settlement *s, cm_view bytes);
CM_API CM_MUST cm_err cm_batch_encode(uint8_t out[CM_BATCH_SIZE], const cm_batch_head *b);
CM_API CM_MUST cm_err cm_batch_decode(cm_batch_head *b, cm_view bytes);

/** What the receipt does not prove, one sentence each, in order; NULL past the end. Static. */
CM_API const char *cm_poai_unproven(const cm_poai *r, size_t i);

/* ---- verifying ------------------------------------------------------------------------------ */

/** The public keys of one signer: secp256k1, ML-DSA-65 or both. */
typedef struct cm_verifier cm_verifier;

/** secp256k1 is 33 or 65 bytes, mldsa65 1952; empty for one that the signer has not. BAD_ARGUMENT
 * for neither, CRYPT_BAD_KEY. */
CM_API CM_MUST cm_err cm_verifier_new(cm_verifier **out, cm_view secp256k1, cm_view mldsa65);
CM_API void cm_verifier_free(cm_verifier *v);
/** The name of the keys in statements (M-5). */
CM_API void cm_verifier_key_id(uint8_t out[32], const cm_verifier *v);

/* Whole records; a receipt may be one of a batch. MARKET_KEY: of other keys. MARKET_POLICY: not
 * signed by what is needed. MARKET_REALM, MARKET_EXPIRED, MARKET_FUTURE, MARKET_TERM.
 * CRYPT_SIGNATURE, MERKLE_PROOF. A nonce is the caller's to remember. */
CM_API CM_MUST cm_err cm_verifier_poai(cm_poai *out, const cm_verifier *v,
                                       const cm_market_policy *p, cm_view record);
CM_API CM_MUST cm_err cm_verifier_settlement(cm_settlement *out, const cm_verifier *v,
                                             const cm_market_policy *p, cm_view record);
CM_API CM_MUST cm_err cm_verifier_batch(cm_batch_head *out, const cm_verifier *v,
                                        const cm_market_policy *p, cm_view record);
/** That the settlement pays for this receipt and was issued in its time. MARKET_BINDING. */
CM_API CM_MUST cm_err cm_verifier_binds(const cm_verifier *v, const cm_settlement *s,
                                        const cm_poai *r, uint64_t skew_ms);
/** What secp256k1 signs, and what a settlement names its receipt by (M-6). */
CM_API CM_MUST cm_err cm_verifier_poai_digest(uint8_t out[32], const cm_verifier *v,
                                              const cm_poai *r);
CM_API CM_MUST cm_err cm_verifier_settlement_digest(uint8_t out[32], const cm_verifier *v,
                                                    const cm_settlement *s);

/* ---- what others defined, byte for byte (spec/market.md, section 4) -------------------------- */

typedef struct {
    cm_u256 task;
    uint8_t intent[32], model[32], prompt[32], block[32];
    uint8_t operator_address[20];
} cm_claim;

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

CM_API void cm_bridge_encode(uint8_t out[CM_BRIDGE_RECEIPT], const cm_bridge_receipt *r);
/** MARKET_MALFORMED for another length, MARKET_VERSION for another version. Status and numbers are
 * as they stand. */
CM_API CM_MUST cm_err cm_bridge_decode(cm_bridge_receipt *r, cm_view bytes);
CM_API CM_MUST cm_err cm_verifier_bridge_hash(uint8_t out[32], const cm_verifier *v,
                                              const cm_bridge_receipt *r);
/** The challenge, what an attestation has to carry as report data, and the key under which the
 * first claim of a computation wins. */
CM_API CM_MUST cm_err cm_verifier_challenge(uint8_t out[32], const cm_verifier *v,
                                            const cm_claim *m);
CM_API CM_MUST cm_err cm_verifier_report_data(uint8_t out[32], const cm_verifier *v,
                                              const cm_claim *m, const uint8_t output[32],
                                              const uint8_t runtime[32]);
CM_API CM_MUST cm_err cm_verifier_claim_key(uint8_t out[32], const cm_verifier *v,
                                            const uint8_t model[32], const uint8_t prompt[32],
                                            const uint8_t output[32]);

/* ---- quotes on the HMM curve (spec/market.md, section 8) ------------------------------------- */

/** One resource's pool. Weights, lambda, fee and risk count 1e-18. */
typedef struct {
    cm_u256 x, y;            /* reserves: 1 to below 2^96 */
    uint64_t weight, lambda; /* at most 10^18, not both 0 */
    uint64_t fee, risk;      /* at most 10^18: what is always taken; what size adds */
} cm_curve;

typedef struct {
    cm_u256 out, fee;      /* what the trader gets; what of `in` is taken, rounded up */
    cm_u256 before, after; /* units of out for one of in, times 10^18, rounded down */
    uint32_t slippage_bp;  /* by how much `out` is below the price before, rounded up */
} cm_quote;

/** Twice the invariant, times 10^18. CURVE_PARAMETERS. */
CM_API CM_MUST cm_err cm_curve_invariant(cm_u256 *out, const cm_curve *c);
/** What `in` units of x (of y, if from_y) bring. Rounded in the pool's favour. CURVE_PARAMETERS;
 * CURVE_EMPTY when it would take the last unit; CURVE_FEE when the fee would take everything;
 * AMOUNT_OVERFLOW past 2^96. */
CM_API CM_MUST cm_err cm_curve_quote(cm_quote *q, const cm_curve *c, bool from_y,
                                     const cm_u256 *in);
/** The same, done: c has the new reserves, to which the fee was not added. CURVE_SLIPPAGE when less
 * than `least` would come out. q may be NULL. */
CM_API CM_MUST cm_err cm_curve_swap(cm_curve *c, cm_quote *q, bool from_y, const cm_u256 *in,
                                    const cm_u256 *least);

/* ---- in libcasemate alone: key files, signing ------------------------------------------------ */

/** Public (or private) key files, one of a kind. KEY_ALGORITHM for other keys; what reading a key
 * file fails with. */
CM_API CM_MUST cm_err cm_verifier_open(cm_verifier **out, const char *const *files, size_t count);

typedef struct cm_signer cm_signer;
/** Private key files, one of a kind; passphrase opens protected ones, or is NULL. */
CM_API CM_MUST cm_err cm_signer_open(cm_signer **out, const char *const *files, size_t count,
                                     const char *passphrase);
CM_API void cm_signer_free(cm_signer *s);
/* Append the record to out, whose max must be CM_MARKET_RECORD_MAX or more; set algorithms, key id
 * and, if it is 0, a random nonce. MARKET_FIELD, MARKET_TERM. The clock is not looked at. */
CM_API CM_MUST cm_err cm_signer_poai(cm_buf *out, const cm_signer *s, cm_poai *r);
CM_API CM_MUST cm_err cm_signer_settlement(cm_buf *out, const cm_signer *s, cm_settlement *t);

/** The Merkle tree of a batch. Immutable: threads may share it. */
typedef struct cm_batch_tree cm_batch_tree;
/** One signature for count receipts, whose algorithms, key id, realm and nonce it sets: the tree,
 * and the signed head in head; h says when it is issued and expires, and the realm. BAD_ARGUMENT
 * for none or more than CM_BATCH_LEAVES_MAX; free the tree with cm_batch_tree_free(). */
CM_API CM_MUST cm_err cm_signer_batch(cm_batch_tree **tree, cm_buf *head, const cm_signer *s,
                                      cm_batch_head *h, cm_poai *r, size_t count);
/** Append the record of leaf number index, whose statement r is, under the signed head.
 * BAD_ARGUMENT past the last, or for another leaf than the tree's. */
CM_API CM_MUST cm_err cm_batch_record(cm_buf *out, const cm_batch_tree *t, size_t index,
                                      const cm_poai *r, cm_view head);
CM_API void cm_batch_tree_free(cm_batch_tree *t);

#ifdef __cplusplus
}
#endif
#endif
