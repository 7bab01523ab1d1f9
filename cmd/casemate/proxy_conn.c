/*
 * One relayed connection: plain bytes on our side, TLS on the other.
 *
 * What the client sends first tells its protocol (HTTP/2 begins with its preface), and ALPN offers
 * just that one upstream: so h2c with prior knowledge and HTTP/1.1 both arrive as what they are.
 * Each direction has one buffer; a side is read only while there is room for what it says, so a
 * slow reader slows the writer down and nothing piles up here.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "proxy.h"

enum { BUFFER = 32 << 10, ROUNDS = 64, SETUP_MS = 10000, TELL_MS = 1000 };

typedef enum { FIRST_BYTES, CONNECTING, HANDSHAKE, RELAY } conn_state;

struct buffer {
    size_t at, n;
    uint8_t b[BUFFER];
};

typedef struct cm_proxy_conn {
    cm_loop_io local, up; /* first: local */
    cm_proxy *p;
    struct cm_proxy_conn *next, *prev;
    cm_timer timer, again;
    conn_state state;
    cm_tls_conn *tls;
    const struct addrinfo *address; /* being tried */
    bool h2;
    bool local_ended, up_ended; /* nothing more comes from there */
    bool local_shut, up_shut;   /* nothing more goes there, and it was told */
    bool want_write;            /* TLS waits to write */
    bool unwatched;             /* the client has hung up: the loop no longer looks at it */
    uint32_t local_events, up_events;
    uint64_t active_ms;
    struct buffer out, in; /* to the server, from it */
} conn;

static void step(conn *c);

static conn *of_local(cm_loop_io *io)
{
    return (conn *)(void *)((char *)io - offsetof(conn, local));
}

static conn *of_up(cm_loop_io *io)
{
    return (conn *)(void *)((char *)io - offsetof(conn, up));
}

/* ---- beginning and end ---- */

static void drop_up(conn *c)
{
    if (c->up.fd < 0)
        return;
    cm_loop_remove(c->p->loop, &c->up);
    cm_tls_conn_free(c->tls);
    c->tls = NULL;
    close(c->up.fd);
    c->up.fd = -1;
}

static void unwatch(conn *c)
{
    if (!c->unwatched)
        cm_loop_remove(c->p->loop, &c->local);
    c->unwatched = true;
}

static void end(conn *c)
{
    cm_proxy *p = c->p;

    drop_up(c);
    unwatch(c);
    close(c->local.fd);
    cm_wheel_stop(cm_loop_timers(p->loop), &c->timer);
    cm_wheel_stop(cm_loop_timers(p->loop), &c->again);
    if (c->prev)
        c->prev->next = c->next;
    else
        p->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    cm_wipe(c, sizeof *c);
    cm_free(c);
    p->n--;
    cm_proxy_ended(p);
}

void cm_proxy_end_all(cm_proxy *p)
{
    while (p->conns)
        end(p->conns);
}

/* Said to whoever runs the proxy, at most once a second, and to the client where it speaks
 * HTTP/1.1. */
static void fail(conn *c, cm_err e)
{
    static const char answer[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n"
                                 "Connection: close\r\nContent-Length: ";
    const cm_tls_why *w = c->tls ? cm_tls_why_of(c->tls) : NULL;
    const char *more = w && w->text[0] ? w->text : "", *what = cm_err_what(e);
    cm_proxy *p = c->p;
    char text[1024];
    uint64_t now = cm_loop_now(p->loop);
    int n;

    p->failed++;
    if (now - p->said_ms >= TELL_MS || p->failed == 1) {
        cm_cli_note(p->cli, "casemate: %s: %s%s%s%s; %s\n", p->to.host, what, *more ? " (" : "",
                    more, *more ? ")" : "", cm_err_fix(e));
        p->said_ms = now;
    }
    if (!c->h2 && c->state != RELAY) {
        n = snprintf(text, sizeof text, "%s%zu\r\n\r\ncasemate proxy: %s\n", answer,
                     strlen(what) + 17, what);
        if (n > 0 && (size_t)n < sizeof text)
            n = (int)send(c->local.fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    end(c);
}

/* ---- what to wait for ---- */

static uint32_t local_wants(const conn *c)
{
    bool room = c->out.at + c->out.n < BUFFER || c->out.n == 0;
    bool reads = c->state == FIRST_BYTES || c->state == RELAY;

    return (reads && room && !c->local_ended ? EPOLLIN : 0u) | (c->in.n ? EPOLLOUT : 0u);
}

static uint32_t up_wants(const conn *c)
{
    bool reads = c->state == HANDSHAKE || (c->state == RELAY && !c->up_ended && c->in.n == 0);

    return (reads ? EPOLLIN : 0u) | (c->state == CONNECTING || c->want_write ? EPOLLOUT : 0u);
}

static void watch(conn *c)
{
    uint32_t local = local_wants(c), up = up_wants(c);

    if (!c->unwatched && local != c->local_events &&
        cm_ok(cm_loop_change(c->p->loop, &c->local, local)))
        c->local_events = local;
    if (c->up.fd >= 0 && up != c->up_events && cm_ok(cm_loop_change(c->p->loop, &c->up, up)))
        c->up_events = up;
}

static void on_timer(cm_timer *t)
{
    conn *c = (conn *)(void *)((char *)t - offsetof(conn, timer));
    uint64_t now = cm_loop_now(c->p->loop);
    uint64_t limit = c->state == RELAY || c->state == FIRST_BYTES ? c->p->idle_ms : SETUP_MS;

    if (now - c->active_ms < limit)
        cm_loop_after(c->p->loop, t, limit - (now - c->active_ms));
    else if (c->state == CONNECTING || c->state == HANDSHAKE)
        fail(c, CM_FAIL(CLIENT_TIMEOUT));
    else
        end(c);
}

static void on_again(cm_timer *t)
{
    step((conn *)(void *)((char *)t - offsetof(conn, again)));
}

static void on_local(cm_loop_io *io, uint32_t events)
{
    conn *c = of_local(io);

    if (events & EPOLLERR) {
        end(c);
        return;
    }
    /* Closed both ways, which the loop would report for ever: what it has said is still passed on,
     * at the server's pace. */
    if (events & EPOLLHUP && (c->local_ended || !(events & EPOLLIN)))
        unwatch(c);
    step(c);
}

/* ---- upstream ---- */

static cm_err try_next(conn *c);

static void on_up(cm_loop_io *io, uint32_t events)
{
    conn *c = of_up(io);
    int e = 0;
    socklen_t n = sizeof e;

    (void)events;
    if (c->state != CONNECTING) {
        step(c);
        return;
    }
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e != 0) {
        cm_err failed;

        drop_up(c);
        c->address = c->address->ai_next;
        failed = try_next(c);
        if (cm_failed(failed))
            fail(c, e == ECONNREFUSED ? CM_FAIL(CLIENT_REFUSED) : failed);
        return;
    }
    c->p->good = (struct addrinfo *)(uintptr_t)c->address;
    step(c);
}

/* Begin to connect to the address in turn, or to one behind it. */
static cm_err try_next(conn *c)
{
    for (; c->address; c->address = c->address->ai_next) {
        int one = 1,
            fd = socket(c->address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
            return CM_FAIL(NO_MEMORY);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd, c->address->ai_addr, c->address->ai_addrlen) != 0 && errno != EINPROGRESS) {
            close(fd);
            continue;
        }
        c->up = (cm_loop_io){.fd = fd, .ready = on_up};
        c->up_events = EPOLLOUT;
        c->state = CONNECTING;
        if (cm_failed(cm_loop_add(c->p->loop, &c->up, EPOLLOUT))) {
            close(fd);
            c->up.fd = -1;
            return CM_FAIL(NO_MEMORY);
        }
        return CM_OKAY;
    }
    return CM_FAIL(CLIENT_UNREACHABLE);
}

static cm_err begin_tls(conn *c)
{
    CM_TRY(cm_tls_connect(&c->tls, c->p->tls[c->h2], c->up.fd, cm_view_str(c->p->to.host),
                          cm_os_now(), NULL));
    c->state = HANDSHAKE;
    return CM_OKAY;
}

/* ---- bytes ---- */

static size_t room_in(struct buffer *b)
{
    if (b->n == 0)
        b->at = 0;
    return BUFFER - b->at - b->n;
}

static void sent_of(struct buffer *b, size_t n)
{
    b->at += n;
    b->n -= n;
}

static cm_err read_local(conn *c, bool *progress)
{
    size_t room = room_in(&c->out);
    ssize_t n;

    if (c->local_ended || room == 0)
        return CM_OKAY;
    n = recv(c->local.fd, c->out.b + c->out.at + c->out.n, room, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? CM_OKAY : CM_FAIL(CLIENT_CLOSED);
    c->local_ended = n == 0;
    c->out.n += (size_t)n;
    *progress = true;
    return CM_OKAY;
}

static cm_err write_local(conn *c, bool *progress)
{
    ssize_t n;

    if (c->in.n) {
        n = send(c->local.fd, c->in.b + c->in.at, c->in.n, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? CM_OKAY : CM_FAIL(CLIENT_CLOSED);
        sent_of(&c->in, (size_t)n);
        *progress = true;
    }
    if (c->up_ended && c->in.n == 0 && !c->local_shut) {
        (void)shutdown(c->local.fd, SHUT_WR);
        c->local_shut = true;
    }
    return CM_OKAY;
}

static cm_err read_up(conn *c, bool *progress)
{
    cm_tls_state state;
    size_t n = 0;

    if (c->up_ended || c->in.n)
        return CM_OKAY;
    CM_TRY(cm_tls_read(c->tls, c->in.b, room_in(&c->in), &n, &state));
    if (state == CM_TLS_WANT_WRITE)
        c->want_write = true;
    if (state != CM_TLS_DONE && state != CM_TLS_END)
        return CM_OKAY;
    c->up_ended = state == CM_TLS_END;
    c->in.n += n;
    *progress = true;
    return CM_OKAY;
}

static cm_err write_up(conn *c, bool *progress)
{
    cm_tls_state state = CM_TLS_DONE;
    size_t n = 0;

    if (c->out.n) {
        CM_TRY(cm_tls_write(c->tls, cm_view_of(c->out.b + c->out.at, c->out.n), &n, &state));
        if (state == CM_TLS_DONE) {
            sent_of(&c->out, n);
            *progress = true;
        }
    } else if (c->local_ended && !c->up_shut) {
        CM_TRY(cm_tls_close(c->tls, &state));
        c->up_shut = state == CM_TLS_DONE;
        *progress = c->up_shut;
    }
    c->want_write = c->want_write || state == CM_TLS_WANT_WRITE;
    return CM_OKAY;
}

/* ---- steps: each says whether it got on ---- */

static cm_err first_bytes(conn *c, bool *progress)
{
    static const char preface[] = "PRI";
    size_t n = sizeof preface - 1;

    CM_TRY(read_local(c, progress));
    if (c->local_ended && c->out.n < n)
        return CM_FAIL(CLIENT_CLOSED);
    if (c->out.n < n)
        return CM_OKAY;
    c->h2 = cm_view_eq(cm_view_of(c->out.b, n), cm_view_of(preface, n));
    c->address = c->p->good ? c->p->good : c->p->addresses;
    return try_next(c);
}

static cm_err handshake(conn *c, bool *progress)
{
    cm_tls_state state;

    CM_TRY(cm_tls_handshake(c->tls, &state));
    c->want_write = state == CM_TLS_WANT_WRITE;
    if (state == CM_TLS_DONE) {
        c->state = RELAY;
        c->p->served++;
        *progress = true;
    }
    return CM_OKAY;
}

static cm_err relay(conn *c, bool *progress)
{
    c->want_write = false;
    CM_TRY(read_local(c, progress));
    CM_TRY(write_up(c, progress));
    CM_TRY(read_up(c, progress));
    return write_local(c, progress);
}

static cm_err one_step(conn *c, bool *progress)
{
    switch (c->state) {
    case FIRST_BYTES:
        return first_bytes(c, progress);
    case CONNECTING:
        CM_TRY(begin_tls(c));
        *progress = true;
        return CM_OKAY;
    case HANDSHAKE:
        return handshake(c, progress);
    default:
        return relay(c, progress);
    }
}

static bool over(const conn *c)
{
    return c->state == RELAY && c->local_shut && c->up_shut;
}

/* As far as it goes, but not so long that others wait. */
static void step(conn *c)
{
    for (int i = 0; i < ROUNDS; i++) {
        conn_state before = c->state;
        bool progress = false;
        cm_err e = one_step(c, &progress);

        if (cm_failed(e)) {
            /* A client that went away is no failure of the server. */
            if (cm_is(e, CM_CLIENT_CLOSED))
                end(c);
            else
                fail(c, e);
            return;
        }
        if (over(c)) {
            end(c);
            return;
        }
        if (!progress || (before == FIRST_BYTES && c->state == CONNECTING)) {
            watch(c);
            return;
        }
        c->active_ms = cm_loop_now(c->p->loop);
    }
    watch(c);
    cm_loop_after(c->p->loop, &c->again, 0);
}

void cm_proxy_begin(cm_proxy *p, int fd)
{
    int one = 1;
    conn *c;

    if (cm_failed(cm_alloc(&c, sizeof *c))) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->p = p;
    c->local = (cm_loop_io){.fd = fd, .ready = on_local};
    c->up.fd = -1;
    c->timer.fire = on_timer;
    c->again.fire = on_again;
    c->active_ms = cm_loop_now(p->loop);
    c->local_events = EPOLLIN;
    if (cm_failed(cm_loop_add(p->loop, &c->local, EPOLLIN))) {
        close(fd);
        cm_free(c);
        return;
    }
    c->next = p->conns;
    if (p->conns)
        p->conns->prev = c;
    p->conns = c;
    p->n++;
    cm_loop_after(p->loop, &c->timer, CM_MIN(p->idle_ms, (uint64_t)SETUP_MS));
}
