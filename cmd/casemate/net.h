#ifndef CM_CMD_NET_H
#define CM_CMD_NET_H
/* Connections that a person asks for: whom to trust, what to show. */
#include "cli.h"
#include "wire/tls.h"

/** Zeroed is valid and empty. */
typedef struct {
    cm_certs roots, chain;
    cm_pkey *key;
    cm_tls_identity identity; /* of chain and key */
    cm_tls_policy policy;
} cm_cli_net;

/** --ca, --cert, --cert-key and --policy. */
CM_MUST cm_err cm_cli_net_options(cm_cli *cli, cm_cli_net *out);
void cm_cli_net_free(cm_cli_net *n);
/** A client's context with them. */
CM_MUST cm_err cm_cli_net_tls(cm_cli *cli, cm_tls **out, const cm_cli_net *n, cm_tls_policy policy,
                              cm_view alpn);

/* clang-format off */
#define OPT_NET                                                                                   \
    FILES(0, "ca", "CERT", "root to trust for the server's certificate; may be repeated", NULL),  \
    FILE_ARG(0, "cert", "CERT", "client certificate to show, with those above it", NULL),         \
    FILE_ARG(0, "cert-key", "KEY", "its private key", NULL),                                      \
    OPT_KEY_PASSPHRASE,                                                                           \
    WORDS(0, "policy", "POLICY", "key exchanges to offer: hybrid ones, or ML-KEM alone",          \
          "hybrid", "hybrid strict")
/* clang-format on */

#endif
