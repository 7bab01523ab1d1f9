/* Seeds under an RSA key of a token, for who asks for that: spec/hsm.md, H-80 to H-83. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/rsa.h"
#include "hsm/conform.h"
#include "hsm/p11.h"
#include "hsm/provider.h"
#include "hsm/set.h"
#include "hsm/unseal.h"
#include "hsm_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;
static char dir[T_PATH];
static bool have_token;

static const char seed[] = "a seed of thirty-two bytes, fine";

static int set_up(void **state)
{
    (void)state;
    t_mkdir(dir);
    have_token = t_softhsm(dir) && t_shim(dir);
    (void)setenv("CASEMATE_SHIM_PERSONA", "Somebody,small", 1); /* quick keys */
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

static cm_p11 *open_token(bool classical, cm_hsm *h)
{
    cm_p11_options o = {
        .module = t_shim(dir), .token = T_TOKEN, .pin = CM_LIT(T_PIN), .classical = classical};
    cm_p11 *p = NULL;

    OK(cm_p11_new(&p, crypt_, &o));
    *h = cm_p11_of(p);
    return p;
}

/* ---- OAEP: our own, beside OpenSSL's ------------------------------------------------------- */

static EVP_PKEY *private_of(const cm_rsa *k)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_RSA_DER_MAX};
    const uint8_t *p;
    EVP_PKEY *key;

    OK(cm_rsa_private_der(&der, k));
    p = der.p;
    key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
    assert_non_null(key);
    return key;
}

static size_t openssl_opens(EVP_PKEY *key, int padding, uint8_t *out, cm_view in)
{
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(key, NULL);
    size_t n = CM_RSA_SIG_MAX;

    assert_int_equal(EVP_PKEY_decrypt_init(x), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(x, padding), 1);
    if (padding == RSA_PKCS1_OAEP_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(x, EVP_sha256()), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(x, EVP_sha256()), 1);
    }
    assert_int_equal(EVP_PKEY_decrypt(x, out, &n, in.p, in.n), 1);
    EVP_PKEY_CTX_free(x);
    return n;
}

/* What we wrap OpenSSL opens; what raw RSA makes of it, we open; H-83: every other block gives a
 * key that is none of anybody's, each time another. */
static void oaep_of(unsigned bits)
{
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *k = NULL;
    cm_key32 key = {{0}}, got = {{0}}, again = {{0}};
    uint8_t wrapped[CM_RSA_SIG_MAX], block[CM_RSA_SIG_MAX];
    EVP_PKEY *theirs;
    size_t n = bits / 8;

    OK(cm_rsa_generate(&k, crypt_, bits));
    theirs = private_of(k);
    OK(cm_random(crypt_, key.b, sizeof key.b));
    OK(cm_rsa_oaep_seal(k, wrapped, &key));
    assert_int_equal(openssl_opens(theirs, RSA_PKCS1_OAEP_PADDING, block, cm_view_of(wrapped, n)),
                     32);
    assert_memory_equal(block, key.b, 32);
    assert_int_equal(openssl_opens(theirs, RSA_NO_PADDING, block, cm_view_of(wrapped, n)), n);
    OK(cm_rsa_oaep_unpad(crypt_, &got, cm_view_of(block, n)));
    assert_memory_equal(got.b, key.b, 32);
    for (size_t i = 0; i < n; i++) {
        block[i] ^= 0x01;
        OK(cm_rsa_oaep_unpad(crypt_, &got, cm_view_of(block, n)));
        OK(cm_rsa_oaep_unpad(crypt_, &again, cm_view_of(block, n)));
        assert_memory_not_equal(got.b, key.b, 32);
        assert_memory_not_equal(got.b, again.b, 32);
        block[i] ^= 0x01;
    }
    IS(cm_rsa_oaep_unpad(crypt_, &got, cm_view_of(block, 128)), BAD_ARGUMENT);
    EVP_PKEY_free(theirs);
}

static void oaep_is_openssls(void **state)
{
    (void)state;
    oaep_of(2048);
    oaep_of(4096);
}

/* One bit of the key itself is inside what the masks spread: only a whole and right block opens. A
 * block made by OpenSSL with another label or hash is none. */
static void another_label_is_refused(void **state)
{
    CM_AUTO(cm_rsa_free_ptr) cm_rsa *k = NULL;
    uint8_t wrapped[CM_RSA_SIG_MAX], block[CM_RSA_SIG_MAX];
    cm_key32 key = {{7}}, got = {{0}};
    size_t n = sizeof wrapped;
    EVP_PKEY_CTX *x;
    EVP_PKEY *theirs;

    (void)state;
    OK(cm_rsa_generate(&k, crypt_, 2048));
    theirs = private_of(k);
    x = EVP_PKEY_CTX_new(theirs, NULL);
    assert_int_equal(EVP_PKEY_encrypt_init(x), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(x, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(x, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(x, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(x, OPENSSL_memdup("x", 1), 1), 1);
    assert_int_equal(EVP_PKEY_encrypt(x, wrapped, &n, key.b, sizeof key.b), 1);
    assert_int_equal(openssl_opens(theirs, RSA_NO_PADDING, block, cm_view_of(wrapped, n)), n);
    OK(cm_rsa_oaep_unpad(crypt_, &got, cm_view_of(block, n)));
    assert_memory_not_equal(got.b, key.b, 32);
    EVP_PKEY_CTX_free(x);
    EVP_PKEY_free(theirs);
}

/* ---- a token ------------------------------------------------------------------------------- */

/* H-81, H-83: another purpose, another key, a changed byte of the head, of the wrapped key and of
 * the seed are refused by one name. */
static void a_token_conforms(void **state)
{
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_hsm_status s;
    cm_conform c;
    cm_hsm h;

    (void)state;
    need_token();
    p = open_token(true, &h);
    cm_conform_run(&c, crypt_, &h, true);
    for (unsigned t = 0; t < CM_CONFORM_COUNT; t++)
        if (c.result[t] == CM_CONFORM_FAIL)
            fail_msg("%s: %s", cm_conform_name((cm_conform_test)t), cm_err_name(c.why[t]));
    assert_int_equal(c.result[CM_CONFORM_AES256], CM_CONFORM_PASS);
    assert_int_equal(c.result[CM_CONFORM_AAD], CM_CONFORM_PASS);
    assert_int_equal(c.result[CM_CONFORM_OTHER_KEY], CM_CONFORM_PASS);
    OK(cm_hsm_status_of(&h, &s));
    assert_int_equal(s.custody, CM_HSM_CLASSICAL); /* H-41 */
}

/* H-80: what is made, what it is called, and what a blob says of itself. */
static void labels_of(cm_hsm_alg alg, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 64 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_hsm_key k, again;
    cm_view id = CM_LIT("labelled");
    cm_hsm h;

    p = open_token(true, &h);
    OK(cm_hsm_generate(&h, &k, CM_HSM_AES256, id, CM_LIT("l"), true));
    assert_int_equal(k.custody, CM_HSM_CLASSICAL);
    assert_int_equal(k.alg, alg);
    OK(cm_hsm_find(&h, &again, CM_HSM_AES256, id, CM_LIT("")));
    assert_memory_equal(again.hash, k.hash, 32);
    assert_int_equal(again.custody, CM_HSM_CLASSICAL);
    OK(cm_hsm_wrap(&h, id, cm_view_str(seed), CM_LIT("a"), &blob));
    assert_int_equal(blob.p[0], 1);
    assert_int_equal(blob.p[1], 5);
    assert_int_equal(cm_get_be16(blob.p + 14), n);
    assert_int_equal(blob.n, 16 + n + 16 + sizeof seed - 1 + 16);
    /* Signing keys of the same device stay what they were. */
    OK(cm_hsm_generate(&h, &again, CM_HSM_P256, id, CM_LIT("l"), true));
    assert_int_equal(again.custody, CM_HSM_NATIVE);
    OK(cm_hsm_destroy(&h, CM_HSM_AES256, id));
    IS(cm_hsm_find(&h, &k, CM_HSM_AES256, id, CM_LIT("")), HSM_NO_KEY);
    OK(cm_hsm_find(&h, &again, CM_HSM_P256, id, CM_LIT("")));
    OK(cm_hsm_destroy(&h, CM_HSM_P256, id));
}

static void what_is_made_is_labelled(void **state)
{
    (void)state;
    need_token();
    labels_of(CM_HSM_RSA2048, 256);
    (void)setenv("CASEMATE_SHIM_PERSONA", "Somebody", 1);
    labels_of(CM_HSM_RSA4096, 512);
    (void)setenv("CASEMATE_SHIM_PERSONA", "Somebody,small", 1);
}

/* H-80: a key pair that signs is none that wraps. */
static void a_signing_key_wraps_nothing(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 64 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_view id = CM_LIT("signs");
    cm_hsm_key k;
    cm_hsm h;

    (void)state;
    need_token();
    p = open_token(true, &h);
    OK(cm_hsm_generate(&h, &k, CM_HSM_RSA2048, id, CM_LIT("s"), true));
    IS(cm_hsm_find(&h, &k, CM_HSM_AES256, id, CM_LIT("")), HSM_NO_KEY);
    IS(cm_hsm_wrap(&h, id, cm_view_str(seed), CM_LIT("a"), &blob), HSM_NO_KEY);
    OK(cm_hsm_destroy(&h, CM_HSM_RSA2048, id));
}

/* With the other word, all that was made by the one is named and not touched: H-82. */
static void refuses_the_other(bool classical, cm_view id, cm_view blob, cm_err want)
{
    CM_AUTO(cm_buf_free) cm_buf got = {.max = 64 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    const cm_hsm_item items[] = {{CM_LIT("a"), blob}, {CM_LIT("a"), blob}};
    cm_buf many[] = {{.max = 64}, {.max = 64}};
    cm_hsm_key k;
    cm_hsm h;

    p = open_token(classical, &h);
    assert_int_equal(cm_hsm_unwrap(&h, id, blob, CM_LIT("a"), &got).v, want.v);
    assert_int_equal(cm_hsm_unwrap_many(&h, id, items, 2, many).v, want.v);
    assert_int_equal(cm_hsm_wrap(&h, id, cm_view_str(seed), CM_LIT("a"), &got).v, want.v);
    assert_int_equal(cm_hsm_find(&h, &k, CM_HSM_AES256, id, CM_LIT("")).v, want.v);
    assert_int_equal(cm_hsm_generate(&h, &k, CM_HSM_AES256, id, CM_LIT("k"), false).v, want.v);
    /* Without its key, too: a blob says what it is. */
    assert_int_equal(cm_hsm_unwrap(&h, CM_LIT("none"), blob, CM_LIT("a"), &got).v, want.v);
    assert_int_equal(got.n + many[0].n + many[1].n, 0);
}

static void kinds_are_not_mixed(void **state)
{
    static const bool kinds[] = {false, true};

    (void)state;
    need_token();
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        CM_AUTO(cm_buf_free) cm_buf blob = {.max = 64 + CM_HSM_BLOB_MORE};
        CM_AUTO(cm_buf_free) cm_buf back = {.max = 64};
        cm_view id = CM_LIT("mixed");
        cm_hsm_key k;
        cm_hsm h;
        cm_p11 *p = open_token(kinds[i], &h);

        OK(cm_hsm_generate(&h, &k, CM_HSM_AES256, id, CM_LIT("k"), false));
        OK(cm_hsm_wrap(&h, id, cm_view_str(seed), CM_LIT("a"), &blob));
        cm_p11_free(p);
        refuses_the_other(!kinds[i], id, cm_buf_view(&blob),
                          kinds[i] ? CM_FAIL(HSM_KEY_CLASSICAL) : CM_FAIL(HSM_KEY_SYMMETRIC));
        p = open_token(kinds[i], &h);
        OK(cm_hsm_unwrap(&h, id, cm_buf_view(&blob), CM_LIT("a"), &back));
        assert_true(cm_view_eq(cm_buf_view(&back), cm_view_str(seed)));
        OK(cm_hsm_destroy(&h, CM_HSM_AES256, id));
        cm_p11_free(p);
    }
}

/* ---- faults -------------------------------------------------------------------------------- */

static cm_err round_trip(const cm_hsm *h, cm_view id)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = 64 + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = 64};

    CM_TRY(cm_hsm_wrap(h, id, cm_view_str(seed), CM_LIT("a"), &blob));
    CM_TRY(cm_hsm_unwrap(h, id, cm_buf_view(&blob), CM_LIT("a"), &back));
    assert_true(cm_view_eq(cm_buf_view(&back), cm_view_str(seed)));
    return CM_OKAY;
}

/* H-6: a token that opens wrongly is told from a blob that is bad, and used no more; one that
 * breaks goes on afterwards. */
static void faults_are_told(void **state)
{
    static const struct {
        const char *fault;
        bool wrong;
    } cases[] = {{"C_Decrypt device 0 2", false},     {"C_Decrypt general 0 1", false},
                 {"C_DecryptInit device 0 2", false}, {"C_DecryptInit session 0 1", false},
                 {"C_Decrypt removed 0 2", false},    {"C_FindObjects empty 0 2", false},
                 {"C_FindObjects double 0 2", false}, {"C_GetAttributeValue device 0 2", false},
                 {"C_Decrypt wrong 0 99", true},      {"C_Decrypt short 0 99", true}};
    cm_view id = CM_LIT("faults");
    cm_hsm_key k;
    cm_hsm h;
    cm_p11 *p;

    (void)state;
    need_token();
    p = open_token(true, &h);
    OK(cm_hsm_generate(&h, &k, CM_HSM_AES256, id, CM_LIT("k"), false));
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_err e;

        t_shim_fault(dir, cases[i].fault);
        e = round_trip(&h, id);
        t_shim_fault(dir, "");
        if (cases[i].wrong) {
            if (!cm_is(e, CM_HSM_WRONG) && !cm_is(e, CM_HSM_DEVICE))
                fail_msg("%s: %s", cases[i].fault, cm_err_name(e));
            cm_p11_free(p);
            p = open_token(true, &h);
        } else if (cm_is(e, CM_HSM_BLOB) || cm_is(e, CM_HSM_WRONG))
            fail_msg("%s: %s", cases[i].fault, cm_err_name(e));
        OK(round_trip(&h, id));
    }
    OK(cm_hsm_destroy(&h, CM_HSM_AES256, id));
    cm_p11_free(p);
}

/* ---- roots --------------------------------------------------------------------------------- */

static void slot_of(cm_buf *slot, const cm_hsm *h)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{1}};
    cm_hsm_unseal u;

    cm_hsm_unseal_init(&u, h);
    slot->n = 0;
    OK(u.backend.wrap(u.backend.self, crypt_, slot, &key, CM_LIT("context")));
}

/* H-14: one device of several is enough. */
static void a_root_is_labelled(void **state)
{
    CM_AUTO(cm_hsm_soft_free_ptr) cm_hsm_soft *soft = NULL;
    CM_AUTO(cm_buf_free) cm_buf slot = {.max = 8192};
    CM_AUTO(cm_p11_free_ptr) cm_p11 *p = NULL;
    cm_hsm_set_options o = {.crypt = crypt_};
    cm_view id = CM_LIT(CM_HSM_ROOT_ID);
    cm_hsm_set_member m[2];
    cm_hsm h, several;
    cm_hsm_set *set;
    cm_hsm_key k;

    (void)state;
    need_token();
    p = open_token(true, &h);
    OK(cm_hsm_soft_new(&soft, crypt_));
    m[0] = (cm_hsm_set_member){.name = "aes", .weight = 1, .hsm = cm_hsm_soft_of(soft)};
    m[1] = (cm_hsm_set_member){.name = "rsa", .weight = 1, .hsm = h};
    OK(cm_hsm_generate(&h, &k, CM_HSM_AES256, id, id, false));
    OK(cm_hsm_generate(&m[0].hsm, &k, CM_HSM_AES256, id, id, false));
    slot_of(&slot, &h);
    assert_true(cm_hsm_unseal_is_classical(cm_buf_view(&slot)));
    slot_of(&slot, &m[0].hsm);
    assert_false(cm_hsm_unseal_is_classical(cm_buf_view(&slot)));
    OK(cm_hsm_set_new(&set, &o, m, 2));
    several = cm_hsm_set_of(set);
    slot_of(&slot, &several);
    assert_true(cm_hsm_unseal_is_classical(cm_buf_view(&slot)));
    cm_hsm_set_free(set);
    assert_true(cm_hsm_unseal_is_classical(CM_LIT("no slot")));
    OK(cm_hsm_destroy(&h, CM_HSM_AES256, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oaep_is_openssls),
        cmocka_unit_test(another_label_is_refused),
        cmocka_unit_test(a_token_conforms),
        cmocka_unit_test(what_is_made_is_labelled),
        cmocka_unit_test(a_signing_key_wraps_nothing),
        cmocka_unit_test(kinds_are_not_mixed),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(a_root_is_labelled),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
