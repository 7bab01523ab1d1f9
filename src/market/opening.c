#include "market/opening.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

enum { HASHES_MAX = 64 };

/* ---- the frame ---- */

typedef struct {
    cm_view rest;
} reader;

static bool take(reader *r, cm_view *out, size_t n)
{
    if (r->rest.n < n)
        return false;
    *out = cm_view_sub(r->rest, 0, n);
    r->rest = cm_view_sub(r->rest, n, r->rest.n - n);
    return true;
}

static bool take_u32(reader *r, uint32_t *out)
{
    cm_view v;

    if (!take(r, &v, 4))
        return false;
    *out = cm_get_be32(v.p);
    return true;
}

static bool dim_ok(uint32_t n)
{
    return n > 0 && n <= CM_OPENING_DIM;
}

static bool take_matrix(reader *r, cm_matrix *m)
{
    return take_u32(r, &m->rows) && take_u32(r, &m->cols) && dim_ok(m->rows) && dim_ok(m->cols) &&
           take(r, &m->entries, (size_t)m->rows * m->cols * 8);
}

static bool take_matrices(reader *r, cm_opening *o)
{
    const uint8_t *start = r->rest.p;

    if (!take_matrix(r, &o->a) || !take_matrix(r, &o->b) || !take_matrix(r, &o->c))
        return false;
    o->leaf = cm_view_of(start, (size_t)(r->rest.p - start));
    return o->a.cols == o->b.rows && o->a.rows == o->c.rows && o->b.cols == o->c.cols;
}

/* M-40 */
cm_err cm_opening_parse(cm_opening *o, cm_view frame)
{
    reader r = {frame};
    cm_opening x = {.index = 0};
    uint32_t beacon = 0, hashes = 0;
    cm_view v;

    if (!take(&r, &v, 40) || !take_u32(&r, &beacon) || !take(&r, &x.beacon, beacon) ||
        !take_matrices(&r, &x) || !take_u32(&r, &hashes) || hashes > HASHES_MAX ||
        !take(&r, &x.proof, (size_t)hashes * 32) || r.rest.n != 0)
        return CM_FAIL(MARKET_MALFORMED);
    memcpy(x.root, v.p, 32);
    x.index = cm_get_be64(v.p + 32);
    *o = x;
    return CM_OKAY;
}

/* ---- commitments ---- */

static cm_err pair(const cm_crypt *c, uint8_t out[32], const uint8_t l[32], const uint8_t r[32])
{
    return CM_KECCAK(c, out, cm_view_of(l, 32), cm_view_of(r, 32));
}

cm_err cm_opening_root(const cm_crypt *c, uint8_t out[32], uint8_t (*leaves)[32], size_t count)
{
    if (count == 0)
        return CM_FAIL(BAD_ARGUMENT);
    for (; count > 1; count = count / 2 + count % 2)
        for (size_t i = 0; i < count; i += 2)
            CM_TRY(pair(c, leaves[i / 2], leaves[i], leaves[CM_MIN(i + 1, count - 1)]));
    memcpy(out, leaves[0], 32);
    return CM_OKAY;
}

cm_err cm_opening_commitment(const cm_crypt *c, uint8_t out[32], const uint8_t root[32],
                             uint64_t count)
{
    uint8_t n[8];

    cm_put_be64(n, count);
    /* M-42 */
    return CM_KECCAK(c, out, CM_LIT("casemate/poi/commitment/v1"), CM_VIEW(n),
                     cm_view_of(root, 32));
}

cm_err cm_opening_leaf(const cm_crypt *c, uint8_t out[32], const cm_opening *o)
{
    return CM_KECCAK(c, out, CM_LIT("hanzo/poi/matmul-leaf/v1"), o->leaf);
}

static size_t depth_of(uint64_t count)
{
    size_t depth = 0;

    for (count -= 1; count > 0; count >>= 1)
        depth++;
    return depth;
}

static cm_err check_committed(const cm_crypt *c, const cm_opening *o, const uint8_t commitment[32],
                              uint64_t count)
{
    uint64_t at = o->index;
    uint8_t node[32];

    CM_TRY(cm_opening_commitment(c, node, o->root, count));
    if (!cm_view_eq(CM_VIEW(node), cm_view_of(commitment, 32)) || at >= count ||
        o->proof.n != 32 * depth_of(count))
        return CM_FAIL(MERKLE_PROOF);
    CM_TRY(cm_opening_leaf(c, node, o));
    for (size_t i = 0; i < o->proof.n; i += 32, at >>= 1) {
        if (at & 1)
            CM_TRY(pair(c, node, o->proof.p + i, node));
        else
            CM_TRY(pair(c, node, node, o->proof.p + i));
    }
    return cm_view_eq(CM_VIEW(node), CM_VIEW(o->root)) ? CM_OKAY : CM_FAIL(MERKLE_PROOF);
}

/* ---- the field ---- */

static uint64_t reduce(uwide v)
{
    uint64_t low = (uint64_t)v & CM_OPENING_P, r;

    v = (v >> 61) + low;
    r = (uint64_t)(v & CM_OPENING_P) + (uint64_t)(v >> 61);
    return r >= CM_OPENING_P ? r - CM_OPENING_P : r;
}

static uint64_t to_field(wide v)
{
    uint64_t r = reduce(v < 0 ? (uwide)-v : (uwide)v);

    return v < 0 && r != 0 ? CM_OPENING_P - r : r;
}

/* Entries are within 32 bits (M-41): 4096 products of 2^31 and 2^61 stay below 2^104, so that one
 * reduction a row does. */
static void times(uint64_t *out, const cm_matrix *m, const uint64_t *v)
{
    const uint8_t *p = m->entries.p;

    for (uint32_t i = 0; i < m->rows; i++) {
        wide sum = 0;

        for (uint32_t j = 0; j < m->cols; j++, p += 8)
            sum += (wide)(int64_t)cm_get_be64(p) * (int64_t)v[j];
        out[i] = to_field(sum);
    }
}

/* The greatest absolute value; past int32 it is UINT64_MAX. */
static uint64_t greatest(const cm_matrix *m)
{
    uint64_t most = 0;

    for (size_t i = 0; i < m->entries.n; i += 8) {
        int64_t x = (int64_t)cm_get_be64(m->entries.p + i);

        if (x > INT32_MAX || x < INT32_MIN)
            return UINT64_MAX;
        most = CM_MAX(most, (uint64_t)(x < 0 ? -x : x));
    }
    return most;
}

/* M-41: |(A B)[i][j] - C[i][j]| stays below p, so that equal in the field is equal. */
static bool range_ok(const cm_opening *o)
{
    uint64_t a = greatest(&o->a), b = greatest(&o->b), c = greatest(&o->c);

    return a != UINT64_MAX && b != UINT64_MAX && c != UINT64_MAX &&
           (uwide)a * b * o->a.cols + c < CM_OPENING_P;
}

cm_err cm_opening_challenge(const cm_crypt *c, uint64_t *out, size_t n, cm_view seed,
                            uint32_t round)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    uint8_t index[12], digest[32];

    CM_TRY(cm_hasher_new(&h, c, CM_KECCAK256));
    cm_put_be32(index, round);
    for (size_t i = 0; i < n; i++) {
        cm_put_be64(index + 4, i);
        CM_TRY(cm_hasher_update(h, seed));
        CM_TRY(cm_hasher_update(h, CM_VIEW(index)));
        CM_TRY(cm_hasher_final(h, digest));
        out[i] = cm_get_be64(digest) % CM_OPENING_P; /* M-43 */
    }
    return CM_OKAY;
}

typedef struct {
    uint64_t r[CM_OPENING_DIM], br[CM_OPENING_DIM], abr[CM_OPENING_DIM], cr[CM_OPENING_DIM];
} vectors;

static cm_err one_round(const cm_crypt *c, const cm_opening *o, vectors *v, cm_view seed,
                        uint32_t round)
{
    size_t n = (size_t)o->c.rows * sizeof *v->cr;

    CM_TRY(cm_opening_challenge(c, v->r, o->b.cols, seed, round));
    times(v->br, &o->b, v->r);
    times(v->abr, &o->a, v->br);
    times(v->cr, &o->c, v->r);
    return cm_view_eq(cm_view_of(v->abr, n), cm_view_of(v->cr, n)) ? CM_OKAY
                                                                   : CM_FAIL(OPENING_PRODUCT);
}

cm_err cm_opening_product(const cm_crypt *c, const cm_opening *o, unsigned rounds)
{
    CM_AUTO(cm_free_ptr) vectors *v = NULL;
    uint8_t seed[32], index[8];

    if (rounds == 0 || rounds > CM_OPENING_ROUNDS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    if (!range_ok(o))
        return CM_FAIL(OPENING_RANGE);
    CM_TRY(cm_alloc(&v, sizeof *v));
    cm_put_be64(index, o->index);
    CM_TRY(CM_KECCAK(c, seed, o->beacon, CM_VIEW(o->root), CM_VIEW(index)));
    for (unsigned i = 0; i < rounds; i++)
        CM_TRY(one_round(c, o, v, CM_VIEW(seed), i));
    return CM_OKAY;
}

cm_err cm_opening_check(const cm_crypt *c, const cm_opening *o, const uint8_t commitment[32],
                        uint64_t count, unsigned rounds)
{
    if (rounds == 0 || rounds > CM_OPENING_ROUNDS_MAX || count == 0)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(check_committed(c, o, commitment, count));
    return cm_opening_product(c, o, rounds);
}
