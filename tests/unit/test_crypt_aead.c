/* AES-256-GCM and AES-KWP behind the facade; vectors from outside are in tests/kat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/aead.h"
#include "hex.h"

static cm_crypt *crypt_;
static const uint8_t nonce[CM_GCM_NONCE] = {1, 2, 3};

/* The GCM specification's test case 16. */
static void gcm_known(void **state)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_view in = t_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                       "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    cm_view aad = t_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    cm_view want = t_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
    cm_view iv = t_hex("cafebabefacedbaddecaf888");
    cm_view want_tag = t_hex("76fc6ece0f4e1768cddf8853bb2d551b");
    cm_key32 key;
    uint8_t out[64], tag[16];

    (void)state;
    t_unhex(key.b, 32, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    assert_true(cm_ok(cm_gcm_new(&g, crypt_, &key)));
    for (int round = 0; round < 2; round++) {
        memcpy(out, in.p, in.n);
        assert_true(cm_ok(cm_gcm_seal(g, out, tag, iv.p, aad, cm_view_of(out, in.n))));
        assert_memory_equal(out, want.p, want.n);
        assert_memory_equal(tag, want_tag.p, 16);
        assert_true(cm_ok(cm_gcm_open(g, out, tag, iv.p, aad, cm_view_of(out, in.n))));
        assert_memory_equal(out, in.p, in.n);
    }
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t d = 0;

    for (size_t i = 0; i < n; i++)
        d |= p[i];
    return d == 0;
}

static void gcm_refuses_and_wipes(void **state)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_key32 key = {{9}};
    uint8_t in[100] = {1, 2, 3}, ct[100], tag[16], out[100];
    cm_view aad = CM_LIT("header");

    (void)state;
    assert_true(cm_ok(cm_gcm_new(&g, crypt_, &key)));
    assert_true(cm_ok(cm_gcm_seal(g, ct, tag, nonce, aad, CM_VIEW(in))));
    for (size_t i = 0; i < 8 * sizeof ct + 8 * sizeof tag; i++) {
        uint8_t *p = i < 8 * sizeof ct ? ct : tag;
        size_t bit = i < 8 * sizeof ct ? i : i - 8 * sizeof ct;

        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(out, 7, sizeof out);
        assert_true(cm_is(cm_gcm_open(g, out, tag, nonce, aad, CM_VIEW(ct)), CM_CRYPT_TAG));
        assert_true(all_zero(out, sizeof out));
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(
        cm_is(cm_gcm_open(g, out, tag, nonce, CM_LIT("headex"), CM_VIEW(ct)), CM_CRYPT_TAG));
    assert_true(cm_is(cm_gcm_open(g, out, tag, nonce, aad, cm_view_of(ct, 99)), CM_CRYPT_TAG));
    assert_true(cm_is(cm_gcm_open(g, out, tag, ct, aad, CM_VIEW(ct)), CM_CRYPT_TAG));
    assert_true(cm_ok(cm_gcm_open(g, out, tag, nonce, aad, CM_VIEW(ct))));
    assert_memory_equal(out, in, sizeof in);
    assert_int_equal(ERR_peek_error(), 0);
}

static void gcm_rekeys(void **state)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *a = NULL;
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *b = NULL;
    cm_key32 k1 = {{1}}, k2 = {{2}};
    uint8_t x[32] = {0}, y[32] = {0}, t1[16], t2[16], aad_only[16];

    (void)state;
    assert_true(cm_ok(cm_gcm_new(&a, crypt_, &k1)));
    assert_true(cm_ok(cm_gcm_seal(a, x, t1, nonce, CM_LIT(""), CM_VIEW(x))));
    assert_true(cm_ok(cm_gcm_rekey(a, &k2)));
    assert_true(cm_is(cm_gcm_open(a, x, t1, nonce, CM_LIT(""), CM_VIEW(x)), CM_CRYPT_TAG));
    assert_true(cm_ok(cm_gcm_seal(a, x, t1, nonce, CM_LIT(""), CM_VIEW(y))));
    assert_true(cm_ok(cm_gcm_new(&b, crypt_, &k2)));
    assert_true(cm_ok(cm_gcm_seal(b, y, t2, nonce, CM_LIT(""), CM_VIEW(y))));
    assert_memory_equal(x, y, 32);
    assert_memory_equal(t1, t2, 16);
    /* Nothing to encrypt, and nothing at all. */
    assert_true(cm_ok(cm_gcm_seal(b, NULL, aad_only, nonce, CM_LIT("aad"), CM_LIT(""))));
    assert_true(cm_ok(cm_gcm_open(b, NULL, aad_only, nonce, CM_LIT("aad"), CM_LIT(""))));
    assert_true(cm_is(cm_gcm_open(b, NULL, aad_only, nonce, CM_LIT(""), CM_LIT("")), CM_CRYPT_TAG));
    assert_true(cm_is(
        cm_gcm_seal(b, NULL, aad_only, nonce, CM_LIT(""), cm_view_of(x, ((size_t)1 << 36) - 31)),
        CM_TOO_BIG));
}

static void kwp_round_trips(void **state)
{
    cm_key32 kek = {{5}}, other = {{6}};
    uint8_t key[70];

    (void)state;
    assert_true(cm_ok(cm_random(crypt_, key, sizeof key)));
    for (size_t n = 1; n <= sizeof key; n++) {
        CM_AUTO(cm_buf_free) cm_buf w = {.max = 128};
        CM_AUTO(cm_buf_free) cm_buf u = {.max = 128};

        assert_true(cm_ok(cm_buf_byte(&u, 0xee)));
        assert_true(cm_ok(cm_kwp_wrap(crypt_, &w, &kek, cm_view_of(key, n))));
        assert_int_equal(w.n, (n + 7) / 8 * 8 + 8);
        assert_true(cm_is(cm_kwp_unwrap(crypt_, &u, &other, cm_buf_view(&w)), CM_CRYPT_TAG));
        assert_int_equal(u.n, 1);
        w.p[n % w.n] ^= 0x40;
        assert_true(cm_is(cm_kwp_unwrap(crypt_, &u, &kek, cm_buf_view(&w)), CM_CRYPT_TAG));
        w.p[n % w.n] ^= 0x40;
        assert_true(cm_ok(cm_kwp_unwrap(crypt_, &u, &kek, cm_buf_view(&w))));
        assert_int_equal(u.n, n + 1);
        assert_memory_equal(u.p + 1, key, n);
    }
}

static void kwp_refuses(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 24};
    cm_key32 kek = {{5}};
    uint8_t bytes[64] = {0};

    (void)state;
    assert_true(cm_is(cm_kwp_wrap(crypt_, &out, &kek, CM_LIT("")), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_kwp_wrap(crypt_, &out, &kek, CM_VIEW(bytes)), CM_TOO_BIG));
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_true(cm_failed(cm_kwp_unwrap(crypt_, &out, &kek, cm_view_of(bytes, n))));
    assert_int_equal(out.n, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static int setup(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

/* RFC 3394, section 4.4; the longer one by another implementation. */
static void kw192_is_the_published_one(void **state)
{
    cm_view kek = t_hex("000102030405060708090a0b0c0d0e0f1011121314151617");
    cm_view data = t_hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    cm_view wrapped[] = {
        t_hex("031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"),
        t_hex("08861e000aabfa4479c7191f9dc51cca37c50f16cc14441c6ea4980cfce0f41d9285758c6f74ac6d"),
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(wrapped); i++) {
        CM_AUTO(cm_buf_free) cm_buf w = {.max = 64};
        CM_AUTO(cm_buf_free) cm_buf u = {.max = 64};
        cm_view key = cm_view_sub(data, 0, 24 + 8 * i);

        assert_true(cm_ok(cm_kw192_wrap(crypt_, &w, kek.p, key)));
        assert_true(cm_view_eq(cm_buf_view(&w), wrapped[i]));
        for (size_t b = 0; b < w.n; b++) {
            w.p[b] ^= 1;
            assert_true(cm_is(cm_kw192_unwrap(crypt_, &u, kek.p, cm_buf_view(&w)), CM_CRYPT_TAG));
            w.p[b] ^= 1;
        }
        for (size_t n = 0; n < w.n; n++)
            assert_true(
                cm_is(cm_kw192_unwrap(crypt_, &u, kek.p, cm_view_of(w.p, n)), CM_CRYPT_TAG));
        assert_int_equal(u.n, 0);
        assert_true(cm_ok(cm_kw192_unwrap(crypt_, &u, kek.p, cm_buf_view(&w))));
        assert_true(cm_view_eq(cm_buf_view(&u), key));
        assert_true(cm_is(cm_kw192_wrap(crypt_, &w, kek.p, cm_view_sub(data, 0, 8 + 7 * i)),
                          CM_BAD_ARGUMENT));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_known),   cmocka_unit_test(gcm_refuses_and_wipes),
        cmocka_unit_test(gcm_rekeys),  cmocka_unit_test(kwp_round_trips),
        cmocka_unit_test(kwp_refuses), cmocka_unit_test(kw192_is_the_published_one),
    };

    return cmocka_run_group_tests_name("crypt aead", tests, setup, teardown);
}
