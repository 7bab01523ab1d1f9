#ifndef CM_HSM_SET_H
#define CM_HSM_SET_H
/*
 * Several devices as one provider (spec/hsm.md, H-30 to H-37). Each keeps a key of its own with the
 * same id: what is wrapped is wrapped by all of them, and any one of them opens it. A request that
 * one device loses goes to the next, so that it is answered or refused by all.
 *
 *   STATUS            of the first that serves
 *   FIND, SIGN        by one that has the key; a signature is verified here too
 *   WRAP              by all that are there, one at least; seeds of 32 bytes or more
 *   UNWRAP            by one of those that wrapped it; what it gave is checked here too. What one
 *                     device alone wrapped opens too
 *   GENERATE, DESTROY AES-256 alone, in all: of other keys there would be one each
 *
 * Any thread.
 */
#include "hsm/fleet.h"
#include "hsm/hsm.h"

typedef struct {
    const char *name, *region; /* copied */
    uint64_t weight;
    cm_hsm hsm; /* borrowed */
} cm_hsm_set_member;

typedef struct {
    const cm_crypt *crypt;
    cm_fleet_options fleet;
    cm_view probe; /* id of the AES-256 key that health checks use; borrowed; empty: STATUS alone */
    uint64_t (*now_us)(void *arg); /* NULL: the system's */
    uint64_t (*random)(void *arg); /* NULL: the system's */
    void *arg;
} cm_hsm_set_options;

enum {
    CM_HSM_SET_TOKEN = 16,
    CM_HSM_SET_CHECK = 16,
    CM_HSM_SET_SEED_MIN = 32,
    CM_HSM_SET_BLOB_MAX =
        2 + CM_HSM_SET_CHECK +
        CM_FLEET_MAX * (CM_HSM_SET_TOKEN + 2 + CM_HSM_SEED_MAX + CM_HSM_BLOB_MORE),
};

typedef struct cm_hsm_set cm_hsm_set;
/** One to CM_FLEET_MAX members: BAD_ARGUMENT, as cm_fleet_add() has it. */
CM_MUST cm_err cm_hsm_set_new(cm_hsm_set **out, const cm_hsm_set_options *o,
                              const cm_hsm_set_member *m, size_t n);
void cm_hsm_set_free(cm_hsm_set *s);
void cm_hsm_set_free_ptr(cm_hsm_set **s);
cm_hsm cm_hsm_set_of(cm_hsm_set *s);

/** All checks that are due. */
void cm_hsm_set_check(cm_hsm_set *s);
/** A thread that does so from now on. NO_THREAD. */
CM_MUST cm_err cm_hsm_set_watch(cm_hsm_set *s);
/** How they are. */
void cm_hsm_set_fleet(cm_hsm_set *s, cm_fleet *out);
/** What a member said of itself when it was last asked; false: it never answered. */
bool cm_hsm_set_status(cm_hsm_set *s, size_t i, cm_hsm_status *out);
/** A member's process is another one: it is asked who it is at once, by who watches. */
void cm_hsm_set_renewed(cm_hsm_set *s, size_t i);
/** Whether what a member said of itself is older than that. */
bool cm_hsm_set_is_stale(cm_hsm_set *s, size_t i);
/** Which tokens they were: from now on it is those that are there next. For what names its token
 * itself, as H-36 does. */
void cm_hsm_set_forget(cm_hsm_set *s);
/** BAD_ARGUMENT. */
CM_MUST cm_err cm_hsm_set_weight(cm_hsm_set *s, const char *name, uint64_t weight);
/** Takes a member out: nothing is asked of it, and nothing is wrapped by it any more. Or lets it
 * back in. BAD_ARGUMENT. */
CM_MUST cm_err cm_hsm_set_retire(cm_hsm_set *s, const char *name, bool retired);
/** Makes the AES-256 key that health checks use in a member that has none. BAD_ARGUMENT, and what
 * the device says. */
CM_MUST cm_err cm_hsm_set_make_key(cm_hsm_set *s, const char *name);
/** Ask each now, whatever its state, but for those that are retired: the first error. */
CM_MUST cm_err cm_hsm_set_all(cm_hsm_set *s);

/* ---- what several wrapped ------------------------------------------------------------------- */

typedef struct {
    cm_view check;
    size_t n;
    struct {
        cm_view token, blob;
    } of[CM_FLEET_MAX];
} cm_hsm_bundle;
/** H-36. Appends. */
CM_MUST cm_err cm_hsm_bundle_put(cm_buf *out, const cm_hsm_bundle *b);
/** Views borrow from v. HSM_BLOB. */
CM_MUST cm_err cm_hsm_bundle_get(cm_hsm_bundle *b, cm_view v);
/** By which a blob's token is known: of maker, model and serial number. */
CM_MUST cm_err cm_hsm_token_id(uint8_t out[CM_HSM_SET_TOKEN], const cm_crypt *c,
                               const cm_hsm_status *s);

#endif
