/* casemate top: what a server is doing, out of its metrics. */
#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "remote.h"
#include "run/scrape.h"

enum { OPS = 256, BOUNDS = 24, NAME = 64, ROWS = 20, TEXT_MAX = 16 << 20 };

/* One operation's counters. */
struct op {
    char name[NAME];
    double ok, failed, sum, under[BOUNDS]; /* under[i]: answered within bound[i] seconds */
};

struct snapshot {
    uint64_t ns;
    double up, leader, resident, connections, accepted, handshakes, refused, no_pq_group, received,
        sent;
    double bound[BOUNDS];
    size_t bounds_n, ops_n;
    struct op op[OPS];
};

struct top {
    cm_cli *cli;
    cm_client *client;
    char url[CM_CLI_LINE];
    uint64_t every_ms;
    struct snapshot *now, *before;
    struct termios restore;
    bool raw;
};

/* ---- reading ------------------------------------------------------------------------------- */

static bool named(const cm_sample *s, const char *name)
{
    return cm_view_eq(s->name, cm_view_str(name));
}

static struct op *op_of(struct snapshot *t, cm_view name)
{
    for (size_t i = 0; i < t->ops_n; i++)
        if (cm_view_eq(cm_view_str(t->op[i].name), name))
            return &t->op[i];
    if (t->ops_n == OPS || name.n == 0 || name.n >= NAME)
        return NULL;
    (void)cm_cli_clean(t->op[t->ops_n].name, NAME, name);
    return &t->op[t->ops_n++];
}

static size_t bound_of(struct snapshot *t, double le)
{
    size_t i = 0;

    while (i < t->bounds_n && t->bound[i] != le)
        i++;
    if (i == t->bounds_n && i < BOUNDS)
        t->bound[t->bounds_n++] = le;
    return i;
}

static void take_op(struct snapshot *t, const cm_sample *s)
{
    struct op *op = op_of(t, cm_sample_label(s, "op"));
    double le;
    size_t i;

    if (!op)
        return;
    if (named(s, "casemate_requests_total")) {
        if (cm_view_eq(cm_sample_label(s, "result"), CM_LIT("ok")))
            op->ok += s->value;
        else
            op->failed += s->value;
    } else if (named(s, "casemate_request_seconds_sum"))
        op->sum = s->value;
    else if (named(s, "casemate_request_seconds_bucket") &&
             cm_ok(cm_scrape_number(&le, cm_sample_label(s, "le"))) &&
             (i = bound_of(t, le)) < BOUNDS)
        op->under[i] = s->value;
}

static void take_handshake(struct snapshot *t, const cm_sample *s)
{
    cm_view result = cm_sample_label(s, "result");

    t->handshakes += s->value;
    if (!cm_view_eq(result, CM_LIT("ok")))
        t->refused += s->value;
    if (cm_view_eq(result, CM_LIT("no_pq_group")))
        t->no_pq_group += s->value;
}

static void take(struct snapshot *t, const cm_sample *s)
{
    const struct {
        const char *name;
        double *to;
    } plain[] = {
        {"casemate_unsealed", &t->up},
        {"casemate_leader", &t->leader},
        {"process_resident_memory_bytes", &t->resident},
        {"casemate_connections", &t->connections},
        {"casemate_connections_accepted_total", &t->accepted},
        {"casemate_received_bytes_total", &t->received},
        {"casemate_sent_bytes_total", &t->sent},
    };

    for (size_t i = 0; i < CM_COUNT(plain); i++)
        if (named(s, plain[i].name))
            *plain[i].to = s->value;
    if (named(s, "casemate_tls_handshakes_total"))
        take_handshake(t, s);
    if (cm_sample_label(s, "op").n)
        take_op(t, s);
}

static cm_err scrape(struct top *t)
{
    static const cm_client_request r = {
        .method = "GET", .target = {(const uint8_t *)"/metrics", 8}, .auth = CM_CLIENT_PLAIN};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    struct snapshot *free_one = t->before;
    cm_view text;
    cm_sample s;
    bool got;

    CM_TRY(cm_client_call(t->client, &a, &r));
    if (a.status != 200)
        return CM_FAIL(METRICS_TEXT);
    *free_one = (struct snapshot){.ns = cm_os_monotonic_ns()};
    for (text = cm_buf_view(&a.body);;) {
        CM_TRY(cm_scrape_next(&text, &s, &got));
        if (!got)
            break;
        take(free_one, &s);
    }
    t->before = t->now;
    t->now = free_one;
    return CM_OKAY;
}

/* ---- what happened between two snapshots --------------------------------------------------- */

/* Of the first snapshot: what there was since the server's start, without a time. */
static double seconds(const struct top *t)
{
    return t->before->ns ? (double)(t->now->ns - t->before->ns) / 1e9 : 0;
}

/* A server that was started anew counts from zero. */
static double grown(double now, double before)
{
    return now >= before ? now - before : now;
}

static double rate(const struct top *t, double now, double before)
{
    double s = seconds(t);

    return s > 0 ? grown(now, before) / s : 0;
}

static const struct op *earlier(const struct top *t, const struct op *op)
{
    for (size_t i = 0; i < t->before->ops_n; i++)
        if (strcmp(t->before->op[i].name, op->name) == 0)
            return &t->before->op[i];
    return NULL;
}

/* The bound below which the part p of the calls in between was answered, in seconds: the metrics
 * have no finer answer. 0 when there was none. */
static double percentile(const struct top *t, const struct op *op, double p)
{
    const struct op *was = earlier(t, op);
    double all = grown(op->ok + op->failed, was ? was->ok + was->failed : 0);

    for (size_t i = 0; all > 0 && i < t->now->bounds_n; i++)
        if (grown(op->under[i], was ? was->under[i] : 0) >= p * all)
            return t->now->bound[i];
    return 0;
}

static double calls_of(const struct top *t, const struct op *op)
{
    const struct op *was = earlier(t, op);

    return grown(op->ok + op->failed, was ? was->ok + was->failed : 0);
}

/* The busiest first. */
static size_t busiest(const struct top *t, const struct op *list[OPS])
{
    size_t n = 0;

    for (size_t i = 0; i < t->now->ops_n; i++) {
        const struct op *op = &t->now->op[i];
        size_t at = n++;

        for (; at > 0 && calls_of(t, list[at - 1]) < calls_of(t, op); at--)
            list[at] = list[at - 1];
        list[at] = op;
    }
    return n;
}

/* ---- showing ------------------------------------------------------------------------------- */

static void tell_op(struct top *t, const struct op *op)
{
    const struct op *was = earlier(t, op);
    cm_cli_event e;

    cm_cli_event_begin(t->cli, &e, "operation");
    cm_json_put_text(&e.w, "operation", cm_view_str(op->name));
    cm_json_put_u64(&e.w, "ok", (uint64_t)op->ok);
    cm_json_put_u64(&e.w, "failed", (uint64_t)op->failed);
    if (seconds(t) > 0) {
        cm_json_put_u64(&e.w, "ok_between", (uint64_t)grown(op->ok, was ? was->ok : 0));
        cm_json_put_u64(&e.w, "failed_between", (uint64_t)grown(op->failed, was ? was->failed : 0));
    }
    cm_json_put_u64(&e.w, "p50_within_us", (uint64_t)(percentile(t, op, 0.5) * 1e6 + 0.5));
    cm_json_put_u64(&e.w, "p99_within_us", (uint64_t)(percentile(t, op, 0.99) * 1e6 + 0.5));
    cm_cli_event_end(t->cli, &e);
}

static void tell(struct top *t, const struct op *const *list, size_t n)
{
    const struct snapshot *s = t->now;
    cm_cli_event e;

    if (!t->cli->json)
        return;
    cm_cli_event_begin(t->cli, &e, "server");
    cm_json_put_text(&e.w, "server", cm_view_str(t->url));
    cm_json_put_u64(&e.w, "milliseconds", (uint64_t)(seconds(t) * 1000));
    cm_json_put_bool(&e.w, "unsealed", s->up > 0);
    cm_json_put_bool(&e.w, "leader", s->leader > 0);
    cm_json_put_u64(&e.w, "resident_bytes", (uint64_t)s->resident);
    cm_json_put_u64(&e.w, "connections", (uint64_t)s->connections);
    cm_json_put_u64(&e.w, "handshakes", (uint64_t)s->handshakes);
    cm_json_put_u64(&e.w, "handshakes_refused", (uint64_t)s->refused);
    cm_json_put_u64(&e.w, "no_pq_group", (uint64_t)s->no_pq_group);
    cm_json_put_u64(&e.w, "received_bytes", (uint64_t)s->received);
    cm_json_put_u64(&e.w, "sent_bytes", (uint64_t)s->sent);
    cm_cli_event_end(t->cli, &e);
    for (size_t i = 0; i < n; i++)
        tell_op(t, list[i]);
}

static void say_head(struct top *t)
{
    const struct snapshot *s = t->now, *was = t->before;
    char memory[32], in[32], out[32], date[32];

    cm_cli_say(t->cli, "%s  %s  %s%s  %s of memory\n", t->url, cm_cli_date(date, cm_os_now()),
               s->up > 0 ? "unsealed" : "SEALED", s->leader > 0 ? ", leader" : "",
               cm_cli_bytes(memory, (uint64_t)s->resident));
    cm_cli_say(t->cli,
               "connections %.0f   handshakes %.1f/s   refused %.1f/s (%.0f in all, %.0f of them "
               "without a post-quantum group)\n",
               s->connections, rate(t, s->handshakes, was->handshakes),
               rate(t, s->refused, was->refused), s->refused, s->no_pq_group);
    cm_cli_say(t->cli, "in %s/s   out %s/s\n\n",
               cm_cli_bytes(in, (uint64_t)rate(t, s->received, was->received)),
               cm_cli_bytes(out, (uint64_t)rate(t, s->sent, was->sent)));
}

static const char *within(char text[16], double s)
{
    if (s <= 0)
        snprintf(text, 16, "-");
    else if (s > 1e6)
        snprintf(text, 16, "> 30 s");
    else if (s >= 1)
        snprintf(text, 16, "%.3g s", s);
    else
        snprintf(text, 16, "%.3g ms", s * 1e3);
    return text;
}

static void say(struct top *t, const struct op *const *list, size_t n)
{
    char p50[16], p99[16];

    say_head(t);
    cm_cli_say(t->cli, "%-28s %10s %10s %9s %9s %12s %10s\n", "operation", "calls/s", "errors/s",
               "p50 <=", "p99 <=", "calls", "errors");
    for (size_t i = 0; i < n && i < ROWS; i++) {
        const struct op *op = list[i], *was = earlier(t, op);

        cm_cli_say(t->cli, "%-28s %10.1f %10.1f %9s %9s %12.0f %10.0f\n", op->name,
                   rate(t, op->ok + op->failed, was ? was->ok + was->failed : 0),
                   rate(t, op->failed, was ? was->failed : 0), within(p50, percentile(t, op, 0.5)),
                   within(p99, percentile(t, op, 0.99)), op->ok + op->failed, op->failed);
    }
}

static void show(struct top *t, bool redraw)
{
    const struct op *list[OPS];
    size_t n = busiest(t, list);

    if (redraw)
        cm_cli_say(t->cli, "\033[H\033[2J");
    tell(t, list, n);
    say(t, list, n);
    if (redraw)
        cm_cli_say(t->cli, "\nq: leave\n");
    (void)fflush(stdout);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void raw_keys(struct top *t)
{
    struct termios quiet;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &t->restore) != 0)
        return;
    quiet = t->restore;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
}

static void top_done(struct top *t)
{
    if (t->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->restore);
    cm_client_free(t->client);
    cm_free(t->now);
    cm_free(t->before);
}

/* Whether to go on after the interval. */
static bool wait_for(struct top *t)
{
    struct pollfd p[2] = {{t->cli->wake, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    uint64_t end = cm_os_monotonic_ns() + t->every_ms * 1000000;

    for (;;) {
        uint64_t now = cm_os_monotonic_ns();
        char key;

        if (atomic_load(&t->cli->cancel))
            return false;
        if (now >= end)
            return true;
        if (poll(p, t->raw ? 2 : 1, (int)((end - now) / 1000000) + 1) > 0 && t->raw &&
            p[1].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
            return false;
    }
}

/* ---- where --------------------------------------------------------------------------------- */

/* The admin socket that casemate serve puts beside the profile. */
static cm_err find_url(cm_cli *cli, char url[CM_CLI_LINE])
{
    CM_AUTO(cm_free_ptr) char *profile = NULL;
    const char *slash;
    int n;

    if (cli->args_n) {
        n = snprintf(url, CM_CLI_LINE, "%s", cli->args[0]);
        return n < CM_CLI_LINE ? CM_OKAY : CM_FAIL(CLIENT_URL);
    }
    CM_TRY(cm_remote_profile(cli, &profile));
    slash = strrchr(profile, '/');
    n = snprintf(url, CM_CLI_LINE, "unix:%.*s/admin.sock", slash ? (int)(slash - profile) : 1,
                 slash ? profile : ".");
    return n < CM_CLI_LINE ? CM_OKAY : CM_FAIL(CLIENT_URL);
}

cm_err cm_cli_top(cm_cli *cli)
{
    CM_AUTO(top_done) struct top t = {.cli = cli};
    cm_client_options o = {.connect_ms = 5000, .call_ms = 5000, .body_max = TEXT_MAX};
    uint64_t every = 1;
    bool live;

    CM_TRY(cm_cli_number(cli, "interval", 1, 3600, &every));
    t.every_ms = every * 1000;
    CM_TRY(find_url(cli, t.url));
    cm_cli_on(cli, t.url);
    o.url = cm_view_str(t.url);
    CM_TRY(cm_client_new(&t.client, cli->crypt, &o));
    CM_TRY(cm_alloc(&t.now, sizeof *t.now));
    CM_TRY(cm_alloc(&t.before, sizeof *t.before));
    live = !cm_cli_has(cli, "once") && (cli->json || cli->tty_out);
    if (live && !cli->json)
        raw_keys(&t);
    /* Alone, a picture is of one interval: what came before has no rates. */
    CM_TRY(scrape(&t));
    if (!live && wait_for(&t))
        CM_TRY(scrape(&t));
    show(&t, live && !cli->json);
    while (live && wait_for(&t)) {
        CM_TRY(scrape(&t));
        show(&t, !cli->json);
    }
    return CM_OKAY;
}
