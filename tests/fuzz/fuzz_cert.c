/* Certificates, chains of them and requests. What is issued on a request verifies. */
#include <stdlib.h>

#include "pki/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { START = 1000, END = 2000, NOW = 1500 };

static cm_crypt *c;
static cm_pkey *ca_key;
static cm_cert *ca;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void set_up(void)
{
    const cm_cert_request r = {
        .role = CM_CERT_ROOT,
        .common_name = CM_LIT("CA"),
        .not_before = START,
        .not_after = END,
    };

    must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    must(cm_ok(cm_pkey_generate(&ca_key, c, CM_LIT("Ed25519"))));
    must(cm_ok(cm_cert_root(&ca, c, ca_key, &r)));
}

static cm_err verify(const cm_cert *leaf, cm_cert *root, const cm_certs *extra)
{
    const cm_certs roots = {{root}, 1};
    const cm_cert_trust t = {.roots = &roots, .extra = extra, .now = NOW, .host = CM_LIT("a.b")};

    return cm_cert_verify(c, leaf, &t);
}

static void look(const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_CERT_FILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    cm_cert_info info;

    must(cm_ok(cm_cert_write(&out, cert)));
    (void)cm_failed(cm_cert_describe(&info, c, cert));
    (void)cm_failed(cm_cert_key(&k, c, cert));
    (void)cm_failed(verify(cert, ca, NULL));
}

static void request(cm_view v)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    const cm_cert_request r = {.role = CM_CERT_CLIENT, .not_before = START, .not_after = END};
    const cm_certs roots = {{ca}, 1};
    const cm_cert_trust t = {.roots = &roots, .now = NOW};

    if (cm_ok(cm_csr_issue(&cert, c, ca, ca_key, v, &r)))
        must(cm_ok(cm_cert_verify(c, cert, &t)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_certs_free) cm_certs l = {0};
    CM_AUTO(cm_cert_free_ptr) cm_cert *one = NULL;
    cm_view v = cm_view_of(p, n);

    if (!c)
        set_up();
    if (cm_ok(cm_cert_read(&one, c, v)))
        look(one);
    if (cm_ok(cm_certs_read(&l, c, v)))
        (void)cm_failed(verify(l.v[0], l.v[l.n - 1], &l));
    request(v);
    return 0;
}
