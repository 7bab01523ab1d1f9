/* Man pages: casemate(1), and one for every verb or group of verbs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "cli.h"
#include "cm_config.h"

enum { PATH_LEN = 4096 };

/* A document grown in memory and put into place at once. */
static void memory_close(FILE **f)
{
    if (*f)
        fclose(*f);
}

cm_err cm_cli_document(cm_cli *cli, const char *path, void (*write)(FILE *f, const void *what),
                       const void *what)
{
    CM_AUTO(memory_close) FILE *f = NULL;
    char *text = NULL;
    size_t n = 0;
    cm_err e;

    (void)cli;
    f = open_memstream(&text, &n);
    if (!f)
        return CM_FAIL(NO_MEMORY);
    write(f, what);
    if (fclose(f) != 0 || n == 0) {
        f = NULL;
        free(text);
        return CM_FAIL(NO_MEMORY);
    }
    f = NULL;
    e = cm_os_spit(path, cm_view_of(text, n), 0644, true);
    free(text);
    return e;
}

/* ---- roff ---------------------------------------------------------------------------------- */

/* Text without a line end; a dot or quote at a line's start is no request. */
static void roff(FILE *f, const char *text)
{
    bool start = true;

    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", f);
        if (*text == '\n' && text[1] == '\n') {
            fputs("\n.PP\n", f);
            text++;
        } else if (*text == '-')
            fputs("\\-", f);
        else if (*text == '\\')
            fputs("\\e", f);
        else if (*text == '~')
            fputs("\\(ti", f);
        else if (*text == '`')
            fputs("\\(ga", f);
        else if (*text == '^')
            fputs("\\(ha", f);
        else if (*text == '\'')
            fputs("\\(aq", f);
        else
            fputc(*text, f);
        start = *text == '\n';
    }
}

static void head(FILE *f, const char *name, const char *summary)
{
    fprintf(f, ".\\\" Made from the command table by casemate help --man.\n");
    fprintf(f, ".TH \"%s\" 1 \"%s\" \"casemate %s\" \"Casemate\"\n.SH NAME\n", name,
            cm_cli_date_of_docs, CM_CONFIG_VERSION);
    roff(f, name);
    fputs(" \\- ", f);
    roff(f, summary);
    fputc('\n', f);
}

static void entry(FILE *f, const char *name, const char *text)
{
    fputs(".TP\n.B ", f);
    roff(f, name);
    fputc('\n', f);
    roff(f, text);
    fputc('\n', f);
}

static void entries(FILE *f, const char *title, const cm_cli_entry *e)
{
    fprintf(f, ".SH %s\n", title);
    for (; e->name; e++)
        entry(f, e->name, e->summary);
}

static void option(FILE *f, const cm_cli_option *o)
{
    fputs(".TP\n", f);
    if (o->letter)
        fprintf(f, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", f);
    roff(f, o->name);
    fputs("\\fR", f);
    if (o->arg) {
        fputs(" \\fI", f);
        roff(f, o->arg);
        fputs("\\fR", f);
    }
    fputc('\n', f);
    roff(f, o->help);
    if (o->standard) {
        fputs(" (default: ", f);
        roff(f, o->standard);
        fputc(')', f);
    }
    fputs(".\n", f);
}

static void synopsis(FILE *f, const cm_cli_command *c)
{
    char title[CM_CLI_TITLE], usage[CM_CLI_LINE];

    cm_cli_command_title(title, sizeof title, c, ' ');
    cm_cli_command_usage(usage, sizeof usage, c);
    fprintf(f, "\\fBcasemate %s\\fR ", title);
    roff(f, usage);
    fputc('\n', f);
}

static void body(FILE *f, const cm_cli_command *c, const char *level)
{
    roff(f, c->text ? c->text : c->summary);
    fputs(c->text ? "\n" : ".\n", f);
    for (size_t i = 0; i < c->args_n; i++)
        entry(f, c->args[i].name, c->args[i].help);
    if (level)
        fprintf(f, "%s\n", level);
    for (size_t i = 0; i < c->options_n; i++)
        option(f, &c->options[i]);
}

static void examples(FILE *f, const cm_cli_command *c)
{
    for (size_t i = 0; i < c->examples_n; i++) {
        fputs(".TP\n.B ", f);
        roff(f, c->examples[i].line);
        fputc('\n', f);
        roff(f, c->examples[i].what);
        fputc('\n', f);
    }
}

static void common(FILE *f, const char *title)
{
    fprintf(f, ".SH %s\n", title);
    for (size_t i = 0; i < cm_cli_common_n; i++)
        option(f, &cm_cli_common[i]);
}

static void see_also(FILE *f, const char *names)
{
    fputs(".SH SEE ALSO\n.BR casemate (1)", f);
    for (const char *p = names ? names : ""; *p;) {
        size_t n = strcspn(p, " ");

        fprintf(f, ",\n.BR casemate\\-%.*s (1)", (int)n, p);
        p += n + (p[n] == ' ');
    }
    fputc('\n', f);
}

static void page_of_command(FILE *f, const void *what)
{
    const cm_cli_command *c = what;
    char name[CM_CLI_TITLE];

    snprintf(name, sizeof name, "casemate-%s", c->name);
    head(f, name, c->summary);
    fputs(".SH SYNOPSIS\n", f);
    synopsis(f, c);
    fputs(".SH DESCRIPTION\n", f);
    body(f, c, ".SH OPTIONS");
    for (size_t i = 0; i < cm_cli_common_n; i++)
        option(f, &cm_cli_common[i]);
    fputs(".SH EXAMPLES\n", f);
    examples(f, c);
    entries(f, "EXIT STATUS", cm_cli_exits);
    see_also(f, c->see);
}

static bool in_group(const cm_cli_command *c, const char *group)
{
    return c->group && strcmp(c->group, group) == 0;
}

static void page_of_group(FILE *f, const void *what)
{
    const cm_cli_entry *g = what;
    const cm_cli_command *c;
    char name[CM_CLI_TITLE];

    snprintf(name, sizeof name, "casemate-%s", g->name);
    head(f, name, g->summary);
    fputs(".SH SYNOPSIS\n", f);
    for (size_t i = 0, n = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (!in_group(c, g->name))
            continue;
        fputs(n++ ? ".br\n" : "", f);
        synopsis(f, c);
    }
    fputs(".SH DESCRIPTION\n", f);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (!in_group(c, g->name))
            continue;
        fprintf(f, ".SS casemate %s %s\n", g->name, c->name);
        body(f, c, NULL);
        fputs(".PP\nExamples:\n", f);
        examples(f, c);
    }
    common(f, "OPTIONS OF ALL");
    entries(f, "EXIT STATUS", cm_cli_exits);
    see_also(f, NULL);
}

static void page_of_all(FILE *f, const void *what)
{
    const cm_cli_command *c;
    char name[CM_CLI_TITLE];

    (void)what;
    head(f, "casemate", cm_cli_summary);
    fputs(".SH SYNOPSIS\n\\fBcasemate\\fR \\fIVERB\\fR [options] ...\n.SH DESCRIPTION\n", f);
    roff(f, cm_cli_intro);
    fputs("\n.SH VERBS\n", f);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (c->group)
            continue;
        snprintf(name, sizeof name, "casemate-%s(1)", c->name);
        entry(f, name, c->summary);
    }
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++) {
        snprintf(name, sizeof name, "casemate-%s(1)", g->name);
        entry(f, name, g->summary);
    }
    common(f, "OPTIONS OF ALL VERBS");
    entries(f, "EXIT STATUS", cm_cli_exits);
    entries(f, "ENVIRONMENT", cm_cli_environment);
    entries(f, "FILES", cm_cli_files);
}

/* ---- all of them --------------------------------------------------------------------------- */

static cm_err page(cm_cli *cli, const char *dir, const char *name,
                   void (*write)(FILE *, const void *), const void *what)
{
    char path[PATH_LEN];
    int n = snprintf(path, sizeof path, "%s/casemate%s%s.1", dir, name[0] ? "-" : "", name);

    if (n < 0 || (size_t)n >= sizeof path)
        return CM_FAIL(TOO_BIG);
    return cm_cli_document(cli, path, write, what);
}

cm_err cm_cli_write_man(cm_cli *cli, const char *dir)
{
    const cm_cli_command *c;

    CM_TRY(cm_cli_make_folder(dir, 0777));
    CM_TRY(page(cli, dir, "", page_of_all, NULL));
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++)
        CM_TRY(page(cli, dir, g->name, page_of_group, g));
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        if (!c->group)
            CM_TRY(page(cli, dir, c->name, page_of_command, c));
    return CM_OKAY;
}
