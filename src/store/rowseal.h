#ifndef CM_STORE_ROWSEAL_H
#define CM_STORE_ROWSEAL_H
/*
 * The store's sealer: each tenant's rows under a key of its own, each row in a box (crypt/box.h)
 * bound to tenant, key and version (D-6). Keys come from the holder of the root and are kept in
 * locked memory until the process ends or they are forgotten.
 */
#include "crypt/crypt.h"
#include "store/store.h"

typedef struct cm_rowseal cm_rowseal;

enum { CM_ROWSEAL_TENANTS = 1 << 16 };

/** c is borrowed. */
CM_MUST cm_err cm_rowseal_new(cm_rowseal **out, const cm_crypt *c);
/** After the store that uses it is closed. Wipes. */
void cm_rowseal_free(cm_rowseal *r);
void cm_rowseal_free_ptr(cm_rowseal **r);

/* Any thread. The first argument is the cm_rowseal. */

bool cm_rowseal_known(void *self, cm_view tenant);
/** Keep a tenant's key of 32 bytes: copied. A tenant keeps the first one: CRYPT_BAD_KEY for
 * another. STORE_TENANTS past CM_ROWSEAL_TENANTS. */
CM_MUST cm_err cm_rowseal_add(void *self, cm_view tenant, cm_view key);
/** A key for another purpose, derived from a tenant's (HKDF-Expand-SHA512). STORE_LOCKED. */
CM_MUST cm_err cm_rowseal_derive(cm_rowseal *r, cm_key32 *out, cm_view tenant, cm_view label);
/** Wipe every key: the store is sealed again. */
void cm_rowseal_forget(cm_rowseal *r);
/** STORE_LOCKED for a tenant whose key is not there. */
cm_store_sealer cm_rowseal_sealer(cm_rowseal *r);

#endif
