#ifndef CM_KEYS_RECIPIENT_H
#define CM_KEYS_RECIPIENT_H
/*
 * A key of a KMS as the recipient of a sealed model (spec/unseal.md, "Models sealed to a key of a
 * KMS"). The content key of 32 bytes goes to the KMS to be wrapped or unwrapped; the model never
 * does. Who asks, over which connection, is the caller's: two functions.
 */
#include "envelope/envelope.h"

enum {
    CM_RECIPIENT_KMS = 1, /* the provider number of the stanza */
    CM_KEY_NAME_MAX = 256,
    CM_KMS_WRAPPED_MAX = 4096,
};

/** What a key is called: parts, never a joined string. */
typedef struct {
    cm_view tenant, keyspace, key; /* UTF-8, 1 to CM_KEY_NAME_MAX; keyspace may be empty */
    uint64_t version;
} cm_key_name;

typedef struct {
    cm_key_name name; /* version 0, in a recipient: whichever is active */
    /** Append the wrapped key. aad: what the KMS must bind it to (E-3). Sets *version to that of
     * the key that was used. */
    cm_err (*wrap)(void *arg, cm_buf *wrapped, uint64_t *version, const cm_key_name *name,
                   const cm_key32 *key, cm_view aad);
    cm_err (*unwrap)(void *arg, cm_key32 *key, const cm_key_name *name, cm_view wrapped,
                     cm_view aad);
    void *arg;
    bool any; /* an opener takes every KMS key's stanza, not that of name alone */
} cm_kms_key;

/** k is borrowed for the life of what is made. A KMS key counts as symmetric: wrapping is
 * AES-256-GCM below an ML-KEM-1024 root. BAD_ARGUMENT from wrap() for a name past its bounds. */
cm_recipient cm_recipient_kms(cm_kms_key *k);
/** Claims stanzas of k's tenant, keyspace and key, whatever their version. */
cm_opener cm_opener_kms(cm_kms_key *k);
/** Whom a stanza is for; views borrow from it. ENVELOPE_MALFORMED when it is no KMS key's, or its
 * id is not that of the name. */
CM_MUST cm_err cm_kms_stanza_name(cm_key_name *out, cm_view *wrapped, const cm_crypt *c,
                                  const cm_stanza *st);

#endif
