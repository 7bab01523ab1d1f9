/* shake HOST PORT SECONDS CAFILE full|resumed: TLS 1.3 handshakes with X25519MLKEM768, one after
 * the other; each waits for the server's session ticket, so that all of its work is in, and with
 * resumed uses it next. Prints one JSON line. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/os.h"

struct client {
    SSL_CTX *ctx;
    SSL_SESSION *ticket;
    struct sockaddr_in to;
    bool resume;
    size_t done, resumed;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static int on_ticket(SSL *s, SSL_SESSION *ticket)
{
    struct client *c = (struct client *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(s));

    SSL_SESSION_free(c->ticket);
    c->ticket = ticket;
    return 1;
}

static void prepare(struct client *c, char **argv)
{
    char groups[] = "X25519MLKEM768"; /* the macro takes const away */

    c->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    c->resume = strcmp(argv[5], "resumed") == 0;
    c->ctx = SSL_CTX_new(TLS_client_method());
    must(inet_pton(AF_INET, argv[1], &c->to.sin_addr) == 1, "address");
    must(c->ctx && SSL_CTX_set1_groups_list(c->ctx, groups) == 1, "groups");
    must(SSL_CTX_set_min_proto_version(c->ctx, TLS1_3_VERSION) == 1, "version");
    must(SSL_CTX_load_verify_file(c->ctx, argv[4]) == 1, "CA file");
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_app_data(c->ctx, c);
    SSL_CTX_set_session_cache_mode(c->ctx,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(c->ctx, on_ticket);
}

static void wait_for_ticket(struct client *c, SSL *s)
{
    char byte;

    /* Without SSL_MODE_AUTO_RETRY a read comes back after a message that is no data. */
    SSL_clear_mode(s, SSL_MODE_AUTO_RETRY);
    while (!c->ticket)
        must(SSL_read(s, &byte, 1) <= 0 && SSL_get_error(s, -1) == SSL_ERROR_WANT_READ, "ticket");
}

static void once(struct client *c)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    SSL *s = SSL_new(c->ctx);

    must(fd >= 0 && connect(fd, (const struct sockaddr *)&c->to, sizeof c->to) == 0, "connect");
    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "option");
    must(s && SSL_set_fd(s, fd) == 1, "TLS");
    if (c->resume && c->ticket)
        must(SSL_set_session(s, c->ticket) == 1, "session");
    SSL_SESSION_free(c->ticket);
    c->ticket = NULL;
    must(SSL_connect(s) == 1, "handshake");
    wait_for_ticket(c, s);
    c->done++;
    c->resumed += SSL_session_reused(s) == 1;
    (void)SSL_shutdown(s);
    SSL_free(s);
    must(close(fd) == 0, "close");
}

int main(int argc, char **argv)
{
    struct client c = {.ctx = NULL};
    uint64_t start, most;
    double seconds;

    if (argc != 6) {
        (void)fputs("usage: shake HOST PORT SECONDS CAFILE full|resumed\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    prepare(&c, argv);
    once(&c);
    c.done = c.resumed = 0;
    most = (uint64_t)(1e9 * strtod(argv[3], NULL));
    start = cm_os_monotonic_ns();
    while (cm_os_monotonic_ns() - start < most)
        once(&c);
    seconds = 1e-9 * (double)(cm_os_monotonic_ns() - start);
    (void)printf("{\"handshakes\":%zu,\"resumed\":%zu,\"seconds\":%.3f,\"per_second\":%.1f}\n",
                 c.done, c.resumed, seconds, (double)c.done / seconds);
    SSL_SESSION_free(c.ticket);
    SSL_CTX_free(c.ctx);
    return 0;
}
