/* One log, several committers over one PostgreSQL, as many nodes have it: no fork, no gap, nothing
 * twice, and `casemate audit verify` takes it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/counter.h"
#include "base/os.h"
#include "log_kit.h"
#include "pg.h"
#include "store_kit.h"

enum { NODES = 3, THREADS = 2, BUDGET = 100, SHARED = 4 };

static t_pg pg;

static unsigned units_each(void)
{
    const char *n = getenv("CASEMATE_NODE_UNITS");

    return n ? (unsigned)strtoul(n, NULL, 10) : 60;
}

typedef struct {
    t_log *log;
    uint64_t first;
    unsigned n, done, spent, receipts_wrong;
    cm_err bad;
} client;

static t_log *node(const char *conninfo)
{
    const cm_store_postgres o = {
        .conninfo = conninfo, .create = true, .readers = 2, .patience_s = 60};
    t_log *l = t_log_at(7, "");
    cm_err e = cm_store_open_postgres(&l->store, &o);

    if (cm_ok(e)) {
        cm_store_unseal(l->store, &t_toy_sealer);
        e = t_log_open(l);
    }
    if (cm_failed(e))
        fail_msg("%s", cm_err_name(e));
    return l;
}

/* One unit: a row of its own, a shared row that all nodes change, a budget that all use up. */
static cm_err one(client *c, uint64_t i)
{
    CM_AUTO(cm_buf_free) cm_buf old = {.max = 4096};
    cm_path own = t_row("acme", "own", i), shared = t_row("acme", "shared", i % SHARED);
    cm_path budget = t_row("acme", "budget", 0);
    cm_audit_entry entry = t_log_entry(i), refused = t_log_entry(i);
    cm_unit_bump bump = {cm_path_view(&budget), 1, BUDGET, 0};
    cm_store_write w[2] = {{cm_path_view(&own), 1, CM_LIT("own")},
                           {cm_path_view(&shared), 1, CM_LIT("shared")}};
    cm_unit u = {.writes = w, .writes_n = 2, .entry = &entry, .want_receipt = i % 8 == 0};
    cm_audit_trust trust = t_log_trust(c->log);
    cm_audit_checked checked;
    uint64_t version = 0;
    CM_AUTO(cm_receipt_done) cm_receipt r = {.index = 0};
    cm_err e = cm_store_get(c->log->store, w[1].key, &old, &version);

    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    w[1].version = version + 1;
    if (i % 4 == 0) {
        refused.decision = CM_AUDIT_DENY;
        refused.reason = CM_COMMIT_BUDGET;
        u.bumps = &bump;
        u.bumps_n = 1;
        u.refused = &refused;
    }
    e = cm_committer_commit(c->log->committer, &u);
    if (u.receipt.n && cm_failed(cm_audit_check_receipt(&checked, &r, &trust,
                                                        cm_buf_view(&u.receipt), (cm_view){0})))
        c->receipts_wrong++;
    cm_buf_free(&u.receipt);
    return e;
}

static void *work(void *arg)
{
    client *c = arg;

    for (unsigned k = 0; k < c->n && cm_ok(c->bad);) {
        cm_err e = one(c, c->first + k);

        if (cm_is(e, CM_STORE_CONFLICT)) /* of the shared row: look again */
            continue;
        c->spent += cm_is(e, CM_COMMIT_BUDGET);
        c->done += cm_ok(e);
        if (cm_failed(e) && !cm_is(e, CM_COMMIT_BUDGET))
            c->bad = e;
        k++;
    }
    return NULL;
}

/* ---- what came of it ----------------------------------------------------------------------- */

typedef struct {
    uint8_t *seen;
    size_t n, twice, entries;
} ids;

static cm_err see(void *self, uint64_t index, cm_view entry)
{
    ids *s = self;
    cm_audit_entry e;
    uint64_t i;

    (void)index;
    CM_TRY(cm_audit_entry_decode(&e, entry));
    i = cm_get_be64(e.id.p + 8);
    s->entries++;
    if (i >= s->n || s->seen[i]++)
        s->twice++;
    return CM_OKAY;
}

static uint64_t sum_of_versions(cm_store *s)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < SHARED; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
        cm_path p = t_row("acme", "shared", i);
        uint64_t version = 0;

        assert_true(cm_ok(cm_store_get(s, cm_path_view(&p), &b, &version)));
        sum += version;
    }
    return sum;
}

static cm_err put_file(void *self, const char *name, cm_view v)
{
    char path[2 * T_PATH];

    snprintf(path, sizeof path, "%s/%s", (const char *)self, name);
    for (char *p = path + strlen(self) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = 0;
        (void)mkdir(path, 0700);
        *p = '/';
    }
    return cm_os_spit(path, v, 0600, false);
}

static void verify_outside(t_log *l)
{
    CM_AUTO(cm_buf_free) cm_buf said = {.max = T_OUTPUT};
    CM_AUTO(cm_buf_free) cm_buf keys = {.max = 1 << 16};
    const char *cli = getenv("CASEMATE_CLI");
    cm_log_view view = cm_log_view_store(l->store);
    char dir[T_PATH], vkeys[2 * T_PATH];
    cm_log_sink sink = {.write = put_file, .self = dir};
    int status;

    t_mkdir(dir);
    snprintf(vkeys, sizeof vkeys, "%s/log.vkeys", dir);
    assert_true(cm_ok(cm_log_export(&sink, &view, NULL)));
    assert_true(cm_ok(cm_audit_local_public(&keys, l->signer)));
    t_put_file(vkeys, cm_buf_view(&keys));
    if (cli) {
        const char *const argv[] = {cli, "audit", "verify", "--key", vkeys, dir, NULL};

        status = t_run(&said, cm_view_of("", 0), argv);
        if (status != 0)
            fail_msg("casemate audit verify: %d: %.*s", status, (int)said.n, (const char *)said.p);
    }
    t_rmdir(dir);
}

static void check_log(t_log *l, size_t units, size_t refused)
{
    cm_log_view view = cm_log_view_store(l->store);
    cm_audit_trust trust = t_log_trust(l);
    ids s = {.seen = calloc(units, 1), .n = units};
    cm_audit_watch watch = {.entry = see, .self = &s};
    cm_audit_extent at;
    cm_err e;

    assert_non_null(s.seen);
    t_log_settle(l);
    e = cm_audit_check_log(&at, &trust, &view, &watch);
    if (cm_failed(e))
        fail_msg("%s at %s", cm_err_name(e), at.file);
    assert_int_equal(s.entries, units);
    assert_int_equal(s.twice, 0);
    assert_int_equal(sum_of_versions(l->store), units - refused);
    verify_outside(l);
    free(s.seen);
}

/* D-23, A-31, A-32 */
static void test_one_log(void **state)
{
    char where[2 * T_PATH];
    t_log *nodes[NODES];
    client c[NODES * THREADS];
    pthread_t t[NODES * THREADS];
    unsigned each = units_each();
    size_t units = (size_t)each * NODES * THREADS, refused = 0;

    (void)state;
    snprintf(where, sizeof where, "%s", t_pg_database(&pg, "nodes"));
    for (size_t i = 0; i < NODES; i++)
        nodes[i] = node(where);
    for (size_t i = 0; i < CM_COUNT(c); i++) {
        c[i] = (client){.log = nodes[i % NODES], .first = i * each, .n = each};
        assert_int_equal(pthread_create(&t[i], NULL, work, &c[i]), 0);
    }
    for (size_t i = 0; i < CM_COUNT(c); i++) {
        pthread_join(t[i], NULL);
        if (cm_failed(c[i].bad))
            fail_msg("%s", cm_err_name(c[i].bad));
        assert_int_equal(c[i].receipts_wrong, 0);
        refused += c[i].spent;
    }
    assert_int_equal(refused, (units + 3) / 4 > BUDGET ? (units + 3) / 4 - BUDGET : 0);
    check_log(nodes[0], units, refused);
    for (size_t i = 0; i < NODES; i++)
        t_log_done(nodes[i]);
}

/* A node that starts while others sign and commit finds a log that is in order. */
static void test_joining(void **state)
{
    char where[2 * T_PATH];
    client c = {.n = units_each()};
    pthread_t t;

    (void)state;
    snprintf(where, sizeof where, "%s", t_pg_database(&pg, "joining"));
    c.log = node(where);
    assert_int_equal(pthread_create(&t, NULL, work, &c), 0);
    for (int i = 0; i < 10; i++) {
        t_log *l = node(where);

        assert_true(cm_ok(cm_committer_health(l->committer)));
        t_log_done(l);
    }
    pthread_join(t, NULL);
    assert_string_equal(cm_err_name(c.bad), "OK");
    check_log(c.log, c.n, c.spent);
    t_log_done(c.log);
}

/* Somebody's read did not get through: closed, and open again by itself. */
static void test_suspected(void **state)
{
    cm_audit_entry entry = t_log_entry(1);
    cm_unit u = {.entry = &entry};
    t_log *l;
    cm_err e;

    (void)state;
    l = node(t_pg_database(&pg, "suspected"));
    cm_committer_suspect(l->committer, CM_FAIL(STORE_UNREACHABLE));
    assert_true(cm_failed(cm_committer_health(l->committer)));
    for (int i = 0; i < 24000 && cm_failed(cm_committer_health(l->committer)); i++)
        usleep(5000);
    e = cm_committer_commit(l->committer, &u);
    assert_string_equal(cm_err_name(e), "OK");
    t_log_done(l);
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
        cmocka_unit_test(test_one_log),
        cmocka_unit_test(test_joining),
        cmocka_unit_test(test_suspected),
    };

    if (!t_pg_new(&pg))
        return 77;
    return cmocka_run_group_tests(tests, NULL, stop_server);
}
