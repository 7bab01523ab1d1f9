/* Receipts under one signature, stored days, openings of matrix products. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "market/batch.h"
#include "market/opening.h"

static const uint64_t now = 1800000000000u;
static cm_crypt *crypt;
static cm_sig_key *mldsa;
static cm_market_keys keys;
static cm_market_policy policy;

typedef struct {
    cm_poai *r;
    cm_batch_tree *tree;
    cm_buf head;
} batch;

static void make(batch *b, size_t n, uint64_t seed)
{
    cm_batch_head h = {.head = {.issued_ms = now, .expires_ms = now + CM_POAI_TTL_MS}};
    uint8_t(*leaves)[32] = NULL, id[32];

    *b = (batch){.head = {.max = CM_MARKET_RECORD_MAX}};
    assert_true(cm_ok(cm_alloc_array(&b->r, n, sizeof *b->r)));
    assert_true(cm_ok(cm_alloc_array(&leaves, n, 32)));
    assert_true(cm_ok(cm_market_key_id(crypt, id, &keys)));
    for (size_t i = 0; i < n; i++) {
        cm_poai *r = &b->r[i];

        r->head.issued_ms = now;
        r->head.expires_ms = now + 1000;
        cm_put_be64(r->head.nonce, seed + i + 1);
        r->model[0] = r->node[0] = r->input[0] = r->output[0] = 1;
        assert_true(cm_ok(cm_batch_leaf(leaves[i], r, id)));
    }
    h.head.nonce[0] = 1;
    assert_true(cm_ok(cm_batch_tree_new(&b->tree, (const uint8_t(*)[32])leaves, n)));
    assert_true(cm_ok(cm_batch_seal(&b->head, crypt, &keys, &h, b->tree)));
    cm_merkle_root(id, leaves, n);
    assert_memory_equal(id, cm_batch_tree_root(b->tree), 32);
    cm_free(leaves);
}

static void drop(batch *b)
{
    cm_free(b->r);
    cm_batch_tree_free(b->tree);
    cm_buf_free(&b->head);
}

static cm_buf record(const batch *b, size_t i)
{
    cm_buf out = {.max = CM_MARKET_RECORD_MAX};

    assert_true(cm_ok(cm_batch_record(&out, b->tree, i, &b->r[i], cm_buf_view(&b->head))));
    return out;
}

/* M-30: each verifies alone, whatever the shape of the tree. */
static void test_alone(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n += n < 10 ? 1 : 13) {
        batch b;

        make(&b, n, 0);
        for (size_t i = 0; i < n; i++) {
            CM_AUTO(cm_buf_free) cm_buf out = record(&b, i);
            cm_poai got;

            assert_true(cm_ok(cm_poai_verify(&got, crypt, &keys, &policy, cm_buf_view(&out))));
            assert_memory_equal(got.head.nonce, b.r[i].head.nonce, 32);
        }
        drop(&b);
    }
}

static void test_every_byte(void **state)
{
    batch b;
    cm_buf out;
    cm_poai got;
    cm_market_policy p = policy;

    (void)state;
    make(&b, 5, 0);
    out = record(&b, 3);
    p.any_time = true;
    for (size_t i = 0; i < out.n; i += i < 1000 ? 1 : 11) {
        out.p[i] ^= 1;
        assert_true(cm_failed(cm_poai_verify(&got, crypt, &keys, &p, cm_buf_view(&out))));
        out.p[i] ^= 1;
        assert_true(cm_failed(cm_poai_verify(&got, crypt, &keys, &p, cm_view_of(out.p, i))));
    }
    assert_true(cm_ok(cm_poai_verify(&got, crypt, &keys, &p, cm_buf_view(&out))));
    cm_buf_free(&out);
    assert_true(
        cm_is(cm_batch_record(&out, b.tree, 2, &b.r[3], cm_buf_view(&b.head)), CM_BAD_ARGUMENT));
    cm_buf_free(&out);
    drop(&b);
}

/* M-31: a head of another realm can't be put under a receipt, even by its signer. */
static void test_realm(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MARKET_RECORD_MAX};
    cm_batch_head h = {.head = {.issued_ms = now, .expires_ms = now + 1}};
    cm_market_policy late = policy;
    cm_poai got;
    batch b;

    (void)state;
    make(&b, 3, 0);
    h.head.nonce[0] = h.head.realm[0] = 1;
    assert_true(cm_ok(cm_batch_seal(&head, crypt, &keys, &h, b.tree)));
    assert_true(cm_ok(cm_batch_record(&out, b.tree, 0, &b.r[0], cm_buf_view(&head))));
    assert_true(
        cm_is(cm_poai_verify(&got, crypt, &keys, &policy, cm_buf_view(&out)), CM_MARKET_REALM));
    cm_buf_free(&out);
    out = record(&b, 0);
    late.now_ms = now + 1001;
    assert_true(
        cm_is(cm_poai_verify(&got, crypt, &keys, &late, cm_buf_view(&out)), CM_MARKET_EXPIRED));
    drop(&b);
}

/* ---- stored days ---- */

typedef struct {
    cm_buf bytes;
    size_t at;
} file;

static cm_err read_file(void *arg, uint8_t *p, size_t n, size_t *got)
{
    file *f = arg;

    *got = CM_MIN(n, f->bytes.n - f->at);
    memcpy(p, f->bytes.p + f->at, *got);
    f->at += *got;
    return CM_OKAY;
}

static cm_err verify_file(file *f, cm_batch_counts *counts)
{
    cm_batch_source s = {.read = read_file, .arg = f};

    f->at = 0;
    return cm_batch_verify_stored(counts, crypt, &keys, &policy, &s);
}

static void store(file *f, const batch *b, size_t n)
{
    uint8_t bytes[CM_POAI_SIZE];

    assert_true(cm_ok(cm_buf_append(&f->bytes, cm_buf_view(&b->head))));
    for (size_t i = 0; i < n; i++) {
        assert_true(cm_ok(cm_poai_encode(bytes, &b->r[i])));
        assert_true(cm_ok(cm_buf_append(&f->bytes, CM_VIEW(bytes))));
    }
}

/* M-32 */
static void test_stored(void **state)
{
    const size_t sizes[] = {1, 700, 513};
    file f = {.bytes = {.max = 1u << 20}};
    cm_batch_counts counts;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        batch b;

        make(&b, sizes[i], 1000 * i);
        store(&f, &b, sizes[i]);
        drop(&b);
    }
    assert_true(cm_ok(verify_file(&f, &counts)));
    assert_int_equal(counts.batches, 3);
    assert_int_equal(counts.receipts, 1214);
    f.bytes.p[f.bytes.n - 200] ^= 1;
    assert_true(cm_is(verify_file(&f, &counts), CM_MERKLE_PROOF));
    assert_int_equal(counts.batches, 2);
    f.bytes.n--;
    assert_true(cm_is(verify_file(&f, &counts), CM_MARKET_MALFORMED));
    cm_buf_free(&f.bytes);
}

/* ---- openings ---- */

enum { N = 3 };

static void put_matrix(cm_buf *b, const int64_t v[N * N])
{
    assert_true(cm_ok(cm_buf_be32(b, N)));
    assert_true(cm_ok(cm_buf_be32(b, N)));
    for (size_t i = 0; i < N * N; i++)
        assert_true(cm_ok(cm_buf_be64(b, (uint64_t)v[i])));
}

static cm_buf frame_of(const uint8_t root[32], uint64_t index, const int64_t *a, const int64_t *b,
                       const int64_t *c, cm_view proof)
{
    cm_buf f = {.max = 1u << 16};

    assert_true(cm_ok(cm_buf_append(&f, cm_view_of(root, 32))));
    assert_true(cm_ok(cm_buf_be64(&f, index)));
    assert_true(cm_ok(cm_buf_be32(&f, 6)));
    assert_true(cm_ok(cm_buf_append(&f, CM_LIT("beacon"))));
    put_matrix(&f, a);
    put_matrix(&f, b);
    put_matrix(&f, c);
    assert_true(cm_ok(cm_buf_be32(&f, (uint32_t)(proof.n / 32))));
    assert_true(cm_ok(cm_buf_append(&f, proof)));
    return f;
}

/* Commit to one product and check its opening. */
static cm_err check(const int64_t *a, const int64_t *b, const int64_t *c)
{
    CM_AUTO(cm_buf_free) cm_buf draft = frame_of((uint8_t[32]){0}, 0, a, b, c, (cm_view){0});
    CM_AUTO(cm_buf_free) cm_buf f = {0};
    uint8_t leaf[1][32], root[32], commitment[32];
    cm_opening o;

    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&draft))));
    assert_true(cm_ok(cm_opening_leaf(crypt, leaf[0], &o)));
    assert_true(cm_ok(cm_opening_root(crypt, root, leaf, 1)));
    assert_true(cm_ok(cm_opening_commitment(crypt, commitment, root, 1)));
    f = frame_of(root, 0, a, b, c, (cm_view){0});
    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&f))));
    return cm_opening_check(crypt, &o, commitment, 1, CM_OPENING_ROUNDS);
}

static const int64_t a_[N * N] = {1, -2, 3, 4, 5, -6, 127, -128, 9};
static const int64_t b_[N * N] = {-7, 8, 9, 10, 11, -12, 13, 14, 127};

static void multiply(int64_t c[N * N])
{
    memset(c, 0, N * N * sizeof *c);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < N; k++)
                c[i * N + j] += a_[i * N + k] * b_[k * N + j];
}

/* M-43 */
static void test_product(void **state)
{
    int64_t c[N * N];

    (void)state;
    multiply(c);
    assert_true(cm_ok(check(a_, b_, c)));
    for (size_t i = 0; i < N * N; i++) {
        c[i]++;
        assert_true(cm_is(check(a_, b_, c), CM_OPENING_PRODUCT));
        c[i]--;
    }
}

/* M-41: published code takes C + p for C, which is a false output. */
static void test_range_defect(void **state)
{
    int64_t c[N * N], wide[N * N] = {(int64_t)1 << 31};
    const int64_t large[N * N] = {INT32_MAX, INT32_MAX, INT32_MAX};
    int64_t down[N * N] = {INT32_MAX, 0, 0, INT32_MAX, 0, 0, INT32_MAX};

    (void)state;
    multiply(c);
    c[4] += (int64_t)CM_OPENING_P;
    assert_true(cm_is(check(a_, b_, c), CM_OPENING_RANGE));
    c[4] -= 2 * (int64_t)CM_OPENING_P;
    assert_true(cm_is(check(a_, b_, c), CM_OPENING_RANGE));
    multiply(c);
    assert_true(cm_is(check(wide, b_, c), CM_OPENING_RANGE));
    assert_true(cm_is(check(large, down, c), CM_OPENING_RANGE)); /* each fits, the product not */
}

/* M-42: published code pairs a last odd leaf with itself, so three leaves have the root of four. */
static void test_count_defect(void **state)
{
    int64_t c[N * N];
    uint8_t three[3][32] = {{1}, {2}}, four[4][32] = {{1}, {2}}, leaf[32], root[32], again[32];
    uint8_t of3[32], of4[32], proof[2][32];
    CM_AUTO(cm_buf_free) cm_buf draft = {0};
    CM_AUTO(cm_buf_free) cm_buf f = {0};
    cm_opening o;

    (void)state;
    multiply(c);
    draft = frame_of(root, 0, a_, b_, c, (cm_view){0});
    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&draft))));
    assert_true(cm_ok(cm_opening_leaf(crypt, leaf, &o)));
    memcpy(three[2], leaf, 32);
    memcpy(four[2], leaf, 32);
    memcpy(four[3], leaf, 32);
    memcpy(proof[0], leaf, 32);
    assert_true(cm_ok(CM_KECCAK(crypt, proof[1], CM_VIEW(three[0]), CM_VIEW(three[1]))));
    assert_true(cm_ok(cm_opening_root(crypt, root, three, 3)));
    assert_true(cm_ok(cm_opening_root(crypt, again, four, 4)));
    assert_memory_equal(root, again, 32);
    assert_true(cm_ok(cm_opening_commitment(crypt, of3, root, 3)));
    assert_true(cm_ok(cm_opening_commitment(crypt, of4, root, 4)));
    assert_memory_not_equal(of3, of4, 32);
    f = frame_of(root, 3, a_, b_, c, CM_VIEW(proof)); /* the fourth, which never was */
    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&f))));
    assert_true(cm_is(cm_opening_check(crypt, &o, of3, 3, 2), CM_MERKLE_PROOF));
    assert_true(cm_is(cm_opening_check(crypt, &o, of3, 4, 2), CM_MERKLE_PROOF));
    assert_true(cm_ok(cm_opening_check(crypt, &o, of4, 4, 2)));
    cm_put_be64(f.p + 32, 2);
    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&f))));
    assert_true(cm_ok(cm_opening_check(crypt, &o, of3, 3, 2)));
    cm_put_be64(f.p + 32, 6);
    assert_true(cm_ok(cm_opening_parse(&o, cm_buf_view(&f))));
    assert_true(cm_is(cm_opening_check(crypt, &o, of3, 3, 2), CM_MERKLE_PROOF));
}

/* M-40 */
static void test_frame(void **state)
{
    int64_t c[N * N];
    CM_AUTO(cm_buf_free) cm_buf f = {0};
    cm_opening o;

    (void)state;
    multiply(c);
    f = frame_of((uint8_t[32]){0}, 0, a_, b_, c, (cm_view){0});
    for (size_t i = 0; i < f.n; i++)
        assert_true(cm_is(cm_opening_parse(&o, cm_view_of(f.p, i)), CM_MARKET_MALFORMED));
    assert_true(cm_ok(cm_buf_byte(&f, 0)));
    assert_true(cm_is(cm_opening_parse(&o, cm_buf_view(&f)), CM_MARKET_MALFORMED));
    f.n--;
    cm_put_be32(f.p + 50, CM_OPENING_DIM + 1);
    assert_true(cm_is(cm_opening_parse(&o, cm_buf_view(&f)), CM_MARKET_MALFORMED));
    cm_put_be32(f.p + 50, 0);
    assert_true(cm_is(cm_opening_parse(&o, cm_buf_view(&f)), CM_MARKET_MALFORMED));
}

static int setup(void **state)
{
    const uint8_t seed[32] = {0x13};

    (void)state;
    assert_true(cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)));
    assert_true(cm_ok(cm_sig_from_seed(&mldsa, crypt, CM_SIG_MLDSA65, CM_VIEW(seed))));
    keys = (cm_market_keys){.mldsa = mldsa};
    policy = (cm_market_policy){.now_ms = now, .need = CM_MARKET_MLDSA};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cm_sig_key_free(mldsa);
    cm_crypt_free(crypt);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_realm),        cmocka_unit_test(test_stored),
        cmocka_unit_test(test_product),      cmocka_unit_test(test_range_defect),
        cmocka_unit_test(test_count_defect), cmocka_unit_test(test_frame),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
