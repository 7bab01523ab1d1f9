/* The SQLite file's schema, a step at a time (D-12, D-13). */
#include <stdio.h>

#include "store/sqlite_int.h"

enum { APPLICATION = 0x43734d74 }; /* "CsMt" in the file's header */

/* What leads from schema i to i + 1. The last statement of the first step makes the file ours. */
static const char *const steps[CM_STORE_SCHEMA] = {
    /* Not WITHOUT ROWID: inner pages would hold whole rows, and each search copy the large ones. */
    "CREATE TABLE rows (k BLOB PRIMARY KEY NOT NULL, ver INTEGER NOT NULL, v BLOB NOT NULL) STRICT;"
    "PRAGMA application_id = 1131629940",
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value ANY NOT NULL) WITHOUT ROWID, STRICT;"
    "INSERT INTO meta (name, value) VALUES ('id', randomblob(16)), ('generation', 0)",
};
_Static_assert(APPLICATION == 1131629940, "the number in the first step");

cm_err cm_lite_failed(int rc, cm_reason otherwise)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return CM_FAIL(NO_SPACE);
    case SQLITE_NOMEM:
        return CM_FAIL(NO_MEMORY);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return CM_FAIL(STORE_CORRUPT);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CM_FAIL(STORE_BUSY);
    case SQLITE_CANTOPEN:
        return CM_FAIL(IO_OPEN);
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return CM_FAIL(NO_PERMISSION);
    default:
        return (cm_err){(uint32_t)otherwise};
    }
}

cm_err cm_lite_run(sqlite3 *db, const char *text)
{
    int rc = sqlite3_exec(db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? CM_OKAY : cm_lite_failed(rc, CM_IO_WRITE);
}

static cm_err number_of(sqlite3 *db, const char *text, uint64_t *n)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, text, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *n = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return CM_FAIL(STORE_CORRUPT);
    return rc == SQLITE_ROW ? CM_OKAY : cm_lite_failed(rc, CM_IO_READ);
}

static cm_err step(sqlite3 *db, unsigned to)
{
    char pragma[64];

    CM_TRY(cm_lite_run(db, steps[to - 1]));
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %u", to);
    return cm_lite_run(db, pragma);
}

/* All in one transaction: whoever is killed leaves the old schema or this one, and nobody meets a
 * new file half-way and takes it for an old one. */
static cm_err steps_from(sqlite3 *db, unsigned from)
{
    cm_err e = cm_lite_run(db, "BEGIN IMMEDIATE");

    for (unsigned to = from + 1; cm_ok(e) && to <= CM_STORE_SCHEMA; to++)
        e = step(db, to);
    if (cm_ok(e))
        e = cm_lite_run(db, "COMMIT");
    if (cm_failed(e) && !sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

cm_err cm_lite_schema(sqlite3 *db, bool create, bool migrate)
{
    uint64_t application = 0, schema = 0, tables = 0;

    CM_TRY(number_of(db, "PRAGMA application_id", &application));
    CM_TRY(number_of(db, "PRAGMA user_version", &schema));
    CM_TRY(number_of(db, "SELECT count(*) FROM sqlite_schema", &tables));
    if (application != APPLICATION && (application || schema || tables))
        return CM_FAIL(STORE_FOREIGN);
    if (schema > CM_STORE_SCHEMA)
        return CM_FAIL(STORE_NEWER);
    if (schema == 0 && !create)
        return CM_FAIL(NO_FILE);
    if (schema > 0 && schema < CM_STORE_SCHEMA && !migrate)
        return CM_FAIL(STORE_OLDER);
    return schema == CM_STORE_SCHEMA ? CM_OKAY : steps_from(db, (unsigned)schema);
}

cm_err cm_lite_info(sqlite3 *db, cm_store_info *i)
{
    cm_store_info info = {.engine = "sqlite", .schema = CM_STORE_SCHEMA};
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT a.value, b.value FROM meta a, meta b "
                                "WHERE a.name = 'id' AND b.name = 'generation'",
                                -1, &st, NULL);
    cm_err e = CM_OKAY;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW)
        e = rc == SQLITE_DONE ? CM_FAIL(STORE_CORRUPT) : cm_lite_failed(rc, CM_IO_READ);
    else if (sqlite3_column_bytes(st, 0) != sizeof info.id)
        e = CM_FAIL(STORE_CORRUPT);
    else {
        memcpy(info.id, sqlite3_column_blob(st, 0), sizeof info.id);
        info.generation = (uint64_t)sqlite3_column_int64(st, 1);
        *i = info;
    }
    sqlite3_finalize(st);
    return e;
}

cm_err cm_lite_check(sqlite3 *db, void (*fault)(void *arg, const char *what), void *arg)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(100)", -1, &st, NULL);

    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(st, 0);

            if (text && strcmp(text, "ok") != 0)
                fault(arg, text);
        }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? CM_OKAY : cm_lite_failed(rc, CM_IO_READ);
}
