#ifndef CM_CODEC_CUT_H
#define CM_CODEC_CUT_H
/*
 * A cursor over a binary record: takes exact lengths, never past the end. Sticky: after an error
 * everything taken is empty or zero and bad stays set, so a layout is read in one go and checked
 * once. Borrows from its input. One thread at a time; time depends on lengths alone.
 */
#include "base/base.h"

typedef struct {
    cm_view rest;
    bool bad;
} cm_cut;

static inline cm_cut cm_cut_of(cm_view v)
{
    cm_cut c = {v, false};
    return c;
}

/** The next n bytes; empty when there are fewer. */
static inline cm_view cm_cut_bytes(cm_cut *c, size_t n)
{
    cm_view v = cm_view_of(NULL, 0);

    if (c->bad || n > c->rest.n) {
        c->bad = true;
        return v;
    }
    if (n) {
        v = cm_view_of(c->rest.p, n);
        c->rest = cm_view_of(c->rest.p + n, c->rest.n - n);
    }
    return v;
}

static inline uint8_t cm_cut_u8(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 1);

    return v.n ? v.p[0] : 0;
}

static inline uint16_t cm_cut_le16(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 2);

    return v.n ? (uint16_t)(v.p[0] | v.p[1] << 8) : 0;
}

static inline uint32_t cm_cut_le32(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 4);

    return v.n ? cm_get_le32(v.p) : 0;
}

static inline uint64_t cm_cut_le64(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 8);

    return v.n ? cm_get_le64(v.p) : 0;
}

static inline uint16_t cm_cut_be16(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 2);

    return v.n ? cm_get_be16(v.p) : 0;
}

static inline uint32_t cm_cut_be32(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 4);

    return v.n ? cm_get_be32(v.p) : 0;
}

static inline uint64_t cm_cut_be64(cm_cut *c)
{
    cm_view v = cm_cut_bytes(c, 8);

    return v.n ? cm_get_be64(v.p) : 0;
}

/** Everything was taken and nothing was missing. */
static inline bool cm_cut_done(const cm_cut *c)
{
    return !c->bad && c->rest.n == 0;
}

#endif
