/* The table: receipts and settlements with keys in files. */
#include "options.h"

/* clang-format off */
#define OPT_HASH                                                                                  \
    WORDS(0, "hash", "NAME", "how files and streams are hashed", "sha256", "sha256 keccak256")

#define OPT_REALM(what)                                                                           \
    ARG(0, "realm", "HEX", what ": 64 hex digits", NULL),                                         \
    ARG(0, "realm-name", "TEXT", "the same as Keccak-256 of TEXT", NULL)

#define OPT_CONTENT(name, what, standard)                                                         \
    FILE_ARG(0, name, "FILE", what ", to be hashed; - is stdin", standard),                       \
    ARG(0, name "-digest", "HEX", "or its digest: 64 hex digits", NULL)

#define OPT_WHAT_RAN                                                                              \
    ARG(0, "model", "HEX", "the model's digest, as casemate digest shows it", NULL),              \
    ARG(0, "model-name", "TEXT", "or its name: who reads the receipt can't tell which weights",   \
        NULL),                                                                                    \
    ARG(0, "node", "HEX", "who computed: 64 hex digits", NULL),                                   \
    ARG(0, "node-name", "TEXT", "the same as Keccak-256 of TEXT", NULL)

#define OPT_TERM(longest)                                                                         \
    ARG(0, "ttl", "SECONDS", "how long it is valid", longest),                                    \
    ARG(0, "issued-ms", "MS", "when it is issued: milliseconds since 1970", "now"),               \
    ARG(0, "nonce", "HEX", "64 hex digits that were never used with this key", "random")

#define OPT_SIGNERS(what)                                                                         \
    FILES('k', "key", "KEY", what, NULL),                                                         \
    OPT_KEY_PASSPHRASE

#define OPT_DEMANDS                                                                               \
    WORDS(0, "need", "ALGORITHM", "refuse what this has not signed", "what the keys are",         \
          "secp256k1 ml-dsa-65 both"),                                                            \
    OPT_REALM("the chain, contract or tenant it must be meant for"),                              \
    ARG(0, "at-ms", "MS", "verify as of this time: milliseconds since 1970", "now"),              \
    FLAG(0, "any-time", "for archives: leave expiry and date out"),                               \
    ARG(0, "skew", "SECONDS", "how far clocks may differ", "30")

#define SIGN_KEYS "sign with this private key, secp256k1 or ML-DSA-65; one of each: both sign"
#define VERIFY_KEYS                                                                               \
    "the public key that must have signed; all of them where a signer has two"
/* clang-format on */

static const cm_cli_option sign_options[] = {
    OPT_SIGNERS(SIGN_KEYS),
    OPT_WHAT_RAN,
    OPT_CONTENT("input", "what went in", NULL),
    OPT_CONTENT("output", "what came out", NULL),
    OPT_CONTENT("attestation", "evidence of where it ran", "none is claimed"),
    OPT_CONTENT("proof", "a proof of the computation", "none is claimed"),
    OPT_HASH,
    ARG(0, "compute-ms", "MS", "how long it took, in milliseconds", "0"),
    OPT_REALM("the chain, contract or tenant it is meant for"),
    OPT_TERM("3600, which is also the longest"),
    FILE_ARG('o', "out", "FILE", "where the receipt goes; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_example sign_examples[] = {
    {"casemate poai sign -k node.pem --model $(casemate digest m.gguf) --node-name n1 "
     "--input prompt --output answer -o r.poai",
     "a receipt over two files, valid for an hour"},
    {"casemate poai sign -k secp.pem -k mldsa.pem --model-name llama --node-name n1 "
     "--input-digest 5ea0... --output - -o r.poai <answer",
     "both algorithms sign; the output is hashed from stdin"},
};

static const cm_cli_option verify_options[] = {
    OPT_SIGNERS(VERIFY_KEYS),
    OPT_DEMANDS,
    OPT_WHAT_RAN,
    OPT_CONTENT("input", "what must have gone in", "not compared"),
    OPT_CONTENT("output", "what must have come out", "not compared"),
    OPT_CONTENT("attestation", "the evidence that must be named", "not compared"),
    OPT_CONTENT("proof", "the proof that must be named", "not compared"),
    OPT_HASH,
    FLAG(0, "stored",
         "the file is a stored day, or stored batches one behind the other: verify all of it, by "
         "all processors; with two keys, each may have signed alone unless --need says both"),
};

static const cm_cli_example verify_examples[] = {
    {"casemate poai verify r.poai -k node.pub --input prompt --output answer",
     "signature, time, and that it is about these two files"},
    {"casemate poai verify day.poab -k node.pub --any-time --stored",
     "every receipt of a stored day, in bounded memory"},
};

static const cm_cli_argument receipt_arg[] = {
    {"RECEIPT", "a receipt, or with --stored a file of batches; - is stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_option batch_options[] = {
    OPT_SIGNERS(SIGN_KEYS),
    OPT_WHAT_RAN,
    OPT_REALM("the chain, contract or tenant they are meant for"),
    OPT_TERM("3600, which is also the longest"),
    FILE_ARG('o', "out", "FILE", "where the stored batch goes", NULL),
    FILE_ARG(0, "paths", "FILE", "write each receipt's inclusion path too, in order", NULL),
    OPT_FORCE,
};

static const cm_cli_argument list_arg[] = {
    {"LIST", "a JSON object a line; - is stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example batch_examples[] = {
    {"casemate poai batch list.jsonl -k mldsa.pem --node-name n1 -o day.poab --paths day.paths",
     "one signature for all of them"},
};

static const cm_cli_option extract_options[] = {
    ARG(0, "index", "N", "which receipt, counting from 0", NULL),
    FILE_ARG('o', "out", "FILE", "where the receipt goes; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_argument stored_arg[] = {
    {"BATCH", "a stored batch", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example extract_examples[] = {
    {"casemate poai extract day.poab --index 17 -o r17.poai",
     "which casemate poai verify takes like any other"},
};

/* clang-format off */
#define OPT_PARTIES                                                                               \
    ARG(0, "job", "HEX", "the job: 64 hex digits", NULL),                                         \
    ARG(0, "job-name", "TEXT", "the same as Keccak-256 of TEXT", NULL),                           \
    ARG(0, "provider", "ADDRESS", "who is paid: 40 hex digits", NULL),                            \
    ARG(0, "consumer", "ADDRESS", "who pays", NULL)
/* clang-format on */

static const cm_cli_option settle_options[] = {
    OPT_SIGNERS(SIGN_KEYS),
    FILE_ARG(0, "receipt", "FILE", "the receipt that is settled", NULL),
    FILES(0, "receipt-key", "PUB", "the public key that must have signed the receipt", NULL),
    FLAG(0, "any-receipt", "settle it without verifying its signature"),
    OPT_PARTIES,
    ARG(0, "asset", "ADDRESS", "the token's contract", "the chain's own coin"),
    ARG(0, "amount", "WEI", "how much, a whole number of wei below 2^256", NULL),
    OPT_REALM("the chain, contract or tenant it is meant for; the receipt's unless given"),
    OPT_TERM("86400, which is also the longest"),
    FILE_ARG('o', "out", "FILE", "where the settlement goes; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_example settle_examples[] = {
    {"casemate settle sign -k payer.pem --receipt r.poai --receipt-key node.pub --job-name j-17 "
     "--provider 0x5eb5... --consumer 0x1c0d... --amount 250000000000000 -o s.hmm",
     "the receipt must be in its time and of the same realm"},
};

static const cm_cli_option settle_verify_options[] = {
    OPT_SIGNERS(VERIFY_KEYS),
    OPT_DEMANDS,
    FILE_ARG(0, "receipt", "FILE", "the receipt that it must be bound to", "not compared"),
    FILES(0, "receipt-key", "PUB", "the public key that must have signed the receipt",
          "its signature is not verified"),
    OPT_PARTIES,
    ARG(0, "asset", "ADDRESS", "the token's contract that it must name", "not compared"),
    ARG(0, "amount", "WEI", "the amount it must be of", "not compared"),
};

static const cm_cli_argument settlement_arg[] = {
    {"SETTLEMENT", "a settlement; - is stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example settle_verify_examples[] = {
    {"casemate settle verify s.hmm -k payer.pub --receipt r.poai --receipt-key node.pub",
     "both signatures, and that one pays for the other"},
};

static const cm_cli_option quote_options[] = {
    ARG(0, "x", "N", "reserve of what is paid in, 1 to below 2^96", NULL),
    ARG(0, "y", "N", "reserve of what comes out", NULL),
    ARG(0, "in", "N", "how much is paid in", NULL),
    FLAG(0, "from-y", "the other way: y is paid in, x comes out"),
    ARG(0, "least", "N", "refuse the trade if it brings less", "0"),
    ARG(0, "weight", "N", "the curve's weight, in 10^-18", "1000000000000000000"),
    ARG(0, "lambda", "N", "its lambda, in 10^-18", "0"),
    ARG(0, "fee", "N", "what is always taken of the amount, in 10^-18", "0"),
    ARG(0, "risk", "N", "what its size beside the reserve adds to that, in 10^-18", "0"),
};

static const cm_cli_example quote_examples[] = {
    {"casemate settle quote --x 1000000 --y 4000000 --in 1000 --fee 10000000000000000",
     "with a fee of one percent: 3956 come out"},
};

static const cm_cli_command commands[] = {
    {
        .group = "poai",
        .name = "sign",
        .summary = "sign a receipt for an inference with a key file",
        .text = "Says that a node ran a model on an input and got an output: the digests of both, "
                "signed with secp256k1 (as chains verify it), ML-DSA-65 (which a quantum computer "
                "can't forge) or both. spec/market.md has every byte. A nonce serves once; what "
                "keeps no state, like this command, can only make it random.\n"
                "\n"
                "No server takes part. A key that a server holds signs with casemate key "
                "sign-poai.",
        .options = TABLE(sign_options),
        .examples = TABLE(sign_examples),
        .see = "poai-verify poai-batch key-sign-poai",
        .run = cm_cli_poai_sign,
    },
    {
        .group = "poai",
        .name = "verify",
        .summary = "verify a receipt, a line a check",
        .text = "Tells each check, what the receipt says, and what it does not prove. A receipt "
                "of a batch is verified alone: it brings its path and the batch's signed head. "
                "What is to be compared (--input, --output, --model, ...) is named; the rest is "
                "skipped and said to be. The exit code is 0 only if nothing failed.",
        .options = TABLE(verify_options),
        .args = TABLE(receipt_arg),
        .examples = TABLE(verify_examples),
        .see = "poai-sign settle-verify key-verify-poai",
        .run = cm_cli_poai_verify,
    },
    {
        .group = "poai",
        .name = "batch",
        .summary = "sign up to 1048576 receipts with one signature",
        .text = "Reads a JSON object a line with the members model, node, input, output, "
                "attestation, proof, nonce (64 hex digits each), compute_ms and issued_ms; what a "
                "line leaves out is as the options say. Writes the batch as it is stored: the "
                "signed head, then the statements of all receipts. With --paths also what stands "
                "between statement and head in each receipt that is handed out: index, number of "
                "hashes, hashes.\n"
                "\n"
                "The list is read as a stream; memory is 96 bytes a receipt.",
        .options = TABLE(batch_options),
        .args = TABLE(list_arg),
        .examples = TABLE(batch_examples),
        .see = "poai-extract poai-verify",
        .run = cm_cli_poai_batch,
    },
    {
        .group = "poai",
        .name = "extract",
        .summary = "take one receipt out of a stored batch",
        .text = "Writes the receipt with its path and the batch's head, which together are "
                "verified alone. Needs no key; signatures are not looked at.",
        .options = TABLE(extract_options),
        .args = TABLE(stored_arg),
        .examples = TABLE(extract_examples),
        .see = "poai-batch poai-verify",
        .run = cm_cli_poai_extract,
    },
    {
        .group = "settle",
        .name = "sign",
        .summary = "sign the settlement of a receipt with a key file",
        .text = "Says that a job was paid for, by whom, to whom, how much, and for which receipt. "
                "The receipt's signature is verified with --receipt-key; it must be in its time "
                "and of the same realm.\n"
                "\n"
                "Nothing here remembers that a job was settled: a server does, with casemate key "
                "sign-settlement.",
        .options = TABLE(settle_options),
        .examples = TABLE(settle_examples),
        .see = "settle-verify poai-sign key-sign-settlement",
        .run = cm_cli_settle_sign,
    },
    {
        .group = "settle",
        .name = "verify",
        .summary = "verify a settlement, a line a check",
        .text = "Tells each check, what the settlement says, and what it does not prove. With "
                "--receipt also that it belongs to that receipt.",
        .options = TABLE(settle_verify_options),
        .args = TABLE(settlement_arg),
        .examples = TABLE(settle_verify_examples),
        .see = "settle-sign poai-verify",
        .run = cm_cli_settle_verify,
    },
    {
        .group = "settle",
        .name = "quote",
        .summary = "what a trade on the HMM curve brings",
        .text = "Price, fee, slippage and new reserves in whole numbers, rounded in the pool's "
                "favour (spec/market.md, section 8). Prices count 10^-18.",
        .options = TABLE(quote_options),
        .examples = TABLE(quote_examples),
        .see = "settle-sign",
        .run = cm_cli_settle_quote,
    },
};

const cm_cli_commands cm_cli_market_commands = {TABLE(commands)};
