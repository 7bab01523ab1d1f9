/* What a file of collateral is about, and its dates. */
#include "attest/collateral.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>

#include "attest/attest_int.h"
#include "codec/cbor.h"
#include "codec/json.h"
#include "codec/text.h"
#include "crypt/ossl.h"

enum {
    ABOUT = 8, /* bytes of a digest that name a slot */
    FIRST_DELAY = 60,
    LAST_DELAY = 86400,
    SHORTEST = 600,
};

static const char format[] = "casemate-collateral/1";

static cm_err slot_of(cm_collateral *out, const cm_crypt *c, const char *kind, cm_view about)
{
    uint8_t digest[32];
    int n = snprintf(out->slot, sizeof out->slot, "%s-", kind);

    CM_TRY(cm_hash_once(c, CM_SHA256, digest, about));
    for (size_t i = 0; i < ABOUT; i++)
        n += snprintf(out->slot + n, 3, "%02x", digest[i]);
    out->kind = kind;
    return CM_OKAY;
}

static bool seconds(uint64_t *out, const ASN1_TIME *t)
{
    struct tm tm;
    time_t s;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1 || (s = timegm(&tm)) < 0)
        return false;
    *out = (uint64_t)s;
    return true;
}

/* ---- DER ------------------------------------------------------------------------------------ */

static cm_view name_of(const X509_NAME *n)
{
    const unsigned char *p = NULL;
    size_t len = 0;

    return X509_NAME_get0_der(n, &p, &len) == 1 ? cm_view_of(p, len) : cm_view_of(NULL, 0);
}

static cm_err of_crl(cm_collateral *out, bool *is, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_attest_crl_done)
    X509_CRL *x = X509_CRL_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    const unsigned char *p = der.p;
    cm_view issuer;

    *is = x && d2i_X509_CRL(&x, &p, (long)der.n) && p == der.p + der.n;
    if (!*is)
        return CM_OKAY;
    issuer = name_of(X509_CRL_get_issuer(x));
    if (!issuer.n || !seconds(&out->issued, X509_CRL_get0_lastUpdate(x)))
        return CM_FAIL(COLLATERAL_KIND);
    if (X509_CRL_get0_nextUpdate(x) && !seconds(&out->next, X509_CRL_get0_nextUpdate(x)))
        return CM_FAIL(COLLATERAL_KIND);
    return slot_of(out, c, "crl", issuer);
}

static cm_err of_cert(cm_collateral *out, bool *is, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_attest_x509_done) X509 *x = X509_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    const unsigned char *p = der.p;

    *is = x && d2i_X509(&x, &p, (long)der.n) && p == der.p + der.n;
    if (!*is)
        return CM_OKAY;
    if (!seconds(&out->issued, X509_get0_notBefore(x)) ||
        !seconds(&out->next, X509_get0_notAfter(x)))
        return CM_FAIL(COLLATERAL_KIND);
    return slot_of(out, c, "certificate", der);
}

static void ocsp_done(OCSP_RESPONSE **r)
{
    OCSP_RESPONSE_free(*r);
}

static void basic_done(OCSP_BASICRESP **b)
{
    OCSP_BASICRESP_free(*b);
}

/* The one certificate that an answer is about. */
static cm_err of_single(cm_collateral *out, const cm_crypt *c, OCSP_SINGLERESP *one)
{
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
    unsigned char *der = NULL;
    int n = i2d_OCSP_CERTID(id, &der);
    cm_err e = CM_FAIL(COLLATERAL_KIND);

    (void)OCSP_single_get0_status(one, NULL, NULL, &from, &to);
    if (n > 0 && seconds(&out->issued, from) && (!to || seconds(&out->next, to)))
        e = slot_of(out, c, "ocsp", cm_view_of(der, (size_t)n));
    OPENSSL_free(der);
    return e;
}

static cm_err of_ocsp(cm_collateral *out, bool *is, const cm_crypt *c, cm_view der)
{
    const unsigned char *p = der.p;
    CM_AUTO(ocsp_done) OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
    CM_AUTO(basic_done) OCSP_BASICRESP *b = r ? OCSP_response_get1_basic(r) : NULL;

    *is = r && b && p == der.p + der.n;
    if (!*is)
        return CM_OKAY;
    return OCSP_resp_count(b) == 1 ? of_single(out, c, OCSP_resp_get0(b, 0))
                                   : CM_FAIL(COLLATERAL_KIND);
}

static cm_err of_der(cm_collateral *out, const cm_crypt *c, cm_view der)
{
    bool is = false;
    cm_err e = of_crl(out, &is, c, der);

    if (!is && cm_ok(e))
        e = of_cert(out, &is, c, der);
    if (!is && cm_ok(e))
        e = of_ocsp(out, &is, c, der);
    ERR_clear_error();
    return cm_failed(e) || is ? e : CM_FAIL(COLLATERAL_KIND);
}

static cm_err of_pem(cm_collateral *out, const cm_crypt *c, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_COLLATERAL_MAX};
    cm_view label;

    if (cm_failed(cm_pem_next(&der, &label, &text)))
        return CM_FAIL(COLLATERAL_KIND);
    if (!cm_view_eq(label, CM_LIT("CERTIFICATE")) && !cm_view_eq(label, CM_LIT("X509 CRL")))
        return CM_FAIL(COLLATERAL_KIND);
    return of_der(out, c, cm_buf_view(&der));
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* "2025-06-19T10:32:27Z" */
static bool date_of(const cm_json_node *o, const char *key, uint64_t *out)
{
    struct tm tm = {0};
    char text[24];
    const char *end;
    cm_view v;
    time_t t;

    if (cm_failed(cm_json_string(cm_json_get(o, key), &v)) || v.n != 20)
        return false;
    memcpy(text, v.p, v.n);
    text[v.n] = 0;
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    t = end && !*end ? timegm(&tm) : -1;
    *out = (uint64_t)t;
    return t > 0;
}

static bool put_part(cm_buf *about, const cm_json_node *o, const char *key)
{
    cm_view v;

    return cm_ok(cm_json_string(cm_json_get(o, key), &v)) && v.n > 0 &&
           cm_ok(cm_buf_append(about, v)) && cm_ok(cm_buf_byte(about, '/'));
}

static cm_err of_statement(cm_collateral *out, const cm_crypt *c, const cm_json_node *o,
                           const char *kind, const char *more)
{
    CM_AUTO(cm_buf_free) cm_buf about = {.max = 256};

    if (!date_of(o, "issueDate", &out->issued) || !date_of(o, "nextUpdate", &out->next) ||
        !put_part(&about, o, "id") || (more && !put_part(&about, o, more)))
        return CM_FAIL(COLLATERAL_KIND);
    return slot_of(out, c, kind, cm_buf_view(&about));
}

static cm_err of_json(cm_collateral *out, const cm_crypt *c, cm_view text, uint64_t now)
{
    cm_json *json = NULL;
    const cm_json_node *root, *o;
    cm_err e = CM_FAIL(COLLATERAL_KIND);

    if (cm_failed(cm_json_parse(&json, text, NULL, NULL)))
        return e;
    root = cm_json_root(json);
    if ((o = cm_json_get(root, "tcbInfo")) != NULL) {
        e = of_statement(out, c, o, "tcb-info", "fmspc");
    } else if ((o = cm_json_get(root, "enclaveIdentity")) != NULL) {
        e = of_statement(out, c, o, "qe-identity", NULL);
    } else if ((o = cm_json_get(root, "entries")) != NULL && cm_json_type_of(o) == CM_JSON_OBJECT) {
        out->issued = now; /* it has no date and no signature */
        e = slot_of(out, c, "status-list", CM_LIT("entries"));
    }
    cm_json_free(json);
    return e;
}

cm_err cm_collateral_describe(cm_collateral *out, const cm_crypt *c, cm_view file, uint64_t now)
{
    cm_collateral d = {.kind = ""};

    if (file.n == 0 || file.n > CM_COLLATERAL_MAX)
        return CM_FAIL(COLLATERAL_KIND);
    if (file.p[0] == 0x30)
        CM_TRY(of_der(&d, c, file));
    else if (file.p[0] == '{')
        CM_TRY(of_json(&d, c, file, now));
    else
        CM_TRY(of_pem(&d, c, file));
    if (d.next && d.next <= d.issued) /* AT-150 */
        return CM_FAIL(COLLATERAL_KIND);
    *out = d;
    return CM_OKAY;
}

/* AT-151 */
bool cm_collateral_newer(const cm_collateral *a, const cm_collateral *b)
{
    return b->issued > a->issued || (b->issued == a->issued && b->next >= a->next);
}

/* ---- bundles -------------------------------------------------------------------------------- */

/* AT-154 */
cm_err cm_collateral_bundle_put(cm_buf *out, const cm_view *files, size_t n)
{
    if (n > CM_COLLATERAL_ITEMS)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cbor_put_array(out, n + 1));
    CM_TRY(cm_cbor_put_text(out, cm_view_str(format)));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_cbor_put_bytes(out, files[i]));
    return CM_OKAY;
}

static bool begins(cm_cbor *c, uint64_t *n)
{
    cm_view v;

    return cm_ok(cm_cbor_array(c, n)) && *n >= 1 && *n <= CM_COLLATERAL_ITEMS + 1 &&
           cm_ok(cm_cbor_text(c, &v)) && cm_view_eq(v, cm_view_str(format));
}

cm_err cm_collateral_bundle_each(cm_view bundle, cm_err (*fn)(void *arg, cm_view file), void *arg)
{
    cm_cbor c, check;
    uint64_t n = 0;
    cm_view v;

    if (bundle.n > CM_COLLATERAL_BUNDLE_MAX || cm_failed(cm_cbor_open(&c, bundle, NULL)) ||
        !begins(&c, &n))
        return CM_FAIL(COLLATERAL_BUNDLE);
    check = c;
    for (uint64_t i = 1; i < n; i++)
        if (cm_failed(cm_cbor_bytes(&check, &v)) || v.n == 0 || v.n > CM_COLLATERAL_MAX)
            return CM_FAIL(COLLATERAL_BUNDLE);
    if (cm_failed(cm_cbor_end(&check)))
        return CM_FAIL(COLLATERAL_BUNDLE);
    for (uint64_t i = 1; i < n; i++) {
        CM_TRY(cm_cbor_bytes(&c, &v));
        CM_TRY(fn(arg, v));
    }
    return CM_OKAY;
}

/* ---- when to ask ---------------------------------------------------------------------------- */

/* AT-153 */
uint64_t cm_collateral_backoff(uint32_t failures, uint64_t random)
{
    uint64_t delay = FIRST_DELAY;

    for (uint32_t i = 1; i < failures && delay < LAST_DELAY; i++)
        delay *= 2;
    delay = CM_MIN(delay, (uint64_t)LAST_DELAY);
    return failures ? delay / 2 + random % (delay / 2 + 1) : 0;
}

uint64_t cm_collateral_due(const cm_collateral *c, uint64_t now)
{
    uint64_t wait = LAST_DELAY;

    if (c->next > now)
        wait = CM_MIN((c->next - now) / 2, (uint64_t)LAST_DELAY);
    return now + CM_MAX(wait, (uint64_t)SHORTEST);
}
