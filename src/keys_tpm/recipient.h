#ifndef CM_KEYS_TPM_RECIPIENT_H
#define CM_KEYS_TPM_RECIPIENT_H
/*
 * The machine's TPM as the recipient of a sealed model (spec/tpm.md). The TPM seals 32 random
 * bytes; a key derived from them wraps the content key, so what counts is symmetric: 256 bits of
 * AES behind the registers, whatever keys the TPM has inside.
 */
#include "envelope/envelope.h"
#include "keys_tpm/tpm.h"

enum { CM_RECIPIENT_TPM = 2 /* the provider number of the stanza */ };

/** Zeroed but for crypt and tcti. The TPM is opened when it is first needed. Does not move; free
 * with _done(). */
typedef struct {
    const cm_crypt *crypt;
    const char *tcti;
    cm_tpm_policy policy; /* of a recipient; of an opener: auth alone */
    cm_tpm *tpm;
    cm_err why;              /* an opener's: why it took no stanza, if there was one for a TPM */
    cm_tpm_selection differ; /* TPM_CHANGED: these registers */
} cm_tpm_key;
void cm_tpm_key_done(cm_tpm_key *k);

/** k is borrowed for the life of what is made. */
cm_recipient cm_recipient_tpm(cm_tpm_key *k);
/** Claims a stanza of this TPM whose registers are what they were: others leave their reason in
 * why, and the way free for other keys. */
cm_opener cm_opener_tpm(cm_tpm_key *k);
/** What stands in a TPM's stanza; views borrow from it. ENVELOPE_MALFORMED. */
CM_MUST cm_err cm_tpm_stanza_read(cm_tpm_sealed *out, const cm_crypt *c, const cm_stanza *st);

#endif
