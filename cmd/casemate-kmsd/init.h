#ifndef CM_KMSD_INIT_H
#define CM_KMSD_INIT_H
#include "kmsd.h"

struct init {
    uint8_t need, shares;    /* recovery shares; 0: none */
    const char *shares_file; /* where their texts go, once; NULL: standard output */
    const char *tenant, *admin;
    const char *admin_key;  /* PEM file: an ML-DSA public key */
    const char *admin_cert; /* PEM file: their client certificate; NULL: none */
    cm_argon2 cost;         /* of the passphrase; zero: the default */
};

/* A new root, the first tenant and its administrator, in a store that has none: one where this was
 * broken off before is begun anew, with other shares. KMSD_ROOT_EXISTS. */
CM_MUST cm_err cm_kmsd_init(kmsd *d, const struct init *o);

#endif
