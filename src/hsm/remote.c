#include "hsm/remote.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/os.h"
#include "hsm/msg.h"

enum { TIMEOUT_MS = 10000, PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 5000 };

struct cm_hsm_remote {
    cm_hsm_remote_options o;
    pthread_mutex_t lock; /* all below: one request at a time */
    int fd;
    uint64_t id, pause_ms, again_ms;
    bool quarantined, patient; /* patient: reads of fd end by themselves */
    cm_buf packet;             /* empty between requests */
};

static uint64_t now_ms(void)
{
    return cm_os_monotonic_ns() / 1000000;
}

/* ---- the connection ------------------------------------------------------------------------ */

static void lose(cm_hsm_remote *r)
{
    cm_os_close_fd(&r->fd);
    r->fd = -1;
    r->pause_ms = r->pause_ms ? CM_MIN(r->pause_ms * 2, (uint64_t)PAUSE_MAX_MS) : PAUSE_FIRST_MS;
    r->again_ms = now_ms() + r->pause_ms;
}

/* How long a read waits at most. */
static void patience(cm_hsm_remote *r)
{
    const struct timeval t = {.tv_sec = r->o.timeout_ms / 1000,
                              .tv_usec = r->o.timeout_ms % 1000 * 1000};

    r->patient = setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0;
}

/* H-12 */
static cm_err connected(cm_hsm_remote *r)
{
    cm_err e;

    if (r->fd >= 0)
        return CM_OKAY;
    if (!r->o.connect || now_ms() < r->again_ms)
        return CM_FAIL(HSM_DOWN);
    e = r->o.connect(r->o.arg, &r->fd);
    if (cm_ok(e))
        patience(r);
    else
        lose(r);
    return e;
}

static cm_err transmit(const cm_hsm_remote *r, cm_view packet)
{
    ssize_t n;

    do
        n = send(r->fd, packet.p, packet.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)packet.n ? CM_OKAY : CM_FAIL(HSM_LOST);
}

/* At first the socket waits for the whole time by itself: one call less than with poll(), which is
 * asked when that was broken off. An empty packet: not yet. */
static cm_err receive(const cm_hsm_remote *r, cm_buf *packet, uint64_t deadline, bool first)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    int ready = 1, flags = MSG_TRUNC | (first ? 0 : MSG_DONTWAIT);
    uint64_t now = now_ms();
    ssize_t n;

    if (now >= deadline)
        return CM_FAIL(HSM_TIMEOUT);
    if (!first)
        ready = poll(&p, 1, (int)(deadline - now));
    if (ready == 0)
        return CM_FAIL(HSM_TIMEOUT);
    n = ready > 0 ? recv(r->fd, packet->p, packet->cap, flags) : -1;
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        packet->n = 0;
        return CM_OKAY;
    }
    if (n <= 0)
        return CM_FAIL(HSM_LOST);
    if ((size_t)n > packet->cap)
        return CM_FAIL(HSM_MESSAGE);
    packet->n = (size_t)n;
    return CM_OKAY;
}

/* H-11: the answer to this request and no other. */
static cm_err await(const cm_hsm_remote *r, cm_buf *packet)
{
    uint64_t deadline = now_ms() + (uint64_t)r->o.timeout_ms, id = 0;
    bool first = r->patient;

    do {
        CM_TRY(receive(r, packet, deadline, first));
        first = false;
        if (packet->n)
            CM_TRY(cm_hsm_get_answer_id(&id, cm_buf_view(packet)));
    } while (packet->n == 0);
    return id == r->id ? CM_OKAY : CM_FAIL(HSM_MESSAGE);
}

static cm_err exchange(cm_hsm_remote *r, const cm_hsm_request *q, cm_hsm_answer *a, cm_err *result)
{
    CM_TRY(connected(r));
    CM_TRY(cm_buf_reserve(&r->packet, CM_HSM_PACKET));
    CM_TRY(cm_hsm_put_request(&r->packet, ++r->id, q));
    CM_TRY(transmit(r, cm_buf_view(&r->packet)));
    cm_wipe(r->packet.p, r->packet.n);
    CM_TRY(await(r, &r->packet));
    return cm_hsm_get_answer(result, a, q->op, cm_buf_view(&r->packet));
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

static cm_err locked_call(cm_hsm_remote *r, const cm_hsm_request *q, cm_hsm_answer *a)
{
    cm_err result = CM_OKAY, e;

    if (r->quarantined && q->op != CM_HSM_STATUS)
        return CM_FAIL(HSM_QUARANTINED);
    e = exchange(r, q, a, &result);
    cm_wipe(r->packet.p, r->packet.n);
    r->packet.n = 0;
    if (costs_the_connection(e))
        lose(r);
    CM_TRY(e);
    if (wants_a_new_process(r, result)) {
        lose(r);
        return result;
    }
    r->pause_ms = 0;
    r->quarantined |= cm_is(result, CM_HSM_WRONG) || cm_is(result, CM_HSM_QUARANTINED);
    if (q->op == CM_HSM_STATUS && cm_ok(result))
        a->status.quarantined |= r->quarantined;
    return result;
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

/* ---- life ---------------------------------------------------------------------------------- */

cm_err cm_hsm_remote_new(cm_hsm_remote **out, const cm_hsm_remote_options *o)
{
    int fd = o->fd;
    cm_hsm_remote *r;
    cm_err e = cm_alloc(&r, sizeof *r);

    if (cm_failed(e)) {
        cm_os_close_fd(&fd);
        return e;
    }
    r->o = *o;
    r->fd = fd;
    if (r->o.timeout_ms <= 0)
        r->o.timeout_ms = TIMEOUT_MS;
    if (fd >= 0)
        patience(r);
    r->packet.max = CM_HSM_PACKET;
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return CM_OKAY;
}

void cm_hsm_remote_free(cm_hsm_remote *r)
{
    if (!r)
        return;
    cm_os_close_fd(&r->fd);
    cm_buf_free(&r->packet);
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
