/* The table: looking after the database of a key service. */
#include "options.h"

/* clang-format off */
#define OPT_WHERE                                                                                 \
    FILE_ARG(0, "store", "FILE", "the database file", NULL),                                      \
    FILE_ARG(0, "postgres", "FILE",                                                               \
             "or a PostgreSQL database: FILE holds its connection, one line as libpq reads it",   \
             NULL)
/* clang-format on */

static const cm_cli_option where_options[] = {OPT_WHERE};

static const cm_cli_option backup_options[] = {
    OPT_WHERE,
    FILE_ARG('o', "out", "FILE", "where to write; - is stdout", NULL),
    OPT_FORCE,
};

static const cm_cli_argument restore_args[] = {
    {"BACKUP", "what `casemate store backup` wrote; - is stdin", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example info_examples[] = {
    {"casemate store info --store /var/lib/casemate/kms.db", "also beside a running server"},
    {"casemate store info --postgres /etc/casemate/postgres.conf", "in it: host=db dbname=kms "
                                                                   "user=kms passfile=/etc/..."},
};

static const cm_cli_example backup_examples[] = {
    {"casemate store backup --store kms.db -o monday.backup", "while the server runs"},
    {"casemate store backup --store kms.db -o - | zstd > monday.backup.zst", "as a stream"},
};

static const cm_cli_example restore_examples[] = {
    {"casemate store restore --store new.db monday.backup", "into a new database"},
    {"casemate store backup --store kms.db -o - | casemate store restore --postgres pg.conf -",
     "move from SQLite to PostgreSQL; stop the server first"},
};

static const cm_cli_example fsck_examples[] = {
    {"casemate store fsck --store kms.db", "exit code 5 when anything is wrong"},
};

static const cm_cli_example migrate_examples[] = {
    {"casemate store migrate --store kms.db", "after an update, the servers stopped"},
};

static const cm_cli_command commands[] = {
    {
        .group = "store",
        .name = "info",
        .summary = "show what a database is and how far it has come",
        .text = "Engine, schema, the random id of this store, and its generation: the number of "
                "transactions that wrote.",
        .options = TABLE(where_options),
        .examples = TABLE(info_examples),
        .see = "store-fsck",
        .run = cm_cli_store_info,
    },
    {
        .group = "store",
        .name = "backup",
        .summary = "copy a database into one file or stream",
        .text = "Copies all rows as of one moment while servers go on. Rows stay sealed: no key is "
                "needed, and none is in the copy but the sealed ones. The root key, or the shares "
                "that unseal it, must be kept elsewhere: without it the copy is worth nothing.\n"
                "\n"
                "The same format serves both engines.",
        .options = TABLE(backup_options),
        .examples = TABLE(backup_examples),
        .see = "store-restore",
        .run = cm_cli_store_backup,
    },
    {
        .group = "store",
        .name = "restore",
        .summary = "fill a new database from a backup",
        .text = "The database must be new or empty. Either all of the backup is in it afterwards, "
                "checked, or nothing.\n"
                "\n"
                "The restored store has another id, so a server that knew the old one refuses it "
                "until it is started once with --accept-rollback: whatever was decided after the "
                "backup is lost, revocations too.",
        .options = TABLE(where_options),
        .args = TABLE(restore_args),
        .examples = TABLE(restore_examples),
        .see = "store-backup",
        .run = cm_cli_store_restore,
    },
    {
        .group = "store",
        .name = "fsck",
        .summary = "check every page and row of a database",
        .text = "Reads everything: the engine's pages, the order and form of keys, versions. What "
                "sealed rows hold is not opened, since no key is at hand here; the server checks "
                "each as it reads it. Nothing is changed.",
        .options = TABLE(where_options),
        .examples = TABLE(fsck_examples),
        .see = "store-backup store-restore",
        .run = cm_cli_store_fsck,
    },
    {
        .group = "store",
        .name = "migrate",
        .summary = "bring an older database up to date",
        .text = "Each step is one transaction: interrupted, it goes on where it stopped. There is "
                "no way back but a backup.",
        .options = TABLE(where_options),
        .examples = TABLE(migrate_examples),
        .see = "store-backup",
        .run = cm_cli_store_migrate,
    },
};

const cm_cli_commands cm_cli_store_commands = {TABLE(commands)};
