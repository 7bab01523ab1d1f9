/* A server's log: read for proofs, exports and checks as any other, and followed. */
#include <stdio.h>
#include <unistd.h>

#include "audit.h"
#include "base/os.h"

enum { ARENA_MAX = 96 << 20, FOLLOW_S = 86400, PAUSE_MS = 1000, PIECE = 1000 };

/* ---- asking -------------------------------------------------------------------------------- */

static cm_err set_number(cm_msg *m, const char *name, uint64_t v)
{
    for (size_t i = 0; i < m->type->n; i++)
        if (strcmp(m->type->fields[i].name, name) == 0) {
            m->v[i].set = true;
            m->v[i].number = v;
            return CM_OKAY;
        }
    return CM_FAIL(BAD_ARGUMENT);
}

static cm_err set_text(cm_msg *m, const char *name, const char *v)
{
    for (size_t i = 0; i < m->type->n; i++)
        if (strcmp(m->type->fields[i].name, name) == 0) {
            m->v[i].set = true;
            m->v[i].view = cm_view_str(v);
            return CM_OKAY;
        }
    return CM_FAIL(BAD_ARGUMENT);
}

static const cm_msg_value *value_of(const cm_msg *m, const char *name)
{
    static const cm_msg_value none = {0};

    for (size_t i = 0; i < m->type->n; i++)
        if (strcmp(m->type->fields[i].name, name) == 0 && m->v[i].set)
            return &m->v[i];
    return &none;
}

static const cm_op *op_named(const char *name)
{
    return cm_svc_op_by_name(cm_view_str(name));
}

/* A request for entries of a tenant. */
static cm_err entries_request(cm_msg **m, cm_arena *a, const char *tenant, uint64_t from,
                              uint64_t count)
{
    CM_TRY(cm_msg_new(m, a, op_named("ListEntries")->request));
    CM_TRY(set_text(*m, "tenant", tenant));
    CM_TRY(set_number(*m, "from", from));
    return set_number(*m, "count", count);
}

/* ---- a log to read ------------------------------------------------------------------------- */

/* One checkpoint for as long as it is open: a server's grows between two looks. */
static cm_err server_note(void *self, cm_buf *out)
{
    cm_cli_log *l = self;
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *request, *answer;

    if (l->note.n == 0) {
        l->note.max = CM_NOTE_MAX;
        CM_TRY(cm_arena_new(&a, ARENA_MAX));
        CM_TRY(cm_msg_new(&request, a, op_named("GetCheckpoint")->request));
        CM_TRY(cm_remote_call(l->cli, &l->remote, op_named("GetCheckpoint"), a, request, &answer));
        CM_TRY(cm_buf_append(&l->note, value_of(answer, "checkpoint")->view));
    }
    return cm_buf_append(out, cm_buf_view(&l->note));
}

static cm_err server_tile(void *self, cm_buf *out, unsigned level, uint64_t n, unsigned width)
{
    cm_cli_log *l = self;
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *request, *answer;
    cm_view tile;

    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_msg_new(&request, a, op_named("GetTile")->request));
    CM_TRY(set_number(request, "level", level));
    CM_TRY(set_number(request, "index", n));
    CM_TRY(set_number(request, "width", width));
    CM_TRY(cm_remote_call(l->cli, &l->remote, op_named("GetTile"), a, request, &answer));
    tile = value_of(answer, "tile")->view;
    return tile.n == (size_t)width * 32 ? cm_buf_append(out, tile) : CM_FAIL(AUDIT_TILE);
}

static cm_err put_entry(cm_buf *out, const cm_msg *entry, uint64_t leaf)
{
    cm_view v = value_of(entry, "entry")->view;

    if (value_of(entry, "leaf")->number != leaf || v.n == 0 || v.n > 65535)
        return CM_FAIL(AUDIT_TILE);
    CM_TRY(cm_buf_byte(out, (uint8_t)(v.n >> 8)));
    CM_TRY(cm_buf_byte(out, (uint8_t)v.n));
    return cm_buf_append(out, v);
}

/* All entries, of whatever tenant: only the system's auditors get them. */
static cm_err server_bundle(void *self, cm_buf *out, uint64_t n, unsigned width)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_TILE_WIDTH * (2 + 65535)};
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_cli_log *l = self;
    const cm_msg_value *entries;
    cm_msg *request, *answer;
    cm_err e;

    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(entries_request(&request, a, "system", n * CM_TILE_WIDTH, width));
    e = cm_remote_call(l->cli, &l->remote, op_named("ListEntries"), a, request, &answer);
    if (cm_err_class(e) == CM_CLASS_DENIED || cm_err_class(e) == CM_CLASS_UNAUTHENTIC)
        return cm_cli_about(l->cli, "the whole log", e,
                            "ask as an auditor of the tenant `system`; of your own tenant you can "
                            "see the entries (tail) and get receipts (prove)");
    CM_TRY(e);
    entries = value_of(answer, "entries");
    if (entries->n != width)
        return CM_FAIL(AUDIT_TILE);
    for (size_t i = 0; i < entries->n; i++)
        CM_TRY(put_entry(&b, entries->msgs[i], n * CM_TILE_WIDTH + i));
    return cm_buf_append(out, cm_buf_view(&b));
}

cm_err cm_cli_log_server(cm_cli *cli, cm_cli_log *l)
{
    *l = (cm_cli_log){.cli = cli};
    CM_TRY(cm_remote_open(cli, &l->remote));
    l->view = (cm_log_view){server_note, server_tile, server_bundle, l};
    return CM_OKAY;
}

/* ---- a receipt ----------------------------------------------------------------------------- */

static const char *tenant_of(cm_cli *cli, const cm_remote *r)
{
    const char *given = cm_cli_text(cli, "tenant");

    return given ? given : r->tenant[0] ? r->tenant : "system";
}

cm_err cm_cli_server_receipt(cm_cli *cli, cm_buf *out, uint64_t leaf)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_remote_close) cm_remote r = {0};
    cm_msg *request, *answer;
    cm_err e;

    CM_TRY(cm_remote_open(cli, &r));
    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_msg_new(&request, a, op_named("GetReceipt")->request));
    CM_TRY(set_text(request, "tenant", tenant_of(cli, &r)));
    CM_TRY(set_number(request, "leaf", leaf));
    e = cm_remote_call(cli, &r, op_named("GetReceipt"), a, request, &answer);
    if (cm_is(e, CM_SVC_NO_ROW))
        return cm_cli_about(cli, cli->args[0], e,
                            "the entry may be another tenant's (--tenant; auditors of the system "
                            "see all with --tenant system), or not signed for yet: try again");
    CM_TRY(e);
    return cm_buf_append(out, value_of(answer, "receipt")->view);
}

/* ---- following ----------------------------------------------------------------------------- */

typedef struct {
    cm_cli *cli;
    cm_remote remote;
    uint64_t next, size; /* entries before next were shown */
    bool lost;           /* it was said that the connection is gone */
} follower;

static void follower_done(follower *f)
{
    cm_remote_close(&f->remote);
}

static cm_err show(void *arg, const cm_msg *answer)
{
    follower *f = arg;
    const cm_msg_value *entries = value_of(answer, "entries");

    for (size_t i = 0; i < entries->n; i++)
        cm_cli_say_entry(f->cli, value_of(entries->msgs[i], "leaf")->number,
                         value_of(entries->msgs[i], "entry")->view);
    f->next = value_of(answer, "next")->number;
    f->size = value_of(answer, "size")->number;
    if (f->lost)
        cm_cli_note(f->cli, "the server is back\n");
    f->lost = false;
    return cm_cli_flush(f->cli);
}

/* Entries up to what the log held when it was asked. */
static cm_err show_once(follower *f)
{
    const cm_op *op = op_named("ListEntries");

    do {
        CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
        cm_msg *request, *answer;

        CM_TRY(cm_arena_new(&a, ARENA_MAX));
        CM_TRY(entries_request(&request, a, tenant_of(f->cli, &f->remote), f->next,
                               CM_MIN(f->size - f->next, (uint64_t)PIECE)));
        CM_TRY(cm_remote_call(f->cli, &f->remote, op, a, request, &answer));
        f->next += CM_MIN(f->size - f->next, (uint64_t)PIECE);
        for (size_t i = 0; i < value_of(answer, "entries")->n; i++) {
            const cm_msg *m = value_of(answer, "entries")->msgs[i];

            cm_cli_say_entry(f->cli, value_of(m, "leaf")->number, value_of(m, "entry")->view);
        }
    } while (f->next < f->size);
    return cm_cli_flush(f->cli);
}

static cm_err stream(follower *f)
{
    const cm_op *op = op_named("TailEntries");
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *request;

    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(entries_request(&request, a, tenant_of(f->cli, &f->remote), f->next, PIECE));
    return cm_remote_stream(f->cli, &f->remote, op, a, request, show, f);
}

/* A server that is started anew, or away for a while, is followed again. */
static bool may_come_back(cm_err e)
{
    return cm_ok(e) || cm_err_class(e) == CM_CLASS_EXHAUSTED || cm_is(e, CM_CLIENT_REFUSED) ||
           cm_is(e, CM_CLIENT_UNREACHABLE) || cm_is(e, CM_CLIENT_TIMEOUT) ||
           cm_is(e, CM_CLIENT_CLOSED) || cm_is(e, CM_RUN_DRAINED) || cm_is(e, CM_KMSD_SEALED);
}

static cm_err follow(follower *f)
{
    for (;;) {
        cm_err e = stream(f);

        if (!may_come_back(e))
            return e;
        if (!f->lost && cm_failed(e))
            cm_cli_note(f->cli, "%s; trying again\n", cm_err_what(e));
        f->lost = f->lost || cm_failed(e);
        f->cli->detail[0] = f->cli->advice[0] = f->cli->object[0] = 0;
        f->cli->blamed = false;
        (void)usleep(PAUSE_MS * 1000);
    }
}

static cm_err log_size(uint64_t *size, follower *f)
{
    cm_cli_log l = {.cli = f->cli, .remote = f->remote};
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    cm_checkpoint c;
    cm_note n;
    cm_err e = server_note(&l, &note);

    cm_buf_free(&l.note);
    CM_TRY(e);
    CM_TRY(cm_note_parse(&n, cm_buf_view(&note)));
    CM_TRY(cm_checkpoint_parse(&c, n.text));
    *size = c.size;
    return CM_OKAY;
}

cm_err cm_cli_server_tail(cm_cli *cli, uint64_t last, bool go_on)
{
    CM_AUTO(follower_done) follower f = {.cli = cli};

    atomic_store(&cli->abrupt, true);
    if (go_on)
        f.remote.call_ms = FOLLOW_S * 1000;
    CM_TRY(cm_remote_open(cli, &f.remote));
    CM_TRY(log_size(&f.size, &f));
    f.next = f.size > last ? f.size - last : 0;
    return go_on ? follow(&f) : show_once(&f);
}
