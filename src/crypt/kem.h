#ifndef CM_CRYPT_KEM_H
#define CM_CRYPT_KEM_H
/* Key encapsulation and HPKE base mode over it. */
#include "crypt/crypt.h"

/* Values are HPKE KEM identifiers. */
typedef enum {
    CM_KEM_X25519 = 0x0020, /* classical only: see the envelope's policy */
    CM_KEM_MLKEM512 = 0x0040,
    CM_KEM_MLKEM768 = 0x0041,
    CM_KEM_MLKEM1024 = 0x0042,
    CM_KEM_XWING = 0x647a,
} cm_kem_id;

typedef struct {
    cm_kem_id id;
    const char *name;          /* "ML-KEM-768", "X-Wing" */
    uint16_t seed, pk, ct, ss; /* sizes in bytes; seed: d||z 64, X-Wing and X25519 32 */
    uint8_t nist_level;        /* 0 classical, 1, 3, 5 */
    bool post_quantum;
} cm_kem_info;
/** NULL for an unknown identifier. */
const cm_kem_info *cm_kem_info_of(uint32_t id);
const cm_kem_info *cm_kem_info_by_name(cm_view name);
enum { CM_KEM_SEED_MAX = 64, CM_KEM_PK_MAX = 1568, CM_KEM_CT_MAX = 1568, CM_KEM_COUNT = 5 };

/* Private (seed in the locked arena) or public only. Immutable, so threads may share it; the
 * cm_crypt it was made with must outlive it. The expanded key stays cached in it, since expanding a
 * seed costs three decapsulations. */
typedef struct cm_kem_key cm_kem_key;

/* All four constructors: CRYPT_ALGORITHM for an unknown id, CRYPT_PROFILE for one the profile's
 * provider does not serve, NO_LOCKED_MEMORY, NO_MEMORY. Free with cm_kem_key_free(). Any thread. */
CM_MUST cm_err cm_kem_generate(cm_kem_key **out, const cm_crypt *c, cm_kem_id id);
/** seed of exactly info's size, else CRYPT_BAD_KEY. Copied. Constant time in seed. */
CM_MUST cm_err cm_kem_from_seed(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view seed);
/** FIPS 203 input checks: size and modulus. CRYPT_BAD_KEY. A point of low order is found out by
 * cm_kem_encap(), not here. */
CM_MUST cm_err cm_kem_from_public(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view pk);
/** HPKE's DeriveKeyPair. ikm holds at least info's seed size, else BAD_ARGUMENT. */
CM_MUST cm_err cm_kem_derive(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view ikm);
/** ML-KEM only: the expanded private key of FIPS 203 (1632, 2400, 3168 bytes), size and hash
 * checked (CRYPT_BAD_KEY). For keys of other programs and known answers: it has no seed, so
 * cm_kem_seed() is empty and we never write such a key. */
CM_MUST cm_err cm_kem_from_expanded(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view dk);
void cm_kem_key_free(cm_kem_key *k);
void cm_kem_key_free_ptr(cm_kem_key **k);
const cm_kem_info *cm_kem_key_info(const cm_kem_key *k);
cm_view cm_kem_public(const cm_kem_key *k);
bool cm_kem_has_private(const cm_kem_key *k);
/** The seed, borrowed from the locked arena. Empty for a public key. */
cm_view cm_kem_seed(const cm_kem_key *k);

/** A fresh secret for the holder of k.
 * ct, ss    Room for info's sizes; untouched on failure.
 * CRYPT_BAD_KEY when k holds a point of low order, NO_ENTROPY.
 * Constant time in ss. Any thread. */
CM_MUST cm_err cm_kem_encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss);
/** Derandomised, for known answers: ML-KEM m (32), X-Wing eseed (64), X25519 the ephemeral scalar
 * (32); BAD_ARGUMENT for other sizes. */
CM_MUST cm_err cm_kem_encap_derand(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, cm_view m);
/** The secret in ct. Implicit rejection: a wrong ct of the right length yields another secret, not
 * an error. So may want of memory inside the provider.
 * KEM_LENGTH for another length, KEM_LOW_ORDER for an X25519 share that any key maps to zero (both
 * show in ct alone), CRYPT_NO_PRIVATE. ss is untouched then.
 * Constant time in k and ss. Any thread. */
CM_MUST cm_err cm_kem_decap(const cm_kem_key *k, uint8_t *ss, cm_view ct);

/* HPKE base mode (RFC 9180), single shot: KDF HKDF-SHA256 (0x0001), AEAD AES-256-GCM (0x0002);
 * other pairs through cm_hpke_suite for known answers. */
typedef struct {
    uint16_t kdf, aead; /* kdf: 1 2 3 HKDF-SHA256/384/512, 0x10 0x11 SHAKE128/256; aead: 1 2
                           AES-128/256-GCM, 3 ChaCha20-Poly1305 */
} cm_hpke_suite;
extern const cm_hpke_suite cm_hpke_default;
enum { CM_HPKE_TAG = 16, CM_HPKE_INFO_MAX = 65535 };

/** Appends enc || ciphertext || tag: info's ct size, plain.n and CM_HPKE_TAG bytes.
 * out       Untouched on failure. Must not overlap the inputs, which are borrowed for the call.
 * TOO_BIG for info past CM_HPKE_INFO_MAX or 1 GiB of plain or aad; CRYPT_ALGORITHM, CRYPT_PROFILE
 * for the suite; what cm_kem_encap() says.
 * Constant time in plain. Any thread. */
CM_MUST cm_err cm_hpke_seal(cm_buf *out, const cm_kem_key *to, cm_hpke_suite s, cm_view info,
                            cm_view aad, cm_view plain);
/** Appends the plaintext.
 * HPKE_SHORT below the least length, CRYPT_TAG for whatever is wrong past it: key, info, aad, enc
 * or ciphertext. Otherwise as cm_hpke_seal(). */
CM_MUST cm_err cm_hpke_open(cm_buf *out, const cm_kem_key *me, cm_hpke_suite s, cm_view info,
                            cm_view aad, cm_view sealed);

#endif
