/* casemate hsm: status, test, init. The vendor's module runs in casemate-p11d, never here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"
#include "cli.h"
#include "hsm/conform.h"
#include "hsm/remote.h"
#include "hsm/unseal.h"
#include "run/sandbox.h"

enum { PIN_MAX = 256, PATHS = 8, PATH_LEN = 4096, PATIENCE_MS = 120000 };

struct device {
    char program[PATH_LEN];
    const char *args[CM_P11D_ARGS + 1];
    size_t n;
    cm_buf pin;
    cm_p11d p;
    cm_hsm_remote *r;
    cm_hsm h;
};

static void device_done(struct device *d)
{
    cm_hsm_remote_free(d->r);
    cm_p11d_stop(&d->p);
    cm_buf_free(&d->pin);
}

/* ---- starting ------------------------------------------------------------------------------ */

static void add(struct device *d, const char *name, const char *value)
{
    if (!value || d->n + 2 > CM_P11D_ARGS)
        return;
    d->args[d->n++] = name;
    d->args[d->n++] = value;
}

static void add_flag(struct device *d, cm_cli *cli, const char *option, const char *name)
{
    if (cm_cli_has(cli, option) && d->n < CM_P11D_ARGS)
        d->args[d->n++] = name;
}

static void arguments(struct device *d, cm_cli *cli)
{
    add(d, "--module", cm_cli_text(cli, "module"));
    add(d, "--cloud", cm_cli_text(cli, "cloud"));
    add(d, "--token", cm_cli_text(cli, "token"));
    add(d, "--pin-file", cm_cli_text(cli, "pin-file"));
    add(d, "--init", cm_cli_text(cli, "init"));
    for (size_t i = 0; i < CM_MIN(cm_cli_count(cli, "read"), (size_t)PATHS / 2); i++)
        add(d, "--read", cm_cli_nth(cli, "read", i));
    for (size_t i = 0; i < CM_MIN(cm_cli_count(cli, "write"), (size_t)PATHS / 2); i++)
        add(d, "--write", cm_cli_nth(cli, "write", i));
    add_flag(d, cli, "pin-retry", "--pin-retry");
    add_flag(d, cli, "network", "--network");
    add_flag(d, cli, "no-sandbox", "--no-sandbox");
}

static cm_err pin(struct device *d, cm_cli *cli)
{
    static const char *const ways[] = {"pin-file", "pin-fd", "no-pin", NULL};
    uint64_t fd = 0;
    size_t n;

    d->pin.max = PIN_MAX + 1;
    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_cli_number(cli, "pin-fd", 0, 1 << 20, &fd));
    if (cm_cli_has(cli, "pin-file") || cm_cli_has(cli, "no-pin") || cm_cli_has(cli, "cloud"))
        return CM_OKAY;
    if (!cm_cli_has(cli, "pin-fd"))
        return cm_cli_ask(cli, &d->pin, "PIN of the token");
    CM_TRY(cm_buf_reserve(&d->pin, PIN_MAX + 1));
    CM_TRY(cm_os_read((int)fd, d->pin.p, PIN_MAX + 1, &n));
    d->pin.n = n;
    return n <= PIN_MAX ? CM_OKAY : CM_FAIL(HSM_NO_PIN);
}

static cm_err open_device(cm_cli *cli, struct device *d)
{
    cm_hsm_remote_options o = {
        .connect = cm_p11d_connect, .arg = &d->p, .fd = -1, .timeout_ms = PATIENCE_MS};
    static const char *const kinds[] = {"module", "cloud", NULL};
    const char *what = cm_cli_text(cli, cm_cli_has(cli, "cloud") ? "cloud" : "module");

    CM_TRY(cm_cli_at_most_one(cli, kinds));
    if (!what)
        return cm_cli_usage(cli, "which device? Give --module FILE, the vendor's PKCS#11 module, "
                                 "or --cloud FILE, a key service's configuration");
    cm_cli_on(cli, what);
    if (cm_failed(cm_child_find(d->program, sizeof d->program, "casemate-p11d")))
        return cm_cli_about(cli, "casemate-p11d", CM_FAIL(HSM_SPAWN), NULL);
    arguments(d, cli);
    CM_TRY(pin(d, cli));
    d->p = (cm_p11d){
        .program = d->program, .args = d->args, .env = environ, .pin = cm_buf_view(&d->pin)};
    CM_TRY(cm_hsm_remote_new(&d->r, &o));
    d->h = cm_hsm_remote_of(d->r);
    return CM_OKAY;
}

/* ---- status -------------------------------------------------------------------------------- */

static void put_status(cm_cli_event *e, const cm_hsm_status *s)
{
    char hash[65];

    cm_json_put_text(&e->w, "provider", cm_view_str(s->provider));
    cm_json_put_text(&e->w, "token", cm_view_str(s->label));
    cm_json_put_text(&e->w, "serial", cm_view_str(s->serial));
    cm_json_put_text(&e->w, "profile", cm_view_str(s->quirks));
    cm_json_put_text(&e->w, "custody", cm_view_str(cm_hsm_custody_name(s->custody)));
    cm_json_put_text(&e->w, "module", cm_view_str(s->module));
    cm_json_put_text(&e->w, "module_sha256",
                     cm_view_str(cm_cli_hex(hash, CM_VIEW(s->module_hash))));
    cm_json_put_text(&e->w, "sandbox", cm_view_str(cm_sandbox_text((unsigned)s->sandbox)));
}

static void say_status(cm_cli *cli, const cm_hsm_status *s)
{
    char hash[65];

    cm_cli_say(cli,
               "provider  %s\ntoken     %s, serial %s\nprofile   %s\npkcs#11   %u.%u\n"
               "module    %s\nsha-256   %s\nsandbox   %s\n",
               s->provider, s->label, s->serial, s->quirks, (unsigned)(s->version >> 8),
               (unsigned)(s->version & 0xff), s->module, cm_cli_hex(hash, CM_VIEW(s->module_hash)),
               cm_sandbox_text((unsigned)s->sandbox));
}

static cm_err root_key(const struct device *d, const char **says)
{
    cm_hsm_key k;
    cm_err e = cm_hsm_find(&d->h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), (cm_view){NULL, 0});

    *says = cm_ok(e) ? cm_hsm_custody_name(k.custody) : "none";
    return cm_is(e, CM_HSM_NO_KEY) ? CM_OKAY : e;
}

cm_err cm_cli_hsm_status(cm_cli *cli)
{
    CM_AUTO(device_done) struct device d = {.n = 0};
    const char *root = "none";
    cm_hsm_status s;
    cm_cli_event e;

    CM_TRY(open_device(cli, &d));
    CM_TRY(cm_hsm_status_of(&d.h, &s));
    CM_TRY(root_key(&d, &root));
    cm_cli_event_begin(cli, &e, "hsm");
    put_status(&e, &s);
    cm_json_put_text(&e.w, "root_key", cm_view_str(root));
    cm_cli_event_end(cli, &e);
    say_status(cli, &s);
    cm_cli_say(cli, "root key  %s\n", root);
    return CM_OKAY;
}

/* ---- test ---------------------------------------------------------------------------------- */

static const char *word(cm_conform_result r)
{
    return r == CM_CONFORM_PASS ? "yes" : r == CM_CONFORM_ABSENT ? "no" : "FAILS";
}

static void say_row(cm_cli *cli, const cm_hsm_status *s, const cm_conform *c)
{
    cm_cli_say(cli, "\nIts row in the matrix of docs/hsm.md:\n| %s |", s->provider);
    for (unsigned t = CM_CONFORM_AES256; t < CM_CONFORM_AAD; t++)
        cm_cli_say(cli, " %s |", word(c->result[t]));
    cm_cli_say(cli, " %s |\n",
               c->failed                        ? "does not conform"
               : s->custody == CM_HSM_CLASSICAL ? "hsm-wrapped-classical"
               : c->result[CM_CONFORM_AES256 + CM_HSM_MLDSA65 - 1] == CM_CONFORM_PASS
                   ? "hsm-native, hsm-wrapped"
                   : "hsm-wrapped");
}

static void report(cm_cli *cli, const cm_hsm_status *s, const cm_conform *c)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "hsm-test");
    put_status(&e, s);
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++) {
        const char *name = cm_conform_name((cm_conform_test)t);

        cm_json_put_text(&e.w, name, cm_view_str(word(c->result[t])));
        cm_cli_say(cli, "%-22s %s%s%s\n", name, word(c->result[t]), cm_ok(c->why[t]) ? "" : "  ",
                   cm_ok(c->why[t]) ? "" : cm_err_name(c->why[t]));
    }
    cm_cli_event_end(cli, &e);
    say_row(cli, s, c);
}

static cm_err first_failure(const cm_conform *c)
{
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++)
        if (c->result[t] == CM_CONFORM_FAIL)
            return c->why[t];
    return CM_OKAY;
}

cm_err cm_cli_hsm_test(cm_cli *cli)
{
    CM_AUTO(device_done) struct device d = {.n = 0};
    cm_hsm_status s;
    cm_conform c;

    CM_TRY(open_device(cli, &d));
    CM_TRY(cm_hsm_status_of(&d.h, &s));
    say_status(cli, &s);
    cm_cli_say(cli, "\n");
    /* A key service has no keys of a session. */
    cm_conform_run(&c, cli->crypt, &d.h,
                   !cm_cli_has(cli, "persistent") && !cm_cli_has(cli, "cloud"));
    report(cli, &s, &c);
    return first_failure(&c);
}

/* ---- init ---------------------------------------------------------------------------------- */

cm_err cm_cli_hsm_init(cm_cli *cli)
{
    CM_AUTO(device_done) struct device d = {.n = 0};
    cm_cli_event e;
    cm_hsm_key k;
    cm_err made;

    CM_TRY(open_device(cli, &d));
    made = cm_hsm_generate(&d.h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), CM_LIT(CM_HSM_ROOT_ID),
                           false);
    CM_TRY(cm_cli_about(cli, CM_HSM_ROOT_ID, made,
                        cm_is(made, CM_HSM_KEYS)
                            ? "the token has one already: casemate hsm status shows it"
                            : NULL));
    cm_cli_event_begin(cli, &e, "hsm-init");
    cm_json_put_text(&e.w, "id", CM_LIT(CM_HSM_ROOT_ID));
    cm_json_put_text(&e.w, "algorithm", cm_view_str(cm_hsm_alg_name(k.alg)));
    cm_json_put_text(&e.w, "custody", cm_view_str(cm_hsm_custody_name(k.custody)));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli,
               "Made the AES-256 key %s in the token: it can't be read out of it.\n"
               "A key server opens its root with it when its configuration says unseal.method: "
               "hsm.\n",
               CM_HSM_ROOT_ID);
    return CM_OKAY;
}
