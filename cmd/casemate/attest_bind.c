/* What evidence is bound to, by --nonce and --bind. */
#include <string.h>

#include "access.h"
#include "attest.h"
#include "base/os.h"
#include "codec/text.h"
#include "pki/ca.h"

enum { FILE_MAX = 1 << 16, BOUND = 7 };

/* ---- files ---------------------------------------------------------------------------------- */

static cm_err public_key(cm_cli *cli, cm_pkey **out, cm_view file)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;

    if (cm_ok(cm_cert_read(&cert, cli->crypt, file)))
        return cm_cert_key(out, cli->crypt, cert);
    return cm_pkey_read(out, cli->crypt, file, NULL);
}

/* Of a certificate or a key in PEM or DER. */
static cm_err read_spki(cm_cli *cli, cm_buf *out, cm_view file)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;

    CM_TRY(public_key(cli, &key, file));
    return cm_pkey_public_der(out, key);
}

/* A key file of ours, or the bytes as the protocol has them. */
static cm_err read_hpke(cm_cli *cli, cm_buf *out, cm_view file)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;

    if (cm_ok(cm_pkey_read(&key, cli->crypt, file, NULL)) && cm_pkey_kem(key))
        return cm_buf_append(out, cm_kem_public(cm_pkey_kem(key)));
    return cm_buf_append(out, file);
}

static cm_err read_bytes(cm_cli *cli, cm_buf *out, cm_view file)
{
    (void)cli;
    return cm_buf_append(out, file);
}

/* Digests are written as hex or as they are. */
static cm_err read_digest(cm_cli *cli, cm_buf *out, cm_view file)
{
    while (file.n && file.p[file.n - 1] == '\n')
        file.n--;
    if (cm_ok(cm_hex_decode(out, file)))
        return CM_OKAY;
    return read_bytes(cli, out, file);
}

/* ---- the options ---------------------------------------------------------------------------- */

/* NULL: the text itself. */
static const struct {
    const char *name;
    cm_err (*read)(cm_cli *cli, cm_buf *out, cm_view file);
} kinds[BOUND] = {
    {"role", NULL},      {"suite", NULL},          {"tls", read_spki},        {"peer", read_spki},
    {"hpke", read_hpke}, {"exporter", read_bytes}, {"manifest", read_digest},
};

typedef struct {
    cm_buf v[BOUND];
} bound_to;

static void bound_done(bound_to *b)
{
    for (size_t i = 0; i < BOUND; i++)
        cm_buf_free(&b->v[i]);
}

static cm_err take(cm_cli *cli, bound_to *b, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = FILE_MAX};
    const char *value = strchr(text, '=');
    cm_view name = cm_view_of(text, value ? (size_t)(value - text) : 0);
    size_t i = 0;

    while (i < BOUND && !cm_view_eq(cm_view_str(kinds[i].name), name))
        i++;
    if (i == BOUND || b->v[i].n || !value[1])
        return cm_cli_usage(cli,
                            "--bind takes role, suite, tls, peer, hpke, exporter or manifest, "
                            "each once, not %s",
                            text);
    b->v[i].max = FILE_MAX;
    if (!kinds[i].read)
        return cm_buf_append(&b->v[i], cm_view_str(value + 1));
    CM_TRY(cm_cli_about(cli, value + 1, cm_os_slurp(&file, value + 1, FILE_MAX), NULL));
    return cm_cli_about(cli, value + 1, kinds[i].read(cli, &b->v[i], cm_buf_view(&file)), NULL);
}

cm_err cm_cli_bind(cm_cli *cli, bool *any, cm_bound *out, cm_view nonce)
{
    CM_AUTO(bound_done) bound_to b = {{{.max = 0}}};
    cm_binding all;

    *any = cm_cli_has(cli, "bind");
    if (!*any)
        return CM_OKAY;
    if (nonce.n != CM_BIND_NONCE)
        return cm_cli_usage(cli, "with --bind the nonce has %d bytes", CM_BIND_NONCE);
    for (size_t i = 0; i < cm_cli_count(cli, "bind"); i++)
        CM_TRY(take(cli, &b, cm_cli_nth(cli, "bind", i)));
    all = (cm_binding){.role = b.v[0].n ? cm_buf_view(&b.v[0]) : CM_LIT(CM_BIND_SERVER),
                       .suite = cm_buf_view(&b.v[1]),
                       .tls_key = cm_buf_view(&b.v[2]),
                       .peer_key = cm_buf_view(&b.v[3]),
                       .hpke_key = cm_buf_view(&b.v[4]),
                       .exporter = cm_buf_view(&b.v[5]),
                       .nonce = nonce,
                       .manifest = cm_buf_view(&b.v[6])};
    if (cm_failed(cm_bind(out, cli->crypt, &all)))
        return cm_cli_usage(cli,
                            "--bind: an exporter's value has 32 bytes, a manifest's digest 32, "
                            "48 or 64, role and suite up to 64");
    return CM_OKAY;
}
