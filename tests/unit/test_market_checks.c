/* Checks told one by one agree with the verdict of the verifier, whatever is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "market/batch.h"
#include "market/checks.h"

static const uint64_t now = 1800000000000u;
static cm_crypt *crypt;
static cm_sig_key *secp, *mldsa;
static cm_market_keys both, one;

typedef struct {
    unsigned n[3];
} told;

static void count(void *arg, cm_market_verdict v, const char *what, cm_err why)
{
    told *t = arg;

    assert_non_null(what);
    assert_int_equal(v == CM_MARKET_FAILS, cm_failed(why));
    t->n[v]++;
}

static cm_market_policy policy(void)
{
    return (cm_market_policy){.now_ms = now, .skew_ms = CM_MARKET_SKEW_MS};
}

static cm_poai receipt(void)
{
    cm_poai r = {.head = {.issued_ms = now, .expires_ms = now + CM_POAI_TTL_MS, .nonce = {1}}};

    r.model[0] = r.node[0] = r.input[0] = r.output[0] = 1;
    return r;
}

static cm_settlement settlement(void)
{
    cm_settlement s = {.head = {.issued_ms = now, .expires_ms = now + 1, .nonce = {1}}};

    s.job[0] = s.provider[0] = s.consumer[0] = s.receipt[0] = 1;
    return s;
}

/* The lines of a record and the verifier say the same. */
static cm_err agree(bool settle, const cm_market_keys *k, const cm_market_policy *p, cm_view record)
{
    told t = {{0}};
    cm_settlement s, s2;
    cm_poai r, r2;
    bool read;
    cm_err e, want;

    if (settle) {
        e = cm_settle_checks(&s, &read, crypt, k, p, record, count, &t);
        want = cm_settle_verify(&s2, crypt, k, p, record);
    } else {
        e = cm_poai_checks(&r, &read, crypt, k, p, record, count, &t);
        want = cm_poai_verify(&r2, crypt, k, p, record);
    }
    assert_int_equal(e.v, want.v);
    assert_int_equal(cm_failed(e), t.n[CM_MARKET_FAILS] > 0);
    assert_true(read || cm_failed(e));
    return e;
}

static void mutate(bool settle, const cm_market_keys *k, cm_buf *b)
{
    cm_market_policy p = policy();

    assert_true(cm_ok(agree(settle, k, &p, cm_buf_view(b))));
    for (size_t i = 0; i < b->n; i += i < 1100 ? 1 : 31) {
        b->p[i] ^= 0x10;
        assert_true(cm_failed(agree(settle, k, &p, cm_buf_view(b))));
        b->p[i] ^= 0x10;
        if (i % 7 == 0)
            assert_true(cm_failed(agree(settle, k, &p, cm_view_of(b->p, i))));
    }
}

static void test_mutated(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    cm_poai r = receipt();
    cm_settlement s = settlement();

    (void)state;
    assert_true(cm_ok(cm_poai_sign(&a, crypt, &both, &r)));
    mutate(false, &both, &a);
    assert_true(cm_ok(cm_settle_sign(&b, crypt, &both, &s)));
    mutate(true, &both, &b);
}

static void demand(const cm_market_policy *p, cm_view record, cm_reason want)
{
    assert_true(cm_is(agree(false, &one, p, record), want));
}

static void test_demands(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    const uint8_t realm[32] = {9};
    cm_market_policy p = policy();
    cm_poai r = receipt();

    (void)state;
    assert_true(cm_ok(cm_poai_sign(&b, crypt, &one, &r)));
    assert_true(cm_is(agree(false, &both, &p, cm_buf_view(&b)), CM_MARKET_KEY));
    p.need = CM_MARKET_MLDSA;
    demand(&p, cm_buf_view(&b), CM_MARKET_POLICY);
    p = policy();
    p.realm = realm;
    demand(&p, cm_buf_view(&b), CM_MARKET_REALM);
    p = policy();
    p.now_ms = now - CM_MARKET_SKEW_MS - 1;
    demand(&p, cm_buf_view(&b), CM_MARKET_FUTURE);
    p.now_ms = now + CM_POAI_TTL_MS + CM_MARKET_SKEW_MS + 1;
    demand(&p, cm_buf_view(&b), CM_MARKET_EXPIRED);
    p.any_time = true;
    assert_true(cm_ok(agree(false, &one, &p, cm_buf_view(&b))));
}

/* M-30 to M-33: a receipt of a batch; what stands between statement and head is its path. */
static void test_batch(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_buf_free) cm_buf path = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *tree = NULL;
    cm_batch_head h = {.head = {.issued_ms = now, .expires_ms = now + 1, .nonce = {1}}};
    uint8_t leaves[5][32], id[32];
    cm_poai r[5];

    (void)state;
    assert_true(cm_ok(cm_market_key_id(crypt, id, &both)));
    for (size_t i = 0; i < 5; i++) {
        r[i] = receipt();
        r[i].compute_ms = i;
        assert_true(cm_ok(cm_batch_leaf(leaves[i], &r[i], id)));
    }
    assert_true(cm_ok(cm_batch_tree_new(&tree, (const uint8_t(*)[32])leaves, 5)));
    assert_true(cm_ok(cm_batch_seal(&head, crypt, &both, &h, tree)));
    assert_true(cm_ok(cm_batch_record(&b, tree, 3, &r[3], cm_buf_view(&head))));
    assert_true(cm_ok(cm_batch_branch(&path, tree, 3)));
    assert_int_equal(path.n, 9 + 3 * 32);
    assert_memory_equal(path.p, b.p + CM_POAI_SIZE, path.n);
    assert_true(cm_is(cm_batch_branch(&path, tree, 5), CM_BAD_ARGUMENT));
    mutate(false, &both, &b);
}

static int setup(void **state)
{
    const uint8_t seed[32] = {0x31};

    (void)state;
    assert_true(cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)));
    assert_true(cm_ok(cm_sig_from_seed(&secp, crypt, CM_SIG_SECP256K1, CM_VIEW(seed))));
    assert_true(cm_ok(cm_sig_from_seed(&mldsa, crypt, CM_SIG_MLDSA65, CM_VIEW(seed))));
    both = (cm_market_keys){secp, mldsa};
    one = (cm_market_keys){.secp = secp};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_sig_key_free(secp);
    cm_sig_key_free(mldsa);
    cm_crypt_free(crypt);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_demands),
        cmocka_unit_test(test_batch),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
