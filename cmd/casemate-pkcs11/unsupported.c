/* What no other file of this module defines: such functions exist and say that they do nothing. */
#include "entry.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define NOT_SUPPORTED(name, params)         \
    __attribute__((weak)) CK_RV name params \
    {                                       \
        return CKR_FUNCTION_NOT_SUPPORTED;  \
    }
CK_FUNCTIONS_2_40(NOT_SUPPORTED)
CK_FUNCTIONS_3_0(NOT_SUPPORTED)
CK_FUNCTIONS_3_2(NOT_SUPPORTED)
