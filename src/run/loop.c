#include "run/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/os.h"

enum { BATCH = 128 };

struct cm_loop {
    int epoll;
    cm_loop_io wake, signals;
    void (*got)(void *arg, int signo);
    void *got_arg;
    cm_queue posted;
    cm_queue_item *later, **later_end;
    cm_wheel wheel;
    uint64_t now_ms;
    atomic_bool stop;
    struct epoll_event batch[BATCH];
    int at, n; /* of the batch under way */
};

static uint64_t now_ms(void)
{
    return cm_os_monotonic_ns() / 1000000;
}

/* ---- descriptors --------------------------------------------------------------------------- */

static cm_err control(cm_loop *l, int op, cm_loop_io *io, uint32_t events)
{
    struct epoll_event e = {.events = events, .data = {.ptr = io}};

    return epoll_ctl(l->epoll, op, io->fd, &e) == 0 ? CM_OKAY : CM_FAIL(RUN_LOOP);
}

cm_err cm_loop_add(cm_loop *l, cm_loop_io *io, uint32_t events)
{
    return control(l, EPOLL_CTL_ADD, io, events);
}

cm_err cm_loop_change(cm_loop *l, cm_loop_io *io, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, io, events);
}

void cm_loop_remove(cm_loop *l, cm_loop_io *io)
{
    (void)!cm_failed(control(l, EPOLL_CTL_DEL, io, 0));
    for (int i = l->at; i < l->n; i++)
        if (l->batch[i].data.ptr == io)
            l->batch[i].data.ptr = NULL;
}

/* ---- tasks --------------------------------------------------------------------------------- */

static void wake_up(cm_loop *l)
{
    uint64_t one = 1;

    /* A full counter wakes as well as one more. */
    (void)!write(l->wake.fd, &one, sizeof one);
}

static void woken(cm_loop_io *io, uint32_t events)
{
    uint64_t n;

    (void)events;
    (void)!read(io->fd, &n, sizeof n);
}

void cm_loop_post(cm_loop *l, cm_loop_task *t)
{
    if (cm_queue_push(&l->posted, &t->item))
        wake_up(l);
}

void cm_loop_later(cm_loop *l, cm_loop_task *t)
{
    t->item.next = NULL;
    *l->later_end = &t->item;
    l->later_end = &t->item.next;
}

static void run_list(cm_queue_item *i)
{
    while (i) {
        cm_loop_task *t = (cm_loop_task *)(void *)i;

        i = i->next;
        t->run(t);
    }
}

/* What these put off again waits for the next round, lest one busy peer keeps out the others. */
void cm_loop_settle(cm_loop *l)
{
    cm_queue_item *list = l->later;

    l->later = NULL;
    l->later_end = &l->later;
    run_list(list);
}

/* ---- signals ------------------------------------------------------------------------------- */

static void signalled(cm_loop_io *io, uint32_t events)
{
    cm_loop *l = (cm_loop *)(void *)((char *)io - offsetof(cm_loop, signals));
    struct signalfd_siginfo info;

    (void)events;
    while (read(io->fd, &info, sizeof info) == (ssize_t)sizeof info)
        l->got(l->got_arg, (int)info.ssi_signo);
}

cm_err cm_loop_signals(cm_loop *l, const sigset_t *set, void (*got)(void *arg, int signo),
                       void *arg)
{
    int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

    if (fd < 0)
        return CM_FAIL(RUN_LOOP);
    l->signals = (cm_loop_io){.fd = fd, .ready = signalled};
    l->got = got;
    l->got_arg = arg;
    return cm_loop_add(l, &l->signals, EPOLLIN);
}

/* ---- the loop ------------------------------------------------------------------------------ */

uint64_t cm_loop_now(const cm_loop *l)
{
    return l->now_ms;
}

cm_wheel *cm_loop_timers(cm_loop *l)
{
    return &l->wheel;
}

cm_err cm_loop_new(cm_loop **out)
{
    CM_AUTO(cm_loop_free_ptr) cm_loop *l = NULL;

    CM_TRY(cm_alloc(&l, sizeof *l));
    l->later_end = &l->later;
    l->now_ms = now_ms();
    l->signals.fd = -1;
    cm_wheel_init(&l->wheel, l->now_ms);
    l->wake = (cm_loop_io){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = woken};
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0 || l->wake.fd < 0)
        return CM_FAIL(RUN_LOOP);
    CM_TRY(cm_loop_add(l, &l->wake, EPOLLIN));
    *out = l;
    l = NULL;
    return CM_OKAY;
}

void cm_loop_free(cm_loop *l)
{
    if (!l)
        return;
    cm_os_close_fd(&l->signals.fd);
    cm_os_close_fd(&l->wake.fd);
    cm_os_close_fd(&l->epoll);
    cm_free(l);
}

void cm_loop_free_ptr(cm_loop **l)
{
    cm_loop_free(*l);
    *l = NULL;
}

void cm_loop_stop(cm_loop *l)
{
    atomic_store(&l->stop, true);
    wake_up(l);
}

static void serve_batch(cm_loop *l, int n)
{
    l->n = n;
    for (l->at = 0; l->at < l->n;) {
        struct epoll_event e = l->batch[l->at++];
        cm_loop_io *io = (cm_loop_io *)e.data.ptr;

        if (io)
            io->ready(io, e.events);
    }
    l->n = l->at = 0;
}

cm_err cm_loop_run(cm_loop *l)
{
    while (!atomic_load(&l->stop)) {
        int ms = l->later ? 0 : cm_wheel_sleep_ms(&l->wheel, now_ms());
        int n = epoll_wait(l->epoll, l->batch, BATCH, ms);

        if (n < 0 && errno != EINTR)
            return CM_FAIL(RUN_LOOP);
        l->now_ms = now_ms();
        serve_batch(l, CM_MAX(n, 0));
        run_list(cm_queue_take(&l->posted));
        cm_wheel_run(&l->wheel, l->now_ms);
        cm_loop_settle(l);
    }
    return CM_OKAY;
}
