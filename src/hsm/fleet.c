#include "hsm/fleet.h"

enum {
    CHECK_MS = 30000,
    THRESHOLD = 3,
    RAMP_MS = 60000,
    RAMP_FLOOR = CM_FLEET_WHOLE / 10,
    NEAR_PERCENT = 125, /* of the fastest: nearly as fast */
};

const char *cm_fleet_state_name(cm_fleet_state s)
{
    static const char *const names[] = {"serves", "ramps", "broken", "quarantined", "retired"};

    return names[s];
}

void cm_fleet_init(cm_fleet *f, const cm_fleet_options *o)
{
    *f = (cm_fleet){.o = *o};
    if (!f->o.check_ms)
        f->o.check_ms = CHECK_MS;
    if (!f->o.threshold)
        f->o.threshold = THRESHOLD;
    if (!f->o.ramp_ms)
        f->o.ramp_ms = RAMP_MS;
}

static size_t named(const cm_fleet *f, const char *name)
{
    size_t i = 0;

    while (i < f->n && strcmp(f->m[i].name, name) != 0)
        i++;
    return i;
}

cm_err cm_fleet_add(cm_fleet *f, const char *name, const char *region, uint64_t weight,
                    uint64_t now_ms)
{
    size_t n = strlen(name), r = strlen(region);
    cm_fleet_member *m;

    if (f->n == CM_FLEET_MAX || n == 0 || n > CM_FLEET_NAME_MAX || r > CM_FLEET_NAME_MAX ||
        weight > CM_FLEET_WEIGHT_MAX || named(f, name) < f->n)
        return CM_FAIL(BAD_ARGUMENT);
    m = &f->m[f->n++];
    *m = (cm_fleet_member){.weight = weight, .since = now_ms, .due = now_ms + f->o.check_ms};
    memcpy(m->name, name, n);
    memcpy(m->region, region, r);
    return CM_OKAY;
}

cm_err cm_fleet_set_weight(cm_fleet *f, const char *name, uint64_t weight)
{
    size_t i = named(f, name);

    if (i == f->n || weight > CM_FLEET_WEIGHT_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    f->m[i].weight = weight;
    return CM_OKAY;
}

/* ---- health -------------------------------------------------------------------------------- */

static void enter(cm_fleet_member *m, cm_fleet_state s, uint64_t now_ms)
{
    if (m->state == s)
        return;
    m->state = s;
    m->since = now_ms;
    m->credit = 0;
}

void cm_fleet_answered(cm_fleet *f, size_t i, uint64_t now_ms, uint64_t took_us)
{
    cm_fleet_member *m = &f->m[i];

    m->calls++;
    m->failed = 0;
    m->us = m->us ? (7 * m->us + CM_MAX(took_us, 1)) / 8 : CM_MAX(took_us, 1);
    if (m->state == CM_FLEET_BROKEN) /* H-33 */
        enter(m, CM_FLEET_RAMPS, now_ms);
    else if (m->state == CM_FLEET_RAMPS && now_ms - m->since >= f->o.ramp_ms)
        enter(m, CM_FLEET_SERVES, now_ms);
}

/* H-32 */
void cm_fleet_failed(cm_fleet *f, size_t i, uint64_t now_ms)
{
    cm_fleet_member *m = &f->m[i];

    m->calls++;
    m->failures++;
    m->failed++;
    if (m->state == CM_FLEET_RAMPS || (m->state == CM_FLEET_SERVES && m->failed >= f->o.threshold))
        enter(m, CM_FLEET_BROKEN, now_ms);
}

bool cm_fleet_is_out(const cm_fleet *f, size_t i)
{
    return f->m[i].state == CM_FLEET_QUARANTINED || f->m[i].state == CM_FLEET_RETIRED;
}

/* H-60 */
cm_err cm_fleet_set_retired(cm_fleet *f, const char *name, bool retired, uint64_t now_ms)
{
    size_t i = named(f, name);

    if (i == f->n)
        return CM_FAIL(BAD_ARGUMENT);
    if (f->m[i].state == CM_FLEET_QUARANTINED || (f->m[i].state == CM_FLEET_RETIRED) == retired)
        return CM_OKAY;
    enter(&f->m[i], retired ? CM_FLEET_RETIRED : CM_FLEET_RAMPS, now_ms);
    f->m[i].failed = 0;
    return CM_OKAY;
}

/* H-34 */
void cm_fleet_quarantine(cm_fleet *f, size_t i, uint64_t now_ms)
{
    f->m[i].calls++;
    f->m[i].failures++;
    enter(&f->m[i], CM_FLEET_QUARANTINED, now_ms);
}

uint64_t cm_fleet_next_check(const cm_fleet *f)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < f->n; i++)
        if (!cm_fleet_is_out(f, i))
            next = CM_MIN(next, f->m[i].due);
    return next;
}

size_t cm_fleet_check(cm_fleet *f, uint64_t now_ms)
{
    for (size_t i = 0; i < f->n; i++) {
        if (cm_fleet_is_out(f, i) || f->m[i].due > now_ms)
            continue;
        f->m[i].due = now_ms + f->o.check_ms;
        return i;
    }
    return CM_FLEET_NONE;
}

/* ---- choice -------------------------------------------------------------------------------- */

uint64_t cm_fleet_share(const cm_fleet *f, size_t i, uint64_t now_ms)
{
    const cm_fleet_member *m = &f->m[i];
    uint64_t part = CM_FLEET_WHOLE, past = now_ms - m->since;

    if (m->state == CM_FLEET_BROKEN || cm_fleet_is_out(f, i))
        return 0;
    if (m->state == CM_FLEET_RAMPS && past < f->o.ramp_ms) /* H-33 */
        part = RAMP_FLOOR + (CM_FLEET_WHOLE - RAMP_FLOOR) * past / f->o.ramp_ms;
    return m->weight * part;
}

struct field {
    uint64_t share[CM_FLEET_MAX], total;
};

static bool at_home(const cm_fleet *f, size_t i)
{
    return f->o.region[0] == 0 || strcmp(f->o.region, f->m[i].region) == 0;
}

static void enrol(const cm_fleet *f, struct field *x, uint64_t now_ms, uint32_t not, bool home)
{
    *x = (struct field){.total = 0};
    for (size_t i = 0; i < f->n; i++) {
        if (not >> i & 1 || (home && !at_home(f, i)))
            continue;
        x->share[i] = cm_fleet_share(f, i, now_ms);
        x->total += x->share[i];
    }
}

/* The others are out: what is nearly as fast as the fastest stays. One that was never measured has
 * to be asked to be known. */
static void keep_fastest(const cm_fleet *f, struct field *x)
{
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; i < f->n; i++)
        if (x->share[i] && f->m[i].us)
            best = CM_MIN(best, f->m[i].us);
    for (size_t i = 0; i < f->n; i++) {
        if (x->share[i] == 0 || best == UINT64_MAX || f->m[i].us <= best * NEAR_PERCENT / 100)
            continue;
        x->total -= x->share[i];
        x->share[i] = 0;
    }
}

/* H-30: 2^64 is so far above all totals that the remainder's bias can't be seen. */
static size_t by_chance(const struct field *x, uint64_t random)
{
    uint64_t at = random % x->total;
    size_t i = 0;

    while (at >= x->share[i])
        at -= x->share[i++];
    return i;
}

/* Each is owed its share a turn; the one that is owed most pays for all: no runs, exact in sum. */
static size_t by_turns(cm_fleet *f, const struct field *x)
{
    size_t best = CM_FLEET_NONE;

    for (size_t i = 0; i < f->n; i++) {
        if (x->share[i] == 0)
            continue;
        f->m[i].credit += (int64_t)x->share[i];
        if (best == CM_FLEET_NONE || f->m[i].credit > f->m[best].credit)
            best = i;
    }
    f->m[best].credit -= (int64_t)x->total;
    return best;
}

/* H-31: a spare, then a broken one: better than to refuse without having asked. */
static size_t last_resort(const cm_fleet *f, uint32_t not )
{
    size_t broken = CM_FLEET_NONE;

    for (size_t i = 0; i < f->n; i++) {
        if (not >> i & 1 || cm_fleet_is_out(f, i))
            continue;
        if (f->m[i].state != CM_FLEET_BROKEN)
            return i;
        if (broken == CM_FLEET_NONE)
            broken = i;
    }
    return broken;
}

size_t cm_fleet_pick(cm_fleet *f, uint64_t now_ms, uint64_t random, uint32_t not )
{
    struct field x;

    enrol(f, &x, now_ms, not, true);
    if (x.total == 0) /* H-31 */
        enrol(f, &x, now_ms, not, false);
    if (x.total == 0)
        return last_resort(f, not );
    if (f->o.mode == CM_FLEET_LATENCY)
        keep_fastest(f, &x);
    return f->o.mode == CM_FLEET_WEIGHTED ? by_chance(&x, random) : by_turns(f, &x);
}
