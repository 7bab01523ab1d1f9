#ifndef CM_RUN_CLIENT_H
#define CM_RUN_CLIENT_H
/*
 * A client of the KMS: HTTP/1.1 with keep-alive over post-quantum TLS, or over a Unix socket.
 * Blocking, with a deadline for everything. It trusts the roots it is given and nobody else, signs
 * its requests, opens a session when told so, and says why a connection failed.
 *
 * One call at a time: a client belongs to one thread.
 */
#include "run/link.h"
#include "run/response.h"
#include "wire/session.h"

typedef struct cm_client cm_client;

typedef struct {
    cm_view url;           /* "https://host:port" or "unix:/run/casemate/admin.sock" */
    const cm_certs *roots; /* https */
    cm_tls_policy policy;
    const cm_tls_identity *identity; /* client certificate; NULL: none. Borrowed for the call. */
    const cm_sig_key *sign_key;      /* ML-DSA or Ed25519; NULL: nothing is signed. Borrowed. */
    cm_view keyid;                   /* of sign_key at the server */
    cm_view token;                   /* "Authorization: Bearer ..." (JWT or API key); empty: none */
    cm_view session_path;   /* POST here opens a session; empty: every request is signed in full */
    uint32_t connect_ms;    /* 0: 5 s */
    uint32_t call_ms;       /* of one call, retries included; 0: 30 s */
    unsigned retries;       /* of 429, 503 with Retry-After, and of connections lost while idle */
    size_t body_max;        /* of an answer; 0: 32 MiB */
    const char *user_agent; /* static; NULL: "casemate/VERSION" */
} cm_client_options;

/** Views are copied; no connection is made yet. CLIENT_URL. c is borrowed for its life. */
CM_MUST cm_err cm_client_new(cm_client **out, const cm_crypt *c, const cm_client_options *o);
void cm_client_free(cm_client *k);
void cm_client_free_ptr(cm_client **k);
/** For a child of fork(): closes the descriptor without a word to the server, for the connection is
 * the parent's, and wipes the session's key. The memory stays. */
void cm_client_abandon(cm_client *k);

typedef enum {
    CM_CLIENT_USUAL,  /* session when there is one, else signature, else token */
    CM_CLIENT_SIGNED, /* a full signature: for operations that demand one */
    CM_CLIENT_PLAIN,  /* nothing: health, public log */
} cm_client_auth;

typedef struct {
    const char *method; /* "POST" */
    cm_view target;     /* "/v1/...?..." */
    cm_view type;       /* content-type; empty: application/json when there is a body */
    cm_view body;
    const cm_http_header *headers; /* more of them */
    size_t headers_n;
    cm_client_auth auth;
    bool idempotent; /* may be sent again when the connection was lost in between; GET is */
    /** The answer's body goes here piece by piece instead of into the answer (status 200 to 299).
     */
    cm_err (*sink)(void *arg, cm_view piece);
    void *sink_arg;
} cm_client_request;

typedef cm_response cm_client_answer; /* status, headers, body */

/** Ask and wait. out is zeroed or an earlier answer. An answer of any status is a success;
 * CM_CLIENT_* and TLS_*, CERT_* when there is none: CLIENT_RESOLVE, CLIENT_REFUSED,
 * CLIENT_UNREACHABLE, CLIENT_TIMEOUT, CLIENT_CLOSED, CLIENT_RESPONSE not HTTP or past a limit. */
CM_MUST cm_err cm_client_call(cm_client *k, cm_client_answer *out, const cm_client_request *r);
static inline void cm_client_answer_free(cm_client_answer *a)
{
    cm_response_free(a);
}

/** False when absent. */
static inline bool cm_client_header(const cm_client_answer *a, const char *name, cm_view *value)
{
    return cm_response_header(a, name, value);
}

/** More about the last failure, for people: "kms.example (10.0.0.1:8443): certificate is for
 * other.example". Lives until the next call. Empty after a success. */
const char *cm_client_why(const cm_client *k);
/** Of the connection in use; false when there is none or it is a Unix socket. */
bool cm_client_tls(const cm_client *k, cm_tls_info *out);

#endif
