#include "tpm.h"

#include <stdio.h>
#include <stdlib.h>

const char *cm_cli_tcti(void)
{
    (void)setenv("TSS2_LOG", "all+none", 0);
    return getenv("CASEMATE_TPM");
}

cm_err cm_cli_tpm_gathered(cm_gathered *g, cm_tpm_evidence *e)
{
    g->kind = CM_ATTEST_TPM;
    g->evidence = cm_buf_take(&e->quote);
    g->part[CM_PART_SIGNATURE] = cm_buf_take(&e->signature);
    g->part[CM_PART_AK] = cm_buf_take(&e->ak);
    g->part[CM_PART_PCRS] = cm_buf_take(&e->values);
    for (size_t i = 0; i < e->certs; i++)
        CM_TRY(cm_gathered_cert(g, cm_buf_view(&e->cert[i])));
    return CM_OKAY;
}

bool cm_cli_is_tpm(const char *to)
{
    return strncmp(to, CM_CLI_TPM, strlen(CM_CLI_TPM)) == 0;
}

cm_err cm_cli_tpm_recipient(cm_cli *cli, cm_tpm_key *k, cm_recipient *out, const char *to)
{
    *k = (cm_tpm_key){.crypt = cli->crypt, .tcti = cm_cli_tcti()};
    CM_TRY(cm_cli_about(
        cli, to, cm_tpm_selection_read(&k->policy.pcrs, cm_view_str(to + strlen(CM_CLI_TPM))),
        NULL));
    CM_TRY(cm_cli_about(cli, to, cm_tpm_open(&k->tpm, k->crypt, k->tcti), NULL));
    *out = cm_recipient_tpm(k);
    return CM_OKAY;
}

void cm_cli_tpm_opener(cm_cli *cli, cm_tpm_key *k, cm_opener *out)
{
    *k = (cm_tpm_key){.crypt = cli->crypt, .tcti = cm_cli_tcti()};
    *out = cm_opener_tpm(k);
}

cm_err cm_cli_tpm_why(cm_cli *cli, const cm_tpm_key *k, const char *path, cm_err e)
{
    char list[128];

    if (!cm_is(e, CM_ENVELOPE_NOT_FOR_US) || cm_ok(k->why))
        return e;
    if (!cm_is(k->why, CM_TPM_CHANGED))
        return cm_cli_about(cli, path, k->why, NULL);
    cm_tpm_selection_text(list, &k->differ);
    (void)snprintf(cli->advice, sizeof cli->advice,
                   "PCR %s differs; start what was started then, or, if the change is wanted, open "
                   "it with another key and seal it anew: casemate rewrap --add tpm:pcr=...",
                   list);
    return cm_cli_about(cli, path, k->why, NULL);
}

void cm_cli_tpm_text(cm_cli *cli, char *text, size_t max, const cm_stanza *st)
{
    cm_tpm_sealed s;
    char list[128];

    if (cm_failed(cm_tpm_stanza_read(&s, cli->crypt, st))) {
        (void)snprintf(text, max, "TPM, damaged");
        return;
    }
    cm_tpm_selection_text(list, &s.pcrs);
    (void)snprintf(text, max, "TPM, PCR %s%s", list, s.auth ? ", authorization" : "");
}
