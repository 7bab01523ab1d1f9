#ifndef CM_CRYPT_CRYPT_H
#define CM_CRYPT_CRYPT_H
/*
 * The provider's context and what hangs on it: a profile, random bytes, hashes, MACs, KDFs.
 * Everything goes through a cm_crypt, so that a test or a `fips` process sees only what it may.
 * A cm_crypt may be shared by threads; it is created once and never changes.
 */
#include "base/base.h"

typedef struct cm_crypt cm_crypt;
typedef enum { CM_PROFILE_DEFAULT, CM_PROFILE_FIPS } cm_profile;

/** FIPS loads OpenSSL's FIPS provider and refuses every algorithm it does not serve
 * (CRYPT_PROFILE); it never falls back. CRYPT_NO_FIPS when the provider is missing. */
CM_MUST cm_err cm_crypt_new(cm_crypt **out, cm_profile profile);
void cm_crypt_free(cm_crypt *c);
void cm_crypt_free_ptr(cm_crypt **c);
cm_profile cm_crypt_profile(const cm_crypt *c);
/** "OpenSSL 3.5.7 ..." as linked; static. */
const char *cm_crypt_version(void);

/** Random bytes, public or secret. NO_ENTROPY; out is wiped then. */
CM_MUST cm_err cm_random(const cm_crypt *c, void *out, size_t n);

typedef enum {
    CM_SHA256,
    CM_SHA384,
    CM_SHA512,
    CM_SHA3_256,
    CM_SHA3_384,
    CM_SHA3_512,
    CM_KECCAK256
} cm_hash;
enum { CM_HASH_MAX = 64 };
size_t cm_hash_size(cm_hash h);
CM_MUST cm_err cm_hash_once(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view v);
typedef struct cm_hasher cm_hasher; /* streaming */
CM_MUST cm_err cm_hasher_new(cm_hasher **out, const cm_crypt *c, cm_hash h);
CM_MUST cm_err cm_hasher_update(cm_hasher *h, cm_view v);
CM_MUST cm_err cm_hasher_final(cm_hasher *h, uint8_t *out); /* ready for a new message afterwards */
void cm_hasher_free(cm_hasher *h);
void cm_hasher_free_ptr(cm_hasher **h);
/** SHAKE128/256 with n bytes of output. */
CM_MUST cm_err cm_shake(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n, cm_view v);

CM_MUST cm_err cm_hmac(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view key, cm_view v);
CM_MUST cm_err cm_kmac256(const cm_crypt *c, uint8_t *out, size_t n, cm_view key, cm_view custom,
                          cm_view v);
CM_MUST cm_err cm_hkdf_extract(const cm_crypt *c, cm_hash h, uint8_t *prk, cm_view salt,
                               cm_view ikm);
CM_MUST cm_err cm_hkdf_expand(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view prk,
                              cm_view info);

typedef struct {
    uint32_t memory_kib, passes, lanes;
} cm_argon2;
/** Argon2id (RFC 9106). LIMIT past 4 GiB, 64 passes or 64 lanes; salt 16 bytes or more. */
CM_MUST cm_err cm_argon2id(const cm_crypt *c, uint8_t *out, size_t n, cm_view pass, cm_view salt,
                           const cm_argon2 *cost);
CM_MUST cm_err cm_pbkdf2(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view pass,
                         cm_view salt, uint32_t rounds);

#endif
