#ifndef CM_AUDIT_SIGNER_H
#define CM_AUDIT_SIGNER_H
/* Signing checkpoints with keys of this process: for keyd, for a store in a file, for tests. */
#include "audit/audit.h"
#include "audit/note.h"

/** A log's keys, derived from one seed of 32 bytes. Zeroed is empty. */
typedef struct {
    cm_sig_key *ed25519, *mldsa44, *mldsa65;
} cm_audit_keys;

/** BAD_ARGUMENT for a seed that is not 32 bytes. HKDF-SHA-256 with a label of its own per key
 * . Constant time in the seed. */
CM_MUST cm_err cm_audit_keys_derive(cm_audit_keys *k, const cm_crypt *c, cm_view seed);
void cm_audit_keys_done(cm_audit_keys *k);

typedef struct cm_audit_local cm_audit_local;

/** keys are borrowed; a NULL one makes no line. origin names the log and its keys.
 * now_s: the time of cosignatures, any thread; NULL: none is stated (0).
 * BAD_ARGUMENT without any key or with an origin that can't name one. */
CM_MUST cm_err cm_audit_local_new(cm_audit_local **out, const cm_crypt *c, const char *origin,
                                  const cm_audit_keys *keys, uint64_t (*now_s)(void *arg),
                                  void *arg);
void cm_audit_local_free(cm_audit_local *l);
void cm_audit_local_free_ptr(cm_audit_local **l);
/** Valid as long as l. It refuses text that is no checkpoint of its origin, and one whose tree is
 * smaller than the last it signed or of the same size with another root: AUDIT_FORK. */
cm_audit_signer cm_audit_local_signer(cm_audit_local *l);
/** Its keys as verifiers know them; borrowed. */
const cm_vkey *cm_audit_local_vkeys(const cm_audit_local *l, size_t *n);
/** Append the vkeys, a line each: what is published. */
CM_MUST cm_err cm_audit_local_public(cm_buf *out, const cm_audit_local *l);

#endif
