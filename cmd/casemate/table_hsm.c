/* The table: key devices. */
#include "options.h"

/* clang-format off */
#define OPT_DEVICE                                                                                \
    FILE_ARG(0, "module", "FILE", "the vendor's PKCS#11 module", NULL),                           \
    FILE_ARG(0, "cloud", "FILE", "or the configuration of a cloud's key service", NULL),          \
    ARG(0, "tpm", "PCRS", "or the machine's TPM, by its registers: pcr=7,11", NULL),             \
    ARG(0, "token", "LABEL", "the token", "the only one that is initialised"),                    \
    FILE_ARG(0, "pin-file", "FILE", "the user's PIN: the first line of FILE",                     \
             "asked for on the terminal"),                                                        \
    ARG(0, "pin-fd", "N", "read it from descriptor N", NULL),                                     \
    FLAG(0, "no-pin", "the token asks for none"),                                                 \
    ARG(0, "wrapping", "KIND", "the key that seeds are kept under: aes, or, for tokens without "  \
        "AES and labelled hsm-wrapped-classical, rsa-not-post-quantum", "aes"),                   \
    FLAG(0, "pin-retry", "try the PIN although the token says that few tries are left"),          \
    ARG(0, "init", "TEXT", "what the module takes as its configuration (NSS)", NULL),             \
    {0, "read", "PATH", "a file or folder that the module reads; may be repeated", NULL,          \
     CM_CLI_FOLDER, NULL, true},                                                                  \
    {0, "write", "PATH", "a folder that it writes to; may be repeated",                           \
     "those of SoftHSM2 and openCryptoki as Debian has them", CM_CLI_FOLDER, NULL, true},         \
    FLAG(0, "network", "the module opens connections after its start"),                           \
    FLAG(0, "no-sandbox", "run although the kernel lacks seccomp or landlock")
/* clang-format on */

static const cm_cli_option init_options[] = {
    OPT_DEVICE,
    ARG(0, "label", "LABEL",
        "instead: the key of a tenant's hsm_label, made ahead on a slow device", "the root's"),
};

static const cm_cli_option status_options[] = {
    OPT_DEVICE,
    {0, "dir", "DIR", "instead of a device: those of the server with this folder",
     "that of $CASEMATE_SERVER", CM_CLI_FOLDER, NULL, false},
    FILE_ARG(0, "socket", "FILE", "its admin socket itself", "admin.sock in the folder"),
};

static const cm_cli_option bench_options[] = {
    OPT_DEVICE,
    ARG(0, "milliseconds", "N", "how long each measurement takes", "1000"),
};

static const cm_cli_option pin_options[] = {
    OPT_DEVICE,
    FILE_ARG(0, "new-pin-file", "FILE", "the new PIN: the first line of FILE",
             "asked for on the terminal"),
    ARG(0, "new-pin-fd", "N", "read it from descriptor N", NULL),
};

static const cm_cli_option test_options[] = {
    OPT_DEVICE,
    FLAG(0, "persistent", "with keys that are stored on the token, and removed again"),
};

static const cm_cli_example status_examples[] = {
    {"casemate hsm status --module /usr/lib/softhsm/libsofthsm2.so --token kms",
     "asks for the PIN on the terminal"},
    {"casemate hsm status --dir kms", "the devices behind a running server's root"},
};

static const cm_cli_example bench_examples[] = {
    {"casemate hsm bench --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin",
     "how fast the device is"},
};

static const cm_cli_example pin_examples[] = {
    {"casemate hsm rotate-pin --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin "
     "--new-pin-file next",
     "afterwards pin holds the new PIN"},
};

static const cm_cli_example test_examples[] = {
    {"casemate hsm test --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin",
     "what the device can, by doing it"},
};

static const cm_cli_example init_examples[] = {
    {"casemate hsm init --module /usr/lib/softhsm/libsofthsm2.so --token kms --pin-file pin",
     "before casemate serve --hsm-module"},
    {"casemate hsm init --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --token 'kms "
     "(UserPIN)' "
     "--pin-file pin --wrapping rsa-not-post-quantum",
     "a card without AES; a quantum computer opens what it keeps"},
};

static const cm_cli_command commands[] = {
    {
        .group = "hsm",
        .name = "status",
        .summary = "show a token, its module and whether it holds a root key",
        .text = "The module runs in casemate-p11d, a process of its own in a sandbox. A PIN is "
                "tried once; not at all when the token says that few tries are left. Without "
                "--module, and with --dir, --socket or $CASEMATE_SERVER: the devices behind that "
                "server's root, with their state (serves, ramps, broken, quarantined, retired), "
                "weight, the part of it that they take now, failures in a row and in all, and how "
                "long an answer takes.",
        .options = TABLE(status_options),
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
        .name = "bench",
        .summary = "find out how fast a token is",
        .text = "Makes keys that are gone afterwards, and measures what a key server asks a device "
                "for, one request at a time through casemate-p11d: operations a second, and the "
                "time that half of them and 99 of 100 stay below.",
        .options = TABLE(bench_options),
        .examples = TABLE(bench_examples),
        .see = "hsm-test",
        .run = cm_cli_hsm_bench,
    },
    {
        .group = "hsm",
        .name = "rotate-pin",
        .summary = "give a token another PIN",
        .text = "The new PIN is written to FILE.new beside the PIN file first, then the token is "
                "given it (C_SetPIN), then opened by it, and only then it takes the place of the "
                "old one in the PIN file. Whatever breaks this off, run it again: it finds out "
                "which of the two the token has.",
        .options = TABLE(pin_options),
        .examples = TABLE(pin_examples),
        .see = "hsm-status",
        .run = cm_cli_hsm_rotate_pin,
    },
    {
        .group = "hsm",
        .name = "init",
        .summary = "make the key in a token that a key server's root is kept under",
        .text = "An AES-256 key that can't be read out of the token. The token itself is set up "
                "with its vendor's tools. With --wrapping rsa-not-post-quantum: an RSA key, of the "
                "4096 bits or 2048 that the token makes, and the server's keys say "
                "hsm-wrapped-classical.",
        .options = TABLE(init_options),
        .examples = TABLE(init_examples),
        .see = "hsm-status serve",
        .run = cm_cli_hsm_init,
    },
};

const cm_cli_commands cm_cli_hsm_commands = {TABLE(commands)};
