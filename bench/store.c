/*
 * Durable transactions of the store beside bare SQLite, in one process on one disk: rounds take
 * turns, so that all meet the same neighbours. A transaction adds N rows of 200 bytes under random
 * keys; bare is one prepared INSERT a row into the same table with the same settings; sealed goes
 * through boxes under a tenant's key.
 *
 * store [--json] [--dir DIR] [--seconds S]
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypt/crypt.h"
#include "store/rowseal.h"
#include "store/store.h"

enum { VALUE = 200, BATCH_MAX = 256, SLICES = 5, JOBS = 3 };

static const char *const names[JOBS] = {"bare SQLite", "store", "store, sealed"};
static const unsigned batches[] = {1, 16, 64, 256};
static uint8_t value[VALUE];
static char dir[256] = "/tmp/casemate-bench-XXXXXX";

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_store: %s failed\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t next_key(void)
{
    static uint64_t s = 1;

    s += UINT64_C(0x9e3779b97f4a7c15);
    return (s ^ s >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
}

static void path_of(cm_path *p, const char *tenant)
{
    cm_path_init(p);
    cm_path_add_str(p, tenant);
    cm_path_add_str(p, "key");
    cm_path_add_u64(p, next_key());
}

/* ---- bare ---------------------------------------------------------------------------------- */

static sqlite3 *db;
static sqlite3_stmt *insert;

static void open_bare(void)
{
    char path[300];

    snprintf(path, sizeof path, "%s/bare.db", dir);
    must(sqlite3_open(path, &db) == SQLITE_OK, "sqlite3_open");
    must(sqlite3_exec(db,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA cache_size = -16384;"
                      "CREATE TABLE rows (k BLOB PRIMARY KEY NOT NULL, ver INTEGER NOT NULL, "
                      "v BLOB NOT NULL) STRICT",
                      NULL, NULL, NULL) == SQLITE_OK,
         "schema");
    must(sqlite3_prepare_v2(db, "INSERT INTO rows VALUES (?1, 1, ?2)", -1, &insert, NULL) ==
             SQLITE_OK,
         "prepare");
}

static void bare(unsigned n)
{
    must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "BEGIN");
    for (unsigned i = 0; i < n; i++) {
        cm_path p;

        path_of(&p, "boot");
        sqlite3_bind_blob(insert, 1, p.b, (int)p.n, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, value, VALUE, SQLITE_STATIC);
        must(sqlite3_step(insert) == SQLITE_DONE, "INSERT");
        sqlite3_reset(insert);
    }
    must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "COMMIT");
}

/* ---- the store ----------------------------------------------------------------------------- */

static void ours(cm_store *s, const char *tenant, unsigned n)
{
    static cm_path p[BATCH_MAX];
    static cm_store_write w[BATCH_MAX];
    static cm_view keys[BATCH_MAX];
    uint64_t versions[BATCH_MAX];
    cm_txn *t;

    for (unsigned i = 0; i < n; i++) {
        path_of(&p[i], tenant);
        keys[i] = cm_path_view(&p[i]);
        w[i] = (cm_store_write){keys[i], 1, CM_VIEW(value)};
    }
    must(cm_ok(cm_txn_begin(&t, s)), "begin");
    must(cm_ok(cm_txn_versions(t, keys, n, versions)), "versions");
    must(cm_ok(cm_txn_write(t, w, n)), "write");
    must(cm_ok(cm_txn_commit(t)), "commit");
}

static cm_store *open_ours(void)
{
    char path[300];
    cm_store_sqlite o = {.path = path, .create = true};
    cm_store *s;

    snprintf(path, sizeof path, "%s/store.db", dir);
    must(cm_ok(cm_store_open_sqlite(&s, &o)), "open");
    return s;
}

/* ---- rounds -------------------------------------------------------------------------------- */

static double run(cm_store *s, unsigned job, unsigned n, double slice)
{
    double start = seconds(), spent;
    unsigned done = 0;

    do {
        if (job == 0)
            bare(n);
        else
            ours(s, job == 1 ? "boot" : "acme", n);
        done++;
        spent = seconds() - start;
    } while (spent < slice);
    return done * n / spent;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(cm_store *s, unsigned n, double slice, bool json)
{
    double rate[JOBS][SLICES];

    for (unsigned i = 0; i < SLICES; i++)
        for (unsigned j = 0; j < JOBS; j++)
            rate[j][i] = run(s, j, n, slice);
    for (unsigned j = 0; j < JOBS; j++)
        qsort(rate[j], SLICES, sizeof rate[j][0], compare);
    for (unsigned j = 0; j < JOBS; j++) {
        double median = rate[j][SLICES / 2], ratio = median / rate[0][SLICES / 2];

        if (json)
            printf("{\"bench\":\"store\",\"job\":\"%s\",\"batch\":%u,\"rows_per_s\":%.0f,"
                   "\"ratio\":%.3f}\n",
                   names[j], n, median, ratio);
        else
            printf("%4u rows  %-14s %9.0f rows/s  %5.2f\n", n, names[j], median, ratio);
    }
}

int main(int argc, char **argv)
{
    double total = 12;
    bool json = false;
    const cm_key32 key = {{1}};
    cm_rowseal *r;
    cm_store_sealer sealer;
    cm_crypt *c;
    cm_store *s;
    char line[300];

    for (int i = 1; i < argc; i++) {
        json = json || strcmp(argv[i], "--json") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--dir") == 0)
            snprintf(dir, sizeof dir, "%s/casemate-bench-XXXXXX", argv[i + 1]);
        if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            total = strtod(argv[i + 1], NULL);
    }
    must(mkdtemp(dir) != NULL, "mkdtemp");
    must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)), "crypt");
    must(cm_ok(cm_rowseal_new(&r, c)), "rowseal");
    must(cm_ok(cm_rowseal_add(r, CM_LIT("acme"), CM_VIEW(key.b))), "key");
    open_bare();
    s = open_ours();
    sealer = cm_rowseal_sealer(r);
    cm_store_unseal(s, &sealer);
    for (size_t b = 0; b < CM_COUNT(batches); b++)
        measure(s, batches[b], total / (CM_COUNT(batches) * SLICES * JOBS), json);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    cm_store_close(s);
    cm_rowseal_free(r);
    cm_crypt_free(c);
    snprintf(line, sizeof line, "rm -rf '%s'", dir);
    return system(line) == 0 ? 0 : 1;
}
