#ifndef CM_SVC_SCHEDULER_H
#define CM_SVC_SCHEDULER_H
/*
 * What happens to keys as time goes by: pre-active versions become active, keys rotate, destruction
 * that was pending is done, counters whose time is over are removed, and a rotation of a tenant's
 * KEK or of the root that is under way is carried to its end, a batch after the other. One node of
 * a store does it: whoever holds the lease (store/lease.h), and every change names the lease's
 * fence among the rows it expects, so that a leader that was asleep changes nothing (V-51). Each
 * change is one unit with its log entry; what is done twice finds nothing to do (V-52). Blocking:
 * for a thread of its own.
 */
#include "store/lease.h"
#include "svc/bootstrap.h"

typedef struct {
    cm_svc *svc;
    cm_key_runner runner;
    cm_lease lease;
    uint64_t kek_ms;          /* age at which a tenant's KEK rotates; 0: never by itself */
    unsigned most;            /* batches of rewrapping a round; 0: 64 */
    unsigned batches;         /* that are left of them */
    uint64_t root_generation; /* in force: what is wrapped by an older one is wrapped anew; 0: no */
    uint64_t oldest_root;     /* found in this round */
    /* Nothing is destroyed for so long after the wall clock jumped ahead; 0: it is all the same. */
    uint64_t hold_s;
    uint64_t wall_ms, mono_ns, held_until_ns; /* of the last round; 0: none */
} cm_scheduler;

enum { CM_SCHEDULER_TERM_S = 15 };

typedef struct {
    bool leader, more; /* more: there is work for another round at once */
    bool root_due;     /* it is a year old */
    bool ahead, back;  /* the wall clock jumped since the round before */
    size_t activated, rotated, destroyed, pruned, rewrapped, failed;
} cm_scheduler_round_of;

/** The oldest generation of the root that a tenant's KEK is wrapped by; UINT64_MAX: there is none.
 * SVC_RECORD, and what the store fails with. */
CM_MUST cm_err cm_scheduler_oldest_root(cm_store *store, uint64_t *oldest);
/** me: 16 random bytes of this process. */
void cm_scheduler_init(cm_scheduler *s, cm_svc *svc, cm_key_runner runner, cm_view me);
/** One round: keeps the lease, does a bounded part of what is due, and says what. Call it every
 * third of a term. mono_ns: a clock that never goes back; what is due goes by the service's wall
 * clock. Failures of single keys are counted and tried again next time. */
CM_MUST cm_err cm_scheduler_round(cm_scheduler *s, uint64_t mono_ns, cm_scheduler_round_of *out);
/** Gives the lease back. */
void cm_scheduler_done(cm_scheduler *s);

#endif
