#ifndef CM_HSM_HSM_INT_H
#define CM_HSM_HSM_INT_H
/* Inside the module. */
#include "hsm/provider.h"

#endif
