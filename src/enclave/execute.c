#include <signal.h>

#include "base/os.h"
#include "enclave/run_int.h"

/* How long a turn may take that waits for nothing in particular. */
enum { TURN_MS = 60000 };

static int turn_ms(uint64_t deadline)
{
    uint64_t now = cm_os_monotonic_ns();

    if (deadline == 0)
        return TURN_MS;
    return now >= deadline ? 0 : (int)CM_MIN((deadline - now) / 1000000 + 1, (uint64_t)TURN_MS);
}

static uint64_t deadline_of(uint64_t timeout_ms)
{
    return timeout_ms ? cm_os_monotonic_ns() + timeout_ms * 1000000 : 0;
}

static bool passed(uint64_t deadline)
{
    return deadline && cm_os_monotonic_ns() >= deadline;
}

static cm_err until_answered(cm_enclave *e, uint64_t deadline, int wake)
{
    unsigned ready;

    while (e->call != CM_CALL_DONE) {
        if (e->dead)
            return CM_FAIL(ENCLAVE_GONE);
        if (passed(deadline))
            return CM_FAIL(ENCLAVE_TIMEOUT);
        CM_TRY(cm_enclave_turn(e, &wake, wake >= 0, &ready, turn_ms(deadline)));
        if (ready)
            return CM_FAIL(CANCELLED);
    }
    return CM_OKAY;
}

cm_err cm_enclave_ask(cm_buf *out, cm_enclave *e, cm_view request, uint64_t timeout_ms, int wake)
{
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = out->max - out->n};
    cm_err err;

    if (request.n > CM_ENCLAVE_CALL_MAX)
        return CM_FAIL(TOO_BIG);
    if (e->call != CM_CALL_NONE)
        return CM_FAIL(BAD_ARGUMENT);
    e->call = CM_CALL_READY;
    e->call_id++;
    e->request = request;
    e->answer = &answer;
    err = until_answered(e, deadline_of(timeout_ms), wake);
    e->answer = NULL;
    e->request = (cm_view){0};
    /* A program that is late or wrong would give its answer to the next request (EN-43). */
    if (cm_failed(err) && !e->dead && e->pid > 0)
        (void)kill(e->pid, SIGKILL);
    e->call = cm_ok(err) ? CM_CALL_NONE : CM_CALL_GIVEN;
    CM_TRY(err);
    return cm_buf_append(out, cm_buf_view(&answer));
}

cm_err cm_enclave_wait(cm_enclave *e, int *status, int wake)
{
    unsigned ready;

    e->ended = true;
    while (!e->dead) {
        CM_TRY(cm_enclave_turn(e, &wake, wake >= 0, &ready, TURN_MS));
        if (ready)
            return CM_FAIL(CANCELLED);
    }
    *status = e->status;
    return CM_OKAY;
}

cm_err cm_enclave_until(cm_enclave *e, int fd, uint64_t timeout_ms, int wake)
{
    const int both[] = {fd, wake};
    uint64_t deadline = deadline_of(timeout_ms);
    unsigned ready;

    for (;;) {
        if (e->dead)
            return CM_FAIL(ENCLAVE_GONE);
        if (passed(deadline))
            return CM_FAIL(ENCLAVE_TIMEOUT);
        CM_TRY(cm_enclave_turn(e, both, wake >= 0 ? 2 : 1, &ready, turn_ms(deadline)));
        if (ready & 2)
            return CM_FAIL(CANCELLED);
        if (ready & 1)
            return CM_OKAY;
    }
}
