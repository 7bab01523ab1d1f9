/* Answers of NVIDIA's revocation service: those recorded beside a report, and answers of our own
 * about a certificate of our own. */
#include <string.h>

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "attest_kit.h"

#define SET "nvidia/hopper-550.90.07-full"

enum { ANSWERS = 3, DAY = 86400, ANSWER_MAX = 8192 };

static const char *const files[ANSWERS] = {
    "ocsp/gpu_certificate_l2.der", "ocsp/gpu_certificate_l3.der", "ocsp/gpu_certificate_l4.der"};

/* ---- recorded ------------------------------------------------------------------------------ */

static bool revocation(tee *t, uint64_t now, cm_verdict v)
{
    t->p.now = now;
    T_CHECK(cm_ok(tee_run(t, UINT32_MAX)) == (v != CM_VERDICT_FAIL));
    t_ran();
    return tee_is(t, CM_CHECK_REVOCATION, v);
}

/* AT-128 */
static void recorded(void)
{
    tee *t = tee_new(SET, "report.bin", 0);
    uint64_t noon = tee_time("2025-08-21T12:00:00");
    cm_view answer[ANSWERS];
    uint8_t other[ANSWER_MAX];

    tee_cert(t, SET, "chain.pem");
    for (size_t i = 0; i < ANSWERS; i++)
        answer[i] = tee_file(t, SET, files[i]);
    t->in.ocsps = answer;
    t->in.n_ocsps = ANSWERS;
    T_CHECK(revocation(t, noon, CM_VERDICT_PASS));
    T_CHECK(revocation(t, noon + DAY, CM_VERDICT_FAIL));
    T_CHECK(revocation(t, noon - DAY, CM_VERDICT_FAIL));
    t->p.ocsp_nonce = CM_LIT("these were not asked for with one");
    T_CHECK(revocation(t, noon, CM_VERDICT_FAIL));
    t->p.ocsp_nonce = cm_view_of(NULL, 0);
    for (size_t n = 0; n < ANSWERS; n++) {
        t->in.n_ocsps = n;
        T_CHECK(revocation(t, noon, CM_VERDICT_SKIP));
    }
    t->in.n_ocsps = ANSWERS;
    for (size_t i = 0; i < ANSWERS; i++) {
        cm_view whole = answer[i];

        memcpy(other, whole.p, whole.n);
        for (size_t at = 0; at < whole.n; at += getenv("CASEMATE_MUTATE") ? 1 : 41) {
            other[at] ^= 1;
            answer[i] = cm_view_of(other, whole.n);
            t_case("byte", at);
            T_CHECK(cm_ok(tee_run(t, UINT32_MAX)) || t->r.n_claims);
            T_CHECK(t->r.check[CM_CHECK_REVOCATION].verdict != CM_VERDICT_PASS);
            other[at] ^= 1;
            answer[i] = cm_view_sub(whole, 0, at);
            (void)cm_failed(tee_run(t, UINT32_MAX));
            T_CHECK(tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_SKIP));
            t_ran();
        }
        answer[i] = whole;
    }
    tee_done(t);
}

/* ---- our own ------------------------------------------------------------------------------- */

typedef struct {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *leaf, *responder;
    uint64_t now;
} world;

static X509 *certificate(world *w, EVP_PKEY *key, const char *cn, long serial, const char *usage)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_NAME_new(), *issuer = X509_NAME_new();

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
    X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_ASC, (const uint8_t *)"ca", -1, -1, 0);
    X509_set_version(x, X509_VERSION_3);
    X509_set_subject_name(x, name);
    X509_set_issuer_name(x, issuer);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)w->now - DAY);
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)w->now + DAY);
    X509_set_pubkey(x, key);
    if (usage) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, usage);

        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    X509_sign(x, w->ca_key, EVP_sha384());
    X509_NAME_free(name);
    X509_NAME_free(issuer);
    return x;
}

/* What may be wrong with an answer. */
typedef struct {
    int status, reason;
    long from, to; /* seconds from now */
    X509 *signer;
    EVP_PKEY *key;
    X509 *about;
    bool nonce;
} question;

static cm_ocsp_status ask(world *w, const question *q, cm_view nonce)
{
    OCSP_BASICRESP *b = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha384(), q->about, w->ca);
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)w->now + q->from);
    ASN1_TIME *to = q->to ? ASN1_TIME_set(NULL, (time_t)w->now + q->to) : NULL;
    ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)w->now - 100);
    uint8_t value[] = "0123456789abcdef", *der = NULL;
    OCSP_RESPONSE *r;
    cm_ocsp_status s;
    int n;

    T_CHECK(OCSP_basic_add1_status(b, id, q->status, q->reason, when, from, to) != NULL);
    if (q->nonce)
        T_CHECK(OCSP_basic_add1_nonce(b, value, 16) == 1);
    T_CHECK(OCSP_basic_sign(b, q->signer, q->key, EVP_sha384(), NULL, 0) == 1);
    r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
    n = i2d_OCSP_RESPONSE(r, &der);
    s = cm_ocsp_about(cm_view_of(der, (size_t)n), w->leaf, w->ca_key, w->now, nonce);
    T_CHECK(cm_ocsp_is(cm_view_of(der, (size_t)n)) && !cm_ocsp_is(cm_view_of(der, (size_t)n - 1)));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(b);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_TIME_free(when);
    t_ran();
    return s;
}

static void statuses(world *w, question q, cm_view none)
{
    T_CHECK(ask(w, &q, none) == CM_OCSP_GOOD);
    q.status = V_OCSP_CERTSTATUS_REVOKED;
    q.reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
    T_CHECK(ask(w, &q, none) == CM_OCSP_REVOKED);
    q.reason = OCSP_REVOKED_STATUS_CERTIFICATEHOLD; /* bug 8, AT-129 */
    T_CHECK(ask(w, &q, none) == CM_OCSP_HELD);
    q.status = V_OCSP_CERTSTATUS_UNKNOWN;
    T_CHECK(ask(w, &q, none) == CM_OCSP_UNKNOWN);
    q.status = V_OCSP_CERTSTATUS_GOOD;
    q.from = 60; /* of later */
    q.to = 120;
    T_CHECK(ask(w, &q, none) == CM_OCSP_STALE);
    q.from = -120;
    q.to = -60;
    T_CHECK(ask(w, &q, none) == CM_OCSP_STALE);
    q.to = 0; /* for ever: no answer is */
    T_CHECK(ask(w, &q, none) == CM_OCSP_STALE);
}

static void signers(world *w, question q, cm_view none)
{
    X509 *plain = certificate(w, w->key, "plain", 4, NULL);
    X509 *client = certificate(w, w->key, "client", 5, "clientAuth");

    q.signer = plain;
    T_CHECK(ask(w, &q, none) == CM_OCSP_FORGED);
    q.signer = client;
    T_CHECK(ask(w, &q, none) == CM_OCSP_FORGED);
    ASN1_TIME_set(X509_getm_notAfter(w->responder), (time_t)w->now - 1);
    X509_sign(w->responder, w->ca_key, EVP_sha384());
    q.signer = w->responder;
    T_CHECK(ask(w, &q, none) == CM_OCSP_FORGED);
    ASN1_TIME_set(X509_getm_notAfter(w->responder), (time_t)w->now + DAY);
    X509_sign(w->responder, w->key, EVP_sha384()); /* nobody made it one */
    T_CHECK(ask(w, &q, none) == CM_OCSP_FORGED);
    X509_free(plain);
    X509_free(client);
}

static void minted(void)
{
    world w = {.ca_key = EVP_EC_gen("P-384"), .key = EVP_EC_gen("P-384"), .now = 1770000000};
    cm_view none = {NULL, 0}, nonce = CM_LIT("0123456789abcdef");
    question q = {.status = V_OCSP_CERTSTATUS_GOOD, .from = -60, .to = 60, .key = w.key};

    w.ca = certificate(&w, w.ca_key, "ca", 1, NULL);
    w.leaf = certificate(&w, w.key, "leaf", 2, NULL);
    w.responder = certificate(&w, w.key, "responder", 3, "OCSPSigning");
    q.signer = w.responder;
    q.about = w.leaf;
    statuses(&w, q, none);
    T_CHECK(ask(&w, &q, nonce) == CM_OCSP_FORGED);
    q.nonce = true;
    T_CHECK(ask(&w, &q, nonce) == CM_OCSP_GOOD && ask(&w, &q, none) == CM_OCSP_GOOD);
    T_CHECK(ask(&w, &q, CM_LIT("0123456789abcdeg")) == CM_OCSP_FORGED);
    q.signer = w.ca; /* the issuer itself */
    q.key = w.ca_key;
    T_CHECK(ask(&w, &q, none) == CM_OCSP_GOOD);
    q.about = w.responder; /* of another serial */
    T_CHECK(ask(&w, &q, none) == CM_OCSP_NONE);
    q.about = w.leaf;
    q.key = w.key;
    q.signer = w.responder;
    signers(&w, q, none);
    X509_free(w.ca);
    X509_free(w.leaf);
    X509_free(w.responder);
    EVP_PKEY_free(w.ca_key);
    EVP_PKEY_free(w.key);
}

static void run(void)
{
    t_group("answers of our own", minted);
    if (tee_exists(SET, "report.bin"))
        t_group("answers recorded", recorded);
}

int main(void)
{
    return t_vectors_main(run);
}
