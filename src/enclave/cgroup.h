#ifndef CM_ENCLAVE_CGROUP_H
#define CM_ENCLAVE_CGROUP_H
/* A control group of a payload's own: memory without swap, and a number of threads. Both versions
 * of the kernel's interface; what can't be had is left out. */
#include <sys/types.h>

#include "base/base.h"

enum { CM_CGROUP_PATH = 512, CM_CGROUP_TASKS = 256 };

/** Zeroed: none. */
typedef struct {
    char memory[CM_CGROUP_PATH], pids[CM_CGROUP_PATH]; /* folders; version 2: the same one twice */
    bool no_swap;
} cm_cgroup;

/** Make groups below root (usually /sys/fs/cgroup), beside those that self (usually
 * /proc/self/cgroup) names, or at the top. False when memory can't be limited; nothing is left
 * behind then. */
bool cm_cgroup_make(cm_cgroup *g, const char *root, const char *self, uint64_t memory);
bool cm_cgroup_add(const cm_cgroup *g, pid_t pid);
/** The most memory that it had, in bytes; 0: unknown. */
uint64_t cm_cgroup_peak(const cm_cgroup *g);
/** Once its processes are gone. */
void cm_cgroup_remove(cm_cgroup *g);

#endif
