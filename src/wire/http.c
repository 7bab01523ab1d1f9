#include "wire/http_int.h"

const cm_http_limits cm_http_limits_default = {
    .head_max = 32768,
    .body_max = (size_t)32 << 20,
    .streams_max = 256,
    .resets_max = 500,
};

enum { OUT_KEPT = 4096, SPARE_MAX = 64 };

static const uint8_t preface[24] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* ---- connections -------------------------------------------------------------------------- */

cm_err cm_http_new(cm_http_conn **out, bool h2, const cm_http_limits *limits,
                   cm_http_handler handler)
{
    cm_http_conn *c;
    cm_err e = CM_OKAY;

    CM_TRY(cm_alloc(&c, sizeof *c));
    c->limits = limits ? *limits : cm_http_limits_default;
    c->handler = handler;
    c->out.max = SIZE_MAX / 2;
    c->h1.ahead.max = c->limits.head_max + c->limits.body_max;
    if (h2)
        e = cm_h2_init(c);
    if (cm_failed(e)) {
        cm_http_free(c);
        return e;
    }
    *out = c;
    return CM_OKAY;
}

static void free_spare(cm_http_conn *c)
{
    for (struct cm_hreq *q; (q = c->spare);) {
        c->spare = q->next;
        cm_buf_free(&q->head);
        cm_buf_free(&q->body);
        cm_buf_free(&q->out);
        cm_buf_free(&q->trailers);
        cm_free(q->fields);
        cm_free(q->held);
        cm_free(q);
    }
}

void cm_http_free(cm_http_conn *c)
{
    if (!c)
        return;
    while (c->live) {
        cm_hreq_cancel(c->live);
        cm_hreq_done(c->live);
    }
    if (c->ops)
        c->ops->done(c);
    free_spare(c);
    cm_buf_free(&c->out);
    cm_free(c);
}

/* Cleartext: HTTP/2 begins with its preface, which is no request of HTTP/1.1. */
static cm_err sniff(cm_http_conn *c, cm_view *bytes)
{
    size_t n = CM_MIN(sizeof preface - c->first_n, bytes->n);
    bool fits = cm_view_eq(cm_view_of(preface + c->first_n, n), cm_view_sub(*bytes, 0, n));

    if (!fits) {
        c->ops = &cm_h1_ops;
        return c->ops->feed(c, cm_view_of(preface, c->first_n));
    }
    c->first_n += n;
    *bytes = cm_view_sub(*bytes, n, bytes->n - n);
    if (c->first_n < sizeof preface)
        return CM_OKAY;
    CM_TRY(cm_h2_init(c));
    return c->ops->feed(c, CM_VIEW(preface));
}

cm_err cm_http_feed(cm_http_conn *c, cm_view bytes)
{
    CM_TRY(c->err);
    if (!c->ops)
        c->err = sniff(c, &bytes);
    if (cm_ok(c->err) && c->ops && bytes.n > 0)
        c->err = c->ops->feed(c, bytes);
    return c->err;
}

bool cm_http_wants(const cm_http_conn *c)
{
    return cm_ok(c->err) && (!c->ops || c->ops->wants(c));
}

cm_view cm_http_pending(cm_http_conn *c)
{
    if (c->ops)
        c->ops->fill(c);
    return c->out.n > c->out_at ? cm_view_sub(cm_buf_view(&c->out), c->out_at, c->out.n - c->out_at)
                                : cm_view_of(NULL, 0);
}

/* An idle connection keeps little: there may be many of them. */
void cm_http_sent(cm_http_conn *c, size_t n)
{
    if (n == 0)
        return;
    cm_wipe(c->out.p + c->out_at, n);
    c->out_at += n;
    if (c->out_at < c->out.n) {
        if (c->out_at < CM_HTTP_PENDING || c->out_at < c->out.n - c->out_at)
            return;
        memmove(c->out.p, c->out.p + c->out_at, c->out.n - c->out_at);
    }
    c->out.n -= c->out_at;
    c->out_at = 0;
    if (c->out.n == 0 && c->out.cap > OUT_KEPT && !c->live)
        cm_buf_free(&c->out);
}

void cm_http_rest(cm_http_conn *c)
{
    free_spare(c);
    c->spare_n = 0;
    if (c->out.n == 0)
        cm_buf_free(&c->out);
}

void cm_http_drain(cm_http_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->ops)
        c->ops->drain(c);
}

bool cm_http_over(const cm_http_conn *c)
{
    if (c->out.n > c->out_at)
        return false;
    if (!c->ops)
        return c->closing || cm_failed(c->err);
    return c->ops->over(c);
}

bool cm_http_receiving(const cm_http_conn *c)
{
    if (!c->ops)
        return c->first_n > 0;
    return c->arriving > 0 || c->ops->partial(c);
}

unsigned cm_http_busy(const cm_http_conn *c)
{
    return c->busy;
}

bool cm_http_is_h2(const cm_http_conn *c)
{
    return c->ops == &cm_h2_ops;
}

void cm_http_clock(cm_http_conn *c, uint64_t now_ms)
{
    c->now = now_ms;
    if (c->ops)
        c->ops->clock(c);
}

/* ---- requests ----------------------------------------------------------------------------- */

static void link_in(struct cm_hreq *q, cm_http_conn *c)
{
    q->prev = NULL;
    q->next = c->live;
    if (c->live)
        c->live->prev = q;
    c->live = q;
    c->live_n++;
}

cm_err cm_hreq_new(struct cm_hreq **out, cm_http_conn *c)
{
    struct cm_hreq *q = c->spare;

    if (q) {
        c->spare = q->next;
        c->spare_n--;
    } else {
        CM_TRY(cm_alloc(&q, sizeof *q));
        q->head.max = c->limits.head_max;
        q->body.max = c->limits.body_max;
        q->out.max = q->trailers.max = SIZE_MAX / 2;
    }
    q->r.conn = c;
    q->arriving = true;
    c->arriving++;
    link_in(q, c);
    *out = q;
    return CM_OKAY;
}

/* Small buffers are kept for the next request, wiped; large ones are given back. */
static void empty(cm_buf *b)
{
    if (b->cap > OUT_KEPT) {
        cm_buf_free(b);
        return;
    }
    cm_wipe(b->p, b->cap);
    b->n = 0;
}

static void unlink_from(struct cm_hreq *q, cm_http_conn *c)
{
    if (q->prev)
        q->prev->next = q->next;
    else
        c->live = q->next;
    if (q->next)
        q->next->prev = q->prev;
    c->live_n--;
}

static void arrived(struct cm_hreq *q)
{
    q->r.conn->arriving -= q->arriving;
    q->arriving = false;
}

void cm_hreq_done(struct cm_hreq *q)
{
    cm_http_conn *c = q->r.conn;
    struct cm_hreq kept;

    if (q->beginning) {
        q->gone = true;
        return;
    }
    arrived(q);
    unlink_from(q, c);
    for (size_t i = 0; i < q->held_n; i++)
        nghttp2_rcbuf_decref(q->held[i]);
    c->buffered -= q->body.n;
    empty(&q->head);
    empty(&q->body);
    empty(&q->out);
    empty(&q->trailers);
    kept = (struct cm_hreq){.fields = q->fields,
                            .fields_cap = q->fields_cap,
                            .held_cap = q->held_cap,
                            .held = q->held,
                            .head = q->head,
                            .body = q->body,
                            .out = q->out,
                            .trailers = q->trailers};
    *q = kept;
    q->next = c->spare;
    c->spare = q;
    if (c->spare_n++ >= SPARE_MAX) {
        c->spare = q->next;
        c->spare_n--;
        q->next = NULL;
        cm_buf_free(&q->head);
        cm_buf_free(&q->body);
        cm_buf_free(&q->out);
        cm_buf_free(&q->trailers);
        cm_free(q->fields);
        cm_free(q->held);
        cm_free(q);
    }
}

/* Few requests have many fields, and idle connections keep a request's memory. */
cm_err cm_hreq_room(void *array, size_t *cap, size_t n, size_t size, size_t max)
{
    void *old, *fresh;

    if (n < *cap)
        return CM_OKAY;
    if (n == max)
        return CM_FAIL(HTTP_HEAD_LIMIT);
    memcpy(&old, array, sizeof old);
    CM_TRY(cm_alloc_array(&fresh, *cap ? 2 * *cap : 16, size));
    if (n)
        memcpy(fresh, old, n * size);
    cm_free(old);
    memcpy(array, &fresh, sizeof fresh);
    *cap = *cap ? 2 * *cap : 16;
    return CM_OKAY;
}

cm_err cm_hreq_field(struct cm_hreq *q, cm_view name, cm_view value)
{
    CM_TRY(cm_hreq_room(&q->fields, &q->fields_cap, q->r.headers_n, sizeof *q->fields,
                        CM_HTTP_FIELDS));
    q->fields[q->r.headers_n++] = (cm_http_header){name, value};
    q->r.headers = q->fields;
    return CM_OKAY;
}

cm_err cm_hreq_body(struct cm_hreq *q, cm_view bytes)
{
    cm_http_conn *c = q->r.conn;
    cm_err e;

    if (bytes.n > 2 * c->limits.body_max - c->buffered)
        return CM_FAIL(HTTP_BODY_LIMIT);
    /* What is announced is reserved as far as it costs a liar as much as us. */
    if (q->body.n == 0 && q->has_length && q->length <= OUT_KEPT * 16)
        CM_TRY(cm_buf_reserve(&q->body, (size_t)q->length));
    e = cm_buf_append(&q->body, bytes);
    if (cm_is(e, CM_TOO_BIG))
        return CM_FAIL(HTTP_BODY_LIMIT);
    CM_TRY(e);
    c->buffered += bytes.n;
    return CM_OKAY;
}

/* ---- to the handler ----------------------------------------------------------------------- */

static bool is_grpc(cm_view type)
{
    const cm_view grpc = CM_LIT("application/grpc");
    size_t n = grpc.n;

    if (type.n < n || !cm_view_eq(cm_view_sub(type, 0, n), grpc))
        return false;
    return type.n == n || type.p[n] == '+' || type.p[n] == ';' || type.p[n] == ' ';
}

void cm_hreq_head(struct cm_hreq *q)
{
    cm_view v;

    q->head_only = cm_view_eq(q->r.method, CM_LIT("HEAD"));
    if (cm_http_header_of(&q->r, "content-type", &v))
        q->r.grpc = is_grpc(v);
    if (cm_http_header_of(&q->r, "expect", &v))
        q->expects = cm_http_same_nocase(v, "100-continue");
}

static void give(struct cm_hreq *q)
{
    q->given = true;
    q->r.conn->busy++;
}

/* The handler may end it in any of these calls: given tells. */
void cm_hreq_begin(struct cm_hreq *q)
{
    const cm_http_handler *h = &q->r.conn->handler;
    bool takes;

    if (!h->begins)
        return;
    give(q);
    q->beginning = true;
    takes = h->begins(h->self, &q->r);
    q->beginning = false;
    if (q->gone) {
        cm_hreq_done(q);
    } else if (takes) {
        q->pieces = true;
        arrived(q);
    } else if (q->given) {
        q->given = false;
        q->r.conn->busy--;
    }
}

void cm_hreq_piece(struct cm_hreq *q, cm_view bytes, bool last)
{
    const cm_http_handler *h = &q->r.conn->handler;

    if (q->given)
        h->piece(h->self, &q->r, bytes, last);
}

void cm_hreq_whole(struct cm_hreq *q)
{
    const cm_http_handler *h = &q->r.conn->handler;

    q->whole = true;
    arrived(q);
    if (q->ended)
        return;
    if (q->pieces) {
        cm_hreq_piece(q, cm_view_of(NULL, 0), true);
        return;
    }
    q->r.body = cm_buf_view(&q->body);
    give(q);
    h->request(h->self, &q->r);
}

void cm_hreq_cancel(struct cm_hreq *q)
{
    const cm_http_handler *h = &q->r.conn->handler;

    if (!q->given)
        return;
    cm_hreq_ended(q);
    if (h->cancelled)
        h->cancelled(h->self, &q->r);
}

void cm_hreq_ended(struct cm_hreq *q)
{
    q->ended = true;
    if (q->given) {
        q->given = false;
        q->r.conn->busy--;
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static struct cm_hreq *own(cm_http_request *r)
{
    return (struct cm_hreq *)r;
}

static cm_err or_reset(struct cm_hreq *q, cm_err e)
{
    if (cm_failed(e))
        cm_http_reset(&q->r);
    return e;
}

cm_err cm_http_respond(cm_http_request *r, const cm_http_response *a)
{
    struct cm_hreq *q = own(r);
    cm_err e = cm_http_check(a->headers, a->headers_n, a->status);

    if (cm_ok(e))
        e = r->conn->ops->start(q, a, true);
    return or_reset(q, e);
}

cm_err cm_http_start(cm_http_request *r, const cm_http_response *head)
{
    struct cm_hreq *q = own(r);
    cm_err e = cm_http_check(head->headers, head->headers_n, head->status);

    if (cm_ok(e) && q->started)
        e = CM_FAIL(BAD_ARGUMENT);
    if (cm_ok(e))
        e = r->conn->ops->start(q, head, false);
    if (cm_ok(e))
        q->started = true;
    if (cm_ok(e) && head->body.n > 0)
        e = r->conn->ops->write(q, head->body);
    return or_reset(q, e);
}

cm_err cm_http_write(cm_http_request *r, cm_view piece)
{
    struct cm_hreq *q = own(r);
    cm_err e = q->started ? CM_OKAY : CM_FAIL(BAD_ARGUMENT);

    if (cm_ok(e) && piece.n > 0)
        e = r->conn->ops->write(q, piece);
    return or_reset(q, e);
}

cm_err cm_http_finish(cm_http_request *r, const cm_http_header *trailers, size_t n)
{
    struct cm_hreq *q = own(r);
    cm_err e = cm_http_check(trailers, n, 200);

    if (cm_ok(e) && !q->started)
        e = CM_FAIL(BAD_ARGUMENT);
    if (cm_ok(e))
        e = r->conn->ops->finish(q, trailers, n);
    return or_reset(q, e);
}

void cm_http_reset(cm_http_request *r)
{
    struct cm_hreq *q = own(r);

    cm_hreq_ended(q);
    r->conn->ops->reset(q);
}

size_t cm_http_owed(const cm_http_conn *c)
{
    size_t n = 0;

    if (cm_http_is_h2(c))
        for (const struct cm_hreq *q = c->live; q; q = q->next)
            n += q->out.n - q->out_at;
    return n;
}

size_t cm_http_backlog(const cm_http_request *r)
{
    const struct cm_hreq *q = (const struct cm_hreq *)r;
    const cm_http_conn *c = r->conn;

    return cm_http_is_h2(c) ? q->out.n - q->out_at : c->out.n - c->out_at;
}
