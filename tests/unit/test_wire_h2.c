/* HTTP/2 in raw frames: what is read, what is refused, floods, order, drain, trailers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/http.h"
#include "wire/http_int.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum mode { AT_ONCE, LATER, PIECES, EARLY };

struct t {
    enum mode mode;
    cm_http_conn *c;
    cm_http_request *waiting;
    cm_buf in;   /* frames to be fed */
    cm_buf seen; /* what the handler saw */
    cm_buf sent; /* what the peer got */
    unsigned requests, cancelled;
};

/* ---- the handler -------------------------------------------------------------------------- */

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
    t->waiting = r;
    say(t, r->method, " ");
    say(t, r->authority, " ");
    say(t, r->path, "?");
    say(t, r->query, " ");
    say(t, r->body, "\n");
    if (t->mode == AT_ONCE)
        answer(r, r->body);
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
    return t->mode == PIECES;
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    (void)r;
    say(self, v, last ? ".\n" : "");
}

static const cm_http_limits small = {
    .head_max = 2000, .body_max = 40000, .streams_max = 6, .resets_max = 10};

/* ---- frames ------------------------------------------------------------------------------- */

static void frame(struct t *t, unsigned type, unsigned flags, uint32_t id, cm_view payload)
{
    uint8_t head[9];

    cm_put_be32(head, (uint32_t)payload.n << 8 | type);
    head[4] = (uint8_t)flags;
    cm_put_be32(head + 5, id);
    OK(cm_buf_append(&t->in, CM_VIEW(head)));
    OK(cm_buf_append(&t->in, payload));
}

/* A literal field without indexing; n below 127 each. */
static void literal(cm_buf *b, cm_view name, cm_view value)
{
    OK(cm_buf_byte(b, 0));
    OK(cm_buf_byte(b, (uint8_t)name.n));
    OK(cm_buf_append(b, name));
    OK(cm_buf_byte(b, (uint8_t)value.n));
    OK(cm_buf_append(b, value));
}

/* Pairs of name and value, ended by NULL. */
static void headers(struct t *t, unsigned flags, uint32_t id, const char *const *pairs)
{
    cm_buf b = {.max = 1 << 16};

    for (; *pairs; pairs += 2)
        literal(&b, cm_view_str(pairs[0]), cm_view_str(pairs[1]));
    frame(t, HEADERS, flags, id, cm_buf_view(&b));
    cm_buf_free(&b);
}

#define M(method) ":method", method
#define HEAD      ":scheme", "https", ":path", "/p?q", ":authority", "h:1"
#define HDR(t, flags, id, ...) \
    headers(t, (flags) | END_HEADERS, id, (const char *const[]){__VA_ARGS__, NULL})
#define GET(t, id) HDR(t, END_STREAM, id, M("GET"), HEAD)

static void open_conn(struct t *t, enum mode mode)
{
    const cm_http_handler h = {
        .request = request, .cancelled = cancelled, .self = t, .begins = begins, .piece = piece};

    *t = (struct t){.mode = mode};
    t->in.max = t->seen.max = t->sent.max = 1 << 24;
    OK(cm_http_new(&t->c, false, &small, h));
    OK(cm_buf_append(&t->in, CM_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    frame(t, SETTINGS, 0, 0, CM_LIT(""));
}

static void close_conn(struct t *t)
{
    cm_http_free(t->c);
    cm_buf_free(&t->in);
    cm_buf_free(&t->seen);
    cm_buf_free(&t->sent);
}

static void collect(struct t *t)
{
    for (cm_view v; (v = cm_http_pending(t->c)).n;) {
        OK(cm_buf_append(&t->sent, v));
        cm_http_sent(t->c, v.n);
    }
}

static cm_err feed(struct t *t, size_t step)
{
    cm_view v = cm_buf_view(&t->in);
    cm_err e = CM_OKAY;

    for (size_t n; v.n > 0 && cm_ok(e); v = cm_view_sub(v, n, v.n - n)) {
        n = CM_MIN(step, v.n);
        e = cm_http_feed(t->c, cm_view_sub(v, 0, n));
        collect(t);
    }
    t->in.n = 0;
    return e;
}

/* The next frame in *v of what was sent; false at the end. */
struct got {
    unsigned type, flags;
    uint32_t id;
    cm_view payload;
};

static bool next(struct got *g, cm_view *v)
{
    size_t n;

    if (v->n < 9)
        return false;
    n = cm_get_be32(v->p) >> 8;
    *g = (struct got){v->p[3], v->p[4], cm_get_be32(v->p + 5), cm_view_sub(*v, 9, n)};
    *v = cm_view_sub(*v, 9 + n, v->n - 9 - n);
    return true;
}

/* How often a frame of the type was sent for a stream; its last payload. */
static unsigned count(struct t *t, unsigned type, uint32_t id, cm_view *payload)
{
    cm_view v = cm_buf_view(&t->sent);
    unsigned n = 0;
    struct got g;

    while (next(&g, &v))
        if (g.type == type && g.id == id) {
            n++;
            if (payload)
                *payload = g.payload;
        }
    return n;
}

/* The status that stream id was answered with, of the last such head; 0: none. */
static int status(struct t *t, uint32_t id)
{
    nghttp2_hd_inflater *hd;
    cm_view v = cm_buf_view(&t->sent);
    int found = 0;
    struct got g;

    assert_int_equal(nghttp2_hd_inflate_new(&hd), 0);
    while (next(&g, &v)) {
        while (g.type == HEADERS && g.payload.n > 0) {
            nghttp2_nv nv;
            int flags = 0;
            ssize_t n = nghttp2_hd_inflate_hd2(hd, &nv, &flags, g.payload.p, g.payload.n, 1);

            assert_true(n >= 0);
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) && g.id == id && nv.namelen == 7 &&
                memcmp(nv.name, ":status", 7) == 0)
                found = (nv.value[0] - '0') * 100 + (nv.value[1] - '0') * 10 + nv.value[2] - '0';
            g.payload = cm_view_sub(g.payload, (size_t)n, g.payload.n - (size_t)n);
            if (flags & NGHTTP2_HD_INFLATE_FINAL)
                nghttp2_hd_inflate_end_headers(hd);
        }
    }
    nghttp2_hd_inflate_del(hd);
    return found;
}

static void saw(struct t *t, const char *text)
{
    if (!cm_view_eq(cm_buf_view(&t->seen), cm_view_str(text)))
        fail_msg("saw\n%.*s\nnot\n%s", (int)t->seen.n, t->seen.n ? (char *)t->seen.p : "", text);
}

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

/* ---- refused ------------------------------------------------------------------------------ */

static unsigned refusals;

/* The handler hears nothing, and the peer is told: by a status, a reset or goodbye. */
static void refused(struct t *t, const char *what, bool connection)
{
    cm_view v = cm_buf_view(&t->in);
    bool reset, gone;
    int said;

    (void)cm_failed(feed(t, 10000));
    reset = count(t, RST, 1, NULL) > 0;
    gone = count(t, GOAWAY, 0, NULL) > 0;
    said = status(t, 1);
    if (t->requests > 0 || !(gone || (!connection && (reset || said >= 400))))
        fail_msg("%s: %u requests, reset %d, goaway %d, status %d, %zu bytes", what, t->requests,
                 reset, gone, said, v.n);
    if (gone)
        assert_true(cm_http_over(t->c));
    close_conn(t);
    refusals++;
}

static void refused_head(const char *what, const char *const *pairs)
{
    struct t t;

    open_conn(&t, AT_ONCE);
    headers(&t, END_HEADERS | END_STREAM, 1, pairs);
    refused(&t, what, false);
}

#define S ":scheme", "https"
#define P ":path", "/"
#define A ":authority", "h"

static void malformed_heads(void **state)
{
    static const char *const bad[][14] = {
        {S, P, A, NULL},
        {M("GET"), P, A, NULL},
        {M("GET"), S, A, NULL},
        {M("GET"), S, P, NULL},
        {M("GET"), M("GET"), S, P, A, NULL},
        {M("GET"), S, S, P, A, NULL},
        {M("GET"), S, P, P, A, NULL},
        {M("GET"), S, P, A, A, NULL},
        {M(""), S, P, A, NULL},
        {M("G T"), S, P, A, NULL},
        {M("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), S, P, A, NULL},
        {M("CONNECT"), A, NULL},
        {M("CONNECT"), S, P, A, NULL},
        {M("GET"), S, ":path", "", A, NULL},
        {M("GET"), S, ":path", "x", A, NULL},
        {M("GET"), S, ":path", "*", A, NULL},
        {M("GET"), S, ":path", "https://h/", A, NULL},
        {M("GET"), S, ":path", "/#", A, NULL},
        {M("GET"), S, ":path", "/%", A, NULL},
        {M("GET"), S, ":path", "/%zz", A, NULL},
        {M("GET"), S, P, ":authority", "", NULL},
        {M("GET"), S, P, ":authority", "u@h", NULL},
        {M("GET"), S, P, ":authority", "h:x", NULL},
        {M("GET"), S, P, A, "host", "other", NULL},
        {M("GET"), S, P, A, ":other", "x", NULL},
        {M("GET"), S, P, A, ":status", "200", NULL},
        {M("GET"), S, P, A, ":protocol", "websocket", NULL},
        {M("GET"), S, P, "x", "y", A, NULL},
        {M("GET"), S, P, A, "connection", "close", NULL},
        {M("GET"), S, P, A, "keep-alive", "1", NULL},
        {M("GET"), S, P, A, "proxy-connection", "x", NULL},
        {M("GET"), S, P, A, "transfer-encoding", "chunked", NULL},
        {M("GET"), S, P, A, "upgrade", "x", NULL},
        {M("GET"), S, P, A, "te", "gzip", NULL},
        {M("GET"), S, P, A, "content-length", "x", NULL},
        {M("GET"), S, P, A, "content-length", "-1", NULL},
        {M("GET"), S, P, A, "content-length", "1", NULL},
        {M("GET"), S, P, A, "content-length", "0", "content-length", "0", NULL},
        {M("GET"), S, P, A, "content-length", "18446744073709551616", NULL},
        {M("GET"), S, P, A, "", "x", NULL},
        {M("GET"), S, P, A, "x ", "y", NULL},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        refused_head(bad[i][0] ? bad[i][bad[i][4] ? 4 : 0] : "", bad[i]);
}

static void each_byte(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~", target[] = "!$&'()*+,-./:;=?@_~";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char one[] = {'a', (char)c, 'b', 0}, path[] = {'/', (char)c, 0};
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
        bool capital = c >= 'A' && c <= 'Z';
        struct t t;

        for (unsigned where = 0; where < 5; where++) {
            cm_buf b = {.max = 4096};
            cm_view v = cm_view_of(one, 3), p = cm_view_of(path, 2);
            bool fine = (where == 0 && (letter || (c && strchr(token, (int)c)))) ||
                        (where == 1 && (c == '\t' || (c >= ' ' && c != 0x7f))) ||
                        (where == 2 && (letter || capital || (c && strchr(target, (int)c)))) ||
                        (where == 3 && (letter || capital || (c && strchr(token, (int)c)))) ||
                        (where == 4 && (letter || capital || (c && strchr("!$&'*+-._~", (int)c))));

            if (fine)
                continue;
            open_conn(&t, AT_ONCE);
            literal(&b, CM_LIT(":method"), where == 3 ? v : CM_LIT("GET"));
            literal(&b, CM_LIT(":scheme"), CM_LIT("https"));
            literal(&b, CM_LIT(":path"), where == 2 ? p : CM_LIT("/"));
            literal(&b, CM_LIT(":authority"), where == 4 ? v : CM_LIT("h"));
            if (where < 2)
                literal(&b, where == 0 ? v : CM_LIT("x"), where == 1 ? v : CM_LIT("y"));
            frame(&t, HEADERS, END_HEADERS | END_STREAM, 1, cm_buf_view(&b));
            refused(&t, "a byte", false);
            cm_buf_free(&b);
        }
    }
}

static const struct {
    unsigned type, flags;
    uint32_t id;
    const char *payload;
    size_t n;
} bad_frames[] = {
    {DATA, 0, 0, "x", 1}, /* on the connection */
    {DATA, 0, 1, "x", 1}, /* on an idle stream */
    {HEADERS, 4, 0, "", 0},
    {HEADERS, 4, 2, "\x82\x84\x87", 3}, /* an even stream */
    {HEADERS, 12, 1, "\x09\x82", 2},    /* padding past the end */
    {HEADERS, 12, 1, "", 0},
    {HEADERS, 36, 1, "\0\0\0\0", 4}, /* priority cut off */
    {HEADERS, 4, 1, "\x80", 1},      /* index 0 */
    {HEADERS, 4, 1, "\xff\xff\xff\xff\xff\xff", 6},
    {HEADERS, 4, 1, "\xc0", 1},             /* past the tables */
    {HEADERS, 4, 1, "\x3f\xff\xff\x7f", 4}, /* a table larger than agreed */
    {HEADERS, 4, 1, "\x00\x83\xff\xff\xff\x00", 6},
    {HEADERS, 4, 1, "\x00\x05xx", 4}, /* ends in a name */
    {PRIORITY, 0, 1, "\0\0\0\0", 4},
    {RST, 0, 0, "\0\0\0\0", 4},
    {RST, 0, 1, "\0\0\0\0", 4}, /* idle */
    {RST, 0, 1, "\0\0\0", 3},
    {SETTINGS, 0, 1, "", 0},
    {SETTINGS, 0, 0, "\0\0\0\0\0", 5},
    {SETTINGS, ACK, 0, "\0\0\0\0\0\0", 6},
    {SETTINGS, 0, 0, "\0\2\0\0\0\2", 6},   /* push neither on nor off */
    {SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6}, /* a window over 2^31 - 1 */
    {SETTINGS, 0, 0, "\0\5\0\0\0\1", 6},   /* frames below 16384 */
    {SETTINGS, 0, 0, "\0\5\1\0\0\0", 6},   /* and above 2^24 - 1 */
    {PUSH, 4, 1, "\0\0\0\2\x82", 5},
    {PING, 0, 0, "1234567", 7},
    {PING, 0, 0, "123456789", 9},
    {PING, 0, 1, "12345678", 8},
    {GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8},
    {GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 7},
    {WINDOW, 0, 0, "\0\0\0\0", 4},         /* by nothing */
    {WINDOW, 0, 0, "\x7f\xff\xff\xff", 4}, /* over 2^31 - 1 */
    {WINDOW, 0, 0, "\0\0\1", 3},
    {WINDOW, 0, 1, "\0\0\0\1", 4},   /* idle */
    {CONTINUATION, 4, 1, "\x82", 1}, /* of nothing */
    {CONTINUATION, 4, 0, "\x82", 1},
};

static void malformed_frames(void **state)
{
    struct t t;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad_frames); i++) {
        open_conn(&t, AT_ONCE);
        frame(&t, bad_frames[i].type, bad_frames[i].flags, bad_frames[i].id,
              cm_view_of(bad_frames[i].payload, bad_frames[i].n));
        refused(&t, "a frame", true);
    }
    /* A header block that something interrupts. */
    for (unsigned type = 0; type <= WINDOW; type++) {
        open_conn(&t, AT_ONCE);
        headers(&t, 0, 1, (const char *const[]){M("GET"), HEAD, NULL});
        frame(&t, type, type == HEADERS ? END_HEADERS : 0, type == PING || type == SETTINGS ? 0 : 1,
              CM_LIT(""));
        refused(&t, "an interrupted block", true);
    }
    /* A frame longer than agreed. */
    open_conn(&t, AT_ONCE);
    {
        static const uint8_t zeros[16385];

        HDR(&t, 0, 1, M("POST"), HEAD);
        frame(&t, DATA, 0, 1, CM_VIEW(zeros));
    }
    refused(&t, "a long frame", true);
    /* The preface, and settings first. */
    open_conn(&t, AT_ONCE);
    t.in.n = 24;
    frame(&t, PING, 0, 0, CM_LIT("12345678"));
    refused(&t, "no settings", true);
    /* After its end a stream takes nothing. */
    open_conn(&t, LATER);
    HDR(&t, 0, 1, M("POST"), HEAD, "content-length", "3");
    frame(&t, DATA, END_STREAM, 1, CM_LIT("xy"));
    refused(&t, "less than announced", false);
    open_conn(&t, LATER);
    HDR(&t, 0, 1, M("POST"), HEAD, "content-length", "1");
    frame(&t, DATA, 0, 1, CM_LIT("xy"));
    refused(&t, "more than announced", false);
    open_conn(&t, LATER);
    HDR(&t, 0, 1, M("POST"), HEAD);
    HDR(&t, 0, 1, "x-trailer", "without the end");
    refused(&t, "trailers that don't end it", false);
    open_conn(&t, LATER);
    HDR(&t, 0, 1, M("POST"), HEAD);
    HDR(&t, END_STREAM, 1, ":path", "/");
    refused(&t, "a pseudo-field in trailers", false);
    /* Types of settings with each of many wrong lengths, and so on. */
    for (unsigned type = PRIORITY; type <= WINDOW; type++)
        for (size_t n = 0; n < 40; n++) {
            static const size_t good[] = {0, 0, 5, 4, 6, 0, 8, 0, 4};
            static const uint8_t ones[40] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

            if (type == PUSH || type == GOAWAY || n == good[type] ||
                (type == SETTINGS && n % 6 == 0))
                continue;
            open_conn(&t, AT_ONCE);
            HDR(&t, 0, 1, M("POST"), HEAD);
            frame(&t, type, 0, type == PRIORITY || type == RST ? 1 : 0, cm_view_of(ones, n));
            refused(&t, "a length", true);
        }
    print_message("HTTP/2: %u malformed requests and frames refused\n", refusals);
    assert_true(refusals > 1000);
}

/* ---- limits ------------------------------------------------------------------------------- */

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
        cm_view last;
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
    cm_view code;
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
    cm_view last;
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
        cmocka_unit_test(malformed_heads),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(malformed_frames),
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
