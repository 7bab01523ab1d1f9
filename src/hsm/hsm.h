#ifndef CM_HSM_HSM_H
#define CM_HSM_HSM_H
/*
 * Providers of keys that stay where they are: spec/hsm.md. One interface for all of them. A call
 * is a request and an answer, so that a provider in another process looks like one in this.
 *
 * Keys are named by an id and, where they have one, by the SHA-256 of their public key: never by
 * a handle, which a token may give to another key after a reconnect.
 *
 * Any thread. Time depends on lengths and on the device.
 */
#include "crypt/crypt.h"
#include "crypt/sig.h"

enum {
    CM_HSM_ID_MAX = 32,
    CM_HSM_LABEL_MAX = 32,
    CM_HSM_DATA_MAX = 64 << 10,
    CM_HSM_SEED_MAX = 4096,
    CM_HSM_BLOB_MORE = 2048 + 128, /* what a blob has beyond its seed, at most */
    CM_HSM_AAD_MAX = 1024,
    CM_HSM_RANDOM_MAX = 4096,
    CM_HSM_MANY_MAX = 64, /* seeds opened, or messages signed, by one request */
    CM_HSM_PACKET = 80 << 10,
    CM_HSM_PATH_MAX = 1024,
};

/** Who could have the key. */
typedef enum {                       /* wire numbers */
               CM_HSM_NATIVE = 1,    /* made in the device, never outside it */
               CM_HSM_WRAPPED = 2,   /* used in software, kept under a key of the device */
               CM_HSM_SOFTWARE = 3,  /* no device */
               CM_HSM_CLASSICAL = 4, /* kept under an RSA key of a device: not post-quantum */
               CM_HSM_CUSTODIES = 4,
} cm_hsm_custody;
/** "hsm-native", "hsm-wrapped", "software", "hsm-wrapped-classical"; "unknown". Static. */
const char *cm_hsm_custody_name(uint64_t custody);

typedef enum { /* wire numbers */
               CM_HSM_AES256 = 1,
               CM_HSM_P256 = 2,
               CM_HSM_SECP256K1 = 3,
               CM_HSM_ED25519 = 4,
               CM_HSM_MLDSA44 = 5,
               CM_HSM_MLDSA65 = 6,
               CM_HSM_MLDSA87 = 7,
               CM_HSM_RSA2048 = 8,
               CM_HSM_RSA4096 = 9,
               CM_HSM_MLKEM768 = 10,
               CM_HSM_MLKEM1024 = 11,
               CM_HSM_ALGS = 11,
} cm_hsm_alg;
/** "AES-256", "P-256", ...; NULL for an unknown number. */
const char *cm_hsm_alg_name(uint64_t alg);
/** The signature algorithm of a key; 0 for a key that does not sign. */
uint32_t cm_hsm_alg_sig(uint64_t alg);
/** Bits of an RSA key, which signs over SHA-256; 0 for another key. */
unsigned cm_hsm_alg_rsa(uint64_t alg);
/** The cm_kem_id of a key that decapsulates; 0 for another key. */
uint32_t cm_hsm_alg_kem(uint64_t alg);

typedef enum { /* wire numbers */
               CM_HSM_STATUS = 1,
               CM_HSM_GENERATE = 2,
               CM_HSM_FIND = 3,
               CM_HSM_SIGN = 4,
               CM_HSM_WRAP = 5,
               CM_HSM_UNWRAP = 6,
               CM_HSM_RANDOM = 7,
               CM_HSM_DESTROY = 8,
               CM_HSM_ENCAPSULATE = 9,
               CM_HSM_DECAPSULATE = 10,
               CM_HSM_OPS = 10,
} cm_hsm_op;

typedef struct {
    cm_hsm_op op;
    uint32_t alg;   /* GENERATE, FIND, SIGN, DESTROY; AES256 for WRAP and UNWRAP */
    cm_view id;     /* 1 to CM_HSM_ID_MAX bytes */
    cm_view hash;   /* FIND: may be empty; SIGN, *CAPSULATE: of the public key */
    cm_view label;  /* GENERATE: for people */
    cm_view data;   /* SIGN: as cm_sign_raw() takes it, RSA: a message; WRAP: a seed; UNWRAP: what
                       WRAP gave; DECAPSULATE: a ciphertext */
    cm_view aad;    /* WRAP, UNWRAP: what the blob is bound to */
    uint64_t n;     /* RANDOM: bytes */
    bool temporary; /* GENERATE: gone when the provider's session ends */
    bool many;      /* UNWRAP, SIGN: data is a list of H-15, so is the answer; aad is empty */
    bool pkcs1;     /* SIGN by RSA: PKCS#1 v1.5 instead of PSS */
    bool digest;    /* SIGN by P-256: the SHA-256 of a message in place of it; HSM_MECHANISM */

    /* SIGN: the key's public half, where who asks has it open; not sent. NULL: it is looked for. */
    const cm_sig_key *check;
} cm_hsm_request;

typedef struct {
    uint32_t alg;
    uint32_t custody;
    uint8_t id[CM_HSM_ID_MAX];
    size_t id_n;
    uint8_t hash[32]; /* of pub */
    uint8_t pub[CM_SIG_PK_MAX];
    size_t pub_n; /* 0: a symmetric key */
} cm_hsm_key;

typedef struct {
    uint64_t custody;  /* of keys made here */
    char provider[64]; /* "SoftHSM project, SoftHSM v2" */
    char serial[20];   /* of the token */
    char label[36];    /* of the token */
    char quirks[64];   /* name of the profile in use */
    char module[CM_HSM_PATH_MAX];
    uint8_t module_hash[32]; /* SHA-256 of the file that was loaded */
    uint64_t version;        /* of PKCS#11 in use: major << 8 | minor */
    uint64_t sessions;       /* open */
    uint64_t opened;         /* in all: grows with every reconnect */
    uint64_t sandbox;        /* CM_SANDBOX_* that the provider's process is in */
    bool quarantined;        /* it gave a wrong result */
    uint64_t at_once;        /* requests that it serves at once; 0: one (H-16) */
} cm_hsm_status;

typedef struct {
    cm_hsm_key key;       /* GENERATE, FIND */
    cm_hsm_status status; /* STATUS */
    cm_buf data;          /* SIGN, WRAP, UNWRAP, RANDOM, DECAPSULATE; ENCAPSULATE: ciphertext,
                             then the 32 bytes of the secret. .max is set by the caller, or 0 */
} cm_hsm_answer;
/** Wipes data. */
void cm_hsm_answer_done(cm_hsm_answer *a);

/** A provider. call() fills the part of the answer that the request asks for, on success alone. */
typedef struct cm_hsm {
    cm_err (*call)(void *self, const cm_hsm_request *r, cm_hsm_answer *a);
    void *self;
} cm_hsm;

/** Lengths and numbers of a request: HSM_REQUEST. Every provider asks this first. */
CM_MUST cm_err cm_hsm_request_check(const cm_hsm_request *r);

/* ---- the calls, typed ---------------------------------------------------------------------- */

CM_MUST cm_err cm_hsm_status_of(const cm_hsm *h, cm_hsm_status *out);
/** A new key. HSM_MECHANISM: the provider has no such keys. */
CM_MUST cm_err cm_hsm_generate(const cm_hsm *h, cm_hsm_key *out, cm_hsm_alg alg, cm_view id,
                               cm_view label, bool temporary);
/** HSM_NO_KEY, HSM_KEYS (several), HSM_KEY_CHANGED: another public key has this id;
 * HSM_EXPORTABLE: the key could leave the device. */
CM_MUST cm_err cm_hsm_find(const cm_hsm *h, cm_hsm_key *out, cm_hsm_alg alg, cm_view id,
                           cm_view hash);
/** Appends a signature in the form of cm_sign_raw(). It was verified: HSM_WRONG otherwise, and
 * from then on HSM_QUARANTINED. */
CM_MUST cm_err cm_hsm_sign(const cm_hsm *h, const cm_hsm_key *key, cm_view msg, cm_buf *sig);
/** Several messages by one key, up to CM_HSM_MANY_MAX and CM_HSM_DATA_MAX in all, what comes back
 * included (else HSM_REQUEST): one request to a provider that can, one for each to others. check:
 * the key's public half, or NULL. Appends to sig[i]; after an error nothing is said of what is in
 * them. */
CM_MUST cm_err cm_hsm_sign_many(const cm_hsm *h, const cm_hsm_key *key, const cm_sig_key *check,
                                const cm_view *msg, size_t n, cm_buf *sig);
/** The same over digests of 32 bytes, by a P-256 key: who gives one vouches for what it is of.
 * HSM_MECHANISM: not by this provider. */
CM_MUST cm_err cm_hsm_sign_digests(const cm_hsm *h, const cm_hsm_key *key, const cm_sig_key *check,
                                   const cm_view *digest, size_t n, cm_buf *sig);
/** By an RSA key, with the padding that old peers want; cm_hsm_sign() makes PSS. */
CM_MUST cm_err cm_hsm_sign_pkcs1(const cm_hsm *h, const cm_hsm_key *key, cm_view msg, cm_buf *sig);
/** A fresh secret for the holder of an ML-KEM key of the device, which made it: opened again by it
 * and compared (HSM_WRONG). Appends to both. */
CM_MUST cm_err cm_hsm_encapsulate(const cm_hsm *h, const cm_hsm_key *key, cm_buf *ct,
                                  cm_buf *secret);
/** Appends the 32 bytes of the secret in ct. A wrong ct gives another secret, not an error. What
 * the device gives is compared as far as that can be: H-44. */
CM_MUST cm_err cm_hsm_decapsulate(const cm_hsm *h, const cm_hsm_key *key, cm_view ct,
                                  cm_buf *secret);
/** Appends the seed under an AES-256 key of the device, bound to aad. It was opened again and
 * compared: HSM_WRONG. */
CM_MUST cm_err cm_hsm_wrap(const cm_hsm *h, cm_view id, cm_view seed, cm_view aad, cm_buf *blob);
/** HSM_BLOB: not wrapped by this key for this aad. */
CM_MUST cm_err cm_hsm_unwrap(const cm_hsm *h, cm_view id, cm_view blob, cm_view aad, cm_buf *seed);
/** Several at once, up to CM_HSM_MANY_MAX and CM_HSM_DATA_MAX in all (else HSM_REQUEST): one
 * request to a provider that can, one for each to others. Appends to seed[i] what item[i] holds;
 * the error is the first one's that failed, and those before it have their seeds then. */
typedef struct {
    cm_view aad, blob;
} cm_hsm_item;
CM_MUST cm_err cm_hsm_unwrap_many(const cm_hsm *h, cm_view id, const cm_hsm_item *item, size_t n,
                                  cm_buf *seed);
CM_MUST cm_err cm_hsm_random(const cm_hsm *h, uint8_t *out, size_t n);
CM_MUST cm_err cm_hsm_destroy(const cm_hsm *h, cm_hsm_alg alg, cm_view id);

/* ---- software: the provider without a device ------------------------------------------------ */

typedef struct cm_hsm_soft cm_hsm_soft;
/** Keys live in this process, as long as it does. */
CM_MUST cm_err cm_hsm_soft_new(cm_hsm_soft **out, const cm_crypt *c);
void cm_hsm_soft_free(cm_hsm_soft *s);
void cm_hsm_soft_free_ptr(cm_hsm_soft **s);
cm_hsm cm_hsm_soft_of(cm_hsm_soft *s);

#endif
