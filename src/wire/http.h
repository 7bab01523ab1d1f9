#ifndef CM_WIRE_HTTP_H
#define CM_WIRE_HTTP_H
/*
 * The server's side of one HTTP connection, without sockets: bytes go in, requests come out;
 * answers go in, bytes come out. HTTP/1.1 by an own strict parser, HTTP/2 by nghttp2, chosen by
 * ALPN or by the preface. gRPC is a request whose content-type says so; its framing is in
 * wire/grpc.h.
 */
#include "base/base.h"

typedef struct {
    cm_view name, value; /* names in lower case */
} cm_http_header;

typedef struct {
    size_t head_max;      /* bytes of a request's head, 32 KiB; 128 fields */
    size_t body_max;      /* 32 MiB; all bodies of one connection together: twice that */
    unsigned streams_max; /* at once, 256 */
    unsigned resets_max;  /* RST_STREAM, SETTINGS, and PING with its like per second, each: 500 */
} cm_http_limits;
extern const cm_http_limits cm_http_limits_default;

typedef struct cm_http_conn cm_http_conn;

/** One request. It belongs to the connection and lives until cm_http_finish() of it, or until
 * cancelled() says it is gone. Views borrow from it. */
typedef struct cm_http_request {
    cm_view method, path, query, authority, scheme; /* path without the query, as sent */
    const cm_http_header *headers;
    size_t headers_n;
    cm_view body;
    bool grpc; /* content-type application/grpc */
    cm_http_conn *conn;
    void *user; /* the handler's own */
} cm_http_request;

/** Calls come from within cm_http_feed() and, where a pipelined request follows, from within the
 * call that ends an answer. They may answer at once; they must not feed or free the connection. */
typedef struct {
    /** A whole request is there. Answer now or later, on the connection's thread. */
    void (*request)(void *self, cm_http_request *r);
    /** The peer reset it or the connection died: do not answer any more. Not called for what is
     * answered. */
    void (*cancelled)(void *self, cm_http_request *r);
    void *self;
    /** Optional: the head is there, the body is not yet. True: the body comes to piece() instead,
     * and request() is not called. An answer may begin and end before the request does. */
    bool (*begins)(void *self, cm_http_request *r);
    /** Bytes of a body as they come, borrowed for the call; the last time with last set, and maybe
     * empty. body_max does not count here. */
    void (*piece)(void *self, cm_http_request *r, cm_view bytes, bool last);
} cm_http_handler;

/** h2: by ALPN; false: HTTP/1.1, or HTTP/2 when the preface says so (for cleartext). */
CM_MUST cm_err cm_http_new(cm_http_conn **out, bool h2, const cm_http_limits *limits,
                           cm_http_handler handler);
void cm_http_free(cm_http_conn *c); /* cancelled() for what is not answered */
/** Bytes from the peer. Any error ends the connection: write what is pending (it tells the peer
 * why), then close; what comes later is answered with the same error. HTTP_MALFORMED and the other
 * HTTP_* reasons, NO_MEMORY. */
CM_MUST cm_err cm_http_feed(cm_http_conn *c, cm_view bytes);
/** Whether to read on: false while enough waits to be handled or written. Feeding more anyway is
 * fine for what was read already. */
bool cm_http_wants(const cm_http_conn *c);
/** What is to be written now; borrowed until cm_http_sent(). At least 64 KiB, if there is as much.
 */
cm_view cm_http_pending(cm_http_conn *c);
void cm_http_sent(cm_http_conn *c, size_t n);
/** No new requests (GOAWAY, connection: close); those under way go on. HTTP/2: a notice first, the
 * last word when the peer has seen it, or 5 s later by cm_http_clock(). */
/** The connection has been idle for a while: gives back what is only kept for its next request. */
void cm_http_rest(cm_http_conn *c);
void cm_http_drain(cm_http_conn *c);
/** Nothing more will come or go: close it. */
bool cm_http_over(const cm_http_conn *c);
/** Whether a request has come in part: its time is limited. One whose body goes to piece() is none
 * of these. */
bool cm_http_receiving(const cm_http_conn *c);
/** Requests that wait for their answer, or the rest of it. */
unsigned cm_http_busy(const cm_http_conn *c);
/** Bytes of answers that are not pending yet: an HTTP/2 peer has not given the room for them. */
size_t cm_http_owed(const cm_http_conn *c);
/** Whether it speaks HTTP/2. */
bool cm_http_is_h2(const cm_http_conn *c);
/** Monotonic ms, for flood limits: tell it once per round. */
void cm_http_clock(cm_http_conn *c, uint64_t now_ms);

typedef struct {
    int status;
    const cm_http_header *headers; /* copied; names in lower case */
    size_t headers_n;
    cm_view body; /* copied */
} cm_http_response;
/* Answers. content-length, transfer-encoding and connection are written here, never by the caller.
 * BAD_ARGUMENT for a field that HTTP does not allow, NO_MEMORY: then the request was reset and is
 * gone as well, so there is nothing to clean up. */

/** Answer whole. r is gone afterwards. */
CM_MUST cm_err cm_http_respond(cm_http_request *r, const cm_http_response *a);
/** Answer in pieces: head, then cm_http_write() as often as wanted, then cm_http_finish(). The
 * body of head goes first. */
CM_MUST cm_err cm_http_start(cm_http_request *r, const cm_http_response *head);
CM_MUST cm_err cm_http_write(cm_http_request *r, cm_view piece);
/** Bytes of r not sent yet: stop producing above a limit, look again when some were sent. */
size_t cm_http_backlog(const cm_http_request *r);
/** Trailers for gRPC. r is gone afterwards. */
CM_MUST cm_err cm_http_finish(cm_http_request *r, const cm_http_header *trailers, size_t n);
/** Give up on it: the peer sees a reset (HTTP/1.1: the connection ends). r is gone afterwards. */
void cm_http_reset(cm_http_request *r);
/** First header of that name (lower case); false when absent. */
bool cm_http_header_of(const cm_http_request *r, const char *name, cm_view *value);

#endif
