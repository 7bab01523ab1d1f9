/* The reactor, its timers and queue; limits by address; log lines; metrics. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "run/loop.h"

#define OK(x) assert_string_equal(cm_err_name(x), "OK")

/* ---- timers ---- */

struct alarm {
    cm_timer t; /* first */
    cm_wheel *w;
    uint64_t fired_at, again;
    uint64_t *now;
    cm_timer *stop; /* another to stop when this one fires */
    int n;
};

static void ring(cm_timer *t)
{
    struct alarm *a = (struct alarm *)(void *)t;

    a->n++;
    a->fired_at = *a->now;
    if (a->again)
        cm_wheel_set(a->w, t, *a->now + a->again);
    if (a->stop)
        cm_wheel_stop(a->w, a->stop);
}

static void test_timers(void **state)
{
    static cm_wheel w;
    static struct alarm a[400];
    uint64_t now = 123456789, start = now;

    (void)state;
    cm_wheel_init(&w, now);
    assert_int_equal(cm_wheel_sleep_ms(&w, now), -1);
    srandom(7);
    for (size_t i = 0; i < CM_COUNT(a); i++) {
        a[i] = (struct alarm){.t = {.fire = ring}, .w = &w, .now = &now};
        cm_wheel_set(&w, &a[i].t, now + (uint64_t)random() % 60000);
    }
    while (w.n) {
        int ms = cm_wheel_sleep_ms(&w, now);

        assert_true(ms >= 0 && ms <= CM_WHEEL_SLOTS * CM_WHEEL_TICK_MS);
        now += (uint64_t)ms;
        cm_wheel_run(&w, now);
        assert_true(now < start + 70000);
    }
    for (size_t i = 0; i < CM_COUNT(a); i++) {
        assert_int_equal(a[i].n, 1);
        assert_true(a[i].fired_at >= a[i].t.due_ms);
        assert_true(a[i].fired_at <= a[i].t.due_ms + 2 * CM_WHEEL_TICK_MS);
    }
}

static void test_timers_change_others(void **state)
{
    static cm_wheel w;
    uint64_t now = 1000;
    struct alarm a = {.t = {.fire = ring}, .w = &w, .now = &now, .again = 10}, b = a, c = a;

    (void)state;
    cm_wheel_init(&w, now);
    b.again = c.again = 0;
    a.stop = &b.t;
    cm_wheel_set(&w, &a.t, 1005);
    cm_wheel_set(&w, &b.t, 1005); /* in the same slot: stopped while it is due */
    cm_wheel_set(&w, &c.t, 1005);
    cm_wheel_set(&w, &c.t, 9000); /* moved */
    for (now = 1000; now < 2000; now += 7)
        cm_wheel_run(&w, now);
    assert_true(a.n > 20);
    assert_int_equal(b.n, 0);
    assert_int_equal(c.n, 0);
    now += 100000; /* a suspended machine: all that is due fires, once */
    cm_wheel_run(&w, now);
    assert_int_equal(c.n, 1);
    cm_wheel_stop(&w, &a.t);
    cm_wheel_stop(&w, &a.t);
    assert_int_equal(w.n, 0);
}

/* ---- the loop ---- */

struct pushed {
    cm_loop_task t; /* first */
    unsigned thread, number;
};

enum { THREADS = 4, EACH = 20000 };

static cm_loop *loop;
static unsigned next_of[THREADS], total;

static void count(cm_loop_task *t)
{
    struct pushed *p = (struct pushed *)(void *)t;

    assert_int_equal(p->number, next_of[p->thread]++); /* in the order of its thread */
    if (++total == THREADS * EACH)
        cm_loop_stop(loop);
}

static void *push(void *arg)
{
    struct pushed *p = (struct pushed *)arg;

    for (unsigned i = 0; i < EACH; i++)
        cm_loop_post(loop, &p[i].t);
    return NULL;
}

static void test_posts_from_threads(void **state)
{
    struct pushed *p = calloc(THREADS * EACH, sizeof *p);
    pthread_t t[THREADS];

    (void)state;
    assert_non_null(p);
    OK(cm_loop_new(&loop));
    for (unsigned i = 0; i < THREADS * EACH; i++)
        p[i] = (struct pushed){.t = {.run = count}, .thread = i / EACH, .number = i % EACH};
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, push, &p[i * EACH]), 0);
    OK(cm_loop_run(loop));
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(total, THREADS * EACH);
    cm_loop_free(loop);
    free(p);
}

struct end {
    cm_loop_io io; /* first */
    struct end *other;
    int n;
};

/* Both are ready in one round; whichever comes first removes the other. */
static void remove_other(cm_loop_io *io, uint32_t events)
{
    struct end *e = (struct end *)(void *)io;

    assert_true(events & EPOLLIN);
    e->n++;
    cm_loop_remove(loop, &e->other->io);
    cm_loop_remove(loop, &e->io);
}

static void stop_soon(cm_timer *t)
{
    (void)t;
    cm_loop_stop(loop);
}

static void test_removed_is_not_called(void **state)
{
    int a[2], b[2];
    struct end x = {.io = {.ready = remove_other}}, y = x;
    cm_timer t = {.fire = stop_soon};

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
    OK(cm_loop_new(&loop));
    x.io.fd = a[0];
    y.io.fd = b[0];
    x.other = &y;
    y.other = &x;
    OK(cm_loop_add(loop, &x.io, EPOLLIN));
    OK(cm_loop_add(loop, &y.io, EPOLLIN));
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    cm_loop_after(loop, &t, 20);
    OK(cm_loop_run(loop));
    assert_int_equal(x.n + y.n, 1);
    cm_loop_free(loop);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_timers_change_others),
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_removed_is_not_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
