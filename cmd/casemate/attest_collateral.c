/* casemate attest collateral: what vendors publish about their machines, kept for verification. */
#include <stdio.h>
#include <string.h>

#include "attest.h"
#include "base/os.h"
#include "collateral.h"
#include "ring.h"

enum { FILES_MAX = 64 };

typedef struct {
    cm_cli *cli;
    cm_cli_store *s;
    const char *path;
    size_t n, refused;
    cm_buf out; /* of export */
    cm_buf *file;
    cm_view *view;
} job;

static const char *state_of(const cm_collateral *c, uint64_t now)
{
    return c->next && c->next <= now ? "EXPIRED" : c->issued > now ? "not yet" : "valid";
}

static void tell(job *j, const char *event, const cm_collateral *c)
{
    char from[32], to[32];
    cm_cli_event e;

    cm_cli_event_begin(j->cli, &e, event);
    cm_json_put_text(&e.w, "slot", cm_view_str(c->slot));
    cm_json_put_text(&e.w, "kind", cm_view_str(c->kind));
    cm_json_put_u64(&e.w, "issued", c->issued);
    cm_json_put_u64(&e.w, "next", c->next);
    cm_json_put_text(&e.w, "state", cm_view_str(state_of(c, j->s->now)));
    cm_cli_event_end(j->cli, &e);
    cm_cli_say(j->cli, "%-8s %-30s of %s, until %s\n", state_of(c, j->s->now), c->slot,
               cm_cli_date(from, c->issued), c->next ? cm_cli_date(to, c->next) : "no end");
}

/* ---- import --------------------------------------------------------------------------------- */

static cm_err keep(void *arg, cm_view file)
{
    job *j = (job *)arg;
    cm_collateral what;
    cm_err e = cm_cli_store_put(j->cli, j->s, file, &what);

    if (cm_is(e, CM_COLLATERAL_OLD) || cm_is(e, CM_COLLATERAL_KIND)) {
        j->refused++;
        return cm_cli_about(j->cli, j->path, e, NULL);
    }
    CM_TRY(e);
    j->n++;
    tell(j, "kept", &what);
    return CM_OKAY;
}

/* One of many that is older or unknown does not keep the others out. */
static cm_err keep_of_many(void *arg, cm_view file)
{
    job *j = (job *)arg;
    cm_err e = keep(arg, file);

    if (!cm_is(e, CM_COLLATERAL_OLD) && !cm_is(e, CM_COLLATERAL_KIND))
        return e;
    cm_cli_note(j->cli, "%s: %s\n", j->path, cm_err_what(e));
    return CM_OKAY;
}

static cm_err import(job *j)
{
    if (j->cli->args_n < 2)
        return cm_cli_usage(j->cli, "import takes files");
    for (size_t i = 1; i < j->cli->args_n; i++) {
        CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_COLLATERAL_BUNDLE_MAX};
        cm_err e;

        j->path = j->cli->args[i];
        CM_TRY(cm_cli_about(j->cli, j->path, cm_os_slurp(&file, j->path, CM_COLLATERAL_BUNDLE_MAX),
                            NULL));
        e = cm_collateral_bundle_each(cm_buf_view(&file), keep_of_many, j);
        if (cm_is(e, CM_COLLATERAL_BUNDLE))
            e = keep(j, cm_buf_view(&file));
        CM_TRY(cm_cli_about(j->cli, j->path, e, NULL));
    }
    return CM_OKAY;
}

/* ---- list, prune, export -------------------------------------------------------------------- */

static cm_err list_one(void *arg, const char *path, const cm_collateral *c, cm_view file)
{
    job *j = (job *)arg;

    (void)path;
    (void)file;
    j->n++;
    tell(j, "collateral", c);
    return CM_OKAY;
}

static cm_err list(job *j)
{
    CM_TRY(cm_cli_store_each(j->cli, j->s, list_one, j));
    cm_cli_say(j->cli, "%zu in %s\n", j->n, j->s->dir);
    return CM_OKAY;
}

static cm_err prune_one(void *arg, const char *path, const cm_collateral *c, cm_view file)
{
    job *j = (job *)arg;

    (void)file;
    if (!c->next || c->next > j->s->now)
        return CM_OKAY;
    cm_os_remove(path);
    j->n++;
    tell(j, "removed", c);
    return CM_OKAY;
}

static cm_err prune(job *j)
{
    CM_TRY(cm_cli_store_each(j->cli, j->s, prune_one, j));
    cm_cli_say(j->cli, "%zu removed\n", j->n);
    return CM_OKAY;
}

static cm_err copy_one(void *arg, const char *path, const cm_collateral *c, cm_view file)
{
    job *j = (job *)arg;

    (void)path;
    (void)c;
    if (j->n == CM_COLLATERAL_ITEMS)
        return CM_FAIL(TOO_BIG);
    j->file[j->n].max = CM_COLLATERAL_MAX;
    CM_TRY(cm_buf_append(&j->file[j->n], file));
    j->view[j->n] = cm_buf_view(&j->file[j->n]);
    j->n++;
    return CM_OKAY;
}

static cm_err export_all(job *j)
{
    if (!cm_cli_has(j->cli, "out"))
        return cm_cli_usage(j->cli, "export takes --out");
    CM_TRY(cm_alloc_array(&j->file, CM_COLLATERAL_ITEMS, sizeof *j->file));
    CM_TRY(cm_alloc_array(&j->view, CM_COLLATERAL_ITEMS, sizeof *j->view));
    CM_TRY(cm_cli_store_each(j->cli, j->s, copy_one, j));
    j->out.max = CM_COLLATERAL_BUNDLE_MAX;
    CM_TRY(cm_collateral_bundle_put(&j->out, j->view, j->n));
    return cm_cli_put_file(j->cli, cm_cli_text(j->cli, "out"), cm_buf_view(&j->out));
}

/* ---- sources -------------------------------------------------------------------------------- */

static cm_err refresh(job *j)
{
    return cm_cli_store_refresh(j->cli, j->s);
}

static cm_err source(job *j)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 256 << 10};
    char path[CM_CLI_STORE_NAME];

    (void)snprintf(path, sizeof path, "%s/.sources", j->s->dir);
    if (cm_os_exists(path))
        CM_TRY(cm_cli_about(j->cli, path, cm_os_slurp(&file, path, file.max), NULL));
    for (size_t i = 1; i < j->cli->args_n; i++) {
        if (strpbrk(j->cli->args[i], "\n\r#") == j->cli->args[i] || strchr(j->cli->args[i], '\n'))
            return cm_cli_usage(j->cli, "an address is one line");
        CM_TRY(cm_buf_append(&file, cm_view_str(j->cli->args[i])));
        CM_TRY(cm_buf_byte(&file, '\n'));
    }
    if (j->cli->args_n > 1)
        CM_TRY(cm_os_spit(path, cm_buf_view(&file), 0644, true));
    cm_cli_say(j->cli, "%.*s", (int)file.n, file.n ? (const char *)file.p : "");
    return CM_OKAY;
}

static void job_done(job *j)
{
    for (size_t i = 0; j->file && i < CM_COLLATERAL_ITEMS; i++)
        cm_buf_free(&j->file[i]);
    cm_free(j->file);
    cm_free(j->view);
    cm_buf_free(&j->out);
}

cm_err cm_cli_attest_collateral(cm_cli *cli)
{
    static const struct {
        const char *name;
        cm_err (*run)(job *j);
        bool writes;
    } verbs[] = {{"import", import, true},      {"list", list, false},
                 {"refresh", refresh, true},    {"prune", prune, true},
                 {"export", export_all, false}, {"source", source, true}};
    CM_AUTO(cm_cli_store_close) cm_cli_store s = {.lock = -1};
    CM_AUTO(job_done) job j = {.cli = cli, .s = &s};
    bool exists = false;

    for (size_t i = 0; i < CM_COUNT(verbs); i++) {
        if (strcmp(cli->args[0], verbs[i].name) != 0)
            continue;
        CM_TRY(cm_cli_store_open(cli, &s, verbs[i].writes, &exists));
        if (cm_cli_has(cli, "at"))
            CM_TRY(cm_cli_time(cli, "at", &s.now));
        return verbs[i].run(&j);
    }
    return cm_cli_usage(cli, "collateral takes import, list, refresh, prune, export or source");
}
