#ifndef CM_RUN_SERVER_H
#define CM_RUN_SERVER_H
/*
 * The connections of one reactor: accepted, handshaken, read, written, timed out and drained.
 * HTTP itself is wire/http.h; who may connect how is the TLS context's business. All on the loop's
 * thread; any number of servers listen on one address (SO_REUSEPORT).
 *
 * A connection that waits costs its TLS and HTTP states and this struct: input goes through one
 * buffer of the server, output is written from where HTTP holds it, and OpenSSL gives its buffers
 * back.
 */
#include "run/gate.h"
#include "run/loop.h"
#include "run/metrics.h"
#include "wire/http.h"
#include "wire/tls.h"

typedef struct cm_server cm_server;
typedef struct cm_conn cm_conn;

typedef struct {
    unsigned connections;  /* at once; accepting waits beyond */
    unsigned handshakes;   /* under way at once; accepting waits beyond */
    unsigned handshake_ms; /* for a handshake, 10 s */
    unsigned request_ms;   /* for a request to come whole, 10 s and its bytes at body_rate */
    unsigned body_rate;    /* bytes a second, 1024 */
    unsigned idle_ms;      /* without a request, 60 s */
    unsigned write_ms;     /* without the peer taking a byte of what waits for it, 30 s */
    size_t backlog;        /* bytes to be written above which nothing more is read, 256 KiB */
} cm_server_limits;
extern const cm_server_limits cm_server_limits_default;

typedef struct {
    int fd;      /* listening, non-blocking; closed by the server */
    cm_tls *tls; /* NULL: cleartext. Borrowed as long as the server lives */
    bool local;  /* a Unix socket: no limits by address */
    void *user;  /* the owner's: cm_conn_listener() */
} cm_server_listener;

/** Who is at the other end. Borrowed as long as the connection. */
typedef struct {
    cm_view address;  /* text */
    cm_view spki;     /* SHA-256 of the client certificate's key; empty */
    cm_view exporter; /* cm_tls_exporter(); empty */
    bool pq, tls, local;
} cm_conn_peer;

typedef struct {
    /** As in cm_http_handler. The answer may come at any time, on this thread, and
     * cm_conn_answered() after it. */
    void (*request)(void *self, cm_conn *c, cm_http_request *r);
    void (*cancelled)(void *self, cm_conn *c, cm_http_request *r);
    /** Optional, as in cm_http_handler: for requests whose body is taken as it comes. */
    bool (*begins)(void *self, cm_conn *c, cm_http_request *r);
    void (*piece)(void *self, cm_conn *c, cm_http_request *r, cm_view bytes, bool last);
    /** A handshake failed, or a connection was refused or cut off. detail: for people, or NULL. */
    void (*refused)(void *self, cm_view address, cm_err why, const char *detail);
    /** After cm_server_drain(): the last connection is gone. */
    void (*drained)(void *self);
    void *self;
} cm_server_handler;

/* Rows for the owner's table of metrics, in this order. */
enum {
    CM_SM_ACCEPTED,
    CM_SM_OPEN,
    CM_SM_HANDSHAKES,
    CM_SM_HANDSHAKE_SECONDS,
    CM_SM_CLOSED,
    CM_SM_RECEIVED,
    CM_SM_SENT,
    CM_SM_COUNT
};
extern const cm_metric cm_server_metrics[CM_SM_COUNT];

typedef struct {
    cm_loop *loop;
    uint64_t (*now_s)(void); /* wall clock, for certificates */
    cm_server_limits limits;
    cm_http_limits http;
    cm_gate *gate; /* NULL: no limits by address */
    cm_server_handler handler;
    cm_shard *shard; /* NULL: nothing is counted */
    size_t metrics;  /* index of CM_SM_ACCEPTED in its table */
} cm_server_options;

CM_MUST cm_err cm_server_new(cm_server **out, const cm_server_options *o);
/** Ends every connection at once. */
void cm_server_free(cm_server *s);
void cm_server_free_ptr(cm_server **s);
/** Begin to accept; takes over l->fd in any case. */
CM_MUST cm_err cm_server_listen(cm_server *s, const cm_server_listener *l);
/** Stop accepting, ask peers to go, finish what is under way; what is left after ms is cut.
 * drained() is called at the end, perhaps at once. */
void cm_server_drain(cm_server *s, uint64_t ms);
size_t cm_server_connections(const cm_server *s);
/** Of a reload: holds for connections from now on. */
void cm_server_set_limits(cm_server *s, const cm_server_limits *l);

/** After an answer, or a piece of one: its bytes are written at the end of the round. */
void cm_conn_answered(cm_conn *c);
cm_conn_peer cm_conn_peer_of(cm_conn *c);
void *cm_conn_listener(const cm_conn *c);
cm_server *cm_conn_server(const cm_conn *c);

/* ---- sockets ---- */

/** "127.0.0.1:8443", "[::]:8443" (port 0: the system's choice) with SO_REUSEPORT, or
 * "unix:/path" (mode 0600; a dead socket in the way is replaced). RUN_ADDRESS malformed,
 * RUN_LISTEN the system refuses. */
CM_MUST cm_err cm_socket_listen(int *fd, const char *address);
/** The address a socket is bound to, as above, into text of n bytes. */
CM_MUST cm_err cm_socket_name(char *text, size_t n, int fd);

#endif
