/* SQLite: one writer, several readers, write-ahead log, every commit on the disk (D-10). */
#include <pthread.h>
#include <stdio.h>

#include "base/os.h"
#include "store/sqlite_int.h"

enum {
    READERS = 4,
    CACHE_KIB = 16 << 10,
    PATH_LEN = 4096,
    CHECKPOINT_PAGES = 1000,
};

typedef enum {
    GET,
    SCAN,
    ADD,
    CHANGE,
    REMOVE,
    PUT,
    GROW,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
} what;

typedef struct {
    sqlite3 *db;
    sqlite3_stmt *st[STATEMENTS];
    bool busy; /* a reader that somebody has */
} link_to;

typedef struct {
    link_to writer, readers[READERS];
    pthread_mutex_t pool, write; /* of readers' busy; held from begin to commit */
    pthread_cond_t freed;
    int lock;    /* descriptor of PATH.lock */
    bool wrote;  /* in the transaction at hand */
    bool broken; /* by write */
    bool read_only;
} engine;

/* ---- one connection ------------------------------------------------------------------------ */

static const char *const texts[STATEMENTS] = {
    [GET] = "SELECT ver, v FROM rows WHERE k = ?1",
    [SCAN] = "SELECT k, ver, v FROM rows WHERE k >= ?1 AND k < ?2 ORDER BY k LIMIT ?3",
    [ADD] = "INSERT OR IGNORE INTO rows (k, ver, v) VALUES (?1, ?2, ?3)",
    [CHANGE] = "UPDATE rows SET ver = ?2, v = ?3 WHERE k = ?1 AND ver = ?2 - 1",
    [REMOVE] = "DELETE FROM rows WHERE k = ?1",
    [PUT] = "INSERT INTO rows (k, ver, v) VALUES (?1, ?2, ?3)",
    [GROW] = "UPDATE meta SET value = value + 1 WHERE name = 'generation'",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

static void link_close(link_to *l)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(l->st[i]);
    sqlite3_close(l->db);
    *l = (link_to){0};
}

static cm_err link_open(link_to *l, const char *path, unsigned cache_kib)
{
    char pragma[96];
    int rc = sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        return cm_lite_failed(rc, CM_IO_OPEN);
    sqlite3_extended_result_codes(l->db, 1);
    sqlite3_busy_timeout(l->db, 5000);
    snprintf(pragma, sizeof pragma, "PRAGMA cache_size = -%u", cache_kib ? cache_kib : CACHE_KIB);
    CM_TRY(cm_lite_run(l->db, pragma));
    CM_TRY(cm_lite_run(l->db, "PRAGMA synchronous = FULL"));
    CM_TRY(cm_lite_run(l->db, "PRAGMA trusted_schema = OFF"));
    return cm_lite_run(l->db, "PRAGMA temp_store = MEMORY");
}

static cm_err link_prepare(link_to *l)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        int rc =
            sqlite3_prepare_v3(l->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &l->st[i], NULL);

        if (rc != SQLITE_OK)
            return cm_lite_failed(rc, CM_STORE_CORRUPT);
    }
    return CM_OKAY;
}

/* ---- statements ---------------------------------------------------------------------------- */

static void bind(sqlite3_stmt *st, int i, cm_view v)
{
    sqlite3_bind_blob64(st, i, v.n ? (const void *)v.p : "", v.n, SQLITE_STATIC);
}

static cm_view column(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st, i);

    return cm_view_of(p, (size_t)sqlite3_column_bytes(st, i));
}

static void reset(sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

static cm_err get_by(link_to *l, cm_view key, cm_buf *value, uint64_t *version)
{
    sqlite3_stmt *st = l->st[GET];
    cm_err e = CM_OKAY;
    int rc;

    bind(st, 1, key);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *version = (uint64_t)sqlite3_column_int64(st, 0);
        e = value ? cm_buf_append(value, column(st, 1)) : CM_OKAY;
    } else {
        e = rc == SQLITE_DONE ? CM_FAIL(STORE_NO_ROW) : cm_lite_failed(rc, CM_IO_READ);
    }
    reset(st);
    return e;
}

/* ---- reading ------------------------------------------------------------------------------- */

static link_to *reader(engine *e)
{
    pthread_mutex_lock(&e->pool);
    for (;;) {
        for (size_t i = 0; i < READERS; i++)
            if (!e->readers[i].busy) {
                e->readers[i].busy = true;
                pthread_mutex_unlock(&e->pool);
                return &e->readers[i];
            }
        pthread_cond_wait(&e->freed, &e->pool);
    }
}

static void give_back(engine *e, link_to *l)
{
    pthread_mutex_lock(&e->pool);
    l->busy = false;
    pthread_cond_signal(&e->freed);
    pthread_mutex_unlock(&e->pool);
}

static cm_err lite_get(void *self, cm_view key, cm_buf *value, uint64_t *version)
{
    engine *e = self;
    link_to *l = reader(e);
    cm_err err = get_by(l, key, value, version);

    give_back(e, l);
    return err;
}

static cm_err lite_scan(void *self, cm_view from, cm_view to, size_t max,
                        cm_err (*row)(void *arg, const cm_store_row *r), void *arg)
{
    engine *e = self;
    link_to *l = reader(e);
    sqlite3_stmt *st = l->st[SCAN];
    cm_err err = CM_OKAY;
    int rc = SQLITE_DONE;

    bind(st, 1, from);
    bind(st, 2, to);
    sqlite3_bind_int64(st, 3, max > INT64_MAX ? INT64_MAX : (int64_t)max);
    while (cm_ok(err) && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        cm_store_row r = {.key = column(st, 0),
                          .version = (uint64_t)sqlite3_column_int64(st, 1),
                          .value = column(st, 2)};

        err = row(arg, &r);
    }
    if (cm_ok(err) && rc != SQLITE_DONE)
        err = cm_lite_failed(rc, CM_IO_READ);
    reset(st);
    give_back(e, l);
    return err;
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err step_once(engine *e, what w)
{
    int rc = sqlite3_step(e->writer.st[w]);

    sqlite3_reset(e->writer.st[w]);
    return rc == SQLITE_DONE ? CM_OKAY : cm_lite_failed(rc, CM_IO_WRITE);
}

static cm_err lite_begin(void *self)
{
    engine *e = self;
    cm_err err;

    if (e->read_only)
        return CM_FAIL(NO_PERMISSION);
    pthread_mutex_lock(&e->write);
    err = e->broken ? CM_FAIL(STORE_BROKEN) : step_once(e, BEGIN);
    e->wrote = false;
    if (cm_failed(err))
        pthread_mutex_unlock(&e->write);
    return err;
}

static cm_err lite_txn_get(void *self, cm_view key, cm_buf *value, uint64_t *version)
{
    return get_by(&((engine *)self)->writer, key, value, version);
}

static cm_err lite_versions(void *self, const cm_view *keys, size_t n, uint64_t *versions)
{
    for (size_t i = 0; i < n; i++) {
        cm_err e = lite_txn_get(self, keys[i], NULL, &versions[i]);

        if (cm_is(e, CM_STORE_NO_ROW))
            versions[i] = 0;
        else
            CM_TRY(e);
    }
    return CM_OKAY;
}

/* D-3 */
static cm_err write_row(link_to *l, const cm_store_write *w)
{
    sqlite3_stmt *st = l->st[w->version == 0 ? REMOVE : w->version == 1 ? ADD : CHANGE];
    int rc, changed;

    bind(st, 1, w->key);
    if (w->version) {
        sqlite3_bind_int64(st, 2, (int64_t)w->version);
        bind(st, 3, w->value);
    }
    rc = sqlite3_step(st);
    changed = sqlite3_changes(l->db);
    reset(st);
    if (rc != SQLITE_DONE)
        return cm_lite_failed(rc, CM_IO_WRITE);
    return w->version && changed != 1 ? CM_FAIL(STORE_CONFLICT) : CM_OKAY;
}

static cm_err lite_restore(void *self, const cm_store_row *r, size_t n)
{
    engine *e = self;
    sqlite3_stmt *st = e->writer.st[PUT];

    for (size_t i = 0; i < n; i++) {
        int rc;

        bind(st, 1, r[i].key);
        sqlite3_bind_int64(st, 2, (int64_t)r[i].version);
        bind(st, 3, r[i].value);
        rc = sqlite3_step(st);
        reset(st);
        if (rc != SQLITE_DONE)
            return (rc & 0xff) == SQLITE_CONSTRAINT ? CM_FAIL(STORE_CONFLICT)
                                                    : cm_lite_failed(rc, CM_IO_WRITE);
    }
    e->wrote = true;
    return CM_OKAY;
}

static cm_err lite_write(void *self, const cm_store_write *w, size_t n)
{
    engine *e = self;

    for (size_t i = 0; i < n; i++)
        if (w[i].key.n == 0 || w[i].key.n > CM_PATH_MAX || w[i].version > INT64_MAX)
            return CM_FAIL(BAD_ARGUMENT);
    e->wrote = true;
    for (size_t i = 0; i < n; i++)
        CM_TRY(write_row(&e->writer, &w[i]));
    return CM_OKAY;
}

static void lite_abort(void *self)
{
    engine *e = self;

    if (!sqlite3_get_autocommit(e->writer.db))
        (void)step_once(e, ROLLBACK);
    pthread_mutex_unlock(&e->write);
}

/* What the kernel holds after a failed fsync is anyone's guess: nothing is written until the store
 * is opened anew. A write without room fails before the flush, and is undone (D-14). */
static cm_err lite_commit(void *self)
{
    engine *e = self;
    cm_err err = e->wrote ? step_once(e, GROW) : CM_OKAY;

    if (cm_ok(err))
        err = step_once(e, COMMIT);
    if (cm_ok(err)) {
        pthread_mutex_unlock(&e->write);
        return err;
    }
    if (cm_err_class(err) == CM_CLASS_IO && !cm_is(err, CM_NO_SPACE))
        e->broken = true;
    lite_abort(e);
    return err;
}

/* Run behind a commit, which has succeeded already. SQLite's own hook would not say when the disk
 * fails below it. */
static int checkpoint(void *arg, sqlite3 *db, const char *name, int pages)
{
    engine *e = arg;
    int rc;

    if (pages < CHECKPOINT_PAGES)
        return SQLITE_OK;
    rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CORRUPT)
        e->broken = true;
    return SQLITE_OK;
}

static cm_err lite_info(void *self, cm_store_info *i)
{
    engine *e = self;
    link_to *l = reader(e);
    cm_err err = cm_lite_info(l->db, i);

    give_back(e, l);
    return err;
}

static cm_err lite_check(void *self, void (*fault)(void *arg, const char *what), void *arg)
{
    engine *e = self;
    link_to *l = reader(e);
    cm_err err = cm_lite_check(l->db, fault, arg);

    give_back(e, l);
    return err;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void lite_close(void *self)
{
    engine *e = self;

    for (size_t i = 0; i < READERS; i++)
        link_close(&e->readers[i]);
    link_close(&e->writer);
    cm_os_close_fd(&e->lock);
    pthread_mutex_destroy(&e->pool);
    pthread_mutex_destroy(&e->write);
    pthread_cond_destroy(&e->freed);
    cm_free(e);
}

/* D-11 */
static cm_err take_lock(engine *e, const char *path)
{
    char name[PATH_LEN];
    int n = snprintf(name, sizeof name, "%s.lock", path);
    cm_err err;

    if (n < 0 || (size_t)n >= sizeof name)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_os_open_update(&e->lock, name, true));
    err = cm_os_lock(e->lock, name);
    return cm_is(err, CM_FILE_BUSY) ? CM_FAIL(STORE_IN_USE) : err;
}

static cm_err make_file(const cm_store_sqlite *o)
{
    int fd = -1;
    cm_err e;

    if (cm_os_exists(o->path))
        return CM_OKAY;
    e = cm_os_open_update(&fd, o->path, true);
    cm_os_close_fd(&fd);
    CM_TRY(e);
    return cm_os_sync_dir_of(o->path);
}

/* The one that writes; holds the lock. */
static cm_err open_writer(engine *e, const cm_store_sqlite *o)
{
    CM_TRY(take_lock(e, o->path));
    CM_TRY(make_file(o));
    CM_TRY(link_open(&e->writer, o->path, o->cache_kib));
    CM_TRY(cm_lite_schema(e->writer.db, o->create, o->migrate));
    CM_TRY(cm_lite_run(e->writer.db, "PRAGMA journal_mode = WAL"));
    sqlite3_wal_hook(e->writer.db, checkpoint, e);
    return link_prepare(&e->writer);
}

/* Beside whoever writes: what that one's log holds is left to it. */
static cm_err guest(link_to *l)
{
    int on;

    CM_TRY(cm_lite_schema(l->db, false, false));
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    return cm_lite_run(l->db, "PRAGMA query_only = ON");
}

static cm_err open_links(engine *e, const cm_store_sqlite *o)
{
    e->read_only = o->read_only;
    if ((!o->create || o->read_only) && !cm_os_exists(o->path))
        return CM_FAIL(NO_FILE);
    if (!o->read_only)
        CM_TRY(open_writer(e, o));
    for (size_t i = 0; i < READERS; i++) {
        CM_TRY(link_open(&e->readers[i], o->path, o->cache_kib));
        if (o->read_only)
            CM_TRY(guest(&e->readers[i]));
        CM_TRY(link_prepare(&e->readers[i]));
    }
    return CM_OKAY;
}

cm_err cm_store_open_sqlite(cm_store **out, const cm_store_sqlite *o)
{
    static const cm_engine_ops ops = {
        .get = lite_get,
        .scan = lite_scan,
        .begin = lite_begin,
        .versions = lite_versions,
        .txn_get = lite_txn_get,
        .write = lite_write,
        .commit = lite_commit,
        .abort = lite_abort,
        .close = lite_close,
        .info = lite_info,
        .restore = lite_restore,
        .check = lite_check,
    };
    engine *e;
    cm_err err;

    CM_TRY(cm_alloc(&e, sizeof *e));
    *e = (engine){.lock = -1};
    pthread_mutex_init(&e->pool, NULL);
    pthread_mutex_init(&e->write, NULL);
    pthread_cond_init(&e->freed, NULL);
    err = open_links(e, o);
    if (cm_failed(err)) {
        lite_close(e);
        return err;
    }
    return cm_store_of(out, &ops, e);
}
