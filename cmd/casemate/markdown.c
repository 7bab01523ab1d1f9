/* The reference, docs/cli.md. */
#include <stdio.h>

#include "cli.h"

static void cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<' || *text == '*')
            fputc('\\', f);
        fputc(*text == '\n' ? ' ' : *text, f);
    }
}

static void options(FILE *f, const cm_cli_option *o, size_t n)
{
    fputs("| option | what | without it |\n|---|---|---|\n", f);
    for (size_t i = 0; i < n; i++, o++) {
        fputs("| `", f);
        if (o->letter)
            fprintf(f, "-%c, ", o->letter);
        fprintf(f, "--%s", o->name);
        if (o->arg) {
            fputc(' ', f);
            for (const char *p = o->arg; *p; p++)
                fprintf(f, "%s%c", *p == '|' ? "\\" : "", *p);
        }
        fputs("` | ", f);
        cell(f, o->help);
        fputs(" | ", f);
        cell(f, o->standard ? o->standard : "");
        fputs(" |\n", f);
    }
    fputc('\n', f);
}

static void entries(FILE *f, const char *title, const char *first, const cm_cli_entry *e)
{
    fprintf(f, "## %s\n| %s | |\n|---|---|\n", title, first);
    for (; e->name; e++) {
        fprintf(f, "| `%s` | ", e->name);
        cell(f, e->summary);
        fputs(" |\n", f);
    }
    fputc('\n', f);
}

static void command(FILE *f, const cm_cli_command *c)
{
    char title[CM_CLI_TITLE], usage[CM_CLI_LINE];

    cm_cli_command_title(title, sizeof title, c, ' ');
    cm_cli_command_usage(usage, sizeof usage, c);
    fprintf(f, "## casemate %s\n%c%s.\n\n```\ncasemate %s %s\n```\n\n", title,
            c->summary[0] - 'a' + 'A', c->summary + 1, title, usage);
    if (c->text)
        fprintf(f, "%s\n\n", c->text);
    for (size_t i = 0; i < c->args_n; i++)
        fprintf(f, "- `%s`: %s\n%s", c->args[i].name, c->args[i].help,
                i + 1 == c->args_n ? "\n" : "");
    if (c->options_n)
        options(f, c->options, c->options_n);
    fputs("```\n", f);
    for (size_t i = 0; i < c->examples_n; i++)
        fprintf(f, "# %s\n%s\n", c->examples[i].what, c->examples[i].line);
    fputs("```\n\n", f);
}

static void reference(FILE *f, const void *what)
{
    const cm_cli_command *c;

    (void)what;
    fprintf(f, "# casemate(1): %s\n\n%s\n\n", cm_cli_summary, cm_cli_intro);
    fputs("Made by `./do docs` from the table that parses the command line.\n\n", f);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        command(f, c);
    fputs("## Options of all verbs\n", f);
    options(f, cm_cli_common, cm_cli_common_n);
    entries(f, "Exit codes", "code", cm_cli_exits);
    entries(f, "Environment", "variable", cm_cli_environment);
    entries(f, "Files of the home", "file", cm_cli_files);
    fputs("## Events\n"
          "With `--json` every line of the output is an object with a member `event`: `start` "
          "(verb, path), `progress` at most twice a second (done, total, bytes_per_second, "
          "eta_seconds), `done` or one named after the verb with its results, `check` (one line of "
          "`casemate verify`), and `error` (class, reason, what, fix, path). They go to stdout, or "
          "to stderr where stdout carries the model.\n",
          f);
}

cm_err cm_cli_write_markdown(cm_cli *cli, const char *path)
{
    return cm_cli_document(cli, path, reference, NULL);
}
