#ifndef TESTLIB_STORE_KIT_H
#define TESTLIB_STORE_KIT_H
/* Small moves on a store. */
#include "store/store.h"

/** Seals by turning bytes over and writing what a row is bound to behind: enough to see both. */
extern const cm_store_sealer t_toy_sealer;

/** tenant, what, n. */
cm_path t_row(const char *tenant, const char *what, uint64_t n);
/** One write in a transaction of its own. */
cm_err t_store_put(cm_store *s, const cm_path *p, uint64_t version, const char *value);
/** Whether the row stands at this version with this value. */
bool t_store_is(cm_store *s, const cm_path *p, uint64_t version, const char *value);
/** How many rows of a tenant there are. */
size_t t_store_count(cm_store *s, const char *tenant);

#endif
