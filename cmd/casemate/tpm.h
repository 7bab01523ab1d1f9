#ifndef CM_CMD_TPM_H
#define CM_CMD_TPM_H
/* The TPM of this machine as a recipient: --to tpm:pcr=7,11. */
#include "cli.h"
#include "gather/gather.h"
#include "keys_tpm/recipient.h"

/** What a TPM as a recipient begins with. */
#define CM_CLI_TPM "tpm:"
enum { CM_CLI_TPMS = 4 /* sets of registers that one model is sealed to */ };

/** Which TPM: $CASEMATE_TPM as tpm2-tss names it, or the kernel's. Also keeps the library from
 * writing to the terminal. */
const char *cm_cli_tcti(void);
/** A quote as a piece of evidence; e is emptied. */
CM_MUST cm_err cm_cli_tpm_gathered(cm_gathered *g, cm_tpm_evidence *e);
bool cm_cli_is_tpm(const char *to);
/** k does not move. */
CM_MUST cm_err cm_cli_tpm_recipient(cm_cli *cli, cm_tpm_key *k, cm_recipient *out, const char *to);
void cm_cli_tpm_opener(cm_cli *cli, cm_tpm_key *k, cm_opener *out);
/** e, or what kept the TPM from opening the model when nothing else opened it. */
CM_MUST cm_err cm_cli_tpm_why(cm_cli *cli, const cm_tpm_key *k, const char *path, cm_err e);
/** "TPM, PCR 7,11". */
void cm_cli_tpm_text(cm_cli *cli, char *text, size_t max, const cm_stanza *st);

#endif
