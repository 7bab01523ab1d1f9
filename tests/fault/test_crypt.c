/* The facades while memory and randomness fail at each call below them in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/aead.h"
#include "crypt/sig.h"
#include "fault.h"

static const enum fault_kind kinds[] = {FAULT_ALLOC, FAULT_PROVIDER, FAULT_RANDOM};
static const cm_view ctx_ = {(const uint8_t *)"casemate/test/v1", 16};
static const cm_view msg_ = {(const uint8_t *)"a statement", 11};

static cm_crypt *crypt_;
static cm_sig_key *keys[CM_SIG_COUNT + 1];
static uint8_t good[CM_SIG_MAX];

/* Signing takes a third of a second: not once for every allocation. */
static bool slow(uint32_t id)
{
    return id == CM_SIG_SLHDSA_SHA2_128S || id == CM_SIG_SLHDSA_SHA2_128F;
}

/* Want of memory or of randomness, not a judgement of what was passed in. */
static void assert_ours(cm_err e)
{
    cm_class c = cm_err_class(e);

    if (c != CM_CLASS_EXHAUSTED && c != CM_CLASS_INTERNAL)
        print_error("%s\n", cm_err_name(e));
    assert_true(fault_hit());
    assert_true(c == CM_CLASS_EXHAUSTED || c == CM_CLASS_INTERNAL);
    assert_int_equal(ERR_peek_error(), 0);
}

static void all_are(const uint8_t *p, size_t n, uint8_t want)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], want);
}

static void each_kind(void (*round)(void))
{
    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        fault_begin(kinds[i], ENOMEM);
        while (fault_next()) {
            round();
            fault_pause();
        }
    }
}

/* ---- the context ---------------------------------------------------------------------------- */

static void context(void)
{
    cm_crypt *c = NULL;
    cm_err e = cm_crypt_new(&c, CM_PROFILE_DEFAULT);
    uint8_t out[32];

    fault_pause();
    if (cm_ok(e)) {
        assert_true(cm_ok(cm_hash_once(c, CM_SHA256, out, msg_)));
    } else {
        assert_null(c);
        assert_ours(e);
    }
    cm_crypt_free(c);
}

/* The provider allocates thousands of times here, so its allocations are left to the others. */
static void contexts(void **state)
{
    (void)state;
    fault_begin(FAULT_ALLOC, ENOMEM);
    while (fault_next())
        context();
    fault_begin(FAULT_RANDOM, EIO);
    while (fault_next())
        context();
}

/* ---- hashes, MACs, KDFs -----------------------------------------------------------------------
 */

static void random_round(void)
{
    uint8_t out[64] = {7};
    cm_err e = cm_random(crypt_, out, sizeof out);

    fault_pause();
    if (cm_ok(e))
        return;
    assert_ours(e);
    all_are(out, sizeof out, 0);
}

/* Each over a buffer of 7s, which only success may change; a KDF that fails half-way wipes. */
static void symmetric_round(void)
{
    cm_argon2 cost = {.memory_kib = 8, .passes = 1, .lanes = 1};
    cm_view key = CM_LIT("a key of some length, at least 32");
    uint8_t out[8][64];
    cm_err e[8];

    memset(out, 7, sizeof out);
    e[0] = cm_hash_once(crypt_, CM_SHA256, out[0], msg_);
    e[1] = cm_shake(crypt_, 256, out[1], 64, msg_);
    e[2] = cm_hmac(crypt_, CM_SHA512, out[2], key, msg_);
    e[3] = cm_kmac256(crypt_, out[3], 64, key, ctx_, msg_);
    e[4] = cm_hkdf_extract(crypt_, CM_SHA512, out[4], ctx_, key);
    e[5] = cm_hkdf_expand(crypt_, CM_SHA512, out[5], 64, key, ctx_);
    e[6] = cm_argon2id(crypt_, out[6], 64, key, key, &cost);
    e[7] = cm_pbkdf2(crypt_, CM_SHA512, out[7], 64, key, key, 2);
    fault_pause();
    for (size_t i = 0; i < CM_COUNT(e); i++) {
        if (cm_ok(e[i]))
            continue;
        assert_ours(e[i]);
        all_are(out[i], 64, out[i][0]);
        assert_true(out[i][0] == 7 || out[i][0] == 0);
    }
}

static void hasher_round(void)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    uint8_t out[32] = {7};
    cm_err e = cm_hasher_new(&h, crypt_, CM_SHA256);

    if (cm_ok(e))
        e = cm_hasher_update(h, msg_);
    if (cm_ok(e))
        e = cm_hasher_final(h, out);
    fault_pause();
    if (cm_ok(e))
        return;
    assert_ours(e);
    assert_int_equal(out[0], 7);
}

static void symmetric(void **state)
{
    (void)state;
    each_kind(random_round);
    each_kind(symmetric_round);
    each_kind(hasher_round);
}

/* ---- AEAD ----------------------------------------------------------------------------------- */

static void aead_round(void)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 64};
    cm_key32 key = {{1}};
    uint8_t out[32] = {7}, tag[16], nonce[12] = {0};
    cm_err e = cm_gcm_new(&g, crypt_, &key), w, u = CM_OKAY;

    if (cm_ok(e))
        e = cm_gcm_seal(g, out, tag, nonce, ctx_, CM_VIEW(out));
    if (cm_ok(e))
        e = cm_gcm_open(g, out, tag, nonce, ctx_, CM_VIEW(out));
    w = cm_kwp_wrap(crypt_, &wrapped, &key, msg_);
    if (cm_ok(w))
        u = cm_kwp_unwrap(crypt_, &plain, &key, cm_buf_view(&wrapped));
    fault_pause();
    if (cm_failed(e))
        assert_ours(e);
    else
        assert_int_equal(out[0], 7);
    if (cm_failed(w)) {
        assert_ours(w);
        assert_int_equal(wrapped.n, 0);
    } else if (cm_failed(u)) {
        assert_ours(u);
        assert_int_equal(plain.n, 0);
    } else {
        assert_true(cm_view_eq(cm_buf_view(&plain), msg_));
    }
}

static void aead(void **state)
{
    (void)state;
    each_kind(aead_round);
}

/* ---- signatures ----------------------------------------------------------------------------- */

static cm_sig_id now;

static void keys_round(void)
{
    cm_sig_key *k = NULL, *pub = NULL;
    cm_err e = cm_sig_from_seed(&k, crypt_, now, cm_sig_seed(keys[now]));
    cm_err p = cm_sig_from_public(&pub, crypt_, now, cm_sig_public(keys[now]));

    fault_pause();
    if (cm_failed(e)) {
        assert_null(k);
        assert_ours(e);
    } else {
        assert_true(cm_view_eq(cm_sig_public(k), cm_sig_public(keys[now])));
    }
    if (cm_failed(p)) {
        assert_null(pub);
        assert_ours(p);
    } else {
        assert_true(cm_view_eq(cm_sig_public(pub), cm_sig_public(keys[now])));
    }
    cm_sig_key_free(k);
    cm_sig_key_free(pub);
}

static void sign_round(void)
{
    static uint8_t sig[CM_SIG_MAX];
    size_t n = cm_sig_info_of(now)->sig;
    cm_err e;

    memset(sig, 7, sizeof sig);
    e = cm_sign(keys[now], sig, ctx_, msg_);
    fault_pause();
    if (cm_ok(e)) {
        assert_true(cm_ok(cm_verify(keys[now], ctx_, msg_, cm_view_of(sig, n))));
        return;
    }
    assert_ours(e);
    all_are(sig, n, 7);
}

/* A good signature may be refused for want of memory, and says so; a bad one never passes. */
static void verify_round(void)
{
    size_t n = cm_sig_info_of(now)->sig;
    cm_err e = cm_verify(keys[now], ctx_, msg_, cm_view_of(good, n)), bad;

    good[n / 2] ^= 1;
    bad = cm_verify(keys[now], ctx_, msg_, cm_view_of(good, n));
    good[n / 2] ^= 1;
    fault_pause();
    if (cm_failed(e))
        assert_ours(e);
    assert_true(cm_failed(bad));
}

static void signatures(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        now = (cm_sig_id)id;
        if (slow(id))
            continue;
        assert_true(cm_ok(cm_sign(keys[id], good, ctx_, msg_)));
        each_kind(keys_round);
        each_kind(sign_round);
        each_kind(verify_round);
    }
}

static int setup(void **state)
{
    (void)state;
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return -1;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++)
        if (!slow(id) && cm_failed(cm_sig_generate(&keys[id], crypt_, (cm_sig_id)id)))
            return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++)
        cm_sig_key_free(keys[id]);
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts),
        cmocka_unit_test(symmetric),
        cmocka_unit_test(aead),
        cmocka_unit_test(signatures),
    };

    return cmocka_run_group_tests_name("crypt faults", tests, setup, teardown);
}
