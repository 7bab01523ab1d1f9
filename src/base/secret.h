#ifndef CM_BASE_SECRET_H
#define CM_BASE_SECRET_H
/*
 * The locked arena: memory for long-lived secrets. Pages come from memfd_secret where the kernel
 * has it, else from mlock; they are left out of core dumps, absent from a forked child (or empty in
 * it: with mlock), and guarded at both ends. Cells are 64 bytes, so a key costs nanoseconds and not
 * a page.
 * This is the one mutable object of the process that the library keeps; a mutex guards it.
 */
#include "base/base.h"

enum { CM_SECRET_MAX = 1 << 18 };

/** How the arena's pages are protected: shown by `casemate version --deps`. */
typedef enum { CM_ARENA_NONE, CM_ARENA_MLOCK, CM_ARENA_MEMFD_SECRET } cm_arena_kind;

/** n zeroed bytes of locked memory. TOO_BIG past CM_SECRET_MAX, NO_LOCKED_MEMORY when the
 * memlock limit is reached. Any thread. */
CM_MUST cm_err cm_secret_new(void *out, size_t n);
/** Wipes and returns the cells. NULL is fine. */
void cm_secret_free(void *p, size_t n);
cm_arena_kind cm_secret_kind(void);

#endif
