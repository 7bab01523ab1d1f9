#ifndef CM_HSM_TPM_H
#define CM_HSM_TPM_H
/*
 * The machine's TPM as a provider: seeds under AES-256 keys that the TPM gives back while its
 * registers are what they were (spec/tpm.md, TP-30 on), and P-256 keys that sign in it.
 *
 * Nothing is stored: every blob brings what the TPM sealed. So the key of the root's slot
 * (CM_HSM_ROOT_ID) is always there, and others are temporary; a lasting one is HSM_MECHANISM.
 */
#include "hsm/hsm.h"
#include "keys_tpm/tpm.h"

typedef struct cm_hsm_tpm cm_hsm_tpm;
/** registers: "pcr=7,11". tcti as cm_tpm_open() takes it, and its errors; TPM_SELECTION. */
CM_MUST cm_err cm_hsm_tpm_new(cm_hsm_tpm **out, const cm_crypt *c, const char *registers,
                              const char *tcti);
void cm_hsm_tpm_free(cm_hsm_tpm *p);
void cm_hsm_tpm_free_ptr(cm_hsm_tpm **p);
cm_hsm cm_hsm_tpm_of(cm_hsm_tpm *p);
/** Why the last blob was refused, for a log: "these registers differ: 7,11" (TPM_CHANGED), another
 * TPM (HSM_BLOB); "" for nothing that the TPM has to say. */
enum { CM_HSM_TPM_WHY = 192 };
void cm_hsm_tpm_why(cm_hsm_tpm *p, char text[CM_HSM_TPM_WHY]);

#endif
