/* Providers of keys: the conformance suite on software and on SoftHSM2; each fault of the shim in
 * each operation; PINs; keys after a reconnect. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hsm/conform.h"
#include "hsm/msg.h"
#include "hsm/p11.h"
#include "hsm_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;
static char dir[T_PATH];
static bool have_token;

static int set_up(void **state)
{
    (void)state;
    t_mkdir(dir);
    have_token = t_softhsm(dir);
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int tear_down(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    t_rmdir(dir);
    return 0;
}

static void need_token(void)
{
    if (!have_token)
        skip();
}

static cm_p11_options options(const char *module)
{
    return (cm_p11_options){.module = module, .token = T_TOKEN, .pin = CM_LIT(T_PIN)};
}

static cm_p11 *open_token(const char *module)
{
    cm_p11_options o = options(module);
    cm_p11 *p = NULL;

    OK(cm_p11_new(&p, crypt_, &o));
    return p;
}

static void show(const cm_conform *c)
{
    static const char *const words[] = {"?", "pass", "absent", "FAIL"};

    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++)
        print_message("%-24s %s %s\n", cm_conform_name((cm_conform_test)t), words[c->result[t]],
                      cm_ok(c->why[t]) ? "" : cm_err_name(c->why[t]));
}

/* ---- conformance: H-1, H-2, H-3, H-4, H-5
 * ---------------------------------------------------------------- */

static void software_conforms(void **state)
{
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *s = NULL;
    cm_conform c;
    cm_hsm h;

    (void)state;
    OK(cm_hsm_soft_new(&s, crypt_));
    h = cm_hsm_soft_of(s);
    cm_conform_run(&c, crypt_, &h, false);
    if (c.failed || c.absent)
        show(&c);
    assert_int_equal(c.passed, CM_CONFORM_COUNT);
}

static void softhsm_conforms(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_conform c;
    cm_hsm h;

    (void)state;
    need_token();
    p = open_token(t_softhsm_module());
    h = cm_p11_of(p);
    cm_conform_run(&c, crypt_, &h, true); /* test_p11d.c: keys that stay */
    if (c.failed)
        show(&c);
    assert_int_equal(c.failed, 0);
    assert_int_equal(c.absent, 5); /* ML-DSA, ML-KEM: 2.6.1 has none */
}

/* ---- status --------------------------------------------------------------------------------- */

/* H-8, H-9 */
static void status_names_the_module(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf file = {.max = 64 << 20};
    cm_hsm_status s;
    uint8_t hash[32];
    cm_hsm h;

    (void)state;
    need_token();
    p = open_token(t_softhsm_module());
    h = cm_p11_of(p);
    OK(cm_hsm_status_of(&h, &s));
    assert_string_equal(s.provider, "SoftHSM project, SoftHSM v2");
    assert_string_equal(s.quirks, "softhsm");
    assert_string_equal(s.label, T_TOKEN);
    assert_string_equal(s.module, t_softhsm_module());
    t_get_file(&file, s.module);
    OK(cm_hash_once(crypt_, CM_SHA256, hash, cm_buf_view(&file)));
    assert_memory_equal(hash, s.module_hash, 32);
    assert_int_equal(s.custody, CM_HSM_NATIVE);
}

static void what_is_not_there(void **state)
{
    cm_p11_options o = options("/nonexistent/module.so");
    cm_p11 *p = NULL;

    (void)state;
    need_token();
    IS(cm_p11_new(&p, crypt_, &o), NO_FILE);
    o.module = "/etc/hostname";
    IS(cm_p11_new(&p, crypt_, &o), HSM_MODULE);
    o.module = "/lib/x86_64-linux-gnu/libm.so.6";
    IS(cm_p11_new(&p, crypt_, &o), HSM_INTERFACE);
    o = options(t_softhsm_module());
    o.token = "no-such-token";
    IS(cm_p11_new(&p, crypt_, &o), HSM_NO_TOKEN);
    o = options(t_softhsm_module());
    o.pin.n = 0;
    IS(cm_p11_new(&p, crypt_, &o), HSM_NO_PIN);
    assert_null(p);
}

/* ---- PINs: H-10 ----------------------------------------------------------------------------- */

static void a_wrong_pin_is_tried_once(void **state)
{
    char own[T_PATH];
    cm_p11_options o;
    cm_p11 *p = NULL;

    (void)state;
    need_token();
    t_mkdir(own);
    assert_true(t_softhsm(own));
    o = options(t_softhsm_module());
    o.pin = CM_LIT("000000");
    IS(cm_p11_new(&p, crypt_, &o), HSM_PIN_WRONG);
    /* The token says that tries are few: not even the right one is tried, unless asked for. */
    o.pin = CM_LIT(T_PIN);
    IS(cm_p11_new(&p, crypt_, &o), HSM_PIN_LOW);
    IS(cm_p11_new(&p, crypt_, &o), HSM_PIN_LOW);
    o.pin_retry = true;
    OK(cm_p11_new(&p, crypt_, &o));
    cm_p11_free(p);
    o.pin_retry = false;
    OK(cm_p11_new(&p, crypt_, &o));
    cm_p11_free(p);
    t_rmdir(own);
    (void)setenv("SOFTHSM2_CONF", t_path(dir, "softhsm2.conf"), 1);
}

/* ---- faults --------------------------------------------------------------------------------- */

struct place {
    cm_hsm h;
    cm_hsm_key kek, key;
    uint8_t blob[256];
    size_t blob_n;
};

static const char seed[] = "a seed of thirty-two bytes, fine";
static const uint8_t kek_id[] = "kek", key_id[] = "key", new_id[] = "new";

static void place_init(struct place *w, cm_p11 *p)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};

    w->h = cm_p11_of(p);
    (void)cm_failed(cm_hsm_destroy(&w->h, CM_HSM_AES256, CM_VIEW(kek_id)));
    (void)cm_failed(cm_hsm_destroy(&w->h, CM_HSM_P256, CM_VIEW(key_id)));
    OK(cm_hsm_generate(&w->h, &w->kek, CM_HSM_AES256, CM_VIEW(kek_id), CM_LIT("k"), false));
    OK(cm_hsm_generate(&w->h, &w->key, CM_HSM_P256, CM_VIEW(key_id), CM_LIT("s"), false));
    OK(cm_hsm_wrap(&w->h, CM_VIEW(kek_id), cm_view_str(seed), CM_LIT("a"), &b));
    memcpy(w->blob, b.p, b.n);
    w->blob_n = b.n;
}

static cm_err op_sign(struct place *w)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};

    CM_TRY(cm_hsm_sign(&w->h, &w->key, CM_LIT("message"), &sig));
    OK(cm_sig_from_public(&k, crypt_, CM_SIG_P256, cm_view_of(w->key.pub, w->key.pub_n)));
    OK(cm_verify_raw(k, CM_LIT("message"), cm_buf_view(&sig)));
    return CM_OKAY;
}

static cm_err op_unwrap(struct place *w)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 256};

    CM_TRY(
        cm_hsm_unwrap(&w->h, CM_VIEW(kek_id), cm_view_of(w->blob, w->blob_n), CM_LIT("a"), &got));
    assert_true(cm_view_eq(cm_buf_view(&got), cm_view_str(seed)));
    return CM_OKAY;
}

static cm_err op_wrap(struct place *w)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};

    CM_TRY(cm_hsm_wrap(&w->h, CM_VIEW(kek_id), cm_view_str(seed), CM_LIT("a"), &b));
    memcpy(w->blob, b.p, b.n);
    w->blob_n = b.n;
    return CM_OKAY;
}

static cm_err op_find(struct place *w)
{
    cm_hsm_key k;

    CM_TRY(cm_hsm_find(&w->h, &k, CM_HSM_P256, CM_VIEW(key_id), CM_VIEW(w->key.hash)));
    assert_memory_equal(k.hash, w->key.hash, 32);
    return CM_OKAY;
}

static cm_err op_random(struct place *w)
{
    uint8_t b[16];

    return cm_hsm_random(&w->h, b, sizeof b);
}

static cm_err op_make(struct place *w)
{
    cm_hsm_key k;

    return cm_hsm_generate(&w->h, &k, CM_HSM_AES256, CM_VIEW(new_id), CM_LIT("n"), true);
}

static void clean(struct place *w)
{
    (void)cm_failed(cm_hsm_destroy(&w->h, CM_HSM_AES256, CM_VIEW(new_id)));
}

static cm_err (*const ops[])(struct place *) = {op_sign, op_unwrap, op_wrap,
                                                op_find, op_random, op_make};
static const char *const op_names[] = {"sign", "unwrap", "wrap", "find", "random", "make"};

static const char *const functions[] = {
    "C_GetSlotList",     "C_GetTokenInfo", "C_OpenSession", "C_Login",       "C_GetAttributeValue",
    "C_FindObjectsInit", "C_FindObjects",  "C_SignInit",    "C_Sign",        "C_EncryptInit",
    "C_Encrypt",         "C_DecryptInit",  "C_Decrypt",     "C_GenerateKey", "C_DestroyObject",
    "C_GenerateRandom",  "C_CopyObject"};
static const char *const faults[] = {"device",  "general", "session", "removed",  "empty", "double",
                                     "handles", "wrong",   "short",   "sessions", "memory"};

/* ---- lists: H-15 ---------------------------------------------------------------------------- */

static void refuses_list(const cm_hsm *h, cm_view list, cm_view aad, cm_hsm_op op)
{
    const cm_hsm_request r = {.op = op,
                              .alg = CM_HSM_AES256,
                              .id = CM_VIEW(kek_id),
                              .data = list,
                              .aad = aad,
                              .many = true};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    IS(h->call(h->self, &r, &a), HSM_REQUEST);
}

static void refuses_other_lists(const cm_hsm *h)
{
    static const uint8_t pair[] = {0, 0, 0, 1, 'x'}, half[] = {0, 0}, cut[] = {0, 0, 0, 2, 'x'},
                         more[] = {0, 0, 0, 1, 'x', 0};
    uint8_t many[5 * (CM_HSM_MANY_MAX + 1)];

    for (size_t i = 0; i <= CM_HSM_MANY_MAX; i++)
        memcpy(many + 5 * i, pair, sizeof pair);
    refuses_list(h, CM_LIT(""), CM_LIT(""), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(half), CM_LIT(""), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(cut), CM_LIT(""), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(more), CM_LIT(""), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(many), CM_LIT(""), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(pair), CM_LIT("a"), CM_HSM_UNWRAP);
    refuses_list(h, CM_VIEW(pair), CM_LIT(""), CM_HSM_WRAP);
}

enum { LIST = 3 };

static void opens_list(const cm_hsm *h, const cm_hsm_item item[LIST])
{
    cm_buf got[LIST] = {{.max = 64}, {.max = 64}, {.max = 64}};
    cm_hsm_item bad[LIST] = {item[0], item[1], item[2]};

    OK(cm_hsm_unwrap_many(h, CM_VIEW(kek_id), item, LIST, got));
    for (size_t i = 0; i < LIST; i++) {
        assert_true(cm_view_eq(cm_buf_view(&got[i]), cm_view_sub(cm_view_str(seed), i, 20 + i)));
        cm_buf_free(&got[i]);
    }
    bad[1].aad = CM_LIT("c");
    IS(cm_hsm_unwrap_many(h, CM_VIEW(kek_id), bad, LIST, got), HSM_BLOB);
    assert_int_equal(got[0].n, 20); /* asked for alone */
    assert_int_equal(got[1].n + got[2].n, 0);
    cm_buf_free(&got[0]);
}

static void refuses_messages(const cm_hsm *h, const cm_hsm_key *key, cm_view list)
{
    const cm_hsm_request r = {.op = CM_HSM_SIGN,
                              .alg = key->alg,
                              .id = CM_LIT("list"),
                              .hash = CM_VIEW(key->hash),
                              .data = list,
                              .many = true};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};

    IS(h->call(h->self, &r, &a), HSM_REQUEST);
}

/* Each signature is that of its own message: in the list's order. */
static void signs_list(const cm_hsm *h, cm_hsm_alg alg)
{
    static const char *const text[LIST] = {"one message of thirty-two bytes.", "", "three"};
    static const uint8_t cut[] = {0, 2, 'x'}, more[] = {0, 1, 'x', 0};
    uint8_t many[2 * (CM_HSM_MANY_MAX + 1)] = {0};
    const cm_view wrong[] = {CM_LIT(""), CM_VIEW(cut), CM_VIEW(more), CM_VIEW(many)};
    cm_buf sig[LIST] = {{.max = 128}, {.max = 128}, {.max = 128}};
    cm_view msg[LIST], left = cm_view_str(text[0]);
    cm_sig_key *k = NULL;
    cm_hsm_key key;

    OK(cm_hsm_generate(h, &key, alg, CM_LIT("list"), CM_LIT("k"), false));
    OK(cm_sig_from_public(&k, crypt_, (cm_sig_id)cm_hsm_alg_sig(alg),
                          cm_view_of(key.pub, key.pub_n)));
    for (size_t i = 0; i < LIST; i++)
        msg[i] = alg == CM_HSM_SECP256K1 ? left : cm_view_str(text[i]);
    OK(cm_hsm_sign_many(h, &key, k, msg, LIST, sig));
    for (size_t i = 0; i < LIST; i++) {
        OK(cm_verify_raw(k, msg[i], cm_buf_view(&sig[i])));
        cm_buf_free(&sig[i]);
    }
    for (size_t i = 0; i < CM_COUNT(wrong); i++)
        refuses_messages(h, &key, wrong[i]);
    cm_sig_key_free(k);
    OK(cm_hsm_destroy(h, alg, CM_LIT("list")));
}

static void one_provider(const cm_hsm *h)
{
    static const char *const purposes[LIST] = {"a", "b", ""};
    cm_buf blob[LIST] = {{.max = 256}, {.max = 256}, {.max = 256}};
    cm_hsm_item item[LIST];
    cm_hsm_key kek;

    OK(cm_hsm_generate(h, &kek, CM_HSM_AES256, CM_VIEW(kek_id), CM_LIT("k"), false));
    for (size_t i = 0; i < LIST; i++) {
        item[i].aad = cm_view_str(purposes[i]);
        OK(cm_hsm_wrap(h, CM_VIEW(kek_id), cm_view_sub(cm_view_str(seed), i, 20 + i), item[i].aad,
                       &blob[i]));
        item[i].blob = cm_buf_view(&blob[i]);
    }
    opens_list(h, item);
    refuses_other_lists(h);
    signs_list(h, CM_HSM_P256);
    signs_list(h, CM_HSM_SECP256K1);
    for (size_t i = 0; i < LIST; i++)
        cm_buf_free(&blob[i]);
    OK(cm_hsm_destroy(h, CM_HSM_AES256, CM_VIEW(kek_id)));
}

static void a_list_travels(void **state)
{
    static const uint8_t pair[] = {0, 0, 0, 1, 'x'};
    CM_AUTO(cm_buf_free) cm_buf packet = {.max = CM_HSM_PACKET};
    cm_hsm_request r = {.op = CM_HSM_UNWRAP,
                        .alg = CM_HSM_AES256,
                        .id = CM_VIEW(kek_id),
                        .data = CM_VIEW(pair),
                        .many = true},
                   got;
    uint64_t id;

    (void)state;
    OK(cm_hsm_put_request(&packet, 7, &r));
    OK(cm_hsm_get_request(&got, &id, cm_buf_view(&packet)));
    assert_true(got.many && cm_view_eq(got.data, r.data));
    packet.n = 0;
    r.data = CM_LIT("no list");
    OK(cm_hsm_put_request(&packet, 8, &r));
    IS(cm_hsm_get_request(&got, &id, cm_buf_view(&packet)), HSM_REQUEST);
    assert_int_equal(id, 8);
}

static void many_at_once(void **state)
{
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *soft = NULL;
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_hsm h;

    (void)state;
    OK(cm_hsm_soft_new(&soft, crypt_));
    h = cm_hsm_soft_of(soft);
    one_provider(&h);
    need_token();
    p = open_token(t_softhsm_module());
    h = cm_p11_of(p);
    one_provider(&h);
}

/* What a caller may be told of a fault. A wrong result must be held back: that one is told of. */
static bool honest(cm_err e, const char *fault)
{
    bool bad_result = strcmp(fault, "wrong") == 0 || strcmp(fault, "short") == 0;

    if (cm_ok(e))
        return true;
    if (cm_is(e, CM_HSM_WRONG) || cm_is(e, CM_HSM_QUARANTINED))
        return bad_result;
    if (strcmp(fault, "empty") == 0)
        return cm_is(e, CM_HSM_NO_KEY) || cm_is(e, CM_HSM_GONE);
    if (strcmp(fault, "double") == 0)
        return cm_is(e, CM_HSM_KEYS);
    if (strcmp(fault, "sessions") == 0 || strcmp(fault, "memory") == 0)
        return cm_is(e, CM_HSM_SESSIONS);
    return cm_err_class(e) == CM_CLASS_IO;
}

struct matrix {
    struct place w;
    cm_p11 *p;
    const char *module;
    unsigned cases, told;
};

/* H-74: a fault meets copies of keys as well as keys, and what makes them. */
static void in_use(struct place *w)
{
    for (unsigned i = 0; i < 6; i++) {
        OK(op_sign(w));
        OK(op_unwrap(w));
    }
}

static void one_case(struct matrix *m, size_t op, const char *function, const char *fault,
                     unsigned moment)
{
    char text[96];
    cm_err e;

    in_use(&m->w);
    snprintf(text, sizeof text, "%s %s %u 2 #%u", function, fault, moment, m->cases++);
    t_shim_fault(dir, text);
    e = ops[op](&m->w);
    m->told += cm_failed(e);
    if (!honest(e, fault))
        fail_msg("%s with %s: %s", op_names[op], text, cm_err_name(e));
    t_shim_fault(dir, "");
    if (cm_is(e, CM_HSM_WRONG)) {
        IS(op_random(&m->w), HSM_QUARANTINED);
        cm_p11_free(m->p);
        m->p = open_token(m->module);
        m->w.h = cm_p11_of(m->p);
    }
    clean(&m->w);
    e = ops[op](&m->w);
    if (cm_failed(e))
        fail_msg("%s after %s: %s", op_names[op], text, cm_err_name(e));
    clean(&m->w);
}

/* H-5, H-6: each fault, in each function, while each operation runs: what comes back is right or an
 * error of the right class, and the operation after it works. CASEMATE_FAULTS=all: at four moments.
 */
static void each_fault_in_each_operation(void **state)
{
    struct matrix m = {.module = t_shim(dir)};
    unsigned moments = getenv("CASEMATE_FAULTS") ? 4 : 1;

    (void)state;
    need_token();
    if (!m.module)
        skip();
    m.p = open_token(m.module);
    place_init(&m.w, m.p);
    for (size_t o = 0; o < CM_COUNT(ops); o++)
        for (size_t f = 0; f < CM_COUNT(functions); f++)
            for (size_t k = 0; k < CM_COUNT(faults); k++)
                for (unsigned moment = 0; moment < moments; moment++)
                    one_case(&m, o, functions[f], faults[k], moment);
    print_message("%u faults, %u of them told\n", m.cases, m.told);
    assert_true(m.told > 80);
    cm_p11_free(m.p);
}

/* H-6 */
static void a_wrong_signature_never_leaves(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 256};
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    const char *module = t_shim(dir);
    struct place w;
    cm_hsm_status s;

    (void)state;
    need_token();
    if (!module)
        skip();
    p = open_token(module);
    place_init(&w, p);
    t_shim_fault(dir, "C_Sign wrong 0 9");
    IS(cm_hsm_sign(&w.h, &w.key, CM_LIT("message"), &sig), HSM_WRONG);
    assert_int_equal(sig.n, 0);
    t_shim_fault(dir, "");
    IS(cm_hsm_sign(&w.h, &w.key, CM_LIT("message"), &sig), HSM_QUARANTINED);
    IS(op_unwrap(&w), HSM_QUARANTINED);
    OK(cm_hsm_status_of(&w.h, &s));
    assert_true(s.quarantined);
}

/* H-7: what comes back under the label must be the token that was there. */
static void another_token_with_the_label_is_refused(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    const char *module = t_shim(dir);
    struct place w;

    (void)state;
    need_token();
    if (!module)
        skip();
    p = open_token(module);
    place_init(&w, p);
    t_shim_fault(dir, "C_SignInit removed 0 9");
    IS(op_sign(&w), HSM_GONE);
    t_shim_fault(dir, "C_GetTokenInfo swapped 0 99");
    IS(op_sign(&w), HSM_OTHER_TOKEN);
    t_shim_fault(dir, "");
    OK(op_sign(&w));
}

/* H-5: the token has a key of this id, and it is not the one that was named. */
static void a_foreign_key_of_the_id_is_refused(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    const char *module = t_shim(dir);
    struct place w;
    cm_hsm_key foreign;

    (void)state;
    need_token();
    if (!module)
        skip();
    p = open_token(module);
    place_init(&w, p);
    OK(op_sign(&w));
    OK(cm_hsm_destroy(&w.h, CM_HSM_P256, CM_VIEW(key_id)));
    IS(op_sign(&w), HSM_NO_KEY);
    OK(cm_hsm_generate(&w.h, &foreign, CM_HSM_P256, CM_VIEW(key_id), CM_LIT("f"), false));
    t_shim_fault(dir, "C_SignInit removed 0 1");
    IS(op_sign(&w), HSM_KEY_CHANGED);
    IS(op_find(&w), HSM_KEY_CHANGED);
}

/* H-10: no try of the PIN when the token says so, nor after it was refused. */
static void a_pin_is_not_tried_into_the_lock(void **state)
{
    const char *module = t_shim(dir);
    cm_p11_options o = options(module);
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    struct place w;

    (void)state;
    need_token();
    if (!module)
        skip();
    t_shim_fault(dir, "C_GetTokenInfo final 0 99");
    IS(cm_p11_new(&p, crypt_, &o), HSM_PIN_LOW);
    t_shim_fault(dir, "C_GetTokenInfo locked 0 99");
    IS(cm_p11_new(&p, crypt_, &o), HSM_PIN_LOCKED);
    t_shim_fault(dir, "");
    p = open_token(module);
    place_init(&w, p);
    t_shim_fault(dir, "C_FindObjectsInit removed 0 2"); /* its sessions are closed */
    IS(op_find(&w), HSM_GONE);
    t_shim_fault(dir, "C_Login pin 0 1");
    IS(op_find(&w), HSM_PIN_WRONG);
    t_shim_fault(dir, "");
    IS(op_find(&w), HSM_PIN_WRONG);
}

/* H-45 */
static void a_fork_has_no_device(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    struct place w;
    int status = 1;
    uint8_t b[8];
    pid_t child;

    (void)state;
    need_token();
    p = open_token(t_softhsm_module());
    place_init(&w, p);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cm_err e = cm_hsm_random(&w.h, b, sizeof b);

        cm_p11_free(p);
        _exit(cm_is(e, CM_HSM_LOST) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    OK(op_sign(&w));
    OK(op_unwrap(&w));
}

/* ---- tokens that are otherwise: H-9 ---------------------------------------------------------- */

static void *signs_often(void *arg)
{
    cm_err e = CM_OKAY;

    for (unsigned i = 0; i < 10 && cm_ok(e); i++)
        e = op_sign(arg);
    return cm_ok(e) ? NULL : arg;
}

static void four_at_once(struct place *w)
{
    pthread_t t[4];
    void *bad;

    for (size_t i = 0; i < CM_COUNT(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, signs_often, w), 0);
    for (size_t i = 0; i < CM_COUNT(t); i++) {
        assert_int_equal(pthread_join(t[i], &bad), 0);
        assert_null(bad);
    }
}

/* What a token does otherwise, and what our blobs are then. */
struct other {
    const char *persona, *profile;
    unsigned sessions;
    uint8_t mechanism;
};

/* H-5, H-70, H-71: what one process made is what the next one finds, once. */
static void found_again(const struct place *w)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = open_token(t_shim(dir));
    struct place again = *w;
    cm_hsm_key k;

    again.h = cm_p11_of(p);
    OK(op_find(&again));
    OK(op_sign(&again));
    OK(op_unwrap(&again));
    IS(cm_hsm_find(&again.h, &k, CM_HSM_P256, CM_LIT("another"), CM_LIT("")), HSM_NO_KEY);
    IS(cm_hsm_generate(&again.h, &k, CM_HSM_P256, CM_VIEW(key_id), CM_LIT("s"), false), HSM_KEYS);
    OK(cm_hsm_destroy(&again.h, CM_HSM_P256, CM_VIEW(key_id)));
    IS(op_find(&again), HSM_NO_KEY);
    OK(cm_hsm_destroy(&again.h, CM_HSM_AES256, CM_VIEW(kek_id)));
}

static void as_another(const struct other *o)
{
    static const uint8_t zero[12];
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    struct place w;
    cm_hsm_status s;

    (void)setenv("CASEMATE_SHIM_PERSONA", o->persona, 1);
    p = open_token(t_shim(dir));
    place_init(&w, p);
    for (size_t i = 0; i < CM_COUNT(ops); i++)
        OK(ops[i](&w));
    clean(&w);
    assert_memory_not_equal(w.blob + 2, zero, sizeof zero);
    assert_int_equal(w.blob[1], o->mechanism);
    if (o->sessions < 4 && !T_RACES)
        four_at_once(&w);
    OK(cm_hsm_status_of(&w.h, &s));
    assert_string_equal(s.quirks, o->profile);
    assert_true(s.sessions <= o->sessions);
    cm_p11_free(p);
    p = NULL;
    found_again(&w);
    (void)unsetenv("CASEMATE_SHIM_PERSONA");
}

/* The profiles, simulated: IVs, sessions, locks, and what becomes of ids. H-70, H-71, H-72 */
static void other_makers_tokens(void **state)
{
    static const struct other others[] = {
        {"SafeNet,fips", "luna", 4, 2},
        {"Thales", "luna", 4, 1},
        {"Thales,fips,fixed,mute", "luna", 4, 2},
        {"Marvell,iv,two,fixed", "cloudhsm", 2, 1},
        {"Cavium,iv", "cloudhsm", 4, 1},
        {"Cavium,zeros", "cloudhsm", 4, 2},
        {"Fortanix", "fortanix", 4, 1},
        {"Fortanix,reid", "fortanix", 4, 1},
        {"Nitrokey,one,nogcm", "nitrokey", 1, 2},
        {"Yubico (www.yubico.com),two,nogcm", "yubihsm", 2, 2},
        {"Zymbit,unlocked,noid", "zymbit", 1, 1},
        {"Nobody,reid,fixed", "standard", 4, 1},
        {"Nobody,reid,fixed,noid", "standard", 4, 1},
    };

    (void)state;
    need_token();
    if (!t_shim(dir))
        skip();
    for (size_t i = 0; i < CM_COUNT(others); i++) {
        print_message("simulated: %s\n", others[i].persona);
        as_another(&others[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(software_conforms),
        cmocka_unit_test(softhsm_conforms),
        cmocka_unit_test(status_names_the_module),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(a_wrong_pin_is_tried_once),
        cmocka_unit_test(a_list_travels),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(each_fault_in_each_operation),
        cmocka_unit_test(a_wrong_signature_never_leaves),
        cmocka_unit_test(another_token_with_the_label_is_refused),
        cmocka_unit_test(a_foreign_key_of_the_id_is_refused),
        cmocka_unit_test(a_pin_is_not_tried_into_the_lock),
        cmocka_unit_test(a_fork_has_no_device),
        cmocka_unit_test(other_makers_tokens),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
