/* The store on a real PostgreSQL: rows, conflicts, restarts, killed backends, lost answers. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "pg.h"
#include "store/care.h"
#include "store/lease.h"
#include "store_kit.h"

static t_pg pg;

static cm_store *open_at(const char *conninfo)
{
    cm_store_postgres o = {.conninfo = conninfo, .create = true, .patience_s = 60};
    cm_store *s = NULL;
    cm_err e = cm_store_open_postgres(&s, &o);

    if (cm_failed(e))
        fail_msg("%s", cm_err_name(e));
    cm_store_unseal(s, &t_toy_sealer);
    return s;
}

static void test_rows(void **state)
{
    char where[2 * T_PATH];
    cm_path p = t_row("acme", "key", 1), q;
    cm_store_info a, b;
    cm_store *s;

    (void)state;
    snprintf(where, sizeof where, "%s", t_pg_database(&pg, "rows"));
    s = open_at(where);
    assert_true(cm_store_shared(s));
    assert_true(cm_ok(cm_store_get_info(s, &a)));
    assert_true(cm_is(t_store_put(s, &p, 2, "x"), CM_STORE_CONFLICT)); /* D-3 */
    assert_true(cm_ok(t_store_put(s, &p, 1, "one")));
    assert_true(cm_is(t_store_put(s, &p, 1, "x"), CM_STORE_CONFLICT));
    assert_true(cm_ok(t_store_put(s, &p, 2, "two")));
    assert_true(cm_is(t_store_put(s, &p, 4, "x"), CM_STORE_CONFLICT));
    for (uint64_t i = 0; i < 3; i++) {
        q = t_row(i == 1 ? "acme" : "zeta", "key", 2 + i);
        assert_true(cm_ok(t_store_put(s, &q, 1, "")));
    }
    assert_int_equal(t_store_count(s, "acme"), 2);
    assert_int_equal(t_store_count(s, "zeta"), 2);
    cm_store_close(s);
    s = open_at(where);
    assert_true(t_store_is(s, &p, 2, "two"));
    assert_true(cm_ok(t_store_put(s, &p, 0, "")));
    assert_int_equal(t_store_count(s, "acme"), 1);
    assert_true(cm_ok(cm_store_get_info(s, &b)));
    assert_int_equal(b.generation, a.generation + 6);
    assert_memory_equal(a.id, b.id, sizeof a.id);
    cm_store_close(s);
}

enum { BATCH = 700 };

/* D-21: more rows than a page; one key three times in one batch, and one removed. */
static void test_batches(void **state)
{
    cm_store *s;
    cm_path p[BATCH], twice = t_row("acme", "twice", 0), gone = t_row("acme", "gone", 0);
    cm_store_write w[BATCH + 5];
    cm_view keys[BATCH];
    uint64_t versions[BATCH];
    cm_txn *t;

    (void)state;
    s = open_at(t_pg_database(&pg, "batches"));
    assert_true(cm_ok(t_store_put(s, &gone, 1, "x")));
    for (size_t i = 0; i < BATCH; i++) {
        p[i] = t_row("batch", "row", i);
        w[i] = (cm_store_write){cm_path_view(&p[i]), 1, CM_LIT("value")};
        keys[i] = cm_path_view(&p[i]);
    }
    for (size_t i = 0; i < 3; i++)
        w[BATCH + i] = (cm_store_write){cm_path_view(&twice), 1 + i, CM_LIT("again")};
    w[BATCH + 3] = (cm_store_write){cm_path_view(&gone), 0, CM_LIT("")};
    w[BATCH + 4] = (cm_store_write){cm_path_view(&gone), 1, CM_LIT("back")};
    assert_true(cm_ok(cm_txn_begin(&t, s)));
    assert_true(cm_ok(cm_txn_versions(t, keys, BATCH, versions)));
    assert_int_equal(versions[17], 0);
    assert_true(cm_ok(cm_txn_write(t, w, BATCH + 5)));
    assert_true(cm_ok(cm_txn_commit(t)));
    assert_true(t_store_is(s, &twice, 3, "again"));
    assert_true(t_store_is(s, &gone, 1, "back"));
    assert_int_equal(t_store_count(s, "batch"), BATCH);
    assert_true(cm_ok(cm_txn_begin(&t, s)));
    assert_true(cm_ok(cm_txn_versions(t, keys, BATCH, versions)));
    assert_int_equal(versions[699], 1);
    assert_true(cm_is(cm_txn_write(t, w, 1), CM_STORE_CONFLICT));
    cm_txn_abort(t);
    cm_store_close(s);
}

/* ---- writers ------------------------------------------------------------------------------- */

typedef struct {
    cm_store *s;
    unsigned wanted;
    atomic_uint done;
    unsigned conflicts, wrong;
    cm_err last;
} writer;

/* Reads a counter and writes it back one larger, in one transaction. */
static cm_err count_up(cm_store *s)
{
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    cm_path p = t_row("acme", "counter", 0);
    cm_store_write w = {cm_path_view(&p), 1, CM_LIT("x")};
    uint64_t v = 0;
    cm_txn *mine;
    cm_err e;

    CM_TRY(cm_txn_begin(&t, s));
    e = cm_txn_get(t, w.key, &b, &v);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    w.version = v + 1;
    CM_TRY(cm_txn_write(t, &w, 1));
    mine = t;
    t = NULL;
    return cm_txn_commit(mine);
}

static void *count_many(void *arg)
{
    writer *w = arg;

    while (atomic_load(&w->done) < w->wanted) {
        w->last = count_up(w->s);
        if (cm_ok(w->last))
            atomic_fetch_add(&w->done, 1);
        else if (cm_is(w->last, CM_STORE_CONFLICT))
            w->conflicts++;
        else
            break;
    }
    return NULL;
}

/* D-23: they take turns, so that neither works in vain. */
static void test_two_writers(void **state)
{
    cm_path p = t_row("acme", "counter", 0);
    writer w[2] = {{.wanted = 100}, {.wanted = 100}};
    pthread_t t[2];

    (void)state;
    w[0].s = open_at(t_pg_database(&pg, "writers"));
    for (int i = 0; i < 2; i++) {
        char where[2 * T_PATH];

        snprintf(where, sizeof where, "host=%s user=casemate dbname=writers", pg.dir);
        if (i)
            w[i].s = open_at(where);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, count_many, &w[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_string_equal(cm_err_name(w[0].last), cm_err_name(CM_OKAY));
    assert_string_equal(cm_err_name(w[1].last), cm_err_name(CM_OKAY));
    assert_int_equal(w[0].conflicts + w[1].conflicts, 0);
    assert_true(t_store_is(w[0].s, &p, 200, "x"));
    cm_store_close(w[0].s);
    cm_store_close(w[1].s);
}

/* Writes rows 0, 1, 2 ... each once. Told of a conflict, it looks: if the row is there although the
 * transaction was reported as not done, the report was a guess. */
static void *add_many(void *arg)
{
    writer *w = arg;

    while (atomic_load(&w->done) < w->wanted) {
        cm_path p = t_row("acme", "row", atomic_load(&w->done));

        w->last = t_store_put(w->s, &p, 1, "x");
        if (cm_ok(w->last)) {
            atomic_fetch_add(&w->done, 1);
            continue;
        }
        if (!cm_is(w->last, CM_STORE_CONFLICT))
            break;
        w->conflicts++;
        if (t_store_is(w->s, &p, 1, "x")) {
            w->wrong++;
            break;
        }
    }
    return NULL;
}

static void wait_until(writer *w, unsigned done)
{
    for (int i = 0; i < 24000 && atomic_load(&w->done) < done; i++)
        usleep(5000);
}

static void crash_server(void)
{
    t_pg_stop(&pg, SIGQUIT);
    t_pg_start(&pg);
}

static void restart_server(void)
{
    t_pg_stop(&pg, SIGINT);
    t_pg_start(&pg);
}

/* The writer's backend: the whole server restarts itself then. */
static void kill_backend(void)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    char *end;
    long pid;

    assert_int_equal(t_pg_sql(&pg, "postgres",
                              "SELECT pid FROM pg_stat_activity WHERE application_name = "
                              "'casemate' ORDER BY state_change DESC LIMIT 1",
                              &b),
                     0);
    assert_true(cm_ok(cm_buf_byte(&b, 0)));
    pid = strtol((const char *)b.p, &end, 10);
    assert_true(pid > 1);
    kill((pid_t)pid, SIGKILL);
}

static void under_load(const char *database, void (*accident)(void))
{
    writer w = {.wanted = 600, .s = open_at(t_pg_database(&pg, database))};
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, add_many, &w), 0);
    for (unsigned i = 1; i <= 2; i++) {
        wait_until(&w, 120 * i);
        accident();
    }
    pthread_join(t, NULL);
    assert_string_equal(cm_err_name(w.last), cm_err_name(CM_OKAY));
    assert_int_equal(w.wrong, 0);
    assert_int_equal(atomic_load(&w.done), 600);
    assert_int_equal(t_store_count(w.s, "acme"), 600);
    cm_store_close(w.s);
}

static void test_restarts(void **state)
{
    (void)state;
    under_load("restarts", restart_server);
}

static void test_crashes(void **state)
{
    (void)state;
    under_load("crashes", crash_server);
}

static void test_killed_backends(void **state)
{
    (void)state;
    under_load("kills", kill_backend);
}

/* ---- answers that get lost ----------------------------------------------------------------- */

typedef enum { PASS, DROP_BEFORE, DROP_AFTER } drop;

/* Between the engine and the server; hears COMMIT go by. */
typedef struct {
    int listener;
    atomic_int mode;
    atomic_bool stop;
    atomic_uint dropped;
    char to[T_PATH];
} proxy;

typedef struct {
    proxy *p;
    int client, server;
} pair;

static int socket_at(struct sockaddr_un *a, const char *dir)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(a->sun_path, sizeof a->sun_path, "%.80s/.s.PGSQL.5432", dir);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* One chunk from a to b. False: over. */
static bool pass(pair *c, int a, int b)
{
    static __thread char buf[1 << 16];
    ssize_t n = read(a, buf, sizeof buf);
    bool commit = n > 0 && a == c->client && memmem(buf, (size_t)n, "COMMIT", 6) != NULL;
    int mode = commit ? atomic_load(&c->p->mode) : PASS;

    if (n <= 0)
        return false;
    if (mode != PASS) {
        atomic_store(&c->p->mode, PASS);
        atomic_fetch_add(&c->p->dropped, 1);
    }
    if (mode == DROP_BEFORE)
        return false;
    for (ssize_t at = 0; at < n;) {
        ssize_t k = write(b, buf + at, (size_t)(n - at));

        if (k <= 0)
            return false;
        at += k;
    }
    if (mode == DROP_AFTER) { /* the server has done it when it answers; nobody hears */
        struct pollfd done = {.fd = b, .events = POLLIN};

        (void)poll(&done, 1, 2000);
    }
    return mode == PASS;
}

static void *pass_all(void *arg)
{
    pair *c = arg;
    struct pollfd p[2] = {{.fd = c->client, .events = POLLIN}, {.fd = c->server, .events = POLLIN}};
    bool on = true;

    while (on && !atomic_load(&c->p->stop)) {
        poll(p, 2, 50);
        if (p[0].revents)
            on = pass(c, c->client, c->server);
        if (on && p[1].revents)
            on = pass(c, c->server, c->client);
    }
    close(c->client);
    close(c->server);
    free(c);
    return NULL;
}

static void *serve(void *arg)
{
    proxy *p = arg;

    while (!atomic_load(&p->stop)) {
        struct pollfd f = {.fd = p->listener, .events = POLLIN};
        struct sockaddr_un a;
        pthread_t t;
        pair *c;

        if (poll(&f, 1, 50) <= 0)
            continue;
        c = calloc(1, sizeof *c);
        c->p = p;
        c->client = accept(p->listener, NULL, NULL);
        c->server = socket_at(&a, p->to);
        if (connect(c->server, (struct sockaddr *)&a, sizeof a) != 0)
            perror("connect");
        pthread_create(&t, NULL, pass_all, c);
        pthread_detach(t);
    }
    return NULL;
}

/* D-22: a COMMIT whose answer is lost is told apart from one that never came. */
static void test_lost_answers(void **state)
{
    char dir[T_PATH], where[2 * T_PATH];
    static proxy p; /* for longer than its connections */
    struct sockaddr_un a;
    pthread_t t;
    cm_store *s;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    t_mkdir(dir);
    (void)t_pg_database(&pg, "lost");
    snprintf(p.to, sizeof p.to, "%s", pg.dir);
    p.listener = socket_at(&a, dir);
    assert_int_equal(bind(p.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p.listener, 16), 0);
    assert_int_equal(pthread_create(&t, NULL, serve, &p), 0);
    snprintf(where, sizeof where, "host=%s user=casemate dbname=lost", dir);
    s = open_at(where);
    for (uint64_t i = 0; i < 8; i++) {
        cm_path row = t_row("acme", "row", i);
        bool after = i % 2 == 0;
        cm_err e;

        atomic_store(&p.mode, after ? DROP_AFTER : DROP_BEFORE);
        e = t_store_put(s, &row, 1, "x");
        assert_int_equal(atomic_load(&p.dropped), i + 1);
        assert_string_equal(cm_err_name(e), cm_err_name(after ? CM_OKAY : CM_FAIL(STORE_CONFLICT)));
        assert_true(t_store_is(s, &row, 1, "x") == after);
    }
    cm_store_close(s);
    atomic_store(&p.stop, true);
    pthread_join(t, NULL);
    close(p.listener);
    t_rmdir(dir);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void test_refusals(void **state)
{
    char where[2 * T_PATH];
    cm_store_postgres o = {.conninfo = where};
    cm_store *s = NULL;

    (void)state;
    snprintf(where, sizeof where, "host=%s user=casemate dbname=rows password=hunter2", pg.dir);
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_STORE_CONNINFO)); /* D-20 */
    snprintf(where, sizeof where, "host=%s user", pg.dir);
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_STORE_CONNINFO));
    snprintf(where, sizeof where, "host=%s user=nobody_here dbname=rows", pg.dir);
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_STORE_LOGIN));
    snprintf(where, sizeof where, "host=/nowhere user=casemate dbname=rows");
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_STORE_UNREACHABLE));
    snprintf(where, sizeof where, "%s", t_pg_database(&pg, "empty"));
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_NO_FILE));
    o.create = true;
    assert_true(cm_ok(cm_store_open_postgres(&s, &o)));
    cm_store_close(s);
    s = NULL;
    assert_int_equal(
        t_pg_sql(&pg, "empty", "UPDATE casemate_meta SET n = 9 WHERE name = 'schema'", NULL), 0);
    assert_true(cm_is(cm_store_open_postgres(&s, &o), CM_STORE_NEWER)); /* D-12 */
    assert_null(s);
}

/* An older copy of the database under a running writer (D-22). */
static void test_server_goes_back(void **state)
{
    cm_store *s = open_at(t_pg_database(&pg, "back"));
    cm_path p = t_row("acme", "row", 1), q = t_row("acme", "row", 2);
    cm_txn *t = NULL;

    (void)state;
    assert_true(cm_ok(t_store_put(s, &p, 1, "x")));
    assert_true(cm_ok(t_store_put(s, &q, 1, "x")));
    assert_int_equal(t_pg_sql(&pg, "back", "UPDATE casemate_writers SET seq = seq - 1", NULL), 0);
    restart_server();
    assert_true(cm_is(t_store_put(s, &p, 2, "x"), CM_STORE_CONFLICT)); /* the connection is gone */
    assert_true(cm_is(cm_txn_begin(&t, s), CM_STORE_ROLLBACK));
    assert_true(cm_is(cm_txn_begin(&t, s), CM_STORE_ROLLBACK));
    cm_store_close(s);
}

static void test_lease(void **state)
{
    char where[2 * T_PATH];
    cm_store *a, *b;
    cm_lease la, lb;

    (void)state;
    snprintf(where, sizeof where, "%s", t_pg_database(&pg, "lease"));
    a = open_at(where);
    b = open_at(where);
    cm_lease_init(&la, "scheduler", CM_LIT("node a          "), 1000);
    cm_lease_init(&lb, "scheduler", CM_LIT("node b          "), 1000);
    assert_true(cm_ok(cm_lease_keep(&la, a, 5)));
    assert_true(cm_is(cm_lease_keep(&lb, b, 70), CM_STORE_LEASED));
    assert_true(cm_is(cm_lease_keep(&lb, b, 1060), CM_STORE_LEASED));
    assert_true(cm_ok(cm_lease_keep(&lb, b, 1070)));
    assert_true(lb.token > la.token);
    assert_true(cm_is(cm_lease_keep(&la, a, 900), CM_STORE_LEASED));
    cm_store_close(a);
    cm_store_close(b);
}

typedef struct {
    cm_buf b;
    size_t at;
} stream;

static cm_err to_stream(void *arg, cm_view v)
{
    return cm_buf_append(&((stream *)arg)->b, v);
}

static cm_err from_stream(void *arg, void *p, size_t n)
{
    stream *s = arg;

    if (s->b.n - s->at < n)
        return CM_FAIL(IO_SHORT);
    memcpy(p, s->b.p + s->at, n);
    s->at += n;
    return CM_OKAY;
}

static void no_fault(void *arg, cm_view key, const char *what)
{
    (void)arg;
    (void)key;
    fail_msg("%s", what);
}

/* A copy from PostgreSQL fills a SQLite store, and that one's another PostgreSQL. */
static void test_moves_between_engines(void **state)
{
    cm_store *s = open_at(t_pg_database(&pg, "source")), *to;
    stream first = {.b = {.max = 1 << 24}}, second = {.b = {.max = 1 << 24}};
    char dir[T_PATH];
    cm_store_sqlite o = {.create = true};
    cm_crypt *c = NULL;
    cm_backup b;
    cm_fsck f;

    (void)state;
    assert_true(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    t_mkdir(dir);
    o.path = t_path(dir, "kms.db");
    for (uint64_t i = 0; i < 300; i++) {
        cm_path p = t_row(i % 3 ? "acme" : "zeta", "row", i);

        assert_true(cm_ok(t_store_put(s, &p, 1, i % 7 ? "value" : "")));
    }
    assert_true(cm_ok(cm_store_backup(s, c, to_stream, &first, &b)));
    assert_int_equal(b.rows, 300);
    assert_true(cm_ok(cm_store_open_sqlite(&to, &o)));
    assert_true(cm_ok(cm_store_restore(to, c, from_stream, &first, &b)));
    assert_true(cm_ok(cm_store_backup(to, c, to_stream, &second, &b)));
    cm_store_close(to);
    cm_store_close(s);
    s = open_at(t_pg_database(&pg, "target"));
    assert_true(cm_ok(cm_store_restore(s, c, from_stream, &second, &b)));
    assert_int_equal(t_store_count(s, "acme") + t_store_count(s, "zeta"), 300);
    assert_true(cm_ok(cm_store_fsck(s, &f, no_fault, NULL)));
    assert_int_equal(f.opened, 300);
    second.at = 0;
    assert_true(cm_is(cm_store_restore(s, c, from_stream, &second, &b), CM_STORE_NOT_EMPTY));
    cm_store_close(s);
    cm_buf_free(&first.b);
    cm_buf_free(&second.b);
    cm_crypt_free(c);
    t_rmdir(dir);
}

static int stop_server(void **state)
{
    (void)state;
    t_pg_free(&pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_moves_between_engines),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_killed_backends),
        cmocka_unit_test(test_server_goes_back),
    };

    if (!t_pg_new(&pg))
        return 77;
    return cmocka_run_group_tests(tests, NULL, stop_server);
}
