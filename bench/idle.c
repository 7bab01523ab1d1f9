/* idle HOST PORT COUNT [TARGET TOKEN BODY]: opens connections as HTTP/2 clients do (TLS 1.3,
 * X25519MLKEM768), asks once over each, prints one JSON line, and holds them until its input ends.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/os.h"

enum { COUNT_MAX = 100000, FRAME_HEAD = 9, DATA = 0, HEADERS = 1, SETTINGS = 4, END = 5 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void put(cm_buf *b, const void *p, size_t n)
{
    must(cm_ok(cm_buf_append(b, cm_view_of(p, n))), "memory");
}

static void put_frame(cm_buf *b, uint8_t type, uint8_t flags, uint8_t stream, cm_view payload)
{
    const uint8_t head[FRAME_HEAD] = {(uint8_t)(payload.n >> 16),
                                      (uint8_t)(payload.n >> 8),
                                      (uint8_t)payload.n,
                                      type,
                                      flags,
                                      [8] = stream};

    put(b, head, sizeof head);
    if (payload.n)
        put(b, payload.p, payload.n);
}

/* A string of HPACK's, as it is; index: of its name in the static table. */
static void put_field(cm_buf *b, uint8_t index, const char *value)
{
    size_t n = strlen(value);
    uint8_t octets[3] = {(uint8_t)CM_MIN(n, (size_t)127), (uint8_t)((n - 127) & 0x7f),
                         (uint8_t)((n - 127) >> 7)};

    if (index < 15) {
        put(b, &index, 1);
    } else {
        const uint8_t two[2] = {0x0f, (uint8_t)(index - 15)};

        put(b, two, 2);
    }
    if (n >= 127 && octets[2])
        octets[1] |= 0x80;
    put(b, octets, n < 127 ? 1 : octets[2] ? 3 : 2);
    put(b, value, n);
}

/* :method is 2 (POST by its index 3), :path 4, :authority 1, :scheme https 7, authorization 23. */
static void put_request(cm_buf *b, char **argv)
{
    CM_AUTO(cm_buf_free) cm_buf fields = {.max = 8192};
    const uint8_t fixed[2] = {0x83, 0x87};
    char bearer[1024];

    put(&fields, fixed, 2);
    put_field(&fields, 1, "localhost");
    put_field(&fields, 4, argv[0]);
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", argv[1]);
    put_field(&fields, 23, bearer);
    put_field(&fields, 31, "application/json");
    put_frame(b, HEADERS, 4, 1, cm_buf_view(&fields));
    put_frame(b, DATA, 1, 1, cm_view_str(argv[2]));
}

static int dial(const char *host, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 && inet_pton(AF_INET, host, &to.sin_addr) == 1, "socket");
    must(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0, "connect");
    return fd;
}

static bool read_all(SSL *s, uint8_t *p, size_t n)
{
    for (size_t got; n; p += got, n -= got)
        if (SSL_read_ex(s, p, n, &got) != 1)
            return false;
    return true;
}

/* Until stream 1 has ended, or, without a request, until the peer's settings have come; the status
 * by its index in the static table (8: 200), or 0. */
static unsigned read_answer(SSL *s, bool asked)
{
    static uint8_t payload[1 << 14];
    uint8_t head[FRAME_HEAD];
    unsigned status = 0;

    for (;;) {
        size_t n;

        if (!read_all(s, head, sizeof head))
            return 0;
        n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (n > sizeof payload || !read_all(s, payload, n))
            return 0;
        if (head[3] == HEADERS && n)
            status = payload[0] & 0x7f;
        if (asked ? head[8] == 1 && head[3] <= HEADERS && (head[4] & 1) : head[3] == SETTINGS)
            return asked ? status : 8;
    }
}

static SSL *join(SSL_CTX *ctx, const char *host, const char *port, cm_view first)
{
    SSL *s = SSL_new(ctx);
    size_t n;

    must(s && SSL_set_fd(s, dial(host, port)) == 1, "TLS");
    must(SSL_connect(s) == 1, "handshake");
    must(SSL_write_ex(s, first.p, first.n, &n) == 1 && n == first.n, "write");
    return s;
}

static void prepare(cm_buf *first, int argc, char **argv)
{
    const cm_view preface = CM_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    put(first, preface.p, preface.n);
    put_frame(first, SETTINGS, 0, 0, cm_view_of(NULL, 0));
    put_frame(first, SETTINGS, 1, 0, cm_view_of(NULL, 0));
    if (argc > END)
        put_request(first, argv + 4);
}

static SSL_CTX *context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    static const unsigned char alpn[] = "\x02h2";
    char groups[] = "X25519MLKEM768"; /* the macro takes const away */

    must(ctx && SSL_CTX_set1_groups_list(ctx, groups) == 1, "groups");
    must(SSL_CTX_set_alpn_protos(ctx, alpn, 3) == 0, "alpn");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

int main(int argc, char **argv)
{
    size_t count = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 0, good = 0;
    const struct rlimit files = {COUNT_MAX, COUNT_MAX};
    cm_buf first = {.max = 16384};
    uint64_t start;
    SSL_CTX *ctx;
    char byte;

    if (count == 0 || count > COUNT_MAX || (argc != 4 && argc != 7)) {
        (void)fputs("usage: idle HOST PORT COUNT [TARGET TOKEN BODY]\n", stderr);
        return 2;
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    prepare(&first, argc, argv);
    ctx = context();
    start = cm_os_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        SSL *s = join(ctx, argv[1], argv[2], cm_buf_view(&first));

        good += read_answer(s, argc > 4) == 8;
    }
    (void)printf("{\"connections\":%zu,\"answered\":%zu,\"seconds\":%.1f}\n", count, good,
                 1e-9 * (double)(cm_os_monotonic_ns() - start));
    (void)fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
    _exit(0); /* connections go with the process */
}
