#ifndef TESTLIB_PG_H
#define TESTLIB_PG_H
/* A real PostgreSQL in a temporary folder, as a user without rights, reached by its socket. */
#include "proc.h"

typedef struct {
    char dir[T_PATH], bin[T_PATH];
    pid_t pid; /* of the postmaster; 0: stopped */
} t_pg;

/** False, and the reason on stdout, where the server is not installed. */
bool t_pg_new(t_pg *p);
/** sig: SIGTERM waits for clients, SIGINT ends them, SIGQUIT is a crash. */
void t_pg_stop(t_pg *p, int sig);
void t_pg_start(t_pg *p);
void t_pg_free(t_pg *p);
/** Run a statement in a database as the superuser; appends what it answers. */
int t_pg_sql(const t_pg *p, const char *database, const char *sql, cm_buf *out);
/** A new database; its conninfo, good until the next. */
const char *t_pg_database(const t_pg *p, const char *name);

#endif
