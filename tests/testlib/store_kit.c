#include "store_kit.h"

static cm_err flip(cm_buf *out, cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        CM_TRY(cm_buf_byte(out, (uint8_t)~v.p[i]));
    return CM_OKAY;
}

static cm_err toy_seal(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                       cm_view plain)
{
    (void)self;
    CM_TRY(flip(out, plain));
    CM_TRY(cm_buf_append(out, tenant));
    CM_TRY(cm_buf_append(out, key));
    return cm_buf_be64(out, version);
}

static cm_err toy_open(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                       cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf tail = {.max = 4096};

    (void)self;
    CM_TRY(cm_buf_append(&tail, tenant));
    CM_TRY(cm_buf_append(&tail, key));
    CM_TRY(cm_buf_be64(&tail, version));
    if (sealed.n < tail.n ||
        !cm_view_eq(cm_view_sub(sealed, sealed.n - tail.n, tail.n), cm_buf_view(&tail)))
        return CM_FAIL(CRYPT_TAG);
    return flip(out, cm_view_of(sealed.p, sealed.n - tail.n));
}

const cm_store_sealer t_toy_sealer = {toy_seal, toy_open, NULL};

cm_path t_row(const char *tenant, const char *what, uint64_t n)
{
    cm_path p;

    cm_path_init(&p);
    cm_path_add_str(&p, tenant);
    cm_path_add_str(&p, what);
    cm_path_add_u64(&p, n);
    return p;
}

cm_err t_store_put(cm_store *s, const cm_path *p, uint64_t version, const char *value)
{
    cm_store_write w = {cm_path_view(p), version, cm_view_str(value)};
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_txn *mine;

    CM_TRY(cm_txn_begin(&t, s));
    CM_TRY(cm_txn_write(t, &w, 1));
    mine = t;
    t = NULL;
    return cm_txn_commit(mine);
}

bool t_store_is(cm_store *s, const cm_path *p, uint64_t version, const char *value)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 20};
    uint64_t v = 0;

    return cm_ok(cm_store_get(s, cm_path_view(p), &b, &v)) && v == version &&
           cm_view_eq(cm_buf_view(&b), cm_view_str(value));
}

static cm_err add_one(void *arg, const cm_store_row *r)
{
    (void)r;
    ++*(size_t *)arg;
    return CM_OKAY;
}

size_t t_store_count(cm_store *s, const char *tenant)
{
    cm_path from, to;
    size_t n = 0;

    cm_path_init(&from);
    cm_path_add_str(&from, tenant);
    to = from;
    cm_path_end(&to);
    if (cm_failed(cm_store_scan(s, cm_path_view(&from), cm_path_view(&to), SIZE_MAX, add_one, &n)))
        return SIZE_MAX;
    return n;
}
