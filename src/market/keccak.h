#ifndef CM_MARKET_KECCAK_H
#define CM_MARKET_KECCAK_H
/* Keccak-256 as the chains have it (padding 01, not FIPS 202's), over joined parts. */
#include "crypt/crypt.h"

/** out = Keccak-256 of the parts one after another. NO_MEMORY, CRYPT_PROFILE (the fips profile does
 * not serve it). Public bytes only. Any thread. */
CM_MUST cm_err cm_keccak_parts(const cm_crypt *c, uint8_t out[32], const cm_view *parts,
                               size_t count);
/** cm_keccak_parts() over the views that follow. */
#define CM_KECCAK(c, out, ...)                            \
    cm_keccak_parts((c), (out), (cm_view[]){__VA_ARGS__}, \
                    sizeof((cm_view[]){__VA_ARGS__}) / sizeof(cm_view))

#endif
