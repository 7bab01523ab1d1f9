#ifndef CM_KEYS_KEYOP_H
#define CM_KEYS_KEYOP_H
/*
 * What is asked of the holder of keys. A holder remembers no keys but its root: each request brings
 * the sealed key along with the chain that opens it, and the binding that the seal was made with
 * (spec/kms-keys.md). So holders can be many, restarted at any time, or hardware.
 */
#include "keys/types.h"

/* Wire numbers, fixed for good; the names are the API's. Results go to out and out2; bind, kek and
 * key are given unless it says otherwise. A form that is not named is MESSAGE. */
typedef enum {
    /* bind: the new key's; no key. out: sealed key, out2: its public key, empty when symmetric.
     * context: the device to make it in, where it stays (KM-61), data: its label there */
    CM_KEYOP_CREATE = 1,
    /* The same; data: the secret in its raw form (KM-2), or PKCS#8 in DER or PEM */
    CM_KEYOP_IMPORT = 2,
    /* data, context, form (KM-30). out: signature */
    CM_KEYOP_SIGN = 3,
    /* data, context, form; more: signature. CRYPT_SIGNATURE */
    CM_KEYOP_VERIFY = 4,
    /* data, context: AAD. out: ciphertext */
    CM_KEYOP_ENCRYPT = 5,
    /* data: ciphertext, context: AAD. out: plaintext */
    CM_KEYOP_DECRYPT = 6,
    /* out: ciphertext, out2: shared secret */
    CM_KEYOP_ENCAPSULATE = 7,
    /* data: ciphertext. out: shared secret */
    CM_KEYOP_DECAPSULATE = 8,
    /* n: 16 to 64 bytes, context: AAD, form MESSAGE or SEALED_ONLY. out: wrapped, out2: plain */
    CM_KEYOP_DATA_KEY = 9,
    /* data: 1 to 8192 bytes of a key, context: AAD. out: wrapped */
    CM_KEYOP_WRAP = 10,
    /* data: wrapped, context: AAD. out: plain */
    CM_KEYOP_UNWRAP = 11,
    /* data: wrapped under bind's version, context: AAD; n, more: the newer version and its sealed
     * key, under the same KEK. out: wrapped under that */
    CM_KEYOP_REWRAP = 12,
    /* data. out: 32 bytes */
    CM_KEYOP_MAC = 13,
    /* data; more: MAC. CRYPT_SIGNATURE */
    CM_KEYOP_VERIFY_MAC = 14,
    /* n bytes; nothing else. out */
    CM_KEYOP_RANDOM = 15,
    /* more: the recipient's public key, ML-KEM-768, -1024 or X-Wing: its bytes or an SPKI in DER.
     * out: the raw secret, sealed to it (KM-27) */
    CM_KEYOP_EXPORT = 16,
    /* bind, key: the import key's, a KEM key; data: what EXPORT or cm_export_seal() made; type2:
     * the new key's type, more: its path, n: its version (0: 1). out, out2: as CREATE */
    CM_KEYOP_IMPORT_WRAPPED = 17,
    /* out2: public key; KEY_USE for a symmetric one */
    CM_KEYOP_PUBLIC = 18,
    /* bind: tenant and kek_version; no kek. out: a new KEK, sealed to the root. context, data: a
     * device and the label of a key in it that the KEK is wrapped by besides (KM-17); out2: what
     * the device is (cm_kek_facts) */
    CM_KEYOP_NEW_TENANT = 19,
    /* n, more: the newer KEK's version and its sealed form. out: the same key under that. Without
     * key and more: the KEK itself, sealed to the root's generation in force; with n 1 it goes
     * under another device, or none, as of NEW_TENANT */
    CM_KEYOP_RESEAL = 20,
    /* bind: tenant and kek_version. out: the key that seals the tenant's rows (for kmsd) */
    CM_KEYOP_ROW_KEY = 21,
    /* data: a checkpoint's text; nothing else. out: its signature lines */
    CM_KEYOP_SIGN_LOG = 22,
    /* round one: out: commitment, out2: sealed nonces; round two: data,
                                           context: those nonces, more: all commitments; out: share
     */
    CM_KEYOP_SIGN_SHARE = 23,
    /* bind: the shares', without path; no key. n: need << 8 | holders, more: each one's path behind
     * its length (u16). out: each one's sealed share behind its length (u32), out2: the group */
    CM_KEYOP_DEAL = 24,
    /* key: any holder's share. data, context: the parts, more: all commitments. out: signature; or
     * out2: the number of the holder whose part is bad, and out empty */
    CM_KEYOP_AGGREGATE = 25,
    /* of a key in a device: it is destroyed there. KEY_USE for another */
    CM_KEYOP_DROP = 26,
    CM_KEYOP_END,
} cm_keyop_code;

/* How data is to be taken; contexts: KM-31. */
typedef enum {
    CM_FORM_MESSAGE = 0,     /* the message, for any verifier of the algorithm; dual keys: ours */
    CM_FORM_DIGEST = 1,      /* its digest: SHA-256 (RSA, P-256), SHA-384 (P-384), any 32 bytes
                                (secp256k1) */
    CM_FORM_MU = 2,          /* ML-DSA's external mu */
    CM_FORM_RAW = 3,         /* MESSAGE that may have no context */
    CM_FORM_SEALED_ONLY = 4, /* DATA_KEY without the plain key */
} cm_keyop_form;

/** What a sealed key is bound to. */
typedef struct {
    cm_view tenant, path; /* path: the key's row path (store/path.h) */
    uint64_t version;
    cm_key_type type;
    uint64_t kek_version;
} cm_key_binding;

typedef struct cm_keyop {
    cm_keyop_code code;
    cm_keyop_form form;
    cm_key_binding bind;
    cm_view kek; /* the tenant's KEK, sealed to the root; empty for RANDOM, SIGN_LOG, NEW_TENANT */
    cm_view key; /* sealed under kek */
    cm_view data, context, more;
    cm_key_type type2;
    uint64_t n;

    /* Whoever executes it: whether it may wait for a device. Otherwise, where one has to be asked,
     * the result is KEY_DEVICE_WAIT, and device says which. */
    bool patient;
    unsigned device;

    /* results; the caller frees them with cm_keyop_done_with() */
    cm_err result;
    cm_buf out, out2;

    void (*done)(struct cm_keyop *op);
    void *arg;
    struct cm_keyop *next; /* the keeper's */
} cm_keyop;

void cm_keyop_done_with(cm_keyop *op); /* wipes and frees results */

/** Whoever executes them: in this process, in keyd, in an HSM. */
typedef struct {
    /** done() is called once, at once or later, on the thread that submitted or drives the keeper.
     * op and what it points to stay until then. */
    void (*submit)(void *self, cm_keyop *op);
    void *self;
} cm_keeper;

#endif
