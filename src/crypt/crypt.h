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
/** The same with the FIPS module (module_dir/fips.so) and the file that `openssl fipsinstall` wrote
 * for it; cm_crypt_new() takes both from the build's module folder. Neither OpenSSL's default
 * configuration nor the environment is read, and the first context turns off its automatic loading
 * for this copy of OpenSSL: a program that shares the copy and wants it calls
 * OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) before. */
CM_MUST cm_err cm_crypt_new_fips(cm_crypt **out, const char *module_dir, const char *config);
/** After every key, hasher and cipher made from it, and after the threads that used it. */
void cm_crypt_free(cm_crypt *c);
void cm_crypt_free_ptr(cm_crypt **c);
cm_profile cm_crypt_profile(const cm_crypt *c);
/** "OpenSSL 3.5.7 ..." as linked; static. */
const char *cm_crypt_version(void);

/** Random bytes, public or secret, from a generator of 256 bits strength that reseeds itself and
 * survives a fork. NO_ENTROPY; out is wiped then. Any thread. */
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
/** Bytes of a digest; 0 for an unknown number. */
size_t cm_hash_size(cm_hash h);

/* Hashes. CRYPT_ALGORITHM for an unknown one, CRYPT_PROFILE for one the profile does not serve.
 * Time depends on lengths alone, here and below but for Argon2id. Any thread; a hasher, one thread
 * at a time. */
CM_MUST cm_err cm_hash_once(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view v);
typedef struct cm_hasher cm_hasher; /* streaming */
CM_MUST cm_err cm_hasher_new(cm_hasher **out, const cm_crypt *c, cm_hash h);
CM_MUST cm_err cm_hasher_update(cm_hasher *h, cm_view v);
/** Ready for a new message afterwards. */
CM_MUST cm_err cm_hasher_final(cm_hasher *h, uint8_t *out);
/** Wipes its state. */
void cm_hasher_free(cm_hasher *h);
void cm_hasher_free_ptr(cm_hasher **h);
/** SHAKE128/256 with n bytes of output. */
CM_MUST cm_err cm_shake(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n, cm_view v);
/** The same over several parts, one after another. */
CM_MUST cm_err cm_shake_parts(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n,
                              const cm_view *parts, size_t count);

/** HMAC (FIPS 198-1), any key length. Keccak-256 is a hash only: CRYPT_ALGORITHM, here and below.
 */
CM_MUST cm_err cm_hmac(const cm_crypt *c, cm_hash h, uint8_t *out, cm_view key, cm_view v);
/** KMAC256 (SP 800-185). BAD_ARGUMENT for a key below 4 or above 512 bytes, a customisation string
 * above 512, or n outside 1 to 2^20. */
CM_MUST cm_err cm_kmac256(const cm_crypt *c, uint8_t *out, size_t n, cm_view key, cm_view custom,
                          cm_view v);
/** HKDF (RFC 5869). An empty salt stands for zeros. */
CM_MUST cm_err cm_hkdf_extract(const cm_crypt *c, cm_hash h, uint8_t *prk, cm_view salt,
                               cm_view ikm);
/** BAD_ARGUMENT for an empty prk or n outside 1 to 255 digests. The RFC asks for a prk as long as
 * a digest; protocols that expand a shorter uniform key (FLOE) are served too. */
CM_MUST cm_err cm_hkdf_expand(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view prk,
                              cm_view info);

typedef struct {
    uint32_t memory_kib, passes, lanes;
} cm_argon2;
/** Argon2id (RFC 9106), its lanes one after another on this thread. CRYPT_COST past 4 GiB, 64
 * passes or 64 lanes, or below 8 KiB a lane; BAD_ARGUMENT for a salt below 16 bytes or n outside 4
 * to 2^20. Its memory is touched at addresses that depend on the password after the first half
 * pass, by design. */
CM_MUST cm_err cm_argon2id(const cm_crypt *c, uint8_t *out, size_t n, cm_view pass, cm_view salt,
                           const cm_argon2 *cost);
/** PBKDF2 (RFC 8018), for reading what others wrote. BAD_ARGUMENT for rounds 0 or n outside 1 to
 * 2^20; the fips profile also refuses short salts and few rounds (CRYPT_PROVIDER). */
CM_MUST cm_err cm_pbkdf2(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n, cm_view pass,
                         cm_view salt, uint32_t rounds);

#endif
