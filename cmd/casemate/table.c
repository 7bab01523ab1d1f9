/* The top of the table: what concerns the program as a whole. */
#include <stdio.h>

#include "options.h"
#include "remote.h"

const char cm_cli_summary[] = "post-quantum protection for AI models and keys";

const char cm_cli_date_of_docs[] = "2026-11-21";

const char cm_cli_intro[] =
    "Seals a model so that only the holders of named keys can open it, and so that nobody, they "
    "included, can change it under its publisher's signature. Keys are X-Wing or ML-KEM, "
    "signatures ML-DSA (with Ed25519 beside it in dual keys), the body is FLOE over AES-256-GCM.\n"
    "\n"
    "A model version has one name: the Merkle root of its plaintext, which its publisher signs.";

const cm_cli_option cm_cli_common[] = {
    FLAG(0, "json", "write results, progress and errors as lines of JSON"),
    FLAG('q', "quiet", "say nothing but errors"),
    FLAG(0, "fips", "use OpenSSL's FIPS provider and refuse what it does not serve"),
    FLAG('h', "help", "show this help"),
};
const size_t cm_cli_common_n = CM_COUNT(cm_cli_common);

const cm_cli_entry cm_cli_groups[] = {
    {"key", "key files, and keys that a server holds"},
    {"cert", "a small certificate authority with post-quantum signatures"},
    {"config", "check and explain a server's configuration"},
    {"tenant", "tenants of a server"},
    {"principal", "who may speak to a server, and how they prove it"},
    {"policy", "who may do what"},
    {"approval", "what several people must agree to"},
    {"model", "keys of models, held by a server"},
    {"audit", "the log of every decision: read it, check it from outside"},
    {"system", "a server as a whole"},
    {"attest", "evidence of trusted execution environments"},
    {"enclave", "programs that run measured and locked in, with a sealed model"},
    {"hsm", "key devices: what they are, what they can, the key server's root in one"},
    {"poai", "receipts for inference: sign and verify them with keys in files"},
    {"settle", "settlements of such receipts"},
    {"store", "look after the database of a key service"},
    {NULL, NULL},
};

const cm_cli_entry cm_cli_exits[] = {
    {"0", "done"},
    {"1", "failed: the disk, the pipe, memory or a limit stood in the way, or casemate has a bug"},
    {"2", "the command line or a value in it is wrong"},
    {"3", "not authentic, not trusted or not allowed; a check of `casemate verify` failed"},
    {"4", "something named was not found"},
    {"5", "the input is damaged, of another kind, or of a newer version"},
    {"6", "conflict: the output exists or is busy, or the input changed meanwhile"},
    {"126, 127", "`casemate exec`: the command can't be run, is not found"},
    {"130, 143", "stopped by SIGINT, by SIGTERM"},
    {"141", "the reader of the output closed the pipe"},
    {NULL, NULL},
};

const cm_cli_entry cm_cli_environment[] = {
    {"CASEMATE_HOME", "the folder of keys and trusted publishers instead of ~/.config/casemate"},
    {"CASEMATE_SERVER", "the profile of the server to speak to instead of server.json of the home"},
    {"NO_COLOR", "no colours when set and not empty"},
    {NULL, NULL},
};

const cm_cli_entry cm_cli_files[] = {
    {"identity.pem, identity.pub", "your key pair for opening models"},
    {"publisher.pem, publisher.pub", "your key pair for signing models"},
    {"trusted/*.pub", "public keys of the publishers you trust"},
    {"server.json", "the profile of the server to speak to"},
    {"resume.key", "guards what an interrupted run leaves behind"},
    {NULL, NULL},
};

/* ---- commands about the program ------------------------------------------------------------ */

static const cm_cli_option version_options[] = {
    FLAG(0, "deps", "also what it is linked with and which processor features it uses"),
};

static const cm_cli_example version_examples[] = {
    {"casemate version --deps", "what to send along with a bug report"},
};

static const cm_cli_option init_options[] = {
    WORDS(0, "tier", "N", "make keys strong enough for this privacy tier", "0", "0 1 2 3 4"),
    OPT_PROTECT,
};

static const cm_cli_example init_examples[] = {
    {"casemate init", "ask for a passphrase and make both key pairs"},
    {"CASEMATE_HOME=/srv/casemate casemate init --no-passphrase",
     "for a service: the folder's mode guards the keys"},
};

static const cm_cli_option help_options[] = {
    {0, "man", "DIR", "write the man pages into DIR", NULL, CM_CLI_FOLDER, NULL, false},
    {0, "completions", "DIR", "write completions for bash, zsh and fish into DIR", NULL,
     CM_CLI_FOLDER, NULL, false},
    FILE_ARG(0, "markdown", "FILE", "write this reference as Markdown", NULL),
};

static const cm_cli_argument help_args[] = {
    {"VERB", "the command to explain", CM_CLI_ANY, 0, 2},
};

static const cm_cli_example help_examples[] = {
    {"casemate help seal", "options, examples and exit codes of one command"},
};

static const cm_cli_command house[] = {
    {
        .name = "init",
        .summary = "make your keys and the folder they live in",
        .text = "Makes ~/.config/casemate, or $CASEMATE_HOME: an identity to open models with "
                "(X-Wing) and a publisher key to sign them with (ML-DSA-65 with Ed25519), both "
                "under one passphrase, and trusts the new publisher key. From tier 3 on the keys "
                "are ML-KEM-1024 and ML-DSA-87 with Ed25519.\n"
                "\n"
                "Give identity.pub to those who seal models for you, publisher.pub to those who "
                "open yours. Nothing that exists is replaced.",
        .options = TABLE(init_options),
        .examples = TABLE(init_examples),
        .see = "key seal",
        .run = cm_cli_init,
    },
    {
        .name = "version",
        .summary = "show the version and what it is built on",
        .text = "With --deps: the cryptographic library and how it is linked, the kernels picked "
                "for this processor, and how memory for secrets is protected.",
        .options = TABLE(version_options),
        .examples = TABLE(version_examples),
        .run = cm_cli_version,
    },
    {
        .name = "help",
        .summary = "explain a command",
        .text = "Without a verb: the list of commands. The man pages, the shell completions and "
                "the reference are written from the same table that parses the command line.",
        .options = TABLE(help_options),
        .args = TABLE(help_args),
        .examples = TABLE(help_examples),
        .run = cm_cli_help,
    },
};

static const cm_cli_commands house_commands = {TABLE(house)};

const cm_cli_commands *const cm_cli_table[CM_CLI_TABLES] = {
    &cm_cli_model_commands,  &cm_cli_care_commands,    &cm_cli_key_commands,
    &cm_cli_cert_commands,   &cm_cli_audit_commands,   &cm_cli_net_commands,
    &cm_cli_store_commands,  &cm_cli_hsm_commands,     &cm_cli_serve_commands,
    &cm_cli_attest_commands, &cm_cli_release_commands, &cm_cli_enclave_commands,
    &cm_cli_market_commands, &house_commands,
};

/* ---- looking things up --------------------------------------------------------------------- */

const cm_cli_command *cm_cli_command_at(size_t i)
{
    for (size_t t = 0; t < CM_CLI_TABLES; t++) {
        if (i < cm_cli_table[t]->n)
            return &cm_cli_table[t]->v[i];
        i -= cm_cli_table[t]->n;
    }
    return i < cm_remote_commands()->n ? &cm_remote_commands()->v[i] : NULL;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

const cm_cli_command *cm_cli_command_find(const char *group, const char *name)
{
    const cm_cli_command *c;

    for (size_t i = 0; (c = cm_cli_command_at(i)) != NULL; i++)
        if (same(c->group, group) && same(c->name, name))
            return c;
    return NULL;
}

bool cm_cli_is_group(const char *name)
{
    for (const cm_cli_entry *g = cm_cli_groups; g->name; g++)
        if (same(g->name, name))
            return true;
    return false;
}

const cm_cli_option *cm_cli_option_at(const cm_cli_command *c, size_t i)
{
    if (i < c->options_n)
        return &c->options[i];
    i -= c->options_n;
    return i < cm_cli_common_n ? &cm_cli_common[i] : NULL;
}

void cm_cli_command_title(char *text, size_t n, const cm_cli_command *c, char between)
{
    if (c->group)
        snprintf(text, n, "%s%c%s", c->group, between, c->name);
    else
        snprintf(text, n, "%s", c->name);
}

void cm_cli_command_usage(char *text, size_t n, const cm_cli_command *c)
{
    size_t at = (size_t)snprintf(text, n, "[options]");

    for (size_t i = 0; i < c->args_n && at < n; i++) {
        const cm_cli_argument *a = &c->args[i];
        const char *more = a->max > 1 ? " ..." : "";

        at += (size_t)snprintf(text + at, n - at, a->min ? " %s%s" : " [%s%s]", a->name, more);
    }
    if (c->rest && at < n)
        snprintf(text + at, n - at, " -- COMMAND [ARGUMENT ...]");
}
