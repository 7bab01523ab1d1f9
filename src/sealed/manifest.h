#ifndef CM_SEALED_MANIFEST_H
#define CM_SEALED_MANIFEST_H
/* What the publisher signs, and the signatures: spec/sealed.md, Manifest and Signatures. */
#include "crypt/sig.h"
#include "sealed/layout.h"
#include "sealed/sealed.h"

typedef struct {
    uint8_t hd[32], digest[32], index_digest[32], sealed_root[32];
    bool has_sealed_root;
    uint64_t leaves, size, created;
    cm_view name, version, format, licence, publisher; /* borrowed */
    struct {
        cm_view key, value;
    } provenance[CM_SEALED_PAIRS];
    size_t provenance_n;
} cm_manifest;

/** SEALED_NAME when a text is empty, too long or not UTF-8. */
CM_MUST cm_err cm_manifest_encode(cm_buf *out, const cm_manifest *m);
/** Form only. Views borrow from v. SEALED_MANIFEST. */
CM_MUST cm_err cm_manifest_decode(cm_manifest *out, cm_view v);
/** S-12: that it is this container's and its sizes add up. */
CM_MUST cm_err cm_manifest_check(const cm_manifest *m, const cm_core *h, const cm_footer *f);

/** Append the array of signatures of manifest by n signers (0 to 8). */
CM_MUST cm_err cm_signatures_encode(cm_buf *out, cm_view manifest, const cm_sig_key *const *signers,
                                    size_t n);
/** Read an array, verify each signature over manifest, mark those by trusted keys. Appends to list,
 * which holds *n of at most CM_SIGNATURES_PER_MODEL. An unknown algorithm is listed as not valid.
 */
CM_MUST cm_err cm_signatures_decode(cm_sealed_signature *list, size_t *n, const cm_crypt *c,
                                    cm_view v, cm_view manifest, const cm_sig_key *const *trusted,
                                    size_t trusted_n, bool detached);

/** The record of a detached signature around an array of signatures. */
CM_MUST cm_err cm_detached_encode(cm_buf *out, const cm_crypt *c, cm_view manifest,
                                  cm_view signatures);
/** SEALED_SIGNATURE when it is for another manifest. */
CM_MUST cm_err cm_detached_decode(cm_view *signatures, const cm_crypt *c, cm_view v,
                                  cm_view manifest);

/** NIST level 3 or 5 that a tier asks of keys and signatures: S-14. */
uint8_t cm_tier_level(unsigned tier);
/** Level of a signature algorithm: 0 for classical ones. */
uint8_t cm_sig_level(cm_sig_id id);

#endif
