#include "wire/tls.h"

#include "crypt/ossl.h"
#include "wire/tls_int.h"

enum { RESUME_MAX = 86400, CACHE_MAX = 20480 };

#define SESSION_CONTEXT "casemate"

void cm_tls_set_drop(cm_tls_set *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(s->ctx);
    cm_certs_free(&s->roots);
    cm_free(s);
}

static void drop_ptr(cm_tls_set **s)
{
    cm_tls_set_drop(*s);
}

cm_tls_set *cm_tls_hold(cm_tls *t)
{
    cm_tls_set *s;

    pthread_mutex_lock(&t->lock);
    s = t->set;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&t->lock);
    return s;
}

/* ---- ALPN ---- */

static cm_err add_protocol(cm_tls_set *s, cm_view name)
{
    if (name.n == 0 || s->alpn_n + 1 + name.n > sizeof s->alpn)
        return CM_FAIL(TLS_OPTIONS);
    s->alpn[s->alpn_n] = (uint8_t)name.n;
    memcpy(s->alpn + s->alpn_n + 1, name.p, name.n);
    s->alpn_n += 1 + name.n;
    return CM_OKAY;
}

static cm_err set_alpn(cm_tls_set *s, cm_view list)
{
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n, past = comma ? n + 1 : n;

        CM_TRY(add_protocol(s, cm_view_sub(list, 0, n)));
        if (comma && past == list.n)
            return CM_FAIL(TLS_OPTIONS);
        list = cm_view_sub(list, past, list.n - past);
    }
    return CM_OKAY;
}

/* Ours are in order of preference; a client that names none of them is told so. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *n,
                           const unsigned char *in, unsigned in_n, void *arg)
{
    const cm_tls_conn *k = SSL_get_app_data(ssl);
    unsigned char *got;

    (void)arg;
    if (SSL_select_next_proto(&got, n, k->set->alpn, (unsigned)k->set->alpn_n, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = got;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts ---- */

static void on_info(const SSL *ssl, int where, int value)
{
    cm_tls_conn *k = SSL_get_app_data(ssl);

    if (k && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
        (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
        k->why.alert = value & 0xff;
}

/* A ticket came: the newest is kept. */
static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    cm_tls_conn *k = SSL_get_app_data(ssl);

    SSL_SESSION_free(k->ticket);
    k->ticket = session;
    return 1; /* the reference is ours now */
}

/* Tickets that carry a client's ML-DSA chain take 7 kB of every resumption: with client
 * certificates the state stays here, and the ticket is its name. */
static cm_err set_resumption(cm_tls_set *s, const cm_tls_options *o)
{
    if (o->resume_s > RESUME_MAX)
        return CM_FAIL(TLS_OPTIONS);
    SSL_CTX_set_timeout(s->ctx, o->resume_s);
    if (!s->server) {
        SSL_CTX_set_session_cache_mode(s->ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(s->ctx, on_ticket);
        return CM_OKAY;
    }
    if (SSL_CTX_set_num_tickets(s->ctx, o->resume_s ? 1 : 0) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    if (o->resume_s == 0 || o->client_cert != CM_TLS_CERT_NONE)
        SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(s->ctx,
                                   o->resume_s ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_cache_size(s->ctx, CACHE_MAX);
    if (SSL_CTX_set_session_id_context(s->ctx, (const unsigned char *)SESSION_CONTEXT,
                                       sizeof SESSION_CONTEXT - 1) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    return CM_OKAY;
}

/* W-42: only 1.3, no renegotiation (1.3 has none), no early data, no resumption without a fresh key
 * exchange: the last two are OpenSSL's defaults, and tests hold it to them. */
static cm_err set_protocol(cm_tls_set *s)
{
    if (SSL_CTX_set_min_proto_version(s->ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(s->ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_early_data(s->ctx, 0) != 1 ||
        SSL_CTX_set_recv_max_early_data(s->ctx, 0) != 1)
        return cm_tls_fail(CM_TLS_PROVIDER);
    if (SSL_CTX_ctrl(s->ctx, SSL_CTRL_SET_GROUPS_LIST, 0,
                     (char *)(uintptr_t)cm_tls_groups_of(s->policy)) != 1)
        return cm_tls_fail(CM_CRYPT_PROFILE);
    SSL_CTX_set_options(s->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(s->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(s->ctx, 1);
    return CM_OKAY;
}

static cm_err fill_set(cm_tls_set *s, const cm_tls_options *o)
{
    CM_TRY(set_protocol(s));
    CM_TRY(set_alpn(s, o->alpn));
    CM_TRY(set_resumption(s, o));
    CM_TRY(cm_tls_use(s, o));
    SSL_CTX_set_info_callback(s->ctx, on_info);
    if (s->server) {
        SSL_CTX_set_client_hello_cb(s->ctx, cm_tls_client_hello, NULL);
        if (s->alpn_n)
            SSL_CTX_set_alpn_select_cb(s->ctx, select_protocol, NULL);
    } else if (s->alpn_n && SSL_CTX_set_alpn_protos(s->ctx, s->alpn, (unsigned)s->alpn_n) != 0) {
        return cm_tls_fail(CM_TLS_PROVIDER);
    }
    return CM_OKAY;
}

static cm_err new_set(cm_tls_set **out, const cm_crypt *c, bool server, const cm_tls_options *o)
{
    CM_AUTO(drop_ptr) cm_tls_set *s = NULL;

    if (o->policy > CM_TLS_LEGACY || o->client_cert > CM_TLS_CERT_REQUIRED)
        return CM_FAIL(TLS_OPTIONS);
    CM_TRY(cm_alloc(&s, sizeof *s));
    atomic_init(&s->refs, 1);
    s->crypt = c;
    s->server = server;
    s->policy = o->policy;
    s->post_quantum_certs = o->post_quantum_certs;
    s->ctx = SSL_CTX_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c),
                            server ? TLS_server_method() : TLS_client_method());
    if (!s->ctx)
        return cm_tls_fail(CM_TLS_PROVIDER);
    CM_TRY(fill_set(s, o));
    *out = s;
    s = NULL;
    return CM_OKAY;
}

static cm_err new_tls(cm_tls **out, const cm_crypt *c, bool server, const cm_tls_options *o)
{
    CM_AUTO(drop_ptr) cm_tls_set *s = NULL;
    cm_tls *t;

    CM_TRY(new_set(&s, c, server, o));
    CM_TRY(cm_alloc(&t, sizeof *t));
    pthread_mutex_init(&t->lock, NULL);
    t->crypt = c;
    t->server = server;
    t->set = s;
    s = NULL;
    *out = t;
    return CM_OKAY;
}

cm_err cm_tls_server_new(cm_tls **out, const cm_crypt *c, const cm_tls_options *o)
{
    return new_tls(out, c, true, o);
}

cm_err cm_tls_client_new(cm_tls **out, const cm_crypt *c, const cm_tls_options *o)
{
    return new_tls(out, c, false, o);
}

cm_err cm_tls_reload(cm_tls *t, const cm_tls_options *o)
{
    cm_tls_set *s, *old;

    CM_TRY(new_set(&s, t->crypt, t->server, o));
    pthread_mutex_lock(&t->lock);
    old = t->set;
    t->set = s;
    pthread_mutex_unlock(&t->lock);
    cm_tls_set_drop(old);
    return CM_OKAY;
}

void cm_tls_free(cm_tls *t)
{
    if (!t)
        return;
    cm_tls_set_drop(t->set);
    pthread_mutex_destroy(&t->lock);
    cm_free(t);
}

void cm_tls_free_ptr(cm_tls **t)
{
    cm_tls_free(*t);
}
