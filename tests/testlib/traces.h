#ifndef TESTLIB_TRACES_H
#define TESTLIB_TRACES_H
/*
 * Secrets that must be found nowhere: whoever looks through a database for keys asks here. A secret
 * is looked for in pieces of at most sixteen bytes, so half a key shows too; as it is, as base64
 * and as hex. Any thread.
 */
#include "keys/ring.h"

typedef struct t_traces t_traces;

t_traces *t_traces_new(void);
void t_traces_free(t_traces *t);
/** Copied. Pieces of few different bytes are left out: they are anywhere. */
void t_traces_add(t_traces *t, cm_view secret);
/** Every secret in what a key operation was given, made or opened: keys, KEKs, row keys, data keys,
 * shared secrets. */
void t_traces_of_op(t_traces *t, cm_keyring *r, const cm_keyop *op);
/** How many pieces there are to look for. */
size_t t_traces_count(t_traces *t);
/** Whether a piece of any of them is in v. */
bool t_traces_in(t_traces *t, cm_view v);

#endif
