#ifndef CM_CMD_ENCLAVE_H
#define CM_CMD_ENCLAVE_H
/* What the enclave verbs have in common. */
#include "access.h"
#include "enclave/measure.h"
#include "enclave/standing.h"

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
/** "simulated", "tier" and "emulated", for an event. */
void cm_cli_put_standing(cm_json_writer *w, cm_standing s);
/** --nonce, or a random one. CLI_USAGE. */
CM_MUST cm_err cm_cli_enclave_nonce(cm_cli *cli, uint8_t nonce[CM_BIND_NONCE]);

/** The lines of enclave verify, and how many there were of each verdict. */
typedef struct {
    cm_cli *cli;
    unsigned n[3];
    bool evidence; /* one that evidence failed */
} cm_cli_checks;
void cm_cli_checked(cm_cli_checks *c, cm_check verdict, const char *what, cm_view about,
                    const char *why);
/** --evidence: against the manifest with this digest, as the other options demand (EN-63). An error
 * only when it can't be judged at all. */
CM_MUST cm_err cm_cli_check_evidence(cm_cli_checks *c, const uint8_t digest[CM_ENCLAVE_DIGEST]);

#endif
