#ifndef CM_WIRE_JWT_INT_H
#define CM_WIRE_JWT_INT_H
/* What the files about tokens share. */
#include "crypt/rsa.h"
#include "crypt/sig.h"
#include "wire/jwt.h"

enum { CM_JWT_KID_MAX = 256 };

typedef enum {
    CM_JWT_ES256,
    CM_JWT_ES384,
    CM_JWT_EDDSA,
    CM_JWT_RS256,
    CM_JWT_PS256,
    CM_JWT_MLDSA44,
    CM_JWT_MLDSA65,
    CM_JWT_MLDSA87,
    CM_JWT_ALGS,
} cm_jwt_alg;

/** "ES256": static; by name, false when unknown. */
const char *cm_jwt_alg_name(cm_jwt_alg a);
bool cm_jwt_alg_by_name(cm_jwt_alg *out, cm_view name);

typedef struct {
    cm_buf kid;
    unsigned algs;   /* bits of cm_jwt_alg that it may verify */
    cm_sig_key *sig; /* one of the two */
    cm_rsa *rsa;
} cm_jwk;

struct cm_jwks {
    size_t n;
    cm_jwk v[CM_JWKS_KEYS_MAX];
};

/** By kid, or the only one when kid is empty; NULL when there is none. */
const cm_jwk *cm_jwks_find(const cm_jwks *k, cm_view kid);

#endif
