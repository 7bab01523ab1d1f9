/*
 * Durable, audited operations beside SQLite alone.
 *
 * commit SCRATCH [SECONDS]
 *
 * Beside: one INSERT of an audit record of 200 bytes and one UPDATE of a counter an operation, at
 * WAL with synchronous=FULL, so many operations a transaction. Ours: units of one entry and one
 * bump, as many outstanding, through the committer with its log and signed checkpoints. One line of
 * JSON each; operations a second.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/commit.h"
#include "audit/signer.h"
#include "base/os.h"

enum { COUNTERS = 64, UNITS_MAX = 1024 };

static void fail(const char *why)
{
    (void)fprintf(stderr, "commit: %s\n", why);
    exit(1);
}

static void okay(cm_err e, const char *why)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "commit: %s: %s\n", why, cm_err_name(e));
        exit(1);
    }
}

static char db_path[4096];

static void remove_db(void)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    char p[4200];

    for (size_t i = 0; i < CM_COUNT(tails); i++) {
        (void)snprintf(p, sizeof p, "%s%s", db_path, tails[i]);
        (void)unlink(p);
    }
}

/* ---- SQLite alone ---- */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(db));
}

static void step(sqlite3_stmt *st)
{
    if (sqlite3_step(st) != SQLITE_DONE)
        fail("step");
    sqlite3_reset(st);
}

static double bare(unsigned group, double seconds)
{
    uint64_t start = cm_os_monotonic_ns(), end = start + (uint64_t)(seconds * 1e9), n = 0;
    sqlite3_stmt *add, *bump, *begin, *commit;
    uint8_t record[200] = {0};
    sqlite3 *db;

    remove_db();
    if (sqlite3_open(db_path, &db) != SQLITE_OK)
        fail("open");
    sql(db, "PRAGMA journal_mode=WAL");
    sql(db, "PRAGMA synchronous=FULL");
    sql(db, "CREATE TABLE log (i INTEGER PRIMARY KEY, v BLOB NOT NULL)");
    sql(db, "CREATE TABLE counter (i INTEGER PRIMARY KEY, n INTEGER NOT NULL)");
    for (unsigned i = 0; i < COUNTERS; i++) {
        char text[80];

        (void)snprintf(text, sizeof text, "INSERT INTO counter VALUES (%u, 0)", i);
        sql(db, text);
    }
    sqlite3_prepare_v2(db, "INSERT INTO log (v) VALUES (?1)", -1, &add, NULL);
    sqlite3_prepare_v2(db, "UPDATE counter SET n = n + 1 WHERE i = ?1", -1, &bump, NULL);
    sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL);
    sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL);
    start = cm_os_monotonic_ns();
    end = start + (uint64_t)(seconds * 1e9);
    while (cm_os_monotonic_ns() < end) {
        step(begin);
        for (unsigned i = 0; i < group; i++, n++) {
            memcpy(record, &n, sizeof n);
            sqlite3_bind_blob(add, 1, record, sizeof record, SQLITE_STATIC);
            step(add);
            sqlite3_bind_int64(bump, 1, (sqlite3_int64)(n % COUNTERS));
            step(bump);
        }
        step(commit);
    }
    end = cm_os_monotonic_ns();
    sqlite3_finalize(add);
    sqlite3_finalize(bump);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_close(db);
    return (double)n * 1e9 / (double)(end - start);
}

/* ---- ours ---- */

typedef struct {
    cm_unit u;
    cm_audit_entry e;
    cm_unit_bump b;
    cm_path p;
    uint8_t id[16], who[32], request[32];
    uint64_t since;
} slot;

typedef struct {
    cm_committer *c;
    bool stop;
    unsigned left;
    uint64_t n, receipts_bytes, waited;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    slot s[UNITS_MAX];
} load;

static void again(cm_unit *u)
{
    load *l = u->arg;
    slot *s = (slot *)(void *)u;
    uint64_t now = cm_os_monotonic_ns();

    okay(u->result, "unit");
    cm_buf_free(&u->receipt);
    __atomic_fetch_add(&l->n, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&l->waited, now - s->since, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
        s->since = now;
        okay(cm_committer_submit(l->c, u), "submit");
        return;
    }
    (void)pthread_mutex_lock(&l->lock);
    l->left--;
    (void)pthread_cond_signal(&l->wake);
    (void)pthread_mutex_unlock(&l->lock);
}

static cm_err seal(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                   cm_view plain)
{
    (void)self;
    (void)tenant;
    (void)key;
    (void)version;
    return cm_buf_append(out, plain);
}

static uint64_t now_ms(void *arg)
{
    (void)arg;
    return cm_os_now() * 1000;
}

static double ours(const cm_crypt *crypt, unsigned outstanding, bool receipts, double seconds,
                   double *mean_us)
{
    static load l;
    static const cm_store_sealer sealer = {seal, seal, NULL};
    const cm_store_sqlite at = {.path = db_path, .create = true};
    uint8_t seed[32] = {1};
    cm_audit_keys keys = {0};
    cm_audit_local *signer;
    cm_store *store;
    cm_committer_options o = {
        .crypt = crypt, .origin = "log.example", .now_ms = now_ms, .depth = 2 * UNITS_MAX};
    uint64_t start, end;

    remove_db();
    okay(cm_audit_keys_derive(&keys, crypt, CM_VIEW(seed)), "keys");
    okay(cm_audit_local_new(&signer, crypt, o.origin, &keys, NULL, NULL), "signer");
    okay(cm_store_open_sqlite(&store, &at), "store");
    cm_store_unseal(store, &sealer);
    o.store = store;
    o.signer = cm_audit_local_signer(signer);
    memset(&l, 0, sizeof l);
    l.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    l.wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    okay(cm_committer_new(&l.c, &o), "committer");
    l.left = outstanding;
    start = cm_os_monotonic_ns();
    for (unsigned i = 0; i < outstanding; i++) {
        slot *s = &l.s[i];

        cm_path_init(&s->p);
        cm_path_add_str(&s->p, "acme");
        cm_path_add_str(&s->p, "quota");
        cm_path_add_u64(&s->p, i % COUNTERS);
        cm_put_be64(s->id, i);
        s->b = (cm_unit_bump){cm_path_view(&s->p), 1, UINT64_MAX, 0};
        s->e = (cm_audit_entry){.time_ms = 1800000000000,
                                .id = CM_VIEW(s->id),
                                .tenant = CM_LIT("acme"),
                                .principal = CM_VIEW(s->who),
                                .op = CM_LIT("DecryptModelWeights"),
                                .resource = CM_LIT("tenants/acme/models/m7/keys/1"),
                                .key_version = 3,
                                .request = CM_VIEW(s->request),
                                .decision = CM_AUDIT_ALLOW};
        s->u = (cm_unit){.bumps = &s->b,
                         .bumps_n = 1,
                         .entry = &s->e,
                         .want_receipt = receipts,
                         .done = again,
                         .arg = &l};
        s->since = cm_os_monotonic_ns();
        okay(cm_committer_submit(l.c, &s->u), "submit");
    }
    (void)usleep((useconds_t)(seconds * 1e6));
    end = cm_os_monotonic_ns();
    *mean_us = (double)l.waited / 1e3 / (double)CM_MAX(l.n, 1u);
    seconds = (double)l.n * 1e9 / (double)(end - start);
    __atomic_store_n(&l.stop, true, __ATOMIC_RELAXED);
    (void)pthread_mutex_lock(&l.lock);
    while (l.left > 0)
        (void)pthread_cond_wait(&l.wake, &l.lock);
    (void)pthread_mutex_unlock(&l.lock);
    cm_committer_free(l.c);
    cm_store_close(store);
    cm_audit_local_free(signer);
    cm_audit_keys_done(&keys);
    return seconds;
}

int main(int argc, char **argv)
{
    static const unsigned groups[] = {1, 16, 64, 256, 1024};
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1, us = 0;
    cm_crypt *crypt;

    if (argc < 2 || snprintf(db_path, sizeof db_path, "%s/commit.db", argv[1]) > 4000) {
        (void)fputs("usage: commit SCRATCH [SECONDS]\n", stderr);
        return 2;
    }
    okay(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT), "crypt");
    for (size_t i = 0; i < CM_COUNT(groups); i++) {
        double sqlite = bare(groups[i], seconds),
               mine = ours(crypt, groups[i], false, seconds, &us);
        double us2, with = ours(crypt, groups[i], true, seconds, &us2);

        (void)printf("{\"group\":%u,\"sqlite\":%.0f,\"committer\":%.0f,\"ratio\":%.2f,\"mean_us\":"
                     "%.0f,\"with_receipts\":%.0f,\"receipt_mean_us\":%.0f}\n",
                     groups[i], sqlite, mine, mine / sqlite, us, with, us2);
    }
    remove_db();
    cm_crypt_free(crypt);
    return 0;
}
