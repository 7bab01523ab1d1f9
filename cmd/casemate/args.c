/* The command line, taken apart by the table. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "codec/text.h"

/* ---- what was probably meant --------------------------------------------------------------- */

enum { WORD = 40 };

/* Insertions, removals, replacements and swaps of neighbours between two short words. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[3][WORD + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > WORD || m > WORD)
        return WORD;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = CM_MIN(best, CM_MIN(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = CM_MIN(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

struct guess {
    const char *given, *best;
    unsigned far;
};

static void consider(struct guess *g, const char *word)
{
    unsigned d = distance(g->given, word);

    if (d < g->far) {
        g->far = d;
        g->best = word;
    }
}

/* Near enough to be worth a question: a third of the word wrong, three letters at most. */
static struct guess guess_of(const char *given)
{
    struct guess g = {given, NULL, (unsigned)CM_MIN(strlen(given) / 3 + 2, (size_t)4)};

    return g;
}

static cm_err no_such_option(cm_cli *cli, const char *given)
{
    struct guess g = guess_of(given);
    const cm_cli_option *o;

    for (size_t i = 0; (o = cm_cli_option_at(cli->command, i)) != NULL; i++)
        consider(&g, o->name);
    if (g.best)
        return cm_cli_usage(cli, "unknown option --%s; did you mean --%s?", given, g.best);
    return cm_cli_usage(cli, "unknown option --%s", given);
}

static cm_err no_such_command(cm_cli *cli, const char *group, const char *given)
{
    struct guess g = guess_of(given);
    const cm_cli_command *c;

    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        if (group ? c->group && strcmp(c->group, group) == 0 : c->group == NULL)
            consider(&g, c->name);
    for (const cm_cli_entry *e = cm_cli_groups; !group && e->name; e++)
        consider(&g, e->name);
    if (g.best)
        return cm_cli_usage(cli, "unknown command %s%s%s; did you mean %s?", group ? group : "",
                            group ? " " : "", given, g.best);
    return cm_cli_usage(cli, "unknown command %s%s%s", group ? group : "", group ? " " : "", given);
}

/* ---- parsing ------------------------------------------------------------------------------- */

struct parser {
    cm_cli *cli;
    char **argv;
    int argc, at;
};

static const cm_cli_option *find_long(const cm_cli_command *c, const char *name, size_t n)
{
    const cm_cli_option *o;

    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static const cm_cli_option *find_short(const cm_cli_command *c, char letter)
{
    const cm_cli_option *o;

    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

static bool one_of_words(const char *words, const char *value)
{
    size_t n = strlen(value);

    for (const char *w = words; *w;) {
        size_t len = strcspn(w, " ");

        if (len == n && memcmp(w, value, n) == 0)
            return true;
        w += len + (w[len] == ' ');
    }
    return false;
}

static cm_err add(cm_cli *cli, const cm_cli_option *o, const char *value)
{
    if (!o->many && o->arg)
        for (size_t i = 0; i < cli->values_n; i++)
            if (cli->values[i].option == o)
                return cm_cli_usage(cli, "--%s is given twice", o->name);
    if (o->kind == CM_CLI_WORDS && !one_of_words(o->words, value))
        return cm_cli_usage(cli, "--%s takes one of: %s", o->name, o->words);
    cli->values[cli->values_n++] = (cm_cli_value){o, value};
    return CM_OKAY;
}

static cm_err add_with_next(struct parser *p, const cm_cli_option *o)
{
    if (p->at >= p->argc)
        return cm_cli_usage(p->cli, "--%s needs its argument %s", o->name, o->arg);
    return add(p->cli, o, p->argv[p->at++]);
}

static cm_err parse_long(struct parser *p, const char *text)
{
    size_t n = strcspn(text, "=");
    const cm_cli_option *o = find_long(p->cli->command, text, n);
    char name[WORD + 1];

    if (!o) {
        snprintf(name, sizeof name, "%.*s", (int)CM_MIN(n, (size_t)WORD), text);
        return no_such_option(p->cli, name);
    }
    if (!o->arg)
        return text[n] == '=' ? cm_cli_usage(p->cli, "--%s takes no argument", o->name)
                              : add(p->cli, o, "");
    return text[n] == '=' ? add(p->cli, o, text + n + 1) : add_with_next(p, o);
}

static cm_err parse_short(struct parser *p, const char *text)
{
    for (; *text; text++) {
        const cm_cli_option *o = find_short(p->cli->command, *text);

        if (!o)
            return cm_cli_usage(p->cli, "unknown option -%c", *text);
        if (o->arg)
            return text[1] ? add(p->cli, o, text + 1) : add_with_next(p, o);
        CM_TRY(add(p->cli, o, ""));
    }
    return CM_OKAY;
}

static cm_err take_rest(struct parser *p)
{
    p->cli->rest = p->argv + p->at;
    p->cli->rest_n = (size_t)(p->argc - p->at);
    p->at = p->argc;
    return CM_OKAY;
}

static cm_err parse_options(struct parser *p)
{
    bool words = false;

    while (p->at < p->argc) {
        char *a = p->argv[p->at++];

        if (!words && strcmp(a, "--") == 0) {
            if (p->cli->command->rest)
                return take_rest(p);
            words = true;
        } else if (!words && a[0] == '-' && a[1] == '-')
            CM_TRY(parse_long(p, a + 2));
        else if (!words && a[0] == '-' && a[1])
            CM_TRY(parse_short(p, a + 1));
        else
            p->cli->args[p->cli->args_n++] = a;
    }
    return CM_OKAY;
}

static cm_err check_counts(cm_cli *cli)
{
    const cm_cli_command *c = cli->command;
    size_t min = 0, max = 0;

    if (cm_cli_has(cli, "help"))
        return CM_OKAY;
    for (size_t i = 0; i < c->args_n; i++) {
        min += c->args[i].min;
        max += c->args[i].max;
    }
    if (cli->args_n < min)
        return cm_cli_usage(cli, "%s is missing", c->args[0].name);
    if (cli->args_n > max)
        return cm_cli_usage(cli, "%s is one argument too many", cli->args[max]);
    if (c->rest && cli->rest_n == 0)
        return cm_cli_usage(cli, "the command is missing: put it behind --");
    return CM_OKAY;
}

/* Flags of all commands may stand before the verb, and --version instead of one. */
static cm_err find_command(struct parser *p)
{
    cm_cli *cli = p->cli;
    const char *verb, *name;

    cli->command = cm_cli_command_find(NULL, "help");
    while (p->at < p->argc && p->argv[p->at][0] == '-') {
        const char *a = p->argv[p->at++];

        if (strcmp(a, "--version") == 0)
            cli->command = cm_cli_command_find(NULL, "version");
        else
            CM_TRY(a[1] == '-' ? parse_long(p, a + 2) : parse_short(p, a + 1));
    }
    if (p->at >= p->argc)
        return CM_OKAY;
    verb = p->argv[p->at++];
    cli->command = cm_cli_command_find(NULL, verb);
    cli->named = cli->command != NULL;
    if (cli->named)
        return CM_OKAY;
    cli->command = cm_cli_command_find(NULL, "help");
    if (!cm_cli_is_group(verb))
        return no_such_command(cli, NULL, verb);
    name = p->at < p->argc ? p->argv[p->at] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        p->at = p->argc;
        cli->args[cli->args_n++] = p->argv[p->at - (p->argc > 2 ? 2 : 1)];
        return CM_OKAY;
    }
    p->at++;
    if (!cm_cli_command_find(verb, name))
        return no_such_command(cli, verb, name);
    cli->command = cm_cli_command_find(verb, name);
    cli->named = true;
    return CM_OKAY;
}

/* Flags before the verb were looked up in another command's list. */
static void rebind(cm_cli *cli)
{
    for (size_t i = 0; i < cli->values_n; i++) {
        const char *name = cli->values[i].option->name;

        cli->values[i].option = find_long(cli->command, name, strlen(name));
    }
}

cm_err cm_cli_parse(cm_cli *cli, int argc, char **argv)
{
    struct parser p = {cli, argv, argc, 1};
    cm_err e;

    CM_TRY(cm_alloc_array(&cli->values, (size_t)argc * 2 + 2, sizeof *cli->values));
    CM_TRY(cm_alloc_array(&cli->args, (size_t)argc + 1, sizeof *cli->args));
    e = find_command(&p);
    if (cm_ok(e)) {
        rebind(cli);
        e = parse_options(&p);
    }
    /* How to say it matters even when the rest of the line is wrong. */
    cli->json = cm_cli_has(cli, "json");
    cli->quiet = cm_cli_has(cli, "quiet");
    return cm_failed(e) ? e : check_counts(cli);
}

/* ---- what was given ------------------------------------------------------------------------ */

static const cm_cli_option *must_find(const cm_cli *cli, const char *name)
{
    const cm_cli_option *o = find_long(cli->command, name, strlen(name));

    if (!o)
        abort();
    return o;
}

size_t cm_cli_count(const cm_cli *cli, const char *name)
{
    const cm_cli_option *o = must_find(cli, name);
    size_t n = 0;

    for (size_t i = 0; i < cli->values_n; i++)
        n += cli->values[i].option == o;
    return n;
}

const char *cm_cli_nth(const cm_cli *cli, const char *name, size_t i)
{
    const cm_cli_option *o = must_find(cli, name);

    for (size_t k = 0; k < cli->values_n; k++)
        if (cli->values[k].option == o && i-- == 0)
            return cli->values[k].value;
    return NULL;
}

bool cm_cli_has(const cm_cli *cli, const char *name)
{
    return cm_cli_count(cli, name) > 0;
}

const char *cm_cli_text(const cm_cli *cli, const char *name)
{
    return cm_cli_nth(cli, name, 0);
}

static cm_err in_range(cm_cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *v,
                       cm_err (*decode)(uint64_t *, cm_view))
{
    const char *text = cm_cli_text(cli, name);
    uint64_t n;

    if (!text)
        return CM_OKAY;
    if (cm_failed(decode(&n, cm_view_str(text))) || n < min || n > max)
        return cm_cli_usage(cli, "--%s %s: not a whole number from %llu to %llu", name, text,
                            (unsigned long long)min, (unsigned long long)max);
    *v = n;
    return CM_OKAY;
}

cm_err cm_cli_number(cm_cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *v)
{
    return in_range(cli, name, min, max, v, cm_dec_u64);
}

cm_err cm_cli_size(cm_cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *v)
{
    return in_range(cli, name, min, max, v, cm_dec_size);
}

cm_err cm_cli_at_most_one(cm_cli *cli, const char *const *names)
{
    const char *first = NULL;

    for (; *names; names++) {
        if (!cm_cli_has(cli, *names))
            continue;
        if (first)
            return cm_cli_usage(cli, "--%s and --%s exclude each other", first, *names);
        first = *names;
    }
    return CM_OKAY;
}
