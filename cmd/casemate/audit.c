/* What the `casemate audit` commands share. */
#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/os.h"

enum { KEYS_FILE = 1 << 16, FILE_MAX = 32 << 20 };

/* ---- keys ---- */

static cm_err add_key(cm_cli *cli, cm_cli_vkeys *k, cm_view text)
{
    if (k->n == CM_CLI_VKEYS)
        return cm_cli_usage(cli, "more than %d keys", CM_CLI_VKEYS);
    CM_TRY(cm_vkey_parse(&k->v[k->n], cli->crypt, text));
    k->n++;
    return CM_OKAY;
}

/* Empty lines and those that begin with # are passed over. */
static cm_err add_file(cm_cli *cli, cm_cli_vkeys *k, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = KEYS_FILE + 1};
    const uint8_t *p, *end, *nl;

    CM_TRY(cm_os_slurp(&b, path, KEYS_FILE));
    if (b.n == 0 || b.p[b.n - 1] != '\n')
        CM_TRY(cm_buf_byte(&b, '\n'));
    for (p = b.p, end = b.p + b.n; p < end; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(end - p));
        if (nl != p && *p != '#')
            CM_TRY(add_key(cli, k, cm_view_of(p, (size_t)(nl - p))));
    }
    return CM_OKAY;
}

cm_err cm_cli_vkeys_init(cm_cli *cli, cm_cli_vkeys *k, const char *option)
{
    for (size_t i = 0; i < cm_cli_count(cli, option); i++) {
        const char *v = cm_cli_nth(cli, option, i);
        cm_err e = cm_os_exists(v) ? add_file(cli, k, v) : add_key(cli, k, cm_view_str(v));

        CM_TRY(cm_cli_about(cli, v, e, NULL));
    }
    return CM_OKAY;
}

void cm_cli_vkeys_done(cm_cli_vkeys *k)
{
    for (size_t i = 0; i < k->n; i++)
        cm_vkey_done(&k->v[i]);
    k->n = 0;
}

/* ---- logs ---- */

static cm_err read_file(void *self, cm_buf *out, const char *name)
{
    const cm_cli_log *l = self;
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", l->dir, name) >= (int)sizeof path)
        return CM_FAIL(TOO_BIG);
    return cm_os_slurp(out, path, FILE_MAX);
}

static cm_err as_it_is(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                       cm_view v)
{
    (void)self;
    (void)tenant;
    (void)key;
    (void)version;
    return cm_buf_append(out, v);
}

/* The rows of a store without a server are not sealed; a server's are read through the server. */
const cm_store_sealer *cm_cli_log_sealer(cm_cli *cli)
{
    static const cm_store_sealer plain = {as_it_is, as_it_is, NULL};

    (void)cli;
    return &plain;
}

cm_err cm_cli_log_open(cm_cli *cli, cm_cli_log *l, const char *dir)
{
    cm_store_sqlite at = {0};

    *l = (cm_cli_log){.dir = dir};
    l->files = (cm_log_files){read_file, l};
    if (dir) {
        cm_cli_on(cli, dir);
        l->view = cm_log_view_files(&l->files);
        return CM_OKAY;
    }
    at.path = cm_cli_text(cli, "store");
    cm_cli_on(cli, at.path);
    CM_TRY(cm_store_open_sqlite(&l->store, &at));
    cm_store_unseal(l->store, cm_cli_log_sealer(cli));
    l->view = cm_log_view_store(l->store);
    return CM_OKAY;
}

bool cm_cli_log_is_server(const cm_cli *cli, size_t arg)
{
    return !cm_cli_has(cli, "store") && cli->args_n <= arg;
}

cm_err cm_cli_log_any(cm_cli *cli, cm_cli_log *l, size_t arg)
{
    cm_err e;

    if (cm_cli_has(cli, "store"))
        return cm_cli_log_open(cli, l, NULL);
    if (cli->args_n > arg)
        return cm_cli_log_open(cli, l, cli->args[arg]);
    e = cm_cli_log_server(cli, l);
    if (cm_is(e, CM_CLI_NO_SERVER))
        return cm_cli_usage(cli, "which log? Give an exported folder, --store FILE, or a server's "
                                 "profile with --server");
    return e;
}

void cm_cli_log_close(cm_cli_log *l)
{
    cm_store_close(l->store);
    l->store = NULL;
    cm_buf_free(&l->note);
    cm_remote_close(&l->remote);
}

cm_err cm_cli_is_folder(cm_cli *cli, bool *is, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return cm_cli_about(cli, path, CM_FAIL(NO_FILE), NULL);
    *is = S_ISDIR(st.st_mode);
    return CM_OKAY;
}

/* ---- checks ---- */

static void check_line(cm_cli *cli, const char *verdict, const char *color, const char *what,
                       const char *why, const char *reason)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "check");
    cm_json_put_text(&e.w, "verdict", cm_view_str(verdict));
    cm_json_put_text(&e.w, "what", cm_view_str(what));
    cm_json_put_text(&e.w, "why", cm_view_str(why));
    if (reason)
        cm_json_put_text(&e.w, "reason", cm_view_str(reason));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s%s%s  %-12s %s%s%s%s\n", cm_cli_color(cli, stdout, color), verdict,
               cm_cli_color(cli, stdout, "\033[0m"), what, why, reason ? " [" : "",
               reason ? reason : "", reason ? "]" : "");
}

void cm_cli_pass(cm_cli_checks *c, const char *what, const char *format, ...)
{
    char why[CM_CLI_LINE], clean[CM_CLI_LINE];
    va_list ap;

    va_start(ap, format);
    vsnprintf(why, sizeof why, format, ap);
    va_end(ap);
    c->pass++;
    check_line(c->cli, "PASS", "\033[32m", what,
               cm_cli_clean(clean, sizeof clean, cm_view_str(why)), NULL);
}

void cm_cli_skip(cm_cli_checks *c, const char *what, const char *why)
{
    c->skip++;
    check_line(c->cli, "SKIP", "\033[33m", what, why, NULL);
}

void cm_cli_fail(cm_cli_checks *c, const char *what, cm_err e, const char *where)
{
    char why[CM_CLI_LINE], clean[CM_CLI_LINE];

    snprintf(why, sizeof why, "%s%s%s", where, where[0] ? ": " : "", cm_err_what(e));
    c->fail++;
    check_line(c->cli, "FAIL", "\033[31m", what,
               cm_cli_clean(clean, sizeof clean, cm_view_str(why)), cm_err_name(e));
}

cm_err cm_cli_conclude(cm_cli_checks *c)
{
    cm_cli_event e;

    cm_cli_event_begin(c->cli, &e, "done");
    cm_json_put_text(&e.w, "verb", CM_LIT("audit verify"));
    cm_json_put_u64(&e.w, "passed", c->pass);
    cm_json_put_u64(&e.w, "skipped", c->skip);
    cm_json_put_u64(&e.w, "failed", c->fail);
    cm_cli_event_end(c->cli, &e);
    cm_cli_say(c->cli, "%u passed, %u skipped, %u failed\n", c->pass, c->skip, c->fail);
    return c->fail ? CM_FAIL(CLI_CHECK_FAILED) : CM_OKAY;
}

/* ---- entries ---- */

/* A row's path as its parts, anything else as it is. */
static const char *resource_text(char *text, size_t n, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_AUDIT_RESOURCE_MAX};
    size_t parts = 0;

    for (; cm_ok(cm_path_nth(&b, v, parts)); parts++)
        if (cm_failed(cm_buf_byte(&b, '/')))
            break;
    if (parts == 0 || b.n == 0)
        return cm_cli_clean(text, n, v);
    return cm_cli_clean(text, n, cm_view_of(b.p, b.n - 1));
}

static const char *decision_text(cm_audit_decision d)
{
    return d == CM_AUDIT_ALLOW ? "allowed" : d == CM_AUDIT_DENY ? "denied" : "failed";
}

static void entry_event(cm_cli *cli, uint64_t index, const cm_audit_entry *x, const char *resource)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "entry");
    cm_json_put_u64(&e.w, "index", index);
    cm_json_put_u64(&e.w, "time_ms", x->time_ms);
    cm_json_put_hex(&e.w, "id", x->id);
    cm_json_put_text(&e.w, "tenant", x->tenant);
    cm_json_put_hex(&e.w, "principal", x->principal);
    cm_json_put_text(&e.w, "op", x->op);
    cm_json_put_text(&e.w, "resource", cm_view_str(resource));
    cm_json_put_u64(&e.w, "key_version", x->key_version);
    cm_json_put_hex(&e.w, "request", x->request);
    cm_json_put_hex(&e.w, "evidence", x->evidence);
    cm_json_put_text(&e.w, "decision", cm_view_str(decision_text(x->decision)));
    if (x->custody.n)
        cm_json_put_text(&e.w, "custody", x->custody);
    if (x->reason)
        cm_json_put_text(&e.w, "reason", cm_view_str(cm_err_name((cm_err){x->reason})));
    cm_cli_event_end(cli, &e);
}

void cm_cli_say_entry(cm_cli *cli, uint64_t index, cm_view entry)
{
    char resource[CM_CLI_LINE], op[CM_AUDIT_OP_MAX + 1], tenant[CM_AUDIT_TENANT_MAX + 1], date[32];
    char custody[CM_AUDIT_CUSTODY_MAX + 1];
    cm_audit_entry x;
    cm_err e = cm_audit_entry_decode(&x, entry);

    if (cm_failed(e)) {
        cm_cli_say(cli, "%8llu  %s\n", (unsigned long long)index, cm_err_what(e));
        return;
    }
    resource_text(resource, sizeof resource, x.resource);
    entry_event(cli, index, &x, resource);
    cm_cli_say(cli, "%8llu  %s  %-7s  %s  %s  %s%s%s%s%s\n", (unsigned long long)index,
               cm_cli_date(date, x.time_ms / 1000), decision_text(x.decision),
               cm_cli_clean(op, sizeof op, x.op), cm_cli_clean(tenant, sizeof tenant, x.tenant),
               resource, x.custody.n ? "  " : "",
               x.custody.n ? cm_cli_clean(custody, sizeof custody, x.custody) : "",
               x.reason ? "  " : "", x.reason ? cm_err_name((cm_err){x.reason}) : "");
}
