#ifndef CM_WIRE_JWT_H
#define CM_WIRE_JWT_H
/*
 * Verifying JSON Web Tokens (RFC 7519, compact JWS): ES256, ES384, EdDSA (Ed25519), RS256, PS256
 * and ML-DSA-44/65/87 (RFC 9964, key type AKP). The key decides the algorithm: a header that names
 * another is refused, and `none` and HS* do not exist here (spec/wire-auth.md from W-50 on).
 * Nothing reads a clock or fetches anything. A key set is immutable: any thread.
 */
#include "codec/json.h"
#include "crypt/crypt.h"

enum {
    CM_JWT_MAX = 16 << 10,   /* bytes of a token */
    CM_JWKS_MAX = 256 << 10, /* bytes of a key set */
    CM_JWKS_KEYS_MAX = 64,
    CM_JWT_SKEW_MAX = 300,
};

typedef struct cm_jwks cm_jwks;
/** A JWK set. Keys of unknown types, for encryption, or without kid are skipped; one that is
 * damaged, or a kid that occurs twice, refuses the set. JWKS_MALFORMED, JWKS_LIMIT. */
CM_MUST cm_err cm_jwks_parse(cm_jwks **out, const cm_crypt *c, cm_view json);
void cm_jwks_free(cm_jwks *k);
void cm_jwks_free_ptr(cm_jwks **k);
size_t cm_jwks_size(const cm_jwks *k); /* usable keys */

typedef struct {
    cm_view issuer;   /* must be equal; never empty */
    cm_view audience; /* must be, or be among, `aud`; never empty */
    uint64_t now;     /* seconds */
    uint32_t skew;    /* seconds allowed either way, at most CM_JWT_SKEW_MAX */
    uint32_t max_age; /* longest life, exp - iat; 0: 1 day */
} cm_jwt_pins;

typedef struct {
    cm_json *claims; /* all of them; owned */
    cm_view subject; /* borrows from claims */
    const char *alg; /* static */
    uint64_t issued, expires;
    bool post_quantum;
} cm_jwt;
/** UNAUTHENTIC: JWT_MALFORMED, JWT_ALGORITHM, JWT_KEY unknown kid, JWT_SIGNATURE, JWT_ISSUER,
 * JWT_AUDIENCE, JWT_TIME expired, not yet valid, without exp or iat, or too long-lived. */
CM_MUST cm_err cm_jwt_verify(cm_jwt *out, const cm_crypt *c, const cm_jwks *keys, cm_view token,
                             const cm_jwt_pins *pins);
void cm_jwt_free(cm_jwt *t);

#endif
