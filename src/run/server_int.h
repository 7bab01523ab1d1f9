#ifndef CM_RUN_SERVER_INT_H
#define CM_RUN_SERVER_INT_H
#include "run/server.h"

enum { LISTENERS_MAX = 16, READ_BUFFER = 64 << 10 };

struct listener {
    cm_loop_io io;
    cm_server *s;
    cm_server_listener l;
    bool paused;
};

struct cm_server {
    cm_server_options o;
    struct listener listener[LISTENERS_MAX];
    size_t listeners;
    cm_conn *conns; /* a ring-less doubly linked list */
    size_t n, handshakes;
    cm_timer resume, deadline; /* accept again; end of a drain */
    bool draining, drained;
    uint8_t *buffer; /* input of all connections passes through it */
};

typedef enum {
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_ENDING, /* what is pending is still written */
    CONN_LINGER, /* our side is closed; input is thrown away until the peer closes */
} conn_state;

struct cm_conn {
    cm_loop_io io;
    cm_loop_task flush;
    cm_timer timer;
    cm_server *s;
    cm_conn *next, *prev;
    const struct listener *l;
    cm_tls_conn *tls;
    cm_http_conn *http;
    conn_state state;
    uint32_t events;     /* that epoll watches */
    bool flushing;       /* flush is queued */
    bool again;          /* input may wait inside OpenSSL, unseen by epoll */
    bool blocked;        /* output waits for the peer */
    bool gated, freeing; /* entered the gate; being taken down */
    bool receiving;      /* a request has come in part */
    bool rested;         /* has given back what it only kept */
    bool draining;       /* asked to end */
    uint64_t drain_ms, looked_ms;
    uint64_t active_ms; /* last byte in or answer out */
    size_t owed;        /* of answers that the peer gave no room for */
    uint64_t stuck_ms;  /* since when output waits */
    uint64_t from_ms;   /* when the handshake, or the request under way, began */
    uint64_t came;      /* bytes of that request, and of others beside it */
    uint8_t spki[32], exporter[CM_TLS_EXPORTER];
    bool pq, has_spki, has_exporter;
    cm_gate_address address;
    char text[64];
};

/** A connection for an accepted descriptor, which it takes over in any case. */
void cm_conn_begin(struct listener *l, int fd, const struct sockaddr *sa);
/** Ask the peer to go; ends once nothing is under way. */
void cm_conn_drain(cm_conn *c);
/** At once. */
void cm_conn_close(cm_conn *c, cm_err why);
/** Count one connection's end or a refusal under its reason. */
void cm_server_count_closed(cm_server *s, cm_err why);
/** Take accepting up again where there is room. */
void cm_server_accept_again(cm_server *s);
void cm_server_gone(cm_server *s);

static inline void cm_server_count(cm_server *s, size_t metric, size_t label, int64_t by)
{
    cm_metric_add(s->o.shard, s->o.metrics + metric, label, 0, by);
}

#endif
