#ifndef CM_HSM_FLEET_H
#define CM_HSM_FLEET_H
/*
 * Which of several devices is asked next: weights, turns or latency, health, a breaker for each,
 * regions (spec/hsm.md, H-30 to H-34). Arithmetic alone: the time and the random numbers are its
 * caller's. One thread at a time.
 */
#include "base/base.h"

enum {
    CM_FLEET_MAX = 8,
    CM_FLEET_NAME_MAX = 32,
    CM_FLEET_WEIGHT_MAX = 1000,
    CM_FLEET_NONE = CM_FLEET_MAX,
    CM_FLEET_WHOLE = 1000, /* a weight's thousandths */
};

typedef enum {
    CM_FLEET_WEIGHTED, /* by chance, in proportion to the weights */
    CM_FLEET_TURNS,    /* in turn, in proportion to the weights, evenly spread */
    CM_FLEET_LATENCY,  /* the fastest, and those nearly as fast, in turn */
} cm_fleet_mode;

typedef enum {
    CM_FLEET_SERVES,
    CM_FLEET_RAMPS,       /* came back: takes a growing part of its share */
    CM_FLEET_BROKEN,      /* asked by health checks alone */
    CM_FLEET_QUARANTINED, /* gave a wrong result: asked for nothing until a restart */
    CM_FLEET_RETIRED,     /* what it held went elsewhere: asked for nothing */
} cm_fleet_state;
/** "serves", "ramps", "broken", "quarantined", "retired". */
const char *cm_fleet_state_name(cm_fleet_state s);

typedef struct {
    cm_fleet_mode mode;
    char region[CM_FLEET_NAME_MAX + 1]; /* our own; empty: all are alike */
    uint64_t check_ms;                  /* between health checks; 0: 30 s */
    uint64_t threshold;                 /* failures in a row until it counts as broken; 0: 3 */
    uint64_t ramp_ms;                   /* from a tenth of its share to all; 0: 60 s */
} cm_fleet_options;

typedef struct {
    char name[CM_FLEET_NAME_MAX + 1], region[CM_FLEET_NAME_MAX + 1];
    uint64_t weight; /* 0: only when no other is left */
    cm_fleet_state state;
    uint64_t failed; /* in a row */
    uint64_t since;  /* of the state */
    uint64_t due;    /* for a health check */
    uint64_t us;     /* a moving average of what it took; 0: never measured */
    uint64_t calls, failures;
    int64_t credit; /* TURNS: what it is owed */
} cm_fleet_member;

typedef struct {
    cm_fleet_options o;
    size_t n;
    cm_fleet_member m[CM_FLEET_MAX];
} cm_fleet;

/** With the defaults for what is 0. */
void cm_fleet_init(cm_fleet *f, const cm_fleet_options *o);
/** BAD_ARGUMENT: too many, a name that is empty, too long or there, a weight over its limit. */
CM_MUST cm_err cm_fleet_add(cm_fleet *f, const char *name, const char *region, uint64_t weight,
                            uint64_t now_ms);
/** What part of all it takes now, in thousandths of its weight's unit: weight * 1000 when it
 * serves, less while it ramps, 0 when it is broken. */
uint64_t cm_fleet_share(const cm_fleet *f, size_t i, uint64_t now_ms);
/** Who is asked next, but for those whose bit is in `not`: one that serves, of our own region
 * where there is one; else one of weight 0; else one that is broken, rather than nobody; never one
 * in quarantine or retired. CM_FLEET_NONE. */
size_t cm_fleet_pick(cm_fleet *f, uint64_t now_ms, uint64_t random, uint32_t not );
/** It answered, after so long. */
void cm_fleet_answered(cm_fleet *f, size_t i, uint64_t now_ms, uint64_t took_us);
/** It did not. */
void cm_fleet_failed(cm_fleet *f, size_t i, uint64_t now_ms);
/** It answered wrongly. */
void cm_fleet_quarantine(cm_fleet *f, size_t i, uint64_t now_ms);
/** A member whose health is to be checked now, and its next time set; CM_FLEET_NONE. The check's
 * result comes as cm_fleet_answered() or cm_fleet_failed(). */
size_t cm_fleet_check(cm_fleet *f, uint64_t now_ms);
/** When the next check is due; UINT64_MAX: never. */
uint64_t cm_fleet_next_check(const cm_fleet *f);
/** BAD_ARGUMENT: no such name, or over the limit. */
CM_MUST cm_err cm_fleet_set_weight(cm_fleet *f, const char *name, uint64_t weight);
/** Takes a member out, or lets it back in, where it ramps like one that was broken; one in
 * quarantine stays there. BAD_ARGUMENT: no such name. */
CM_MUST cm_err cm_fleet_set_retired(cm_fleet *f, const char *name, bool retired, uint64_t now_ms);
/** Whether it is asked for nothing, whatever happens to the others. */
bool cm_fleet_is_out(const cm_fleet *f, size_t i);

#endif
