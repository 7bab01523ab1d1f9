#ifndef CM_WIRE_GRPC_H
#define CM_WIRE_GRPC_H
/*
 * gRPC over cm_http: messages in their five-byte frames, status in trailers, deadlines, and the two
 * services that every client's tools expect, health and reflection, answered from the tables of
 * messages and methods.
 *
 * Compression is refused: lengths of compressed secrets tell about them. Threads: a call and a
 * cm_grpc_std belong to one connection's thread; tables are shared and immutable.
 */
#include "wire/http.h"
#include "wire/msg.h"

/* ---- tables ------------------------------------------------------------------------------- */

typedef struct {
    const char *service;       /* "Kms", without its package */
    const char *method;        /* "Sign" */
    const cm_message *request; /* NULL: a message without fields */
    const cm_message *answer;  /* the same */
    bool client_streaming;     /* many requests */
    bool streaming;            /* many answers */
    const char *doc;
} cm_grpc_method;

/** One .proto file. */
typedef struct {
    const char *file;    /* "casemate/kms/v1/kms.proto" */
    const char *package; /* "casemate.kms.v1" */
    const cm_grpc_method *methods;
    size_t n;
} cm_grpc_table;

/** The method that a path such as "/casemate.kms.v1.Kms/Sign" names, or NULL. */
const cm_grpc_method *cm_grpc_find(const cm_grpc_table *t, cm_view path);
/** The table as a .proto file, and as protobuf's FileDescriptorProto. MSG_LIMIT past 256 messages;
 * two of one name are BAD_ARGUMENT. */
CM_MUST cm_err cm_grpc_describe_proto(cm_buf *out, const cm_grpc_table *t);
CM_MUST cm_err cm_grpc_descriptor(cm_buf *out, const cm_grpc_table *t);

/* ---- requests ----------------------------------------------------------------------------- */

/** The one message of a unary request's body; borrows from it. GRPC_FRAME, GRPC_COMPRESSED,
 * GRPC_TOO_LONG past max. */
CM_MUST cm_err cm_grpc_unary(cm_view *message, const cm_http_request *r, size_t max);

/** Messages out of pieces. Begin with {.max = bytes of one message}. */
typedef struct {
    size_t max;
    cm_buf in;
    size_t at;
} cm_grpc_reader;
CM_MUST cm_err cm_grpc_push(cm_grpc_reader *g, cm_view piece);
/** *got false: more is needed. The message lives until the next push. GRPC_COMPRESSED,
 * GRPC_TOO_LONG. */
CM_MUST cm_err cm_grpc_next(cm_grpc_reader *g, cm_view *message, bool *got);
/** GRPC_FRAME when a message has begun and not ended. */
CM_MUST cm_err cm_grpc_last(const cm_grpc_reader *g);
void cm_grpc_reader_done(cm_grpc_reader *g); /* wipes */

/** grpc-timeout in milliseconds, rounded up; *given false without one. GRPC_TIMEOUT. */
CM_MUST cm_err cm_grpc_timeout(const cm_http_request *r, uint64_t *ms, bool *given);
/** Metadata "NAME-bin", decoded (base64, with padding or without). *given false when absent.
 * BASE64_MALFORMED. */
CM_MUST cm_err cm_grpc_metadata_bin(const cm_http_request *r, const char *name, cm_buf *out,
                                    bool *given);

/* ---- answers ------------------------------------------------------------------------------ */
/* As cm_http_respond() and the like: r is gone after answer, end and fail, also on an error. */

/** One message, status OK. */
CM_MUST cm_err cm_grpc_answer(cm_http_request *r, cm_view message, const cm_http_header *metadata,
                              size_t n);
/** Many: begin, send as often as wanted (mind cm_http_backlog()), end. */
CM_MUST cm_err cm_grpc_begin(cm_http_request *r, const cm_http_header *metadata, size_t n);
CM_MUST cm_err cm_grpc_send(cm_http_request *r, cm_view message);
/** e: CM_OKAY, or why it stops. text NULL: what e says. */
CM_MUST cm_err cm_grpc_end(cm_http_request *r, cm_err e, const char *text);
/** Nothing was begun: the error is all of the answer. Metadata such as retry-after goes along. */
CM_MUST cm_err cm_grpc_fail(cm_http_request *r, cm_err e, const char *text,
                            const cm_http_header *metadata, size_t n);

/** The path names no method here: UNIMPLEMENTED. */
CM_MUST cm_err cm_grpc_unknown(cm_http_request *r);

/* ---- health and reflection ---------------------------------------------------------------- */

typedef struct cm_grpc_std cm_grpc_std;
/** t is borrowed. All its services are not serving at first; "" stands for all of them. */
CM_MUST cm_err cm_grpc_std_new(cm_grpc_std **out, const cm_grpc_table *t);
/** Before the connections whose calls it holds are freed, or after: either is fine once
 * cm_grpc_std_cancelled() was told of each. */
void cm_grpc_std_free(cm_grpc_std *s);
void cm_grpc_std_free_ptr(cm_grpc_std **s);
/** Health of everything. Those who watch are told: told(), unless NULL, is called for each that has
 * something to be sent now. r->user is never touched here. */
void cm_grpc_std_serving(cm_grpc_std *s, bool serving, void (*told)(void *self, cm_http_request *r),
                         void *self);
/** For cm_http_handler's begins(): true when the request is one of these services'. Its pieces and
 * its cancellation then go to the functions below. */
bool cm_grpc_std_begins(cm_grpc_std *s, cm_http_request *r);
void cm_grpc_std_piece(cm_grpc_std *s, cm_http_request *r, cm_view piece, bool last);
/** False when it is none of its. */
bool cm_grpc_std_cancelled(cm_grpc_std *s, cm_http_request *r);
/** Whether r was taken by cm_grpc_std_begins() and is not answered yet. */
bool cm_grpc_std_has(const cm_grpc_std *s, const cm_http_request *r);

#endif
