#ifndef CM_SVC_SVC_H
#define CM_SVC_SVC_H
/*
 * The service: what every operation does, whichever way it was asked. No sockets here.
 *
 * A call goes through four steps, each row of the operation table (svc/ops.h) bringing two
 * functions:
 *   1. who asks, may they, is there budget       svc/authn.h, svc/policy.h, svc/quota.h
 *   2. prepare: read rows, fill in the key operation
 *   3. the keeper executes it (keyd, HSM)        keys/keyop.h
 *   4. finish: fill in answer and effects; the committer makes effects and log leaf durable
 * and only then is answered. A conflict with another node starts it anew at step 2.
 */
#include "audit/commit.h"
#include "keys/keyop.h"
#include "wire/msg.h"

typedef struct cm_svc cm_svc;
struct cm_op;

typedef struct {
    cm_store *store;
    cm_committer *committer;
    const cm_crypt *crypt;
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
} cm_svc_options;

CM_MUST cm_err cm_svc_new(cm_svc **out, const cm_svc_options *o);
void cm_svc_free(cm_svc *s);
void cm_svc_free_ptr(cm_svc **s);

/** Who is at the other end, as far as the connection shows. */
typedef struct {
    cm_view address;   /* text; for limits before authentication */
    cm_view cert_spki; /* SHA-256 of the client certificate's key; empty */
    cm_view exporter;  /* TLS exporter value, 32 bytes; empty without TLS */
    bool pq;           /* the connection has a post-quantum key exchange */
    bool local;        /* the admin socket */
} cm_svc_peer;

/** What was asked in HTTP's terms: for message signatures. Views borrow. */
typedef struct {
    cm_view method, authority, path, query;
    const struct cm_http_request *request; /* headers and body */
} cm_svc_http;

typedef struct cm_call {
    cm_svc *svc;
    cm_keeper keeper; /* of the thread that runs the call */
    const struct cm_op *op;
    cm_arena *arena;
    cm_msg *request, *answer; /* answer: set once done with result OK */
    cm_svc_peer peer;
    cm_svc_http http;

    cm_err result;
    char detail[160];        /* what a person needs besides the reason's text; may be empty */
    uint32_t retry_after_ms; /* of a refusal for want of budget */

    /** On the committer's or the submitting thread: hand over to the connection's own. */
    void (*done)(struct cm_call *c);
    void *arg;

    struct cm_call_state *state; /* svc's own, in the arena */
    struct cm_call *next;        /* the owner's, for queues */
} cm_call;

/** Runs a call whose fields up to http are set; done() is called exactly once, perhaps at once.
 * svc continues on the thread where the keeper or the committer calls back; it is safe for a call
 * to move between threads but never on two at once. */
void cm_svc_run(cm_call *c);

/** By method and path (REST), into op with the path's parts set in a new request message; NULL op
 * when there is none. By gRPC name ("casemate.kms.v1.Kms/Sign"). */
const struct cm_op *cm_svc_route(cm_view method, cm_view path, cm_arena *a, cm_msg **request,
                                 cm_err *why);
const struct cm_op *cm_svc_op_by_name(cm_view name);

#endif
