/* Receipts and settlements: round trip, every mutated byte, keys, demands, time, binding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "market/receipt.h"

static const uint64_t now = 1800000000000u;
static cm_crypt *crypt;
static cm_sig_key *secp, *mldsa, *secp_b;
static cm_market_keys both, one_secp, one_mldsa;

static cm_market_policy policy(void)
{
    return (cm_market_policy){.now_ms = now, .skew_ms = CM_MARKET_SKEW_MS};
}

static cm_poai receipt(void)
{
    cm_poai r = {.head = {.issued_ms = now, .expires_ms = now + CM_POAI_TTL_MS},
                 .claims = CM_MARKET_MODEL_ROOT,
                 .compute_ms = 1234};

    memset(r.head.realm, 0x52, 32);
    memset(r.head.nonce, 0x4e, 32);
    memset(r.model, 1, 32);
    memset(r.node, 2, 32);
    memset(r.input, 3, 32);
    memset(r.output, 4, 32);
    return r;
}

static cm_settlement settlement(const cm_poai *r)
{
    cm_settlement s = {
        .head = {.issued_ms = now + 5, .expires_ms = now + CM_SETTLE_TTL_MS},
        .amount = {{0, 0, 0, UINT64_MAX}},
    };

    memset(s.head.realm, 0x52, 32);
    memset(s.head.nonce, 0x4f, 32);
    memset(s.job, 5, 32);
    memset(s.provider, 6, 20);
    memset(s.consumer, 7, 20);
    assert_true(cm_ok(cm_poai_digest(crypt, s.receipt, r)));
    return s;
}

static cm_buf signed_receipt(const cm_market_keys *k, cm_poai *r)
{
    cm_buf b = {.max = CM_MARKET_RECORD_MAX};

    *r = receipt();
    assert_true(cm_ok(cm_poai_sign(&b, crypt, k, r)));
    return b;
}

/* M-2 */
static void expect_same(const cm_poai *a, const cm_poai *b)
{
    uint8_t x[CM_POAI_SIZE], y[CM_POAI_SIZE];

    assert_true(cm_ok(cm_poai_encode(x, a)) && cm_ok(cm_poai_encode(y, b)));
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(cm_get_be64(x + 124), b->compute_ms);
    assert_memory_equal(x + 228, b->output, 32);
}

static void test_round_trip(void **state)
{
    const cm_market_keys *sets[] = {&one_secp, &one_mldsa, &both};
    const size_t sizes[] = {324 + 65, 324 + 3309, 324 + 65 + 3309};
    cm_market_policy p = policy();

    (void)state;
    for (size_t i = 0; i < CM_COUNT(sets); i++) {
        cm_poai r, got;
        CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(sets[i], &r);

        assert_int_equal(b.n, sizes[i]);
        assert_int_equal(r.head.algs, i + 1);
        assert_true(cm_ok(cm_poai_verify(&got, crypt, sets[i], &p, cm_buf_view(&b))));
        expect_same(&got, &r);
        assert_true(
            cm_is(cm_poai_verify(&got, crypt, sets[(i + 1) % CM_COUNT(sets)], &p, cm_buf_view(&b)),
                  CM_MARKET_KEY)); /* M-5 */
    }
}

/* M-1, M-3, M-6, M-9, M-10: nothing in a record is free. */
static void test_every_byte(void **state)
{
    cm_market_policy p = policy();
    cm_poai r, got;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&both, &r);

    (void)state;
    p.any_time = true;
    for (size_t i = 0; i < b.n; i++) {
        uint8_t was = b.p[i];

        b.p[i] = (uint8_t)(was ^ 1u << i % 8);
        assert_true(cm_failed(cm_poai_verify(&got, crypt, &both, &p, cm_buf_view(&b))));
        b.p[i] = was;
        if (i % 64 == 0)
            assert_true(cm_failed(cm_poai_verify(&got, crypt, &both, &p, cm_view_of(b.p, i))));
    }
    assert_true(cm_ok(cm_poai_verify(&got, crypt, &both, &p, cm_buf_view(&b))));
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    assert_true(
        cm_is(cm_poai_verify(&got, crypt, &both, &p, cm_buf_view(&b)), CM_MARKET_MALFORMED));
}

static void test_settlement_bytes(void **state)
{
    cm_market_policy p = policy();
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_poai r = receipt();
    cm_settlement s, got;

    (void)state;
    assert_true(cm_ok(cm_market_key_id(crypt, r.head.key_id, &one_secp)));
    r.head.algs = CM_MARKET_SECP;
    s = settlement(&r);
    assert_true(cm_ok(cm_settle_sign(&b, crypt, &both, &s)));
    for (size_t i = 0; i < b.n; i += i < CM_SETTLE_SIZE + 65 ? 1 : 7) {
        b.p[i] ^= 0x80;
        assert_true(cm_failed(cm_settle_verify(&got, crypt, &both, &p, cm_buf_view(&b))));
        b.p[i] ^= 0x80;
    }
    assert_true(cm_ok(cm_settle_verify(&got, crypt, &both, &p, cm_buf_view(&b))));
    assert_int_equal(cm_u256_compare(&got.amount, &s.amount), 0);
    assert_memory_equal(got.consumer, s.consumer, 20);
}

/* M-9: the other root of the same equation, n - s with the other v, is refused. */
static void test_high_s(void **state)
{
    static const cm_u256 order = {
        {0xbfd25e8cd0364141u, 0xbaaedce6af48a03bu, 0xfffffffffffffffeu, 0xffffffffffffffffu}};
    cm_market_policy p = policy();
    cm_poai r, got;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&one_secp, &r);
    cm_u256 s = cm_u256_from_be(b.p + CM_POAI_SIZE + 32);

    (void)state;
    assert_true(cm_ok(cm_u256_sub(&s, &order, &s)));
    cm_u256_to_be(b.p + CM_POAI_SIZE + 32, &s);
    b.p[CM_POAI_SIZE + 64] ^= 27 ^ 28;
    assert_true(
        cm_is(cm_poai_verify(&got, crypt, &one_secp, &p, cm_buf_view(&b)), CM_CRYPT_SIGNATURE));
}

static void expect(cm_market_policy p, cm_view record, cm_reason why)
{
    cm_poai got;

    assert_int_equal(cm_poai_verify(&got, crypt, &one_secp, &p, record).v, (uint32_t)why);
}

/* M-11, M-12, M-13, M-14 */
static void test_policy(void **state)
{
    const uint8_t other[32] = {1};
    cm_poai r;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&one_secp, &r);
    cm_view v = cm_buf_view(&b);
    cm_market_policy p = policy();

    (void)state;
    p.need = CM_MARKET_MLDSA;
    expect(p, v, CM_MARKET_POLICY);
    p = policy();
    p.realm = other;
    expect(p, v, CM_MARKET_REALM);
    p.realm = r.head.realm;
    expect(p, v, CM_OK_REASON);
    p.now_ms = r.head.expires_ms + p.skew_ms;
    expect(p, v, CM_OK_REASON);
    p.now_ms++;
    expect(p, v, CM_MARKET_EXPIRED);
    p.now_ms = r.head.issued_ms - p.skew_ms;
    expect(p, v, CM_OK_REASON);
    p.now_ms--;
    expect(p, v, CM_MARKET_FUTURE);
    p.any_time = true;
    expect(p, v, CM_OK_REASON);
    p = policy();
    p.now_ms = p.skew_ms = UINT64_MAX;
    expect(p, v, CM_OK_REASON);
}

/* M-3, M-7, M-8, M-12 */
static void test_fields(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    uint8_t bytes[CM_POAI_SIZE];
    cm_poai r = receipt();

    (void)state;
    r.head.expires_ms++;
    assert_true(cm_is(cm_poai_sign(&b, crypt, &one_secp, &r), CM_MARKET_TERM));
    r = receipt();
    r.head.expires_ms = r.head.issued_ms;
    assert_true(cm_is(cm_poai_sign(&b, crypt, &one_secp, &r), CM_MARKET_TERM));
    r = receipt();
    r.claims |= CM_MARKET_ATTESTED;
    assert_true(cm_is(cm_poai_sign(&b, crypt, &one_secp, &r), CM_MARKET_FIELD));
    r = receipt();
    r.proof[3] = 1;
    assert_true(cm_is(cm_poai_sign(&b, crypt, &one_secp, &r), CM_MARKET_FIELD));
    r = receipt();
    memset(r.head.nonce, 0, 32);
    assert_true(cm_is(cm_poai_sign(&b, crypt, &one_secp, &r), CM_MARKET_FIELD));
    r = receipt();
    assert_true(cm_is(cm_poai_encode(bytes, &r), CM_MARKET_FIELD)); /* no key id */
    assert_int_equal(b.n, 0);
}

/* M-4: the unit is in the bytes, and another one is refused before anything is believed. */
static void test_units(void **state)
{
    cm_poai r = receipt(), got;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&one_secp, &r);
    CM_AUTO(cm_buf_free) cm_buf sb = {.max = CM_MARKET_RECORD_MAX};
    cm_settlement s = settlement(&r), sgot;

    (void)state;
    b.p[9] = 2;
    assert_true(cm_is(cm_poai_decode(&got, cm_view_of(b.p, CM_POAI_SIZE)), CM_MARKET_UNIT));
    b.p[9] = 1;
    b.p[5] = 2;
    assert_true(cm_is(cm_poai_decode(&got, cm_view_of(b.p, CM_POAI_SIZE)), CM_MARKET_VERSION));
    assert_true(cm_ok(cm_settle_sign(&sb, crypt, &one_secp, &s)));
    sb.p[11] = 2;
    assert_true(cm_is(cm_settle_decode(&sgot, cm_view_of(sb.p, CM_SETTLE_SIZE)), CM_MARKET_UNIT));
}

/* M-15 */
static void test_binding(void **state)
{
    cm_poai r;
    cm_buf b = signed_receipt(&one_secp, &r);
    cm_settlement s = settlement(&r);

    (void)state;
    cm_buf_free(&b);
    assert_true(cm_ok(cm_settle_binds(crypt, &s, &r, 0)));
    s.head.issued_ms = r.head.expires_ms;
    assert_true(cm_ok(cm_settle_binds(crypt, &s, &r, 0)));
    s.head.issued_ms++;
    assert_true(cm_is(cm_settle_binds(crypt, &s, &r, 0), CM_MARKET_BINDING));
    assert_true(cm_ok(cm_settle_binds(crypt, &s, &r, 1)));
    s.head.issued_ms = r.head.issued_ms - 1;
    assert_true(cm_is(cm_settle_binds(crypt, &s, &r, 0), CM_MARKET_BINDING));
    s = settlement(&r);
    s.head.realm[0] ^= 1;
    assert_true(cm_is(cm_settle_binds(crypt, &s, &r, 0), CM_MARKET_BINDING));
    s = settlement(&r);
    r.compute_ms++;
    assert_true(cm_is(cm_settle_binds(crypt, &s, &r, 0), CM_MARKET_BINDING));
}

/* A statement of one kind is never one of another, whoever signed it. */
static void test_kinds(void **state)
{
    cm_market_policy p = policy();
    cm_poai r;
    cm_settlement s;
    cm_batch_head h;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&both, &r);

    (void)state;
    assert_true(
        cm_is(cm_settle_verify(&s, crypt, &both, &p, cm_buf_view(&b)), CM_MARKET_MALFORMED));
    assert_true(cm_is(cm_batch_verify(&h, crypt, &both, &p, cm_buf_view(&b)), CM_MARKET_MALFORMED));
}

static void test_unproven(void **state)
{
    cm_poai r = receipt();
    size_t n = 0;

    (void)state;
    while (cm_poai_unproven(&r, n))
        n++;
    assert_int_equal(n, 4);
    r.claims = 7;
    assert_null(cm_poai_unproven(&r, 2));
}

static cm_sig_key *key(cm_sig_id id, uint8_t byte)
{
    uint8_t seed[32];
    cm_sig_key *k = NULL;

    memset(seed, byte, sizeof seed);
    assert_true(cm_ok(cm_sig_from_seed(&k, crypt, id, CM_VIEW(seed))));
    return k;
}

static void test_key_kinds(void **state)
{
    cm_market_keys none = {0}, swapped = {.secp = mldsa}, stranger = {.secp = secp_b};
    cm_market_policy p = policy();
    uint8_t id[32];
    cm_poai r, got;
    CM_AUTO(cm_buf_free) cm_buf b = signed_receipt(&one_secp, &r);

    (void)state;
    assert_true(cm_is(cm_market_key_id(crypt, id, &none), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_market_key_id(crypt, id, &swapped), CM_CRYPT_ALGORITHM));
    assert_true(cm_is(cm_poai_verify(&got, crypt, &stranger, &p, cm_buf_view(&b)), CM_MARKET_KEY));
}

static int setup(void **state)
{
    (void)state;
    assert_true(cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)));
    secp = key(CM_SIG_SECP256K1, 0x11);
    secp_b = key(CM_SIG_SECP256K1, 0x12);
    mldsa = key(CM_SIG_MLDSA65, 0x13);
    both = (cm_market_keys){secp, mldsa};
    one_secp = (cm_market_keys){.secp = secp};
    one_mldsa = (cm_market_keys){.mldsa = mldsa};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_sig_key_free(secp);
    cm_sig_key_free(secp_b);
    cm_sig_key_free(mldsa);
    cm_crypt_free(crypt);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_settlement_bytes),
        cmocka_unit_test(test_high_s),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_unproven),
        cmocka_unit_test(test_key_kinds),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
