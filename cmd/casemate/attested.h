#ifndef CM_CMD_ATTESTED_H
#define CM_CMD_ATTESTED_H
/* Machines that meet a policy as recipients of sealed models: --to attested:policy.yaml. The
 * server holds the policy and the key; who opens collects evidence, asks, and opens. */
#include "attest/bind.h"
#include "gather/gather.h"
#include "keys/attested.h"
#include "kms.h"

/** What such a recipient begins with. */
#define CM_CLI_ATTESTED "attested:"

typedef struct {
    cm_cli *cli;
    cm_remote remote; /* connected on first use */
    cm_attested_key key;
    char policy[CM_ATTESTED_POLICY + 1];
    uint8_t sha256[32];
} cm_cli_attested;

bool cm_cli_is_attested(const char *to);
/** A recipient. The server must have the policy in force; its key is made if it has none. k does
 * not move. CLI_ATTEST_POLICY. */
CM_MUST cm_err cm_cli_attested_recipient(cm_cli *cli, cm_cli_attested *k, cm_recipient *out,
                                         const char *to);
/** An opener: nothing is asked before a model turns out to need it. k does not move. */
void cm_cli_attested_opener(cm_cli *cli, cm_cli_attested *k, cm_opener *out);
void cm_cli_attested_done(cm_cli_attested *k);
/** "machines of the policy fleet". */
void cm_cli_attested_text(cm_cli *cli, char *text, size_t max, const cm_stanza *st);

/* ---- machine.c: what this machine shows ---- */

typedef struct cm_cli_machine cm_cli_machine;
enum { CM_CLI_DEVICES = 16 };

/** Where the devices are: $CASEMATE_TSM (a folder), $CASEMATE_CCEL, $CASEMATE_NSM, else as the
 * kernel has them. */
const char *cm_cli_tsm_root(void);
const char *cm_cli_ccel(void);
const char *cm_cli_nsm(void);
/** Find out what can be asked: configfs-tsm, Nitro's module, or the TPM of $CASEMATE_TPM or of the
 * kernel, in this order. pcrs: what a TPM quotes; 0: 0 to 7. CLI_NO_EVIDENCE when there is nothing.
 */
CM_MUST cm_err cm_cli_machine_open(cm_cli *cli, cm_cli_machine **out, uint32_t pcrs);
void cm_cli_machine_free_ptr(cm_cli_machine **m);
/** Of a TPM: what a credential is made for (cm_tpm_identity()); both stay empty without one. */
CM_MUST cm_err cm_cli_machine_identity(cm_cli_machine *m, cm_buf *ak, cm_buf *ek);
/** Packs of the machine and of its GPUs (device[0..*n)), bound to b; credential: for the TPM to
 * open, or empty. */
CM_MUST cm_err cm_cli_machine_show(cm_cli_machine *m, const cm_bound *b, cm_view credential,
                                   cm_buf *pack, cm_buf *device, size_t *n);

#endif
