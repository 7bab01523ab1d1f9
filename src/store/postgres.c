/* PostgreSQL: serializable transactions of three round trips, whatever they hold; what becomes of a
 * COMMIT whose answer is lost is asked, never guessed (D-22). */
#include <poll.h>
#include <pthread.h>

#include "base/os.h"
#include "store/postgres_int.h"

enum {
    READERS = 4,
    READERS_MAX = 64,
    PATIENCE_S = 15,
    PAUSE_MS = 20,
    PAUSE_MAX_MS = 1000,
    PAGE = 256,
    ID = 16,
    ROUND_KEYS = 1 << 12, /* slots to find a key that comes twice; a round takes half as many */
};

typedef struct {
    cm_pq q;
    cm_store_postgres o;
    char *conninfo;
    cm_pg_link writer, *readers;
    unsigned readers_n;
    pthread_mutex_t pool, write; /* of readers' busy; held from begin to commit */
    pthread_cond_t freed;

    /* The rest by write. */
    uint8_t id[ID]; /* of this writer's row */
    uint64_t seq;   /* of its last transaction */
    bool joined;    /* the row is there */
    bool unsettled; /* a COMMIT was sent and never answered */
    bool broken;    /* the server went back behind what it had promised */
    bool begun;     /* BEGIN was sent */
    bool wrote;
} engine;

/* ---- waiting for a server ------------------------------------------------------------------ */

typedef struct {
    uint64_t until;
    int ms;
} patience;

static patience patience_of(const engine *e)
{
    unsigned s = e->o.patience_s ? e->o.patience_s : PATIENCE_S;

    return (patience){cm_os_monotonic_ns() + UINT64_C(1000000000) * s, PAUSE_MS};
}

/* Whether to try again, after a pause that grows. */
static bool again(patience *p)
{
    if (cm_os_monotonic_ns() >= p->until)
        return false;
    (void)poll(NULL, 0, p->ms);
    p->ms = CM_MIN(2 * p->ms, (int)PAUSE_MAX_MS);
    return true;
}

/* A connection that was found dead is made anew once, however short the time. */
static patience read_patience(const engine *e)
{
    if (e->o.read_ms == 0)
        return patience_of(e);
    return (patience){cm_os_monotonic_ns() + UINT64_C(1000000) * PAUSE_MS, 1};
}

static cm_err connected(engine *e, cm_pg_link *l, patience *p)
{
    cm_err err;

    if (l->c)
        return CM_OKAY;
    do
        err = cm_pg_connect(&e->q, l, &e->o, false);
    while (cm_is(err, CM_STORE_UNREACHABLE) && again(p));
    return err;
}

/* ---- reading ------------------------------------------------------------------------------- */

static cm_pg_link *reader(engine *e)
{
    pthread_mutex_lock(&e->pool);
    for (;;) {
        for (size_t i = 0; i < e->readers_n; i++)
            if (!e->readers[i].busy) {
                e->readers[i].busy = true;
                pthread_mutex_unlock(&e->pool);
                return &e->readers[i];
            }
        pthread_cond_wait(&e->freed, &e->pool);
    }
}

static void give_back(engine *e, cm_pg_link *l)
{
    pthread_mutex_lock(&e->pool);
    l->busy = false;
    pthread_cond_signal(&e->freed);
    pthread_mutex_unlock(&e->pool);
}

/* One statement that only reads: asked again of the next server when this one is lost. */
static cm_err read_once(engine *e, const cm_pg_step *s, PGresult **r)
{
    cm_pg_link *l = reader(e);
    patience p = read_patience(e);
    cm_err err;

    do {
        err = connected(e, l, &p);
        if (cm_ok(err))
            err = cm_pg_round(&e->q, l, s, 1, r, NULL);
    } while (cm_is(err, CM_STORE_UNREACHABLE) && again(&p));
    give_back(e, l);
    return cm_is(err, CM_IO_WRITE) ? CM_FAIL(IO_READ) : err;
}

/* The row of a result of CM_PG_GET. */
static cm_err got(engine *e, PGresult *r, cm_buf *value, uint64_t *version)
{
    cm_err err = CM_FAIL(STORE_NO_ROW);

    if (e->q.PQntuples(r) > 0) {
        err = cm_pg_u64(&e->q, r, 0, 0, version);
        if (cm_ok(err))
            err = cm_buf_append(value, cm_pg_field(&e->q, r, 0, 1));
    }
    e->q.PQclear(r);
    return err;
}

static cm_err pg_get(void *self, cm_view key, cm_buf *value, uint64_t *version)
{
    engine *e = self;
    cm_pg_step s = {.prepared = CM_PG_GET};
    PGresult *r = NULL;

    cm_pg_param(&s, key);
    CM_TRY(read_once(e, &s, &r));
    return got(e, r, value, version);
}

typedef struct {
    cm_err (*row)(void *arg, const cm_store_row *r);
    void *arg;
    uint8_t next[CM_PATH_MAX + 1]; /* behind the last row */
    cm_view from, to;
    size_t left;
    bool done;
} scan;

static cm_err page_rows(engine *e, scan *s, const PGresult *r, size_t asked)
{
    size_t n = (size_t)e->q.PQntuples(r);
    cm_store_row row = {0};

    for (size_t i = 0; i < n; i++) {
        row.key = cm_pg_field(&e->q, r, (int)i, 0);
        row.value = cm_pg_field(&e->q, r, (int)i, 2);
        CM_TRY(cm_pg_u64(&e->q, r, (int)i, 1, &row.version));
        CM_TRY(s->row(s->arg, &row));
    }
    s->left -= n;
    s->done = n < asked || s->left == 0;
    if (s->done)
        return CM_OKAY;
    if (row.key.n > CM_PATH_MAX)
        return CM_FAIL(STORE_CORRUPT);
    memcpy(s->next, row.key.p, row.key.n);
    s->next[row.key.n] = 0; /* nothing lies between a key and the same with 00 behind it */
    s->from = cm_view_of(s->next, row.key.n + 1);
    return CM_OKAY;
}

static cm_err page(engine *e, scan *s, cm_pg_link *l)
{
    size_t asked = CM_MIN(s->left, (size_t)PAGE);
    cm_pg_step step = {.prepared = CM_PG_SCAN};
    PGresult *r = NULL;
    uint8_t limit[8];
    cm_err err;

    cm_put_be64(limit, asked);
    cm_pg_param(&step, s->from);
    cm_pg_param(&step, s->to);
    cm_pg_param(&step, CM_VIEW(limit));
    CM_TRY(l ? cm_pg_round(&e->q, l, &step, 1, &r, NULL) : read_once(e, &step, &r));
    err = page_rows(e, s, r, asked);
    e->q.PQclear(r);
    return err;
}

/* Pages of one snapshot; not asked again on another server, which has another. */
static cm_err scan_pages(engine *e, scan *s, cm_pg_link *l)
{
    static const cm_pg_step begin[] = {
        {.text = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
        {.text = "SET LOCAL idle_in_transaction_session_timeout = '1h'"}};
    static const cm_pg_step end = {.text = "ROLLBACK"};
    patience p = read_patience(e);
    cm_err err;

    do {
        err = connected(e, l, &p);
        if (cm_ok(err))
            err = cm_pg_round(&e->q, l, begin, 2, NULL, NULL);
    } while (cm_is(err, CM_STORE_UNREACHABLE) && again(&p));
    CM_TRY(err);
    do
        err = page(e, s, l);
    while (cm_ok(err) && !s->done);
    if (cm_failed(cm_pg_round(&e->q, l, &end, 1, NULL, NULL)))
        cm_pg_close(&e->q, l);
    return err;
}

static cm_err pg_scan(void *self, cm_view from, cm_view to, size_t max,
                      cm_err (*row)(void *arg, const cm_store_row *r), void *arg)
{
    engine *e = self;
    scan s = {.row = row, .arg = arg, .from = from, .to = to, .left = max};
    cm_pg_link *l;
    cm_err err;

    if (max == 0)
        return CM_OKAY;
    if (max <= PAGE)
        return page(e, &s, NULL);
    l = reader(e);
    err = scan_pages(e, &s, l);
    give_back(e, l);
    return cm_is(err, CM_IO_WRITE) ? CM_FAIL(IO_READ) : err;
}

static cm_err pg_info(void *self, cm_store_info *i)
{
    static const cm_pg_step s = {.prepared = CM_PG_INFO};
    engine *e = self;
    cm_store_info info = {.engine = "postgres"};
    PGresult *r = NULL;
    uint64_t schema;
    cm_err err;

    CM_TRY(read_once(e, &s, &r));
    err = cm_pg_u64(&e->q, r, 0, 1, &info.generation);
    if (cm_ok(err))
        err = cm_pg_u64(&e->q, r, 0, 2, &schema);
    if (cm_ok(err) && cm_pg_field(&e->q, r, 0, 0).n != sizeof info.id)
        err = CM_FAIL(STORE_CORRUPT);
    if (cm_ok(err)) {
        memcpy(info.id, cm_pg_field(&e->q, r, 0, 0).p, sizeof info.id);
        info.schema = (unsigned)schema;
        *i = info;
    }
    e->q.PQclear(r);
    return err;
}

/* ---- the writer's row ---------------------------------------------------------------------- */

static cm_err join(engine *e)
{
    static const cm_pg_step s = {.prepared = CM_PG_JOIN};
    PGresult *r = NULL;
    cm_err err = CM_OKAY;

    CM_TRY(cm_pg_round(&e->q, &e->writer, &s, 1, &r, NULL));
    if (e->q.PQntuples(r) == 1 && cm_pg_field(&e->q, r, 0, 0).n == ID) {
        memcpy(e->id, cm_pg_field(&e->q, r, 0, 0).p, ID);
        e->seq = 0;
        e->joined = true;
    } else
        err = CM_FAIL(STORE_CORRUPT);
    e->q.PQclear(r);
    return err;
}

/* Waits for what may still run on the connection that was lost, moves the row on, so that nothing
 * under way can commit any more, and tells which transaction was the last (D-22). */
static cm_err settle(engine *e, uint64_t *last)
{
    cm_pg_step s = {.prepared = CM_PG_SETTLE};
    PGresult *r = NULL;
    cm_err err;

    cm_pg_param(&s, CM_VIEW(e->id));
    CM_TRY(cm_pg_round(&e->q, &e->writer, &s, 1, &r, NULL));
    err = e->q.PQntuples(r) == 1 ? cm_pg_u64(&e->q, r, 0, 0, last) : CM_FAIL(STORE_ROLLBACK);
    e->q.PQclear(r);
    return err;
}

/* After a reconnect. *last is the last transaction that the server has of ours: one before
 * e->seq would be one that it promised and lost. */
static cm_err settle_patiently(engine *e, uint64_t *last)
{
    patience p = patience_of(e);
    cm_err err;

    do {
        err = connected(e, &e->writer, &p);
        if (cm_ok(err))
            err = settle(e, last);
    } while ((cm_is(err, CM_STORE_UNREACHABLE) || cm_is(err, CM_STORE_BUSY)) && again(&p));
    if (cm_ok(err) && *last < e->seq)
        err = CM_FAIL(STORE_ROLLBACK);
    if (cm_is(err, CM_STORE_ROLLBACK))
        e->broken = true;
    return err;
}

static cm_err writer_ready(engine *e)
{
    patience p = patience_of(e);
    bool fresh = e->writer.c == NULL;
    uint64_t last;
    cm_err err = CM_OKAY;

    if (e->joined && (fresh || e->unsettled)) {
        CM_TRY(settle_patiently(e, &last));
        e->seq = last + 1000000;
        e->unsettled = false;
        return CM_OKAY;
    }
    do {
        err = connected(e, &e->writer, &p);
        if (cm_ok(err) && !e->joined)
            err = join(e);
    } while (cm_is(err, CM_STORE_UNREACHABLE) && again(&p));
    return err;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* One writer at a time, in the order they came: what it reads, it can count on. LOCK TABLE takes no
 * snapshot, so a transaction sees all that was committed while it waited. Without it writers of one
 * log would find out at the end of their work that they have to begin anew (D-23). */
static const char begin_text[] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
                  turn_text[] = "LOCK TABLE casemate_turn IN EXCLUSIVE MODE";

static cm_err pg_begin(void *self)
{
    engine *e = self;
    cm_err err;

    pthread_mutex_lock(&e->write);
    err = e->broken ? CM_FAIL(STORE_ROLLBACK) : writer_ready(e);
    e->begun = e->wrote = false;
    if (cm_failed(err))
        pthread_mutex_unlock(&e->write);
    return err;
}

/* A step of the transaction, BEGIN before the first. A server lost here has committed nothing. */
static cm_err in_txn(engine *e, const cm_pg_step *s, PGresult **r)
{
    cm_pg_step steps[3] = {{.text = begin_text}, {.text = turn_text}, *s};
    bool first = !e->begun;
    cm_err err;

    e->begun = true;
    err = cm_pg_round(&e->q, &e->writer, first ? steps : &steps[2], first ? 3 : 1, r, NULL);
    return cm_is(err, CM_STORE_UNREACHABLE) ? CM_FAIL(STORE_CONFLICT) : err;
}

static cm_err pg_txn_get(void *self, cm_view key, cm_buf *value, uint64_t *version)
{
    engine *e = self;
    cm_pg_step s = {.prepared = CM_PG_GET};
    PGresult *r = NULL;

    cm_pg_param(&s, key);
    CM_TRY(in_txn(e, &s, &r));
    return got(e, r, value, version);
}

static cm_err read_versions(engine *e, const PGresult *r, size_t n, uint64_t *versions)
{
    for (int i = 0; i < e->q.PQntuples(r); i++) {
        uint64_t at;

        CM_TRY(cm_pg_u64(&e->q, r, i, 0, &at));
        if (at == 0 || at > n)
            return CM_FAIL(STORE_CORRUPT);
        CM_TRY(cm_pg_u64(&e->q, r, i, 1, &versions[at - 1]));
    }
    return CM_OKAY;
}

static cm_err pg_versions(void *self, const cm_view *keys, size_t n, uint64_t *versions)
{
    engine *e = self;
    CM_AUTO(cm_pg_array_free) cm_pg_array a;
    cm_pg_step s = {.prepared = CM_PG_VERSIONS};
    PGresult *r = NULL;
    cm_err err = cm_pg_array_begin(&a, CM_PG_BYTES);

    for (size_t i = 0; i < n && cm_ok(err); i++)
        err = cm_pg_array_add(&a, keys[i]);
    CM_TRY(err);
    cm_pg_param(&s, cm_pg_array_end(&a));
    CM_TRY(in_txn(e, &s, &r));
    memset(versions, 0, n * sizeof *versions);
    err = read_versions(e, r, n, versions);
    e->q.PQclear(r);
    return err;
}

/* What one statement writes: no key twice, since all of it sees the same rows (D-21). */
typedef struct {
    cm_pg_array add_k, add_v, change_k, change_ver, change_v, remove_k;
    uint64_t expect; /* rows added and changed */
    size_t keys;
    uint32_t slot[ROUND_KEYS]; /* index of a write + 1, by a hash of its key */
} round_of;

static void round_free(round_of *r)
{
    cm_pg_array_free(&r->add_k);
    cm_pg_array_free(&r->add_v);
    cm_pg_array_free(&r->change_k);
    cm_pg_array_free(&r->change_ver);
    cm_pg_array_free(&r->change_v);
    cm_pg_array_free(&r->remove_k);
}

static cm_err round_begin(round_of *r)
{
    round_free(r);
    r->expect = r->keys = 0;
    memset(r->slot, 0, sizeof r->slot);
    CM_TRY(cm_pg_array_begin(&r->add_k, CM_PG_BYTES));
    CM_TRY(cm_pg_array_begin(&r->add_v, CM_PG_BYTES));
    CM_TRY(cm_pg_array_begin(&r->change_k, CM_PG_BYTES));
    CM_TRY(cm_pg_array_begin(&r->change_ver, CM_PG_INT8));
    CM_TRY(cm_pg_array_begin(&r->change_v, CM_PG_BYTES));
    return cm_pg_array_begin(&r->remove_k, CM_PG_BYTES);
}

/* Takes write i unless its key is in the round already, or the round is full. */
static bool fits(round_of *r, const cm_store_write *w, size_t i)
{
    uint32_t h = 2166136261u;

    if (r->keys >= ROUND_KEYS / 2)
        return false;
    for (size_t b = 0; b < w[i].key.n; b++)
        h = (h ^ w[i].key.p[b]) * 16777619u;
    for (;; h++) {
        uint32_t *slot = &r->slot[h % ROUND_KEYS];

        if (*slot == 0) {
            *slot = (uint32_t)i + 1;
            r->keys++;
            return true;
        }
        if (cm_view_eq(w[*slot - 1].key, w[i].key))
            return false;
    }
}

static cm_err round_add(round_of *r, const cm_store_write *w)
{
    if (w->version == 0)
        return cm_pg_array_add(&r->remove_k, w->key);
    r->expect++;
    if (w->version == 1) {
        CM_TRY(cm_pg_array_add(&r->add_k, w->key));
        return cm_pg_array_add(&r->add_v, w->value);
    }
    CM_TRY(cm_pg_array_add(&r->change_k, w->key));
    CM_TRY(cm_pg_array_u64(&r->change_ver, w->version));
    return cm_pg_array_add(&r->change_v, w->value);
}

static cm_err round_send(engine *e, round_of *r)
{
    cm_pg_step s = {.prepared = CM_PG_WRITE};
    PGresult *result = NULL;
    uint64_t done;
    cm_err err;

    cm_pg_param(&s, cm_pg_array_end(&r->add_k));
    cm_pg_param(&s, cm_pg_array_end(&r->add_v));
    cm_pg_param(&s, cm_pg_array_end(&r->change_k));
    cm_pg_param(&s, cm_pg_array_end(&r->change_ver));
    cm_pg_param(&s, cm_pg_array_end(&r->change_v));
    cm_pg_param(&s, cm_pg_array_end(&r->remove_k));
    CM_TRY(in_txn(e, &s, &result));
    err = cm_pg_u64(&e->q, result, 0, 0, &done);
    e->q.PQclear(result);
    CM_TRY(err);
    return done == r->expect ? CM_OKAY : CM_FAIL(STORE_CONFLICT);
}

static cm_err write_rounds(engine *e, round_of *r, const cm_store_write *w, size_t n)
{
    CM_TRY(round_begin(r));
    for (size_t i = 0; i < n; i++) {
        if (!fits(r, w, i)) {
            CM_TRY(round_send(e, r));
            CM_TRY(round_begin(r));
            (void)fits(r, w, i);
        }
        CM_TRY(round_add(r, &w[i]));
    }
    return r->keys ? round_send(e, r) : CM_OKAY;
}

static cm_err pg_write(void *self, const cm_store_write *w, size_t n)
{
    engine *e = self;
    round_of *r;
    cm_err err;

    for (size_t i = 0; i < n; i++)
        if (w[i].key.n == 0 || w[i].key.n > CM_PATH_MAX || w[i].version > INT64_MAX)
            return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&r, sizeof *r));
    e->wrote = true;
    err = write_rounds(e, r, w, n);
    round_free(r);
    cm_free(r);
    return err;
}

static cm_err pg_restore(void *self, const cm_store_row *rows, size_t n)
{
    engine *e = self;
    CM_AUTO(cm_pg_array_free) cm_pg_array k = {0};
    CM_AUTO(cm_pg_array_free) cm_pg_array ver = {0};
    CM_AUTO(cm_pg_array_free) cm_pg_array v = {0};
    cm_pg_step s = {.prepared = CM_PG_RESTORE};

    CM_TRY(cm_pg_array_begin(&k, CM_PG_BYTES));
    CM_TRY(cm_pg_array_begin(&ver, CM_PG_INT8));
    CM_TRY(cm_pg_array_begin(&v, CM_PG_BYTES));
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_pg_array_add(&k, rows[i].key));
        CM_TRY(cm_pg_array_u64(&ver, rows[i].version));
        CM_TRY(cm_pg_array_add(&v, rows[i].value));
    }
    cm_pg_param(&s, cm_pg_array_end(&k));
    cm_pg_param(&s, cm_pg_array_end(&ver));
    cm_pg_param(&s, cm_pg_array_end(&v));
    e->wrote = true;
    return in_txn(e, &s, NULL);
}

/* A connection that won't roll back is closed: its server does it then. */
static void roll_back(engine *e)
{
    static const cm_pg_step s = {.text = "ROLLBACK"};

    if (e->begun && e->writer.c && cm_failed(cm_pg_round(&e->q, &e->writer, &s, 1, NULL, NULL)))
        cm_pg_close(&e->q, &e->writer);
}

static void pg_abort(void *self)
{
    engine *e = self;

    roll_back(e);
    pthread_mutex_unlock(&e->write);
}

/* COMMIT was sent and the connection broke: ask the row of this writer. */
static cm_err outcome(engine *e, uint64_t seq)
{
    uint64_t last;

    e->unsettled = true;
    if (cm_failed(settle_patiently(e, &last)))
        return e->broken ? CM_FAIL(STORE_ROLLBACK) : CM_FAIL(STORE_UNKNOWN);
    e->unsettled = false;
    e->seq = last + 1000000;
    return last == seq ? CM_OKAY : CM_FAIL(STORE_CONFLICT);
}

static cm_err commit(engine *e)
{
    cm_pg_step steps[2] = {{.prepared = CM_PG_BUMP}, {.text = "COMMIT"}};
    char state[6] = "";
    uint8_t seq[8];
    cm_err err;

    if (!e->begun)
        return CM_OKAY;
    if (!e->wrote)
        return in_txn(e, &steps[1], NULL);
    cm_put_be64(seq, e->seq + 1);
    cm_pg_param(&steps[0], CM_VIEW(e->id));
    cm_pg_param(&steps[0], CM_VIEW(seq));
    err = cm_pg_round(&e->q, &e->writer, steps, 2, NULL, state);
    if (cm_is(err, CM_STORE_UNREACHABLE))
        return outcome(e, e->seq + 1);
    if (cm_ok(err))
        e->seq++;
    else
        roll_back(e);
    if (strcmp(state, "22012") == 0) { /* our row is gone or was moved on */
        cm_pg_close(&e->q, &e->writer);
        e->joined = false;
        err = CM_FAIL(STORE_CONFLICT);
    }
    return err;
}

static cm_err pg_commit(void *self)
{
    engine *e = self;
    cm_err err = commit(e);

    pthread_mutex_unlock(&e->write);
    return err;
}

static cm_err pg_check(void *self, void (*fault)(void *arg, const char *what), void *arg)
{
    (void)self; /* its files are the server's: pg_checksums and amcheck look after them */
    (void)fault;
    (void)arg;
    return CM_OKAY;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void leave(engine *e)
{
    cm_pg_step s = {.prepared = CM_PG_LEAVE};

    cm_pg_param(&s, CM_VIEW(e->id));
    if (e->joined && e->writer.c && !e->unsettled)
        (void)!cm_failed(cm_pg_round(&e->q, &e->writer, &s, 1, NULL, NULL));
}

static void pg_files(void *self, void (*each)(void *arg, const char *path), void *arg)
{
    engine *e = self;

    pthread_mutex_lock(&e->write);
    cm_pg_files(&e->q, &e->writer, each, arg);
    pthread_mutex_unlock(&e->write);
}

static void pg_close(void *self)
{
    engine *e = self;

    leave(e);
    cm_pg_close(&e->q, &e->writer);
    for (size_t i = 0; e->readers && i < e->readers_n; i++)
        cm_pg_close(&e->q, &e->readers[i]);
    pthread_mutex_destroy(&e->pool);
    pthread_mutex_destroy(&e->write);
    pthread_cond_destroy(&e->freed);
    cm_free(e->readers);
    cm_free(e->conninfo);
    cm_free(e);
}

static cm_err open_links(engine *e, const cm_store_postgres *o)
{
    CM_TRY(cm_strdup(&e->conninfo, cm_view_str(o->conninfo)));
    e->o.conninfo = e->conninfo;
    e->readers_n = o->readers ? CM_MIN(o->readers, (unsigned)READERS_MAX) : READERS;
    CM_TRY(cm_alloc_array(&e->readers, e->readers_n, sizeof *e->readers));
    e->writer.answer_ms = o->write_ms;
    for (size_t i = 0; i < e->readers_n; i++)
        e->readers[i].answer_ms = o->read_ms;
    CM_TRY(cm_pq_load(&e->q));
    CM_TRY(cm_pq_check_conninfo(&e->q, e->conninfo));
    CM_TRY(cm_pg_connect(&e->q, &e->writer, &e->o, true));
    CM_TRY(join(e));
    return cm_pg_connect(&e->q, &e->readers[0], &e->o, false);
}

cm_err cm_store_open_postgres(cm_store **out, const cm_store_postgres *o)
{
    static const cm_engine_ops ops = {
        .get = pg_get,
        .scan = pg_scan,
        .begin = pg_begin,
        .versions = pg_versions,
        .txn_get = pg_txn_get,
        .write = pg_write,
        .commit = pg_commit,
        .abort = pg_abort,
        .close = pg_close,
        .files = pg_files,
        .info = pg_info,
        .restore = pg_restore,
        .check = pg_check,
        .shared = true,
    };
    engine *e;
    cm_err err;

    CM_TRY(cm_alloc(&e, sizeof *e));
    e->o = *o;
    pthread_mutex_init(&e->pool, NULL);
    pthread_mutex_init(&e->write, NULL);
    pthread_cond_init(&e->freed, NULL);
    err = open_links(e, o);
    if (cm_failed(err)) {
        pg_close(e);
        return err;
    }
    return cm_store_of(out, &ops, e);
}
