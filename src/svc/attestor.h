#ifndef CM_SVC_ATTESTOR_H
#define CM_SVC_ATTESTOR_H
/*
 * Who judges evidence for the service. No sockets and no clock here.
 */
#include <pthread.h>

#include "appraise/policy.h"
#include "attest/bind.h"
#include "svc/collateral.h"

/** What a request shows of the machine that makes it, and what it has to be bound to. Borrowed. */
typedef struct {
    cm_view evidence;       /* of the machine: a pack or the bytes alone */
    const cm_view *devices; /* of its GPUs and switches, in the order of their indices */
    size_t devices_n;
    const cm_bound *bound; /* NULL: fresh and device_fresh instead, as RCAR has them (RL-5) */
    cm_view fresh, device_fresh;
    cm_view event_log;                   /* where it is not in the pack */
    const cm_tpm_activation *activation; /* of the credential made with the challenge; or NULL */
    cm_view init_data;                   /* RL-81; empty: none was sent */
} cm_shown;

/** Judges evidence under a policy: the decision, and what the machine's evidence measures. Evidence
 * that is bad is refused in out, with a sentence; it is no error. NULL: evidence is refused, and no
 * grant that demands it holds. Any thread. */
typedef struct {
    cm_err (*judge)(void *self, cm_appraisal *out, uint8_t measured[64], size_t *measured_n,
                    const cm_policy *p, const cm_shown *shown, uint64_t now_s);
    void *self;
} cm_attestor;

/** The attestor of a server: everything below the vendors' pinned roots, with what the operator has
 * of revocation lists, statements and reference values. */
typedef struct {
    const cm_crypt *crypt;
    cm_attest_cache *cache;        /* borrowed; NULL: none */
    pthread_mutex_t lock;          /* of collateral */
    cm_svc_collateral *collateral; /* the set in use; NULL: none */
} cm_svc_verifier;
void cm_svc_verifier_init(cm_svc_verifier *v, const cm_crypt *c, cm_attest_cache *cache);
/** After the last call is done. */
void cm_svc_verifier_done(cm_svc_verifier *v);
/** Take a finished set: who judges from now on uses it, who has begun goes on with the one before
 * (V-120). Any thread. */
void cm_svc_verifier_use(cm_svc_verifier *v, cm_svc_collateral **set);
/** v is borrowed for its life. */
cm_attestor cm_svc_attestor(cm_svc_verifier *v);

#endif
