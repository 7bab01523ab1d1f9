/* The client against a server of a few lines on a thread: what it sends, what it makes of answers,
 * and why it says that a connection failed. */
#include <arpa/inet.h>
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
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "codec/text.h"
#include "run/client.h"
#include "tls_kit.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { TEXT = 32 << 10, ANSWERS = 8, WAIT_MS = 60000 };

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define OK_HI    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"

static cm_crypt *c;
static t_party root, other_root, server, expired, classical_only, client_cert;
static cm_sig_key *signer;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    now = cm_os_now();
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    root = t_root(c, "ML-DSA-65", now);
    other_root = t_root(c, "ML-DSA-65", now);
    server = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-65", now - 60, now + T_TLS_YEAR);
    expired = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-65", now - T_TLS_YEAR, now - 60);
    client_cert = t_issue(c, &root, CM_CERT_CLIENT, "ML-DSA-44", now - 60, now + T_TLS_YEAR);
    assert_good(cm_sig_generate(&signer, c, CM_SIG_MLDSA65));
    return 0;
}

static int teardown(void **state)
{
    t_party *all[] = {&root, &other_root, &server, &expired, &classical_only, &client_cert};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++)
        t_party_done(all[i]);
    cm_sig_key_free(signer);
    cm_crypt_free(c);
    return 0;
}

/* ---- a server ---- */

/* Plays its answers in order, one to a request; "" hangs up instead, and a connection ends when the
 * answer says so. "SESSION" opens one, "CHECK" verifies a request of it. */
typedef struct {
    int listener;
    cm_tls *tls; /* NULL: cleartext */
    const char *answers[ANSWERS];
    atomic_uint next, connections;
    char request[TEXT]; /* the last one */
    uint8_t id[CM_SESSION_ID];
    cm_key32 key;
    cm_session_window window;
    pthread_t thread;
    char url[64];
    atomic_bool stop;
} t_server;

typedef struct {
    int fd;
    cm_tls_conn *tls;
} t_conn;

static bool wait_in(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, WAIT_MS) == 1;
}

static ssize_t conn_read(t_conn *k, char *p, size_t n)
{
    for (;;) {
        cm_tls_state state = CM_TLS_DONE;
        size_t got = 0;

        if (!k->tls)
            return wait_in(k->fd) ? recv(k->fd, p, n, 0) : -1;
        if (cm_failed(cm_tls_read(k->tls, p, n, &got, &state)))
            return -1;
        if (state == CM_TLS_DONE)
            return (ssize_t)got;
        if (state == CM_TLS_END || !wait_in(k->fd))
            return 0;
    }
}

static void conn_write(t_conn *k, const char *text)
{
    cm_view v = cm_view_str(text);

    while (v.n) {
        cm_tls_state state = CM_TLS_DONE;
        size_t n = 0;

        if (!k->tls)
            n = (size_t)send(k->fd, v.p, v.n, MSG_NOSIGNAL);
        else if (cm_failed(cm_tls_write(k->tls, v, &n, &state)))
            return;
        if (n > v.n)
            return;
        v = state == CM_TLS_DONE ? cm_view_sub(v, n, v.n - n) : v;
    }
}

/* A request whole, NUL-terminated; its body's length is in it. */
static bool read_request(t_conn *k, char *text)
{
    size_t n = 0, want = 0;

    for (;;) {
        ssize_t r = conn_read(k, text + n, TEXT - 1 - n);
        const char *end, *length;

        if (r <= 0)
            return false;
        n += (size_t)r;
        text[n] = 0;
        if (text[0] == 0x16) { /* a ClientHello, where none was expected */
            conn_write(k, "HTTP/1.1 400 Bad Request\r\n\r\n");
            return false;
        }
        end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        length = strstr(text, "content-length: ");
        want = (size_t)(end + 4 - text) + (length && length < end ? (size_t)atoi(length + 16) : 0);
        if (n >= want)
            return true;
    }
}

/* The message of a request, as a server's HTTP would give it. Cuts text up. */
static void parse(cm_httpsig_message *m, cm_http_header *h, char *text)
{
    char *end = strstr(text, "\r\n\r\n"), *save = NULL;
    char *line = strtok_r(text, "\r\n", &save);
    char *mark, *target;

    *m = (cm_httpsig_message){.scheme = CM_LIT("https"), .headers = h};
    m->body = cm_view_str(end + 4);
    *end = 0;
    target = strchr(line, ' ') + 1;
    m->method = cm_view_of(line, (size_t)(target - line) - 1);
    *strchr(target, ' ') = 0;
    mark = strchr(target, '?');
    m->path = mark ? cm_view_of(target, (size_t)(mark - target)) : cm_view_str(target);
    m->query = mark ? cm_view_str(mark + 1) : CM_LIT("");
    while ((line = strtok_r(NULL, "\r\n", &save)) != NULL) {
        char *colon = strchr(line, ':');

        h[m->headers_n++] =
            (cm_http_header){cm_view_of(line, (size_t)(colon - line)), cm_view_str(colon + 2)};
        if (strncmp(line, "host:", 5) == 0)
            m->authority = cm_view_str(colon + 2);
    }
}

static const char *session(t_server *s, t_conn *k, bool open)
{
    static const char refused[] = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    static char answer[256];
    char text[TEXT], keyid[CM_SESSION_KEYID + 1], body[128];
    uint8_t exporter[CM_TLS_EXPORTER];
    cm_http_header h[32];
    cm_httpsig_message m;
    cm_httpsig sig;

    memcpy(text, s->request, sizeof text);
    parse(&m, h, text);
    if (cm_failed(cm_tls_exporter(exporter, k->tls)) || cm_failed(cm_httpsig_parse(&sig, &m, now)))
        return refused;
    if (!open)
        return cm_ok(cm_session_verify(&s->window, &sig, c, &m, &s->key)) ? OK_HI : refused;
    if (cm_failed(cm_httpsig_verify(&sig, c, &m, signer)) ||
        cm_failed(cm_session_check_channel(&sig, c, &m, CM_VIEW(exporter))) ||
        cm_failed(cm_random(c, s->id, sizeof s->id)) ||
        cm_failed(cm_session_key(&s->key, c, CM_VIEW(exporter), s->id, sig.keyid)))
        return refused;
    s->window = (cm_session_window){0};
    cm_session_keyid(keyid, s->id);
    snprintf(body, sizeof body, "{\"session\":\"%s\"}", keyid);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return answer;
}

static bool shake_hands(t_server *s, t_conn *k)
{
    cm_tls_state state;

    if (!s->tls)
        return true;
    if (cm_failed(cm_tls_accept(&k->tls, s->tls, k->fd, now)))
        return false;
    for (;;) {
        if (cm_failed(cm_tls_handshake(k->tls, &state)))
            return false;
        if (state == CM_TLS_DONE)
            return true;
        if (state == CM_TLS_WANT_READ && !wait_in(k->fd))
            return false;
    }
}

static void serve_conn(t_server *s, int fd)
{
    t_conn k = {.fd = fd};

    if (shake_hands(s, &k))
        while (read_request(&k, s->request)) {
            const char *a = s->answers[atomic_fetch_add(&s->next, 1)];

            if (!a || !*a)
                break;
            if (strcmp(a, "SESSION") == 0 || strcmp(a, "CHECK") == 0)
                a = session(s, &k, *a == 'S');
            conn_write(&k, a);
            if (strstr(a, "Connection: close"))
                break;
        }
    if (k.tls && cm_failed(cm_tls_close(k.tls, &(cm_tls_state){CM_TLS_DONE})))
        print_message("the client was gone\n");
    cm_tls_conn_free(k.tls);
    close(fd);
}

static void *serve(void *arg)
{
    t_server *s = arg;

    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, s->tls ? SOCK_NONBLOCK : 0);

        if (fd < 0 || atomic_load(&s->stop)) {
            close(fd);
            return NULL;
        }
        atomic_fetch_add(&s->connections, 1);
        serve_conn(s, fd);
    }
}

static void server_start(t_server *s, const cm_tls_options *o)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;

    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&sa, &n), 0);
    if (o)
        assert_good(cm_tls_server_new(&s->tls, c, o));
    snprintf(s->url, sizeof s->url, "%s://localhost:%u", o ? "https" : "http", ntohs(sa.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(t_server *s)
{
    atomic_store(&s->stop, true);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    cm_tls_free(s->tls);
}

static cm_tls_options usual(cm_tls_identity *id, const t_party *p)
{
    *id = t_identity(p);
    return (cm_tls_options){
        .identities = id, .identities_n = 1, .alpn = CM_LIT("http/1.1"), .resume_s = 3600};
}

static cm_client *client_of(const t_server *s)
{
    const cm_client_options o = {
        .url = cm_view_str(s->url), .roots = &root.chain, .call_ms = WAIT_MS, .retries = 2};
    cm_client *k = NULL;

    assert_good(cm_client_new(&k, c, &o));
    return k;
}

static cm_err get(cm_client *k, cm_client_answer *a, const char *target)
{
    const cm_client_request r = {.method = "GET", .target = cm_view_str(target)};

    return cm_client_call(k, a, &r);
}

/* ---- answers ---- */

static void keep_alive(void **state)
{
    t_server s = {.answers = {OK_HI, OK_HI,
                              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n"
                              "Transfer-Encoding: chunked\r\nX-A:  b \r\n\r\n"
                              "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
                              "HTTP/1.1 204 No Content\r\n\r\n", OK_EMPTY}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    CM_AUTO(cm_client_free_ptr) cm_client *k = NULL;
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    cm_tls_info i;
    cm_view v;

    (void)state;
    server_start(&s, &o);
    k = client_of(&s);
    for (int n = 0; n < 2; n++) {
        assert_good(get(k, &a, "/x?y=1"));
        assert_int_equal(a.status, 200);
        assert_true(cm_view_eq(cm_buf_view(&a.body), CM_LIT("hi")));
    }
    assert_true(cm_client_tls(k, &i) && i.pq);
    assert_memory_equal(s.request, "GET /x?y=1 HTTP/1.1\r\nhost: localhost:", 36);
    assert_null(strstr(s.request, "signature"));
    assert_good(get(k, &a, "/"));
    assert_int_equal(a.status, 404);
    assert_true(cm_view_eq(cm_buf_view(&a.body), CM_LIT("abc0123456789")));
    assert_true(cm_client_header(&a, "x-a", &v) && cm_view_eq(v, CM_LIT("b")));
    assert_good(get(k, &a, "/"));
    assert_int_equal(a.status, 204);
    assert_int_equal(a.body.n, 0);
    assert_good(get(k, &a, "/"));
    assert_int_equal(atomic_load(&s.connections), 1);
    assert_string_equal(cm_client_why(k), "");
    cm_client_free(k);
    k = NULL;
    server_stop(&s);
}

/* An idle connection that the server gave up costs nothing but a new one, resumed; a POST is not
 * sent twice once it went out. */
static void stale(void **state)
{
    static const char closing[] =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    t_server s = {.answers = {closing, OK_HI, "", OK_HI, "", OK_HI}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    const cm_client_request post = {.method = "POST", .target = CM_LIT("/p"), .body = CM_LIT("{}")};
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    cm_client *k;
    cm_tls_info i;

    (void)state;
    server_start(&s, &o);
    k = client_of(&s);
    assert_good(get(k, &a, "/1"));
    assert_good(get(k, &a, "/2"));
    assert_int_equal(atomic_load(&s.connections), 2);
    assert_true(cm_client_tls(k, &i) && i.resumed && i.pq);
    assert_good(get(k, &a, "/3")); /* "" hangs up without an answer: asked again, it is a GET */
    assert_int_equal(atomic_load(&s.connections), 3);
    assert_reason(cm_client_call(k, &a, &post), CLIENT_CLOSED);
    assert_non_null(strstr(cm_client_why(k), "localhost"));
    assert_int_equal(atomic_load(&s.next), 5);
    cm_client_free(k);
    server_stop(&s);
}

static void retries(void **state)
{
    static const char busy[] = "HTTP/1.1 429 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    static const char long_busy[] =
        "HTTP/1.1 429 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n";
    t_server s = {.answers = {busy, busy, OK_HI, busy, busy, busy, long_busy}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    cm_client *k;

    (void)state;
    server_start(&s, &o);
    k = client_of(&s);
    assert_good(get(k, &a, "/"));
    assert_int_equal(a.status, 200);
    assert_good(get(k, &a, "/"));
    assert_int_equal(a.status, 429); /* after two more tries */
    assert_int_equal(atomic_load(&s.next), 6);
    assert_good(get(k, &a, "/")); /* longer than there is time: said at once */
    assert_int_equal(a.status, 429);
    cm_client_free(k);
    server_stop(&s);
}

static cm_err collect(void *arg, cm_view piece)
{
    return cm_buf_append(arg, piece);
}

static void sinks_and_limits(void **state)
{
    t_server s = {.answers = {OK_HI, "HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad", OK_HI,
                              "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 64};
    cm_client_request r = {
        .method = "GET", .target = CM_LIT("/"), .sink = collect, .sink_arg = &got};
    cm_client_options small = {.roots = &root.chain, .body_max = 1};
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    cm_client *k, *tiny = NULL;

    (void)state;
    server_start(&s, &o);
    k = client_of(&s);
    assert_good(cm_client_call(k, &a, &r));
    assert_true(cm_view_eq(cm_buf_view(&got), CM_LIT("hi")));
    assert_int_equal(a.body.n, 0);
    assert_good(cm_client_call(k, &a, &r)); /* what is no success is for us, not for the sink */
    assert_true(cm_view_eq(cm_buf_view(&a.body), CM_LIT("bad")));
    cm_client_free(k);
    small.url = cm_view_str(s.url);
    assert_good(cm_client_new(&tiny, c, &small));
    assert_reason(get(tiny, &a, "/"), TOO_BIG);
    cm_client_free(tiny);
    k = client_of(&s);
    assert_good(get(k, &a, "/"));
    assert_true(cm_view_eq(cm_buf_view(&a.body), CM_LIT("until the end")));
    cm_client_free(k);
    server_stop(&s);
}

/* ---- who asks ---- */

static void signed_requests(void **state)
{
    t_server s = {.answers = {OK_HI, OK_HI, OK_HI}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    cm_client_options co = {.roots = &root.chain,
                            .sign_key = signer,
                            .keyid = CM_LIT("acme/alice"),
                            .token = CM_LIT("cmk_x")};
    cm_client_request r = {
        .method = "POST", .target = CM_LIT("/v1/a:b?c=d"), .body = CM_LIT("{\"a\":1}")};
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    static char text[TEXT];
    cm_http_header h[32];
    cm_httpsig_message m;
    cm_httpsig sig;
    cm_client *k = NULL;

    (void)state;
    server_start(&s, &o);
    co.url = cm_view_str(s.url);
    assert_good(cm_client_new(&k, c, &co));
    assert_good(cm_client_call(k, &a, &r));
    memcpy(text, s.request, sizeof text);
    parse(&m, h, text);
    assert_good(cm_httpsig_parse(&sig, &m, now));
    assert_good(cm_httpsig_verify(&sig, c, &m, signer));
    assert_true(cm_view_eq(sig.keyid, CM_LIT("acme/alice")));
    assert_true(cm_httpsig_covers(&sig, "content-type"));
    assert_null(strstr(s.request, "cmk_x")); /* a token does not go where a signature does */
    r.auth = CM_CLIENT_PLAIN;
    assert_good(cm_client_call(k, &a, &r));
    assert_null(strstr(s.request, "signature"));
    assert_null(strstr(s.request, "cmk_x"));
    cm_client_free(k);
    co.sign_key = NULL;
    assert_good(cm_client_new(&k, c, &co));
    r.auth = CM_CLIENT_USUAL;
    assert_good(cm_client_call(k, &a, &r));
    assert_non_null(strstr(s.request, "authorization: Bearer cmk_x\r\n"));
    cm_client_free(k);
    server_stop(&s);
}

static void sessions(void **state)
{
    static const char forgot[] = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n";
    t_server s = {.answers = {"SESSION", "CHECK", "CHECK", forgot, "SESSION", "CHECK", OK_HI}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    cm_client_options co = {.roots = &root.chain,
                            .sign_key = signer,
                            .keyid = CM_LIT("acme/alice"),
                            .session_path = CM_LIT("/v1/tenants/acme/sessions")};
    cm_client_request r = {.method = "POST", .target = CM_LIT("/v1/x"), .body = CM_LIT("{}")};
    cm_tls_identity id;
    cm_tls_options o = usual(&id, &server);
    cm_client *k = NULL;

    (void)state;
    server_start(&s, &o);
    co.url = cm_view_str(s.url);
    assert_good(cm_client_new(&k, c, &co));
    for (int i = 0; i < 2; i++) {
        assert_good(cm_client_call(k, &a, &r));
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(s.request, "alg=\"hmac-sha256\""));
    }
    assert_good(cm_client_call(k, &a, &r)); /* the server forgot it: opened anew, once */
    assert_int_equal(a.status, 200);
    assert_int_equal(atomic_load(&s.next), 6);
    r.auth = CM_CLIENT_SIGNED;
    assert_good(cm_client_call(k, &a, &r));
    assert_non_null(strstr(s.request, "alg=\"ml-dsa-65\""));
    assert_int_equal(atomic_load(&s.connections), 1);
    cm_client_free(k);
    server_stop(&s);
}

/* ---- why not ---- */

static void fails(const char *url, const cm_certs *roots, cm_tls_policy policy, const char *reason,
                  const char *text)
{
    const cm_client_options o = {
        .url = cm_view_str(url), .roots = roots, .policy = policy, .call_ms = WAIT_MS};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    CM_AUTO(cm_client_free_ptr) cm_client *k = NULL;

    assert_good(cm_client_new(&k, c, &o));
    assert_string_equal(cm_err_name(get(k, &a, "/")), reason);
    if (!strstr(cm_client_why(k), text))
        fail_msg("\"%s\" does not say \"%s\"", cm_client_why(k), text);
}

static void why_not(void **state)
{
    t_server s = {0}, plain = {.answers = {OK_HI}}, old = {0};
    cm_tls_identity id, old_id;
    cm_tls_options o = usual(&id, &server), old_o = usual(&old_id, &expired);
    char url[96];

    (void)state;
    server_start(&s, &o);
    server_start(&plain, NULL);
    server_start(&old, &old_o);
    fails(s.url, &other_root.chain, CM_TLS_HYBRID, "CERT_UNTRUSTED", "no chain leads");
    fails(s.url, &root.chain, CM_TLS_STRICT, "TLS_NO_PQ_GROUP", "post-quantum");
    snprintf(url, sizeof url, "https://127.0.0.2:%s", strrchr(s.url, ':') + 1);
    fails(url, &root.chain, CM_TLS_HYBRID, "CLIENT_REFUSED", "127.0.0.2");
    fails(old.url, &root.chain, CM_TLS_HYBRID, "CERT_EXPIRED", "not valid at this time");
    snprintf(url, sizeof url, "https%s", plain.url + 4);
    fails(url, &root.chain, CM_TLS_HYBRID, "TLS_NOT_TLS", "does not speak TLS");
    fails("https://no.such.name.invalid", &root.chain, CM_TLS_HYBRID, "CLIENT_RESOLVE",
          "no address");
    fails("unix:/nowhere/at/all", NULL, CM_TLS_HYBRID, "CLIENT_REFUSED", "/nowhere/at/all");
    server_stop(&s);
    server_stop(&plain);
    server_stop(&old);
}

static void times_out(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cm_client_options o = {.roots = &root.chain, .connect_ms = 100};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    CM_AUTO(cm_client_free_ptr) cm_client *k = NULL;
    char url[64];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 16), 0); /* accepts in the kernel and never answers */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", ntohs(sa.sin_port));
    o.url = cm_view_str(url);
    assert_good(cm_client_new(&k, c, &o));
    assert_reason(get(k, &a, "/"), CLIENT_TIMEOUT);
    close(fd);
}

static void client_certificate(void **state)
{
    t_server s = {.answers = {OK_HI}};
    cm_tls_identity id, mine = t_identity(&client_cert);
    cm_tls_options o = usual(&id, &server);
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    cm_client_options co = {.roots = &root.chain};
    cm_client *k = NULL;

    (void)state;
    o.client_cert = CM_TLS_CERT_REQUIRED;
    o.roots = &root.chain;
    server_start(&s, &o);
    fails(s.url, &root.chain, CM_TLS_HYBRID, "TLS_CERT_WANTED", "demands a client certificate");
    co.url = cm_view_str(s.url);
    co.identity = &mine;
    assert_good(cm_client_new(&k, c, &co));
    assert_good(get(k, &a, "/"));
    assert_int_equal(a.status, 200);
    cm_client_free(k);
    server_stop(&s);
}

/* ---- answers that are none ---- */

static const char *feed(const char *text, size_t step, cm_response *out)
{
    cm_response_reader r;
    cm_view v = cm_view_str(text);

    cm_response_begin(&r, out, false);
    for (size_t at = 0; at < v.n; at += step) {
        size_t used = 0, n = CM_MIN(step, v.n - at);
        cm_err e = cm_response_feed(&r, cm_view_sub(v, at, n), &used);

        if (cm_failed(e))
            return cm_err_name(e);
        if (used < n)
            return "MORE";
    }
    return cm_err_name(cm_response_end(&r));
}

static void responses(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {OK_HI, "OK"},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "OK"},
        {OK_HI "x", "MORE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "CLIENT_CLOSED"},
        {"HTTP/1.1 200 OK\r\n", "CLIENT_CLOSED"},
        {"", "CLIENT_CLOSED"},
        {"HTTP/1.0 200 OK\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/2 200\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 99 OK\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 600 OK\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200OK\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 101 Switch\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\n: b\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\na", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "OK"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n", "OK"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "CLIENT_CLOSED"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
         "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1234567890123456\r\n",
         "CLIENT_RESPONSE"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", "CLIENT_RESPONSE"},
    };
    CM_AUTO(cm_response_free) cm_response out = {.head = {.max = 4096}, .body = {.max = 64}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++)
        for (size_t step = 1; step < 64; step += 9)
            if (strcmp(feed(rows[i].text, step, &out), rows[i].want) != 0 &&
                !(strcmp(rows[i].want, "MORE") == 0 && step == 1))
                fail_msg("row %zu by %zu: %s, not %s", i, step, feed(rows[i].text, step, &out),
                         rows[i].want);
}

static void urls(void **state)
{
    static const struct {
        const char *url, *authority; /* NULL: refused */
    } rows[] = {
        {"https://kms.example", "kms.example"},
        {"https://kms.example:443/", "kms.example"},
        {"https://kms.example:8443/a?b", "kms.example:8443"},
        {"http://[::1]:80", "[::1]"},
        {"https://[2001:db8::1]:1", "[2001:db8::1]:1"},
        {"unix:/run/casemate.sock", "localhost"},
        {"https://", NULL},
        {"https://:1", NULL},
        {"https://a:", NULL},
        {"https://a:0", NULL},
        {"https://a:65536", NULL},
        {"https://a:08", NULL},
        {"https://a:1x", NULL},
        {"https://a b", NULL},
        {"https://user@a", NULL},
        {"https://a/#f", NULL},
        {"https://a/b c", NULL},
        {"https://[::1", NULL},
        {"https://::1", NULL},
        {"ftp://a", NULL},
        {"a", NULL},
        {"", NULL},
        {"unix:", NULL},
    };
    cm_link_url u;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(rows); i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 512};
        cm_err e = cm_link_url_parse(&u, cm_view_str(rows[i].url));

        if (!rows[i].authority) {
            if (!cm_is(e, CM_CLIENT_URL))
                fail_msg("%s was taken", rows[i].url);
            continue;
        }
        assert_good(e);
        assert_good(cm_link_authority(&b, &u));
        assert_true(cm_view_eq(cm_buf_view(&b), cm_view_str(rows[i].authority)));
    }
    assert_reason(cm_link_url_parse(&u, cm_view_of("https://a\0b", 11)), CLIENT_URL);
}

static void bad_requests(void **state)
{
    static const cm_http_header evil = {{(const uint8_t *)"a", 1},
                                        {(const uint8_t *)"b\r\nc: d", 7}};
    t_server s = {.answers = {OK_HI}};
    CM_AUTO(cm_client_answer_free) cm_client_answer a = {0};
    cm_client_request r = {
        .method = "GET", .target = CM_LIT("/"), .headers = &evil, .headers_n = 1};
    cm_client *k;

    (void)state;
    server_start(&s, NULL);
    k = client_of(&s);
    assert_reason(cm_client_call(k, &a, &r), BAD_ARGUMENT);
    assert_reason(get(k, &a, "/a b"), BAD_ARGUMENT);
    assert_reason(get(k, &a, ""), BAD_ARGUMENT);
    cm_client_free(k);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive),
        cmocka_unit_test(stale),
        cmocka_unit_test(retries),
        cmocka_unit_test(sinks_and_limits),
        cmocka_unit_test(signed_requests),
        cmocka_unit_test(sessions),
        cmocka_unit_test(why_not),
        cmocka_unit_test(times_out),
        cmocka_unit_test(client_certificate),
        cmocka_unit_test(responses),
        cmocka_unit_test(urls),
        cmocka_unit_test(bad_requests),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
