#ifndef CM_SVC_SVC_H
#define CM_SVC_SVC_H
/*
 * The service: what every operation does, whichever way it was asked. No sockets here.
 *
 * A call goes through four steps, each row of the operation table (svc/ops.h) bringing two
 * functions:
 *   1. who asks, may they, is there budget       authn.c, svc/policy.h, svc/quota.h
 *   2. prepare: read rows, fill in the key operation
 *   3. the keeper executes it (keyd, HSM)        keys/keyop.h
 *   4. finish: fill in answer and effects; the committer makes effects and log leaf durable
 * and only then is answered. A conflict with another node starts it anew at step 1.
 *
 * Every decision on a call whose maker is known leaves an entry in the log, whether it was allowed
 * or not; refusals of unknown callers are logged up to a rate (spec/kms.md, V-12, V-13).
 */
#include "audit/commit.h"
#include "keys/keyop.h"
#include "svc/attestor.h"
#include "wire/msg.h"

typedef struct cm_svc cm_svc;
struct cm_op;

/** Where row keys go: whoever seals the store's rows (store/store.h, cm_store_sealer). */
typedef struct {
    /** Whether rows of this tenant can be read. Any thread. */
    bool (*known)(void *self, cm_view tenant);
    /** The tenant's row key as CM_KEYOP_ROW_KEY gave it: copied. */
    cm_err (*add)(void *self, cm_view tenant, cm_view key);
    void *self;
} cm_row_keys;

typedef struct {
    cm_store *store;
    cm_committer *committer;
    const cm_crypt *crypt;
    cm_row_keys row_keys;
    cm_attestor attestor; /* judge NULL: none */
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
    uint64_t attest_rate;  /* those of the key broker protocol; 0: 20 */
    uint64_t address_rate; /* calls a second of one address before it is known who asks; 0: 1000 */
    const char *version;   /* of the program; static */
    uint64_t model_days;   /* period of a model's keys; 0: 90 */
    uint64_t api_key_ms;   /* life of an API key; 0: for ever */
    const char *const *devices; /* names of the key devices behind the root */
    size_t devices_n;
    const char *custody; /* of what is sealed under the root; static; NULL: as recorded */
} cm_svc_options;

/** Puts into the log what was refused of attestations and no entry stands for yet (V-91): of
 * classes whose minute is over, or of all. Waits for the disk: for the thread of chores. What the
 * committer fails with; then it is counted on. */
CM_MUST cm_err cm_svc_log_refusals(cm_svc *s, bool all);

/** Everything in o is borrowed for the life of the service. */
CM_MUST cm_err cm_svc_new(cm_svc **out, const cm_svc_options *o);
/** After the last call is done. */
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
    const struct cm_http_request
        *request; /* headers and body; NULL: no credentials but the peer's */
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
    char detail[400];        /* what a person needs besides the reason's text; may be empty */
    bool discreet;           /* the detail is for the server's log, not for the caller (V-90) */
    uint32_t retry_after_ms; /* of a refusal for want of budget (429); else 0 */
    /** Of an operation that streams: there will be more. Once the answer is sent, and wait_ms are
     * over, cm_svc_more() and then cm_svc_run() continue it. */
    bool more;
    uint32_t wait_ms;

    /** On the committer's or the submitting thread: hand over to the connection's own. */
    void (*done)(struct cm_call *c);
    /** On the committer's thread: the call must go through its keeper again. Hand it to the thread
     * whose keeper it is, and there call cm_svc_run(). NULL: it goes on at once, which only a
     * keeper that any thread may use allows. */
    void (*again)(struct cm_call *c);
    void *arg;

    struct cm_call_state *state; /* svc's own, in the arena: NULL at first */
    struct cm_call *next;        /* the owner's, for queues */
} cm_call;

/** Runs a call whose fields up to http are set; done() is called exactly once, perhaps at once.
 * svc continues on the thread where the keeper or the committer calls back; it is safe for a call
 * to move between threads but never on two at once. The arena is reset by its owner once the answer
 * is written, never before done(). */
void cm_svc_run(cm_call *c);
/** Before running a streaming call on: frees what the last answer took. */
CM_MUST cm_err cm_svc_more(cm_call *c);

/** By method and path (REST), into op with the path's parts set in a new request message; NULL op
 * when there is none (*why: SVC_NO_ROUTE, SVC_NAME). path as sent, without the query. */
const struct cm_op *cm_svc_route(cm_view method, cm_view path, cm_arena *a, cm_msg **request,
                                 cm_err *why);
/** Completes a request that cm_svc_route() began: parts of the query, members of the JSON body
 * (empty: none); then checks it. SVC_REQUEST, with the field in *fault: also when body or query set
 * what the path has set already to something else. */
CM_MUST cm_err cm_svc_fill(cm_msg **request, cm_arena *a, const struct cm_op *op, cm_view query,
                           cm_view body, cm_msg_fault *fault);
/** "Sign", or gRPC's path "/casemate.kms.v1.Kms/Sign". */
const struct cm_op *cm_svc_op_by_name(cm_view name);

typedef struct {
    uint64_t calls, refused, retries, cached;
} cm_svc_stats;
void cm_svc_stats_of(cm_svc *s, cm_svc_stats *out);

#endif
