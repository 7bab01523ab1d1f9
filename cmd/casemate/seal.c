/* casemate seal, casemate digest. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "seal.h"

/* ---- options ------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void trim_slashes(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
}

/* The name of a file without its ending, of a folder as it is; "model" for a stream. */
static cm_err default_name(char **name, const char *in)
{
    CM_AUTO(cm_free_ptr) char *copy = NULL;
    char resolved[4096];
    struct stat st;
    const char *base, *dot;

    if (cm_cli_is_dash(in))
        return cm_strdup(name, CM_LIT("model"));
    CM_TRY(cm_strdup(&copy, cm_view_str(in)));
    trim_slashes(copy);
    base = base_name(copy);
    if ((strcmp(base, ".") == 0 || strcmp(base, "..") == 0) && realpath(copy, resolved))
        base = base_name(resolved);
    dot = strrchr(base, '.');
    if (dot && dot != base && stat(in, &st) == 0 && S_ISREG(st.st_mode))
        return cm_strdup(name, cm_view_of(base, (size_t)(dot - base)));
    return cm_strdup(name, cm_view_str(base));
}

cm_err cm_cli_pairs(cm_cli *cli, cm_cli_provenance *p)
{
    size_t n = cm_cli_count(cli, "provenance");

    if (n > CM_SEALED_PAIRS)
        return cm_cli_usage(cli, "--provenance is given more than %d times", CM_SEALED_PAIRS);
    for (; p->n < n; p->n++) {
        const char *text = cm_cli_nth(cli, "provenance", p->n), *eq = strchr(text, '=');

        if (!eq || eq == text)
            return cm_cli_usage(cli, "--provenance %s: not KEY=VALUE", text);
        CM_TRY(cm_strdup(&p->key[p->n], cm_view_of(text, (size_t)(eq - text))));
        p->pairs[p->n] = (cm_pair){p->key[p->n], eq + 1};
    }
    return CM_OKAY;
}

void cm_cli_pairs_free(cm_cli_provenance *p)
{
    for (size_t i = 0; i < CM_SEALED_PAIRS; i++)
        cm_free(p->key[i]);
}

cm_err cm_cli_seal_numbers(cm_cli *cli, cm_seal_options *o)
{
    uint64_t tier = o->tier, segment = 0;

    CM_TRY(cm_cli_number(cli, "tier", 0, 4, &tier));
    CM_TRY(cm_cli_size(cli, "segment-size", 64 << 10, 16 << 20, &segment));
    if (segment & (segment - 1))
        return cm_cli_usage(cli, "--segment-size %s: not a power of two",
                            cm_cli_text(cli, "segment-size"));
    o->tier = (unsigned)tier;
    o->segment = (uint32_t)segment;
    o->created = cm_os_now();
    o->watch = cm_cli_watch(cli);
    o->replace = cm_cli_has(cli, "force");
    o->private_digest = cm_cli_has(cli, "private-digest");
    o->sealed_root = cm_cli_has(cli, "keyless-verify");
    o->allow_classical = cm_cli_has(cli, "allow-classical");
    o->no_signature = cm_cli_has(cli, "unsigned");
    return cm_cli_threads(cli, &o->threads);
}

static cm_err fill_options(cm_cli *cli, cm_seal_options *o, const cm_cli_provenance *p)
{
    const char *version = cm_cli_text(cli, "model-version");
    uint64_t room = 0;

    CM_TRY(cm_cli_seal_numbers(cli, o));
    CM_TRY(cm_cli_number(cli, "room", 1, CM_STANZAS_MAX, &room));
    o->room = (unsigned)room;
    o->version = version ? version : "1";
    o->licence = cm_cli_text(cli, "licence");
    o->publisher = cm_cli_text(cli, "publisher");
    o->policy = cm_cli_text(cli, "policy");
    o->provenance = p->n ? p->pairs : NULL;
    o->provenance_n = p->n;
    o->no_resume = cm_cli_has(cli, "no-resume");
    return CM_OKAY;
}

static cm_err default_output(char **out, const char *in)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    CM_AUTO(cm_free_ptr) char *copy = NULL;

    CM_TRY(cm_strdup(&copy, cm_view_str(in)));
    trim_slashes(copy);
    CM_TRY(cm_buf_append(&b, cm_view_str(copy)));
    CM_TRY(cm_buf_append(&b, CM_LIT(".sealed")));
    return cm_strdup(out, cm_buf_view(&b));
}

/* ---- sealing ------------------------------------------------------------------------------- */

void cm_cli_report_sealed(cm_cli *cli, const char *verb, const cm_seal_result *r, const char *out)
{
    char digest[65], rate[96], resumed[32];
    cm_cli_event e;

    cm_cli_progress_end(cli);
    cm_cli_hex(digest, CM_VIEW(r->digest));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "verb", cm_view_str(verb));
    if (out)
        cm_json_put_text(&e.w, "path", cm_view_str(out));
    cm_json_put_text(&e.w, "digest", cm_view_str(digest));
    cm_json_put_text(&e.w, "format", cm_view_str(cm_format_name(r->format)));
    cm_json_put_u64(&e.w, "tensors", r->tensors);
    if (r->sealed_size)
        cm_json_put_u64(&e.w, "sealed_bytes", r->sealed_size);
    cm_json_put_u64(&e.w, "resumed", r->resumed);
    cm_cli_put_rate(cli, &e, r->size);
    cm_cli_event_end(cli, &e);
    if (!out)
        return;
    cm_cli_say(cli, "sealed  %s\ndigest  %s\nformat  %s", out, digest, cm_format_name(r->format));
    if (r->tensors)
        cm_cli_say(cli, ", %llu tensors", (unsigned long long)r->tensors);
    cm_cli_say(cli, "\n        %s", cm_cli_rate_text(cli, rate, r->size));
    if (r->resumed)
        cm_cli_say(cli, ", %s of it from an earlier run", cm_cli_bytes(resumed, r->resumed));
    cm_cli_say(cli, "\n");
}

static cm_err need_recipient(cm_cli *cli, const cm_cli_recipients *to)
{
    if (to->n)
        return CM_OKAY;
    return cm_cli_about(
        cli, cli->args[0], CM_FAIL(ENVELOPE_NO_RECIPIENT),
        "name at least one public key (--to PUB), a server's key (--to-kms KEY), "
        "the TPM (--to tpm:pcr=7,11), a policy (--to attested:FILE) or --passphrase");
}

/* Whether the run got as far as a checkpoint. */
static bool left_behind(const char *out)
{
    char journal[CM_CLI_LINE];
    int n = snprintf(journal, sizeof journal, "%s.part.journal", out);

    return n > 0 && (size_t)n < sizeof journal && cm_os_exists(journal);
}

static cm_err seal_to(cm_cli *cli, cm_seal_options *o, const char *in, const char *out)
{
    CM_AUTO(cm_free_ptr) char *culprit = NULL;
    uint8_t resume_key[32];
    bool stream = cm_cli_is_dash(in), have = false;
    cm_seal_result r;
    cm_err e;

    if (out)
        CM_TRY(cm_cli_resume_key(cli, resume_key, &have));
    o->resume_key = have ? resume_key : NULL;
    o->culprit = &culprit;
    cm_cli_progress_begin(cli);
    e = cm_seal(&r, cli->crypt, o, stream ? NULL : in, STDIN_FILENO, out, STDOUT_FILENO);
    cm_wipe(resume_key, sizeof resume_key);
    cli->resumable = out && left_behind(out);
    if (cm_failed(e) && culprit)
        return cm_cli_about(cli, culprit, e, NULL);
    CM_TRY(e);
    cm_cli_report_sealed(cli, "seal", &r, out);
    return CM_OKAY;
}

static cm_err output_of(cm_cli *cli, char **out, const char *in)
{
    const char *given = cm_cli_text(cli, "output");

    if (given ? cm_cli_is_dash(given) : cm_cli_is_dash(in)) {
        cm_cli_data_to_stdout(cli);
        return isatty(STDOUT_FILENO) ? cm_cli_usage(cli, "a container is not for the terminal: "
                                                         "name a file with --output")
                                     : CM_OKAY;
    }
    CM_TRY(given ? cm_strdup(out, cm_view_str(given)) : default_output(out, in));
    return cm_cli_check_output(cli, *out);
}

cm_err cm_cli_seal(cm_cli *cli)
{
    CM_AUTO(cm_cli_recipients_done) cm_cli_recipients to = {0};
    CM_AUTO(cm_cli_signers_done) cm_cli_signers by = {0};
    CM_AUTO(cm_cli_pairs_free) cm_cli_provenance notes = {0};
    CM_AUTO(cm_free_ptr) char *name = NULL;
    CM_AUTO(cm_free_ptr) char *out = NULL;
    const char *in = cli->args[0];
    cm_seal_options o = {0};

    if (cm_cli_has(cli, "sign") && cm_cli_has(cli, "unsigned"))
        return cm_cli_usage(cli, "--sign and --unsigned exclude each other");
    CM_TRY(cm_cli_pairs(cli, &notes));
    CM_TRY(fill_options(cli, &o, &notes));
    CM_TRY(output_of(cli, &out, in));
    CM_TRY(default_name(&name, in));
    o.name = cm_cli_has(cli, "name") ? cm_cli_text(cli, "name") : name;
    CM_TRY(cm_cli_recipients_init(cli, &to, "to", "to-kms", ""));
    CM_TRY(need_recipient(cli, &to));
    if (!o.no_signature)
        CM_TRY(cm_cli_signers_init(cli, &by, "sign"));
    o.to = to.v;
    o.to_n = to.n;
    o.signers = by.v;
    o.signers_n = by.keys.n;
    cm_cli_on(cli, in);
    return seal_to(cli, &o, in, out);
}

cm_err cm_cli_digest(cm_cli *cli)
{
    const char *in = cli->args[0];
    bool stream = cm_cli_is_dash(in);
    char digest[65];
    unsigned threads;
    cm_seal_result r;

    cm_cli_on(cli, in);
    CM_TRY(cm_cli_threads(cli, &threads));
    cm_cli_progress_begin(cli);
    CM_TRY(cm_seal_digest(&r, stream ? NULL : in, STDIN_FILENO, 0, threads, cm_cli_watch(cli)));
    cm_cli_report_sealed(cli, "digest", &r, NULL);
    cm_cli_say(cli, "%s\n", cm_cli_hex(digest, CM_VIEW(r.digest)));
    return CM_OKAY;
}
