#include "run/client.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "cm_config.h"
#include "codec/text.h"
#include "run/client_int.h"

enum {
    CONNECT_MS = 5000,
    CALL_MS = 30000,
    BODY_MAX = 32 << 20,
    READ = 32 << 10,
    RETRY_S_MAX = 3600,
    KEYID_MAX = 256,
    TOKEN_MAX = 16 << 10,
    TARGET_MAX = 1024,
};

/* ---- making one ---- */

static cm_err keep(cm_buf *out, cm_view v, size_t max)
{
    out->max = max;
    return cm_buf_append(out, v);
}

static cm_err new_tls(cm_client *k, const cm_client_options *o)
{
    const cm_tls_options t = {
        .policy = o->policy,
        .identities = o->identity,
        .identities_n = o->identity ? 1 : 0,
        .roots = o->roots,
        .alpn = CM_LIT("http/1.1"),
        .resume_s = 3600,
    };

    return k->url.tls ? cm_tls_client_new(&k->tls, k->crypt, &t) : CM_OKAY;
}

static cm_err fill(cm_client *k, const cm_client_options *o)
{
    CM_TRY(cm_link_url_parse(&k->url, o->url));
    if (k->url.rest.n > 1 || (k->url.rest.n == 1 && k->url.rest.p[0] != '/'))
        return CM_FAIL(CLIENT_URL);
    k->url.rest = CM_LIT("");
    k->authority.max = 512;
    CM_TRY(cm_link_authority(&k->authority, &k->url));
    CM_TRY(keep(&k->keyid, o->keyid, KEYID_MAX));
    CM_TRY(keep(&k->token, o->token, TOKEN_MAX));
    CM_TRY(keep(&k->session_path, o->session_path, TARGET_MAX));
    return new_tls(k, o);
}

cm_err cm_client_new(cm_client **out, const cm_crypt *c, const cm_client_options *o)
{
    CM_AUTO(cm_client_free_ptr) cm_client *k = NULL;

    CM_TRY(cm_alloc(&k, sizeof *k));
    k->crypt = c;
    k->link.fd = -1;
    k->sign_key = o->sign_key;
    k->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
    k->call_ms = o->call_ms ? o->call_ms : CALL_MS;
    k->retries = o->retries;
    k->body_max = o->body_max ? o->body_max : BODY_MAX;
    k->user_agent = o->user_agent ? o->user_agent : "casemate/" CM_CONFIG_VERSION;
    CM_TRY(fill(k, o));
    *out = k;
    k = NULL;
    return CM_OKAY;
}

/* The connection's end is the session's end. The ticket outlives both. */
static void hang_up(cm_client *k)
{
    cm_tls_ticket *t = NULL;

    if (k->link.tls && cm_ok(cm_tls_ticket_of(&t, k->link.tls))) {
        cm_tls_ticket_free(k->ticket);
        k->ticket = t;
    }
    cm_link_close(&k->link);
    k->in_session = false;
    cm_key32_wipe(&k->session_key);
}

void cm_client_free(cm_client *k)
{
    if (!k)
        return;
    hang_up(k);
    cm_tls_ticket_free(k->ticket);
    cm_tls_free(k->tls);
    cm_buf_free(&k->authority);
    cm_buf_free(&k->keyid);
    cm_buf_free(&k->token);
    cm_buf_free(&k->session_path);
    cm_free(k);
}

void cm_client_free_ptr(cm_client **k)
{
    cm_client_free(*k);
}

void cm_client_abandon(cm_client *k)
{
    if (k->link.open)
        close(k->link.fd);
    k->link.open = false;
    k->link.fd = -1;
    cm_key32_wipe(&k->session_key);
}

const char *cm_client_why(const cm_client *k)
{
    return k->why;
}

bool cm_client_tls(const cm_client *k, cm_tls_info *out)
{
    if (!k->link.tls)
        return false;
    cm_tls_info_of(out, k->link.tls);
    return true;
}

/* ---- why ---- */

static void say(cm_client *k, const char *text)
{
    size_t n = strlen(k->why);

    (void)snprintf(k->why + n, sizeof k->why - n, "%s", text);
}

/* "kms.example (192.0.2.1:8443): the certificate is for another name" unless more was said. */
static void explain(cm_client *k, cm_err e)
{
    const cm_tls_why *w = k->link.tls ? cm_tls_why_of(k->link.tls) : NULL;

    if (k->why[0])
        return;
    say(k, k->url.unix_socket ? k->url.path : k->url.host);
    if (k->link.address[0] && !k->url.unix_socket) {
        say(k, " (");
        say(k, k->link.address);
        say(k, ")");
    }
    say(k, ": ");
    say(k, cm_err_what(e));
    if (w && w->text[0] && cm_err_class(e) != CM_CLASS_IO) {
        say(k, " (");
        say(k, w->text);
        say(k, ")");
    }
}

/* ---- one exchange ---- */

static cm_err receive(cm_client *k, cm_response_reader *rr, uint64_t deadline, bool *begun)
{
    CM_AUTO(cm_free_ptr) uint8_t *in = NULL;

    CM_TRY(cm_alloc(&in, READ));
    while (rr->state != CM_READ_DONE) {
        size_t got = 0, used = 0;

        CM_TRY(cm_link_read(&k->link, in, READ, &got, deadline));
        if (got == 0) {
            CM_TRY(cm_response_end(rr));
            break;
        }
        *begun = true;
        CM_TRY(cm_response_feed(rr, cm_view_of(in, got), &used));
        if (used != got) /* an answer to nothing that was asked */
            return CM_FAIL(CLIENT_RESPONSE);
    }
    return CM_OKAY;
}

cm_err cm_client_exchange(cm_client *k, cm_response *out, const cm_client_request *r,
                          cm_client_show show, uint64_t deadline, bool *begun)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CLIENT_HEAD_MAX + r->body.n};
    cm_response_reader rr;

    CM_TRY(cm_client_compose(&b, k, r, show));
    cm_response_begin(&rr, out, strcmp(r->method, "HEAD") == 0);
    rr.sink = r->sink;
    rr.sink_arg = r->sink_arg;
    CM_TRY(cm_link_write(&k->link, cm_buf_view(&b), deadline));
    CM_TRY(receive(k, &rr, deadline, begun));
    if (!rr.keep_alive)
        hang_up(k);
    return CM_OKAY;
}

/* ---- connections ---- */

static cm_err connect_new(cm_client *k, uint64_t deadline)
{
    uint64_t by = CM_MIN(cm_link_deadline(k->connect_ms), deadline);

    CM_TRY(cm_link_connect(&k->link, &k->url, by));
    if (!k->tls)
        return CM_OKAY;
    return cm_link_secure(&k->link, k->tls, cm_view_str(k->url.host), cm_os_now(), k->ticket, by);
}

/* *reused: it has served before, so the server may have given it up meanwhile. */
static cm_err connected(cm_client *k, uint64_t deadline, bool *reused)
{
    *reused = cm_link_idle(&k->link);
    if (*reused)
        return CM_OKAY;
    hang_up(k);
    return connect_new(k, deadline);
}

static cm_client_show show_of(const cm_client *k, const cm_client_request *r)
{
    if (r->auth == CM_CLIENT_PLAIN)
        return CM_SHOW_NOTHING;
    if (!k->sign_key)
        return k->token.n && r->auth == CM_CLIENT_USUAL ? CM_SHOW_TOKEN : CM_SHOW_NOTHING;
    if (r->auth == CM_CLIENT_SIGNED || !k->session_path.n || !k->tls)
        return CM_SHOW_SIGNATURE;
    return CM_SHOW_SESSION;
}

/* *again: nothing was done, the connection had merely gone stale. */
static cm_err attempt(cm_client *k, cm_response *out, const cm_client_request *r, uint64_t deadline,
                      bool *again)
{
    cm_client_show show = show_of(k, r);
    bool reused = false, begun = false, safe = r->idempotent || strcmp(r->method, "GET") == 0;
    cm_err e = connected(k, deadline, &reused);

    if (cm_ok(e) && show == CM_SHOW_SESSION && !k->in_session)
        e = cm_client_open_session(k, deadline);
    if (cm_ok(e) && !k->link.open) /* the answer about the session was its last */
        e = CM_FAIL(CLIENT_CLOSED);
    if (cm_ok(e))
        e = cm_client_exchange(k, out, r, show, deadline, &begun);
    if (cm_failed(e)) {
        explain(k, e);
        *again = reused && !begun && safe && cm_is(e, CM_CLIENT_CLOSED);
        hang_up(k);
    }
    return e;
}

/* ---- calls ---- */

/* How long a busy server asks us to wait; 0: not at all. */
static uint32_t retry_ms(const cm_response *a)
{
    uint64_t s = 1;
    cm_view v;

    if (a->status != 429 && a->status != 503)
        return 0;
    if (!cm_response_header(a, "retry-after", &v))
        return a->status == 429 ? 1000 : 0;
    if (cm_failed(cm_dec_u64(&s, v)) || s > RETRY_S_MAX)
        return 0;
    return s ? (uint32_t)s * 1000 : 100;
}

static bool room_for(uint32_t ms, uint64_t deadline)
{
    return cm_link_deadline(ms) < deadline;
}

/* The server no longer knows the session: it was restarted, or the session is over. */
static bool session_lost(cm_client *k, const cm_client_request *r, const cm_response *a)
{
    return a->status == 401 && k->in_session && show_of(k, r) == CM_SHOW_SESSION;
}

cm_err cm_client_call(cm_client *k, cm_client_answer *out, const cm_client_request *r)
{
    CM_AUTO(cm_response_free)
    cm_response a = {.head = {.max = CM_RESPONSE_HEAD_MAX}, .body = {.max = k->body_max}};
    uint64_t deadline = cm_link_deadline(k->call_ms);
    unsigned left = k->retries;
    bool fresh_session = false;

    for (;;) {
        bool again = false;
        uint32_t ms;
        cm_err e;

        k->why[0] = 0;
        e = attempt(k, &a, r, deadline, &again);
        if (again)
            continue;
        CM_TRY(e);
        if (session_lost(k, r, &a) && !fresh_session) {
            fresh_session = true;
            k->in_session = false;
            continue;
        }
        ms = retry_ms(&a);
        if (ms == 0 || left == 0 || !room_for(ms, deadline))
            break;
        left--;
        (void)poll(NULL, 0, (int)ms);
    }
    cm_response_free(out);
    *out = a;
    a = (cm_response){0};
    return CM_OKAY;
}
