#ifndef CM_CRYPT_OSSL_H
#define CM_CRYPT_OSSL_H
/* For the one other module that stands on OpenSSL, pki: the context and properties of a profile,
 * so that X.509 sees the same provider as everything else. */
#include <openssl/types.h>

#include "crypt/crypt.h"
#include "crypt/sig.h"

/** Borrowed from c. */
OSSL_LIB_CTX *cm_crypt_libctx(const cm_crypt *c);
/** The property query every fetch by name carries: NULL or "fips=yes". Static. */
const char *cm_crypt_propq(const cm_crypt *c);
/** A private ML-DSA key as libssl's, whose signatures are ours: several times as fast as the
 * provider's. A copy; free with EVP_PKEY_free() before the key's cm_crypt. It signs whole messages
 * without context (EVP_DigestSign), gives its public half, and does nothing else. CRYPT_ALGORITHM
 * for other keys, and where this machine or the fips profile has no signing of ours: use the
 * provider's. CRYPT_PROVIDER, NO_MEMORY. */
CM_MUST cm_err cm_sig_evp(EVP_PKEY **out, const cm_sig_key *k);

#endif
