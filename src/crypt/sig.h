#ifndef CM_CRYPT_SIG_H
#define CM_CRYPT_SIG_H
/* Signatures. Every signature is made for a purpose: the context string keeps purposes apart. */
#include "crypt/crypt.h"

typedef enum { /* wire numbers, fixed for good */
               CM_SIG_MLDSA44 = 1,
               CM_SIG_MLDSA65 = 2,
               CM_SIG_MLDSA87 = 3,
               CM_SIG_SLHDSA_SHA2_128S = 4,
               CM_SIG_SLHDSA_SHA2_128F = 5,
               CM_SIG_ED25519 = 6,
               CM_SIG_P256 = 7,      /* ECDSA over SHA-256; raw r||s on the wire */
               CM_SIG_P384 = 8,      /* over SHA-384 */
               CM_SIG_SECP256K1 = 9, /* over a 32-byte prehash (Keccak-256 or SHA-256: the
                                        caller's), low-S, r||s */
               CM_SIG_DUAL65 = 10, /* ML-DSA-65 and Ed25519 over one statement: both must verify */
               CM_SIG_DUAL87 = 11, /* ML-DSA-87 and Ed25519 */
} cm_sig_id;

typedef struct {
    cm_sig_id id;
    const char *name;
    uint16_t seed, pk; /* sizes in bytes, all exact */
    uint32_t sig;
    bool post_quantum; /* dual: at least one half is */
} cm_sig_info;
/** Static; NULL for an unknown number or name. */
const cm_sig_info *cm_sig_info_of(uint32_t id);
const cm_sig_info *cm_sig_info_by_name(cm_view name);
enum {
    CM_SIG_PK_MAX = 2624,
    CM_SIG_MAX = 17088,
    CM_SIG_SEED_MAX = 64,
    CM_SIG_CTX_MAX = 255,
    CM_SIG_COUNT = 11
};
/** The context of the ML-DSA half of a dual signature; refused for anything else (K-7). */
#define CM_SIG_DUAL_CTX "casemate-dual-v1"

/* A key keeps its seed in the locked arena and what the provider expanded from it, wiped when
 * freed, in ordinary memory. Immutable: threads may share it. It borrows the cm_crypt for its life.
 */
typedef struct cm_sig_key cm_sig_key;
CM_MUST cm_err cm_sig_generate(cm_sig_key **out, const cm_crypt *c, cm_sig_id id);
/** ML-DSA 32 (xi), Ed25519 32, P-256 32, P-384 48, secp256k1 32 (scalars, big-endian), SLH-DSA 48
 * (SK.seed || SK.prf || PK.seed), dual: ML-DSA xi || Ed25519 seed.
 * CRYPT_BAD_KEY: wrong length, or a scalar that is 0 or not below the order. CRYPT_ALGORITHM,
 * CRYPT_PROFILE. The seed is copied. Constant time in the seed but for CRYPT_BAD_KEY. */
CM_MUST cm_err cm_sig_from_seed(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view seed);
/** ML-DSA from an expanded key that has lost its seed: it signs, and can't be written again. Public
 * key and hash are recomputed and must fit. CRYPT_ALGORITHM for other keys, CRYPT_BAD_KEY. */
CM_MUST cm_err cm_sig_from_expanded(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view sk);
/** Curves: 04 with both coordinates, or compressed. CRYPT_BAD_KEY: wrong length, not on the curve,
 * or an Ed25519 key that is not canonical or of small order (K-11). */
CM_MUST cm_err cm_sig_from_public(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view pk);
/** Wipes everything secret. */
void cm_sig_key_free(cm_sig_key *k);
void cm_sig_key_free_ptr(cm_sig_key **k);
const cm_sig_info *cm_sig_key_info(const cm_sig_key *k);
/** Borrowed from the key. Curves always uncompressed; dual: ML-DSA || Ed25519. */
cm_view cm_sig_public(const cm_sig_key *k);
bool cm_sig_has_private(const cm_sig_key *k);
/** Borrowed from the locked arena; empty in a public key and in one that came expanded. */
cm_view cm_sig_seed(const cm_sig_key *k);

/* Signing fails with CRYPT_NO_PRIVATE for a public key and NO_ENTROPY or CRYPT_PROVIDER; sig holds
 * info->sig bytes and is written only on success. Verifying fails with UNAUTHENTIC
 * (CRYPT_SIGNATURE) on any mismatch, a wrong length included. Any thread. */

/** Sign msg for a purpose. ctx (CRYPT_CONTEXT_LONG past 255 bytes, CRYPT_CONTEXT_RESERVED) is
 * ML-DSA's and SLH-DSA's own context string; for the others it is bound by signing the statement of
 * spec/keys.md (K-3). Hedged. */
CM_MUST cm_err cm_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg);
CM_MUST cm_err cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig);

/** Without our statement, for foreign protocols and known answers: ML-DSA and SLH-DSA with an empty
 * context, Ed25519 over msg, ECDSA over the curve's hash of msg, secp256k1 over a prehash of 32
 * bytes (else BAD_ARGUMENT). Dual keys have no such form: CRYPT_ALGORITHM. A key signs either this
 * way or by cm_sign(), not both. */
CM_MUST cm_err cm_sign_raw(const cm_sig_key *k, uint8_t *sig, cm_view msg);
CM_MUST cm_err cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig);

/** The raw form of ECDSA over what the curve's hash made of a message: 32 bytes for P-256 and
 * secp256k1, 48 for P-384, else BAD_ARGUMENT. CRYPT_ALGORITHM for other keys. Whoever computed the
 * digest vouches for it. */
CM_MUST cm_err cm_sign_digest(const cm_sig_key *k, uint8_t *sig, cm_view digest);
CM_MUST cm_err cm_verify_digest(const cm_sig_key *k, cm_view digest, cm_view sig);

/** For a key that will verify again and again, before threads share it: P-256 gets tables of 148
 * KiB in about a millisecond, and verifies in a third of the time and in variable time, digest
 * included. Other keys, and all in the fips profile, stay as they are. NO_MEMORY. */
CM_MUST cm_err cm_sig_prepare(cm_sig_key *k);

/** ML-DSA's external mu; CRYPT_ALGORITHM for other keys. Whoever computed mu vouches for context
 * and message. */
CM_MUST cm_err cm_sign_mu(const cm_sig_key *k, uint8_t *sig, const uint8_t mu[64]);
CM_MUST cm_err cm_verify_mu(const cm_sig_key *k, const uint8_t mu[64], cm_view sig);
CM_MUST cm_err cm_mldsa_mu(const cm_sig_key *k, uint8_t mu[64], cm_view ctx, cm_view msg);

/** secp256k1 over a prehash: compact low-S signature and the recovery id (0 to 3). */
CM_MUST cm_err cm_sign_recoverable(const cm_sig_key *k, uint8_t sig[64], uint8_t *recid,
                                   const uint8_t digest[32]);
/** The uncompressed key that made sig. BAD_ARGUMENT for recid past 3; CRYPT_SIGNATURE when there is
 * none, or for high s. */
CM_MUST cm_err cm_recover(const cm_crypt *c, uint8_t pk[65], const uint8_t sig[64], uint8_t recid,
                          const uint8_t digest[32]);

/** ML-DSA and SLH-DSA without randomness, for known answers only. */
CM_MUST cm_err cm_sign_det(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg);

#endif
