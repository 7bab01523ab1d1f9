#ifndef CM_HSM_SET_INT_H
#define CM_HSM_SET_INT_H
/* set.c: which device, and its health; set_calls.c: what a request makes of the devices. */
#include <pthread.h>

#include "hsm/hsm_int.h"
#include "hsm/set.h"

enum { SET_PUBS = 16 };

struct cm_hsm_set {
    cm_hsm_set_options o;
    cm_hsm member[CM_FLEET_MAX];
    pthread_mutex_t lock; /* all below; held across no call */
    pthread_cond_t wake;
    cm_fleet fleet;
    cm_hsm_status status[CM_FLEET_MAX];
    bool met[CM_FLEET_MAX], stale[CM_FLEET_MAX];
    cm_hsm_key pub[SET_PUBS]; /* of keys that signed, oldest overwritten */
    size_t pubs;
    bool watched, stop;
    pthread_t watcher;
};

typedef enum {
    SET_ANSWERED,  /* this is what it says */
    SET_ELSEWHERE, /* it is well, and another may have the key */
    SET_FAILED,
    SET_WRONG,
} set_verdict;

/* One request to one member: its health is noted. */
CM_MUST cm_err cm_set_ask(cm_hsm_set *s, size_t i, const cm_hsm_request *r, cm_hsm_answer *a);
set_verdict cm_set_judge(cm_err e);
/* It answered, and what it said turned out to be wrong. */
void cm_set_quarantine(cm_hsm_set *s, size_t i);
bool cm_set_is_retired(cm_hsm_set *s, size_t i);
size_t cm_set_pick(cm_hsm_set *s, uint32_t not );
bool cm_set_in_quarantine(cm_hsm_set *s, size_t i);
/* Which token a member is, asked now. HSM_OTHER_TOKEN. */
CM_MUST cm_err cm_set_identify(cm_hsm_set *s, size_t i, uint8_t token[CM_HSM_SET_TOKEN]);

CM_MUST cm_err cm_set_call(void *self, const cm_hsm_request *r, cm_hsm_answer *a);

#endif
