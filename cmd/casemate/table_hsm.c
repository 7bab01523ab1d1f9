/* The table: key devices. */
#include "options.h"

/* clang-format off */
#define OPT_DEVICE                                                                                \
    FILE_ARG(0, "module", "FILE", "the vendor's PKCS#11 module", NULL),                           \
    FILE_ARG(0, "cloud", "FILE", "or the configuration of a cloud's key service", NULL),          \
    ARG(0, "token", "LABEL", "the token", "the only one that is initialised"),                    \
    FILE_ARG(0, "pin-file", "FILE", "the user's PIN: the first line of FILE",                     \
             "asked for on the terminal"),                                                        \
    ARG(0, "pin-fd", "N", "read it from descriptor N", NULL),                                     \
    FLAG(0, "no-pin", "the token asks for none"),                                                 \
    FLAG(0, "pin-retry", "try the PIN although the token says that few tries are left"),          \
    ARG(0, "init", "TEXT", "what the module takes as its configuration (NSS)", NULL),             \
    {0, "read", "PATH", "a file or folder that the module reads; may be repeated", NULL,          \
     CM_CLI_FOLDER, NULL, true},                                                                  \
    {0, "write", "PATH", "a folder that it writes to; may be repeated",                           \
     "those of SoftHSM2 and openCryptoki as Debian has them", CM_CLI_FOLDER, NULL, true},         \
    FLAG(0, "network", "the module opens connections after its start"),                           \
    FLAG(0, "no-sandbox", "run although the kernel lacks seccomp or landlock")
/* clang-format on */

static const cm_cli_option device_options[] = {OPT_DEVICE};

static const cm_cli_option test_options[] = {
    OPT_DEVICE,
    FLAG(0, "persistent", "with keys that are stored on the token, and removed again"),
};

static const cm_cli_example status_examples[] = {
    {"casemate hsm status --module /usr/lib/softhsm/libsofthsm2.so --token kms",
     "asks for the PIN on the terminal"},
};

static const cm_cli_example test_examples[] = {
    {"casemate hsm test --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin",
     "what the device can, by doing it"},
};

static const cm_cli_example init_examples[] = {
    {"casemate hsm init --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin",
     "before casemate serve --hsm-module"},
};

static const cm_cli_command commands[] = {
    {
        .group = "hsm",
        .name = "status",
        .summary = "show a token, its module and whether it holds a root key",
        .text = "The module runs in casemate-p11d, a process of its own in a sandbox. A PIN is "
                "tried once; not at all when the token says that few tries are left.",
        .options = TABLE(device_options),
        .examples = TABLE(status_examples),
        .see = "hsm-test hsm-init",
        .run = cm_cli_hsm_status,
    },
    {
        .group = "hsm",
        .name = "test",
        .summary = "find out what a token can do, by doing it",
        .text = "Runs the suite that every provider has to pass: keys of each algorithm are made, "
                "used, checked with our own cryptography and destroyed; wrapped seeds are damaged "
                "and must be refused. Prints the device's row for the matrix of docs/hsm.md.",
        .options = TABLE(test_options),
        .examples = TABLE(test_examples),
        .see = "hsm-status",
        .run = cm_cli_hsm_test,
    },
    {
        .group = "hsm",
        .name = "init",
        .summary = "make the key in a token that a key server's root is kept under",
        .text = "An AES-256 key that can't be read out of the token. The token itself is set up "
                "with its vendor's tools.",
        .options = TABLE(device_options),
        .examples = TABLE(init_examples),
        .see = "hsm-status serve",
        .run = cm_cli_hsm_init,
    },
};

const cm_cli_commands cm_cli_hsm_commands = {TABLE(commands)};
