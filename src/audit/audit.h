#ifndef CM_AUDIT_AUDIT_H
#define CM_AUDIT_AUDIT_H
/* The transparency log: entries, checkpoints, receipts. spec/audit.md. */
#include "crypt/crypt.h"
#include "crypt/sig.h"

typedef enum { CM_AUDIT_ALLOW = 1, CM_AUDIT_DENY = 2, CM_AUDIT_FAIL = 3 } cm_audit_decision;

/** One decision. Views borrow. Personal data (principal, address) goes in as salted hashes; the
 * texts stand in a row of the tenant that can be dropped. */
typedef struct {
    uint64_t time_ms;
    cm_view id; /* of the request, 16 random bytes */
    cm_view tenant;
    cm_view principal; /* cm_audit_blind() of its name; empty: unauthenticated */
    cm_view op;        /* the operation's name, "Sign" */
    cm_view resource;  /* the key's path or what else was acted on */
    uint64_t key_version;
    cm_view request;  /* SHA-256 of what was asked, or empty */
    cm_view evidence; /* SHA-256 of attestation evidence, or empty */
    cm_audit_decision decision;
    uint32_t reason; /* cm_err.v of a refusal; 0 */
} cm_audit_entry;

CM_MUST cm_err cm_audit_entry_encode(cm_buf *out, const cm_audit_entry *e);
/** Strict; views borrow from v. */
CM_MUST cm_err cm_audit_entry_decode(cm_audit_entry *e, cm_view v);

/** Signs checkpoints: append the signature lines of a note over text. */
typedef struct {
    cm_err (*sign)(void *self, cm_buf *lines, cm_view text);
    void *self;
} cm_audit_signer;

#endif
