/* casemate attest reference: reference values imported from a CoRIM, and manifests of our own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "appraise/reference.h"
#include "attest.h"
#include "base/os.h"
#include "ring.h"

enum { MANIFEST_MAX = CM_REFERENCE_FILE_MAX + (32 << 10) };

static cm_err now_of(cm_cli *cli, uint64_t *now)
{
    *now = cm_os_now();
    return cm_cli_has(cli, "at") ? cm_cli_time(cli, "at", now) : CM_OKAY;
}

static cm_err slurp(cm_cli *cli, cm_buf *file, const char *path)
{
    file->max = MANIFEST_MAX;
    return cm_cli_about(cli, path, cm_os_slurp(file, path, MANIFEST_MAX), NULL);
}

/* ---- shown ---------------------------------------------------------------------------------- */

static void time_text(char *out, size_t size, uint64_t seconds)
{
    char date[32];

    (void)snprintf(out, size, "%s", cm_cli_date(date, seconds));
    out[10] = 'T'; /* as a policy file has it */
    out[19] = 'Z';
    out[20] = 0;
}

static void show_value(cm_cli *cli, const cm_reference_value *v)
{
    char hex[129], until[32] = "";
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "reference");
    cm_json_put_text(&e.w, "kind", cm_view_str(v->kind ? cm_attest_kind_name(v->kind) : "unknown"));
    cm_json_put_hex(&e.w, "value", cm_view_of(v->value, v->n));
    cm_json_put_text(&e.w, "name", cm_view_str(v->name));
    cm_json_put_text(&e.w, "provenance", cm_view_str(v->from));
    if (v->until)
        cm_json_put_u64(&e.w, "until", v->until);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "      - value: \"%s\"\n        name: \"%s\"\n        provenance: \"%s\"\n",
               cm_cli_hex(hex, cm_view_of(v->value, v->n)), v->name, v->from);
    if (v->until) {
        time_text(until, sizeof until, v->until);
        cm_cli_say(cli, "        until: %s\n", until);
    }
}

/* As a policy file has them, kind by kind; those that nobody said the kind of as a remark. */
static void show_values(cm_cli *cli, const cm_reference *r)
{
    cm_cli_say(cli, "evidence:\n");
    for (unsigned kind = 1; kind < CM_POLICY_KINDS; kind++) {
        bool begun = false;

        for (size_t i = 0; i < r->n; i++) {
            if (r->v[i].kind != (cm_attest_kind)kind)
                continue;
            if (!begun)
                cm_cli_say(cli, "  %s:\n    measurements:\n",
                           cm_attest_kind_name((cm_attest_kind)kind));
            begun = true;
            show_value(cli, &r->v[i]);
        }
    }
}

static void show_head(cm_cli *cli, const cm_reference *r)
{
    char hex[65], date[32];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "manifest");
    cm_json_put_text(&e.w, "name", cm_view_str(r->name));
    cm_json_put_u64(&e.w, "version", r->version);
    cm_json_put_bool(&e.w, "signed", r->is_signed);
    if (r->is_signed)
        cm_json_put_hex(&e.w, "signer", CM_VIEW(r->signer));
    cm_json_put_u64(&e.w, "expires", r->expires);
    cm_json_put_u64(&e.w, "values", r->n);
    cm_json_put_u64(&e.w, "ignored", r->ignored);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "# %s", r->name);
    if (r->version)
        cm_cli_say(cli, ", version %" PRIu64, r->version);
    if (r->expires)
        cm_cli_say(cli, ", until %s", cm_cli_date(date, r->expires));
    cm_cli_say(cli, "\n# %s%s\n", r->is_signed ? "signed by key " : "signed by nobody",
               r->is_signed ? cm_cli_hex(hex, CM_VIEW(r->signer)) : "");
    if (r->ignored)
        cm_cli_say(cli, "# %zu other values are left out\n", r->ignored);
}

/* ---- import --------------------------------------------------------------------------------- */

static cm_err kind_option(cm_cli *cli, cm_attest_kind *kind)
{
    const char *name = cm_cli_text(cli, "kind");

    *kind = name ? cm_attest_kind_of(cm_view_str(name)) : CM_ATTEST_UNKNOWN;
    if (name && *kind == CM_ATTEST_UNKNOWN)
        return cm_cli_usage(cli, "there is no kind of evidence %s", name);
    return CM_OKAY;
}

/* A value lasts no longer than what vouches for it. */
static cm_err limit(cm_cli *cli, cm_reference *r)
{
    uint64_t until = r->expires;
    bool known = false;

    if (cm_cli_has(cli, "until")) {
        CM_TRY(cm_cli_time(cli, "until", &until));
        until = r->expires ? CM_MIN(until, r->expires) : until;
    }
    for (size_t i = 0; i < r->n; i++) {
        r->v[i].until = until;
        known |= r->v[i].kind != CM_ATTEST_UNKNOWN;
    }
    return known ? CM_OKAY : CM_FAIL(REFERENCE_NONE);
}

static cm_err import(cm_cli *cli, const char *path)
{
    CM_AUTO(cm_cli_ring_free) cm_cli_ring keys = {.n = 0};
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};
    cm_attest_kind kind;
    uint64_t now;

    CM_TRY(now_of(cli, &now));
    CM_TRY(kind_option(cli, &kind));
    CM_TRY(slurp(cli, &file, path));
    CM_TRY(cm_cli_ring_option(cli, &keys, "key"));
    CM_TRY(cm_cli_about(
        cli, path, cm_corim_read(&r, cli->crypt, cm_buf_view(&file), kind, keys.v, keys.n), NULL));
    if (!r->is_signed && !cm_cli_has(cli, "unsigned"))
        return cm_cli_about(cli, path, CM_FAIL(REFERENCE_UNSIGNED), NULL);
    CM_TRY(cm_cli_about(cli, path, cm_reference_valid(r, now), NULL));
    CM_TRY(cm_cli_about(cli, path, limit(cli, r),
                        kind ? NULL : "say with --kind what the digests are measurements of"));
    show_head(cli, r);
    show_values(cli, r);
    return CM_OKAY;
}

/* ---- manifests ------------------------------------------------------------------------------ */

static cm_err sign(cm_cli *cli, const char *path)
{
    CM_AUTO(cm_cli_ring_free) cm_cli_ring keys = {.n = 0};
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 0};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MANIFEST_MAX};
    uint64_t now, until = 0;

    CM_TRY(now_of(cli, &now));
    CM_TRY(cm_cli_ring_option(cli, &keys, "key"));
    if (keys.n != 1 || !cm_cli_has(cli, "out") || !cm_cli_has(cli, "until"))
        return cm_cli_usage(cli, "sign takes one --key, --until and --out");
    CM_TRY(cm_cli_time(cli, "until", &until));
    CM_TRY(cm_cli_policy_load(cli, &p, &text, path));
    CM_TRY(cm_cli_about(cli, path, cm_manifest_sign(&out, keys.v[0], p, now, until), NULL));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&out));
}

cm_err cm_cli_manifest_load(cm_cli *cli, cm_reference **out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 0};

    CM_TRY(slurp(cli, &file, path));
    return cm_cli_about(cli, path, cm_manifest_read(out, cli->crypt, cm_buf_view(&file)), NULL);
}

static cm_err show(cm_cli *cli, const char *path)
{
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;

    CM_TRY(cm_cli_manifest_load(cli, &r, path));
    show_head(cli, r);
    show_values(cli, r);
    return CM_OKAY;
}

static cm_err signed_by(cm_cli *cli, const cm_reference *r)
{
    CM_AUTO(cm_cli_ring_free) cm_cli_ring keys = {.n = 0};

    CM_TRY(cm_cli_ring_option(cli, &keys, "key"));
    if (keys.n == 0)
        return cm_cli_usage(cli, "verify takes the --key of whoever may sign");
    for (size_t i = 0; i < keys.n; i++) {
        uint8_t fp[CM_FINGERPRINT];

        CM_TRY(cm_pkey_fingerprint(fp, cli->crypt, keys.v[i]));
        if (cm_view_eq(CM_VIEW(fp), CM_VIEW(r->signer)))
            return CM_OKAY;
    }
    return CM_FAIL(REFERENCE_SIGNER);
}

static cm_err verify(cm_cli *cli, const char *path)
{
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    uint64_t now;

    CM_TRY(now_of(cli, &now));
    CM_TRY(cm_cli_manifest_load(cli, &r, path));
    CM_TRY(cm_cli_about(cli, path, signed_by(cli, r), NULL));
    CM_TRY(cm_cli_about(cli, path, cm_reference_valid(r, now), NULL));
    show_head(cli, r);
    cm_cli_say(cli, "%s: signed by a key that was given, and valid\n", path);
    return CM_OKAY;
}

cm_err cm_cli_attest_reference(cm_cli *cli)
{
    static const struct {
        const char *name;
        cm_err (*run)(cm_cli *cli, const char *path);
    } verbs[] = {{"import", import}, {"sign", sign}, {"verify", verify}, {"show", show}};

    for (size_t i = 0; i < CM_COUNT(verbs); i++)
        if (strcmp(cli->args[0], verbs[i].name) == 0)
            return verbs[i].run(cli, cli->args[1]);
    return cm_cli_usage(cli, "reference takes import, sign, verify or show, not %s", cli->args[0]);
}
