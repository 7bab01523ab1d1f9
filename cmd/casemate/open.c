/* casemate open, cat and exec: plaintext on its way out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "codec/text.h"

enum { CHUNK = 8 << 20 };

static void report(cm_cli *cli, const cm_sealed_info *i, const char *out, uint64_t resumed)
{
    char digest[65], rate[96], text[CM_CLI_LINE], old[32];
    cm_cli_event e;

    cm_cli_progress_end(cli);
    cm_cli_hex(digest, CM_VIEW(i->digest));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("open"));
    if (out)
        cm_json_put_text(&e.w, "path", cm_view_str(out));
    cm_json_put_text(&e.w, "name", i->name);
    cm_json_put_text(&e.w, "version", i->version);
    cm_json_put_text(&e.w, "digest", cm_view_str(digest));
    cm_json_put_u64(&e.w, "resumed", resumed);
    cm_cli_put_rate(cli, &e, i->size);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "opened  %s\nmodel   %s", out ? out : "",
               cm_cli_clean(text, sizeof text, i->name));
    cm_cli_say(cli, " %s\ndigest  %s, checked\n        %s",
               cm_cli_clean(text, sizeof text, i->version), digest,
               cm_cli_rate_text(cli, rate, i->size));
    if (resumed)
        cm_cli_say(cli, ", %s of it from an earlier run", cm_cli_bytes(old, resumed));
    cm_cli_say(cli, "\n");
}

/* ---- from a pipe --------------------------------------------------------------------------- */

/* Into a file: its name appears only once everything was checked. */
static cm_err stream_to_file(cm_cli *cli, const cm_cli_access *a, const char *out)
{
    cm_os_out o = {.fd = -1};
    cm_err e;

    CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_about(cli, out, cm_os_out_open(&o, out, 0600, false), NULL));
    e = cm_unseal_stream(cli->crypt, &a->o, STDIN_FILENO, o.fd);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, cm_cli_has(cli, "force"));
    if (cm_failed(e))
        cm_os_out_drop(&o);
    return e;
}

static cm_err open_stream(cm_cli *cli, const cm_cli_access *a, const char *out)
{
    cm_cli_event e;

    if (!cm_cli_has(cli, "stream-unverified"))
        return cm_cli_about(cli, "stdin", CM_FAIL(SEALED_NEEDS_FILE), NULL);
    cm_cli_on(cli, "stdin");
    cm_cli_progress_begin(cli);
    if (out && !cm_cli_is_dash(out))
        CM_TRY(stream_to_file(cli, a, out));
    else
        CM_TRY(cm_unseal_stream(cli->crypt, &a->o, STDIN_FILENO, STDOUT_FILENO));
    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("open"));
    cm_cli_put_rate(cli, &e, cli->progress.done);
    cm_cli_event_end(cli, &e);
    return CM_OKAY;
}

/* ---- from a file --------------------------------------------------------------------------- */

static cm_err default_output(cm_cli *cli, char **out, const char *in)
{
    size_t n = strlen(in);

    if (n <= 7 || strcmp(in + n - 7, ".sealed") != 0 || in[n - 8] == '/')
        return cm_cli_usage(cli, "%s does not end in .sealed: name the output with --output", in);
    return cm_strdup(out, cm_view_of(in, n - 7));
}

static cm_err open_to_stdout(cm_cli *cli, cm_cli_model *m)
{
    const cm_sealed_info *i = cm_sealed_get(m->s);

    if (i->directory)
        return cm_cli_usage(cli, "this is a folder: name where it goes with --output, or take one "
                                 "file with casemate cat --file");
    cm_cli_progress_begin(cli);
    CM_TRY(cm_sealed_write_to(m->s, STDOUT_FILENO));
    report(cli, i, NULL, 0);
    return CM_OKAY;
}

static cm_err open_file(cm_cli *cli, const cm_cli_access *a, const char *in, const char *given)
{
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};
    CM_AUTO(cm_free_ptr) char *made = NULL;
    uint64_t resumed = 0;
    const char *out = given;
    cm_err e;

    if (!given)
        CM_TRY(default_output(cli, &made, in));
    if (made)
        out = made;
    if (!cm_cli_is_dash(out))
        CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_model_load(cli, &m, in, a, true));
    if (cm_cli_is_dash(out))
        return open_to_stdout(cli, &m);
    cm_cli_progress_begin(cli);
    e = cm_sealed_extract(m.s, out, cm_cli_has(cli, "force"), &resumed);
    cli->resumable = cm_cli_has_part(out);
    if (cm_err_class(e) == CM_CLASS_UNAUTHENTIC)
        return cm_cli_about(cli, in, e, NULL);
    CM_TRY(cm_cli_about(cli, cm_is(e, CM_CANCELLED) ? in : out, e, NULL));
    report(cli, cm_sealed_get(m.s), out, resumed);
    return CM_OKAY;
}

cm_err cm_cli_open(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    const char *in = cli->args[0], *out = cm_cli_text(cli, "output");

    if ((out && cm_cli_is_dash(out)) || (!out && cm_cli_is_dash(in)))
        cm_cli_data_to_stdout(cli);
    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST));
    CM_TRY(cm_cli_threads(cli, &a.o.threads));
    return cm_cli_is_dash(in) ? open_stream(cli, &a, out) : open_file(cli, &a, in, out);
}

/* ---- parts --------------------------------------------------------------------------------- */

struct span {
    uint64_t off, n;
};

static cm_err find_tensor(cm_cli *cli, cm_sealed *s, const char *name, struct span *p)
{
    const cm_index *x;
    const cm_tensor *t;

    CM_TRY(cm_sealed_index(s, &x));
    t = cm_tensors_find(&x->tensors, cm_view_str(name));
    if (!t)
        return cm_cli_about(cli, name, CM_FAIL(SEALED_NO_TENSOR), NULL);
    *p = (struct span){t->offset, t->size};
    return CM_OKAY;
}

static cm_err find_file(cm_cli *cli, cm_sealed *s, const char *path, struct span *p)
{
    const cm_dir *d;

    CM_TRY(cm_sealed_dir(s, &d));
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->v[i].path, path) == 0) {
            *p = (struct span){d->v[i].offset, d->v[i].size};
            return CM_OKAY;
        }
    return cm_cli_about(cli, path, CM_FAIL(NO_FILE),
                        "casemate inspect --tensors lists the files of the model");
}

static cm_err narrow(cm_cli *cli, const char *range, struct span *p)
{
    size_t n = strcspn(range, ":");
    struct span in;

    if (!range[n] || cm_failed(cm_dec_size(&in.off, cm_view_of(range, n))) ||
        cm_failed(cm_dec_size(&in.n, cm_view_str(range + n + 1))))
        return cm_cli_usage(cli, "--range %s: not OFFSET:LENGTH", range);
    if (in.off > p->n || in.n > p->n - in.off)
        return cm_cli_usage(cli, "--range %s: past the end, there are %llu bytes", range,
                            (unsigned long long)p->n);
    *p = (struct span){p->off + in.off, in.n};
    return CM_OKAY;
}

static cm_err find(cm_cli *cli, cm_sealed *s, struct span *p)
{
    static const char *const ways[] = {"tensor", "file", NULL};

    CM_TRY(cm_cli_at_most_one(cli, ways));
    *p = (struct span){0, cm_sealed_get(s)->size};
    if (cm_cli_has(cli, "tensor"))
        CM_TRY(find_tensor(cli, s, cm_cli_text(cli, "tensor"), p));
    if (cm_cli_has(cli, "file"))
        CM_TRY(find_file(cli, s, cm_cli_text(cli, "file"), p));
    return cm_cli_has(cli, "range") ? narrow(cli, cm_cli_text(cli, "range"), p) : CM_OKAY;
}

static cm_err copy(cm_cli *cli, cm_sealed *s, struct span p, int fd)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CHUNK};
    uint64_t done = 0;

    CM_TRY(cm_buf_reserve(&b, CHUNK));
    b.n = CHUNK; /* all of it is wiped */
    while (done < p.n) {
        size_t n = (size_t)CM_MIN(p.n - done, (uint64_t)CHUNK);

        if (atomic_load(&cli->cancel))
            return CM_FAIL(CANCELLED);
        CM_TRY(cm_sealed_read(s, b.p, n, p.off + done));
        CM_TRY(cm_os_write(fd, b.p, n));
        done += n;
        cm_cli_progress_step(cli, done, p.n);
    }
    return CM_OKAY;
}

static cm_err copy_to_file(cm_cli *cli, cm_sealed *s, struct span p, const char *out)
{
    cm_os_out o = {.fd = -1};
    cm_err e;

    CM_TRY(cm_cli_about(cli, out, cm_os_out_open(&o, out, 0600, false), NULL));
    e = copy(cli, s, p, o.fd);
    if (cm_ok(e))
        e = cm_cli_about(cli, out, cm_os_out_commit(&o, cm_cli_has(cli, "force")), NULL);
    if (cm_failed(e))
        cm_os_out_drop(&o);
    return e;
}

cm_err cm_cli_cat(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};
    const char *out = cm_cli_text(cli, "output");
    struct span p;
    cm_cli_event e;

    if (!out || cm_cli_is_dash(out)) {
        cm_cli_data_to_stdout(cli);
        out = NULL;
    } else
        CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST));
    CM_TRY(cm_cli_threads(cli, &a.o.threads));
    CM_TRY(cm_cli_model_load(cli, &m, cli->args[0], &a, true));
    CM_TRY(find(cli, m.s, &p));
    cm_cli_progress_begin(cli);
    CM_TRY(out ? copy_to_file(cli, m.s, p, out) : copy(cli, m.s, p, STDOUT_FILENO));
    cm_cli_progress_end(cli);
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("cat"));
    cm_json_put_u64(&e.w, "offset", p.off);
    cm_json_put_u64(&e.w, "segments_read", cm_sealed_segments_read(m.s));
    cm_cli_put_rate(cli, &e, p.n);
    cm_cli_event_end(cli, &e);
    return CM_OKAY;
}

/* ---- a program ----------------------------------------------------------------------------- */

/* {} in text becomes path. */
static cm_err fill_in(char **out, const char *text, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 20};

    for (const char *p; (p = strstr(text, "{}")) != NULL; text = p + 2) {
        CM_TRY(cm_buf_append(&b, cm_view_of(text, (size_t)(p - text))));
        CM_TRY(cm_buf_append(&b, cm_view_str(path)));
    }
    CM_TRY(cm_buf_append(&b, cm_view_str(text)));
    return cm_strdup(out, cm_buf_view(&b));
}

static cm_err become(cm_cli *cli, int fd)
{
    CM_AUTO(cm_free_ptr) char **argv = NULL;
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CM_TRY(cm_alloc_array(&argv, cli->rest_n + 1, sizeof *argv));
    for (size_t i = 0; i < cli->rest_n; i++)
        CM_TRY(fill_in(&argv[i], cli->rest[i], path));
    if (fcntl(fd, F_SETFD, 0) != 0)
        return CM_FAIL(IO_OPEN);
    fflush(NULL);
    cm_cli_release_signals();
    execvp(argv[0], argv);
    return cm_cli_about(cli, cli->rest[0],
                        errno == ENOENT ? CM_FAIL(CLI_NO_COMMAND) : CM_FAIL(CLI_EXEC), NULL);
}

static cm_err to_memory(cm_cli *cli, const char *path, int *fd)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};

    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST));
    CM_TRY(cm_cli_threads(cli, &a.o.threads));
    CM_TRY(cm_cli_model_load(cli, &m, path, &a, true));
    if (cm_sealed_get(m.s)->directory)
        return cm_cli_usage(cli, "%s holds a folder, which is no single file: use casemate open",
                            path);
    cm_cli_progress_begin(cli);
    CM_TRY(cm_sealed_memfd(m.s, fd));
    cm_cli_progress_end(cli);
    return CM_OKAY;
}

cm_err cm_cli_exec(cm_cli *cli)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    const char *path = cm_cli_text(cli, "model");

    if (!path)
        return cm_cli_usage(cli, "--model is missing");
    cm_cli_data_to_stdout(cli);
    CM_TRY(to_memory(cli, path, &fd));
    return become(cli, fd);
}
