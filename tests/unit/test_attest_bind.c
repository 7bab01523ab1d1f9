/* What evidence is bound to. The answers are those of tests/interop/bind_python.py, which reads the
 * specification only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attest/bind.h"
#include "hex.h"

#define assert_good(e) assert_string_equal(cm_err_name(e), "OK")
#define assert_bad(e)  assert_string_equal(cm_err_name(e), "BAD_ARGUMENT")

#define NONCE    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define EXPORTER "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define MANIFEST "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

#define E_ALONE                                                        \
    "6a9c0046f7ea8249a7b6a08db84a6885f3cae2b0e7341c0b0fd23272db0a7003" \
    "086441903560dfae1493e603fdfbe639777477ef76345cf794498f0fd9868853"
#define E_ALL                                                          \
    "7f9cac2cdc98cdcc81f3c742da1466831b2663f4ff81ed1280b37c597235b67e" \
    "bf56f7cb0294b963aac45431d04df88f6c6e891a8b575d48adcd232b41a56bf9"
#define E_SHORT "933388b50626442379ae7adc0d0e4a3d3eba2080f1c7768e54610430bd9964fa"
#define GPU_0   "fbeb10861b1a903641bc7da12b7b59ccf14cdbb19518d9843560bfac20cfef96"
#define GPU_7   "e297655624863b47633b6fe3d7e54b38091992fc97cad5559bd560e1b8b7f50b"

enum { FIELDS = 8 };

static cm_crypt *c;

static cm_binding all(void)
{
    return (cm_binding){.role = CM_LIT(CM_BIND_SERVER),
                        .suite = CM_LIT("X-Wing"),
                        .tls_key = CM_LIT("tls key"),
                        .peer_key = CM_LIT("peer key"),
                        .hpke_key = CM_LIT("hpke key"),
                        .exporter = t_hex(EXPORTER),
                        .nonce = t_hex(NONCE),
                        .manifest = t_hex(MANIFEST)};
}

static void same(cm_view have, const char *hex)
{
    cm_view want = t_hex(hex);

    assert_int_equal(have.n, want.n);
    assert_memory_equal(have.p, want.p, want.n);
}

/* AT-100, AT-101 */
static void answers(void **state)
{
    cm_binding b = {.role = CM_LIT(CM_BIND_CLIENT), .nonce = t_hex(NONCE)};
    cm_bound e;

    (void)state;
    assert_string_equal(CM_BIND_EXPORTER_LABEL, "EXPORTER-Casemate-Attestation");
    assert_good(cm_bind(&e, c, &b));
    same(CM_VIEW(e.e), E_ALONE);
    b = all();
    assert_good(cm_bind(&e, c, &b));
    same(CM_VIEW(e.e), E_ALL);
}

static cm_view *field(cm_binding *b, size_t i)
{
    cm_view *const at[FIELDS] = {&b->role,     &b->suite,    &b->tls_key, &b->peer_key,
                                 &b->hpke_key, &b->exporter, &b->nonce,   &b->manifest};

    return at[i];
}

/* AT-100: no field is another's, an absent one is none, and no byte moves from one to the next. */
static void distinct(void **state)
{
    cm_bound seen[2 * FIELDS + 3];
    cm_binding b = all();
    size_t n = 0;

    (void)state;
    assert_good(cm_bind(&seen[n++], c, &b));
    for (size_t i = 0; i < FIELDS; i++) {
        uint8_t changed[64];

        b = all();
        memcpy(changed, field(&b, i)->p, field(&b, i)->n);
        changed[0] ^= 1;
        field(&b, i)->p = changed;
        assert_good(cm_bind(&seen[n++], c, &b));
        *field(&b, i) = cm_view_of(NULL, 0);
        if (cm_ok(cm_bind(&seen[n], c, &b)))
            n++;
    }
    b = all();
    b.role = CM_LIT("serverX");
    b.suite = CM_LIT("-Wing");
    assert_good(cm_bind(&seen[n++], c, &b));
    b = all();
    b.tls_key = b.peer_key;
    b.peer_key = CM_LIT("tls key");
    assert_good(cm_bind(&seen[n++], c, &b));
    assert_int_equal(n, 1 + FIELDS + (FIELDS - 2) + 2);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(seen[i].e, seen[k].e, CM_BIND_SIZE);
}

/* AT-100 */
static void lengths(void **state)
{
    static const uint8_t bytes[CM_BIND_TEXT_MAX + 1] = {1};
    const cm_bound before = {{42}};
    cm_bound e = before;

    (void)state;
    for (size_t i = 0; i < FIELDS; i++) {
        cm_binding b = all();

        if (field(&b, i) == &b.tls_key || field(&b, i) == &b.peer_key ||
            field(&b, i) == &b.hpke_key)
            continue;
        *field(&b, i) = cm_view_of(bytes, sizeof bytes);
        assert_bad(cm_bind(&e, c, &b));
    }
    for (size_t n = 0; n < CM_BIND_NONCE; n++) {
        cm_binding b = all();

        b.nonce.n = n;
        assert_bad(cm_bind(&e, c, &b));
        b = all();
        b.exporter.n = n;
        assert_true(n == 0 || cm_failed(cm_bind(&e, c, &b)));
        b = all();
        b.manifest.n = n;
        assert_true(n == 0 || cm_failed(cm_bind(&e, c, &b)));
        if (n)
            assert_memory_equal(&e, &before, sizeof e);
        e = before;
    }
}

/* AT-102, AT-103 */
static void for_each_kind(void **state)
{
    uint8_t out[CM_BIND_SIZE];
    cm_binding b = all();
    cm_bound e;
    size_t n;

    (void)state;
    assert_good(cm_bind(&e, c, &b));
    for (unsigned k = CM_ATTEST_UNKNOWN; k <= CM_ATTEST_RATLS; k++) {
        bool whole = k == CM_ATTEST_SNP || k == CM_ATTEST_TDX || k == CM_ATTEST_SGX;

        if (k == CM_ATTEST_UNKNOWN || k >= CM_ATTEST_NVIDIA) {
            assert_bad(cm_bound_for(out, &n, c, &e, (cm_attest_kind)k));
            continue;
        }
        assert_good(cm_bound_for(out, &n, c, &e, (cm_attest_kind)k));
        same(cm_view_of(out, n), whole ? E_ALL : E_SHORT);
    }
    assert_good(cm_bound_gpu(out, c, &e, 0));
    same(cm_view_of(out, CM_BIND_SHORT), GPU_0);
    assert_good(cm_bound_gpu(out, c, &e, 7));
    same(cm_view_of(out, CM_BIND_SHORT), GPU_7);
}

/* AT-104 */
static void sets(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf snp = {.max = 256};
    CM_AUTO(cm_buf_free) cm_buf gpu = {.max = 256};
    CM_AUTO(cm_buf_free) cm_buf set = {.max = 1024};
    cm_view v[2], piece[CM_ATTEST_SET_MAX];
    cm_attest_input in = {.kind = CM_ATTEST_SNP, .evidence = CM_LIT("report")};
    size_t n = 0;

    (void)state;
    assert_good(cm_attest_pack_put(&snp, &in));
    in.kind = CM_ATTEST_NVIDIA;
    assert_good(cm_attest_pack_put(&gpu, &in));
    v[0] = cm_buf_view(&snp);
    v[1] = cm_buf_view(&gpu);
    assert_bad(cm_attest_set_put(&set, v, 0));
    assert_bad(cm_attest_set_put(&set, v, CM_ATTEST_SET_MAX + 1));
    assert_good(cm_attest_set_put(&set, v, 2));
    assert_good(cm_attest_set_read(piece, &n, cm_buf_view(&set)));
    assert_int_equal(n, 2);
    assert_true(cm_view_eq(piece[0], v[0]) && cm_view_eq(piece[1], v[1]));
    /* Anything else is one piece: itself. */
    assert_good(cm_attest_set_read(piece, &n, v[1]));
    assert_int_equal(n, 1);
    assert_true(cm_view_eq(piece[0], v[1]));
    /* Cut short, or of things that are no packs. */
    for (size_t k = 27; k < set.n; k++)
        assert_string_equal(cm_err_name(cm_attest_set_read(piece, &n, cm_view_of(set.p, k))),
                            "ATTEST_SET");
    set.n = 0;
    v[1] = CM_LIT("no pack");
    assert_good(cm_attest_set_put(&set, v, 2));
    assert_string_equal(cm_err_name(cm_attest_set_read(piece, &n, cm_buf_view(&set))),
                        "ATTEST_SET");
}

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),       cmocka_unit_test(distinct), cmocka_unit_test(lengths),
        cmocka_unit_test(for_each_kind), cmocka_unit_test(sets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
