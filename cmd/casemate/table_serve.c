/* The table: servers and their configuration. */
#include "options.h"

static const cm_cli_option serve_options[] = {
    {0, "dir", "DIR", "where everything is kept",
     "$XDG_DATA_HOME/casemate, or ~/.local/share/casemate", CM_CLI_FOLDER, NULL, false},
    ARG(0, "listen", "ADDRESS", "first run: where to listen", "127.0.0.1:8443"),
    MANY(0, "host", "NAME", "first run: a DNS name of this machine; may be repeated", "localhost"),
    ARG(0, "tenant", "NAME", "first run: the tenant to make", "default"),
    ARG(0, "shares", "M/N", "first run: recovery shares, of which any M open the root key", "2/3"),
    FILE_ARG(0, "shares-file", "FILE", "first run: write them to FILE instead of showing them",
             NULL),
    FILE_ARG(0, "hsm-module", "FILE",
             "first run: keep the root under a key in a token, through this PKCS#11 module", NULL),
    FILE_ARG(0, "hsm-cloud", "FILE", "first run: or the configuration of a cloud's key service",
             NULL),
    ARG(0, "hsm-tpm", "PCRS",
        "first run: or this machine's TPM, while these registers stay as they are: pcr=7,11", NULL),
    ARG(0, "hsm-token", "LABEL", "first run: the token", "the only one that is initialised"),
    FILE_ARG(0, "hsm-pin-file", "FILE", "first run: where its PIN is, from then on", NULL),
    ARG(0, "hsm-wrapping", "KIND",
        "first run: rsa-not-post-quantum, for tokens without AES (labelled hsm-wrapped-classical)",
        "aes"),
    FILE_ARG(0, "hsm-files", "DIR", "first run: where the module keeps its files",
             "those of SoftHSM2 and openCryptoki as Debian has them"),
    FLAG(0, "prepare", "make what is missing, and do not start"),
};

static const cm_cli_example serve_examples[] = {
    {"casemate serve", "a key server for this machine, in seconds"},
    {"casemate serve --hsm-module /usr/lib/softhsm/libsofthsm2.so --hsm-pin-file /etc/kms.pin",
     "the root under a token's key, which casemate hsm init has made"},
    {"casemate serve --dir /srv/kms --listen 0.0.0.0:8443 --host kms.example.org",
     "for others, too"},
};

#define OPT_ADMIN                                          \
    {0,                                                    \
     "dir",                                                \
     "DIR",                                                \
     "the server's folder: the admin socket is in it",     \
     "that of $CASEMATE_SERVER, or as for casemate serve", \
     CM_CLI_FOLDER,                                        \
     NULL,                                                 \
     false},                                               \
        FILE_ARG(0, "socket", "FILE", "the admin socket itself", "admin.sock in the folder")

static const cm_cli_option unseal_options[] = {
    FLAG(0, "status", "only say how it stands"),
    FILE_ARG(0, "passphrase-file", "FILE", "read the passphrase from FILE (its first line)",
             "asked for on the terminal"),
    ARG(0, "passphrase-fd", "N", "read it from descriptor N", NULL),
    FILES(0, "share-file", "FILE", "read recovery shares from FILE, one a line; - is stdin", NULL),
    FLAG(0, "credential", "use the systemd credential that the server was started with"),
    OPT_ADMIN,
};
static const cm_cli_option rotate_root_options[] = {
    FLAG(0, "retire", "instead: forget the generations before the one in force"),
    FILE_ARG(0, "passphrase-file", "FILE", "read the passphrase from FILE (its first line)",
             "asked for on the terminal"),
    ARG(0, "passphrase-fd", "N", "read it from descriptor N", NULL),
    FILES(0, "share-file", "FILE", "read recovery shares from FILE, one a line; - is stdin", NULL),
    FLAG(0, "credential", "use the systemd credential that the server was started with"),
    OPT_ADMIN,
};
static const cm_cli_option seal_server_options[] = {OPT_ADMIN};

static const cm_cli_example unseal_examples[] = {
    {"casemate unseal --status", "is it open, and how many shares were given?"},
    {"casemate unseal", "ask for the passphrase, or for shares until there are enough"},
    {"casemate unseal --share-file - </media/usb/share", "one share, from elsewhere"},
};
static const cm_cli_example seal_server_examples[] = {
    {"casemate seal-server --dir /srv/kms", "forget the root key, now"},
};

static const cm_cli_example rotate_root_examples[] = {
    {"casemate rotate-root --share-file shares", "a new root key, by whoever can open the old one"},
    {"casemate rotate-root --retire --share-file shares",
     "and when all is wrapped by it, no other"},
};

static const cm_cli_argument config_args[] = {
    {"FILE", "a configuration of casemate-kmsd (YAML)", CM_CLI_FILE, 1, 1},
};

static const cm_cli_option document_options[] = {
    FILE_ARG('o', "out", "FILE", "where to write; - is stdout", "-"),
    OPT_FORCE,
};

static const cm_cli_example check_examples[] = {
    {"casemate config check /etc/casemate/kmsd.yaml", "says where it is wrong, and what was meant"},
};
static const cm_cli_example explain_examples[] = {
    {"casemate config explain /etc/casemate/kmsd.yaml", "every value and where it comes from"},
};
static const cm_cli_example schema_examples[] = {
    {"casemate config schema -o kmsd.schema.json", "for editors that complete and check"},
};
static const cm_cli_example reference_examples[] = {
    {"casemate config reference", "what docs/config.md says"},
};

static const cm_cli_command commands[] = {
    {
        .name = "serve",
        .summary = "run a key server on defaults",
        .text = "The first run makes all that a server needs: a root key with recovery shares, "
                "which are shown once; an authority with certificates for the server, in ML-DSA-65 "
                "and in P-256 for clients that can't verify that yet; an administrator with an "
                "ML-DSA-65 key to sign requests with and a client certificate; a tenant. Then it "
                "starts casemate-kmsd; later runs only do that, and renew the server's "
                "certificates in time.\n"
                "\n"
                "The root key opens with the passphrase in the folder, so the folder's mode guards "
                "everything: for more, see --hsm-module, and unseal.* in docs/config.md.",
        .options = TABLE(serve_options),
        .examples = TABLE(serve_examples),
        .see = "config doctor",
        .run = cm_cli_serve,
    },
    {
        .name = "unseal",
        .summary = "open the root key of a running server",
        .text = "Over the server's admin socket, which is for its own user alone. A passphrase "
                "opens at once; recovery shares may come one by one, from several people and over "
                "hours: the server keeps those it was given until there are enough, or one turns "
                "out wrong. Fails when what was given does not open, and says why.\n"
                "\n"
                "Secrets are never taken from arguments or the environment.",
        .options = TABLE(unseal_options),
        .examples = TABLE(unseal_examples),
        .see = "serve seal-server",
        .run = cm_cli_unseal,
    },
    {
        .name = "seal-server",
        .summary = "let a running server forget its root key",
        .text = "From then on no key can be used until somebody unseals it, or starts the server "
                "anew. For when something is wrong with the machine.",
        .options = TABLE(seal_server_options),
        .examples = TABLE(seal_server_examples),
        .see = "unseal",
        .run = cm_cli_seal_server,
    },
    {
        .name = "rotate-root",
        .summary = "begin a new generation of a running server's root key",
        .text = "Over the server's admin socket, by whoever can open the root key: the passphrase, "
                "the credential, or as many recovery shares as it takes, all at once. They stay "
                "good. The change is an entry of the audit log. The server then wraps all tenants' "
                "keys by the new generation; nothing is encrypted anew, and nothing stops "
                "meanwhile.\n"
                "\n"
                "--retire ends the older generations once no key needs them. Backups from before "
                "need a boot record from before: keep both, or neither.",
        .options = TABLE(rotate_root_options),
        .examples = TABLE(rotate_root_examples),
        .see = "unseal",
        .run = cm_cli_rotate_root,
    },
    {
        .group = "config",
        .name = "check",
        .summary = "check a server's configuration",
        .args = TABLE(config_args),
        .examples = TABLE(check_examples),
        .run = cm_cli_config_check,
    },
    {
        .group = "config",
        .name = "explain",
        .summary = "show every value of a configuration and where it comes from",
        .args = TABLE(config_args),
        .examples = TABLE(explain_examples),
        .run = cm_cli_config_explain,
    },
    {
        .group = "config",
        .name = "schema",
        .summary = "write the configuration's JSON schema",
        .options = TABLE(document_options),
        .examples = TABLE(schema_examples),
        .run = cm_cli_config_schema,
    },
    {
        .group = "config",
        .name = "reference",
        .summary = "write the reference of all keys as Markdown",
        .options = TABLE(document_options),
        .examples = TABLE(reference_examples),
        .run = cm_cli_config_reference,
    },
};

const cm_cli_commands cm_cli_serve_commands = {TABLE(commands)};
