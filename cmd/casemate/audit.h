#ifndef CM_CMD_AUDIT_H
#define CM_CMD_AUDIT_H
/* What the `casemate audit` commands share: public keys, logs to read, lines of checks. */
#include "audit/verify.h"
#include "cli.h"
#include "remote.h"

enum { CM_CLI_VKEYS = 32 };

/** Keys of one option: each a vkey, or a file with one a line. */
typedef struct {
    cm_vkey v[CM_CLI_VKEYS];
    size_t n;
} cm_cli_vkeys;

CM_MUST cm_err cm_cli_vkeys_init(cm_cli *cli, cm_cli_vkeys *k, const char *option);
void cm_cli_vkeys_done(cm_cli_vkeys *k);

/** A log: --store FILE, a folder in the layout of tlog-tiles, or a server's. It does not move once
 * open. */
typedef struct {
    cm_cli *cli;
    cm_remote remote;
    cm_buf note; /* the server's checkpoint, once read */
    const char *dir;
    cm_store *store;
    cm_log_files files;
    cm_log_view view;
} cm_cli_log;

/** dir NULL: --store. */
CM_MUST cm_err cm_cli_log_open(cm_cli *cli, cm_cli_log *l, const char *dir);
/** That of the server of --server or the profile in use. What it is asked for, its entries above
 * all, it may refuse. */
CM_MUST cm_err cm_cli_log_server(cm_cli *cli, cm_cli_log *l);
/** --store, the folder in cli->args[arg], or else a server's; CLI_USAGE when there is none. */
CM_MUST cm_err cm_cli_log_any(cm_cli *cli, cm_cli_log *l, size_t arg);
/** Whether that would be a server's. */
bool cm_cli_log_is_server(const cm_cli *cli, size_t arg);
void cm_cli_log_close(cm_cli_log *l);
/** Append a receipt that the server makes. */
CM_MUST cm_err cm_cli_server_receipt(cm_cli *cli, cm_buf *out, uint64_t leaf);
/** Show the tenant's among the last entries; go_on: and those to come, for good. */
CM_MUST cm_err cm_cli_server_tail(cm_cli *cli, uint64_t last, bool go_on);
/** What opens a store's rows. */
const cm_store_sealer *cm_cli_log_sealer(cm_cli *cli);

/** Folder, or something else; NO_FILE. */
CM_MUST cm_err cm_cli_is_folder(cm_cli *cli, bool *is, const char *path);

/** Verdicts so far. */
typedef struct {
    cm_cli *cli;
    unsigned pass, skip, fail;
} cm_cli_checks;

void cm_cli_pass(cm_cli_checks *c, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cm_cli_skip(cm_cli_checks *c, const char *what, const char *why);
/** FAIL with the reason of e, and a word on where. */
void cm_cli_fail(cm_cli_checks *c, const char *what, cm_err e, const char *where);
/** The sum, and CLI_CHECK_FAILED if anything did. */
CM_MUST cm_err cm_cli_conclude(cm_cli_checks *c);

/** An entry as a line, or as members of an event. */
void cm_cli_say_entry(cm_cli *cli, uint64_t index, cm_view entry);

#endif
