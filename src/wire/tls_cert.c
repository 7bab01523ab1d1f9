#include <openssl/x509v3.h>

#include "crypt/ossl.h"
#include "pki/ossl.h"
#include "wire/tls_int.h"

enum { VERIFY_DEPTH = 16 };

/* W-44. Algorithms of certificates, and of signatures in the handshake, in the order in which the
 * other side's are asked for. */
static const struct sigalg {
    const char *key, *name;
    bool pq;
} sigalgs[] = {
    {"ML-DSA-65", "mldsa65", true},
    {"ML-DSA-87", "mldsa87", true},
    {"ML-DSA-44", "mldsa44", true},
    {"Ed25519", "ed25519", false},
    {"P-256", "ecdsa_secp256r1_sha256", false},
    {"P-384", "ecdsa_secp384r1_sha384", false},
};

static const char *sigalg_of(const cm_pkey *k)
{
    for (size_t i = 0; i < CM_COUNT(sigalgs); i++)
        if (strcmp(sigalgs[i].key, cm_pkey_algorithm(k)) == 0)
            return sigalgs[i].name;
    return NULL;
}

/* ---- lists ---- */

/* A list of names for OpenSSL, each behind a question mark: the fips profile may lack some. */
static cm_err add_name(char *list, size_t max, const char *name)
{
    size_t n = strlen(list), more = strlen(name) + 2;

    if (n + more >= max)
        return CM_FAIL(TLS_OPTIONS);
    if (n)
        list[n++] = ':';
    list[n++] = '?';
    memcpy(list + n, name, strlen(name) + 1);
    return CM_OKAY;
}

static cm_err peer_sigalgs(cm_tls_set *s)
{
    char list[CM_TLS_LIST_MAX] = "";

    for (size_t i = 0; i < CM_COUNT(sigalgs); i++)
        if (sigalgs[i].pq || !s->post_quantum_certs)
            CM_TRY(add_name(list, sizeof list, sigalgs[i].name));
    if (s->server)
        return SSL_CTX_set1_client_sigalgs_list(s->ctx, list) == 1 ? CM_OKAY
                                                                   : cm_tls_fail(CM_CRYPT_PROFILE);
    return SSL_CTX_set1_sigalgs_list(s->ctx, list) == 1 ? CM_OKAY : cm_tls_fail(CM_CRYPT_PROFILE);
}

/* ---- our own ---- */

static inline void evp_done(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static inline void stack_done(STACK_OF(X509) * *s)
{
    sk_X509_free(*s);
}

static cm_err use_identity(cm_tls_set *s, const cm_tls_identity *id)
{
    CM_AUTO(evp_done) EVP_PKEY *key = NULL;
    CM_AUTO(stack_done) STACK_OF(X509) *above = sk_X509_new_null();

    if (!above)
        return CM_FAIL(NO_MEMORY);
    if (!id->chain || id->chain->n == 0 || !id->key || !sigalg_of(id->key))
        return CM_FAIL(TLS_IDENTITY);
    CM_TRY(cm_pkey_evp(&key, s->crypt, id->key));
    for (size_t i = 1; i < id->chain->n; i++)
        if (sk_X509_push(above, cm_cert_x509(id->chain->v[i])) <= 0)
            return CM_FAIL(NO_MEMORY);
    /* Without the last argument a second identity of the same algorithm is refused. */
    if (SSL_CTX_use_cert_and_key(s->ctx, cm_cert_x509(id->chain->v[0]), key, above, 0) != 1)
        return cm_tls_fail(CM_TLS_IDENTITY);
    return CM_OKAY;
}

static cm_err use_identities(cm_tls_set *s, const cm_tls_options *o)
{
    char list[CM_TLS_LIST_MAX] = "";

    if (o->identities_n > CM_TLS_IDENTITIES_MAX || (!s->server && o->identities_n > 1))
        return CM_FAIL(TLS_OPTIONS);
    if (s->server && o->identities_n == 0)
        return CM_FAIL(TLS_IDENTITY);
    for (size_t i = 0; i < o->identities_n; i++) {
        CM_TRY(use_identity(s, &o->identities[i]));
        CM_TRY(add_name(list, sizeof list, sigalg_of(o->identities[i].key)));
    }
    if (s->server && SSL_CTX_set1_sigalgs_list(s->ctx, list) != 1)
        return cm_tls_fail(CM_CRYPT_PROFILE);
    if (!s->server && o->identities_n && SSL_CTX_set1_client_sigalgs_list(s->ctx, list) != 1)
        return cm_tls_fail(CM_CRYPT_PROFILE);
    return CM_OKAY;
}

/* ---- the other side's ---- */

static cm_err use_roots(cm_tls_set *s, const cm_tls_options *o)
{
    for (size_t i = 0; o->roots && i < o->roots->n; i++) {
        X509 *x = cm_cert_x509(o->roots->v[i]);

        CM_TRY(cm_cert_share(&s->roots.v[i], x));
        s->roots.n++;
        /* The names tell a client which of its certificates to send. */
        if (s->server && o->client_cert != CM_TLS_CERT_NONE &&
            SSL_CTX_add_client_CA(s->ctx, x) != 1)
            return cm_tls_fail(CM_TLS_PROVIDER);
    }
    return CM_OKAY;
}

static int verify_mode(const cm_tls_set *s, const cm_tls_options *o)
{
    if (!s->server)
        return SSL_VERIFY_PEER;
    if (o->client_cert == CM_TLS_CERT_NONE)
        return SSL_VERIFY_NONE;
    return SSL_VERIFY_PEER |
           (o->client_cert == CM_TLS_CERT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
}

cm_err cm_tls_use(cm_tls_set *s, const cm_tls_options *o)
{
    CM_TRY(use_identities(s, o));
    CM_TRY(use_roots(s, o));
    CM_TRY(peer_sigalgs(s));
    SSL_CTX_set_verify(s->ctx, verify_mode(s, o), NULL);
    SSL_CTX_set_verify_depth(s->ctx, VERIFY_DEPTH);
    SSL_CTX_set_cert_verify_callback(s->ctx, cm_tls_verify_chain, NULL);
    return CM_OKAY;
}

/* What the peer is told, as an alert that OpenSSL derives from this. */
static int as_x509_error(cm_err e)
{
    if (cm_is(e, CM_CERT_EXPIRED))
        return X509_V_ERR_CERT_HAS_EXPIRED;
    if (cm_is(e, CM_CERT_SIGNATURE))
        return X509_V_ERR_CERT_SIGNATURE_FAILURE;
    if (cm_is(e, CM_CERT_PURPOSE))
        return X509_V_ERR_INVALID_PURPOSE;
    if (cm_is(e, CM_CERT_NAME))
        return X509_V_ERR_HOSTNAME_MISMATCH;
    if (cm_is(e, CM_CERT_CLASSICAL))
        return X509_V_ERR_CA_MD_TOO_WEAK;
    if (cm_is(e, CM_NO_MEMORY))
        return X509_V_ERR_OUT_OF_MEM;
    return cm_ok(e) ? X509_V_OK : X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

static cm_err chain_of(cm_certs *out, X509 *leaf, const STACK_OF(X509) * sent)
{
    CM_AUTO(cm_certs_free) cm_certs l = {0};

    if (leaf) {
        CM_TRY(cm_cert_share(&l.v[0], leaf));
        l.n = 1;
    }
    for (int i = 0; i < sk_X509_num(sent); i++) {
        X509 *x = sk_X509_value(sent, i);

        if (leaf && X509_cmp(x, leaf) == 0)
            continue;
        if (l.n == CM_CERT_CHAIN_MAX)
            return CM_FAIL(TOO_BIG);
        CM_TRY(cm_cert_share(&l.v[l.n], x));
        l.n++;
    }
    *out = l;
    l.n = 0;
    return CM_OKAY;
}

/* W-43 */
static cm_err verify(const cm_tls_conn *k, X509 *leaf, const STACK_OF(X509) * sent)
{
    CM_AUTO(cm_certs_free) cm_certs chain = {0};
    const cm_cert_trust trust = {
        .roots = &k->set->roots,
        .extra = &chain,
        .now = k->now,
        .use = k->set->server ? CM_CERT_FOR_CLIENT : CM_CERT_FOR_SERVER,
        .host = cm_view_of(k->host, k->host_n),
        .post_quantum_only = k->set->post_quantum_certs,
    };

    CM_TRY(chain_of(&chain, leaf, sent));
    return chain.n ? cm_cert_verify(k->set->crypt, chain.v[0], &trust) : CM_FAIL(TLS_NO_CERT);
}

int cm_tls_verify_chain(X509_STORE_CTX *ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    cm_tls_conn *k = SSL_get_app_data(ssl);

    (void)arg;
    k->cert = verify(k, X509_STORE_CTX_get0_cert(ctx), X509_STORE_CTX_get0_untrusted(ctx));
    X509_STORE_CTX_set_error(ctx, as_x509_error(k->cert));
    return cm_ok(k->cert);
}

cm_err cm_tls_recheck(const cm_tls_conn *k)
{
    X509 *x = SSL_get0_peer_certificate(k->ssl);
    time_t now = (time_t)k->now;

    if (!x)
        return CM_OKAY;
    if (X509_cmp_time(X509_get0_notBefore(x), &now) >= 0 ||
        X509_cmp_time(X509_get0_notAfter(x), &now) <= 0)
        return CM_FAIL(CERT_EXPIRED);
    return CM_OKAY;
}

cm_err cm_tls_peer_chain(cm_certs *out, const cm_tls_conn *k)
{
    return chain_of(out, SSL_get0_peer_certificate(k->ssl), SSL_get_peer_cert_chain(k->ssl));
}
