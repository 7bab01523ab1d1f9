#ifndef CM_CMD_CLI_H
#define CM_CMD_CLI_H
/* One run of the program: what was asked, where words and events go, how it is stopped. */
#include <stdatomic.h>
#include <stdio.h>

#include "base/base.h"
#include "codec/json.h"
#include "command.h"
#include "crypt/crypt.h"

enum { CM_CLI_LINE = 512, CM_CLI_TITLE = 48 };

typedef struct {
    const cm_cli_option *option;
    const char *value; /* "" for a flag */
} cm_cli_value;

/* A progress line or its events. */
typedef struct {
    uint64_t start_ns, shown_ns;
    uint64_t done, total, first; /* first: where this run began */
    bool begun, drawn;
} cm_cli_progress;

typedef struct cm_cli {
    const cm_cli_command *command;
    bool named; /* the command line says which */
    cm_cli_value *values;
    size_t values_n;
    char **args; /* positional */
    size_t args_n;
    char **rest; /* behind -- for commands that take one */
    size_t rest_n;

    cm_crypt *crypt;
    char object[2 * CM_CLI_LINE]; /* what the work, or an error, is about; may be empty */
    bool blamed;                  /* object was set by the first failure and stays */
    char detail[CM_CLI_LINE];     /* said instead of the reason's text when not empty */
    char advice[CM_CLI_LINE];     /* said instead of the reason's remedy when not empty */
    FILE *events;                 /* where --json goes: stdout, or stderr when that carries data */
    bool json, quiet, no_color;
    bool tty, tty_out; /* stderr and stdout are terminals */
    cm_cli_progress progress;
    cm_buf fd_passphrase; /* what --key-passphrase-fd held */

    atomic_bool cancel;
    atomic_bool abrupt; /* nothing to clean up: the first signal ends the process */
    atomic_int signal;  /* the first that came */
    int wake;           /* readable once a signal came; -1 before cm_cli_watch_signals() */
    bool resumable;     /* an interrupted run can go on: said when stopped */
} cm_cli;

/* ---- arguments (args.c) ---- */

/** Find the command and take the arguments apart. cli holds room for argc values. CLI_USAGE with
 * the detail said. */
CM_MUST cm_err cm_cli_parse(cm_cli *cli, int argc, char **argv);
/** Whether an option was given. A name that the command does not have is a bug and traps. */
bool cm_cli_has(const cm_cli *cli, const char *name);
/** Its argument, NULL when not given. */
const char *cm_cli_text(const cm_cli *cli, const char *name);
size_t cm_cli_count(const cm_cli *cli, const char *name);
/** Of a repeated option. */
const char *cm_cli_nth(const cm_cli *cli, const char *name, size_t i);
/** A whole number from min to max; *v is unchanged when not given. CLI_USAGE. */
CM_MUST cm_err cm_cli_number(cm_cli *cli, const char *name, uint64_t min, uint64_t max,
                             uint64_t *v);
/** The same with a binary suffix. */
CM_MUST cm_err cm_cli_size(cm_cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *v);
/** CLI_USAGE when more than one of the names (NULL at the end) was given. */
CM_MUST cm_err cm_cli_at_most_one(cm_cli *cli, const char *const *names);

/* ---- words (report.c) ---- */

/** Say what is wrong and return CLI_USAGE. */
CM_MUST cm_err cm_cli_usage(cm_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** What the work is about from here on; NULL: nothing in particular. */
void cm_cli_on(cm_cli *cli, const char *object);
/** Keep e, but be about object and, when not NULL, advise something better than the reason does. */
CM_MUST cm_err cm_cli_about(cm_cli *cli, const char *object, cm_err e, const char *advice);
/** To stdout, for people. Nothing with --json or --quiet. */
void cm_cli_say(cm_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** To stderr: notes that are no errors. Nothing with --json or --quiet. */
void cm_cli_note(cm_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** One JSON line: begin, put members, end. Members are dropped without --json. */
typedef struct {
    cm_buf buf;
    cm_json_writer w;
} cm_cli_event;
void cm_cli_event_begin(cm_cli *cli, cm_cli_event *e, const char *name);
void cm_cli_event_end(cm_cli *cli, cm_cli_event *e);
/** The error on stderr or as an event, once; and what the process exits with. */
void cm_cli_report(cm_cli *cli, cm_err e);
int cm_cli_exit_code(const cm_cli *cli, cm_err e);
/** Flush stdout. IO_PIPE_CLOSED, IO_WRITE. */
CM_MUST cm_err cm_cli_flush(cm_cli *cli);
/** stdout carries data from now on: events go to stderr and cm_cli_say() is silent. */
void cm_cli_data_to_stdout(cm_cli *cli);
/** Escape codes when the terminal has colours, else "". */
const char *cm_cli_color(const cm_cli *cli, FILE *f, const char *code);
/** "1.4 GiB" into text of 32 bytes. */
const char *cm_cli_bytes(char text[32], uint64_t n);
/** Lower-case hex of v, NUL-terminated, into text of 2 * v.n + 1. */
const char *cm_cli_hex(char *text, cm_view v);
/** "2026-01-31 12:00:00 UTC" into text of 32. */
const char *cm_cli_date(char text[32], uint64_t seconds);
/** Text from elsewhere, made safe to print: control characters become ?. */
const char *cm_cli_clean(char *text, size_t n, cm_view v);

/* ---- progress (progress.c) ---- */

/** Event "start" or a bar on the terminal. */
void cm_cli_progress_begin(cm_cli *cli);
/** A cm_watch function; arg is the cm_cli. */
void cm_cli_progress_step(void *arg, uint64_t done, uint64_t total);
/** Takes the bar away. */
void cm_cli_progress_end(cm_cli *cli);
double cm_cli_seconds(const cm_cli *cli);

/* ---- signals (signals.c) ---- */

/** SIGPIPE is ignored; the first SIGINT or SIGTERM sets cancel, the second ends the process. */
CM_MUST cm_err cm_cli_watch_signals(cm_cli *cli);
/** Before exec: give the signals back. */
void cm_cli_release_signals(void);

/* ---- passphrases (passphrase.c) ---- */

/** Where a passphrase is to be had, by the options of one prefix: "" for --passphrase-file and
 * --passphrase-fd, "key-" for --key-passphrase-file and --key-passphrase-fd. */
CM_MUST cm_err cm_cli_passphrase(cm_cli *cli, cm_buf *out, const char *prefix, const char *prompt,
                                 bool is_new);
/** One line from the terminal, unseen. CLI_NO_TERMINAL. */
CM_MUST cm_err cm_cli_ask(cm_cli *cli, cm_buf *out, const char *prompt);
/** Whether the options name one, or a terminal is there to ask on. */
bool cm_cli_can_ask(const cm_cli *cli, const char *prefix);

/* ---- where things are (home.c) ---- */

/** NAME in the home, to be freed with cm_free(). CLI_NO_HOME. */
CM_MUST cm_err cm_cli_home(cm_cli *cli, char **path, const char *name);
/** Where `casemate serve` keeps its server unless told otherwise. CLI_NO_HOME. */
CM_MUST cm_err cm_cli_data_dir(char *dir, size_t n);
/** A folder and those above it; one that exists stays as it is. */
CM_MUST cm_err cm_cli_make_folder(const char *path, unsigned mode);
/** Paths of the trusted publishers' keys, sorted. None is no error. */
CM_MUST cm_err cm_cli_trusted(cm_cli *cli, char ***paths, size_t *n);
void cm_cli_paths_free(char ***paths);
/** The key that guards journals of interrupted runs: made on first use. *have is false without a
 * home to keep it in. */
CM_MUST cm_err cm_cli_resume_key(cm_cli *cli, uint8_t key[32], bool *have);

/* ---- documents from the table ---- */
void cm_cli_help_command(FILE *f, const cm_cli_command *c);
void cm_cli_help_group(FILE *f, const char *group);
void cm_cli_help_all(FILE *f);
CM_MUST cm_err cm_cli_write_man(cm_cli *cli, const char *dir);
CM_MUST cm_err cm_cli_write_completions(cm_cli *cli, const char *dir);
CM_MUST cm_err cm_cli_write_markdown(cm_cli *cli, const char *path);
/** What write() prints, under path at once. */
CM_MUST cm_err cm_cli_document(cm_cli *cli, const char *path,
                               void (*write)(FILE *f, const void *what), const void *what);

#endif
