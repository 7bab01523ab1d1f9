#ifndef CM_CRYPT_SIG_INT_H
#define CM_CRYPT_SIG_INT_H
/* What the signature files share: one row per algorithm, one set of functions per family. */
#include <openssl/evp.h>
#include <secp256k1.h>

#include "crypt/crypt_int.h"
#include "crypt/p256_int.h"
#include "crypt/sig.h"

enum { CM_SIG_DIGEST = 32, CM_SIG_MU = 64 };

typedef struct cm_sig_alg cm_sig_alg;

/* A key being made is filled by its family: from_seed and from_public set the provider's key and
 * the public bytes. seed and pk have been checked to be of the row's lengths (pk: for curves also
 * the compressed one). */
typedef struct {
    cm_err (*from_seed)(cm_sig_key *k, cm_view seed);
    cm_err (*from_public)(cm_sig_key *k, cm_view pk);
    /* The bytes that the algorithm signs: context and flags are for those that know them. sig has
     * room for the row's size, and may be half written on failure. */
    cm_err (*sign)(const cm_sig_key *k, uint8_t *sig, cm_view ctx, cm_view msg, unsigned flags);
    cm_err (*verify)(const cm_sig_key *k, cm_view ctx, cm_view msg, cm_view sig, unsigned flags);
} cm_sig_family;

enum { CM_SIG_DETERMINISTIC = 1, CM_SIG_IS_MU = 2, CM_SIG_IS_DIGEST = 4 };

struct cm_sig_alg {
    cm_sig_info info;
    const cm_sig_family *family;
    const char *key; /* OpenSSL's names of key type or group, and of the method */
    const char *method;
    bool native_ctx;      /* the algorithm has a context string of its own */
    uint8_t part[2];      /* dual: the two algorithms */
    const uint8_t *order; /* curves: the order, big-endian */
};

/* What makes two signatures over one digest differ: a random number of the key's own and how often
 * it was used. Cheaper than fresh randomness, which costs a fiftieth of a signature. */
typedef struct {
    uint8_t start[32];
    _Atomic uint64_t uses;
} cm_sig_hedge;

typedef struct cm_mldsa_cache cm_mldsa_cache;

struct cm_sig_key {
    const cm_crypt *crypt;
    const cm_sig_alg *alg;
    EVP_PKEY *pkey;
    EVP_SIGNATURE *method;
    secp256k1_pubkey point;
    cm_sig_hedge *hedge;      /* secp256k1, private: locked, shared by threads */
    cm_mldsa_cache *expanded; /* ML-DSA: shared by threads */
    cm_p256_table *table;     /* P-256, once prepared */
    cm_sig_key *part[2];      /* dual: ML-DSA, Ed25519 */
    uint8_t *seed;            /* locked; NULL in a public key, or one that came expanded */
    bool has_private;
    uint8_t pk_hash[32]; /* of algorithms without a context of their own: bound in statements */
    uint8_t pk[CM_SIG_PK_MAX];
};

extern const cm_sig_family cm_sig_mldsa, cm_sig_slhdsa, cm_sig_ed25519, cm_sig_nist, cm_sig_secp,
    cm_sig_dual;

/** ML-DSA's expanded key in place of its seed. */
CM_MUST cm_err cm_sig_mldsa_expanded(cm_sig_key *k, cm_view sk);

/** The row of id; NULL when unknown. */
const cm_sig_alg *cm_sig_alg_of(uint32_t id);

/** Provider key from parameters, and the method that goes with it. CRYPT_BAD_KEY when they do not
 * make a key, CRYPT_PROFILE when the fips provider has no such algorithm. */
CM_MUST cm_err cm_sig_import(cm_sig_key *k, const char *type, int selection, OSSL_PARAM *params);
CM_MUST cm_err cm_sig_fetch(cm_sig_key *k);
/** One signature by the provider over msg: at most *n bytes, whose number *n becomes. */
CM_MUST cm_err cm_sig_evp_sign(const cm_sig_key *k, uint8_t *sig, size_t *n, cm_view msg,
                               const OSSL_PARAM *params);
CM_MUST cm_err cm_sig_evp_verify(const cm_sig_key *k, cm_view msg, cm_view sig,
                                 const OSSL_PARAM *params);

/** What algorithms without a context of their own sign in place of msg (K-3). */
CM_MUST cm_err cm_sig_statement(cm_buf *out, const cm_sig_key *k, cm_view ctx, cm_view msg);

/** Whether the big-endian scalar is in [1, order - 1]; constant time but for the answer. */
bool cm_sig_scalar_ok(const uint8_t *scalar, const uint8_t *order, size_t n);

/* secp256k1_nonce_function: RFC 6979 over key, msg, data (32 bytes or NULL) and algo (16 or NULL).
 * Constant time. */
int cm_secp_nonce(unsigned char *nonce, const unsigned char *msg, const unsigned char *key,
                  const unsigned char *algo, void *data, unsigned int attempt);
/* A number that is as secret as extra, and tells nothing of what else is made of that. */
void cm_secp_blind(uint8_t out[32], const uint8_t extra[32]);

#endif
