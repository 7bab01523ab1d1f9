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

static const cm_cli_option run_options[] = {
    FILE_ARG(0, "model", "SEALED", "the sealed model that it reads", NULL),
    OPT_PLAN,
    FILE_ARG(0, "expect", "MANIFEST", "run only what gives this manifest", NULL),
    FILE_ARG(0, "signed-by", "PUB", "and only if MANIFEST.sig is of this key", NULL),
    FLAG(0, "strict", "run only if every protection holds; else what is missing is said"),
    FILE_ARG(0, "socket", "PATH", "serve casemate enclave call there, one request at a time", NULL),
    FILE_ARG(0, "request", "FILE", "give it this one request, and end with its answer", NULL),
    {'o', "answer", "FILE", "where that answer goes; - for stdout", "-", CM_CLI_FILE, NULL, false},
    ARG(0, "pcr", "N",
        "extend this register (0 to 15) of the machine's TPM by the manifest's digest, or none",
        "15 where there is a TPM"),
    FILE_ARG(0, "pcr-log", "FILE", "and append a line to this log of what the register was "
             "extended by since the machine started", NULL),
    ARG(0, "tpm", "TCTI", "the TPM, as tpm2-tss names it", "device:/dev/tpmrm0"),
    {0, "tsm-root", "DIR", "Linux configfs-tsm (SEV-SNP, TDX)", "/sys/kernel/config/tsm/report",
     CM_CLI_FOLDER, NULL, false},
    {0, "evidence", "FILE", "write evidence of this machine there, bound to the manifest, before "
     "the program starts", NULL, CM_CLI_FILE, NULL, false},
    ARG(0, "nonce", "HEX", "and to this nonce of 32 bytes, from whoever will verify it", "random"),
    ARG(0, "listen", "FD", "give it this open descriptor, a socket that listens", NULL),
    ARG(0, "timeout", "SECONDS", "how long an answer may take", "60"),
    ARG(0, "answer-max", "SIZE", "how large an answer may be", "16M"),
    FILE_ARG('k', "key", "KEY", "sign each answer with this post-quantum key", NULL),
    OPT_KEYS,
    OPT_TRUST,
    OPT_FORCE,
};

static const cm_cli_example run_examples[] = {
    {"casemate enclave run --model m.gguf.sealed --request prompt.bin -o answer.bin -- ./infer",
     "one request to one program with one model: executeInEnclave(payload, model)"},
    {"casemate enclave run --model m.gguf.sealed --expect infer.manifest --signed-by release.pub "
     "--socket /run/infer.sock -- ./infer",
     "what was released and nothing else, for others to call"},
};

static const cm_cli_option call_options[] = {
    FILE_ARG(0, "socket", "PATH", "where the program is served", NULL),
    FILE_ARG(0, "request", "FILE", "the request; - is stdin", "-"),
    {'o', "answer", "FILE", "where the answer goes; - for stdout", "-", CM_CLI_FILE, NULL, false},
    ARG(0, "manifest", "HEX", "take an answer only from what has this manifest's digest", NULL),
    FILE_ARG(0, "signed-by", "PUB", "and only if the answer is signed by this key", NULL),
    FILE_ARG(0, "evidence", "FILE", "give no request: have evidence made for you, and write it "
             "there", NULL),
    ARG(0, "nonce", "HEX", "that it is to be bound to: 32 bytes", "random"),
    ARG(0, "timeout", "SECONDS", "how long to wait", "120"),
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_example call_examples[] = {
    {"casemate enclave call --socket /run/infer.sock --manifest 2a84... <prompt.bin >answer.bin",
     "an answer from that program with that model, or none"},
};

static const cm_cli_option verify_options[] = {
    FILE_ARG('k', "key", "PUB", "whose signature must be there", NULL),
    FILE_ARG(0, "signature", "FILE", "where it is", "MANIFEST.sig"),
    FILE_ARG(0, "program", "FILE", "compare this program, and what it loads here", NULL),
    MANY(0, "library-path", "DIR", "look for its libraries here first; may be repeated", NULL),
    FILE_ARG(0, "model", "SEALED", "compare this model", NULL),
    FILE_ARG(0, "evidence", "FILE", "judge this evidence of the machine that ran it", NULL),
    ARG(0, "nonce", "HEX", "it must be bound to this nonce, which its maker was given", NULL),
    FILE_ARG(0, "answers", "PUB", "and to this key, which signs answers", NULL),
    ARG(0, "pcr", "N", "the register of a TPM that must hold the manifest", "15"),
    FILE_ARG(0, "pcr-log", "FILE", "what the register was extended by, where that is more than "
             "this manifest", NULL),
    FLAG(0, "allow-emulated", "accept a TPM that software emulates"),
    OPT_JUDGED_BY,
    OPT_TRUST,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument verify_args[] = {
    {"MANIFEST", "the manifest", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example verify_examples[] = {
    {"casemate enclave verify infer.manifest -k release.pub --program ./infer",
     "is it signed, and is this machine's program the one?"},
    {"casemate enclave verify infer.manifest --evidence infer.evidence --nonce 01ab... --policy "
     "fleet.yaml",
     "does the hardware of the machine that runs it say so, by our policy?"},
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
        .see = "enclave-run enclave-verify exec",
        .rest = true,
        .run = cm_cli_enclave_manifest,
    },
    {
        .group = "enclave",
        .name = "run",
        .summary = "run a measured program locked in, with a sealed model",
        .text =
            "Measures as casemate enclave manifest does and runs those very bytes: in namespaces "
            "of its own with nothing but the measured files, without network, capabilities, new "
            "processes, debugging or core dumps, under a limit of memory (128 MiB), with the "
            "variables that --env names and no other. Before the first instruction it is tried "
            "whether what must be refused is refused.\n"
            "\n"
            "Keys stay in this process. A model that fits the limit is handed over as a memory "
            "file that nobody can change; a larger one in ranges that the program asks for, each "
            "verified before it is handed out (spec/enclave.md, section 4). What this machine "
            "does not allow is said as MISSING, or refused with --strict.\n"
            "\n"
            "Its tier is said, and is no better than what stands behind it: SIMULATED is a machine "
            "without such hardware, or whose hardware is emulated; MEASURED one whose TPM has the "
            "manifest in a register; CONFIDENTIAL GUEST one whose processor gave evidence "
            "(--evidence). The first two protect the machine and the model from the program, not "
            "the program from root.",
        .options = TABLE(run_options),
        .examples = TABLE(run_examples),
        .see = "enclave-manifest enclave-call exec",
        .rest = true,
        .run = cm_cli_enclave_run,
    },
    {
        .group = "enclave",
        .name = "call",
        .summary = "give a request to a program that enclave run serves",
        .text = "The answer comes with the digest of the manifest of what gave it and the hash of "
                "the request; an answer to another request, from another manifest than --manifest "
                "or not signed by --signed-by is refused.",
        .options = TABLE(call_options),
        .examples = TABLE(call_examples),
        .see = "enclave-run",
        .run = cm_cli_enclave_call,
    },
    {
        .group = "enclave",
        .name = "verify",
        .summary = "check a manifest's signature, and this machine's files against it",
        .text = "A line a check: PASS, SKIP with what it needs, or FAIL. Any FAIL makes the exit "
                "code 3. Files other than the program are looked for under the names that the "
                "manifest has.\n"
                "\n"
                "With --evidence it is judged as casemate attest verify judges, by the same "
                "options: it must be accepted, bound to this manifest and nonce, and a TPM's "
                "register must hold the manifest. Nothing is asked of any machine.",
        .options = TABLE(verify_options),
        .args = TABLE(verify_args),
        .examples = TABLE(verify_examples),
        .see = "enclave-manifest",
        .run = cm_cli_enclave_verify,
    },
};

const cm_cli_commands cm_cli_enclave_commands = {TABLE(commands)};
