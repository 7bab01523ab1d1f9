/* What this machine has that can stand behind a program it runs. */
#include "hardware.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "tpm.h"

#define TPM_DEVICE "/dev/tpmrm0"

enum {
    USUAL_REGISTER = 15,
    FIRMWARE = 0xff, /* registers 0 to 7 */
    PIECES = 3,
    PACK_MAX = 1 << 21,
    CONFIGFS = 0x62656570, /* CONFIGFS_MAGIC of linux/magic.h */
};

/* ---- what there is ------------------------------------------------------------------------- */

static cm_err find_tpm(cm_cli *cli, cm_cli_hardware *h)
{
    const char *text = cm_cli_text(cli, "pcr"), *tcti = cm_cli_text(cli, "tpm");
    bool none = text && strcmp(text, "none") == 0;
    uint64_t pcr = USUAL_REGISTER;

    if (!none)
        CM_TRY(cm_cli_number(cli, "pcr", 0, CM_ENCLAVE_PCRS - 1, &pcr));
    if (none && cm_cli_has(cli, "pcr-log"))
        return cm_cli_usage(cli, "--pcr-log is of a register: --pcr none leaves none");
    if (!none && !text && !tcti && access(TPM_DEVICE, R_OK | W_OK) != 0) {
        cm_cli_note(cli, "register  none: there is no TPM here, or not for this user\n");
        none = !cm_cli_has(cli, "pcr-log");
    }
    h->pcr = (unsigned)pcr;
    return none ? CM_OKAY : cm_cli_about(cli, "TPM", cm_tpm_open(&h->tpm, cli->crypt, tcti), NULL);
}

cm_err cm_cli_hardware_find(cm_cli *cli, cm_cli_hardware *h)
{
    const char *root = cm_cli_text(cli, "tsm-root");

    h->cli = cli;
    h->tsm = root ? root : cm_os_exists(CM_TSM_ROOT) ? CM_TSM_ROOT : NULL;
    h->nsm = !root && cm_os_exists(CM_NSM_DEVICE);
    return find_tpm(cli, h);
}

void cm_cli_hardware_done(cm_cli_hardware *h)
{
    cm_tpm_close(h->tpm);
    h->tpm = NULL;
}

cm_standing cm_cli_hardware_standing(const cm_cli_hardware *h)
{
    return cm_standing_of(h->processor, h->extended);
}

/* ---- the register -------------------------------------------------------------------------- */

static cm_backing tpm_backing(const cm_cli_hardware *h)
{
    const char *tcti = cm_cli_text(h->cli, "tpm");

    /* The ways to a TPM that only simulators have, and the name that software gives itself. */
    if (tcti && (strncmp(tcti, "swtpm", 5) == 0 || strncmp(tcti, "mssim", 5) == 0))
        return CM_BACKED_EMULATED;
    return cm_standing_maker_emulated(cm_tpm_maker(h->tpm)) ? CM_BACKED_EMULATED : CM_BACKED;
}

static cm_err open_log(int *out, const char *path)
{
    CM_AUTO(cm_os_close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        return CM_FAIL(IO_OPEN);
    *out = fd;
    fd = -1;
    return CM_OKAY;
}

/* The line first: a log without it would not lead to the register any more. One runner at a time
 * (the file's lock), so that lines are in the register's order. */
static cm_err extend_logged(cm_cli_hardware *h, const char *path, const uint8_t *digest)
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = 128};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct stat st;
    cm_err e;

    CM_TRY(cm_cli_about(h->cli, path, open_log(&fd, path), NULL));
    CM_TRY(cm_enclave_log_line(&line, h->pcr, digest));
    if (fstat(fd, &st) != 0)
        return cm_cli_about(h->cli, path, CM_FAIL(IO_OPEN), NULL);
    e = cm_os_write(fd, line.p, line.n);
    if (cm_ok(e) && fsync(fd) != 0)
        e = CM_FAIL(IO_WRITE);
    if (cm_ok(e))
        e = cm_tpm_extend(h->tpm, CM_TPM_BANK_SHA256, h->pcr,
                          cm_view_of(digest, CM_ENCLAVE_DIGEST));
    if (cm_failed(e) && ftruncate(fd, st.st_size) != 0)
        cm_cli_note(h->cli, "%s has a line too many\n", path);
    return cm_cli_about(h->cli, path, e, NULL);
}

cm_err cm_cli_hardware_extend(cm_cli_hardware *h, const uint8_t digest[CM_ENCLAVE_DIGEST])
{
    const char *path = cm_cli_text(h->cli, "pcr-log");

    if (!h->tpm)
        return CM_OKAY;
    if (path)
        CM_TRY(extend_logged(h, path, digest));
    else
        CM_TRY(cm_cli_about(h->cli, "TPM",
                            cm_tpm_extend(h->tpm, CM_TPM_BANK_SHA256, h->pcr,
                                          cm_view_of(digest, CM_ENCLAVE_DIGEST)),
                            NULL));
    h->extended = tpm_backing(h);
    cm_cli_note(h->cli, "register  %u of %s%s was extended by the manifest's digest\n", h->pcr,
                cm_tpm_maker(h->tpm), h->extended == CM_BACKED ? "" : " (emulated)");
    return CM_OKAY;
}

/* ---- evidence ------------------------------------------------------------------------------ */

/* A folder of another file system is something that stands in for the kernel's. */
static cm_backing tsm_backing(const char *root)
{
    struct statfs s;

    return statfs(root, &s) == 0 && s.f_type == CONFIGFS ? CM_BACKED : CM_BACKED_EMULATED;
}

static cm_err by_tsm(cm_cli_hardware *h, cm_gathered *g, const cm_bound *b)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};
    CM_AUTO(cm_tsm_dir_done) cm_tsm_dir dir = {.root = 0};
    cm_tsm_fs fs;

    CM_TRY(cm_tsm_dir_open(&dir, &fs, h->tsm));
    CM_TRY(cm_tsm_report_get(&r, h->cli->crypt, &fs, CM_VIEW(b->e)));
    CM_TRY(cm_gather_tsm(g, &r, CM_CCEL));
    h->processor = tsm_backing(h->tsm);
    return CM_OKAY;
}

static cm_err by_nsm(cm_cli_hardware *h, cm_gathered *g, const cm_bound *b)
{
    CM_AUTO(cm_nsm_done) cm_nsm_fd dev = {.fd = 0};
    cm_view none = cm_view_of(NULL, 0);
    uint8_t data[CM_BIND_SIZE];
    cm_nsm nsm;
    size_t n;

    CM_TRY(cm_bound_for(data, &n, h->cli->crypt, b, CM_ATTEST_NITRO));
    CM_TRY(cm_nsm_open(&dev, &nsm, CM_NSM_DEVICE));
    CM_TRY(cm_gather_nsm(g, &nsm, cm_view_of(data, n), none, none));
    h->processor = CM_BACKED;
    return CM_OKAY;
}

static cm_err by_tpm(cm_cli_hardware *h, cm_gathered *g, const cm_bound *b)
{
    CM_AUTO(cm_tpm_evidence_done) cm_tpm_evidence e = {.certs = 0};
    cm_tpm_selection s = {.registers = FIRMWARE | 1u << h->pcr};
    uint8_t data[CM_BIND_SIZE];
    size_t n;

    CM_TRY(cm_bound_for(data, &n, h->cli->crypt, b, CM_ATTEST_TPM));
    CM_TRY(cm_tpm_quote_make(h->tpm, &e, &s, cm_view_of(data, n)));
    return cm_cli_tpm_gathered(g, &e);
}

static void tell(cm_cli *cli, const cm_gathered *g, const char *from, cm_backing backing)
{
    cm_cli_event e;

    cm_cli_note(cli, "evidence  %s, from %s%s\n", cm_attest_kind_what(g->kind), from,
                backing == CM_BACKED ? "" : " (emulated)");
    cm_cli_event_begin(cli, &e, "evidence");
    cm_json_put_text(&e.w, "kind", cm_view_str(cm_attest_kind_name(g->kind)));
    cm_json_put_text(&e.w, "source", cm_view_str(from));
    cm_json_put_bool(&e.w, "emulated", backing != CM_BACKED);
    cm_json_put_u64(&e.w, "bytes", g->evidence.n);
    cm_cli_event_end(cli, &e);
}

typedef struct {
    cm_buf v[PIECES];
    cm_view view[PIECES];
    size_t n;
} packs;

static void packs_done(packs *p)
{
    for (size_t i = 0; i < PIECES; i++)
        cm_buf_free(&p->v[i]);
}

static cm_err add(cm_cli_hardware *h, packs *p, const cm_bound *b, const char *from,
                  cm_err (*ask)(cm_cli_hardware *, cm_gathered *, const cm_bound *))
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    cm_buf *to = &p->v[p->n];

    CM_TRY(cm_cli_about(h->cli, from, ask(h, &g, b), NULL));
    to->max = PACK_MAX;
    CM_TRY(cm_gathered_pack(to, &g));
    p->view[p->n++] = cm_buf_view(to);
    tell(h->cli, &g, from, ask == by_tpm ? tpm_backing(h) : h->processor);
    return CM_OKAY;
}

cm_err cm_cli_hardware_show(cm_cli_hardware *h, cm_buf *out, const cm_bound *b)
{
    CM_AUTO(packs_done) packs p = {.n = 0};

    if (h->tsm)
        CM_TRY(add(h, &p, b, h->tsm, by_tsm));
    if (h->nsm)
        CM_TRY(add(h, &p, b, CM_NSM_DEVICE, by_nsm));
    if (h->tpm)
        CM_TRY(add(h, &p, b, "TPM", by_tpm));
    if (p.n == 0)
        return CM_FAIL(GATHER_NONE);
    return p.n == 1 ? cm_buf_append(out, p.view[0]) : cm_attest_set_put(out, p.view, p.n);
}
