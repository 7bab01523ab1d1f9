#ifndef CM_KEYS_FROST_H
#define CM_KEYS_FROST_H
/*
 * FROST (RFC 9591): m of n holders of shares make one Schnorr signature in two rounds, and no one
 * ever holds the key. FROST(Ed25519, SHA-512) gives ordinary Ed25519 signatures; FROST(secp256k1,
 * SHA-256) the RFC's own, R || z with a compressed R. spec/frost.md.
 *
 * Round one: each signer makes nonces and sends their commitments. Round two: each gets all
 * commitments, and gives a share of the signature. Whoever adds them up can tell which is bad.
 *
 * Constant time in shares, nonces and what is made of them; variable time in all that is public.
 * Any thread. Sizes are those of the larger suite; Ed25519 leaves the last byte of an element 0.
 */
#include "crypt/crypt.h"

enum {
    CM_FROST_MAX = 32, /* holders */
    CM_FROST_SCALAR = 32,
    CM_FROST_ELEMENT = 33,
    CM_FROST_SIG_MAX = 65,
    CM_FROST_GROUP_MAX = 4 + CM_FROST_MAX * CM_FROST_ELEMENT, /* encoded */
    CM_FROST_COMMITMENT = 1 + 2 * CM_FROST_ELEMENT,
    CM_FROST_NONCES = 2 * CM_FROST_SCALAR + CM_FROST_COMMITMENT,
};

typedef enum { CM_FROST_ED25519 = 0, CM_FROST_SECP256K1 = 1 } cm_frost_suite;

/** What all may know: the commitments to the dealer's polynomial, of which the first is the public
 * key. */
typedef struct {
    cm_frost_suite suite;
    uint8_t need, n;
    uint8_t vss[CM_FROST_MAX][CM_FROST_ELEMENT]; /* need of them */
} cm_frost_group;

typedef struct {
    uint8_t id; /* 1 to n */
    uint8_t secret[CM_FROST_SCALAR];
} cm_frost_share;

typedef struct {
    uint8_t id;
    uint8_t hiding[CM_FROST_ELEMENT], binding[CM_FROST_ELEMENT];
} cm_frost_commitment;

/** For one signature: cm_frost_sign() wipes them. Whoever stores them must see to it that they are
 * taken out once (F-5). */
typedef struct {
    uint8_t hiding[CM_FROST_SCALAR], binding[CM_FROST_SCALAR];
    cm_frost_commitment commitment;
} cm_frost_nonces;

typedef struct {
    uint8_t id;
    uint8_t z[CM_FROST_SCALAR];
} cm_frost_part;

/** Bytes of an element, of a signature. */
size_t cm_frost_element_size(cm_frost_suite s);
size_t cm_frost_sig_size(cm_frost_suite s);
/** Borrowed from g. */
cm_view cm_frost_public(const cm_frost_group *g);

/** A key split among n. shares has room for n, in order of their ids. secret: NULL for a random
 * one; FROST_PARAMS unless 2 <= need <= n <= CM_FROST_MAX, or for a secret that is no scalar.
 * Nothing is written then. The caller wipes shares. */
CM_MUST cm_err cm_frost_deal(cm_frost_group *g, cm_frost_share *shares, const cm_crypt *c,
                             cm_frost_suite suite, unsigned need, unsigned n,
                             const uint8_t *secret);
/** Whether a share is the one that g commits to: FROST_SHARE. */
CM_MUST cm_err cm_frost_check(const cm_frost_group *g, const cm_frost_share *s);

/** Round one. Hedged: from fresh randomness and the share both. */
CM_MUST cm_err cm_frost_commit(cm_frost_nonces *out, const cm_crypt *c, const cm_frost_group *g,
                               const cm_frost_share *s);
/** Round two: the share of a signature over msg by those in list, which is in order of ids.
 * nonces are wiped whatever comes out, but for FROST_LIST: the list is too short or long, not in
 * order, or holds an unknown id, and FROST_NOT_OURS: our commitment is not in it.
 * FROST_NONCE_USED: they were wiped before; FROST_POINT: a commitment is no element. */
CM_MUST cm_err cm_frost_sign(cm_frost_part *out, const cm_crypt *c, const cm_frost_group *g,
                             const cm_frost_share *s, cm_frost_nonces *nonces,
                             const cm_frost_commitment *list, size_t n, cm_view msg);
/** Adds up the parts of all in list, in the same order. When the signature does not verify, every
 * part is looked at: FROST_SHARE, and *bad, if not NULL, is the id of the first bad one (0: none
 * found). sig has room for CM_FROST_SIG_MAX; untouched on failure. */
CM_MUST cm_err cm_frost_aggregate(uint8_t *sig, unsigned *bad, const cm_crypt *c,
                                  const cm_frost_group *g, const cm_frost_commitment *list,
                                  const cm_frost_part *parts, size_t n, cm_view msg);
/** UNAUTHENTIC (CRYPT_SIGNATURE). public: of cm_frost_public(). */
CM_MUST cm_err cm_frost_verify(const cm_crypt *c, cm_frost_suite suite, cm_view public, cm_view msg,
                               cm_view sig);

/* ---- as bytes ---- strict both ways; FROST_ENCODING. Encoders append. */
CM_MUST cm_err cm_frost_put_group(cm_buf *out, const cm_frost_group *g);
/** Checks that every commitment is an element. */
CM_MUST cm_err cm_frost_get_group(cm_frost_group *g, cm_view v);
CM_MUST cm_err cm_frost_put_commitment(cm_buf *out, const cm_frost_commitment *x);
CM_MUST cm_err cm_frost_get_commitment(cm_frost_commitment *x, cm_view v);
/** Secret. */
CM_MUST cm_err cm_frost_put_nonces(cm_buf *out, const cm_frost_nonces *x);
CM_MUST cm_err cm_frost_get_nonces(cm_frost_nonces *x, cm_view v);

#endif
