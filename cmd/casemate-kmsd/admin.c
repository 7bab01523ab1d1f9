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

static cm_err collateral_metrics(cm_buf *b, const kmsd *d)
{
    if (!d->v->attest.collateral)
        return CM_OKAY;
    CM_TRY(gauge(b, "casemate_collateral_stale", "gauge",
                 "1: what the folder holds was refused, and an older set is in use.",
                 atomic_load(&d->collateral_stale)));
    CM_TRY(gauge(b, "casemate_collateral_expired", "gauge",
                 "Files of the set in use that are over: checks that need them fail.",
                 atomic_load(&d->collateral_expired)));
    return gauge(b, "casemate_collateral_loaded_seconds", "gauge",
                 "When the set in use was read, in seconds since 1970.",
                 atomic_load(&d->collateral_loaded));
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
    CM_TRY(collateral_metrics(b, d));
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

/* ---- several devices ----------------------------------------------------------------------- */

static const struct {
    const char *field, *name, *type, *help;
} device_series[] = {
    {"weight", "casemate_hsm_weight", "gauge", "A device's share, as configured."},
    {"requests", "casemate_hsm_requests_total", "counter", "What it was asked."},
    {"failures", "casemate_hsm_failures_total", "counter", "What it did not answer, or wrongly."},
    {"microseconds", "casemate_hsm_latency_microseconds", "gauge", "What an answer takes."},
};

static cm_err device_sample(cm_buf *b, const char *name, const cm_json_node *device, uint64_t v)
{
    char text[192];
    cm_view who;
    int n;

    CM_TRY(cm_json_string(cm_json_get(device, "name"), &who));
    for (size_t i = 0; i < who.n; i++)
        if (who.p[i] == '"' || who.p[i] == '\\')
            return CM_OKAY; /* a name that can't be a label as it stands */
    n = snprintf(text, sizeof text, "%s{device=\"%.*s\"} %llu\n", name, (int)who.n,
                 (const char *)who.p, (unsigned long long)v);
    return n < 0 ? CM_FAIL(TOO_BIG) : cm_buf_append(b, cm_view_of(text, (size_t)n));
}

static cm_err device_head(cm_buf *b, const char *name, const char *type, const char *help)
{
    char text[256];
    int n = snprintf(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);

    return n < 0 ? CM_FAIL(TOO_BIG) : cm_buf_append(b, cm_view_of(text, (size_t)n));
}

static cm_err device_states(cm_buf *b, const cm_json_node *list)
{
    CM_TRY(device_head(b, "casemate_hsm_serves", "gauge",
                       "1: it is asked; 0: broken, or in quarantine."));
    for (const cm_json_node *x = cm_json_first(list); x; x = cm_json_next(x)) {
        cm_view state;

        CM_TRY(cm_json_string(cm_json_get(x, "state"), &state));
        CM_TRY(device_sample(b, "casemate_hsm_serves", x,
                             cm_view_eq(state, CM_LIT("serves")) ||
                                 cm_view_eq(state, CM_LIT("ramps"))));
    }
    return CM_OKAY;
}

static cm_err device_metrics(cm_buf *b, const kmsd *d)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;

    if (!d->devices.n)
        return CM_OKAY;
    CM_TRY(cm_json_parse(&j, cm_buf_view(&d->devices), NULL, NULL));
    CM_TRY(device_states(b, cm_json_root(j)));
    for (size_t i = 0; i < CM_COUNT(device_series); i++) {
        CM_TRY(device_head(b, device_series[i].name, device_series[i].type, device_series[i].help));
        for (const cm_json_node *x = cm_json_first(cm_json_root(j)); x; x = cm_json_next(x)) {
            uint64_t v = 0;

            CM_TRY(cm_json_u64(cm_json_get(x, device_series[i].field), &v));
            CM_TRY(device_sample(b, device_series[i].name, x, v));
        }
    }
    return CM_OKAY;
}

static void devices(reactor *re, cm_conn *c, cm_http_request *r)
{
    cm_kmsd_answer_json(c, r, 200, re->d->devices.n ? cm_buf_view(&re->d->devices) : CM_LIT("[]"));
}

static void metrics(reactor *re, cm_conn *c, cm_http_request *r)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16 << 20};
    cm_err e = cm_metrics_write(re->d->metrics, &b);

    if (cm_ok(e))
        e = process_metrics(&b, re->d);
    if (cm_ok(e))
        e = device_metrics(&b, re->d);
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

static void answer_accepted(reactor *re, cm_conn *c, cm_http_request *r, cm_err e)
{
    if (cm_failed(e))
        cm_kmsd_answer_error(re, c, r, e, NULL, 0);
    else
        cm_kmsd_answer_json(c, r, 202, CM_LIT("{}"));
}

static void take_seal(reactor *re, cm_conn *c, cm_http_request *r)
{
    answer_accepted(re, c, r, cm_kmsd_keyd_seal(re->d));
}

static void take_unseal(reactor *re, cm_conn *c, cm_http_request *r)
{
    answer_accepted(re, c, r, unseal(re->d, r->body));
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
    answer_accepted(re, c, r, change_root(re->d, r->body));
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
    {"POST", "/admin/root", true, take_root},     {"GET", "/admin/devices", true, devices},
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
