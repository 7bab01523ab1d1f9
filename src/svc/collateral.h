#ifndef CM_SVC_COLLATERAL_H
#define CM_SVC_COLLATERAL_H
/*
 * What an operator has for judging evidence: revocation lists, vendors' statements and answers,
 * reference manifests as `casemate attest rim` imported them, and manifests of reference values
 * that somebody signed. They are one set, which is built whole, never changed, and replaced whole
 * (spec/kms.md, V-120 to V-122). No files and no clock here.
 */
#include "attest/bundle.h"

typedef struct cm_svc_collateral cm_svc_collateral;

enum { CM_SVC_COLLATERAL_FILES = 96, CM_SVC_COLLATERAL_NAME = 200, CM_SVC_COLLATERAL_WHY = 320 };

/** Empty, and the caller's; c is borrowed. */
CM_MUST cm_err cm_svc_collateral_new(cm_svc_collateral **out, const cm_crypt *c);
/** One holder less; the last one frees it. Any thread. */
void cm_svc_collateral_free(cm_svc_collateral *s);
void cm_svc_collateral_free_ptr(cm_svc_collateral **s);

/** Add a file, which is copied; when: of its last change, in seconds, for what has no date of its
 * own. Before it is finished, on one thread. ATTEST_BUNDLE too many; TOO_BIG its name or itself. */
CM_MUST cm_err cm_svc_collateral_add(cm_svc_collateral *s, cm_view name, cm_view file,
                                     uint64_t when);
/** Make it what evidence can be judged with. before: the set in use, whose place it is to take;
 * NULL: there is none, and then what belongs to no evidence is passed over. Else such a file is
 * COLLATERAL_KIND, and one that is older than what it replaces COLLATERAL_OLD. REFERENCE_FORM,
 * CRYPT_SIGNATURE: of a manifest; ATTEST_BUNDLE. *why names the file. */
CM_MUST cm_err cm_svc_collateral_finish(cm_svc_collateral *s, const cm_svc_collateral *before,
                                        char why[CM_SVC_COLLATERAL_WHY]);

/** What has become of a file: for logs. */
typedef struct {
    const char *name, *as; /* as NULL: it belongs to no evidence */
    bool superseded;       /* another file is about the same, and newer */
    uint64_t next;         /* when it is over; 0: it names no end */
} cm_svc_collateral_file;

/** The i-th; false behind the last. Of a finished set, on any thread, as all below. */
bool cm_svc_collateral_at(const cm_svc_collateral *s, size_t i, cm_svc_collateral_file *out);
/** SHA-256 over the names and the bytes of what counts. */
cm_view cm_svc_collateral_digest(const cm_svc_collateral *s);
/** How many of the files that count are over. */
size_t cm_svc_collateral_expired(const cm_svc_collateral *s, uint64_t now);

#endif
