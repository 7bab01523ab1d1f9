/* casemate store: info, backup, restore, fsck, migrate. */
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "cli.h"
#include "store/care.h"

enum { CONNINFO_MAX = 4096 };

typedef enum { READ, FILL, MIGRATE } purpose;

/* ---- which store --------------------------------------------------------------------------- */

/* The file's first line, which must be its only one. */
static cm_err read_conninfo(char out[CONNINFO_MAX + 1], const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CONNINFO_MAX};

    CM_TRY(cm_os_slurp(&b, path, CONNINFO_MAX));
    while (b.n > 0 && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
        b.n--;
    if (b.n == 0 || memchr(b.p, 0, b.n) || memchr(b.p, '\n', b.n))
        return CM_FAIL(STORE_CONNINFO);
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
    return CM_OKAY;
}

static cm_err open_postgres(cm_store **s, const char *path, purpose why)
{
    char conninfo[CONNINFO_MAX + 1];
    cm_store_postgres o = {.conninfo = conninfo,
                           .create = why == FILL,
                           .migrate = why == MIGRATE,
                           .readers = 1,
                           .patience_s = 1};

    CM_TRY(read_conninfo(conninfo, path));
    return cm_store_open_postgres(s, &o);
}

static cm_err open_store(cm_cli *cli, cm_store **s, purpose why)
{
    static const char *const ways[] = {"store", "postgres", NULL};
    const char *file = cm_cli_text(cli, "store"), *postgres = cm_cli_text(cli, "postgres");
    cm_store_sqlite o = {
        .path = file, .create = why == FILL, .migrate = why == MIGRATE, .read_only = why == READ};

    CM_TRY(cm_cli_at_most_one(cli, ways));
    if (!file && !postgres)
        return cm_cli_usage(cli, "which store? Give --store FILE or --postgres FILE");
    cm_cli_on(cli, file ? file : postgres);
    if (postgres)
        return open_postgres(s, postgres, why);
    CM_TRY(cm_store_open_sqlite(s, &o));
    return CM_OKAY;
}

/* ---- info, migrate ------------------------------------------------------------------------- */

static void put_info(cm_cli_event *e, const cm_store_info *i)
{
    char id[33];

    cm_json_put_text(&e->w, "engine", cm_view_str(i->engine));
    cm_json_put_u64(&e->w, "schema", i->schema);
    cm_json_put_text(&e->w, "id", cm_view_str(cm_cli_hex(id, CM_VIEW(i->id))));
    cm_json_put_u64(&e->w, "generation", i->generation);
}

static cm_err show(cm_cli *cli, cm_store *s, const char *verb)
{
    cm_store_info i;
    cm_cli_event e;
    char id[33];

    CM_TRY(cm_store_get_info(s, &i));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str(verb));
    put_info(&e, &i);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "engine      %s\nschema      %u\nid          %s\ngeneration  %llu\n", i.engine,
               i.schema, cm_cli_hex(id, CM_VIEW(i.id)), (unsigned long long)i.generation);
    return CM_OKAY;
}

cm_err cm_cli_store_info(cm_cli *cli)
{
    CM_AUTO(cm_store_close_ptr) cm_store *s = NULL;

    CM_TRY(open_store(cli, &s, READ));
    return show(cli, s, "store info");
}

cm_err cm_cli_store_migrate(cm_cli *cli)
{
    CM_AUTO(cm_store_close_ptr) cm_store *s = NULL;

    CM_TRY(open_store(cli, &s, MIGRATE));
    return show(cli, s, "store migrate");
}

/* ---- backup, restore ----------------------------------------------------------------------- */

/* Rows are small: gathered, so that writes and reads are not. */
typedef struct {
    cm_cli *cli;
    int fd;
    size_t at, n;
    uint8_t b[1 << 16];
} stream;

static cm_err flush(stream *s)
{
    size_t n = s->n;

    s->n = 0;
    return cm_os_write(s->fd, s->b, n);
}

static cm_err to_stream(void *arg, cm_view v)
{
    stream *s = arg;

    if (atomic_load(&s->cli->cancel))
        return CM_FAIL(CANCELLED);
    while (v.n > 0) {
        size_t n = CM_MIN(v.n, sizeof s->b - s->n);

        memcpy(s->b + s->n, v.p, n);
        s->n += n;
        v = cm_view_sub(v, n, v.n - n);
        if (s->n == sizeof s->b)
            CM_TRY(flush(s));
    }
    return CM_OKAY;
}

static cm_err from_stream(void *arg, void *p, size_t n)
{
    stream *s = arg;
    uint8_t *to = p;

    if (atomic_load(&s->cli->cancel))
        return CM_FAIL(CANCELLED);
    while (n > 0) {
        size_t k = CM_MIN(n, s->n - s->at);

        memcpy(to, s->b + s->at, k);
        s->at += k;
        to += k;
        n -= k;
        if (n > 0) {
            s->at = 0;
            CM_TRY(cm_os_read(s->fd, s->b, sizeof s->b, &s->n));
            if (s->n == 0)
                return CM_FAIL(IO_SHORT);
        }
    }
    return CM_OKAY;
}

static void report(cm_cli *cli, const char *verb, const char *path, const cm_backup *b)
{
    char id[33], bytes[32];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str(verb));
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_text(&e.w, "id", cm_view_str(cm_cli_hex(id, CM_VIEW(b->store))));
    cm_json_put_u64(&e.w, "generation", b->generation);
    cm_json_put_u64(&e.w, "rows", b->rows);
    cm_json_put_u64(&e.w, "bytes", b->bytes);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: %llu rows, %s, generation %llu of store %s\n", path,
               (unsigned long long)b->rows, cm_cli_bytes(bytes, b->bytes),
               (unsigned long long)b->generation, cm_cli_hex(id, CM_VIEW(b->store)));
}

static cm_err backup(cm_cli *cli, cm_store *s, int fd, cm_backup *b)
{
    CM_AUTO(cm_free_ptr) stream *out = NULL;

    CM_TRY(cm_alloc(&out, sizeof *out));
    out->cli = cli;
    out->fd = fd;
    CM_TRY(cm_store_backup(s, cli->crypt, to_stream, out, b));
    return flush(out);
}

static cm_err backup_to_file(cm_cli *cli, cm_store *s, const char *path, cm_backup *b)
{
    CM_AUTO(cm_os_out_close) cm_os_out o = {.fd = -1};
    cm_err e;

    CM_TRY(cm_cli_check_output(cli, path));
    CM_TRY(cm_os_out_open(&o, path, 0600, false));
    e = backup(cli, s, o.fd, b);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, cm_cli_has(cli, "force"));
    if (cm_failed(e))
        cm_os_out_drop(&o);
    return e;
}

cm_err cm_cli_store_backup(cm_cli *cli)
{
    CM_AUTO(cm_store_close_ptr) cm_store *s = NULL;
    const char *path = cm_cli_text(cli, "out");
    cm_backup b;

    if (!path)
        return cm_cli_usage(cli, "where to? Give --out FILE, or --out - for stdout");
    CM_TRY(cm_cli_watch_signals(cli));
    CM_TRY(open_store(cli, &s, READ));
    if (strcmp(path, "-") == 0) {
        cm_cli_data_to_stdout(cli);
        CM_TRY(backup(cli, s, STDOUT_FILENO, &b));
    } else {
        CM_TRY(backup_to_file(cli, s, path, &b));
    }
    report(cli, "store backup", path, &b);
    return CM_OKAY;
}

cm_err cm_cli_store_restore(cm_cli *cli)
{
    CM_AUTO(cm_store_close_ptr) cm_store *s = NULL;
    CM_AUTO(cm_free_ptr) stream *in = NULL;
    CM_AUTO(cm_os_close_fd) int fd = -1;
    const char *path = cli->args[0];
    cm_backup b;

    CM_TRY(cm_cli_watch_signals(cli));
    CM_TRY(cm_alloc(&in, sizeof *in));
    in->cli = cli;
    if (strcmp(path, "-") != 0) {
        cm_cli_on(cli, path);
        CM_TRY(cm_os_open_read(&fd, path));
    }
    in->fd = fd >= 0 ? fd : STDIN_FILENO;
    CM_TRY(open_store(cli, &s, FILL));
    CM_TRY(cm_store_restore(s, cli->crypt, from_stream, in, &b));
    report(cli, "store restore", path, &b);
    cm_cli_note(cli, "This is another store now: a server that knew the old one must be started "
                     "once with --accept-rollback.\n");
    return CM_OKAY;
}

/* ---- fsck ---------------------------------------------------------------------------------- */

/* Components as text where they are, dots for other bytes. */
static void say_fault(void *arg, cm_view key, const char *what)
{
    cm_cli *cli = arg;
    char hex[2 * CM_PATH_MAX + 1], clean[CM_CLI_LINE];
    cm_cli_event e;

    cm_cli_hex(hex, cm_view_of(key.p, CM_MIN(key.n, (size_t)CM_PATH_MAX)));
    cm_cli_clean(clean, sizeof clean, cm_view_str(what));
    cm_cli_event_begin(cli, &e, "fault");
    cm_json_put_text(&e.w, "key", cm_view_str(hex));
    cm_json_put_text(&e.w, "what", cm_view_str(clean));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s%s%s\n", hex, key.n ? ": " : "", clean);
}

cm_err cm_cli_store_fsck(cm_cli *cli)
{
    CM_AUTO(cm_store_close_ptr) cm_store *s = NULL;
    cm_fsck f = {0};
    cm_cli_event e;
    cm_err err;

    CM_TRY(open_store(cli, &s, READ));
    err = cm_store_fsck(s, &f, say_fault, cli);
    if (cm_failed(err) && !cm_is(err, CM_STORE_DAMAGED))
        return err;
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("store fsck"));
    cm_json_put_u64(&e.w, "rows", f.rows);
    cm_json_put_u64(&e.w, "bytes", f.bytes);
    cm_json_put_u64(&e.w, "sealed", f.unopened);
    cm_json_put_u64(&e.w, "faults", f.faults);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%llu rows, %llu of them sealed and not opened, %llu faults\n",
               (unsigned long long)f.rows, (unsigned long long)f.unopened,
               (unsigned long long)f.faults);
    return err;
}
