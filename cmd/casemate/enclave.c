/* casemate enclave manifest and verify: what would run, in one digest. */
#include "enclave.h"

#include <stdio.h>

#include "base/os.h"

enum { SIGNATURE_MAX = 64 << 10, PATH_LEN = 4096 };

/* ---- words --------------------------------------------------------------------------------- */

static void say_files(cm_cli *cli, const cm_enclave_manifest *m)
{
    char hex[65], name[CM_CLI_LINE], size[32];

    for (size_t i = 0; i < m->files_n; i++) {
        const cm_enclave_file *f = &m->files[i];

        cm_cli_say(cli, "%-8s  %s  %9s  %s\n", cm_enclave_role_name(f->role),
                   cm_cli_hex(hex, CM_VIEW(f->sha256)), cm_cli_bytes(size, f->size),
                   cm_cli_clean(name, sizeof name, f->name));
    }
}

static void say(cm_cli *cli, const cm_enclave_manifest *m, const char *digest)
{
    char hex[65], text[CM_CLI_LINE], value[CM_CLI_LINE], size[32];

    say_files(cli, m);
    if (m->delivery != CM_ENCLAVE_NO_MODEL)
        cm_cli_say(cli, "model     %s  %9s  %s\n", cm_cli_hex(hex, CM_VIEW(m->model)),
                   cm_cli_bytes(size, m->model_size),
                   m->delivery == CM_ENCLAVE_MEMORY ? "as a sealed memory file"
                                                    : "in ranges, on request");
    for (size_t i = 0; i < m->args_n; i++)
        cm_cli_say(cli, "argument  %s\n", cm_cli_clean(text, sizeof text, m->args[i]));
    for (size_t i = 0; i < m->env_n; i++)
        cm_cli_say(cli, "variable  %s=%s\n", cm_cli_clean(text, sizeof text, m->env[i].name),
                   cm_cli_clean(value, sizeof value, m->env[i].value));
    cm_cli_say(cli, "memory    %s\nsocket    %s\ndigest    %s\n", cm_cli_bytes(size, m->memory),
               m->listens ? "one that listens is given to it" : "none but its channel", digest);
}

/* ---- manifest ------------------------------------------------------------------------------ */

static cm_err sign_beside(cm_cli *cli, const cm_enclave_measured *m, const char *out)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SIGNATURE_MAX};
    char path[PATH_LEN];
    int n = snprintf(path, sizeof path, "%s.sig", out);

    if (n < 0 || (size_t)n >= sizeof path)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cli_load_key(cli, &key, cm_cli_text(cli, "key")));
    CM_TRY(cm_cli_about(cli, cm_cli_text(cli, "key"),
                        cm_enclave_manifest_sign(&b, cli->crypt, key, cm_buf_view(&m->text)),
                        NULL));
    return cm_cli_put_file(cli, path, cm_buf_view(&b));
}

static cm_err write_out(cm_cli *cli, const cm_enclave_measured *m)
{
    const char *out = cm_cli_text(cli, "out");

    if (cm_cli_has(cli, "key") && (!out || cm_cli_is_dash(out)))
        return cm_cli_usage(cli, "--key signs a file: name it with --out");
    if (out)
        CM_TRY(cm_cli_put_file(cli, out, cm_buf_view(&m->text)));
    return cm_cli_has(cli, "key") ? sign_beside(cli, m, out) : CM_OKAY;
}

static cm_err measure_all(cm_cli *cli, cm_enclave_measured *m, const cm_sealed_info *info)
{
    CM_AUTO(cm_cli_plan_done) cm_cli_plan p = {.plan = {0}};

    CM_TRY(cm_cli_plan_init(cli, &p, info));
    p.plan.listens = cm_cli_has(cli, "listens");
    return cm_cli_measure(cli, m, &p.plan);
}

cm_err cm_cli_enclave_manifest(cm_cli *cli)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model model = {.fd = -1};
    CM_AUTO(cm_enclave_measured_free) cm_enclave_measured m = {.text = {0}};
    const char *path = cm_cli_text(cli, "model");
    char digest[65];
    cm_cli_event e;

    if (path) {
        CM_TRY(cm_cli_access_init(cli, &a, CM_CLI_TRUST));
        CM_TRY(cm_cli_model_load(cli, &model, path, &a, false));
        CM_TRY(cm_sealed_trust(model.s));
    }
    CM_TRY(measure_all(cli, &m, path ? cm_sealed_get(model.s) : NULL));
    CM_TRY(write_out(cli, &m));
    cm_cli_hex(digest, CM_VIEW(m.digest));
    cm_cli_event_begin(cli, &e, "manifest");
    cm_cli_put_manifest(&e.w, m.manifest, digest);
    cm_cli_event_end(cli, &e);
    say(cli, m.manifest, digest);
    return CM_OKAY;
}

/* ---- verify -------------------------------------------------------------------------------- */

void cm_cli_checked(cm_cli_checks *c, cm_check verdict, const char *what, cm_view about,
                    const char *why)
{
    static const char *const words[] = {
        [CM_CHECK_PASS] = "PASS", [CM_CHECK_SKIP] = "SKIP", [CM_CHECK_FAIL] = "FAIL"};
    char name[CM_CLI_LINE];
    cm_cli_event e;

    c->n[verdict]++;
    cm_cli_event_begin(c->cli, &e, "check");
    cm_json_put_text(&e.w, "verdict", cm_view_str(words[verdict]));
    cm_json_put_text(&e.w, "what", cm_view_str(what));
    cm_json_put_text(&e.w, "about", about);
    cm_json_put_text(&e.w, "why", cm_view_str(why));
    cm_cli_event_end(c->cli, &e);
    cm_cli_say(c->cli, "%s  %-9s %s: %s\n", words[verdict], what,
               cm_cli_clean(name, sizeof name, about), why);
}

static cm_err check_signature(cm_cli_checks *c, cm_view text)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = SIGNATURE_MAX + 1};
    const char *path = cm_cli_text(c->cli, "key");
    char sig[PATH_LEN];
    cm_err e;

    if (!path) {
        cm_cli_checked(c, CM_CHECK_SKIP, "signature", CM_LIT("-"), "name its signer with --key");
        return CM_OKAY;
    }
    (void)snprintf(sig, sizeof sig, "%s.sig", c->cli->args[0]);
    if (cm_cli_has(c->cli, "signature"))
        (void)snprintf(sig, sizeof sig, "%s", cm_cli_text(c->cli, "signature"));
    CM_TRY(cm_cli_load_key(c->cli, &key, path));
    CM_TRY(cm_cli_about(c->cli, sig, cm_os_slurp(&b, sig, SIGNATURE_MAX), NULL));
    e = cm_enclave_manifest_check(c->cli->crypt, key, text, cm_buf_view(&b));
    cm_cli_checked(c, cm_ok(e) ? CM_CHECK_PASS : CM_CHECK_FAIL, "signature", cm_view_str(path),
                   cm_ok(e) ? "of this key, over this manifest" : cm_err_what(e));
    return CM_OKAY;
}

static const cm_pin *pin_of(const cm_closure *c, const cm_enclave_file *f)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].role == f->role && cm_view_eq(cm_view_str(c->v[i].name), f->name))
            return &c->v[i];
    return NULL;
}

static void check_files(cm_cli_checks *c, const cm_enclave_manifest *m, const cm_closure *now)
{
    for (size_t i = 0; i < m->files_n; i++) {
        const cm_enclave_file *f = &m->files[i];
        const cm_pin *p = pin_of(now, f);
        bool same = p && cm_view_eq(CM_VIEW(p->sha256), CM_VIEW(f->sha256));

        cm_cli_checked(c, same ? CM_CHECK_PASS : CM_CHECK_FAIL, cm_enclave_role_name(f->role),
                       f->name,
                       same ? "as measured"
                       : p  ? "another file than was measured"
                            : "not here");
    }
    for (size_t i = m->files_n; i < now->n; i++)
        cm_cli_checked(c, CM_CHECK_FAIL, "library", CM_LIT("-"),
                       "more is loaded than was measured");
}

/* A file that is gone is a check that fails, not the end. */
static void hold_named(cm_cli *cli, cm_closure *now, const cm_enclave_manifest *m)
{
    for (size_t i = 0; i < m->files_n; i++) {
        const cm_enclave_file *f = &m->files[i];
        char name[CM_ENCLAVE_TEXT + 1];

        (void)snprintf(name, sizeof name, "%.*s", (int)f->name.n, (const char *)f->name.p);
        if (f->role >= CM_ENCLAVE_CONFIG &&
            cm_failed(cm_closure_add(now, cli->crypt, f->role, name, name)))
            cm_cli_note(cli, "%s can't be read\n", name);
    }
}

static cm_err check_here(cm_cli_checks *c, const cm_enclave_manifest *m)
{
    CM_AUTO(cm_free_ptr) const char **folders = NULL;
    CM_AUTO(cm_closure_free) cm_closure now = {0};
    const char *program = cm_cli_text(c->cli, "program");
    size_t n = cm_cli_count(c->cli, "library-path");

    if (!program) {
        cm_cli_checked(c, CM_CHECK_SKIP, "files", CM_LIT("-"), "name the program with --program");
        return CM_OKAY;
    }
    CM_TRY(cm_alloc_array(&folders, n + 1, sizeof *folders));
    for (size_t i = 0; i < n; i++)
        folders[i] = cm_cli_nth(c->cli, "library-path", i);
    CM_TRY(cm_cli_about(c->cli, program, cm_closure_program(&now, c->cli->crypt, program, folders),
                        NULL));
    hold_named(c->cli, &now, m);
    check_files(c, m, &now);
    return CM_OKAY;
}

static cm_err check_model(cm_cli_checks *c, const cm_enclave_manifest *m)
{
    CM_AUTO(cm_cli_access_done) cm_cli_access a = {0};
    CM_AUTO(cm_cli_model_close) cm_cli_model model = {.fd = -1};
    const char *path = cm_cli_text(c->cli, "model");
    bool same;

    if (!path) {
        cm_cli_checked(c, CM_CHECK_SKIP, "model", CM_LIT("-"), "name it with --model");
        return CM_OKAY;
    }
    CM_TRY(cm_cli_access_init(c->cli, &a, CM_CLI_TRUST));
    CM_TRY(cm_cli_model_load(c->cli, &model, path, &a, false));
    CM_TRY(cm_sealed_trust(model.s));
    same = m->delivery != CM_ENCLAVE_NO_MODEL &&
           cm_view_eq(CM_VIEW(m->model), CM_VIEW(cm_sealed_get(model.s)->digest));
    cm_cli_checked(c, same ? CM_CHECK_PASS : CM_CHECK_FAIL, "model", cm_view_str(path),
                   same ? "the one that was measured" : "another model than was measured");
    return CM_OKAY;
}

cm_err cm_cli_enclave_verify(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_ENCLAVE_MANIFEST_MAX + 1};
    CM_AUTO(cm_free_ptr) cm_enclave_manifest *m = NULL;
    cm_cli_checks c = {.cli = cli};
    uint8_t digest[CM_ENCLAVE_DIGEST];
    char hex[65];
    cm_cli_event e;

    cm_cli_on(cli, cli->args[0]);
    CM_TRY(cm_os_slurp(&text, cli->args[0], CM_ENCLAVE_MANIFEST_MAX));
    CM_TRY(cm_enclave_manifest_read(&m, cm_buf_view(&text)));
    CM_TRY(cm_enclave_manifest_digest(digest, cli->crypt, cm_buf_view(&text)));
    cm_cli_hex(hex, CM_VIEW(digest));
    cm_cli_event_begin(cli, &e, "manifest");
    cm_cli_put_manifest(&e.w, m, hex);
    cm_cli_event_end(cli, &e);
    say(cli, m, hex);
    CM_TRY(check_signature(&c, cm_buf_view(&text)));
    CM_TRY(check_here(&c, m));
    CM_TRY(check_model(&c, m));
    CM_TRY(cm_cli_check_evidence(&c, digest));
    cm_cli_say(cli, "%u passed, %u skipped, %u failed\n", c.n[CM_CHECK_PASS], c.n[CM_CHECK_SKIP],
               c.n[CM_CHECK_FAIL]);
    if (c.evidence)
        return CM_FAIL(ENCLAVE_EVIDENCE);
    return c.n[CM_CHECK_FAIL] ? CM_FAIL(ENCLAVE_CHANGED) : CM_OKAY;
}
