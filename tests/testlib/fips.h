#ifndef CM_TESTLIB_FIPS_H
#define CM_TESTLIB_FIPS_H
/* The FIPS module the build has put beside itself, if any: $CASEMATE_FIPS_MODULES, .._CONF. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypt/crypt.h"

/** Whether there is one; says SKIP when not. A module that is there and does not load is a failure
 * and no skip. */
static inline bool t_fips_there(void)
{
    const char *dir = getenv("CASEMATE_FIPS_MODULES"), *conf = getenv("CASEMATE_FIPS_CONF");
    char path[4096];

    if (dir && conf && snprintf(path, sizeof path, "%s/fips.so", dir) < (int)sizeof path &&
        access(path, R_OK) == 0)
        return true;
    printf("SKIP fips profile: no module (CASEMATE_FIPS_MODULES, CASEMATE_FIPS_CONF)\n");
    return false;
}

/** conf NULL: the module's own. */
static inline cm_err t_fips_new(cm_crypt **out, const char *conf)
{
    return cm_crypt_new_fips(out, getenv("CASEMATE_FIPS_MODULES"),
                             conf ? conf : getenv("CASEMATE_FIPS_CONF"));
}

#endif
