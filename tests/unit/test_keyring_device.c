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
    bool away[DEVICES], spoils;
    unsigned asked, dropped;
    uint64_t now;
    cm_key_devices devices;
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

static cm_hsm_key named(const cm_device_key *k)
{
    cm_hsm_key key = {.id_n = k->id.n};

    key.alg = k->type == CM_KEY_P256         ? CM_HSM_P256
              : k->type == CM_KEY_SECP256K1  ? CM_HSM_SECP256K1
              : k->type == CM_KEY_RSA_2048   ? CM_HSM_RSA2048
              : k->type == CM_KEY_ML_KEM_768 ? CM_HSM_MLKEM768
                                             : CM_HSM_MLDSA65;
    memcpy(key.id, k->id.p, k->id.n);
    if (k->pub.n)
        OK(cm_hash_once(g.t->crypt, CM_SHA256, key.hash, k->pub));
    return key;
}

static cm_err make(void *self, unsigned n, cm_key_type type, cm_view id, cm_view label, cm_buf *pub)
{
    const cm_device_key k = {.type = type, .id = id};
    struct rig *r = self;
    cm_hsm_key made;

    r->asked++;
    if (r->away[n])
        return CM_FAIL(KEY_DEVICE_AWAY);
    OK(cm_hsm_generate(&r->hsm[n], &made, (cm_hsm_alg)named(&k).alg, id, label, false));
    return cm_buf_append(pub, cm_view_of(made.pub, r->spoils ? made.pub_n - 1 : made.pub_n));
}

static cm_err sign(void *self, unsigned n, const cm_device_key *k, bool pkcs1, const cm_view *msg,
                   size_t count, cm_buf *sig)
{
    const cm_hsm_key key = named(k);
    struct rig *r = self;

    r->asked++;
    if (r->away[n])
        return CM_FAIL(KEY_DEVICE_AWAY);
    if (k->digest)
        return cm_hsm_sign_digests(&r->hsm[n], &key, k->check, msg, count, sig);
    if (k->check)
        return cm_hsm_sign_many(&r->hsm[n], &key, k->check, msg, count, sig);
    assert_int_equal(count, 1);
    return pkcs1 ? cm_hsm_sign_pkcs1(&r->hsm[n], &key, msg[0], sig)
                 : cm_hsm_sign(&r->hsm[n], &key, msg[0], sig);
}

static cm_err decapsulate(void *self, unsigned n, const cm_device_key *k, cm_view ct,
                          cm_buf *secret)
{
    const cm_hsm_key key = named(k);
    struct rig *r = self;

    r->asked++;
    return cm_hsm_decapsulate(&r->hsm[n], &key, ct, secret);
}

static cm_err drop(void *self, unsigned n, const cm_device_key *k)
{
    const cm_hsm_key key = named(k);
    struct rig *r = self;

    r->asked++;
    if (r->away[n])
        return CM_FAIL(KEY_DEVICE_AWAY);
    r->dropped++;
    return cm_hsm_destroy(&r->hsm[n], (cm_hsm_alg)key.alg, k->id);
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
    g.devices = (cm_key_devices){.find = find,
                                 .wrap = wrap,
                                 .unwrap = unwrap,
                                 .make = make,
                                 .sign = sign,
                                 .decapsulate = decapsulate,
                                 .drop = drop,
                                 .now_ms = now,
                                 .hold_ms = HOLD,
                                 .self = &g};
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

/* Under the root alone. */
static cm_buf kek_of_version(cm_view tenant, uint64_t version)
{
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT, .bind = {.tenant = tenant, .kek_version = version}};
    cm_buf out;

    cm_keyring_exec(g.ring, &op);
    OK(op.result);
    out = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
    return out;
}

static cm_buf kek_of_root(cm_view tenant)
{
    return kek_of_version(tenant, 1);
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

/* ---- keys that stay in their device ---- */

struct native {
    cm_buf kek, sealed, pub;
    cm_key_binding bind;
};

static void native_done(struct native *n)
{
    cm_buf_free(&n->kek);
    cm_buf_free(&n->sealed);
    cm_buf_free(&n->pub);
}

/* The tenant's KEK is under the root alone, so that what asks the device is the key. */
static cm_err native_key(struct native *n, cm_key_type type, cm_view device)
{
    cm_keyop op = {.code = CM_KEYOP_CREATE, .context = device, .data = NONE, .patient = true};
    cm_err e;

    *n = (struct native){.kek = kek_of_root(ACME),
                         .bind = {.tenant = ACME,
                                  .path = CM_LIT("keys/native"),
                                  .version = 1,
                                  .type = type,
                                  .kek_version = 1}};
    op.bind = n->bind;
    op.kek = cm_buf_view(&n->kek);
    op.data = CM_LIT("label");
    cm_keyring_exec(g.ring, &op);
    e = op.result;
    if (cm_ok(e)) {
        n->sealed = cm_buf_take(&op.out);
        n->pub = cm_buf_take(&op.out2);
    }
    cm_keyop_done_with(&op);
    return e;
}

static cm_keyop native_op(const struct native *n, cm_keyop_code code, cm_view data)
{
    return (cm_keyop){.code = code,
                      .bind = n->bind,
                      .kek = cm_buf_view(&n->kek),
                      .key = cm_buf_view(&n->sealed),
                      .data = data,
                      .patient = true};
}

/* What an operation says; its first result, where somebody wants it. */
static const char *run(cm_keyop op, cm_buf *out)
{
    cm_err e;

    cm_keyring_exec(g.ring, &op);
    e = op.result;
    if (out && cm_ok(e))
        *out = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
    return cm_err_name(e);
}

static void signs_and_verifies(cm_key_type type, cm_view context)
{
    CM_AUTO(native_done) struct native n;
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 0};
    cm_keyop op;

    OK(native_key(&n, type, CM_LIT("one")));
    op = native_op(&n, CM_KEYOP_SIGN, CM_LIT("message"));
    op.context = context;
    assert_string_equal(run(op, &sig), "OK");
    op.code = CM_KEYOP_VERIFY;
    op.more = cm_buf_view(&sig);
    assert_string_equal(run(op, NULL), "OK");
    op.data = CM_LIT("another");
    assert_string_equal(run(op, NULL), "CRYPT_SIGNATURE");
}

/* KM-60 to KM-62 */
static void test_a_native_key_signs(void **state)
{
    (void)state;
    signs_and_verifies(CM_KEY_P256, NONE);
    signs_and_verifies(CM_KEY_ML_DSA_65, NONE);
    signs_and_verifies(CM_KEY_SECP256K1, NONE);
    signs_and_verifies(CM_KEY_SECP256K1, CM_LIT("keccak256-recoverable"));
    signs_and_verifies(CM_KEY_RSA_2048, CM_LIT("pss"));
    signs_and_verifies(CM_KEY_RSA_2048, CM_LIT("pkcs1"));
}

/* KM-62: a digest of P-256 is the message's as others sign it; of the wrong length, or of a key
 * that takes none, it is refused. */
static void test_a_native_key_signs_digests(void **state)
{
    CM_AUTO(native_done) struct native n;
    CM_AUTO(native_done) struct native other;
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 0};
    uint8_t digest[32];
    unsigned asked;
    cm_keyop op;

    (void)state;
    OK(cm_hash_once(g.t->crypt, CM_SHA256, digest, CM_LIT("message")));
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    OK(native_key(&other, CM_KEY_ML_DSA_65, CM_LIT("two")));
    op = native_op(&n, CM_KEYOP_SIGN, CM_VIEW(digest));
    op.form = CM_FORM_DIGEST;
    assert_string_equal(run(op, &sig), "OK");
    asked = g.asked;
    op.data.n = 31;
    assert_string_equal(run(op, NULL), "KEY_FORM");
    op = native_op(&other, CM_KEYOP_SIGN, CM_VIEW(digest));
    op.form = CM_FORM_DIGEST;
    assert_string_equal(run(op, NULL), "KEY_FORM");
    assert_int_equal(g.asked, asked);
    op = native_op(&n, CM_KEYOP_VERIFY, CM_LIT("message"));
    op.more = cm_buf_view(&sig);
    assert_string_equal(run(op, NULL), "OK");
    op.data = CM_VIEW(digest);
    assert_string_equal(run(op, NULL), "CRYPT_SIGNATURE");
}

/* KM-60: where it is may not be moved, changed, or passed off as a secret. */
static void test_a_native_key_is_bound(void **state)
{
    CM_AUTO(native_done) struct native n;
    cm_keyop op;

    (void)state;
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    op = native_op(&n, CM_KEYOP_SIGN, CM_LIT("message"));
    op.bind.version = 2;
    assert_string_equal(run(op, NULL), "CRYPT_TAG");
    op.bind = n.bind;
    op.bind.type = CM_KEY_SECP256K1;
    assert_string_equal(run(op, NULL), "CRYPT_TAG");
    op.bind = n.bind;
    op.key = cm_view_sub(op.key, 1, op.key.n - 1);
    assert_string_equal(run(op, NULL), "CRYPT_TAG");
    for (size_t i = 0; i < n.sealed.n; i++) {
        n.sealed.p[i] ^= 1;
        assert_string_equal(run(native_op(&n, CM_KEYOP_SIGN, CM_LIT("x")), NULL), "CRYPT_TAG");
        n.sealed.p[i] ^= 1;
    }
    g.away[0] = true;
    assert_string_equal(run(native_op(&n, CM_KEYOP_SIGN, CM_LIT("x")), NULL), "KEY_DEVICE_AWAY");
    op = native_op(&n, CM_KEYOP_SIGN, CM_LIT("x"));
    op.patient = false;
    assert_string_equal(run(op, NULL), "KEY_DEVICE_WAIT");
}

/* KM-63 */
static void test_a_native_key_stays(void **state)
{
    CM_AUTO(native_done) struct native n;
    CM_AUTO(native_done) struct native kem;
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = 0};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 0};
    cm_keyop op;

    (void)state;
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    OK(native_key(&kem, CM_KEY_ML_KEM_768, CM_LIT("two")));
    op = native_op(&n, CM_KEYOP_EXPORT, NONE);
    op.more = cm_buf_view(&kem.pub);
    assert_string_equal(run(op, NULL), "KEY_IN_DEVICE");
    op = native_op(&kem, CM_KEYOP_IMPORT_WRAPPED, CM_LIT("anything"));
    op.type2 = CM_KEY_AES_256;
    op.more = CM_LIT("keys/new");
    assert_string_equal(run(op, NULL), "KEY_IN_DEVICE");
    assert_string_equal(run(native_op(&kem, CM_KEYOP_WRAP, CM_LIT("a key")), &wrapped), "OK");
    op = native_op(&kem, CM_KEYOP_UNWRAP, cm_buf_view(&wrapped));
    assert_string_equal(run(op, &plain), "OK");
    assert_true(cm_view_eq(cm_buf_view(&plain), CM_LIT("a key")));
    op = native_op(&kem, CM_KEYOP_DECAPSULATE, CM_LIT("short"));
    assert_string_equal(run(op, NULL), "KEM_LENGTH");
    op = native_op(&n, CM_KEYOP_SIGN, cm_view_of(kem.pub.p, 64));
    op.form = CM_FORM_MU;
    assert_string_equal(run(op, NULL), "KEY_FORM");
}

/* KM-14: under a newer KEK it is the same key. */
static void test_a_native_key_is_resealed(void **state)
{
    CM_AUTO(native_done) struct native n;
    CM_AUTO(cm_buf_free) cm_buf newer = {.max = 0};
    cm_keyop op;

    (void)state;
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    newer = kek_of_version(ACME, 2);
    op = native_op(&n, CM_KEYOP_RESEAL, NONE);
    op.n = 2;
    op.more = cm_buf_view(&newer);
    cm_buf_free(&n.pub);
    assert_string_equal(run(op, &n.pub), "OK");
    op = native_op(&n, CM_KEYOP_SIGN, CM_LIT("message"));
    op.bind.kek_version = 2;
    op.kek = cm_buf_view(&newer);
    op.key = cm_buf_view(&n.pub);
    assert_string_equal(run(op, NULL), "OK");
}

/* KM-61, KM-64 */
static void test_a_native_key_is_destroyed_there(void **state)
{
    CM_AUTO(native_done) struct native n;
    CM_AUTO(native_done) struct native spoilt;

    (void)state;
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    g.away[0] = true;
    assert_string_equal(run(native_op(&n, CM_KEYOP_DROP, NONE), NULL), "KEY_DEVICE_AWAY");
    g.away[0] = false;
    assert_string_equal(run(native_op(&n, CM_KEYOP_DROP, NONE), NULL), "OK");
    assert_int_equal(g.dropped, 1);
    assert_string_not_equal(run(native_op(&n, CM_KEYOP_SIGN, CM_LIT("x")), NULL), "OK");
    g.spoils = true; /* no key is left behind that nobody could name */
    assert_string_not_equal(cm_err_name(native_key(&spoilt, CM_KEY_P256, CM_LIT("one"))), "OK");
    assert_int_equal(g.dropped, 2);
}

/* KM-62: those of one key in one request, each with its own signature; one that can't go along
 * does not hold up the others. */
static void test_many_at_once(void **state)
{
    enum { N = CM_KEYOPS_MANY + 4, OTHER = 5, BAD = 7, DIGEST = 9 };
    static const char *const text[] = {"one", "two", "three"};
    CM_AUTO(native_done) struct native n;
    CM_AUTO(native_done) struct native other;
    cm_keyop op[N], *all[N];
    unsigned asked;

    (void)state;
    OK(native_key(&n, CM_KEY_P256, CM_LIT("one")));
    OK(native_key(&other, CM_KEY_ML_DSA_65, CM_LIT("two")));
    for (size_t i = 0; i < N; i++) {
        op[i] = native_op(i == OTHER ? &other : &n, CM_KEYOP_SIGN, cm_view_str(text[i % 3]));
        all[i] = &op[i];
    }
    op[BAD].form = CM_FORM_MU;
    op[DIGEST].form = CM_FORM_DIGEST; /* of no message here: not in a list of messages */
    op[DIGEST].data = CM_LIT("thirty-two bytes of somebody's..");
    asked = g.asked;
    cm_keyring_exec_many(g.ring, all, N);
    assert_int_equal(g.asked - asked, 4); /* one of 32, the other key, the digest, one left over */
    for (size_t i = 0; i < N; i++) {
        cm_keyop v = op[i];

        assert_string_equal(cm_err_name(op[i].result), i == BAD ? "KEY_FORM" : "OK");
        v.code = CM_KEYOP_VERIFY;
        v.more = cm_buf_view(&op[i].out);
        if (i != BAD)
            assert_string_equal(run(v, NULL), "OK");
        cm_keyop_done_with(&op[i]);
    }
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
        cmocka_unit_test_setup_teardown(test_a_native_key_signs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_native_key_signs_digests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_native_key_is_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_native_key_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_native_key_is_resealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_native_key_is_destroyed_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_and_labels, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
