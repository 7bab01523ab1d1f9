/* Blobs of a TPM and stanzas around them, without the TPM: what is taken is what a writer makes of
 * it again; selections of registers, by their text. */
#include <stdlib.h>

#include "keys_tpm/recipient.h"
#include "keys_tpm/tpm_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void blob(cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_TPM_SEALED_MAX};
    cm_tpm_sealed s;

    if (cm_failed(cm_tpm_sealed_read(&s, v)))
        return;
    must(s.values.n == cm_tpm_values_size(&s.pcrs));
    must(cm_ok(cm_tpm_sealed_put(&again, &s)) && cm_view_eq(cm_buf_view(&again), v));
    must(cm_tpm_values_differ(&s.pcrs, s.values, s.values) == 0);
}

static void selection(cm_view v)
{
    cm_tpm_selection s;
    char text[128];

    if (cm_failed(cm_tpm_selection_read(&s, v)))
        return;
    must(s.registers && cm_tpm_bank_size(s.bank));
    cm_tpm_selection_text(text, &s);
    must(text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v = cm_view_of(p, n);
    cm_view der = cm_tpm_der_first(v);

    must(der.n <= n);
    blob(v);
    selection(v);
    return 0;
}
