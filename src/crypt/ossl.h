#ifndef CM_CRYPT_OSSL_H
#define CM_CRYPT_OSSL_H
/* For the one other module that stands on OpenSSL, pki: the context and properties of a profile,
 * so that X.509 sees the same provider as everything else. */
#include <openssl/types.h>

#include "crypt/crypt.h"

/** Borrowed from c. */
OSSL_LIB_CTX *cm_crypt_libctx(const cm_crypt *c);
/** The property query every fetch by name carries: NULL or "fips=yes". Static. */
const char *cm_crypt_propq(const cm_crypt *c);

#endif
