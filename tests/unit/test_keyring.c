/* Every type of key through every operation; what each refuses; defects of other systems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static t_ring *ring;
static const cm_view message = {(const uint8_t *)"pay 10 to bob", 13};

static int setup(void **state)
{
    (void)state;
    ring = t_ring_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_ring_done(ring);
    return 0;
}

static void run(cm_keyop *op)
{
    cm_keyring_exec(ring->ring, op);
    if (cm_failed(op->result)) { /* KM-36 */
        assert_int_equal(op->out.n, 0);
        assert_int_equal(op->out2.n, 0);
        assert_null(op->out.p);
        assert_null(op->out2.p);
    }
}

static void run_is(cm_keyop *op, cm_reason reason)
{
    run(op);
    assert_string_equal(cm_err_name(op->result), cm_err_name((cm_err){(uint32_t)reason}));
    cm_keyop_done_with(op);
}

/* ---- types --------------------------------------------------------------------------------- */

/* KM-1 */
static void test_types(void **state)
{
    static const char *const quantum_safe[] = {
        "ML-KEM-512",        "ML-KEM-768",        "ML-KEM-1024",       "X-Wing",
        "ML-DSA-44",         "ML-DSA-65",         "ML-DSA-87",         "SLH-DSA-SHA2-128s",
        "SLH-DSA-SHA2-128f", "ML-DSA-65+Ed25519", "ML-DSA-87+Ed25519", "AES-256",
        "HMAC-SHA256"};
    size_t safe = 0;

    (void)state;
    assert_null(cm_key_type_of(0));
    assert_null(cm_key_type_of(CM_KEY_TYPE_END));
    assert_null(cm_key_type_by_name(CM_LIT("")));
    assert_null(cm_key_type_by_name(CM_LIT("ml-dsa-65")));
    for (uint32_t i = 1; i < CM_KEY_TYPE_END; i++) {
        const cm_key_type_info *t = cm_key_type_of(i);

        assert_int_equal(t->type, i);
        assert_ptr_equal(cm_key_type_by_name(cm_view_str(t->name)), t);
        safe += t->post_quantum;
    }
    for (size_t i = 0; i < CM_COUNT(quantum_safe); i++)
        assert_true(cm_key_type_by_name(cm_view_str(quantum_safe[i]))->post_quantum);
    assert_int_equal(safe, CM_COUNT(quantum_safe));
}

/* KM-1: said, not guessed. */
static void test_bls_and_frost_are_unsupported_aloud(void **state)
{
    static const cm_key_type types[] = {CM_KEY_BLS12_381, (cm_key_type)99, (cm_key_type)0};
    CM_AUTO(cm_buf_free) cm_buf kek = t_ring_kek(ring, "acme", 1);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        cm_keyop op = {.code = CM_KEYOP_CREATE,
                       .kek = cm_buf_view(&kek),
                       .bind = {.tenant = CM_LIT("acme"), .type = types[i], .kek_version = 1}};

        run_is(&op, CM_KEY_UNSUPPORTED);
        op.code = CM_KEYOP_IMPORT;
        op.data = CM_LIT("01234567890123456789012345678901");
        run_is(&op, CM_KEY_UNSUPPORTED);
    }
}

/* ---- signatures ---------------------------------------------------------------------------- */

typedef struct {
    cm_key_type type;
    cm_keyop_form form;
    const char *context;
    size_t data, sig; /* 0: any message */
} form_case;

/* KM-30, KM-31, KM-33, KM-34: what each type takes. */
static const form_case forms[] = {
    {CM_KEY_ML_DSA_44, CM_FORM_MESSAGE, "", 0, 2420},
    {CM_KEY_ML_DSA_65, CM_FORM_MESSAGE, "", 0, 3309},
    {CM_KEY_ML_DSA_65, CM_FORM_RAW, "", 0, 3309},
    {CM_KEY_ML_DSA_65, CM_FORM_MESSAGE, "purpose", 0, 3309},
    {CM_KEY_ML_DSA_65, CM_FORM_MU, "", 64, 3309},
    {CM_KEY_ML_DSA_87, CM_FORM_MESSAGE, "", 0, 4627},
    {CM_KEY_SLH_DSA_128F, CM_FORM_MESSAGE, "", 0, 17088},
    {CM_KEY_SLH_DSA_128F, CM_FORM_MESSAGE, "purpose", 0, 17088},
    {CM_KEY_ED25519, CM_FORM_MESSAGE, "", 0, 64},
    {CM_KEY_P256, CM_FORM_MESSAGE, "", 0, 64},
    {CM_KEY_P256, CM_FORM_DIGEST, "", 32, 64},
    {CM_KEY_P384, CM_FORM_MESSAGE, "", 0, 96},
    {CM_KEY_P384, CM_FORM_DIGEST, "", 48, 96},
    {CM_KEY_SECP256K1, CM_FORM_MESSAGE, "", 0, 64},
    {CM_KEY_SECP256K1, CM_FORM_MESSAGE, "keccak256", 0, 64},
    {CM_KEY_SECP256K1, CM_FORM_MESSAGE, "recoverable", 0, 65},
    {CM_KEY_SECP256K1, CM_FORM_MESSAGE, "keccak256-recoverable", 0, 65},
    {CM_KEY_SECP256K1, CM_FORM_DIGEST, "", 32, 64},
    {CM_KEY_SECP256K1, CM_FORM_DIGEST, "recoverable", 32, 65},
    {CM_KEY_DUAL_65, CM_FORM_MESSAGE, "", 0, 3373},
    {CM_KEY_DUAL_65, CM_FORM_MESSAGE, "purpose", 0, 3373},
    {CM_KEY_DUAL_87, CM_FORM_MESSAGE, "", 0, 4691},
    {CM_KEY_RSA_2048, CM_FORM_MESSAGE, "", 0, 256},
    {CM_KEY_RSA_2048, CM_FORM_MESSAGE, "pkcs1", 0, 256},
    {CM_KEY_RSA_2048, CM_FORM_DIGEST, "pss", 32, 256},
    {CM_KEY_RSA_2048, CM_FORM_DIGEST, "pkcs1", 32, 256},
};

static void sign_and_verify(const t_held *k, const form_case *f)
{
    static const uint8_t bytes[64] = {1, 2, 3};
    cm_keyop sign = t_ring_op(k, CM_KEYOP_SIGN), verify = t_ring_op(k, CM_KEYOP_VERIFY);

    sign.form = verify.form = f->form;
    sign.context = verify.context = cm_view_str(f->context);
    sign.data = verify.data = f->data ? cm_view_of(bytes, f->data) : message;
    run(&sign);
    OK(sign.result);
    assert_int_equal(sign.out.n, f->sig);
    verify.more = cm_buf_view(&sign.out);
    run(&verify);
    OK(verify.result);
    sign.out.p[f->sig / 2] ^= 1;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    sign.out.p[f->sig / 2] ^= 1;
    verify.more.n--;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    verify.more = CM_LIT(""); /* KM-35 */
    run_is(&verify, CM_CRYPT_SIGNATURE);
    verify.more = cm_buf_view(&sign.out);
    verify.data = f->data ? cm_view_of(bytes + 0, f->data) : CM_LIT("pay 99 to bob");
    if (!f->data)
        run_is(&verify, CM_CRYPT_SIGNATURE);
    cm_keyop_done_with(&sign);
}

static void test_signatures_in_every_form(void **state)
{
    t_held k = {0};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(forms); i++) {
        if (i == 0 || forms[i].type != forms[i - 1].type) {
            t_held_done(&k);
            k = t_ring_create(ring, forms[i].type);
        }
        sign_and_verify(&k, &forms[i]);
    }
    t_held_done(&k);
}

static const form_case refused[] = {
    {CM_KEY_ML_DSA_65, CM_FORM_RAW, "purpose", 0, 0},
    {CM_KEY_ML_DSA_65, CM_FORM_DIGEST, "", 32, 0},
    {CM_KEY_ML_DSA_65, CM_FORM_MU, "", 63, 0},
    {CM_KEY_ML_DSA_65, CM_FORM_MU, "purpose", 64, 0},
    {CM_KEY_ML_DSA_65, CM_FORM_SEALED_ONLY, "", 0, 0},
    {CM_KEY_ED25519, CM_FORM_MESSAGE, "purpose", 0, 0},
    {CM_KEY_ED25519, CM_FORM_MU, "", 64, 0},
    {CM_KEY_P256, CM_FORM_DIGEST, "", 48, 0},
    {CM_KEY_P256, CM_FORM_DIGEST, "", 31, 0},
    {CM_KEY_P256, CM_FORM_MESSAGE, "recoverable", 0, 0},
    {CM_KEY_SECP256K1, CM_FORM_DIGEST, "", 33, 0},
    {CM_KEY_SECP256K1, CM_FORM_MESSAGE, "ethereum", 0, 0},
    {CM_KEY_SECP256K1, CM_FORM_MU, "", 64, 0},
    {CM_KEY_DUAL_65, CM_FORM_RAW, "", 0, 0},
    {CM_KEY_RSA_2048, CM_FORM_MESSAGE, "oaep", 0, 0},
    {CM_KEY_RSA_2048, CM_FORM_DIGEST, "", 31, 0},
    {CM_KEY_RSA_2048, CM_FORM_MU, "", 64, 0},
};

/* KM-30, KM-31 */
static void test_other_forms_are_refused(void **state)
{
    static const uint8_t bytes[64];
    t_held k = {0};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(refused); i++) {
        const form_case *f = &refused[i];

        if (i == 0 || f->type != refused[i - 1].type) {
            t_held_done(&k);
            k = t_ring_create(ring, f->type);
        }
        cm_keyop op = t_ring_op(&k, CM_KEYOP_SIGN);

        op.form = f->form;
        op.context = cm_view_str(f->context);
        op.data = f->data ? cm_view_of(bytes, f->data) : message;
        run_is(&op, CM_KEY_FORM);
        op.code = CM_KEYOP_VERIFY;
        run_is(&op, CM_KEY_FORM);
    }
    t_held_done(&k);
}

/* KM-32: a KMS key must not lend itself to statements that cm_verify() would believe. */
static void test_statements_are_no_messages(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ED25519, CM_KEY_P256, CM_KEY_P384, CM_KEY_SECP256K1};
    static const char statement[] = "casemate-sig-v1\0\6\0 and so on";

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_op(&k, CM_KEYOP_SIGN);

        op.data = CM_VIEW(statement);
        run_is(&op, CM_KEY_FORM);
        op.form = CM_FORM_RAW;
        run_is(&op, CM_KEY_FORM);
        op.data = cm_view_of(statement, 15);
        run(&op);
        OK(op.result);
        cm_keyop_done_with(&op);
        t_held_done(&k);
    }
}

/* KM-33: the id in the last byte gives the key back. */
static void test_recoverable_signatures(void **state)
{
    t_held k = t_ring_create(ring, CM_KEY_SECP256K1);
    cm_keyop op = t_ring_op(&k, CM_KEYOP_SIGN), verify;
    uint8_t digest[32], pk[65];

    (void)state;
    op.context = CM_LIT("keccak256-recoverable");
    op.data = message;
    run(&op);
    OK(op.result);
    OK(cm_hash_once(ring->crypt, CM_KECCAK256, digest, message));
    OK(cm_recover(ring->crypt, pk, op.out.p, op.out.p[64], digest));
    assert_memory_equal(pk, k.public_key.p, 65);
    verify = op;
    verify.code = CM_KEYOP_VERIFY;
    verify.more = cm_buf_view(&op.out);
    op.out.p[64] ^= 1;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    op.out.p[64] = 4;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    cm_keyop_done_with(&op);
    t_held_done(&k);
}

/* ---- encryption, wrapping ------------------------------------------------------------------ */

static void opens_to(t_held *k, cm_keyop_code code, const cm_buf *ct, cm_view aad, cm_view plain)
{
    cm_keyop op = t_ring_op(k, code);

    op.data = cm_buf_view(ct);
    op.context = aad;
    run(&op);
    OK(op.result);
    assert_true(cm_view_eq(cm_buf_view(&op.out), plain));
    cm_keyop_done_with(&op);
}

static void does_not_open(t_held *k, cm_keyop_code code, cm_view ct, cm_view aad)
{
    cm_keyop op = t_ring_op(k, code);

    op.data = ct;
    op.context = aad;
    run_is(&op, CM_CRYPT_TAG);
}

/* KM-20, KM-21, KM-22 */
static void round_trip(t_held *k, cm_keyop_code seal, cm_keyop_code open)
{
    cm_keyop op = t_ring_op(k, seal);
    uint64_t version = 0;

    op.data = message;
    op.context = CM_LIT("aad");
    run(&op);
    OK(op.result);
    OK(cm_keyop_version_of(&version, cm_buf_view(&op.out)));
    assert_int_equal(version, 1);
    opens_to(k, open, &op.out, CM_LIT("aad"), message);
    does_not_open(k, open, cm_buf_view(&op.out), CM_LIT("AAD"));
    does_not_open(k, open, cm_buf_view(&op.out), CM_LIT(""));
    if (k->bind.type == CM_KEY_AES_256)
        does_not_open(k, open == CM_KEYOP_UNWRAP ? CM_KEYOP_DECRYPT : CM_KEYOP_UNWRAP,
                      cm_buf_view(&op.out), CM_LIT("aad"));
    for (size_t i = 0; i < op.out.n; i++) {
        op.out.p[i] ^= 0x10;
        does_not_open(k, open, cm_buf_view(&op.out), CM_LIT("aad"));
        op.out.p[i] ^= 0x10;
    }
    for (size_t n = 0; n < op.out.n; n += 7)
        does_not_open(k, open, cm_view_of(op.out.p, n), CM_LIT("aad"));
    cm_keyop_done_with(&op);
}

static void test_encryption(void **state)
{
    t_held k = t_ring_create(ring, CM_KEY_AES_256);

    (void)state;
    assert_int_equal(k.public_key.n, 0);
    round_trip(&k, CM_KEYOP_ENCRYPT, CM_KEYOP_DECRYPT);
    round_trip(&k, CM_KEYOP_WRAP, CM_KEYOP_UNWRAP);
    t_held_done(&k);
}

/* KM-23 */
static void test_wrapping_to_kem_keys(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_KEM_512, CM_KEY_ML_KEM_768, CM_KEY_ML_KEM_1024,
                                        CM_KEY_X_WING};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);

        round_trip(&k, CM_KEYOP_WRAP, CM_KEYOP_UNWRAP);
        t_held_done(&k);
    }
}

static void test_wrapping_takes_keys_only(void **state)
{
    static const uint8_t big[8193];
    t_held k = t_ring_create(ring, CM_KEY_AES_256);
    cm_keyop op = t_ring_op(&k, CM_KEYOP_WRAP);

    (void)state;
    run_is(&op, CM_KEY_FORM);
    op.data = CM_VIEW(big);
    run_is(&op, CM_KEY_FORM);
    op.data.n--;
    run(&op);
    OK(op.result);
    cm_keyop_done_with(&op);
    t_held_done(&k);
}

/* KM-24 */
static void data_keys(t_held *k)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_DATA_KEY);

    op.context = CM_LIT("model 7");
    op.n = 32;
    run(&op);
    OK(op.result);
    assert_int_equal(op.out2.n, 32);
    opens_to(k, CM_KEYOP_UNWRAP, &op.out, CM_LIT("model 7"), cm_buf_view(&op.out2));
    cm_keyop_done_with(&op);
    op.form = CM_FORM_SEALED_ONLY;
    run(&op);
    OK(op.result);
    assert_int_equal(op.out2.n, 0);
    assert_true(op.out.n > 0);
    cm_keyop_done_with(&op);
    op.n = 15;
    run_is(&op, CM_KEY_FORM);
    op.n = 65;
    run_is(&op, CM_KEY_FORM);
    op.n = 32;
    op.form = CM_FORM_DIGEST;
    run_is(&op, CM_KEY_FORM);
}

static void test_data_keys(void **state)
{
    t_held aes = t_ring_create(ring, CM_KEY_AES_256), kem = t_ring_create(ring, CM_KEY_X_WING);

    (void)state;
    data_keys(&aes);
    data_keys(&kem);
    t_held_done(&aes);
    t_held_done(&kem);
}

/* KM-25 */
static void test_rewrap_moves_to_the_newer_version(void **state)
{
    t_held old = t_ring_create(ring, CM_KEY_AES_256), newer;
    cm_key_binding b = old.bind;
    cm_keyop wrap = t_ring_op(&old, CM_KEYOP_WRAP), op;

    (void)state;
    b.version = 2;
    newer = t_ring_make(ring, &b, &old.kek, CM_LIT(""));
    wrap.data = message;
    wrap.context = CM_LIT("aad");
    run(&wrap);
    OK(wrap.result);
    op = t_ring_op(&old, CM_KEYOP_REWRAP);
    op.data = cm_buf_view(&wrap.out);
    op.context = CM_LIT("aad");
    op.more = cm_buf_view(&newer.sealed);
    op.n = 2;
    run(&op);
    OK(op.result);
    opens_to(&newer, CM_KEYOP_UNWRAP, &op.out, CM_LIT("aad"), message);
    does_not_open(&old, CM_KEYOP_UNWRAP, cm_buf_view(&op.out), CM_LIT("aad"));
    cm_keyop_done_with(&op);
    op.n = 3;
    run_is(&op, CM_CRYPT_TAG);
    op.n = 2;
    op.context = CM_LIT("other");
    run_is(&op, CM_CRYPT_TAG);
    cm_keyop_done_with(&wrap);
    t_held_done(&old);
    t_held_done(&newer);
}

static void test_encapsulation(void **state)
{
    static const struct {
        cm_key_type type;
        size_t ct;
    } kems[] = {{CM_KEY_ML_KEM_512, 768},
                {CM_KEY_ML_KEM_768, 1088},
                {CM_KEY_ML_KEM_1024, 1568},
                {CM_KEY_X_WING, 1120}};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(kems); i++) {
        t_held k = t_ring_create(ring, kems[i].type);
        cm_keyop e = t_ring_op(&k, CM_KEYOP_ENCAPSULATE), d = t_ring_op(&k, CM_KEYOP_DECAPSULATE);

        run(&e);
        OK(e.result);
        assert_int_equal(e.out.n, kems[i].ct);
        assert_int_equal(e.out2.n, 32);
        d.data = cm_buf_view(&e.out);
        run(&d);
        OK(d.result);
        assert_true(cm_view_eq(cm_buf_view(&d.out), cm_buf_view(&e.out2)));
        cm_keyop_done_with(&d);
        e.out.p[5] ^= 1; /* FIPS 203: another secret */
        run(&d);
        OK(d.result);
        assert_false(cm_view_eq(cm_buf_view(&d.out), cm_buf_view(&e.out2)));
        cm_keyop_done_with(&d);
        d.data.n--;
        run_is(&d, CM_KEM_LENGTH);
        cm_keyop_done_with(&e);
        t_held_done(&k);
    }
}

/* KM-26 */
static void test_macs(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_HMAC_SHA256, CM_LIT("0123456789abcdef0123456789abcdef"));
    cm_keyop op = t_ring_run(ring, &k, CM_KEYOP_MAC, message), verify = op;
    uint8_t expect[32];

    (void)state;
    OK(op.result);
    OK(cm_hmac(ring->crypt, CM_SHA256, expect, CM_LIT("0123456789abcdef0123456789abcdef"),
               message));
    assert_true(cm_view_eq(cm_buf_view(&op.out), CM_VIEW(expect)));
    verify.code = CM_KEYOP_VERIFY_MAC;
    verify.more = cm_buf_view(&op.out);
    run(&verify);
    OK(verify.result);
    assert_int_equal(verify.out.n, 0);
    verify.more.n--;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    verify.more.n = 0;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    verify.more.n = 32;
    op.out.p[31] ^= 0x80;
    run_is(&verify, CM_CRYPT_SIGNATURE);
    verify.context = CM_LIT("context");
    run_is(&verify, CM_KEY_FORM);
    cm_keyop_done_with(&op);
    t_held_done(&k);
}

/* ---- uses ---------------------------------------------------------------------------------- */

/* Each type does what its row says and nothing else. */
static void test_uses(void **state)
{
    static const struct {
        cm_keyop_code code;
        unsigned can;
    } uses[] = {
        {CM_KEYOP_SIGN, CAN_SIGN},
        {CM_KEYOP_VERIFY, CAN_SIGN},
        {CM_KEYOP_ENCRYPT, CAN_ENCRYPT},
        {CM_KEYOP_DECRYPT, CAN_ENCRYPT},
        {CM_KEYOP_ENCAPSULATE, CAN_KEM},
        {CM_KEYOP_DECAPSULATE, CAN_KEM},
        {CM_KEYOP_MAC, CAN_MAC},
        {CM_KEYOP_VERIFY_MAC, CAN_MAC},
        {CM_KEYOP_WRAP, CAN_ENCRYPT | CAN_KEM},
        {CM_KEYOP_UNWRAP, CAN_ENCRYPT | CAN_KEM},
        {CM_KEYOP_DATA_KEY, CAN_ENCRYPT | CAN_KEM},
    };
    static const cm_key_type types[] = {CM_KEY_ML_KEM_768, CM_KEY_ML_DSA_44, CM_KEY_ED25519,
                                        CM_KEY_AES_256, CM_KEY_HMAC_SHA256};

    (void)state;
    for (size_t t = 0; t < CM_COUNT(types); t++) {
        t_held k = t_ring_create(ring, types[t]);

        for (size_t u = 0; u < CM_COUNT(uses); u++) {
            cm_keyop op = t_ring_op(&k, uses[u].code);
            bool can = (cm_key_type_of(types[t])->can & uses[u].can) != 0;

            op.data = message;
            op.n = 32;
            run(&op);
            assert_int_equal(cm_is(op.result, CM_KEY_USE), !can);
            cm_keyop_done_with(&op);
        }
        t_held_done(&k);
    }
}

static void test_operations_that_are_none(void **state)
{
    static const unsigned codes[] = {0, CM_KEYOP_SIGN_LOG, 24, 9999};
    t_held k = t_ring_create(ring, CM_KEY_ED25519);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(codes); i++) {
        cm_keyop op = t_ring_op(&k, (cm_keyop_code)codes[i]);

        run_is(&op, CM_KEY_UNSUPPORTED);
    }
    t_held_done(&k);
}

static void test_parts_past_their_limits(void **state)
{
    CM_AUTO(cm_free_ptr) uint8_t *big = NULL;
    t_held k = t_ring_create(ring, CM_KEY_ED25519);
    cm_keyop op;

    (void)state;
    OK(cm_alloc(&big, 1 << 20));
    cm_view v = cm_view_of(big, 1 << 20);

#define TOO_LONG(field)                \
    op = t_ring_op(&k, CM_KEYOP_SIGN); \
    op.field = v;                      \
    run_is(&op, CM_KEYOP_SIZE)
    TOO_LONG(bind.tenant);
    TOO_LONG(bind.path);
    TOO_LONG(kek);
    TOO_LONG(key);
    TOO_LONG(data);
    TOO_LONG(context);
    TOO_LONG(more);
#undef TOO_LONG
    t_held_done(&k);
}

static void test_random(void **state)
{
    cm_keyop op = {.code = CM_KEYOP_RANDOM, .n = 48}, more = op;

    (void)state;
    run(&op);
    run(&more);
    OK(op.result);
    assert_int_equal(op.out.n, 48);
    assert_false(cm_view_eq(cm_buf_view(&op.out), cm_buf_view(&more.out)));
    cm_keyop_done_with(&op);
    cm_keyop_done_with(&more);
    op.n = 0;
    run_is(&op, CM_KEY_FORM);
    op.n = 1 << 30;
    run_is(&op, CM_KEY_FORM);
}

static void count_done(cm_keyop *op)
{
    (*(int *)op->arg)++;
}

static void test_keeper_answers_at_once(void **state)
{
    cm_keeper keeper = cm_keyring_keeper(ring->ring);
    int done = 0;
    cm_keyop op = {.code = CM_KEYOP_RANDOM, .n = 16, .done = count_done, .arg = &done};

    (void)state;
    keeper.submit(keeper.self, &op);
    assert_int_equal(done, 1);
    OK(op.result);
    cm_keyop_done_with(&op);
    op.n = 0;
    keeper.submit(keeper.self, &op);
    assert_int_equal(done, 2);
    IS(op.result, KEY_FORM);
}

static cm_err sign_lines(void *arg, cm_buf *lines, cm_view text)
{
    if (text.n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(lines, cm_view_str((const char *)arg)));
    return cm_buf_append(lines, text);
}

static void test_log_signatures_come_from_the_callback(void **state)
{
    char mark[] = "signed: ";
    cm_keyring_options o = {
        .crypt = ring->crypt, .root = &ring->root, .sign_log = sign_lines, .arg = mark};
    CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = NULL;
    cm_keyop op = {.code = CM_KEYOP_SIGN_LOG, .data = CM_LIT("tree\n")};

    (void)state;
    OK(cm_keyring_new(&r, &o));
    cm_keyring_exec(r, &op);
    OK(op.result);
    assert_true(cm_view_eq(cm_buf_view(&op.out), CM_LIT("signed: tree\n")));
    cm_keyop_done_with(&op);
    op.data.n = 0;
    cm_keyring_exec(r, &op);
    IS(op.result, BAD_ARGUMENT);
}

/* ---- defects of others, by name ------------------------------------------------------------ */

/* A verifier that took an empty signature for a good one. */
static void test_empty_signature_is_not_accepted(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_DSA_65, CM_KEY_ED25519,  CM_KEY_P256,
                                        CM_KEY_SECP256K1, CM_KEY_RSA_2048, CM_KEY_DUAL_65};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held k = t_ring_create(ring, types[i]);
        cm_keyop op = t_ring_run(ring, &k, CM_KEYOP_VERIFY, message);

        IS(op.result, CRYPT_SIGNATURE);
        op.data = CM_LIT("");
        run_is(&op, CM_CRYPT_SIGNATURE);
        t_held_done(&k);
    }
}

/* A signer whose Verify made a key when it knew none (KM-35). */
static void test_verify_never_creates_a_key(void **state)
{
    t_held k = t_ring_create(ring, CM_KEY_ML_DSA_65);
    cm_keyring_held before = cm_keyring_count(ring->ring);
    cm_keyop op = t_ring_op(&k, CM_KEYOP_VERIFY);

    (void)state;
    op.key = CM_LIT("");
    op.data = message;
    run_is(&op, CM_CRYPT_TAG);
    op.bind.path = CM_LIT("keys/unknown");
    run_is(&op, CM_CRYPT_TAG);
    op.kek = CM_LIT("");
    run_is(&op, CM_CRYPT_TAG);
    assert_int_equal(cm_keyring_count(ring->ring).keys, before.keys);
    t_held_done(&k);
}

/* A decryption that failed and gave 32 zero bytes for the key (KM-36). */
static void test_failures_give_nothing_back(void **state)
{
    static const cm_keyop_code codes[] = {CM_KEYOP_DECRYPT, CM_KEYOP_UNWRAP, CM_KEYOP_REWRAP};
    t_held k = t_ring_create(ring, CM_KEY_AES_256);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(codes); i++) {
        cm_keyop op = t_ring_op(&k, codes[i]);

        op.data = CM_LIT("\1\0\0\0\0\0\0\0\1 this is not a ciphertext, but it is long enough to "
                         "be one: 0123456789");
        op.more = cm_buf_view(&k.sealed);
        op.n = 1;
        op.out = (cm_buf){.p = (uint8_t *)1, .n = 32}; /* what was there before is not ours */
        cm_keyring_exec(ring->ring, &op);
        IS(op.result, CRYPT_TAG);
        assert_null(op.out.p);
        assert_int_equal(op.out.n, 0);
    }
    t_held_done(&k);
}

static bool contains(const cm_buf *b, cm_view needle)
{
    return b->n >= needle.n && memmem(b->p, b->n, needle.p, needle.n) != NULL;
}

/* A KMS that wrote keys back unwrapped: no result but those that are asked for has a byte of the
 * secret, and sealing one key twice gives two seals. */
static void test_sealed_keys_hold_no_plaintext(void **state)
{
    cm_view secret = CM_LIT("0123456789abcdef0123456789abcdef");
    static const cm_key_type types[] = {CM_KEY_ML_DSA_65, CM_KEY_ED25519, CM_KEY_AES_256,
                                        CM_KEY_HMAC_SHA256, CM_KEY_X_WING};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        t_held a = t_ring_import(ring, types[i], secret), b = t_ring_import(ring, types[i], secret);

        for (size_t at = 0; at + 8 <= secret.n; at++) {
            assert_false(contains(&a.sealed, cm_view_sub(secret, at, 8)));
            assert_false(contains(&a.public_key, cm_view_sub(secret, at, 8)));
        }
        assert_false(cm_view_eq(cm_buf_view(&a.sealed), cm_buf_view(&b.sealed)));
        assert_true(cm_view_eq(cm_buf_view(&a.public_key), cm_buf_view(&b.public_key)));
        t_held_done(&a);
        t_held_done(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bls_and_frost_are_unsupported_aloud),
        cmocka_unit_test(test_signatures_in_every_form),
        cmocka_unit_test(test_other_forms_are_refused),
        cmocka_unit_test(test_statements_are_no_messages),
        cmocka_unit_test(test_recoverable_signatures),
        cmocka_unit_test(test_encryption),
        cmocka_unit_test(test_wrapping_to_kem_keys),
        cmocka_unit_test(test_wrapping_takes_keys_only),
        cmocka_unit_test(test_data_keys),
        cmocka_unit_test(test_rewrap_moves_to_the_newer_version),
        cmocka_unit_test(test_encapsulation),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_uses),
        cmocka_unit_test(test_operations_that_are_none),
        cmocka_unit_test(test_parts_past_their_limits),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_keeper_answers_at_once),
        cmocka_unit_test(test_log_signatures_come_from_the_callback),
        cmocka_unit_test(test_empty_signature_is_not_accepted),
        cmocka_unit_test(test_verify_never_creates_a_key),
        cmocka_unit_test(test_failures_give_nothing_back),
        cmocka_unit_test(test_sealed_keys_hold_no_plaintext),
    };

    return cmocka_run_group_tests_name("keyring", tests, setup, teardown);
}
