#ifndef CM_WIRE_HTTP_INT_H
#define CM_WIRE_HTTP_INT_H
/*
 * What both versions of HTTP share. A connection owns its requests in a list; a request's memory is
 * used again for later ones. Everything is on the connection's thread.
 */
#include <nghttp2/nghttp2.h>

#include "wire/http.h"

enum { CM_HTTP_FIELDS = 128, CM_HTTP_ANSWER_FIELDS = 60, CM_HTTP_PENDING = 1 << 16 };

struct cm_hreq {
    cm_http_request r; /* first: the handler's pointer is ours */
    struct cm_hreq *next, *prev;
    cm_http_header *fields; /* r.headers */
    cm_buf head;            /* HTTP/1: what the views borrow from */
    nghttp2_rcbuf **held;   /* HTTP/2: the same */
    size_t held_n;
    size_t fields_cap, held_cap;
    size_t head_n; /* bytes of the head, as RFC 9113 section 6.5.2 counts them */
    cm_buf body;
    uint64_t length; /* content-length */
    bool has_length;
    bool arriving;        /* counted as such */
    bool given;           /* the handler has it and has not ended it */
    bool beginning, gone; /* begins() is being called; it was over before that returned */
    bool pieces;          /* its body goes to piece() */
    bool whole;           /* nothing more of it comes */
    bool started, ended;
    bool too_long; /* HTTP/2: fields past the limit were dropped */
    bool expects;  /* 100-continue */
    bool head_only;
    int32_t id;
    cm_buf out; /* HTTP/2: of the answer's body, not framed yet */
    size_t out_at;
    cm_buf trailers; /* name NUL value NUL ... */
    size_t trailers_n;
};

struct cm_http_ops {
    cm_err (*feed)(cm_http_conn *c, cm_view bytes);
    void (*fill)(cm_http_conn *c); /* c->out with what can be sent */
    void (*drain)(cm_http_conn *c);
    bool (*over)(const cm_http_conn *c);
    bool (*wants)(const cm_http_conn *c);
    bool (*partial)(const cm_http_conn *c); /* bytes that are no request yet */
    void (*clock)(cm_http_conn *c);
    cm_err (*start)(struct cm_hreq *q, const cm_http_response *a, bool whole);
    cm_err (*write)(struct cm_hreq *q, cm_view piece);
    cm_err (*finish)(struct cm_hreq *q, const cm_http_header *trailers, size_t n);
    void (*reset)(struct cm_hreq *q);
    void (*done)(cm_http_conn *c); /* frees what is its own */
};
extern const struct cm_http_ops cm_h1_ops, cm_h2_ops;

enum cm_h1_state {
    CM_H1_HEAD,
    CM_H1_LENGTH, /* left bytes of a body */
    CM_H1_SIZE,   /* a chunk's size; left is what was read of it */
    CM_H1_EXTENSION,
    CM_H1_SIZE_LF,
    CM_H1_CHUNK, /* left bytes of it */
    CM_H1_CHUNK_CR,
    CM_H1_CHUNK_LF,
    CM_H1_TRAILERS,
    CM_H1_ANSWER, /* the request is whole; what comes waits in ahead */
    CM_H1_CLOSED,
};

struct cm_h1 {
    enum cm_h1_state state;
    struct cm_hreq *q;
    cm_buf ahead;
    size_t line;  /* where the head's last line begins */
    size_t extra; /* bytes of chunk extensions and trailers; digits of a chunk's size */
    uint64_t left;
    unsigned digits;
    bool chunked; /* the answer is */
    bool
        running; /* bytes are being taken: whoever ends an answer leaves the next request to that */
};

/* Follows the frames of what is fed, to count those that cost more than they weigh. */
struct cm_h2_scan {
    uint8_t head[9];
    size_t head_n, preface;
    uint64_t left;
    unsigned continued; /* CONTINUATION frames in a row */
    uint64_t block;     /* bytes of the header block so far */
    unsigned resets, settings, pings;
    uint64_t since;
};

struct cm_h2 {
    nghttp2_session *session;
    struct cm_h2_chunk *chunks; /* its memory */
    bool failed;                /* to get memory: the session is not to be used */
    struct cm_hreq *reading;    /* its header block is being decoded */
    struct cm_h2_scan scan;
    uint64_t noticed; /* when the first GOAWAY went; 0: not yet */
    bool draining, said_last;
};

struct cm_http_conn {
    const struct cm_http_ops *ops; /* NULL: not known yet */
    cm_http_limits limits;
    cm_http_handler handler;
    cm_err err; /* for good */
    cm_buf out;
    size_t out_at;
    uint64_t now;
    struct cm_hreq *live, *spare;
    unsigned live_n, spare_n, busy, arriving;
    size_t buffered; /* bytes of bodies */
    bool closing;    /* drain */
    uint8_t first[24];
    size_t first_n; /* of the preface, while it may be one */
    struct cm_h1 h1;
    struct cm_h2 h2;
};

cm_err cm_h2_init(cm_http_conn *c);

/* A fresh request in the list of c; back to the spare ones, wiped. */
cm_err cm_hreq_new(struct cm_hreq **out, cm_http_conn *c);
void cm_hreq_done(struct cm_hreq *q);
/* One more field; HTTP_HEAD_LIMIT past CM_HTTP_FIELDS. */
cm_err cm_hreq_field(struct cm_hreq *q, cm_view name, cm_view value);
/* Room for one more item of size bytes in *array: 16 at first, then twice as many, up to max.
 * HTTP_HEAD_LIMIT past it. */
cm_err cm_hreq_room(void *array, size_t *cap, size_t n, size_t size, size_t max);
/* Body bytes, within the limits. HTTP_BODY_LIMIT. */
cm_err cm_hreq_body(struct cm_hreq *q, cm_view bytes);
/* Splits a target into path and query; false when it is none. */
bool cm_hreq_target(struct cm_hreq *q, cm_view target);
/* The head is whole: what both versions look at in its fields. */
void cm_hreq_head(struct cm_hreq *q);
/* To the handler. */
void cm_hreq_begin(struct cm_hreq *q);
void cm_hreq_piece(struct cm_hreq *q, cm_view bytes, bool last);
void cm_hreq_whole(struct cm_hreq *q);
void cm_hreq_cancel(struct cm_hreq *q);
/* Its handler has ended it. */
void cm_hreq_ended(struct cm_hreq *q);

bool cm_http_token(cm_view v);       /* a field name or method */
bool cm_http_value(cm_view v);       /* a field value */
bool cm_http_lower_token(cm_view v); /* a token without capitals */
bool cm_http_host(cm_view v);        /* host[:port] */
bool cm_http_same_nocase(cm_view v, const char *lower);
/* Fields of an answer, and its status. */
cm_err cm_http_check(const cm_http_header *h, size_t n, int status);
/* Status for a refusal by the connection itself. */
int cm_http_status_of(cm_err e);
const char *cm_http_phrase(int status);
/* Three digits. */
static inline void cm_http_digits(uint8_t p[3], int status)
{
    p[0] = (uint8_t)('0' + status / 100);
    p[1] = (uint8_t)('0' + status / 10 % 10);
    p[2] = (uint8_t)('0' + status % 10);
}
/* Decimal digits at the end of text; where they begin. */
size_t cm_http_decimal(uint8_t text[20], uint64_t n);

#endif
