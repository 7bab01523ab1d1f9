/* The table: the offline authority and its tokens. */
#include "options.h"

/* clang-format off */
#define OPT_OUT(help) {'o', "out", "FILE", help, NULL, CM_CLI_FILE, NULL, false}

#define OPT_STATE                                                                                 \
    {0, "state", "DIR", "the folder of open challenges; each serves once", NULL, CM_CLI_FOLDER,   \
     NULL, false}

#define OPT_BROUGHT                                                                               \
    OPT_STATE,                                                                                    \
    FILE_ARG(0, "policy", "FILE", "the policy that decides", NULL),                               \
    FILES('c', "collateral", "PATH",                                                              \
          "a certificate, revocation list or vendor's statement, or a folder of them; may be "    \
          "repeated", NULL),                                                                      \
    FILES(0, "rim", "FILE", "a GPU vendor's reference manifest; may be repeated", NULL),          \
    FLAG(0, "alone", "do not look for such files beside the evidence"),                           \
    OPT_COLLATERAL_STORE,                                                                         \
    ARG(0, "nonce", "HEX", "the challenge that evidence by itself answers", NULL),                \
    FILE_ARG(0, "holder", "KEY",                                                                  \
             "the public ML-KEM-768 or X-Wing key that evidence by itself binds", NULL),          \
    FILE_ARG(0, "tls-key", "KEY", "the public TLS key that it binds", NULL),                      \
    ARG(0, "manifest", "HEX", "the digest of the manifest that it binds", NULL),                  \
    ARG(0, "at", "TIME", "judge as of this time (UTC)", "now")

#define OPT_TOKEN                                                                                 \
    FILE_ARG(0, "signer", "KEY", "the authority's ML-DSA-65 key; to verify, its public half",     \
             NULL),                                                                               \
    ARG(0, "issuer", "TEXT", "the authority's name in tokens", NULL),                             \
    WORDS(0, "form", "FORM", "the form of the token", "jwt", "jwt cwt"),                          \
    ARG(0, "token-ttl", "SECONDS", "how long the token holds: 300 to 900", "600")
/* clang-format on */

static const cm_cli_option challenge_options[] = {
    OPT_STATE,
    ARG(0, "kind", "KIND", "the kind of evidence that will answer: snp, tdx, tpm, ...", NULL),
    FILE_ARG(0, "request", "FILE",
             "the Request of a machine; with the keys of its TPM in it, it has to prove them",
             NULL),
    ARG(0, "ttl", "SECONDS", "how long the challenge is good, at most 3600", "300"),
    OPT_OUT("write the Challenge for the machine here; - for stdout"),
    OPT_FORCE,
};

static const cm_cli_example challenge_examples[] = {
    {"casemate attest challenge --state open/ --kind snp", "a nonce to collect evidence with"},
    {"casemate attest challenge --state open/ --request request.json -o challenge.json",
     "an answer to what a machine asked"},
};

static const cm_cli_option release_options[] = {
    OPT_BROUGHT,
    FILE_ARG(0, "secret", "FILE", "what is released, at most 64 KiB: a key file, a token", NULL),
    OPT_OUT("the Response: the secret, for the machine alone; - for stdout"),
    FILE_ARG(0, "token", "FILE", "also write a result token", NULL),
    OPT_TOKEN,
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument evidence_args[] = {
    {"FILE", "an Attestation, or evidence as packs: the machine's first", CM_CLI_FILE, 1, 9},
};

static const cm_cli_example release_examples[] = {
    {"casemate attest release attestation.json --state open/ --policy fleet.yaml --secret "
     "model-key.pem -o response.json",
     "the key of a model, to a machine that the policy accepts"},
    {"casemate attest release evidence.pack --nonce 01ab... --holder guest.pub --state open/ "
     "--policy fleet.yaml --secret model-key.pem -o response.json",
     "the same for evidence that casemate attest evidence collected"},
};

static const cm_cli_option receive_options[] = {
    FILE_ARG('k', "key", "KEY", "the private ML-KEM-768 key that was attested", NULL),
    OPT_OUT("where the secret goes; - for stdout"),
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument receive_args[] = {
    {"FILE", "the Response", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example receive_examples[] = {
    {"casemate attest receive response.json -k guest.pem -o model-key.pem",
     "on the machine: the secret that was released to it"},
};

static const cm_cli_option token_options[] = {
    OPT_BROUGHT,
    ARG(0, "boot", "HEX", "verify: the start of the machine that the token has to be of", NULL),
    OPT_TOKEN,
    OPT_OUT("issue: where the token goes; - for stdout"),
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument token_args[] = {
    {"VERB", "issue, verify or show", CM_CLI_ANY, 1, 1},
    {"FILE", "issue: an Attestation, or evidence as packs; else the token", CM_CLI_FILE, 1, 9},
};

static const cm_cli_example token_examples[] = {
    {"casemate attest token issue attestation.json --state open/ --policy fleet.yaml --signer "
     "authority.pem --issuer https://kms.example -o result.jwt",
     "a decision, to be shown to others for ten minutes"},
    {"casemate attest token verify result.jwt --policy fleet.yaml --holder guest.pub --boot "
     "42d0... "
     "--signer authority.pub --issuer https://kms.example",
     "does it still hold, for this machine, key and policy?"},
};

static const cm_cli_command commands[] = {
    {
        .group = "attest",
        .name = "challenge",
        .summary = "make a nonce that evidence has to answer, once",
        .text = "Keeps the challenge in a file of its own below --state until it is answered by "
                "casemate attest release or token issue, or is over. Whoever uses it takes the "
                "file away first, so that it serves once; share the folder between authorities "
                "that share challenges.",
        .options = TABLE(challenge_options),
        .examples = TABLE(challenge_examples),
        .see = "attest-release attest-token",
        .run = cm_cli_attest_challenge,
    },
    {
        .group = "attest",
        .name = "release",
        .summary = "give a secret to a machine whose evidence the policy accepts",
        .text =
            "An authority without a server. Takes an Attestation of the key broker protocol, or "
            "evidence as packs bound to a challenge and to the key given with --holder; uses up "
            "the challenge; decides as the key server does (spec/release.md); and writes the "
            "secret so that only the holder of the attested ML-KEM-768 key can read it. RSA and "
            "elliptic-curve keys get nothing.\n"
            "\n"
            "Evidence by itself is bound as casemate attest evidence --bind does it with role "
            "client, the key as hpke and its algorithm as suite: ML-KEM-768+A192KW or X-Wing.",
        .options = TABLE(release_options),
        .args = TABLE(evidence_args),
        .examples = TABLE(release_examples),
        .see = "attest-challenge attest-receive attest-policy",
        .run = cm_cli_attest_release,
    },
    {
        .group = "attest",
        .name = "receive",
        .summary = "open what was released to this machine",
        .text = "Opens a Response: a JWE of ML-KEM-768+A192KW and A256GCM, and of nothing else.",
        .options = TABLE(receive_options),
        .args = TABLE(receive_args),
        .examples = TABLE(receive_examples),
        .see = "attest-release",
        .run = cm_cli_attest_receive,
    },
    {
        .group = "attest",
        .name = "token",
        .summary = "issue, verify and show results of attestation",
        .text =
            "A result token says what a decision was: an EAT attestation result with AR4SI's "
            "trustworthiness vector, as JWT or CWT, signed with ML-DSA-65. It is keyed to its "
            "holder's keys, the manifest, the start of the machine and the policy, and good for "
            "minutes.\n"
            "\n"
            "verify demands all of these: what is not given has to be absent from the token. What "
            "differs is told: expired, reconnect, restart, model change, policy change; the "
            "answer to each is to attest again. show verifies nothing.",
        .options = TABLE(token_options),
        .args = TABLE(token_args),
        .examples = TABLE(token_examples),
        .see = "attest-release attest-challenge",
        .run = cm_cli_attest_token,
    },
};

const cm_cli_commands cm_cli_release_commands = {TABLE(commands)};
