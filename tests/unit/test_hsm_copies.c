/* H-74: keys that are in use are used by a copy in a session's memory, for as long as the key is
 * there. On SoftHSM2, whose objects another part of this process can look at. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/pkcs11.h"
#include "hsm/p11.h"
#include "hsm_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { ENOUGH = 12, MANY = 70, THREADS = 4, TURNS = 150 };

static const uint8_t id[] = {7, 1}, aes_id[] = {7, 2}, other_id[] = {7, 3};

struct place {
    char dir[T_PATH];
    cm_crypt *c;
    cm_p11 *p;
    cm_hsm h;
    cm_hsm_key key;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE raw;
};

static cm_p11 *open_token(const struct place *w, const char *module)
{
    const cm_p11_options o = {.module = module, .token = T_TOKEN, .pin = CM_LIT(T_PIN)};
    cm_p11 *p = NULL;

    OK(cm_p11_new(&p, w->c, &o));
    return p;
}

/* The module as another part of the process has it: in a session of its own. */
static void look_inside(struct place *w)
{
    void *lib = dlopen(t_softhsm_module(), RTLD_NOW | RTLD_LOCAL);
    void *at = lib ? dlsym(lib, "C_GetFunctionList") : NULL;
    CK_RV (*get)(CK_FUNCTION_LIST **);
    CK_SLOT_ID slots[8];
    CK_ULONG n = CM_COUNT(slots);

    assert_non_null(at);
    memcpy(&get, &at, sizeof get);
    assert_int_equal(get(&w->f), CKR_OK);
    assert_int_equal(w->f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO t;

        assert_int_equal(w->f->C_GetTokenInfo(slots[i], &t), CKR_OK);
        if (t.flags & CKF_TOKEN_INITIALIZED)
            assert_int_equal(w->f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                 NULL, NULL, &w->raw),
                             CKR_OK);
    }
}

static int set_up(void **state)
{
    struct place *w = calloc(1, sizeof *w);

    t_mkdir(w->dir);
    *state = w;
    OK(cm_crypt_new(&w->c, CM_PROFILE_DEFAULT));
    if (!t_softhsm(w->dir))
        return 0;
    w->p = open_token(w, t_shim(w->dir) ? t_shim(w->dir) : t_softhsm_module());
    w->h = cm_p11_of(w->p);
    OK(cm_hsm_generate(&w->h, &w->key, CM_HSM_P256, CM_VIEW(id), CM_LIT("k"), false));
    look_inside(w);
    return 0;
}

static int tear_down(void **state)
{
    struct place *w = *state;

    cm_p11_free(w->p);
    cm_crypt_free(w->c);
    t_rmdir(w->dir);
    free(w);
    return 0;
}

static struct place *place(void **state)
{
    struct place *w = *state;

    if (!w->p)
        skip();
    return w;
}

static cm_err sign(const struct place *w)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};

    return cm_hsm_sign(&w->h, &w->key, CM_LIT("message"), &sig);
}

static void sign_often(const struct place *w)
{
    for (unsigned i = 0; i < ENOUGH; i++)
        OK(sign(w));
}

/* Objects with this label or id; *first: one of them. */
static CK_ULONG find(const struct place *w, CK_ULONG type, const void *value, CK_ULONG n,
                     CK_OBJECT_HANDLE *first)
{
    CK_ATTRIBUTE a = {type, (void *)(uintptr_t)value, n};
    CK_OBJECT_HANDLE list[128];
    CK_ULONG found = 0;

    assert_int_equal(w->f->C_FindObjectsInit(w->raw, &a, 1), CKR_OK);
    assert_int_equal(w->f->C_FindObjects(w->raw, list, CM_COUNT(list), &found), CKR_OK);
    assert_int_equal(w->f->C_FindObjectsFinal(w->raw), CKR_OK);
    if (found && first)
        *first = list[0];
    return found;
}

static CK_ULONG copies(const struct place *w, CK_OBJECT_HANDLE *first)
{
    return find(w, CKA_LABEL, "casemate working copy", 21, first);
}

static void a_key_in_use_is_copied_and_held(void **state)
{
    static const CK_ULONG types[] = {CKA_TOKEN,       CKA_PRIVATE,          CKA_SENSITIVE,
                                     CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE};
    static const CK_BBOOL want[] = {CK_FALSE, CK_TRUE, CK_TRUE, CK_FALSE, CK_TRUE, CK_TRUE};
    struct place *w = place(state);
    CK_OBJECT_HANDLE h = 0;

    OK(sign(w));
    assert_int_equal(copies(w, NULL), 0);
    sign_often(w);
    assert_int_equal(copies(w, &h), 1);
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        CK_BBOOL v = 9;
        CK_ATTRIBUTE a = {types[i], &v, sizeof v};

        assert_int_equal(w->f->C_GetAttributeValue(w->raw, h, &a, 1), CKR_OK);
        assert_int_equal(v, want[i]);
    }
    assert_int_equal(find(w, CKA_ID, id, sizeof id, NULL), 2); /* both halves, and no copy */
}

/* It was the copy that signed: without it, the session's end is a handle that means nothing. */
static void a_copy_is_what_is_used(void **state)
{
    struct place *w = place(state);
    CK_OBJECT_HANDLE h = 0;

    sign_often(w);
    assert_int_equal(copies(w, &h), 1);
    t_shim_fault(w->dir, "C_FindObjectsInit device 0 9");
    OK(sign(w));
    assert_int_equal(w->f->C_DestroyObject(w->raw, h), CKR_OK);
    IS(sign(w), HSM_DEVICE);
    t_shim_fault(w->dir, "");
    OK(sign(w));
}

/* Another program destroyed the key. */
static void a_copy_goes_with_its_key(void **state)
{
    struct place *w = place(state);
    CK_OBJECT_HANDLE h = 0;
    cm_err e = CM_OKAY;

    sign_often(w);
    assert_int_equal(copies(w, NULL), 1);
    while (find(w, CKA_ID, id, sizeof id, &h))
        assert_int_equal(w->f->C_DestroyObject(w->raw, h), CKR_OK);
    for (unsigned i = 0; cm_ok(e) && i < 600; i++) {
        e = sign(w);
        usleep(50000);
    }
    IS(e, HSM_NO_KEY);
    assert_int_equal(copies(w, NULL), 0);
}

static void name_it(const struct place *w, CK_OBJECT_HANDLE h)
{
    CK_BYTE value[sizeof id];
    CK_ATTRIBUTE a = {CKA_ID, value, sizeof value};

    memcpy(value, id, sizeof id);
    assert_int_equal(w->f->C_SetAttributeValue(w->raw, h, &a, 1), CKR_OK);
}

/* Another put another key in its place: what has the same id is another key. */
static void a_copy_goes_with_another_key_of_the_id(void **state)
{
    struct place *w = place(state);
    CK_OBJECT_HANDLE h = 0;
    cm_err e = CM_OKAY;
    cm_hsm_key other;

    OK(cm_hsm_generate(&w->h, &other, CM_HSM_P256, CM_VIEW(other_id), CM_LIT("o"), false));
    sign_often(w);
    while (find(w, CKA_ID, id, sizeof id, &h))
        assert_int_equal(w->f->C_DestroyObject(w->raw, h), CKR_OK);
    while (find(w, CKA_ID, other_id, sizeof other_id, &h))
        name_it(w, h);
    for (unsigned i = 0; cm_ok(e) && i < 600; i++) {
        e = sign(w);
        usleep(50000);
    }
    IS(e, HSM_KEY_CHANGED);
    assert_int_equal(copies(w, NULL), 0);
    w->key = other;
    memcpy(w->key.id, id, sizeof id);
    sign_often(w);
}

static void a_destroyed_key_leaves_no_copy(void **state)
{
    struct place *w = place(state);

    sign_often(w);
    OK(cm_hsm_destroy(&w->h, CM_HSM_P256, CM_VIEW(id)));
    assert_int_equal(copies(w, NULL), 0);
    IS(sign(w), HSM_NO_KEY);
    OK(cm_hsm_generate(&w->h, &w->key, CM_HSM_P256, CM_VIEW(id), CM_LIT("k"), false));
    sign_often(w);
    assert_int_equal(copies(w, NULL), 1);
}

static void without_copies_the_key_is_used(void **state)
{
    static const char *const faults[] = {"device", "general", "memory", "session", "removed"};
    struct place *w = place(state);
    char text[64];

    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        snprintf(text, sizeof text, "C_CopyObject %s 0 999", faults[i]);
        t_shim_fault(w->dir, text);
        sign_often(w);
        assert_int_equal(copies(w, NULL), 0);
        t_shim_fault(w->dir, "");
        OK(cm_hsm_destroy(&w->h, CM_HSM_P256, CM_VIEW(id))); /* forgotten: tried again */
        OK(cm_hsm_generate(&w->h, &w->key, CM_HSM_P256, CM_VIEW(id), CM_LIT("k"), false));
    }
    t_shim_fault(w->dir, "C_OpenSession sessions 0 999");
    sign_often(w);
    assert_int_equal(copies(w, NULL), 0);
}

/* A token that copies without holding: what could leave is not used, nor kept. */
static void a_loose_copy_is_not_used(void **state)
{
    struct place *w = place(state);

    t_shim_fault(w->dir, "C_CopyObject loose 0 9");
    sign_often(w);
    assert_int_equal(copies(w, NULL), 0);
    t_shim_fault(w->dir, "C_SignInit copied 0 99");
    sign_often(w);
    sign_often(w);
    assert_int_equal(copies(w, NULL), 0);
}

static void what_is_lost_is_copied_again(void **state)
{
    static const char *const faults[] = {"C_SignInit session 0 1", "C_SignInit removed 0 1",
                                         "C_SignInit handles 0 1", "C_Sign wrong 0 1",
                                         "C_Sign session 0 1"};
    struct place *w = place(state);

    for (size_t i = 0; i < CM_COUNT(faults); i++) {
        sign_often(w);
        t_shim_fault(w->dir, faults[i]);
        OK(sign(w));
        t_shim_fault(w->dir, "");
        sign_often(w);
        if (copies(w, NULL) != 1)
            fail_msg("after %s: %lu copies", faults[i], copies(w, NULL));
    }
}

/* H-3, H-6: a blob that does not open looks at the key anew; the next opens by a copy again. */
static void seeds_open_by_copies(void **state)
{
    struct place *w = place(state);
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
    cm_hsm_key kek;

    OK(cm_hsm_generate(&w->h, &kek, CM_HSM_AES256, CM_VIEW(aes_id), CM_LIT("kek"), false));
    OK(cm_hsm_wrap(&w->h, CM_VIEW(aes_id), CM_LIT("a seed of many bytes"), CM_LIT("p"), &blob));
    for (unsigned i = 0; i < 3 * ENOUGH; i++) {
        CM_AUTO(cm_buf_free) cm_buf seed = {.max = 256};
        bool bad = i == ENOUGH;
        cm_err e = cm_hsm_unwrap(&w->h, CM_VIEW(aes_id), cm_buf_view(&blob),
                                 bad ? CM_LIT("q") : CM_LIT("p"), &seed);

        if (bad) {
            IS(e, HSM_BLOB);
            continue;
        }
        OK(e);
        assert_true(cm_view_eq(cm_buf_view(&seed), CM_LIT("a seed of many bytes")));
    }
    assert_int_equal(copies(w, NULL), 1);
}

static void copies_have_an_end(void **state)
{
    struct place *w = place(state);

    for (unsigned k = 0; k < MANY; k++) {
        const uint8_t name[] = {8, (uint8_t)k};
        CM_AUTO(cm_buf_free) cm_buf blob = {.max = 256};
        cm_hsm_key kek;

        OK(cm_hsm_generate(&w->h, &kek, CM_HSM_AES256, CM_VIEW(name), CM_LIT("kek"), false));
        OK(cm_hsm_wrap(&w->h, CM_VIEW(name), CM_LIT("seed"), CM_LIT("p"), &blob));
        for (unsigned i = 0; i < ENOUGH; i++) {
            CM_AUTO(cm_buf_free) cm_buf seed = {.max = 256};

            OK(cm_hsm_unwrap(&w->h, CM_VIEW(name), cm_buf_view(&blob), CM_LIT("p"), &seed));
        }
        assert_in_range(copies(w, NULL), k == MANY - 1 ? 1 : 0, 64);
    }
}

static void *sign_on(void *arg)
{
    const struct place *w = arg;
    unsigned good = 0;

    for (unsigned i = 0; i < TURNS; i++) {
        cm_err e = sign(w);

        good += cm_ok(e);
        if (cm_failed(e))
            print_message("turn %u: %s\n", i, cm_err_name(e));
    }
    return (void *)(uintptr_t)good;
}

/* Copies come and go under those who use them. */
static void many_use_them_at_once(void **state)
{
    struct place *w = place(state);
    pthread_t thread[THREADS];
    cm_hsm_key other;

    if (T_RACES)
        skip();
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, sign_on, w), 0);
    for (unsigned i = 0; i < 8; i++) {
        OK(cm_hsm_generate(&w->h, &other, CM_HSM_AES256, CM_VIEW(other_id), CM_LIT("o"), false));
        OK(cm_hsm_destroy(&w->h, CM_HSM_AES256, CM_VIEW(other_id)));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *good;

        assert_int_equal(pthread_join(thread[i], &good), 0);
        assert_int_equal((uintptr_t)good, TURNS);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_in_use_is_copied_and_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_is_what_is_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_goes_with_its_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_goes_with_another_key_of_the_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_destroyed_key_leaves_no_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_copies_the_key_is_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loose_copy_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_lost_is_copied_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(seeds_open_by_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_have_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_use_them_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("hsm_copies", tests, NULL, NULL);
}
