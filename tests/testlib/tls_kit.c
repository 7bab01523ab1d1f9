#include "tls_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc.h"

enum { ROUNDS = 200 };

static void must(cm_err e, const char *what)
{
    if (cm_failed(e)) {
        fprintf(stderr, "tls_kit: %s: %s\n", what, cm_err_name(e));
        exit(1);
    }
}

static cm_cert_request ask(cm_cert_role role, uint64_t from, uint64_t until)
{
    static const cm_view dns[] = {{(const uint8_t *)"kms.example", 11},
                                  {(const uint8_t *)"localhost", 9}};
    static const cm_view ip[] = {{(const uint8_t *)"127.0.0.1", 9}, {(const uint8_t *)"::1", 3}};
    static const char *const names[] = {"root", "intermediate", "server", "client"};
    bool server = role == CM_CERT_SERVER;

    return (cm_cert_request){
        .role = role,
        .common_name = cm_view_str(names[role]),
        .dns = dns,
        .ip = ip,
        .n_dns = server ? 2 : 0,
        .n_ip = server ? 2 : 0,
        .not_before = from,
        .not_after = until,
        .pathlen = role == CM_CERT_ROOT ? 1 : 0,
    };
}

t_party t_root(const cm_crypt *c, const char *algorithm, uint64_t now)
{
    cm_cert_request r = ask(CM_CERT_ROOT, now - 2 * T_TLS_YEAR, now + 2 * T_TLS_YEAR);
    t_party p = {0};

    must(cm_pkey_generate(&p.key, c, cm_view_str(algorithm)), "key");
    must(cm_cert_root(&p.chain.v[0], c, p.key, &r), "root");
    p.chain.n = 1;
    return p;
}

t_party t_issue(const cm_crypt *c, const t_party *root, cm_cert_role role, const char *algorithm,
                uint64_t from, uint64_t until)
{
    cm_cert_request r = ask(role, from, until);
    t_party p = {0};

    must(cm_pkey_generate(&p.key, c, cm_view_str(algorithm)), "key");
    must(cm_cert_issue(&p.chain.v[0], c, root->chain.v[0], root->key, p.key, &r), "certificate");
    p.chain.n = 1;
    return p;
}

void t_party_done(t_party *p)
{
    cm_pkey_free(p->key);
    cm_certs_free(&p->chain);
}

void t_party_save(const cm_crypt *c, const t_party *p, const char *dir, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf key = {.max = CM_KEYFILE_MAX}, crt = {.max = CM_CERT_FILE_MAX};
    const cm_protect none = {.mode = CM_PROTECT_NONE};
    char file[64];

    must(cm_pkey_write_private(&key, c, p->key, &none), "write key");
    snprintf(file, sizeof file, "%s.key", name);
    must(cm_pkey_save(t_path(dir, file), cm_buf_view(&key), true), "save key");
    for (size_t i = 0; i < p->chain.n; i++)
        must(cm_cert_write(&crt, p->chain.v[i]), "write certificate");
    snprintf(file, sizeof file, "%s.crt", name);
    t_put_file(t_path(dir, file), cm_buf_view(&crt));
}

cm_tls_identity t_identity(const t_party *p)
{
    return (cm_tls_identity){.chain = &p->chain, .key = p->key};
}

static bool step(cm_tls_conn *k, cm_err *e, bool *over)
{
    cm_tls_state state = CM_TLS_WANT_READ;

    if (*over)
        return false;
    *e = cm_tls_handshake(k, &state);
    *over = cm_failed(*e) || state == CM_TLS_DONE;
    return *over;
}

void t_tls_pump(t_tls_pair *p)
{
    bool server_over = false, client_over = false;

    for (int i = 0; i < ROUNDS && !(server_over && client_over); i++) {
        (void)step(p->client, &p->client_err, &client_over);
        (void)step(p->server, &p->server_err, &server_over);
        /* Whoever fails hangs up: the other sees an end, not silence. */
        if (server_over && cm_failed(p->server_err))
            shutdown(p->fd[0], SHUT_WR);
        if (client_over && cm_failed(p->client_err))
            shutdown(p->fd[1], SHUT_WR);
    }
}

void t_tls_pair_new(t_tls_pair *p, cm_tls *server, cm_tls *client, const char *host, uint64_t now,
                    const cm_tls_ticket *ticket)
{
    *p = (t_tls_pair){0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fd) != 0) {
        perror("socketpair");
        exit(1);
    }
    must(cm_tls_accept(&p->server, server, p->fd[0], now), "accept");
    must(cm_tls_connect(&p->client, client, p->fd[1], cm_view_str(host), now, ticket), "connect");
    t_tls_pump(p);
}

void t_tls_pair_done(t_tls_pair *p)
{
    cm_tls_conn_free(p->server);
    cm_tls_conn_free(p->client);
    close(p->fd[0]);
    close(p->fd[1]);
}

bool t_tls_say(cm_tls_conn *from, cm_tls_conn *to, const char *text)
{
    char got[256];
    cm_tls_state state;
    size_t n = 0;

    if (cm_failed(cm_tls_write(from, cm_view_str(text), &n, &state)) || state != CM_TLS_DONE ||
        n != strlen(text))
        return false;
    /* Tickets and other messages may come first. */
    for (int i = 0; i < ROUNDS; i++) {
        if (cm_failed(cm_tls_read(to, got, sizeof got, &n, &state)))
            return false;
        if (state == CM_TLS_DONE)
            return n == strlen(text) && memcmp(got, text, n) == 0;
    }
    return false;
}
