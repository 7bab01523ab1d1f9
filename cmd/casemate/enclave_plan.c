/* What an enclave is to run, by the options. */
#include "enclave.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/text.h"

static cm_err list_option(cm_cli *cli, const char ***out, const char *name)
{
    size_t n = cm_cli_count(cli, name);

    CM_TRY(cm_alloc_array(out, n + 1, sizeof **out));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = cm_cli_nth(cli, name, i);
    return CM_OKAY;
}

/* NAME alone takes this process's value; one that is not set is left out. */
static cm_err take_variable(cm_cli *cli, cm_cli_plan *p, size_t *n, const char *given)
{
    const char *value = getenv(given);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_ENCLAVE_TEXT + 2};

    if (!cm_enclave_env_allowed(cm_view_of(given, strcspn(given, "="))))
        return cm_cli_about(cli, given, CM_FAIL(ENCLAVE_VARIABLE), NULL);
    if (strchr(given, '=')) {
        p->env[(*n)++] = given;
        return CM_OKAY;
    }
    if (!value) {
        cm_cli_note(cli, "%s is not set and is left out\n", given);
        return CM_OKAY;
    }
    CM_TRY(cm_buf_append(&b, cm_view_str(given)));
    CM_TRY(cm_buf_byte(&b, '='));
    CM_TRY(cm_buf_append(&b, cm_view_str(value)));
    CM_TRY(cm_strdup(&p->made[p->made_n], cm_buf_view(&b)));
    p->env[(*n)++] = p->made[p->made_n++];
    return CM_OKAY;
}

static cm_err take_env(cm_cli *cli, cm_cli_plan *p)
{
    size_t count = cm_cli_count(cli, "env"), n = 0;

    CM_TRY(cm_alloc_array(&p->env, count + 1, sizeof *p->env));
    CM_TRY(cm_alloc_array(&p->made, count + 1, sizeof *p->made));
    for (size_t i = 0; i < count; i++)
        CM_TRY(take_variable(cli, p, &n, cm_cli_nth(cli, "env", i)));
    return CM_OKAY;
}

cm_err cm_cli_plan_init(cm_cli *cli, cm_cli_plan *p, const cm_sealed_info *info)
{
    cm_enclave_plan *q = &p->plan;

    CM_TRY(list_option(cli, &p->files, "file"));
    CM_TRY(list_option(cli, &p->folders, "library-path"));
    CM_TRY(take_env(cli, p));
    CM_TRY(cm_alloc_array(&p->args, cli->rest_n + 1, sizeof *p->args));
    for (size_t i = 0; i < cli->rest_n; i++)
        p->args[i] = cli->rest[i];
    CM_TRY(cm_cli_size(cli, "memory", CM_ENCLAVE_MEMORY_MIN, CM_ENCLAVE_MEMORY_MAX, &q->memory));
    q->program = cli->rest[0];
    q->args = p->args;
    q->env = p->env;
    q->files = p->files;
    q->folders = p->folders;
    q->config = cm_cli_text(cli, "config");
    q->policy = cm_cli_text(cli, "policy");
    q->stream = cm_cli_has(cli, "stream");
    if (!strchr(q->program, '/'))
        return cm_cli_usage(cli, "%s: give the program as a path, such as ./%s", q->program,
                            q->program);
    if (info) {
        memcpy(p->model, info->digest, sizeof p->model);
        q->model = p->model;
        q->model_size = info->size;
    }
    return CM_OKAY;
}

void cm_cli_plan_done(cm_cli_plan *p)
{
    for (size_t i = 0; i < p->made_n; i++)
        cm_free(p->made[i]);
    cm_free(p->made);
    cm_free(p->env);
    cm_free(p->args);
    cm_free(p->files);
    cm_free(p->folders);
}

cm_err cm_cli_measure(cm_cli *cli, cm_enclave_measured *m, const cm_enclave_plan *p)
{
    cm_err e = cm_enclave_measure(m, cli->crypt, p);

    return cm_cli_about(cli, m->closure.culprit ? m->closure.culprit : p->program, e, NULL);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void put_files(cm_json_writer *w, const cm_enclave_manifest *m)
{
    cm_json_begin_array(w, "files");
    for (size_t i = 0; i < m->files_n; i++) {
        const cm_enclave_file *f = &m->files[i];

        cm_json_begin_object(w, NULL);
        cm_json_put_text(w, "role", cm_view_str(cm_enclave_role_name(f->role)));
        cm_json_put_text(w, "name", f->name);
        cm_json_put_u64(w, "size", f->size);
        cm_json_put_hex(w, "sha256", CM_VIEW(f->sha256));
        cm_json_end_object(w);
    }
    cm_json_end_array(w);
}

void cm_cli_put_manifest(cm_json_writer *w, const cm_enclave_manifest *m, const char *digest)
{
    cm_json_put_text(w, "digest", cm_view_str(digest));
    put_files(w, m);
    cm_json_begin_array(w, "args");
    for (size_t i = 0; i < m->args_n; i++)
        cm_json_put_text(w, NULL, m->args[i]);
    cm_json_end_array(w);
    cm_json_begin_object(w, "env");
    for (size_t i = 0; i < m->env_n; i++) {
        cm_json_put_key(w, m->env[i].name);
        cm_json_put_text(w, NULL, m->env[i].value);
    }
    cm_json_end_object(w);
    if (m->delivery != CM_ENCLAVE_NO_MODEL) {
        cm_json_put_hex(w, "model", CM_VIEW(m->model));
        cm_json_put_u64(w, "model_size", m->model_size);
    }
    cm_json_put_text(w, "delivery", cm_view_str(cm_enclave_delivery_name(m->delivery)));
    cm_json_put_u64(w, "memory", m->memory);
    cm_json_put_bool(w, "listens", m->listens);
}

void cm_cli_put_standing(cm_json_writer *w, cm_standing s)
{
    cm_json_put_bool(w, "simulated", cm_standing_simulated(s));
    cm_json_put_text(w, "tier", cm_view_str(cm_standing_name(s)));
    cm_json_put_bool(w, "emulated", s.emulated);
}

cm_err cm_cli_enclave_nonce(cm_cli *cli, uint8_t nonce[CM_BIND_NONCE])
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_BIND_NONCE};
    const char *text = cm_cli_text(cli, "nonce");

    if (!text)
        return cm_random(cli->crypt, nonce, CM_BIND_NONCE);
    if (cm_failed(cm_hex_decode(&b, cm_view_str(text))) || b.n != CM_BIND_NONCE)
        return cm_cli_usage(cli, "--nonce %s: not 64 hexadecimal digits", text);
    memcpy(nonce, b.p, CM_BIND_NONCE);
    return CM_OKAY;
}
