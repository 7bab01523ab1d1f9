#ifndef CM_RELEASE_EAR_INT_H
#define CM_RELEASE_EAR_INT_H
/* The claims in JSON and in CBOR. */
#include "release/ear.h"

/* RL-20 */
#define CM_EAR_PROFILE   "tag:ietf.org,2026:rats/ear#04"
#define CM_EAR_DEVELOPER "casemate"
#define CM_EAR_POLICY_ID "urn:casemate:policy:sha256:"

/** Append claims as an issuer writes them: one text for each value (RL-21). */
CM_MUST cm_err cm_ear_json_put(cm_buf *out, const cm_ear *e);
CM_MUST cm_err cm_ear_cbor_put(cm_buf *out, const cm_ear *e);
/** Read them; what is written again is compared by the caller. TOKEN_FORM. */
CM_MUST cm_err cm_ear_json_read(cm_ear *out, cm_view text);
CM_MUST cm_err cm_ear_cbor_read(cm_ear *out, cm_view text);

/** "ML-KEM-768+A192KW"; NULL for a KEM that tokens are not held by. */
const char *cm_ear_kem_name(cm_kem_id id);
/** 0 for an unknown name. */
cm_kem_id cm_ear_kem_of(cm_view name);
/** A text of at most max bytes without NUL into out, which is terminated. */
bool cm_ear_text(char *out, size_t max, cm_view v);
/** Exactly n bytes. */
bool cm_ear_bytes(uint8_t *out, size_t n, cm_view v);
/** Append the policy's identifier. */
CM_MUST cm_err cm_ear_policy_id(cm_buf *out, const cm_ear_bound *b);

#endif
