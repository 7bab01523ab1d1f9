/* A store as a stream: head, rows, how many there were, and the hash of all of it (D-50). */
#include "store/care.h"
#include "store/engine_int.h"

enum { HEAD = 16 + 16 + 8, ROW = 2 + 8 + 4, HASH = 32, BATCH = 256, BATCH_BYTES = 1 << 20 };

static const uint8_t magic[16] = "casemate-backup1";

/* ---- out ----------------------------------------------------------------------------------- */

typedef struct {
    cm_hasher *hash;
    cm_err (*put)(void *arg, cm_view v);
    void *arg;
    cm_backup *b;
} out;

static cm_err put(out *o, cm_view v)
{
    o->b->bytes += v.n;
    CM_TRY(cm_hasher_update(o->hash, v));
    return o->put(o->arg, v);
}

static cm_err put_row(void *arg, const cm_store_row *r)
{
    out *o = arg;
    uint8_t head[ROW];

    if (r->key.n == 0 || r->key.n > CM_PATH_MAX || r->value.n > 2 * CM_STORE_VALUE_MAX)
        return CM_FAIL(STORE_DAMAGED);
    cm_put_be16(head, (uint16_t)r->key.n);
    cm_put_be64(head + 2, r->version);
    cm_put_be32(head + 10, (uint32_t)r->value.n);
    o->b->rows++;
    CM_TRY(put(o, CM_VIEW(head)));
    CM_TRY(put(o, r->key));
    return put(o, r->value);
}

static cm_err put_end(out *o)
{
    uint8_t end[2 + 8] = {0}, hash[HASH];

    cm_put_be64(end + 2, o->b->rows);
    CM_TRY(put(o, CM_VIEW(end)));
    CM_TRY(cm_hasher_final(o->hash, hash));
    o->b->bytes += HASH;
    return o->put(o->arg, CM_VIEW(hash));
}

cm_err cm_store_backup(cm_store *s, const cm_crypt *c, cm_err (*sink)(void *arg, cm_view v),
                       void *arg, cm_backup *b)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *hash = NULL;
    cm_backup done = {0};
    out o = {.put = sink, .arg = arg, .b = &done};
    uint8_t head[HEAD], end[CM_PATH_MAX];
    cm_store_info info;
    const cm_engine_ops *ops;
    void *engine;

    ops = cm_store_engine(s, &engine);
    CM_TRY(cm_store_get_info(s, &info));
    CM_TRY(cm_hasher_new(&hash, c, CM_SHA256));
    o.hash = hash;
    memcpy(done.store, info.id, sizeof done.store);
    done.generation = info.generation;
    memcpy(head, magic, 16);
    memcpy(head + 16, info.id, 16);
    cm_put_be64(head + 32, info.generation);
    CM_TRY(put(&o, CM_VIEW(head)));
    CM_TRY(ops->scan(engine, CM_LIT(""), cm_store_end(end), SIZE_MAX, put_row, &o));
    CM_TRY(put_end(&o));
    *b = done;
    return CM_OKAY;
}

/* ---- in ------------------------------------------------------------------------------------ */

typedef struct {
    cm_hasher *hash;
    cm_err (*get)(void *arg, void *p, size_t n);
    void *arg;
    cm_backup b;
    const cm_engine_ops *ops;
    void *engine;
    cm_buf bytes; /* of keys and values, one behind the other */
    cm_store_row row[BATCH];
    size_t at[BATCH], n;
    uint8_t last[CM_PATH_MAX]; /* key before */
    size_t last_n;
} in;

static cm_err get(in *i, void *p, size_t n)
{
    cm_err e = i->get(i->arg, p, n);

    if (cm_is(e, CM_IO_SHORT))
        return CM_FAIL(STORE_BACKUP);
    CM_TRY(e);
    i->b.bytes += n;
    return cm_hasher_update(i->hash, cm_view_of(p, n));
}

static cm_err get_head(in *i)
{
    uint8_t head[HEAD];

    CM_TRY(get(i, head, sizeof head));
    if (!cm_view_eq(cm_view_of(head, sizeof magic), CM_VIEW(magic)))
        return CM_FAIL(STORE_BACKUP);
    memcpy(i->b.store, head + 16, 16);
    i->b.generation = cm_get_be64(head + 32);
    return CM_OKAY;
}

/* Keys and values lie in a buffer that may have moved while it grew: views are set here. */
static cm_err flush(in *i)
{
    for (size_t k = 0; k < i->n; k++) {
        i->row[k].key.p = i->bytes.p + i->at[k];
        i->row[k].value.p = i->row[k].key.p + i->row[k].key.n;
    }
    CM_TRY(i->n ? i->ops->restore(i->engine, i->row, i->n) : CM_OKAY);
    i->n = 0;
    i->bytes.n = 0;
    return CM_OKAY;
}

static cm_err check_key(in *i, cm_view key)
{
    size_t parts;

    if (cm_failed(cm_path_count(key, &parts)))
        return CM_FAIL(STORE_BACKUP);
    if (cm_view_compare(cm_view_of(i->last, i->last_n), key) >= 0)
        return CM_FAIL(STORE_BACKUP);
    memcpy(i->last, key.p, key.n);
    i->last_n = key.n;
    return CM_OKAY;
}

static cm_err get_row(in *i, size_t key_n)
{
    cm_store_row *r = &i->row[i->n];
    uint8_t head[ROW - 2];
    size_t n;

    CM_TRY(get(i, head, sizeof head));
    *r = (cm_store_row){.version = cm_get_be64(head)};
    r->key.n = key_n;
    r->value.n = cm_get_be32(head + 8);
    if (key_n > CM_PATH_MAX || r->value.n > 2 * CM_STORE_VALUE_MAX)
        return CM_FAIL(STORE_BACKUP);
    if (r->version == 0 || r->version > INT64_MAX)
        return CM_FAIL(STORE_BACKUP);
    n = key_n + r->value.n;
    CM_TRY(cm_buf_reserve(&i->bytes, n));
    CM_TRY(get(i, i->bytes.p + i->bytes.n, n));
    CM_TRY(check_key(i, cm_view_of(i->bytes.p + i->bytes.n, key_n)));
    i->at[i->n++] = i->bytes.n;
    i->bytes.n += n;
    i->b.rows++;
    return i->n == BATCH || i->bytes.n >= BATCH_BYTES ? flush(i) : CM_OKAY;
}

static cm_err get_rows(in *i)
{
    for (;;) {
        uint8_t b[2];

        CM_TRY(get(i, b, sizeof b));
        if (cm_get_be16(b) == 0)
            return flush(i);
        CM_TRY(get_row(i, cm_get_be16(b)));
    }
}

static cm_err get_end(in *i)
{
    uint8_t rows[8], want[HASH], hash[HASH];
    cm_err e;

    CM_TRY(get(i, rows, sizeof rows));
    CM_TRY(cm_hasher_final(i->hash, want));
    e = i->get(i->arg, hash, sizeof hash);
    if (cm_is(e, CM_IO_SHORT))
        return CM_FAIL(STORE_BACKUP);
    CM_TRY(e);
    i->b.bytes += HASH;
    if (cm_get_be64(rows) != i->b.rows || !cm_view_eq(CM_VIEW(hash), CM_VIEW(want))) /* D-51 */
        return CM_FAIL(STORE_BACKUP);
    return CM_OKAY;
}

static cm_err any_row(void *arg, const cm_store_row *r)
{
    (void)r;
    *(bool *)arg = true;
    return CM_OKAY;
}

static cm_err restore(in *i)
{
    uint8_t end[CM_PATH_MAX];
    bool any = false;
    cm_err e;

    CM_TRY(get_head(i));
    CM_TRY(i->ops->scan(i->engine, CM_LIT(""), cm_store_end(end), 1, any_row, &any));
    if (any)
        return CM_FAIL(STORE_NOT_EMPTY);
    CM_TRY(i->ops->begin(i->engine));
    e = get_rows(i);
    if (cm_ok(e))
        e = get_end(i);
    if (cm_ok(e))
        return i->ops->commit(i->engine);
    i->ops->abort(i->engine);
    return e;
}

cm_err cm_store_restore(cm_store *s, const cm_crypt *c, cm_err (*source)(void *, void *, size_t),
                        void *arg, cm_backup *b)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *hash = NULL;
    CM_AUTO(cm_free_ptr) in *i = NULL;
    cm_err e;

    CM_TRY(cm_hasher_new(&hash, c, CM_SHA256));
    CM_TRY(cm_alloc(&i, sizeof *i));
    i->hash = hash;
    i->get = source;
    i->arg = arg;
    i->bytes.max = (size_t)4 * CM_STORE_VALUE_MAX;
    i->ops = cm_store_engine(s, &i->engine);
    e = restore(i);
    cm_buf_free(&i->bytes);
    if (cm_ok(e))
        *b = i->b;
    return e;
}
