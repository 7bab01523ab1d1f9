/* gRPC: frames, status, deadlines, metadata, and the two services, over HTTP/1.1 as over any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/grpc.h"
#include "wire_sample.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))
#define F(text)       CM_LIT(text)

static const cm_grpc_method methods[] = {
    {.service = "Probe", .method = "Say", .request = &sample, .answer = &sample},
    {.service = "Probe", .method = "Said", .request = &sample, .streaming = true},
    {.service = "Other", .method = "Say", .request = &sample_inner},
};
static const cm_grpc_table table = {"a/b.proto", "a.b", methods, CM_COUNT(methods)};

/* ---- frames ------------------------------------------------------------------------------- */

static void unary_bodies(void **state)
{
    static const struct {
        const char *body;
        size_t n;
        cm_reason reason;
    } bad[] = {
        {"", 0, CM_GRPC_FRAME},
        {"\0\0\0\0", 4, CM_GRPC_FRAME},
        {"\0\0\0\0\1", 5, CM_GRPC_FRAME},
        {"\0\0\0\0\0x", 6, CM_GRPC_FRAME},
        {"\0\0\0\0\1xy", 7, CM_GRPC_FRAME},
        {"\0\0\0\0\1x\0\0\0\0\1x", 12, CM_GRPC_FRAME},
        {"\2\0\0\0\1x", 6, CM_GRPC_FRAME},
        {"\x80\0\0\0\1x", 6, CM_GRPC_FRAME},
        {"\1\0\0\0\1x", 6, CM_GRPC_COMPRESSED},
        {"\0\0\0\0\x0bx", 6, CM_GRPC_TOO_LONG},
        {"\0\xff\xff\xff\xffx", 6, CM_GRPC_TOO_LONG},
    };
    cm_view message = {NULL, 77};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_http_request r = {.body = cm_view_of(bad[i].body, bad[i].n)};

        assert_true(cm_is(cm_grpc_unary(&message, &r, 10), bad[i].reason));
        assert_int_equal(message.n, 77);
    }
    OK(cm_grpc_unary(&message, &(cm_http_request){.body = F("\0\0\0\0\2hi")}, 10));
    assert_true(cm_view_eq(message, F("hi")));
    OK(cm_grpc_unary(&message, &(cm_http_request){.body = F("\0\0\0\0\0")}, 0));
    assert_int_equal(message.n, 0);
}

static void messages_out_of_pieces(void **state)
{
    static const char stream[] = "\0\0\0\0\3one\0\0\0\0\0\0\0\0\0\3two\0\0";
    cm_view all = cm_view_of(stream, sizeof stream - 1), m;
    bool got;

    (void)state;
    for (size_t step = 1; step <= all.n; step++) {
        cm_grpc_reader g = {.max = 3};
        unsigned n = 0;

        for (size_t at = 0; at < all.n; at += step) {
            OK(cm_grpc_push(&g, cm_view_sub(all, at, CM_MIN(step, all.n - at))));
            for (;;) {
                OK(cm_grpc_next(&g, &m, &got));
                if (!got)
                    break;
                assert_true(cm_view_eq(m, n == 0 ? F("one") : n == 1 ? F("") : F("two")));
                n++;
            }
        }
        assert_int_equal(n, 3);
        IS(cm_grpc_last(&g), GRPC_FRAME);
        cm_grpc_reader_done(&g);
        OK(cm_grpc_last(&g));
        OK(cm_grpc_push(&g, F("\0\0\0\0\4")));
        IS(cm_grpc_next(&g, &m, &got), GRPC_TOO_LONG);
        assert_false(got);
        cm_grpc_reader_done(&g);
    }
}

/* ---- headers ------------------------------------------------------------------------------ */

static cm_err timeout(const char *text, uint64_t *ms)
{
    cm_http_header h = {F("grpc-timeout"), cm_view_str(text)};
    cm_http_request r = {.headers = &h, .headers_n = 1};
    bool given;

    return cm_grpc_timeout(&r, ms, &given);
}

static void timeouts(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"1H", 3600000},
                {"2M", 120000},
                {"3S", 3000},
                {"4m", 4},
                {"5u", 1},
                {"5001u", 6},
                {"1n", 1},
                {"1000001n", 2},
                {"0n", 0},
                {"00000100m", 100},
                {"99999999H", 359999996400000}};
    static const char *const bad[] = {"",    "1",   "H",   "1h",   "1s",         "-1S", "1.5S",
                                      " 1S", "1S ", "+1S", "0x1S", "123456789S", "1SS", "1\0"};
    cm_http_request none = {.headers_n = 0};
    uint64_t ms = 7;
    bool given = true;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        OK(timeout(good[i].text, &ms));
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        IS(timeout(bad[i], &ms), GRPC_TIMEOUT);
    OK(cm_grpc_timeout(&none, &ms, &given));
    assert_false(given);
}

static void binary_metadata(void **state)
{
    static const char *const good[] = {"", "AA==", "AA", "AAA=", "AAA", "AAAA", "+/+/AA"};
    static const size_t length[] = {0, 1, 1, 2, 2, 3, 4};
    static const char *const bad[] = {"A", "AB", "AA=", "-_-_", "A A=", "AAAAA", "AAAA===="};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        cm_http_header h = {F("x-bin"), cm_view_str(good[i])};
        cm_buf b = {.max = 64};
        bool given;

        OK(cm_grpc_metadata_bin(&(cm_http_request){.headers = &h, .headers_n = 1}, "x-bin", &b,
                                &given));
        assert_true(given && b.n == length[i]);
        cm_buf_free(&b);
    }
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_http_header h = {F("x-bin"), cm_view_str(bad[i])};
        cm_buf b = {.max = 64};
        bool given;

        IS(cm_grpc_metadata_bin(&(cm_http_request){.headers = &h, .headers_n = 1}, "x-bin", &b,
                                &given),
           BASE64_MALFORMED);
        assert_int_equal(b.n, 0);
        cm_buf_free(&b);
    }
}

static void methods_by_path(void **state)
{
    static const char *const none[] = {"",
                                       "/",
                                       "/a.b.Probe",
                                       "/a.b.Probe/",
                                       "a.b.Probe/Say",
                                       "/a.b.Probe/say",
                                       "/a.b.Probe/Sayx",
                                       "/a.b.Probex/Say",
                                       "/a.bProbe/Say",
                                       "/a.b.Probe/Say/",
                                       "//a.b.Probe/Say",
                                       "/Probe/Say",
                                       "/a.b/Say"};

    (void)state;
    assert_ptr_equal(cm_grpc_find(&table, F("/a.b.Probe/Say")), &methods[0]);
    assert_ptr_equal(cm_grpc_find(&table, F("/a.b.Probe/Said")), &methods[1]);
    assert_ptr_equal(cm_grpc_find(&table, F("/a.b.Other/Say")), &methods[2]);
    for (size_t i = 0; i < CM_COUNT(none); i++)
        assert_null(cm_grpc_find(&table, cm_view_str(none[i])));
}

static void names_must_differ(void **state)
{
    static const cm_message twin = {"Sample", NULL, 0, NULL};
    static const cm_grpc_method two[] = {
        {.service = "S", .method = "M", .request = &sample, .answer = &twin}};
    static const cm_grpc_table t = {"f", "p", two, 1};
    cm_buf b = {.max = 4096};

    (void)state;
    IS(cm_grpc_descriptor(&b, &t), BAD_ARGUMENT);
    IS(cm_grpc_describe_proto(&b, &t), BAD_ARGUMENT);
    cm_buf_free(&b);
}

/* ---- calls, over HTTP/1.1 ----------------------------------------------------------------- */

struct t {
    cm_http_conn *c;
    cm_grpc_std *s;
    cm_http_request *r;
    cm_buf sent;
    bool others;
};

static void request(void *self, cm_http_request *r)
{
    ((struct t *)self)->r = r;
}

static bool begins(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->r = r;
    return cm_grpc_std_begins(t->s, r);
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    cm_grpc_std_piece(((struct t *)self)->s, r, v, last);
}

static void cancelled(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->others |= !cm_grpc_std_cancelled(t->s, r);
}

static int begin(void **state)
{
    static struct t t;
    const cm_http_handler h = {
        .request = request, .cancelled = cancelled, .self = &t, .begins = begins, .piece = piece};

    t = (struct t){.sent.max = 1 << 22};
    OK(cm_http_new(&t.c, false, NULL, h));
    OK(cm_grpc_std_new(&t.s, &table));
    *state = &t;
    return 0;
}

static int end(void **state)
{
    struct t *t = *state;

    cm_http_free(t->c);
    cm_grpc_std_free(t->s);
    cm_buf_free(&t->sent);
    return 0;
}

static void feed(struct t *t, cm_view v)
{
    cm_view out;

    OK(cm_http_feed(t->c, v));
    out = cm_http_pending(t->c);
    OK(cm_buf_append(&t->sent, out));
    cm_http_sent(t->c, out.n);
}

static bool sent(struct t *t, cm_view v)
{
    bool found;

    feed(t, F(""));
    found = memmem(t->sent.p, t->sent.n, v.p, v.n) != NULL;
    if (!found)
        print_error("%.*s\n", (int)t->sent.n, t->sent.n ? (char *)t->sent.p : "");
    return found;
}

#define CALL(path)                                                                            \
    "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nTE: trailers\r\n" \
    "Transfer-Encoding: chunked\r\n\r\n"

static void answers(void **state)
{
    const cm_http_header more = {F("retry-after"), F("3")};
    struct t *t = *state;

    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    OK(cm_grpc_answer(t->r, F("hi"), NULL, 0));
    assert_true(sent(t, F("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n")));
    assert_true(sent(t, F("\r\n5\r\n\0\0\0\0\2\r\n2\r\nhi\r\n0\r\ngrpc-status: 0\r\n\r\n")));
    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    OK(cm_grpc_fail(t->r, CM_FAIL(NO_PERMISSION), "50% \xc3\xa4\n", &more, 1));
    assert_true(
        sent(t, F("retry-after: 3\r\ngrpc-status: 7\r\ngrpc-message: 50%25 %C3%A4%0A\r\n")));
    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    OK(cm_grpc_fail(t->r, CM_FAIL(KMSD_SEALED), NULL, NULL, 0));
    assert_true(sent(t, F("grpc-status: 14\r\n"))); /* 503, as REST has it */
    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    OK(cm_grpc_fail(t->r, CM_FAIL(SVC_RATE), NULL, NULL, 0));
    assert_true(sent(t, F("grpc-status: 8\r\n")));
    feed(t, F(CALL("/a.b.Probe/None") "0\r\n\r\n"));
    OK(cm_grpc_unknown(t->r));
    assert_true(sent(t, F("grpc-status: 12\r\ngrpc-message: no such gRPC")));
    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    OK(cm_grpc_begin(t->r, NULL, 0));
    OK(cm_grpc_send(t->r, F("")));
    OK(cm_grpc_end(t->r, CM_FAIL(GRPC_METHOD), NULL));
    assert_true(sent(t, F("0\r\ngrpc-status: 12\r\ngrpc-message: no such gRPC")));
}

static void health_is_told(void **state)
{
    struct t *t = *state;

    feed(t, F(CALL("/grpc.health.v1.Health/Check") "5\r\n\0\0\0\0\0\r\n0\r\n\r\n"));
    assert_true(sent(t, F("2\r\n\x08\x02\r\n0\r\ngrpc-status: 0\r\n")));
    cm_grpc_std_serving(t->s, true, NULL, NULL);
    feed(t, F(CALL("/grpc.health.v1.Health/Check") "10\r\n\0\0\0\0\x0b\x0a\x09"
                                                   "a.b.Probe\r\n0\r\n\r\n"));
    assert_true(sent(t, F("2\r\n\x08\x01\r\n0\r\ngrpc-status: 0\r\n")));
    feed(t, F(CALL("/grpc.health.v1.Health/Check") "10\r\n\0\0\0\0\x0b\x0a\x09"
                                                   "a.b-Probe\r\n0\r\n\r\n"));
    assert_true(sent(t, F("grpc-status: 5\r\n")));
}

static void heard(void *self, cm_http_request *r)
{
    struct t *t = self;

    assert_ptr_equal(r, t->r);
    t->others = true;
}

static void a_watch_goes_on(void **state)
{
    struct t *t = *state;

    feed(t, F(CALL("/grpc.health.v1.Health/Watch") "5\r\n\0\0\0\0\0\r\n0\r\n\r\n"));
    assert_true(sent(t, F("\x08\x02\r\n")));
    assert_true(cm_grpc_std_has(t->s, t->r));
    cm_grpc_std_serving(t->s, true, heard, t);
    assert_true(t->others);
    assert_true(sent(t, F("\x08\x02\r\n5\r\n\0\0\0\0\2\r\n2\r\n\x08\x01\r\n")));
    t->others = false;
    cm_grpc_std_serving(t->s, true, heard, t);
    assert_false(t->others);
    cm_http_free(t->c);
    t->c = NULL;
    assert_false(cm_grpc_std_has(t->s, t->r));
    cm_grpc_std_serving(t->s, false, heard, t);
    assert_false(t->others);
}

static void what_is_wrong_ends_a_call(void **state)
{
    const struct {
        cm_view in;
        const char *status;
    } bad[] = {
        {F(CALL("/grpc.health.v1.Health/Check") "0\r\n\r\n"), "grpc-status: 3\r\n"},
        {F(CALL("/grpc.health.v1.Health/Check") "3\r\n\0\0\0\r\n0\r\n\r\n"), "grpc-status: 3\r\n"},
        {F(CALL("/grpc.health.v1.Health/Check") "5\r\n\1\0\0\0\0\r\n0\r\n\r\n"),
         "grpc-status: 12\r\n"},
        {F(CALL("/grpc.health.v1.Health/Check") "5\r\n\0\0\0\x20\0\r\n0\r\n\r\n"),
         "grpc-status: 8\r\n"},
        {F(CALL("/grpc.health.v1.Health/Check") "6\r\n\0\0\0\0\1\x08\r\n0\r\n\r\n"),
         "grpc-status: 3\r\n"},
        {F(CALL("/grpc.health.v1.Health/Watch") "a\r\n\0\0\0\0\0\0\0\0\0\0\r\n0\r\n\r\n"),
         "grpc-status: 3\r\n"},
        {F(CALL("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") "6\r\n\0\0\0\0\1\xff\r"
                                                                             "\n0\r\n\r\n"),
         "grpc-status: 3\r\n"},
    };

    end(state);
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        struct t *t;

        begin(state);
        t = *state;
        feed(t, bad[i].in);
        assert_true(sent(t, cm_view_str(bad[i].status)));
        assert_false(cm_grpc_std_has(t->s, t->r));
        end(state);
    }
    begin(state);
}

static void others_are_left_alone(void **state)
{
    struct t *t = *state;

    feed(t, F("POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: h\r\n"
              "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"));
    assert_false(cm_grpc_std_has(t->s, t->r));
    OK(cm_http_respond(t->r, &(cm_http_response){.status = 404}));
    feed(t, F(CALL("/a.b.Probe/Say") "0\r\n\r\n"));
    assert_false(cm_grpc_std_has(t->s, t->r));
}

/* Small questions have large answers: whoever does not read them is not served for ever. */
static void unread_reflection_ends(void **state)
{
    static const char good[] = "10\r\n\0\0\0\0\x0b\x22\x09"
                               "a.b.Probe\r\n";
    struct t *t = *state;
    unsigned n = 0;

    OK(cm_http_feed(t->c, F(CALL("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"))));
    assert_true(cm_grpc_std_has(t->s, t->r));
    while (n < 100000 && cm_grpc_std_has(t->s, t->r)) {
        OK(cm_http_feed(t->c, cm_view_of(good, sizeof good - 1)));
        n++;
    }
    assert_true(n > 100 && n < 10000);
    assert_true(sent(t, F("grpc-status: 8\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_bodies),
        cmocka_unit_test(messages_out_of_pieces),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(binary_metadata),
        cmocka_unit_test(methods_by_path),
        cmocka_unit_test(names_must_differ),
        cmocka_unit_test_setup_teardown(answers, begin, end),
        cmocka_unit_test_setup_teardown(health_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_watch_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_ends_a_call, begin, end),
        cmocka_unit_test_setup_teardown(others_are_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(unread_reflection_ends, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
