/* gRPC to operations and back: unary calls; and streams of answers, in gRPC or lines of JSON. */
#include <stdio.h>

#include "exchange.h"
#include "wire/grpc.h"

enum { MESSAGE_MAX = 32 << 20, BACKLOG_MAX = 1 << 20, LOOK_AGAIN_MS = 20 };

/* ---- in ------------------------------------------------------------------------------------ */

cm_err cm_kmsd_grpc_prepare(struct exchange *x, char detail[160])
{
    cm_msg_fault fault = {.why = NULL};
    cm_view message;
    cm_err e;

    x->call.op = cm_svc_op_by_name(x->copy.path);
    if (!x->call.op)
        return CM_FAIL(KMSD_NO_METHOD);
    CM_TRY(cm_grpc_unary(&message, &x->copy, MESSAGE_MAX));
    e = cm_msg_from_proto(&x->call.request, x->arena, x->call.op->request, message, &fault);
    if (cm_ok(e))
        e = cm_msg_check(x->call.request, &fault);
    if (cm_failed(e) && fault.why)
        snprintf(detail, 160, "%s %s", fault.field, fault.why);
    return e;
}

/* ---- out ----------------------------------------------------------------------------------- */

static void answered(struct exchange *x, cm_err e)
{
    if (cm_failed(e))
        CM_LOG(x->r->d->log, WARNING, "answer_failed", cm_log_err(e));
    cm_conn_answered(x->conn);
}

static const char *text_of(char text[400], cm_err e, const char *detail)
{
    snprintf(text, 400, "%s: %s%s%s%s%s", cm_err_name(e), cm_err_what(e),
             detail && detail[0] ? ": " : "", detail ? detail : "", cm_err_fix(e)[0] ? "; " : "",
             cm_err_fix(e));
    return text;
}

static cm_err fail(cm_http_request *r, cm_err e, const char *detail, uint32_t retry_ms)
{
    char text[400], seconds[16];
    cm_http_header h = {.name = CM_LIT("retry-after")};

    snprintf(seconds, sizeof seconds, "%u", (retry_ms + 999) / 1000);
    h.value = cm_view_str(seconds);
    return cm_grpc_fail(r, e, text_of(text, e, detail), &h, retry_ms ? 1 : 0);
}

static cm_err message_of(struct exchange *x, cm_buf *out)
{
    return x->call.answer ? cm_msg_to_proto(out, x->call.answer) : CM_OKAY;
}

static cm_err end_stream(struct exchange *x, cm_err e)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MESSAGE_MAX};
    char text[400];

    if (cm_ok(e))
        e = message_of(x, &m);
    if (cm_ok(e))
        e = cm_grpc_send(x->http, cm_buf_view(&m));
    return cm_grpc_end(x->http, e, cm_ok(e) ? NULL : text_of(text, e, x->call.detail));
}

void cm_kmsd_grpc_answer(struct exchange *x)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MESSAGE_MAX};
    cm_err e = x->call.result;

    if (x->started) {
        answered(x, end_stream(x, e));
        return;
    }
    if (cm_ok(e))
        e = message_of(x, &m);
    if (cm_ok(e))
        answered(x, cm_grpc_answer(x->http, cm_buf_view(&m), NULL, 0));
    else
        answered(x, fail(x->http, e, x->call.detail, x->call.retry_after_ms));
}

/* ---- streams ------------------------------------------------------------------------------- */

static void go_on(cm_timer *t)
{
    struct exchange *x = (struct exchange *)(void *)((char *)t - offsetof(struct exchange, pause));
    cm_err e;

    /* Nobody listens any more, or does not keep up: then it waits. */
    if (x->http && cm_http_backlog(x->http) > BACKLOG_MAX) {
        cm_loop_after(x->r->loop, &x->pause, LOOK_AGAIN_MS);
        return;
    }
    e = !x->http                          ? CM_FAIL(CANCELLED)
        : atomic_load(&x->r->d->draining) ? CM_FAIL(RUN_DRAINED)
                                          : cm_svc_more(&x->call);
    if (cm_ok(e)) {
        cm_svc_run(&x->call);
        return;
    }
    x->call.result = e;
    x->call.more = false;
    x->task.run(&x->task);
}

/* The request is gone when this fails. */
static cm_err send_piece(struct exchange *x)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MESSAGE_MAX};
    cm_err e = message_of(x, &m);

    if (cm_failed(e)) {
        cm_http_reset(x->http);
        return e;
    }
    if (!x->started)
        CM_TRY(cm_grpc_begin(x->http, NULL, 0));
    x->started = true;
    return cm_grpc_send(x->http, cm_buf_view(&m));
}

void cm_kmsd_stream_piece(struct exchange *x)
{
    cm_err e = x->grpc ? send_piece(x) : cm_kmsd_rest_piece(x);

    answered(x, e);
    if (cm_failed(e))
        x->http = NULL;
    x->pause.fire = go_on;
    cm_loop_after(x->r->loop, &x->pause, x->call.wait_ms);
}

/* A stream that pauses ends at its next turn. */
void cm_kmsd_stream_cancelled(struct exchange *x)
{
    if (x->pause.next)
        cm_loop_after(x->r->loop, &x->pause, 0);
}

void cm_kmsd_refuse(reactor *re, cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                    uint32_t retry_ms)
{
    if (!r->grpc && cm_kmsd_is_rcar(r->path)) {
        cm_kmsd_rcar_refuse(c, r, e, detail, retry_ms);
        return;
    }
    if (!r->grpc) {
        cm_kmsd_answer_error(re, c, r, e, detail, retry_ms);
        return;
    }
    (void)cm_failed(fail(r, e, detail, retry_ms));
    cm_conn_answered(c);
}
