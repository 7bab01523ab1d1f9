/* Answers of a vendor's revocation service (OCSP, RFC 6960), fetched by someone else. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "attest/attest_int.h"
#include "crypt/ossl.h"

enum { ANSWER_MAX = 1 << 16 };

CM_ATTEST_SCOPED(OCSP_RESPONSE, ocsp_response, OCSP_RESPONSE_free)
CM_ATTEST_SCOPED(OCSP_BASICRESP, ocsp_basic, OCSP_BASICRESP_free)
CM_ATTEST_SCOPED(OCSP_CERTID, ocsp_id, OCSP_CERTID_free)

/* ---- form ---------------------------------------------------------------------------------- */

static OCSP_BASICRESP *parse(cm_view der)
{
    const uint8_t *p = der.p;
    CM_AUTO(cm_attest_ocsp_response_done)
    OCSP_RESPONSE *r =
        der.n && der.n <= ANSWER_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)der.n) : NULL;
    OCSP_BASICRESP *basic = NULL;

    if (r && p == der.p + der.n && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(r);
    ERR_clear_error();
    return basic;
}

bool cm_ocsp_is(cm_view v)
{
    OCSP_BASICRESP *basic = parse(v);

    OCSP_BASICRESP_free(basic);
    return basic != NULL;
}

/* ---- whose answer -------------------------------------------------------------------------- */

static bool now_within(const ASN1_TIME *from, const ASN1_TIME *to, uint64_t at)
{
    time_t now = (time_t)at;

    return from && to && X509_cmp_time(from, &now) < 0 && X509_cmp_time(to, &now) > 0;
}

static bool same_key(const X509 *a, EVP_PKEY *key)
{
    EVP_PKEY *own = X509_get0_pubkey(a);

    return own && EVP_PKEY_eq(own, key) == 1;
}

/* AT-128: the issuer itself, or one whom it made a responder and who is one at that time. */
static bool may_answer(X509 *signer, EVP_PKEY *issuer, uint64_t now)
{
    if (same_key(signer, issuer))
        return true;
    return X509_verify(signer, issuer) == 1 &&
           (X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) &&
           now_within(X509_get0_notBefore(signer), X509_get0_notAfter(signer), now);
}

static bool believed(OCSP_BASICRESP *r, EVP_PKEY *issuer, uint64_t now)
{
    X509 *signer = NULL;
    bool good = OCSP_resp_get0_signer(r, &signer, NULL) == 1 && signer &&
                may_answer(signer, issuer, now) &&
                OCSP_basic_verify(r, NULL, NULL, OCSP_NOVERIFY) == 1;

    ERR_clear_error();
    return good;
}

static bool has_nonce(OCSP_BASICRESP *r, cm_view nonce)
{
    int at = OCSP_BASICRESP_get_ext_by_NID(r, NID_id_pkix_OCSP_Nonce, -1);
    const ASN1_OCTET_STRING *v;
    cm_view have;

    if (nonce.n == 0)
        return true;
    if (at < 0)
        return false;
    v = X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext(r, at));
    have = cm_view_of(ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v));
    /* An OCTET STRING inside of one. */
    return have.n == nonce.n + 2 && nonce.n < 0x80 && have.p[0] == 4 && have.p[1] == nonce.n &&
           cm_view_eq(cm_view_sub(have, 2, nonce.n), nonce);
}

/* ---- about one certificate ------------------------------------------------------------------ */

/* Whether id is of x, under whatever hash it was made with. */
static bool is_of(const OCSP_CERTID *id, const X509 *x, const X509_NAME *name, EVP_PKEY *issuer)
{
    CM_AUTO(cm_attest_ocsp_id_done) OCSP_CERTID *own = NULL;
    CM_AUTO(cm_attest_x509_done) X509 *holder = X509_new();
    ASN1_OBJECT *hash = NULL;
    const EVP_MD *md;

    if (!holder || OCSP_id_get0_info(NULL, &hash, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return false;
    md = EVP_get_digestbyobj(hash);
    if (md && X509_set_pubkey(holder, issuer) == 1)
        own =
            OCSP_cert_id_new(md, name, X509_get0_pubkey_bitstr(holder), X509_get0_serialNumber(x));
    ERR_clear_error();
    return own && OCSP_id_cmp(own, id) == 0;
}

static cm_ocsp_status status_of(OCSP_SINGLERESP *s, uint64_t now)
{
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    int reason = -1;
    int status = OCSP_single_get0_status(s, &reason, NULL, &from, &to);

    if (!now_within(from, to, now))
        return CM_OCSP_STALE;
    if (status == V_OCSP_CERTSTATUS_GOOD)
        return CM_OCSP_GOOD;
    if (status != V_OCSP_CERTSTATUS_REVOKED)
        return CM_OCSP_UNKNOWN;
    return reason == OCSP_REVOKED_STATUS_CERTIFICATEHOLD ? CM_OCSP_HELD : CM_OCSP_REVOKED;
}

cm_ocsp_status cm_ocsp_about(cm_view der, const X509 *x, EVP_PKEY *issuer, uint64_t now,
                             cm_view nonce)
{
    CM_AUTO(cm_attest_ocsp_basic_done) OCSP_BASICRESP *r = parse(der);
    cm_ocsp_status worst = CM_OCSP_NONE;

    for (int i = 0; r && i < OCSP_resp_count(r); i++) {
        OCSP_SINGLERESP *s = OCSP_resp_get0(r, i);

        if (is_of(OCSP_SINGLERESP_get0_id(s), x, X509_get_issuer_name(x), issuer))
            worst = CM_MAX(worst, status_of(s, now));
    }
    if (worst != CM_OCSP_NONE && (!believed(r, issuer, now) || !has_nonce(r, nonce)))
        return CM_OCSP_FORGED;
    return worst;
}

/* ---- a path -------------------------------------------------------------------------------- */

/* An answer that is old is worth less than one of its time; of these the worse counts. */
static cm_ocsp_status best_about(const cm_run *run, const X509 *x, EVP_PKEY *issuer)
{
    cm_ocsp_status all = CM_OCSP_NONE;

    for (size_t i = 0; i < run->in->n_ocsps; i++) {
        cm_ocsp_status s =
            cm_ocsp_about(run->in->ocsps[i], x, issuer, run->p->now, run->p->ocsp_nonce);
        bool firm = s != CM_OCSP_NONE && s != CM_OCSP_STALE && s != CM_OCSP_FORGED;
        bool had = all != CM_OCSP_NONE && all != CM_OCSP_STALE && all != CM_OCSP_FORGED;

        if (firm == had ? s > all : firm)
            all = s;
    }
    return all;
}

/* AT-128, AT-129 */
void cm_path_ocsp(cm_path *path, cm_run *run, size_t from)
{
    static const char *const why[] = {
        [CM_OCSP_NONE] = "an answer of the vendor's revocation service was not given",
        [CM_OCSP_STALE] = "an answer of the vendor's revocation service is not of that time",
        [CM_OCSP_FORGED] = "an answer about revocation is not the vendor's, or to another question",
        [CM_OCSP_UNKNOWN] = "the vendor's revocation service does not know a certificate",
        [CM_OCSP_HELD] = "a certificate is held back by the vendor",
        [CM_OCSP_REVOKED] = "a certificate is revoked",
    };

    for (size_t i = from; i < path->n; i++) {
        EVP_PKEY *issuer = cm_path_issuer(path, run, i);
        cm_ocsp_status s;

        /* The root's own certificate ends with its key. */
        if (i + 1 == path->n &&
            X509_NAME_cmp(X509_get_issuer_name(path->v[i]), X509_get_subject_name(path->v[i])) == 0)
            break;
        s = issuer ? best_about(run, path->v[i], issuer) : CM_OCSP_NONE;
        if (s == CM_OCSP_GOOD)
            cm_note_pass(run, CM_CHECK_REVOCATION);
        else if (s == CM_OCSP_NONE)
            cm_note_skip(run, CM_CHECK_REVOCATION, why[s]);
        else
            cm_note_fail(run, CM_CHECK_REVOCATION, why[s]);
    }
}
