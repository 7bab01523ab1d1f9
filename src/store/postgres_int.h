#ifndef CM_STORE_POSTGRES_INT_H
#define CM_STORE_POSTGRES_INT_H
/* libpq, loaded when it is asked for, and connections through it. */
#include <libpq-fe.h>

#include "store/engine_int.h"

#define CM_PQ_CALLS(X)           \
    X(PQconnectdbParams)         \
    X(PQfinish)                  \
    X(PQstatus)                  \
    X(PQsocket)                  \
    X(PQisBusy)                  \
    X(PQconsumeInput)            \
    X(PQconninfo)                \
    X(PQconninfoParse)           \
    X(PQconninfoFree)            \
    X(PQfreemem)                 \
    X(PQsetNoticeProcessor)      \
    X(PQconnectionNeedsPassword) \
    X(PQerrorMessage)            \
    X(PQexec)                    \
    X(PQprepare)                 \
    X(PQenterPipelineMode)       \
    X(PQsendQueryParams)         \
    X(PQsendQueryPrepared)       \
    X(PQpipelineSync)            \
    X(PQgetResult)               \
    X(PQresultStatus)            \
    X(PQresultErrorField)        \
    X(PQclear)                   \
    X(PQntuples)                 \
    X(PQnfields)                 \
    X(PQgetvalue)                \
    X(PQgetlength)

#define CM_PQ_MEMBER(name) __typeof__(name) *name;
typedef struct {
    CM_PQ_CALLS(CM_PQ_MEMBER)
} cm_pq;
#undef CM_PQ_MEMBER

/** The library stays loaded for good. STORE_NO_LIBPQ. */
CM_MUST cm_err cm_pq_load(cm_pq *q);
/** STORE_CONNINFO for what libpq can't read or what holds a password. */
CM_MUST cm_err cm_pq_check_conninfo(const cm_pq *q, const char *conninfo);

/* Prepared on each connection, by their numbers. */
typedef enum {
    CM_PG_GET,
    CM_PG_SCAN,
    CM_PG_VERSIONS,
    CM_PG_WRITE,
    CM_PG_RESTORE,
    CM_PG_BUMP,
    CM_PG_SETTLE,
    CM_PG_JOIN,
    CM_PG_LEAVE,
    CM_PG_INFO,
    CM_PG_STATEMENTS,
} cm_pg_statement;

enum { CM_PG_PARAMS = 6 };

/* One of a round trip's statements: a prepared one with binary parameters, or a plain text. */
typedef struct {
    const char *text;
    cm_pg_statement prepared;
    int n;
    const char *value[CM_PG_PARAMS];
    int length[CM_PG_PARAMS];
} cm_pg_step;

typedef struct {
    PGconn *c; /* NULL: not connected */
    bool busy;
    unsigned answer_ms; /* an answer is waited for; 0: default */
} cm_pg_link;

/** Connect, make or check the tables if schema, prepare. One try. */
CM_MUST cm_err cm_pg_connect(const cm_pq *q, cm_pg_link *l, const cm_store_postgres *o,
                             bool schema);
void cm_pg_close(const cm_pq *q, cm_pg_link *l);
/** Files that the connection was made with. */
void cm_pg_files(const cm_pq *q, const cm_pg_link *l, void (*each)(void *arg, const char *path),
                 void *arg);
/** All steps in one round trip; what follows a failed one is not done. The last step's result is
 * *last (to be cleared) unless NULL. A lost connection is closed: STORE_UNREACHABLE. *state keeps
 * the five letters of SQLSTATE of a failure unless NULL. */
CM_MUST cm_err cm_pg_round(const cm_pq *q, cm_pg_link *l, const cm_pg_step *steps, size_t n,
                           PGresult **last, char state[6]);
void cm_pg_param(cm_pg_step *s, cm_view v);
/** The bytes of a field; an integer of 8 bytes. */
cm_view cm_pg_field(const cm_pq *q, const PGresult *r, int row, int column);
CM_MUST cm_err cm_pg_u64(const cm_pq *q, const PGresult *r, int row, int column, uint64_t *n);

/* An array as PostgreSQL takes it in binary. */
typedef struct {
    cm_buf b;
    uint32_t n;
} cm_pg_array;
enum { CM_PG_BYTES = 17, CM_PG_INT8 = 20 }; /* types of elements */
CM_MUST cm_err cm_pg_array_begin(cm_pg_array *a, uint32_t type);
CM_MUST cm_err cm_pg_array_add(cm_pg_array *a, cm_view v);
CM_MUST cm_err cm_pg_array_u64(cm_pg_array *a, uint64_t n);
/** Ready to be sent. */
cm_view cm_pg_array_end(cm_pg_array *a);
void cm_pg_array_free(cm_pg_array *a);

#endif
