#ifndef CM_KEYS_ATTESTED_H
#define CM_KEYS_ATTESTED_H
/*
 * Machines that meet an attestation policy as the recipient of a sealed model (spec/unseal.md,
 * "Models sealed to a policy"). The content key of 32 bytes is wrapped by a key of a KMS that names
 * the policy, and released to evidence alone. Who asks, and how evidence is collected, is the
 * caller's: two functions.
 */
#include "keys/recipient.h"

enum {
    CM_RECIPIENT_ATTESTED = 3,
    /* the provider number of the stanza */ CM_ATTESTED_POLICY = 128
};

typedef struct {
    cm_key_name name; /* of the KMS's key; version 0, in a recipient: whichever is active */
    cm_view policy;   /* its name in the KMS; 1 to CM_ATTESTED_POLICY */
    cm_view sha256;   /* of the policy's file when the model was sealed */
    uint32_t pcrs;    /* bits of the registers that a TPM has to quote; 0: not said */
} cm_attested_name;

typedef struct {
    cm_attested_name name;
    /** As of cm_kms_key. */
    cm_err (*wrap)(void *arg, cm_buf *wrapped, uint64_t *version, const cm_key_name *name,
                   const cm_key32 *key, cm_view aad);
    cm_err (*release)(void *arg, cm_key32 *key, const cm_attested_name *name, cm_view wrapped,
                      cm_view aad);
    void *arg;
} cm_attested_key;

/** k is borrowed for the life of what is made. It counts as symmetric, as a KMS's key does.
 * BAD_ARGUMENT from wrap() for names past their bounds. */
cm_recipient cm_recipient_attested(cm_attested_key *k);
/** Claims every stanza of this kind. */
cm_opener cm_opener_attested(cm_attested_key *k);
/** Whom a stanza is for; views borrow from it. ENVELOPE_MALFORMED. */
CM_MUST cm_err cm_attested_stanza_name(cm_attested_name *out, cm_view *wrapped, const cm_crypt *c,
                                       const cm_stanza *st);

#endif
