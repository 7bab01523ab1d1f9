#ifndef CM_SVC_OPS_H
#define CM_SVC_OPS_H
/*
 * The operation table. One row makes: the REST route, the gRPC method, the permission, the audit
 * class, the cost, OpenAPI, .proto, the reference in docs/kms-api.md and the CLI verb.
 */
#include "svc/svc.h"

typedef enum { /* what a grant can name */
               CM_PERM_NONE,
               CM_PERM_USE,
               CM_PERM_READ,
               CM_PERM_MANAGE,
               CM_PERM_EXPORT,
               CM_PERM_ADMIN,
               CM_PERM_AUDIT,
} cm_perm;

typedef enum {                   /* how it is proven who asks */
               CM_AUTH_NONE,     /* health, public log */
               CM_AUTH_ATTESTED, /* a session of the key broker protocol: evidence, nobody's name */
               CM_AUTH_ANY,      /* certificate, session, token, API key, signature */
               CM_AUTH_SIGNED,   /* a full ML-DSA signature over this very request */
} cm_auth;

/** OFF: not logged, for what needs no proof of who asks. USE, CHANGE: one leaf. RECEIPT: the answer
 * carries proof of the leaf. */
typedef enum { CM_LEAF_OFF, CM_LEAF_USE, CM_LEAF_RECEIPT, CM_LEAF_CHANGE } cm_leaf_class;

typedef struct cm_op {
    const char *name;   /* "Sign": the gRPC method, the permission's action, the log's op */
    const char *method; /* "POST" */
    const char *route;  /* "/v1/tenants/{tenant}/keys/{key}:sign" */
    const char *verb;   /* "key sign": the CLI's; NULL: none of its own */
    const cm_message *request, *answer;
    cm_perm perm;
    cm_auth auth;
    cm_leaf_class audit;
    unsigned cost; /* tokens of the rate limits */
    bool streams;  /* the answer is a stream of messages (gRPC), a list (REST) */
    /** Read rows; fill in a key operation, or ask for none. Called again after a conflict. */
    cm_err (*prepare)(cm_call *c);
    /** Answer and effects. NULL: prepare has done it all. */
    cm_err (*finish)(cm_call *c);
    const char *doc; /* one paragraph */
} cm_op;

extern const cm_op cm_ops[];
extern const size_t cm_ops_n;

/** "use", "read", ...: static. */
const char *cm_perm_name(cm_perm p);

#endif
