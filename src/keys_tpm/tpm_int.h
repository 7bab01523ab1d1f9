#ifndef CM_KEYS_TPM_TPM_INT_H
#define CM_KEYS_TPM_TPM_INT_H
/* What needs no TPM. */
#include "keys_tpm/tpm.h"

enum { CM_TPM_POLICY = 32, CM_TPM_AREA_MAX = 1024 };

/** Bytes of a digest of the bank; 0: not one of ours. */
size_t cm_tpm_bank_size(uint16_t bank);
/** Bank 0 is SHA-256. TPM_SELECTION: no register, one past the last, or no such bank. */
CM_MUST cm_err cm_tpm_selection_check(cm_tpm_selection *s);
size_t cm_tpm_values_size(const cm_tpm_selection *s);

/** The policy that a sealed object has: PolicyPCR, then PolicyAuthValue (TPM 2.0 part 3). */
CM_MUST cm_err cm_tpm_policy_digest(uint8_t out[CM_TPM_POLICY], const cm_crypt *c,
                                    const cm_tpm_selection *s, cm_view values, bool auth);
/** Bits of the registers whose values differ. Both are of this selection. */
uint32_t cm_tpm_values_differ(const cm_tpm_selection *s, cm_view a, cm_view b);
CM_MUST cm_err cm_tpm_sealed_put(cm_buf *blob, const cm_tpm_sealed *s);
/** The first DER element of v, by its length; empty when there is none. */
cm_view cm_tpm_der_first(cm_view v);

#endif
