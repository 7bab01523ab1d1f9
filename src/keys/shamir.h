#ifndef CM_KEYS_SHAMIR_H
#define CM_KEYS_SHAMIR_H
/*
 * A 32-byte secret split so that any `need` of `n` shares give it back and fewer tell nothing:
 * Shamir over GF(256), byte by byte (spec/unseal.md). A share names its set, its place and the
 * threshold, and carries an authenticator under a key that only the secret gives.
 *
 * Constant time in secret and shares: no branch and no address depends on them.
 */
#include "crypt/crypt.h"

enum {
    CM_SHARE_MAX = 32, /* people */
    CM_SHARE_SET = 4,
    CM_SHARE_MAC = 8,
    CM_SHARE_CHECK = 16,
    CM_SHARE_CHARS = 99, /* bytes of the text form: 20 groups of 4 */
};

typedef struct {
    uint8_t set[CM_SHARE_SET]; /* one random number for the shares of one splitting */
    uint8_t need, index;       /* index: 1 to CM_SHARE_MAX, the place on the polynomial */
    uint8_t y[32];
    uint8_t mac[CM_SHARE_MAC];
} cm_share;

void cm_share_wipe(cm_share *s);

/** n shares into list. SHARES_COUNT unless 1 <= need <= n <= CM_SHARE_MAX; NO_ENTROPY. */
CM_MUST cm_err cm_shamir_split(cm_share *list, const cm_crypt *c, const cm_key32 *secret,
                               unsigned need, unsigned n);
/** The secret of n shares, of which more than `need` may be given: all are checked.
 * *bad, if not NULL, is the index of the share to blame, 0 when that can't be told.
 * SHARES_FEW below the threshold; SHARES_MIXED: not of one splitting; SHARES_TWICE: two of the same
 * index; SHARES_COUNT: an index or threshold that is none; SHARES_FORGED. secret is untouched then.
 * Which share is forged can be told when there is one more than needed. */
CM_MUST cm_err cm_shamir_join(cm_key32 *secret, const cm_crypt *c, const cm_share *list, size_t n,
                              unsigned *bad);
/** A digest of a share, to be kept where a share that is given later is held against it. */
CM_MUST cm_err cm_share_check(uint8_t check[CM_SHARE_CHECK], const cm_crypt *c, const cm_share *s);

/** For people: appends CM_SHARE_CHARS bytes, groups of base32 with a checksum that finds slips of
 * the pen; the first two groups are the set's. */
CM_MUST cm_err cm_share_print(cm_buf *out, const cm_crypt *c, const cm_share *s);
/** Takes either case, spaces and dashes anywhere, O for 0, I and L for 1. SHARE_TEXT when it is no
 * share, SHARE_CHECKSUM when it was mistyped, SHARE_VERSION. out is untouched then. */
CM_MUST cm_err cm_share_parse(cm_share *out, const cm_crypt *c, cm_view text);

#endif
