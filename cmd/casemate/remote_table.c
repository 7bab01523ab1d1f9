/* Rows of the command table made from the operation table: nothing about an operation is written
 * twice. */
#include <ctype.h>
#include <stdio.h>

#include "remote.h"

/* Built once before the threads start, read only from then on. */
static cm_cli_commands built;
static const cm_op **ops;

static bool positional(const cm_field *f)
{
    return (f->flags & CM_FF_PATH) != 0 && strcmp(f->name, "tenant") != 0;
}

/* "page_size" as "page-size", or as "PAGE_SIZE" for the help. */
static cm_err dashed(char **out, const char *name, bool upper)
{
    CM_TRY(cm_strdup(out, cm_view_str(name)));
    for (char *p = *out; *p; p++)
        *p = upper ? (char)toupper((unsigned char)*p) : (char)(*p == '_' ? '-' : *p);
    return CM_OKAY;
}

static const char *stand_in(const cm_field *f)
{
    switch (f->type) {
    case CM_F_BYTES:
        return "TEXT|@FILE|-";
    case CM_F_U64:
        return "N";
    case CM_F_BOOL:
        return NULL;
    case CM_F_ENUM:
        return "WORD";
    case CM_F_MSG:
        return "JSON|@FILE";
    case CM_F_TEXT:
        break;
    }
    return "TEXT";
}

static cm_err words_of(const char **out, const cm_enum_value *v)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1024};
    char *text;

    for (; v->name; v++) {
        CM_TRY(cm_buf_append(&b, cm_view_str(v->name)));
        CM_TRY(cm_buf_byte(&b, ' '));
    }
    CM_TRY(cm_strdup(&text, cm_view_of(b.p, b.n ? b.n - 1 : 0)));
    *out = text;
    return CM_OKAY;
}

static cm_err option_of(cm_cli_option *o, const cm_field *f)
{
    char *name;

    CM_TRY(dashed(&name, f->name, false));
    *o = (cm_cli_option){
        .name = name, .arg = stand_in(f), .help = f->doc, .many = (f->flags & CM_FF_REPEATED) != 0};
    if (f->flags & CM_FF_SECRET && f->type == CM_F_BYTES)
        o->arg = "@FILE|-";
    if (f->type == CM_F_ENUM) {
        o->kind = CM_CLI_WORDS;
        CM_TRY(words_of(&o->words, f->values));
    }
    if (strcmp(f->name, "tenant") == 0)
        o->standard = "the profile's";
    return CM_OKAY;
}

bool cm_remote_has_bytes(const cm_message *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->fields[i].type == CM_F_BYTES)
            return true;
    return false;
}

static const cm_cli_option server_option = {
    .name = "server",
    .arg = "FILE",
    .help = "the profile that says where the server is and as whom to speak",
    .standard = "$CASEMATE_SERVER, or server.json of the home",
    .kind = CM_CLI_FILE,
};
static const cm_cli_option out_option = {
    .letter = 'o',
    .name = "out",
    .arg = "FILE",
    .help = "write the answer's first field of bytes to FILE as it is; - is stdout",
    .kind = CM_CLI_FILE,
};

static cm_err options_of(cm_cli_command *c, const cm_op *op)
{
    cm_cli_option *o;

    CM_TRY(cm_alloc_array(&o, op->request->n + 2, sizeof *o));
    c->options = o;
    for (size_t i = 0; i < op->request->n; i++)
        if (!positional(&op->request->fields[i]))
            CM_TRY(option_of(&o[c->options_n++], &op->request->fields[i]));
    if (cm_remote_has_bytes(op->answer))
        o[c->options_n++] = out_option;
    o[c->options_n++] = server_option;
    return CM_OKAY;
}

static cm_err arguments_of(cm_cli_command *c, const cm_op *op)
{
    cm_cli_argument *a;
    char *name;

    CM_TRY(cm_alloc_array(&a, op->request->n + 1, sizeof *a));
    c->args = a;
    for (size_t i = 0; i < op->request->n; i++) {
        const cm_field *f = &op->request->fields[i];

        if (!positional(f))
            continue;
        CM_TRY(dashed(&name, f->name, true));
        a[c->args_n++] = (cm_cli_argument){name, f->doc, CM_CLI_ANY, 1, 1};
    }
    return CM_OKAY;
}

/* The first sentence with a small letter and without its full stop, as other commands have it. */
static cm_err summary_of(cm_cli_command *c, const cm_op *op)
{
    const char *end = strstr(op->doc, ". ");
    size_t n = end ? (size_t)(end - op->doc) : strlen(op->doc);
    char *text;

    if (n && op->doc[n - 1] == '.')
        n--;
    CM_TRY(cm_strdup(&text, cm_view_of(op->doc, n)));
    if (text[0] && !isupper((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
    c->summary = text;
    c->text = op->doc;
    return CM_OKAY;
}

static cm_err command_of(cm_cli_command *c, const cm_op *op)
{
    const char *space = strchr(op->verb, ' ');
    char *group = NULL;

    if (space)
        CM_TRY(cm_strdup(&group, cm_view_of(op->verb, (size_t)(space - op->verb))));
    *c = (cm_cli_command){
        .group = group, .name = space ? space + 1 : op->verb, .run = cm_cli_remote};
    CM_TRY(summary_of(c, op));
    CM_TRY(options_of(c, op));
    return arguments_of(c, op);
}

cm_err cm_remote_build(void)
{
    cm_cli_command *list;
    size_t n = 0;

    CM_TRY(cm_alloc_array(&list, cm_ops_n + 1, sizeof *list));
    CM_TRY(cm_alloc_array(&ops, cm_ops_n + 1, sizeof *ops));
    for (size_t i = 0; i < cm_ops_n; i++) {
        if (!cm_ops[i].verb)
            continue;
        CM_TRY(command_of(&list[n], &cm_ops[i]));
        ops[n++] = &cm_ops[i];
    }
    built = (cm_cli_commands){list, n};
    return CM_OKAY;
}

const cm_cli_commands *cm_remote_commands(void)
{
    return &built;
}

const cm_op *cm_remote_op(const cm_cli_command *c)
{
    for (size_t i = 0; i < built.n; i++)
        if (&built.v[i] == c)
            return ops[i];
    return NULL;
}
