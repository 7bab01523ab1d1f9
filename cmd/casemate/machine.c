/* What this machine shows of itself when a key is asked for. */
#include "attested.h"
#include "base/os.h"
#include "tpm.h"

#include <stdlib.h>

#define TPM_DEVICE "/dev/tpmrm0"

enum { PACK_MAX = 1 << 16, FIRMWARE = 0xff };

typedef enum { BY_TSM, BY_NSM, BY_TPM } way;

struct cm_cli_machine {
    cm_cli *cli;
    way way;
    cm_tpm *tpm;
    cm_tpm_selection pcrs;
    bool has_ek;
};

static const char *named(const char *variable, const char *usual)
{
    const char *given = getenv(variable);

    return given && *given ? given : usual;
}

const char *cm_cli_tsm_root(void)
{
    return named("CASEMATE_TSM", CM_TSM_ROOT);
}

const char *cm_cli_ccel(void)
{
    return named("CASEMATE_CCEL", CM_CCEL);
}

const char *cm_cli_nsm(void)
{
    return named("CASEMATE_NSM", CM_NSM_DEVICE);
}

static cm_err choose(cm_cli_machine *m)
{
    const char *tcti = cm_cli_tcti();

    if (cm_os_exists(cm_cli_tsm_root())) {
        m->way = BY_TSM;
        return CM_OKAY;
    }
    if (cm_os_exists(cm_cli_nsm())) {
        m->way = BY_NSM;
        return CM_OKAY;
    }
    if (!tcti && !cm_os_exists(TPM_DEVICE))
        return CM_FAIL(CLI_NO_EVIDENCE);
    m->way = BY_TPM;
    return cm_cli_about(m->cli, "TPM", cm_tpm_open(&m->tpm, m->cli->crypt, tcti), NULL);
}

cm_err cm_cli_machine_open(cm_cli *cli, cm_cli_machine **out, uint32_t pcrs)
{
    CM_AUTO(cm_cli_machine_free_ptr) cm_cli_machine *m = NULL;

    CM_TRY(cm_alloc(&m, sizeof *m));
    m->cli = cli;
    m->pcrs.registers = pcrs ? pcrs : FIRMWARE;
    CM_TRY(choose(m));
    *out = m;
    m = NULL;
    return CM_OKAY;
}

void cm_cli_machine_free_ptr(cm_cli_machine **m)
{
    if (*m)
        cm_tpm_close((*m)->tpm);
    cm_free(*m);
}

cm_err cm_cli_machine_identity(cm_cli_machine *m, cm_buf *ak, cm_buf *ek)
{
    cm_err e;

    if (m->way != BY_TPM)
        return CM_OKAY;
    e = cm_tpm_identity(m->tpm, ak, ek);
    m->has_ek = cm_ok(e);
    if (!cm_is(e, CM_TPM_NO_EK))
        return cm_cli_about(m->cli, "TPM", e, NULL);
    ak->n = ek->n = 0; /* the policy may name the attestation key itself */
    return CM_OKAY;
}

/* ---- by one of the ways ---- */

static cm_err by_tsm(cm_cli_machine *m, cm_gathered *g, cm_view bound)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};
    CM_AUTO(cm_tsm_dir_done) cm_tsm_dir dir = {.root = 0};
    cm_tsm_fs fs;

    CM_TRY(cm_tsm_dir_open(&dir, &fs, cm_cli_tsm_root()));
    CM_TRY(cm_tsm_report_get(&r, m->cli->crypt, &fs, bound));
    return cm_gather_tsm(g, &r, cm_cli_ccel());
}

static cm_err by_nsm(cm_gathered *g, cm_view bound)
{
    CM_AUTO(cm_nsm_done) cm_nsm_fd dev = {.fd = 0};
    cm_view none = cm_view_of(NULL, 0);
    cm_nsm nsm;

    CM_TRY(cm_nsm_open(&dev, &nsm, cm_cli_nsm()));
    return cm_gather_nsm(g, &nsm, bound, none, none);
}

static cm_err by_tpm(const cm_cli_machine *m, cm_gathered *g, cm_view bound, cm_view credential)
{
    CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence e = {.certs = 0};

    CM_TRY(cm_tpm_quote_make(m->tpm, &e, &m->pcrs, bound));
    CM_TRY(cm_cli_tpm_gathered(g, &e));
    if (credential.n == 0)
        return CM_OKAY;
    g->part[CM_PART_ACTIVATION].max = CM_TPM_SECRET;
    return cm_tpm_activate(m->tpm, &g->part[CM_PART_ACTIVATION], credential);
}

static cm_err gpus(cm_cli_machine *m, const cm_bound *b, cm_buf *device, size_t *n)
{
    CM_AUTO(cm_nvml_free_ptr) cm_nvml *nvml = NULL;

    if (cm_failed(cm_nvml_open(&nvml, CM_NVML_LIBRARY)))
        return CM_OKAY;
    for (uint32_t i = 0; i < cm_nvml_count(nvml) && i < CM_CLI_DEVICES; i++) {
        CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
        uint8_t nonce[CM_GPU_NONCE];
        cm_err e;

        CM_TRY(cm_bound_gpu(nonce, m->cli->crypt, b, i));
        e = cm_gather_gpu(&g, nvml, i, nonce);
        if (cm_is(e, CM_GATHER_GPU_PLAIN)) /* it shows nothing; a policy may not ask */
            return CM_OKAY;
        CM_TRY(cm_cli_about(m->cli, "GPU", e, NULL));
        device[i].max = PACK_MAX;
        CM_TRY(cm_gathered_pack(&device[i], &g));
        *n = i + 1;
    }
    return CM_OKAY;
}

cm_err cm_cli_machine_show(cm_cli_machine *m, const cm_bound *b, cm_view credential, cm_buf *pack,
                           cm_buf *device, size_t *n)
{
    const struct {
        cm_attest_kind kind;
        const char *name;
    } what[] = {{CM_ATTEST_SNP, cm_cli_tsm_root()},
                {CM_ATTEST_NITRO, cm_cli_nsm()},
                {CM_ATTEST_TPM, "TPM"}};
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    uint8_t data[CM_BIND_SIZE];
    size_t size;
    cm_err e;

    *n = 0;
    CM_TRY(cm_bound_for(data, &size, m->cli->crypt, b, what[m->way].kind));
    e = m->way == BY_TSM ? by_tsm(m, &g, cm_view_of(data, size))
        : m->way == BY_NSM
            ? by_nsm(&g, cm_view_of(data, size))
            : by_tpm(m, &g, cm_view_of(data, size), m->has_ek ? credential : cm_view_of(NULL, 0));
    CM_TRY(cm_cli_about(m->cli, what[m->way].name, e, NULL));
    CM_TRY(cm_gathered_pack(pack, &g));
    return gpus(m, b, device, n);
}
