#ifndef CM_SVC_QUOTA_H
#define CM_SVC_QUOTA_H
/*
 * Token buckets for the whole cluster. A bucket is a counter row of the store that begins at zero
 * with each window; a node takes a chunk of it along with the call that finds its own share empty
 * (a cm_unit_bump: no transaction of its own) and serves the next calls out of that. What a node
 * has taken and not used is lost when the window ends or the node does: limits hold, restarts
 * included, and are never exceeded (V-40).
 *
 * A window lasts a second, or as long as it takes a slow bucket to hold CM_QUOTA_COST_MAX tokens.
 */
#include "audit/commit.h"

enum { CM_QUOTA_COST_MAX = 64 };

typedef struct cm_quota cm_quota;

/** seed: random, so that nobody can choose names whose buckets coincide. buckets: remembered at
 * most; what does not fit begins again with its row. */
CM_MUST cm_err cm_quota_new(cm_quota **out, uint64_t seed, size_t buckets);
void cm_quota_free(cm_quota *q);
void cm_quota_free_ptr(cm_quota **q);

/** What one call took of one bucket. */
typedef struct {
    uint64_t bucket; /* hash of its key */
    uint64_t window; /* end of its window, ms */
    uint64_t taken;  /* out of this node's share, or out of the chunk */
    uint64_t chunk;  /* asked of the row; 0: none */
} cm_quota_take_of;

/** Take cost of the bucket with this row key and so many tokens a second.
 * SVC_BATCH: it never holds as many; CM_QUOTA_COST_MAX it does.
 * With t->chunk set, *bump is to go into the call's unit, and cm_quota_settle() follows. SVC_RATE:
 * the bucket is known to be empty; *retry_ms says for how long. Any thread. */
CM_MUST cm_err cm_quota_take(cm_quota *q, cm_view key, uint64_t rate, unsigned cost,
                             uint64_t now_ms, cm_quota_take_of *t, cm_unit_bump *bump,
                             uint32_t *retry_ms);
/** How the unit went. granted: the chunk is this node's. Else, with empty set, the bucket is known
 * to be empty until its window ends. give_back: the call itself did not happen. */
void cm_quota_settle(cm_quota *q, const cm_quota_take_of *t, bool granted, bool empty,
                     bool give_back);

/** A bucket of this node alone, for addresses before it is known who asks. SVC_RATE. */
CM_MUST cm_err cm_quota_local(cm_quota *q, cm_view key, uint64_t rate, uint64_t now_ms,
                              uint32_t *retry_ms);

#endif
