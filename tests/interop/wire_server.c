/*
 * A server in cleartext for clients not written here: curl, h2load, gRPC. It prints its port and
 * runs until its standard input ends. One thread and poll(): the real one is in run/.
 *
 *   GET /hello         a line
 *   POST /echo         the body back
 *   GET /stream?n=N    N bytes in pieces, as fast as they are taken
 *   GET /head          method, target and fields of the request
 *   GET /drain         says goodbye to this connection
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "codec/text.h"
#include "wire/http.h"

enum { CONNS = 256, STREAMS = 64, PIECE = 16384, BACKLOG = 65536 };

struct stream {
    cm_http_request *r;
    uint64_t left;
};

static struct {
    int fd;
    cm_http_conn *http;
} conns[CONNS];
static struct stream streams[STREAMS];

static void must(cm_err e)
{
    if (cm_failed(e)) {
        fprintf(stderr, "wire_server: %s\n", cm_err_name(e));
        exit(1);
    }
}

static void answer(cm_http_request *r, int status, cm_view body)
{
    static const cm_http_header plain = {
        .name = {(const uint8_t *)"content-type", 12},
        .value = {(const uint8_t *)"text/plain", 10},
    };

    must(cm_http_respond(r, &(cm_http_response){status, &plain, 1, body}));
}

/* ---- streaming ---------------------------------------------------------------------------- */

static void pump(struct stream *s)
{
    static const uint8_t piece[PIECE];

    while (s->r && cm_http_backlog(s->r) < BACKLOG) {
        cm_http_request *r = s->r;
        size_t n = (size_t)CM_MIN(s->left, (uint64_t)PIECE);

        if (n > 0) {
            must(cm_http_write(r, cm_view_of(piece, n)));
            s->left -= n;
            continue;
        }
        s->r = NULL;
        must(cm_http_finish(r, NULL, 0));
    }
}

static void begin_stream(cm_http_request *r)
{
    struct stream *s = streams;
    uint64_t n;

    while (s < streams + STREAMS && s->r)
        s++;
    if (s == streams + STREAMS || r->query.n < 3 ||
        cm_failed(cm_dec_u64(&n, cm_view_sub(r->query, 2, r->query.n - 2)))) {
        answer(r, 400, CM_LIT("what?\n"));
        return;
    }
    must(cm_http_start(r, &(cm_http_response){.status = 200}));
    *s = (struct stream){r, n};
    pump(s);
}

static void cancelled(void *self, cm_http_request *r)
{
    (void)self;
    for (struct stream *s = streams; s < streams + STREAMS; s++)
        if (s->r == r)
            s->r = NULL;
}

/* ---- requests ----------------------------------------------------------------------------- */

static void put(cm_buf *b, cm_view v, const char *after)
{
    must(cm_buf_append(b, v));
    must(cm_buf_append(b, cm_view_str(after)));
}

static void show_head(cm_http_request *r)
{
    cm_buf b = {.max = 1 << 20};

    put(&b, r->method, " ");
    put(&b, r->authority, " ");
    put(&b, r->path, " ");
    put(&b, r->query, "\n");
    for (size_t i = 0; i < r->headers_n; i++) {
        put(&b, r->headers[i].name, ": ");
        put(&b, r->headers[i].value, "\n");
    }
    answer(r, 200, cm_buf_view(&b));
    cm_buf_free(&b);
}

static void request(void *self, cm_http_request *r)
{
    (void)self;
    if (cm_view_eq(r->path, CM_LIT("/hello"))) {
        answer(r, 200, CM_LIT("hello\n"));
    } else if (cm_view_eq(r->path, CM_LIT("/echo"))) {
        answer(r, 200, r->body);
    } else if (cm_view_eq(r->path, CM_LIT("/stream"))) {
        begin_stream(r);
    } else if (cm_view_eq(r->path, CM_LIT("/head"))) {
        show_head(r);
    } else if (cm_view_eq(r->path, CM_LIT("/drain"))) {
        cm_http_drain(r->conn);
        answer(r, 200, CM_LIT("bye\n"));
    } else {
        answer(r, 404, CM_LIT("nothing here\n"));
    }
}

/* ---- connections -------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void drop(int i)
{
    cm_http_free(conns[i].http);
    close(conns[i].fd);
    conns[i].http = NULL;
    conns[i].fd = -1;
}

static void open_conn(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), i = 0;

    if (fd < 0)
        return;
    while (i < CONNS && conns[i].http)
        i++;
    if (i == CONNS) {
        close(fd);
        return;
    }
    conns[i].fd = fd;
    must(cm_http_new(&conns[i].http, false, NULL,
                     (cm_http_handler){.request = request, .cancelled = cancelled}));
}

/* False when the peer has gone. */
static bool flush(int i)
{
    for (;;) {
        cm_view v = cm_http_pending(conns[i].http);
        ssize_t n = v.n ? send(conns[i].fd, v.p, v.n, MSG_NOSIGNAL) : 0;

        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return true;
        cm_http_sent(conns[i].http, (size_t)n);
        for (struct stream *s = streams; s < streams + STREAMS; s++)
            if (s->r && s->r->conn == conns[i].http)
                pump(s);
    }
}

static void serve(int i, short events)
{
    uint8_t buf[65536];
    ssize_t n = 0;

    cm_http_clock(conns[i].http, now_ms());
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        n = recv(conns[i].fd, buf, sizeof buf, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            drop(i);
            return;
        }
        if (n > 0)
            (void)!cm_failed(cm_http_feed(conns[i].http, cm_view_of(buf, (size_t)n)));
    }
    if (!flush(i) || cm_http_over(conns[i].http))
        drop(i);
}

static int listen_somewhere(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        exit(1);
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    struct pollfd p[CONNS + 2];
    int which[CONNS + 2], listener = listen_somewhere();

    for (;;) {
        nfds_t n = 2;

        p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        p[1] = (struct pollfd){.fd = 0, .events = POLLIN};
        for (int i = 0; i < CONNS; i++) {
            short out;

            if (!conns[i].http)
                continue;
            out = cm_http_pending(conns[i].http).n ? POLLOUT : 0;
            which[n] = i;
            p[n++] = (struct pollfd){
                .fd = conns[i].fd,
                .events = (short)(out | (cm_http_wants(conns[i].http) ? POLLIN : 0))};
        }
        if (poll(p, n, -1) < 0)
            return 1;
        if (p[1].revents)
            break;
        for (nfds_t k = 2; k < n; k++)
            if (p[k].revents)
                serve(which[k], p[k].revents);
        if (p[0].revents)
            open_conn(listener);
    }
    for (int i = 0; i < CONNS; i++)
        if (conns[i].http)
            drop(i);
    close(listener);
    return 0;
}
