/*
 * A vendor's PKCS#11 library brings the system's OpenSSL into a process that carries its own. The
 * two must never meet: the vendor's calls stay with the system's copy, ours with ours.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { SKIPPED = 77, CKR_OK = 0 };

struct ck_info {
    unsigned char version[2];
    unsigned char maker[32];
    unsigned long flags;
    unsigned char description[32];
    unsigned char library[2];
};

typedef unsigned long ck_init(void *);
typedef unsigned long ck_get_info(struct ck_info *);
typedef const char *version_text(int);

static const char *const modules[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
};

static void *vendor; /* the loaded module, for the tests of this file */

/* A function pointer out of dlsym() without a cast that ISO C leaves undefined. */
static void find(void *out, void *lib, const char *name)
{
    void *p = dlsym(lib, name);

    assert_non_null(p);
    memcpy(out, &p, sizeof p);
}

static int load_vendor(void **state)
{
    (void)state;
    /* Global on purpose: were our copy visible, the module would now bind to it. */
    for (size_t i = 0; i < sizeof modules / sizeof *modules && vendor == NULL; i++)
        vendor = dlopen(modules[i], RTLD_NOW | RTLD_GLOBAL);
    return vendor == NULL;
}

static void ours_works(void)
{
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ML-KEM-768");

    assert_non_null(k);
    EVP_PKEY_free(k);
}

static void vendor_runs_beside_ours(void **state)
{
    struct ck_info info = {{0}, {0}, 0, {0}, {0}};
    ck_init *init, *finalize;
    ck_get_info *get_info;

    (void)state;
    find(&init, vendor, "C_Initialize");
    find(&finalize, vendor, "C_Finalize");
    find(&get_info, vendor, "C_GetInfo");
    ours_works();
    assert_int_equal(init(NULL), CKR_OK);
    ours_works();
    assert_int_equal(get_info(&info), CKR_OK);
    assert_memory_equal(info.maker, "SoftHSM", 7);
    assert_int_equal(finalize(NULL), CKR_OK);
    ours_works();
}

static void two_copies_two_versions(void **state)
{
    void *theirs = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_NOLOAD);
    version_text *their_version, *global_version;

    (void)state;
    assert_non_null(theirs);
    find(&their_version, theirs, "OpenSSL_version");
    find(&global_version, RTLD_DEFAULT, "OpenSSL_version");
    assert_ptr_equal(their_version, global_version);
    assert_ptr_not_equal(their_version, OpenSSL_version);
    assert_string_not_equal(their_version(OPENSSL_VERSION), OpenSSL_version(OPENSSL_VERSION));
    assert_true(OpenSSL_version_num() >= 0x30500000L);
    dlclose(theirs);
}

/* The module wants a configuration that names an existing token folder. */
static void configure(char *dir)
{
    char path[256];
    FILE *f;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/softhsm2.conf", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "directories.tokendir = %s\nlog.level = ERROR\n", dir);
    fclose(f);
    setenv("SOFTHSM2_CONF", path, 1);
}

static bool linked_to_the_system(void)
{
    Dl_info here;
    version_text *v = OpenSSL_version;
    void *p;

    memcpy(&p, &v, sizeof p);
    return dladdr(p, &here) != 0 && strstr(here.dli_fname, "libcrypto.so") != NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendor_runs_beside_ours),
        cmocka_unit_test(two_copies_two_versions),
    };
    char dir[] = "/tmp/casemate-p11.XXXXXX", path[sizeof dir + 16];
    bool have = false;
    int failed;

    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        have = have || access(modules[i], R_OK) == 0;
    if (!have || linked_to_the_system()) {
        printf("SKIP: %s\n", have ? "linked to the system's OpenSSL: there is only one copy"
                                  : "libsofthsm2 is not installed");
        return SKIPPED;
    }
    configure(dir);
    failed = cmocka_run_group_tests(tests, load_vendor, NULL);
    snprintf(path, sizeof path, "%s/softhsm2.conf", dir);
    unlink(path);
    rmdir(dir);
    return failed;
}
