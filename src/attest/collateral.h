#ifndef CM_ATTEST_COLLATERAL_H
#define CM_ATTEST_COLLATERAL_H
/*
 * What a store of collateral needs to know of a file: what it is, what it is about, from when and
 * until when it holds. Nothing is verified: that is for whoever uses it. Pure; any thread; time
 * depends on the file, which is public.
 */
#include "crypt/crypt.h"

enum {
    CM_COLLATERAL_MAX = 4 << 20, /* bytes of one */
    CM_COLLATERAL_SLOT = 64,
    CM_COLLATERAL_BUNDLE_MAX = 64 << 20,
    CM_COLLATERAL_ITEMS = 1024,
};

/** Of two files for one slot the one issued later counts. */
typedef struct {
    const char *kind;              /* "crl", "tcb-info", "qe-identity", "ocsp", "certificate",
                                      "status-list": static */
    char slot[CM_COLLATERAL_SLOT]; /* what it is about: lower-case letters, digits, - */
    uint64_t issued, next;         /* next 0: it names no end */
} cm_collateral;

/** What a file is. now: when it came, for those without a date of their own. COLLATERAL_KIND
 * nothing that is kept, or with a date that can't be read. */
CM_MUST cm_err cm_collateral_describe(cm_collateral *out, const cm_crypt *c, cm_view file,
                                      uint64_t now);
/** AT-151: whether b may take the place of a. */
bool cm_collateral_newer(const cm_collateral *a, const cm_collateral *b);

/** Many files as one (AT-154). TOO_BIG. */
CM_MUST cm_err cm_collateral_bundle_put(cm_buf *out, const cm_view *files, size_t n);
/** Call fn for each file of a bundle, until one fails. COLLATERAL_BUNDLE; nothing is called then.
 */
CM_MUST cm_err cm_collateral_bundle_each(cm_view bundle, cm_err (*fn)(void *arg, cm_view file),
                                         void *arg);

/** AT-153: seconds to wait after failures in a row, of which random (any number) chooses. */
uint64_t cm_collateral_backoff(uint32_t failures, uint64_t random);
/** When a source that gave c at now is worth asking again. */
uint64_t cm_collateral_due(const cm_collateral *c, uint64_t now);

#endif
