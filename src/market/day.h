#ifndef CM_MARKET_DAY_H
#define CM_MARKET_DAY_H
/*
 * A day's records in one file: receipts, settlements and whole batches of any number of signers,
 * verified as a stream by all processors (spec/market.md, section 8).
 */
#include "market/receipt.h"

enum { CM_DAY_HEAD = 8, CM_DAY_PREFIX = 4, CM_DAY_TAIL = 12 };

/** What a file begins with, what stands before a record of n bytes, and what ends a file of so many
 * records. A batch is its head's record and, without a prefix, the statements of its leaves. */
void cm_day_head(uint8_t out[CM_DAY_HEAD]);
void cm_day_prefix(uint8_t out[CM_DAY_PREFIX], size_t n);
void cm_day_tail(uint8_t out[CM_DAY_TAIL], uint64_t records);

/* A signer whose records may be in the file; verified counts what was (a batch counts its leaves).
 * Keys are borrowed. */
typedef struct {
    cm_market_keys keys;
    uint8_t id[32];
    uint64_t verified;
} cm_day_key;

typedef struct {
    uint64_t records;               /* that are behind a prefix: a batch is one */
    uint64_t receipts, settlements; /* alone and in batches */
    uint64_t batches, bytes;
} cm_day_counts;

/* Where it failed: record and leaf count from 1, leaf is 0 outside of batches; offset is where in
 * the file the record, or the leaf's statement, begins. */
typedef struct {
    uint64_t record, leaf, offset;
} cm_day_place;

typedef struct {
    const cm_crypt *crypt;
    cm_day_key *keys; /* by key id; ids are set here */
    size_t key_count;
    cm_market_policy policy;
    unsigned threads; /* 0: one for each processor */
    /** Fills p with n bytes; *got is less at the end alone. Called by the caller's thread. */
    cm_err (*read)(void *arg, uint8_t *p, size_t n, size_t *got);
    /** Of what was verified so far, now and then, from the caller's thread; may be NULL. An error
     * ends the work with it. */
    cm_err (*progress)(void *arg, const cm_day_counts *so_far);
    void *arg;
} cm_day_options;

/** Verify a whole file, or stored batches one behind the other (M-32), in bounded memory (half a
 * megabyte for each thread, 64 KiB for a large batch). The first record that does not hold, in the
 * order of the file, gives the error and *bad; counts then say what else had been verified.
 * MARKET_MALFORMED: cut short, trailing bytes, a record that is too long, another count at the end;
 * MARKET_VERSION; MARKET_KEY: of no key of the list; errors of cm_poai_verify(), cm_settle_verify()
 * and cm_batch_verify_stored(); NO_THREAD, NO_MEMORY. That nonces and jobs occur once is the
 * register's to say, not this one's. */
CM_MUST cm_err cm_day_verify(cm_day_counts *counts, cm_day_place *bad, cm_day_options *o);

#endif
