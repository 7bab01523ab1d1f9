/* load HOST PORT CAFILE PATH TYPE TOKEN BODY-FILE CONNECTIONS STREAMS LEAST: asks a key server over
 * HTTP/2 (TLS 1.3, X25519MLKEM768), in slices (slice.h; its job is load): each connection has so
 * many requests in flight. An answer is 200 of at least so many bytes, over gRPC with status 0, or
 * it is the end. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

#include "slice.h"

enum { CONNECTIONS = 64, STREAMS = 64, BODY_MAX = 1 << 20, FIELDS = 7, CHUNK = 16384, WINDOW = 24 };

enum { OK_STATUS = 1, OK_GRPC = 2 };

struct load;

struct request {
    const struct load *l;
    size_t sent, got;
    unsigned ok;
    bool busy;
};

struct conn {
    struct load *l;
    SSL *s;
    nghttp2_session *h2;
    struct request request[STREAMS];
    size_t busy;
    cm_buf out;
    size_t given; /* of out */
};

struct load {
    cm_buf body;
    nghttp2_nv field[FIELDS];
    size_t fields, n, streams, least, done, busy;
    unsigned want;
    struct conn conn[CONNECTIONS];
};

/* ---- HTTP/2 -------------------------------------------------------------------------------- */

static ssize_t give_body(nghttp2_session *h2, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct request *q = (struct request *)source->ptr;

    (void)h2, (void)id, (void)arg;
    n = CM_MIN(n, q->l->body.n - q->sent);
    memcpy(p, q->l->body.p + q->sent, n);
    q->sent += n;
    if (q->sent == q->l->body.n)
        *flags = NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct request *q = (struct request *)nghttp2_session_get_stream_user_data(h2, f->hd.stream_id);
    cm_view v = cm_view_of(value, value_n);

    (void)flags, (void)arg;
    if (cm_view_eq(cm_view_of(name, n), CM_LIT(":status")) && cm_view_eq(v, CM_LIT("200")))
        q->ok |= OK_STATUS;
    if (cm_view_eq(cm_view_of(name, n), CM_LIT("grpc-status")) && cm_view_eq(v, CM_LIT("0")))
        q->ok |= OK_GRPC;
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    struct request *q = (struct request *)nghttp2_session_get_stream_user_data(h2, id);

    (void)flags, (void)p, (void)arg;
    q->got += n;
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
    struct conn *c = (struct conn *)arg;
    struct request *q = (struct request *)nghttp2_session_get_stream_user_data(h2, id);

    must(code == NGHTTP2_NO_ERROR && q->ok == c->l->want && q->got >= c->l->least, "bad answer");
    q->busy = false;
    c->busy--;
    c->l->busy--;
    c->l->done++;
    return 0;
}

static void start_session(struct conn *c)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << WINDOW}};
    nghttp2_session_callbacks *cb = NULL;

    must(nghttp2_session_callbacks_new(&cb) == 0, "memory");
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    must(nghttp2_session_client_new(&c->h2, cb, c) == 0 &&
             nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, CM_COUNT(settings)) == 0 &&
             nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, 1 << WINDOW) == 0,
         "HTTP/2");
    nghttp2_session_callbacks_del(cb);
}

static void ask(struct conn *c)
{
    for (size_t i = 0; c->busy < c->l->streams; i++) {
        struct request *q = &c->request[i];
        nghttp2_data_provider body = {.source = {.ptr = q}, .read_callback = give_body};

        if (q->busy)
            continue;
        *q = (struct request){.l = c->l, .busy = true};
        must(nghttp2_submit_request(c->h2, NULL, c->l->field, c->l->fields, &body, q) > 0,
             "request");
        c->busy++;
        c->l->busy++;
    }
}

/* ---- TLS ----------------------------------------------------------------------------------- */

/* Frames together in few records. */
static bool gather(struct conn *c)
{
    const uint8_t *p;
    ssize_t n = 1;

    c->out.n = c->given = 0;
    while (n > 0 && c->out.n < CHUNK) {
        n = nghttp2_session_mem_send(c->h2, &p);
        must(n >= 0 && cm_ok(cm_buf_append(&c->out, cm_view_of(p, (size_t)n))), "HTTP/2");
    }
    return c->out.n > 0;
}

static void give(struct conn *c)
{
    while (c->given < c->out.n || gather(c)) {
        size_t n;

        if (SSL_write_ex(c->s, c->out.p + c->given, c->out.n - c->given, &n) != 1) {
            must(SSL_get_error(c->s, 0) == SSL_ERROR_WANT_WRITE, "connection lost");
            return;
        }
        c->given += n;
    }
}

static void take(struct conn *c)
{
    uint8_t p[CHUNK];
    size_t n;

    while (SSL_read_ex(c->s, p, sizeof p, &n) == 1)
        must(nghttp2_session_mem_recv(c->h2, p, n) == (ssize_t)n, "HTTP/2");
    must(SSL_get_error(c->s, 0) == SSL_ERROR_WANT_READ, "connection lost");
}

static int dial(char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    must(fd >= 0 && inet_pton(AF_INET, argv[1], &to.sin_addr) == 1, "socket");
    must(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0, "connect");
    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "option");
    return fd;
}

static SSL_CTX *context(const char *ca)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char groups[] = "X25519MLKEM768"; /* the macro takes const away */

    must(ctx && SSL_CTX_set1_groups_list(ctx, groups) == 1, "groups");
    must(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1, "version");
    must(SSL_CTX_load_verify_file(ctx, ca) == 1, ca);
    must(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3) == 0, "ALPN");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static void join(struct load *l, SSL_CTX *ctx, char **argv)
{
    struct conn *c = &l->conn[l->n++];
    int fd = dial(argv);

    c->l = l;
    c->out.max = BODY_MAX;
    c->s = SSL_new(ctx);
    must(c->s && SSL_set_fd(c->s, fd) == 1 && SSL_connect(c->s) == 1, "handshake");
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "option");
    start_session(c);
}

/* ---- slices -------------------------------------------------------------------------------- */

static void turn(struct load *l, bool more)
{
    struct pollfd p[CONNECTIONS];

    for (size_t i = 0; i < l->n; i++) {
        struct conn *c = &l->conn[i];

        if (more)
            ask(c);
        give(c);
        p[i] = (struct pollfd){.fd = SSL_get_fd(c->s),
                               .events = c->given < c->out.n ? POLLIN | POLLOUT : POLLIN};
    }
    must(poll(p, l->n, 60000) > 0, "no answer");
    for (size_t i = 0; i < l->n; i++)
        if (p[i].revents)
            take(&l->conn[i]);
}

static void slice(struct load *l, double seconds)
{
    double start = slice_now();

    l->done = 0;
    do
        turn(l, slice_now() - start < seconds);
    while (l->busy);
    slice_done(l->done, slice_now() - start);
}

static void field(struct load *l, const char *name, const char *value)
{
    l->field[l->fields++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                                         .value = (uint8_t *)(uintptr_t)value,
                                         .namelen = strlen(name),
                                         .valuelen = strlen(value)};
}

static void prepare(struct load *l, char **argv)
{
    static char bearer[1024];
    bool grpc = strcmp(argv[5], "application/grpc") == 0;

    (void)snprintf(bearer, sizeof bearer, "Bearer %s", argv[6]);
    field(l, ":method", "POST");
    field(l, ":scheme", "https");
    field(l, ":authority", "localhost");
    field(l, ":path", argv[4]);
    field(l, "content-type", argv[5]);
    field(l, "authorization", bearer);
    if (grpc)
        field(l, "te", "trailers");
    l->want = OK_STATUS | (grpc ? OK_GRPC : 0);
    l->body.max = BODY_MAX;
    fine(cm_os_slurp(&l->body, argv[7], BODY_MAX), argv[7]);
    l->streams = CM_MIN((size_t)strtoul(argv[9], NULL, 10), (size_t)STREAMS);
    l->least = strtoul(argv[10], NULL, 10);
}

int main(int argc, char **argv)
{
    static struct load l;
    char job[SLICE_JOB];
    double seconds;
    SSL_CTX *ctx;
    size_t n;

    if (argc != 11) {
        (void)fputs("usage: load HOST PORT CAFILE PATH TYPE TOKEN BODY-FILE CONNECTIONS STREAMS "
                    "LEAST\n",
                    stderr);
        return 2;
    }
    prepare(&l, argv);
    ctx = context(argv[3]);
    n = CM_MIN((size_t)strtoul(argv[8], NULL, 10), (size_t)CONNECTIONS);
    while (l.n < n)
        join(&l, ctx, argv);
    slice_ready();
    while (slice_next(job, &seconds))
        slice(&l, seconds);
    _exit(0); /* connections go with the process */
}
