/* What the operator has for judging evidence: read at the start, upon SIGHUP, and when the folder
 * was seen to change. A set is taken whole or not at all (V-120). */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/os.h"
#include "kmsd.h"

enum { PATH_LEN = 4200, SETTLE_MS = 500, TRIES = 3, REMIND_MS = 3600000 };

typedef struct {
    struct dirent **v;
    int n;
} names;

static void names_done(names *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* In the order of names: what comes of a folder must not depend on the disk. */
static cm_err list(names *out, const char *folder)
{
    int n = scandir(folder, &out->v, visible, alphasort);

    if (n < 0)
        return CM_FAIL(IO_OPEN);
    out->n = n;
    return CM_OKAY;
}

/* False for what is no file. */
static bool look_at(char path[PATH_LEN], struct stat *st, const char *folder, const char *name)
{
    int n = snprintf(path, PATH_LEN, "%s/%s", folder, name);

    return n > 0 && n < PATH_LEN && stat(path, st) == 0 && S_ISREG(st->st_mode);
}

/* By which a change shows: names, sizes and times of the files. That of a folder which can't be
 * read is one too. */
static cm_err state_of(uint8_t out[32], const kmsd *d)
{
    CM_AUTO(names_done) names l = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4 << 20};
    char path[PATH_LEN], text[400];
    struct stat st;

    memset(out, 0xff, 32);
    CM_TRY(list(&l, d->v->attest.collateral));
    for (int i = 0; i < l.n; i++) {
        if (!look_at(path, &st, d->v->attest.collateral, l.v[i]->d_name))
            continue;
        (void)snprintf(text, sizeof text, "%s/%llu %lld %lld.%09ld %lld.%09ld", l.v[i]->d_name,
                       (unsigned long long)st.st_ino, (long long)st.st_size,
                       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
        CM_TRY(cm_buf_append(&b, cm_view_of(text, strlen(text) + 1)));
    }
    return cm_hash_once(d->crypt, CM_SHA256, out, cm_buf_view(&b));
}

static cm_err add(cm_svc_collateral *set, const kmsd *d, const char *name, char *why)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_BUNDLE_FILE_MAX};
    char path[PATH_LEN];
    struct stat st;
    cm_err e;

    if (!look_at(path, &st, d->v->attest.collateral, name))
        return CM_OKAY;
    e = cm_os_slurp(&file, path, CM_BUNDLE_FILE_MAX);
    if (cm_ok(e))
        e = cm_svc_collateral_add(set, cm_view_str(name), cm_buf_view(&file),
                                  (uint64_t)CM_MAX(st.st_mtime, 0));
    if (cm_failed(e))
        (void)snprintf(why, CM_SVC_COLLATERAL_WHY, "%.200s: %s", name, cm_err_what(e));
    return e;
}

static cm_err read_set(cm_svc_collateral **out, const kmsd *d, char *why)
{
    CM_AUTO(cm_svc_collateral_free_ptr) cm_svc_collateral *set = NULL;
    CM_AUTO(names_done) names l = {.n = 0};

    (void)snprintf(why, CM_SVC_COLLATERAL_WHY, "the folder");
    CM_TRY(list(&l, d->v->attest.collateral));
    CM_TRY(cm_svc_collateral_new(&set, d->crypt));
    for (int i = 0; i < l.n; i++)
        CM_TRY(add(set, d, l.v[i]->d_name, why));
    CM_TRY(cm_svc_collateral_finish(set, d->collateral.used, why));
    *out = set;
    set = NULL;
    return CM_OKAY;
}

/* Between two looks that found the same: no file changed while it was read. *still says so. */
static cm_err read_still(cm_svc_collateral **out, bool *still, uint8_t state[32], const kmsd *d,
                         char *why)
{
    uint8_t after[32];
    cm_err e;

    (void)snprintf(why, CM_SVC_COLLATERAL_WHY, "the folder");
    *still = true;
    CM_TRY(state_of(state, d));
    e = read_set(out, d, why);
    CM_TRY(state_of(after, d));
    *still = cm_view_eq(cm_view_of(state, sizeof after), CM_VIEW(after));
    return e;
}

/* ---- taking it ------------------------------------------------------------------------------- */

static void say_files(const kmsd *d, const cm_svc_collateral *set)
{
    cm_svc_collateral_file f;

    for (size_t i = 0; cm_svc_collateral_at(set, i, &f); i++)
        if (f.superseded)
            CM_LOG(d->log, WARNING, "collateral_superseded", cm_log_str("file", f.name));
        else if (f.as)
            CM_LOG(d->log, INFO, "collateral", cm_log_str("file", f.name), cm_log_str("as", f.as));
        else
            CM_LOG(d->log, WARNING, "collateral_unknown", cm_log_str("file", f.name));
}

static void say_expired(kmsd *d)
{
    uint64_t now = cm_kmsd_now_ms(NULL) / 1000;
    cm_svc_collateral_file f;

    for (size_t i = 0; cm_svc_collateral_at(d->collateral.used, i, &f); i++)
        if (f.as && !f.superseded && f.next && f.next <= now)
            CM_LOG(d->log, WARNING, "collateral_expired", cm_log_str("file", f.name),
                   cm_log_number("since", f.next),
                   cm_log_str("meaning", "checks that need it fail until there is a newer one"));
}

static void take(kmsd *d, cm_svc_collateral *set, const uint8_t state[32])
{
    say_files(d, set);
    memcpy(d->collateral.of, state, sizeof d->collateral.of);
    d->collateral.used = set;
    d->collateral.is_refused = false;
    atomic_store(&d->collateral_stale, false);
    atomic_store(&d->collateral_loaded, cm_kmsd_now_ms(NULL) / 1000);
    atomic_store(&d->collateral_expired,
                 cm_svc_collateral_expired(set, cm_kmsd_now_ms(NULL) / 1000));
    say_expired(d);
    cm_svc_verifier_use(&d->verifier, &set);
}

cm_err cm_kmsd_collateral_load(kmsd *d)
{
    char why[CM_SVC_COLLATERAL_WHY] = "";
    cm_svc_collateral *set = NULL;
    uint8_t state[32] = {0};
    bool still;
    cm_err e;

    CM_TRY(cm_attest_cache_new(&d->chains));
    cm_svc_verifier_init(&d->verifier, d->crypt, d->chains);
    if (!d->v->attest.collateral)
        return CM_OKAY;
    e = read_still(&set, &still, state, d, why);
    if (cm_failed(e)) {
        cm_svc_collateral_free(set);
        CM_LOG(d->log, ERROR, "collateral_failed", cm_log_str("folder", d->v->attest.collateral),
               cm_log_str("file", why), cm_log_err(e));
        return e;
    }
    /* What moved meanwhile is read again at the first look. */
    take(d, set, still ? state : d->collateral.seen);
    return CM_OKAY;
}

/* ---- while the server runs ------------------------------------------------------------------- */

static void refuse(kmsd *d, cm_err why, const char *what, const uint8_t state[32])
{
    memcpy(d->collateral.refused, state, sizeof d->collateral.refused);
    d->collateral.is_refused = true;
    atomic_store(&d->collateral_stale, true);
    cm_metric_add(d->reactor[0].shard, KM_COLLATERAL, 1, 0, 1);
    CM_LOG(d->log, ERROR, "collateral_refused", cm_log_str("folder", d->v->attest.collateral),
           cm_log_str("file", what), cm_log_err(why),
           cm_log_str("meaning", "the set before stays in use"));
}

/* Whether the folder stood still. */
static bool renew(kmsd *d)
{
    char why[CM_SVC_COLLATERAL_WHY] = "";
    cm_svc_collateral *set = NULL;
    uint8_t state[32] = {0};
    bool still;
    cm_err e = read_still(&set, &still, state, d, why);

    if (!still) {
        cm_svc_collateral_free(set);
        return false;
    }
    if (cm_failed(e)) {
        cm_svc_collateral_free(set);
        refuse(d, e, why, state);
        return true;
    }
    take(d, set, state);
    cm_metric_add(d->reactor[0].shard, KM_COLLATERAL, 0, 0, 1);
    CM_LOG(d->log, INFO, "collateral_reloaded", cm_log_str("folder", d->v->attest.collateral));
    cm_kmsd_reload_audit(d, CM_LIT("ReloadCollateral"), CM_LIT("collateral"),
                         cm_svc_collateral_digest(set));
    return true;
}

void cm_kmsd_collateral_reload(kmsd *d)
{
    if (!d->v->attest.collateral)
        return;
    for (unsigned i = 0; i < TRIES; i++)
        if (renew(d))
            return;
    /* Somebody is at it: the next looks find out when they are done. */
    CM_LOG(d->log, WARNING, "collateral_moving", cm_log_str("folder", d->v->attest.collateral));
}

/* Whether there is something new, and it stood still since the last look. */
static bool settled(kmsd *d, bool *moving)
{
    uint8_t state[32];
    bool same;

    *moving = false;
    (void)cm_failed(state_of(state, d)); /* reading it says why */
    if (cm_view_eq(CM_VIEW(state), CM_VIEW(d->collateral.of))) {
        d->collateral.is_refused = false; /* what was refused is gone again */
        atomic_store(&d->collateral_stale, false);
        return false;
    }
    if (d->collateral.is_refused && cm_view_eq(CM_VIEW(state), CM_VIEW(d->collateral.refused)))
        return false;
    same = cm_view_eq(CM_VIEW(state), CM_VIEW(d->collateral.seen));
    memcpy(d->collateral.seen, state, sizeof state);
    *moving = !same;
    return same;
}

static void remind(kmsd *d)
{
    uint64_t now = cm_os_monotonic_ns() / 1000000;
    uint64_t expired;

    if (!d->collateral.used)
        return;
    expired = cm_svc_collateral_expired(d->collateral.used, cm_kmsd_now_ms(NULL) / 1000);
    if (expired > atomic_load(&d->collateral_expired) || now >= d->collateral.remind_ms) {
        d->collateral.remind_ms = now + REMIND_MS;
        say_expired(d);
        if (d->collateral.is_refused)
            CM_LOG(d->log, ERROR, "collateral_stale", cm_log_str("folder", d->v->attest.collateral),
                   cm_log_str("meaning", "what it holds was refused; an older set is in use"));
    }
    atomic_store(&d->collateral_expired, expired);
}

static void look(cm_timer *t)
{
    kmsd *d = (kmsd *)(void *)((char *)t - offsetof(kmsd, collateral.timer));
    uint64_t pause = d->v->attest.check;
    bool moving;

    if (settled(d, &moving))
        moving = !renew(d);
    remind(d);
    cm_loop_after(d->reactor[0].loop, t, moving ? CM_MIN(pause, (uint64_t)SETTLE_MS) : pause);
}

void cm_kmsd_collateral_watch(kmsd *d)
{
    if (!d->v->attest.collateral)
        return;
    d->collateral.remind_ms = cm_os_monotonic_ns() / 1000000 + REMIND_MS;
    d->collateral.timer.fire = look;
    cm_loop_after(d->reactor[0].loop, &d->collateral.timer, d->v->attest.check);
}
