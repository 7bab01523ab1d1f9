#ifndef CM_ATTEST_DER_H
#define CM_ATTEST_DER_H
/* DER as the extensions of attestation have it: minimal lengths, tags of any number. Sticky as
 * codec/cut.h: what departs from DER makes the cursor bad. */
#include "codec/cut.h"

enum {
    CM_DER_BOOLEAN = 1,
    CM_DER_INT = 2,
    CM_DER_OCTET_STRING = 4,
    CM_DER_OBJECT = 6,
    CM_DER_ENUM = 10,
    CM_DER_SEQ = 0x2010, /* constructed */
    CM_DER_SET = 0x2011,
    CM_DER_CTX = 0x8000, /* with the number */
    CM_DER_CTX_IN = 0xa000,
};

/** The next value: its tag (class and form in the top bits, the number below 0x2000) and content.
 */
cm_view cm_asn1_next(cm_cut *c, uint32_t *tag);
/** The content of the next value, which must have this tag. */
cm_view cm_asn1_take(cm_cut *c, uint32_t tag);
/** An INTEGER or ENUMERATED that is not negative and fits. */
uint64_t cm_asn1_uint(cm_cut *c, uint32_t tag);

#endif
