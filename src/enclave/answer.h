#ifndef CM_ENCLAVE_ANSWER_H
#define CM_ENCLAVE_ANSWER_H
/*
 * An answer bound to what gave it (spec/enclave.md, section 5): the manifest's digest, the hash of
 * the request, and, with a key of the operator's, a signature over both and the answer's hash.
 * Pure; any thread.
 */
#include "enclave/manifest.h"

enum { CM_ANSWER_ROOM = 32 << 10, CM_ANSWER_FRAME = 4 };
/* In a frame instead of a length: 32 bytes of a nonce follow, and evidence is the answer (EN-53).
 */
#define CM_ANSWER_EVIDENCE UINT32_MAX

/** Views are borrowed. */
typedef struct {
    uint8_t manifest[CM_ENCLAVE_DIGEST];
    uint8_t request[32];       /* SHA-256 of the request */
    bool simulated;            /* no hardware stands behind it */
    uint32_t failed;           /* a reason; 0: there is an answer */
    cm_view body;              /* the answer */
    cm_view signer, signature; /* fingerprint (K-33) and signature; empty: none */
} cm_answer;

/** Append the record of a; key NULL: unsigned. ENCLAVE_SIGNER, TOO_BIG. */
CM_MUST cm_err cm_answer_write(cm_buf *out, const cm_crypt *c, const cm_answer *a,
                               const cm_pkey *key);
/** Read a record, which *out borrows from. The errors of codec/cbor.h, ENCLAVE_PROTOCOL. */
CM_MUST cm_err cm_answer_read(cm_answer *out, cm_view record);
/** Whether a is what was asked for: of the manifest (NULL: any), to this request, and signed by key
 * (NULL: no matter). ENCLAVE_RESULT otherwise, or the reason that it gives for having failed. */
CM_MUST cm_err cm_answer_check(const cm_crypt *c, const cm_answer *a, const uint8_t *manifest,
                               cm_view request, const cm_pkey *key);

#endif
