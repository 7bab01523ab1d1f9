#ifndef CM_STORE_PATH_H
#define CM_STORE_PATH_H
/*
 * Row keys are lists of typed components, never joined strings: "a:b","c" and "a","b:c" differ, and
 * no component can end another. Order of keys is order of components.
 *
 * A component is its bytes with each 00 written 00 ff, then 00 01. The first component is the
 * tenant the row belongs to; "" is the system's own, and "boot" holds what is read before
 * unsealing.
 */
#include "base/base.h"

enum { CM_PATH_MAX = 1024 };

typedef struct {
    uint8_t b[CM_PATH_MAX];
    size_t n;
    bool over; /* did not fit: cm_path_view() is empty then */
} cm_path;

static inline cm_view cm_path_view(const cm_path *p)
{
    return cm_view_of(p->b, p->over ? 0 : p->n);
}

void cm_path_init(cm_path *p);
void cm_path_add(cm_path *p, cm_view component);
void cm_path_add_str(cm_path *p, const char *component);
/** As 8 bytes, big-endian: in numeric order. */
void cm_path_add_u64(cm_path *p, uint64_t n);
/** The end of a scan over everything below p: p with its last byte raised. */
void cm_path_end(cm_path *p);
/** The nth component, unescaped, appended to out. STORE_PATH for a key that is none. */
CM_MUST cm_err cm_path_nth(cm_buf *out, cm_view key, size_t n);
/** How many components, all of key taken. STORE_PATH for a key that is none. */
CM_MUST cm_err cm_path_count(cm_view key, size_t *n);

#endif
