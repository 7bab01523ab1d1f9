/* Records of keys, versions and tenants: round trips, bounds, one encoding each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/record.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static cm_crypt *crypt_;

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

static cm_key_record sample(void)
{
    cm_key_record k = {.id = {CM_LIT("acme"), CM_LIT("llama"), CM_LIT("bob"), CM_LIT("weights")},
                       .type = CM_KEY_X_WING,
                       .custody = CM_CUSTODY_SOFTWARE,
                       .exportable = true,
                       .current = 7,
                       .min_decrypt = 3,
                       .created_ms = 1000,
                       .period_ms = 90,
                       .next_ms = 2000,
                       .tier = 4,
                       .tags_n = 3};

    k.tags[0] = (cm_key_tag){CM_LIT("team"), CM_LIT("red")};
    k.tags[1] = (cm_key_tag){CM_LIT("a"), CM_LIT("")};
    k.tags[2] = (cm_key_tag){CM_LIT("b"), CM_LIT("\xc3\xa9")};
    return k;
}

static cm_buf encoded(const cm_key_record *k)
{
    cm_buf b = {.max = CM_KEY_RECORD_MAX};

    OK(cm_key_record_put(&b, k));
    return b;
}

static bool same(cm_view a, cm_view b)
{
    return cm_view_eq(a, b);
}

/* KM-61 */
static void test_key_round_trip(void **state)
{
    cm_key_record k = sample(), got;
    CM_AUTO(cm_buf_free) cm_buf b = encoded(&k);
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_KEY_RECORD_MAX};

    (void)state;
    OK(cm_key_record_get(&got, cm_buf_view(&b)));
    assert_true(same(got.id.tenant, k.id.tenant) && same(got.id.model, k.id.model));
    assert_true(same(got.id.customer, k.id.customer) && same(got.id.name, k.id.name));
    assert_int_equal(got.type, k.type);
    assert_int_equal(got.custody, k.custody);
    assert_true(got.exportable);
    assert_int_equal(got.current, 7);
    assert_int_equal(got.min_decrypt, 3);
    assert_int_equal(got.created_ms, 1000);
    assert_int_equal(got.period_ms, 90);
    assert_int_equal(got.next_ms, 2000);
    assert_int_equal(got.destroy_ms, 0);
    assert_int_equal(got.tier, 4);
    assert_int_equal(got.tags_n, 3);
    assert_true(same(got.tags[0].name, CM_LIT("a")) && same(got.tags[2].value, CM_LIT("red")));
    OK(cm_key_record_put(&again, &got));
    assert_true(same(cm_buf_view(&again), cm_buf_view(&b)));
}

/* KM-60: `a:b` and `c` is not `a` and `b:c`; nor is a model a customer. */
static void test_names_are_typed(void **state)
{
    static const cm_key_id ids[] = {
        {{NULL, 0},
         {(const uint8_t *)"a:b", 3},
         {(const uint8_t *)"c", 1},
         {(const uint8_t *)"n", 1}},
        {{NULL, 0},
         {(const uint8_t *)"a", 1},
         {(const uint8_t *)"b:c", 3},
         {(const uint8_t *)"n", 1}},
        {{NULL, 0}, {(const uint8_t *)"a:b:c", 5}, {NULL, 0}, {(const uint8_t *)"n", 1}},
        {{NULL, 0}, {NULL, 0}, {NULL, 0}, {(const uint8_t *)"a:b:c:n", 7}},
        {{(const uint8_t *)"a", 1},
         {(const uint8_t *)"b", 1},
         {(const uint8_t *)"c", 1},
         {(const uint8_t *)"n", 1}},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(ids); i++)
        for (size_t j = 0; j < i; j++) {
            cm_key_record a = sample(), b = a;

            a.id = ids[i];
            b.id = ids[j];
            CM_AUTO(cm_buf_free) cm_buf x = encoded(&a);
            CM_AUTO(cm_buf_free) cm_buf y = encoded(&b);

            assert_false(same(cm_buf_view(&x), cm_buf_view(&y)));
        }
}

static void refuses(const cm_key_record *k)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEY_RECORD_MAX};

    IS(cm_key_record_put(&b, k), BAD_ARGUMENT);
    assert_int_equal(b.n, 0);
}

static void test_key_bounds(void **state)
{
    static uint8_t big[300];
    cm_key_record k;

    (void)state;
    memset(big, 'x', sizeof big);
#define WRONG(change) \
    k = sample();     \
    change;           \
    refuses(&k)
    WRONG(k.id.name.n = 0);
    WRONG(k.id.name = cm_view_of(big, 257));
    WRONG(k.id.tenant = cm_view_of(big, 257));
    WRONG(k.id.model.n = 0);
    WRONG(k.id.name = CM_LIT("\xff"));
    WRONG(k.type = (cm_key_type)0);
    WRONG(k.type = CM_KEY_TYPE_END);
    WRONG(k.custody = (cm_custody)0);
    WRONG(k.custody = (cm_custody)4);
    WRONG(k.current = 0);
    WRONG(k.min_decrypt = 0);
    WRONG(k.min_decrypt = 8);
    WRONG(k.period_ms = 0);
    WRONG(k.tier = 5);
    WRONG(k.tags_n = CM_TAGS_MAX + 1);
    WRONG(k.tags[0].name.n = 0);
    WRONG(k.tags[0].name = cm_view_of(big, 65));
    WRONG(k.tags[0].value = cm_view_of(big, 257));
    WRONG(k.tags[1].name = k.tags[0].name);
    WRONG(k.tags[0].value = CM_LIT("\xff"));
#undef WRONG
}

/* No byte can change and none be lost or added, but to another record of one encoding. */
static void mutate(cm_buf *b, bool (*reads)(cm_view in))
{
    for (size_t i = 0; i < b->n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            b->p[i] ^= (uint8_t)(1u << bit);
            (void)reads(cm_buf_view(b));
            b->p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < b->n; n++)
        assert_false(reads(cm_view_of(b->p, n)));
    OK(cm_buf_byte(b, 0));
    assert_false(reads(cm_buf_view(b)));
    b->n--;
    assert_true(reads(cm_buf_view(b)));
}

static bool reads_key(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_KEY_RECORD_MAX};
    cm_key_record k = {.current = 99};
    cm_err e = cm_key_record_get(&k, in);

    if (cm_failed(e)) {
        IS(e, KEY_RECORD);
        assert_int_equal(k.current, 99);
        return false;
    }
    OK(cm_key_record_put(&again, &k));
    assert_true(same(cm_buf_view(&again), in));
    return true;
}

static void test_key_mutations(void **state)
{
    cm_key_record k = sample();
    CM_AUTO(cm_buf_free) cm_buf b = encoded(&k);

    (void)state;
    mutate(&b, reads_key);
}

/* ---- versions ------------------------------------------------------------------------------ */

static const cm_version_record version = {
    .number = 2,
    .state = CM_STATE_ACTIVE,
    .created_ms = 10,
    .activate_ms = 20,
    .sealed = {(const uint8_t *)"sealed secret", 13},
    .public_key = {(const uint8_t *)"public key", 10},
    .kek_version = 3,
};

static bool reads_version(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_VERSION_RECORD_MAX};
    cm_version_record r = {.number = 99};
    cm_err e = cm_version_record_get(&r, crypt_, in);

    if (cm_failed(e)) {
        IS(e, KEY_RECORD);
        assert_int_equal(r.number, 99);
        return false;
    }
    OK(cm_version_record_put(&again, crypt_, &r));
    assert_true(same(cm_buf_view(&again), in));
    return true;
}

static void test_version_round_trip(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_VERSION_RECORD_MAX};
    cm_version_record got, r = version;

    (void)state;
    OK(cm_version_record_put(&b, crypt_, &version));
    OK(cm_version_record_get(&got, crypt_, cm_buf_view(&b)));
    assert_int_equal(got.number, 2);
    assert_int_equal(got.state, CM_STATE_ACTIVE);
    assert_int_equal(got.activate_ms, 20);
    assert_int_equal(got.kek_version, 3);
    assert_true(same(got.sealed, version.sealed));
    assert_true(same(got.public_key, version.public_key));
    mutate(&b, reads_version);
    cm_buf_free(&b);
    r.public_key.n = 0; /* a symmetric key */
    OK(cm_version_record_put(&b, crypt_, &r));
    assert_true(reads_version(cm_buf_view(&b)));
}

/* KM-62: a destroyed version has no secret any more, and no other version lacks it. */
static void test_destroyed_versions_have_no_secret(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_VERSION_RECORD_MAX};

    (void)state;
    for (unsigned s = CM_STATE_PRE_ACTIVE; s <= CM_STATE_DESTROYED; s++)
        for (int with = 0; with < 2; with++) {
            cm_version_record r = version;
            bool fine = with != (s == CM_STATE_DESTROYED);

            r.state = (cm_key_state)s;
            r.sealed.n = with ? r.sealed.n : 0;
            b.n = 0;
            if (fine)
                OK(cm_version_record_put(&b, crypt_, &r));
            else
                IS(cm_version_record_put(&b, crypt_, &r), BAD_ARGUMENT);
        }
}

/* KM-63 */
static void test_public_key_and_its_hash_belong_together(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_VERSION_RECORD_MAX};
    cm_version_record got;
    uint8_t *at;

    (void)state;
    OK(cm_version_record_put(&b, crypt_, &version));
    at = memmem(b.p, b.n, version.public_key.p, version.public_key.n);
    assert_non_null(at);
    at[3] ^= 1;
    IS(cm_version_record_get(&got, crypt_, cm_buf_view(&b)), KEY_RECORD);
}

/* ---- tenants ------------------------------------------------------------------------------- */

static cm_tenant_record tenant(void)
{
    cm_tenant_record t = {.tenant = CM_LIT("acme"), .created_ms = 5, .row_version = 2, .n = 3};

    t.keks[0] = (cm_kek_record){2, 10, CM_LIT("first")};
    t.keks[1] = (cm_kek_record){3, 20, CM_LIT("second")};
    t.keks[2] = (cm_kek_record){7, 30, CM_LIT("third")};
    return t;
}

static bool reads_tenant(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf again = {.max = CM_TENANT_RECORD_MAX};
    static cm_tenant_record t;
    cm_err e = cm_tenant_record_get(&t, in);

    if (cm_failed(e)) {
        IS(e, KEY_RECORD);
        return false;
    }
    OK(cm_tenant_record_put(&again, &t));
    assert_true(same(cm_buf_view(&again), in));
    return true;
}

/* KM-64 */
static void test_tenants(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_TENANT_RECORD_MAX};
    cm_tenant_record t = tenant();

    (void)state;
    OK(cm_tenant_record_put(&b, &t));
    mutate(&b, reads_tenant);
    b.n = 0;
#define WRONG(change) \
    t = tenant();     \
    change;           \
    IS(cm_tenant_record_put(&b, &t), BAD_ARGUMENT)
    WRONG(t.n = 0);
    WRONG(t.n = CM_KEKS_MAX + 1);
    WRONG(t.row_version = 4);
    WRONG(t.keks[0].version = 0);
    WRONG(t.keks[1].version = 2);
    WRONG(t.keks[2].version = 1);
    WRONG(t.keks[1].sealed.n = 0);
#undef WRONG
    assert_int_equal(b.n, 0);
}

static void test_custody_has_names(void **state)
{
    (void)state;
    assert_string_equal(cm_custody_name(CM_CUSTODY_SOFTWARE), "software");
    assert_string_equal(cm_custody_name(CM_CUSTODY_HSM_NATIVE), "hsm-native");
    assert_string_equal(cm_custody_name((cm_custody)9), "unknown");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_round_trip),
        cmocka_unit_test(test_names_are_typed),
        cmocka_unit_test(test_key_bounds),
        cmocka_unit_test(test_key_mutations),
        cmocka_unit_test(test_version_round_trip),
        cmocka_unit_test(test_destroyed_versions_have_no_secret),
        cmocka_unit_test(test_public_key_and_its_hash_belong_together),
        cmocka_unit_test(test_tenants),
        cmocka_unit_test(test_custody_has_names),
    };

    return cmocka_run_group_tests_name("key records", tests, setup, teardown);
}
