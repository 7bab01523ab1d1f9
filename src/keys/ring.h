#ifndef CM_KEYS_RING_H
#define CM_KEYS_RING_H
/*
 * Executes key operations in this process: unwraps what a request brings, works with it, forgets
 * it but for a bounded cache. spec/kms-keys.md.
 */
#include "keys/keyop.h"
#include "keys/unseal.h"

typedef struct cm_keyring cm_keyring;

typedef struct {
    const cm_crypt *crypt;
    const cm_root *root; /* both borrowed for the ring's life */
    /** Append the signature lines of a checkpoint; NULL: SIGN_LOG is KEY_UNSUPPORTED. Any thread.
     */
    cm_err (*sign_log)(void *arg, cm_buf *lines, cm_view text);
    void *arg;
    unsigned held; /* keys kept open, least recently used first to go; 0: 4096 */
} cm_keyring_options;

CM_MUST cm_err cm_keyring_new(cm_keyring **out, const cm_keyring_options *o);
/** After every operation has ended. Wipes all it holds. */
void cm_keyring_free(cm_keyring *r);
void cm_keyring_free_ptr(cm_keyring **r);

/** Execute op and set its result; done() is not called. After a failure out and out2 are empty.
 * CRYPT_TAG whatever the seals are not made for: another tenant, path, version, type or root, or
 * altered bytes. KEY_USE the type can't do this; KEY_FORM not in this form; KEY_UNSUPPORTED the
 * type is declared and not served by this build. Any thread, constant time in what the keys hold.
 */
void cm_keyring_exec(cm_keyring *r, cm_keyop *op);
/** A keeper that executes at once, in the thread that submits. */
cm_keeper cm_keyring_keeper(cm_keyring *r);

/** The key version that a ciphertext of ENCRYPT, WRAP or DATA_KEY names. CRYPT_TAG when it is none.
 */
CM_MUST cm_err cm_keyop_version_of(uint64_t *version, cm_view ciphertext);

#endif
