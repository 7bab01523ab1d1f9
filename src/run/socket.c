/* Listening sockets from their text. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"
#include "run/server.h"

enum { BACKLOG = 1024 };

/* host and port of "host:port" or "[host]:port". */
static cm_err split(char host[64], uint16_t *port, const char *address)
{
    const char *colon = strrchr(address, ':'), *from = address;
    uint64_t n;
    size_t len;

    if (!colon)
        return CM_FAIL(RUN_ADDRESS);
    CM_TRY(cm_failed(cm_dec_u64(&n, cm_view_str(colon + 1))) || n > 65535 ? CM_FAIL(RUN_ADDRESS)
                                                                          : CM_OKAY);
    len = (size_t)(colon - from);
    if (len >= 2 && from[0] == '[' && colon[-1] == ']') {
        from++;
        len -= 2;
    }
    if (len == 0 || len >= 64)
        return CM_FAIL(RUN_ADDRESS);
    memcpy(host, from, len);
    host[len] = 0;
    *port = (uint16_t)n;
    return CM_OKAY;
}

static cm_err inet_address(struct sockaddr_storage *sa, socklen_t *n, const char *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)sa;
    char host[64];
    uint16_t port;

    CM_TRY(split(host, &port, address));
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *n = sizeof *v4;
        return CM_OKAY;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return CM_FAIL(RUN_ADDRESS);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *n = sizeof *v6;
    return CM_OKAY;
}

static cm_err listen_inet(int *out, const char *address)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct sockaddr_storage sa = {0};
    socklen_t n = 0;
    int one = 1;

    /* What is accepted inherits TCP_NODELAY: an answer that follows another at once would else wait
     * for the peer's delayed acknowledgement, up to 40 ms. */
    CM_TRY(inet_address(&sa, &n, address));
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, BACKLOG) != 0)
        return CM_FAIL(RUN_LISTEN);
    *out = fd;
    fd = -1;
    return CM_OKAY;
}

/* A socket file that nobody listens on is what a crash leaves behind. */
static bool dead(const struct sockaddr_un *sa)
{
    CM_AUTO(cm_os_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    return fd >= 0 && lstat(sa->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
           connect(fd, (const struct sockaddr *)sa, sizeof *sa) != 0 && errno == ECONNREFUSED;
}

static cm_err listen_unix(int *out, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    mode_t mask;
    int r;

    if (path[0] == 0 || strlen(path) >= sizeof sa.sun_path)
        return CM_FAIL(RUN_ADDRESS);
    memcpy(sa.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CM_FAIL(RUN_LISTEN);
    if (dead(&sa))
        (void)!unlink(path);
    mask = umask(0177);
    r = bind(fd, (const struct sockaddr *)&sa, sizeof sa);
    umask(mask);
    if (r != 0 || listen(fd, BACKLOG) != 0)
        return CM_FAIL(RUN_LISTEN);
    *out = fd;
    fd = -1;
    return CM_OKAY;
}

cm_err cm_socket_listen(int *fd, const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(fd, address + 5);
    return listen_inet(fd, address);
}

cm_err cm_socket_name(char *text, size_t n, int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    char host[64];
    int r;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return CM_FAIL(RUN_LISTEN);
    if (sa.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&sa;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        r = snprintf(text, n, "%s:%u", host, ntohs(in->sin_port));
    } else if (sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)&sa;

        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        r = snprintf(text, n, "[%s]:%u", host, ntohs(in->sin6_port));
    } else
        r = snprintf(text, n, "unix:%s", ((const struct sockaddr_un *)(const void *)&sa)->sun_path);
    return r > 0 && (size_t)r < n ? CM_OKAY : CM_FAIL(TOO_BIG);
}
