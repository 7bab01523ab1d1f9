/* keyd as a process of its own: connecting to one that listens, starting one. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"
#include "run/keeper.h"

cm_err cm_keyd_connect(void *path, int *fd)
{
    CM_AUTO(cm_os_close_fd) int s = -1;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof at.sun_path)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(at.sun_path, path, n);
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (const struct sockaddr *)&at, sizeof at) != 0)
        return CM_FAIL(KEEPER_DOWN);
    *fd = s;
    s = -1;
    return CM_OKAY;
}

cm_err cm_keyd_start(pid_t *pid, int *fds, const cm_keyd_spawn *s)
{
    char credentials[4096 + 32];
    char *env[] = {NULL, NULL};
    cm_child_fd device = {"--device", s->device_fd > 0 ? s->device_fd : -1};
    cm_child c = {.program = s->program,
                  .args = s->args,
                  .env = env,
                  .connections = s->connections,
                  .pass = &device,
                  .pass_n = 1,
                  .stderr_fd = s->stderr_fd};

    if (s->credentials_dir) {
        int n = snprintf(credentials, sizeof credentials, "CREDENTIALS_DIRECTORY=%s",
                         s->credentials_dir);

        if (n < 0 || (size_t)n >= sizeof credentials)
            return CM_FAIL(BAD_ARGUMENT);
        env[0] = credentials;
    }
    return cm_child_start(pid, fds, &c, CM_KEYD_SPAWN);
}
