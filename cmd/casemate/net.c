#include "net.h"

#include "base/os.h"
#include "ring.h"

void cm_cli_net_free(cm_cli_net *n)
{
    cm_certs_free(&n->roots);
    cm_certs_free(&n->chain);
    cm_pkey_free(n->key);
    *n = (cm_cli_net){0};
}

static cm_err read_certs(cm_cli *cli, cm_certs *out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX + 1};

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&b, path, CM_CERT_FILE_MAX), NULL));
    return cm_cli_about(cli, path, cm_certs_read(out, cli->crypt, cm_buf_view(&b)), NULL);
}

static cm_err read_roots(cm_cli *cli, cm_cli_net *n)
{
    for (size_t i = 0; i < cm_cli_count(cli, "ca"); i++) {
        const char *path = cm_cli_nth(cli, "ca", i);
        CM_AUTO(cm_certs_free) cm_certs l = {0};

        CM_TRY(read_certs(cli, &l, path));
        if (n->roots.n + l.n > CM_CERT_CHAIN_MAX)
            return cm_cli_usage(cli, "more than %d roots", CM_CERT_CHAIN_MAX);
        for (size_t j = 0; j < l.n; j++)
            n->roots.v[n->roots.n++] = l.v[j];
        l.n = 0;
    }
    return CM_OKAY;
}

static cm_err read_identity(cm_cli *cli, cm_cli_net *n)
{
    const char *cert = cm_cli_text(cli, "cert"), *key = cm_cli_text(cli, "cert-key");

    if (!cert && !key)
        return CM_OKAY;
    if (!cert || !key)
        return cm_cli_usage(cli, "--cert and --cert-key go together");
    CM_TRY(read_certs(cli, &n->chain, cert));
    CM_TRY(cm_cli_load_key(cli, &n->key, key));
    n->identity = (cm_tls_identity){.chain = &n->chain, .key = n->key};
    return CM_OKAY;
}

cm_err cm_cli_net_options(cm_cli *cli, cm_cli_net *out)
{
    const char *policy = cm_cli_text(cli, "policy");

    if (policy && strcmp(policy, "strict") == 0)
        out->policy = CM_TLS_STRICT;
    else if (policy && strcmp(policy, "hybrid") != 0)
        return cm_cli_usage(cli, "there is no policy %s", policy);
    CM_TRY(read_roots(cli, out));
    return read_identity(cli, out);
}

cm_err cm_cli_net_tls(cm_cli *cli, cm_tls **out, const cm_cli_net *n, cm_tls_policy policy,
                      cm_view alpn)
{
    const cm_tls_options o = {
        .policy = policy,
        .identities = n->key ? &n->identity : NULL,
        .identities_n = n->key ? 1 : 0,
        .roots = &n->roots,
        .alpn = alpn,
        .resume_s = 3600,
    };

    return cm_tls_client_new(out, cli->crypt, &o);
}
