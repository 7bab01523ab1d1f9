/* The key broker protocol as HTTP has it: bodies of its own, a cookie for the session. What it
 * means is svc's (svc/h_rcar.c). */
#include <stdio.h>

#include "exchange.h"
#include "release/rcar.h"
#include "svc/messages.h"

#define COOKIE "kbs-session-id"

enum { BODY_MAX = 4096, HEADERS = 5, COOKIE_MAX = 1400 };

bool cm_kmsd_is_rcar(cm_view path)
{
    cm_view root = CM_LIT("/kbs/v0/");

    return path.n > root.n && cm_view_eq(cm_view_sub(path, 0, root.n), root);
}

/* ---- requests ---- */

static cm_view trimmed(cm_view v)
{
    while (v.n && v.p[0] == ' ')
        v = cm_view_sub(v, 1, v.n - 1);
    return v;
}

/* The value of the cookie in "a=1; b=2". */
static cm_view cookie(cm_view v)
{
    cm_view name = CM_LIT(COOKIE "=");

    while (v.n) {
        const uint8_t *end = memchr(v.p, ';', v.n);
        size_t n = end ? (size_t)(end - v.p) : v.n;
        cm_view one = trimmed(cm_view_sub(v, 0, n));

        if (one.n > name.n && cm_view_eq(cm_view_sub(one, 0, name.n), name))
            return cm_view_sub(one, name.n, one.n - name.n);
        n += end != NULL;
        v = cm_view_sub(v, n, v.n - n);
    }
    return v;
}

static cm_view session(const cm_http_request *r)
{
    cm_view v, bearer = CM_LIT("Bearer ");

    if (cm_http_header_of(r, "authorization", &v) && v.n > bearer.n &&
        cm_view_eq(cm_view_sub(v, 0, bearer.n), bearer))
        return cm_view_sub(v, bearer.n, v.n - bearer.n);
    return cm_http_header_of(r, "cookie", &v) ? cookie(v) : CM_LIT("");
}

static void set(cm_msg *m, size_t field, cm_view v)
{
    m->v[field].set = v.n > 0;
    m->v[field].view = v;
}

cm_err cm_kmsd_rcar_fill(struct exchange *x, char detail[160])
{
    cm_msg *m = x->call.request;
    cm_msg_fault fault = {.why = NULL};
    cm_err e;

    if (x->call.op->request == &cm_message_RcarRequest) {
        set(m, M_RcarRequest_body, x->copy.body);
        set(m, M_RcarRequest_session, session(&x->copy));
    } else {
        set(m, M_RcarResourceRequest_session, session(&x->copy));
    }
    e = cm_msg_check(m, &fault);
    if (cm_failed(e) && fault.why)
        (void)snprintf(detail, 160, "%s %s", fault.field, fault.why);
    return e;
}

/* ---- answers ---- */

static void respond(cm_conn *c, cm_http_request *r, const cm_http_response *a)
{
    (void)cm_failed(cm_http_respond(r, a)); /* also when it fails the request is gone */
    cm_conn_answered(c);
}

/* Clients look for ErrorInformation behind 401 alone: so what they can't do says that. */
static int status_of(cm_err e)
{
    return cm_err_class(e) == CM_CLASS_UNSUPPORTED ? 401 : cm_kmsd_status(e);
}

void cm_kmsd_rcar_refuse(cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                         uint32_t retry_ms)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = BODY_MAX};
    cm_http_header h[HEADERS] = {{CM_LIT("content-type"), CM_LIT("application/json")}};
    cm_http_response a = {.status = status_of(e), .headers = h, .headers_n = 1};
    char text[640], seconds[16];

    (void)snprintf(text, sizeof text, "%s%s%s", cm_err_what(e), detail[0] ? ": " : "", detail);
    if (cm_ok(cm_rcar_error_put(&body, e, cm_view_str(text))))
        a.body = cm_buf_view(&body);
    if (a.status == 401)
        h[a.headers_n++] = (cm_http_header){CM_LIT("www-authenticate"), CM_LIT("Bearer")};
    if (retry_ms) {
        (void)snprintf(seconds, sizeof seconds, "%u", (retry_ms + 999) / 1000);
        h[a.headers_n++] = (cm_http_header){CM_LIT("retry-after"), cm_view_str(seconds)};
    }
    respond(c, r, &a);
}

void cm_kmsd_rcar_answer(struct exchange *x)
{
    cm_http_header h[HEADERS] = {{CM_LIT("content-type"), CM_LIT("application/json")}};
    cm_http_response a = {.status = 200, .headers = h, .headers_n = 1};
    char leaf[24], set_cookie[COOKIE_MAX];
    const cm_msg *m = x->call.answer;
    cm_view s;

    if (cm_failed(x->call.result) || !m) {
        cm_kmsd_rcar_refuse(x->conn, x->http, x->call.result, x->call.detail,
                            x->call.retry_after_ms);
        return;
    }
    a.body = cm_msg_view(m, M_RcarAnswer_body);
    s = cm_msg_view(m, M_RcarAnswer_session);
    if (s.n) {
        (void)snprintf(set_cookie, sizeof set_cookie,
                       COOKIE "=%.*s; Path=/kbs; Max-Age=300; HttpOnly; SameSite=Strict%s",
                       (int)s.n, (const char *)s.p, x->call.peer.exporter.n ? "; Secure" : "");
        h[a.headers_n++] = (cm_http_header){CM_LIT("set-cookie"), cm_view_str(set_cookie)};
    }
    if (m->v[M_RcarAnswer_leaf].set) {
        (void)snprintf(leaf, sizeof leaf, "%llu",
                       (unsigned long long)cm_msg_number(m, M_RcarAnswer_leaf, 0));
        h[a.headers_n++] = (cm_http_header){CM_LIT("casemate-leaf"), cm_view_str(leaf)};
    }
    respond(x->conn, x->http, &a);
}
