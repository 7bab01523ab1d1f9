#ifndef CM_RUN_RESPONSE_H
#define CM_RUN_RESPONSE_H
/*
 * Reading one HTTP/1.1 answer, piece by piece, without sockets. Strict: what two programs could
 * read differently is refused (bare LF, folded lines, spaces before colons, both lengths, lengths
 * twice, chunk extensions).
 */
#include "wire/http.h"

enum {
    CM_RESPONSE_HEAD_MAX = 64 << 10,
    CM_RESPONSE_HEADERS_MAX = 64,
    CM_RESPONSE_INTERIM_MAX = 8, /* 1xx answers before the real one */
};

typedef struct {
    int status;
    cm_buf head; /* what headers borrow from */
    cm_http_header headers[CM_RESPONSE_HEADERS_MAX];
    size_t headers_n;
    cm_buf body;
} cm_response;
void cm_response_free(cm_response *r);
/** The first header of that name (lower case); false when absent. */
bool cm_response_header(const cm_response *r, const char *name, cm_view *value);

typedef enum {
    CM_READ_HEAD,
    CM_READ_SIZED, /* Content-Length */
    CM_READ_UNTIL_END,
    CM_READ_CHUNK_SIZE,
    CM_READ_CHUNK,
    CM_READ_CHUNK_END,
    CM_READ_TRAILER,
    CM_READ_DONE,
} cm_reading;

typedef struct {
    cm_response *out;
    cm_reading state;
    bool head_request; /* the answer to HEAD has no body */
    bool keep_alive;   /* once DONE: the connection is good for more */
    unsigned interim;
    uint64_t left;
    size_t line_n, trailer_n;
    char line[20]; /* of a chunk's size */
    /** Where the body of a 2xx answer goes; NULL: into out->body. */
    cm_err (*sink)(void *arg, cm_view piece);
    void *sink_arg;
} cm_response_reader;

/** out is emptied; its buffers' max say how much they take. */
void cm_response_begin(cm_response_reader *r, cm_response *out, bool head_request);
/** Takes what belongs to this answer: *used bytes of v, all of it unless DONE. CLIENT_RESPONSE;
 * TOO_BIG past a buffer's max; what the sink returns. */
CM_MUST cm_err cm_response_feed(cm_response_reader *r, cm_view v, size_t *used);
/** The peer has closed its side properly. CLIENT_CLOSED when something is missing. */
CM_MUST cm_err cm_response_end(cm_response_reader *r);

#endif
