/* The root under a device: H-13; and what a key of a device may not be called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hsm/hsm.h"
#include "hsm/unseal.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;

static int set_up(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int tear_down(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

static void with_root_key(cm_hsm_soft **s, cm_hsm *h, cm_hsm_unseal *u)
{
    cm_hsm_key k;

    OK(cm_hsm_soft_new(s, crypt_));
    *h = cm_hsm_soft_of(*s);
    cm_hsm_unseal_init(u, h);
    OK(cm_hsm_generate(h, &k, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID), CM_LIT("r"), false));
}

static void a_root_opens_by_its_device_alone(void **state)
{
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *a = NULL;
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *b = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *root = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *got = NULL;
    CM_AUTO(cm_buf_free) cm_buf boot = {.max = CM_BOOT_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 key;
    cm_unseal_method m = {.kind = CM_UNSEAL_BACKEND, .label = CM_LIT("hsm")};
    cm_unseal_key way = {.kind = CM_UNSEAL_BACKEND};
    cm_hsm_unseal ua, ub;
    cm_hsm ha, hb;

    (void)state;
    with_root_key(&a, &ha, &ua);
    with_root_key(&b, &hb, &ub);
    OK(cm_root_new(&root, crypt_, CM_LIT("test/log")));
    m.backend = &ua.backend;
    OK(cm_boot_seal(&boot, NULL, NULL, crypt_, root, &m, 1));
    way.backend = &ub.backend;
    IS(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &way), UNSEAL_WRONG);
    way.backend = &ua.backend;
    OK(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &way));
    assert_memory_equal(got, root, sizeof *root);
    IS(ua.backend.unwrap(&ua, crypt_, &key, CM_LIT("nonsense"), CM_LIT("c")), BOOT_MALFORMED);
    OK(cm_hsm_destroy(&ha, CM_HSM_AES256, CM_LIT(CM_HSM_ROOT_ID)));
    cm_root_free(got);
    got = NULL;
    IS(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &way), HSM_NO_KEY);
}

/* H-71: a label that stands for an id is not for people to give. */
static void nobody_gives_a_key_anothers_name(void **state)
{
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *s = NULL;
    cm_hsm_key k;
    cm_hsm h;

    (void)state;
    OK(cm_hsm_soft_new(&s, crypt_));
    h = cm_hsm_soft_of(s);
    IS(cm_hsm_generate(&h, &k, CM_HSM_P256, CM_LIT("x"), CM_LIT("casemate-id:79"), false),
       HSM_REQUEST);
    OK(cm_hsm_generate(&h, &k, CM_HSM_P256, CM_LIT("x"), CM_LIT("casemate-id"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_opens_by_its_device_alone),
        cmocka_unit_test(nobody_gives_a_key_anothers_name),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
