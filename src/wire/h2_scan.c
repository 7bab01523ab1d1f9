/*
 * Some frames cost the receiver far more than the sender: resets of streams just opened, settings,
 * pings, empty data, endless header blocks. They are counted here, whatever the version of nghttp2
 * below does about them.
 */
#include "wire/h2_int.h"

enum { SECOND = 1000, CONTINUED_MAX = 16, PREFACE = 24 };

static void next_second(struct cm_h2_scan *s, uint64_t now)
{
    if (now - s->since < SECOND)
        return;
    s->since = now;
    s->resets = s->settings = s->pings = 0;
}

static bool count_block(const cm_http_conn *c, struct cm_h2_scan *s, uint8_t type, uint64_t n)
{
    if (type == NGHTTP2_HEADERS) {
        s->continued = 0;
        s->block = n;
    } else {
        s->continued++;
        s->block += n;
    }
    /* Encoded it is hardly longer than decoded, to which head_max applies. */
    return s->continued <= CONTINUED_MAX && s->block <= 2 * (uint64_t)c->limits.head_max + 16384;
}

/* A frame's head is in s->head. */
static bool count(const cm_http_conn *c, struct cm_h2_scan *s)
{
    uint64_t n = cm_get_be32(s->head) >> 8;
    uint8_t type = s->head[3], flags = s->head[4];
    unsigned max = c->limits.resets_max;

    s->left = n;
    switch (type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        return count_block(c, s, type, n);
    case NGHTTP2_DATA:
        return n > 0 || (flags & NGHTTP2_FLAG_END_STREAM) || ++s->pings <= max;
    case NGHTTP2_RST_STREAM:
        return ++s->resets <= max;
    case NGHTTP2_SETTINGS:
        return ++s->settings <= max;
    case NGHTTP2_WINDOW_UPDATE:
        return true;
    default:
        return ++s->pings <= max;
    }
}

bool cm_h2_scan(cm_http_conn *c, cm_view v)
{
    struct cm_h2_scan *s = &c->h2.scan;

    next_second(s, c->now);
    while (v.n > 0) {
        size_t want = s->preface < PREFACE ? PREFACE - s->preface
                      : s->left            ? (size_t)s->left
                                           : sizeof s->head - s->head_n;
        size_t n = CM_MIN(want, v.n);

        if (s->preface < PREFACE) {
            s->preface += n;
        } else if (s->left) {
            s->left -= n;
        } else {
            memcpy(s->head + s->head_n, v.p, n);
            s->head_n += n;
        }
        v = cm_view_sub(v, n, v.n - n);
        if (s->head_n < sizeof s->head)
            continue;
        s->head_n = 0;
        if (!count(c, s))
            return false;
    }
    return true;
}
