#ifndef CM_PKI_OSSL_H
#define CM_PKI_OSSL_H
/* For the one other module that stands on OpenSSL, wire: keys and certificates as libssl takes
 * them. */
#include <openssl/types.h>

#include "pki/ca.h"

/** A private signing key as OpenSSL's; free with EVP_PKEY_free(). KEY_ALGORITHM for keys that it
 * has no form for, dual ones included; KEY_NOT_PRIVATE, KEY_NO_SEED. */
CM_MUST cm_err cm_pkey_evp(EVP_PKEY **out, const cm_crypt *c, const cm_pkey *k);
/** Borrowed from cert. */
X509 *cm_cert_x509(const cm_cert *cert);
/** A certificate that shares x; x stays the caller's. CERT_MALFORMED. */
CM_MUST cm_err cm_cert_share(cm_cert **out, X509 *x);

#endif
