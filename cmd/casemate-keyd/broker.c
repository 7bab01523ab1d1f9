/*
 * A device's process that is lost is started again by who started keyd. It is asked for it over a
 * socket: one byte, the device's place, and back comes one byte, 0, with sockets that are connected
 * to it, or anything else.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "keyd.h"

enum { BROKER_MS = 10000 };

/* Sockets, CM_HSM_LANES at most. */
static cm_err take_sockets(struct msghdr *m, int *fd)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    size_t n = c && c->cmsg_type == SCM_RIGHTS ? c->cmsg_len - CMSG_LEN(0) : 0;

    if (n == 0 || n > CM_HSM_LANES * sizeof *fd)
        return CM_FAIL(HSM_SPAWN);
    memcpy(fd, CMSG_DATA(c), n);
    return CM_OKAY;
}

static cm_err receive(int broker, int *fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(CM_HSM_LANES * sizeof(int))];
    } control;
    uint8_t byte = 1;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct pollfd p = {.fd = broker, .events = POLLIN};
    ssize_t n;

    if (poll(&p, 1, BROKER_MS) != 1)
        return CM_FAIL(HSM_SPAWN);
    do
        n = recvmsg(broker, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    return n == 1 ? take_sockets(&m, fd) : CM_FAIL(HSM_SPAWN);
}

cm_err cm_kd_broker_ask(int broker, uint8_t place, int *fd)
{
    if (send(broker, &place, 1, MSG_NOSIGNAL) != 1)
        return CM_FAIL(HSM_SPAWN);
    return receive(broker, fd);
}
