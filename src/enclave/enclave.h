#ifndef CM_ENCLAVE_ENCLAVE_H
#define CM_ENCLAVE_ENCLAVE_H
/*
 * A measured program run locked in, with a sealed model: spec/enclave.md, sections 2 to 5. The
 * program reads the model in ranges that were verified before it gets them, or all of it from a
 * memory file; it gets requests and gives answers; it has nothing else. Keys never leave this
 * process.
 *
 * The thread that starts an enclave must live as long as it: the program is killed when that thread
 * ends. One thread at a time otherwise.
 */
#include "enclave/child.h"
#include "enclave/measure.h"
#include "sealed/sealed.h"

typedef struct cm_enclave cm_enclave;

enum { CM_ENCLAVE_CALL_MAX = 64 << 20, CM_ENCLAVE_RANGE_MAX = 1 << 20 };

typedef struct {
    const cm_enclave_measured *measured; /* outlives the enclave, as do model and crypt */
    cm_sealed *model;                    /* unlocked; NULL: none */
    int listen;                          /* a socket that listens, for the program; -1: none */
    int output;                          /* where what it writes goes; -1: nowhere. 1 MiB at most */
    uint32_t demand;                     /* CM_HAS_...: ENCLAVE_WEAK without them */
    const char *groups;                  /* NULL: /sys/fs/cgroup */
    bool no_namespaces;                  /* as on a machine that allows none: for tests */
} cm_enclave_options;

/** Start the program. ENCLAVE_START; ENCLAVE_WEAK: *has tells what holds; ENCLAVE_CHANGED: the
 * model is not the manifest's; SANDBOX_...: what must be refused was not. *has also on failure. */
CM_MUST cm_err cm_enclave_start(cm_enclave **out, uint32_t *has, const cm_crypt *c,
                                const cm_enclave_options *o);
/** Ask it to end, wait a while, end it; free what it had. NULL is fine. */
void cm_enclave_free(cm_enclave *e);
void cm_enclave_free_ptr(cm_enclave **e);

/** executeInEnclave: one request in, one answer appended to out, whose max bounds it. timeout_ms 0:
 * none. ENCLAVE_TIMEOUT (the program is ended), ENCLAVE_GONE, ENCLAVE_PROTOCOL, ENCLAVE_ANSWER,
 * TOO_BIG, BAD_ARGUMENT: wake is set and became readable (CANCELLED). */
CM_MUST cm_err cm_enclave_ask(cm_buf *out, cm_enclave *e, cm_view request, uint64_t timeout_ms,
                              int wake);
/** Serve the program until it ends (CM_OKAY, *status as of wait()), or wake (-1: none) becomes
 * readable: CANCELLED. */
CM_MUST cm_err cm_enclave_wait(cm_enclave *e, int *status, int wake);
/** Wait until fd is readable, serving the program meanwhile. CANCELLED: wake became readable;
 * ENCLAVE_GONE. */
CM_MUST cm_err cm_enclave_until(cm_enclave *e, int fd, uint64_t timeout_ms, int wake);

/** Figures, for what is shown. */
typedef struct {
    uint64_t start_ns; /* from cm_enclave_start() to the program's first instruction */
    uint64_t ranges, range_bytes, calls;
    uint64_t peak; /* memory of its control group; 0: unknown */
    pid_t pid;
    cm_err failure; /* of the model, while a range was read; OKAY: none */
} cm_enclave_figures;
void cm_enclave_get(const cm_enclave *e, cm_enclave_figures *f);

/** "own-files": static; NULL past the last. */
const char *cm_enclave_has_name(unsigned bit);

#endif
