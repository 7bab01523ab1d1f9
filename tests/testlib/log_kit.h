#ifndef TESTLIB_LOG_KIT_H
#define TESTLIB_LOG_KIT_H
/* A log over a SQLite store of its own, and units to fill it with. Failing here ends the process.
 */
#include "audit/commit.h"
#include "audit/signer.h"
#include "audit/verify.h"
#include "proc.h"

typedef struct {
    cm_crypt *crypt;
    char dir[T_PATH], db[T_PATH];
    cm_audit_keys keys;
    cm_audit_local *signer;
    cm_vkey vkeys[8]; /* the log's public keys, as a verifier has them */
    size_t vkeys_n;
    cm_store *store;
    cm_committer *committer;
    uint64_t now_ms;
} t_log;

#define T_LOG_ORIGIN "log.example/kms"

/** A new folder, keys from a seed made of the given byte, store and committer. */
t_log *t_log_new(uint8_t seed);
/** The same keys over a store that exists. */
t_log *t_log_at(uint8_t seed, const char *db);
void t_log_done(t_log *l);
/** Stop committer and store, or start them again. */
void t_log_close(t_log *l);
cm_err t_log_open(t_log *l);
cm_audit_trust t_log_trust(const t_log *l);
/** An entry that depends on i; it borrows from static memory of the calling thread. */
cm_audit_entry t_log_entry(uint64_t i);
/** Commit n entries and nothing else; at most 4000. */
void t_log_add(t_log *l, uint64_t first, uint64_t n);
/** Wait until the stored checkpoint covers the whole log. */
void t_log_settle(t_log *l);
/** A row with a plain text key of two parts. */
cm_view t_log_key(cm_path *p, const char *tenant, const char *name);

#endif
