/* What a stranger sends to a TLS port before anything is agreed on. No handshake comes of it. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { NOW = 1800000000 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

static cm_tls *server(const cm_crypt *c)
{
    static const cm_view dns = {(const uint8_t *)"h", 1};
    const cm_cert_request r = {.role = CM_CERT_SERVER,
                               .common_name = CM_LIT("h"),
                               .dns = &dns,
                               .n_dns = 1,
                               .not_before = NOW - 60,
                               .not_after = NOW + 60};
    const cm_cert_request root = {.role = CM_CERT_ROOT,
                                  .common_name = CM_LIT("r"),
                                  .not_before = NOW - 60,
                                  .not_after = NOW + 60};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_certs_free) cm_certs chain = {0};
    cm_tls_identity id = {.chain = &chain};
    cm_tls *t = NULL;

    must(cm_ok(cm_pkey_generate(&k, c, CM_LIT("Ed25519"))));
    must(cm_ok(cm_cert_root(&chain.v[1], c, k, &root)));
    must(cm_ok(cm_cert_issue(&chain.v[0], c, chain.v[1], k, k, &r)));
    chain.n = 2;
    id.key = k;
    must(cm_ok(cm_tls_server_new(
        &t, c,
        &(cm_tls_options){
            .identities = &id, .identities_n = 1, .alpn = CM_LIT("h2"), .resume_s = 60})));
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    static cm_tls *t;
    cm_tls_conn *k = NULL;
    cm_tls_state state;
    int fd[2];

    if (!c) {
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
        t = server(c);
    }
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    must(cm_ok(cm_tls_accept(&k, t, fd[0], NOW)));
    if (send(fd[1], p, CM_MIN(n, (size_t)65536), MSG_NOSIGNAL) >= 0) {
        cm_err e = cm_tls_handshake(k, &state);

        must(cm_failed(e) || state != CM_TLS_DONE);
        if (cm_is(e, CM_TLS_NO_PQ_GROUP))
            must(cm_tls_why_of(k)->text[0]);
    }
    cm_tls_conn_free(k);
    close(fd[0]);
    close(fd[1]);
    return 0;
}
