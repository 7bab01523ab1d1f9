#ifndef CM_CRYPT_AEAD_H
#define CM_CRYPT_AEAD_H
/* AES-256-GCM with 96-bit nonces, and AES key wrap with padding for the edges that need it. */
#include "crypt/crypt.h"

enum { CM_GCM_KEY = 32, CM_GCM_NONCE = 12, CM_GCM_TAG = 16 };

/** A cipher context with its key schedule, reused over many messages. One thread at a time. */
typedef struct cm_gcm cm_gcm;
CM_MUST cm_err cm_gcm_new(cm_gcm **out, const cm_crypt *c, const cm_key32 *key);
/** Another key for the same context: no allocation. */
CM_MUST cm_err cm_gcm_rekey(cm_gcm *g, const cm_key32 *key);
void cm_gcm_free(cm_gcm *g);
void cm_gcm_free_ptr(cm_gcm **g);
/** out and in may be the same. The caller owns nonce uniqueness. */
CM_MUST cm_err cm_gcm_seal(cm_gcm *g, uint8_t *out, uint8_t tag[CM_GCM_TAG],
                           const uint8_t nonce[CM_GCM_NONCE], cm_view aad, cm_view in);
/** UNAUTHENTIC (CRYPT_TAG): out, which is written as the tag is computed, is wiped then. */
CM_MUST cm_err cm_gcm_open(cm_gcm *g, uint8_t *out, const uint8_t tag[CM_GCM_TAG],
                           const uint8_t nonce[CM_GCM_NONCE], cm_view aad, cm_view in);

/** AES-256-KWP (RFC 5649). out: n + at most 15 bytes. Not for untrusted bulk: PKCS#11 edges only.
 */
CM_MUST cm_err cm_kwp_wrap(const cm_crypt *c, cm_buf *out, const cm_key32 *kek, cm_view key);
CM_MUST cm_err cm_kwp_unwrap(const cm_crypt *c, cm_buf *out, const cm_key32 *kek, cm_view wrapped);

enum { CM_KW192_KEK = 24, CM_KW192_ADDED = 8 };

/** AES-192-KW (RFC 3394), for JWE alone. Appends key.n + CM_KW192_ADDED bytes. BAD_ARGUMENT for a
 * key that is no whole number of 8 bytes, or below 16. */
CM_MUST cm_err cm_kw192_wrap(const cm_crypt *c, cm_buf *out, const uint8_t kek[CM_KW192_KEK],
                             cm_view key);
/** CRYPT_TAG for whatever is wrong. */
CM_MUST cm_err cm_kw192_unwrap(const cm_crypt *c, cm_buf *out, const uint8_t kek[CM_KW192_KEK],
                               cm_view wrapped);

#endif
