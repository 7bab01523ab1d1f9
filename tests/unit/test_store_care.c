/* Copies, restores, migrations, and what fsck finds. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "proc.h"
#include "store/care.h"
#include "store_kit.h"

enum { ROWS = 600 };

static char dir[T_PATH];
static cm_crypt *c;

static int setup(void **state)
{
    (void)state;
    t_mkdir(dir);
    return cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(c);
    t_rmdir(dir);
    return 0;
}

static cm_store *open_store(const char *name, bool unseal)
{
    cm_store_sqlite o = {.path = t_path(dir, name), .create = true};
    cm_store *s = NULL;

    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    if (unseal)
        cm_store_unseal(s, &t_toy_sealer);
    return s;
}

static void fill(cm_store *s)
{
    cm_path p[ROWS];
    cm_store_write w[ROWS];
    cm_txn *t;

    for (size_t i = 0; i < ROWS; i++) {
        p[i] = t_row(i % 3 ? "acme" : "boot", "row", i);
        w[i] = (cm_store_write){cm_path_view(&p[i]), 1, i % 5 ? CM_LIT("value") : CM_LIT("")};
    }
    assert_true(cm_ok(cm_txn_begin(&t, s)));
    assert_true(cm_ok(cm_txn_write(t, w, ROWS)));
    assert_true(cm_ok(cm_txn_commit(t)));
    assert_true(cm_ok(t_store_put(s, &p[7], 2, "second")));
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

/* D-50: without any key, the rows travel sealed. */
static void test_copy_and_back(void **state)
{
    cm_store *s = open_store("a.db", true), *to;
    stream out = {.b = {.max = 1 << 22}}, again = {.b = {.max = 1 << 22}};
    cm_path seven = t_row("acme", "row", 7);
    cm_store_info a, b;
    cm_backup one, two;

    (void)state;
    fill(s);
    assert_true(cm_ok(cm_store_get_info(s, &a)));
    cm_store_close(s);
    s = open_store("a.db", false);
    assert_true(cm_ok(cm_store_backup(s, c, to_stream, &out, &one)));
    cm_store_close(s);
    assert_int_equal(one.rows, ROWS);
    assert_int_equal(one.bytes, out.b.n);
    assert_int_equal(one.generation, a.generation);
    to = open_store("b.db", false);
    assert_true(cm_ok(cm_store_restore(to, c, from_stream, &out, &two)));
    assert_memory_equal(&one, &two, sizeof one);
    assert_true(cm_ok(cm_store_get_info(to, &b)));
    assert_memory_not_equal(a.id, b.id, sizeof a.id); /* D-51 */
    assert_true(cm_is(cm_store_get(to, cm_path_view(&seven), &out.b, NULL), CM_STORE_LOCKED));
    cm_store_unseal(to, &t_toy_sealer);
    assert_true(t_store_is(to, &seven, 2, "second"));
    assert_true(cm_ok(cm_store_backup(to, c, to_stream, &again, &two)));
    /* The rows are the same to the byte; id and generation of the head differ. */
    assert_int_equal(again.b.n, out.b.n);
    assert_memory_equal(again.b.p + 40, out.b.p + 40, out.b.n - 40 - 32);
    out.at = 0;
    assert_true(cm_is(cm_store_restore(to, c, from_stream, &out, &two), CM_STORE_NOT_EMPTY));
    cm_store_close(to);
    cm_buf_free(&out.b);
    cm_buf_free(&again.b);
}

/* D-51: whatever is wrong with a copy, nothing of it is there afterwards. */
static void test_damaged_copies(void **state)
{
    cm_store *s = open_store("a.db", true);
    stream in = {.b = {.max = 1 << 16}};
    cm_path p = t_row("boot", "row", 1), q = t_row("boot", "row", 2);
    cm_backup b;

    (void)state;
    assert_true(cm_ok(t_store_put(s, &p, 1, "value")));
    assert_true(cm_ok(t_store_put(s, &q, 1, "other")));
    assert_true(cm_ok(cm_store_backup(s, c, to_stream, &in, &b)));
    cm_store_close(s);
    s = open_store("b.db", true);
    for (size_t i = 0; i < in.b.n; i++) {
        stream cut = {.b = in.b};

        cut.b.n = i;
        assert_true(cm_is(cm_store_restore(s, c, from_stream, &cut, &b), CM_STORE_BACKUP));
        in.b.p[i] ^= 1;
        in.at = 0;
        assert_true(cm_is(cm_store_restore(s, c, from_stream, &in, &b), CM_STORE_BACKUP));
        in.b.p[i] ^= 1;
        assert_int_equal(t_store_count(s, "boot"), 0);
    }
    in.at = 0;
    assert_true(cm_ok(cm_store_restore(s, c, from_stream, &in, &b)));
    assert_int_equal(t_store_count(s, "boot"), 2);
    cm_store_close(s);
    cm_buf_free(&in.b);
}

/* ---- fsck ---------------------------------------------------------------------------------- */

static void count_fault(void *arg, cm_view key, const char *what)
{
    (void)key;
    assert_non_null(what);
    ++*(unsigned *)arg;
}

static void sql(const char *name, const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(t_path(dir, name), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static unsigned faults_of(const char *name, bool unseal, cm_fsck *f)
{
    cm_store *s = open_store(name, unseal);
    unsigned n = 0;
    cm_err e = cm_store_fsck(s, f, count_fault, &n);

    assert_true(n ? cm_is(e, CM_STORE_DAMAGED) : cm_ok(e));
    assert_int_equal(f->faults, n);
    cm_store_close(s);
    return n;
}

/* D-52 */
static void test_fsck(void **state)
{
    cm_store *s = open_store("a.db", true);
    cm_fsck f;

    (void)state;
    fill(s);
    cm_store_close(s);
    assert_int_equal(faults_of("a.db", false, &f), 0);
    assert_int_equal(f.rows, ROWS);
    assert_int_equal(f.opened, ROWS / 3);
    assert_int_equal(f.unopened, ROWS - ROWS / 3);
    assert_int_equal(faults_of("a.db", true, &f), 0);
    assert_int_equal(f.opened, ROWS);
    sql("a.db", "UPDATE rows SET ver = ver + 1 WHERE k = (SELECT min(k) FROM rows)");
    assert_int_equal(faults_of("a.db", true, &f), 1);
    sql("a.db", "UPDATE rows SET v = (SELECT max(v) FROM rows) WHERE k > x'62'"); /* boot: as is */
    assert_int_equal(faults_of("a.db", true, &f), 1);
    sql("a.db", "INSERT INTO rows VALUES (x'00', 1, x''), (x'620001', 0, x'')");
    assert_int_equal(faults_of("a.db", false, &f), 2);
}

static void test_fsck_sees_damaged_pages(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 22};
    cm_store *s = open_store("a.db", true);
    const char *path = t_path(dir, "a.db");
    cm_fsck f;

    (void)state;
    fill(s);
    cm_store_close(s);
    t_get_file(&b, path);
    assert_true(b.n > 8 * 4096);
    memset(b.p + 5 * 4096, 0x5a, 4096);
    t_put_file(path, cm_buf_view(&b));
    assert_true(faults_of("a.db", false, &f) > 0);
}

/* ---- schemas ------------------------------------------------------------------------------- */

static const char schema_1[] =
    "CREATE TABLE rows (k BLOB PRIMARY KEY NOT NULL, ver INTEGER NOT NULL, v BLOB NOT NULL) "
    "WITHOUT ROWID, STRICT; PRAGMA application_id = 1131629940; PRAGMA user_version = 1;"
    "INSERT INTO rows VALUES (x'626f6f740001', 3, x'6f6c64')";

/* D-13: forward, when asked. */
static void test_migrates(void **state)
{
    cm_store_sqlite o = {.path = t_path(dir, "old.db"), .create = true};
    cm_store *s = NULL;
    cm_path p;
    cm_store_info i;

    (void)state;
    sql("old.db", schema_1);
    assert_true(cm_is(cm_store_open_sqlite(&s, &o), CM_STORE_OLDER));
    o.migrate = true;
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    cm_path_init(&p);
    cm_path_add_str(&p, "boot");
    assert_true(t_store_is(s, &p, 3, "old"));
    assert_true(cm_ok(cm_store_get_info(s, &i)));
    assert_int_equal(i.schema, 2);
    assert_int_equal(i.generation, 0);
    cm_store_close(s);
    o.migrate = false;
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    cm_store_close(s);
    sql("old.db", "PRAGMA user_version = 3");
    o.migrate = true;
    assert_true(cm_is(cm_store_open_sqlite(&s, &o), CM_STORE_NEWER));
}

/* D-12: not a byte of another program's database changes. */
static void test_foreign_database(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf before = {.max = 1 << 20};
    CM_AUTO(cm_buf_free) cm_buf after = {.max = 1 << 20};
    cm_store_sqlite o = {.path = t_path(dir, "theirs.db"), .create = true, .migrate = true};
    cm_store *s = NULL;

    (void)state;
    sql("theirs.db", "CREATE TABLE t (x)");
    t_get_file(&before, o.path);
    assert_true(cm_is(cm_store_open_sqlite(&s, &o), CM_STORE_FOREIGN));
    t_get_file(&after, o.path);
    assert_true(cm_view_eq(cm_buf_view(&before), cm_buf_view(&after)));
}

#define CARE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CARE_TEST(test_copy_and_back), CARE_TEST(test_damaged_copies),
        CARE_TEST(test_fsck),          CARE_TEST(test_fsck_sees_damaged_pages),
        CARE_TEST(test_migrates),      CARE_TEST(test_foreign_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
