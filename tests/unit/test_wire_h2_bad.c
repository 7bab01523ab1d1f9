/* HTTP/2: what is refused. */
#include "wire_h2_kit.h"

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

/* In a field's name and value, a path, a method, an authority. */
static bool is_fine(unsigned where, unsigned c)
{
    static const char *const others[] = {"!#$%&'*+-.^_`|~", NULL, "!$&'()*+,-./:;=?@_~",
                                         "!#$%&'*+-.^_`|~", "!$&'*+-._~"};

    if (where == 1)
        return c == '\t' || (c >= ' ' && c != 0x7f);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
        return true;
    if (c >= 'A' && c <= 'Z')
        return where != 0;
    return c && strchr(others[where], (int)c);
}

static void each_byte(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char one[] = {'a', (char)c, 'b', 0}, path[] = {'/', (char)c, 0};
        struct t t;

        for (unsigned where = 0; where < 5; where++) {
            cm_buf b = {.max = 4096};
            cm_view v = cm_view_of(one, 3), p = cm_view_of(path, 2);
            if (is_fine(where, c))
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_heads),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(malformed_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
