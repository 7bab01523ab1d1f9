#ifndef CM_CRYPT_RSA_H
#define CM_CRYPT_RSA_H
/* RSA signatures for peers that know nothing newer. Falls to a quantum computer: nothing here is
 * used to protect anything of our own. */
#include "crypt/crypt.h"

typedef struct cm_rsa cm_rsa; /* immutable; any thread */

enum { CM_RSA_SIG_MAX = 512, CM_RSA_DER_MAX = 4096 };

typedef enum { CM_RSA_PSS, CM_RSA_PKCS1 } cm_rsa_padding; /* over SHA-256; PSS: salt of 32 bytes */

/** bits: 2048 or 4096, else BAD_ARGUMENT. Takes seconds. */
CM_MUST cm_err cm_rsa_generate(cm_rsa **out, const cm_crypt *c, unsigned bits);
/** PKCS#8 DER of a two-prime key of 2048 or 4096 bits with exponent 65537: CRYPT_BAD_KEY. */
CM_MUST cm_err cm_rsa_from_private(cm_rsa **out, const cm_crypt *c, cm_view der);
/** SubjectPublicKeyInfo, the same limits. */
CM_MUST cm_err cm_rsa_from_public(cm_rsa **out, const cm_crypt *c, cm_view der);
void cm_rsa_free(cm_rsa *k);
void cm_rsa_free_ptr(cm_rsa **k);
unsigned cm_rsa_bits(const cm_rsa *k);
/** Append PKCS#8 (secret; CRYPT_NO_PRIVATE), SubjectPublicKeyInfo. */
CM_MUST cm_err cm_rsa_private_der(cm_buf *out, const cm_rsa *k);
CM_MUST cm_err cm_rsa_public_der(cm_buf *out, const cm_rsa *k);

/** digested: v is the SHA-256 itself (else BAD_ARGUMENT unless 32 bytes). sig: bits / 8 bytes. */
CM_MUST cm_err cm_rsa_sign(const cm_rsa *k, uint8_t *sig, cm_rsa_padding p, bool digested,
                           cm_view v);
/** CRYPT_SIGNATURE */
CM_MUST cm_err cm_rsa_verify(const cm_rsa *k, cm_rsa_padding p, bool digested, cm_view v,
                             cm_view sig);

#endif
