#ifndef CM_RELEASE_JWE_H
#define CM_RELEASE_JWE_H
/*
 * The JWE in which a key is released (spec/release.md, section 2): algorithm ML-KEM-768+A192KW of
 * draft-ietf-jose-pqc-kem-05, content encryption A256GCM, flattened JSON, as Trustee makes and
 * reads them. No other algorithm is written or read.
 */
#include "crypt/kem.h"

#define CM_JWE_ALG "ML-KEM-768+A192KW"
#define CM_JWE_ENC "A256GCM"

enum {
    CM_JWE_PLAIN_MAX = 64 << 10,
    CM_JWE_MAX = 128 << 10, /* bytes of a Response */
    CM_JWE_KWK = 24,
};

/** Append a Response that holds plain for the holder of to.
 * to        ML-KEM-768, else RELEASE_KEY.   plain  At most CM_JWE_PLAIN_MAX, else TOO_BIG.
 * NO_ENTROPY. Constant time in plain and in what is derived. Any thread. */
CM_MUST cm_err cm_jwe_seal(cm_buf *out, const cm_crypt *c, const cm_kem_key *to, cm_view plain);
/** The same for the bytes of a public key. RELEASE_KEY. */
CM_MUST cm_err cm_jwe_seal_to(cm_buf *out, const cm_crypt *c, cm_view key, cm_view plain);

/** Append the plaintext; out is secret, and the caller's to wipe.
 * RELEASE_JWE not of this form (RL-10); CRYPT_TAG whatever else is wrong. Constant time in me and
 * the plaintext. */
CM_MUST cm_err cm_jwe_open(cm_buf *out, const cm_crypt *c, const cm_kem_key *me, cm_view response);

/** The key-wrapping key of a shared secret (RL-9): for known answers. */
CM_MUST cm_err cm_jwe_kdf(uint8_t out[CM_JWE_KWK], const cm_crypt *c, const uint8_t secret[32]);

#endif
