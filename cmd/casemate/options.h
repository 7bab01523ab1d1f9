#ifndef CM_CMD_OPTIONS_H
#define CM_CMD_OPTIONS_H
/* Options that several commands take, and the makers of table rows. */
#include "command.h"

/* clang-format off */
#define FLAG(letter, name, help) {letter, name, NULL, help, NULL, CM_CLI_ANY, NULL, false}
#define ARG(letter, name, arg, help, standard) \
    {letter, name, arg, help, standard, CM_CLI_ANY, NULL, false}
#define FILE_ARG(letter, name, arg, help, standard) \
    {letter, name, arg, help, standard, CM_CLI_FILE, NULL, false}
#define MANY(letter, name, arg, help, standard) \
    {letter, name, arg, help, standard, CM_CLI_ANY, NULL, true}
#define FILES(letter, name, arg, help, standard) \
    {letter, name, arg, help, standard, CM_CLI_FILE, NULL, true}
#define WORDS(letter, name, arg, help, standard, words) \
    {letter, name, arg, help, standard, CM_CLI_WORDS, words, false}

#define OPT_KEY_PASSPHRASE                                                                        \
    FILE_ARG(0, "key-passphrase-file", "FILE",                                                    \
             "read the passphrase of a protected private key from FILE",                          \
             "asked for on the terminal"),                                                        \
    ARG(0, "key-passphrase-fd", "N", "read it from descriptor N", NULL)

#define OPT_SERVER                                                                                \
    FILE_ARG(0, "server", "FILE", "the profile of the server that holds a key of the model",      \
             "$CASEMATE_SERVER, or server.json of the home")

#define OPT_KEYSPACE                                                                              \
    ARG(0, "kms-keyspace", "NAME", "the keyspace that the server's key is in", "default")

#define OPT_KEYS                                                                                  \
    OPT_SERVER,                                                                                   \
    FILES('i', "identity", "KEY", "private key to open with; may be repeated",                    \
          "identity.pem of the home"),                                                            \
    FLAG(0, "passphrase", "ask for the passphrase that the model was sealed to"),                 \
    FILE_ARG(0, "passphrase-file", "FILE", "read that passphrase from FILE", NULL),               \
    ARG(0, "passphrase-fd", "N", "read it from descriptor N", NULL),                              \
    OPT_KEY_PASSPHRASE,                                                                           \
    FLAG(0, "allow-classical", "accept recipients whose keys fall to a quantum computer")

#define OPT_TRUST                                                                                 \
    FILES(0, "from", "PUB", "trust this publisher's public key; may be repeated",                 \
          "trusted/*.pub of the home"),                                                           \
    FLAG(0, "any-publisher", "accept a valid signature by a key that nobody here trusts"),        \
    FLAG(0, "unsigned", "accept a model that nobody signed"),                                     \
    FILE_ARG(0, "signature", "FILE", "count this detached signature too", NULL)

#define OPT_THREADS ARG(0, "threads", "N", "threads to work with", "one per processor")
#define OPT_FORCE FLAG(0, "force", "replace an output that exists")

#define OPT_PROTECT                                                                               \
    FILE_ARG(0, "passphrase-file", "FILE",                                                        \
             "protect the private key with the passphrase in FILE (its first line)",              \
             "asked for on the terminal, twice"),                                                 \
    ARG(0, "passphrase-fd", "N", "read the passphrase from descriptor N", NULL),                  \
    FLAG(0, "no-passphrase", "write the private key unprotected; only its mode guards it"),       \
    FLAG(0, "pbes2", "protect by PBES2, which openssl reads, instead of Argon2id")

#define OPT_COLLATERAL_STORE                                                                      \
    {0, "store", "FOLDER", "the store of collateral", "collateral in the home", CM_CLI_FOLDER,    \
     NULL, false}

/* What evidence is judged by. */
#define OPT_JUDGED_BY                                                                             \
    FILES('c', "collateral", "PATH",                                                              \
          "a certificate, revocation list, vendor's statement or event log, or a folder of them; "\
          "may be repeated", NULL),                                                               \
    MANY(0, "part", "NAME=FILE",                                                                  \
         "what came with a TPM's evidence: quote, signature, ak, pcrs, activation, td-quote; may "\
         "be repeated",                                                                           \
         NULL),                                                                                   \
    FLAG(0, "alone", "do not look for such files beside the evidence"),                           \
    OPT_COLLATERAL_STORE,                                                                         \
    ARG(0, "at", "TIME", "judge as of this time (UTC)", "now"),                                   \
    FILE_ARG(0, "policy", "FILE",                                                                 \
             "demand what this policy file demands, and let it decide over all files together",   \
             NULL),                                                                               \
    FILES(0, "reference", "FILE",                                                                 \
          "a signed manifest of reference values that the policy refers to; may be repeated",     \
          NULL),                                                                                  \
    FILES(0, "rim", "FILE",                                                                       \
          "accept what these reference manifests accept (casemate attest rim); may be repeated",  \
          NULL),                                                                                  \
    MANY('m', "measurement", "HEX", "accept this measurement; may be repeated", NULL),            \
    ARG(0, "config", "HEX", "the measured configuration: host data, MRCONFIGID, user data", NULL),\
    MANY(0, "chip", "HEX", "accept this chip; may be repeated", NULL),                            \
    ARG(0, "max-age", "SECONDS", "refuse evidence that says it is older", NULL),                  \
    ARG(0, "status-age", "SECONDS",                                                               \
        "refuse a status list of Android's whose file was written longer ago", NULL),             \
    ARG(0, "snp-floor", "LIST", "the least firmware of SEV-SNP: bl=4,snp=24,ucode=219", NULL),    \
    ARG(0, "vmpl", "N", "the privilege level that asked for an SEV-SNP report", "0"),             \
    MANY(0, "accept-tcb", "STATUS",                                                               \
         "accept this status of an Intel platform beside \"up to date\"; may be repeated", NULL), \
    ARG(0, "evaluation", "N", "the least number of Intel's TCB evaluation", "0"),                 \
    FLAG(0, "allow-debug", "accept a guest that can be read from outside"),                       \
    FLAG(0, "allow-migrate", "accept a guest that may be moved by an agent"),                     \
    MANY(0, "may-skip", "CHECK",                                                                  \
         "do not insist on this check when what it needs is not given; all: on none of them; may "\
         "be repeated", NULL)

#define TABLE(list) list, CM_COUNT(list)
/* clang-format on */

#endif
