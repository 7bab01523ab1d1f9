#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "crypt/ossl.h"
#include "pki/cert_int.h"

enum { HOST_MAX = 253 };

CM_PKI_SCOPED(X509_STORE, store, X509_STORE_free)
CM_PKI_SCOPED(X509_STORE_CTX, store_ctx, X509_STORE_CTX_free)
CM_PKI_SCOPED(STACK_OF(X509), stack, sk_X509_free)

static cm_err set_host(X509_VERIFY_PARAM *p, cm_view host)
{
    char name[HOST_MAX + 1] = {0};

    if (host.n == 0)
        return CM_OKAY;
    if (host.n > HOST_MAX || memchr(host.p, 0, host.n))
        return CM_FAIL(CERT_NAME);
    memcpy(name, host.p, host.n);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(p, name) == 1)
        return CM_OKAY;
    (void)cm_pki_fail(CM_CERT_NAME);
    /* OpenSSL takes a leading dot for "any name below"; a host has none, and no wildcard. */
    if (name[0] == '*' || cm_failed(cm_cert_dns_check(host)))
        return CM_FAIL(CERT_NAME);
    CM_TRY_PKI(X509_VERIFY_PARAM_set1_host(p, name, host.n));
    return CM_OKAY;
}

/* K-67 */
static cm_err set_rules(X509_STORE_CTX *ctx, const cm_cert_trust *t)
{
    static const int purposes[] = {
        [CM_CERT_FOR_SERVER] = X509_PURPOSE_SSL_SERVER,
        [CM_CERT_FOR_CLIENT] = X509_PURPOSE_SSL_CLIENT,
    };
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_time(p, (time_t)t->now);
    X509_VERIFY_PARAM_set_depth(p, CM_CERT_CHAIN_MAX);
    CM_TRY_PKI(
        X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE));
    if (t->use != CM_CERT_FOR_ANY)
        CM_TRY_PKI(X509_VERIFY_PARAM_set_purpose(p, purposes[t->use]));
    return set_host(p, t->host);
}

static cm_err outcome(int e)
{
    switch (e) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return CM_FAIL(CERT_EXPIRED);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
        return CM_FAIL(CERT_SIGNATURE);
    case X509_V_ERR_INVALID_PURPOSE:
        return CM_FAIL(CERT_PURPOSE);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return CM_FAIL(CERT_NAME);
    case X509_V_ERR_OUT_OF_MEM:
        return CM_FAIL(NO_MEMORY);
    default:
        return CM_FAIL(CERT_UNTRUSTED);
    }
}

static bool all_pq(X509_STORE_CTX *ctx)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

    for (int i = 0; i < sk_X509_num(chain); i++)
        if (!cm_cert_pq(sk_X509_value(chain, i)))
            return false;
    return true;
}

cm_err cm_cert_verify(const cm_crypt *c, const cm_cert *leaf, const cm_cert_trust *t)
{
    CM_AUTO(cm_pki_store_done) X509_STORE *store = X509_STORE_new();
    CM_AUTO(cm_pki_stack_done) STACK_OF(X509) *extra = sk_X509_new_null();
    CM_AUTO(cm_pki_store_ctx_done)
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));

    if (!store || !extra || !ctx)
        return CM_FAIL(NO_MEMORY);
    for (size_t i = 0; i < t->roots->n; i++)
        CM_TRY_PKI(X509_STORE_add_cert(store, t->roots->v[i]->x));
    for (size_t i = 0; t->extra && i < t->extra->n; i++)
        if (sk_X509_push(extra, t->extra->v[i]->x) <= 0)
            return CM_FAIL(NO_MEMORY);
    CM_TRY_PKI(X509_STORE_CTX_init(ctx, store, leaf->x, extra));
    CM_TRY(set_rules(ctx, t));
    ERR_clear_error();
    if (X509_verify_cert(ctx) != 1) {
        cm_err e = cm_pki_fail(CM_PKI_PROVIDER); /* want of memory looks like a missing issuer */

        return cm_is(e, CM_NO_MEMORY) ? e : outcome(X509_STORE_CTX_get_error(ctx));
    }
    return t->post_quantum_only && !all_pq(ctx) ? CM_FAIL(CERT_CLASSICAL) : CM_OKAY;
}
