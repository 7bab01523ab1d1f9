#include "svc/refusals.h"

#include <pthread.h>
#include <stdio.h>

#include "audit/blind.h"
#include "svc/policy.h"

enum { ADDRESS = 16, V4_PREFIX = 15, V6_PREFIX = 7, REST = 0 };

/* A /24 of IPv4 or a /56 of IPv6: what one stranger has at least. */
typedef struct {
    uint8_t of[ADDRESS];
    bool used;
    uint64_t counted; /* since the last entry */
    uint64_t next;    /* no entry before, ms */
    uint32_t reason;  /* of the last one counted */
} slot;

struct cm_refusals {
    const cm_crypt *c;
    pthread_mutex_t lock; /* of what follows */
    uint8_t salt[CM_AUDIT_SALT];
    slot v[CM_REFUSALS_CLASSES + 1]; /* the rest first */
};

cm_err cm_refusals_new(cm_refusals **out, const cm_crypt *c)
{
    cm_refusals *r;
    cm_err e;

    CM_TRY(cm_alloc(&r, sizeof *r));
    *r = (cm_refusals){.c = c};
    e = cm_random(c, r->salt, sizeof r->salt);
    if (cm_failed(e)) {
        cm_free(r);
        return e;
    }
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return CM_OKAY;
}

void cm_refusals_free(cm_refusals *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    cm_free(r);
}

/* False: the text is no address. */
static bool class_of(uint8_t out[ADDRESS], cm_view address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t a[ADDRESS];
    size_t n;

    if (cm_failed(cm_address_parse(a, address)))
        return false;
    n = cm_view_eq(cm_view_of(a, sizeof mapped), CM_VIEW(mapped)) ? V4_PREFIX : V6_PREFIX;
    memset(out, 0, ADDRESS);
    memcpy(out, a, n);
    return true;
}

/* A clock that went back holds nothing up. */
static bool over(const slot *s, uint64_t now)
{
    return now >= s->next || s->next - now > CM_REFUSALS_MS;
}

/* Its own, else one that nothing depends on any more, else the rest. */
static size_t slot_of(cm_refusals *r, const uint8_t of[ADDRESS], uint64_t now)
{
    size_t free_one = REST;

    for (size_t i = 1; i <= CM_REFUSALS_CLASSES; i++) {
        const slot *s = &r->v[i];

        if (s->used && cm_view_eq(CM_VIEW(s->of), cm_view_of(of, ADDRESS)))
            return i;
        if (free_one == REST && (!s->used || (s->counted == 0 && over(s, now))))
            free_one = i;
    }
    if (free_one != REST) {
        r->v[free_one] = (slot){.used = true};
        memcpy(r->v[free_one].of, of, ADDRESS);
    }
    return free_one;
}

static void take(cm_refusals *r, size_t at, uint64_t now, cm_refusal *out)
{
    slot *s = &r->v[at];

    *out = (cm_refusal){.count = s->counted, .reason = s->reason, .slot = at};
    out->known = at != REST && cm_ok(cm_audit_blind(r->c, out->class, CM_VIEW(r->salt), "address",
                                                    CM_VIEW(s->of)));
    s->counted = 0;
    s->next = now + CM_REFUSALS_MS;
}

bool cm_refusals_note(cm_refusals *r, cm_view address, cm_err why, uint64_t now_ms, cm_refusal *out)
{
    uint8_t of[ADDRESS];
    bool due;
    size_t at;

    pthread_mutex_lock(&r->lock);
    at = class_of(of, address) ? slot_of(r, of, now_ms) : REST;
    r->v[at].counted++;
    r->v[at].reason = why.v;
    due = over(&r->v[at], now_ms);
    if (due)
        take(r, at, now_ms, out);
    pthread_mutex_unlock(&r->lock);
    return due;
}

bool cm_refusals_due(cm_refusals *r, uint64_t now_ms, bool all, cm_refusal *out)
{
    bool found = false;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i <= CM_REFUSALS_CLASSES && !found; i++) {
        found = r->v[i].counted > 0 && (all || over(&r->v[i], now_ms));
        if (found)
            take(r, i, now_ms, out);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

void cm_refusals_back(cm_refusals *r, const cm_refusal *what)
{
    slot *s = &r->v[what->slot];

    pthread_mutex_lock(&r->lock);
    s->counted += what->count;
    s->reason = what->reason;
    pthread_mutex_unlock(&r->lock);
}

cm_view cm_refusal_name(const cm_refusal *what, char name[CM_REFUSALS_NAME])
{
    if (what->count == 1)
        return CM_LIT("RcarAttest");
    (void)snprintf(name, CM_REFUSALS_NAME, "RcarAttest/%llu", (unsigned long long)what->count);
    return cm_view_str(name);
}
