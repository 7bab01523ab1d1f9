#include "crypt/merkle.h"

#include <string.h>

#include "base/base.h"

/* Where a check stands: the bounds of what is being followed as node numbers of the present level,
 * and the hashes still to come. */
typedef struct {
    uint64_t fn, sn, tn;
    const uint8_t *p;
    size_t left;
} walk;

static bool begin(walk *w, cm_view proof)
{
    w->p = proof.p;
    w->left = proof.n / 32;
    return proof.n % 32 == 0;
}

static const uint8_t *next(walk *w)
{
    const uint8_t *p = w->p;

    w->p += 32;
    w->left--;
    return p;
}

static void up(walk *w)
{
    w->fn >>= 1;
    w->sn >>= 1;
    w->tn >>= 1;
}

static bool equal(const uint8_t a[32], const uint8_t b[32])
{
    return cm_view_eq(cm_view_of(a, 32), cm_view_of(b, 32));
}

static bool odd(uint64_t v)
{
    return (v & 1) != 0;
}

/* RFC 9162, 2.1.3.2. */
cm_err cm_merkle_check_inclusion(const uint8_t root[32], uint64_t index, uint64_t size,
                                 const uint8_t leaf[32], cm_view proof)
{
    walk w = {.fn = index, .sn = size - 1};
    uint8_t r[32];

    if (index >= size || !begin(&w, proof)) {
        return CM_FAIL(MERKLE_PROOF);
    }
    memcpy(r, leaf, 32);
    while (w.left > 0 && w.sn != 0) {
        const uint8_t *p = next(&w);

        if (odd(w.fn) || w.fn == w.sn) {
            cm_merkle_node(r, p, r);
            while (!odd(w.fn) && w.fn != 0) {
                up(&w);
            }
        } else {
            cm_merkle_node(r, r, p);
        }
        up(&w);
    }
    return w.left == 0 && w.sn == 0 && equal(r, root) ? CM_OKAY : CM_FAIL(MERKLE_PROOF);
}

static bool valid_subtree(uint64_t start, uint64_t end)
{
    uint64_t width = end - start, ceil = 1;

    if (start >= end) {
        return false;
    }
    while (ceil < width && ceil != 0) {
        ceil <<= 1;
    }
    return ceil == 0 ? start == 0 : (start & (ceil - 1)) == 0;
}

cm_err cm_merkle_check_subtree_inclusion(const uint8_t root[32], uint64_t start, uint64_t end,
                                         uint64_t index, const uint8_t leaf[32], cm_view proof)
{
    if (!valid_subtree(start, end) || index < start) {
        return CM_FAIL(MERKLE_PROOF);
    }
    return cm_merkle_check_inclusion(root, index - start, end - start, leaf, proof);
}

/* One proof hash for the walk from the subtree's last node up: f gathers the subtree's root while
 * w.fn < w.sn, s the whole tree's. */
static void climb(walk *w, uint8_t f[32], uint8_t s[32])
{
    const uint8_t *p = next(w);

    if (odd(w->sn) || w->sn == w->tn) {
        if (w->fn < w->sn) {
            cm_merkle_node(f, p, f);
        }
        cm_merkle_node(s, p, s);
        while (!odd(w->sn) && w->sn != 0) {
            up(w);
        }
    } else {
        cm_merkle_node(s, s, p);
    }
    up(w);
}

static bool is_empty_root(const uint8_t h[32])
{
    uint8_t empty[32];

    cm_merkle_root(empty, NULL, 0);
    return equal(empty, h);
}

/* The proof begins at the largest complete subtree that ends where the walk does: the followed
 * subtree itself when that is complete or ends where the tree does, and is then not in the proof.
 */
static bool first_hash(walk *w, uint8_t f[32], const uint8_t sub[32])
{
    while (w->fn != w->sn && (odd(w->sn) || w->sn == w->tn)) {
        up(w);
    }
    if (w->fn != w->sn && w->left == 0) {
        return false;
    }
    memcpy(f, w->fn == w->sn ? sub : next(w), 32);
    return true;
}

/* RFC 9162, 2.1.4.2, with its first tree moved from [0, size1) to [start, end). */
cm_err cm_merkle_check_subtree(const uint8_t sub[32], uint64_t start, uint64_t end,
                               const uint8_t root[32], uint64_t size, cm_view proof)
{
    walk w = {.fn = start, .sn = end - 1, .tn = size - 1};
    uint8_t f[32], s[32];

    if (start == end && end <= size && proof.n == 0 && is_empty_root(sub)) {
        return CM_OKAY;
    }
    if (!valid_subtree(start, end) || end > size || !begin(&w, proof) || !first_hash(&w, f, sub)) {
        return CM_FAIL(MERKLE_PROOF);
    }
    memcpy(s, f, 32);
    while (w.left > 0 && w.tn != 0) {
        climb(&w, f, s);
    }
    return w.left == 0 && w.tn == 0 && equal(f, sub) && equal(s, root) ? CM_OKAY
                                                                       : CM_FAIL(MERKLE_PROOF);
}

cm_err cm_merkle_check_consistency(const uint8_t root1[32], uint64_t size1, const uint8_t root2[32],
                                   uint64_t size2, cm_view proof)
{
    return size1 == 0 ? CM_FAIL(MERKLE_PROOF)
                      : cm_merkle_check_subtree(root1, 0, size1, root2, size2, proof);
}
