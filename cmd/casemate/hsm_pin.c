/*
 * casemate hsm rotate-pin. PIN FILE is what servers read. The new PIN is on the disk, in FILE.new,
 * before the token hears of it, and FILE keeps the old one until the token was opened by the new
 * one: whatever ends this on its way, one of the two files opens the token, and running it again
 * finds out which (H-64).
 */
#include <stdio.h>

#include "base/ct.h"
#include "base/os.h"
#include "device.h"

struct pins {
    const char *file;
    char next_file[CM_CLI_DEVICE_PATH];
    cm_buf old, next;
    bool tried; /* the new one, in vain: the token may say that few tries are left */
};

static void pins_done(struct pins *p)
{
    cm_buf_free(&p->old);
    cm_buf_free(&p->next);
}

/* The first line, without its end. */
static void cut(cm_buf *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] == '\n' || b->p[i] == '\r') {
            cm_wipe(b->p + i, b->n - i);
            b->n = i;
        }
}

static cm_err read_file(cm_cli *cli, cm_buf *out, const char *path)
{
    CM_TRY(cm_buf_reserve(out, out->max));
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(out, path, CM_CLI_PIN_MAX + 1), NULL));
    cut(out);
    return out->n ? CM_OKAY : cm_cli_about(cli, path, CM_FAIL(HSM_NO_PIN), NULL);
}

static cm_err read_next(cm_cli *cli, struct pins *p)
{
    static const char *const ways[] = {"new-pin-file", "new-pin-fd", NULL};
    uint64_t fd = 0;
    size_t n = 0;

    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_cli_number(cli, "new-pin-fd", 0, 1 << 20, &fd));
    if (cm_cli_has(cli, "new-pin-file"))
        return read_file(cli, &p->next, cm_cli_text(cli, "new-pin-file"));
    CM_TRY(cm_buf_reserve(&p->next, p->next.max));
    if (!cm_cli_has(cli, "new-pin-fd"))
        return cm_cli_ask(cli, &p->next, "New PIN of the token");
    CM_TRY(cm_os_read((int)fd, p->next.p, CM_CLI_PIN_MAX + 1, &n));
    p->next.n = n;
    cut(&p->next);
    return p->next.n ? CM_OKAY : CM_FAIL(HSM_NO_PIN);
}

/* Whether the token is opened by pin; with next, that is its PIN from then on. */
static cm_err opens(cm_cli *cli, cm_view pin, cm_view next, bool retry)
{
    CM_AUTO(cm_cli_device_done)
    cm_cli_device d = {.pin = {.max = CM_CLI_PIN_MAX + 1}, .retry = retry};
    cm_hsm_status s;

    CM_TRY(cm_buf_append(&d.pin, pin));
    d.new_pin = next;
    CM_TRY(cm_cli_device_open(cli, &d));
    return cm_hsm_status_of(&d.h, &s);
}

/* The token has it: FILE may have it, too. */
static cm_err finish(cm_cli *cli, struct pins *p)
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = CM_CLI_PIN_MAX + 2};

    CM_TRY(cm_buf_reserve(&line, line.max));
    CM_TRY(cm_buf_append(&line, cm_buf_view(&p->next)));
    CM_TRY(cm_buf_byte(&line, '\n'));
    CM_TRY(cm_cli_about(cli, p->file, cm_os_spit(p->file, cm_buf_view(&line), 0600, true), NULL));
    cm_os_remove(p->next_file);
    return CM_OKAY;
}

/* A run before this one ended between its files and the token. Its new PIN is tried first: when the
 * token does not know it, one try is lost, and the old PIN gives it back. */
static cm_err resume(cm_cli *cli, struct pins *p, bool *done)
{
    cm_err e;

    *done = false;
    CM_TRY(read_file(cli, &p->next, p->next_file));
    cm_cli_say(cli, "%s is there: an earlier run was broken off, and goes on.\n", p->next_file);
    e = opens(cli, cm_buf_view(&p->next), cm_view_of(NULL, 0), false);
    p->tried = cm_is(e, CM_HSM_PIN_WRONG);
    if (p->tried)
        return CM_OKAY;
    CM_TRY(e);
    *done = true;
    return finish(cli, p);
}

static cm_err prepare(cm_cli *cli, struct pins *p)
{
    CM_AUTO(cm_buf_free) cm_buf line = {.max = CM_CLI_PIN_MAX + 2};

    CM_TRY(read_next(cli, p));
    if (cm_ct_equal(cm_buf_view(&p->old), cm_buf_view(&p->next)))
        return cm_cli_usage(cli, "the new PIN is the old one");
    CM_TRY(cm_buf_reserve(&line, line.max));
    CM_TRY(cm_buf_append(&line, cm_buf_view(&p->next)));
    CM_TRY(cm_buf_byte(&line, '\n'));
    return cm_cli_about(cli, p->next_file,
                        cm_os_spit(p->next_file, cm_buf_view(&line), 0600, false), NULL);
}

/* A token that refused it has the old one still. */
static cm_err change(cm_cli *cli, struct pins *p)
{
    cm_err e = opens(cli, cm_buf_view(&p->old), cm_buf_view(&p->next), p->tried);

    if (cm_is(e, CM_HSM_PIN_WRONG) || cm_is(e, CM_HSM_PIN_RANGE) || cm_is(e, CM_HSM_PIN_LOW) ||
        cm_is(e, CM_HSM_PIN_LOCKED))
        cm_os_remove(p->next_file);
    CM_TRY(e);
    CM_TRY(opens(cli, cm_buf_view(&p->next), cm_view_of(NULL, 0), false));
    return finish(cli, p);
}

static void said(cm_cli *cli, const struct pins *p)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "hsm-rotate-pin");
    cm_json_put_text(&e.w, "pin_file", cm_view_str(p->file));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli,
               "The token has the new PIN, was opened by it, and %s holds it.\n"
               "Servers that read this file go on: they take it at their next start. Change it in\n"
               "every other place that has the old one.\n",
               p->file);
}

cm_err cm_cli_hsm_rotate_pin(cm_cli *cli)
{
    CM_AUTO(pins_done)
    struct pins p = {.file = cm_cli_text(cli, "pin-file"),
                     .old = {.max = CM_CLI_PIN_MAX + 2},
                     .next = {.max = CM_CLI_PIN_MAX + 2}};
    bool done = false;
    int n;

    if (!p.file)
        return cm_cli_usage(cli, "--pin-file FILE, which holds the PIN and will hold the new one");
    if (cm_cli_has(cli, "cloud") || cm_cli_has(cli, "tpm"))
        return cm_cli_usage(cli, "a key service has no PIN");
    n = snprintf(p.next_file, sizeof p.next_file, "%s.new", p.file);
    if (n < 0 || (size_t)n >= sizeof p.next_file)
        return CM_FAIL(TOO_BIG);
    CM_TRY(read_file(cli, &p.old, p.file));
    CM_TRY(cm_os_exists(p.next_file) ? resume(cli, &p, &done) : prepare(cli, &p));
    if (!done)
        CM_TRY(change(cli, &p));
    said(cli, &p);
    return CM_OKAY;
}
