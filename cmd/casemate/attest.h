#ifndef CM_CMD_ATTEST_H
#define CM_CMD_ATTEST_H
/* What the attest commands share. */
#include "appraise/policy.h"
#include "appraise/reference.h"
#include "attest/bind.h"
#include "attest/bundle.h"
#include "cli.h"

enum { CM_CLI_EVIDENCE_MAX = 1 << 20, CM_CLI_SET_MAX = 4 << 20 };

/** What a caller learns of each piece of evidence: whether it was accepted. */
typedef void (*cm_cli_attest_seen)(void *arg, const cm_attest_result *r, cm_err verdict);
/** As casemate attest verify does, by the same options but those that say what evidence is bound
 * to: the evidence at path, bound to this. Shows it. ATTEST_REFUSED, ATTEST_INCOMPLETE,
 * POLICY_REFUSED; what keeps it from being judged. */
CM_MUST cm_err cm_cli_attest_bound(cm_cli *cli, const char *path, const cm_bound *to,
                                   cm_cli_attest_seen seen, void *arg);
/** Collateral for the evidence at path: what --collateral names, and unless --alone is given what
 * lies beside it. ATTEST_BUNDLE; what reading a file gives. */
CM_MUST cm_err cm_cli_collateral(cm_cli *cli, cm_attest_bundle **out, const char *path,
                                 cm_view evidence);
/** The files of --part, kept in file[]: what came with the evidence, into in. CLI_USAGE. */
CM_MUST cm_err cm_cli_parts(cm_cli *cli, cm_buf file[CM_PART_COUNT], cm_attest_input *in);
/** Seconds since 1970 of "1782000000", "2026-06-20", "2026-06-20T12:00:00Z". CLI_USAGE. */
CM_MUST cm_err cm_cli_time(cm_cli *cli, const char *option, uint64_t *out);
/** Bytes of hex in the nth value of an option, appended to out. CLI_USAGE. */
CM_MUST cm_err cm_cli_hex_option(cm_cli *cli, const char *option, size_t nth, cm_buf *out);
/** E of --bind and the nonce; *any is false when --bind was not given. CLI_USAGE. */
CM_MUST cm_err cm_cli_bind(cm_cli *cli, bool *any, cm_bound *out, cm_view nonce);
/** Read a policy; a fault is told with its line. file keeps the bytes. */
CM_MUST cm_err cm_cli_policy_load(cm_cli *cli, cm_policy **out, cm_buf *file, const char *path);
/** Read a manifest of reference values; free with cm_reference_free(). */
CM_MUST cm_err cm_cli_manifest_load(cm_cli *cli, cm_reference **out, const char *path);
/** casemate attest measure: what --kernel, --initrd and --cmdline come to, and what --event-log
 * leads to; td: of a TD's registers, else of a TPM's. */
CM_MUST cm_err cm_cli_measure_registers(cm_cli *cli, bool td);

#endif
