#ifndef TESTLIB_DAY_KIT_H
#define TESTLIB_DAY_KIT_H
/* A day's file in memory, record by record. Failing here ends the process. */
#include "market/batch.h"
#include "market/day.h"

enum { T_DAY_RECORDS = 4096, T_DAY_KEYS = 3 };

#define T_DAY_NOW 1800000000000u

/* Three signers: secp256k1, ML-DSA-65, both. */
typedef struct {
    cm_crypt *crypt;
    cm_sig_key *own[4];
    cm_day_key keys[T_DAY_KEYS];
    cm_buf file;
    size_t at[T_DAY_RECORDS]; /* where each record, counted from 0, begins */
    size_t records, read;
    uint64_t nonce;
} t_day;

t_day *t_day_new(void);
void t_day_free(t_day *d);
/** One record by signer number who. */
void t_day_receipt(t_day *d, size_t who);
void t_day_settlement(t_day *d, size_t who);
/** A receipt of a batch of its own, as a record alone. */
void t_day_leaf(t_day *d, size_t who);
void t_day_batch(t_day *d, size_t who, size_t leaves);
void t_day_end(t_day *d);
/** Options for what is in d->file: any time, these keys, read from the start. */
cm_day_options t_day_options(t_day *d, unsigned threads);

#endif
