#include "hsm/remote.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/os.h"
#include "hsm/msg.h"

enum { TIMEOUT_MS = 10000, PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 5000 };

struct lane {
    int fd;
    uint64_t id, process; /* the process that fd leads to */
    bool busy, patient;   /* patient: reads of fd end by themselves */
    cm_buf packet;        /* empty between requests */
};

struct cm_hsm_remote {
    cm_hsm_remote_options o;
    pthread_mutex_t lock; /* all below; what a busy lane has but for process is its user's */
    pthread_cond_t freed;
    struct lane lane[CM_HSM_LANES];
    unsigned lanes, busy; /* lanes: 0, there is no process */
    uint64_t process, pause_ms, again_ms;
    bool quarantined, met; /* met: who runs was asked how much it serves at once */
    _Atomic unsigned at_once;
};

static uint64_t now_ms(void)
{
    return cm_os_monotonic_ns() / 1000000;
}

/* ---- connections: under the lock ----------------------------------------------------------- */

static void close_lane(struct lane *l)
{
    cm_os_close_fd(&l->fd);
    l->fd = -1;
}

/* H-16: one connection that is lost is all of them. Who waits for an answer in another one gets its
 * end, and closes it. */
static void lose(cm_hsm_remote *r)
{
    for (unsigned i = 0; i < r->lanes; i++)
        if (r->lane[i].busy)
            (void)shutdown(r->lane[i].fd, SHUT_RDWR);
        else
            close_lane(&r->lane[i]);
    r->lanes = 0;
    r->met = false;
    r->process++;
    atomic_store(&r->at_once, 1);
    r->pause_ms = r->pause_ms ? CM_MIN(r->pause_ms * 2, (uint64_t)PAUSE_MAX_MS) : PAUSE_FIRST_MS;
    r->again_ms = now_ms() + r->pause_ms;
}

/* How long a read waits at most. */
static void patience(const cm_hsm_remote *r, struct lane *l)
{
    const struct timeval t = {.tv_sec = r->o.timeout_ms / 1000,
                              .tv_usec = r->o.timeout_ms % 1000 * 1000};

    l->patient = setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0;
}

static void use(cm_hsm_remote *r, const int fd[CM_HSM_LANES])
{
    while (r->lanes < CM_HSM_LANES && fd[r->lanes] >= 0) {
        struct lane *l = &r->lane[r->lanes];

        l->fd = fd[r->lanes++];
        l->process = r->process;
        patience(r, l);
    }
}

/* H-12 */
static cm_err start(cm_hsm_remote *r)
{
    int fd[CM_HSM_LANES];
    cm_err e;

    for (unsigned i = 0; i < CM_HSM_LANES; i++)
        fd[i] = -1;
    e = r->o.connect(r->o.arg, fd);
    if (cm_ok(e))
        use(r, fd);
    else
        lose(r);
    return e;
}

static struct lane *idle(cm_hsm_remote *r)
{
    bool room = r->busy < atomic_load(&r->at_once);

    for (unsigned i = 0; room && i < r->lanes; i++)
        if (!r->lane[i].busy)
            return &r->lane[i];
    return NULL;
}

static cm_err take(cm_hsm_remote *r, const cm_hsm_request *q, struct lane **out)
{
    for (;;) {
        if (r->quarantined && q->op != CM_HSM_STATUS)
            return CM_FAIL(HSM_QUARANTINED);
        if (!r->lanes && (!r->o.connect || now_ms() < r->again_ms))
            return CM_FAIL(HSM_DOWN);
        if (!r->lanes && !r->busy)
            CM_TRY(start(r));
        *out = idle(r);
        if (*out)
            break;
        pthread_cond_wait(&r->freed, &r->lock);
    }
    (*out)->busy = true;
    r->busy++;
    return CM_OKAY;
}

static void give_back(cm_hsm_remote *r, struct lane *l)
{
    l->busy = false;
    r->busy--;
    if (l->process != r->process)
        close_lane(l);
    pthread_cond_broadcast(&r->freed);
}

/* ---- one exchange: without it ------------------------------------------------------------- */

static cm_err transmit(const struct lane *l, cm_view packet)
{
    ssize_t n;

    do
        n = send(l->fd, packet.p, packet.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)packet.n ? CM_OKAY : CM_FAIL(HSM_LOST);
}

/* At first the socket waits for the whole time by itself: one call less than with poll(), which is
 * asked when that was broken off. An empty packet: not yet. */
static cm_err receive(struct lane *l, uint64_t deadline, bool first)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    int ready = 1, flags = MSG_TRUNC | (first ? 0 : MSG_DONTWAIT);
    uint64_t now = now_ms();
    ssize_t n;

    if (now >= deadline)
        return CM_FAIL(HSM_TIMEOUT);
    if (!first)
        ready = poll(&p, 1, (int)(deadline - now));
    if (ready == 0)
        return CM_FAIL(HSM_TIMEOUT);
    n = ready > 0 ? recv(l->fd, l->packet.p, l->packet.cap, flags) : -1;
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        l->packet.n = 0;
        return CM_OKAY;
    }
    if (n <= 0)
        return CM_FAIL(HSM_LOST);
    if ((size_t)n > l->packet.cap)
        return CM_FAIL(HSM_MESSAGE);
    l->packet.n = (size_t)n;
    return CM_OKAY;
}

/* H-11: the answer to this request and no other. */
static cm_err await(const cm_hsm_remote *r, struct lane *l)
{
    uint64_t deadline = now_ms() + (uint64_t)r->o.timeout_ms, id = 0;
    bool first = l->patient;

    do {
        CM_TRY(receive(l, deadline, first));
        first = false;
        if (l->packet.n)
            CM_TRY(cm_hsm_get_answer_id(&id, cm_buf_view(&l->packet)));
    } while (l->packet.n == 0);
    return id == l->id ? CM_OKAY : CM_FAIL(HSM_MESSAGE);
}

static cm_err ask(const cm_hsm_remote *r, struct lane *l, const cm_hsm_request *q, cm_hsm_answer *a,
                  cm_err *result)
{
    l->packet.max = CM_HSM_PACKET;
    CM_TRY(cm_buf_reserve(&l->packet, CM_HSM_PACKET));
    CM_TRY(cm_hsm_put_request(&l->packet, ++l->id, q));
    CM_TRY(transmit(l, cm_buf_view(&l->packet)));
    cm_wipe(l->packet.p, l->packet.n);
    CM_TRY(await(r, l));
    return cm_hsm_get_answer(result, a, q->op, cm_buf_view(&l->packet));
}

static cm_err exchange(const cm_hsm_remote *r, struct lane *l, const cm_hsm_request *q,
                       cm_hsm_answer *a, cm_err *result)
{
    cm_err e = ask(r, l, q, a, result);

    cm_wipe(l->packet.p, l->packet.n);
    l->packet.n = 0;
    return e;
}

static bool costs_the_connection(cm_err e)
{
    return cm_is(e, CM_HSM_LOST) || cm_is(e, CM_HSM_TIMEOUT) || cm_is(e, CM_HSM_MESSAGE);
}

/* H-38: many a module lists its tokens once, at its start. */
static bool wants_a_new_process(const cm_hsm_remote *r, cm_err result)
{
    return r->o.connect && (cm_is(result, CM_HSM_NO_TOKEN) || cm_is(result, CM_HSM_INIT) ||
                            cm_is(result, CM_HSM_MODULE_OTHER));
}

/* What an answer says of the process: of that which runs, or of one that is lost already. */
static void learn(cm_hsm_remote *r, const struct lane *l, cm_err e, cm_err result)
{
    bool ours = l->process == r->process;

    if (ours && (costs_the_connection(e) || (cm_ok(e) && wants_a_new_process(r, result))))
        lose(r);
    else if (ours && cm_ok(e))
        r->pause_ms = 0;
    if (cm_ok(e))
        r->quarantined |= cm_is(result, CM_HSM_WRONG) || cm_is(result, CM_HSM_QUARANTINED);
}

static void learn_status(cm_hsm_remote *r, const struct lane *l, cm_hsm_status *s)
{
    s->quarantined |= r->quarantined;
    if (l->process != r->process)
        return;
    r->met = true;
    atomic_store(&r->at_once, (unsigned)CM_MAX(CM_MIN(s->at_once, r->lanes), 1));
    pthread_cond_broadcast(&r->freed);
}

/* The lock is let go meanwhile. */
static cm_err perform(cm_hsm_remote *r, struct lane *l, const cm_hsm_request *q, cm_hsm_answer *a)
{
    cm_err result = CM_OKAY, e;

    pthread_mutex_unlock(&r->lock);
    e = exchange(r, l, q, a, &result);
    pthread_mutex_lock(&r->lock);
    learn(r, l, e, result);
    if (cm_ok(e) && cm_ok(result) && q->op == CM_HSM_STATUS)
        learn_status(r, l, &a->status);
    return cm_failed(e) ? e : result;
}

/* H-16: of several connections only one is used until this was answered. */
static cm_err meet(cm_hsm_remote *r, struct lane *l)
{
    const cm_hsm_request q = {.op = CM_HSM_STATUS};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    r->met = true;
    return perform(r, l, &q, &a);
}

static cm_err locked_call(cm_hsm_remote *r, const cm_hsm_request *q, cm_hsm_answer *a)
{
    cm_err e = CM_OKAY;
    struct lane *l;

    CM_TRY(take(r, q, &l));
    if (r->lanes > 1 && !r->met && q->op != CM_HSM_STATUS)
        e = meet(r, l);
    if (l->process == r->process) /* whatever else it said, it says of the request too */
        e = perform(r, l, q, a);
    give_back(r, l);
    return e;
}

static cm_err call(void *self, const cm_hsm_request *q, cm_hsm_answer *a)
{
    cm_hsm_remote *r = self;
    cm_err e;

    CM_TRY(cm_hsm_request_check(q));
    pthread_mutex_lock(&r->lock);
    e = locked_call(r, q, a);
    pthread_mutex_unlock(&r->lock);
    return e;
}

unsigned cm_hsm_remote_at_once(const cm_hsm_remote *r)
{
    return atomic_load(&r->at_once);
}

/* ---- life ---------------------------------------------------------------------------------- */

cm_err cm_hsm_remote_new(cm_hsm_remote **out, const cm_hsm_remote_options *o)
{
    int fd[CM_HSM_LANES] = {o->fd, -1};
    cm_hsm_remote *r;
    cm_err e = cm_alloc(&r, sizeof *r);

    if (cm_failed(e)) {
        cm_os_close_fd(fd);
        return e;
    }
    r->o = *o;
    if (r->o.timeout_ms <= 0)
        r->o.timeout_ms = TIMEOUT_MS;
    for (unsigned i = 0; i < CM_HSM_LANES; i++)
        r->lane[i].fd = -1;
    use(r, fd);
    atomic_store(&r->at_once, 1);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->freed, NULL);
    *out = r;
    return CM_OKAY;
}

void cm_hsm_remote_free(cm_hsm_remote *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < CM_HSM_LANES; i++) {
        close_lane(&r->lane[i]);
        cm_buf_free(&r->lane[i].packet);
    }
    pthread_cond_destroy(&r->freed);
    pthread_mutex_destroy(&r->lock);
    cm_free(r);
}

void cm_hsm_remote_free_ptr(cm_hsm_remote **r)
{
    cm_hsm_remote_free(*r);
}

cm_hsm cm_hsm_remote_of(cm_hsm_remote *r)
{
    return (cm_hsm){.call = call, .self = r};
}
