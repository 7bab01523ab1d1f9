/* Connections to PostgreSQL: settings, schema, round trips. */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>

#include "base/os.h"
#include "store/postgres_int.h"

enum { ANSWER_MS = 20000, ARRAY_MAX = 512 << 20, HEADER = 20 };

/* ---- the library --------------------------------------------------------------------------- */

cm_err cm_pq_load(cm_pq *q)
{
    void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *f;

    if (!lib)
        return CM_FAIL(STORE_NO_LIBPQ);
#define LOAD(name)                      \
    f = dlsym(lib, #name);              \
    if (!f)                             \
        return CM_FAIL(STORE_NO_LIBPQ); \
    memcpy(&q->name, &f, sizeof q->name);
    CM_PQ_CALLS(LOAD)
#undef LOAD
    return CM_OKAY;
}

cm_err cm_pq_check_conninfo(const cm_pq *q, const char *conninfo)
{
    char *what = NULL;
    PQconninfoOption *o = q->PQconninfoParse(conninfo, &what);
    bool fine = o != NULL;

    for (PQconninfoOption *i = o; i && i->keyword; i++)
        if (strcmp(i->keyword, "password") == 0 && i->val && i->val[0])
            fine = false;
    q->PQconninfoFree(o);
    q->PQfreemem(what);
    return fine ? CM_OKAY : CM_FAIL(STORE_CONNINFO);
}

/* ---- errors -------------------------------------------------------------------------------- */

/* By the first letters of SQLSTATE; the first that fits. */
static const struct {
    const char *state;
    cm_reason reason;
} reasons[] = {
    {"40001", CM_STORE_CONFLICT},  {"40P01", CM_STORE_CONFLICT}, {"23505", CM_STORE_CONFLICT},
    {"53100", CM_NO_SPACE},        {"53200", CM_NO_MEMORY},      {"53300", CM_STORE_UNREACHABLE},
    {"57014", CM_STORE_BUSY},      {"55P03", CM_STORE_BUSY},     {"42501", CM_STORE_LOGIN},
    {"XX001", CM_STORE_CORRUPT},   {"XX002", CM_STORE_CORRUPT},  {"25P03", CM_STORE_UNREACHABLE},
    {"57P", CM_STORE_UNREACHABLE}, {"08", CM_STORE_UNREACHABLE}, {"28", CM_STORE_LOGIN},
};

static cm_err of_state(const char *state)
{
    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (strncmp(state, reasons[i].state, strlen(reasons[i].state)) == 0)
            return (cm_err){(uint32_t)reasons[i].reason};
    return CM_FAIL(IO_WRITE);
}

static cm_err of_result(const cm_pq *q, const PGresult *r, char state[6])
{
    ExecStatusType status = r ? q->PQresultStatus(r) : PGRES_FATAL_ERROR;
    const char *text;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC)
        return CM_OKAY;
    text = r ? q->PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    if (!text)
        return CM_FAIL(STORE_UNREACHABLE);
    snprintf(state, 6, "%s", text);
    return of_state(text);
}

/* ---- connecting ---------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int n;
    Oid type[CM_PG_PARAMS];
} statements[CM_PG_STATEMENTS] = {
    [CM_PG_GET] = {"SELECT ver, v FROM casemate_rows WHERE k = $1", 1, {17}},
    [CM_PG_SCAN] = {"SELECT k, ver, v FROM casemate_rows WHERE k >= $1 AND k < $2 ORDER BY k "
                    "LIMIT $3",
                    3,
                    {17, 17, 20}},
    [CM_PG_VERSIONS] = {"SELECT t.i, r.ver FROM unnest($1) WITH ORDINALITY t(k, i) "
                        "JOIN casemate_rows r ON r.k = t.k",
                        1,
                        {1001}},
    [CM_PG_WRITE] = {"WITH a AS (INSERT INTO casemate_rows (k, ver, v) "
                     "SELECT k, 1, v FROM unnest($1, $2) t(k, v) "
                     "ON CONFLICT (k) DO NOTHING RETURNING 1), "
                     "c AS (UPDATE casemate_rows r SET ver = t.ver, v = t.v "
                     "FROM unnest($3, $4, $5) t(k, ver, v) "
                     "WHERE r.k = t.k AND r.ver = t.ver - 1 RETURNING 1), "
                     "d AS (DELETE FROM casemate_rows r USING unnest($6) t(k) WHERE r.k = t.k) "
                     "SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM c)",
                     6,
                     {1001, 1001, 1001, 1016, 1001, 1001}},
    [CM_PG_RESTORE] = {"INSERT INTO casemate_rows (k, ver, v) "
                       "SELECT k, ver, v FROM unnest($1, $2, $3) t(k, ver, v)",
                       3,
                       {1001, 1016, 1001}},
    /* Another number than the one before is an error, so that what follows is not done (D-22). */
    [CM_PG_BUMP] = {"WITH w AS (UPDATE casemate_writers SET seq = $2, seen = now() "
                    "WHERE id = $1 AND seq = $2 - 1 RETURNING 1), "
                    "g AS (UPDATE casemate_meta SET n = n + 1 WHERE name = 'generation') "
                    "SELECT 1 / count(*) FROM w",
                    2,
                    {17, 20}},
    [CM_PG_SETTLE] = {"UPDATE casemate_writers SET seq = seq + 1000000, seen = now() "
                      "WHERE id = $1 RETURNING seq - 1000000",
                      1,
                      {17}},
    [CM_PG_JOIN] = {"WITH old AS (DELETE FROM casemate_writers WHERE seen < now() - interval "
                    "'90 days') INSERT INTO casemate_writers (id, seq, seen) VALUES "
                    "(decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), 0, now()) "
                    "RETURNING id",
                    0,
                    {0}},
    [CM_PG_LEAVE] = {"DELETE FROM casemate_writers WHERE id = $1", 1, {17}},
    [CM_PG_INFO] = {"SELECT i.b, g.n, s.n FROM casemate_meta i, casemate_meta g, casemate_meta s "
                    "WHERE i.name = 'id' AND g.name = 'generation' AND s.name = 'schema'",
                    0,
                    {0}},
};

/* Plans by index alone: a sequential scan would make every transaction conflict with every other.
 * What idles inside a transaction is dead and holds locks. */
static const char settings[] =
    "SET statement_timeout = '10s'; SET lock_timeout = '5s'; "
    "SET idle_in_transaction_session_timeout = '3s'; SET synchronous_commit = on; "
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET client_min_messages = error";

static const char tables[] =
    "BEGIN; SELECT pg_advisory_xact_lock(1131629940); "
    "CREATE TABLE IF NOT EXISTS casemate_rows (k bytea PRIMARY KEY, ver bigint NOT NULL, "
    "v bytea NOT NULL); "
    "ALTER TABLE casemate_rows ALTER COLUMN v SET STORAGE EXTERNAL; "
    "CREATE TABLE IF NOT EXISTS casemate_writers (id bytea PRIMARY KEY, seq bigint NOT NULL, "
    "seen timestamptz NOT NULL); "
    "CREATE TABLE IF NOT EXISTS casemate_turn (); "
    "CREATE TABLE IF NOT EXISTS casemate_meta (name text PRIMARY KEY, n bigint NOT NULL, "
    "b bytea NOT NULL); "
    "INSERT INTO casemate_meta (name, n, b) VALUES ('schema', 2, ''), ('generation', 0, ''), "
    "('id', 0, decode(replace(gen_random_uuid()::text, '-', ''), 'hex')) ON CONFLICT DO NOTHING; "
    "COMMIT";

static void silent(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static cm_err run_text(const cm_pq *q, PGconn *c, const char *text)
{
    char state[6];
    PGresult *r = q->PQexec(c, text);
    cm_err e = of_result(q, r, state);

    q->PQclear(r);
    return e;
}

/* The first field as text, compared. */
static cm_err ask(const cm_pq *q, PGconn *c, const char *text, char *out, size_t room)
{
    char state[6];
    PGresult *r = q->PQexec(c, text);
    cm_err e = of_result(q, r, state);

    if (cm_ok(e) && q->PQntuples(r) == 1)
        snprintf(out, room, "%s", q->PQgetvalue(r, 0, 0));
    else if (cm_ok(e))
        e = CM_FAIL(STORE_CORRUPT);
    q->PQclear(r);
    return e;
}

/* D-12, D-13: there was no schema on PostgreSQL before this one. */
static cm_err check_schema(const cm_pq *q, PGconn *c, const cm_store_postgres *o)
{
    char text[24] = "";

    CM_TRY(ask(q, c, "SELECT to_regclass('casemate_meta') IS NOT NULL", text, sizeof text));
    if (text[0] != 't') {
        if (!o->create)
            return CM_FAIL(NO_FILE);
        CM_TRY(run_text(q, c, tables));
    }
    CM_TRY(ask(q, c, "SELECT n FROM casemate_meta WHERE name = 'schema'", text, sizeof text));
    if (strcmp(text, "2") == 0)
        return CM_OKAY;
    return text[0] == '1' && !text[1] ? CM_FAIL(STORE_OLDER) : CM_FAIL(STORE_NEWER);
}

static cm_err prepare(const cm_pq *q, PGconn *c)
{
    for (size_t i = 0; i < CM_PG_STATEMENTS; i++) {
        char name[8], state[6];
        PGresult *r;
        cm_err e;

        snprintf(name, sizeof name, "s%zu", i);
        r = q->PQprepare(c, name, statements[i].text, statements[i].n, statements[i].type);
        e = of_result(q, r, state);
        q->PQclear(r);
        CM_TRY(e);
    }
    return CM_OKAY;
}

static cm_err set_up(const cm_pq *q, PGconn *c, const cm_store_postgres *o, bool schema)
{
    q->PQsetNoticeProcessor(c, silent, NULL);
    CM_TRY(run_text(q, c, settings));
    if (schema)
        CM_TRY(check_schema(q, c, o));
    CM_TRY(prepare(q, c));
    return q->PQenterPipelineMode(c) == 1 ? CM_OKAY : CM_FAIL(STORE_UNREACHABLE);
}

/* libpq keeps no SQLSTATE of a login: words choose between two reasons, nothing more. */
static bool is_refusal(const char *text)
{
    static const char *const words[] = {"authentication", "pg_hba.conf", "role \"", "database \""};

    for (size_t i = 0; i < CM_COUNT(words); i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}

cm_err cm_pg_connect(const cm_pq *q, cm_pg_link *l, const cm_store_postgres *o, bool schema)
{
    /* What stands before dbname holds unless the conninfo says otherwise (D-20). */
    const char *const names[] = {"connect_timeout",     "tcp_user_timeout",     "keepalives_idle",
                                 "keepalives_interval", "keepalives_count",     "sslmode",
                                 "gssencmode",          "application_name",     "dbname",
                                 "client_encoding",     "target_session_attrs", NULL};
    const char *const values[] = {l->answer_ms ? "2" : "5",
                                  "10000",
                                  "10",
                                  "5",
                                  "3",
                                  "verify-full",
                                  "disable",
                                  "casemate",
                                  o->conninfo,
                                  "UTF8",
                                  "read-write",
                                  NULL};
    PGconn *c = q->PQconnectdbParams(names, values, 1);
    cm_err e;

    if (!c)
        return CM_FAIL(NO_MEMORY);
    if (q->PQstatus(c) != CONNECTION_OK) {
        bool refused = is_refusal(q->PQerrorMessage(c)) || q->PQconnectionNeedsPassword(c);

        q->PQfinish(c);
        return refused ? CM_FAIL(STORE_LOGIN) : CM_FAIL(STORE_UNREACHABLE);
    }
    e = set_up(q, c, o, schema);
    if (cm_failed(e)) {
        q->PQfinish(c);
        return e;
    }
    l->c = c;
    return CM_OKAY;
}

void cm_pg_files(const cm_pq *q, const cm_pg_link *l, void (*each)(void *arg, const char *path),
                 void *arg)
{
    static const char *const names[] = {"passfile",    "sslcert", "sslkey",
                                        "sslrootcert", "sslcrl",  "sslcrldir"};
    PQconninfoOption *o = l->c ? q->PQconninfo(l->c) : NULL;

    for (const PQconninfoOption *i = o; i && i->keyword; i++)
        for (size_t n = 0; n < CM_COUNT(names); n++)
            if (strcmp(i->keyword, names[n]) == 0 && i->val && i->val[0] == '/')
                each(arg, i->val);
    q->PQconninfoFree(o);
}

void cm_pg_close(const cm_pq *q, cm_pg_link *l)
{
    if (l->c)
        q->PQfinish(l->c);
    l->c = NULL;
}

/* ---- round trips --------------------------------------------------------------------------- */

void cm_pg_param(cm_pg_step *s, cm_view v)
{
    s->value[s->n] = v.n ? (const char *)v.p : "";
    s->length[s->n++] = (int)v.n;
}

static bool send(const cm_pq *q, PGconn *c, const cm_pg_step *s)
{
    static const int binary[CM_PG_PARAMS] = {1, 1, 1, 1, 1, 1};
    char name[8];

    if (s->text)
        return q->PQsendQueryParams(c, s->text, 0, NULL, NULL, NULL, NULL, 1) == 1;
    snprintf(name, sizeof name, "s%u", (unsigned)s->prepared);
    return q->PQsendQueryPrepared(c, name, s->n, s->value, s->length, binary, 1) == 1;
}

/* A server that no longer answers is lost, whatever its sockets say. */
static bool answered(const cm_pq *q, PGconn *c, uint64_t until)
{
    while (q->PQisBusy(c)) {
        struct pollfd p = {.fd = q->PQsocket(c), .events = POLLIN};
        uint64_t now = cm_os_monotonic_ns();

        if (p.fd < 0 || now >= until)
            return false;
        (void)poll(&p, 1, (int)((until - now) / 1000000 + 1));
        if (p.revents && q->PQconsumeInput(c) != 1)
            return false;
    }
    return true;
}

/* Results of a step until its NULL; the first is what counts. */
static cm_err take(const cm_pq *q, PGconn *c, uint64_t until, PGresult **out, char state[6])
{
    PGresult *first = NULL, *r;
    bool alive;
    cm_err e;

    while ((alive = answered(q, c, until)) && (r = q->PQgetResult(c)) != NULL) {
        if (first)
            q->PQclear(r);
        else
            first = r;
        if (q->PQstatus(c) == CONNECTION_BAD)
            break;
    }
    e = alive ? of_result(q, first, state) : CM_FAIL(STORE_UNREACHABLE);
    if (cm_failed(e) || !out)
        q->PQclear(first);
    else
        *out = first;
    return e;
}

/* Past the mark that ends a round, which a failed step has aborted before. */
static bool synced(const cm_pq *q, PGconn *c, uint64_t until)
{
    while (answered(q, c, until) && q->PQstatus(c) == CONNECTION_OK) {
        PGresult *r = q->PQgetResult(c);
        bool end = r && q->PQresultStatus(r) == PGRES_PIPELINE_SYNC;

        q->PQclear(r);
        if (end)
            return true;
    }
    return false;
}

static cm_err lost(const cm_pq *q, cm_pg_link *l)
{
    cm_pg_close(q, l);
    return CM_FAIL(STORE_UNREACHABLE);
}

cm_err cm_pg_round(const cm_pq *q, cm_pg_link *l, const cm_pg_step *steps, size_t n,
                   PGresult **last, char state[6])
{
    unsigned ms = l->answer_ms ? l->answer_ms : (unsigned)ANSWER_MS;
    uint64_t until = cm_os_monotonic_ns() + UINT64_C(1000000) * ms;
    PGresult *result = NULL;
    char unwanted[6] = "";
    cm_err e = CM_OKAY;

    if (!l->c)
        return CM_FAIL(STORE_UNREACHABLE);
    for (size_t i = 0; i < n; i++)
        if (!send(q, l->c, &steps[i]))
            return lost(q, l);
    if (q->PQpipelineSync(l->c) != 1)
        return lost(q, l);
    for (size_t i = 0; i < n && cm_ok(e); i++)
        e = take(q, l->c, until, i + 1 == n ? &result : NULL, state ? state : unwanted);
    if (cm_is(e, CM_STORE_UNREACHABLE) || !synced(q, l->c, until)) {
        q->PQclear(result);
        return lost(q, l);
    }
    if (last && cm_ok(e))
        *last = result;
    else
        q->PQclear(result);
    return e;
}

cm_view cm_pg_field(const cm_pq *q, const PGresult *r, int row, int column)
{
    return cm_view_of(q->PQgetvalue(r, row, column), (size_t)q->PQgetlength(r, row, column));
}

cm_err cm_pg_u64(const cm_pq *q, const PGresult *r, int row, int column, uint64_t *n)
{
    cm_view v;

    if (row >= q->PQntuples(r) || column >= q->PQnfields(r))
        return CM_FAIL(STORE_CORRUPT);
    v = cm_pg_field(q, r, row, column);
    if (v.n != 8)
        return CM_FAIL(STORE_CORRUPT);
    *n = cm_get_be64(v.p);
    return CM_OKAY;
}

/* ---- arrays -------------------------------------------------------------------------------- */

cm_err cm_pg_array_begin(cm_pg_array *a, uint32_t type)
{
    *a = (cm_pg_array){.b = {.max = ARRAY_MAX}};
    CM_TRY(cm_buf_be32(&a->b, 1)); /* dimensions */
    CM_TRY(cm_buf_be32(&a->b, 0)); /* no NULL among them */
    CM_TRY(cm_buf_be32(&a->b, type));
    CM_TRY(cm_buf_be32(&a->b, 0)); /* how many: cm_pg_array_end() */
    return cm_buf_be32(&a->b, 1);  /* number of the first */
}

cm_err cm_pg_array_add(cm_pg_array *a, cm_view v)
{
    CM_TRY(cm_buf_be32(&a->b, (uint32_t)v.n));
    CM_TRY(cm_buf_append(&a->b, v));
    a->n++;
    return CM_OKAY;
}

cm_err cm_pg_array_u64(cm_pg_array *a, uint64_t n)
{
    uint8_t b[8];

    cm_put_be64(b, n);
    return cm_pg_array_add(a, CM_VIEW(b));
}

cm_view cm_pg_array_end(cm_pg_array *a)
{
    cm_put_be32(a->b.p + 12, a->n);
    if (a->n)
        return cm_buf_view(&a->b);
    cm_put_be32(a->b.p, 0); /* an empty array has no dimension */
    return cm_view_of(a->b.p, HEADER - 8);
}

void cm_pg_array_free(cm_pg_array *a)
{
    cm_buf_free(&a->b);
}
