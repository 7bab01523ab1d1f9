#ifndef CM_SVC_DEVICES_H
#define CM_SVC_DEVICES_H
/*
 * What people want of the key devices behind the root (spec/hsm.md, H-60 to H-63), as one row says
 * it: weights that were changed, devices that are retired, a migration under way. Operations write
 * the row with their leaf (h_device.c); whoever talks to the devices brings them there, step by
 * step, and writes each step it has reached.
 */
#include "store/store.h"

enum { CM_DEVICES_MAX = 8, CM_DEVICE_NAME_MAX = 32, CM_DEVICE_WEIGHT_MAX = 1000 };

/** Of a migration, in order: what has been reached. */
typedef enum {                  /* record numbers */
               CM_MIGRATE_NONE, /* no migration */
               CM_MIGRATE_ASKED,
               CM_MIGRATE_BOTH, /* wrapped by both; the new one takes a tenth */
               CM_MIGRATE_HALF,
               CM_MIGRATE_ALL, /* the old one serves no more; the record still has it */
               CM_MIGRATE_STEPS,
} cm_migrate_step;
/** "none", "asked", "both", "half", "all". Static. */
const char *cm_migrate_step_name(unsigned step);

typedef struct {
    char name[CM_DEVICE_NAME_MAX + 1];
    uint64_t weight;
    bool retired;
} cm_device_want;

typedef struct {
    size_t n;
    cm_device_want of[CM_DEVICES_MAX]; /* those that differ from the configuration */
    char from[CM_DEVICE_NAME_MAX + 1], to[CM_DEVICE_NAME_MAX + 1];
    unsigned step;
    uint64_t since_ms, pause_s; /* since the step; between two of them at least */
    uint64_t version;           /* of the row; 0: there is none */
} cm_device_plan;

/** The row. Without one: a plan of nothing. SVC_RECORD, and what the store fails with. */
CM_MUST cm_err cm_device_plan_read(cm_device_plan *out, cm_store *s);
/** Its key, and its bytes, appended. */
void cm_device_plan_path(cm_path *out);
CM_MUST cm_err cm_device_plan_put(cm_buf *out, const cm_device_plan *p);

/** What is wanted of a device; NULL: what the configuration says. */
const cm_device_want *cm_device_wanted(const cm_device_plan *p, const char *name);
/** BAD_ARGUMENT: too many devices, or too long a name. */
CM_MUST cm_err cm_device_want_set(cm_device_plan *p, const char *name, uint64_t weight,
                                  bool retired);
/** The weights of a step. */
CM_MUST cm_err cm_device_plan_step(cm_device_plan *p, unsigned step, uint64_t now_ms);

#endif
