#ifndef CM_CMD_HARDWARE_H
#define CM_CMD_HARDWARE_H
/* What this machine has that can stand behind a run of casemate enclave, by the options --tpm,
 * --pcr, --pcr-log and --tsm-root. */
#include "cli.h"
#include "enclave/standing.h"
#include "keys_tpm/tpm.h"

typedef struct {
    cm_cli *cli;
    const char *tsm; /* NULL: there is none */
    bool nsm;
    cm_tpm *tpm;                    /* NULL: none */
    unsigned pcr;                   /* with a TPM: what is extended */
    cm_backing processor, extended; /* as of what was done so far */
} cm_cli_hardware;

/** Nothing is asked of it yet but the TPM, which is opened. h does not move. */
CM_MUST cm_err cm_cli_hardware_find(cm_cli *cli, cm_cli_hardware *h);
void cm_cli_hardware_done(cm_cli_hardware *h);
/** Extend the TPM's register by a manifest's digest (EN-26), and the log by a line. Without a TPM
 * nothing is done. */
CM_MUST cm_err cm_cli_hardware_extend(cm_cli_hardware *h, const uint8_t digest[CM_ENCLAVE_DIGEST]);
/** Evidence of all that there is, bound to b, appended as a file that casemate attest verify reads.
 * GATHER_NONE: there is nothing; what gathering gives. */
CM_MUST cm_err cm_cli_hardware_show(cm_cli_hardware *h, cm_buf *out, const cm_bound *b);
cm_standing cm_cli_hardware_standing(const cm_cli_hardware *h);

#endif
