#ifndef CM_RUN_SANDBOX_H
#define CM_RUN_SANDBOX_H
/*
 * What a process gives up once it has started: seccomp, landlock, new privileges, core dumps,
 * ptrace by others of its user. Call it after files and sockets are open and before threads start
 * and a byte of a stranger's is read. There is no way back.
 */
#include "base/base.h"

enum { /* what is in force: shown in status */
       CM_SANDBOX_NO_NEW_PRIVS = 1,
       CM_SANDBOX_NO_DUMP = 2, /* RLIMIT_CORE 0, PR_SET_DUMPABLE 0 */
       CM_SANDBOX_LANDLOCK = 4,
       CM_SANDBOX_SECCOMP = 8,
       CM_SANDBOX_ALL = 15,
};

typedef enum {
    CM_SANDBOX_KEYD,    /* inherited descriptors only: no files, no new sockets but accepted ones */
    CM_SANDBOX_KMSD,    /* sockets, and files below the given folders; no programs, no debugging */
    CM_SANDBOX_P11D,    /* the same, and System V memory; sockets only if `network` or `local` */
    CM_SANDBOX_ENCLAVE, /* a stranger's program: one execveat() of `exec_fd`, threads, files below
                           `read` and `run`; nothing is made, written, connected or looked into */
} cm_sandbox_profile;

typedef struct {
    cm_sandbox_profile profile;
    const char *const *read;  /* KMSD, P11D: files and folders to read below; NULL at the end */
    const char *const *write; /* KMSD, P11D: folders to read, make, change and remove files below */
    bool network;             /* P11D: new sockets */
    bool local;               /* P11D: new sockets, to this machine's processes alone */
    const char *const *run;   /* ENCLAVE: files and folders to read and to run below */
    int exec_fd;              /* ENCLAVE: the program */
    bool dynamic;             /* ENCLAVE: it has a loader, which maps libraries to be run */
    bool best_effort;         /* --no-sandbox: apply what the kernel has, and never fail */
    bool off;                 /* with best_effort: nothing but NO_DUMP, for debuggers */
} cm_sandbox_options;

/** SANDBOX_NO_SECCOMP, SANDBOX_NO_LANDLOCK: the kernel lacks it; SANDBOX_APPLY; SANDBOX_PATH: one
 * of the paths can't be opened. *in_force says what holds, also on failure. */
CM_MUST cm_err cm_sandbox_enter(const cm_sandbox_options *o, unsigned *in_force);
/** Try what must be refused now (open, socket or connect elsewhere, execve, ptrace) in this very
 * process. SANDBOX_LEAKS when one of them works. */
CM_MUST cm_err cm_sandbox_check(cm_sandbox_profile profile);
/** "no-new-privs no-dump landlock seccomp", or "none". Static. */
const char *cm_sandbox_text(unsigned in_force);

#endif
