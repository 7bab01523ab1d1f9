#ifndef CM_KEYS_RING_H
#define CM_KEYS_RING_H
/*
 * Executes key operations in this process: unwraps what a request brings, works with it, forgets it
 * but for bounded caches. spec/kms-keys.md.
 *
 * What an operation takes and gives is said in keys/keyop.h. Parts past the limits of
 * keys/wirefmt.h are KEYOP_SIZE here as well, so that nothing depends on who executes.
 */
#include "keys/keyop.h"
#include "keys/unseal.h"

typedef struct cm_keyring cm_keyring;

enum { CM_KEK_LABEL_MAX = 32, CM_KEYOPS_MANY = 32 };

/** What a device is that a KEK is kept under. */
typedef struct {
    char custody[32]; /* "hsm-wrapped" */
    char provider[64], serial[20];
} cm_kek_facts;
/** Appends. */
CM_MUST cm_err cm_kek_facts_put(cm_buf *out, const cm_kek_facts *f);
/** KEYMSG_MALFORMED. */
CM_MUST cm_err cm_kek_facts_get(cm_kek_facts *f, cm_view v);

/** A key in a device (KM-60). */
typedef struct {
    cm_key_type type;
    cm_view id, pub;         /* 16 bytes; the public key */
    const cm_sig_key *check; /* that as a key, of those that sign but RSA's; else NULL */
    bool digest;             /* sign: of P-256, SHA-256 digests in place of messages; KEY_FORM */
} cm_device_key;

/** Devices of tenants (KM-17): each has a name, and keys with labels of 1 to 32 bytes in it. What
 * these calls fail with is KEY_DEVICE_AWAY, KEY_DEVICE_OTHER or KEY_FORM. Any thread. */
typedef struct {
    /** Its number. KEY_DEVICE_NONE. Never waits. */
    cm_err (*find)(void *self, unsigned *number, cm_view name);
    /** Append the KEK under the device's key of that label, which is made where there is none. */
    cm_err (*wrap)(void *self, unsigned number, cm_view label, cm_view kek, cm_view context,
                   cm_buf *blob, cm_kek_facts *facts);
    cm_err (*unwrap)(void *self, unsigned number, cm_view label, cm_view blob, cm_view context,
                     cm_buf *kek);
    /** Make a key under id (16 bytes) that can't leave the device; its public key is appended.
     * KEY_DEVICE_KIND: it has no such keys, or does not keep them in. label is for people. */
    cm_err (*make)(void *self, unsigned number, cm_key_type type, cm_view id, cm_view label,
                   cm_buf *pub);
    /** Signatures of up to CM_KEYOPS_MANY messages as cm_sign_raw() takes them, verified. */
    cm_err (*sign)(void *self, unsigned number, const cm_device_key *k, bool pkcs1,
                   const cm_view *msg, size_t n, cm_buf *sig);
    cm_err (*decapsulate)(void *self, unsigned number, const cm_device_key *k, cm_view ct,
                          cm_buf *secret);
    /** Destroy it; one that is not there is fine. k: type and id. */
    cm_err (*drop)(void *self, unsigned number, const cm_device_key *k);
    uint64_t (*now_ms)(void *self); /* a clock that never goes back */
    uint64_t hold_ms;               /* how long a KEK stays open (KM-19) */
    void *self;
} cm_key_devices;

typedef struct {
    const cm_crypt *crypt; /* borrowed for the ring's life */
    const cm_root *root;   /* read by cm_keyring_new() alone */
    /** Append the signature lines of a checkpoint; NULL: SIGN_LOG is KEY_UNSUPPORTED. Any thread.
     */
    cm_err (*sign_log)(void *arg, cm_buf *lines, cm_view text);
    void *arg;
    /* Opened tenant KEKs and keys kept at most; 0: 512 and 1024. An ML-DSA key takes about 60 KiB
     * with what the provider expands from it, the others less than 20. */
    unsigned keks, keys;
    const cm_key_devices *devices; /* borrowed for the ring's life; NULL: none */
} cm_keyring_options;

/** BAD_ARGUMENT for a root without a generation. */
CM_MUST cm_err cm_keyring_new(cm_keyring **out, const cm_keyring_options *o);
/** After every operation has ended. Wipes all it holds. */
void cm_keyring_free(cm_keyring *r);
void cm_keyring_free_ptr(cm_keyring **r);

/** Execute op and set its result; done() is not called. After a failure out and out2 are empty.
 * CRYPT_TAG        whatever the seals are not made for: another tenant, path, version, type or
 *                  root, or altered bytes
 * CRYPT_SIGNATURE  VERIFY, VERIFY_MAC
 * KEY_USE          a key of this type can't do that
 * KEY_FORM         not in this form, with this context or of this length
 * KEY_UNSUPPORTED  declared and not served by this build
 * KEY_DEVICE_WAIT  a tenant's device has to be asked, and op is not patient
 * KEY_DEVICE_AWAY, KEY_DEVICE_OTHER, KEY_DEVICE_NONE   it was asked
 * KEYOP_SIZE, NO_MEMORY, NO_LOCKED_MEMORY, NO_ENTROPY, CRYPT_PROFILE
 * Any thread. Constant time in what keys and plaintexts hold, but for the generation of RSA keys
 * and the import of foreign key files. */
void cm_keyring_exec(cm_keyring *r, cm_keyop *op);
/** The same for up to any number of them: signatures by one key in a device, up to CM_KEYOPS_MANY,
 * are asked of it by one request. */
void cm_keyring_exec_many(cm_keyring *r, cm_keyop *const *op, size_t n);
/** A keeper that executes at once, in the thread that submits. Valid as long as r. */
cm_keeper cm_keyring_keeper(cm_keyring *r);

/** Forget what was opened by tenants' devices and has been held for hold_ms (KM-19). */
void cm_keyring_expire(cm_keyring *r);

/** Keys that are open now, for metrics. */
typedef struct {
    size_t keks, keys;
} cm_keyring_held;
cm_keyring_held cm_keyring_count(cm_keyring *r);

/** The key version that a ciphertext of ENCRYPT, WRAP, DATA_KEY or REWRAP names (KM-20). It is not
 * authentic before the ciphertext opened. CRYPT_TAG when it names none. */
CM_MUST cm_err cm_keyop_version_of(uint64_t *version, cm_view ciphertext);

/** Seal a raw secret to whoever holds `to`, as EXPORT does, for an import with IMPORT_WRAPPED
 * (KM-27). KEY_USE for a recipient's key below level 3. */
CM_MUST cm_err cm_export_seal(cm_buf *out, const cm_kem_key *to, cm_key_type type, cm_view raw);
/** The same to a public key as its bytes alone, or as SubjectPublicKeyInfo. */
CM_MUST cm_err cm_export_to(cm_buf *out, const cm_crypt *c, cm_key_type type, cm_view raw,
                            cm_view recipient);
/** The raw secret. CRYPT_TAG. */
CM_MUST cm_err cm_export_open(cm_buf *raw, const cm_kem_key *me, cm_key_type type, cm_view wrapped);

#endif
