/* Help as text, and the command that writes it and the documents. */
#include <stdio.h>

#include "cli.h"

enum { WIDTH = 90, INDENT = 2, COLUMN = 28 };

/* Print text from column `at` on, words wrapped and indented; line ends are kept. */
static void wrapped(FILE *f, const char *text, size_t indent, size_t at)
{
    bool first = true; /* of its line: no space in front */

    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \n");

        if (!first && at + 1 + n > WIDTH) {
            fprintf(f, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first)
            at += (size_t)fprintf(f, " ");
        fprintf(f, "%.*s", (int)n, p);
        at += n;
        p += n;
        first = *p == '\n';
        for (; *p == '\n'; p++)
            fputc('\n', f);
        if (first) {
            fprintf(f, "%*s", (int)indent, "");
            at = indent;
        } else if (*p == ' ')
            p++;
    }
    fputc('\n', f);
}

static void row(FILE *f, const char *left, const char *right)
{
    size_t n = (size_t)fprintf(f, "  %s", left);

    if (n + 2 > COLUMN) {
        fputc('\n', f);
        n = 0;
    }
    fprintf(f, "%*s", (int)(COLUMN - n), "");
    wrapped(f, right, COLUMN, COLUMN);
}

static void option_row(FILE *f, const cm_cli_option *o)
{
    char left[CM_CLI_LINE], right[CM_CLI_LINE], letter[8] = "    ";

    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
             o->arg ? o->arg : "");
    snprintf(right, sizeof right, "%s%s%s%s", o->help, o->standard ? " (default: " : "",
             o->standard ? o->standard : "", o->standard ? ")" : "");
    row(f, left, right);
}

static void examples(FILE *f, const cm_cli_command *c)
{
    if (c->examples_n)
        fputs("\nExamples:\n", f);
    for (size_t i = 0; i < c->examples_n; i++) {
        fprintf(f, "%*s%s\n%*s", INDENT, "", c->examples[i].line, 2 * INDENT + 2, "");
        wrapped(f, c->examples[i].what, 2 * INDENT + 2, 2 * INDENT + 2);
    }
}

void cm_cli_help_command(FILE *f, const cm_cli_command *c)
{
    char title[CM_CLI_TITLE], usage[CM_CLI_LINE];

    cm_cli_command_title(title, sizeof title, c, ' ');
    cm_cli_command_usage(usage, sizeof usage, c);
    fprintf(f, "casemate %s: %s\n\nUsage: casemate %s %s\n", title, c->summary, title, usage);
    if (c->text) {
        fputc('\n', f);
        wrapped(f, c->text, 0, 0);
    }
    if (c->args_n)
        fputs("\nArguments:\n", f);
    for (size_t i = 0; i < c->args_n; i++)
        row(f, c->args[i].name, c->args[i].help);
    fputs("\nOptions:\n", f);
    for (size_t i = 0; cm_cli_option_at(c, i); i++)
        option_row(f, cm_cli_option_at(c, i));
    examples(f, c);
    fputs("\nExit codes:\n", f);
    for (const cm_cli_entry *e = cm_cli_exits; e->name; e++)
        row(f, e->name, e->summary);
}

void cm_cli_help_group(FILE *f, const char *group)
{
    char left[CM_CLI_LINE], title[CM_CLI_TITLE];
    const cm_cli_command *c;

    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++)
        if (strcmp(g->name, group) == 0)
            fprintf(f, "casemate %s: %s\n\n", group, g->summary);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (!c->group || strcmp(c->group, group) != 0)
            continue;
        cm_cli_command_title(title, sizeof title, c, ' ');
        snprintf(left, sizeof left, "casemate %s", title);
        row(f, left, c->summary);
    }
    fprintf(f, "\ncasemate help %s VERB explains each.\n", group);
}

void cm_cli_help_all(FILE *f)
{
    const cm_cli_command *c;

    fprintf(f, "casemate: %s\n\nUsage: casemate VERB [options] ...\n\n", cm_cli_summary);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        if (!c->group)
            row(f, c->name, c->summary);
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++) {
        char right[CM_CLI_LINE];
        size_t at = (size_t)snprintf(right, sizeof right, "%s:", g->summary);

        for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
            if (c->group && strcmp(c->group, g->name) == 0 && at < sizeof right)
                at += (size_t)snprintf(right + at, sizeof right - at, " %s", c->name);
        row(f, g->name, right);
    }
    fputs("\nFirst steps:\n"
          "  casemate init                              make your keys\n"
          "  casemate seal model.gguf --to bob.pub      for Bob, signed by you\n"
          "  casemate open model.gguf.sealed            as Bob, who trusts your publisher.pub\n"
          "\ncasemate help VERB explains a verb, with examples.\n",
          f);
}

static cm_err help_on(cm_cli *cli)
{
    const char *first = cli->args[0], *second = cli->args_n > 1 ? cli->args[1] : NULL;
    const cm_cli_command *c = cm_cli_command_find(second ? first : NULL, second ? second : first);

    if (c)
        cm_cli_help_command(stdout, c);
    else if (!second && cm_cli_is_group(first))
        cm_cli_help_group(stdout, first);
    else
        return cm_cli_usage(cli, "there is no command %s%s%s", first, second ? " " : "",
                            second ? second : "");
    return CM_OKAY;
}

cm_err cm_cli_help(cm_cli *cli)
{
    const char *man = cm_cli_text(cli, "man"), *markdown = cm_cli_text(cli, "markdown"),
               *completions = cm_cli_text(cli, "completions");

    if (man)
        CM_TRY(cm_cli_about(cli, man, cm_cli_write_man(cli, man), NULL));
    if (completions)
        CM_TRY(cm_cli_about(cli, completions, cm_cli_write_completions(cli, completions), NULL));
    if (markdown)
        CM_TRY(cm_cli_about(cli, markdown, cm_cli_write_markdown(cli, markdown), NULL));
    if (man || completions || markdown)
        return CM_OKAY;
    if (cli->args_n)
        return help_on(cli);
    cm_cli_help_all(stdout);
    return CM_OKAY;
}
