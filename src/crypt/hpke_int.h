#ifndef CM_CRYPT_HPKE_INT_H
#define CM_CRYPT_HPKE_INT_H
/*
 * HPKE's labelled derivations and key schedule. RFC 9180, 4 and 5.1, for the KDFs in two stages
 * (HKDF); draft-ietf-hpke-hpke for those in one (SHAKE); the HPKE KEM identifiers of
 * draft-ietf-hpke-pq.
 */
#include "crypt/crypt_int.h"
#include "crypt/kem.h"

enum { CM_HPKE_KEY_MAX = 32, CM_HPKE_NONCE = 12, CM_HPKE_NH_MAX = 64 };

/* "KEM" || id, or "HPKE" || kem id || kdf id || aead id. */
typedef struct {
    uint8_t b[10];
    uint8_t n;
} cm_hpke_suite_id;

cm_hpke_suite_id cm_hpke_kem_suite(cm_kem_id id);

/* out holds the hash's size. label is a literal. */
CM_MUST cm_err cm_hpke_extract(const cm_crypt *c, cm_hash h, uint8_t *out,
                               const cm_hpke_suite_id *suite, cm_view salt, cm_view label,
                               cm_view ikm);
CM_MUST cm_err cm_hpke_expand(const cm_crypt *c, cm_hash h, uint8_t *out, size_t n,
                              const cm_hpke_suite_id *suite, cm_view prk, cm_view label,
                              cm_view info);
CM_MUST cm_err cm_hpke_derive(const cm_crypt *c, unsigned bits, uint8_t *out, size_t n,
                              const cm_hpke_suite_id *suite, cm_view label, cm_view ikm,
                              cm_view context);

/* What the key schedule gives. Secret: wipe it. */
typedef struct {
    const EVP_CIPHER *aead;
    size_t key_n, exporter_n;
    uint8_t key[CM_HPKE_KEY_MAX], nonce[CM_HPKE_NONCE], exporter[CM_HPKE_NH_MAX];
} cm_hpke_keys;

void cm_hpke_keys_wipe(cm_hpke_keys *k);

/* Sizes and method of a suite, before any secret is at hand. CRYPT_ALGORITHM, CRYPT_PROFILE. */
CM_MUST cm_err cm_hpke_suite_check(cm_hpke_keys *k, const cm_crypt *c, cm_hpke_suite s);
/* Base mode. k has been through cm_hpke_suite_check(), info holds at most CM_HPKE_INFO_MAX. */
CM_MUST cm_err cm_hpke_schedule(cm_hpke_keys *k, const cm_crypt *c, cm_kem_id kem, cm_hpke_suite s,
                                const uint8_t ss[32], cm_view info);

/* One message under k->nonce. out holds in.n and CM_HPKE_TAG bytes more. */
CM_MUST cm_err cm_hpke_aead_seal(const cm_hpke_keys *k, uint8_t *out, cm_view aad, cm_view in);
/* out holds in.n - CM_HPKE_TAG bytes, and is wiped when they are not authentic (CRYPT_TAG). */
CM_MUST cm_err cm_hpke_aead_open(const cm_hpke_keys *k, uint8_t *out, cm_view aad, cm_view in);

#endif
