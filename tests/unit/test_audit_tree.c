/* Tiles, roots and proofs against trees computed from all leaves at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/tree.h"
#include "crypt/merkle.h"

#define assert_okay(e) assert_string_equal("OK", cm_err_name(e))

enum { LEAVES = 700, SIZES = 600 };

static uint8_t leaf[LEAVES][32];

static void naive_root(uint8_t out[32], size_t from, size_t to)
{
    static uint8_t nodes[LEAVES][32];

    if (to > from) {
        memcpy(nodes, leaf[from], (to - from) * 32);
    }
    cm_merkle_root(out, nodes, to - from);
}

/* Complete subtrees straight from the leaves. */
static cm_err from_leaves(void *self, uint8_t out[32], unsigned height, uint64_t i)
{
    size_t *size = self;

    assert_true(height < 10 && (i + 1) << height <= *size);
    naive_root(out, i << height, (i + 1) << height);
    return CM_OKAY;
}

static int prepare(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LEAVES; i++) {
        cm_merkle_leaf(leaf[i], cm_view_of(NULL, 0), cm_view_of(&i, sizeof i));
    }
    return 0;
}

static void roots_of_every_size(void **state)
{
    cm_tree *t = malloc(sizeof *t);
    uint8_t want[32], got[32];
    size_t all = LEAVES;
    const cm_tlog_source s = {from_leaves, &all};

    (void)state;
    assert_non_null(t);
    cm_tree_init(t);
    for (size_t size = 0; size <= SIZES; size++) {
        naive_root(want, 0, size);
        cm_tree_root(got, t);
        assert_memory_equal(want, got, 32);
        assert_okay(cm_tlog_root(got, &s, size));
        assert_memory_equal(want, got, 32);
        cm_tree_push(t, leaf[size], NULL, NULL);
    }
    free(t);
}

/* Against RFC 9162's verifier in crypt/merkle.h, which has its own vectors. */
static void inclusion_of_every_leaf(void **state)
{
    cm_buf proof = {.max = 4096};
    uint8_t root[32];
    size_t all = LEAVES;
    const cm_tlog_source s = {from_leaves, &all};

    (void)state;
    for (size_t size = 1; size <= SIZES; size += size < 70 ? 1 : 13) {
        naive_root(root, 0, size);
        for (size_t i = 0; i < size; i += size < 70 ? 1 : 7) {
            proof.n = 0;
            assert_okay(cm_tlog_inclusion(&proof, &s, i, size));
            assert_okay(cm_merkle_check_inclusion(root, i, size, leaf[i], cm_buf_view(&proof)));
        }
    }
    assert_int_equal(CM_BAD_ARGUMENT, cm_tlog_inclusion(&proof, &s, 5, 5).v);
    cm_buf_free(&proof);
}

static void consistency_of_sizes(void **state)
{
    cm_buf proof = {.max = 4096};
    uint8_t root1[32], root2[32];
    size_t all = LEAVES;
    const cm_tlog_source s = {from_leaves, &all};

    (void)state;
    for (size_t n = 1; n <= SIZES; n += n < 70 ? 1 : 17) {
        naive_root(root2, 0, n);
        for (size_t m = 1; m <= n; m += n < 70 ? 1 : 11) {
            naive_root(root1, 0, m);
            proof.n = 0;
            assert_okay(cm_tlog_consistency(&proof, &s, m, n));
            assert_okay(cm_merkle_check_consistency(root1, m, root2, n, cm_buf_view(&proof)));
        }
    }
    assert_int_equal(CM_BAD_ARGUMENT, cm_tlog_consistency(&proof, &s, 0, 5).v);
    assert_int_equal(CM_BAD_ARGUMENT, cm_tlog_consistency(&proof, &s, 6, 5).v);
    cm_buf_free(&proof);
}

/* */
static void see_full(void *arg, const cm_tile *tile)
{
    unsigned *count = arg;
    uint8_t want[32];

    assert_int_equal(0, tile->level);
    assert_int_equal(*count, tile->n);
    assert_int_equal(CM_TILE_WIDTH, tile->width);
    assert_memory_equal(leaf[*count * CM_TILE_WIDTH], tile->node, CM_TILE_WIDTH * 32);
    naive_root(want, *count * CM_TILE_WIDTH, (*count + 1) * CM_TILE_WIDTH);
    assert_memory_equal(want, cm_tile_node(tile, 8, 0), 32);
    ++*count;
}

static void what_a_tree_remembers(void **state)
{
    cm_tree *t = malloc(sizeof *t);
    unsigned full = 0;
    uint8_t want[32];

    (void)state;
    assert_non_null(t);
    cm_tree_init(t);
    for (size_t i = 0; i < LEAVES; i++) {
        cm_tree_push(t, leaf[i], see_full, &full);
    }
    assert_int_equal(LEAVES / 256, full);
    for (unsigned h = 0; h < 10; h++) {
        for (size_t i = 0; i <= (size_t)LEAVES >> h; i++) {
            const uint8_t *got = cm_tree_node(t, h, i);

            if ((i + 1) << h > LEAVES) {
                assert_null(got);
                continue;
            }
            assert_non_null(got);
            naive_root(want, i << h, (i + 1) << h);
            assert_memory_equal(want, got, 32);
        }
    }
    assert_null(cm_tree_node(t, 64, 0));
    free(t);
}

/* The examples of C2SP tlog-tiles. */
static void names_and_widths(void **state)
{
    char path[CM_TILE_PATH];

    (void)state;
    cm_tile_path(path, 1, 1234067, 256);
    assert_string_equal("tile/1/x001/x234/067", path);
    cm_tile_path(path, 0, 273, 112);
    assert_string_equal("tile/0/273.p/112", path);
    cm_tile_path(path, -1, 0, 1);
    assert_string_equal("tile/entries/000.p/1", path);
    cm_tile_path(path, 0, 1000, 256);
    assert_string_equal("tile/0/x001/000", path);
    assert_int_equal(256, cm_tile_width(0, 272, 70000));
    assert_int_equal(112, cm_tile_width(0, 273, 70000));
    assert_int_equal(0, cm_tile_width(0, 274, 70000));
    assert_int_equal(256, cm_tile_width(1, 0, 70000));
    assert_int_equal(17, cm_tile_width(1, 1, 70000));
    assert_int_equal(1, cm_tile_width(2, 0, 70000));
    assert_int_equal(0, cm_tile_width(3, 0, 70000));
    assert_int_equal(256, cm_tile_width(0, 0, 256));
    assert_int_equal(0, cm_tile_width(0, 1, 256));
    assert_int_equal(1, cm_tile_width(1, 0, 256));
    assert_int_equal(0, cm_tile_width(8, 0, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_of_every_size),  cmocka_unit_test(inclusion_of_every_leaf),
        cmocka_unit_test(consistency_of_sizes), cmocka_unit_test(what_a_tree_remembers),
        cmocka_unit_test(names_and_widths),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
