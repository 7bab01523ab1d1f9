/* casemate rewrap, sign and upgrade. */
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "codec/text.h"
#include "seal.h"

/* ---- rewrap -------------------------------------------------------------------------------- */

enum { REMOVED_MAX = 1024, DIGITS_MIN = 6 };

/* Recipients to take out, by id or its first digits. */
struct removal {
    struct {
        char id[2 * CM_STANZA_ID_MAX + 1];
        unsigned hits;
    } v[REMOVED_MAX];
    size_t n;
};

static bool keep(void *arg, const cm_stanza *st)
{
    struct removal *r = arg;
    char id[2 * CM_STANZA_ID_MAX + 1];
    bool out = false;

    cm_cli_hex(id, cm_view_of(st->id.p, CM_MIN(st->id.n, (size_t)CM_STANZA_ID_MAX)));
    for (size_t i = 0; i < r->n; i++)
        if (strncmp(id, r->v[i].id, strlen(r->v[i].id)) == 0) {
            r->v[i].hits++;
            out = true;
        }
    return !out;
}

static cm_err id_of_file(cm_cli *cli, char id[33], const char *path)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    uint8_t raw[16];

    CM_TRY(cm_cli_load_key(cli, &key, path));
    if (!cm_pkey_kem(key))
        return cm_cli_about(cli, path, CM_FAIL(KEY_ALGORITHM), "this key signs and opens nothing");
    CM_TRY(cm_envelope_kem_id(cli->crypt, raw, cm_pkey_kem(key)));
    cm_cli_hex(id, CM_VIEW(raw));
    return CM_OKAY;
}

static cm_err removals(cm_cli *cli, struct removal *r)
{
    size_t n = cm_cli_count(cli, "remove");

    if (n > REMOVED_MAX)
        return cm_cli_usage(cli, "--remove is given more than %d times", REMOVED_MAX);
    for (; r->n < n; r->n++) {
        const char *text = cm_cli_nth(cli, "remove", r->n);
        size_t digits = strspn(text, "0123456789abcdef");

        if (digits == strlen(text) && digits >= DIGITS_MIN && digits < sizeof r->v->id)
            memcpy(r->v[r->n].id, text, digits + 1);
        else if (access(text, F_OK) == 0)
            CM_TRY(id_of_file(cli, r->v[r->n].id, text));
        else
            return cm_cli_usage(cli, "--remove %s: neither a file nor %d digits or more of an id",
                                text, DIGITS_MIN);
    }
    return CM_OKAY;
}

/* The stanzas as they are, to refuse what would do nothing or too much before anything changes. */
static cm_err check_removals(cm_cli *cli, const char *path, struct removal *r)
{
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};
    cm_cli_access none = {0};
    const cm_sealed_info *i;

    CM_TRY(cm_cli_model_load(cli, &m, path, &none, false));
    i = cm_sealed_get(m.s);
    for (size_t k = 0; k < i->stanzas_n; k++)
        keep(r, &i->stanzas[k]);
    for (size_t k = 0; k < r->n; k++) {
        if (r->v[k].hits == 0)
            return cm_cli_about(cli, r->v[k].id, CM_FAIL(CLI_NO_RECIPIENT), NULL);
        if (r->v[k].hits > 1)
            return cm_cli_usage(cli, "--remove %s fits %u recipients: give more digits", r->v[k].id,
                                r->v[k].hits);
    }
    return CM_OKAY;
}

static cm_err plan(cm_cli *cli, cm_cli_recipients *to, struct removal *out, bool *only)
{
    static const char *const a[] = {"only", "add", NULL}, *const b[] = {"only", "remove", NULL};

    CM_TRY(cm_cli_at_most_one(cli, a));
    CM_TRY(cm_cli_at_most_one(cli, b));
    *only = cm_cli_has(cli, "only");
    CM_TRY(cm_cli_recipients_init(cli, to, *only ? "only" : "add", "add-kms", "add-"));
    CM_TRY(removals(cli, out));
    if (to->n == 0 && out->n == 0)
        return cm_cli_usage(cli, "nothing to do: give --add, --remove or --only");
    return CM_OKAY;
}

static void report_rewrap(cm_cli *cli, const char *path, const cm_rewrap *w, size_t removed)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("rewrap"));
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_u64(&e.w, "added", w->add_n);
    cm_json_put_bool(&e.w, "only", w->keep == NULL);
    cm_json_put_u64(&e.w, "removed", removed);
    cm_json_put_bool(&e.w, "copied", w->copied);
    cm_json_put_fixed(&e.w, "seconds", cm_cli_seconds(cli));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: ", path);
    if (w->keep == NULL)
        cm_cli_say(cli, "%zu recipient%s now, and nobody else", w->add_n, w->add_n == 1 ? "" : "s");
    else
        cm_cli_say(cli, "%zu added, %zu removed", w->add_n, removed);
    cm_cli_say(cli, "%s; the body is as it was\n",
               w->copied ? ", in a copy with longer slots" : "");
}

cm_err cm_cli_rewrap(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_recipients_done) cm_cli_recipients to = {0};
    CM_AUTO(cm_free_ptr) struct removal *out = NULL;
    const char *path = cli->args[0];
    cm_rewrap w = {0};
    bool only;

    CM_TRY(cm_alloc(&out, sizeof *out));
    CM_TRY(plan(cli, &to, out, &only));
    CM_TRY(check_removals(cli, path, out));
    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS));
    w = (cm_rewrap){.add = to.v, .add_n = to.n, .keep = only ? NULL : keep, .keep_arg = out};
    cm_cli_on(cli, path);
    cm_cli_progress_begin(cli);
    CM_TRY(cm_sealed_rewrap(cli->crypt, path, &a.o, &w));
    report_rewrap(cli, path, &w, out->n);
    return CM_OKAY;
}

/* ---- sign ---------------------------------------------------------------------------------- */

cm_err cm_cli_sign(cm_cli *cli)
{
    CM_AUTO(cm_cli_signers_done) cm_cli_signers by = {0};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    const char *path = cli->args[0], *given = cm_cli_text(cli, "output");
    char out[4096];
    cm_cli_event e;
    int n = snprintf(out, sizeof out, "%s%s", given ? given : path, given ? "" : ".sig");

    if (n < 0 || (size_t)n >= sizeof out)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_signers_init(cli, &by, "key"));
    if (by.keys.n == 0)
        return cm_cli_about(cli, path, CM_FAIL(SEALED_NO_SIGNER),
                            "give one (--key), or run casemate init");
    cm_cli_on(cli, path);
    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_sealed_sign(cli->crypt, fd, by.v, by.keys.n, out, cm_cli_has(cli, "force")));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str("sign"));
    cm_json_put_text(&e.w, "path", cm_view_str(out));
    cm_json_put_u64(&e.w, "signatures", by.keys.n);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "signed  %s\n        in %s\n", path, out);
    return CM_OKAY;
}

/* ---- upgrade ------------------------------------------------------------------------------- */

static cm_err upgrade_options(cm_cli *cli, cm_seal_options *o, const cm_sealed_info *i)
{
    o->tier = i->tier;
    CM_TRY(cm_cli_seal_numbers(cli, o));
    o->name = cm_cli_text(cli, "name");
    o->version = cm_cli_text(cli, "model-version");
    o->licence = cm_cli_text(cli, "licence");
    o->publisher = cm_cli_text(cli, "publisher");
    o->policy = cm_cli_text(cli, "policy");
    return CM_OKAY;
}

static cm_err upgrade(cm_cli *cli, cm_sealed *s, const char *out)
{
    CM_AUTO(cm_cli_recipients_done) cm_cli_recipients to = {0};
    CM_AUTO(cm_cli_signers_done) cm_cli_signers by = {0};
    cm_seal_options o = {0};
    cm_seal_result r;

    CM_TRY(upgrade_options(cli, &o, cm_sealed_get(s)));
    CM_TRY(cm_cli_recipients_init(cli, &to, "to", NULL, "to-"));
    if (to.n == 0)
        return CM_FAIL(ENVELOPE_NO_RECIPIENT);
    o.no_signature = cm_cli_has(cli, "unsigned") && !cm_cli_has(cli, "sign");
    if (!o.no_signature)
        CM_TRY(cm_cli_signers_init(cli, &by, "sign"));
    o.to = to.v;
    o.to_n = to.n;
    o.signers = by.v;
    o.signers_n = by.keys.n;
    cm_cli_progress_begin(cli);
    CM_TRY(cm_sealed_upgrade(&r, s, &o, out));
    cm_cli_report_sealed(cli, "upgrade", &r, out);
    return CM_OKAY;
}

cm_err cm_cli_upgrade(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model m = {.fd = -1};
    const char *out = cm_cli_text(cli, "output");

    if (!out)
        return cm_cli_usage(cli, "--output is missing");
    CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_KEYS | CM_CLI_TRUST));
    CM_TRY(cm_cli_model_load(cli, &m, cli->args[0], &a, true));
    return upgrade(cli, m.s, out);
}
