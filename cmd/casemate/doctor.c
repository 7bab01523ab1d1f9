/* casemate doctor: what stands between this machine and a server, step by step. */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/os.h"
#include "net.h"
#include "run/client.h"

enum { SKEW_WARN = 60, TEXT = 512, DAY = 86400, SOON_DAYS = 14 };

typedef enum { GOOD, WARNING, BAD, SKIPPED } verdict;

/* The first that is bad is what the command ends with. */
typedef struct {
    cm_cli *cli;
    cm_cli_net net;
    cm_link_url url;
    const char *text; /* of the URL */
    uint32_t ms;
    cm_err worst;
} doctor;

static void doctor_done(doctor *d)
{
    cm_cli_net_free(&d->net);
}

/* ---- what was found ---- */

static void tell(doctor *d, const char *check, verdict v, const char *found, const char *advice)
{
    static const char *const words[] = {"ok", "warning", "failed", "skipped"};
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    cm_cli_event e;

    cm_cli_say(d->cli, "%s%-8s%s %-12s %s\n", cm_cli_color(d->cli, stdout, colors[v]), words[v],
               cm_cli_color(d->cli, stdout, "\033[0m"), check, found);
    if (advice && *advice)
        cm_cli_say(d->cli, "%21s  -> %s\n", "", advice);
    cm_cli_event_begin(d->cli, &e, "check");
    cm_json_put_text(&e.w, "check", cm_view_str(check));
    cm_json_put_text(&e.w, "verdict", cm_view_str(words[v]));
    cm_json_put_text(&e.w, "found", cm_view_str(found));
    if (advice && *advice)
        cm_json_put_text(&e.w, "advice", cm_view_str(advice));
    cm_cli_event_end(d->cli, &e);
}

static void tell_error(doctor *d, const char *check, cm_err e, const char *more)
{
    char text[TEXT];

    if (cm_ok(d->worst))
        d->worst = e;
    (void)snprintf(text, sizeof text, "%s%s%s%s", cm_err_what(e), *more ? " (" : "", more,
                   *more ? ")" : "");
    tell(d, check, BAD, text, cm_err_fix(e));
}

/* ---- names and addresses ---- */

static bool check_dns(doctor *d)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char text[TEXT] = "";
    size_t n = 0;

    if (getaddrinfo(d->url.host, d->url.port, &hints, &list) != 0) {
        tell_error(d, "name", CM_FAIL(CLIENT_RESOLVE), d->url.host);
        return false;
    }
    for (const struct addrinfo *a = list; a && n + 64 < sizeof text; a = a->ai_next) {
        char host[48] = "?";

        (void)getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", host);
    }
    freeaddrinfo(list);
    tell(d, "name", GOOD, text, NULL);
    return true;
}

static bool check_tcp(doctor *d)
{
    cm_link k;
    uint64_t from = cm_os_monotonic_ns();
    cm_err e = cm_link_connect(&k, &d->url, cm_link_deadline(d->ms));
    char text[TEXT];

    if (cm_failed(e)) {
        tell_error(d, "connection", e, k.address);
        return false;
    }
    (void)snprintf(text, sizeof text, "%s in %.1f ms", k.address,
                   (double)(cm_os_monotonic_ns() - from) / 1e6);
    cm_link_close(&k);
    tell(d, "connection", GOOD, text, NULL);
    return true;
}

/* ---- TLS ---- */

/* One handshake; k is left open, or failed, for the caller to look at and close. */
static cm_err shake_hands(doctor *d, cm_link *k, cm_tls_policy policy, cm_view alpn)
{
    CM_AUTO(cm_tls_free_ptr) cm_tls *t = NULL;

    *k = (cm_link){.fd = -1};
    CM_TRY(cm_cli_net_tls(d->cli, &t, &d->net, policy, alpn));
    CM_TRY(cm_link_connect(k, &d->url, cm_link_deadline(d->ms)));
    return cm_link_secure(k, t, cm_view_str(d->url.host), cm_os_now(), NULL,
                          cm_link_deadline(d->ms));
}

static bool about_certificate(cm_err e)
{
    static const cm_reason reasons[] = {CM_CERT_UNTRUSTED, CM_CERT_SIGNATURE, CM_CERT_EXPIRED,
                                        CM_CERT_PURPOSE,   CM_CERT_NAME,      CM_CERT_CLASSICAL,
                                        CM_CERT_MALFORMED};

    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (cm_is(e, reasons[i]))
            return true;
    return false;
}

/* The group that a server would agree to under another policy; false when to none. */
static bool agrees_to(doctor *d, cm_tls_policy policy, char *group, size_t n)
{
    cm_link k;
    cm_err e = shake_hands(d, &k, policy, CM_LIT(""));
    cm_tls_info i = {0};

    if (k.tls)
        cm_tls_info_of(&i, k.tls);
    (void)snprintf(group, n, "%s", i.group ? i.group : cm_err_what(e));
    cm_link_close(&k);
    return i.group != NULL;
}

/* What the server would agree to instead: for the person who can change that. */
static void look_for_others(doctor *d)
{
    bool hybrid = d->net.policy == CM_TLS_HYBRID;
    char group[TEXT / 2], text[TEXT];

    if (agrees_to(d, hybrid ? CM_TLS_STRICT : CM_TLS_HYBRID, group, sizeof group)) {
        (void)snprintf(text, sizeof text, "the server agrees to %s", group);
        tell(d, "other policy", GOOD, text, hybrid ? "say --policy strict" : "say --policy hybrid");
        return;
    }
    if (!agrees_to(d, CM_TLS_LEGACY, group, sizeof group)) {
        tell(d, "classical", SKIPPED, "a classical key exchange fails as well", group);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "the server agrees to %s alone, which falls to a quantum computer", group);
    tell(d, "classical", BAD, text,
         "give the server OpenSSL 3.5, Go 1.24 or a terminator in front of it that has "
         "X25519MLKEM768");
}

static void tell_chain(doctor *d, const cm_link *k)
{
    CM_AUTO(cm_certs_free) cm_certs l = {0};
    uint64_t now = cm_os_now();

    if (cm_failed(cm_tls_peer_chain(&l, k->tls)))
        return;
    for (size_t i = 0; i < l.n; i++) {
        char text[2 * TEXT], subject[256], until[32];
        cm_cert_info c;
        bool soon;

        if (cm_failed(cm_cert_describe(&c, d->cli->crypt, l.v[i])))
            continue;
        soon = c.not_after < now + SOON_DAYS * DAY;
        (void)snprintf(text, sizeof text, "%s, signed with %s, until %s",
                       cm_cli_clean(subject, sizeof subject, cm_view_str(c.subject)), c.algorithm,
                       cm_cli_date(until, c.not_after));
        tell(d, i ? "issuer" : "certificate", soon || !c.post_quantum ? WARNING : GOOD, text,
             c.not_after < now ? "it has expired"
             : soon            ? "renew it: it ends within two weeks"
             : c.post_quantum  ? NULL
                               : "a classical signature: nobody can forge it yet, but move to "
                                 "ML-DSA before somebody can");
    }
}

static void tell_trust(doctor *d, cm_err e, const cm_link *k)
{
    if (cm_ok(e)) {
        tell(d, "trust", GOOD, "the chain leads to a root that you named and carries the name",
             NULL);
    } else if (d->net.roots.n == 0) {
        if (cm_ok(d->worst))
            d->worst = e;
        tell(d, "trust", BAD, "no root was named, and none is trusted by default",
             "give the authority's certificate with --ca");
    } else {
        tell_error(d, "trust", e, cm_tls_why_of(k->tls)->text);
    }
}

static void tell_agreed(doctor *d, const cm_link *k)
{
    cm_tls_info i;
    char text[TEXT];

    cm_tls_info_of(&i, k->tls);
    (void)snprintf(text, sizeof text, "%s, %s", i.version, i.cipher ? i.cipher : "?");
    tell(d, "tls", GOOD, text, NULL);
    (void)snprintf(text, sizeof text, "%s, which a quantum computer does not break",
                   i.group ? i.group : "?");
    tell(d, "key exchange", GOOD, text, NULL);
}

static void check_alpn(doctor *d)
{
    static const char *const names[] = {"h2", "http/1.1"};

    for (size_t i = 0; i < CM_COUNT(names); i++) {
        cm_link k;
        cm_err e = shake_hands(d, &k, d->net.policy, cm_view_str(names[i]));
        cm_tls_info info = {0};
        char text[TEXT];

        if (k.tls)
            cm_tls_info_of(&info, k.tls);
        if (cm_ok(e) && cm_view_eq(info.alpn, cm_view_str(names[i])))
            tell(d, "protocol", GOOD, names[i], NULL);
        else {
            (void)snprintf(text, sizeof text, "no %s", names[i]);
            tell(d, "protocol", WARNING, text,
                 i ? "plain HTTP/1.1 clients can't speak to it" : "gRPC needs HTTP/2");
        }
        cm_link_close(&k);
    }
}

/* Whether requests can be sent: the chain is trusted. */
static bool check_tls(doctor *d)
{
    cm_link k;
    cm_err e = shake_hands(d, &k, d->net.policy, CM_LIT(""));

    if (cm_failed(e) && !about_certificate(e)) {
        tell_error(d, "tls", e, k.tls ? cm_tls_why_of(k.tls)->text : "");
        cm_link_close(&k);
        if (cm_is(e, CM_TLS_NO_PQ_GROUP))
            look_for_others(d);
        return false;
    }
    tell_agreed(d, &k);
    tell_chain(d, &k);
    tell_trust(d, e, &k);
    cm_link_close(&k);
    if (cm_ok(e))
        check_alpn(d);
    return cm_ok(e);
}

/* Signed requests need clocks that agree. */
static void check_clock(doctor *d, uint64_t theirs)
{
    uint64_t now = cm_os_now(), away = now > theirs ? now - theirs : theirs - now;
    char text[TEXT];

    if (theirs == 0) {
        tell(d, "clock", SKIPPED, "the server does not tell its time", NULL);
        return;
    }
    (void)snprintf(text, sizeof text, "%llu s apart", (unsigned long long)away);
    if (away > CM_HTTPSIG_WINDOW && cm_ok(d->worst))
        d->worst = CM_FAIL(SIGN_WINDOW);
    tell(d, "clock",
         away > CM_HTTPSIG_WINDOW ? BAD
         : away > SKEW_WARN       ? WARNING
                                  : GOOD,
         text,
         away > CM_HTTPSIG_WINDOW
             ? "signed requests are refused: set the clocks (NTP) on both sides"
         : away > SKEW_WARN ? "set the clocks; from 300 s on signed requests are refused"
                            : NULL);
}

static cm_err new_client(doctor *d, cm_client **out)
{
    char url[sizeof d->url.host + sizeof d->url.port + 16];
    cm_client_options o = {
        .roots = &d->net.roots,
        .policy = d->net.policy,
        .identity = d->net.key ? &d->net.identity : NULL,
        .connect_ms = d->ms,
        .call_ms = d->ms,
    };
    bool v6 = strchr(d->url.host, ':');

    (void)snprintf(url, sizeof url, "%s://%s%s%s:%s", d->url.tls ? "https" : "http", v6 ? "[" : "",
                   d->url.host, v6 ? "]" : "", d->url.port);
    o.url = d->url.unix_socket ? cm_view_str(d->text) : cm_view_str(url);
    return cm_client_new(out, d->cli->crypt, &o);
}

/* The server's clock, from what Health answers; 0: it is not said. */
static uint64_t time_in(cm_view body)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    uint64_t ms;

    if (cm_failed(cm_json_parse(&j, body, NULL, NULL)) ||
        cm_failed(cm_json_u64(cm_json_get(cm_json_root(j), "time_ms"), &ms)))
        return 0;
    return ms / 1000;
}

static void check_http(doctor *d)
{
    /* A listener without TLS is the admin socket or the one of the metrics. */
    const char *path = d->url.tls ? "/v1/health" : "/readyz";
    cm_client_request r = {.method = "GET", .target = cm_view_str(path), .auth = CM_CLIENT_PLAIN};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    CM_AUTO(cm_client_free_ptr) cm_client *k = NULL;
    cm_err e = new_client(d, &k);
    char text[TEXT];

    if (cm_ok(e))
        e = cm_client_call(k, &a, &r);
    if (cm_failed(e)) {
        tell_error(d, "health", e, "");
        return;
    }
    (void)snprintf(text, sizeof text, "%s answers %d", path, a.status);
    tell(d, "health", a.status == 200 ? GOOD : WARNING, text,
         a.status == 200   ? NULL
         : a.status == 503 ? "it runs but is not ready: unseal it, and see its log"
         : a.status == 404 ? "no such endpoint: is this a casemate server?"
                           : "see the server's log");
    if (a.status == 200)
        check_clock(d, time_in(cm_buf_view(&a.body)));
}

/* ---- clients ---- */

/* Measured against a port that offers hybrid groups alone. */
static void tell_clients(doctor *d)
{
    static const struct {
        const char *client, *what, *advice;
        verdict v;
    } rows[] = {
        {"curl",
         "with OpenSSL 3.5 or later: works; with 3.0 to 3.4 (Debian 12, Ubuntu 24.04): "
         "handshake_failure",
         "see `curl -V`; use a newer curl or `casemate proxy`", WARNING},
        {"grpcio",
         "Python, C++, Ruby: 1.51 to 1.7x offer P-256 alone and fail; the default "
         "changed in mid 2026",
         "use a newer release, or `casemate proxy` and an insecure channel to it", WARNING},
        {"go",
         "1.24 and later with a go.mod of at least 1.24: works; before, or in GOPATH mode: "
         "fails",
         "raise the go line in go.mod, or build with //go:debug default=go1.24", WARNING},
        {"node",
         "24 and later (OpenSSL 3.5): works; 20 and 22 from nodejs.org (3.0): fails; "
         "Debian 13's 20 works",
         "see `node -p process.versions.openssl`: 3.5 or later", WARNING},
        {"python", "ssl with OpenSSL 3.5 or later: works",
         "see `python3 -c 'import ssl; print(ssl.OPENSSL_VERSION)'`", WARNING},
        {"h2load", "works with --groups=X25519MLKEM768; its default is classical", NULL, WARNING},
        {"chromium", "156: works", NULL, GOOD},
    };

    for (size_t i = 0; i < CM_COUNT(rows); i++)
        tell(d, rows[i].client, rows[i].v, rows[i].what, rows[i].advice);
}

cm_err cm_cli_doctor(cm_cli *cli)
{
    CM_AUTO(doctor_done) doctor d = {.cli = cli};
    uint64_t seconds = 5;

    if (cm_cli_has(cli, "clients")) {
        tell_clients(&d);
        if (cli->args_n == 0)
            return CM_OKAY;
    }
    if (cli->args_n == 0)
        return cm_cli_usage(cli, "a URL is missing");
    d.text = cli->args[0];
    CM_TRY(cm_cli_about(cli, d.text, cm_link_url_parse(&d.url, cm_view_str(d.text)), NULL));
    CM_TRY(cm_cli_number(cli, "timeout", 1, 300, &seconds));
    d.ms = (uint32_t)seconds * 1000;
    CM_TRY(cm_cli_net_options(cli, &d.net));
    if (!d.url.unix_socket && !check_dns(&d))
        return cm_cli_about(cli, d.text, d.worst, NULL);
    if (check_tcp(&d) && (!d.url.tls || check_tls(&d)))
        check_http(&d);
    if (cm_ok(d.worst) && d.url.tls)
        cm_cli_note(cli, "If a program fails where this works: casemate doctor --clients\n");
    return cm_failed(d.worst) ? cm_cli_about(cli, d.text, d.worst, NULL) : CM_OKAY;
}
