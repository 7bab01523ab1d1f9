/* One operation asked of a server: options into a message, the answer into words. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"
#include "remote.h"

enum { INPUT_MAX = 32 << 20, ARENA_MAX = 96 << 20, TARGET_MAX = 16 << 10 };

/* ---- the request -------------------------------------------------------------------------- */

/* What an option of bytes stands for: its text, @FILE or -. */
static cm_err bytes_of(cm_cli *cli, cm_view *out, cm_arena *a, const cm_field *f, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = INPUT_MAX};
    bool is_stdin = strcmp(text, "-") == 0;

    if (text[0] != '@' && !is_stdin) {
        if (f->flags & CM_FF_SECRET)
            return cm_cli_usage(cli, "--%s is a secret: give @FILE, or - for stdin", f->name);
        return cm_arena_copy(a, out, cm_view_str(text));
    }
    CM_TRY(cm_cli_about(cli, text, cm_os_slurp(&b, is_stdin ? "/dev/stdin" : text + 1, INPUT_MAX),
                        NULL));
    return cm_arena_copy(a, out, cm_buf_view(&b));
}

static cm_err fault_said(cm_cli *cli, const cm_msg_fault *fault, const cm_field *f, cm_err e)
{
    if (cm_ok(e))
        return e;
    return cm_cli_usage(cli, "--%s %s", f->name, fault->why ? fault->why : "is not valid");
}

static cm_err put_bytes(cm_cli *cli, cm_msg *m, cm_arena *a, size_t i, const char *name)
{
    const cm_field *f = &m->type->fields[i];
    size_t n = cm_cli_count(cli, name);
    cm_view *list;

    m->v[i].set = true;
    m->v[i].n = n;
    if (!(f->flags & CM_FF_REPEATED))
        return bytes_of(cli, &m->v[i].view, a, f, cm_cli_text(cli, name));
    CM_TRY(cm_arena_get(a, &list, n * sizeof *list));
    for (size_t k = 0; k < n; k++)
        CM_TRY(bytes_of(cli, &list[k], a, f, cm_cli_nth(cli, name, k)));
    m->v[i].views = list;
    return CM_OKAY;
}

/* A message inside the message comes as JSON. */
static cm_err put_message(cm_cli *cli, cm_msg *m, cm_arena *a, size_t i, const char *name)
{
    const cm_field *f = &m->type->fields[i];
    cm_msg_fault fault = {{0}, NULL};
    size_t n = cm_cli_count(cli, name);
    cm_msg **list;
    cm_view json;

    CM_TRY(cm_arena_get(a, &list, n * sizeof *list));
    for (size_t k = 0; k < n; k++) {
        CM_TRY(bytes_of(cli, &json, a, f, cm_cli_nth(cli, name, k)));
        CM_TRY(fault_said(cli, &fault, f, cm_msg_from_json(&list[k], a, f->message, json, &fault)));
    }
    m->v[i].set = true;
    m->v[i].n = n;
    if (f->flags & CM_FF_REPEATED)
        m->v[i].msgs = list;
    else
        m->v[i].msg = list[0];
    return CM_OKAY;
}

static cm_err put_option(cm_cli *cli, cm_msg *m, cm_arena *a, size_t i, const char *name)
{
    const cm_field *f = &m->type->fields[i];
    cm_msg_fault fault = {{0}, NULL};

    if (f->type == CM_F_BYTES)
        return put_bytes(cli, m, a, i, name);
    if (f->type == CM_F_MSG)
        return put_message(cli, m, a, i, name);
    if (f->type == CM_F_BOOL) {
        m->v[i].set = true;
        m->v[i].number = 1;
        return CM_OKAY;
    }
    for (size_t k = 0; k < cm_cli_count(cli, name); k++)
        CM_TRY(fault_said(cli, &fault, f,
                          cm_msg_set_text(m, a, i, cm_view_str(cm_cli_nth(cli, name, k)), &fault)));
    return CM_OKAY;
}

static cm_err request_of(cm_cli *cli, const cm_remote *r, cm_msg *m, cm_arena *a)
{
    size_t arg = 0;
    cm_msg_fault fault = {{0}, NULL};

    for (size_t i = 0; i < m->type->n; i++) {
        const cm_field *f = &m->type->fields[i];
        char name[64];

        snprintf(name, sizeof name, "%s", f->name);
        for (char *p = name; *p; p++)
            *p = *p == '_' ? '-' : *p;
        if ((f->flags & CM_FF_PATH) && strcmp(f->name, "tenant") != 0) {
            CM_TRY(fault_said(cli, &fault, f,
                              cm_msg_set_text(m, a, i, cm_view_str(cli->args[arg++]), &fault)));
        } else if (cm_cli_has(cli, name)) {
            CM_TRY(put_option(cli, m, a, i, name));
        } else if (strcmp(f->name, "tenant") == 0 && r->tenant[0]) {
            CM_TRY(cm_msg_set_text(m, a, i, cm_view_str(r->tenant), &fault));
        }
    }
    if (cm_failed(cm_msg_check(m, &fault))) {
        for (char *p = fault.field; *p; p++)
            *p = *p == '_' ? '-' : *p;
        return cm_cli_usage(cli, "--%s %s", fault.field, fault.why ? fault.why : "is not valid");
    }
    return CM_OKAY;
}

/* ---- REST --------------------------------------------------------------------------------- */

static cm_err escaped(cm_buf *out, cm_view v)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            CM_TRY(cm_buf_byte(out, c));
            continue;
        }
        CM_TRY(cm_buf_byte(out, '%'));
        CM_TRY(cm_buf_byte(out, (uint8_t)digits[c >> 4]));
        CM_TRY(cm_buf_byte(out, (uint8_t)digits[c & 15]));
    }
    return CM_OKAY;
}

static cm_err scalar_escaped(cm_buf *out, const cm_msg *m, size_t i)
{
    char number[24];

    if (m->type->fields[i].type == CM_F_TEXT)
        return escaped(out, m->v[i].view);
    snprintf(number, sizeof number, "%llu", (unsigned long long)m->v[i].number);
    return cm_buf_append(out, cm_view_str(number));
}

static cm_err field_of(size_t *at, const cm_message *type, cm_view name)
{
    for (size_t i = 0; i < type->n; i++)
        if (cm_view_eq(cm_view_str(type->fields[i].name), name)) {
            *at = i;
            return CM_OKAY;
        }
    return CM_FAIL(BAD_ARGUMENT);
}

/* The route with its {parts} filled in. */
static cm_err fill_route(cm_buf *out, const cm_op *op, const cm_msg *m)
{
    size_t i = 0;

    for (const char *p = op->route; *p;) {
        size_t n = strcspn(p, "{");

        CM_TRY(cm_buf_append(out, cm_view_of(p, n)));
        p += n;
        if (!*p)
            break;
        n = strcspn(++p, "}");
        CM_TRY(field_of(&i, m->type, cm_view_of(p, n)));
        CM_TRY(scalar_escaped(out, m, i));
        p += n + 1;
    }
    return CM_OKAY;
}

/* Path and query leave the message: what stays is the body. */
static cm_err target_of(cm_buf *out, const cm_op *op, cm_msg *m)
{
    char sep = '?';

    CM_TRY(fill_route(out, op, m));
    for (size_t i = 0; i < m->type->n; i++) {
        const cm_field *f = &m->type->fields[i];

        if (m->v[i].set && (f->flags & CM_FF_QUERY)) {
            CM_TRY(cm_buf_byte(out, (uint8_t)sep));
            CM_TRY(cm_buf_append(out, cm_view_str(f->name)));
            CM_TRY(cm_buf_byte(out, '='));
            CM_TRY(scalar_escaped(out, m, i));
            sep = '&';
        }
        if (f->flags & (CM_FF_QUERY | CM_FF_PATH))
            m->v[i].set = false;
    }
    return CM_OKAY;
}

/* ---- refusals ----------------------------------------------------------------------------- */

/* clang-format off */
#define REASON_ROW(name, cls, n, what, fix) {#name, CM_CLASS_##cls | (n) << 8},
/* clang-format on */
static const struct {
    const char *name;
    uint32_t v;
} reasons[] = {CM_REASONS(REASON_ROW)};

cm_err cm_remote_reason(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (cm_view_eq(cm_view_str(reasons[i].name), name))
            return (cm_err){reasons[i].v};
    return CM_FAIL(CLI_SERVER);
}

static void take_text(char *out, size_t n, const cm_json_node *o, const char *key)
{
    const cm_json_node *x = o ? cm_json_get(o, key) : NULL;
    cm_view v;

    if (x && cm_ok(cm_json_string(x, &v)) && v.n)
        cm_cli_clean(out, n, v);
}

/* What the server refused, in its words; our own reason of the same name carries the exit code. */
static cm_err said(cm_cli *cli, const cm_json_node *o)
{
    const cm_json_node *name = cm_json_get(o, "reason");
    cm_view v;

    take_text(cli->detail, sizeof cli->detail, o, "message");
    take_text(cli->advice, sizeof cli->advice, o, "fix");
    if (name && cm_ok(cm_json_string(name, &v)))
        return cm_remote_reason(v);
    return CM_FAIL(CLI_SERVER);
}

cm_err cm_remote_refused(cm_cli *cli, const cm_client_answer *a)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_json_limits limits = {.bytes = 1 << 20, .depth = 8, .nodes = 4096};
    const cm_json_node *o = NULL;
    size_t at;

    snprintf(cli->detail, sizeof cli->detail, "the server answered with status %d", a->status);
    if (cm_ok(cm_json_parse(&j, cm_buf_view(&a->body), &limits, &at)))
        o = cm_json_get(cm_json_root(j), "error");
    return o ? said(cli, o) : CM_FAIL(CLI_SERVER);
}

static cm_err failed_call(cm_cli *cli, const cm_remote *r, cm_err e)
{
    const char *why = cm_client_why(r->client);

    if (why && why[0])
        cm_cli_on(cli, why);
    return e;
}

/* q brings the sink of a stream, or nothing. */
static cm_err call(cm_cli *cli, cm_remote *r, const cm_op *op, cm_arena *a, const cm_msg *request,
                   cm_client_request *q, cm_client_answer *got)
{
    CM_AUTO(cm_buf_free) cm_buf target = {.max = TARGET_MAX};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = INPUT_MAX * 2};
    size_t size = sizeof *request + request->type->n * sizeof request->v[0];
    cm_msg *rest;
    cm_err e;

    q->method = op->method;
    q->auth = op->auth <= CM_AUTH_ATTESTED ? CM_CLIENT_PLAIN
              : op->auth == CM_AUTH_SIGNED ? CM_CLIENT_SIGNED
                                           : CM_CLIENT_USUAL;
    CM_TRY(cm_arena_get(a, &rest, size));
    memcpy(rest, request, size);
    CM_TRY(target_of(&target, op, rest));
    q->target = cm_buf_view(&target);
    if (strcmp(op->method, "GET") != 0 && strcmp(op->method, "DELETE") != 0) {
        CM_TRY(cm_msg_to_json(&body, rest));
        q->body = cm_buf_view(&body);
    }
    e = cm_client_call(r->client, got, q);
    if (cm_failed(e))
        return failed_call(cli, r, e);
    return got->status == 200 ? CM_OKAY : cm_remote_refused(cli, got);
}

cm_err cm_remote_call(cm_cli *cli, cm_remote *r, const cm_op *op, cm_arena *a,
                      const cm_msg *request, cm_msg **answer)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    cm_msg_fault fault = {{0}, NULL};
    cm_client_request q = {0};

    CM_TRY(call(cli, r, op, a, request, &q, &got));
    return cm_msg_from_json(answer, a, op->answer, cm_buf_view(&got.body), &fault);
}

/* ---- streams ------------------------------------------------------------------------------ */

/* Answers come as lines of JSON, in pieces that know nothing of lines. */
struct lines {
    cm_cli *cli;
    const cm_op *op;
    cm_arena *arena;
    cm_buf rest;
    cm_err (*each)(void *arg, const cm_msg *answer);
    void *arg;
};

static cm_err take_line(struct lines *l, cm_view line)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_msg_fault fault = {{0}, NULL};
    cm_msg *answer;

    CM_TRY(cm_json_parse(&j, line, NULL, NULL));
    if (cm_json_get(cm_json_root(j), "error"))
        return said(l->cli, cm_json_get(cm_json_root(j), "error"));
    cm_arena_reset(l->arena);
    CM_TRY(cm_msg_from_json(&answer, l->arena, l->op->answer, line, &fault));
    return l->each(l->arg, answer);
}

static cm_err take_piece(void *arg, cm_view piece)
{
    struct lines *l = arg;
    size_t at = 0;
    const uint8_t *nl;

    CM_TRY(cm_buf_append(&l->rest, piece));
    while (l->rest.n > at && (nl = memchr(l->rest.p + at, '\n', l->rest.n - at)) != NULL) {
        size_t end = (size_t)(nl - l->rest.p);

        CM_TRY(take_line(l, cm_view_of(l->rest.p + at, end - at)));
        at = end + 1;
    }
    if (at > 0) {
        memmove(l->rest.p, l->rest.p + at, l->rest.n - at);
        l->rest.n -= at;
    }
    return CM_OKAY;
}

static void lines_done(struct lines *l)
{
    cm_arena_free(l->arena);
    cm_buf_free(&l->rest);
}

cm_err cm_remote_stream(cm_cli *cli, cm_remote *r, const cm_op *op, cm_arena *a,
                        const cm_msg *request, cm_err (*each)(void *arg, const cm_msg *answer),
                        void *arg)
{
    CM_AUTO(cm_client_answer_free) cm_client_answer got = {0};
    CM_AUTO(lines_done)
    struct lines l = {.cli = cli, .op = op, .each = each, .arg = arg, .rest = {.max = INPUT_MAX}};
    cm_client_request q = {.sink = take_piece, .sink_arg = &l};

    CM_TRY(cm_arena_new(&l.arena, ARENA_MAX));
    return call(cli, r, op, a, request, &q, &got);
}

/* ---- the answer --------------------------------------------------------------------------- */

/* One value in words; a text or bytes are in view. */
static cm_err scalar(cm_buf *out, const cm_field *f, cm_view view, uint64_t number)
{
    size_t n = strlen(f->name);
    char text[32];

    switch (f->type) {
    case CM_F_TEXT:
        return cm_buf_append(out, view);
    case CM_F_BYTES:
        return strstr(f->name, "sha256") ? cm_hex_encode(out, view)
                                         : cm_base64_encode(out, view, false);
    case CM_F_BOOL:
        return cm_buf_append(out, cm_view_str(number ? "yes" : "no"));
    case CM_F_ENUM:
        for (const cm_enum_value *e = f->values; e->name; e++)
            if (e->number == number)
                return cm_buf_append(out, cm_view_str(e->name));
        return CM_OKAY;
    case CM_F_U64:
        if (n > 3 && strcmp(f->name + n - 3, "_ms") == 0)
            return cm_buf_append(out,
                                 cm_view_str(number ? cm_cli_date(text, number / 1000) : "never"));
        snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        return cm_buf_append(out, cm_view_str(text));
    case CM_F_MSG:
        return CM_OKAY;
    }
    return CM_OKAY;
}

/* The k-th value of a field in words. */
static cm_err words(cm_buf *out, const cm_msg *m, size_t i, size_t k)
{
    const cm_field *f = &m->type->fields[i];
    const cm_msg_value *v = &m->v[i];
    bool many = (f->flags & CM_FF_REPEATED) != 0;

    out->n = 0;
    if (f->type == CM_F_TEXT || f->type == CM_F_BYTES)
        return scalar(out, f, many ? v->views[k] : v->view, 0);
    return scalar(out, f, (cm_view){0}, many ? v->numbers[k] : v->number);
}

/* ---- a list of messages: a row each ---- */

enum { COLUMNS = 32 };

/* A column for each plain field that says something in some row. */
static bool is_column(const cm_msg_value *list, size_t i)
{
    const cm_field *f = &list->msgs[0]->type->fields[i];

    if (f->type == CM_F_MSG || f->type == CM_F_BYTES || (f->flags & CM_FF_REPEATED))
        return false;
    for (size_t k = 0; k < list->n; k++)
        if (list->msgs[k]->v[i].set && (list->msgs[k]->v[i].number || list->msgs[k]->v[i].view.n))
            return true;
    return false;
}

static cm_err table_row(cm_cli *cli, cm_buf *b, const cm_msg *m, const size_t *width)
{
    for (size_t i = 0; i < m->type->n; i++) {
        if (width[i] == 0)
            continue;
        b->n = 0;
        if (m->v[i].set)
            CM_TRY(words(b, m, i, 0));
        cm_cli_say(cli, "%-*.*s  ", (int)width[i], (int)b->n, b->n ? (const char *)b->p : "");
    }
    cm_cli_say(cli, "\n");
    return CM_OKAY;
}

static cm_err say_table(cm_cli *cli, const cm_msg_value *list)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = INPUT_MAX * 2};
    const cm_message *type = list->msgs[0]->type;
    size_t width[COLUMNS] = {0};

    for (size_t i = 0; i < type->n && i < COLUMNS; i++) {
        if (!is_column(list, i))
            continue;
        width[i] = strlen(type->fields[i].name);
        for (size_t k = 0; k < list->n; k++) {
            CM_TRY(words(&b, list->msgs[k], i, 0));
            width[i] = CM_MAX(width[i], b.n);
        }
        cm_cli_say(cli, "%-*s  ", (int)width[i], type->fields[i].name);
    }
    cm_cli_say(cli, "\n");
    for (size_t k = 0; k < list->n; k++)
        CM_TRY(table_row(cli, &b, list->msgs[k], width));
    return CM_OKAY;
}

/* Messages are at most three levels deep: the table says so. */
static cm_err say_message(cm_cli *cli, const cm_msg *m, int indent);

static cm_err say_field(cm_cli *cli, const cm_msg *m, size_t i, int indent)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = INPUT_MAX * 2};
    const cm_field *f = &m->type->fields[i];
    const cm_msg_value *v = &m->v[i];
    bool many = (f->flags & CM_FF_REPEATED) != 0;

    if (f->type == CM_F_MSG && many && indent == 0 && i == 0 && v->n &&
        v->msgs[0]->type->n <= COLUMNS)
        return say_table(cli, v);
    for (size_t k = 0; k < (many ? v->n : 1); k++) {
        cm_cli_say(cli, "%*s%-*s ", indent, "", 20 - indent, f->name);
        if (f->type == CM_F_MSG) {
            cm_cli_say(cli, "\n");
            CM_TRY(say_message(cli, many ? v->msgs[k] : v->msg, indent + 2));
        } else {
            CM_TRY(words(&b, m, i, k));
            cm_cli_say(cli, "%.*s\n", (int)b.n, b.n ? (const char *)b.p : "");
        }
    }
    return CM_OKAY;
}

static cm_err say_message(cm_cli *cli, const cm_msg *m, int indent)
{
    for (size_t i = 0; i < m->type->n && indent < 16; i++)
        if (m->v[i].set)
            CM_TRY(say_field(cli, m, i, indent));
    return CM_OKAY;
}

static cm_err write_out(cm_cli *cli, const cm_msg *answer)
{
    const char *path = cm_cli_text(cli, "out");

    for (size_t i = 0; i < answer->type->n; i++)
        if (answer->type->fields[i].type == CM_F_BYTES && answer->v[i].set) {
            if (strcmp(path, "-") == 0) {
                cm_cli_data_to_stdout(cli);
                return cm_os_write(STDOUT_FILENO, answer->v[i].view.p, answer->v[i].view.n);
            }
            return cm_cli_about(cli, path, cm_os_spit(path, answer->v[i].view, 0600, true), NULL);
        }
    return CM_FAIL(CLI_SERVER);
}

static cm_err show(cm_cli *cli, const cm_msg *answer)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = INPUT_MAX * 4};

    if (cm_remote_has_bytes(answer->type) && cm_cli_has(cli, "out"))
        return write_out(cli, answer);
    if (!cli->json) {
        /* A text that is all there is, such as a checkpoint, is fit for a file. */
        if (answer->type->n == 1 && answer->type->fields[0].type == CM_F_TEXT)
            cm_cli_say(cli, "%.*s", (int)answer->v[0].view.n, (const char *)answer->v[0].view.p);
        else
            return say_message(cli, answer, 0);
        return CM_OKAY;
    }
    CM_TRY(cm_msg_to_json(&json, answer));
    CM_TRY(cm_buf_byte(&json, '\n'));
    return fwrite(json.p, 1, json.n, cli->events) == json.n ? CM_OKAY : CM_FAIL(IO_WRITE);
}

cm_err cm_cli_remote(cm_cli *cli)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_remote_close) cm_remote r = {0};
    const cm_op *op = cm_remote_op(cli->command);
    cm_msg *request, *answer;

    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_remote_open(cli, &r));
    CM_TRY(cm_msg_new(&request, a, op->request));
    CM_TRY(request_of(cli, &r, request, a));
    atomic_store(&cli->abrupt, true);
    CM_TRY(cm_remote_call(cli, &r, op, a, request, &answer));
    atomic_store(&cli->abrupt, false);
    return show(cli, answer);
}
