/* One request, from HTTP to an operation and back. */
#include <stdio.h>

#include "base/os.h"
#include "exchange.h"

enum { SPARES = 128, ARENA = 48 << 20, ANSWER_MAX = 64 << 20, HEADERS = 4 };

/* ---- their memory -------------------------------------------------------------------------- */

static void came_back(cm_loop_task *t);
static void run_again(cm_loop_task *t);

static cm_err take(struct exchange **out, reactor *r)
{
    struct exchange *x = r->spare;
    cm_arena *arena = NULL;

    if (x) {
        r->spare = x->next;
        r->spares--;
        arena = x->arena;
    } else {
        CM_TRY(cm_arena_new(&arena, ARENA));
        if (cm_failed(cm_alloc(&x, sizeof *x))) {
            cm_arena_free(arena);
            return CM_FAIL(NO_MEMORY);
        }
    }
    *x = (struct exchange){.r = r, .arena = arena, .start_ns = cm_os_monotonic_ns()};
    r->calls++;
    *out = x;
    return CM_OKAY;
}

static void give(struct exchange *x)
{
    reactor *r = x->r;

    cm_arena_reset(x->arena);
    r->calls--;
    if (r->spares < SPARES) {
        x->next = r->spare;
        r->spare = x;
        r->spares++;
    } else {
        cm_arena_free(x->arena);
        cm_free(x);
    }
    cm_kmsd_reactor_quiet(r);
}

void cm_kmsd_exchanges_free(reactor *r)
{
    while (r->spare) {
        struct exchange *x = r->spare;

        r->spare = x->next;
        cm_arena_free(x->arena);
        cm_free(x);
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

/* Also when it fails the request is gone: the peer has seen a reset. */
static void respond(cm_conn *c, cm_http_request *r, const cm_http_response *a)
{
    (void)cm_failed(cm_http_respond(r, a));
    cm_conn_answered(c);
}

void cm_kmsd_answer_json(cm_conn *c, cm_http_request *r, int status, cm_view body)
{
    const cm_http_header type = {CM_LIT("content-type"), CM_LIT("application/json")};
    const cm_http_response a = {.status = status, .headers = &type, .headers_n = 1, .body = body};

    respond(c, r, &a);
}

int cm_kmsd_status(cm_err e)
{
    if (cm_is(e, CM_KMSD_SEALED) || cm_is(e, CM_RUN_DRAINED))
        return 503;
    /* Full queues and spent budgets are the client's to wait for; so says 429. */
    return cm_err_class(e) == CM_CLASS_EXHAUSTED ? 429 : cm_err_http(e);
}

static cm_err error_body(cm_buf *b, cm_err e, const char *detail)
{
    cm_json_writer w = {.out = b};
    char message[400];

    snprintf(message, sizeof message, "%s%s%s", cm_err_what(e), detail && detail[0] ? ": " : "",
             detail ? detail : "");
    cm_json_begin_object(&w, NULL);
    cm_json_begin_object(&w, "error");
    cm_json_put_text(&w, "code", cm_view_str(cm_err_class_name(e)));
    cm_json_put_text(&w, "reason", cm_view_str(cm_err_name(e)));
    cm_json_put_text(&w, "message", cm_view_str(message));
    cm_json_put_text(&w, "fix", cm_view_str(cm_err_fix(e)));
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

void cm_kmsd_answer_error(reactor *re, cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                          uint32_t retry_ms)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = 4096};
    cm_http_header h[HEADERS] = {{CM_LIT("content-type"), CM_LIT("application/json")}};
    cm_http_response a = {.status = cm_kmsd_status(e), .headers = h, .headers_n = 1};
    char seconds[16];

    (void)re;
    if (cm_ok(error_body(&body, e, detail)))
        a.body = cm_buf_view(&body);
    if (retry_ms || a.status == 429 || a.status == 503) {
        uint32_t ms = CM_MAX(retry_ms, 1u);

        snprintf(seconds, sizeof seconds, "%u", (ms + 999) / 1000);
        h[a.headers_n++] = (cm_http_header){CM_LIT("retry-after"), cm_view_str(seconds)};
    }
    if (a.status == 401)
        h[a.headers_n++] =
            (cm_http_header){CM_LIT("www-authenticate"), CM_LIT("Signature, Bearer")};
    respond(c, r, &a);
}

/* A line of JSON for each answer. The request is gone when this fails. */
cm_err cm_kmsd_rest_piece(struct exchange *x)
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = ANSWER_MAX};
    const cm_http_header type = {CM_LIT("content-type"), CM_LIT("application/x-ndjson")};
    const cm_http_response head = {.status = 200, .headers = &type, .headers_n = 1};

    cm_err e = cm_msg_to_json(&line, x->call.answer);

    if (cm_ok(e))
        e = cm_buf_byte(&line, '\n');
    if (cm_failed(e)) {
        cm_http_reset(x->http);
        return e;
    }
    if (!x->started)
        CM_TRY(cm_http_start(x->http, &head));
    x->started = true;
    return cm_http_write(x->http, cm_buf_view(&line));
}

/* Behind what was sent already, why there is no more is a line too. */
static void end_rest(struct exchange *x)
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = 4096};
    cm_err e = x->call.result, sent = CM_OKAY;

    if (cm_failed(e) && cm_ok(error_body(&line, e, x->call.detail)) &&
        cm_ok(cm_buf_byte(&line, '\n')))
        sent = cm_http_write(x->http, cm_buf_view(&line));
    if (cm_ok(sent)) /* else it is gone */
        (void)cm_failed(cm_http_finish(x->http, NULL, 0));
    cm_conn_answered(x->conn);
}

static void answer_rest(struct exchange *x)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = ANSWER_MAX};
    cm_call *call = &x->call;
    cm_err e = call->result;

    if (x->started) {
        end_rest(x);
        return;
    }
    if (cm_ok(e) && call->answer)
        e = cm_msg_to_json(&body, call->answer);
    else if (cm_ok(e))
        e = cm_buf_append(&body, CM_LIT("{}"));
    if (cm_ok(e))
        cm_kmsd_answer_json(x->conn, x->http, 200, cm_buf_view(&body));
    else
        cm_kmsd_answer_error(x->r, x->conn, x->http, e, call->detail, call->retry_after_ms);
}

/* ---- counting ------------------------------------------------------------------------------ */

static void trace(const struct exchange *x, uint64_t end_ns)
{
    cm_span s = {.parent = x->parent,
                 .name = x->call.op->name,
                 .end_ns = cm_kmsd_now_ms(NULL) * 1000000,
                 .failed = cm_err_class(x->call.result) == CM_CLASS_INTERNAL ||
                           cm_err_class(x->call.result) == CM_CLASS_IO};

    s.start_ns = s.end_ns - (end_ns - x->start_ns);
    s.attribute[0].name = "rpc.method";
    s.attribute[0].value = x->call.op->name;
    s.attribute[1].name = "casemate.result";
    s.attribute[1].value = cm_err_name(x->call.result);
    s.attribute[2].name = "casemate.protocol";
    s.attribute[2].value = x->grpc ? "grpc" : "rest";
    cm_trace_submit(x->r->d->trace, &s);
}

static void count(const struct exchange *x)
{
    size_t op = (size_t)(x->call.op - cm_ops);
    uint64_t now = cm_os_monotonic_ns();

    cm_metric_add(x->r->shard, KM_REQUESTS, op, (size_t)cm_err_class(x->call.result), 1);
    cm_metric_observe(x->r->shard, KM_SECONDS, op, 0, now - x->start_ns);
    if (x->r->d->trace)
        trace(x, now);
    if (cm_err_class(x->call.result) == CM_CLASS_INTERNAL)
        CM_LOG(x->r->d->log, ERROR, "call_failed", cm_log_str("op", x->call.op->name),
               cm_log_err(x->call.result), cm_log_str("detail", x->call.detail));
}

/* ---- coming back --------------------------------------------------------------------------- */

static bool at_home(const struct exchange *x)
{
    return pthread_equal(pthread_self(), x->r->thread);
}

/* What may well work in a moment says so, whatever the protocol. */
static void say_when(cm_call *c)
{
    cm_class k = cm_err_class(c->result);

    if (c->retry_after_ms == 0 && (k == CM_CLASS_IO || k == CM_CLASS_EXHAUSTED))
        c->retry_after_ms = KMSD_RETRY_MS;
}

static void finish(struct exchange *x)
{
    /* A keyd that was started anew is about to be unsealed: that passes by itself. */
    if (cm_is(x->call.result, CM_KEYS_SEALED)) {
        x->call.result = CM_FAIL(KMSD_SEALED);
        x->call.retry_after_ms = KMSD_RETRY_MS;
    }
    count(x);
    if (cm_is(x->call.result, CM_SVC_RELEASE_REFUSED) || (x->call.discreet && x->call.detail[0]))
        CM_LOG(x->r->d->log, INFO, "release_refused", cm_log_err(x->call.result),
               cm_log_str("detail", x->call.detail));
    if (x->call.discreet) /* V-90 */
        x->call.detail[0] = 0;
    say_when(&x->call);
    if (x->http) {
        x->http->user = NULL;
        if (x->grpc)
            cm_kmsd_grpc_answer(x);
        else if (cm_kmsd_is_rcar(x->copy.path))
            cm_kmsd_rcar_answer(x);
        else
            answer_rest(x);
    }
    give(x);
}

static void came_back(cm_loop_task *t)
{
    struct exchange *x = (struct exchange *)(void *)t;

    /* Of a stream there may be more, as long as somebody listens. */
    if (x->call.op && x->call.op->streams && x->call.more && cm_ok(x->call.result) && x->http)
        cm_kmsd_stream_piece(x);
    else
        finish(x);
}

static void run_again(cm_loop_task *t)
{
    cm_svc_run(&((struct exchange *)(void *)t)->call);
}

/* On whatever thread the call ended. */
static void done(cm_call *call)
{
    struct exchange *x = call->arg;

    x->task.run = came_back;
    if (at_home(x))
        came_back(&x->task);
    else
        cm_loop_post(x->r->loop, &x->task);
}

static void again(cm_call *call)
{
    struct exchange *x = call->arg;

    x->task.run = run_again;
    cm_loop_post(x->r->loop, &x->task);
}

/* ---- going in ------------------------------------------------------------------------------ */

/* The call outlives the request when the peer goes away, so all that it borrows is copied. */
static cm_err copy_request(struct exchange *x, const cm_http_request *r)
{
    cm_http_request *q = &x->copy;
    cm_http_header *h = NULL;

    *q = (cm_http_request){.headers_n = r->headers_n, .grpc = r->grpc};
    CM_TRY(cm_arena_copy(x->arena, &q->method, r->method));
    CM_TRY(cm_arena_copy(x->arena, &q->path, r->path));
    CM_TRY(cm_arena_copy(x->arena, &q->query, r->query));
    CM_TRY(cm_arena_copy(x->arena, &q->authority, r->authority));
    CM_TRY(cm_arena_copy(x->arena, &q->scheme, r->scheme));
    CM_TRY(cm_arena_copy(x->arena, &q->body, r->body));
    CM_TRY(cm_arena_get(x->arena, &h, (r->headers_n + 1) * sizeof *h));
    for (size_t i = 0; i < r->headers_n; i++) {
        CM_TRY(cm_arena_copy(x->arena, &h[i].name, r->headers[i].name));
        CM_TRY(cm_arena_copy(x->arena, &h[i].value, r->headers[i].value));
    }
    q->headers = h;
    return CM_OKAY;
}

static cm_err fill_peer(struct exchange *x)
{
    cm_conn_peer p = cm_conn_peer_of(x->conn);
    cm_svc_peer *to = &x->call.peer;

    to->pq = p.pq;
    to->local = p.local && (uintptr_t)cm_conn_listener(x->conn) == LISTENER_ADMIN;
    CM_TRY(cm_arena_copy(x->arena, &to->address, p.address));
    CM_TRY(cm_arena_copy(x->arena, &to->cert_spki, p.spki));
    return cm_arena_copy(x->arena, &to->exporter, p.exporter);
}

static cm_err prepare(struct exchange *x, const cm_http_request *r)
{
    cm_call *call = &x->call;
    cm_view parent;

    CM_TRY(copy_request(x, r));
    CM_TRY(fill_peer(x));
    call->svc = atomic_load(&x->r->d->svc);
    call->keeper = x->r->keeper;
    call->arena = x->arena;
    call->http = (cm_svc_http){.method = x->copy.method,
                               .authority = x->copy.authority,
                               .path = x->copy.path,
                               .query = x->copy.query,
                               .request = &x->copy};
    call->done = done;
    call->again = again;
    call->arg = x;
    if (cm_http_header_of(&x->copy, "traceparent", &parent))
        (void)!cm_trace_parse(&x->parent, parent);
    return CM_OKAY;
}

static cm_err prepare_rest(struct exchange *x, char detail[160])
{
    cm_msg_fault fault = {.why = NULL};
    cm_err why = CM_FAIL(BAD_ARGUMENT), e;

    x->call.op = cm_svc_route(x->copy.method, x->copy.path, x->arena, &x->call.request, &why);
    if (!x->call.op)
        return why;
    if (cm_kmsd_is_rcar(x->copy.path))
        return cm_kmsd_rcar_fill(x, detail);
    e = cm_svc_fill(&x->call.request, x->arena, x->call.op, x->copy.query, x->copy.body, &fault);
    if (cm_failed(e) && fault.why)
        snprintf(detail, 160, "%s %s", fault.field, fault.why);
    return e;
}

static cm_err begin(struct exchange *x, const cm_http_request *r, char detail[160])
{
    CM_TRY(prepare(x, r));
    return x->grpc ? cm_kmsd_grpc_prepare(x, detail) : prepare_rest(x, detail);
}

static cm_err not_open(const kmsd *d)
{
    if (atomic_load(&d->draining))
        return CM_FAIL(RUN_DRAINED);
    return atomic_load(&d->svc) && atomic_load(&d->keyd) != KEYD_SEALED ? CM_OKAY
                                                                        : CM_FAIL(KMSD_SEALED);
}

void cm_kmsd_request(void *self, cm_conn *c, cm_http_request *r)
{
    reactor *re = self;
    struct exchange *x = NULL;
    char detail[160] = "";
    cm_err e;

    r->user = NULL;
    if (re->index == 0 && cm_kmsd_admin_request(re, c, r))
        return;
    e = not_open(re->d);
    if (cm_ok(e))
        e = take(&x, re);
    if (cm_failed(e)) {
        cm_kmsd_refuse(re, c, r, e, "", KMSD_RETRY_MS);
        return;
    }
    x->conn = c;
    x->http = r;
    x->grpc = r->grpc;
    e = begin(x, r, detail);
    if (cm_failed(e)) {
        cm_metric_add(re->shard, KM_UNROUTED, 0, 0, 1);
        cm_kmsd_refuse(re, c, r, e, detail, 0);
        give(x);
        return;
    }
    r->user = x;
    cm_svc_run(&x->call);
}

void cm_kmsd_cancelled(void *self, cm_conn *c, cm_http_request *r)
{
    const reactor *re = self;
    struct exchange *x;

    (void)c;
    if (re->std && cm_grpc_std_cancelled(re->std, r))
        return;
    x = r->user;
    if (x) {
        x->http = NULL;
        x->conn = NULL;
        cm_kmsd_stream_cancelled(x);
    }
}
