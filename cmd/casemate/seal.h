#ifndef CM_CMD_SEAL_H
#define CM_CMD_SEAL_H
/* What sealing and sealing anew have in common. */
#include "access.h"

typedef struct {
    cm_pair pairs[CM_SEALED_PAIRS];
    char *key[CM_SEALED_PAIRS];
    size_t n;
} cm_cli_provenance;

CM_MUST cm_err cm_cli_pairs(cm_cli *cli, cm_cli_provenance *p);
void cm_cli_pairs_free(cm_cli_provenance *p);
/** Tier, sizes, threads and flags by the options; o->tier is the default tier. */
CM_MUST cm_err cm_cli_seal_numbers(cm_cli *cli, cm_seal_options *o);
/** Event "done", and words unless out is NULL. */
void cm_cli_report_sealed(cm_cli *cli, const char *verb, const cm_seal_result *r, const char *out);

#endif
