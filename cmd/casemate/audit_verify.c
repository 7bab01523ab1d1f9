/* casemate audit verify: with public keys alone. */
#include <stdio.h>

#include "audit.h"
#include "base/os.h"

typedef struct {
    cm_cli *cli;
    cm_cli_vkeys keys, witnesses;
    cm_audit_trust trust;
    cm_cli_checks checks;
} verifying;

static void verifying_done(verifying *v)
{
    cm_cli_vkeys_done(&v->keys);
    cm_cli_vkeys_done(&v->witnesses);
}

/* ---- one checkpoint ---- */

/* false: nothing else is worth a look. */
static bool check_note(verifying *v, cm_view note, cm_checkpoint *c)
{
    cm_audit_trust alone = v->trust;
    cm_audit_checked x;
    cm_err e;

    alone.quorum = 0;
    e = cm_audit_check_note(&x, &alone, note);
    if (cm_failed(e)) {
        cm_cli_fail(&v->checks, "checkpoint", e, "");
        return false;
    }
    *c = x.checkpoint;
    cm_cli_pass(&v->checks, "checkpoint", "%.*s, %llu entries, signed by %zu %s", (int)c->origin.n,
                (const char *)c->origin.p, (unsigned long long)c->size, v->keys.n,
                v->keys.n == 1 ? "key" : "keys");
    if (v->witnesses.n == 0) {
        cm_cli_skip(&v->checks, "witnesses", "no --witness given: a second log would not show");
        return true;
    }
    e = cm_audit_check_note(&x, &v->trust, note);
    if (cm_failed(e))
        cm_cli_fail(&v->checks, "witnesses", e, "");
    else
        cm_cli_pass(&v->checks, "witnesses", "%d of %zu, %zu asked for",
                    __builtin_popcountll(x.witnesses), v->witnesses.n, v->trust.quorum);
    return true;
}

static cm_err slurp(cm_cli *cli, cm_buf *b, const char *path)
{
    return cm_cli_about(cli, path, cm_os_slurp(b, path, CM_RECEIPT_MAX), NULL);
}

/* ---- a later checkpoint goes on from an earlier ---- */

static void check_since(verifying *v, cm_view newer, const cm_log_view *log)
{
    CM_AUTO(cm_buf_free) cm_buf older = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 65 * 32};
    const char *path = cm_cli_text(v->cli, "since");
    cm_checkpoint c = {0};
    cm_note n;
    cm_err e;

    if (!path) {
        cm_cli_skip(&v->checks, "history", "no --since: not compared with what was seen before");
        return;
    }
    e = cm_os_slurp(&older, path, CM_NOTE_MAX - 1);
    if (cm_ok(e))
        e = cm_note_parse(&n, cm_buf_view(&older));
    if (cm_ok(e))
        e = cm_checkpoint_parse(&c, n.text);
    if (cm_ok(e))
        e = cm_log_proof_since(&proof, log, c.size);
    if (cm_ok(e))
        e = cm_audit_check_consistency(&v->trust, cm_buf_view(&older), newer, cm_buf_view(&proof));
    if (cm_failed(e))
        cm_cli_fail(&v->checks, "history", e, path);
    else
        cm_cli_pass(&v->checks, "history", "goes on from the %llu entries of %s",
                    (unsigned long long)c.size, path);
}

/* ---- a whole log ---- */

static bool progress(void *self, uint64_t done, uint64_t of)
{
    verifying *v = self;
    uint64_t now = cm_os_monotonic_ns();
    cm_cli_event e;

    if (now - v->cli->progress.shown_ns > UINT64_C(500000000)) {
        v->cli->progress.shown_ns = now;
        cm_cli_event_begin(v->cli, &e, "progress");
        cm_json_put_u64(&e.w, "entries", done);
        cm_json_put_u64(&e.w, "of", of);
        cm_cli_event_end(v->cli, &e);
    }
    return !atomic_load(&v->cli->cancel);
}

/* arg: of the folder; past the last: --store, or a server's. */
static cm_err verify_log(verifying *v, size_t arg)
{
    CM_AUTO(cm_cli_log_close) cm_cli_log log = {0};
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    const cm_audit_watch watch = {.progress = progress, .self = v};
    cm_audit_extent at;
    cm_checkpoint c;
    cm_err e;

    if (arg < v->cli->args_n)
        CM_TRY(cm_cli_log_open(v->cli, &log, v->cli->args[arg]));
    else
        CM_TRY(cm_cli_log_any(v->cli, &log, arg));
    CM_TRY(log.view.note(log.view.self, &note));
    if (!check_note(v, cm_buf_view(&note), &c))
        return CM_OKAY;
    e = cm_audit_check_log(&at, &v->trust, &log.view, &watch);
    if (cm_is(e, CM_CANCELLED) || cm_err_class(e) == CM_CLASS_DENIED)
        return e;
    if (cm_is(e, CM_AUDIT_QUORUM)) /* said already; the content is a matter of its own */
        cm_cli_skip(&v->checks, "content", "not looked at without the witnesses asked for");
    else if (cm_failed(e))
        cm_cli_fail(&v->checks, "content", e, at.file);
    else
        cm_cli_pass(&v->checks, "content", "%llu entries hashed again: tiles and root fit",
                    (unsigned long long)at.entries);
    check_since(v, cm_buf_view(&note), &log.view);
    return CM_OKAY;
}

/* ---- a receipt ---- */

static cm_err verify_receipt(verifying *v, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf entry = {.max = CM_RECEIPT_EXTRA + 1};
    CM_AUTO(cm_receipt_done) cm_receipt r = {0}, checked = {0};
    const char *path = cm_cli_text(v->cli, "entry");
    cm_audit_trust alone = v->trust;
    cm_audit_checked x;
    cm_checkpoint c;
    cm_err e = cm_receipt_parse(&r, text);

    alone.quorum = 0;
    if (path)
        CM_TRY(cm_cli_about(v->cli, path, cm_os_slurp(&entry, path, CM_RECEIPT_EXTRA), NULL));
    if (cm_failed(e)) {
        cm_cli_fail(&v->checks, "receipt", e, "");
        return CM_OKAY;
    }
    if (!check_note(v, r.note, &c))
        return CM_OKAY;
    e = cm_audit_check_receipt(&x, &checked, &alone, text, cm_buf_view(&entry));
    if (cm_failed(e)) {
        cm_cli_fail(&v->checks, "inclusion", e, "");
        return CM_OKAY;
    }
    cm_cli_pass(&v->checks, "inclusion", "entry %llu of %llu", (unsigned long long)r.index,
                (unsigned long long)c.size);
    cm_cli_say_entry(v->cli, r.index, path ? cm_buf_view(&entry) : cm_buf_view(&checked.extra));
    return CM_OKAY;
}

static cm_err verify_file(verifying *v, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RECEIPT_MAX + 1};
    static const char first[] = "c2sp.org/tlog-proof@";
    cm_checkpoint c;

    CM_TRY(slurp(v->cli, &b, path));
    cm_cli_on(v->cli, path);
    if (b.n >= sizeof first && memcmp(b.p, first, sizeof first - 1) == 0)
        return verify_receipt(v, cm_buf_view(&b));
    (void)check_note(v, cm_buf_view(&b), &c);
    return CM_OKAY;
}

/* ---- the command ---- */

static cm_err prepare(cm_cli *cli, verifying *v)
{
    uint64_t quorum;

    v->cli = v->checks.cli = cli;
    CM_TRY(cm_cli_vkeys_init(cli, &v->keys, "key"));
    CM_TRY(cm_cli_vkeys_init(cli, &v->witnesses, "witness"));
    if (v->keys.n == 0)
        return cm_cli_usage(cli, "which keys does the log sign with? Give --key");
    quorum = v->witnesses.n;
    CM_TRY(cm_cli_number(cli, "quorum", 0, v->witnesses.n, &quorum));
    v->trust = (cm_audit_trust){.origin = cm_cli_text(cli, "origin"),
                                .log = v->keys.v,
                                .log_n = v->keys.n,
                                .witness = v->witnesses.v,
                                .witness_n = v->witnesses.n,
                                .quorum = (size_t)quorum};
    return CM_OKAY;
}

cm_err cm_cli_audit_verify(cm_cli *cli)
{
    CM_AUTO(verifying_done) verifying v = {0};
    bool folder;

    CM_TRY(prepare(cli, &v));
    if (cli->args_n == 0 || cm_cli_has(cli, "store") || cm_cli_has(cli, "server"))
        CM_TRY(verify_log(&v, cli->args_n));
    for (size_t i = 0; i < cli->args_n; i++) {
        if (cli->args_n > 1)
            cm_cli_say(cli, "%s:\n", cli->args[i]);
        CM_TRY(cm_cli_is_folder(cli, &folder, cli->args[i]));
        CM_TRY(folder ? verify_log(&v, i) : verify_file(&v, cli->args[i]));
    }
    return cm_cli_conclude(&v.checks);
}
