/* Tenants' KEKs under devices of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/hsm.h"
#include "keys/ring_int.h"
#include "ring_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { DEVICES = 2, HOLD = 1000 };

struct rig {
    t_ring *t;
    cm_keyring *ring;
    cm_hsm_soft *soft[DEVICES];
    cm_hsm hsm[DEVICES];
    bool away[DEVICES];
    unsigned asked;
    uint64_t now;
    cm_kek_devices devices;
};

static struct rig g;

/* ---- devices ------------------------------------------------------------------------------- */

static cm_err find(void *self, unsigned *number, cm_view name)
{
    (void)self;
    *number = cm_view_eq(name, CM_LIT("two"));
    return *number || cm_view_eq(name, CM_LIT("one")) ? CM_OKAY : CM_FAIL(KEY_DEVICE_NONE);
}

static cm_err wrap(void *self, unsigned n, cm_view label, cm_view kek, cm_view context,
                   cm_buf *blob, cm_kek_facts *facts)
{
    struct rig *r = self;
    cm_hsm_key key;

    r->asked++;
    if (r->away[n])
        return CM_FAIL(KEY_DEVICE_AWAY);
    if (cm_failed(cm_hsm_find(&r->hsm[n], &key, CM_HSM_AES256, label, cm_view_of(NULL, 0))))
        OK(cm_hsm_generate(&r->hsm[n], &key, CM_HSM_AES256, label, label, false));
    *facts = (cm_kek_facts){.custody = "hsm-wrapped", .provider = "maker", .serial = "17"};
    return cm_hsm_wrap(&r->hsm[n], label, kek, context, blob);
}

static cm_err unwrap(void *self, unsigned n, cm_view label, cm_view blob, cm_view context,
                     cm_buf *kek)
{
    struct rig *r = self;

    r->asked++;
    if (r->away[n])
        return CM_FAIL(KEY_DEVICE_AWAY);
    return cm_failed(cm_hsm_unwrap(&r->hsm[n], label, blob, context, kek))
               ? CM_FAIL(KEY_DEVICE_OTHER)
               : CM_OKAY;
}

static uint64_t now(void *self)
{
    return ((const struct rig *)self)->now;
}

static void restart(void)
{
    cm_keyring_options o = {.crypt = g.t->crypt, .root = &g.t->root, .devices = &g.devices};

    cm_keyring_free(g.ring);
    g.ring = NULL;
    OK(cm_keyring_new(&g.ring, &o));
}

static int setup(void **state)
{
    (void)state;
    g = (struct rig){.t = t_ring_new(), .now = 1};
    for (size_t i = 0; i < DEVICES; i++) {
        OK(cm_hsm_soft_new(&g.soft[i], g.t->crypt));
        g.hsm[i] = cm_hsm_soft_of(g.soft[i]);
    }
    g.devices = (cm_kek_devices){find, wrap, unwrap, now, HOLD, &g};
    restart();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_keyring_free(g.ring);
    for (size_t i = 0; i < DEVICES; i++)
        cm_hsm_soft_free(g.soft[i]);
    t_ring_done(g.t);
    return 0;
}

/* ---- operations ---------------------------------------------------------------------------- */

static cm_buf kek_of(cm_view tenant, cm_view device, cm_view label)
{
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT,
                   .bind = {.tenant = tenant, .kek_version = 1},
                   .context = device,
                   .data = label,
                   .patient = true};
    cm_kek_facts f;
    cm_buf out;

    cm_keyring_exec(g.ring, &op);
    OK(op.result);
    OK(cm_kek_facts_get(&f, cm_buf_view(&op.out2)));
    assert_string_equal(f.custody, "hsm-wrapped");
    assert_string_equal(f.serial, "17");
    out = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
    return out;
}

/* A key of the tenant's under its KEK; the result's name. */
static const char *create(cm_view tenant, const cm_buf *kek, bool patient)
{
    cm_keyop op = {.code = CM_KEYOP_CREATE,
                   .bind = {.tenant = tenant,
                            .path = CM_LIT("keys/one"),
                            .version = 1,
                            .type = CM_KEY_AES_256,
                            .kek_version = 1},
                   .kek = cm_buf_view(kek),
                   .patient = patient};
    cm_err e;

    cm_keyring_exec(g.ring, &op);
    e = op.result;
    if (cm_is(e, CM_KEY_DEVICE_WAIT))
        assert_in_range(op.device, 0, DEVICES - 1);
    cm_keyop_done_with(&op);
    return cm_err_name(e);
}

static cm_buf reseal(cm_view tenant, const cm_buf *kek, uint64_t n, cm_view device, cm_view label)
{
    cm_keyop op = {.code = CM_KEYOP_RESEAL,
                   .bind = {.tenant = tenant, .kek_version = 1},
                   .kek = cm_buf_view(kek),
                   .n = n,
                   .context = device,
                   .data = label,
                   .patient = n == 1};
    cm_buf out;

    cm_keyring_exec(g.ring, &op);
    OK(op.result);
    out = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
    return out;
}

#define ACME CM_LIT("acme")
#define EVIL CM_LIT("evil")
#define NONE cm_view_of(NULL, 0)

/* ---- tests --------------------------------------------------------------------------------- */

/* KM-17 */
static void test_it_takes_root_and_device(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf kek = kek_of(ACME, CM_LIT("one"), CM_LIT("label"));

    (void)state;
    assert_string_equal(create(ACME, &kek, true), "OK");
    assert_string_equal(create(EVIL, &kek, true), "CRYPT_TAG");
    restart();
    assert_string_equal(create(ACME, &kek, false), "KEY_DEVICE_WAIT");
    assert_int_equal(g.asked, 2);
    g.devices.find = NULL;
    {
        cm_keyring_options o = {.crypt = g.t->crypt, .root = &g.t->root};

        cm_keyring_free(g.ring);
        OK(cm_keyring_new(&g.ring, &o));
    }
    assert_string_equal(create(ACME, &kek, true), "KEY_DEVICE_NONE");
    for (size_t i = 0; i < kek.n; i += 97) {
        kek.p[i] ^= 1;
        assert_string_equal(create(ACME, &kek, true), "CRYPT_TAG");
        kek.p[i] ^= 1;
    }
}

/* KM-18: whoever holds the root, and could so put it under another tenant's name. */
static void test_the_device_refuses_another_tenant(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf kek = kek_of(ACME, CM_LIT("one"), CM_LIT("label"));
    CM_AUTO(cm_buf_free) cm_buf inner = {.max = CM_KEK_INNER_MAX};
    CM_AUTO(cm_buf_free) cm_buf moved = {.max = 8192};
    cm_key_binding acme = {.tenant = ACME, .kek_version = 1},
                   evil = {.tenant = EVIL, .kek_version = 1};
    cm_kek_form form;

    (void)state;
    OK(cm_ring_open_root(g.ring, &inner, &form, &acme, cm_buf_view(&kek)));
    assert_int_equal(form, CM_KEK_DEVICE);
    OK(cm_ring_seal_root(g.ring, &moved, &evil, form, cm_buf_view(&inner)));
    assert_string_equal(create(EVIL, &moved, true), "KEY_DEVICE_OTHER");
    moved.n = 0;
    OK(cm_ring_seal_root(g.ring, &moved, &acme, form, cm_buf_view(&inner)));
    assert_string_equal(create(ACME, &moved, true), "OK");
}

/* KM-19 */
static void test_what_was_opened_is_held_for_a_time(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf one = kek_of(ACME, CM_LIT("one"), CM_LIT("a"));
    CM_AUTO(cm_buf_free) cm_buf two = kek_of(EVIL, CM_LIT("two"), CM_LIT("b"));
    unsigned asked;

    (void)state;
    assert_string_equal(create(ACME, &one, true), "OK");
    asked = g.asked;
    g.away[0] = true;
    g.now += HOLD - 1;
    assert_string_equal(create(ACME, &one, false), "OK");
    assert_int_equal(g.asked, asked);
    assert_int_equal(cm_keyring_count(g.ring).keks, 1);
    g.now++;
    assert_string_equal(create(ACME, &one, false), "KEY_DEVICE_WAIT");
    assert_int_equal(cm_keyring_count(g.ring).keks, 0);
    assert_string_equal(create(ACME, &one, true), "KEY_DEVICE_AWAY");
    assert_string_equal(create(EVIL, &two, true), "OK");
    g.away[0] = false;
    assert_string_equal(create(ACME, &one, true), "OK");
    g.now += HOLD;
    cm_keyring_expire(g.ring);
    assert_int_equal(cm_keyring_count(g.ring).keks, 0);
    assert_int_equal(cm_keyring_count(g.ring).keys, 0);
}

/* KM-19: with the KEK goes what was opened by it. */
static void test_its_keys_go_with_it(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf kek = kek_of(ACME, CM_LIT("one"), CM_LIT("a"));
    t_held k;

    (void)state;
    {
        cm_keyop op = {.code = CM_KEYOP_CREATE,
                       .bind = {.tenant = ACME,
                                .path = CM_LIT("k"),
                                .version = 1,
                                .type = CM_KEY_ED25519,
                                .kek_version = 1},
                       .kek = cm_buf_view(&kek),
                       .patient = true};

        cm_keyring_exec(g.ring, &op);
        OK(op.result);
        k = (t_held){.bind = op.bind, .sealed = cm_buf_take(&op.out)};
        cm_keyop_done_with(&op);
    }
    cm_keyop sign = {.code = CM_KEYOP_SIGN,
                     .bind = k.bind,
                     .kek = cm_buf_view(&kek),
                     .key = cm_buf_view(&k.sealed),
                     .data = CM_LIT("message")};

    cm_keyring_exec(g.ring, &sign);
    OK(sign.result);
    cm_keyop_done_with(&sign);
    assert_int_equal(cm_keyring_count(g.ring).keys, 1);
    g.now += HOLD;
    cm_keyring_expire(g.ring);
    assert_int_equal(cm_keyring_count(g.ring).keys, 0);
    t_held_done(&k);
}

/* KM-17: a new generation of the root needs no device; another device needs both. */
static void test_resealing(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf kek = kek_of(ACME, CM_LIT("one"), CM_LIT("a"));
    unsigned asked = g.asked;
    CM_AUTO(cm_buf_free) cm_buf again = reseal(ACME, &kek, 0, NONE, NONE);

    (void)state;
    assert_int_equal(g.asked, asked);
    assert_int_equal(again.n, kek.n);
    assert_string_equal(create(ACME, &again, true), "OK");
    CM_AUTO(cm_buf_free) cm_buf other = reseal(ACME, &again, 1, CM_LIT("two"), CM_LIT("b"));

    g.away[0] = true;
    restart();
    assert_string_equal(create(ACME, &kek, true), "KEY_DEVICE_AWAY");
    assert_string_equal(create(ACME, &other, true), "OK");
    CM_AUTO(cm_buf_free) cm_buf none = reseal(ACME, &other, 1, NONE, NONE);

    g.away[1] = true;
    restart();
    assert_string_equal(create(ACME, &none, false), "OK");
}

static void test_names_and_labels(void **state)
{
    static const struct {
        const char *device, *label, *says;
    } cases[] = {
        {"one", "", "KEY_FORM"},
        {"", "label", "KEY_FORM"},
        {"one", "a label that is longer than 32 byte", "KEY_FORM"},
        {"three", "label", "KEY_DEVICE_NONE"},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_keyop op = {.code = CM_KEYOP_NEW_TENANT,
                       .bind = {.tenant = ACME, .kek_version = 1},
                       .context = cm_view_str(cases[i].device),
                       .data = cm_view_str(cases[i].label),
                       .patient = true};

        cm_keyring_exec(g.ring, &op);
        assert_string_equal(cm_err_name(op.result), cases[i].says);
        assert_null(op.out.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_takes_root_and_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_device_refuses_another_tenant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_opened_is_held_for_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_its_keys_go_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resealing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_and_labels, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
