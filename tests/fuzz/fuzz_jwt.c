/* First line: a key set, tried as such. The rest: a token, against a set of one fixed key that has
 * signed nothing. */
#include <stdlib.h>

#include "wire/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static const char fixed[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":"
                            "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    static cm_jwks *keys;
    static const cm_jwt_pins pins = {.issuer = {(const uint8_t *)"i", 1},
                                     .audience = {(const uint8_t *)"a", 1},
                                     .now = 1800000000,
                                     .skew = 60};
    const uint8_t *lf = n ? memchr(p, '\n', n) : NULL;
    size_t first = lf ? (size_t)(lf - p) : n;
    cm_view token = lf ? cm_view_of(lf + 1, n - first - 1) : cm_view_of(p, 0);
    cm_jwks *set = NULL;
    cm_jwt t = {0};

    if (!c) {
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
        must(cm_ok(cm_jwks_parse(&keys, c, cm_view_str(fixed))));
    }
    if (cm_ok(cm_jwks_parse(&set, c, cm_view_of(p, first))))
        must(cm_jwks_size(set) <= CM_JWKS_KEYS_MAX);
    must(cm_failed(cm_jwt_verify(&t, c, keys, token, &pins)));
    if (set && cm_ok(cm_jwt_verify(&t, c, set, token, &pins)))
        must(t.subject.n > 0);
    cm_jwt_free(&t);
    cm_jwks_free(set);
    return 0;
}
