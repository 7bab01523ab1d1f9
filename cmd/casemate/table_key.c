/* The table: keys as files. */
#include "options.h"

static const cm_cli_option new_options[] = {
    {'t', "type", "TYPE", "what the key is for: see below", "x-wing", CM_CLI_KEYTYPE, NULL, false},
    FILE_ARG('o', "out", "FILE", "where to write; the public half goes beside it, as .pub", NULL),
    OPT_PROTECT,
};

static const cm_cli_example new_examples[] = {
    {"casemate key new --type x-wing --out bob.pem", "to open models: writes bob.pem and bob.pub"},
    {"casemate key new -t ML-DSA-87+Ed25519 -o release.pem --pbes2",
     "to sign models up to tier 4, in a form that openssl reads"},
};

static const cm_cli_argument key_arg[] = {
    {"KEY", "a key file, private or public", CM_CLI_FILE, 1, 1},
};

static const cm_cli_argument private_arg[] = {
    {"KEY", "a private key file", CM_CLI_FILE, 1, 1},
};

static const cm_cli_option show_options[] = {
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_option public_options[] = {
    OPT_KEY_PASSPHRASE,
    FILE_ARG('o', "out", "FILE", "where to write; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_option passwd_options[] = {
    OPT_KEY_PASSPHRASE,
    OPT_PROTECT,
};

static const cm_cli_option wrap_options[] = {
    FILE_ARG(0, "to", "FILE", "the import key's public half: casemate key public-key NAME -o FILE",
             NULL),
    {'t', "type", "TYPE", "KEY is not a key file but the secret itself, of this type of key", NULL,
     CM_CLI_ANY, NULL, false},
    OPT_KEY_PASSPHRASE,
    FILE_ARG('o', "out", "FILE", "where to write; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_example wrap_examples[] = {
    {"casemate key create door --type X-Wing && casemate key public-key door -o door.raw",
     "a key server's key for others to come in by"},
    {"casemate key wrap own.pem --to door.raw -o own.wrapped",
     "seal a key of one's own to it: nobody on the way can read it"},
    {"casemate key import-wrapped own --type Ed25519 --import-key door --wrapped @own.wrapped",
     "bring it in"},
};

static const cm_cli_example show_examples[] = {
    {"casemate key show bob.pub", "its algorithm, strength and fingerprint"},
};

static const cm_cli_example public_examples[] = {
    {"casemate key public bob.pem -o bob.pub", "make the public file again"},
};

static const cm_cli_example passwd_examples[] = {
    {"casemate key passwd bob.pem", "ask for the old passphrase and, twice, for the new one"},
};

static const cm_cli_example fingerprint_examples[] = {
    {"casemate key fingerprint alice.pub", "read it out over the telephone"},
};

static const cm_cli_command commands[] = {
    {
        .group = "key",
        .name = "new",
        .summary = "make a key pair",
        .text =
            "To open models: X-Wing (ML-KEM-768 with X25519, the default), ML-KEM-1024 for tiers "
            "3 and 4, ML-KEM-768, ML-KEM-512. To sign models: ML-DSA-65+Ed25519, "
            "ML-DSA-87+Ed25519 (both halves must verify), ML-DSA-44, ML-DSA-65, ML-DSA-87, and "
            "SLH-DSA-SHA2-128s for roots. Classical keys (X25519, Ed25519, P-256, P-384, "
            "secp256k1) are made too, and said to be so.\n"
            "\n"
            "Private keys are written with mode 0600 and protected by a passphrase (Argon2id and "
            "AES-256-GCM) unless --no-passphrase is given. Nothing that exists is replaced.",
        .options = TABLE(new_options),
        .examples = TABLE(new_examples),
        .see = "init seal cert",
        .run = cm_cli_key_new,
    },
    {
        .group = "key",
        .name = "show",
        .summary = "show what a key file holds",
        .text = "Of a private key that is protected, what can be told without its passphrase; "
                "give the passphrase for the rest. No secret is ever shown.",
        .options = TABLE(show_options),
        .args = TABLE(key_arg),
        .examples = TABLE(show_examples),
        .run = cm_cli_key_show,
    },
    {
        .group = "key",
        .name = "public",
        .summary = "write the public half of a key",
        .options = TABLE(public_options),
        .args = TABLE(key_arg),
        .examples = TABLE(public_examples),
        .run = cm_cli_key_public,
    },
    {
        .group = "key",
        .name = "passwd",
        .summary = "change how a private key is protected",
        .text = "Writes the same key anew under another passphrase, another form (--pbes2), or "
                "none (--no-passphrase), and puts it in the old one's place at once.",
        .options = TABLE(passwd_options),
        .args = TABLE(private_arg),
        .examples = TABLE(passwd_examples),
        .run = cm_cli_key_passwd,
    },
    {
        .group = "key",
        .name = "wrap",
        .summary = "seal a key to a key server's import key",
        .text = "Bring your own key: the secret is sealed (HPKE) to an X-Wing, ML-KEM-768 or "
                "ML-KEM-1024 key that a key server holds, for import-wrapped. Weaker and "
                "classical ones are refused. With --type the file is the secret in its raw form: "
                "32 bytes of AES-256 or HMAC-SHA256, RSA as PKCS#8.",
        .options = TABLE(wrap_options),
        .args = TABLE(private_arg),
        .examples = TABLE(wrap_examples),
        .see = "key-import-wrapped",
        .run = cm_cli_key_wrap,
    },
    {
        .group = "key",
        .name = "fingerprint",
        .summary = "show a key's fingerprint",
        .text = "SHA-256 over the public key's DER, the same for a private key and its public "
                "half.",
        .options = TABLE(show_options),
        .args = TABLE(key_arg),
        .examples = TABLE(fingerprint_examples),
        .run = cm_cli_key_fingerprint,
    },
};

const cm_cli_commands cm_cli_key_commands = {TABLE(commands)};
