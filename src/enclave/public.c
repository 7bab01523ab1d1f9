/* The public face: include/casemate/enclave.h over measuring, starting and asking. */
#include <casemate/enclave.h>

#include "enclave/enclave.h"

enum { USUAL_TIMEOUT_MS = 60000 };

typedef struct {
    cm_crypt *crypt;
    cm_model *model;
    cm_enclave_measured measured;
    cm_enclave *enclave;
} run;

static void run_done(run *r)
{
    cm_enclave_free(r->enclave);
    cm_enclave_measured_free(&r->measured);
    cm_model_close(r->model);
    cm_crypt_free(r->crypt);
}

static cm_err check(const cm_buf *answer, cm_view payload, const cm_enclave_program *p,
                    const cm_enclave_limits *l)
{
    if (p->abi != CM_ABI_VERSION || !p->program || (p->model && !p->open) ||
        (l->flags & ~(unsigned)(CM_ENCLAVE_STRICT | CM_ENCLAVE_RANGES)))
        return CM_FAIL(BAD_ARGUMENT);
    if ((l->memory && (l->memory < CM_ENCLAVE_MEMORY_MIN || l->memory > CM_ENCLAVE_MEMORY_MAX)) ||
        payload.n > CM_ENCLAVE_CALL_MAX || answer->max > CM_ENCLAVE_CALL_MAX)
        return CM_FAIL(ENCLAVE_LIMITS);
    return CM_OKAY;
}

static cm_err measure(run *r, const cm_enclave_program *p, const cm_enclave_limits *l)
{
    const char *alone[] = {p->program, NULL};
    cm_enclave_plan plan = {.program = p->program,
                            .args = p->args ? p->args : alone,
                            .env = p->env,
                            .config = p->config,
                            .files = p->files,
                            .folders = p->libraries,
                            .memory = l->memory,
                            .stream = l->flags & CM_ENCLAVE_RANGES};

    if (r->model) {
        const cm_sealed_info *i = cm_sealed_get(cm_sealed_of_model(r->model));

        plan.model = i->digest;
        plan.model_size = i->size;
    }
    CM_TRY(cm_enclave_measure(&r->measured, r->crypt, &plan));
    if (p->manifest &&
        !cm_view_eq(cm_view_of(p->manifest, CM_ENCLAVE_DIGEST), CM_VIEW(r->measured.digest)))
        return CM_FAIL(ENCLAVE_CHANGED);
    return CM_OKAY;
}

static cm_err start(run *r, uint32_t *has, const cm_enclave_limits *l)
{
    cm_enclave_options o = {.measured = &r->measured,
                            .model = r->model ? cm_sealed_of_model(r->model) : NULL,
                            .listen = -1,
                            .output = -1,
                            .demand = l->flags & CM_ENCLAVE_STRICT ? CM_HAS_ALL : 0};

    return cm_enclave_start(&r->enclave, has, r->crypt, &o);
}

static void tell(cm_enclave_outcome *out, const run *r, uint32_t has)
{
    cm_enclave_figures f;

    cm_enclave_get(r->enclave, &f);
    *out = (cm_enclave_outcome){.simulated = true,
                                .complete = has == CM_HAS_ALL,
                                .start_ns = f.start_ns,
                                .range_bytes = f.range_bytes,
                                .peak = f.peak};
    memcpy(out->manifest, r->measured.digest, sizeof out->manifest);
}

cm_err cm_enclave_execute(cm_buf *answer, cm_enclave_outcome *outcome, cm_view payload,
                          const cm_enclave_program *program, const cm_enclave_limits *limits)
{
    CM_AUTO(run_done) run r = {.crypt = NULL};
    cm_enclave_limits usual = {.flags = 0};
    const cm_enclave_limits *l = limits ? limits : &usual;
    uint32_t has = 0;

    CM_TRY(check(answer, payload, program, l));
    CM_TRY(cm_crypt_new(&r.crypt, CM_PROFILE_DEFAULT));
    if (program->model)
        CM_TRY(cm_model_open(&r.model, program->model, program->open));
    CM_TRY(measure(&r, program, l));
    CM_TRY(start(&r, &has, l));
    CM_TRY(cm_enclave_ask(answer, r.enclave, payload,
                          l->timeout_ms ? l->timeout_ms : USUAL_TIMEOUT_MS, -1));
    if (outcome)
        tell(outcome, &r, has);
    return CM_OKAY;
}
