#ifndef CM_SVC_MARKET_INT_H
#define CM_SVC_MARKET_INT_H
/* What the operations on receipts and settlements share (h_market.c). */
#include "market/receipt.h"
#include "svc/keyrec_int.h"

/* One key or two: the call's own, and a second one that the request names or the first demands
 * (V-75). */
typedef struct {
    cm_sig_key *secp, *mldsa;
    cm_market_keys keys;
    uint8_t id[32];
    uint16_t algs;
    cm_keyop op[2]; /* a signature by each, secp256k1 first: all but what is signed */
    size_t n;
} cm_market_set;

void cm_market_set_done(cm_market_set *k);
/* use: CM_USE_PROTECT to sign, CM_USE_PROCESS to verify. Errors of cm_keyrec_pick(), SVC_DENIED,
 * SVC_NO_KEY and MARKET_POLICY on the second key. */
cm_err cm_market_set_of(cm_call *c, cm_market_set *k, uint64_t version, unsigned use);
/* Adds a public key that the request brings. */
cm_err cm_market_set_add(cm_call *c, cm_market_set *k, cm_view public_key);

/* A field of exactly n bytes; missing ones are left as they are where that is allowed. */
cm_err cm_market_fixed(cm_call *c, uint8_t *out, size_t n, const cm_msg *m, size_t field,
                       bool optional);
/* Times from now on, and the realm. MARKET_TERM. */
cm_err cm_market_times(cm_call *c, cm_market_head *h, size_t realm, size_t ttl, uint64_t longest);
/* The nonce that is given, or one drawn here, which nobody can bring (V-66). */
cm_err cm_market_nonce(cm_call *c, uint8_t out[32], cm_view given);
/* The fields of CM_POAI_FIELDS at `first`, all but the nonce. */
cm_err cm_market_poai(cm_call *c, cm_poai *r, const cm_msg *m, size_t first);
/* Uses the nonce of a receipt up where it is the caller's. */
cm_err cm_market_count_nonce(cm_call *c, const cm_market_set *k, const cm_market_head *h,
                             cm_view given);

/* Wants the signatures over n statements of `size` bytes one behind the other in the state's text,
 * whose digests are in its request. */
cm_err cm_market_ask(cm_call *c, const cm_market_set *k, size_t n, size_t size,
                     const char *context);
/* Appends statement i with its signatures, once they are there. The operations' own errors, and
 * CRYPT_PROVIDER. */
cm_err cm_market_put(cm_call *c, cm_buf *b, size_t i, size_t size);
/* The one record that was asked for: into b, and into the fields of a SignMarketAnswer. */
cm_err cm_market_made(cm_call *c, size_t size);

/* ---- registry.c ---- */
/* V-66: something that happens once in this tenant: `spent` when it did before. until (ms):
 * UINT64_MAX for good, else it may be forgotten from then on; MARKET_FORGOTTEN when those of that
 * time are. */
cm_err cm_market_once(cm_call *c, const char *kind, cm_view a, cm_view b, uint64_t until,
                      cm_err spent);
/* The row T kind a b goes when its time is over. */
cm_err cm_market_due(cm_call *c, const char *kind, cm_view a, cm_view b, uint64_t until);

/* ---- h_market_batch.c: SignPoAI for the items of a Batch ---- */
/* Fills in the call's operations, some for each item: a bad item has its error in the first. */
cm_err cm_market_items(cm_call *c, cm_msg *const *items, size_t n);
/* The record of item i, or its error in the first of its `parts` operations. */
cm_err cm_market_item_made(cm_call *c, size_t i, size_t parts, cm_msg *result);

#endif
