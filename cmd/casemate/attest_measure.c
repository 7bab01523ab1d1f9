/* casemate attest measure: what a guest will measure, out of its files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest.h"
#include "base/os.h"
#include "codec/text.h"
#include "measure/measure.h"

enum { CHUNK = 1 << 20, LINE = 240, NAME = 160, PROVENANCE = 200, SHORT = 16 };

/* What goes in, and what is said of it. */
typedef struct {
    cm_buf firmware;
    uint8_t firmware_sha256[32], given[CM_MEASURE_DIGEST];
    cm_measure_boot boot;
    cm_snp_launch snp;
    cm_tdx_order order;
    const char *cpu;
    bool has_initrd;
} inputs;

static void inputs_done(inputs *in)
{
    cm_buf_free(&in->firmware);
}

/* ---- inputs --------------------------------------------------------------------------------- */

/* SHA-256 of a file of any size. */
static cm_err hash_stream(const cm_crypt *c, uint8_t out[32], int fd, uint8_t *chunk)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    size_t got = 0;

    CM_TRY(cm_hasher_new(&h, c, CM_SHA256));
    do {
        CM_TRY(cm_os_read(fd, chunk, CHUNK, &got));
        CM_TRY(cm_hasher_update(h, cm_view_of(chunk, got)));
    } while (got);
    return cm_hasher_final(h, out);
}

static cm_err hash_file(cm_cli *cli, uint8_t out[32], const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_free_ptr) uint8_t *chunk = NULL;

    CM_TRY(cm_cli_about(cli, path, cm_os_open_read(&fd, path), NULL));
    CM_TRY(cm_alloc(&chunk, CHUNK));
    return cm_cli_about(cli, path, hash_stream(cli->crypt, out, fd, chunk), NULL);
}

static cm_err load_firmware(cm_cli *cli, inputs *in)
{
    const char *path = cm_cli_text(cli, "firmware");

    if (!path)
        return cm_cli_usage(cli, "--firmware names the image that is measured");
    in->firmware.max = CM_MEASURE_FIRMWARE_MAX;
    CM_TRY(
        cm_cli_about(cli, path, cm_os_slurp(&in->firmware, path, CM_MEASURE_FIRMWARE_MAX), NULL));
    return cm_hash_once(cli->crypt, CM_SHA256, in->firmware_sha256, cm_buf_view(&in->firmware));
}

static cm_err load_boot(cm_cli *cli, inputs *in)
{
    const char *kernel = cm_cli_text(cli, "kernel"), *initrd = cm_cli_text(cli, "initrd"),
               *cmdline = cm_cli_text(cli, "cmdline");
    cm_view line = cm_view_of(cmdline ? cmdline : "", cmdline ? strlen(cmdline) + 1 : 1);

    if (!kernel && (initrd || cmdline))
        return cm_cli_usage(cli, "--initrd and --cmdline belong to a --kernel");
    if (!kernel)
        return CM_OKAY;
    CM_TRY(hash_file(cli, in->boot.kernel, kernel));
    if (initrd)
        CM_TRY(hash_file(cli, in->boot.initrd, initrd));
    else
        CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, in->boot.initrd, cm_view_of("", 0)));
    in->has_initrd = initrd != NULL;
    in->snp.boot = &in->boot;
    return cm_hash_once(cli->crypt, CM_SHA256, in->boot.cmdline, line);
}

/* "0xa10f10" */
static bool hex_number(const char *text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t v = 0;
    size_t n = strlen(text);

    if (n < 3 || n > 18 || text[0] != '0' || text[1] != 'x')
        return false;
    for (size_t i = 2; i < n; i++) {
        const char *d = strchr(digits, text[i]);

        if (!d)
            return false;
        v = v << 4 | (uint64_t)(d - digits);
    }
    *out = v;
    return true;
}

static cm_err processor(cm_cli *cli, inputs *in)
{
    const char *name = cm_cli_has(cli, "cpu") ? cm_cli_text(cli, "cpu") : "EPYC-v4";
    const cm_measure_cpu *known = cm_measure_cpu_of(cm_view_str(name));
    uint64_t v = 0;

    if (known)
        v = known->signature;
    else if (!hex_number(name, &v) || v > UINT32_MAX)
        return cm_cli_usage(cli,
                            "there is no processor %s: EPYC-v4, EPYC-Milan, EPYC-Genoa, "
                            "EPYC-Turin, or a number as 0xa10f10",
                            name);
    in->cpu = known ? known->name : name;
    in->snp.signature = (uint32_t)v;
    return CM_OKAY;
}

static cm_err snp_options(cm_cli *cli, inputs *in)
{
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = CM_MEASURE_DIGEST};
    uint64_t vcpus = 1;

    in->snp.features = 1;
    CM_TRY(cm_cli_number(cli, "vcpus", 1, CM_MEASURE_VCPUS_MAX, &vcpus));
    in->snp.vcpus = (uint32_t)vcpus;
    CM_TRY(processor(cli, in));
    if (cm_cli_has(cli, "features") && !hex_number(cm_cli_text(cli, "features"), &in->snp.features))
        return cm_cli_usage(cli, "--features takes bits in hex, as 0x21");
    if (cm_cli_has(cli, "vmm"))
        in->snp.vmm = cm_measure_vmm_of(cm_view_str(cm_cli_text(cli, "vmm")));
    if (in->snp.vmm == CM_VMM_COUNT)
        return cm_cli_usage(cli, "--vmm is qemu, ec2 or gce");
    if (!cm_cli_has(cli, "firmware-digest"))
        return CM_OKAY;
    CM_TRY(cm_cli_hex_option(cli, "firmware-digest", 0, &digest));
    if (digest.n != sizeof in->given)
        return cm_cli_usage(cli, "--firmware-digest takes 48 bytes");
    memcpy(in->given, digest.p, digest.n);
    in->snp.firmware_digest = in->given;
    return CM_OKAY;
}

/* ---- showing -------------------------------------------------------------------------------- */

static void say_digest(cm_cli *cli, cm_cli_event *e, const char *key, const char *what, cm_view v)
{
    char hex[2 * CM_MEASURE_DIGEST + 1];

    cm_json_put_hex(&e->w, key, v);
    cm_cli_say(cli, "%s%-18s %s\n", cm_cli_has(cli, "policy") ? "# " : "  ", what,
               cm_cli_hex(hex, v));
}

static void say_inputs(cm_cli *cli, cm_cli_event *e, const inputs *in)
{
    say_digest(cli, e, "firmware_sha256", "firmware SHA-256", CM_VIEW(in->firmware_sha256));
    if (!in->snp.boot)
        return;
    say_digest(cli, e, "kernel_sha256", "kernel SHA-256", CM_VIEW(in->boot.kernel));
    if (in->has_initrd)
        say_digest(cli, e, "initrd_sha256", "initrd SHA-256", CM_VIEW(in->boot.initrd));
    say_digest(cli, e, "cmdline_sha256", "cmdline SHA-256", CM_VIEW(in->boot.cmdline));
}

static bool plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '"' || *text == '\\')
            return false;
    return true;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* AP-5: where a value comes from, in 200 bytes: full digests stand beside it. */
static void provenance(char text[PROVENANCE], const inputs *in, const char *kind)
{
    char fw[65], kernel[65];
    int n = snprintf(text, PROVENANCE, "casemate attest measure %s: firmware %.*s", kind, SHORT,
                     cm_cli_hex(fw, CM_VIEW(in->firmware_sha256)));

    if (strcmp(kind, "snp") == 0)
        n += snprintf(text + n, PROVENANCE - (size_t)n, ", %" PRIu32 " x %.24s, %s, 0x%" PRIx64,
                      in->snp.vcpus, in->cpu, cm_measure_vmm_name(in->snp.vmm), in->snp.features);
    if (in->snp.boot)
        (void)snprintf(text + n, PROVENANCE - (size_t)n, ", kernel %.*s", SHORT,
                       cm_cli_hex(kernel, CM_VIEW(in->boot.kernel)));
}

static cm_err put_entry(cm_cli *cli, const inputs *in, const char *kind, cm_view value)
{
    const char *name =
        cm_cli_has(cli, "name") ? cm_cli_text(cli, "name") : base_of(cm_cli_text(cli, "firmware"));
    const char *until = cm_cli_text(cli, "until");
    char from[PROVENANCE], hex[2 * CM_MEASURE_DIGEST + 1];
    uint64_t seconds = 0;

    if (!plain(name) || !*name || strlen(name) > NAME)
        return cm_cli_usage(cli, "--name takes 1 to %d plain characters", NAME);
    if (until)
        CM_TRY(cm_cli_time(cli, "until", &seconds));
    if (until && strlen(until) != 10 && strlen(until) != 20)
        return cm_cli_usage(cli, "--until takes a date, as 2027-01-31");
    provenance(from, in, kind);
    cm_cli_say(cli, "evidence:\n  %s:\n    measurements:\n      - value: \"%s\"\n", kind,
               cm_cli_hex(hex, value));
    cm_cli_say(cli, "        name: \"%s\"\n        provenance: \"%s\"\n", name, from);
    if (until)
        cm_cli_say(cli, "        until: %s\n", until);
    return CM_OKAY;
}

static cm_err show(cm_cli *cli, const inputs *in, const char *kind, const char *what,
                   const uint8_t digest[CM_MEASURE_DIGEST])
{
    cm_view value = cm_view_of(digest, CM_MEASURE_DIGEST);
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "measurement");
    cm_json_put_text(&e.w, "kind", cm_view_str(kind));
    say_digest(cli, &e, "measurement", what, value);
    say_inputs(cli, &e, in);
    if (strcmp(kind, "snp") == 0) {
        cm_json_put_u64(&e.w, "vcpus", in->snp.vcpus);
        cm_json_put_u64(&e.w, "cpu", in->snp.signature);
        cm_json_put_u64(&e.w, "features", in->snp.features);
        cm_json_put_text(&e.w, "vmm", cm_view_str(cm_measure_vmm_name(in->snp.vmm)));
    }
    cm_json_put_text(&e.w, "source", CM_LIT("computed"));
    cm_cli_event_end(cli, &e);
    if (cm_cli_has(cli, "policy"))
        return put_entry(cli, in, kind, value);
    cm_cli_say(cli, "computed from these files; not checked against hardware\n");
    return CM_OKAY;
}

/* ---- kinds ---------------------------------------------------------------------------------- */

static cm_err only_for(cm_cli *cli, const char *kind, const char *const *names)
{
    for (; *names; names++)
        if (cm_cli_has(cli, *names))
            return cm_cli_usage(cli, "--%s means nothing for %s", *names, kind);
    return CM_OKAY;
}

static cm_err measure_snp(cm_cli *cli, inputs *in)
{
    static const char *const other[] = {"order", "event-log", NULL};
    uint8_t digest[CM_MEASURE_DIGEST];

    CM_TRY(only_for(cli, "snp", other));
    CM_TRY(snp_options(cli, in));
    CM_TRY(load_boot(cli, in));
    in->snp.firmware = cm_buf_view(&in->firmware);
    CM_TRY(cm_cli_about(cli, cm_cli_text(cli, "firmware"),
                        cm_measure_snp(digest, cli->crypt, &in->snp), NULL));
    return show(cli, in, "snp", "launch digest", digest);
}

static cm_err measure_mrtd(cm_cli *cli, inputs *in)
{
    const char *order = cm_cli_text(cli, "order");
    uint8_t digest[CM_MEASURE_DIGEST];

    if (order && strcmp(order, "page") != 0 && strcmp(order, "section") != 0)
        return cm_cli_usage(cli, "--order is page or section");
    in->order = order && strcmp(order, "section") == 0 ? CM_TDX_BY_SECTION : CM_TDX_BY_PAGE;
    CM_TRY(cm_cli_about(cli, cm_cli_text(cli, "firmware"),
                        cm_measure_mrtd(digest, cli->crypt, cm_buf_view(&in->firmware), in->order),
                        NULL));
    return show(cli, in, "tdx", "MRTD", digest);
}

static cm_err measure_tdx(cm_cli *cli, inputs *in)
{
    static const char *const other[] = {"vcpus", "cpu", "features", "vmm", "firmware-digest", NULL};

    CM_TRY(only_for(cli, "tdx", other));
    if (!cm_cli_has(cli, "event-log") && !cm_cli_has(cli, "kernel"))
        CM_TRY(load_firmware(cli, in));
    else if (cm_cli_has(cli, "firmware"))
        CM_TRY(load_firmware(cli, in));
    CM_TRY(cm_cli_measure_registers(cli, true));
    return in->firmware.n ? measure_mrtd(cli, in) : CM_OKAY;
}

static cm_err measure_tpm(cm_cli *cli, inputs *in)
{
    static const char *const other[] = {"vcpus", "cpu",      "features", "vmm", "firmware-digest",
                                        "order", "firmware", "policy",   NULL};

    (void)in;
    CM_TRY(only_for(cli, "tpm", other));
    if (!cm_cli_has(cli, "event-log") && !cm_cli_has(cli, "kernel"))
        return cm_cli_usage(cli, "--event-log names the log that the registers follow from");
    return cm_cli_measure_registers(cli, false);
}

static cm_err snp_of(cm_cli *cli, inputs *in)
{
    CM_TRY(load_firmware(cli, in));
    return measure_snp(cli, in);
}

cm_err cm_cli_attest_measure(cm_cli *cli)
{
    static const struct {
        const char *name;
        cm_err (*run)(cm_cli *cli, inputs *in);
    } kinds[] = {{"snp", snp_of}, {"tdx", measure_tdx}, {"tpm", measure_tpm}};
    CM_AUTO(inputs_done) inputs in = {.order = CM_TDX_BY_PAGE};

    for (size_t i = 0; i < CM_COUNT(kinds); i++)
        if (strcmp(cli->args[0], kinds[i].name) == 0)
            return kinds[i].run(cli, &in);
    return cm_cli_usage(cli, "there is nothing measured as %s: snp, tdx or tpm", cli->args[0]);
}
