#ifndef CM_TESTLIB_ATTEST_KIT_H
#define CM_TESTLIB_ATTEST_KIT_H
/* Recorded evidence with what belongs to it, and a policy that each test makes stricter. */
#include "attest/attest_int.h"
#include "vectors.h"

enum { TEE_FILES = 24 };

typedef struct {
    cm_crypt *c;
    cm_buf evidence, file[TEE_FILES];
    size_t n_files;
    cm_view cert[TEE_FILES], crl[TEE_FILES];
    uint8_t digest[64];
    cm_view measured; /* what the policy accepts: of digest */
    cm_attest_input in;
    cm_attest_policy p;
    cm_attest_result r;
    cm_roots roots; /* none: those of the vendors */
} tee;

/** The path of a file below $CASEMATE_VECTORS/tee; good until the next call but three. */
const char *tee_path(const char *folder, const char *name);
bool tee_exists(const char *folder, const char *name);
/** t_each_file() below tee. */
void tee_each(const char *folder, const char *pattern, void (*fn)(const char *path));
/** Seconds since 1970 of "2026-02-05T01:04:33" in UTC. */
uint64_t tee_time(const char *text);

/** Evidence from a file below tee, at a time; ends the process when it is not there. */
tee *tee_new(const char *folder, const char *name, uint64_t now);
void tee_done(tee *t);
/** A file beside it, kept until tee_done(). */
cm_view tee_file(tee *t, const char *folder, const char *name);
void tee_cert(tee *t, const char *folder, const char *name);
void tee_crl(tee *t, const char *folder, const char *name);

void tee_part(tee *t, cm_attest_part part, const char *folder, const char *name);
/** The last name in a path. */
const char *tee_last(const char *path);

/** From now on the policy names one measurement: a copy of v. */
void tee_measured(tee *t, cm_view v);
/** Verify; the answer of cm_attest_decide() with these checks allowed to be skipped. */
cm_err tee_run(tee *t, uint32_t may_skip);
/** Whether a check came out so in the last run; says what it did when not. */
bool tee_is(const tee *t, cm_attest_check id, cm_verdict v);
/** Each stride-th length below the whole of one view of t->in fails, and one byte more does. */
void tee_lengths(tee *t, cm_view *v, size_t stride);
/** Flip one bit in each of the n bytes from at, each stride-th alone unless CASEMATE_MUTATE is set
 * (to "sets": tee_every_byte() alone goes on); every one must be refused. */
void tee_mutate(tee *t, uint8_t *p, size_t n, size_t stride);
/** Flip one bit of bytes of everything that was loaded, evidence, certificates, lists, statements,
 * parts: some of each file, all of them where CASEMATE_MUTATE is set. What comes out otherwise than
 * before is seen; what does not has to be unsigned, by the rules in the source. The last run before
 * is what it is compared with. */
void tee_every_byte(tee *t);

#endif
