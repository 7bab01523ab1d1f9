/* Paths, and the SQLite store through its public face. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_kit.h"

static cm_path path_of(const char *a, const char *b, uint64_t n)
{
    cm_path p;

    cm_path_init(&p);
    cm_path_add_str(&p, a);
    cm_path_add_str(&p, b);
    cm_path_add_u64(&p, n);
    return p;
}

/* D-1, D-2: components never run into each other. */
static void test_paths_are_typed(void **state)
{
    cm_path a, b;

    (void)state;
    cm_path_init(&a);
    cm_path_init(&b);
    cm_path_add_str(&a, "a:b");
    cm_path_add_str(&a, "c");
    cm_path_add_str(&b, "a");
    cm_path_add_str(&b, "b:c");
    assert_false(cm_view_eq(cm_path_view(&a), cm_path_view(&b)));
    cm_path_init(&a);
    cm_path_init(&b);
    cm_path_add(&a, CM_LIT("x\0\1y"));
    cm_path_add_str(&b, "x");
    cm_path_add_str(&b, "y");
    assert_false(cm_view_eq(cm_path_view(&a), cm_path_view(&b)));
}

static void random_component(uint8_t *b, size_t *n)
{
    *n = (size_t)(rand() % 6);
    for (size_t i = 0; i < *n; i++)
        b[i] = (uint8_t)(rand() % 3 == 0 ? 0 : rand() % 3 == 0 ? 0xff : rand());
}

static void test_paths_come_back_in_order(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        uint8_t x[2][8], y[2][8];
        size_t xn[2], yn[2];
        cm_path p, q;
        int want = 0, got;

        cm_path_init(&p);
        cm_path_init(&q);
        for (int i = 0; i < 2; i++) {
            random_component(x[i], &xn[i]);
            random_component(y[i], &yn[i]);
            cm_path_add(&p, cm_view_of(x[i], xn[i]));
            cm_path_add(&q, cm_view_of(y[i], yn[i]));
            if (want == 0)
                want = cm_view_compare(cm_view_of(x[i], xn[i]), cm_view_of(y[i], yn[i]));
        }
        got = cm_view_compare(cm_path_view(&p), cm_path_view(&q));
        assert_int_equal((want > 0) - (want < 0), (got > 0) - (got < 0));
        for (size_t i = 0; i < 2; i++) {
            CM_AUTO(cm_buf_free) cm_buf b = {.max = 16};

            assert_true(cm_ok(cm_path_nth(&b, cm_path_view(&p), i)));
            assert_true(cm_view_eq(cm_buf_view(&b), cm_view_of(x[i], xn[i])));
        }
    }
}

static void test_paths_have_a_limit(void **state)
{
    cm_path p;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16};

    (void)state;
    cm_path_init(&p);
    for (int i = 0; i < 200; i++)
        cm_path_add_u64(&p, (uint64_t)i);
    assert_true(p.over);
    assert_int_equal(cm_path_view(&p).n, 0);
    assert_true(cm_is(cm_path_nth(&b, CM_LIT("ab"), 0), CM_STORE_PATH));
    assert_true(cm_is(cm_path_nth(&b, CM_LIT("a\0\2"), 0), CM_STORE_PATH));
    assert_true(cm_is(cm_path_nth(&b, CM_LIT("a\0\1"), 1), CM_STORE_PATH));
    assert_int_equal(b.n, 0);
}

/* ---- a store ------------------------------------------------------------------------------- */

struct dir {
    char name[64], file[96];
};

static int setup(void **state)
{
    struct dir *d = calloc(1, sizeof *d);

    snprintf(d->name, sizeof d->name, "/tmp/casemate-store-XXXXXX");
    if (!mkdtemp(d->name))
        return -1;
    snprintf(d->file, sizeof d->file, "%s/kms.db", d->name);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct dir *d = *state;
    char line[128];

    snprintf(line, sizeof line, "rm -rf %s", d->name);
    (void)!system(line);
    free(d);
    return 0;
}

static cm_store *open_store(const struct dir *d, bool create)
{
    cm_store_sqlite o = {.path = d->file, .create = create};
    cm_store *s = NULL;

    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    cm_store_unseal(s, &t_toy_sealer);
    return s;
}

static void expect_row(cm_store *s, const cm_path *p, uint64_t version, const char *value)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    uint64_t v = 0;

    assert_true(cm_ok(cm_store_get(s, cm_path_view(p), &b, &v)));
    assert_int_equal(v, version);
    assert_true(cm_view_eq(cm_buf_view(&b), cm_view_str(value)));
}

static void test_rows_last(void **state)
{
    struct dir *d = *state;
    cm_store *s = open_store(d, true);
    cm_path p = path_of("acme", "key", 1);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    struct stat st;
    uint64_t v;

    assert_true(cm_is(cm_store_get(s, cm_path_view(&p), &b, &v), CM_STORE_NO_ROW));
    assert_true(cm_ok(t_store_put(s, &p, 1, "one")));
    assert_true(cm_ok(t_store_put(s, &p, 2, "two")));
    cm_store_close(s);
    assert_int_equal(stat(d->file, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    s = open_store(d, false);
    expect_row(s, &p, 2, "two");
    assert_true(cm_ok(t_store_put(s, &p, 0, "")));
    assert_true(cm_is(cm_store_get(s, cm_path_view(&p), &b, &v), CM_STORE_NO_ROW));
    cm_store_close(s);
}

/* D-3: a write names the version it stands on. */
static void test_writes_compare(void **state)
{
    struct dir *d = *state;
    cm_store *s = open_store(d, true);
    cm_path p = path_of("acme", "key", 1);

    assert_true(cm_is(t_store_put(s, &p, 2, "x"), CM_STORE_CONFLICT));
    assert_true(cm_ok(t_store_put(s, &p, 1, "one")));
    assert_true(cm_is(t_store_put(s, &p, 1, "x"), CM_STORE_CONFLICT));
    assert_true(cm_is(t_store_put(s, &p, 3, "x"), CM_STORE_CONFLICT));
    expect_row(s, &p, 1, "one");
    cm_store_close(s);
}

static cm_err count_row(void *arg, const cm_store_row *r)
{
    size_t *n = arg;

    assert_int_equal(r->version, 1);
    return ++*n == 7 ? CM_FAIL(CANCELLED) : CM_OKAY;
}

static void test_scans(void **state)
{
    cm_store *s = open_store(*state, true);
    cm_path from, to, p;
    size_t n = 0;

    for (uint64_t i = 0; i < 20; i++) {
        p = path_of("acme", i % 2 ? "odd" : "even", i);
        assert_true(cm_ok(t_store_put(s, &p, 1, "v")));
    }
    cm_path_init(&from);
    cm_path_add_str(&from, "acme");
    cm_path_add_str(&from, "odd");
    to = from;
    cm_path_end(&to);
    assert_true(cm_ok(cm_store_scan(s, cm_path_view(&from), cm_path_view(&to), 5, count_row, &n)));
    assert_int_equal(n, 5);
    n = 100;
    assert_true(cm_ok(cm_store_scan(s, cm_path_view(&from), cm_path_view(&to), 99, count_row, &n)));
    assert_int_equal(n, 110);
    n = 0;
    assert_true(cm_is(cm_store_scan(s, cm_path_view(&from), cm_path_view(&to), 99, count_row, &n),
                      CM_CANCELLED));
    cm_store_close(s);
}

/* D-5: nothing but "boot" before unsealing; D-6: a row moved elsewhere does not open. */
static void test_sealing(void **state)
{
    struct dir *d = *state;
    cm_store_sqlite o = {.path = d->file, .create = true};
    cm_store *s;
    cm_path secret = path_of("acme", "key", 1), boot = path_of("boot", "seal", 1);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 20};
    char line[256];
    uint64_t v;

    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    assert_true(cm_is(t_store_put(s, &secret, 1, "PLAINTEXT"), CM_STORE_LOCKED));
    assert_true(cm_ok(t_store_put(s, &boot, 1, "open")));
    cm_store_unseal(s, &t_toy_sealer);
    assert_true(cm_ok(t_store_put(s, &secret, 1, "PLAINTEXT")));
    expect_row(s, &boot, 1, "open");
    cm_store_close(s);
    snprintf(line, sizeof line, "! grep -q PLAINTEXT %s*", d->file);
    assert_int_equal(system(line), 0);
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    assert_true(cm_is(cm_store_get(s, cm_path_view(&secret), &b, &v), CM_STORE_LOCKED));
    cm_store_close(s);
}

/* D-11 */
static void test_one_process(void **state)
{
    struct dir *d = *state;
    cm_store *s = open_store(d, true), *other = NULL;
    cm_store_sqlite o = {.path = d->file};

    assert_true(cm_is(cm_store_open_sqlite(&other, &o), CM_STORE_IN_USE));
    cm_store_close(s);
}

static void test_foreign_files(void **state)
{
    struct dir *d = *state;
    cm_store_sqlite o = {.path = d->file};
    cm_store *s = NULL;
    int fd;

    assert_true(cm_is(cm_store_open_sqlite(&s, &o), CM_NO_FILE));
    fd = open(d->file, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "this is not a database, but it is long enough to be one....", 60),
                     60);
    close(fd);
    assert_true(cm_is(cm_store_open_sqlite(&s, &o), CM_STORE_CORRUPT));
    assert_null(s);
}

struct many {
    cm_store *s;
    unsigned done;
};

static void *add_many(void *arg)
{
    struct many *m = arg;
    cm_path p = path_of("acme", "counter", 0);

    for (int i = 0; i < 50; i++) {
        for (;;) {
            CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
            uint64_t v = 0;
            cm_err e = cm_store_get(m->s, cm_path_view(&p), &b, &v);

            if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
                return arg;
            e = t_store_put(m->s, &p, v + 1, "x");
            if (cm_ok(e))
                break;
            if (!cm_is(e, CM_STORE_CONFLICT))
                return arg;
        }
        m->done++;
    }
    return NULL;
}

static void test_threads(void **state)
{
    cm_store *s = open_store(*state, true);
    cm_path p = path_of("acme", "counter", 0);
    struct many m[6];
    pthread_t t[6];

    for (size_t i = 0; i < 6; i++) {
        m[i] = (struct many){.s = s};
        assert_int_equal(pthread_create(&t[i], NULL, add_many, &m[i]), 0);
    }
    for (size_t i = 0; i < 6; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(m[i].done, 50);
    }
    expect_row(s, &p, 300, "x");
    cm_store_close(s);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_typed),
        cmocka_unit_test(test_paths_come_back_in_order),
        cmocka_unit_test(test_paths_have_a_limit),
        STORE_TEST(test_rows_last),
        STORE_TEST(test_writes_compare),
        STORE_TEST(test_scans),
        STORE_TEST(test_sealing),
        STORE_TEST(test_one_process),
        STORE_TEST(test_foreign_files),
        STORE_TEST(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
