#include <errno.h>
#include <time.h>

#include "base/ct.h"
#include "base/os.h"
#include "hsm/set_int.h"

enum { PROBE = 32 };

/* ---- time and chance ----------------------------------------------------------------------- */

static uint64_t now_us(const cm_hsm_set *s)
{
    return s->o.now_us ? s->o.now_us(s->o.arg) : cm_os_monotonic_ns() / 1000;
}

static uint64_t now_ms(const cm_hsm_set *s)
{
    return now_us(s) / 1000;
}

/* Which device is asked is no secret: without randomness, the first of the lot is. */
static uint64_t chance(const cm_hsm_set *s)
{
    uint64_t r = 0;

    if (s->o.random)
        return s->o.random(s->o.arg);
    return cm_ok(cm_random(s->o.crypt, &r, sizeof r)) ? r : 0;
}

/* ---- one device ---------------------------------------------------------------------------- */

/* H-35 */
set_verdict cm_set_judge(cm_err e)
{
    if (cm_ok(e) || cm_is(e, CM_HSM_REQUEST) || cm_is(e, CM_TOO_BIG) || cm_is(e, CM_NO_MEMORY))
        return SET_ANSWERED;
    if (cm_is(e, CM_HSM_WRONG) || cm_is(e, CM_HSM_QUARANTINED))
        return SET_WRONG;
    if (cm_is(e, CM_HSM_NO_KEY) || cm_is(e, CM_HSM_KEYS) || cm_is(e, CM_HSM_KEY_CHANGED) ||
        cm_is(e, CM_HSM_EXPORTABLE) || cm_is(e, CM_HSM_MECHANISM) || cm_is(e, CM_HSM_BLOB) ||
        cm_is(e, CM_HSM_KEY_CLASSICAL) || cm_is(e, CM_HSM_KEY_SYMMETRIC))
        return SET_ELSEWHERE;
    return SET_FAILED;
}

static void note(cm_hsm_set *s, size_t i, cm_err e, uint64_t took_us)
{
    uint64_t now = now_ms(s);

    pthread_mutex_lock(&s->lock);
    switch (cm_set_judge(e)) {
    case SET_WRONG:
        cm_fleet_quarantine(&s->fleet, i, now);
        break;
    case SET_FAILED:
        cm_fleet_failed(&s->fleet, i, now);
        break;
    default:
        cm_fleet_answered(&s->fleet, i, now, took_us);
    }
    pthread_mutex_unlock(&s->lock);
}

cm_err cm_set_ask(cm_hsm_set *s, size_t i, const cm_hsm_request *r, cm_hsm_answer *a)
{
    uint64_t from = now_us(s);
    cm_err e = s->member[i].call(s->member[i].self, r, a);

    note(s, i, e, now_us(s) - from);
    return e;
}

void cm_set_quarantine(cm_hsm_set *s, size_t i)
{
    note(s, i, CM_FAIL(HSM_WRONG), 0);
}

bool cm_set_in_quarantine(cm_hsm_set *s, size_t i)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->fleet.m[i].state == CM_FLEET_QUARANTINED;
    pthread_mutex_unlock(&s->lock);
    return is;
}

bool cm_set_is_retired(cm_hsm_set *s, size_t i)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->fleet.m[i].state == CM_FLEET_RETIRED;
    pthread_mutex_unlock(&s->lock);
    return is;
}

size_t cm_set_pick(cm_hsm_set *s, uint32_t not )
{
    uint64_t now = now_ms(s), r = chance(s);
    size_t i;

    pthread_mutex_lock(&s->lock);
    i = cm_fleet_pick(&s->fleet, now, r, not );
    pthread_mutex_unlock(&s->lock);
    return i;
}

static bool same_token(const cm_hsm_status *a, const cm_hsm_status *b)
{
    return strcmp(a->provider, b->provider) == 0 && strcmp(a->serial, b->serial) == 0;
}

/* H-7: the token that was there first is the member. */
static cm_err meet(cm_hsm_set *s, size_t i, const cm_hsm_status *now)
{
    bool same;

    pthread_mutex_lock(&s->lock);
    same = !s->met[i] || same_token(&s->status[i], now);
    if (same) {
        s->status[i] = *now;
        s->met[i] = true;
        s->stale[i] = false;
    }
    pthread_mutex_unlock(&s->lock);
    return same ? CM_OKAY : CM_FAIL(HSM_OTHER_TOKEN);
}

cm_err cm_set_identify(cm_hsm_set *s, size_t i, uint8_t token[CM_HSM_SET_TOKEN])
{
    const cm_hsm_request r = {.op = CM_HSM_STATUS};
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    cm_err e;

    CM_TRY(cm_set_ask(s, i, &r, &a));
    e = meet(s, i, &a.status);
    if (cm_failed(e))
        note(s, i, e, 0);
    CM_TRY(e);
    return cm_hsm_token_id(token, s->o.crypt, &a.status);
}

/* ---- health -------------------------------------------------------------------------------- */

/* What the key wraps opens again: to say "status" proves little. */
static cm_err round_trip(cm_hsm_set *s, size_t i)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = PROBE + CM_HSM_BLOB_MORE};
    CM_AUTO(cm_buf_free) cm_buf back = {.max = PROBE};
    cm_view purpose = CM_LIT("casemate-hsm-check-v1");
    uint8_t probe[PROBE];

    CM_TRY(cm_random(s->o.crypt, probe, sizeof probe));
    CM_TRY(cm_hsm_wrap(&s->member[i], s->o.probe, CM_VIEW(probe), purpose, &blob));
    CM_TRY(cm_hsm_unwrap(&s->member[i], s->o.probe, cm_buf_view(&blob), purpose, &back));
    return cm_ct_equal(cm_buf_view(&back), CM_VIEW(probe)) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

static cm_err probe(cm_hsm_set *s, size_t i)
{
    cm_hsm_status now;

    CM_TRY(cm_hsm_status_of(&s->member[i], &now));
    CM_TRY(meet(s, i, &now));
    return s->o.probe.n ? round_trip(s, i) : CM_OKAY;
}

/* A member without the key can't serve: for a check that is a failure. */
static cm_err check(cm_hsm_set *s, size_t i)
{
    uint64_t from = now_us(s);
    cm_err e = probe(s, i);
    bool elsewhere = cm_set_judge(e) == SET_ELSEWHERE;

    note(s, i, elsewhere ? CM_FAIL(HSM_DEVICE) : e, now_us(s) - from);
    return e;
}

void cm_hsm_set_check(cm_hsm_set *s)
{
    size_t i;

    do {
        uint64_t now = now_ms(s);

        pthread_mutex_lock(&s->lock);
        i = cm_fleet_check(&s->fleet, now);
        pthread_mutex_unlock(&s->lock);
        if (i != CM_FLEET_NONE)
            (void)cm_failed(check(s, i));
    } while (i != CM_FLEET_NONE);
}

cm_err cm_hsm_set_all(cm_hsm_set *s)
{
    cm_err first = CM_OKAY;

    for (size_t i = 0; i < s->fleet.n; i++) {
        cm_err e;

        if (cm_set_is_retired(s, i))
            continue;
        e = cm_set_in_quarantine(s, i) ? CM_FAIL(HSM_QUARANTINED) : check(s, i);

        if (cm_ok(first))
            first = e;
    }
    return first;
}

/* s->lock is held. */
static void sleep_until(cm_hsm_set *s, uint64_t due_ms)
{
    struct timespec t = {.tv_sec = (time_t)(due_ms / 1000),
                         .tv_nsec = (long)(due_ms % 1000) * 1000000};

    if (due_ms == UINT64_MAX)
        (void)pthread_cond_wait(&s->wake, &s->lock);
    else
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &t);
}

static void *watch(void *arg)
{
    cm_hsm_set *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        uint64_t due = cm_fleet_next_check(&s->fleet);

        if (due > now_ms(s)) {
            sleep_until(s, due);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        cm_hsm_set_check(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

cm_err cm_hsm_set_watch(cm_hsm_set *s)
{
    if (s->watched || pthread_create(&s->watcher, NULL, watch, s) != 0)
        return CM_FAIL(NO_THREAD);
    s->watched = true;
    return CM_OKAY;
}

/* ---- what there is to see ------------------------------------------------------------------ */

void cm_hsm_set_fleet(cm_hsm_set *s, cm_fleet *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->fleet;
    pthread_mutex_unlock(&s->lock);
}

bool cm_hsm_set_status(cm_hsm_set *s, size_t i, cm_hsm_status *out)
{
    bool met;

    pthread_mutex_lock(&s->lock);
    met = i < s->fleet.n && s->met[i];
    if (met)
        *out = s->status[i];
    pthread_mutex_unlock(&s->lock);
    return met;
}

void cm_hsm_set_renewed(cm_hsm_set *s, size_t i)
{
    pthread_mutex_lock(&s->lock);
    s->stale[i] = true;
    s->fleet.m[i].due = 0;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

bool cm_hsm_set_is_stale(cm_hsm_set *s, size_t i)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->stale[i];
    pthread_mutex_unlock(&s->lock);
    return is;
}

void cm_hsm_set_forget(cm_hsm_set *s)
{
    pthread_mutex_lock(&s->lock);
    memset(s->met, 0, sizeof s->met);
    pthread_mutex_unlock(&s->lock);
}

cm_err cm_hsm_set_weight(cm_hsm_set *s, const char *name, uint64_t weight)
{
    cm_err e;

    pthread_mutex_lock(&s->lock);
    e = cm_fleet_set_weight(&s->fleet, name, weight);
    pthread_mutex_unlock(&s->lock);
    return e;
}

cm_err cm_hsm_set_retire(cm_hsm_set *s, const char *name, bool retired)
{
    uint64_t now = now_ms(s);
    cm_err e;

    pthread_mutex_lock(&s->lock);
    e = cm_fleet_set_retired(&s->fleet, name, retired, now);
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* Names stay as they are from the start: no lock. */
cm_err cm_hsm_set_make_key(cm_hsm_set *s, const char *name)
{
    cm_hsm_key k;
    size_t i = 0;
    cm_err e;

    while (i < s->fleet.n && strcmp(s->fleet.m[i].name, name) != 0)
        i++;
    if (i == s->fleet.n || !s->o.probe.n)
        return CM_FAIL(BAD_ARGUMENT);
    e = cm_hsm_find(&s->member[i], &k, CM_HSM_AES256, s->o.probe, (cm_view){NULL, 0});
    if (!cm_is(e, CM_HSM_NO_KEY))
        return e;
    return cm_hsm_generate(&s->member[i], &k, CM_HSM_AES256, s->o.probe, s->o.probe, false);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void init_wake(cm_hsm_set *s)
{
    pthread_condattr_t a;

    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &a);
    pthread_condattr_destroy(&a);
}

cm_err cm_hsm_set_new(cm_hsm_set **out, const cm_hsm_set_options *o, const cm_hsm_set_member *m,
                      size_t n)
{
    CM_AUTO(cm_hsm_set_free_ptr) cm_hsm_set *s = NULL;

    CM_TRY(cm_alloc(&s, sizeof *s));
    pthread_mutex_init(&s->lock, NULL);
    init_wake(s);
    s->o = *o;
    cm_fleet_init(&s->fleet, &o->fleet);
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_fleet_add(&s->fleet, m[i].name, m[i].region ? m[i].region : "", m[i].weight,
                            now_ms(s)));
        s->member[i] = m[i].hsm;
    }
    if (n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    *out = s;
    s = NULL;
    return CM_OKAY;
}

void cm_hsm_set_free(cm_hsm_set *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->watched)
        pthread_join(s->watcher, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    cm_free(s);
}

void cm_hsm_set_free_ptr(cm_hsm_set **s)
{
    cm_hsm_set_free(*s);
}

cm_hsm cm_hsm_set_of(cm_hsm_set *s)
{
    return (cm_hsm){.call = cm_set_call, .self = s};
}
