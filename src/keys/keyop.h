#ifndef CM_KEYS_KEYOP_H
#define CM_KEYS_KEYOP_H
/*
 * What is asked of the holder of keys. A holder remembers no keys but its root: each request brings
 * the sealed key along with the chain that opens it, and the binding that the seal was made with
 * (spec/kms-keys.md). So holders can be many, restarted at any time, or hardware.
 */
#include "keys/types.h"

typedef enum {                       /* wire numbers, fixed for good; the names are the API's */
               CM_KEYOP_CREATE = 1,  /* out: sealed key, out2: public key */
               CM_KEYOP_IMPORT = 2,  /* data: secret in its raw form; out, out2 as above */
               CM_KEYOP_SIGN = 3,    /* data, context, form; out: signature */
               CM_KEYOP_VERIFY = 4,  /* data, context, form, more: signature */
               CM_KEYOP_ENCRYPT = 5, /* data, context: AAD; out: ciphertext */
               CM_KEYOP_DECRYPT = 6,
               CM_KEYOP_ENCAPSULATE = 7, /* out: ciphertext, out2: shared secret */
               CM_KEYOP_DECAPSULATE = 8, /* data: ciphertext; out: shared secret */
               CM_KEYOP_DATA_KEY =
                   9, /* n bytes, context: AAD; out: wrapped, out2: plain (empty by form) */
               CM_KEYOP_WRAP = 10, /* data: key bytes, context: AAD; out */
               CM_KEYOP_UNWRAP = 11,
               CM_KEYOP_REWRAP = 12, /* data: under key; out: under the newer version in more */
               CM_KEYOP_MAC = 13,
               CM_KEYOP_VERIFY_MAC = 14,
               CM_KEYOP_RANDOM = 15, /* n */
               CM_KEYOP_EXPORT =
                   16, /* more: recipient's public KEM key; out: HPKE-wrapped secret */
               CM_KEYOP_IMPORT_WRAPPED =
                   17,               /* key: import KEM key; data: HPKE-wrapped; type2; out, out2 */
               CM_KEYOP_PUBLIC = 18, /* out2 */
               CM_KEYOP_NEW_TENANT = 19, /* out: a new tenant KEK, sealed to the root */
               CM_KEYOP_RESEAL =
                   20, /* key under kek; out: the same key under the newer kek in more */
               CM_KEYOP_ROW_KEY = 21,    /* out: the key that seals the tenant's rows (for kmsd) */
               CM_KEYOP_SIGN_LOG = 22,   /* data: a checkpoint's text; out: its signature lines */
               CM_KEYOP_SIGN_SHARE = 23, /* FROST: see keys/frost.h */
} cm_keyop_code;

/* How data is to be taken. */
typedef enum {
    CM_FORM_MESSAGE = 0,
    CM_FORM_DIGEST = 1,      /* the curve's prehash; RSA: SHA-256 */
    CM_FORM_MU = 2,          /* ML-DSA external mu */
    CM_FORM_RAW = 3,         /* no context statement: for foreign protocols */
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
