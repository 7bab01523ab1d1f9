/* HTTP/1.1: what is read, what is refused, order, limits, answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/http.h"
#include "wire/http_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum mode { AT_ONCE, LATER, PIECES, EARLY };

struct t {
    enum mode mode;
    cm_http_conn *c;
    cm_http_request *waiting;
    cm_buf seen; /* what the handler saw */
    cm_buf sent; /* what the peer got */
    unsigned requests, cancelled;
};

static void say(struct t *t, cm_view v, const char *after)
{
    OK(cm_buf_append(&t->seen, v));
    OK(cm_buf_append(&t->seen, cm_view_str(after)));
}

static void answer(cm_http_request *r, cm_view body)
{
    const cm_http_header h = {CM_LIT("x-a"), CM_LIT("b")};

    OK(cm_http_respond(r, &(cm_http_response){200, &h, 1, body}));
}

static void request(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->requests++;
    say(t, r->method, " ");
    say(t, r->authority, " ");
    say(t, r->path, "?");
    say(t, r->query, " ");
    say(t, r->body, "\n");
    t->waiting = r;
    if (t->mode == AT_ONCE)
        answer(r, r->path);
}

static void cancelled(void *self, cm_http_request *r)
{
    struct t *t = self;

    (void)r;
    t->cancelled++;
}

static bool begins(void *self, cm_http_request *r)
{
    struct t *t = self;

    t->waiting = r;
    if (t->mode == EARLY)
        answer(r, CM_LIT("early"));
    return t->mode == PIECES || t->mode == EARLY;
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    struct t *t = self;

    (void)r;
    say(t, v, last ? ".\n" : "");
}

static const cm_http_limits small = {
    .head_max = 2000, .body_max = 1000, .streams_max = 4, .resets_max = 10};

static void open_conn(struct t *t, enum mode mode)
{
    const cm_http_handler h = {
        .request = request, .cancelled = cancelled, .self = t, .begins = begins, .piece = piece};

    t->mode = mode;
    t->seen.max = t->sent.max = 1 << 20;
    OK(cm_http_new(&t->c, false, &small, h));
}

static void close_conn(struct t *t)
{
    cm_http_free(t->c);
    cm_buf_free(&t->seen);
    cm_buf_free(&t->sent);
    *t = (struct t){0};
}

static void collect(struct t *t)
{
    cm_view v = cm_http_pending(t->c);

    OK(cm_buf_append(&t->sent, v));
    cm_http_sent(t->c, v.n);
}

static cm_err feed(struct t *t, cm_view v, size_t step)
{
    cm_err e = CM_OKAY;

    for (size_t n; v.n > 0 && cm_ok(e); v = cm_view_sub(v, n, v.n - n)) {
        n = CM_MIN(step, v.n);
        e = cm_http_feed(t->c, cm_view_sub(v, 0, n));
        collect(t);
    }
    return e;
}

static bool starts(cm_buf *b, const char *text)
{
    return b->n >= strlen(text) && memcmp(b->p, text, strlen(text)) == 0;
}

static void is(cm_buf *b, const char *text)
{
    if (!cm_view_eq(cm_buf_view(b), cm_view_str(text)))
        fail_msg("got\n%.*s\nnot\n%s", (int)b->n, b->n ? (char *)b->p : "", text);
}

#define H "Host: h\r\n"

/* ---- taken -------------------------------------------------------------------------------- */

static const struct {
    const char *in, *seen;
} good[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", "GET h /? \n"},
    {"GET /a/b?c=d&e HTTP/1.1\r\n" H "\r\n", "GET h /a/b?c=d&e \n"},
    {"GET /%41?%42 HTTP/1.1\r\nhOST:\t h:1 \t\r\n\r\n", "GET h:1 /%41?%42 \n"},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET [::1]:80 /? \n"},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS h *? \n"},
    {"GET http://h/x?y HTTP/1.1\r\n" H "\r\n", "GET h /x?y \n"},
    {"GET HTTPS://H/x HTTP/1.1\r\n" H "\r\n", "GET h /x? \n"},
    {"POST /p HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "POST h /p? hello\n"},
    {"POST /p HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST h /p? \n"},
    {"POST /p HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     "POST h /p? hello\n"},
    {"POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
     "2;x=\"y\"\r\nhe\r\n00000003\r\nllo\r\n0;z\r\nA: b\r\nC:\r\n\r\n",
     "POST h /p? hello\n"},
    {"POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST h /p? \n"},
    {"GET /a HTTP/1.1\r\n" H "\r\nPOST /b HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nxy"
     "GET /c HTTP/1.1\r\n" H "\r\n",
     "GET h /a? \nPOST h /b? xy\nGET h /c? \n"},
};

static void good_requests(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 10000};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++)
        for (size_t k = 0; k < CM_COUNT(steps); k++) {
            struct t t = {0};

            open_conn(&t, AT_ONCE);
            OK(feed(&t, cm_view_str(good[i].in), steps[k]));
            is(&t.seen, good[i].seen);
            assert_true(starts(&t.sent, "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: "));
            assert_false(cm_http_receiving(t.c));
            assert_int_equal(cm_http_busy(t.c), 0);
            close_conn(&t);
        }
}

static void fields_are_in_lower_case(void **state)
{
    struct t t = {0};
    cm_view v;

    (void)state;
    open_conn(&t, LATER);
    OK(feed(&t,
            CM_LIT("GET / HTTP/1.1\r\n" H "X-YZ:  a  b \r\nContent-Type: application/grpc+proto"
                   "\r\nEmpty:\r\n\r\n"),
            1));
    assert_int_equal(t.waiting->headers_n, 4);
    assert_true(cm_http_header_of(t.waiting, "x-yz", &v) && cm_view_eq(v, CM_LIT("a  b")));
    assert_true(cm_http_header_of(t.waiting, "empty", &v) && v.n == 0);
    assert_false(cm_http_header_of(t.waiting, "absent", &v));
    assert_true(t.waiting->grpc);
    assert_int_equal(cm_http_busy(t.c), 1);
    close_conn(&t);
}

/* ---- refused ------------------------------------------------------------------------------ */

struct bad {
    const char *in;
    cm_reason reason;
};

#define GET(fields)        "GET / HTTP/1.1\r\n" fields "\r\n"
#define POST(fields, body) "POST / HTTP/1.1\r\n" H fields "\r\n" body
#define CHUNKED(body)      POST("Transfer-Encoding: chunked\r\n", body)

static const struct bad bad[] = {
    /* the request line */
    {"\r\n" GET(H), CM_HTTP_MALFORMED},
    {"\n", CM_HTTP_MALFORMED},
    {" GET / HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET  / HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /  HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTP/1.1 \r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /\tHTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTP/1.1\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTP/1.1\r\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET\r\n\r\n", CM_HTTP_MALFORMED},
    {"GET / http/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTP/1.0\r\n" H "\r\n", CM_HTTP_VERSION},
    {"GET / HTTP/2.0\r\n" H "\r\n", CM_HTTP_VERSION},
    {"GET / HTTP/0.9\r\n" H "\r\n", CM_HTTP_VERSION},
    {"GET / HTTP/1.11\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTP/11\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET / HTTPS/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET  HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET x HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET * HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"OPTIONS ** HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /%4 HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /%4g HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /?% HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET http://h HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET http://other/ HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET http://u@h/ HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"GET ftp://h/ HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"CONNECT h:80 HTTP/1.1\r\n" H "\r\n", CM_HTTP_CODING},
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H "\r\n", CM_HTTP_MALFORMED},
    {"PRI * HTTP/2.0\r\n\r\nXX", CM_HTTP_VERSION},
    {"\x16\x03\x01\x02", CM_HTTP_MALFORMED},
    {"{\"json\":1}", CM_HTTP_MALFORMED},
    /* fields */
    {GET(""), CM_HTTP_MALFORMED},
    {GET("Host:\r\n"), CM_HTTP_MALFORMED},
    {GET(H H), CM_HTTP_MALFORMED},
    {GET("Host: a b\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: a, b\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: a/b\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: a@b\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: a:b\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: a:123456\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: [::1\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: []\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: [::1]x\r\n"), CM_HTTP_MALFORMED},
    {GET("Host: :80\r\n"), CM_HTTP_MALFORMED},
    {GET("Host : h\r\n"), CM_HTTP_MALFORMED},
    {GET("Host\t: h\r\n"), CM_HTTP_MALFORMED},
    {GET(" Host: h\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A: b\r\n c\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A: b\r\n\tc\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A: b\n"), CM_HTTP_MALFORMED},
    {GET(H "A: b\nC: d\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A: b\rC: d\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A\r\n"), CM_HTTP_MALFORMED},
    {GET(H ": x\r\n"), CM_HTTP_MALFORMED},
    {GET(H "A b: c\r\n"), CM_HTTP_MALFORMED},
    {"GET / HTTP/1.1\r\n" H "\n", CM_HTTP_MALFORMED},
    {GET(H "Content-Type: a\r\nContent-Type: b\r\n"), CM_HTTP_MALFORMED},
    {GET(H "Authorization: a\r\nauthorization: b\r\n"), CM_HTTP_MALFORMED},
    /* how long it is */
    {POST("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 5\r\ncontent-length: 6\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 5, 5\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: +5\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: -1\r\n", ""), CM_HTTP_MALFORMED},
    {POST("Content-Length: 05\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 0x5\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 5 \t5\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 5.0\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length:\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 18446744073709551621\r\n", "hello"), CM_HTTP_MALFORMED},
    {POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), CM_HTTP_MALFORMED},
    {POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), CM_HTTP_MALFORMED},
    {POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), CM_HTTP_MALFORMED},
    {POST("Transfer-Encoding: gzip, chunked\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding: chunked, identity\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding: xchunked\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding: \"chunked\"\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding: identity\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding:\r\n", ""), CM_HTTP_CODING},
    {POST("Transfer-Encoding : chunked\r\n", ""), CM_HTTP_MALFORMED},
    {POST("Transfer-Encoding:\x0b"
          "chunked\r\n",
          ""),
     CM_HTTP_MALFORMED},
    {POST("Expect: 200-ok\r\n", ""), CM_HTTP_CODING},
    {POST("Content-Length: 1001\r\n", ""), CM_HTTP_BODY_LIMIT},
    {POST("Content-Length: 18446744073709551615\r\n", ""), CM_HTTP_BODY_LIMIT},
    /* chunks */
    {CHUNKED("\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("5\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED(" 5\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("5 \r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("+5\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("0x5\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("000000005\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("ffffffffffffffff\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("ffffffff\r\n"), CM_HTTP_BODY_LIMIT},
    {CHUNKED("3e9\r\n"), CM_HTTP_BODY_LIMIT},
    {CHUNKED("5;\n\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("5;\x01\r\nhello\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("5\r\nhello"
             "0\r\n\r\n"),
     CM_HTTP_MALFORMED},
    {CHUNKED("5\r\nhello\n0\r\n\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("5\r\nhello\rX"), CM_HTTP_MALFORMED},
    {CHUNKED("5\r\nhello\r\n0\r\n\n"), CM_HTTP_MALFORMED},
    {CHUNKED("0\r\nbad\r\n\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("0\r\n A: b\r\n\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("0\r\nA : b\r\n\r\n"), CM_HTTP_MALFORMED},
    {CHUNKED("0\r\nA: b\n\r\n"), CM_HTTP_MALFORMED},
};

static unsigned count;

static void refused(cm_view in, cm_reason reason, size_t step)
{
    struct t t = {0};
    cm_err e;

    open_conn(&t, AT_ONCE);
    e = feed(&t, in, step);
    if (!cm_is(e, reason) || t.requests > 0)
        fail_msg("%s, %u requests for\n%.*s", cm_err_name(e), t.requests, (int)in.n, in.p);
    assert_true(starts(&t.sent, "HTTP/1.1 4") || starts(&t.sent, "HTTP/1.1 5"));
    assert_non_null(memmem(t.sent.p, t.sent.n, "connection: close", 17));
    assert_true(cm_http_over(t.c));
    /* For good: nothing that follows is a request. */
    assert_true(cm_is(cm_http_feed(t.c, CM_LIT("GET / HTTP/1.1\r\n" H "\r\n")), reason));
    assert_int_equal(cm_http_pending(t.c).n, 0);
    close_conn(&t);
    count++;
}

/* One byte that does not belong there, in the middle of before and after. */
static void each_byte(const char *before, const char *after, const char *allowed, bool high_allowed)
{
    for (unsigned c = 0; c < 256; c++) {
        cm_buf b = {.max = 4096};
        bool letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

        if ((letter && c < 0x80) || (c && c < 0x80 && strchr(allowed, (int)c)) ||
            (c >= 0x80 && high_allowed))
            continue;
        OK(cm_buf_append(&b, cm_view_str(before)));
        OK(cm_buf_byte(&b, (uint8_t)c));
        OK(cm_buf_append(&b, cm_view_str(after)));
        refused(cm_buf_view(&b), CM_HTTP_MALFORMED, 1);
        refused(cm_buf_view(&b), CM_HTTP_MALFORMED, 1000);
        cm_buf_free(&b);
    }
}

static void malformed_requests(void **state)
{
    static const char visible[] = " \t!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        refused(cm_view_str(bad[i].in), bad[i].reason, 1);
        refused(cm_view_str(bad[i].in), bad[i].reason, 10000);
    }
    each_byte("GE", "T / HTTP/1.1\r\n" H "\r\n", "!#$%&'*+-.^_`|~", false);
    each_byte("GET /a", "b HTTP/1.1\r\n" H "\r\n", "!$&'()*+,-./:;=?@_~", false);
    each_byte("GET /?a", "b HTTP/1.1\r\n" H "\r\n", "!$&'()*+,-./:;=?@_~", false);
    each_byte("GET / HTTP/1.1\r\n" H "X-A", "B: c\r\n\r\n", "!#$%&'*+-.^_`|~:", false);
    each_byte("GET / HTTP/1.1\r\n" H "X: a", "b\r\n\r\n", visible, true);
    each_byte("GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n", "!$&'*+-._~", false);
    each_byte("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5;a",
              "b\r\nhello\r\n0\r\n\r\n", visible, true);
    print_message("HTTP/1.1: %u malformed requests refused\n", count);
    assert_true(count > 1000);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void heads_are_bounded(void **state)
{
    struct t t = {0};
    cm_buf in = {.max = 1 << 16};

    (void)state;
    OK(cm_buf_append(&in, CM_LIT("GET / HTTP/1.1\r\n" H "X: ")));
    for (unsigned i = 0; i < 2000; i++)
        OK(cm_buf_byte(&in, 'x'));
    open_conn(&t, AT_ONCE);
    IS(feed(&t, cm_buf_view(&in), 1), HTTP_HEAD_LIMIT);
    assert_true(starts(&t.sent, "HTTP/1.1 431 "));
    close_conn(&t);
    in.n = 0;
    OK(cm_buf_append(&in, CM_LIT("GET / HTTP/1.1\r\n" H)));
    for (unsigned i = 0; i < 127; i++)
        OK(cm_buf_append(&in, CM_LIT("a:b\r\n")));
    OK(cm_buf_append(&in, CM_LIT("\r\n")));
    open_conn(&t, AT_ONCE);
    OK(feed(&t, cm_buf_view(&in), 1000));
    in.n -= 2;
    OK(cm_buf_append(&in, CM_LIT("a:b\r\n\r\n")));
    IS(feed(&t, cm_buf_view(&in), 1000), HTTP_HEAD_LIMIT);
    close_conn(&t);
    cm_buf_free(&in);
}

static void bodies_are_bounded(void **state)
{
    static const char chunk[] = "64\r\n"
                                "0123456789012345678901234567890123456789012345678901234567890123"
                                "456789012345678901234567890123456789\r\n";
    struct t t = {0};

    (void)state;
    open_conn(&t, AT_ONCE);
    OK(feed(&t, CM_LIT(CHUNKED("")), 7));
    for (unsigned i = 0; i < 10; i++)
        OK(feed(&t, cm_view_str(chunk), 9));
    IS(feed(&t, cm_view_str("1\r\n"), 9), HTTP_BODY_LIMIT);
    assert_true(starts(&t.sent, "HTTP/1.1 413 Content Too Large\r\n"));
    close_conn(&t);
}

static void chunk_extensions_are_bounded(void **state)
{
    struct t t = {0};
    cm_err e = CM_OKAY;

    (void)state;
    open_conn(&t, AT_ONCE);
    OK(feed(&t, CM_LIT(CHUNKED("")), 7));
    for (unsigned i = 0; i < 600 && cm_ok(e); i++)
        e = feed(&t, CM_LIT("1;abcdefgh\r\nx\r\n"), 100);
    IS(e, HTTP_HEAD_LIMIT);
    close_conn(&t);
    open_conn(&t, AT_ONCE);
    OK(feed(&t, CM_LIT(CHUNKED("0\r\n")), 7));
    for (unsigned i = 0; i < 5000 && cm_ok(e = feed(&t, CM_LIT("a: b\r\n"), 100)); i++)
        continue;
    IS(e, HTTP_HEAD_LIMIT);
    close_conn(&t);
}

static void what_is_sent_ahead_is_bounded(void **state)
{
    static const char one[] = "GET /x HTTP/1.1\r\n" H "\r\n";
    struct t t = {0};
    cm_err e = CM_OKAY;
    unsigned n;

    (void)state;
    open_conn(&t, LATER);
    for (n = 0; n < 1000 && cm_ok(e); n++)
        e = feed(&t, cm_view_str(one), 1000);
    IS(e, HTTP_PIPELINE);
    assert_int_equal(n, 1 + 3000 / (sizeof one - 1) + 1);
    assert_int_equal(t.cancelled, 1);
    close_conn(&t);
}

/* ---- order -------------------------------------------------------------------------------- */

static void answers_keep_the_order(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, LATER);
    OK(feed(&t,
            CM_LIT("GET /a HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n"
                   "GET /c HTTP/1.1\r\n" H "\r\nGET /d HT"),
            10000));
    assert_int_equal(t.requests, 1);
    answer(t.waiting, CM_LIT("1"));
    assert_int_equal(t.requests, 2);
    t.mode = AT_ONCE;
    answer(t.waiting, CM_LIT("2"));
    assert_int_equal(t.requests, 3);
    assert_true(cm_http_receiving(t.c));
    OK(feed(&t, CM_LIT("TP/1.1\r\n" H "\r\n"), 1));
    assert_int_equal(t.requests, 4);
    is(&t.seen, "GET h /a? \nGET h /b? \nGET h /c? \nGET h /d? \n");
#define A(n, body) "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: " #n "\r\n\r\n" body
    is(&t.sent, A(1, "1") A(1, "2") A(2, "/c") A(2, "/d"));
    close_conn(&t);
}

static void an_error_ahead_waits_for_its_turn(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, LATER);
    OK(feed(&t, CM_LIT("GET /a HTTP/1.1\r\n" H "\r\nBAD\r\n\r\n"), 10000));
    answer(t.waiting, CM_LIT("1"));
    collect(&t);
    assert_true(starts(&t.sent, A(1, "1") "HTTP/1.1 400 Bad Request\r\n"));
    assert_true(cm_http_over(t.c));
    IS(cm_http_feed(t.c, CM_LIT("x")), HTTP_MALFORMED);
    close_conn(&t);
}

static void connections_close(void **state)
{
    static const char *const closing[] = {"Connection: close\r\n", "connection: a, Close ,b\r\n",
                                          "Connection: x\r\nConnection: close\r\n"};
    struct t t = {0};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(closing); i++) {
        open_conn(&t, AT_ONCE);
        OK(feed(&t, CM_LIT("GET /a HTTP/1.1\r\n" H), 1));
        OK(feed(&t, cm_view_str(closing[i]), 1));
        OK(feed(&t, CM_LIT("\r\nGET /b HTTP/1.1\r\n" H "\r\n"), 1));
        assert_int_equal(t.requests, 1);
        assert_non_null(memmem(t.sent.p, t.sent.n, "connection: close", 17));
        assert_true(cm_http_over(t.c));
        close_conn(&t);
    }
}

static void drains(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, LATER);
    cm_http_drain(t.c);
    assert_true(cm_http_over(t.c));
    close_conn(&t);
    open_conn(&t, LATER);
    OK(feed(&t, CM_LIT("GET /a HTTP/1.1\r\n" H "\r\n"), 1));
    cm_http_drain(t.c);
    assert_false(cm_http_over(t.c));
    answer(t.waiting, CM_LIT("1"));
    assert_false(cm_http_over(t.c));
    collect(&t);
    assert_non_null(memmem(t.sent.p, t.sent.n, "connection: close", 17));
    assert_true(cm_http_over(t.c));
    close_conn(&t);
}

/* ---- bodies and answers in pieces --------------------------------------------------------- */

static void continue_is_said_once(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, AT_ONCE);
    OK(feed(&t, CM_LIT(POST("Expect: 100-Continue\r\nContent-Length: 2\r\n", "")), 1));
    is(&t.sent, "HTTP/1.1 100 Continue\r\n\r\n");
    OK(feed(&t, CM_LIT("xy"), 1));
    is(&t.sent, "HTTP/1.1 100 Continue\r\n\r\n" A(1, "/"));
    close_conn(&t);
    open_conn(&t, AT_ONCE);
    IS(feed(&t, CM_LIT(POST("Expect: 100-continue\r\nContent-Length: 2000\r\n", "")), 1),
       HTTP_BODY_LIMIT);
    assert_true(starts(&t.sent, "HTTP/1.1 413"));
    close_conn(&t);
}

static void head_has_no_body(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, AT_ONCE);
    OK(feed(&t, CM_LIT("HEAD /abc HTTP/1.1\r\n" H "\r\n"), 1));
    is(&t.sent, A(4, ""));
    close_conn(&t);
}

static void pieces_both_ways(void **state)
{
    const cm_http_header trailer = {CM_LIT("x-t"), CM_LIT("1")};
    struct t t = {0};

    (void)state;
    open_conn(&t, LATER);
    OK(feed(&t, CM_LIT("GET /b HTTP/1.1\r\n" H "\r\nGET /c HTTP/1.1\r\n" H "\r\n"), 1));
    OK(cm_http_start(t.waiting, &(cm_http_response){.status = 200, .body = CM_LIT("ab")}));
    OK(cm_http_write(t.waiting, CM_LIT("")));
    OK(cm_http_write(t.waiting, CM_LIT("0123456789abcdef")));
    assert_int_equal(cm_http_backlog(t.waiting), cm_http_pending(t.c).n);
    OK(cm_http_finish(t.waiting, &trailer, 1));
    assert_int_equal(t.requests, 2);
    collect(&t);
    is(&t.sent, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
                "10\r\n0123456789abcdef\r\n0\r\nx-t: 1\r\n\r\n");
    close_conn(&t);

    open_conn(&t, PIECES);
    OK(feed(&t, CM_LIT(CHUNKED("2\r\nab\r\n")), 1));
    is(&t.seen, "ab");
    assert_false(cm_http_receiving(t.c));
    OK(cm_http_start(t.waiting, &(cm_http_response){.status = 200}));
    OK(cm_http_write(t.waiting, CM_LIT("early")));
    OK(feed(&t, CM_LIT("1\r\nc\r\n0\r\n\r\n"), 1));
    is(&t.seen, "abc.\n");
    OK(cm_http_finish(t.waiting, NULL, 0));
    assert_int_equal(t.cancelled, 0);
    close_conn(&t);
}

/* What is left of a request that was answered early can't be told from the next one. */
static void an_early_answer_ends_the_connection(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, PIECES);
    OK(feed(&t, CM_LIT(CHUNKED("2\r\nab\r\n")), 1));
    answer(t.waiting, CM_LIT("1"));
    collect(&t);
    assert_non_null(memmem(t.sent.p, t.sent.n, "connection: close", 17));
    assert_true(cm_http_over(t.c));
    OK(feed(&t, CM_LIT("1\r\nc\r\n0\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), 1));
    is(&t.seen, "ab");
    close_conn(&t);
}

static void answers_before_the_body(void **state)
{
    struct t t = {0};

    (void)state;
    open_conn(&t, EARLY);
    OK(feed(&t, CM_LIT("GET /a HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n"), 1));
    is(&t.sent, A(5, "early") A(5, "early"));
    OK(feed(&t, CM_LIT(POST("Content-Length: 1\r\n", "x")), 1));
    assert_true(cm_http_over(t.c));
    assert_int_equal(t.requests + t.cancelled, 0);
    close_conn(&t);
}

static void answers_are_checked(void **state)
{
    const cm_http_header bad_fields[] = {
        {CM_LIT("X-Up"), CM_LIT("a")},
        {CM_LIT("x"), CM_LIT("a\r\nb: c")},
        {CM_LIT("x y"), CM_LIT("a")},
        {CM_LIT(""), CM_LIT("a")},
        {CM_LIT("content-length"), CM_LIT("1")},
        {CM_LIT("transfer-encoding"), CM_LIT("x")},
        {CM_LIT("connection"), CM_LIT("x")},
        {CM_LIT("x"), CM_LIT("\x7f")},
    };
    struct t t = {0};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad_fields); i++) {
        open_conn(&t, LATER);
        OK(feed(&t, CM_LIT("GET /b HTTP/1.1\r\n" H "\r\n"), 1));
        IS(cm_http_respond(t.waiting, &(cm_http_response){200, &bad_fields[i], 1, {NULL, 0}}),
           BAD_ARGUMENT);
        assert_true(cm_http_over(t.c));
        assert_int_equal(cm_http_busy(t.c), 0);
        close_conn(&t);
    }
    open_conn(&t, LATER);
    OK(feed(&t, CM_LIT("GET /b HTTP/1.1\r\n" H "\r\n"), 1));
    IS(cm_http_write(t.waiting, CM_LIT("x")), BAD_ARGUMENT);
    close_conn(&t);
}

static void the_unanswered_hear_of_the_end(void **state)
{
    struct t t = {0};
    unsigned heard;

    (void)state;
    open_conn(&t, LATER);
    OK(feed(&t, CM_LIT("GET /b HTTP/1.1\r\n" H "\r\n"), 1));
    cm_http_free(t.c);
    t.c = NULL;
    heard = t.cancelled;
    close_conn(&t);
    assert_int_equal(heard, 1);
}

/* The table of bytes is what the RFCs say. */
static void bytes_have_their_kinds(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t b = (uint8_t)c;
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool token = letter || (c && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
        cm_view v = cm_view_of(&b, 1);

        assert_true(cm_http_token(v) == token);
        assert_true(cm_http_lower_token(v) == (token && !(c >= 'A' && c <= 'Z')));
        assert_true(cm_http_value(v) == (c == '\t' || (c >= 0x20 && c != 0x7f)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(fields_are_in_lower_case),
        cmocka_unit_test(malformed_requests),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(chunk_extensions_are_bounded),
        cmocka_unit_test(what_is_sent_ahead_is_bounded),
        cmocka_unit_test(answers_keep_the_order),
        cmocka_unit_test(an_error_ahead_waits_for_its_turn),
        cmocka_unit_test(connections_close),
        cmocka_unit_test(drains),
        cmocka_unit_test(continue_is_said_once),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(pieces_both_ways),
        cmocka_unit_test(an_early_answer_ends_the_connection),
        cmocka_unit_test(answers_before_the_body),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(the_unanswered_hear_of_the_end),
        cmocka_unit_test(bytes_have_their_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
