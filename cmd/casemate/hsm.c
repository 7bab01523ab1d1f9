/* casemate hsm: status, test, init. The vendor's module runs in casemate-p11d, never here. */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "hsm/conform.h"
#include "hsm/unseal.h"
#include "hsm_set.h"
#include "run/sandbox.h"

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

static cm_err root_key(const cm_cli_device *d, const char **says)
{
    cm_hsm_key k;
    cm_err e = cm_hsm_find(&d->h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), (cm_view){NULL, 0});

    *says = cm_ok(e) ? cm_hsm_custody_name(k.custody) : "none";
    return cm_is(e, CM_HSM_NO_KEY) ? CM_OKAY : e;
}

cm_err cm_cli_hsm_status(cm_cli *cli)
{
    CM_AUTO(cm_cli_device_done) cm_cli_device d = {.n = 0};
    const char *root = "none";
    cm_hsm_status s;
    cm_cli_event e;

    if (!cm_cli_has(cli, "module") && !cm_cli_has(cli, "cloud") && !cm_cli_has(cli, "tpm") &&
        (cm_cli_has(cli, "dir") || cm_cli_has(cli, "socket") || getenv("CASEMATE_SERVER")))
        return cm_cli_hsm_set_status(cli);
    CM_TRY(cm_cli_device_open(cli, &d));
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
               c->failed                                           ? "does not conform"
               : s->custody == CM_HSM_CLASSICAL                    ? "hsm-wrapped-classical"
               : c->result[CM_CONFORM_AES256] == CM_CONFORM_ABSENT ? "hsm-native"
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
    CM_AUTO(cm_cli_device_done) cm_cli_device d = {.n = 0};
    cm_hsm_status s;
    cm_conform c;

    CM_TRY(cm_cli_device_open(cli, &d));
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
    CM_AUTO(cm_cli_device_done) cm_cli_device d = {.n = 0};
    const char *label = cm_cli_text(cli, "label");
    cm_view id = cm_view_str(label ? label : CM_HSM_ROOT_ID);
    cm_cli_event e;
    cm_hsm_key k;
    cm_err made;

    CM_TRY(cm_cli_device_open(cli, &d));
    made = cm_hsm_generate(&d.h, &k, CM_HSM_AES256, id, id, false);
    CM_TRY(cm_cli_about(cli, label ? label : CM_HSM_ROOT_ID, made,
                        cm_is(made, CM_HSM_KEYS)
                            ? "the token has one already: casemate hsm status shows it"
                            : NULL));
    cm_cli_event_begin(cli, &e, "hsm-init");
    cm_json_put_text(&e.w, "id", id);
    cm_json_put_text(&e.w, "algorithm", cm_view_str(cm_hsm_alg_name(k.alg)));
    cm_json_put_text(&e.w, "custody", cm_view_str(cm_hsm_custody_name(k.custody)));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "Made the %s key %s in the token: it can't be read out of it.\n",
               cm_hsm_alg_name(k.alg), label ? label : CM_HSM_ROOT_ID);
    if (!label)
        cm_cli_say(cli,
                   "A key server opens its root with it when its configuration says unseal.method: "
                   "hsm%s.\n",
                   k.custody == CM_HSM_CLASSICAL ? ", hsm.wrapping: rsa-not-post-quantum" : "");
    if (k.custody == CM_HSM_CLASSICAL)
        cm_cli_say(cli, "It is not post-quantum: whoever records what is kept under it opens it "
                        "with a quantum computer.\n");
    return CM_OKAY;
}
