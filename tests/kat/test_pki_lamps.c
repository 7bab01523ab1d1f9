/* The example keys and certificates of RFC 9881 and RFC 9935, and keys that MUST be refused. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pki/ca.h"
#include "proc.h"

enum { SKIPPED = 77 };

static const char *const folders[] = {"lamps/ml-dsa", "lamps/ml-kem"};
static const uint64_t in_2026 = 1780000000;
static char dir[T_PATH];
static cm_crypt *c;

typedef void visit(const char *path, const char *name);

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Calls see for every file whose name ends so; how many there were. */
static size_t walk(const char *end, visit *see)
{
    size_t n = 0;

    for (size_t i = 0; i < CM_COUNT(folders); i++) {
        const char *folder = t_path(dir, folders[i]);
        DIR *d = opendir(folder);
        struct dirent *e;

        assert_non_null(d);
        while ((e = readdir(d)))
            if (ends_with(e->d_name, end)) {
                see(t_path(folder, e->d_name), e->d_name);
                n++;
            }
        closedir(d);
    }
    return n;
}

static cm_err load(cm_pkey **k, const char *path, bool legacy)
{
    cm_pkey_reading o = {.legacy_expanded = legacy, .any_mode = true};

    return cm_pkey_load(k, c, path, &o);
}

/* What stands before the first '-' that ends the algorithm's name: "ML-DSA-44-seed.priv". */
static void assert_named(const cm_pkey *k, const char *name)
{
    const char *algorithm = cm_pkey_algorithm(k);

    assert_memory_equal(name, algorithm, strlen(algorithm));
}

/* K-22: the seed form is written byte by byte as the RFCs' authors wrote it. */
static void see_seed(const char *path, const char *name)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX}, ours = {.max = CM_KEYFILE_MAX};
    const cm_protect none = {.mode = CM_PROTECT_NONE};

    t_get_file(&file, path);
    assert_true(cm_ok(load(&k, path, false)));
    assert_named(k, name);
    assert_true(cm_ok(cm_pkey_write_private(&ours, c, k, &none)));
    assert_true(cm_view_eq(cm_buf_view(&file), cm_buf_view(&ours)));
}

static void seed_form(void **state)
{
    (void)state;
    assert_int_equal(walk("-seed.priv", see_seed), 6);
}

/* K-23: reading both forms yields the key of the seed form. */
static void see_both(const char *path, const char *name)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *s = NULL;
    CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
    char seed[T_PATH];

    snprintf(seed, sizeof seed, "%.*s-seed.priv", (int)(strlen(path) - strlen("-both.priv")), path);
    assert_true(cm_ok(load(&k, path, false)));
    assert_named(k, name);
    assert_true(cm_ok(load(&s, seed, false)));
    assert_true(cm_ok(cm_pkey_private_der(&a, k)));
    assert_true(cm_ok(cm_pkey_private_der(&b, s)));
    assert_true(cm_view_eq(cm_buf_view(&a), cm_buf_view(&b)));
}

static void both_form(void **state)
{
    (void)state;
    assert_int_equal(walk("-both.priv", see_both), 6);
}

/* A key without its seed works like the one with it. */
static void assert_usable(const cm_pkey *k, const cm_pkey *seeded)
{
    if (cm_pkey_kem(k)) {
        uint8_t ct[CM_KEM_CT_MAX], a[32], b[32];
        cm_view v = cm_view_of(ct, cm_kem_key_info(cm_pkey_kem(k))->ct);

        assert_true(cm_ok(cm_kem_encap(cm_pkey_kem(seeded), ct, a)));
        assert_true(cm_ok(cm_kem_decap(cm_pkey_kem(k), b, v)));
        assert_memory_equal(a, b, sizeof a);
    } else {
        static uint8_t sig[CM_SIG_MAX];
        cm_view v = cm_view_of(sig, cm_sig_key_info(cm_pkey_sig(k))->sig);

        assert_true(cm_ok(cm_sign(cm_pkey_sig(k), sig, CM_LIT("t"), CM_LIT("m"))));
        assert_true(cm_ok(cm_verify(cm_pkey_sig(seeded), CM_LIT("t"), CM_LIT("m"), v)));
    }
}

/* K-24 */
static void see_expanded(const char *path, const char *name)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *s = NULL;
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_KEYFILE_MAX};
    const cm_protect none = {.mode = CM_PROTECT_NONE};
    char seed[T_PATH];

    snprintf(seed, sizeof seed, "%.*s-seed.priv", (int)(strlen(path) - strlen("-expanded.priv")),
             path);
    assert_true(cm_is(load(&k, path, false), CM_KEY_EXPANDED_ONLY));
    assert_null(k);
    assert_true(cm_ok(load(&k, path, true)));
    assert_true(cm_ok(load(&s, seed, false)));
    assert_named(k, name);
    assert_true(cm_pkey_has_private(k));
    assert_usable(k, s);
    assert_true(cm_is(cm_pkey_write_private(&out, c, k, &none), CM_KEY_NO_SEED));
    assert_int_equal(out.n, 0);
}

static void expanded_form(void **state)
{
    (void)state;
    assert_int_equal(walk("-expanded.priv", see_expanded), 6);
}

/* Refused either way, and as contradictions or bad keys rather than for their form. */
static void refuse(const char *path)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    cm_err e = load(&k, path, true);

    assert_null(k);
    assert_true(cm_is(e, CM_KEY_INCONSISTENT) || cm_is(e, CM_CRYPT_BAD_KEY));
    assert_true(cm_failed(load(&k, path, false)));
    assert_null(k);
}

static void see_bad(const char *path, const char *name)
{
    if (strncmp(name, "bad-", 4) == 0)
        refuse(path);
}

static void bad_keys(void **state)
{
    (void)state;
    assert_int_equal(walk(".priv", see_bad), 18 + 7);
}

static void see_public(const char *path, const char *name)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *s = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX}, ours = {.max = CM_KEYFILE_MAX};
    uint8_t a[CM_FINGERPRINT], b[CM_FINGERPRINT];
    char seed[T_PATH];

    snprintf(seed, sizeof seed, "%.*s-seed.priv", (int)(strlen(path) - strlen(".pub")), path);
    t_get_file(&file, path);
    assert_true(cm_ok(load(&k, path, false)));
    assert_named(k, name);
    assert_true(cm_ok(cm_pkey_write_public(&ours, k)));
    assert_true(cm_view_eq(cm_buf_view(&file), cm_buf_view(&ours)));
    assert_true(cm_ok(load(&s, seed, false)));
    assert_true(cm_ok(cm_pkey_fingerprint(a, c, k)));
    assert_true(cm_ok(cm_pkey_fingerprint(b, c, s)));
    assert_memory_equal(a, b, sizeof a);
}

static void public_keys(void **state)
{
    (void)state;
    assert_int_equal(walk(".pub", see_public), 6);
}

static cm_certs roots;

static void see_root(const char *path, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_CERT_FILE_MAX};

    if (strncmp(name, "ML-DSA-", 7) != 0)
        return;
    t_get_file(&file, path);
    assert_true(cm_ok(cm_cert_read(&roots.v[roots.n++], c, cm_buf_view(&file))));
}

/* Every example certificate: read, written again the same, its key is the .pub file's, and it
 * verifies under the self-signed ones. */
static void see_cert(const char *path, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_CERT_FILE_MAX}, ours = {.max = CM_CERT_FILE_MAX};
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    cm_cert_trust t = {.roots = &roots, .now = in_2026, .post_quantum_only = true};
    cm_cert_info info;
    cm_err e;

    t_get_file(&file, path);
    assert_true(cm_ok(cm_cert_read(&cert, c, cm_buf_view(&file))));
    assert_true(cm_ok(cm_cert_write(&ours, cert)));
    assert_true(cm_view_eq(cm_buf_view(&file), cm_buf_view(&ours)));
    assert_true(cm_ok(cm_cert_key(&k, c, cert)));
    assert_named(k, name);
    assert_true(cm_ok(cm_cert_describe(&info, c, cert)));
    assert_true(info.post_quantum);
    assert_string_equal(info.subject, "CN=LAMPS WG,O=IETF");
    assert_int_equal(info.ca, cm_pkey_sig(k) != NULL);
    e = cm_cert_verify(c, cert, &t);
    if (cm_failed(e))
        print_message("%s: %s\n", name, cm_err_name(e));
    assert_true(cm_ok(e));
    t.now = 1000000000;
    assert_true(cm_is(cm_cert_verify(c, cert, &t), CM_CERT_EXPIRED));
}

static void certificates(void **state)
{
    (void)state;
    assert_int_equal(walk(".crt", see_root), 6);
    assert_int_equal(roots.n, 3);
    assert_int_equal(walk(".crt", see_cert), 6);
    cm_certs_free(&roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_form), cmocka_unit_test(both_form),   cmocka_unit_test(expanded_form),
        cmocka_unit_test(bad_keys),  cmocka_unit_test(public_keys), cmocka_unit_test(certificates),
    };
    const char *vectors = getenv("CASEMATE_VECTORS");
    const char *archive = t_path(vectors ? vectors : "../shared/vectors", "pq/lamps.tar.gz");
    const char *argv[] = {"tar", "xzf", archive, "-C", dir, NULL};
    int failed;

    t_mkdir(dir);
    if (t_run(NULL, cm_view_of(NULL, 0), argv) != 0) {
        puts("SKIP: no vectors (pq/lamps.tar.gz)");
        t_rmdir(dir);
        return SKIPPED;
    }
    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(c);
    t_rmdir(dir);
    return failed;
}
