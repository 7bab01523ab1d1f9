#ifndef CM_ENCLAVE_CHILD_H
#define CM_ENCLAVE_CHILD_H
/* What a payload's process does to itself before it becomes the payload. */
#include <sys/types.h>

#include "enclave/closure.h"

/* Descriptors of the payload; those of the exec and of the report are gone once it runs. */
enum {
    CM_FD_CHANNEL = 3,
    CM_FD_WEIGHTS = 4,
    CM_FD_LISTEN = 5,
    CM_FD_END = 6,
    CM_FD_EXEC = 200,
    CM_FD_REPORT = 201,
    CM_FD_LIMIT = 64
};

/* What protects: shown, and demanded by --strict. */
enum {
    CM_HAS_PROCESSES = 1u, /* a pid namespace: it sees no other process */
    CM_HAS_NETWORK = 2u,   /* an empty network namespace */
    CM_HAS_FILES = 4u,     /* a root of its own with the measured copies, read-only */
    CM_HAS_IPC = 8u,
    CM_HAS_NO_CAPABILITIES = 16u,
    CM_HAS_OTHER_USER = 32u, /* not the runner's user outside, or in a user namespace */
    CM_HAS_NO_NEW_PRIVS = 64u,
    CM_HAS_NO_DUMP = 128u,
    CM_HAS_LANDLOCK = 256u,
    CM_HAS_SECCOMP = 512u,
    CM_HAS_HELD_LIBRARIES = 1024u, /* it loads nothing but what was measured */
    CM_HAS_CGROUP = 2048u,
    CM_HAS_NO_SWAP = 4096u,
    CM_HAS_SECRET_KEYS = 8192u, /* the runner's keys are in memfd_secret */
    CM_HAS_ALL = 16383u,
    CM_HAS_COUNT = 14,
};

/** Everything is prepared before the process is made; borrowed. */
typedef struct {
    const cm_closure *closure;
    char *const *argv;
    char *const *env;      /* for a root of its own: libraries in /enclave/lib */
    char *const *env_here; /* for files where they are */
    int channel, weights, listen, log, report; /* weights, listen: -1 for none */
    uint64_t memory;
    uint64_t flags; /* of clone: which namespaces are new */
    uid_t uid;      /* the runner's */
    gid_t gid;
} cm_child_plan;

/** What the child says before the program runs. */
typedef struct {
    uint32_t has;
    uint32_t failed; /* a reason; 0: none */
    int32_t err;
} cm_child_report;

/** Where a held file lies in a root of its own, without its first slash. False: too long. */
bool cm_enclave_place(char *out, size_t n, const cm_pin *p);
/** Build that root, and make it this process's. False: it stays as it was. */
bool cm_enclave_root(const cm_closure *c);
/** Waits for a byte on report (which says whether a control group limits memory), gives everything
 * up, and becomes the program. Returns only when that fails, after having reported it. */
void cm_enclave_child(const cm_child_plan *p);

#endif
