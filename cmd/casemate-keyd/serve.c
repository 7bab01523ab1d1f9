/*
 * Threads that all wait on one epoll set. A socket is armed for one thread at a time: that one
 * takes a packet, arms it again for the others, and then does the packet's work.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keyd.h"

enum { THREADS_MAX = 64, SEND_PATIENCE_MS = 10000, SOCKET_BUFFER = 1 << 20, CONNS_MAX = 256 };

struct worker {
    struct serve *s;
    pthread_t id;
    uint8_t *in;
    cm_buf out;
};

struct serve {
    struct keyd *k;
    int epoll, stop, idle, uid;
    struct conn listener[4];
    unsigned listeners;
    _Atomic unsigned conns;
    struct worker worker[THREADS_MAX];
    unsigned threads, started;
};

/* ---- connections ---------------------------------------------------------------------------- */

static void wake(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof one) < 0)
        return; /* it is readable already */
}

void cm_kd_conn_unref(struct serve *s, struct conn *c)
{
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    close(c->fd);
    pthread_mutex_destroy(&c->send);
    cm_free(c);
    if (atomic_fetch_sub(&s->conns, 1) == 1 && s->listeners == 0)
        wake(s->idle);
}

/* True when it has gone, or never will. */
static bool send_once(int fd, const cm_buf *packet)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    ssize_t n;

    do
        n = send(fd, packet->p, packet->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0 || errno != EAGAIN)
        return true;
    if (poll(&p, 1, SEND_PATIENCE_MS) == 0)
        shutdown(fd, SHUT_RDWR);
    return false;
}

void cm_kd_conn_send(struct keyd *k, struct conn *c, cm_buf *packet)
{
    (void)k;
    if (packet->n == 0)
        return;
    pthread_mutex_lock(&c->send);
    while (!send_once(c->fd, packet))
        ;
    pthread_mutex_unlock(&c->send);
    cm_wipe(packet->p, packet->n);
    packet->n = 0;
}

static cm_err arm(const struct serve *s, struct conn *c, int how)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = c};

    return epoll_ctl(s->epoll, how, c->fd, &e) == 0 ? CM_OKAY : CM_FAIL(IO_OPEN);
}

/* KD-5: only root and the user that was named may talk to us. */
static cm_err check_peer(const struct serve *s, int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 ||
        (who.uid != 0 && who.uid != (uid_t)s->uid))
        return CM_FAIL(KEEPER_PEER);
    return CM_OKAY;
}

static cm_err check_socket(int fd)
{
    int type = 0, family = 0, size = SOCKET_BUFFER;
    socklen_t n = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_SEQPACKET)
        return CM_FAIL(BAD_ARGUMENT);
    n = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) != 0 || family != AF_UNIX)
        return CM_FAIL(BAD_ARGUMENT);
    /* Asked for, not needed: one packet fits into what the kernel gives by default. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0
               ? CM_OKAY
               : CM_FAIL(BAD_ARGUMENT);
}

static cm_err add_conn(struct serve *s, int fd, unsigned rights)
{
    struct conn *c;
    cm_err e;

    CM_TRY(check_peer(s, fd));
    CM_TRY(check_socket(fd));
    CM_TRY(cm_alloc(&c, sizeof *c));
    c->fd = fd;
    c->rights = rights;
    c->refs = 1;
    pthread_mutex_init(&c->send, NULL);
    atomic_fetch_add(&s->conns, 1);
    e = arm(s, c, EPOLL_CTL_ADD);
    if (cm_failed(e)) {
        pthread_mutex_destroy(&c->send);
        atomic_fetch_sub(&s->conns, 1);
        cm_free(c);
    }
    return e;
}

cm_err cm_kd_serve_adopt(struct serve *s, int fd, unsigned rights)
{
    return add_conn(s, fd, rights);
}

cm_err cm_kd_serve_listen(struct serve *s, int fd, unsigned rights)
{
    struct conn *c;

    if (s->listeners == CM_COUNT(s->listener))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(check_socket(fd));
    c = &s->listener[s->listeners];
    c->fd = fd;
    c->rights = rights;
    CM_TRY(arm(s, c, EPOLL_CTL_ADD));
    s->listeners++;
    return CM_OKAY;
}

static void take_connection(struct serve *s, struct conn *c)
{
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    cm_err e = fd >= 0 && atomic_load(&s->conns) >= CONNS_MAX ? CM_FAIL(KEEPER_FULL) : CM_OKAY;

    if (cm_failed(arm(s, c, EPOLL_CTL_MOD)))
        CM_LOG(s->k->log, ERROR, "listener_lost", {.name = NULL});
    if (fd < 0)
        return;
    if (cm_ok(e))
        e = add_conn(s, fd, c->rights);
    if (cm_failed(e)) {
        CM_LOG(s->k->log, WARNING, "connection_refused", cm_log_err(e));
        close(fd);
    }
}

/* ---- a packet's work ------------------------------------------------------------------------ */

/* An answer that found no room gets a packet of its own. */
static cm_err put_op(struct worker *w, struct conn *c, uint64_t id, cm_keyop *op)
{
    cm_err e = cm_keymsg_put_op_answer(&w->out, id, op);

    if (cm_is(e, CM_TOO_BIG)) {
        cm_kd_conn_send(w->s->k, c, &w->out);
        e = cm_keymsg_put_op_answer(&w->out, id, op);
    }
    if (cm_failed(e)) {
        op->result = e;
        e = cm_keymsg_put_op_answer(&w->out, id, op);
    }
    return e;
}

static cm_err put_error(struct worker *w, struct conn *c, const cm_keymsg *m, cm_err e)
{
    cm_err put = cm_keymsg_put_answer(&w->out, m->id, (cm_keymsg_kind)m->kind, e, (cm_view){0});

    if (cm_is(put, CM_TOO_BIG)) {
        cm_kd_conn_send(w->s->k, c, &w->out);
        put = cm_keymsg_put_answer(&w->out, m->id, (cm_keymsg_kind)m->kind, e, (cm_view){0});
    }
    return put;
}

static cm_err answer_control(struct worker *w, struct conn *c, const cm_keymsg *m)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_KEYMSG_PACKET - 64};
    cm_err e = cm_kd_control(w->s->k, m->kind, m->body, &body);

    cm_kd_conn_send(w->s->k, c, &w->out);
    return cm_keymsg_put_answer(&w->out, m->id, (cm_keymsg_kind)m->kind, e, cm_buf_view(&body));
}

static cm_err do_frame(struct worker *w, struct conn *c, const cm_keymsg *m)
{
    struct keyd *k = w->s->k;
    cm_err e = cm_kd_permit(m->kind, c->rights, cm_kd_vault_state(k->vault)); /* KD-4 */
    cm_keyop op = {0};

    if (cm_is(e, CM_KEYMSG_MALFORMED))
        return e;
    if (cm_failed(e))
        return put_error(w, c, m, e);
    if (m->kind == CM_KEYMSG_OP)
        CM_TRY(cm_keymsg_get_op(&op, m->body));
    if (cm_kd_is_slow(m->kind, &op)) {
        e = cm_kd_slow_add(k->slow, c, m);
        return cm_failed(e) ? put_error(w, c, m, e) : CM_OKAY;
    }
    if (m->kind != CM_KEYMSG_OP)
        return answer_control(w, c, m);
    cm_kd_vault_run(k->vault, &op);
    if (cm_is(op.result, CM_KEY_DEVICE_WAIT)) {
        e = cm_kd_slow_add(cm_kd_devices_queue(k->devices, op.device), c, m);
        cm_keyop_done_with(&op);
        return cm_failed(e) ? put_error(w, c, m, e) : CM_OKAY;
    }
    e = put_op(w, c, m->id, &op);
    cm_keyop_done_with(&op);
    atomic_fetch_add_explicit(&k->served, 1, memory_order_relaxed);
    return e;
}

static void do_packet(struct worker *w, struct conn *c, cm_view packet)
{
    cm_err e = CM_OKAY;
    cm_keymsg m;

    while (cm_ok(e) && packet.n > 0) {
        e = cm_keymsg_next(&m, &packet);
        if (cm_ok(e))
            e = do_frame(w, c, &m);
    }
    cm_kd_conn_send(w->s->k, c, &w->out);
    if (cm_failed(e)) { /* KD-1 */
        CM_LOG(w->s->k->log, WARNING, "bad_message", cm_log_err(e));
        shutdown(c->fd, SHUT_RDWR);
    }
}

static void take_packet(struct worker *w, struct conn *c)
{
    ssize_t n = recv(c->fd, w->in, CM_KEYMSG_PACKET, MSG_DONTWAIT | MSG_TRUNC);
    bool again = n < 0 && (errno == EAGAIN || errno == EINTR);

    if (!again && (n <= 0 || n > CM_KEYMSG_PACKET)) {
        cm_kd_conn_unref(w->s, c); /* the epoll set's */
        return;
    }
    atomic_fetch_add(&c->refs, 1);
    if (cm_failed(arm(w->s, c, EPOLL_CTL_MOD)))
        cm_kd_conn_unref(w->s, c);
    if (n > 0) {
        do_packet(w, c, cm_view_of(w->in, (size_t)n));
        cm_wipe(w->in, (size_t)n);
    }
    cm_kd_conn_unref(w->s, c);
}

static bool is_listener(const struct serve *s, const struct conn *c)
{
    return c >= s->listener && c < s->listener + CM_COUNT(s->listener);
}

static void *loop(void *arg)
{
    struct worker *w = arg;
    struct epoll_event e;

    for (;;) {
        int n = epoll_wait(w->s->epoll, &e, 1, -1);

        if (n < 0 && errno != EINTR)
            return NULL;
        if (n < 1)
            continue;
        if (e.data.ptr == NULL) /* the end */
            return NULL;
        if (is_listener(w->s, e.data.ptr))
            take_connection(w->s, e.data.ptr);
        else
            take_packet(w, e.data.ptr);
    }
}

/* ---- start and end -------------------------------------------------------------------------- */

static cm_err open_descriptors(struct serve *s)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->idle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->epoll < 0 || s->stop < 0 || s->idle < 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->stop, &e) != 0)
        return CM_FAIL(IO_OPEN);
    return CM_OKAY;
}

cm_err cm_kd_serve_new(struct serve **out, struct keyd *k, unsigned threads, int uid)
{
    struct serve *s;
    cm_err e;

    if (threads == 0 || threads > THREADS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&s, sizeof *s));
    s->k = k;
    s->threads = threads;
    s->uid = uid;
    e = open_descriptors(s);
    for (unsigned i = 0; cm_ok(e) && i < threads; i++) {
        s->worker[i] = (struct worker){.s = s, .out = {.max = CM_KEYMSG_PACKET}};
        e = cm_alloc(&s->worker[i].in, CM_KEYMSG_PACKET);
        if (cm_ok(e))
            e = cm_buf_reserve(&s->worker[i].out, CM_KEYMSG_PACKET);
    }
    if (cm_failed(e)) {
        cm_kd_serve_free(s);
        return e;
    }
    *out = s;
    return CM_OKAY;
}

cm_err cm_kd_serve_start(struct serve *s)
{
    while (s->started < s->threads) {
        struct worker *w = &s->worker[s->started];

        if (pthread_create(&w->id, NULL, loop, w) != 0)
            return CM_FAIL(NO_THREAD);
        s->started++;
    }
    return CM_OKAY;
}

int cm_kd_serve_idle_fd(const struct serve *s)
{
    return s->idle;
}

void cm_kd_serve_stop(struct serve *s)
{
    wake(s->stop);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->worker[i].id, NULL);
    s->started = 0;
}

void cm_kd_serve_free(struct serve *s)
{
    if (!s)
        return;
    cm_kd_serve_stop(s);
    for (unsigned i = 0; i < s->threads; i++) {
        cm_free(s->worker[i].in);
        cm_buf_free(&s->worker[i].out);
    }
    close(s->epoll);
    close(s->stop);
    close(s->idle);
    cm_free(s);
}
