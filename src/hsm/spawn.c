/* casemate-p11d as a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"
#include "hsm/remote.h"

enum { PIN_MAX = 256 };

/* A pipe holds more than a PIN. */
static cm_err put_pin(int ends[2], cm_view pin)
{
    if (!pin.n)
        return CM_OKAY;
    if (pin.n > PIN_MAX || pipe2(ends, O_CLOEXEC) != 0)
        return CM_FAIL(HSM_SPAWN);
    return cm_os_write(ends[1], pin.p, pin.n);
}

/* SoftHSM2 and OpenSSL ask for hundreds of pieces of memory for one signature: with more of them
 * kept by each thread, glibc needs a twentieth less for all of it. Who set tunables keeps them. */
static cm_err with_tunables(char ***out, char *const *env)
{
    static const char tunables[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=255";
    char **all;
    size_t n = 0;
    bool set = false;

    for (; env && env[n]; n++)
        set |= strncmp(env[n], tunables, sizeof "GLIBC_TUNABLES=" - 1) == 0;
    CM_TRY(cm_alloc_array(&all, n + 2, sizeof *all));
    for (size_t i = 0; i < n; i++)
        all[i] = env[i];
    if (!set)
        all[n] = (char *)(uintptr_t)tunables; /* as execve() takes it: not written to */
    *out = all;
    return CM_OKAY;
}

cm_err cm_p11d_start(cm_p11d *p, int *fds)
{
    CM_AUTO(cm_free_ptr) char **env = NULL;
    int pin[2] = {-1, -1}, next[2] = {-1, -1};
    cm_err e;

    if (p->connections == 0)
        p->connections = 1;
    CM_TRY(with_tunables(&env, p->env));
    e = put_pin(pin, p->pin);
    if (cm_ok(e))
        e = put_pin(next, p->new_pin);
    if (cm_ok(e)) {
        cm_child_fd pass[] = {{"--pin-fd", pin[0]}, {"--new-pin-fd", next[0]}};
        cm_child c = {.program = p->program,
                      .args = p->args,
                      .env = env,
                      .connections = p->connections,
                      .pass = pass,
                      .pass_n = CM_COUNT(pass),
                      .stderr_fd = -1};

        e = cm_child_start(&p->pid, fds, &c, CM_HSM_SPAWN);
    }
    for (size_t i = 0; i < 2; i++) {
        cm_os_close_fd(&pin[i]);
        cm_os_close_fd(&next[i]);
    }
    return e;
}

void cm_p11d_stop(cm_p11d *p)
{
    if (p->pid <= 0)
        return;
    (void)kill(p->pid, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    p->pid = 0;
}

cm_err cm_p11d_connect(void *arg, int *fd)
{
    cm_p11d *p = arg;

    cm_p11d_stop(p);
    return cm_p11d_start(p, fd);
}
