#ifndef CM_ATTEST_TRUSTEE_H
#define CM_ATTEST_TRUSTEE_H
/*
 * Evidence in the JSON that Confidential Containers' attesters send (spec/attest.md, section 15).
 * The JSON is a transport: what comes out are packs (AT-10) of the bytes that hardware signed, and
 * cm_attest_verify() judges those. Readers are strict and bounded; all of it is public. Any thread.
 */
#include "attest/attest.h"
#include "codec/json.h"

enum { CM_TRUSTEE_MAX = 1 << 20, CM_SNP_REPORT = 1184 };

typedef struct {
    cm_buf pack[CM_ATTEST_SET_MAX]; /* a device list has several */
    size_t n;
} cm_trustee;

void cm_trustee_done(cm_trustee *t);
/** The packs of one attester's evidence. kind: what it is said to be of; UNKNOWN: its members say.
 * ATTEST_JSON. Zeroed out; free with _done(), also after a failure. */
CM_MUST cm_err cm_trustee_read(cm_trustee *out, cm_attest_kind kind, const cm_json_node *n);
/** A file: of a JSON object its pack, or a set of them (AT-104), appended; of anything else the
 * bytes. ATTEST_JSON. */
CM_MUST cm_err cm_trustee_file(cm_buf *out, cm_view file);

/** The report that a structure of the sev crate stands for (AT-155). ATTEST_JSON; then out is
 * void. */
CM_MUST cm_err cm_trustee_snp_report(uint8_t out[CM_SNP_REPORT], const cm_json_node *n);

/** Whether the machine's evidence is bound to this init-data: SEV-SNP's host data, a TD's
 * MRCONFIGID or register 8 of Azure's vTPM is its digest (AT-158). False for any other kind. */
CM_MUST cm_err cm_trustee_init_data(bool *bound, const cm_crypt *c, const cm_attest_result *r,
                                    cm_view text);

/** Whether the object has these members, each once, and no others but those from `must` on. */
bool cm_trustee_has(const cm_json_node *n, const char *const *names, size_t must, size_t all);
/** Exactly n numbers below 256. */
bool cm_trustee_bytes(uint8_t *out, size_t n, const cm_json_node *list);

#endif
