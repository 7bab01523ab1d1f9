#ifndef CM_HSM_REMOTE_H
#define CM_HSM_REMOTE_H
/*
 * A provider in another process: casemate-p11d. One request at a time on each connection, of which
 * as many are used as the process said it serves at once (H-16); further callers wait for one. A
 * process that dies, hangs or says nonsense on any of them costs what is under way (HSM_LOST,
 * HSM_TIMEOUT, HSM_MESSAGE) and is started again by connect() at the next request, after a pause
 * that doubles from 50 ms to 5 s (HSM_DOWN meanwhile). H-6 holds on this side too: once a provider
 * gave a wrong result, it is asked for nothing more, restarted or not. Any thread.
 */
#include <sys/types.h>

#include "hsm/hsm.h"

enum { CM_HSM_LANES = 8 }; /* connections to one process at most */

typedef struct {
    /* Fills fd, CM_HSM_LANES of them and all -1, from the first on: at least that one. NULL: what
     * is lost stays lost. */
    cm_err (*connect)(void *arg, int *fd);
    void *arg;
    int fd;         /* a connected socket, taken even on failure; -1: ask connect() */
    int timeout_ms; /* 0: 10 s */
} cm_hsm_remote_options;

typedef struct cm_hsm_remote cm_hsm_remote;
CM_MUST cm_err cm_hsm_remote_new(cm_hsm_remote **out, const cm_hsm_remote_options *o);
void cm_hsm_remote_free(cm_hsm_remote *r);
void cm_hsm_remote_free_ptr(cm_hsm_remote **r);
cm_hsm cm_hsm_remote_of(cm_hsm_remote *r);
/** How many requests are under way at once, at most: one until the process that runs has answered a
 * STATUS. Waits for nothing. */
unsigned cm_hsm_remote_at_once(const cm_hsm_remote *r);

/* ---- casemate-p11d as a process ------------------------------------------------------------- */

enum { CM_P11D_ARGS = 40 };

typedef struct {
    const char *program;
    const char *const *args; /* further arguments, NULL at the end */
    char *const *env;        /* what the vendor's module reads from the environment */
    cm_view new_pin;         /* set at the start in place of pin; empty: it stays */
    cm_view pin;             /* handed over in a pipe; empty: args name a file, or there is none */
    unsigned connections;    /* 0: 1 */
    pid_t pid;               /* of the one that runs; 0: none */
} cm_p11d;

/** Start one; fds has room for its connections. It leaves when all are closed. HSM_SPAWN. */
CM_MUST cm_err cm_p11d_start(cm_p11d *p, int *fds);
/** For cm_hsm_remote_options: ends the one that runs, starts another. arg: a cm_p11d of up to
 * CM_HSM_LANES connections. */
CM_MUST cm_err cm_p11d_connect(void *arg, int *fd);
/** Ends it at once. */
void cm_p11d_stop(cm_p11d *p);

#endif
