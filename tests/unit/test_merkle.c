/* Merkle trees against the recursive definition of RFC 9162, 2.1.1, written with OpenSSL. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "crypt/merkle.h"

#define LEAVES 70u
#define LEAF   100u /* bytes of a leaf; the data ends within the last one */

static uint8_t data[LEAVES * LEAF], salt[CM_MERKLE_SALT_MAX];
static uint8_t leaves[LEAVES][32]; /* of data, unsalted */

static void sha256_of(uint8_t out[32], const cm_view *parts, size_t n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    assert_non_null(c);
    assert_int_equal(1, EVP_DigestInit_ex(c, EVP_sha256(), NULL));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(1, EVP_DigestUpdate(c, parts[i].p, parts[i].n));
    }
    assert_int_equal(1, EVP_DigestFinal_ex(c, out, NULL));
    EVP_MD_CTX_free(c);
}

static void ref_leaf(uint8_t out[32], cm_view s, cm_view d)
{
    sha256_of(out, (cm_view[]){CM_LIT("\0"), s, d}, 3);
}

static void ref_root(uint8_t out[32], uint8_t (*h)[32], size_t n)
{
    uint8_t l[32], r[32];
    size_t k = 1;

    if (n == 0) {
        sha256_of(out, NULL, 0);
    } else if (n == 1) {
        memcpy(out, h[0], 32);
    } else {
        while (2 * k < n) {
            k *= 2;
        }
        ref_root(l, h, k);
        ref_root(r, h + k, n - k);
        sha256_of(out, (cm_view[]){CM_LIT("\1"), CM_VIEW(l), CM_VIEW(r)}, 3);
    }
}

static void root_of_first(uint8_t out[32], size_t n)
{
    uint8_t nodes[LEAVES][32];

    memcpy(nodes, leaves, sizeof nodes);
    cm_merkle_root(out, nodes, n);
}

static void leaves_of_a_span(void **state)
{
    const size_t sizes[] = {0, 1, 99, 100, 101, 1599, 1600, 1601, 1700, 3300, sizeof data - 1};
    uint8_t got[LEAVES + 1][32], want[32];

    (void)state;
    for (size_t i = 0; i < 2 * CM_COUNT(sizes); i++) {
        size_t n = sizes[i / 2], count = 99;
        cm_view s = cm_view_of(salt, i % 2 != 0 ? sizeof salt : 0);

        memset(got, 0xa5, sizeof got);
        cm_merkle_leaves(got, s, data, n, LEAF, &count);
        assert_int_equal((n + LEAF - 1) / LEAF, count);
        assert_int_equal(count, cm_merkle_leaf_count(n, LEAF));
        for (size_t l = 0; l < count; l++) {
            ref_leaf(want, s, cm_view_of(data + l * LEAF, CM_MIN(LEAF, n - l * LEAF)));
            assert_memory_equal(want, got[l], 32);
            cm_merkle_leaf(want, s, cm_view_of(data + l * LEAF, CM_MIN(LEAF, n - l * LEAF)));
            assert_memory_equal(want, got[l], 32);
        }
        assert_int_equal(0xa5, got[count][0]);
        cm_merkle_leaves(got, s, data, n, LEAF, NULL);
    }
}

static void roots_of_each_size(void **state)
{
    cm_merkle_acc acc;
    uint8_t want[32], got[32];

    (void)state;
    cm_merkle_acc_init(&acc);
    for (size_t n = 0; n <= LEAVES; n++) {
        ref_root(want, leaves, n);
        root_of_first(got, n);
        assert_memory_equal(want, got, 32);
        cm_merkle_acc_root(got, &acc);
        assert_memory_equal(want, got, 32);
        if (n < LEAVES) {
            cm_merkle_acc_push(&acc, leaves[n]);
        }
    }
}

/* A tree over roots of subtrees of 2^k leaves, the last one shorter, is the tree over the leaves.
 */
static void roots_of_subtrees(void **state)
{
    uint8_t subs[LEAVES][32], want[32], got[32];

    (void)state;
    for (size_t width = 1; width <= 64; width *= 2) {
        for (size_t n = 1; n <= LEAVES; n++) {
            cm_merkle_acc acc;
            size_t count = 0;

            cm_merkle_acc_init(&acc);
            for (size_t at = 0; at < n; at += width, count++) {
                ref_root(subs[count], leaves + at, CM_MIN(width, n - at));
                cm_merkle_acc_push(&acc, subs[count]);
            }
            ref_root(want, leaves, n);
            cm_merkle_root(got, subs, count);
            assert_memory_equal(want, got, 32);
            cm_merkle_acc_root(got, &acc);
            assert_memory_equal(want, got, 32);
        }
    }
}

static void node_in_place(void **state)
{
    uint8_t a[32], want[32];

    (void)state;
    cm_merkle_node(want, leaves[0], leaves[1]);
    memcpy(a, leaves[0], 32);
    cm_merkle_node(a, a, leaves[1]);
    assert_memory_equal(want, a, 32);
    memcpy(a, leaves[1], 32);
    cm_merkle_node(a, leaves[0], a);
    assert_memory_equal(want, a, 32);
}

#define REFUSED(x) assert_true(cm_is(x, CM_MERKLE_PROOF))

static void one_inclusion(size_t index, size_t n)
{
    uint8_t nodes[LEAVES][32], proof[CM_MERKLE_PROOF_MAX + 1][32] = {{0}}, root[32];
    size_t k;

    memcpy(nodes, leaves, sizeof nodes);
    k = cm_merkle_prove_inclusion(proof, index, nodes, n);
    ref_root(root, leaves, n);
    assert_true(
        cm_ok(cm_merkle_check_inclusion(root, index, n, leaves[index], cm_view_of(proof, 32 * k))));
    REFUSED(
        cm_merkle_check_inclusion(root, index, n, leaves[index], cm_view_of(proof, 32 * (k + 1))));
    REFUSED(cm_merkle_check_inclusion(root, index, n, salt, cm_view_of(proof, 32 * k)));
    REFUSED(
        cm_merkle_check_inclusion(root, index + 1, n, leaves[index], cm_view_of(proof, 32 * k)));
    REFUSED(cm_merkle_check_inclusion(root, n, n, leaves[index], cm_view_of(proof, 32 * k)));
    if (k > 0) {
        REFUSED(cm_merkle_check_inclusion(root, index, n, leaves[index],
                                          cm_view_of(proof, 32 * (k - 1))));
        REFUSED(cm_merkle_check_inclusion(root, index, n, leaves[index],
                                          cm_view_of(proof, 32 * k - 1)));
        proof[k / 2][31] ^= 1;
        REFUSED(
            cm_merkle_check_inclusion(root, index, n, leaves[index], cm_view_of(proof, 32 * k)));
    }
}

static void one_consistency(size_t size1, size_t size2)
{
    uint8_t nodes[LEAVES][32], proof[CM_MERKLE_PROOF_MAX + 1][32] = {{0}}, root1[32], root2[32];
    size_t k;

    memcpy(nodes, leaves, sizeof nodes);
    k = cm_merkle_prove_consistency(proof, size1, nodes, size2);
    ref_root(root1, leaves, size1);
    ref_root(root2, leaves, size2);
    assert_true(
        cm_ok(cm_merkle_check_consistency(root1, size1, root2, size2, cm_view_of(proof, 32 * k))));
    REFUSED(cm_merkle_check_consistency(salt, size1, root2, size2, cm_view_of(proof, 32 * k)));
    REFUSED(cm_merkle_check_consistency(root1, size1, salt, size2, cm_view_of(proof, 32 * k)));
    REFUSED(
        cm_merkle_check_consistency(root1, size1, root2, size2, cm_view_of(proof, 32 * (k + 1))));
    REFUSED(cm_merkle_check_consistency(root1, 0, root2, size2, cm_view_of(proof, 32 * k)));
    if (size1 < size2) {
        REFUSED(cm_merkle_check_consistency(root2, size2, root1, size1, cm_view_of(proof, 32 * k)));
    }
    if (k > 0) {
        REFUSED(cm_merkle_check_consistency(root1, size1, root2, size2,
                                            cm_view_of(proof, 32 * (k - 1))));
        proof[k / 2][0] ^= 0x80;
        REFUSED(cm_merkle_check_consistency(root1, size1, root2, size2, cm_view_of(proof, 32 * k)));
    }
}

static void proofs_of_each_size(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LEAVES; n++) {
        for (size_t i = 0; i < n; i++) {
            one_inclusion(i, n);
            one_consistency(i + 1, n);
        }
    }
}

/* Sizes near 2^64, which no tree has: refused, and without shifting or adding past the end. */
static void absurd_sizes(void **state)
{
    const uint64_t top = UINT64_MAX;
    uint8_t proof[70][32] = {{0}}, empty[32];
    cm_view p = CM_VIEW(proof), none = {0};

    (void)state;
    for (size_t n = 0; n <= sizeof proof; n += 32) {
        p.n = n;
        REFUSED(cm_merkle_check_inclusion(salt, top - 1, top, leaves[0], p));
        REFUSED(cm_merkle_check_inclusion(salt, 0, top, leaves[0], p));
        REFUSED(cm_merkle_check_consistency(salt, top - 1, leaves[0], top, p));
        REFUSED(cm_merkle_check_consistency(salt, top / 2 + 1, leaves[0], top, p));
        REFUSED(cm_merkle_check_subtree(salt, 0, top, leaves[0], top, p));
        REFUSED(cm_merkle_check_subtree(salt, top / 2 + 1, top, leaves[0], top, p));
    }
    REFUSED(cm_merkle_check_inclusion(salt, 0, 0, leaves[0], none));
    REFUSED(cm_merkle_check_subtree(salt, 1, top, leaves[0], top, none));
    REFUSED(cm_merkle_check_subtree(salt, 4, 4, leaves[0], 8, none));
    ref_root(empty, NULL, 0);
    assert_true(cm_ok(cm_merkle_check_subtree(empty, 8, 8, leaves[0], 8, none)));
    REFUSED(cm_merkle_check_subtree(empty, 9, 9, leaves[0], 8, none));
    REFUSED(cm_merkle_check_consistency(empty, 0, leaves[0], 8, none));
    REFUSED(cm_merkle_check_subtree_inclusion(salt, 4, 8, 3, leaves[0], none));
    REFUSED(cm_merkle_check_subtree_inclusion(salt, 4, 8, 8, leaves[0], none));
    assert_int_equal((uint64_t)1 << 48, cm_merkle_leaf_count(top, 1 << 16));
}

/* The longest proof there is: leaf 0 of 2^64 - 2, every neighbour on its right. The same width from
 * 1 on is no subtree, however well the hashes fit. */
static void longest_proof(void **state)
{
    const uint64_t size = UINT64_MAX - 1;
    uint8_t proof[CM_MERKLE_PROOF_MAX][32] = {{0}}, root[32];
    cm_view p = CM_VIEW(proof);

    (void)state;
    memcpy(root, leaves[0], 32);
    for (size_t i = 0; i < CM_MERKLE_PROOF_MAX; i++) {
        cm_merkle_node(root, root, proof[i]);
    }
    assert_true(cm_ok(cm_merkle_check_inclusion(root, 0, size, leaves[0], p)));
    assert_true(cm_ok(cm_merkle_check_subtree_inclusion(root, 0, size, 0, leaves[0], p)));
    REFUSED(cm_merkle_check_subtree_inclusion(root, 1, size + 1, 1, leaves[0], p));
}

/* Proofs that are right but for their length: they stop at an inner node passed off as the root, or
 * carry a piece of a hash more. */
static void right_hashes_wrong_length(void **state)
{
    uint8_t n01[32], n23[32], root[32], proof[65] = {0};

    (void)state;
    cm_merkle_node(n01, leaves[0], leaves[1]);
    cm_merkle_node(n23, leaves[2], leaves[3]);
    cm_merkle_node(root, n01, n23);
    memcpy(proof, leaves[1], 32);
    memcpy(proof + 32, n23, 32);
    assert_true(cm_ok(cm_merkle_check_inclusion(root, 0, 4, leaves[0], cm_view_of(proof, 64))));
    REFUSED(cm_merkle_check_inclusion(root, 0, 4, leaves[0], cm_view_of(proof, 65)));
    REFUSED(cm_merkle_check_inclusion(n01, 0, 4, leaves[0], cm_view_of(proof, 32)));
    assert_true(cm_ok(cm_merkle_check_consistency(n01, 2, root, 4, CM_VIEW(n23))));
    REFUSED(cm_merkle_check_consistency(n01, 2, n01, 4, (cm_view){0}));
    REFUSED(cm_merkle_check_consistency(n01, 2, root, 4, cm_view_of(proof + 32, 33)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_of_a_span),    cmocka_unit_test(roots_of_each_size),
        cmocka_unit_test(roots_of_subtrees),   cmocka_unit_test(node_in_place),
        cmocka_unit_test(proofs_of_each_size), cmocka_unit_test(absurd_sizes),
        cmocka_unit_test(longest_proof),       cmocka_unit_test(right_hashes_wrong_length),
    };

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 197 >> 3 ^ i);
    }
    memset(salt, 0x5a, sizeof salt);
    for (size_t l = 0; l < LEAVES; l++) {
        ref_leaf(leaves[l], (cm_view){0}, cm_view_of(data + l * LEAF, LEAF));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
