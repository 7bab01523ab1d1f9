/* A reactor's connection to keyd: flushed once a round, made anew when it broke. */
#include <stdio.h>
#include <sys/epoll.h>

#include "base/os.h"
#include "kmsd.h"

/* The main thread has put the next socket here, or there is none yet. */
static cm_err next_socket(void *arg, int *fd)
{
    atomic_int *slot = arg;
    int got = atomic_exchange(slot, -1);

    if (got < 0)
        return CM_FAIL(KEEPER_DOWN);
    *fd = got;
    return CM_OKAY;
}

static void flush(cm_loop_task *t)
{
    reactor *r = (reactor *)(void *)((char *)t - offsetof(reactor, keys_flush));

    r->keys_flushing = false;
    cm_keeper_flush(r->keys);
    cm_kmsd_keys_sync(r);
}

static void flush_later(reactor *r)
{
    if (r->keys_flushing)
        return;
    r->keys_flushing = true;
    cm_loop_later(r->loop, &r->keys_flush);
}

static void submit(void *self, cm_keyop *op)
{
    reactor *r = self;

    r->inner.submit(r->inner.self, op);
    flush_later(r);
}

static void ready(cm_loop_io *io, uint32_t events)
{
    reactor *r = (reactor *)(void *)((char *)io - offsetof(reactor, keys_io));

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        cm_keeper_readable(r->keys);
    flush_later(r);
}

static void tick(cm_timer *t)
{
    cm_kmsd_keys_sync((reactor *)(void *)((char *)t - offsetof(reactor, keys_tick)));
}

static void watch(reactor *r)
{
    uint32_t events = (uint32_t)EPOLLIN | (cm_keeper_wants_write(r->keys) ? (uint32_t)EPOLLOUT : 0);
    uint64_t connection = cm_keeper_connection(r->keys);

    if (connection != r->keys_connection) {
        /* The old descriptor is closed: epoll has forgotten it. */
        r->keys_connection = connection;
        r->keys_events = 0;
        r->keys_io.fd = cm_keeper_fd(r->keys);
        if (connection && cm_failed(cm_loop_add(r->loop, &r->keys_io, events)))
            r->keys_io.fd = -1;
        r->keys_events = events;
        if (r->index == 0)
            cm_kmsd_keyd_changed(r->d);
    } else if (connection && events != r->keys_events) {
        r->keys_events = events;
        if (cm_failed(cm_loop_change(r->loop, &r->keys_io, events)))
            CM_LOG(r->d->log, ERROR, "keyd_watch_failed", cm_log_number("reactor", r->index));
    }
}

void cm_kmsd_keys_sync(reactor *r)
{
    uint64_t now = cm_loop_now(r->loop), due;

    watch(r);
    due = cm_keeper_tick(r->keys, now);
    watch(r);
    if (due != UINT64_MAX)
        cm_wheel_set(cm_loop_timers(r->loop), &r->keys_tick, CM_MAX(due, now + 1));
}

cm_err cm_kmsd_keys_init(reactor *r)
{
    cm_keeper_options o = {.connect = next_socket,
                           .arg = &r->keys_fd,
                           .fd = -1,
                           .depth = (unsigned)r->d->v->keyd.queue};

    CM_TRY(cm_keeper_new(&r->keys, &o));
    r->inner = cm_keeper_of(r->keys);
    r->keeper = (cm_keeper){.submit = submit, .self = r};
    r->keys_io = (cm_loop_io){.fd = -1, .ready = ready};
    r->keys_flush.run = flush;
    r->keys_tick.fire = tick;
    cm_wheel_set(cm_loop_timers(r->loop), &r->keys_tick, cm_loop_now(r->loop));
    return CM_OKAY;
}

void cm_kmsd_keys_done(reactor *r)
{
    int fd = atomic_exchange(&r->keys_fd, -1);

    cm_os_close_fd(&fd);
    cm_keeper_free_ptr(&r->keys);
}
