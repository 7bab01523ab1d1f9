#ifndef CM_SEALED_EXTRACT_INT_H
#define CM_SEALED_EXTRACT_INT_H
/* Verified plaintext, many segments at a time. */
#include "sealed/open_int.h"

/** Hand [from, to) of the plaintext to put in pieces, each verified first: from several threads at
 * once, or one at a time in order. */
CM_MUST cm_err cm_sealed_each(struct cm_sealed *s, uint64_t from, uint64_t to, bool ordered,
                              cm_err (*put)(void *, uint64_t, const uint8_t *, size_t), void *arg);

/** Extract a directory model into the folder out, which appears at once. */
CM_MUST cm_err cm_sealed_extract_dir(struct cm_sealed *s, const char *out, bool replace);

static inline cm_view cm_sealed_salt(const struct cm_sealed *s)
{
    return cm_view_of(s->salt, s->core.salted ? sizeof s->salt : 0);
}

#endif
