/* casemate attest measure: registers of measured boot, predicted or replayed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest.h"
#include "attest/eventlog.h"
#include "base/os.h"
#include "measure/measure.h"

enum { CHUNK = 1 << 20 };

/* Digests of what was given, and whether it was. */
typedef struct {
    cm_cli *cli;
    cm_hash hash;
    bool td, has_kernel, has_initrd, has_cmdline;
    uint8_t kernel[CM_HASH_MAX], initrd[CM_HASH_MAX], cmdline[CM_HASH_MAX];
    size_t seen, explained;
} boot;

/* ---- what was given ------------------------------------------------------------------------- */

static cm_err program_digest(boot *b, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_MEASURE_PROGRAM_MAX};

    CM_TRY(cm_cli_about(b->cli, path, cm_os_slurp(&file, path, CM_MEASURE_PROGRAM_MAX), NULL));
    b->has_kernel = true;
    return cm_cli_about(b->cli, path,
                        cm_measure_program(b->kernel, b->cli->crypt, b->hash, cm_buf_view(&file)),
                        NULL);
}

static cm_err file_digest(boot *b, const char *path)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_free_ptr) uint8_t *chunk = NULL;
    size_t got = 0;

    CM_TRY(cm_cli_about(b->cli, path, cm_os_open_read(&fd, path), NULL));
    CM_TRY(cm_alloc(&chunk, CHUNK));
    CM_TRY(cm_hasher_new(&h, b->cli->crypt, b->hash));
    do {
        CM_TRY(cm_cli_about(b->cli, path, cm_os_read(fd, chunk, CHUNK, &got), NULL));
        CM_TRY(cm_hasher_update(h, cm_view_of(chunk, got)));
    } while (got);
    b->has_initrd = true;
    return cm_hasher_final(h, b->initrd);
}

static cm_err load(boot *b)
{
    const char *kernel = cm_cli_text(b->cli, "kernel"), *initrd = cm_cli_text(b->cli, "initrd"),
               *cmdline = cm_cli_text(b->cli, "cmdline");

    if (kernel)
        CM_TRY(program_digest(b, kernel));
    if (initrd)
        CM_TRY(file_digest(b, initrd));
    if (!cmdline)
        return CM_OKAY;
    b->has_cmdline = true;
    if (cm_failed(cm_measure_cmdline(b->cmdline, b->cli->crypt, b->hash, cm_view_str(cmdline))))
        return cm_cli_usage(b->cli, "--cmdline takes up to %d characters of ASCII",
                            CM_MEASURE_CMDLINE_MAX);
    return CM_OKAY;
}

/* ---- shown ---------------------------------------------------------------------------------- */

static void line(boot *b, cm_cli_event *e, const char *key, const char *what, const uint8_t *digest)
{
    char hex[2 * CM_HASH_MAX + 1];
    cm_view v = cm_view_of(digest, cm_hash_size(b->hash));

    cm_json_put_hex(&e->w, key, v);
    cm_cli_say(b->cli, "%s%-18s %s\n", cm_cli_has(b->cli, "policy") ? "# " : "  ", what,
               cm_cli_hex(hex, v));
}

static cm_err predict(boot *b)
{
    cm_td_registers r;
    cm_cli_event e;

    cm_cli_event_begin(b->cli, &e, "predicted");
    if (b->has_kernel)
        line(b, &e, "kernel", "kernel", b->kernel);
    if (b->has_cmdline)
        line(b, &e, "cmdline", "command line", b->cmdline);
    if (b->has_initrd)
        line(b, &e, "initrd", "initrd", b->initrd);
    if (b->td && b->has_kernel && b->has_cmdline) {
        CM_TRY(cm_measure_td_boot(&r, b->cli->crypt, b->kernel, b->cmdline,
                                  b->has_initrd ? b->initrd : NULL));
        line(b, &e, "rtmr1", "RTMR1", r.rtmr1);
        line(b, &e, "rtmr2", "RTMR2", r.rtmr2);
        if (!cm_cli_has(b->cli, "policy"))
            cm_cli_say(b->cli, "RTMR1 and RTMR2 as of a kernel that the firmware starts directly, "
                               "unchanged; RTMR0 is not computed: the machine's tables and boot "
                               "order are in it. Not checked against hardware.\n");
    }
    cm_cli_event_end(b->cli, &e);
    return CM_OKAY;
}

static cm_err reason_of(boot *b, const char **out, const cm_event *ev)
{
    bool same = false;
    size_t n = cm_hash_size(b->hash);

    *out = NULL;
    if (b->has_kernel && cm_view_eq(cm_view_of(b->kernel, n), ev->digest))
        *out = "the kernel given";
    else if (b->has_initrd && cm_view_eq(cm_view_of(b->initrd, n), ev->digest))
        *out = "the initrd given";
    else if (b->has_cmdline && cm_view_eq(cm_view_of(b->cmdline, n), ev->digest))
        *out = "the command line given";
    if (*out)
        return CM_OKAY;
    CM_TRY(cm_measure_explains(&same, b->cli->crypt, b->hash, ev->digest, ev->data));
    if (same)
        *out = "the data logged with it";
    return CM_OKAY;
}

static cm_err each(void *arg, const cm_event *ev)
{
    char hex[2 * CM_HASH_MAX + 1], reg[24];
    const char *why = NULL;
    boot *b = (boot *)arg;
    cm_cli_event e;

    if (ev->type == CM_EVENTLOG_NO_ACTION)
        return CM_OKAY;
    CM_TRY(reason_of(b, &why, ev));
    b->seen++;
    b->explained += why ? 1 : 0;
    (void)snprintf(reg, sizeof reg, "%s%" PRIu32, b->td ? "RTMR" : "PCR",
                   b->td ? ev->index - 1 : ev->index);
    cm_cli_event_begin(b->cli, &e, "logged");
    cm_json_put_text(&e.w, "register", cm_view_str(reg));
    cm_json_put_text(&e.w, "type", cm_view_str(cm_measure_event_name(ev->type)));
    cm_json_put_hex(&e.w, "digest", ev->digest);
    if (why)
        cm_json_put_text(&e.w, "explained_by", cm_view_str(why));
    else
        cm_json_put_null(&e.w, "explained_by");
    cm_cli_event_end(b->cli, &e);
    cm_cli_say(b->cli, "  %-6s %-34s %.16s...  %s\n", reg, cm_measure_event_name(ev->type),
               cm_cli_hex(hex, ev->digest), why ? why : "not explained");
    return CM_OKAY;
}

static void registers(boot *b, const cm_event_registers *r)
{
    unsigned count = b->td ? 4 : CM_EVENTLOG_REGISTERS;
    cm_cli_event e;

    cm_cli_event_begin(b->cli, &e, "replayed");
    for (unsigned i = 0; i < count; i++) {
        char key[16], what[16];

        if (!b->td && !(r->touched & 1u << i))
            continue;
        (void)snprintf(key, sizeof key, "%s%u", b->td ? "rtmr" : "pcr", i);
        (void)snprintf(what, sizeof what, "%s%u", b->td ? "RTMR" : "PCR", i);
        line(b, &e, key, what, r->v[i]);
    }
    cm_json_put_u64(&e.w, "events", b->seen);
    cm_json_put_u64(&e.w, "explained", b->explained);
    cm_cli_event_end(b->cli, &e);
    cm_cli_say(b->cli,
               "%zu of %zu events are explained. A log proves nothing by itself: the registers it "
               "leads to have to be those of evidence.\n",
               b->explained, b->seen);
}

static cm_err replay(boot *b, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf log = {.max = CM_EVENTLOG_MAX};
    cm_event_registers r;

    CM_TRY(cm_cli_about(b->cli, path, cm_os_slurp(&log, path, CM_EVENTLOG_MAX), NULL));
    CM_TRY(cm_cli_about(b->cli, path,
                        cm_eventlog_replay(&r, b->cli->crypt, cm_buf_view(&log), b->hash, b->td),
                        NULL));
    cm_cli_say(b->cli, "%s\n", path);
    CM_TRY(cm_cli_about(b->cli, path, cm_eventlog_each(cm_buf_view(&log), b->hash, each, b), NULL));
    registers(b, &r);
    return CM_OKAY;
}

cm_err cm_cli_measure_registers(cm_cli *cli, bool td)
{
    boot b = {.cli = cli, .td = td, .hash = td ? CM_SHA384 : CM_SHA256};
    const char *log = cm_cli_text(cli, "event-log");

    CM_TRY(load(&b));
    if (b.has_kernel || b.has_initrd || b.has_cmdline)
        CM_TRY(predict(&b));
    return log ? replay(&b, log) : CM_OKAY;
}
