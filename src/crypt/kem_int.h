#ifndef CM_CRYPT_KEM_INT_H
#define CM_CRYPT_KEM_INT_H
/* What the KEMs share: the key object, and one table of operations per family. */
#include "crypt/crypt_int.h"
#include "crypt/kem.h"

enum { CM_MLKEM_M = 32, CM_X25519_SIZE = 32, CM_MLKEM_SEED = 64 };

typedef struct cm_mlkem_own cm_mlkem_own;

/* A family fills in the parts it has. Templates are duplicated, never used, so threads may share
 * them: a duplicate costs half of what a context from scratch does. */
struct cm_kem_key {
    const cm_kem_info *info;
    const cm_crypt *crypt;
    uint8_t *seed; /* in the locked arena; NULL without one */
    bool private;
    cm_mlkem_own *own; /* ML-KEM; but in the fips profile: */
    EVP_PKEY *mlkem, *x25519;
    EVP_PKEY_CTX *mlkem_ctx;  /* over mlkem */
    EVP_PKEY_CTX *x25519_ctx; /* ready to derive with x25519; NULL for a public key */
    uint8_t pk[CM_KEM_PK_MAX];
};

typedef struct {
    size_t random; /* bytes that encap_derand takes */
    /* Set up a zeroed key and write its pk. */
    cm_err (*load_private)(cm_kem_key *k, const uint8_t *seed);
    cm_err (*load_public)(cm_kem_key *k, const uint8_t *pk);
    /* m NULL: fresh randomness. ct and ss may be written on failure. */
    cm_err (*encap)(const cm_kem_key *k, uint8_t *ct, uint8_t *ss, const uint8_t *m);
    cm_err (*decap)(const cm_kem_key *k, uint8_t *ss, const uint8_t *ct);
    cm_err (*derive)(const cm_kem_info *i, const cm_crypt *c, uint8_t *seed, cm_view ikm);
} cm_kem_ops;

extern const cm_kem_ops cm_mlkem_ops, cm_x25519_ops, cm_xwing_ops;

/* CRYPT_PROFILE when the profile's provider does not serve that key type. */
CM_MUST cm_err cm_kem_served(const cm_crypt *c, const char *name);

/* ML-KEM parts, under the provider's names. The public key is left in k->pk. */
CM_MUST cm_err cm_mlkem_load_seed(cm_kem_key *k, const char *name, const uint8_t seed[64]);
CM_MUST cm_err cm_mlkem_load_expanded(cm_kem_key *k, const char *name, cm_view dk);
CM_MUST cm_err cm_mlkem_load_public(cm_kem_key *k, const char *name, cm_view pk);
CM_MUST cm_err cm_mlkem_encap(const cm_kem_key *k, uint8_t *ct, size_t ct_n, uint8_t ss[32],
                              const uint8_t *m);
CM_MUST cm_err cm_mlkem_decap(const cm_kem_key *k, uint8_t ss[32], cm_view ct);

/* X25519 parts. at is where in k->pk its public key is. */
CM_MUST cm_err cm_x25519_load_scalar(cm_kem_key *k, size_t at, const uint8_t scalar[32]);
CM_MUST cm_err cm_x25519_load_public(cm_kem_key *k, size_t at, const uint8_t pk[32]);
/* An ephemeral key (fresh when scalar is NULL), its share and the shared secret with k.
 * CRYPT_BAD_KEY when that is zero. */
CM_MUST cm_err cm_x25519_encap(const cm_kem_key *k, uint8_t share[32], uint8_t ss[32],
                               const uint8_t *scalar);
/* KEM_LOW_ORDER when the secret is zero. */
CM_MUST cm_err cm_x25519_decap(const cm_kem_key *k, uint8_t ss[32], const uint8_t share[32]);

/* X-Wing's combiner; exposed for the constant-time test. */
CM_MUST cm_err cm_xwing_combine(const cm_crypt *c, uint8_t ss[32], const uint8_t ss_m[32],
                                const uint8_t ss_x[32], const uint8_t ct_x[32],
                                const uint8_t pk_x[32]);

#endif
