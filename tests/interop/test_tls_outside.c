/*
 * Our TLS against OpenSSL's own client and server, and against somebody in between who rewrites
 * what they say: hybrids, the strict profile, classical-only peers, HelloRetryRequest, stripped
 * groups. Whatever is altered, both ends fail: nothing falls back.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc.h"
#include "tls_kit.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { SKIPPED = 77, WAIT_MS = 60000, TRIES = 2400, PAUSE_US = 50000, LOAD = 120 };

static const char *ssl;
static char dir[T_PATH];
static cm_crypt *c;
static uint64_t now;
static t_party root, server, server_p256, p256_root;

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    now = (uint64_t)time(NULL);
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    t_mkdir(dir);
    root = t_root(c, "ML-DSA-65", now);
    p256_root = t_root(c, "P-256", now);
    server = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-65", now - 60, now + T_TLS_YEAR);
    server_p256 = t_issue(c, &p256_root, CM_CERT_SERVER, "P-256", now - 60, now + T_TLS_YEAR);
    t_party_save(c, &root, dir, "root");
    t_party_save(c, &p256_root, dir, "p256_root");
    t_party_save(c, &server, dir, "server");
    return 0;
}

static int teardown(void **state)
{
    t_party *all[] = {&root, &p256_root, &server, &server_p256};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++)
        t_party_done(all[i]);
    t_rmdir(dir);
    cm_crypt_free(c);
    return 0;
}

/* ---- our server, on a thread: one connection after another ---- */

typedef struct {
    int fd;
    uint16_t port;
    cm_tls *tls;
    pthread_t thread;
    atomic_bool stop;
    cm_err last; /* of the handshake before */
    char group[64], why[160], sigalg[64];
    bool resumed;
    bool brief; /* say goodbye at once, so that a client which reads on gets its ticket */
    atomic_uint served;
} t_server;

static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, WAIT_MS) == 1;
}

static cm_err shake(cm_tls_conn *k, int fd)
{
    for (;;) {
        cm_tls_state state;

        CM_TRY(cm_tls_handshake(k, &state));
        if (state == CM_TLS_DONE)
            return CM_OKAY;
        if (!wait_for(fd, state == CM_TLS_WANT_READ ? POLLIN : POLLOUT))
            return CM_FAIL(CLIENT_TIMEOUT);
    }
}

/* Say hello, and read until the peer goes. */
static void talk(cm_tls_conn *k, int fd, bool brief)
{
    cm_tls_state state;
    char b[4096];
    size_t n;

    if (cm_failed(cm_tls_write(k, CM_LIT("hello from casemate\n"), &n, &state)))
        return;
    if (brief && cm_failed(cm_tls_close(k, &state)))
        return;
    while (cm_ok(cm_tls_read(k, b, sizeof b, &n, &state)) && state != CM_TLS_END)
        if (state == CM_TLS_WANT_READ && !wait_for(fd, POLLIN))
            return;
}

static void serve_one(t_server *s, int fd)
{
    cm_tls_conn *k = NULL;
    cm_tls_info i;

    if (cm_ok(cm_tls_accept(&k, s->tls, fd, now))) {
        s->last = shake(k, fd);
        cm_tls_info_of(&i, k);
        snprintf(s->group, sizeof s->group, "%s", i.group ? i.group : "");
        snprintf(s->why, sizeof s->why, "%s", cm_tls_why_of(k)->text);
        s->resumed = i.resumed;
        if (cm_ok(s->last))
            talk(k, fd, s->brief);
    }
    cm_tls_conn_free(k);
    close(fd);
    atomic_fetch_add(&s->served, 1);
}

static void *serve(void *arg)
{
    t_server *s = arg;

    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 || atomic_load(&s->stop)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        serve_one(s, fd);
    }
}

static int listen_any(uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static cm_tls_options options_of(cm_tls_identity *id, cm_tls_policy policy)
{
    *id = t_identity(&server);
    return (cm_tls_options){.policy = policy,
                            .identities = id,
                            .identities_n = 1,
                            .alpn = CM_LIT("h2,http/1.1"),
                            .resume_s = 600};
}

static void server_start(t_server *s, const cm_tls_options *o)
{
    *s = (t_server){0};
    s->fd = listen_any(&s->port);
    assert_good(cm_tls_server_new(&s->tls, c, o));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(t_server *s)
{
    atomic_store(&s->stop, true);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    cm_tls_free(s->tls);
}

/* The server counts a connection once it is over. */
static void settle(t_server *s, unsigned n)
{
    for (int i = 0; i < TRIES && atomic_load(&s->served) < n; i++)
        usleep(PAUSE_US);
    assert_true(atomic_load(&s->served) >= n);
}

/* ---- OpenSSL's client ---- */

/* Its exit status and output, with these options behind the usual ones. */
static int s_client(cm_buf *out, uint16_t port, const char *const *more)
{
    char address[32];
    const char *argv[T_ARGS] = {ssl,
                                "s_client",
                                "-connect",
                                address,
                                "-CAfile",
                                t_path(dir, "root.crt"),
                                "-verify_return_error",
                                "-verify_hostname",
                                "localhost",
                                "-ign_eof"};
    size_t n = 10;

    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    argv[n - 1] = "-servername";
    argv[n++] = "localhost";
    while (*more)
        argv[n++] = *more++;
    out->n = 0;
    n = (size_t)t_run(out, CM_LIT("Q\n"), argv);
    assert_good(cm_buf_byte(out, 0));
    return (int)n;
}

#define MORE(...) ((const char *const[]){__VA_ARGS__, NULL})

/* W-40, W-41 */
static void their_client(void **state)
{
    static const struct {
        cm_tls_policy policy;
        const char *groups, *agreed; /* NULL: refused */
        const char *said;            /* in our reason */
    } rows[] = {
        {CM_TLS_HYBRID, "X25519MLKEM768", "X25519MLKEM768", NULL},
        {CM_TLS_HYBRID, "SecP256r1MLKEM768", "SecP256r1MLKEM768", NULL},
        {CM_TLS_HYBRID, "SecP384r1MLKEM1024", "SecP384r1MLKEM1024", NULL},
        {CM_TLS_HYBRID, "X25519:P-256:X25519MLKEM768", "X25519MLKEM768", NULL},
        {CM_TLS_HYBRID, "X25519:P-256", NULL, "x25519, secp256r1"},
        {CM_TLS_HYBRID, "P-384", NULL, "secp384r1"},
        {CM_TLS_HYBRID, "MLKEM768", NULL, "MLKEM768"},
        {CM_TLS_STRICT, "MLKEM768", "MLKEM768", NULL},
        {CM_TLS_STRICT, "MLKEM1024", "MLKEM1024", NULL},
        {CM_TLS_STRICT, "X25519MLKEM768", NULL, "X25519MLKEM768"},
        {CM_TLS_STRICT, "X25519", NULL, "x25519"},
        {CM_TLS_LEGACY, "X25519", "x25519", NULL},
        {CM_TLS_LEGACY, "P-256", "secp256r1", NULL},
        /* The classical share is there, the post-quantum one has to be asked for: it is. */
        {CM_TLS_LEGACY, "X25519:X25519MLKEM768", "X25519MLKEM768", NULL},
        {CM_TLS_LEGACY, "P-384", NULL, "secp384r1"},
    };
    CM_AUTO(cm_buf_free) cm_buf out = {.max = T_OUTPUT};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        cm_tls_identity id;
        cm_tls_options o = options_of(&id, rows[i].policy);
        t_server s;
        int status;

        server_start(&s, &o);
        status = s_client(&out, s.port, MORE("-groups", rows[i].groups));
        settle(&s, 1);
        server_stop(&s);
        if (rows[i].agreed) {
            assert_int_equal(status, 0);
            assert_good(s.last);
            assert_string_equal(s.group, rows[i].agreed);
            assert_non_null(strstr((const char *)out.p, "Verify return code: 0 (ok)"));
            continue;
        }
        assert_int_not_equal(status, 0);
        assert_reason(s.last, TLS_NO_PQ_GROUP);
        if (!strstr(s.why, rows[i].said))
            fail_msg("row %zu: \"%s\" does not name %s", i, s.why, rows[i].said);
        assert_non_null(strstr((const char *)out.p, "insufficient security"));
    }
}

/* W-42: TLS 1.2, early data, PSK without key exchange. */
static void their_old_client(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = T_OUTPUT};
    cm_tls_identity id;
    cm_tls_options o = options_of(&id, CM_TLS_LEGACY);
    const char *ticket = t_path(dir, "ticket.pem");
    char kept[T_PATH];
    t_server s;

    (void)state;
    snprintf(kept, sizeof kept, "%s", ticket);
    server_start(&s, &o);
    assert_int_not_equal(s_client(&out, s.port, MORE("-tls1_2")), 0);
    settle(&s, 1);
    assert_reason(s.last, TLS_VERSION);
    s.brief = true;
    assert_int_equal(
        s_client(&out, s.port, MORE("-groups", "X25519MLKEM768", "-ign_eof", "-sess_out", kept)),
        0);
    s.brief = false;
    assert_null(strstr((const char *)out.p, "Max Early Data: 1"));
    settle(&s, 2);
    assert_int_equal(s_client(&out, s.port, MORE("-groups", "X25519MLKEM768", "-sess_in", kept)),
                     0);
    settle(&s, 3);
    assert_good(s.last);
    assert_true(s.resumed);
    assert_string_equal(s.group, "X25519MLKEM768"); /* a fresh exchange, resumed as it is */
    /* A client that would resume without one is not resumed so: a full key exchange, or nothing. */
    assert_int_equal(s_client(&out, s.port,
                              MORE("-groups", "X25519MLKEM768", "-sess_in", kept,
                                   "-allow_no_dhe_kex", "-prefer_no_dhe_kex")),
                     0);
    settle(&s, 4);
    assert_good(s.last);
    assert_string_equal(s.group, "X25519MLKEM768");
    server_stop(&s);
}

/* W-44, from outside: a client that knows no ML-DSA gets the classical certificate. */
static void their_classical_verifier(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = T_OUTPUT};
    cm_tls_identity ids[] = {t_identity(&server), t_identity(&server_p256)};
    const cm_tls_options o = {.identities = ids, .identities_n = 2};
    char ca[T_PATH];
    t_server s;

    (void)state;
    snprintf(ca, sizeof ca, "%s", t_path(dir, "p256_root.crt"));
    server_start(&s, &o);
    assert_int_equal(s_client(&out, s.port, MORE("-groups", "X25519MLKEM768")), 0);
    assert_non_null(strstr((const char *)out.p, "mldsa65"));
    assert_int_equal(s_client(&out, s.port,
                              MORE("-groups", "X25519MLKEM768", "-CAfile", ca, "-sigalgs",
                                   "ecdsa_secp256r1_sha256")),
                     0);
    assert_non_null(strstr((const char *)out.p, "ecdsa_secp256r1_sha256"));
    server_stop(&s);
    server_start(&s, &(cm_tls_options){.identities = ids, .identities_n = 1});
    assert_int_not_equal(
        s_client(&out, s.port,
                 MORE("-groups", "X25519MLKEM768", "-sigalgs", "ecdsa_secp256r1_sha256")),
        0);
    settle(&s, 1);
    assert_reason(s.last, TLS_NO_SIGNATURE);
    server_stop(&s);
}

/* ---- OpenSSL's server ---- */

static pid_t s_server(uint16_t *port, const char *const *more)
{
    const char *argv[T_ARGS] = {ssl,       "s_server",
                                "-accept", "127.0.0.1:0",
                                "-cert",   t_path(dir, "server.crt"),
                                "-key",    t_path(dir, "server.key"),
                                "-rev"};
    const char *log = t_path(dir, "server.log");
    char text[T_PATH];
    size_t n = 9;
    pid_t pid;

    snprintf(text, sizeof text, "%s", log);
    unlink(text);
    while (*more)
        argv[n++] = *more++;
    pid = t_start(text, argv);
    for (int i = 0; i < TRIES; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = T_OUTPUT};
        const char *at;
        unsigned number;

        if (access(text, R_OK) == 0)
            t_get_file(&b, text);
        assert_good(cm_buf_byte(&b, 0));
        at = strstr((const char *)b.p, "ACCEPT 127.0.0.1:");
        if (at && strchr(at, '\n') && sscanf(at, "ACCEPT 127.0.0.1:%u", &number) == 1) {
            *port = (uint16_t)number;
            return pid;
        }
        usleep(PAUSE_US);
    }
    fail_msg("no server");
    return -1;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Our client's handshake; with an echo when it succeeds. */
static cm_err our_client(uint16_t port, cm_tls_policy policy, char group[64])
{
    const cm_tls_options o = {.policy = policy, .roots = &root.chain};
    CM_AUTO(cm_tls_free_ptr) cm_tls *t = NULL;
    cm_tls_conn *k = NULL;
    int fd = connect_to(port);
    cm_tls_info i;
    cm_err e;

    assert_good(cm_tls_client_new(&t, c, &o));
    assert_good(cm_tls_connect(&k, t, fd, CM_LIT("localhost"), now, NULL));
    e = shake(k, fd);
    cm_tls_info_of(&i, k);
    snprintf(group, 64, "%s", i.group ? i.group : "");
    cm_tls_conn_free(k);
    close(fd);
    return e;
}

static void their_server(void **state)
{
    static const struct {
        const char *groups;
        cm_tls_policy policy;
        const char *agreed; /* NULL: refused */
    } rows[] = {
        {"X25519MLKEM768", CM_TLS_HYBRID, "X25519MLKEM768"},
        {"SecP256r1MLKEM768", CM_TLS_HYBRID, "SecP256r1MLKEM768"}, /* HelloRetryRequest */
        {"SecP384r1MLKEM1024:X25519", CM_TLS_HYBRID, "SecP384r1MLKEM1024"},
        {"MLKEM1024", CM_TLS_STRICT, "MLKEM1024"},
        {"X25519:P-256", CM_TLS_HYBRID, NULL},
        {"X25519MLKEM768", CM_TLS_STRICT, NULL},
        {"MLKEM768", CM_TLS_HYBRID, NULL},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        char group[64];
        uint16_t port;
        pid_t pid = s_server(&port, MORE("-groups", rows[i].groups));
        cm_err e = our_client(port, rows[i].policy, group);

        t_stop(pid);
        if (rows[i].agreed) {
            assert_good(e);
            assert_string_equal(group, rows[i].agreed);
        } else {
            assert_reason(e, TLS_NO_PQ_GROUP);
        }
    }
}

static void their_old_server(void **state)
{
    char group[64];
    uint16_t port;
    pid_t pid = s_server(&port, MORE("-tls1_2", "-cipher", "ALL:@SECLEVEL=0"));

    (void)state;
    assert_reason(our_client(port, CM_TLS_LEGACY, group), TLS_VERSION);
    t_stop(pid);
}

/* ---- somebody in between ---- */

/* What he does to the first record from the client, a ClientHello, or from the server. */
typedef enum {
    PASS,
    STRIP_GROUPS,   /* supported_groups: only x25519 is left */
    SWAP_GROUPS,    /* hybrid group ids become x25519 there */
    STRIP_SHARES,   /* key_share: emptied, so that the server asks again */
    STRIP_VERSIONS, /* supported_versions says 1.2 */
    ANSWER_GROUP,   /* the server's answer names x25519 as its key share */
} meddling;

typedef struct {
    int fd;
    uint16_t port, to;
    meddling what;
    pthread_t thread;
    bool altered;
} t_middle;

/* The extension's body in a hello that begins at p + 5; NULL when absent. */
static uint8_t *extension(uint8_t *p, size_t n, uint16_t type, size_t *length, bool client)
{
    size_t at = 5 + 4 + 2 + 32, end;

    at += 1 + (size_t)p[at]; /* session id */
    at += client ? 2 + (size_t)cm_get_be16(p + at) : 3;
    if (client)
        at += 1 + (size_t)p[at];
    end = at + 2 + cm_get_be16(p + at);
    for (at += 2; at + 4 <= end && end <= n; at += 4 + *length) {
        *length = cm_get_be16(p + at + 2);
        if (cm_get_be16(p + at) == type)
            return p + at + 4;
    }
    return NULL;
}

static void replace_groups(uint8_t *list, size_t n)
{
    for (size_t i = 2; i < n; i += 2)
        cm_put_be16(list + i, 0x001d);
}

static bool meddle(uint8_t *p, size_t n, meddling what)
{
    size_t length = 0;
    uint8_t *x;

    switch (what) {
    case STRIP_GROUPS: /* in place: the list keeps its size, with one classical group over and over
                        */
    case SWAP_GROUPS:
        x = extension(p, n, 0x000a, &length, true);
        if (x && what == STRIP_GROUPS)
            replace_groups(x, length);
        else if (x)
            cm_put_be16(x + 2, 0x001d);
        return x;
    case STRIP_SHARES: /* another group's name on the share: the one sent is not understood */
        x = extension(p, n, 0x0033, &length, true);
        if (x)
            cm_put_be16(x + 2, 0x11ed);
        return x;
    case STRIP_VERSIONS:
        x = extension(p, n, 0x002b, &length, true);
        if (x)
            cm_put_be16(x + 1, 0x0303);
        return x;
    case ANSWER_GROUP:
        x = extension(p, n, 0x0033, &length, false);
        if (x)
            cm_put_be16(x, 0x001d);
        return x;
    default:
        return false;
    }
}

/* A whole record, so that it can be taken apart. */
static size_t read_record(int fd, uint8_t *p, size_t max)
{
    size_t n = 0;

    while (n < 5 || n < 5 + (size_t)cm_get_be16(p + 3)) {
        ssize_t r = wait_for(fd, POLLIN)
                        ? recv(fd, p + n, n < 5 ? 5 - n : 5 + (size_t)cm_get_be16(p + 3) - n, 0)
                        : -1;

        if (r <= 0 || n + (size_t)r > max)
            return n;
        n += (size_t)r;
    }
    return n;
}

static void *stand_between(void *arg)
{
    t_middle *m = arg;
    uint8_t b[20000];
    int client = accept(m->fd, NULL, NULL), to = connect_to(m->to);
    size_t n = read_record(client, b, sizeof b);
    struct pollfd p[2];

    if (m->what != ANSWER_GROUP)
        m->altered = meddle(b, n, m->what);
    if (send(to, b, n, MSG_NOSIGNAL) < 0)
        n = 0;
    n = read_record(to, b, sizeof b);
    if (m->what == ANSWER_GROUP && n && b[0] == 0x16)
        m->altered = meddle(b, n, m->what);
    if (send(client, b, n, MSG_NOSIGNAL) < 0)
        n = 0;
    for (;;) { /* what follows passes as it is */
        bool moved = false;

        p[0] = (struct pollfd){.fd = client, .events = POLLIN};
        p[1] = (struct pollfd){.fd = to, .events = POLLIN};
        if (poll(p, 2, 1000) <= 0)
            break;
        for (int i = 0; i < 2; i++) {
            ssize_t r = p[i].revents ? recv(p[i].fd, b, sizeof b, MSG_DONTWAIT) : -1;

            if (r > 0)
                moved = send(p[1 - i].fd, b, (size_t)r, MSG_NOSIGNAL) > 0;
        }
        if (!moved)
            break;
    }
    close(client);
    close(to);
    return NULL;
}

static void meddled(meddling what, cm_tls_policy policy, cm_err *client, t_server *s)
{
    cm_tls_identity id;
    cm_tls_options o = options_of(&id, policy);
    t_middle m = {.what = what};
    char group[64];

    server_start(s, &o);
    m.to = s->port;
    m.fd = listen_any(&m.port);
    assert_int_equal(pthread_create(&m.thread, NULL, stand_between, &m), 0);
    *client = our_client(m.port, policy, group);
    pthread_join(m.thread, NULL);
    close(m.fd);
    settle(s, 1);
    server_stop(s);
    assert_int_equal(m.altered, what != PASS);
    if (what != PASS && cm_ok(*client))
        fail_msg("the client agreed on %s", group);
}

/* Altered on the way, under every policy, the opt-in for old clients included: both ends fail. */
static void in_between(void **state)
{
    static const meddling all[] = {STRIP_GROUPS, SWAP_GROUPS, STRIP_SHARES, STRIP_VERSIONS,
                                   ANSWER_GROUP};
    static const cm_tls_policy policies[] = {CM_TLS_HYBRID, CM_TLS_STRICT, CM_TLS_LEGACY};
    cm_err client;
    t_server s;

    (void)state;
    meddled(PASS, CM_TLS_HYBRID, &client, &s);
    assert_good(client);
    assert_good(s.last);
    for (size_t i = 0; i < CM_COUNT(all); i++)
        for (size_t j = 0; j < CM_COUNT(policies); j++) {
            meddled(all[i], policies[j], &client, &s);
            assert_true(cm_failed(client));
            if (cm_ok(s.last))
                fail_msg("meddling %zu, policy %zu: the server agreed on %s", i, j, s.group);
        }
}

/* ---- reload under load ---- */

typedef struct {
    uint16_t port;
    cm_err bad;
    unsigned done;
} t_load;

static void *load(void *arg)
{
    t_load *l = arg;
    char group[64];

    for (int i = 0; i < LOAD / 4; i++) {
        cm_err e = our_client(l->port, CM_TLS_HYBRID, group);

        if (cm_failed(e))
            l->bad = e;
        else
            l->done++;
    }
    return NULL;
}

/* W-45: whole or not at all; every connection meets one certificate or the other. */
static void reload_under_load(void **state)
{
    t_party second = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-44", now - 60, now + T_TLS_YEAR);
    cm_tls_identity id, other = t_identity(&second);
    cm_tls_options o = options_of(&id, CM_TLS_HYBRID), bad = {0};
    t_load l[2];
    pthread_t thread[2];
    t_server s;

    (void)state;
    server_start(&s, &o);
    for (int i = 0; i < 2; i++) {
        l[i] = (t_load){.port = s.port};
        assert_int_equal(pthread_create(&thread[i], NULL, load, &l[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        o.identities = i % 2 ? &id : &other;
        assert_good(cm_tls_reload(s.tls, &o));
        assert_reason(cm_tls_reload(s.tls, &bad), TLS_IDENTITY);
        usleep(2000);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_good(l[i].bad);
        assert_int_equal(l[i].done, LOAD / 4);
    }
    server_stop(&s);
    t_party_done(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(their_client),
        cmocka_unit_test(their_old_client),
        cmocka_unit_test(their_classical_verifier),
        cmocka_unit_test(their_server),
        cmocka_unit_test(their_old_server),
        cmocka_unit_test(in_between),
        cmocka_unit_test(reload_under_load),
    };

    ssl = t_openssl();
    if (!ssl) {
        printf("SKIP: no openssl of 3.5 or later\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
