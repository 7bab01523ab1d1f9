#ifndef CM_CMD_PKCS11_ENTRY_H
#define CM_CMD_PKCS11_ENTRY_H
/* The functions that a host calls: the only symbols that leave this library. */
#include "module.h"

#define CM_P11_DECLARE(name, params) __attribute__((visibility("default"))) CK_RV name params;
CK_FUNCTIONS_2_40(CM_P11_DECLARE)
CK_FUNCTIONS_3_0(CM_P11_DECLARE)
CK_FUNCTIONS_3_2(CM_P11_DECLARE)

#endif
