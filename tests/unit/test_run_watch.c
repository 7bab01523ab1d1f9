/* What a server says of itself, log and metrics, and limits by address. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "run/gate.h"
#include "run/log.h"
#include "run/metrics.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

/* ---- log ---- */

static uint64_t clock_ms;
static int ends[2];
static char got[1 << 16];

static uint64_t now(void *arg)
{
    (void)arg;
    return clock_ms;
}

static cm_log *new_log(cm_log_form form, cm_log_level level)
{
    cm_log_options o = {.level = level, .form = form, .program = "test", .now_ms = now};
    cm_log *l = NULL;

    clock_ms = 1767225600123;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    o.fd = ends[1];
    OK(cm_log_new(&l, &o));
    return l;
}

static const char *lines(void)
{
    ssize_t n = read(ends[0], got, sizeof got - 1);

    got[n > 0 ? n : 0] = 0;
    return got;
}

static void end_log(cm_log *l)
{
    cm_log_free(l);
    close(ends[0]);
    close(ends[1]);
}

static void test_log_text(void **state)
{
    cm_log *l = new_log(CM_LOG_TEXT, CM_LOG_INFO);

    (void)state;
    CM_LOG(l, INFO, "listening", cm_log_str("address", "[::]:1"), cm_log_number("n", 7));
    assert_string_equal(lines(), "2026-01-01T00:00:00.123Z info    listening address=[::]:1 n=7\n");
    CM_LOG(l, DEBUG, "hidden", cm_log_number("n", 7));
    assert_string_equal(lines(), "");
    CM_LOG(l, WARNING, "odd", cm_log_str("x", "a \"b\"\n\x1b[2J"), cm_log_str("e", ""));
    assert_string_equal(lines(),
                        "2026-01-01T00:00:00.123Z warning odd x=\"a \\\"b\\\"??[2J\" e=\"\"\n");
    CM_LOG(l, ERROR, "failed", cm_log_err(CM_FAIL(NO_SPACE)));
    assert_non_null(strstr(lines(), "reason=NO_SPACE what=\"the disk is full\" fix="));
    end_log(l);
}

static void test_log_json(void **state)
{
    cm_log *l = new_log(CM_LOG_JSON, CM_LOG_DEBUG);
    cm_json *j = NULL;
    cm_view v;

    (void)state;
    CM_LOG(l, INFO, "odd", cm_log_str("x", "a \"b\"\n\xff"), cm_log_err(CM_FAIL(NO_SPACE)));
    lines();
    assert_int_equal(got[strlen(got) - 1], '\n');
    OK(cm_json_parse(&j, cm_view_str(got), NULL, NULL));
    OK(cm_json_string(cm_json_get(cm_json_root(j), "x"), &v));
    assert_true(cm_view_eq(v, CM_LIT("a \"b\"\n\xef\xbf\xbd")));
    OK(cm_json_string(cm_json_get(cm_json_root(j), "reason"), &v));
    assert_true(cm_view_eq(v, CM_LIT("NO_SPACE")));
    cm_json_free(j);
    end_log(l);
}

static size_t count_lines(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += *s == '\n';
    return n;
}

static void test_log_rate(void **state)
{
    cm_log *l = new_log(CM_LOG_TEXT, CM_LOG_INFO);

    (void)state;
    for (int i = 0; i < 100; i++)
        CM_LOG(l, INFO, "often", cm_log_number("i", (uint64_t)i));
    CM_LOG(l, INFO, "other", cm_log_number("i", 1));
    assert_int_equal(count_lines(lines()), CM_LOG_BURST + 1);
    clock_ms += 1000;
    CM_LOG(l, INFO, "often", cm_log_number("i", 100));
    assert_non_null(strstr(lines(), "i=100 held_back=80\n"));
    end_log(l);
}

static void test_log_never_waits(void **state)
{
    cm_log *l = new_log(CM_LOG_TEXT, CM_LOG_INFO);

    (void)state;
    for (int i = 0; i < 100000 && cm_log_lost(l) == 0; i++) {
        clock_ms += 1000;
        CM_LOG(l, INFO, "often", cm_log_number("i", (uint64_t)i));
    }
    assert_int_equal(cm_log_lost(l), 1);
    end_log(l);
}

/* ---- metrics ---- */

static const char *const ops[] = {"sign", "verify", NULL};
static const char *const results[] = {"ok", "denied", NULL};
static const cm_metric table[] = {
    {"t_total", CM_METRIC_COUNTER, {{NULL, NULL}, {NULL, NULL}}, "Plain."},
    {"t_ops_total", CM_METRIC_COUNTER, {{"op", ops}, {"result", results}}, "By two."},
    {"t_open", CM_METRIC_GAUGE, {{NULL, NULL}, {NULL, NULL}}, "Up and down."},
    {"t_seconds", CM_METRIC_HISTOGRAM, {{"op", ops}, {NULL, NULL}}, "Times."},
};

static const char *scrape(cm_metrics *m)
{
    cm_buf b = {.max = sizeof got - 1};

    OK(cm_metrics_write(m, &b));
    memcpy(got, b.p, b.n);
    got[b.n] = 0;
    cm_buf_free(&b);
    return got;
}

/* Every line has the form that Prometheus reads: a comment or NAME{LABELS} NUMBER. */
static void check_format(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");

        assert_non_null(end);
        if (strncmp(text, "# HELP ", 7) != 0 && strncmp(text, "# TYPE ", 7) != 0) {
            const char *p = text + name;

            assert_true(name > 0);
            if (*p == '{')
                p = strchr(p, '}') + 1;
            assert_int_equal(*p, ' ');
            p++;
            assert_int_equal((size_t)(end - p), strspn(p, "-0123456789.e"));
        }
        text = end + 1;
    }
}

static void test_metrics(void **state)
{
    cm_metrics *m = NULL;
    cm_shard *a = NULL, *b = NULL;

    (void)state;
    OK(cm_metrics_new(&m, table, CM_COUNT(table)));
    OK(cm_metrics_shard(m, &a));
    OK(cm_metrics_shard(m, &b));
    cm_metric_add(a, 1, 1, 0, 5);
    cm_metric_add(b, 1, 1, 0, 2);
    cm_metric_add(a, 1, 2, 0, 1); /* no such label: ignored */
    cm_metric_add(a, 9, 0, 0, 1);
    cm_metric_add(NULL, 0, 0, 0, 1);
    cm_metric_add(a, 2, 0, 0, 3);
    cm_metric_add(b, 2, 0, 0, -1);
    cm_metric_observe(a, 3, 0, 0, 700000);
    cm_metric_observe(b, 3, 0, 0, 99000000000);
    cm_metric_observe(b, 0, 0, 0, 1); /* not a histogram */
    assert_int_equal(cm_metric_sum(m, 1, 1, 0), 7);
    scrape(m);
    check_format(got);
    assert_non_null(strstr(got, "# TYPE t_total counter\nt_total 0\n"));
    assert_non_null(strstr(got, "\nt_ops_total{op=\"verify\",result=\"ok\"} 7\n"));
    assert_null(strstr(got, "op=\"sign\",result"));
    assert_non_null(strstr(got, "\nt_open 2\n"));
    assert_non_null(strstr(got, "\nt_seconds_bucket{op=\"sign\",le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(got, "\nt_seconds_bucket{op=\"sign\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(got, "\nt_seconds_bucket{op=\"sign\",le=\"30\"} 1\n"));
    assert_non_null(strstr(got, "\nt_seconds_bucket{op=\"sign\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(got, "\nt_seconds_sum{op=\"sign\"} 99.000700000\n"));
    assert_non_null(strstr(got, "\nt_seconds_count{op=\"sign\"} 2\n"));
    cm_metrics_free(m);
}

static void test_metrics_names(void **state)
{
    const cm_metric bad[] = {{"No-good", CM_METRIC_COUNTER, {{NULL, NULL}, {NULL, NULL}}, "x"}};
    cm_metrics *m = NULL;

    (void)state;
    FAILS(BAD_ARGUMENT, cm_metrics_new(&m, bad, 1));
    assert_null(m);
}

/* ---- limits by address ---- */

static cm_gate_address address(const char *text, bool counts)
{
    struct sockaddr_storage sa = {0};
    cm_gate_address a;
    char back[64];

    if (strchr(text, ':')) {
        sa.ss_family = AF_INET6;
        inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)(void *)&sa)->sin6_addr);
    } else {
        sa.ss_family = AF_INET;
        inet_pton(AF_INET, text, &((struct sockaddr_in *)(void *)&sa)->sin_addr);
    }
    assert_int_equal(cm_gate_address_of(&a, back, (struct sockaddr *)&sa), counts);
    assert_string_equal(back, text);
    return a;
}

static void test_gate(void **state)
{
    const cm_gate_limits l = {.connections = 3, .rate = 10, .burst = 5, .addresses = 100};
    const uint8_t seed[16] = {1};
    cm_gate_address a = address("192.0.2.1", true), b = address("2001:db8::1", true),
                    b2 = address("2001:db8::ffff:2", true), c = address("2001:db8:0:1::1", true);
    cm_gate *g = NULL;

    (void)state;
    OK(cm_gate_new(&g, &l, seed));
    for (int i = 0; i < 3; i++)
        OK(cm_gate_enter(g, &a, 1000));
    FAILS(RUN_ADDRESS_BUSY, cm_gate_enter(g, &a, 1000));
    cm_gate_leave(g, &a);
    OK(cm_gate_enter(g, &a, 1000));
    cm_gate_leave(g, &a);
    OK(cm_gate_enter(g, &a, 1000)); /* five came at once */
    cm_gate_leave(g, &a);
    FAILS(RUN_ADDRESS_RATE, cm_gate_enter(g, &a, 1099));
    OK(cm_gate_enter(g, &a, 1100));
    /* One /64 is one address, another is not. */
    for (int i = 0; i < 3; i++)
        OK(cm_gate_enter(g, i % 2 ? &b : &b2, 1000));
    FAILS(RUN_ADDRESS_BUSY, cm_gate_enter(g, &b, 1000));
    OK(cm_gate_enter(g, &c, 1000));
    cm_gate_free(g);
}

static void test_gate_is_bounded(void **state)
{
    const cm_gate_limits l = {.connections = 3, .rate = 10, .burst = 5, .addresses = 1000};
    const uint8_t seed[16] = {1};
    cm_gate *g = NULL;
    unsigned refused = 0;

    (void)state;
    OK(cm_gate_new(&g, &l, seed));
    for (uint32_t i = 0; i < 5000; i++) {
        cm_gate_address a = {{0}};

        cm_put_be32(a.b, i);
        refused += cm_failed(cm_gate_enter(g, &a, 1000)); /* who stays is remembered */
    }
    assert_int_equal(refused, 4000);
    for (uint32_t i = 0; i < 1000; i++) {
        cm_gate_address a = {{0}};

        cm_put_be32(a.b, i);
        cm_gate_leave(g, &a);
    }
    /* Long gone addresses make room again. */
    for (uint32_t i = 0; i < 200000; i++) {
        cm_gate_address a = {{0}};

        cm_put_be32(a.b, 10000 + i);
        OK(cm_gate_enter(g, &a, 10000 + i));
        cm_gate_leave(g, &a);
    }
    cm_gate_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_text), cmocka_unit_test(test_log_json),
        cmocka_unit_test(test_log_rate), cmocka_unit_test(test_log_never_waits),
        cmocka_unit_test(test_metrics),  cmocka_unit_test(test_metrics_names),
        cmocka_unit_test(test_gate),     cmocka_unit_test(test_gate_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
