#include "run/server.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "run/server_int.h"

enum { ACCEPTS = 64, PAUSE_MS = 100 };

const cm_server_limits cm_server_limits_default = {
    .connections = 20000,
    .handshakes = 512,
    .handshake_ms = 10000,
    .request_ms = 10000,
    .body_rate = 1024,
    .idle_ms = 60000,
    .write_ms = 30000,
    .backlog = 256 << 10,
};

/* ---- counting ------------------------------------------------------------------------------ */

static const char *const results[] = {"ok", "failed", "no_pq_group", "timeout", NULL};
/* In the order of close_reasons, behind the first. */
static const char *const endings[] = {
    "done",         "peer",         "idle",      "handshake", "no_pq_group", "slow", "write",
    "address_busy", "address_rate", "gate_full", "protocol",  "drain",       NULL,
};
static const cm_reason close_reasons[] = {
    CM_OK_REASON, CM_RUN_PEER_GONE, CM_RUN_IDLE,         CM_TLS_HANDSHAKE,    CM_TLS_NO_PQ_GROUP,
    CM_RUN_SLOW,  CM_RUN_UNREAD,    CM_RUN_ADDRESS_BUSY, CM_RUN_ADDRESS_RATE, CM_RUN_GATE_FULL,
};

const cm_metric cm_server_metrics[CM_SM_COUNT] = {
    [CM_SM_ACCEPTED] = {.name = "casemate_connections_accepted_total",
                        .type = CM_METRIC_COUNTER,
                        .help = "Connections accepted."},
    [CM_SM_OPEN] = {.name = "casemate_connections",
                    .type = CM_METRIC_GAUGE,
                    .help = "Connections open now."},
    [CM_SM_HANDSHAKES] = {.name = "casemate_tls_handshakes_total",
                          .type = CM_METRIC_COUNTER,
                          .labels = {{"result", results}},
                          .help = "TLS handshakes that ended."},
    [CM_SM_HANDSHAKE_SECONDS] = {.name = "casemate_tls_handshake_seconds",
                                 .type = CM_METRIC_HISTOGRAM,
                                 .help = "Time from accepting to the end of the handshake."},
    [CM_SM_CLOSED] = {.name = "casemate_connections_closed_total",
                      .type = CM_METRIC_COUNTER,
                      .labels = {{"reason", endings}},
                      .help = "Connections that ended or were refused."},
    [CM_SM_RECEIVED] = {.name = "casemate_received_bytes_total",
                        .type = CM_METRIC_COUNTER,
                        .help = "Bytes of HTTP received."},
    [CM_SM_SENT] = {.name = "casemate_sent_bytes_total",
                    .type = CM_METRIC_COUNTER,
                    .help = "Bytes of HTTP sent."},
};

void cm_server_count_closed(cm_server *s, cm_err why)
{
    size_t i = 0;

    while (i < CM_COUNT(close_reasons) && why.v != (uint32_t)close_reasons[i])
        i++;
    if (cm_is(why, CM_RUN_DRAINED))
        i = CM_COUNT(endings) - 2;
    cm_server_count(s, CM_SM_CLOSED, i, 1);
}

/* ---- accepting ----------------------------------------------------------------------------- */

static bool full(const cm_server *s)
{
    return s->n >= s->o.limits.connections || s->handshakes >= s->o.limits.handshakes;
}

static void pause_accepting(cm_server *s)
{
    for (size_t i = 0; i < s->listeners; i++)
        if (!s->listener[i].paused && s->listener[i].io.fd >= 0) {
            s->listener[i].paused = true;
            cm_loop_remove(s->o.loop, &s->listener[i].io);
        }
}

void cm_server_accept_again(cm_server *s)
{
    if (s->draining || full(s))
        return;
    for (size_t i = 0; i < s->listeners; i++)
        if (s->listener[i].paused && cm_ok(cm_loop_add(s->o.loop, &s->listener[i].io, EPOLLIN)))
            s->listener[i].paused = false;
}

static void resume(cm_timer *t)
{
    cm_server_accept_again((cm_server *)(void *)((char *)t - offsetof(cm_server, resume)));
}

/* Out of descriptors or memory: the backlog waits until some are free again. */
static void rest(cm_server *s)
{
    pause_accepting(s);
    cm_loop_after(s->o.loop, &s->resume, PAUSE_MS);
}

static void acceptable(cm_loop_io *io, uint32_t events)
{
    struct listener *l = (struct listener *)(void *)io;
    cm_server *s = l->s;
    struct sockaddr_storage sa = {0};

    (void)events;
    for (int i = 0; i < ACCEPTS && !full(s); i++) {
        socklen_t n = sizeof sa;
        int fd = accept4(io->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            cm_server_count(s, CM_SM_ACCEPTED, 0, 1);
            cm_conn_begin(l, fd, (const struct sockaddr *)&sa);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest(s);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
    if (full(s))
        pause_accepting(s);
}

cm_err cm_server_listen(cm_server *s, const cm_server_listener *l)
{
    struct listener *at = &s->listener[s->listeners];
    int fd = l->fd;
    cm_err e = CM_FAIL(BAD_ARGUMENT);

    if (s->listeners < LISTENERS_MAX) {
        *at = (struct listener){.io = {.fd = fd, .ready = acceptable}, .s = s, .l = *l};
        e = cm_loop_add(s->o.loop, &at->io, EPOLLIN);
    }
    if (cm_failed(e))
        cm_os_close_fd(&fd);
    else
        s->listeners++;
    return e;
}

static void stop_listening(cm_server *s)
{
    for (size_t i = 0; i < s->listeners; i++) {
        struct listener *l = &s->listener[i];

        if (l->io.fd < 0)
            continue;
        if (!l->paused)
            cm_loop_remove(s->o.loop, &l->io);
        cm_os_close_fd(&l->io.fd);
        l->io.fd = -1;
    }
    cm_wheel_stop(cm_loop_timers(s->o.loop), &s->resume);
}

/* ---- coming and going ---------------------------------------------------------------------- */

static void close_all(cm_server *s, cm_err why)
{
    while (s->conns)
        cm_conn_close(s->conns, why);
}

static void deadline(cm_timer *t)
{
    close_all((cm_server *)(void *)((char *)t - offsetof(cm_server, deadline)),
              CM_FAIL(RUN_DRAINED));
}

cm_err cm_server_new(cm_server **out, const cm_server_options *o)
{
    CM_AUTO(cm_server_free_ptr) cm_server *s = NULL;

    CM_TRY(cm_alloc(&s, sizeof *s));
    s->o = *o;
    s->resume.fire = resume;
    s->deadline.fire = deadline;
    CM_TRY(cm_alloc(&s->buffer, READ_BUFFER));
    *out = s;
    s = NULL;
    return CM_OKAY;
}

void cm_server_free(cm_server *s)
{
    if (!s)
        return;
    s->draining = s->drained = true;
    stop_listening(s);
    close_all(s, CM_FAIL(RUN_DRAINED));
    cm_loop_settle(s->o.loop);
    cm_wheel_stop(cm_loop_timers(s->o.loop), &s->deadline);
    if (s->buffer)
        cm_wipe(s->buffer, READ_BUFFER);
    cm_free(s->buffer);
    cm_free(s);
}

void cm_server_free_ptr(cm_server **s)
{
    cm_server_free(*s);
    *s = NULL;
}

void cm_server_gone(cm_server *s)
{
    if (s->draining && !s->drained && s->n == 0) {
        s->drained = true;
        cm_wheel_stop(cm_loop_timers(s->o.loop), &s->deadline);
        s->o.handler.drained(s->o.handler.self);
    }
    cm_server_accept_again(s);
}

void cm_server_drain(cm_server *s, uint64_t ms)
{
    if (s->draining)
        return;
    s->draining = true;
    stop_listening(s);
    cm_loop_after(s->o.loop, &s->deadline, ms);
    for (cm_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        cm_conn_drain(c);
    }
    cm_server_gone(s);
}

size_t cm_server_connections(const cm_server *s)
{
    return s->n;
}

void cm_server_set_limits(cm_server *s, const cm_server_limits *l)
{
    s->o.limits = *l;
    cm_server_accept_again(s);
}
