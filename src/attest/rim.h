#ifndef CM_ATTEST_RIM_H
#define CM_ATTEST_RIM_H
/*
 * NVIDIA's reference manifests (RIM) in the form that verification reads: what an import took from
 * the vendor's signed XML, in deterministic CBOR. The file has no signature of its own; a policy
 * names its SHA-256 (AT-121).
 *
 * Views borrow from the file. Any thread; time depends on the data, which is public.
 */
#include "crypt/crypt.h"

enum {
    CM_RIM_ROWS = 64,
    CM_RIM_NAME = 32, /* SHA-256 of a file */
    CM_RIM_DIGEST = 48,
    CM_RIM_ALTERNATIVES = 16,
    CM_RIM_MAX = 8, /* manifests in one file */
    CM_RIM_FILE_MAX = 512 << 10,
};

typedef struct {
    cm_view id, product, version;
    cm_view signer;       /* SHA-256 of the signing key's SubjectPublicKeyInfo */
    uint64_t from, until; /* when all certificates of the signer hold */
    /* Of measurement index + 1: digests of 48 bytes one behind the other, any of which will do;
     * empty: not active. */
    cm_view row[CM_RIM_ROWS];
} cm_rim;

/** Whether v begins as such a file does. */
bool cm_rim_is(cm_view v);
/** Append n manifests as one file. BAD_ARGUMENT when cm_rim_read() would refuse it; TOO_BIG. */
CM_MUST cm_err cm_rim_put(cm_buf *out, const cm_rim *v, size_t n);
/** Read the at-th manifest of a file; *n says how many it has. The whole file is checked each time.
 * RIM_FORM. */
CM_MUST cm_err cm_rim_read(cm_rim *out, size_t *n, cm_view file, size_t at);

/** What of a signed manifest is verified by certificates, the signer's first. */
typedef struct {
    const cm_view *certs; /* DER */
    size_t n_certs;
    cm_view signature; /* r and s of P-384 */
    cm_view message;
    uint64_t now;
} cm_rim_seal;

/** Verify up to the vendor's pinned root; digest is of the signer's key, from and until of all its
 * certificates. RIM_SIGNER with *why said (static); ATTEST_CERTIFICATE; NO_MEMORY. */
CM_MUST cm_err cm_rim_verify(uint8_t digest[32], uint64_t *from, uint64_t *until, const char **why,
                             const cm_crypt *c, const cm_rim_seal *s);

#endif
