/* The connection as HTTP/2: nghttp2 with limits around it. Frames are counted in h2_scan.c before
 * nghttp2 sees them. */
#include "wire/h2_int.h"

enum { WINDOW = 1 << 18, CONN_WINDOW = 1 << 20, DRAIN_MS = 5000 };

/* ---- ends --------------------------------------------------------------------------------- */

static cm_err out_of(int rv)
{
    if (rv == 0)
        return CM_OKAY;
    return rv == NGHTTP2_ERR_NOMEM ? CM_FAIL(NO_MEMORY) : CM_FAIL(HTTP_H2);
}

/* A few words from us. The handler is not asked. */
static int refuse(cm_http_conn *c, struct cm_hreq *q, int status)
{
    uint8_t digits[3];
    nghttp2_nv nv = {.name = (uint8_t[]){":status"}, .value = digits, .namelen = 7, .valuelen = 3};

    cm_http_digits(digits, status);
    cm_hreq_cancel(q);
    cm_hreq_ended(q);
    return nghttp2_submit_response(c->h2.session, q->id, &nv, 1, NULL);
}

static void reset_stream(struct cm_hreq *q, uint32_t code)
{
    cm_http_conn *c = q->r.conn;

    if (c->h2.failed ||
        nghttp2_submit_rst_stream(c->h2.session, NGHTTP2_FLAG_NONE, q->id, code) != 0)
        c->err = CM_FAIL(NO_MEMORY);
}

/* ---- what nghttp2 tells ------------------------------------------------------------------- */

static struct cm_hreq *request_of(nghttp2_session *s, int32_t id)
{
    return nghttp2_session_get_stream_user_data(s, id);
}

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    cm_http_conn *c = user;
    struct cm_hreq *q;

    c->h2.reading = request_of(s, f->hd.stream_id);
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (cm_failed(cm_hreq_new(&q, c)))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    q->id = f->hd.stream_id;
    c->h2.reading = q;
    return nghttp2_session_set_stream_user_data(s, q->id, q) == 0 ? 0
                                                                  : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static cm_view view_of(nghttp2_rcbuf *b)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

    return cm_view_of(v.base, v.len);
}

static cm_err hold(struct cm_hreq *q, nghttp2_rcbuf *b)
{
    CM_TRY(cm_hreq_room(&q->held, &q->held_cap, q->held_n, sizeof(nghttp2_rcbuf *),
                        (size_t)2 * CM_HTTP_FIELDS));
    nghttp2_rcbuf_incref(b);
    q->held[q->held_n++] = b;
    return CM_OKAY;
}

/* nghttp2 has seen to it that there is one of each, before all other fields. */
static bool take_pseudo(struct cm_hreq *q, cm_view name, cm_view value)
{
    if (cm_view_eq(name, CM_LIT(":method")))
        q->r.method = value;
    else if (cm_view_eq(name, CM_LIT(":scheme")))
        q->r.scheme = value;
    else if (cm_view_eq(name, CM_LIT(":authority")))
        q->r.authority = value;
    else if (cm_view_eq(name, CM_LIT(":path")))
        q->r.path = value;
    else
        return false;
    return true;
}

static cm_err take_field(struct cm_hreq *q, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    cm_view n = view_of(name), v = view_of(value);

    q->head_n += n.n + v.n + 32;
    if (q->head_n > q->r.conn->limits.head_max)
        return CM_FAIL(HTTP_HEAD_LIMIT);
    CM_TRY(hold(q, value));
    if (n.n > 0 && n.p[0] == ':')
        return take_pseudo(q, n, v) ? CM_OKAY : CM_FAIL(HTTP_H2);
    CM_TRY(hold(q, name));
    return cm_hreq_field(q, n, v);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    cm_http_conn *c = user;
    struct cm_hreq *q = c->h2.reading;
    cm_err e;

    (void)s;
    (void)flags;
    /* Trailers say nothing to us. */
    if (!q || f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST ||
        q->too_long)
        return 0;
    e = take_field(q, name, value);
    if (cm_is(e, CM_HTTP_HEAD_LIMIT)) {
        q->too_long = true;
        return 0;
    }
    return cm_ok(e) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* nghttp2 would skip a field that HTTP does not allow; the request shall fail. */
static int on_invalid_header(nghttp2_session *s, const nghttp2_frame *f, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    (void)s;
    (void)f;
    (void)name;
    (void)value;
    (void)flags;
    (void)user;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool read_length(struct cm_hreq *q)
{
    cm_view v;

    q->has_length = cm_http_header_of(&q->r, "content-length", &v);
    return !q->has_length || cm_ok(cm_dec_u64(&q->length, v));
}

/* nghttp2 checked the shape; what names a resource is checked as HTTP/1.1's is. 0, or a status. */
static int bad_head(struct cm_hreq *q)
{
    cm_view host;
    bool any;

    if (q->too_long)
        return 431;
    any = cm_view_eq(q->r.path, CM_LIT("*")) && cm_view_eq(q->r.method, CM_LIT("OPTIONS"));
    if (!cm_http_token(q->r.method) || q->r.method.n > 32 ||
        (!any && !cm_hreq_target(q, q->r.path)) || !read_length(q))
        return 400;
    if (cm_http_header_of(&q->r, "host", &host)) {
        if (q->r.authority.n > 0 && !cm_view_eq(q->r.authority, host))
            return 400;
        q->r.authority = host;
    }
    return cm_http_host(q->r.authority) ? 0 : 400;
}

static int send_continue(nghttp2_session *s, struct cm_hreq *q)
{
    nghttp2_nv nv = {
        .name = (uint8_t[]){":status"}, .value = (uint8_t[]){"100"}, .namelen = 7, .valuelen = 3};

    return nghttp2_submit_headers(s, NGHTTP2_FLAG_NONE, q->id, NULL, &nv, 1, NULL) < 0
               ? NGHTTP2_ERR_CALLBACK_FAILURE
               : 0;
}

static int head_done(cm_http_conn *c, struct cm_hreq *q, bool last)
{
    int bad = bad_head(q);

    q->whole = last;
    if (bad)
        return refuse(c, q, bad);
    cm_hreq_head(q);
    cm_hreq_begin(q);
    if (!q->pieces && !q->ended && q->length > c->limits.body_max)
        return refuse(c, q, 413);
    if (last)
        cm_hreq_whole(q);
    else if (q->expects && !q->ended)
        return send_continue(c->h2.session, q);
    return 0;
}

/* Step two of a drain: the peer has seen the notice, so what it sent before is here. */
static int say_last(cm_http_conn *c)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(c->h2.session);

    if (c->h2.said_last)
        return 0;
    c->h2.said_last = true;
    return nghttp2_submit_goaway(c->h2.session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    cm_http_conn *c = user;
    bool last = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct cm_hreq *q;

    if (f->hd.type == NGHTTP2_PING && (f->hd.flags & NGHTTP2_FLAG_ACK) && c->h2.draining)
        return say_last(c) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
        return 0;
    q = request_of(s, f->hd.stream_id);
    if (!q)
        return 0;
    if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
        return head_done(c, q, last) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    if (last)
        cm_hreq_whole(q);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *user)
{
    cm_http_conn *c = user;
    struct cm_hreq *q = request_of(s, id);
    cm_err e;

    (void)flags;
    if (!q || q->ended)
        return 0;
    if (q->pieces) {
        cm_hreq_piece(q, cm_view_of(p, n), false);
        return 0;
    }
    e = cm_hreq_body(q, cm_view_of(p, n));
    if (cm_is(e, CM_HTTP_BODY_LIMIT))
        return refuse(c, q, 413) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    return cm_ok(e) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
    cm_http_conn *c = user;
    struct cm_hreq *q = request_of(s, id);

    (void)code;
    if (!q)
        return 0;
    if (c->h2.reading == q)
        c->h2.reading = NULL;
    cm_hreq_cancel(q);
    cm_hreq_done(q);
    return 0;
}

/* The answer went before its request was whole: the rest is not wanted (RFC 9113 section 8.1). And
 * when nghttp2 says goodbye for a reason, it was the peer's fault. */
static int on_sent(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    cm_http_conn *c = user;
    struct cm_hreq *q;

    if (f->hd.type == NGHTTP2_GOAWAY && f->goaway.error_code != NGHTTP2_NO_ERROR && cm_ok(c->err))
        c->err = CM_FAIL(HTTP_H2);
    if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA))
        return 0;
    q = request_of(s, f->hd.stream_id);
    if (q && !q->whole)
        reset_stream(q, NGHTTP2_NO_ERROR);
    return 0;
}

/* ---- answering ---------------------------------------------------------------------------- */

static nghttp2_nv nv_of(cm_view name, cm_view value)
{
    nghttp2_nv nv = {.namelen = name.n, .valuelen = value.n};

    memcpy(&nv.name, &name.p, sizeof nv.name);
    memcpy(&nv.value, &value.p, sizeof nv.value);
    return nv;
}

static cm_view next_text(cm_view *rest)
{
    const uint8_t *nul = memchr(rest->p, 0, rest->n);
    size_t n = (size_t)(nul - rest->p);
    cm_view v = cm_view_sub(*rest, 0, n);

    *rest = cm_view_sub(*rest, n + 1, rest->n - n - 1);
    return v;
}

static int submit_trailers(struct cm_hreq *q)
{
    nghttp2_nv nv[CM_HTTP_ANSWER_FIELDS];
    cm_view rest = cm_buf_view(&q->trailers);

    for (size_t i = 0; i < q->trailers_n; i++) {
        cm_view name = next_text(&rest);

        nv[i] = nv_of(name, next_text(&rest));
    }
    return nghttp2_submit_trailer(q->r.conn->h2.session, q->id, nv, q->trailers_n);
}

static ssize_t read_answer(nghttp2_session *s, int32_t id, uint8_t *buf, size_t most,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct cm_hreq *q = source->ptr;
    size_t n = CM_MIN(most, q->out.n - q->out_at);

    (void)s;
    (void)id;
    (void)buf;
    (void)user;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == 0 && !q->ended)
        return NGHTTP2_ERR_DEFERRED;
    if (q->ended && n == q->out.n - q->out_at) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (q->trailers_n > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (submit_trailers(q) != 0)
                return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)n;
}

/* From the request's buffer to the connection's, with the frame's head before it. */
static int send_data(nghttp2_session *s, nghttp2_frame *f, const uint8_t *head, size_t n,
                     nghttp2_data_source *source, void *user)
{
    struct cm_hreq *q = source->ptr;
    cm_http_conn *c = user;

    (void)s;
    (void)f;
    if (cm_failed(cm_buf_reserve(&c->out, 9 + n)) ||
        cm_failed(cm_buf_append(&c->out, cm_view_of(head, 9))))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (n > 0 && cm_failed(cm_buf_append(&c->out, cm_view_of(q->out.p + q->out_at, n))))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    q->out_at += n;
    if (q->out_at == q->out.n)
        q->out.n = q->out_at = 0;
    return 0;
}

static cm_err start(struct cm_hreq *q, const cm_http_response *a, bool all)
{
    cm_http_conn *c = q->r.conn;
    nghttp2_nv nv[CM_HTTP_ANSWER_FIELDS + 2];
    nghttp2_data_provider body = {.source = {.ptr = q}, .read_callback = read_answer};
    uint8_t status[3], length[20];
    size_t n = 0, at;
    bool none = all && (a->body.n == 0 || q->head_only);

    if (c->h2.failed)
        return CM_FAIL(NO_MEMORY);
    cm_http_digits(status, a->status);
    nv[n++] = nv_of(CM_LIT(":status"), CM_VIEW(status));
    for (size_t i = 0; i < a->headers_n; i++)
        nv[n++] = nv_of(a->headers[i].name, a->headers[i].value);
    if (all && !q->r.grpc && a->status != 204 && a->status != 304) {
        at = cm_http_decimal(length, a->body.n);
        nv[n++] = nv_of(CM_LIT("content-length"), cm_view_of(length + at, sizeof length - at));
    }
    if (!none)
        CM_TRY(cm_buf_append(&q->out, all ? a->body : cm_view_of(NULL, 0)));
    CM_TRY(out_of(nghttp2_submit_response(c->h2.session, q->id, nv, n, none ? NULL : &body)));
    if (all)
        cm_hreq_ended(q);
    return CM_OKAY;
}

static cm_err resume(struct cm_hreq *q)
{
    cm_http_conn *c = q->r.conn;
    int rv;

    if (c->h2.failed)
        return CM_FAIL(NO_MEMORY);
    rv = nghttp2_session_resume_data(c->h2.session, q->id);

    /* Nothing was deferred: it is under way. */
    return rv == NGHTTP2_ERR_INVALID_ARGUMENT ? CM_OKAY : out_of(rv);
}

static cm_err write_piece(struct cm_hreq *q, cm_view v)
{
    if (q->head_only)
        return CM_OKAY;
    if (q->out_at >= CM_HTTP_PENDING && q->out_at >= q->out.n - q->out_at) {
        memmove(q->out.p, q->out.p + q->out_at, q->out.n - q->out_at);
        q->out.n -= q->out_at;
        q->out_at = 0;
    }
    CM_TRY(cm_buf_append(&q->out, v));
    return resume(q);
}

static cm_err finish(struct cm_hreq *q, const cm_http_header *trailers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_buf_append(&q->trailers, trailers[i].name));
        CM_TRY(cm_buf_byte(&q->trailers, 0));
        CM_TRY(cm_buf_append(&q->trailers, trailers[i].value));
        CM_TRY(cm_buf_byte(&q->trailers, 0));
    }
    q->trailers_n = n;
    cm_hreq_ended(q);
    return resume(q);
}

static void reset(struct cm_hreq *q)
{
    reset_stream(q, NGHTTP2_INTERNAL_ERROR);
}

/* ---- the connection ----------------------------------------------------------------------- */

static cm_err feed(cm_http_conn *c, cm_view v)
{
    ssize_t n;

    if (c->h2.failed)
        return CM_FAIL(NO_MEMORY);
    if (!cm_h2_scan(c, v)) {
        if (nghttp2_session_terminate_session(c->h2.session, NGHTTP2_ENHANCE_YOUR_CALM) != 0)
            return CM_FAIL(NO_MEMORY);
        return CM_FAIL(HTTP_FLOOD);
    }
    n = nghttp2_session_mem_recv(c->h2.session, v.p, v.n);
    if (n == NGHTTP2_ERR_FLOODED)
        return CM_FAIL(HTTP_FLOOD);
    if (n < 0)
        return n == NGHTTP2_ERR_NOMEM || n == NGHTTP2_ERR_CALLBACK_FAILURE ? CM_FAIL(NO_MEMORY)
                                                                           : CM_FAIL(HTTP_H2);
    return c->err;
}

static void fill(cm_http_conn *c)
{
    while (!c->h2.failed && c->out.n - c->out_at < CM_HTTP_PENDING) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->h2.session, &p);
        cm_err e = n < 0 ? CM_FAIL(NO_MEMORY) : cm_buf_append(&c->out, cm_view_of(p, (size_t)n));

        if (cm_failed(e))
            c->err = e;
        if (n <= 0 || cm_failed(e))
            break;
    }
}

static void drain(cm_http_conn *c)
{
    c->h2.noticed = c->now;
    c->h2.draining = true;
    if (c->h2.failed || nghttp2_submit_shutdown_notice(c->h2.session) != 0 ||
        nghttp2_submit_ping(c->h2.session, NGHTTP2_FLAG_NONE, NULL) != 0)
        c->err = CM_FAIL(NO_MEMORY);
}

static void ticked(cm_http_conn *c)
{
    if (!c->h2.failed && c->h2.draining && c->now - c->h2.noticed >= DRAIN_MS && say_last(c) != 0)
        c->err = CM_FAIL(NO_MEMORY);
}

static bool over(const cm_http_conn *c)
{
    if (c->h2.failed)
        return true;
    if (cm_failed(c->err))
        return !nghttp2_session_want_write(c->h2.session) || cm_is(c->err, CM_NO_MEMORY);
    return !nghttp2_session_want_read(c->h2.session) && !nghttp2_session_want_write(c->h2.session);
}

/* Answers wait in their streams, so only what was framed for a peer that does not read counts. */
static bool wants(const cm_http_conn *c)
{
    return c->out.n - c->out_at < (size_t)4 * CM_HTTP_PENDING;
}

static bool partial(const cm_http_conn *c)
{
    return c->h2.scan.preface < 24 || c->h2.scan.head_n > 0 || c->h2.scan.left > 0;
}

static void done(cm_http_conn *c)
{
    cm_h2_free_session(&c->h2);
}

const struct cm_http_ops cm_h2_ops = {feed,   fill,  drain,       over,   wants, partial,
                                      ticked, start, write_piece, finish, reset, done};

static int settle(nghttp2_session *s, const cm_http_limits *l)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)CM_MIN(l->head_max, (size_t)1 << 20)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int rv = nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, settings, CM_COUNT(settings));

    return rv ? rv : nghttp2_session_set_local_window_size(s, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_send_data_callback(cb, send_data);
}

static void free_callbacks(nghttp2_session_callbacks **cb)
{
    nghttp2_session_callbacks_del(*cb);
}

static void free_option(nghttp2_option **o)
{
    nghttp2_option_del(*o);
}

/* Not in every nghttp2 of our version: there where security updates brought them. Their defaults
 * are too strict: the first counts the pieces in which a frame's head arrives, the second has no
 * notion of what the operator set. Both are counted in h2_scan.c. */
extern void nghttp2_option_set_max_continuations(nghttp2_option *o, size_t n) __attribute__((weak));
extern void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option *o, uint64_t burst,
                                                       uint64_t rate) __attribute__((weak));

static void set_options(nghttp2_option *o)
{
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_outbound_ack(o, 1000);
    if (nghttp2_option_set_max_continuations)
        nghttp2_option_set_max_continuations(o, 1 << 20);
    if (nghttp2_option_set_stream_reset_rate_limit)
        nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
}

cm_err cm_h2_init(cm_http_conn *c)
{
    CM_AUTO(free_callbacks) nghttp2_session_callbacks *cb = NULL;
    CM_AUTO(free_option) nghttp2_option *o = NULL;
    nghttp2_mem mem = cm_h2_memory(&c->h2);

    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&o) != 0)
        return CM_FAIL(NO_MEMORY);
    set_callbacks(cb);
    set_options(o);
    if (nghttp2_session_server_new3(&c->h2.session, cb, c, o, &mem) != 0)
        return CM_FAIL(NO_MEMORY);
    c->ops = &cm_h2_ops;
    if (settle(c->h2.session, &c->limits) != 0)
        return CM_FAIL(NO_MEMORY);
    if (c->closing)
        drain(c);
    return c->err;
}
