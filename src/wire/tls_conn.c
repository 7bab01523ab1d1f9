#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "wire/tls_int.h"

/* W-20 */
#define EXPORTER_LABEL "EXPORTER-casemate-session"

struct cm_tls_ticket {
    SSL_SESSION *session;
    cm_tls_set *set; /* whose trust it was made under */
};

/* ---- beginning and end ---- */

static cm_err new_conn(cm_tls_conn **out, cm_tls *t, int fd, uint64_t now)
{
    CM_AUTO(cm_tls_conn_free_ptr) cm_tls_conn *k = NULL;

    CM_TRY(cm_alloc(&k, sizeof *k));
    k->why.alert = -1;
    k->now = now;
    k->set = cm_tls_hold(t);
    k->ssl = SSL_new(k->set->ctx);
    if (!k->ssl || SSL_set_app_data(k->ssl, k) != 1 || SSL_set_fd(k->ssl, fd) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    *out = k;
    k = NULL;
    return CM_OKAY;
}

cm_err cm_tls_accept(cm_tls_conn **out, cm_tls *t, int fd, uint64_t now)
{
    if (!t->server)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(new_conn(out, t, fd, now));
    SSL_set_accept_state((*out)->ssl);
    return CM_OKAY;
}

static bool is_address(const char *host)
{
    uint8_t b[16];

    return inet_pton(AF_INET, host, b) == 1 || inet_pton(AF_INET6, host, b) == 1;
}

static cm_err set_host(cm_tls_conn *k, cm_view host)
{
    if (host.n == 0 || host.n >= sizeof k->host || memchr(host.p, 0, host.n))
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(k->host, host.p, host.n);
    k->host_n = host.n;
    if (!is_address(k->host) && SSL_set_tlsext_host_name(k->ssl, k->host) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    return CM_OKAY;
}

cm_err cm_tls_connect(cm_tls_conn **out, cm_tls *t, int fd, cm_view host, uint64_t now,
                      const cm_tls_ticket *ticket)
{
    CM_AUTO(cm_tls_conn_free_ptr) cm_tls_conn *k = NULL;

    if (t->server)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(new_conn(&k, t, fd, now));
    CM_TRY(set_host(k, host));
    SSL_set_connect_state(k->ssl);
    if (ticket && ticket->set == k->set && SSL_set_session(k->ssl, ticket->session) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    *out = k;
    k = NULL;
    return CM_OKAY;
}

void cm_tls_conn_free(cm_tls_conn *k)
{
    if (!k)
        return;
    /* Not a bad session: without this, OpenSSL forgets the ticket of whoever just hangs up. */
    if (k->ssl && k->up && !k->dead)
        SSL_set_shutdown(k->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(k->ssl);
    SSL_SESSION_free(k->ticket);
    cm_tls_set_drop(k->set);
    cm_free(k);
}

void cm_tls_conn_free_ptr(cm_tls_conn **k)
{
    cm_tls_conn_free(*k);
}

/* ---- tickets ---- */

cm_err cm_tls_ticket_of(cm_tls_ticket **out, const cm_tls_conn *k)
{
    cm_tls_ticket *t;

    if (!k->ticket || !SSL_SESSION_is_resumable(k->ticket))
        return CM_FAIL(TLS_NO_TICKET);
    CM_TRY(cm_alloc(&t, sizeof *t));
    SSL_SESSION_up_ref(k->ticket);
    atomic_fetch_add_explicit(&k->set->refs, 1, memory_order_relaxed);
    t->session = k->ticket;
    t->set = k->set;
    *out = t;
    return CM_OKAY;
}

void cm_tls_ticket_free(cm_tls_ticket *t)
{
    if (!t)
        return;
    SSL_SESSION_free(t->session);
    cm_tls_set_drop(t->set);
    cm_free(t);
}

void cm_tls_ticket_free_ptr(cm_tls_ticket **t)
{
    cm_tls_ticket_free(*t);
}

/* ---- going on ---- */

/* What a call of OpenSSL's came to when it did not succeed. */
static cm_err outcome(cm_tls_conn *k, int result, cm_tls_state *state)
{
    int e = SSL_get_error(k->ssl, result);

    switch (e) {
    case SSL_ERROR_WANT_READ:
        *state = CM_TLS_WANT_READ;
        return CM_OKAY;
    case SSL_ERROR_WANT_WRITE:
        *state = CM_TLS_WANT_WRITE;
        return CM_OKAY;
    default:
        return cm_tls_failed(k, e);
    }
}

/* W-40: what was agreed on, whatever was configured. */
static cm_err check_agreed(cm_tls_conn *k)
{
    bool pq = false;

    if (SSL_version(k->ssl) != TLS1_3_VERSION)
        return CM_FAIL(TLS_VERSION);
    if (!cm_tls_group_named(k->set->policy, SSL_get0_group_name(k->ssl), &pq))
        return CM_FAIL(TLS_NO_PQ_GROUP);
    return SSL_session_reused(k->ssl) ? cm_tls_recheck(k) : CM_OKAY;
}

/* The peer's key share has done its work. OpenSSL keeps it, 7 kB with ML-KEM's matrix, as long as
 * the connection: give it another type, which empties it. */
static void drop_share(SSL *ssl)
{
    EVP_PKEY *share = NULL;

    ERR_set_mark();
    if (SSL_get_peer_tmp_key(ssl, &share) == 1) {
        (void)EVP_PKEY_set_type(share, EVP_PKEY_X25519);
        EVP_PKEY_free(share);
    }
    ERR_pop_to_mark();
}

cm_err cm_tls_handshake(cm_tls_conn *k, cm_tls_state *state)
{
    cm_err e;
    int r;

    if (k->dead)
        return k->why.err;
    ERR_clear_error();
    r = SSL_do_handshake(k->ssl);
    if (r != 1)
        return outcome(k, r, state);
    e = check_agreed(k);
    if (cm_failed(e)) {
        k->dead = true;
        k->why.err = e;
        return e;
    }
    drop_share(k->ssl);
    k->up = true;
    *state = CM_TLS_DONE;
    return CM_OKAY;
}

cm_err cm_tls_read(cm_tls_conn *k, void *p, size_t n, size_t *got, cm_tls_state *state)
{
    int r;

    if (k->dead || !k->up)
        return k->dead ? k->why.err : CM_FAIL(BAD_ARGUMENT);
    ERR_clear_error();
    r = SSL_read_ex(k->ssl, p, n, got);
    if (r == 1) {
        *state = CM_TLS_DONE;
        return CM_OKAY;
    }
    if (SSL_get_error(k->ssl, r) == SSL_ERROR_ZERO_RETURN) { /* W-48 */
        *state = CM_TLS_END;
        return CM_OKAY;
    }
    return outcome(k, r, state);
}

/* Whoever refuses us says so in an alert and hangs up; it may still lie unread when a write fails.
 */
static void hear_last_words(cm_tls_conn *k)
{
    size_t n;
    char byte;

    ERR_set_mark();
    (void)SSL_read_ex(k->ssl, &byte, 1, &n);
    ERR_pop_to_mark();
}

cm_err cm_tls_write(cm_tls_conn *k, cm_view v, size_t *sent, cm_tls_state *state)
{
    int r;

    if (k->dead || !k->up)
        return k->dead ? k->why.err : CM_FAIL(BAD_ARGUMENT);
    if (v.n == 0) {
        *sent = 0;
        *state = CM_TLS_DONE;
        return CM_OKAY;
    }
    ERR_clear_error();
    r = SSL_write_ex(k->ssl, v.p, v.n, sent);
    if (r != 1) {
        int e = SSL_get_error(k->ssl, r);

        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
            return outcome(k, r, state);
        hear_last_words(k);
        return cm_tls_failed(k, e);
    }
    *state = CM_TLS_DONE;
    return CM_OKAY;
}

cm_err cm_tls_close(cm_tls_conn *k, cm_tls_state *state)
{
    int r;

    if (k->dead || !k->up)
        return k->dead ? k->why.err : CM_FAIL(BAD_ARGUMENT);
    ERR_clear_error();
    r = SSL_shutdown(k->ssl);
    if (r >= 0) { /* 0: ours is sent, theirs has not come */
        *state = CM_TLS_DONE;
        return CM_OKAY;
    }
    return outcome(k, r, state);
}

bool cm_tls_buffered(const cm_tls_conn *k)
{
    return SSL_has_pending(k->ssl) == 1;
}

/* ---- what is known ---- */

/* W-47 */
static bool spki_of(uint8_t out[32], const cm_tls_conn *k, X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    bool good =
        n > 0 && cm_ok(cm_hash_once(k->set->crypt, CM_SHA256, out, cm_view_of(der, (size_t)n)));

    OPENSSL_free(der);
    return good;
}

void cm_tls_info_of(cm_tls_info *out, const cm_tls_conn *k)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_n = 0;
    X509 *x = NULL;

    *out = (cm_tls_info){.version = SSL_get_version(k->ssl)};
    if (!SSL_get_session(k->ssl)) /* OpenSSL looks for the group in it */
        return;
    out->group = SSL_get0_group_name(k->ssl);
    (void)cm_tls_group_named(k->set->policy, out->group, &out->pq);
    out->resumed = SSL_session_reused(k->ssl) == 1;
    out->cipher = SSL_get_cipher_name(k->ssl);
    SSL_get0_alpn_selected(k->ssl, &alpn, &alpn_n);
    out->alpn = cm_view_of(alpn, alpn_n);
    x = k->up ? SSL_get0_peer_certificate(k->ssl) : NULL;
    out->peer_cert = x && spki_of(out->peer_spki, k, x);
    if (SSL_get0_peer_signature_name(k->ssl, &out->peer_sigalg) != 1)
        out->peer_sigalg = NULL;
}

cm_err cm_tls_exporter(uint8_t out[CM_TLS_EXPORTER], const cm_tls_conn *k)
{
    if (!k->up)
        return CM_FAIL(BAD_ARGUMENT);
    if (SSL_export_keying_material(k->ssl, out, CM_TLS_EXPORTER, EXPORTER_LABEL,
                                   sizeof EXPORTER_LABEL - 1, NULL, 0, 0) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    return CM_OKAY;
}
