/* A look at everything in a store (D-52). */
#include "store/care.h"
#include "store/engine_int.h"

typedef struct {
    cm_store *s;
    cm_fsck r;
    void (*fault)(void *arg, cm_view key, const char *what);
    void *arg;
    cm_buf plain;
    uint8_t last[CM_PATH_MAX];
    size_t last_n;
} look;

static void found(look *l, cm_view key, const char *what)
{
    l->r.faults++;
    l->fault(l->arg, key, what);
}

static cm_err opens(look *l, const cm_store_row *r)
{
    cm_err e;

    cm_wipe(l->plain.p, l->plain.n);
    l->plain.n = 0;
    e = cm_store_open_row(l->s, &l->plain, r);
    if (cm_ok(e))
        l->r.opened++;
    else if (cm_is(e, CM_STORE_LOCKED))
        l->r.unopened++;
    else if (cm_err_class(e) == CM_CLASS_EXHAUSTED)
        return e;
    else
        found(l, r->key, "the row does not open: it was altered, or moved here");
    return CM_OKAY;
}

static cm_err row(void *arg, const cm_store_row *r)
{
    look *l = arg;
    size_t parts;

    l->r.rows++;
    l->r.bytes += r->key.n + r->value.n;
    if (cm_failed(cm_path_count(r->key, &parts))) {
        found(l, r->key, "the key is no list of components");
        return CM_OKAY;
    }
    if (cm_view_compare(cm_view_of(l->last, l->last_n), r->key) >= 0)
        found(l, r->key, "the row is out of order");
    memcpy(l->last, r->key.p, r->key.n);
    l->last_n = r->key.n;
    if (r->version == 0 || r->version > INT64_MAX)
        found(l, r->key, "the version is out of range");
    return opens(l, r);
}

static void engine_fault(void *arg, const char *what)
{
    found(arg, CM_LIT(""), what);
}

cm_err cm_store_fsck(cm_store *s, cm_fsck *r,
                     void (*fault)(void *arg, cm_view key, const char *what), void *arg)
{
    look l = {.s = s, .fault = fault, .arg = arg, .plain = {.max = 2 * CM_STORE_VALUE_MAX}};
    const cm_engine_ops *ops;
    uint8_t end[CM_PATH_MAX];
    void *engine;
    cm_err e;

    ops = cm_store_engine(s, &engine);
    e = ops->check(engine, engine_fault, &l);
    if (cm_ok(e))
        e = ops->scan(engine, CM_LIT(""), cm_store_end(end), SIZE_MAX, row, &l);
    if (cm_is(e, CM_STORE_CORRUPT)) {
        found(&l, CM_LIT(""), "the database can't be read to its end");
        e = CM_OKAY;
    }
    cm_buf_free(&l.plain);
    CM_TRY(e);
    *r = l.r;
    return l.r.faults ? CM_FAIL(STORE_DAMAGED) : CM_OKAY;
}
