#ifndef CM_RIM_IMPORT_H
#define CM_RIM_IMPORT_H
/*
 * NVIDIA's reference manifests as the vendor publishes them: SWID tags with an XML signature
 * (RIM, TCG), taken apart offline. What comes out is for src/attest/rim.h; no XML goes further.
 *
 * Any thread; time depends on the text, which is public.
 */
#include "attest/rim.h"

/** A manifest and what it borrows from. */
typedef struct {
    cm_rim rim;
    cm_buf bytes; /* id, product, version, signer, digests */
} cm_rim_import;

/** Zeroed is valid. */
void cm_rim_import_done(cm_rim_import *r);

/** Verify and read one manifest as of now. id: the vendor's name for it, which has to agree with
 * what is signed. RIM_FORM, RIM_SIGNER: *why says what is wrong (static; NULL when nothing more can
 * be said). TOO_BIG; NO_MEMORY. out changes only on success. */
CM_MUST cm_err cm_rim_import_xml(cm_rim_import *out, const char **why, const cm_crypt *c,
                                 cm_view xml, cm_view id, uint64_t now);

#endif
