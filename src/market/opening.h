#ifndef CM_MARKET_OPENING_H
#define CM_MARKET_OPENING_H
/*
 * Openings of committed matrix products, checked by Freivalds' method over p = 2^61 - 1
 * (spec/market.md, section 7): A (B r) = C r for random r costs three matrix-vector products.
 * Compatible with the published frame and challenges, but for two mends: entries are bounded, and
 * the commitment binds the number of leaves. Everything is public. Any thread.
 */
#include "market/keccak.h"

#define CM_OPENING_P (((uint64_t)1 << 61) - 1)

enum { CM_OPENING_DIM = 4096, CM_OPENING_ROUNDS = 2, CM_OPENING_ROUNDS_MAX = 16 };

/* Entries are int64, big-endian, by rows. Borrowed. */
typedef struct {
    uint32_t rows, cols;
    cm_view entries;
} cm_matrix;

typedef struct {
    uint8_t root[32];
    uint64_t index;
    cm_view beacon, proof;
    cm_matrix a, b, c;
    cm_view leaf; /* the three matrices as they stand in the frame */
} cm_opening;

/** Everything borrowed from the frame. MARKET_MALFORMED: cut short, trailing bytes, a dimension of
 * 0 or above 4096, dimensions that do not fit each other, a proof above 64 hashes. */
CM_MUST cm_err cm_opening_parse(cm_opening *o, cm_view frame);
/** out[i] for i < n: element i of challenge number round. */
CM_MUST cm_err cm_opening_challenge(const cm_crypt *c, uint64_t *out, size_t n, cm_view seed,
                                    uint32_t round);
/** What a prover publishes: the count of leaves and the root, hashed together. */
CM_MUST cm_err cm_opening_commitment(const cm_crypt *c, uint8_t out[32], const uint8_t root[32],
                                     uint64_t count);
/** The root over leaves, which are used up (keccak, a last odd node paired with itself: as
 * published). BAD_ARGUMENT for none. */
CM_MUST cm_err cm_opening_root(const cm_crypt *c, uint8_t out[32], uint8_t (*leaves)[32],
                               size_t count);
CM_MUST cm_err cm_opening_leaf(const cm_crypt *c, uint8_t out[32], const cm_opening *o);
/** That C = A B alone, of whatever commitment: errors as below. */
CM_MUST cm_err cm_opening_product(const cm_crypt *c, const cm_opening *o, unsigned rounds);
/** That the opening is of the commitment over count leaves and that C = A B.
 * MERKLE_PROOF: not committed. OPENING_RANGE: entries so large that the field could not tell.
 * OPENING_PRODUCT: C is not A B. rounds is 1 to 16; wrong products pass with 2^-61 a round. */
CM_MUST cm_err cm_opening_check(const cm_crypt *c, const cm_opening *o,
                                const uint8_t commitment[32], uint64_t count, unsigned rounds);

#endif
