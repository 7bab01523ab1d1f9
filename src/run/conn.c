/* One connection: handshake, bytes in, bytes out, time. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "run/server_int.h"

enum {
    READS = 8, /* buffers of input a turn, so that one peer does not keep out the others */
    WRITES = 32,
    RECORD = 16 << 10, /* what one TLS record and one write() hold */
    LINGER_MS = 1000,
    REST_MS = 1000,  /* without a request; then it keeps only what it needs */
    LOOK_MS = 500,   /* at a connection that is to end */
    LEAVE_MS = 6000, /* without a request under way, once asked to end */
};

static cm_conn *conn_of(void *member, size_t offset)
{
    return (cm_conn *)(void *)((char *)member - offset);
}

static uint64_t now(const cm_conn *c)
{
    return cm_loop_now(c->s->o.loop);
}

static void pump(cm_conn *c, bool readable);

/* ---- the end ------------------------------------------------------------------------------- */

static void free_http(cm_conn *c)
{
    cm_http_conn *h = c->http;

    c->http = NULL; /* cancelled() must not write to it */
    cm_http_free(h);
}

static void unlink_conn(cm_conn *c)
{
    cm_server *s = c->s;

    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->n--;
    cm_server_count(s, CM_SM_OPEN, 0, -1);
}

static void free_conn(cm_loop_task *t)
{
    cm_free(conn_of(t, offsetof(cm_conn, flush)));
}

static void leave_handshake(cm_conn *c, size_t result)
{
    if (c->state != CONN_HANDSHAKE)
        return;
    c->s->handshakes--;
    if (c->tls)
        cm_server_count(c->s, CM_SM_HANDSHAKES, result, 1);
}

static size_t handshake_result(cm_err why)
{
    return cm_is(why, CM_TLS_NO_PQ_GROUP) ? 2 : cm_is(why, CM_RUN_SLOW) ? 3 : 1;
}

void cm_conn_close(cm_conn *c, cm_err why)
{
    cm_server *s = c->s;

    if (c->freeing)
        return;
    c->freeing = true;
    leave_handshake(c, handshake_result(why));
    cm_server_count_closed(s, why);
    cm_wheel_stop(cm_loop_timers(s->o.loop), &c->timer);
    cm_loop_remove(s->o.loop, &c->io);
    free_http(c);
    cm_tls_conn_free(c->tls);
    c->tls = NULL;
    cm_os_close_fd(&c->io.fd);
    if (c->gated)
        cm_gate_leave(s->o.gate, &c->address);
    unlink_conn(c);
    /* A flush that is queued, or a caller further up, may still hold it: free it after the round.
     */
    c->flush.run = free_conn;
    if (!c->flushing)
        cm_loop_later(s->o.loop, &c->flush);
    c->flushing = true;
    cm_server_gone(s);
}

static void refuse(cm_conn *c, cm_err why)
{
    const cm_tls_why *w = c->tls && c->state == CONN_HANDSHAKE ? cm_tls_why_of(c->tls) : NULL;

    if (c->s->o.handler.refused)
        c->s->o.handler.refused(c->s->o.handler.self, cm_view_str(c->text), why,
                                w && w->text[0] ? w->text : NULL);
    cm_conn_close(c, why);
}

/* ---- time ---------------------------------------------------------------------------------- */

/* When the connection has to end if nothing more happens, and why; 0: never. */
static uint64_t deadline(const cm_conn *c, cm_err *why)
{
    const cm_server_limits *l = &c->s->o.limits;
    uint64_t due = 0;

    *why = CM_FAIL(RUN_SLOW);
    if (c->state == CONN_HANDSHAKE)
        return c->from_ms + l->handshake_ms;
    if (c->state == CONN_LINGER)
        return c->from_ms + LINGER_MS;
    if (c->receiving)
        due = c->from_ms + l->request_ms + c->came * 1000 / CM_MAX(l->body_rate, 1u);
    if (c->blocked && (!due || c->stuck_ms + l->write_ms < due)) {
        *why = CM_FAIL(RUN_UNREAD);
        due = c->stuck_ms + l->write_ms;
    }
    if (!due && c->draining) {
        *why = CM_OKAY;
        due = now(c) < c->looked_ms ? c->looked_ms : now(c);
    }
    if (!due && cm_http_busy(c->http) == 0) {
        *why = CM_FAIL(RUN_IDLE);
        due = c->active_ms + l->idle_ms;
    }
    return due;
}

static bool may_rest(const cm_conn *c)
{
    return c->state == CONN_OPEN && !c->rested && cm_http_busy(c->http) == 0;
}

static void set_timer(cm_conn *c)
{
    cm_err why;
    uint64_t due = deadline(c, &why);

    if (may_rest(c) && c->active_ms + REST_MS < due)
        due = c->active_ms + REST_MS;
    /* A timer that fires too early only looks again. */
    if (due && (!c->timer.next || due < c->timer.due_ms))
        cm_wheel_set(cm_loop_timers(c->s->o.loop), &c->timer, due);
}

/* A connection that was asked to end: HTTP/2 has a last word once the peer has seen the first. */
static void look(cm_conn *c)
{
    if (cm_http_busy(c->http) == 0 && now(c) > c->drain_ms + LEAVE_MS) {
        cm_conn_close(c, CM_FAIL(RUN_DRAINED));
        return;
    }
    c->looked_ms = now(c) + LOOK_MS;
    cm_http_clock(c->http, now(c));
    set_timer(c);
    cm_conn_answered(c);
}

static void timeout(cm_timer *t)
{
    cm_conn *c = conn_of(t, offsetof(cm_conn, timer));
    cm_err why;
    uint64_t due = deadline(c, &why);

    if (may_rest(c) && now(c) >= c->active_ms + REST_MS) {
        cm_http_rest(c->http);
        c->rested = true;
    }
    if (due && due <= now(c)) {
        if (cm_ok(why))
            look(c);
        else if (cm_is(why, CM_RUN_IDLE) && c->state == CONN_OPEN)
            cm_conn_drain(c); /* says good-bye: is idle no more, but ending */
        else if (c->state == CONN_LINGER)
            cm_conn_close(c, CM_OKAY);
        else
            refuse(c, why);
        return;
    }
    set_timer(c);
}

/* ---- bytes --------------------------------------------------------------------------------- */

enum io_result { IO_DONE, IO_WAIT, IO_END };

static void watch(cm_conn *c, uint32_t events)
{
    if (events == c->events)
        return;
    c->events = events;
    if (cm_failed(cm_loop_change(c->s->o.loop, &c->io, events)))
        cm_conn_close(c, CM_FAIL(RUN_LOOP));
}

static enum io_result of_tls(cm_err e, cm_tls_state state)
{
    if (cm_failed(e) || state == CM_TLS_END)
        return IO_END;
    return state == CM_TLS_DONE ? IO_DONE : IO_WAIT;
}

static enum io_result of_socket(ssize_t r, size_t *n)
{
    if (r > 0) {
        *n = (size_t)r;
        return IO_DONE;
    }
    return r < 0 && (errno == EAGAIN || errno == EINTR) ? IO_WAIT : IO_END;
}

static enum io_result take(cm_conn *c, size_t *n)
{
    cm_tls_state state = CM_TLS_END;
    cm_err e;

    if (!c->tls)
        return of_socket(recv(c->io.fd, c->s->buffer, READ_BUFFER, 0), n);
    e = cm_tls_read(c->tls, c->s->buffer, READ_BUFFER, n, &state);
    return of_tls(e, state);
}

static enum io_result give(cm_conn *c, cm_view v, size_t *n)
{
    cm_tls_state state = CM_TLS_END;
    cm_err e;

    if (!c->tls)
        return of_socket(send(c->io.fd, v.p, v.n, MSG_NOSIGNAL), n);
    e = cm_tls_write(c->tls, cm_view_of(v.p, CM_MIN(v.n, (size_t)RECORD)), n, &state);
    return of_tls(e, state);
}

/* Our side is said to be over; what the peer still sends is read and dropped, lest the kernel
 * resets the connection and the last answer with it. */
static void linger(cm_conn *c)
{
    free_http(c);
    if (c->tls) {
        cm_tls_state state;

        (void)cm_failed(cm_tls_close(c->tls, &state));
        cm_tls_conn_free(c->tls);
        c->tls = NULL;
    }
    c->state = CONN_LINGER;
    c->from_ms = now(c);
    c->receiving = c->blocked = false;
    if (shutdown(c->io.fd, SHUT_WR) != 0) {
        cm_conn_close(c, CM_OKAY);
        return;
    }
    set_timer(c);
    watch(c, EPOLLIN);
}

static void drop_input(cm_conn *c)
{
    enum io_result r = IO_DONE;
    size_t n;

    for (int i = 0; i < READS && r == IO_DONE; i++)
        r = take(c, &n);
    if (r != IO_WAIT)
        cm_conn_close(c, CM_OKAY);
}

static bool may_read(const cm_conn *c)
{
    return c->state == CONN_OPEN && cm_http_wants(c->http) &&
           cm_http_pending(c->http).n < c->s->o.limits.backlog;
}

static size_t write_some(cm_conn *c, enum io_result *r)
{
    size_t sent = 0, n = 0;
    cm_view v;

    *r = IO_DONE;
    for (int i = 0; i < WRITES && (v = cm_http_pending(c->http)).n; i++) {
        *r = give(c, v, &n);
        if (*r != IO_DONE)
            break;
        cm_http_sent(c->http, n);
        sent += n;
    }
    return sent;
}

/* An answer that the peer's window keeps back is unread like one that its socket keeps back; what
 * else goes out meanwhile (replies to its pings) moves none of it. */
static void note_output(cm_conn *c, size_t sent, size_t waiting)
{
    size_t owed = cm_http_owed(c->http);
    bool moved = waiting || owed == 0 ? sent > 0 : owed < c->owed;

    c->owed = owed;
    if (sent) {
        cm_server_count(c->s, CM_SM_SENT, 0, (int64_t)sent);
        c->active_ms = now(c);
    }
    if (!waiting && owed == 0)
        c->blocked = false;
    else if (!c->blocked || moved) {
        c->blocked = true;
        c->stuck_ms = now(c);
    }
}

/* Write what there is, then decide what to wait for. */
static void flush(cm_conn *c)
{
    enum io_result r;
    size_t sent = write_some(c, &r), waiting = cm_http_pending(c->http).n;
    bool reads;

    note_output(c, sent, waiting);
    if (r == IO_END) {
        cm_conn_close(c, CM_FAIL(RUN_PEER_GONE));
        return;
    }
    if (!waiting && (c->state == CONN_ENDING || cm_http_over(c->http))) {
        linger(c);
        return;
    }
    reads = may_read(c);
    set_timer(c);
    watch(c, (reads ? (uint32_t)EPOLLIN : 0) | (waiting ? (uint32_t)EPOLLOUT : 0));
}

static void flush_task(cm_loop_task *t)
{
    cm_conn *c = conn_of(t, offsetof(cm_conn, flush));

    c->flushing = false;
    if (c->http)
        flush(c);
    /* OpenSSL may hold input that epoll does not know of. */
    if (c->http && c->again && may_read(c))
        pump(c, true);
}

void cm_conn_answered(cm_conn *c)
{
    if (c->flushing || c->freeing || !c->http)
        return;
    c->flushing = true;
    cm_loop_later(c->s->o.loop, &c->flush);
}

static void note_input(cm_conn *c, size_t n)
{
    bool receiving = cm_http_receiving(c->http);

    cm_server_count(c->s, CM_SM_RECEIVED, 0, (int64_t)n);
    c->active_ms = now(c);
    c->rested = false;
    if (receiving && !c->receiving) {
        c->from_ms = now(c);
        c->came = 0;
    }
    c->came += n;
    c->receiving = receiving;
}

static enum io_result read_some(cm_conn *c)
{
    enum io_result r = IO_DONE;
    size_t n = 0;

    cm_http_clock(c->http, now(c));
    for (int i = 0; i < READS; i++) {
        cm_err e;

        r = take(c, &n);
        if (r != IO_DONE)
            return r;
        e = cm_http_feed(c->http, cm_view_of(c->s->buffer, n));
        if (c->freeing)
            return IO_WAIT;
        note_input(c, n);
        if (cm_failed(e)) {
            c->state = CONN_ENDING;
            c->receiving = false;
            return IO_WAIT;
        }
        if (!may_read(c))
            break;
    }
    return r;
}

/* ---- handshake ----------------------------------------------------------------------------- */

static void request(void *self, cm_http_request *r)
{
    cm_conn *c = (cm_conn *)self;

    c->s->o.handler.request(c->s->o.handler.self, c, r);
}

static void cancelled(void *self, cm_http_request *r)
{
    cm_conn *c = (cm_conn *)self;

    c->s->o.handler.cancelled(c->s->o.handler.self, c, r);
}

static bool begins(void *self, cm_http_request *r)
{
    cm_conn *c = (cm_conn *)self;

    return c->s->o.handler.begins(c->s->o.handler.self, c, r);
}

static void piece(void *self, cm_http_request *r, cm_view bytes, bool last)
{
    cm_conn *c = (cm_conn *)self;

    c->s->o.handler.piece(c->s->o.handler.self, c, r, bytes, last);
}

static cm_err open_http(cm_conn *c, bool h2)
{
    cm_http_handler h = {.request = request, .cancelled = cancelled, .self = c};

    if (c->s->o.handler.begins) {
        h.begins = begins;
        h.piece = piece;
    }
    leave_handshake(c, 0);
    c->state = CONN_OPEN;
    c->active_ms = now(c);
    CM_TRY(cm_http_new(&c->http, h2, &c->s->o.http, h));
    cm_http_clock(c->http, now(c));
    if (c->s->draining)
        cm_conn_drain(c);
    return CM_OKAY;
}

static cm_err finish_handshake(cm_conn *c)
{
    cm_tls_info info;

    cm_tls_info_of(&info, c->tls);
    c->pq = info.pq;
    c->has_spki = info.peer_cert;
    memcpy(c->spki, info.peer_spki, sizeof c->spki);
    cm_metric_observe(c->s->o.shard, c->s->o.metrics + CM_SM_HANDSHAKE_SECONDS, 0, 0,
                      (now(c) - c->from_ms) * 1000000);
    CM_TRY(open_http(c, cm_view_eq(info.alpn, CM_LIT("h2"))));
    cm_server_accept_again(c->s);
    return CM_OKAY;
}

static void shake(cm_conn *c)
{
    cm_tls_state state = CM_TLS_END;
    cm_err e = cm_tls_handshake(c->tls, &state);

    if (cm_ok(e) && state == CM_TLS_DONE) {
        e = finish_handshake(c);
        if (cm_ok(e)) {
            pump(c, true);
            return;
        }
    } else if (cm_ok(e) && state == CM_TLS_END)
        e = CM_FAIL(TLS_CLOSED);
    if (cm_failed(e))
        refuse(c, e);
    else
        watch(c, state == CM_TLS_WANT_WRITE ? EPOLLOUT : EPOLLIN);
}

/* ---- turns --------------------------------------------------------------------------------- */

static void pump(cm_conn *c, bool readable)
{
    enum io_result r = IO_WAIT;

    c->again = c->again || readable;
    if (c->again && may_read(c)) {
        r = read_some(c);
        if (c->freeing)
            return;
        if (r == IO_END) {
            cm_conn_close(c, cm_http_busy(c->http) ? CM_FAIL(RUN_PEER_GONE) : CM_OKAY);
            return;
        }
        c->again = r == IO_DONE;
    }
    cm_conn_answered(c);
}

static void ready(cm_loop_io *io, uint32_t events)
{
    cm_conn *c = conn_of(io, offsetof(cm_conn, io));

    switch (c->state) {
    case CONN_HANDSHAKE:
        shake(c);
        break;
    case CONN_LINGER:
        drop_input(c);
        break;
    default:
        if (events & (EPOLLERR | EPOLLHUP))
            cm_conn_close(c, CM_FAIL(RUN_PEER_GONE));
        else
            pump(c, events & EPOLLIN);
    }
}

void cm_conn_drain(cm_conn *c)
{
    if (c->state != CONN_OPEN || c->draining)
        return;
    c->draining = true;
    c->drain_ms = now(c);
    c->looked_ms = now(c) + LOOK_MS;
    cm_http_drain(c->http);
    cm_conn_answered(c);
}

/* ---- the beginning ------------------------------------------------------------------------- */

static cm_err start(cm_conn *c)
{
    cm_server *s = c->s;

    CM_TRY(cm_loop_add(s->o.loop, &c->io, EPOLLIN));
    c->events = EPOLLIN;
    if (!c->l->l.local && s->o.gate) {
        CM_TRY(cm_gate_enter(s->o.gate, &c->address, now(c)));
        c->gated = true;
    }
    if (!c->l->l.tls)
        return open_http(c, false);
    return cm_tls_accept(&c->tls, c->l->l.tls, c->io.fd, s->o.now_s());
}

void cm_conn_begin(struct listener *l, int fd, const struct sockaddr *sa)
{
    cm_server *s = l->s;
    cm_conn *c = NULL;
    cm_err e;

    if (cm_failed(cm_alloc(&c, sizeof *c))) {
        cm_os_close_fd(&fd);
        return;
    }
    *c = (cm_conn){.io = {.fd = fd, .ready = ready},
                   .flush = {.run = flush_task},
                   .timer = {.fire = timeout},
                   .s = s,
                   .l = l,
                   .next = s->conns,
                   .from_ms = now(&(cm_conn){.s = s})};
    cm_gate_address_of(&c->address, c->text, sa);
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    s->n++;
    s->handshakes++;
    cm_server_count(s, CM_SM_OPEN, 0, 1);
    e = start(c);
    if (cm_failed(e))
        refuse(c, e);
    else
        set_timer(c);
}

cm_conn_peer cm_conn_peer_of(cm_conn *c)
{
    if (c->tls && !c->has_exporter)
        c->has_exporter = cm_ok(cm_tls_exporter(c->exporter, c->tls));
    return (cm_conn_peer){
        .address = cm_view_str(c->text),
        .spki = cm_view_of(c->spki, c->has_spki ? sizeof c->spki : 0),
        .exporter = cm_view_of(c->exporter, c->has_exporter ? sizeof c->exporter : 0),
        .pq = c->pq,
        .tls = c->l->l.tls != NULL,
        .local = c->l->l.local,
    };
}

void *cm_conn_listener(const cm_conn *c)
{
    return c->l->l.user;
}

cm_server *cm_conn_server(const cm_conn *c)
{
    return c->s;
}
