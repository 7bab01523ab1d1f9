#ifndef CM_KEYS_FROST_INT_H
#define CM_KEYS_FROST_INT_H
/* What FROST needs of a prime-order group. Elements pass as their encodings, which are unique. */
#include "keys/frost.h"

enum { CM_FROST_TERMS = 2 * CM_FROST_MAX + 2 };

typedef struct {
    size_t element;
    const char *context; /* RFC 9591's contextString */

    /* Constant time; out may be an input. */
    void (*add)(uint8_t out[32], const uint8_t a[32], const uint8_t b[32]);
    void (*mul)(uint8_t out[32], const uint8_t a[32], const uint8_t b[32]);
    void (*small)(uint8_t out[32], unsigned v);
    /* -x and 1/x of public numbers. */
    void (*negate)(uint8_t out[32], const uint8_t a[32]);
    void (*invert)(uint8_t out[32], const uint8_t a[32]);
    /* Below the order, and not 0. The answer is public. */
    bool (*valid)(const uint8_t a[32]);

    /* Scalar times the base: constant time. FROST_POINT for 0. */
    cm_err (*base)(uint8_t *out, const uint8_t a[32]);
    /* The sum of a[i] E[i]: variable time. FROST_POINT when an E is none, or the sum is 0. */
    cm_err (*combine)(uint8_t *out, const uint8_t (*a)[32], const uint8_t *const *e, size_t n);
    /* Whether it is an element, and not 0. */
    cm_err (*check)(const uint8_t *e);

    /* H1, H3 ("rho", "nonce") and H2, to scalars; parts are hashed one after another. */
    cm_err (*to_scalar)(const cm_crypt *c, uint8_t out[32], const char *tag, const cm_view *parts,
                        size_t n);
    /* H4, H5 ("msg", "com"); the size of it. */
    cm_hash hash;
} cm_frost_ops;

extern const cm_frost_ops cm_frost_ed25519;
extern const cm_frost_ops cm_frost_secp256k1;

/* The Edwards curve of RFC 8032: scalars modulo the order, points as 32 bytes. */
void cm_ed_scalar_reduce(uint8_t out[32], const uint8_t in[64]);
void cm_ed_scalar_mul(uint8_t out[32], const uint8_t a[32], const uint8_t b[32]);
void cm_ed_scalar_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32]);

typedef struct {
    uint64_t v[5]; /* 51 bits each, and a little more between operations */
} cm_fe;
typedef struct {
    cm_fe x, y, z, t; /* x = X/Z, y = Y/Z, xy = T/Z */
} cm_ed_point;

void cm_ed_identity(cm_ed_point *out);
const cm_ed_point *cm_ed_base(void);
/* out may be an input. Complete: no exceptional points. Constant time. */
void cm_ed_add(cm_ed_point *out, const cm_ed_point *a, const cm_ed_point *b);
/* Constant time in scalar and point. */
void cm_ed_mul(cm_ed_point *out, const uint8_t scalar[32], const cm_ed_point *p);
void cm_ed_encode(uint8_t out[32], const cm_ed_point *p);
/* False unless canonical and on the curve. Variable time. */
bool cm_ed_decode(cm_ed_point *out, const uint8_t in[32]);
bool cm_ed_is_identity(const cm_ed_point *p);
/* Variable time. */
bool cm_ed_in_subgroup(const cm_ed_point *p);

#endif
