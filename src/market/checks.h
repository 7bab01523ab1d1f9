#ifndef CM_MARKET_CHECKS_H
#define CM_MARKET_CHECKS_H
/*
 * A record verified with each check told, for people: which held, which failed and why, which were
 * not asked for. The verdict is that of cm_poai_verify() and cm_settle_verify() themselves.
 */
#include "market/receipt.h"

typedef enum { CM_MARKET_HOLDS, CM_MARKET_NOT_ASKED, CM_MARKET_FAILS } cm_market_verdict;

/** what is static; why is CM_OKAY unless it fails. */
typedef void (*cm_market_line)(void *arg, cm_market_verdict v, const char *what, cm_err why);

/** Every check that can be made of the record, in order, then the verdict of cm_poai_verify(). out
 * is the receipt whenever its statement could be read, *read says whether, whatever the verdict. */
CM_MUST cm_err cm_poai_checks(cm_poai *out, bool *read, const cm_crypt *c, const cm_market_keys *k,
                              const cm_market_policy *p, cm_view record, cm_market_line line,
                              void *arg);
CM_MUST cm_err cm_settle_checks(cm_settlement *out, bool *read, const cm_crypt *c,
                                const cm_market_keys *k, const cm_market_policy *p, cm_view record,
                                cm_market_line line, void *arg);

#endif
