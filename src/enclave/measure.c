#include "enclave/measure.h"

/* What a program needs beside a model that it holds as a whole. */
enum { ROOM = 16 << 20 };

cm_enclave_delivery cm_enclave_fit(uint64_t memory, uint64_t size, bool stream)
{
    bool fits = memory > ROOM && size <= memory - ROOM && size > 0;

    return fits && !stream ? CM_ENCLAVE_MEMORY : CM_ENCLAVE_STREAM; /* EN-30 */
}

static bool climbs(const char *path)
{
    for (const char *p = path; (p = strstr(p, "..")) != NULL; p += 2)
        if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == 0))
            return true;
    return false;
}

/* Under the name that the program knows it by. */
static cm_err add_file(cm_closure *c, const cm_crypt *crypt, cm_enclave_role role, const char *path)
{
    const char *name = path;

    while (name[0] == '.' && name[1] == '/')
        name += 2;
    if (climbs(name) || !name[0]) {
        if (!c->culprit)
            CM_TRY(cm_strdup(&c->culprit, cm_view_str(path)));
        return CM_FAIL(ENCLAVE_KIND);
    }
    return cm_closure_add(c, crypt, role, name, path);
}

static cm_err hold_files(cm_closure *c, const cm_crypt *crypt, const cm_enclave_plan *p)
{
    CM_TRY(cm_closure_program(c, crypt, p->program, p->folders));
    if (p->config)
        CM_TRY(add_file(c, crypt, CM_ENCLAVE_CONFIG, p->config));
    if (p->policy)
        CM_TRY(add_file(c, crypt, CM_ENCLAVE_POLICY, p->policy));
    for (size_t i = 0; p->files && p->files[i]; i++)
        CM_TRY(add_file(c, crypt, CM_ENCLAVE_DATA, p->files[i]));
    return CM_OKAY;
}

static cm_err list_env(cm_enclave_manifest *m, const cm_enclave_plan *p)
{
    for (size_t i = 0; p->env && p->env[i]; i++) {
        const char *eq = strchr(p->env[i], '=');
        cm_enclave_env *e = &m->env[m->env_n];

        if (m->env_n == CM_ENCLAVE_ENV)
            return CM_FAIL(ENCLAVE_TOO_MANY);
        if (!eq || eq == p->env[i])
            return CM_FAIL(BAD_ARGUMENT);
        e->name = cm_view_of(p->env[i], (size_t)(eq - p->env[i]));
        e->value = cm_view_str(eq + 1);
        if (!cm_enclave_env_allowed(e->name))
            return CM_FAIL(ENCLAVE_VARIABLE);
        m->env_n++;
    }
    return CM_OKAY;
}

static cm_err list_args(cm_enclave_manifest *m, const cm_enclave_plan *p)
{
    for (; p->args[m->args_n]; m->args_n++) {
        if (m->args_n == CM_ENCLAVE_ARGS)
            return CM_FAIL(ENCLAVE_TOO_MANY);
        m->args[m->args_n] = cm_view_str(p->args[m->args_n]);
    }
    return CM_OKAY;
}

static cm_err describe(cm_enclave_measured *out, const cm_enclave_plan *p)
{
    CM_AUTO(cm_free_ptr) cm_enclave_manifest *m = NULL;

    CM_TRY(cm_alloc(&m, sizeof *m));
    cm_closure_list(&out->closure, m);
    CM_TRY(list_args(m, p));
    CM_TRY(list_env(m, p));
    m->memory = p->memory ? p->memory : CM_ENCLAVE_MEMORY_USUAL;
    m->listens = p->listens;
    if (p->model) {
        memcpy(m->model, p->model, sizeof m->model);
        m->model_size = p->model_size;
        m->delivery = cm_enclave_fit(m->memory, m->model_size, p->stream);
    }
    out->text.max = CM_ENCLAVE_MANIFEST_MAX;
    return cm_enclave_manifest_write(&out->text, m);
}

cm_err cm_enclave_measure(cm_enclave_measured *out, const cm_crypt *c, const cm_enclave_plan *p)
{
    CM_TRY(hold_files(&out->closure, c, p));
    CM_TRY(describe(out, p));
    /* What runs is what the text says, as anybody else would read it. */
    CM_TRY(cm_enclave_manifest_read(&out->manifest, cm_buf_view(&out->text)));
    return cm_enclave_manifest_digest(out->digest, c, cm_buf_view(&out->text));
}

void cm_enclave_measured_free(cm_enclave_measured *m)
{
    cm_closure_free(&m->closure);
    cm_free(m->manifest);
    cm_buf_free(&m->text);
    *m = (cm_enclave_measured){0};
}
