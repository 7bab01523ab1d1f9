#ifndef CM_STORE_LEASE_H
#define CM_STORE_LEASE_H
/*
 * One leader among the nodes of a store (spec/store.md D-40). No clock is compared with another:
 * whoever wants a lease that somebody holds watches its row for a whole term on a clock of its own,
 * and takes it over only if it was not renewed meanwhile.
 *
 * A leader that sleeps too long may think it leads when another does. So everything it changes
 * names the token's row and version among the rows it expects: of a lease taken over, that is
 * another version, and the change is refused.
 */
#include "store/store.h"

typedef struct {
    cm_path beat, fence; /* rows: renewed by the holder; written by every takeover */
    uint64_t term_ns;
    uint8_t me[16];
    uint64_t token;      /* version of fence while held: expect it. Never the same twice */
    uint64_t renewed_ns; /* while held */
    uint64_t seen_version, seen_ns; /* of another's beat */
    bool held;
} cm_lease;

/** me: 16 random bytes of this process. now is a clock that never goes back, in nanoseconds. */
void cm_lease_init(cm_lease *l, const char *name, cm_view me, uint64_t term_ns);
/** Take the lease or renew it: call it every third of a term. STORE_LEASED: somebody else has it,
 * or took it over. Failures of the store leave a held lease held until its term is over. */
CM_MUST cm_err cm_lease_keep(cm_lease *l, cm_store *s, uint64_t now);
/** Whether the leader may still act: held and its term not over. */
bool cm_lease_held(const cm_lease *l, uint64_t now);
/** Give it back, so that the next need not wait. */
CM_MUST cm_err cm_lease_release(cm_lease *l, cm_store *s);

#endif
