/* A day's file: verified by any number of threads alike, and what does not hold named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "day_kit.h"

enum { SINGLE = 450, LARGE = 1300, KEY_ID_AT = 60, NONCE_AT = 92, EXPIRES_AT = 20 };

/* The place of each kind of record in the file of setup(). */
enum { SETTLEMENT = SINGLE, BOTH, LEAF, SMALL, BATCH, LAST, RECORDS };

static t_day *day;
static cm_day_counts counts;
static cm_day_place bad;

static cm_err verify(unsigned threads)
{
    cm_day_options o = t_day_options(day, threads);

    return cm_day_verify(&counts, &bad, &o);
}

/* M-62 */
static void all_holds(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 5; threads++) {
        assert_true(cm_ok(verify(threads)));
        assert_int_equal(counts.records, RECORDS);
        assert_int_equal(counts.receipts, SINGLE + 2 + 5 + LARGE + 1);
        assert_int_equal(counts.settlements, 1);
        assert_int_equal(counts.batches, 2);
        assert_int_equal(counts.bytes, day->file.n);
        assert_int_equal(day->keys[0].verified, SINGLE + 2);
        assert_int_equal(day->keys[1].verified, 1 + LARGE);
        assert_int_equal(day->keys[2].verified, 1 + 5);
    }
}

/* The byte changed, one record fails, at its place, whatever the threads. */
static void one_fails(size_t byte, cm_reason why, uint64_t record, uint64_t leaf, size_t offset)
{
    day->file.p[byte] ^= 1;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        assert_true(cm_is(verify(threads), why));
        assert_int_equal(bad.record, record);
        assert_int_equal(bad.leaf, leaf);
        assert_int_equal(bad.offset, offset);
        assert_true(counts.records <= RECORDS);
    }
    day->file.p[byte] ^= 1;
}

/* One among hundreds is found and named, in each kind of record. */
static void altered(void **state)
{
    const size_t *at = day->at, leaf = at[BATCH] + 4 + CM_BATCH_SIZE + CM_MARKET_MLDSA_SIG;

    (void)state;
    one_fails(at[0] + 4 + NONCE_AT, CM_CRYPT_SIGNATURE, 1, 0, at[0]);
    one_fails(at[431] + 4 + NONCE_AT, CM_CRYPT_SIGNATURE, 432, 0, at[431]);
    one_fails(at[432] - 1, CM_CRYPT_SIGNATURE, 432, 0, at[431]); /* v */
    one_fails(at[LEAF] - 1, CM_CRYPT_SIGNATURE, BOTH + 1, 0, at[BOTH]);
    one_fails(at[SETTLEMENT] + 4 + CM_SETTLE_SIZE - 1, CM_CRYPT_SIGNATURE, SETTLEMENT + 1, 0,
              at[SETTLEMENT]);
    one_fails(at[LEAF] + 4 + NONCE_AT, CM_MERKLE_PROOF, LEAF + 1, 0, at[LEAF]);
    one_fails(at[3] + 4 + KEY_ID_AT, CM_MARKET_KEY, 4, 0, at[3]);
    one_fails(at[3] + 4, CM_MARKET_MALFORMED, 4, 0, at[3]);
    one_fails(at[BATCH] + 4 + NONCE_AT, CM_CRYPT_SIGNATURE, BATCH + 1, 0, at[BATCH]);
    one_fails(at[BATCH] + 4 + KEY_ID_AT, CM_MARKET_KEY, BATCH + 1, 0, at[BATCH]);
    /* A leaf that is well formed shows in the root; one that could not stand alone is named. */
    one_fails(leaf + 999 * CM_POAI_SIZE + NONCE_AT, CM_MERKLE_PROOF, BATCH + 1, 0, at[BATCH]);
    one_fails(leaf + 999 * CM_POAI_SIZE, CM_MARKET_MALFORMED, BATCH + 1, 1000,
              leaf + 999 * CM_POAI_SIZE);
    one_fails(leaf + 1299 * CM_POAI_SIZE + KEY_ID_AT, CM_MARKET_KEY, BATCH + 1, 1300,
              leaf + 1299 * CM_POAI_SIZE);
    one_fails(leaf + EXPIRES_AT, CM_MARKET_TERM, BATCH + 1, 1, leaf);
}

/* Of several, the first of the file, though another thread may meet a later one before it. */
static void first_of_several(void **state)
{
    static const size_t marks[] = {449, 430, 440, 425, BOTH};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(marks); i++)
        day->file.p[day->at[marks[i]] + 4 + NONCE_AT] ^= 1;
    for (int i = 0; i < 10; i++) {
        assert_true(cm_is(verify(4), CM_CRYPT_SIGNATURE));
        assert_int_equal(bad.record, 426);
    }
    for (size_t i = 0; i < CM_COUNT(marks); i++)
        day->file.p[day->at[marks[i]] + 4 + NONCE_AT] ^= 1;
}

static void cut_to(size_t n)
{
    size_t whole = day->file.n;

    day->file.n = n;
    assert_true(cm_is(verify(2), CM_MARKET_MALFORMED));
    day->file.n = whole;
}

/* M-63: wherever it ends before its end, between two records too. */
static void cut_short(void **state)
{
    (void)state;
    for (size_t n = 0; n < CM_DAY_HEAD + 8; n++)
        cut_to(n);
    for (size_t i = SINGLE - 1; i < RECORDS; i++) {
        cut_to(day->at[i]);
        assert_int_equal(bad.record, i + 1);
        assert_int_equal(bad.offset, day->at[i]);
        cut_to(day->at[i] + 2);
        cut_to(day->at[i] + 300);
    }
    cut_to(day->at[LAST] - 1);
    assert_int_equal(bad.record, BATCH + 1);
    assert_int_equal(bad.leaf, 1025);
    for (size_t n = day->file.n - CM_DAY_TAIL; n < day->file.n; n++)
        cut_to(n);
}

/* M-60, M-61, M-63 */
static void not_a_day(void **state)
{
    uint8_t *p = day->file.p;

    (void)state;
    one_fails(0, CM_MARKET_MALFORMED, 0, 0, 0);
    one_fails(5, CM_MARKET_VERSION, 0, 0, 0);
    one_fails(7, CM_MARKET_VERSION, 0, 0, 0);
    one_fails(day->at[5], CM_MARKET_MALFORMED, 6, 0, day->at[5]); /* too long a record */
    one_fails(day->file.n - 1, CM_MARKET_MALFORMED, RECORDS + 1, 0, day->file.n - CM_DAY_TAIL);
    assert_true(cm_ok(cm_buf_byte(&day->file, 0)));
    assert_true(cm_is(verify(2), CM_MARKET_MALFORMED));
    day->file.n--;
    cm_put_be32(p + day->at[7], 10); /* too short to name a key */
    assert_true(cm_is(verify(2), CM_MARKET_MALFORMED));
    assert_int_equal(bad.record, 8);
    cm_put_be32(p + day->at[7], (uint32_t)(day->at[8] - day->at[7] - 4));
    assert_true(cm_ok(verify(2)));
}

/* Nothing but a head and a tail is a day too. */
static void empty(void **state)
{
    t_day *whole = day;

    (void)state;
    day = t_day_new();
    t_day_end(day);
    assert_true(cm_ok(verify(1)));
    assert_int_equal(counts.records, 0);
    t_day_free(day);
    day = whole;
}

/* M-32: stored batches one behind the other are verified likewise. */
static void bare_batches(void **state)
{
    t_day *whole = day;
    cm_buf bare = {.max = 1u << 20};
    size_t second;
    cm_view all;

    (void)state;
    day = t_day_new();
    t_day_batch(day, 1, 700);
    t_day_batch(day, 2, 3);
    all = cm_buf_view(&day->file);
    second = day->at[1] - day->at[0] - 4;
    assert_true(cm_ok(cm_buf_append(&bare, cm_view_sub(all, day->at[0] + 4, second))));
    assert_true(
        cm_ok(cm_buf_append(&bare, cm_view_sub(all, day->at[1] + 4, all.n - day->at[1] - 4))));
    cm_buf_free(&day->file);
    day->file = bare;
    assert_true(cm_ok(verify(2)));
    assert_int_equal(counts.batches, 2);
    assert_int_equal(counts.receipts, 703);
    assert_int_equal(counts.bytes, day->file.n);
    day->file.p[second + NONCE_AT] ^= 1;
    assert_true(cm_is(verify(2), CM_CRYPT_SIGNATURE));
    assert_int_equal(bad.record, 2);
    assert_int_equal(bad.offset, second);
    day->file.p[second + NONCE_AT] ^= 1;
    day->file.p[second + 7] ^= 4; /* algorithms that a head can't have */
    assert_true(cm_is(verify(2), CM_MARKET_MALFORMED));
    day->file.p[second + 7] ^= 4;
    day->file.n--;
    assert_true(cm_is(verify(2), CM_MARKET_MALFORMED));
    t_day_free(day);
    day = whole;
}

static void by_policy(void **state)
{
    static const uint8_t realm[32] = {1};
    cm_day_options o = t_day_options(day, 2);

    (void)state;
    o.policy.need = CM_MARKET_MLDSA;
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_MARKET_POLICY));
    o = t_day_options(day, 2);
    o.policy.realm = realm;
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_MARKET_REALM));
    o = t_day_options(day, 2);
    o.policy = (cm_market_policy){.now_ms = T_DAY_NOW + 5000};
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_MARKET_EXPIRED));
    o = t_day_options(day, 2);
    o.key_count = 1;
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_MARKET_KEY));
    assert_int_equal(bad.record, BOTH + 1);
}

static uint64_t last_seen;

static cm_err watch(void *arg, const cm_day_counts *c)
{
    (void)arg;
    assert_true(c->bytes >= last_seen);
    last_seen = c->bytes;
    return CM_OKAY;
}

static cm_err stop(void *arg, const cm_day_counts *c)
{
    (void)arg;
    return c->bytes ? CM_FAIL(CANCELLED) : CM_OKAY;
}

static cm_err no_read(void *arg, uint8_t *p, size_t n, size_t *got)
{
    (void)arg, (void)p, (void)n, (void)got;
    return CM_FAIL(CANCELLED);
}

static void watched(void **state)
{
    cm_day_options o = t_day_options(day, 2);

    (void)state;
    last_seen = 0;
    o.progress = watch;
    assert_true(cm_ok(cm_day_verify(&counts, &bad, &o)));
    assert_true(last_seen > day->file.n / 2);
    o = t_day_options(day, 2);
    o.progress = stop;
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_CANCELLED));
    o = t_day_options(day, 2);
    o.read = no_read;
    assert_true(cm_is(cm_day_verify(&counts, &bad, &o), CM_CANCELLED));
}

static int setup(void **state)
{
    (void)state;
    day = t_day_new();
    for (size_t i = 0; i < SINGLE; i++)
        t_day_receipt(day, 0);
    t_day_settlement(day, 0);
    t_day_receipt(day, 2);
    t_day_leaf(day, 1);
    t_day_batch(day, 2, 5);
    t_day_batch(day, 1, LARGE);
    t_day_receipt(day, 0);
    t_day_end(day);
    return day->records != RECORDS;
}

static int teardown(void **state)
{
    (void)state;
    t_day_free(day);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_holds),        cmocka_unit_test(altered),
        cmocka_unit_test(first_of_several), cmocka_unit_test(cut_short),
        cmocka_unit_test(not_a_day),        cmocka_unit_test(empty),
        cmocka_unit_test(bare_batches),     cmocka_unit_test(by_policy),
        cmocka_unit_test(watched),
    };

    return cmocka_run_group_tests_name("market_day", tests, setup, teardown);
}
