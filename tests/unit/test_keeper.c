/* The keeper against a keyd that is a thread of this test and does as it is told. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/keeper.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { OPS = 64 };

/* The other end, answered by hand. */
struct far {
    cm_keeper_client *k;
    int fd;
    uint8_t in[CM_KEYMSG_PACKET];
    cm_keymsg m[OPS * 2];
    size_t n;
};

struct asked {
    cm_keyop op[OPS];
    unsigned done;
    cm_err last;
};

static void on_done(cm_keyop *op)
{
    struct asked *a = op->arg;

    a->done++;
    a->last = op->result;
}

static void begin(struct far *f, const cm_keeper_options *base)
{
    cm_keeper_options o = *base;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    o.fd = pair[0];
    f->fd = pair[1];
    f->n = 0;
    OK(cm_keeper_new(&f->k, &o));
}

static void end(struct far *f)
{
    cm_keeper_free(f->k);
    if (f->fd >= 0)
        close(f->fd);
}

static void submit(struct far *f, struct asked *a, unsigned first, unsigned n)
{
    cm_keeper k = cm_keeper_of(f->k);

    for (unsigned i = first; i < first + n; i++) {
        a->op[i] = (cm_keyop){.code = CM_KEYOP_RANDOM, .n = i, .done = on_done, .arg = a};
        k.submit(k.self, &a->op[i]);
    }
}

/* Packets that are there; their frames into f->m, valid until the next call. */
static unsigned receive(struct far *f)
{
    size_t at = 0;
    unsigned packets = 0;

    f->n = 0;
    for (;;) {
        ssize_t n = recv(f->fd, f->in + at, sizeof f->in - at, MSG_DONTWAIT);
        cm_view v = cm_view_of(f->in + at, n > 0 ? (size_t)n : 0);

        if (n <= 0)
            return packets;
        packets++;
        at += (size_t)n;
        while (v.n)
            OK(cm_keymsg_next(&f->m[f->n++], &v));
    }
}

/* Answers frame i with its own number. */
static void answer(struct far *f, size_t i)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop op;

    OK(cm_keymsg_get_op(&op, f->m[i].body));
    op.result = CM_OKAY;
    op.out = (cm_buf){.max = 8};
    OK(cm_buf_be64(&op.out, op.n));
    OK(cm_keymsg_put_op_answer(&b, f->m[i].id, &op));
    assert_int_equal(send(f->fd, b.p, b.n, 0), b.n);
    cm_keyop_done_with(&op);
    cm_buf_free(&b);
}

static const cm_keeper_options plain = {.fd = -1};

static void answers_come_in_any_order(void **state)
{
    struct far f;
    struct asked a = {0};

    (void)state;
    begin(&f, &plain);
    submit(&f, &a, 0, OPS);
    assert_int_equal(receive(&f), 0); /* nothing before the round's end */
    cm_keeper_flush(f.k);
    assert_int_equal(receive(&f), OPS / 8);
    assert_int_equal(f.n, OPS);
    for (size_t i = f.n; i-- > 0;)
        answer(&f, i);
    cm_keeper_readable(f.k);
    assert_int_equal(a.done, OPS);
    for (unsigned i = 0; i < OPS; i++) {
        OK(a.op[i].result);
        assert_int_equal(cm_get_be64(a.op[i].out.p), i);
        cm_keyop_done_with(&a.op[i]);
    }
    assert_int_equal(cm_keeper_in_flight(f.k), 0);
    end(&f);
}

static void death_fails_what_waits(void **state)
{
    struct far f;
    struct asked a = {0};

    (void)state;
    begin(&f, &plain);
    submit(&f, &a, 0, 8);
    cm_keeper_flush(f.k);
    receive(&f);
    answer(&f, 2);
    submit(&f, &a, 8, 4);
    close(f.fd);
    f.fd = -1;
    cm_keeper_readable(f.k);
    assert_int_equal(a.done, 12);
    OK(a.op[2].result);
    cm_keyop_done_with(&a.op[2]);
    for (unsigned i = 0; i < 12; i++)
        if (i != 2)
            IS(a.op[i].result, KEEPER_LOST);
    assert_int_equal(cm_keeper_fd(f.k), -1);
    submit(&f, &a, 20, 1);
    IS(a.last, KEEPER_DOWN);
    cm_keeper_flush(f.k);
    assert_true(cm_keeper_tick(f.k, 5) == UINT64_MAX); /* it knows no way to connect */
    end(&f);
}

static void freeing_fails_what_waits(void **state)
{
    struct far f;
    struct asked a = {0};

    (void)state;
    begin(&f, &plain);
    submit(&f, &a, 0, 3);
    end(&f);
    assert_int_equal(a.done, 3);
    IS(a.last, KEEPER_LOST);
}

static void depth_is_bounded(void **state)
{
    cm_keeper_options o = {.fd = -1, .depth = 4};
    struct far f;
    struct asked a = {0};

    (void)state;
    begin(&f, &o);
    submit(&f, &a, 0, 5);
    assert_int_equal(a.done, 1);
    IS(a.op[4].result, KEEPER_FULL);
    cm_keeper_flush(f.k);
    receive(&f);
    for (size_t i = 0; i < 4; i++)
        answer(&f, i);
    cm_keeper_readable(f.k);
    assert_int_equal(a.done, 5);
    submit(&f, &a, 5, 4);
    assert_int_equal(cm_keeper_in_flight(f.k), 4);
    for (unsigned i = 0; i < 4; i++)
        cm_keyop_done_with(&a.op[i]);
    end(&f);
}

static void oversized_parts_fail_alone(void **state)
{
    static const uint8_t big[CM_KEYOP_DATA_MAX + 1];
    struct far f;
    struct asked a = {0};
    cm_keeper k;

    (void)state;
    begin(&f, &plain);
    k = cm_keeper_of(f.k);
    a.op[0] =
        (cm_keyop){.code = CM_KEYOP_ENCRYPT, .data = CM_VIEW(big), .done = on_done, .arg = &a};
    k.submit(k.self, &a.op[0]);
    IS(a.last, KEYOP_SIZE);
    submit(&f, &a, 1, 1);
    cm_keeper_flush(f.k);
    assert_int_equal(receive(&f), 1);
    assert_int_equal(f.n, 1);
    end(&f);
}

/* What an enemy in keyd's place could send: each ends the connection, none does harm. KD-3. */
static void nonsense_ends_the_connection(void **state)
{
    static const uint8_t short_frame[] = {0, 0, 0, 10, 1};
    struct {
        uint64_t id;
        unsigned kind;
    } bad[] = {{0, 0},
               {1ull << 32 | 5000, CM_KEYMSG_OP},
               {2ull << 32, CM_KEYMSG_OP},
               {1ull << 32 | 1, CM_KEYMSG_OP},
               {1ull << 32, CM_KEYMSG_STATUS}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_buf b = {.max = 256};
        struct far f;
        struct asked a = {0};

        begin(&f, &plain);
        submit(&f, &a, 0, 1);
        cm_keeper_flush(f.k);
        OK(cm_keymsg_put_answer(&b, bad[i].id, (cm_keymsg_kind)bad[i].kind, CM_OKAY, (cm_view){0}));
        if (i == 0)
            assert_int_equal(send(f.fd, short_frame, sizeof short_frame, 0), sizeof short_frame);
        else
            assert_int_equal(send(f.fd, b.p, b.n, 0), b.n);
        cm_keeper_readable(f.k);
        assert_int_equal(a.done, 1);
        IS(a.last, KEEPER_LOST);
        cm_buf_free(&b);
        end(&f);
    }
}

static void an_answer_counts_once(void **state)
{
    struct far f;
    struct asked a = {0};

    (void)state;
    begin(&f, &plain);
    submit(&f, &a, 0, 2);
    cm_keeper_flush(f.k);
    receive(&f);
    answer(&f, 0);
    answer(&f, 0);
    cm_keeper_readable(f.k);
    assert_int_equal(a.done, 2);
    OK(a.op[0].result);
    IS(a.op[1].result, KEEPER_LOST);
    cm_keyop_done_with(&a.op[0]);
    end(&f);
}

/* A full socket: what waits goes out later, whole and in order. */
static void full_sockets_hold_up_nothing(void **state)
{
    static uint8_t data[CM_KEYOP_DATA_MAX];
    struct far f;
    struct asked a = {0};
    unsigned frames = 0;

    (void)state;
    begin(&f, &plain);
    for (unsigned i = 0; i < OPS; i++) {
        cm_keeper k = cm_keeper_of(f.k);

        a.op[i] = (cm_keyop){
            .code = CM_KEYOP_ENCRYPT, .n = i, .data = CM_VIEW(data), .done = on_done, .arg = &a};
        k.submit(k.self, &a.op[i]);
    }
    cm_keeper_flush(f.k);
    assert_true(cm_keeper_wants_write(f.k));
    for (int round = 0; round < 1000 && frames < OPS; round++) {
        ssize_t n = recv(f.fd, f.in, sizeof f.in, MSG_DONTWAIT);
        cm_view v = cm_view_of(f.in, n > 0 ? (size_t)n : 0);

        while (v.n) {
            cm_keyop op;

            OK(cm_keymsg_next(&f.m[0], &v));
            OK(cm_keymsg_get_op(&op, f.m[0].body));
            assert_int_equal(op.n, frames++);
        }
        cm_keeper_flush(f.k);
    }
    assert_int_equal(frames, OPS);
    assert_false(cm_keeper_wants_write(f.k));
    end(&f);
    assert_int_equal(a.done, OPS);
}

/* ---- reconnecting ---------------------------------------------------------------------------- */

struct ways {
    int tries, works_at, far;
};

static cm_err connect_sometimes(void *arg, int *fd)
{
    struct ways *w = arg;
    int pair[2];

    if (++w->tries < w->works_at)
        return CM_FAIL(KEEPER_DOWN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *fd = pair[0];
    w->far = pair[1];
    return CM_OKAY;
}

static void reconnects_with_patience(void **state)
{
    struct ways w = {.works_at = 6, .far = -1};
    cm_keeper_options o = {.connect = connect_sometimes, .arg = &w, .fd = -1, .check_peer = true};
    struct far f = {.fd = -1};
    uint64_t now = 1000, next, gap[5];

    (void)state;
    OK(cm_keeper_new(&f.k, &o));
    assert_int_equal(w.tries, 1);
    assert_int_equal(cm_keeper_connection(f.k), 0);
    for (int i = 0; i < 5; i++) {
        next = cm_keeper_tick(f.k, now);
        assert_true(next > now && next != UINT64_MAX);
        assert_int_equal(w.tries, i + 1);
        assert_true(cm_keeper_tick(f.k, next - 1) == next); /* not before its time */
        gap[i] = next - now;
        now = next;
        if (i < 4) {
            next = cm_keeper_tick(f.k, now);
            assert_int_equal(w.tries, i + 2);
        }
    }
    assert_int_equal(gap[0], 10);
    assert_int_equal(gap[1], 20);
    assert_true(gap[4] > gap[1]);
    assert_true(cm_keeper_tick(f.k, now) == UINT64_MAX);
    assert_int_equal(cm_keeper_connection(f.k), 1);
    close(w.far);
    cm_keeper_readable(f.k);
    assert_int_equal(cm_keeper_connection(f.k), 0);
    now = cm_keeper_tick(f.k, now);
    assert_true(cm_keeper_tick(f.k, now) == UINT64_MAX);
    assert_int_equal(cm_keeper_connection(f.k), 2);
    close(w.far);
    cm_keeper_free(f.k);
}

static void waiting_has_an_end(void **state)
{
    struct far f;
    cm_keyop op = {.code = CM_KEYOP_RANDOM, .n = 1};

    (void)state;
    begin(&f, &plain);
    IS(cm_keeper_run(f.k, &op, 20), KEEPER_TIMEOUT);
    IS(cm_keeper_ask(f.k, CM_KEYMSG_STATUS, (cm_view){0}, NULL, 20), KEEPER_TIMEOUT);
    receive(&f);
    answer(&f, 0); /* late: dropped, and no harm */
    cm_keeper_readable(f.k);
    assert_int_equal(cm_keeper_in_flight(f.k), 1);
    assert_true(cm_keeper_fd(f.k) >= 0);
    end(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test(death_fails_what_waits),
        cmocka_unit_test(freeing_fails_what_waits),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(oversized_parts_fail_alone),
        cmocka_unit_test(nonsense_ends_the_connection),
        cmocka_unit_test(an_answer_counts_once),
        cmocka_unit_test(full_sockets_hold_up_nothing),
        cmocka_unit_test(reconnects_with_patience),
        cmocka_unit_test(waiting_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
