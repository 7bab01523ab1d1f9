/* The machine's TPM, emulated, as a provider of keys: the conformance suite, seeds that open while
 * registers stay, a root under it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hsm/conform.h"
#include "hsm/tpm.h"
#include "hsm/unseal.h"
#include "swtpm.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

#ifdef __SANITIZE_ADDRESS__
#define LEAKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAKS 1
#endif
#endif
#ifdef LEAKS
/* What the system's OpenSSL keeps for tpm2-tss; ours is linked in and has no such name. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so.3\n";
}
#endif

static cm_crypt *crypt_;
static char dir[T_PATH];
static t_swtpm one, two;
static bool have;

static int set_up(void **state)
{
    cm_tpm *t;
    cm_err e;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("TSS2_LOG", "all+none", 1);
    t_mkdir(dir);
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    e = cm_tpm_open(&t, crypt_, "swtpm:path=/nonexistent/s");
    if (cm_is(e, CM_TPM_NOT_BUILT) || cm_is(e, CM_TPM_LIBRARY)) {
        printf("SKIP: %s\n", cm_err_what(e));
        return 0;
    }
    have = t_swtpm_new(&one, dir, "one", false) && t_swtpm_new(&two, dir, "two", false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    t_swtpm_kill(&one);
    t_swtpm_kill(&two);
    cm_crypt_free(crypt_);
    t_rmdir(dir);
    return 0;
}

static cm_hsm_tpm *device(const t_swtpm *s)
{
    cm_hsm_tpm *p;

    if (!have)
        skip();
    OK(cm_hsm_tpm_new(&p, crypt_, "pcr=7,11", s->tcti));
    return p;
}

/* AES-256 and P-256, and everything that is asked of every provider; nothing else. */
static void conforms(void **state)
{
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *p = device(&one);
    cm_hsm h = cm_hsm_tpm_of(p);
    cm_conform c;

    (void)state;
    cm_conform_run(&c, crypt_, &h, true);
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++)
        if (c.result[t] == CM_CONFORM_FAIL)
            fail_msg("%s: %s", cm_conform_name((cm_conform_test)t), cm_err_name(c.why[t]));
    assert_int_equal(c.result[CM_CONFORM_AES256], CM_CONFORM_PASS);
    assert_int_equal(c.result[CM_CONFORM_AES256 + CM_HSM_P256 - 1], CM_CONFORM_PASS);
    assert_int_equal(c.absent, CM_HSM_ALGS - 2);
}

static void lasting_keys(void **state)
{
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *p = device(&one);
    cm_hsm h = cm_hsm_tpm_of(p);
    cm_hsm_key k;
    cm_hsm_status s;

    (void)state;
    IS(cm_hsm_generate(&h, &k, CM_HSM_AES256, CM_LIT("tenant"), CM_LIT("tenant"), false),
       HSM_MECHANISM);
    IS(cm_hsm_generate(&h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), CM_LIT("r"), false),
       HSM_KEYS);
    OK(cm_hsm_find(&h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), (cm_view){0}));
    assert_int_equal(k.custody, CM_HSM_WRAPPED);
    IS(cm_hsm_destroy(&h, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID)), HSM_MECHANISM);
    OK(cm_hsm_status_of(&h, &s));
    assert_string_equal(s.label, "PCR 7,11");
    assert_int_equal(strlen(s.serial), 16);
}

/* TP-30, TP-31: each piece of one blob in the place of another's; each byte changed. */
static void seeds(void **state)
{
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *p = device(&one);
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *other = device(&two);
    CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf got = {.max = CM_HSM_SEED_MAX};
    cm_hsm h = cm_hsm_tpm_of(p), stranger = cm_hsm_tpm_of(other);
    char why[CM_HSM_TPM_WHY];
    cm_view root = CM_LIT(CM_HSM_ROOT_ID), seed = CM_LIT("a seed of thirty-two bytes, or so");

    (void)state;
    OK(cm_hsm_wrap(&h, root, seed, CM_LIT("x"), &a));
    OK(cm_hsm_wrap(&h, root, seed, CM_LIT("x"), &b));
    assert_false(
        cm_view_eq(cm_view_sub(cm_buf_view(&a), 16, 300), cm_view_sub(cm_buf_view(&b), 16, 300)));
    IS(cm_hsm_unwrap(&h, root, cm_buf_view(&a), CM_LIT("y"), &got), HSM_BLOB);
    IS(cm_hsm_unwrap(&stranger, root, cm_buf_view(&a), CM_LIT("x"), &got), HSM_BLOB);
    cm_hsm_tpm_why(other, why);
    assert_non_null(strstr(why, "another TPM"));
    assert_int_equal(a.n, b.n);
    memcpy(b.p + a.n - 60, a.p + a.n - 60, 60);
    IS(cm_hsm_unwrap(&h, root, cm_buf_view(&b), CM_LIT("x"), &got), HSM_BLOB);
    for (size_t i = 0; i < a.n; i += 7) {
        a.p[i] ^= 4;
        assert_true(cm_failed(cm_hsm_unwrap(&h, root, cm_buf_view(&a), CM_LIT("x"), &got)));
        assert_int_equal(got.n, 0);
        a.p[i] ^= 4;
    }
    OK(cm_hsm_unwrap(&h, root, cm_buf_view(&a), CM_LIT("x"), &got));
    assert_true(cm_view_eq(cm_buf_view(&got), seed));
}

/* TP-32: a boot record's slot, until a register is extended; the other slot opens it still. */
static void root(void **state)
{
    CM_AUTO(cm_hsm_tpm_free_ptr) cm_hsm_tpm *p = device(&two);
    CM_AUTO(cm_root_free_ptr) cm_root *r = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *got = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *again = NULL;
    CM_AUTO(cm_tpm_close_ptr) cm_tpm *t = NULL;
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    cm_hsm h = cm_hsm_tpm_of(p);
    cm_hsm_unseal u;
    uint8_t keyfile[32] = {1}, digest[32] = {2};
    char why[CM_HSM_TPM_WHY];
    size_t shares = 0;

    (void)state;
    cm_hsm_unseal_init(&u, &h);
    cm_unseal_method m[] = {{.kind = CM_UNSEAL_BACKEND, .backend = &u.backend},
                            {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)}};
    cm_unseal_key by_tpm = {.kind = CM_UNSEAL_BACKEND, .backend = &u.backend},
                  by_file = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};

    OK(cm_root_new(&r, crypt_, CM_LIT("log.example")));
    OK(cm_boot_seal(&boot, NULL, &shares, crypt_, r, m, 2));
    OK(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &by_tpm));
    assert_memory_equal(got->id, r->id, sizeof r->id);
    cm_root_free(got);
    got = NULL;
    cm_hsm_tpm_free(p); /* one connection at a time */
    p = NULL;
    OK(cm_tpm_open(&t, crypt_, two.tcti));
    OK(cm_tpm_extend(t, CM_TPM_BANK_SHA256, 7, CM_VIEW(digest)));
    cm_tpm_close(t);
    t = NULL;
    p = device(&two);
    h = cm_hsm_tpm_of(p);
    IS(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &by_tpm), TPM_CHANGED);
    cm_hsm_tpm_why(p, why);
    assert_string_equal(why, "these registers differ: 7");
    OK(cm_boot_open(&again, crypt_, cm_buf_view(&boot), &by_file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conforms),
        cmocka_unit_test(lasting_keys),
        cmocka_unit_test(seeds),
        cmocka_unit_test(root),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
