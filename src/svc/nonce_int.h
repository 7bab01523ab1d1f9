#ifndef CM_SVC_NONCE_INT_H
#define CM_SVC_NONCE_INT_H
/* Nonces of signed requests, and the times whose nonces are gone (V-7, V-55). */
#include "svc/svc_int.h"
#include "wire/sign.h"

enum {
    CM_SVC_SPENT_MAX = 256, /* bytes of ranges: 16 of them */
    CM_SVC_SPENT_RANGE = 16,
    CM_SVC_SPENT_NEAR = 2 * CM_HTTPSIG_WINDOW, /* seconds: closer ones become one */
    CM_SVC_NONCE_LIFE = 2 * CM_HTTPSIG_WINDOW, /* seconds from the signing on */
    CM_SVC_NONCE_BATCH = 64,
    CM_SVC_MARKET_BATCH = 32, /* two rows each */
};
#define CM_SVC_SPENT_NONCES   "spent"
#define CM_SVC_SPENT_MARKET   "market-spent"
#define CM_SVC_DUE_MARKET     "market-due"
#define CM_SVC_SETTLEMENT     "settlement"
#define CM_SVC_KIND_CHALLENGE "challenge"

/** Pairs of first and last second, ascending. */
bool cm_svc_spent_has(cm_view ranges, uint64_t created);
/** Adds a second. b: the ranges, with room for one more. SVC_RECORD when it holds none. */
CM_MUST cm_err cm_svc_spent_add(cm_buf *b, uint64_t created);
/** The tenant's ranges of that kind and their row: version 0 and no ranges when there is none.
 * Expected by the call's unit. */
CM_MUST cm_err cm_svc_spent_read(cm_call *c, cm_view tenant, const char *kind, cm_view *path,
                                 cm_view *ranges, uint64_t *version);
/** In the call's unit, over the row of that version. */
CM_MUST cm_err cm_svc_spent_write(cm_call *c, cm_view path, uint64_t version, cm_view ranges);
/** Uses the nonce up, in the call's unit. SVC_FORGOTTEN when those of its time are gone. */
CM_MUST cm_err cm_svc_record_nonce(cm_call *c, const cm_httpsig *s, cm_view tenant);
/** Removes at most CM_SVC_NONCE_BATCH of them, in the call's unit. */
CM_MUST cm_err cm_svc_forget_nonces(cm_call *c, cm_view tenant, const cm_view *keys, size_t n);
/** Removes at most CM_SVC_MARKET_BATCH rows of the registries (registry.c), in the call's unit. */
CM_MUST cm_err cm_svc_forget_market(cm_call *c, cm_view tenant, const cm_view *keys, size_t n);

#endif
