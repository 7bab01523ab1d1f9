/*
 * A server in cleartext for clients not written here: curl, h2load, gRPC. It prints its port and
 * runs until its standard input ends. One thread and poll(): the real one is in run/.
 *
 *   GET /hello         a line
 *   POST /echo         the body back
 *   GET /stream?n=N    N bytes in pieces, as fast as they are taken
 *   GET /head          method, target and fields of the request
 *   GET /drain         says goodbye to this connection
 *
 * gRPC, casemate.test.v1.Probe: Say gives its message back, Count that many of them, Fail fails,
 * Health sets what the health service says. With an argument it prints the .proto instead.
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
#include "wire/grpc.h"
#include "wire_sample.h"

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
static cm_grpc_std *std_services;

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
    if (cm_grpc_std_cancelled(std_services, r))
        return;
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

/* ---- gRPC --------------------------------------------------------------------------------- */

static const cm_grpc_method methods[] = {
    {.service = "Probe", .method = "Say", .request = &sample, .answer = &sample},
    {.service = "Probe",
     .method = "Count",
     .request = &sample_inner,
     .answer = &sample_inner,
     .streaming = true,
     .doc = "As many messages as asked for."},
    {.service = "Probe", .method = "Fail", .request = &sample},
    {.service = "Probe", .method = "Health", .request = &sample},
};
static const cm_grpc_table table = {"casemate/test/v1/probe.proto", "casemate.test.v1", methods,
                                    CM_COUNT(methods)};

static void say(cm_http_request *r, const cm_msg *m)
{
    const cm_http_header h = {CM_LIT("x-probe"), CM_LIT("yes")};
    cm_buf b = {.max = 1 << 20};

    must(cm_msg_to_proto(&b, m));
    must(cm_grpc_answer(r, cm_buf_view(&b), &h, 1));
    cm_buf_free(&b);
}

static void count_up(cm_http_request *r, uint64_t n)
{
    must(cm_grpc_begin(r, NULL, 0));
    for (uint64_t i = 0; i < n; i++) {
        uint8_t message[] = {0x08, (uint8_t)(i & 0x7f)};

        must(cm_grpc_send(r, CM_VIEW(message)));
    }
    must(cm_grpc_end(r, CM_OKAY, NULL));
}

static void call(cm_http_request *r, const cm_grpc_method *m, const cm_msg *in)
{
    if (strcmp(m->method, "Say") == 0) {
        say(r, in);
    } else if (strcmp(m->method, "Count") == 0) {
        count_up(r, cm_msg_number(in, I_ID, 0));
    } else if (strcmp(m->method, "Fail") == 0) {
        must(cm_grpc_fail(r, CM_FAIL(NO_PERMISSION), "100 % \xc3\xa4\n", NULL, 0));
    } else {
        cm_grpc_std_serving(std_services, cm_msg_number(in, S_ON, 0), NULL, NULL);
        must(cm_grpc_answer(r, CM_LIT(""), NULL, 0));
    }
}

static void grpc(cm_http_request *r)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    const cm_grpc_method *m = cm_grpc_find(&table, r->path);
    cm_msg_fault fault;
    cm_view message;
    cm_msg *in;
    cm_err e = m ? cm_grpc_unary(&message, r, 1 << 20) : CM_FAIL(GRPC_METHOD);
    uint64_t ms;
    bool given;

    must(cm_arena_new(&a, 1 << 22));
    if (cm_ok(e))
        e = cm_grpc_timeout(r, &ms, &given);
    if (cm_ok(e))
        e = cm_msg_from_proto(&in, a, m->request, message, &fault);
    if (cm_failed(e))
        must(cm_grpc_fail(r, e, NULL, NULL, 0));
    else
        call(r, m, in);
}

static bool begins(void *self, cm_http_request *r)
{
    (void)self;
    return cm_grpc_std_begins(std_services, r);
}

static void piece(void *self, cm_http_request *r, cm_view v, bool last)
{
    (void)self;
    cm_grpc_std_piece(std_services, r, v, last);
}

static int print_proto(void)
{
    cm_buf b = {.max = 1 << 20};

    must(cm_grpc_describe_proto(&b, &table));
    fwrite(b.p, 1, b.n, stdout);
    cm_buf_free(&b);
    return 0;
}

static void request(void *self, cm_http_request *r)
{
    (void)self;
    if (r->grpc) {
        grpc(r);
    } else if (cm_view_eq(r->path, CM_LIT("/hello"))) {
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
    must(cm_http_new(
        &conns[i].http, false, NULL,
        (cm_http_handler){
            .request = request, .cancelled = cancelled, .begins = begins, .piece = piece}));
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

static void serve_all(void)
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
            exit(1);
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
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return print_proto();
    must(cm_grpc_std_new(&std_services, &table));
    cm_grpc_std_serving(std_services, true, NULL, NULL);
    serve_all();
    cm_grpc_std_free(std_services);
    return 0;
}
