#ifndef CM_ATTEST_BUNDLE_H
#define CM_ATTEST_BUNDLE_H
/*
 * What belongs to evidence: certificates, revocation lists, the vendor's statements, logs. Files
 * are known by what they hold, so that a folder of them can be given as it is. Nothing here is
 * trusted: verification judges it.
 *
 * One thread; time depends on the files, which are public.
 */
#include "attest/attest.h"

typedef struct cm_attest_bundle cm_attest_bundle;

enum { CM_BUNDLE_FILE_MAX = 4 << 20, CM_BUNDLE_ITEMS = 128 };

/** Empty; c is borrowed. NO_MEMORY. */
CM_MUST cm_err cm_attest_bundle_new(cm_attest_bundle **out, const cm_crypt *c);
void cm_attest_bundle_free(cm_attest_bundle *b);
void cm_attest_bundle_free_ptr(cm_attest_bundle **b);

/** Add a file: what it holds is copied. name ties a statement (x.json) to its signature (x.sig) and
 * means nothing else. *role says what it was taken for, NULL when for nothing. A certificate that
 * is there already is not added again; of logs and lists of status the first stays, and of Intel's
 * statements the first that is of the evidence's platform counts (AT-48).
 * ATTEST_BUNDLE too many; NO_MEMORY. */
CM_MUST cm_err cm_attest_bundle_add(cm_attest_bundle *b, cm_view name, cm_view file,
                                    const char **role);
/** When the status list was fetched, for the policy's limit of its age. */
void cm_attest_bundle_status_time(cm_attest_bundle *b, uint64_t seconds);
/** Point in at everything that was added; borrowed from b. Its evidence and kind stay. */
void cm_attest_bundle_input(const cm_attest_bundle *b, cm_attest_input *in);

#endif
