/* In place of the other files where tpm2-tss's headers were absent when this was built. */
#include "keys_tpm/tpm_int.h"

cm_err cm_tpm_open(cm_tpm **out, const cm_crypt *c, const char *tcti)
{
    (void)out;
    (void)c;
    (void)tcti;
    return CM_FAIL(TPM_NOT_BUILT);
}

void cm_tpm_close(cm_tpm *t)
{
    (void)t;
}

void cm_tpm_close_ptr(cm_tpm **t)
{
    (void)t;
}

const char *cm_tpm_maker(const cm_tpm *t)
{
    (void)t;
    return "";
}

#define ABSENT(name, ...)              \
    cm_err name(__VA_ARGS__)           \
    {                                  \
        return CM_FAIL(TPM_NOT_BUILT); \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"
ABSENT(cm_tpm_registers, cm_tpm *t, cm_buf *values, const cm_tpm_selection *s)
ABSENT(cm_tpm_extend, cm_tpm *t, uint16_t bank, unsigned number, cm_view digest)
ABSENT(cm_tpm_quote_make, cm_tpm *t, cm_tpm_evidence *out, const cm_tpm_selection *s, cm_view extra)
ABSENT(cm_tpm_identity, cm_tpm *t, cm_buf *ak, cm_buf *ek_cert)
ABSENT(cm_tpm_activate, cm_tpm *t, cm_buf *secret, cm_view credential)
ABSENT(cm_tpm_seal, cm_tpm *t, cm_buf *blob, const cm_key32 *secret, const cm_tpm_policy *p)
ABSENT(cm_tpm_unseal, cm_tpm *t, cm_key32 *secret, cm_view blob, cm_view auth, uint32_t *differ)
ABSENT(cm_tpm_sealed_check, cm_tpm *t, const cm_tpm_sealed *s, bool *ours, uint32_t *differ)
ABSENT(cm_tpm_name_storage, cm_tpm *t, cm_buf *name)
ABSENT(cm_tpm_random, cm_tpm *t, cm_buf *out, size_t n)
ABSENT(cm_tpm_p256_new, cm_tpm *t, cm_buf *held, uint8_t *pub, size_t *pub_n)
ABSENT(cm_tpm_p256_sign, cm_tpm *t, cm_buf *sig, cm_view held, cm_view msg)
