#include "run/notify.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"

void cm_notify(const char *socket_name, const char *state)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = socket_name ? strlen(socket_name) : 0;

    if (n == 0 || n >= sizeof sa.sun_path)
        return;
    memcpy(sa.sun_path, socket_name, n);
    if (sa.sun_path[0] == '@')
        sa.sun_path[0] = 0; /* the abstract name space */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
