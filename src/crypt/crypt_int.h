#ifndef CM_CRYPT_CRYPT_INT_H
#define CM_CRYPT_CRYPT_INT_H
/* What the files of this module share: the context's inside, and OpenSSL's error flow and scope. */
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "crypt/crypt.h"
#include "crypt/ossl.h"

struct secp256k1_context_struct;

enum { CM_HASH_COUNT = CM_KECCAK256 + 1, CM_AEAD_COUNT = 3, CM_CRYPT_PROVIDERS = 2 };

/* Methods are fetched once, because a fetch by name costs as much as a short hash. A NULL method
 * is one that the profile's provider does not serve. Templates are never used, only duplicated, so
 * threads may share them. Nothing changes after cm_crypt_new(). */
struct cm_crypt {
    cm_profile profile;
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *provider[CM_CRYPT_PROVIDERS];
    EVP_MD *md[CM_HASH_COUNT];
    EVP_MD *shake[2];                /* SHAKE128, SHAKE256 */
    EVP_CIPHER *aead[CM_AEAD_COUNT]; /* by HPKE's number less one: AES-128-GCM, AES-256-GCM,
                                        ChaCha20-Poly1305 */
    EVP_CIPHER *kwp, *kw192;
    EVP_MAC *mac_hmac, *mac_kmac256;
    EVP_KDF *kdf_hkdf, *kdf_argon2id, *kdf_pbkdf2;
    EVP_MAC_CTX *hmac[CM_HASH_COUNT];      /* templates with the digest set */
    EVP_KDF_CTX *hkdf[2][CM_HASH_COUNT];   /* templates: extract only, expand only */
    struct secp256k1_context_struct *secp; /* blinded; NULL in the fips profile */
};

/** Our own provider beside OpenSSL's default one (provider.c). CRYPT_PROVIDER, NO_MEMORY. */
CM_MUST cm_err cm_crypt_add_own(cm_crypt *c);

/** The method of h: CRYPT_ALGORITHM for an unknown number, CRYPT_PROFILE when not served. */
CM_MUST cm_err cm_crypt_md(const EVP_MD **out, const cm_crypt *c, cm_hash h);

/** Empties this thread's OpenSSL error queue, so that a later TLS call does not trip over it, and
 * returns NO_MEMORY if an allocation failed, else the reason given. */
cm_err cm_crypt_fail(cm_reason otherwise);

/* The provider can run out of memory half-way and still report success, with a result made of what
 * its buffers happened to hold. In OpenSSL 3.5.7 ML-DSA does so twice: signing ignores a failure to
 * draw its mask, which can put the key into a signature, and both ways ignore a failure to encode
 * the commitment, by which a bad signature verifies; ML-KEM answers as to a wrong ciphertext. The
 * error queue tells. */
/** Before a call whose success must be one. NO_MEMORY if the queue could not tell later. */
CM_MUST cm_err cm_crypt_watch(void);
/** After it reported success: NO_MEMORY if it has met an error on the way. Empties the queue. */
CM_MUST cm_err cm_crypt_watched(void);

/** Leave the function with CRYPT_PROVIDER, or NO_MEMORY, unless an OpenSSL call returns 1. */
#define CM_TRY_SSL(call)                             \
    do {                                             \
        if ((call) != 1)                             \
            return cm_crypt_fail(CM_CRYPT_PROVIDER); \
    } while (0)

/* OpenSSL takes NULL with 0 bytes for "not set" where we mean "empty". */
static inline const uint8_t *cm_crypt_bytes(cm_view v)
{
    return v.n ? v.p : (const uint8_t *)"";
}

/* For CM_AUTO. */
#define CM_CRYPT_SCOPED(type, name)                                       \
    static inline __attribute__((unused)) void cm_##name##_done(type **p) \
    {                                                                     \
        type##_free(*p);                                                  \
    }
CM_CRYPT_SCOPED(EVP_MD_CTX, evp_md_ctx)
CM_CRYPT_SCOPED(EVP_CIPHER_CTX, evp_cipher_ctx)
CM_CRYPT_SCOPED(EVP_MAC_CTX, evp_mac_ctx)
CM_CRYPT_SCOPED(EVP_KDF_CTX, evp_kdf_ctx)
CM_CRYPT_SCOPED(EVP_PKEY_CTX, evp_pkey_ctx)
CM_CRYPT_SCOPED(EVP_PKEY, evp_pkey)

#endif
