#ifndef CM_CRYPT_RSA_H
#define CM_CRYPT_RSA_H
/*
 * RSA signatures over SHA-256, for peers that know nothing newer, and keys wrapped for devices that
 * have nothing newer. Falls to a quantum computer: nothing of our own is protected by it, but what
 * somebody asks for by the name "not post-quantum".
 */
#include "crypt/crypt.h"

typedef struct cm_rsa cm_rsa; /* immutable; any thread; borrows its cm_crypt */

enum { CM_RSA_SIG_MAX = 512, CM_RSA_DER_MAX = 4096 };

typedef enum { CM_RSA_PSS, CM_RSA_PKCS1 } cm_rsa_padding; /* PSS: MGF1-SHA-256, salt of 32 bytes */

/** bits: 2048 or 4096, else BAD_ARGUMENT. Takes seconds, and how long depends on the primes. */
CM_MUST cm_err cm_rsa_generate(cm_rsa **out, const cm_crypt *c, unsigned bits);
/** PKCS#8 DER, the whole of der and canonical, of a key with two primes, 2048 or 4096 bits and the
 * exponent 65537, whose parts fit each other and whose primes are prime: CRYPT_BAD_KEY. */
CM_MUST cm_err cm_rsa_from_private(cm_rsa **out, const cm_crypt *c, cm_view der);
/** What cm_rsa_private_der() wrote and nobody could change since: parts and primes, which take
 * longer to check than to use, are not checked again. */
CM_MUST cm_err cm_rsa_from_own(cm_rsa **out, const cm_crypt *c, cm_view der);
/** SubjectPublicKeyInfo, the same limits. */
CM_MUST cm_err cm_rsa_from_public(cm_rsa **out, const cm_crypt *c, cm_view der);
/** The provider wipes what is secret. */
void cm_rsa_free(cm_rsa *k);
void cm_rsa_free_ptr(cm_rsa **k);
unsigned cm_rsa_bits(const cm_rsa *k);
/** Append PKCS#8 (secret; CRYPT_NO_PRIVATE), SubjectPublicKeyInfo. */
CM_MUST cm_err cm_rsa_private_der(cm_buf *out, const cm_rsa *k);
CM_MUST cm_err cm_rsa_public_der(cm_buf *out, const cm_rsa *k);

/** digested: v is the SHA-256 itself, else BAD_ARGUMENT unless it has 32 bytes. sig: bits / 8
 * bytes, written on success only. CRYPT_NO_PRIVATE. */
CM_MUST cm_err cm_rsa_sign(const cm_rsa *k, uint8_t *sig, cm_rsa_padding p, bool digested,
                           cm_view v);
/** CRYPT_SIGNATURE for any mismatch, a wrong length included. */
CM_MUST cm_err cm_rsa_verify(const cm_rsa *k, cm_rsa_padding p, bool digested, cm_view v,
                             cm_view sig);

/** RSA-OAEP with SHA-256, MGF1-SHA-256 and an empty label: bits / 8 bytes, on success only. */
CM_MUST cm_err cm_rsa_oaep_seal(const cm_rsa *k, uint8_t *out, const cm_key32 *key);
/** The key out of what raw RSA made of that, in a device that knows no OAEP: block has bits / 8
 * bytes. Any fault in it gives a key that nobody knows, not an error, in the same time. */
CM_MUST cm_err cm_rsa_oaep_unpad(const cm_crypt *c, cm_key32 *out, cm_view block);

#endif
