/* The table: a small certificate authority. */
#include "options.h"

/* clang-format off */
#define OPT_SUBJECT                                                                               \
    ARG(0, "name", "TEXT", "common name", NULL),                                                  \
    ARG(0, "organization", "TEXT", "organization", NULL)
#define OPT_DAYS(days) ARG(0, "days", "N", "days that it is valid, from now on", days)
#define OPT_ISSUER                                                                                \
    FILE_ARG(0, "ca", "CERT", "certificate of the authority that signs", NULL),                   \
    FILE_ARG(0, "ca-key", "KEY", "its private key", NULL),                                        \
    OPT_KEY_PASSPHRASE
#define OPT_OUT FILE_ARG('o', "out", "FILE", "where to write; - is stdout", "-"), OPT_FORCE
#define OPT_SANS                                                                                  \
    MANY(0, "dns", "NAME", "DNS name; may be repeated", NULL),                                    \
    MANY(0, "ip", "ADDRESS", "IP address; may be repeated", NULL)
/* clang-format on */

static const cm_cli_option root_options[] = {
    FILE_ARG('k', "key", "KEY", "the authority's private key", NULL),
    OPT_KEY_PASSPHRASE,
    OPT_SUBJECT,
    OPT_DAYS("3650"),
    ARG(0, "pathlen", "N", "authorities that may follow below", "1"),
    OPT_OUT,
};

static const cm_cli_option intermediate_options[] = {
    FILE_ARG('k', "key", "KEY", "the new authority's key; its public half will do", NULL),
    OPT_ISSUER,
    OPT_SUBJECT,
    OPT_DAYS("1825"),
    ARG(0, "pathlen", "N", "authorities that may follow below", "0"),
    OPT_OUT,
};

static const cm_cli_option server_options[] = {
    FILE_ARG('k', "key", "KEY", "the server's key; its public half will do", NULL),
    OPT_ISSUER,
    OPT_SUBJECT,
    OPT_SANS,
    OPT_DAYS("365"),
    OPT_OUT,
};

static const cm_cli_option client_options[] = {
    FILE_ARG('k', "key", "KEY", "the client's key; its public half will do", NULL),
    OPT_ISSUER,
    OPT_SUBJECT,
    OPT_SANS,
    OPT_DAYS("365"),
    OPT_OUT,
};

static const cm_cli_option request_options[] = {
    FILE_ARG('k', "key", "KEY", "the private key to ask for", NULL),
    OPT_KEY_PASSPHRASE,
    WORDS(0, "role", "ROLE", "what the certificate shall be for", "server",
          "server client intermediate"),
    OPT_SUBJECT,
    OPT_SANS,
    OPT_OUT,
};

static const cm_cli_option sign_options[] = {
    OPT_ISSUER,
    WORDS(0, "role", "ROLE", "what the certificate is for, whatever was asked", "server",
          "server client intermediate"),
    OPT_DAYS("365"),
    ARG(0, "pathlen", "N", "of an intermediate: authorities that may follow below", "0"),
    OPT_OUT,
};

static const cm_cli_option verify_options[] = {
    FILES(0, "root", "CERT", "a root to trust; may be repeated", NULL),
    FILES(0, "chain", "CERT", "intermediates that came along; may be repeated", NULL),
    WORDS(0, "use", "USE", "what it is to be good for", "any", "any server client"),
    ARG(0, "host", "NAME", "the DNS name or address that it must carry", NULL),
    FLAG(0, "allow-classical", "accept signatures and keys that a quantum computer breaks"),
};

static const cm_cli_argument request_arg[] = {
    {"REQUEST", "a signing request (PKCS#10, PEM)", CM_CLI_FILE, 1, 1},
};

static const cm_cli_argument cert_arg[] = {
    {"CERT", "a certificate, PEM or DER", CM_CLI_FILE, 1, 1},
};

static const cm_cli_example root_examples[] = {
    {"casemate cert root -k root.pem --name 'Example Root' -o root.crt", "ten years, self-signed"},
};
static const cm_cli_example intermediate_examples[] = {
    {"casemate cert intermediate -k ca.pub --ca root.crt --ca-key root.pem --name 'Example CA' "
     "-o ca.crt",
     "under that root"},
};
static const cm_cli_example server_examples[] = {
    {"casemate cert server -k web.pub --ca ca.crt --ca-key ca.pem --name example.org "
     "--dns example.org -o web.crt",
     "for a year"},
};
static const cm_cli_example client_examples[] = {
    {"casemate cert client -k alice.pub --ca ca.crt --ca-key ca.pem --name alice -o alice.crt",
     "for a year"},
};
static const cm_cli_example request_examples[] = {
    {"casemate cert request -k web.pem --name example.org --dns example.org -o web.csr",
     "to be signed by somebody else"},
};
static const cm_cli_example sign_examples[] = {
    {"casemate cert sign web.csr --ca ca.crt --ca-key ca.pem -o web.crt", "as a server"},
};
static const cm_cli_example show_examples[] = {
    {"casemate cert show web.crt", "names, times, algorithm, fingerprint"},
};
static const cm_cli_example verify_examples[] = {
    {"casemate cert verify web.crt --root root.crt --chain ca.crt --host example.org",
     "refuses classical links unless --allow-classical is given"},
};

static const cm_cli_command commands[] = {
    {
        .group = "cert",
        .name = "root",
        .summary = "make a self-signed root certificate",
        .text = "With an ML-DSA or SLH-DSA key; SLH-DSA stands on hash functions alone and suits "
                "a root that signs seldom.",
        .options = TABLE(root_options),
        .examples = TABLE(root_examples),
        .see = "key",
        .run = cm_cli_cert_root,
    },
    {
        .group = "cert",
        .name = "intermediate",
        .summary = "make an authority under another",
        .options = TABLE(intermediate_options),
        .examples = TABLE(intermediate_examples),
        .run = cm_cli_cert_issue,
    },
    {
        .group = "cert",
        .name = "server",
        .summary = "make a certificate for a TLS server",
        .text = "Needs at least one DNS name or address.",
        .options = TABLE(server_options),
        .examples = TABLE(server_examples),
        .run = cm_cli_cert_issue,
    },
    {
        .group = "cert",
        .name = "client",
        .summary = "make a certificate for a TLS client",
        .options = TABLE(client_options),
        .examples = TABLE(client_examples),
        .run = cm_cli_cert_issue,
    },
    {
        .group = "cert",
        .name = "request",
        .summary = "ask an authority for a certificate",
        .options = TABLE(request_options),
        .examples = TABLE(request_examples),
        .run = cm_cli_cert_request,
    },
    {
        .group = "cert",
        .name = "sign",
        .summary = "sign a request",
        .text = "Of the request its subject, key and names are used, after its own signature was "
                "checked; role and times are yours.",
        .options = TABLE(sign_options),
        .args = TABLE(request_arg),
        .examples = TABLE(sign_examples),
        .run = cm_cli_cert_sign,
    },
    {
        .group = "cert",
        .name = "show",
        .summary = "show a certificate",
        .args = TABLE(cert_arg),
        .examples = TABLE(show_examples),
        .run = cm_cli_cert_show,
    },
    {
        .group = "cert",
        .name = "verify",
        .summary = "check that a certificate leads to a trusted root",
        .options = TABLE(verify_options),
        .args = TABLE(cert_arg),
        .examples = TABLE(verify_examples),
        .run = cm_cli_cert_verify,
    },
};

const cm_cli_commands cm_cli_cert_commands = {TABLE(commands)};
