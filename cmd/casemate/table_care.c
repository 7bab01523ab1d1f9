/* The table: looking after sealed models. */
#include "options.h"

static const cm_cli_argument sealed_arg[] = {
    {"SEALED", "a sealed model", CM_CLI_FILE, 1, 1},
};

static const cm_cli_option rewrap_options[] = {
    FILES(0, "add", "PUB", "let this public key, or tpm:pcr=7,11, open it too; may be repeated",
          NULL),
    ARG(0, "add-kms", "KEY", "let this key of the server open it too", NULL),
    OPT_KEYSPACE,
    FLAG(0, "add-passphrase", "let a passphrase open it too, asked for twice"),
    FILE_ARG(0, "add-passphrase-file", "FILE", "let the passphrase in FILE open it too", NULL),
    ARG(0, "add-passphrase-fd", "N", "let the passphrase read from descriptor N open it too", NULL),
    FILES(0, "remove", "ID|PUB",
          "take this recipient out: its id as inspect shows it, or the first digits, or its public "
          "key; may be repeated",
          NULL),
    FILES(0, "only", "PUB", "let these public keys open it and nobody else; may be repeated", NULL),
    OPT_KEYS,
};

static const cm_cli_example rewrap_examples[] = {
    {"casemate rewrap model.gguf.sealed --add carol.pub", "seconds, whatever the size"},
    {"casemate rewrap model.gguf.sealed --only new.pub", "rotate a key"},
    {"casemate rewrap model.gguf.sealed --remove 5f0c2a91", "by the first digits of its id"},
};

static const cm_cli_option sign_options[] = {
    FILES('k', "key", "KEY", "private key to sign with; may be repeated",
          "publisher.pem of the home"),
    OPT_KEY_PASSPHRASE,
    FLAG(0, "detached", "into a file of its own: so far the only way, and the default"),
    FILE_ARG('o', "output", "OUT", "where to write", "SEALED.sig"),
    OPT_FORCE,
};

static const cm_cli_example sign_examples[] = {
    {"casemate sign --detached model.gguf.sealed -k auditor.pem",
     "vouch for what others published"},
    {"casemate open model.gguf.sealed --signature model.gguf.sealed.sig --from auditor.pub",
     "who then opens it trusting you alone"},
};

static const cm_cli_option upgrade_options[] = {
    FILES('r', "to", "PUB", "seal to this public key; may be repeated", NULL),
    FLAG(0, "to-passphrase", "seal to a passphrase too, asked for twice"),
    FILE_ARG(0, "to-passphrase-file", "FILE", "seal to the passphrase in FILE", NULL),
    ARG(0, "to-passphrase-fd", "N", "seal to the passphrase read from descriptor N", NULL),
    FILES(0, "sign", "KEY", "sign with this private key; may be repeated",
          "publisher.pem of the home, unless --unsigned"),
    OPT_KEYS,
    OPT_TRUST,
    FILE_ARG('o', "output", "OUT", "where to write", NULL),
    WORDS(0, "tier", "N", "privacy tier", "as it was", "0 1 2 3 4"),
    ARG(0, "name", "TEXT", "name of the model", "as it was"),
    ARG(0, "model-version", "TEXT", "its version", "as it was"),
    ARG(0, "licence", "SPDX", "its licence", "as it was"),
    ARG(0, "publisher", "TEXT", "who publishes it", "as it was"),
    ARG(0, "policy", "REF", "what a key service looks up", "as it was"),
    FLAG(0, "private-digest", "salt the digest"),
    FLAG(0, "keyless-verify", "let anyone check every byte without a key"),
    ARG(0, "segment-size", "SIZE", "bytes encrypted at a time", "1M"),
    OPT_THREADS,
    OPT_FORCE,
};

static const cm_cli_example upgrade_examples[] = {
    {"casemate upgrade old.sealed -r bob.pub -o new.sealed",
     "whoever had the old key can't read the new container"},
};

static const cm_cli_option digest_options[] = {
    OPT_THREADS,
};

static const cm_cli_argument digest_args[] = {
    {"MODEL", "a file, a folder, or - for stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example digest_examples[] = {
    {"casemate digest model.gguf", "the name that sealing will give it"},
};

static const cm_cli_command commands[] = {
    {
        .name = "rewrap",
        .summary = "change who can open a sealed model, without touching its body",
        .text =
            "Writes a new list of recipients around the same content key, in place and safe "
            "against a crash at any point; the publisher's signature stays valid. Needs a key "
            "that opens the model.\n"
            "\n"
            "Who could open it before may have kept the content key or a copy. To lock them out "
            "of what comes, make a container with a new one: casemate upgrade.",
        .options = TABLE(rewrap_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(rewrap_examples),
        .see = "seal upgrade inspect",
        .run = cm_cli_rewrap,
    },
    {
        .name = "sign",
        .summary = "sign a sealed model that others made",
        .text = "Signs its manifest, and with it every byte of the model, into a file of its own. "
                "Who opens the model names the file with --signature and trusts your key with "
                "--from.",
        .options = TABLE(sign_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(sign_examples),
        .see = "verify seal",
        .run = cm_cli_sign,
    },
    {
        .name = "upgrade",
        .summary = "seal a sealed model anew: new content key, current format",
        .text = "Decrypts and encrypts in memory, piece by piece; plaintext never touches a disk. "
                "The digest stays, unless a salt comes or goes; what the manifest says is taken "
                "over where no option says otherwise, and signed anew.",
        .options = TABLE(upgrade_options),
        .args = TABLE(sealed_arg),
        .examples = TABLE(upgrade_examples),
        .see = "rewrap seal",
        .run = cm_cli_upgrade,
    },
    {
        .name = "digest",
        .summary = "show the digest of a model without sealing it",
        .text = "The Merkle root over the plaintext: the model version's one name in everything "
                "that casemate does. Equal models have equal digests, sealed without "
                "--private-digest.",
        .options = TABLE(digest_options),
        .args = TABLE(digest_args),
        .examples = TABLE(digest_examples),
        .see = "seal inspect",
        .run = cm_cli_digest,
    },
};

const cm_cli_commands cm_cli_care_commands = {TABLE(commands)};
