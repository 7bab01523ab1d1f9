#ifndef CM_HSM_HSM_INT_H
#define CM_HSM_HSM_INT_H
/* Inside the module. */
#include "hsm/provider.h"

/* What a key's label begins with where its id can't stand in CKA_ID: H-71. */
#define CM_P11_NAME "casemate-id:"

#endif
