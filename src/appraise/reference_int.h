#ifndef CM_APPRAISE_REFERENCE_INT_H
#define CM_APPRAISE_REFERENCE_INT_H
/* What the files about reference values share. */
#include "appraise/reference.h"

/** Whether manifests may be signed with it: ML-DSA-65 or ML-DSA-87. */
bool cm_reference_key_fits(const cm_sig_key *k);

#endif
