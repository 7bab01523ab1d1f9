/* Boot records: each way in, each way to get in wrong, every byte changed, slots that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "keys/unseal.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;
static cm_root *root;
static const cm_argon2 cheap = {8u << 10, 1, 1};
static const uint8_t keyfile[40] = "a key file of forty bytes, more or less";

/* ---- a device: masks with a byte and the context's digest ------------------------------------ */

static cm_err mask(const cm_crypt *c, uint8_t out[32], cm_view context)
{
    return cm_hash_once(c, CM_SHA256, out, context);
}

static cm_err device_wrap(void *self, const cm_crypt *c, cm_buf *blob, const cm_key32 *key,
                          cm_view context)
{
    uint8_t m[32];

    CM_TRY(mask(c, m, context));
    for (size_t i = 0; i < 32; i++)
        m[i] ^= key->b[i] ^ *(uint8_t *)self;
    return cm_buf_append(blob, CM_VIEW(m));
}

static cm_err device_unwrap(void *self, const cm_crypt *c, cm_key32 *key, cm_view blob,
                            cm_view context)
{
    uint8_t m[32];

    CM_TRY(mask(c, m, context));
    if (blob.n != 32)
        return CM_FAIL(CRYPT_TAG);
    for (size_t i = 0; i < 32; i++)
        key->b[i] = blob.p[i] ^ m[i] ^ *(uint8_t *)self;
    return CM_OKAY;
}

static uint8_t device_secret = 0x5a, other_secret = 0x33;
static const cm_unseal_backend device = {7, device_wrap, device_unwrap, &device_secret},
                               other_device = {7, device_wrap, device_unwrap, &other_secret},
                               other_kind = {8, device_wrap, device_unwrap, &device_secret};

static cm_unseal_method phrase(const char *text)
{
    return (cm_unseal_method){
        .kind = CM_UNSEAL_PASSPHRASE, .secret = cm_view_str(text), .cost = cheap};
}

static cm_unseal_key say(const char *text)
{
    return (cm_unseal_key){.kind = CM_UNSEAL_PASSPHRASE, .secret = cm_view_str(text)};
}

static void open_and_compare(cm_view boot, const cm_unseal_key *key)
{
    cm_root *got = NULL;

    OK(cm_boot_open(&got, crypt_, boot, key));
    assert_memory_equal(got, root, sizeof *got);
    cm_root_free(got);
}

static void refused(cm_view boot, const cm_unseal_key *key, cm_reason why)
{
    cm_root *got = NULL;
    cm_err e = cm_boot_open(&got, crypt_, boot, key);

    assert_string_equal(cm_err_name(e), cm_err_name((cm_err){(uint32_t)why}));
    assert_null(got);
}

/* One slot of each kind. */
static cm_buf all_ways(cm_share *list)
{
    cm_unseal_method m[4] = {phrase("open sesame"),
                             {.kind = CM_UNSEAL_SHARES, .need = 2, .shares = 3},
                             {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)},
                             {.kind = CM_UNSEAL_BACKEND, .backend = &device}};
    cm_buf boot = {.max = CM_BOOT_MAX};
    size_t n = 0;

    m[1].label = CM_LIT("the board");
    OK(cm_boot_seal(&boot, list, &n, crypt_, root, m, 4));
    assert_int_equal(n, 3);
    return boot;
}

static void each_slot_opens_alone(void **state)
{
    cm_share list[CM_SHARE_MAX];
    cm_buf boot = all_ways(list);
    cm_view b = cm_buf_view(&boot);
    cm_unseal_key k = say("open sesame");

    (void)state;
    open_and_compare(b, &k);
    k = (cm_unseal_key){.kind = CM_UNSEAL_SHARES, .shares = list + 1, .shares_n = 2};
    open_and_compare(b, &k);
    k = (cm_unseal_key){.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    open_and_compare(b, &k);
    k = (cm_unseal_key){.kind = CM_UNSEAL_BACKEND, .backend = &device};
    open_and_compare(b, &k);
    cm_buf_free(&boot);
}

static void wrong_ways_are_told_apart(void **state)
{
    cm_share list[CM_SHARE_MAX], other[3];
    cm_buf boot = all_ways(list);
    cm_view b = cm_buf_view(&boot);
    cm_unseal_key k = say("open barley");
    cm_key32 secret = {{1}};

    (void)state;
    refused(b, &k, CM_UNSEAL_WRONG);
    k = (cm_unseal_key){.kind = CM_UNSEAL_SHARES, .shares = list, .shares_n = 1};
    refused(b, &k, CM_SHARES_FEW);
    k.shares_n = 0;
    refused(b, &k, CM_SHARES_FEW);
    OK(cm_shamir_split(other, crypt_, &secret, 2, 3));
    k = (cm_unseal_key){.kind = CM_UNSEAL_SHARES, .shares = other, .shares_n = 2};
    refused(b, &k, CM_UNSEAL_WRONG);
    k = (cm_unseal_key){.kind = CM_UNSEAL_KEYFILE, .secret = cm_view_of(keyfile, 39)};
    refused(b, &k, CM_UNSEAL_WRONG);
    k = (cm_unseal_key){.kind = CM_UNSEAL_BACKEND, .backend = &other_device};
    refused(b, &k, CM_UNSEAL_WRONG);
    k.backend = &other_kind;
    refused(b, &k, CM_UNSEAL_WRONG);
    k.backend = NULL;
    refused(b, &k, CM_UNSEAL_WRONG);
    boot.p[boot.n / 2] ^= 1;
    k = say("open sesame");
    refused(b, &k, CM_BOOT_DAMAGED); /* U-3 */
    cm_buf_free(&boot);
}

static void shares_are_held_against_the_record(void **state) /* U-7 */
{
    cm_share list[CM_SHARE_MAX];
    cm_buf boot = all_ways(list);
    cm_boot_info info;

    (void)state;
    OK(cm_boot_inspect(&info, crypt_, cm_buf_view(&boot)));
    assert_int_equal(info.n, 4);
    assert_int_equal(info.sequence, 1);
    assert_memory_equal(info.slots[1].label.p, "the board", 9);
    assert_int_equal(info.slots[1].need, 2);
    assert_int_equal(info.slots[1].shares, 3);
    for (int i = 0; i < 3; i++) {
        OK(cm_boot_check_share(&info, crypt_, &list[i]));
        list[i].y[3] ^= 1;
        IS(cm_boot_check_share(&info, crypt_, &list[i]), SHARES_FORGED);
        list[i].y[3] ^= 1;
        list[i].index = 9;
        IS(cm_boot_check_share(&info, crypt_, &list[i]), SHARES_FORGED);
        list[i].set[0] ^= 1;
        IS(cm_boot_check_share(&info, crypt_, &list[i]), SHARES_MIXED);
    }
    cm_buf_free(&boot);
}

static void every_flipped_bit_is_found(void **state) /* U-2, U-3 */
{
    cm_unseal_method m = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    cm_unseal_key k = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    cm_buf boot = {.max = CM_BOOT_MAX};

    (void)state;
    OK(cm_boot_seal(&boot, NULL, NULL, crypt_, root, &m, 1));
    for (size_t i = 0; i < boot.n * 8; i++) {
        cm_root *got = NULL;

        boot.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_true(cm_failed(cm_boot_open(&got, crypt_, cm_buf_view(&boot), &k)));
        assert_null(got);
        boot.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < boot.n; n++)
        refused(cm_view_of(boot.p, n), &k, CM_BOOT_MALFORMED);
    open_and_compare(cm_buf_view(&boot), &k);
    cm_buf_free(&boot);
}

/* Rewrites the record with one field changed and the checksum made anew, as an enemy would who can
 * write to the database. */
static cm_buf forged(cm_view boot, uint64_t key, uint64_t number, cm_view bytes)
{
    static const cm_cbor_field f[] = {
        {1, CM_CBOR_UINT, true, 0, UINT64_MAX},   {2, CM_CBOR_BYTES, true, 0, 99},
        {3, CM_CBOR_UINT, true, 0, UINT64_MAX},   {4, CM_CBOR_UINT, true, 0, UINT64_MAX},
        {5, CM_CBOR_ARRAY, true, 0, CM_BOOT_MAX}, {6, CM_CBOR_BYTES, true, 0, CM_BOOT_MAX},
        {7, CM_CBOR_BYTES, true, 0, 32},
    };
    cm_buf out = {.max = CM_BOOT_MAX}, summed = {.max = CM_BOOT_MAX};
    cm_cbor_value v[7] = {0};
    uint8_t sum[32];
    cm_cbor c;

    OK(cm_cbor_open(&c, boot, NULL));
    OK(cm_cbor_record(&c, f, v, 7, NULL));
    v[key - 1].u = number;
    if (bytes.n)
        v[key - 1].v = bytes;
    OK(cm_cbor_put_record(&summed, f, v, 6));
    OK(cm_hash_once(crypt_, CM_SHA256, sum, cm_buf_view(&summed)));
    v[6].v = CM_VIEW(sum);
    OK(cm_cbor_put_record(&out, f, v, 7));
    cm_buf_free(&summed);
    return out;
}

static void forgeries_are_found(void **state) /* U-8 */
{
    cm_unseal_method m[2] = {{.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)},
                             phrase("second")};
    cm_unseal_key k = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    cm_buf boot = {.max = CM_BOOT_MAX}, one = {.max = CM_BOOT_MAX}, f;
    cm_cbor c;
    cm_view slots = {0}, first = {0};
    uint64_t count;

    (void)state;
    OK(cm_boot_seal(&boot, NULL, NULL, crypt_, root, m, 2));
    f = forged(cm_buf_view(&boot), 1, 2, (cm_view){0});
    refused(cm_buf_view(&f), &k, CM_BOOT_VERSION); /* U-1 */
    cm_buf_free(&f);
    f = forged(cm_buf_view(&boot), 3, 9, (cm_view){0}); /* the sequence */
    refused(cm_buf_view(&f), &k, CM_BOOT_FORGED);
    cm_buf_free(&f);
    f = forged(cm_buf_view(&boot), 2, 0, CM_LIT("0123456789abcdef")); /* the root's id: U-4 */
    refused(cm_buf_view(&f), &k, CM_UNSEAL_WRONG);
    cm_buf_free(&f);
    /* A slot taken away. */
    OK(cm_cbor_open(&c, cm_buf_view(&boot), NULL));
    OK(cm_cbor_map(&c, &count));
    for (int i = 0; i < 9; i++)
        OK(cm_cbor_skip(&c, NULL));
    OK(cm_cbor_skip(&c, &slots));
    OK(cm_cbor_open(&c, slots, NULL));
    OK(cm_cbor_array(&c, &count));
    assert_int_equal(count, 2);
    OK(cm_cbor_skip(&c, &first));
    OK(cm_cbor_put_array(&one, 1));
    OK(cm_buf_append(&one, first));
    f = forged(cm_buf_view(&boot), 5, 0, cm_buf_view(&one));
    refused(cm_buf_view(&f), &k, CM_BOOT_FORGED);
    cm_buf_free(&f);
    cm_buf_free(&one);
    cm_buf_free(&boot);
}

/* ---- altering -------------------------------------------------------------------------------- */

static cm_buf alter(cm_view old, const cm_unseal_key *key, const cm_boot_change *change,
                    cm_share *list, size_t *n)
{
    cm_buf out = {.max = CM_BOOT_MAX};

    OK(cm_boot_alter(&out, list, n, crypt_, old, key, change));
    return out;
}

static void slots_come_and_go(void **state)
{
    cm_share list[CM_SHARE_MAX], again[CM_SHARE_MAX];
    cm_buf boot = all_ways(list), second, third;
    cm_unseal_key sesame = say("open sesame"), hammer = say("hammer"), k;
    cm_unseal_method add[2] = {phrase("hammer"),
                               {.kind = CM_UNSEAL_SHARES, .need = 3, .shares = 4}};
    uint64_t drop[2] = {2, 4};
    cm_boot_change c = {.drop = drop, .drop_n = 2, .add = add, .add_n = 2};
    cm_boot_info info;
    size_t n = 0;

    (void)state;
    second = alter(cm_buf_view(&boot), &sesame, &c, again, &n);
    assert_int_equal(n, 4);
    OK(cm_boot_inspect(&info, crypt_, cm_buf_view(&second)));
    assert_int_equal(info.sequence, 2);
    assert_int_equal(info.n, 4);
    assert_int_equal(info.slots[2].id, 5); /* ids don't come back */
    open_and_compare(cm_buf_view(&second), &sesame);
    open_and_compare(cm_buf_view(&second), &hammer);
    k = (cm_unseal_key){.kind = CM_UNSEAL_SHARES, .shares = again, .shares_n = 3};
    open_and_compare(cm_buf_view(&second), &k);
    k = (cm_unseal_key){.kind = CM_UNSEAL_SHARES, .shares = list, .shares_n = 2};
    refused(cm_buf_view(&second), &k, CM_UNSEAL_WRONG); /* the old shares are void */
    k = (cm_unseal_key){.kind = CM_UNSEAL_BACKEND, .backend = &device};
    refused(cm_buf_view(&second), &k, CM_UNSEAL_NO_SLOT);

    uint64_t rest[4] = {1, 3, 5, 6};

    c = (cm_boot_change){.drop = rest, .drop_n = 4, .add = add, .add_n = 1};
    third = alter(cm_buf_view(&second), &hammer, &c, NULL, NULL);
    open_and_compare(cm_buf_view(&third), &hammer);
    refused(cm_buf_view(&third), &sesame, CM_UNSEAL_WRONG);
    cm_buf_free(&boot);
    cm_buf_free(&second);
    cm_buf_free(&third);
}

/* An old record's slots around a new record's root: useless once the key around the root is new,
 * which it is when no slot stays (U-10). */
static void new_keys_when_no_slot_stays(void **state)
{
    cm_unseal_method old = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)},
                     new = phrase("new");
    cm_unseal_key k = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    uint64_t one = 1;
    cm_boot_change keep = {.add = &new, .add_n = 1},
                   swap = {.drop = &one, .drop_n = 1, .add = &new, .add_n = 1};
    cm_buf boot = {.max = CM_BOOT_MAX};

    (void)state;
    OK(cm_boot_seal(&boot, NULL, NULL, crypt_, root, &old, 1));
    for (int i = 0; i < 2; i++) {
        cm_buf next = alter(cm_buf_view(&boot), &k, i ? &swap : &keep, NULL, NULL), f;
        cm_boot_info info;
        cm_view slots = {0};
        cm_cbor c;
        uint64_t count;

        OK(cm_boot_inspect(&info, crypt_, cm_buf_view(&next)));
        assert_int_equal(info.n, i ? 1 : 2);
        /* The slots of the old record, put into the new one. */
        OK(cm_cbor_open(&c, cm_buf_view(&boot), NULL));
        OK(cm_cbor_map(&c, &count));
        for (int j = 0; j < 9; j++)
            OK(cm_cbor_skip(&c, NULL));
        OK(cm_cbor_skip(&c, &slots));
        f = forged(cm_buf_view(&next), 5, 0, slots);
        refused(cm_buf_view(&f), &k, CM_BOOT_FORGED);
        cm_buf_free(&f);
        cm_buf_free(&next);
    }
    cm_buf_free(&boot);
}

static void roots_rotate_and_retire(void **state)
{
    cm_unseal_method m = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    cm_unseal_key k = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    cm_boot_change rotate = {.rotate = true}, retire = {.retire = 3};
    cm_buf boot = {.max = CM_BOOT_MAX}, out = {.max = CM_BOOT_MAX};
    cm_root *r = NULL;

    (void)state;
    OK(cm_boot_seal(&boot, NULL, NULL, crypt_, root, &m, 1));
    for (uint64_t i = 2; i <= CM_ROOT_GENERATIONS; i++) {
        cm_buf next = alter(cm_buf_view(&boot), &k, &rotate, NULL, NULL);

        cm_buf_free(&boot);
        boot = next;
    }
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &k, &rotate), UNSEAL_GENERATION);
    retire.retire = 8;
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &k, &retire), UNSEAL_GENERATION);
    retire.retire = 3;
    OK(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &k, &retire));
    OK(cm_boot_open(&r, crypt_, cm_buf_view(&out), &k));
    assert_int_equal(r->n, 5);
    assert_int_equal(r->kem[0].number, 4);
    assert_int_equal(r->kem[4].number, 8);
    assert_memory_equal(r->id, root->id, sizeof root->id);
    assert_memory_equal(r->log_seed, root->log_seed, sizeof root->log_seed);
    cm_root_free(r);
    cm_buf_free(&boot);
    cm_buf_free(&out);
}

static void altering_has_rules(void **state)
{
    cm_share list[CM_SHARE_MAX];
    cm_buf boot = all_ways(list), out = {.max = CM_BOOT_MAX};
    cm_unseal_key sesame = say("open sesame"), wrong = say("x");
    uint64_t all[4] = {1, 2, 3, 4}, none = 9, twice[2] = {1, 1};
    cm_unseal_method many[CM_BOOT_SLOTS];
    cm_boot_change c = {.drop = all, .drop_n = 4};

    (void)state;
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &sesame, &c), UNSEAL_LAST);
    c = (cm_boot_change){.drop = &none, .drop_n = 1};
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &sesame, &c), UNSEAL_NO_SLOT);
    c = (cm_boot_change){.drop = twice, .drop_n = 2};
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &sesame, &c), UNSEAL_NO_SLOT);
    c = (cm_boot_change){.rotate = true};
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &wrong, &c), UNSEAL_WRONG);
    for (size_t i = 0; i < CM_COUNT(many); i++)
        many[i] = (cm_unseal_method){.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(keyfile)};
    c = (cm_boot_change){.add = many, .add_n = 13};
    IS(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &sesame, &c), UNSEAL_METHOD);
    c.add_n = 12;
    OK(cm_boot_alter(&out, NULL, NULL, crypt_, cm_buf_view(&boot), &sesame, &c));
    cm_buf_free(&boot);
    cm_buf_free(&out);
}

static void methods_have_bounds(void **state) /* U-9 */
{
    cm_unseal_method m[2] = {phrase("")};
    cm_share list[CM_SHARE_MAX];
    cm_buf out = {.max = CM_BOOT_MAX};
    size_t n = 99;

    (void)state;
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 0), UNSEAL_METHOD);
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), UNSEAL_METHOD);
    m[0] = phrase("x");
    m[0].cost.memory_kib = 1024;
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), CRYPT_COST);
    m[0].cost = (cm_argon2){2u << 20, 1, 1};
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), CRYPT_COST);
    m[0] = (cm_unseal_method){.kind = CM_UNSEAL_KEYFILE, .secret = cm_view_of(keyfile, 31)};
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), UNSEAL_METHOD);
    m[0] = (cm_unseal_method){.kind = CM_UNSEAL_BACKEND};
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), UNSEAL_METHOD);
    m[0] = (cm_unseal_method){.kind = (cm_unseal_kind)9};
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), UNSEAL_METHOD);
    m[0] = m[1] = (cm_unseal_method){.kind = CM_UNSEAL_SHARES, .need = 1, .shares = 1};
    IS(cm_boot_seal(&out, list, &n, crypt_, root, m, 2), UNSEAL_METHOD);
    IS(cm_boot_seal(&out, NULL, NULL, crypt_, root, m, 1), UNSEAL_METHOD);
    m[0].need = 2;
    IS(cm_boot_seal(&out, list, &n, crypt_, root, m, 1), SHARES_COUNT);
    assert_int_equal(out.n, 0);
    assert_int_equal(n, 99);
    cm_buf_free(&out);
}

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)) ||
           cm_failed(cm_root_new(&root, crypt_, CM_LIT("example.org/log")));
}

static int teardown(void **state)
{
    (void)state;
    cm_root_free(root);
    cm_crypt_free(crypt_);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_opens_alone),
        cmocka_unit_test(wrong_ways_are_told_apart),
        cmocka_unit_test(shares_are_held_against_the_record),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(forgeries_are_found),
        cmocka_unit_test(slots_come_and_go),
        cmocka_unit_test(new_keys_when_no_slot_stays),
        cmocka_unit_test(roots_rotate_and_retire),
        cmocka_unit_test(altering_has_rules),
        cmocka_unit_test(methods_have_bounds),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
