/* traceparent, and spans as a collector gets them. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "run/trace.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

/* ---- traceparent ---- */

#define T "0af7651916cd43dd8448eb211c80319c"
#define S "b7ad6b7169203331"

static void test_traceparent(void **state)
{
    static const char *const bad[] = {
        "",
        "00-" T "-" S,
        "00-" T "-" S "-1",
        "00-" T "-" S "-01-",
        "00-" T "-" S "-01x",
        "ff-" T "-" S "-01",
        "00-00000000000000000000000000000000-" S "-01",
        "00-" T "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" S "-01",
        "00_" T "-" S "-01",
        "00-" T "-" S "-0g",
    };
    cm_trace_context c = {.sampled = false};
    char text[56];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_false(cm_trace_parse(&c, cm_view_str(bad[i])));
    assert_true(cm_trace_parse(&c, CM_LIT("00-" T "-" S "-01")));
    assert_true(c.sampled);
    cm_trace_print(text, &c);
    assert_string_equal(text, "00-" T "-" S "-01");
    assert_true(cm_trace_parse(&c, CM_LIT("00-" T "-" S "-00")));
    assert_false(c.sampled);
    assert_true(cm_trace_parse(&c, CM_LIT("01-" T "-" S "-01-later")));
}

/* ---- a collector ---- */

static struct {
    int fd;
    char url[64], got[1 << 20];
    size_t n;
    const char *answer;
    pthread_t thread;
    int requests;
} peer;

static size_t length_of(const char *head)
{
    const char *p = strstr(head, "Content-Length: ");

    return p ? (size_t)strtoul(p + 16, NULL, 10) : 0;
}

static void take_one(int fd)
{
    const char *end = NULL;

    peer.n = 0;
    while (!end || peer.n < (size_t)(end - peer.got) + 4 + length_of(peer.got)) {
        ssize_t r = recv(fd, peer.got + peer.n, sizeof peer.got - 1 - peer.n, 0);

        if (r <= 0)
            break;
        peer.n += (size_t)r;
        peer.got[peer.n] = 0;
        end = strstr(peer.got, "\r\n\r\n");
    }
    peer.requests++;
    (void)!send(fd, peer.answer, strlen(peer.answer), MSG_NOSIGNAL);
}

static void *collect(void *arg)
{
    int fd;

    (void)arg;
    while ((fd = accept(peer.fd, NULL, NULL)) >= 0) {
        take_one(fd);
        close(fd);
    }
    return NULL;
}

static int start(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof sa;

    (void)state;
    peer.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(peer.fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(peer.fd, 8), 0);
    assert_int_equal(getsockname(peer.fd, (struct sockaddr *)&sa, &n), 0);
    snprintf(peer.url, sizeof peer.url, "http://127.0.0.1:%u/v1/traces", ntohs(sa.sin_port));
    peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    peer.requests = 0;
    return pthread_create(&peer.thread, NULL, collect, NULL);
}

static int stop(void **state)
{
    (void)state;
    shutdown(peer.fd, SHUT_RDWR);
    close(peer.fd);
    pthread_join(peer.thread, NULL);
    return 0;
}

static cm_err counting(void *arg, void *p, size_t n)
{
    (void)arg;
    memset(p, 0xab, n);
    return CM_OKAY;
}

static cm_trace *new_trace(unsigned depth, unsigned one_in)
{
    const cm_trace_options o = {.endpoint = peer.url,
                                .service = "kmsd",
                                .node = "n1",
                                .depth = depth,
                                .one_in = one_in,
                                .random = counting};
    cm_trace *t = NULL;

    OK(cm_trace_new(&t, &o));
    return t;
}

static const cm_json_node *at(const cm_json_node *n, const char *key)
{
    n = cm_json_get(n, key);
    return n && cm_json_type_of(n) == CM_JSON_ARRAY ? cm_json_first(n) : n;
}

static void assert_text(const cm_json_node *n, const char *key, const char *text)
{
    cm_view v;

    OK(cm_json_string(cm_json_get(n, key), &v));
    assert_true(cm_view_eq(v, cm_view_str(text)));
}

static void test_span_arrives(void **state)
{
    cm_trace *t = new_trace(16, 1);
    cm_span s = {.name = "Sign",
                 .start_ns = 1767225600000000000,
                 .end_ns = 1767225600001000000,
                 .failed = true,
                 .attribute = {{"rpc.method", "Sign"}}};
    cm_trace_stats stats;
    const cm_json_node *n;
    cm_json *j = NULL;
    const char *body;

    (void)state;
    assert_true(cm_trace_parse(&s.parent, CM_LIT("00-" T "-" S "-01")));
    cm_trace_submit(t, &s);
    cm_trace_free(t); /* sends what waits */
    assert_int_equal(strncmp(peer.got, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
    body = strstr(peer.got, "\r\n\r\n") + 4;
    OK(cm_json_parse(&j, cm_view_str(body), NULL, NULL));
    n = at(at(at(cm_json_root(j), "resourceSpans"), "scopeSpans"), "spans");
    assert_text(n, "traceId", T);
    assert_text(n, "parentSpanId", S);
    assert_text(n, "spanId", "abababababababab");
    assert_text(n, "name", "Sign");
    assert_text(n, "startTimeUnixNano", "1767225600000000000");
    assert_text(n, "endTimeUnixNano", "1767225600001000000");
    assert_text(at(n, "attributes"), "key", "rpc.method");
    assert_text(cm_json_get(at(n, "attributes"), "value"), "stringValue", "Sign");
    cm_json_free(j);
    t = new_trace(16, 1);
    cm_trace_stats_of(t, &stats);
    assert_int_equal(stats.sent, 0);
    cm_trace_free(t);
}

static void test_sampling(void **state)
{
    cm_trace *t = new_trace(1000, 10);
    cm_span s = {.name = "x"}, theirs = s;
    cm_trace_stats stats;

    (void)state;
    assert_true(cm_trace_parse(&theirs.parent, CM_LIT("00-" T "-" S "-00")));
    for (int i = 0; i < 100; i++) {
        cm_trace_submit(t, &s);
        cm_trace_submit(t, &theirs); /* whose caller does not want it */
    }
    for (int i = 0; i < 6000; i++) {
        cm_trace_stats_of(t, &stats);
        if (stats.sent == 10)
            break;
        (void)usleep(10000);
    }
    assert_int_equal(stats.sent, 10);
    assert_int_equal(stats.dropped + stats.failed, 0);
    cm_trace_free(t);
}

static void test_full_queue_drops(void **state)
{
    cm_trace *t = new_trace(8, 1);
    cm_span s = {.name = "x"};
    cm_trace_stats stats;

    (void)state;
    for (int i = 0; i < 100; i++)
        cm_trace_submit(t, &s);
    cm_trace_stats_of(t, &stats);
    assert_true(stats.dropped > 0);
    cm_trace_free(t);
}

static void test_refusing_collector(void **state)
{
    cm_trace *t = new_trace(8, 1);
    cm_span s = {.name = "x"};
    cm_trace_stats stats = {0};

    (void)state;
    peer.answer = "HTTP/1.1 503 No\r\n\r\n";
    cm_trace_submit(t, &s);
    for (int i = 0; i < 6000 && stats.failed == 0; i++) {
        cm_trace_stats_of(t, &stats);
        (void)usleep(10000);
    }
    assert_int_equal(stats.failed, 1);
    cm_trace_free(t);
}

static void test_endpoints(void **state)
{
    static const char *const bad[] = {"",
                                      "https://127.0.0.1/",
                                      "http://",
                                      "http://x:1/",
                                      "http://127.0.0.1:0/",
                                      "http://127.0.0.1:99999/"};
    cm_trace_options o = {.service = "a", .node = "b", .depth = 1, .random = counting};
    cm_trace *t = NULL;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        o.endpoint = bad[i];
        FAILS(TRACE_ENDPOINT, cm_trace_new(&t, &o));
    }
    o.endpoint = "http://[::1]:4318";
    OK(cm_trace_new(&t, &o));
    cm_trace_free(t);
}

#define WITH_PEER(t) cmocka_unit_test_setup_teardown(t, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent), WITH_PEER(test_span_arrives),
        WITH_PEER(test_sampling),           WITH_PEER(test_full_queue_drops),
        WITH_PEER(test_refusing_collector), cmocka_unit_test(test_endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
