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

typedef struct cm_kem_key cm_kem_key; /* private (seed in the locked arena) or public only;
                                         immutable, shared by threads */
CM_MUST cm_err cm_kem_generate(cm_kem_key **out, const cm_crypt *c, cm_kem_id id);
CM_MUST cm_err cm_kem_from_seed(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view seed);
/** FIPS 203 input checks: modulus check, sizes. CRYPT_BAD_KEY. */
CM_MUST cm_err cm_kem_from_public(cm_kem_key **out, const cm_crypt *c, cm_kem_id id, cm_view pk);
void cm_kem_key_free(cm_kem_key *k);
void cm_kem_key_free_ptr(cm_kem_key **k);
const cm_kem_info *cm_kem_key_info(const cm_kem_key *k);
cm_view cm_kem_public(const cm_kem_key *k);
bool cm_kem_has_private(const cm_kem_key *k);
/** The seed, borrowed from the locked arena. Empty for a public key. */
cm_view cm_kem_seed(const cm_kem_key *k);
/** ct and ss of exactly info's sizes. */
CM_MUST cm_err cm_kem_encap(const cm_kem_key *k, uint8_t *ct, uint8_t *ss);
/** Derandomised, for known answers: ML-KEM m (32), X-Wing eseed (64). */
CM_MUST cm_err cm_kem_encap_derand(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, cm_view m);
/** Implicit rejection: a wrong ct of the right length yields another secret, not an error. */
CM_MUST cm_err cm_kem_decap(const cm_kem_key *k, uint8_t *ss, cm_view ct);

/* HPKE base mode, single shot: KDF HKDF-SHA256 (0x0001), AEAD AES-256-GCM (0x0002); other pairs
 * through cm_hpke_suite for known answers. */
typedef struct {
    uint16_t kdf, aead; /* kdf: 1 2 3 HKDF-SHA256/384/512, 0x10 0x11 SHAKE128/256; aead: 1 2 3 */
} cm_hpke_suite;
extern const cm_hpke_suite cm_hpke_default;
/** out = enc || ciphertext || tag. */
CM_MUST cm_err cm_hpke_seal(cm_buf *out, const cm_kem_key *to, cm_hpke_suite s, cm_view info,
                            cm_view aad, cm_view plain);
/** UNAUTHENTIC (CRYPT_TAG) for any failure past the length check. */
CM_MUST cm_err cm_hpke_open(cm_buf *out, const cm_kem_key *me, cm_hpke_suite s, cm_view info,
                            cm_view aad, cm_view sealed);

#endif
