#ifndef CM_AUDIT_AUDIT_H
#define CM_AUDIT_AUDIT_H
/* The transparency log: entries and whoever signs checkpoints. spec/audit.md. */
#include "crypt/crypt.h"
#include "crypt/sig.h"

typedef enum { CM_AUDIT_ALLOW = 1, CM_AUDIT_DENY = 2, CM_AUDIT_FAIL = 3 } cm_audit_decision;

enum {
    CM_AUDIT_TENANT_MAX = 256,
    CM_AUDIT_OP_MAX = 64,
    CM_AUDIT_RESOURCE_MAX = 1024,
    CM_AUDIT_ENTRY_MAX = 2048, /* encoded */
    CM_AUDIT_CUSTODY_MAX = 32,
};

/** One decision. Views borrow. Personal data (principal, address) goes in as salted hashes; the
 * texts stand in a row of the tenant that can be dropped. */
typedef struct {
    uint64_t time_ms;
    cm_view id; /* of the request, 16 random bytes */
    cm_view tenant;
    cm_view principal; /* cm_audit_blind() of its name, 32 bytes; empty: unauthenticated */
    cm_view op;        /* the operation's name, "Sign" */
    cm_view resource;  /* the key's path or what else was acted on */
    uint64_t key_version;
    cm_view request;  /* SHA-256 of what was asked, or empty */
    cm_view evidence; /* SHA-256 of attestation evidence, or empty */
    cm_audit_decision decision;
    uint32_t reason; /* cm_err.v of a refusal; 0, and always 0 with ALLOW */
    cm_view custody; /* of the key material that was made, brought or destroyed; or empty */
} cm_audit_entry;

/** Append the one encoding of e. BAD_ARGUMENT for a field out of its bounds: an id that is
 * not 16 bytes, an op that is no text of 1 to 64 bytes, hashes of another length. Any thread. */
CM_MUST cm_err cm_audit_entry_encode(cm_buf *out, const cm_audit_entry *e);
/** Strict; views borrow from v. AUDIT_ENTRY. Any thread. */
CM_MUST cm_err cm_audit_entry_decode(cm_audit_entry *e, cm_view v);

/** Signs checkpoints: append the signature lines of a note over text (audit/signer.h makes one of
 * keys in this process). Called on one thread at a time, and may take milliseconds. */
typedef struct {
    cm_err (*sign)(void *self, cm_buf *lines, cm_view text);
    void *self;
} cm_audit_signer;

#endif
