/* What the admin and metrics listeners answer by themselves. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "kmsd.h"

static void answer_text(cm_conn *c, cm_http_request *r, int status, cm_view type, cm_view body)
{
    const cm_http_header h = {CM_LIT("content-type"), type};
    const cm_http_response a = {.status = status, .headers = &h, .headers_n = 1, .body = body};

    (void)cm_failed(cm_http_respond(r, &a));
    cm_conn_answered(c);
}

static void health(reactor *re, cm_conn *c, cm_http_request *r)
{
    (void)re;
    answer_text(c, r, 200, CM_LIT("text/plain"), CM_LIT("ok\n"));
}

/* Ready: unsealed, nothing broken, and not about to leave. */
static void ready(reactor *re, cm_conn *c, cm_http_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2048};
    cm_json_writer w = {.out = &b};
    const kmsd *d = re->d;
    bool open = atomic_load(&d->keyd) == KEYD_OPEN && atomic_load(&d->svc);
    bool draining = atomic_load(&d->draining);
    cm_err log = d->committer ? cm_committer_health(d->committer) : CM_FAIL(KMSD_SEALED);
    bool ok = open && !draining && cm_ok(log);

    cm_json_begin_object(&w, NULL);
    cm_json_put_bool(&w, "ready", ok);
    cm_json_put_text(&w, "keyd", cm_view_str(cm_kmsd_keyd_name(d)));
    cm_json_put_bool(&w, "draining", draining);
    cm_json_put_text(&w, "log", cm_view_str(cm_err_name(log)));
    cm_json_end_object(&w);
    if (cm_ok(cm_json_finish(&w)))
        cm_kmsd_answer_json(c, r, ok ? 200 : 503, cm_buf_view(&b));
}

/* The second number of statm: pages. */
static uint64_t resident(void)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};
    const uint8_t *space, *end;
    uint64_t pages;

    if (cm_failed(cm_os_slurp(&b, "/proc/self/statm", 255)) || b.n == 0)
        return 0;
    space = memchr(b.p, ' ', b.n);
    end = space ? memchr(space + 1, ' ', b.n - (size_t)(space + 1 - b.p)) : NULL;
    if (!end || cm_failed(cm_dec_u64(&pages, cm_view_of(space + 1, (size_t)(end - space - 1)))))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static cm_err gauge(cm_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    char text[512];
    int n = snprintf(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name,
                     type, name, (unsigned long long)v);

    return n < 0 ? CM_FAIL(TOO_BIG) : cm_buf_append(b, cm_view_of(text, (size_t)n));
}

static cm_err process_metrics(cm_buf *b, const kmsd *d)
{
    cm_trace_stats t = {0};

    CM_TRY(gauge(b, "casemate_unsealed", "gauge", "1: keys can be used.",
                 atomic_load(&d->keyd) == KEYD_OPEN));
    CM_TRY(gauge(b, "casemate_log_lines_lost_total", "counter",
                 "Log lines that a slow reader made us lose.", cm_log_lost(d->log)));
    CM_TRY(gauge(b, "casemate_leader", "gauge",
                 "1: of all nodes of the store, this one does what falls due.",
                 atomic_load(&d->leads)));
    if (d->trace)
        cm_trace_stats_of(d->trace, &t);
    CM_TRY(
        gauge(b, "casemate_spans_sent_total", "counter", "Spans that the collector took.", t.sent));
    CM_TRY(gauge(b, "casemate_spans_dropped_total", "counter", "Spans that found a full queue.",
                 t.dropped));
    CM_TRY(gauge(b, "casemate_spans_failed_total", "counter",
                 "Spans that the collector did not take.", t.failed));
    return gauge(b, "process_resident_memory_bytes", "gauge", "Resident memory.", resident());
}

static void metrics(reactor *re, cm_conn *c, cm_http_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16 << 20};
    cm_err e = cm_metrics_write(re->d->metrics, &b);

    if (cm_ok(e))
        e = process_metrics(&b, re->d);
    if (cm_ok(e))
        answer_text(c, r, 200, CM_LIT("text/plain; version=0.0.4"), cm_buf_view(&b));
    else
        cm_kmsd_answer_error(re, c, r, e, NULL, 0);
}

/* ---- unsealing ----------------------------------------------------------------------------- */

static void status(reactor *re, cm_conn *c, cm_http_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2048};
    cm_json_writer w = {.out = &b};
    const kmsd *d = re->d;

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "keyd", cm_view_str(cm_kmsd_keyd_name(d)));
    cm_json_put_bool(&w, "serving", atomic_load(&d->svc) != NULL);
    cm_json_put_u64(&w, "shares_have", d->shares_have);
    cm_json_put_u64(&w, "shares_need", d->shares_need);
    cm_json_put_bool(&w, "unseal_busy", d->control_busy);
    cm_json_put_u64(&w, "unseal_tries", d->unseal_tries);
    cm_json_put_text(&w, "unseal_error",
                     cm_view_str(cm_ok(d->unseal_result) ? "" : cm_err_name(d->unseal_result)));
    cm_json_put_text(&w, "unseal_advice",
                     cm_view_str(cm_ok(d->unseal_result) ? "" : cm_err_fix(d->unseal_result)));
    cm_json_put_u64(&w, "root_generation", atomic_load(&d->root_generation));
    cm_json_put_u64(&w, "pid", (uint64_t)getpid());
    cm_json_end_object(&w);
    if (cm_ok(cm_json_finish(&w)))
        cm_kmsd_answer_json(c, r, 200, cm_buf_view(&b));
}

/* {"share": "..."}, {"passphrase": "..."} or {"credential": true}, which is what the server was
 * started with. The answer says that it was handed on; status shows what came of it: unseal_tries
 * has grown by one then. */
static cm_err unseal(kmsd *d, cm_view body)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *root;
    cm_unseal_kind kind = CM_UNSEAL_SHARES;
    const cm_json_node *secret;
    bool own = false;
    cm_view v;

    CM_TRY(cm_json_parse(&j, body, NULL, NULL));
    root = cm_json_root(j);
    if (cm_json_get(root, "credential")) {
        CM_TRY(cm_json_bool(cm_json_get(root, "credential"), &own));
        return own ? cm_kmsd_keyd_unseal(d, CM_UNSEAL_KEYFILE, cm_view_of(NULL, 0))
                   : CM_FAIL(BAD_ARGUMENT);
    }
    secret = cm_json_get(root, "share");
    if (!secret) {
        kind = CM_UNSEAL_PASSPHRASE;
        secret = cm_json_get(root, "passphrase");
    }
    CM_TRY(cm_json_string(secret, &v));
    return cm_kmsd_keyd_unseal(d, kind, v);
}

static void take_seal(reactor *re, cm_conn *c, cm_http_request *r)
{
    cm_err e = cm_kmsd_keyd_seal(re->d);

    if (cm_failed(e))
        cm_kmsd_answer_error(re, c, r, e, NULL, 0);
    else
        cm_kmsd_answer_json(c, r, 202, CM_LIT("{}"));
}

static void take_unseal(reactor *re, cm_conn *c, cm_http_request *r)
{
    cm_err e = unseal(re->d, r->body);

    if (cm_failed(e))
        cm_kmsd_answer_error(re, c, r, e, NULL, 0);
    else
        cm_kmsd_answer_json(c, r, 202, CM_LIT("{}"));
}

/* {"retire": true}, or a new generation; and what opens the record: "passphrase", "shares" or
 * "credential", all at once. */
static cm_err change_root(kmsd *d, cm_view body)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_keyctl_unseal u = {.kind = CM_UNSEAL_KEYFILE};
    const cm_json_node *root, *n;
    bool retire = false, own = false;

    CM_TRY(cm_json_parse(&j, body, NULL, NULL));
    root = cm_json_root(j);
    if ((n = cm_json_get(root, "retire")))
        CM_TRY(cm_json_bool(n, &retire));
    if ((n = cm_json_get(root, "passphrase"))) {
        u.kind = CM_UNSEAL_PASSPHRASE;
        CM_TRY(cm_json_string(n, &u.secret));
    } else if ((n = cm_json_get(root, "shares"))) {
        u.kind = CM_UNSEAL_SHARES;
        for (n = cm_json_first(n); n && u.shares_n < CM_SHARE_MAX; n = cm_json_next(n))
            CM_TRY(cm_json_string(n, &u.shares[u.shares_n++]));
    } else {
        CM_TRY(cm_json_bool(cm_json_get(root, "credential"), &own));
        if (!own)
            return CM_FAIL(BAD_ARGUMENT);
    }
    return cm_kmsd_root_change(d, &u, retire);
}

static void take_root(reactor *re, cm_conn *c, cm_http_request *r)
{
    cm_err e = change_root(re->d, r->body);

    if (cm_failed(e))
        cm_kmsd_answer_error(re, c, r, e, NULL, 0);
    else
        cm_kmsd_answer_json(c, r, 202, CM_LIT("{}"));
}

/* ---- routes -------------------------------------------------------------------------------- */

static const struct {
    const char *method, *path;
    bool admin; /* not on the metrics listener */
    void (*answer)(reactor *re, cm_conn *c, cm_http_request *r);
} routes[] = {
    {"GET", "/healthz", false, health},           {"GET", "/readyz", false, ready},
    {"GET", "/metrics", false, metrics},          {"GET", "/admin/status", true, status},
    {"POST", "/admin/unseal", true, take_unseal}, {"POST", "/admin/seal", true, take_seal},
    {"POST", "/admin/root", true, take_root},
};

bool cm_kmsd_admin_request(reactor *re, cm_conn *c, cm_http_request *r)
{
    bool admin = (uintptr_t)cm_conn_listener(c) == LISTENER_ADMIN;

    for (size_t i = 0; i < CM_COUNT(routes); i++)
        if (cm_view_eq(r->method, cm_view_str(routes[i].method)) &&
            cm_view_eq(r->path, cm_view_str(routes[i].path)) && (admin || !routes[i].admin)) {
            routes[i].answer(re, c, r);
            return true;
        }
    if (admin)
        return false;
    cm_kmsd_answer_error(re, c, r, CM_FAIL(KMSD_NO_ROUTE), NULL, 0);
    return true;
}
