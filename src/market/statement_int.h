#ifndef CM_MARKET_STATEMENT_INT_H
#define CM_MARKET_STATEMENT_INT_H
/* What the three kinds of statement differ in, for the code that signs and verifies any of them. */
#include "market/receipt.h"

typedef struct {
    const char *magic;   /* 4 bytes */
    const char *domain;  /* of the Keccak-256 digest */
    const char *context; /* of ML-DSA */
    uint16_t size;
    uint64_t term_ms; /* the longest */
} cm_statement;

extern const cm_statement cm_statement_poai, cm_statement_settle, cm_statement_batch;

/** Of any statement's bytes. */
CM_MUST cm_err cm_statement_digest(const cm_crypt *c, uint8_t out[32], const cm_statement *s,
                                   cm_view bytes);
/** Sets algs and key id as the keys give them. MARKET_TERM. */
CM_MUST cm_err cm_statement_head(cm_market_head *h, const cm_crypt *c, const cm_statement *s,
                                 const cm_market_keys *k);
/** Appends the signatures of k over the statement's bytes. */
CM_MUST cm_err cm_statement_sign(cm_buf *out, const cm_crypt *c, const cm_statement *s,
                                 const cm_market_keys *k, cm_view bytes);
/** Head against keys, policy and time. */
CM_MUST cm_err cm_statement_check(const cm_crypt *c, const cm_statement *s, const cm_market_head *h,
                                  uint16_t algs, const cm_market_keys *k,
                                  const cm_market_policy *p);
/** Whether it lasts some time, and no longer than it may. */
bool cm_statement_term_ok(const cm_statement *s, const cm_market_head *h);
/** MARKET_FUTURE, MARKET_EXPIRED, by the policy's clock. */
CM_MUST cm_err cm_statement_time(const cm_market_head *h, const cm_market_policy *p);
/** Whether the head may stand for the receipt (M-31), and the receipt is in its time. */
CM_MUST cm_err cm_statement_in_batch(const cm_poai *r, const cm_batch_head *h,
                                     const cm_market_policy *p);
/** sigs are exactly those of algs over bytes. */
CM_MUST cm_err cm_statement_verify(const cm_crypt *c, const cm_statement *s, uint16_t algs,
                                   const cm_market_keys *k, cm_view bytes, cm_view sigs);

/* What stands behind the statement of a receipt in a batch: index, path, head, its signatures. */
typedef struct {
    uint64_t index;
    cm_view path, head, sigs;
} cm_branch;
/** Borrowed from rest. MARKET_MALFORMED. */
CM_MUST cm_err cm_branch_split(cm_branch *b, cm_view rest);

#endif
