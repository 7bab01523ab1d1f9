#ifndef CM_WIRE_DIGEST_H
#define CM_WIRE_DIGEST_H
/* RFC 9530 Content-Digest with sha-256 and sha-512. Any thread. */
#include "crypt/crypt.h"

enum { CM_DIGEST_HEADER_MAX = 512 };

/** Append `sha-256=:...:` (CM_SHA256) or `sha-512=:...:` (CM_SHA512). CRYPT_ALGORITHM. */
CM_MUST cm_err cm_digest_write(cm_buf *out, const cm_crypt *c, cm_hash h, cm_view body);
/** Whether the header's value fits the body: every sha-256 and sha-512 in it must, and there must
 * be one; other algorithms are skipped (W-10). SIGN_MALFORMED, SIGN_ALGORITHM none that is known,
 * SIGN_DIGEST. */
CM_MUST cm_err cm_digest_check(const cm_crypt *c, cm_view header, cm_view body);

#endif
