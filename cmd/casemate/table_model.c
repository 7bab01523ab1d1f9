/* The table: making sealed models and reading them. */
#include "options.h"

static const cm_cli_option seal_options[] = {
    FILES('r', "to", "PUB",
          "seal to this public key (X-Wing, ML-KEM-768, -1024), or tpm:pcr=7,11 for this machine's "
          "TPM, or attested:POLICY for machines that meet a policy of the server; may be repeated",
          NULL),
    ARG(0, "to-kms", "KEY", "seal to this key of the server, AES-256 or ML-KEM", NULL),
    OPT_KEYSPACE,
    OPT_SERVER,
    FLAG(0, "passphrase", "seal to a passphrase too, asked for twice"),
    FILE_ARG(0, "passphrase-file", "FILE", "seal to the passphrase in FILE (its first line)", NULL),
    ARG(0, "passphrase-fd", "N", "seal to the passphrase read from descriptor N", NULL),
    FILES(0, "sign", "KEY", "sign with this private key; may be repeated",
          "publisher.pem of the home"),
    OPT_KEY_PASSPHRASE,
    FLAG(0, "unsigned", "do not sign: whoever opens it must say --unsigned too"),
    FILE_ARG('o', "output", "OUT", "where to write; - is stdout", "MODEL.sealed"),
    WORDS(0, "tier", "N", "privacy tier; 3 and 4 ask for ML-KEM-1024 and ML-DSA-87", "0",
          "0 1 2 3 4"),
    ARG(0, "name", "TEXT", "name of the model", "the file's name"),
    ARG(0, "model-version", "TEXT", "its version", "1"),
    ARG(0, "licence", "SPDX", "its licence", NULL),
    ARG(0, "publisher", "TEXT", "who publishes it", NULL),
    MANY(0, "provenance", "KEY=VALUE", "a signed note on where it is from; may be repeated", NULL),
    ARG(0, "policy", "REF", "what a key service looks up before it releases the key", NULL),
    FLAG(0, "private-digest", "salt the digest: it no longer tells whether two models are equal"),
    FLAG(0, "keyless-verify", "let anyone check every byte without a key; costs hashing"),
    ARG(0, "segment-size", "SIZE", "bytes encrypted at a time, a power of two from 64K to 16M",
        "1M"),
    ARG(0, "room", "N", "recipients to leave room for", "8, or twice those given"),
    FLAG(0, "allow-classical", "accept recipients whose keys fall to a quantum computer"),
    OPT_THREADS,
    OPT_FORCE,
    FLAG(0, "no-resume", "start afresh where an interrupted run could go on"),
};

static const cm_cli_argument seal_args[] = {
    {"MODEL", "a file, a folder, or - for stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example seal_examples[] = {
    {"casemate seal model.gguf --to bob.pub", "sign with your publisher key, write "
                                              "model.gguf.sealed"},
    {"casemate seal ./llama -r bob.pub -r carol.pub -o llama.sealed --model-version 3.1 "
     "--licence Apache-2.0",
     "a folder with shards, tokenizer and configuration in one container"},
    {"fetch-weights | casemate seal - -r bob.pub --name weights -o - | upload",
     "in a pipe, in constant memory"},
    {"casemate seal model.gguf --passphrase", "for one who has no key"},
};

static const cm_cli_option open_options[] = {
    OPT_KEYS,
    OPT_TRUST,
    FILE_ARG('o', "output", "OUT", "where to write; - is stdout", "SEALED without .sealed"),
    FLAG(0, "stream-unverified",
         "from a pipe: release plaintext before its signature and digest are known"),
    OPT_THREADS,
    OPT_FORCE,
};

static const cm_cli_argument sealed_arg[] = {
    {"SEALED", "a sealed model", CM_CLI_FILE, 1, 1},
};

static const cm_cli_argument open_args[] = {
    {"SEALED", "a sealed model; - for stdin, with --stream-unverified", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example open_examples[] = {
    {"casemate open model.gguf.sealed", "check everything, write model.gguf"},
    {"casemate open model.gguf.sealed --from alice.pub -o - | sha256sum",
     "every byte is checked before it goes out"},
    {"download | casemate open - --stream-unverified -o - | load",
     "from a pipe: an error at the end means that what came before is not to be used"},
};

static const cm_cli_option cat_options[] = {
    ARG(0, "tensor", "NAME", "this tensor's bytes", NULL),
    ARG(0, "file", "PATH", "this file of a sealed folder", NULL),
    ARG(0, "range", "OFFSET:LENGTH", "this part of it, or of the model", NULL),
    OPT_KEYS,
    OPT_TRUST,
    FILE_ARG('o', "output", "OUT", "where to write; - is stdout", "-"),
    OPT_THREADS,
    OPT_FORCE,
};

static const cm_cli_example cat_examples[] = {
    {"casemate cat model.gguf.sealed --tensor token_embd.weight | sha256sum",
     "one tensor: only the segments that hold it are read and decrypted"},
    {"casemate cat llama.sealed --file config.json", "one file of a sealed folder"},
    {"casemate cat model.gguf.sealed --range 0:1M -o head.bin", "the first MiB"},
};

static const cm_cli_option exec_options[] = {
    FILE_ARG(0, "model", "SEALED", "the sealed model", NULL),
    OPT_KEYS,
    OPT_TRUST,
    OPT_THREADS,
};

static const cm_cli_example exec_examples[] = {
    {"casemate exec --model model.gguf.sealed -- llama-server -m {}",
     "the program reads the model from memory; nothing touches a disk"},
    {"casemate exec --model model.gguf.sealed -- sha256sum {}", "any program will do"},
};

static const cm_cli_option inspect_options[] = {
    OPT_KEYS,
    OPT_TRUST,
    FLAG(0, "tensors", "list every tensor or file; else the first 12"),
};

static const cm_cli_example inspect_examples[] = {
    {"casemate inspect model.gguf.sealed", "what it is, who signed it, who can open it"},
    {"casemate inspect model.gguf.sealed --json | jq -r .digest", "for programs"},
};

static const cm_cli_option verify_options[] = {
    OPT_KEYS,
    OPT_TRUST,
    OPT_THREADS,
};

static const cm_cli_example verify_examples[] = {
    {"casemate verify model.gguf.sealed", "a line a check: PASS, SKIP or FAIL, and why"},
    {"casemate verify model.gguf.sealed --from alice.pub --json", "for programs"},
};

static const cm_cli_command commands[] = {
    {
        .name = "seal",
        .summary = "seal a model so that only its recipients can open it",
        .text =
            "Encrypts a file, a folder or a stream for its recipients and signs what it is: name, "
            "version, size, digest. Works at the speed of the disk in constant memory, over all "
            "processors. safetensors and GGUF files get an index, so that single tensors can be "
            "read later.\n"
            "\n"
            "The output appears under its name when it is whole. An interrupted run leaves "
            "OUT.part; the same command again goes on from there.\n"
            "\n"
            "Post-quantum and classical recipients are never mixed: the weakest would be the "
            "strength of all.",
        .options = TABLE(seal_options),
        .args = TABLE(seal_args),
        .examples = TABLE(seal_examples),
        .see = "open verify rewrap init",
        .run = cm_cli_seal,
    },
    {
        .name = "open",
        .summary = "open a sealed model that is addressed to you",
        .text =
            "Checks the publisher's signature, then every byte against the digest it signs, and "
            "writes the model. A name that is there holds the whole model: what was interrupted "
            "stays in OUT.part, is checked by the next run and goes on.\n"
            "\n"
            "A pipe can't be checked from its end before its beginning goes out. With "
            "--stream-unverified each piece is still authenticated by the content key, and the "
            "signature and the digest at the end; use nothing of it when the command fails.",
        .options = TABLE(open_options),
        .args = TABLE(open_args),
        .examples = TABLE(open_examples),
        .see = "seal cat exec inspect",
        .run = cm_cli_open,
    },
    {
        .name = "cat",
        .summary = "write a tensor, a file or a part of a sealed model",
        .text = "Reads, decrypts and checks the segments that hold what was asked for and no "
                "more, so it takes as long for a large model as for a small one. Without "
                "--tensor, --file and --range: the whole model.",
        .options = TABLE(cat_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(cat_examples),
        .see = "open inspect",
        .run = cm_cli_cat,
    },
    {
        .name = "exec",
        .summary = "run a program on a sealed model held in memory",
        .text =
            "Opens the model into a sealed memory file, which nobody can change any more, and "
            "becomes the program. Every {} in its arguments stands for the model's path, "
            "/proc/self/fd/N. Nothing is written to disk, and the memory is freed when the last "
            "process that holds it ends.",
        .options = TABLE(exec_options),
        .examples = TABLE(exec_examples),
        .see = "open cat",
        .rest = true,
        .run = cm_cli_exec,
    },
    {
        .name = "inspect",
        .summary = "show what a sealed model is, without opening it",
        .text = "Name, version, digest, tier, publisher and recipients are there for all to see; "
                "the list of tensors or files needs a key, and is skipped with a reason without "
                "one. Nothing is trusted by being shown: see casemate verify.",
        .options = TABLE(inspect_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(inspect_examples),
        .see = "verify cat",
        .run = cm_cli_inspect,
    },
    {
        .name = "verify",
        .summary = "check everything about a sealed model that can be checked",
        .text = "Form, signatures, trust, and with a key every byte of the content. Without a key "
                "the bytes can be checked when the publisher sealed with --keyless-verify. What "
                "can't be checked is a SKIP with its reason; any FAIL makes the exit code 3.",
        .options = TABLE(verify_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(verify_examples),
        .see = "inspect open sign",
        .run = cm_cli_verify,
    },
};

const cm_cli_commands cm_cli_model_commands = {TABLE(commands)};
