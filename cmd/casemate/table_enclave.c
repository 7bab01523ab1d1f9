/* The table: programs that run measured and locked in. */
#include "options.h"

/* clang-format off */
#define OPT_PLAN                                                                                  \
    FILE_ARG(0, "config", "FILE", "a configuration file that the program reads, measured", NULL), \
    FILE_ARG(0, "policy", "FILE", "the policy that this is to meet, measured", NULL),             \
    FILES(0, "file", "FILE",                                                                      \
          "another file that it reads, such as a tokenizer, measured; may be repeated", NULL),    \
    MANY('e', "env", "NAME[=VALUE]",                                                              \
         "a variable that it gets, measured; without a value this process's; may be repeated",    \
         "none"),                                                                                 \
    MANY(0, "library-path", "DIR", "look for its libraries here first; may be repeated", NULL),   \
    ARG(0, "memory", "SIZE", "how much memory it may have", "128M"),                              \
    FLAG(0, "stream", "hand the model over in ranges even if all of it would fit")

static const cm_cli_option manifest_options[] = {
    FILE_ARG(0, "model", "SEALED", "the sealed model that it reads", NULL),
    OPT_PLAN,
    FLAG(0, "listens", "it will be given a socket that listens"),
    OPT_TRUST,
    {'o', "out", "FILE", "write the manifest there; - for stdout", NULL, CM_CLI_FILE, NULL, false},
    FILE_ARG('k', "key", "KEY", "sign it with this ML-DSA key, into FILE.sig", NULL),
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_example manifest_examples[] = {
    {"casemate enclave manifest --model m.gguf.sealed --config infer.json -- ./infer infer.json",
     "what would run, and its digest"},
    {"casemate enclave manifest -o infer.manifest -k release.pem -- ./infer",
     "for others to demand: infer.manifest and infer.manifest.sig"},
};

static const cm_cli_option verify_options[] = {
    FILE_ARG('k', "key", "PUB", "whose signature must be there", NULL),
    FILE_ARG(0, "signature", "FILE", "where it is", "MANIFEST.sig"),
    FILE_ARG(0, "program", "FILE", "compare this program, and what it loads here", NULL),
    MANY(0, "library-path", "DIR", "look for its libraries here first; may be repeated", NULL),
    FILE_ARG(0, "model", "SEALED", "compare this model", NULL),
    OPT_TRUST,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument verify_args[] = {
    {"MANIFEST", "the manifest", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example verify_examples[] = {
    {"casemate enclave verify infer.manifest -k release.pub --program ./infer",
     "is it signed, and is this machine's program the one?"},
};
/* clang-format on */

static const cm_cli_command commands[] = {
    {
        .group = "enclave",
        .name = "manifest",
        .summary = "measure a program with all that it loads and reads",
        .text =
            "The manifest names the program, its loader and libraries, its configuration and other "
            "files, arguments, variables, the model's digest and the limit of memory: all that "
            "decides what runs. Its digest is what evidence is bound to, and casemate enclave run "
            "refuses what does not give it.\n"
            "\n"
            "Measuring runs nothing. Libraries are those that the ELF headers name; what a program "
            "opens later by itself must be given with --file, or it is not there.",
        .options = TABLE(manifest_options),
        .examples = TABLE(manifest_examples),
        .see = "enclave-verify exec",
        .rest = true,
        .run = cm_cli_enclave_manifest,
    },
    {
        .group = "enclave",
        .name = "verify",
        .summary = "check a manifest's signature, and this machine's files against it",
        .text = "A line a check: PASS, SKIP with what it needs, or FAIL. Any FAIL makes the exit "
                "code 3. Files other than the program are looked for under the names that the "
                "manifest has.",
        .options = TABLE(verify_options),
        .args = TABLE(verify_args),
        .examples = TABLE(verify_examples),
        .see = "enclave-manifest",
        .run = cm_cli_enclave_verify,
    },
};

const cm_cli_commands cm_cli_enclave_commands = {TABLE(commands)};
