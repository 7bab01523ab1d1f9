/* Older copies of a store are refused (D-30, D-31). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "proc.h"
#include "store/anchor.h"
#include "store_kit.h"

static char dir[T_PATH];
static cm_crypt *c;
static const cm_key32 key = {{7}}, other_key = {{8}};

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

static cm_anchor *open_anchor(unsigned every_ms)
{
    cm_anchor *a = NULL;

    assert_true(cm_ok(cm_anchor_new(&a, c, t_path(dir, "anchor"), &key, every_ms, false)));
    return a;
}

static cm_anchor_point point(uint64_t generation, uint64_t size, uint8_t root)
{
    return (cm_anchor_point){
        .store = {1, 2, 3}, .generation = generation, .size = size, .root = {root}};
}

static cm_err check(const cm_anchor_point *p, bool accept)
{
    CM_AUTO(cm_anchor_free_ptr) cm_anchor *a = open_anchor(0);

    return cm_anchor_check(a, p, accept);
}

static void test_older_is_refused(void **state)
{
    cm_anchor_point p = point(10, 5, 1), q;
    cm_anchor *a = open_anchor(0);
    struct stat st;

    (void)state;
    assert_false(cm_anchor_last(a, &q));
    assert_true(cm_is(cm_anchor_check(a, &p, false), CM_STORE_ANCHOR)); /* D-31: was written to */
    p.generation = 0;
    assert_true(cm_ok(cm_anchor_check(a, &p, false)));
    p.generation = 10;
    assert_true(cm_ok(cm_anchor_note(a, &p)));
    cm_anchor_free(a);
    assert_int_equal(stat(t_path(dir, "anchor"), &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_true(cm_ok(check(&p, false)));
    q = point(9, 5, 1);
    assert_true(cm_is(check(&q, false), CM_STORE_ROLLBACK));
    q = point(11, 4, 1);
    assert_true(cm_is(check(&q, false), CM_STORE_ROLLBACK));
    q = point(11, 5, 2);
    assert_true(cm_is(check(&q, false), CM_STORE_ROLLBACK));
    q = point(11, 6, 2);
    q.store[0] ^= 1;
    assert_true(cm_is(check(&q, false), CM_STORE_ROLLBACK));
    assert_true(cm_ok(check(&p, false))); /* refusals wrote nothing */
    q = point(9, 4, 1);
    assert_true(cm_ok(check(&q, true)));
    assert_true(cm_ok(check(&q, false)));
    q = point(11, 6, 2);
    assert_true(cm_ok(check(&q, false)));
    q = point(11, 5, 2);
    assert_true(cm_is(check(&q, false), CM_STORE_ROLLBACK));
}

static void test_altered_notes(void **state)
{
    cm_anchor_point p = point(0, 5, 1), q;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    const char *path = t_path(dir, "anchor");
    cm_anchor *a = NULL;

    (void)state;
    assert_true(cm_ok(check(&p, false)));
    t_get_file(&b, path);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        t_put_file(path, cm_buf_view(&b));
        assert_true(cm_is(cm_anchor_new(&a, c, path, &key, 0, false), CM_STORE_ANCHOR));
        b.p[i] ^= 1;
        t_put_file(path, cm_view_of(b.p, i));
        assert_true(cm_is(cm_anchor_new(&a, c, path, &key, 0, false), CM_STORE_ANCHOR));
    }
    t_put_file(path, cm_buf_view(&b));
    assert_true(cm_is(cm_anchor_new(&a, c, path, &other_key, 0, false), CM_STORE_ANCHOR));
    assert_null(a);
    assert_true(cm_ok(cm_anchor_new(&a, c, path, &other_key, 0, true)));
    assert_false(cm_anchor_last(a, &q));
    assert_true(cm_ok(cm_anchor_check(a, &p, true)));
    cm_anchor_free(a);
    assert_true(cm_ok(cm_anchor_new(&a, c, path, &other_key, 0, false)));
    assert_true(cm_anchor_last(a, &q));
    assert_memory_equal(&p, &q, sizeof p);
    cm_anchor_free(a);
}

static void test_written_now_and_then(void **state)
{
    cm_anchor_point p = point(0, 0, 0), q;
    cm_anchor *a = open_anchor(3600000), *b;

    (void)state;
    assert_true(cm_ok(cm_anchor_check(a, &p, false)));
    p = point(3, 2, 1);
    assert_true(cm_ok(cm_anchor_note(a, &p)));
    b = open_anchor(0);
    assert_true(cm_anchor_last(b, &q));
    assert_int_equal(q.generation, 0);
    cm_anchor_free(b);
    assert_true(cm_ok(cm_anchor_flush(a)));
    cm_anchor_free(a);
    b = open_anchor(0);
    assert_true(cm_anchor_last(b, &q));
    assert_int_equal(q.generation, 3);
    cm_anchor_free(b);
}

static cm_anchor_point stands(cm_store *s)
{
    cm_anchor_point p = {.size = 0};
    cm_store_info i;

    assert_true(cm_ok(cm_store_get_info(s, &i)));
    memcpy(p.store, i.id, sizeof p.store);
    p.generation = i.generation;
    return p;
}

static void copy(const char *from, const char *to)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 22};

    t_get_file(&b, from);
    t_put_file(to, cm_buf_view(&b));
}

/* The database of yesterday in the place of today's. */
static void test_older_copy(void **state)
{
    cm_store_sqlite o = {.path = t_path(dir, "kms.db"), .create = true};
    const char *old = t_path(dir, "old.db");
    cm_path row = t_row("boot", "x", 0);
    cm_anchor_point p;
    cm_store *s;

    (void)state;
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    p = stands(s);
    assert_true(cm_ok(check(&p, false)));
    assert_true(cm_ok(t_store_put(s, &row, 1, "one")));
    cm_store_close(s);
    copy(o.path, old);
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    assert_true(cm_ok(t_store_put(s, &row, 2, "two")));
    p = stands(s);
    cm_store_close(s);
    assert_int_equal(p.generation, 2);
    assert_true(cm_ok(check(&p, false)));
    copy(old, o.path);
    assert_true(cm_ok(cm_store_open_sqlite(&s, &o)));
    assert_true(t_store_is(s, &row, 1, "one"));
    p = stands(s);
    cm_store_close(s);
    assert_true(cm_is(check(&p, false), CM_STORE_ROLLBACK));
    assert_true(cm_ok(check(&p, true)));
}

#define ANCHOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANCHOR_TEST(test_older_is_refused),
        ANCHOR_TEST(test_altered_notes),
        ANCHOR_TEST(test_written_now_and_then),
        ANCHOR_TEST(test_older_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
