/* HTTP/2: what is read, floods and other limits, answers, drain. */
#include "wire_h2_kit.h"

/* ---- taken -------------------------------------------------------------------------------- */

static void good_requests(void **state)
{
    static const size_t steps[] = {1, 2, 5, 9, 100000};

    (void)state;
    for (size_t k = 0; k < CM_COUNT(steps); k++) {
        struct t t;

        open_conn(&t, AT_ONCE);
        GET(&t, 1);
        HDR(&t, 0, 3, M("POST"), HEAD, "content-length", "5");
        frame(&t, DATA, 0, 3, CM_LIT("he"));
        frame(&t, DATA, PADDED | END_STREAM, 3, CM_LIT("\3llo\0\0\0"));
        HDR(&t, 0, 5, M("POST"), ":scheme", "https", ":path", "/", "host", "x");
        frame(&t, DATA, 0, 5, CM_LIT("body"));
        HDR(&t, END_STREAM, 5, "x-trailer", "1");
        HDR(&t, END_STREAM, 7, M("OPTIONS"), ":scheme", "https", ":path", "*", ":authority", "h");
        headers(&t, END_STREAM, 9, (const char *const[]){M("GET"), NULL});
        {
            cm_buf b = {.max = 4096};

            literal(&b, CM_LIT(":scheme"), CM_LIT("https"));
            literal(&b, CM_LIT(":path"), CM_LIT("/c"));
            literal(&b, CM_LIT(":authority"), CM_LIT("h"));
            frame(&t, CONTINUATION, 0, 9, cm_view_sub(cm_buf_view(&b), 0, 7));
            frame(&t, CONTINUATION, END_HEADERS, 9, cm_view_sub(cm_buf_view(&b), 7, b.n - 7));
            cm_buf_free(&b);
        }
        OK(feed(&t, steps[k]));
        saw(&t, "GET h:1 /p?q \nPOST h:1 /p?q hello\nPOST x /? body\nOPTIONS h *? \nGET h /c? \n");
        for (uint32_t id = 1; id <= 9; id += 2)
            assert_int_equal(status(&t, id), 200);
        assert_int_equal(cm_http_busy(t.c), 0);
        assert_false(cm_http_receiving(t.c));
        assert_true(cm_http_is_h2(t.c));
        close_conn(&t);
    }
}

/* ---- limits ------------------------------------------------------------------------------- */

/* An idle connection gives back what only its next request would use. */
static void rests(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, AT_ONCE);
    GET(&t, 1);
    OK(feed(&t, 100000));
    assert_int_equal(status(&t, 1), 200);
    assert_non_null(t.c->spare);
    cm_http_rest(t.c);
    assert_null(t.c->spare);
    assert_int_equal(t.c->spare_n, 0);
    assert_int_equal(t.c->out.cap, 0);
    t.in.n = 0;
    GET(&t, 3);
    OK(feed(&t, 100000));
    assert_int_equal(status(&t, 3), 200);
    close_conn(&t);
}

static void long_heads_are_answered(void **state)
{
    char value[121];
    cm_buf b = {.max = 1 << 16};
    struct t t;

    (void)state;
    memset(value, 'v', 120);
    value[120] = 0;
    open_conn(&t, AT_ONCE);
    literal(&b, CM_LIT(":method"), CM_LIT("GET"));
    literal(&b, CM_LIT(":scheme"), CM_LIT("https"));
    literal(&b, CM_LIT(":path"), CM_LIT("/"));
    literal(&b, CM_LIT(":authority"), CM_LIT("h"));
    for (unsigned i = 0; i < 16; i++)
        literal(&b, CM_LIT("x"), cm_view_str(value));
    frame(&t, HEADERS, END_HEADERS | END_STREAM, 1, cm_buf_view(&b));
    GET(&t, 3);
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 431);
    assert_int_equal(status(&t, 3), 200);
    assert_int_equal(t.requests, 1);
    close_conn(&t);
    cm_buf_free(&b);
}

static void long_bodies_are_answered(void **state)
{
    static const uint8_t zeros[16000];
    struct t t;

    (void)state;
    open_conn(&t, AT_ONCE);
    HDR(&t, 0, 1, M("POST"), HEAD, "content-length", "40001");
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 413);
    assert_int_equal(count(&t, RST, 1, NULL), 1);
    HDR(&t, 0, 3, M("POST"), HEAD);
    for (unsigned i = 0; i < 3; i++)
        frame(&t, DATA, 0, 3, CM_VIEW(zeros));
    GET(&t, 5);
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 3), 413);
    assert_int_equal(status(&t, 5), 200);
    assert_int_equal(t.requests, 1);
    close_conn(&t);
}

/* Many bodies together have a limit too: twice one. */
static void bodies_of_a_connection_are_bounded(void **state)
{
    static const uint8_t zeros[16000];
    struct t t;

    (void)state;
    open_conn(&t, AT_ONCE);
    for (uint32_t id = 1; id <= 7; id += 2)
        HDR(&t, 0, id, M("POST"), HEAD);
    for (uint32_t id = 1; id <= 7; id += 2) {
        frame(&t, DATA, 0, id, CM_VIEW(zeros));
        frame(&t, DATA, 0, id, CM_VIEW(zeros));
    }
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 0);
    assert_int_equal(status(&t, 5), 413);
    for (uint32_t id = 1; id <= 3; id += 2)
        frame(&t, DATA, END_STREAM, id, CM_LIT("x"));
    OK(feed(&t, 1000));
    assert_int_equal(t.requests, 2);
    close_conn(&t);
}

static void streams_are_bounded(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    frame(&t, SETTINGS, ACK, 0, CM_LIT(""));
    for (uint32_t id = 1; id <= 13; id += 2)
        GET(&t, id);
    (void)cm_failed(feed(&t, 100000));
    assert_int_equal(t.requests, 6);
    assert_true(count(&t, RST, 13, NULL) == 1 || count(&t, GOAWAY, 0, NULL) == 1);
    close_conn(&t);
}

enum flood { RESETS, PINGS, SETTINGSES, EMPTIES, PRIORITIES, UNKNOWNS, CONTINUED, FLOODS };

static void flood(struct t *t, enum flood kind, uint32_t i)
{
    switch (kind) {
    case RESETS:
        GET(t, 2 * i + 1);
        frame(t, RST, 0, 2 * i + 1, CM_LIT("\0\0\0\x08"));
        break;
    case PINGS:
        frame(t, PING, 0, 0, CM_LIT("12345678"));
        break;
    case SETTINGSES:
        frame(t, SETTINGS, 0, 0, CM_LIT(""));
        break;
    case EMPTIES:
        if (i == 0)
            HDR(t, 0, 1, M("POST"), HEAD);
        frame(t, DATA, 0, 1, CM_LIT(""));
        break;
    case PRIORITIES:
        frame(t, PRIORITY, 0, 1, CM_LIT("\0\0\0\3\1"));
        break;
    case UNKNOWNS:
        frame(t, 0xbe, 0, 0, CM_LIT("x"));
        break;
    default:
        if (i == 0)
            headers(t, 0, 1, (const char *const[]){M("GET"), HEAD, NULL});
        frame(t, CONTINUATION, 0, 1, CM_LIT(""));
        break;
    }
}

static void floods_end_the_connection(void **state)
{
    (void)state;
    for (enum flood kind = 0; kind < FLOODS; kind++) {
        cm_view last = {NULL, 0};
        cm_err e = CM_OKAY;
        struct t t;
        uint32_t i;

        open_conn(&t, LATER);
        for (i = 0; i < 100 && cm_ok(e); i++) {
            flood(&t, kind, i);
            e = feed(&t, 7);
        }
        if (i < 10 || i > 18)
            fail_msg("flood %d ended after %u frames: %s", kind, i, cm_err_name(e));
        IS(e, HTTP_FLOOD);
        assert_int_equal(count(&t, GOAWAY, 0, &last), 1);
        assert_int_equal(cm_get_be32(last.p + 4), NGHTTP2_ENHANCE_YOUR_CALM);
        assert_true(cm_http_over(t.c));
        IS(cm_http_feed(t.c, CM_LIT("x")), HTTP_FLOOD);
        close_conn(&t);
    }
}

static void a_flood_is_one_in_a_second(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    for (uint32_t i = 0; i < 200; i++) {
        cm_http_clock(t.c, (uint64_t)i * 110);
        flood(&t, RESETS, i);
        OK(feed(&t, 100));
    }
    assert_int_equal(t.cancelled, 200);
    assert_int_equal(cm_http_busy(t.c), 0);
    close_conn(&t);
}

/* ---- answers ------------------------------------------------------------------------------ */

static void data_of(struct t *t, uint32_t id, cm_buf *out)
{
    cm_view v = cm_buf_view(&t->sent);
    struct got g;

    while (next(&g, &v))
        if (g.type == DATA && g.id == id)
            OK(cm_buf_append(out, g.payload));
}

static void answers_in_pieces_with_trailers(void **state)
{
    const cm_http_header trailer = {CM_LIT("grpc-status"), CM_LIT("0")};
    cm_buf data = {.max = 4096};
    cm_view v;
    struct got g;
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    GET(&t, 1);
    OK(feed(&t, 1000));
    OK(cm_http_start(t.waiting, &(cm_http_response){.status = 200, .body = CM_LIT("ab")}));
    collect(&t);
    OK(cm_http_write(t.waiting, CM_LIT("cd")));
    assert_int_equal(cm_http_backlog(t.waiting), 2);
    collect(&t);
    assert_int_equal(cm_http_backlog(t.waiting), 0);
    OK(cm_http_write(t.waiting, CM_LIT("ef")));
    OK(cm_http_finish(t.waiting, &trailer, 1));
    collect(&t);
    data_of(&t, 1, &data);
    assert_true(cm_view_eq(cm_buf_view(&data), CM_LIT("abcdef")));
    assert_int_equal(count(&t, HEADERS, 1, NULL), 2);
    for (v = cm_buf_view(&t.sent); next(&g, &v);)
        if (v.n == 0)
            assert_true(g.type == HEADERS && (g.flags & END_STREAM));
    assert_int_equal(t.cancelled, 0);
    cm_buf_free(&data);
    close_conn(&t);
}

/* The peer's window bounds what is framed; the rest waits and shows as backlog. */
static void back_pressure(void **state)
{
    static const uint8_t zeros[100000];
    cm_buf data = {.max = 1 << 20};
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    GET(&t, 1);
    OK(feed(&t, 1000));
    OK(cm_http_start(t.waiting, &(cm_http_response){.status = 200}));
    OK(cm_http_write(t.waiting, CM_VIEW(zeros)));
    collect(&t);
    assert_int_equal(cm_http_backlog(t.waiting), 100000 - 65535);
    OK(cm_http_write(t.waiting, CM_VIEW(zeros)));
    frame(&t, WINDOW, 0, 1, CM_LIT("\0\1\0\0"));
    frame(&t, WINDOW, 0, 0, CM_LIT("\0\1\0\0"));
    OK(feed(&t, 1000));
    assert_int_equal(cm_http_backlog(t.waiting), 200000 - 65535 - 65536);
    OK(cm_http_finish(t.waiting, NULL, 0));
    frame(&t, WINDOW, 0, 1, CM_LIT("\0\2\0\0"));
    frame(&t, WINDOW, 0, 0, CM_LIT("\0\2\0\0"));
    OK(feed(&t, 1000));
    data_of(&t, 1, &data);
    assert_int_equal(data.n, 200000);
    cm_buf_free(&data);
    close_conn(&t);
}

static void heads_only(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    HDR(&t, END_STREAM, 1, M("HEAD"), HEAD);
    OK(feed(&t, 1000));
    answer(t.waiting, CM_LIT("body"));
    collect(&t);
    assert_int_equal(status(&t, 1), 200);
    assert_int_equal(count(&t, DATA, 1, NULL), 0);
    close_conn(&t);
}

static void early_answers_stop_the_rest(void **state)
{
    cm_view code = {NULL, 0};
    struct t t;

    (void)state;
    open_conn(&t, EARLY);
    HDR(&t, 0, 1, M("POST"), HEAD);
    frame(&t, DATA, 0, 1, CM_LIT("x"));
    GET(&t, 3);
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 200);
    assert_int_equal(count(&t, RST, 1, &code), 1);
    assert_int_equal(cm_get_be32(code.p), NGHTTP2_NO_ERROR);
    assert_int_equal(count(&t, RST, 3, NULL), 0);
    assert_int_equal(t.requests + t.cancelled, 0);
    assert_int_equal(cm_http_busy(t.c), 0);
    close_conn(&t);
}

static void bodies_in_pieces(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, PIECES);
    HDR(&t, 0, 1, M("POST"), HEAD);
    frame(&t, DATA, 0, 1, CM_LIT("ab"));
    OK(feed(&t, 1000));
    saw(&t, "ab");
    assert_int_equal(cm_http_busy(t.c), 1);
    assert_false(cm_http_receiving(t.c));
    frame(&t, DATA, 0, 1, CM_LIT("c"));
    frame(&t, DATA, END_STREAM, 1, CM_LIT(""));
    OK(feed(&t, 1000));
    saw(&t, "abc.\n");
    OK(cm_http_start(t.waiting, &(cm_http_response){.status = 200}));
    OK(cm_http_finish(t.waiting, NULL, 0));
    collect(&t);
    assert_int_equal(cm_http_busy(t.c), 0);
    close_conn(&t);
}

static void resets_are_heard(void **state)
{
    cm_http_request *first;
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    GET(&t, 1);
    OK(feed(&t, 1000));
    first = t.waiting;
    GET(&t, 3);
    frame(&t, RST, 0, 3, CM_LIT("\0\0\0\x08"));
    OK(feed(&t, 1000));
    assert_int_equal(t.cancelled, 1);
    assert_int_equal(cm_http_busy(t.c), 1);
    cm_http_reset(first);
    collect(&t);
    assert_int_equal(count(&t, RST, 1, NULL), 1);
    assert_int_equal(t.cancelled, 1);
    assert_int_equal(cm_http_busy(t.c), 0);
    close_conn(&t);
    assert_int_equal(t.cancelled, 1);
}

static void bad_answers_reset(void **state)
{
    const cm_http_header bad = {CM_LIT("x"), CM_LIT("a\nb")};
    struct t t;

    (void)state;
    open_conn(&t, LATER);
    GET(&t, 1);
    OK(feed(&t, 1000));
    IS(cm_http_respond(t.waiting, &(cm_http_response){200, &bad, 1, {NULL, 0}}), BAD_ARGUMENT);
    collect(&t);
    assert_int_equal(count(&t, RST, 1, NULL), 1);
    close_conn(&t);
}

/* Two steps: a notice, then the last word, which counts what came in between. */
static void drains(void **state)
{
    cm_view last = {NULL, 0};
    struct t t;

    (void)state;
    for (unsigned silent = 0; silent < 2; silent++) {
        open_conn(&t, LATER);
        GET(&t, 1);
        OK(feed(&t, 1000));
        cm_http_drain(t.c);
        cm_http_drain(t.c);
        collect(&t);
        assert_int_equal(count(&t, GOAWAY, 0, &last), 1);
        assert_int_equal(cm_get_be32(last.p), 0x7fffffff);
        GET(&t, 3);
        OK(feed(&t, 1000));
        assert_int_equal(t.requests, 2);
        if (silent)
            cm_http_clock(t.c, 5000);
        else
            frame(&t, PING, ACK, 0, CM_LIT("\0\0\0\0\0\0\0\0"));
        OK(feed(&t, 1000));
        collect(&t);
        assert_int_equal(count(&t, GOAWAY, 0, &last), 2);
        assert_int_equal(cm_get_be32(last.p), 3);
        GET(&t, 5);
        OK(feed(&t, 1000));
        assert_int_equal(t.requests, 2);
        assert_false(cm_http_over(t.c));
        answer(t.waiting, CM_LIT("x"));
        collect(&t);
        assert_int_equal(status(&t, 3), 200);
        assert_false(cm_http_over(t.c));
        frame(&t, RST, 0, 1, CM_LIT("\0\0\0\x08"));
        OK(feed(&t, 1000));
        collect(&t);
        assert_true(cm_http_over(t.c));
        close_conn(&t);
    }
}

static void expectations(void **state)
{
    struct t t;

    (void)state;
    open_conn(&t, AT_ONCE);
    HDR(&t, 0, 1, M("POST"), HEAD, "expect", "100-continue");
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 100);
    frame(&t, DATA, END_STREAM, 1, CM_LIT("x"));
    OK(feed(&t, 1000));
    assert_int_equal(status(&t, 1), 200);
    close_conn(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(rests),
        cmocka_unit_test(long_heads_are_answered),
        cmocka_unit_test(long_bodies_are_answered),
        cmocka_unit_test(bodies_of_a_connection_are_bounded),
        cmocka_unit_test(streams_are_bounded),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(a_flood_is_one_in_a_second),
        cmocka_unit_test(answers_in_pieces_with_trailers),
        cmocka_unit_test(back_pressure),
        cmocka_unit_test(heads_only),
        cmocka_unit_test(early_answers_stop_the_rest),
        cmocka_unit_test(bodies_in_pieces),
        cmocka_unit_test(resets_are_heard),
        cmocka_unit_test(bad_answers_reset),
        cmocka_unit_test(drains),
        cmocka_unit_test(expectations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
