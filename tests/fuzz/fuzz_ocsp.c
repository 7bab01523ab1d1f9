/* Whatever the bytes: no answer of the vendor's, since nobody signed it. */
#include <stdlib.h>

#include "attest/attest_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static EVP_PKEY *key;
    static X509 *x;
    cm_ocsp_status s;

    if (!key) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        x = X509_new();
        if (!key || !x || ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1)
            abort();
    }
    (void)cm_ocsp_is(cm_view_of(p, n));
    s = cm_ocsp_about(cm_view_of(p, n), x, key, 1770000000, CM_LIT(""));
    if (s != CM_OCSP_NONE && s != CM_OCSP_FORGED)
        abort();
    return 0;
}
