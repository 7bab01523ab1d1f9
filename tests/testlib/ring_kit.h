#ifndef TESTLIB_RING_KIT_H
#define TESTLIB_RING_KIT_H
/* A keyring over a fixed root, a tenant's KEK, and keys under it. Failing here ends the process. */
#include "keys/ring.h"

typedef struct {
    cm_crypt *crypt;
    cm_root root; /* two generations, of fixed seeds */
    cm_keyring *ring;
} t_ring;

t_ring *t_ring_new(void);
/** The same root, with nothing in its caches. */
void t_ring_restart(t_ring *r);
void t_ring_done(t_ring *r);

/** A key and all that an operation on it brings along. */
typedef struct {
    cm_key_binding bind;
    cm_buf kek, sealed, public_key;
} t_held;

/** A new tenant's KEK. */
cm_buf t_ring_kek(t_ring *r, const char *tenant, uint64_t version);
/** A new key of acme's, path "keys/one", version 1, KEK version 1. */
t_held t_ring_create(t_ring *r, cm_key_type type);
/** The same from a secret. */
t_held t_ring_import(t_ring *r, cm_key_type type, cm_view secret);
/** The same with a binding of one's own and the sealed KEK that goes with it, which is copied. */
t_held t_ring_make(t_ring *r, const cm_key_binding *b, const cm_buf *kek, cm_view secret);
void t_held_done(t_held *k);

/** An operation on k, its other fields zero. Results are to be freed. */
cm_keyop t_ring_op(const t_held *k, cm_keyop_code code);
/** The same with data, executed. */
cm_keyop t_ring_run(t_ring *r, const t_held *k, cm_keyop_code code, cm_view data);

#endif
