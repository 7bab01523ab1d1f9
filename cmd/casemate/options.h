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

#define TABLE(list) list, CM_COUNT(list)
/* clang-format on */

#endif
