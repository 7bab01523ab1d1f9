/* casemate audit prove, export, tail. */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "base/os.h"
#include "codec/text.h"
#include "ring.h"

static cm_err size_of(uint64_t *size, const cm_log_view *v)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    cm_checkpoint c;
    cm_note n;

    CM_TRY(v->note(v->self, &note));
    CM_TRY(cm_note_parse(&n, cm_buf_view(&note)));
    CM_TRY(cm_checkpoint_parse(&c, n.text));
    *size = c.size;
    return CM_OKAY;
}

/* ---- prove ---- */

/* The form that witnesses are asked in (C2SP tlog-witness): old size, hashes, checkpoint. */
static cm_err put_request(cm_buf *out, const cm_log_view *v, uint64_t old)
{
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = 65 * 32};
    char line[40];

    CM_TRY(cm_log_proof_since(&proof, v, old));
    (void)snprintf(line, sizeof line, "old %llu\n", (unsigned long long)old);
    CM_TRY(cm_buf_append(out, cm_view_str(line)));
    for (size_t i = 0; i < proof.n; i += 32) {
        CM_TRY(cm_base64_encode(out, cm_view_of(proof.p + i, 32), false));
        CM_TRY(cm_buf_byte(out, '\n'));
    }
    CM_TRY(cm_buf_byte(out, '\n'));
    return v->note(v->self, out);
}

cm_err cm_cli_audit_prove(cm_cli *cli)
{
    CM_AUTO(cm_cli_log_close) cm_cli_log l = {0};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_RECEIPT_MAX};
    const char *to = cm_cli_has(cli, "out") ? cm_cli_text(cli, "out") : "-";
    bool since = cm_cli_has(cli, "since-size");
    uint64_t index = 0, size = 0;

    CM_TRY(cm_cli_number(cli, "since-size", 0, INT64_MAX, &size));
    if (!since && (cli->args_n == 0 || cm_failed(cm_dec_u64(&index, cm_view_str(cli->args[0])))))
        return cm_cli_usage(cli, "which entry? Give its number");
    if (!since && cm_cli_log_is_server(cli, 1)) {
        CM_TRY(cm_cli_server_receipt(cli, &out, index));
        return cm_cli_put_file(cli, to, cm_buf_view(&out));
    }
    CM_TRY(cm_cli_log_any(cli, &l, since ? 0 : 1));
    CM_TRY(since ? put_request(&out, &l.view, size) : cm_log_receipt(&out, &l.view, index));
    cm_cli_on(cli, NULL);
    return cm_cli_put_file(cli, to, cm_buf_view(&out));
}

/* ---- export ---- */

typedef struct {
    cm_cli *cli;
    const char *dir;
    uint64_t files;
} export;

static bool path_in(const export *x, char path[4096], const char *name)
{
    return snprintf(path, 4096, "%s/%s", x->dir, name) < 4096;
}

static cm_err write_file(void *self, const char *name, cm_view v)
{
    export *x = self;
    char path[4096];
    char *slash;

    if (!path_in(x, path, name))
        return CM_FAIL(TOO_BIG);
    slash = strrchr(path, '/');
    *slash = 0;
    CM_TRY(cm_cli_about(x->cli, path, cm_cli_make_folder(path, 0755), NULL));
    *slash = '/';
    x->files++;
    return cm_cli_about(x->cli, path, cm_os_spit(path, v, 0644, true), NULL);
}

static bool has_file(void *self, const char *name)
{
    char path[4096];

    return path_in(self, path, name) && cm_os_exists(path);
}

static bool go_on(void *self, uint64_t done, uint64_t of)
{
    const export *x = self;

    (void)done;
    (void)of;
    return !atomic_load(&x->cli->cancel);
}

cm_err cm_cli_audit_export(cm_cli *cli)
{
    CM_AUTO(cm_cli_log_close) cm_cli_log l = {0};
    export x = {.cli = cli, .dir = cli->args[0]};
    const cm_log_sink sink = {write_file, has_file, go_on, &x};
    uint64_t size = 0;
    cm_cli_event e;

    CM_TRY(cm_cli_log_any(cli, &l, 1));
    CM_TRY(cm_log_export(&sink, &l.view, &size));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", CM_LIT("audit export"));
    cm_json_put_u64(&e.w, "entries", size);
    cm_json_put_u64(&e.w, "files", x.files);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: %llu entries, %llu files written\n", x.dir, (unsigned long long)size,
               (unsigned long long)x.files);
    return CM_OKAY;
}

/* ---- tail ---- */

static cm_err say_bundle(cm_cli *cli, const cm_log_view *v, uint64_t n, uint64_t from,
                         uint64_t size)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_TILE_WIDTH * (2 + 65535)};
    uint64_t index = n * CM_TILE_WIDTH;
    cm_view rest, entry;

    CM_TRY(v->bundle(v->self, &b, n, cm_tile_width(0, n, size)));
    rest = cm_buf_view(&b);
    for (; cm_log_entry_next(&rest, &entry); index++)
        if (index >= from)
            cm_cli_say_entry(cli, index, entry);
    return CM_OKAY;
}

cm_err cm_cli_audit_tail(cm_cli *cli)
{
    CM_AUTO(cm_cli_log_close) cm_cli_log l = {0};
    uint64_t size, from, last = 10;

    CM_TRY(cm_cli_number(cli, "lines", 1, INT64_MAX, &last));
    if (cm_cli_log_is_server(cli, 0))
        return cm_cli_server_tail(cli, last, cm_cli_has(cli, "follow"));
    if (cm_cli_has(cli, "follow"))
        return cm_cli_usage(cli, "--follow is for a server's log");
    CM_TRY(cm_cli_log_any(cli, &l, 0));
    CM_TRY(size_of(&size, &l.view));
    from = size > last ? size - last : 0;
    for (uint64_t n = from / CM_TILE_WIDTH; n * CM_TILE_WIDTH < size; n++)
        CM_TRY(say_bundle(cli, &l.view, n, from, size));
    return cm_cli_flush(cli);
}
