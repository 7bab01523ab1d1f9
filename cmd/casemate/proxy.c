/* casemate proxy: a post-quantum connection for clients that have none. */
#include "proxy.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/server.h"

enum { GRACE_MS = 10000, MAX_CONNECTIONS = 10000, ADDRESS = 128 };

static void free_all(cm_proxy *p)
{
    cm_proxy_end_all(p);
    if (p->accepting)
        cm_loop_remove(p->loop, &p->listener);
    if (p->listener.fd >= 0)
        close(p->listener.fd);
    if (p->addresses)
        freeaddrinfo(p->addresses);
    for (int i = 0; i < CM_PROXY_ALPNS; i++)
        cm_tls_free(p->tls[i]);
    cm_loop_free(p->loop);
}

/* ---- accepting ---- */

static void on_connection(cm_loop_io *io, uint32_t events)
{
    cm_proxy *p = (cm_proxy *)(void *)((char *)io - offsetof(cm_proxy, listener));

    (void)events;
    while (p->accepting) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        cm_proxy_begin(p, fd);
        if (p->n >= p->max) { /* the rest waits in the kernel's queue */
            cm_loop_remove(p->loop, io);
            p->accepting = false;
        }
    }
}

void cm_proxy_ended(cm_proxy *p)
{
    if (p->stopping && p->n == 0)
        cm_loop_stop(p->loop);
    if (!p->stopping && !p->accepting && p->n < p->max &&
        cm_ok(cm_loop_add(p->loop, &p->listener, EPOLLIN)))
        p->accepting = true;
}

/* ---- stopping ---- */

static void on_grace_over(cm_timer *t)
{
    cm_loop_stop(((cm_proxy *)(void *)((char *)t - offsetof(cm_proxy, grace)))->loop);
}

/* The first signal: nothing new, and what is under way may end. */
static void on_wake(cm_loop_io *io, uint32_t events)
{
    cm_proxy *p = (cm_proxy *)(void *)((char *)io - offsetof(cm_proxy, wake));

    (void)events;
    cm_loop_remove(p->loop, io);
    if (p->accepting)
        cm_loop_remove(p->loop, &p->listener);
    p->accepting = false;
    p->stopping = true;
    p->grace.fire = on_grace_over;
    cm_loop_after(p->loop, &p->grace, GRACE_MS);
    if (p->n == 0)
        cm_loop_stop(p->loop);
}

/* ---- setting up ---- */

/* An address that only this machine reaches: what passes it in cleartext is for anyone who can. */
static bool is_loopback(const char *address)
{
    static const char *const begins[] = {"127.", "[::1]:", "localhost:", "unix:"};

    for (size_t i = 0; i < CM_COUNT(begins); i++)
        if (strncmp(address, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static cm_err resolve(cm_cli *cli, cm_proxy *p, const char *url)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

    CM_TRY(cm_cli_about(cli, url, cm_link_url_parse(&p->to, cm_view_str(url)), NULL));
    if (!p->to.tls || p->to.rest.n > 1)
        return cm_cli_usage(cli, "--to wants https://host:port, not %s", url);
    if (getaddrinfo(p->to.host, p->to.port, &hints, &p->addresses) != 0)
        return cm_cli_about(cli, p->to.host, CM_FAIL(CLIENT_RESOLVE), NULL);
    return CM_OKAY;
}

static cm_err listen_on(cm_cli *cli, cm_proxy *p, const char *address)
{
    if (!is_loopback(address) && !cm_cli_has(cli, "allow-remote"))
        return cm_cli_usage(cli,
                            "%s is not a loopback address: whoever reaches it speaks in your name; "
                            "say --allow-remote if that is meant",
                            address);
    CM_TRY(cm_cli_about(cli, address, cm_socket_listen(&p->listener.fd, address), NULL));
    p->listener.ready = on_connection;
    CM_TRY(cm_loop_add(p->loop, &p->listener, EPOLLIN));
    p->accepting = true;
    return CM_OKAY;
}

static cm_err set_up(cm_cli *cli, cm_proxy *p, const char *listen, const char *to)
{
    static const cm_view alpn[CM_PROXY_ALPNS] = {{(const uint8_t *)"http/1.1", 8},
                                                 {(const uint8_t *)"h2", 2}};
    CM_AUTO(cm_cli_net_free) cm_cli_net net = {0};
    uint64_t idle_s = 600, max = 256;

    CM_TRY(cm_cli_number(cli, "idle", 1, 86400, &idle_s));
    CM_TRY(cm_cli_number(cli, "connections", 1, MAX_CONNECTIONS, &max));
    p->idle_ms = idle_s * 1000;
    p->max = max;
    CM_TRY(resolve(cli, p, to));
    CM_TRY(cm_cli_net_options(cli, &net));
    if (net.roots.n == 0)
        return cm_cli_usage(cli, "--ca is missing: nobody is trusted without");
    for (int i = 0; i < CM_PROXY_ALPNS; i++)
        CM_TRY(cm_cli_net_tls(cli, &p->tls[i], &net, net.policy, alpn[i]));
    CM_TRY(cm_loop_new(&p->loop));
    CM_TRY(listen_on(cli, p, listen));
    p->wake = (cm_loop_io){.fd = cli->wake, .ready = on_wake};
    return cm_loop_add(p->loop, &p->wake, EPOLLIN);
}

static void say_ready(cm_cli *cli, const cm_proxy *p)
{
    char address[ADDRESS] = "?";
    cm_cli_event e;

    if (cm_failed(cm_socket_name(address, sizeof address, p->listener.fd)))
        address[0] = '?';
    cm_cli_say(cli, "listening on %s for https://%s:%s\n", address, p->to.host, p->to.port);
    cm_cli_event_begin(cli, &e, "listening");
    cm_json_put_text(&e.w, "address", cm_view_str(address));
    cm_json_put_text(&e.w, "host", cm_view_str(p->to.host));
    cm_json_put_text(&e.w, "port", cm_view_str(p->to.port));
    cm_cli_event_end(cli, &e);
    fflush(stdout);
}

cm_err cm_cli_proxy(cm_cli *cli)
{
    const char *listen = cm_cli_text(cli, "listen"), *to = cm_cli_text(cli, "to");
    CM_AUTO(free_all) cm_proxy p = {.cli = cli, .listener.fd = -1};
    cm_cli_event e;

    if (!to)
        return cm_cli_usage(cli, "--to is missing");
    CM_TRY(set_up(cli, &p, listen ? listen : "127.0.0.1:8440", to));
    say_ready(cli, &p);
    CM_TRY(cm_loop_run(p.loop));
    cm_cli_event_begin(cli, &e, "stopped");
    cm_json_put_u64(&e.w, "served", p.served);
    cm_json_put_u64(&e.w, "failed", p.failed);
    cm_cli_event_end(cli, &e);
    return CM_OKAY;
}
