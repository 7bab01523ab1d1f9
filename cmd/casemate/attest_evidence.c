/* casemate attest evidence: what the devices of this machine say. */
#include <string.h>

#include "access.h"
#include "attest.h"
#include "base/os.h"
#include "ring.h"
#include "tpm.h"

#define TPM_DEVICE    "/dev/tpmrm0"
#define TPM_EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define TPM_REGISTERS "0,1,2,3,4,5,6,7"

/* What was gathered, and what it is bound to. */
typedef struct {
    cm_gathered v[CM_ATTEST_SET_MAX];
    const char *source[CM_ATTEST_SET_MAX];
    size_t n;
    cm_buf nonce_buf;
    cm_view nonce;
    bool bound, has_cpu, named; /* named: the command line says which devices */
    cm_bound e;                 /* of --bind, else the nonce as report data has it */
} bag;

static void bag_done(bag *b)
{
    for (size_t i = 0; i < b->n; i++)
        cm_gathered_done(&b->v[i]);
    cm_buf_free(&b->nonce_buf);
}

static cm_err keep(bag *b, cm_gathered *g, const char *source)
{
    if (b->n == CM_ATTEST_SET_MAX)
        return CM_FAIL(ATTEST_BUNDLE);
    b->source[b->n] = source;
    b->v[b->n++] = *g;
    *g = (cm_gathered){.n_certs = 0};
    return CM_OKAY;
}

static cm_err bindings(cm_cli *cli, bag *b)
{
    static const char *const devices[] = {"tsm-root", "nsm", "gpu", "nvml", "tpm", "tcti"};

    if (!cm_cli_has(cli, "nonce"))
        return cm_cli_usage(cli, "evidence takes --nonce: without it anyone could show it again");
    b->nonce_buf.max = CM_BIND_SIZE;
    CM_TRY(cm_cli_hex_option(cli, "nonce", 0, &b->nonce_buf));
    b->nonce = cm_buf_view(&b->nonce_buf);
    memcpy(b->e.e, b->nonce.p, b->nonce.n);
    for (size_t i = 0; i < CM_COUNT(devices); i++)
        b->named = b->named || cm_cli_has(cli, devices[i]);
    return cm_cli_bind(cli, &b->bound, &b->e, b->nonce);
}

/* What a field shorter than report data carries (AT-102). */
static cm_err short_data(cm_cli *cli, const bag *b, cm_attest_kind kind, uint8_t out[CM_BIND_SIZE],
                         cm_view *v)
{
    size_t n = 0;

    *v = b->nonce;
    if (!b->bound)
        return CM_OKAY;
    CM_TRY(cm_bound_for(out, &n, cli->crypt, &b->e, kind));
    *v = cm_view_of(out, n);
    return CM_OKAY;
}

/* ---- the devices ---------------------------------------------------------------------------- */

static cm_err ask_tsm(cm_cli *cli, bag *b)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};
    CM_AUTO(cm_tsm_dir_done) cm_tsm_dir dir = {.root = 0};
    const char *root =
        cm_cli_has(cli, "tsm-root") ? cm_cli_text(cli, "tsm-root") : cm_cli_tsm_root();
    cm_tsm_fs fs;

    if (b->named ? !cm_cli_has(cli, "tsm-root") : !cm_os_exists(root))
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, root, cm_tsm_dir_open(&dir, &fs, root), NULL));
    CM_TRY(cm_cli_about(cli, root, cm_tsm_report_get(&r, cli->crypt, &fs, CM_VIEW(b->e.e)), NULL));
    if (r.attempts > 1)
        cm_cli_note(cli, "%s: %u attempts: others wrote to our entry, or the driver was busy\n",
                    root, r.attempts);
    CM_TRY(cm_cli_about(cli, root, cm_gather_tsm(&g, &r, cm_cli_ccel()), NULL));
    b->has_cpu = true;
    return keep(b, &g, "configfs-tsm");
}

static cm_err ask_nsm(cm_cli *cli, bag *b)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    CM_AUTO(cm_nsm_done) cm_nsm_fd dev = {.fd = 0};
    uint8_t data[CM_BIND_SIZE];
    cm_view nonce, none = cm_view_of(NULL, 0);
    cm_nsm nsm;

    if (b->named ? !cm_cli_has(cli, "nsm") : !cm_os_exists(cm_cli_nsm()))
        return CM_OKAY;
    CM_TRY(short_data(cli, b, CM_ATTEST_NITRO, data, &nonce));
    CM_TRY(cm_cli_about(cli, cm_cli_nsm(), cm_nsm_open(&dev, &nsm, cm_cli_nsm()), NULL));
    CM_TRY(cm_cli_about(cli, cm_cli_nsm(), cm_gather_nsm(&g, &nsm, nonce, none, none), NULL));
    return keep(b, &g, "nsm");
}

/* A quote as a piece of evidence. The firmware's log is that of the machine's own TPM. */
static cm_err tpm_piece(cm_gathered *g, cm_tpm_evidence *e, bool own)
{
    CM_TRY(cm_cli_tpm_gathered(g, e));
    if (!own || !cm_os_exists(TPM_EVENT_LOG))
        return CM_OKAY;
    g->event_log.max = CM_GATHER_LOG_MAX;
    return cm_os_slurp(&g->event_log, TPM_EVENT_LOG, CM_GATHER_LOG_MAX);
}

static cm_err ask_tpm(cm_cli *cli, bag *b)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence e = {.certs = 0};
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = NULL;
    const char *tcti = cm_cli_text(cli, "tcti");
    const char *list = cm_cli_has(cli, "pcr") ? cm_cli_text(cli, "pcr") : TPM_REGISTERS;
    uint8_t data[CM_BIND_SIZE];
    cm_tpm_selection s = {.bank = 0};
    cm_view extra;

    if (b->named ? !cm_cli_has(cli, "tpm") && !tcti : !cm_os_exists(TPM_DEVICE))
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, list, cm_tpm_selection_read(&s, cm_view_str(list)), NULL));
    CM_TRY(short_data(cli, b, CM_ATTEST_TPM, data, &extra));
    CM_TRY(cm_cli_about(cli, "TPM", cm_tpm_open(&t, cli->crypt, tcti), NULL));
    CM_TRY(cm_cli_about(cli, "TPM", cm_tpm_quote_make(t, &e, &s, extra), NULL));
    CM_TRY(cm_cli_about(cli, TPM_EVENT_LOG, tpm_piece(&g, &e, !tcti), NULL));
    return keep(b, &g, "tpm");
}

static cm_err gpu_nonce(cm_cli *cli, const bag *b, uint32_t index, uint8_t out[CM_GPU_NONCE])
{
    if (b->bound || b->has_cpu)
        return cm_bound_gpu(out, cli->crypt, &b->e, index);
    if (b->nonce.n != CM_GPU_NONCE)
        return cm_cli_usage(cli, "a GPU alone takes a nonce of %d bytes", CM_GPU_NONCE);
    memcpy(out, b->nonce.p, CM_GPU_NONCE);
    return CM_OKAY;
}

/* Places count the devices that made a report: verify sees no others. */
static cm_err ask_gpus(cm_cli *cli, bag *b)
{
    CM_AUTO(cm_nvml_free_ptr) cm_nvml *n = NULL;
    const char *library = cm_cli_has(cli, "nvml") ? cm_cli_text(cli, "nvml") : CM_NVML_LIBRARY;
    bool asked = cm_cli_has(cli, "gpu") || cm_cli_has(cli, "nvml");
    uint32_t place = 0;
    cm_err e;

    if (b->named && !asked)
        return CM_OKAY;
    e = cm_nvml_open(&n, library);
    if (cm_is(e, CM_GATHER_GPU_ABSENT) && !asked)
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, library, e, NULL));
    for (uint32_t i = 0; i < cm_nvml_count(n); i++) {
        CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
        uint8_t nonce[CM_GPU_NONCE];

        CM_TRY(gpu_nonce(cli, b, place, nonce));
        e = cm_gather_gpu(&g, n, i, nonce);
        if (cm_is(e, CM_GATHER_GPU_PLAIN) && !asked)
            continue;
        CM_TRY(cm_cli_about(cli, library, e, NULL));
        CM_TRY(keep(b, &g, "nvml"));
        place++;
    }
    return CM_OKAY;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void tell(cm_cli *cli, const bag *b)
{
    for (size_t i = 0; i < b->n; i++) {
        cm_cli_event e;

        cm_cli_note(cli, "%s, from %s\n", cm_attest_kind_what(b->v[i].kind), b->source[i]);
        cm_cli_event_begin(cli, &e, "evidence");
        cm_json_put_text(&e.w, "kind", cm_view_str(cm_attest_kind_name(b->v[i].kind)));
        cm_json_put_text(&e.w, "source", cm_view_str(b->source[i]));
        cm_json_put_u64(&e.w, "bytes", b->v[i].evidence.n);
        cm_json_put_u64(&e.w, "certificates", b->v[i].n_certs);
        cm_json_put_bool(&e.w, "event_log", b->v[i].event_log.n > 0);
        cm_cli_event_end(cli, &e);
    }
}

typedef struct {
    cm_buf v[CM_ATTEST_SET_MAX];
} packs;

static void packs_done(packs *p)
{
    for (size_t i = 0; i < CM_ATTEST_SET_MAX; i++)
        cm_buf_free(&p->v[i]);
}

/* One piece as its pack, several as a set of them. */
static cm_err write_out(cm_cli *cli, const bag *b, const char *out)
{
    CM_AUTO(packs_done) packs p = {{{.max = 0}}};
    CM_AUTO(cm_buf_free) cm_buf set = {.max = CM_CLI_SET_MAX};
    cm_view v[CM_ATTEST_SET_MAX];

    for (size_t i = 0; i < b->n; i++) {
        p.v[i].max = CM_CLI_SET_MAX;
        CM_TRY(cm_gathered_pack(&p.v[i], &b->v[i]));
        v[i] = cm_buf_view(&p.v[i]);
    }
    if (b->n == 1)
        return cm_cli_put_file(cli, out, v[0]);
    CM_TRY(cm_attest_set_put(&set, v, b->n));
    return cm_cli_put_file(cli, out, cm_buf_view(&set));
}

cm_err cm_cli_attest_evidence(cm_cli *cli)
{
    CM_AUTO(bag_done) bag b = {.n = 0};
    const char *out = cm_cli_has(cli, "out") ? cm_cli_text(cli, "out") : "-";

    if (cm_cli_is_dash(out))
        cm_cli_data_to_stdout(cli);
    else
        CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(bindings(cli, &b));
    CM_TRY(ask_tsm(cli, &b));
    CM_TRY(ask_nsm(cli, &b));
    CM_TRY(ask_tpm(cli, &b));
    CM_TRY(ask_gpus(cli, &b));
    if (b.n == 0)
        return CM_FAIL(GATHER_NONE);
    tell(cli, &b);
    return write_out(cli, &b, out);
}
