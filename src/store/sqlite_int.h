#ifndef CM_STORE_SQLITE_INT_H
#define CM_STORE_SQLITE_INT_H
/* What surrounds the rows of a SQLite file: schema, id, generation, integrity. */
#include <sqlite3.h>

#include "store/engine_int.h"

cm_err cm_lite_failed(int rc, cm_reason otherwise);
CM_MUST cm_err cm_lite_run(sqlite3 *db, const char *text);
/** Make the tables where there are none, if create; bring older ones up to date, if migrate: each
 * step in a transaction of its own. STORE_FOREIGN, STORE_NEWER, STORE_OLDER, NO_FILE. */
CM_MUST cm_err cm_lite_schema(sqlite3 *db, bool create, bool migrate);
CM_MUST cm_err cm_lite_info(sqlite3 *db, cm_store_info *i);
CM_MUST cm_err cm_lite_check(sqlite3 *db, void (*fault)(void *arg, const char *what), void *arg);

#endif
