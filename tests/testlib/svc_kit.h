#ifndef TESTLIB_SVC_KIT_H
#define TESTLIB_SVC_KIT_H
/*
 * A whole service in this process: SQLite in a folder of its own, sealed rows, keyring, committer.
 * Calls are made as REST has them, signed, and after every one the database file and its log are
 * searched for every key that the keyring made, took in, unwrapped or derived, and for every secret
 * that the test has named (testlib/traces.h). Failing here ends the process.
 */
#include <stdatomic.h>

#include "audit/signer.h"
#include "audit/verify.h"
#include "keys/ring.h"
#include "proc.h"
#include "store/rowseal.h"
#include "svc/bootstrap.h"
#include "svc/ops.h"
#include "traces.h"
#include "wire/session.h"

/* Whoever asks, and how they prove it. */
typedef struct {
    cm_sig_key *key; /* NULL: no signature */
    char keyid[65];
    char tenant[65]; /* of {tenant} in paths: t_ask() puts it in for "~" */
    cm_view bearer, spki, exporter;
    bool local, classical;
    char session[64];
    cm_key32 session_key;
    uint64_t counter;
    const char *nonce; /* instead of a fresh one */
    uint64_t created;  /* s: instead of the time; 0: the time */
    const char *address;
} t_who;

typedef struct {
    cm_crypt *crypt;
    char dir[T_PATH], db[T_PATH];
    cm_root *root;
    cm_audit_keys log_keys;
    cm_audit_local *signer;
    cm_vkey vkeys[8];
    size_t vkeys_n;
    cm_keyring *ring;
    cm_rowseal *seal;
    cm_store_sealer sealer;
    cm_store *store;
    cm_committer *committer;
    cm_svc *svc;
    _Atomic uint64_t now_ms; /* the committer reads it too */
    _Atomic uint64_t nonces; /* one for each request signed, whoever signs it */
    t_who admin;             /* of the tenant "acme" and of the system */
    t_traces *traces;
    cm_svc_verifier verifier;
    cm_attestor attestor; /* from the next start on; judge NULL: the real one */
    bool stolen;          /* keyops are counted and refused */
    bool hollow;          /* keyops succeed and give nothing */
    bool no_attestor;     /* from the next start on */
    uint64_t api_key_ms;
    uint64_t stream_ms; /* a stream goes on once more after so long; 0: its beginning is enough */
    size_t keyops;
} t_svc;

typedef struct {
    cm_err result;
    char detail[400];
    uint32_t retry_after_ms;
    cm_buf json; /* of the answer */
} t_answer;

t_svc *t_svc_new(void);
/** Stop everything and start it again over the same database. */
void t_svc_restart(t_svc *t);
void t_svc_done(t_svc *t);

/** A new identity with an ML-DSA-65 key; free with t_who_done(). */
t_who t_who_new(t_svc *t, const char *tenant);
void t_who_done(t_who *w);
/** The raw public key as base64, static per thread. */
const char *t_public_base64(const t_who *w);

/** Method and path with query, where each "~" becomes the tenant of w; body JSON or NULL. The
 * answer stays until t_answer_free(). Any thread. */
t_answer t_ask(t_svc *t, t_who *w, const char *method, const char *path, const char *body);
/** An operation whatever is missing from its request: for what is refused before that matters. */
t_answer t_ask_bare(t_svc *t, t_who *w, const cm_op *op, const char *path);
void t_answer_free(t_answer *a);
/** The same, and that it succeeds or fails for the reason. JSON in a static buffer per thread. */
const char *t_ok(t_svc *t, t_who *w, const char *method, const char *path, const char *body);
void t_fails(t_svc *t, t_who *w, const char *method, const char *path, const char *body,
             cm_reason why);
/** A member of a flat JSON object as text; static per thread. "" when absent. */
const char *t_member(const char *json, const char *name);
uint64_t t_number(const char *json, const char *name);
/** printf into a static buffer per thread (one of sixteen). */
const char *t_f(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Runs key operations on this thread, as the scheduler's, and learns keys from them. */
cm_key_runner t_runner(t_svc *t);
/** From now on these bytes, and their base64 and hex, must not be in the database. Copied. */
void t_secret(t_svc *t, cm_view v);
/** Searches now: aborts when there is one. */
void t_scan(t_svc *t);

/** A principal of a tenant with a key of its own. */
t_who t_principal(t_svc *t, t_who *admin, const char *tenant, const char *name);
/** Grants: actions and conditions as JSON text ("\"Sign\""). */
void t_grant(t_svc *t, t_who *admin, const char *grant, const char *principal, const char *actions,
             const char *more);
/** Entries in the log. */
uint64_t t_log_size(t_svc *t);

#endif
