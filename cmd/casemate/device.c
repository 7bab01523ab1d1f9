/* A device of a person's own, as options name it: its module runs in casemate-p11d. */
#include "device.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"

enum { PATHS = 8, PATIENCE_MS = 120000, CARDS_PATIENCE_MS = 900000 };

void cm_cli_device_done(cm_cli_device *d)
{
    cm_hsm_remote_free(d->r);
    cm_p11d_stop(&d->p);
    cm_buf_free(&d->pin);
}

/* ---- starting ------------------------------------------------------------------------------ */

static void add(cm_cli_device *d, const char *name, const char *value)
{
    if (!value || d->n + 2 > CM_P11D_ARGS)
        return;
    d->args[d->n++] = name;
    d->args[d->n++] = value;
}

static void add_flag(cm_cli_device *d, cm_cli *cli, const char *option, const char *name)
{
    if (cm_cli_has(cli, option) && d->n < CM_P11D_ARGS)
        d->args[d->n++] = name;
}

static void arguments(cm_cli_device *d, cm_cli *cli)
{
    add(d, "--module", cm_cli_text(cli, "module"));
    add(d, "--cloud", cm_cli_text(cli, "cloud"));
    add(d, "--tpm", cm_cli_text(cli, "tpm"));
    add(d, "--token", cm_cli_text(cli, "token"));
    add(d, "--wrapping", cm_cli_text(cli, "wrapping"));
    if (!d->pin.n)
        add(d, "--pin-file", cm_cli_text(cli, "pin-file"));
    add(d, "--init", cm_cli_text(cli, "init"));
    for (size_t i = 0; i < CM_MIN(cm_cli_count(cli, "read"), (size_t)PATHS / 2); i++)
        add(d, "--read", cm_cli_nth(cli, "read", i));
    for (size_t i = 0; i < CM_MIN(cm_cli_count(cli, "write"), (size_t)PATHS / 2); i++)
        add(d, "--write", cm_cli_nth(cli, "write", i));
    if (d->retry && !cm_cli_has(cli, "pin-retry") && d->n < CM_P11D_ARGS)
        d->args[d->n++] = "--pin-retry";
    add_flag(d, cli, "pin-retry", "--pin-retry");
    add_flag(d, cli, "network", "--network");
    add_flag(d, cli, "no-sandbox", "--no-sandbox");
}

static cm_err pin(cm_cli_device *d, cm_cli *cli)
{
    static const char *const ways[] = {"pin-file", "pin-fd", "no-pin", NULL};
    uint64_t fd = 0;
    size_t n;

    d->pin.max = CM_CLI_PIN_MAX + 1;
    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_cli_number(cli, "pin-fd", 0, 1 << 20, &fd));
    if (cm_cli_has(cli, "pin-file") || cm_cli_has(cli, "no-pin") || cm_cli_has(cli, "cloud") ||
        cm_cli_has(cli, "tpm"))
        return CM_OKAY;
    if (!cm_cli_has(cli, "pin-fd"))
        return cm_cli_ask(cli, &d->pin, "PIN of the token");
    CM_TRY(cm_buf_reserve(&d->pin, CM_CLI_PIN_MAX + 1));
    CM_TRY(cm_os_read((int)fd, d->pin.p, CM_CLI_PIN_MAX + 1, &n));
    d->pin.n = n;
    return n <= CM_CLI_PIN_MAX ? CM_OKAY : CM_FAIL(HSM_NO_PIN);
}

/* H-80 */
cm_err cm_cli_wrapping(cm_cli *cli, const char *option, const char *module)
{
    const char *kind = cm_cli_text(cli, option);

    if (!kind)
        return CM_OKAY;
    if (!cm_cli_has(cli, module))
        return cm_cli_usage(cli, "the kind of wrapping is chosen for a PKCS#11 module: a key "
                                 "service's configuration says it itself, and a TPM has AES");
    if (strcmp(kind, "aes") != 0 && strcmp(kind, "rsa-not-post-quantum") != 0)
        return cm_cli_usage(cli, "wrapping is aes or rsa-not-post-quantum");
    return CM_OKAY;
}

cm_err cm_cli_device_open(cm_cli *cli, cm_cli_device *d)
{
    cm_hsm_remote_options o = {
        .connect = cm_p11d_connect, .arg = &d->p, .fd = -1, .timeout_ms = PATIENCE_MS};
    static const char *const kinds[] = {"module", "cloud", "tpm", NULL};
    const char *what = cm_cli_text(cli, cm_cli_has(cli, "cloud") ? "cloud"
                                        : cm_cli_has(cli, "tpm") ? "tpm"
                                                                 : "module");

    CM_TRY(cm_cli_at_most_one(cli, kinds));
    if (!what)
        return cm_cli_usage(cli, "which device? Give --module FILE, the vendor's PKCS#11 module, "
                                 "--cloud FILE, a key service's configuration, or --tpm pcr=7,11");
    CM_TRY(cm_cli_wrapping(cli, "wrapping", "module"));
    if (cm_cli_has(cli, "wrapping")) /* a card may take minutes for a pair of RSA keys */
        o.timeout_ms = CARDS_PATIENCE_MS;
    cm_cli_on(cli, what);
    if (cm_failed(cm_child_find(d->program, sizeof d->program, "casemate-p11d")))
        return cm_cli_about(cli, "casemate-p11d", CM_FAIL(HSM_SPAWN), NULL);
    arguments(d, cli);
    if (!d->pin.n)
        CM_TRY(pin(d, cli));
    d->p = (cm_p11d){.program = d->program,
                     .args = d->args,
                     .env = environ,
                     .pin = cm_buf_view(&d->pin),
                     .new_pin = d->new_pin};
    CM_TRY(cm_hsm_remote_new(&d->r, &o));
    d->h = cm_hsm_remote_of(d->r);
    return CM_OKAY;
}
