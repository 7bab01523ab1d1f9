/* Shell completions. Each shell gets the whole table as data and a few lines of its own language.
 */
#include <stdio.h>

#include "cli.h"
#include "pki/keyfile.h"

enum { PATH_LEN = 4096 };

static void key_types(FILE *f)
{
    const char *name;

    for (size_t i = 0; (name = cm_pkey_algorithm_name(i)) != NULL; i++)
        fprintf(f, "%s%s", i ? " " : "", name);
}

/* The words after `casemate` (group NULL) or after a group. */
static void verbs(FILE *f, const char *group)
{
    const cm_cli_command *c;
    const char *space = "";

    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (group ? !c->group || strcmp(c->group, group) != 0 : c->group != NULL)
            continue;
        fprintf(f, "%s%s", space, c->name);
        space = " ";
    }
    for (const cm_cli_entry *g = cm_cli_groups; !group && g->name; g++)
        fprintf(f, " %s", g->name);
}

static cm_cli_kind positional(const cm_cli_command *c)
{
    return c->rest ? CM_CLI_COMMAND : c->args_n ? c->args[0].kind : CM_CLI_ANY;
}

/* ---- bash ---------------------------------------------------------------------------------- */

static void bash_option_names(FILE *f, const cm_cli_command *c)
{
    const cm_cli_option *o;

    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++) {
        fprintf(f, "%s--%s", i ? " " : "", o->name);
        if (o->letter)
            fprintf(f, " -%c", o->letter);
    }
}

static void bash_argument(FILE *f, const cm_cli_option *o)
{
    switch (o->kind) {
    case CM_CLI_FILE:
        fputs("compgen -f -- \"$cur\"", f);
        break;
    case CM_CLI_FOLDER:
        fputs("compgen -d -- \"$cur\"", f);
        break;
    case CM_CLI_WORDS:
        fprintf(f, "compgen -W '%s' -- \"$cur\"", o->words);
        break;
    case CM_CLI_KEYTYPE:
        fputs("compgen -W '", f);
        key_types(f);
        fputs("' -- \"$cur\"", f);
        break;
    case CM_CLI_COMMAND:
        fputs("compgen -c -- \"$cur\"", f);
        break;
    case CM_CLI_ANY:
        fputs(":", f);
        break;
    }
}

static void bash_command(FILE *f, const cm_cli_command *c)
{
    const cm_cli_option *o;
    char title[CM_CLI_TITLE];

    cm_cli_command_title(title, sizeof title, c, ' ');
    fprintf(f, "    '%s')\n        case $prev in\n", title);
    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++) {
        if (!o->arg)
            continue;
        fprintf(f, "        --%s", o->name);
        if (o->letter)
            fprintf(f, " | -%c", o->letter);
        fputs(") ", f);
        bash_argument(f, o);
        fputs(" && return ;;\n", f);
    }
    fputs("        esac\n        [[ $cur != -* ]] || compgen -W '", f);
    bash_option_names(f, c);
    fputs("' -- \"$cur\"\n", f);
    if (positional(c) == CM_CLI_FILE)
        fputs("        [[ $cur == -* ]] || compgen -f -- \"$cur\"\n", f);
    fputs("        ;;\n", f);
}

static void bash(FILE *f, const void *what)
{
    const cm_cli_command *c;

    (void)what;
    fputs(
        "# Completion of casemate for bash, made by casemate help --completions.\n\n"
        "_casemate_words() {\n    local cur=$1 prev=$2 verb=$3 IFS=$' \\t\\n'\n    case $verb in\n"
        "    '') compgen -W '",
        f);
    verbs(f, NULL);
    fputs("' -- \"$cur\" ;;\n", f);
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++) {
        fprintf(f, "    %s) compgen -W '", g->name);
        verbs(f, g->name);
        fputs("' -- \"$cur\" ;;\n", f);
    }
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        if (c->run == cm_cli_help) {
            fputs("    help) compgen -W '--man --completions --markdown ", f);
            verbs(f, NULL);
            fputs("' -- \"$cur\" ;;\n", f);
        } else
            bash_command(f, c);
    fputs("    esac\n}\n\n"
          "_casemate() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} != -* ]] || continue\n"
          "        verb=${COMP_WORDS[i]}\n"
          "        case $verb in\n        ",
          f);
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++)
        fprintf(f, "%s%s", g == cm_cli_groups ? "" : " | ", g->name);
    fputs(") ((i + 1 >= COMP_CWORD)) || verb+=\" ${COMP_WORDS[i + 1]}\" ;;\n"
          "        esac\n        break\n    done\n"
          "    local IFS=$'\\n'\n"
          "    COMPREPLY=($(_casemate_words \"$cur\" \"$prev\" \"$verb\"))\n}\n\n"
          "complete -o filenames -F _casemate casemate\n",
          f);
}

/* ---- zsh ----------------------------------------------------------------------------------- */

/* Inside single quotes and an _arguments spec. */
static void zsh_text(FILE *f, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '\'':
            fputs("'\\''", f);
            break;
        case '[':
        case ']':
        case ':':
        case '\\':
            fprintf(f, "\\%c", *text);
            break;
        default:
            fputc(*text, f);
        }
}

static void zsh_action(FILE *f, cm_cli_kind kind, const char *words)
{
    switch (kind) {
    case CM_CLI_FILE:
        fputs("_files", f);
        break;
    case CM_CLI_FOLDER:
        fputs("_files -/", f);
        break;
    case CM_CLI_WORDS:
        fprintf(f, "(%s)", words);
        break;
    case CM_CLI_KEYTYPE:
        fputc('(', f);
        key_types(f);
        fputc(')', f);
        break;
    case CM_CLI_COMMAND:
        fputs("_normal", f);
        break;
    case CM_CLI_ANY:
        fputc(' ', f);
        break;
    }
}

static void zsh_option(FILE *f, const cm_cli_option *o, bool letter)
{
    fprintf(f, " \\\n        '%s", o->many ? "*" : "");
    if (letter)
        fprintf(f, "-%c[", o->letter);
    else
        fprintf(f, "--%s[", o->name);
    zsh_text(f, o->help);
    fputc(']', f);
    if (o->arg) {
        fputc(':', f);
        zsh_text(f, o->arg);
        fputc(':', f);
        zsh_action(f, o->kind, o->words);
    }
    fputc('\'', f);
}

static void zsh_command(FILE *f, const cm_cli_command *c)
{
    const cm_cli_option *o;
    char title[CM_CLI_TITLE];

    cm_cli_command_title(title, sizeof title, c, ' ');
    fprintf(f, "    '%s') _arguments -s", title);
    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++) {
        zsh_option(f, o, false);
        if (o->letter)
            zsh_option(f, o, true);
    }
    for (size_t i = 0; i < c->args_n; i++) {
        fprintf(f, " \\\n        '%s:", c->args[i].max > 1 ? "*" : "");
        zsh_text(f, c->args[i].name);
        fputc(':', f);
        zsh_action(f, c->args[i].kind, NULL);
        fputc('\'', f);
    }
    if (c->rest)
        fputs(" \\\n        '*:: :_normal'", f);
    fputs(" ;;\n", f);
}

static void zsh_verbs(FILE *f, const char *group)
{
    const cm_cli_command *c;

    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (group ? !c->group || strcmp(c->group, group) != 0 : c->group != NULL)
            continue;
        fprintf(f, " '%s:", c->name);
        zsh_text(f, c->summary);
        fputc('\'', f);
    }
    for (const cm_cli_entry *g = cm_cli_groups; !group && g->name; g++) {
        fprintf(f, " '%s:", g->name);
        zsh_text(f, g->summary);
        fputc('\'', f);
    }
}

static void zsh(FILE *f, const void *what)
{
    const cm_cli_command *c;

    (void)what;
    fputs("#compdef casemate\n# Completion of casemate for zsh, made by casemate help "
          "--completions.\n\n_casemate() {\n    local -a verbs\n    local verb=$words[2]\n"
          "    if ((CURRENT == 2)); then\n        verbs=(",
          f);
    zsh_verbs(f, NULL);
    fputs(")\n        _describe verb verbs\n        return\n    fi\n", f);
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++) {
        fprintf(f,
                "    if [[ $verb == %s ]]; then\n        if ((CURRENT == 3)); then\n"
                "            verbs=(",
                g->name);
        zsh_verbs(f, g->name);
        fputs(")\n            _describe verb verbs\n            return\n        fi\n"
              "        verb+=\" $words[3]\"\n        shift words\n        ((CURRENT--))\n    fi\n",
              f);
    }
    fputs("    shift words\n    ((CURRENT--))\n    case $verb in\n", f);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        zsh_command(f, c);
    fputs("    esac\n}\n\n_casemate \"$@\"\n", f);
}

/* ---- fish ---------------------------------------------------------------------------------- */

static void fish_text(FILE *f, const char *text)
{
    for (; *text; text++)
        fprintf(f, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
}

static void fish_option(FILE *f, const char *when, const cm_cli_option *o)
{
    fprintf(f, "complete -c casemate -n '%s' -l %s", when, o->name);
    if (o->letter)
        fprintf(f, " -s %c", o->letter);
    if (o->arg)
        fputs(o->kind == CM_CLI_FILE || o->kind == CM_CLI_FOLDER ? " -r -F" : " -x", f);
    if (o->kind == CM_CLI_WORDS)
        fprintf(f, " -a '%s'", o->words);
    if (o->kind == CM_CLI_KEYTYPE) {
        fputs(" -a '", f);
        key_types(f);
        fputc('\'', f);
    }
    fputs(" -d '", f);
    fish_text(f, o->help);
    fputs("'\n", f);
}

static void fish_command(FILE *f, const cm_cli_command *c)
{
    const cm_cli_option *o;
    char when[CM_CLI_LINE];

    if (c->group)
        snprintf(when, sizeof when,
                 "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s", c->group,
                 c->name);
    else
        snprintf(when, sizeof when, "test (__casemate_verb) = %s", c->name);
    for (size_t i = 0; (o = cm_cli_option_at(c, i)) != NULL; i++)
        fish_option(f, when, o);
    if (positional(c) == CM_CLI_FILE)
        fprintf(f, "complete -c casemate -n '%s' -F\n", when);
}

static void fish_verb(FILE *f, const char *when, const char *name, const char *summary)
{
    fprintf(f, "complete -c casemate -f -n '%s' -a %s -d '", when, name);
    fish_text(f, summary);
    fputs("'\n", f);
}

static void fish(FILE *f, const void *what)
{
    const cm_cli_command *c;
    char when[CM_CLI_LINE];

    (void)what;
    fputs("# Completion of casemate for fish, made by casemate help --completions.\n\n"
          "function __casemate_verb\n    set -l words (commandline -opc)\n"
          "    for w in $words[2..-1]\n        string match -q -- '-*' $w; and continue\n"
          "        echo $w\n        return\n    end\n    echo -\nend\n\n",
          f);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++) {
        if (!c->group) {
            fish_verb(f, "test (__casemate_verb) = -", c->name, c->summary);
            continue;
        }
        snprintf(when, sizeof when, "test (__casemate_verb) = %s", c->group);
        fish_verb(f, when, c->name, c->summary);
    }
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++)
        fish_verb(f, "test (__casemate_verb) = -", g->name, g->summary);
    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        fish_command(f, c);
}

cm_err cm_cli_write_completions(cm_cli *cli, const char *dir)
{
    static const struct {
        const char *name;
        void (*write)(FILE *, const void *);
    } shells[] = {{"casemate.bash", bash}, {"_casemate", zsh}, {"casemate.fish", fish}};
    char path[PATH_LEN];

    CM_TRY(cm_cli_make_folder(dir, 0777));
    for (size_t i = 0; i < CM_COUNT(shells); i++) {
        int n = snprintf(path, sizeof path, "%s/%s", dir, shells[i].name);

        if (n < 0 || (size_t)n >= sizeof path)
            return CM_FAIL(TOO_BIG);
        CM_TRY(cm_cli_document(cli, path, shells[i].write, NULL));
    }
    return CM_OKAY;
}
