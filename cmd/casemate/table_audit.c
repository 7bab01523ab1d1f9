/* The table: the audit log, from outside. */
#include "options.h"

#define OPT_LOG_KEYS                                                                              \
    FILES('k', "key", "VKEY", "a public key of the log, or a file of them; all must have signed", \
          NULL)
#define OPT_LOG_SERVER                                                         \
    FILE_ARG(0, "server", "FILE", "the profile of the server whose log it is", \
             "$CASEMATE_SERVER, or server.json of the home")
#define OPT_TENANT ARG(0, "tenant", "TEXT", "of a server: whose entries", "the profile's")
#define OPT_STORE  FILE_ARG(0, "store", "FILE", "read the log in this database", NULL)

static const cm_cli_option verify_options[] = {
    OPT_LOG_KEYS,
    FILES('w', "witness", "VKEY", "a public key of a witness, or a file of them", NULL),
    ARG(0, "quorum", "N", "how many of the witnesses must have cosigned", "all that are given"),
    FILE_ARG(0, "since", "CHECKPOINT", "the log must go on from this one, seen before", NULL),
    FILE_ARG(0, "entry", "FILE", "the entry that a receipt is about, if it does not bring it",
             NULL),
    ARG(0, "origin", "NAME", "the log's name", "that of its first key"),
    OPT_STORE,
    OPT_LOG_SERVER,
};

static const cm_cli_argument verify_args[] = {
    {"WHAT", "receipts, checkpoints, exported logs; without it, the log of a server", CM_CLI_FILE,
     0, 1024},
};

static const cm_cli_example verify_examples[] = {
    {"casemate audit verify --key log.vkeys release.tlog-proof",
     "a receipt: was this decision logged?"},
    {"casemate audit verify --key log.vkeys --since monday.checkpoint exported/",
     "everything, and that nothing was rewritten since Monday"},
    {"casemate audit verify --key log.vkeys --witness w1.vkey --witness w2.vkey --quorum 1 "
     "exported/",
     "that at least one of two witnesses has seen the same log"},
    {"casemate audit verify --key log.vkeys --since monday.checkpoint",
     "the log of the server that $CASEMATE_SERVER names, over the network"},
};

static const cm_cli_option prove_options[] = {
    OPT_STORE,
    OPT_LOG_SERVER,
    OPT_TENANT,
    ARG(0, "since-size", "N",
        "prove instead that the log goes on from its first N entries, in the form in which "
        "witnesses are asked",
        NULL),
    FILE_ARG('o', "out", "FILE", "where to write; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_argument prove_args[] = {
    {"INDEX|FOLDER",
     "the number of the entry, and an exported log; without it, --store or a server", CM_CLI_ANY, 0,
     2},
};

static const cm_cli_example prove_examples[] = {
    {"casemate audit prove 4711 -o 4711.tlog-proof", "by the server that $CASEMATE_SERVER names"},
    {"casemate audit prove 4711 exported/ -o 4711.tlog-proof", "a receipt for an entry"},
    {"casemate audit prove --since-size 1000 exported/", "what to send to a witness"},
};

static const cm_cli_option export_options[] = {OPT_STORE, OPT_LOG_SERVER};

static const cm_cli_argument export_args[] = {
    {"FOLDER", "where to write", CM_CLI_FOLDER, 1, 1},
};

static const cm_cli_example export_examples[] = {
    {"casemate audit export exported/", "a server's log; again later, it adds what is new"},
};

static const cm_cli_option tail_options[] = {
    OPT_STORE,
    OPT_LOG_SERVER,
    OPT_TENANT,
    ARG('n', "lines", "N", "how many of the log's entries to look at", "10"),
    FLAG('f', "follow", "of a server: go on with new ones as they come"),
};

static const cm_cli_argument tail_args[] = {
    {"FOLDER", "an exported log; without it, --store or a server", CM_CLI_FOLDER, 0, 1},
};

static const cm_cli_example tail_examples[] = {
    {"casemate audit tail -f", "what the server decides, as it happens"},
    {"casemate audit tail -n 50 exported/", "the last fifty decisions of an exported log"},
};

static const cm_cli_option witness_options[] = {
    OPT_LOG_KEYS,
    FILES(0, "sign", "KEY", "the witness's private key, ML-DSA-44 or Ed25519; may be repeated",
          NULL),
    ARG(0, "name", "NAME", "the witness's name, such as witness.example/w1", NULL),
    FILE_ARG(0, "state", "FILE", "where it keeps the last checkpoint of this log", NULL),
    FILE_ARG(0, "merge", "FILE", "write the checkpoint with the cosignatures to FILE as well",
             NULL),
    ARG(0, "origin", "NAME", "the log's name", "that of its first key"),
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument witness_args[] = {
    {"WHAT", "an exported log, or what `casemate audit prove --since-size` wrote", CM_CLI_FILE, 1,
     1},
};

static const cm_cli_example witness_examples[] = {
    {"casemate audit witness --key log.vkeys --sign w1.pem --name w1.example --state seen "
     "exported/ "
     "--merge exported/checkpoint",
     "cosign what was exported"},
};

static const cm_cli_option key_options[] = {
    ARG(0, "name", "NAME", "the name that goes with the key: the log's origin, the witness's name",
        NULL),
    WORDS(0, "as", "WHOSE", "what the key signs as", "witness", "witness log"),
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument key_args[] = {
    {"KEY", "key files, private or public", CM_CLI_FILE, 1, 8},
};

static const cm_cli_example key_examples[] = {
    {"casemate audit key --name w1.example w1.pub", "what others pass to --witness"},
};

static const cm_cli_command commands[] = {
    {
        .group = "audit",
        .name = "verify",
        .summary = "check receipts, checkpoints and whole logs",
        .text = "Needs public keys alone and trusts nobody else: not the server, not its "
                "database, not its operator. A receipt shows that one decision is in the log. An "
                "exported log is hashed again from its entries on. With --since, that nothing was "
                "cut off or rewritten since a checkpoint that you kept; with --witness, that "
                "others saw the same log.\n"
                "\n"
                "A line a check: PASS, SKIP or FAIL with the reason. Every key given must have "
                "signed.",
        .options = TABLE(verify_options),
        .args = TABLE(verify_args),
        .examples = TABLE(verify_examples),
        .see = "audit-prove audit-export audit-witness",
        .run = cm_cli_audit_verify,
    },
    {
        .group = "audit",
        .name = "prove",
        .summary = "make a receipt, or a proof for a witness",
        .text = "A receipt is a c2sp.org/tlog-proof: the entry, the hashes that lead from it to "
                "the log's root, and the signed checkpoint. Nothing is verified here: that is the "
                "business of whoever receives it.",
        .options = TABLE(prove_options),
        .args = TABLE(prove_args),
        .examples = TABLE(prove_examples),
        .see = "audit-verify",
        .run = cm_cli_audit_prove,
    },
    {
        .group = "audit",
        .name = "export",
        .summary = "write the log as files",
        .text =
            "In the layout of c2sp.org/tlog-tiles, which any web server can serve and other "
            "programs can check. Full tiles that are there already stay as they are; the "
            "checkpoint is written last. Of a server this takes an auditor of the tenant `system`. "
            "--store is for databases whose rows are not sealed; a key server's are, so its log "
            "is read through it, or from what was exported.",
        .options = TABLE(export_options),
        .args = TABLE(export_args),
        .examples = TABLE(export_examples),
        .see = "audit-verify audit-tail",
        .run = cm_cli_audit_export,
    },
    {
        .group = "audit",
        .name = "tail",
        .summary = "show the last entries",
        .text = "As they stand, without checking them. Persons appear as blinded hashes. A server "
                "shows its tenants their own entries, and all to auditors of the tenant `system` "
                "(--tenant system). --follow goes on until it is stopped, also over a restart of "
                "the server.",
        .options = TABLE(tail_options),
        .args = TABLE(tail_args),
        .examples = TABLE(tail_examples),
        .see = "audit-verify",
        .run = cm_cli_audit_tail,
    },
    {
        .group = "audit",
        .name = "witness",
        .summary = "cosign a log's checkpoint if it goes on from the last",
        .text = "Keeps the last checkpoint that it cosigned in a file, and cosigns another only "
                "with a proof that nothing before was changed. A log that shrank or forked is "
                "refused, and both checkpoints are shown: they are the evidence. The cosignature "
                "lines go to stdout.",
        .options = TABLE(witness_options),
        .args = TABLE(witness_args),
        .examples = TABLE(witness_examples),
        .see = "audit-verify audit-key",
        .run = cm_cli_audit_witness,
    },
    {
        .group = "audit",
        .name = "key",
        .summary = "show a key as verifiers take it",
        .text = "The form of c2sp.org/signed-note: name+id+key. For --key and --witness of "
                "casemate audit verify.",
        .options = TABLE(key_options),
        .args = TABLE(key_args),
        .examples = TABLE(key_examples),
        .see = "audit-verify audit-witness",
        .run = cm_cli_audit_key,
    },
};

const cm_cli_commands cm_cli_audit_commands = {TABLE(commands)};
