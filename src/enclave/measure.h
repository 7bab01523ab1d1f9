#ifndef CM_ENCLAVE_MEASURE_H
#define CM_ENCLAVE_MEASURE_H
/* From what is asked for to what is measured: the files held, the manifest and its digest. */
#include "enclave/closure.h"

/** Zero it and fill what you have; everything is borrowed. */
typedef struct {
    const char *program;     /* path; no search */
    const char *const *args; /* NULL at the end; the first is the program's name */
    const char *const *env;  /* NAME=VALUE, NULL at the end; may be NULL */
    const char *config, *policy;
    const char *const *files;   /* others that it may read; NULL at the end; may be NULL */
    const char *const *folders; /* where libraries are looked for first; the same */
    uint64_t memory;            /* 0: 128 MiB */
    const uint8_t *model;       /* the model's digest; NULL: none */
    uint64_t model_size;
    bool stream; /* never in memory as a whole */
    bool listens;
} cm_enclave_plan;

/** Zeroed is valid and empty. */
typedef struct {
    cm_closure closure;
    cm_enclave_manifest *manifest; /* borrows from text */
    cm_buf text;
    uint8_t digest[CM_ENCLAVE_DIGEST];
} cm_enclave_measured;

/** Measure what p asks for. What fails is named in out->closure.culprit; out is to be freed in any
 * case. As cm_closure_program(), and ENCLAVE_VARIABLE: a variable that EN-5 keeps away;
 * ENCLAVE_KIND: a file's name has .. in it; BAD_ARGUMENT: the memory, or a text with more than
 * CM_ENCLAVE_TEXT. */
CM_MUST cm_err cm_enclave_measure(cm_enclave_measured *out, const cm_crypt *c,
                                  const cm_enclave_plan *p);
void cm_enclave_measured_free(cm_enclave_measured *m);
/** How a model of size bytes is handed over within a limit (EN-30). */
cm_enclave_delivery cm_enclave_fit(uint64_t memory, uint64_t size, bool stream);

#endif
