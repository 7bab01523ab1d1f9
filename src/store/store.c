/* The store over its engine: what rows hold is sealed here, whichever engine keeps them. */
#include <pthread.h>

#include "store/engine_int.h"

enum { VALUE_MAX = CM_STORE_VALUE_MAX, TENANT_MAX = 256 };

struct cm_store {
    const cm_engine_ops *ops;
    void *engine;
    cm_store_sealer sealer; /* zeroed: locked */
    pthread_mutex_t lock;   /* of sealer while it is set */
};

struct cm_txn {
    cm_store *s;
};

cm_err cm_store_of(cm_store **out, const cm_engine_ops *ops, void *self)
{
    cm_store *s;
    cm_err e = cm_alloc(&s, sizeof *s);

    if (cm_failed(e)) {
        ops->close(self);
        return e;
    }
    *s = (cm_store){.ops = ops, .engine = self};
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return CM_OKAY;
}

void cm_store_close(cm_store *s)
{
    if (!s)
        return;
    s->ops->close(s->engine);
    pthread_mutex_destroy(&s->lock);
    cm_free(s);
}

void cm_store_close_ptr(cm_store **s)
{
    cm_store_close(*s);
    *s = NULL;
}

void cm_store_files(cm_store *s, void (*each)(void *arg, const char *path), void *arg)
{
    if (s->ops->files)
        s->ops->files(s->engine, each, arg);
}

bool cm_store_shared(const cm_store *s)
{
    return s->ops->shared;
}

void cm_store_unseal(cm_store *s, const cm_store_sealer *sealer)
{
    pthread_mutex_lock(&s->lock);
    s->sealer = *sealer;
    pthread_mutex_unlock(&s->lock);
}

/* ---- sealing ------------------------------------------------------------------------------ */

/* The sealer for a key: its functions are NULL for a row of "boot", which stays as it is (D-5). */
static cm_err sealer_of(cm_store *s, cm_view key, cm_store_sealer *out, cm_buf *tenant)
{
    CM_TRY(cm_path_nth(tenant, key, 0));
    *out = (cm_store_sealer){0};
    if (cm_view_eq(cm_buf_view(tenant), CM_LIT("boot")))
        return CM_OKAY;
    pthread_mutex_lock(&s->lock);
    *out = s->sealer;
    pthread_mutex_unlock(&s->lock);
    return out->seal ? CM_OKAY : CM_FAIL(STORE_LOCKED);
}

static cm_err open_row(cm_store *s, cm_buf *out, cm_view key, uint64_t version, cm_view raw)
{
    uint8_t room[TENANT_MAX];
    cm_buf tenant = {.p = room, .cap = sizeof room, .max = sizeof room};
    cm_store_sealer sealer;

    CM_TRY(sealer_of(s, key, &sealer, &tenant));
    if (!sealer.open)
        return cm_buf_append(out, raw);
    return sealer.open(sealer.self, out, cm_buf_view(&tenant), key, version, raw);
}

static cm_err seal_row(cm_store *s, cm_buf *out, const cm_store_write *w)
{
    uint8_t room[TENANT_MAX];
    cm_buf tenant = {.p = room, .cap = sizeof room, .max = sizeof room};
    cm_store_sealer sealer;

    CM_TRY(sealer_of(s, w->key, &sealer, &tenant));
    if (w->version == 0)
        return CM_OKAY;
    if (!sealer.seal)
        return cm_buf_append(out, w->value);
    return sealer.seal(sealer.self, out, cm_buf_view(&tenant), w->key, w->version, w->value);
}

const cm_engine_ops *cm_store_engine(const cm_store *s, void **self)
{
    *self = s->engine;
    return s->ops;
}

cm_err cm_store_open_row(cm_store *s, cm_buf *out, const cm_store_row *r)
{
    return open_row(s, out, r->key, r->version, r->value);
}

cm_err cm_store_get_info(cm_store *s, cm_store_info *i)
{
    return s->ops->info(s->engine, i);
}

/* ---- reading ------------------------------------------------------------------------------ */

static cm_err opened(cm_store *s, cm_err e, cm_view key, cm_buf *raw, uint64_t found, cm_buf *value,
                     uint64_t *version)
{
    size_t was = value->n;

    CM_TRY(e);
    e = open_row(s, value, key, found, cm_buf_view(raw));
    if (cm_failed(e)) {
        value->n = was;
        return e;
    }
    if (version)
        *version = found;
    return CM_OKAY;
}

cm_err cm_store_get(cm_store *s, cm_view key, cm_buf *value, uint64_t *version)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = VALUE_MAX};
    uint64_t found = 0;
    cm_err e = s->ops->get(s->engine, key, &raw, &found);

    return opened(s, e, key, &raw, found, value, version);
}

struct scan {
    cm_store *s;
    cm_err (*row)(void *arg, const cm_store_row *r);
    void *arg;
    cm_buf plain;
};

static cm_err scan_row(void *arg, const cm_store_row *r)
{
    struct scan *sc = arg;
    cm_store_row open = *r;

    cm_wipe(sc->plain.p, sc->plain.n);
    sc->plain.n = 0;
    CM_TRY(open_row(sc->s, &sc->plain, r->key, r->version, r->value));
    open.value = cm_buf_view(&sc->plain);
    return sc->row(sc->arg, &open);
}

cm_err cm_store_scan(cm_store *s, cm_view from, cm_view to, size_t max,
                     cm_err (*row)(void *arg, const cm_store_row *r), void *arg)
{
    struct scan sc = {.s = s, .row = row, .arg = arg, .plain = {.max = VALUE_MAX}};
    cm_err e = s->ops->scan(s->engine, from, to, max, scan_row, &sc);

    cm_buf_free(&sc.plain);
    return e;
}

/* ---- writing ------------------------------------------------------------------------------ */

cm_err cm_txn_begin(cm_txn **out, cm_store *s)
{
    cm_txn *t;
    cm_err e;

    CM_TRY(cm_alloc(&t, sizeof *t));
    t->s = s;
    e = s->ops->begin(s->engine);
    if (cm_failed(e)) {
        cm_free(t);
        return e;
    }
    *out = t;
    return CM_OKAY;
}

cm_err cm_txn_versions(cm_txn *t, const cm_view *keys, size_t n, uint64_t *versions)
{
    return t->s->ops->versions(t->s->engine, keys, n, versions);
}

cm_err cm_txn_get(cm_txn *t, cm_view key, cm_buf *value, uint64_t *version)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = VALUE_MAX};
    uint64_t found = 0;
    cm_err e = t->s->ops->txn_get(t->s->engine, key, &raw, &found);

    return opened(t->s, e, key, &raw, found, value, version);
}

/* Sealed values lie one behind the other in one buffer: no allocation a row. */
cm_err cm_txn_write(cm_txn *t, const cm_store_write *w, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = (size_t)1 << 30};
    CM_AUTO(cm_free_ptr) cm_store_write *sealed = NULL;
    CM_AUTO(cm_free_ptr) size_t *ends = NULL;

    CM_TRY(cm_alloc_array(&sealed, n + 1, sizeof *sealed));
    CM_TRY(cm_alloc_array(&ends, n + 1, sizeof *ends));
    for (size_t i = 0; i < n; i++) {
        if (w[i].value.n > VALUE_MAX / 2)
            return CM_FAIL(TOO_BIG);
        CM_TRY(seal_row(t->s, &raw, &w[i]));
        ends[i] = raw.n;
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = i ? ends[i - 1] : 0;

        sealed[i] = w[i];
        sealed[i].value = ends[i] > at ? cm_view_of(raw.p + at, ends[i] - at) : (cm_view){0};
    }
    return t->s->ops->write(t->s->engine, sealed, n);
}

cm_err cm_txn_commit(cm_txn *t)
{
    cm_err e = t->s->ops->commit(t->s->engine);

    cm_free(t);
    return e;
}

void cm_txn_abort(cm_txn *t)
{
    if (!t)
        return;
    t->s->ops->abort(t->s->engine);
    cm_free(t);
}

void cm_txn_abort_ptr(cm_txn **t)
{
    cm_txn_abort(*t);
    *t = NULL;
}
