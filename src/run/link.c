#include "run/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"

enum { MS = 1000000 };

uint64_t cm_link_deadline(uint32_t ms)
{
    return ms ? cm_os_monotonic_ns() + (uint64_t)ms * MS : 0;
}

/* Wait for an event, or until the deadline. */
static cm_err wait_for(int fd, short events, uint64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        uint64_t now = cm_os_monotonic_ns();
        int ms = -1, r;

        if (deadline && now >= deadline)
            return CM_FAIL(CLIENT_TIMEOUT);
        if (deadline)
            ms = (int)CM_MIN((deadline - now) / MS + 1, (uint64_t)INT32_MAX);
        r = poll(&p, 1, ms);
        if (r > 0)
            return CM_OKAY;
        if (r < 0 && errno != EINTR)
            return CM_FAIL(CLIENT_CLOSED);
    }
}

static cm_err of_errno(int e)
{
    switch (e) {
    case ECONNREFUSED:
    case ENOENT:
        return CM_FAIL(CLIENT_REFUSED);
    case ETIMEDOUT:
        return CM_FAIL(CLIENT_TIMEOUT);
    case EACCES:
    case EPERM:
        return CM_FAIL(NO_PERMISSION);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return CM_FAIL(NO_MEMORY);
    default:
        return CM_FAIL(CLIENT_UNREACHABLE);
    }
}

/* ---- connecting ---- */

static cm_err connect_fd(int fd, const struct sockaddr *sa, socklen_t n, uint64_t deadline)
{
    int e = 0;
    socklen_t en = sizeof e;

    if (connect(fd, sa, n) == 0)
        return CM_OKAY;
    if (errno != EINPROGRESS && errno != EAGAIN)
        return of_errno(errno);
    CM_TRY(wait_for(fd, POLLOUT, deadline));
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &en) != 0)
        return of_errno(errno);
    return e ? of_errno(e) : CM_OKAY;
}

static cm_err try_address(cm_link *k, int family, const struct sockaddr *sa, socklen_t n,
                          uint64_t deadline)
{
    int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cm_err e;

    if (fd < 0)
        return of_errno(errno);
    e = connect_fd(fd, sa, n, deadline);
    if (cm_failed(e)) {
        close(fd);
        return e;
    }
    if (family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    k->fd = fd;
    k->open = true;
    return CM_OKAY;
}

static void name_address(cm_link *k, const struct addrinfo *a)
{
    char host[48] = "?", port[8] = "?";

    (void)getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(k->address, sizeof k->address, a->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                   host, port);
}

static cm_err connect_tcp(cm_link *k, const cm_link_url *u, uint64_t deadline)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    cm_err e = CM_FAIL(CLIENT_RESOLVE);

    if (getaddrinfo(u->host, u->port, &hints, &list) != 0)
        return e;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        name_address(k, a);
        e = try_address(k, a->ai_family, a->ai_addr, a->ai_addrlen, deadline);
        if (cm_ok(e) || cm_is(e, CM_CLIENT_TIMEOUT))
            break;
    }
    freeaddrinfo(list);
    return e;
}

static cm_err connect_unix(cm_link *k, const cm_link_url *u, uint64_t deadline)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    memcpy(sa.sun_path, u->path, CM_MIN(sizeof sa.sun_path, sizeof u->path));
    (void)snprintf(k->address, sizeof k->address, "unix");
    return try_address(k, AF_UNIX, (const struct sockaddr *)&sa, sizeof sa, deadline);
}

cm_err cm_link_connect(cm_link *out, const cm_link_url *u, uint64_t deadline)
{
    *out = (cm_link){.fd = -1};
    return u->unix_socket ? connect_unix(out, u, deadline) : connect_tcp(out, u, deadline);
}

/* ---- TLS ---- */

static cm_err wait_state(const cm_link *k, cm_tls_state state, uint64_t deadline)
{
    return wait_for(k->fd, state == CM_TLS_WANT_WRITE ? POLLOUT : POLLIN, deadline);
}

cm_err cm_link_secure(cm_link *k, cm_tls *tls, cm_view host, uint64_t now,
                      const cm_tls_ticket *ticket, uint64_t deadline)
{
    CM_TRY(cm_tls_connect(&k->tls, tls, k->fd, host, now, ticket));
    for (;;) {
        cm_tls_state state;

        CM_TRY(cm_tls_handshake(k->tls, &state));
        if (state == CM_TLS_DONE)
            return CM_OKAY;
        CM_TRY(wait_state(k, state, deadline));
    }
}

/* ---- bytes ---- */

static cm_err plain_write(cm_link *k, cm_view v, size_t *sent, cm_tls_state *state)
{
    ssize_t n = send(k->fd, v.p, v.n, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return CM_FAIL(CLIENT_CLOSED);
    *sent = n < 0 ? 0 : (size_t)n;
    *state = n < 0 ? CM_TLS_WANT_WRITE : CM_TLS_DONE;
    return CM_OKAY;
}

static cm_err plain_read(cm_link *k, void *p, size_t n, size_t *got, cm_tls_state *state)
{
    ssize_t r = recv(k->fd, p, n, 0);

    if (r < 0 && errno != EAGAIN && errno != EINTR)
        return CM_FAIL(CLIENT_CLOSED);
    *got = r < 0 ? 0 : (size_t)r;
    *state = r < 0 ? CM_TLS_WANT_READ : r == 0 ? CM_TLS_END : CM_TLS_DONE;
    return CM_OKAY;
}

static cm_err cut_off(cm_err e)
{
    return cm_is(e, CM_TLS_CLOSED) ? CM_FAIL(CLIENT_CLOSED) : e;
}

cm_err cm_link_write(cm_link *k, cm_view v, uint64_t deadline)
{
    while (v.n) {
        cm_tls_state state;
        size_t sent = 0;

        CM_TRY(cut_off(k->tls ? cm_tls_write(k->tls, v, &sent, &state)
                              : plain_write(k, v, &sent, &state)));
        if (state == CM_TLS_DONE)
            v = cm_view_sub(v, sent, v.n - sent);
        else
            CM_TRY(wait_state(k, state, deadline));
    }
    return CM_OKAY;
}

cm_err cm_link_read(cm_link *k, void *p, size_t n, size_t *got, uint64_t deadline)
{
    for (;;) {
        cm_tls_state state;

        CM_TRY(cut_off(k->tls ? cm_tls_read(k->tls, p, n, got, &state)
                              : plain_read(k, p, n, got, &state)));
        if (state == CM_TLS_END)
            *got = 0;
        if (state == CM_TLS_END || state == CM_TLS_DONE)
            return CM_OKAY;
        CM_TRY(wait_state(k, state, deadline));
    }
}

bool cm_link_idle(cm_link *k)
{
    cm_tls_state state;
    size_t got;
    char byte;
    cm_err e;

    if (!k->open)
        return false;
    /* Tickets and keys may wait to be read: only a read that finds nothing else tells. */
    e = k->tls ? cm_tls_read(k->tls, &byte, 1, &got, &state)
               : plain_read(k, &byte, 1, &got, &state);
    return cm_ok(e) && state == CM_TLS_WANT_READ;
}

void cm_link_close(cm_link *k)
{
    cm_tls_state state;

    if (k->tls && cm_failed(cm_tls_close(k->tls, &state)))
        state = CM_TLS_END; /* it was dead already */
    cm_tls_conn_free(k->tls);
    if (k->open)
        close(k->fd);
    *k = (cm_link){.fd = -1};
}
