/* Android's key attestations below tee/android, whatever devices are there: each gives what the
 * text beside it says. Times are the certificates' own. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "attest_kit.h"

enum { HOUR = 3600, YEARS_20 = 20 * 366 * 86400 };

static const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(TCB) | CM_CHECK_BIT(CONFIG) |
                              CM_CHECK_BIT(MEASUREMENT) | CM_CHECK_BIT(FRESH);

static char folder[256];

static uint64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;

    return T_CHECK(ASN1_TIME_to_tm(t, &tm) == 1) ? (uint64_t)timegm(&tm) : 0;
}

/* An hour after the last of the certificates above the leaf began; whether any was provisioned. */
static uint64_t time_of(tee *t, bool *provisioned)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    uint64_t last = 0;
    cm_view v;

    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, t->in.evidence)));
    *provisioned = false;
    for (size_t i = 1; i < pool.n; i++) {
        last = CM_MAX(last, seconds_of(X509_get0_notBefore(pool.v[i])));
        *provisioned |= cm_x509_extension(&v, pool.v[i], "1.3.6.1.4.1.11129.2.1.30");
    }
    return last + HOUR;
}

static bool says(cm_view text, const char *what)
{
    return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

static cm_view text_of(tee *t, const char *name)
{
    char beside[256];

    (void)snprintf(beside, sizeof beside, "%.*s.json", (int)(strlen(name) - 4), name);
    return tee_file(t, folder, beside);
}

/* AT-73, AT-74: the level, and whether the device is locked and verified by its hardware. */
static void right(tee *t, cm_view text, bool rooted)
{
    bool soft = says(text, "\"attestationSecurityLevel\": \"SOFTWARE\"");
    bool strong = says(text, "\"attestationSecurityLevel\": \"STRONG_BOX\"");
    bool sound =
        says(text, "\"deviceLocked\": true") && says(text, "\"verifiedBootState\": \"VERIFIED\"");
    cm_err e = tee_run(t, skips);

    T_CHECK(tee_is(t, CM_CHECK_FORM, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_CHAIN, rooted ? CM_VERDICT_PASS : CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, soft ? CM_VERDICT_FAIL : CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_DEBUG, sound ? CM_VERDICT_PASS : CM_VERDICT_FAIL));
    T_CHECK((rooted && sound && !soft) == cm_ok(e));
    t->p.android.strongbox = true;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) || strong);
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, strong ? CM_VERDICT_PASS : CM_VERDICT_FAIL));
    t->p.android.strongbox = false;
    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK((rooted && !soft) == cm_ok(tee_run(t, skips)));
    T_CHECK(cm_failed(tee_run(t, 0))); /* AT-3 */
}

/* AT-75 */
static void policy(tee *t)
{
    t->p.fresh = CM_LIT("challenge");
    t->p.android.purposes = 1u << 2;
    T_CHECK(cm_ok(tee_run(t, skips)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_GUEST_POLICY, CM_VERDICT_PASS));
    t->p.fresh = CM_LIT("challenged");
    t->p.android.purposes = 1u << 3;
    t->p.android.boot_patch = 20991231;
    tee_measured(t, CM_LIT("another"));
    t->p.config = CM_LIT("another app");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_GUEST_POLICY, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_TCB, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_CONFIG, CM_VERDICT_FAIL));
    t->p.fresh = t->p.config = cm_view_of(NULL, 0);
    t->p.android.purposes = 0;
    t->p.android.boot_patch = 0;
    t->p.n_measurements = 0;
}

/* AT-76: a factory's certificates outlive their dates, a server's do not. */
static void dates(tee *t, bool provisioned)
{
    uint64_t now = t->p.now;

    t->p.now = now + YEARS_20; /* beyond 2038 */
    T_CHECK(cm_ok(tee_run(t, skips)) != provisioned);
    t->p.now = now - YEARS_20;
    T_CHECK(cm_ok(tee_run(t, skips)) != provisioned);
    t->p.now = now;
}

/* AT-77: the list names the serial of the last certificate but the root, or does not. */
static void revoked(tee *t)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    BIGNUM *bn;
    char *hex, list[256];

    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, t->in.evidence)) && pool.n > 2);
    bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(pool.v[1]), NULL);
    hex = BN_bn2hex(bn);
    for (char *s = hex; *s; s++)
        *s = (char)(*s >= 'A' && *s <= 'F' ? *s + ('a' - 'A') : *s);
    (void)snprintf(list, sizeof list, "{\"entries\":{\"%s\":{\"status\":\"REVOKED\"}}}",
                   hex[0] == '0' ? hex + 1 : hex);
    t->in.status_list = cm_view_str(list);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_FAIL));
    t->in.status_list = CM_LIT("{\"entries\":{\"1234\":{\"status\":\"REVOKED\"}}}");
    T_CHECK(cm_ok(tee_run(t, skips)) && tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_PASS));
    t->in.status_list = CM_LIT("{\"entry\":{}}");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_REVOCATION, CM_VERDICT_FAIL));
    t->in.status_list = cm_view_of(NULL, 0);
    OPENSSL_free(hex);
    BN_free(bn);
}

/* Every byte of the key's certificate is signed; as DER, and the others beside it. */
static void changed(tee *t)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    CM_AUTO(cm_buf_free) cm_buf leaf = {.max = CM_DER_MAX};
    cm_view whole = t->in.evidence;
    uint8_t *der = NULL;
    int n;

    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, whole)));
    n = i2d_X509(pool.v[0], &der);
    T_CHECK(n > 0 && cm_ok(cm_buf_append(&leaf, cm_view_of(der, (size_t)n))));
    OPENSSL_free(der);
    t->cert[t->in.n_certs++] = whole;
    t->in.evidence = cm_buf_view(&leaf);
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_ANDROID && cm_ok(tee_run(t, skips)));
    t->r.kind = t->in.kind = CM_ATTEST_ANDROID;
    tee_mutate(t, leaf.p, leaf.n, 37);
    tee_lengths(t, &t->in.evidence, 41);
    t->in.kind = CM_ATTEST_UNKNOWN;
    t->in.evidence = whole;
    t->in.n_certs = 0;
}

static void each(const char *path)
{
    const char *name = tee_last(path);
    tee *t = tee_new(folder, name, 0);
    cm_view text = text_of(t, name);
    bool rooted = !strstr(folder, "marlin"), provisioned; /* marlin's root is one of software */

    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_ANDROID);
    t->p.now = time_of(t, &provisioned);
    t_ran();
    right(t, text, rooted);
    if (rooted)
        tee_every_byte(t);
    if (rooted && says(text, "\"purposes\": [\"2\"]")) {
        policy(t);
        dates(t, provisioned);
        revoked(t);
        changed(t);
    }
    tee_done(t);
}

/* AT-70, AT-71: what is not DER, or not in order, is not read, whoever signed it. */
static void each_invalid(const char *path)
{
    tee *t = tee_new("android/invalid", tee_last(path), tee_time("2026-01-01T00:00:00"));

    t_ran();
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FORM, CM_VERDICT_FAIL));
    tee_done(t);
}

static int is_name(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void each_below(const char *above, void (*fn)(const char *folder))
{
    struct dirent **names = NULL;
    int n = scandir(tee_path(above, ""), &names, is_name, alphasort);

    for (int i = 0; i < n; i++) {
        char below[300];

        (void)snprintf(below, sizeof below, "%s/%s", above, names[i]->d_name);
        fn(below);
        free(names[i]);
    }
    free(names);
}

static void each_release(const char *path)
{
    (void)snprintf(folder, sizeof folder, "%s", path);
    tee_each(folder, "*.pem", each);
}

static void each_device(const char *path)
{
    if (!strstr(path, "invalid") && !strstr(path, "roots") && !strstr(path, "."))
        each_below(path, each_release);
}

/* ---- what verifiers forgot ------------------------------------------------------------------ */

static X509 *mint(EVP_PKEY *key, X509 *issuer, EVP_PKEY *by, bool ca, cm_view extension)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_NAME_new();
    X509_EXTENSION *e;
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.11129.2.1.17", 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    uint8_t label = (uint8_t)('a' + (issuer ? ca ? 1 : 2 : 0));

    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, &label, 1, -1, 0);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), label);
    X509_gmtime_adj(X509_getm_notBefore(x), -HOUR);
    X509_gmtime_adj(X509_getm_notAfter(x), HOUR);
    X509_set_subject_name(x, name);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name);
    X509_set_pubkey(x, key);
    e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                            ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_set(data, extension.p, (int)extension.n);
    e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, data);
    if (extension.n)
        X509_add_ext(x, e, -1);
    T_CHECK(X509_sign(x, by, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(data);
    ASN1_OBJECT_free(oid);
    X509_NAME_free(name);
    return x;
}

static void put_der(tee *t, cm_view *at, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    cm_buf *b = &t->file[t->n_files++];

    *b = (cm_buf){.max = CM_DER_MAX};
    T_CHECK(n > 0 && cm_ok(cm_buf_append(b, cm_view_of(der, (size_t)n))));
    OPENSSL_free(der);
    *at = cm_buf_view(b);
}

/* Root, one in between, leaf; the one in between with the extension or without. */
static void minted(tee *t, cm_view extension, bool twice)
{
    EVP_PKEY *k[3];
    X509 *x[3];
    uint8_t *spki = NULL;
    int n;

    for (size_t i = 0; i < 3; i++)
        k[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    x[0] = mint(k[0], NULL, k[0], true, cm_view_of(NULL, 0));
    x[1] = mint(k[1], x[0], k[0], true, twice ? extension : cm_view_of(NULL, 0));
    x[2] = mint(k[2], x[1], k[1], false, extension);
    n = i2d_PUBKEY(k[0], &spki);
    put_der(t, &t->in.evidence, x[2]);
    put_der(t, &t->cert[0], x[1]);
    put_der(t, &t->cert[1], x[0]);
    t->in.n_certs = 2;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    {
        const cm_root root = {CM_VENDOR_GOOGLE, "test", "", cm_view_of(spki, (size_t)n), "test"};

        t->roots = (cm_roots){&root, 1};
        T_CHECK(cm_ok(tee_run(t, skips)) == !twice);
        T_CHECK(tee_is(t, CM_CHECK_CHAIN, twice ? CM_VERDICT_FAIL : CM_VERDICT_PASS));
        t->roots = (cm_roots){0};
    }
    OPENSSL_free(spki);
    for (size_t i = 0; i < 3; i++) {
        X509_free(x[i]);
        EVP_PKEY_free(k[i]);
    }
}

/* The tenth of the documented faults: a key that was attested signs a certificate with an extension
 * of its own making (AT-72). Only the first extension from the root is the hardware's. */
static void extended_chain(void)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_view extension = {0};
    tee *t = tee_new("android/tokay/sdk37", "TEE_MLDSA_FACTORY.pem", (uint64_t)time(NULL));

    t->p.flags = CM_ATTEST_ALLOW_DEBUG;
    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, t->in.evidence)) &&
            cm_x509_extension(&extension, pool.v[0], "1.3.6.1.4.1.11129.2.1.17"));
    minted(t, extension, false);
    minted(t, extension, true);
    t_ran();
    tee_done(t);
}

static void run(void)
{
    if (!tee_exists("android/tokay/sdk37", "TEE_MLDSA_FACTORY.pem"))
        return;
    each_below("android", each_device);
    tee_each("android/invalid", "*.pem", each_invalid);
    t_group("what verifiers forgot", extended_chain);
}

int main(void)
{
    return t_vectors_main(run);
}
