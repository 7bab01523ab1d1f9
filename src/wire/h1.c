/* The connection as HTTP/1.1 (RFC 9112): taking bytes, and answering. The head is read in
 * h1_head.c. One request at a time is with the handler; what a client sends ahead waits. */
#include "wire/h1_int.h"

enum { EXTRA_MAX = 4096, AHEAD_WANTED = 65536, SIZE_DIGITS = 8 };

/* ---- ends --------------------------------------------------------------------------------- */

static cm_err put(cm_http_conn *c, cm_view v)
{
    return cm_buf_append(&c->out, v);
}

static cm_err put_decimal(cm_http_conn *c, uint64_t n)
{
    uint8_t text[20];
    size_t at = cm_http_decimal(text, n);

    return put(c, cm_view_of(text + at, sizeof text - at));
}

static cm_err put_status(cm_http_conn *c, int status)
{
    uint8_t line[] = "HTTP/1.1 000 ";

    cm_http_digits(line + 9, status);
    CM_TRY(put(c, cm_view_of(line, sizeof line - 1)));
    CM_TRY(put(c, cm_view_str(cm_http_phrase(status))));
    return put(c, CM_LIT("\r\n"));
}

static void close_down(cm_http_conn *c)
{
    c->h1.state = CM_H1_CLOSED;
    if (c->h1.q) {
        cm_hreq_cancel(c->h1.q);
        cm_hreq_done(c->h1.q);
        c->h1.q = NULL;
    }
    cm_buf_free(&c->h1.ahead);
}

static cm_err put_refusal(cm_http_conn *c, cm_err e)
{
    static const char before[] = "{\"error\":{\"reason\":\"", middle[] = "\",\"message\":\"",
                      after[] = "\"}}";
    const char *name = cm_err_name(e), *what = cm_err_what(e);

    CM_TRY(put_status(c, cm_http_status_of(e)));
    CM_TRY(put(c, CM_LIT("content-type: application/json\r\nconnection: close\r\n"
                         "content-length: ")));
    CM_TRY(put_decimal(c, sizeof before + sizeof middle + sizeof after - 3 + strlen(name) +
                              strlen(what)));
    CM_TRY(put(c, CM_LIT("\r\n\r\n")));
    CM_TRY(put(c, cm_view_str(before)));
    CM_TRY(put(c, cm_view_str(name)));
    CM_TRY(put(c, cm_view_str(middle)));
    CM_TRY(put(c, cm_view_str(what)));
    return put(c, cm_view_str(after));
}

/* The last thing the peer hears. It is no answer to anything when one has begun. */
static cm_err refuse(cm_http_conn *c, cm_err e)
{
    size_t before = c->out.n;

    if (c->h1.state == CM_H1_CLOSED)
        return e;
    if (!(c->h1.q && c->h1.q->started) && cm_failed(put_refusal(c, e)))
        c->out.n = before;
    close_down(c);
    return e;
}

/* ---- taking bytes ------------------------------------------------------------------------- */

/* The request is whole. It may be answered before this returns. */
static void whole(cm_http_conn *c)
{
    c->h1.state = CM_H1_ANSWER;
    cm_hreq_whole(c->h1.q);
}

static cm_err begin_body(cm_http_conn *c)
{
    struct cm_hreq *q = c->h1.q;
    bool none = c->h1.left == 0 && c->h1.state == CM_H1_LENGTH;

    q->whole = none;
    cm_hreq_begin(q);
    if (c->h1.q != q)
        return CM_OKAY;
    if (none) {
        whole(c);
        return CM_OKAY;
    }
    if (!q->pieces && q->length > c->limits.body_max)
        return CM_FAIL(HTTP_BODY_LIMIT);
    return q->expects ? put(c, CM_LIT("HTTP/1.1 100 Continue\r\n\r\n")) : CM_OKAY;
}

static cm_err head_done(cm_http_conn *c)
{
    struct cm_hreq *q = c->h1.q;
    bool chunked = false, closes = false;

    CM_TRY(cm_h1_parse_head(q, &chunked, &closes));
    c->closing |= closes;
    cm_hreq_head(q);
    c->h1.left = q->length;
    c->h1.extra = c->h1.digits = 0;
    c->h1.state = chunked ? CM_H1_SIZE : CM_H1_LENGTH;
    return begin_body(c);
}

static size_t take_head(cm_http_conn *c, cm_view v, cm_err *e)
{
    struct cm_h1 *h = &c->h1;
    const uint8_t *lf = memchr(v.p, '\n', v.n);
    size_t n = lf ? (size_t)(lf - v.p) + 1 : v.n;
    cm_buf *head;

    if (!h->q) {
        *e = cm_hreq_new(&h->q, c);
        if (cm_failed(*e))
            return 0;
        h->line = 0;
    }
    head = &h->q->head;
    *e = cm_buf_append(head, cm_view_sub(v, 0, n));
    if (cm_is(*e, CM_TOO_BIG))
        *e = CM_FAIL(HTTP_HEAD_LIMIT);
    /* Whatever is no HTTP at all, such as a TLS hello, is seen at its first byte. */
    if (cm_ok(*e) && head->n == n && !cm_http_token(cm_view_of(head->p, 1)))
        *e = CM_FAIL(HTTP_MALFORMED);
    if (cm_failed(*e) || !lf)
        return n;
    if (head->n < 2 || head->p[head->n - 2] != '\r') {
        *e = CM_FAIL(HTTP_MALFORMED);
        return n;
    }
    if (head->n - h->line == 2)
        *e = head_done(c);
    else
        h->line = head->n;
    return n;
}

static size_t take_left(cm_http_conn *c, cm_view v, cm_err *e)
{
    struct cm_h1 *h = &c->h1;
    size_t n = (size_t)CM_MIN((uint64_t)v.n, h->left);
    struct cm_hreq *q = h->q;

    h->left -= n;
    if (q->pieces)
        cm_hreq_piece(q, cm_view_sub(v, 0, n), false);
    else
        *e = cm_hreq_body(q, cm_view_sub(v, 0, n));
    if (cm_failed(*e) || h->q != q || h->left > 0)
        return n;
    if (h->state == CM_H1_CHUNK)
        h->state = CM_H1_CHUNK_CR;
    else
        whole(c);
    return n;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static cm_err take_size(cm_http_conn *c, uint8_t b)
{
    struct cm_h1 *h = &c->h1;
    int d = hex_digit(b);

    if (d >= 0) {
        if (h->digits++ == SIZE_DIGITS)
            return CM_FAIL(HTTP_MALFORMED);
        h->left = h->left << 4 | (unsigned)d;
        return CM_OKAY;
    }
    if (h->digits == 0 || (b != '\r' && b != ';'))
        return CM_FAIL(HTTP_MALFORMED);
    h->state = b == ';' ? CM_H1_EXTENSION : CM_H1_SIZE_LF;
    return CM_OKAY;
}

/* Ignored as RFC 9112 section 7.1.1 asks, but counted. */
static cm_err take_extension(cm_http_conn *c, uint8_t b)
{
    struct cm_h1 *h = &c->h1;

    if (b == '\r') {
        h->state = CM_H1_SIZE_LF;
        return CM_OKAY;
    }
    if (h->extra++ == EXTRA_MAX)
        return CM_FAIL(HTTP_HEAD_LIMIT);
    return cm_http_value(cm_view_of(&b, 1)) ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
}

/* Field lines behind the last chunk: their form is checked, what they say is ignored. extra counts
 * all of it, line is where in it a line begins. */
static cm_err take_trailer(cm_http_conn *c, uint8_t b)
{
    struct cm_h1 *h = &c->h1;
    cm_buf *line = &h->q->trailers;

    if (h->extra++ == EXTRA_MAX)
        return CM_FAIL(HTTP_HEAD_LIMIT);
    CM_TRY(cm_buf_byte(line, b));
    if (b != '\n')
        return CM_OKAY;
    if (line->n < 2 || line->p[line->n - 2] != '\r')
        return CM_FAIL(HTTP_MALFORMED);
    if (line->n == 2) {
        line->n = 0;
        whole(c);
        return CM_OKAY;
    }
    CM_TRY(cm_h1_check_field(cm_view_of(line->p, line->n - 2)));
    line->n = 0;
    return CM_OKAY;
}

static cm_err take_chunk_size_lf(cm_http_conn *c)
{
    struct cm_h1 *h = &c->h1;
    struct cm_hreq *q = h->q;

    h->state = h->left ? CM_H1_CHUNK : CM_H1_TRAILERS;
    if (!q->pieces && h->left > c->limits.body_max - q->body.n)
        return CM_FAIL(HTTP_BODY_LIMIT);
    return CM_OKAY;
}

static cm_err take_byte(cm_http_conn *c, uint8_t b)
{
    struct cm_h1 *h = &c->h1;

    switch (h->state) {
    case CM_H1_SIZE:
        return take_size(c, b);
    case CM_H1_EXTENSION:
        return take_extension(c, b);
    case CM_H1_SIZE_LF:
        return b == '\n' ? take_chunk_size_lf(c) : CM_FAIL(HTTP_MALFORMED);
    case CM_H1_CHUNK_CR:
        h->state = CM_H1_CHUNK_LF;
        return b == '\r' ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
    case CM_H1_CHUNK_LF:
        h->state = CM_H1_SIZE;
        h->left = h->digits = 0;
        return b == '\n' ? CM_OKAY : CM_FAIL(HTTP_MALFORMED);
    default:
        return take_trailer(c, b);
    }
}

/* Some of v, at least a byte. */
static size_t take(cm_http_conn *c, cm_view v, cm_err *e)
{
    switch (c->h1.state) {
    case CM_H1_HEAD:
        return take_head(c, v, e);
    case CM_H1_LENGTH:
    case CM_H1_CHUNK:
        return take_left(c, v, e);
    default:
        *e = take_byte(c, v.p[0]);
        return 1;
    }
}

static cm_err run(cm_http_conn *c, cm_view *v)
{
    cm_err e = CM_OKAY;

    while (v->n > 0 && c->h1.state < CM_H1_ANSWER && cm_ok(e)) {
        size_t n = take(c, *v, &e);

        *v = cm_view_sub(*v, n, v->n - n);
    }
    return cm_ok(e) ? e : refuse(c, e);
}

/* What came ahead, now that the answer before it is done. */
static void run_ahead(cm_http_conn *c)
{
    struct cm_h1 *h = &c->h1;
    CM_AUTO(cm_buf_free) cm_buf ahead = {0};
    cm_view v;

    while (h->ahead.n > 0 && h->state < CM_H1_ANSWER && cm_ok(c->err)) {
        cm_buf_free(&ahead);
        ahead = cm_buf_take(&h->ahead);
        v = cm_buf_view(&ahead);
        c->err = run(c, &v);
        if (cm_ok(c->err) && v.n > 0 && h->state == CM_H1_ANSWER)
            c->err = cm_buf_append(&h->ahead, v);
    }
}

static cm_err feed(cm_http_conn *c, cm_view v)
{
    struct cm_h1 *h = &c->h1;
    cm_err e = CM_OKAY;

    h->running = true;
    if (h->ahead.n == 0)
        e = run(c, &v);
    if (cm_ok(e) && v.n > 0 && h->state == CM_H1_ANSWER) {
        e = cm_buf_append(&h->ahead, v);
        if (cm_is(e, CM_TOO_BIG))
            e = refuse(c, CM_FAIL(HTTP_PIPELINE));
    }
    h->running = false;
    return e;
}

/* ---- answering ---------------------------------------------------------------------------- */

static cm_err put_field(cm_http_conn *c, const cm_http_header *f)
{
    CM_TRY(put(c, f->name));
    CM_TRY(put(c, CM_LIT(": ")));
    CM_TRY(put(c, f->value));
    return put(c, CM_LIT("\r\n"));
}

static bool bodiless(int status)
{
    return status == 204 || status == 304;
}

static cm_err put_head(struct cm_hreq *q, const cm_http_response *a, bool all)
{
    cm_http_conn *c = q->r.conn;

    CM_TRY(put_status(c, a->status));
    for (size_t i = 0; i < a->headers_n; i++)
        CM_TRY(put_field(c, &a->headers[i]));
    /* What is left of a request that is answered early can't be told from the next one. */
    if (c->closing || !q->whole)
        CM_TRY(put(c, CM_LIT("connection: close\r\n")));
    if (!bodiless(a->status) && all) {
        CM_TRY(put(c, CM_LIT("content-length: ")));
        CM_TRY(put_decimal(c, a->body.n));
        CM_TRY(put(c, CM_LIT("\r\n")));
    }
    c->h1.chunked = !bodiless(a->status) && !all && !q->head_only;
    if (!bodiless(a->status) && !all)
        CM_TRY(put(c, CM_LIT("transfer-encoding: chunked\r\n")));
    return put(c, CM_LIT("\r\n"));
}

/* The answer is complete: on to the next request, or to the end. */
static void next(struct cm_hreq *q)
{
    cm_http_conn *c = q->r.conn;
    struct cm_h1 *h = &c->h1;
    bool all = q->whole;

    cm_hreq_ended(q);
    if (c->closing || !all) {
        close_down(c);
        return;
    }
    cm_hreq_done(q);
    h->q = NULL;
    h->state = CM_H1_HEAD;
    if (h->running)
        return;
    h->running = true;
    run_ahead(c);
    h->running = false;
}

static cm_err start(struct cm_hreq *q, const cm_http_response *a, bool all)
{
    cm_http_conn *c = q->r.conn;
    size_t before = c->out.n;
    cm_err e = put_head(q, a, all);

    if (cm_ok(e) && all && !q->head_only && !bodiless(a->status))
        e = put(c, a->body);
    if (cm_failed(e)) {
        c->out.n = before;
        return e;
    }
    if (all)
        next(q);
    return CM_OKAY;
}

static cm_err write_piece(struct cm_hreq *q, cm_view v)
{
    cm_http_conn *c = q->r.conn;
    uint8_t size[18];
    size_t at = 16;

    if (!c->h1.chunked)
        return CM_OKAY;
    CM_TRY(cm_buf_reserve(&c->out, v.n + sizeof size + 2));
    size[16] = '\r';
    size[17] = '\n';
    for (uint64_t n = v.n; n; n >>= 4)
        size[--at] = (uint8_t) "0123456789abcdef"[n & 15];
    CM_TRY(put(c, cm_view_of(size + at, sizeof size - at)));
    CM_TRY(put(c, v));
    return put(c, CM_LIT("\r\n"));
}

static cm_err finish(struct cm_hreq *q, const cm_http_header *trailers, size_t n)
{
    cm_http_conn *c = q->r.conn;

    if (c->h1.chunked) {
        CM_TRY(put(c, CM_LIT("0\r\n")));
        for (size_t i = 0; i < n; i++)
            CM_TRY(put_field(c, &trailers[i]));
        CM_TRY(put(c, CM_LIT("\r\n")));
    }
    next(q);
    return CM_OKAY;
}

static void reset(struct cm_hreq *q)
{
    close_down(q->r.conn);
}

static void fill(cm_http_conn *c)
{
    (void)c;
}

static void drain(cm_http_conn *c)
{
    (void)c;
}

static void ticked(cm_http_conn *c)
{
    (void)c;
}

/* A request that has begun to come is still taken. */
static bool over(const cm_http_conn *c)
{
    return c->h1.state == CM_H1_CLOSED || (c->closing && !c->h1.q);
}

static bool wants(const cm_http_conn *c)
{
    return c->h1.state != CM_H1_CLOSED && c->h1.ahead.n < AHEAD_WANTED;
}

/* A request counts from its first byte. */
static bool partial(const cm_http_conn *c)
{
    (void)c;
    return false;
}

static void done(cm_http_conn *c)
{
    cm_buf_free(&c->h1.ahead);
}

const struct cm_http_ops cm_h1_ops = {feed,   fill,  drain,       over,   wants, partial,
                                      ticked, start, write_piece, finish, reset, done};
