/* Key files, certificates and requests against openssl(1) >= 3.5, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "pki/ca.h"
#include "proc.h"

#define assert_good(e) assert_string_equal(cm_err_name(e), "OK")

enum { SKIPPED = 77, DAY = 86400 };

static const char *ssl;
static char dir[T_PATH];
static cm_crypt *c;
static uint64_t now; /* one for a whole test, or a leaf outlives its issuer by a second */
#define PASS                                 \
    {                                        \
        (const uint8_t *)"correct horse", 13 \
    }
static const cm_view pass = PASS;
static const cm_protect open_file = {.mode = CM_PROTECT_NONE};
static const cm_protect pbes2 = {.mode = CM_PROTECT_PBES2, .passphrase = PASS};

/* Every algorithm that openssl(1) has, and how it makes a key of it. */
static const struct alg {
    const char *name, *genpkey, *option;
} algs[] = {
    {"ML-KEM-512", "ML-KEM-512", NULL},
    {"ML-KEM-768", "ML-KEM-768", NULL},
    {"ML-KEM-1024", "ML-KEM-1024", NULL},
    {"X25519", "X25519", NULL},
    {"ML-DSA-44", "ML-DSA-44", NULL},
    {"ML-DSA-65", "ML-DSA-65", NULL},
    {"ML-DSA-87", "ML-DSA-87", NULL},
    {"SLH-DSA-SHA2-128s", "SLH-DSA-SHA2-128s", NULL},
    {"SLH-DSA-SHA2-128f", "SLH-DSA-SHA2-128f", NULL},
    {"Ed25519", "ED25519", NULL},
    {"P-256", "EC", "group:P-256"},
    {"P-384", "EC", "group:P-384"},
    {"secp256k1", "EC", "group:secp256k1"},
};

/* openssl ARGUMENTS..., which must end with this status; its output, good until the next call. */
static cm_view run_as(int want, const char *const *args)
{
    static cm_buf out = {.max = T_OUTPUT};
    const char *argv[T_ARGS] = {ssl};
    size_t n = 1;
    int got;

    for (; args[n - 1]; n++)
        argv[n] = args[n - 1];
    cm_buf_free(&out);
    got = t_run(&out, cm_view_of(NULL, 0), argv);
    if ((got != 0) != (want != 0)) {
        print_message("openssl");
        for (size_t i = 1; i < n; i++)
            print_message(" %s", argv[i]);
        print_message(": status %d\n%.*s\n", got, (int)out.n, out.n ? (const char *)out.p : "");
    }
    assert_int_equal(got != 0, want != 0);
    return cm_buf_view(&out);
}

#define openssl(...)       run_as(0, (const char *const[]){__VA_ARGS__, NULL})
#define openssl_fails(...) run_as(1, (const char *const[]){__VA_ARGS__, NULL})

static bool says(cm_view out, const char *text)
{
    return out.n && memmem(out.p, out.n, text, strlen(text)) != NULL;
}

static const char *in_dir(const char *name)
{
    return t_path(dir, name);
}

static void put_private(const char *name, const cm_pkey *k, const cm_protect *p)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX};

    assert_good(cm_pkey_write_private(&b, c, k, p));
    assert_good(cm_pkey_save(in_dir(name), cm_buf_view(&b), true));
}

static void put_public(const char *name, const cm_pkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX};

    assert_good(cm_pkey_write_public(&b, k));
    t_put_file(in_dir(name), cm_buf_view(&b));
}

static cm_pkey *load(const char *name)
{
    cm_pkey_reading o = {.pass = cm_passphrase_of(&pass), .any_mode = true};
    cm_pkey *k = NULL;
    cm_err e = cm_pkey_load(&k, c, in_dir(name), &o);

    if (cm_failed(e))
        print_message("%s: %s\n", name, cm_err_name(e));
    assert_good(e);
    return k;
}

static void assert_same(const cm_pkey *a, const cm_pkey *b, bool whole)
{
    CM_AUTO(cm_buf_free) cm_buf x = {.max = CM_KEYFILE_MAX}, y = {.max = CM_KEYFILE_MAX};

    assert_string_equal(cm_pkey_algorithm(a), cm_pkey_algorithm(b));
    assert_int_equal(cm_pkey_has_private(b), whole);
    if (whole) {
        assert_good(cm_pkey_private_der(&x, a));
        assert_good(cm_pkey_private_der(&y, b));
    } else {
        assert_good(cm_pkey_public_der(&x, a));
        assert_good(cm_pkey_public_der(&y, b));
    }
    assert_true(cm_view_eq(cm_buf_view(&x), cm_buf_view(&y)));
}

static bool same_files(const char *a, const char *b)
{
    CM_AUTO(cm_buf_free) cm_buf x = {.max = T_OUTPUT}, y = {.max = T_OUTPUT};

    t_get_file(&x, in_dir(a));
    t_get_file(&y, in_dir(b));
    return cm_view_eq(cm_buf_view(&x), cm_buf_view(&y));
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* What we write: private, public, encrypted. openssl's public half of it is ours, byte for byte. */
static void it_reads_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(algs); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

        assert_good(cm_pkey_generate(&k, c, cm_view_str(algs[i].name)));
        put_private("our.key", k, &open_file);
        put_private("our.enc", k, &pbes2);
        put_public("our.pub", k);
        assert_true(
            says(openssl("pkey", "-in", in_dir("our.key"), "-noout", "-check"), "Key is valid"));
        openssl("pkey", "-in", in_dir("our.key"), "-pubout", "-out", in_dir("its.pub"));
        assert_true(same_files("our.pub", "its.pub"));
        openssl("pkey", "-pubin", "-in", in_dir("our.pub"), "-noout", "-pubcheck");
        openssl("pkey", "-in", in_dir("our.enc"), "-passin", "pass:correct horse", "-pubout",
                "-out", in_dir("its.pub"));
        assert_true(same_files("our.pub", "its.pub"));
        openssl_fails("pkey", "-in", in_dir("our.enc"), "-passin", "pass:wrong", "-noout");
        openssl("pkcs8", "-in", in_dir("our.enc"), "-passin", "pass:correct horse", "-topk8",
                "-nocrypt", "-out", in_dir("its.key"));
        if (!cm_pkey_kem(k) && strncmp(algs[i].name, "ML-", 3) != 0)
            assert_true(same_files("our.key", "its.key")); /* ML-* it writes in both forms */
    }
}

/* What it writes: its default forms, seed form, PEM and DER, encrypted, compressed points. */
static void we_read_its(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(algs); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *p = NULL, *d = NULL, *e = NULL, *f = NULL;

        if (algs[i].option)
            openssl("genpkey", "-algorithm", algs[i].genpkey, "-pkeyopt", algs[i].option, "-out",
                    in_dir("its.key"));
        else
            openssl("genpkey", "-algorithm", algs[i].genpkey, "-out", in_dir("its.key"));
        openssl("pkey", "-in", in_dir("its.key"), "-pubout", "-out", in_dir("its.pub"));
        openssl("pkey", "-in", in_dir("its.key"), "-outform", "DER", "-out", in_dir("its.der"));
        openssl("pkcs8", "-topk8", "-in", in_dir("its.key"), "-v2", "aes-256-cbc", "-passout",
                "pass:correct horse", "-out", in_dir("its.enc"));
        openssl("pkcs8", "-topk8", "-in", in_dir("its.key"), "-v2", "aes-128-cbc", "-v2prf",
                "hmacWithSHA512", "-iter", "5000", "-passout", "pass:correct horse", "-outform",
                "DER", "-out", in_dir("its.enc.der"));
        k = load("its.key");
        assert_string_equal(cm_pkey_algorithm(k), algs[i].name);
        p = load("its.pub");
        assert_same(k, p, false);
        d = load("its.der");
        assert_same(k, d, true);
        e = load("its.enc");
        assert_same(k, e, true);
        f = load("its.enc.der");
        assert_same(k, f, true);
    }
}

static void its_other_forms(void **state)
{
    static const char *const seeded[] = {"ML-DSA-65", "ML-KEM-768"};
    static const char *const seed_only[] = {"ml-dsa.output_formats=seed-only",
                                            "ml-kem.output_formats=seed-only"};
    static const char *const expanded[] = {"ml-dsa.output_formats=priv-only",
                                           "ml-kem.output_formats=priv-only"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(seeded); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *none = NULL, *legacy = NULL, *pub = NULL;
        const cm_pkey_reading o = {.legacy_expanded = true, .any_mode = true};

        openssl("genpkey", "-algorithm", seeded[i], "-out", in_dir("its.key"));
        k = load("its.key");
        put_private("our.key", k, &open_file);
        openssl("pkey", "-in", in_dir("its.key"), "-provparam", seed_only[i], "-out",
                in_dir("its.seed"));
        assert_true(same_files("our.key", "its.seed"));
        openssl("pkey", "-in", in_dir("its.key"), "-provparam", expanded[i], "-out",
                in_dir("its.exp"));
        assert_string_equal(cm_err_name(cm_pkey_load(&none, c, in_dir("its.exp"), NULL)),
                            "KEY_EXPANDED_ONLY");
        assert_good(cm_pkey_load(&legacy, c, in_dir("its.exp"), &o));
        assert_true(cm_pkey_has_private(legacy));
        assert_good(cm_pkey_public_of(&pub, c, legacy));
        assert_same(k, pub, false);
    }
}

static void its_curves(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(algs); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *z = NULL, *p = NULL, *o = NULL;

        if (!algs[i].option)
            continue;
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", algs[i].option, "-out",
                in_dir("its.key"));
        openssl("pkey", "-in", in_dir("its.key"), "-ec_conv_form", "compressed", "-out",
                in_dir("its.short"));
        openssl("pkey", "-in", in_dir("its.key"), "-pubout", "-ec_conv_form", "compressed", "-out",
                in_dir("its.pub"));
        openssl("pkey", "-in", in_dir("its.key"), "-traditional", "-out", in_dir("its.old"));
        k = load("its.key");
        z = load("its.short");
        assert_same(k, z, true);
        o = load("its.old");
        assert_same(k, o, true);
        p = load("its.pub");
        assert_same(k, p, false);
    }
}

/* Protections that we do not read are named as such, with the way out in the fix. */
static void its_weak_protection(void **state)
{
    cm_pkey_reading o = {.pass = cm_passphrase_of(&pass), .any_mode = true};
    cm_pkey *none = NULL;

    (void)state;
    openssl("genpkey", "-algorithm", "ED25519", "-out", in_dir("its.key"));
    openssl("pkcs8", "-topk8", "-in", in_dir("its.key"), "-scrypt", "-passout",
            "pass:correct horse", "-out", in_dir("its.enc"));
    assert_string_equal(cm_err_name(cm_pkey_load(&none, c, in_dir("its.enc"), &o)),
                        "KEY_PROTECTION");
    openssl("pkcs8", "-topk8", "-in", in_dir("its.key"), "-v2", "des3", "-passout",
            "pass:correct horse", "-out", in_dir("its.enc"));
    assert_string_equal(cm_err_name(cm_pkey_load(&none, c, in_dir("its.enc"), &o)),
                        "KEY_PROTECTION");
    openssl("genpkey", "-algorithm", "RSA", "-out", in_dir("its.key"));
    assert_string_equal(cm_err_name(cm_pkey_load(&none, c, in_dir("its.key"), &o)),
                        "KEY_ALGORITHM");
    assert_null(none);
}

/* A dual key: openssl reads the half that stands first, and each half of the file split in two. */
static void dual_keys(void **state)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX};
    const uint8_t *second;

    (void)state;
    assert_good(cm_pkey_generate(&k, c, CM_LIT("ML-DSA-65+Ed25519")));
    put_private("our.key", k, &open_file);
    assert_true(says(openssl("pkey", "-in", in_dir("our.key"), "-noout", "-text"), "ML-DSA-65"));
    t_get_file(&file, in_dir("our.key"));
    second = memmem(file.p + 1, file.n - 1, "-----BEGIN", 10);
    assert_non_null(second);
    t_put_file(in_dir("half"), cm_view_of(second, (size_t)(file.p + file.n - second)));
    assert_true(says(openssl("pkey", "-in", in_dir("half"), "-noout", "-text"), "ED25519"));
}

/* X-Wing is no key to it, but its structure shows. */
static void xwing(void **state)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

    (void)state;
    assert_good(cm_pkey_generate(&k, c, CM_LIT("X-Wing")));
    put_private("our.key", k, &open_file);
    put_public("our.pub", k);
    assert_true(says(openssl("asn1parse", "-in", in_dir("our.key")), "1.3.6.1.4.1.62253.25722"));
    assert_true(says(openssl("asn1parse", "-in", in_dir("our.pub")), "1.3.6.1.4.1.62253.25722"));
}

/* ---- certificates -------------------------------------------------------------------------- */

static cm_cert_request ask(cm_cert_role role, const char *name)
{
    static const cm_view dns = {(const uint8_t *)"kms.example", 11};
    static const cm_view ip = {(const uint8_t *)"127.0.0.1", 9};

    return (cm_cert_request){
        .role = role,
        .common_name = cm_view_str(name),
        .dns = &dns,
        .ip = &ip,
        .n_dns = role == CM_CERT_SERVER,
        .n_ip = role == CM_CERT_SERVER,
        .not_before = now - 60,
        .not_after = now + DAY,
        .pathlen = role == CM_CERT_ROOT ? 1 : 0,
    };
}

static void put_cert(const char *name, const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX};

    assert_good(cm_cert_write(&b, cert));
    t_put_file(in_dir(name), cm_buf_view(&b));
}

static cm_cert *get_cert(const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX};
    cm_cert *cert = NULL;

    t_get_file(&b, in_dir(name));
    assert_good(cm_cert_read(&cert, c, cm_buf_view(&b)));
    return cert;
}

static const struct {
    const char *root, *mid, *leaf;
} chains[] = {
    {"ML-DSA-87", "ML-DSA-65", "ML-DSA-44"}, {"SLH-DSA-SHA2-128s", "ML-DSA-65", "ML-DSA-65"},
    {"SLH-DSA-SHA2-128f", "P-384", "P-256"}, {"Ed25519", "P-256", "Ed25519"},
    {"ML-DSA-65", "Ed25519", "P-384"},
};

/* Chains of ours: strictly, for the purpose, for the name; and refused without the middle. */
static void it_verifies_ours(void **state)
{
    (void)state;
    now = (uint64_t)time(NULL);
    for (size_t i = 0; i < CM_COUNT(chains); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *rk = NULL, *mk = NULL, *lk = NULL;
        CM_AUTO(cm_cert_free_ptr) cm_cert *root = NULL, *mid = NULL, *server = NULL, *client = NULL;
        cm_cert_request r = ask(CM_CERT_ROOT, "Root"), m = ask(CM_CERT_INTERMEDIATE, "Mid");
        cm_cert_request s = ask(CM_CERT_SERVER, "Server"), cl = ask(CM_CERT_CLIENT, "Client");

        assert_good(cm_pkey_generate(&rk, c, cm_view_str(chains[i].root)));
        assert_good(cm_pkey_generate(&mk, c, cm_view_str(chains[i].mid)));
        assert_good(cm_pkey_generate(&lk, c, cm_view_str(chains[i].leaf)));
        assert_good(cm_cert_root(&root, c, rk, &r));
        assert_good(cm_cert_issue(&mid, c, root, rk, mk, &m));
        assert_good(cm_cert_issue(&server, c, mid, mk, lk, &s));
        assert_good(cm_cert_issue(&client, c, mid, mk, lk, &cl));
        put_cert("root", root);
        put_cert("mid", mid);
        put_cert("server", server);
        put_cert("client", client);
        openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", in_dir("root"),
                in_dir("mid"));
        openssl("verify", "-x509_strict", "-CAfile", in_dir("root"), "-untrusted", in_dir("mid"),
                "-purpose", "sslserver", "-verify_hostname", "kms.example", in_dir("server"));
        openssl("verify", "-x509_strict", "-CAfile", in_dir("root"), "-untrusted", in_dir("mid"),
                "-purpose", "sslserver", "-verify_ip", "127.0.0.1", in_dir("server"));
        openssl("verify", "-x509_strict", "-CAfile", in_dir("root"), "-untrusted", in_dir("mid"),
                "-purpose", "sslclient", in_dir("client"));
        openssl_fails("verify", "-CAfile", in_dir("root"), "-untrusted", in_dir("mid"), "-purpose",
                      "sslserver", in_dir("client"));
        openssl_fails("verify", "-CAfile", in_dir("root"), in_dir("server"));
        assert_true(says(openssl("x509", "-in", in_dir("server"), "-noout", "-text"),
                         "DNS:kms.example, IP Address:127.0.0.1"));
    }
}

/* Our request, signed by its CA; its request, signed by ours. */
static void requests(void **state)
{
    static const char *const names[] = {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128f",
                                        "Ed25519",   "P-256",     "P-384"};

    (void)state;
    now = (uint64_t)time(NULL);
    openssl("req", "-x509", "-newkey", "ML-DSA-65", "-noenc", "-keyout", in_dir("ca.key"), "-out",
            in_dir("ca"), "-subj", "/CN=Its CA", "-days", "2", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign");
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *ca_key = NULL, *of = NULL;
        CM_AUTO(cm_cert_free_ptr) cm_cert *ca = NULL, *theirs = NULL, *ours = NULL;
        CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX}, b = {.max = CM_CERT_FILE_MAX};
        CM_AUTO(cm_certs_free) cm_certs roots = {0};
        cm_cert_request s = ask(CM_CERT_SERVER, "Server");
        cm_cert_trust t = {.roots = &roots, .now = (uint64_t)time(NULL) + 3600};

        assert_good(cm_pkey_generate(&k, c, cm_view_str(names[i])));
        assert_good(cm_csr_write(&csr, c, k, &s));
        t_put_file(in_dir("our.csr"), cm_buf_view(&csr));
        openssl("req", "-in", in_dir("our.csr"), "-noout", "-verify");
        openssl("x509", "-req", "-in", in_dir("our.csr"), "-CA", in_dir("ca"), "-CAkey",
                in_dir("ca.key"), "-days", "1", "-copy_extensions", "copy", "-out",
                in_dir("theirs"));
        ca = get_cert("ca");
        roots.v[0] = get_cert("ca");
        roots.n = 1;
        theirs = get_cert("theirs");
        assert_good(cm_cert_verify(c, theirs, &t));
        t.host = CM_LIT("kms.example");
        assert_good(cm_cert_verify(c, theirs, &t));
        assert_good(cm_cert_key(&of, c, theirs));
        assert_same(k, of, false);

        put_private("our.key", k, &open_file);
        openssl("req", "-new", "-key", in_dir("our.key"), "-subj", "/CN=It asks", "-addext",
                "subjectAltName=DNS:kms.example", "-out", in_dir("its.csr"));
        t_get_file(&b, in_dir("its.csr"));
        ca_key = load("ca.key");
        s.not_before += 120; /* after its CA began */
        s.not_after = s.not_before + 3600;
        assert_good(cm_csr_issue(&ours, c, ca, ca_key, cm_buf_view(&b), &s));
        put_cert("ours", ours);
        openssl("verify", "-x509_strict", "-CAfile", in_dir("ca"), "-no_check_time", "-purpose",
                "sslserver", in_dir("ours"));
    }
}

/* K-66: what a request may not bring along. */
static void foreign_names(void **state)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *root = NULL, *cert = NULL;
    CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX}, ca = {.max = CM_CERT_FILE_MAX};
    cm_cert_request r, s;
    cm_cert_info info;

    (void)state;
    now = (uint64_t)time(NULL);
    r = ask(CM_CERT_ROOT, "Root");
    s = ask(CM_CERT_SERVER, "Server");
    assert_good(cm_pkey_generate(&k, c, CM_LIT("ML-DSA-44")));
    assert_good(cm_cert_root(&root, c, k, &r));
    put_private("our.key", k, &open_file);
    openssl("req", "-new", "-key", in_dir("our.key"), "-subj", "/CN=x", "-addext",
            "subjectAltName=email:a@b.example", "-out", in_dir("its.csr"));
    t_get_file(&csr, in_dir("its.csr"));
    assert_string_equal(cm_err_name(cm_csr_issue(&cert, c, root, k, cm_buf_view(&csr), &s)),
                        "CERT_REQUEST");
    openssl("req", "-new", "-key", in_dir("our.key"), "-subj", "/CN=x", "-addext",
            "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign", "-addext",
            "subjectAltName=DNS:kms.example", "-out", in_dir("its.csr"));
    t_get_file(&ca, in_dir("its.csr"));
    assert_good(cm_csr_issue(&cert, c, root, k, cm_buf_view(&ca), &s));
    assert_good(cm_cert_describe(&info, c, cert));
    assert_false(info.ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_ours),
        cmocka_unit_test(we_read_its),
        cmocka_unit_test(its_other_forms),
        cmocka_unit_test(its_curves),
        cmocka_unit_test(its_weak_protection),
        cmocka_unit_test(dual_keys),
        cmocka_unit_test(xwing),
        cmocka_unit_test(it_verifies_ours),
        cmocka_unit_test(requests),
        cmocka_unit_test(foreign_names),
    };
    int failed;

    ssl = t_openssl();
    if (!ssl) {
        puts("SKIP: no openssl(1) of 3.5 or later");
        return SKIPPED;
    }
    t_mkdir(dir);
    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(c);
    t_rmdir(dir);
    return failed;
}
