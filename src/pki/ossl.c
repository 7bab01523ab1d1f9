#include "pki/ossl.h"

#include "crypt/ossl.h"
#include "pki/cert_int.h"

cm_err cm_pkey_evp(EVP_PKEY **out, const cm_crypt *c, const cm_pkey *k)
{
    cm_key_part part[CM_PARTS];
    cm_err e = k->sig ? cm_sig_evp(out, k->sig) : CM_FAIL(CRYPT_ALGORITHM);

    if (!cm_is(e, CM_CRYPT_ALGORITHM))
        return e;
    if (cm_pkey_parts(part, k) != 1)
        return CM_FAIL(KEY_ALGORITHM);
    return cm_part_evp(out, c, &part[0], true);
}

X509 *cm_cert_x509(const cm_cert *cert)
{
    return cert->x;
}

cm_err cm_cert_share(cm_cert **out, X509 *x)
{
    CM_AUTO(cm_pki_x509_done) X509 *shared = x;

    CM_TRY_PKI(X509_up_ref(x));
    return cm_cert_wrap(out, &shared, CM_CERT_MALFORMED);
}
