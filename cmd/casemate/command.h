#ifndef CM_CMD_COMMAND_H
#define CM_CMD_COMMAND_H
/*
 * The one table that everything about the command line is made from: parsing, help, man pages,
 * shell completions and docs/cli.md.
 */
#include "base/base.h"

struct cm_cli;

/** What an argument is, for shells that complete it. */
typedef enum {
    CM_CLI_ANY,
    CM_CLI_FILE,
    CM_CLI_FOLDER,
    CM_CLI_WORDS,   /* one of words */
    CM_CLI_COMMAND, /* a program */
    CM_CLI_KEYTYPE, /* an algorithm that keys can be made for */
} cm_cli_kind;

typedef struct {
    char letter;          /* 0: none */
    const char *name;     /* without the dashes */
    const char *arg;      /* what stands for its argument; NULL: a flag */
    const char *help;     /* one sentence without its full stop, or more with */
    const char *standard; /* what holds without it; NULL: nothing to say */
    cm_cli_kind kind;
    const char *words; /* separated by spaces */
    bool many;
} cm_cli_option;

typedef struct {
    const char *name, *help;
    cm_cli_kind kind;
    unsigned min, max; /* how many */
} cm_cli_argument;

typedef struct {
    const char *line, *what;
} cm_cli_example;

typedef struct {
    const char *group; /* "key" of `key new`; NULL: none */
    const char *name;
    const char *summary; /* small first letter, no full stop */
    const char *text;    /* paragraphs, an empty line between them */
    const cm_cli_option *options;
    size_t options_n;
    const cm_cli_argument *args;
    size_t args_n;
    const cm_cli_example *examples;
    size_t examples_n;
    const char *see; /* other pages, separated by spaces */
    bool rest;       /* takes a command behind -- */
    cm_err (*run)(struct cm_cli *cli);
} cm_cli_command;

typedef struct {
    const char *name, *summary;
} cm_cli_entry;

typedef struct {
    const cm_cli_command *v;
    size_t n;
} cm_cli_commands;

/* The table, in the order of the help text. */
enum { CM_CLI_TABLES = 14 };
extern const cm_cli_commands *const cm_cli_table[CM_CLI_TABLES];
extern const cm_cli_commands cm_cli_model_commands, cm_cli_care_commands, cm_cli_key_commands,
    cm_cli_cert_commands, cm_cli_audit_commands, cm_cli_net_commands, cm_cli_serve_commands,
    cm_cli_hsm_commands, cm_cli_store_commands, cm_cli_attest_commands, cm_cli_market_commands,
    cm_cli_release_commands, cm_cli_enclave_commands;

/* Taken by every command. */
extern const cm_cli_option cm_cli_common[];
extern const size_t cm_cli_common_n;
/* Lists that end in a NULL name. */
extern const cm_cli_entry cm_cli_groups[], cm_cli_exits[], cm_cli_environment[], cm_cli_files[];
extern const char cm_cli_summary[], cm_cli_intro[];
/* When the manual was last revised. */
extern const char cm_cli_date_of_docs[];

/** The nth command over all tables; NULL past the last. */
const cm_cli_command *cm_cli_command_at(size_t i);
/** By "seal", or "key" and "new". NULL when there is none. */
const cm_cli_command *cm_cli_command_find(const char *group, const char *name);
/** Whether commands of that group exist. */
bool cm_cli_is_group(const char *name);
/** The nth option of a command, its own first, then the common ones; NULL past the last. */
const cm_cli_option *cm_cli_option_at(const cm_cli_command *c, size_t i);
/** "key new" into text. */
void cm_cli_command_title(char *text, size_t n, const cm_cli_command *c, char between);
/** "[options] MODEL [-- COMMAND ...]" into text. */
void cm_cli_command_usage(char *text, size_t n, const cm_cli_command *c);

/* ---- the verbs ---- */
cm_err cm_cli_version(struct cm_cli *cli);
cm_err cm_cli_help(struct cm_cli *cli);
cm_err cm_cli_init(struct cm_cli *cli);
cm_err cm_cli_seal(struct cm_cli *cli);
cm_err cm_cli_open(struct cm_cli *cli);
cm_err cm_cli_cat(struct cm_cli *cli);
cm_err cm_cli_exec(struct cm_cli *cli);
cm_err cm_cli_enclave_manifest(struct cm_cli *cli);
cm_err cm_cli_enclave_run(struct cm_cli *cli);
cm_err cm_cli_enclave_call(struct cm_cli *cli);
cm_err cm_cli_enclave_verify(struct cm_cli *cli);
cm_err cm_cli_inspect(struct cm_cli *cli);
cm_err cm_cli_verify(struct cm_cli *cli);
cm_err cm_cli_rewrap(struct cm_cli *cli);
cm_err cm_cli_sign(struct cm_cli *cli);
cm_err cm_cli_upgrade(struct cm_cli *cli);
cm_err cm_cli_digest(struct cm_cli *cli);
cm_err cm_cli_key_new(struct cm_cli *cli);
cm_err cm_cli_key_show(struct cm_cli *cli);
cm_err cm_cli_key_public(struct cm_cli *cli);
cm_err cm_cli_key_passwd(struct cm_cli *cli);
cm_err cm_cli_key_wrap(struct cm_cli *cli);
cm_err cm_cli_key_fingerprint(struct cm_cli *cli);
cm_err cm_cli_cert_root(struct cm_cli *cli);
cm_err cm_cli_cert_issue(struct cm_cli *cli);
cm_err cm_cli_cert_request(struct cm_cli *cli);
cm_err cm_cli_cert_sign(struct cm_cli *cli);
cm_err cm_cli_cert_show(struct cm_cli *cli);
cm_err cm_cli_cert_verify(struct cm_cli *cli);
cm_err cm_cli_serve(struct cm_cli *cli);
cm_err cm_cli_unseal(struct cm_cli *cli);
cm_err cm_cli_rotate_root(struct cm_cli *cli);
cm_err cm_cli_seal_server(struct cm_cli *cli);
cm_err cm_cli_config_check(struct cm_cli *cli);
cm_err cm_cli_config_explain(struct cm_cli *cli);
cm_err cm_cli_config_schema(struct cm_cli *cli);
cm_err cm_cli_config_reference(struct cm_cli *cli);
cm_err cm_cli_audit_verify(struct cm_cli *cli);
cm_err cm_cli_audit_prove(struct cm_cli *cli);
cm_err cm_cli_audit_export(struct cm_cli *cli);
cm_err cm_cli_audit_tail(struct cm_cli *cli);
cm_err cm_cli_audit_witness(struct cm_cli *cli);
cm_err cm_cli_audit_key(struct cm_cli *cli);
cm_err cm_cli_store_info(struct cm_cli *cli);
cm_err cm_cli_store_backup(struct cm_cli *cli);
cm_err cm_cli_store_restore(struct cm_cli *cli);
cm_err cm_cli_store_fsck(struct cm_cli *cli);
cm_err cm_cli_store_migrate(struct cm_cli *cli);
cm_err cm_cli_hsm_status(struct cm_cli *cli);
cm_err cm_cli_hsm_test(struct cm_cli *cli);
cm_err cm_cli_hsm_init(struct cm_cli *cli);
cm_err cm_cli_hsm_bench(struct cm_cli *cli);
cm_err cm_cli_hsm_rotate_pin(struct cm_cli *cli);
cm_err cm_cli_attest_evidence(struct cm_cli *cli);
cm_err cm_cli_attest_verify(struct cm_cli *cli);
cm_err cm_cli_attest_policy(struct cm_cli *cli);
cm_err cm_cli_attest_rim(struct cm_cli *cli);
cm_err cm_cli_attest_measure(struct cm_cli *cli);
cm_err cm_cli_attest_reference(struct cm_cli *cli);
cm_err cm_cli_attest_collateral(struct cm_cli *cli);
cm_err cm_cli_attest_challenge(struct cm_cli *cli);
cm_err cm_cli_attest_release(struct cm_cli *cli);
cm_err cm_cli_attest_receive(struct cm_cli *cli);
cm_err cm_cli_attest_token(struct cm_cli *cli);
cm_err cm_cli_poai_sign(struct cm_cli *cli);
cm_err cm_cli_poai_verify(struct cm_cli *cli);
cm_err cm_cli_poai_batch(struct cm_cli *cli);
cm_err cm_cli_poai_extract(struct cm_cli *cli);
cm_err cm_cli_settle_sign(struct cm_cli *cli);
cm_err cm_cli_settle_verify(struct cm_cli *cli);
cm_err cm_cli_settle_quote(struct cm_cli *cli);
cm_err cm_cli_doctor(struct cm_cli *cli);
cm_err cm_cli_top(struct cm_cli *cli);
cm_err cm_cli_proxy(struct cm_cli *cli);

#endif
