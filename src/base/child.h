#ifndef CM_BASE_CHILD_H
#define CM_BASE_CHILD_H
/* A program started as a process of its own, with sockets to it. */
#include <sys/types.h>

#include "base/base.h"

enum { CM_CHILD_FDS = 56, CM_CHILD_ARGS = 64 };

/** A descriptor that the child gets a copy of, and the option that tells it the number. */
typedef struct {
    const char *option;
    int fd; /* below 0: nothing */
} cm_child_fd;

typedef struct {
    const char *program;
    const char *const *args; /* further arguments, NULL at the end; at most CM_CHILD_ARGS */
    char *const *env;
    unsigned connections; /* with `pass` at most CM_CHILD_FDS */
    const cm_child_fd *pass;
    size_t pass_n;
    int stderr_fd; /* below 0: this process's */
} cm_child;

/** Start program: `--connection FD` for each of its ends of the connections, whose other ends are
 * put into fds, `OPTION FD` for each passed descriptor, then args. Signals are at their defaults;
 * no other descriptor goes along that is marked O_CLOEXEC. BAD_ARGUMENT; `reason`, for whatever the
 * system refuses. */
CM_MUST cm_err cm_child_start(pid_t *pid, int *fds, const cm_child *c, cm_reason reason);

/** The path of program `name`: beside this one, or as a build has them, each in a folder of its
 * own. NO_FILE, and path says where it was looked for last. */
CM_MUST cm_err cm_child_find(char *path, size_t size, const char *name);

#endif
