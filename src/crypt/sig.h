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
    uint16_t seed, pk;
    uint32_t sig; /* exact size */
    bool post_quantum;
} cm_sig_info;
const cm_sig_info *cm_sig_info_of(uint32_t id);
const cm_sig_info *cm_sig_info_by_name(cm_view name);
enum { CM_SIG_PK_MAX = 2624, CM_SIG_MAX = 17088, CM_SIG_SEED_MAX = 96, CM_SIG_COUNT = 11 };

typedef struct cm_sig_key cm_sig_key; /* seed in the locked arena; immutable, shared by threads */
CM_MUST cm_err cm_sig_generate(cm_sig_key **out, const cm_crypt *c, cm_sig_id id);
/** ML-DSA 32 (xi), Ed25519 32, P-256 32, P-384 48, secp256k1 32 (scalars), SLH-DSA 48 (three
 * seeds), dual: ML-DSA xi || Ed25519 seed. */
CM_MUST cm_err cm_sig_from_seed(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view seed);
/** P-256, P-384: uncompressed point; secp256k1: compressed or uncompressed. CRYPT_BAD_KEY. */
CM_MUST cm_err cm_sig_from_public(cm_sig_key **out, const cm_crypt *c, cm_sig_id id, cm_view pk);
void cm_sig_key_free(cm_sig_key *k);
void cm_sig_key_free_ptr(cm_sig_key **k);
const cm_sig_info *cm_sig_key_info(const cm_sig_key *k);
cm_view cm_sig_public(const cm_sig_key *k);
bool cm_sig_has_private(const cm_sig_key *k);
cm_view cm_sig_seed(const cm_sig_key *k);

/** Sign msg for a purpose. ctx (<= 255 bytes) is ML-DSA's and SLH-DSA's own context string; for
 * Ed25519 and ECDSA it is bound by signing the pre-encoding of spec/keys.md. Hedged. sig holds
 * info->sig bytes. */
CM_MUST cm_err cm_sign(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg);
/** UNAUTHENTIC (CRYPT_SIGNATURE) on any mismatch. */
CM_MUST cm_err cm_verify(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig);
/** Raw forms without our ctx pre-encoding, for known answers and foreign protocols. */
CM_MUST cm_err cm_sign_raw(const cm_sig_key *k, uint8_t *sig, cm_view msg);
CM_MUST cm_err cm_verify_raw(const cm_sig_key *k, cm_view msg, cm_view sig);
/** ML-DSA external mu (64 bytes). */
CM_MUST cm_err cm_sign_mu(const cm_sig_key *k, uint8_t *sig, const uint8_t mu[64]);
CM_MUST cm_err cm_verify_mu(const cm_sig_key *k, const uint8_t mu[64], cm_view sig);
CM_MUST cm_err cm_mldsa_mu(const cm_sig_key *k, uint8_t mu[64], cm_view ctx, cm_view msg);
/** secp256k1 over a prehash: 64-byte compact low-S and the recovery id. */
CM_MUST cm_err cm_sign_recoverable(const cm_sig_key *k, uint8_t sig[64], uint8_t *recid,
                                   const uint8_t digest[32]);
CM_MUST cm_err cm_recover(const cm_crypt *c, uint8_t pk[65], const uint8_t sig[64], uint8_t recid,
                          const uint8_t digest[32]);
/** ML-DSA and SLH-DSA deterministic, for known answers. */
CM_MUST cm_err cm_sign_det(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg);

#endif
