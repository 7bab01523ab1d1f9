#ifndef CM_WIRE_APIKEY_H
#define CM_WIRE_APIKEY_H
/*
 * API keys: "cmk_" + 43 characters of base64url (32 random bytes) + 6 of checksum, so that scanners
 * find leaked ones and a typing error is told from a wrong key. Only SHA-256 of the whole text is
 * ever stored (spec/wire-auth.md from W-70 on).
 */
#include "crypt/crypt.h"

enum { CM_APIKEY_TEXT = 4 + 43 + 6, CM_APIKEY_HASH = 32 };

/** A fresh key, NUL-terminated: a secret, to be shown once and wiped. */
CM_MUST cm_err cm_apikey_new(char out[CM_APIKEY_TEXT + 1], const cm_crypt *c);
/** Its hash, by which it is stored and found. APIKEY_MALFORMED form or checksum. */
CM_MUST cm_err cm_apikey_hash(uint8_t out[CM_APIKEY_HASH], const cm_crypt *c, cm_view text);
/** Whether text is the key of that hash; constant time. APIKEY_MALFORMED, APIKEY_WRONG. */
CM_MUST cm_err cm_apikey_check(const cm_crypt *c, cm_view text, cm_view hash);

#endif
