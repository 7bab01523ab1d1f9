#ifndef CASEMATE_ENCLAVE_H
#define CASEMATE_ENCLAVE_H
/*
 * A program run measured and locked in with a sealed model, for one request: executeInEnclave(
 * payload, model). Part of libcasemate-enclave (pkg-config casemate-enclave), which has all of
 * libcasemate too: link one of the two.
 *
 * The program is an ELF file that speaks the channel of spec/enclave.md, section 4. It gets the
 * files, arguments and variables named here and no other, no network, no processes, and memory up
 * to the limit. A model that fits the limit less 16 MiB is handed over as a sealed memory file; a
 * larger one in ranges that are verified before they are handed out, so any model works under any
 * limit. Keys and the model's other bytes stay in the calling process.
 *
 * The result is SIMULATED: no hardware stands behind it. casemate enclave run collects evidence.
 *
 * Threads: cm_enclave_execute() starts a process of its own, which dies with the calling thread,
 * and may be called from several threads at once. It blocks. Outputs change only on success.
 */
#include <casemate/model.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CM_ENCLAVE_STRICT = 1u, /* ENCLAVE_WEAK unless every protection holds */
    CM_ENCLAVE_RANGES = 2u, /* hand the model over in ranges even if all of it would fit */
};

/** Zero it for the usual: 128 MiB, one minute. */
typedef struct {
    unsigned flags;
    uint64_t memory;     /* bytes the program may have: 4 MiB or more; 0: 128 MiB */
    uint64_t timeout_ms; /* how long its answer may take; 0: 60000 */
} cm_enclave_limits;

/** What is run. Zero it, set abi to CM_ABI_VERSION, fill what you have; all borrowed. Lists end
 * with NULL, and may be NULL. */
typedef struct {
    unsigned abi;
    const char *program;          /* path; no search */
    const char *const *args;      /* the first is its name; NULL: the path alone */
    const char *const *env;       /* NAME=VALUE */
    const char *config;           /* a file that it reads; or NULL */
    const char *const *files;     /* others */
    const char *const *libraries; /* folders to look for its libraries in first */
    const uint8_t *manifest;      /* 32 bytes: run only what has this digest; NULL: anything */
    const char *model;            /* a sealed model; NULL: none */
    const cm_model_options *open; /* how to open it */
} cm_enclave_program;

/** What is known of a run. */
typedef struct {
    uint8_t manifest[32]; /* digest of what ran (spec/enclave.md, EN-2) */
    bool simulated;       /* no hardware stands behind it: always, here */
    bool complete;        /* every protection held */
    uint64_t start_ns;    /* until its first instruction */
    uint64_t range_bytes; /* of the model, in ranges */
    uint64_t peak;        /* its most memory in bytes; 0: unknown */
} cm_enclave_outcome;

/** Run the program for one request and append its answer to answer, whose max bounds it (64 MiB at
 * most). outcome may be NULL; limits NULL: the usual.
 * ENCLAVE_LIMITS; ENCLAVE_CHANGED: not the manifest that was asked for; what opening the model and
 * measuring the program give; ENCLAVE_START, ENCLAVE_WEAK, SANDBOX_...: it was not run;
 * ENCLAVE_TIMEOUT, ENCLAVE_GONE, ENCLAVE_PROTOCOL, ENCLAVE_ANSWER: what it did wrong. */
CM_API CM_MUST cm_err cm_enclave_execute(cm_buf *answer, cm_enclave_outcome *outcome,
                                         cm_view payload, const cm_enclave_program *program,
                                         const cm_enclave_limits *limits);

#ifdef __cplusplus
}
#endif
#endif
