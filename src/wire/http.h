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
    size_t head_max;      /* bytes of a request's head, 32 KiB */
    size_t body_max;      /* 32 MiB */
    unsigned streams_max; /* at once, 256 */
    unsigned resets_max;  /* RST_STREAM, SETTINGS and PING per second, each */
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

typedef struct {
    /** A whole request is there. Answer now or later, on the connection's thread. */
    void (*request)(void *self, cm_http_request *r);
    /** The peer reset it or the connection died: do not answer any more. */
    void (*cancelled)(void *self, cm_http_request *r);
    void *self;
} cm_http_handler;

/** h2: by ALPN; false: HTTP/1.1, or HTTP/2 when the preface says so (for cleartext). */
CM_MUST cm_err cm_http_new(cm_http_conn **out, bool h2, const cm_http_limits *limits,
                           cm_http_handler handler);
void cm_http_free(cm_http_conn *c); /* cancelled() for what is not answered */
/** Bytes from the peer. HTTP_* for what ends the connection: write what is pending, then close. */
CM_MUST cm_err cm_http_feed(cm_http_conn *c, cm_view bytes);
/** What is to be written now; borrowed until cm_http_sent(). */
cm_view cm_http_pending(cm_http_conn *c);
void cm_http_sent(cm_http_conn *c, size_t n);
/** No new requests (GOAWAY, connection: close); those under way go on. */
void cm_http_drain(cm_http_conn *c);
/** Nothing more will come or go: close it. */
bool cm_http_over(const cm_http_conn *c);
/** Whether a request has come in part: its time is limited. */
bool cm_http_receiving(const cm_http_conn *c);
/** Requests under way. */
unsigned cm_http_busy(const cm_http_conn *c);
/** Monotonic ms, for flood limits: tell it once per round. */
void cm_http_clock(cm_http_conn *c, uint64_t now_ms);

typedef struct {
    int status;
    const cm_http_header *headers; /* copied; content-length is added */
    size_t headers_n;
    cm_view body; /* copied */
} cm_http_response;
/** Answer whole. r is gone afterwards. */
CM_MUST cm_err cm_http_respond(cm_http_request *r, const cm_http_response *a);
/** Answer in pieces: head, then cm_http_write() as often as wanted, then cm_http_finish(). */
CM_MUST cm_err cm_http_start(cm_http_request *r, const cm_http_response *head);
CM_MUST cm_err cm_http_write(cm_http_request *r, cm_view piece);
/** Bytes of r not sent yet: stop producing above a limit. */
size_t cm_http_backlog(const cm_http_request *r);
/** Trailers for gRPC. r is gone afterwards. */
CM_MUST cm_err cm_http_finish(cm_http_request *r, const cm_http_header *trailers, size_t n);
/** First header of that name; false when absent. */
bool cm_http_header_of(const cm_http_request *r, const char *name, cm_view *value);

#endif
