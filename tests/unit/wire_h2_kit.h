#ifndef WIRE_H2_KIT_H
#define WIRE_H2_KIT_H
/* HTTP/2 in raw frames: a handler, a connection, what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/http.h"
#include "wire/http_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum mode { AT_ONCE, LATER, PIECES, EARLY };

struct t {
    enum mode mode;
    cm_http_conn *c;
    cm_http_request *waiting;
    cm_buf in;   /* frames to be fed */
    cm_buf seen; /* what the handler saw */
    cm_buf sent; /* what the peer got */
    unsigned requests, cancelled;
};

/* ---- the handler -------------------------------------------------------------------------- */

static inline void say(struct t *t, cm_view v, const char *after)
{
    OK(cm_buf_append(&t->seen, v));
    OK(cm_buf_append(&t->seen, cm_view_str(after)));
}

static inline void answer(cm_http_request *r, cm_view body)
{
    const cm_http_header h = {CM_LIT("x-a"), CM_LIT("b")};

    OK(cm_http_respond(r, &(cm_http_response){200, &h, 1, body}));
}

static inline void request(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->requests++;
    t->waiting = r;
    say(t, r->method, " ");
    say(t, r->authority, " ");
    say(t, r->path, "?");
    say(t, r->query, " ");
    say(t, r->body, "\n");
    if (t->mode == AT_ONCE)
        answer(r, r->body);
}

static inline void cancelled(void *self, cm_http_request *r)
{
    struct t *t = self;

    (void)r;
    t->cancelled++;
}

static inline bool begins(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->waiting = r;
    if (t->mode == EARLY)
        answer(r, CM_LIT("early"));
    return t->mode == PIECES;
}

static inline void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    (void)r;
    say(self, v, last ? ".\n" : "");
}

static const cm_http_limits small = {
    .head_max = 2000, .body_max = 40000, .streams_max = 6, .resets_max = 10};

/* ---- frames ------------------------------------------------------------------------------- */

static inline void frame(struct t *t, unsigned type, unsigned flags, uint32_t id, cm_view payload)
{
    uint8_t head[9];

    cm_put_be32(head, (uint32_t)payload.n << 8 | type);
    head[4] = (uint8_t)flags;
    cm_put_be32(head + 5, id);
    OK(cm_buf_append(&t->in, CM_VIEW(head)));
    OK(cm_buf_append(&t->in, payload));
}

/* A literal field without indexing; n below 127 each. */
static inline void literal(cm_buf *b, cm_view name, cm_view value)
{
    OK(cm_buf_byte(b, 0));
    OK(cm_buf_byte(b, (uint8_t)name.n));
    OK(cm_buf_append(b, name));
    OK(cm_buf_byte(b, (uint8_t)value.n));
    OK(cm_buf_append(b, value));
}

/* Pairs of name and value, ended by NULL. */
static inline void headers(struct t *t, unsigned flags, uint32_t id, const char *const *pairs)
{
    cm_buf b = {.max = 1 << 16};

    for (; *pairs; pairs += 2)
        literal(&b, cm_view_str(pairs[0]), cm_view_str(pairs[1]));
    frame(t, HEADERS, flags, id, cm_buf_view(&b));
    cm_buf_free(&b);
}

#define M(method) ":method", method
#define HEAD      ":scheme", "https", ":path", "/p?q", ":authority", "h:1"
#define HDR(t, flags, id, ...) \
    headers(t, (flags) | END_HEADERS, id, (const char *const[]){__VA_ARGS__, NULL})
#define GET(t, id) HDR(t, END_STREAM, id, M("GET"), HEAD)

static inline void open_conn(struct t *t, enum mode mode)
{
    const cm_http_handler h = {
        .request = request, .cancelled = cancelled, .self = t, .begins = begins, .piece = piece};

    *t = (struct t){.mode = mode};
    t->in.max = t->seen.max = t->sent.max = 1 << 24;
    OK(cm_http_new(&t->c, false, &small, h));
    OK(cm_buf_append(&t->in, CM_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    frame(t, SETTINGS, 0, 0, CM_LIT(""));
}

static inline void close_conn(struct t *t)
{
    cm_http_free(t->c);
    cm_buf_free(&t->in);
    cm_buf_free(&t->seen);
    cm_buf_free(&t->sent);
}

static inline void collect(struct t *t)
{
    for (cm_view v; (v = cm_http_pending(t->c)).n;) {
        OK(cm_buf_append(&t->sent, v));
        cm_http_sent(t->c, v.n);
    }
}

static inline cm_err feed(struct t *t, size_t step)
{
    cm_view v = cm_buf_view(&t->in);
    cm_err e = CM_OKAY;

    for (size_t n; v.n > 0 && cm_ok(e); v = cm_view_sub(v, n, v.n - n)) {
        n = CM_MIN(step, v.n);
        e = cm_http_feed(t->c, cm_view_sub(v, 0, n));
        collect(t);
    }
    t->in.n = 0;
    return e;
}

/* The next frame in *v of what was sent; false at the end. */
struct got {
    unsigned type, flags;
    uint32_t id;
    cm_view payload;
};

static inline bool next(struct got *g, cm_view *v)
{
    size_t n;

    if (v->n < 9)
        return false;
    n = cm_get_be32(v->p) >> 8;
    *g = (struct got){v->p[3], v->p[4], cm_get_be32(v->p + 5), cm_view_sub(*v, 9, n)};
    *v = cm_view_sub(*v, 9 + n, v->n - 9 - n);
    return true;
}

/* How often a frame of the type was sent for a stream; its last payload. */
static inline unsigned count(struct t *t, unsigned type, uint32_t id, cm_view *payload)
{
    cm_view v = cm_buf_view(&t->sent);
    unsigned n = 0;
    struct got g;

    while (next(&g, &v))
        if (g.type == type && g.id == id) {
            n++;
            if (payload)
                *payload = g.payload;
        }
    return n;
}

/* The status that stream id was answered with, of the last such head; 0: none. */
static inline int status(struct t *t, uint32_t id)
{
    nghttp2_hd_inflater *hd;
    cm_view v = cm_buf_view(&t->sent);
    int found = 0;
    struct got g;

    assert_int_equal(nghttp2_hd_inflate_new(&hd), 0);
    while (next(&g, &v)) {
        while (g.type == HEADERS && g.payload.n > 0) {
            nghttp2_nv nv;
            int flags = 0;
            ssize_t n = nghttp2_hd_inflate_hd2(hd, &nv, &flags, g.payload.p, g.payload.n, 1);

            assert_true(n >= 0);
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) && g.id == id && nv.namelen == 7 &&
                memcmp(nv.name, ":status", 7) == 0)
                found = (nv.value[0] - '0') * 100 + (nv.value[1] - '0') * 10 + nv.value[2] - '0';
            g.payload = cm_view_sub(g.payload, (size_t)n, g.payload.n - (size_t)n);
            if (flags & NGHTTP2_HD_INFLATE_FINAL)
                nghttp2_hd_inflate_end_headers(hd);
        }
    }
    nghttp2_hd_inflate_del(hd);
    return found;
}

static inline void saw(struct t *t, const char *text)
{
    if (!cm_view_eq(cm_buf_view(&t->seen), cm_view_str(text)))
        fail_msg("saw\n%.*s\nnot\n%s", (int)t->seen.n, t->seen.n ? (char *)t->seen.p : "", text);
}

#endif
