#ifndef CM_SVC_BOOTSTRAP_H
#define CM_SVC_BOOTSTRAP_H
/*
 * Bringing a store into service: the system's row key before the log can be opened, and on a first
 * run the system, the first tenant and whoever administers both. Blocking; for programs that start.
 *
 *     cm_boot_rows(...)            on every start, before cm_committer_new()
 *     cm_committer_new, cm_svc_new
 *     cm_bootstrap(...)            on the first run
 */
#include "svc/svc.h"

/** Executes a key operation and waits for it: cm_keeper_run(), cm_keyring_exec(). */
typedef struct {
    cm_err (*run)(void *self, cm_keyop *op);
    void *self;
} cm_key_runner;

/** The system's row key into keys: the sealed KEK is read from the store, or made and written when
 * the store is new (*fresh then: cm_bootstrap() is still to come). That one row has no entry in the
 * log: the log is sealed with what it leads to. */
CM_MUST cm_err cm_boot_rows(cm_store *s, const cm_row_keys *keys, cm_key_runner runner,
                            uint64_t now_ms, bool *fresh);
/** A tenant's row key into keys, out of its KEK record (svc/list_records.h). */
CM_MUST cm_err cm_boot_row_key(const cm_row_keys *keys, cm_key_runner runner, cm_view tenant,
                               const cm_msg *kek);
/** Whether cm_bootstrap() is still to come. */
CM_MUST cm_err cm_bootstrap_due(cm_svc *s, bool *due);

typedef struct {
    cm_view tenant;     /* the first tenant's name */
    cm_view admin;      /* name of the administrator, in both */
    cm_view public_key; /* the administrator's ML-DSA public key, raw */
    uint64_t root;      /* version of the boot record that all this is under; 0: not in the store */
    cm_view spki;       /* SHA-256 of their client certificate's key; empty: none */
} cm_bootstrap_options;

/** In one unit, logged as "Bootstrap": the first tenant; the administrator as a principal of the
 * tenant, with a grant to do everything in it, and of the system, with a grant to administer and
 * audit; the principal `local` of the system for the admin socket. SVC_EXISTS when it has been done
 * before; SVC_CREDENTIAL, SVC_NAME. */
CM_MUST cm_err cm_bootstrap(cm_svc *s, cm_key_runner runner, const cm_bootstrap_options *o);

#endif
