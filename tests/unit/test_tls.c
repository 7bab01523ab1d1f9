/* Post-quantum TLS between our own two ends: what connects, what must not, and why not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "tls_kit.h"
#include "wire/tls_int.h"

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)
#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")

enum { NOW = T_TLS_NOW, YEAR = T_TLS_YEAR };

static cm_crypt *c;
static t_party root, other_root, classical_root, server, classical_server, client, expired,
    old_client;

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_good(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    root = t_root(c, "ML-DSA-65", NOW);
    other_root = t_root(c, "ML-DSA-65", NOW);
    classical_root = t_root(c, "P-256", NOW);
    server = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-65", NOW - 60, NOW + YEAR);
    classical_server = t_issue(c, &classical_root, CM_CERT_SERVER, "P-256", NOW - 60, NOW + YEAR);
    client = t_issue(c, &root, CM_CERT_CLIENT, "ML-DSA-44", NOW - 60, NOW + YEAR);
    expired = t_issue(c, &root, CM_CERT_SERVER, "ML-DSA-65", NOW - YEAR, NOW - 60);
    old_client = t_issue(c, &root, CM_CERT_CLIENT, "ML-DSA-44", NOW - YEAR, NOW - 60);
    return 0;
}

static int teardown(void **state)
{
    t_party *all[] = {&root,   &other_root, &classical_root, &server, &classical_server,
                      &client, &expired,    &old_client};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(all); i++)
        t_party_done(all[i]);
    cm_crypt_free(c);
    return 0;
}

/* ---- what the cases share ---- */

static cm_tls_options server_options(cm_tls_identity *id)
{
    *id = t_identity(&server);
    return (cm_tls_options){
        .identities = id, .identities_n = 1, .alpn = CM_LIT("h2,http/1.1"), .resume_s = 3600};
}

static cm_tls_options client_options(void)
{
    return (cm_tls_options){.roots = &root.chain, .alpn = CM_LIT("h2")};
}

static cm_tls *make(bool is_server, const cm_tls_options *o)
{
    cm_tls *t = NULL;

    assert_good(is_server ? cm_tls_server_new(&t, c, o) : cm_tls_client_new(&t, c, o));
    return t;
}

/* One connection with these options. */
static void meet(t_tls_pair *p, const cm_tls_options *s, const cm_tls_options *k, const char *host)
{
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = make(true, s), *kt = make(false, k);

    t_tls_pair_new(p, st, kt, host, NOW, NULL);
}

/* ---- cases ---- */

/* W-20 */
static void connects(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    uint8_t a[CM_TLS_EXPORTER], b[CM_TLS_EXPORTER];
    CM_AUTO(t_tls_pair_done) t_tls_pair p;
    cm_tls_info i;
    cm_tls_state st;
    size_t n;
    char byte;

    (void)state;
    meet(&p, &s, &k, "kms.example");
    assert_good(p.server_err);
    assert_good(p.client_err);
    cm_tls_info_of(&i, p.client);
    assert_string_equal(i.group, "X25519MLKEM768");
    assert_true(i.pq && i.peer_cert && !i.resumed);
    assert_string_equal(i.version, "TLSv1.3");
    assert_string_equal(i.peer_sigalg, "mldsa65");
    assert_true(cm_view_eq(i.alpn, CM_LIT("h2")));
    cm_tls_info_of(&i, p.server);
    assert_true(i.pq && !i.peer_cert);
    assert_true(t_tls_say(p.client, p.server, "ping"));
    assert_true(t_tls_say(p.server, p.client, "pong"));
    assert_good(cm_tls_exporter(a, p.client));
    assert_good(cm_tls_exporter(b, p.server));
    assert_memory_equal(a, b, sizeof a);
    assert_good(cm_tls_close(p.client, &st));
    assert_int_equal(st, CM_TLS_DONE);
    assert_good(cm_tls_read(p.server, &byte, 1, &n, &st));
    assert_int_equal(st, CM_TLS_END);
    assert_true(t_tls_say(p.server, p.client, "half closed"));
}

/* Of the key exchange nothing stays with an idle connection. */
static void shares_are_dropped(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(t_tls_pair_done) t_tls_pair p;
    EVP_PKEY *share = NULL;
    unsigned char *bytes = NULL;

    (void)state;
    meet(&p, &s, &k, "kms.example");
    assert_good(p.server_err);
    assert_int_equal(SSL_get_peer_tmp_key(p.server->ssl, &share), 1);
    assert_int_equal(EVP_PKEY_get1_encoded_public_key(share, &bytes), 0);
    ERR_clear_error();
    EVP_PKEY_free(share);
    assert_true(t_tls_say(p.client, p.server, "ping"));
    assert_true(t_tls_say(p.server, p.client, "pong"));
}

/* W-43: the address of the certificate, and names; one that it does not carry is refused. */
static void names(void **state)
{
    static const char *const good[] = {"kms.example", "127.0.0.1", "::1", "localhost"};
    static const char *const bad[] = {"evil.example", "127.0.0.2", "example", ".example"};
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++) {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        meet(&p, &s, &k, good[i]);
        assert_good(p.client_err);
    }
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        meet(&p, &s, &k, bad[i]);
        assert_reason(p.client_err, CERT_NAME);
        assert_reason(p.server_err, TLS_CERT_REFUSED);
    }
}

/* W-43 */
static void wrong_certificates(void **state)
{
    cm_tls_identity id, ex = t_identity(&expired), cl = t_identity(&classical_server);
    cm_tls_options s = server_options(&id), k = client_options();

    (void)state;
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.roots = &other_root.chain;
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.client_err, CERT_UNTRUSTED);
        assert_reason(p.server_err, TLS_CERT_REFUSED);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.roots = NULL; /* nobody is trusted by default */
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.client_err, CERT_UNTRUSTED);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.roots = &root.chain;
        s.identities = &ex;
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.client_err, CERT_EXPIRED);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.roots = &classical_root.chain;
        s.identities = &cl;
        meet(&p, &s, &k, "kms.example");
        assert_good(p.client_err);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.post_quantum_certs = true;
        meet(&p, &s, &k, "kms.example");
        assert_true(cm_failed(p.client_err));
        assert_reason(p.server_err, TLS_NO_SIGNATURE);
    }
}

/* W-44: a server with both kinds shows each client what it can verify, the first one first. */
static void side_by_side(void **state)
{
    cm_tls_identity ids[] = {t_identity(&server), t_identity(&classical_server)};
    cm_tls_options s = {.identities = ids, .identities_n = 2}, k = client_options();
    cm_certs both = {{root.chain.v[0], classical_root.chain.v[0]}, 2};
    cm_tls_info i;

    (void)state;
    k.alpn = CM_LIT("");
    k.roots = &both;
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        meet(&p, &s, &k, "kms.example");
        assert_good(p.client_err);
        cm_tls_info_of(&i, p.client);
        assert_string_equal(i.peer_sigalg, "mldsa65");
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;
        cm_tls_identity turned[] = {ids[1], ids[0]};

        s.identities = turned;
        meet(&p, &s, &k, "kms.example");
        assert_good(p.client_err);
        cm_tls_info_of(&i, p.client);
        assert_string_equal(i.peer_sigalg, "ecdsa_secp256r1_sha256");
    }
}

/* W-40, W-41: every pair of policies either agrees on what both allow, or fails on both ends. */
static void policies(void **state)
{
    static const struct {
        cm_tls_policy server, client;
        const char *group; /* NULL: refused */
    } rows[] = {
        {CM_TLS_HYBRID, CM_TLS_HYBRID, "X25519MLKEM768"},
        {CM_TLS_HYBRID, CM_TLS_STRICT, NULL},
        {CM_TLS_HYBRID, CM_TLS_LEGACY, "X25519MLKEM768"},
        {CM_TLS_STRICT, CM_TLS_STRICT, "MLKEM768"},
        {CM_TLS_STRICT, CM_TLS_HYBRID, NULL},
        {CM_TLS_STRICT, CM_TLS_LEGACY, NULL},
        {CM_TLS_LEGACY, CM_TLS_LEGACY, "X25519MLKEM768"},
        {CM_TLS_LEGACY, CM_TLS_HYBRID, "X25519MLKEM768"},
        {CM_TLS_LEGACY, CM_TLS_STRICT, NULL},
    };

    (void)state;
    for (size_t r = 0; r < CM_COUNT(rows); r++) {
        cm_tls_identity id;
        cm_tls_options s = server_options(&id), k = client_options();
        CM_AUTO(t_tls_pair_done) t_tls_pair p;
        cm_tls_info i;

        s.policy = rows[r].server;
        k.policy = rows[r].client;
        meet(&p, &s, &k, "kms.example");
        if (!rows[r].group) {
            assert_reason(p.server_err, TLS_NO_PQ_GROUP);
            assert_reason(p.client_err, TLS_NO_PQ_GROUP);
            assert_true(cm_tls_why_of(p.server)->offered_n > 0);
            assert_memory_equal(cm_tls_why_of(p.server)->text, "it offers ", 10);
            continue;
        }
        assert_good(p.server_err);
        assert_good(p.client_err);
        cm_tls_info_of(&i, p.server);
        assert_string_equal(i.group, rows[r].group);
        assert_true(i.pq);
    }
}

/* W-40: a context that agrees to what its policy does not have: found out when all is over. */
static void agreed_against_policy(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = make(true, &s), *kt = make(false, &k);
    CM_AUTO(t_tls_pair_done) t_tls_pair p;
    cm_tls_state state_;
    size_t n;

    (void)state;
    kt->set->policy = CM_TLS_STRICT; /* OpenSSL was told hybrid */
    t_tls_pair_new(&p, st, kt, "kms.example", NOW, NULL);
    assert_reason(p.client_err, TLS_NO_PQ_GROUP);
    assert_reason(cm_tls_write(p.client, CM_LIT("secret"), &n, &state_), TLS_NO_PQ_GROUP);
}

static void alpn(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(t_tls_pair_done) t_tls_pair p;

    (void)state;
    k.alpn = CM_LIT("spdy/3");
    meet(&p, &s, &k, "kms.example");
    assert_reason(p.server_err, TLS_ALPN);
    assert_reason(p.client_err, TLS_ALPN);
}

/* W-47 */
static void client_certificates(void **state)
{
    cm_tls_identity id, mine = t_identity(&client), old = t_identity(&old_client);
    cm_tls_options s = server_options(&id), k = client_options();
    uint8_t spki[32];
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};
    cm_tls_info i;

    (void)state;
    s.roots = &root.chain;
    s.client_cert = CM_TLS_CERT_REQUIRED;
    assert_good(cm_pkey_public_der(&der, client.key));
    assert_good(cm_hash_once(c, CM_SHA256, spki, cm_buf_view(&der)));
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.identities = &mine;
        k.identities_n = 1;
        meet(&p, &s, &k, "kms.example");
        assert_good(p.server_err);
        cm_tls_info_of(&i, p.server);
        assert_true(i.peer_cert);
        assert_memory_equal(i.peer_spki, spki, sizeof spki);
        assert_string_equal(i.peer_sigalg, "mldsa44");
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;
        cm_tls_state st;
        size_t n;
        char b;

        k.identities_n = 0;
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.server_err, TLS_NO_CERT);
        assert_good(p.client_err); /* its handshake was over before; it learns it when it reads */
        assert_reason(cm_tls_read(p.client, &b, 1, &n, &st), TLS_CERT_WANTED);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        s.client_cert = CM_TLS_CERT_OPTIONAL;
        meet(&p, &s, &k, "kms.example");
        assert_good(p.server_err);
        cm_tls_info_of(&i, p.server);
        assert_false(i.peer_cert);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.identities = &old;
        k.identities_n = 1;
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.server_err, CERT_EXPIRED); /* optional, but what is sent must be good */
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;

        k.identities = &mine;
        s.roots = &other_root.chain;
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.server_err, CERT_UNTRUSTED);
    }
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair p;
        cm_tls_identity as_client = t_identity(&server);

        s.roots = &root.chain;
        k.identities = &as_client; /* a server's certificate is no client's */
        meet(&p, &s, &k, "kms.example");
        assert_reason(p.server_err, CERT_PURPOSE);
    }
}

/* ---- resumption and reload ---- */

static cm_tls_ticket *ticket_of(t_tls_pair *p)
{
    cm_tls_ticket *t = NULL;

    assert_good(p->client_err);
    assert_true(t_tls_say(p->server, p->client, "ticket comes first"));
    assert_good(cm_tls_ticket_of(&t, p->client));
    return t;
}

static void resumed_with(cm_tls *s, cm_tls *k, const cm_tls_ticket *t, uint64_t now, bool expect)
{
    CM_AUTO(t_tls_pair_done) t_tls_pair p;
    cm_tls_info i;

    t_tls_pair_new(&p, s, k, "kms.example", now, t);
    assert_good(p.client_err);
    assert_good(p.server_err);
    cm_tls_info_of(&i, p.server);
    assert_int_equal(i.resumed, expect);
    assert_true(i.pq);
    assert_non_null(i.group); /* W-42: resumption, too, has a fresh key exchange */
}

static void resumes(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = make(true, &s), *kt = make(false, &k);
    CM_AUTO(cm_tls_ticket_free_ptr) cm_tls_ticket *t = NULL;
    CM_AUTO(t_tls_pair_done) t_tls_pair p;

    (void)state;
    t_tls_pair_new(&p, st, kt, "kms.example", NOW, NULL);
    t = ticket_of(&p);
    resumed_with(st, kt, t, NOW, true);
    assert_good(cm_tls_reload(kt, &k)); /* W-45 */
    resumed_with(st, kt, t, NOW, false);
}

/* W-45, W-46: with client certificates; not past a reload, nor past the certificate's end. */
static void resumes_with_certificate(void **state)
{
    cm_tls_identity id, mine = t_identity(&client);
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(cm_tls_ticket_free_ptr) cm_tls_ticket *t = NULL;
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = NULL, *kt = NULL;
    CM_AUTO(t_tls_pair_done) t_tls_pair p, late;
    uint8_t spki[32];
    cm_tls_info i;

    (void)state;
    s.roots = &root.chain;
    s.client_cert = CM_TLS_CERT_REQUIRED;
    k.identities = &mine;
    k.identities_n = 1;
    st = make(true, &s);
    kt = make(false, &k);
    t_tls_pair_new(&p, st, kt, "kms.example", NOW, NULL);
    cm_tls_info_of(&i, p.server);
    memcpy(spki, i.peer_spki, sizeof spki);
    t = ticket_of(&p);
    {
        CM_AUTO(t_tls_pair_done) t_tls_pair again;

        t_tls_pair_new(&again, st, kt, "kms.example", NOW, t);
        assert_good(again.server_err);
        cm_tls_info_of(&i, again.server);
        assert_true(i.resumed && i.peer_cert);
        assert_memory_equal(i.peer_spki, spki, sizeof spki); /* who it is survives */
        cm_tls_ticket_free(t);
        t = ticket_of(&again);
    }
    t_tls_pair_new(&late, st, kt, "kms.example", NOW + 2 * YEAR, t);
    assert_reason(late.server_err, CERT_EXPIRED);
    assert_good(cm_tls_reload(st, &s));
    resumed_with(st, kt, t, NOW, false);
}

static void reloads(void **state)
{
    cm_tls_identity id, cl = t_identity(&classical_server);
    cm_tls_options s = server_options(&id), k = client_options(), bad = {0};
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = make(true, &s), *kt = make(false, &k);
    CM_AUTO(t_tls_pair_done) t_tls_pair p, q, r;

    (void)state;
    t_tls_pair_new(&p, st, kt, "kms.example", NOW, NULL);
    assert_good(p.server_err);
    assert_reason(cm_tls_reload(st, &bad), TLS_IDENTITY); /* and the old one stays in force */
    t_tls_pair_new(&q, st, kt, "kms.example", NOW, NULL);
    assert_good(q.client_err);
    s.identities = &cl;
    assert_good(cm_tls_reload(st, &s));
    t_tls_pair_new(&r, st, kt, "kms.example", NOW, NULL);
    assert_reason(r.client_err, CERT_UNTRUSTED);
    assert_true(t_tls_say(p.client, p.server, "still there")); /* under the old certificate */
}

/* ---- options ---- */

static void options(void **state)
{
    cm_tls_identity id, mixed = {.chain = &server.chain, .key = client.key},
                        twice[] = {t_identity(&server), t_identity(&server)};
    cm_tls_options s = server_options(&id);
    cm_tls *t = NULL;

    (void)state;
    s.identities = &mixed;
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_IDENTITY);
    s.identities = twice;
    s.identities_n = 2;
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_IDENTITY);
    s = server_options(&id);
    s.alpn = CM_LIT("h2,");
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_OPTIONS);
    s.alpn = CM_LIT(",h2");
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_OPTIONS);
    s = server_options(&id);
    s.resume_s = 86401;
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_OPTIONS);
    s = server_options(&id);
    s.policy = (cm_tls_policy)7;
    assert_reason(cm_tls_server_new(&t, c, &s), TLS_OPTIONS);
    assert_null(t);
}

/* ---- what is not TLS, or ends early ---- */

static cm_err server_gets(const char *bytes, size_t n)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id);
    CM_AUTO(cm_tls_free_ptr) cm_tls *st = make(true, &s);
    CM_AUTO(t_tls_pair_done) t_tls_pair p = {0};
    cm_tls_state state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
    assert_good(cm_tls_accept(&p.server, st, p.fd[0], NOW));
    assert_int_equal(send(p.fd[1], bytes, n, 0), n);
    shutdown(p.fd[1], SHUT_WR);
    return cm_tls_handshake(p.server, &state);
}

static void not_tls(void **state)
{
    (void)state;
    assert_reason(server_gets("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), TLS_NOT_TLS);
    assert_reason(server_gets("SSH-2.0-OpenSSH_9.2\r\n", 21), TLS_NOT_TLS);
    assert_reason(server_gets("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), TLS_NOT_TLS);
    assert_reason(server_gets("\x16\x03\x01", 3), TLS_CLOSED);
    assert_reason(server_gets("", 0), TLS_CLOSED);
}

/* A connection that is cut is not one that was closed: answers could be cut short (W-48). */
static void truncation(void **state)
{
    cm_tls_identity id;
    cm_tls_options s = server_options(&id), k = client_options();
    CM_AUTO(t_tls_pair_done) t_tls_pair p;
    cm_tls_state st;
    size_t n;
    char b;

    (void)state;
    meet(&p, &s, &k, "kms.example");
    assert_good(p.client_err);
    assert_true(t_tls_say(p.server, p.client, "x"));
    shutdown(p.fd[0], SHUT_WR);
    assert_reason(cm_tls_read(p.client, &b, 1, &n, &st), TLS_CLOSED);
    assert_reason(cm_tls_read(p.client, &b, 1, &n, &st), TLS_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects),
        cmocka_unit_test(shares_are_dropped),
        cmocka_unit_test(names),
        cmocka_unit_test(wrong_certificates),
        cmocka_unit_test(side_by_side),
        cmocka_unit_test(policies),
        cmocka_unit_test(agreed_against_policy),
        cmocka_unit_test(alpn),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(resumes),
        cmocka_unit_test(resumes_with_certificate),
        cmocka_unit_test(reloads),
        cmocka_unit_test(options),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(truncation),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
