/* Metrics are read back as they were written; what is none is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/metrics.h"
#include "run/scrape.h"

#define OK(x)         assert_true(cm_ok(x))
#define IS(x, reason) assert_true(cm_is(x, CM_##reason))

static bool next(cm_view *text, cm_sample *s)
{
    bool got;

    OK(cm_scrape_next(text, s, &got));
    return got;
}

static void is_text(cm_view v, const char *text)
{
    assert_true(cm_view_eq(v, cm_view_str(text)));
}

static void test_lines(void **state)
{
    cm_view text = CM_LIT("# HELP a Things.\n\na{op=\"Sign\",le=\"+Inf\"} 12\nb 0.250\nc -7");
    cm_sample s;

    (void)state;
    assert_true(next(&text, &s));
    is_text(s.name, "a");
    is_text(cm_sample_label(&s, "op"), "Sign");
    is_text(cm_sample_label(&s, "le"), "+Inf");
    assert_int_equal(cm_sample_label(&s, "none").n, 0);
    assert_true(s.value == 12);
    assert_true(next(&text, &s));
    assert_true(s.value == 0.25 && s.labels_n == 0);
    assert_true(next(&text, &s));
    assert_true(s.value == -7);
    assert_false(next(&text, &s));
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "a",
        "a 1 2",
        "a{} 1",
        "a{b} 1",
        "a{b=\"c} 1",
        "a{b=\"c\" 1",
        "{b=\"c\"} 1",
        "a{b=\"c\"}1",
        "a one",
        "a 1e9999",
        "a .",
        "a 1e",
        "a\t1",
        "a 1\r",
        "a{b=\"\\\"\"} 1",
        "a NaN",
        "a{a=\"\",b=\"\",c=\"\",d=\"\",e=\"\"} 1",
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_view text = cm_view_str(bad[i]);
        cm_sample s = {.value = 42};
        bool got;

        IS(cm_scrape_next(&text, &s, &got), METRICS_TEXT);
        assert_true(!got && s.value == 42 && text.n == strlen(bad[i]));
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        double d;
    } good[] = {
        {"0", 0}, {"5e-05", 5e-05}, {"2.5", 2.5}, {"1E+3", 1000}, {"123.000000001", 123.000000001}};
    double d = 1;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        OK(cm_scrape_number(&d, cm_view_str(good[i].text)));
        assert_true(d - good[i].d < 1e-12 && good[i].d - d < 1e-12);
    }
    OK(cm_scrape_number(&d, CM_LIT("+Inf")));
    assert_true(d > 1e308);
    IS(cm_scrape_number(&d, CM_LIT("")), METRICS_TEXT);
    IS(cm_scrape_number(&d, CM_LIT("-+Inf")), METRICS_TEXT);
}

/* Every line of what a server writes. */
static void test_ours(void **state)
{
    static const char *const ops[] = {"Sign", "Verify", NULL};
    static const cm_metric table[] = {
        {.name = "calls_total",
         .type = CM_METRIC_COUNTER,
         .labels = {{"op", ops}},
         .help = "Calls."},
        {.name = "seconds", .type = CM_METRIC_HISTOGRAM, .labels = {{"op", ops}}, .help = "Time."},
    };
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    CM_AUTO(cm_metrics_free_ptr) cm_metrics *m = NULL;
    cm_shard *shard;
    size_t n = 0, buckets = 0;
    double calls = 0, sum = 0;
    cm_view text;
    cm_sample s;

    (void)state;
    OK(cm_metrics_new(&m, table, CM_COUNT(table)));
    OK(cm_metrics_shard(m, &shard));
    cm_metric_add(shard, 0, 1, 0, 3);
    cm_metric_observe(shard, 1, 0, 0, 1500000);
    OK(cm_metrics_write(m, &b));
    for (text = cm_buf_view(&b); next(&text, &s); n++) {
        calls += cm_view_eq(s.name, CM_LIT("calls_total")) ? s.value : 0;
        sum += cm_view_eq(s.name, CM_LIT("seconds_sum")) ? s.value : 0;
        buckets += cm_view_eq(s.name, CM_LIT("seconds_bucket"));
    }
    assert_true(calls == 3 && sum > 0.0014999 && sum < 0.0015001);
    assert_int_equal(buckets, 19);
    assert_int_equal(n, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
