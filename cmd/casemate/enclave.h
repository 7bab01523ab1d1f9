#ifndef CM_CMD_ENCLAVE_H
#define CM_CMD_ENCLAVE_H
/* What the enclave verbs have in common. */
#include "access.h"
#include "enclave/measure.h"

/** A plan by the options, and what it borrows from. Zeroed is valid and empty. */
typedef struct {
    cm_enclave_plan plan;
    const char **args, **env, **files, **folders;
    char **made; /* NAME=VALUE of variables taken from this process's environment */
    size_t made_n;
    uint8_t model[32];
} cm_cli_plan;

/** info NULL: no model. */
CM_MUST cm_err cm_cli_plan_init(cm_cli *cli, cm_cli_plan *p, const cm_sealed_info *info);
void cm_cli_plan_done(cm_cli_plan *p);
/** Measure, blaming the file that stands in the way. */
CM_MUST cm_err cm_cli_measure(cm_cli *cli, cm_enclave_measured *m, const cm_enclave_plan *p);
/** The manifest's members, for an event. */
void cm_cli_put_manifest(cm_json_writer *w, const cm_enclave_manifest *m, const char *digest);
/** Said wherever no hardware stands behind a result. */
extern const char cm_cli_simulated[];

#endif
