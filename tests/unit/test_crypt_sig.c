/* Signatures: every algorithm through one set of rules, those of spec/keys.md section 1. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <secp256k1.h>

#include "crypt/crypt_int.h"
#include "crypt/sig.h"
#include "crypt/sig_int.h"
#include "fips.h"
#include "hex.h"

static cm_crypt *crypt_;
static cm_sig_key *keys[CM_SIG_COUNT + 1];

static const cm_view ctx_ = {(const uint8_t *)"casemate/test/v1", 16};
static const cm_view msg_ = {(const uint8_t *)"a statement", 11};

static bool slow(cm_sig_id id)
{
    return id == CM_SIG_SLHDSA_SHA2_128S;
}

static void table_is_consistent(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        const cm_sig_info *i = cm_sig_info_of(id);

        assert_int_equal(i->id, id);
        assert_true(i->pk <= CM_SIG_PK_MAX && i->sig <= CM_SIG_MAX && i->seed <= CM_SIG_SEED_MAX);
        assert_ptr_equal(cm_sig_info_by_name(cm_view_str(i->name)), i);
        assert_int_equal(cm_sig_public(keys[id]).n, i->pk);
        assert_int_equal(cm_sig_seed(keys[id]).n, i->seed);
        assert_ptr_equal(cm_sig_key_info(keys[id]), i);
    }
    assert_null(cm_sig_info_of(0));
    assert_null(cm_sig_info_of(CM_SIG_COUNT + 1));
    assert_null(cm_sig_info_by_name(CM_LIT("ML-DSA-6")));
    cm_sig_key_free(NULL);
}

/* Valid, then every way of being wrong that all algorithms share. */
static void one_algorithm(cm_sig_id id)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pub = NULL;
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *again = NULL;
    const cm_sig_info *info = cm_sig_info_of(id);
    uint8_t *sig = malloc(info->sig + 1), before = 7;
    size_t step = info->sig / 61 + 1;
    cm_view v = cm_view_of(sig, info->sig);

    assert_true(cm_ok(cm_sig_from_public(&pub, crypt_, id, cm_sig_public(keys[id]))));
    assert_true(cm_ok(cm_sig_from_seed(&again, crypt_, id, cm_sig_seed(keys[id]))));
    assert_true(cm_view_eq(cm_sig_public(again), cm_sig_public(keys[id])));
    sig[info->sig] = 0xa5;
    assert_true(cm_ok(cm_sign(keys[id], sig, ctx_, msg_)));
    assert_int_equal(sig[info->sig], 0xa5);
    assert_true(cm_ok(cm_verify(pub, ctx_, msg_, v)));
    assert_true(cm_is(cm_verify(pub, CM_LIT("casemate/test/v2"), msg_, v), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pub, CM_LIT(""), msg_, v), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pub, ctx_, CM_LIT("A statement"), v), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pub, ctx_, CM_LIT(""), v), CM_CRYPT_SIGNATURE));
    assert_true(
        cm_is(cm_verify(pub, ctx_, msg_, cm_view_of(sig, info->sig - 1)), CM_CRYPT_SIGNATURE));
    assert_true(
        cm_is(cm_verify(pub, ctx_, msg_, cm_view_of(sig, info->sig + 1)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pub, ctx_, msg_, cm_view_of(NULL, 0)), CM_CRYPT_SIGNATURE));
    for (size_t at = 0; at < info->sig; at += at + step < info->sig ? step : 1) {
        sig[at] ^= 0x10;
        assert_true(cm_is(cm_verify(pub, ctx_, msg_, v), CM_CRYPT_SIGNATURE));
        sig[at] ^= 0x10;
    }
    assert_true(cm_ok(cm_verify(keys[id], ctx_, msg_, v)));
    sig[0] = before;
    assert_false(cm_sig_has_private(pub));
    assert_true(cm_is(cm_sign(pub, sig, ctx_, msg_), CM_CRYPT_NO_PRIVATE));
    assert_int_equal(sig[0], before);
    assert_int_equal(ERR_peek_error(), 0);
    free(sig);
}

static void every_algorithm_signs(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++)
        one_algorithm((cm_sig_id)id);
}

/* K-1, K-7 */
static void contexts_are_bounded_and_reserved(void **state)
{
    uint8_t longest[CM_SIG_CTX_MAX + 1] = {1}, *sig = calloc(1, CM_SIG_MAX);
    cm_view ok = cm_view_of(longest, CM_SIG_CTX_MAX), bad = CM_VIEW(longest);

    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        cm_view v = cm_view_of(sig, cm_sig_info_of(id)->sig);

        if (slow((cm_sig_id)id))
            continue;
        assert_true(cm_is(cm_sign(keys[id], sig, bad, msg_), CM_CRYPT_CONTEXT_LONG));
        assert_true(cm_is(cm_verify(keys[id], bad, msg_, v), CM_CRYPT_CONTEXT_LONG));
        assert_true(cm_is(cm_sign(keys[id], sig, CM_LIT("casemate-dual-v1"), msg_),
                          CM_CRYPT_CONTEXT_RESERVED));
        assert_true(cm_is(cm_verify(keys[id], CM_LIT("casemate-dual-v1"), msg_, v),
                          CM_CRYPT_CONTEXT_RESERVED));
        assert_true(cm_ok(cm_sign(keys[id], sig, ok, msg_)));
        assert_true(cm_ok(cm_verify(keys[id], ok, msg_, v)));
    }
    free(sig);
}

/* The statement, written out a second time from the specification. */
static size_t statement(uint8_t *out, uint8_t alg, cm_view ctx, cm_view pk, cm_view msg)
{
    size_t n = 0;

    memcpy(out, "casemate-sig-v1\0", 16);
    n = 16;
    out[n++] = alg;
    out[n++] = (uint8_t)ctx.n;
    memcpy(out + n, ctx.p, ctx.n);
    n += ctx.n;
    assert_true(cm_ok(cm_hash_once(crypt_, CM_SHA256, out + n, pk)));
    n += 32;
    memcpy(out + n, msg.p, msg.n);
    return n + msg.n;
}

/* K-2, K-3, K-4: what cm_sign() makes verifies as the plain algorithm over what K-3 says. */
static void statements_are_as_specified(void **state)
{
    static const cm_sig_id ids[] = {CM_SIG_ED25519, CM_SIG_P256, CM_SIG_P384, CM_SIG_SECP256K1};
    uint8_t text[512], digest[32], sig[CM_SIG_MAX];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++) {
        cm_sig_key *k = keys[ids[i]];
        cm_view v =
            cm_view_of(text, statement(text, (uint8_t)ids[i], ctx_, cm_sig_public(k), msg_));

        assert_true(cm_ok(cm_sign(k, sig, ctx_, msg_)));
        if (ids[i] == CM_SIG_SECP256K1) {
            assert_true(cm_ok(cm_hash_once(crypt_, CM_SHA256, digest, v)));
            v = CM_VIEW(digest);
        }
        assert_true(cm_ok(cm_verify_raw(k, v, cm_view_of(sig, cm_sig_key_info(k)->sig))));
    }
    /* K-2: an empty context is the raw form; the context is the algorithm's own. */
    assert_true(cm_ok(cm_sign_raw(keys[CM_SIG_MLDSA44], sig, msg_)));
    assert_true(cm_ok(cm_verify(keys[CM_SIG_MLDSA44], CM_LIT(""), msg_, cm_view_of(sig, 2420))));
}

/* Like cm_sig_from_seed() for one half of a dual key. */
static cm_sig_key *half(cm_sig_id id, cm_view seed)
{
    cm_sig_key *k = NULL;

    assert_true(cm_ok(cm_sig_from_seed(&k, crypt_, id, seed)));
    return k;
}

/* K-5: the halves are what the specification says and no good for anything else. */
static void dual_halves_do_not_stand_alone(void **state)
{
    cm_sig_key *dual = keys[CM_SIG_DUAL65];
    cm_view seed = cm_sig_seed(dual);
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *pq = half(CM_SIG_MLDSA65, cm_view_sub(seed, 0, 32));
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *ed = half(CM_SIG_ED25519, cm_view_sub(seed, 32, 32));
    uint8_t sig[4000], text[512], mu[64], *ed_sig = sig + 3309;
    uint8_t tr[64], head[18] = {0, 16};
    cm_view parts[] = {CM_VIEW(tr), CM_VIEW(head), {text, 0}}, v;

    (void)state;
    assert_true(cm_ok(cm_sign(dual, sig, ctx_, msg_)));
    v = cm_view_of(text, statement(text, CM_SIG_DUAL65, ctx_, cm_sig_public(dual), msg_));
    assert_true(cm_ok(cm_verify_raw(ed, v, cm_view_of(ed_sig, 64))));
    memcpy(head + 2, "casemate-dual-v1", 16);
    parts[2] = v;
    assert_true(cm_ok(cm_shake(crypt_, 256, tr, 64, cm_sig_public(pq))));
    assert_true(cm_ok(cm_shake_parts(crypt_, 256, mu, 64, parts, 3)));
    assert_true(cm_ok(cm_verify_mu(pq, mu, cm_view_of(sig, 3309))));

    assert_true(cm_is(cm_verify(ed, ctx_, msg_, cm_view_of(ed_sig, 64)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(ed, ctx_, v, cm_view_of(ed_sig, 64)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify_raw(ed, msg_, cm_view_of(ed_sig, 64)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pq, ctx_, msg_, cm_view_of(sig, 3309)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_verify(pq, CM_LIT(""), v, cm_view_of(sig, 3309)), CM_CRYPT_SIGNATURE));
    assert_true(cm_is(cm_sign_raw(dual, sig, msg_), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_verify_raw(dual, msg_, cm_view_of(sig, 3373)), CM_CRYPT_ALGORITHM));
}

/* K-6: one good half is not enough, whichever it is; nor are halves of two good signatures made
 * with keys that share the other half (K-5). */
static void dual_needs_both(void **state)
{
    cm_sig_key *dual = keys[CM_SIG_DUAL65];
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *other = NULL;
    uint8_t seed[64], a[3373], b[3373], mixed[3373];

    (void)state;
    memcpy(seed, cm_sig_seed(dual).p, 64);
    seed[3] ^= 1; /* another ML-DSA key, the same Ed25519 key */
    assert_true(cm_ok(cm_sig_from_seed(&other, crypt_, CM_SIG_DUAL65, CM_VIEW(seed))));
    assert_true(cm_ok(cm_sign(dual, a, ctx_, msg_)));
    assert_true(cm_ok(cm_sign(dual, b, ctx_, CM_LIT("another statement"))));
    memcpy(mixed, a, 3309);
    memcpy(mixed + 3309, b + 3309, 64);
    assert_true(cm_is(cm_verify(dual, ctx_, msg_, CM_VIEW(mixed)), CM_CRYPT_SIGNATURE));
    memcpy(mixed, b, 3309);
    memcpy(mixed + 3309, a + 3309, 64);
    assert_true(cm_is(cm_verify(dual, ctx_, msg_, CM_VIEW(mixed)), CM_CRYPT_SIGNATURE));
    assert_true(cm_ok(cm_sign(other, b, ctx_, msg_)));
    memcpy(mixed, a, 3309);
    memcpy(mixed + 3309, b + 3309, 64);
    assert_true(cm_is(cm_verify(dual, ctx_, msg_, CM_VIEW(mixed)), CM_CRYPT_SIGNATURE));
}

/* K-8, K-10: two signatures over one message differ, but for Ed25519, which is deterministic. */
static void signatures_are_hedged(void **state)
{
    uint8_t *a = malloc(CM_SIG_MAX), *b = malloc(CM_SIG_MAX);

    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        size_t n = cm_sig_info_of(id)->sig;

        if (slow((cm_sig_id)id))
            continue;
        assert_true(cm_ok(cm_sign(keys[id], a, ctx_, msg_)));
        assert_true(cm_ok(cm_sign(keys[id], b, ctx_, msg_)));
        if (id == CM_SIG_ED25519)
            assert_memory_equal(a, b, n);
        else
            assert_memory_not_equal(a, b, n);
        if (cm_is(cm_sign_det(keys[id], a, ctx_, msg_), CM_CRYPT_ALGORITHM))
            continue;
        assert_true(cm_ok(cm_sign_det(keys[id], b, ctx_, msg_)));
        assert_memory_equal(a, b, n);
        assert_true(cm_ok(cm_verify(keys[id], ctx_, msg_, cm_view_of(a, n))));
    }
    free(a);
    free(b);
}

/* K-10: the nonces are the library's, whatever goes into them and however often it asks. */
static void secp_nonces_are_the_librarys(void **state)
{
    static const uint8_t algo[16] = "ECDSA+SHA256   ";

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        const uint8_t *name = i & 2 ? algo : NULL;
        uint8_t in[3][32], ours[32], theirs[32];
        uint8_t *more = i & 1 ? in[2] : NULL;

        assert_true(cm_ok(cm_random(crypt_, in[0], sizeof in)));
        assert_int_equal(cm_secp_nonce(ours, in[0], in[1], name, more, i % 5), 1);
        assert_int_equal(secp256k1_nonce_function_rfc6979(theirs, in[0], in[1], name, more, i % 5),
                         1);
        assert_memory_equal(ours, theirs, 32);
    }
}

static void external_mu_fits(void **state)
{
    uint8_t mu[64], sig[CM_SIG_MAX];

    (void)state;
    for (uint32_t id = CM_SIG_MLDSA44; id <= CM_SIG_MLDSA87; id++) {
        cm_view v = cm_view_of(sig, cm_sig_info_of(id)->sig);

        assert_true(cm_ok(cm_mldsa_mu(keys[id], mu, ctx_, msg_)));
        assert_true(cm_ok(cm_sign_mu(keys[id], sig, mu)));
        assert_true(cm_ok(cm_verify(keys[id], ctx_, msg_, v)));
        assert_true(cm_ok(cm_sign(keys[id], sig, ctx_, msg_)));
        assert_true(cm_ok(cm_verify_mu(keys[id], mu, v)));
        mu[63] ^= 1;
        assert_true(cm_is(cm_verify_mu(keys[id], mu, v), CM_CRYPT_SIGNATURE));
        assert_true(cm_is(cm_mldsa_mu(keys[id], mu, CM_LIT(CM_SIG_DUAL_CTX), msg_),
                          CM_CRYPT_CONTEXT_RESERVED));
    }
    assert_true(cm_is(cm_sign_mu(keys[CM_SIG_ED25519], sig, mu), CM_CRYPT_ALGORITHM));
    assert_true(
        cm_is(cm_verify_mu(keys[CM_SIG_DUAL65], mu, cm_view_of(sig, 3373)), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_mldsa_mu(keys[CM_SIG_P256], mu, ctx_, msg_), CM_CRYPT_ALGORITHM));
}

/* Big-endian half of the order of secp256k1. */
static bool low_s(const uint8_t sig[64])
{
    cm_view half_order = t_hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

    return memcmp(sig + 32, half_order.p, 32) <= 0;
}

/* order - s */
static void negate_s(uint8_t sig[64])
{
    cm_view n = t_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    int borrow = 0;

    for (size_t i = 32; i-- > 0;) {
        int d = n.p[i] - sig[32 + i] - borrow;

        borrow = d < 0;
        sig[32 + i] = (uint8_t)d;
    }
}

/* K-9 */
static void secp_is_low_s_only(void **state)
{
    cm_sig_key *k = keys[CM_SIG_SECP256K1];
    uint8_t digest[32] = {1, 2, 3}, sig[64], pk[65] = {0}, recid = 9;

    (void)state;
    for (int i = 0; i < 50; i++) {
        digest[0] = (uint8_t)i;
        assert_true(cm_ok(cm_sign_raw(k, sig, CM_VIEW(digest))));
        assert_true(low_s(sig));
        assert_true(cm_ok(cm_verify_raw(k, CM_VIEW(digest), CM_VIEW(sig))));
        negate_s(sig);
        assert_true(cm_is(cm_verify_raw(k, CM_VIEW(digest), CM_VIEW(sig)), CM_CRYPT_SIGNATURE));
        assert_true(cm_ok(cm_sign_recoverable(k, sig, &recid, digest)));
        assert_true(low_s(sig) && recid <= 3);
        assert_true(cm_ok(cm_recover(crypt_, pk, sig, recid, digest)));
        assert_memory_equal(pk, cm_sig_public(k).p, 65);
        assert_true(cm_ok(cm_verify_raw(k, CM_VIEW(digest), CM_VIEW(sig))));
        negate_s(sig);
        pk[0] = 7;
        assert_true(cm_is(cm_recover(crypt_, pk, sig, recid ^ 1, digest), CM_CRYPT_SIGNATURE));
        assert_int_equal(pk[0], 7);
    }
    assert_true(cm_is(cm_recover(crypt_, pk, sig, 4, digest), CM_BAD_ARGUMENT));
    assert_true(
        cm_is(cm_sign_recoverable(keys[CM_SIG_P256], sig, &recid, digest), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_sign_raw(k, sig, cm_view_of(digest, 31)), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_verify_raw(k, cm_view_of(digest, 0), CM_VIEW(sig)), CM_BAD_ARGUMENT));
}

static void bad_public(cm_sig_id id, cm_view pk)
{
    cm_sig_key *k = NULL;

    assert_true(cm_is(cm_sig_from_public(&k, crypt_, id, pk), CM_CRYPT_BAD_KEY));
    assert_null(k);
}

/* K-11 */
static void bad_public_keys_are_refused(void **state)
{
    static const cm_sig_id curves[] = {CM_SIG_P256, CM_SIG_P384, CM_SIG_SECP256K1};
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000", /* not on the curve */
    };
    uint8_t pk[CM_SIG_PK_MAX + 1];

    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        cm_view v = cm_sig_public(keys[id]);

        memcpy(pk, v.p, v.n);
        bad_public((cm_sig_id)id, cm_view_of(pk, v.n - 1));
        bad_public((cm_sig_id)id, cm_view_of(pk, v.n + 1));
        bad_public((cm_sig_id)id, cm_view_of(pk, 0));
    }
    for (size_t i = 0; i < CM_COUNT(small); i++)
        bad_public(CM_SIG_ED25519, t_hex(small[i]));
    for (size_t i = 0; i < CM_COUNT(curves); i++) {
        cm_view v = cm_sig_public(keys[curves[i]]);

        memcpy(pk, v.p, v.n);
        for (unsigned first = 0; first < 256; first++) {
            pk[0] = (uint8_t)first;
            if (first != 4)
                bad_public(curves[i], cm_view_of(pk, v.n));
            if (first != 2 && first != 3)
                bad_public(curves[i], cm_view_of(pk, (v.n + 1) / 2));
        }
        pk[0] = 4;
        pk[v.n - 1] ^= 1;
        bad_public(curves[i], cm_view_of(pk, v.n));
        memset(pk + 1, 0xff, v.n - 1);
        bad_public(curves[i], cm_view_of(pk, v.n));
        memset(pk, 0, v.n);
        bad_public(curves[i], cm_view_of(pk, v.n));
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void compressed_points_are_read(void **state)
{
    static const cm_sig_id curves[] = {CM_SIG_P256, CM_SIG_P384, CM_SIG_SECP256K1};
    uint8_t pk[CM_SIG_PK_MAX];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(curves); i++) {
        CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
        cm_view v = cm_sig_public(keys[curves[i]]);

        memcpy(pk, v.p, v.n);
        pk[0] = (uint8_t)(2 + (v.p[v.n - 1] & 1));
        assert_true(
            cm_ok(cm_sig_from_public(&k, crypt_, curves[i], cm_view_of(pk, (v.n + 1) / 2))));
        assert_true(cm_view_eq(cm_sig_public(k), v));
    }
}

/* K-12 */
static void bad_seeds_are_refused(void **state)
{
    static const struct {
        cm_sig_id id;
        const char *order;
    } curves[] = {
        {CM_SIG_P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
        {CM_SIG_P384, "ffffffffffffffffffffffffffffffffffffffffffffffff"
                      "c7634d81f4372ddf581a0db248b0a77aecec196accc52973"},
        {CM_SIG_SECP256K1, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"},
    };
    uint8_t seed[CM_SIG_SEED_MAX + 1] = {1};

    (void)state;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++)
        for (size_t n = 0; n <= sizeof seed; n++) {
            cm_sig_key *k = NULL;

            if (n == cm_sig_info_of(id)->seed)
                continue;
            assert_true(cm_is(cm_sig_from_seed(&k, crypt_, (cm_sig_id)id, cm_view_of(seed, n)),
                              CM_CRYPT_BAD_KEY));
            assert_null(k);
        }
    for (size_t i = 0; i < CM_COUNT(curves); i++) {
        size_t n = t_unhex(seed, sizeof seed, curves[i].order);
        cm_sig_key *k = NULL;

        assert_true(cm_is(cm_sig_from_seed(&k, crypt_, curves[i].id, cm_view_of(seed, n)),
                          CM_CRYPT_BAD_KEY));
        seed[n - 1]--;
        assert_true(cm_ok(cm_sig_from_seed(&k, crypt_, curves[i].id, cm_view_of(seed, n))));
        cm_sig_key_free(k);
        k = NULL;
        memset(seed, 0xff, n);
        assert_true(cm_is(cm_sig_from_seed(&k, crypt_, curves[i].id, cm_view_of(seed, n)),
                          CM_CRYPT_BAD_KEY));
        memset(seed, 0, n);
        assert_true(cm_is(cm_sig_from_seed(&k, crypt_, curves[i].id, cm_view_of(seed, n)),
                          CM_CRYPT_BAD_KEY));
        seed[n - 1] = 1;
        assert_true(cm_ok(cm_sig_from_seed(&k, crypt_, curves[i].id, cm_view_of(seed, n))));
        cm_sig_key_free(k);
    }
    assert_true(
        cm_is(cm_sig_generate(&(cm_sig_key *){0}, crypt_, (cm_sig_id)99), CM_CRYPT_ALGORITHM));
}

/* RFC 8032 7.1 test 2; RFC 6979 A.2.5's key. */
static void derived_public_keys_are_known(void **state)
{
    CM_AUTO(cm_sig_key_free_ptr)
    cm_sig_key *ed = half(
        CM_SIG_ED25519, t_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    CM_AUTO(cm_sig_key_free_ptr)
    cm_sig_key *p256 = half(
        CM_SIG_P256, t_hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
    cm_view want = t_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    uint8_t sig[64];

    (void)state;
    assert_true(cm_view_eq(cm_sig_public(ed), want));
    assert_true(cm_ok(cm_sign_raw(ed, sig, t_hex("72"))));
    want = t_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_memory_equal(sig, want.p, 64);
    want = t_hex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    assert_true(cm_view_eq(cm_sig_public(p256), want));
}

static void *sign_much(void *arg)
{
    uint8_t sig[CM_SIG_MAX];
    bool *ok = arg;

    *ok = true;
    for (int i = 0; i < 20; i++)
        for (uint32_t id = CM_SIG_ED25519; id <= CM_SIG_DUAL65 && *ok; id++)
            *ok = cm_ok(cm_sign(keys[id], sig, ctx_, msg_)) &&
                  cm_ok(cm_verify(keys[id], ctx_, msg_, cm_view_of(sig, cm_sig_info_of(id)->sig)));
    return NULL;
}

static void threads_share_keys(void **state)
{
    pthread_t t[4];
    bool ok[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, sign_much, &ok[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_true(ok[i]);
    }
}

static void fips_serves_approved_ones(void **state)
{
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;
    uint8_t *sig = malloc(CM_SIG_MAX), pk[65] = {7}, digest[32] = {1};

    (void)state;
    if (!t_fips_there()) {
        free(sig);
        skip();
    }
    assert_true(cm_ok(t_fips_new(&c, NULL)));
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++) {
        CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
        cm_view v = cm_view_of(sig, cm_sig_info_of(id)->sig);
        cm_err e;

        if (slow((cm_sig_id)id))
            continue;
        e = cm_sig_from_seed(&k, c, (cm_sig_id)id, cm_sig_seed(keys[id]));
        if (id == CM_SIG_SECP256K1) {
            assert_true(cm_is(e, CM_CRYPT_PROFILE));
            assert_true(cm_is(cm_sig_from_public(&k, c, (cm_sig_id)id, cm_sig_public(keys[id])),
                              CM_CRYPT_PROFILE));
            assert_null(k);
            continue;
        }
        assert_true(cm_ok(e));
        assert_true(cm_ok(cm_sign(k, sig, ctx_, msg_)));
        assert_true(cm_ok(cm_verify(keys[id], ctx_, msg_, v)));
        assert_true(cm_ok(cm_sign(keys[id], sig, ctx_, msg_)));
        assert_true(cm_ok(cm_verify(k, ctx_, msg_, v)));
        sig[9] ^= 1;
        assert_true(cm_is(cm_verify(k, ctx_, msg_, v), CM_CRYPT_SIGNATURE));
    }
    assert_true(cm_is(cm_recover(c, pk, sig, 0, digest), CM_CRYPT_PROFILE));
    assert_int_equal(pk[0], 7);
    free(sig);
}

static int setup(void **state)
{
    (void)state;
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return -1;
    for (uint32_t id = 1; id <= CM_SIG_COUNT; id++)
        if (cm_failed(cm_sig_generate(&keys[id], crypt_, (cm_sig_id)id)))
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
        cmocka_unit_test(table_is_consistent),
        cmocka_unit_test(every_algorithm_signs),
        cmocka_unit_test(contexts_are_bounded_and_reserved),
        cmocka_unit_test(statements_are_as_specified),
        cmocka_unit_test(dual_halves_do_not_stand_alone),
        cmocka_unit_test(dual_needs_both),
        cmocka_unit_test(signatures_are_hedged),
        cmocka_unit_test(secp_nonces_are_the_librarys),
        cmocka_unit_test(external_mu_fits),
        cmocka_unit_test(secp_is_low_s_only),
        cmocka_unit_test(bad_public_keys_are_refused),
        cmocka_unit_test(compressed_points_are_read),
        cmocka_unit_test(bad_seeds_are_refused),
        cmocka_unit_test(derived_public_keys_are_known),
        cmocka_unit_test(threads_share_keys),
        cmocka_unit_test(fips_serves_approved_ones),
    };

    return cmocka_run_group_tests_name("crypt sig", tests, setup, teardown);
}
