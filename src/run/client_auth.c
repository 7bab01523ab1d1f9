/* What a request says about who asks: tokens, signatures, sessions. */
#include <stdio.h>

#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "run/client_int.h"

enum { NONCE_BYTES = 16, NONCE_TEXT = 22, HEADERS_MAX = 24, SESSION_BODY_MAX = 4096 };

/* ---- the message as it is signed ---- */

typedef struct {
    cm_http_header h[HEADERS_MAX];
    cm_httpsig_message m;
} message;

static cm_view type_of(const cm_client_request *r)
{
    if (r->body.n == 0)
        return r->type;
    return r->type.n ? r->type : CM_LIT("application/json");
}

static cm_err fill(message *g, const cm_client *k, const cm_client_request *r)
{
    const uint8_t *mark = memchr(r->target.p, '?', r->target.n);
    size_t path = mark ? (size_t)(mark - r->target.p) : r->target.n, n = 0;

    if (r->headers_n > HEADERS_MAX - 1)
        return CM_FAIL(BAD_ARGUMENT);
    for (size_t i = 0; i < r->headers_n; i++)
        g->h[n++] = r->headers[i];
    if (type_of(r).n)
        g->h[n++] = (cm_http_header){CM_LIT("content-type"), type_of(r)};
    g->m = (cm_httpsig_message){
        .method = cm_view_str(r->method),
        .scheme = k->url.tls ? CM_LIT("https") : CM_LIT("http"),
        .authority = cm_buf_view(&k->authority),
        .path = cm_view_sub(r->target, 0, path),
        .query = mark ? cm_view_sub(r->target, path + 1, r->target.n - path - 1) : CM_LIT(""),
        .headers = g->h,
        .headers_n = n,
        .body = r->body,
    };
    return CM_OKAY;
}

static cm_err sign(cm_httpsig_headers *out, cm_client *k, const cm_client_request *r,
                   cm_client_show show)
{
    static const char *const channel[] = {CM_SESSION_CHANNEL_HEADER, NULL};
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = NONCE_TEXT};
    uint8_t random[NONCE_BYTES];
    cm_httpsig_with w = {
        .key = k->sign_key, .keyid = cm_buf_view(&k->keyid), .created = cm_os_now()};
    message g;

    CM_TRY(fill(&g, k, r));
    if (show == CM_SHOW_SESSION)
        return cm_session_sign(out, k->crypt, &g.m, &k->session_key, k->session, &k->counter,
                               cm_os_now());
    CM_TRY(cm_random(k->crypt, random, sizeof random));
    CM_TRY(cm_base64_encode(&nonce, CM_VIEW(random), true));
    w.nonce = cm_buf_view(&nonce);
    for (size_t i = 0; i < r->headers_n; i++)
        if (cm_view_eq(r->headers[i].name, CM_LIT(CM_SESSION_CHANNEL_HEADER)))
            w.also = channel;
    return cm_httpsig_make(out, k->crypt, &g.m, &w);
}

/* ---- the request as it is sent ---- */

static bool sendable(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] == 0x7f)
            return false;
    return true;
}

static bool target_ok(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || v.p[i] == '#')
            return false;
    return v.n && v.p[0] == '/';
}

static cm_err line(cm_buf *out, cm_view name, cm_view value)
{
    if (!sendable(name) || !sendable(value))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(out, name));
    CM_TRY(cm_buf_append(out, CM_LIT(": ")));
    CM_TRY(cm_buf_append(out, value));
    return cm_buf_append(out, CM_LIT("\r\n"));
}

static cm_err first_lines(cm_buf *out, const cm_client *k, const cm_client_request *r)
{
    char length[24];
    int n = snprintf(length, sizeof length, "%zu", r->body.n);

    CM_TRY(cm_buf_append(out, cm_view_str(r->method)));
    CM_TRY(cm_buf_byte(out, ' '));
    CM_TRY(cm_buf_append(out, r->target));
    CM_TRY(cm_buf_append(out, CM_LIT(" HTTP/1.1\r\n")));
    CM_TRY(line(out, CM_LIT("host"), cm_buf_view(&k->authority)));
    CM_TRY(line(out, CM_LIT("user-agent"), cm_view_str(k->user_agent)));
    if (type_of(r).n)
        CM_TRY(line(out, CM_LIT("content-type"), type_of(r)));
    if (r->body.n || strcmp(r->method, "GET") != 0)
        CM_TRY(line(out, CM_LIT("content-length"), cm_view_of(length, (size_t)n)));
    for (size_t i = 0; i < r->headers_n; i++)
        CM_TRY(line(out, r->headers[i].name, r->headers[i].value));
    return CM_OKAY;
}

static cm_err token_line(cm_buf *out, const cm_client *k)
{
    CM_TRY(cm_buf_append(out, CM_LIT("authorization: Bearer ")));
    if (!sendable(cm_buf_view(&k->token)))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(out, cm_buf_view(&k->token)));
    return cm_buf_append(out, CM_LIT("\r\n"));
}

static cm_err signature_lines(cm_buf *out, cm_client *k, const cm_client_request *r,
                              cm_client_show show)
{
    CM_AUTO(cm_httpsig_headers_free) cm_httpsig_headers h = {0};

    CM_TRY(sign(&h, k, r, show));
    if (h.content_digest.n)
        CM_TRY(line(out, CM_LIT("content-digest"), cm_buf_view(&h.content_digest)));
    CM_TRY(line(out, CM_LIT("signature-input"), cm_buf_view(&h.input)));
    return line(out, CM_LIT("signature"), cm_buf_view(&h.signature));
}

cm_err cm_client_compose(cm_buf *out, cm_client *k, const cm_client_request *r, cm_client_show show)
{
    if (!target_ok(r->target))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(first_lines(out, k, r));
    if (show == CM_SHOW_TOKEN)
        CM_TRY(token_line(out, k));
    else if (show != CM_SHOW_NOTHING)
        CM_TRY(signature_lines(out, k, r, show));
    CM_TRY(cm_buf_append(out, CM_LIT("\r\n")));
    return cm_buf_append(out, r->body);
}

/* ---- sessions ---- */

static cm_err take_session(cm_client *k, const cm_response *a, cm_view exporter)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_view keyid;

    if (a->status != 200 || cm_failed(cm_json_parse(&j, cm_buf_view(&a->body), NULL, NULL)) ||
        cm_failed(cm_json_string(cm_json_get(cm_json_root(j), "session"), &keyid)) ||
        !cm_session_id_of(k->session, keyid)) {
        (void)snprintf(k->why, sizeof k->why, "%s: no session: the server answered %d %.*s",
                       k->link.address, a->status, (int)CM_MIN(a->body.n, (size_t)200),
                       a->body.n ? (const char *)a->body.p : "");
        return CM_FAIL(CLIENT_SESSION);
    }
    CM_TRY(cm_session_key(&k->session_key, k->crypt, exporter, k->session, cm_buf_view(&k->keyid)));
    k->counter = 0;
    k->in_session = true;
    return CM_OKAY;
}

cm_err cm_client_open_session(cm_client *k, uint64_t deadline)
{
    CM_AUTO(cm_buf_free) cm_buf channel = {.max = 64};
    CM_AUTO(cm_response_free)
    cm_response a = {.head = {.max = CM_RESPONSE_HEAD_MAX}, .body = {.max = SESSION_BODY_MAX}};
    CM_AUTO(cm_key32_wipe) cm_key32 exporter;
    cm_http_header h = {CM_LIT(CM_SESSION_CHANNEL_HEADER), {NULL, 0}};
    cm_client_request r = {.method = "POST",
                           .target = cm_buf_view(&k->session_path),
                           .body = CM_LIT("{}"),
                           .headers = &h,
                           .headers_n = 1};
    bool begun = false;

    CM_TRY(cm_tls_exporter(exporter.b, k->link.tls));
    CM_TRY(cm_session_channel(&channel, k->crypt, CM_VIEW(exporter.b)));
    h.value = cm_buf_view(&channel);
    CM_TRY(cm_client_exchange(k, &a, &r, CM_SHOW_SIGNATURE, deadline, &begun));
    return take_session(k, &a, CM_VIEW(exporter.b));
}
