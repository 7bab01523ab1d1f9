/* Rules of the container's fixed parts that no whole file breaks by accident: what a header may
 * hold, which slot is in force, whose a manifest is, and an index that its publisher did not sign.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "crypt/merkle.h"
#include "kit_group.h"
#include "sealed/floe.h"
#include "sealed/open_int.h"

static cm_core good_core(void)
{
    return (cm_core){.tier = 1, .segment = 1 << 20, .leaf = 64 << 10, .slot = CM_SLOT_ALIGN};
}

static cm_err through(cm_core h, cm_core *back)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16384};
    size_t need;

    CM_TRY(cm_core_encode(&b, kit->crypt, &h));
    return cm_core_decode(back, &need, kit->crypt, cm_buf_view(&b));
}

/* S-2: refused by the reader, or by the writer before it. */
static void test_sizes_and_tiers(void **state)
{
    static const struct {
        unsigned tier;
        uint32_t segment, leaf;
    } bad[] = {
        {CM_TIER_MAX + 1, 1 << 20, 64 << 10},
        {1, CM_SEGMENT_MIN / 2, 16 << 10},
        {1, CM_SEGMENT_MAX * 2u, 64 << 10},
        {1, (1 << 20) + 4096, 64 << 10},
        {1, 3 << 19, 64 << 10},
        {1, 1 << 20, CM_LEAF_MIN / 2},
        {1, 1 << 20, 2 << 20},
        {1, 1 << 20, 24 << 10},
        {1, 1 << 20, 0},
        {1, 0, 4096},
    };
    cm_core got = {0};

    (void)state;
    OK(through(good_core(), &got));
    assert_int_equal(got.segment, 1 << 20);
    memset(&got, 0xa5, sizeof got);
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_core h = good_core();
        cm_err e;

        h.tier = bad[i].tier;
        h.segment = bad[i].segment;
        h.leaf = bad[i].leaf;
        e = through(h, &got);
        assert_true(cm_is(e, CM_SEALED_SUITE) || cm_is(e, CM_BAD_ARGUMENT));
        assert_int_equal(got.segment, 0xa5a5a5a5);
    }
}

static void mend_sum(cm_buf *b)
{
    CM_AUTO(cm_buf_free) cm_buf sum = {.max = 8192};

    OK(cm_buf_append(&sum, cm_view_of(b->p, 32)));
    OK(cm_buf_append(&sum, cm_view_of(b->p + CM_PRELUDE, cm_get_be32(b->p + 12))));
    OK(cm_hash_once(kit->crypt, CM_SHA256, b->p + 32, cm_buf_view(&sum)));
}

static bool same(const cm_core *a, const cm_core *b)
{
    return a->tier == b->tier && a->segment == b->segment && a->leaf == b->leaf &&
           a->directory == b->directory && a->salted == b->salted && a->policy_n == b->policy_n &&
           cm_view_eq(CM_VIEW(a->container), CM_VIEW(b->container));
}

/* S-2: whatever stands in a byte of the header, what is taken is within its bounds, and no byte
 * goes unread: another suite or layout is not taken for the same thing. */
static void test_every_header_byte(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16384};
    cm_core h = good_core();
    size_t need;

    (void)state;
    OK(cm_core_encode(&b, kit->crypt, &h));
    for (size_t i = CM_PRELUDE; i < CM_PRELUDE + cm_get_be32(b.p + 12); i++) {
        uint8_t was = b.p[i];

        for (unsigned v = 0; v < 256; v++) {
            cm_core got;

            b.p[i] = (uint8_t)v;
            mend_sum(&b);
            if (cm_failed(cm_core_decode(&got, &need, kit->crypt, cm_buf_view(&b))))
                continue;
            assert_in_range(got.tier, 0, CM_TIER_MAX);
            assert_in_range(got.segment, CM_SEGMENT_MIN, CM_SEGMENT_MAX);
            assert_in_range(got.leaf, CM_LEAF_MIN, got.segment);
            assert_int_equal(same(&got, &h), v == was);
        }
        b.p[i] = was;
    }
}

/* S-3 */
static void test_slot_in_force(void **state)
{
    const cm_core h = good_core();
    uint8_t both[2 * CM_SLOT_ALIGN];
    cm_slots got;

    (void)state;
    for (unsigned newer = 0; newer < 2; newer++) {
        uint8_t *slot[2] = {both, both + CM_SLOT_ALIGN};

        OK(cm_slot_encode(slot[newer], kit->crypt, &h, 1ull << 40, CM_LIT("newer")));
        OK(cm_slot_encode(slot[!newer], kit->crypt, &h, 7, CM_LIT("older")));
        OK(cm_slots_decode(&got, kit->crypt, &h, CM_VIEW(both)));
        assert_int_equal(got.which, newer);
        assert_true(cm_view_eq(got.envelope, CM_LIT("newer")));
        assert_false(got.other_torn);

        slot[newer][CM_SLOT_HEAD] ^= 1;
        OK(cm_slots_decode(&got, kit->crypt, &h, CM_VIEW(both)));
        assert_int_equal(got.sequence, 7);
        assert_true(cm_view_eq(got.envelope, CM_LIT("older")));
        assert_true(got.other_torn);

        slot[!newer][CM_SLOT_ALIGN - 1] = 1;
        FAILS(SEALED_SLOTS, cm_slots_decode(&got, kit->crypt, &h, CM_VIEW(both)));
        assert_int_equal(got.sequence, 7);
    }
}

/* S-12 */
static void test_whose_manifest(void **state)
{
    const uint64_t size = 5 << 20, segments = 6;
    cm_core h = good_core();
    const cm_footer f = {.body = CM_FLOE_HEADER + size + segments * CM_FLOE_OVERHEAD};
    const cm_manifest good = {
        .size = size,
        .leaves = cm_merkle_leaf_count(size, h.leaf),
        .format = CM_LIT("gguf"),
    };
    cm_manifest m = good;

    (void)state;
    OK(cm_manifest_check(&m, &h, &f));
    m.hd[31] ^= 1;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m = good;
    m.leaves++;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m = good;
    m.size--;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m = good;
    m.size += 1 << 20;
    m.leaves = cm_merkle_leaf_count(m.size, h.leaf);
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m = good;
    m.format = CM_LIT("directory");
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    h.directory = true;
    OK(cm_manifest_check(&m, &h, &f));
    FAILS(SEALED_MANIFEST, cm_manifest_check(&good, &h, &f));
}

static const char *seal_tensors(void)
{
    static const char header[] =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[0,16]}}";
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 256};
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_seal_result r;
    uint8_t n[8] = {sizeof header - 1};

    OK(cm_buf_append(&b, CM_VIEW(n)));
    OK(cm_buf_append(&b, cm_view_str(header)));
    OK(cm_buf_append(&b, CM_LIT("0123456789abcdef")));
    t_put_file(t_path(kit->dir, "m.safetensors"), cm_buf_view(&b));
    OK(cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "m.safetensors"), -1,
               t_path(kit->dir, "m.sealed"), -1));
    return t_path(kit->dir, "m.sealed");
}

/* What any recipient can do: write another index under the real key. */
static void forge_index(const cm_sealed *s, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf whole = t_whole_file(path), aad = {.max = 128};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 65536}, forged = {.max = 65536};
    const size_t at = (size_t)(s->core.body_at + s->footer.body + s->footer.tree);
    const size_t n = (size_t)s->footer.index;
    const uint32_t segment = CM_INDEX_SEGMENT + CM_FLOE_OVERHEAD;

    OK(cm_sealed_aad(&aad, &s->core, "index"));
    OK(cm_floe_open_all(&plain, s->crypt, &s->keys.index, cm_buf_view(&aad), segment,
                        cm_view_of(whole.p + at, n)));
    for (size_t i = 1; i < plain.n; i++) {
        if (plain.p[i - 1] == 0x61 && plain.p[i] == 'a') /* the text "a", as CBOR */
            plain.p[i] = 'b';
    }
    OK(cm_floe_seal_all(&forged, s->crypt, &s->keys.index, cm_buf_view(&aad), segment,
                        cm_buf_view(&plain)));
    assert_int_equal(forged.n, n);
    memcpy(whole.p + at, forged.p, n);
    t_put_file(path, cm_buf_view(&whole));
}

/* Load the index of the container at path, after another was written over it if forge. */
static cm_err load_index(const char *path, bool forge)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(kit, &opener, trusted);
    CM_AUTO(cm_os_close_fd) int fd = -1;
    const cm_index *x = NULL;
    cm_sealed *s;
    cm_err e;

    OK(cm_os_open_read(&fd, path));
    OK(cm_sealed_load(&s, kit->crypt, fd, &o));
    OK(cm_sealed_unlock(s));
    if (forge)
        forge_index(s, path);
    e = cm_sealed_index(s, &x);
    assert_int_equal(x != NULL, cm_ok(e));
    cm_sealed_free(s);
    return e;
}

/* S-11 */
static void test_recipient_cannot_swap_index(void **state)
{
    const char *path = seal_tensors();

    (void)state;
    OK(load_index(path, false));
    FAILS(SEALED_INDEX, load_index(path, true));
    FAILS(SEALED_INDEX, load_index(path, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_and_tiers),
        cmocka_unit_test(test_every_header_byte),
        cmocka_unit_test(test_slot_in_force),
        cmocka_unit_test(test_whose_manifest),
        cmocka_unit_test(test_recipient_cannot_swap_index),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
