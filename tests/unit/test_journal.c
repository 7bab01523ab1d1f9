/* Journals of interrupted runs: they serve the one run they are of, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit.h"
#include "sealed/journal.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

static t_kit *kit;
static const uint8_t resume_key[32] = {1}, input[32] = {2}, hd[32] = {3},
                     header[CM_FLOE_HEADER] = {4};
static const cm_key32 content = {"the content key of 32 bytes....."};

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

static const char *part(void)
{
    return t_path(kit->dir, "out.part");
}

static const char *file(void)
{
    return t_path(kit->dir, "out.part.journal");
}

static cm_journal_id id_of(const uint8_t *key, const uint8_t *identity,
                           const uint8_t *header_digest)
{
    return (cm_journal_id){kit->crypt, key, identity, header_digest};
}

/* One with 100 bytes behind the FLOE header. */
static void left_behind(void)
{
    cm_journal_id id = id_of(resume_key, input, hd);
    uint8_t run[100];
    cm_journal j;

    memset(run, 9, sizeof run);
    OK(cm_journal_new(&j, part(), &id, &content, header));
    OK(cm_journal_append(&j, CM_VIEW(run)));
    assert_int_equal(j.size, CM_FLOE_HEADER + 100);
    cm_journal_close(&j);
}

static cm_err reopen(const uint8_t *key, const uint8_t *identity, const uint8_t *header_digest)
{
    cm_journal_id id = id_of(key, identity, header_digest);
    cm_journal j = {.fd = -5};
    cm_key32 k = {"untouched"}, was = k;
    cm_err e = cm_journal_open(&j, part(), &id, &k);

    assert_memory_equal(k.b, cm_ok(e) ? content.b : was.b, 32);
    assert_int_equal(j.fd == -5, cm_failed(e));
    if (cm_ok(e))
        cm_journal_close(&j);
    return e;
}

static void goes_on(void **state)
{
    cm_journal_id id = id_of(resume_key, input, hd);
    uint8_t got[CM_FLOE_HEADER + 100];
    struct stat st;
    cm_journal j;
    cm_key32 k;

    (void)state;
    left_behind();
    assert_int_equal(stat(file(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    OK(cm_journal_open(&j, part(), &id, &k));
    assert_memory_equal(k.b, content.b, 32);
    assert_int_equal(j.size, sizeof got);
    OK(cm_journal_read(&j, got, sizeof got, 0));
    assert_memory_equal(got, header, sizeof header);
    assert_true(got[CM_FLOE_HEADER] == 9 && got[sizeof got - 1] == 9);
    FAILS(IO_SHORT, cm_journal_read(&j, got, 1, sizeof got));
    OK(cm_journal_cut(&j, CM_FLOE_HEADER + 40)); /* half a run */
    OK(cm_journal_append(&j, CM_LIT("next")));
    OK(cm_journal_read(&j, got, 5, CM_FLOE_HEADER + 39));
    assert_memory_equal(got, "\x09next", 5);
    cm_journal_drop(&j);
    assert_false(t_exists(file()));
    FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
}

static void of_another(void **state)
{
    static const uint8_t other[32] = {77};

    (void)state;
    left_behind();
    OK(reopen(resume_key, input, hd));
    FAILS(SEALED_JOURNAL, reopen(other, input, hd));
    FAILS(SEALED_JOURNAL, reopen(resume_key, other, hd));
    FAILS(SEALED_JOURNAL, reopen(resume_key, input, other));
}

/* The content key is nowhere in the file, and no byte of the head may change. */
static void head(void **state)
{
    cm_buf b;

    (void)state;
    left_behind();
    b = t_whole_file(file());
    assert_null(memmem(b.p, b.n, content.b, 8));
    for (size_t i = 0; i < CM_JOURNAL_HEAD; i++) {
        b.p[i] ^= 1;
        t_put_file(file(), cm_buf_view(&b));
        FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
        b.p[i] ^= 1;
    }
    for (size_t n = 0; n < CM_JOURNAL_HEAD + CM_FLOE_HEADER; n += 7) {
        t_put_file(file(), cm_view_of(b.p, n));
        FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
    }
    t_put_file(file(), cm_buf_view(&b));
    OK(reopen(resume_key, input, hd));
    cm_buf_free(&b);
}

static void not_a_journal(void **state)
{
    cm_journal_id id = id_of(resume_key, input, hd);
    cm_buf b = t_bytes(5000, 1);
    cm_journal j;

    (void)state;
    t_put_file(file(), cm_buf_view(&b));
    FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
    left_behind(); /* makes it anew */
    OK(reopen(resume_key, input, hd));
    assert_int_equal(unlink(file()), 0);
    assert_int_equal(mkdir(file(), 0700), 0);
    FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
    assert_true(cm_failed(cm_journal_new(&j, part(), &id, &content, header)));
    assert_int_equal(rmdir(file()), 0);
    t_put_file(t_path(kit->dir, "victim"), CM_LIT("precious"));
    assert_int_equal(symlink(t_path(kit->dir, "victim"), file()), 0);
    FAILS(SEALED_JOURNAL, reopen(resume_key, input, hd));
    assert_true(cm_failed(cm_journal_new(&j, part(), &id, &content, header)));
    cm_buf_free(&b);
    b = t_whole_file(t_path(kit->dir, "victim"));
    assert_true(cm_view_eq(cm_buf_view(&b), CM_LIT("precious"))); /* links are not followed */
    cm_buf_free(&b);
    (void)unlink(file());
}

static void in_memory(void **state)
{
    uint8_t got[CM_FLOE_HEADER];
    cm_journal j;

    (void)state;
    OK(cm_journal_new(&j, NULL, &(cm_journal_id){.crypt = kit->crypt}, &content, header));
    OK(cm_journal_append(&j, CM_LIT("run")));
    OK(cm_journal_read(&j, got, sizeof got, 0));
    assert_memory_equal(got, header, sizeof got);
    OK(cm_journal_read(&j, got, 3, CM_FLOE_HEADER));
    assert_memory_equal(got, "run", 3);
    cm_journal_drop(&j);
    cm_journal_drop(&j); /* again is fine */
    assert_int_equal(j.fd, -1);
}

/* What is in the container that an interrupted run left is checked before it is built upon: a
 * journal that is right beside a .part that is not starts afresh. */
static void beside_another_part(void **state)
{
    cm_recipient to;
    cm_seal_options o = t_seal_options(kit, &to);
    cm_buf b = t_bytes(100000, 5), got = {0};
    cm_seal_result r;

    (void)state;
    left_behind();
    t_put_file(t_path(kit->dir, "model"), cm_buf_view(&b));
    t_put_file(t_path(kit->dir, "out.part"), cm_buf_view(&b));
    o.resume_key = resume_key;
    OK(cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "model"), -1, t_path(kit->dir, "out"), -1));
    assert_int_equal(r.resumed, 0);
    assert_false(t_exists(file()));
    OK(t_open(kit, t_path(kit->dir, "out"), &got));
    assert_true(cm_view_eq(cm_buf_view(&b), cm_buf_view(&got)));
    cm_buf_free(&b);
    cm_buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on),   cmocka_unit_test(of_another),
        cmocka_unit_test(head),      cmocka_unit_test(not_a_journal),
        cmocka_unit_test(in_memory), cmocka_unit_test(beside_another_part),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
