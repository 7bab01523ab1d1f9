/*
 * kill -9 while units are committed, forty times over. What was acknowledged has its rows and its
 * leaf; every leaf has its row, and the counter is as high as there are leaves.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/counter.h"
#include "audit/log.h"
#include "log_kit.h"

#define assert_okay(e) assert_string_equal("OK", cm_err_name(e))

enum { KILLS = 40, THREADS = 4, IDS = 1 << 20 };

typedef struct {
    uint64_t id, leaf;
} ack;

static uint8_t acked[IDS / 8]; /* by number of the unit */
static uint64_t leaf_of[IDS], acks;

/* ---- the victim ---- */

typedef struct {
    t_log *l;
    uint64_t first;
    int out;
} client;

static void *commit_on(void *arg)
{
    const client *c = arg;

    for (uint64_t id = c->first;; id += THREADS) {
        cm_audit_entry e = t_log_entry(id);
        cm_path row, hits;
        uint8_t value[8];
        cm_store_write w = {.version = 1, .value = CM_VIEW(value)};
        cm_unit_bump b = {t_log_key(&hits, "acme", "hits"), 1, UINT64_MAX, 0};
        cm_unit u = {.writes = &w,
                     .writes_n = 1,
                     .bumps = &b,
                     .bumps_n = 1,
                     .entry = &e,
                     .want_receipt = id % 16 == 0};
        ack a = {.id = id};

        cm_path_init(&row);
        cm_path_add_str(&row, "acme");
        cm_path_add_str(&row, "row");
        cm_path_add_u64(&row, id);
        w.key = cm_path_view(&row);
        cm_put_be64(value, id);
        if (cm_failed(cm_committer_commit(c->l->committer, &u))) {
            _exit(3);
        }
        a.leaf = u.leaf;
        cm_buf_free(&u.receipt);
        if (write(c->out, &a, sizeof a) != sizeof a) {
            _exit(4);
        }
    }
    return NULL;
}

static void victim(const char *db, uint64_t first, int out)
{
    t_log *l = t_log_at(5, db);
    pthread_t t[THREADS];
    client c[THREADS];

    if (cm_failed(t_log_open(l))) {
        _exit(5);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        c[i] = (client){l, first + i, out};
        if (pthread_create(&t[i], NULL, commit_on, &c[i]) != 0) {
            _exit(6);
        }
    }
    (void)pause();
    _exit(7);
}

/* ---- the survivor ---- */

static void note_acks(int in)
{
    ack a;

    while (read(in, &a, sizeof a) == sizeof a) {
        assert_true(a.id < IDS);
        acked[a.id / 8] |= (uint8_t)(1 << a.id % 8);
        leaf_of[a.id] = a.leaf;
        acks++;
    }
}

static void kill_once(const char *db, uint64_t first, unsigned ms)
{
    const struct timespec nap = {.tv_nsec = (long)ms * 1000000};
    int fd[2], status;
    pid_t pid;

    assert_int_equal(0, pipe(fd));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fd[0]);
        victim(db, first, fd[1]);
    }
    (void)close(fd[1]);
    (void)nanosleep(&nap, NULL);
    assert_int_equal(0, kill(pid, SIGKILL));
    note_acks(fd[0]);
    (void)close(fd[0]);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFSIGNALED(status)); /* not by itself */
}

typedef struct {
    t_log *l;
    uint64_t leaves;
} census;

/* Each leaf is of a unit whose row is there; an acknowledged one is where it was said to be. */
static cm_err see_entry(void *self, uint64_t index, cm_view entry)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    census *c = self;
    cm_audit_entry x;
    uint64_t id, version;
    cm_path p;

    assert_okay(cm_audit_entry_decode(&x, entry));
    id = cm_get_be64(x.id.p + 8);
    assert_true(id < IDS);
    cm_path_init(&p);
    cm_path_add_str(&p, "acme");
    cm_path_add_str(&p, "row");
    cm_path_add_u64(&p, id);
    assert_okay(cm_store_get(c->l->store, cm_path_view(&p), &b, &version));
    assert_int_equal(id, cm_get_be64(b.p));
    if (acked[id / 8] >> id % 8 & 1) {
        assert_int_equal(leaf_of[id], index);
        acks--;
    }
    c->leaves++;
    return CM_OKAY;
}

static void take_census(const char *db)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    t_log *l = t_log_at(5, db);
    cm_audit_trust t = t_log_trust(l);
    census c = {.l = l};
    const cm_audit_watch watch = {.entry = see_entry, .self = &c};
    cm_audit_extent at;
    cm_log_view v;
    cm_counter hits;
    uint64_t version, promised = acks;
    cm_path p;

    assert_okay(t_log_open(l));
    t_log_settle(l);
    v = cm_log_view_store(l->store);
    assert_okay(cm_audit_check_log(&at, &t, &v, &watch));
    assert_int_equal(0, acks); /* all were found */
    assert_okay(cm_store_get(l->store, t_log_key(&p, "acme", "hits"), &b, &version));
    assert_okay(cm_counter_get(&hits, cm_buf_view(&b)));
    assert_int_equal(c.leaves, hits.value);
    printf("%llu acknowledged, %llu leaves\n", (unsigned long long)promised,
           (unsigned long long)c.leaves);
    t_log_done(l);
}

static void forty_kills(void **state)
{
    char dir[T_PATH];
    uint64_t first = 0;
    char db[T_PATH];

    (void)state;
    t_mkdir(dir);
    (void)snprintf(db, sizeof db, "%s", t_path(dir, "log.db"));
    srand(1);
    for (unsigned i = 0; i < KILLS; i++) {
        kill_once(db, first, 20 + (unsigned)(rand() % 120));
        first += IDS / KILLS / THREADS * THREADS;
    }
    assert_true(acks > 0);
    take_census(db);
    t_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forty_kills)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
