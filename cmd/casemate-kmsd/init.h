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
/* The first line of the passphrase's file. KMSD_NO_PASSPHRASE. */
CM_MUST cm_err cm_kmsd_passphrase(const kmsd *d, cm_buf *out);
/* The slots that the configuration asks for, and o's shares. secret holds what they borrow. */
CM_MUST cm_err cm_kmsd_methods(const kmsd *d, const struct init *o, cm_keyctl_methods *m,
                               cm_buf *secret);
/* The root of a stopped server under what the configuration says now, instead of what it was under
 * before: tokens, a passphrase. Opened by what opened it before, or by the shares in
 * o->shares_file; stored only when the new way opens it. Recovery shares stay. */
CM_MUST cm_err cm_kmsd_rewrap(kmsd *d, const struct init *o);

#endif
