/* The program's channel (EN-40): it asks, this answers, one message at a time. What is not taken is
 * not made: memory stays constant however fast it asks. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "enclave/run_int.h"

enum { LOG_MAX = 1 << 20, LOG_STEP = 4096, EXTRA = 4, OWN = 3 };

/* ---- what goes out ------------------------------------------------------------------------- */

static cm_err put_head(cm_enclave *e, uint8_t type, uint32_t n, uint64_t arg)
{
    uint8_t head[CM_MSG_HEAD] = {type};

    cm_put_be32(head + 4, n);
    cm_put_be64(head + 8, arg);
    return cm_buf_append(&e->out, CM_VIEW(head));
}

static cm_err put_error(cm_enclave *e, cm_err why)
{
    return put_head(e, CM_MSG_ERROR, 0, why.v);
}

/* EN-41: what is handed out was verified, and lies inside the model. */
static cm_err put_range(cm_enclave *e, uint32_t n, uint64_t off)
{
    uint64_t size = e->o.measured->manifest->model_size;
    cm_err err;

    if (!e->o.model || n == 0 || n > CM_ENCLAVE_RANGE_MAX || off > size || n > size - off)
        return put_error(e, CM_FAIL(BAD_ARGUMENT));
    CM_TRY(put_head(e, CM_MSG_DATA, n, off));
    CM_TRY(cm_buf_reserve(&e->out, n));
    err = cm_sealed_read(e->o.model, e->out.p + e->out.n, n, off);
    if (cm_failed(err)) {
        cm_wipe(e->out.p, e->out.n + n);
        e->out.n = 0;
        e->figures.failure = err;
        return put_error(e, err);
    }
    e->out.n += n;
    e->figures.ranges++;
    e->figures.range_bytes += n;
    return CM_OKAY;
}

static cm_err put_info(cm_enclave *e)
{
    const cm_enclave_manifest *m = e->o.measured->manifest;
    uint8_t info[CM_INFO_SIZE] = {0};

    memcpy(info, e->o.measured->digest, 32);
    memcpy(info + 32, m->model, 32);
    cm_put_be64(info + 64, m->model_size);
    cm_put_be32(info + 72, m->delivery);
    CM_TRY(put_head(e, CM_MSG_INFO, sizeof info, 0));
    return cm_buf_append(&e->out, CM_VIEW(info));
}

/* EN-44: where in the model a file of a folder lies, and its name. */
static cm_err put_member(cm_enclave *e, uint64_t i)
{
    const cm_dir_entry *f;
    const cm_dir *d;
    uint8_t at[16];
    cm_err err = e->o.model ? cm_sealed_dir(e->o.model, &d) : CM_FAIL(ENCLAVE_NO_MEMBER);

    if (cm_failed(err)) {
        if (cm_err_class(err) == CM_CLASS_UNAUTHENTIC)
            e->figures.failure = err;
        return put_error(e, err);
    }
    if (i >= d->n)
        return put_error(e, CM_FAIL(ENCLAVE_NO_MEMBER));
    f = &d->v[i];
    cm_put_be64(at, f->offset);
    cm_put_be64(at + 8, f->size);
    CM_TRY(put_head(e, CM_MSG_FILE, (uint32_t)(sizeof at + strlen(f->path)), i));
    CM_TRY(cm_buf_append(&e->out, CM_VIEW(at)));
    return cm_buf_append(&e->out, cm_view_str(f->path));
}

/* A request goes to a program that asked for one. */
static cm_err give_call(cm_enclave *e)
{
    if (!e->waits || e->out.n)
        return CM_OKAY;
    if (e->ended) {
        e->waits = false;
        return put_head(e, CM_MSG_END, 0, 0);
    }
    if (e->call != CM_CALL_READY)
        return CM_OKAY;
    e->waits = false;
    e->call = CM_CALL_GIVEN;
    e->figures.calls++;
    CM_TRY(put_head(e, CM_MSG_CALL, (uint32_t)e->request.n, e->call_id));
    return cm_buf_append(&e->out, e->request);
}

static cm_err send_some(cm_enclave *e)
{
    ssize_t n =
        send(e->channel, e->out.p + e->out_at, e->out.n - e->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR || errno == EPIPE || errno == ECONNRESET
                   ? CM_OKAY
                   : CM_FAIL(ENCLAVE_GONE);
    e->out_at += (size_t)n;
    if (e->out_at == e->out.n) {
        e->out.n = e->out_at = 0;
        if (e->out.cap > 2 * CM_ENCLAVE_RANGE_MAX)
            cm_buf_free(&e->out);
    }
    return CM_OKAY;
}

/* ---- what comes in ------------------------------------------------------------------------- */

/* EN-42 */
static cm_err begin_answer(cm_enclave *e, uint32_t n, uint64_t id)
{
    if (e->call != CM_CALL_GIVEN || id != e->call_id)
        return CM_FAIL(ENCLAVE_PROTOCOL);
    if (n > e->answer->max - e->answer->n)
        return CM_FAIL(ENCLAVE_ANSWER);
    e->answer_left = n;
    e->in_answer = n > 0;
    if (n == 0)
        e->call = CM_CALL_DONE;
    return CM_OKAY;
}

static cm_err obey(cm_enclave *e)
{
    uint32_t n = cm_get_be32(e->head + 4);
    uint64_t arg = cm_get_be64(e->head + 8);

    e->head_n = 0;
    if (e->head[1] | e->head[2] | e->head[3])
        return CM_FAIL(ENCLAVE_PROTOCOL);
    switch (e->head[0]) {
    case CM_MSG_READ:
        return put_range(e, n, arg);
    case CM_MSG_INFO:
        return n == 0 && arg == 0 ? put_info(e) : CM_FAIL(ENCLAVE_PROTOCOL);
    case CM_MSG_FILE:
        return n == 0 ? put_member(e, arg) : CM_FAIL(ENCLAVE_PROTOCOL);
    case CM_MSG_NEXT:
        if (n || arg || e->waits || e->call == CM_CALL_GIVEN)
            return CM_FAIL(ENCLAVE_PROTOCOL);
        e->waits = true;
        return CM_OKAY;
    case CM_MSG_ANSWER:
        return begin_answer(e, n, arg);
    default:
        return CM_FAIL(ENCLAVE_PROTOCOL);
    }
}

static cm_err take_answer(cm_enclave *e)
{
    size_t want = (size_t)CM_MIN(e->answer_left, (uint64_t)CM_ENCLAVE_RANGE_MAX);
    ssize_t n;

    CM_TRY(cm_buf_reserve(e->answer, want));
    n = read(e->channel, e->answer->p + e->answer->n, want);
    if (n == 0)
        cm_os_close_fd(&e->channel);
    if (n <= 0)
        return CM_OKAY;
    e->answer->n += (size_t)n;
    e->answer_left -= (size_t)n;
    if (e->answer_left == 0) {
        e->in_answer = false;
        e->call = CM_CALL_DONE;
    }
    return CM_OKAY;
}

static cm_err take_some(cm_enclave *e)
{
    ssize_t n;

    if (e->in_answer)
        return take_answer(e);
    n = read(e->channel, e->head + e->head_n, CM_MSG_HEAD - e->head_n);
    if (n == 0)
        cm_os_close_fd(&e->channel);
    if (n <= 0)
        return CM_OKAY;
    e->head_n += (size_t)n;
    return e->head_n == CM_MSG_HEAD ? obey(e) : CM_OKAY;
}

/* What it writes, as far as that is wanted: control characters would speak to a terminal. */
static void pass_log(cm_enclave *e)
{
    uint8_t text[LOG_STEP];
    ssize_t n = read(e->log, text, sizeof text);
    size_t take;

    if (n == 0)
        cm_os_close_fd(&e->log);
    if (n <= 0)
        return;
    take = (size_t)CM_MIN((uint64_t)n, LOG_MAX - e->logged);
    for (size_t i = 0; i < take; i++)
        if ((text[i] < 32 && text[i] != '\n' && text[i] != '\t') || text[i] == 127)
            text[i] = '?';
    e->logged += take;
    if (e->o.output >= 0 && take && cm_failed(cm_os_write(e->o.output, text, take)))
        e->o.output = -1;
}

static void see_end(cm_enclave *e)
{
    if (waitpid(e->pid, &e->status, WNOHANG) != e->pid)
        return;
    e->dead = true;
    while (e->log >= 0 && e->logged < LOG_MAX) {
        uint64_t before = e->logged;

        pass_log(e);
        if (e->logged == before)
            break;
    }
}

static cm_err serve(cm_enclave *e, const struct pollfd *w)
{
    if (w[0].revents & (POLLIN | POLLHUP) && e->out.n == 0)
        CM_TRY(take_some(e));
    CM_TRY(give_call(e));
    if (e->channel < 0)
        e->out.n = e->out_at = 0;
    if (e->out.n)
        CM_TRY(send_some(e));
    if (w[1].revents)
        pass_log(e);
    if (w[2].revents)
        see_end(e);
    return CM_OKAY;
}

cm_err cm_enclave_turn(cm_enclave *e, const int *extra, size_t n, unsigned *ready, int ms)
{
    struct pollfd w[OWN + EXTRA] = {
        {.fd = e->channel, .events = e->out.n ? POLLOUT : POLLIN},
        {.fd = e->log, .events = POLLIN},
        {.fd = e->pidfd, .events = POLLIN},
    };
    int got;

    *ready = 0;
    if (n > EXTRA)
        return CM_FAIL(BAD_ARGUMENT);
    if (e->waits && !e->out.n && (e->ended || e->call == CM_CALL_READY))
        ms = 0;
    for (size_t i = 0; i < n; i++)
        w[OWN + i] = (struct pollfd){.fd = extra[i], .events = POLLIN};
    got = poll(w, OWN + n, ms);
    if (got < 0)
        return errno == EINTR ? CM_OKAY : CM_FAIL(ENCLAVE_GONE);
    for (size_t i = 0; i < n; i++)
        if (w[OWN + i].revents)
            *ready |= 1u << i;
    /* A channel that is closed is readable for ever: only the end matters then. */
    if (w[0].revents & POLLHUP && !(w[0].revents & POLLIN)) {
        w[0].revents = 0;
        cm_os_close_fd(&e->channel);
    }
    return serve(e, w);
}
