#ifndef CM_CRYPT_BOX_H
#define CM_CRYPT_BOX_H
/*
 * A small message sealed under a long-lived key: spec/box.md. Every box has a key of its own,
 * derived from 24 random bytes, so that one key may seal without a count; and it is committing: it
 * opens under one key alone, whoever chose the keys.
 *
 *   01 | nonce 24 | commitment 32 | ciphertext | tag 16
 *   key 32 | commitment 32 = HKDF-Expand-SHA512(k, "casemate-box-v1" 00 purpose 00 nonce)
 *   AES-256-GCM under key, nonce zero, with the caller's aad
 */
#include "crypt/crypt.h"

enum { CM_BOX_OVERHEAD = 73, CM_BOX_MAX = 64 << 20, CM_BOX_PURPOSE_MAX = 64 };

/** Append a box. TOO_BIG past CM_BOX_MAX, BAD_ARGUMENT for a long purpose or one with a zero byte,
 * NO_ENTROPY. out untouched on failure; not to overlap the inputs. Constant time in key and plain.
 * Any thread. */
CM_MUST cm_err cm_box_seal(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view purpose,
                           cm_view aad, cm_view plain);
/** Append what is in it. CRYPT_TAG for anything wrong: length, version, key, purpose, aad, bytes.
 */
CM_MUST cm_err cm_box_open(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view purpose,
                           cm_view aad, cm_view box);

#endif
