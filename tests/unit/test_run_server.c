/* Connections over real sockets: requests, slow senders, floods, back-pressure, draining. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "proc.h"
#include "run/server.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { HELD = 16, PATIENCE_MS = 60000, IDLE_MS = 700 };

struct fixture {
    char dir[T_PATH], path[T_PATH + 16];
    cm_loop *loop;
    cm_server *server;
    cm_metrics *metrics;
    pthread_t thread;
    atomic_int requests, cancelled, drained;
    /* Requests that wait for /release. */
    cm_http_request *held[HELD];
    cm_conn *held_conn[HELD];
    atomic_size_t held_n;
    cm_loop_task order, letting_go;
    uint64_t drain_ms;
    cm_server_limits limits, more;
    cm_err last;
};

static struct fixture f;

static uint64_t now_s(void)
{
    return cm_os_now();
}

static void answer(cm_conn *c, cm_http_request *r, cm_view body)
{
    const cm_http_response a = {.status = 200, .body = body};

    OK(cm_http_respond(r, &a));
    cm_conn_answered(c);
}

static void release(cm_loop_task *t)
{
    (void)t;
    for (size_t i = 0; i < f.held_n; i++)
        if (f.held[i])
            answer(f.held_conn[i], f.held[i], CM_LIT("late\n"));
    f.held_n = 0;
}

static void request(void *self, cm_conn *c, cm_http_request *r)
{
    static char big[1 << 20];

    (void)self;
    atomic_fetch_add(&f.requests, 1);
    if (cm_view_eq(r->path, CM_LIT("/hold"))) {
        f.held[f.held_n] = r;
        f.held_conn[f.held_n++] = c;
        return;
    }
    if (cm_view_eq(r->path, CM_LIT("/release")))
        release(NULL);
    if (cm_view_eq(r->path, CM_LIT("/big")))
        answer(c, r, CM_VIEW(big));
    else
        answer(c, r, r->body.n ? r->body : CM_LIT("hello\n"));
}

static void cancelled(void *self, cm_conn *c, cm_http_request *r)
{
    (void)self;
    (void)c;
    atomic_fetch_add(&f.cancelled, 1);
    for (size_t i = 0; i < f.held_n; i++)
        if (f.held[i] == r)
            f.held[i] = NULL;
}

static void refused(void *self, cm_view address, cm_err why, const char *detail)
{
    (void)self;
    (void)address;
    (void)detail;
    f.last = why;
}

static void drained(void *self)
{
    (void)self;
    atomic_store(&f.drained, 1);
}

static void *run(void *arg)
{
    (void)arg;
    OK(cm_loop_run(f.loop));
    return NULL;
}

/* A server that gives its peers a minute for all but what the test is about: this machine may be
 * busy. */
static int start_limited(unsigned request_ms, unsigned idle_ms, unsigned write_ms)
{
    cm_server_options o = {
        .now_s = now_s,
        .http = cm_http_limits_default,
        .handler = {
            .request = request, .cancelled = cancelled, .refused = refused, .drained = drained}};
    cm_server_listener l = {.local = true};

    f = (struct fixture){.limits = cm_server_limits_default};
    t_mkdir(f.dir);
    snprintf(f.path, sizeof f.path, "unix:%s/s", f.dir);
    f.limits.request_ms = request_ms;
    f.limits.idle_ms = idle_ms;
    f.limits.write_ms = write_ms;
    o.limits = f.limits;
    OK(cm_loop_new(&f.loop));
    OK(cm_metrics_new(&f.metrics, cm_server_metrics, CM_SM_COUNT));
    OK(cm_metrics_shard(f.metrics, &o.shard));
    o.loop = f.loop;
    OK(cm_server_new(&f.server, &o));
    OK(cm_socket_listen(&l.fd, f.path));
    OK(cm_server_listen(f.server, &l));
    assert_int_equal(pthread_create(&f.thread, NULL, run, NULL), 0);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_limited(PATIENCE_MS, PATIENCE_MS, PATIENCE_MS);
}

static int start_hurried(void **state)
{
    (void)state;
    return start_limited(300, PATIENCE_MS, PATIENCE_MS);
}

static int start_idle(void **state)
{
    (void)state;
    return start_limited(PATIENCE_MS, IDLE_MS, PATIENCE_MS);
}

static int start_unread(void **state)
{
    (void)state;
    return start_limited(PATIENCE_MS, PATIENCE_MS, 500);
}

static int stop(void **state)
{
    (void)state;
    cm_loop_stop(f.loop);
    pthread_join(f.thread, NULL);
    cm_server_free(f.server);
    cm_metrics_free(f.metrics);
    cm_loop_free(f.loop);
    t_rmdir(f.dir);
    return 0;
}

/* ---- a client ---- */

static int dial(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(sa.sun_path, sizeof sa.sun_path, "%.100s", f.path + 5);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes until text is seen, the end, or ms are over; bytes read. */
static size_t hear(int fd, const char *text, int ms, bool *end)
{
    static char got[4 << 20];
    size_t n = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    *end = false;
    while (n < sizeof got - 1 && poll(&p, 1, ms) == 1) {
        ssize_t r = recv(fd, got + n, sizeof got - 1 - n, 0);

        if (r <= 0) {
            *end = true;
            break;
        }
        n += (size_t)r;
        got[n] = 0;
        if (text && strstr(got, text))
            break;
    }
    got[n] = 0;
    return text && !strstr(got, text) ? 0 : n;
}

static bool answers(int fd, const char *text)
{
    bool end;

    return hear(fd, text, PATIENCE_MS, &end) > 0;
}

static bool ends(int fd, int ms)
{
    bool end;

    hear(fd, NULL, ms, &end);
    return end;
}

static int64_t closed_for(size_t label)
{
    for (int i = 0; i < 6000; i++) {
        int64_t n = cm_metric_sum(f.metrics, CM_SM_CLOSED, label, 0);

        if (n)
            return n;
        (void)usleep(10000);
    }
    return 0;
}

enum { FOR_IDLE = 2, FOR_SLOW = 5, FOR_WRITE = 6 };

/* ---- */

static void test_answers_and_keeps_alive(void **state)
{
    int fd = dial();

    (void)state;
    for (int i = 0; i < 3; i++) {
        say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");
        assert_true(answers(fd, "abcde"));
    }
    say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: "
            "close\r\n\r\n");
    assert_true(ends(fd, PATIENCE_MS));
    assert_int_equal(atomic_load(&f.requests), 5);
    close(fd);
}

static void test_large_answer_to_slow_reader(void **state)
{
    int fd = dial();
    size_t n = 0;
    bool end = false;

    (void)state;
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 3; i++)
        (void)usleep(100000); /* its socket is full by now */
    n = hear(fd, NULL, PATIENCE_MS, &end);
    assert_true(end);
    assert_true(n > 1 << 20);
    close(fd);
}

/* A head that comes byte by byte ends by the clock, however lively it is. */
static void test_slow_loris_head(void **state)
{
    int fd = dial(), sent = 0;

    (void)state;
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    while (sent < 2000 && send(fd, "a", 1, MSG_NOSIGNAL) == 1) {
        sent++;
        (void)usleep(30000);
    }
    assert_true(sent < 2000);
    assert_true(closed_for(FOR_SLOW) == 1);
    assert_int_equal(atomic_load(&f.requests), 0);
    close(fd);
}

/* A body may take its time as long as it keeps up body_rate. */
static void test_body_rate(void **state)
{
    static char chunk[20000];
    int fd = dial(), i;

    (void)state;
    memset(chunk, 'x', sizeof chunk);
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
    for (i = 0; i < 10; i++) { /* over a second, and each gives leave for 20 more */
        assert_int_equal(send(fd, chunk, sizeof chunk, MSG_NOSIGNAL), sizeof chunk);
        (void)usleep(100000);
    }
    assert_true(answers(fd, "xxxx"));
    close(fd);
    fd = dial();
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n");
    for (i = 0; i < 600; i++) { /* 100 bytes a second */
        if (send(fd, chunk, 10, MSG_NOSIGNAL) != 10)
            break;
        (void)usleep(100000);
    }
    assert_true(i < 600);
    assert_int_equal(closed_for(FOR_SLOW), 1);
    close(fd);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void test_idle(void **state)
{
    enum { SLACK_MS = 100 }; /* a loop's clock is as old as its last event */
    int fd = dial();
    uint64_t begun;

    (void)state;
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    begun = now_ms();
    assert_true(answers(fd, "hello"));
    assert_true(ends(fd, PATIENCE_MS));
    assert_true(now_ms() - begun >= IDLE_MS - SLACK_MS);
    close(fd);
}

/* A request that its handler holds is not idle, however long it takes. */
static void test_busy_is_not_idle(void **state)
{
    int fd = dial(), other;

    (void)state;
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_false(ends(fd, 1500));
    other = dial();
    say(other, "GET /release HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answers(fd, "late"));
    close(fd);
    close(other);
}

static void test_unread_answers(void **state)
{
    int fd = dial(), small = 2048;

    (void)state;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(closed_for(FOR_WRITE), 1);
    close(fd);
}

static void test_gone_peer_cancels(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 6000 && atomic_load(&f.requests) == 0; i++)
        (void)usleep(10000);
    close(fd);
    for (int i = 0; i < 6000 && atomic_load(&f.cancelled) == 0; i++)
        (void)usleep(10000);
    assert_int_equal(atomic_load(&f.cancelled), 1);
}

static void test_garbage_is_answered_and_closed(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "\x16\x03\x01\x02\x00 this is TLS\r\n\r\n");
    assert_true(ends(fd, PATIENCE_MS));
    assert_int_equal(atomic_load(&f.requests), 0);
    close(fd);
}

static void do_drain(cm_loop_task *t)
{
    (void)t;
    cm_server_drain(f.server, f.drain_ms);
}

static void drain(uint64_t ms)
{
    f.drain_ms = ms;
    f.order.run = do_drain;
    cm_loop_post(f.loop, &f.order);
}

static void test_drain_finishes(void **state)
{
    int busy = dial(), idle = dial(), more;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    (void)state;
    say(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answers(idle, "hello"));
    say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 6000 && f.held_n == 0; i++)
        (void)usleep(10000);
    drain(PATIENCE_MS);
    assert_true(ends(idle, PATIENCE_MS));
    more = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(sa.sun_path, sizeof sa.sun_path, "%.100s", f.path + 5);
    assert_int_equal(connect(more, (struct sockaddr *)&sa, sizeof sa), -1);
    assert_int_equal(atomic_load(&f.drained), 0);
    f.letting_go.run = release;
    cm_loop_post(f.loop, &f.letting_go);
    assert_true(answers(busy, "late"));
    assert_true(ends(busy, PATIENCE_MS));
    for (int i = 0; i < 6000 && !atomic_load(&f.drained); i++)
        (void)usleep(10000);
    assert_int_equal(atomic_load(&f.drained), 1);
    close(busy);
    close(idle);
    close(more);
}

static void test_drain_has_a_deadline(void **state)
{
    int busy = dial();

    (void)state;
    say(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 6000 && f.held_n == 0; i++)
        (void)usleep(10000);
    drain(200);
    assert_true(ends(busy, PATIENCE_MS));
    for (int i = 0; i < 6000 && !atomic_load(&f.drained); i++)
        (void)usleep(10000);
    assert_int_equal(atomic_load(&f.drained), 1);
    assert_int_equal(atomic_load(&f.cancelled), 1);
    close(busy);
}

/* HTTP/2 preface, then frames of one kind without end. */
static void flood(const uint8_t *frame, size_t n)
{
    int fd = dial();
    bool cut = false;

    say(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_int_equal(send(fd, "\0\0\0\4\0\0\0\0\0", 9, MSG_NOSIGNAL), 9);
    for (int i = 0; i < 20000 && !cut; i++)
        cut = send(fd, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n && errno != EAGAIN;
    assert_true(cut || ends(fd, PATIENCE_MS));
    close(fd);
}

static void test_floods(void **state)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    static const uint8_t ping[] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    int fd;

    (void)state;
    flood(settings, sizeof settings);
    flood(ping, sizeof ping);
    fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(answers(fd, "hello"));
    close(fd);
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {
        "",        "x",     "1.2.3.4",   "1.2.3.4:", "1.2.3.4:65536", ":80", "example.org:80",
        "[::1:80", "unix:", "1.2.3.4:-1"};
    char name[64];
    int fd = -1;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        FAILS(RUN_ADDRESS, cm_socket_listen(&fd, bad[i]));
    OK(cm_socket_listen(&fd, "127.0.0.1:0"));
    OK(cm_socket_name(name, sizeof name, fd));
    assert_int_equal(strncmp(name, "127.0.0.1:", 10), 0);
    close(fd);
    if (cm_ok(cm_socket_listen(&fd, "[::1]:0"))) { /* a machine may be without */
        OK(cm_socket_name(name, sizeof name, fd));
        assert_int_equal(strncmp(name, "[::1]:", 6), 0);
        close(fd);
    }
    FAILS(RUN_LISTEN, cm_socket_listen(&fd, f.path)); /* somebody listens there */
}

/* The listener does not block. */
static int accept_one(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return accept(fd, NULL, NULL);
}

/* Or else the second of two answers waits for the peer's delayed acknowledgement of the first. */
static void test_answers_go_at_once(void **state)
{
    struct sockaddr_storage sa;
    socklen_t sa_n = sizeof sa, n = sizeof(int);
    int fd = -1, peer, got, at_once = 0;

    (void)state;
    OK(cm_socket_listen(&fd, "127.0.0.1:0"));
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &sa_n), 0);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&sa, sa_n), 0);
    got = accept_one(fd);
    assert_int_equal(getsockopt(got, IPPROTO_TCP, TCP_NODELAY, &at_once, &n), 0);
    assert_int_not_equal(at_once, 0);
    close(got);
    close(peer);
    close(fd);
}

#define WITH_SERVER(t) cmocka_unit_test_setup_teardown(t, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_answers_and_keeps_alive),
        WITH_SERVER(test_large_answer_to_slow_reader),
        cmocka_unit_test_setup_teardown(test_slow_loris_head, start_hurried, stop),
        cmocka_unit_test_setup_teardown(test_body_rate, start_hurried, stop),
        cmocka_unit_test_setup_teardown(test_idle, start_idle, stop),
        cmocka_unit_test_setup_teardown(test_busy_is_not_idle, start_idle, stop),
        cmocka_unit_test_setup_teardown(test_unread_answers, start_unread, stop),
        WITH_SERVER(test_gone_peer_cancels),
        WITH_SERVER(test_garbage_is_answered_and_closed),
        WITH_SERVER(test_drain_finishes),
        WITH_SERVER(test_drain_has_a_deadline),
        WITH_SERVER(test_floods),
        WITH_SERVER(test_addresses),
        cmocka_unit_test(test_answers_go_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
