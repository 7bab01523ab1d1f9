/* casemate config: what the table of the servers' configuration tells. */
#include <stdio.h>

#include "base/os.h"
#include "ring.h"
#include "run/config.h"

enum { TEXT_MAX = 1 << 20 };

static void show_fault(cm_cli *cli, const cm_config_fault *f, const char *path, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = TEXT_MAX};
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, f->warning ? "warning" : "fault");
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_u64(&e.w, "line", f->line);
    cm_json_put_u64(&e.w, "column", f->column);
    cm_json_put_text(&e.w, "key", cm_view_str(f->key));
    cm_json_put_text(&e.w, "what", cm_view_str(f->what));
    cm_json_put_text(&e.w, "hint", cm_view_str(f->hint));
    cm_cli_event_end(cli, &e);
    if (cm_ok(cm_config_fault_write(&b, f, path, text)) && b.n)
        cm_cli_note(cli, "%.*s", (int)b.n, (const char *)b.p);
}

static cm_err read_config(cm_cli *cli, cm_config **out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_CONFIG_FILE_MAX + 1};
    cm_config_faults f = {.n = 0};
    cm_err e;

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&text, path, CM_CONFIG_FILE_MAX), NULL));
    e = cm_config_read(out, cm_buf_view(&text), path, &f);
    for (size_t i = 0; i < f.n; i++)
        show_fault(cli, &f.v[i], path, cm_buf_view(&text));
    return cm_cli_about(cli, path, e, NULL);
}

cm_err cm_cli_config_check(cm_cli *cli)
{
    CM_AUTO(cm_config_free_ptr) cm_config *c = NULL;
    cm_cli_event e;

    CM_TRY(read_config(cli, &c, cli->args[0]));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "path", cm_view_str(cli->args[0]));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: fine\n", cli->args[0]);
    return CM_OKAY;
}

cm_err cm_cli_config_explain(cm_cli *cli)
{
    CM_AUTO(cm_config_free_ptr) cm_config *c = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = TEXT_MAX};
    cm_cli_event e;

    CM_TRY(read_config(cli, &c, cli->args[0]));
    CM_TRY(cm_config_explain(&b, c));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "text", cm_buf_view(&b));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%.*s", (int)b.n, (const char *)b.p);
    return CM_OKAY;
}

static cm_err document(cm_cli *cli, cm_err (*write)(cm_buf *out))
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = TEXT_MAX};

    CM_TRY(write(&b));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&b));
}

cm_err cm_cli_config_schema(cm_cli *cli)
{
    return document(cli, cm_config_schema);
}

cm_err cm_cli_config_reference(cm_cli *cli)
{
    return document(cli, cm_config_markdown);
}
