#ifndef CM_PKI_PKI_INT_H
#define CM_PKI_PKI_INT_H
/* What the files of this module share. */
#include <openssl/evp.h>

#include "pki/keyfile.h"

struct cm_pkey {
    cm_kem_key *kem; /* one of the two */
    cm_sig_key *sig;
};

/** Leave the function with PKI_PROVIDER, or NO_MEMORY, unless an OpenSSL call returns 1. */
#define CM_TRY_PKI(call)                         \
    do {                                         \
        if ((call) != 1)                         \
            return cm_pki_fail(CM_PKI_PROVIDER); \
    } while (0)

/** Empties this thread's OpenSSL error queue and returns NO_MEMORY if an allocation failed, else
 * the reason given. */
cm_err cm_pki_fail(cm_reason otherwise);

/** Whether v is white space alone: all that may stand behind the last PEM block (K-35). */
bool cm_pki_blank(cm_view v);

/* ---- the algorithms (pkcs8.c) -------------------------------------------------------------- */

/* What `privateKey` holds: spec/keys.md, table of section 2. */
typedef enum { CM_FORM_CHOICE, CM_FORM_BARE, CM_FORM_OCTETS, CM_FORM_SLH, CM_FORM_EC } cm_key_form;

typedef struct {
    bool kem;
    uint16_t id; /* cm_kem_id or cm_sig_id */
    cm_key_form form;
    uint8_t oid_n;
    uint8_t oid[20];      /* content of the AlgorithmIdentifier, parameters included */
    const char *provider; /* OpenSSL's name; NULL when it has no such key */
    const char *group;    /* of an elliptic curve */
} cm_pki_alg;

/** By position, NULL past the last. */
const cm_pki_alg *cm_pki_alg_at(size_t i);
const cm_pki_alg *cm_pki_alg_find(bool kem, uint32_t id);
const char *cm_pki_alg_name(const cm_pki_alg *a);

/* ---- parts: a key, or each half of a dual one ---------------------------------------------- */

enum { CM_PARTS = 2 };

/** Views into the key that it is part of. */
typedef struct {
    const cm_pki_alg *alg;
    bool has_private;
    cm_view seed; /* empty: public, or expanded only */
    cm_view pub;
} cm_key_part;

/** How many parts k has: 1, or 2 for a dual key, ML-DSA first. */
size_t cm_pkey_parts(cm_key_part part[CM_PARTS], const cm_pkey *k);
/** A dual key of two keys, both private or both public. KEY_BLOCK for another pair (K-28). */
CM_MUST cm_err cm_pkey_join(cm_pkey **out, const cm_crypt *c, const cm_pkey *pq,
                            const cm_pkey *classical);

/** One OneAsymmetricKey or SubjectPublicKeyInfo, the whole of der. */
CM_MUST cm_err cm_pkcs8_read(cm_pkey **out, const cm_crypt *c, cm_view der, bool legacy);
CM_MUST cm_err cm_spki_read(cm_pkey **out, const cm_crypt *c, cm_view der);
/** Append a part as DER. KEY_NOT_PRIVATE, KEY_NO_SEED. */
CM_MUST cm_err cm_pkcs8_write(cm_buf *b, const cm_key_part *k);
CM_MUST cm_err cm_spki_write(cm_buf *b, const cm_key_part *k);

/* ---- as OpenSSL's objects (evp.c) ---------------------------------------------------------- */

/** A part as OpenSSL's key: with its private half, or without. KEY_ALGORITHM for X-Wing,
 * KEY_NO_SEED. */
CM_MUST cm_err cm_part_evp(EVP_PKEY **out, const cm_crypt *c, const cm_key_part *k, bool whole);
/** Whether an ML-KEM or ML-DSA part's seed expands to this key. Constant time in both. */
CM_MUST cm_err cm_part_expands_to(const cm_crypt *c, const cm_key_part *k, cm_view expanded);

/* ---- protection (protect.c) ---------------------------------------------------------------- */

/** Encrypt PKCS#8 DER. out: EncryptedPrivateKeyInfo, or the CBOR record of K-43. */
CM_MUST cm_err cm_pbes2_lock(cm_buf *out, const cm_crypt *c, const cm_protect *p, cm_view der);
CM_MUST cm_err cm_argon2_lock(cm_buf *out, const cm_crypt *c, const cm_protect *p, cm_view der);
/** The reverse. der is empty and wiped by its owner. */
CM_MUST cm_err cm_pbes2_unlock(cm_buf *der, const cm_crypt *c, cm_view pass, cm_view locked,
                               const cm_pkey_reading *o);
CM_MUST cm_err cm_argon2_unlock(cm_buf *der, const cm_crypt *c, cm_view pass, cm_view locked,
                                const cm_pkey_reading *o);
/** Whether cost and passphrase may be written with. */
CM_MUST cm_err cm_protect_check(const cm_protect *p);

#endif
