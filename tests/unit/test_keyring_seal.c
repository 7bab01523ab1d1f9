/* The hierarchy's seals: what they are bound to, how keys move, what the caches take for the same.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/keyfile.h"
#include "ring_kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static t_ring *ring;
static const cm_view secret = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};

static int setup(void **state)
{
    (void)state;
    ring = t_ring_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_ring_done(ring);
    return 0;
}

static void expect(cm_keyop op, cm_reason reason)
{
    cm_keyring_exec(ring->ring, &op);
    assert_string_equal(cm_err_name(op.result), cm_err_name((cm_err){(uint32_t)reason}));
    if (cm_failed(op.result)) {
        assert_null(op.out.p);
        assert_null(op.out2.p);
    }
    cm_keyop_done_with(&op);
}

static cm_keyop use(const t_held *k)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_SIGN);

    op.data = CM_LIT("message");
    return op;
}

/* ---- seals --------------------------------------------------------------------------------- */

/* KM-10, KM-12, KM-13: with the key in the cache and without. */
static void test_every_altered_byte_is_noticed(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret);

    (void)state;
    for (int warm = 0; warm < 2; warm++) {
        for (size_t i = 0; i < k.sealed.n; i++) {
            k.sealed.p[i] ^= 4;
            expect(use(&k), CM_CRYPT_TAG);
            k.sealed.p[i] ^= 4;
        }
        for (size_t i = 0; i < k.kek.n; i += i < 24 || i > k.kek.n - 64 ? 1 : 41) {
            k.kek.p[i] ^= 4;
            expect(use(&k), CM_CRYPT_TAG);
            k.kek.p[i] ^= 4;
        }
        expect(use(&k), CM_OK_REASON);
    }
    t_held_done(&k);
}

static void test_every_other_length_is_noticed(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret);
    cm_keyop op = use(&k);

    (void)state;
    expect(op, CM_OK_REASON);
    for (op.key.n = 0; op.key.n < k.sealed.n; op.key.n++)
        expect(op, CM_CRYPT_TAG);
    for (op.kek.n = 0; op.kek.n < k.kek.n; op.kek.n += 13)
        expect(op, CM_CRYPT_TAG);
    op = use(&k);
    OK(cm_buf_byte(&k.sealed, 0));
    op.key = cm_buf_view(&k.sealed);
    expect(op, CM_CRYPT_TAG);
    k.sealed.n--;
    OK(cm_buf_byte(&k.kek, 0));
    op = use(&k);
    expect(op, CM_CRYPT_TAG);
    t_held_done(&k);
}

typedef struct {
    const char *what;
    cm_key_binding bind;
} other;

#define B(tenant_, path_, version_, type_, kek_)                                                   \
    {                                                                                              \
        .tenant = {(const uint8_t *)(tenant_), sizeof(tenant_) - 1},                               \
        .path = {(const uint8_t *)(path_), sizeof(path_) - 1}, .version = version_, .type = type_, \
        .kek_version = kek_                                                                        \
    }
static const other others[] = {
    {"as it was", B("acme", "keys/one", 1, CM_KEY_ED25519, 1)},
    {"tenant", B("evil", "keys/one", 1, CM_KEY_ED25519, 1)},
    {"no tenant", B("", "keys/one", 1, CM_KEY_ED25519, 1)},
    {"tenant and path joined", B("acmek", "eys/one", 1, CM_KEY_ED25519, 1)},
    {"path", B("acme", "keys/two", 1, CM_KEY_ED25519, 1)},
    {"longer path", B("acme", "keys/one/", 1, CM_KEY_ED25519, 1)},
    {"no path", B("acme", "", 1, CM_KEY_ED25519, 1)},
    {"version", B("acme", "keys/one", 2, CM_KEY_ED25519, 1)},
    {"version 0", B("acme", "keys/one", 0, CM_KEY_ED25519, 1)},
    {"type", B("acme", "keys/one", 1, CM_KEY_P256, 1)},
    {"type of as long a secret", B("acme", "keys/one", 1, CM_KEY_AES_256, 1)},
    {"KEK version", B("acme", "keys/one", 1, CM_KEY_ED25519, 2)},
};

/* KM-11, KM-13, KM-16: cross-tenant decrypt, as another system had it. Every pair, with the key in
 * the cache under its own name. */
static void test_seals_stay_where_they_were_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < CM_COUNT(others); i++) {
        const cm_key_binding *b = &others[i].bind;
        CM_AUTO(cm_buf_free)
        cm_buf kek = t_ring_kek(ring, (const char *)b->tenant.p, b->kek_version);
        t_held k = t_ring_make(ring, b, &kek, secret);

        for (size_t j = 0; j < CM_COUNT(others); j++) {
            cm_keyop op = t_ring_op(&k, CM_KEYOP_PUBLIC);
            bool symmetric = others[j].bind.type == CM_KEY_AES_256;

            op.bind = others[j].bind;
            expect(op, i != j ? CM_CRYPT_TAG : symmetric ? CM_KEY_USE : CM_OK_REASON);
        }
        t_held_done(&k);
    }
}

/* KM-13: one tenant's KEK under another's name, and a key under another KEK of the same name. */
static void test_keks_are_not_interchangeable(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret);
    CM_AUTO(cm_buf_free) cm_buf evil = t_ring_kek(ring, "evil", 1);
    CM_AUTO(cm_buf_free) cm_buf again = t_ring_kek(ring, "acme", 1);
    cm_keyop op = use(&k);

    (void)state;
    expect(op, CM_OK_REASON);
    op.kek = cm_buf_view(&evil);
    expect(op, CM_CRYPT_TAG);
    op.kek = cm_buf_view(&again);
    expect(op, CM_CRYPT_TAG);
    op.kek = cm_buf_view(&k.sealed);
    expect(op, CM_CRYPT_TAG);
    t_held_done(&k);
}

/* KM-10, KM-12: another root, or one that has forgotten the generation, opens nothing. */
static void test_only_its_root_opens_a_kek(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret);
    cm_root was = ring->root;

    (void)state;
    ring->root.id[0] ^= 1;
    t_ring_restart(ring);
    expect(use(&k), CM_CRYPT_TAG);
    ring->root = was;
    ring->root.n = 1;
    t_ring_restart(ring);
    expect(use(&k), CM_CRYPT_TAG);
    ring->root = was;
    ring->root.kem[1].seed[0] ^= 1;
    t_ring_restart(ring);
    expect(use(&k), CM_CRYPT_TAG);
    ring->root = was;
    t_ring_restart(ring);
    expect(use(&k), CM_OK_REASON);
    t_held_done(&k);
}

/* ---- moving -------------------------------------------------------------------------------- */

static void same_key(const t_held *a, const t_held *b)
{
    cm_keyop sign = use(a), verify = t_ring_op(b, CM_KEYOP_VERIFY);

    cm_keyring_exec(ring->ring, &sign);
    OK(sign.result);
    verify.data = sign.data;
    verify.more = cm_buf_view(&sign.out);
    expect(verify, CM_OK_REASON);
    cm_keyop_done_with(&sign);
}

/* KM-14: a new KEK seals the same keys anew. */
static void test_reseal_under_a_newer_kek(void **state)
{
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret), moved = k;
    cm_keyop op = t_ring_op(&k, CM_KEYOP_RESEAL);

    (void)state;
    moved.kek = t_ring_kek(ring, "acme", 2);
    moved.bind.kek_version = 2;
    op.more = cm_buf_view(&moved.kek);
    op.n = 3;
    expect(op, CM_CRYPT_TAG);
    op.n = 2;
    cm_keyring_exec(ring->ring, &op);
    OK(op.result);
    moved.sealed = op.out;
    same_key(&k, &moved);
    moved.bind.kek_version = 1;
    expect(use(&moved), CM_CRYPT_TAG);
    cm_buf_free(&moved.kek);
    cm_buf_free(&moved.sealed);
    t_held_done(&k);
}

/* KM-14: and so does a new generation of the root. */
static void test_reseal_to_a_newer_root(void **state)
{
    cm_root was = ring->root;
    t_held k;
    cm_keyop op;

    (void)state;
    ring->root.n = 1;
    t_ring_restart(ring);
    k = t_ring_import(ring, CM_KEY_ED25519, secret);
    ring->root = was;
    t_ring_restart(ring);
    expect(use(&k), CM_OK_REASON); /* the older generation still opens */
    op = t_ring_op(&k, CM_KEYOP_RESEAL);
    op.key = CM_LIT("");
    cm_keyring_exec(ring->ring, &op);
    OK(op.result);
    assert_int_equal(cm_get_be64(k.kek.p + 1), 3);
    assert_int_equal(cm_get_be64(op.out.p + 1), 4);
    cm_buf_free(&k.kek);
    k.kek = op.out;
    memmove(&ring->root.kem[0], &ring->root.kem[1], sizeof ring->root.kem[0]);
    ring->root.n = 1;
    t_ring_restart(ring);
    expect(use(&k), CM_OK_REASON);
    ring->root = was;
    t_ring_restart(ring);
    t_held_done(&k);
}

/* KM-15 */
static void test_row_keys(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf kek = t_ring_kek(ring, "acme", 1);
    CM_AUTO(cm_buf_free) cm_buf next = t_ring_kek(ring, "acme", 2);
    cm_keyop op = {.code = CM_KEYOP_ROW_KEY,
                   .kek = cm_buf_view(&kek),
                   .bind = {.tenant = CM_LIT("acme"), .kek_version = 1}};
    cm_keyop again = op, other_kek = op;

    (void)state;
    cm_keyring_exec(ring->ring, &op);
    OK(op.result);
    assert_int_equal(op.out.n, 32);
    t_ring_restart(ring);
    cm_keyring_exec(ring->ring, &again);
    assert_true(cm_view_eq(cm_buf_view(&op.out), cm_buf_view(&again.out)));
    other_kek.kek = cm_buf_view(&next);
    other_kek.bind.kek_version = 2;
    cm_keyring_exec(ring->ring, &other_kek);
    OK(other_kek.result);
    assert_false(cm_view_eq(cm_buf_view(&op.out), cm_buf_view(&other_kek.out)));
    cm_keyop_done_with(&again);
    cm_keyop_done_with(&other_kek);
    cm_keyop_done_with(&op);
    op.bind.tenant = CM_LIT("evil");
    expect(op, CM_CRYPT_TAG);
}

/* KM-27, KM-28 */
static void export_and_import(cm_key_type type, cm_key_type to, bool spki)
{
    t_held k = t_ring_create(ring, type), inbox = t_ring_create(ring, to);
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *pub = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *pkey = NULL;
    CM_AUTO(cm_buf_free) cm_buf der = {.max = 4096};
    cm_keyop op = t_ring_op(&k, CM_KEYOP_EXPORT), in = t_ring_op(&inbox, CM_KEYOP_IMPORT_WRAPPED);
    t_held back = {.bind = k.bind, .kek = inbox.kek};

    OK(cm_kem_from_public(&pub, ring->crypt, (cm_kem_id)cm_key_type_of(to)->algorithm,
                          cm_buf_view(&inbox.public_key)));
    OK(cm_pkey_from_kem(&pkey, &pub));
    OK(cm_pkey_public_der(&der, pkey));
    op.more = spki ? cm_buf_view(&der) : cm_buf_view(&inbox.public_key);
    cm_keyring_exec(ring->ring, &op);
    OK(op.result);
    in.data = cm_buf_view(&op.out);
    in.type2 = type == CM_KEY_ED25519 ? CM_KEY_AES_256 : CM_KEY_ED25519;
    in.more = CM_LIT("keys/copy");
    in.n = 5;
    expect(in, CM_CRYPT_TAG); /* another type */
    in.type2 = type;
    cm_keyring_exec(ring->ring, &in);
    OK(in.result);
    assert_true(cm_view_eq(cm_buf_view(&in.out2), cm_buf_view(&k.public_key)));
    back.sealed = in.out;
    back.bind.path = CM_LIT("keys/copy");
    back.bind.version = 5;
    if (cm_key_type_of(type)->can & CAN_SIGN)
        same_key(&back, &k);
    back.bind.path = k.bind.path;
    expect(use(&back), CM_CRYPT_TAG);
    in.data.n--;
    expect(in, CM_CRYPT_TAG);
    in.data.n++;
    for (size_t i = 0; i < op.out.n; i += i < 8 ? 1 : 31) {
        op.out.p[i] ^= 1;
        expect(in, CM_CRYPT_TAG);
        op.out.p[i] ^= 1;
    }
    cm_keyop_done_with(&in);
    cm_keyop_done_with(&op);
    t_held_done(&inbox);
    t_held_done(&k);
}

static void test_export_and_import(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ED25519,   CM_KEY_ML_DSA_65,   CM_KEY_DUAL_65,
                                        CM_KEY_SECP256K1, CM_KEY_HMAC_SHA256, CM_KEY_X_WING,
                                        CM_KEY_RSA_2048};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++)
        export_and_import(types[i], CM_KEY_X_WING, i == 0);
    export_and_import(CM_KEY_P384, CM_KEY_ML_KEM_768, true);
    export_and_import(CM_KEY_AES_256, CM_KEY_ML_KEM_1024, false);
}

static void test_weak_recipients_are_refused(void **state)
{
    t_held k = t_ring_create(ring, CM_KEY_ED25519), inbox = t_ring_create(ring, CM_KEY_ML_KEM_512);
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *ed = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *x = NULL;
    CM_AUTO(cm_buf_free) cm_buf der = {.max = 4096};
    CM_AUTO(cm_buf_free) cm_buf xder = {.max = 4096};
    cm_keyop op = t_ring_op(&k, CM_KEYOP_EXPORT);

    (void)state;
    op.more = cm_buf_view(&inbox.public_key);
    cm_keyring_exec(ring->ring, &op);
    assert_true(cm_failed(op.result));
    OK(cm_pkey_generate(&ed, ring->crypt, CM_LIT("Ed25519")));
    OK(cm_pkey_public_der(&der, ed));
    op.more = cm_buf_view(&der);
    expect(op, CM_KEY_USE);
    OK(cm_pkey_generate(&x, ring->crypt, CM_LIT("X25519")));
    OK(cm_pkey_public_der(&xder, x));
    op.more = cm_buf_view(&xder);
    expect(op, CM_KEY_USE);
    op.more = CM_LIT("");
    cm_keyring_exec(ring->ring, &op);
    assert_true(cm_failed(op.result));
    t_held_done(&k);
    t_held_done(&inbox);
}

/* KM-28: PKCS#8 in DER and PEM, of every family that has it. */
static void test_import_of_key_files(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_KEM_768, CM_KEY_X_WING, CM_KEY_ML_DSA_65,
                                        CM_KEY_ED25519,    CM_KEY_P256,   CM_KEY_SECP256K1,
                                        CM_KEY_DUAL_87};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
        CM_AUTO(cm_buf_free) cm_buf der = {.max = 1 << 16};
        CM_AUTO(cm_buf_free) cm_buf pem = {.max = 1 << 16};
        t_held a, b;

        OK(cm_pkey_generate(&k, ring->crypt, cm_view_str(cm_key_type_of(types[i])->name)));
        OK(cm_pkey_private_der(&der, k));
        OK(cm_pkey_write_private(&pem, ring->crypt, k, &(cm_protect){.mode = CM_PROTECT_NONE}));
        a = t_ring_import(ring, types[i], cm_buf_view(&der));
        b = t_ring_import(ring, types[i], cm_buf_view(&pem));
        assert_true(cm_view_eq(cm_buf_view(&a.public_key), cm_buf_view(&b.public_key)));
        assert_true(cm_view_eq(cm_buf_view(&a.public_key), cm_pkey_sig(k)
                                                               ? cm_sig_public(cm_pkey_sig(k))
                                                               : cm_kem_public(cm_pkey_kem(k))));
        a.bind.type = types[i] == CM_KEY_P256 ? CM_KEY_P384 : CM_KEY_P256;
        cm_keyop op = t_ring_op(&a, CM_KEYOP_IMPORT);

        op.data = cm_buf_view(&der);
        expect(op, CM_KEY_INCONSISTENT);
        t_held_done(&a);
        t_held_done(&b);
    }
}

static void test_import_refuses_what_is_no_secret(void **state)
{
    static const cm_key_type types[] = {CM_KEY_ML_KEM_768, CM_KEY_ED25519,     CM_KEY_P256,
                                        CM_KEY_AES_256,    CM_KEY_HMAC_SHA256, CM_KEY_RSA_2048};
    static const uint8_t zeros[100];
    t_held k = t_ring_create(ring, CM_KEY_ED25519);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(types); i++) {
        cm_keyop op = t_ring_op(&k, CM_KEYOP_IMPORT);

        op.bind.type = types[i];
        for (size_t n = 0; n < sizeof zeros; n++) {
            op.data = cm_view_of(zeros, n);
            cm_keyring_exec(ring->ring, &op);
            if (cm_ok(op.result)) { /* zeros are a seed like any other, but no scalar of a curve */
                assert_int_not_equal(types[i], CM_KEY_P256);
                assert_true(n == 32 || n == 64);
            }
            cm_keyop_done_with(&op);
        }
    }
    t_held_done(&k);
}

/* ---- caches -------------------------------------------------------------------------------- */

static cm_keyring *small_ring(unsigned keks, unsigned keys)
{
    cm_keyring_options o = {.crypt = ring->crypt, .root = &ring->root, .keks = keks, .keys = keys};
    cm_keyring *r = NULL;

    OK(cm_keyring_new(&r, &o));
    return r;
}

static void uses(cm_keyring *r, const t_held *k)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_PUBLIC);

    cm_keyring_exec(r, &op);
    OK(op.result);
    assert_true(cm_view_eq(cm_buf_view(&op.out2), cm_buf_view(&k->public_key)));
    cm_keyop_done_with(&op);
}

/* KM-16: bounded, and right whether a key is in there or not. */
static void test_caches_are_bounded(void **state)
{
    enum { N = 40 };
    static const unsigned sizes[] = {1, 2, 16, 1024};
    t_held k[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        CM_AUTO(cm_buf_free) cm_buf kek = t_ring_kek(ring, i % 2 ? "acme" : "beta", 1);
        cm_key_binding b = {.tenant = i % 2 ? CM_LIT("acme") : CM_LIT("beta"),
                            .path = CM_LIT("p"),
                            .version = (uint64_t)i,
                            .type = CM_KEY_ED25519,
                            .kek_version = 1};

        k[i] = t_ring_make(ring, &b, &kek, CM_LIT(""));
    }
    for (size_t s = 0; s < CM_COUNT(sizes); s++) {
        CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = small_ring(sizes[s], sizes[s]);

        for (int round = 0; round < 3; round++)
            for (int i = 0; i < N; i++)
                uses(r, &k[(i * 7 + round) % N]);
        assert_int_equal(cm_keyring_count(r).keys, CM_MIN(sizes[s], (unsigned)N));
        assert_int_equal(cm_keyring_count(r).keks, CM_MIN(sizes[s], (unsigned)N));
    }
    for (int i = 0; i < N; i++)
        t_held_done(&k[i]);
}

/* KM-16: what did not open is not remembered. */
static void test_failures_are_not_cached(void **state)
{
    CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = small_ring(8, 8);
    t_held k = t_ring_import(ring, CM_KEY_ED25519, secret);
    cm_keyop op = use(&k);

    (void)state;
    op.bind.version = 9;
    cm_keyring_exec(r, &op);
    IS(op.result, CRYPT_TAG);
    assert_int_equal(cm_keyring_count(r).keys, 0);
    assert_int_equal(cm_keyring_count(r).keks, 1);
    op.bind.tenant = CM_LIT("evil");
    cm_keyring_exec(r, &op);
    IS(op.result, CRYPT_TAG);
    assert_int_equal(cm_keyring_count(r).keks, 1);
    t_held_done(&k);
}

enum { THREADS = 4, SHARED = 12, ROUNDS = 150 };

typedef struct {
    cm_keyring *ring;
    const t_held *k;
    unsigned start;
    bool ok;
} worker;

static void *work(void *arg)
{
    worker *w = (worker *)arg;

    w->ok = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        const t_held *k = &w->k[(i * 5 + w->start) % SHARED];
        cm_keyop op = t_ring_op(k, CM_KEYOP_PUBLIC);

        op.bind.version += i % 11 == 0;
        cm_keyring_exec(w->ring, &op);
        w->ok = w->ok &&
                (i % 11 == 0 ? cm_is(op.result, CM_CRYPT_TAG)
                             : cm_ok(op.result) &&
                                   cm_view_eq(cm_buf_view(&op.out2), cm_buf_view(&k->public_key)));
        cm_keyop_done_with(&op);
    }
    return NULL;
}

static void test_threads_share_a_ring(void **state)
{
    CM_AUTO(cm_keyring_free_ptr) cm_keyring *r = small_ring(4, 4);
    pthread_t t[THREADS];
    worker w[THREADS];
    t_held k[SHARED];

    (void)state;
    for (int i = 0; i < SHARED; i++)
        k[i] = t_ring_create(ring, i % 3 ? CM_KEY_ED25519 : CM_KEY_SECP256K1);
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (worker){r, k, i * 3, false};
        assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_true(w[i].ok);
    }
    for (int i = 0; i < SHARED; i++)
        t_held_done(&k[i]);
}

static void test_a_root_without_generations_makes_no_ring(void **state)
{
    cm_root none = {.n = 0};
    cm_keyring_options o = {.crypt = ring->crypt, .root = &none};
    cm_keyring *r = NULL;

    (void)state;
    IS(cm_keyring_new(&r, &o), BAD_ARGUMENT);
    none.n = CM_ROOT_GENERATIONS + 1;
    IS(cm_keyring_new(&r, &o), BAD_ARGUMENT);
    assert_null(r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_altered_byte_is_noticed),
        cmocka_unit_test(test_every_other_length_is_noticed),
        cmocka_unit_test(test_seals_stay_where_they_were_made),
        cmocka_unit_test(test_keks_are_not_interchangeable),
        cmocka_unit_test(test_only_its_root_opens_a_kek),
        cmocka_unit_test(test_reseal_under_a_newer_kek),
        cmocka_unit_test(test_reseal_to_a_newer_root),
        cmocka_unit_test(test_row_keys),
        cmocka_unit_test(test_export_and_import),
        cmocka_unit_test(test_weak_recipients_are_refused),
        cmocka_unit_test(test_import_of_key_files),
        cmocka_unit_test(test_import_refuses_what_is_no_secret),
        cmocka_unit_test(test_caches_are_bounded),
        cmocka_unit_test(test_failures_are_not_cached),
        cmocka_unit_test(test_threads_share_a_ring),
        cmocka_unit_test(test_a_root_without_generations_makes_no_ring),
    };

    return cmocka_run_group_tests_name("keyring seals", tests, setup, teardown);
}
