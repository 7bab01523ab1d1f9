#include <openssl/bio.h>
#include <openssl/obj_mac.h>

#include "codec/text.h"
#include "crypt/ossl.h"
#include "pki/cert_int.h"
#include "pki/der_int.h"

/* ---- life, bytes --------------------------------------------------------------------------- */

cm_err cm_cert_wrap(cm_cert **out, X509 **x, cm_reason bad)
{
    cm_cert *cert;

    /* OpenSSL reads the extensions once and keeps them. Here, so that every later use is free of
     * writes to what threads share, and want of memory then can't look like a bad certificate. */
    if (X509_check_purpose(*x, -1, 0) != 1)
        return cm_pki_fail(bad);
    CM_TRY(cm_alloc(&cert, sizeof *cert));
    cert->x = *x;
    *x = NULL;
    *out = cert;
    return CM_OKAY;
}

void cm_cert_free(cm_cert *cert)
{
    if (!cert)
        return;
    X509_free(cert->x);
    cm_free(cert);
}

void cm_cert_free_ptr(cm_cert **cert)
{
    cm_cert_free(*cert);
}

static cm_err next_block(cm_buf *der, cm_view *text, cm_view label)
{
    cm_view is;
    cm_err e = cm_pem_next(der, &is, text);

    if (cm_err_class(e) == CM_CLASS_MALFORMED || cm_err_class(e) == CM_CLASS_NOTFOUND)
        return CM_FAIL(CERT_MALFORMED);
    CM_TRY(e);
    return cm_view_eq(is, label) ? CM_OKAY : CM_FAIL(CERT_MALFORMED);
}

cm_err cm_cert_der(cm_view *der, cm_buf *own, cm_view file, cm_view label)
{
    if (file.n > CM_CERT_FILE_MAX)
        return CM_FAIL(TOO_BIG);
    if (file.n && file.p[0] == CM_DER_SEQUENCE) {
        *der = file;
        return CM_OKAY;
    }
    CM_TRY(next_block(own, &file, label));
    *der = cm_buf_view(own);
    return cm_pki_blank(file) ? CM_OKAY : CM_FAIL(KEY_TRAILING);
}

/* The whole of der, and nothing but DER: what is parsed must encode to the same bytes. */
static cm_err parse(cm_cert **out, const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_pki_x509_done) X509 *x = X509_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_CERT_FILE_MAX};
    const unsigned char *p = der.p;
    uint8_t *w;
    int n;

    if (!x)
        return CM_FAIL(NO_MEMORY);
    if (!d2i_X509(&x, &p, (long)der.n))
        return cm_pki_fail(CM_CERT_MALFORMED);
    if (p != der.p + der.n)
        return CM_FAIL(KEY_TRAILING);
    n = i2d_X509(x, NULL);
    if (n <= 0 || (size_t)n != der.n)
        return cm_pki_fail(CM_CERT_MALFORMED);
    CM_TRY(cm_buf_reserve(&again, (size_t)n));
    w = again.p;
    again.n = (size_t)i2d_X509(x, &w);
    if (!cm_view_eq(cm_buf_view(&again), der))
        return CM_FAIL(CERT_MALFORMED);
    return cm_cert_wrap(out, &x, CM_CERT_MALFORMED);
}

cm_err cm_cert_read(cm_cert **out, const cm_crypt *c, cm_view file)
{
    CM_AUTO(cm_buf_free) cm_buf own = {.max = CM_CERT_FILE_MAX};
    cm_view der;

    CM_TRY(cm_cert_der(&der, &own, file, CM_LIT("CERTIFICATE")));
    return parse(out, c, der);
}

cm_err cm_certs_read(cm_certs *out, const cm_crypt *c, cm_view file)
{
    CM_AUTO(cm_certs_free) cm_certs l = {0};

    if (file.n > CM_CERT_FILE_MAX)
        return CM_FAIL(TOO_BIG);
    do {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};

        if (l.n == CM_CERT_CHAIN_MAX)
            return CM_FAIL(TOO_BIG);
        CM_TRY(next_block(&der, &file, CM_LIT("CERTIFICATE")));
        CM_TRY(parse(&l.v[l.n], c, cm_buf_view(&der)));
        l.n++;
    } while (!cm_pki_blank(file));
    *out = l;
    l = (cm_certs){0};
    return CM_OKAY;
}

void cm_certs_free(cm_certs *l)
{
    for (size_t i = 0; i < l->n; i++)
        cm_cert_free(l->v[i]);
    *l = (cm_certs){0};
}

cm_err cm_cert_write_der(cm_buf *out, const cm_cert *cert)
{
    int n = i2d_X509(cert->x, NULL);
    uint8_t *w;

    if (n <= 0)
        return cm_pki_fail(CM_PKI_PROVIDER);
    CM_TRY(cm_buf_reserve(out, (size_t)n));
    w = out->p + out->n;
    if (i2d_X509(cert->x, &w) != n)
        return cm_pki_fail(CM_PKI_PROVIDER);
    out->n += (size_t)n;
    return CM_OKAY;
}

cm_err cm_cert_write(cm_buf *out, const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};

    CM_TRY(cm_cert_write_der(&der, cert));
    return cm_pem_encode(out, CM_LIT("CERTIFICATE"), cm_buf_view(&der));
}

/* ---- what is in it ------------------------------------------------------------------------- */

cm_err cm_cert_spki(cm_buf *der, const X509_PUBKEY *key)
{
    int n = i2d_X509_PUBKEY(key, NULL);
    uint8_t *w;

    if (n <= 0)
        return cm_pki_fail(CM_CERT_MALFORMED);
    CM_TRY(cm_buf_reserve(der, (size_t)n));
    w = der->p + der->n;
    der->n += (size_t)i2d_X509_PUBKEY(key, &w);
    return CM_OKAY;
}

cm_err cm_cert_key(cm_pkey **out, const cm_crypt *c, const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_cert_spki(&der, X509_get_X509_PUBKEY(cert->x)));
    return cm_spki_read(out, c, cm_buf_view(&der));
}

static const struct {
    int nid;
    const char *name;
    bool pq;
} algorithms[] = {
    {NID_ML_DSA_44, "ML-DSA-44", true},
    {NID_ML_DSA_65, "ML-DSA-65", true},
    {NID_ML_DSA_87, "ML-DSA-87", true},
    {NID_SLH_DSA_SHA2_128s, "SLH-DSA-SHA2-128s", true},
    {NID_SLH_DSA_SHA2_128f, "SLH-DSA-SHA2-128f", true},
    {NID_ML_KEM_512, "ML-KEM-512", true},
    {NID_ML_KEM_768, "ML-KEM-768", true},
    {NID_ML_KEM_1024, "ML-KEM-1024", true},
    {NID_ED25519, "Ed25519", false},
    {NID_ecdsa_with_SHA256, "ECDSA-SHA256", false},
    {NID_ecdsa_with_SHA384, "ECDSA-SHA384", false},
};

bool cm_cert_nid_pq(int nid)
{
    for (size_t i = 0; i < CM_COUNT(algorithms); i++)
        if (algorithms[i].nid == nid)
            return algorithms[i].pq;
    return false;
}

static const char *algorithm_name(int nid)
{
    for (size_t i = 0; i < CM_COUNT(algorithms); i++)
        if (algorithms[i].nid == nid)
            return algorithms[i].name;
    return "other";
}

bool cm_cert_pq(const X509 *x)
{
    ASN1_OBJECT *key = NULL;

    return X509_PUBKEY_get0_param(&key, NULL, NULL, NULL, X509_get_X509_PUBKEY(x)) == 1 &&
           cm_cert_nid_pq(OBJ_obj2nid(key)) && cm_cert_nid_pq(X509_get_signature_nid(x));
}

static void bio_done(BIO **b)
{
    BIO_free(*b);
}

static cm_err name_text(char *out, size_t size, const X509_NAME *name)
{
    CM_AUTO(bio_done) BIO *b = BIO_new(BIO_s_mem());
    char *text;
    long n;

    if (!b)
        return CM_FAIL(NO_MEMORY);
    if (X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) < 0)
        return cm_pki_fail(CM_CERT_MALFORMED);
    n = BIO_get_mem_data(b, &text);
    n = CM_MIN(n, (long)size - 1);
    if (n > 0)
        memcpy(out, text, (size_t)n);
    out[n > 0 ? n : 0] = '\0';
    return CM_OKAY;
}

static cm_err serial_text(char *out, size_t size, const ASN1_INTEGER *serial)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = size - 1};
    cm_view v = cm_view_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));

    v.n = CM_MIN(v.n, (size - 1) / 2);
    CM_TRY(cm_hex_encode(&hex, v));
    if (hex.n)
        memcpy(out, hex.p, hex.n);
    out[hex.n] = '\0';
    return CM_OKAY;
}

static cm_err seconds(uint64_t *out, const ASN1_TIME *t)
{
    struct tm tm;
    int64_t s;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return cm_pki_fail(CM_CERT_MALFORMED);
    s = timegm(&tm);
    *out = s < 0 ? 0 : (uint64_t)s;
    return CM_OKAY;
}

cm_err cm_cert_describe(cm_cert_info *out, const cm_crypt *c, const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_CERT_FILE_MAX};
    cm_cert_info i = {0};
    const X509_NAME *subject = X509_get_subject_name(cert->x);
    const X509_NAME *issuer = X509_get_issuer_name(cert->x);

    CM_TRY(name_text(i.subject, sizeof i.subject, subject));
    CM_TRY(name_text(i.issuer, sizeof i.issuer, issuer));
    CM_TRY(serial_text(i.serial, sizeof i.serial, X509_get0_serialNumber(cert->x)));
    CM_TRY(seconds(&i.not_before, X509_get0_notBefore(cert->x)));
    CM_TRY(seconds(&i.not_after, X509_get0_notAfter(cert->x)));
    CM_TRY(cm_cert_write_der(&der, cert));
    CM_TRY(cm_hash_once(c, CM_SHA256, i.fingerprint, cm_buf_view(&der)));
    i.algorithm = algorithm_name(X509_get_signature_nid(cert->x));
    i.ca = X509_check_ca(cert->x) == 1;
    i.self_issued = X509_NAME_cmp(subject, issuer) == 0;
    i.post_quantum = cm_cert_pq(cert->x);
    *out = i;
    return CM_OKAY;
}
