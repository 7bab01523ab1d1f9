#ifndef CM_KMSD_EXCHANGE_H
#define CM_KMSD_EXCHANGE_H
/* A request under way. It belongs to its reactor; the call inside it may be on another thread. */
#include "kmsd.h"

struct exchange {
    cm_loop_task task; /* first: brings it home */
    cm_call call;
    reactor *r;
    cm_conn *conn;         /* NULL once the peer has gone */
    cm_http_request *http; /* the same */
    cm_http_request copy;
    cm_arena *arena;
    uint64_t start_ns;
    cm_trace_context parent;
    bool grpc, started; /* started: the head of a stream is out */
    cm_timer pause;     /* of a stream, until more is asked for */
    struct exchange *next;
};

/* HTTP status of an error. */
int cm_kmsd_status(cm_err e);
/* Answer a request that no call was begun for, in its own protocol. */
void cm_kmsd_refuse(reactor *re, cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                    uint32_t retry_ms);

/* ---- rcar.c ---- */
bool cm_kmsd_is_rcar(cm_view path);
CM_MUST cm_err cm_kmsd_rcar_fill(struct exchange *x, char detail[160]);
void cm_kmsd_rcar_answer(struct exchange *x);
void cm_kmsd_rcar_refuse(cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                         uint32_t retry_ms);

/* ---- grpc.c ---- */
CM_MUST cm_err cm_kmsd_grpc_prepare(struct exchange *x, char detail[160]);
/* The last, or only, message and the status. */
void cm_kmsd_grpc_answer(struct exchange *x);
/* One message of a stream, in either protocol; then the call goes on. */
void cm_kmsd_stream_piece(struct exchange *x);
void cm_kmsd_stream_cancelled(struct exchange *x);
/* exchange.c: one as a line of JSON. */
CM_MUST cm_err cm_kmsd_rest_piece(struct exchange *x);

#endif
