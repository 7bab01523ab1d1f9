#ifndef CM_KEYS_SHAMIR_H
#define CM_KEYS_SHAMIR_H
/*
 * A 32-byte secret split so that any `need` of `n` shares give it back and fewer tell nothing:
 * Shamir over GF(256), byte by byte (spec/unseal.md). A share names its set, its place and the
 * threshold, and carries an authenticator under a key that is shared along with the secret: a
 * forged share is found out, and which one it is.
 *
 * Constant time in secret and shares; no table is read at an address that depends on them.
 */
#include "crypt/crypt.h"

enum {
    CM_SHARE_MAX = 32, /* people */
    CM_SHARE_Y = 64,   /* secret and authentication key */
    CM_SHARE_BYTES = 1 + 16 + 2 + CM_SHARE_Y + 32,
    CM_SHARE_TEXT = 256, /* room for the text form */
};

typedef struct {
    uint8_t set[16]; /* one number for the shares of one splitting */
    uint8_t need, index;
    uint8_t y[CM_SHARE_Y];
    uint8_t mac[32]; /* over all that, under the shared authentication key */
} cm_share;

void cm_share_wipe(cm_share *s);

/** n shares into list. SHARES_COUNT unless 1 <= need <= n <= CM_SHARE_MAX; NO_ENTROPY. */
CM_MUST cm_err cm_shamir_split(cm_share *list, const cm_crypt *c, const cm_key32 *secret,
                               unsigned need, unsigned n);
/** The secret of n shares, of which more than `need` may be given: all are checked.
 * *bad, if not NULL, is then the index of the share to blame, 0 when none can be told.
 * SHARES_FEW with less than the threshold; SHARES_MIXED: not of one splitting; SHARES_TWICE: two of
 * the same index; SHARES_FORGED. secret is untouched then. */
CM_MUST cm_err cm_shamir_join(cm_key32 *secret, const cm_crypt *c, const cm_share *list, size_t n,
                              unsigned *bad);

/** For people: groups of base32 with a checksum that finds slips of the pen. Appends no newline. */
CM_MUST cm_err cm_share_print(cm_buf *out, const cm_crypt *c, const cm_share *s);
/** Takes either case, spaces and dashes anywhere, and O for 0, I and L for 1. SHARE_TEXT when it is
 * no share, SHARE_CHECKSUM when it was mistyped, SHARE_VERSION. */
CM_MUST cm_err cm_share_parse(cm_share *out, const cm_crypt *c, cm_view text);

#endif
