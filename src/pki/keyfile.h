#ifndef CM_PKI_KEYFILE_H
#define CM_PKI_KEYFILE_H
/*
 * Keys as files: PKCS#8 and SubjectPublicKeyInfo in PEM or DER, private keys optionally encrypted.
 * The format is spec/keys.md from K-20 on. openssl(1) >= 3.5 reads every file written here, and
 * the reverse, but for X-Wing (which it shows with asn1parse) and for the Argon2id protection.
 */
#include "crypt/kem.h"
#include "crypt/sig.h"

enum {
    CM_KEYFILE_MAX = 64 << 10, /* bytes of a key file, any form */
    CM_PASSPHRASE_MAX = 1024,
    CM_FINGERPRINT = 32,
    CM_KEY_ID = 16, /* characters of a short id */
};

/* ---- keys ---------------------------------------------------------------------------------- */

/** One key of any algorithm: for encapsulation or for signatures, private or public only.
 * Immutable; shared by threads. */
typedef struct cm_pkey cm_pkey;

/** A fresh key by name ("X-Wing", "ML-DSA-65", "Ed25519", ...). KEY_ALGORITHM for other names. */
CM_MUST cm_err cm_pkey_generate(cm_pkey **out, const cm_crypt *c, cm_view algorithm);
/** Take over a key: on success *k is NULL and owned by *out. */
CM_MUST cm_err cm_pkey_from_kem(cm_pkey **out, cm_kem_key **k);
CM_MUST cm_err cm_pkey_from_sig(cm_pkey **out, cm_sig_key **k);
/** The public half as a key of its own. */
CM_MUST cm_err cm_pkey_public_of(cm_pkey **out, const cm_crypt *c, const cm_pkey *k);
void cm_pkey_free(cm_pkey *k);
void cm_pkey_free_ptr(cm_pkey **k);

/** The key inside, borrowed; NULL when it is of the other kind. */
const cm_kem_key *cm_pkey_kem(const cm_pkey *k);
const cm_sig_key *cm_pkey_sig(const cm_pkey *k);
/** "ML-DSA-65": static. */
const char *cm_pkey_algorithm(const cm_pkey *k);
bool cm_pkey_has_private(const cm_pkey *k);
/** False for classical keys: Ed25519, X25519, P-256, P-384, secp256k1. */
bool cm_pkey_post_quantum(const cm_pkey *k);
/** The nth algorithm name that cm_pkey_generate() knows, NULL past the last. */
const char *cm_pkey_algorithm_name(size_t n);

/** SHA-256 over the DER of the public key, both halves' for a dual key (K-33). */
CM_MUST cm_err cm_pkey_fingerprint(uint8_t out[CM_FINGERPRINT], const cm_crypt *c,
                                   const cm_pkey *k);
/** The first 16 hex digits of the fingerprint: for people, never for decisions. */
CM_MUST cm_err cm_pkey_short_id(char out[CM_KEY_ID + 1], const cm_crypt *c, const cm_pkey *k);

/* ---- reading ------------------------------------------------------------------------------- */

/** Where a passphrase comes from: asked once, and only for an encrypted file. Appends to out,
 * which the caller wipes. */
typedef struct {
    cm_err (*ask)(void *arg, cm_buf *out);
    void *arg;
} cm_passphrase;

/** One known beforehand. pass is borrowed for as long as the result is used. */
cm_passphrase cm_passphrase_of(const cm_view *pass);

typedef struct {
    cm_passphrase pass;      /* ask NULL: KEY_ENCRYPTED for an encrypted file */
    uint32_t max_memory_kib; /* of Argon2id; 0: 1 GiB */
    uint32_t max_passes;     /* 0: 16 */
    uint32_t max_rounds;     /* of PBKDF2; 0: 10 000 000 */
    bool legacy_expanded;    /* take ML-KEM and ML-DSA keys without their seed (K-24) */
    bool any_mode;           /* cm_pkey_load: take an open key file that others may read */
} cm_pkey_reading;

/** What a file holds, without opening it. */
typedef enum {
    CM_KEYFILE_PUBLIC,
    CM_KEYFILE_PRIVATE,
    CM_KEYFILE_PBES2,
    CM_KEYFILE_ARGON2,
} cm_keyfile_form;
CM_MUST cm_err cm_pkey_peek(cm_keyfile_form *form, cm_view file);

/** Read one key, private or public, from PEM or DER. o may be NULL: no passphrase, defaults.
 * out       Free with cm_pkey_free(). Untouched on failure.   file  Borrowed for the call.
 * KEY_MALFORMED not canonical DER (K-20); KEY_TRAILING; KEY_BLOCK another PEM label, or more keys
 * than one; KEY_ALGORITHM; KEY_INCONSISTENT parts contradict (K-23, K-25); KEY_EXPANDED_ONLY;
 * KEY_ENCRYPTED; KEY_PASSPHRASE wrong; KEY_DAMAGED; KEY_PROTECTION; KEY_COST past the limits (K-46)
 * Time depends on the file's form and size, not on the key or the passphrase. Any thread. */
CM_MUST cm_err cm_pkey_read(cm_pkey **out, const cm_crypt *c, cm_view file,
                            const cm_pkey_reading *o);
/** The same from a path. KEY_MODE: an unencrypted private key that others may read (K-40). */
CM_MUST cm_err cm_pkey_load(cm_pkey **out, const cm_crypt *c, const char *path,
                            const cm_pkey_reading *o);
/** One DER SubjectPublicKeyInfo, the whole of der. */
CM_MUST cm_err cm_pkey_from_spki(cm_pkey **out, const cm_crypt *c, cm_view der);

/* ---- writing ------------------------------------------------------------------------------- */

typedef enum {
    CM_PROTECT_NONE,   /* for mode 0600 only, and only when asked for */
    CM_PROTECT_ARGON2, /* Argon2id and AES-256-GCM: our own PEM block */
    CM_PROTECT_PBES2,  /* PBKDF2-HMAC-SHA256 and AES-256-CBC: openssl(1) reads it */
} cm_protect_mode;

typedef struct {
    cm_protect_mode mode;
    cm_view passphrase; /* 1 to CM_PASSPHRASE_MAX bytes, used as they are (K-48) */
    cm_argon2 cost;     /* memory 0: 256 MiB, 3 passes, 4 lanes */
    uint32_t rounds;    /* of PBKDF2; 0: 600 000 */
} cm_protect;

/** Append the private key as PEM. out is wiped when it grows and by cm_buf_free().
 * KEY_NOT_PRIVATE; KEY_NO_SEED an expanded-only key (K-24); KEY_PASSPHRASE_SIZE;
 * BAD_ARGUMENT a cost below the floor or past what readers accept (K-41, K-46) */
CM_MUST cm_err cm_pkey_write_private(cm_buf *out, const cm_crypt *c, const cm_pkey *k,
                                     const cm_protect *p);
/** Append the public key as PEM, two blocks for a dual key (K-28). */
CM_MUST cm_err cm_pkey_write_public(cm_buf *out, const cm_pkey *k);
/** The same as DER: PKCS#8 (secret) and SubjectPublicKeyInfo; a dual key's halves one behind the
 * other. */
CM_MUST cm_err cm_pkey_private_der(cm_buf *out, const cm_pkey *k);
CM_MUST cm_err cm_pkey_public_der(cm_buf *out, const cm_pkey *k);
/** Put a written private key under a name at once, mode 0600. FILE_EXISTS unless replace. */
CM_MUST cm_err cm_pkey_save(const char *path, cm_view file, bool replace);

#endif
